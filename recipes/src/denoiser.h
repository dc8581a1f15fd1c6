// Noise taken out of pictures: what is chosen, the network, how good it is, and one in use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/nn/conv.h"
#include "glia/nn/normalization.h"
#include "glia/recipes/run.h"

namespace glia::recipes {

struct DenoisingSettings : TrainingSettings {
  std::string data;
  double sigma = 0, lr = 0;
  int64_t depth = 0, width = 0, crop = 0, batch = 0, steps = 0;

  void declare(Fields& f) override;
};

// Convolutions with batch norm whose sum is the noise (Zhang et al. 2017, DnCNN).
struct DnCnn : nn::Module {
  DnCnn(int64_t channels, int64_t depth, int64_t width)
      : first(channels, width, {.kernel = 3, .padding = 1}),
        last(width, channels, {.kernel = 3, .padding = 1, .bias = false}) {
    for (int64_t i = 2; i < depth; ++i) {
      layers.emplace_back(width, width, nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false});
      norms.emplace_back(width);
    }
  }
  Tensor operator()(const Tensor& x) const {  // of 0 to 1, noisy -> without noise
    Tensor h = relu(first(x));
    for (size_t i = 0; i < layers.size(); ++i) h = relu(norms[i](layers[i](h)));
    return x - last(h);
  }
  nn::Conv2d first;
  std::vector<nn::Conv2d> layers;
  std::vector<nn::BatchNorm2d> norms;
  nn::Conv2d last;
  GLIA_FIELDS(first, layers, norms, last)
};

struct DenoisingPictures {
  std::vector<Tensor> train, test;  // u8 (H, W, channels)
  int64_t channels = 3;
};
DenoisingPictures read_pictures(const DenoisingSettings& s);
// Normal noise whose deviation is of values from 0 to 255, for pictures of 0 to 1.
Tensor noise_of(const Shape& shape, double sigma, data::Random& random);

// Noisy and cleaned PSNR, means over pictures; noise is the same each time.
struct DenoisingVerdict {
  double noisy = 0, psnr = 0, ssim = 0;
  std::vector<report::Images::Picture> shown;
};
DenoisingVerdict judged(const DnCnn& net, const std::vector<Tensor>& set,
                        const DenoisingSettings& s);
Results results_of(const DenoisingVerdict& v, const std::vector<Tensor>& set);

std::unique_ptr<Predictor> denoiser(const Saved& saved, const DenoisingSettings& s);

}  // namespace glia::recipes
