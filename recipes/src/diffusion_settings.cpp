#include "recipes/src/diffusion_settings.h"

#include <algorithm>

#include "glia/glia.h"
#include "recipes/src/drawn_pictures.h"
#include "recipes/src/numbers.h"

namespace glia::recipes {
namespace {

constexpr int64_t kAtOnce = 100;
const std::vector<std::string> kPredictions = {"epsilon", "sample", "velocity"};

}  // namespace

void DiffusionSettings::declare(Fields& f) {
  f(data, "data", "fashion-mnist", "A data set of `glia data list`, or a folder.",
    data_sets("image-classification", "FOLDER"));
  f(diffusion.steps, "timesteps", 1000, "Steps from a picture to noise.", {2, 100000});
  f(schedule, "schedule", "cosine", "How noise grows.", {{"linear", "cosine"}});
  f(prediction, "prediction", "epsilon", "What the network tells of a noisy picture.",
    {kPredictions});
  f(net.width, "width", 32, "Channels of the first level.", {8, 4096});
  f(multipliers, "multipliers", "1,2,2", "By how much levels are wider, with commas.");
  f(net.blocks, "blocks", 1, "Residual blocks of each level.", {1, 16});
  f(net.attention_levels, "attention-levels", 1, "How many of the smallest have attention.",
    {0, 8});
  f(net.heads, "heads", 4, "Heads of attention.", {1, 64});
  f(net.dropout, "dropout", 0, "Part of the features that a step leaves out.", {0, 0.9});
  f(conditional, "conditional", true, "Classes are told to the network.");
  f(label_dropout, "label-dropout", 0.1, "How often they are not, for guidance.", {0, 1});
  f(mirror, "mirror", false, "Every second picture is mirrored.");
  f(steps, "steps", 3000, "Steps of training.", {1, 1e9});
  f(batch, "batch", 64, "Pictures in each.", {1, 100000});
  f(lr, "lr", 1e-3, "Highest rate of Adam; it rises first, and falls along a cosine.", {0, 1000});
  f(warmup, "warmup", 100, "Steps in which it rises.", {0, 1e9});
  f(ema, "ema", 0.995, "Decay of the average of the weights, which is kept.", {0, 1});
  f(sampling_steps, "sampling-steps", 50, "Steps of the network for each sample.", {1, 100000});
  f(eta, "eta", 0, "New noise on the way: 0 is DDIM, 1 DDPM.", {0, 1});
  f(guidance, "guidance", 1, "How much classes count in samples: 1 as trained.", {0, 100});
  f(judged, "judged", 1000, "How many pictures are drawn to judge them.", {10, 100000});
  TrainingSettings::declare(f);
  diffusion.schedule =
      schedule == "linear" ? generative::BetaSchedule::kLinear : generative::BetaSchedule::kCosine;
  const auto at = std::ranges::find(kPredictions, prediction) - kPredictions.begin();
  diffusion.prediction = static_cast<generative::Prediction>(at);
}

generative::UNetOptions DiffusionSettings::network(const ImageForm& form) const {
  generative::UNetOptions o = net;
  o.channels = form.channels;
  o.steps = diffusion.steps;
  o.classes = conditional ? static_cast<int64_t>(form.classes.size()) : 0;
  o.multipliers = whole_numbers_of("multipliers", multipliers, 64);
  return o;
}

Tensor drawn(const generative::UNet& net, const DiffusionSettings& s, const ImageForm& form,
             const Tensor& labels, int64_t count, int64_t steps, double guidance) {
  const generative::Diffusion diffusion(s.diffusion);
  return drawn_in_parts(labels, count, kAtOnce, [&](const Tensor& of, int64_t n) {
    return from_signed(diffusion.sample(generative::guided(net, of, guidance),
                                        {n, form.size, form.size, form.channels},
                                        {.steps = steps, .eta = s.eta}));
  });
}

}  // namespace glia::recipes
