#include "simd.h"

#include <cmath>

namespace glia::classic::simd {

typedef float Half __attribute__((vector_size(32)));

GLIA_CLONES double squared_distance(const double* a, const double* b, int64_t n) {
  F64 lanes = {};
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
    F64 x, y;
    load(x, a + i);
    load(y, b + i);
    x -= y;
    lanes += x * x;
  }
  double sum = total(lanes);
  for (; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

GLIA_CLONES double squared_distance(const float* a, const float* b, int64_t n) {
  F64 sum = {};
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
    Half x, y;
    load(x, a + i);
    load(y, b + i);
    const F64 apart = __builtin_convertvector(x, F64) - __builtin_convertvector(y, F64);
    sum += apart * apart;
  }
  double all = total(sum);
  for (; i < n; ++i) {
    const double apart = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    all += apart * apart;
  }
  return all;
}

GLIA_CLONES double city_distance(const double* a, const double* b, int64_t n) {
  F64 lanes = {};
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
    F64 x, y;
    load(x, a + i);
    load(y, b + i);
    x -= y;
    lanes += x < 0 ? -x : x;
  }
  double sum = total(lanes);
  for (; i < n; ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}

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

GLIA_CLONES void add(double* to, double factor, const float* x, int64_t n) {
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
    F64 t;
    Half v;
    load(t, to + i);
    load(v, x + i);
    store(t + factor * __builtin_convertvector(v, F64), to + i);
  }
  for (; i < n; ++i) to[i] += factor * static_cast<double>(x[i]);
}

}  // namespace glia::classic::simd
