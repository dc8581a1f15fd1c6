// Sums over arrays, as they are compiled for the instruction set in use; and those that are written
// out within a loop of one's own.
#pragma once

#include "glia/simd.h"

namespace glia::classic::simd {

using namespace glia::simd;
using F32 = Vector<float>;
using F64 = Vector<double>;
using I32 = Vector<int32_t>;
inline constexpr int64_t kDoubles = kLanes<double>;

// Of a[i] b[i].
GLIA_ALWAYS_INLINE double dot_of(const double* a, const double* b, int64_t n) {
  F64 sums[4] = {}, x, y;
  int64_t i = 0;
  for (; i + 4 * kDoubles <= n; i += 4 * kDoubles)
    for (int k = 0; k < 4; ++k) {
      load(x, a + i + k * kDoubles);
      load(y, b + i + k * kDoubles);
      sums[k] += x * y;
    }
  for (; i + kDoubles <= n; i += kDoubles) {
    load(x, a + i);
    load(y, b + i);
    sums[0] += x * y;
  }
  double sum = sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
// to[i] += factor x[i].
GLIA_ALWAYS_INLINE void add_to(double* to, double factor, const double* x, int64_t n) {
  F64 t, v;
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    load(t, to + i);
    load(v, x + i);
    store(t + factor * v, to + i);
  }
  for (; i < n; ++i) to[i] += factor * x[i];
}

double dot(const double* a, const double* b, int64_t n);
void add(double* to, double factor, const double* x, int64_t n);
void add(double* to, double factor, const float* x, int64_t n);
// Sum of (a[i] - b[i])^2, in f64.
double squared_distance(const double* a, const double* b, int64_t n);
double squared_distance(const float* a, const float* b, int64_t n);
double city_distance(const double* a, const double* b, int64_t n);  // sum of |a[i] - b[i]|

}  // namespace glia::classic::simd
