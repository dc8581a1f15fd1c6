#include "recipes/src/multi_task_settings.h"

#include "glia/glia.h"

namespace glia::recipes {
namespace {

constexpr int64_t kHidden = 50;

}  // namespace

void MultiTaskSettings::declare(Fields& f) {
  f(data, "data", "fashion-mnist",
    "A data set of `glia data list`, or a folder as image-classification takes it, whose "
    "pictures are laid over each other.",
    data_sets("image-classification", "FOLDER"));
  f(sharing, "sharing", "hard",
    "What tasks share: a trunk, networks that are stitched together, experts, or nothing.",
    {{"hard", "cross-stitch", "mmoe", "single"}});
  f(weighting, "weighting", "equal", "How the losses of the tasks are balanced.",
    {{"equal", "uncertainty", "dwa", "gradnorm", "mgda", "pcgrad", "cagrad"}});
  f(pairs, "pairs", 0, "Pictures to train on; 0: as many as the data set has.", {0, 1e9});
  f(experts, "experts", 3, "Experts of mmoe.", {1, 100});
  f(epochs, "epochs", 10, "Passes over the training pictures.", {1, 100000});
  f(batch, "batch", 256, "Pictures in each step.", {2, 60000});
  f(lr, "lr", 2e-3, "Highest learning rate of Adam's one-cycle schedule.", {0, 1000});
  TrainingSettings::declare(f);
}

std::unique_ptr<multitask::Model> MultiTaskSettings::network(const ImageForm& form) const {
  const int64_t side = ((form.size - 4) / 2 - 4) / 2, features = 20 * side * side;
  const auto pool = [](const Tensor& x) { return relu(max_pool2d(x, 2)); };
  const auto flat = [](const Tensor& x) { return flatten(x, 1); };
  const auto first = [=] {
    return nn::Sequential(nn::Conv2d(form.channels, 10, {.kernel = 5}), pool);
  };
  const auto second = [=] { return nn::Sequential(nn::Conv2d(10, 20, {.kernel = 5}), pool); };
  const auto third = [=] { return nn::Sequential(flat, nn::Linear(features, kHidden), relu); };
  const auto trunk = [=] { return nn::Sequential(first(), second(), third()); };
  const auto classes = static_cast<int64_t>(form.classes.size());
  const std::vector<multitask::MakePart> heads(kTasks.size(), [=] {
    return nn::Sequential(nn::Linear(kHidden, kHidden), relu, nn::Linear(kHidden, classes));
  });
  if (sharing == "hard") return std::make_unique<multitask::HardSharing>(trunk, heads);
  if (sharing == "single") return std::make_unique<multitask::Separate>(trunk, heads);
  if (sharing == "mmoe")
    return std::make_unique<multitask::Mmoe>(trunk, experts, form.size * form.size * form.channels,
                                             heads);
  return std::make_unique<multitask::CrossStitch>(
      std::vector<multitask::MakePart>{first, second, third}, std::vector<int64_t>{10, 20, kHidden},
      heads);
}

}  // namespace glia::recipes
