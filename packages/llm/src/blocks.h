// Blocks of few bits, as their bytes lie in a file and as whole numbers with scales.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "glia/llm/gguf.h"

namespace glia::llm {

// What a block, or one row of 32 floats, stands for: scale * (level - zero) + least of its part.
// All kinds but the floats become this, and nothing else knows their bytes.
struct Levels {
  uint8_t level[256];
  float scale[16], least[16];  // of each part
};
struct LevelsOf {
  int64_t block;  // weights of a block
  int64_t part;   // of them, that share a scale
  int bits;       // of a level
  int zero;       // the level that stands for 0
  bool has_least;
  bool narrow;  // scales and least values are f16 in the file
};
bool is_float(Quant type);
// Of what is no float.
LevelsOf levels_of(Quant type);
void unpack(Quant type, const uint8_t* block, Levels* out);

inline float half_at(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, 2);
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7fff;
  if (rest >= 0x7c00)  // infinite, or no number
    return std::bit_cast<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  // As a number 2^112 times too small, which is right below the least normal f16 too.
  return std::bit_cast<float>(sign | rest << 13) * 0x1p112f;
}

}  // namespace glia::llm
