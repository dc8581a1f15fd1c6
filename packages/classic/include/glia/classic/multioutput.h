// Several outputs by estimators of one. scikit-learn's names and defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/meta.h"

namespace glia::classic {

struct ChainOptions {
  std::vector<int64_t> order = {};  // of the outputs; none: 0, 1, 2, ...
  // Folds by which what a later output sees of an earlier one is predicted in fit(); unset: the
  // truth.
  std::optional<int64_t> cv = {};
};

// What estimators of several outputs have in common: one estimator, of which each output gets a
// copy. y is (samples, outputs), or (samples) for one output, and predict() gives the same.
class MultiOutputEstimator : public MetaEstimator<Estimator> {
 public:
  MultiOutputEstimator& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                            Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // R^2, the mean of all outputs; of classifiers the share of samples that have all outputs right.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  FittedEstimators estimators;  // of each output

 protected:
  explicit MultiOutputEstimator(const Estimator& estimator) : MetaEstimator(estimator) {}
  virtual const ChainOptions* chain() const { return nullptr; }  // of a chain
  // What each estimator says of X, or of X with what those before it say; by predict(), unless
  // `says` is given. In the order of the outputs.
  using Says = std::function<Tensor(const Estimator&, const Tensor&)>;
  std::vector<Tensor> each(const Tensor& x, const Says& says, Where where) const;

  int64_t flat_ = 0;            // y was (samples)
  std::vector<int64_t> order_;  // which output each estimator is of
};

// Outputs that do not know of each other.
class MultiOutputClassifier : public MultiOutputEstimator {
 public:
  // Of LogisticRegression, until another estimator is given: see set_parts().
  MultiOutputClassifier();
  explicit MultiOutputClassifier(const Estimator& estimator) : MultiOutputEstimator(estimator) {}

  std::string_view name() const override { return "MultiOutputClassifier"; }
  EstimatorKind kind() const override { return EstimatorKind::kClassifier; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MultiOutputClassifier>(*this);
  }
  // Of one output; of several see predict_probas().
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // (samples, classes) of each output.
  std::vector<Tensor> predict_probas(const Tensor& x, Where where = Where::current()) const;
};

class MultiOutputRegressor : public MultiOutputEstimator {
 public:
  // Of Ridge, until another estimator is given: see set_parts().
  MultiOutputRegressor();
  explicit MultiOutputRegressor(const Estimator& estimator) : MultiOutputEstimator(estimator) {}

  std::string_view name() const override { return "MultiOutputRegressor"; }
  EstimatorKind kind() const override { return EstimatorKind::kRegressor; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MultiOutputRegressor>(*this);
  }
};

// Each output also sees the ones before it as features (Read et al. 2009).
class ChainEstimator : public MultiOutputEstimator {
 public:
  const ChainOptions& options() const { return options_; }

 protected:
  ChainEstimator(const Estimator& estimator, const ChainOptions& options)
      : MultiOutputEstimator(estimator), options_(options) {}
  std::vector<Param> own_params() override;
  const ChainOptions* chain() const override { return &options_; }

 private:
  ChainOptions options_;
};

class ClassifierChain : public ChainEstimator {
 public:
  ClassifierChain();
  explicit ClassifierChain(const Estimator& estimator, const ChainOptions& options = {})
      : ChainEstimator(estimator, options) {}

  std::string_view name() const override { return "ClassifierChain"; }
  EstimatorKind kind() const override { return EstimatorKind::kClassifier; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ClassifierChain>(*this);
  }
  // Of labels of two classes: the probability of the second, (samples, outputs).
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
};

class RegressorChain : public ChainEstimator {
 public:
  RegressorChain();
  explicit RegressorChain(const Estimator& estimator, const ChainOptions& options = {})
      : ChainEstimator(estimator, options) {}

  std::string_view name() const override { return "RegressorChain"; }
  EstimatorKind kind() const override { return EstimatorKind::kRegressor; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RegressorChain>(*this);
  }
};

}  // namespace glia::classic
