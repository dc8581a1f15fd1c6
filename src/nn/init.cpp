// Initialisers.
#include <algorithm>
#include <cmath>

#include "glia/nn.h"
#include "glia/random.h"

namespace glia::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const char* initialiser, const Variable& v) {
  const Shape& shape = v.shape();
  if (shape.rank() < 2)
    throw ShapeError(std::string(initialiser) + ": " + shape.str() + " has no fan-in and fan-out");
  double all = 1;
  for (int64_t size : shape) all *= static_cast<double>(size);
  return {all / shape.size(0), all / shape.size(-1)};
}

double kaiming_std(const char* initialiser, const Variable& v, const KaimingOptions& options) {
  const Fans fans = fans_of(initialiser, v);
  return calculate_gain(options.nonlinearity, options.a) /
         std::sqrt(options.mode == Fan::kIn ? fans.in : fans.out);
}

double xavier_std(const char* initialiser, const Variable& v, double gain) {
  const Fans fans = fans_of(initialiser, v);
  return gain * std::sqrt(2 / (fans.in + fans.out));
}

// Uniform with this standard deviation.
void uniform_with_std(const Variable& v, double std) {
  const double bound = std::sqrt(3.0) * std;
  uniform_(v, -bound, bound);
}

}  // namespace

void uniform_(const Variable& v, double low, double high) {
  if (v.shape().numel() > 0) v.set(uniform(v.shape(), low, high, v.dtype()));
}
void normal_(const Variable& v, double mean, double std) {
  if (v.shape().numel() > 0) v.set(normal(v.shape(), mean, std, v.dtype()));
}
void constant_(const Variable& v, double value) { v.set(full(v.shape(), value, v.dtype())); }
void zeros_(const Variable& v) { constant_(v, 0); }
void ones_(const Variable& v) { constant_(v, 1); }

void trunc_normal_(const Variable& v, double mean, double std, double low, double high) {
  if (!(std > 0 && low < high))
    throw ValueError("trunc_normal_: std " + std::to_string(std) + ", range [" +
                     std::to_string(low) + ", " + std::to_string(high) + "]");
  const auto below = [&](double x) { return std::erfc((mean - x) / (std * std::sqrt(2.0))) / 2; };
  // Proposals are normal where most of these fit, else uniform over the range.
  const bool wide = below(high) - below(low) > 0.3;
  const double peak = std::pow(std::clamp(mean, low, high) - mean, 2);
  const auto draw = [&] {
    return wide ? normal(v.shape(), mean, std, v.dtype())
                : uniform(v.shape(), low, high, v.dtype());
  };
  const auto refused = [&](const Tensor& x) {
    if (wide) return (x < low) | (x > high);
    const Tensor density = (peak - square(x - mean)) / (2 * std * std);
    return log(rand(v.shape(), v.dtype())) > density;
  };
  constexpr int kMostDraws = 10000;
  Tensor value = draw();
  int draws = 1;
  for (Tensor again = refused(value); any(again).item<bool>(); ++draws) {
    if (draws == kMostDraws)
      throw ValueError("trunc_normal_: next to no numbers are in [" + std::to_string(low) + ", " +
                       std::to_string(high) + "]");
    const Tensor next = draw();
    value = where(again, next, value);
    again = again & refused(next);
  }
  v.set(value);
}

void xavier_uniform_(const Variable& v, double gain) {
  uniform_with_std(v, xavier_std("xavier_uniform_", v, gain));
}
void xavier_normal_(const Variable& v, double gain) {
  normal_(v, 0, xavier_std("xavier_normal_", v, gain));
}

double calculate_gain(Nonlinearity nonlinearity, double negative_slope) {
  switch (nonlinearity) {
    case Nonlinearity::kLinear:
    case Nonlinearity::kSigmoid:
      return 1;
    case Nonlinearity::kTanh:
      return 5.0 / 3;
    case Nonlinearity::kReLU:
      return std::sqrt(2.0);
    case Nonlinearity::kLeakyReLU:
      return std::sqrt(2 / (1 + negative_slope * negative_slope));
    case Nonlinearity::kSELU:
      return 0.75;
  }
  throw ValueError("calculate_gain: no such nonlinearity");
}

void kaiming_uniform_(const Variable& v, const KaimingOptions& options) {
  uniform_with_std(v, kaiming_std("kaiming_uniform_", v, options));
}
void kaiming_normal_(const Variable& v, const KaimingOptions& options) {
  normal_(v, 0, kaiming_std("kaiming_normal_", v, options));
}

void orthogonal_(const Variable& v, double gain) {
  if (v.shape().rank() < 2) throw ShapeError("orthogonal_: " + v.shape().str() + " is no matrix");
  const int64_t rows = v.shape()[0], columns = rows > 0 ? v.shape().numel() / rows : 0;
  const int64_t count = std::min(rows, columns), length = std::max(rows, columns);
  // `count` random vectors made orthonormal by Gram and Schmidt: Haar's distribution.
  std::vector<double> q = randn({count, length}, kF64).to_vector<double>();
  const auto dot = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t k = 0; k < length; ++k) sum += q[i * length + k] * q[j * length + k];
    return sum;
  };
  for (int64_t i = 0; i < count; ++i) {
    for (int pass = 0; pass < 2; ++pass) {  // the second removes rounding errors
      for (int64_t j = 0; j < i; ++j) {
        const double along = dot(i, j);
        for (int64_t k = 0; k < length; ++k) q[i * length + k] -= along * q[j * length + k];
      }
    }
    const double norm = std::sqrt(dot(i, i));
    for (int64_t k = 0; k < length; ++k) q[i * length + k] /= norm;
  }
  Tensor matrix = from_vector(q, {count, length}) * gain;
  if (rows > columns) matrix = transpose(matrix);
  v.set(cast(reshape(matrix, v.shape()), v.dtype()));
}

}  // namespace glia::nn::init
