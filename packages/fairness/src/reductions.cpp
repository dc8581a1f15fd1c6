// Exponentiated gradient: a game between a classifier and the multipliers of constraints.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "glia/classic/dummy.h"
#include "glia/fairness/mitigation.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "groups.h"

namespace glia::fairness {
namespace {

constexpr double kPrecision = 1e-8;
using Numbers = std::vector<double>;

// For each event (all samples, or those of a class) and group: that the mean of what a prediction
// is worth in the group is that of the event, within a bound from above and from below.
class Moments {
 public:
  Moments(const char* op, Constraint constraint, const std::vector<int64_t>& y,
          const Tensor& sensitive, Where where)
      : y_(y) {
    const auto n = static_cast<int64_t>(y.size());
    const Grouped groups = grouped(op, sensitive, n, true, where);
    std::map<std::pair<int64_t, int64_t>, size_t> cells;
    std::vector<std::pair<int64_t, int64_t>> of(y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      int64_t event = 0;
      if (constraint == Constraint::kEqualizedOdds) event = y[i];
      if (constraint == Constraint::kTruePositiveRateParity) event = y[i] == 1 ? 0 : -1;
      if (constraint == Constraint::kFalsePositiveRateParity) event = y[i] == 0 ? 0 : -1;
      of[i] = {event, groups.of[i]};
      if (event >= 0) cells.emplace(of[i], 0);
    }
    for (auto& [cell, place] : cells) {
      place = event_.size();
      event_.push_back(static_cast<size_t>(cell.first));
    }
    cell_.assign(y.size(), -1);
    cell_size_.assign(event_.size(), 0);
    event_size_.assign(2, 0);
    for (size_t i = 0; i < y.size(); ++i) {
      if (of[i].first < 0) continue;
      cell_[i] = static_cast<int64_t>(cells.at(of[i]));
      ++cell_size_[static_cast<size_t>(cell_[i])];
      ++event_size_[static_cast<size_t>(of[i].first)];
    }
    const bool errors = constraint == Constraint::kErrorRateParity;
    for (int64_t c : y) slope_.push_back(errors && c == 1 ? -1 : 1);
    if (errors)
      base_.assign(y.begin(), y.end());
    else
      base_.assign(y.size(), 0);
  }

  size_t size() const { return 2 * event_.size(); }  // first from above, then from below

  // How far predictions break each constraint.
  Numbers gamma(const std::vector<int64_t>& prediction) const {
    Numbers cells(event_.size(), 0), events(2, 0);
    for (size_t i = 0; i < prediction.size(); ++i) {
      if (cell_[i] < 0) continue;
      const auto c = static_cast<size_t>(cell_[i]);
      const double worth = slope_[i] * static_cast<double>(prediction[i]) + base_[i];
      cells[c] += worth;
      events[event_[c]] += worth;
    }
    Numbers out(size());
    for (size_t c = 0; c < event_.size(); ++c) {
      out[c] = cells[c] / cell_size_[c] - events[event_[c]] / event_size_[event_[c]];
      out[event_.size() + c] = -out[c];
    }
    return out;
  }

  // What predicting 1 instead of 0 gains for each sample, with its error.
  Numbers signed_weights(const Numbers& lambda) const {
    const auto n = static_cast<double>(y_.size());
    Numbers events(2, 0), out;
    for (size_t c = 0; c < event_.size(); ++c)
      events[event_[c]] += lambda[c] - lambda[event_.size() + c];
    for (size_t i = 0; i < y_.size(); ++i) {
      double w = y_[i] == 1 ? 1 : -1;
      if (cell_[i] >= 0) {
        const auto c = static_cast<size_t>(cell_[i]);
        w += slope_[i] * (events[event_[c]] * n / event_size_[event_[c]] -
                          (lambda[c] - lambda[event_.size() + c]) * n / cell_size_[c]);
      }
      out.push_back(w);
    }
    return out;
  }

  // Multipliers of the least sum that say the same: those of an event may all move by shares of its
  // groups, since the groups' differences from their mean add up to nothing.
  Numbers projected(const Numbers& lambda) const {
    Numbers out(size(), 0);
    for (size_t event : {size_t{0}, size_t{1}}) {
      std::vector<size_t> cells;
      for (size_t c = 0; c < event_.size(); ++c)
        if (event_[c] == event) cells.push_back(c);
      if (cells.empty()) continue;
      const auto share = [&](size_t c) { return cell_size_[c] / event_size_[event]; };
      const auto net = [&](size_t c) { return lambda[c] - lambda[event_.size() + c]; };
      std::vector<size_t> order = cells;
      std::ranges::stable_sort(order, {}, [&](size_t c) { return net(c) / share(c); });
      double seen = 0;
      size_t middle = 0;
      while (middle + 1 < order.size() && (seen += share(order[middle])) < 0.5) ++middle;
      const double shift = net(order[middle]) / share(order[middle]);
      for (size_t c : cells) {
        const double moved = net(c) - share(c) * shift;
        out[c] = std::max(moved, 0.0);
        out[event_.size() + c] = std::max(-moved, 0.0);
      }
    }
    return out;
  }

 private:
  std::vector<int64_t> y_;
  std::vector<int64_t> cell_;  // of each sample; -1: no constraint is about it
  std::vector<size_t> event_;  // of each cell
  Numbers cell_size_, event_size_;
  Numbers slope_, base_;  // what a prediction is worth: slope prediction + base
};

// The estimators that answered so far, and what is known of each.
struct Answers {
  std::vector<classic::AnyEstimator> estimators;
  Numbers errors;
  std::vector<Numbers> gammas;
};

class Game {
 public:
  Game(const classic::Estimator& estimator, const ExponentiatedGradientOptions& options,
       const Tensor& x, const std::vector<int64_t>& y, const Moments& moments)
      : estimator_(estimator), options_(options), x_(x), y_(y), moments_(moments) {}

  // The estimator that is best against these multipliers, among those that there are and a new one.
  size_t best(const Numbers& lambda) {
    const Numbers weights = moments_.signed_weights(lambda);
    double total = 0;
    for (double w : weights) total += std::abs(w);
    std::vector<int64_t> target;
    Numbers weight;
    for (double w : weights) {
      target.push_back(w > 0);
      weight.push_back(static_cast<double>(weights.size()) * std::abs(w) / total);
    }
    const auto n = static_cast<int64_t>(target.size());
    classic::AnyEstimator made(estimator_);
    if (std::ranges::count(target, target[0]) == n)
      made = classic::AnyEstimator(classic::DummyClassifier());
    made->fit(x_, from_vector(target, {n}), from_vector(weight, {n}));
    const auto prediction = made->predict(x_).to_vector<int64_t>();
    double wrong = 0;
    for (size_t i = 0; i < y_.size(); ++i) wrong += prediction[i] != y_[i];
    const double error = wrong / static_cast<double>(n);
    const Numbers gamma = moments_.gamma(prediction);
    const auto cost = [&](double e, const Numbers& g) {
      return std::inner_product(g.begin(), g.end(), lambda.begin(), e);
    };
    size_t place = 0;
    double least = std::numeric_limits<double>::infinity();
    for (size_t h = 0; h < all.errors.size(); ++h)
      if (const double c = cost(all.errors[h], all.gammas[h]); c < least) {
        least = c;
        place = h;
      }
    if (cost(error, gamma) >= least - kPrecision) return place;
    all.estimators.push_back(std::move(made));
    all.errors.push_back(error);
    all.gammas.push_back(gamma);
    return all.errors.size() - 1;
  }

  // How much either side could still gain.
  double gap(const Numbers& shares, const Numbers& lambda, double nu) {
    const auto [value, high] = lagrangian(shares, lambda);
    double low = value;
    for (double factor : {1.0, 2.0, 5.0, 10.0}) {
      Numbers more = lambda;
      for (double& l : more) l *= factor;
      Numbers one(best(more) + 1, 0);
      one.back() = 1;
      low = std::min(low, lagrangian(one, lambda).first);
      if (std::max(value - low, high - value) > nu + kPrecision) break;
    }
    return std::max(value - low, high - value);
  }

  Answers all;

 private:
  // At these multipliers, and at the worst ones.
  std::pair<double, double> lagrangian(const Numbers& shares, const Numbers& lambda) const {
    double error = 0;
    Numbers gamma(moments_.size(), 0);
    for (size_t h = 0; h < shares.size(); ++h) {
      error += shares[h] * all.errors[h];
      for (size_t c = 0; c < gamma.size(); ++c) gamma[c] += shares[h] * all.gammas[h][c];
    }
    const Numbers less = moments_.projected(lambda);
    double value = error, most = 0;
    for (size_t c = 0; c < gamma.size(); ++c) {
      value += less[c] * (gamma[c] - options_.difference_bound);
      most = std::max(most, gamma[c] - options_.difference_bound);
    }
    return {value, error + most / options_.eps};
  }

  const classic::Estimator& estimator_;
  const ExponentiatedGradientOptions& options_;
  const Tensor x_;
  const std::vector<int64_t>& y_;
  const Moments& moments_;
};

}  // namespace

ExponentiatedGradient& ExponentiatedGradient::fit(const Tensor& x, const Tensor& y,
                                                  const Tensor& sensitive_features, Where where) {
  constexpr const char* kOp = "ExponentiatedGradient.fit";
  constexpr int64_t kLeastSteps = 5;
  constexpr double kCheckEvery = 1.6, kShrinkRegret = 0.8, kShrinkEta = 0.8;
  require_defined(kOp, x, where);
  if (x.rank() != 2 || x.size(0) == 0) fail(kOp, "X is (N, F), not " + x.shape().str(), where);
  if (!(options_.eps > 0 && options_.difference_bound >= 0 && options_.eta0 > 0) ||
      options_.max_iter < 1)
    throw ValueError(std::string(kOp) +
                         ": eps, eta0 and max_iter are above 0, difference_bound is "
                         "not negative",
                     where);
  const auto classes = zeros_and_ones(kOp, "y", y, x.size(0), where);
  const Moments moments(kOp, options_.constraint, classes, sensitive_features, where);
  Game game(*estimator_, options_, x, classes, moments);

  const double bound = 1 / options_.eps;
  double eta = options_.eta0 / bound, nu = options_.nu;
  double last_gap = std::numeric_limits<double>::infinity(), least_gap = last_gap;
  double checked = 5;
  Numbers theta(moments.size(), 0), lambda_sum(moments.size(), 0), times;
  std::vector<Numbers> shares;
  Numbers gaps;
  for (int64_t t = 0; t < options_.max_iter; ++t) {
    double total = 1;
    for (double v : theta) total += std::exp(v);
    Numbers lambda, mean_lambda;
    for (size_t c = 0; c < theta.size(); ++c) {
      lambda.push_back(bound * std::exp(theta[c]) / total);
      lambda_sum[c] += lambda[c];
      mean_lambda.push_back(lambda_sum[c] / static_cast<double>(t + 1));
    }
    const size_t h = game.best(lambda);
    if (t == 0 && nu < 0) {
      const double e = game.all.errors[h];
      const auto n = static_cast<double>(classes.size());
      nu = 0.5 * std::sqrt(e * (1 - e) * n / std::max(n - 1, 1.0)) / std::sqrt(n);
    }
    times.resize(std::max(times.size(), h + 1), 0);
    ++times[h];
    Numbers share = times;
    for (double& s : share) s /= static_cast<double>(t + 1);
    gaps.push_back(game.gap(share, mean_lambda, nu));
    least_gap = std::min(least_gap, gaps.back());
    shares.push_back(std::move(share));
    if (gaps.back() < nu && t >= kLeastSteps) break;
    if (static_cast<double>(t) >= checked * kCheckEvery) {
      if (least_gap > last_gap * kShrinkRegret) eta *= kShrinkEta;
      checked = static_cast<double>(t);
      last_gap = least_gap;
    }
    for (size_t c = 0; c < theta.size(); ++c)
      theta[c] += eta * (game.all.gammas[h][c] - options_.difference_bound);
  }
  size_t best = 0;
  for (size_t t = 0; t < gaps.size(); ++t)
    if (gaps[t] <= least_gap + kPrecision) best = t;
  predictors = std::move(game.all.estimators);
  weights = shares[best];
  weights.resize(predictors.size(), 0);
  best_gap = gaps[best];
  best_iter = static_cast<int64_t>(best);
  last_iter = static_cast<int64_t>(gaps.size()) - 1;
  return *this;
}

Tensor ExponentiatedGradient::predict_proba(const Tensor& x, Where where) const {
  if (predictors.empty())
    throw Error("ExponentiatedGradient.predict_proba: it is not fitted; call fit first", where);
  Tensor total;
  for (size_t h = 0; h < predictors.size(); ++h) {
    if (weights[h] == 0) continue;
    const Tensor part = cast(predictors[h]->predict(x, where), kF64) * weights[h];
    total = total.defined() ? total + part : part;
  }
  return total;
}

Tensor ExponentiatedGradient::predict(const Tensor& x, uint64_t seed, Where where) const {
  return drawn(predict_proba(x, where), seed);
}

}  // namespace glia::fairness
