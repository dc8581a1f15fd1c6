// GAT and GATv2.
#include "glia/error.h"
#include "glia/ops.h"
#include "layers.h"

namespace glia::graphs {
namespace {

void check(const char* layer, int64_t in, int64_t out, const GATOptions& o) {
  if (in < 1 || out < 1 || o.heads < 1 || !(o.dropout >= 0 && o.dropout < 1))
    throw ValueError(std::string(layer) + ": " + std::to_string(in) + " to " + std::to_string(out) +
                     " channels, " + std::to_string(o.heads) + " heads, dropout " +
                     std::to_string(o.dropout));
}
int64_t width(int64_t out, const GATOptions& o) { return o.concat ? o.heads * out : out; }
int64_t targets_of(int64_t in, const GATOptions& o) {
  return o.in_channels_target > 0 ? o.in_channels_target : in;
}

// The graph with a loop at each node, and what is known of its edges: a loop has the mean of what
// arrives at its node.
std::pair<Graph, Tensor> looped(const char* layer, const Graph& graph, const Tensor& edge,
                                const GATOptions& o, const Where& where) {
  Tensor e;
  if (o.edge_dim > 0) {
    require_edges(layer, edge, graph, where);
    e = as_columns(edge);
  }
  if (!o.add_self_loops) return {graph, e};
  const LoopedEdges all = replace_self_loops(graph);
  if (e.defined()) {
    if (graph.has_self_loops()) e = take(e, all.kept);
    Tensor loops =
        aggregate(remove_self_loops(graph.with_edge_mask({})).graph, e, Aggregation::kMean);
    const int64_t count = all.loops.numel();
    if (count < loops.size(0)) loops = slice(loops, 0, {0, count});
    e = concat({e, loops});
  }
  return {all.graph, e};
}

Tensor by_heads(const Tensor& x, int64_t heads) {
  return reshape(x, {x.size(0), heads, x.size(1) / heads});
}

// Weighs what the sources have by the softmax of the scores.
AttentionResult attended(const Graph& graph, const Tensor& sources, const Tensor& scores,
                         const GATOptions& o, bool training, const Where& where) {
  Tensor alpha = edge_softmax(graph, scores, where);
  if (o.dropout > 0 && training) alpha = dropout(alpha, o.dropout, where);
  Tensor out = propagate(graph, sources, Aggregation::kSum, alpha, where);
  if (!o.concat) out = mean(by_heads(out, o.heads), {1});
  return {out, graph, alpha};
}

std::optional<nn::Linear> maybe(bool given, int64_t in, int64_t out) {
  if (!given) return std::nullopt;
  return glorot_linear(in, out);
}

}  // namespace

// ---- GATConv ------------------------------------------------------------------------------------

GATConv::GATConv(int64_t in, int64_t out, const GATOptions& options)
    : out_channels(out), options(options) {
  const GATOptions& o = options;
  check("GATConv", in, out, o);
  if (o.in_channels_target > 0) {
    lin_src = glorot_linear(in, o.heads * out);
    lin_dst = glorot_linear(o.in_channels_target, o.heads * out);
  } else {
    lin = glorot_linear(in, o.heads * out);
  }
  att_src = glorot({1, o.heads, out});
  att_dst = glorot({1, o.heads, out});
  lin_edge = maybe(o.edge_dim > 0, o.edge_dim, o.heads * out);
  if (o.edge_dim > 0) att_edge = glorot({1, o.heads, out});
  res = maybe(o.residual, targets_of(in, o), width(out, o));
  bias = zero_bias(width(out, o), o.bias);
}

AttentionResult GATConv::attend(const Features& x, const Graph& graph, const Tensor& edge,
                                Where where) const {
  const GATOptions& o = options;
  const auto [g, e] = looped("GATConv", graph, edge, o, where);
  const nn::Linear& from = lin ? *lin : *lin_src;
  require_channels("GATConv", x.channels(), from.weight.shape()[1], where);
  const Tensor sources = applied(from, x, where);
  const Tensor targets = lin && !x.is_pair()
                             ? sources
                             : x.linear_targets(lin ? lin->weight : lin_dst->weight, {}, where);
  // Of each head the product with its vector.
  const auto part = [&](const Tensor& h, const Parameter& att) {
    return sum(by_heads(h, o.heads) * att.tensor(), {-1});
  };
  Tensor scores =
      at_sources(g, part(sources, att_src), where) + at_targets(g, part(targets, att_dst), where);
  if (lin_edge) scores = scores + part((*lin_edge)(e, where), att_edge);
  AttentionResult out =
      attended(g, sources, leaky_relu(scores, o.negative_slope), o, is_training(), where);
  if (res) out.out = out.out + x.linear_targets(res->weight, {}, where);
  out.out = added(out.out, bias);
  return out;
}

// ---- GATv2Conv ----------------------------------------------------------------------------------

GATv2Conv::GATv2Conv(int64_t in, int64_t out, const GATOptions& options)
    : out_channels(out),
      options(options),
      lin_l(glorot_linear(in, std::max<int64_t>(options.heads, 1) * out, options.bias)) {
  const GATOptions& o = options;
  check("GATv2Conv", in, out, o);
  if (!o.share_weights) lin_r = glorot_linear(targets_of(in, o), o.heads * out, o.bias);
  att = glorot({1, o.heads, out});
  lin_edge = maybe(o.edge_dim > 0, o.edge_dim, o.heads * out);
  res = maybe(o.residual, targets_of(in, o), width(out, o));
  bias = zero_bias(width(out, o), o.bias);
}

AttentionResult GATv2Conv::attend(const Features& x, const Graph& graph, const Tensor& edge,
                                  Where where) const {
  const GATOptions& o = options;
  const auto [g, e] = looped("GATv2Conv", graph, edge, o, where);
  require_channels("GATv2Conv", x.channels(), lin_l.weight.shape()[1], where);
  const Tensor sources = applied(lin_l, x, where);
  const nn::Linear& right = lin_r ? *lin_r : lin_l;
  const Tensor targets =
      lin_r || x.is_pair() ? x.linear_targets(right.weight, right.bias, where) : sources;
  Tensor both = at_sources(g, sources, where) + at_targets(g, targets, where);
  if (lin_edge) both = both + (*lin_edge)(e, where);
  const Tensor scores =
      sum(by_heads(leaky_relu(both, o.negative_slope), o.heads) * att.tensor(), {-1});
  AttentionResult out = attended(g, sources, scores, o, is_training(), where);
  if (res) out.out = out.out + x.linear_targets(res->weight, {}, where);
  out.out = added(out.out, bias);
  return out;
}

}  // namespace glia::graphs
