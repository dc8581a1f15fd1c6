// Views: other shapes and strides over the same values.
#include <algorithm>
#include <numeric>

#include "core/op.h"
#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- reshape: attributes none ----

// Strides of the same elements under another shape, as far as strides can say it.
bool view_reshape(const Node& node, const Layout& in, Layout* out) {
  const Shape& to = node.shape;
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
const Op kReshape{.name = "reshape", .kind = Kind::kView, .vjp = vjp_reshape, .view = view_reshape};

// ---- permute: attributes: the input axis of each output axis ----

bool view_permute(const Node& node, const Layout& in, Layout* out) {
  out->shape = node.shape;
  out->offset = in.offset;
  for (int i = 0; i < node.shape.rank(); ++i) out->strides[i] = in.strides[node.attributes[i]];
  return true;
}
void vjp_permute(Vjp& v) {
  Axes inverse(v.node().attribute_count);
  for (size_t i = 0; i < inverse.size(); ++i) inverse[v.attribute(i)] = i;
  v.set(0, permute_parts(v.g(), inverse));
}
const Op kPermute{.name = "permute", .kind = Kind::kView, .vjp = vjp_permute, .view = view_permute};

// ---- expand: attributes none ----

bool view_expand(const Node& node, const Layout& in, Layout* out) {
  out->shape = node.shape;
  out->offset = in.offset;
  const int shift = node.shape.rank() - in.shape.rank();
  for (int i = 0; i < node.shape.rank(); ++i) {
    const bool repeated = i < shift || (in.shape[i - shift] == 1 && node.shape[i] != 1);
    out->strides[i] = repeated ? 0 : in.strides[i - shift];
  }
  return true;
}
void vjp_expand(Vjp& v) { v.set(0, v.g()); }
const Op kExpand{.name = "expand", .kind = Kind::kView, .vjp = vjp_expand, .view = view_expand};

// ---- slice: attributes: axis, start, step (above 0) ----

bool view_slice(const Node& node, const Layout& in, Layout* out) {
  *out = in;
  out->shape = node.shape;
  const int64_t axis = node.attributes[0];
  if (node.shape[axis] > 0) out->offset += node.attributes[1] * in.strides[axis];
  out->strides[axis] *= node.attributes[2];
  return true;
}
void vjp_slice(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  std::vector<int64_t> starts(shape.rank(), 0), steps(shape.rank(), 1);
  starts[v.attribute(0)] = v.attribute(1);
  steps[v.attribute(0)] = v.attribute(2);
  v.set(0, embed(v.g(), shape, starts, steps, 0, v.node().where));
}
const Op kSlice{.name = "slice", .kind = Kind::kView, .vjp = vjp_slice, .view = view_slice};

// ---- select: attributes: axis, position ----

bool view_select(const Node& node, const Layout& in, Layout* out) {
  const auto axis = static_cast<int>(node.attributes[0]);
  out->shape = node.shape;
  out->offset = in.offset + node.attributes[1] * in.strides[axis];
  for (int i = 0; i < node.shape.rank(); ++i) out->strides[i] = in.strides[i + (i >= axis)];
  return true;
}
void vjp_select(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  std::vector<int64_t> starts(shape.rank(), 0), steps(shape.rank(), 1);
  starts[v.attribute(0)] = v.attribute(1);
  const Tensor part = unsqueeze(v.g(), static_cast<int>(v.attribute(0)), v.node().where);
  v.set(0, embed(part, shape, starts, steps, 0, v.node().where));
}
const Op kSelect{.name = "select", .kind = Kind::kView, .vjp = vjp_select, .view = view_select};

// ---- flip: attributes: a bit mask of axes ----

bool view_flip(const Node& node, const Layout& in, Layout* out) {
  *out = in;
  for (int i = 0; i < in.shape.rank(); ++i) {
    if (!(node.attributes[0] >> i & 1)) continue;
    if (in.shape[i] > 0) out->offset += (in.shape[i] - 1) * in.strides[i];
    out->strides[i] = -in.strides[i];
  }
  return true;
}
void vjp_flip(Vjp& v) {
  Axes axes;
  for (int i = 0; i < kMaxRank; ++i) {
    if (v.attribute(0) >> i & 1) axes.push_back(i);
  }
  v.set(0, flip(v.g(), axes));
}
const Op kFlip{.name = "flip", .kind = Kind::kView, .vjp = vjp_flip, .view = view_flip};

const RegisterOp registered[] = {RegisterOp(kReshape), RegisterOp(kPermute), RegisterOp(kExpand),
                                 RegisterOp(kSlice),   RegisterOp(kSelect),  RegisterOp(kFlip)};

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
  int64_t from[kMaxRank];
  for (int64_t axis : axes) {
    const int i = checked_axis("permute", axis, x.rank(), where);
    if (seen >> i & 1) fail("permute", "axis " + std::to_string(axis) + " appears twice", where);
    seen |= int64_t{1} << i;
    from[to.rank()] = i;
    to.push_back(x.shape()[i]);
  }
  if (to.rank() != x.rank())
    fail("permute", std::to_string(axes.size()) + " axes for shape " + x.shape().str(), where);
  Node* in = x.node();
  return record(kPermute, {&in, 1}, to, x.dtype(), {from, axes.size()}, where);
}

Tensor transpose(const Tensor& x, int axis0, int axis1, Where where) {
  require_defined("transpose", x, where);
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
  std::vector<int64_t> starts(pads.size()), steps(pads.size(), 1);
  for (size_t i = 0; i < pads.size(); ++i) {
    if (pads[i].first < 0 || pads[i].second < 0) fail("pad", "a pad is negative", where);
    to[i] = add_sizes(to[i], add_sizes(pads[i].first, pads[i].second));
    starts[i] = pads[i].first;
  }
  return to == x.shape() ? x : embed(x, to, starts, steps, value, where);
}

Tensor slice(const Tensor& x, int axis, Slice range, Where where) {
  require_defined("slice", x, where);
  const int i = checked_axis("slice", axis, x.rank(), where);
  if (range.step == 0) fail("slice", "the step is 0", where);
  const Range r = resolve(range, x.shape()[i]);
  Tensor part = x;
  if (r.count != x.shape()[i]) {
    Shape to = x.shape();
    to[i] = r.count;
    part = record(kSlice, {x.node()}, to, x.dtype(), {i, r.start, r.step}, where);
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
  return record(kSelect, {x.node()}, to, x.dtype(), {axis, position}, where);
}

Tensor flip(const Tensor& x, const Axes& axes, Where where) {
  require_defined("flip", x, where);
  const int64_t mask = axes.empty() ? 0 : axis_mask("flip", axes, x.rank(), where);
  return mask ? record(kFlip, {x.node()}, x.shape(), x.dtype(), {mask}, where) : x;
}

}  // namespace glia
