// Gradient boosting on histograms: tree after tree, each down the gradient of what is still wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/tree_base.h"

namespace glia::classic {

enum class EarlyStopping { kAuto, kTrue, kFalse };  // auto: of more than 10,000 samples

struct HistGradientBoostingClassifierOptions {
  double learning_rate = 0.1;  // what leaves say is times it
  int64_t max_iter = 100;      // trees, for each class if there are more than two
  std::optional<int64_t> max_leaf_nodes = 31;
  std::optional<int64_t> max_depth{};
  int64_t min_samples_leaf = 20;
  double l2_regularization = 0;
  double max_features = 1;  // the share of features that each split looks at
  int64_t max_bins = 255;   // of each feature, from 2 to 255, besides one of missing values
  // Positions of features whose values are names and have no order: at most max_bins different
  // ones. What was not seen in fit() is taken for missing.
  std::vector<int64_t> categorical_features = {};
  std::vector<double> monotonic_cst = {};  // of each feature 1, -1 or 0: what is said as it grows
  EarlyStopping early_stopping = EarlyStopping::kAuto;
  // The share that is kept out to see whether it still gets better; unset: the training samples.
  std::optional<double> validation_fraction = 0.1;
  int64_t n_iter_no_change = 10;
  double tol = 1e-7;
  uint64_t random_state = 0;
  bool balanced = false;
  std::vector<double> class_weight = {};
  bool warm_start = false;  // fit() adds iterations to those that there are, up to max_iter
};

// Of log loss, with scikit-learn's bins, gains and second-order leaves (Friedman 2001, Chen &
// Guestrin 2016, Ke et al. 2017). NaN is a missing value: a split sends those to the better side.
class HistGradientBoostingClassifier : public Classifier {
 public:
  explicit HistGradientBoostingClassifier(const HistGradientBoostingClassifierOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "HistGradientBoostingClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<HistGradientBoostingClassifier>(*this);
  }
  std::vector<Param> params() override;
  HistGradientBoostingClassifier& fit(const Tensor& x, const Tensor& y = {},
                                      const Tensor& sample_weight = {},
                                      Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // Logs of odds (samples) of two classes, else (samples, classes).
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const HistGradientBoostingClassifierOptions& options() const { return options_; }

  int64_t n_iter = 0;
  Tensor baseline;  // (outputs) f64: what is said without trees
  // (n_iter + 1) f64, of early stopping: minus the mean loss before and after each iteration.
  Tensor train_score, validation_score;
  Tensor feature_importances;  // (features) f64: the share of each in what splits gained

 private:
  HistGradientBoostingClassifierOptions options_;
  std::shared_ptr<const Grove> grove_;
  std::vector<Tensor> categories_;  // of categorical features, in their order: their values
};

enum class HistRegressionLoss {
  kSquaredError,
  kAbsoluteError,
  kGamma,    // of y above 0
  kPoisson,  // of y of at least 0
  kQuantile,
};
struct HistGradientBoostingRegressorOptions {
  HistRegressionLoss loss = HistRegressionLoss::kSquaredError;
  std::optional<double> quantile{};  // of kQuantile, which needs it
  double learning_rate = 0.1;
  int64_t max_iter = 100;
  std::optional<int64_t> max_leaf_nodes = 31;
  std::optional<int64_t> max_depth{};
  int64_t min_samples_leaf = 20;
  double l2_regularization = 0;
  double max_features = 1;
  int64_t max_bins = 255;
  std::vector<int64_t> categorical_features = {};
  std::vector<double> monotonic_cst = {};
  EarlyStopping early_stopping = EarlyStopping::kAuto;
  std::optional<double> validation_fraction = 0.1;
  int64_t n_iter_no_change = 10;
  double tol = 1e-7;
  uint64_t random_state = 0;
  bool warm_start = false;
};
class HistGradientBoostingRegressor : public Regressor {
 public:
  explicit HistGradientBoostingRegressor(const HistGradientBoostingRegressorOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "HistGradientBoostingRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<HistGradientBoostingRegressor>(*this);
  }
  std::vector<Param> params() override;
  HistGradientBoostingRegressor& fit(const Tensor& x, const Tensor& y = {},
                                     const Tensor& sample_weight = {},
                                     Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const HistGradientBoostingRegressorOptions& options() const { return options_; }

  int64_t n_iter = 0;
  Tensor baseline;  // (1) f64, before exp() of kGamma and kPoisson
  Tensor train_score, validation_score;
  Tensor feature_importances;

 private:
  HistGradientBoostingRegressorOptions options_;
  std::shared_ptr<const Grove> grove_;
  std::vector<Tensor> categories_;
};

}  // namespace glia::classic
