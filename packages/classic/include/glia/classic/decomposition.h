// Decompositions of data into components.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

enum class SvdSolver {
  kAuto,            // scikit-learn's choice by shape
  kFull,            // of the centred X
  kCovarianceEigh,  // of the covariance: quick for many samples of few features
  kRandomized,      // the first components, by products with random vectors (Halko et al. 2011)
};
struct PCAOptions {
  // How many; between 0 and 1: as many as have this share of the variance; unset: the smaller of
  // samples and features.
  std::optional<double> n_components{};
  bool whiten = false;  // transform() gives components of variance 1
  SvdSolver svd_solver = SvdSolver::kAuto;
  int64_t n_oversamples = 10;               // of kRandomized
  std::optional<int64_t> iterated_power{};  // unset: 7 of less than a tenth of all, else 4
  uint64_t random_state = 0;
};

// Principal component analysis (Pearson 1901, Hotelling 1933), in f64. In each component the entry
// that is largest by its absolute value is positive.
class PCA : public Transformer {
 public:
  // Throws ValueError for options out of range.
  explicit PCA(const PCAOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "PCA"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<PCA>(*this); }
  std::vector<Param> params() override;
  // At least two samples, and n_components of them and of features. Takes no weights.
  PCA& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;
  // The log-density of each sample under the probabilistic model (Tipping & Bishop 1999), and its
  // mean.
  Tensor score_samples(const Tensor& x, Where where = Where::current()) const;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  // (features, features), by the components and the noise.
  Tensor get_covariance(Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const PCAOptions& options() const { return options_; }

  Tensor components;                // (n_components, features), the largest variance first
  Tensor explained_variance;        // (n_components), samples - 1 in the denominator
  Tensor explained_variance_ratio;  // of the variance of all components
  Tensor singular_values;           // (n_components), of the centred X
  Tensor mean;                      // (features)
  double noise_variance = 0;        // the mean variance of the components that are left out
  int64_t n_samples = 0;

 private:
  void check_options(Where where) const;

  PCAOptions options_;
};

struct TruncatedSVDOptions {
  int64_t n_components = 2;
  bool randomized = true;  // else by LAPACK, whole
  int64_t n_iter = 5, n_oversamples = 10;
  uint64_t random_state = 0;
};
// The first singular vectors of X as it is, not centred: latent semantic analysis (Deerwester et
// al. 1990). Signs as PCA's.
class TruncatedSVD : public Transformer {
 public:
  explicit TruncatedSVD(const TruncatedSVDOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "TruncatedSVD"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<TruncatedSVD>(*this);
  }
  std::vector<Param> params() override;
  TruncatedSVD& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const TruncatedSVDOptions& options() const { return options_; }

  Tensor components;                // (n_components, features)
  Tensor explained_variance;        // (n_components), of the transformed samples
  Tensor explained_variance_ratio;  // of the variance of X
  Tensor singular_values;           // (n_components)

 private:
  void check_options(Where where) const;

  TruncatedSVDOptions options_;
};

enum class NMFInit { kNndsvd, kNndsvda, kRandom };  // by the SVD, its zeros filled by the mean
struct NMFOptions {
  std::optional<int64_t> n_components{};  // unset: features
  NMFInit init = NMFInit::kNndsvda;
  double tol = 1e-4;
  int64_t max_iter = 200;
  double alpha_w = 0;               // how much W is regularised
  std::optional<double> alpha_h{};  // unset: as W
  double l1_ratio = 0;              // of the regularisation, the rest is L2
  uint64_t random_state = 0;
};
// X = W H with nothing below 0 (Lee & Seung 1999), by coordinate descent (Cichocki & Phan 2009).
class NMF : public Transformer {
 public:
  explicit NMF(const NMFOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "NMF"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<NMF>(*this); }
  std::vector<Param> params() override;
  // Throws ValueError for a number below 0.
  NMF& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;
  // W of new samples for the H that was found.
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& w, Where where = Where::current()) const override;
  // W as fit() found it.
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const NMFOptions& options() const { return options_; }

  Tensor components;              // H, (n_components, features)
  double reconstruction_err = 0;  // the Frobenius norm of X - W H
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;
  Tensor solve(const Tensor& x, Tensor w, Tensor& h, bool update_h, int64_t& iterations) const;

  NMFOptions options_;
};

enum class IcaFunction { kLogcosh, kExp, kCube };
struct FastICAOptions {
  std::optional<int64_t> n_components{};  // unset: the smaller of samples and features
  IcaFunction fun = IcaFunction::kLogcosh;
  int64_t max_iter = 200;
  double tol = 1e-4;
  Tensor w_init = {};  // (n_components, n_components): where to begin, instead of at random
  uint64_t random_state = 0;
};
// Components as independent as can be, of variance 1 (Hyvarinen & Oja 2000), all at once.
class FastICA : public Transformer {
 public:
  explicit FastICA(const FastICAOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "FastICA"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<FastICA>(*this); }
  std::vector<Param> params() override;
  FastICA& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const FastICAOptions& options() const { return options_; }

  Tensor components;  // (n_components, features): X minus mean times its transpose are the sources
  Tensor mixing;      // (features, n_components): its pseudo-inverse
  Tensor mean;        // (features)
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  FastICAOptions options_;
};

}  // namespace glia::classic
