// What is chosen of a variational autoencoder of pictures, and what this means for them.
#pragma once

#include <string>

#include "glia/generative/vae.h"
#include "glia/recipes/run.h"
#include "recipes/src/images.h"

namespace glia::recipes {

struct VaeSettings : TrainingSettings {
  std::string data, model, likelihood, hidden, bound, binarise;
  int64_t epochs = 0, batch = 0, width = 0, nll_samples = 0, nll_count = 0, judged = 0;
  double lr = 0;
  generative::VaeOptions options;

  void declare(Fields& f) override;
  ImageSource source() const { return {.data = data, .seed = static_cast<uint64_t>(seed)}; }
  generative::Vae network(const ImageForm& form) const;
  // Bytes as the network sees them.
  Tensor prepared(const Tensor& bytes) const;
  // Once for all: 0 or 255 by draws of a stream of their own.
  void binarise_once(Tensor& bytes, uint64_t stream) const;
  ImageSplits read(int64_t size) const;
};

// -log p(x) of so many pictures from here and there, in the mean.
double nll_of(const generative::Vae& net, const VaeSettings& s, const Tensor& images,
              int64_t count);

}  // namespace glia::recipes
