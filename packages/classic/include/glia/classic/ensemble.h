// Many estimators that answer as one. Options of the estimators that they are made of are
// "estimator__OPTION", or "NAME__OPTION".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/meta.h"

namespace glia::classic {

// ---- Bagging ----------------------------------------------------------------------------------

struct BaggingOptions {
  int64_t n_estimators = 10;
  std::optional<double> max_samples{};  // of each: a share up to 1, else how many; unset: as many
  double max_features = 1;              // the share of features of each
  bool bootstrap = true;                // with replacement
  bool bootstrap_features = false;
  bool oob_score = false;  // scores each sample by the estimators that did not see it
  uint64_t random_state = 0;
};

// The mean of an estimator's answers, each fitted to samples and features of its own (Breiman 1996;
// Ho 1998). Without another one it is of decision trees.
class BaggingClassifier : public MetaEstimator<Classifier> {
 public:
  explicit BaggingClassifier(const BaggingOptions& options = {});
  explicit BaggingClassifier(const Estimator& estimator, const BaggingOptions& options = {});

  std::string_view name() const override { return "BaggingClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<BaggingClassifier>(*this);
  }
  BaggingClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const BaggingOptions& options() const { return options_; }
  const FittedEstimators& estimators() const { return estimators_; }

  double oob_score = 0;                                   // of options().oob_score: accuracy
  std::vector<std::vector<int64_t>> estimators_features;  // of each estimator

 protected:
  std::vector<Param> own_params() override;

 private:
  BaggingOptions options_;
  FittedEstimators estimators_;
};

class BaggingRegressor : public MetaEstimator<Regressor> {
 public:
  explicit BaggingRegressor(const BaggingOptions& options = {});
  explicit BaggingRegressor(const Estimator& estimator, const BaggingOptions& options = {});

  std::string_view name() const override { return "BaggingRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<BaggingRegressor>(*this);
  }
  BaggingRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const BaggingOptions& options() const { return options_; }
  const FittedEstimators& estimators() const { return estimators_; }

  double oob_score = 0;  // of options().oob_score: R^2
  std::vector<std::vector<int64_t>> estimators_features;

 protected:
  std::vector<Param> own_params() override;

 private:
  BaggingOptions options_;
  FittedEstimators estimators_;
};

// ---- AdaBoost ---------------------------------------------------------------------------------

struct AdaBoostClassifierOptions {
  int64_t n_estimators = 50;
  double learning_rate = 1;
  uint64_t random_state = 0;
};
// Estimators that take weights, each fitted to what those before had wrong (Freund & Schapire
// 1997), of more than two classes by SAMME (Zhu, Zou, Rosset & Hastie 2009). Without another one
// it is of trees of one split.
class AdaBoostClassifier : public MetaEstimator<Classifier> {
 public:
  explicit AdaBoostClassifier(const AdaBoostClassifierOptions& options = {});
  explicit AdaBoostClassifier(const Estimator& estimator,
                              const AdaBoostClassifierOptions& options = {});

  std::string_view name() const override { return "AdaBoostClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<AdaBoostClassifier>(*this);
  }
  AdaBoostClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // (samples) from -2 to 2 of two classes, else (samples, classes) up to 1.
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const AdaBoostClassifierOptions& options() const { return options_; }
  const FittedEstimators& estimators() const { return estimators_; }

  Tensor estimator_weights, estimator_errors;  // (estimators) f64

 protected:
  std::vector<Param> own_params() override;

 private:
  AdaBoostClassifierOptions options_;
  FittedEstimators estimators_;
};

enum class AdaBoostLoss { kLinear, kSquare, kExponential };
struct AdaBoostRegressorOptions {
  int64_t n_estimators = 50;
  double learning_rate = 1;
  AdaBoostLoss loss = AdaBoostLoss::kLinear;  // of the errors, by the largest
  uint64_t random_state = 0;
};
// AdaBoost.R2 (Drucker 1997): each estimator gets samples drawn by weight, and the answer is their
// weighted median. Without another one it is of trees of depth 3.
class AdaBoostRegressor : public MetaEstimator<Regressor> {
 public:
  explicit AdaBoostRegressor(const AdaBoostRegressorOptions& options = {});
  explicit AdaBoostRegressor(const Estimator& estimator,
                             const AdaBoostRegressorOptions& options = {});

  std::string_view name() const override { return "AdaBoostRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<AdaBoostRegressor>(*this);
  }
  AdaBoostRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const AdaBoostRegressorOptions& options() const { return options_; }
  const FittedEstimators& estimators() const { return estimators_; }

  Tensor estimator_weights, estimator_errors;  // (estimators) f64

 protected:
  std::vector<Param> own_params() override;

 private:
  AdaBoostRegressorOptions options_;
  FittedEstimators estimators_;
};

}  // namespace glia::classic
