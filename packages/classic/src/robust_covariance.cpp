// FastMCD (Rousseeuw & Van Driessen 1999) and the ellipse that it gives.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "columns.h"
#include "fitted.h"
#include "glia/classic/covariance.h"
#include "glia/classic/metrics.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "linear.h"
#include "splits.h"
#include "tails.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Ellipse {
  Tensor location, covariance;
  double log_det = kInfinity;
  std::vector<int64_t> support;  // ascending
};

std::vector<double> distances(const Tensor& x, const Tensor& location, const Tensor& covariance) {
  const Tensor rest = x - location;
  return sum(matmul(rest, linalg::pinv(covariance, {.hermitian = true})) * rest, {1})
      .to_vector<double>();
}

// The `count` samples of least distance; the first of equal ones.
std::vector<int64_t> nearest(const std::vector<double>& distance, int64_t count) {
  std::vector<int64_t> order(distance.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::nth_element(
      order.begin(), order.begin() + count - 1, order.end(),
      [&](int64_t a, int64_t b) { return std::pair(distance[a], a) < std::pair(distance[b], b); });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

Ellipse around(const Tensor& x, std::vector<int64_t> support) {
  Ellipse e;
  const Tensor some = take(x, vector_of(support));
  e.location = mean(some, {0});
  const Tensor rest = some - e.location;
  e.covariance = matmul(transpose(rest), rest) / static_cast<double>(support.size());
  const linalg::SlogdetResult det = linalg::slogdet(e.covariance);
  eval({e.location, e.covariance, det.sign, det.logabsdet});
  e.log_det = det.sign.item() > 0 ? det.logabsdet.item() : -kInfinity;
  e.support = std::move(support);
  return e;
}

// Concentrates an ellipse until its determinant falls no more, or so many steps.
Ellipse concentrated(const Tensor& x, Ellipse now, int64_t steps) {
  const auto h = static_cast<int64_t>(now.support.size());
  while (steps-- > 0 && std::isfinite(now.log_det)) {
    Ellipse next = around(x, nearest(distances(x, now.location, now.covariance), h));
    if (!(next.log_det < now.log_det)) break;
    now = std::move(next);
  }
  return now;
}

void keep_best(std::vector<Ellipse>& all, size_t count) {
  std::stable_sort(all.begin(), all.end(),
                   [](const Ellipse& a, const Ellipse& b) { return a.log_det < b.log_det; });
  all.resize(std::min(count, all.size()));
}

// The best of so many draws of h samples, after two steps each.
std::vector<Ellipse> drawn(const Tensor& x, int64_t h, int64_t trials, size_t best,
                           data::Random& random) {
  std::vector<Ellipse> all;
  for (int64_t t = 0; t < trials; ++t) {
    std::vector<int64_t> support = permutation(x.size(0), random);
    support.resize(static_cast<size_t>(h));
    std::sort(support.begin(), support.end());
    all.push_back(concentrated(x, around(x, std::move(support)), 2));
    keep_best(all, best);
  }
  return all;
}

// The same ellipses as beginnings for other samples, taken to the end.
std::vector<Ellipse> carried(const Tensor& x, int64_t h, const std::vector<Ellipse>& from,
                             size_t best) {
  std::vector<Ellipse> all;
  for (const Ellipse& e : from)
    all.push_back(
        concentrated(x, around(x, nearest(distances(x, e.location, e.covariance), h)), 30));
  keep_best(all, best);
  return all;
}

// Of one feature: the shortest interval that holds h samples, the middle of several.
Ellipse shortest_half(const Tensor& x, int64_t h) {
  const int64_t n = x.size(0);
  const auto values = x.to_vector<double>();
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(values.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  if (h >= n) return around(x, all);
  double least = kInfinity, sum = 0, count = 0;
  for (int64_t i = 0; i + h < n; ++i) {
    const double width = sorted[i + h] - sorted[i];
    if (width < least) least = width, sum = count = 0;
    if (width == least) sum += 0.5 * (sorted[i + h] + sorted[i]), count += 1;
  }
  const double middle = sum / count;
  std::vector<double> off;
  for (const double v : values) off.push_back(std::abs(v - middle));
  Ellipse e = around(x, nearest(off, h));
  e.location = full({1}, middle, kF64);
  return e;
}

Ellipse least_ellipse(const Tensor& x, int64_t h, uint64_t seed) {
  const int64_t n = x.size(0);
  if (x.size(1) == 1) return shortest_half(x, h);
  data::Random random(seed);
  if (n <= 500) return carried(x, h, drawn(x, h, 30, 10, random), 1)[0];
  // Of many samples: parts of about 300, what is best in them on 1500, and the best of that on all.
  const int64_t parts = n / 300, size = n / parts;
  const auto share = static_cast<double>(h) / static_cast<double>(n);
  const auto of = [&](int64_t count) {
    return static_cast<int64_t>(std::ceil(static_cast<double>(count) * share));
  };
  const std::vector<int64_t> order = permutation(n, random);
  std::vector<Ellipse> best;
  for (int64_t p = 0; p < parts; ++p) {
    const auto begin = order.begin() + p * size;
    const Tensor some = take(x, vector_of(std::vector<int64_t>(begin, begin + size)));
    for (Ellipse& e : drawn(some, of(size), std::max<int64_t>(10, 500 / parts), 10, random))
      best.push_back(std::move(e));
  }
  std::vector<int64_t> merged = permutation(n, random);
  merged.resize(static_cast<size_t>(std::min<int64_t>(1500, n)));
  const Tensor some = take(x, vector_of(merged));
  best = carried(some, of(some.size(0)), best, 10);
  return carried(x, h, best, 1)[0];
}

// What makes the covariance of the inner share of normal samples that of all (Croux & Haesbroeck
// 1999).
double consistency(int64_t d, double share) {
  const auto df = static_cast<double>(d);
  if (share >= 1) return 1;
  return share / (1 - chi2_upper_tail(chi2_quantile(share, df), df + 2));
}

Tensor flags(const std::vector<int64_t>& positions, int64_t n) {
  std::vector<int64_t> is(static_cast<size_t>(n));
  for (const int64_t i : positions) is[i] = 1;
  return vector_of(is);
}

}  // namespace

std::vector<Param> MinCovDet::params() {
  return {{"assume_centered", &options_.assume_centered},
          {"support_fraction", &options_.support_fraction},
          {"random_state", &options_.random_state}};
}

std::vector<FittedAttribute> MinCovDet::attributes() {
  std::vector<FittedAttribute> all = CovarianceEstimator::attributes();
  all.push_back({"raw_location", &raw_location, {-2}});
  all.push_back({"raw_covariance", &raw_covariance, {-2, -2}});
  all.push_back({"raw_support", &raw_support, {-1}, kI64});
  all.push_back({"support", &support, {-1}, kI64});
  all.push_back({"dist", &dist, {-1}});
  return all;
}

MinCovDet& MinCovDet::fit(const Tensor& x, const Tensor&, const Tensor& weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const auto& fraction = options_.support_fraction;
  if (fraction)
    require_option(*fraction > 0 && *fraction <= 1, op, "support_fraction", *fraction, where);
  refuse_sample_weight(op, weight, where);
  const Tensor given = cast(check_x(op, x, where), kF64);
  const int64_t n = given.size(0), d = given.size(1);
  if (n < 2) throw ValueError(op + ": one sample has no covariance", where);
  const auto h = fraction ? static_cast<int64_t>(*fraction * static_cast<double>(n))
                          : std::min((n + d + 2) / 2, n);
  if (h < 2)
    throw ValueError(op + ": support_fraction leaves " + std::to_string(h) + " samples", where);
  Ellipse raw = least_ellipse(given, h, options_.random_state);
  if (options_.assume_centered) {
    const Tensor some = take(given, vector_of(raw.support));
    raw.location = zeros({d}, kF64);
    raw.covariance = matmul(transpose(some), some) / static_cast<double>(h);
  }
  if (h < n && !any(abs(raw.covariance) > 1e-8).item<bool>())
    throw ValueError(op + ": most samples are the same, so that their covariance is 0; a larger "
                          "support_fraction may help",
                     where);
  const double factor = consistency(d, static_cast<double>(h) / static_cast<double>(n));
  const auto off = distances(given, raw.location, raw.covariance);
  const double limit = chi2_quantile(0.975, static_cast<double>(d)) * factor;
  std::vector<int64_t> inner;
  for (int64_t i = 0; i < n; ++i)
    if (off[i] < limit) inner.push_back(i);
  const Tensor some = take(given, vector_of(inner));
  const Tensor centre = options_.assume_centered ? raw.location : mean(some, {0});
  const Tensor rest = some - centre;
  const Tensor cov = matmul(transpose(rest), rest) / static_cast<double>(inner.size());
  set_covariance(centre, cov * consistency(d, 0.975));
  raw_location = raw.location;
  raw_covariance = raw.covariance;
  raw_support = flags(raw.support, n);
  support = flags(inner, n);
  dist = mahalanobis(given, where);
  eval({raw_location, raw_covariance, dist});
  return *this;
}

// ---- EllipticEnvelope ---------------------------------------------------------------------------

std::vector<Param> EllipticEnvelope::params() {
  std::vector<Param> all = MinCovDet::params();
  all.emplace_back("contamination", &contamination_);
  return all;
}

std::vector<FittedAttribute> EllipticEnvelope::attributes() {
  std::vector<FittedAttribute> all = MinCovDet::attributes();
  all.push_back({"offset", &offset, {}});
  return all;
}

EllipticEnvelope& EllipticEnvelope::fit(const Tensor& x, const Tensor& y, const Tensor& weight,
                                        Where where) {
  require_option(contamination_ > 0 && contamination_ <= 0.5, "EllipticEnvelope.fit",
                 "contamination", contamination_, where);
  MinCovDet::fit(x, y, weight, where);
  std::vector<double> scores = (-dist).to_vector<double>();
  std::sort(scores.begin(), scores.end());
  offset = quantile(scores, contamination_);
  return *this;
}

Tensor EllipticEnvelope::score_samples(const Tensor& x, Where where) const {
  return -mahalanobis(x, where);
}

Tensor EllipticEnvelope::decision_function(const Tensor& x, Where where) const {
  return score_samples(x, where) - offset;
}

Tensor EllipticEnvelope::predict(const Tensor& x, Where where) const {
  return cast(decision_function(x, where) >= 0.0, kI64) * 2 - 1;
}

double EllipticEnvelope::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                               Where where) const {
  return accuracy_score(y, predict(x, where), sample_weight, where);
}

}  // namespace glia::classic
