// Networks of the literature under torchvision's names: their state dicts, defaults and initial
// values are torchvision's, so that weights go from one to the other. Pictures are (N, H, W, C).
//
//   const auto net = vision::make_network("resnet18", {.classes = 10});
//   net->load_state_dict(io::read_torch("resnet18.pth"));
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/nn/module.h"

namespace glia::vision {

struct NetworkOptions {
  int64_t classes = 1000;
  int64_t channels = 3;
  int64_t image_size = 224;            // of those that fix it: ViT, LeNet
  std::optional<double> dropout = {};  // before the last layer; unset: the paper's
};

// A trunk and a last layer. What the trunk makes of pictures may be kept, and the last layer alone
// be trained on it.
class Network : public nn::Module {
 public:
  // (N, H, W, channels) -> logits (N, classes), or (N, H, W, classes) of a segmentation. Throws
  // ShapeError for other shapes, and for pictures that are too small.
  virtual Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  // What the last layer takes, and what it makes of that.
  virtual Tensor features(const Tensor& x) const = 0;
  virtual Tensor head(const Tensor& features) const = 0;

  const std::string& name() const { return name_; }            // "resnet18"
  const std::string& head_name() const { return head_name_; }  // "fc": a prefix in the state dict
  const NetworkOptions& options() const { return options_; }

 protected:
  Network(std::string name, std::string head_name, const NetworkOptions& options);

 private:
  std::string name_, head_name_;
  NetworkOptions options_;
};

// Of these names, with default options the published number of parameters:
//   lenet (LeCun et al. 1998), alexnet (Krizhevsky 2014), vgg11 to vgg19, also with _bn (Simonyan &
//   Zisserman 2015), resnet18 to resnet152 (He et al. 2016), resnext50_32x4d, resnext101_32x8d,
//   resnext101_64x4d (Xie et al. 2017), wide_resnet50_2, wide_resnet101_2 (Zagoruyko & Komodakis
//   2016), densenet121 to densenet201 (Huang et al. 2017), squeezenet1_0, squeezenet1_1 (Iandola et
//   al. 2016), mobilenet_v1 (Howard et al. 2017), mobilenet_v2 (Sandler et al. 2018),
//   mobilenet_v3_small, mobilenet_v3_large (Howard et al. 2019), efficientnet_b0 to
//   efficientnet_b7, efficientnet_lite0 (Tan & Le 2019), convnext_tiny to convnext_large (Liu et
//   al. 2022), vit_b_16 to vit_h_14 (Dosovitskiy et al. 2021), darknet_tiny (Redmon 2016);
// and for a class of each pixel unet (Ronneberger et al. 2015), fcn_resnet50, fcn_resnet101 (Long
// et al. 2015). Throws Error for another name, ShapeError for options out of range.
std::shared_ptr<Network> make_network(const std::string& name, const NetworkOptions& options = {});
std::vector<std::string> network_names();

// What a network costs for one picture.
struct NetworkCost {
  int64_t parameters = 0;
  int64_t parameter_bytes = 0;
  // Arithmetic of one forward pass: a multiplication and an addition are two.
  double flops = 0;
  int64_t memory_bytes = 0;  // of values between layers, the most at a time
};
// Measured by one forward pass in evaluation mode over a picture of that size.
NetworkCost cost_of(const Network& network, int64_t size);

}  // namespace glia::vision
