// Sequential minimal optimisation, and the kernels that it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "glia/classic/svm.h"

namespace glia::classic {

// Rows of the kernel matrix of samples, computed when they are asked for; the newest are kept.
class KernelRows {
 public:
  // X (n, features) f64, or (n, n) where the kernel is given.
  KernelRows(const Tensor& x, const KernelOptions& options, double gamma);

  int64_t size() const { return n_; }
  // K(i, j) of all j. Valid until two other rows have been asked for.
  std::span<const double> row(int64_t i);
  double diagonal(int64_t i) const { return diagonal_[i]; }

 private:
  Tensor x_, across_, squares_;
  KernelOptions options_;
  double gamma_;
  int64_t n_, most_;
  std::vector<double> diagonal_;
  std::list<std::pair<int64_t, std::vector<double>>> rows_;  // the newest first
  std::unordered_map<int64_t, decltype(rows_)::iterator> at_;
};

// K of rows of a and b, (rows of a, rows of b) f64.
Tensor kernel_matrix(const Tensor& a, const Tensor& b, const KernelOptions& options, double gamma);
// 1 / (features * variance), or what the option says.
double gamma_of(const Tensor& x, const KernelOptions& options);
void check_kernel(const char* name, const KernelOptions& options, Where where);
std::vector<Param> kernel_params(KernelOptions& options);

// min 1/2 a^T Q a + p^T a over 0 <= a <= c with sum of y a kept, where Q_ij = y_i y_j K(i mod n,
// j mod n).
struct SmoProblem {
  std::vector<double> p, c;
  std::vector<double> y;      // 1 or -1
  std::vector<double> alpha;  // where to begin
};
struct SmoResult {
  std::vector<double> alpha;
  double rho = 0;
  int64_t n_iter = 0;
};
SmoResult smo(KernelRows& kernel, SmoProblem problem, double tol, int64_t max_iter);

}  // namespace glia::classic
