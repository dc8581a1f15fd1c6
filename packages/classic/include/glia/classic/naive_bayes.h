// Naive Bayes: each feature tells of the class by itself. scikit-learn's names and defaults, in
// f64.
//
// The log of P(y) prod_j P(x_j | y) is a sum over features, so that a fit is a count, and more
// samples may follow by partial_fit(). `priors` and `class_prior` are the classes' own
// probabilities, ascending by class; none: their shares in what was seen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "glia/classic/linear_base.h"
#include "glia/sparse.h"

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

  // Samples whatever they are: `count` takes their weights.
  struct Samples {
    int64_t samples = 0, features = 0;
    std::function<void(const Tensor& weight)> count;
  };
  void learn(std::string_view op, const Samples& x, const Tensor& y,
             const std::vector<int64_t>& classes, const Tensor& sample_weight, bool anew,
             Where where);
  // log P(y) + log P(x | y) as they are, checked; and log P(y | x).
  Tensor checked(const Tensor& joint, Where where) const;
  Tensor normalised(const Tensor& joint, Where where) const;

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
  Tensor class_log_prior;   // (classes); minus infinity of a class that was not seen
  Tensor feature_log_prob;  // (classes, features) logarithms of P(x_j | y), or weights

 protected:
  virtual const DiscreteNBOptions& discrete() const = 0;
  void check_options(std::string_view op, int64_t classes, int64_t features,
                     Where where) const override;
  void set_prior();
  std::vector<FittedAttribute> attributes() override;
};

// Of counts that are not below 0. Samples may be sparse, and are then not made dense.
class CountNB : public DiscreteNB {
 public:
  using NaiveBayes::fit;
  using NaiveBayes::partial_fit;
  using NaiveBayes::predict;
  using NaiveBayes::predict_joint_log_proba;
  using NaiveBayes::predict_log_proba;
  using NaiveBayes::predict_proba;
  CountNB& fit(const Csr& x, const Tensor& y, const Tensor& sample_weight = {},
               Where where = Where::current());
  CountNB& partial_fit(const Csr& x, const Tensor& y, const std::vector<int64_t>& classes = {},
                       const Tensor& sample_weight = {}, Where where = Where::current());
  Tensor predict(const Csr& x, Where where = Where::current()) const;
  Tensor predict_proba(const Csr& x, Where where = Where::current()) const;
  Tensor predict_log_proba(const Csr& x, Where where = Where::current()) const;
  Tensor predict_joint_log_proba(const Csr& x, Where where = Where::current()) const;

  Tensor feature_count;  // (classes, features)

 protected:
  Tensor prepared(std::string_view op, const Tensor& x, Where where) const override;
  void begin(int64_t classes, int64_t features) override;
  void count(const Tensor& x, const Tensor& weight) override;
  Tensor joint(const Tensor& x) const override;
  std::vector<FittedAttribute> attributes() override;

  // What follows from feature_count.
  virtual void set_log_prob() = 0;
  // log P(y) + log P(x | y) by products of x, or of 1 where x is above 0, with (features, classes).
  using Product = std::function<Tensor(const Tensor& weights, bool present)>;
  virtual Tensor joint_by(const Product& times) const = 0;

 private:
  Csr checked_samples(std::string_view op, const Csr& x, bool known, Where where) const;
  Samples counted(const Csr& x);
  void tally(const Tensor& products, const Tensor& weight);
};

// Counts of features, such as words: P(j | y) = (N_yj + alpha) / (N_y + alpha d).
class MultinomialNB : public CountNB {
 public:
  explicit MultinomialNB(const DiscreteNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "MultinomialNB"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MultinomialNB>(*this);
  }
  std::vector<Param> params() override;
  const DiscreteNBOptions& options() const { return options_; }

 protected:
  const DiscreteNBOptions& discrete() const override { return options_; }
  void set_log_prob() override;
  Tensor joint_by(const Product& times) const override;

 private:
  DiscreteNBOptions options_;
};

struct ComplementNBOptions : DiscreteNBOptions {
  bool norm = false;  // weights of each class add up to 1 then
};
// The same by what the other classes have (Rennie et al. 2003), which suits classes of very
// different sizes.
class ComplementNB : public CountNB {
 public:
  explicit ComplementNB(const ComplementNBOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "ComplementNB"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ComplementNB>(*this);
  }
  std::vector<Param> params() override;
  const ComplementNBOptions& options() const { return options_; }

  Tensor feature_all;  // (features)

 protected:
  const DiscreteNBOptions& discrete() const override { return options_; }
  void set_log_prob() override;
  Tensor joint_by(const Product& times) const override;
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

  Tensor feature_count;  // (classes, features)

 protected:
  const DiscreteNBOptions& discrete() const override { return options_; }
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
  // (classes, sum of n_categories): those of all features beside each other, as feature_log_prob.
  Tensor category_count;

 protected:
  const DiscreteNBOptions& discrete() const override { return options_; }
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
