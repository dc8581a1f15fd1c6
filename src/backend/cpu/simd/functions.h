// Where tile_function and its siblings look: one function for each source, which gives the kernel
// for the instruction set in use.
#pragma once

#include "backend/cpu/simd/tile.h"
#include "core/with_dtype.h"

namespace glia::cpu {

// Null where the op is not defined.
TileFunction f32_function(Code code);
TileFunction f64_function(Code code);
TileFunction half_function(Code code, DType dtype);  // f16 and bf16
TileFunction integer_function(Code code, DType dtype);
TileFunction compare_function(Code code, DType dtype);  // all but 16-bit floats
TileFunction where_function(int64_t size);              // bytes of an element

// Of the level in use, in Highway's tables of functions. Throws Error if GLIA_CPU is no level.
// x = sin(x + quarters pi / 2) of a vector of f32, for quarters 0 and 1: what SIMD code calls for
// large numbers. The first argument is not used.
using SineFunction = void (*)(uint32_t, float* x, const float*);
SineFunction sine_function(int quarters);

size_t target_index();

}  // namespace glia::cpu
