// Where functions are zero, with the names and defaults of scipy.optimize. Link glia::math. Errors
// as of glia/math/optimize.h.
#pragma once

#include "glia/math/optimize.h"

namespace glia::optimize {

// ---- One number -------------------------------------------------------------------------------

enum class ScalarRootMethod {
  kBrentq,   // inverse quadratic steps within a bracket (Brent 1973)
  kBisect,   // halves
  kRidder,   // exponential steps (Ridders 1979)
  kToms748,  // cubic steps (Alefeld, Potra & Shi 1995), by Boost.Math
  kNewton,
  kSecant,
  kHalley,  // from a start, without a bracket
};
struct RootScalarOptions {
  // Unset: kBrentq with a bracket, else by what is given: kHalley, kNewton, kSecant.
  std::optional<ScalarRootMethod> method = {};
  std::optional<std::pair<double, double>> bracket = {};  // f has different signs there
  std::optional<double> x0 = {}, x1 = {};
  RealFunction fprime = {}, fprime2 = {};  // derivatives
  // Of x: xtol + rtol |x|. Unset: 2e-12, but 1.48e-8 without a bracket.
  std::optional<double> xtol = {};
  double rtol = 8.881784197001252e-16;
  std::optional<int64_t> maxiter = {};  // 100; 50 without a bracket
};
struct RootScalarResult {
  double root = 0;
  int64_t iterations = 0, function_calls = 0;
  bool converged = false;
  std::string flag;
};
// Throws ValueError for a bracket at whose ends f has one sign or no value.
RootScalarResult root_scalar(const RealFunction& f, const RootScalarOptions& options,
                             Where where = Where::current());

// The root alone; ValueError where it is not found in 100 steps.
double brentq(const RealFunction& f, double a, double b, double xtol = 2e-12,
              Where where = Where::current());
double bisect(const RealFunction& f, double a, double b, double xtol = 2e-12,
              Where where = Where::current());
double ridder(const RealFunction& f, double a, double b, double xtol = 2e-12,
              Where where = Where::current());
double toms748(const RealFunction& f, double a, double b, double xtol = 2e-12,
               Where where = Where::current());

struct NewtonOptions {
  double tol = 1.48e-8, rtol = 0;
  int64_t maxiter = 50;
  bool halley = false;  // with the second derivative: cubic
};
struct NewtonResult {
  Tensor root, converged, zero_der;  // of x0's shape; the last two bool
  int64_t nit = 0;
};
// Each number of x0 (f64, any shape) by itself, for a function that is elementwise; derivatives
// come from Glia.
NewtonResult newton(const Function& f, const Tensor& x0, const NewtonOptions& options = {},
                    Where where = Where::current());

// ---- Many numbers -----------------------------------------------------------------------------

enum class RootMethod {
  kHybr,      // dogleg steps, the Jacobian updated between (Powell 1970)
  kLm,        // least squares by Levenberg-Marquardt
  kBroyden1,  // the Jacobian from changes alone (Broyden 1965)
  kKrylov,    // Newton's steps by GMRES, without a Jacobian (Knoll & Keyes 2004)
};
struct RootOptions {
  RootMethod method = RootMethod::kHybr;
  Function jac = {};  // (N, N); kHybr and kLm
  Derivatives derivatives = Derivatives::kAutodiff;
  // kHybr, kLm: x changes by less than this part, 1.49012e-8. kBroyden1, kKrylov: the largest |f|
  // that counts as zero, 6e-6.
  std::optional<double> tol = {};
  std::optional<int64_t> maxfev = {};   // kHybr, kLm: 200 (N + 1)
  std::optional<int64_t> maxiter = {};  // kBroyden1, kKrylov: 100 (N + 1)
};
struct RootResult {
  Tensor x, fun;  // of x0's shape
  int64_t nit = 0, nfev = 0, njev = 0;
  bool success = false;
  std::string message;
};
// x with fun(x) = 0, where fun gives as many numbers as x has.
RootResult root(const Function& fun, const Tensor& x0, const RootOptions& options = {},
                Where where = Where::current());

}  // namespace glia::optimize
