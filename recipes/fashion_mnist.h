// The models of the Fashion-MNIST recipe. Both take images (N, 28, 28, 1) with mean 0 and
// variance 1, and give logits (N, 10).
#pragma once

#include "glia/nn.h"
#include "glia/ops.h"

namespace glia::recipes {

struct Mlp : nn::Module {
  nn::Linear fc1{784, 256}, fc2{256, 128}, fc3{128, 64}, fc4{64, 10};

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
  ConvBlock block1{1, 32, true}, block2{32, 32, false}, block3{32, 48, true}, block4{48, 80, true};
  nn::Linear fc{720, 10};

  Tensor operator()(const Tensor& x) const {
    auto h = block1(x);     // (N, 14, 14, 32)
    h = h + block2(h);      // (N, 14, 14, 32)
    h = block4(block3(h));  // (N, 3, 3, 80)
    return fc(flatten(h, 1));
  }
  GLIA_FIELDS(block1, block2, block3, block4, fc)
};

}  // namespace glia::recipes
