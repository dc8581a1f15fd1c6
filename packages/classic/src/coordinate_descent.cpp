#include "coordinate_descent.h"

#include <algorithm>
#include <cmath>

#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "simd.h"

namespace glia::classic {
namespace {

using simd::add;
using simd::dot;

}  // namespace

CoordinateDescent::CoordinateDescent(const Tensor& x, const Tensor& y, bool precompute)
    : n_(x.size(0)), d_(x.size(1)) {
  const Tensor across = transpose(x);
  y_ = y.to_vector<double>();
  squares_ = dot(y_.data(), y_.data(), n_);
  moments_ = matmul(across, reshape(y, {-1, 1})).to_vector<double>();
  if (precompute) {
    products_ = linalg::gram(x);
    eval(products_);
    gram_ = products_.data<double>().data();
    for (int64_t j = 0; j < d_; ++j) norms_.push_back(gram_[j * d_ + j]);
  } else {
    columns_ = across.to_vector<double>();
    for (int64_t j = 0; j < d_; ++j)
      norms_.push_back(dot(&columns_[j * n_], &columns_[j * n_], n_));
  }
}

// The residual y - X w, or X^T X w where only products are known.
class CoordinateDescent::State {
 public:
  State(const CoordinateDescent& p, const Options& options, std::vector<double>& w)
      : p_(p), o_(options), w_(w), along_(w.size()) {
    rest_ = by_gram() ? std::vector<double>(w.size()) : p.y_;
    for (int64_t j = 0; j < p.d_; ++j)
      if (w[j] != 0) move(j, w[j]);
  }

  // The column's product with the residual.
  double moment(int64_t j) const {
    return by_gram() ? p_.moments_[j] - rest_[j]
                     : dot(&p_.columns_[j * p_.n_], rest_.data(), p_.n_);
  }
  // What w[j] growing by `by` does.
  void move(int64_t j, double by) {
    if (by_gram())
      add(rest_.data(), by, p_.gram_ + j * p_.d_, p_.d_);
    else
      add(rest_.data(), -by, &p_.columns_[j * p_.n_], p_.n_);
  }

  // The best w[j] for the others as they are.
  double best(int64_t j) const { return soft(j, moment(j) + w_[j] * p_.norms_[j]); }

  // Passes over the features that are not zero alone, by their part of X^T X, until they are at
  // rest (Friedman, Hastie & Tibshirani 2010, 2.6). How many passes.
  int64_t settle(int64_t most_passes) {
    if (!by_gram()) return 0;
    used_.clear();
    for (int64_t j = 0; j < p_.d_; ++j)
      if (w_[j] != 0) used_.push_back(j);
    const auto k = static_cast<int64_t>(used_.size());
    if (k == 0 || 2 * k > p_.d_) return 0;  // what is gathered would be all again
    part_.resize(static_cast<size_t>(k * k));
    of_used_.resize(static_cast<size_t>(k));
    const std::vector<double> before = w_;
    for (int64_t a = 0; a < k; ++a) {
      const double* row = p_.gram_ + used_[a] * p_.d_;
      for (int64_t b = 0; b < k; ++b) part_[a * k + b] = row[used_[b]];
      of_used_[a] = rest_[used_[a]];
    }
    int64_t passes = 0;
    for (double most = 0, change = 1; passes < most_passes && change > o_.tol * most; ++passes) {
      most = change = 0;
      for (int64_t a = 0; a < k; ++a) {
        const int64_t j = used_[a];
        const double was = w_[j];
        w_[j] = soft(j, p_.moments_[j] - of_used_[a] + was * p_.norms_[j]);
        if (w_[j] != was) add(of_used_.data(), w_[j] - was, &part_[a * k], k);
        change = std::max(change, std::abs(w_[j] - was));
        most = std::max(most, std::abs(w_[j]));
      }
    }
    for (const int64_t j : used_)
      if (w_[j] != before[j]) move(j, w_[j] - before[j]);
    return passes;
  }

  // The duality gap: by a dual point that is feasible where there is an L1 penalty, else by the
  // dual of ridge (Duenner et al. 2016), else the squared gradient.
  double gap() {
    double squares = 0, ry = 0, w1 = 0, w2 = 0;
    for (const double one : w_) w1 += std::abs(one), w2 += one * one;
    if (by_gram()) {
      const double qw = dot(w_.data(), p_.moments_.data(), p_.d_);
      squares = p_.squares_ + dot(w_.data(), rest_.data(), p_.d_) - 2 * qw;
      ry = p_.squares_ - qw;
    } else {
      squares = dot(rest_.data(), rest_.data(), p_.n_);
      ry = dot(rest_.data(), p_.y_.data(), p_.n_);
    }
    const double shrink = o_.l1 == 0 ? 0 : o_.l2;
    for (int64_t j = 0; j < p_.d_; ++j) along_[j] = moment(j) - shrink * w_[j];
    if (o_.l1 == 0) {
      const double slope = dot(along_.data(), along_.data(), p_.d_);
      if (o_.l2 == 0) return slope;
      return squares + 0.5 * o_.l2 * w2 - ry + slope / (2 * o_.l2);
    }
    norm_ = o_.positive ? *std::max_element(along_.begin(), along_.end()) : 0;
    if (!o_.positive)
      for (const double one : along_) norm_ = std::max(norm_, std::abs(one));
    const double scale = norm_ > o_.l1 ? o_.l1 / norm_ : 1;
    const double primal = 0.5 * (squares + o_.l2 * w2) + o_.l1 * w1;
    const double dual = -0.5 * scale * scale * (squares + o_.l2 * w2) + scale * ry;
    return primal - dual;
  }

  // Takes features out of `active` that are zero at the optimum, which a gap proves.
  void screen(double gap, std::vector<int64_t>& active) {
    const double radius = std::sqrt(2 * std::abs(gap)) / o_.l1;
    std::vector<int64_t> kept;
    for (const int64_t j : active) {
      const double theta = along_[j] / std::max(o_.l1, norm_);
      if (p_.norms_[j] != 0 && (1 - std::abs(theta)) / std::sqrt(p_.norms_[j] + o_.l2) <= radius) {
        kept.push_back(j);
      } else if (w_[j] != 0) {
        move(j, -w_[j]);
        w_[j] = 0;
      }
    }
    active = std::move(kept);
  }

 private:
  bool by_gram() const { return p_.gram_ != nullptr; }
  double soft(int64_t j, double moment) const {
    if (o_.positive && moment < 0) return 0;
    return std::copysign(std::max(std::abs(moment) - o_.l1, 0.0), moment) / (p_.norms_[j] + o_.l2);
  }

  const CoordinateDescent& p_;
  const Options& o_;
  std::vector<double>& w_;
  std::vector<double> rest_, along_;
  std::vector<int64_t> used_;
  std::vector<double> part_, of_used_;
  double norm_ = 0;
};

CoordinateDescent::Result CoordinateDescent::run(const Options& o, std::vector<double>& w) const {
  State state(*this, o, w);
  const double tol = o.tol * squares_;
  Result result{.gap = state.gap()};
  if (result.gap <= tol) return result;
  std::vector<int64_t> active;
  for (int64_t j = 0; j < d_; ++j) active.push_back(j);
  if (o.l1 > 0) state.screen(result.gap, active);
  data::Random random(o.random_state);
  while (result.n_iter < o.max_iter) {
    ++result.n_iter;
    double most = 0, change = 0;
    for (size_t i = 0; i < active.size(); ++i) {
      const int64_t j = active[o.random ? random.below(static_cast<int64_t>(active.size())) : i];
      if (norms_[j] == 0) continue;
      const double before = w[j];
      w[j] = state.best(j);
      if (w[j] != before) state.move(j, w[j] - before);
      change = std::max(change, std::abs(w[j] - before));
      most = std::max(most, std::abs(w[j]));
    }
    if (most == 0 || change / most <= o.tol || result.n_iter == o.max_iter) {
      result.gap = state.gap();
      if (result.gap <= tol) break;
      if (o.l1 > 0) state.screen(result.gap, active);
    } else if (o.settle && !o.random && o.l1 > 0) {
      constexpr int64_t kMostPasses = 50;  // others may have to become something first
      result.n_iter += state.settle(std::min(kMostPasses, o.max_iter - result.n_iter - 1));
    }
  }
  return result;
}

}  // namespace glia::classic
