// Reading and writing at indices and masks, out of gather, index_put and where.
#include "glia/ops/select.h"

#include <numeric>

#include "glia/ops/arrange.h"
#include "ops/gather.h"

namespace glia {
namespace {

// Throws where a number cannot be an element of x.
void require_kind(const char* op, const Tensor& x, const Number& value, const Where& where) {
  const bool fits =
      is_float(x.dtype()) || value.kind() == kBool || (value.is_integer() && x.dtype() != kBool);
  if (!fits)
    throw ValueError(
        std::string(op) + ": a tensor of " + name(x.dtype()) + " cannot hold " + value.str(),
        where);
}

void require_mask(const char* op, const Tensor& mask, const Where& where) {
  require_defined(op, mask, where);
  if (mask.dtype() != kBool)
    fail(op, std::string("a mask is bool, not ") + name(mask.dtype()), where);
}

void require_vector(const char* op, const Tensor& indices, const Where& where) {
  require_defined(op, indices, where);
  if (indices.rank() > 1) fail(op, "indices of rank 1, not " + indices.shape().str(), where);
}

Shape joint_shape(const char* op, const Shape& a, const Shape& b, const Where& where) {
  try {
    return broadcast(a, b);
  } catch (const ShapeError& error) {
    fail(op, error.what(), where);
  }
}

// x and indices of one rank broadcast to each other in all axes but one.
struct Aligned {
  Tensor x, indices;
  int axis;
  Aligned(const char* op, const Tensor& given, const Tensor& at, int asked, const Where& where)
      : axis(checked_axis(op, asked, given.rank(), where)) {
    require_defined(op, at, where);
    if (at.rank() != given.rank())
      fail(op,
           "indices " + at.shape().str() + " and " + given.shape().str() + " are of different rank",
           where);
    Shape a = given.shape(), b = at.shape();
    a[axis] = b[axis] = 1;
    Shape shape = joint_shape(op, a, b, where);
    shape[axis] = given.shape()[axis];
    x = expand(given, shape, where);
    shape[axis] = at.shape()[axis];
    indices = expand(at, shape, where);
  }
};

}  // namespace

// ---- Slices at indices ----

Tensor index_select(const Tensor& x, const Tensor& indices, int axis, Where where) {
  require_vector("index_select", indices, where);
  require_defined("index_select", x, where);
  if (x.rank() == 0) return as_number(index_select(as_line(x), indices, axis, where));
  return take(x, as_line(indices), axis, where);
}

namespace {
Tensor put_slices(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                  const Where& where) {
  const Tensor at = indices.dtype() == kI32 ? indices : cast(indices, kI64);
  return index_put(x, at, cast(source, x.dtype()), axis, where);
}
// The places of an array's elements in the flattened one.
Tensor positions_in(const Shape& shape) { return reshape(arange(shape.numel()), shape); }
Tensor slice_indices(const char* op, const Tensor& x, const Tensor& indices, const Where& where) {
  require_defined(op, x, where);
  require_vector(op, indices, where);
  if (!is_integer(indices.dtype()))
    fail(op, std::string("indices are integers, not ") + name(indices.dtype()), where);
  return reshape(indices, {indices.numel()});
}
}  // namespace

Tensor index_copy(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                  Where where) {
  const Tensor at = slice_indices("index_copy", x, indices, where);
  require_defined("index_copy", source, where);
  if (x.rank() == 0) return as_number(index_copy(as_line(x), at, as_line(source), axis, where));
  const int i = checked_axis("index_copy", axis, x.rank(), where);
  const Shape expected = taken_shape(x.shape(), i, at.shape());
  if (source.shape() != expected)
    fail("index_copy", "source " + source.shape().str() + " should be " + expected.str(), where);
  return put_slices(x, at, source, i, where);
}
Tensor index_fill(const Tensor& x, const Tensor& indices, const Number& value, int axis,
                  Where where) {
  const Tensor at = slice_indices("index_fill", x, indices, where);
  require_kind("index_fill", x, value, where);
  if (x.rank() == 0) return as_number(index_fill(as_line(x), at, value, axis, where));
  const int i = checked_axis("index_fill", axis, x.rank(), where);
  const Tensor source = full(taken_shape(x.shape(), i, at.shape()), value, x.dtype());
  return put_slices(x, at, source, i, where);
}

// ---- Elements at indices ----

Tensor take_along_axis(const Tensor& x, const Tensor& indices, std::optional<int> axis,
                       Where where) {
  require_defined("take_along_axis", x, where);
  require_defined("take_along_axis", indices, where);
  if (!axis) return gather(reshape(x, {-1}), reshape(indices, {-1}), 0, where);
  if (x.rank() == 0 || indices.rank() == 0)
    return reshape(take_along_axis(as_line(x), as_line(indices), axis, where), indices.shape());
  const Aligned a("take_along_axis", x, indices, *axis, where);
  return gather(a.x, a.indices, a.axis, where);
}
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int> axis,
                      Where where) {
  return take_along_axis(x, indices, axis, where);
}
Tensor put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values, int axis,
                      Where where) {
  require_defined("put_along_axis", x, where);
  require_defined("put_along_axis", values, where);
  const Aligned a("put_along_axis", x, indices, axis, where);
  if (a.x.shape() != x.shape())
    fail("put_along_axis", "indices " + indices.shape().str() + " do not fit in " + x.shape().str(),
         where);
  return scatter(x, a.indices, expand(values, a.indices.shape(), where), a.axis, where);
}

// As slices of the flattened array: an index stands for its position there.
Tensor scatter(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
               Where where) {
  const auto [i, part, used, given] = scatter_parts("scatter", x, indices, source, axis, where);
  const Shape& shape = part.shape();
  int64_t strides[kMaxRank], stride = 1;
  for (int k = shape.rank() - 1; k >= 0; stride *= shape[k--]) strides[k] = stride;
  Tensor at = check_index(given, shape[i], where) * strides[i];
  for (int k = 0; k < shape.rank(); ++k) {
    if (k == i) continue;
    Shape along = Shape::filled(shape.rank(), 1);
    along[k] = shape[k];
    at = at + reshape(arange(shape[k]) * strides[k], along);
  }
  const Tensor flat = index_put(reshape(part, {-1}), reshape(at, {-1}),
                                cast(reshape(used, {-1}), x.dtype()), 0, where);
  return with_part(x, reshape(flat, shape), where);
}
Tensor scatter(const Tensor& x, const Tensor& indices, const Number& value, int axis, Where where) {
  require_defined("scatter", x, where);
  require_defined("scatter", indices, where);
  require_kind("scatter", x, value, where);
  return scatter(x, indices, full(indices.shape(), value, x.dtype()), axis, where);
}

namespace {

// What changes nothing when it is put together with others.
Number neutral(ScatterReduction reduce, DType dtype) {
  if (reduce == ScatterReduction::kProd) return 1;
  if (reduce == ScatterReduction::kSum || reduce == ScatterReduction::kMean) return 0;
  const bool largest = reduce == ScatterReduction::kAmax;
  if (is_float(dtype))
    return largest ? -std::numeric_limits<double>::infinity()
                   : std::numeric_limits<double>::infinity();
  if (dtype == kBool) return !largest;
  return largest ? lowest_of(dtype) : highest_of(dtype);
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                      ScatterReduction reduce, bool include_self, Where where) {
  const auto [i, part, used, at] = scatter_parts("scatter_reduce", x, indices, source, axis, where);
  const DType dtype = promote(x.dtype(), source.dtype());
  const DType in = is_float(dtype) ? sum_dtype(dtype) : dtype;
  const Tensor s = cast(used, in);
  Tensor start = cast(part, in), count;
  if (reduce == ScatterReduction::kMean || !include_self)
    count = scatter_add(zeros(part.shape(), kI64), at, ones(at.shape(), kI64), i, where);
  if (!include_self) start = glia::where(count > 0, neutral(reduce, in), start);
  Tensor y;
  switch (reduce) {
    case ScatterReduction::kSum:
    case ScatterReduction::kMean:
      y = scatter_add(start, at, s, i, where);
      break;
    case ScatterReduction::kProd:
      y = reduce_at(start, at, s, i, ReduceCode::kProd, where);
      break;
    case ScatterReduction::kAmax:
    case ScatterReduction::kAmin:
      y = reduce_at(start, at, s, i,
                    reduce == ScatterReduction::kAmax ? ReduceCode::kMax : ReduceCode::kMin, where);
      break;
  }
  if (reduce == ScatterReduction::kMean) {
    const Tensor n = include_self ? count + 1 : maximum(count, 1);
    y = is_float(in) ? y / cast(n, in) : floor_divide(y, cast(n, in));
  }
  return with_part(x, cast(y, dtype), where);
}

Tensor index_reduce(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                    ScatterReduction reduce, bool include_self, Where where) {
  const char* op = "index_reduce";
  const Tensor at = slice_indices(op, x, indices, where);
  require_defined(op, source, where);
  if (x.rank() == 0)
    return as_number(
        index_reduce(as_line(x), at, as_line(source), axis, reduce, include_self, where));
  const int i = checked_axis(op, axis, x.rank(), where);
  const Shape expected = taken_shape(x.shape(), i, at.shape());
  if (source.shape() != expected)
    fail(op, "source " + source.shape().str() + " should be " + expected.str(), where);
  Shape along = Shape::filled(x.rank(), 1);
  along[i] = at.numel();
  return scatter_reduce(x, expand(reshape(at, along), expected), source, i, reduce, include_self,
                        where);
}

Tensor put(const Tensor& x, const Tensor& indices, const Tensor& source, bool accumulate,
           Where where) {
  require_defined("put", x, where);
  require_defined("put", indices, where);
  require_defined("put", source, where);
  if (!is_integer(indices.dtype()))
    fail("put", std::string("indices are integers, not ") + name(indices.dtype()), where);
  if (source.numel() != indices.numel())
    fail("put", "source " + source.shape().str() + " for indices " + indices.shape().str(), where);
  const Tensor flat = reshape(x, {-1}), at = reshape(indices, {-1});
  const Tensor from = cast(reshape(source, {-1}), x.dtype());
  return reshape(accumulate ? index_add(flat, cast(at, kI64), from, 0, where)
                            : put_slices(flat, at, from, 0, where),
                 x.shape());
}

Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate, Where where) {
  require_defined("index_put", x, where);
  require_defined("index_put", values, where);
  std::vector<Index> at;
  for (const Tensor& one : indices) {
    if (one.defined())
      at.emplace_back(one);
    else
      at.emplace_back(Slice{});
  }
  if (!accumulate) return index_update(x, at, values, where);
  const Tensor places = index(positions_in(x.shape()), at, where);
  return put(x, places, expand(values, places.shape(), where), true, where);
}

std::vector<Tensor> unravel_index(const Tensor& indices, const Shape& shape, Where where) {
  require_defined("unravel_index", indices, where);
  if (!is_integer(indices.dtype()))
    fail("unravel_index", std::string("indices are integers, not ") + name(indices.dtype()), where);
  for (int64_t size : shape) {
    if (size < 0) fail("unravel_index", "the shape is " + shape.str(), where);
  }
  Tensor rest = check_index(cast(indices, kI64), shape.numel(), where);
  std::vector<Tensor> out(shape.rank());
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const int64_t size = std::max<int64_t>(shape[i], 1);
    out[i] = remainder(rest, size);
    rest = floor_divide(rest, size);
  }
  return out;
}

Tensor select_scatter(const Tensor& x, const Tensor& source, int axis, int64_t index, Where where) {
  require_defined("select_scatter", x, where);
  require_defined("select_scatter", source, where);
  const int i = checked_axis("select_scatter", axis, x.rank(), where);
  const int64_t size = x.shape()[i], at = index < 0 ? index + size : index;
  if (at < 0 || at >= size)
    throw ValueError("select_scatter: index " + std::to_string(index) + " is out of range for " +
                         x.shape().str() + " along axis " + std::to_string(i),
                     where);
  return slice_scatter(x, cast(unsqueeze(source, i, where), x.dtype()), i, at, where);
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int axis0, int axis1,
                        Where where) {
  require_defined("diagonal_scatter", x, where);
  require_defined("diagonal_scatter", source, where);
  const Tensor places = diagonal(positions_in(x.shape()), offset, axis0, axis1, where);
  if (source.shape() != places.shape())
    fail("diagonal_scatter",
         "source " + source.shape().str() + " should be " + places.shape().str(), where);
  return put(x, places, source, false, where);
}

// ---- Masks ----

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Number& value, Where where) {
  require_defined("masked_fill", x, where);
  require_mask("masked_fill", mask, where);
  require_kind("masked_fill", x, value, where);
  return glia::where(Operand(mask, where), Operand(full({}, value, x.dtype()), where), x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask, Where where) {
  require_defined("masked_select", x, where);
  require_mask("masked_select", mask, where);
  const Shape shape = joint_shape("masked_select", x.shape(), mask.shape(), where);
  return index(reshape(expand(x, shape), {-1}), {reshape(expand(mask, shape), {-1})}, where);
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source, Where where) {
  require_defined("masked_scatter", x, where);
  require_mask("masked_scatter", mask, where);
  require_defined("masked_scatter", source, where);
  if (source.dtype() != x.dtype())
    fail("masked_scatter",
         std::string("a tensor of ") + name(x.dtype()) + " takes no elements of " +
             name(source.dtype()),
         where);
  const Tensor here = reshape(expand(mask, x.shape(), where), {-1});
  if (source.numel() == 0) {
    if (any(here).item<bool>()) throw ValueError("masked_scatter: the source is empty", where);
    return x;
  }
  const Tensor number = maximum(cumsum(here, 0, where) - 1, 0);
  // Where nothing is taken any element will do.
  const Tensor taken = take(reshape(source, {-1}), glia::where(here, number, 0), 0, where);
  return reshape(glia::where(here, taken, reshape(x, {-1})), x.shape());
}

}  // namespace glia
