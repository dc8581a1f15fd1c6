// Distributions of vectors and matrices. A matrix that is not positive definite throws ValueError
// when a value is computed: see glia/linalg.h.
#pragma once

#include "glia/math/distribution.h"

namespace glia::distributions {

// Rows of sum 1, with density prod x^(concentration - 1) / B(concentration): (..., K), event (K).
class Dirichlet : public Distribution {
 public:
  explicit Dirichlet(const Tensor& concentration, Where where = Where::current());
  // Of rows (N, K) (Minka 2000).
  static Dirichlet fit(const Tensor& x, Where where = Where::current());
};

// loc (..., D), covariance_matrix (..., D, D), event (D); or of its Cholesky factor, whose upper
// triangle is not read, or of its inverse.
class MultivariateNormal : public Distribution {
 public:
  MultivariateNormal(const Tensor& loc, const Tensor& covariance_matrix,
                     Where where = Where::current());
  static MultivariateNormal from_scale_tril(const Tensor& loc, const Tensor& scale_tril,
                                            Where where = Where::current());
  static MultivariateNormal from_precision(const Tensor& loc, const Tensor& precision_matrix,
                                           Where where = Where::current());
  // Of rows (N, D) with N above D.
  static MultivariateNormal fit(const Tensor& x, Where where = Where::current());

 private:
  explicit MultivariateNormal(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};

// Of covariance cov_factor cov_factor^T + diag(cov_diag), factor (..., D, R) and diagonal (..., D):
// in O(D R^2).
class LowRankMultivariateNormal : public Distribution {
 public:
  LowRankMultivariateNormal(const Tensor& loc, const Tensor& cov_factor, const Tensor& cov_diag,
                            Where where = Where::current());
};

// The sum of df outer products of normal vectors of that covariance: df (...) above D - 1, event
// (D, D). Samples are by Bartlett's decomposition.
class Wishart : public Distribution {
 public:
  Wishart(const Operand& df, const Tensor& covariance_matrix, Where where = Where::current());
  static Wishart from_scale_tril(const Operand& df, const Tensor& scale_tril,
                                 Where where = Where::current());

 private:
  explicit Wishart(std::shared_ptr<const Law> law) : Distribution(std::move(law)) {}
};

// Cholesky factors of correlation matrices with density det^(concentration - 1): event (dim, dim).
// Samples are by the onion method (Lewandowski et al. 2009).
class LKJCholesky : public Distribution {
 public:
  explicit LKJCholesky(int64_t dim, const Operand& concentration = 1.0);
};

}  // namespace glia::distributions
