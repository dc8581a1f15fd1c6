// Matrix products, linear layers and their gradients.
#include "ops.h"

namespace glia::bench {
namespace {

Tensor product(In x) { return matmul(x[0], x[1]); }
Tensor linear_layer(In x) { return linear(x[0], x[1], x[2]); }

struct Product {
  const char* name;
  Shape a, b;
  DType dtype = kF32;
};

const Product kProducts[] = {
    {"matmul 1024 f32", {1024, 1024}, {1024, 1024}},
    {"matmul 1024 f64", {1024, 1024}, {1024, 1024}, kF64},
    {"matmul 256 f64", {256, 256}, {256, 256}, kF64},
    {"matmul 1024 bf16", {1024, 1024}, {1024, 1024}, kBF16},
    {"matmul 1024 f16", {1024, 1024}, {1024, 1024}, kF16},
    {"matmul 512 i64", {512, 512}, {512, 512}, kI64},
    {"matmul 512 i32", {512, 512}, {512, 512}, kI32},
    {"matmul 512 u8", {512, 512}, {512, 512}, kU8},
    {"matmul 2048 f32", {2048, 2048}, {2048, 2048}},
    {"matmul 128 f32", {128, 128}, {128, 128}},
    {"matmul 32 f64", {32, 32}, {32, 32}, kF64},
    {"matmul 512x8x512", {512, 8}, {8, 512}},
    {"matmul (1,784)x(784,512)", {1, 784}, {784, 512}},
    {"matmul odd 1023x517x331", {1023, 517}, {517, 331}},
    {"matmul 8x8", {8, 8}, {8, 8}},
    {"matmul 64x64", {64, 64}, {64, 64}},
    {"bmm 1000x16x16", {1000, 16, 16}, {1000, 16, 16}},
    {"bmm 10000x4x4", {10000, 4, 4}, {10000, 4, 4}},
    {"bmm 100000x3x3", {100000, 3, 3}, {100000, 3, 3}},
    {"bmm 1000x16x16 f64", {1000, 16, 16}, {1000, 16, 16}, kF64},
    {"bmm 1000x16x16 bf16", {1000, 16, 16}, {1000, 16, 16}, kBF16},
    {"bmm 64x128x128", {64, 128, 128}, {64, 128, 128}},
    {"bmm 64x128x128 bf16", {64, 128, 128}, {64, 128, 128}, kBF16},
    {"bmm 8x512x512 f32", {8, 512, 512}, {8, 512, 512}},
    {"bmm 512x64x64 f32", {512, 64, 64}, {512, 64, 64}},
    {"bmm 2000x8x8 f32", {2000, 8, 8}, {2000, 8, 8}},
    {"bmm outer 10000x(16x1)x(1x16)", {10000, 16, 1}, {10000, 1, 16}},
    {"bmm dot 100000x(1x16)x(16x1)", {100000, 1, 16}, {100000, 16, 1}},
    {"bmm 256x(1x64)x(64x512)", {256, 1, 64}, {256, 64, 512}},
    {"bmv 4096x(32x32)x32", {4096, 32, 32}, {4096, 32, 1}},
    {"bmm broadcast (64,1,128,64)x(16,64,128)", {64, 1, 128, 64}, {16, 64, 128}},
    {"tall (100000,32)x(32,32)", {100000, 32}, {32, 32}},
    {"wide K (32,100000)x(100000,32)", {32, 100000}, {100000, 32}},
    {"(1e6,3)x(3,3)", {1000000, 3}, {3, 3}},
    {"(4096,4096)x(4096,2)", {kM, kM}, {kM, 2}},
    {"(8,4096)x(4096,4096)", {8, kM}, {kM, kM}},
    {"matvec 4096", {kM, kM}, {kM}},
    {"vecmat 4096", {kM}, {kM, kM}},
    {"matvec 2048 f64", {2048, 2048}, {2048}, kF64},
    {"dot 16M", {kE}, {kE}},
    {"dot 1000", {1000}, {1000}},
    {"outer by matmul 4096", {kM, 1}, {1, kM}},
};

void of_views(Table& t) {
  const Input square = numbers({1024, 1024});
  const auto transposed = [](In x) { return matmul(transpose(x[0]), x[1]); };
  t.value("A^T B 1024", {square, square}, transposed);
  t.value("A^T B 1024 bf16", times(2, numbers({1024, 1024}, kBF16)), transposed);
  t.value("A^T B 512 f64", times(2, numbers({512, 512}, kF64)), transposed);
  t.value("matvec 4096 A^T", {matrix(), numbers({kM})}, transposed);
  t.value("A^T B^T 1024", {square, square},
          [](In x) { return matmul(transpose(x[0]), transpose(x[1])); });
  t.value("bmm 64x128x128 B^T", times(2, numbers({64, 128, 128})),
          [](In x) { return matmul(x[0], transpose(x[1])); });
  t.value("gram X^T X (100000,32)", {numbers({100000, 32})},
          [](In x) { return matmul(transpose(x[0]), x[0]); });
  t.value("matmul 1024 strided view", {numbers({1024, 2048}), square},
          [](In x) { return matmul(slice(x[0], 1, {.step = 2}), x[1]); });
  t.value("matmul 512 f64 by f32 promoted", {numbers({512, 512}, kF64), numbers({512, 512})},
          product);
  t.value("outer 4096", {numbers({kM, 1}), numbers({1, kM})}, [](In x) { return x[0] * x[1]; });
  t.value("row dots sum(a*b,-1) (100000,64)", times(2, numbers({100000, 64})),
          [](In x) { return sum(x[0] * x[1], {1}); });
}

std::vector<Input> layer(int64_t rows, int64_t in, int64_t out, DType dtype = kF32) {
  return {numbers({rows, in}, dtype), numbers({out, in}, dtype), numbers({out}, dtype)};
}

}  // namespace

void products(Table& t) {
  for (const Product& p : kProducts) {
    t.value(p.name, {numbers(p.a, p.dtype), numbers(p.b, p.dtype)}, product);
  }
  of_views(t);
  t.value("linear (4096,512)->512 f64", layer(4096, 512, 512, kF64), linear_layer);
  for (int64_t rows : {1, 32}) {
    t.value("linear (" + std::to_string(rows) + ",784) W (512,784)",
            {numbers({rows, 784}), numbers({512, 784})}, [](In x) { return linear(x[0], x[1]); });
  }
  t.grad("linear fwd+bwd (512,1024)->1024", layer(512, 1024, 1024), linear_layer);
  t.grad("linear fwd+bwd bf16 (512,1024)->1024", layer(512, 1024, 1024, kBF16), linear_layer);
  t.grad("linear fwd+bwd f64 (256,256)->256", layer(256, 256, 256, kF64), linear_layer);
  t.loss("bmm 1000x16x16 bwd", times(2, numbers({1000, 16, 16})),
         [](In x) { return sum(square(product(x))); });
}

}  // namespace glia::bench
