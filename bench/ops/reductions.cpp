// Sums, means, extremes and what is made of them.
#include "ops.h"

namespace glia::bench {
namespace {

void sums(Table& t) {
  for (DType d : {kF32, kF64, kBF16, kU8, kI64, kI32, kBool}) {
    t.value(with("sum axis0", d), {matrix(d)}, [](In x) { return sum(x[0], {0}); });
  }
  for (DType d : {kF32, kF64, kBF16, kF16, kU8, kI64, kI32, kBool}) {
    t.value(with("sum axis1", d), {matrix(d)}, [](In x) { return sum(x[0], {1}); });
  }
  for (DType d : {kF32, kI64, kU8}) {
    t.value(with("sum all", d), {matrix(d)}, [](In x) { return sum(x[0]); });
  }
  t.value("count true", {matrix(kBool)}, [](In x) { return sum(x[0]); });
  const Input cube = numbers({256, 256, 256});
  t.value("sum middle of 256^3", {cube}, [](In x) { return sum(x[0], {1}); });
  t.value("sum axes 0,2 of 256^3", {cube}, [](In x) { return sum(x[0], {0, 2}); });
  const Input tall = numbers({1000000, 4});
  t.value("sum axis1 of (1e6,4)", {tall}, [](In x) { return sum(x[0], {1}); });
  t.value("sum axis0 of (1e6,4)", {tall}, [](In x) { return sum(x[0], {0}); });
  t.value("sum axis1 of (4,1e6)", {numbers({4, 1000000})}, [](In x) { return sum(x[0], {1}); });
  t.value("sum axis1 (1e6,3)", {numbers({1000000, 3})}, [](In x) { return sum(x[0], {1}); });
  t.value("mean axis0", {matrix()}, [](In x) { return mean(x[0], {0}); });
  t.value("mean axes 0,1,2 NHWC", {numbers({32, 56, 56, 64})}, [](In x) {
    return mean(x[0], {0, 1, 2});
  });
  t.value("prod axis1", {matrix()}, [](In x) { return prod(x[0], {1}); });
  t.value("norm 16M", {numbers({kE})}, [](In x) { return sqrt(sum(square(x[0]))); });
  t.value("all(x > -100)", {matrix()}, [](In x) { return all(x[0] > -100); });
  t.value("any bool", {above(100, {kM, kM})}, [](In x) { return any(x[0]); });
  t.value("any axis0", {matrix(kBool)}, [](In x) { return any(x[0], {0}); });
  t.value("all axis1", {matrix(kBool)}, [](In x) { return all(x[0], {1}); });
}

void extremes(Table& t) {
  t.value("max all", {matrix()}, [](In x) { return max(x[0]); });
  t.value("max axis0", {matrix()}, [](In x) { return max(x[0], {0}); });
  t.value("max axis1", {matrix()}, [](In x) { return max(x[0], {1}); });
  t.value("argmax axis0", {matrix()}, [](In x) { return argmax(x[0], 0); });
  t.value("argmax axis1", {matrix()}, [](In x) { return argmax(x[0], 1); });
  for (DType d : {kF64, kI64}) {
    t.value(with("max axis1", d), {matrix(d)}, [](In x) { return max(x[0], {1}); });
  }
  for (DType d : {kU8, kBF16, kF64, kI64, kI32}) {
    t.value(with("max axis0", d), {matrix(d)}, [](In x) { return max(x[0], {0}); });
    t.value(with("max all", d), {matrix(d)}, [](In x) { return max(x[0]); });
    t.value(with("argmax axis1", d), {matrix(d)}, [](In x) { return argmax(x[0], 1); });
  }
  t.value("max axis1 (1e6,3)", {numbers({1000000, 3})}, [](In x) { return max(x[0], {1}); });
  t.value("argmax all 16M", {numbers({kE})}, [](In x) { return argmax(x[0], 0); });
  t.value("argmax (100000,10)", {numbers({100000, 10})}, [](In x) { return argmax(x[0], 1); });
  t.value("argmax axis1 of NHWC", {numbers({16, 128, 128, 21})},
          [](In x) { return argmax(x[0], 3); });
}

}  // namespace

void reductions(Table& t) {
  sums(t);
  extremes(t);
  t.value("var axis0", {matrix()}, [](In x) { return var(x[0], {0}); });
  t.value("var axis1", {matrix()}, [](In x) { return var(x[0], {1}); });
  t.value("var all", {matrix()}, [](In x) { return var(x[0]); });
  for (DType d : {kBF16, kF64}) {
    t.value(with("var axis0", d), {matrix(d)}, [](In x) { return var(x[0], {0}); });
  }
  t.value("std axis0 f64", {numbers({kM, 1024}, kF64)}, [](In x) { return sqrt(var(x[0], {0})); });
  t.value("logsumexp axis0", {matrix()}, [](In x) { return logsumexp(x[0], {0}); });
  t.value("logsumexp axis1", {matrix()}, [](In x) { return logsumexp(x[0], {1}); });

  t.loss("max axis1 bwd", {matrix()}, [](In x) { return sum(max(x[0], {1})); });
  t.loss("prod axis1 bwd (4096,64)", {numbers({kM, 64})},
         [](In x) { return sum(prod(x[0], {1})); });
  t.loss("var axis0 bwd", {matrix()}, [](In x) { return sum(var(x[0], {0})); });
  t.loss("logsumexp axis0 bwd", {numbers({kM, 1024})},
         [](In x) { return sum(logsumexp(x[0], {0})); });
}

}  // namespace glia::bench
