// Axes, parts, joins and repetitions out of views, slices and concatenation.
#include "glia/ops/arrange.h"

#include <numeric>

#include "ops/positions.h"

namespace glia {
namespace {

void require_parts(const char* op, const std::vector<Tensor>& parts, const Where& where) {
  if (parts.empty()) fail(op, "no tensors", where);
  for (const Tensor& part : parts) require_defined(op, part, where);
}

// Each part is a tensor of its own.
void require_few(const char* op, int64_t parts, const Where& where) {
  constexpr int64_t kMost = 1 << 24;
  if (parts > kMost)
    throw ValueError(std::string(op) + ": " + std::to_string(parts) + " parts", where);
}

// x with axis i repeated so often: whole, or each element.
Tensor repeated(const Tensor& x, int axis, int64_t times, bool each, const Where& where) {
  if (times == 1) return x;
  const int64_t size = x.shape()[axis], count = multiply_sizes(size, times);
  if (x.rank() == kMaxRank) {  // no room for another axis
    const Tensor at = arange(count);
    return take(x, each ? floor_divide(at, times) : remainder(at, std::max<int64_t>(size, 1)), axis,
                where);
  }
  const int place = each ? axis + 1 : axis;
  Shape wide = x.shape(), to = x.shape();
  wide.insert(place, times);
  to[axis] = count;
  return reshape(expand(unsqueeze(x, place, where), wide, where), to, where);
}

Tensor repeated(const char* op, const Tensor& x, const Shape& repeats, const Where& where) {
  require_defined(op, x, where);
  for (int64_t times : repeats) {
    if (times < 0)
      throw ValueError(std::string(op) + ": " + std::to_string(times) + " repeats", where);
  }
  Tensor y = x;
  while (y.rank() < repeats.rank()) y = unsqueeze(y, 0, where);
  if (repeats.numel() == 0) {  // what is empty in the end is made of nothing large
    Shape to = y.shape();
    for (int i = 0; i < to.rank(); ++i) to[i] = multiply_sizes(to[i], repeats[i]);
    return zeros(to, x.dtype());
  }
  for (int i = 0; i < y.rank(); ++i) y = repeated(y, i, repeats[i], false, where);
  return y;
}

int wrapped_axis(const char* op, const Tensor& x, int axis, const Where& where) {
  require_defined(op, x, where);
  return checked_axis(op, axis, x.rank(), where);
}

// ---- Windows along an axis, as a new last one ----

struct WindowAttributes {
  int64_t axis = 0, step = 1;
  GLIA_ATTRIBUTES(axis, step)
};

bool view_windows(const Recorded& node, const Layout& in, Layout* out) {
  const auto [axis, step] = node.attributes<WindowAttributes>();
  const int last = in.shape.rank();
  *out = in;
  out->shape = node.shape();
  out->strides[last] = in.strides[axis];
  out->strides[axis] = in.strides[axis] * step;
  return true;
}
void vjp_windows(Vjp& v) {
  const auto [axis, step] = v.attributes<WindowAttributes>();
  const Shape& shape = v.node().inputs[0]->shape;
  const int i = static_cast<int>(axis);
  const int64_t count = v.node().shape[i], size = v.node().shape.size(-1);
  const Tensor at = reshape(unsqueeze(arange(count), 1) * step + arange(size), {count * size});
  Shape parts = shape;
  parts[i] = count * size;
  const Tensor g = reshape(movedim(v.g(), {-1}, {i + 1}), parts);
  v.set(0, index_add(zeros(shape, g.dtype()), at, g, i));
}
Tensor batch_windows(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                     int64_t size) {
  const auto [axis, step] = node.attributes<WindowAttributes>();
  Shape shape = node.shape();
  shape.insert(0, size);
  return record(node.op(), {inputs[0].node()}, shape, node.dtype(),
                WindowAttributes{axis + 1, step}, node.where());
}
const Op kWindows{.name = "windows",
                  .kind = Kind::kView,
                  .attributes = kAttributeFields<WindowAttributes>,
                  .vjp = vjp_windows,
                  .view = view_windows,
                  .batch = batch_windows};
const RegisterOp registered(kWindows);

}  // namespace

// ---- Axes ----

Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination, Where where) {
  require_defined("movedim", x, where);
  if (source.size() != destination.size())
    fail("movedim",
         std::to_string(source.size()) + " axes to " + std::to_string(destination.size()) +
             " places",
         where);
  if (x.rank() == 0) return as_number(movedim(as_line(x), source, destination, where));
  Axes order(x.rank(), -1);
  std::vector<bool> taken(x.rank());
  for (size_t i = 0; i < source.size(); ++i) {
    const int from = checked_axis("movedim", source[i], x.rank(), where);
    const int to = checked_axis("movedim", destination[i], x.rank(), where);
    if (taken[from] || order[to] >= 0) fail("movedim", "an axis appears twice", where);
    taken[from] = true;
    order[to] = from;
  }
  int next = 0;
  for (int64_t& axis : order) {
    if (axis >= 0) continue;
    while (taken[next]) ++next;
    axis = next++;
  }
  return permute(x, order, where);
}
Tensor swapaxes(const Tensor& x, int axis0, int axis1, Where where) {
  return transpose(x, axis0, axis1, where);
}

Tensor atleast_1d(const Tensor& x, Where where) {
  require_defined("atleast_1d", x, where);
  return x.rank() == 0 ? reshape(x, {1}) : x;
}
Tensor atleast_2d(const Tensor& x, Where where) {
  const Tensor y = atleast_1d(x, where);
  return y.rank() == 1 ? unsqueeze(y, 0) : y;
}
Tensor atleast_3d(const Tensor& x, Where where) {
  const Tensor y = atleast_2d(x, where);
  return y.rank() == 2 ? unsqueeze(y, 2) : y;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape, Where where) {
  return expand(x, shape, where);
}
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& parts, Where where) {
  require_parts("broadcast_tensors", parts, where);
  Shape shape;
  for (const Tensor& part : parts) {
    try {
      shape = broadcast(shape, part.shape());
    } catch (const ShapeError& error) {
      fail("broadcast_tensors", error.what(), where);
    }
  }
  std::vector<Tensor> out;
  for (const Tensor& part : parts) out.push_back(expand(part, shape, where));
  return out;
}

// ---- Parts ----

Tensor narrow(const Tensor& x, int axis, int64_t start, int64_t length, Where where) {
  const int i = wrapped_axis("narrow", x, axis, where);
  const int64_t size = x.shape()[i], from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from > size || length > size - from)
    fail("narrow",
         std::to_string(length) + " elements from " + std::to_string(start) + " on of axis " +
             std::to_string(i) + " of " + x.shape().str(),
         where);
  return slice(x, i, {from, from + length}, where);
}

std::vector<Tensor> unbind(const Tensor& x, int axis, Where where) {
  const int i = wrapped_axis("unbind", x, axis, where);
  require_few("unbind", x.shape()[i], where);
  std::vector<Tensor> out;
  for (int64_t k = 0; k < x.shape()[i]; ++k) out.push_back(select_position(x, i, k, where));
  return out;
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int axis, Where where) {
  const int i = wrapped_axis("chunk", x, axis, where);
  if (chunks < 1) throw ValueError("chunk: " + std::to_string(chunks) + " chunks", where);
  const int64_t size = x.shape()[i];
  require_few("chunk", size == 0 ? chunks : std::min(chunks, size), where);
  if (size == 0) return std::vector<Tensor>(chunks, x);
  return split(x, (size - 1) / chunks + 1, i, where);
}

std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int axis, Where where) {
  const int i = wrapped_axis("tensor_split", x, axis, where);
  if (sections < 1) throw ValueError("tensor_split: " + std::to_string(sections) + " parts", where);
  require_few("tensor_split", sections, where);
  const int64_t size = x.shape()[i], least = size / sections, larger = size % sections;
  std::vector<int64_t> ends;
  for (int64_t k = 1, at = 0; k < sections; ++k) ends.push_back(at += least + (k <= larger));
  return tensor_split(x, ends, i, where);
}
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<int64_t>& indices, int axis,
                                 Where where) {
  const int i = wrapped_axis("tensor_split", x, axis, where);
  std::vector<Tensor> out;
  int64_t from = 0;
  for (int64_t to : indices) {
    out.push_back(slice(x, i, {from, to}, where));
    from = to;
  }
  out.push_back(slice(x, i, {from}, where));
  return out;
}

Tensor unfold(const Tensor& x, int axis, int64_t size, int64_t step, Where where) {
  const int i = wrapped_axis("unfold", x, axis, where);
  if (size < 0 || size > x.shape()[i])
    fail("unfold",
         "windows of " + std::to_string(size) + " over axis " + std::to_string(i) + " of " +
             x.shape().str(),
         where);
  if (step < 1) throw ValueError("unfold: the step is " + std::to_string(step), where);
  const int64_t count = (x.shape()[i] - size) / step + 1;
  if (x.rank() == kMaxRank) fail("unfold", "no axis is free in " + x.shape().str(), where);
  Shape to = x.shape();
  to[i] = count;
  to.push_back(size);
  return record(kWindows, {x.node()}, to, x.dtype(), WindowAttributes{i, count > 1 ? step : 1},
                where);
}

Tensor sliding_window_view(const Tensor& x, const Shape& window, const Axes& axes, Where where) {
  require_defined("sliding_window_view", x, where);
  Axes along = axes;
  if (along.empty()) {
    along.resize(x.rank());
    std::iota(along.begin(), along.end(), 0);
  }
  if (static_cast<int>(along.size()) != window.rank())
    fail("sliding_window_view",
         "a window " + window.str() + " over " + std::to_string(along.size()) + " axes", where);
  Tensor y = x;
  for (int k = 0; k < window.rank(); ++k)
    y = unfold(y, checked_axis("sliding_window_view", along[k], x.rank(), where), window[k], 1,
               where);
  return y;
}

// ---- Joining and repeating ----

Tensor hstack(const std::vector<Tensor>& parts, Where where) {
  require_parts("hstack", parts, where);
  std::vector<Tensor> all;
  for (const Tensor& part : parts) all.push_back(atleast_1d(part, where));
  return concat(all, all[0].rank() == 1 ? 0 : 1, where);
}
Tensor vstack(const std::vector<Tensor>& parts, Where where) {
  require_parts("vstack", parts, where);
  std::vector<Tensor> all;
  for (const Tensor& part : parts) all.push_back(atleast_2d(part, where));
  return concat(all, 0, where);
}
Tensor dstack(const std::vector<Tensor>& parts, Where where) {
  require_parts("dstack", parts, where);
  std::vector<Tensor> all;
  for (const Tensor& part : parts) all.push_back(atleast_3d(part, where));
  return concat(all, 2, where);
}
Tensor column_stack(const std::vector<Tensor>& parts, Where where) {
  require_parts("column_stack", parts, where);
  std::vector<Tensor> all;
  for (const Tensor& part : parts)
    all.push_back(part.rank() < 2 ? reshape(part, {part.numel(), 1}) : part);
  return concat(all, 1, where);
}

Tensor repeat(const Tensor& x, const Shape& repeats, Where where) {
  require_defined("repeat", x, where);
  if (repeats.rank() < x.rank())
    fail("repeat", "repeats " + repeats.str() + " for shape " + x.shape().str(), where);
  return repeated("repeat", x, repeats, where);
}
Tensor tile(const Tensor& x, const Shape& repeats, Where where) {
  require_defined("tile", x, where);
  Shape all = repeats;
  while (all.rank() < x.rank()) all.insert(0, 1);
  return repeated("tile", x, all, where);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int> axis, Where where) {
  require_defined("repeat_interleave", x, where);
  if (repeats < 0)
    throw ValueError("repeat_interleave: " + std::to_string(repeats) + " repeats", where);
  const Tensor t = axis ? x : reshape(x, {-1});
  const int i = wrapped_axis("repeat_interleave", t, axis.value_or(0), where);
  return repeated(t, i, repeats, true, where);
}
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> axis,
                         Where where) {
  require_defined("repeat_interleave", x, where);
  require_defined("repeat_interleave", repeats, where);
  const Tensor t = axis ? x : reshape(x, {-1});
  const int i = wrapped_axis("repeat_interleave", t, axis.value_or(0), where);
  if (repeats.rank() > 1 || !is_integer(repeats.dtype()))
    fail("repeat_interleave",
         std::string("repeats are integers of rank 1, not ") + name(repeats.dtype()) + ' ' +
             repeats.shape().str(),
         where);
  if (repeats.numel() == 1) return repeated(t, i, repeats.item<int64_t>(where), true, where);
  if (repeats.numel() != t.shape()[i])
    fail("repeat_interleave",
         std::to_string(repeats.numel()) + " repeats for axis " + std::to_string(i) + " of " +
             t.shape().str(),
         where);
  const std::vector<int64_t> counts = repeats.to_vector<int64_t>(where);
  int64_t total = 0;
  for (int64_t times : counts) {
    if (times < 0)
      throw ValueError("repeat_interleave: " + std::to_string(times) + " repeats", where);
    total = add_sizes(total, times);
  }
  const Tensor at = written_integers({total}, [&](int64_t* out) {
    for (size_t k = 0; k < counts.size(); ++k)
      out = std::fill_n(out, counts[k], static_cast<int64_t>(k));
  });
  return take(t, at, i, where);
}

Tensor roll(const Tensor& x, const std::vector<int64_t>& shifts, const Axes& axes, Where where) {
  require_defined("roll", x, where);
  if (axes.empty() && shifts.size() == 1 && x.rank() != 1)
    return reshape(roll(reshape(x, {-1}), shifts, {0}, where), x.shape());
  if (x.rank() == 0) return as_number(roll(as_line(x), shifts, axes, where));
  const Axes along = axes.empty() ? Axes{0} : axes;
  if (along.size() != shifts.size())
    fail("roll",
         std::to_string(shifts.size()) + " shifts for " + std::to_string(along.size()) + " axes",
         where);
  Tensor y = x;
  for (size_t k = 0; k < along.size(); ++k) {
    const int i = checked_axis("roll", along[k], x.rank(), where);
    const int64_t size = x.shape()[i];
    if (size == 0) continue;
    const int64_t shift = (shifts[k] % size + size) % size;
    if (shift == 0) continue;
    y = concat({slice(y, i, {size - shift}, where), slice(y, i, {0, size - shift}, where)}, i,
               where);
  }
  return y;
}

Tensor rot90(const Tensor& x, int64_t k, std::pair<int64_t, int64_t> axes, Where where) {
  require_defined("rot90", x, where);
  const int a = checked_axis("rot90", axes.first, x.rank(), where);
  const int b = checked_axis("rot90", axes.second, x.rank(), where);
  if (a == b) fail("rot90", "an axis appears twice", where);
  switch ((k % 4 + 4) % 4) {
    case 1:
      return transpose(flip(x, {b}, where), a, b, where);
    case 2:
      return flip(x, {a, b}, where);
    case 3:
      return flip(transpose(x, a, b, where), {b}, where);
    default:
      return x;
  }
}
Tensor flipud(const Tensor& x, Where where) {
  require_defined("flipud", x, where);
  return flip(x, {0}, where);
}
Tensor fliplr(const Tensor& x, Where where) {
  require_defined("fliplr", x, where);
  return flip(x, {1}, where);
}

}  // namespace glia
