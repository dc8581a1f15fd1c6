// Views: other shapes and strides over the same values.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/positioned.h"
#include "glia/ops.h"
#include "glia/ops/conv.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- Batching: the examples' axis comes in front ----

template <Attributes A>
Tensor view_again(const Recorded& node, const Tensor& x, int64_t size, const A& attributes) {
  return record(node.op(), {x.node()}, batched_shape(node, size), node.dtype(), attributes,
                node.where());
}

// ---- reshape ----

// Strides of the same elements under another shape, as far as strides can say it.
bool view_reshape(const Recorded& node, const Layout& in, Layout* out) {
  const Shape& to = node.shape();
  *out = Layout::contiguous(to);
  out->offset = in.offset;
  if (to.numel() == 0 || in.is_contiguous()) return true;
  int i = 0, j = 0;
  while (i < in.shape.rank() || j < to.rank()) {
    // The smallest runs of axes of both that hold equally many elements.
    int64_t old_size = 1, new_size = 1;
    const int i0 = i, j0 = j;
    do {
      if (old_size <= new_size && i < in.shape.rank())
        old_size *= in.shape[i++];
      else if (j < to.rank())
        new_size *= to[j++];
      else
        old_size *= in.shape[i++];
    } while (old_size != new_size);
    // The old run must be one block: each stride the next axis's times its size.
    int64_t expected = 0, inner = 1;
    bool innermost = true;
    for (int k = i - 1; k >= i0; --k) {
      if (in.shape[k] == 1) continue;
      if (innermost)
        inner = in.strides[k];
      else if (in.strides[k] != expected)
        return false;
      innermost = false;
      expected = in.strides[k] * in.shape[k];
    }
    for (int k = j - 1; k >= j0; --k) {
      out->strides[k] = inner;
      inner *= to[k];
    }
  }
  return true;
}
void vjp_reshape(Vjp& v) { v.set(0, reshape(v.g(), v.node().inputs[0]->shape)); }
Tensor batch_reshape(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                     int64_t size) {
  return reshape(inputs[0], batched_shape(node, size), node.where());
}
const Op kReshape{.name = "reshape",
                  .kind = Kind::kView,
                  .vjp = vjp_reshape,
                  .view = view_reshape,
                  .batch = batch_reshape};

// ---- permute ----

struct PermuteAttributes {
  Shape axes;  // the input axis of each output axis
  GLIA_ATTRIBUTES(axes)
};

bool view_permute(const Recorded& node, const Layout& in, Layout* out) {
  out->shape = node.shape();
  out->offset = in.offset;
  const Shape axes = node.attributes<PermuteAttributes>().axes;
  for (int i = 0; i < axes.rank(); ++i) out->strides[i] = in.strides[axes[i]];
  return true;
}
void vjp_permute(Vjp& v) {
  const Shape axes = v.attributes<PermuteAttributes>().axes;
  Axes inverse(axes.rank());
  for (int i = 0; i < axes.rank(); ++i) inverse[axes[i]] = i;
  v.set(0, permute_parts(v.g(), inverse));
}
Tensor batch_permute(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                     int64_t size) {
  PermuteAttributes attributes = node.attributes<PermuteAttributes>();
  for (int64_t& axis : attributes.axes) ++axis;
  attributes.axes.insert(0, 0);
  return view_again(node, inputs[0], size, attributes);
}
const Op kPermute{.name = "permute",
                  .kind = Kind::kView,
                  .attributes = kAttributeFields<PermuteAttributes>,
                  .vjp = vjp_permute,
                  .view = view_permute,
                  .batch = batch_permute};

// ---- expand ----

bool view_expand(const Recorded& node, const Layout& in, Layout* out) {
  out->shape = node.shape();
  out->offset = in.offset;
  const int shift = node.shape().rank() - in.shape.rank();
  for (int i = 0; i < node.shape().rank(); ++i) {
    const bool repeated = i < shift || (in.shape[i - shift] == 1 && node.shape()[i] != 1);
    out->strides[i] = repeated ? 0 : in.strides[i - shift];
  }
  return true;
}
void vjp_expand(Vjp& v) { v.set(0, v.g()); }
Tensor batch_expand(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                    int64_t size) {
  const Tensor aligned = with_axes_behind_first(inputs[0], node.shape().rank());
  return expand(aligned, batched_shape(node, size), node.where());
}
const Op kExpand{.name = "expand",
                 .kind = Kind::kView,
                 .vjp = vjp_expand,
                 .view = view_expand,
                 .batch = batch_expand,
                 .broadcasts = true};

// Of views along one axis, which the examples' axis moves on by one.
template <Attributes A>
Tensor batch_along_axis(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                        int64_t size) {
  A attributes = node.attributes<A>();
  ++attributes.axis;
  return view_again(node, inputs[0], size, attributes);
}

template <Attributes A>
int axis_of(const Recorded& view) {
  return static_cast<int>(view.attributes<A>().axis);
}

// ---- slice ----

struct SliceAttributes {
  int64_t start = 0, axis = 0, step = 1;  // the step is above 0
  GLIA_ATTRIBUTES(start, axis, step)
};

bool view_slice(const Recorded& node, const Layout& in, Layout* out) {
  *out = in;
  out->shape = node.shape();
  const auto [start, axis, step] = node.attributes<SliceAttributes>();
  if (out->shape[axis] > 0) out->offset += start * in.strides[axis];
  out->strides[axis] *= step;
  return true;
}
void vjp_slice(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  Shape starts = Shape::filled(shape.rank(), 0), steps = Shape::filled(shape.rank(), 1);
  const auto [start, axis, step] = v.attributes<SliceAttributes>();
  starts[axis] = start;
  steps[axis] = step;
  v.set(0, embed(v.g(), shape, starts, steps, 0, v.node().where));
}
const Op kSlice{.name = "slice",
                .kind = Kind::kView,
                .attributes = kAttributeFields<SliceAttributes>,
                .vjp = vjp_slice,
                .view = view_slice,
                .batch = batch_along_axis<SliceAttributes>};
const Op kSliceAt = kSlice;  // unless a composition records it

// ---- select ----

struct SelectAttributes {
  int64_t position = 0, axis = 0;
  GLIA_ATTRIBUTES(position, axis)
};

bool view_select(const Recorded& node, const Layout& in, Layout* out) {
  const auto [position, axis] = node.attributes<SelectAttributes>();
  out->shape = node.shape();
  out->offset = in.offset + position * in.strides[axis];
  for (int i = 0; i < out->shape.rank(); ++i) out->strides[i] = in.strides[i + (i >= axis)];
  return true;
}
void vjp_select(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  Shape starts = Shape::filled(shape.rank(), 0), steps = Shape::filled(shape.rank(), 1);
  const auto [position, axis] = v.attributes<SelectAttributes>();
  starts[axis] = position;
  const Tensor part = unsqueeze(v.g(), static_cast<int>(axis), v.where());
  v.set(0, embed(part, shape, starts, steps, 0, v.node().where));
}
const Op kSelect{.name = "select",
                 .kind = Kind::kView,
                 .attributes = kAttributeFields<SelectAttributes>,
                 .vjp = vjp_select,
                 .view = view_select,
                 .batch = batch_along_axis<SelectAttributes>};
const Op kSelectAt = kSelect;

// ---- flip ----

struct FlipAttributes {
  int64_t axes = 0;  // a bit for each
  GLIA_ATTRIBUTES(axes)
};

bool view_flip(const Recorded& node, const Layout& in, Layout* out) {
  *out = in;
  const int64_t axes = node.attributes<FlipAttributes>().axes;
  for (int i = 0; i < in.shape.rank(); ++i) {
    if (!(axes >> i & 1)) continue;
    if (in.shape[i] > 0) out->offset += (in.shape[i] - 1) * in.strides[i];
    out->strides[i] = -in.strides[i];
  }
  return true;
}
void vjp_flip(Vjp& v) {
  const int64_t mask = v.attributes<FlipAttributes>().axes;
  Axes axes;
  for (int i = 0; i < kMaxRank; ++i) {
    if (mask >> i & 1) axes.push_back(i);
  }
  v.set(0, flip(v.g(), axes));
}
Tensor batch_flip(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                  int64_t size) {
  return view_again(node, inputs[0], size,
                    FlipAttributes{node.attributes<FlipAttributes>().axes << 1});
}
const Op kFlip{.name = "flip",
               .kind = Kind::kView,
               .attributes = kAttributeFields<FlipAttributes>,
               .vjp = vjp_flip,
               .view = view_flip,
               .batch = batch_flip};

const RegisterOp registered[] = {RegisterOp(kReshape), RegisterOp(kPermute), RegisterOp(kExpand),
                                 RegisterOp(kSlice),   RegisterOp(kSelect),  RegisterOp(kFlip)};
const RegisterPositioned positioned[] = {
    RegisterPositioned({&kSliceAt, axis_of<SliceAttributes>}),
    RegisterPositioned({&kSelectAt, axis_of<SelectAttributes>})};

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape, Where where) {
  require_defined("reshape", x, where);
  Shape to = shape;
  int64_t known = 1, open = -1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] >= 0)
      known = multiply_sizes(known, to[i]);
    else if (to[i] == -1 && open < 0)
      open = i;
    else
      fail("reshape", "sizes of " + shape.str() + " must not be negative, but one -1", where);
  }
  if (open >= 0 && known != 0) to[open] = x.numel() / known;
  if ((open >= 0 && known == 0) || multiply_sizes(known, open < 0 ? 1 : to[open]) != x.numel())
    fail("reshape", x.shape().str() + " does not have the size of " + shape.str(), where);
  if (to == x.shape()) return x;
  return record(kReshape, {x.node()}, to, x.dtype(), {}, where);
}

Tensor flatten(const Tensor& x, int start_axis, int end_axis, Where where) {
  require_defined("flatten", x, where);
  if (x.rank() == 0) return reshape(x, {1}, where);
  const int start = checked_axis("flatten", start_axis, x.rank(), where);
  const int end = checked_axis("flatten", end_axis, x.rank(), where);
  if (start > end) fail("flatten", "the first axis comes after the last", where);
  Shape to;
  int64_t merged = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < start || i > end)
      to.push_back(x.shape()[i]);
    else
      merged *= x.shape()[i];
    if (i == end) to.push_back(merged);
  }
  return reshape(x, to, where);
}

Tensor squeeze(const Tensor& x, int axis, Where where) {
  require_defined("squeeze", x, where);
  if (x.rank() == 0 && (axis == 0 || axis == -1)) return x;
  const int i = checked_axis("squeeze", axis, x.rank(), where);
  if (x.shape()[i] != 1)
    fail("squeeze", "axis " + std::to_string(axis) + " of " + x.shape().str() + " is not 1", where);
  Shape to = x.shape();
  to.erase(i);
  return reshape(x, to, where);
}

Tensor unsqueeze(const Tensor& x, int axis, Where where) {
  require_defined("unsqueeze", x, where);
  const int i = checked_axis("unsqueeze", axis, x.rank() + 1, where);
  Shape to = x.shape();
  to.insert(i, 1);
  return reshape(x, to, where);
}

Tensor permute(const Tensor& x, const Axes& axes, Where where) {
  require_defined("permute", x, where);
  int64_t seen = 0;
  Shape to;
  PermuteAttributes from;
  for (int64_t axis : axes) {
    const int i = checked_axis("permute", axis, x.rank(), where);
    if (seen >> i & 1) fail("permute", "axis " + std::to_string(axis) + " appears twice", where);
    seen |= int64_t{1} << i;
    from.axes.push_back(i);
    to.push_back(x.shape()[i]);
  }
  if (to.rank() != x.rank())
    fail("permute", std::to_string(axes.size()) + " axes for shape " + x.shape().str(), where);
  return record(kPermute, {x.node()}, to, x.dtype(), from, where);
}

Tensor transpose(const Tensor& x, int axis0, int axis1, Where where) {
  require_defined("transpose", x, where);
  if (x.rank() == 0) return as_number(transpose(as_line(x), axis0, axis1, where));
  Axes axes(x.rank());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[checked_axis("transpose", axis0, x.rank(), where)],
            axes[checked_axis("transpose", axis1, x.rank(), where)]);
  return permute(x, axes, where);
}

Tensor expand(const Tensor& x, const Shape& shape, Where where) {
  require_defined("expand", x, where);
  const int shift = shape.rank() - x.rank();
  bool fits = shift >= 0;
  for (int i = 0; fits && i < x.rank(); ++i)
    fits = x.shape()[i] == shape[shift + i] || x.shape()[i] == 1;
  if (!fits) fail("expand", x.shape().str() + " does not broadcast to " + shape.str(), where);
  if (shape == x.shape()) return x;
  return record(kExpand, {x.node()}, shape, x.dtype(), {}, where);
}

Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads,
           const Number& value, Where where) {
  require_defined("pad", x, where);
  if (static_cast<int>(pads.size()) != x.rank())
    fail("pad", std::to_string(pads.size()) + " pairs for shape " + x.shape().str(), where);
  Shape to = x.shape();
  Shape starts = Shape::filled(x.rank(), 0), steps = Shape::filled(x.rank(), 1);
  for (size_t i = 0; i < pads.size(); ++i) {
    if (pads[i].first < 0 || pads[i].second < 0)
      return pad(x, pads, PadMode::kConstant, value, where);
    to[i] = add_sizes(to[i], add_sizes(pads[i].first, pads[i].second));
    starts[i] = pads[i].first;
  }
  return to == x.shape() ? x : embed(x, to, starts, steps, value, where);
}

namespace {
// Part of a computed value that lies in one piece is a value over the same bytes, without a node of
// an operation: where it begins is then no part of a plan's key, so that a loop over the rows or
// the batches of a data set plans nothing anew. Undefined where that can't be.
Tensor piece_of(const Tensor& x, int axis, int64_t start, int64_t step, const Shape& to) {
  const Node& node = *x.node();
  if (!node.is_computed() || !node.memory || (node.needs_grad && grad_enabled())) return {};
  if (symbolic() || composing() || step != 1 || to.numel() == 0) return {};
  int64_t stride = static_cast<int64_t>(size_of(node.dtype));
  for (int i = 0; i < node.shape.rank(); ++i) {
    if (i < axis && node.shape[i] != 1) return {};
    if (i > axis) stride *= node.shape[i];
  }
  const int64_t offset = node.offset + start * stride;
  const int64_t bytes = to.numel() * static_cast<int64_t>(size_of(node.dtype));
  if (bytes >= Node::kLargeBytes || node.memory->bytes < size_t{Node::kLargeBytes})
    return leaf(node.memory, offset, to, node.dtype);
  MemoryRef copy(allocate_memory(static_cast<size_t>(bytes)));
  std::memcpy(copy->data, static_cast<const char*>(node.memory->data) + offset, bytes);
  return leaf(std::move(copy), 0, to, node.dtype);
}
}  // namespace

Tensor slice(const Tensor& x, int axis, Slice range, Where where) {
  require_defined("slice", x, where);
  const int i = checked_axis("slice", axis, x.rank(), where);
  if (range.step == 0) fail("slice", "the step is 0", where);
  const Range r = resolve(range, x.shape()[i]);
  Tensor part = x;
  if (r.count != x.shape()[i]) {
    Shape to = x.shape();
    to[i] = r.count;
    part = piece_of(x, i, r.start, r.step, to);
    if (!part.defined())
      part = record(composing() ? kSlice : kSliceAt, {x.node()}, to, x.dtype(),
                    SliceAttributes{r.start, i, r.step}, where);
  }
  return r.flipped && r.count > 1 ? flip(part, {i}, where) : part;
}

Range resolve(const Slice& s, int64_t size) {
  const auto bound = [&](int64_t end, int64_t none, int64_t low, int64_t high) {
    if (end == Slice::kNone) return none;
    return std::clamp(end < 0 ? end + size : end, low, high);
  };
  Range r;
  if (s.step > 0) {
    const int64_t stop = bound(s.stop, size, 0, size);
    r = {bound(s.start, 0, 0, size), s.step};
    if (stop > r.start) r.count = (stop - r.start - 1) / r.step + 1;
  } else {
    const int64_t start = bound(s.start, size - 1, -1, size - 1);
    const int64_t stop = bound(s.stop, -1, -1, size - 1);
    r = {0, -std::max(s.step, -INT64_MAX), 0, true};
    if (start > stop) r.count = (start - stop - 1) / r.step + 1;
    if (r.count > 0) r.start = start - (r.count - 1) * r.step;
  }
  if (r.count <= 1) r.step = 1;  // strides are multiplied by it
  return r;
}

Tensor select_position(const Tensor& x, int axis, int64_t position, const Where& where) {
  Shape to = x.shape();
  to.erase(axis);
  if (Tensor piece = piece_of(x, axis, position, 1, to); piece.defined()) return piece;
  return record(composing() ? kSelect : kSelectAt, {x.node()}, to, x.dtype(),
                SelectAttributes{position, axis}, where);
}

Tensor flip(const Tensor& x, const Axes& axes, Where where) {
  require_defined("flip", x, where);
  const int64_t mask = axes.empty() ? 0 : axis_mask("flip", axes, x.rank(), where);
  return mask ? record(kFlip, {x.node()}, x.shape(), x.dtype(), FlipAttributes{mask}, where) : x;
}

}  // namespace glia
