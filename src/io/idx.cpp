// The idx format: two zero bytes, an element type, the rank, each axis in 32 bits, the values;
// all of it big-endian (Y. LeCun, "The MNIST database of handwritten digits").
#include <array>
#include <functional>
#include <optional>

#include "glia/io.h"
#include "io/elements.h"
#include "io/inflate.h"

namespace glia::io {
namespace {

struct Type {
  uint8_t code;
  Elements elements;
  std::optional<DType> written;  // the dtype that is written so
};
constexpr Type kTypes[] = {
    {0x08, {'u', 1, true}, kU8},          {0x09, {'i', 1, true}, kI8},
    {0x0b, {'i', 2, true}, std::nullopt}, {0x0c, {'i', 4, true}, kI32},
    {0x0d, {'f', 4, true}, kF32},         {0x0e, {'f', 8, true}, kF64},
};

// `take` gives the next bytes of the file.
Tensor parse(const std::string& path, const std::function<Content(uint64_t)>& take) {
  const Content start = take(4);
  const Bytes magic = start.bytes;
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const Type& t) { return t.code == magic[2]; });
  if (magic[0] != 0 || magic[1] != 0 || type == std::end(kTypes)) fail(path, "is no idx file");
  std::vector<int64_t> sizes(magic[3]);
  const Content header = take(4 * sizes.size());
  Cursor cursor(path, header.bytes);
  for (int64_t& size : sizes) size = static_cast<int64_t>(cursor.big(4));
  const Shape shape = checked_shape(path, sizes);
  return decode(take(shape.numel() * type->elements.size), shape, type->elements);
}

}  // namespace

Tensor read_idx(const std::string& path) {
  const Content file = load(path);
  uint64_t taken = 0;
  if (file.bytes.size() >= 2 && file.bytes[0] == 0x1f && file.bytes[1] == 0x8b) {
    Inflater inflater(path, file.bytes, Inflater::kGzip);
    const Tensor values = parse(path, [&](uint64_t count) {
      Content part = inflater.take(count);
      if (part.bytes.size() < count) fail_short(path, taken + part.bytes.size(), taken + count);
      taken += count;
      return part;
    });
    inflater.finish();
    return values;
  }
  Cursor cursor(path, file.bytes);
  const Tensor values = parse(path, [&](uint64_t count) {
    return Content{path, cursor.take(count), file.owner};
  });
  if (cursor.left() > 0) fail(path, grouped(cursor.left()) + " bytes follow its values");
  return values;
}

void write_idx(const std::string& path, const Tensor& values) {
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const Type& t) { return t.written == values.dtype(); });
  if (type == std::end(kTypes))
    fail(path, std::string("idx has no type for ") + name(values.dtype()));
  std::string header{0, 0, static_cast<char>(type->code), static_cast<char>(values.rank())};
  for (int64_t size : values.shape()) {
    if (size > UINT32_MAX) fail(path, "an axis of " + grouped(size) + " is too long for idx");
    put_big(header, size, 4);
  }
  const std::string body = swapped(raw_bytes(values), type->elements.size);
  if (path.ends_with(".gz")) {
    write_file_atomic(path, gzip(path, {bytes_of(header), bytes_of(body)}));
  } else {
    write_file_atomic(path, header + body);
  }
}

}  // namespace glia::io
