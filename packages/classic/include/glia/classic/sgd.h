// Linear models learned sample by sample, and single neurons.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

enum class SGDLoss {
  kHinge,  // a linear support vector machine
  kLogLoss,
  kModifiedHuber,
  kSquaredHinge,
  kPerceptron,
  kSquaredError,
  kHuber,
  kEpsilonInsensitive,
  kSquaredEpsilonInsensitive,
};
enum class SGDPenalty { kNone, kL1, kL2, kElasticNet };
enum class SGDRate {
  kConstant,    // eta0
  kOptimal,     // 1 / (alpha (t + t0)) (Bottou)
  kInvScaling,  // eta0 / t^power_t
  kAdaptive,    // eta0, divided by 5 when nothing improves
};
struct SGDClassifierOptions {
  SGDLoss loss = SGDLoss::kHinge;
  SGDPenalty penalty = SGDPenalty::kL2;
  double alpha = 1e-4;
  double l1_ratio = 0.15;  // of kElasticNet
  bool fit_intercept = true;
  int64_t max_iter = 1000;
  // Ends when the mean objective, or with early_stopping the score, is not better by tol than the
  // best one n_iter_no_change times in a row; unset: never.
  std::optional<double> tol = 1e-3;
  bool shuffle = true;
  double epsilon = 0.1;  // of the losses with a margin of error
  uint64_t random_state = 0;
  SGDRate learning_rate = SGDRate::kOptimal;
  double eta0 = 0.01, power_t = 0.5;
  bool early_stopping = false;  // by accuracy on samples that are kept out
  double validation_fraction = 0.1;
  int64_t n_iter_no_change = 5;
  bool balanced = false;                  // classes weigh the same
  std::vector<double> class_weight = {};  // of the classes, ascending
  bool warm_start = false;
  int64_t average = 0;  // the mean of the weights from this step on (Polyak & Juditsky 1992)
};
// Stochastic gradient descent for linear classifiers, with scikit-learn's steps: in the same order
// the same numbers. More than two classes are told apart each from the rest.
class SGDClassifier : public LinearClassifier {
 public:
  explicit SGDClassifier(const SGDClassifierOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "SGDClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SGDClassifier>(*this);
  }
  std::vector<Param> params() override;
  SGDClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  // Of kLogLoss, and of kModifiedHuber (Zadrozny & Elkan 2002); others throw Error.
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  const SGDClassifierOptions& options() const { return options_; }

  int64_t n_iter = 0;  // epochs, the most of all classes
  int64_t t = 0;       // steps

 protected:
  std::vector<FittedAttribute> attributes() override;
  SGDClassifierOptions options_;
};

struct SGDRegressorOptions {
  SGDLoss loss = SGDLoss::kSquaredError;  // the last four
  SGDPenalty penalty = SGDPenalty::kL2;
  double alpha = 1e-4;
  double l1_ratio = 0.15;
  bool fit_intercept = true;
  int64_t max_iter = 1000;
  std::optional<double> tol = 1e-3;
  bool shuffle = true;
  double epsilon = 0.1;
  uint64_t random_state = 0;
  SGDRate learning_rate = SGDRate::kInvScaling;
  double eta0 = 0.01, power_t = 0.25;
  bool early_stopping = false;  // by R^2
  double validation_fraction = 0.1;
  int64_t n_iter_no_change = 5;
  bool warm_start = false;
  int64_t average = 0;
};
class SGDRegressor : public LinearRegressor {
 public:
  explicit SGDRegressor(const SGDRegressorOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "SGDRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SGDRegressor>(*this);
  }
  std::vector<Param> params() override;
  SGDRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  const SGDRegressorOptions& options() const { return options_; }

  int64_t n_iter = 0, t = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  SGDRegressorOptions options_;
};

// ---- One neuron -------------------------------------------------------------------------------

struct PerceptronOptions {
  SGDPenalty penalty = SGDPenalty::kNone;
  double alpha = 1e-4;
  double l1_ratio = 0.15;
  bool fit_intercept = true;
  int64_t max_iter = 1000;
  std::optional<double> tol = 1e-3;
  bool shuffle = true;
  double eta0 = 1;
  uint64_t random_state = 0;
  bool early_stopping = false;
  double validation_fraction = 0.1;
  int64_t n_iter_no_change = 5;
  bool balanced = false;
  std::vector<double> class_weight = {};
  bool warm_start = false;
};
// Rosenblatt's neuron (1958): a sample that is on the wrong side moves the weights by itself.
class Perceptron : public SGDClassifier {
 public:
  explicit Perceptron(const PerceptronOptions& options = {});

  std::string_view name() const override { return "Perceptron"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Perceptron>(*this); }
  std::vector<Param> params() override;
};

// The neuron's mistakes in turn: how many there were until a pass without one, or in max_epochs.
struct PerceptronRun {
  Tensor coef;           // (features)
  double intercept = 0;  // 0 unless fit_intercept
  int64_t mistakes = 0, epochs = 0;
  bool separated = false;  // the last pass was without a mistake
};
// The plain algorithm on x (samples, features), y (samples) of two classes, from zero weights and
// in the samples' order. If a unit vector separates the classes by a margin g, and no sample
// (1, x if fit_intercept) is longer than r, there are at most (r / g)^2 mistakes (Novikoff 1962).
PerceptronRun perceptron(const Tensor& x, const Tensor& y, bool fit_intercept = true,
                         int64_t max_epochs = 1000, Where where = Where::current());

struct AdalineOptions {
  double learning_rate = 0.01;
  int64_t max_iter = 1000;  // epochs
  double tol = 1e-6;        // ends when no weight moved by more in an epoch
  bool batch = false;       // all samples in each step, by their mean
  bool shuffle = false;
  bool fit_intercept = true;
  uint64_t random_state = 0;
};
// Widrow and Hoff's neuron (1960): the delta rule w += rate (y - w x) x with y of -1 and 1, which
// goes down the squared error of the sum before the step.
class Adaline : public LinearClassifier {
 public:
  explicit Adaline(const AdalineOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "Adaline"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Adaline>(*this); }
  std::vector<Param> params() override;
  Adaline& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) override;
  const AdalineOptions& options() const { return options_; }

  int64_t n_iter = 0;
  Tensor errors;  // (epochs) the mean squared error of each, before its last step

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  AdalineOptions options_;
};

}  // namespace glia::classic
