// What splits of a tree are judged by, on sums of what is left and right of them. They are computed
// in scikit-learn's order, so that equal gains are equal there and here.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "tree_grower.h"

namespace glia::classic {

constexpr double kTreeEpsilon = std::numeric_limits<double>::epsilon();

struct Sides {
  double left = 0, right = 0;
};

// The weights of a node and of its left side; a criterion adds what it needs.
class CriterionBase {
 public:
  double weight() const { return weight_; }
  double left_weight() const { return left_; }
  double right_weight() const { return weight_ - left_; }
  // The node's gain by a split, of all samples' weight.
  double improvement(double impurity, Sides after, double all) const {
    return weight_ / all *
           (impurity - right_weight() / weight_ * after.right - left_ / weight_ * after.left);
  }

 protected:
  explicit CriterionBase(const std::vector<double>& weights)
      : weights_(weights.empty() ? nullptr : weights.data()) {}
  double weight_of(int32_t i) const { return weights_ ? weights_[i] : 1; }

  const double* weights_;
  double weight_ = 0, left_ = 0;
};

// Classes: Gini's index 1 - sum p^2, or the entropy -sum p log2 p.
template <bool kGini>
class ClassImpurity : public CriterionBase {
 public:
  static constexpr bool kSums = true;  // what is left is known by sums alone

  ClassImpurity(const TreeSamples& s, const std::vector<double>& weights)
      : CriterionBase(weights),
        codes_(s.codes.data()),
        total_(s.classes),
        sums_(s.classes),
        counts_(std::all_of(weights.begin(), weights.end(),
                            [](double w) { return w == std::trunc(w) && w < 0x1p20; })) {}

  int64_t width() const { return static_cast<int64_t>(total_.size()); }  // sums of a group
  void begin(std::span<const int32_t> node) {
    std::fill(total_.begin(), total_.end(), 0.0);
    weight_ = 0;
    for (const int32_t i : node) {
      total_[codes_[i]] += weight_of(i);
      weight_ += weight_of(i);
    }
    squares_ = 0;
    for (const double t : total_) squares_ += t * t;
  }
  void order(std::span<const int32_t>) {}
  void reset() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    left_ = left_squares_ = 0;
    right_squares_ = squares_;
  }
  void add(int32_t i) { add_class(static_cast<size_t>(codes_[i]), weight_of(i)); }
  void collect(double* group, int32_t i) const { group[codes_[i]] += weight_of(i); }
  void add_group(const double* group) {
    for (size_t c = 0; c < sums_.size(); ++c)
      if (group[c] != 0) add_class(c, group[c]);
  }
  double proxy() const {
    const Sides s = sides();
    return -right_weight() * s.right - left_ * s.left;
  }
  double impurity(std::span<const int32_t>) const {
    if constexpr (kGini) return 1 - squares_ / (weight_ * weight_);
    double sum = 0;
    for (const double t : total_) sum -= entropy_of(t, weight_);
    return sum;
  }
  Sides impurities(std::span<const int32_t>, int64_t) const { return sides(); }
  void values(double* out) const {
    for (size_t c = 0; c < total_.size(); ++c) out[c] = total_[c] / weight_;
  }
  // For monotonic constraints, which are of the first of two classes.
  Sides side_values() const { return {sums_[0] / left_, (total_[0] - sums_[0]) / right_weight()}; }
  double middle() const {
    return sums_[0] / (2 * left_) + (total_[0] - sums_[0]) / (2 * right_weight());
  }
  static void clip(double* value, double low, double high) {
    value[0] = value[0] < low ? low : value[0] > high ? high : value[0];
    value[1] = 1 - value[0];
  }

 private:
  static double entropy_of(double sum, double weight) {
    if (!(sum > 0)) return 0;
    const double p = sum / weight;
    return p * (std::log(p) / std::log(2.0));
  }
  // Of weights that are counts the sums of squares are kept up to date, as they stay exact.
  void add_class(size_t c, double w) {
    if (kGini && counts_) {
      left_squares_ += w * (2 * sums_[c] + w);
      right_squares_ -= w * (2 * (total_[c] - sums_[c]) - w);
    }
    sums_[c] += w;
    left_ += w;
  }
  Sides sides() const {
    const double right = right_weight();
    Sides out;
    if constexpr (kGini) {
      Sides squares{left_squares_, right_squares_};
      if (!counts_) {
        squares = {};
        for (size_t c = 0; c < sums_.size(); ++c) {
          squares.left += sums_[c] * sums_[c];
          squares.right += (total_[c] - sums_[c]) * (total_[c] - sums_[c]);
        }
      }
      return {1 - squares.left / (left_ * left_), 1 - squares.right / (right * right)};
    }
    for (size_t c = 0; c < sums_.size(); ++c) {
      out.left -= entropy_of(sums_[c], left_);
      out.right -= entropy_of(total_[c] - sums_[c], right);
    }
    return out;
  }

  const int32_t* codes_;
  std::vector<double> total_, sums_;
  bool counts_;  // all weights are
  double squares_ = 0, left_squares_ = 0, right_squares_ = 0;
};

// Numbers by their means: the mean of squared errors, or half the Poisson deviance.
template <bool kSquares>
class MeanImpurity : public CriterionBase {
 public:
  static constexpr bool kSums = true;

  MeanImpurity(const TreeSamples& s, const std::vector<double>& weights)
      : CriterionBase(weights),
        y_(s.y.data()),
        outputs_(s.outputs),
        total_(s.outputs),
        sums_(s.outputs) {}

  int64_t width() const { return 1 + outputs_; }
  void begin(std::span<const int32_t> node) {
    std::fill(total_.begin(), total_.end(), 0.0);
    weight_ = squares_ = 0;
    for (const int32_t i : node) {
      const double w = weight_of(i);
      for (int64_t k = 0; k < outputs_; ++k) {
        const double y = y_[i * outputs_ + k], wy = w * y;
        total_[k] += wy;
        squares_ += wy * y;
      }
      weight_ += w;
    }
  }
  void order(std::span<const int32_t>) {}
  void reset() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    left_ = 0;
  }
  void add(int32_t i) {
    const double w = weight_of(i);
    for (int64_t k = 0; k < outputs_; ++k) sums_[k] += w * y_[i * outputs_ + k];
    left_ += w;
  }
  void collect(double* group, int32_t i) const {
    const double w = weight_of(i);
    group[0] += w;
    for (int64_t k = 0; k < outputs_; ++k) group[1 + k] += w * y_[i * outputs_ + k];
  }
  void add_group(const double* group) {
    left_ += group[0];
    for (int64_t k = 0; k < outputs_; ++k) sums_[k] += group[1 + k];
  }
  double proxy() const {
    double left = 0, right = 0;
    for (int64_t k = 0; k < outputs_; ++k) {
      const double l = sums_[k], r = total_[k] - sums_[k];
      if constexpr (kSquares) {
        left += l * l;
        right += r * r;
      } else {
        if (l <= kTreeEpsilon || r <= kTreeEpsilon)  // a mean of 0 says that nothing can happen
          return -std::numeric_limits<double>::infinity();
        left -= l * (std::log(l / left_) / std::log(2.0));
        right -= r * (std::log(r / right_weight()) / std::log(2.0));
      }
    }
    return kSquares ? left / left_ + right / right_weight() : -left - right;
  }
  double impurity(std::span<const int32_t> node) const {
    if constexpr (!kSquares) return deviance(node, total_.data(), nullptr, weight_);
    double out = squares_ / weight_;
    for (const double t : total_) out -= t / weight_ * (t / weight_);
    return out / static_cast<double>(outputs_);
  }
  // Of a node whose first `split` samples are on the left.
  Sides impurities(std::span<const int32_t> node, int64_t split) const {
    const auto on_left = node.first(static_cast<size_t>(split));
    const double right = right_weight();
    if constexpr (!kSquares)
      return {
          deviance(on_left, sums_.data(), nullptr, left_),
          deviance(node.subspan(static_cast<size_t>(split)), total_.data(), sums_.data(), right)};
    double squares = 0;
    for (const int32_t i : on_left)
      for (int64_t k = 0; k < outputs_; ++k) {
        const double y = y_[i * outputs_ + k];
        squares += weight_of(i) * y * y;
      }
    Sides out{squares / left_, (squares_ - squares) / right};
    for (int64_t k = 0; k < outputs_; ++k) {
      const double l = sums_[k] / left_, r = (total_[k] - sums_[k]) / right;
      out.left -= l * l;
      out.right -= r * r;
    }
    return {out.left / static_cast<double>(outputs_), out.right / static_cast<double>(outputs_)};
  }
  void values(double* out) const {
    for (int64_t k = 0; k < outputs_; ++k) out[k] = total_[k] / weight_;
  }
  Sides side_values() const { return {sums_[0] / left_, (total_[0] - sums_[0]) / right_weight()}; }
  double middle() const {
    return sums_[0] / (2 * left_) + (total_[0] - sums_[0]) / (2 * right_weight());
  }
  static void clip(double* value, double low, double high) {
    value[0] = value[0] < low ? low : value[0] > high ? high : value[0];
  }

 private:
  // Of samples whose sums are `sums` less `without`.
  double deviance(std::span<const int32_t> of, const double* sums, const double* without,
                  double weight) const {
    double out = 0;
    for (int64_t k = 0; k < outputs_; ++k) {
      const double sum = without ? sums[k] - without[k] : sums[k];
      if (sum <= kTreeEpsilon) return std::numeric_limits<double>::infinity();
      const double mean = sum / weight;
      for (const int32_t i : of) {
        const double y = y_[i * outputs_ + k];
        if (y != 0) out += weight_of(i) * (y * std::log(y / mean));
      }
    }
    return out / (weight * static_cast<double>(outputs_));
  }

  const double* y_;
  int64_t outputs_;
  std::vector<double> total_, sums_;
  double squares_ = 0;
};

// Sums of weights, and of weighted values, of the first ranks, as ranks are added (Fenwick 1994).
class RankSums {
 public:
  void reset(size_t n) {
    weight_.assign(n + 1, 0);
    value_.assign(n + 1, 0);
    top_ = 1;
    while (top_ * 2 <= n) top_ *= 2;
    all_weight_ = all_value_ = 0;
  }
  void add(size_t rank, double w, double wy) {
    for (size_t at = rank + 1; at < weight_.size(); at += at & (~at + 1)) {
      weight_[at] += w;
      value_[at] += wy;
    }
    all_weight_ += w;
    all_value_ += wy;
  }
  // The weighted median of `sorted`'s added ranks, and the sum of absolute differences to it.
  double median(const std::vector<double>& sorted, double& error) const {
    const double half = 0.5 * all_weight_;
    size_t reached = 0, passed = 0;
    double before = 0, weight = 0, value = 0;
    for (size_t step = top_; step > 0; step /= 2) {
      if (reached + step < weight_.size() && before + weight_[reached + step] < half) {
        reached += step;
        before += weight_[reached];
      }
      if (passed + step < weight_.size() && weight + weight_[passed + step] <= half) {
        passed += step;
        weight += weight_[passed];
        value += value_[passed];
      }
    }
    const double m = reached == passed ? sorted[passed] : (sorted[reached] + sorted[passed]) / 2;
    error += (all_value_ - value - m * (all_weight_ - weight)) + (m * weight - value);
    return m;
  }

 private:
  std::vector<double> weight_, value_;
  size_t top_ = 1;
  double all_weight_ = 0, all_value_ = 0;
};

// Numbers by their medians: the mean of absolute errors. order() says in which order samples will
// be added, and computes what is left and right of each.
class MedianImpurity : public CriterionBase {
 public:
  static constexpr bool kSums = false;

  MedianImpurity(const TreeSamples& s, const std::vector<double>& weights)
      : CriterionBase(weights), y_(s.y.data()), outputs_(s.outputs) {
    ranks_.resize(static_cast<size_t>(s.n * s.outputs));
    medians_.resize(static_cast<size_t>(s.outputs));
    sorted_.resize(static_cast<size_t>(s.outputs));
  }

  int64_t width() const { return 0; }
  void begin(std::span<const int32_t> node) {
    weight_ = 0;
    for (const int32_t i : node) weight_ += weight_of(i);
    for (int64_t k = 0; k < outputs_; ++k) {
      std::vector<int32_t> by_value(node.begin(), node.end());
      std::sort(by_value.begin(), by_value.end(),
                [&](int32_t a, int32_t b) { return y_[a * outputs_ + k] < y_[b * outputs_ + k]; });
      sorted_[k].clear();
      for (size_t r = 0; r < by_value.size(); ++r) {
        ranks_[by_value[r] * outputs_ + k] = static_cast<int32_t>(r);
        sorted_[k].push_back(y_[by_value[r] * outputs_ + k]);
      }
    }
    order(node);
    for (int64_t k = 0; k < outputs_; ++k) medians_[k] = first_[k];
    error_ = right_error_[0];
  }
  void order(std::span<const int32_t> all) {
    const size_t n = all.size();
    left_error_.assign(n, 0);
    right_error_.assign(n, 0);
    left_median_.resize(n);
    right_median_.resize(n);
    first_.resize(static_cast<size_t>(outputs_));
    for (int64_t k = 0; k < outputs_; ++k) {
      const auto add = [&](size_t p, double& error) {
        const int32_t i = all[p];
        const auto rank = static_cast<size_t>(ranks_[i * outputs_ + k]);
        sums_.add(rank, weight_of(i), weight_of(i) * sorted_[k][rank]);
        return sums_.median(sorted_[k], error);
      };
      sums_.reset(n);
      for (size_t p = 0; p < n; ++p) left_median_[p] = add(p, left_error_[p]);
      sums_.reset(n);
      for (size_t p = n; p-- > 0;) right_median_[p] = add(p, right_error_[p]);
      first_[k] = right_median_[0];
    }
  }
  void reset() {
    left_ = 0;
    added_ = 0;
  }
  void add(int32_t i) {
    left_ += weight_of(i);
    ++added_;
  }
  void collect(double*, int32_t) const {}
  void add_group(const double*) {}
  double proxy() const {
    const Sides s = impurities({}, 0);
    return -right_weight() * s.right - left_ * s.left;
  }
  double impurity(std::span<const int32_t>) const {
    return error_ / (weight_ * static_cast<double>(outputs_));
  }
  Sides impurities(std::span<const int32_t>, int64_t) const {
    const auto outputs = static_cast<double>(outputs_);
    return {left_error_[added_ - 1] / (left_ * outputs),
            right_error_[added_] / (right_weight() * outputs)};
  }
  void values(double* out) const { std::copy(medians_.begin(), medians_.end(), out); }
  Sides side_values() const { return {left_median_[added_ - 1], right_median_[added_]}; }
  double middle() const { return (left_median_[added_ - 1] + right_median_[added_]) / 2; }
  static void clip(double* value, double low, double high) {
    value[0] = value[0] < low ? low : value[0] > high ? high : value[0];
  }

 private:
  const double* y_;
  int64_t outputs_;
  std::vector<int32_t> ranks_;               // (samples, outputs), within the node
  std::vector<std::vector<double>> sorted_;  // (outputs): the node's values
  std::vector<double> medians_, first_;
  std::vector<double> left_error_, right_error_, left_median_, right_median_;
  RankSums sums_;
  size_t added_ = 0;
  double error_ = 0;
};

}  // namespace glia::classic
