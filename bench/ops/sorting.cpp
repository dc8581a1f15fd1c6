// Scans and sorting.
#include "ops.h"

namespace glia::bench {
namespace {

void scans(Table& t) {
  t.value("cumsum axis0", {matrix()}, [](In x) { return cumsum(x[0], 0); });
  t.value("cumsum axis1", {matrix()}, [](In x) { return cumsum(x[0], 1); });
  t.value("cumsum 16M", {numbers({kE})}, [](In x) { return cumsum(x[0], 0); });
  t.value("cumsum i64 axis1", {matrix(kI64)}, [](In x) { return cumsum(x[0], 1); });
  for (DType d : {kBF16, kF64}) {
    t.value(with("cumsum axis1", d), {matrix(d)}, [](In x) { return cumsum(x[0], 1); });
  }
  t.value("cumprod axis1", {matrix()}, [](In x) { return cumprod(x[0], 1); });
  t.loss("cumsum bwd", {numbers({kM, 1024})}, [](In x) { return sum(square(cumsum(x[0], 1))); });
}

void sorts(Table& t) {
  const auto add = [&](const std::string& name, const Input& input, int axis) {
    t.value(name, {input}, [axis](In x) { return sort(x[0], axis).first; });
  };
  add("sort (1000,1000)", numbers({1000, 1000}), 1);
  add("sort axis0 (1000,1000)", numbers({1000, 1000}), 0);
  add("sort 1e6", numbers({1000000}), 0);
  add("sort (100000,8)", numbers({100000, 8}), 1);
  add("sort (10000,64)", numbers({10000, 64}), 1);
  add("sort 1e6 f64", numbers({1000000}, kF64), 0);
  for (DType d : {kU8, kBF16, kF64, kI64, kI32}) {
    add(with("sort rows 512", d), numbers({4096, 512}, d), 1);
  }
  t.value("argsort 1e6 i64", {indices(1000000000, {1000000})}, [](In x) { return argsort(x[0]); });
  t.loss("sort bwd (1000,1000)", {numbers({1000, 1000})},
         [](In x) { return sum(square(sort(x[0], 1).first)); });
}

void tops(Table& t) {
  const auto add = [&](const std::string& name, int64_t k, const Shape& shape) {
    t.value(name, {numbers(shape)}, [k](In x) { return topk(x[0], k).first; });
  };
  add("topk 10 of (1000,10000)", 10, {1000, 10000});
  add("topk 5 of 1e6", 5, {1000000});
  add("topk 500 of (64,10000)", 500, {64, 10000});
  add("topk 5000 of 1e6", 5000, {1000000});
  add("topk 50 of (8,50257)", 50, {8, 50257});
}

}  // namespace

void sorting(Table& t) {
  scans(t);
  sorts(t);
  tops(t);
}

}  // namespace glia::bench
