// Mixtures of Gaussians.
#pragma once

#include <cstdint>

#include "glia/classic/estimator.h"

namespace glia::classic {

// What a component's covariance is: any, one that all share, a diagonal, a multiple of 1.
enum class CovarianceType { kFull, kTied, kDiag, kSpherical };
enum class MixtureInit { kKMeans, kRandom };
struct GaussianMixtureOptions {
  int64_t n_components = 1;
  CovarianceType covariance_type = CovarianceType::kFull;
  double tol = 1e-3;        // ends when the bound's gain is less
  double reg_covar = 1e-6;  // added to each diagonal
  int64_t max_iter = 100;
  int64_t n_init = 1;  // runs, the best is kept
  MixtureInit init_params = MixtureInit::kKMeans;
  Tensor means_init = {};  // (n_components, features): means to begin with
  uint64_t random_state = 0;
};

// By expectation maximisation (Dempster, Laird & Rubin 1977), in f64. Takes no weights.
class GaussianMixture : public Estimator {
 public:
  explicit GaussianMixture(const GaussianMixtureOptions& options = {},
                           Where where = Where::current());

  std::string_view name() const override { return "GaussianMixture"; }
  EstimatorKind kind() const override { return EstimatorKind::kDensity; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GaussianMixture>(*this);
  }
  std::vector<Param> params() override;
  GaussianMixture& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  // The most probable component of each sample, i64.
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // The log-density of each sample, and their mean.
  Tensor score_samples(const Tensor& x, Where where = Where::current()) const;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  // Akaike's and the Bayesian criterion of X; the less the better.
  double aic(const Tensor& x, Where where = Where::current()) const;
  double bic(const Tensor& x, Where where = Where::current()) const;
  // So many new samples (N, features), and the component of each.
  struct Samples {
    Tensor x, components;
  };
  Samples sample(int64_t count, uint64_t seed = 0, Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const GaussianMixtureOptions& options() const { return options_; }

  Tensor weights;  // (n_components)
  Tensor means;    // (n_components, features)
  // (n_components, features, features), (features, features), (n_components, features) or
  // (n_components), by covariance_type.
  Tensor covariances;
  bool converged = false;
  int64_t n_iter = 0;
  double lower_bound = 0;  // the mean log-likelihood of the samples that were fitted

 private:
  void check_options(Where where) const;
  Tensor log_densities(const Tensor& x, Where where) const;  // weighted, (samples, n_components)
  void maximise(const Tensor& x, const Tensor& responsibilities);
  double parameters() const;

  GaussianMixtureOptions options_;
};

}  // namespace glia::classic
