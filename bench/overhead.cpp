// The cost of operations on almost no data.
#include "bench.h"

namespace glia::bench {
namespace {

constexpr int kElements = 16;

Tensor filled(float value) {
  return from_vector(std::vector<float>(kElements, value), {kElements});
}

}  // namespace

Result chain(const Options& options) {
  const Tensor z = filled(1), y = filled(0.999f);
  return run(options, [&] {
    Tensor a = z;
    for (int i = 0; i < 1000; ++i) a = a * y;
    eval(a);
    return a;
  });
}

Result chain_grad(const Options& options) {
  const Tensor z = trainable(filled(1)), y = filled(0.999f);
  return run(options, [&] {
    Tensor a = z;
    for (int i = 0; i < 100; ++i) a = a * y;
    const Tensor gradient = gradients(sum(a), {z})[0];
    eval(gradient);
    return gradient;
  });
}

Result node(const Options& options) {
  const Tensor z = from_vector<float>({1}, {1}), y = from_vector<float>({0.5f}, {1});
  constexpr int kNodes = 1000;
  Result result = run(options, [&] {
    Tensor a = z;
    for (int i = 0; i < kNodes; i += 2) a = a * y + z;
    eval(a);
    return a;
  });
  result.facts = {{"ns_per_node", result.ms * 1e6 / kNodes}};
  return result;
}

Result peak(const Options& options) {
  constexpr int64_t kSize = 2048, kLength = int64_t{1} << 24;
  const Tensor a = randn({kSize, kSize}), b = randn({kSize, kSize});
  const double product = median_ms([&] { eval(matmul(a, b)); }, options.seconds / 2);
  const Tensor x = randn({kLength}), y = randn({kLength});
  const double addition = median_ms([&] { eval(x + y); }, options.seconds / 2);
  Result result;
  result.ms = product;
  result.facts = {{"gflops", 2e-6 * kSize * kSize * kSize / product},
                  {"gbytes", 12e-6 * kLength / addition}};
  return result;
}

}  // namespace glia::bench
