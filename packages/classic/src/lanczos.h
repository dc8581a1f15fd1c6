// Some eigenvectors of a large symmetric matrix that is known by its products.
#pragma once

#include <cstdint>
#include <functional>

#include "glia/tensor.h"

namespace glia::classic {

// y = A x, both of n numbers.
using Product = std::function<void(const double* x, double* y)>;

struct Eigen {
  Tensor values;   // (k) f64, falling
  Tensor vectors;  // (n, k), in columns of length 1
};
struct LanczosOptions {
  double tol = 0;  // of residuals, as a part of the eigenvalue; 0: as far as f64 goes
  int64_t max_restarts = 10000;
  uint64_t seed = 0;  // of the vector to begin with
};
// The k largest eigenvalues of a symmetric matrix (n, n), k <= n: Lanczos' method with thick
// restarts (Wu & Simon 2000), each vector made orthogonal to all others. Eigenvalues that are equal
// are found as often as they are there. What has not converged after the last restart is given as
// near as it came.
Eigen largest_eigen(int64_t n, int64_t k, const Product& product,
                    const LanczosOptions& options = {});
// By a dense matrix (n, n) f64: LAPACK where k is not small beside n, else by its products.
Eigen largest_eigen(const Tensor& matrix, int64_t k, const LanczosOptions& options = {});
// The k least ones, rising, of a dense matrix with none below 0: LAPACK, or the largest of the
// inverse.
Eigen least_eigen(const Tensor& matrix, int64_t k, const LanczosOptions& options = {});

}  // namespace glia::classic
