// Operations that other rooms of the library record but users have no use for.
#pragma once

#include <span>
#include <vector>

#include "core/op.h"
#include "glia/ops.h"

namespace glia {

// x within an array of `shape` that is `value` elsewhere: element i of an axis goes to position
// start + i * step (step above 0).
Tensor embed(const Tensor& x, const Shape& shape, const std::vector<int64_t>& starts,
             const std::vector<int64_t>& steps, double value, Where where);

// Records a kernel with several results, one of each shape and dtype.
std::vector<Tensor> record_outputs(const Op& op, std::span<Node* const> inputs,
                                   const std::vector<Shape>& shapes,
                                   const std::vector<DType>& dtypes,
                                   std::span<const int64_t> attributes, const Where& where);

}  // namespace glia
