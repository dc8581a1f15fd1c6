#include "tails.h"
#include "nan.h"

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace glia::classic {
namespace {

// Beyond a finite value as the distribution says.
template <class Distribution>
double beyond(const Distribution& distribution, double value) {
  return boost::math::cdf(boost::math::complement(distribution, value));
}

}  // namespace

double normal_two_tails(double z) { return std::erfc(std::abs(z) / std::sqrt(2.0)); }

double t_two_tails(double t, double df) {
  if (std::isnan(t) || !(df > 0)) return kNaN;
  if (std::isinf(t)) return 0;
  return 2 * beyond(boost::math::students_t(df), std::abs(t));
}

double f_upper_tail(double f, double df1, double df2) {
  if (std::isnan(f) || !(df1 > 0) || !(df2 > 0)) return kNaN;
  if (std::isinf(f)) return f > 0 ? 0 : 1;
  return f <= 0 ? 1 : beyond(boost::math::fisher_f(df1, df2), f);
}

double chi2_upper_tail(double x, double df) {
  if (std::isnan(x) || !(df > 0)) return kNaN;
  if (std::isinf(x)) return x > 0 ? 0 : 1;
  return x <= 0 ? 1 : beyond(boost::math::chi_squared(df), x);
}

double normal_quantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

double t_quantile(double p, double df) {
  return df > 0 ? boost::math::quantile(boost::math::students_t(df), p) : kNaN;
}

double chi2_quantile(double p, double df) {
  return df > 0 ? boost::math::quantile(boost::math::chi_squared(df), p) : kNaN;
}

}  // namespace glia::classic
