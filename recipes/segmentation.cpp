// A class for each pixel: pictures and masks of the user's.
#include <fmt/format.h>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/vision/image.h"
#include "glia/vision/masks.h"
#include "glia/vision/networks.h"
#include "glia/vision/transforms.h"
#include "recipes/src/images.h"
#include "recipes/src/masks.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 2, kIntervals = 20;
constexpr size_t kWatched = 2;  // test pictures that are looked at during training

struct SegmentationSettings : TrainingSettings {
  std::string data, model;
  int64_t crop = 0, batch = 0, steps = 0;
  double lr = 0, test_share = 0;
  bool flip = false;

  void declare(Fields& f) override {
    f(data, "data", "em",
      "A data set of `glia data list`, or a folder or tar with pictures in images and masks of the "
      "same names in labels or masks.",
      data_sets("segmentation", "FOLDER"));
    f(model, "model", "unet", "The network.", {{"unet", "fcn_resnet50", "fcn_resnet101"}});
    f(test_share, "test-share", 0.2, "Part of the pictures for the test.", {0, 1});
    f(crop, "crop", 128, "Side of the squares that are cut out of training pictures by chance.",
      {16, 4096});
    f(batch, "batch", 4, "Squares in each step.", {1, 4096});
    f(steps, "steps", 300, "Steps of training.", {1, 1e8});
    f(lr, "lr", 1e-3, "Highest rate of AdamW's one-cycle schedule.", {0, 1000});
    f(flip, "flip", true, "Mirrors squares by chance, both ways.");
    TrainingSettings::declare(f);
  }
};

std::shared_ptr<vision::Network> network(const SegmentationSettings& s, const MaskForm& form) {
  return vision::make_network(
      s.model, {.classes = static_cast<int64_t>(form.classes.size()), .channels = form.channels});
}

void train(Run& run, const SegmentationSettings& s) {
  const auto [pictures, unseen, form] = read_masks(s.data, s.test_share, s.seed);
  const std::vector<vision::Annotated>& test_set = unseen.pictures;
  const std::vector<vision::Annotated> watched(
      test_set.begin(), test_set.begin() + std::min(kWatched, test_set.size()));
  vision::Compose change{
      {vision::RandomCrop{.height = s.crop, .width = s.crop, .pad_if_needed = true}}};
  if (s.flip) {
    change.transforms.push_back(vision::RandomHorizontalFlip{});
    change.transforms.push_back(vision::RandomVerticalFlip{});
  }
  const auto count = static_cast<int64_t>(pictures.pictures.size());
  // Each step cuts squares out of pictures in turn.
  auto training =
      data::from_tensors(arange(s.steps * s.batch))
          .augment(s.seed,
                   [&set = pictures.pictures, &form = form, change, count](data::Random& random,
                                                                           const Tensor& i) {
                     const vision::Annotated one = change(random, set[i.item<int64_t>() % count]);
                     return std::array{form.normalized(one.image), cast(one.mask, kI64)};
                   })
          .batch(s.batch)
          .prefetch(kPrefetch);
  const auto net = network(s, form);
  optim::AdamW optimizer(net->parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.steps));
  training::Task task =
      training::supervised(*net, optimizer, [&](const data::Sample& b) -> training::Outcome {
        const Tensor logits = (*net)(b[0]);
        return {cross_entropy(logits, b[1]),
                {{"accuracy", mean(cast(argmax(logits) == b[1], kF32)) * b[1].size(0)}}};
      });
  task.evaluate = [&, &form = form]() -> training::Values {
    const vision::Overlap found = overlap(*net, watched, form);
    return {{"test_iou", found.mean_iou()}, {"test_dice", found.mean_dice()}};
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kIntervals),
                                   .note = run.note()});
  run.say(fmt::format("{}: {} with {} parameters on {} pictures, results in {}", s.data, s.model,
                      report::shown(net->parameter_count()), count, run.folder()));
  run.fit(trainer, training, nullptr, "squares");
  run.save(net->state_dict(), form.facts());
  net->eval();
  const vision::Overlap found = overlap(*net, test_set, form);
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  run.finish(
      {.title = fmt::format("{}, {}", s.data, s.model),
       .subtitle =
           fmt::format("Trained by {} for {} steps on {} pictures", version(), s.steps, count),
       .sections = {curve(trainer, "Intersection over union, mean of classes", "test_iou", x,
                          {.percent = true}),
                    curve(trainer, "Loss", "train_loss", x), shown_masks(*net, test_set, form)}},
      results_of(found, form));
}

class Segmenter : public Predictor {
 public:
  Segmenter(const Saved& saved, const SegmentationSettings& s)
      : settings_(s), form_(MaskForm::of(saved)), net_(network(s, form_)) {
    net_->load_state_dict(saved.weights);
    net_->eval();
  }

  Computation computation() const override {
    return computation_of(
        *net_, [this](const Tensor& x) { return (*net_)(x); }, zeros({1, 64, 64, form_.channels}),
        "pictures", "logits");
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* file = std::get_if<std::string>(&input);
    const Tensor mask = guessed(*net_, picture_of(input), form_);
    report::Table table{{{"class"}, {"share", true}}, {}};
    for (size_t k = 0; k < form_.classes.size(); ++k)
      table.rows.push_back({form_.classes[k], mean(cast(mask == k, kF32)).item()});
    Results out;
    if (file) {
      const std::string path = file->substr(0, file->rfind('.')) + ".mask.png";
      io::write_png(path, form_.as_picture(mask));
      out.push_back({"mask", path});
    } else {
      out.push_back({"mask", mask});
    }
    out.push_back({"classes", table});
    return out;
  }
  Results score(const Evaluation& what) const override {
    const std::string data = what.data.empty() ? settings_.data : what.data;
    const MaskSplits all = read_masks(data, settings_.test_share, settings_.seed, &form_);
    vision::MaskedPictures set = what.split == "train" ? all.train : all.test;
    if (data != settings_.data)
      set.pictures.insert(set.pictures.end(), all.train.pictures.begin(), all.train.pictures.end());
    return results_of(overlap(*net_, set.pictures, form_), form_);
  }

 private:
  const SegmentationSettings settings_;
  const MaskForm form_;
  const std::shared_ptr<vision::Network> net_;
};

const Register<SegmentationSettings> segmentation({
    .name = "segmentation",
    .task = "segmentation",
    .description = "A class for each pixel: a U-Net or FCN on your pictures and masks.",
    .train = train,
    .load = make_predictor<Segmenter, SegmentationSettings>,
    .input_help = "PNG or JPEG pictures of any size.",
    .predict_help =
        "Writes the mask of each picture beside it, as NAME.mask.png with the values of\n"
        "the training masks, and prints the share of each class.",
    .evaluate_help = "Prints intersection over union and Dice of each class.",
});

}  // namespace
}  // namespace glia::recipes
