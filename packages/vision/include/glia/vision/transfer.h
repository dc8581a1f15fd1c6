// Taking over what a network has learnt elsewhere: its trunk as it is, with a new last layer
// (Donahue et al. 2014), then its layers again at rates that fall towards the pictures (Howard &
// Ruder 2018).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/vision/networks.h"

namespace glia::vision {

// What a network's weights expect of pixels from 0 to 255: (x - mean) / std for each channel.
struct PixelScale {
  std::vector<double> mean, std;
};
// (x - 127) / 128 for efficientnet_lite0, x / 255 for darknet_tiny, and for all others the means
// and deviations of ImageNet that torchvision has.
PixelScale pixel_scale(const std::string& network);

// The file of the weights that are known for a network: "efficientnet_lite0", "darknet_tiny".
// Throws Error for another, IoError that says how to get it where it is not found.
std::string pretrained_weights(const std::string& network);
std::vector<std::string> pretrained_networks();

// The parameters of a network in `count` parts of about as many layers each, in the order in which
// pictures go through; the last part is the last layer alone. Frozen ones too.
std::vector<ParameterList> layer_groups(const Network& network, int64_t count);

// What the trunk makes of normalised pictures f32 (N, H, W, C), in evaluation mode and without
// gradients, `batch` at a time.
Tensor features_of(const Network& network, const Tensor& pictures, int64_t batch = 32);

struct LastLayerOptions {
  double weight_decay = 1e-3;  // times half the squares of the layer's numbers
  int64_t max_iter = 200;      // of L-BFGS
};
// Fits the last layer to features and classes i64 (N) by the cross-entropy: a convex problem. The
// rest stays. Returns the loss. Throws ShapeError for others.
double fit_last_layer(Network& network, const Tensor& features, const Tensor& labels,
                      const LastLayerOptions& options = {});

}  // namespace glia::vision
