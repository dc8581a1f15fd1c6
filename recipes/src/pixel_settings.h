// What is chosen of a PixelCNN, and what this means for pictures.
#pragma once

#include <string>

#include "glia/generative/pixel_cnn.h"
#include "glia/recipes/run.h"
#include "recipes/src/images.h"

namespace glia::recipes {

struct PixelSettings : TrainingSettings {
  std::string data;
  int64_t size = 0, steps = 0, batch = 0;
  double lr = 0;
  bool conditional = false;
  generative::PixelCnnOptions options;

  void declare(Fields& f) override;
  ImageSource source() const { return {.data = data, .seed = static_cast<uint64_t>(seed)}; }
  generative::PixelCnn network(const ImageForm& form) const;
  // Bytes (N, H, W, 1) as levels (N, H, W) i64.
  Tensor levels_of(const Tensor& bytes, uint64_t stream) const;
  Tensor bytes_of(const Tensor& levels) const;
};

// Nats for a picture of levels (N, H, W), in the mean; labels (N), or undefined.
double nll_of(const generative::PixelCnn& net, const Tensor& x, const Tensor& labels);

}  // namespace glia::recipes
