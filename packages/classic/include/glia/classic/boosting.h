// Gradient boosting of exact trees: of few samples, where every threshold counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/tree_base.h"

namespace glia::classic {

enum class BoostingClassLoss {
  kLogLoss,
  kExponential,  // of two classes: AdaBoost's
};
struct GradientBoostingClassifierOptions {
  BoostingClassLoss loss = BoostingClassLoss::kLogLoss;
  double learning_rate = 0.1;
  int64_t n_estimators = 100;  // stages, each of a tree, or of more than two classes one of each
  double subsample = 1;        // the share of samples that each stage draws (Friedman 2002)
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  std::optional<int64_t> max_depth = 3;
  double min_impurity_decrease = 0;
  uint64_t random_state = 0;
  std::string max_features = "none";
  std::optional<int64_t> max_leaf_nodes{};
  // Ends when the loss of samples that are kept out is not better by tol than one of so many
  // before; unset: never.
  std::optional<int64_t> n_iter_no_change{};
  double validation_fraction = 0.1;
  double tol = 1e-4;
  double ccp_alpha = 0;
  bool warm_start = false;  // fit() adds stages to those that there are, up to n_estimators
};

// Stage after stage a tree of the gradient, whose leaves take a step of their own (Friedman 2001).
class GradientBoostingClassifier : public Classifier {
 public:
  explicit GradientBoostingClassifier(const GradientBoostingClassifierOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "GradientBoostingClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GradientBoostingClassifier>(*this);
  }
  std::vector<Param> params() override;
  GradientBoostingClassifier& fit(const Tensor& x, const Tensor& y = {},
                                  const Tensor& sample_weight = {},
                                  Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // (samples) of two classes, else (samples, classes).
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  // (stages, samples) i64: what the first stages say, from one on.
  Tensor staged_predict(const Tensor& x, Where where = Where::current()) const;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const GradientBoostingClassifierOptions& options() const { return options_; }

  Tensor init;                 // (outputs) f64: what is said without trees
  Tensor train_score;          // (stages) f64: the loss of the samples that each stage saw
  Tensor oob_improvement;      // (stages) f64: how much better those got that it did not see;
                               // undefined without subsample
  Tensor feature_importances;  // (features) f64

 private:
  GradientBoostingClassifierOptions options_;
  std::shared_ptr<const Grove> grove_;
};

enum class BoostingRegressionLoss { kSquaredError, kAbsoluteError, kHuber, kQuantile };
struct GradientBoostingRegressorOptions {
  BoostingRegressionLoss loss = BoostingRegressionLoss::kSquaredError;
  double learning_rate = 0.1;
  int64_t n_estimators = 100;
  double subsample = 1;
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  std::optional<int64_t> max_depth = 3;
  double min_impurity_decrease = 0;
  uint64_t random_state = 0;
  std::string max_features = "none";
  double alpha = 0.9;  // the quantile of kQuantile, and from where on kHuber is linear
  std::optional<int64_t> max_leaf_nodes{};
  std::optional<int64_t> n_iter_no_change{};
  double validation_fraction = 0.1;
  double tol = 1e-4;
  double ccp_alpha = 0;
  bool warm_start = false;
};
class GradientBoostingRegressor : public Regressor {
 public:
  explicit GradientBoostingRegressor(const GradientBoostingRegressorOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "GradientBoostingRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GradientBoostingRegressor>(*this);
  }
  std::vector<Param> params() override;
  GradientBoostingRegressor& fit(const Tensor& x, const Tensor& y = {},
                                 const Tensor& sample_weight = {},
                                 Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor staged_predict(const Tensor& x,
                        Where where = Where::current()) const;  // (stages, samples)
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const GradientBoostingRegressorOptions& options() const { return options_; }

  Tensor init;  // (1) f64
  Tensor train_score, oob_improvement, feature_importances;

 private:
  GradientBoostingRegressorOptions options_;
  std::shared_ptr<const Grove> grove_;
};

}  // namespace glia::classic
