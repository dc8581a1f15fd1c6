// Layers of graph neural networks under PyTorch Geometric's names, defaults and state dicts.
//
//   GCNConv conv(1433, 16);
//   Tensor h = relu(conv(x, graph));  // x (N, 1433) -> (N, 16)
//
// Calls throw ShapeError where features, edges and the layer do not fit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/graphs/features.h"
#include "glia/graphs/message.h"
#include "glia/nn.h"

namespace glia::graphs {

// What all layers are: features of nodes to features of nodes. `edge` is what a layer takes of the
// edges, in their order, if anything: weights (E) or features (E, D).
class Conv : public nn::Module {
 public:
  Tensor operator()(const Features& x, const Graph& graph, const Tensor& edge = {},
                    Where where = Where::current()) const {
    return forward(x, graph, edge, where);
  }
  virtual std::unique_ptr<Conv> clone() const = 0;

 protected:
  virtual Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                         const Where& where) const = 0;
};

// Any layer, as a value.
class AnyConv {
 public:
  AnyConv() = default;
  template <class C, class = std::enable_if_t<std::is_base_of_v<Conv, C>>>
  AnyConv(C conv) : conv_(std::make_unique<C>(std::move(conv))) {}
  AnyConv(const AnyConv& other) : conv_(other.conv_ ? other.conv_->clone() : nullptr) {}
  AnyConv(AnyConv&&) noexcept = default;
  AnyConv& operator=(const AnyConv& other) { return *this = AnyConv(other); }
  AnyConv& operator=(AnyConv&&) noexcept = default;

  explicit operator bool() const { return conv_ != nullptr; }
  const Conv& operator*() const { return *conv_; }
  const Conv* operator->() const { return conv_.get(); }

 private:
  std::unique_ptr<Conv> conv_;
};

// ---- Spectral ---------------------------------------------------------------------------------

struct GCNNormOptions {
  bool improved = false;  // self loops count twice
  // At nodes that have none; a loop that is there keeps its weight.
  bool add_self_loops = true;
};
// D^-1/2 (A + I) D^-1/2 as a graph and a weight of each of its edges, where D has the sums of what
// arrives. edge_weight (E) is undefined for ones; gradients flow through it.
struct WeightedGraph {
  Graph graph;
  Tensor edge_weight;
};
WeightedGraph gcn_norm(const Graph& graph, const Tensor& edge_weight = {},
                       const GCNNormOptions& options = {}, DType dtype = kF32,
                       Where where = Where::current());

struct GCNOptions : GCNNormOptions {
  bool normalize = true;  // else the edges are taken as they are, without loops
  bool bias = true;
};
// D^-1/2 (A + I) D^-1/2 X W + b (Kipf & Welling 2017). Takes weights of edges.
struct GCNConv : Conv {
  GCNConv(int64_t in_channels, int64_t out_channels, const GCNOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GCNConv>(*this); }

  GCNOptions options;
  Parameter bias;  // (out) or undefined
  nn::Linear lin;  // without a bias
  GLIA_FIELDS(bias, lin)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

enum class Normalization { kNone, kSym, kRw };
struct ChebOptions {
  Normalization normalization = Normalization::kSym;
  double lambda_max = 0;  // the Laplacian's largest eigenvalue; 0: twice its largest entry
  bool bias = true;
};
// The sum over k < K of T_k(2 L / lambda_max - I) X W_k, with Chebyshev's polynomials T_k
// (Defferrard et al. 2016). Takes weights of edges; self loops are left out.
struct ChebConv : Conv {
  ChebConv(int64_t in_channels, int64_t out_channels, int64_t K, const ChebOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<ChebConv>(*this); }

  ChebOptions options;
  Parameter bias;  // (out) or undefined
  std::vector<nn::Linear> lins;
  GLIA_FIELDS(bias, lins)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

// K steps of personalised PageRank: z = (1 - alpha) A z + alpha x with A as of GCNConv, from z = x
// (Gasteiger et al. 2019). In training mode `dropout` leaves out edges. Takes weights of edges.
struct APPNP : Conv {
  APPNP(int64_t K, double alpha, double dropout = 0, const GCNOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<APPNP>(*this); }

  int64_t K;
  double alpha, dropout;
  GCNOptions options;

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

// ---- Aggregating ------------------------------------------------------------------------------

struct SAGEOptions {
  Aggregation aggr = Aggregation::kMean;
  bool normalize = false;   // outputs to length 1
  bool root_weight = true;  // a weight of its own for the node itself
  bool project = false;     // relu(W x + b) of the neighbours first
  bool bias = true;
  int64_t in_channels_target = 0;  // of a bipartite graph's targets; 0: as the sources
};
// W_l aggregate(x_j) + b + W_r x_i (Hamilton et al. 2017).
struct SAGEConv : Conv {
  SAGEConv(int64_t in_channels, int64_t out_channels, const SAGEOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<SAGEConv>(*this); }

  SAGEOptions options;
  std::optional<nn::Linear> lin;  // of project
  nn::Linear lin_l;
  std::optional<nn::Linear> lin_r;  // of root_weight
  GLIA_FIELDS(lin, lin_l, lin_r)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

struct GINOptions {
  double eps = 0;
  bool train_eps = false;
  Aggregation aggr = Aggregation::kSum;  // mean and max tell fewer graphs apart (Xu et al. 2019)
};
// mlp((1 + eps) x_i + sum of x_j) (Xu et al. 2019).
struct GINConv : Conv {
  GINConv(nn::Sequential mlp, const GINOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GINConv>(*this); }
  void visit_fields(nn::FieldVisitor& visitor) const override;
  // (1 + eps) x_i and what has arrived: what the network gets.
  Tensor combined(const Features& x, const Tensor& arrived) const;

  GINOptions options;
  Parameter trained_eps;          // (1), with train_eps; in state dicts either is "eps"
  Buffer fixed_eps;               // (1), without
  nn::Sequential mlp;             // in state dicts "nn"
  std::optional<nn::Linear> lin;  // of GINEConv

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

struct GINEOptions : GINOptions {
  int64_t edge_dim = 0;  // features of edges, which are mapped to the nodes'; 0: as many as these
  int64_t in_channels = 0;  // features of nodes, where edge_dim is given
};
// mlp((1 + eps) x_i + sum of relu(x_j + e_ji)) (Hu et al. 2020). Takes features of edges.
struct GINEConv : GINConv {
  GINEConv(nn::Sequential mlp, const GINEOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GINEConv>(*this); }

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

// GGNN: h = GRU(sum of W_l h_j, h) num_layers times, from x filled up with zeros to out_channels
// (Li et al. 2016). Takes weights of edges.
struct GatedGraphConv : Conv {
  GatedGraphConv(int64_t out_channels, int64_t num_layers, Aggregation aggr = Aggregation::kSum,
                 bool bias = true);
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GatedGraphConv>(*this); }

  Aggregation aggr;
  Parameter weight;  // (num_layers, out, out)
  nn::GRUCell rnn;
  GLIA_FIELDS(weight, rnn)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

// ---- Several aggregations ---------------------------------------------------------------------

enum class Scaler { kIdentity, kAmplification, kAttenuation, kLinear, kInverseLinear };
// How many nodes have 0, 1, 2, ... edges arriving, (most + 1) i64: of all of these graphs.
Tensor degree_histogram(const std::vector<Graph>& graphs);

struct PNAOptions {
  std::vector<Aggregation> aggregators = {Aggregation::kMean, Aggregation::kMin, Aggregation::kMax,
                                          Aggregation::kStd};
  std::vector<Scaler> scalers = {Scaler::kIdentity, Scaler::kAmplification, Scaler::kAttenuation};
  Tensor deg = {};       // degree_histogram() of what it is trained on
  int64_t edge_dim = 0;  // features of edges, if any
  int64_t towers = 1, pre_layers = 1, post_layers = 1;
  bool divide_input = false;  // each tower gets its part of the features
};
// Principal neighbourhood aggregation (Corso et al. 2020): all aggregators, each scaled by degree
// in all ways, of messages W [x_i, x_j, e_ji]. May take features of edges.
struct PNAConv : Conv {
  PNAConv(int64_t in_channels, int64_t out_channels, const PNAOptions& options);
  std::unique_ptr<Conv> clone() const override { return std::make_unique<PNAConv>(*this); }

  // Mean degrees, and means of log(degree + 1).
  struct Scalers : nn::Module {
    Buffer avg_deg_lin, avg_deg_log;  // (1)
    GLIA_FIELDS(avg_deg_lin, avg_deg_log)
  };
  int64_t in_channels, out_channels;
  PNAOptions options;
  Scalers aggr_module;
  std::optional<nn::Linear> edge_encoder;
  std::vector<nn::Sequential> pre_nns, post_nns;
  nn::Linear lin;
  GLIA_FIELDS(aggr_module, edge_encoder, pre_nns, post_nns, lin)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override;
};

// ---- Attention --------------------------------------------------------------------------------

struct GATOptions {
  int64_t heads = 1;
  bool concat = true;  // heads beside each other, else their mean
  double negative_slope = 0.2;
  double dropout = 0;          // on the attention, in training mode
  bool add_self_loops = true;  // in place of those that are there
  int64_t edge_dim = 0;        // features of edges, if any; those of a loop are its node's mean
  bool bias = true, residual = false;
  bool share_weights = false;      // of GATv2: one weight for sources and targets
  int64_t in_channels_target = 0;  // of a bipartite graph's targets; 0: as the sources
};
// The attention of each edge of the graph on which it was computed, (E', heads).
struct AttentionResult {
  Tensor out;
  Graph graph;
  Tensor attention;
};

// Each head's softmax over j of leaky_relu(a_src W x_j + a_dst W x_i [+ a_edge W_e e_ji]) weighs W
// x_j (Velickovic et al. 2018). May take features of edges.
struct GATConv : Conv {
  GATConv(int64_t in_channels, int64_t out_channels, const GATOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GATConv>(*this); }
  AttentionResult attend(const Features& x, const Graph& graph, const Tensor& edge = {},
                         Where where = Where::current()) const;

  int64_t out_channels;
  GATOptions options;
  Parameter att_src, att_dst, att_edge;  // (1, heads, out); the last undefined without edge_dim
  Parameter bias;                        // (heads out), (out) if not concat, or undefined
  std::optional<nn::Linear> lin;         // one for both ends, or
  std::optional<nn::Linear> lin_src, lin_dst;  // one for each of a bipartite graph
  std::optional<nn::Linear> lin_edge, res;
  GLIA_FIELDS(att_src, att_dst, att_edge, bias, lin, lin_src, lin_dst, lin_edge, res)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override {
    return attend(x, graph, edge, where).out;
  }
};

// The same with scores a leaky_relu(W_l x_j + W_r x_i [+ W_e e_ji]), which may order the neighbours
// of each node in its own way (Brody et al. 2022).
struct GATv2Conv : Conv {
  GATv2Conv(int64_t in_channels, int64_t out_channels, const GATOptions& options = {});
  std::unique_ptr<Conv> clone() const override { return std::make_unique<GATv2Conv>(*this); }
  AttentionResult attend(const Features& x, const Graph& graph, const Tensor& edge = {},
                         Where where = Where::current()) const;

  int64_t out_channels;
  GATOptions options;
  Parameter att;   // (1, heads, out)
  Parameter bias;  // (heads out), (out) if not concat, or undefined
  nn::Linear lin_l;
  std::optional<nn::Linear> lin_r;  // unless share_weights
  std::optional<nn::Linear> lin_edge, res;
  GLIA_FIELDS(att, bias, lin_l, lin_r, lin_edge, res)

 protected:
  Tensor forward(const Features& x, const Graph& graph, const Tensor& edge,
                 const Where& where) const override {
    return attend(x, graph, edge, where).out;
  }
};

}  // namespace glia::graphs
