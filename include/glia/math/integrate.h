// Integrals, with the names and defaults of scipy.integrate. Link glia::math. All in f64. Functions
// throw ShapeError for shapes that do not fit and ValueError for options out of range; that a
// tolerance is not reached is said in the result.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glia/ops.h"

namespace glia::integrate {

using RealFunction = std::function<double(double)>;
using Function = std::function<Tensor(const Tensor&)>;

// ---- Functions of one number ------------------------------------------------------------------

enum class Weight {
  kNone,
  kCos,
  kSin,  // cos(w x), sin(w x): wvar {w}; b may be infinite
  kAlg,  // (x - a)^c (b - x)^d: wvar {c, d}, both above -1
  kAlgLogA,
  kAlgLogB,
  kAlgLog,  // kAlg with log(x - a), log(b - x), or both
  kCauchy,  // 1 / (x - c), the principal value: wvar {c}
};
struct QuadOptions {
  double epsabs = 1.49e-8, epsrel = 1.49e-8;  // either is enough
  int64_t limit = 50;                         // of intervals
  std::vector<double> points = {};            // where the function has breaks, within finite limits
  Weight weight = Weight::kNone;
  std::vector<double> wvar = {};
};
struct QuadResult {
  double value = 0, abserr = 0;  // and an estimate of its error
  int64_t neval = 0, intervals = 0;
  bool success = true;
  std::string message;
};
// The integral of f from a to b, both of which may be infinite: rules of Gauss and Kronrod on
// intervals that are halved where the error is, and Wynn's extrapolation of their sums (Piessens et
// al. 1983, QUADPACK).
QuadResult quad(const RealFunction& f, double a, double b, const QuadOptions& options = {},
                Where where = Where::current());
// By a change of the variable that takes the ends away (Takahasi & Mori 1974): exact to the last
// digits for functions that are smooth inside, whatever happens at the ends. By Boost.Math.
QuadResult tanhsinh(const RealFunction& f, double a, double b, double rtol = 1e-12,
                    Where where = Where::current());

// ---- Rules of Gauss ---------------------------------------------------------------------------

struct GaussRule {
  Tensor nodes, weights;  // (n) f64, nodes rising
};
// The sum of weights * f(nodes) is exact for polynomials up to degree 2 n - 1, n in 1 .. 2000:
GaussRule roots_legendre(int64_t n, Where where = Where::current());  // over [-1, 1]
GaussRule roots_jacobi(int64_t n, double alpha, double beta,  // with (1 - x)^alpha (1 + x)^beta
                       Where where = Where::current());
GaussRule roots_hermite(int64_t n, Where where = Where::current());  // all x, with exp(-x^2)
GaussRule roots_laguerre(int64_t n, double alpha = 0,                // x > 0, with x^alpha exp(-x)
                         Where where = Where::current());
GaussRule roots_chebyt(int64_t n, Where where = Where::current());  // with 1 / sqrt(1 - x^2)

// The integral of f, from x (n) to (n) or (n, ...), from a to b by n nodes: differentiable by what
// f depends on.
Tensor fixed_quad(const Function& f, double a, double b, int64_t n = 5,
                  Where where = Where::current());

// ---- Of values --------------------------------------------------------------------------------
// Along an axis, differentiable. Places are x, (N) or of y's shape, or dx apart.

struct SampledOptions {
  Tensor x = {};
  double dx = 1;
  int axis = -1;
};
Tensor trapezoid(const Tensor& y, const SampledOptions& options = {},
                 Where where = Where::current());
// Up to each place: one less than y along the axis, or as many with an `initial` value in front.
Tensor cumulative_trapezoid(const Tensor& y, const SampledOptions& options = {},
                            std::optional<double> initial = {}, Where where = Where::current());
// Parabolas through three places each; of an even number of places the last interval has the
// parabola through the last three (Cartwright 2017).
Tensor simpson(const Tensor& y, const SampledOptions& options = {}, Where where = Where::current());
// Romberg's extrapolation of 2^k + 1 places that are dx apart.
Tensor romb(const Tensor& y, double dx = 1, int axis = -1, Where where = Where::current());

// ---- Of many variables ------------------------------------------------------------------------

struct CubatureOptions {
  double rtol = 1e-8, atol = 0;
  int64_t max_subdivisions = 10000;
};
struct CubatureResult {
  Tensor estimate, error;  // of the shape that f has for a point
  bool success = false;
  int64_t subdivisions = 0, neval = 0;
};
// The integral of f over the box from a (D) to b (D), whose limits may be infinite: f is called
// with points (N, D) and gives (N, ...). Boxes are halved where the error is, by the rule of Genz &
// Malik 1980 (D = 1: Gauss and Kronrod). D <= 15.
CubatureResult cubature(const Function& f, const std::vector<double>& a,
                        const std::vector<double>& b, const CubatureOptions& options = {},
                        Where where = Where::current());

struct MonteCarloOptions {
  bool quasi = true;  // Sobol's points, shifted at random; else independent ones
  int64_t n_estimates = 8;
  int64_t n_points = 1024;  // of each estimate
  uint64_t random_state = 0;
};
struct MonteCarloResult {
  Tensor integral, standard_error;
};
// The mean of f over the box times its volume, of several estimates whose spread gives the error:
// for many variables. D <= 1000, finite limits.
MonteCarloResult qmc_quad(const Function& f, const std::vector<double>& a,
                          const std::vector<double>& b, const MonteCarloOptions& options = {},
                          Where where = Where::current());

}  // namespace glia::integrate
