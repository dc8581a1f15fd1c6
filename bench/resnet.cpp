// ResNet-20 for CIFAR-10 (He et al. 2016): a training step, and inference.
#include "bench.h"

namespace glia::bench {
namespace {

// The shortcut has no weights: where the size halves, every other pixel, and zeros for the new
// channels.
struct Block : nn::Module {
  Block(int64_t in, int64_t out, int64_t stride)
      : c1(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}),
        b1(out),
        c2(out, out, {.kernel = 3, .padding = 1, .bias = false}),
        b2(out),
        stride(stride),
        new_channels(out - in) {}

  Tensor operator()(const Tensor& x) const {  // (N, H, W, in) -> (N, H / stride, W / stride, out)
    const Tensor h = b2(c2(relu(b1(c1(x)))));
    if (stride == 1) return relu(h + x);
    const Tensor small = slice(slice(x, 1, {.step = stride}), 2, {.step = stride});
    const int64_t half = new_channels / 2;
    return relu(h + pad(small, {{0, 0}, {0, 0}, {0, 0}, {half, half}}));
  }

  nn::Conv2d c1;
  nn::BatchNorm2d b1;
  nn::Conv2d c2;
  nn::BatchNorm2d b2;
  int64_t stride, new_channels;
  GLIA_FIELDS(c1, b1, c2, b2)
};

nn::Sequential resnet20(const Start& start) {
  nn::Sequential model(nn::Conv2d(3, 16, {.kernel = 3, .padding = 1, .bias = false}),
                       nn::BatchNorm2d(16), relu);
  int64_t channels = 16;
  for (int64_t out : {16, 32, 64}) {
    for (int i = 0; i < 3; ++i) {
      model.push_back(Block(channels, out, i == 0 && out > 16 ? 2 : 1));
      channels = out;
    }
  }
  model.push_back(nn::AdaptiveAvgPool2d(1));
  model.push_back(nn::Flatten());
  model.push_back(nn::Linear(64, 10));
  start.load(model);
  return model;
}

// Images as PyTorch has them, (N, 3, 32, 32), or random ones, to (N, 32, 32, 3).
Tensor images(const Start& start, int64_t batch) {
  const Tensor x = start("x", {batch, 3, 32, 32});
  const Tensor out = reshape(permute(x, {0, 2, 3, 1}), {batch * 32 * 32 * 3});
  eval(out);
  return reshape(out, {batch, 32, 32, 3});
}

// Multiplications and additions of the convolutions and the last layer for one image.
double forward_flops() {
  constexpr double kFirst = 32 * 32 * 9.0 * 3 * 16;
  double products = kFirst + 64 * 10;
  int64_t channels = 16;
  for (int64_t out : {16, 32, 64}) {
    const double pixels = 32 * 32 * 256.0 / (out * out);
    products += pixels * 9 * (channels * out + 5 * out * out);
    channels = out;
  }
  return 2 * products;
}

Result inference(const Options& options, int64_t batch) {
  const Start start(options);
  nn::Sequential model = resnet20(start);
  model.eval();
  const Tensor x = images(start, batch);
  const NoGrad off;
  Result result = run(options, [&] {
    const Tensor y = model(x);
    eval(y);
    return y;
  });
  result.facts = {{"flops", batch * forward_flops()}};
  return result;
}

Result training(const Options& options, DType dtype) {
  constexpr int64_t kBatch = 128;
  const Start start(options);
  nn::Sequential model = resnet20(start);
  const Tensor x = images(start, kBatch), target = remainder(arange(kBatch), 10);
  const ParameterList parameters = model.parameters();
  optim::SGD optimizer(
      parameters,
      {.lr = options.lr > 0 ? options.lr : 1e-6, .momentum = 0.9, .weight_decay = 1e-4});
  Result result = run(options, [&] {
    const Autocast products(dtype);
    const Tensor loss = cross_entropy(model(x), target);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
  // The images need no gradient.
  result.facts = {{"flops", kBatch * (3 * forward_flops() - 2 * 32 * 32 * 9.0 * 3 * 16)}};
  return result;
}

}  // namespace

Result resnet20_train(const Options& options) { return training(options, kF32); }
Result resnet20_train_bf16(const Options& options) { return training(options, kBF16); }
Result resnet20_infer1(const Options& options) { return inference(options, 1); }
Result resnet20_infer64(const Options& options) { return inference(options, 64); }

}  // namespace glia::bench
