#include <cmath>

#include "glia/error.h"
#include "glia/nn/attention.h"
#include "parts.h"

namespace glia::vision {
namespace {

struct VitSpec {
  const char* name;
  int64_t patch, layers, heads, width, mlp;
};
constexpr VitSpec kTransformers[] = {
    {"vit_b_16", 16, 12, 12, 768, 3072},  {"vit_b_32", 32, 12, 12, 768, 3072},
    {"vit_l_16", 16, 24, 16, 1024, 4096}, {"vit_l_32", 32, 24, 16, 1024, 4096},
    {"vit_h_14", 14, 32, 16, 1280, 5120},
};
constexpr nn::LayerNormOptions kNorm{.eps = 1e-6};

struct VitLayer : nn::Module {
  VitLayer(const VitSpec& spec, double p)
      : ln_1(spec.width, kNorm),
        self_attention(spec.width, spec.heads),
        ln_2(spec.width, kNorm),
        wide(spec.width, spec.mlp),
        narrow(spec.mlp, spec.width),
        dropout(p) {
    for (nn::Linear* layer : {&wide, &narrow}) {
      nn::init::xavier_uniform_(layer->weight);
      nn::init::normal_(layer->bias, 0, 1e-6);
    }
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor n = ln_1(x);
    const Tensor h = x + dropout(self_attention(n, n, n, {.need_weights = false}).out);
    return h + dropout(narrow(dropout(gelu(wide(ln_2(h))))));
  }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("ln_1", ln_1);
    visitor.module("self_attention", self_attention);
    visitor.module("ln_2", ln_2);
    visitor.enter("mlp");
    visitor.module("0", wide);
    visitor.module("3", narrow);
    visitor.leave();
    visitor.module("dropout", dropout);
  }

  nn::LayerNorm ln_1;
  nn::MultiheadAttention self_attention;
  nn::LayerNorm ln_2;
  nn::Linear wide, narrow;
  nn::Dropout dropout;
};

// The pictures' patches, a token in front of them for the class, and positions that are learnt.
struct VisionTransformer : Network {
  VisionTransformer(const VitSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "heads.head", o),
        patch(spec.patch),
        class_token(zeros({1, 1, spec.width})),
        conv_proj(o.channels, spec.width, {.kernel = spec.patch, .stride = spec.patch}),
        ln(spec.width, kNorm),
        dropout(o.dropout.value_or(0)),
        last(spec.width, o.classes) {
    if (o.image_size % patch != 0)
      throw ShapeError(std::string(spec.name) + ": pictures of " + std::to_string(o.image_size) +
                       " cannot be cut into patches of " + std::to_string(patch));
    const int64_t side = o.image_size / patch;
    pos_embedding = Parameter(zeros({1, side * side + 1, spec.width}));
    nn::init::normal_(pos_embedding, 0, 0.02);
    for (int64_t i = 0; i < spec.layers; ++i)
      layers.emplace_back("encoder_layer_" + std::to_string(i), VitLayer(spec, dropout.p));
    nn::init::trunc_normal_(conv_proj.weight, 0,
                            std::sqrt(1.0 / static_cast<double>(o.channels * patch * patch)));
    nn::init::zeros_(conv_proj.bias);
    nn::init::zeros_(last.weight);
    nn::init::zeros_(last.bias);
  }
  Tensor features(const Tensor& x) const override {
    const int64_t size = options().image_size, n = x.size(0), width = class_token.shape()[2];
    if (x.size(1) != size || x.size(2) != size)
      throw ShapeError(name() + ": made for pictures of " + std::to_string(size) + " x " +
                       std::to_string(size) + ", not " + x.shape().str());
    Tensor h = reshape(conv_proj(x), {n, -1, width});
    h = dropout(concat({expand(class_token, {n, 1, width}), h}, 1) + pos_embedding);
    for (const auto& [name, layer] : layers) h = layer(h);
    return index(ln(h), {Slice{}, 0});
  }
  Tensor head(const Tensor& x) const override { return last(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.parameter("class_token", class_token);
    visitor.module("conv_proj", conv_proj);
    visitor.enter("encoder");
    visitor.parameter("pos_embedding", pos_embedding);
    nn::visit_field(visitor, "layers", layers);
    visitor.module("ln", ln);
    visitor.leave();
    visitor.enter("heads");
    visitor.module("head", last);
    visitor.leave();
    visitor.module("dropout", dropout);
  }

  int64_t patch;
  Parameter class_token;
  nn::Conv2d conv_proj;
  Parameter pos_embedding;
  Named<VitLayer> layers;
  nn::LayerNorm ln;
  nn::Dropout dropout;
  nn::Linear last;
};

}  // namespace

Makers transformers() { return makers_of<VisionTransformer>(kTransformers); }

}  // namespace glia::vision
