// Softmax, layer and batch, group and instance norm.
#include "glia/ops/normalize.h"
#include "ops.h"

namespace glia::bench {
namespace {

Tensor layer(In x) { return layer_norm(x[0], x[1], x[2]); }
Tensor batch(In x) { return batch_norm(x[0], x[1], x[2]).out; }
Tensor rms(In x) { return rms_norm(x[0], x[1], 1, 1e-6); }

// An input whose last axis has a weight and a bias.
std::vector<Input> affine(const Shape& shape, DType dtype = kF32) {
  const int64_t features = shape.size(-1);
  return {numbers(shape, dtype), numbers({features}, dtype), numbers({features}, dtype)};
}

void softmaxes(Table& t) {
  const auto axis0 = [](In x) { return softmax(x[0], 0); };
  const auto axis1 = [](In x) { return softmax(x[0], 1); };
  t.value("softmax axis0", {matrix()}, axis0);
  t.value("softmax axis1", {matrix()}, axis1);
  for (DType d : {kBF16, kF64}) t.value(with("softmax axis0", d), {matrix(d)}, axis0);
  t.value("softmax axis1 f64", {numbers({kM, 1024}, kF64)}, axis1);
  t.value("softmax axis1 bf16", {matrix(kBF16)}, axis1);
  t.value("softmax middle (64,64,4096)", {numbers({64, 64, 4096})}, axis1);
  t.value("softmax (64,50000)", {numbers({64, 50000})}, axis1);
  t.value("softmax over 3 of (1e6,3)", {numbers({1000000, 3})}, axis1);
  t.value("softmax over axis 0 of (3,1e6)", {numbers({3, 1000000})}, axis0);
  t.value("log_softmax axis0", {matrix()}, [](In x) { return log_softmax(x[0], 0); });
  t.grad("softmax fwd+bwd axis1", {matrix()}, axis1);
  t.grad("softmax fwd+bwd axis0", {matrix()}, axis0);
  t.grad("softmax bwd bf16", {numbers({kM, 1024}, kBF16)}, axis1);
}

void norms(Table& t) {
  t.value("layer_norm (8192,1024)", affine({8192, 1024}), layer);
  t.value("layer_norm f64 (8192,256)", affine({8192, 256}, kF64), layer);
  t.value("layer_norm bf16", affine({8192, 1024}, kBF16), layer);
  t.value("layer_norm (100000,16)", {numbers({100000, 16})},
          [](In x) { return layer_norm(x[0], {}, {}); });
  t.grad("layer_norm fwd+bwd", affine({8192, 1024}), layer);
  t.grad("layer_norm fwd+bwd f64", affine({4096, 256}, kF64), layer);
  t.grad("layer_norm bwd bf16", affine({8192, 1024}, kBF16), layer);
  t.grad("batch_norm fwd+bwd (32,28,28,64)", affine({32, 28, 28, 64}), batch);
  t.grad("batch_norm fwd+bwd f64 (8,28,28,64)", affine({8, 28, 28, 64}, kF64), batch);

  const std::vector<Input> weighted{numbers({8192, 1024}), numbers({1024})};
  t.value("rms norm (8192,1024)", weighted, rms);
  t.grad("rms norm bwd", weighted, rms);
  t.value("group norm (32,28,28,64) 8 groups", {numbers({32, 28, 28, 64})},
          [](In x) { return group_norm(x[0], 8); });
  t.value("instance norm NHWC", {numbers({32, 28, 28, 64})},
          [](In x) { return instance_norm(x[0]); });
  t.value("standardise columns (100000,64)", {numbers({100000, 64})},
          [](In x) { return (x[0] - mean(x[0], {0})) / sqrt(var(x[0], {0})); });
}

}  // namespace

void normalisation(Table& t) {
  softmaxes(t);
  norms(t);
}

}  // namespace glia::bench
