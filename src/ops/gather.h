// Operations at positions given by tensors that users have no use for.
#pragma once

#include "glia/tensor.h"

namespace glia {

// The indices as i64, negative ones counted from the end of an axis of that size; throws ValueError
// when it is computed where one is out of range.
Tensor check_index(const Tensor& indices, int64_t size, const Where& where);

// x with the slices at the indices along the axis replaced: of several at one index the last stays.
Tensor index_put(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 const Where& where);
// `count` axes from `from` on brought to begin at `to`, the others in their order.
Tensor move_axes(const Tensor& x, int from, int count, int to);
// The shape of slices of x at indices of that shape.
Shape taken_shape(const Shape& x, int axis, const Shape& indices);

}  // namespace glia
