// Training that tells little of any one person, how much it tells, and what an attacker can find
// out. Opacus' names and formulas.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "glia/nn/module.h"
#include "glia/optim.h"
#include "glia/tensor.h"

namespace glia::fairness {

// ---- DP-SGD -------------------------------------------------------------------------------------

struct DpOptions {
  double noise_multiplier = 1;     // the noise's deviation, in units of max_grad_norm
  double max_grad_norm = 1;        // to which each example's gradient is clipped
  double expected_batch_size = 0;  // what the sum is divided by: sample rate times N, above 0
};
// The gradient of each trainable parameter for an optimizer's step: each example's gradient, by
// vmap, clipped to the norm over all parameters, summed, with normal noise, divided (Abadi et al.
// 2016). loss(example) is a scalar of one example, whose tensors have no batch axis; the batch may
// be empty: then it is noise alone. Noise is by this thread's random stream, which is no
// cryptographic one. A module whose examples depend on each other, as by batch norm in training, is
// not private, and vmap refuses it.
std::vector<Tensor> private_gradients(const nn::Module& module,
                                      const std::function<Tensor(const std::vector<Tensor>&)>& loss,
                                      const std::vector<Tensor>& batch, const DpOptions& options,
                                      Where where = Where::current());

// Which examples are in a batch, each with probability `sample_rate` by itself: positions i64 of n.
// What the accountant assumes; shuffling does not give it.
Tensor poisson_sample(int64_t n, double sample_rate, uint64_t seed, uint64_t step);

// ---- The accountant -----------------------------------------------------------------------------

// The Renyi divergence of order alpha > 1 that one step of the sampled Gaussian mechanism costs
// (Mironov, Talwar & Zhang 2019).
double sampled_gaussian_rdp(double sample_rate, double noise_multiplier, double alpha,
                            Where where = Where::current());

// 1.1 to 10.9 by tenths, then 12 to 63.
const std::vector<double>& default_alphas();

class RdpAccountant {
 public:
  void step(double noise_multiplier, double sample_rate, int64_t steps = 1,
            Where where = Where::current());
  // The least epsilon of all orders such that training is (epsilon, delta)-private, and the order
  // (Balle et al. 2020). Infinite without noise.
  double epsilon(double delta, const std::vector<double>& alphas = default_alphas(),
                 double* best_alpha = nullptr, Where where = Where::current()) const;

 private:
  struct Part {
    double noise_multiplier, sample_rate;
    int64_t steps;
  };
  std::vector<Part> history_;
};

// The least noise multiplier, to 0.01 of epsilon, at which so many steps cost at most that. Throws
// ValueError if no noise up to 1e6 is enough.
double noise_multiplier_for(double target_epsilon, double target_delta, double sample_rate,
                            int64_t steps, Where where = Where::current());

// ---- Membership inference -----------------------------------------------------------------------

struct MembershipAttack {
  double auc = 0;             // 0.5: it tells nothing
  double advantage = 0;       // the greatest difference of true and false positive rates
  double tpr_at_low_fpr = 0;  // at a false positive rate of at most 0.001
};
// How well losses tell examples that were trained on from others (Yeom et al. 2018): (N) and (M).
MembershipAttack membership_inference(const Tensor& member_losses, const Tensor& other_losses,
                                      Where where = Where::current());
// The likelihood-ratio attack (Carlini et al. 2022): of each example (N) its loss by the model, and
// by shadow models (S, N) which of these were trained on it: bool (S, N), at least two of either
// kind. Scores (N), high for members; losses become log(p / (1 - p)) of p = exp(-loss).
Tensor likelihood_ratio_attack(const Tensor& losses, const Tensor& shadow_losses,
                               const Tensor& shadow_members, Where where = Where::current());

}  // namespace glia::fairness
