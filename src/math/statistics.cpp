#include "glia/math/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "glia/math/summation.h"
#include "glia/op.h"
#include "math/vectors.h"

namespace glia::statistics {
namespace {

double exact_sum(const Vector& x) { return stable_sum(x, SumMethod::kExact); }

Vector numbers_of(const char* name, const Tensor& x, size_t least, const Where& where) {
  require_defined(name, x, where);
  const Vector v = x.to_vector<double>();
  if (v.size() < least)
    throw ValueError(fmt::format("{}: {} numbers, {} are needed", name, v.size(), least), where);
  if (std::any_of(v.begin(), v.end(), [](double one) { return std::isnan(one); }))
    throw ValueError(fmt::format("{}: the numbers have NaN", name), where);
  return v;
}

// A mean in two parts: `high` as it is rounded, and what that leaves.
struct Mean {
  double high = 0, low = 0;
};
Mean mean_of(const Vector& x) {
  Vector terms = x;
  Mean m;
  const auto n = static_cast<double>(x.size());
  m.high = exact_sum(terms) / n;
  for (double& v : terms) v -= m.high;
  m.low = exact_sum(terms) / n;
  return m;
}
Vector deviations(const Vector& x, const Mean& m) {
  Vector d(x);
  for (double& v : d) v = (v - m.high) - m.low;
  return d;
}
double sum_of_powers(const Vector& d, int power) {
  Vector terms(d);
  for (size_t i = 0; i < d.size(); ++i) terms[i] = std::pow(d[i], power);
  return exact_sum(terms);
}

}  // namespace

DescribeResult describe(const Tensor& a, int64_t ddof, Where where) {
  const Vector x = numbers_of("describe", a, 1, where);
  const Mean m = mean_of(x);
  const Vector d = deviations(x, m);
  DescribeResult r;
  r.nobs = static_cast<int64_t>(x.size());
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  r.min = *low, r.max = *high;
  r.mean = m.high + m.low;
  const auto n = static_cast<double>(r.nobs);
  const double squares = sum_of_powers(d, 2);
  r.variance = r.nobs > ddof ? squares / static_cast<double>(r.nobs - ddof) : NAN;
  r.std = std::sqrt(r.variance);
  const double second = squares / n;
  // Of numbers that are equal but for rounding there is no shape.
  const bool flat = second <= std::pow(0x1p-52 * r.mean, 2);
  r.skewness = flat ? NAN : sum_of_powers(d, 3) / n / std::pow(second, 1.5);
  r.kurtosis = flat ? NAN : sum_of_powers(d, 4) / n / (second * second) - 3;
  return r;
}

double autocorrelation(const Tensor& x, int64_t lag, Where where) {
  const Vector v = numbers_of("autocorrelation", x, 1, where);
  const auto n = static_cast<int64_t>(v.size());
  if (x.rank() != 1) fail("autocorrelation", "x is (N), not " + x.shape().str(), where);
  if (lag < 0 || lag >= n)
    throw ValueError(fmt::format("autocorrelation: the lag is {} of {} numbers", lag, n), where);
  const Vector d = deviations(v, mean_of(v));
  Vector products(static_cast<size_t>(n - lag));
  for (int64_t i = 0; i < n - lag; ++i) products[i] = d[i] * d[i + lag];
  return exact_sum(products) / sum_of_powers(d, 2);
}

AnovaResult f_oneway(const std::vector<Tensor>& samples, Where where) {
  if (samples.size() < 2)
    fail("f_oneway", fmt::format("{} samples, 2 are needed", samples.size()), where);
  std::vector<Vector> groups;
  Vector all;
  for (const Tensor& s : samples) {
    groups.push_back(numbers_of("f_oneway", s, 1, where));
    all.insert(all.end(), groups.back().begin(), groups.back().end());
  }
  AnovaResult r;
  r.df_between = static_cast<int64_t>(groups.size()) - 1;
  r.df_within = static_cast<int64_t>(all.size() - groups.size());
  if (r.df_within < 1)
    throw ValueError("f_oneway: each sample has one number, so nothing varies within", where);
  const Mean whole = mean_of(all);
  Vector between, within;
  for (const Vector& g : groups) {
    const Mean m = mean_of(g);
    const double off = (m.high - whole.high) + (m.low - whole.low);
    between.push_back(static_cast<double>(g.size()) * off * off);
    for (double d : deviations(g, m)) within.push_back(d * d);
  }
  r.ss_between = exact_sum(between), r.ss_within = exact_sum(within);
  const auto b = static_cast<double>(r.df_between), w = static_cast<double>(r.df_within);
  r.ms_between = r.ss_between / b, r.ms_within = r.ss_within / w;
  r.statistic = r.ms_between / r.ms_within;  // infinite where nothing varies within
  r.r_squared = r.ss_between / (r.ss_between + r.ss_within);
  r.residual_std = std::sqrt(r.ms_within);
  r.pvalue = std::isnan(r.statistic) ? NAN
             : std::isinf(r.statistic)
                 ? 0
                 : boost::math::ibeta(w / 2, b / 2, w / (w + b * r.statistic));
  return r;
}

}  // namespace glia::statistics
