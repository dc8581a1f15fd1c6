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

// A 3 x 3 convolution with batch norm and ReLU; the batch norm's shift stands for the bias.
struct ConvBlock : nn::Module {
  nn::Conv2d conv;
  nn::BatchNorm2d norm;

  ConvBlock(int64_t in, int64_t out)
      : conv(in, out, {.kernel = 3, .padding = 1, .bias = false}), norm(out) {}
  Tensor operator()(const Tensor& x) const { return relu(norm(conv(x))); }
  GLIA_FIELDS(conv, norm)
};

struct Cnn : nn::Module {
  ConvBlock block1{1, 32}, block2{32, 48}, block3{48, 48}, block4{48, 80};
  nn::Linear fc{720, 10};

  Tensor operator()(const Tensor& x) const {
    auto h = max_pool2d(block1(x), 2);     // (N, 14, 14, 32)
    h = max_pool2d(block3(block2(h)), 2);  // (N, 7, 7, 48)
    h = max_pool2d(block4(h), 2);          // (N, 3, 3, 80)
    return fc(flatten(h, 1));
  }
  GLIA_FIELDS(block1, block2, block3, block4, fc)
};

}  // namespace glia::recipes
