// Generative adversarial networks of recipes: settings, and those that make pictures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/generative/dcgan.h"
#include "glia/generative/gan.h"
#include "glia/generative/mixture.h"
#include "glia/recipes/run.h"
#include "recipes/src/images.h"

namespace glia::recipes {

inline constexpr int64_t kGanIntervals = 20;

struct GanSettings : TrainingSettings {
  std::string data, loss, norm;
  int64_t width = 0, judged = 0;
  bool conditional = false;
  generative::GanOptions options;

  void declare(Fields& f) override;
  bool is_mixture() const;
  std::string penalties() const;  // "wgan-gp", "hinge with R1"
};

// Of pictures: what train and load of the recipe do.
void train_picture_gan(Run& run, const GanSettings& s);
std::unique_ptr<Predictor> load_picture_gan(const Saved& saved, const GanSettings& s);

}  // namespace glia::recipes
