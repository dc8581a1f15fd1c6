#include "backend/cpu/gemm/pack.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "backend/cpu/simd/tile.h"

namespace glia::cpu::gemm {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

// Rows into vectors: reads each row once, from its start to its end.
template <int64_t kLanes, class T>
void pack_rows(const T* b, int64_t b_row, int64_t k, int64_t vectors, T* out) {
  for (int64_t l = 0; l < k; ++l) {
    const T* from = b + l * b_row;
    T* to = out + l * kLanes;
    for (int64_t v = 0; v < vectors; ++v, from += kLanes, to += k * kLanes)
      std::memcpy(to, from, kLanes * sizeof(T));
  }
}

}  // namespace

void* workspace_bytes(size_t bytes) {
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = (std::max<size_t>(bytes, 1 << 16) + 63) / 64 * 64;
    memory.reset(std::aligned_alloc(64, size));
    if (!memory) {
      size = 0;
      throw std::bad_alloc();
    }
  }
  return memory.get();
}

template <class T>
void pack_columns(const Kernels<T>& kernels, const T* b, int64_t b_row, int64_t b_col, int64_t k,
                  int64_t columns, T* out) {
  const int64_t lanes = kernels.lanes, vectors = columns / lanes, left = columns % lanes;
  constexpr int64_t kMost = 64 / sizeof(T);
  T* const last = out + vectors * k * lanes;
  if (left > 0) std::fill_n(last, k * lanes, T{0});
  if (b_col == 1) {
    lanes == kMost ? pack_rows<kMost>(b, b_row, k, vectors, out)
                   : pack_rows<kMost / 2>(b, b_row, k, vectors, out);
    copy_rows(last, lanes, b + vectors * lanes, b_row, k, left);
    return;
  }
  for (int64_t v = 0; v < vectors; ++v)
    kernels.transpose(out + v * k * lanes, lanes, b + v * lanes * b_col, b_col, k, lanes);
  if (left > 0) kernels.transpose(last, lanes, b + vectors * lanes * b_col, b_col, k, left);
}

template <class T>
void add_partials(const T* partials, int64_t count, int64_t stride, T* out, int64_t n) {
  const TileFunction add = tile_function(Code::kAdd, dtype_of<T>);
  std::memcpy(out, partials, n * sizeof(T));
  for (int64_t i = 1; i < count; ++i) add(out, out, partials + i * stride, nullptr, n);
}

#define GLIA_INSTANTIATE(T)                                                                        \
  template void pack_columns(const Kernels<T>&, const T*, int64_t, int64_t, int64_t, int64_t, T*); \
  template void add_partials(const T*, int64_t, int64_t, T*, int64_t);
GLIA_INSTANTIATE(float)
GLIA_INSTANTIATE(double)
GLIA_INSTANTIATE(int32_t)
#undef GLIA_INSTANTIATE

}  // namespace glia::cpu::gemm
