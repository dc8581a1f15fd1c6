// Rows, elements and positions named by tensors.
#include "ops.h"

namespace glia::bench {
namespace {

Tensor looked_up(In x) { return take(x[0], x[1]); }
Tensor added(In x) { return index_add(x[0], x[1], x[2]); }

void gathered(Table& t) {
  t.value("take rows (100000,64) 65536", {numbers({100000, 64}), indices(100000, {65536})},
          looked_up);
  t.value("take cols (4096,4096) 512", {matrix(), indices(kM, {512})},
          [](In x) { return take(x[0], x[1], 1); });
  t.value("take 1D 16M by 4M", {numbers({kE}), indices(kE, {4000000})}, looked_up);
  t.value("gather axis1", {matrix(), indices(kM, {kM, 512})},
          [](In x) { return gather(x[0], x[1], 1); });
  t.value("gather axis0", {matrix(), indices(kM, {512, kM})},
          [](In x) { return gather(x[0], x[1], 0); });
  for (DType d : {kU8, kBF16, kF64, kI64, kI32, kBool}) {
    t.value(with("take rows", d), {matrix(d), indices(kM, {kM})}, looked_up);
    t.value(with("gather axis1", d), {matrix(d), indices(width_of(d), {kM, 512})},
            [](In x) { return gather(x[0], x[1], 1); });
  }
  t.value("index pairs", {matrix(), indices(kM, {1000000}), indices(kM, {1000000})}, [](In x) {
    return index(x[0], {x[1], x[2]});
  });
  t.value("one_hot 65536 x 100", {indices(100, {65536})}, [](In x) { return one_hot(x[0], 100); });

  t.grad("gather axis1 bwd", {numbers({kM, 1024}), indices(1024, {kM, 64})},
         [](In x) { return gather(x[0], x[1], 1); });
  t.grad("embedding fwd+bwd", {numbers({30000, 256}), indices(30000, {8192})}, looked_up);
  t.grad("embedding 100 x 64, (65536)", {numbers({100, 64}), indices(100, {65536})}, looked_up);
  t.grad("embedding 50000 x 512, (4096)", {numbers({50000, 512}), indices(50000, {4096})},
         looked_up);
}

void scattered(Table& t) {
  t.value("scatter_add axis1", {matrix(), indices(kM, {kM, 512}), numbers({kM, 512})},
          [](In x) { return scatter_add(x[0], x[1], x[2], 1); });
  t.value("scatter_add axis0", {matrix(), indices(kM, {512, kM}), numbers({512, kM})},
          [](In x) { return scatter_add(x[0], x[1], x[2], 0); });
  t.value("scatter_add 1D 4M into 1e6",
          {numbers({1000000}), indices(1000000, {4000000}), numbers({4000000})},
          [](In x) { return scatter_add(x[0], x[1], x[2], 0); });
  t.value("index_add rows", {numbers({100000, 64}), indices(100000, {65536}), numbers({65536, 64})},
          added);
  t.value("index_add into 10 rows", {numbers({10, 64}), indices(10, {65536}), numbers({65536, 64})},
          added);
  for (DType d : {kBF16, kF64}) {
    t.value(with("index_add rows", d),
            {numbers({10000, 64}, d), indices(10000, {65536}), numbers({65536, 64}, d)}, added);
  }
  t.value("bincount by one_hot-free index_add", {indices(1000, {4000000})},
          [](In x) { return index_add(zeros({1000}), x[0], ones({4000000})); });
  t.grad("scatter_add bwd", {numbers({1000, 1000}), numbers({1000, 500})}, [](In x) {
    const Tensor at = expand(remainder(arange(500) * 7, 1000), {1000, 500});
    return scatter_add(x[0], at, x[1], 1);
  });
}

void masked(Table& t) {
  t.value("mask select 16M", {matrix(), matrix(kBool)}, [](In x) { return index(x[0], {x[1]}); });
  t.value("mask rows (1e5,64)", {numbers({100000, 64}), numbers({100000}, kBool)},
          [](In x) { return index(x[0], {x[1]}); });
  t.value("nonzero 16M 1%", {above(2.3, {kM, kM})}, [](In x) { return nonzero(x[0]); });
  t.value("mask index_update", {matrix(), above(1, {kM, kM})},
          [](In x) { return index_update(x[0], {x[1]}, tensor(0.0f)); });
  t.value("index_update rows",
          {numbers({100000, 64}), indices(100000, {10000}), numbers({10000, 64})},
          [](In x) { return index_update(x[0], {x[1]}, x[2]); });
}

}  // namespace

void indexing(Table& t) {
  gathered(t);
  scattered(t);
  masked(t);
}

}  // namespace glia::bench
