// Message passing (Gilmer et al. 2017): values of nodes go along edges, and each node takes the
// sum, the mean, ... of what arrives. A layer of one's own is a function of these:
//
//   Tensor m = relu(at_sources(graph, x) + edge_attr);   // a message of each edge, (E, F)
//   Tensor out = aggregate(graph, m, Aggregation::kMean);  // (N, F)
//
// Values of edges stand in the order of Graph::edge_index(). All are differentiable any number of
// times, sum in a fixed order whatever the threads, and give zeros where nothing arrives. 16-bit
// floats are summed in f32. Each throws ShapeError for tensors that are no floats or do not fit.
#pragma once

#include <string_view>

#include "glia/graphs/graph.h"

namespace glia::graphs {

enum class Aggregation { kSum, kMean, kMax, kMin, kVar, kStd };
// PyTorch Geometric's names: "sum" or "add", "mean", "max", "min", "var", "std". Throws ValueError.
Aggregation aggregation_named(std::string_view name);

// Of each edge the value of its source, or of its target: x (nodes, ...) -> (E, ...). PyTorch
// Geometric's x_j and x_i.
Tensor at_sources(const Graph& graph, const Tensor& x, Where where = Where::current());
Tensor at_targets(const Graph& graph, const Tensor& x, Where where = Where::current());

// Of messages (E, ...) what arrives at each target -> (targets, ...); or at each source. Of equal
// extremes all get the same share of the gradient. kVar is mean(m^2) - mean(m)^2, and kStd its
// root, 0 with a gradient of 0 where the variance is at most 1e-5.
Tensor aggregate(const Graph& graph, const Tensor& messages, Aggregation how = Aggregation::kSum,
                 Side side = Side::kTarget, Where where = Where::current());

// aggregate(at_sources(x) * edge_weight), without making the messages for sums and means: x
// (sources, ...) -> (targets, ...). edge_weight is undefined, (E), or (E, H) for H heads, each of
// which weighs its part of the features: x (sources, H C) or (sources, H, C).
Tensor propagate(const Graph& graph, const Tensor& x, Aggregation how = Aggregation::kSum,
                 const Tensor& edge_weight = {}, Where where = Where::current());

// Of each edge the product of its target's features with its source's: targets (T, H C), sources
// (S, H C) -> (E, H).
Tensor edge_dot(const Graph& graph, const Tensor& targets, const Tensor& sources, int64_t heads = 1,
                Where where = Where::current());

// Softmax over the edges that arrive at one target, in each column: scores (E) or (E, H).
Tensor edge_softmax(const Graph& graph, const Tensor& scores, Where where = Where::current());

}  // namespace glia::graphs
