#include "glia/generative/unet.h"

#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/nn/init.h"
#include "glia/nn/positions.h"
#include "glia/ops.h"
#include "glia/ops/image.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

nn::Conv2d conv3(int64_t in, int64_t out, int64_t stride = 1) {
  return nn::Conv2d(in, out, {.kernel = 3, .stride = stride, .padding = 1});
}

template <class Layer>
Layer silent(Layer layer) {
  nn::init::zeros_(layer.weight);
  nn::init::zeros_(layer.bias);
  return layer;
}

UNetOptions checked(const UNetOptions& o) {
  bool fits = o.channels >= 1 && o.width >= 1 && o.width <= 8192 && o.blocks >= 1 && o.heads >= 1 &&
              o.groups >= 1 && o.classes >= 0 && o.steps >= 1 && !o.multipliers.empty() &&
              o.multipliers.size() <= 8 && o.attention_levels >= 0 && o.width % 2 == 0;
  for (const int64_t m : o.multipliers)
    fits = fits && m >= 1 && m <= 64 && o.width * m % o.groups == 0 && o.width * m % o.heads == 0;
  if (!fits)
    throw ShapeError("UNet: width " + std::to_string(o.width) + ", groups " +
                     std::to_string(o.groups) + ", heads " + std::to_string(o.heads) + ", levels " +
                     std::to_string(o.multipliers.size()) + " do not fit");
  return o;
}

}  // namespace

UNet::Block::Block(int64_t in, int64_t out, int64_t embedded, const UNetOptions& o)
    : norm1(o.groups, in),
      norm2(o.groups, out),
      conv1(conv3(in, out)),
      conv2(silent(conv3(out, out))),
      time(embedded, out),
      dropout(o.dropout) {
  if (in != out) shortcut.emplace(in, out, nn::ConvOptions{.kernel = 1});
}

Tensor UNet::Block::operator()(const Tensor& x, const Tensor& embedded) const {
  const Tensor told = unsqueeze(unsqueeze(time(embedded), 1), 1);
  const Tensor h = conv1(silu(norm1(x))) + told;
  return conv2(dropout(silu(norm2(h)))) + (shortcut ? (*shortcut)(x) : x);
}

UNet::Attention::Attention(int64_t width, const UNetOptions& o)
    : heads(o.heads),
      norm(o.groups, width),
      qkv(width, 3 * width),
      out(silent(nn::Linear(width, width))) {}

Tensor UNet::Attention::operator()(const Tensor& x) const {
  const int64_t n = x.size(0), places = x.size(1) * x.size(2), width = x.size(3);
  const Tensor all = reshape(qkv(norm(x)), {n, places, 3, heads, width / heads});
  const auto part = [&](int64_t i) {
    return permute(index(all, {Slice{}, Slice{}, i}), {0, 2, 1, 3});
  };
  const Tensor seen = scaled_dot_product_attention(part(0), part(1), part(2));
  return x + out(reshape(permute(seen, {0, 2, 1, 3}), x.shape()));
}

UNet::UNet(const UNetOptions& o)
    : options(checked(o)),
      positions(nn::sinusoidal_positions(o.steps, o.width)),
      time1(o.width, 4 * o.width),
      time2(4 * o.width, 4 * o.width),
      conv_in(conv3(o.channels, o.width)),
      norm_out(o.groups, o.width * o.multipliers[0]),
      conv_out(silent(conv3(o.width * o.multipliers[0], o.channels))) {
  const int64_t embedded = 4 * o.width, levels = static_cast<int64_t>(o.multipliers.size());
  if (o.classes > 0) label.emplace(o.classes + 1, embedded);
  std::vector<int64_t> skips = {o.width};
  int64_t width = o.width;
  for (int64_t i = 0; i < levels; ++i) {
    Level level;
    const int64_t out = o.width * o.multipliers[i];
    for (int64_t b = 0; b < o.blocks; ++b) {
      level.blocks.emplace_back(std::exchange(width, out), out, embedded, o);
      if (i >= levels - o.attention_levels) level.attentions.emplace_back(out, o);
      skips.push_back(out);
    }
    if (i + 1 < levels) {
      level.resize = conv3(out, out, 2);
      skips.push_back(out);
    }
    down.push_back(std::move(level));
  }
  middle.emplace_back(width, width, embedded, o);
  if (o.attention_levels > 0) attention.emplace(width, o);
  middle.emplace_back(width, width, embedded, o);
  for (int64_t i = levels; i-- > 0;) {
    Level level;
    const int64_t out = o.width * o.multipliers[i];
    for (int64_t b = 0; b <= o.blocks; ++b) {
      level.blocks.emplace_back(std::exchange(width, out) + skips.back(), out, embedded, o);
      skips.pop_back();
      if (i >= levels - o.attention_levels) level.attentions.emplace_back(out, o);
    }
    if (i > 0) level.resize = conv3(out, out);
    up.push_back(std::move(level));
  }
}

Tensor UNet::operator()(const Tensor& x, const Tensor& t, const Tensor& labels, Where where) const {
  const int64_t factor = int64_t{1} << (options.multipliers.size() - 1);
  if (x.rank() != 4 || x.size(3) != options.channels || x.size(1) % factor != 0 ||
      x.size(2) % factor != 0 || t.shape() != Shape{x.size(0)})
    throw ShapeError("UNet: x " + x.shape().str() + " at steps " + t.shape().str() +
                         " is not (N, H, W, " + std::to_string(options.channels) +
                         ") of multiples of " + std::to_string(factor) + ", and (N)",
                     where);
  if (labels.defined() && !label) throw ValueError("UNet: it knows no classes", where);
  Tensor told = time2(silu(time1(cast(take(positions, t), x.dtype()))));
  if (label) {
    const Tensor none = from_vector(std::vector<int64_t>(x.size(0), options.classes), {x.size(0)});
    told = told + (*label)(labels.defined() ? labels : none);
  }
  told = silu(told);
  Tensor h = conv_in(x);
  std::vector<Tensor> skips = {h};
  for (const Level& level : down) {
    for (size_t b = 0; b < level.blocks.size(); ++b) {
      h = level.blocks[b](h, told);
      if (!level.attentions.empty()) h = level.attentions[b](h);
      skips.push_back(h);
    }
    if (level.resize) skips.push_back(h = (*level.resize)(h));
  }
  h = middle[0](h, told);
  if (attention) h = (*attention)(h);
  h = middle[1](h, told);
  for (const Level& level : up) {
    for (size_t b = 0; b < level.blocks.size(); ++b) {
      h = level.blocks[b](concat({h, skips.back()}, 3), told);
      skips.pop_back();
      if (!level.attentions.empty()) h = level.attentions[b](h);
    }
    if (level.resize) h = (*level.resize)(interpolate(h, {2 * h.size(1), 2 * h.size(2)}));
  }
  return conv_out(silu(norm_out(h)));
}

Denoiser guided(const UNet& net, const Tensor& labels, double scale) {
  if (labels.defined() && net.options.classes == 0)
    throw ValueError("guided: the network knows no classes");
  if (!labels.defined()) return [&net](const Tensor& x, const Tensor& t) { return net(x, t); };
  if (scale == 1)
    return [&net, labels](const Tensor& x, const Tensor& t) { return net(x, t, labels); };
  const int64_t n = labels.size(0);
  const Tensor none = from_vector(std::vector<int64_t>(n, net.options.classes), {n});
  const Tensor both = concat({cast(labels, kI64), none});
  return [&net, both, n, scale](const Tensor& x, const Tensor& t) {
    const Tensor said = net(concat({x, x}), concat({t, t}), both);
    const Tensor of_class = slice(said, 0, {0, n}), of_none = slice(said, 0, {n, 2 * n});
    return of_none + scale * (of_class - of_none);
  };
}

Tensor dropped_labels(const Tensor& labels, int64_t classes, double p) {
  return where(bernoulli(labels.shape(), p), classes, cast(labels, kI64));
}

}  // namespace glia::generative
