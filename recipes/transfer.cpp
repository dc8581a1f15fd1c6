// Transfer: a network that was trained elsewhere, for pictures and classes of the user's.
#include <fmt/format.h>

#include <map>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/vision/transfer.h"
#include "glia/vision/weights.h"
#include "recipes/src/classification.h"
#include "recipes/src/image_predictor.h"

namespace glia::recipes {
namespace {

constexpr const char* kTask = "image-classification";
constexpr int64_t kGroups = 8;

struct TransferSettings : TrainingSettings {
  std::string data, model, weights;
  int64_t size = 0, shots = 0, test_shots = 0, thaw = 0, epochs = 0, batch = 0;
  double lr = 0, lr_decay = 0, test_share = 0;
  bool mirror = false;

  void declare(Fields& f) override {
    f(data, "data", "cifar10",
      "A data set of `glia data list`, or a folder as image-classification takes it.",
      data_sets(kTask, "FOLDER"));
    f(model, "model", "efficientnet_lite0", "The network: one of `glia describe`.",
      {{"efficientnet_lite0", "darknet_tiny"}, "NETWORK"});
    f(weights, "weights", "known",
      "What it starts from: a file of its weights, the known ones of efficientnet_lite0 and "
      "darknet_tiny, or none, to train all of it from the start.",
      {{"known", "none"}, "FILE"});
    f(size, "size", 128, "Side of the square that the network sees.", {8, 1024});
    f(shots, "shots", 0, "Training pictures of each class; 0: all.", {0, 1e6});
    f(test_shots, "test-shots", 0, "Test pictures of each class; 0: all.", {0, 1e6});
    f(test_share, "test-share", 0.2,
      "Part of each class for the test, if a folder has no folders train and test.", {0, 1});
    const bool all = weights == "none";
    f(thaw, "thaw", all ? kGroups : 0,
      "Of eight parts of the network, how many are trained after the last layer was, from the end.",
      {0, kGroups});
    f(epochs, "epochs", all ? 30 : 8, "Passes over the training pictures with these.", {1, 100000});
    f(batch, "batch", 32, "Pictures in each step.", {2, 60000});
    f(lr, "lr", all ? 2e-3 : 5e-4, "Highest rate of the last part, of AdamW.", {0, 1000});
    f(lr_decay, "lr-decay", all ? 1.0 : 2.6, "Each part before has its rate divided by this.",
      {1, 1000});
    f(mirror, "mirror", true, "Shows every second training picture, by chance, mirrored.");
    TrainingSettings::declare(f);
  }
  ImageSource source() const { return {data, test_share, static_cast<uint64_t>(seed)}; }
};

// The network behind a layer that makes pictures of its size and channels.
struct Transferred {
  std::shared_ptr<vision::Network> net;
  int64_t size;

  Transferred(const TransferSettings& s, const ImageForm& form)
      : net(vision::make_network(
            s.model, {.classes = static_cast<int64_t>(form.classes.size()), .image_size = s.size})),
        size(s.size) {}
  Tensor seen(Tensor x) const {
    if (x.size(3) == 1) x = concat({x, x, x}, -1);
    if (x.size(1) == size && x.size(2) == size) return x;
    return interpolate(x, {size, size}, {.mode = InterpolationMode::kLinear, .antialias = true});
  }
  Tensor operator()(const Tensor& x) const { return (*net)(seen(x)); }
  vision::Classifier classifier() const {
    return {net, [self = *this](const Tensor& x) { return self(x); }};
  }
};

// So many of each class, by chance.
LabelledImages some(const LabelledImages& all, int64_t shots, uint64_t seed) {
  if (shots == 0) return all;
  const auto labels = all.labels.to_vector<int64_t>();
  std::map<int64_t, std::vector<int64_t>> of_class;
  for (size_t i = 0; i < labels.size(); ++i) of_class[labels[i]].push_back(i);
  std::vector<int64_t> chosen;
  for (auto& [label, places] : of_class) {
    data::Random random(seed, 1, static_cast<uint64_t>(label));
    const auto count = static_cast<int64_t>(places.size());
    for (int64_t i = 0; i < std::min(shots, count); ++i) {
      std::swap(places[i], places[i + random.below(count - i)]);
      chosen.push_back(places[i]);
    }
  }
  const Tensor at = from_vector(chosen, {static_cast<int64_t>(chosen.size())});
  LabelledImages out{take(all.images, at), take(all.labels, at)};
  eval({out.images, out.labels});
  return out;
}

// The pictures with the values that the weights expect.
ImageSplits read(const TransferSettings& s) {
  ImageSplits all = read_images(s.source(), is_known_set(s.data) ? 0 : s.size);
  const auto seed = static_cast<uint64_t>(s.seed);
  all.train = some(all.train, s.shots, seed);
  all.test = some(all.test, s.test_shots, seed);
  if (s.weights == "none") return all;
  const vision::PixelScale scale = vision::pixel_scale(s.model);
  const auto channels = static_cast<size_t>(all.form.channels);
  all.form.mean.assign(scale.mean.begin(), scale.mean.begin() + channels);
  all.form.std.assign(scale.std.begin(), scale.std.begin() + channels);
  return all;
}

double fit_last(const Transferred& model, const LabelledImages& set, const ImageForm& form) {
  std::vector<Tensor> parts;
  for (const auto& [x, labels] : batches(set, form))
    parts.push_back(vision::features_of(*model.net, model.seen(x)));
  return vision::fit_last_layer(*model.net, concat(parts), set.labels);
}

void train(Run& run, const TransferSettings& s) {
  const auto [images, unseen, form] = read(s);
  const Transferred model(s, form);
  const bool taken = s.weights != "none";
  if (taken)
    vision::load_weights(*model.net,
                         s.weights == "known" ? vision::pretrained_weights(s.model) : s.weights);
  auto test = batches(unseen, form);
  const std::string title = s.source().title();
  const int64_t count = images.labels.size(0);
  run.say(fmt::format("{}: {} on {} pictures, results in {}", title, s.model, count, run.folder()));
  report::Report page{.title = title + ", " + s.model,
                      .subtitle = fmt::format("Trained by {} on {} images of {} classes", version(),
                                              report::shown(count), form.classes.size())};
  Results results;
  model.net->eval();
  const auto examined = [&] {
    model.net->eval();
    return examine(model.classifier().logits, test, form.classes);
  };
  Verdict verdict;
  if (taken) {
    fit_last(model, images, form);
    verdict = examined();
    const double accuracy = verdict.accuracy();
    run.say(fmt::format("last layer alone: {:.2f} % right", 100 * accuracy));
    results.push_back({"last_layer_accuracy", accuracy, true});
  }
  if (s.thaw > 0) {
    const std::vector<ParameterList> groups = vision::layer_groups(*model.net, kGroups);
    const size_t frozen = groups.size() - std::min<size_t>(groups.size(), s.thaw);
    for (size_t g = 0; g < frozen; ++g)
      for (Variable p : groups[g]) p.set_trainable(false);
    auto training = data::from_tensors(images.images, images.labels)
                        .shuffle(s.seed)
                        .batch(s.batch)
                        .augment(s.seed, [&form = form, &s](data::Random& random, const Tensor& x,
                                                            const Tensor& y) {
                          return std::array{form.augmented(random, x, 0, s.mirror), y};
                        });
    optim::AdamW optimizer(groups.back(), {.lr = s.lr, .weight_decay = 0.01});
    for (size_t g = groups.size() - 1; g-- > frozen;)
      optimizer.add_param_group(groups[g], {.lr = s.lr, .weight_decay = 0.01});
    double rate = s.lr;
    for (size_t g = 0; g < optimizer.group_count(); ++g, rate /= s.lr_decay)
      optimizer.set_schedule(optim::one_cycle(rate, s.epochs * training.size()), g);
    const auto outcome = [&](const data::Sample& b) -> training::Outcome {
      // Few pictures have no statistics of their own.
      if (taken) model.net->eval();
      const Tensor logits = model(b[0]);
      return {cross_entropy(logits, b[1]), {{"accuracy", sum(argmax(logits) == b[1])}}};
    };
    training::Trainer trainer(training::supervised(*model.net, optimizer, outcome),
                              {.epochs = s.epochs, .note = run.note()});
    run.fit(trainer, training, &test, "images");
    page.sections = {curves(trainer, "Loss", "loss"),
                     curves(trainer, "Accuracy", "accuracy", true)};
    verdict = examined();
  }
  if (verdict.samples == 0) verdict = examined();
  run.save(model.net->state_dict(), form.facts());
  for (report::Section& section : verdict.sections(unseen.images))
    page.sections.push_back(std::move(section));
  results.insert(results.begin(),
                 {{"test_accuracy", verdict.accuracy(), true}, {"test_loss", verdict.loss}});
  results.push_back({"parameters", model.net->parameter_count()});
  run.finish(page, results);
}

std::unique_ptr<Predictor> load(const Saved& saved, const TransferSettings& s) {
  const ImageForm form = ImageForm::of(saved);
  return std::make_unique<ImagePredictor>(saved, s.source(), form,
                                          Transferred(s, form).classifier());
}

const Register<TransferSettings> transfer({
    .name = "transfer",
    .task = kTask,
    .description = "A network that was trained on other pictures, for yours.",
    .run_name = [](const TransferSettings& s) { return s.source().name() + "-transfer"; },
    .train = train,
    .load = load,
    .input_help = "PNG or JPEG pictures of any size and kind, or folders of such.",
    .predict_help = "Prints the class of each picture and all probabilities.",
    .evaluate_help = "Prints accuracy and loss, and the accuracy of each class.",
});

}  // namespace
}  // namespace glia::recipes
