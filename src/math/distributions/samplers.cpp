// Samplers that reject: one element after the other, each from a stream of its own, which begins
// with a uniform random number.
#include <bit>
#include <cmath>

#include "math/distributions/law.h"
#include "ops/pointwise.h"
#include "ops/special_functions.h"

namespace glia::distributions {
namespace {

// SplitMix64 (Steele et al. 2014).
class Stream {
 public:
  explicit Stream(double seed) : state_(static_cast<uint64_t>(seed * 0x1p53) * kOdd) {}
  double uniform() {  // in (0, 1)
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (static_cast<double>((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * kPi * uniform());
  }

 private:
  static constexpr uint64_t kOdd = 0xd1342543de82ef95u;
  uint64_t state_;
};

// Marsaglia & Tsang 2000; below 1 by a variable of shape a + 1.
double log_gamma_variable(double a, double seed) {
  if (!(a > 0) || std::isinf(a)) return a == 0 ? -kInf : kNaN;
  Stream stream(seed);
  const double boost = a < 1 ? std::log(stream.uniform()) / a : 0;
  const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = stream.normal(), t = 1 + c * x;
    if (t <= 0) continue;
    const double log_v = 3 * std::log(t), v = t * t * t;
    if (std::log(stream.uniform()) < x * x / 2 + d * (1 - v + log_v))
      return std::log(d) + log_v + boost;
  }
}

// By multiplication for small rates, else PTRS (Hoermann 1993).
double poisson_variable(double rate, double seed) {
  if (!(rate >= 0) || std::isinf(rate)) return kNaN;
  Stream stream(seed);
  if (rate < 10) {
    const double end = std::exp(-rate);
    double product = stream.uniform(), k = 0;
    for (; product > end; ++k) product *= stream.uniform();
    return k;
  }
  const double root = std::sqrt(rate), log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = stream.uniform() - 0.5, v = stream.uniform(), s = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / s + b) * u + rate + 0.43);
    if (s >= 0.07 && v <= v_r) return k;
    if (k < 0 || (s < 0.013 && v > s)) continue;
    if (std::log(v * inverse / (a / (s * s) + b)) <= k * log_rate - rate - special::lgamma(k + 1))
      return k;
  }
}

// By geometric gaps for small means, else BTRS (Hoermann 1993).
double binomial_variable(double n, double p, double seed) {
  if (!(n >= 0 && p >= 0 && p <= 1) || std::isinf(n)) return kNaN;
  if (p > 0.5) return n - binomial_variable(n, 1 - p, seed);
  if (p == 0 || n == 0) return 0;
  Stream stream(seed);
  if (n * p < 10) {
    const double log_q = std::log1p(-p);
    double k = -1;
    for (double at = 0; at <= n; ++k) at += std::floor(std::log(stream.uniform()) / log_q) + 1;
    return k;
  }
  const double q = 1 - p, root = std::sqrt(n * p * q);
  const double b = 1.15 + 2.53 * root, a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
  const double v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * root;
  const double log_odds = std::log(p / q), m = std::floor((n + 1) * p);
  const double h = special::lgamma(m + 1) + special::lgamma(n - m + 1);
  while (true) {
    const double u = stream.uniform() - 0.5, v = stream.uniform(), s = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / s + b) * u + c);
    if (k < 0 || k > n) continue;
    if (s >= 0.07 && v <= v_r) return k;
    if (std::log(v * alpha / (a / (s * s) + b)) <=
        h - special::lgamma(k + 1) - special::lgamma(n - k + 1) + (k - m) * log_odds)
      return k;
  }
}

// Best & Fisher 1979.
double von_mises_variable(double concentration, double seed) {
  if (!(concentration >= 0) || std::isinf(concentration)) return kNaN;
  Stream stream(seed);
  if (concentration < 1e-8) return kPi * (2 * stream.uniform() - 1);
  if (concentration > 1e6) return stream.normal() / std::sqrt(concentration);
  const double tau = 1 + std::sqrt(1 + 4 * concentration * concentration);
  const double rho = (tau - std::sqrt(2 * tau)) / (2 * concentration);
  const double r = (1 + rho * rho) / (2 * rho);
  while (true) {
    const double z = std::cos(kPi * stream.uniform()), f = (1 + r * z) / (r + z);
    const double c = concentration * (r - f), u = stream.uniform();
    if (c * (2 - c) <= u && std::log(c / u) + 1 < c) continue;
    const double angle = std::acos(std::min(1.0, std::max(-1.0, f)));
    return stream.uniform() < 0.5 ? -angle : angle;
  }
}

// ---- Operations: their last input are the seeds, f64 ----

void run_log_gamma(const KernelCall& call) {
  with_float(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    fill<T>(
        call, [](T a, double seed) { return log_gamma_variable(a, seed); },
        call.in[0].as<const T>(), call.in[1].as<const double>());
  });
}
const Op kLogGammaSlope{.name = "log_gamma_sample_slope",
                        .kind = Kind::kKernel,
                        .run = Pointwise<special::gamma_slope>::run,
                        .batch = batch_each};
void vjp_log_gamma(Vjp& v) {
  const Tensor a = v.in(0), y = v.out();
  const Operand first = a, second = y;
  v.set(0, v.g() * record_each(kLogGammaSlope, {&first, &second}));
}
const Op kLogGammaSample{.name = "log_gamma_sample",
                         .kind = Kind::kKernel,
                         .vjp = vjp_log_gamma,
                         .run = run_log_gamma,
                         .batch = batch_each};
const Op kPoissonSample{.name = "poisson_sample",
                        .kind = Kind::kKernel,
                        .run = Pointwise<poisson_variable>::run,
                        .batch = batch_each};
const Op kBinomialSample{.name = "binomial_sample",
                         .kind = Kind::kKernel,
                         .run = Pointwise<binomial_variable>::run,
                         .batch = batch_each};
const Op kVonMisesSample{.name = "von_mises_sample",
                         .kind = Kind::kKernel,
                         .run = Pointwise<von_mises_variable>::run,
                         .batch = batch_each};
const RegisterOp registered[] = {RegisterOp(kLogGammaSlope), RegisterOp(kLogGammaSample),
                                 RegisterOp(kPoissonSample), RegisterOp(kBinomialSample),
                                 RegisterOp(kVonMisesSample)};

// Of f64 operands and seeds.
Tensor drawn_by(const Op& op, std::vector<Tensor> in, const Shape& shape) {
  const DType dtype = in[0].dtype();
  std::vector<Node*> nodes;
  for (Tensor& x : in) x = expand(cast(x, kF64), shape);
  in.push_back(rand(shape, kF64));
  for (const Tensor& x : in) nodes.push_back(x.node());
  return cast(record(op, nodes, shape, kF64, {}, Where::current()), dtype);
}

}  // namespace

Tensor open_uniform(const Shape& shape) { return maximum(rand(shape, kF64), 0x1p-54); }

Tensor log_gamma_sample(const Tensor& concentration, const Shape& shape) {
  const Tensor a = expand(concentration, shape), seed = rand(shape, kF64);
  return record(kLogGammaSample, {a.node(), seed.node()}, shape, a.dtype(), {}, Where::current());
}
Tensor poisson_sample(const Tensor& rate, const Shape& shape) {
  return drawn_by(kPoissonSample, {rate}, shape);
}
Tensor binomial_sample(const Tensor& count, const Tensor& p, const Shape& shape) {
  return drawn_by(kBinomialSample, {count, p}, shape);
}
Tensor von_mises_sample(const Tensor& concentration, const Shape& shape) {
  return drawn_by(kVonMisesSample, {concentration}, shape);
}

}  // namespace glia::distributions
