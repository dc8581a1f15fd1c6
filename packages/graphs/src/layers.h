// What layers share.
#pragma once

#include <string>

#include "glia/graphs/conv.h"

namespace glia::graphs {

// A linear layer with Glorot's weights.
nn::Linear glorot_linear(int64_t in, int64_t out, bool bias = false);
// Uniform in +-sqrt(6 / (rows + columns)) of the last two axes.
Parameter glorot(const Shape& shape);
// Zeros, or undefined.
Parameter zero_bias(int64_t size, bool given);

inline Tensor added(const Tensor& x, const Parameter& bias) {
  return bias.defined() ? x + bias.tensor() : x;
}
inline Tensor applied(const nn::Linear& lin, const Features& x, const Where& where) {
  return x.linear(lin.weight, lin.bias, where);
}

// What is given of the edges, (E) or (E, D); fails naming the layer unless there is a row of each.
void require_edges(const char* layer, const Tensor& edge, const Graph& graph, const Where& where);
// (E, D): a number of each edge is a column.
Tensor as_columns(const Tensor& edge);
// Fails naming the layer for another number of features.
void require_channels(const char* layer, int64_t given, int64_t wanted, const Where& where);

}  // namespace glia::graphs
