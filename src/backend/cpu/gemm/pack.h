// Putting matrices into the layouts that the kernel reads.
#pragma once

#include <cstdint>

#include "backend/cpu/gemm/kernel.h"
#include "core/node.h"
#include "runtime/threads.h"

namespace glia::cpu::gemm {

constexpr int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }
constexpr int64_t round_up(int64_t x, int64_t y) { return divide_up(x, y) * y; }

inline MemoryRef allocate(int64_t floats) {
  return MemoryRef(allocate_memory(static_cast<size_t>(floats) * sizeof(float)));
}
inline float* floats(const MemoryRef& memory) { return static_cast<float*>(memory->data); }

// Memory of the calling thread, valid until its next call here; aligned to 64 bytes.
float* workspace(int64_t floats);

// f(i) for i < count, which write so many floats: in order where waking a thread takes longer.
template <class F>
void parallel_pack(int64_t floats, int64_t count, F&& f) {
  if (floats >= 1 << 16) return parallel_for(count, f);
  for (int64_t i = 0; i < count; ++i) f(i);
}

// Whether rows so many floats apart fall into so few sets of a cache that they push each other out.
inline bool rows_collide(int64_t stride) { return stride >= 512 && stride % 256 == 0; }

// b (k, columns), of which a row or a column is contiguous, as vectors of columns:
// out[j / W][l][j % W] = b[l * b_row + j * b_col], the last vector filled with zeros.
void pack_columns(const Kernels& kernels, const float* b, int64_t b_row, int64_t b_col, int64_t k,
                  int64_t columns, float* out);

// out[r * out_row + c] = in[r * in_row + c].
void copy_rows(float* out, int64_t out_row, const float* in, int64_t in_row, int64_t rows,
               int64_t columns);

// out[i] = partials[0][i] + partials[1][i] + ..., each `stride` apart, for i < n.
void add_partials(const float* partials, int64_t count, int64_t stride, float* out, int64_t n);

}  // namespace glia::cpu::gemm
