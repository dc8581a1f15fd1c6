// Networks of layers one after the other.
#include "parts.h"

namespace glia::vision {
namespace {

// Dropout, a linear layer, ReLU, twice, and a last layer: "classifier" of AlexNet and VGG.
struct Classifier4096 : nn::Module {
  Classifier4096(int64_t in, int64_t classes, double p, const std::vector<std::string>& names)
      : layers{{names[0], {in, 4096}}, {names[1], {4096, 4096}}, {names[2], {4096, classes}}},
        dropout(p) {}
  Tensor hidden(Tensor x, bool first) const {
    for (size_t i = 0; i < 2; ++i) {
      if (first) x = dropout(x);
      x = relu(layers[i].second(x));
      if (!first) x = dropout(x);
    }
    return x;
  }
  Tensor last(const Tensor& x) const { return layers[2].second(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    for (const auto& [name, layer] : layers) visitor.module(name, layer);
    visitor.module("dropout", dropout);
  }

  Named<nn::Linear> layers;
  nn::Dropout dropout;
};

struct LeNet : Network {
  // Of pictures of 28 that were not padded to 32, as LeCun et al. have it.
  LeNet(const NetworkOptions& o)
      : Network("lenet", "fc3", o),
        conv1(o.channels, 6, {.kernel = 5, .padding = o.image_size < 32 ? 2 : 0}),
        fc1(16 * side(o.image_size) * side(o.image_size), 120),
        fc3(84, o.classes) {}
  static int64_t side(int64_t size) { return ((size < 32 ? size : size - 4) / 2 - 4) / 2; }
  Tensor features(const Tensor& x) const override {
    Tensor h = avg_pool2d(tanh(conv1(x)), 2);
    h = avg_pool2d(tanh(conv2(h)), 2);
    return tanh(fc2(tanh(fc1(flat(h)))));
  }
  Tensor head(const Tensor& x) const override { return fc3(x); }

  nn::Conv2d conv1, conv2{6, 16, {.kernel = 5}};
  nn::Linear fc1, fc2{120, 84}, fc3;
  GLIA_FIELDS(conv1, conv2, fc1, fc2, fc3)
};

struct AlexNet : Network {
  AlexNet(const NetworkOptions& o)
      : Network("alexnet", "classifier.6", o),
        classifier(256 * 6 * 6, o.classes, o.dropout.value_or(0.5), {"1", "4", "6"}) {
    const auto add = [&](int64_t in, int64_t out, const nn::ConvOptions& how, bool pools) {
      layers.push_back(nn::Conv2d(in, out, how));
      layers.push_back(relu);
      if (pools) layers.push_back([](const Tensor& x) { return max_pool_3_2(x); });
    };
    add(o.channels, 64, {.kernel = 11, .stride = 4, .padding = 2}, true);
    add(64, 192, {.kernel = 5, .padding = 2}, true);
    add(192, 384, {.kernel = 3, .padding = 1}, false);
    add(384, 256, {.kernel = 3, .padding = 1}, false);
    add(256, 256, {.kernel = 3, .padding = 1}, true);
  }
  Tensor features(const Tensor& x) const override {
    return classifier.hidden(flat(adaptive_avg_pool(layers(x), {6})), true);
  }
  Tensor head(const Tensor& x) const override { return classifier.last(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("classifier", classifier);
  }

  nn::Sequential layers;
  Classifier4096 classifier;
};

struct VggSpec {
  const char* name;
  std::array<int64_t, 5> blocks;  // convolutions between two poolings
  bool norm;
};
constexpr VggSpec kVggs[] = {
    {"vgg11", {1, 1, 2, 2, 2}, false}, {"vgg11_bn", {1, 1, 2, 2, 2}, true},
    {"vgg13", {2, 2, 2, 2, 2}, false}, {"vgg13_bn", {2, 2, 2, 2, 2}, true},
    {"vgg16", {2, 2, 3, 3, 3}, false}, {"vgg16_bn", {2, 2, 3, 3, 3}, true},
    {"vgg19", {2, 2, 4, 4, 4}, false}, {"vgg19_bn", {2, 2, 4, 4, 4}, true},
};

struct Vgg : Network {
  Vgg(const VggSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "classifier.6", o),
        classifier(512 * 7 * 7, o.classes, o.dropout.value_or(0.5), {"0", "3", "6"}) {
    int64_t in = o.channels;
    for (size_t block = 0; block < spec.blocks.size(); ++block) {
      const int64_t out = std::min<int64_t>(512, int64_t{64} << block);
      for (int64_t i = 0; i < spec.blocks[block]; ++i, in = out) {
        layers.push_back(nn::Conv2d(in, out, {.kernel = 3, .padding = 1}));
        if (spec.norm) layers.push_back(nn::BatchNorm2d(out));
        layers.push_back(relu);
      }
      layers.push_back([](const Tensor& x) { return max_pool2d(x, 2); });
    }
    begin(*this, Start::kFanOut, 0.01);
  }
  Tensor features(const Tensor& x) const override {
    return classifier.hidden(flat(adaptive_avg_pool(layers(x), {7})), false);
  }
  Tensor head(const Tensor& x) const override { return classifier.last(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("classifier", classifier);
  }

  nn::Sequential layers;
  Classifier4096 classifier;
};

struct Fire : nn::Module {
  Fire(int64_t in, int64_t squeezed, int64_t expanded)
      : squeeze(in, squeezed, {.kernel = 1}),
        expand1x1(squeezed, expanded, {.kernel = 1}),
        expand3x3(squeezed, expanded, {.kernel = 3, .padding = 1}) {}
  Tensor operator()(const Tensor& x) const {
    const Tensor h = relu(squeeze(x));
    return concat({relu(expand1x1(h)), relu(expand3x3(h))}, -1);
  }
  nn::Conv2d squeeze, expand1x1, expand3x3;
  GLIA_FIELDS(squeeze, expand1x1, expand3x3)
};

struct SqueezeNet : Network {
  SqueezeNet(bool newer, const NetworkOptions& o)
      : Network(newer ? "squeezenet1_1" : "squeezenet1_0", "classifier.1", o),
        dropout(o.dropout.value_or(0.5)),
        classifier{{"1", {512, o.classes, {.kernel = 1}}}} {
    layers.push_back(newer ? nn::Conv2d(o.channels, 64, {.kernel = 3, .stride = 2})
                           : nn::Conv2d(o.channels, 96, {.kernel = 7, .stride = 2}));
    layers.push_back(relu);
    int64_t in = newer ? 64 : 96;
    for (int64_t i = 0; i < 8; ++i) {
      // Where it pools before the i-th of them.
      if (newer ? i == 0 || i == 2 || i == 4 : i == 0 || i == 3 || i == 7)
        layers.push_back([](const Tensor& x) { return max_pool_3_2(x, 0, true); });
      const int64_t squeezed = 16 * (i / 2 + 1);
      layers.push_back(Fire(in, squeezed, 4 * squeezed));
      in = 8 * squeezed;
    }
    net_begin();
  }
  void net_begin() {
    apply([](nn::Module& module) {
      auto* layer = dynamic_cast<nn::Conv2d*>(&module);
      if (!layer) return;
      nn::init::kaiming_uniform_(layer->weight);
      nn::init::zeros_(layer->bias);
    });
    nn::init::normal_(classifier[0].second.weight, 0, 0.01);
  }
  Tensor features(const Tensor& x) const override { return dropout(layers(x)); }
  Tensor head(const Tensor& x) const override { return pooled(relu(classifier[0].second(x))); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("dropout", dropout);
    nn::visit_field(visitor, "classifier", classifier);
  }

  nn::Sequential layers;
  nn::Dropout dropout;
  Named<nn::Conv2d> classifier;
};

// Tiny Darknet: convolutions of 3 and 1 in turn, batch norm and leaky ReLU, and a last convolution
// whose mean is the logits.
struct DarknetTiny : Network {
  DarknetTiny(const NetworkOptions& o)
      : Network("darknet_tiny", "classifier", o), classifier(128, o.classes, {.kernel = 1}) {
    int64_t in = o.channels;
    const auto add = [&](int64_t out, int64_t kernel) {
      layers.push_back(conv_norm(in, out, {.kernel = kernel, .activation = leaky, .norm = {1e-3}}));
      in = out;
    };
    const auto pool = [&] { layers.push_back([](const Tensor& x) { return halved(x); }); };
    add(16, 3);
    pool();
    add(32, 3);
    for (const int64_t width : {16, 32, 64}) {
      pool();
      for (int i = 0; i < 2; ++i) {
        add(width, 1);
        add(8 * width, 3);
      }
    }
    add(128, 1);
  }
  static Tensor leaky(const Operand& x) { return leaky_relu(x, 0.1); }
  // An odd row or column at the end counts by itself.
  static Tensor halved(const Tensor& x) { return max_pool(x, {2}, {.ceil_mode = true}); }
  Tensor features(const Tensor& x) const override { return layers(x); }
  Tensor head(const Tensor& x) const override { return pooled(classifier(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("features", layers);
    visitor.module("classifier", classifier);
  }

  nn::Sequential layers;
  nn::Conv2d classifier;
};

}  // namespace

Makers plain_networks() {
  Makers all = makers_of<Vgg>(kVggs);
  all["lenet"] = [](const NetworkOptions& o) { return std::make_shared<LeNet>(o); };
  all["alexnet"] = [](const NetworkOptions& o) { return std::make_shared<AlexNet>(o); };
  all["darknet_tiny"] = [](const NetworkOptions& o) { return std::make_shared<DarknetTiny>(o); };
  for (const bool newer : {false, true})
    all[newer ? "squeezenet1_1" : "squeezenet1_0"] = [newer](const NetworkOptions& o) {
      return std::make_shared<SqueezeNet>(newer, o);
    };
  return all;
}

}  // namespace glia::vision
