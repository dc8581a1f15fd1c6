// Where tile_function and its siblings look: one function for each source, which gives the kernel
// for the instruction set in use.
#pragma once

#include "backend/cpu/simd/tile.h"

namespace glia::cpu {

// Null where the op is not defined.
TileFunction f32_function(Code code);
TileFunction f64_function(Code code);
TileFunction half_function(Code code, DType dtype);  // f16 and bf16
TileFunction integer_function(Code code, DType dtype);
TileFunction compare_function(Code code, DType dtype);  // all but 16-bit floats
TileFunction where_function(int64_t size);              // bytes of an element

// f(T()) for the C++ type T of the dtype.
template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case kBool:
      return f(bool());
    case kU8:
      return f(uint8_t());
    case kI8:
      return f(int8_t());
    case kI32:
      return f(int32_t());
    case kI64:
      return f(int64_t());
    case kF16:
      return f(float16());
    case kBF16:
      return f(bfloat16());
    case kF32:
      return f(float());
    case kF64:
      break;
  }
  return f(double());
}

// Of the level in use, in Highway's tables of functions. Throws Error if GLIA_CPU is no level.
size_t target_index();

}  // namespace glia::cpu
