// Derivatives as mathematics writes them, and derivatives of functions of which only values are
// known. Link glia::math. The derivatives of Glia's operations are in glia/autodiff.h; all here but
// the numerical ones are made of them, and differentiable themselves.
#pragma once

#include <functional>
#include <optional>

#include "glia/tensor.h"

namespace glia::calculus {

using RealFunction = std::function<double(double)>;
using Function = std::function<Tensor(const Tensor&)>;

// ---- Of Glia's operations ---------------------------------------------------------------------

// The second derivatives of f, from x (of any shape) to one number: x's shape twice.
Tensor hessian(const Function& f, const Tensor& x, Where where = Where::current());
// Its product with v, of x's shape, without the matrix (Pearlmutter 1994).
Tensor hvp(const Function& f, const Tensor& x, const Tensor& v, Where where = Where::current());
// The coefficients of t^0, ..., t^degree of f(x + t v), in front of f's shape: the k-th derivative
// along v divided by k!. Work doubles with each degree, which is at most 16.
Tensor taylor(const Function& f, const Tensor& x, const Tensor& v, int64_t degree,
              Where where = Where::current());

// Of a field at a point x (D), or at each of many points (N, D). A field is written for one point:
// (D) -> (D), a function for one point to one number.
Tensor divergence(const Function& field, const Tensor& x, Where where = Where::current());
// D = 3: a vector; D = 2: the number d f1 / d x0 - d f0 / d x1.
Tensor curl(const Function& field, const Tensor& x, Where where = Where::current());
Tensor laplacian(const Function& f, const Tensor& x, Where where = Where::current());

// ---- Of values --------------------------------------------------------------------------------

struct DerivativeOptions {
  int64_t order = 1;                // of the derivative, 1 to 4
  std::optional<double> step = {};  // the largest that is tried; unset: by x and the order
  int direction = 0;                // 1, -1: only values above, below x
  int64_t levels = 12;              // of steps, each shorter than the last by 1.6
};
struct DerivativeResult {
  double df = 0, error = 0;  // and an estimate of its error
  int64_t nfev = 0;
};
// Differences, extrapolated to a step of 0 (Richardson 1911) as far as rounding allows (Ridders
// 1982): about 12 digits of a first derivative.
DerivativeResult derivative(const RealFunction& f, double x, const DerivativeOptions& options = {},
                            Where where = Where::current());
// The same of functions of tensors in f64, whose values may come from anywhere: f's shape followed
// by x's, and x's shape twice.
Tensor numerical_jacobian(const Function& f, const Tensor& x, Where where = Where::current());
Tensor numerical_hessian(const Function& f, const Tensor& x, Where where = Where::current());

}  // namespace glia::calculus
