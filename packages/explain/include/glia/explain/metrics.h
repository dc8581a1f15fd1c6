// Whether explanations can be trusted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/explain/attribution.h"
#include "glia/nn/module.h"

namespace glia::explain {

struct InfidelityOptions {
  Target target = {};
  double noise_scale = 0.01;  // deviation of the normal perturbation
  int64_t n_perturb_samples = 10;
  bool normalize = false;  // by the best factor of the attributions, as Captum's
};
// How far attributions miss what random small perturbations do to the score: the mean of
// (I^T a - (f(x) - f(x - I)))^2 (Yeh et al. 2019): (N). By this thread's random stream.
Tensor infidelity(const Forward& f, const Tensor& x, const Tensor& attributions,
                  const InfidelityOptions& options = {}, Where where = Where::current());

struct SensitivityOptions {
  double perturb_radius = 0.02;  // of a uniform perturbation of each number
  int64_t n_perturb_samples = 10;
};
// The most that an explanation changes within the radius, by the norm of what it is: (N) (Yeh et
// al. 2019, "max-sensitivity").
Tensor sensitivity_max(const Method& method, const Tensor& x,
                       const SensitivityOptions& options = {}, Where where = Where::current());

// Adebayo et al. (2018): an explanation of a model whose parameters are random, from the last layer
// to the first, must differ. Where it stays alike, it does not explain the model.
struct Randomised {
  std::string layer;
  double similarity = 0;  // the mean rank correlation (Spearman) of absolute attributions
};
// `method` must read the module. Layers are randomised one after another and stay so: each is a
// module with parameters of its own, and gets normal numbers of the deviation that it had. The
// module's values are back afterwards.
std::vector<Randomised> cascading_randomisation(nn::Module& module, const Method& method,
                                                const Tensor& x, uint64_t seed = 0,
                                                Where where = Where::current());

// How fast the score falls as the most important places go to the baseline, and how fast it rises
// as they come: areas below the curve over the share of places (Petsiuk et al. 2018). Deletion is
// better low, insertion high.
struct DeletionInsertion {
  Tensor deletion, insertion;  // (N)
};
struct DeletionOptions {
  Target target = {};
  Tensor baseline = {};
  int64_t steps = 20;
};
DeletionInsertion deletion_insertion(const Forward& f, const Tensor& x, const Tensor& attributions,
                                     const DeletionOptions& options = {},
                                     Where where = Where::current());

}  // namespace glia::explain
