// Networks of one task each, with the weights of others.
#include <algorithm>

#include "checks.h"
#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/ops/image.h"
#include "glia/vision/image.h"
#include "glia/vision/weights.h"

namespace glia::vision {
namespace {

const Tensor& found(const io::NamedTensors& all, const std::string& name, const std::string& path) {
  for (const auto& [other, tensor] : all)
    if (other == name) return tensor;
  throw IoError(path + ": has no " + name);
}

// A state dict's values for a layer: (out, in, H, W) and (out).
void put(StateDict& to, const std::string& layer, const Tensor& weight, const Tensor& bias) {
  to.emplace_back(layer + ".weight", weight);
  to.emplace_back(layer + ".bias", bias);
}

void load_all(nn::Module& net, const StateDict& values, const std::string& path) {
  try {
    net.load_state_dict(values);
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
}

void check_pictures(const char* name, const Tensor& x, Where where) {
  if (x.rank() != 4 || x.size(3) != 3 || x.numel() == 0)
    throw ShapeError(std::string(name) + ": takes pictures (N, H, W, 3), not " + x.shape().str(),
                     where);
}

constexpr int64_t kHedBlocks[] = {2, 2, 3, 3, 3};
constexpr int64_t kUpWidths[] = {3, 16, 32, 64, 128, 128, 256};
// What upconv_7 sees beyond a pixel: a convolution takes one pixel of each side.
constexpr int64_t kUpMargin = 7;

}  // namespace

Hed::Hed() {
  int64_t in = 3;
  for (int64_t b = 0; b < 5; ++b) {
    const int64_t out = std::min<int64_t>(512, int64_t{64} << b);
    blocks.emplace_back();
    for (int64_t i = 0; i < kHedBlocks[b]; ++i, in = out)
      blocks.back().emplace_back(in, out, nn::ConvOptions{.kernel = 3, .padding = 1});
    sides.emplace_back(out, 1, nn::ConvOptions{.kernel = 1});
  }
}

Tensor Hed::operator()(const Tensor& images, Where where) const {
  check_pictures("Hed", images, where);
  // Caffe's order and means.
  Tensor h = flip(cast(images, kF32), {3}) - tensor({104.00699f, 116.66877f, 122.67892f});
  std::vector<Tensor> maps;
  for (size_t b = 0; b < blocks.size(); ++b) {
    if (b > 0) h = max_pool(h, {2}, {.ceil_mode = true});
    for (const nn::Conv2d& layer : blocks[b]) h = relu(layer(h));
    maps.push_back(interpolate(sides[b](h), {images.size(1), images.size(2)},
                               {.mode = InterpolationMode::kLinear}));
  }
  return sigmoid(fuse(concat(maps, -1)));
}

void Hed::load(const std::string& path) {
  const io::NamedTensors all = read_hdf5(path);
  StateDict values;
  const auto layer = [&](const std::string& mine, const std::string& keras) {
    const Tensor& kernel = found(all, keras + "/vars/0", path);
    if (kernel.rank() != 4) throw IoError(path + ": " + keras + " is no convolution");
    put(values, mine, permute(kernel, {3, 2, 0, 1}), found(all, keras + "/vars/1", path));
  };
  for (size_t b = 0; b < blocks.size(); ++b) {
    const std::string n = std::to_string(b + 1);
    for (size_t i = 0; i < blocks[b].size(); ++i)
      layer("blocks." + std::to_string(b) + "." + std::to_string(i),
            "block" + n + "/layers/conv2d" + (i == 0 ? "" : "_" + std::to_string(i)));
    layer("sides." + std::to_string(b), "dsn" + n);
  }
  layer("fuse", "fuse");
  load_all(*this, values, path);
}

UpConv7::UpConv7() : up(256, 3, {.kernel = 4, .stride = 2, .padding = 3}) {
  for (size_t i = 0; i + 1 < std::size(kUpWidths); ++i)
    convolutions.emplace_back(kUpWidths[i], kUpWidths[i + 1], nn::ConvOptions{.kernel = 3});
}

Tensor UpConv7::operator()(const Tensor& x, Where where) const {
  check_pictures("UpConv7", x, where);
  constexpr std::pair<int64_t, int64_t> kAround{kUpMargin, kUpMargin};
  Tensor h = pad(x, {{0, 0}, kAround, kAround, {0, 0}}, PadMode::kReplicate, 0, where);
  for (const nn::Conv2d& layer : convolutions) h = leaky_relu(layer(h), 0.1);
  return up(h);
}

void UpConv7::load(const std::string& param) {
  const io::NamedTensors all = read_ncnn(param);
  StateDict values;
  for (size_t i = 0; i < convolutions.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1) + "_layer";
    put(values, "convolutions." + std::to_string(i), found(all, name + ".weight", param),
        found(all, name + ".bias", param));
  }
  put(values, "up", transpose(found(all, "conv7_layer.weight", param), 0, 1),
      found(all, "conv7_layer.bias", param));
  load_all(*this, values, param);
}

Tensor upscaled(const UpConv7& network, const Tensor& image, int64_t tile, Where where) {
  check_image("upscaled", image, where);
  const NoGrad no_grad;
  const auto twice = [&](const Tensor& part) {
    const Tensor y = squeeze(network(unsqueeze(cast(part, kF32) / 255, 0)), 0);
    return cast(round(clamp(y * 255, 0, 255)), kU8);
  };
  return in_tiles(to_channels(image, 3), twice, {tile, kUpMargin, 2}, where);
}

}  // namespace glia::vision
