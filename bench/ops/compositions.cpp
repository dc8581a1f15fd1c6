// What programs make of several operations.
#include "glia/ops/contract.h"
#include "glia/ops/normalize.h"
#include "glia/ops/select.h"
#include "ops.h"

namespace glia::bench {
namespace {

// Areas of the intersections of boxes (..., x0 y0 x1 y1).
Tensor intersections(In x) {
  const auto side = [&](int64_t low, int64_t high) {
    const auto edge = [](const Tensor& boxes, int64_t i) { return index(boxes, {Ellipsis, i}); };
    return maximum(
        minimum(edge(x[0], high), edge(x[1], high)) - maximum(edge(x[0], low), edge(x[1], low)), 0);
  };
  return side(0, 2) * side(1, 3);
}

// Rotary embedding of the halves of the last axis (Su et al. 2021).
Tensor rotated(In x) {
  const Tensor a = slice(x[0], -1, {.stop = 32}), b = slice(x[0], -1, {.start = 32});
  const Tensor c = cos(x[1]), s = sin(x[1]);
  return concat({a * c - b * s, a * s + b * c}, 3);
}

Tensor differences(In x) { return slice(x[0], 1, {.start = 1}) - slice(x[0], 1, {.stop = -1}); }

}  // namespace

void compositions(Table& t) {
  t.value("diff x[1:] - x[:-1] axis1", {matrix()}, differences);
  t.value("total variation", {matrix()}, [](In x) { return sum(abs(differences(x))); });
  t.value("pairwise distances 1000x1000x64", {numbers({1000, 1, 64}), numbers({1, 1000, 64})},
          [](In x) { return sum(square(x[0] - x[1]), {2}); });
  t.loss("pairwise distances bwd", {numbers({500, 1, 64}), numbers({1, 500, 64})},
         [](In x) { return sum(sqrt(sum(square(x[0] - x[1]), {2}) + 1e-6)); });
  t.value("kNN topk 10 of 2000x2000x32", times(2, numbers({2000, 32})),
          [](In x) { return -topk(-cdist(x[0], x[1]), 10).first; });
  t.value("cosine similarity (100000,64)", times(2, numbers({100000, 64})),
          [](In x) { return cosine_similarity(x[0], x[1]); });
  t.value("horner 20 terms 4M", {numbers({4000000})}, [](In x) {
    Tensor y = x[0];
    for (int i = 0; i < 20; ++i) y = y * x[0] + 0.5;
    return y;
  });
  t.value("gumbel argmax (4096,1000)", {numbers({4096, 1000})},
          [](In x) { return argmax(x[0] - log(-log(rand(x[0].shape()) + 1e-9)), 1); });
  t.value("histogram by compare (1e6, 20 bins)", {numbers({1000000, 1})},
          [](In x) { return histc(x[0], 20, -3, 3); });
  t.value("box iou 1000x1000", {numbers({1000, 1, 4}), numbers({1, 1000, 4})}, intersections);
  t.value("rotary (4,8,512,64)", {numbers({4, 8, 512, 64}), numbers({512, 32})}, rotated);
}

}  // namespace glia::bench
