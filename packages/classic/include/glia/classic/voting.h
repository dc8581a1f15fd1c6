// Different estimators of the same thing: by votes, or by one that learns whom to believe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/compose.h"

namespace glia::classic {

// A Base (Classifier or Regressor) made of others of its kind, by their names.
template <class Base>
class NamedEnsemble : public Base {
 public:
  std::vector<Param> params() override;
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

 protected:
  explicit NamedEnsemble(NamedEstimators estimators) : estimators_(std::move(estimators)) {}
  virtual std::vector<Param> own_params() = 0;
  // Throws ValueError for parts that it cannot be made of.
  virtual void check_parts(const NamedEstimators& parts, Where where) const;

  NamedEstimators estimators_;
};
extern template class NamedEnsemble<Classifier>;
extern template class NamedEnsemble<Regressor>;

enum class Voting {
  kHard,  // the class that most say
  kSoft,  // the class of the largest mean probability
};
struct VotingClassifierOptions {
  Voting voting = Voting::kHard;
  std::vector<double> weights = {};  // of the estimators; none: 1 each
};
class VotingClassifier : public NamedEnsemble<Classifier> {
 public:
  // Of logistic regression, a random forest and histogram boosting, until others are given.
  explicit VotingClassifier(const VotingClassifierOptions& options = {});
  explicit VotingClassifier(NamedEstimators estimators, const VotingClassifierOptions& options = {},
                            Where where = Where::current());

  std::string_view name() const override { return "VotingClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<VotingClassifier>(*this);
  }
  VotingClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;  // soft
  const VotingClassifierOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;

 private:
  VotingClassifierOptions options_;
};

struct VotingRegressorOptions {
  std::vector<double> weights = {};
};
// The weighted mean.
class VotingRegressor : public NamedEnsemble<Regressor> {
 public:
  // Of ridge regression, a random forest and histogram boosting, until others are given.
  explicit VotingRegressor(const VotingRegressorOptions& options = {});
  explicit VotingRegressor(NamedEstimators estimators, const VotingRegressorOptions& options = {},
                           Where where = Where::current());

  std::string_view name() const override { return "VotingRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<VotingRegressor>(*this);
  }
  VotingRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  const VotingRegressorOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;

 private:
  VotingRegressorOptions options_;
};

struct StackingOptions {
  int64_t cv = 5;            // folds, in which the final estimator's features are predicted
  bool passthrough = false;  // it sees X as well
};
// A final estimator of what the others say of samples that they were not fitted to (Wolpert 1992):
// their probabilities, or else decisions or classes. Its part is called "final_estimator", and is
// the last.
class StackingClassifier : public NamedEnsemble<Classifier> {
 public:
  // Of a random forest and histogram boosting, with logistic regression at the end.
  explicit StackingClassifier(const StackingOptions& options = {});
  StackingClassifier(NamedEstimators estimators, const Estimator& final_estimator,
                     const StackingOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "StackingClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<StackingClassifier>(*this);
  }
  StackingClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  const StackingOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;
  void check_parts(const NamedEstimators& parts, Where where) const override;

 private:
  StackingOptions options_;
};

class StackingRegressor : public NamedEnsemble<Regressor> {
 public:
  // Of a random forest and histogram boosting, with ridge regression at the end.
  explicit StackingRegressor(const StackingOptions& options = {});
  StackingRegressor(NamedEstimators estimators, const Estimator& final_estimator,
                    const StackingOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "StackingRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<StackingRegressor>(*this);
  }
  StackingRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  const StackingOptions& options() const { return options_; }

 protected:
  std::vector<Param> own_params() override;
  void check_parts(const NamedEstimators& parts, Where where) const override;

 private:
  StackingOptions options_;
};

}  // namespace glia::classic
