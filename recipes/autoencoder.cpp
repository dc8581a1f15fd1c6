// Pictures by few numbers: autoencoders of several kinds, beside principal components.
#include "glia/vision/autoencoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/codes.h"
#include "recipes/src/numbers.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

using vision::AutoEncoder;
constexpr int64_t kPrefetch = 4;
const std::vector<std::string> kKinds = {"linear", "dense",     "conv",       "tied",
                                         "sparse", "denoising", "contractive"};

struct AutoEncoderSettings : TrainingSettings {
  std::string data, kind, hidden;
  int64_t code = 0, size = 0, pretrain = 0, epochs = 0, batch = 0;
  double noise = 0, sparsity = 0, penalty = 0, lr = 0, test_share = 0;

  void declare(Fields& f) override {
    const vision::AutoEncoderOptions o;
    f(data, "data", "mnist",
      "A data set of `glia data list`, or a folder as image-classification takes it.",
      data_sets("image-classification", "FOLDER"));
    f(kind, "kind", "dense", "The kind of network.", {kKinds});
    f(code, "code", o.code, "Numbers for each picture.", {1, 100000});
    f(hidden, "hidden", "1000,500,250", "Widths of the layers between, with commas.");
    f(size, "size", 0, "Side of pictures; 0: that of the data set, 32 for a folder.", {0, 1024});
    f(noise, "noise", o.noise, "Denoising: the part of the pixels that is missing.", {0, 0.99});
    f(sparsity, "sparsity", o.sparsity, "Sparse: the mean of each number.", {1e-6, 0.999});
    f(penalty, "penalty", o.penalty, "Sparse and contractive: the weight of what is asked besides.",
      {0, 1e6});
    f(pretrain, "pretrain", 0, "Passes in which each layer is trained alone before.", {0, 10000});
    f(test_share, "test-share", 0.2, "Part of a folder without train and test for the test.",
      {0, 1});
    f(epochs, "epochs", 20, "Passes over the training pictures.", {1, 100000});
    f(batch, "batch", 128, "Pictures in each step.", {2, 60000});
    f(lr, "lr", 2e-3, "Highest rate of Adam's one-cycle schedule.", {0, 1000});
    TrainingSettings::declare(f);
  }
  ImageSource source() const { return {data, test_share, static_cast<uint64_t>(seed)}; }
  vision::AutoEncoderOptions options(const ImageForm& form) const {
    vision::AutoEncoderOptions o{.size = form.size,
                                 .channels = form.channels,
                                 .code = code,
                                 .hidden = {},
                                 .noise = noise,
                                 .sparsity = sparsity,
                                 .penalty = penalty};
    o.kind = static_cast<vision::AutoEncoderKind>(std::ranges::find(kKinds, kind) - kKinds.begin());
    o.hidden = whole_numbers_of("hidden", hidden, 65536);
    return o;
  }
};

void train(Run& run, const AutoEncoderSettings& s) {
  const auto [images, unseen, form] = read_images(s.source(), s.size);
  AutoEncoder net(s.options(form));
  if (s.pretrain > 0)
    vision::pretrain(net, to_unit(images.images),
                     {.epochs = s.pretrain, .batch = s.batch, .seed = uint64_t(s.seed)});
  const auto pixels = [](const Tensor& x) { return std::array{to_unit(x)}; };
  auto training = data::from_tensors(images.images)
                      .shuffle(s.seed)
                      .batch(s.batch)
                      .map(pixels)
                      .prefetch(kPrefetch);
  auto test = data::from_tensors(unseen.images).batch(500).map(pixels);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size()));
  training::Trainer trainer(training::supervised(net, optimizer,
                                                 [&](const data::Sample& b) -> training::Outcome {
                                                   return {net.loss(b[0])};
                                                 }),
                            {.epochs = s.epochs, .note = run.note()});
  const std::string title = s.source().title();
  run.say(fmt::format("{}: {} numbers by a {} autoencoder with {} parameters, results in {}", title,
                      s.code, s.kind, report::shown(net.parameter_count()), run.folder()));
  run.fit(trainer, training, &test, "images");
  run.save(net.state_dict(), form.facts());
  net.eval();
  const NoGrad no_grad;
  const double error = error_of([&](const Tensor& x) { return net(x); }, unseen.images);
  const double components = error_of_components(images.images, unseen.images, s.code);
  run.finish(
      {.title = fmt::format("{}, {} numbers for a picture", title, s.code),
       .subtitle = fmt::format("A {} autoencoder, trained by {} for {} epochs", s.kind, version(),
                               s.epochs),
       .sections = {curves(trainer, "Loss", "loss"), scatter(net, unseen, form),
                    remade(net, unseen.images), walks(net, unseen.images)}},
      {{"test_error", error}, {"pca_error", components}, {"parameters", net.parameter_count()}});
}

class Codes : public Predictor {
 public:
  Codes(const Saved& saved, const AutoEncoderSettings& s)
      : source_(s.source()), form_(ImageForm::of(saved)), net_(s.options(form_)) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

  Computation computation() const override {
    return computation_of(
        net_, [this](const Tensor& x) { return net_(x); },
        zeros({1, form_.size, form_.size, form_.channels}), "pictures", "pictures_again");
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const Tensor x = to_unit(form_.prepared(picture_of(input), note)), code = net_.encode(x);
    Results out = {{"code", index(code, {0})},
                   {"squared_error", vision::squared_error(net_.decode(code), x).item()}};
    if (!note.empty()) out.push_back({"note", note});
    return out;
  }
  Results score(const Evaluation& what) const override {
    const bool own = what.data.empty() || what.data == source_.data;
    ImageSource source = source_;
    if (!own) source.data = what.data;
    const LabelledImages set =
        read_images(source, what.split == "train" ? data::Train : data::Test, own, form_);
    return {{"error", error_of([&](const Tensor& x) { return net_(x); }, set.images)},
            {"images", set.images.size(0)}};
  }

 private:
  const ImageSource source_;
  const ImageForm form_;
  AutoEncoder net_;
};

const Register<AutoEncoderSettings> autoencoder({
    .name = "autoencoder",
    .task = "representation",
    .description = "Pictures by a few numbers each, and back.",
    .run_name = [](const AutoEncoderSettings& s) { return s.source().name() + "-" + s.kind; },
    .references = [](const AutoEncoderSettings& s) -> std::vector<Reference> {
      if (s.data == "mnist" && s.code == 30)
        return {{"test_error", 3.00, "Hinton & Salakhutdinov 2006; principal components 13.87"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Codes, AutoEncoderSettings>,
    .input_help = "PNG or JPEG pictures.",
    .predict_help = "Prints the numbers of each picture, and how far from it they lead.",
    .evaluate_help = "Prints the mean over pictures of the sum of squared differences of pixels.",
});

}  // namespace
}  // namespace glia::recipes
