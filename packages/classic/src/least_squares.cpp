#include "least_squares.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/linalg.h"
#include "glia/ops.h"

namespace glia::classic {

namespace {

Twofold two_sum(double a, double b) {
  const double s = a + b, t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}

Twofold fast_sum(double a, double b) {  // |a| >= |b|
  const double s = a + b;
  return {s, b - (s - a)};
}

}  // namespace

Twofold operator+(Twofold a, Twofold b) {
  const Twofold s = two_sum(a.high, b.high), t = two_sum(a.low, b.low);
  const Twofold u = fast_sum(s.high, s.low + t.high);
  return fast_sum(u.high, u.low + t.low);
}

Twofold operator-(Twofold a) { return {-a.high, -a.low}; }

Twofold operator*(Twofold a, Twofold b) {
  const double p = a.high * b.high;
  const double rest = std::fma(a.high, b.high, -p) + (a.high * b.low + a.low * b.high);
  return fast_sum(p, rest);
}

Twofold quotient(Twofold a, double b) {
  const double q = a.high / b;
  const Twofold rest = a + -(Twofold{q} * Twofold{b});
  return fast_sum(q, (rest.high + rest.low) / b);
}

LeastSquares::LeastSquares(std::vector<Twofold> a, int64_t n, int64_t d)
    : a_(std::move(a)), n_(n), d_(d), scale_(static_cast<size_t>(d), 1) {
  for (int64_t j = 0; j < d; ++j) {
    double most = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(a_[i * d + j].high));
    if (most == 0) {
      full_rank_ = false;
      continue;
    }
    for (int64_t i = 0; i < n; ++i) {
      const double x = a_[i * d + j].high / most;
      squares += x * x;
    }
    scale_[j] = std::ldexp(1, std::ilogb(most) + std::ilogb(std::sqrt(squares)));
    for (int64_t i = 0; i < n; ++i) {
      a_[i * d + j].high /= scale_[j];
      a_[i * d + j].low /= scale_[j];
    }
  }
  if (n < d) full_rank_ = false;
  if (!full_rank_) {
    condition_ = std::numeric_limits<double>::infinity();
    return;
  }
  std::vector<double> high;
  for (const Twofold& x : a_) high.push_back(x.high);
  const linalg::QRResult qr = linalg::qr(from_vector(high, {n, d}));
  const std::vector<double> values = linalg::svdvals(qr.R).to_vector<double>();
  q_ = qr.Q.to_vector<double>();
  r_ = qr.R.to_vector<double>();
  condition_ =
      values.back() > 0 ? values[0] / values.back() : std::numeric_limits<double>::infinity();
  const double eps = std::numeric_limits<double>::epsilon();
  full_rank_ = condition_ * eps * static_cast<double>(std::max(n, d)) < 1;
}

void LeastSquares::refine(const std::vector<Twofold>& b, const std::vector<Twofold>& c,
                          std::vector<Twofold>& x, std::vector<Twofold>& r) const {
  x.assign(static_cast<size_t>(d_), {});
  r.assign(static_cast<size_t>(n_), {});
  std::vector<double> f(r.size()), h(x.size()), step(x.size());
  const bool cheap = n_ * d_ > 1'000'000 && condition_ < 1e6;
  double before = std::numeric_limits<double>::infinity();
  for (int round = 0; round < (cheap ? 2 : 20); ++round) {
    for (int64_t i = 0; i < n_; ++i) {  // f = b - r - A x
      Twofold sum = (b.empty() ? Twofold{} : b[i]) + -r[i];
      const Twofold* row = a_.data() + i * d_;
      if (round > 0)
        for (int64_t j = 0; j < d_; ++j) sum = sum + -(row[j] * x[j]);
      f[i] = sum.high + sum.low;
    }
    std::vector<Twofold> g(x.size());  // c - A^T r
    if (!c.empty()) g = c;
    if (round > 0)
      for (int64_t i = 0; i < n_; ++i)
        for (int64_t j = 0; j < d_; ++j) g[j] = g[j] + -(a_[i * d_ + j] * r[i]);
    for (int64_t j = 0; j < d_; ++j) {  // R^T h = g
      double sum = g[j].high + g[j].low;
      for (int64_t k = 0; k < j; ++k) sum -= r_[k * d_ + j] * h[k];
      h[j] = sum / r_[j * d_ + j];
    }
    std::vector<double> along(x.size());  // Q^T f - h
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j < d_; ++j) along[j] += q_[i * d_ + j] * f[i];
    for (int64_t j = 0; j < d_; ++j) along[j] -= h[j];
    for (int64_t i = 0; i < n_; ++i) {
      double sum = f[i];
      for (int64_t j = 0; j < d_; ++j) sum -= q_[i * d_ + j] * along[j];
      r[i] = r[i] + Twofold{sum};
    }
    double moved = 0, size = 0;
    for (int64_t j = d_ - 1; j >= 0; --j) {  // R step = Q^T f - h
      double sum = along[j];
      for (int64_t k = j + 1; k < d_; ++k) sum -= r_[j * d_ + k] * step[k];
      step[j] = sum / r_[j * d_ + j];
      x[j] = x[j] + Twofold{step[j]};
      moved = std::max(moved, std::abs(step[j]));
      size = std::max(size, std::abs(x[j].high));
    }
    if (!std::isfinite(moved) || moved <= 1e-22 * size || moved > 0.5 * before) break;
    before = moved;
  }
}

LeastSquares::Solution LeastSquares::solve(const std::vector<Twofold>& b) const {
  std::vector<Twofold> x, r;
  refine(b, {}, x, r);
  Solution s;
  for (int64_t j = 0; j < d_; ++j) s.x.push_back((x[j].high + x[j].low) / scale_[j]);
  Twofold squares;
  for (const Twofold& one : r) {
    s.residual.push_back(one.high + one.low);
    squares = squares + one * one;
  }
  s.squares = squares.high + squares.low;
  return s;
}

std::vector<double> LeastSquares::inverse_gram() const {
  std::vector<double> inverse(static_cast<size_t>(d_ * d_));
  if (condition_ < 1e5) {  // R^-1 R^-T has digits enough
    const Tensor r = from_vector(r_, {d_, d_});
    const Tensor root = linalg::solve_triangular(r, eye(d_, kF64), {.upper = true});
    inverse = matmul(root, transpose(root)).to_vector<double>();
  } else {
    for (int64_t k = 0; k < d_; ++k) {  // A^T r = -e_k and r = -A x
      std::vector<Twofold> c(static_cast<size_t>(d_)), x, r;
      c[k].high = -1;
      refine({}, c, x, r);
      for (int64_t j = 0; j < d_; ++j) inverse[j * d_ + k] = x[j].high + x[j].low;
    }
  }
  for (int64_t j = 0; j < d_; ++j)
    for (int64_t k = 0; k < d_; ++k) inverse[j * d_ + k] /= scale_[j] * scale_[k];
  return inverse;
}

}  // namespace glia::classic
