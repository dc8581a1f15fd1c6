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

// What a plan of a known structure at new sizes costs, and graphs of many nodes, once each.
Result planning(const Options&) {
  const auto planned_ms = [](const std::function<void()>& call) {
    const double before = graph_stats().planning_ms;
    call();
    return graph_stats().planning_ms - before;
  };
  constexpr int kLayers = 12, kSizes = 100;
  nn::Sequential model;
  for (int i = 0; i < kLayers; ++i) {
    model.push_back(nn::Linear(8, 8));
    model.push_back(nn::LayerNorm({8}));
    model.push_back(relu);
  }
  const ParameterList parameters = model.parameters();
  const Tensor all = randn({kSizes + 8, 8});
  eval(all);
  const auto step = [&](int64_t rows) {
    const Tensor x = slice(all, 0, {0, rows});
    eval(gradients(mean(square(model(x))), parameters));
  };
  for (int64_t rows = 1; rows < 8; ++rows) step(rows);
  Result result;
  result.ms = planned_ms([&] {
                for (int64_t rows = 8; rows < 8 + kSizes; ++rows) step(rows);
              }) /
              kSizes;

  const Tensor z = trainable(from_vector<float>({1, 2, 3, 4}, {2, 2}));
  constexpr int kDeep = 5000, kParts = 20000;
  const double deep = planned_ms([&] {
    Tensor a = z;
    for (int i = 0; i < kDeep; ++i) a = tanh(matmul(a, z));
    eval(gradients(sum(a), {z}));
  });
  const Tensor rows = trainable(randn({kParts, 4}));
  eval(rows);
  const double slices = planned_ms([&] {
    Tensor sum_of = zeros({1, 4});
    for (int i = 0; i < kParts; ++i) sum_of = sum_of + square(slice(rows, 0, {i, i + 1}));
    eval(gradients(sum(sum_of), {rows}));
  });
  const double parts = planned_ms([&] {
    std::vector<Tensor> list;
    for (int i = 0; i < kParts; ++i) list.push_back(z * static_cast<double>(i % 7));
    eval(concat(list));
  });
  result.facts = {{"deep_ms", deep}, {"slices_ms", slices}, {"concat_ms", parts}};
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
