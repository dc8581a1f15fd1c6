// Explicit Runge-Kutta methods with an error estimate.
#include "math/integrate/dop853.h"
#include "math/integrate/stepper.h"

namespace glia::integrate {
namespace {

// The method's numbers: rows of `a` below the diagonal, `e` of the error with the new derivative
// last, and rows of `p`, the coefficients of s, s^2, ... in the step.
struct Tableau {
  int stages, order_of_error, powers;
  Vector c;
  std::vector<Vector> a;
  Vector b, e;
  std::vector<Vector> p;
};

const Tableau& bogacki_shampine() {
  static const Tableau t{
      3,
      2,
      3,
      {0, 1.0 / 2, 3.0 / 4},
      {{}, {1.0 / 2}, {0, 3.0 / 4}},
      {2.0 / 9, 1.0 / 3, 4.0 / 9},
      {5.0 / 72, -1.0 / 12, -1.0 / 9, 1.0 / 8},
      {{1, -4.0 / 3, 5.0 / 9}, {0, 1, -2.0 / 3}, {0, 4.0 / 3, -8.0 / 9}, {0, -1, 1}}};
  return t;
}
const Tableau& dormand_prince() {
  static const Tableau t{
      6,
      4,
      4,
      {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1},
      {{},
       {1.0 / 5},
       {3.0 / 40, 9.0 / 40},
       {44.0 / 45, -56.0 / 15, 32.0 / 9},
       {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
       {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656}},
      {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
      {-71.0 / 57600, 0, 71.0 / 16695, -71.0 / 1920, 17253.0 / 339200, -22.0 / 525, 1.0 / 40},
      // Of order 4 within the step (Shampine 1986).
      {{1, -8048581381.0 / 2820520608, 8663915743.0 / 2820520608, -12715105075.0 / 11282082432},
       {0, 0, 0, 0},
       {0, 131558114200.0 / 32700410799, -68118460800.0 / 10900136933, 87487479700.0 / 32700410799},
       {0, -1754552775.0 / 470086768, 14199869525.0 / 1410260304, -10690763975.0 / 1880347072},
       {0, 127303824393.0 / 49829197408, -318862633887.0 / 49829197408,
        701980252875.0 / 199316789632},
       {0, -282668133.0 / 205662961, 2019193451.0 / 616988883, -1453857185.0 / 822651844},
       {0, 40617522.0 / 29380423, -110615467.0 / 29380423, 69997945.0 / 29380423}}};
  return t;
}

class RungeKutta : public Stepper {
 public:
  RungeKutta(Rhs& rhs, double t0, double t1, Vector y0, const Control& control, int stages,
             int order)
      : Stepper(rhs, t0, t1, std::move(y0), control),
        stages_(stages),
        order_(order),
        k_(static_cast<size_t>(stages) + 1) {
    f_ = rhs_(t, y);
    h_ = first_step(f_, order);
  }

  bool step() override {
    constexpr double kSafety = 0.9, kLeast = 0.2, kMost = 10;
    const double least = least_step(), exponent = -1.0 / (order_ + 1);
    double h = std::clamp(h_, least, std::max(control_.max_step, least));
    for (bool rejected = false;; rejected = true) {
      if (!(h >= least)) return false;
      double t_new = t + direction_ * h;
      if (direction_ * (t_new - end_) > 0) t_new = end_;
      const double signed_h = t_new - t;
      h = std::abs(signed_h);
      const Vector y_new = stages(signed_h);
      const double error = this->error(signed_h, scale(y, &y_new));
      if (error < 1) {
        double factor = error == 0 ? kMost : std::min(kMost, kSafety * std::pow(error, exponent));
        if (rejected) factor = std::min(1.0, factor);
        t_before = t, y_before_ = y;
        t = t_new, y = y_new, f_ = k_.back();
        taken_ = signed_h;
        h_ = h * factor;
        return true;
      }
      // Also of NaN.
      h *= std::isfinite(error) ? std::max(kLeast, kSafety * std::pow(error, exponent)) : kLeast;
    }
  }

 protected:
  // Fills k_ and gives the new y, whose derivative is the last of k_.
  virtual Vector stages(double h) = 0;
  virtual double error(double h, const Vector& scale) const = 0;

  // y + h (sum of weights of the first k_).
  Vector combined(const Vector& from, double h, const Vector& weights) const {
    Vector out(from);
    for (size_t s = 0; s < weights.size(); ++s) {
      if (weights[s] == 0) continue;
      for (size_t i = 0; i < out.size(); ++i) out[i] += h * weights[s] * k_[s][i];
    }
    return out;
  }

  int stages_, order_;
  std::vector<Vector> k_;
  Vector f_, y_before_;
  double taken_ = 0;
};

class ByTableau : public RungeKutta {
 public:
  ByTableau(const Tableau& tableau, Rhs& rhs, double t0, double t1, Vector y0,
            const Control& control)
      : RungeKutta(rhs, t0, t1, std::move(y0), control, tableau.stages, tableau.order_of_error),
        tableau_(tableau) {}

  Piece piece() override {
    Piece out{t_before, t, t_before, taken_, {y_before_}};
    for (int power = 0; power < tableau_.powers; ++power) {
      Vector c(y.size());
      for (size_t s = 0; s < k_.size(); ++s) c = moved(c, taken_ * tableau_.p[s][power], k_[s]);
      out.coefficients.push_back(std::move(c));
    }
    return out;
  }

 protected:
  Vector stages(double h) override {
    k_[0] = f_;
    for (int s = 1; s < stages_; ++s)
      k_[s] = rhs_(t + tableau_.c[s] * h, combined(y, h, tableau_.a[s]));
    Vector y_new = combined(y, h, tableau_.b);
    k_[stages_] = rhs_(t + h, y_new);
    return y_new;
  }
  double error(double h, const Vector& scale) const override {
    return norm(combined(Vector(y.size()), h, tableau_.e), scale);
  }

 private:
  const Tableau& tableau_;
};

class Dop853 : public RungeKutta {
 public:
  Dop853(Rhs& rhs, double t0, double t1, Vector y0, const Control& control)
      : RungeKutta(rhs, t0, t1, std::move(y0), control, dop853::kStages, 7) {
    for (const dop853::Entry& e : dop853::kA) {
      Vector& row = a_[e.row];
      row.resize(std::max(row.size(), static_cast<size_t>(e.column) + 1));
      row[e.column] = e.value;
    }
  }

  // Three more stages, then y0 + s (F0 + (1 - s) (F1 + s (F2 + (1 - s) (F3 + ...)))).
  Piece piece() override {
    const size_t own = k_.size();
    for (int s = dop853::kStages + 1; s < dop853::kAllStages; ++s)
      k_.push_back(rhs_(t_before + dop853::kC[s] * taken_, combined(y_before_, taken_, a_[s])));
    const Vector change = difference(y, y_before_);
    std::vector<Vector> f{change, moved(times(-1, change), taken_, k_[0]),
                          moved(moved(times(2, change), -taken_, f_), -taken_, k_[0])};
    for (const auto& row : dop853::kD)
      f.push_back(combined(Vector(y.size()), taken_, Vector(row, row + dop853::kAllStages)));
    std::vector<Vector> polynomial{Vector(y.size())};
    for (size_t i = f.size(); i-- > 0;) {
      polynomial[0] = moved(polynomial[0], 1, f[i]);
      const bool by_s = i % 2 == 0;  // else by 1 - s
      polynomial.emplace_back(y.size());
      for (size_t power = polynomial.size() - 1; power > 0; --power)
        polynomial[power] = moved(by_s ? Vector(y.size()) : polynomial[power], by_s ? 1 : -1,
                                  polynomial[power - 1]);
      if (by_s) polynomial[0] = Vector(y.size());
    }
    polynomial[0] = y_before_;
    k_.resize(own);
    return {t_before, t, t_before, taken_, std::move(polynomial)};
  }

 protected:
  Vector stages(double h) override {
    k_[0] = f_;
    for (int s = 1; s < stages_; ++s) k_[s] = rhs_(t + dop853::kC[s] * h, combined(y, h, a_[s]));
    Vector y_new = combined(y, h, Vector(std::begin(dop853::kB), std::end(dop853::kB)));
    k_[stages_] = rhs_(t + h, y_new);
    return y_new;
  }
  double error(double h, const Vector& scale) const override {
    const Vector zero(y.size());
    const auto part = [&](const double* begin, const double* end) {
      const Vector v = combined(zero, 1, Vector(begin, end));
      double sum = 0;
      for (size_t i = 0; i < v.size(); ++i) sum += (v[i] / scale[i]) * (v[i] / scale[i]);
      return sum;
    };
    const double fifth = part(std::begin(dop853::kE5), std::end(dop853::kE5));
    const double third = part(std::begin(dop853::kE3), std::end(dop853::kE3));
    if (fifth == 0 && third == 0) return 0;
    return std::abs(h) * fifth / std::sqrt((fifth + 0.01 * third) * static_cast<double>(y.size()));
  }

 private:
  Vector a_[dop853::kAllStages];
};

}  // namespace

std::unique_ptr<Stepper> runge_kutta(OdeMethod method, Rhs& rhs, double t0, double t1, Vector y0,
                                     const Control& control) {
  if (method == OdeMethod::kDOP853)
    return std::make_unique<Dop853>(rhs, t0, t1, std::move(y0), control);
  return std::make_unique<ByTableau>(
      method == OdeMethod::kRK23 ? bogacki_shampine() : dormand_prince(), rhs, t0, t1,
      std::move(y0), control);
}

}  // namespace glia::integrate
