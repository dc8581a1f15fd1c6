// Pictures pixel after pixel, whose density is exact.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/glia.h"
#include "recipes/src/drawn_pictures.h"
#include "recipes/src/pixel_settings.h"

namespace glia::recipes {
namespace {

constexpr int64_t kIntervals = 5, kShown = 36;

Results results_of(double nll, int64_t size) {
  return {{"nll", nll}, {"bits_per_pixel", nll / std::log(2.0) / static_cast<double>(size * size)}};
}

void train(Run& run, const PixelSettings& s) {
  const ImageSplits real = read_images(s.source(), s.size);
  const ImageForm& form = real.form;
  generative::PixelCnn net = s.network(form);
  const auto labels = [&](const Tensor& of) { return s.conditional ? cast(of, kI64) : Tensor(); };
  const Tensor x = s.levels_of(real.train.images, 1), y = s.levels_of(real.test.images, 2);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::cosine(s.lr, s.steps, s.lr / 20));
  training::Task task = training::supervised(
      net, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor at = randint(0, x.size(0), {s.batch});
        return {-mean(net.log_likelihood(take(x, at), labels(take(real.train.labels, at)))),
                {},
                s.batch};
      },
      {.clip_norm = 1000});
  const int64_t some = std::min<int64_t>(500, y.size(0));
  task.evaluate = [&]() -> training::Values {
    return {{"test_loss",
             nll_of(net, slice(y, 0, {0, some}), labels(slice(real.test.labels, 0, {0, some})))}};
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kIntervals),
                                   .note = run.note()});
  const std::string title = s.source().title();
  run.say(fmt::format("pixel-cnn: {}, {} levels, {} parameters, results in {}", title,
                      s.options.levels, report::shown(static_cast<double>(net.parameter_count())),
                      run.folder()));
  run.fit(trainer, "images");
  run.save(net.state_dict(), form.facts());
  const NoGrad no_grad;
  const Tensor of = labels_of({.count = kShown}, form.classes, s.conditional);
  const Tensor half = slice(slice(y, 0, {0, kShown}), 1, {0, form.size / 2});
  const Tensor real_labels = labels(slice(real.test.labels, 0, {0, kShown}));
  Results results = results_of(nll_of(net, y, labels(real.test.labels)), form.size);
  results.push_back({"parameters", net.parameter_count()});
  run.finish({.title = "Pixel after pixel, " + title,
              .subtitle = fmt::format("Trained by {} for {} steps", version(), s.steps),
              .sections = {curves(trainer, "Minus log p(x), nats", "loss"),
                           grid_section("Samples",
                                        s.bytes_of(net.sample(kShown, form.size, form.size, of))),
                           grid_section("Test pictures whose lower half is drawn",
                                        s.bytes_of(net.sample(half.size(0), form.size, form.size,
                                                              real_labels, half)))}},
             results);
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const PixelSettings& s)
      : settings_(s), form_(ImageForm::of(saved)), net_(s.network(form_)) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const Tensor x = settings_.levels_of(form_.prepared(picture_of(input), note), 2);
    Results out;
    if (settings_.conditional) {
      const auto classes = static_cast<int64_t>(form_.classes.size());
      const Tensor each =
          net_.log_likelihood(expand(x, {classes, form_.size, form_.size}), arange(classes));
      out = {{"class", form_.classes.at(argmax(each).item<size_t>())},
             {"log_likelihood", max(each).item()}};
    } else {
      out = {{"log_likelihood", net_.log_likelihood(x).item()}};
    }
    if (!note.empty()) out.push_back({"note", note});
    return out;
  }
  Results score(const Evaluation& what) const override {
    ImageSource from = settings_.source();
    if (!what.data.empty()) from.data = what.data;
    LabelledImages set = read_images(from, what.split == "train" ? data::Train : data::Test,
                                     from.data == settings_.data, form_);
    const int64_t count =
        what.count > 0 ? std::min(what.count, set.images.size(0)) : set.images.size(0);
    const Tensor x = settings_.levels_of(slice(set.images, 0, {0, count}), 2);
    return results_of(
        nll_of(net_, x,
               settings_.conditional ? cast(slice(set.labels, 0, {0, count}), kI64) : Tensor()),
        form_.size);
  }
  Tensor draw_pictures(const Drawing& how) const override {
    return drawn_in_parts(labels_of(how, form_.classes, settings_.conditional), how.count, 64,
                          [&](const Tensor& of, int64_t n) {
                            return settings_.bytes_of(net_.sample(n, form_.size, form_.size, of));
                          });
  }

 private:
  const PixelSettings settings_;
  const ImageForm form_;
  generative::PixelCnn net_;
};

const Register<PixelSettings> pixel_cnn({
    .name = "pixel-cnn",
    .task = "generation",
    .description = "Pictures pixel after pixel: their exact density, and new ones.",
    .run_name = [](const PixelSettings& s) { return "pixel-cnn-" + s.source().name(); },
    .references = [](const PixelSettings& s) -> std::vector<Reference> {
      if (s.data != "mnist" || s.options.levels != 2) return {};
      return {{"nll", 81.30, "van den Oord et al. 2016, PixelCNN without classes"}};
    },
    .train = train,
    .load = make_predictor<Use, PixelSettings>,
    .input_help = "Pictures.",
    .predict_help = "Prints log p(x) of a picture, in nats, and the class that makes it likeliest.",
    .evaluate_help = "Prints the mean of -log p(x), exactly.",
    .draws = true,
});

}  // namespace
}  // namespace glia::recipes
