// Convolutions.
#include <algorithm>

#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/conv.h"
#include "glia/ops/image.h"
#include "windows.h"

namespace glia::onnx {

std::vector<int64_t> Windows::before() const {
  std::vector<int64_t> out;
  for (const auto& [b, a] : pads) out.push_back(b);
  return out;
}
bool Windows::symmetric() const {
  return std::ranges::all_of(pads,
                             [](const auto& p) { return p.first == p.second && p.first >= 0; });
}
std::vector<std::pair<int64_t, int64_t>> Windows::of_all_axes() const {
  std::vector<std::pair<int64_t, int64_t>> out{{0, 0}};
  out.insert(out.end(), pads.begin(), pads.end());
  out.emplace_back(0, 0);
  return out;
}

std::vector<int64_t> inner_sizes(const Tensor& x) {
  const auto all = x.shape().span();
  return {all.begin() + 1, all.end() - 1};
}

Windows windows_of(const Call& c, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& kernel) {
  const size_t n = sizes.size();
  Windows w{.kernel = kernel,
            .stride = c.integers_of("strides", std::vector<int64_t>(n, 1)),
            .dilation = c.integers_of("dilations", std::vector<int64_t>(n, 1)),
            .pads = std::vector<std::pair<int64_t, int64_t>>(n)};
  if (w.kernel.size() != n || w.stride.size() != n || w.dilation.size() != n)
    c.fail("windows of another rank than the input's");
  for (size_t i = 0; i < n; ++i) {
    if (w.kernel[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 ||
        std::max({w.kernel[i], w.stride[i], w.dilation[i]}) > int64_t{1} << 31)
      c.fail("windows, strides and dilations must be above 0");
  }
  const std::string mode = c.text_of("auto_pad", "NOTSET");
  const std::vector<int64_t> pads = c.integers_of("pads", std::vector<int64_t>(2 * n, 0));
  if (pads.size() != 2 * n)
    c.fail(std::to_string(pads.size()) + " pads for " + std::to_string(n) + " axes");
  for (size_t i = 0; i < n; ++i) {
    if (mode == "NOTSET") {
      if (std::max(std::abs(pads[i]), std::abs(pads[i + n])) > int64_t{1} << 31)
        c.fail("pads are too large");
      w.pads[i] = {pads[i], pads[i + n]};
    } else if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      const int64_t out = (sizes[i] + w.stride[i] - 1) / w.stride[i];
      const int64_t all = std::max<int64_t>(
          (out - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 - sizes[i], 0);
      w.pads[i] = {all / 2, all - all / 2};
      if (mode == "SAME_LOWER") std::swap(w.pads[i].first, w.pads[i].second);
    } else if (mode != "VALID") {
      c.fail("auto_pad \"" + mode + "\" is not known");
    }
  }
  return w;
}

Tensor convolved(Call& c, const Tensor& given, const Tensor& weight, const Tensor& bias) {
  Tensor x = given;
  if (x.rank() < 3 || x.rank() > 5 || weight.rank() != x.rank())
    c.fail("x of " + std::to_string(x.rank()) + " axes with a weight of " +
           std::to_string(weight.rank()));
  Windows w = windows_of(c, inner_sizes(x), inner_sizes(weight));
  if (!w.symmetric()) {
    x = pad(x, w.of_all_axes());
    std::ranges::fill(w.pads, std::pair<int64_t, int64_t>{0, 0});
  }
  const int64_t groups = c.integer_of("group", 1);
  const auto &s = w.stride, &d = w.dilation;
  const std::vector<int64_t> p = w.before();
  if (x.rank() == 4 && x.size(2) == 1 && weight.size(2) == 1 && p[1] == 0) {
    // A line that stands: lying down it has windows along the axis that kernels go along.
    const Tensor y = conv1d(squeeze(x, 2), squeeze(weight, 2), bias,
                            {.stride = s[0], .padding = p[0], .dilation = d[0], .groups = groups});
    return unsqueeze(y, 2);
  }
  if (x.rank() == 3)
    return conv1d(x, weight, bias,
                  {.stride = s[0], .padding = p[0], .dilation = d[0], .groups = groups});
  if (x.rank() == 4)
    return conv2d(x, weight, bias,
                  {.stride = {s[0], s[1]},
                   .padding = {p[0], p[1]},
                   .dilation = {d[0], d[1]},
                   .groups = groups});
  return conv3d(x, weight, bias,
                {.stride = {s[0], s[1], s[2]},
                 .padding = {p[0], p[1], p[2]},
                 .dilation = {d[0], d[1], d[2]},
                 .groups = groups});
}

namespace {

void conv_op(Call& c) {
  c.set_spatial(0, convolved(c, c.spatial(0), c.spatial(1), c.tensor_or(2, {})));
}

void conv_transpose(Call& c) {
  const Tensor x = c.spatial(0), weight = c.spatial(1), bias = c.tensor_or(2, {});
  if (x.rank() < 3 || x.rank() > 5 || weight.rank() != x.rank())
    c.fail("x of " + std::to_string(x.rank()) + " axes with a weight of " +
           std::to_string(weight.rank()));
  const std::vector<int64_t> sizes = inner_sizes(x), kernel = inner_sizes(weight);
  const size_t n = sizes.size();
  const std::vector<int64_t> ones(n, 1), zeros(n, 0);
  const auto s = c.integers_of("strides", ones), d = c.integers_of("dilations", ones);
  auto extra = c.integers_of("output_padding", zeros);
  auto pads = c.integers_of("pads", std::vector<int64_t>(2 * n, 0));
  const auto wanted = c.integers_of("output_shape");
  const std::string mode = c.text_of("auto_pad", "NOTSET");
  if (s.size() != n || d.size() != n || extra.size() != n || pads.size() != 2 * n ||
      (!wanted.empty() && wanted.size() < n))
    c.fail("windows of another rank than the input's");
  // The whole result, of which pads cut off a part.
  std::vector<int64_t> cut_before(n), length(n);
  std::vector<int64_t> full_extra(n);
  for (size_t i = 0; i < n; ++i) {
    constexpr int64_t kMost = int64_t{1} << 28;
    for (int64_t v : {s[i], d[i], extra[i] + 1})
      if (v < 1 || v > kMost) c.fail("strides and dilations must be above 0");
    if (std::max(std::abs(pads[i]), std::abs(pads[i + n])) > kMost) c.fail("pads are too large");
    const int64_t whole = (sizes[i] - 1) * s[i] + d[i] * (kernel[i] - 1) + 1;
    int64_t out = whole + extra[i] - pads[i] - pads[i + n];
    if (!wanted.empty())
      out = wanted[wanted.size() - n + i];
    else if (mode == "SAME_UPPER" || mode == "SAME_LOWER")
      out = sizes[i] * s[i];
    else if (mode == "VALID")
      out = whole + extra[i];
    int64_t before = pads[i];
    if (!wanted.empty() || mode != "NOTSET") {
      const int64_t all = whole + extra[i] - out;
      before = mode == "SAME_UPPER" || mode == "NOTSET" ? all / 2 : all - all / 2;
      if (all < 0) before = 0;
    }
    cut_before[i] = before;
    length[i] = out;
    full_extra[i] = extra[i];
  }
  const int64_t groups = c.integer_of("group", 1);
  // With equal pads the kernel leaves the ends out itself.
  std::vector<int64_t> padding(n, 0), output_padding(n, 0);
  bool direct = true;
  for (size_t i = 0; i < n; ++i) {
    const int64_t whole = (sizes[i] - 1) * s[i] + d[i] * (kernel[i] - 1) + 1;
    padding[i] = cut_before[i];
    output_padding[i] = length[i] - (whole - 2 * padding[i]);
    direct &= padding[i] >= 0 && output_padding[i] >= 0 && output_padding[i] < std::max(s[i], d[i]);
  }
  if (!direct) {
    std::ranges::fill(padding, 0);
    std::ranges::fill(output_padding, 0);
  }
  Tensor y;
  if (n == 1)
    y = conv_transpose1d(x, weight, bias,
                         {.stride = s[0],
                          .padding = padding[0],
                          .output_padding = output_padding[0],
                          .dilation = d[0],
                          .groups = groups});
  else if (n == 2)
    y = conv_transpose2d(x, weight, bias,
                         {.stride = {s[0], s[1]},
                          .padding = {padding[0], padding[1]},
                          .output_padding = {output_padding[0], output_padding[1]},
                          .dilation = {d[0], d[1]},
                          .groups = groups});
  else
    y = conv_transpose3d(
        x, weight, bias,
        {.stride = {s[0], s[1], s[2]},
         .padding = {padding[0], padding[1], padding[2]},
         .output_padding = {output_padding[0], output_padding[1], output_padding[2]},
         .dilation = {d[0], d[1], d[2]},
         .groups = groups});
  if (!direct) {
    for (size_t i = 0; i < n; ++i) {
      const int axis = static_cast<int>(i) + 1;
      std::vector<std::pair<int64_t, int64_t>> change(y.rank(), {0, 0});
      change[axis] = {-cut_before[i], length[i] + cut_before[i] - y.size(axis)};
      // What is added behind has the bias alone.
      if (change[axis].second > 0 && bias.defined()) {
        Shape shape = y.shape();
        shape[axis] = change[axis].second;
        y = concat({y, expand(cast(bias, y.dtype()), shape)}, axis);
        change[axis].second = 0;
      }
      y = pad(y, change);
    }
  }
  c.set_spatial(0, y);
}

// Sums of products of integers are exact in f64, and in f32 while they are below 2^24.
DType exact_sums(const Tensor& weight) {
  return weight.numel() / std::max<int64_t>(weight.size(0), 1) <= 256 ? kF32 : kF64;
}
Tensor zero_point(Call& c, int input, DType dtype, int rank, int axis) {
  if (!c.has(input)) return full({}, 0, dtype);
  Tensor z = cast(c.tensor(input), dtype);
  if (z.numel() == 1) return reshape(z, {});
  Shape shape = Shape::filled(rank, 1);
  shape[axis] = z.numel();
  return reshape(z, shape);
}
void conv_integer(Call& c) {
  const Tensor x = c.spatial(0), weight = c.spatial(1);
  const DType dtype = exact_sums(weight);
  const Tensor y = convolved(c, cast(x, dtype) - zero_point(c, 2, dtype, 4, 3),
                             cast(weight, dtype) - zero_point(c, 3, dtype, weight.rank(), 0), {});
  c.set(0, to_channels_first(cast(round(y), kI32)), ElementType::kInt32);
}
void qlinear_conv(Call& c) {
  const Tensor x = c.spatial(0), weight = c.spatial(3);
  const DType dtype = exact_sums(weight);
  const Tensor bias = c.has(8) ? cast(c.tensor(8), dtype) : Tensor();
  const Tensor sums =
      convolved(c, cast(x, dtype) - zero_point(c, 2, dtype, 4, 3),
                cast(weight, dtype) - zero_point(c, 5, dtype, weight.rank(), 0), bias);
  Tensor scale = cast(c.tensor(1), kF32) * cast(c.tensor(4), kF32) / cast(c.tensor(6), kF32);
  if (scale.numel() == 1) scale = reshape(scale, {});
  const ElementType type = c.type(7);
  const bool is_signed = type == ElementType::kInt8;
  const Tensor y = clamp(round(cast(sums, kF32) * scale) + reshape(cast(c.tensor(7), kF32), {}),
                         is_signed ? -128 : 0, is_signed ? 127 : 255);
  c.set(0, Held(to_channels_first(cast(cast(y, kI32), stored_as(type))), type));
}

// Over the past alone, with what the next call begins with.
void causal_conv(Call& c) {
  const Tensor x = c.tensor(0), weight = c.spatial(1), bias = c.tensor_or(2, {});
  if (x.rank() != 3) c.fail("x of shape " + x.shape().str());
  const int64_t before = weight.size(1) - 1;
  const Tensor past = c.has(3) ? c.tensor(3) : zeros({x.size(0), x.size(1), before}, x.dtype());
  const Tensor all = concat({past, x}, 2);
  Tensor y = conv1d(transpose(all), weight, bias, {.groups = x.size(1)});
  const std::string how = c.text_of("activation", "none");
  if (how == "silu" || how == "swish")
    y = silu(y);
  else if (how != "none")
    c.fail("the activation \"" + how + "\" is not known");
  c.set_spatial(0, y);
  c.set(1, narrow(all, 2, all.size(2) - before, before));
}

void col2im(Call& c) {
  const std::vector<int64_t> image = c.integers(1), block = c.integers(2);
  const size_t n = image.size();
  const Tensor x = c.tensor(0);
  if (block.size() != n || x.rank() != 3 || n < 1 || n > 5)
    c.fail("windows of another rank than the image's");
  const Windows w = windows_of(c, image, block);
  int64_t points = 1;
  for (int64_t b : block) points = multiply_sizes(points, b);
  if (x.size(1) % points != 0) c.fail(std::to_string(points) + " numbers in a window");
  const int64_t batch = x.size(0), channels = x.size(1) / points;
  // Where each number goes in the padded image.
  std::vector<int64_t> padded(n), counts(n);
  int64_t total = 1, windows = 1;
  for (size_t i = 0; i < n; ++i) {
    padded[i] = image[i] + w.pads[i].first + w.pads[i].second;
    if (image[i] < 1 || w.pads[i].first < 0 || w.pads[i].second < 0) c.fail("the image is empty");
    counts[i] = (padded[i] - w.dilation[i] * (block[i] - 1) - 1) / w.stride[i] + 1;
    total = multiply_sizes(total, padded[i]);
    windows = multiply_sizes(windows, std::max<int64_t>(counts[i], 0));
  }
  if (windows != x.size(2))
    c.fail(std::to_string(x.size(2)) + " windows, not " + std::to_string(windows));
  std::vector<int64_t> at;
  at.reserve(points * windows);
  for (int64_t p = 0; p < points; ++p) {
    for (int64_t k = 0; k < windows; ++k) {
      int64_t place = 0, rest_p = p, rest_k = k, stride = 1;
      for (size_t i = n; i-- > 0;) {
        place += stride * (rest_p % block[i] * w.dilation[i] + rest_k % counts[i] * w.stride[i]);
        rest_p /= block[i];
        rest_k /= counts[i];
        stride *= padded[i];
      }
      at.push_back(place);
    }
  }
  const Tensor source = reshape(x, {batch * channels, points * windows});
  const Tensor sums = index_add(zeros({batch * channels, total}, x.dtype()),
                                from_vector(at, {points * windows}), source, 1);
  Shape shape{batch, channels};
  for (int64_t p : padded) shape.push_back(p);
  Tensor y = reshape(sums, shape);
  for (size_t i = 0; i < n; ++i) y = narrow(y, static_cast<int>(i) + 2, w.pads[i].first, image[i]);
  c.set(0, y);
}

void deform_conv(Call& c) {  // Dai et al. 2017, Zhu et al. 2019
  const Tensor x = c.spatial(0), weight = c.tensor(1), offset = c.tensor(2);
  if (x.rank() != 4) c.fail("is known for pictures alone");
  const int64_t n = x.size(0), h = x.size(1), width = x.size(2), channels = x.size(3);
  const int64_t out_channels = weight.size(0), kh = weight.size(2), kw = weight.size(3),
                k = kh * kw;
  const int64_t groups = c.integer_of("group", 1), offsets = c.integer_of("offset_group", 1);
  const Windows w = windows_of(c, {h, width}, {kh, kw});
  const int64_t oh = offset.size(2), ow = offset.size(3);
  // Where each point of each window is looked up.
  const Tensor o = reshape(offset, {n, offsets, k, 2, oh, ow});
  const auto base = [&](int64_t out, int64_t points, int axis) {
    return unsqueeze(cast(arange(out), kF32) * w.stride[axis] - w.pads[axis].first, 0) +
           unsqueeze(cast(arange(points), kF32) * w.dilation[axis], 1);  // (points, out)
  };
  const Tensor y = reshape(base(oh, kh, 0), {1, 1, kh, 1, oh, 1}) +
                   reshape(narrow(o, 3, 0, 1), {n, offsets, kh, kw, oh, ow});
  const Tensor xs = reshape(base(ow, kw, 1), {1, 1, 1, kw, 1, ow}) +
                    reshape(narrow(o, 3, 1, 1), {n, offsets, kh, kw, oh, ow});
  const Tensor grid = stack({(2 * xs + 1) / width - 1, (2 * y + 1) / h - 1}, -1);
  std::vector<Tensor> parts;
  for (int64_t g = 0; g < offsets; ++g) {
    const int64_t each = channels / offsets;
    const Tensor at = reshape(narrow(grid, 1, g, 1), {n, k * oh, ow, 2});
    parts.push_back(reshape(grid_sample(narrow(x, 3, g * each, each), at), {n, k, oh, ow, each}));
    if (c.has(4)) parts.back() = parts.back() * unsqueeze(narrow(c.tensor(4), 1, g * k, k), -1);
  }
  const Tensor sampled = concat(parts, 4);  // (N, k, H', W', C)
  std::vector<Tensor> results;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t each = channels / groups, out = out_channels / groups;
    const Tensor rows = reshape(permute(narrow(sampled, 4, g * each, each), {0, 2, 3, 4, 1}),
                                {n, oh, ow, each * k});
    results.push_back(
        matmul(rows, transpose(reshape(narrow(weight, 0, g * out, out), {out, each * k}))));
  }
  Tensor out = concat(results, 3);
  if (c.has(3)) out = out + c.tensor(3);
  c.set_spatial(0, out);
}

const Operators list{
    {"Conv", conv_op, {.weights = 2}},
    {"ConvTranspose", conv_transpose, {.weights = 2}},
    {"ConvInteger", conv_integer},
    {"QLinearConv", qlinear_conv},
    {"CausalConvWithState", causal_conv, {.weights = 2}},
    {"Col2Im", col2im, {.read = 6}},
    {"DeformConv", deform_conv},
};

}  // namespace
}  // namespace glia::onnx
