// Tensors as bytes in a file, and back.
#pragma once

#include <span>

#include "glia/tensor.h"
#include "io/file.h"

namespace glia::io {

// How a file keeps a number; `kind` as in NumPy: 'b' bool, 'u' and 'i' integers, 'f' floats.
struct Elements {
  char kind;
  int size;  // bytes
  bool big_endian = false;
};

// Checks that sizes read from a file make a shape whose bytes can be counted; IoError if not.
Shape checked_shape(const std::string& path, std::span<const int64_t> sizes);

// The tensor in `content`, which must hold exactly its bytes; shares them if they are right as
// they lie and have an owner. 16-bit integers become i32 and u32 becomes i64; IoError for
// elements that have no dtype.
Tensor decode(const Content& content, const Shape& shape, Elements elements);
// The same, for elements stored as Glia has them.
Tensor decode(const Content& content, const Shape& shape, DType dtype);

// A tensor's values as they lie in memory, as long as the handle lives.
Bytes raw_bytes(const Tensor& t);
// The same bytes with each element's turned around.
std::string swapped(Bytes bytes, int element_size);

}  // namespace glia::io
