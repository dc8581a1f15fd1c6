#include "glia/generative/mixture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {

Tensor Mixture::sample(int64_t n) const {
  return take(cast(centres, kF32), randint(0, size(), {n}), 0) + deviation * randn({n, 2});
}

Mixture ring_of_gaussians() {
  std::vector<double> points;
  for (int i = 0; i < 8; ++i)
    points.insert(points.end(),
                  {std::sqrt(2) * std::cos(i * M_PI / 4), std::sqrt(2) * std::sin(i * M_PI / 4)});
  return {from_vector(points, {8, 2}), 0.02 * std::sqrt(2)};
}

Mixture grid_of_gaussians() {
  constexpr double kScale = 2.828;  // the deviation of the centres before
  std::vector<double> points;
  for (int i = 0; i < 25; ++i)
    points.insert(points.end(), {(2 * (i / 5) - 4) / kScale, (2 * (i % 5) - 4) / kScale});
  return {from_vector(points, {25, 2}), 0.05 / kScale};
}

Coverage coverage(const Mixture& mixture, const Tensor& samples, Where where) {
  if (samples.rank() != 2 || samples.size(1) != 2)
    throw ShapeError("coverage: the samples are " + samples.shape().str() + ", not (N, 2)", where);
  const auto at = mixture.centres.to_vector<double>(), p = samples.to_vector<double>();
  std::vector<bool> found(at.size() / 2);
  int64_t good = 0;
  for (size_t i = 0; i < p.size(); i += 2) {
    bool near = false;
    for (size_t k = 0; k < at.size(); k += 2) {
      if (!(std::hypot(p[i] - at[k], p[i + 1] - at[k + 1]) <= 3 * mixture.deviation)) continue;
      near = found[k / 2] = true;
    }
    good += near;
  }
  const int64_t n = samples.size(0);
  return {std::ranges::count(found, true),
          n == 0 ? 0 : static_cast<double>(good) / static_cast<double>(n), n};
}

}  // namespace glia::generative
