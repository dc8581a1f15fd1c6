// What both methods of least squares share.
#pragma once

#include "glia/math/least_squares.h"
#include "math/optimize/problem.h"

namespace glia::optimize {

class Residuals {
 public:
  Residuals(const Function& fun, const Tensor& x0, const LeastSquaresOptions& options,
            const Where& where);

  const LeastSquaresOptions& options() const { return options_; }
  const Vector& start() const { return start_; }
  const std::vector<std::pair<double, double>>& bounds() const { return bounds_; }
  bool bounded() const { return !options_.bounds.empty(); }
  int64_t max_nfev() const { return options_.max_nfev.value_or(100 * columns()); }
  int64_t columns() const { return static_cast<int64_t>(start_.size()); }
  Tensor tensor(const Vector& x) const { return from_vector(x, shape_); }

  Vector first_values();  // at x0, not counted; throws where no Jacobian can be had
  Vector values(const Vector& x);
  HostMatrix jacobian(const Vector& x, const Vector& values);
  // Half the sum of what the loss makes of the squares.
  double cost(const Vector& f) const;
  // Residuals and Jacobian of a problem of squares that has the loss's gradient and, nearly, its
  // Hessian (Triggs et al. 2000).
  void scale_by_loss(Vector* f, HostMatrix* j) const;

  int64_t nfev = 0, njev = 0;

 private:
  Tensor checked(const Tensor& f) const;

  const Function& fun_;
  const LeastSquaresOptions& options_;
  Shape shape_;
  Vector start_;
  std::vector<std::pair<double, double>> bounds_;
  int64_t rows_ = -1;
  Where where_;
};

// The p of length at most `radius` that makes |J p + f| least.
class TrustRegion {
 public:
  TrustRegion(HostMatrix j, const Vector& f);
  bool failed() const { return failed_; }
  // `alpha`: that of the last step at this or another radius; a guess, and the answer.
  Vector step(double radius, double* alpha) const;

 private:
  Vector s_, uf_;  // singular values; U^T f
  HostMatrix vt_;
  bool full_rank_ = false, failed_ = false;
};

// The radius after a step, and the ratio of what the cost has fallen by to what was expected.
struct RadiusUpdate {
  double radius, ratio;
};
RadiusUpdate update_radius(double radius, double actual, double predicted, double step,
                           bool at_border);

LeastSquaresResult trust_region_reflective(Residuals& problem);
LeastSquaresResult levenberg_marquardt(Residuals& problem);
LeastSquaresResult finished(Residuals& problem, const Vector& x, const Vector& f,
                            const HostMatrix& j, const Vector& g, double cost, double optimality,
                            int status);
Vector scale_of(const Residuals& problem);

}  // namespace glia::optimize
