// How a node of boosting is split: the best of a feature's bins, by sums of gradients.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "hist_grower.h"

namespace glia::classic {

constexpr double kMinHessian = 1e-3;  // of a side

// Sums of one node, feature after feature.
struct Histogram {
  std::vector<double> sums;      // (bins, 2): gradients, hessians
  std::vector<uint32_t> counts;  // (bins)
};

struct HistSplit {
  double gain = -1;
  int32_t feature = 0, bin = 0;  // left: bins up to it
  bool missing_left = false, categories = false;
  double left_gradient = 0, left_hessian = 0, right_gradient = 0, right_hessian = 0;
  int64_t left_count = 0;
  double left_value = 0, right_value = 0;
  std::array<uint64_t, 4> set = {};  // bins that are left
};

struct HistNode {
  int64_t start = 0, end = 0, depth = 0;
  double gradient = 0, hessian = 0, value = 0;
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();  // what its children may say
  HistSplit split;
  int64_t left = -1, right = -1;
  std::unique_ptr<Histogram> histogram;

  int64_t count() const { return end - start; }
};

class SplitFinder {
 public:
  SplitFinder(const HistBins& bins, const HistGrowth& growth);

  // (features + 1): the first bin of each in histograms
  const std::vector<size_t>& offsets() const { return offset_; }
  int8_t monotonic(size_t f) const {
    return growth_.monotonic.empty() ? int8_t{0} : growth_.monotonic[f];
  }
  // The best of a group of four features; `allowed` (features) or, if there are none, all.
  HistSplit best_of(const HistNode& node, const Histogram& h, const std::vector<char>& allowed,
                    int64_t group) const;

 private:
  double bounded(const HistNode& node, double gradient, double hessian) const;
  double gain_of(const HistNode& node, size_t f, double lg, double lh) const;
  void settle(const HistNode& node, HistSplit& s, double lg, double lh, int64_t count) const;
  void from_left(const HistNode& node, const Histogram& h, size_t f, HistSplit& s) const;
  void from_right(const HistNode& node, const Histogram& h, size_t f, HistSplit& s) const;
  void of_categories(const HistNode& node, const Histogram& h, size_t f, HistSplit& s) const;

  const HistBins& bins_;
  const HistGrowth& growth_;
  std::vector<size_t> offset_;
};

}  // namespace glia::classic
