// Networks for images (N, size, size, channels) of mean 0 and variance 1; they give logits
// (N, classes).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glia/nn.h"
#include "glia/ops.h"

namespace glia::vision {

struct Mlp : nn::Module {
  nn::Linear fc1, fc2{256, 128}, fc3{128, 64}, fc4;

  explicit Mlp(int64_t size = 28, int64_t channels = 1, int64_t classes = 10)
      : fc1(size * size * channels, 256), fc4(64, classes) {}
  Tensor operator()(const Tensor& x) const {
    auto h = relu(fc1(flatten(x, 1)));
    h = relu(fc2(h));
    h = relu(fc3(h));
    return fc4(h);
  }
  GLIA_FIELDS(fc1, fc2, fc3, fc4)
};

// A 3 x 3 convolution, halved in size if it pools, with batch norm and ReLU. The norm's shift
// stands for the bias, and pooling first leaves it a quarter of the work.
struct ConvBlock : nn::Module {
  nn::Conv2d conv;
  nn::BatchNorm2d norm;
  bool pools;

  ConvBlock(int64_t in, int64_t out, bool pools)
      : conv(in, out, {.kernel = 3, .padding = 1, .bias = false}), norm(out), pools(pools) {}
  Tensor operator()(const Tensor& x) const {
    const Tensor h = conv(x);
    return relu(norm(pools ? max_pool2d(h, 2) : h));
  }
  GLIA_FIELDS(conv, norm)
};

struct Cnn : nn::Module {
  ConvBlock block1, block2{32, 32, false}, block3{32, 48, true}, block4{48, 80, true};
  nn::Linear fc;

  explicit Cnn(int64_t size = 28, int64_t channels = 1, int64_t classes = 10)
      : block1(channels, 32, true), fc(80 * (size / 8) * (size / 8), classes) {}
  Tensor operator()(const Tensor& x) const {
    auto h = block1(x);     // (N, size / 2, size / 2, 32)
    h = h + block2(h);      // (N, size / 2, size / 2, 32)
    h = block4(block3(h));  // (N, size / 8, size / 8, 80)
    return fc(flatten(h, 1));
  }
  GLIA_FIELDS(block1, block2, block3, block4, fc)
};

// Two convolutions and a shortcut without weights: where the size halves, every other pixel, and
// zeros for the new channels.
struct BasicBlock : nn::Module {
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  int64_t stride, new_channels;

  BasicBlock(int64_t in, int64_t out, int64_t stride)
      : conv1(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}),
        bn1(out),
        conv2(out, out, {.kernel = 3, .padding = 1, .bias = false}),
        bn2(out),
        stride(stride),
        new_channels(out - in) {}
  Tensor operator()(const Tensor& x) const {  // (N, H, W, in) -> (N, H / stride, W / stride, out)
    const Tensor h = bn2(conv2(relu(bn1(conv1(x)))));
    if (stride == 1) return relu(h + x);
    const Tensor small = slice(slice(x, 1, {.step = stride}), 2, {.step = stride});
    const int64_t half = new_channels / 2;
    return relu(h + pad(small, {{0, 0}, {0, 0}, {0, 0}, {half, half}}));
  }
  GLIA_FIELDS(conv1, bn1, conv2, bn2)
};

namespace detail {
// Three blocks, the first of which halves the image where the channels change.
inline std::vector<BasicBlock> resnet20_layer(int64_t in, int64_t out) {
  return {{in, out, out == in ? 1 : 2}, {out, out, 1}, {out, out, 1}};
}
}  // namespace detail

// ResNet-20 for small images (He et al. 2016), for any size.
struct ResNet20 : nn::Module {
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1{16};
  std::vector<BasicBlock> layer1 = detail::resnet20_layer(16, 16);
  std::vector<BasicBlock> layer2 = detail::resnet20_layer(16, 32);
  std::vector<BasicBlock> layer3 = detail::resnet20_layer(32, 64);
  nn::Linear fc;

  explicit ResNet20(int64_t channels = 3, int64_t classes = 10)
      : conv1(channels, 16, {.kernel = 3, .padding = 1, .bias = false}), fc(64, classes) {}
  Tensor operator()(const Tensor& x) const {
    auto h = relu(bn1(conv1(x)));
    for (const auto* blocks : {&layer1, &layer2, &layer3})
      for (const BasicBlock& block : *blocks) h = block(h);
    return fc(mean(h, {1, 2}));
  }
  GLIA_FIELDS(conv1, bn1, layer1, layer2, layer3, fc)
};

// A network whose kind is known at run time only.
struct Classifier {
  std::shared_ptr<nn::Module> module;
  std::function<Tensor(const Tensor&)> logits;  // (N, size, size, channels) -> (N, classes)
};
// "mlp", "cnn", "resnet20", and all of network_names().
std::vector<std::string> classifier_names();
// One of these. Throws Error for another name, and for pictures that are too small for the network.
Classifier make_classifier(const std::string& name, int64_t size, int64_t channels,
                           int64_t classes);

}  // namespace glia::vision
