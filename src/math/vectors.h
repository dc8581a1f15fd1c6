// Vectors of host numbers, which iterative methods move.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "math/dense.h"

namespace glia {

using Vector = std::vector<double>;

// Four sums side by side, so that additions need not wait for each other.
inline double dot(const Vector& a, const Vector& b) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= a.size(); i += 4) {
    for (size_t k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < a.size(); ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
// Without overflow of squares.
inline double length(const Vector& a) {
  double most = 0;
  for (double v : a) most = std::max(most, std::abs(v));
  if (!(most > 1e-140 && most < 1e140)) {
    if (most == 0 || !std::isfinite(most)) return most;
    double sum = 0;
    for (double v : a) sum += (v / most) * (v / most);
    return most * std::sqrt(sum);
  }
  return std::sqrt(dot(a, a));
}
// The largest |a[i]|; NaN if there is one.
inline double largest(const Vector& a) {
  double most = 0;
  for (double v : a) most = std::abs(v) <= most ? most : std::abs(v);
  return most;
}
inline bool all_finite(const Vector& a) {
  return std::all_of(a.begin(), a.end(), [](double v) { return std::isfinite(v); });
}
// a + t b.
inline Vector moved(const Vector& a, double t, const Vector& b) {
  Vector out(a);
  for (size_t i = 0; i < a.size(); ++i) out[i] += t * b[i];
  return out;
}
inline Vector difference(const Vector& a, const Vector& b) { return moved(a, -1, b); }
inline Vector times(double t, const Vector& a) {
  Vector out(a);
  for (double& v : out) v *= t;
  return out;
}

// A matrix that owns its numbers, column-major as dense::Matrix.
struct HostMatrix {
  int64_t rows = 0, cols = 0;
  Vector at;

  HostMatrix() = default;
  HostMatrix(int64_t m, int64_t n) : rows(m), cols(n), at(static_cast<size_t>(m * n)) {}
  double& operator()(int64_t i, int64_t j) { return at[static_cast<size_t>(i + j * rows)]; }
  double operator()(int64_t i, int64_t j) const { return at[static_cast<size_t>(i + j * rows)]; }
  dense::Matrix<double> view() { return {at.data(), rows, cols}; }
  dense::Matrix<const double> view() const { return {at.data(), rows, cols}; }
};
inline HostMatrix identity(int64_t n) {
  HostMatrix out(n, n);
  for (int64_t i = 0; i < n; ++i) out(i, i) = 1;
  return out;
}
inline Vector operator*(const HostMatrix& a, const Vector& x) {
  Vector out(static_cast<size_t>(a.rows));
  for (int64_t j = 0; j < a.cols; ++j) {
    for (int64_t i = 0; i < a.rows; ++i) out[i] += a(i, j) * x[j];
  }
  return out;
}
inline Vector transposed_times(const HostMatrix& a, const Vector& x) {
  Vector out(static_cast<size_t>(a.cols));
  for (int64_t j = 0; j < a.cols; ++j) {
    for (int64_t i = 0; i < a.rows; ++i) out[j] += a(i, j) * x[i];
  }
  return out;
}
// The factors P L U of a square matrix.
class LuFactors {
 public:
  explicit LuFactors(HostMatrix a) : lu_(std::move(a)), pivots_(static_cast<size_t>(lu_.rows)) {
    singular_ = dense::factor_lu(lu_.view(), pivots_.data()) != 0;
  }
  bool singular() const { return singular_; }
  Vector solve(Vector b) const {
    dense::solve_lu<double>(lu_.view(), pivots_.data(),
                            dense::Matrix<double>(b.data(), lu_.rows, 1));
    return b;
  }

 private:
  HostMatrix lu_;
  std::vector<int> pivots_;
  bool singular_ = false;
};

}  // namespace glia
