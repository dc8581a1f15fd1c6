#include <algorithm>

#include "checks.h"
#include "glia/classic/manifold.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "manifold/places.h"
#include "neighbor_index.h"

namespace glia::classic {

double trustworthiness(const Tensor& x, const Tensor& embedding, int64_t n_neighbors, Metric metric,
                       Where where) {
  const NoGrad no_grad;
  const char* op = "trustworthiness";
  const Tensor given = check_map_x(op, x, metric, where);
  const Tensor map = cast(check_x("trustworthiness: embedding", embedding, where), kF64);
  const int64_t n = given.size(0), d = given.size(1), k = n_neighbors;
  if (map.size(0) != n)
    throw ShapeError(
        std::string(op) + ": embedding " + map.shape().str() + " of X " + given.shape().str(),
        where);
  if (k < 1 || 2 * k >= n)
    throw ValueError(std::string(op) + ": n_neighbors = " + std::to_string(k) + " of " +
                         std::to_string(n) + " samples: it is at least 1 and below half of them",
                     where);
  NearestNeighbors search({.n_neighbors = k}, where);
  const KNeighbors near = search.fit(map, {}, {}, where).kneighbors({}, {}, where);
  const auto nearest = near.indices.data<int64_t>();
  const Tensor rows = metric == Metric::kCosine ? unit_rows(given) : given;
  eval(rows, where);
  const double* values = rows.data<double>().data();
  const Distance distance(metric);
  std::vector<int64_t> beyond(static_cast<size_t>(n));
  parallel_for(n, [&](int64_t i) {
    std::vector<double> to(static_cast<size_t>(n));
    for (int64_t j = 0; j < n; ++j)
      to[j] = metric == Metric::kPrecomputed ? values[i * n + j]
                                             : distance.reduced(values + i * d, values + j * d, d);
    for (int64_t m = 0; m < k; ++m) {
      const int64_t of = nearest[i * k + m];
      int64_t rank = 1;  // of those nearer, or as near and before it
      for (int64_t j = 0; j < n; ++j)
        rank += j != i && j != of && (to[j] < to[of] || (to[j] == to[of] && j < of));
      beyond[i] += std::max<int64_t>(rank - k, 0);
    }
  });
  double sum = 0;
  for (const int64_t one : beyond) sum += static_cast<double>(one);
  const auto samples = static_cast<double>(n), neighbors = static_cast<double>(k);
  return 1 - sum * 2 / (samples * neighbors * (2 * samples - 3 * neighbors - 1));
}

}  // namespace glia::classic
