// Loops over vectors, compiled for several instruction sets of which the one in use runs.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#define GLIA_INLINE inline __attribute__((always_inline))

namespace glia::classic::simd {

// 64 bytes: one register of AVX-512, several of others. Only within functions of GLIA_INLINE.
typedef float F32 __attribute__((vector_size(64)));
typedef double F64 __attribute__((vector_size(64)));
typedef int32_t I32 __attribute__((vector_size(64)));
inline constexpr int64_t kF32 = 16, kF64 = 8;  // lanes

template <class V, class T>
GLIA_INLINE void load(V& v, const T* from) {
  std::memcpy(&v, from, sizeof(V));
}
template <class V, class T>
GLIA_INLINE void store(const V& v, T* to) {
  std::memcpy(to, &v, sizeof(V));
}
// Lanes by halves, so that the order of the sum is fixed.
template <class V>
GLIA_INLINE auto total(const V& v) {
  using T = std::remove_cvref_t<decltype(v[0])>;
  if constexpr (sizeof(V) == 2 * sizeof(T)) {
    return T(v[0] + v[1]);
  } else {
    typedef T Half __attribute__((vector_size(sizeof(V) / 2)));
    Half low, high;
    std::memcpy(&low, &v, sizeof(Half));
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof(Half), sizeof(Half));
    low += high;
    return total(low);
  }
}

// ---- Levels -------------------------------------------------------------------------------------

enum class Level { kBaseline, kAvx2, kAvx512 };
Level level();  // that of cpu_level(), which GLIA_CPU caps

#if defined(__x86_64__)
template <auto F, class... A>
__attribute__((target("avx2,fma,bmi,bmi2,lzcnt,f16c"))) auto for_avx2(A... a) {
  return F(a...);
}
template <auto F, class... A>
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma,bmi,bmi2,lzcnt,f16c"))) auto
for_avx512(A... a) {
  return F(a...);
}
#endif
// F(a...), F a function of GLIA_INLINE, as it is compiled for the level in use.
template <auto F, class... A>
auto at_level(A... a) {
#if defined(__x86_64__)
  static const auto run = [] {
    auto* by = for_avx2<F, A...>;
    if (level() == Level::kAvx512) by = for_avx512<F, A...>;
    return level() == Level::kBaseline ? nullptr : by;
  }();
  if (run) return run(a...);
#endif
  return F(a...);
}

// ---- Sums ---------------------------------------------------------------------------------------

// Of a[i] b[i].
GLIA_INLINE double dot_of(const double* a, const double* b, int64_t n) {
  F64 sums[4] = {}, x, y;
  int64_t i = 0;
  for (; i + 4 * kF64 <= n; i += 4 * kF64)
    for (int k = 0; k < 4; ++k) {
      load(x, a + i + k * kF64);
      load(y, b + i + k * kF64);
      sums[k] += x * y;
    }
  for (; i + kF64 <= n; i += kF64) {
    load(x, a + i);
    load(y, b + i);
    sums[0] += x * y;
  }
  double sum = total((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
// to[i] += factor x[i].
GLIA_INLINE void add_to(double* to, double factor, const double* x, int64_t n) {
  F64 t, v;
  int64_t i = 0;
  for (; i + kF64 <= n; i += kF64) {
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
