#include "recipes/fashion_mnist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/report.h"
#include "glia/runtime.h"
#include "glia/train.h"
#include "recipes/recipe.h"
#include "recipes/run.h"

namespace glia::recipes {
namespace {

constexpr const char* kName = "fashion-mnist";
constexpr int64_t kSide = 28;
constexpr int kPrefetch = 4;
constexpr double kWeightDecay = 0.05, kLabelSmoothing = 0.05;
constexpr int64_t kTestBatch = 500;
constexpr int64_t kMostPixels = int64_t{1} << 26;  // of a picture to predict

// A network whose kind is known at run time.
struct Model {
  std::shared_ptr<nn::Module> module;
  std::function<Tensor(const Tensor&)> logits;
};

template <class Net>
Model model_of() {
  auto net = std::make_shared<Net>();
  return {net, [net](const Tensor& x) { return (*net)(x); }};
}

Model make_model(const std::string& name) {
  return name == "mlp" ? model_of<Mlp>() : model_of<Cnn>();
}

// Images (N, 28, 28, 1) of bytes with the mean and deviation of the training images taken out.
Tensor normalized(const Tensor& images) { return (cast(images, kF32) - 72.94) * (1 / 90.02); }

Settings complete(const Settings& given) {
  Settings settings = {{"model", given.value("model", "cnn")}};
  const bool mlp = settings["model"] == "mlp";
  settings["epochs"] = mlp ? 60 : 12;
  settings["batch"] = 128;
  settings["lr"] = mlp ? 0.003 : 0.005;
  settings["seed"] = 0;
  settings["bf16"] = false;
  settings["checkpoint-steps"] = 0;
  settings.update(given);
  return settings;
}

// Each image shifted by up to one pixel to each side, black coming in, and every second one, by
// chance, mirrored.
Tensor augmented(data::Random& random, const Tensor& images) {
  const auto from = images.data<uint8_t>();
  std::vector<uint8_t> to(from.size());
  for (size_t start = 0; start < from.size(); start += kSide * kSide) {
    const int64_t dy = random.below(3) - 1, dx = random.below(3) - 1;
    const bool mirrored = random.below(2) == 1;
    for (int64_t y = std::max<int64_t>(0, dy); y < kSide + std::min<int64_t>(0, dy); ++y) {
      for (int64_t x = std::max<int64_t>(0, dx); x < kSide + std::min<int64_t>(0, dx); ++x) {
        const int64_t column = mirrored ? kSide - 1 - x : x;
        to[start + y * kSide + column] = from[start + (y - dy) * kSide + x - dx];
      }
    }
  }
  return from_vector(to, images.shape());
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(seconds));
  return s < 60 ? fmt::format("{:.1f} s", seconds) : fmt::format("{} min {} s", s / 60, s % 60);
}

// What the trained model says of the test images.
struct Verdict {
  struct Mistake {
    Tensor image;
    int64_t truth = 0, guess = 0;
    double probability = 0;  // of the guess
  };
  std::vector<int64_t> confusion;  // (truth, guess)
  std::vector<Mistake> mistakes;   // the worst first
};

Verdict examine(const Model& model, data::Dataset<2> test) {
  constexpr size_t kMistakes = 30;
  constexpr size_t kClasses = data::kFashionClasses.size();
  Verdict verdict{.confusion = std::vector<int64_t>(kClasses * kClasses)};
  model.module->eval();
  const NoGrad no_grad;
  for (auto [images, labels] : test) {
    const Tensor probabilities = softmax(model.logits(normalized(images)));
    const auto p = probabilities.data<float>();
    const auto truths = labels.data<int64_t>();
    for (size_t i = 0; i < truths.size(); ++i) {
      const auto row = p.subspan(i * kClasses, kClasses);
      const int64_t guess = std::max_element(row.begin(), row.end()) - row.begin();
      ++verdict.confusion[truths[i] * kClasses + guess];
      if (guess != truths[i])
        verdict.mistakes.push_back({index(images, {i}), truths[i], guess, row[guess]});
    }
  }
  std::stable_sort(verdict.mistakes.begin(), verdict.mistakes.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  if (verdict.mistakes.size() > kMistakes) verdict.mistakes.resize(kMistakes);
  return verdict;
}

// The sections that show it: the confusion matrix, each class's accuracy and the mistakes.
void add_verdict(report::Report& page, const Verdict& verdict) {
  const auto& classes = data::kFashionClasses;
  const auto size = static_cast<int64_t>(classes.size());
  const std::vector<std::string> names(classes.begin(), classes.end());
  page.sections.push_back({"Confusion matrix",
                           report::Matrix{.rows = names,
                                          .columns = names,
                                          .values = from_vector(verdict.confusion, {size, size}),
                                          .confusion = true,
                                          .row_name = "truth",
                                          .column_name = "guess"},
                           "Rows are true classes, columns what the model said; test images."});
  report::Bars accuracies{.percent = true};
  for (int64_t k = 0; k < size; ++k) {
    const auto row = std::span(verdict.confusion).subspan(k * size, size);
    const auto total = std::accumulate(row.begin(), row.end(), int64_t{0});
    accuracies.bars.push_back(
        {names[k], static_cast<double>(row[k]) / static_cast<double>(std::max<int64_t>(total, 1))});
  }
  page.sections.push_back({"Accuracy of each class", accuracies});
  if (verdict.mistakes.empty()) return;
  report::Images::Group pictures;
  for (const auto& [image, truth, guess, probability] : verdict.mistakes)
    pictures.pictures.push_back(
        {image, names[guess],
         fmt::format("{:.1f}\u00a0% sure, is {}", 100 * probability, names[truth])});
  page.sections.push_back({"Worst mistakes", report::Images{{pictures}},
                           "Test images on which the model was most certain of a wrong class.",
                           true});
}

std::vector<double> over_epochs(const training::Trainer& trainer, const std::string& name) {
  std::vector<double> out;
  for (const training::Epoch& e : trainer.history())
    out.push_back(training::value_of(e.values, name));
  return out;
}

void write_results(const Run& run, const training::Trainer& trainer, const Model& model,
                   const data::Dataset<2>& test, int64_t images) {
  const std::string name = run.settings()["model"];
  const training::Epoch& last = trainer.history().back();
  const double accuracy = training::value_of(last.values, "test_accuracy");
  const double loss = training::value_of(last.values, "test_loss");
  if (!std::isfinite(loss))
    throw ValueError(fmt::format(
        "training diverged: the test loss is {} at the end; a lower learning rate may help", loss));
  io::write_safetensors(run.file(kModel), model.module->state_dict(),
                        {{"format", "pt"}, {"recipe", kName}, {"model", name}});

  const int64_t parameters = model.module->parameter_count();
  Settings summary = {{"recipe", kName}};
  summary.update(run.settings());
  summary.update(
      Settings{{"version", version()}, {"threads", num_threads()}, {"processor", cpu_level()}});
  report::Report page;
  for (const auto& [key, value] : summary.items())
    page.settings.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  summary.update(Settings{{"parameters", parameters},
                          {"steps", last.step},
                          {"seconds", last.seconds},
                          {"test_accuracy", accuracy},
                          {"test_loss", loss}});
  io::write_file_atomic(run.file(kSummary), summary.dump(2) + "\n");

  page.title = "Fashion-MNIST, " + name;
  page.subtitle = fmt::format("Trained by {} for {} epoch{} on {} images", version(), last.epoch,
                              last.epoch == 1 ? "" : "s", report::shown(images));
  page.highlights = {
      {"test accuracy", fmt::format("{:.2f} %", 100 * accuracy)},
      {"test loss", fmt::format("{:.4f}", loss)},
      {"parameters", report::shown(parameters)},
      {"training time", duration(last.seconds)},
      {"images a second", report::shown(std::round(images * last.epoch / last.seconds))}};
  const auto curve = [&](const char* title, const std::string& value, bool percent) {
    page.sections.push_back(
        {title, report::Curves{.series = {{"training", over_epochs(trainer, "train_" + value)},
                                          {"test", over_epochs(trainer, "test_" + value)}},
                               .x = {"epoch"},
                               .y = {.percent = percent}}});
  };
  curve("Loss: cross-entropy with smoothed labels", "loss", false);
  curve("Accuracy", "accuracy", true);
  add_verdict(page, examine(model, test));
  io::write_file_atomic(run.file(kReport), report::to_html(page));

  fmt::print("test accuracy {:.2f} % after {} of training; see {}\n", 100 * accuracy,
             duration(last.seconds), run.file(kReport));
}

void train_model(const TrainJob& job) {
  const auto images = data::fashion_mnist(data::Train);
  auto test = data::fashion_mnist(data::Test).batch(kTestBatch);
  Run run(job, kName, complete,
          [](const Settings& s) { return kName + ("-" + s["model"].get<std::string>()); });
  const Settings& settings = run.settings();
  const uint64_t seed = settings["seed"];
  auto training = images.shuffle(seed)
                      .batch(settings["batch"])
                      .augment(seed,
                               [](data::Random& random, const Tensor& x, const Tensor& y) {
                                 return std::array{augmented(random, x), y};
                               })
                      .prefetch(kPrefetch);

  manual_seed(seed);
  const Model model = make_model(settings["model"]);
  const double lr = settings["lr"];
  ParameterList weights, shifts_and_scales;  // of which only the weights decay
  for (const Variable& p : model.module->parameters())
    (p.shape().rank() > 1 ? weights : shifts_and_scales).push_back(p);
  optim::AdamW optimizer(weights, {.lr = lr, .weight_decay = kWeightDecay});
  optimizer.add_param_group(shifts_and_scales, {.lr = lr, .weight_decay = 0});
  const int64_t epochs = settings["epochs"];
  optimizer.set_schedule(optim::one_cycle(lr, epochs * training.size(), {.pct_start = 0.25}));
  training::Trainer trainer(
      training::supervised(*model.module, optimizer,
                           [&](const data::Sample& batch) -> training::Outcome {
                             const Tensor logits = model.logits(normalized(batch[0]));
                             return {cross_entropy(logits, batch[1],
                                                   {.label_smoothing = kLabelSmoothing}),
                                     {{"accuracy", sum(argmax(logits) == batch[1])}}};
                           }),
      {.epochs = epochs, .note = run.note()});
  fmt::print("{}: {} with {} parameters, results in {}\n", kName,
             settings["model"].get<std::string>(), report::shown(model.module->parameter_count()),
             run.folder());
  run.fit(trainer, training, test, "images");
  write_results(run, trainer, model, test, images.size());
}

// (out, in): a triangle filter that averages when shrinking and interpolates when enlarging; its
// rows sum to 1.
Tensor resize_filter(int64_t out, int64_t in) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double radius = std::max(1.0, scale);
  std::vector<float> weights(out * in);
  for (int64_t i = 0; i < out; ++i) {
    const auto row = std::span(weights).subspan(i * in, in);
    const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
    for (int64_t j = 0; j < in; ++j)
      row[j] =
          static_cast<float>(std::max(0.0, 1 - std::abs(static_cast<double>(j) - centre) / radius));
    const float total = std::accumulate(row.begin(), row.end(), 0.0f);
    for (float& w : row) w /= total;
  }
  return from_vector(weights, {out, in});
}

// Any picture as the data set would show it: (1, 28, 28, 1) f32 from 0 to 255, bright on black.
Tensor prepared(const std::string& path, std::string& note) {
  const Tensor image = io::read_png(path, kMostPixels);
  const int64_t height = image.size(0), width = image.size(1), channels = image.size(2);
  const auto channel = [&](int64_t c) { return cast(index(image, {Ellipsis, c}), kF32); };
  Tensor grey =
      channels < 3 ? channel(0) : 0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2);
  if (channels % 2 == 0) {  // what is transparent lies on white
    const Tensor alpha = channel(channels - 1) * (1 / 255.0);
    grey = grey * alpha + 255 * (1 - alpha);
  }
  const Tensor border = concat({index(grey, {0}), index(grey, {-1}), index(grey, {Ellipsis, 0}),
                                index(grey, {Ellipsis, -1})});
  if (mean(border).item() > 127.5) {
    grey = 255 - grey;
    note += ", inverted because its background is bright";
  }
  if (height == kSide && width == kSide) return reshape(grey, {1, kSide, kSide, 1});
  note += fmt::format(", resized from {} x {}", width, height);
  // As if it lay in the middle of a black square: what of the square's filter meets it.
  const int64_t side = std::max(height, width);
  const Tensor filter = resize_filter(kSide, side);
  const auto part = [&](int64_t size) {
    const int64_t start = (side - size) / 2;
    return index(filter, {Ellipsis, Slice{start, start + size}});
  };
  const Tensor small = matmul(matmul(part(height), grey), transpose(part(width)));
  return reshape(small, {1, kSide, kSide, 1});
}

void predict(const PredictJob& job) {
  const std::string path =
      std::filesystem::is_directory(job.model) ? job.model + "/" + kModel : job.model;
  io::Metadata metadata;
  const io::NamedTensors weights = io::read_safetensors(path, &metadata);
  std::string recipe, name;
  for (const auto& [key, value] : metadata) {
    if (key == "recipe") recipe = value;
    if (key == "model") name = value;
  }
  if (recipe != kName || (name != "mlp" && name != "cnn"))
    throw IoError(path + ": is no model of " + kName);
  const Model model = make_model(name);
  try {
    model.module->load_state_dict(weights);
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
  model.module->eval();
  const NoGrad no_grad;
  for (const std::string& input : job.inputs) {
    std::string note;
    const Tensor image = prepared(input, note);
    const auto p = softmax(model.logits(normalized(image))).to_vector<double>();
    if (!std::ranges::all_of(p, [](double v) { return std::isfinite(v); }))
      throw IoError(path + ": gives no numbers for " + input + ": its weights are broken");
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    fmt::print("{}: {}{}\n", input, data::kFashionClasses[order[0]], note);
    for (const size_t k : order)
      fmt::print("  {:<12}{:6.2f} %\n", data::kFashionClasses[k], 100 * p[k]);
  }
}

const Registered fashion_mnist({
    .name = kName,
    .description = "Images of clothes in ten classes (Xiao et al. 2017).",
    .settings = {{.name = "model",
                  .kind = Setting::kChoice,
                  .help =
                      "A perceptron with layers of 256, 128 and 64, or a convolutional network.",
                  .fallback = "cnn",
                  .choices = {"mlp", "cnn"}},
                 {.name = "epochs",
                  .help = "Passes over the 60,000 training images.",
                  .fallback = "12 for cnn, 60 for mlp",
                  .low = 1,
                  .high = 100000},
                 {.name = "batch",
                  .help = "Images in each step.",
                  .fallback = "128",
                  .low = 2,
                  .high = 60000},
                 {.name = "lr",
                  .kind = Setting::kNumber,
                  .help = "Highest learning rate of the one-cycle schedule (AdamW).",
                  .fallback = "0.005 for cnn, 0.003 for mlp",
                  .low = 0,
                  .high = 1000},
                 {.name = "seed",
                  .help = "Decides the initial weights, the order and the augmentation.",
                  .fallback = "0",
                  .low = 0},
                 {.name = "bf16",
                  .kind = Setting::kFlag,
                  .help = "Multiplies in bf16; weights and the optimizer stay in f32."},
                 {.name = "checkpoint-steps",
                  .help = "Saves a checkpoint every N steps too, and not only after each epoch; 0: "
                          "does not.",
                  .fallback = "0",
                  .low = 0}},
    .train = train_model,
    .input = "PNG images of any size and kind.",
    .predict_help =
        "Prints the class of each image and all probabilities. An image is turned to grey,\n"
        "inverted if its border is bright (the data set shows bright clothes on black), padded\n"
        "to a square and resized to 28 x 28; the output says which of these were needed.",
    .predict = predict,
});

}  // namespace
}  // namespace glia::recipes
