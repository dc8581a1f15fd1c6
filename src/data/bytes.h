// Bytes of tensors, and hashes of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "core/node.h"
#include "io/file.h"
#include "runtime/threads.h"

namespace glia::data {

inline const char* bytes_of(const Tensor& t) {
  eval(t);
  return static_cast<const char*>(t.node()->data());
}

inline Shape without_first(const Shape& shape) {
  Shape row = shape;
  row.erase(0);
  return row;
}

// A tensor of `rows` pieces of shape `row`; piece i is copied from row_data(i).
template <class F>
Tensor stack_rows(int64_t rows, const Shape& row, DType dtype, F&& row_data) {
  Shape shape = row;
  shape.insert(0, rows);
  const size_t bytes = static_cast<size_t>(row.numel()) * size_of(dtype);
  MemoryRef memory(allocate_memory(static_cast<size_t>(rows) * bytes));
  auto* out = static_cast<char*>(memory->data);
  constexpr int64_t kTogether = 1 << 16;  // bytes, for rows anywhere in memory
  const int64_t step = std::max<int64_t>(1, kTogether / std::max<int64_t>(bytes, 1));
  parallel_for((rows + step - 1) / step, [&](int64_t piece) {
    for (int64_t i = piece * step; i < std::min(rows, (piece + 1) * step); ++i)
      std::memcpy(out + i * bytes, row_data(i), bytes);
  });
  return leaf(std::move(memory), 0, shape, dtype);
}

inline uint64_t mixed(uint64_t hash, uint64_t value) {
  return std::rotl((hash ^ value) * 0x9E3779B97F4A7C15, 29);
}

// Of all bytes.
inline uint64_t mixed_whole(uint64_t hash, io::Bytes bytes) {
  for (size_t at = 0; at < bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
    hash = mixed(hash, word);
  }
  return mixed(hash, bytes.size());
}

// Of all bytes, or of pieces spread over them where they are many.
inline uint64_t mixed(uint64_t hash, io::Bytes bytes) {
  constexpr size_t kMostWhole = size_t{64} << 20, kPieces = 1024, kPiece = 4096;
  if (bytes.size() <= kMostWhole) return mixed_whole(hash, bytes);
  const size_t step = (bytes.size() - kPiece) / (kPieces - 1);
  for (size_t i = 0; i < kPieces; ++i) hash = mixed_whole(hash, bytes.subspan(i * step, kPiece));
  return mixed(hash, bytes.size());
}

}  // namespace glia::data
