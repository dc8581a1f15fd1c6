// The functions of glia/ops/special.h that take one operand, and two, and nothing else.
#pragma once

// clang-format off
#define FUNCTIONS_OF_ONE(ONE)                                                              \
  ONE(tan), ONE(asin), ONE(acos), ONE(atan), ONE(sinh), ONE(cosh), ONE(asinh), ONE(acosh), \
  ONE(atanh), ONE(log2), ONE(log10), ONE(exp2), ONE(rad2deg), ONE(deg2rad), ONE(sinc),     \
  ONE(entr), ONE(expit), ONE(lgamma), ONE(digamma), ONE(erfc), ONE(erfcx), ONE(erfinv),    \
  ONE(ndtr), ONE(ndtri), ONE(log_ndtr), ONE(i0), ONE(i0e), ONE(i1), ONE(i1e), ONE(trunc),  \
  ONE(frac), ONE(signbit), ONE(sgn), ONE(isinf), ONE(isposinf), ONE(isneginf)
#define FUNCTIONS_OF_TWO(TWO)                                                              \
  TWO(hypot), TWO(logaddexp), TWO(logaddexp2), TWO(xlogy), TWO(xlog1py), TWO(fmod),        \
  TWO(copysign), TWO(nextafter), TWO(true_divide), TWO(float_power), TWO(fmax), TWO(fmin), \
  TWO(logical_and), TWO(logical_or), TWO(logical_xor), TWO(bitwise_left_shift),            \
  TWO(bitwise_right_shift), TWO(gcd), TWO(lcm)
// clang-format on
