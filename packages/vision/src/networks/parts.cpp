#include "parts.h"

#include <algorithm>

#include "glia/ops/pool.h"

namespace glia::vision {

nn::Sequential conv_norm(int64_t in, int64_t out, const ConvNormOptions& o) {
  const nn::ConvOptions how{.kernel = o.kernel,
                            .stride = o.stride,
                            .padding = o.tensorflow ? 0 : (o.kernel - 1) / 2,
                            .groups = o.groups,
                            .bias = false};
  nn::Sequential all;
  if (o.tensorflow)
    all.push_back(ConvSame(in, out, how));
  else
    all.push_back(nn::Conv2d(in, out, how));
  all.push_back(nn::BatchNorm2d(out, o.norm));
  if (o.activation) all.push_back(o.activation);
  return all;
}

Tensor ConvSame::operator()(const Tensor& x, Where where) const {
  const auto around = [&](int64_t size, int64_t kernel, int64_t stride) {
    const int64_t all =
        std::max<int64_t>(0, ((size + stride - 1) / stride - 1) * stride + kernel - size);
    return std::pair{all / 2, all - all / 2};
  };
  const auto rows = around(x.size(1), options.kernel.first, options.stride.first);
  const auto columns = around(x.size(2), options.kernel.second, options.stride.second);
  return conv2d(pad(x, {{0, 0}, rows, columns, {0, 0}}, 0, where), weight, bias,
                {.stride = options.stride, .groups = options.groups}, where);
}

SqueezeExcitation::SqueezeExcitation(int64_t channels, int64_t squeezed,
                                     nn::UnaryFunction activation, nn::UnaryFunction scale)
    : fc1(channels, squeezed, {.kernel = 1}),
      fc2(squeezed, channels, {.kernel = 1}),
      activation(activation),
      scale(scale) {}

Tensor SqueezeExcitation::operator()(const Tensor& x) const {
  return x * scale(fc2(activation(fc1(mean(x, {1, 2}, true)))));
}

Tensor max_pool_3_2(const Tensor& x, int64_t padding, bool ceil_mode) {
  if (ceil_mode) return max_pool(x, {3}, {.stride = {2}, .padding = {padding}, .ceil_mode = true});
  return max_pool2d(x, {3, 3}, {.stride = {2, 2}, .padding = {padding, padding}});
}

int64_t rounded_to_8(double channels) {
  const int64_t near = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(near) < 0.9 * channels ? near + 8 : near;
}

void begin(nn::Module& net, Start convolutions, double linear_std) {
  const nn::init::KaimingOptions how{
      .mode = convolutions == Start::kFanOut ? nn::init::Fan::kOut : nn::init::Fan::kIn,
      .nonlinearity = nn::init::Nonlinearity::kReLU};
  net.apply([&](nn::Module& module) {
    if (auto* layer = dynamic_cast<nn::Conv2d*>(&module);
        layer && convolutions != Start::kPyTorch) {
      nn::init::kaiming_normal_(layer->weight, how);
      if (layer->bias.defined()) nn::init::zeros_(layer->bias);
    } else if (auto* linear = dynamic_cast<nn::Linear*>(&module); linear && linear_std > 0) {
      nn::init::normal_(linear->weight, 0, linear_std);
      if (linear->bias.defined()) nn::init::zeros_(linear->bias);
    }
  });
}

}  // namespace glia::vision
