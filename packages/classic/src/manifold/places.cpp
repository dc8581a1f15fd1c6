#include "manifold/places.h"

#include <string>

#include "checks.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "neighbor_index.h"

namespace glia::classic {

Tensor check_map_x(std::string_view op, const Tensor& x, Metric metric, Where where) {
  const Tensor given = cast(check_x(op, x, where), kF64);
  if (metric != Metric::kPrecomputed) return given;
  const std::string of = std::string(op) + ": ";
  if (given.size(0) != given.size(1))
    throw ShapeError(of + "precomputed X is square, not " + given.shape().str(), where);
  if (any(given < 0).item<bool>())
    throw ValueError(of + "precomputed X has a number below 0", where);
  if (!all(abs(given - transpose(given)) <= 1e-10 * max(given)).item<bool>())
    throw ValueError(of + "precomputed X is not symmetric", where);
  return given;
}

Tensor distances_of(const Tensor& x, Metric metric, double p, Where where) {
  switch (metric) {
    case Metric::kEuclidean:
      return euclidean_distances(x, {}, where);
    case Metric::kManhattan:
      return manhattan_distances(x, {}, where);
    case Metric::kChebyshev:
      return chebyshev_distances(x, {}, where);
    case Metric::kCosine:
      return cosine_distances(x, {}, where);
    case Metric::kPrecomputed:
      return x;
    case Metric::kMinkowski:
      break;
  }
  if (p == 2) return euclidean_distances(x, {}, where);
  const Distance distance(metric, p);
  const int64_t n = x.size(0), d = x.size(1);
  const Tensor rows = stop_gradient(x);
  eval(rows);
  const double* at = rows.data<double>().data();
  std::vector<double> out(static_cast<size_t>(n * n));
  parallel_for(n, [&](int64_t i) {
    for (int64_t j = 0; j < n; ++j)
      out[i * n + j] = distance.of_reduced(distance.reduced(at + i * d, at + j * d, d));
  });
  return from_vector(out, {n, n});
}

Tensor check_places(std::string_view op, const Tensor& places, int64_t n, int64_t d, Where where) {
  const std::string what = std::string(op) + ": init_embedding";
  const Tensor given = cast(check_x(what, places, where), kF64);
  if (given.shape() != Shape{n, d})
    throw ShapeError(what + " is " + given.shape().str() + ", not " + Shape{n, d}.str(), where);
  return given;
}

Tensor principal_places(std::string_view op, const Tensor& x, int64_t d, uint64_t seed,
                        Where where) {
  if (d > std::min(x.size(0), x.size(1)))
    throw ValueError(std::string(op) + ": X " + x.shape().str() + " has not the " +
                         std::to_string(d) + " components of init = pca; take another init",
                     where);
  return PCA({.n_components = static_cast<double>(d), .random_state = seed}, where)
      .fit_transform(x, {}, {}, where);
}

Tensor uniform_places(int64_t n, int64_t d, double low, double high, uint64_t seed) {
  data::Random random(seed);
  std::vector<double> values;
  for (int64_t i = 0; i < n * d; ++i) values.push_back(low + (high - low) * random.uniform());
  return from_vector(values, {n, d});
}

}  // namespace glia::classic
