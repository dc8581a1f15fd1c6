// Coordinate descent for the elastic net.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/classic/linear_penalised.h"

namespace glia::classic {

// |y - X w|^2 / 2 + l1 |w|_1 + l2 |w|^2 / 2 for one y and any penalties.
class CoordinateDescent {
 public:
  // Columns of X (features, samples), or with `precompute` only their products are kept.
  CoordinateDescent(const Tensor& x, const Tensor& y, bool precompute);

  struct Options {
    double l1 = 0, l2 = 0;
    int64_t max_iter = 1000;
    double tol = 1e-4;
    bool positive = false;
    bool random = false;
    uint64_t random_state = 0;
    // By X^T X, what is not zero comes to rest before the others are looked at again: less work, by
    // another way to the same end.
    bool settle = false;
  };
  struct Result {
    double gap = 0;  // at most tol |y|^2, unless the iterations were too few
    int64_t n_iter = 0;
  };
  // Begins at w (features) and leaves the best ones there.
  Result run(const Options& options, std::vector<double>& w) const;

  // X^T y.
  const std::vector<double>& moments() const { return moments_; }

 private:
  class State;

  int64_t n_, d_;
  std::vector<double> columns_;  // (features, samples); empty if precomputed
  Tensor products_;              // (features, features) if precomputed
  const double* gram_ = nullptr;
  std::vector<double> y_, moments_, norms_;
  double squares_ = 0;  // |y|^2
};

}  // namespace glia::classic
