// Special functions of single numbers in f64, within a few units of the last place unless said.
#pragma once

#include <cstdint>

namespace glia::special {

double lgamma(double x);   // log |Gamma(x)|; unlike std::lgamma it writes no global
double digamma(double x);  // absolutely near its zeros
// The n-th derivative of digamma, n >= 1.
double polygamma(int64_t n, double x);
double erfcx(double x);  // e^(x^2) erfc(x)
double erfinv(double y);
double ndtri(double p);
double log_ndtr(double x);
// Modified Bessel functions of the first kind, of order 0 or 1, with e times e^-|x|.
double i0(double x);
double i0e(double x);
double i1(double x);
double i1e(double x);
// The incomplete gamma functions P and Q.
double gammainc(double a, double x);
double gammaincc(double a, double x);
// The derivative of P(a, x) by a.
double gammainc_by_a(double a, double x);
// By a, of the logarithm of that x where P(a, x) stays the same.
double gamma_slope(double a, double log_x);

}  // namespace glia::special
