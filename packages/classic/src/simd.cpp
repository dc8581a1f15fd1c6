#include "simd.h"

namespace glia::classic::simd {

GLIA_CLONES double dot(const double* a, const double* b, int64_t n) {
  F64 sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * kF64 <= n; i += 4 * kF64)
    for (int k = 0; k < 4; ++k) {
      F64 x, y;
      load(x, a + i + k * kF64);
      load(y, b + i + k * kF64);
      sums[k] += x * y;
    }
  for (; i + kF64 <= n; i += kF64) {
    F64 x, y;
    load(x, a + i);
    load(y, b + i);
    sums[0] += x * y;
  }
  double sum = total((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

GLIA_CLONES void add(double* to, double factor, const double* x, int64_t n) {
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
    F64 t, v;
    load(t, to + i);
    load(v, x + i);
    store(t + factor * v, to + i);
  }
  for (; i < n; ++i) to[i] += factor * x[i];
}

}  // namespace glia::classic::simd
