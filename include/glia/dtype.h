// Element types and what the C++ types are called among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace glia {

enum class DType : uint8_t { kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64 };

inline constexpr DType kBool = DType::kBool, kU8 = DType::kU8, kI8 = DType::kI8, kI32 = DType::kI32,
                       kI64 = DType::kI64, kF16 = DType::kF16, kBF16 = DType::kBF16,
                       kF32 = DType::kF32, kF64 = DType::kF64;
inline constexpr int kDTypeCount = 9;

// Bytes of one element.
constexpr size_t size_of(DType t) {
  constexpr uint8_t bytes[] = {1, 1, 1, 4, 8, 2, 2, 4, 8};
  return bytes[static_cast<int>(t)];
}
constexpr bool is_float(DType t) { return t >= kF16; }                // f16, bf16, f32, f64
constexpr bool is_integer(DType t) { return t >= kU8 && t <= kI64; }  // no bool

// "f32", "i64", "bool", ...
const char* name(DType t);

// NumPy's result type of an operation on both, as PyTorch reads it: bool < integers < floats,
// u8 with i8 gives i32, f16 with bf16 gives f32, an integer with a float gives that float.
DType promote(DType a, DType b);

// 16-bit floats as stored; arithmetic on them is done in float and rounded to nearest even.
struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float x);
  operator float() const;
};
struct float16 {
  uint16_t bits = 0;
  float16() = default;
  explicit float16(float x);
  operator float() const;
};

// The DType of a C++ type: dtype_of<float> == kF32. Other types do not compile.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "no DType for this C++ type");
  return kF32;
}();
template <>
inline constexpr DType dtype_of<bool> = kBool;
template <>
inline constexpr DType dtype_of<uint8_t> = kU8;
template <>
inline constexpr DType dtype_of<int8_t> = kI8;
template <>
inline constexpr DType dtype_of<int32_t> = kI32;
template <>
inline constexpr DType dtype_of<int64_t> = kI64;
template <>
inline constexpr DType dtype_of<float16> = kF16;
template <>
inline constexpr DType dtype_of<bfloat16> = kBF16;
template <>
inline constexpr DType dtype_of<float> = kF32;
template <>
inline constexpr DType dtype_of<double> = kF64;

}  // namespace glia
