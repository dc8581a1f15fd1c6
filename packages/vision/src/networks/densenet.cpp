#include <array>

#include "parts.h"

namespace glia::vision {
namespace {

struct DenseNetSpec {
  const char* name;
  int64_t growth;
  std::array<int64_t, 4> blocks;
  int64_t start;
};
constexpr DenseNetSpec kDenseNets[] = {
    {"densenet121", 32, {6, 12, 24, 16}, 64},
    {"densenet161", 48, {6, 12, 36, 24}, 96},
    {"densenet169", 32, {6, 12, 32, 32}, 64},
    {"densenet201", 32, {6, 12, 48, 32}, 64},
};

struct DenseLayer : nn::Module {
  DenseLayer(int64_t in, int64_t growth)
      : norm1(in),
        conv1(in, 4 * growth, {.kernel = 1, .bias = false}),
        norm2(4 * growth),
        conv2(4 * growth, growth, {.kernel = 3, .padding = 1, .bias = false}) {}
  // What is new of it.
  Tensor operator()(const Tensor& x) const { return conv2(relu(norm2(conv1(relu(norm1(x)))))); }
  nn::BatchNorm2d norm1;
  nn::Conv2d conv1;
  nn::BatchNorm2d norm2;
  nn::Conv2d conv2;
  GLIA_FIELDS(norm1, conv1, norm2, conv2)
};

// Half the channels and half the size.
struct Transition : nn::Module {
  explicit Transition(int64_t in) : norm(in), conv(in, in / 2, {.kernel = 1, .bias = false}) {}
  Tensor operator()(const Tensor& x) const { return avg_pool2d(conv(relu(norm(x))), 2); }
  nn::BatchNorm2d norm;
  nn::Conv2d conv;
  GLIA_FIELDS(norm, conv)
};

struct DenseNet : Network {
  DenseNet(const DenseNetSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "classifier", o),
        conv0(o.channels, spec.start, {.kernel = 7, .stride = 2, .padding = 3, .bias = false}),
        norm0(spec.start),
        norm5(channels_of(spec)),
        dropout(o.dropout.value_or(0)),
        classifier(channels_of(spec), o.classes) {
    int64_t in = spec.start;
    for (size_t b = 0; b < spec.blocks.size(); ++b) {
      blocks.emplace_back();
      for (int64_t i = 0; i < spec.blocks[b]; ++i, in += spec.growth)
        blocks.back().emplace_back("denselayer" + std::to_string(i + 1),
                                   DenseLayer(in, spec.growth));
      if (b + 1 == spec.blocks.size()) break;
      transitions.emplace_back(in);
      in /= 2;
    }
    begin(*this, Start::kFanIn);
    nn::init::zeros_(classifier.bias);
  }
  static int64_t channels_of(const DenseNetSpec& spec) {
    int64_t in = spec.start;
    for (size_t b = 0; b < spec.blocks.size(); ++b)
      in = (b == 0 ? in : in / 2) + spec.growth * spec.blocks[b];
    return in;
  }
  Tensor features(const Tensor& x) const override {
    Tensor h = max_pool_3_2(relu(norm0(conv0(x))), 1);
    for (size_t b = 0; b < blocks.size(); ++b) {
      for (const auto& [name, layer] : blocks[b]) h = concat({h, layer(h)}, -1);
      if (b < transitions.size()) h = transitions[b](h);
    }
    return pooled(relu(norm5(h)));
  }
  Tensor head(const Tensor& x) const override { return classifier(dropout(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.enter("features");
    visitor.module("conv0", conv0);
    visitor.module("norm0", norm0);
    for (size_t b = 0; b < blocks.size(); ++b) {
      nn::visit_field(visitor, "denseblock" + std::to_string(b + 1), blocks[b]);
      if (b < transitions.size())
        visitor.module("transition" + std::to_string(b + 1), transitions[b]);
    }
    visitor.module("norm5", norm5);
    visitor.leave();
    visitor.module("dropout", dropout);
    visitor.module("classifier", classifier);
  }

  nn::Conv2d conv0;
  nn::BatchNorm2d norm0;
  std::vector<Named<DenseLayer>> blocks;
  std::vector<Transition> transitions;
  nn::BatchNorm2d norm5;
  nn::Dropout dropout;
  nn::Linear classifier;
};

}  // namespace

Makers densenets() { return makers_of<DenseNet>(kDenseNets); }

}  // namespace glia::vision
