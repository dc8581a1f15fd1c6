// Generative adversarial networks that learn mixtures of Gaussians in the plane.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "recipes/src/table.h"

namespace glia::recipes {
namespace {

constexpr int64_t kNoise = 2, kIntervals = 20, kShown = 1000;
constexpr int64_t kJudged = 2500;  // samples, as Lin et al. 2018 (PacGAN) take
constexpr double kPenalty = 0.1;

struct GanSettings : TrainingSettings {
  std::string data, loss;
  int64_t steps = 0, batch = 0, width = 0, critic_steps = 0;
  double lr = 0, decay = 0;

  void declare(Fields& f) override {
    f(data, "data", "grid-25", "The mixture: 8 Gaussians on a ring, or 25 on a grid.",
      {{"ring-8", "grid-25"}});
    f(loss, "loss", "wgan-gp", "Wasserstein with gradient penalty, or non-saturating.",
      {{"wgan-gp", "non-saturating"}});
    const bool wgan = loss == "wgan-gp";
    f(steps, "steps", 10000, "Steps of the generator.", {1, 1e9});
    f(critic_steps, "critic-steps", wgan ? 5 : 1, "Steps of the critic for each.", {1, 100});
    f(batch, "batch", 256, "Samples in each step.", {2, 100000});
    f(width, "width", 128, "Units of each hidden layer.", {1, 10000});
    f(lr, "lr", wgan ? 1e-3 : 5e-4, "Learning rate at the start; it falls to 0 along a cosine.",
      {0, 1000});
    f(decay, "ema", 0.99, "Decay of the average of the generator's weights, which is kept.",
      {0, 1});
    TrainingSettings::declare(f);
  }
};

// Equally likely Gaussians around centres (K, 2), scaled to a variance near 1.
struct Mixture {
  std::vector<double> x, y;
  double deviation = 0;

  explicit Mixture(const std::string& name) {
    if (name == "ring-8") {
      for (int i = 0; i < 8; ++i) {
        x.push_back(std::sqrt(2) * std::cos(i * M_PI / 4));
        y.push_back(std::sqrt(2) * std::sin(i * M_PI / 4));
      }
      deviation = 0.02 * std::sqrt(2);
    } else {
      for (int i = 0; i < 25; ++i) {
        x.push_back((2 * (i / 5) - 4) / 2.828);
        y.push_back((2 * (i % 5) - 4) / 2.828);
      }
      deviation = 0.05 / 2.828;
    }
  }
  int64_t size() const { return static_cast<int64_t>(x.size()); }
  Tensor sample(int64_t n) const {
    const Tensor centres =
        cast(stack({from_vector(x, {size()}), from_vector(y, {size()})}, 1), kF32);
    return take(centres, randint(0, size(), {n}), 0) + deviation * randn({n, 2});
  }
  // How many centres have a sample within three deviations, and the share of such samples.
  Results judge(const Tensor& samples) const {
    const auto p = samples.to_vector<double>();
    std::vector<int64_t> found(x.size());
    int64_t good = 0;
    for (size_t i = 0; i < p.size(); i += 2) {
      for (size_t k = 0; k < x.size(); ++k) {
        if (std::hypot(p[i] - x[k], p[i + 1] - y[k]) > 3 * deviation) continue;
        ++found[k];
        ++good;
      }
    }
    return {{"modes", size() - std::ranges::count(found, 0)},
            {"good_samples", 2.0 * static_cast<double>(good) / static_cast<double>(p.size()), true},
            {"samples", static_cast<int64_t>(p.size() / 2)}};
  }
};

nn::Sequential network(int64_t in, int64_t out, int64_t width) {
  return nn::Sequential(nn::Linear(in, width), relu, nn::Linear(width, width), relu,
                        nn::Linear(width, width), relu, nn::Linear(width, out));
}

struct Gan {
  const GanSettings& s;
  Mixture mixture{s.data};
  nn::Sequential generator = network(kNoise, 2, s.width), critic = network(2, 1, s.width);
  optim::AdamOptions options{.lr = s.lr, .betas = {0.5, 0.9}};
  optim::Adam generator_optimizer{generator.parameters(), options};
  optim::Adam critic_optimizer{critic.parameters(), options};
  optim::AveragedParameters average{generator.parameters(), {.decay = s.decay}};
  std::vector<Tensor> frames;  // samples after each epoch

  Tensor critic_loss() const {
    const Tensor real = mixture.sample(s.batch);
    const Tensor fake = stop_gradient(generator(randn({s.batch, kNoise})));
    if (s.loss == "non-saturating")
      return mean(softplus(-critic(real))) + mean(softplus(critic(fake)));
    const Tensor part = rand({s.batch, 1});
    const Tensor between = trainable(part * real + (1 - part) * fake);
    const Tensor slope = gradients(sum(critic(between)), {between})[0];
    const Tensor penalty = mean(square(sqrt(sum(square(slope), {1}) + 1e-12) - 1));
    return mean(critic(fake)) - mean(critic(real)) + kPenalty * penalty;
  }
  Tensor generator_loss() const {
    const Tensor told = critic(generator(randn({s.batch, kNoise})));
    return s.loss == "wgan-gp" ? -mean(told) : mean(softplus(-told));
  }
  training::Metrics step() {
    Tensor critics;
    for (int64_t i = 0; i < s.critic_steps; ++i)
      critics = critic_optimizer.step([&] { return critic_loss(); });
    const Tensor own = generator_optimizer.step([&] { return generator_loss(); });
    average.update();
    return {{"critic_loss", critics * s.batch, s.batch}, {"generator_loss", own}};
  }
  Tensor samples(int64_t n) {
    average.swap();
    const Tensor out = generator(randn({n, kNoise}));
    eval(out);
    average.swap();
    return out;
  }
  training::Values evaluate() {
    const Tensor points = samples(kJudged);
    frames.push_back(slice(points, 0, {0, kShown}));
    const Results r = mixture.judge(points);
    return {{"modes", static_cast<double>(std::get<int64_t>(r[0].value))},
            {"good_samples", std::get<double>(r[1].value)}};
  }
};

void train(Run& run, const GanSettings& s) {
  Gan gan{s};
  gan.generator_optimizer.set_schedule(optim::cosine(s.lr, s.steps));
  gan.critic_optimizer.set_schedule(optim::cosine(s.lr, s.steps * s.critic_steps));
  const auto frames = [&] {
    StateDict out;
    for (const Tensor& f : gan.frames) out.emplace_back(std::to_string(out.size()), f);
    return out;
  };
  training::Trainer trainer({.parts = {{"generator", gan.generator},
                                       {"critic", gan.critic},
                                       {"generator_optimizer", gan.generator_optimizer},
                                       {"critic_optimizer", gan.critic_optimizer},
                                       {"average", gan.average},
                                       {"frames", frames,
                                        [&](const StateDict& state) {
                                          gan.frames.clear();
                                          for (const auto& [name, value] : state)
                                            gan.frames.push_back(value);
                                        }}},
                             .step = [&](const data::Sample&) { return gan.step(); },
                             .evaluate = [&] { return gan.evaluate(); }},
                            {.steps = s.steps,
                             .interval = std::max<int64_t>(1, s.steps / kIntervals),
                             .note = run.note()});
  run.say(fmt::format("gan: {} by {}, results in {}", s.data, s.loss, run.folder()));
  run.fit(trainer, "samples");

  gan.average.swap();
  run.save(gan.generator.state_dict());
  report::Report page{
      .title = "GAN, " + s.data,
      .subtitle = fmt::format("Trained by {} for {} steps, {}", version(), s.steps, s.loss)};
  const Tensor centres = stack({from_vector(gan.mixture.x, {gan.mixture.size()}),
                                from_vector(gan.mixture.y, {gan.mixture.size()})},
                               1);
  report::Scatter scatter{.frames = {}, .classes = {"sample", "centre of a mode"}, .equal = true};
  for (size_t i = 0; i < gan.frames.size(); ++i) {
    std::vector<int64_t> labels(kShown, 0);
    labels.resize(kShown + gan.mixture.x.size(), 1);
    scatter.frames.push_back({.points = concat({cast(gan.frames[i], kF64), centres}),
                              .labels = labels,
                              .title = fmt::format("step {}", trainer.history()[i].step)});
  }
  page.sections.push_back(
      {"Samples", scatter, "What the generator makes as training goes on.", true});
  const auto curve = [&](const char* title, const std::string& name, bool percent = false) {
    page.sections.push_back(
        {title, report::Curves{.series = {{"", over_epochs(trainer, name)}},
                               .x = {fmt::format("{} steps", trainer.options().interval)},
                               .y = {.percent = percent}}});
  };
  curve("Modes found", "modes");
  curve("Good samples: within three deviations of a mode", "good_samples", true);
  curve("Loss of the critic", "train_critic_loss");
  curve("Loss of the generator", "train_generator_loss");
  const Tensor last = gan.generator(randn({kJudged, kNoise}));
  run.finish(page, gan.mixture.judge(last));
}

class Generator : public Predictor {
 public:
  Generator(const Saved& saved, const GanSettings& s)
      : data_(s.data), mixture_(s.data), generator_(network(kNoise, 2, s.width)) {
    generator_.load_state_dict(saved.weights);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    const double n = text ? numbers_of(*text, 1)[0] : std::get<Tensor>(input).item();
    if (!(n >= 1 && n <= 1e6) || n != std::floor(n))
      throw ValueError(fmt::format("{} is no number of samples from 1 to 1000000", n));
    return {{"samples", generator_(randn({static_cast<int64_t>(n), kNoise}))}};
  }
  Results score(const Evaluation& what) const override {
    if (!what.data.empty() && what.data != data_)
      throw Error(what.data + ": the generator is of " + data_);
    return mixture_.judge(generator_(randn({what.count > 0 ? what.count : kJudged, kNoise})));
  }

 private:
  const std::string data_;
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
    .load = [](const Saved& saved, const GanSettings& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Generator>(saved, s);
    },
    .input = "COUNT",
    .input_help = "How many samples to draw.",
    .predict_help = "Prints samples of the generator, a row of two numbers each.",
    .evaluate_help = "Prints how many modes of the mixture have a sample within three deviations, "
                     "and the share\n"
                     "of samples that are so near to any, among 2,500 or --count of them.",
});

}  // namespace
}  // namespace glia::recipes
