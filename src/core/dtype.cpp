#include "glia/dtype.h"

#include <algorithm>
#include <bit>

namespace glia {

const char* name(DType t) {
  static constexpr const char* kNames[] = {"bool", "u8",   "i8",  "i32", "i64",
                                           "f16",  "bf16", "f32", "f64"};
  return kNames[static_cast<int>(t)];
}

DType promote(DType a, DType b) {
  const auto [low, high] = std::minmax(a, b);
  if (low == high) return low;
  if (low == kU8 && high == kI8) return kI32;  // neither holds the other
  if (low == kF16 && high == kBF16) return kF32;
  return high;  // DType lists bool, integers and floats in this order, each by size
}

bfloat16::bfloat16(float x) {
  const uint32_t b = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = b + 0x7fff + (b >> 16 & 1);  // to nearest, ties to even
  bits = static_cast<uint16_t>(x == x ? rounded >> 16 : b >> 16 | 0x40);
}

bfloat16::operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }

float16::float16(float x) {
  const uint32_t b = std::bit_cast<uint32_t>(x);
  const uint32_t sign = b >> 16 & 0x8000;
  uint32_t magnitude = b & 0x7fffffff, half;
  if (magnitude > 0x7f800000) {
    half = 0x7e00 | (magnitude >> 13 & 0x3ff);  // NaN, quiet
  } else if (magnitude >= 0x477ff000) {
    half = 0x7c00;  // rounds to 2^16 or more: infinity
  } else if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 leaves the multiple of 2^-24, rounded to even, in the low bits.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<uint32_t>(aligned) - std::bit_cast<uint32_t>(0.5f);
  } else {
    magnitude += 0xfff + (magnitude >> 13 & 1);
    half = (magnitude - (112u << 23)) >> 13;  // exponent bias 127 to 15
  }
  bits = static_cast<uint16_t>(sign | half);
}

float16::operator float() const {
  const uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) {
    const uint32_t quiet = magnitude > 0x7c00 ? 0x400000 : 0;
    return std::bit_cast<float>(sign | 0x7f800000 | quiet | (magnitude & 0x3ff) << 13);
  }
  // Multiplying by 2^112 corrects the exponent's bias, of subnormal numbers too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

}  // namespace glia
