// The forces between points of a map, by t-SNE's heavy-tailed kernel w = (1 + d^2 / v)^-(v + 1)/2
// with v = max(dimensions - 1, 1) degrees of freedom.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "graph.h"

namespace glia::classic {

// Forces on all points y (n, d). The gradient of KL(P, Q) is 2 (v + 1) / v times
// exaggeration * attraction - repulsion / total.
class Forces {
 public:
  virtual ~Forces() = default;
  // attraction_i = sum_j p_ij q_ij (y_i - y_j), repulsion_i = sum_j w_ij q_ij (y_i - y_j) with
  // q = (1 + d^2 / v)^-1; gives the total of all w_ij, i != j.
  virtual double compute(const std::vector<double>& y, std::vector<double>& attraction,
                         std::vector<double>& repulsion) = 0;
  // KL(P, Q) of the points that compute() had.
  virtual double divergence(const std::vector<double>& y, double total) const = 0;
};

// P dense, (n, n), symmetric, of sum 1 and 0 on its diagonal; all pairs, in f64.
std::unique_ptr<Forces> exact_forces(std::vector<double> p, int64_t n, int64_t d);
// P sparse; repulsion by cells (Barnes & Hut 1986) in f32, d from 1 to 3.
std::unique_ptr<Forces> barnes_hut_forces(const Graph& p, int64_t d, double angle);

}  // namespace glia::classic
