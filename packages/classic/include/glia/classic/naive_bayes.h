// Naive Bayes: each feature tells of the class by itself. scikit-learn's names and defaults, in
// f64.
//
// The log of P(y) prod_j P(x_j | y) is a sum over features, so that a fit is a count, and more
// samples may follow by partial_fit(). `priors` and `class_prior` are the classes' own
// probabilities, ascending by class; none: their shares in what was seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

class NaiveBayes : public Classifier {
 public:
  NaiveBayes& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                  Where where = Where::current()) override;
  // Goes on from what was seen before. The first call names all `classes` that there will be, which
  // may then be left out.
  NaiveBayes& partial_fit(const Tensor& x, const Tensor& y,
                          const std::vector<int64_t>& classes = {},
                          const Tensor& sample_weight = {}, Where where = Where::current());
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Throws ValueError for a sample that no class could have made, which needs alpha = 0.
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_log_proba(const Tensor& x, Where where = Where::current()) const;
  // log P(y) + log P(x | y), (samples, classes).
  Tensor predict_joint_log_proba(const Tensor& x, Where where = Where::current()) const;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  Tensor class_count;  // (classes) weights of the samples that were seen

 protected:
  // Samples as the method takes them.
  virtual Tensor prepared(std::string_view op, const Tensor& x, Where where) const;
  // The options, for so many classes and features.
  virtual void check_options(std::string_view op, int64_t classes, int64_t features,
                             Where where) const = 0;
  // Forgets all for these sizes, or counts samples; weights (classes, samples) are 0 but for a
  // sample's own class.
  virtual void begin(int64_t classes, int64_t features) = 0;
  virtual void count(const Tensor& x, const Tensor& weight) = 0;
  virtual Tensor joint(const Tensor& x) const = 0;
  virtual std::vector<FittedAttribute> attributes() = 0;

 private:
  void learn(std::string_view op, const Tensor& x, const Tensor& y,
             const std::vector<int64_t>& classes, const Tensor& sample_weight, bool anew,
             Where where);
};

struct GaussianNBOptions {
  std::vector<double> priors = {};
  double var_smoothing = 1e-9;  // this part of the largest variance is added to all
};
// Features are normal within a class. Means and variances of parts are joined as Chan, Golub &
// LeVeque 1979.
class GaussianNB : public NaiveBayes {
 public:
  explicit GaussianNB(const GaussianNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "GaussianNB"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<GaussianNB>(*this); }
  std::vector<Param> params() override;
  const GaussianNBOptions& options() const { return options_; }

  Tensor class_prior;  // (classes)
  Tensor theta;        // (classes, features) means
  Tensor var;          // (classes, features) variances, with epsilon
  double epsilon = 0;  // what was added

 protected:
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

 private:
  GaussianNBOptions options_;
};

struct DiscreteNBOptions {
  double alpha = 1;         // added to each count (Laplace, Lidstone); 0: nothing
  bool force_alpha = true;  // else alpha is at least 1e-10
  bool fit_prior = true;    // else all classes are as probable
  std::vector<double> class_prior = {};
};
// What naive Bayes of counts has in common.
class DiscreteNB : public NaiveBayes {
 public:
  Tensor class_log_prior;  // (classes); minus infinity of a class that was not seen

 protected:
  void check_discrete(std::string_view op, const DiscreteNBOptions& options, int64_t classes,
                      Where where) const;
  void set_prior(const DiscreteNBOptions& options);
};

// Counts of features, such as words: P(j | y) = (N_yj + alpha) / (N_y + alpha d). No number is
// below 0.
class MultinomialNB : public DiscreteNB {
 public:
  explicit MultinomialNB(const DiscreteNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "MultinomialNB"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MultinomialNB>(*this);
  }
  std::vector<Param> params() override;
  const DiscreteNBOptions& options() const { return options_; }

  Tensor feature_count;     // (classes, features)
  Tensor feature_log_prob;  // (classes, features)

 protected:
  Tensor prepared(std::string_view op, const Tensor& x, Where where) const override;
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

 private:
  DiscreteNBOptions options_;
};

struct ComplementNBOptions : DiscreteNBOptions {
  bool norm = false;  // weights of each class add up to 1 then
};
// The same by what the other classes have (Rennie et al. 2003), which suits classes of very
// different sizes.
class ComplementNB : public DiscreteNB {
 public:
  explicit ComplementNB(const ComplementNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "ComplementNB"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ComplementNB>(*this);
  }
  std::vector<Param> params() override;
  const ComplementNBOptions& options() const { return options_; }

  Tensor feature_count;     // (classes, features)
  Tensor feature_all;       // (features)
  Tensor feature_log_prob;  // (classes, features): weights

 protected:
  Tensor prepared(std::string_view op, const Tensor& x, Where where) const override;
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

 private:
  ComplementNBOptions options_;
};

struct BernoulliNBOptions : DiscreteNBOptions {
  std::optional<double> binarize = 0.0;  // what is above is 1; none: X is 0 and 1
};
// Features that are there or not; what is not there counts too.
class BernoulliNB : public DiscreteNB {
 public:
  explicit BernoulliNB(const BernoulliNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "BernoulliNB"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<BernoulliNB>(*this); }
  std::vector<Param> params() override;
  const BernoulliNBOptions& options() const { return options_; }

  Tensor feature_count;     // (classes, features)
  Tensor feature_log_prob;  // (classes, features): log P(x_j = 1 | y)

 protected:
  Tensor prepared(std::string_view op, const Tensor& x, Where where) const override;
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

 private:
  BernoulliNBOptions options_;
};

struct CategoricalNBOptions : DiscreteNBOptions {
  // At least so many categories of each feature, or one number for all; none: what is seen.
  std::vector<int64_t> min_categories = {};
};
// Features are categories 0, 1, 2, ...; one that was not known in fit() throws ValueError.
class CategoricalNB : public DiscreteNB {
 public:
  explicit CategoricalNB(const CategoricalNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "CategoricalNB"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<CategoricalNB>(*this);
  }
  std::vector<Param> params() override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const CategoricalNBOptions& options() const { return options_; }

  Tensor n_categories;  // (features) i64
  // The categories of all features beside each other: (classes, sum of n_categories).
  Tensor category_count;
  Tensor feature_log_prob;

 protected:
  Tensor prepared(std::string_view op, const Tensor& x, Where where) const override;
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

 private:
  CategoricalNBOptions options_;
};

}  // namespace glia::classic
