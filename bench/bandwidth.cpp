// Work that memory limits: long chains of cheap operations, and single ones on 16 M elements.
#include "bench.h"

namespace glia::bench {
namespace {

Result elementwise(const Options& options, int operands, Tensor (*f)(const std::vector<Tensor>&)) {
  constexpr int64_t kLength = int64_t{1} << 24;
  const Start start(options);
  std::vector<Tensor> x;
  for (int i = 0; i < operands; ++i) x.push_back(start("x" + std::to_string(i), {kLength}));
  const NoGrad off;
  Result result = run(options, [&] {
    const Tensor y = f(x);
    eval(y);
    return y;
  });
  result.facts = {{"bytes", 4.0 * (operands + 1) * kLength}};
  return result;
}

}  // namespace

Result bandwidth(const Options& options) {
  constexpr int64_t kRows = 4096, kColumns = 1024;
  const Start start(options);
  const auto input = [&](const std::string& name, const Shape& shape) {
    return trainable(start(name, shape));
  };
  const Tensor x = input("x", {kRows, kColumns}), r = input("r", {kRows, kColumns});
  const Tensor g = trainable(ones({kColumns})), c = trainable(zeros({kColumns}));
  const Tensor b = trainable(zeros({kColumns})), dy = start("dy", {kRows, kColumns});
  const double p = options.proof_steps ? 0 : 0.1;  // other frameworks draw other numbers
  int proven = 0;
  Result result = run(options, [&] {
    const Tensor y = softmax(dropout(gelu(layer_norm(x, g, c) + b), p) + r);
    const std::vector<Tensor> grads = gradients(y, {x, r, g, c, b}, dy);
    eval(grads);
    // Proof steps show the value and the gradients in turn.
    return proven == 0 ? (++proven, y) : grads[(proven++ - 1) % grads.size()];
  });
  // x, r and dy read, their two gradients written.
  result.facts = {{"bytes", 4.0 * 5 * kRows * kColumns}};
  return result;
}

Result add16m(const Options& options) {
  return elementwise(options, 2, [](const std::vector<Tensor>& x) { return x[0] + x[1]; });
}
Result gelu16m(const Options& options) {
  return elementwise(options, 1, [](const std::vector<Tensor>& x) { return gelu(x[0]); });
}

}  // namespace glia::bench
