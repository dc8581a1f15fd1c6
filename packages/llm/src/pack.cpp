#include <algorithm>
#include <cstring>

#include "glia/parallel.h"
#include "kernels.h"

namespace glia::llm {
namespace {

int bits_of(const LevelsOf& of) { return of.part == 16 || of.bits > 5 ? 8 : of.bits; }

int64_t bytes_of_chunk(const LevelsOf& of) {
  const int64_t bits = bits_of(of), scales = kGroup * kChunk / of.part * (of.narrow ? 2 : 4);
  return (bits == 8 ? 512 : 256) + (bits == 5 ? 64 : 0) + scales * (of.has_least ? 2 : 1);
}

void put_scale(uint8_t* to, int64_t i, float scale, bool narrow) {
  if (!narrow) return void(std::memcpy(to + 4 * i, &scale, 4));
  const uint16_t bits = float16(scale).bits;
  std::memcpy(to + 2 * i, &bits, 2);
}

// Chunk `c` of the blocks of a group's rows.
void put_chunk(const LevelsOf& of, const Levels* rows, int64_t c, uint8_t* to) {
  const int bits = bits_of(of);
  const int64_t parts = kChunk / of.part;
  uint8_t* const fifth = to + 256;
  for (int64_t i = 0; i < 8; ++i)  // four columns each
    for (int64_t row = 0; row < kGroup; ++row)
      for (int64_t k = 0; k < 4; ++k) {
        const uint8_t level = rows[row].level[c * kChunk + 4 * i + k];
        const int64_t at = 4 * row + k;
        if (bits == 8)
          to[64 * i + at] = level;
        else
          to[64 * (i % 4) + at] |= (level & 15) << i / 4 * 4;
        if (bits == 5) fifth[8 * i + at / 8] |= (level >> 4) << at % 8;
      }
  to += (bits == 8 ? 512 : 256) + (bits == 5 ? 64 : 0);
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t row = 0; row < kGroup; ++row) {
      const int64_t from = c * parts + part, at = part * kGroup + row;
      put_scale(to, at, rows[row].scale[from], of.narrow);
      if (of.has_least) put_scale(to, parts * kGroup + at, rows[row].least[from], of.narrow);
    }
}

}  // namespace

Packed pack_rows(const QuantizedTensor& weights) {
  Packed out{.type = weights.type, .rows = weights.shape[0], .columns = weights.shape[1]};
  const auto [block, block_bytes] = block_of(weights.type);
  const int64_t blocks = out.columns / block, row_bytes = blocks * block_bytes;
  const uint8_t* const from = weights.bytes.data<uint8_t>().data();
  if (is_float(weights.type)) {
    out.group_bytes = kGroup * row_bytes;
    out.bytes.resize(out.groups() * out.group_bytes);
    parallel_for(out.groups(), [&](int64_t g) {
      uint8_t* const to = out.bytes.data() + g * out.group_bytes;
      const int64_t rows = std::min(kGroup, out.rows - g * kGroup);
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t c = 0; c < out.columns; ++c)
          std::memcpy(to + (c * kGroup + row) * block_bytes,
                      from + (g * kGroup + row) * row_bytes + c * block_bytes, block_bytes);
    });
    return out;
  }
  out.levels = levels_of(weights.type);
  out.bits = bits_of(out.levels);
  const int64_t chunk = bytes_of_chunk(out.levels);
  out.group_bytes = out.columns / kChunk * chunk;
  out.bytes.resize(out.groups() * out.group_bytes);
  parallel_for(out.groups(), [&](int64_t g) {
    uint8_t* to = out.bytes.data() + g * out.group_bytes;
    const int64_t rows = std::min(kGroup, out.rows - g * kGroup);
    std::vector<Levels> levels(kGroup, Levels{});
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t row = 0; row < rows; ++row)
        unpack(weights.type, from + (g * kGroup + row) * row_bytes + b * block_bytes, &levels[row]);
      for (int64_t c = 0; c < block / kChunk; ++c, to += chunk)
        put_chunk(out.levels, levels.data(), c, to);
    }
  });
  return out;
}

void Activations::resize(int64_t new_rows, int64_t new_columns) {
  rows = new_rows;
  columns = new_columns;
  const int64_t chunks = rows * (columns / kChunk);
  const auto grow = [](auto& v, int64_t size) {
    if (static_cast<int64_t>(v.size()) < size) v.resize(size);
  };
  grow(bytes, 2 * chunks * kChunk);
  for (auto* v : {&scale, &total}) grow(*v, chunks);
  grow(sum, chunks);
  grow(sum16, 2 * chunks);
  grow(total16, 2 * chunks);
}

}  // namespace glia::llm
