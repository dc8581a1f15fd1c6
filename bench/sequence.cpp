// Recurrent networks.
#include "bench.h"

namespace glia::bench {
Result lstm_train(const Options& options) {
  constexpr int64_t kSteps = 100, kBatch = 32, kIn = 128, kHidden = 256;
  const Start start(options);
  nn::LSTM model(kIn, kHidden);
  start.load(model);
  const Tensor x = start("x", {kSteps, kBatch, kIn});
  const ParameterList parameters = model.parameters();
  optim::SGD optimizer(parameters, {.lr = options.lr > 0 ? options.lr : 0.1});
  Result result = run(options, [&] {
    const Tensor loss = mean(square(model(x).out));
    optimizer.step(optim::clip_grad_norm(gradients(loss, parameters), 1).gradients);
    return loss;
  });
  // Of the input's weights: value and weight gradient; of the state's: also its own gradient.
  result.facts = {{"flops", 2.0 * kSteps * kBatch * 4 * kHidden * (2 * kIn + 3 * kHidden)}};
  return result;
}

Result lstm_b1(const Options& options) {
  constexpr int64_t kSteps = 63, kIn = 24, kHidden = 32;
  const Start start(options);
  nn::LSTM model(kIn, kHidden);
  start.load(model);
  const Tensor x = start("x", {kSteps, 1, kIn});
  Result result = run(options, [&] {
    const NoGrad off;
    const LSTMResult r = model(x);
    eval({r.out, r.h, r.c});
    return r.out;
  });
  result.facts = {{"flops", 2.0 * kSteps * 4 * kHidden * (kIn + kHidden)}};
  return result;
}

}  // namespace glia::bench
