// What the op families share: recording, ops that users have no use for, and helpers of kernels.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "core/op.h"
#include "core/with_dtype.h"
#include "glia/ops.h"
#include "runtime/threads.h"

namespace glia {

// ---- Recording --------------------------------------------------------------------------------

// x at one position of an axis, which is gone; both are in range.
Tensor select_position(const Tensor& x, int axis, int64_t position, const Where& where);
// x within an array of `shape` that is `value` elsewhere: element i of an axis goes to position
// start + i * step (step above 0).
Tensor embed(const Tensor& x, const Shape& shape, const Shape& starts, const Shape& steps,
             const Number& value, Where where);
// What a slice or an integer selects of an axis of that size: `count` elements from start on.
struct Range {
  int64_t start = 0, step = 1, count = 0;  // the step is above 0
  bool flipped = false;                    // the last one first
  bool single = false;                     // of an integer: the result has no such axis
};
Range resolve(const Slice& s, int64_t size);
// The same within `base`, whose other elements stay.
Tensor write_box(const Tensor& base, const Tensor& x, const Shape& starts, const Shape& steps,
                 Where where);

// a + b where both are boxes on zeros that do not overlap, without sums: written on one array, or
// joined where they fill it. Undefined for any other a and b.
Tensor sum_of_boxes(const Tensor& a, const Tensor& b);
// permute(x, axes); what concat() is about to join is put together in the order wanted.
Tensor permute_parts(const Tensor& x, const Axes& axes);

// `value`, a function of the arguments, with `rule` as its derivative. Record the value under
// NoGrad: its own graph is not differentiated.
Tensor with_rule(const Tensor& value, const std::vector<Tensor>& arguments, CustomRule rule,
                 const Where& where);

// The operand as a floating-point tensor: integers become f32.
Tensor as_float(const char* op, const Operand& x);
inline Tensor as_float(const char* op, const Tensor& x, const Where& where) {
  return as_float(op, Operand(x, where));
}
// The same for what stays in f32 inside an Autocast.
Tensor as_full_float(const char* op, const Tensor& x, const Where& where);
// x (size, ...) with axes of size 1 put in so that it has `rank` besides the first.
Tensor with_axes_behind_first(const Tensor& x, int rank);
// What sums of this dtype are computed in: 16-bit floats in f32, integers in i64.
inline DType sum_dtype(DType t) {
  if (!is_float(t)) return kI64;
  return t == kF64 ? kF64 : kF32;
}

// A number that an operation is composed with: as a rule one node for all its uses by this thread.
// A host number that may change from one repetition to the next must have a node of its own.
Tensor shared_scalar(double value, DType dtype);

// The shape of what a batch rule gives.
inline Shape batched_shape(const Recorded& one, int64_t size) {
  Shape shape = one.shape();
  shape.insert(0, size);
  return shape;
}
// The batch rule of macro ops that are elementwise.
Tensor batch_elementwise(const Recorded& one, std::span<const Tensor> inputs,
                         std::span<const bool> batched, int64_t size);

// Mean and variance (the sum of squares divided by the count less `correction`) over `axes`, which
// stay with size 1. What the mean's rounding leaves is taken off again, so that they are right
// however far from zero x lies.
struct Moments {
  Tensor mean, var;
};
Moments moments(const Tensor& x, const Axes& axes, const Where& where, double correction = 0);

// log(sum(exp(x - shift))) over the axes of a bit mask, which stay with size 1. `shift` is a
// constant.
Tensor log_sum_exp(const Tensor& x, const Tensor& shift, int64_t mask, const Where& where);

// The axes of a bit mask as axis_mask() makes it: none, which stands for all, only of a tensor that
// has none.
Axes axes_in(int64_t mask);
// The shape that a reduction over these axes (all when empty) gives.
Shape reduced_shape(const Shape& shape, const Axes& axes, bool keepdim);

// Functions along an axis take a number as an array of one, whose axis is 0 or -1, as PyTorch's do.
inline Tensor as_line(const Tensor& x) { return x.rank() == 0 ? reshape(x, {1}) : x; }
inline Tensor as_number(const Tensor& line) { return reshape(line, {}); }
inline std::pair<Tensor, Tensor> as_number(const std::pair<Tensor, Tensor>& lines) {
  return {as_number(lines.first), as_number(lines.second)};
}

// ---- Kernels ----------------------------------------------------------------------------------

// An array seen from one of its axes: element (o, i, k) is at (o * size + i) * inner + k.
struct Lines {
  int64_t outer = 1, size = 1, inner = 1;
  Lines(const Shape& shape, int64_t axis) : size(shape[axis]) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != axis) (i < axis ? outer : inner) *= shape[i];
    }
  }
};

// Calls body(begin, end) for consecutive pieces of `count` items, in parallel. Pieces hold about
// `items` each, whatever the number of threads.
template <class F>
void parallel_pieces(int64_t count, int64_t items, F&& body) {
  items = std::max<int64_t>(items, 1);
  parallel_for((count + items - 1) / items,
               [&](int64_t p) { body(p * items, std::min(count, (p + 1) * items)); });
}

// Writes the elements of `from` in the places that `layout` gives them in `to`.
void copy_elements(const Array& from, void* to, const Layout& layout);

}  // namespace glia
