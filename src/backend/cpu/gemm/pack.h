// Putting matrices into the layouts that the kernel reads.
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cpu/gemm/kernel.h"
#include "core/node.h"
#include "runtime/threads.h"

namespace glia::cpu::gemm {

constexpr int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }
constexpr int64_t round_up(int64_t x, int64_t y) { return divide_up(x, y) * y; }

template <class T = float>
MemoryRef allocate(int64_t count) {
  return MemoryRef(allocate_memory(static_cast<size_t>(count) * sizeof(T)));
}
template <class T>
T* elements(const MemoryRef& memory) {
  return static_cast<T*>(memory->data);
}
inline float* floats(const MemoryRef& memory) { return elements<float>(memory); }

// Memory of the calling thread, valid until its next call here; aligned to 64 bytes.
void* workspace_bytes(size_t bytes);
template <class T = float>
T* workspace(int64_t count) {
  return static_cast<T*>(workspace_bytes(static_cast<size_t>(count) * sizeof(T)));
}

// f(i) for i < count, which write so many elements: in order where waking a thread takes longer.
template <class F>
void parallel_pack(int64_t elements, int64_t count, F&& f) {
  if (elements >= 1 << 16) return parallel_for(count, f);
  for (int64_t i = 0; i < count; ++i) f(i);
}

// Whether rows so many elements apart fall into so few sets of a cache that they push each other
// out.
template <class T = float>
bool rows_collide(int64_t stride) {
  const int64_t bytes = stride * static_cast<int64_t>(sizeof(T));
  return bytes >= 2048 && bytes % 1024 == 0;
}

// b (k, columns), of which a row or a column is contiguous, as vectors of columns:
// out[j / W][l][j % W] = b[l * b_row + j * b_col], the last vector filled with zeros.
template <class T>
void pack_columns(const Kernels<T>& kernels, const T* b, int64_t b_row, int64_t b_col, int64_t k,
                  int64_t columns, T* out);

// out[r * out_row + c] = in[r * in_row + c].
template <class T>
void copy_rows(T* out, int64_t out_row, const T* in, int64_t in_row, int64_t rows,
               int64_t columns) {
  if (columns == 0) return;
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(out + r * out_row, in + r * in_row, columns * sizeof(T));
}

// out[i] = partials[0][i] + partials[1][i] + ..., each `stride` apart, for i < n.
template <class T>
void add_partials(const T* partials, int64_t count, int64_t stride, T* out, int64_t n);

}  // namespace glia::cpu::gemm
