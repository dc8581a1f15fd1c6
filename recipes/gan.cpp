// Generative adversarial networks that learn mixtures of Gaussians in the plane.
#include <fmt/format.h>

#include <algorithm>

#include "glia/generative/gan.h"
#include "glia/generative/mixture.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/frames.h"
#include "recipes/src/numbers.h"

namespace glia::recipes {
namespace {

using generative::Mixture;

constexpr int64_t kIntervals = 20, kShown = 1000;
constexpr int64_t kJudged = 2500;  // samples, as Lin et al. 2018 (PacGAN) take

struct GanSettings : TrainingSettings {
  std::string data, loss;
  int64_t width = 0;
  generative::GanOptions options;

  void declare(Fields& f) override {
    f(data, "data", "grid-25", "The mixture: 8 Gaussians on a ring, or 25 on a grid.",
      {{"ring-8", "grid-25"}});
    f(loss, "loss", "wgan-gp", "Wasserstein with gradient penalty, or non-saturating.",
      {{"wgan-gp", "non-saturating"}});
    const bool wgan = loss == "wgan-gp";
    auto& o = options;
    o.loss = wgan ? generative::GanLoss::kWasserstein : generative::GanLoss::kNonSaturating;
    o.penalty = 0.1;
    f(o.total_steps, "steps", 10000, "Steps of the generator.", {1, 1e9});
    f(o.critic_steps, "critic-steps", wgan ? 5 : 1, "Steps of the critic for each.", {1, 100});
    f(o.batch_size, "batch", 256, "Samples in each step.", {2, 100000});
    f(width, "width", 128, "Units of each hidden layer.", {1, 10000});
    f(o.lr, "lr", wgan ? 1e-3 : 5e-4, "Learning rate at the start; it falls to 0 along a cosine.",
      {0, 1000});
    f(o.ema_decay, "ema", 0.99, "Decay of the average of the generator's weights, which is kept.",
      {0, 1});
    TrainingSettings::declare(f);
  }
  nn::Sequential network(int64_t in, int64_t out) const {
    return nn::Sequential(nn::Linear(in, width), relu, nn::Linear(width, width), relu,
                          nn::Linear(width, width), relu, nn::Linear(width, out));
  }
  nn::Sequential generator() const { return network(options.noise, 2); }
  Mixture mixture() const {
    return data == "ring-8" ? generative::ring_of_gaussians() : generative::grid_of_gaussians();
  }
};

Results results_of(const generative::Coverage& c) {
  return {{"modes", c.modes}, {"good_samples", c.good_samples, true}, {"samples", c.samples}};
}

void train(Run& run, const GanSettings& s) {
  const Mixture mixture = s.mixture();
  nn::Sequential generator = s.generator(), critic = s.network(2, 1);
  generative::Gan gan(std::move(generator), std::move(critic), s.options);
  Frames frames;  // samples after each epoch
  training::Task task = gan.task([&](int64_t n) { return mixture.sample(n); });
  task.parts.emplace_back("frames", frames);
  task.evaluate = [&]() -> training::Values {
    const Tensor points = gan.sample(kJudged);
    frames.all.push_back(slice(points, 0, {0, kShown}));
    const auto found = generative::coverage(mixture, points);
    return {{"modes", static_cast<double>(found.modes)}, {"good_samples", found.good_samples}};
  };
  training::Trainer trainer(task,
                            {.steps = s.options.total_steps,
                             .interval = std::max<int64_t>(1, s.options.total_steps / kIntervals),
                             .note = run.note()});
  run.say(fmt::format("gan: {} by {}, results in {}", s.data, s.loss, run.folder()));
  run.fit(trainer, "samples");

  run.save(gan.averaged_weights());
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  report::Report page{
      .title = "GAN, " + s.data,
      .subtitle =
          fmt::format("Trained by {} for {} steps, {}", version(), s.options.total_steps, s.loss),
      .sections = {
          {"Samples", frames.beside(mixture.centres, {"sample", "centre of a mode"}, trainer),
           "What the generator makes as training goes on.", true},
          curve(trainer, "Modes found", "modes", x),
          curve(trainer, "Good samples: within three deviations of a mode", "good_samples", x,
                {.percent = true}),
          curve(trainer, "Loss of the critic", "train_critic_loss", x),
          curve(trainer, "Loss of the generator", "train_generator_loss", x)}};
  run.finish(page, results_of(generative::coverage(mixture, gan.sample(kJudged))));
}

class Generator : public Predictor {
 public:
  Generator(const Saved& saved, const GanSettings& s)
      : settings_(s), mixture_(s.mixture()), generator_(s.generator()) {
    generator_.load_state_dict(saved.weights);
  }

 protected:
  Results answer(const Input& input) const override {
    return {{"samples", made(whole_number_of(input, "number of samples", 1000000))}};
  }
  Results score(const Evaluation& what) const override {
    if (!what.data.empty() && what.data != settings_.data)
      throw Error(what.data + ": the generator is of " + settings_.data);
    return results_of(generative::coverage(mixture_, made(what.count > 0 ? what.count : kJudged)));
  }

 private:
  Tensor made(int64_t n) const { return generator_(randn({n, settings_.options.noise})); }

  const GanSettings settings_;
  const Mixture mixture_;
  nn::Sequential generator_;
};

const Register<GanSettings> gan({
    .name = "gan",
    .task = "generation",
    .description = "A generative adversarial network that learns a mixture of Gaussians.",
    .run_name = [](const GanSettings& s) { return "gan-" + s.data; },
    .references = [](const GanSettings& s) -> std::vector<Reference> {
      if (s.data == "ring-8") return {{"modes", 8, "all of the mixture"}};
      return {{"modes", 24, "at least, of 25"}};
    },
    .train = train,
    .load = make_predictor<Generator, GanSettings>,
    .input = "COUNT",
    .input_help = "How many samples to draw.",
    .predict_help = "Prints samples of the generator, a row of two numbers each.",
    .evaluate_help = "Prints how many modes of the mixture have a sample within three deviations, "
                     "and the share\n"
                     "of samples that are so near to any, among 2,500 or --count of them.",
});

}  // namespace
}  // namespace glia::recipes
