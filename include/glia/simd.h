// Loops over vectors of the compiler, compiled for each instruction set that cpu_level() may name,
// of which the one in use runs: docs/adding-an-op.md. On processors other than x86-64 there is one.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "glia/runtime.h"

// Before a function, and behind the parameters of a lambda, of what runs within simd::at_level:
// only what is written out in it is compiled for its set.
#define GLIA_ALWAYS_INLINE inline GLIA_INLINED
#define GLIA_INLINED __attribute__((always_inline))

namespace glia::simd {

// ---- Levels -------------------------------------------------------------------------------------

enum class Level { kBaseline, kAvx2, kAvx512 };
// That of cpu_level(), which GLIA_CPU caps. Throws Error if GLIA_CPU is no level.
inline Level level() {
  const std::string name = cpu_level();
  return name == "avx512" ? Level::kAvx512 : name == "avx2" ? Level::kAvx2 : Level::kBaseline;
}

// A function of GLIA_ALWAYS_INLINE as it is compiled for the level in use, which its first call
// finds out. By references and pointers alone go vectors in and out: how they are passed by value
// depends on the instruction set.
template <auto F>
class AtLevel;
template <class R, class... A, R (*F)(A...)>
class AtLevel<F> {
 public:
#if defined(__x86_64__)
  R operator()(A... a) const {
    return __atomic_load_n(&in_use_, __ATOMIC_RELAXED)(std::forward<A>(a)...);
  }

 private:
  static R baseline(A... a) { return F(std::forward<A>(a)...); }
  // Tuned so, GCC copies a vector in two pieces, as it is made and read; in four otherwise, which
  // wait for each other: up to five times as slow.
  __attribute__((target("avx2,fma,bmi,bmi2,lzcnt,f16c,tune=icelake-server"))) static R avx2(
      A... a) {
    return F(std::forward<A>(a)...);
  }
  __attribute__((
      target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma,bmi,bmi2,lzcnt,f16c"))) static R
  avx512(A... a) {
    return F(std::forward<A>(a)...);
  }
  static R first_call(A... a) {
    const Level at = level();
    R (*const found)(A...) = at == Level::kAvx512 ? avx512 : at == Level::kAvx2 ? avx2 : baseline;
    __atomic_store_n(&in_use_, found, __ATOMIC_RELAXED);
    return found(std::forward<A>(a)...);
  }
  static inline R (*in_use_)(A...) = first_call;
#else
  R operator()(A... a) const { return F(std::forward<A>(a)...); }
#endif
};
// at_level<F>(a...) is F(a...).
template <auto F>
inline constexpr AtLevel<F> at_level{};

// ---- Vectors ------------------------------------------------------------------------------------

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(64)));
};
// 64 bytes: one register of AVX-512, several of others. T is a number; comparing makes vectors of
// whole numbers of its size.
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr int64_t kLanes = 64 / sizeof(T);

// From and to anywhere in memory; V may also be a number.
template <class V, class T>
GLIA_ALWAYS_INLINE void load(V& v, const T* from) {
  std::memcpy(&v, from, sizeof(V));
}
template <class V, class T>
GLIA_ALWAYS_INLINE void store(const V& v, T* to) {
  std::memcpy(to, &v, sizeof(V));
}

// The sum of the lanes of any vector, by halves: the order is fixed.
template <class V>
GLIA_ALWAYS_INLINE auto sum_of_lanes(const V& v) {
  using T = std::remove_cvref_t<decltype(v[0])>;
  constexpr int kHalf = sizeof(V) / sizeof(T) / 2;
  if constexpr (kHalf == 1) {
    return T(v[0] + v[1]);
  } else if constexpr (kHalf == 2) {
    return T((v[0] + v[2]) + (v[1] + v[3]));
  } else {
    typedef T Half __attribute__((vector_size(kHalf * sizeof(T))));
    return [&]<int... I>(std::integer_sequence<int, I...>) GLIA_INLINED {
      const Half half =
          __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (kHalf + I)...);
      return sum_of_lanes(half);
    }
    (std::make_integer_sequence<int, kHalf>{});
  }
}

}  // namespace glia::simd
