#include "recipes/src/transferred.h"

#include <algorithm>
#include <map>

#include "glia/glia.h"
#include "glia/vision/transfer.h"
#include "glia/vision/weights.h"

namespace glia::recipes {
namespace {

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

}  // namespace

void TransferSettings::declare(Fields& f) {
  f(data, "data", "cifar10",
    "A data set of `glia data list`, or a folder as image-classification takes it.",
    data_sets("image-classification", "FOLDER"));
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

ImageSplits TransferSettings::read() const {
  ImageSplits all = read_images(source(), is_known_set(data) ? 0 : size);
  const auto draw = static_cast<uint64_t>(seed);
  all.train = some(all.train, shots, draw);
  all.test = some(all.test, test_shots, draw);
  if (weights == "none") return all;
  const vision::PixelScale scale = vision::pixel_scale(model);
  const auto channels = static_cast<size_t>(all.form.channels);
  all.form.mean.assign(scale.mean.begin(), scale.mean.begin() + channels);
  all.form.std.assign(scale.std.begin(), scale.std.begin() + channels);
  return all;
}

Transferred::Transferred(const TransferSettings& s, const ImageForm& form)
    : net(vision::make_network(
          s.model, {.classes = static_cast<int64_t>(form.classes.size()), .image_size = s.size})),
      size(s.size) {}

Tensor Transferred::seen(Tensor x) const {
  if (x.size(3) == 1) x = concat({x, x, x}, -1);
  if (x.size(1) == size && x.size(2) == size) return x;
  return interpolate(x, {size, size}, {.mode = InterpolationMode::kLinear, .antialias = true});
}

vision::Classifier Transferred::classifier() const {
  return {net, [self = *this](const Tensor& x) { return self(x); }};
}

}  // namespace glia::recipes
