#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "checks.h"
#include "glia/classic/linear_regression.h"
#include "glia/ops.h"
#include "least_squares.h"
#include "tails.h"

namespace glia::classic {
namespace {

std::vector<double> one_variable(const char* op, const Tensor& x, Where where) {
  if (!x.defined() || x.rank() != 1 || x.numel() == 0)
    throw ShapeError(
        std::string(op) + ": x is (samples), not " + (x.defined() ? x.shape().str() : "undefined"),
        where);
  return check_targets(op, x, x.size(0), where).to_vector<double>();
}

Twofold mean_of(const std::vector<double>& x) {
  Twofold sum;
  for (const double one : x) sum = sum + Twofold{one};
  return quotient(sum, static_cast<double>(x.size()));
}

Twofold squares_around(const std::vector<double>& x, Twofold center) {
  Twofold sum;
  for (const double one : x) {
    const Twofold d = Twofold{one} + -center;
    sum = sum + d * d;
  }
  return sum;
}

}  // namespace

UnivariateStatistics describe(const Tensor& x, Where where) {
  const NoGrad no_grad;
  const std::vector<double> values = one_variable("describe", x, where);
  const double n = static_cast<double>(values.size());
  const Twofold mean = mean_of(values), squares = squares_around(values, mean);
  Twofold products;
  for (size_t i = 1; i < values.size(); ++i)
    products = products + (Twofold{values[i]} + -mean) * (Twofold{values[i - 1]} + -mean);
  const auto ends = std::minmax_element(values.begin(), values.end());
  return {.nobs = n,
          .mean = mean.high,
          .std = std::sqrt(squares.high / (n - 1)),
          .autocorrelation = products.high / squares.high,
          .min = *ends.first,
          .max = *ends.second};
}

AnovaResults anova_oneway(const Tensor& y, const Tensor& groups, Where where) {
  const NoGrad no_grad;
  const std::vector<double> values = one_variable("anova_oneway", y, where);
  const int64_t n = static_cast<int64_t>(values.size());
  const ClassTargets of = check_classes("anova_oneway: groups", groups, n, where);
  const std::vector<int64_t> codes = of.codes.to_vector<int64_t>();
  std::vector<std::vector<double>> parts(static_cast<size_t>(of.classes.size(0)));
  for (int64_t i = 0; i < n; ++i) parts[codes[i]].push_back(values[i]);
  const double k = static_cast<double>(parts.size());
  if (parts.size() < 2) throw ValueError("anova_oneway: there is one group only", where);

  const Twofold mean = mean_of(values);
  Twofold between, within;
  for (const std::vector<double>& part : parts) {
    const Twofold own = mean_of(part), d = own + -mean;
    between = between + d * d * Twofold{static_cast<double>(part.size())};
    within = within + squares_around(part, own);
  }
  AnovaResults r{.df_between = k - 1, .df_within = static_cast<double>(n) - k};
  r.ss_between = between.high;
  r.ss_within = within.high;
  r.ms_between = r.ss_between / r.df_between;
  r.ms_within = r.ss_within / r.df_within;
  r.fvalue = r.ms_between / r.ms_within;
  r.pvalue = f_upper_tail(r.fvalue, r.df_between, r.df_within);
  const Twofold whole = between + within;
  r.rsquared = between.high / whole.high;
  r.residual_std = std::sqrt(r.ms_within);
  return r;
}

}  // namespace glia::classic
