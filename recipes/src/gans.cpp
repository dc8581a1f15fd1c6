#include "gans.h"

#include <fmt/format.h>

#include <algorithm>

#include "drawn_pictures.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "glia/vision/image.h"

namespace glia::recipes {
namespace {

using generative::GanLoss;
// In the order of GanLoss and of DcganNorm.
const std::vector<std::string> kLosses = {"non-saturating", "wgan-gp", "hinge", "least-squares"};
const std::vector<std::string> kNorms = {"none", "batch", "spectral"};
constexpr int64_t kAtOnce = 250, kShown = 64;

generative::DcganOptions network_of(const GanSettings& s, const ImageForm& form) {
  return {.size = form.size, .channels = form.channels, .width = s.width};
}

nn::Sequential generator_of(const GanSettings& s, const ImageForm& form) {
  return generative::dcgan_generator(s.options.noise + s.options.classes, network_of(s, form));
}

nn::Sequential critic_of(const GanSettings& s, const ImageForm& form) {
  generative::DcganOptions o = network_of(s, form);
  o.norm = static_cast<generative::DcganNorm>(std::ranges::find(kNorms, s.norm) - kNorms.begin());
  return generative::dcgan_critic(1 + s.options.classes, o);
}

// With as many classes as the pictures have, if it is to know them.
GanSettings with_classes(GanSettings s, const ImageForm& form) {
  s.options.classes = s.conditional ? static_cast<int64_t>(form.classes.size()) : 0;
  return s;
}

ImageSource source_of(const GanSettings& s) {
  return {.data = s.data, .seed = static_cast<uint64_t>(s.seed)};
}

class PictureGenerator : public PictureMaker {
 public:
  PictureGenerator(const Saved& saved, const GanSettings& s)
      : PictureMaker(saved, source_of(s), s.judged),
        settings_(with_classes(s, form_)),
        generator_(generator_of(settings_, form_)) {
    generator_.load_state_dict(saved.weights);
    generator_.eval();
  }

 protected:
  Tensor draw_pictures(const Drawing& how) const override {
    const auto& o = settings_.options;
    const Tensor labels = labels_of(how, form_.classes, settings_.conditional);
    return drawn_in_parts(labels, how.count, kAtOnce, [&](const Tensor& of, int64_t n) {
      const Tensor noise = randn({n, o.noise});
      return from_signed(
          generator_(of.defined() ? generative::with_class(noise, of, o.classes) : noise));
    });
  }

 private:
  const GanSettings settings_;
  nn::Sequential generator_;
};

// From one noise to another.
report::Section walks(const nn::Sequential& generator, const GanSettings& s) {
  constexpr int64_t kWalks = 6, kSteps = 10;
  const Tensor from = randn({kWalks, 1, s.options.noise}), to = randn({kWalks, 1, s.options.noise});
  const Tensor part = reshape(linspace(0, 1, kSteps), {1, kSteps, 1});
  // Along the circle, which keeps the length that noise has.
  const Tensor at = cos(part * (M_PI / 2)) * from + sin(part * (M_PI / 2)) * to;
  Tensor noise = reshape(at, {kWalks * kSteps, s.options.noise});
  if (s.options.classes > 0) {
    const Tensor of = floor_divide(arange(kWalks * kSteps), kSteps);
    noise = generative::with_class(noise, remainder(of, s.options.classes), s.options.classes);
  }
  return grid_section("From one noise to another", from_signed(generator(noise)), kSteps);
}

}  // namespace

bool GanSettings::is_mixture() const { return data == "ring-8" || data == "grid-25"; }

std::string GanSettings::penalties() const {
  return options.r1 > 0 ? fmt::format("{} with R1 of {}", loss, options.r1) : loss;
}

void GanSettings::declare(Fields& f) {
  Choices sets = data_sets("image-classification", "FOLDER");
  sets.names.insert(sets.names.begin(), {"ring-8", "grid-25"});
  f(data, "data", "grid-25",
    "8 Gaussians on a ring, 25 on a grid, or pictures: a data set of `glia data list`, a folder.",
    sets);
  const bool points = is_mixture();
  f(loss, "loss", points ? "wgan-gp" : "non-saturating",
    "What is made small; wgan-gp: Wasserstein with gradient penalty.", {kLosses});
  const bool wgan = loss == "wgan-gp";
  auto& o = options;
  o.loss = static_cast<GanLoss>(std::ranges::find(kLosses, loss) - kLosses.begin());
  o.penalty = points ? 0.1 : 10;
  if (!points) o.betas = wgan ? std::pair(0.0, 0.9) : std::pair(0.5, 0.999);
  f(o.total_steps, "steps", points ? 10000 : 3000, "Steps of the generator.", {1, 1e9});
  f(o.critic_steps, "critic-steps", wgan ? 5 : 1, "Steps of the critic for each.", {1, 100});
  f(o.batch_size, "batch", points ? 256 : 64, "Samples in each step.", {2, 100000});
  f(width, "width", points ? 128 : 32,
    "Units of each hidden layer; of pictures, channels next to them.", {1, 10000});
  f(o.noise, "noise", points ? 2 : 64, "Numbers of which a sample is made.", {1, 10000});
  f(o.r1, "r1", 0, "Gamma of the R1 penalty.", {0, 1e6});
  f(norm, "norm", wgan || o.r1 > 0 ? "none" : "batch",
    "Of pictures: the critic's norm, batch or spectral.", {kNorms});
  f(conditional, "conditional", false, "Of pictures: their classes are told to both networks.");
  f(o.lr, "lr", points ? (wgan ? 1e-3 : 5e-4) : 2e-4,
    "Learning rate at the start; it falls to 0 along a cosine.", {0, 1000});
  f(o.critic_lr, "critic-lr", 0, "The critic's; 0: the same.", {0, 1000});
  f(o.ema_decay, "ema", points ? 0.99 : 0.995,
    "Decay of the average of the generator's weights, which is kept.", {0, 1});
  f(judged, "judged", 1000, "Of pictures: how many are made to judge the generator by.",
    {10, 100000});
  TrainingSettings::declare(f);
}

void train_picture_gan(Run& run, const GanSettings& given) {
  const ImageSplits real = read_images(source_of(given), 0);
  const ImageForm& form = real.form;
  const GanSettings s = with_classes(given, form);
  if (s.options.loss == GanLoss::kWasserstein && s.norm == "batch")
    throw Error(
        "--norm: the gradient penalty of wgan-gp is of each picture alone, and not for "
        "batch norm");
  nn::Sequential generator = generator_of(s, form), critic = critic_of(s, form);
  const int64_t parameters = generator.parameter_count() + critic.parameter_count();
  generative::Gan gan(std::move(generator), std::move(critic), s.options);
  Frames frames;
  training::Task task = gan.task([&](int64_t n) -> generative::Labelled {
    const DrawnBatch batch = draw_batch(real.train, n);
    return {to_signed(batch.images), s.conditional ? batch.labels : Tensor()};
  });
  task.parts.emplace_back("frames", frames);
  const Tensor shown = s.conditional ? remainder(arange(kShown), s.options.classes) : Tensor();
  task.evaluate = [&]() -> training::Values {
    frames.all.push_back(from_signed(gan.sample(kShown, shown)));
    return {};
  };
  training::Trainer trainer(
      task, {.steps = s.options.total_steps,
             .interval = std::max<int64_t>(1, s.options.total_steps / kGanIntervals),
             .note = run.note()});
  const std::string title = source_of(s).title();
  run.say(fmt::format("gan: {} by {}, {} parameters, results in {}", title, s.penalties(),
                      report::shown(static_cast<double>(parameters)), run.folder()));
  run.fit(trainer, "samples");
  const StateDict weights = gan.averaged_weights();
  run.save(weights, form.facts());
  const Tensor made = drawn_in_parts(
      {}, s.judged, kAtOnce, [&](const Tensor&, int64_t n) { return from_signed(gan.sample(n)); });
  nn::Sequential averaged = generator_of(s, form);
  averaged.load_state_dict(weights);
  averaged.eval();
  const NoGrad no_grad;
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  Results results = PictureJudge(real).results(made);
  results.push_back({"parameters", parameters});
  run.finish({.title = "GAN, " + title,
              .subtitle = fmt::format("Trained by {} for {} steps, {}", version(),
                                      s.options.total_steps, s.penalties()),
              .sections = {grid_section("Samples", slice(made, 0, {0, kShown})),
                           grid_section("Real pictures", slice(real.test.images, 0, {0, kShown})),
                           over_time(frames, trainer), walks(averaged, s),
                           curve(trainer, "Loss of the critic", "train_critic_loss", x),
                           curve(trainer, "Loss of the generator", "train_generator_loss", x)}},
             results);
}

std::unique_ptr<Predictor> load_picture_gan(const Saved& saved, const GanSettings& s) {
  return std::make_unique<PictureGenerator>(saved, s);
}

}  // namespace glia::recipes
