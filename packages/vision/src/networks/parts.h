// What the networks are made of, and the list of their families.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/vision/networks.h"

namespace glia::vision {

// Layers under names of their own.
template <class Layer>
using Named = std::vector<std::pair<std::string, Layer>>;

using Makers =
    std::map<std::string, std::function<std::shared_ptr<Network>(const NetworkOptions&)>>;
// A file each.
Makers plain_networks();  // LeNet, AlexNet, VGG, SqueezeNet, Tiny Darknet
Makers resnets();
Makers densenets();
Makers mobilenets();
Makers efficientnets();
Makers convnexts();
Makers transformers();
Makers segmenters();

// The entries of a table by their names.
template <class Net, class Spec, size_t N>
Makers makers_of(const Spec (&specs)[N]) {
  Makers all;
  for (const Spec& spec : specs)
    all[spec.name] = [&spec](const NetworkOptions& o) { return std::make_shared<Net>(spec, o); };
  return all;
}

struct ConvNormOptions {
  int64_t kernel = 3, stride = 1, groups = 1;
  nn::UnaryFunction activation = relu;  // or nullptr
  nn::BatchNormOptions norm = {};
  bool tensorflow = false;  // padding as TensorFlow's SAME has it
};
// A convolution without bias, batch norm and an activation: torchvision's Conv2dNormActivation.
nn::Sequential conv_norm(int64_t in, int64_t out, const ConvNormOptions& options = {});

// A convolution that pads at the end where padding is odd, so that ceil(size / stride) stay.
struct ConvSame : nn::Conv2d {
  using nn::Conv2d::Conv2d;
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};

// Channels weighted by what is in all of them (Hu et al. 2018).
struct SqueezeExcitation : nn::Module {
  SqueezeExcitation(int64_t channels, int64_t squeezed, nn::UnaryFunction activation,
                    nn::UnaryFunction scale);
  Tensor operator()(const Tensor& x) const;
  nn::Conv2d fc1, fc2;
  nn::UnaryFunction activation, scale;
  GLIA_FIELDS(fc1, fc2)
};

// The mean of each channel: (N, H, W, C) -> (N, C).
inline Tensor pooled(const Tensor& x) { return mean(x, {1, 2}); }
// (N, H, W, C) -> (N, C H W), in PyTorch's order.
inline Tensor flat(const Tensor& x) { return flatten(permute(x, {0, 3, 1, 2}), 1); }
// Windows of 3 with a stride of 2.
Tensor max_pool_3_2(const Tensor& x, int64_t padding = 0, bool ceil_mode = false);

// The nearest multiple of 8 that is not a tenth smaller.
int64_t rounded_to_8(double channels);

// How a network begins.
enum class Start { kPyTorch, kFanOut, kFanIn };
// Convolutions by He et al. 2015 with that fan, their biases 0, and linear layers normal with
// `linear_std`, biases 0; 0: as they are.
void begin(nn::Module& net, Start convolutions, double linear_std = 0);

}  // namespace glia::vision
