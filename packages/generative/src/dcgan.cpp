#include "glia/generative/dcgan.h"

#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/nn/conv.h"
#include "glia/nn/init.h"
#include "glia/nn/layers.h"
#include "glia/nn/normalization.h"
#include "glia/ops.h"

namespace glia::generative {
namespace {

constexpr int64_t kMostWidth = 65536;

// How often the side is halved, and what is left of it.
struct Halvings {
  int64_t count = 0, side = 0;
};
Halvings halvings_of(const char* name, int64_t numbers, const DcganOptions& o) {
  Halvings h{0, o.size};
  while (h.side >= 8 && h.side % 2 == 0) h = {h.count + 1, h.side / 2};
  if (h.count == 0 || h.side < 4 || h.side > 7 || o.channels < 1 || o.width < 1 ||
      o.width > kMostWidth >> h.count || numbers < 1)
    throw ShapeError(std::string(name) + ": " + std::to_string(numbers) + " numbers, size " +
                     std::to_string(o.size) + " (4 to 7 times a power of two), channels " +
                     std::to_string(o.channels) + ", width " + std::to_string(o.width));
  return h;
}

template <class Layer>
Layer drawn(Layer layer) {
  nn::init::normal_(layer.weight, 0, 0.02);
  if (layer.bias.defined()) nn::init::zeros_(layer.bias);
  return layer;
}

nn::BatchNorm2d drawn_norm(int64_t features) {
  nn::BatchNorm2d norm(features);
  nn::init::normal_(norm.weight, 1, 0.02);
  return norm;
}

Tensor leaky(const Tensor& x) { return leaky_relu(x, 0.2); }

}  // namespace

nn::Sequential dcgan_generator(int64_t inputs, const DcganOptions& o) {
  const auto [count, side] = halvings_of("dcgan_generator", inputs, o);
  if (o.norm == DcganNorm::kSpectral)
    throw ShapeError("dcgan_generator: a spectral norm is a critic's");
  const bool norm = o.norm == DcganNorm::kBatch;
  int64_t width = o.width << (count - 1);
  nn::Sequential net;
  net.push_back(drawn(nn::Linear(inputs, side * side * width, {.bias = !norm})));
  net.push_back([side = side, width](const Tensor& x) {
    return reshape(x, {-1, side, side, width});
  });
  for (int64_t i = 0; i < count; ++i) {
    if (norm) net.push_back(drawn_norm(width));
    net.push_back(relu);
    const bool last = i + 1 == count;
    const int64_t out = last ? o.channels : width / 2;
    net.push_back(drawn(nn::ConvTranspose2d(
        width, out, {.kernel = 4, .stride = 2, .padding = 1, .bias = last || !norm})));
    width /= 2;
  }
  if (o.tanh) net.push_back([](const Tensor& x) { return glia::tanh(x); });
  return net;
}

nn::Sequential dcgan_critic(int64_t outputs, const DcganOptions& o) {
  const auto [count, side] = halvings_of("dcgan_critic", outputs, o);
  nn::Sequential net;
  const auto add = [&](auto layer) {
    if (o.norm == DcganNorm::kSpectral)
      net.push_back(nn::SpectralNorm(drawn(std::move(layer))));
    else
      net.push_back(drawn(std::move(layer)));
  };
  int64_t in = o.channels, width = o.width;
  for (int64_t i = 0; i < count; ++i) {
    const bool norm = o.norm == DcganNorm::kBatch && i > 0;
    add(nn::Conv2d(in, width, {.kernel = 4, .stride = 2, .padding = 1, .bias = !norm}));
    if (norm) net.push_back(drawn_norm(width));
    net.push_back(leaky);
    in = std::exchange(width, 2 * width);
  }
  net.push_back(nn::Flatten());
  add(nn::Linear(side * side * in, outputs));
  return net;
}

}  // namespace glia::generative
