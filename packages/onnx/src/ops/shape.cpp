// Shapes, and movement without arithmetic.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "axes.h"
#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/conv.h"
#include "glia/ops/image.h"

namespace glia::onnx {

std::vector<int64_t> axes_given(Call& c, int input, int rank) {
  std::vector<int64_t> given = c.integers_of("axes");
  if (c.has(input)) given = c.integers(input);
  return c.axes(std::move(given), rank);
}

int place_of_axis(int64_t axis, int rank, bool channels_last) {
  if (!channels_last || axis == 0) return static_cast<int>(axis);
  return axis == 1 ? rank - 1 : static_cast<int>(axis) - 1;
}

namespace {

// A reshaped tensor or tensor of texts; a sequence's kind is refused.
void set_reshaped(Call& c, const Shape& shape) {
  if (c.in(0).kind == Value::Kind::kStrings) {
    Strings out = c.strings(0);
    if (shape.numel() != static_cast<int64_t>(out.values.size()))
      c.fail("texts of shape " + out.shape.str() + " as " + shape.str());
    out.shape = shape;
    return c.set(0, Held(std::move(out)));
  }
  c.set(0, reshape(c.tensor(0), shape));
}
Shape any_shape(Call& c) { return c.in(0).shape(); }

void shape_op(Call& c) {
  const Shape shape = any_shape(c);
  const int rank = shape.rank();
  const auto bound = [&](const char* name, int64_t otherwise) {
    int64_t at = c.integer_of(name, otherwise);
    if (at < 0) at += rank;
    return std::clamp<int64_t>(at, 0, rank);
  };
  const int64_t start = bound("start", 0), end = std::max(bound("end", rank), start);
  const std::vector<int64_t> sizes(shape.begin() + start, shape.begin() + end);
  c.set_of_shape(0, from_vector(sizes, {end - start}));
}
void size_op(Call& c) { c.set_of_shape(0, tensor(any_shape(c).numel())); }

void reshape_op(Call& c) {
  const std::vector<int64_t> given =
      c.has_attribute("shape") ? c.integers_of("shape") : c.integers(1);
  const Shape from = any_shape(c);
  if (given.size() > kMaxRank) c.fail("a shape of " + std::to_string(given.size()) + " axes");
  const bool zero_is_zero = c.integer_of("allowzero", 0) != 0;
  Shape to(given);
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] != 0 || zero_is_zero) continue;
    if (i >= from.rank()) c.fail("size 0 of axis " + std::to_string(i) + " stands for none");
    to[i] = from[i];
  }
  // -1 is worked out here, so that texts have it too.
  int64_t known = 1;
  int free = -1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] >= 0) known = multiply_sizes(known, to[i]);
    if (to[i] < 0 && free >= 0) c.fail("shape " + to.str() + " has two sizes to find");
    if (to[i] < 0) free = i;
  }
  if (free >= 0) {
    if (known == 0 || from.numel() % known != 0)
      c.fail("shape " + from.str() + " does not become " + to.str());
    to[free] = from.numel() / known;
  }
  set_reshaped(c, to);
}

void squeeze_op(Call& c) {
  const Shape from = any_shape(c);
  const std::vector<int64_t> axes = axes_given(c, 1, from.rank());
  Shape to;
  for (int i = 0; i < from.rank(); ++i) {
    const bool named = std::ranges::find(axes, i) != axes.end();
    if (named && from[i] != 1)
      c.fail("axis " + std::to_string(i) + " of " + from.str() + " is not 1");
    if (!named && (!axes.empty() || from[i] != 1)) to.push_back(from[i]);
  }
  set_reshaped(c, to);
}
void unsqueeze_op(Call& c) {
  const Shape from = any_shape(c);
  std::vector<int64_t> axes = c.has(1) ? c.integers(1) : c.integers_of("axes");
  const int rank = from.rank() + static_cast<int>(axes.size());
  if (rank > kMaxRank) c.fail("has " + std::to_string(rank) + " axes");
  axes = c.axes(std::move(axes), rank);
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) c.fail("an axis is given twice");
  Shape to = from;
  for (int64_t a : axes) to.insert(static_cast<int>(a), 1);
  set_reshaped(c, to);
}
void flatten_op(Call& c) {
  const Shape from = any_shape(c);
  int64_t axis = c.integer_of("axis", 1);
  if (axis < 0) axis += from.rank();
  if (axis < 0 || axis > from.rank()) c.fail("axis " + std::to_string(axis));
  int64_t rows = 1, columns = 1;
  for (int i = 0; i < from.rank(); ++i) (i < axis ? rows : columns) *= from[i];
  set_reshaped(c, {rows, columns});
}

void transpose_op(Call& c) {
  const Tensor x = c.tensor(0);
  Axes perm(x.rank());
  std::iota(perm.rbegin(), perm.rend(), 0);
  c.set(0, permute(x, c.integers_of("perm", perm)));
}

void concat_op(Call& c) {
  if (c.in(0).kind == Value::Kind::kStrings) {  // texts along one axis
    Strings out{{}, {0}};
    for (int i = 0; i < c.inputs(); ++i) {
      if (c.strings(i).shape.rank() != 1) c.fail("joins texts of more than one axis");
      out.values.insert(out.values.end(), c.strings(i).values.begin(), c.strings(i).values.end());
    }
    out.shape = {static_cast<int64_t>(out.values.size())};
    return c.set(0, Held(std::move(out)));
  }
  std::vector<Tensor> parts = c.aligned();
  const int rank = parts[0].rank();
  // Before opset 4 there is a default.
  const int axis = c.axis(c.integer_of("axis", 1), rank);
  bool last = false;
  for (int i = 0; i < c.inputs(); ++i) last |= c.in(i).channels_last;
  c.put(concat(parts, place_of_axis(axis, rank, last)));
}

void split_op(Call& c) {
  const Held& held = c.in(0);
  if (!held.is_tensor()) c.fail("input 0 is no tensor of numbers");
  const int axis = c.axis(c.integer_of("axis", 0), held.tensor.rank());
  const int place = place_of_axis(axis, held.tensor.rank(), held.channels_last);
  const int64_t size = held.tensor.size(place);
  std::vector<int64_t> sizes = c.integers_of("split");
  if (c.has(1)) sizes = c.integers(1);
  if (sizes.empty()) {
    const int64_t n = c.integer_of("num_outputs", c.outputs());
    if (n < 1 || n != c.outputs()) c.fail(std::to_string(n) + " outputs");
    const int64_t each = (size + n - 1) / n;
    for (int64_t i = 0; i < n; ++i)
      sizes.push_back(std::min(each, std::max<int64_t>(size - i * each, 0)));
  }
  int64_t rest = size;
  for (int64_t s : sizes) rest = s < 0 || s > rest ? -1 : rest - s;
  if (rest != 0 || static_cast<int>(sizes.size()) < c.outputs())
    c.fail("parts that do not make up " + std::to_string(size));
  int64_t start = 0;
  for (int o = 0; o < c.outputs(); ++o) {
    const Tensor part = narrow(held.tensor, place, start, sizes[o]);
    held.channels_last ? c.set_spatial(o, part) : c.set(o, part);
    start += sizes[o];
  }
}

void slice_op(Call& c) {
  const Held& held = c.in(0);
  if (!held.is_tensor()) c.fail("input 0 is no tensor of numbers");
  Tensor x = held.tensor;
  const bool inputs = c.has(1);
  const std::vector<int64_t> starts = inputs ? c.integers(1) : c.integers_of("starts");
  const std::vector<int64_t> ends = inputs ? c.integers(2) : c.integers_of("ends");
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = c.axes(inputs ? c.integers_or(3, axes) : c.integers_of("axes", axes), x.rank());
  const std::vector<int64_t> steps = c.integers_or(4, std::vector<int64_t>(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    c.fail("starts, ends, axes and steps are not equally many");
  for (size_t i = 0; i < starts.size(); ++i)
    x = slice(x, place_of_axis(axes[i], x.rank(), held.channels_last),
              {starts[i], ends[i], steps[i]});
  held.channels_last ? c.set_spatial(0, x) : c.set(0, x);
}

void expand_op(Call& c) {
  const Tensor x = c.tensor(0);
  const Shape to = broadcast(x.shape(), Shape(c.integers(1)));
  c.set(0, expand(x, to));
}

void tile_op(Call& c) {
  const Tensor x = c.tensor(0);
  if (c.inputs() == 3) {  // opset 1: tiles along an axis
    Shape repeats = Shape::filled(x.rank(), 1);
    repeats[c.axis(c.integer(2), x.rank())] = c.integer(1);
    return c.set(0, tile(x, repeats));
  }
  c.set(0, tile(x, Shape(c.integers(1))));
}

void pad_op(Call& c) {
  const Held& held = c.in(0);
  if (!held.is_tensor()) c.fail("input 0 is no tensor of numbers");
  const Tensor& x = held.tensor;
  const int rank = x.rank();
  std::vector<int64_t> given = c.integers_of("pads", c.integers_of("paddings"));
  if (c.has(1)) given = c.integers(1);
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  axes = c.axes(c.integers_or(3, axes), rank);
  if (given.size() != 2 * axes.size())
    c.fail(std::to_string(given.size()) + " pads for " + std::to_string(axes.size()) + " axes");
  std::vector<std::pair<int64_t, int64_t>> pads(rank, {0, 0});
  for (size_t i = 0; i < axes.size(); ++i)
    pads[place_of_axis(axes[i], rank, held.channels_last)] = {given[i], given[i + axes.size()]};
  const std::string mode = c.text_of("mode", "constant");
  Tensor y;
  if (mode == "constant") {
    const double value = c.has(2) ? c.number(2) : c.real_of("value", 0);
    y = is_float(x.dtype()) ? pad(x, pads, value) : pad(x, pads, static_cast<int64_t>(value));
  } else if (mode == "reflect" || mode == "edge" || mode == "wrap") {
    y = pad(x, pads,
            mode == "reflect" ? PadMode::kReflect
            : mode == "edge"  ? PadMode::kReplicate
                              : PadMode::kCircular);
  } else {
    c.fail("the mode \"" + mode + "\" is not known");
  }
  held.channels_last ? c.set_spatial(0, y) : c.set(0, y);
}

void center_crop_pad(Call& c) {
  Tensor x = c.tensor(0);
  const std::vector<int64_t> shape = c.integers(1);
  std::vector<int64_t> axes(x.rank());
  std::iota(axes.begin(), axes.end(), 0);
  axes = c.axes(c.integers_of("axes", axes), x.rank());
  if (shape.size() != axes.size()) c.fail("sizes and axes are not equally many");
  std::vector<std::pair<int64_t, int64_t>> pads(x.rank(), {0, 0});
  for (size_t i = 0; i < axes.size(); ++i) {
    const int a = static_cast<int>(axes[i]);
    const int64_t more = shape[i] - x.size(a);
    if (more >= 0)
      pads[a] = {more / 2, more - more / 2};
    else
      x = narrow(x, a, -more / 2, shape[i]);
  }
  c.set(0, pad(x, pads));
}

void constant_of_shape(Call& c) {
  const Attribute* a = c.attribute("value");
  const Shape shape(c.integers(0));
  if (!a) return c.set(0, zeros(shape), ElementType::kFloat32);
  c.set(0, expand(reshape(a->value.tensor, {}), shape), a->value.type);
}

void constant_op(Call& c) {
  for (const Attribute& a : c.node().attributes) {
    const Shape count{static_cast<int64_t>(a.integers.size() + a.reals.size() + a.texts.size())};
    if (a.name == "value" || a.name == "sparse_value") return c.set(0, Held(a.value));
    if (a.name == "value_float") return c.set(0, full({}, a.real), ElementType::kFloat32);
    if (a.name == "value_int") return c.set(0, full({}, a.integer, kI64), ElementType::kInt64);
    if (a.name == "value_string") return c.set(0, Held(Strings{{a.text}, {}}));
    if (a.name == "value_ints") return c.set(0, from_vector(a.integers, count));
    if (a.name == "value_floats")
      return c.set(0, cast(from_vector(a.reals, count), kF32), ElementType::kFloat32);
    if (a.name == "value_strings") return c.set(0, Held(Strings{a.texts, count}));
  }
  c.fail("has no value");
}

void range_op(Call& c) {
  const DType dtype = c.tensor(0).dtype();
  if (is_integer(dtype)) {
    const int64_t start = c.integer(0), limit = c.integer(1), delta = c.integer(2);
    if (delta == 0) c.fail("the step is 0");
    return c.set(0, arange(start, limit, delta, dtype));
  }
  const double start = c.number(0), limit = c.number(1), delta = c.number(2);
  const double count = std::ceil((limit - start) / delta);
  if (!(std::abs(count) < 1e15)) c.fail("the step is " + std::to_string(delta));
  c.set(0,
        cast(start + cast(arange(std::max<int64_t>(static_cast<int64_t>(count), 0)), kF64) * delta,
             dtype));
}

void eye_like(Call& c) {
  const Tensor x = c.tensor(0);
  if (x.rank() != 2) c.fail("has an input of shape " + x.shape().str());
  const auto type = static_cast<ElementType>(c.integer_of("dtype", static_cast<int>(c.type(0))));
  const int64_t k = c.integer_of("k", 0);
  const Tensor row = unsqueeze(arange(x.size(0)), 1), column = unsqueeze(arange(x.size(1)), 0);
  c.set(0, cast(column - row == k, stored_as(type)), type);
}

void trilu(Call& c) {
  const Tensor x = c.tensor(0);
  const int64_t k = c.has(1) ? c.integer(1) : 0;
  c.set(0, c.integer_of("upper", 1) != 0 ? triu(x, k) : tril(x, k));
}

void one_hot_op(Call& c) {
  const Tensor indices = cast(c.tensor(0), kI64);
  const int64_t depth = c.integer(1);
  const Tensor values = c.tensor(2);
  const int rank = indices.rank() + 1;
  const int axis = c.axis(c.integer_of("axis", -1), rank);
  const Tensor wrapped_around = where(indices < 0, indices + depth, indices);
  Shape shape = Shape::filled(rank, 1);
  shape[axis] = depth;
  const Tensor hit = unsqueeze(wrapped_around, axis) == reshape(arange(depth), shape);
  c.set(0, where(hit, slice(values, 0, {1, 2}), slice(values, 0, {0, 1})), c.type(2));
}

// Blocks of pixels to channels and back: x logical.
void depth_to_space(Call& c) {
  const Tensor x = c.spatial(0);
  const int64_t b = c.integer_of("blocksize", 0), n = x.size(0), h = x.size(1), w = x.size(2),
                channels = x.size(3);
  if (b <= 0 || b > channels || channels % (b * b) != 0) c.fail("blocks of " + std::to_string(b));
  const int64_t d = channels / (b * b);
  if (c.text_of("mode", "DCR") == "CRD") return c.set_spatial(0, pixel_shuffle(x, b));
  const Tensor parts = permute(reshape(x, {n, h, w, b, b, d}), {0, 1, 3, 2, 4, 5});
  c.set_spatial(0, reshape(parts, {n, h * b, w * b, d}));
}
void space_to_depth(Call& c) {
  const Tensor x = c.spatial(0);
  const int64_t b = c.integer_of("blocksize", 0), n = x.size(0), h = x.size(1), w = x.size(2),
                d = x.size(3);
  if (b <= 0 || h % b != 0 || w % b != 0) c.fail("blocks of " + std::to_string(b));
  const bool channels_first = c.text_of("mode", "DCR") == "CRD";
  const Tensor parts = permute(reshape(x, {n, h / b, b, w / b, b, d}),
                               channels_first ? Axes{0, 1, 3, 5, 2, 4} : Axes{0, 1, 3, 2, 4, 5});
  c.set_spatial(0, reshape(parts, {n, h / b, w / b, b * b * d}));
}

const Operators list{
    {"Shape", shape_op},
    {"Size", size_op},
    {"Reshape", reshape_op, {.read = 2}},
    {"Squeeze", squeeze_op, {.read = 2}},
    {"Unsqueeze", unsqueeze_op, {.read = 2}},
    {"Flatten", flatten_op},
    {"Transpose", transpose_op},
    {"Concat", concat_op},
    {"Split", split_op, {.read = 2}},
    {"Slice", slice_op, {.read = 0b11110}},
    {"Expand", expand_op, {.read = 2}},
    {"Tile", tile_op, {.read = 6}},
    {"Pad", pad_op, {.read = 0b1110}},
    {"CenterCropPad", center_crop_pad, {.read = 2}},
    {"ConstantOfShape", constant_of_shape, {.read = 1}},
    {"Constant", constant_op},
    {"Range", range_op, {.read = 7}},
    {"EyeLike", eye_like},
    {"Trilu", trilu, {.read = 2}},
    {"OneHot", one_hot_op, {.read = 2}},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
};

}  // namespace
}  // namespace glia::onnx
