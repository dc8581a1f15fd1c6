// Models that treat groups alike: before training, while it goes on, and afterwards. Fairlearn's
// and AIF360's names and defaults.
//
// y is 0 and 1 (N); sensitive features are (N) or (N, k) integers, a group being each combination.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/nn/module.h"
#include "glia/tensor.h"

namespace glia::fairness {

// ---- Before -------------------------------------------------------------------------------------

// Weights (N) f64 with which group and class are independent: P(group) P(y) / P(group, y) (Kamiran
// & Calders 2012). Their mean is 1 where every group has both classes.
Tensor reweighing(const Tensor& y, const Tensor& sensitive_features,
                  Where where = Where::current());

// Features (N, F) less what is linear in centred sensitive ones, (N) or (N, k) numbers: fit() on
// one set, transform() of others. `alpha` below 1 leaves that share of it out of the change.
class CorrelationRemover {
 public:
  explicit CorrelationRemover(double alpha = 1) : alpha_(alpha) {}
  CorrelationRemover& fit(const Tensor& x, const Tensor& sensitive_features,
                          Where where = Where::current());
  Tensor transform(const Tensor& x, const Tensor& sensitive_features,
                   Where where = Where::current()) const;

  Tensor sensitive_mean;  // (k)
  Tensor beta;            // (k, F)

 private:
  double alpha_;
};

// ---- While training -----------------------------------------------------------------------------

enum class Constraint {
  kDemographicParity,
  kEqualizedOdds,
  kTruePositiveRateParity,  // equal opportunity
  kFalsePositiveRateParity,
  kErrorRateParity,  // of ExponentiatedGradient alone
};
struct ExponentiatedGradientOptions {
  Constraint constraint = Constraint::kDemographicParity;
  double difference_bound = 0.01;  // that each group may be off the whole
  double eps = 0.01;               // 1 / eps bounds the sum of the constraints' weights
  int64_t max_iter = 50;
  double nu = -1;   // the gap at which it ends; below 0: by the deviation of the first errors
  double eta0 = 2;  // the learning rate, times eps
};
// A reductions approach (Agarwal et al. 2018): a random choice among estimators, each fitted with
// weights that the constraints' multipliers give, which go up where a constraint is broken.
class ExponentiatedGradient {
 public:
  explicit ExponentiatedGradient(const classic::Estimator& estimator,
                                 const ExponentiatedGradientOptions& options = {})
      : estimator_(estimator), options_(options) {}
  ExponentiatedGradient& fit(const Tensor& x, const Tensor& y, const Tensor& sensitive_features,
                             Where where = Where::current());
  // (N) f64: how likely each is to get 1. It does not know the group.
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const;
  // (N) i64, drawn by the seed.
  Tensor predict(const Tensor& x, uint64_t seed = 0, Where where = Where::current()) const;

  std::vector<classic::AnyEstimator> predictors;
  std::vector<double> weights;  // of each
  double best_gap = 0;          // what is left of the duality gap
  int64_t last_iter = 0, best_iter = 0;

 private:
  classic::AnyEstimator estimator_;
  ExponentiatedGradientOptions options_;
};

struct AdversarialOptions {
  Constraint constraint = Constraint::kDemographicParity;  // or kEqualizedOdds
  double alpha = 1;  // how much the predictor works against the adversary
  int64_t epochs = 1, batch_size = 32;
  double lr = 0.001;  // of Adam, of both
  uint64_t seed = 0;
};
// Adversarial debiasing (Zhang et al. 2018): trains a predictor, x (N, F) -> logits (N) or (N, 1),
// from whose logit the adversary, (N, 1) or, for equalised odds, (N, 2) with y -> logits (N,
// groups), cannot tell the group. Of the predictor's gradient what would help the adversary is
// taken out. Both modules stay trained; returns the predictor's loss of each epoch.
using ModuleFunction = std::function<Tensor(const Tensor&)>;
std::vector<double> adversarial_debiasing(nn::Module& predictor, const ModuleFunction& predict,
                                          nn::Module& adversary, const ModuleFunction& guess,
                                          const Tensor& x, const Tensor& y,
                                          const Tensor& sensitive_features,
                                          const AdversarialOptions& options = {},
                                          Where where = Where::current());

// ---- Afterwards ---------------------------------------------------------------------------------

enum class Objective { kAccuracy, kBalancedAccuracy };
struct ThresholdOptions {
  Constraint constraint = Constraint::kDemographicParity;
  Objective objective = Objective::kAccuracy;
  int64_t grid_size = 1000;
  bool flip = false;  // whether a low score may count as a high one
  double tol = 0;     // how far the groups' rates may be apart; of equalised odds 0
};
// Thresholds of scores for each group (Hardt et al. 2016): of all pairs of thresholds and of what
// is drawn between them those that are best under the constraint.
class ThresholdOptimizer {
 public:
  explicit ThresholdOptimizer(const ThresholdOptions& options = {}) : options_(options) {}
  // Scores (N) of a model, the higher the likelier is 1. Throws ValueError for a group that has one
  // class only.
  ThresholdOptimizer& fit(const Tensor& scores, const Tensor& y, const Tensor& sensitive_features,
                          Where where = Where::current());
  // (N) f64: how likely each is to get 1. Throws ValueError for a group that fit() did not see.
  Tensor predict_proba(const Tensor& scores, const Tensor& sensitive_features,
                       Where where = Where::current()) const;
  Tensor predict(const Tensor& scores, const Tensor& sensitive_features, uint64_t seed = 0,
                 Where where = Where::current()) const;  // (N) i64

  // 1 where the score is beyond the threshold: above it, or below it.
  struct Operation {
    double threshold = 0;
    bool above = true;
  };
  // One operation with probability p0, the other with p1; and a constant instead with p_ignore.
  struct Rule {
    std::vector<int64_t> group;
    double p0 = 1, p1 = 0;
    Operation operation0, operation1;
    double p_ignore = 0, prediction_constant = 0;
  };
  std::vector<Rule> rules;
  double x_best = 0, y_best = 0;  // the rate of the groups, with `tol` the least, and what is best

 private:
  ThresholdOptions options_;
};

}  // namespace glia::fairness
