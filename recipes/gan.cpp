// Generative adversarial networks that learn mixtures of Gaussians in the plane, or pictures.
#include <fmt/format.h>

#include <algorithm>

#include "glia/generative/mixture.h"
#include "glia/glia.h"
#include "glia/vision/image.h"
#include "recipes/src/frames.h"
#include "recipes/src/gans.h"
#include "recipes/src/numbers.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

using generative::Mixture;

constexpr int64_t kShown = 1000;
constexpr int64_t kJudged = 2500;  // samples, as Lin et al. 2018 (PacGAN) take

nn::Sequential network(const GanSettings& s, int64_t in, int64_t out) {
  return nn::Sequential(nn::Linear(in, s.width), relu, nn::Linear(s.width, s.width), relu,
                        nn::Linear(s.width, s.width), relu, nn::Linear(s.width, out));
}
nn::Sequential generator_of(const GanSettings& s) { return network(s, s.options.noise, 2); }
Mixture mixture_of(const GanSettings& s) {
  return s.data == "ring-8" ? generative::ring_of_gaussians() : generative::grid_of_gaussians();
}

Results results_of(const generative::Coverage& c) {
  return {{"modes", c.modes}, {"good_samples", c.good_samples, true}, {"samples", c.samples}};
}

void train(Run& run, const GanSettings& s) {
  if (!s.is_mixture()) return train_picture_gan(run, s);
  if (s.conditional) throw Error("--conditional: points have no classes");
  const Mixture mixture = mixture_of(s);
  nn::Sequential generator = generator_of(s), critic = network(s, 2, 1);
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
  training::Trainer trainer(
      task, {.steps = s.options.total_steps,
             .interval = std::max<int64_t>(1, s.options.total_steps / kGanIntervals),
             .note = run.note()});
  run.say(fmt::format("gan: {} by {}, results in {}", s.data, s.penalties(), run.folder()));
  run.fit(trainer, "samples");

  run.save(gan.averaged_weights());
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  report::Report page{
      .title = "GAN, " + s.data,
      .subtitle = fmt::format("Trained by {} for {} steps, {}", version(), s.options.total_steps,
                              s.penalties()),
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
      : settings_(s), mixture_(mixture_of(s)), generator_(generator_of(s)) {
    generator_.load_state_dict(saved.weights);
    generator_.eval();
  }

  Computation computation() const override {
    return computation_of(
        generator_, [this](const Tensor& x) { return generator_(x); },
        zeros({1, settings_.options.noise}), "noise", "samples");
  }

 protected:
  Results answer(const Input& input) const override {
    return {{"samples", made(whole_number_of(input, "number of samples", 1000000))}};
  }
  Results score(const Evaluation& what) const override {
    what.require(settings_.data);
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
    .description = "A generative adversarial network that learns to make pictures, or points.",
    .run_name =
        [](const GanSettings& s) {
          return "gan-" + (s.is_mixture() ? s.data : ImageSource{s.data}.name());
        },
    .references = [](const GanSettings& s) -> std::vector<Reference> {
      if (!s.is_mixture()) return {};
      if (s.data == "ring-8") return {{"modes", 8, "all of the mixture"}};
      return {{"modes", 24, "at least, of 25"}};
    },
    .train = train,
    .load = [](const Saved& saved, const GanSettings& s) -> std::unique_ptr<Predictor> {
      if (s.is_mixture()) return std::make_unique<Generator>(saved, s);
      return load_picture_gan(saved, s);
    },
    .input = "COUNT",
    .input_help = "How many samples to draw.",
    .predict_help = "Prints samples of the generator, a row of two numbers each, or pixels.",
    .evaluate_help = "Of points: prints how many modes of the mixture have a sample within three "
                     "deviations, and the\n"
                     "share of samples that are so near to any, among 2,500 or --count of them. Of "
                     "pictures: the\n"
                     "distance FID and others, by features of a small classifier of the real ones.",
    .draws = true,
});

}  // namespace
}  // namespace glia::recipes
