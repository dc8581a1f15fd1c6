#include "glia/multitask/balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "glia/error.h"

namespace glia::multitask {
namespace {

using Numbers = std::vector<double>;

// A symmetric matrix of numbers.
struct Gram {
  size_t size;
  Numbers values;

  double operator()(size_t i, size_t j) const { return values[i * size + j]; }
  Numbers times(const Numbers& w) const {
    Numbers out(size);
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j) out[i] += (*this)(i, j) * w[j];
    return out;
  }
  double longest() const {  // square of the longest gradient
    double out = 0;
    for (size_t i = 0; i < size; ++i) out = std::max(out, (*this)(i, i));
    return out;
  }
};

Gram gram_of(const char* name, const Tensor& gram) {
  if (!gram.defined() || gram.dtype() != kF64 || gram.rank() != 2 || gram.numel() == 0 ||
      gram.size(0) != gram.size(1))
    throw ShapeError(
        std::string(name) + ": products of gradients are f64 (T, T), not " +
        (gram.defined() ? glia::name(gram.dtype()) + (" " + gram.shape().str()) : "nothing"));
  Gram out{static_cast<size_t>(gram.size(0)), gram.to_vector<double>()};
  if (!std::ranges::all_of(out.values, [](double v) { return std::isfinite(v); }))
    throw ValueError(std::string(name) + ": a product of gradients is not finite");
  return out;
}

double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The point with weights at least 0, together 1, that is nearest to v (Held et al. 1974).
Numbers on_simplex(const Numbers& v) {
  Numbers sorted = v;
  std::ranges::sort(sorted, std::greater());
  double sum = 0, shift = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    const double now = (sum - 1) / static_cast<double>(i + 1);
    if (sorted[i] > now) shift = now;
  }
  Numbers out;
  for (const double x : v) out.push_back(std::max(0.0, x - shift));
  return out;
}

void check_sizes(const char* name, size_t a, size_t b) {
  if (a == 0 || a != b)
    throw ShapeError(std::string(name) + ": " + std::to_string(a) + " tasks and " +
                     std::to_string(b));
}

void scale_to(Numbers& weights, double total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w *= total / sum;
}

}  // namespace

Numbers min_norm_weights(const Tensor& products, const MinNormOptions& options) {
  const Gram gram = gram_of("min_norm_weights", products);
  if (options.max_iter < 1 || !(options.tol >= 0))
    throw ValueError("min_norm_weights: max_iter " + std::to_string(options.max_iter) + ", tol " +
                     std::to_string(options.tol));
  const size_t size = gram.size;
  Numbers w(size, 1 / static_cast<double>(size));
  // Frank and Wolfe move towards the best corner; to be exact in few steps, weight is also taken
  // away from the worst one that has any (pairwise steps, Lacoste-Julien & Jaggi 2015).
  for (int64_t i = 0; i < options.max_iter; ++i) {
    const Numbers slope = gram.times(w);
    size_t best = 0, worst = size;
    for (size_t k = 0; k < size; ++k) {
      if (slope[k] < slope[best]) best = k;
      if (w[k] > 0 && (worst == size || slope[k] > slope[worst])) worst = k;
    }
    const double gain = slope[worst] - slope[best];
    if (gain <= options.tol * gram.longest()) break;
    const double curve = gram(best, best) - 2 * gram(best, worst) + gram(worst, worst);
    const double step = curve > 0 ? std::min(w[worst], gain / curve) : w[worst];
    w[best] += step;
    w[worst] = step == w[worst] ? 0 : w[worst] - step;
  }
  return w;
}

Numbers pcgrad_weights(const Tensor& products, data::Random& random) {
  const Gram gram = gram_of("pcgrad_weights", products);
  const size_t size = gram.size;
  Numbers total(size);
  for (size_t i = 0; i < size; ++i) {
    std::vector<size_t> order;
    for (size_t j = 0; j < size; ++j)
      if (j != i) order.push_back(j);
    for (size_t k = order.size(); k > 1; --k)
      std::swap(order[k - 1], order[random.below(static_cast<int64_t>(k))]);
    Numbers own(size);  // gradient i as a combination of all
    own[i] = 1;
    for (const size_t j : order) {
      double product = 0;
      for (size_t k = 0; k < size; ++k) product += own[k] * gram(k, j);
      if (product < 0 && gram(j, j) > 0) own[j] -= product / gram(j, j);
    }
    for (size_t k = 0; k < size; ++k) total[k] += own[k];
  }
  return total;
}

Numbers cagrad_weights(const Tensor& products, const CAGradOptions& options) {
  const Gram gram = gram_of("cagrad_weights", products);
  if (!(options.c >= 0 && options.c < 1))
    throw ValueError("cagrad_weights: a c of " + std::to_string(options.c) + " is not in [0, 1)");
  const size_t size = gram.size;
  const Numbers even(size, 1 / static_cast<double>(size));
  const Numbers mean = gram.times(even);
  const double length = std::sqrt(std::max(0.0, dot(even, mean)));
  const double share = options.c * length;
  Numbers out = even;
  if (share > 0) {
    // The least of w . mean + share |g_w|, which is convex, by projected steps with momentum
    // (Beck & Teboulle 2009) of a length that is found by halving.
    const auto norm = [&](const Numbers& w) {
      return std::sqrt(std::max(0.0, dot(w, gram.times(w))));
    };
    const auto value = [&](const Numbers& w) { return dot(w, mean) + share * norm(w); };
    Numbers w = even, ahead = even;
    double momentum = 1, step = 1 / std::max(gram.longest(), 1e-300);
    constexpr int kSteps = 2000;
    for (int i = 0; i < kSteps; ++i) {
      const Numbers at = gram.times(ahead);
      const double here = norm(ahead), now = value(ahead);
      Numbers slope(size), next;
      for (size_t k = 0; k < size; ++k) slope[k] = mean[k] + (here > 0 ? share * at[k] / here : 0);
      step *= 2;
      while (true) {
        Numbers target(size);
        for (size_t k = 0; k < size; ++k) target[k] = ahead[k] - step * slope[k];
        next = on_simplex(target);
        double linear = now, square = 0;
        for (size_t k = 0; k < size; ++k) {
          linear += slope[k] * (next[k] - ahead[k]);
          square += (next[k] - ahead[k]) * (next[k] - ahead[k]);
        }
        if (value(next) <= linear + square / (2 * step) + 1e-16 * std::abs(now) || step < 1e-300)
          break;
        step /= 2;
      }
      double moved = 0;
      for (size_t k = 0; k < size; ++k) moved = std::max(moved, std::abs(next[k] - w[k]));
      if (value(next) > value(w)) {  // momentum led astray
        ahead = w;
        momentum = 1;
        if (moved < 1e-14) break;
        continue;
      }
      const double later = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
      for (size_t k = 0; k < size; ++k)
        ahead[k] = next[k] + (momentum - 1) / later * (next[k] - w[k]);
      momentum = later;
      w = next;
      if (moved < 1e-15) break;
    }
    const double worst = norm(w);
    if (worst > 0)
      for (size_t k = 0; k < size; ++k) out[k] += share / worst * w[k];
  }
  if (options.rescale)
    for (double& v : out) v /= 1 + options.c * options.c;
  return out;
}

Numbers dwa_weights(const Numbers& last, const Numbers& before_last, double temperature) {
  check_sizes("dwa_weights", last.size(), before_last.size());
  if (!(temperature > 0))
    throw ValueError("dwa_weights: a temperature of " + std::to_string(temperature) +
                     " is not above 0");
  Numbers rates;
  for (size_t k = 0; k < last.size(); ++k) rates.push_back(last[k] / before_last[k] / temperature);
  if (!std::ranges::all_of(rates, [](double r) { return std::isfinite(r); }))
    throw ValueError("dwa_weights: a loss is 0 or not finite");
  const double most = *std::ranges::max_element(rates);
  for (double& r : rates) r = std::exp(r - most);
  scale_to(rates, static_cast<double>(last.size()));
  return rates;
}

Numbers gradnorm_weights(const Numbers& weights, const Numbers& norms, const Numbers& progress,
                         const GradNormOptions& options) {
  check_sizes("gradnorm_weights", weights.size(), norms.size());
  check_sizes("gradnorm_weights", weights.size(), progress.size());
  const auto count = static_cast<double>(weights.size());
  const auto mean_of = [&](const Numbers& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / count;
  };
  Numbers weighted;
  for (size_t k = 0; k < weights.size(); ++k) weighted.push_back(weights[k] * norms[k]);
  const double mean = mean_of(weighted), pace = mean_of(progress);
  if (!std::isfinite(mean) || !std::isfinite(pace) || !(pace > 0))
    throw ValueError("gradnorm_weights: a norm or a loss is not finite, or all losses are 0");
  Numbers out;
  for (size_t k = 0; k < weights.size(); ++k) {
    // The slope of |w norm - target|, the target being constant.
    const double off = weighted[k] - mean * std::pow(progress[k] / pace, options.alpha);
    const double sign = off > 0 ? 1 : off < 0 ? -1 : 0;
    out.push_back(std::max(1e-6, weights[k] - options.lr * sign * norms[k]));
  }
  scale_to(out, count);
  return out;
}

}  // namespace glia::multitask
