#include <algorithm>
#include <cmath>
#include <functional>

#include "checks.h"
#include "columns.h"
#include "glia/classic/preprocessing.h"
#include "glia/ops.h"

namespace glia::classic {

// ---- PolynomialFeatures -----------------------------------------------------------------------

namespace {

constexpr int64_t kMostOutputs = int64_t{1} << 24;

}  // namespace

std::vector<Param> PolynomialFeatures::params() {
  return {{"degree", &options_.degree},
          {"min_degree", &options_.min_degree},
          {"interaction_only", &options_.interaction_only},
          {"include_bias", &options_.include_bias}};
}

PolynomialFeatures& PolynomialFeatures::fit(const Tensor& x, const Tensor& /*y*/,
                                            const Tensor& /*sample_weight*/, Where where) {
  const char* op = "PolynomialFeatures.fit";
  if (options_.min_degree < 0 || options_.degree < options_.min_degree ||
      (options_.degree == 0 && !options_.include_bias))
    throw ValueError(std::string(op) + ": min_degree = " + std::to_string(options_.min_degree) +
                         " and degree = " + std::to_string(options_.degree),
                     where);
  const int64_t d = check_x(op, x, where).size(1);
  std::vector<int64_t> all, one(static_cast<size_t>(d));
  int64_t outputs = 0;
  // Products of `left` more features from `first` on.
  const std::function<void(int64_t, int64_t)> add = [&](int64_t first, int64_t left) {
    if (left == 0) {
      all.insert(all.end(), one.begin(), one.end());
      if (++outputs * d > kMostOutputs)
        throw ValueError(std::string(op) + ": degree = " + std::to_string(options_.degree) +
                             " of " + std::to_string(d) + " features makes too many",
                         where);
      return;
    }
    for (int64_t j = first; j < d; ++j) {
      ++one[static_cast<size_t>(j)];
      add(options_.interaction_only ? j + 1 : j, left - 1);
      --one[static_cast<size_t>(j)];
    }
  };
  if (options_.include_bias) add(0, 0);
  for (int64_t degree = std::max<int64_t>(1, options_.min_degree); degree <= options_.degree;
       ++degree)
    add(0, degree);
  powers = from_vector(all, {outputs, d});
  n_features_in = d;
  return *this;
}

Tensor PolynomialFeatures::transform(const Tensor& x, Where where) const {
  const Features given =
      features_of("PolynomialFeatures.transform", x, false, n_features_in, where);
  const auto exponents = powers.to_vector<int64_t>();
  Features out{.values = {}, .rows = given.rows, .columns = powers.size(0), .dtype = given.dtype};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t k = 0; k < out.columns; ++k) {
    std::vector<int64_t> factors;
    for (int64_t j = 0; j < given.columns; ++j)
      factors.insert(factors.end(),
                     static_cast<size_t>(exponents[static_cast<size_t>(k * given.columns + j)]), j);
    for (int64_t i = 0; i < given.rows; ++i) {
      double product = 1;
      for (const int64_t j : factors) product *= given.at(i, j);
      out.at(i, k) = product;
    }
  }
  return out.tensor();
}

StateDict PolynomialFeatures::state_dict(Where where) const {
  require_fitted("PolynomialFeatures.state_dict", fitted(), where);
  return {{"powers", powers}};
}

void PolynomialFeatures::load_state_dict(const StateDict& state, Where where) {
  StateReader read("PolynomialFeatures", state, where);
  const Tensor exponents = read.take("powers", kI64, {-1, -1});
  read.finish();
  for (const int64_t e : exponents.to_vector<int64_t>())
    if (e < 0 || e > options_.degree)
      throw Error("PolynomialFeatures.load_state_dict: powers has " + std::to_string(e), where);
  powers = exponents;
  n_features_in = exponents.size(1);
}

// ---- SplineTransformer ------------------------------------------------------------------------

namespace {

// The B-splines of one feature (de Boor 1978): `t` are all knots, `k` the degree.
struct Splines {
  std::vector<double> t;
  int64_t k;

  int64_t count() const { return static_cast<int64_t>(t.size()) - k - 1; }
  double low() const { return t[static_cast<size_t>(k)]; }
  double high() const { return t[t.size() - static_cast<size_t>(k) - 1]; }

  // Those that are not 0 between knots m and m + 1, k + 1 of them, as polynomials there; `first` is
  // the number of the first.
  std::vector<double> at(double x, int64_t degree, int64_t& first) const {
    int64_t m = std::upper_bound(t.begin(), t.end(), x) - t.begin() - 1;
    m = std::clamp(m, k, static_cast<int64_t>(t.size()) - k - 2);
    std::vector<double> b = {1};
    for (int64_t d = 1; d <= degree; ++d) {
      std::vector<double> next(static_cast<size_t>(d) + 1);
      for (int64_t r = 0; r < d; ++r) {
        const double left = t[static_cast<size_t>(m - d + 1 + r)];
        const double right = t[static_cast<size_t>(m + 1 + r)];
        const double share = right > left ? (x - left) / (right - left) : 0;
        next[static_cast<size_t>(r)] += (1 - share) * b[static_cast<size_t>(r)];
        next[static_cast<size_t>(r) + 1] += share * b[static_cast<size_t>(r)];
      }
      b = std::move(next);
    }
    first = m - degree;
    return b;
  }

  // All of them, 0 elsewhere.
  std::vector<double> values(double x) const {
    int64_t first = 0;
    const std::vector<double> b = at(x, k, first);
    std::vector<double> out(static_cast<size_t>(count()));
    std::copy(b.begin(), b.end(), out.begin() + first);
    return out;
  }
  std::vector<double> slopes(double x) const {
    std::vector<double> out(static_cast<size_t>(count()));
    if (k == 0) return out;
    int64_t first = 0;
    const std::vector<double> b = at(x, k - 1, first);
    for (int64_t r = 0; r < k; ++r) {
      const int64_t i = first + r;  // of degree k - 1
      const double span = t[static_cast<size_t>(i + k)] - t[static_cast<size_t>(i)];
      const double part = span > 0 ? static_cast<double>(k) * b[static_cast<size_t>(r)] / span : 0;
      out[static_cast<size_t>(i)] += part;
      out[static_cast<size_t>(i) - 1] -= part;
    }
    return out;
  }
};

}  // namespace

std::vector<Param> SplineTransformer::params() {
  return {{"n_knots", &options_.n_knots},
          {"degree", &options_.degree},
          {"knots", &options_.knots, {"uniform", "quantile"}},
          {"extrapolation",
           &options_.extrapolation,
           {"error", "constant", "linear", "continue", "periodic"}},
          {"include_bias", &options_.include_bias}};
}

SplineTransformer& SplineTransformer::fit(const Tensor& x, const Tensor& /*y*/,
                                          const Tensor& sample_weight, Where where) {
  const char* op = "SplineTransformer.fit";
  refuse_sample_weight(op, sample_weight, where);
  const int64_t n = options_.n_knots, k = options_.degree;
  const bool periodic = options_.extrapolation == SplineExtrapolation::kPeriodic;
  if (n < 2 || k < 0 || n > 1 << 20 || k > 64 || (periodic && n <= k))
    throw ValueError(
        std::string(op) + ": n_knots = " + std::to_string(n) + " and degree = " + std::to_string(k),
        where);
  const Features given = features_of(op, x, false, -1, where);
  if (given.rows < 2) throw ValueError(std::string(op) + ": one sample has no range", where);
  Features out{.values = {}, .rows = n + 2 * k, .columns = given.columns, .dtype = kF64};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t j = 0; j < given.columns; ++j) {
    const std::vector<double> seen = given.present(j);
    std::vector<double> base = linspace(seen.front(), seen.back(), n), all;
    if (options_.knots == SplineKnots::kQuantile)
      for (double& knot : base)
        knot =
            quantile(seen, static_cast<double>(&knot - base.data()) / static_cast<double>(n - 1));
    const auto at = [&](int64_t i) { return base[static_cast<size_t>(i)]; };
    const double period = at(n - 1) - at(0), before = at(1) - at(0), after = at(n - 1) - at(n - 2);
    for (int64_t i = k; i > 0; --i)
      all.push_back(periodic ? at(n - 1 - i) - period : at(0) - static_cast<double>(i) * before);
    all.insert(all.end(), base.begin(), base.end());
    for (int64_t i = 1; i <= k; ++i)
      all.push_back(periodic ? at(i) + period : at(n - 1) + static_cast<double>(i) * after);
    for (int64_t i = 0; i < out.rows; ++i) out.at(i, j) = all[static_cast<size_t>(i)];
  }
  knots = out.tensor();
  n_features_in = given.columns;
  return *this;
}

Tensor SplineTransformer::transform(const Tensor& x, Where where) const {
  const char* op = "SplineTransformer.transform";
  const Features given = features_of(op, x, false, n_features_in, where);
  const auto all = knots.to_vector<double>();
  const SplineExtrapolation beyond = options_.extrapolation;
  const bool periodic = beyond == SplineExtrapolation::kPeriodic;
  const int64_t k = options_.degree, splines = knots.size(0) - k - 1 - (periodic ? k : 0);
  const int64_t kept = splines - (options_.include_bias ? 0 : 1);
  Features out{
      .values = {}, .rows = given.rows, .columns = given.columns * kept, .dtype = given.dtype};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t j = 0; j < given.columns; ++j) {
    Splines s{{}, k};
    for (int64_t i = 0; i < knots.size(0); ++i)
      s.t.push_back(all[static_cast<size_t>(i * given.columns + j)]);
    const double low = s.low(), high = s.high();
    for (int64_t i = 0; i < given.rows; ++i) {
      double v = given.at(i, j);
      const bool outside = v < low || v > high;
      if (outside && beyond == SplineExtrapolation::kError)
        throw ValueError(std::string(op) + ": " + std::to_string(v) + " of feature " +
                             std::to_string(j) + " is beyond the knots",
                         where);
      std::vector<double> b;
      if (outside && beyond == SplineExtrapolation::kConstant) {
        b = s.values(v < low ? low : high);
      } else if (outside && beyond == SplineExtrapolation::kLinear) {
        const double end = v < low ? low : high;
        b = s.values(end);
        const std::vector<double> slope = s.slopes(end);
        for (size_t c = 0; c < b.size(); ++c) b[c] += (v - end) * slope[c];
      } else {
        if (periodic && high > low)
          v = low + (v - low) - (high - low) * std::floor((v - low) / (high - low));
        b = s.values(periodic && !(high > low) ? 0 : v);
      }
      if (periodic)
        for (int64_t c = 0; c < k; ++c)
          b[static_cast<size_t>(c)] += b[static_cast<size_t>(splines + c)];
      for (int64_t c = 0; c < kept; ++c) out.at(i, j * kept + c) = b[static_cast<size_t>(c)];
    }
  }
  return out.tensor();
}

StateDict SplineTransformer::state_dict(Where where) const {
  require_fitted("SplineTransformer.state_dict", fitted(), where);
  return {{"knots", knots}};
}

void SplineTransformer::load_state_dict(const StateDict& state, Where where) {
  StateReader read("SplineTransformer", state, where);
  const Tensor given = read.take("knots", kF64, {options_.n_knots + 2 * options_.degree, -1});
  read.finish();
  if (options_.n_knots < 2 || options_.degree < 0)
    throw Error("SplineTransformer.load_state_dict: it has no knots", where);
  knots = given;
  n_features_in = given.size(1);
}

}  // namespace glia::classic
