// Kernels over one tile: a short run of elements that stays in the L1 cache. Compiled for every
// instruction set and chosen when the program runs.
#pragma once

#include <cstdint>
#include <string_view>

#include "glia/dtype.h"
#include "ops/elementwise.h"

namespace glia::cpu {

// out[i] = f(a[i], b[i], c[i]) for i < n, over contiguous arrays. No pointer needs to be aligned,
// nothing beyond n is read or written, and out may be one of the inputs where the element sizes
// agree. The result of an element does not depend on n or on its place.
using TileFunction = void (*)(void* out, const void* a, const void* b, const void* c, int64_t n);

// `dtype` is that of a and b (of b and c for kWhere, whose a is bool). The output's is the same,
// or bool for a comparison. 16-bit floats are computed in f32 and rounded. Null where the op is
// not defined on the dtype. Not for kCast and kUniform.
TileFunction tile_function(Code code, DType dtype);
// out = a converted: to bool by != 0, from float to integer towards zero (saturating, NaN to 0).
TileFunction cast_function(DType from, DType to);

// out[i] = the uniform number at position first + i of the stream `key` (two words: seed, call),
// f32 with 24 random bits, f64 with 53. Philox 4x32-10; position p uses block p / 4 (f32) or
// p / 2 (f64).
void uniform_tile(void* out, DType dtype, const uint64_t key[2], int64_t first, int64_t n);

// What numbers of a dtype are reduced in: f64 for sums and products of f32, so that a result is
// rounded once, whatever its length; else the dtype itself.
DType accumulated(ReduceCode code, DType dtype);
// out[r] = the reduction of x[r * cols .. + cols), for r < rows, in the accumulated dtype; an order
// of operations fixed by cols alone. An empty row gives the identity (for extremes: -inf or the
// lowest value, ...). NaN wins in extremes of floats.
using RowFunction = void (*)(void* out, const void* x, int64_t rows, int64_t cols);
RowFunction row_function(ReduceCode code, DType dtype);
// acc[c] = reduce(acc[c], x[r * cols + c]) for all r, c < cols, in the accumulated dtype: eight
// rows pairwise, then into acc.
using ColumnFunction = void (*)(void* acc, const void* x, int64_t rows, int64_t cols);
ColumnFunction column_function(ReduceCode code, DType dtype);
// Ends what was reduced apart, in the accumulated dtype; overwrites it. out[c], of `dtype`, = the
// reduction of groups[g * stride + c] over g < count, pairwise.
void reduce_groups(ReduceCode code, DType dtype, void* out, void* groups, int64_t count,
                   int64_t cols, int64_t stride);
// out[r], of `dtype`, = the reduction of parts[r * count .. + count).
void reduce_parts(ReduceCode code, DType dtype, void* out, void* parts, int64_t rows,
                  int64_t count);
// Fills n elements of `dtype` with the reduction's identity.
void fill_identity(ReduceCode code, DType dtype, void* out, int64_t n);

// Fills n elements of `size` bytes with copies of one.
void fill_tile(void* out, const void* value, int64_t n, int64_t size);
// out[r * columns + c] = in[r].
void spread_tile(void* out, const void* in, int64_t rows, int64_t columns, int64_t size);
// out[i * out_stride] = in[i * in_stride] for i < n; strides in elements of `size` bytes.
void copy_strided(void* out, int64_t out_stride, const void* in, int64_t in_stride, int64_t n,
                  int64_t size);

// "avx512", "avx2" or "baseline": what is in use; GLIA_CPU caps it.
// Throws Error if GLIA_CPU is none of these.
const char* level();
// For tests: what level() gives from now on. False if this processor does not have it. Not while
// another thread computes; functions got before stay as they are.
bool set_level_for_test(std::string_view level);

}  // namespace glia::cpu
