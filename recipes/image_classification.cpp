// Images in classes: any set of the catalogue for that task, or a folder of the user's.
#include <fmt/format.h>

#include <cmath>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/vision/models.h"
#include "glia/vision/transforms.h"
#include "recipes/src/classification.h"
#include "recipes/src/image_predictor.h"

namespace glia::recipes {
namespace {

constexpr const char* kTask = "image-classification";
constexpr int64_t kPrefetch = 4;
constexpr double kLabelSmoothing = 0.05;

struct ImageSettings : TrainingSettings {
  std::string data, model, augment;
  int64_t size = 0, epochs = 0, batch = 0, shift = 0;
  double lr = 0, test_share = 0;
  bool mirror = false;

  void declare(Fields& f) override {
    f(data, "data", "fashion-mnist",
      "A data set of `glia data list`, or a folder with a folder of PNG or JPEG pictures for each "
      "class, or with folders train and test that have these.",
      data_sets(kTask, "FOLDER"));
    f(model, "model", "cnn",
      "A perceptron with layers of 256, 128 and 64, a small convolutional network, ResNet-20, or a "
      "network of `glia describe`, most of which want pictures of 64 and more.",
      Choices{vision::classifier_names()});
    f(size, "size", 0,
      "Side of the square that pictures become; 0: that of the data set, 32 for a folder.",
      {0, 1024});
    f(test_share, "test-share", 0.2,
      "Part of each class for the test, if a folder has no folders train and test.", {0, 1});
    const bool mlp = model == "mlp", resnet = model.find("resnet") != std::string::npos;
    const int64_t passes = mlp ? 60 : resnet ? 40 : 12;
    f(epochs, "epochs", passes, "Passes over the training images.", {1, 100000});
    f(batch, "batch", 128, "Images in each step.", {2, 60000});
    f(lr, "lr",
      mlp              ? 0.003
      : resnet         ? 0.2
      : model == "cnn" ? 0.005
                       : 0.001,
      "Highest learning rate of the one-cycle schedule, of AdamW, or SGD for those of residual "
      "blocks.",
      {0, 1000});
    f(augment, "augment", "basic",
      "How training images are changed by chance: not at all, by --mirror and --shift, or besides "
      "by an erased box, RandAugment, or TrivialAugment.",
      {{"none", "basic", "erasing", "randaugment", "trivial"}});
    const bool changes = augment != "none";
    f(mirror, "mirror", changes && data != "mnist" && data != "digits",
      "Shows every second training image, by chance, mirrored.");
    f(shift, "shift",
      !changes            ? 0
      : data == "cifar10" ? 4
                          : 1,
      "Shows training images shifted by up to so many pixels to each side.", {0, 64});
    TrainingSettings::declare(f);
  }
  ImageSource source() const { return {data, test_share, static_cast<uint64_t>(seed)}; }
};

vision::Classifier network(const ImageSettings& s, const ImageForm& form) {
  return vision::make_classifier(s.model, form.size, form.channels,
                                 static_cast<int64_t>(form.classes.size()));
}

void train(Run& run, const ImageSettings& s) {
  const auto [images, unseen, form] = read_images(s.source(), s.size);
  auto test = batches(unseen, form);
  const vision::Transform change =
      vision::named_transform(s.augment == "basic" ? "none" : s.augment);
  const auto augment = [&, &form = form](data::Random& random, const Tensor& x, const Tensor& y) {
    const Tensor changed = change ? vision::transformed(random, x, change) : x;
    return std::array{form.augmented(random, changed, s.shift, s.mirror), y};
  };
  auto training = data::from_tensors(images.images, images.labels)
                      .shuffle(s.seed)
                      .batch(s.batch)
                      .augment(s.seed, augment)
                      .prefetch(kPrefetch);
  const vision::Classifier model = network(s, form);
  const auto optimizer = one_cycle(
      *model.module, s.model.find("resnet") != std::string::npos ? Rule::kSGD : Rule::kAdamW, s.lr,
      s.epochs * training.size());
  const auto outcome = [&](const data::Sample& batch) -> training::Outcome {
    const Tensor logits = model.logits(batch[0]);
    return {cross_entropy(logits, batch[1], {.label_smoothing = kLabelSmoothing}),
            {{"accuracy", sum(argmax(logits) == batch[1])}}};
  };
  training::Trainer trainer(training::supervised(*model.module, *optimizer, outcome),
                            {.epochs = s.epochs, .note = run.note()});
  const int64_t parameters = model.module->parameter_count(), count = images.labels.size(0);
  const std::string title = s.source().title();
  run.say(fmt::format("{}: {} with {} parameters, results in {}", title, s.model,
                      report::shown(parameters), run.folder()));
  run.fit(trainer, training, &test, "images");
  run.save(model.module->state_dict(), form.facts());

  const training::Epoch& last = trainer.history().back();
  model.module->eval();
  const Verdict verdict = examine(model.logits, test, form.classes);
  report::Report page{
      .title = title + ", " + s.model,
      .subtitle = fmt::format("Trained by {} for {} epoch{} on {} images of {} classes", version(),
                              last.epoch, last.epoch == 1 ? "" : "s", report::shown(count),
                              form.classes.size()),
      .highlights = {{"images a second",
                      report::shown(std::round(count * last.epoch / last.seconds))}},
      .sections = {curves(trainer, "Loss: cross-entropy with smoothed labels", "loss"),
                   curves(trainer, "Accuracy", "accuracy", true)}};
  for (report::Section& section : verdict.sections(unseen.images))
    page.sections.push_back(std::move(section));
  run.finish(page, {{"test_accuracy", training::value_of(last.values, "test_accuracy"), true},
                    {"test_loss", training::value_of(last.values, "test_loss")},
                    {"parameters", parameters},
                    {"steps", last.step}});
}

std::unique_ptr<Predictor> load(const Saved& saved, const ImageSettings& s) {
  const ImageForm form = ImageForm::of(saved);
  return std::make_unique<ImagePredictor>(saved, s.source(), form, network(s, form));
}

std::vector<Reference> references(const ImageSettings& s) {
  const std::string what = s.data + " by " + s.model;
  if (what == "fashion-mnist by mlp")
    return {{"test_accuracy", 0.900, "MLP 256-128-64, README of Fashion-MNIST"}};
  if (what == "fashion-mnist by cnn")
    return {{"test_accuracy", 0.925,
             "two convolutions, fewer than 100,000 parameters, README of Fashion-MNIST"}};
  if (what == "cifar10 by resnet20")
    return {{"test_accuracy", 0.9125, "He et al. 2016, 164 epochs"}};
  return {};
}

const Register<ImageSettings> image_classification({
    .name = "image-classification",
    .task = kTask,
    .description = "Pictures in classes: a data set, or a folder of your own.",
    .run_name = [](const ImageSettings& s) { return s.source().name() + "-" + s.model; },
    .references = references,
    .train = train,
    .load = load,
    .input_help = "PNG or JPEG pictures of any size and kind, or folders of such.",
    .predict_help =
        "Prints the class of each picture and all probabilities. A picture is turned to grey or\n"
        "colour as the model needs it and resized. Where the data set shows bright things on\n"
        "black it is inverted if its border is bright, and padded to a square; else its middle\n"
        "is cut out. The output says which of these were needed.",
    .evaluate_help =
        "Prints accuracy and loss, and the accuracy of each class. --data takes a data set of the\n"
        "same classes, or a folder of class folders, which is used whole.",
    .explains = true,
});
const Shorthand fashion_mnist("fashion-mnist",
                              "Pictures of clothes in ten classes (Xiao et al. 2017).",
                              "image-classification", {{"data", "fashion-mnist"}});

}  // namespace
}  // namespace glia::recipes
