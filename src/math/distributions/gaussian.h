// Normal vectors, for their divergences.
#pragma once

#include "math/distributions/law.h"

namespace glia::distributions {

Tensor linalg_diagonal(const Tensor& matrix);  // (..., D, D) -> (..., D)

enum class CovarianceForm { kCovariance, kScaleTril, kPrecision };

struct GaussianLaw : Law {
  GaussianLaw(const Operand& loc, const Operand& matrix, CovarianceForm form);
  static const char* name_of(CovarianceForm form);
  Tensor scale_tril;  // (..., D, D)
  const Tensor& loc() const { return (*this)[0]; }
  Tensor covariance() const;
  Tensor half_log_det() const;

  Tensor log_density(const Tensor& x) const override;
  Tensor smooth_sample(const Shape& shape) const override;
  Tensor information() const override;
  Tensor average() const override { return loc(); }
  Tensor spread() const override;
  Tensor peak() const override { return loc(); }
};

struct LowRankGaussianLaw : Law {
  LowRankGaussianLaw(const Operand& loc, const Operand& factor, const Operand& diagonal);
  Tensor capacitance_tril;  // (..., R, R)
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& factor() const { return (*this)[1]; }
  const Tensor& diagonal() const { return (*this)[2]; }
  Tensor covariance() const;
  Tensor half_log_det() const;
  // x^T covariance^-1 x of rows (..., N, D) -> (..., N), by the identity of Woodbury.
  Tensor squared_distances(const Tensor& rows) const;

  Tensor log_density(const Tensor& x) const override;
  Tensor smooth_sample(const Shape& shape) const override;
  Tensor information() const override;
  Tensor average() const override { return loc(); }
  Tensor spread() const override;
  Tensor peak() const override { return loc(); }
};

}  // namespace glia::distributions
