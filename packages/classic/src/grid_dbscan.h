// DBSCAN for few features: a grid whose cells lie within eps (Gunawan 2013; Gan & Tao 2015).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace glia::classic {

struct DensityLabels {
  std::vector<int64_t> labels;  // -1: noise
  std::vector<bool> core;
};

// Of X (n, d) by Euclidean distance; `weight` may be null. Nothing where there are too many
// features or cells for a grid.
std::optional<DensityLabels> grid_dbscan(const double* x, int64_t n, int64_t d, double eps,
                                         double min_samples, const double* weight);

}  // namespace glia::classic
