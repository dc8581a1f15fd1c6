#include "simd.h"

#include <cmath>

namespace glia::classic::simd {
namespace {

typedef float Half __attribute__((vector_size(32)));

// Numbers of either type as f64.
GLIA_ALWAYS_INLINE void widen(F64& v, const double* from) { load(v, from); }
GLIA_ALWAYS_INLINE void widen(F64& v, const float* from) {
  Half half;
  load(half, from);
  v = __builtin_convertvector(half, F64);
}

struct Square {
  GLIA_ALWAYS_INLINE static void of(F64& v) { v *= v; }
  GLIA_ALWAYS_INLINE static double of(double x) { return x * x; }
};
struct Magnitude {
  GLIA_ALWAYS_INLINE static void of(F64& v) { v = v < 0 ? -v : v; }
  GLIA_ALWAYS_INLINE static double of(double x) { return std::abs(x); }
};
// The sum of what is made of each difference.
template <class Made, class T>
GLIA_ALWAYS_INLINE double distance(const T* a, const T* b, int64_t n) {
  F64 lanes = {}, x, y;
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    widen(x, a + i);
    widen(y, b + i);
    x -= y;
    Made::of(x);
    lanes += x;
  }
  double sum = sum_of_lanes(lanes);
  for (; i < n; ++i) sum += Made::of(double{a[i]} - double{b[i]});
  return sum;
}

GLIA_ALWAYS_INLINE void add_floats(double* to, double factor, const float* x, int64_t n) {
  F64 t, v;
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    load(t, to + i);
    widen(v, x + i);
    store(t + factor * v, to + i);
  }
  for (; i < n; ++i) to[i] += factor * double{x[i]};
}

}  // namespace

double dot(const double* a, const double* b, int64_t n) { return at_level<dot_of>(a, b, n); }
void add(double* to, double factor, const double* x, int64_t n) {
  at_level<add_to>(to, factor, x, n);
}
void add(double* to, double factor, const float* x, int64_t n) {
  at_level<add_floats>(to, factor, x, n);
}
double squared_distance(const double* a, const double* b, int64_t n) {
  return at_level<distance<Square, double>>(a, b, n);
}
double squared_distance(const float* a, const float* b, int64_t n) {
  return at_level<distance<Square, float>>(a, b, n);
}
double city_distance(const double* a, const double* b, int64_t n) {
  return at_level<distance<Magnitude, double>>(a, b, n);
}

}  // namespace glia::classic::simd
