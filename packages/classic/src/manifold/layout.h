// UMAP's layout: attraction along the edges of a graph, repulsion of samples drawn at random.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/tensor.h"
#include "graph.h"

namespace glia::classic {

struct LayoutOptions {
  int64_t epochs = 0;
  double a = 0, b = 0;  // of 1 / (1 + a d^2b)
  double learning_rate = 1, repulsion = 1;
  int64_t negatives = 5;  // repulsions of each attraction
  uint64_t seed = 0;
};
// Moves places y (n, d) by stochastic gradients of the cross entropy, an edge in so many of the
// epochs as its weight has of the largest one; those of the other end stay where `others` (m, d) is
// given, which rows of the graph then point at.
void lay_out(std::vector<float>& y, int64_t d, const Graph& graph, const LayoutOptions& options,
             const std::vector<float>* others = nullptr);

// The first eigenvectors of a graph that is symmetric, after the constant one, of each of its
// connected parts, which are placed apart from each other: (n, d). `x` (n, features) says, of more
// than 2 d parts, which are near.
Tensor spectral_places(const Graph& graph, const Tensor& x, int64_t d, uint64_t seed);

}  // namespace glia::classic
