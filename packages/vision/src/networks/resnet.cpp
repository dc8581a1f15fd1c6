#include "resnet.h"

namespace glia::vision {
namespace {

constexpr ResNetSpec kResNets[] = {
    {"resnet18", false, {2, 2, 2, 2}},
    {"resnet34", false, {3, 4, 6, 3}},
    {"resnet50", true, {3, 4, 6, 3}},
    {"resnet101", true, {3, 4, 23, 3}},
    {"resnet152", true, {3, 8, 36, 3}},
    {"resnext50_32x4d", true, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", true, {3, 4, 23, 3}, 32, 8},
    {"resnext101_64x4d", true, {3, 4, 23, 3}, 64, 4},
    {"wide_resnet50_2", true, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", true, {3, 4, 23, 3}, 1, 128},
};

struct ResNet : Network {
  ResNet(const ResNetSpec& spec, const NetworkOptions& o)
      : Network(spec.name, "fc", o), trunk(spec, o.channels, false), fc(trunk.out, o.classes) {
    begin(*this, Start::kFanOut);
  }
  Tensor features(const Tensor& x) const override { return pooled(trunk(x)); }
  Tensor head(const Tensor& x) const override { return fc(dropout(x)); }
  void visit_fields(nn::FieldVisitor& visitor) const override {
    trunk.visit_fields(visitor);
    visitor.module("fc", fc);
    visitor.module("dropout", dropout);
  }

  ResNetTrunk trunk;
  nn::Dropout dropout{options().dropout.value_or(0)};
  nn::Linear fc;
};

int64_t width_of(const ResNetSpec& spec, int64_t planes) {
  return spec.bottleneck ? planes * spec.width / 64 * spec.groups : planes;
}
int64_t expansion(const ResNetSpec& spec) { return spec.bottleneck ? 4 : 1; }

}  // namespace

ResNetBlock::ResNetBlock(const ResNetSpec& spec, int64_t in, int64_t planes, int64_t stride,
                         int64_t dilation)
    : conv1(in, width_of(spec, planes),
            {.kernel = spec.bottleneck ? 1 : 3,
             .stride = spec.bottleneck ? 1 : stride,
             .padding = spec.bottleneck ? 0 : 1,
             .bias = false}),
      bn1(width_of(spec, planes)),
      conv2(width_of(spec, planes), width_of(spec, planes),
            {.kernel = 3,
             .stride = spec.bottleneck ? stride : 1,
             .padding = dilation,
             .dilation = dilation,
             .groups = spec.groups,
             .bias = false}),
      bn2(width_of(spec, planes)) {
  const int64_t out = planes * expansion(spec);
  if (spec.bottleneck) {
    conv3.emplace(width_of(spec, planes), out, nn::ConvOptions{.kernel = 1, .bias = false});
    bn3.emplace(out);
  }
  if (stride != 1 || in != out)
    downsample.emplace(nn::Conv2d(in, out, {.kernel = 1, .stride = stride, .bias = false}),
                       nn::BatchNorm2d(out));
}

Tensor ResNetBlock::operator()(const Tensor& x) const {
  Tensor h = bn2(conv2(relu(bn1(conv1(x)))));
  if (conv3) h = (*bn3)((*conv3)(relu(h)));
  return relu(h + (downsample ? (*downsample)(x) : x));
}

ResNetTrunk::ResNetTrunk(const ResNetSpec& spec, int64_t channels, bool dilated)
    : conv1(channels, 64, {.kernel = 7, .stride = 2, .padding = 3, .bias = false}) {
  int64_t in = 64, dilation = 1;
  std::vector<ResNetBlock>* layers[] = {&layer1, &layer2, &layer3, &layer4};
  for (size_t stage = 0; stage < 4; ++stage) {
    const int64_t planes = int64_t{64} << stage, before = dilation;
    int64_t stride = stage == 0 ? 1 : 2;
    if (dilated && stage >= 2) {
      dilation *= stride;
      stride = 1;
    }
    for (int64_t i = 0; i < spec.blocks[stage]; ++i) {
      layers[stage]->emplace_back(spec, in, planes, i == 0 ? stride : 1,
                                  i == 0 ? before : dilation);
      in = planes * expansion(spec);
    }
  }
  out = in;
}

Tensor ResNetTrunk::operator()(const Tensor& x) const {
  Tensor h = max_pool_3_2(relu(bn1(conv1(x))), 1);
  for (const auto* layer : {&layer1, &layer2, &layer3, &layer4})
    for (const ResNetBlock& block : *layer) h = block(h);
  return h;
}

Makers resnets() { return makers_of<ResNet>(kResNets); }

}  // namespace glia::vision
