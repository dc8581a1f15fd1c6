// Layers on normalised adjacency.
#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "layers.h"

namespace glia::graphs {

// ---- What layers share --------------------------------------------------------------------------

nn::Linear glorot_linear(int64_t in, int64_t out, bool bias) {
  nn::Linear lin(in, out, {.bias = bias});
  nn::init::xavier_uniform_(lin.weight);
  return lin;
}
Parameter glorot(const Shape& shape) {
  const double bound = std::sqrt(6.0 / static_cast<double>(shape.size(-2) + shape.size(-1)));
  return Parameter(uniform(shape, -bound, bound));
}
Parameter zero_bias(int64_t size, bool given) {
  return given ? Parameter(zeros({size})) : Parameter();
}

void require_edges(const char* layer, const Tensor& edge, const Graph& graph, const Where& where) {
  if (!edge.defined() || edge.rank() < 1 || edge.rank() > 2 || edge.size(0) != graph.num_edges() ||
      !is_float(edge.dtype()))
    throw ShapeError(std::string(layer) + ": " +
                         (edge.defined() ? name(edge.dtype()) + (" " + edge.shape().str())
                                         : std::string("nothing")) +
                         " is no row of floats for each of " + std::to_string(graph.num_edges()) +
                         " edges",
                     where);
}
Tensor as_columns(const Tensor& edge) { return edge.rank() == 1 ? unsqueeze(edge, 1) : edge; }
void require_channels(const char* layer, int64_t given, int64_t wanted, const Where& where) {
  if (given != wanted)
    throw ShapeError(std::string(layer) + ": " + std::to_string(given) + " features, not " +
                         std::to_string(wanted),
                     where);
}

namespace {

void require_weights(const char* layer, const Tensor& weight, const Graph& graph,
                     const Where& where) {
  require_edges(layer, weight, graph, where);
  if (weight.rank() != 1)
    throw ShapeError(std::string(layer) + ": weights of edges are (E), not " + weight.shape().str(),
                     where);
}

// 1 / sqrt(d), or 1 / d, and 0 of 0.
Tensor inverse(const Tensor& d, bool root) {
  const Tensor none = d == 0, safe = glia::where(none, 1, d);
  return glia::where(none, 0, root ? rsqrt(safe) : 1 / safe);
}

Tensor edge_ones(const Graph& graph, DType dtype) { return ones({graph.num_edges()}, dtype); }

}  // namespace

WeightedGraph gcn_norm(const Graph& graph, const Tensor& edge_weight, const GCNNormOptions& options,
                       DType dtype, Where where) {
  graph.num_nodes(where);
  Tensor weight = edge_weight;
  if (weight.defined()) require_weights("gcn_norm", weight, graph, where);
  WeightedGraph out{graph, {}};
  if (options.add_self_loops) {
    const LoopedEdges looped = replace_self_loops(graph);
    out.graph = looped.graph;
    if (weight.defined() || options.improved) {
      if (!weight.defined()) weight = edge_ones(graph, dtype);
      const double fill = options.improved ? 2 : 1;
      Tensor loops = full({graph.num_nodes()}, fill, weight.dtype());
      if (graph.has_self_loops())
        loops = glia::where(looped.loops < 0, loops, take(weight, maximum(looped.loops, 0)));
      weight = concat({take(weight, looped.kept), loops});
    }
  }
  if (!weight.defined()) weight = edge_ones(out.graph, dtype);
  const Graph plain = out.graph.with_edge_mask({});
  const Tensor scale = inverse(aggregate(plain, weight, Aggregation::kSum), true);
  out.edge_weight = at_sources(out.graph, scale) * weight * at_targets(out.graph, scale);
  return out;
}

// ---- GCNConv ------------------------------------------------------------------------------------

GCNConv::GCNConv(int64_t in_channels, int64_t out_channels, const GCNOptions& options)
    : options(options),
      bias(zero_bias(out_channels, options.bias)),
      lin(glorot_linear(in_channels, out_channels)) {}

Tensor GCNConv::forward(const Features& x, const Graph& graph, const Tensor& edge,
                        const Where& where) const {
  require_channels("GCNConv", x.channels(), lin.weight.shape()[1], where);
  WeightedGraph by{graph, edge};
  if (options.normalize) by = gcn_norm(graph, edge, options, x.dtype(), where);
  return added(
      propagate(by.graph, applied(lin, x, where), Aggregation::kSum, by.edge_weight, where), bias);
}

// ---- ChebConv -----------------------------------------------------------------------------------

ChebConv::ChebConv(int64_t in_channels, int64_t out_channels, int64_t K, const ChebOptions& options)
    : options(options), bias(zero_bias(out_channels, options.bias)) {
  if (K < 1) throw ValueError("ChebConv: K is " + std::to_string(K));
  for (int64_t k = 0; k < K; ++k) lins.push_back(glorot_linear(in_channels, out_channels));
}

namespace {

// 2 L / lambda_max - I.
WeightedGraph scaled_laplacian(const Graph& graph, const Tensor& edge_weight,
                               const ChebOptions& options, DType dtype, const Where& where) {
  graph.num_nodes(where);
  const LoopedEdges looped = replace_self_loops(graph);
  const KeptEdges unlooped = remove_self_loops(graph);
  Tensor weight;
  if (edge_weight.defined()) {
    require_weights("ChebConv", edge_weight, graph, where);
    weight = take(edge_weight, looped.kept);
  } else {
    weight = edge_ones(unlooped.graph, dtype);
  }
  const Graph& g = unlooped.graph;
  const Tensor degree = aggregate(g, weight, Aggregation::kSum, Side::kSource);
  Tensor diagonal = ones({g.num_nodes()}, weight.dtype());
  switch (options.normalization) {
    case Normalization::kNone:
      diagonal = degree;
      break;
    case Normalization::kSym: {
      const Tensor scale = inverse(degree, true);
      weight = at_sources(g, scale) * weight * at_targets(g, scale);
      break;
    }
    case Normalization::kRw:
      weight = at_sources(g, inverse(degree, false)) * weight;
      break;
  }
  const Tensor laplacian = concat({-weight, diagonal});
  const Tensor largest =
      options.lambda_max > 0 ? full({}, options.lambda_max, weight.dtype()) : 2 * max(laplacian);
  const Tensor scaled = 2 * laplacian / largest;
  return {looped.graph, concat({slice(scaled, 0, {0, g.num_edges()}),
                                slice(scaled, 0, {g.num_edges(), Slice::kNone}) - 1})};
}

}  // namespace

Tensor ChebConv::forward(const Features& x, const Graph& graph, const Tensor& edge,
                         const Where& where) const {
  require_channels("ChebConv", x.channels(), lins[0].weight.shape()[1], where);
  Tensor out = applied(lins[0], x, where);
  if (lins.size() > 1 && graph.num_nodes(where) > 0) {
    const WeightedGraph by = scaled_laplacian(graph, edge, options, x.dtype(), where);
    const auto step = [&](const Tensor& t) {
      return propagate(by.graph, t, Aggregation::kSum, by.edge_weight, where);
    };
    Tensor before = x.sources(), now = step(before);
    out = out + lins[1](now, where);
    for (size_t k = 2; k < lins.size(); ++k) {
      const Tensor next = 2 * step(now) - before;
      out = out + lins[k](next, where);
      before = now;
      now = next;
    }
  }
  return added(out, bias);
}

// ---- APPNP --------------------------------------------------------------------------------------

APPNP::APPNP(int64_t K, double alpha, double dropout, const GCNOptions& options)
    : K(K), alpha(alpha), dropout(dropout), options(options) {
  if (K < 0 || !(alpha >= 0 && alpha <= 1) || !(dropout >= 0 && dropout < 1))
    throw ValueError("APPNP: K " + std::to_string(K) + ", alpha " + std::to_string(alpha) +
                     ", dropout " + std::to_string(dropout));
}

Tensor APPNP::forward(const Features& x, const Graph& graph, const Tensor& edge,
                      const Where& where) const {
  WeightedGraph by{graph, edge};
  if (options.normalize) by = gcn_norm(graph, edge, options, x.dtype(), where);
  const Tensor start = x.sources();
  Tensor z = start;
  for (int64_t k = 0; k < K; ++k) {
    Tensor weight = by.edge_weight;
    if (dropout > 0 && is_training())
      weight = glia::dropout(weight.defined() ? weight : edge_ones(by.graph, x.dtype()), dropout);
    z = (1 - alpha) * propagate(by.graph, z, Aggregation::kSum, weight, where) + alpha * start;
  }
  return z;
}

}  // namespace glia::graphs
