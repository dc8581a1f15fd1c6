#include <cmath>

#include "glia/nn/dropout.h"
#include "glia/ops/activation.h"
#include "parts.h"

namespace glia::vision {
namespace {

struct EfficientNetSpec {
  const char* name;
  double width, depth, dropout;
  bool coarse_norm = false;  // eps and momentum as in TensorFlow
  // No squeeze and excitation, ReLU6, TensorFlow's padding, first and last layer not widened.
  bool lite = false;
};
constexpr EfficientNetSpec kEfficientNets[] = {
    {"efficientnet_b0", 1, 1, 0.2},
    {"efficientnet_b1", 1, 1.1, 0.2},
    {"efficientnet_b2", 1.1, 1.2, 0.3},
    {"efficientnet_b3", 1.2, 1.4, 0.3},
    {"efficientnet_b4", 1.4, 1.8, 0.4},
    {"efficientnet_b5", 1.6, 2.2, 0.4, true},
    {"efficientnet_b6", 1.8, 2.6, 0.5, true},
    {"efficientnet_b7", 2, 3.1, 0.5, true},
    {"efficientnet_lite0", 1, 1, 0.2, true, true},
};
constexpr double kStochasticDepth = 0.2;

struct Stage {
  int64_t expand, kernel, stride, in, out, count;
};
constexpr Stage kStages[] = {{1, 3, 1, 32, 16, 1},  {6, 3, 2, 16, 24, 2},  {6, 5, 2, 24, 40, 2},
                             {6, 3, 2, 40, 80, 3},  {6, 5, 1, 80, 112, 3}, {6, 5, 2, 112, 192, 4},
                             {6, 3, 1, 192, 320, 1}};

ConvNormOptions conv_of(const EfficientNetSpec& spec) {
  ConvNormOptions o{.activation = spec.lite ? relu6 : silu, .tensorflow = spec.lite};
  if (spec.coarse_norm) o.norm = {.eps = 1e-3, .momentum = 0.01};
  return o;
}

struct MBConv : nn::Module {
  MBConv(const EfficientNetSpec& spec, const Stage& s, int64_t in, int64_t out, int64_t stride,
         double drop)
      : residual(stride == 1 && in == out), stochastic_depth(drop) {
    const int64_t expanded = rounded_to_8(static_cast<double>(in * s.expand));
    ConvNormOptions how = conv_of(spec);
    how.kernel = 1;
    if (expanded != in) block.push_back(conv_norm(in, expanded, how));
    how.kernel = s.kernel;
    how.stride = stride;
    how.groups = expanded;
    block.push_back(conv_norm(expanded, expanded, how));
    if (!spec.lite)
      block.push_back(SqueezeExcitation(expanded, std::max<int64_t>(1, in / 4), silu, sigmoid));
    how = conv_of(spec);
    how.kernel = 1;
    how.activation = nullptr;
    block.push_back(conv_norm(expanded, out, how));
  }
  Tensor operator()(const Tensor& x) const {
    return residual ? stochastic_depth(block(x)) + x : block(x);
  }
  bool residual;
  nn::Sequential block;
  nn::DropPath stochastic_depth;
  GLIA_FIELDS(block, stochastic_depth)
};

struct EfficientNet : Network {
  EfficientNet(const EfficientNetSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "classifier.1", o),
        dropout(o.dropout.value_or(spec.dropout)),
        classifier{{"1", {last(spec), o.classes}}} {
    ConvNormOptions how = conv_of(spec);
    how.stride = 2;
    layers.push_back(conv_norm(o.channels, spec.lite ? 32 : wide(spec, 32), how));
    int64_t total = 0, at = 0;
    for (const Stage& s : kStages) total += deep(spec, s.count);
    for (const Stage& s : kStages) {
      nn::Sequential stage;
      for (int64_t i = 0; i < deep(spec, s.count); ++i, ++at)
        stage.push_back(MBConv(
            spec, s, wide(spec, i == 0 ? s.in : s.out), wide(spec, s.out), i == 0 ? s.stride : 1,
            kStochasticDepth * static_cast<double>(at) / static_cast<double>(total)));
      layers.push_back(stage);
    }
    how = conv_of(spec);
    how.kernel = 1;
    layers.push_back(conv_norm(wide(spec, 320), last(spec), how));
    begin(*this, Start::kFanOut);
    const double range = 1 / std::sqrt(static_cast<double>(o.classes));
    nn::init::uniform_(classifier[0].second.weight, -range, range);
    nn::init::zeros_(classifier[0].second.bias);
  }
  static int64_t wide(const EfficientNetSpec& spec, int64_t channels) {
    return rounded_to_8(static_cast<double>(channels) * spec.width);
  }
  static int64_t deep(const EfficientNetSpec& spec, int64_t count) {
    return static_cast<int64_t>(std::ceil(static_cast<double>(count) * spec.depth));
  }
  static int64_t last(const EfficientNetSpec& spec) {
    return spec.lite ? 1280 : 4 * wide(spec, 320);
  }
  Tensor features(const Tensor& x) const override { return pooled(layers(x)); }
  Tensor head(const Tensor& x) const override { return classifier[0].second(dropout(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("dropout", dropout);
    nn::visit_field(visitor, "classifier", classifier);
  }

  nn::Sequential layers;
  nn::Dropout dropout;
  Named<nn::Linear> classifier;
};

}  // namespace

Makers efficientnets() { return makers_of<EfficientNet>(kEfficientNets); }

}  // namespace glia::vision
