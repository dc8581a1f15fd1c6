#include "manifold/affinities.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/parallel.h"

namespace glia::classic {
namespace {

void probabilities(const double* squares, int64_t k, double wanted, double* p) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double nearest = *std::min_element(squares, squares + k);
  double beta = 1, low = -kInfinity, high = kInfinity;
  for (int step = 0; step < 100; ++step) {
    double total = 0, mean = 0;
    for (int64_t j = 0; j < k; ++j) {
      const double away = squares[j] - nearest;
      p[j] = std::exp(-beta * away);
      total += p[j];
      mean += p[j] * away;
    }
    for (int64_t j = 0; j < k; ++j) p[j] /= total;
    const double excess = std::log(total) + beta * mean / total - wanted;
    if (std::abs(excess) <= 1e-5) return;
    if (excess > 0) {
      low = beta;
      beta = high == kInfinity ? beta * 2 : (beta + high) / 2;
    } else {
      high = beta;
      beta = low == -kInfinity ? beta / 2 : (beta + low) / 2;
    }
    if (!std::isfinite(beta)) return;
  }
}

}  // namespace

std::vector<double> neighbor_probabilities(const double* squares, int64_t rows, int64_t k,
                                           double perplexity) {
  constexpr int64_t kRows = 64;
  std::vector<double> p(static_cast<size_t>(rows * k));
  parallel_for((rows + kRows - 1) / kRows, [&](int64_t block) {
    for (int64_t i = block * kRows; i < std::min(rows, (block + 1) * kRows); ++i)
      probabilities(squares + i * k, k, std::log(perplexity), &p[i * k]);
  });
  return p;
}

}  // namespace glia::classic
