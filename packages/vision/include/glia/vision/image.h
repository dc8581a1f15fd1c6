// Pictures: files as tensors u8 (H, W, C), colours, and sizes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "glia/tensor.h"

namespace glia::vision {

// A PNG, JPEG, WebP, TIFF, GIF or PPM file, told by its first bytes, as a viewer shows it: u8
// (H, W, C) with C as stored, 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; 16 bits become 8. An EXIF
// orientation is applied; CMYK becomes RGB; of several pictures the first counts. One of more than
// `most_pixels` is refused before it is decoded. Throws IoError, "FILE: fault".
Tensor read_image(const std::string& path, int64_t most_pixels = int64_t{1} << 26);
// The same of a file's bytes; `name` is what errors call it.
Tensor decode_image(std::string_view bytes, int64_t most_pixels = int64_t{1} << 26,
                    const std::string& name = "image");

// The same as f32 of 0 to 1, of which files of 16 bits (PNG, TIFF, PPM) keep all.
Tensor read_image_float(const std::string& path, int64_t most_pixels = int64_t{1} << 26);

// The bytes of a JPEG file; `name` is what errors call it. Data that are missing are an error.
Tensor decode_jpeg(std::string_view bytes, int64_t most_pixels = int64_t{1} << 26,
                   const std::string& name = "JPEG");
// `image` is u8 (H, W, C) with C 1 or 3; quality is from 1 to 100.
std::string encode_jpeg(const Tensor& image, int quality = 75);

// With `channels` 1 (grey: 0.299 R + 0.587 G + 0.114 B) or 3 (RGB). What is transparent lies on
// white. Throws ShapeError for what is no image u8 (H, W, 1 to 4).
Tensor to_channels(const Tensor& image, int64_t channels, Where where = Where::current());

// How pixels are weighted: each is a mean of those near it, further the more a picture shrinks
// (antialiased), as Pillow has them: its results to one level, but where bicubic and Lanczos's
// filters overshoot and both sides shrink.
enum class Filter { kBox, kBilinear, kBicubic, kLanczos };

// The box of an image u8 (H, W, C) at (top, left), of height x width pixels, brought to
// out_height x out_width. The box may go beyond the image: there it is black.
Tensor resized_crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
                    int64_t out_height, int64_t out_width, Filter filter = Filter::kBilinear,
                    Where where = Where::current());
// The whole image.
Tensor resize(const Tensor& image, int64_t out_height, int64_t out_width,
              Filter filter = Filter::kBilinear, Where where = Where::current());

// How a picture of any shape becomes a square.
enum class Square {
  kCrop,  // its middle is cut out
  kPad,   // it lies in the middle of a black square
};
Tensor to_square(const Tensor& image, int64_t size, Square how, Where where = Where::current());

// A picture of any size u8 (H, W, C) by squares of `tile` pixels and what lies `margin` around
// them, as far as there is a picture, so that memory does not grow with it: f takes u8 (h, w, C)
// and gives u8 (h scale, w scale, K). Where f sees no further than the margin, the result is that
// of the whole. Throws ValueError for squares that are not from 16 to 8192, ShapeError for what f
// gives.
struct TileOptions {
  int64_t tile = 256, margin = 16, scale = 1;
};
Tensor in_tiles(const Tensor& image, const std::function<Tensor(const Tensor&)>& f,
                const TileOptions& options = {}, Where where = Where::current());

}  // namespace glia::vision
