// Denoising diffusion models of pictures, with classes.
#include "glia/generative/diffusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "glia/generative/unet.h"
#include "glia/glia.h"
#include "glia/vision/image.h"
#include "recipes/src/drawn_pictures.h"

namespace glia::recipes {
namespace {

constexpr int64_t kIntervals = 10, kShown = 64, kAtOnce = 100;
const std::vector<std::string> kPredictions = {"epsilon", "sample", "velocity"};

struct DiffusionSettings : TrainingSettings {
  std::string data, schedule, prediction, multipliers;
  int64_t steps = 0, batch = 0, warmup = 0, sampling_steps = 0, judged = 0;
  double lr = 0, ema = 0, label_dropout = 0, guidance = 0, eta = 0;
  bool conditional = false, mirror = false;
  generative::DiffusionOptions diffusion;
  generative::UNetOptions net;

  void declare(Fields& f) override {
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
    diffusion.schedule = schedule == "linear" ? generative::BetaSchedule::kLinear
                                              : generative::BetaSchedule::kCosine;
    const auto at = std::ranges::find(kPredictions, prediction) - kPredictions.begin();
    diffusion.prediction = static_cast<generative::Prediction>(at);
  }
  ImageSource source() const { return {.data = data, .seed = static_cast<uint64_t>(seed)}; }
  generative::UNetOptions network(const ImageForm& form) const {
    generative::UNetOptions o = net;
    o.channels = form.channels;
    o.steps = diffusion.steps;
    o.classes = conditional ? static_cast<int64_t>(form.classes.size()) : 0;
    o.multipliers.clear();
    std::istringstream words(multipliers);
    for (std::string word; std::getline(words, word, ',');)
      o.multipliers.push_back(std::get<int64_t>(
          parse({.name = "multipliers", .fallback = int64_t{1}, .range = {1, 64}}, word)));
    return o;
  }
};

// Pictures u8 of classes (n), or of any.
Tensor drawn(const generative::UNet& net, const DiffusionSettings& s, const ImageForm& form,
             const Tensor& labels, int64_t count, int64_t steps, double guidance) {
  const generative::Diffusion diffusion(s.diffusion);
  return drawn_in_parts(labels, count, kAtOnce, [&](const Tensor& of, int64_t n) {
    return from_signed(diffusion.sample(generative::guided(net, of, guidance),
                                        {n, form.size, form.size, form.channels},
                                        {.steps = steps, .eta = s.eta}));
  });
}

void train(Run& run, const DiffusionSettings& s) {
  const ImageSplits real = read_images(s.source(), 0);
  const ImageForm& form = real.form;
  generative::UNet net(s.network(form));
  const generative::Diffusion diffusion(s.diffusion);
  if (s.sampling_steps > s.diffusion.steps) throw Error("--sampling-steps: more than --timesteps");
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::linear_warmup(
      s.warmup, optim::cosine(s.lr, std::max<int64_t>(s.steps - s.warmup, 1), s.lr / 20)));
  optim::AveragedParameters average(net.parameters(), {.decay = s.ema});
  const auto classes = static_cast<int64_t>(form.classes.size());
  training::Task task{
      .parts = {{"model", net}, {"optimizer", optimizer}, {"average", average}},
      .step = [&](const data::Sample&) -> training::Metrics {
        const DrawnBatch b = draw_batch(real.train, s.batch);
        Tensor x = to_signed(b.images);
        if (s.mirror) x = where(bernoulli({s.batch, 1, 1, 1}, 0.5), flip(x, {2}), x);
        const Tensor labels = s.conditional
                                  ? generative::dropped_labels(b.labels, classes, s.label_dropout)
                                  : Tensor();
        const Tensor loss = optimizer.step([&] {
          return diffusion.loss(
              [&](const Tensor& noisy, const Tensor& t) { return net(noisy, t, labels); }, x);
        });
        average.update();
        return {{"loss", loss * s.batch, s.batch}};
      }};
  Frames frames;
  task.parts.emplace_back("frames", frames);
  const Drawing turn{.count = kShown};
  const auto samples = [&](const Tensor& labels, int64_t count, int64_t steps, double guidance) {
    const NoGrad no_grad;
    net.eval();
    average.swap();
    const Tensor out = drawn(net, s, form, labels, count, steps, guidance);
    average.swap();
    net.train();
    return out;
  };
  const Tensor shown = labels_of(turn, form.classes, s.conditional);
  task.evaluate = [&]() -> training::Values {
    frames.all.push_back(
        samples(shown, kShown, std::min<int64_t>(20, s.sampling_steps), s.guidance));
    return {};
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kIntervals),
                                   .note = run.note()});
  const std::string title = s.source().title();
  run.say(fmt::format("diffusion: {}, {} parameters, results in {}", title,
                      report::shown(static_cast<double>(net.parameter_count())), run.folder()));
  run.fit(trainer, "images");
  average.swap();
  run.save(net.state_dict(), form.facts());
  average.swap();
  const Tensor labels = labels_of({.count = s.judged}, form.classes, s.conditional);
  const Tensor made = samples(labels, s.judged, s.sampling_steps, s.guidance);
  std::vector<report::Section> sections = {
      grid_section("Samples", slice(made, 0, {0, kShown})),
      grid_section("Real pictures", slice(real.test.images, 0, {0, kShown})),
      over_time(frames, trainer)};
  if (s.conditional)
    sections.push_back(
        grid_section("With a guidance of 3", samples(shown, kShown, s.sampling_steps, 3)));
  sections.push_back(curve(trainer, "Loss: mean squared error", "train_loss",
                           {fmt::format("{} steps", trainer.options().interval)}));
  Results results = PictureJudge(real).results(made);
  results.push_back({"parameters", net.parameter_count()});
  run.finish({.title = "Diffusion, " + title,
              .subtitle = fmt::format("Trained by {} for {} steps", version(), s.steps),
              .sections = sections},
             results);
}

class Use : public PictureMaker {
 public:
  Use(const Saved& saved, const DiffusionSettings& s)
      : PictureMaker(saved, s.source(), s.judged), settings_(s), net_(s.network(form_)) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Tensor draw_pictures(const Drawing& how) const override {
    const int64_t steps = how.steps > 0 ? how.steps : settings_.sampling_steps;
    const double guidance = how.guidance >= 0 ? how.guidance : settings_.guidance;
    return drawn(net_, settings_, form_, labels_of(how, form_.classes, settings_.conditional),
                 how.count, steps, guidance);
  }

 private:
  const DiffusionSettings settings_;
  generative::UNet net_;
};

const Register<DiffusionSettings> diffusion({
    .name = "diffusion",
    .task = "generation",
    .description = "A denoising diffusion model that draws pictures, of a class if it is told one.",
    .run_name = [](const DiffusionSettings& s) { return "diffusion-" + s.source().name(); },
    .train = train,
    .load = make_predictor<Use, DiffusionSettings>,
    .input = "COUNT",
    .input_help = "How many pictures to draw.",
    .predict_help = "Prints the pixels of pictures; glia generate diffusion writes a PNG file.",
    .evaluate_help = "Prints the distance FID of drawn pictures and others, by features of a small "
                     "classifier of the real\n"
                     "ones.",
    .draws = true,
});

}  // namespace
}  // namespace glia::recipes
