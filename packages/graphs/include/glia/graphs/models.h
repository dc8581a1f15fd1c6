// Whole networks: of layers on one graph, of graphs, autoencoders, and embeddings by walks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glia/graphs/conv.h"
#include "glia/graphs/data.h"
#include "glia/graphs/pool.h"

namespace glia::graphs {

// ---- Of nodes -----------------------------------------------------------------------------------

struct GNNOptions {
  int64_t hidden_channels = 16, num_layers = 2;
  double dropout = 0.5;              // on the features in front of each layer
  int64_t heads = 8, out_heads = 1;  // of attention: the last layer takes the heads' mean
  double attention_dropout = 0.6;
  double alpha = 0.1;  // of appnp, whose layers are linear ones with K steps behind
  int64_t K = 0;       // of appnp its steps, of cheb its polynomials; 0: 10 and 2
};
// "gcn", "cheb", "sage", "gat", "gatv2", "gin", "appnp", in the form of their papers: Kipf &
// Welling 2017 (ReLU), Velickovic et al. 2018 (ELU), ...
std::vector<std::string> gnn_names();

// Layers one after another with activations between: features of nodes to logits of classes.
class GNN : public nn::Module {
 public:
  // Throws ValueError for a name that is none of gnn_names().
  GNN(const std::string& name, int64_t in_channels, int64_t out_channels,
      const GNNOptions& options = {});
  // (N, out). edge_weight (E) is taken by gcn, cheb and appnp.
  Tensor operator()(const Features& x, const Graph& graph, const Tensor& edge_weight = {},
                    Where where = Where::current()) const;

  GNNOptions options;
  std::vector<AnyConv> convs;
  std::vector<nn::Linear> lins;  // of appnp
  GLIA_FIELDS(convs, lins)

 private:
  Tensor activated(const Tensor& x) const;
  bool weighted_, elu_;
};

// ---- Of graphs ----------------------------------------------------------------------------------

struct GINClassifierOptions {
  int64_t hidden_channels = 32;
  int64_t num_layers = 5;  // with that of the input, as Xu et al. count
  double dropout = 0.5;    // on the scores
  bool train_eps = false;
  Aggregation neighbors = Aggregation::kSum;  // of neighbours
  Aggregation readout = Aggregation::kSum;    // of nodes: sum or mean
};
// Graph isomorphism network for graphs (Xu et al. 2019): networks of two layers with batch norm,
// behind sums of neighbours; the scores are sums over all layers, the input's too, of linear
// functions of what the readout gives.
class GINClassifier : public nn::Module {
 public:
  GINClassifier(int64_t in_channels, int64_t classes, const GINClassifierOptions& options = {});
  // (graphs, classes). Statistics of batch norms are of the nodes of the mask (N) bool, if any: of
  // a Batch that is filled up its node_mask.
  Tensor operator()(const Tensor& x, const Graph& graph, const Graph& membership,
                    const Tensor& node_mask = {}, Where where = Where::current()) const;

  GINClassifierOptions options;
  std::vector<GINConv> convs;
  std::vector<nn::BatchNorm1d> batch_norms;
  std::vector<nn::Linear> linears_prediction;
  GLIA_FIELDS(convs, batch_norms, linears_prediction)
};

// ---- Autoencoders -------------------------------------------------------------------------------

// How likely each of some edges (2, K) i64 is by its ends' z (N, D): their inner product's sigmoid,
// or the product itself (Kipf & Welling 2016). (K).
Tensor inner_product_decoder(const Tensor& z, const Tensor& edges, bool sigmoid = true);
// -mean log p(edges) - mean log(1 - p(negatives)).
Tensor recon_loss(const Tensor& z, const Tensor& edges, const Tensor& negatives);
// How well p tells edges from pairs that are none: areas below the ROC curve and below precision by
// recall.
struct LinkScores {
  double auc = 0, average_precision = 0;
};
LinkScores link_scores(const Tensor& z, const Tensor& edges, const Tensor& negatives);

// Two layers of GCNConv that give mean and log deviation of z; the first is shared.
class VariationalGCNEncoder : public nn::Module {
 public:
  VariationalGCNEncoder(int64_t in_channels, int64_t hidden_channels, int64_t out_channels);
  // (N, out) each; z is drawn in training mode, else mu.
  struct Result {
    Tensor z, mu, logstd;
  };
  Result operator()(const Features& x, const Graph& graph, Where where = Where::current()) const;

  GCNConv conv1, conv_mu, conv_logstd;
  GLIA_FIELDS(conv1, conv_mu, conv_logstd)
};
// Of N(mu, exp(logstd)^2) from N(0, 1), summed over features, mean over nodes.
Tensor kl_loss(const Tensor& mu, const Tensor& logstd);

// ---- Embeddings by walks ------------------------------------------------------------------------

struct Node2VecOptions {
  int64_t embedding_dim = 128, walk_length = 20, context_size = 10, walks_per_node = 1;
  double p = 1, q = 1;  // both 1: DeepWalk
  int64_t num_negative_samples = 1;
  bool sparse = false;  // gradients of the rows that were drawn alone, for SparseAdam
};
// node2vec (Grover & Leskovec 2016), with p = q = 1 DeepWalk (Perozzi et al. 2014): nodes of one
// window of a walk are near each other.
class Node2Vec : public nn::Module {
 public:
  Node2Vec(const Graph& graph, const Node2VecOptions& options = {});
  // The loss over walks from these nodes and random ones; each seed draws others.
  Tensor loss(std::span<const int64_t> nodes, uint64_t seed) const;
  Tensor embeddings() const { return embedding.weight; }  // (N, D)

  Node2VecOptions options;
  nn::Embedding embedding;
  GLIA_FIELDS(embedding)

 private:
  Tensor windows(const Tensor& walks) const;
  Graph graph_;
};

}  // namespace glia::graphs
