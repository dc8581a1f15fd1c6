// Adversarial debiasing.
#include <algorithm>

#include "glia/autodiff.h"
#include "glia/data/source.h"
#include "glia/fairness/mitigation.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "glia/optim.h"
#include "groups.h"

namespace glia::fairness {

std::vector<double> adversarial_debiasing(nn::Module& predictor, const ModuleFunction& predict,
                                          nn::Module& adversary, const ModuleFunction& guess,
                                          const Tensor& x, const Tensor& y,
                                          const Tensor& sensitive_features,
                                          const AdversarialOptions& options, Where where) {
  constexpr const char* kOp = "adversarial_debiasing";
  require_defined(kOp, x, where);
  if (x.rank() != 2 || x.size(0) == 0) fail(kOp, "X is (N, F), not " + x.shape().str(), where);
  const int64_t n = x.size(0);
  const bool odds = options.constraint == Constraint::kEqualizedOdds;
  if (!odds && options.constraint != Constraint::kDemographicParity)
    throw ValueError(std::string(kOp) + ": the constraint is demographic parity or equalised odds",
                     where);
  if (options.epochs < 1 || options.batch_size < 1)
    throw ValueError(std::string(kOp) + ": epochs and batch_size are above 0", where);
  const Tensor classes = cast(positions(zeros_and_ones(kOp, "y", y, n, where)), x.dtype());
  const Tensor groups = positions(grouped(kOp, sensitive_features, n, true, where).of);
  optim::Adam predictor_rule(predictor.parameters(), {.lr = options.lr}),
      adversary_rule(adversary.parameters(), {.lr = options.lr});

  std::vector<double> losses;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
    data::Random random(options.seed, static_cast<uint64_t>(epoch));
    for (int64_t i = n - 1; i > 0; --i)
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
    const Tensor shuffled = positions(order);
    double total = 0;
    for (int64_t first = 0; first < n; first += options.batch_size) {
      const int64_t last = std::min(first + options.batch_size, n);
      const Tensor rows = slice(shuffled, 0, {first, last});
      const Tensor target = take(classes, rows);
      const Tensor logits = reshape(predict(take(x, rows)), {last - first});
      const Tensor seen = odds ? stack({logits, target}, 1) : unsqueeze(logits, 1);
      const Tensor loss = binary_cross_entropy_with_logits(logits, target);
      const Tensor told = cross_entropy(guess(seen), take(groups, rows));
      std::vector<Tensor> own = gradients(loss, predictor.parameters());
      const std::vector<Tensor> against = gradients(told, predictor.parameters());
      const std::vector<Tensor> adversarys = gradients(told, adversary.parameters());
      for (size_t i = 0; i < own.size(); ++i) {
        const Tensor direction = against[i] / (sqrt(sum(square(against[i]))) + 1e-12);
        own[i] = own[i] - sum(own[i] * direction) * direction - options.alpha * against[i];
      }
      eval(own);
      total += loss.item() * static_cast<double>(last - first);
      adversary_rule.step(adversarys);
      predictor_rule.step(own);
    }
    losses.push_back(total / static_cast<double>(n));
  }
  return losses;
}

}  // namespace glia::fairness
