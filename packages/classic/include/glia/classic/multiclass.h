// Classifiers of many classes, or of labels, made of classifiers of two. scikit-learn's names.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "glia/classic/meta.h"

namespace glia::classic {

// Each class against the rest: the class is that of the largest decision_function() or, of
// estimators without one, probability. y may also be (samples, labels) of 0 and 1, of which each
// sample has any: predict() gives the same then, and `classes` are the labels' numbers.
class OneVsRestClassifier : public MetaEstimator<Classifier> {
 public:
  // Of LogisticRegression, until another estimator is given: see set_parts().
  OneVsRestClassifier();
  explicit OneVsRestClassifier(const Estimator& estimator) : MetaEstimator(estimator) {}

  std::string_view name() const override { return "OneVsRestClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<OneVsRestClassifier>(*this);
  }
  OneVsRestClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                           Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Scaled to rows of 1, but for labels, whose probabilities are their own.
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  // Accuracy; of labels, how many samples have all of them right.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  // Of each class, or of two the second alone; none for a label that is constant.
  FittedEstimators estimators;
  Tensor constants;        // (estimators) i64: the value of a constant label, else -1
  int64_t multilabel = 0;  // 1: y was (samples, labels)

 private:
  Tensor scores(const Tensor& x, bool probabilities, double* threshold, Where where) const;
};

// Each two classes against each other (Hastie & Tibshirani 1998): the class of most votes, and
// between equal ones the surer one.
class OneVsOneClassifier : public MetaEstimator<Classifier> {
 public:
  OneVsOneClassifier();
  explicit OneVsOneClassifier(const Estimator& estimator) : MetaEstimator(estimator) {}

  std::string_view name() const override { return "OneVsOneClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<OneVsOneClassifier>(*this);
  }
  OneVsOneClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Votes, with what decides between equal ones: (samples, classes), or (samples) of two.
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  FittedEstimators estimators;  // of (0, 1), (0, 2), ..., (1, 2), ...
};

}  // namespace glia::classic
