// NumPy's indexing: what a list of integers, slices, axes and tensors selects, read and replaced.
#include "ops/gather.h"
#include "ops/private.h"

namespace glia {
namespace {

// An index taken apart: first a box of x, seen as `view`, then tensors along axes of the view.
struct Selection {
  std::vector<Range> box;  // of each axis of x
  Shape view;              // the box without the axes of integers, with new axes
  std::vector<int> axes;   // of `view`, increasing
  std::vector<Tensor> tensors;
  Tensor mask;           // in their place, where it is the only tensor: along all of `axes`
  bool leading = false;  // the axes of the tensors' shape come first in the result
};

class Parser {
 public:
  Parser(const char* op, const Shape& shape, const Where& where)
      : op_(op), shape_(shape), where_(where) {}

  Selection parse(const std::vector<Index>& at) {
    int used = 0, ellipses = 0, tensors = 0;
    for (const Index& entry : at) {
      used += axes_of(entry);
      tensors += entry.kind() == Index::Kind::kTensor;
      ellipses += entry.kind() == Index::Kind::kEllipsis;
    }
    if (ellipses > 1) fail(op_, "more than one Ellipsis", where_);
    if (used > shape_.rank())
      fail(op_, std::to_string(used) + " indices for shape " + shape_.str(), where_);
    s_.box.reserve(shape_.rank());
    alone_ = tensors == 1;
    const int open = shape_.rank() - used;
    for (const Index& entry : at) add(entry, open);
    if (!ellipses) add(Ellipsis, open);
    // An integer next to tensors counts as one of them.
    if (!s_.axes.empty()) s_.leading = runs_ > 1;
    return std::move(s_);
  }

 private:
  int axes_of(const Index& entry) const {
    switch (entry.kind()) {
      case Index::Kind::kInteger:
      case Index::Kind::kSlice:
        return 1;
      case Index::Kind::kTensor:
        if (!entry.tensor().defined()) fail(op_, "an index tensor is not defined", where_);
        return entry.tensor().dtype() == kBool ? entry.tensor().rank() : 1;
      default:
        return 0;
    }
  }

  void add(const Index& entry, int open) {
    const bool advanced =
        entry.kind() == Index::Kind::kInteger || entry.kind() == Index::Kind::kTensor;
    if (advanced && !in_run_) ++runs_;
    in_run_ = advanced;
    switch (entry.kind()) {
      case Index::Kind::kInteger:
        return add_integer(entry.integer());
      case Index::Kind::kSlice:
        if (entry.slice().step == 0) fail(op_, "a slice has step 0", where_);
        return keep(resolve(entry.slice(), size()));
      case Index::Kind::kEllipsis:
        for (int i = 0; i < open; ++i) keep({0, 1, size()});
        return;
      case Index::Kind::kNewAxis:
        return s_.view.push_back(1);
      case Index::Kind::kTensor:
        return entry.tensor().dtype() == kBool ? add_mask(entry.tensor())
                                               : add_tensor(entry.tensor());
    }
  }

  int axis() const { return static_cast<int>(s_.box.size()); }
  int64_t size() const { return shape_[axis()]; }

  void keep(const Range& range) {
    s_.box.push_back(range);
    s_.view.push_back(range.count);
  }

  void add_integer(int64_t i) {
    if (i < -size() || i >= size())
      fail(op_,
           "index " + std::to_string(i) + " is out of range for axis " + std::to_string(axis()) +
               " of " + shape_.str(),
           where_);
    s_.box.push_back({.start = i < 0 ? i + size() : i, .count = 1, .single = true});
  }

  void add_tensor(const Tensor& indices) {
    if (!is_integer(indices.dtype()))
      fail(op_, std::string("index tensors are integers or bool, not ") + name(indices.dtype()),
           where_);
    s_.axes.push_back(s_.view.rank());
    s_.tensors.push_back(indices.dtype() == kI32 ? indices : cast(indices, kI64));
    keep({0, 1, size()});
  }

  // Next to other tensors a mask stands for one along each of its axes. One of rank 0 selects along
  // a new axis of size 1.
  void add_mask(const Tensor& mask) {
    for (int i = 0; i < mask.rank(); ++i) {
      if (mask.shape()[i] != shape_[axis() + i])
        fail(op_,
             "mask " + mask.shape().str() + " does not fit " + shape_.str() + " from axis " +
                 std::to_string(axis()),
             where_);
    }
    if (alone_) s_.mask = mask;
    if (mask.rank() == 0) {
      s_.axes.push_back(s_.view.rank());
      s_.view.push_back(1);
    }
    const Tensor positions = alone_ ? Tensor() : nonzero(mask);
    if (!alone_ && mask.rank() == 0) s_.tensors.push_back(zeros({positions.size(0)}, kI64));
    for (int i = 0; i < mask.rank(); ++i) {
      if (alone_) {
        s_.axes.push_back(s_.view.rank());
        keep({0, 1, size()});
      } else {
        add_tensor(squeeze(slice(positions, 1, {i, i + 1, 1}), 1));
      }
    }
  }

  const char* op_;
  const Shape& shape_;
  const Where& where_;
  Selection s_;
  bool alone_ = false;  // there is one tensor
  int runs_ = 0;        // of integers and tensors next to each other
  bool in_run_ = false;
};

Axes flipped_axes(const Selection& s) {
  Axes axes;
  for (size_t i = 0; i < s.box.size(); ++i) {
    if (s.box[i].flipped) axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

Tensor select_box(const Tensor& x, const Selection& s, const Where& where) {
  Tensor out = x;
  for (size_t i = 0; i < s.box.size(); ++i) {
    const Range& r = s.box[i];
    if (r.single) continue;
    const int64_t stop = r.count ? r.start + (r.count - 1) * r.step + 1 : r.start;
    out = slice(out, static_cast<int>(i), {r.start, stop, r.step}, where);
  }
  out = flip(out, flipped_axes(s), where);
  for (int i = out.rank() - 1; i >= 0; --i) {
    if (s.box[i].single) out = select_position(out, i, s.box[i].start, where);
  }
  return reshape(out, s.view, where);
}

// The view with the axes of the tensors merged into one, and their indices as one for that axis.
struct Merged {
  Axes order, inverse;  // of the view's axes before merging
  Shape ordered, shape;
  int axis = 0;
  Tensor indices;

  Merged(const char* op, const Selection& s, const Where& where) : ordered(s.view), shape(s.view) {
    const int count = static_cast<int>(s.axes.size());
    const bool adjacent = s.axes.back() - s.axes.front() == count - 1;
    axis = adjacent ? s.axes.front() : 0;
    order.assign(s.axes.begin(), s.axes.end());
    for (int i = 0; i < s.view.rank(); ++i) {
      if (std::ranges::count(s.axes, i)) continue;
      order.insert(i < axis ? order.begin() + i : order.end(), i);
    }
    inverse.resize(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      inverse[order[i]] = static_cast<int64_t>(i);
      ordered[static_cast<int>(i)] = s.view[static_cast<int>(order[i])];
    }
    shape = ordered;
    for (int i = 1; i < count; ++i) {
      shape[axis] *= shape[axis + 1];
      shape.erase(axis + 1);
    }
    if (s.mask.defined() || count == 1) {
      indices = s.mask.defined() ? true_positions(s.mask) : s.tensors[0];
      return;
    }
    Shape joint = s.tensors[0].shape();
    int64_t stride = 1;
    for (int i = count - 1; i >= 0; --i) {
      try {
        joint = broadcast(joint, s.tensors[i].shape());
      } catch (const ShapeError&) {
        fail(
            op,
            "index tensors do not broadcast: " + joint.str() + " and " + s.tensors[i].shape().str(),
            where);
      }
      const int64_t size = s.view[s.axes[i]];
      const Tensor part = check_index(s.tensors[i], size, where) * stride;
      indices = indices.defined() ? indices + part : part;
      stride *= size;
    }
  }

  Tensor merge(const Tensor& view) const { return reshape(permute(view, order), shape); }
  Tensor part(const Tensor& merged) const { return permute(reshape(merged, ordered), inverse); }
};

// The view with `value` where the mask is true; undefined where the value has a number for each of
// these places, or does not fit.
Tensor fill_masked(const Tensor& view, const Selection& s, const Tensor& value) {
  const int axis = s.axes[0], count = static_cast<int>(s.axes.size());
  if (!s.mask.defined() || (s.leading && axis != 0)) return {};
  Shape selected = view.shape(), shape = value.shape();
  for (int i = 0; i < count; ++i) selected.erase(axis);
  selected.insert(axis, 1);  // of the places
  const int shift = selected.rank() - shape.rank();
  if (shift < 0) return {};
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1 && shape[i] != selected[shift + i]) return {};
  }
  for (int i = 1; i < count && axis >= shift; ++i) shape.insert(axis - shift, 1);
  Shape mask;
  for (int i = axis; i < view.rank(); ++i) mask.push_back(i < axis + count ? view.shape()[i] : 1);
  return where(reshape(s.mask, mask), reshape(value, shape), view);
}

// The one axis of which the box is a part, if that part is in one piece; else -1.
int only_cut_axis(const Shape& shape, const std::vector<Range>& box) {
  int axis = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (box[i].count == shape[i]) continue;
    if (axis >= 0 || (box[i].step != 1 && box[i].count != 1)) return -1;
    axis = i;
  }
  return axis;
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& at, Where where) {
  if (!x.defined()) fail("index", "the tensor is not defined", where);
  const Selection s = Parser("index", x.shape(), where).parse(at);
  const Tensor view = select_box(x, s, where);
  if (s.axes.empty()) return view;
  const Merged m("index", s, where);
  const Tensor out = take(m.merge(view), m.indices, m.axis, where);
  return move_axes(out, m.axis, m.indices.rank(), s.leading ? 0 : m.axis);
}

Tensor index_update(const Tensor& x, const std::vector<Index>& at, const Tensor& value,
                    Where where) {
  if (!x.defined() || !value.defined()) fail("index_update", "a tensor is not defined", where);
  const Selection s = Parser("index_update", x.shape(), where).parse(at);
  Tensor part = cast(value, x.dtype());
  const Tensor view = s.axes.empty() ? Tensor() : select_box(x, s, where);
  if (s.axes.empty()) {
    part = expand(part, s.view, where);
  } else if (const Tensor filled = fill_masked(view, s, part); filled.defined()) {
    part = filled;
  } else {
    const Merged m("index_update", s, where);
    const int first = s.leading ? 0 : m.axis, count = m.indices.rank();
    const Shape source = taken_shape(m.shape, m.axis, m.indices.shape());
    Shape selected = source;
    for (int i = 0; i < count; ++i) selected.erase(m.axis);
    for (int i = 0; i < count; ++i) selected.insert(first + i, m.indices.shape()[i]);
    part = move_axes(expand(part, selected, where), first, count, m.axis);
    part = m.part(index_put(m.merge(view), m.indices, part, m.axis, where));
  }
  Shape box;
  Shape starts, steps;
  for (const Range& r : s.box) {
    box.push_back(r.count);
    starts.push_back(r.start);
    steps.push_back(r.step);
  }
  part = flip(reshape(part, box, where), flipped_axes(s), where);
  if (part.shape() == x.shape()) return part;
  // Neighbours along one axis: where they begin is a number of the program, no part of a plan's
  // key.
  const int axis = only_cut_axis(x.shape(), s.box);
  if (axis >= 0 && part.numel() > 0) return slice_scatter(x, part, axis, starts[axis], where);
  return write_box(x, part, starts, steps, where);
}

}  // namespace glia
