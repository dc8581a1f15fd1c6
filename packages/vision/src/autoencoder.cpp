#include "glia/vision/autoencoder.h"

#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"

namespace glia::vision {
namespace {

using enum AutoEncoderKind;
constexpr int64_t kWidth = 16;  // of the first convolution

}  // namespace

AutoEncoder::AutoEncoder(const AutoEncoderOptions& o) : options(o) {
  constexpr int64_t kMost = 1 << 20;
  const auto inside = [](int64_t n) { return n >= 1 && n <= kMost; };
  bool fits = inside(o.size) && o.size <= 4096 && inside(o.channels) && o.channels <= 4096 &&
              inside(o.code) && o.noise >= 0 && o.noise < 1 && o.sparsity > 0 && o.sparsity < 1 &&
              o.penalty >= 0;
  for (const int64_t n : o.hidden) fits = fits && inside(n);
  if (!fits) throw ShapeError("AutoEncoder: options out of range");
  int64_t in = o.size * o.size * o.channels;
  if (o.kind == kConv) {
    if (o.size % 4 != 0)
      throw ShapeError("AutoEncoder: pictures of " + std::to_string(o.size) +
                       " cannot be halved twice");
    const nn::ConvOptions half{.kernel = 3, .stride = 2, .padding = 1};
    down = {{o.channels, kWidth, half}, {kWidth, 2 * kWidth, half}};
    const nn::ConvTransposeOptions twice{.kernel = 4, .stride = 2, .padding = 1};
    up = {{2 * kWidth, kWidth, twice}, {kWidth, o.channels, twice}};
    in = o.size / 4 * (o.size / 4) * 2 * kWidth;
  }
  std::vector<int64_t> sizes = {in};
  if (o.kind != kConv && o.kind != kLinear)
    sizes.insert(sizes.end(), o.hidden.begin(), o.hidden.end());
  sizes.push_back(o.code);
  for (size_t i = 0; i + 1 < sizes.size(); ++i) encoder.emplace_back(sizes[i], sizes[i + 1]);
  for (size_t i = sizes.size() - 1; i-- > 0;) {
    if (o.kind == kTied)
      biases.emplace_back(zeros({sizes[i]}));
    else
      decoder.emplace_back(sizes[i + 1], sizes[i]);
  }
}

Tensor AutoEncoder::encode(const Tensor& x, Where where) const {
  if (x.rank() != 4 || x.size(1) != options.size || x.size(2) != options.size ||
      x.size(3) != options.channels)
    throw ShapeError("AutoEncoder: made for pictures (N, " + std::to_string(options.size) + ", " +
                         std::to_string(options.size) + ", " + std::to_string(options.channels) +
                         "), not " + x.shape().str(),
                     where);
  Tensor h = x;
  for (const nn::Conv2d& layer : down) h = relu(layer(h));
  h = flatten(h, 1);
  for (size_t i = 0; i < encoder.size(); ++i) {
    h = encoder[i](h);
    if (i + 1 < encoder.size()) h = relu(h);
  }
  return options.kind == kSparse ? sigmoid(h) : h;
}

Tensor AutoEncoder::decode(const Tensor& code, Where where) const {
  if (code.rank() != 2 || code.size(1) != options.code)
    throw ShapeError("AutoEncoder: a code is (N, " + std::to_string(options.code) + "), not " +
                         code.shape().str(),
                     where);
  Tensor h = code;
  const size_t layers = encoder.size();
  for (size_t i = 0; i < layers; ++i) {
    h = options.kind == kTied ? linear(h, transpose(encoder[layers - 1 - i].weight), biases[i])
                              : decoder[i](h);
    if (i + 1 < layers || options.kind == kConv) h = relu(h);
  }
  if (options.kind == kConv) {
    h = reshape(h, {-1, options.size / 4, options.size / 4, 2 * kWidth});
    h = up[1](relu(up[0](h)));
  }
  h = reshape(h, {-1, options.size, options.size, options.channels});
  return options.kind == kLinear ? h : sigmoid(h);
}

Tensor AutoEncoder::loss(const Tensor& x) const {
  if (options.kind == kDenoising && is_training()) {
    const Tensor there = cast(uniform(x.shape(), 0, 1) >= options.noise, kF32);
    return squared_error((*this)(x * there), x);
  }
  if (options.kind == kSparse) {
    const Tensor code = encode(x);
    const Tensor active = clamp(mean(code, {0}), 1e-6, 1 - 1e-6);
    const double p = options.sparsity;
    const Tensor divergence = sum(p * log(p / active) + (1 - p) * log((1 - p) / (1 - active)));
    return squared_error(decode(code), x) + options.penalty * divergence;
  }
  if (options.kind == kContractive && is_training()) {
    const Tensor pixels = trainable(x);
    const Tensor code = encode(pixels);
    const Tensor slope = gradients(sum(code * randn(code.shape())), {pixels})[0];
    return squared_error(decode(code), x) +
           options.penalty * sum(square(slope)) / static_cast<double>(x.size(0));
  }
  return squared_error((*this)(x), x);
}

void pretrain(AutoEncoder& net, const Tensor& pictures, const PretrainOptions& o) {
  if (net.options.kind == kTied || net.options.kind == kConv)
    throw ValueError("pretrain: an autoencoder whose layers have no counterpart each");
  if (o.epochs < 1 || o.batch < 1 || !(o.lr > 0))
    throw ValueError("pretrain: options out of range");
  const size_t layers = net.encoder.size();
  Tensor x = flatten(pictures, 1);
  eval(x);
  for (size_t i = 0; i < layers; ++i) {
    const nn::Linear &into = net.encoder[i], &back = net.decoder[layers - 1 - i];
    const auto active = [&](const Tensor& h) { return i + 1 < layers ? relu(into(h)) : into(h); };
    ParameterList parameters;
    for (const nn::Linear* layer : {&into, &back})
      for (const Variable& p : layer->parameters()) parameters.push_back(p);
    optim::Adam optimizer(parameters, {.lr = o.lr});
    auto samples = data::from_tensors(x).shuffle(o.seed + i).batch(o.batch);
    for (int64_t epoch = 0; epoch < o.epochs; ++epoch)
      for (const auto& [h] : samples) {
        const Tensor made = back(active(h));
        // What it gave was rectified, but for the pixels, which are in [0, 1].
        const Tensor loss = squared_error(i == 0 ? sigmoid(made) : relu(made), h);
        optimizer.step(gradients(loss, parameters));
      }
    const NoGrad no_grad;
    x = active(x);
    eval(x);
  }
}

Tensor squared_error(const Tensor& made, const Tensor& pictures, Where where) {
  if (made.shape() != pictures.shape() || made.rank() < 1 || made.size(0) == 0)
    throw ShapeError("squared_error: " + made.shape().str() + " and " + pictures.shape().str(),
                     where);
  return sum(square(made - pictures)) / static_cast<double>(made.size(0));
}

}  // namespace glia::vision
