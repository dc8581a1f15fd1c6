// Variational autoencoders of pictures.
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "recipes/src/drawn_pictures.h"
#include "recipes/src/vae_settings.h"

namespace glia::recipes {
namespace {

using generative::Vae;

constexpr int64_t kShown = 64;

report::Section remade(const Vae& net, const Tensor& x) {
  const Tensor made = net.expected(net.decode(net.encode(x).mean));
  return grid_section("Test pictures, and below each what its z says",
                      from_unit(concat({slice(x, 0, {0, 12}), slice(made, 0, {0, 12}),
                                        slice(x, 0, {12, 24}), slice(made, 0, {12, 24})})),
                      12);
}

report::Section walks(const Vae& net, const Tensor& x) {
  constexpr int64_t kWalks = 6, kSteps = 10;
  const Tensor z = unsqueeze(net.encode(slice(x, 0, {0, 2 * kWalks})).mean, 1);
  const Tensor part = reshape(linspace(0, 1, kSteps), {1, kSteps, 1});
  const Tensor at =
      slice(z, 0, {0, kWalks}) * (1 - part) + slice(z, 0, {kWalks, 2 * kWalks}) * part;
  return grid_section("From one picture's z to another's",
                      from_unit(net.expected(net.decode(reshape(at, {-1, z.size(2)})))), kSteps);
}

void train(Run& run, const VaeSettings& s) {
  const ImageSplits real = s.read(0);
  const ImageForm& form = real.form;
  Vae net = s.network(form);
  const auto pixels = [&](const Tensor& x) { return std::array{to_unit(x)}; };
  auto training =
      data::from_tensors(real.train.images).shuffle(s.seed).batch(s.batch).map(pixels).prefetch(4);
  auto test = data::from_tensors(real.test.images).batch(500).map(pixels);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::cosine(s.lr, s.epochs * training.size(), s.lr / 100));
  training::Trainer trainer(
      training::supervised(
          net, optimizer,
          [&](const data::Sample& b) -> training::Outcome {
            const Tensor x = s.binarise == "dynamic" ? cast(rand(b[0].shape()) < b[0], kF32) : b[0];
            const Vae::Loss l = net.loss(x);
            const auto n = static_cast<double>(x.size(0));
            return {l.loss, {{"reconstruction", -l.log_likelihood * n}, {"kl", l.kl * n}}};
          }),
      {.epochs = s.epochs, .note = run.note()});
  const std::string title = s.source().title();
  run.say(fmt::format("vae: {}, z of {} numbers, {} parameters, results in {}", title,
                      s.options.latent, report::shown(static_cast<double>(net.parameter_count())),
                      run.folder()));
  run.fit(trainer, training, &test, "images");
  run.save(net.state_dict(), form.facts());
  net.eval();
  const NoGrad no_grad;
  const Tensor x = s.prepared(slice(real.test.images, 0, {0, 24}));
  const Tensor made = drawn_in_parts(
      {}, s.judged, 500, [&](const Tensor&, int64_t n) { return from_unit(net.sample(n)); });
  Results results = {
      {"nll", nll_of(net, s, real.test.images, s.nll_count)},
      {"test_loss", training::value_of(trainer.history().back().values, "test_loss")},
      {"kl", training::value_of(trainer.history().back().values, "test_kl")}};
  for (const Result& r : PictureJudge(real).results(made)) results.push_back(r);
  results.push_back({"parameters", net.parameter_count()});
  run.finish({.title = "VAE, " + title,
              .subtitle = fmt::format("Trained by {} for {} epochs, {}, {}", version(), s.epochs,
                                      s.model, s.bound),
              .sections = {curves(trainer, "Loss: minus the bound of log p(x), nats", "loss"),
                           curves(trainer, "Minus log p(x|z)", "reconstruction"),
                           curves(trainer, "Divergence from the prior", "kl"),
                           grid_section("Samples", slice(made, 0, {0, kShown})), remade(net, x),
                           walks(net, x)}},
             results);
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const VaeSettings& s)
      : settings_(s), form_(ImageForm::of(saved)), net_(s.network(form_)) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const Tensor x = to_unit(form_.prepared(picture_of(input), note)), z = net_.encode(x).mean;
    Results out = {{"log_likelihood", net_.log_marginal(x, settings_.nll_samples).item()},
                   {"code", index(z, {0})}};
    if (!note.empty()) out.push_back({"note", note});
    return out;
  }
  Results score(const Evaluation& what) const override {
    VaeSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    const ImageSplits all = from.read(form_.size);
    if (all.form.channels != form_.channels)
      throw Error(from.data + ": its pictures have other channels than the model's");
    const Tensor& images = (what.split == "train" ? all.train : all.test).images;
    const int64_t count = std::min(what.count > 0 ? what.count : from.nll_count, images.size(0));
    return {{"nll", nll_of(net_, from, images, count)}, {"images", count}};
  }
  Tensor draw_pictures(const Drawing& how) const override {
    labels_of(how, form_.classes, false);
    return drawn_in_parts({}, how.count, 500,
                          [&](const Tensor&, int64_t n) { return from_unit(net_.sample(n)); });
  }

 private:
  const VaeSettings settings_;
  const ImageForm form_;
  Vae net_;
};

const Register<VaeSettings> vae({
    .name = "vae",
    .task = "generation",
    .description = "A variational autoencoder of pictures: their density, codes, and new ones.",
    .run_name = [](const VaeSettings& s) { return "vae-" + s.source().name(); },
    .references = [](const VaeSettings& s) -> std::vector<Reference> {
      if (s.data != "mnist" || s.binarise != "static") return {};
      if (s.bound == "iwae")
        return {{"nll", 84.78, "Burda et al. 2016, 3,280 epochs, Larochelle's binarisation"}};
      return {{"nll", 86.76, "Burda et al. 2016, 3,280 epochs, Larochelle's binarisation"}};
    },
    .train = train,
    .load = make_predictor<Use, VaeSettings>,
    .input_help = "Pictures.",
    .predict_help = "Prints an estimate of log p(x) of a picture, in nats, and the mean of its z.",
    .evaluate_help = "Prints the mean of -log p(x), by importance samples, of so many pictures.",
    .draws = true,
});

}  // namespace
}  // namespace glia::recipes
