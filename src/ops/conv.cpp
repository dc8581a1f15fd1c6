// Convolution and its two derivatives, each of which is the derivative of the others.
#include "ops/conv.h"

#include <algorithm>

#include "glia/ops.h"
#include "ops/autocast.h"
#include "runtime/threads.h"

namespace glia {
namespace {

// ---- Values: plain loops in a fixed order, each result element written by one thread ----

// The positions p of a window that starts at `start` for which start + p * dilation lies within
// [0, size).
struct Range {
  int64_t begin, end;
};
Range inside(int64_t start, int64_t dilation, int64_t kernel, int64_t size) {
  const int64_t begin = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t end = start < size ? (size - 1 - start) / dilation + 1 : 0;
  return {begin, std::min(kernel, end)};
}

// Calls f(x offset, w offset, channel of y) for each run of C / groups products that y's row
// (n, i) is made of at column j.
template <class F>
void each_window(const ConvShape& s, int64_t n, int64_t i, int64_t j, F&& f) {
  const int64_t cg = s.c / s.groups, og = s.o / s.groups;
  const int64_t top = i * s.stride_h - s.pad_h, left = j * s.stride_w - s.pad_w;
  const Range ps = inside(top, s.dilation_h, s.kh, s.h), qs = inside(left, s.dilation_w, s.kw, s.w);
  for (int64_t o = 0; o < s.o; ++o)
    for (int64_t p = ps.begin; p < ps.end; ++p)
      for (int64_t q = qs.begin; q < qs.end; ++q) {
        const int64_t row = n * s.h + top + p * s.dilation_h;
        f((row * s.w + left + q * s.dilation_w) * s.c + o / og * cg,
          ((o * s.kh + p) * s.kw + q) * cg, o);
      }
}

template <class T>
void forward(const ConvShape& s, const T* x, const T* w, T* y) {
  const int64_t cg = s.c / s.groups;
  parallel_for(s.n * s.oh, [&](int64_t row) {
    T* const out = y + row * s.ow * s.o;
    std::fill_n(out, s.ow * s.o, T{0});
    for (int64_t j = 0; j < s.ow; ++j)
      each_window(s, row / s.oh, row % s.oh, j, [&](int64_t from, int64_t weight, int64_t o) {
        T sum{0};
        for (int64_t c = 0; c < cg; ++c) sum += x[from + c] * w[weight + c];
        out[j * s.o + o] += sum;
      });
  });
}

template <class T>
void backward_data(const ConvShape& s, const T* dy, const T* w, T* dx) {
  const int64_t cg = s.c / s.groups, image = s.h * s.w * s.c;
  parallel_for(s.n, [&](int64_t n) {
    std::fill_n(dx + n * image, image, T{0});
    for (int64_t i = 0; i < s.oh; ++i)
      for (int64_t j = 0; j < s.ow; ++j)
        each_window(s, n, i, j, [&](int64_t to, int64_t weight, int64_t o) {
          const T g = dy[((n * s.oh + i) * s.ow + j) * s.o + o];
          for (int64_t c = 0; c < cg; ++c) dx[to + c] += g * w[weight + c];
        });
  });
}

template <class T>
void backward_weight(const ConvShape& s, const T* x, const T* dy, T* dw) {
  const int64_t cg = s.c / s.groups, og = s.o / s.groups;
  parallel_for(s.o * s.kh, [&](int64_t row) {
    const int64_t o = row / s.kh, p = row % s.kh;
    T* const out = dw + row * s.kw * cg;
    std::fill_n(out, s.kw * cg, T{0});
    for (int64_t n = 0; n < s.n; ++n)
      for (int64_t i = 0; i < s.oh; ++i) {
        const int64_t h = i * s.stride_h - s.pad_h + p * s.dilation_h;
        if (h < 0 || h >= s.h) continue;
        for (int64_t j = 0; j < s.ow; ++j) {
          const int64_t left = j * s.stride_w - s.pad_w;
          const T g = dy[((n * s.oh + i) * s.ow + j) * s.o + o];
          const Range qs = inside(left, s.dilation_w, s.kw, s.w);
          for (int64_t q = qs.begin; q < qs.end; ++q) {
            const int64_t from =
                ((n * s.h + h) * s.w + left + q * s.dilation_w) * s.c + o / og * cg;
            for (int64_t c = 0; c < cg; ++c) out[q * cg + c] += g * x[from + c];
          }
        }
      }
  });
}

// Which of the arrays (inputs first, then the result) is x, w and y.
template <int kX, int kW, int kY>
ConvShape shape_of(const KernelCall& call) {
  const Array* const arrays[] = {&call.in[0], &call.in[1], &call.out[0]};
  return conv_shape(*arrays[kX], *arrays[kW], *arrays[kY], call.attributes<ConvAttributes>());
}

// f on the type of the call's arrays. 16-bit floats are the business of a backend's own kernels.
template <class F>
void dispatch(const KernelCall& call, F&& f) {
  const DType dtype = call.out[0].dtype;
  if (dtype != kF32 && dtype != kF64)
    throw Error(std::string("conv2d: no portable kernel for ") + name(dtype));
  dtype == kF64 ? f(double{}) : f(float{});
}

// Nominal: products with the padding count.
template <int kX, int kW, int kY>
Work work_of(const KernelCall& call) {
  Work work = traffic(call);
  const ConvShape s = shape_of<kX, kW, kY>(call);
  work.flops = 2.0 * static_cast<double>(s.n * s.oh * s.ow * s.o) *
               static_cast<double>(s.kh * s.kw * (s.c / s.groups));
  return work;
}

void run_conv2d(const KernelCall& call) {
  dispatch(call, [&]<class T>(T) {
    forward<T>(shape_of<0, 1, 2>(call), call.in[0].as<T>(), call.in[1].as<T>(),
               call.out[0].as<T>());
  });
}
void run_backward_data(const KernelCall& call) {
  dispatch(call, [&]<class T>(T) {
    backward_data<T>(shape_of<2, 1, 0>(call), call.in[0].as<T>(), call.in[1].as<T>(),
                     call.out[0].as<T>());
  });
}
void run_backward_weight(const KernelCall& call) {
  dispatch(call, [&]<class T>(T) {
    backward_weight<T>(shape_of<0, 2, 1>(call), call.in[0].as<T>(), call.in[1].as<T>(),
                       call.out[0].as<T>());
  });
}

// ---- Recording and gradients ----

extern const Op kConv2d, kBackwardData, kBackwardWeight;

// Another convolution of the same kind as `node`, with a result of the shape of `like`.
Tensor same_kind(const Op& op, const Tensor& a, const Tensor& b, const Node& like,
                 const Node& node) {
  Node* const inputs[] = {a.node(), b.node()};
  return record(op, inputs, like.shape, node.dtype, node.words(), node.where);
}

void vjp_conv2d(Vjp& v) {  // of y in x and w
  const Node& node = v.node();
  const Node &x = *node.inputs[0], &w = *node.inputs[1];
  if (v.needs(0)) v.set(0, same_kind(kBackwardData, v.g(), v.in(1), x, node));
  if (v.needs(1)) v.set(1, same_kind(kBackwardWeight, v.in(0), v.g(), w, node));
}
void vjp_backward_data(Vjp& v) {  // of dx in dy and w
  const Node& node = v.node();
  const Node &dy = *node.inputs[0], &w = *node.inputs[1];
  if (v.needs(0)) v.set(0, same_kind(kConv2d, v.g(), v.in(1), dy, node));
  if (v.needs(1)) v.set(1, same_kind(kBackwardWeight, v.g(), v.in(0), w, node));
}
void vjp_backward_weight(Vjp& v) {  // of dw in x and dy
  const Node& node = v.node();
  const Node &x = *node.inputs[0], &dy = *node.inputs[1];
  if (v.needs(0)) v.set(0, same_kind(kBackwardData, v.in(1), v.g(), x, node));
  if (v.needs(1)) v.set(1, same_kind(kConv2d, v.in(0), v.g(), dy, node));
}

Tensor record_like(const Recorded& node, std::span<const Tensor> inputs, const Shape& shape) {
  Node* const nodes[] = {inputs[0].node(), inputs[1].node()};
  return record(node.op(), nodes, shape, node.dtype(), node.words(), node.where());
}

// Each example on its own, stacked.
Tensor batch_apart(const Recorded& node, std::span<const Tensor> inputs,
                   std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < size; ++i) {
    Tensor in[2];
    for (int j = 0; j < 2; ++j)
      in[j] = batched[j] ? index(inputs[j], {i}, node.where()) : inputs[j];
    parts.push_back(record_like(node, in, node.shape()));
  }
  if (!parts.empty()) return stack(parts, 0, node.where());
  Shape shape = node.shape();
  shape.insert(0, 0);
  return zeros(shape, node.dtype());
}

// With shared weights the new axis joins the images.
Tensor batch_images(const Recorded& node, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  if (batched[1]) return batch_apart(node, inputs, batched, size);
  Shape merged = node.in_shape(0), out = node.shape(), shape = node.shape();
  merged[0] *= size;
  out[0] *= size;
  shape.insert(0, size);
  const Tensor in[] = {reshape(inputs[0], merged, node.where()), inputs[1]};
  return reshape(record_like(node, in, out), shape, node.where());
}

const Op kConv2d{.name = "conv2d",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<ConvAttributes>,
                 .vjp = vjp_conv2d,
                 .run = run_conv2d,
                 .batch = batch_images,
                 .keeps = 1,
                 .work = work_of<0, 1, 2>};
const Op kBackwardData{.name = "conv2d_backward_data",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<ConvAttributes>,
                       .vjp = vjp_backward_data,
                       .run = run_backward_data,
                       .batch = batch_images,
                       .work = work_of<2, 1, 0>};
const Op kBackwardWeight{.name = "conv2d_backward_weight",
                         .kind = Kind::kKernel,
                         .attributes = kAttributeFields<ConvAttributes>,
                         .vjp = vjp_backward_weight,
                         .run = run_backward_weight,
                         .batch = batch_apart,
                         .work = work_of<0, 2, 1>};
const RegisterOp registered[] = {RegisterOp(kConv2d), RegisterOp(kBackwardData),
                                 RegisterOp(kBackwardWeight)};

// What is multiplied, in the dtype that it is multiplied in.
struct ProductOperands {
  ProductOperands(const char* op, const Tensor& given_x, const Tensor& given_weight, Where where)
      : dtype(product_dtype(promote(given_x.dtype(), given_weight.dtype()))), where(where) {
    if (!is_float(dtype))
      fail(op,
           std::string("needs floats, got ") + name(given_x.dtype()) + " and " +
               name(given_weight.dtype()),
           where);
    const DType in = dtype == kF16 ? kF32 : dtype;
    x = product_operand(given_x, in, where);
    weight = product_operand(given_weight, in, where);
  }
  Tensor finished(const Tensor& y) const { return cast(Operand(y, where), dtype); }

  DType dtype;
  Where where;
  Tensor x, weight;
};

}  // namespace

Tensor record_conv2d_transposed(const char* op, const Tensor& x, const Tensor& weight,
                                const Shape& out, const ConvAttributes& attributes, Where where) {
  const ProductOperands in(op, x, weight, where);
  return in.finished(
      record(kBackwardData, {in.x.node(), in.weight.node()}, out, in.x.dtype(), attributes, where));
}

ConvShape conv_shape(DType dtype, const Shape& xs, const Shape& ws, const Shape& ys,
                     const ConvAttributes& attributes) {
  return {.dtype = dtype,
          .n = xs[0],
          .h = xs[1],
          .w = xs[2],
          .c = xs[3],
          .o = ws[0],
          .kh = ws[1],
          .kw = ws[2],
          .oh = ys[1],
          .ow = ys[2],
          .stride_h = attributes.stride_h,
          .stride_w = attributes.stride_w,
          .pad_h = attributes.pad_h,
          .pad_w = attributes.pad_w,
          .dilation_h = attributes.dilation_h,
          .dilation_w = attributes.dilation_w,
          .groups = attributes.groups};
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& options, Where where) {
  if (!x.defined() || !weight.defined()) fail("conv2d", "an operand is not defined", where);
  const Shape &xs = x.shape(), &ws = weight.shape();
  const auto reject = [&](const std::string& why) {
    fail("conv2d", why + ": x " + xs.str() + ", weight " + ws.str(), where);
  };
  if (xs.rank() != 4 || ws.rank() != 4)
    reject("needs x (N, H, W, C) and weight (O, kH, kW, C / groups)");
  auto [stride, padding, dilation, groups] = options;
  const auto pair = [](const auto& p) { return Shape{p.first, p.second}.str(); };
  if (std::min(stride.first, stride.second) < 1 || std::min(dilation.first, dilation.second) < 1 ||
      std::min(padding.first, padding.second) < 0 || groups < 1)
    fail("conv2d",
         "stride " + pair(stride) + ", padding " + pair(padding) + ", dilation " + pair(dilation) +
             " or groups " + std::to_string(groups) + " is out of range",
         where);
  if (xs[3] != multiply_sizes(ws[3], groups) || ws[0] % groups != 0)
    reject("channels do not fit with groups " + std::to_string(groups));
  if (bias.defined() && bias.shape() != Shape{ws[0]})
    fail("conv2d", "bias " + bias.shape().str() + " does not fit weight " + ws.str(), where);
  // Strides and dilations that nothing depends on become small, so that positions fit.
  const auto out_size = [&](int64_t size, int64_t kernel, int64_t* s, int64_t p, int64_t* d) {
    const int64_t padded = add_sizes(size, multiply_sizes(2, p));
    if (padded > INT32_MAX) reject("the padded image is too large");
    if (kernel < 1 || multiply_sizes(*d, kernel - 1) >= padded)
      reject("the kernel does not fit into the padded image");
    if (kernel == 1) *d = 1;
    *s = std::min(*s, padded);
    return (padded - *d * (kernel - 1) - 1) / *s + 1;
  };
  const Shape out{xs[0], out_size(xs[1], ws[1], &stride.first, padding.first, &dilation.first),
                  out_size(xs[2], ws[2], &stride.second, padding.second, &dilation.second), ws[0]};

  const ProductOperands in("conv2d", x, weight, where);
  // The same sums in a form whose rows are long: what is one pixel wide lies on its side, and a
  // kernel as wide as the image sums over its columns as over channels.
  Tensor image = in.x, kernel = in.weight;
  Shape to = out;
  if (xs[2] == 1 && ws[2] == 1 && padding.second == 0 && xs[1] > 1) {
    image = reshape(image, {xs[0], 1, xs[1], xs[3]}, where);
    kernel = reshape(kernel, {ws[0], 1, ws[1], ws[3]}, where);
    to = {out[0], 1, out[1], out[3]};
    for (auto* both : {&stride, &padding, &dilation}) std::swap(both->first, both->second);
  }
  if (const int64_t columns = kernel.size(2); groups == 1 && columns > 1 && padding.second == 0 &&
                                              dilation.second == 1 && columns == image.size(2)) {
    image = reshape(image, {xs[0], image.size(1), 1, columns * xs[3]}, where);
    kernel = reshape(kernel, {ws[0], kernel.size(1), 1, columns * ws[3]}, where);
    stride.second = 1;
  }
  const Tensor y = reshape(
      in.finished(record(kConv2d, {image.node(), kernel.node()}, to, in.x.dtype(),
                         ConvAttributes{stride.first, stride.second, padding.first, padding.second,
                                        dilation.first, dilation.second, groups},
                         where)),
      out, where);
  return bias.defined() ? with_bias(y, bias, where) : y;
}

}  // namespace glia
