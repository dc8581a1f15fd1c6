// Gaussian processes (Rasmussen & Williams 2006): functions as samples of a normal distribution,
// which say how sure they are. scikit-learn's names and defaults, in f64; a fit takes O(n^3) time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/gaussian_process_kernels.h"
#include "glia/classic/linear_base.h"

namespace glia::classic {

// How a kernel's hyperparameters are fitted: the likeliest within their bounds, or not at all.
enum class KernelOptimizer { kLbfgs, kNone };

// The log marginal likelihood of what was fitted, and how it changes with theta.
struct MarginalLikelihood {
  double value = 0;
  std::vector<double> gradient;
};

struct GaussianProcessRegressorOptions {
  Kernel kernel = ConstantKernel() * RBF();
  double alpha = 1e-10;  // added to the diagonal: the noise's variance, in units of the kernel
  Tensor alphas = {};    // (samples): of each sample, instead
  KernelOptimizer optimizer = KernelOptimizer::kLbfgs;
  int64_t n_restarts_optimizer = 0;  // more beginnings, drawn within the bounds
  bool normalize_y = false;          // y to mean 0 and variance 1 before
  uint64_t random_state = 0;
};
// Algorithm 2.1. Takes no weights. y is (samples) or (samples, outputs), of which all have the same
// kernel.
class GaussianProcessRegressor : public Regressor {
 public:
  explicit GaussianProcessRegressor(const GaussianProcessRegressorOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "GaussianProcessRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GaussianProcessRegressor>(*this);
  }
  std::vector<Param> params() override;
  // Throws ValueError where the covariance is not positive definite, which a larger alpha cures.
  GaussianProcessRegressor& fit(const Tensor& x, const Tensor& y = {},
                                const Tensor& sample_weight = {},
                                Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // The mean and the standard deviation of each sample, both of the shape of predict().
  struct MeanStd {
    Tensor mean, std;
  };
  MeanStd predict_std(const Tensor& x, Where where = Where::current()) const;
  // The mean and all covariances: (samples, samples), or (samples, samples, outputs).
  struct MeanCov {
    Tensor mean, cov;
  };
  MeanCov predict_cov(const Tensor& x, Where where = Where::current()) const;
  // Functions drawn from what is known: (samples, n_samples), or (samples, outputs, n_samples).
  Tensor sample_y(const Tensor& x, int64_t n_samples = 1, uint64_t random_state = 0,
                  Where where = Where::current()) const;
  // Of these theta on the samples that were fitted.
  MarginalLikelihood log_marginal_likelihood(const std::vector<double>& theta,
                                             Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const GaussianProcessRegressorOptions& options() const { return options_; }
  // With the hyperparameters that were fitted.
  Kernel kernel(Where where = Where::current()) const;

  Tensor X_train;  // (samples, features)
  Tensor y_train;  // (samples, outputs), normalised if it is asked for
  Tensor L;        // (samples, samples) the covariance's Cholesky factor
  Tensor alpha;    // (samples, outputs) its inverse times y_train
  Tensor theta;    // logarithms of the fitted hyperparameters; undefined if all are fixed
  double log_marginal_likelihood_value = 0;

 private:
  std::vector<FittedAttribute> attributes();
  Tensor posterior_mean(const Tensor& across) const;  // (queries, outputs)
  Tensor shaped(const Tensor& of_outputs) const;

  GaussianProcessRegressorOptions options_;
  Tensor y_mean_, y_std_;  // (outputs)
  int64_t flat_ = 1;       // y was (samples)
};

// How more than two classes are told apart: each from the rest, or each two.
enum class GaussianMultiClass { kOneVsRest, kOneVsOne };
struct GaussianProcessClassifierOptions {
  Kernel kernel = ConstantKernel(1, {.fixed = true}) * RBF({1}, {.fixed = true});
  KernelOptimizer optimizer = KernelOptimizer::kLbfgs;
  int64_t n_restarts_optimizer = 0;
  int64_t max_iter_predict = 100;  // Newton's steps
  uint64_t random_state = 0;
  GaussianMultiClass multi_class = GaussianMultiClass::kOneVsRest;
};
// By Laplace's approximation of the logistic likelihood (algorithms 3.1, 3.2 and 5.1), with its
// integral by five error functions (Williams & Barber 1998). Takes no weights.
class GaussianProcessClassifier : public Classifier {
 public:
  explicit GaussianProcessClassifier(const GaussianProcessClassifierOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "GaussianProcessClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GaussianProcessClassifier>(*this);
  }
  std::vector<Param> params() override;
  GaussianProcessClassifier& fit(const Tensor& x, const Tensor& y = {},
                                 const Tensor& sample_weight = {},
                                 Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Throws Error of more than two classes by kOneVsOne.
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // Of two classes: the mean and variance of the latent function at each sample, (samples).
  struct Latent {
    Tensor mean, variance;
  };
  Latent latent_mean_and_variance(const Tensor& x, Where where = Where::current()) const;
  // Of these theta for all pairs of classes alike, the mean over them.
  MarginalLikelihood log_marginal_likelihood(const std::vector<double>& theta,
                                             Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const GaussianProcessClassifierOptions& options() const { return options_; }
  // With the fitted hyperparameters: of two classes one, else one for each class or pair.
  std::vector<Kernel> kernels(Where where = Where::current()) const;

  double log_marginal_likelihood_value = 0;  // the mean over classes or pairs

  // Private to the library: one against another.
  struct Binary {
    Tensor x, y;         // (samples, features), (samples) of 0 and 1
    Tensor pi, W_sr, L;  // (samples), (samples), (samples, samples)
    Tensor theta;        // or undefined
    double log_marginal_likelihood = 0;
    std::vector<FittedAttribute> attributes();
  };

 private:
  Latent latent(const Binary& one, const Tensor& x) const;
  Tensor positive(const Binary& one, const Tensor& x) const;

  GaussianProcessClassifierOptions options_;
  std::vector<Binary> binaries_;
};

}  // namespace glia::classic
