// Networks of linear layers: forward, backward and update of one batch.
#include "bench.h"

namespace glia::bench {
namespace {

// Weights under PyTorch's names for such a Sequential, from the start file if there is one.
nn::Sequential network(const std::vector<int64_t>& sizes, const Start& start) {
  nn::Sequential model;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    if (i > 0) model.push_back(relu);
    model.push_back(nn::Linear(sizes[i], sizes[i + 1]));
  }
  start.load(model);
  return model;
}

// Three products for each weight, but for the first layer's the input's gradient.
double training_flops(const std::vector<int64_t>& sizes, int64_t batch) {
  double weights = 0;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) weights += sizes[i] * sizes[i + 1];
  return 2.0 * batch * (3 * weights - sizes[0] * sizes[1]);
}

Result mlp(const Options& options, const std::vector<int64_t>& sizes, int64_t batch,
           DType dtype = kF32) {
  const Start start(options);
  nn::Sequential model = network(sizes, start);
  const Tensor x = start("x", {batch, sizes.front()});
  const Tensor target = remainder(arange(batch), sizes.back());
  const ParameterList parameters = model.parameters();
  optim::SGD optimizer(parameters, {.lr = options.lr > 0 ? options.lr : 1e-6, .momentum = 0.9});
  Result result = run(options, [&] {
    const Autocast products(dtype);
    const Tensor loss = cross_entropy(model(x), target);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
  result.facts = {{"flops", training_flops(sizes, batch)}};
  return result;
}

}  // namespace

Result mlp_small(const Options& options) { return mlp(options, {784, 512, 512, 10}, 128); }
Result mlp_large(const Options& options) { return mlp(options, {4096, 4096, 4096, 1000}, 256); }
Result mlp_small_bf16(const Options& options) {
  return mlp(options, {784, 512, 512, 10}, 128, kBF16);
}
Result mlp_large_bf16(const Options& options) {
  return mlp(options, {4096, 4096, 4096, 1000}, 256, kBF16);
}

Result dqn_step(const Options& options) {
  constexpr int64_t kBatch = 128;
  const std::vector<int64_t> sizes = {4, 120, 84, 2};
  const Start start(options);
  nn::Sequential model = network(sizes, start);
  const Tensor x = start("x", {kBatch, 4}), target = start("target", {kBatch});
  const Tensor action = unsqueeze(remainder(arange(kBatch), 2), 1);
  const ParameterList parameters = model.parameters();
  optim::Adam optimizer(parameters, {.lr = options.lr > 0 ? options.lr : 1e-7});
  Result result = run(options, [&] {
    const Tensor loss = mse_loss(squeeze(gather(model(x), action, 1), 1), target);
    optimizer.step(gradients(loss, parameters));
    return loss;
  });
  result.facts = {{"flops", training_flops(sizes, kBatch)}};
  return result;
}

}  // namespace glia::bench
