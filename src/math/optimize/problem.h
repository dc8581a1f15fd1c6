// What the methods of minimize() share: the function with its derivatives and counts, and when to
// stop.
#pragma once

#include <chrono>
#include <string>

#include "glia/math/optimize.h"
#include "math/vectors.h"

namespace glia::optimize {

// Derivatives by differences of a function of host numbers, as x stands within bounds if it has
// any.
using HostFunction = std::function<Vector(const Vector&)>;
HostMatrix difference_jacobian(const HostFunction& f, const Vector& x, const Vector& fx,
                               bool central, const std::vector<std::pair<double, double>>& bounds);

// Throws unless f, of a trainable x, has a gradient: one of a function that is computed elsewhere
// would be zero.
void require_dependence(const char* name, const Tensor& f, const Where& where);
// x0 as f64; throws unless it is defined and finite.
Tensor checked_start(const char* name, const Tensor& x0, const Where& where);
// The bounds of n numbers, infinite ones where none are given. Throws for other counts and for a
// least above the largest.
std::vector<std::pair<double, double>> checked_bounds(
    const char* name, const std::vector<std::pair<double, double>>& bounds, int64_t n,
    const Where& where);
// A vector of values as host numbers: any shape, any float.
Vector host_values(const Tensor& x);

struct Point {
  Vector x;
  double value = 0;
  Vector gradient;
  double step = 0, slope = 0;  // along a line
};

class Problem {
 public:
  Problem(const char* name, const Function& fun, const Tensor& x0, const MinimizeOptions& options,
          const Where& where);
  Problem(const char* name, const ValueAndGradient& fun, const Tensor& x0,
          const MinimizeOptions& options, const Where& where);

  const char* name() const { return name_; }
  const MinimizeOptions& options() const { return options_; }
  int64_t size() const { return static_cast<int64_t>(start_.size()); }
  const Vector& start() const { return start_; }
  const std::vector<std::pair<double, double>>& bounds() const { return bounds_; }
  bool bounded() const { return !options_.bounds.empty(); }
  Vector projected(Vector x) const;
  Tensor tensor(const Vector& x) const;  // of the shape of x0

  // Of the function, or of its negative where it is to be largest. NaN may come out.
  double value(const Vector& x);
  Point at(const Vector& x);  // with the gradient
  HostMatrix hessian(const Vector& x);
  Vector hessian_times(const Point& p, const Vector& v);

  int64_t nfev = 0, njev = 0, nhev = 0;

 private:
  Problem(const char* name, const Function& fun, const ValueAndGradient* host, const Tensor& x0,
          const MinimizeOptions& options, const Where& where);
  Vector gradient_of(const Vector& x, double value);
  Tensor slope_of(const Tensor& t) const;
  bool differentiable_twice(const Vector& x) const;
  double number(const Tensor& f) const;
  Vector checked_gradient(const Tensor& g) const;

  const char* name_;
  const Function& fun_;
  const ValueAndGradient* host_;  // instead, of host numbers
  const MinimizeOptions& options_;
  Shape shape_;
  Vector start_;
  std::vector<std::pair<double, double>> bounds_;
  double sign_;
  Where where_;
};

// The course of one minimisation: what was reached, and whether to go on.
class Run {
 public:
  struct Defaults {
    double gtol = 0, ftol = 0, xtol = 0;
    int64_t maxiter = 0, maxfev = INT64_MAX;
  };
  Run(Problem& problem, const Defaults& defaults);

  // Whether the method ends at its start, or after an iteration that led from `before` to `now`.
  bool ends_at(const Point& start);
  bool ends_after(const Point& before, const Point& now);
  // The same for a method that says itself when it has converged.
  bool ends_without_tests(const Point& now);
  void end(Status status, const std::string& message);
  // When a line search has found nothing, at `now`.
  void end_without_step(const Point& now);

  double gtol() const { return gtol_; }
  int64_t iterations() const { return result_.nit; }
  OptimizeResult& result() { return result_; }
  OptimizeResult finished(const Point& best);

 private:
  double slope_size(const Point& p) const;
  bool limits(const Point& now);
  void note(const Point& p);

  Problem& problem_;
  double gtol_, ftol_, xtol_;
  int64_t maxiter_, maxfev_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  OptimizeResult result_;
};

// ---- Methods, each in its file ----------------------------------------------------------------

struct LineSettings {
  LineSearch method = LineSearch::kStrongWolfe;
  double c1 = 1e-4, c2 = 0.9, most = 1e20;
  int64_t maxiter = 60;
};
LineSettings line_settings(const MinimizeOptions& options, double c2);
// The point along `direction` that meets the conditions, beginning with `step`; none if there is
// no such. A search for Wolfe's conditions that runs out of digits gives the lowest point it saw.
std::optional<Point> search_line(Problem& problem, const Point& start, const Vector& direction,
                                 double step, const LineSettings& settings);

OptimizeResult nelder_mead(Problem& problem);
OptimizeResult gradient_descent(Problem& problem);
OptimizeResult projected_gradient(Problem& problem);
OptimizeResult conjugate_gradients(Problem& problem);
OptimizeResult bfgs(Problem& problem);
OptimizeResult lbfgsb(Problem& problem);
OptimizeResult newton(Problem& problem);
OptimizeResult newton_cg(Problem& problem);
OptimizeResult trust_region(Problem& problem, Method method);
OptimizeResult augmented_lagrangian(const Function& fun, const Tensor& x0,
                                    const MinimizeOptions& options, const Where& where);

}  // namespace glia::optimize
