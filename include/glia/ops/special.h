// Elementwise functions beyond arithmetic: trigonometry, special functions, parts of numbers, bits
// and comparisons. Operands broadcast and promote; integers become f32 where a result is no
// integer.
#pragma once

#include <functional>
#include <optional>

#include "glia/ops.h"

namespace glia {

// ---- Trigonometry, hyperbolic functions, other bases ------------------------------------------

Tensor tan(const Operand& x);
Tensor asin(const Operand& x);
Tensor acos(const Operand& x);
Tensor atan(const Operand& x);
Tensor sinh(const Operand& x);
Tensor cosh(const Operand& x);
Tensor asinh(const Operand& x);
Tensor acosh(const Operand& x);
Tensor atanh(const Operand& x);
Tensor log2(const Operand& x);
Tensor log10(const Operand& x);
Tensor exp2(const Operand& x);
Tensor rad2deg(const Operand& x);
Tensor deg2rad(const Operand& x);
// sin(pi x) / (pi x), and 1 at 0.
Tensor sinc(const Operand& x);
// sqrt(a^2 + b^2), which overflows only where it is too large itself; infinite if either is.
Tensor hypot(const Operand& a, const Operand& b);
// log(e^a + e^b) and log2(2^a + 2^b), where no power overflows.
Tensor logaddexp(const Operand& a, const Operand& b);
Tensor logaddexp2(const Operand& a, const Operand& b);
// a log(b) and a log1p(b): 0 where a is 0, unless b is NaN.
Tensor xlogy(const Operand& a, const Operand& b);
Tensor xlog1py(const Operand& a, const Operand& b);
// -x log(x): 0 at 0, minus infinity below.
Tensor entr(const Operand& x);
Tensor expit(const Operand& x);  // sigmoid
// log(x / (1 - x)). With eps, x is first clamped to [eps, 1 - eps]: its gradient is 0 outside.
Tensor logit(const Operand& x, std::optional<double> eps = {});

// ---- Special functions ------------------------------------------------------------------------
// Computed in f64 and rounded once; 16-bit floats in f32.

Tensor lgamma(const Operand& x);  // log |Gamma(x)|
// The logarithm of the multivariate gamma function of p >= 1 dimensions, for x > (p - 1) / 2.
Tensor mvlgamma(const Operand& x, int64_t p);
Tensor digamma(const Operand& x);
// The n-th derivative of digamma, n >= 0.
Tensor polygamma(int64_t n, const Operand& x);
// log B(a, b) = log(Gamma(a) Gamma(b) / Gamma(a + b)), for a, b > 0.
Tensor betaln(const Operand& a, const Operand& b);
// The incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x), for a, x >= 0. Their gradient
// by a has no further one by a.
Tensor gammainc(const Operand& a, const Operand& x);
Tensor gammaincc(const Operand& a, const Operand& x);
Tensor erfc(const Operand& x);    // 1 - erf(x), also where that is tiny
Tensor erfcx(const Operand& x);   // e^(x^2) erfc(x)
Tensor erfinv(const Operand& x);  // of [-1, 1]; NaN outside
// The normal distribution's cumulative function, its inverse and its logarithm.
Tensor ndtr(const Operand& x);
Tensor ndtri(const Operand& p);
Tensor log_ndtr(const Operand& x);
// Modified Bessel functions of the first kind, of order 0 and 1; with e, times e^-|x|.
Tensor i0(const Operand& x);
Tensor i0e(const Operand& x);
Tensor i1(const Operand& x);
Tensor i1e(const Operand& x);

// ---- Parts of numbers -------------------------------------------------------------------------

Tensor trunc(const Operand& x);
Tensor frac(const Operand& x);  // x - trunc(x)
// The remainder of the quotient cut off, with a's sign, as in C; integers divided by 0 give 0.
Tensor fmod(const Operand& a, const Operand& b);
Tensor copysign(const Operand& a, const Operand& b);
Tensor signbit(const Operand& x);  // also of -0
// The next number after a towards b. Has no gradient; of f32 and f64.
Tensor nextafter(const Operand& a, const Operand& b);
Tensor ldexp(const Operand& x, const Operand& n);  // x 2^n
// x = mantissa 2^exponent with 0.5 <= |mantissa| < 1; the exponent is i32.
struct FrexpResult {
  Tensor mantissa, exponent;
};
FrexpResult frexp(const Operand& x);
Tensor sgn(const Operand& x);  // sign
Tensor positive(const Operand& x);
Tensor true_divide(const Operand& a, const Operand& b);
Tensor float_power(const Operand& base, const Operand& exponent);  // in f64

// ---- Combinations -----------------------------------------------------------------------------

// start + weight (end - start), exact at both ends.
Tensor lerp(const Operand& start, const Operand& end, const Operand& weight);
Tensor addcmul(const Operand& x, const Operand& a, const Operand& b, const Number& value = 1);
Tensor addcdiv(const Operand& x, const Operand& a, const Operand& b, const Number& value = 1);
// The gradient is whole at the bound where that is a number.
Tensor clamp_min(const Operand& x, const Operand& low);
Tensor clamp_max(const Operand& x, const Operand& high);
// The larger and the smaller of both, a number where the other is NaN; at ties the gradient is a's.
Tensor fmax(const Operand& a, const Operand& b);
Tensor fmin(const Operand& a, const Operand& b);
// 0 below 0, `values` at 0, 1 above.
Tensor heaviside(const Operand& x, const Operand& values);
// f(x) where `condition` holds, else `otherwise`. f sees `inside` in place of every x that is not
// taken, so that a pole or NaN there reaches neither the value nor any gradient; `inside` must be a
// point at which f and its derivative are finite. where() alone lets 0 * inf through, as PyTorch's
// torch.where does.
Tensor where_safe(const Tensor& condition, const Tensor& x,
                  const std::function<Tensor(const Tensor&)>& f, const Operand& otherwise,
                  const Number& inside = 1, Where where = Where::current());

// ---- Comparisons ------------------------------------------------------------------------------

Tensor isinf(const Operand& x);
Tensor isposinf(const Operand& x);
Tensor isneginf(const Operand& x);
struct CloseOptions {
  double rtol = 1e-5, atol = 1e-8;
  bool equal_nan = false;
};
// |a - b| <= atol + rtol |b|; equal infinities are close.
Tensor isclose(const Operand& a, const Operand& b, const CloseOptions& options = {});
// Whether all are, computed at once.
bool allclose(const Tensor& a, const Tensor& b, const CloseOptions& options = {},
              Where where = Where::current());
// Whether both have the same shape and values (NaN differs from itself), computed at once.
bool equal(const Tensor& a, const Tensor& b, Where where = Where::current());
Tensor logical_and(const Operand& a, const Operand& b);
Tensor logical_or(const Operand& a, const Operand& b);
Tensor logical_xor(const Operand& a, const Operand& b);

// ---- Integers ---------------------------------------------------------------------------------

// By as many bits as the dtype has, or more: 0, or -1 for the right shift of what is negative. So
// does a negative shift.
Tensor bitwise_left_shift(const Operand& x, const Operand& bits);
Tensor bitwise_right_shift(const Operand& x, const Operand& bits);
Tensor gcd(const Operand& a, const Operand& b);  // not below 0; gcd(0, 0) = 0
Tensor lcm(const Operand& a, const Operand& b);

}  // namespace glia
