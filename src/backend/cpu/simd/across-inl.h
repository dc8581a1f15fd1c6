// Work across lanes: transposes and sums of floats. Included once for each instruction set.
#if defined(GLIA_ACROSS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GLIA_ACROSS_INL_H
#undef GLIA_ACROSS_INL_H
#else
#define GLIA_ACROSS_INL_H
#endif

#include <cstdint>

#include "backend/cpu/simd/lane-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Stores block `kBlock` of 16 bytes.
template <int kBlock, class D, class T>
HWY_INLINE void store_block(hn::Vec<D> v, D d, T* to) {
  if constexpr (hn::MaxLanes(d) * sizeof(T) == 16) {
    hn::StoreU(v, d, to);
  } else {
    constexpr int kHalf = hn::MaxLanes(d) * sizeof(T) / 32;
    const hn::Half<D> half;
    if constexpr (kBlock < kHalf) {
      store_block<kBlock>(hn::LowerHalf(half, v), half, to);
    } else {
      store_block<kBlock - kHalf>(hn::UpperHalf(half, v), half, to);
    }
  }
}

// As many rows as a vector of `d` has lanes. In each block of 16 bytes, as many rows as it has
// lanes become columns.
template <class D, class T>
HWY_INLINE void transpose_rows(D d, T* out, int64_t out_row, const T* in, int64_t in_row,
                               int64_t columns) {
  constexpr int64_t kCount = hn::MaxLanes(D()), kBlock = 16 / sizeof(T);
  int64_t c = 0;
  for (; c + kBlock <= columns; c += kBlock) {
    const T* const from = in + c * in_row;
    T* const to = out + c;
    if constexpr (kBlock == 2) {
      const auto v0 = hn::LoadU(d, from), v1 = hn::LoadU(d, from + in_row);
      const auto t0 = hn::InterleaveLower(d, v0, v1), t1 = hn::InterleaveUpper(d, v0, v1);
      repeat<kCount / 2>([&](auto i) HWY_ATTR {
        store_block<i>(t0, d, to + (2 * i) * out_row);
        store_block<i>(t1, d, to + (2 * i + 1) * out_row);
      });
    } else {
      const auto v0 = hn::LoadU(d, from), v1 = hn::LoadU(d, from + in_row),
                 v2 = hn::LoadU(d, from + 2 * in_row), v3 = hn::LoadU(d, from + 3 * in_row);
      const auto low02 = hn::InterleaveLower(d, v0, v2), low13 = hn::InterleaveLower(d, v1, v3);
      const auto high02 = hn::InterleaveUpper(d, v0, v2), high13 = hn::InterleaveUpper(d, v1, v3);
      const auto t0 = hn::InterleaveLower(d, low02, low13);
      const auto t1 = hn::InterleaveUpper(d, low02, low13);
      const auto t2 = hn::InterleaveLower(d, high02, high13);
      const auto t3 = hn::InterleaveUpper(d, high02, high13);
      repeat<kCount / 4>([&](auto i) HWY_ATTR {
        store_block<i>(t0, d, to + (4 * i) * out_row);
        store_block<i>(t1, d, to + (4 * i + 1) * out_row);
        store_block<i>(t2, d, to + (4 * i + 2) * out_row);
        store_block<i>(t3, d, to + (4 * i + 3) * out_row);
      });
    }
  }
  for (; c < columns; ++c) {
    for (int64_t r = 0; r < kCount; ++r) out[r * out_row + c] = in[c * in_row + r];
  }
}

// The sum of a vector's blocks of four lanes.
template <class D>
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> sum_of_blocks(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

#endif

// The sum of all lanes.
template <class V>
HWY_INLINE auto sum_of(V x) {
#if HWY_TARGET == HWY_SCALAR
  return x.v;
#else
  using T = typename V::Element;
  return hn::GetLane(hn::SumOfLanes(hn::ScalableTag<T>(), x.v));
#endif
}

// to[i] = the sum of all lanes of x[i], for four vectors at once.
HWY_INLINE void sums_of_four(const Lane<float>* x, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 4; ++i) to[i] = x[i].v;
#else
  const hn::ScalableTag<float> d;
  const hn::Repartition<double, decltype(d)> pairs;
  const auto fold = [&](hn::Vec<decltype(d)> a, hn::Vec<decltype(d)> b) HWY_ATTR {
    return hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
  };
  const auto ab = fold(x[0].v, x[1].v), cd = fold(x[2].v, x[3].v);
  const auto sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab, cd)),
                            hn::BitCast(d, hn::InterleaveUpper(pairs, ab, cd)));
  hn::StoreU(sum_of_blocks(d, sums), hn::FixedTag<float, 4>(), to);
#endif
}

// out[r * out_row + c] = in[c * in_row + r] for r < rows, c < columns.
template <class T>
void transpose(T* out, int64_t out_row, const T* in, int64_t in_row, int64_t rows,
               int64_t columns) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<T>()), kFew = 16 / sizeof(T);
  for (; r + kLanes <= rows; r += kLanes) {
    transpose_rows(hn::ScalableTag<T>(), out + r * out_row, out_row, in + r, in_row, columns);
  }
  for (; r + kFew <= rows; r += kFew) {
    transpose_rows(hn::FixedTag<T, kFew>(), out + r * out_row, out_row, in + r, in_row, columns);
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[r * out_row + c] = in[c * in_row + r];
  }
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
