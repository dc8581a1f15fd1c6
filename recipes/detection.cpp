// Finding things and their boxes: in generated scenes, or in the user's pictures.
#include <fmt/format.h>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/vision/image.h"
#include "glia/vision/transforms.h"
#include "recipes/src/images.h"
#include "recipes/src/scenes.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 2;

struct DetectionSettings : TrainingSettings {
  std::string data, test;
  int64_t size = 0, width = 0, pictures = 0, epochs = 0, batch = 0;
  double lr = 0;
  bool mirror = false;

  void declare(Fields& f) override {
    f(data, "data", "digit-scenes",
      "Generated scenes of digits, or a folder with COCO's annotations.json, or with images and "
      "YOLO's labels.",
      {{"digit-scenes"}, "FOLDER"});
    f(test, "test", "", "Another such folder for the test; without it each fifth picture is.");
    f(size, "size", 128, "Side to which pictures are stretched: a multiple of 32.", {32, 4096});
    f(width, "width", 32, "Channels of the first layer; later ones have up to four times as many.",
      {4, 1024});
    f(pictures, "pictures", 2000, "Scenes that are generated, and an eighth as many for the test.",
      {8, 1e6});
    f(epochs, "epochs", 12, "Passes over the training pictures.", {1, 100000});
    f(batch, "batch", 16, "Pictures in each step.", {1, 4096});
    f(lr, "lr", 3e-3, "Highest rate of AdamW's one-cycle schedule.", {0, 1000});
    f(mirror, "mirror", data != "digit-scenes", "Mirrors training pictures by chance.");
    TrainingSettings::declare(f);
  }
  vision::DetectorOptions detector(const SceneForm& form) const {
    return {static_cast<int64_t>(form.classes.size()), form.channels, form.size, width};
  }
};

struct SceneSplits {
  Scenes train, test;
  SceneForm form;
};

SceneSplits read(const DetectionSettings& s) {
  if (s.size % 32 != 0) throw Error(fmt::format("--size {} is no multiple of 32", s.size));
  SceneSplits out;
  if (s.data == "digit-scenes") {
    out.train = digit_scenes(true, s.pictures, s.size);
    out.test = digit_scenes(false, s.pictures / 8, s.size);
    out.form = {out.train.truth.classes, s.size, 1};
    return out;
  }
  out.form = {read_boxes(s.data).classes, s.size, 3};
  Scenes all = read_scenes(s.data, out.form);
  if (!s.test.empty()) {
    out.test = read_scenes(s.test, out.form);
    out.train = std::move(all);
    return out;
  }
  out.train.truth.classes = out.test.truth.classes = all.truth.classes;
  for (size_t i = 0; i < all.pictures.size(); ++i) {
    Scenes& to = i % 5 == 4 ? out.test : out.train;
    to.pictures.push_back(all.pictures[i]);
    to.truth.pictures.push_back(all.truth.pictures[i]);
  }
  if (out.test.pictures.empty()) throw Error(s.data + ": has fewer than five pictures");
  return out;
}

void train(Run& run, const DetectionSettings& s) {
  const auto [set, unseen, form] = read(s);
  vision::Detector net(s.detector(form));
  const auto count = static_cast<int64_t>(set.pictures.size());
  auto training =
      data::from_tensors(arange(count))
          .shuffle(s.seed)
          .augment(s.seed,
                   [&set = set, &form = form, &net, mirror = s.mirror](data::Random& random,
                                                                       const Tensor& i) {
                     vision::Annotated one = set.pictures[i.item<size_t>()];
                     if (mirror) one = vision::RandomHorizontalFlip{}(random, one);
                     const auto targets = net.targets(one.boxes, one.labels);
                     return std::array{form.normalized(one.image), targets.labels, targets.offsets};
                   })
          .batch(s.batch)
          .prefetch(kPrefetch);
  optim::AdamW optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size()));
  training::Task task =
      training::supervised(net, optimizer, [&](const data::Sample& b) -> training::Outcome {
        return {net.loss(net(b[0]), b[1], b[2])};
      });
  task.evaluate = [&, &unseen = unseen, &form = form]() -> training::Values {
    const vision::CocoResult found =
        vision::evaluate_coco(unseen.truth, found_in(net, unseen, form));
    return {{"test_map", found.ap}, {"test_map50", found.ap50}};
  };
  training::Trainer trainer(task, {.epochs = s.epochs, .note = run.note()});
  run.say(fmt::format("{}: {} pictures of {} classes, {} parameters, results in {}", s.data, count,
                      form.classes.size(), report::shown(net.parameter_count()), run.folder()));
  run.fit(trainer, training, nullptr, "pictures");
  run.save(net.state_dict(), form.facts());
  net.eval();
  const auto found = found_in(net, unseen, form);
  Results results = results_of(vision::evaluate_coco(unseen.truth, found), form);
  results.push_back({"parameters", net.parameter_count()});
  run.finish(
      {.title = s.data + ", found by one look",
       .subtitle =
           fmt::format("Trained by {} for {} epochs on {} pictures", version(), s.epochs, count),
       .sections = {curve(trainer, "Mean average precision, COCO's", "test_map", {"epoch"},
                          {.percent = true}),
                    curve(trainer, "Loss", "train_loss"), shown_scenes(unseen, found, form)}},
      results);
}

class Finder : public Predictor {
 public:
  Finder(const Saved& saved, const DetectionSettings& s)
      : settings_(s), form_(SceneForm::of(saved)), net_(s.detector(form_)) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const Tensor image = picture_of(input);
    const auto found = net_.detect(net_(unsqueeze(form_.normalized(image), 0)), 0.3)[0];
    const auto boxes = found.boxes.to_vector<double>(), scores = found.scores.to_vector<double>();
    const auto labels = found.labels.to_vector<int64_t>();
    report::Table table{
        {{"class"}, {"probability", true}, {"left"}, {"top"}, {"right"}, {"bottom"}}, {}};
    const double w = static_cast<double>(image.size(1)) / static_cast<double>(form_.size),
                 h = static_cast<double>(image.size(0)) / static_cast<double>(form_.size);
    for (size_t i = 0; i < labels.size(); ++i)
      table.rows.push_back({form_.classes[static_cast<size_t>(labels[i])], scores[i],
                            boxes[4 * i] * w, boxes[4 * i + 1] * h, boxes[4 * i + 2] * w,
                            boxes[4 * i + 3] * h});
    return {{"things", static_cast<int64_t>(labels.size())}, {"boxes", table}};
  }
  Results score(const Evaluation& what) const override {
    DetectionSettings s = settings_;
    Scenes set;
    if (what.data.empty() || what.data == s.data) {
      SceneSplits all = read(s);
      set = what.split == "train" ? std::move(all.train) : std::move(all.test);
    } else {
      set = read_scenes(what.data, form_);
    }
    return results_of(vision::evaluate_coco(set.truth, found_in(net_, set, form_)), form_);
  }

 private:
  const DetectionSettings settings_;
  const SceneForm form_;
  vision::Detector net_;
};

const Register<DetectionSettings> detection({
    .name = "detection",
    .task = "detection",
    .description = "Things and their boxes: a single-shot detector.",
    .train = train,
    .load = make_predictor<Finder, DetectionSettings>,
    .input_help = "PNG or JPEG pictures of any size.",
    .predict_help = "Prints the things that are found with a probability above 0.3, and their\n"
                    "boxes in the picture's pixels.",
    .evaluate_help = "Prints COCO's mean average precision and recall.",
});

}  // namespace
}  // namespace glia::recipes
