// Pixel after pixel: p(picture) is the product of each pixel's probability given those above and
// left of it (van den Oord et al. 2016, PixelCNN), so that it is known exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"

namespace glia::generative {

struct PixelCnnOptions {
  int64_t levels = 2;   // what a pixel may be: 0 to levels - 1
  int64_t width = 32;   // channels
  int64_t layers = 5;   // gated residual ones
  int64_t classes = 0;  // 0: none are told
};

// Convolutions that see no later pixel because they are shifted (Salimans et al. 2017, PixelCNN++):
// one stream sees the rows above, the other the row's pixels before too, and there is no blind
// spot.
struct PixelCnn : nn::Module {
  // Throws ShapeError for options out of range.
  explicit PixelCnn(const PixelCnnOptions& options = {});
  // Pictures (N, H, W) i64 and classes (N), if there are -> logits of each pixel (N, H, W, levels).
  Tensor operator()(const Tensor& x, const Tensor& labels = {},
                    Where where = Where::current()) const;
  // log p of each picture, in nats: (N).
  Tensor log_likelihood(const Tensor& x, const Tensor& labels = {}) const;
  // Pictures (n, height, width) i64, drawn pixel after pixel, without gradients. `begin` (n, rows,
  // width) are first rows that stay.
  Tensor sample(int64_t n, int64_t height, int64_t width, const Tensor& labels = {},
                const Tensor& begin = {}) const;

  // Two convolutions with a gate, and what another stream says between them.
  struct Layer : nn::Module {
    Layer(int64_t width, int64_t kernel_width, bool told);
    Tensor operator()(const Tensor& x, const Tensor& other = {}) const;
    Tensor shifted(const nn::Conv2d& conv, const Tensor& x) const;
    nn::Conv2d conv1, conv2;
    std::optional<nn::Linear> other;
    GLIA_FIELDS(conv1, other, conv2)
  };

  PixelCnnOptions options;
  nn::Embedding pixel;
  std::optional<nn::Embedding> label;
  nn::Conv2d above, row_above, left;  // first convolutions, of rows above and of pixels before
  std::vector<Layer> vertical, horizontal;
  nn::Linear out;
  GLIA_FIELDS(pixel, label, above, row_above, left, vertical, horizontal, out)
};

}  // namespace glia::generative
