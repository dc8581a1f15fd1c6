// Rows of numbers as the inner loops of factor models take them: filled up with zeros to whole
// vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/simd.h"

namespace glia::recommend {

using simd::store;
using F32 = simd::Vector<float>;
using F64 = simd::Vector<double>;

template <class T>
inline int64_t filled_up(int64_t width) {
  constexpr int64_t kLanes = simd::kLanes<T>;
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

// Operands anywhere in memory; only within what simd::at_level runs.
typedef F64 StoredF64 __attribute__((aligned(8), may_alias));
typedef F32 StoredF32 __attribute__((aligned(4), may_alias));
GLIA_ALWAYS_INLINE const StoredF64& load(const double* from) {
  return *reinterpret_cast<const StoredF64*>(from);
}
GLIA_ALWAYS_INLINE const StoredF32& load(const float* from) {
  return *reinterpret_cast<const StoredF32*>(from);
}

// Sum of a[i] b[i] over whole vectors.
template <class T>
GLIA_ALWAYS_INLINE T dot(const T* a, const T* b, int64_t n) {
  using V = simd::Vector<T>;
  constexpr int64_t kLanes = simd::kLanes<T>;
  V s0 = {}, s1 = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + kLanes) * load(b + i + kLanes);
  }
  for (; i < n; i += kLanes) s0 += load(a + i) * load(b + i);
  s0 += s1;
  return simd::sum_of_lanes(s0);
}
// to += factor x
template <class T>
GLIA_ALWAYS_INLINE void add(T* to, T factor, const T* x, int64_t n) {
  constexpr int64_t kLanes = simd::kLanes<T>;
  for (int64_t i = 0; i < n; i += kLanes) store(load(to + i) + factor * load(x + i), to + i);
}
// to = factor to + x
template <class T>
GLIA_ALWAYS_INLINE void scale_add(T* to, T factor, const T* x, int64_t n) {
  constexpr int64_t kLanes = simd::kLanes<T>;
  for (int64_t i = 0; i < n; i += kLanes) store(factor * load(to + i) + load(x + i), to + i);
}

}  // namespace glia::recommend
