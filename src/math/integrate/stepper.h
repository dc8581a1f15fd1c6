// What the solvers of differential equations share.
#pragma once

#include <memory>

#include "glia/math/ode.h"
#include "math/vectors.h"

namespace glia::integrate {

// The right-hand side as a function of host numbers.
class Rhs {
 public:
  Rhs(const OdeFunction& f, const OdeFunction& jac, const Shape& shape, const Where& where)
      : f_(f), jac_(jac), shape_(shape), where_(where) {}
  Vector operator()(double t, const Vector& y);
  HostMatrix jacobian(double t, const Vector& y);
  Tensor state(const Vector& y) const { return from_vector(y, shape_); }

  int64_t nfev = 0, njev = 0, nlu = 0;

 private:
  Tensor checked(const Tensor& f) const;

  const OdeFunction &f_, &jac_;
  Shape shape_;
  Where where_;
};

// y(t) = sum of coefficients[k] s^k, s = (t - origin) / width, for t within a step.
struct Piece {
  double t0, t1, origin, width;
  std::vector<Vector> coefficients;
  Vector at(double t) const;
};

struct Control {
  double rtol, max_step;
  Vector atol;
  std::optional<double> first_step;
};

class Stepper {
 public:
  Stepper(Rhs& rhs, double t0, double t1, Vector y0, const Control& control)
      : t(t0),
        t_before(t0),
        y(std::move(y0)),
        rhs_(rhs),
        end_(t1),
        control_(control),
        direction_(t1 >= t0 ? 1 : -1) {}
  virtual ~Stepper() = default;

  // One step; false if that has become too small.
  virtual bool step() = 0;
  virtual Piece piece() = 0;  // of the last step
  bool done() const { return direction_ * (t - end_) >= 0; }

  double t, t_before;
  Vector y;

 protected:
  // rtol |y| + atol, of the larger of both if two are given.
  Vector scale(const Vector& a, const Vector* b = nullptr) const;
  // The root of the mean square of v / scale.
  static double norm(const Vector& v, const Vector& scale);
  // Hairer, Norsett & Wanner 1993, II.4.
  double first_step(const Vector& f0, int order);
  double least_step() const { return 10 * std::abs(std::nextafter(t, direction_ * INFINITY) - t); }

  Rhs& rhs_;
  double end_;
  Control control_;
  double direction_, h_ = 0;  // the length of the next step
};

std::unique_ptr<Stepper> runge_kutta(OdeMethod method, Rhs& rhs, double t0, double t1, Vector y0,
                                     const Control& control);
std::unique_ptr<Stepper> radau(Rhs& rhs, double t0, double t1, Vector y0, const Control& control);
std::unique_ptr<Stepper> bdf(Rhs& rhs, double t0, double t1, Vector y0, const Control& control);

}  // namespace glia::integrate
