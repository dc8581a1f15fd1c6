// Denoising diffusion models of pictures, with classes.
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "recipes/src/diffusion_settings.h"
#include "recipes/src/drawn_pictures.h"

namespace glia::recipes {
namespace {

constexpr int64_t kIntervals = 10, kShown = 64;

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
