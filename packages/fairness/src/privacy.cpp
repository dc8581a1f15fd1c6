#include "glia/fairness/privacy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "glia/classic/metrics/curves.h"
#include "glia/data/source.h"
#include "glia/nn/functional.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "groups.h"

namespace glia::fairness {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  if (a == -kInfinity) return b;
  if (b == -kInfinity) return a;
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}
double log_sub(double a, double b) {  // a >= b
  if (b == -kInfinity) return a;
  return a == b ? -kInfinity : a + std::log1p(-std::exp(b - a));
}

// log erfc(x), where erfc itself would be 0 too.
double log_erfc(double x) {
  const double value = std::erfc(x);
  if (value > 0) return std::log(value);
  const double r = 1 / (x * x);
  return -x * x - std::log(x) - 0.5 * std::log(M_PI) +
         std::log1p(-r / 2 + 3 * r * r / 4 - 15 * r * r * r / 8);
}

double log_binomial(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

// log of the moment of order alpha, an integer: a binomial sum.
double whole_moment(double q, double sigma, double alpha) {
  double total = -kInfinity;
  for (double i = 0; i <= alpha; ++i) {
    const double term = log_binomial(alpha, i) + i * std::log(q) + (alpha - i) * std::log1p(-q);
    total = log_add(total, term + (i * i - i) / (2 * sigma * sigma));
  }
  return total;
}

// The same of any order: two series, on either side of where the densities are equal.
double moment(double q, double sigma, double alpha) {
  double left = -kInfinity, right = -kInfinity;
  const double z = sigma * sigma * std::log(1 / q - 1) + 0.5;
  double sign = 1, log_coefficient = 0;  // of the binomial coefficient of alpha and i
  for (double i = 0; i < 10000; ++i) {
    if (i > 0) {
      const double factor = (alpha - i + 1) / i;
      if (factor == 0) break;
      if (factor < 0) sign = -sign;
      log_coefficient += std::log(std::abs(factor));
    }
    const double j = alpha - i;
    const double from_left = log_coefficient + i * std::log(q) + j * std::log1p(-q) +
                             std::log(0.5) + log_erfc((i - z) / (M_SQRT2 * sigma)) +
                             (i * i - i) / (2 * sigma * sigma);
    const double from_right = log_coefficient + j * std::log(q) + i * std::log1p(-q) +
                              std::log(0.5) + log_erfc((z - j) / (M_SQRT2 * sigma)) +
                              (j * j - j) / (2 * sigma * sigma);
    if (sign > 0) {
      left = log_add(left, from_left);
      right = log_add(right, from_right);
    } else {
      left = log_sub(left, from_left);
      right = log_sub(right, from_right);
    }
    if (std::max(from_left, from_right) < -30) break;
  }
  return log_add(left, right);
}

}  // namespace

std::vector<Tensor> private_gradients(const nn::Module& module,
                                      const std::function<Tensor(const std::vector<Tensor>&)>& loss,
                                      const std::vector<Tensor>& batch, const DpOptions& options,
                                      Where where) {
  constexpr const char* kOp = "private_gradients";
  if (!(options.noise_multiplier >= 0 && options.max_grad_norm > 0 &&
        options.expected_batch_size > 0))
    throw ValueError(std::string(kOp) +
                         ": max_grad_norm and expected_batch_size are above 0, "
                         "noise_multiplier is not negative",
                     where);
  if (batch.empty()) fail(kOp, "a batch has at least one tensor", where);
  for (const Tensor& t : batch)
    if (t.rank() == 0 || t.size(0) != batch[0].size(0))
      fail(kOp, "the tensors of a batch have as many examples", where);
  std::vector<Tensor> sums;
  const ParameterList parameters = module.parameters();
  if (batch[0].size(0) == 0) {
    for (const Variable& p : parameters) sums.push_back(zeros_like(p.tensor()));
  } else {
    const std::vector<Tensor> each = nn::per_sample_gradients(module, loss, batch, where);
    Tensor squares;
    for (const Tensor& g : each) {
      const Tensor own = sum(square(reshape(g, {g.size(0), -1})), {1});
      squares = squares.defined() ? squares + own : own;
    }
    const Tensor factor = minimum(options.max_grad_norm / (sqrt(squares) + 1e-6), 1);
    for (const Tensor& g : each) {
      Shape as{g.size(0)};
      while (as.rank() < g.rank()) as.push_back(1);
      sums.push_back(sum(g * reshape(factor, as), {0}));
    }
  }
  const double deviation = options.noise_multiplier * options.max_grad_norm;
  for (Tensor& s : sums) {
    if (deviation > 0) s = s + randn(s.shape(), s.dtype()) * deviation;
    s = s / options.expected_batch_size;
  }
  return sums;
}

Tensor poisson_sample(int64_t n, double sample_rate, uint64_t seed, uint64_t step) {
  data::Random random(seed, step);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < n; ++i)
    if (random.uniform() < sample_rate) rows.push_back(i);
  return positions(rows);
}

double sampled_gaussian_rdp(double sample_rate, double noise_multiplier, double alpha,
                            Where where) {
  if (!(sample_rate >= 0 && sample_rate <= 1 && noise_multiplier >= 0 && alpha > 1))
    throw ValueError(
        "sampled_gaussian_rdp: sample_rate is from 0 to 1, noise_multiplier not "
        "negative, alpha above 1",
        where);
  if (sample_rate == 0) return 0;
  if (noise_multiplier == 0 || std::isinf(alpha)) return kInfinity;
  if (sample_rate == 1) return alpha / (2 * noise_multiplier * noise_multiplier);
  const bool whole = alpha == std::floor(alpha);
  return (whole ? whole_moment(sample_rate, noise_multiplier, alpha)
                : moment(sample_rate, noise_multiplier, alpha)) /
         (alpha - 1);
}

const std::vector<double>& default_alphas() {
  static const std::vector<double> all = [] {
    std::vector<double> a;
    for (int i = 1; i < 100; ++i) a.push_back(1 + i / 10.0);
    for (int i = 12; i < 64; ++i) a.push_back(i);
    return a;
  }();
  return all;
}

void RdpAccountant::step(double noise_multiplier, double sample_rate, int64_t steps, Where where) {
  if (!(sample_rate >= 0 && sample_rate <= 1 && noise_multiplier >= 0) || steps < 0)
    throw ValueError("RdpAccountant.step: sample_rate is from 0 to 1, the others not negative",
                     where);
  if (!history_.empty() && history_.back().noise_multiplier == noise_multiplier &&
      history_.back().sample_rate == sample_rate)
    history_.back().steps += steps;
  else
    history_.push_back({noise_multiplier, sample_rate, steps});
}

double RdpAccountant::epsilon(double delta, const std::vector<double>& alphas, double* best_alpha,
                              Where where) const {
  if (!(delta > 0 && delta < 1) || alphas.empty())
    throw ValueError("RdpAccountant.epsilon: delta is between 0 and 1, and there is an order",
                     where);
  double best = kInfinity;
  if (best_alpha) *best_alpha = alphas.front();
  for (double alpha : alphas) {
    double rdp = 0;
    for (const Part& p : history_)
      if (p.steps > 0)
        rdp += static_cast<double>(p.steps) *
               sampled_gaussian_rdp(p.sample_rate, p.noise_multiplier, alpha, where);
    const double epsilon =
        rdp - (std::log(delta) + std::log(alpha)) / (alpha - 1) + std::log((alpha - 1) / alpha);
    if (epsilon < best) {
      best = epsilon;
      if (best_alpha) *best_alpha = alpha;
    }
  }
  return history_.empty() ? 0 : std::max(best, 0.0);
}

double noise_multiplier_for(double target_epsilon, double target_delta, double sample_rate,
                            int64_t steps, Where where) {
  constexpr double kTolerance = 0.01, kMost = 1e6;
  if (!(target_epsilon > 0))
    throw ValueError("noise_multiplier_for: target_epsilon is above 0", where);
  const auto epsilon = [&](double sigma) {
    RdpAccountant accountant;
    accountant.step(sigma, sample_rate, steps, where);
    return accountant.epsilon(target_delta, default_alphas(), nullptr, where);
  };
  double low = 0, high = 10, reached = epsilon(high);
  while (reached > target_epsilon) {
    high *= 2;
    if (high > kMost)
      throw ValueError(
          "noise_multiplier_for: no noise gives epsilon " + std::to_string(target_epsilon), where);
    reached = epsilon(high);
  }
  while (target_epsilon - reached > kTolerance && high - low > 1e-9) {
    const double middle = (low + high) / 2, there = epsilon(middle);
    if (there < target_epsilon) {
      high = middle;
      reached = there;
    } else {
      low = middle;
    }
  }
  return high;
}

MembershipAttack membership_inference(const Tensor& member_losses, const Tensor& other_losses,
                                      Where where) {
  constexpr double kLow = 0.001;
  for (const Tensor* t : {&member_losses, &other_losses})
    if (!t->defined() || t->rank() != 1 || t->size(0) == 0)
      fail("membership_inference", "losses are (N), of at least one example", where);
  const Tensor scores = -concat({cast(member_losses, kF64), cast(other_losses, kF64)}, 0);
  const Tensor is =
      concat({ones({member_losses.size(0)}, kI64), zeros({other_losses.size(0)}, kI64)}, 0);
  MembershipAttack out;
  out.auc = classic::roc_auc_score(is, scores, {}, where);
  const auto curve = classic::roc_curve(is, scores, {}, where);
  const auto fpr = curve.fpr.to_vector<double>(), tpr = curve.tpr.to_vector<double>();
  for (size_t i = 0; i < fpr.size(); ++i) {
    out.advantage = std::max(out.advantage, tpr[i] - fpr[i]);
    if (fpr[i] <= kLow) out.tpr_at_low_fpr = std::max(out.tpr_at_low_fpr, tpr[i]);
  }
  return out;
}

Tensor likelihood_ratio_attack(const Tensor& losses, const Tensor& shadow_losses,
                               const Tensor& shadow_members, Where where) {
  constexpr const char* kOp = "likelihood_ratio_attack";
  require_defined(kOp, losses, where);
  if (losses.rank() != 1 || shadow_losses.rank() != 2 || shadow_losses.size(1) != losses.size(0) ||
      shadow_members.shape() != shadow_losses.shape())
    fail(kOp,
         "losses " + losses.shape().str() + " and those of shadow models " +
             shadow_losses.shape().str(),
         where);
  // log(p / (1 - p)) for p = exp(-loss).
  const auto confidence = [](const Tensor& t) {
    const Tensor l = maximum(cast(t, kF64), 1e-12);
    return -l - log(-expm1(-l));
  };
  const Tensor in = cast(shadow_members != 0, kF64), out = 1 - in, all = confidence(shadow_losses);
  if (min(sum(in, {0})).item() < 2 || min(sum(out, {0})).item() < 2)
    throw ValueError(std::string(kOp) +
                         ": each example needs two shadow models that had it, and "
                         "two that had not",
                     where);
  const Tensor seen = confidence(losses);
  const auto log_likelihood = [&](const Tensor& weight) {
    const Tensor n = sum(weight, {0}), m = sum(all * weight, {0}) / n;
    const Tensor v = sum(square(all - m) * weight, {0}) / n + 1e-12;
    return -0.5 * (log(v) + square(seen - m) / v);
  };
  return log_likelihood(in) - log_likelihood(out);
}

}  // namespace glia::fairness
