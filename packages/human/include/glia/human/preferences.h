// Learning from which of two a person prefers, and when to leave the answer to a person.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/ops.h"

namespace glia::human {

// ---- Rewards ------------------------------------------------------------------------------------

// -log sigmoid(chosen - rejected - margin) of rewards (N): what trains a reward model (Bradley &
// Terry 1952; Christiano et al. 2017). `weight` (N) is the share of people who chose so, if they
// disagreed: 1 - weight counts for the other.
Tensor bradley_terry_loss(const Tensor& chosen, const Tensor& rejected, double margin = 0,
                          const Tensor& weight = {}, Reduction reduction = Reduction::kMean,
                          Where where = Where::current());
// Of rewards (N, K) in the order of preference, best first: -log P(order) (Plackett 1975).
Tensor plackett_luce_loss(const Tensor& ranked, Reduction reduction = Reduction::kMean,
                          Where where = Where::current());

struct BradleyTerry {
  Tensor strengths;  // (K) f64, mean 0: P(i over j) = sigmoid(s_i - s_j)
  int64_t iterations = 0;
};
// The likeliest strengths by how often i was preferred to j, wins (K, K), by minorisation (Hunter
// 2004). Throws ValueError if some never lost, or never won, against the rest: none are likeliest.
BradleyTerry bradley_terry(const Tensor& wins, int64_t max_iter = 10000, double tol = 1e-10,
                           Where where = Where::current());

// ---- Policies -----------------------------------------------------------------------------------

// Of logits (N, T, V) and tokens (N, T) the log-probability of each sequence, (N): position t says
// what token t + 1 is. mask (N, T), bool: which tokens count, such as the answer's; undefined: all.
Tensor sequence_log_probs(const Tensor& logits, const Tensor& tokens, const Tensor& mask = {},
                          Where where = Where::current());

enum class DpoLoss {
  kSigmoid,  // -log sigmoid(beta h)
  kHinge,    // max(0, 1 - beta h) (Zhao et al. 2023)
  kIpo,      // (h - 1 / (2 beta))^2 (Azar et al. 2023)
};
struct DpoOptions {
  double beta = 0.1;
  double label_smoothing = 0;  // the share of preferences that are taken for wrong
  DpoLoss loss = DpoLoss::kSigmoid;
  Reduction reduction = Reduction::kMean;
};
struct Dpo {
  Tensor loss;
  Tensor chosen_rewards, rejected_rewards;  // (N): beta (log p - log p_reference), cut from history
};
// Direct preference optimisation (Rafailov et al. 2023) by log-probabilities (N) of the policy and
// of the reference: h is how much more the policy prefers the chosen one than the reference does.
Dpo dpo_loss(const Tensor& policy_chosen, const Tensor& policy_rejected,
             const Tensor& reference_chosen, const Tensor& reference_rejected,
             const DpoOptions& options = {}, Where where = Where::current());

// ---- Learning to defer --------------------------------------------------------------------------

// Of logits (N, C + 1), the last of which says that a person should answer: the cross-entropy with
// the class, and with the last one where the person is right; where they are, the class counts
// alpha (Mozannar & Sontag 2020). expert_correct (N) bool.
Tensor defer_loss(const Tensor& logits, const Tensor& target, const Tensor& expert_correct,
                  double alpha = 1, Reduction reduction = Reduction::kMean,
                  Where where = Where::current());

struct DeferralCurve {
  Tensor coverage;  // (points) f64: the share that the model answers
  Tensor accuracy;  // of both together
};
// Who answers, if the model does for the share of which it is surest: whether the model, and the
// person, are right, bool (N), and how sure it is (N).
DeferralCurve deferral_curve(const Tensor& model_correct, const Tensor& expert_correct,
                             const Tensor& confidence, int64_t points = 101,
                             Where where = Where::current());

}  // namespace glia::human
