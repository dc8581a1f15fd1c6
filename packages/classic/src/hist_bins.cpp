#include "hist_bins.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/parallel.h"

namespace glia::classic {
namespace {

constexpr int64_t kSubsample = 200000;

// What the bins of ascending values end with. Between few values half way; else the quantiles,
// with the mean of two where a share is met exactly (averaged inverted distribution function).
std::vector<double> thresholds_of(const std::vector<double>& sorted, int64_t max_bins,
                                  const std::vector<double>& weight) {
  std::vector<double> distinct, out;
  std::unique_copy(sorted.begin(), sorted.end(), std::back_inserter(distinct));
  if (static_cast<int64_t>(distinct.size()) <= max_bins) {
    for (size_t i = 1; i < distinct.size(); ++i) out.push_back((distinct[i - 1] + distinct[i]) / 2);
  } else {
    std::vector<double> until;
    double sum = 0;
    for (const double w : weight) until.push_back(sum += w);
    const auto n = static_cast<double>(sorted.size());
    const double step = 100 / static_cast<double>(max_bins);
    for (int64_t i = 1; i < max_bins; ++i) {
      const double share = static_cast<double>(i) * step / 100;
      if (weight.empty()) {
        const double at = n * share - 1, low = std::floor(at);
        const size_t below = low < 0 ? 0 : static_cast<size_t>(low);
        const double a = sorted[below], b = sorted[std::min(below + 1, sorted.size() - 1)];
        out.push_back(at == low ? b - (b - a) * 0.5 : b);
        continue;
      }
      const double target = share * sum;
      const auto reached = std::lower_bound(until.begin(), until.end(), target);
      const auto k = std::min(static_cast<size_t>(reached - until.begin()), sorted.size() - 1);
      const bool met = until[k] == target && k + 1 < sorted.size();
      out.push_back(met ? (sorted[k] + sorted[k + 1]) / 2 : sorted[k]);
    }
    out.erase(std::unique(out.begin(), out.end()), out.end());
  }
  for (double& t : out) t = std::min(t, 1e300);
  return out;
}

}  // namespace

HistBins hist_bins(const double* x, int64_t n, int64_t d, int64_t max_bins,
                   const std::vector<int64_t>& categories, const std::vector<double>& weight,
                   uint64_t seed) {
  HistBins out;
  out.n = n;
  out.d = d;
  out.max_bins = max_bins;
  const auto features = static_cast<size_t>(d);
  out.packed.assign(static_cast<size_t>(out.groups() * n), 0);
  out.thresholds.resize(features);
  out.count.resize(features);
  out.has_missing.resize(features);
  out.categorical.resize(features);
  std::vector<int64_t> drawn;
  if (n > kSubsample) {
    Twister random(seed);
    if (weight.empty())
      for (int64_t i = 0; i < kSubsample; ++i) drawn.push_back(random.below(n));
    else
      drawn = random.weighted(weight, kSubsample);
  }
  const bool weighted = !weight.empty() && drawn.empty();
  std::vector<std::vector<uint8_t>> columns(features);
  parallel_for(d, [&](int64_t f) {
    const auto at = static_cast<size_t>(f);
    const auto value = [&](int64_t i) { return x[i * d + f]; };
    std::vector<double>& thresholds = out.thresholds[at];
    if (categories[at] > 0) {
      out.categorical[at] = true;
      out.count[at] = static_cast<int32_t>(categories[at]);
    } else {
      std::vector<double> values, weights;
      const auto take = [&](int64_t i) {
        if (std::isnan(value(i)) || (weighted && weight[static_cast<size_t>(i)] == 0)) return;
        values.push_back(value(i));
      };
      if (drawn.empty())
        for (int64_t i = 0; i < n; ++i) take(i);
      else
        for (const int64_t i : drawn) take(i);
      if (weighted) {
        std::vector<std::pair<double, double>> both;
        for (int64_t i = 0; i < n; ++i)
          if (const double w = weight[static_cast<size_t>(i)]; w != 0 && !std::isnan(value(i)))
            both.emplace_back(value(i), w);
        std::sort(both.begin(), both.end());
        values.clear();
        for (const auto& [v, w] : both) {
          values.push_back(v);
          weights.push_back(w);
        }
      } else {
        std::sort(values.begin(), values.end());
      }
      thresholds = thresholds_of(values, max_bins, weights);
      out.count[at] = static_cast<int32_t>(thresholds.size() + 1);
    }
    std::vector<uint8_t>& column = columns[at];
    column.resize(static_cast<size_t>(n));
    const auto missing = static_cast<uint8_t>(out.count[at]);
    for (int64_t i = 0; i < n; ++i) {
      const double v = value(i);
      if (std::isnan(v)) {
        column[static_cast<size_t>(i)] = missing;
        out.has_missing[at] = true;
      } else if (out.categorical[at]) {
        column[static_cast<size_t>(i)] = static_cast<uint8_t>(v);
      } else {
        column[static_cast<size_t>(i)] = static_cast<uint8_t>(
            std::lower_bound(thresholds.begin(), thresholds.end(), v) - thresholds.begin());
      }
    }
  });
  parallel_for(out.groups(), [&](int64_t g) {
    for (int64_t i = 0; i < n; ++i) {
      uint32_t four = 0;
      for (int64_t k = 0; k < std::min<int64_t>(4, d - g * 4); ++k)
        four |= uint32_t{columns[static_cast<size_t>(g * 4 + k)][static_cast<size_t>(i)]}
                << (8 * k);
      out.packed[static_cast<size_t>(g * n + i)] = four;
    }
  });
  return out;
}

}  // namespace glia::classic
