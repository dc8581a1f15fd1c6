// Estimates of a covariance matrix, and what lies far out by it. scikit-learn's names and defaults,
// in f64.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

// X^T X / n of X (samples, features) without its mean, unless it is centred: (features, features).
Tensor empirical_covariance(const Tensor& x, bool assume_centered = false,
                            Where where = Where::current());
// (1 - shrinkage) C + shrinkage mean(diag C) I. Throws ValueError for a shrinkage outside [0, 1].
Tensor shrunk_covariance(const Tensor& emp_cov, double shrinkage = 0.1,
                         Where where = Where::current());

struct ShrunkResult {
  Tensor covariance;
  double shrinkage = 0;
};
// The shrinkage of least expected squared error: Ledoit & Wolf 2004, formula 14, and for normal
// samples Chen et al. 2010 (OAS), formula 23.
ShrunkResult ledoit_wolf(const Tensor& x, bool assume_centered = false,
                         Where where = Where::current());
ShrunkResult oas(const Tensor& x, bool assume_centered = false, Where where = Where::current());

enum class ErrorNorm { kFrobenius, kSpectral };
struct ErrorNormOptions {
  ErrorNorm norm = ErrorNorm::kFrobenius;
  bool scaling = true;  // divided by the number of features
  bool squared = true;
};

// A fitted covariance and what follows from it. Takes no weights.
class CovarianceEstimator : public Estimator {
 public:
  EstimatorKind kind() const override { return EstimatorKind::kDensity; }
  // (x - location)^T C^-1 (x - location) of each sample, (samples).
  Tensor mahalanobis(const Tensor& x, Where where = Where::current()) const;
  // The mean log-likelihood of X as samples of the normal distribution with this covariance.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  // How far another covariance is from this one.
  double error_norm(const Tensor& comp_cov, const ErrorNormOptions& options = {},
                    Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  Tensor location;    // (features) the mean
  Tensor covariance;  // (features, features)
  Tensor precision;   // its (pseudo-)inverse

 protected:
  void set_covariance(const Tensor& mean, const Tensor& cov);
  virtual std::vector<FittedAttribute> attributes();
};

struct CovarianceOptions {
  bool assume_centered = false;  // the mean is 0
};

// The maximum likelihood estimate.
class EmpiricalCovariance : public CovarianceEstimator {
 public:
  explicit EmpiricalCovariance(const CovarianceOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "EmpiricalCovariance"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<EmpiricalCovariance>(*this);
  }
  std::vector<Param> params() override;
  EmpiricalCovariance& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                           Where where = Where::current()) override;
  const CovarianceOptions& options() const { return options_; }

 private:
  CovarianceOptions options_;
};

struct ShrunkCovarianceOptions {
  bool assume_centered = false;
  double shrinkage = 0.1;  // from 0 to 1
};
class ShrunkCovariance : public CovarianceEstimator {
 public:
  explicit ShrunkCovariance(const ShrunkCovarianceOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "ShrunkCovariance"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ShrunkCovariance>(*this);
  }
  std::vector<Param> params() override;
  ShrunkCovariance& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  const ShrunkCovarianceOptions& options() const { return options_; }

 private:
  ShrunkCovarianceOptions options_;
};

class LedoitWolf : public CovarianceEstimator {
 public:
  explicit LedoitWolf(const CovarianceOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "LedoitWolf"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<LedoitWolf>(*this); }
  std::vector<Param> params() override;
  LedoitWolf& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                  Where where = Where::current()) override;
  const CovarianceOptions& options() const { return options_; }

  double shrinkage = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  CovarianceOptions options_;
};

class OAS : public CovarianceEstimator {
 public:
  explicit OAS(const CovarianceOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "OAS"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<OAS>(*this); }
  std::vector<Param> params() override;
  OAS& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;
  const CovarianceOptions& options() const { return options_; }

  double shrinkage = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  CovarianceOptions options_;
};

// ---- Samples that may be wrong ------------------------------------------------------------------

struct MinCovDetOptions {
  bool assume_centered = false;
  // The share of the samples that counts, in (0, 1]; unset: (n + features + 1) / (2 n), which
  // stands the most outliers.
  std::optional<double> support_fraction = {};
  uint64_t random_state = 0;
};
// The covariance of those samples whose covariance has the least determinant: FastMCD (Rousseeuw &
// Van Driessen 1999), corrected for normal samples and reweighted.
class MinCovDet : public CovarianceEstimator {
 public:
  explicit MinCovDet(const MinCovDetOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "MinCovDet"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<MinCovDet>(*this); }
  std::vector<Param> params() override;
  MinCovDet& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                 Where where = Where::current()) override;
  const MinCovDetOptions& options() const { return options_; }

  Tensor raw_location, raw_covariance;  // before they are reweighted
  Tensor raw_support, support;          // (samples) 1 for those that count, i64
  Tensor dist;                          // (samples) Mahalanobis distances, squared

 protected:
  std::vector<FittedAttribute> attributes() override;

  MinCovDetOptions options_;
};

struct EllipticEnvelopeOptions : MinCovDetOptions {
  double contamination = 0.1;  // the share of outliers, in (0, 0.5]
};
// Says 1 of what lies within an ellipse around most samples, -1 of outliers.
class EllipticEnvelope : public MinCovDet {
 public:
  explicit EllipticEnvelope(const EllipticEnvelopeOptions& options = {})
      : MinCovDet(options), contamination_(options.contamination) {}

  std::string_view name() const override { return "EllipticEnvelope"; }
  EstimatorKind kind() const override { return EstimatorKind::kOutlier; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<EllipticEnvelope>(*this);
  }
  std::vector<Param> params() override;
  EllipticEnvelope& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Minus the squared distance of each sample; above the offset it is no outlier.
  Tensor score_samples(const Tensor& x, Where where = Where::current()) const;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  // Accuracy beside y of 1 and -1.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;

  double offset = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  double contamination_;
};

}  // namespace glia::classic
