#include <array>

#include "glia/nn/dropout.h"
#include "parts.h"

namespace glia::vision {
namespace {

struct ConvNeXtSpec {
  const char* name;
  std::array<int64_t, 4> channels, blocks;
  double stochastic_depth;
};
constexpr ConvNeXtSpec kConvNeXts[] = {
    {"convnext_tiny", {96, 192, 384, 768}, {3, 3, 9, 3}, 0.1},
    {"convnext_small", {96, 192, 384, 768}, {3, 3, 27, 3}, 0.4},
    {"convnext_base", {128, 256, 512, 1024}, {3, 3, 27, 3}, 0.5},
    {"convnext_large", {192, 384, 768, 1536}, {3, 3, 27, 3}, 0.5},
};
constexpr double kLayerScale = 1e-6;
constexpr nn::LayerNormOptions kNorm{.eps = 1e-6};

struct ConvNeXtBlock : nn::Module {
  ConvNeXtBlock(int64_t dim, double drop)
      : layer_scale(full({dim}, kLayerScale)),
        depthwise(dim, dim, {.kernel = 7, .padding = 3, .groups = dim}),
        norm(dim, kNorm),
        wide(dim, 4 * dim),
        narrow(4 * dim, dim),
        stochastic_depth(drop) {}
  Tensor operator()(const Tensor& x) const {
    return x + stochastic_depth(layer_scale * narrow(gelu(wide(norm(depthwise(x))))));
  }
  // The positions in torchvision's Sequential, where 1, 4 and 6 have no parameters.
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.parameter("layer_scale", layer_scale);
    visitor.enter("block");
    visitor.module("0", depthwise);
    visitor.module("2", norm);
    visitor.module("3", wide);
    visitor.module("5", narrow);
    visitor.leave();
    visitor.module("stochastic_depth", stochastic_depth);
  }
  // (C, 1, 1) there.
  Tensor to_state(std::string_view, const Tensor& value) const override {
    return reshape(value, {-1, 1, 1});
  }
  Tensor from_state(std::string_view, const Tensor& value) const override {
    return reshape(value, {-1});
  }

  Parameter layer_scale;
  nn::Conv2d depthwise;
  nn::LayerNorm norm;
  nn::Linear wide, narrow;
  nn::DropPath stochastic_depth;
};

struct ConvNeXt : Network {
  ConvNeXt(const ConvNeXtSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "classifier.2", o),
        norm(spec.channels[3], kNorm),
        dropout(o.dropout.value_or(0)),
        classifier(spec.channels[3], o.classes) {
    layers.push_back(
        nn::Sequential(nn::Conv2d(o.channels, spec.channels[0], {.kernel = 4, .stride = 4}),
                       nn::LayerNorm(spec.channels[0], kNorm)));
    double total = -1, at = 0;
    for (const int64_t count : spec.blocks) total += static_cast<double>(count);
    for (size_t s = 0; s < spec.blocks.size(); ++s) {
      nn::Sequential stage;
      for (int64_t i = 0; i < spec.blocks[s]; ++i, ++at)
        stage.push_back(ConvNeXtBlock(spec.channels[s], spec.stochastic_depth * at / total));
      layers.push_back(stage);
      if (s + 1 < spec.blocks.size())
        layers.push_back(nn::Sequential(
            nn::LayerNorm(spec.channels[s], kNorm),
            nn::Conv2d(spec.channels[s], spec.channels[s + 1], {.kernel = 2, .stride = 2})));
    }
    apply([](nn::Module& module) {
      const auto start = [](auto& layer) {
        nn::init::trunc_normal_(layer.weight, 0, 0.02);
        nn::init::zeros_(layer.bias);
      };
      if (auto* conv = dynamic_cast<nn::Conv2d*>(&module)) start(*conv);
      if (auto* linear = dynamic_cast<nn::Linear*>(&module)) start(*linear);
    });
  }
  Tensor features(const Tensor& x) const override { return norm(pooled(layers(x))); }
  Tensor head(const Tensor& x) const override { return classifier(dropout(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.enter("classifier");
    visitor.module("0", norm);
    visitor.module("2", classifier);
    visitor.leave();
    visitor.module("dropout", dropout);
  }

  nn::Sequential layers;
  nn::LayerNorm norm;
  nn::Dropout dropout;
  nn::Linear classifier;
};

}  // namespace

Makers convnexts() { return makers_of<ConvNeXt>(kConvNeXts); }

}  // namespace glia::vision
