// Glia's side of export.py: export FOLDER writes models, NAME.onnx, with two batches of inputs and
// what Glia makes of each: NAME_0_in.npy, NAME_0_out.npy, NAME_1_... It prints the names, and
// "NAME: fault" where one cannot be written.
#include <cstdio>
#include <functional>

#include "glia/io.h"
#include "glia/nn.h"
#include "glia/onnx/export.h"
#include "glia/ops/activation.h"
#include "glia/ops/arrange.h"
#include "glia/ops/image.h"
#include "glia/ops/reduce.h"
#include "glia/ops/special.h"
#include "glia/random.h"

using namespace glia;
using F = std::function<Tensor(const Tensor&)>;

namespace {

std::string folder;

void put(const std::string& name, nn::Module& module, const F& f,
         const std::function<Tensor(int64_t)>& input) {
  module.eval();
  const std::string path = folder + "/" + name;
  try {
    onnx::write(path + ".onnx", module,
                [&](const std::vector<Tensor>& x) { return std::vector<Tensor>{f(x[0])}; },
                {input(2)}, {.external_data = name == "external"});
  } catch (const Error& e) {
    std::printf("%s: %s\n", name.c_str(), e.what());
    return;
  }
  const NoGrad no_grad;
  for (int i = 0; i < 2; ++i) {
    const Tensor x = input(i == 0 ? 1 : 4);
    io::write_npy(path + "_" + std::to_string(i) + "_in.npy", x);
    io::write_npy(path + "_" + std::to_string(i) + "_out.npy", f(x));
  }
  std::printf("%s\n", name.c_str());
}
template <class M>
void layer(const std::string& name, M module, const Shape& one) {
  put(
      name, module, [&](const Tensor& x) { return Tensor(module(x)); },
      [&](int64_t n) {
        Shape s = one;
        s.insert(0, n);
        return randn(s);
      });
}
struct Nothing : nn::Module {};
void function(const std::string& name, const F& f, const Shape& one, bool positive = false) {
  Nothing none;
  put(name, none, f, [&](int64_t n) {
    Shape s = one;
    s.insert(0, n);
    return positive ? uniform(s, 0.1, 0.9) : randn(s);
  });
}
template <class M>
struct First : nn::Module {
  explicit First(M module) : m(std::move(module)) {}
  M m;
  Tensor operator()(const Tensor& x) const { return m(x).out; }
  GLIA_FIELDS(m)
};

struct Transformer : nn::Module {
  nn::Embedding embedding{50, 32};
  nn::TransformerEncoderLayer a{32, 4, {.dim_feedforward = 64}},
      b{32, 4, {.dim_feedforward = 64, .norm_first = true}};
  nn::Linear head{32, 50};
  Tensor operator()(const Tensor& x) const { return head(b(a(embedding(x)), {}, {}, true)); }
  GLIA_FIELDS(embedding, a, b, head)
};

// What networks of pictures are made of: ways around, depthwise convolutions, squeezing, joining.
struct Residual : nn::Module {
  nn::Conv2d a{8, 8, {.kernel = 3, .padding = 1, .bias = false}},
      b{8, 8, {.kernel = 3, .padding = 1, .groups = 8}}, squeeze{8, 2, {.kernel = 1}},
      widen{2, 8, {.kernel = 1}}, down{16, 12, {.kernel = 2, .stride = 2}};
  nn::BatchNorm2d norm{8};
  nn::LayerNorm last{12};
  nn::Linear head{12, 5};
  Tensor operator()(const Tensor& x) const {
    const Tensor h = relu(norm(a(x)) + x);
    const Tensor scale = hardsigmoid(widen(silu(squeeze(mean(h, {1, 2}, true)))));
    const Tensor joined = concat({max_pool2d(h, 2), avg_pool2d(gelu(b(h)) * scale, 2)}, 3);
    return head(mean(last(down(joined)), {1, 2}));
  }
  GLIA_FIELDS(a, b, squeeze, widen, down, norm, last, head)
};

}  // namespace

int main(int, char** a) {
  folder = a[1];
  manual_seed(0);
  layer("linear", nn::Linear(8, 4), {8});
  layer("linear_3d", nn::Linear(8, 4), {5, 8});
  layer("external", nn::Linear(300, 400), {300});
  layer("conv1d", nn::Conv1d(4, 8, {.kernel = 3, .stride = 2, .padding = 1}), {20, 4});
  layer("conv2d", nn::Conv2d(4, 8, {.kernel = 3, .stride = 2, .padding = 1, .groups = 2}),
        {12, 10, 4});
  layer("conv3d", nn::Conv3d(2, 3, {.kernel = 3}), {6, 7, 8, 2});
  layer("conv_transpose1d", nn::ConvTranspose1d(4, 6, {.kernel = 4, .stride = 2, .padding = 1}),
        {9, 4});
  layer("conv_transpose2d",
        nn::ConvTranspose2d(4, 6, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1}),
        {7, 8, 4});
  layer("batch_norm", nn::BatchNorm2d(6), {5, 5, 6});
  layer("layer_norm", nn::LayerNorm(16), {3, 16});
  layer("group_norm", nn::GroupNorm(2, 6), {4, 4, 6});
  layer("instance_norm", nn::InstanceNorm2d(6), {4, 4, 6});
  layer("rms_norm", nn::RMSNorm(16), {3, 16});
  layer("lstm",
        First(nn::LSTM(6, 8, {.num_layers = 2, .batch_first = true, .bidirectional = true})),
        {5, 6});
  layer("gru", First(nn::GRU(6, 8, {.batch_first = true})), {5, 6});
  layer("max_pool", nn::MaxPool2d(3, {.stride = 2, .padding = 1}), {9, 9, 3});
  layer("avg_pool", nn::AvgPool2d(2), {8, 8, 3});
  layer("adaptive_pool", nn::AdaptiveAvgPool2d(3), {7, 8, 3});
  layer("prelu", nn::PReLU(), {4, 4, 3});
  function("activations",
           [](const Tensor& x) {
             return relu(x) + gelu(x) + silu(x) + elu(x) + softplus(x) + tanh(x) + sigmoid(x) +
                    leaky_relu(x) + log_sigmoid(x) + hardswish(x) + mish(x) + selu(x) +
                    gelu(x, GELUApproximate::kTanh);
           },
           {7});
  function(
      "math",
      [](const Tensor& x) {
        return exp(x) + log(x) + sqrt(x) + rsqrt(x) + square(x) + reciprocal(x) + sin(x) + cos(x) +
               erf(x) + log1p(x) + expm1(x) + log2(x) + exp2(x) + atan(x) + asin(x) + pow(x, 1.7) +
               floor(x * 7) + trunc(-3 * x) + remainder(x, 0.3) + floor_divide(x, 0.25) +
               fmod(x, 0.4) + abs(x - 0.5) + sign(x - 0.5) + clamp(x, 0.3, 0.6) + maximum(x, 0.5) +
               minimum(x, 0.2);
      },
      {11}, true);
  function("reductions",
           [](const Tensor& x) {
             return concat(
                 {mean(x, {1}), sum(x, {2}), max(x, {1}), min(x, {2}), var(x, {1}),
                  glia::std(x, {2}), logsumexp(x, {1}), prod(x, {2}), cast(argmax(x, 1), kF32)},
                 1);
           },
           {6, 6});
  function("movement",
           [](const Tensor& x) {
             return concat(
                 {transpose(x), flip(x, {1}), pad(x, {{0, 0}, {1, 2}, {0, 0}}),
                  slice(x, 1, {1, 5, 2}), roll(x, {2}, {1}), cumsum(x, 1),
                  stack({index(x, {Slice{}, 1}), index(x, {Slice{}, 2})}, 1),
                  expand(mean(x, {1}, true), x.shape()), softmax(x), log_softmax(x, 1), tril(x)},
                 1);
           },
           {6, 6});
  function("compare",
           [](const Tensor& x) {
             return where((x > 0) & (x < 1), x, 0) + cast(x != 0, kF32) +
                    cast(logical_not(x >= 1), kF32) + cast(isnan(x), kF32);
           },
           {9});
  function("take",
           [](const Tensor& x) { return gather(x, argsort(x, 1), 1) + topk(x, 6, 1).first; }, {6});
  function("resize",
           [](const Tensor& x) {
             return interpolate(x, {14, 10}, {.mode = InterpolationMode::kLinear}) +
                    interpolate(x, {14, 10});
           },
           {7, 5, 3});
  function("batch",
           [](const Tensor& x) {  // what depends on the size of the batch
             return x - mean(x, {0}, true) + cast(unsqueeze(arange(x.size(0)), 1), kF32) +
                    zeros({x.size(0), 4});
           },
           {4});
  Transformer transformer;
  put(
      "transformer", transformer, [&](const Tensor& x) { return transformer(x); },
      [](int64_t n) {
        return randint(0, 50, {n, 7});
      });
  Residual residual;
  put(
      "residual", residual, [&](const Tensor& x) { return residual(x); },
      [](int64_t n) {
        return randn({n, 16, 16, 8});
      });
}
