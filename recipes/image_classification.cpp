// Images in classes: any set of the catalogue for that task, or a folder of the user's.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/vision/folder.h"
#include "glia/vision/models.h"
#include "recipes/src/classification.h"
#include "recipes/src/images.h"

namespace glia::recipes {
namespace {

constexpr const char* kTask = "image-classification";
constexpr int64_t kPrefetch = 4, kTestBatch = 500;
constexpr double kWeightDecay = 0.05, kLabelSmoothing = 0.05;

struct ImageSettings : TrainingSettings {
  std::string data, model;
  int64_t size = 0, epochs = 0, batch = 0, shift = 0;
  double lr = 0, test_share = 0;
  bool mirror = false;

  void declare(Fields& f) override {
    f(data, "data", "fashion-mnist",
      "A data set of `glia data list`, or a folder with a folder of PNG or JPEG pictures for each "
      "class, or with folders train and test that have these.",
      data_sets(kTask, "FOLDER"));
    f(model, "model", "cnn",
      "A perceptron with layers of 256, 128 and 64, a convolutional network, or ResNet-20.",
      {{"mlp", "cnn", "resnet20"}});
    f(size, "size", 0,
      "Side of the square that pictures become; 0: that of the data set, 32 for a folder.",
      {0, 1024});
    f(test_share, "test-share", 0.2,
      "Part of each class for the test, if a folder has no folders train and test.", {0, 1});
    const bool mlp = model == "mlp", resnet = model == "resnet20";
    f(epochs, "epochs",
      mlp      ? 60
      : resnet ? 30
               : 12,
      "Passes over the training images.", {1, 100000});
    f(batch, "batch", 128, "Images in each step.", {2, 60000});
    f(lr, "lr", mlp ? 0.003 : 0.005, "Highest learning rate of the one-cycle schedule (AdamW).",
      {0, 1000});
    f(mirror, "mirror", data != "mnist" && data != "digits",
      "Shows every second training image, by chance, mirrored.");
    f(shift, "shift", data == "cifar10" ? 4 : 1,
      "Shows training images shifted by up to so many pixels to each side.", {0, 64});
    TrainingSettings::declare(f);
  }
  ImageSource source() const { return {data, test_share, static_cast<uint64_t>(seed)}; }
};

// A network whose kind is known at run time.
struct Model {
  std::shared_ptr<nn::Module> module;
  std::function<Tensor(const Tensor&)> logits;
};

template <class Net>
Model model_of(std::shared_ptr<Net> net) {
  return {net, [net](const Tensor& x) { return (*net)(x); }};
}

Model make_model(const std::string& name, const ImageForm& form) {
  const auto classes = static_cast<int64_t>(form.classes.size());
  if (name == "mlp")
    return model_of(std::make_shared<vision::Mlp>(form.size, form.channels, classes));
  if (name == "cnn")
    return model_of(std::make_shared<vision::Cnn>(form.size, form.channels, classes));
  return model_of(std::make_shared<vision::ResNet20>(form.channels, classes));
}

data::Dataset<2> batches(const LabelledImages& set, const ImageForm& form,
                         int64_t most = INT64_MAX) {
  return data::from_tensors(set.images, set.labels)
      .take(most)
      .batch(kTestBatch)
      .map([&form](const Tensor& x, const Tensor& y) {
        return std::array{form.normalized(x), y};
      });
}

Verdict judge(const Model& model, data::Dataset<2> test, const ImageForm& form) {
  model.module->eval();
  return examine(model.logits, std::move(test), form.classes);
}

void train(Run& run, const ImageSettings& s) {
  const auto [images, unseen, form] = read_images(s.source(), s.size);
  auto test = batches(unseen, form);
  auto training =
      data::from_tensors(images.images, images.labels)
          .shuffle(s.seed)
          .batch(s.batch)
          .augment(s.seed,
                   [&, &form = form](data::Random& random, const Tensor& x, const Tensor& y) {
                     return std::array{form.augmented(random, x, s.shift, s.mirror), y};
                   })
          .prefetch(kPrefetch);

  const Model model = make_model(s.model, form);
  ParameterList weights, shifts_and_scales;  // of which only the weights decay
  for (const Variable& p : model.module->parameters())
    (p.shape().rank() > 1 ? weights : shifts_and_scales).push_back(p);
  optim::AdamW optimizer(weights, {.lr = s.lr, .weight_decay = kWeightDecay});
  optimizer.add_param_group(shifts_and_scales, {.lr = s.lr, .weight_decay = 0});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size(), {.pct_start = 0.25}));
  training::Trainer trainer(
      training::supervised(*model.module, optimizer,
                           [&](const data::Sample& batch) -> training::Outcome {
                             const Tensor logits = model.logits(batch[0]);
                             return {cross_entropy(logits, batch[1],
                                                   {.label_smoothing = kLabelSmoothing}),
                                     {{"accuracy", sum(argmax(logits) == batch[1])}}};
                           }),
      {.epochs = s.epochs, .note = run.note()});
  const int64_t parameters = model.module->parameter_count(), count = images.labels.size(0);
  const std::string title = s.source().title();
  run.say(fmt::format("{}: {} with {} parameters, results in {}", title, s.model,
                      report::shown(parameters), run.folder()));
  run.fit(trainer, training, &test, "images");
  run.save(model.module->state_dict(), form.facts());

  const training::Epoch& last = trainer.history().back();
  const Verdict verdict = judge(model, test, form);
  report::Report page{
      .title = title + ", " + s.model,
      .subtitle = fmt::format("Trained by {} for {} epoch{} on {} images of {} classes", version(),
                              last.epoch, last.epoch == 1 ? "" : "s", report::shown(count),
                              form.classes.size()),
      .highlights = {{"images a second",
                      report::shown(std::round(count * last.epoch / last.seconds))}},
      .sections = {curves(trainer, "Loss: cross-entropy with smoothed labels", "loss"),
                   curves(trainer, "Accuracy", "accuracy", true)}};
  for (report::Section& section : verdict.sections()) page.sections.push_back(std::move(section));
  report::Images::Group pictures;
  for (const auto& [position, truth, guess, probability] : verdict.mistakes)
    pictures.pictures.push_back(
        {index(unseen.images, {position}), form.classes[guess],
         fmt::format("{:.1f}\u00a0% sure, is {}", 100 * probability, form.classes[truth])});
  if (!pictures.pictures.empty())
    page.sections.push_back({"Worst mistakes", report::Images{{pictures}},
                             "Test images on which the model was most certain of a wrong class.",
                             true});
  run.finish(page, {{"test_accuracy", training::value_of(last.values, "test_accuracy"), true},
                    {"test_loss", training::value_of(last.values, "test_loss")},
                    {"parameters", parameters},
                    {"steps", last.step}});
}

class Classifier : public Predictor {
 public:
  Classifier(const Saved& saved, const ImageSettings& settings)
      : path_(saved.path),
        settings_(settings),
        form_(ImageForm::of(saved)),
        model_(make_model(settings.model, form_)) {
    model_.module->load_state_dict(saved.weights);
    model_.module->eval();
  }
  std::vector<std::string> inputs(const std::string& text) const override {
    if (std::filesystem::is_directory(text)) return vision::list_images(text);
    return {text};
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* file = std::get_if<std::string>(&input);
    const Tensor image = file ? vision::read_image(*file) : std::get<Tensor>(input);
    std::string note;
    const Tensor x = form_.normalized(form_.prepared(image, note));
    try {
      Results results = ranked(softmax(model_.logits(x)).to_vector<double>(), form_.classes);
      if (!note.empty()) results.push_back({"note", note});
      return results;
    } catch (const ValueError&) {
      throw IoError(path_ + ": gives no numbers for " + (file ? *file : "an image") +
                    ": its weights are broken");
    }
  }
  Results score(const Evaluation& what) const override {
    const bool own = what.data.empty() || what.data == settings_.data;
    ImageSource source = settings_.source();
    if (!own) source.data = what.data;
    const data::Split split = what.split == "train" ? data::Train : data::Test;
    const LabelledImages images = read_images(source, split, own, form_);
    const int64_t most = what.count > 0 ? what.count : INT64_MAX;
    return judge(model_, batches(images, form_, most), form_).results("images");
  }

 private:
  const std::string path_;
  const ImageSettings settings_;
  const ImageForm form_;
  const Model model_;
};

std::vector<Reference> references(const ImageSettings& s) {
  const auto is = [&](const char* data, const char* model) {
    return s.data == data && s.model == model;
  };
  if (is("fashion-mnist", "mlp"))
    return {{"test_accuracy", 0.900, "MLP 256-128-64, README of Fashion-MNIST"}};
  if (is("fashion-mnist", "cnn"))
    return {{"test_accuracy", 0.925,
             "two convolutions, fewer than 100,000 parameters, README of Fashion-MNIST"}};
  if (is("cifar10", "resnet20")) return {{"test_accuracy", 0.9125, "He et al. 2016, 164 epochs"}};
  return {};
}

const Register<ImageSettings> image_classification({
    .name = "image-classification",
    .task = kTask,
    .description = "Pictures in classes: a data set, or a folder of your own.",
    .run_name = [](const ImageSettings& s) { return s.source().name() + "-" + s.model; },
    .references = references,
    .train = train,
    .load = [](const Saved& saved, const ImageSettings& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Classifier>(saved, s);
    },
    .input_help = "PNG or JPEG pictures of any size and kind, or folders of such.",
    .predict_help =
        "Prints the class of each picture and all probabilities. A picture is turned to grey or\n"
        "colour as the model needs it and resized. Where the data set shows bright things on\n"
        "black it is inverted if its border is bright, and padded to a square; else its middle\n"
        "is cut out. The output says which of these were needed.",
    .evaluate_help =
        "Prints accuracy and loss, and the accuracy of each class. --data takes a data set of the\n"
        "same classes, or a folder of class folders, which is used whole.",
});
const Shorthand fashion_mnist("fashion-mnist",
                              "Pictures of clothes in ten classes (Xiao et al. 2017).",
                              "image-classification", {{"data", "fashion-mnist"}});

}  // namespace
}  // namespace glia::recipes
