#include "glia/ops/activation.h"
#include "parts.h"

namespace glia::vision {
namespace {

// A trunk "features" whose mean goes through dropout and a linear layer "classifier.NAME".
struct MobileNet : Network {
  MobileNet(const std::string& name, const NetworkOptions& o, double p, const std::string& layer,
            int64_t channels)
      : Network(name, "classifier." + layer, o),
        dropout(o.dropout.value_or(p)),
        classifier{{layer, {channels, o.classes}}} {}
  Tensor features(const Tensor& x) const override { return pooled(layers(x)); }
  Tensor head(const Tensor& x) const override { return classifier.back().second(dropout(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("dropout", dropout);
    nn::visit_field(visitor, "classifier", classifier);
  }

  nn::Sequential layers;
  nn::Dropout dropout;
  Named<nn::Linear> classifier;
};

// Each channel by itself, then all of each pixel.
struct MobileNetV1 : MobileNet {
  MobileNetV1(const NetworkOptions& o) : MobileNet("mobilenet_v1", o, 1e-3, "1", 1024) {
    layers.push_back(conv_norm(o.channels, 32, {.stride = 2}));
    int64_t in = 32;
    for (const auto& [out, stride] : {std::pair<int64_t, int64_t>{64, 1},
                                      {128, 2},
                                      {128, 1},
                                      {256, 2},
                                      {256, 1},
                                      {512, 2},
                                      {512, 1},
                                      {512, 1},
                                      {512, 1},
                                      {512, 1},
                                      {512, 1},
                                      {1024, 2},
                                      {1024, 1}}) {
      layers.push_back(nn::Sequential(conv_norm(in, in, {.stride = stride, .groups = in}),
                                      conv_norm(in, out, {.kernel = 1})));
      in = out;
    }
    begin(*this, Start::kFanOut, 0.01);
  }
};

// Widened, each channel by itself, and narrowed again, with a way around where sizes stay.
struct InvertedResidual : nn::Module {
  InvertedResidual(int64_t in, int64_t out, int64_t stride, int64_t expand)
      : residual(stride == 1 && in == out) {
    const int64_t hidden = in * expand;
    if (expand != 1) conv.push_back(conv_norm(in, hidden, {.kernel = 1, .activation = relu6}));
    conv.push_back(
        conv_norm(hidden, hidden, {.stride = stride, .groups = hidden, .activation = relu6}));
    conv.push_back(nn::Conv2d(hidden, out, {.kernel = 1, .bias = false}));
    conv.push_back(nn::BatchNorm2d(out));
  }
  Tensor operator()(const Tensor& x) const { return residual ? x + conv(x) : conv(x); }
  bool residual;
  nn::Sequential conv;
  GLIA_FIELDS(conv)
};

struct MobileNetV2 : MobileNet {
  MobileNetV2(const NetworkOptions& o) : MobileNet("mobilenet_v2", o, 0.2, "1", 1280) {
    layers.push_back(conv_norm(o.channels, 32, {.stride = 2, .activation = relu6}));
    constexpr int64_t kStages[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                      {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int64_t in = 32;
    for (const auto& [expand, out, count, stride] : kStages)
      for (int64_t i = 0; i < count; ++i, in = out)
        layers.push_back(InvertedResidual(in, out, i == 0 ? stride : 1, expand));
    layers.push_back(conv_norm(in, 1280, {.kernel = 1, .activation = relu6}));
    begin(*this, Start::kFanOut, 0.01);
  }
};

struct Bneck {
  int64_t kernel, expanded, out;
  bool squeezes, hard_swish;
  int64_t stride;
};
const nn::BatchNormOptions kV3Norm{.eps = 1e-3, .momentum = 0.01};

struct InvertedResidualV3 : nn::Module {
  InvertedResidualV3(int64_t in, const Bneck& b) : residual(b.stride == 1 && in == b.out) {
    const nn::UnaryFunction activation = b.hard_swish ? hardswish : relu;
    if (b.expanded != in)
      block.push_back(
          conv_norm(in, b.expanded, {.kernel = 1, .activation = activation, .norm = kV3Norm}));
    block.push_back(conv_norm(b.expanded, b.expanded,
                              {.kernel = b.kernel,
                               .stride = b.stride,
                               .groups = b.expanded,
                               .activation = activation,
                               .norm = kV3Norm}));
    if (b.squeezes)
      block.push_back(SqueezeExcitation(
          b.expanded, rounded_to_8(static_cast<double>(b.expanded / 4)), relu, hardsigmoid));
    block.push_back(
        conv_norm(b.expanded, b.out, {.kernel = 1, .activation = nullptr, .norm = kV3Norm}));
  }
  Tensor operator()(const Tensor& x) const { return residual ? block(x) + x : block(x); }
  bool residual;
  nn::Sequential block;
  GLIA_FIELDS(block)
};

const std::vector<Bneck> kSmall = {
    {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
    {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
    {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
    {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1},
};
const std::vector<Bneck> kLarge = {
    {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
    {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
    {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
    {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
    {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
};

struct MobileNetV3 : MobileNet {
  MobileNetV3(bool large, const NetworkOptions& o)
      : MobileNet(large ? "mobilenet_v3_large" : "mobilenet_v3_small", o, 0.2, "3",
                  large ? 1280 : 1024) {
    layers.push_back(
        conv_norm(o.channels, 16, {.stride = 2, .activation = hardswish, .norm = kV3Norm}));
    int64_t in = 16;
    for (const Bneck& b : large ? kLarge : kSmall) {
      layers.push_back(InvertedResidualV3(in, b));
      in = b.out;
    }
    layers.push_back(
        conv_norm(in, 6 * in, {.kernel = 1, .activation = hardswish, .norm = kV3Norm}));
    classifier.insert(classifier.begin(), {"0", {6 * in, large ? 1280 : 1024}});
    begin(*this, Start::kFanOut, 0.01);
  }
  Tensor features(const Tensor& x) const override {
    return hardswish(classifier[0].second(pooled(layers(x))));
  }
};

}  // namespace

Makers mobilenets() {
  Makers all;
  all["mobilenet_v1"] = [](const NetworkOptions& o) { return std::make_shared<MobileNetV1>(o); };
  all["mobilenet_v2"] = [](const NetworkOptions& o) { return std::make_shared<MobileNetV2>(o); };
  for (const bool large : {false, true})
    all[large ? "mobilenet_v3_large" : "mobilenet_v3_small"] = [large](const NetworkOptions& o) {
      return std::make_shared<MobileNetV3>(large, o);
    };
  return all;
}

}  // namespace glia::vision
