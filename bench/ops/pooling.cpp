// Pooling of (N, H, W, C) images.
#include "ops.h"

namespace glia::bench {
namespace {

Tensor max2(In x) { return max_pool2d(x[0], 2); }
Tensor max3_s2(In x) { return max_pool2d(x[0], {3, 3}, {.stride = {2, 2}, .padding = {1, 1}}); }
Tensor average2(In x) { return avg_pool2d(x[0], 2); }

}  // namespace

void pooling(Table& t) {
  const Input images = numbers({32, 56, 56, 64}), fewer = numbers({16, 56, 56, 64});
  t.value("max_pool 3x3 s2", {images}, max3_s2);
  t.value("max_pool 2x2 C=1", {numbers({256, 28, 28, 1})}, max2);
  t.value("max_pool f64", {numbers({8, 56, 56, 64}, kF64)}, max2);
  t.value("max_pool 2x2 s1", {fewer}, [](In x) {
    return max_pool2d(x[0], {2, 2}, {.stride = {1, 1}});
  });
  t.value("max_pool 5x5 s1 p2", {numbers({16, 28, 28, 64})}, [](In x) {
    return max_pool2d(x[0], {5, 5}, {.stride = {1, 1}, .padding = {2, 2}});
  });
  t.value("avg_pool 2x2", {images}, average2);
  t.value("avg_pool 3x3 s1 p1", {fewer}, [](In x) {
    return avg_pool2d(x[0], {3, 3}, {.stride = {1, 1}, .padding = {1, 1}});
  });
  t.value("avg_pool 7x7 global", {numbers({32, 7, 7, 512})},
          [](In x) { return avg_pool2d(x[0], 7); });
  t.value("global mean NHWC", {images}, [](In x) { return mean(x[0], {1, 2}); });

  t.grad("max_pool 2x2 fwd+bwd", {images}, max2);
  t.grad("max_pool 3x3 s2 fwd+bwd", {images}, max3_s2);
  t.grad("avg_pool 2x2 fwd+bwd", {images}, average2);
}

}  // namespace glia::bench
