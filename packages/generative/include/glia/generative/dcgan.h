// Convolutional networks that make pictures of numbers, and numbers of pictures (Radford et al.
// 2016, DCGAN): generators and critics of a Gan, decoders and encoders of a Vae. Pictures are (N,
// size, size, channels); each layer doubles or halves their side by a convolution of 4 x 4.
#pragma once

#include <cstdint>

#include "glia/nn/sequential.h"

namespace glia::generative {

enum class DcganNorm {
  kNone,
  kBatch,     // batch norm behind each layer but the outermost
  kSpectral,  // weights divided by their largest singular value (Miyato et al. 2018)
};

struct DcganOptions {
  int64_t size = 28, channels = 1;  // 4 to 7 times a power of two
  int64_t width = 32;               // channels of the layer next to the picture; others have more
  DcganNorm norm = DcganNorm::kBatch;
  bool tanh = true;  // of a generator: pictures are in [-1, 1]; or any numbers
};

// Weights are drawn from N(0, 0.02), as the paper has them. Both throw ShapeError for options out
// of range. Numbers (N, inputs) -> pictures; ReLU between. A spectral norm is a critic's.
nn::Sequential dcgan_generator(int64_t inputs, const DcganOptions& options = {});
// Pictures -> (N, outputs); leaky ReLU of slope 0.2 between.
nn::Sequential dcgan_critic(int64_t outputs, const DcganOptions& options = {});

}  // namespace glia::generative
