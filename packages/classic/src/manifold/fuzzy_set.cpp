#include "manifold/fuzzy_set.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/parallel.h"

namespace glia::classic {
namespace {

constexpr double kTolerance = 1e-5;
constexpr double kLeastScale = 1e-3;  // of the mean distance

// The distance to the sample's `connectivity`-th neighbour that is not at its own place, between
// two of them where that is no whole number.
double sure_distance(const double* d, int64_t k, double connectivity) {
  std::vector<double> apart;
  for (int64_t j = 0; j < k; ++j)
    if (d[j] > 0) apart.push_back(d[j]);
  if (static_cast<double>(apart.size()) < connectivity)
    return apart.empty() ? 0 : *std::max_element(apart.begin(), apart.end());
  const auto at = static_cast<size_t>(connectivity);
  const double between = connectivity - std::floor(connectivity);
  if (at == 0) return apart.empty() ? 0 : between * apart[0];
  const double rho = apart[at - 1];
  return between > kTolerance && at < apart.size() ? rho + between * (apart[at] - rho) : rho;
}

double fall_off(const double* d, int64_t k, double rho) {
  const double wanted = std::log2(static_cast<double>(k));
  double low = 0, high = std::numeric_limits<double>::infinity(), middle = 1;
  for (int step = 0; step < 64; ++step) {
    double sum = 0;
    for (int64_t j = 1; j < k; ++j) sum += d[j] > rho ? std::exp(-(d[j] - rho) / middle) : 1;
    if (std::abs(sum - wanted) < kTolerance) break;
    if (sum > wanted) {
      high = middle;
      middle = (low + high) / 2;
    } else {
      low = middle;
      middle = std::isinf(high) ? middle * 2 : (low + high) / 2;
    }
  }
  return middle;
}

double mean_of(const double* d, int64_t count) {
  return std::accumulate(d, d + count, 0.0) / static_cast<double>(count);
}

}  // namespace

LocalScale local_scale(const double* distances, int64_t rows, int64_t k,
                       double local_connectivity) {
  LocalScale out{std::vector<double>(static_cast<size_t>(rows)),
                 std::vector<double>(static_cast<size_t>(rows))};
  const double mean = mean_of(distances, rows * k);
  parallel_for(rows, [&](int64_t i) {
    const double* d = distances + i * k;
    out.rho[i] = sure_distance(d, k, local_connectivity);
    out.sigma[i] =
        std::max(fall_off(d, k, out.rho[i]), kLeastScale * (out.rho[i] > 0 ? mean_of(d, k) : mean));
  });
  return out;
}

std::vector<double> memberships(const KNeighbors& near, double local_connectivity, bool self) {
  const int64_t rows = near.indices.size(0), k = near.indices.size(1);
  const double* distances = near.distances.data<double>().data();
  const auto indices = near.indices.data<int64_t>();
  const LocalScale scale = local_scale(distances, rows, k, local_connectivity);
  std::vector<double> out(static_cast<size_t>(rows * k));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < k; ++j) {
      if (self && indices[i * k + j] == i) continue;
      const double beyond = distances[i * k + j] - scale.rho[i];
      out[i * k + j] = beyond <= 0 || scale.sigma[i] == 0 ? 1 : std::exp(-beyond / scale.sigma[i]);
    }
  return out;
}

Graph fuzzy_set(const KNeighbors& near, double local_connectivity, double mix, Where where) {
  return Graph::of_neighbors(near.indices, memberships(near, local_connectivity, true), where)
      .united([&](double a, double b) { return mix * (a + b - a * b) + (1 - mix) * a * b; })
      .at_least(0);
}

}  // namespace glia::classic
