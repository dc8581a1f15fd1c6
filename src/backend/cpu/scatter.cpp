// Sums at positions given by tensors: index_add, and scatter_add along a last axis.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/scatter.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "backend/cpu/simd/functions.h"
#include "glia/runtime.h"
#include "hwy/highway.h"
#include "ops/gather.h"
#include "ops/private.h"
#include "runtime/backend.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kFewElements = 1 << 16;  // of the source, which one thread adds
constexpr int64_t kItems = 8;              // that are enough for all threads
constexpr int64_t kColumns = 64;           // of a block
constexpr int64_t kMostParts = 16;
constexpr int64_t kBinBytes = 1 << 18;  // of the target
constexpr int64_t kAhead = 8;           // entries whose memory is asked for before

template <class T>
HWY_INLINE T sum_of_two(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}

template <class T>
HWY_INLINE void add_row(T* to, const T* from, int64_t n) {
  const hn::ScalableTag<T> d;
  constexpr int64_t kLanes = hn::MaxLanes(d);
  int64_t c = 0;
  for (; c + kLanes <= n; c += kLanes)
    hn::StoreU(hn::Add(hn::LoadU(d, to + c), hn::LoadU(d, from + c)), d, to + c);
  for (; c < n; ++c) to[c] = sum_of_two(to[c], from[c]);
}

// Entry k goes to row indices[k] of the target.
template <class T, class I>
struct Entries {
  const char* op;
  const I* indices;
  const T* source;
  T* target;
  int64_t count, rows, width;

  int64_t row(int64_t k) const { return index_position(op, indices[k], rows); }

  // Columns [c, c + n) of entries [first, last) into a target.
  void add(T* to, int64_t first, int64_t last, int64_t c, int64_t n) const {
    if (width == 1) {
      const I* const at = indices;
      const T* const from = source;
      for (int64_t k = first; k < last; ++k) {
        T& sum = to[index_position(op, at[k], rows)];
        sum = sum_of_two(sum, from[k]);
      }
      return;
    }
    for (int64_t k = first; k < last; ++k) {
      if (k + kAhead < last) {
        const int64_t next = indices[k + kAhead];
        if (next >= 0 && next < rows)
          for (int64_t b = 0; b < std::min<int64_t>(n, kColumns); b += 64 / sizeof(T))
            __builtin_prefetch(to + next * width + c + b, 1);
      }
      add_row(to + row(k) * width + c, source + k * width + c, n);
    }
  }
};

// Into few rows: parts of the entries are summed apart, and their sums added in order.
template <class T, class F>
void add_by_parts(int64_t outer, int64_t parts, F slice) {
  const auto first = slice(0);
  const int64_t size = first.rows * first.width, count = first.count, items = outer * parts;
  const MemoryRef memory(allocate_memory(static_cast<size_t>(items * size) * sizeof(T)));
  T* const sums = static_cast<T*>(memory->data);
  parallel_for(items, [&](int64_t i) {
    const int64_t part = i % parts;
    T* const to = sums + i * size;
    std::fill_n(to, size, T(0));
    const auto e = slice(i / parts);
    e.add(to, count * part / parts, count * (part + 1) / parts, 0, e.width);
  });
  for (int64_t o = 0; o < outer; ++o) {
    T* const to = slice(o).target;
    parallel_pieces(size, kFewElements / parts, [&](int64_t begin, int64_t end) {
      for (int64_t p = 0; p < parts; ++p)
        add_row(to + begin, sums + (o * parts + p) * size + begin, end - begin);
    });
  }
}

// Into many rows: entries are put into bins, each of some rows of the target, in their order; bins
// then add theirs. The sums are those of one thread.
template <class T, class I>
void add_by_bins(const Entries<T, I>& e) {
  struct Entry {
    uint32_t row, number;
  };
  const int64_t row_bytes = e.width * static_cast<int64_t>(sizeof(T));
  int shift = 0;
  while (shift < 31 && (e.rows >> shift) > 256) ++shift;
  while (shift < 31 && (row_bytes << shift) < kBinBytes && (e.rows >> shift) > kItems) ++shift;
  const int64_t bins = (e.rows >> shift) + 1;
  const int64_t pieces = std::clamp<int64_t>(e.count >> 14, 1, 64);
  const auto begin_of = [&](int64_t piece) { return e.count * piece / pieces; };
  std::vector<int64_t> places(bins * pieces + 1);
  parallel_for(pieces, [&](int64_t piece) {
    std::vector<int64_t> counts(bins);
    for (int64_t k = begin_of(piece), end = begin_of(piece + 1); k < end; ++k)
      ++counts[e.row(k) >> shift];
    for (int64_t b = 0; b < bins; ++b) places[b * pieces + piece] = counts[b];
  });
  int64_t before = 0;
  for (int64_t& place : places) place = std::exchange(before, before + place);
  const MemoryRef memory(allocate_memory(static_cast<size_t>(e.count) * sizeof(Entry)));
  Entry* const entries = static_cast<Entry*>(memory->data);
  parallel_for(pieces, [&](int64_t piece) {
    std::vector<int64_t> next(bins);
    for (int64_t b = 0; b < bins; ++b) next[b] = places[b * pieces + piece];
    for (int64_t k = begin_of(piece), end = begin_of(piece + 1); k < end; ++k) {
      const int64_t row = e.row(k);
      entries[next[row >> shift]++] = {static_cast<uint32_t>(row), static_cast<uint32_t>(k)};
    }
  });
  parallel_for(bins, [&](int64_t b) {
    for (int64_t i = places[b * pieces], end = places[(b + 1) * pieces]; i < end; ++i) {
      if (i + kAhead < end) {
        const char* const next =
            reinterpret_cast<const char*>(e.source + entries[i + kAhead].number * e.width);
        for (int64_t byte = 0; byte < std::min<int64_t>(row_bytes, 512); byte += 64)
          __builtin_prefetch(next + byte);
      }
      const Entry at = entries[i];
      T* const to = e.target + at.row * e.width;
      const T* const from = e.source + at.number * e.width;
      if (e.width == 1)
        *to = sum_of_two(*to, *from);
      else
        add_row(to, from, e.width);
    }
  });
}

// One number for all elements.
bool is_filled(const Layout& layout) {
  for (int i = 0; i < layout.shape.rank(); ++i) {
    if (layout.shape[i] != 1 && layout.strides[i] != 0) return false;
  }
  return true;
}

template <bool kEach, class T, class I>
void add_at(const char* op, const KernelCall& call) {
  const Lines x(call.out[0].layout.shape, call.attributes<AxisAttributes>().axis);
  const auto start = [&] { copy_elements(call.in[0], call.out[0].data, call.out[0].layout); };
  const int64_t lines = x.outer * x.inner;
  if (lines == 0 || call.in[2].numel() == 0) return start();
  const int64_t count = call.in[2].numel() / lines;
  const Contiguous<I> indices(call.in[1]);
  const Contiguous<T> source(call.in[2]);
  const auto slice = [&](int64_t o) {
    return Entries<T, I>{op,
                         indices.data() + (kEach ? o * count : 0),
                         source.data() + o * count * x.inner,
                         call.out[0].as<T>() + o * x.size * x.inner,
                         count,
                         x.size,
                         x.inner};
  };
  const int64_t blocks = (x.inner + kColumns - 1) / kColumns, elements = count * x.inner;
  const int64_t parts =
      std::min(kMostParts, elements / std::max(4 * x.size * x.inner, kFewElements));
  if (x.outer < kItems && parts > 1) {
    start();
    return add_by_parts<T>(x.outer, parts, slice);
  }
  if (x.outer * blocks < kItems && elements > kFewElements && num_threads() > 1 &&
      std::max(count, x.size) <= UINT32_MAX) {
    start();
    for (int64_t o = 0; o < x.outer; ++o) add_by_bins(slice(o));
    return;
  }
  // The zeros of a gradient are written slice by slice, which is then in cache.
  const bool fills = blocks == 1 && x.outer >= kItems && is_filled(call.in[0].layout);
  if (!fills) start();
  const int64_t length = fills ? std::max(count, x.size) : count;
  const int64_t together =
      kFewElements / 4 / std::max<int64_t>(std::min(x.inner, kColumns) * length, 1);
  parallel_pieces(x.outer * blocks, together, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % blocks * kColumns;
      const auto e = slice(i / blocks);
      if (fills) std::fill_n(e.target, x.size * x.inner, *call.in[0].as<const T>());
      e.add(e.target, 0, count, c, std::min(kColumns, x.inner - c));
    }
  });
}

template <bool kEach>
void with_types(const char* op, const KernelCall& call) {
  const auto as = [&](auto value) {
    if (call.in[1].dtype == kI32)
      add_at<kEach, decltype(value), int32_t>(op, call);
    else
      add_at<kEach, decltype(value), int64_t>(op, call);
  };
  switch (call.out[0].dtype) {
    case kF32:
      return as(float());
    case kF64:
      return as(double());
    case kI32:
      return as(int32_t());
    default:
      return as(int64_t());
  }
}
void run_index_add(const KernelCall& call) { with_types<false>("index_add", call); }
void run_scatter_add(const KernelCall& call) { with_types<true>("scatter_add", call); }

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(run_index_add);
GLIA_EXPORT(run_scatter_add);

bool is_along_last(const Recorded& node) {
  return Lines(node.shape(), node.attributes<AxisAttributes>().axis).inner == 1;
}

const RegisterKernel kernels[] = {
    {{"index_add", {kF32, kF64, kI32, kI64}, GLIA_CHOOSE(run_index_add)}},
    {{.op = "scatter_add",
      .dtypes = {kF32, kF64, kI32, kI64},
      .choose = GLIA_CHOOSE(run_scatter_add),
      .fits = is_along_last}},
};

}  // namespace
}  // namespace glia::cpu
#endif
