// Probabilities beyond a value, and values of a probability.
#pragma once

namespace glia::classic {

// Of a standard normal z or of Student's t: both tails together, for |value|. 0 for infinite and
// NaN for NaN values or degrees of freedom of at most 0.
double normal_two_tails(double z);
double t_two_tails(double t, double df);
double f_upper_tail(double f, double df1, double df2);
double chi2_upper_tail(double x, double df);
// Where the distribution function is p.
double normal_quantile(double p);
double t_quantile(double p, double df);
double chi2_quantile(double p, double df);

}  // namespace glia::classic
