// Forests: many trees that differ by chance, and their mean. With scikit-learn's trees: the same
// seed grows the same forest. All cores grow trees; the result does not depend on how many.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/tree.h"

namespace glia::classic {

struct ForestClassifierOptions {
  int64_t n_estimators = 100;
  ClassCriterion criterion = ClassCriterion::kGini;
  std::optional<int64_t> max_depth{};
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  std::string max_features = "sqrt";
  std::optional<int64_t> max_leaf_nodes{};
  double min_impurity_decrease = 0;
  bool bootstrap = true;   // each tree sees as many samples, drawn with replacement
  bool oob_score = false;  // scores each sample by the trees that did not see it
  uint64_t random_state = 0;
  bool balanced = false;            // classes weigh the same
  bool balanced_subsample = false;  // in each tree's samples
  std::vector<double> class_weight = {};
  double ccp_alpha = 0;
  std::optional<double> max_samples{};  // that are drawn: a share up to 1, else how many
  std::vector<double> monotonic_cst = {};
  bool warm_start = false;  // fit() adds trees to those that there are, up to n_estimators
};

// What both forests of classes do. Weights of samples are how likely they are drawn, or, without
// bootstrap, weights in each tree.
class ForestClassifier : public TreesClassifier {
 public:
  std::vector<Param> params() override;
  ForestClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const ForestClassifierOptions& options() const { return options_; }

  // Of options().oob_score.
  double oob_score = 0;          // accuracy
  Tensor oob_decision_function;  // (samples, classes) f64; zeros where all trees saw the sample

 protected:
  explicit ForestClassifier(const ForestClassifierOptions& options) : options_(options) {}
  virtual bool random_splits() const = 0;

  ForestClassifierOptions options_;
};

// Trees of drawn samples, which look at some features in each node (Breiman 2001).
class RandomForestClassifier : public ForestClassifier {
 public:
  explicit RandomForestClassifier(const ForestClassifierOptions& options = {})
      : ForestClassifier(options) {}

  std::string_view name() const override { return "RandomForestClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RandomForestClassifier>(*this);
  }

 protected:
  bool random_splits() const override { return false; }
};

// Trees of random thresholds, of all samples (Geurts, Ernst & Wehenkel 2006).
class ExtraTreesClassifier : public ForestClassifier {
 public:
  explicit ExtraTreesClassifier(const ForestClassifierOptions& options = {.bootstrap = false})
      : ForestClassifier(options) {}

  std::string_view name() const override { return "ExtraTreesClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ExtraTreesClassifier>(*this);
  }

 protected:
  bool random_splits() const override { return true; }
};

struct ForestRegressorOptions {
  int64_t n_estimators = 100;
  RegressionCriterion criterion = RegressionCriterion::kSquaredError;
  std::optional<int64_t> max_depth{};
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  std::string max_features = "1.0";
  std::optional<int64_t> max_leaf_nodes{};
  double min_impurity_decrease = 0;
  bool bootstrap = true;
  bool oob_score = false;
  uint64_t random_state = 0;
  double ccp_alpha = 0;
  std::optional<double> max_samples{};
  std::vector<double> monotonic_cst = {};
  bool warm_start = false;
};

class ForestRegressor : public TreesRegressor {
 public:
  std::vector<Param> params() override;
  ForestRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const ForestRegressorOptions& options() const { return options_; }

  // Of options().oob_score.
  double oob_score = 0;   // R^2
  Tensor oob_prediction;  // (samples) or (samples, outputs) f64; 0 where all trees saw the sample

 protected:
  explicit ForestRegressor(const ForestRegressorOptions& options) : options_(options) {}
  virtual bool random_splits() const = 0;

  ForestRegressorOptions options_;
};

class RandomForestRegressor : public ForestRegressor {
 public:
  explicit RandomForestRegressor(const ForestRegressorOptions& options = {})
      : ForestRegressor(options) {}

  std::string_view name() const override { return "RandomForestRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RandomForestRegressor>(*this);
  }

 protected:
  bool random_splits() const override { return false; }
};

class ExtraTreesRegressor : public ForestRegressor {
 public:
  explicit ExtraTreesRegressor(const ForestRegressorOptions& options = {.bootstrap = false})
      : ForestRegressor(options) {}

  std::string_view name() const override { return "ExtraTreesRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ExtraTreesRegressor>(*this);
  }

 protected:
  bool random_splits() const override { return true; }
};

// ---- Outliers ---------------------------------------------------------------------------------

struct IsolationForestOptions {
  int64_t n_estimators = 100;
  std::optional<double> max_samples{};    // of each tree: a share up to 1 or a count; unset: 256
  std::optional<double> contamination{};  // the share of outliers; unset: by the score -0.5
  double max_features = 1;                // the share of features of each tree
  bool bootstrap = false;
  uint64_t random_state = 0;
};
// Samples that few random splits set apart are outliers (Liu, Ting & Zhou 2008).
class IsolationForest : public Estimator {
 public:
  explicit IsolationForest(const IsolationForestOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "IsolationForest"; }
  EstimatorKind kind() const override { return EstimatorKind::kOutlier; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<IsolationForest>(*this);
  }
  std::vector<Param> params() override;
  IsolationForest& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  // (samples) f64 from -1 to 0: minus 2^-(mean depth / that of as many samples at random); about
  // -0.5 of what is usual.
  Tensor score_samples(const Tensor& x, Where where = Where::current()) const;
  // score_samples() - offset: below 0 for outliers.
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  // (samples) i64: -1 for outliers, 1 for others.
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const IsolationForestOptions& options() const { return options_; }

  int64_t max_samples = 0;  // of each tree
  double offset = -0.5;

 private:
  Tensor scores(const Tensor& x) const;

  IsolationForestOptions options_;
  std::shared_ptr<const Grove> grove_;
};

}  // namespace glia::classic
