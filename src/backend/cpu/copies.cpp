// Copies of views in whole vectors: rows forwards, backwards or by every second, and transposes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/copies.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "backend/cpu/copies.h"
#include "backend/cpu/simd/across-inl.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/strided.h"
#include "ops/private.h"

#ifndef GLIA_COPIES_ONCE
#define GLIA_COPIES_ONCE
namespace glia::cpu {
namespace {

// The side of a block to transpose, in elements of that size.
template <size_t kSize>
constexpr int64_t kCopyBlock = kSize == 8 ? 32 : 64;

// Of elements of one size: out[i] = in[i * stride] for i < n, where the stride is 1, -1 or 2; and
// out[r * out_row + c] = in[c * in_row + r] for r < rows, c < columns, both at most `side`.
struct CopyFunctions {
  void (*run)(void* out, const void* in, int64_t stride, int64_t n);
  void (*transpose)(void* out, int64_t out_row, const void* in, int64_t in_row, int64_t rows,
                    int64_t columns);
  int64_t side;
};

}  // namespace
}  // namespace glia::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

// ---- Rows of which every element, read backwards, or every second is copied ----

template <class T>
HWY_INLINE void copy_reversed(T* to, const T* from, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<T> d;
  constexpr int64_t kLanes = hn::MaxLanes(d);
  for (; i + kLanes <= n; i += kLanes) {
    const auto v = hn::LoadU(d, from - i - (kLanes - 1));
    if constexpr (sizeof(T) == 1) {
      const hn::Repartition<uint16_t, decltype(d)> pairs;
      const auto r = hn::Reverse(pairs, hn::BitCast(pairs, v));
      hn::StoreU(hn::BitCast(d, hn::Or(hn::ShiftLeft<8>(r), hn::ShiftRight<8>(r))), d, to + i);
    } else {
      hn::StoreU(hn::Reverse(d, v), d, to + i);
    }
  }
#endif
  for (; i < n; ++i) to[i] = from[-i];
}

template <class T>
HWY_INLINE void copy_every_second(T* to, const T* from, int64_t n) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<T> d;
  constexpr int64_t kLanes = hn::MaxLanes(d);
  for (; i + kLanes < n; i += kLanes) {  // reads one element beyond the last that it needs
    hn::Vec<decltype(d)> even, odd;
    hn::LoadInterleaved2(d, from + 2 * i, even, odd);
    hn::StoreU(even, d, to + i);
  }
#endif
  for (; i < n; ++i) to[i] = from[2 * i];
}

// transpose() of elements of one or two bytes: as many rows as a vector of 16 bytes holds at once.
// A step interleaves the vectors of the first half with those of the second.
template <class T>
HWY_INLINE void transpose_narrow(T* out, int64_t out_row, const T* in, int64_t in_row, int64_t rows,
                                 int64_t columns) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int kCount = 16 / sizeof(T);
  const hn::FixedTag<T, kCount> d;
  for (; r + kCount <= rows; r += kCount) {
    int64_t c = 0;
    for (; c + kCount <= columns; c += kCount) {
      hn::Vec<decltype(d)> v[kCount], w[kCount];
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) v[k] = hn::LoadU(d, in + (c + k) * in_row + r);
#pragma GCC unroll 4
      for (int step = 1; step < kCount; step *= 2) {
#pragma GCC unroll 16
        for (int k = 0; k < kCount / 2; ++k) {
          w[2 * k] = hn::InterleaveLower(d, v[k], v[k + kCount / 2]);
          w[2 * k + 1] = hn::InterleaveUpper(d, v[k], v[k + kCount / 2]);
        }
#pragma GCC unroll 16
        for (int k = 0; k < kCount; ++k) v[k] = w[k];
      }
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) hn::StoreU(v[k], d, out + (r + k) * out_row + c);
    }
    for (; c < columns; ++c) {
      for (int k = 0; k < kCount; ++k) out[(r + k) * out_row + c] = in[c * in_row + r + k];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[r * out_row + c] = in[c * in_row + r];
  }
}

// The same by way of a block that stays in the L1 cache, whose rows are then written whole: rows of
// the output may lie so that they share the places of the cache.
template <class T>
void transpose_block(void* out, int64_t out_row, const void* in, int64_t in_row, int64_t rows,
                     int64_t columns) {
  T block[kCopyBlock<sizeof(T)> * kCopyBlock<sizeof(T)>];
  constexpr int64_t kSide = kCopyBlock<sizeof(T)>;
  const T* const from = static_cast<const T*>(in);
  if constexpr (sizeof(T) <= 2)
    transpose_narrow(block, kSide, from, in_row, rows, columns);
  else
    transpose(block, kSide, from, in_row, rows, columns);
  T* const to = static_cast<T*>(out);
  if (columns == kSide) {
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(to + r * out_row, block + r * kSide, kSide * sizeof(T));
  } else {
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(to + r * out_row, block + r * kSide, columns * sizeof(T));
  }
}

template <class T>
void copy_run(void* out, const void* in, int64_t stride, int64_t n) {
  T* const to = static_cast<T*>(out);
  const T* const from = static_cast<const T*>(in);
  if (stride == 1)
    std::memcpy(to, from, n * sizeof(T));
  else if (stride == -1)
    copy_reversed(to, from, n);
  else
    copy_every_second(to, from, n);
}

template <class T>
CopyFunctions functions() {
  return {copy_run<T>, transpose_block<T>, kCopyBlock<sizeof(T)>};
}
CopyFunctions copy_functions(int64_t size) {
  switch (size) {
    case 1:
      return functions<uint8_t>();
    case 2:
      return functions<uint16_t>();
    case 4:
      return functions<float>();
    default:
      return functions<double>();
  }
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(copy_functions);

constexpr int64_t kPieceBytes = 1 << 16;
constexpr int64_t kShortRow = 64;  // bytes that are not worth it
constexpr int64_t kFewLines = 8;   // of a block to transpose

class Copy final : public FusedKernel {
 public:
  Copy(const Shape& space, const Program::Value& value)
      : slot_(value.slot), size_(static_cast<int64_t>(size_of(value.dtype))) {
    rank_ = merge_axes(space, value, sizes_, strides_);
  }

  bool fits() {
    if (rank_ == 0) return false;
    int64_t rest = 1;
    for (int axis = rank_ - 1; axis >= 0; rest *= sizes_[axis--]) places_[axis] = rest;
    if (rest == 0) return false;
    const int last = rank_ - 1;
    const int64_t stride = strides_[last];
    if (stride == 1 || stride == -1 || stride == 2) return sizes_[last] * size_ >= kShortRow;
    if (stride == 0 || sizes_[last] < kFewLines) return false;
    for (int axis = 0; axis < last; ++axis) {
      if (strides_[axis] == 1 && sizes_[axis] >= kFewLines) dense_ = axis;
    }
    return dense_ >= 0;
  }

  void run(void* const* inputs, void* const* outputs) const override {
    const char* const in = static_cast<const char*>(inputs[slot_]);
    char* const out = static_cast<char*>(outputs[0]);
    if (dense_ < 0)
      copy_rows(in, out);
    else
      copy_blocks(in, out);
  }
  void run_many(int64_t, const int64_t*, void* const* const*, void* const* const*) const override {}

 private:
  void copy_rows(const char* in, char* out) const {
    const CopyFunctions copy = GLIA_DISPATCH(copy_functions)(size_);
    const int last = rank_ - 1;
    const int64_t n = sizes_[last], total = places_[0] * sizes_[0];
    parallel_pieces(total, kPieceBytes / size_, [&](int64_t begin, int64_t end) {
      int64_t at[kMaxRank], from = 0;
      for (int axis = last; axis >= 0; --axis) {
        at[axis] = begin / places_[axis] % sizes_[axis];
        from += at[axis] * strides_[axis];
      }
      for (;;) {
        const int64_t count = std::min(n - at[last], end - begin);
        copy.run(out + begin * size_, in + from * size_, strides_[last], count);
        begin += count;
        if (begin == end) return;
        from -= at[last] * strides_[last];
        at[last] = 0;
        for (int axis = last - 1;; --axis) {
          from += strides_[axis];
          if (++at[axis] < sizes_[axis]) break;
          from -= at[axis] * strides_[axis];
          at[axis] = 0;
        }
      }
    });
  }

  void copy_blocks(const char* in, char* out) const {
    const CopyFunctions copy = GLIA_DISPATCH(copy_functions)(size_);
    const int last = rank_ - 1;
    const int64_t side = copy.side, rows = sizes_[dense_], columns = sizes_[last];
    const int64_t down = (rows + side - 1) / side, across = (columns + side - 1) / side;
    const int64_t outer = places_[0] * sizes_[0] / rows / columns;
    const int64_t together = kPieceBytes / (std::min(rows, side) * std::min(columns, side) * size_);
    parallel_pieces(outer * down * across, together, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t c = i % across * side, r = i / across % down * side;
        int64_t rest = i / across / down, from = r + c * strides_[last];
        int64_t to = r * places_[dense_] + c;
        for (int axis = last - 1; axis >= 0; --axis) {
          if (axis == dense_) continue;
          const int64_t at = rest % sizes_[axis];
          rest /= sizes_[axis];
          from += at * strides_[axis];
          to += at * places_[axis];
        }
        copy.transpose(out + to * size_, places_[dense_], in + from * size_, strides_[last],
                       std::min(side, rows - r), std::min(side, columns - c));
      }
    });
  }

  const int slot_;
  const int64_t size_;  // bytes of an element
  int rank_ = 0;
  int dense_ = -1;  // the axis of stride 1, where blocks are transposed
  int64_t sizes_[kMaxRank], strides_[kMaxRank];
  int64_t places_[kMaxRank];  // strides of the output
};

}  // namespace

std::unique_ptr<FusedKernel> compile_copy(const Program& p) {
  if (p.many || p.by_parts || p.values.size() != 1 || p.outputs.size() != 1) return nullptr;
  const Program::Value& value = p.values[0];
  if (p.outputs[0].sink != Program::Sink::kStore || p.outputs[0].overwrites >= 0 || !value.strided)
    return nullptr;
  auto copy = std::make_unique<Copy>(p.space, value);
  if (!copy->fits()) return nullptr;
  return copy;
}

}  // namespace glia::cpu
#endif
