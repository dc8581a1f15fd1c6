// Thresholds for each group.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "glia/fairness/mitigation.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "groups.h"

namespace glia::fairness {
namespace {

using Operation = ThresholdOptimizer::Operation;

// How many of each class get 1, of how many.
struct Counts {
  double positives = 0, negatives = 0, true_positives = 0, false_positives = 0;
};

double rate_of(Constraint constraint, const Counts& c) {
  switch (constraint) {
    case Constraint::kTruePositiveRateParity:
      return c.true_positives / c.positives;
    case Constraint::kFalsePositiveRateParity:
    case Constraint::kEqualizedOdds:
      return c.false_positives / c.negatives;
    default:
      return (c.true_positives + c.false_positives) / (c.positives + c.negatives);
  }
}

double value_of(Objective objective, const Counts& c) {
  const double right = c.negatives - c.false_positives;
  if (objective == Objective::kAccuracy)
    return (c.true_positives + right) / (c.positives + c.negatives);
  return 0.5 * c.true_positives / c.positives + 0.5 * right / c.negatives;
}

struct Point {
  double x = 0, y = 0;
  Operation operation;
};

// What each threshold reaches, and the upper hull of that.
template <class X, class Y>
std::vector<Point> hull(const std::vector<std::pair<double, int64_t>>& falling, const Counts& all,
                        bool flip, X&& x_of, Y&& y_of) {
  std::vector<Point> points;
  Counts at = all;
  at.true_positives = at.false_positives = 0;
  const auto add = [&](double threshold) {
    const auto point = [&](const Counts& c, bool above) {
      points.push_back({x_of(c), y_of(c), {threshold, above}});
    };
    point(at, true);
    if (!flip) return;
    Counts other = at;
    other.true_positives = all.positives - at.true_positives;
    other.false_positives = all.negatives - at.false_positives;
    point(other, false);
  };
  add(std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < falling.size();) {
    const double score = falling[i].first;
    for (; i < falling.size() && falling[i].first == score; ++i)
      ++(falling[i].second ? at.true_positives : at.false_positives);
    add(i < falling.size() ? (score + falling[i].first) / 2
                           : -std::numeric_limits<double>::infinity());
  }
  std::ranges::stable_sort(
      points, [](const Point& a, const Point& b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
  std::vector<Point> out;
  for (const Point& p : points) {
    while (out.size() >= 2) {
      const Point &b = out.back(), &a = out[out.size() - 2];
      if ((b.y - a.y) * (p.x - a.x) > (p.y - a.y) * (b.x - a.x)) break;
      out.pop_back();
    }
    out.push_back(p);
  }
  return out;
}

// A point of the hull by its x: which two it lies between, and how near to the first.
struct Mix {
  double y, p0;
  Operation operation0, operation1;
};
Mix at(const std::vector<Point>& hull, double x, bool first) {
  auto next = std::ranges::upper_bound(hull, x, {}, &Point::x);
  auto i = static_cast<size_t>(next - hull.begin());
  i = i > 0 ? i - 1 : 0;
  if (!first && i > 0 && hull[i].x == x) --i;
  if (i + 1 >= hull.size()) --i;
  const Point &a = hull[i], &b = hull[i + 1];
  const double p0 = (b.x - x) / (b.x - a.x);
  return {p0 * a.y + (1 - p0) * b.y, p0, a.operation, b.operation};
}

double passes(const Operation& o, double score) {
  return o.above ? score > o.threshold : score < o.threshold;
}

}  // namespace

ThresholdOptimizer& ThresholdOptimizer::fit(const Tensor& scores, const Tensor& y,
                                            const Tensor& sensitive_features, Where where) {
  constexpr const char* kOp = "ThresholdOptimizer.fit";
  require_defined(kOp, scores, where);
  if (scores.rank() != 1 || scores.size(0) == 0)
    fail(kOp, "scores are (N), not " + scores.shape().str(), where);
  const bool odds = options_.constraint == Constraint::kEqualizedOdds;
  if (options_.grid_size < 1 || options_.constraint == Constraint::kErrorRateParity ||
      !(options_.tol >= 0 && options_.tol <= 1) || (odds && options_.tol > 0))
    throw ValueError(std::string(kOp) +
                         ": grid_size is at least 1, error rates are no constraint "
                         "of thresholds, and tol is from 0 to 1, of equalised odds 0",
                     where);
  const int64_t n = scores.size(0);
  const auto classes = zeros_and_ones(kOp, "y", y, n, where);
  const auto values = scores.to_vector<double>();
  for (double v : values)
    if (std::isnan(v)) throw ValueError(std::string(kOp) + ": a score is NaN", where);
  const Grouped groups = grouped(kOp, sensitive_features, n, true, where);

  std::vector<std::vector<Point>> hulls;
  std::vector<double> share;
  Counts whole;
  for (const auto& rows : members(groups)) {
    std::vector<std::pair<double, int64_t>> falling;
    Counts all;
    for (int64_t i : rows) {
      const auto k = static_cast<size_t>(i);
      falling.emplace_back(values[k], classes[k]);
      ++(classes[k] ? all.positives : all.negatives);
    }
    if (all.positives == 0 || all.negatives == 0)
      throw ValueError(std::string(kOp) + ": a group of " + std::to_string(rows.size()) +
                           " samples has one class only",
                       where);
    whole.positives += all.positives;
    whole.negatives += all.negatives;
    share.push_back(static_cast<double>(rows.size()) / static_cast<double>(n));
    std::ranges::stable_sort(falling,
                             [](const auto& a, const auto& b) { return a.first > b.first; });
    hulls.push_back(hull(
        falling, all, options_.flip,
        [&](const Counts& c) { return rate_of(options_.constraint, c); },
        [&](const Counts& c) {
          return odds ? c.true_positives / c.positives : value_of(options_.objective, c);
        }));
  }

  // Each group's hull on a grid of rates.
  const auto steps = static_cast<size_t>(options_.grid_size) + 1;
  const auto x_of = [&](size_t i) {
    return static_cast<double>(i) / static_cast<double>(options_.grid_size);
  };
  std::vector<std::vector<Mix>> curves(hulls.size());
  for (size_t g = 0; g < hulls.size(); ++g)
    for (size_t i = 0; i < steps; ++i) curves[g].push_back(at(hulls[g], x_of(i), i == 0));
  // The best rates of all: one, or within a window of the tolerance.
  const auto width =
      static_cast<size_t>(options_.tol * static_cast<double>(options_.grid_size) + 1e-9);
  double best = -std::numeric_limits<double>::infinity();
  std::vector<size_t> chosen(hulls.size(), 0);
  for (size_t i = 0; i < steps; ++i) {
    double value = 0, least = 1;
    std::vector<size_t> here(hulls.size(), i);
    for (size_t g = 0; g < hulls.size(); ++g) {
      for (size_t j = i; j < std::min(steps, i + width + 1); ++j)
        if (curves[g][j].y > curves[g][here[g]].y) here[g] = j;
      value += share[g] * curves[g][here[g]].y;
      least = std::min(least, curves[g][i].y);
    }
    if (odds) {
      Counts c = whole;
      c.true_positives = whole.positives * least;
      c.false_positives = whole.negatives * x_of(i);
      value = std::round(value_of(options_.objective, c) * 1e15) / 1e15;
    }
    if (value > best) {
      best = value;
      chosen = here;
      y_best = odds ? least : value;
    }
  }
  x_best = x_of(*std::ranges::min_element(chosen));
  rules.clear();
  for (size_t g = 0; g < hulls.size(); ++g) {
    const Mix& here = curves[g][chosen[g]];
    Rule rule{groups.combinations[g], here.p0, 1 - here.p0, here.operation0, here.operation1};
    // A group that does better than all can is brought down towards chance.
    if (odds && here.y != x_best) {
      rule.p_ignore = (here.y - y_best) / (here.y - x_best);
      rule.prediction_constant = x_best;
    }
    rules.push_back(rule);
  }
  return *this;
}

Tensor ThresholdOptimizer::predict_proba(const Tensor& scores, const Tensor& sensitive_features,
                                         Where where) const {
  constexpr const char* kOp = "ThresholdOptimizer.predict_proba";
  if (rules.empty()) throw Error(std::string(kOp) + ": it is not fitted; call fit first", where);
  require_defined(kOp, scores, where);
  if (scores.rank() != 1) fail(kOp, "scores are (N), not " + scores.shape().str(), where);
  const Grouped groups = grouped(kOp, sensitive_features, scores.size(0), true, where);
  std::vector<const Rule*> of;
  for (const auto& group : groups.combinations) {
    const auto found = std::ranges::find(rules, group, &Rule::group);
    if (found == rules.end())
      throw ValueError(std::string(kOp) + ": fit() did not see a group", where);
    of.push_back(&*found);
  }
  std::vector<double> out;
  const auto values = scores.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    const Rule& r = *of[static_cast<size_t>(groups.of[i])];
    const double p =
        r.p0 * passes(r.operation0, values[i]) + r.p1 * passes(r.operation1, values[i]);
    out.push_back(r.p_ignore * r.prediction_constant + (1 - r.p_ignore) * p);
  }
  return from_vector(out, {scores.size(0)});
}

Tensor ThresholdOptimizer::predict(const Tensor& scores, const Tensor& sensitive_features,
                                   uint64_t seed, Where where) const {
  return drawn(predict_proba(scores, sensitive_features, where), seed);
}

}  // namespace glia::fairness
