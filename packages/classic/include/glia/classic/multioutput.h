// Several outputs by estimators of one. scikit-learn's names and defaults.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/search.h"

namespace glia::classic {

// What estimators of several outputs have in common: one estimator, of which each output gets a
// copy. y is (samples, outputs), or (samples) for one output, and predict() gives the same.
class MultiOutputEstimator : public Estimator {
 public:
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;
  std::vector<Param> params() override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const Estimator& estimator() const { return *estimator_; }

  std::vector<std::shared_ptr<const Estimator>> estimators;  // of each output

 protected:
  explicit MultiOutputEstimator(const Estimator& estimator) : estimator_(estimator) {}
  virtual std::vector<Param> own_params() { return {}; }

  AnyEstimator estimator_;
  int64_t flat_ = 0;            // y was (samples)
  std::vector<int64_t> order_;  // of chains: which output each estimator is of
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
  MultiOutputClassifier& fit(const Tensor& x, const Tensor& y = {},
                             const Tensor& sample_weight = {},
                             Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Of one output; of several see predict_probas().
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // (samples, classes) of each output.
  std::vector<Tensor> predict_probas(const Tensor& x, Where where = Where::current()) const;
  // The share of samples that have all outputs right.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
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
  MultiOutputRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                            Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;  // R^2, the mean of all outputs
};

struct ChainOptions {
  std::vector<int64_t> order = {};  // of the outputs; none: 0, 1, 2, ...
  // Folds by which what a later output sees of an earlier one is predicted in fit(); unset: the
  // truth.
  std::optional<int64_t> cv = {};
};

// Each output also sees the ones before it as features (Read et al. 2009).
class ClassifierChain : public MultiOutputEstimator {
 public:
  ClassifierChain();
  explicit ClassifierChain(const Estimator& estimator, const ChainOptions& options = {})
      : MultiOutputEstimator(estimator), options_(options) {}

  std::string_view name() const override { return "ClassifierChain"; }
  EstimatorKind kind() const override { return EstimatorKind::kClassifier; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ClassifierChain>(*this);
  }
  ClassifierChain& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Of labels of two classes: the probability of the second, (samples, outputs).
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;  // all outputs right
  const ChainOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;

 private:
  ChainOptions options_;
};

class RegressorChain : public MultiOutputEstimator {
 public:
  RegressorChain();
  explicit RegressorChain(const Estimator& estimator, const ChainOptions& options = {})
      : MultiOutputEstimator(estimator), options_(options) {}

  std::string_view name() const override { return "RegressorChain"; }
  EstimatorKind kind() const override { return EstimatorKind::kRegressor; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RegressorChain>(*this);
  }
  RegressorChain& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  const ChainOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;

 private:
  ChainOptions options_;
};

}  // namespace glia::classic
