// Elementwise functions out of others, some with a derivative of their own: what the composition's
// would be, without its poles.
#include <cmath>

#include "glia/ops/special.h"
#include "ops/operands.h"

namespace glia {
namespace {

constexpr double kPi = 3.14159265358979323846, kLn2 = 0.69314718055994531;

// `value` of two numbers with a derivative for each: gradients(a, b, y) gives both.
template <class Value, class Slopes>
Tensor binary(const Both& in, Value value, Slopes slopes, const Where& where) {
  const auto rule = [slopes](const std::vector<Tensor>& x, const Tensor& y, const Tensor& g) {
    const auto [a, b] = slopes(x[0], x[1], y);
    return std::vector<Tensor>{g * a, g * b};
  };
  const auto quiet = [&] {
    const NoGrad off;
    return value(in.a, in.b);
  };
  return in.result(with_rule(quiet(), {in.a, in.b}, rule, where));
}

using Slopes = std::pair<Tensor, Tensor>;

}  // namespace

// ---- Trigonometry, logarithms ----

Tensor rad2deg(const Operand& x) { return as_float("rad2deg", x) * (180 / kPi); }
Tensor deg2rad(const Operand& x) { return as_float("deg2rad", x) * (kPi / 180); }

namespace {
// The derivative of sin(z) / z, near 0 by its series: what is left of two terms there is little.
Tensor sinc_slope(const Tensor& z) {
  const Tensor near = abs(z) < 0.7, u = where(near, z, 0), v = where(near, 1, z), t = square(u);
  Tensor series = zeros_like(u);
  constexpr double kTerms[] = {-1 / 3.0,       1 / 30.0,        -1 / 840.0,        1 / 45360.0,
                               -1 / 3991680.0, 1 / 518918400.0, -1 / 93405312000.0};
  for (int k = 6; k >= 0; --k) series = kTerms[k] + t * series;
  return where(near, u * series, (cos(v) - sin(v) / v) / v);
}
}  // namespace

Tensor sinc(const Operand& x) {
  const Given in("sinc", x);
  const auto value = [&] {
    const NoGrad off;
    const Tensor zero = in.x == 0, z = where(zero, 1, in.x) * kPi;
    return where(zero, 1, sin(z) / z);
  };
  const auto rule = [](const std::vector<Tensor>& x, const Tensor&, const Tensor& g) {
    return std::vector<Tensor>{g * (kPi * sinc_slope(x[0] * kPi))};
  };
  return in.result(with_rule(value(), {in.x}, rule, x.where()));
}

Tensor logaddexp(const Operand& a, const Operand& b) {
  const auto value = [](const Tensor& a, const Tensor& b) {
    const Tensor sum = maximum(a, b) + log1p(exp(-abs(a - b)));
    return where((a == b) & isinf(a), a, sum);
  };
  const auto slopes = [](const Tensor& a, const Tensor& b, const Tensor&) {
    return Slopes{sigmoid(a - b), sigmoid(b - a)};
  };
  return binary(Both("logaddexp", a, b), value, slopes, a.where());
}

Tensor logaddexp2(const Operand& a, const Operand& b) {
  const auto value = [](const Tensor& a, const Tensor& b) {
    const Tensor sum = maximum(a, b) + log1p(exp2(-abs(a - b))) / kLn2;
    return where((a == b) & isinf(a), a, sum);
  };
  const auto slopes = [](const Tensor& a, const Tensor& b, const Tensor&) {
    return Slopes{sigmoid((a - b) * kLn2), sigmoid((b - a) * kLn2)};
  };
  return binary(Both("logaddexp2", a, b), value, slopes, a.where());
}

Tensor xlogy(const Operand& a, const Operand& b) {
  const auto value = [](const Tensor& a, const Tensor& b) {
    return where(isnan(b), b, where(a == 0, 0, a * log(b)));
  };
  const auto slopes = [](const Tensor& a, const Tensor& b, const Tensor&) {
    return Slopes{where((a == 0) & (b <= 0), 0, log(b)), a / b};
  };
  return binary(Both("xlogy", a, b), value, slopes, a.where());
}

Tensor xlog1py(const Operand& a, const Operand& b) {
  const auto value = [](const Tensor& a, const Tensor& b) {
    return where(isnan(b), b, where(a == 0, 0, a * log1p(b)));
  };
  const auto slopes = [](const Tensor& a, const Tensor& b, const Tensor&) {
    return Slopes{where((a == 0) & (b <= -1), 0, log1p(b)), a / (b + 1)};
  };
  return binary(Both("xlog1py", a, b), value, slopes, a.where());
}

Tensor entr(const Operand& x) {
  const Given in("entr", x);
  const auto value = [&] {
    const NoGrad off;
    const Tensor t = -in.x * log(in.x);
    return where(in.x == 0, 0, where(in.x < 0, -INFINITY, t));
  };
  const auto rule = [](const std::vector<Tensor>& x, const Tensor&, const Tensor& g) {
    return std::vector<Tensor>{g * (-log(x[0]) - 1)};
  };
  return in.result(with_rule(value(), {in.x}, rule, x.where()));
}

Tensor expit(const Operand& x) { return sigmoid(x); }

Tensor logit(const Operand& x, std::optional<double> eps) {
  const Given in("logit", x);
  const Tensor t = eps ? clamp(in.x, *eps, 1 - *eps) : in.x;
  const auto value = [&] {
    const NoGrad off;
    return log(t) - log1p(-t);
  };
  const auto rule = [](const std::vector<Tensor>& x, const Tensor&, const Tensor& g) {
    const Tensor outside = (x[0] < 0) | (x[0] > 1);
    return std::vector<Tensor>{g * where(outside, NAN, 1 / (x[0] * (1 - x[0])))};
  };
  return in.result(with_rule(value(), {t}, rule, x.where()));
}

Tensor ndtr(const Operand& x) {
  const Given in("ndtr", x);
  return in.result(0.5 * erfc(in.x * -0.70710678118654752));
}

// ---- Parts of numbers ----

Tensor frac(const Operand& x) {
  const Tensor t = as_float("frac", x);
  return t - trunc(t);
}

Tensor signbit(const Operand& x) {
  if (x.is_scalar() || (x.tensor().defined() && !is_float(x.tensor().dtype())))
    return x.is_scalar() ? copysign(1, x) < 0 : x < 0;
  return copysign(1, x) < 0;
}

Tensor ldexp(const Operand& x, const Operand& n) {
  const Tensor t = as_float("ldexp", x);
  if (!n.is_scalar()) require_defined("ldexp", n.tensor(), n.where());
  return Operand(t, x.where()) * exp2(cast(n, t.dtype()));
}

Tensor sgn(const Operand& x) { return sign(x); }
Tensor positive(const Operand& x) {
  if (x.is_scalar()) return -(-x);
  require_defined("positive", x.tensor(), x.where());
  return x.tensor();
}
Tensor true_divide(const Operand& a, const Operand& b) { return a / b; }

Tensor float_power(const Operand& base, const Operand& exponent) {
  for (const Operand* x : {&base, &exponent}) {
    if (!x->is_scalar()) require_defined("float_power", x->tensor(), x->where());
  }
  const Tensor wide = cast(base, kF64);
  if (exponent.is_scalar()) return pow(Operand(wide, base.where()), exponent);
  return pow(Operand(wide, base.where()), cast(exponent, kF64));
}

// ---- Combinations ----

Tensor lerp(const Operand& start, const Operand& end, const Operand& weight) {
  const Both ends("lerp", start, end);
  if (!weight.is_scalar()) require_defined("lerp", weight.tensor(), weight.where());
  const Tensor w = cast(weight, ends.a.dtype());
  const auto value = [&] {
    const NoGrad off;
    const Tensor step = ends.b - ends.a;
    return where(abs(w) < 0.5, ends.a + w * step, ends.b - step * (1 - w));
  };
  const auto rule = [](const std::vector<Tensor>& x, const Tensor&, const Tensor& g) {
    return std::vector<Tensor>{g * (1 - x[2]), g * x[2], g * (x[1] - x[0])};
  };
  return ends.result(with_rule(value(), {ends.a, ends.b, w}, rule, start.where()));
}

Tensor addcmul(const Operand& x, const Operand& a, const Operand& b, const Number& value) {
  return x + a * b * value;
}
Tensor addcdiv(const Operand& x, const Operand& a, const Operand& b, const Number& value) {
  return x + a / b * value;
}

namespace {
bool bounds_floats(const Operand& x, const Operand& bound) {
  return !x.is_scalar() && x.tensor().defined() && is_float(x.tensor().dtype()) &&
         bound.is_scalar();
}
}  // namespace

Tensor clamp_min(const Operand& x, const Operand& low) {
  return bounds_floats(x, low) ? clamp(x, low, INFINITY) : maximum(x, low);
}
Tensor clamp_max(const Operand& x, const Operand& high) {
  return bounds_floats(x, high) ? clamp(x, -INFINITY, high) : minimum(x, high);
}

Tensor fmax(const Operand& a, const Operand& b) { return where((a >= b) | isnan(b), a, b); }
Tensor fmin(const Operand& a, const Operand& b) { return where((a <= b) | isnan(b), a, b); }

Tensor heaviside(const Operand& x, const Operand& values) {
  const DType dtype = maximum(x, values).dtype();
  return where(x == 0, values, cast(x > 0, dtype));
}

Tensor where_safe(const Tensor& condition, const Tensor& x,
                  const std::function<Tensor(const Tensor&)>& f, const Operand& otherwise,
                  const Number& inside, Where where) {
  require_defined("where_safe", condition, where);
  require_defined("where_safe", x, where);
  if (!f) throw Error("where_safe: the function is empty", where);
  return glia::where(Operand(condition, where),
                     f(glia::where(Operand(condition, where), x, inside)), otherwise);
}

// ---- Comparisons ----

Tensor isinf(const Operand& x) { return isposinf(x) | isneginf(x); }
Tensor isposinf(const Operand& x) { return x == INFINITY; }
Tensor isneginf(const Operand& x) { return x == -INFINITY; }

Tensor isclose(const Operand& a, const Operand& b, const CloseOptions& options) {
  if (!(options.rtol >= 0 && options.atol >= 0))
    throw ValueError("isclose: rtol " + Number(options.rtol).str() + " and atol " +
                         Number(options.atol).str() + " must not be negative",
                     a.where());
  const DType joint = maximum(a, b).dtype(), dtype = is_float(joint) ? joint : kF64;
  const Tensor x = cast(a, dtype), y = cast(b, dtype);
  Tensor close = x == y;
  if (options.equal_nan) close = close | (isnan(x) & isnan(y));
  const Tensor off = abs(x - y);
  return close | (isfinite(off) & (off <= options.atol + abs(options.rtol * y)));
}
bool allclose(const Tensor& a, const Tensor& b, const CloseOptions& options, Where where) {
  return all(isclose({a, where}, {b, where}, options)).item<bool>();
}
bool equal(const Tensor& a, const Tensor& b, Where where) {
  require_defined("equal", a, where);
  require_defined("equal", b, where);
  return a.shape() == b.shape() && all(a == b).item<bool>();
}

namespace {
Tensor truth(const char* op, const Operand& x) {
  if (!x.is_scalar()) require_defined(op, x.tensor(), x.where());
  return cast(x, kBool);
}
}  // namespace

Tensor logical_and(const Operand& a, const Operand& b) {
  return truth("logical_and", a) & truth("logical_and", b);
}
Tensor logical_or(const Operand& a, const Operand& b) {
  return truth("logical_or", a) | truth("logical_or", b);
}
Tensor logical_xor(const Operand& a, const Operand& b) {
  return truth("logical_xor", a) ^ truth("logical_xor", b);
}

// ---- Integers ----

namespace {

// In i64, where powers of two up to 2^62 are positive.
struct Shifted {
  DType dtype;
  Tensor x, bits;
  Shifted(const char* op, const Operand& a, const Operand& b) : dtype((a ^ b).dtype()) {
    if (dtype == kBool) throw ShapeError(std::string(op) + ": not defined for bool", a.where());
    x = cast(a, kI64);
    bits = cast(b, kI64);
  }
};

}  // namespace

Tensor bitwise_left_shift(const Operand& x, const Operand& bits) {
  const Shifted s("bitwise_left_shift", x, bits);
  const auto width = static_cast<int64_t>(8 * size_of(s.dtype));
  const Tensor inside = (s.bits >= 0) & (s.bits < width);
  return cast(where(inside, s.x * pow(2, where(inside, s.bits, 0)), 0), s.dtype);
}
Tensor bitwise_right_shift(const Operand& x, const Operand& bits) {
  const Shifted s("bitwise_right_shift", x, bits);
  const Tensor inside = (s.bits >= 0) & (s.bits < 63);
  const Tensor quotient = floor_divide(s.x, pow(2, where(inside, s.bits, 0)));
  return cast(where(inside, quotient, where(s.x < 0, -1, 0)), s.dtype);
}

}  // namespace glia
