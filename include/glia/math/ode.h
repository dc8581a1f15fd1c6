// Ordinary differential equations y' = f(t, y): solvers with the names and defaults of
// scipy.integrate, and solutions that have gradients (as torchdiffeq). Link glia::math.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::integrate {

// The derivative, of y's shape; t is one number.
using OdeFunction = std::function<Tensor(const Tensor& t, const Tensor& y)>;

enum class OdeMethod {
  kRK23,    // Bogacki & Shampine 1989
  kRK45,    // Dormand & Prince 1980
  kDOP853,  // of order 8 (Hairer, Norsett & Wanner 1993)
  kRadau,   // implicit, of order 5, for stiff equations (Hairer & Wanner 1996)
  kBDF,     // implicit, of order 1 to 5 (Shampine & Reichelt 1997)
};

// Where a function of the solution is zero.
struct OdeEvent {
  OdeFunction fun;        // to one number
  bool terminal = false;  // ends the solution
  double direction = 0;   // above 0: only while it rises, below 0: only while it falls
};

// The solution at any time between, by the polynomial of the step that it lies in.
class OdeSolution {
 public:
  struct Pieces;  // private
  OdeSolution() = default;
  explicit OdeSolution(std::shared_ptr<const Pieces> pieces) : pieces_(std::move(pieces)) {}
  bool defined() const { return pieces_ != nullptr; }
  // t () or (T) -> y's shape, with T in front. Beyond the ends the first and last polynomial goes
  // on.
  Tensor operator()(const Tensor& t, Where where = Where::current()) const;

 private:
  std::shared_ptr<const Pieces> pieces_;
};

struct SolveIvpOptions {
  OdeMethod method = OdeMethod::kRK45;
  std::vector<double> t_eval = {};  // times to give; empty: those of the solver's steps
  bool dense_output = false;        // gives `sol`
  std::vector<OdeEvent> events = {};
  double rtol = 1e-3;
  std::vector<double> atol = {1e-6};  // one, or one for each number of y
  std::optional<double> first_step = {};
  double max_step = INFINITY;
  // kRadau, kBDF: the derivative of f by y (N, N), y as a vector; unset: by Glia, or by differences
  // if f is not made of Glia's operations.
  OdeFunction jac = {};
};
struct SolveIvpResult {
  Tensor t, y;  // (T), (T, ...)
  OdeSolution sol;
  std::vector<Tensor> t_events, y_events;  // of each event (E), (E, ...)
  int64_t nfev = 0, njev = 0, nlu = 0, nsteps = 0;
  int status = 0;  // 0: at the end, 1: at a terminal event, -1: the step has become too small
  bool success = true;
  std::string message;
};
// y from t0 to t1 (which may be less) with y(t0) = y0, computed in f64. Throws ValueError for times
// and tolerances out of range.
SolveIvpResult solve_ivp(const OdeFunction& fun, double t0, double t1, const Tensor& y0,
                         const SolveIvpOptions& options = {}, Where where = Where::current());

// ---- With gradients ---------------------------------------------------------------------------

enum class OdeintMethod {
  kDopri5,
  kBosh3,  // steps by the tolerances
  kEuler,
  kMidpoint,
  kRk4,  // steps as they are given: rk4 by the 3/8 rule
};
struct OdeintOptions {
  OdeintMethod method = OdeintMethod::kDopri5;
  double rtol = 1e-7, atol = 1e-9;
  std::optional<double> step_size = {};  // of fixed methods; unset: the times given
  int64_t max_num_steps = 100000;        // of the whole
};
// y (T, ...) at the times t (T), rising or falling, with y(t[0]) = y0, in y0's dtype. The gradient
// goes back through each step: to y0 and to whatever else f is made of.
Tensor odeint(const OdeFunction& func, const Tensor& y0, const Tensor& t,
              const OdeintOptions& options = {}, Where where = Where::current());
// The same with the gradient of the adjoint equation, solved backwards (Pontryagin 1962; Chen et
// al. 2018): memory for y at the times t alone, however many steps there are. Only y0 and
// `parameters` get gradients; they have no second ones.
Tensor odeint_adjoint(const OdeFunction& func, const ParameterList& parameters, const Tensor& y0,
                      const Tensor& t, const OdeintOptions& options = {},
                      Where where = Where::current());

}  // namespace glia::integrate
