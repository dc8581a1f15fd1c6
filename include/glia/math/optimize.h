// Minima of functions, with the names and defaults of scipy.optimize. Link glia::math.
//
// A function of a tensor is written with Glia's operations: x, f64 of the shape of x0, to one
// number. Its gradient and second derivatives come from there unless they are given. Computation is
// in f64. Functions throw ShapeError for shapes that do not fit, and ValueError for options out of
// range and for x0 that is not finite; that a method does not succeed is no error but is said in
// the result.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::optimize {

using Function = std::function<Tensor(const Tensor&)>;
using RealFunction = std::function<double(double)>;

// Why a method ended. The numbers are SciPy's where it has them.
enum class Status {
  kConverged = 0,
  kMaxIterations = 1,
  kPrecisionLoss = 2,  // no step makes the value less
  kNotFinite = 3,      // the value or its gradient
  kMaxEvaluations = 4,
  kMaxTime = 5,
  kInfeasible = 6,  // constraints are not met
  kCallback = 99,
};

struct OptimizeResult {
  Tensor x;         // of the shape of x0
  double fun;       // the value there
  Tensor jac;       // the gradient there; undefined for a method without
  Tensor hess_inv;  // kBFGS: an estimate of the Hessian's inverse (N, N), for x as a vector
  int64_t nit = 0, nfev = 0, njev = 0, nhev = 0;  // iterations; values, gradients, Hessians
  Status status = Status::kConverged;
  bool success = true;
  std::string message;
  double maxcv = 0;           // the largest violation of a constraint
  std::vector<Tensor> v;      // the multipliers of the constraints
  std::vector<double> trace;  // the value at x0 and after each iteration
};

enum class Method {
  kNelderMead,           // simplex (Nelder & Mead 1965; Gao & Han 2012 if adaptive)
  kGradientDescent,      // along the gradient (Cauchy 1847)
  kProjectedGradient,    // spectral steps, projected (Birgin, Martinez & Raydan 2000)
  kCG,                   // conjugate gradients (Polak & Ribiere 1969, not below 0)
  kBFGS,                 // Broyden, Fletcher, Goldfarb & Shanno 1970
  kLBFGSB,               // within bounds, of little memory (Byrd, Lu, Nocedal & Zhu 1995)
  kNewton,               // the Hessian with its eigenvalues' signs made positive, and a line search
  kNewtonCG,             // conjugate gradients within (Nash 1984)
  kDogleg,               // trust region (Powell 1970): for a positive definite Hessian
  kTrustNCG,             // trust region by conjugate gradients (Steihaug 1983)
  kTrustExact,           // trust region, solved to the end (More & Sorensen 1983)
  kAugmentedLagrangian,  // constraints (Hestenes 1969, Powell 1969), kLBFGSB within
};
enum class LineSearch {
  kStrongWolfe,  // Nocedal & Wright 2006, 3.5 and 3.6
  kArmijo,       // halves until the value falls enough (Armijo 1966)
  kFixed,        // the step is the learning rate
};
// Where derivatives come from that are not given: Glia's, or differences of values (one or two
// more for each number of x), for functions that are computed elsewhere.
enum class Derivatives { kAutodiff, k2Point, k3Point };

enum class ConstraintType { kEquality, kInequality };  // fun(x) == 0, fun(x) >= 0
struct Constraint {
  ConstraintType type = ConstraintType::kEquality;
  Function fun;  // any number of values
};

struct MinimizeOptions {
  // Unset: kAugmentedLagrangian with constraints, kLBFGSB with bounds, else kBFGS.
  std::optional<Method> method = {};
  Function jac = {};   // the gradient, of x's shape
  Function hess = {};  // the Hessian (N, N), for x as a vector
  Derivatives derivatives = Derivatives::kAutodiff;
  // The least and the largest value of each number of x, infinite where there is none: for
  // kNelderMead, kProjectedGradient, kLBFGSB and kAugmentedLagrangian.
  std::vector<std::pair<double, double>> bounds = {};
  std::vector<Constraint> constraints = {};
  Function projection = {};  // kProjectedGradient: the nearest point of a convex set
  bool maximize = false;     // ascent; fun, jac and trace are then those of the function itself

  // Stops, each when it is first met. Unset: the method's default, as SciPy has it; 0 is never met.
  std::optional<double> tol = {};   // gtol, and xatol and fatol of kNelderMead
  std::optional<double> gtol = {};  // no number of the gradient is above (of what bounds leave)
  std::optional<double> ftol = {};  // the value falls by less, as a part of it
  std::optional<double> xtol = {};  // x moves by less, as a part of it
  std::optional<double> xatol = {}, fatol = {};  // kNelderMead: sizes of the simplex
  std::optional<double> ctol = {};               // violation of constraints: 1e-8
  std::optional<double> f_target = {};           // the value is this or better
  std::optional<int64_t> maxiter = {}, maxfev = {};
  std::optional<double> max_seconds = {};
  std::function<bool(const OptimizeResult&)> callback = {};  // after each iteration: true stops

  // Steps.
  std::optional<LineSearch> line_search = {};  // kGradientDescent, kCG, kBFGS, kNewton
  double lr = 1e-3;                            // kGradientDescent with kFixed
  double momentum = 0;                         // the same (Polyak 1964)
  double c1 = 1e-4;                            // of Armijo's condition
  std::optional<double> c2 = {};               // of the slope: 0.9, 0.4 for kCG
  int64_t maxcor = 10;                         // kLBFGSB: pairs that are kept
  bool adaptive = false;                       // kNelderMead: for many dimensions
  double initial_trust_radius = 1, max_trust_radius = 1000, eta = 0.15;
};
OptimizeResult minimize(const Function& fun, const Tensor& x0, const MinimizeOptions& options = {},
                        Where where = Where::current());
// The same of a function of host numbers, which gives its value and sets the gradient, of x's size;
// infinity where it is not defined. Second derivatives are differences of gradients. All methods
// but kAugmentedLagrangian; options.jac, hess and derivatives are for functions of tensors.
using ValueAndGradient =
    std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;
OptimizeResult minimize_host(const ValueAndGradient& fun, const std::vector<double>& x0,
                             const MinimizeOptions& options = {}, Where where = Where::current());

struct LineSearchOptions {
  LineSearch method = LineSearch::kStrongWolfe;
  double c1 = 1e-4, c2 = 0.9;
  double amax = 1e20;
  double step = 1;  // the first that is tried
  int64_t maxiter = 60;
};
struct LineSearchResult {
  std::optional<double> alpha;  // unset: no step meets the conditions
  double fun;                   // the value after it
  Tensor jac;                   // and its gradient
  int64_t nfev = 0;
};
// How far to go from x along a direction in which the function falls.
LineSearchResult line_search(const Function& fun, const Tensor& x, const Tensor& direction,
                             const LineSearchOptions& options = {}, Where where = Where::current());

// ---- One number -------------------------------------------------------------------------------

enum class ScalarMethod { kBrent, kGolden, kBounded };
struct MinimizeScalarOptions {
  std::optional<ScalarMethod> method = {};  // unset: kBounded with bounds, else kBrent
  // Two points to begin the search for a bracket, or three with f(b) < f(a), f(c).
  std::vector<double> bracket = {0, 1};
  std::optional<std::pair<double, double>> bounds = {};
  // Of x: a part of it, 1.48e-8; for kBounded absolute, 1e-5.
  std::optional<double> tol = {};
  int64_t maxiter = 500;
};
struct MinimizeScalarResult {
  double x, fun;
  int64_t nit = 0, nfev = 0;
  bool success = true;
  std::string message;
};
// kBrent: parabolas and golden sections (Brent 1973).
MinimizeScalarResult minimize_scalar(const RealFunction& fun,
                                     const MinimizeScalarOptions& options = {},
                                     Where where = Where::current());

// ---- Test functions ---------------------------------------------------------------------------

// sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 (Rosenbrock 1960): 0 at (1, ..., 1).
Tensor rosen(const Tensor& x, Where where = Where::current());

}  // namespace glia::optimize
