#include "ops.h"

namespace glia::bench {

void losses(Table& t) {
  const auto cross = [](In x) { return cross_entropy(x[0], x[1]); };
  t.loss("cross_entropy fwd+bwd (4096,8000)", {numbers({4096, 8000}), indices(8000, {4096})},
         cross);
  t.loss("cross_entropy fwd+bwd (65536,10)", {numbers({65536, 10}), indices(10, {65536})}, cross);
  t.loss("cross_entropy fwd+bwd f64 (4096,1000)",
         {numbers({4096, 1000}, kF64), indices(1000, {4096})}, cross);
  t.loss("mse fwd+bwd 16M", times(2, numbers({kE})), [](In x) { return mse_loss(x[0], x[1]); });
  t.loss("bce fwd+bwd 4M", {numbers({kE / 4}), fixed(uniform01({kE / 4}))},
         [](In x) { return binary_cross_entropy_with_logits(x[0], x[1]); });
  t.value("kl divergence", times(2, numbers({4096, 1000})), [](In x) {
    const Tensor target = log_softmax(x[0], 1);
    return sum(exp(target) * (target - log_softmax(x[1], 1)));
  });
}

}  // namespace glia::bench
