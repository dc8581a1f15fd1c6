#include <algorithm>

#include "checks.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/vision/image.h"

namespace glia::vision {

Tensor in_tiles(const Tensor& image, const std::function<Tensor(const Tensor&)>& f,
                const TileOptions& o, Where where) {
  check_image("in_tiles", image, where);
  if (o.tile < 16 || o.tile > 8192 || o.margin < 0 || o.margin > 4096 || o.scale < 1 ||
      o.scale > 64)
    throw ValueError("in_tiles: squares of " + std::to_string(o.tile) + " with " +
                         std::to_string(o.margin) + " around, at a scale of " +
                         std::to_string(o.scale),
                     where);
  const int64_t height = image.size(0), width = image.size(1), scale = o.scale;
  int64_t channels = 0;
  std::vector<uint8_t> out;
  for (int64_t top = 0; top < height; top += o.tile)
    for (int64_t left = 0; left < width; left += o.tile) {
      const int64_t rows = std::min(o.tile, height - top), columns = std::min(o.tile, width - left);
      const int64_t y0 = std::max<int64_t>(0, top - o.margin),
                    x0 = std::max<int64_t>(0, left - o.margin),
                    y1 = std::min(height, top + rows + o.margin),
                    x1 = std::min(width, left + columns + o.margin);
      const Tensor y = f(slice(slice(image, 0, {y0, y1}), 1, {x0, x1}));
      if (y.rank() != 3 || y.dtype() != kU8 || y.size(0) != scale * (y1 - y0) ||
          y.size(1) != scale * (x1 - x0) || (channels > 0 && y.size(2) != channels))
        throw ShapeError("in_tiles: made " + y.shape().str() + " of " + std::to_string(y1 - y0) +
                             " x " + std::to_string(x1 - x0) + " pixels",
                         where);
      channels = y.size(2);
      out.resize(static_cast<size_t>(scale * height * scale * width * channels));
      const int64_t length = scale * columns * channels;
      const auto pixels = y.data<uint8_t>();
      for (int64_t r = 0; r < scale * rows; ++r) {
        const int64_t from =
            ((scale * (top - y0) + r) * y.size(1) + scale * (left - x0)) * channels;
        std::copy_n(pixels.begin() + from, length,
                    out.begin() + ((scale * top + r) * scale * width + scale * left) * channels);
      }
    }
  return from_vector(out, {scale * height, scale * width, channels});
}

}  // namespace glia::vision
