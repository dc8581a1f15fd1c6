// Loops over vectors for which the compiler makes code for several instruction sets; the program
// takes the best one when it starts.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GLIA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GLIA_CLONES
#endif
#define GLIA_INLINE inline __attribute__((always_inline))

namespace glia::classic::simd {

// 64 bytes: one register of AVX-512, several of others. Only within functions of GLIA_CLONES.
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
  constexpr int kLanes = sizeof(V) / sizeof(v[0]);
  std::remove_cvref_t<decltype(v[0])> lanes[kLanes];
  store(v, lanes);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// Sum of (a[i] - b[i])^2, in f64.
double squared_distance(const double* a, const double* b, int64_t n);
double squared_distance(const float* a, const float* b, int64_t n);
double city_distance(const double* a, const double* b, int64_t n);  // sum of |a[i] - b[i]|
// Sum of a[i] b[i], and to[i] += factor x[i].
double dot(const double* a, const double* b, int64_t n);
void add(double* to, double factor, const double* x, int64_t n);
void add(double* to, double factor, const float* x, int64_t n);

}  // namespace glia::classic::simd
