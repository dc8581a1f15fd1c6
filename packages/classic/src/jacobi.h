// Eigenvalues and eigenvectors of a symmetric matrix.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::classic {

struct Eigen {
  std::vector<double> values;   // the largest first
  std::vector<double> vectors;  // (n, n), one a row
};
// Of `a` (n, n), by Jacobi's rotations (Golub & Van Loan, 8.5).
Eigen symmetric_eigen(std::vector<double> a, int64_t n);

}  // namespace glia::classic
