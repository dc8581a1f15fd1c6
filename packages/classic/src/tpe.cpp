// Tree-structured Parzen estimators.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "glia/error.h"
#include "search_space.h"

namespace glia::classic {
namespace {

constexpr int64_t kMostGood = 25, kLatest = 25;  // of full weight

// ---- The normal distribution --------------------------------------------------------------------

// The logarithm of the probability below x.
double log_below(double x) {
  if (x > -20) return std::log(0.5 * std::erfc(-x * std::numbers::sqrt2 / 2));
  const double r = 1 / (x * x);  // Mills' ratio
  return -x * x / 2 - std::log(-x) - std::log(2 * std::numbers::pi) / 2 +
         std::log1p(-r * (1 - 3 * r * (1 - 5 * r * (1 - 7 * r))));
}

// Of that between a and b > a.
double log_between(double a, double b) {
  if (a > 0) return log_between(-b, -a);
  if (b > 0)
    return std::log1p(
        -0.5 * (std::erfc(-a * std::numbers::sqrt2 / 2) + std::erfc(b * std::numbers::sqrt2 / 2)));
  const double upper = log_below(b);
  return upper + std::log(-std::expm1(log_below(a) - upper));
}

double normal(data::Random& random) {
  const double radius = std::sqrt(-2 * std::log1p(-uniform53(random)));
  return radius * std::cos(2 * std::numbers::pi * uniform53(random));
}

double log_sum_exp(const std::vector<double>& x) {
  const double most = *std::max_element(x.begin(), x.end());
  if (!std::isfinite(most)) return most;
  double sum = 0;
  for (const double value : x) sum += std::exp(value - most);
  return most + std::log(sum);
}

// ---- One option ---------------------------------------------------------------------------------

// An option as a number: the place of its choice, or itself, on the scale that is searched.
struct Axis {
  const Distribution& d;

  double half() const { return d.integer ? 0.5 : 0; }
  double scaled(double value) const { return d.log ? std::log(value) : value; }
  double low() const { return scaled(d.low - half()); }
  double high() const { return scaled(d.high + half()); }

  // The number of a value, before scaling. Throws ValueError for one that is not of the space.
  double number(const ParamValues& params, Where where) const {
    for (const auto& [name, value] : params) {
      if (name != d.name) continue;
      if (!d.is_range()) {
        const auto at = std::find(d.choices.begin(), d.choices.end(), value);
        if (at != d.choices.end()) return static_cast<double>(at - d.choices.begin());
      } else {
        const auto* whole = std::get_if<int64_t>(&value);
        const auto* real = std::get_if<double>(&value);
        const double given = whole  ? static_cast<double>(*whole)
                             : real ? *real
                                    : std::numeric_limits<double>::quiet_NaN();
        if (given >= d.low && given <= d.high) return given;
      }
      throw ValueError("TPESampler: " + name + " = " + to_text(value) + " is not of the space",
                       where);
    }
    throw ValueError("TPESampler: a trial has no " + d.name, where);
  }
};

// Kernels around some numbers of an axis, and a wide one for all of it at the end.
class Kernels {
 public:
  Kernels(const Axis& axis, const std::vector<double>& numbers) : axis_(axis) {
    if (axis.d.is_range())
      place(numbers);
    else
      numbers_ = numbers;
  }

  // The logarithm of the i-th kernel's density of a number, or of its probability if it is one of
  // separate values.
  double log_density(size_t i, double number) const {
    if (!axis_.d.is_range()) return std::log(share(i, number));
    const auto z = [&](double x) { return (x - centers_[i]) / widths_[i]; };
    const double all = log_between(z(axis_.low()), z(axis_.high()));
    if (axis_.d.integer)
      return log_between(z(axis_.scaled(number - 0.5)), z(axis_.scaled(number + 0.5))) - all;
    const double at = z(axis_.scaled(number));
    return -at * at / 2 - std::log(widths_[i]) - std::log(2 * std::numbers::pi) / 2 - all;
  }

  double draw(size_t i, data::Random& random) const {
    if (!axis_.d.is_range()) {
      const auto count = static_cast<double>(axis_.d.choices.size());
      double left = uniform53(random);
      double choice = 0;
      while (choice < count - 1 && left >= share(i, choice)) left -= share(i, choice++);
      return choice;
    }
    // At least a third of the kernel is inside, since its center is.
    for (;;) {
      const double at = centers_[i] + widths_[i] * normal(random);
      if (at < axis_.low() || at > axis_.high()) continue;
      const double number = axis_.d.log ? std::exp(at) : at;
      return std::clamp(axis_.d.integer ? std::round(number) : number, axis_.d.low, axis_.d.high);
    }
  }

 private:
  // Each is as wide as the farther of its neighbours is away, within bounds.
  void place(const std::vector<double>& numbers) {
    const double low = axis_.low(), high = axis_.high(), range = high - low;
    for (const double number : numbers) centers_.push_back(axis_.scaled(number));
    const size_t n = numbers.size();
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return centers_[a] < centers_[b]; });
    const double least = range / std::min(100.0, 2.0 + static_cast<double>(n));
    widths_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const double here = centers_[order[i]];
      const double before = here - (i > 0 ? centers_[order[i - 1]] : low);
      const double behind = (i + 1 < n ? centers_[order[i + 1]] : high) - here;
      double width = std::max(before, behind);
      if (n >= 2 && i == 0) width = behind;  // the ends of the range are no neighbours
      if (n >= 2 && i + 1 == n) width = before;
      widths_[order[i]] = std::clamp(width, least, range);
    }
    centers_.push_back((low + high) / 2);
    widths_.push_back(range);
  }

  // The probability of a choice: the kernel's own, and a small part for each.
  double share(size_t i, double choice) const {
    const auto choices = static_cast<double>(axis_.d.choices.size());
    const double prior = 1 / static_cast<double>(numbers_.size() + 1);
    if (i == numbers_.size()) return 1 / choices;
    return (prior + (numbers_[i] == choice ? 1 : 0)) / (1 + prior * choices);
  }

  const Axis axis_;
  std::vector<double> numbers_, centers_, widths_;
};

// ---- All options --------------------------------------------------------------------------------

using Point = std::vector<double>;  // a number for each axis

// A weighted sum of products of kernels.
class Density {
 public:
  Density(const std::vector<Axis>& axes, const std::vector<Point>& points) {
    const auto n = static_cast<int64_t>(points.size());
    // The latest trials have full weight, and earlier ones the less the older they are.
    for (int64_t i = 0; i < n; ++i) {
      const int64_t old = n - kLatest;
      const auto count = static_cast<double>(n);
      weights_.push_back(i >= old  ? 1
                         : old > 1 ? 1 / count + (1 - 1 / count) * static_cast<double>(i) /
                                                     static_cast<double>(old - 1)
                                   : 1 / count);
    }
    weights_.push_back(1);
    const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    for (double& w : weights_) w /= sum;
    for (size_t a = 0; a < axes.size(); ++a) {
      std::vector<double> numbers;
      for (const Point& p : points) numbers.push_back(p[a]);
      kernels_.emplace_back(axes[a], numbers);
    }
  }

  double log(const Point& p) const {
    std::vector<double> terms;
    for (size_t i = 0; i < weights_.size(); ++i) {
      double term = std::log(weights_[i]);
      for (size_t a = 0; a < p.size(); ++a) term += kernels_[a].log_density(i, p[a]);
      terms.push_back(term);
    }
    return log_sum_exp(terms);
  }

  Point draw(data::Random& random) const {
    double left = uniform53(random);
    size_t i = 0;
    while (i + 1 < weights_.size() && left >= weights_[i]) left -= weights_[i++];
    Point p;
    for (const Kernels& k : kernels_) p.push_back(k.draw(i, random));
    return p;
  }

 private:
  std::vector<double> weights_;
  std::vector<Kernels> kernels_;
};

// What there is to choose: not where there is one value only.
std::vector<Axis> axes_of(const SearchSpace& space) {
  std::vector<Axis> axes;
  for (const Distribution& d : space)
    if (d.is_range() ? d.low < d.high : d.choices.size() > 1) axes.push_back({d});
  return axes;
}

Point point_of(const std::vector<Axis>& axes, const ParamValues& params, Where where) {
  Point p;
  for (const Axis& axis : axes) p.push_back(axis.number(params, where));
  return p;
}

struct Densities {
  Density good, others;
};

// Of the trials that did not fail: the best tenth, and the rest, each in the order of the trials.
Densities densities_of(const std::vector<Axis>& axes, const std::vector<Trial>& trials,
                       Where where) {
  std::vector<const Trial*> by_score;
  for (const Trial& trial : trials)
    if (!std::isnan(trial.score)) by_score.push_back(&trial);
  const auto count = static_cast<int64_t>(by_score.size());
  std::stable_sort(by_score.begin(), by_score.end(),
                   [](const Trial* a, const Trial* b) { return a->score > b->score; });
  const int64_t best = std::min((count + 9) / 10, kMostGood);
  std::sort(by_score.begin(), by_score.begin() + best);  // by address: as they came
  std::sort(by_score.begin() + best, by_score.end());
  std::vector<Point> good, others;
  for (int64_t i = 0; i < count; ++i)
    (i < best ? good : others).push_back(point_of(axes, by_score[i]->params, where));
  return {Density(axes, good), Density(axes, others)};
}

}  // namespace

TPESampler::TPESampler(SearchSpace space, const TPEOptions& options, Where where)
    : space_(std::move(space)), options_(options) {
  check_space("TPESampler", space_, where);
  const auto require = [&](const char* name, int64_t value, int64_t least) {
    if (value < least)
      throw ValueError("TPESampler: " + std::string(name) + " = " + std::to_string(value), where);
  };
  require("n_startup_trials", options.n_startup_trials, 0);
  require("n_ei_candidates", options.n_ei_candidates, 1);
}

ParamValues TPESampler::suggest(const std::vector<Trial>& trials, Where where) const {
  data::Random random(options_.random_state, trials.size());
  const auto over = std::count_if(trials.begin(), trials.end(),
                                  [](const Trial& t) { return !std::isnan(t.score); });
  ParamValues params;
  if (over < options_.n_startup_trials) {
    for (const Distribution& d : space_) params.emplace_back(d.name, draw(d, random));
    return params;
  }
  const std::vector<Axis> axes = axes_of(space_);
  const Densities densities = densities_of(axes, trials, where);
  Point best;
  double most = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < options_.n_ei_candidates; ++i) {
    Point p = densities.good.draw(random);
    const double ratio = densities.good.log(p) - densities.others.log(p);
    if (i == 0 || ratio > most) {
      most = ratio;
      best = std::move(p);
    }
  }
  size_t next = 0;
  for (const Distribution& d : space_) {
    const bool chosen = next < axes.size() && &axes[next].d == &d;
    const double number = chosen ? best[next++] : d.is_range() ? d.low : 0;
    params.emplace_back(
        d.name, d.is_range() ? value_at(d, number) : d.choices[static_cast<size_t>(number)]);
  }
  return params;
}

std::vector<std::pair<double, double>> TPESampler::log_densities(
    const std::vector<Trial>& trials, const std::vector<ParamValues>& candidates,
    Where where) const {
  const std::vector<Axis> axes = axes_of(space_);
  const Densities densities = densities_of(axes, trials, where);
  std::vector<std::pair<double, double>> logs;
  for (const ParamValues& candidate : candidates) {
    const Point p = point_of(axes, candidate, where);
    logs.emplace_back(densities.good.log(p), densities.others.log(p));
  }
  return logs;
}

}  // namespace glia::classic
