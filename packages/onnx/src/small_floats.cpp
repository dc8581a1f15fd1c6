#include "small_floats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "glia/error.h"

namespace glia::onnx {
namespace {

struct Format {
  int exponent_bits, mantissa_bits, bias;
  int largest;  // code of the largest finite number
  bool has_infinity, negative_zero_is_nan;
};
Format format_of(ElementType type) {
  switch (type) {
    case ElementType::kFloat8E4M3FN:
      return {4, 3, 7, 0x7e, false, false};
    case ElementType::kFloat8E4M3FNUZ:
      return {4, 3, 8, 0x7f, false, true};
    case ElementType::kFloat8E5M2:
      return {5, 2, 15, 0x7b, true, false};
    case ElementType::kFloat8E5M2FNUZ:
      return {5, 2, 16, 0x7f, false, true};
    case ElementType::kFloat4E2M1:
      return {2, 1, 1, 7, false, false};
    default:
      throw Error(std::string(name(type)) + " is no float of 8 bits or less");
  }
}

// A code without its sign.
float magnitude(const Format& f, int code) {
  const int exponent = code >> f.mantissa_bits, mantissa = code & ((1 << f.mantissa_bits) - 1);
  const float scale = std::ldexp(1.0f, -f.mantissa_bits);
  if (exponent == 0) return std::ldexp(static_cast<float>(mantissa) * scale, 1 - f.bias);
  return std::ldexp(1 + static_cast<float>(mantissa) * scale, exponent - f.bias);
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

bool is_small_float(ElementType type) {
  return (type >= ElementType::kFloat8E4M3FN && type <= ElementType::kFloat8E5M2FNUZ) ||
         type == ElementType::kFloat4E2M1 || type == ElementType::kFloat8E8M0;
}

float from_code(ElementType type, uint8_t code) {
  if (type == ElementType::kFloat8E8M0) return code == 255 ? kNaN : std::ldexp(1.0f, code - 127);
  const Format f = format_of(type);
  const int bits = f.exponent_bits + f.mantissa_bits;
  const int without_sign = code & ((1 << bits) - 1);
  const bool negative = code >> bits & 1;
  if (f.negative_zero_is_nan && negative && without_sign == 0) return kNaN;
  if (without_sign > f.largest)
    return !f.has_infinity || without_sign > f.largest + 1 ? kNaN
           : negative                                      ? -kInfinity
                                                           : kInfinity;
  return negative ? -magnitude(f, without_sign) : magnitude(f, without_sign);
}

float rounded(ElementType type, float x, bool saturate) {
  if (type == ElementType::kFloat4E2M1) {  // has neither NaN nor infinities
    if (std::isnan(x)) return -0.0f;
    saturate = true;
  }
  if (std::isnan(x)) return x;
  if (type == ElementType::kFloat8E8M0) {  // powers of two, upwards
    if (std::isinf(x) && !saturate) return kNaN;
    int exponent = 0;
    const float m = std::frexp(std::abs(x), &exponent);
    const int code = std::isinf(x) ? 254 : x == 0 ? 0 : exponent - (m == 0.5f) + 127;
    if (code > 254 && !saturate) return kNaN;
    return std::ldexp(1.0f, std::clamp(code, 0, 254) - 127);
  }
  const Format f = format_of(type);
  const float size = std::abs(x);
  int low = 0, high = f.largest;  // the codes around it
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (magnitude(f, middle) <= size ? low : high) = middle;
  }
  const float below = magnitude(f, low), above = magnitude(f, high);
  const float step = above - below;
  float value;
  if (size > above) {
    // Rounds to the largest while it is nearer to that than to what would come next.
    const bool beyond = size - above > step / 2 || (size - above == step / 2 && (high & 1) != 0);
    value = !beyond || saturate ? above : f.has_infinity ? kInfinity : kNaN;
  } else {
    const float middle = below + step / 2;
    value = size < middle ? below : size > middle ? above : (low & 1) == 0 ? below : above;
  }
  if (value == 0 && f.negative_zero_is_nan) return 0;
  return std::copysign(value, x);
}

}  // namespace glia::onnx
