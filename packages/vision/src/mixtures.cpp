// MixUp and CutMix.
#include <algorithm>
#include <cmath>
#include <string>

#include "draws.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/vision/transforms.h"

namespace glia::vision {
namespace {

double normal(data::Random& random) {  // Box and Muller 1958
  return std::sqrt(-2 * std::log1p(-random.uniform())) *
         std::cos(2 * 3.14159265358979323846 * random.uniform());
}

// The logarithm of a number of Gamma(alpha, 1): Marsaglia & Tsang 2000, and below 1 by their note
// on a further power.
double log_gamma_draw(data::Random& random, double alpha) {
  if (alpha < 1) return log_gamma_draw(random, alpha + 1) + std::log1p(-random.uniform()) / alpha;
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal(random), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log1p(-random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return std::log(d) + std::log(v);
  }
}

// Of Beta(alpha, alpha).
double share(data::Random& random, double alpha) {
  const double a = log_gamma_draw(random, alpha), b = log_gamma_draw(random, alpha);
  return 1 / (1 + std::exp(b - a));
}

Tensor one_before(const Tensor& x) { return roll(x, {1}, {0}); }

Tensor targets_of(const char* name, const Tensor& images, const Tensor& labels, int64_t classes,
                  double alpha) {
  if (!(alpha > 0) || !std::isfinite(alpha))
    throw ValueError(std::string(name) + ": an alpha of " + std::to_string(alpha) +
                     " is not above 0");
  if (!images.defined() || images.rank() != 4 || images.numel() == 0 || !labels.defined() ||
      labels.rank() < 1 || labels.rank() > 2 || labels.size(0) != images.size(0))
    throw ShapeError(std::string(name) +
                     ": images are (N, H, W, C) and labels (N) or (N, classes)");
  if (labels.rank() == 2) return cast(labels, kF32);
  if (labels.dtype() != kI64 || classes < 1)
    throw ShapeError(std::string(name) + ": labels are i64, of num_classes " +
                     std::to_string(classes));
  return one_hot(labels, classes);
}

Tensor mixture(const Tensor& x, double part) { return part * x + (1 - part) * one_before(x); }

}  // namespace

Mixed MixUp::operator()(data::Random& random, const Tensor& images, const Tensor& labels) const {
  const Tensor targets = targets_of("MixUp", images, labels, num_classes, alpha);
  const double part = share(random, alpha);
  return {mixture(cast(images, kF32), part), mixture(targets, part)};
}

Mixed CutMix::operator()(data::Random& random, const Tensor& images, const Tensor& labels) const {
  const Tensor targets = targets_of("CutMix", images, labels, num_classes, alpha);
  const int64_t height = images.size(1), width = images.size(2);
  const double drawn = share(random, alpha);
  const double half = 0.5 * std::sqrt(1 - drawn);
  const auto side = [&](int64_t size) {
    const int64_t middle = random.below(size);
    const auto reach = static_cast<int64_t>(half * static_cast<double>(size));
    return std::pair{std::max<int64_t>(0, middle - reach), std::min(size, middle + reach)};
  };
  const auto [left, right] = side(width);
  const auto [top, bottom] = side(height);
  // A box of ones, broadcast over samples and channels.
  const Tensor inside = pad(ones({1, bottom - top, right - left, 1}, kBool),
                            {{0, 0}, {top, height - bottom}, {left, width - right}, {0, 0}});
  const double part = 1 - static_cast<double>((bottom - top) * (right - left)) /
                              static_cast<double>(height * width);
  return {glia::where(inside, one_before(images), images), mixture(targets, part)};
}

}  // namespace glia::vision
