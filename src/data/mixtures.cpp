// MixUp and CutMix.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "glia/data.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"

namespace glia::data {
namespace {

// In (0, 1].
double positive(Random& random) { return 1 - random.uniform(); }

double normal(Random& random) {
  const double length = std::sqrt(-2 * std::log(positive(random)));
  return length * std::cos(2 * std::numbers::pi * random.uniform());
}

// The logarithm of a number of the Gamma distribution (Marsaglia & Tsang 2000), which for a small
// alpha may itself be too small for a number.
double log_gamma(Random& random, double alpha) {
  if (alpha < 1) return log_gamma(random, alpha + 1) + std::log(positive(random)) / alpha;
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(random), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(positive(random)) < x * x / 2 + d - d * v + d * std::log(v))
      return std::log(d * v);
  }
}

// Of the Beta distribution whose parameters are both alpha.
double beta(Random& random, double alpha) {
  const double a = log_gamma(random, alpha), b = log_gamma(random, alpha);
  return 1 / (1 + std::exp(b - a));
}

// The labels as probabilities, once all is known to fit.
Tensor probabilities(const char* name, const Tensor& images, const Tensor& labels, int64_t classes,
                     double alpha) {
  const std::string op = name;
  if (!is_float(images.dtype()) || images.rank() < 2)
    throw ShapeError(op + ": images " + glia::name(images.dtype()) + " " + images.shape().str() +
                     " are no batch of floats");
  if (classes < 1) throw ValueError(op + ": num_classes = " + std::to_string(classes));
  if (!(alpha > 0 && std::isfinite(alpha)))
    throw ValueError(op + ": alpha = " + std::to_string(alpha) + " is out of range");
  const int64_t n = images.size(0);
  if (labels.shape() == Shape{n, classes} && is_float(labels.dtype())) return cast(labels, kF32);
  if (labels.shape() != Shape{n} || is_float(labels.dtype()) || labels.dtype() == kBool)
    throw ShapeError(op + ": labels " + glia::name(labels.dtype()) + " " + labels.shape().str() +
                     " are neither " + std::to_string(n) + " classes nor as many rows of " +
                     std::to_string(classes) + " probabilities");
  return one_hot(labels, classes);
}

Tensor mixed(const Tensor& x, const Tensor& other, double part) {
  return x * part + other * (1 - part);
}

}  // namespace

std::array<Tensor, 2> mixup(Random& random, const Tensor& images, const Tensor& labels,
                            int64_t num_classes, double alpha) {
  const Tensor y = probabilities("mixup", images, labels, num_classes, alpha);
  const double part = beta(random, alpha);
  return {mixed(images, roll(images, {1}, {0}), part), mixed(y, roll(y, {1}, {0}), part)};
}

std::array<Tensor, 2> cutmix(Random& random, const Tensor& images, const Tensor& labels,
                             int64_t num_classes, double alpha) {
  const Tensor y = probabilities("cutmix", images, labels, num_classes, alpha);
  if (images.rank() != 4 || images.size(1) == 0 || images.size(2) == 0)
    throw ShapeError("cutmix: images " + images.shape().str() + " are not (N, H, W, C)");
  const int64_t height = images.size(1), width = images.size(2);
  const double side = 0.5 * std::sqrt(1 - beta(random, alpha));
  const int64_t right = random.below(width), down = random.below(height);
  const auto range = [side](int64_t middle, int64_t size) {
    const auto half = static_cast<int64_t>(side * static_cast<double>(size));
    return Slice{std::max<int64_t>(middle - half, 0), std::min(middle + half, size)};
  };
  const Slice rows = range(down, height), columns = range(right, width);
  const double area =
      static_cast<double>((rows.stop - rows.start) * (columns.stop - columns.start));
  const double part = 1 - area / static_cast<double>(height * width);
  const std::vector<Index> box{Slice{}, rows, columns};
  const Tensor cut =
      area == 0 ? images : index_update(images, box, index(roll(images, {1}, {0}), box));
  return {cut, mixed(y, roll(y, {1}, {0}), part)};
}

}  // namespace glia::data
