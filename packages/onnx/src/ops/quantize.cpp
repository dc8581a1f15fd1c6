// Quantised numbers and what they stand for.
#include <algorithm>

#include "call.h"
#include "glia/ops/arrange.h"
#include "small_floats.h"

namespace glia::onnx {
namespace {

// Scales and zero points for x: of all, of each place of an axis, or of each block along it.
Tensor spread(Call& c, const Tensor& s, const Shape& shape) {
  if (s.rank() == 0 || (s.numel() == 1 && s.rank() <= 1)) return reshape(s, {});
  const int axis = c.axis(c.integer_of("axis", 1), shape.rank());
  const int64_t block = c.integer_of("block_size", 0);
  if (s.rank() == 1 && block == 0) {
    Shape along = Shape::filled(shape.rank(), 1);
    along[axis] = s.numel();
    return reshape(s, along);
  }
  if (s.rank() != shape.rank())
    c.fail("scales of shape " + s.shape().str() + " for " + shape.str());
  const int64_t each =
      block > 0 ? block : (shape[axis] + s.size(axis) - 1) / std::max<int64_t>(s.size(axis), 1);
  const Tensor all = repeat_interleave(s, each, axis);
  return all.size(axis) == shape[axis] ? all : narrow(all, axis, 0, shape[axis]);
}

std::pair<double, double> range_of(Call& c, ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return {0, 255};
    case ElementType::kInt8:
      return {-128, 127};
    case ElementType::kUint16:
      return {0, 65535};
    case ElementType::kInt16:
      return {-32768, 32767};
    case ElementType::kUint4:
      return {0, 15};
    case ElementType::kInt4:
      return {-8, 7};
    case ElementType::kUint2:
      return {0, 3};
    case ElementType::kInt2:
      return {-2, 1};
    case ElementType::kInt32:
      return {-2147483648.0, 2147483647.0};
    default:
      c.fail(std::string("numbers become no ") + name(type));
  }
}

void quantize(Call& c) {
  const Tensor x = c.tensor(0);
  ElementType type = ElementType::kUint8;
  if (c.has(2))
    type = c.type(2);
  else if (const int64_t stated = c.integer_of("output_dtype", 0);
           stated > 0 && stated < kElementTypes)
    type = static_cast<ElementType>(stated);
  Tensor scale = spread(c, c.tensor(1), x.shape());
  const DType wide = x.dtype() == kF64 ? kF64 : kF32;
  const int64_t precision = c.integer_of("precision", 0);
  Tensor y = precision != 0 ? cast(cast(x, stored_as(static_cast<ElementType>(precision))) /
                                       cast(scale, stored_as(static_cast<ElementType>(precision))),
                                   wide)
                            : cast(x, wide) / cast(scale, wide);
  if (is_small_float(type)) {
    if (c.has(2)) y = y + spread(c, cast(c.tensor(2), wide), x.shape());
    return c.set(0, converted(y, ElementType::kFloat32, type, c.integer_of("saturate", 1) != 0),
                 type);
  }
  y = round(y);
  if (c.has(2)) y = y + spread(c, cast(c.tensor(2), wide), x.shape());
  const auto [low, high] = range_of(c, type);
  c.set(0, converted(clamp(y, low, high), element_type(wide), type), type);
}

void dequantize(Call& c) {
  const Tensor x = c.tensor(0), scale = c.tensor(1);
  const int64_t stated = c.integer_of("output_dtype", 0);
  const ElementType type =
      stated > 0 && stated < kElementTypes ? static_cast<ElementType>(stated) : c.type(1);
  Tensor y = cast(x, kF32);
  if (c.has(2)) y = y - spread(c, cast(c.tensor(2), kF32), x.shape());
  c.set(0, cast(y * cast(spread(c, scale, x.shape()), kF32), stored_as(type)), type);
}

void dynamic_quantize(Call& c) {
  const Tensor x = c.tensor(0);
  const Tensor low = minimum(min(x), 0), high = maximum(max(x), 0);
  const Tensor scale = (high - low) / 255;
  const Tensor safe = where(scale == 0, 1, scale);
  const Tensor zero = clamp(round(0 - low / safe), 0, 255);
  c.set(0, cast(cast(clamp(round(x / safe) + zero, 0, 255), kI32), kU8), ElementType::kUint8);
  c.set(1, scale, ElementType::kFloat32);
  c.set(2, cast(cast(zero, kI32), kU8), ElementType::kUint8);
}

const Operators list{
    {"QuantizeLinear", quantize},
    {"DequantizeLinear", dequantize},
    {"DynamicQuantizeLinear", dynamic_quantize},
};

}  // namespace
}  // namespace glia::onnx
