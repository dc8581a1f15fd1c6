// Pictures: PNG and JPEG files as tensors u8 (H, W, C), colours, and sizes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "glia/tensor.h"

namespace glia::vision {

// A PNG or JPEG file, told by its first bytes, as a viewer shows it: u8 (H, W, C) with C as stored,
// 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. An EXIF orientation is applied; CMYK becomes RGB. One of
// more than `most_pixels` is refused before it is decoded. Throws IoError, "FILE: fault".
Tensor read_image(const std::string& path, int64_t most_pixels = int64_t{1} << 26);
// The same of a file's bytes; `name` is what errors call it.
Tensor decode_image(std::string_view bytes, int64_t most_pixels = int64_t{1} << 26,
                    const std::string& name = "image");

// The bytes of a JPEG file; `name` is what errors call it. Data that are missing are an error.
Tensor decode_jpeg(std::string_view bytes, int64_t most_pixels = int64_t{1} << 26,
                   const std::string& name = "JPEG");
// `image` is u8 (H, W, C) with C 1 or 3; quality is from 1 to 100.
std::string encode_jpeg(const Tensor& image, int quality = 75);

// With `channels` 1 (grey: 0.299 R + 0.587 G + 0.114 B) or 3 (RGB). What is transparent lies on
// white. Throws ShapeError for what is no image u8 (H, W, 1 to 4).
Tensor to_channels(const Tensor& image, int64_t channels, Where where = Where::current());

// The box of an image u8 (H, W, C) at (top, left), of height x width pixels, brought to
// out_height x out_width: linear, and averaging when it shrinks (antialiased), as Pillow and
// torchvision do it. The box may go beyond the image: there it is black.
Tensor resized_crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
                    int64_t out_height, int64_t out_width, Where where = Where::current());
// The whole image.
Tensor resize(const Tensor& image, int64_t out_height, int64_t out_width,
              Where where = Where::current());

// How a picture of any shape becomes a square.
enum class Square {
  kCrop,  // its middle is cut out
  kPad,   // it lies in the middle of a black square
};
Tensor to_square(const Tensor& image, int64_t size, Square how, Where where = Where::current());

}  // namespace glia::vision
