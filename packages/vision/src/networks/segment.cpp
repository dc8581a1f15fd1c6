// Networks that say a class of each pixel.
#include "glia/ops/image.h"
#include "resnet.h"

namespace glia::vision {
namespace {

Tensor resized_to(const Tensor& x, const Tensor& like) {
  return interpolate(x, {like.size(1), like.size(2)}, {.mode = InterpolationMode::kLinear});
}

// "encoder1.enc1conv1.weight": the names of the U-Net that PyTorch's hub has.
struct DoubleConv : nn::Module {
  DoubleConv(std::string name, int64_t in, int64_t out)
      : name(std::move(name)),
        conv1(in, out, {.kernel = 3, .padding = 1, .bias = false}),
        norm1(out),
        conv2(out, out, {.kernel = 3, .padding = 1, .bias = false}),
        norm2(out) {}
  Tensor operator()(const Tensor& x) const { return relu(norm2(conv2(relu(norm1(conv1(x)))))); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module(name + "conv1", conv1);
    visitor.module(name + "norm1", norm1);
    visitor.module(name + "conv2", conv2);
    visitor.module(name + "norm2", norm2);
  }
  std::string name;
  nn::Conv2d conv1;
  nn::BatchNorm2d norm1;
  nn::Conv2d conv2;
  nn::BatchNorm2d norm2;
};

struct UNet : Network {
  static constexpr int64_t kWidth = 32, kLevels = 4, kMultiple = 1 << kLevels;

  explicit UNet(const NetworkOptions& o)
      : Network("unet", "conv", o),
        bottleneck("bottleneck", kWidth << (kLevels - 1), kWidth << kLevels),
        conv(kWidth, o.classes, {.kernel = 1}) {
    for (int64_t i = 0; i < kLevels; ++i) {
      const std::string n = std::to_string(i + 1);
      const int64_t out = kWidth << i;
      encoders.emplace_back("enc" + n, i == 0 ? o.channels : out / 2, out);
      ups.emplace_back(2 * out, out, nn::ConvTransposeOptions{.kernel = 2, .stride = 2});
      decoders.emplace_back("dec" + n, 2 * out, out);
    }
  }
  // Of pictures whose sides are multiples of 16; others are padded with what is at their edge, and
  // cut again.
  Tensor operator()(const Tensor& x, Where where) const override {
    if (x.rank() != 4) return Network::operator()(x, where);  // says what is wrong
    const int64_t height = x.size(1), width = x.size(2);
    const int64_t down = -height & (kMultiple - 1), right = -width & (kMultiple - 1);
    if (down == 0 && right == 0) return Network::operator()(x, where);
    const Tensor padded =
        pad(x, {{0, 0}, {0, down}, {0, right}, {0, 0}}, PadMode::kReplicate, 0, where);
    const Tensor y = Network::operator()(padded, where);
    return slice(slice(y, 1, {0, height}), 2, {0, width});
  }
  Tensor features(const Tensor& x) const override {
    std::vector<Tensor> skips;
    Tensor h = x;
    for (const DoubleConv& encoder : encoders) {
      skips.push_back(encoder(h));
      h = max_pool2d(skips.back(), 2);
    }
    h = bottleneck(h);
    for (int64_t i = kLevels; i-- > 0;) h = decoders[i](concat({ups[i](h), skips[i]}, -1));
    return h;
  }
  Tensor head(const Tensor& x) const override { return conv(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    for (int64_t i = 0; i < kLevels; ++i)
      visitor.module("encoder" + std::to_string(i + 1), encoders[i]);
    visitor.module("bottleneck", bottleneck);
    for (int64_t i = kLevels; i-- > 0;) {
      visitor.module("upconv" + std::to_string(i + 1), ups[i]);
      visitor.module("decoder" + std::to_string(i + 1), decoders[i]);
    }
    visitor.module("conv", conv);
  }

  std::vector<DoubleConv> encoders, decoders;
  DoubleConv bottleneck;
  std::vector<nn::ConvTranspose2d> ups;
  nn::Conv2d conv;
};

constexpr ResNetSpec kFcns[] = {{"fcn_resnet50", true, {3, 4, 6, 3}},
                                {"fcn_resnet101", true, {3, 4, 23, 3}}};

struct Fcn : Network {
  Fcn(const ResNetSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "classifier.4", o),
        backbone(spec, o.channels, true),
        conv(backbone.out, backbone.out / 4, {.kernel = 3, .padding = 1, .bias = false}),
        norm(backbone.out / 4),
        dropout(o.dropout.value_or(0.1)),
        last(backbone.out / 4, o.classes, {.kernel = 1}) {
    begin(backbone, Start::kFanOut);
  }
  Tensor operator()(const Tensor& x, Where where) const override {
    return resized_to(Network::operator()(x, where), x);
  }
  Tensor features(const Tensor& x) const override { return dropout(relu(norm(conv(backbone(x))))); }
  Tensor head(const Tensor& x) const override { return last(x); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    visitor.module("backbone", backbone);
    visitor.enter("classifier");
    visitor.module("0", conv);
    visitor.module("1", norm);
    visitor.module("3", dropout);
    visitor.module("4", last);
    visitor.leave();
  }

  ResNetTrunk backbone;
  nn::Conv2d conv;
  nn::BatchNorm2d norm;
  nn::Dropout dropout;
  nn::Conv2d last;
};

}  // namespace

Makers segmenters() {
  Makers all = makers_of<Fcn>(kFcns);
  all["unet"] = [](const NetworkOptions& o) { return std::make_shared<UNet>(o); };
  return all;
}

}  // namespace glia::vision
