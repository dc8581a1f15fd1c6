// Special functions: kernels that compute in f64, and derivatives that name each other.
#include "glia/ops/special.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "ops/operands.h"
#include "ops/pointwise.h"
#include "ops/special_functions.h"

namespace glia {

Tensor batch_each(const Recorded& one, std::span<const Tensor> inputs,
                  std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> whole;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    whole.push_back(with_batch_axis(inputs[i], batched[i], size));
    nodes.push_back(whole.back().node());
  }
  return record(one.op(), nodes, batched_shape(one, size), one.dtype(), one.words(), one.where());
}

Tensor record_each(const Op& op, std::initializer_list<const Operand*> operands) {
  const Operand& first = **operands.begin();
  if (operands.size() == 1) {
    const Given in(op.name, first);
    return in.result(record(op, {in.x.node()}, in.x.shape(), in.x.dtype(), {}, first.where()));
  }
  Tensor joint;  // says what they are together, and is not computed
  for (bool numbers : {false, true}) {
    for (const Operand* x : operands) {
      if (x->is_scalar() != numbers) continue;
      if (!numbers) require_defined(op.name, x->tensor(), x->where());
      joint = maximum(joint.defined() ? Operand(joint, x->where()) : *x, *x);
    }
  }
  const DType dtype = is_float(joint.dtype()) ? joint.dtype() : kF32;
  std::vector<Tensor> in;
  std::vector<Node*> nodes;
  for (const Operand* x : operands) {
    in.push_back(expand(cast(cast(*x, dtype), sum_dtype(dtype)), joint.shape(), x->where()));
    nodes.push_back(in.back().node());
  }
  return cast(record(op, nodes, joint.shape(), sum_dtype(dtype), {}, first.where()), dtype);
}

namespace {

constexpr double kTwoByRootPi = 1.1283791670955126;

// ---- Functions of one number: FUNCTION(name, of a double, derivative by x) ----

// 1 at 0, where what is left out has its limit.
Tensor not_zero(const Tensor& x) { return where(x == 0, 1, x); }

#define FUNCTION(function, value, gradient)                 \
  void vjp_##function(Vjp& v) {                             \
    [[maybe_unused]] const Tensor x = v.in(0), y = v.out(); \
    v.set(0, v.g() * (gradient));                           \
  }                                                         \
  const Op k_##function{.name = #function,                  \
                        .kind = Kind::kKernel,              \
                        .vjp = vjp_##function,              \
                        .run = Pointwise<value>::run,       \
                        .batch = batch_each};               \
  const RegisterOp registered_##function(k_##function);

double complementary_erf(double x) { return std::erfc(x); }

FUNCTION(lgamma, special::lgamma, digamma(x))
FUNCTION(digamma, special::digamma, polygamma(1, x))
FUNCTION(erfc, complementary_erf, -kTwoByRootPi* exp(-square(x)))
FUNCTION(erfcx, special::erfcx, 2 * x * y - kTwoByRootPi)
FUNCTION(erfinv, special::erfinv, 0.88622692545275801 * exp(square(y)))
FUNCTION(ndtri, special::ndtri, 2.5066282746310002 * exp(square(y) * 0.5))
FUNCTION(log_ndtr, special::log_ndtr, 0.79788456080286541 / erfcx(x * -0.70710678118654752))
FUNCTION(i0, special::i0, i1(x))
FUNCTION(i0e, special::i0e, i1e(x) - sign(x) * y)
FUNCTION(i1, special::i1, where(x == 0, 0.5, i0(x) - y / not_zero(x)))
FUNCTION(i1e, special::i1e, where(x == 0, 0.5, i0e(x) - y * sign(x) - y / not_zero(x)))
#undef FUNCTION

// ---- polygamma ----

struct PolygammaAttributes {
  int64_t n = 1;
  GLIA_ATTRIBUTES(n)
};
void run_polygamma(const KernelCall& call) {
  const int64_t n = call.attributes<PolygammaAttributes>().n;
  with_float(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    fill<T>(
        call, [n](T x) { return special::polygamma(n, x); }, call.in[0].as<const T>());
  });
}
void vjp_polygamma(Vjp& v) {
  v.set(0, v.g() * polygamma(v.attributes<PolygammaAttributes>().n + 1, v.in(0)));
}
const Op kPolygamma{.name = "polygamma",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<PolygammaAttributes>,
                    .vjp = vjp_polygamma,
                    .run = run_polygamma,
                    .batch = batch_each};

// ---- The incomplete gamma functions ----

// The density x^(a - 1) e^-x / Gamma(a).
Tensor gamma_density(const Tensor& a, const Tensor& x) {
  return exp(xlogy(a - 1, x) - x - lgamma(a));
}
void vjp_gammainc_by_a(Vjp& v) {
  const Tensor a = v.in(0), x = v.in(1);
  if (v.needs(0)) throw Error("gammainc: has no second derivative by a", v.where());
  v.set(1, v.g() * gamma_density(a, x) * (log(x) - digamma(a)));
}
const Op kGammaincByA{.name = "gammainc_by_a",
                      .kind = Kind::kKernel,
                      .vjp = vjp_gammainc_by_a,
                      .run = Pointwise<special::gammainc_by_a>::run,
                      .batch = batch_each};
void vjp_gamma(Vjp& v, double sign) {
  const Tensor a = v.in(0), x = v.in(1), g = v.g() * sign;
  if (v.needs(0)) v.set(0, g * gammainc_by_a(a, x));
  if (v.needs(1)) v.set(1, g * gamma_density(a, x));
}
void vjp_gammainc(Vjp& v) { vjp_gamma(v, 1); }
void vjp_gammaincc(Vjp& v) { vjp_gamma(v, -1); }
const Op kGammainc{.name = "gammainc",
                   .kind = Kind::kKernel,
                   .vjp = vjp_gammainc,
                   .run = Pointwise<special::gammainc>::run,
                   .batch = batch_each};
const Op kGammaincc{.name = "gammaincc",
                    .kind = Kind::kKernel,
                    .vjp = vjp_gammaincc,
                    .run = Pointwise<special::gammaincc>::run,
                    .batch = batch_each};

// ---- Parts of numbers ----

void run_nextafter(const KernelCall& call) {
  with_float(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    fill<T>(
        call, [](T a, T b) { return std::nextafter(a, b); }, call.in[0].as<const T>(),
        call.in[1].as<const T>());
  });
}
const Op kNextafter{
    .name = "nextafter", .kind = Kind::kKernel, .run = run_nextafter, .batch = batch_each};

// The exponent of frexp, as i32.
void run_exponent(const KernelCall& call) {
  with_float(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto exponent = [](T x) {
      int e = 0;
      if (std::isfinite(x)) std::frexp(x, &e);
      return e;
    };
    fill<int32_t>(call, exponent, call.in[0].as<const T>());
  });
}
const Op kExponent{
    .name = "exponent", .kind = Kind::kKernel, .run = run_exponent, .batch = batch_each};

// ---- gcd ----

template <class T>
T common_divisor(T a, T b) {
  const auto size = [](T x) {  // the lowest has no opposite
    return x < 0 ? -static_cast<uint64_t>(static_cast<int64_t>(x)) : static_cast<uint64_t>(x);
  };
  return static_cast<T>(std::gcd(size(a), size(b)));
}
void run_gcd(const KernelCall& call) {
  with_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      fill<T>(call, common_divisor<T>, call.in[0].as<const T>(), call.in[1].as<const T>());
  });
}
const Op kGcd{.name = "gcd", .kind = Kind::kKernel, .run = run_gcd, .batch = batch_each};

const RegisterOp registered[] = {
    RegisterOp(kPolygamma), RegisterOp(kGammainc), RegisterOp(kGammaincc), RegisterOp(kGammaincByA),
    RegisterOp(kNextafter), RegisterOp(kExponent), RegisterOp(kGcd)};

}  // namespace

Tensor lgamma(const Operand& x) { return record_each(k_lgamma, {&x}); }
Tensor digamma(const Operand& x) { return record_each(k_digamma, {&x}); }
Tensor erfc(const Operand& x) { return record_each(k_erfc, {&x}); }
Tensor erfcx(const Operand& x) { return record_each(k_erfcx, {&x}); }
Tensor erfinv(const Operand& x) { return record_each(k_erfinv, {&x}); }
Tensor ndtri(const Operand& p) { return record_each(k_ndtri, {&p}); }
Tensor log_ndtr(const Operand& x) { return record_each(k_log_ndtr, {&x}); }
Tensor i0(const Operand& x) { return record_each(k_i0, {&x}); }
Tensor i0e(const Operand& x) { return record_each(k_i0e, {&x}); }
Tensor i1(const Operand& x) { return record_each(k_i1, {&x}); }
Tensor i1e(const Operand& x) { return record_each(k_i1e, {&x}); }

Tensor polygamma(int64_t n, const Operand& x) {
  if (n < 0 || n > (int64_t{1} << 53))
    throw ValueError("polygamma: order " + std::to_string(n), x.where());
  if (n == 0) return digamma(x);
  const Given in("polygamma", x);
  return cast(record(kPolygamma, {in.x.node()}, in.x.shape(), in.x.dtype(), PolygammaAttributes{n},
                     x.where()),
              in.dtype);
}

Tensor mvlgamma(const Operand& x, int64_t p) {
  constexpr int64_t kMost = 4096;  // terms of a sum
  if (p < 1 || p > kMost)
    throw ValueError("mvlgamma: p is " + std::to_string(p) + ", not in 1 .. 4096", x.where());
  const Given in("mvlgamma", x);
  const Tensor t = cast(in.x, kF64);
  Tensor y = lgamma(t);
  for (int64_t j = 1; j < p; ++j) y = y + lgamma(t - 0.5 * static_cast<double>(j));
  const auto dimensions = static_cast<double>(p);
  return in.result(y + dimensions * (dimensions - 1) / 4 * std::log(std::numbers::pi));
}

// Of numbers far apart the logarithms all but cancel: in f64.
Tensor betaln(const Operand& a, const Operand& b) {
  const Both in("betaln", a, b);
  const Tensor x = cast(in.a, kF64), y = cast(in.b, kF64);
  return cast(lgamma(x) + lgamma(y) - lgamma(x + y), in.dtype);
}

Tensor gammainc_by_a(const Tensor& a, const Tensor& x) {
  const Operand of_a = a, of_x = x;
  return record_each(kGammaincByA, {&of_a, &of_x});
}
Tensor gammainc(const Operand& a, const Operand& x) { return record_each(kGammainc, {&a, &x}); }
Tensor gammaincc(const Operand& a, const Operand& x) { return record_each(kGammaincc, {&a, &x}); }

Tensor nextafter(const Operand& a, const Operand& b) {
  const Both in("nextafter", a, b);
  if (in.dtype != in.a.dtype())
    throw ValueError(std::string("nextafter: of f32 and f64, not ") + name(in.dtype), a.where());
  return record(kNextafter, {in.a.node(), in.b.node()}, in.a.shape(), in.dtype, {}, a.where());
}

FrexpResult frexp(const Operand& x) {
  const Given in("frexp", x);
  const Tensor e =
      record(kExponent, {stop_gradient(in.x).node()}, in.x.shape(), kI32, {}, x.where());
  // Two steps: of the least numbers the power itself overflows.
  const Tensor half = floor_divide(e, 2), rest = e - half;
  const auto power = [&](const Tensor& n) { return exp2(cast(-n, in.x.dtype())); };
  return {cast(in.x * power(half) * power(rest), in.dtype), e};
}

Tensor gcd(const Operand& a, const Operand& b) {
  for (const Operand* one : {&a, &b}) {
    if (!one->is_scalar()) require_defined("gcd", one->tensor(), one->where());
  }
  const Tensor joint = a ^ b;  // of integers only
  if (joint.dtype() == kBool) throw ShapeError("gcd: not defined for bool", a.where());
  const auto spread = [&](const Operand& one) {
    return expand(cast(one, joint.dtype()), joint.shape(), one.where());
  };
  const Tensor x = spread(a), y = spread(b);
  return record(kGcd, {x.node(), y.node()}, joint.shape(), joint.dtype(), {}, a.where());
}

Tensor lcm(const Operand& a, const Operand& b) {
  const Tensor divisor = gcd(a, b);
  const Tensor product = floor_divide(cast(a, divisor.dtype()), where(divisor == 0, 1, divisor));
  return abs(product * cast(b, divisor.dtype()));
}

}  // namespace glia
