// What moves numbers and computes none: copies of views, padding, joining, choosing.
#include "glia/ops/arrange.h"
#include "ops.h"

namespace glia::bench {
namespace {

Tensor columns(const Tensor& x, int64_t start, int64_t stop) { return slice(x, 1, {start, stop}); }
Tensor every_second(const Tensor& x, int axis) { return slice(x, axis, {.step = 2}); }

void copies(Table& t) {
  for (DType d : {kF32, kF64, kU8, kBF16}) {
    t.value(with("transposed copy", d), {matrix(d)}, [](In x) { return transpose(x[0]); });
  }
  t.value("x + x^T", {matrix()}, [](In x) { return x[0] + transpose(x[0]); });
  const Input cube = numbers({256, 256, 256});
  t.value("permute 0,2,1 of 256^3", {cube}, [](In x) { return permute(x[0], {0, 2, 1}); });
  t.value("permute 2,1,0 of 256^3", {cube}, [](In x) { return permute(x[0], {2, 1, 0}); });
  t.value("permute 1,0,2 of 256^3", {cube}, [](In x) { return permute(x[0], {1, 0, 2}); });
  t.value("NHWC to NCHW (32,64,64,64)", {numbers({32, 64, 64, 64})}, [](In x) {
    return permute(x[0], {0, 3, 1, 2});
  });
  t.value("NHWC to NCHW C=3 u8", {numbers({64, 224, 224, 3}, kU8)}, [](In x) {
    return permute(x[0], {0, 3, 1, 2});
  });
  t.value("heads (16,512,8,64)->(16,8,512,64)", {numbers({16, 512, 8, 64})}, [](In x) {
    return permute(x[0], {0, 2, 1, 3});
  });
  t.value("expand copy (1,4096)->(4096,4096)", {numbers({1, kM})}, [](In x) {
    return expand(x[0], {kM, kM});
  });
  t.value("expand copy (4096,1)", {numbers({kM, 1})}, [](In x) { return expand(x[0], {kM, kM}); });
  t.value("unfold 1D windows 100000x64", {numbers({100063})},
          [](In x) { return unfold(x[0], 0, 64, 1); });
  t.value("upsample 2x nearest NHWC", {numbers({16, 56, 56, 64})}, [](In x) {
    const Tensor pixels = reshape(x[0], {16, 56, 1, 56, 1, 64});
    return reshape(expand(pixels, {16, 56, 2, 56, 2, 64}), {16, 112, 112, 64});
  });
  t.grad("transpose bwd", {numbers({kM, 2048})}, [](In x) { return transpose(x[0]) * 2.0; });
}

void parts(Table& t) {
  t.value("flip axis1", {matrix()}, [](In x) { return flip(x[0], {1}); });
  t.value("flip axis0", {matrix()}, [](In x) { return flip(x[0], {0}); });
  t.value("slice ::2 axis1", {matrix()}, [](In x) { return every_second(x[0], 1); });
  t.value("slice ::2 axis0", {matrix()}, [](In x) { return every_second(x[0], 0); });
  t.value("slice cols 1..4095", {matrix()}, [](In x) { return columns(x[0], 1, 4095); });
  t.value("pad 2d", {matrix()}, [](In x) { return pad(x[0], {{1, 1}, {1, 1}}); });
  t.value("pad NHWC C=3", {numbers({64, 224, 224, 3})}, [](In x) {
    return pad(x[0], {{0, 0}, {1, 1}, {1, 1}, {0, 0}});
  });
  t.value("roll by concat", {matrix()}, [](In x) {
    return concat({slice(x[0], 1, {.start = 100}), slice(x[0], 1, {.stop = 100})}, 1);
  });
  t.loss("index slice bwd x[:, ::2]", {matrix()},
         [](In x) { return sum(square(every_second(x[0], 1))); });
  t.grad("pad bwd", {numbers({32, 56, 56, 64})}, [](In x) {
    return pad(x[0], {{0, 0}, {1, 1}, {1, 1}, {0, 0}});
  });
}

void joined(Table& t) {
  t.value("concat axis0 4", times(4, numbers({1024, kM})), [](In x) { return concat(x, 0); });
  t.value("concat axis1 4", times(4, numbers({kM, 1024})), [](In x) { return concat(x, 1); });
  t.value("concat axis1 64 narrow", times(64, numbers({kM, 4})), [](In x) { return concat(x, 1); });
  t.value("stack last 4", times(4, numbers({1000000})), [](In x) { return stack(x, 1); });
  t.grad("concat bwd", times(2, numbers({4096, 1000})), [](In x) {
    return concat({x[0] * 2.0, x[1] * 2.0}, 1);
  });
}

void chosen(Table& t) {
  const Input mask = matrix(kBool);
  t.value("where", {mask, matrix(), matrix()}, [](In x) { return where(x[0], x[1], x[2]); });
  t.value("where scalar", {mask, matrix()}, [](In x) { return where(x[0], x[1], 0.0); });
  t.value("causal mask", {matrix()},
          [](In x) { return where(unsqueeze(arange(kM), 1) >= arange(kM), x[0], -1e9); });
  t.value("tril", {matrix()},
          [](In x) { return where(unsqueeze(arange(kM), 1) >= arange(kM), x[0], 0.0); });
  t.value("mask assign x[x<0]=0 by where", {matrix()},
          [](In x) { return where(x[0] < 0, 0.0, x[0]); });
}

void of_type(Table& t, DType d) {
  const int64_t width = width_of(d);
  const Input planes = numbers({64, 64, width}, d);
  t.value(with("flip axis1", d), {matrix(d)}, [](In x) { return flip(x[0], {1}); });
  t.value(with("flip axis0", d), {matrix(d)}, [](In x) { return flip(x[0], {0}); });
  t.value(with("slice ::2 axis1", d), {matrix(d)}, [](In x) { return every_second(x[0], 1); });
  t.value(with("slice cols", d), {matrix(d)},
          [width](In x) { return columns(x[0], 1, width - 1); });
  t.value(with("pad", d), {matrix(d)}, [](In x) { return pad(x[0], {{1, 1}, {1, 1}}); });
  t.value(with("concat axis1", d), {matrix(d), matrix(d)}, [](In x) { return concat(x, 1); });
  t.value(with("permute 0,2,1", d), {planes}, [](In x) { return permute(x[0], {0, 2, 1}); });
  t.value(with("permute 1,0,2", d), {planes}, [](In x) { return permute(x[0], {1, 0, 2}); });
  t.value(with("expand row", d), {numbers({1, width}, d)}, [width](In x) {
    return expand(x[0], {kM, width});
  });
  t.value(with("where", d), {numbers({kM, width}, kBool), matrix(d), matrix(d)},
          [](In x) { return where(x[0], x[1], x[2]); });
}

}  // namespace

void movement(Table& t) {
  copies(t);
  parts(t);
  joined(t);
  chosen(t);
  for (DType d : {kU8, kBF16, kF64, kI64, kI32, kBool}) of_type(t, d);
}

}  // namespace glia::bench
