#include "hist_splits.h"

#include <algorithm>
#include <cmath>

namespace glia::classic {
namespace {

constexpr double kMinCategory = 10;  // samples, for a category to be looked at

}  // namespace

SplitFinder::SplitFinder(const HistBins& bins, const HistGrowth& growth)
    : bins_(bins), growth_(growth), offset_(1, 0) {
  for (const int32_t count : bins.count)
    offset_.push_back(offset_.back() + static_cast<size_t>(count) + 1);
}

double SplitFinder::bounded(const HistNode& node, double gradient, double hessian) const {
  const double value = -gradient / (hessian + growth_.l2 + 1e-15);
  return value < node.low ? node.low : value > node.high ? node.high : value;
}

double SplitFinder::gain_of(const HistNode& node, size_t f, double lg, double lh) const {
  const double rg = node.gradient - lg, rh = node.hessian - lh;
  const double l = bounded(node, lg, lh), r = bounded(node, rg, rh);
  const int8_t sign = monotonic(f);
  if ((sign > 0 && l > r) || (sign < 0 && l < r)) return -1;
  return node.gradient * node.value - lg * l - rg * r;
}
void SplitFinder::settle(const HistNode& node, HistSplit& s, double lg, double lh,
                         int64_t count) const {
  s.left_gradient = lg;
  s.left_hessian = lh;
  s.right_gradient = node.gradient - lg;
  s.right_hessian = node.hessian - lh;
  s.left_count = count;
  s.left_value = bounded(node, lg, lh);
  s.right_value = bounded(node, s.right_gradient, s.right_hessian);
}

// Missing values go right.
void SplitFinder::from_left(const HistNode& node, const Histogram& h, size_t f,
                            HistSplit& s) const {
  const double* sums = h.sums.data() + 2 * offset_[f];
  const uint32_t* counts = h.counts.data() + offset_[f];
  const int64_t end = bins_.count[f] - 1 + bins_.has_missing[f], n = node.count();
  double lg[256], lh[256], gain[256];
  int64_t count = 0, first = end, last = end;
  double g = 0, hess = 0;
  for (int64_t b = 0; b < end; ++b) {
    count += counts[b];
    g += sums[2 * b];
    hess += sums[2 * b + 1];
    lg[b] = g;
    lh[b] = hess;
    if (count < growth_.min_samples_leaf) continue;
    if (n - count < growth_.min_samples_leaf) {
      last = b;
      break;
    }
    if (hess < kMinHessian) continue;
    if (node.hessian - hess < kMinHessian) {
      last = b;
      break;
    }
    first = std::min(first, b);
  }
  if (growth_.monotonic.empty()) {
    const double loss = node.gradient * node.value, more = growth_.l2;
    for (int64_t b = first; b < last; ++b) {
      const double rg = node.gradient - lg[b], rh = node.hessian - lh[b];
      const double l = -lg[b] / (lh[b] + more + 1e-15), r = -rg / (rh + more + 1e-15);
      gain[b] = loss - lg[b] * l - rg * r;
    }
  } else {
    for (int64_t b = first; b < last; ++b) gain[b] = gain_of(node, f, lg[b], lh[b]);
  }
  int64_t best = -1;
  double most = std::max(s.gain, 0.0);
  for (int64_t b = first; b < last; ++b)
    if (gain[b] > most) {
      most = gain[b];
      best = b;
    }
  if (best < 0) return;
  int64_t left = 0;
  for (int64_t b = 0; b <= best; ++b) left += counts[b];
  s.gain = most;
  s.feature = static_cast<int32_t>(f);
  s.bin = static_cast<int32_t>(best);
  s.missing_left = s.categories = false;
  settle(node, s, lg[best], lh[best], left);
}

// Missing values go left.
void SplitFinder::from_right(const HistNode& node, const Histogram& h, size_t f,
                             HistSplit& s) const {
  const double* sums = h.sums.data() + 2 * offset_[f];
  const uint32_t* counts = h.counts.data() + offset_[f];
  const int64_t n = node.count();
  int64_t right = 0;
  double g = 0, hess = 0;
  for (int64_t b = bins_.count[f] - 2; b >= 0; --b) {
    right += counts[b + 1];
    g += sums[2 * (b + 1)];
    hess += sums[2 * (b + 1) + 1];
    const double lg = node.gradient - g, lh = node.hessian - hess;
    if (right < growth_.min_samples_leaf || hess < kMinHessian) continue;
    if (n - right < growth_.min_samples_leaf || lh < kMinHessian) break;
    const double l = bounded(node, lg, lh), r = bounded(node, g, hess);
    const int8_t sign = monotonic(f);
    if ((sign > 0 && l > r) || (sign < 0 && l < r)) continue;
    const double gain = node.gradient * node.value - lg * l - g * r;
    if (!(gain > s.gain && gain > 0)) continue;
    s.gain = gain;
    s.feature = static_cast<int32_t>(f);
    s.bin = static_cast<int32_t>(b);
    s.missing_left = true;
    s.categories = false;
    settle(node, s, lg, lh, n - right);
  }
}

// Categories in the order of their means are like numbers (Fisher 1958); from either end up to
// the middle. Missing values are a category.
void SplitFinder::of_categories(const HistNode& node, const Histogram& h, size_t f,
                                HistSplit& s) const {
  const double* sums = h.sums.data() + 2 * offset_[f];
  const uint32_t* counts = h.counts.data() + offset_[f];
  const int64_t n = node.count();
  const double support = static_cast<double>(n) / node.hessian;
  struct Category {
    double mean;
    int64_t bin;
  };
  std::vector<Category> used;
  for (int64_t b = 0; b < bins_.count[f] + (bins_.has_missing[f] ? 1 : 0); ++b)
    if (sums[2 * b + 1] * support >= kMinCategory)
      used.push_back({sums[2 * b] / (sums[2 * b + 1] + kMinCategory), b});
  if (used.size() <= 1) return;
  std::stable_sort(used.begin(), used.end(),
                   [](const Category& a, const Category& b) { return a.mean < b.mean; });
  const auto all = static_cast<int64_t>(used.size());
  int64_t best = -1;
  bool upwards = true;
  double best_g = 0, best_h = 0;
  int64_t best_count = 0;
  double most = std::max(s.gain, 0.0);
  for (const bool up : {true, false}) {
    const int64_t middle = (all + 1) / 2 - (up ? 0 : 1);
    double g = 0, hess = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < middle; ++i) {
      const int64_t b = used[static_cast<size_t>(up ? i : all - 1 - i)].bin;
      count += counts[b];
      g += sums[2 * b];
      hess += sums[2 * b + 1];
      if (count < growth_.min_samples_leaf || hess < kMinHessian) continue;
      if (n - count < growth_.min_samples_leaf || node.hessian - hess < kMinHessian) break;
      const double gain = gain_of(node, f, g, hess);
      if (!(gain > most)) continue;
      most = gain;
      best = i;
      upwards = up;
      best_g = g;
      best_h = hess;
      best_count = count;
    }
  }
  if (best < 0) return;
  s.gain = most;
  s.feature = static_cast<int32_t>(f);
  s.bin = 0;
  s.categories = true;
  s.set = {};
  for (int64_t i = 0; i <= best; ++i) {
    const auto b = static_cast<size_t>(used[static_cast<size_t>(upwards ? i : all - 1 - i)].bin);
    s.set[b / 64] |= uint64_t{1} << (b % 64);
  }
  const auto missing = static_cast<size_t>(bins_.count[f]);
  s.missing_left = bins_.has_missing[f] && (s.set[missing / 64] >> (missing % 64) & 1);
  settle(node, s, best_g, best_h, best_count);
}

HistSplit SplitFinder::best_of(const HistNode& node, const Histogram& h,
                               const std::vector<char>& allowed, int64_t group) const {
  HistSplit s;
  const int64_t end = std::min(bins_.d, group * 4 + 4);
  for (int64_t i = group * 4; i < end; ++i) {
    const auto f = static_cast<size_t>(i);
    if (!allowed.empty() && !allowed[f]) continue;
    if (bins_.categorical[f]) {
      of_categories(node, h, f, s);
    } else {
      from_left(node, h, f, s);
      if (bins_.has_missing[f]) from_right(node, h, f, s);
    }
  }
  return s;
}

}  // namespace glia::classic
