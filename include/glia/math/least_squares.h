// Nonlinear least squares and fits of curves, with the names and defaults of scipy.optimize. Link
// glia::math. Functions are of f64 tensors, written with Glia's operations, which give the Jacobian
// unless it is given. Errors as of glia/math/optimize.h; a residual that is not finite at x0 is a
// ValueError.
#pragma once

#include "glia/math/optimize.h"

namespace glia::optimize {

enum class LeastSquaresMethod {
  kTrf,  // trust region, reflected at bounds (Branch, Coleman & Li 1999)
  kLm,   // Levenberg-Marquardt with the radius of More 1978: no bounds, no loss but kLinear
};
// What takes the place of z, the square of a residual: kLinear z, kSoftL1 2 (sqrt(1 + z) - 1),
// kHuber z up to 1 and 2 sqrt(z) - 1 above, kCauchy log(1 + z), kArctan arctan(z).
enum class Loss { kLinear, kSoftL1, kHuber, kCauchy, kArctan };

struct LeastSquaresOptions {
  LeastSquaresMethod method = LeastSquaresMethod::kTrf;
  Function jac = {};  // (M, N), for x as a vector
  Derivatives derivatives = Derivatives::kAutodiff;
  std::vector<std::pair<double, double>> bounds = {};  // of each number of x
  Loss loss = Loss::kLinear;
  double f_scale = 1;  // of residuals, from where on they count less: loss of (f / f_scale)^2
  // Ends when the cost falls by less than ftol of it, x moves by less than xtol of it, or no
  // number of the gradient (bounds taken into account; for kLm: the largest cosine between the
  // residuals and a column of the Jacobian) is above gtol. 0: never.
  double ftol = 1e-8, xtol = 1e-8, gtol = 1e-8;
  // Of what size each number of x is, one or N; empty: of the Jacobian's columns, as kLm has it.
  std::vector<double> x_scale = {1};
  std::optional<int64_t> max_nfev = {};  // 100 N
};
struct LeastSquaresResult {
  Tensor x;         // of the shape of x0
  double cost = 0;  // half the sum of (squares or their loss)
  Tensor fun;       // (M), residuals
  Tensor jac;       // (M, N), of the residuals; scaled as the loss has it
  Tensor grad;      // (N)
  double optimality = 0;
  std::vector<int> active_mask;  // -1: at the lower bound, 1: at the upper one
  int64_t nfev = 0, njev = 0;
  int status = 0;  // 0: max_nfev, 1: gtol, 2: ftol, 3: xtol, 4: ftol and xtol
  bool success = false;
  std::string message;
};
// x that makes half the sum of squares of fun(x) least, for any number M of residuals.
LeastSquaresResult least_squares(const Function& fun, const Tensor& x0,
                                 const LeastSquaresOptions& options = {},
                                 Where where = Where::current());

using CurveFunction = std::function<Tensor(const Tensor& x, const Tensor& parameters)>;
struct CurveFitOptions {
  Tensor sigma = {};            // (M) deviations of y, or (M, M) their covariance
  bool absolute_sigma = false;  // else only their proportions count
  // Unset: kLm, or kTrf with bounds, a loss or more parameters than values.
  std::optional<LeastSquaresMethod> method = {};
  std::vector<std::pair<double, double>> bounds = {};
  Derivatives derivatives = Derivatives::kAutodiff;
  Loss loss = Loss::kLinear;
  double f_scale = 1;
  double ftol = 1e-8, xtol = 1e-8, gtol = 1e-8;
  std::optional<int64_t> max_nfev = {};
};
struct CurveFitResult {
  Tensor popt;      // (P)
  Tensor pcov;      // (P, P), infinite where the fit does not determine it
  Tensor perr;      // (P), the parameters' standard errors
  Tensor fun;       // (M), f(x) - y, divided by sigma
  double rss = 0;   // the sum of their squares
  int64_t dof = 0;  // M - P
  int64_t nfev = 0;
  bool success = false;
  std::string message;
};
// The parameters with which f(x, parameters) is nearest to y (M); x is passed to f as it is.
CurveFitResult curve_fit(const CurveFunction& f, const Tensor& x, const Tensor& y, const Tensor& p0,
                         const CurveFitOptions& options = {}, Where where = Where::current());

}  // namespace glia::optimize
