#include "backend/cpu/gemm/pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "backend/cpu/simd/tile.h"

namespace glia::cpu::gemm {
namespace {

struct Free {
  void operator()(float* p) const { std::free(p); }
};

// Rows into vectors: reads each row once, from its start to its end.
template <int64_t kLanes>
void pack_rows(const float* b, int64_t b_row, int64_t k, int64_t vectors, float* out) {
  for (int64_t l = 0; l < k; ++l) {
    const float* from = b + l * b_row;
    float* to = out + l * kLanes;
    for (int64_t v = 0; v < vectors; ++v, from += kLanes, to += k * kLanes)
      std::memcpy(to, from, kLanes * sizeof(float));
  }
}

}  // namespace

float* workspace(int64_t floats) {
  thread_local std::unique_ptr<float, Free> memory;
  thread_local int64_t size = 0;
  if (floats > size) {
    memory.reset();
    size = round_up(std::max<int64_t>(floats, 1 << 14), 16);
    memory.reset(static_cast<float*>(std::aligned_alloc(64, size * sizeof(float))));
    if (!memory) {
      size = 0;
      throw std::bad_alloc();
    }
  }
  return memory.get();
}

void pack_columns(const Kernels& kernels, const float* b, int64_t b_row, int64_t b_col, int64_t k,
                  int64_t columns, float* out) {
  const int64_t lanes = kernels.lanes, vectors = columns / lanes, left = columns % lanes;
  float* const last = out + vectors * k * lanes;
  if (left > 0) std::fill_n(last, k * lanes, 0.0f);
  if (b_col == 1) {
    lanes == 16 ? pack_rows<16>(b, b_row, k, vectors, out)
                : pack_rows<8>(b, b_row, k, vectors, out);
    copy_rows(last, lanes, b + vectors * lanes, b_row, k, left);
    return;
  }
  for (int64_t v = 0; v < vectors; ++v)
    kernels.transpose(out + v * k * lanes, lanes, b + v * lanes * b_col, b_col, k, lanes);
  if (left > 0) kernels.transpose(last, lanes, b + vectors * lanes * b_col, b_col, k, left);
}

void copy_rows(float* out, int64_t out_row, const float* in, int64_t in_row, int64_t rows,
               int64_t columns) {
  if (columns == 0) return;
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(out + r * out_row, in + r * in_row, columns * sizeof(float));
}

void add_partials(const float* partials, int64_t count, int64_t stride, float* out, int64_t n) {
  const TileFunction add = tile_function(Code::kAdd, kF32);
  std::memcpy(out, partials, n * sizeof(float));
  for (int64_t i = 1; i < count; ++i) add(out, out, partials + i * stride, nullptr, n);
}

}  // namespace glia::cpu::gemm
