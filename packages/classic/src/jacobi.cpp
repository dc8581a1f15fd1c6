#include "jacobi.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glia::classic {

Eigen symmetric_eigen(std::vector<double> a, int64_t n) {
  std::vector<double> v(static_cast<size_t>(n * n), 0);
  for (int64_t i = 0; i < n; ++i) v[i * n + i] = 1;
  constexpr int kMostSweeps = 60;  // it takes about ten
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool rotated = false;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        const double app = a[p * n + p], aqq = a[q * n + q], apq = a[p * n + q];
        // What changes no digit of either is zero.
        if (std::abs(app) + std::abs(apq) == std::abs(app) &&
            std::abs(aqq) + std::abs(apq) == std::abs(aqq))
          continue;
        rotated = true;
        const double theta = (aqq - app) / (2 * apq);
        const double t = std::copysign(1, theta) / (std::abs(theta) + std::hypot(1, theta));
        const double c = 1 / std::hypot(1, t), s = t * c;
        for (int64_t i = 0; i < n; ++i) {  // rows p and q
          const double x = a[p * n + i], y = a[q * n + i];
          a[p * n + i] = c * x - s * y;
          a[q * n + i] = s * x + c * y;
          const double vx = v[p * n + i], vy = v[q * n + i];
          v[p * n + i] = c * vx - s * vy;
          v[q * n + i] = s * vx + c * vy;
        }
        for (int64_t i = 0; i < n; ++i) {  // columns p and q
          const double x = a[i * n + p], y = a[i * n + q];
          a[i * n + p] = c * x - s * y;
          a[i * n + q] = s * x + c * y;
        }
        a[p * n + q] = a[q * n + p] = 0;
      }
    }
    if (!rotated) break;
  }

  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return a[i * n + i] > a[j * n + j]; });
  Eigen result;
  for (int64_t i : order) {
    result.values.push_back(a[i * n + i]);
    result.vectors.insert(result.vectors.end(), v.begin() + i * n, v.begin() + (i + 1) * n);
  }
  return result;
}

}  // namespace glia::classic
