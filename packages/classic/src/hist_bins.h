// Features in at most 255 bins each, for histograms.
#pragma once

#include <cstdint>
#include <vector>

#include "twister.h"

namespace glia::classic {

struct HistBins {
  int64_t n = 0, d = 0, max_bins = 255;
  // The bins of four features side by side: (groups of features, samples).
  std::vector<uint32_t> packed;
  std::vector<std::vector<double>> thresholds;  // (features): a bin has what is <= its threshold
  std::vector<int32_t> count;                   // (features): bins; the one behind is of missing
  std::vector<char> has_missing, categorical;   // (features)

  int64_t groups() const { return (d + 3) / 4; }
  uint32_t bin(int64_t i, int64_t f) const {
    return packed[static_cast<size_t>(f / 4 * n + i)] >> (8 * (f % 4)) & 255;
  }
};

// Of x (samples, features): quantiles of at most 200,000 samples where values are more than
// max_bins. Of a categorical feature values are codes from 0 on, and their count is `categories`.
HistBins hist_bins(const double* x, int64_t n, int64_t d, int64_t max_bins,
                   const std::vector<int64_t>& categories, const std::vector<double>& weight,
                   uint64_t seed);

}  // namespace glia::classic
