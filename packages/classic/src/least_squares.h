// Least squares whose residuals are computed in twice the precision.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::classic {

// A number as the sum of two (Dekel 1971): about 32 digits.
struct Twofold {
  double high = 0, low = 0;
};
Twofold operator+(Twofold a, Twofold b);
Twofold operator-(Twofold a);
Twofold operator*(Twofold a, Twofold b);
Twofold quotient(Twofold a, double b);

// A x = b for A (n, d) of full rank, by QR and iterative refinement of the augmented system
// (Bjorck 1967): as long as the condition times 1e-16 is below one, x and the residuals are right
// to the last digits.
class LeastSquares {
 public:
  // Rows in order.
  LeastSquares(std::vector<Twofold> a, int64_t n, int64_t d);

  // Of columns scaled to about length 1.
  double condition() const { return condition_; }
  bool full_rank() const { return full_rank_; }

  struct Solution {
    std::vector<double> x;         // (d)
    std::vector<double> residual;  // (n) b - A x
    double squares = 0;            // the sum of residual^2
  };
  // Of full rank.
  Solution solve(const std::vector<Twofold>& b) const;
  // (A^T A)^-1, (d, d).
  std::vector<double> inverse_gram() const;

 private:
  // r + A x = b, A^T r = c; `b` and `c` may be empty for zeros.
  void refine(const std::vector<Twofold>& b, const std::vector<Twofold>& c, std::vector<Twofold>& x,
              std::vector<Twofold>& r) const;

  std::vector<Twofold> a_;
  int64_t n_, d_;
  std::vector<double> scale_;  // powers of 2 by which columns were divided
  std::vector<double> q_, r_;  // (n, d), (d, d)
  double condition_ = 1;
  bool full_rank_ = true;
};

}  // namespace glia::classic
