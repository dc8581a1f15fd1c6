// Residual networks as torchvision builds them, and their trunk for segmentation.
#pragma once

#include <array>
#include <optional>

#include "parts.h"

namespace glia::vision {

struct ResNetSpec {
  const char* name;
  bool bottleneck;
  std::array<int64_t, 4> blocks;
  int64_t groups = 1, width = 64;  // of the 3 x 3 convolutions of bottlenecks, in each group
};

struct ResNetBlock : nn::Module {
  ResNetBlock(const ResNetSpec& spec, int64_t in, int64_t planes, int64_t stride, int64_t dilation);
  Tensor operator()(const Tensor& x) const;

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  std::optional<nn::Conv2d> conv3;
  std::optional<nn::BatchNorm2d> bn3;
  std::optional<nn::Sequential> downsample;
  GLIA_FIELDS(conv1, bn1, conv2, bn2, conv3, bn3, downsample)
};

// (N, H, W, channels) -> (N, H / 32, W / 32, out); `dilated`: the last two stages keep H / 8, and
// dilate instead.
struct ResNetTrunk : nn::Module {
  ResNetTrunk(const ResNetSpec& spec, int64_t channels, bool dilated);
  Tensor operator()(const Tensor& x) const;

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1{64};
  std::vector<ResNetBlock> layer1, layer2, layer3, layer4;
  int64_t out;
  GLIA_FIELDS(conv1, bn1, layer1, layer2, layer3, layer4)
};

}  // namespace glia::vision
