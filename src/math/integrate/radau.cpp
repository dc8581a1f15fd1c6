// Radau IIA of order 5 (Hairer & Wanner 1996, IV.8).
#include <complex>

#include "math/integrate/stepper.h"

// LAPACK for complex numbers.
extern "C" {
void zgetrf_(const int* m, const int* n, std::complex<double>* a, const int* lda, int* pivots,
             int* info);
void zgetrs_(const char* trans, const int* n, const int* nrhs, const std::complex<double>* a,
             const int* lda, const int* pivots, std::complex<double>* b, const int* ldb, int* info,
             size_t);
}

namespace glia::integrate {
namespace {

using Complex = std::complex<double>;

class ComplexLu {
 public:
  // shift - j.
  ComplexLu(const HostMatrix& j, Complex shift)
      : n_(static_cast<int>(j.rows)), lu_(j.at.size()), pivots_(static_cast<size_t>(n_)) {
    for (size_t i = 0; i < lu_.size(); ++i) lu_[i] = -j.at[i];
    for (int i = 0; i < n_; ++i) lu_[static_cast<size_t>(i) * (n_ + 1)] += shift;
    int info = 0;
    zgetrf_(&n_, &n_, lu_.data(), &n_, pivots_.data(), &info);
  }
  std::vector<Complex> solve(std::vector<Complex> b) const {
    const int one = 1;
    int info = 0;
    zgetrs_("N", &n_, &one, lu_.data(), &n_, pivots_.data(), b.data(), &n_, &info, 1);
    return b;
  }

 private:
  int n_;
  std::vector<Complex> lu_;
  std::vector<int> pivots_;
};

const double kRoot6 = std::sqrt(6.0);
const double kTimes[3] = {(4 - kRoot6) / 10, (4 + kRoot6) / 10, 1};
const double kError[3] = {(-13 - 7 * kRoot6) / 3, (-13 + 7 * kRoot6) / 3, -1.0 / 3};
// Eigenvalues of the inverse of the method's matrix, and its eigenvectors.
const double kReal = 3 + std::cbrt(9) - std::cbrt(3);
const Complex kPair(3 + (std::cbrt(3) - std::cbrt(9)) / 2,
                    -(std::pow(3, 5.0 / 6) + std::pow(3, 7.0 / 6)) / 2);
constexpr double kT[3][3] = {{0.09443876248897524, -0.14125529502095421, 0.03002919410514742},
                             {0.25021312296533332, 0.20412935229379994, -0.38294211275726192},
                             {1, 1, 0}};
constexpr double kInverse[3][3] = {
    {4.17871859155190428, 0.32768282076106237, 0.52337644549944951},
    {-4.17871859155190428, -0.32768282076106237, 0.47662355450055044},
    {0.50287263494578682, -2.57192694985560522, 0.59603920482822492}};
// Powers of s of the polynomial through the stages.
const double kP[3][3] = {
    {13.0 / 3 + 7 * kRoot6 / 3, -23.0 / 3 - 22 * kRoot6 / 3, 10.0 / 3 + 5 * kRoot6},
    {13.0 / 3 - 7 * kRoot6 / 3, -23.0 / 3 + 22 * kRoot6 / 3, 10.0 / 3 - 5 * kRoot6},
    {1.0 / 3, -8.0 / 3, 10.0 / 3}};
constexpr int kNewton = 6;

using Stages = std::array<Vector, 3>;
Stages mixed(const double (&m)[3][3], const Stages& v) {
  Stages out;
  for (int i = 0; i < 3; ++i) {
    out[i].resize(v[0].size());
    for (int k = 0; k < 3; ++k) out[i] = moved(out[i], m[i][k], v[k]);
  }
  return out;
}

class Radau : public Stepper {
 public:
  Radau(Rhs& rhs, double t0, double t1, Vector y0, const Control& control)
      : Stepper(rhs, t0, t1, std::move(y0), control) {
    f_ = rhs_(t, y);
    h_ = first_step(f_, 3);
    tolerance_ = std::max(10 * 0x1p-52 / control.rtol, std::min(0.03, std::sqrt(control.rtol)));
    j_ = rhs_.jacobian(t, y);
  }

  bool step() override {
    constexpr double kLeast = 0.2, kMost = 10;
    const double least = least_step();
    double h = h_, h_before = h_before_, error_before = error_before_;
    if (h > control_.max_step || h < least) {
      h = h < least ? least : control_.max_step;
      h_before = 0;  // unknown
    }
    bool rejected = false;
    while (true) {
      if (!(h >= least)) return false;
      double t_new = t + direction_ * h;
      if (direction_ * (t_new - end_) > 0) t_new = end_;
      const double signed_h = t_new - t;
      h = std::abs(signed_h);
      Stages z;
      for (int i = 0; i < 3; ++i)
        z[i] = have_piece_ ? difference(piece_.at(t + kTimes[i] * signed_h), y) : Vector(y.size());
      Newton newton;
      while (true) {
        if (!real_) factor(signed_h);
        newton = solve(signed_h, z, scale(y));
        if (newton.converged || fresh_) break;
        j_ = rhs_.jacobian(t, y);
        fresh_ = true;
        forget();
      }
      if (!newton.converged) {
        h /= 2;
        forget();
        continue;
      }
      const Vector y_new = moved(y, 1, newton.z[2]);
      Vector ze(y.size());
      for (int i = 0; i < 3; ++i) ze = moved(ze, kError[i] / signed_h, newton.z[i]);
      const Vector both = scale(y, &y_new);
      Vector e = real_->solve(moved(f_, 1, ze));
      double error = norm(e, both);
      if (rejected && error > 1) {
        e = real_->solve(moved(rhs_(t, moved(y, 1, e)), 1, ze));
        error = norm(e, both);
      }
      const double safety = 0.9 * (2 * kNewton + 1) / (2 * kNewton + newton.iterations);
      // By what the last two steps say (Gustafsson 1994).
      const double trend =
          h_before == 0 || error == 0 ? 1 : h / h_before * std::pow(error_before / error, 0.25);
      const double factor = std::min(1.0, trend) * std::pow(error, -0.25);
      if (!(error <= 1)) {
        h *= std::isfinite(factor) ? std::max(kLeast, safety * factor) : kLeast;
        forget();
        rejected = true;
        continue;
      }
      const bool renew = newton.iterations > 2 && newton.rate > 1e-3;
      double next = std::min(kMost, safety * factor);
      if (!renew && next < 1.2)
        next = 1;
      else
        forget();
      make_piece(t_new, newton.z);
      h_before_ = h_, error_before_ = error;
      h_ = h * next;
      t_before = t;
      t = t_new, y = y_new;
      f_ = rhs_(t, y);
      if (renew) j_ = rhs_.jacobian(t, y);
      fresh_ = renew;
      return true;
    }
  }

  Piece piece() override { return piece_; }

 private:
  struct Newton {
    bool converged = false;
    int iterations = 0;
    double rate = 0;
    Stages z;
  };

  void forget() { real_.reset(), pair_.reset(); }
  void factor(double h) {
    rhs_.nlu += 2;
    HostMatrix m = j_;
    for (double& v : m.at) v = -v;
    for (int64_t i = 0; i < m.rows; ++i) m(i, i) += kReal / h;
    real_.emplace(std::move(m));
    pair_.emplace(j_, kPair / h);
  }

  Newton solve(double h, const Stages& guess, const Vector& scale) {
    const size_t n = y.size();
    Newton out{.z = guess};
    Stages w = mixed(kInverse, guess);
    double before = 0;
    bool first = true;
    for (int k = 0; k < kNewton; ++k) {
      out.iterations = k + 1;
      Stages f;
      for (int i = 0; i < 3; ++i) f[i] = rhs_(t + kTimes[i] * h, moved(y, 1, out.z[i]));
      if (!all_finite(f[0]) || !all_finite(f[1]) || !all_finite(f[2])) return out;
      const Stages g = mixed(kInverse, f);
      const Vector real = real_->solve(moved(g[0], -kReal / h, w[0]));
      std::vector<Complex> pair(n);
      for (size_t i = 0; i < n; ++i)
        pair[i] = Complex(g[1][i], g[2][i]) - kPair / h * Complex(w[1][i], w[2][i]);
      pair = pair_->solve(std::move(pair));
      double sum = 0;
      for (size_t i = 0; i < n; ++i)
        sum += (real[i] * real[i] + std::norm(pair[i])) / (scale[i] * scale[i]);
      const double size = std::sqrt(sum / (3 * static_cast<double>(n)));
      if (!first) {
        out.rate = size / before;
        if (!(out.rate < 1) || std::pow(out.rate, kNewton - k) / (1 - out.rate) * size > tolerance_)
          return out;
      }
      for (size_t i = 0; i < n; ++i) {
        w[0][i] += real[i];
        w[1][i] += pair[i].real();
        w[2][i] += pair[i].imag();
      }
      out.z = mixed(kT, w);
      if (size == 0 || (!first && out.rate / (1 - out.rate) * size < tolerance_)) {
        out.converged = true;
        return out;
      }
      before = size;
      first = false;
    }
    return out;
  }

  void make_piece(double t_new, const Stages& z) {
    piece_ = {t, t_new, t, t_new - t, {y}};
    for (int power = 0; power < 3; ++power) {
      Vector c(y.size());
      for (int i = 0; i < 3; ++i) c = moved(c, kP[i][power], z[i]);
      piece_.coefficients.push_back(std::move(c));
    }
    have_piece_ = true;
  }

  Vector f_;
  HostMatrix j_;
  bool fresh_ = true, have_piece_ = false;
  double tolerance_, h_before_ = 0, error_before_ = 0;
  std::optional<LuFactors> real_;
  std::optional<ComplexLu> pair_;
  Piece piece_;
};

}  // namespace

std::unique_ptr<Stepper> radau(Rhs& rhs, double t0, double t1, Vector y0, const Control& control) {
  return std::make_unique<Radau>(rhs, t0, t1, std::move(y0), control);
}

}  // namespace glia::integrate
