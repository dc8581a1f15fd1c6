#include "io/elements.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

#include "glia/io.h"

namespace glia::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

std::optional<DType> dtype_for(Elements e) {
  if (e.kind == 'b' && e.size == 1) return kBool;
  if (e.kind == 'u' && e.size == 1) return kU8;
  if (e.kind == 'u' && e.size == 2) return kI32;
  if (e.kind == 'u' && e.size == 4) return kI64;
  if (e.kind == 'i' && e.size == 1) return kI8;
  if (e.kind == 'i' && (e.size == 2 || e.size == 4)) return kI32;
  if (e.kind == 'i' && e.size == 8) return kI64;
  if (e.kind == 'f' && e.size == 2) return kF16;
  if (e.kind == 'f' && e.size == 4) return kF32;
  if (e.kind == 'f' && e.size == 8) return kF64;
  return std::nullopt;
}

// Copies integers into wider ones.
void widen(Bytes from, Elements e, uint8_t* to, int size) {
  for (; !from.empty(); from = from.subspan(e.size), to += size) {
    const bool negative = e.kind == 'i' && from[e.size - 1] & 0x80;
    std::fill(std::copy_n(from.begin(), e.size, to), to + size, negative ? 0xff : 0);
  }
}

}  // namespace

Shape checked_shape(const std::string& path, std::span<const int64_t> sizes) {
  if (sizes.size() > kMaxRank)
    fail(path, "rank " + std::to_string(sizes.size()) + " is above the limit of " +
                   std::to_string(kMaxRank));
  // Below 2^59 elements, which Shape::numel() allows. Empty axes count as 1: strides must fit too.
  int64_t bytes = 16;
  for (int64_t size : sizes) {
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      fail(path, "shape " + Shape(sizes).str() + " is impossible");
  }
  return Shape(sizes);
}

Tensor decode(const Content& content, const Shape& shape, DType dtype) {
  const uint8_t* values = content.bytes.data();
  if (dtype == kBool && std::any_of(content.bytes.begin(), content.bytes.end(),
                                    [](uint8_t byte) { return byte > 1; }))
    fail(content.path, "holds a bool that is neither 0 nor 1");
  const bool aligned = reinterpret_cast<uintptr_t>(values) % size_of(dtype) == 0;
  if (content.owner && aligned) return from_external(values, shape, dtype, content.owner);
  return from_bytes(values, shape, dtype);
}

Tensor decode(const Content& content, const Shape& shape, Elements elements) {
  const std::optional<DType> dtype = dtype_for(elements);
  if (!dtype)
    fail(content.path, std::string("elements of type ") + elements.kind +
                           std::to_string(elements.size) + " have no dtype here");
  const int size = static_cast<int>(size_of(*dtype));
  Content native = content;
  if (elements.big_endian && elements.size > 1) {
    auto turned = std::make_shared<std::string>(swapped(content.bytes, elements.size));
    native = {content.path, bytes_of(*turned), turned};
  }
  if (size > elements.size) {
    auto wide = std::make_shared<std::vector<uint8_t>>(shape.numel() * size);
    widen(native.bytes, elements, wide->data(), size);
    native = {content.path, *wide, wide};
  }
  return decode(native, shape, *dtype);
}

Bytes raw_bytes(const Tensor& t) {
  const auto bytes = [&]<class T>(T) -> Bytes {
    const std::span<const T> values = t.data<T>();
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
  };
  switch (t.dtype()) {
    case DType::kBool:
      return bytes(bool());
    case DType::kU8:
      return bytes(uint8_t());
    case DType::kI8:
      return bytes(int8_t());
    case DType::kI32:
      return bytes(int32_t());
    case DType::kI64:
      return bytes(int64_t());
    case DType::kF16:
      return bytes(float16());
    case DType::kBF16:
      return bytes(bfloat16());
    case DType::kF32:
      return bytes(float());
    case DType::kF64:
      return bytes(double());
  }
  throw Error("raw_bytes: unknown dtype");
}

std::string swapped(Bytes bytes, int element_size) {
  std::string out(text_of(bytes));
  for (size_t at = 0; at < out.size(); at += element_size)
    std::reverse(out.begin() + at, out.begin() + at + element_size);
  return out;
}

void append(NamedTensors& to, const std::string& prefix, const NamedTensors& from) {
  for (const auto& [name, tensor] : from) to.emplace_back(prefix + name, tensor);
}

NamedTensors with_prefix(const NamedTensors& all, const std::string& prefix) {
  NamedTensors out;
  for (const auto& [name, tensor] : all)
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  return out;
}

}  // namespace glia::io
