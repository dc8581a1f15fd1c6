// Rows of numbers as the inner loops of factor models take them: filled up with zeros to whole
// vectors, for which the compiler makes code for several instruction sets.
#pragma once

#include <cstdint>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GLIA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GLIA_CLONES
#endif
#define GLIA_INLINE inline __attribute__((always_inline))

namespace glia::recommend {

// 64 bytes anywhere in memory; only within functions of GLIA_CLONES.
typedef double F64 __attribute__((vector_size(64), aligned(8), may_alias));
typedef float F32 __attribute__((vector_size(64), aligned(4), may_alias));

template <class T>
struct VectorOf;
template <>
struct VectorOf<double> {
  using type = F64;
};
template <>
struct VectorOf<float> {
  using type = F32;
};

template <class T>
inline int64_t filled_up(int64_t width) {
  constexpr int64_t kLanes = 64 / sizeof(T);
  return (width + kLanes - 1) / kLanes * kLanes;
}

// Rows of `width` numbers, each filled up with zeros.
template <class T>
class Rows {
 public:
  Rows(int64_t count, int64_t width)
      : width_(width),
        stride_(filled_up<T>(width)),
        values_(static_cast<size_t>(count * stride_)) {}
  Rows(const std::vector<T>& packed, int64_t width)
      : Rows(width > 0 ? static_cast<int64_t>(packed.size()) / width : 0, width) {
    for (size_t i = 0; i < packed.size(); ++i)
      (*this)[static_cast<int64_t>(i) / width][static_cast<int64_t>(i) % width] = packed[i];
  }
  T* operator[](int64_t i) { return values_.data() + i * stride_; }
  const T* operator[](int64_t i) const { return values_.data() + i * stride_; }
  int64_t stride() const { return stride_; }
  std::vector<T> packed() const {
    std::vector<T> out;
    if (stride_ == 0) return out;
    const auto count = static_cast<int64_t>(values_.size()) / stride_;
    out.reserve(static_cast<size_t>(count * width_));
    for (int64_t i = 0; i < count; ++i) out.insert(out.end(), (*this)[i], (*this)[i] + width_);
    return out;
  }

 private:
  int64_t width_, stride_;
  std::vector<T> values_;
};

GLIA_INLINE const F64& load(const double* from) { return *reinterpret_cast<const F64*>(from); }
GLIA_INLINE const F32& load(const float* from) { return *reinterpret_cast<const F32*>(from); }
GLIA_INLINE void store(const F64& v, double* to) { *reinterpret_cast<F64*>(to) = v; }
GLIA_INLINE void store(const F32& v, float* to) { *reinterpret_cast<F32*>(to) = v; }

// The sum of all lanes, by halves.
GLIA_INLINE double lane_sum(const F64& v) {
  typedef double Half __attribute__((vector_size(32)));
  const Half h =
      __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  return (h[0] + h[2]) + (h[1] + h[3]);
}
GLIA_INLINE float lane_sum(const F32& v) {
  typedef float Half __attribute__((vector_size(32)));
  typedef float Quarter __attribute__((vector_size(16)));
  const Half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                 __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const Quarter q =
      __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
  return (q[0] + q[2]) + (q[1] + q[3]);
}

// Sum of a[i] b[i] over whole vectors.
template <class T>
GLIA_INLINE T dot(const T* a, const T* b, int64_t n) {
  using V = typename VectorOf<T>::type;
  constexpr int64_t kLanes = 64 / sizeof(T);
  V s0 = {}, s1 = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + kLanes) * load(b + i + kLanes);
  }
  for (; i < n; i += kLanes) s0 += load(a + i) * load(b + i);
  s0 += s1;
  return lane_sum(s0);
}
// to += factor x
template <class T>
GLIA_INLINE void add(T* to, T factor, const T* x, int64_t n) {
  constexpr int64_t kLanes = 64 / sizeof(T);
  for (int64_t i = 0; i < n; i += kLanes) store(load(to + i) + factor * load(x + i), to + i);
}
// to = factor to + x
template <class T>
GLIA_INLINE void scale_add(T* to, T factor, const T* x, int64_t n) {
  constexpr int64_t kLanes = 64 / sizeof(T);
  for (int64_t i = 0; i < n; i += kLanes) store(factor * load(to + i) + load(x + i), to + i);
}

}  // namespace glia::recommend
