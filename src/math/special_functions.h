// Functions of single numbers in f64 beyond those of ops/special_functions.h.
#pragma once

namespace glia::special {

double betainc(double a, double b, double x);
double betaincinv(double a, double b, double p);
double gammaincinv(double a, double p);
double gammainccinv(double a, double q);
// The derivative of I_x(a, b) by a; by b it is minus that of I_(1 - x)(b, a) by its first.
double betainc_by_a(double a, double b, double x);
// log I_n(x) for whole n and x >= 0.
double log_iv(double n, double x);
// The probability of at most k for the difference of two Poisson variables.
double skellam_below(double k, double rate1, double rate2);
// The probability of at most x for Student's variable.
double student_t_below(double df, double x);
// The probability of [-pi, x] under von Mises's distribution around 0, for x in [-pi, pi].
double von_mises_below(double concentration, double x);
double von_mises_at(double concentration, double p);

}  // namespace glia::special
