// Variational autoencoders of pictures.
#include "glia/generative/vae.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "glia/generative/dcgan.h"
#include "glia/glia.h"
#include "glia/vision/image.h"
#include "recipes/src/drawn_pictures.h"
#include "recipes/src/own_stream.h"

namespace glia::recipes {
namespace {

using generative::Vae;

constexpr int64_t kShown = 64;

struct VaeSettings : TrainingSettings {
  std::string data, model, likelihood, hidden, bound, binarise;
  int64_t epochs = 0, batch = 0, width = 0, nll_samples = 0, nll_count = 0, judged = 0;
  double lr = 0;
  generative::VaeOptions options;

  void declare(Fields& f) override {
    auto& o = options;
    f(data, "data", "mnist", "A data set of `glia data list`, or a folder.",
      data_sets("image-classification", "FOLDER"));
    f(model, "model", "dense", "Layers with tanh, or convolutions.", {{"dense", "conv"}});
    f(likelihood, "likelihood", "bernoulli", "What a pixel is drawn from, given z.",
      {{"bernoulli", "gaussian"}});
    const bool bernoulli = likelihood == "bernoulli";
    o.likelihood =
        bernoulli ? generative::Likelihood::kBernoulli : generative::Likelihood::kGaussian;
    f(binarise, "binarise", bernoulli ? "static" : "no",
      "Pixels become 0 or 1, drawn once by their grey (static), or anew in each step.",
      {{"no", "static", "dynamic"}});
    f(bound, "bound", "elbo", "What is made large; iwae: by --samples importance samples.",
      {{"elbo", "iwae"}});
    o.importance = bound == "iwae";
    f(o.samples, "samples", o.importance ? 50 : 1, "Of z for each picture.", {1, 10000});
    f(o.latent, "latent", 50, "Numbers of z.", {1, 10000});
    f(hidden, "hidden", "200,200", "Widths of dense layers, with commas.");
    f(width, "width", 32, "Channels of convolutions next to the picture.", {1, 4096});
    f(o.beta, "beta", 1, "How much the divergence counts.", {0, 1e6});
    f(o.free_bits, "free-bits", 0, "Nats that each number of z may diverge for free.", {0, 100});
    f(epochs, "epochs", 30, "Passes over the training pictures.", {1, 100000});
    f(batch, "batch", 100, "Pictures in each step.", {2, 60000});
    f(lr, "lr", 1e-3, "Rate of Adam; it falls to a hundredth along a cosine.", {0, 1000});
    f(nll_samples, "nll-samples", 5000, "Importance samples of the test's -log p(x).", {1, 1e6});
    f(nll_count, "nll-count", 500, "Test pictures that it is estimated of.", {1, 1e6});
    f(judged, "judged", 1000, "How many pictures are drawn to judge them.", {10, 100000});
    TrainingSettings::declare(f);
  }
  ImageSource source() const { return {.data = data, .seed = static_cast<uint64_t>(seed)}; }
  Vae network(const ImageForm& form) const {
    const int64_t both = 2 * options.latent;
    if (model == "conv") {
      const generative::DcganOptions o{
          .size = form.size, .channels = form.channels, .width = width, .tanh = false};
      return Vae(generative::dcgan_critic(both, o), generative::dcgan_generator(options.latent, o),
                 options);
    }
    std::vector<int64_t> widths;
    std::istringstream words(hidden);
    for (std::string word; std::getline(words, word, ',');)
      widths.push_back(std::get<int64_t>(
          parse({.name = "hidden", .fallback = int64_t{1}, .range = {1, 65536}}, word)));
    const std::vector<int64_t> back(widths.rbegin(), widths.rend());
    const Shape example{form.size, form.size, form.channels};
    return Vae(generative::dense_encoder(example, widths, both),
               generative::dense_decoder(options.latent, back, example), options);
  }
  // Bytes as the network sees them.
  Tensor prepared(const Tensor& bytes) const {
    const Tensor x = to_unit(bytes);
    return binarise == "dynamic" ? cast(rand(x.shape()) < x, kF32) : x;
  }
  // Once for all: 0 or 255 by draws of a stream of their own.
  void binarise_once(Tensor& bytes, uint64_t stream) const {
    if (binarise != "static") return;
    const OwnStream own(stream);
    bytes = cast(cast(rand(bytes.shape()) < to_unit(bytes), kU8) * 255, kU8);
    eval(bytes);
  }
  ImageSplits read(int64_t size) const {
    ImageSplits splits = read_images(source(), size);
    binarise_once(splits.train.images, 1);
    binarise_once(splits.test.images, 2);
    return splits;
  }
};

// -log p(x) of so many pictures from here and there, in the mean.
double nll_of(const Vae& net, const VaeSettings& s, const Tensor& images, int64_t count) {
  count = std::min(count, images.size(0));
  const Tensor at = floor_divide(arange(count) * images.size(0), count);
  const Tensor x = s.prepared(take(images, at));
  return -mean(net.log_marginal(x, s.nll_samples)).item();
}

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
    const auto* file = std::get_if<std::string>(&input);
    std::string note;
    const Tensor image = file ? vision::read_image(*file) : std::get<Tensor>(input);
    const Tensor x = to_unit(form_.prepared(image, note)), z = net_.encode(x).mean;
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
