// Ridge regression by a kernel: scikit-learn's names and defaults, in f64.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

// The kernels of metrics/pairwise.h, or what is given: fit() takes (samples, samples), predict()
// (queries, samples).
enum class RidgeKernel {
  kLinear,
  kPoly,
  kRbf,
  kSigmoid,
  kLaplacian,
  kCosine,
  kChi2,
  kAdditiveChi2,
  kPrecomputed
};
struct KernelRidgeOptions {
  double alpha = 1;  // what |w|^2 costs
  RidgeKernel kernel = RidgeKernel::kLinear;
  std::optional<double> gamma = {};  // unset: 1 / features, of kChi2 1
  double degree = 3;
  double coef0 = 1;
};
// y = K (K + alpha I)^-1 y (Saunders, Gammerman & Vovk 1998), without an intercept. y is (samples)
// or (samples, outputs).
class KernelRidge : public Regressor {
 public:
  explicit KernelRidge(const KernelRidgeOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "KernelRidge"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<KernelRidge>(*this); }
  std::vector<Param> params() override;
  KernelRidge& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                   Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const KernelRidgeOptions& options() const { return options_; }

  Tensor dual_coef;  // (samples) or (samples, outputs)
  Tensor X_fit;      // (samples, features), or the kernel that was given

 private:
  std::vector<FittedAttribute> attributes();
  Tensor kernel_of(const Tensor& x, const Tensor& y, Where where) const;

  KernelRidgeOptions options_;
};

}  // namespace glia::classic
