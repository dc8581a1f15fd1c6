// Backward differentiation formulas of order 1 to 5 on backward differences, in the form NDF of
// Shampine & Reichelt 1997.
#include "math/integrate/stepper.h"

namespace glia::integrate {
namespace {

constexpr int kMostOrder = 5, kNewton = 4;
constexpr double kKappa[kMostOrder + 1] = {0, -0.1850, -1.0 / 9, -0.0823, -0.0415, 0};

double gamma_of(int order) {
  double sum = 0;
  for (int k = 1; k <= order; ++k) sum += 1.0 / k;
  return sum;
}
double alpha_of(int order) { return (1 - kKappa[order]) * gamma_of(order); }
double error_constant(int order) { return kKappa[order] * gamma_of(order) + 1.0 / (order + 1); }

class Bdf : public Stepper {
 public:
  Bdf(Rhs& rhs, double t0, double t1, Vector y0, const Control& control)
      : Stepper(rhs, t0, t1, std::move(y0), control), d_(kMostOrder + 3, Vector(y.size())) {
    const Vector f = rhs_(t, y);
    h_ = first_step(f, 1);
    tolerance_ = std::max(10 * 0x1p-52 / control.rtol, std::min(0.03, std::sqrt(control.rtol)));
    j_ = rhs_.jacobian(t, y);
    d_[0] = y;
    d_[1] = times(h_ * direction_, f);
  }

  bool step() override {
    constexpr double kLeast = 0.2, kMost = 10;
    const double least = least_step();
    double h = h_;
    if (h > control_.max_step || h < least) {
      h = h < least ? least : control_.max_step;
      rescale(h / h_);
    }
    bool fresh = false;  // the Jacobian is of this step
    double t_new, safety, error;
    Newton newton;
    Vector scales;
    while (true) {
      if (!(h >= least)) return false;
      t_new = t + direction_ * h;
      if (direction_ * (t_new - end_) > 0) {
        t_new = end_;
        rescale(std::abs(t_new - t) / h);
        lu_.reset();
      }
      const double signed_h = t_new - t;
      h = std::abs(signed_h);
      Vector predicted(y.size()), psi(y.size());
      for (int k = 0; k <= order_; ++k) predicted = moved(predicted, 1, d_[k]);
      for (int k = 1; k <= order_; ++k) psi = moved(psi, gamma_of(k) / alpha_of(order_), d_[k]);
      const double c = signed_h / alpha_of(order_);
      scales = scale(predicted);
      while (true) {
        if (!lu_) factor(c);
        newton = solve(t_new, predicted, c, psi, scales);
        if (newton.converged || fresh) break;
        j_ = rhs_.jacobian(t_new, predicted);
        lu_.reset();
        fresh = true;
      }
      if (!newton.converged) {
        h /= 2;
        rescale(0.5);
        lu_.reset();
        continue;
      }
      safety = 0.9 * (2 * kNewton + 1) / (2 * kNewton + newton.iterations);
      scales = scale(newton.y);
      error = norm(times(error_constant(order_), newton.change), scales);
      if (error <= 1) break;
      const double by = std::isfinite(error)
                            ? std::max(kLeast, safety * std::pow(error, -1.0 / (order_ + 1)))
                            : kLeast;
      h *= by;
      rescale(by);
    }
    ++equal_steps_;
    t_before = t;
    t = t_new, y = newton.y;
    h_ = h;
    d_[order_ + 2] = difference(newton.change, d_[order_ + 1]);
    d_[order_ + 1] = newton.change;
    for (int k = order_; k >= 0; --k) d_[k] = moved(d_[k], 1, d_[k + 1]);
    if (equal_steps_ <= order_) {
      keep_piece();
      return true;
    }
    // The order, of three, that allows the longest step.
    const auto factor_of = [&](int order, double e) {
      return e == 0 ? INFINITY : std::pow(e, -1.0 / (order + 1));
    };
    double best = factor_of(order_, error);
    int next = order_;
    if (order_ > 1) {
      const double down =
          factor_of(order_ - 1, norm(times(error_constant(order_ - 1), d_[order_]), scales));
      if (down >= best) best = down, next = order_ - 1;
    }
    if (order_ < kMostOrder) {
      const double up =
          factor_of(order_ + 1, norm(times(error_constant(order_ + 1), d_[order_ + 2]), scales));
      if (up > best) best = up, next = order_ + 1;
    }
    order_ = next;
    const double by = std::min(kMost, safety * best);
    h_ *= by;
    rescale(by);
    lu_.reset();
    keep_piece();
    return true;
  }

  Piece piece() override { return piece_; }

 private:
  struct Newton {
    bool converged = false;
    int iterations = 0;
    Vector y, change;
  };

  void factor(double c) {
    ++rhs_.nlu;
    HostMatrix m = j_;
    for (double& v : m.at) v *= -c;
    for (int64_t i = 0; i < m.rows; ++i) m(i, i) += 1;
    lu_.emplace(std::move(m));
  }

  // Differences of steps that are longer by `factor`.
  void rescale(double factor) {
    equal_steps_ = 0;
    const auto matrix = [&](double by) {
      HostMatrix m(order_ + 1, order_ + 1);
      for (int j = 0; j <= order_; ++j) m(0, j) = 1;
      for (int i = 1; i <= order_; ++i) {
        for (int j = 1; j <= order_; ++j) m(i, j) = m(i - 1, j) * (i - 1 - by * j) / i;
      }
      return m;
    };
    const HostMatrix r = matrix(factor), u = matrix(1);
    std::vector<Vector> out;
    for (int j = 0; j <= order_; ++j) {
      Vector sum(y.size());
      for (int i = 0; i <= order_; ++i) {
        double weight = 0;
        for (int k = 0; k <= order_; ++k) weight += r(i, k) * u(k, j);
        sum = moved(sum, weight, d_[i]);
      }
      out.push_back(std::move(sum));
    }
    for (int j = 0; j <= order_; ++j) d_[j] = std::move(out[j]);
  }

  Newton solve(double t_new, const Vector& predicted, double c, const Vector& psi,
               const Vector& scales) {
    Newton out{false, 0, predicted, Vector(y.size())};
    double before = 0;
    for (int k = 0; k < kNewton; ++k) {
      out.iterations = k + 1;
      const Vector f = rhs_(t_new, out.y);
      if (!all_finite(f)) return out;
      const Vector step = lu_->solve(moved(moved(times(c, f), -1, psi), -1, out.change));
      const double size = norm(step, scales), rate = size / before;
      if (k > 0 && (!(rate < 1) || std::pow(rate, kNewton - k) / (1 - rate) * size > tolerance_))
        return out;
      out.y = moved(out.y, 1, step);
      out.change = moved(out.change, 1, step);
      if (size == 0 || (k > 0 && rate / (1 - rate) * size < tolerance_)) {
        out.converged = true;
        return out;
      }
      before = size;
    }
    return out;
  }

  // y + sum over j of d[j] s (s + 1) ... (s + j - 1) / j!, s = (t - now) / h.
  void keep_piece() {
    piece_ = {t_before, t, t, direction_ * h_, std::vector<Vector>(order_ + 1, Vector(y.size()))};
    Vector powers{1};  // of the product
    for (int j = 0; j <= order_; ++j) {
      for (size_t p = 0; p < powers.size(); ++p)
        piece_.coefficients[p] = moved(piece_.coefficients[p], powers[p], d_[j]);
      Vector next(powers.size() + 1);
      for (size_t p = 0; p < powers.size(); ++p) {
        next[p] += powers[p] * j / (j + 1);
        next[p + 1] += powers[p] / (j + 1);
      }
      powers = std::move(next);
    }
  }

  std::vector<Vector> d_;  // backward differences of y
  HostMatrix j_;
  std::optional<LuFactors> lu_;
  int order_ = 1, equal_steps_ = 0;
  double tolerance_;
  Piece piece_;
};

}  // namespace

std::unique_ptr<Stepper> bdf(Rhs& rhs, double t0, double t1, Vector y0, const Control& control) {
  return std::make_unique<Bdf>(rhs, t0, t1, std::move(y0), control);
}

}  // namespace glia::integrate
