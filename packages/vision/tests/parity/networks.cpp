// Glia's side of networks.py: reads lines NAME CLASSES CHANNELS IMAGE_SIZE and, of networks to be
// run, a file with "x" (N, H, W, C) and where to write; else prints names and shapes.
#include "glia/vision/networks.h"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;

// The same numbers as weights_like() of networks.py: a hash of the position, spread by the fan-in.
Tensor weights_like(const Tensor& like, const std::string& name, uint32_t seed) {
  if (like.dtype() == kI64) return like;
  const Shape shape = like.shape();
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  const int64_t outputs = shape.rank() > 1 ? shape[0] : 1;
  double scale = std::sqrt(6.0 * static_cast<double>(outputs) / static_cast<double>(shape.numel()));
  double shift = 0;
  if (shape.rank() == 1) scale = 0.2;
  if (name.ends_with("layer_scale")) scale = 1;
  if (shape.rank() == 1 && (name.ends_with("running_var") || name.ends_with("weight"))) shift = 1;
  for (size_t k = 0; k < values.size(); ++k) {
    uint32_t x = static_cast<uint32_t>(k) + seed * 0x9E3779B9u;
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    const float u = static_cast<float>(x >> 8) / 16777216.0f;
    values[k] =
        static_cast<float>((u - 0.5f) * static_cast<float>(scale)) + static_cast<float>(shift);
  }
  return from_vector(values, shape);
}

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string name, in, out;
    vision::NetworkOptions o{.dropout = 0.0};
    bool gradients_too = false;
    words >> name >> o.classes >> o.channels >> o.image_size >> gradients_too >> in >> out;
    const auto net = vision::make_network(name, o);
    StateDict state = net->state_dict();
    if (in.empty()) {
      for (const auto& [key, value] : state)
        std::printf("%s %s\n", key.c_str(), value.shape().str().c_str());
      std::printf("\n");
      continue;
    }
    uint32_t seed = 0;
    for (auto& [key, value] : state) value = weights_like(value, key, seed++);
    net->load_state_dict(state);
    net->eval();
    // In f32, a ReLU whose input is 0 but for rounding may go either way.
    if (gradients_too) net->to(kF64);
    Tensor x;
    for (const auto& [key, value] : io::read_npz(in)) x = value;
    io::NamedTensors results;
    if (!gradients_too) {
      const NoGrad no_grad;
      results.emplace_back("logits", (*net)(x));
    } else {
      const Tensor logits = (*net)(cast(x, kF64));
      results.emplace_back("logits", logits);
      const Tensor weights = cos(cast(arange(logits.numel()), kF64));
      const auto gradients =
          glia::gradients(sum(logits * reshape(weights, logits.shape())), net->parameters());
      const ParameterList parameters = net->parameters();
      for (size_t i = 0; i < parameters.size(); ++i) parameters[i].set(gradients[i]);
      // In PyTorch's layouts, by the way of a state dict.
      for (const auto& [key, value] : net->state_dict()) results.emplace_back(key, value);
    }
    io::write_npz(out, results);
    std::printf("%s\n", name.c_str());
    std::fflush(stdout);
  }
}
