// Arrays put together from others, and taken apart.
#include "core/positioned.h"
#include "ops/private.h"

namespace glia {
namespace {

// The part of `layout` that begins at `start` of `axis`, in steps.
void move_to(Layout* layout, int axis, int64_t start, int64_t step) {
  layout->offset += start * layout->strides[axis];
  layout->strides[axis] *= step;
}

// ---- concat ----

void run_concat(const KernelCall& call) {
  const int axis = static_cast<int>(call.attributes<AxisAttributes>().axis);
  int64_t start = 0;
  for (const Array& part : call.in) {
    Layout to = call.out[0].layout;
    move_to(&to, axis, start, 1);
    copy_elements(part, call.out[0].data, to);
    start += part.layout.shape[axis];
  }
}
void vjp_concat(Vjp& v) {
  const int axis = static_cast<int>(v.attributes<AxisAttributes>().axis);
  int64_t start = 0;
  for (int i = 0; i < v.node().input_count; ++i) {
    const int64_t stop = start + v.node().inputs[i]->shape[axis];
    if (v.needs(i)) v.set(i, slice(v.g(), axis, {start, stop, 1}));
    start = stop;
  }
}
Tensor batch_concat(const Recorded& node, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> parts;
  for (size_t i = 0; i < inputs.size(); ++i)
    parts.push_back(with_batch_axis(inputs[i], batched[i], size));
  return concat(parts, static_cast<int>(node.attributes<AxisAttributes>().axis) + 1, node.where());
}
const Op kConcat{.name = "concat",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<AxisAttributes>,
                 .vjp = vjp_concat,
                 .run = run_concat,
                 .strided = true,
                 .batch = batch_concat};

// ---- write_box(base, x) ----

struct BoxAttributes {
  Shape starts, steps;  // of each axis
  GLIA_ATTRIBUTES(starts, steps)
};

void run_write_box(const KernelCall& call) {
  Layout to = call.out[0].layout;
  copy_elements(call.in[0], call.out[0].data, to);
  const int rank = to.shape.rank();
  const auto [starts, steps] = call.attributes<BoxAttributes>();
  for (int i = 0; i < rank; ++i) move_to(&to, i, starts[i], steps[i]);
  copy_elements(call.in[1], call.out[0].data, to);
}
void vjp_write_box(Vjp& v) {
  const auto box = v.attributes<BoxAttributes>();
  const Shape& part = v.node().inputs[1]->shape;
  if (v.needs(0)) {
    const Tensor nothing = zeros(part, v.g().dtype());
    v.set(0, write_box(v.g(), nothing, box.starts, box.steps, v.node().where));
  }
  if (!v.needs(1)) return;
  Tensor g = v.g();
  for (int i = 0; i < part.rank(); ++i) {
    const int64_t last = box.starts[i] + (part[i] - 1) * box.steps[i];
    g = slice(g, i, {box.starts[i], part[i] ? last + 1 : box.starts[i], box.steps[i]});
  }
  v.set(1, g);
}
Tensor batch_write_box(const Recorded& node, std::span<const Tensor> inputs,
                       std::span<const bool> batched, int64_t size) {
  auto box = node.attributes<BoxAttributes>();
  box.starts.insert(0, 0);
  box.steps.insert(0, 1);
  return write_box(with_batch_axis(inputs[0], batched[0], size),
                   with_batch_axis(inputs[1], batched[1], size), box.starts, box.steps,
                   node.where());
}
const Op kWriteBox{.name = "write_box",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<BoxAttributes>,
                   .vjp = vjp_write_box,
                   .run = run_write_box,
                   .strided = true,
                   .overwrites = first_over_first,
                   .batch = batch_write_box};
const Op kWriteBoxAt = kWriteBox;  // unless a composition records it

// ---- write_slice(base, x, start): along an axis; start is a host number ----

void run_write_slice(const KernelCall& call) {
  const int axis = static_cast<int>(call.attributes<AxisAttributes>().axis);
  Layout to = call.out[0].layout;
  copy_elements(call.in[0], call.out[0].data, to);
  move_to(&to, axis, *call.in[2].as<const int64_t>(), 1);
  copy_elements(call.in[1], call.out[0].data, to);
}
Tensor record_write_slice(const Tensor& base, const Tensor& x, const Tensor& start, int64_t axis,
                          const Where& where);
void vjp_write_slice(Vjp& v) {
  const int axis = static_cast<int>(v.attributes<AxisAttributes>().axis);
  const Shape& part = v.node().inputs[1]->shape;
  const Where& where = v.node().where;
  if (v.needs(0))
    v.set(0, record_write_slice(v.g(), zeros(part, v.g().dtype()), v.in(2), axis, where));
  if (v.needs(1)) v.set(1, take(v.g(), arange(part[axis]) + v.in(2), axis, where));
}
Tensor batch_write_slice(const Recorded& node, std::span<const Tensor> inputs,
                         std::span<const bool> batched, int64_t size) {
  if (batched[2]) return {};
  return record_write_slice(with_batch_axis(inputs[0], batched[0], size),
                            with_batch_axis(inputs[1], batched[1], size), inputs[2],
                            node.attributes<AxisAttributes>().axis + 1, node.where());
}
const Op kWriteSlice{.name = "write_slice",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<AxisAttributes>,
                     .vjp = vjp_write_slice,
                     .run = run_write_slice,
                     .strided = true,
                     .overwrites = first_over_first,
                     .batch = batch_write_slice};
Tensor record_write_slice(const Tensor& base, const Tensor& x, const Tensor& start, int64_t axis,
                          const Where& where) {
  return record(kWriteSlice, {base.node(), x.node(), start.node()}, base.shape(), base.dtype(),
                AxisAttributes{axis}, where);
}

const RegisterOp registered[] = {RegisterOp(kConcat), RegisterOp(kWriteBox),
                                 RegisterOp(kWriteSlice)};
const RegisterPositioned positioned({&kWriteBoxAt});

// ---- Sums of arrays that are zero but for some boxes: the gradients of slices of one array ----

struct Part {
  BoxAttributes box;
  Tensor x;
};
constexpr size_t kMaxParts = 256;  // all pairs are looked at

bool is_box(const Tensor& t) { return t.node()->op == &kWriteBox || t.node()->op == &kWriteBoxAt; }

bool is_zero(const Node* node) {
  while (node->op->broadcasts && node->is_pending()) node = node->inputs[0];
  return node->op->kind == Kind::kScalar && *node->first_word == 0;
}

// What was written on zeros to make `t`; nothing if it was made otherwise.
std::vector<Part> parts_of(Tensor t) {
  std::vector<Part> parts;
  if (!is_box(t)) return parts;
  std::lock_guard hold(graph_lock());
  while (is_box(t) && t.node()->is_pending() && parts.size() < kMaxParts) {
    parts.push_back({t.node()->attributes<BoxAttributes>(), handle(t.node()->inputs[1])});
    t = handle(t.node()->inputs[0]);
  }
  if (!is_zero(t.node())) parts.clear();
  return parts;
}

bool disjoint(const Part& a, const Part& b) {
  for (int i = 0; i < a.x.rank(); ++i) {
    const auto last = [i](const Part& p) {
      return p.box.starts[i] + (p.x.shape()[i] - 1) * p.box.steps[i];
    };
    if (last(a) < b.box.starts[i] || last(b) < a.box.starts[i]) return true;
    const int64_t step = a.box.steps[i];
    if (b.box.steps[i] == step && (a.box.starts[i] - b.box.starts[i]) % step != 0) return true;
  }
  return false;
}

// Disjoint parts of an array of this shape joined along an axis; undefined if they do not fill it.
Tensor joined(std::vector<Part> parts, const Shape& shape, const Where& where) {
  int axis = 0;
  while (axis + 1 < shape.rank() && parts[0].x.shape()[axis] == shape[axis]) ++axis;
  int64_t size = 0;
  for (const Part& p : parts) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (p.box.steps[i] != 1 || (i != axis && p.x.shape()[i] != shape[i])) return {};
    }
    size += p.x.shape()[axis];
  }
  if (size != shape[axis]) return {};
  std::ranges::sort(parts, {}, [axis](const Part& p) { return p.box.starts[axis]; });
  std::vector<Tensor> in;
  for (Part& p : parts) in.push_back(std::move(p.x));
  return concat(in, axis, where);
}

}  // namespace

Tensor concat(const std::vector<Tensor>& parts, int axis, Where where) {
  if (parts.empty()) fail("concat", "there are no tensors", where);
  for (const Tensor& t : parts) {
    if (!t.defined()) fail("concat", "a tensor is not defined", where);
  }
  const int i = checked_axis("concat", axis, parts[0].rank(), where);
  if (parts.size() == 1) return parts[0];
  Shape shape = parts[0].shape();
  DType dtype = parts[0].dtype();
  for (size_t k = 1; k < parts.size(); ++k) {
    Shape other = parts[k].shape();
    if (other.rank() == shape.rank()) other[i] = parts[0].shape()[i];
    if (other != parts[0].shape())
      fail("concat",
           parts[k].shape().str() + " does not fit " + parts[0].shape().str() +
               " in all axes but " + std::to_string(i),
           where);
    shape[i] = add_sizes(shape[i], parts[k].shape()[i]);
    dtype = promote(dtype, parts[k].dtype());
  }
  std::vector<Tensor> converted;
  std::vector<Node*> inputs;
  for (const Tensor& t : parts) {
    converted.push_back(cast(t, dtype));
    inputs.push_back(converted.back().node());
  }
  return record(kConcat, inputs, shape, dtype, AxisAttributes{i}, where);
}

Tensor stack(const std::vector<Tensor>& parts, int axis, Where where) {
  if (parts.empty()) fail("stack", "there are no tensors", where);
  std::vector<Tensor> with_axis;
  for (const Tensor& t : parts) {
    if (!t.defined()) fail("stack", "a tensor is not defined", where);
    if (t.shape() != parts[0].shape())
      fail("stack", t.shape().str() + " is not " + parts[0].shape().str(), where);
    with_axis.push_back(unsqueeze(t, axis, where));
  }
  return concat(with_axis, axis, where);
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int axis, Where where) {
  require_defined("split", x, where);
  const int i = checked_axis("split", axis, x.rank(), where);
  if (size < 1) fail("split", "parts of size " + std::to_string(size), where);
  const int64_t total = x.shape()[i];
  std::vector<Tensor> parts;
  for (int64_t start = 0; start == 0 || start < total; start += size)
    parts.push_back(slice(x, i, {start, std::min(start + size, total), 1}, where));
  return parts;
}

Tensor slice_scatter(const Tensor& x, const Tensor& source, int axis, int64_t start, Where where) {
  if (!x.defined() || !source.defined()) fail("slice_scatter", "a tensor is not defined", where);
  const int i = checked_axis("slice_scatter", axis, x.rank(), where);
  Shape part = source.shape();
  if (part.rank() == x.rank()) part[i] = x.shape()[i];
  if (part != x.shape() || start < 0 || start > x.shape()[i] - source.shape()[i])
    fail("slice_scatter",
         source.shape().str() + " does not fit into " + x.shape().str() + " at " +
             std::to_string(start) + " of axis " + std::to_string(i),
         where);
  return record_write_slice(x, cast(Operand(source, where), x.dtype()), host_scalar_i64(start), i,
                            where);
}

Tensor write_box(const Tensor& base, const Tensor& x, const Shape& starts, const Shape& steps,
                 Where where) {
  if (x.numel() == 0) return base;
  return record(composing() ? kWriteBox : kWriteBoxAt, {base.node(), x.node()}, base.shape(),
                base.dtype(), BoxAttributes{starts, steps}, where);
}

Tensor embed(const Tensor& x, const Shape& shape, const Shape& starts, const Shape& steps,
             const Number& value, Where where) {
  const Tensor fill = host_number("pad", value, x.dtype(), where);
  return write_box(expand(fill, shape, where), x, starts, steps, where);
}

Tensor sum_of_boxes(const Tensor& a, const Tensor& b) {
  std::vector<Part> parts = parts_of(a);
  const std::vector<Part> more = parts_of(b);
  if (parts.empty() || more.empty()) return {};
  for (const Part& x : parts) {
    for (const Part& y : more) {
      if (!disjoint(x, y)) return {};
    }
  }
  const Where& where = b.node()->where;
  Tensor sum = a;
  for (const Part& p : more) sum = write_box(sum, p.x, p.box.starts, p.box.steps, where);
  parts.insert(parts.end(), more.begin(), more.end());
  const Tensor whole = joined(std::move(parts), a.shape(), where);
  return whole.defined() ? whole : sum;
}

Tensor permute_parts(const Tensor& x, const Axes& axes) {
  std::vector<Tensor> parts;
  if (x.node()->op == &kConcat) {
    std::lock_guard hold(graph_lock());
    if (x.node()->is_pending()) {
      for (Node* in : x.node()->input_span()) parts.push_back(handle(in));
    }
  }
  if (parts.empty()) return permute(x, axes);
  for (Tensor& part : parts) part = permute(part, axes);
  const auto axis = std::ranges::find(axes, x.node()->attributes<AxisAttributes>().axis);
  return concat(parts, static_cast<int>(axis - axes.begin()), x.node()->where);
}

}  // namespace glia
