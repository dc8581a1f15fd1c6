// What is chosen of a diffusion model of pictures, and what it draws.
#pragma once

#include <string>

#include "glia/generative/diffusion.h"
#include "glia/generative/unet.h"
#include "glia/recipes/run.h"
#include "recipes/src/images.h"

namespace glia::recipes {

struct DiffusionSettings : TrainingSettings {
  std::string data, schedule, prediction, multipliers;
  int64_t steps = 0, batch = 0, warmup = 0, sampling_steps = 0, judged = 0;
  double lr = 0, ema = 0, label_dropout = 0, guidance = 0, eta = 0;
  bool conditional = false, mirror = false;
  generative::DiffusionOptions diffusion;
  generative::UNetOptions net;

  void declare(Fields& f) override;
  ImageSource source() const { return {.data = data, .seed = static_cast<uint64_t>(seed)}; }
  generative::UNetOptions network(const ImageForm& form) const;
};

// Pictures u8 of classes (n), or of any.
Tensor drawn(const generative::UNet& net, const DiffusionSettings& s, const ImageForm& form,
             const Tensor& labels, int64_t count, int64_t steps, double guidance);

}  // namespace glia::recipes
