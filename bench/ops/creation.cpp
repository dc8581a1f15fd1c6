// Random numbers, and arrays that are made of none.
#include "ops.h"

namespace glia::bench {

void creation(Table& t) {
  t.value("rand 16M", {}, [](In) { return rand({kE}); });
  t.value("rand bf16 16M", {}, [](In) { return rand({kE}, kBF16); });
  t.value("uniform 16M", {}, [](In) { return uniform({kE}, -1, 1); });
  t.value("randn 16M", {}, [](In) { return randn({kE}); });
  t.value("randn 4M f64", {}, [](In) { return randn({kE / 4}, kF64); });
  t.value("normal 4M", {}, [](In) { return normal({kE / 4}, 1, 2); });
  t.value("randint 4M", {}, [](In) { return randint(0, 100, {kE / 4}); });
  t.value("bernoulli 16M", {}, [](In) { return bernoulli({kE}, 0.5); });
  t.value("randperm 1e6", {}, [](In) { return randperm(1000000); });
  t.value("dropout 16M", {numbers({kE})}, [](In x) { return dropout(x[0], 0.1); });
  t.value("dropout 4M f64", {numbers({kE / 4}, kF64)}, [](In x) { return dropout(x[0], 0.1); });
  t.grad("dropout fwd+bwd 16M", {numbers({kE})}, [](In x) { return dropout(x[0], 0.1); });
  t.value("bernoulli mask mul f64 4M", {numbers({kE / 4}, kF64)},
          [](In x) { return x[0] * bernoulli({kE / 4}, 0.5); });

  t.value("arange 16M", {}, [](In) { return arange(kE); });
  t.value("linspace 16M", {}, [](In) { return linspace(0, 1, kE); });
  t.value("zeros 16M", {}, [](In) { return zeros({kE}); });
  t.value("full 16M", {}, [](In) { return full({kE}, 3.0); });
  t.value("ones i64 8M", {}, [](In) { return ones({kE / 2}, kI64); });
  t.value("eye 4096", {}, [](In) { return eye(kM); });
}

}  // namespace glia::bench
