// Estimators that do not look at X: what a model must beat. scikit-learn's names and defaults.
#pragma once

#include "glia/classic/estimator.h"

namespace glia::classic {

// Stratified and uniform ones draw, anew for each sample of each call, by the seed.
enum class DummyClassifierStrategy { kMostFrequent, kPrior, kStratified, kUniform, kConstant };
struct DummyClassifierOptions {
  DummyClassifierStrategy strategy = DummyClassifierStrategy::kPrior;
  int64_t constant = 0;  // the class of kConstant
  uint64_t random_state = 0;
};
// The most frequent class, or another rule; kPrior gives the classes' shares as probabilities.
class DummyClassifier : public Classifier {
 public:
  explicit DummyClassifier(const DummyClassifierOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "DummyClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<DummyClassifier>(*this);
  }
  std::vector<Param> params() override;
  DummyClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const DummyClassifierOptions& options() const { return options_; }

  Tensor class_prior;  // (classes) f64

 private:
  DummyClassifierOptions options_;
};

enum class DummyRegressorStrategy { kMean, kMedian, kQuantile, kConstant };
struct DummyRegressorOptions {
  DummyRegressorStrategy strategy = DummyRegressorStrategy::kMean;
  double quantile = 0.5;
  double constant = 0;
};
// The mean of y, or another number.
class DummyRegressor : public Regressor {
 public:
  explicit DummyRegressor(const DummyRegressorOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "DummyRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<DummyRegressor>(*this);
  }
  std::vector<Param> params() override;
  DummyRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const DummyRegressorOptions& options() const { return options_; }

  Tensor constant;  // (outputs) f64

 private:
  DummyRegressorOptions options_;
};

}  // namespace glia::classic
