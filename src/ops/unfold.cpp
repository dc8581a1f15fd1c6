// Windows of pictures as rows, back again, and what is made of them; padding by what is at the
// edge.
#include <algorithm>
#include <cstring>

#include "glia/ops/conv.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- Values ----

struct UnfoldAttributes {
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  int64_t dilation_h = 1, dilation_w = 1;
  GLIA_ATTRIBUTES(kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)
};

struct UnfoldShape : UnfoldAttributes {
  // `pictures` (N, H, W, C)
  UnfoldShape(const UnfoldAttributes& a, const Shape& pictures)
      : UnfoldAttributes(a),
        n(pictures[0]),
        h(pictures[1]),
        w(pictures[2]),
        c(pictures[3]),
        oh((h + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1),
        ow((w + 2 * pad_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1) {}

  int64_t n, h, w, c, oh, ow;
};

void run_unfold(const KernelCall& call) {
  const UnfoldShape s(call.attributes<UnfoldAttributes>(), call.in[0].layout.shape);
  const auto size = static_cast<int64_t>(size_of(call.out[0].dtype)) * s.c;  // of a pixel
  const auto* x = static_cast<const uint8_t*>(call.in[0].data);
  auto* y = static_cast<uint8_t*>(call.out[0].data);
  parallel_for(s.n * s.oh, [&](int64_t row) {
    const uint8_t* picture = x + row / s.oh * s.h * s.w * size;
    uint8_t* to = y + row * s.ow * s.kernel_h * s.kernel_w * size;
    for (int64_t j = 0; j < s.ow; ++j)
      for (int64_t p = 0; p < s.kernel_h; ++p) {
        const int64_t h = row % s.oh * s.stride_h - s.pad_h + p * s.dilation_h;
        for (int64_t q = 0; q < s.kernel_w; ++q, to += size) {
          const int64_t w = j * s.stride_w - s.pad_w + q * s.dilation_w;
          if (h < 0 || h >= s.h || w < 0 || w >= s.w)
            std::memset(to, 0, size);
          else
            std::memcpy(to, picture + (h * s.w + w) * size, size);
        }
      }
  });
}

// Where the window at `position + pad` of an axis begins that has it as its element p, or -1.
int64_t window_of(int64_t position, int64_t p, int64_t dilation, int64_t stride, int64_t count) {
  const int64_t start = position - p * dilation;
  return start < 0 || start % stride != 0 || start / stride >= count ? -1 : start / stride;
}

template <class T>
void fold_row(const UnfoldShape& s, int64_t row, const T* rows, T* to) {
  const int64_t window = s.kernel_h * s.kernel_w * s.c;
  std::vector<double> sum(s.c);
  for (int64_t w = 0; w < s.w; ++w, to += s.c) {
    std::ranges::fill(sum, 0.0);
    for (int64_t p = 0; p < s.kernel_h; ++p) {
      const int64_t i = window_of(row % s.h + s.pad_h, p, s.dilation_h, s.stride_h, s.oh);
      if (i < 0) continue;
      for (int64_t q = 0; q < s.kernel_w; ++q) {
        const int64_t j = window_of(w + s.pad_w, q, s.dilation_w, s.stride_w, s.ow);
        if (j < 0) continue;
        const T* from =
            rows + ((row / s.h * s.oh + i) * s.ow + j) * window + (p * s.kernel_w + q) * s.c;
        for (int64_t c = 0; c < s.c; ++c) sum[c] += static_cast<double>(from[c]);
      }
    }
    for (int64_t c = 0; c < s.c; ++c) to[c] = static_cast<T>(sum[c]);
  }
}
void run_fold(const KernelCall& call) {
  const UnfoldShape s(call.attributes<UnfoldAttributes>(), call.out[0].layout.shape);
  const auto all = [&]<class T>(T) {
    const T* rows = call.in[0].as<T>();
    T* const y = call.out[0].as<T>();
    parallel_for(s.n * s.h, [&](int64_t row) { fold_row(s, row, rows, y + row * s.w * s.c); });
  };
  call.out[0].dtype == kF64 ? all(double{}) : all(float{});
}

// ---- Recording and gradients ----

extern const Op kUnfold, kFold;

void vjp_unfold(Vjp& v) {
  const Node& node = v.node();
  const Tensor& g = v.g();
  const Tensor wide = g.dtype() == kF64 ? g : cast(g, kF32);
  v.set(0, cast(record(kFold, {wide.node()}, node.inputs[0]->shape, wide.dtype(), node.words(),
                       node.where),
                g.dtype()));
}
void vjp_fold(Vjp& v) {
  const Node& node = v.node();
  v.set(0, record(kUnfold, {v.g().node()}, node.inputs[0]->shape, node.dtype, node.words(),
                  node.where));
}
// The new axis joins the pictures.
Tensor batch_pictures(const Recorded& one, std::span<const Tensor> in, std::span<const bool>,
                      int64_t size) {
  Shape merged = one.in_shape(0), out = one.shape();
  merged[0] *= size;
  out[0] *= size;
  const Tensor all = reshape(in[0], merged, one.where());
  return reshape(record(one.op(), {all.node()}, out, one.dtype(), one.words(), one.where()),
                 batched_shape(one, size), one.where());
}

const Op kUnfold{.name = "unfold",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<UnfoldAttributes>,
                 .vjp = vjp_unfold,
                 .run = run_unfold,
                 .batch = batch_pictures};
const Op kFold{.name = "fold",
               .kind = Kind::kKernel,
               .attributes = kAttributeFields<UnfoldAttributes>,
               .vjp = vjp_fold,
               .run = run_fold,
               .batch = batch_pictures};
const RegisterOp registered[] = {RegisterOp(kUnfold), RegisterOp(kFold)};

// Checked, with strides and dilations that nothing depends on made small.
UnfoldAttributes checked(const char* op, const Shape& pictures, std::pair<int64_t, int64_t> kernel,
                         const UnfoldOptions& o, const Where& where) {
  UnfoldAttributes a{kernel.first,    kernel.second,    o.stride.first,   o.stride.second,
                     o.padding.first, o.padding.second, o.dilation.first, o.dilation.second};
  const auto axis = [&](int64_t size, int64_t k, int64_t* s, int64_t p, int64_t* d) {
    const bool positive = k > 0 && *s > 0 && *d > 0 && p >= 0;
    const int64_t padded = positive ? add_sizes(size, multiply_sizes(2, p)) : 0;
    if (!positive || padded > INT32_MAX || multiply_sizes(*d, k - 1) >= padded)
      fail(op,
           "windows of " + Shape{kernel.first, kernel.second}.str() + " do not fit into " +
               pictures.str() + " with stride " + Shape{o.stride.first, o.stride.second}.str() +
               ", padding " + Shape{o.padding.first, o.padding.second}.str() + ", dilation " +
               Shape{o.dilation.first, o.dilation.second}.str(),
           where);
    if (k == 1) *d = 1;
    *s = std::min(*s, padded);
  };
  axis(pictures[1], a.kernel_h, &a.stride_h, a.pad_h, &a.dilation_h);
  axis(pictures[2], a.kernel_w, &a.stride_w, a.pad_w, &a.dilation_w);
  return a;
}

// How many a negative padding takes away, as far as it matters.
int64_t cut(int64_t padding) { return -std::max<int64_t>(padding, -INT64_MAX / 2); }

// The positions of an axis that padding shows, one after the other.
std::vector<int64_t> shown(const char* op, int64_t size, int64_t before, int64_t after,
                           PadMode mode, const Where& where) {
  const int64_t most = mode == PadMode::kReflect ? size - 1 : size;
  if (size < 1 || (mode != PadMode::kReplicate && std::max(before, after) > most))
    fail(op,
         "padding of " + std::to_string(std::max(before, after)) + " is beyond what an axis of " +
             std::to_string(size) + " can show",
         where);
  const int64_t count = add_sizes(size, add_sizes(before, after));
  std::vector<int64_t> out;
  try {
    out.resize(static_cast<size_t>(count));
  } catch (const std::exception&) {  // bad_alloc, length_error
    throw Error(
        std::string(op) + ": out of memory: no room for " + std::to_string(count) + " positions",
        where);
  }
  for (size_t k = 0; k < out.size(); ++k) {
    const int64_t i = static_cast<int64_t>(k) - before;
    if (mode == PadMode::kReplicate)
      out[k] = std::clamp<int64_t>(i, 0, size - 1);
    else if (mode == PadMode::kCircular)
      out[k] = (i + size) % size;
    else
      out[k] = i < 0 ? -i : i < size ? i : 2 * (size - 1) - i;
  }
  return out;
}

}  // namespace

Tensor unfold(const Tensor& x, std::pair<int64_t, int64_t> kernel, const UnfoldOptions& options,
              Where where) {
  if (!x.defined()) fail("unfold", "the operand is not defined", where);
  if (x.rank() != 4) fail("unfold", "needs (N, H, W, C), got " + x.shape().str(), where);
  const UnfoldAttributes a = checked("unfold", x.shape(), kernel, options, where);
  const UnfoldShape s(a, x.shape());
  return record(kUnfold, {x.node()},
                {s.n, s.oh * s.ow, multiply_sizes(s.c, multiply_sizes(a.kernel_h, a.kernel_w))},
                x.dtype(), a, where);
}

Tensor fold(const Tensor& rows, std::pair<int64_t, int64_t> size,
            std::pair<int64_t, int64_t> kernel, const UnfoldOptions& options, Where where) {
  if (!rows.defined()) fail("fold", "the operand is not defined", where);
  const auto reject = [&] {
    fail("fold",
         rows.shape().str() + " does not hold windows of " +
             Shape{kernel.first, kernel.second}.str() + " of pictures of " +
             Shape{size.first, size.second}.str(),
         where);
  };
  if (rows.rank() != 3 || kernel.first < 1 || kernel.second < 1 || size.first < 1 ||
      size.second < 1)
    reject();
  const int64_t window = multiply_sizes(kernel.first, kernel.second);
  if (rows.size(2) % window != 0) reject();
  const Shape pictures{rows.size(0), size.first, size.second, rows.size(2) / window};
  const UnfoldAttributes a = checked("fold", pictures, kernel, options, where);
  const UnfoldShape s(a, pictures);
  if (rows.size(1) != s.oh * s.ow) reject();
  if (!is_float(rows.dtype()))
    fail("fold", std::string("needs floats, got ") + name(rows.dtype()), where);
  const Tensor wide = rows.dtype() == kF64 ? rows : cast(Operand(rows, where), kF32);
  return cast(Operand(record(kFold, {wide.node()}, pictures, wide.dtype(), a, where), where),
              rows.dtype());
}

Tensor locally_connected2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           std::pair<int64_t, int64_t> kernel, const UnfoldOptions& options,
                           Where where) {
  if (!x.defined() || !weight.defined())
    fail("locally_connected2d", "an operand is not defined", where);
  if (weight.rank() != 4)
    fail("locally_connected2d", "weight " + weight.shape().str() + " is not (H, W, K, O)", where);
  const Tensor rows = unfold(x, kernel, options, where);  // (N, L, K)
  const Shape& w = weight.shape();
  const UnfoldShape s(checked("locally_connected2d", x.shape(), kernel, options, where), x.shape());
  if (w[0] != s.oh || w[1] != s.ow || w[2] != rows.size(2) ||
      (bias.defined() && bias.shape() != Shape{w[0], w[1], w[3]}))
    fail("locally_connected2d",
         "x " + x.shape().str() + " does not fit weight " + w.str() + " or its bias", where);
  const Tensor by_place = matmul(permute(rows, {1, 0, 2}, where),
                                 reshape(weight, {w[0] * w[1], w[2], w[3]}, where), where);
  const Tensor y =
      reshape(permute(by_place, {1, 0, 2}, where), {x.size(0), w[0], w[1], w[3]}, where);
  return bias.defined() ? y + bias : y;
}

Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads, PadMode mode,
           const Number& value, Where where) {
  if (!x.defined()) fail("pad", "the operand is not defined", where);
  if (static_cast<int>(pads.size()) != x.rank())
    fail("pad", std::to_string(pads.size()) + " pairs for " + x.shape().str(), where);
  Tensor y = x;
  std::vector<std::pair<int64_t, int64_t>> more(pads.size());
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto [before, after] = pads[axis];
    const int64_t size = y.size(axis), from = before < 0 ? cut(before) : 0,
                  to = after < 0 ? size - cut(after) : size;
    if (from > size || to < from)
      fail("pad",
           "more is cut off than there is of axis " + std::to_string(axis) + " of " +
               x.shape().str(),
           where);
    if (from > 0 || to < size) y = slice(y, axis, {from, to}, where);
    more[axis] = {std::max<int64_t>(before, 0), std::max<int64_t>(after, 0)};
    if (mode == PadMode::kConstant || more[axis] == std::pair<int64_t, int64_t>{0, 0}) continue;
    const auto at = shown("pad", y.size(axis), more[axis].first, more[axis].second, mode, where);
    y = take(y, from_vector(at, {static_cast<int64_t>(at.size())}), axis, where);
  }
  return mode == PadMode::kConstant ? pad(y, more, value, where) : y;
}

}  // namespace glia
