// Decompositions of data into components: PCA.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

struct PCAOptions {
  std::optional<int64_t> n_components{};  // unset: the smaller of samples and features
  bool whiten = false;                    // transform() gives components of variance 1
};

// Principal component analysis by the eigenvectors of the covariance (Pearson 1901; Jacobi's
// method, in f64): for up to some hundreds of features. In each component the entry that is largest
// by its absolute value is positive.
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

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const PCAOptions& options() const { return options_; }

  Tensor components;                // (n_components, features), the largest variance first
  Tensor explained_variance;        // (n_components), samples - 1 in the denominator
  Tensor explained_variance_ratio;  // of the variance of all components
  Tensor singular_values;           // (n_components), of the centred X
  Tensor mean;                      // (features)
  int64_t n_samples = 0;

 private:
  void check_options(Where where) const;

  PCAOptions options_;
};

}  // namespace glia::classic
