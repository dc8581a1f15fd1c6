// Three operations and their transposes, which are their gradients: values of nodes to edges, sums
// of edges at nodes, and both at once with weights, whose own gradient is the product of both ends.
#include "glia/graphs/message.h"

#include <algorithm>

#include "glia/op.h"
#include "glia/ops.h"
#include "kernels.h"

namespace glia::graphs {
namespace {

// Input 0 of each op is the graph's packed numbers.
struct MessageAttributes {
  int64_t sources = 0, targets = 0, edges = 0, heads = 1;
  Side side = Side::kTarget;  // of the nodes that are read or written; see each op
  GLIA_ATTRIBUTES(sources, targets, edges, heads, side)

  int64_t nodes(Side which) const { return which == Side::kSource ? sources : targets; }
};
MessageAttributes attributes_of(const Graph& g, Side side, int64_t heads = 1) {
  return {g.num_sources(), g.num_targets(), g.num_edges(), heads, side};
}
Side other(Side side) { return side == Side::kSource ? Side::kTarget : Side::kSource; }

// Where the parts of the packed numbers begin, as Graph has them.
struct Numbers {
  const int32_t *ptr, *node, *edge;  // by the nodes of one side
};
Numbers sorted(const KernelCall& call, const MessageAttributes& a, Side side) {
  const auto* ptr = call.in[0].as<const int32_t>();
  if (side == Side::kSource) ptr += a.targets + 1 + 2 * a.edges;
  const int32_t* node = ptr + a.nodes(side) + 1;
  return {ptr, node, node + a.edges};
}
const int32_t* ends(const KernelCall& call, const MessageAttributes& a, Side side) {
  return call.in[0].as<const int32_t>() + a.sources + a.targets + 2 + 4 * a.edges +
         (side == Side::kTarget ? a.edges : 0);
}

constexpr int64_t kWork = 1 << 15;  // about so many numbers are worth a piece of their own

// f(first, last) for rows in pieces of about equal work, cut by the edges before them.
template <class F>
void for_rows(const int32_t* ptr, int64_t rows, int64_t width, F f) {
  const auto work = [&](int64_t row) { return (ptr[row] + row) * std::max<int64_t>(width, 1); };
  const int64_t pieces = std::max<int64_t>(work(rows) / kWork, 1);
  const auto row_at = [&](int64_t piece) {
    const int64_t wanted = work(rows) / pieces * piece;
    int64_t low = 0, high = rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      (work(middle) < wanted ? low : high) = work(middle) < wanted ? middle + 1 : middle;
    }
    return low;
  };
  parallel_for(pieces, [&](int64_t piece) {
    f(row_at(piece), piece + 1 == pieces ? rows : row_at(piece + 1));
  });
}
template <class F>
void for_edges(int64_t edges, int64_t width, F f) {
  const int64_t step = std::max<int64_t>(kWork / std::max<int64_t>(width, 1), 1);
  parallel_for((edges + step - 1) / step,
               [&](int64_t piece) { f(piece * step, std::min((piece + 1) * step, edges)); });
}

template <class F>
void with_type(DType dtype, F f) {
  dtype == kF64 ? f(double()) : f(float());
}

int64_t width_of(const Array& rows) { return rows.layout.shape[1]; }

// ---- graphs_gather(numbers, x (nodes, D)) -> (E, D): x at that side of each edge ----

void run_gather(const KernelCall& call) {
  const auto a = call.attributes<MessageAttributes>();
  with_type(call.out[0].dtype, [&]<class T>(T) {
    const kernels::Copies<T> copies{ends(call, a, a.side), call.in[1].as<const T>(),
                                    call.out[0].as<T>(), width_of(call.out[0])};
    for_edges(a.edges, copies.width,
              [&](int64_t first, int64_t last) { kernels::copy_rows(copies, first, last); });
  });
}

// ---- graphs_sum(numbers, m (E, D)) -> (nodes of that side, D), and graphs_max ----

template <class F>
void run_reduction(const KernelCall& call, F&& reduce) {
  const auto a = call.attributes<MessageAttributes>();
  const Numbers at = sorted(call, a, a.side);
  with_type(call.out[0].dtype, [&]<class T>(T) {
    const kernels::Gathering<T> all{at.ptr,
                                    at.edge,
                                    nullptr,
                                    call.in[1].as<const T>(),
                                    nullptr,
                                    call.out[0].as<T>(),
                                    width_of(call.out[0]),
                                    1};
    for_rows(at.ptr, a.nodes(a.side), all.width,
             [&](int64_t first, int64_t last) { reduce(all, first, last); });
  });
}
void run_sum(const KernelCall& call) {
  run_reduction(call, [](const auto& all, int64_t first, int64_t last) {
    kernels::sum_rows(all, first, last);
  });
}
void run_max(const KernelCall& call) {
  run_reduction(call, [](const auto& all, int64_t first, int64_t last) {
    kernels::max_rows(all, first, last);
  });
}

// ---- graphs_propagate(numbers, x (nodes of the other side, H C), weights (E, H) if any) -> (nodes
// of that side, H C) ----

void run_propagate(const KernelCall& call) {
  const auto a = call.attributes<MessageAttributes>();
  const Numbers at = sorted(call, a, a.side);
  with_type(call.out[0].dtype, [&]<class T>(T) {
    const kernels::Gathering<T> all{at.ptr,
                                    at.node,
                                    at.edge,
                                    call.in[1].as<const T>(),
                                    call.in.size() > 2 ? call.in[2].as<const T>() : nullptr,
                                    call.out[0].as<T>(),
                                    width_of(call.out[0]),
                                    a.heads};
    for_rows(at.ptr, a.nodes(a.side), all.width,
             [&](int64_t first, int64_t last) { kernels::sum_rows(all, first, last); });
  });
}
Work work_of_propagate(const KernelCall& call) {
  const auto a = call.attributes<MessageAttributes>();
  Work work = traffic(call);
  work.flops = 2.0 * static_cast<double>(a.edges) * static_cast<double>(width_of(call.out[0]));
  return work;
}

// ---- graphs_dot(numbers, at targets (T, H C), at sources (S, H C)) -> (E, H) ----

void run_dot(const KernelCall& call) {
  const auto a = call.attributes<MessageAttributes>();
  with_type(call.out[0].dtype, [&]<class T>(T) {
    const kernels::Products<T> products{ends(call, a, Side::kTarget),
                                        ends(call, a, Side::kSource),
                                        call.in[1].as<const T>(),
                                        call.in[2].as<const T>(),
                                        call.out[0].as<T>(),
                                        width_of(call.in[1]),
                                        a.heads};
    for_edges(a.edges, products.width,
              [&](int64_t first, int64_t last) { kernels::dot_rows(products, first, last); });
  });
}

// ---- Recording and gradients ----

extern const Op kGather, kSum, kMax, kPropagate, kDot;

Tensor record_gather(const Tensor& numbers, const Tensor& x, const MessageAttributes& a,
                     const Where& where) {
  return record(kGather, {numbers.node(), x.node()}, {a.edges, x.shape()[1]}, x.dtype(), a, where);
}
Tensor record_reduction(const Op& op, const Tensor& numbers, const Tensor& m,
                        const MessageAttributes& a, const Where& where) {
  return record(op, {numbers.node(), m.node()}, {a.nodes(a.side), m.shape()[1]}, m.dtype(), a,
                where);
}
Tensor record_propagate(const Tensor& numbers, const Tensor& x, const Tensor& weights,
                        const MessageAttributes& a, const Where& where) {
  const Shape shape{a.nodes(a.side), x.shape()[1]};
  if (!weights.defined())
    return record(kPropagate, {numbers.node(), x.node()}, shape, x.dtype(), a, where);
  return record(kPropagate, {numbers.node(), x.node(), weights.node()}, shape, x.dtype(), a, where);
}
Tensor record_dot(const Tensor& numbers, const Tensor& targets, const Tensor& sources,
                  const MessageAttributes& a, const Where& where) {
  return record(kDot, {numbers.node(), targets.node(), sources.node()}, {a.edges, a.heads},
                targets.dtype(), a, where);
}

void vjp_gather(Vjp& v) {
  v.set(1, record_reduction(kSum, v.in(0), v.g(), v.attributes<MessageAttributes>(), v.where()));
}
void vjp_sum(Vjp& v) {
  v.set(1, record_gather(v.in(0), v.g(), v.attributes<MessageAttributes>(), v.where()));
}
// Equal extremes share.
void vjp_max(Vjp& v) {
  const auto a = v.attributes<MessageAttributes>();
  const Tensor numbers = v.in(0);
  const auto here = [&](const Tensor& nodes) {
    return record_gather(numbers, nodes, a, v.where());
  };
  const Tensor most = cast(v.in(1) == here(v.out()), v.dtype());
  const Tensor count = record_reduction(kSum, numbers, stop_gradient(most), a, v.where());
  v.set(1, most * here(v.g() / maximum(count, 1)));
}
void vjp_propagate(Vjp& v) {
  auto a = v.attributes<MessageAttributes>();
  const bool weighted = v.inputs() > 2;
  const Side side = a.side;
  if (weighted && v.needs(2))
    v.set(2, side == Side::kTarget ? record_dot(v.in(0), v.g(), v.in(1), a, v.where())
                                   : record_dot(v.in(0), v.in(1), v.g(), a, v.where()));
  a.side = other(side);
  if (v.needs(1))
    v.set(1, record_propagate(v.in(0), v.g(), weighted ? v.in(2) : Tensor(), a, v.where()));
}
void vjp_dot(Vjp& v) {
  auto a = v.attributes<MessageAttributes>();
  a.side = Side::kTarget;
  if (v.needs(1)) v.set(1, record_propagate(v.in(0), v.in(2), v.g(), a, v.where()));
  a.side = Side::kSource;
  if (v.needs(2)) v.set(2, record_propagate(v.in(0), v.in(1), v.g(), a, v.where()));
}

const Op kGather{.name = "graphs_gather",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<MessageAttributes>,
                 .vjp = vjp_gather,
                 .run = run_gather};
const Op kSum{.name = "graphs_sum",
              .kind = Kind::kKernel,
              .attributes = kAttributeFields<MessageAttributes>,
              .vjp = vjp_sum,
              .run = run_sum};
const Op kMax{.name = "graphs_max",
              .kind = Kind::kKernel,
              .attributes = kAttributeFields<MessageAttributes>,
              .vjp = vjp_max,
              .run = run_max};
const Op kPropagate{.name = "graphs_propagate",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<MessageAttributes>,
                    .vjp = vjp_propagate,
                    .run = run_propagate,
                    .work = work_of_propagate};
const Op kDot{.name = "graphs_dot",
              .kind = Kind::kKernel,
              .attributes = kAttributeFields<MessageAttributes>,
              .vjp = vjp_dot,
              .run = run_dot};

// ---- graphs_softmax(numbers, scores (E, H)): over the edges of each node of that side ----

Tensor sums_at_ends(const Tensor& numbers, const Tensor& m, const MessageAttributes& a,
                    const Where& where) {
  return record_gather(numbers, record_reduction(kSum, numbers, m, a, where), a, where);
}
std::vector<Tensor> compose_softmax(const Recorded& one, std::span<const Tensor> in) {
  const auto a = one.attributes<MessageAttributes>();
  const Tensor most = record_reduction(kMax, in[0], stop_gradient(in[1]), a, one.where());
  const Tensor e = exp(in[1] - stop_gradient(record_gather(in[0], most, a, one.where())));
  return {e / sums_at_ends(in[0], e, a, one.where())};
}
void vjp_softmax(Vjp& v) {
  const Tensor y = v.out(), weighted = y * v.g();
  v.set(1, weighted -
               y * sums_at_ends(v.in(0), weighted, v.attributes<MessageAttributes>(), v.where()));
}
const Op kSoftmax{.name = "graphs_softmax",
                  .kind = Kind::kMacro,
                  .attributes = kAttributeFields<MessageAttributes>,
                  .vjp = vjp_softmax,
                  .compose = compose_softmax};

const RegisterOp registered[] = {RegisterOp(kGather),    RegisterOp(kSum), RegisterOp(kMax),
                                 RegisterOp(kPropagate), RegisterOp(kDot), RegisterOp(kSoftmax)};

// ---- Checks -------------------------------------------------------------------------------------

// (count, ...) as f32 or f64 (count, D).
Tensor as_rows(const char* op, const char* what, const Tensor& x, int64_t count,
               const Where& where) {
  require_defined(op, x, where);
  if (x.rank() < 1 || x.size(0) != count || !is_float(x.dtype()))
    fail(op,
         std::string(what) + " are floats (" + std::to_string(count) + ", ...), not " +
             name(x.dtype()) + " " + x.shape().str(),
         where);
  int64_t width = 1;
  for (int axis = 1; axis < x.rank(); ++axis) width *= x.size(axis);
  const Tensor rows = x.rank() == 2 ? x : reshape(x, {count, width}, where);
  return x.dtype() == kF64 ? rows : cast({rows, where}, kF32);
}
// Back to the shape and dtype that x has, with another number of rows.
Tensor like(const Tensor& x, const Tensor& rows, int64_t count, const Where& where) {
  Shape shape = x.shape();
  shape[0] = count;
  const Tensor out = cast({rows, where}, x.dtype());
  return x.rank() == 2 ? out : reshape(out, shape, where);
}

Tensor at_ends(const Graph& graph, const Tensor& x, Side side, const char* op, const Where& where) {
  const MessageAttributes a = attributes_of(graph, side);
  const Tensor rows = as_rows(op, "values of nodes", x, a.nodes(side), where);
  return like(x, record_gather(graph.packed(), rows, a, where), a.edges, where);
}

// How many edges each node of a side has, at least 1: (nodes, 1).
Tensor counts(const Graph& graph, Side side, DType dtype) {
  return cast(maximum(unsqueeze(graph.degree(side), 1), 1), dtype);
}

Tensor aggregated(const Graph& graph, const Tensor& m, Aggregation how, Side side,
                  const Where& where) {
  const MessageAttributes a = attributes_of(graph, side);
  const Tensor& numbers = graph.packed();
  switch (how) {
    case Aggregation::kSum:
      return record_reduction(kSum, numbers, m, a, where);
    case Aggregation::kMean:
      return record_reduction(kSum, numbers, m, a, where) / counts(graph, side, m.dtype());
    case Aggregation::kMax:
      return record_reduction(kMax, numbers, m, a, where);
    case Aggregation::kMin:
      return -record_reduction(kMax, numbers, -m, a, where);
    case Aggregation::kVar:
    case Aggregation::kStd:
      break;
  }
  const auto mean = [&](const Tensor& t) {
    return aggregated(graph, t, Aggregation::kMean, side, where);
  };
  const Tensor variance = mean(square(m)) - square(mean(m));
  if (how == Aggregation::kVar) return variance;
  const Tensor small = variance <= 1e-5;
  return glia::where(small, 0, sqrt(glia::where(small, 1, variance)));
}

}  // namespace

Aggregation aggregation_named(std::string_view name) {
  constexpr std::pair<std::string_view, Aggregation> kNames[] = {
      {"sum", Aggregation::kSum}, {"add", Aggregation::kSum}, {"mean", Aggregation::kMean},
      {"max", Aggregation::kMax}, {"min", Aggregation::kMin}, {"var", Aggregation::kVar},
      {"std", Aggregation::kStd}};
  for (const auto& [known, how] : kNames)
    if (known == name) return how;
  throw ValueError("there is no aggregation \"" + std::string(name) +
                   "\"; there are sum, mean, max, min, var and std");
}

Tensor at_sources(const Graph& graph, const Tensor& x, Where where) {
  return at_ends(graph, x, Side::kSource, "at_sources", where);
}
Tensor at_targets(const Graph& graph, const Tensor& x, Where where) {
  return at_ends(graph, x, Side::kTarget, "at_targets", where);
}

Tensor aggregate(const Graph& graph, const Tensor& messages, Aggregation how, Side side,
                 Where where) {
  Tensor m = as_rows("aggregate", "messages", messages, graph.num_edges(), where);
  if (graph.edge_mask().defined() && side == Side::kTarget)
    m = m * unsqueeze(cast(graph.edge_mask(), m.dtype()), 1);
  const int64_t nodes = side == Side::kSource ? graph.num_sources() : graph.num_targets();
  return like(messages, aggregated(graph, m, how, side, where), nodes, where);
}

Tensor propagate(const Graph& graph, const Tensor& x, Aggregation how, const Tensor& edge_weight,
                 Where where) {
  constexpr const char* kName = "propagate";
  Tensor rows = as_rows(kName, "values of nodes", x, graph.num_sources(), where), weights;
  int64_t heads = 1;
  const Tensor& mask = graph.edge_mask();
  if (edge_weight.defined() || mask.defined()) {
    weights = as_rows(kName, "weights of edges", edge_weight.defined() ? edge_weight : mask,
                      graph.num_edges(), where);
    if (edge_weight.defined() && mask.defined())
      weights = weights * unsqueeze(cast(mask, weights.dtype()), 1);
    heads = weights.size(1);
    if (heads < 1 || rows.size(1) % heads != 0)
      fail(kName,
           "weights " + weights.shape().str() + " do not divide the features of " + x.shape().str(),
           where);
    const DType dtype = rows.dtype() == kF64 || weights.dtype() == kF64 ? kF64 : kF32;
    rows = cast(rows, dtype);
    weights = cast(weights, dtype);
  }
  const int64_t nodes = graph.num_targets();
  if (how == Aggregation::kSum || how == Aggregation::kMean) {
    Tensor out = record_propagate(graph.packed(), rows, weights,
                                  attributes_of(graph, Side::kTarget, heads), where);
    if (how == Aggregation::kMean) out = out / counts(graph, Side::kTarget, out.dtype());
    return like(x, out, nodes, where);
  }
  Tensor m = record_gather(graph.packed(), rows, attributes_of(graph, Side::kSource), where);
  if (weights.defined()) {
    const Shape flat = m.shape();
    m = reshape(reshape(m, {flat[0], heads, flat[1] / heads}) * unsqueeze(weights, 2), flat);
  }
  return like(x, aggregated(graph, m, how, Side::kTarget, where), nodes, where);
}

Tensor edge_dot(const Graph& graph, const Tensor& targets, const Tensor& sources, int64_t heads,
                Where where) {
  const Tensor a = as_rows("edge_dot", "values of targets", targets, graph.num_targets(), where);
  const Tensor b = as_rows("edge_dot", "values of sources", sources, graph.num_sources(), where);
  if (a.size(1) != b.size(1) || a.dtype() != b.dtype() || heads < 1 || a.size(1) % heads != 0)
    fail("edge_dot",
         targets.shape().str() + " and " + sources.shape().str() + " are no " +
             std::to_string(heads) + " heads of features of one dtype",
         where);
  return record_dot(graph.packed(), a, b, attributes_of(graph, Side::kTarget, heads), where);
}

Tensor edge_softmax(const Graph& graph, const Tensor& scores, Where where) {
  const Tensor rows = as_rows("edge_softmax", "scores", scores, graph.num_edges(), where);
  const Tensor out = record(kSoftmax, {graph.packed().node(), rows.node()}, rows.shape(),
                            rows.dtype(), attributes_of(graph, Side::kTarget), where);
  return like(scores, out, graph.num_edges(), where);
}

}  // namespace glia::graphs
