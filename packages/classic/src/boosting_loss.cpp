#include "boosting_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "columns.h"
#include "glia/parallel.h"

namespace glia::classic {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();
constexpr size_t kBlock = 4096;  // samples of a thread at a time

template <class F>
void for_blocks(size_t n, F&& body) {
  parallel_for(static_cast<int64_t>((n + kBlock - 1) / kBlock), [&](int64_t block) {
    const size_t from = static_cast<size_t>(block) * kBlock;
    body(from, std::min(n, from + kBlock));
  });
}

double log1p_exp(double x) {
  if (x <= -37) return std::exp(x);
  if (x <= -2) return std::log1p(std::exp(x));
  if (x <= 18) return std::log(1 + std::exp(x));
  return x <= 33.3 ? x + std::exp(-x) : x;
}

double weighted_mean(std::span<const double> values, std::span<const double> weight) {
  const auto n = static_cast<double>(values.size());
  if (weight.empty()) return pairwise_sum(values) / n;
  std::vector<double> products(values.size());
  for (size_t i = 0; i < values.size(); ++i) products[i] = values[i] * weight[i];
  return pairwise_sum(products) / pairwise_sum(weight);
}

}  // namespace

double pairwise_sum(std::span<const double> v) {
  const size_t n = v.size();
  if (n < 8) return std::accumulate(v.begin(), v.end(), 0.0);
  if (n > 128) {
    const size_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(v.first(half)) + pairwise_sum(v.subspan(half));
  }
  double r[8];
  std::copy_n(v.begin(), 8, r);
  size_t i = 8;
  for (; i + 8 <= n; i += 8)
    for (size_t k = 0; k < 8; ++k) r[k] += v[i + k];
  double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; ++i) sum += v[i];
  return sum;
}

double quantile_of(std::vector<double> values, std::span<const double> weight, double q) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (weight.empty()) {
    std::sort(values.begin(), values.end());
    return quantile(values, q);
  }
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> until;
  double sum = 0;
  for (const size_t i : order) until.push_back(sum += weight[i]);
  const double target = q * sum;
  const auto at = std::lower_bound(until.begin(), until.end(), std::max(target, 1e-300));
  return values[order[std::min(static_cast<size_t>(at - until.begin()), order.size() - 1)]];
}

Loss::Step Loss::step(double y, double raw) const {
  switch (kind_) {
    case BoostLoss::kAbsoluteError:
      return {raw > y ? 1.0 : -1.0, 1};
    case BoostLoss::kQuantile:
      return {y >= raw ? -quantile_ : 1 - quantile_, 1};
    case BoostLoss::kHuber: {
      const double off = raw - y;
      if (std::abs(off) <= delta) return {off, 1};
      return {off >= 0 ? delta : -delta, 0};
    }
    case BoostLoss::kPoisson: {
      const double e = std::exp(raw);
      return {e - y, e};
    }
    case BoostLoss::kGamma: {
      const double e = std::exp(-raw);
      return {1 - y * e, e * y};
    }
    case BoostLoss::kBinomial: {
      if (raw <= -37) {
        const double e = std::exp(raw);
        return {e - y, e};
      }
      const double e = std::exp(-raw), whole = 1 + e;
      return {((1 - y) - y * e) / whole, e / (whole * whole)};
    }
    case BoostLoss::kExponential: {
      const double e = std::exp(raw);
      return {-y / e + (1 - y) * e, y / e + (1 - y) * e};
    }
    case BoostLoss::kSquaredError:
    case BoostLoss::kMultinomial:
      break;
  }
  return {raw - y, 1};
}

double Loss::value(double y, double raw) const {
  switch (kind_) {
    case BoostLoss::kAbsoluteError:
      return std::abs(raw - y);
    case BoostLoss::kQuantile:
      return y >= raw ? quantile_ * (y - raw) : (1 - quantile_) * (raw - y);
    case BoostLoss::kHuber: {
      const double off = std::abs(y - raw);
      return off <= delta ? 0.5 * off * off : delta * (off - 0.5 * delta);
    }
    case BoostLoss::kPoisson:
      return std::exp(raw) - y * raw;
    case BoostLoss::kGamma:
      return raw + y * std::exp(-raw);
    case BoostLoss::kBinomial:
      return log1p_exp(raw) - y * raw;
    case BoostLoss::kExponential: {
      const double e = std::exp(raw);
      return y / e + (1 - y) * e;
    }
    case BoostLoss::kSquaredError:
    case BoostLoss::kMultinomial:
      break;
  }
  return 0.5 * (raw - y) * (raw - y);
}

template <class Take>
void Loss::for_each_step(std::span<const double> y, std::span<const double> raw,
                         Take&& take) const {
  const size_t n = y.size(), k = static_cast<size_t>(outputs_);
  for_blocks(n, [&](size_t from, size_t to) {
    if (kind_ != BoostLoss::kMultinomial) {
      for (size_t i = from; i < to; ++i) take(i, i, step(y[i], raw[i]));
      return;
    }
    std::vector<double> p(k);
    for (size_t i = from; i < to; ++i) {
      double most = raw[i], sum = 0;
      for (size_t c = 1; c < k; ++c) most = std::max(most, raw[c * n + i]);
      for (size_t c = 0; c < k; ++c) sum += p[c] = std::exp(raw[c * n + i] - most);
      for (size_t c = 0; c < k; ++c) {
        const double share = p[c] / sum;
        take(c * n + i, i, {share - (y[i] == static_cast<double>(c) ? 1 : 0), share * (1 - share)});
      }
    }
  });
}

void Loss::derivatives(std::span<const double> y, std::span<const double> raw,
                       std::span<const double> weight, float* gradient, float* hessian) const {
  for_each_step(y, raw, [&](size_t at, size_t i, const Step& s) {
    const double w = weight.empty() ? 1 : weight[i];
    gradient[at] = static_cast<float>(w * s.gradient);
    if (hessian) hessian[at] = static_cast<float>(w * s.hessian);
  });
}

void Loss::gradients(std::span<const double> y, std::span<const double> raw, double* out) const {
  for_each_step(y, raw, [&](size_t at, size_t, const Step& s) { out[at] = s.gradient; });
}

std::vector<double> Loss::constant(std::span<const double> y,
                                   std::span<const double> weight) const {
  switch (kind_) {
    case BoostLoss::kAbsoluteError:
      return {quantile_of({y.begin(), y.end()}, weight, 0.5)};
    case BoostLoss::kQuantile:
      return {quantile_of({y.begin(), y.end()}, weight, quantile_)};
    case BoostLoss::kHuber: {
      const double median = quantile_of({y.begin(), y.end()}, weight, 0.5);
      std::vector<double> off;
      for (const double one : y) off.push_back(std::clamp(one - median, -delta, delta));
      return {median + weighted_mean(off, weight)};
    }
    case BoostLoss::kPoisson:
    case BoostLoss::kGamma:
      return {std::log(std::max(weighted_mean(y, weight), 10 * kEps))};
    case BoostLoss::kBinomial: {
      const double p = std::clamp(weighted_mean(y, weight), 10 * kEps, 1 - 10 * kEps);
      return {std::log(p / (1 - p))};
    }
    case BoostLoss::kExponential: {
      const double p = std::clamp(weighted_mean(y, weight), 10 * kEps, 1 - 10 * kEps);
      return {0.5 * std::log(p / (1 - p))};
    }
    case BoostLoss::kMultinomial: {
      std::vector<double> shares, is(y.size());
      double logs = 0;
      for (int64_t c = 0; c < outputs_; ++c) {
        for (size_t i = 0; i < y.size(); ++i) is[i] = y[i] == static_cast<double>(c) ? 1 : 0;
        shares.push_back(std::clamp(weighted_mean(is, weight), kEps, 1 - kEps));
        logs += std::log(shares.back());
      }
      const double mean = std::exp(logs / static_cast<double>(outputs_));  // geometric
      for (double& share : shares) share = std::log(share / mean);
      return shares;
    }
    case BoostLoss::kSquaredError:
      break;
  }
  return {weighted_mean(y, weight)};
}

double Loss::mean(std::span<const double> y, std::span<const double> raw,
                  std::span<const double> weight) const {
  const size_t n = y.size(), k = static_cast<size_t>(outputs_);
  std::vector<double> each(n);
  for_blocks(n, [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      if (kind_ != BoostLoss::kMultinomial) {
        each[i] = value(y[i], raw[i]);
        continue;
      }
      double most = raw[i], sum = 0;
      for (size_t c = 1; c < k; ++c) most = std::max(most, raw[c * n + i]);
      for (size_t c = 0; c < k; ++c) sum += std::exp(raw[c * n + i] - most);
      each[i] = std::log(sum) + most - raw[static_cast<size_t>(y[i]) * n + i];
    }
  });
  return weighted_mean(each, weight);
}

}  // namespace glia::classic
