// Support vector machines by kernels.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

// x.x', (gamma x.x' + coef0)^degree, exp(-gamma |x - x'|^2), tanh(gamma x.x' + coef0), or what is
// given: fit() takes (samples, samples), the others (queries, samples).
enum class SvmKernel { kLinear, kPoly, kRbf, kSigmoid, kPrecomputed };

struct KernelOptions {
  SvmKernel kernel = SvmKernel::kRbf;
  int64_t degree = 3;
  std::optional<double> gamma{};  // unset: 1 / (features * variance of X)
  double coef0 = 0;
  double tol = 1e-3;  // how far from optimal a pair of multipliers may be in the end
  int64_t cache_mb = 200;
  int64_t max_iter = -1;  // without bound
};

enum class DecisionShape { kOvr, kOvo };
struct SVCOptions : KernelOptions {
  double c = 1;           // what a wrong side costs (C)
  bool balanced = false;  // each class weighs the same in all (class_weight)
  DecisionShape decision_function_shape = DecisionShape::kOvr;
  bool probability = false;   // fit() also learns predict_proba(), by five folds more
  uint64_t random_state = 0;  // of the folds
};

// The widest margin between each two classes (Cortes & Vapnik 1995), by sequential minimal
// optimisation with pairs of the second order (Fan, Chen & Lin 2005), in f64. The class is that of
// most pairs.
class SVC : public Classifier {
 public:
  explicit SVC(const SVCOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "SVC"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<SVC>(*this); }
  std::vector<Param> params() override;
  SVC& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // Needs the option `probability`. The most probable class may be another than that of predict().
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // (samples) of two classes; of more (samples, classes), or, of kOvo, (samples, pairs).
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SVCOptions& options() const { return options_; }

  Tensor support;          // (vectors) i64: samples on or within a margin, by class
  Tensor support_vectors;  // (vectors, features) f64; undefined where the kernel is given
  Tensor n_support;        // (classes) i64
  Tensor dual_coef;  // (classes - 1, vectors) f64: y alpha in the pairs of each vector's class
  Tensor intercept;  // (pairs) f64
  // (pairs), if probabilities are learned: 1 / (1 + exp(probA f + probB)) is that of the second
  // class of a pair, where f is above 0 for it.
  Tensor probA, probB;
  double gamma = 0;
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;
  Tensor pairwise(const Tensor& x, const char* op, Where where) const;  // (samples, pairs)

  SVCOptions options_;
};

struct SVROptions : KernelOptions {
  double c = 1;
  double epsilon = 0.1;  // what is less off costs nothing
};
// Regression with a loss that is 0 within epsilon (Drucker et al. 1997).
class SVR : public Regressor {
 public:
  explicit SVR(const SVROptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "SVR"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<SVR>(*this); }
  std::vector<Param> params() override;
  SVR& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SVROptions& options() const { return options_; }

  Tensor support, support_vectors;  // as SVC's
  Tensor dual_coef;                 // (vectors) f64
  double intercept = 0, gamma = 0;
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  SVROptions options_;
};

struct OneClassSVMOptions : KernelOptions {
  double nu = 0.5;  // at most this share of the samples lies outside
};
// The region that holds most samples (Schoelkopf et al. 2001): predict() gives 1 inside, -1
// outside.
class OneClassSVM : public Estimator {
 public:
  explicit OneClassSVM(const OneClassSVMOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "OneClassSVM"; }
  EstimatorKind kind() const override { return EstimatorKind::kOutlier; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<OneClassSVM>(*this); }
  std::vector<Param> params() override;
  OneClassSVM& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                   Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const OneClassSVMOptions& options() const { return options_; }

  Tensor support, support_vectors;  // as SVC's
  Tensor dual_coef;                 // (vectors) f64
  double intercept = 0, gamma = 0;
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  OneClassSVMOptions options_;
};

}  // namespace glia::classic
