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

struct IncrementalPCAOptions {
  std::optional<int64_t> n_components{};  // unset: the smaller of the first batch's axes
  bool whiten = false;
  std::optional<int64_t> batch_size{};  // of fit(); unset: five times the features
};
// PCA of samples that come in batches (Ross et al. 2008): it keeps the components, the mean and how
// many samples there were, never the samples. f64.
class IncrementalPCA : public Transformer {
 public:
  explicit IncrementalPCA(const IncrementalPCAOptions& options = {},
                          Where where = Where::current());

  std::string_view name() const override { return "IncrementalPCA"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<IncrementalPCA>(*this);
  }
  std::vector<Param> params() override;
  // Anew, batch by batch.
  IncrementalPCA& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  // Goes on from what was fitted with one more batch; the first has at least n_components samples.
  IncrementalPCA& partial_fit(const Tensor& x, Where where = Where::current());
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const IncrementalPCAOptions& options() const { return options_; }

  Tensor components;                // (n_components, features), the largest variance first
  Tensor explained_variance;        // (n_components)
  Tensor explained_variance_ratio;  // of the variance of all features
  Tensor singular_values;           // (n_components)
  Tensor mean, var;                 // (features), of all samples so far
  double noise_variance = 0;        // the mean variance of the components that are left out
  int64_t n_samples_seen = 0;

 private:
  void check_options(Where where) const;

  IncrementalPCAOptions options_;
};

// x.x', (gamma x.x' + coef0)^degree, exp(-gamma |x - x'|^2), tanh(gamma x.x' + coef0), the cosine
// of the angle, or what is given: fit() takes (samples, samples), transform() (queries, samples).
enum class PcaKernel { kLinear, kPoly, kRbf, kSigmoid, kCosine, kPrecomputed };
enum class EigenSolver {
  kAuto,    // kArpack of few eigenvectors of many samples
  kDense,   // LAPACK's, all eigenvectors
  kArpack,  // the largest ones by Lanczos' method with restarts, as ARPACK's
};
struct KernelPCAOptions {
  std::optional<int64_t> n_components{};  // unset: all whose eigenvalue is not 0
  PcaKernel kernel = PcaKernel::kLinear;
  std::optional<double> gamma{};  // unset: 1 / features
  double degree = 3, coef0 = 1;
  double alpha = 1;  // of the ridge regression that inverse_transform() is
  bool fit_inverse_transform = false;
  EigenSolver eigen_solver = EigenSolver::kAuto;
  double tol = 0;                     // of kArpack; 0: as far as f64 goes
  std::optional<int64_t> max_iter{};  // restarts of kArpack; unset: 10 times the samples
  bool remove_zero_eig = false;
};
// PCA in the space of a kernel (Schoelkopf, Smola & Mueller 1998), f64. In each eigenvector the
// entry that is largest by its absolute value is positive.
class KernelPCA : public Transformer {
 public:
  explicit KernelPCA(const KernelPCAOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "KernelPCA"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<KernelPCA>(*this); }
  std::vector<Param> params() override;
  // Throws ValueError for a kernel with eigenvalues clearly below 0.
  KernelPCA& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                 Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  // Samples whose components would be these, by ridge regression from components to samples (Bakir,
  // Weston & Schoelkopf 2004). Throws Error unless fit_inverse_transform was set.
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;
  // Without computing the kernel again.
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const KernelPCAOptions& options() const { return options_; }

  Tensor eigenvalues;               // (n_components), the largest first
  Tensor eigenvectors;              // (samples, n_components)
  Tensor fit_x;                     // (samples, features); undefined for kPrecomputed
  Tensor fit_rows;                  // (samples): means of the kernel's rows, and their mean
  double fit_all = 0;               //
  double gamma = 0;                 // as it was used
  Tensor x_transformed, dual_coef;  // of the inverse: (samples, n_components), (samples, features)

 private:
  void check_options(Where where) const;

  KernelPCAOptions options_;
};

enum class FactorSvd { kLapack, kRandomized };
enum class FactorRotation { kNone, kVarimax, kQuartimax };
struct FactorAnalysisOptions {
  std::optional<int64_t> n_components{};  // unset: features
  double tol = 1e-2;                      // ends when the log-likelihood grew by less
  int64_t max_iter = 1000;
  FactorSvd svd_method = FactorSvd::kRandomized;
  int64_t iterated_power = 3;
  FactorRotation rotation = FactorRotation::kNone;
  uint64_t random_state = 0;
};
// x = mean + W^T z + noise of a variance of its own in each feature, z standard normal: maximum
// likelihood by EM on singular vectors (Barber 2012, algorithm 21.1), f64; loadings W may be
// rotated (Kaiser 1958).
class FactorAnalysis : public Transformer {
 public:
  explicit FactorAnalysis(const FactorAnalysisOptions& options = {},
                          Where where = Where::current());

  std::string_view name() const override { return "FactorAnalysis"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<FactorAnalysis>(*this);
  }
  std::vector<Param> params() override;
  FactorAnalysis& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  // The expected z of each sample.
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  // The log-density of each sample, and its mean.
  Tensor score_samples(const Tensor& x, Where where = Where::current()) const;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  Tensor get_covariance(Where where = Where::current()) const;  // (features, features)

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const FactorAnalysisOptions& options() const { return options_; }

  Tensor components;      // W, (n_components, features)
  Tensor noise_variance;  // (features)
  Tensor mean;            // (features)
  Tensor loglike;         // (n_iter), after each iteration
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  FactorAnalysisOptions options_;
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
