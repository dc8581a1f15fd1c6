// Codes of the fusible operations, by which graph and backends know them.
#pragma once

#include <cstdint>

#include "glia/dtype.h"

namespace glia {

struct Op;
class Shape;
class Tensor;

enum class Code : uint8_t {
#define UNARY(code, ...) code,
#define BINARY(code, ...) code,
#define COMPARE(code, ...) code,
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
  kWhere,    // (bool, T, T) -> T
  kCast,     // any -> any
  kUniform,  // () -> float in [0, 1): Philox of a key and the element's position
};

// Reductions. Sums and products are over f32, f64 and i64 only, extremes over any type but 16-bit
// floats: recording casts to those first.
enum class ReduceCode : uint8_t { kSum, kProd, kMax, kMin };

const Op& elementwise_op(Code code);
// Uniform numbers in [0, 1) of the stream `key`, (2,) i64 on which no plan depends.
Tensor record_uniform(const Shape& shape, DType dtype, const Tensor& key);

}  // namespace glia
