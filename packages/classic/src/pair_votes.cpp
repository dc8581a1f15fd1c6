#include "pair_votes.h"

#include <cmath>
#include <vector>

#include "glia/ops.h"

namespace glia::classic {

Tensor pair_votes(const Tensor& second, const Tensor& confidence, int64_t k) {
  const int64_t n = confidence.size(0), pairs = k * (k - 1) / 2;
  const auto guess = cast(second, kI64).to_vector<int64_t>();
  const auto sure = cast(confidence, kF64).to_vector<double>();
  std::vector<double> votes(static_cast<size_t>(n * k));
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> sums(static_cast<size_t>(k));
    int64_t at = i * pairs;
    for (int64_t a = 0; a < k; ++a)
      for (int64_t b = a + 1; b < k; ++b, ++at) {
        sums[a] -= sure[at];
        sums[b] += sure[at];
        votes[i * k + (guess[at] != 0 ? b : a)] += 1;
      }
    for (int64_t c = 0; c < k; ++c) votes[i * k + c] += sums[c] / (3 * (std::abs(sums[c]) + 1));
  }
  return from_vector(votes, {n, k});
}

}  // namespace glia::classic
