// From values of nodes to values of graphs, and to smaller graphs. `membership` is Batch's.
#pragma once

#include <cstdint>
#include <utility>

#include "glia/graphs/data.h"
#include "glia/graphs/message.h"
#include "glia/nn.h"

namespace glia::graphs {

// Of each graph the sum, the mean, the largest value: x (N, ...) -> (graphs, ...), zeros of a graph
// without nodes.
Tensor global_add_pool(const Tensor& x, const Graph& membership, Where where = Where::current());
Tensor global_mean_pool(const Tensor& x, const Graph& membership, Where where = Where::current());
Tensor global_max_pool(const Tensor& x, const Graph& membership, Where where = Where::current());

// ---- Fewer nodes ------------------------------------------------------------------------------

struct TopKOptions {
  double ratio =
      0.5;  // the share of each graph's nodes that is kept, rounded up; from 1 on how many
  double min_score = -1;  // if not negative: nodes whose softmax of scores is above this
  double multiplier = 1;
};
// Which nodes were kept, graph after graph, and with what score: their values are multiplied by it.
struct Pooled {
  Tensor x;
  Graph graph, membership;
  Tensor edge;   // of the edges that are left, if any was given
  Tensor perm;   // (K) i64
  Tensor score;  // (K)
};
// Keeps the nodes with the greatest tanh(x w / |w|) (Gao & Ji 2019; Cangea et al. 2018). Scores are
// read, since the shape depends on them.
struct TopKPooling : nn::Module {
  TopKPooling(int64_t in_channels, const TopKOptions& options = {});
  Pooled operator()(const Tensor& x, const Graph& graph, const Graph& membership,
                    const Tensor& edge = {}, Where where = Where::current()) const;

  // As PyTorch Geometric names it.
  struct Select : nn::Module {
    Parameter weight;  // (1, in)
    GLIA_FIELDS(weight)
  };
  TopKOptions options;
  Select select;
  GLIA_FIELDS(select)
};

// ---- Dense graphs -----------------------------------------------------------------------------

// Values of each graph's nodes, filled up with zeros to the most: (graphs, most, F), and which are
// no filling, bool (graphs, most).
std::pair<Tensor, Tensor> to_dense_batch(const Tensor& x, const Graph& membership,
                                         Where where = Where::current());
// (graphs, most, most), [g][source][target]: how many edges, or the sum of their weights (E).
Tensor to_dense_adj(const Graph& graph, const Graph& membership, const Tensor& edge_weight = {},
                    DType dtype = kF32, Where where = Where::current());

// What soft assignment s (B, N, C) of nodes to clusters makes of x (B, N, F) and adj (B, N, N).
struct DiffPoolResult {
  Tensor x, adj;               // (B, C, F), (B, C, C)
  Tensor link_loss, ent_loss;  // how far S S^T is from adj, and the entropy of S: ()
};
// The softmax of s is taken here; mask as of to_dense_batch() (Ying et al. 2018).
DiffPoolResult dense_diff_pool(const Tensor& x, const Tensor& adj, const Tensor& s,
                               const Tensor& mask = {}, bool normalize = true,
                               Where where = Where::current());

struct DenseGCNOptions {
  bool improved = false, bias = true;
};
// GCNConv on dense graphs: x (B, N, in), adj (B, N, N), mask (B, N) -> (B, N, out). Loops are set.
struct DenseGCNConv : nn::Module {
  DenseGCNConv(int64_t in_channels, int64_t out_channels, const DenseGCNOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& adj, const Tensor& mask = {},
                    Where where = Where::current()) const;

  DenseGCNOptions options;
  Parameter bias;  // (out) or undefined
  nn::Linear lin;
  GLIA_FIELDS(bias, lin)
};

}  // namespace glia::graphs
