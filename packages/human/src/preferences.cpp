#include "glia/human/preferences.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "glia/op.h"
#include "glia/ops/loss.h"

namespace glia::human {
namespace {

Tensor reduced(const Tensor& x, Reduction reduction) {
  return reduction == Reduction::kNone ? x : reduction == Reduction::kSum ? sum(x) : mean(x);
}

void check_pair(const char* op, const Tensor& a, const Tensor& b, const Where& where) {
  require_defined(op, a, where);
  require_defined(op, b, where);
  if (a.rank() != 1 || a.shape() != b.shape())
    fail(op, "numbers are (N) each, not " + a.shape().str() + " and " + b.shape().str(), where);
}

// Whether every one can be reached from the first by steps i -> j with edge(i, j).
template <class F>
bool reaches_all(size_t n, F&& edge) {
  std::vector<bool> seen(n, false);
  std::vector<size_t> left{0};
  seen[0] = true;
  size_t count = 1;
  while (!left.empty()) {
    const size_t i = left.back();
    left.pop_back();
    for (size_t j = 0; j < n; ++j)
      if (!seen[j] && edge(i, j)) {
        seen[j] = true;
        ++count;
        left.push_back(j);
      }
  }
  return count == n;
}

}  // namespace

Tensor bradley_terry_loss(const Tensor& chosen, const Tensor& rejected, double margin,
                          const Tensor& weight, Reduction reduction, Where where) {
  check_pair("bradley_terry_loss", chosen, rejected, where);
  const Tensor h = chosen - rejected - margin;
  if (!weight.defined()) return reduced(softplus(-h), reduction);
  check_pair("bradley_terry_loss", chosen, weight, where);
  return reduced(weight * softplus(-h) + (1 - weight) * softplus(h), reduction);
}

Tensor plackett_luce_loss(const Tensor& ranked, Reduction reduction, Where where) {
  require_defined("plackett_luce_loss", ranked, where);
  if (ranked.rank() != 2 || ranked.size(1) == 0)
    fail("plackett_luce_loss", "rewards are (N, K), not " + ranked.shape().str(), where);
  Tensor total;
  for (int64_t k = 0; k + 1 < ranked.size(1); ++k) {
    const Tensor left = slice(ranked, 1, {k, ranked.size(1)});
    const Tensor part = logsumexp(left, {1}) - index(ranked, {Slice{}, k});
    total = total.defined() ? total + part : part;
  }
  return reduced(total.defined() ? total : zeros({ranked.size(0)}, ranked.dtype()), reduction);
}

BradleyTerry bradley_terry(const Tensor& wins, int64_t max_iter, double tol, Where where) {
  constexpr const char* kOp = "bradley_terry";
  require_defined(kOp, wins, where);
  if (wins.rank() != 2 || wins.size(0) != wins.size(1) || wins.size(0) < 2)
    fail(kOp, "wins are (K, K), not " + wins.shape().str(), where);
  const auto n = static_cast<size_t>(wins.size(0));
  std::vector<double> w = wins.to_vector<double>();
  for (size_t i = 0; i < n; ++i) w[i * n + i] = 0;
  for (double v : w)
    if (!(v >= 0) || std::isinf(v))
      throw ValueError(std::string(kOp) + ": a number of wins is " + std::to_string(v), where);
  if (!reaches_all(n, [&](size_t i, size_t j) { return w[i * n + j] > 0; }) ||
      !reaches_all(n, [&](size_t i, size_t j) { return w[j * n + i] > 0; }))
    throw ValueError(std::string(kOp) + ": some never lost against the others, or never won",
                     where);
  std::vector<double> strength(n, 1);
  BradleyTerry out;
  for (double change = INFINITY; out.iterations < max_iter && change > tol; ++out.iterations) {
    std::vector<double> next(n);
    double mean_log = 0;
    for (size_t i = 0; i < n; ++i) {
      double won = 0, met = 0;
      for (size_t j = 0; j < n; ++j) {
        won += w[i * n + j];
        met += (w[i * n + j] + w[j * n + i]) / (strength[i] + strength[j]);
      }
      next[i] = won / met;
      mean_log += std::log(next[i]) / static_cast<double>(n);
    }
    change = 0;
    for (size_t i = 0; i < n; ++i) {
      next[i] *= std::exp(-mean_log);
      change = std::max(change, std::abs(std::log(next[i] / strength[i])));
    }
    strength = next;
  }
  for (double& s : strength) s = std::log(s);
  out.strengths = from_vector(strength, {wins.size(0)});
  return out;
}

Tensor sequence_log_probs(const Tensor& logits, const Tensor& tokens, const Tensor& mask,
                          Where where) {
  constexpr const char* kOp = "sequence_log_probs";
  require_defined(kOp, logits, where);
  require_defined(kOp, tokens, where);
  if (logits.rank() != 3 || tokens.shape() != Shape{logits.size(0), logits.size(1)} ||
      (mask.defined() && mask.shape() != tokens.shape()))
    fail(kOp, "logits " + logits.shape().str() + " and tokens " + tokens.shape().str(), where);
  const int64_t length = logits.size(1);
  if (length < 2) return zeros({logits.size(0)}, logits.dtype());
  const Tensor next = slice(tokens, 1, {1, length});
  const Tensor said = log_softmax(slice(logits, 1, {0, length - 1}));
  const Tensor each = squeeze(gather(said, unsqueeze(next, 2), 2), 2);
  return sum(mask.defined() ? each * cast(slice(mask, 1, {1, length}), logits.dtype()) : each, {1});
}

Dpo dpo_loss(const Tensor& policy_chosen, const Tensor& policy_rejected,
             const Tensor& reference_chosen, const Tensor& reference_rejected,
             const DpoOptions& options, Where where) {
  constexpr const char* kOp = "dpo_loss";
  check_pair(kOp, policy_chosen, policy_rejected, where);
  check_pair(kOp, policy_chosen, reference_chosen, where);
  check_pair(kOp, policy_chosen, reference_rejected, where);
  const double beta = options.beta, wrong = options.label_smoothing;
  if (!(beta > 0) || !(wrong >= 0 && wrong < 0.5))
    throw ValueError("dpo_loss: beta is above 0, label_smoothing from 0 to below 0.5", where);
  const Tensor chosen = policy_chosen - stop_gradient(reference_chosen),
               rejected = policy_rejected - stop_gradient(reference_rejected);
  const Tensor h = chosen - rejected;
  Tensor loss;
  if (options.loss == DpoLoss::kHinge)
    loss = relu(1 - beta * h);
  else if (options.loss == DpoLoss::kIpo)
    loss = square(h - 1 / (2 * beta));
  else
    loss = (1 - wrong) * softplus(-beta * h) + wrong * softplus(beta * h);
  return {reduced(loss, options.reduction), stop_gradient(beta * chosen),
          stop_gradient(beta * rejected)};
}

Tensor defer_loss(const Tensor& logits, const Tensor& target, const Tensor& expert_correct,
                  double alpha, Reduction reduction, Where where) {
  constexpr const char* kOp = "defer_loss";
  require_defined(kOp, logits, where);
  if (logits.rank() != 2 || logits.size(1) < 2 || target.shape() != Shape{logits.size(0)} ||
      expert_correct.shape() != target.shape())
    fail(kOp, "logits " + logits.shape().str() + " with classes " + target.shape().str(), where);
  const Tensor said = log_softmax(logits);
  const Tensor own = squeeze(gather(said, unsqueeze(target, 1), 1), 1);
  const Tensor pass = index(said, {Slice{}, logits.size(1) - 1});
  const Tensor right = expert_correct != 0;
  return reduced(-glia::where(right, alpha * own + pass, own), reduction);
}

DeferralCurve deferral_curve(const Tensor& model_correct, const Tensor& expert_correct,
                             const Tensor& confidence, int64_t points, Where where) {
  constexpr const char* kOp = "deferral_curve";
  check_pair(kOp, model_correct, expert_correct, where);
  check_pair(kOp, model_correct, confidence, where);
  if (points < 2 || confidence.size(0) == 0)
    throw ValueError("deferral_curve: at least two points, and an example", where);
  const auto model = (model_correct != 0).to_vector<double>(),
             expert = (expert_correct != 0).to_vector<double>();
  const auto order = argsort(confidence, 0, true).to_vector<int64_t>();
  const auto n = static_cast<double>(order.size());
  // Right answers if the model has the first i.
  std::vector<double> right{0};
  for (double e : expert) right[0] += e;
  for (int64_t i : order)
    right.push_back(right.back() + model[static_cast<size_t>(i)] - expert[static_cast<size_t>(i)]);
  std::vector<double> coverage, accuracy;
  for (int64_t p = 0; p < points; ++p) {
    const double share = static_cast<double>(p) / static_cast<double>(points - 1);
    coverage.push_back(share);
    accuracy.push_back(right[static_cast<size_t>(std::llround(share * n))] / n);
  }
  return {from_vector(coverage, {points}), from_vector(accuracy, {points})};
}

}  // namespace glia::human
