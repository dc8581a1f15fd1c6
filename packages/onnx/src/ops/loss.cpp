// Losses, and the steps of optimizers (ai.onnx.preview.training).
#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/select.h"

namespace glia::onnx {
namespace {

// The loss of log-probabilities (N, C, ...) with classes (N, ...).
void nll(Call& c, const Tensor& log_p, const Tensor& classes, int weight_at) {
  const Tensor target = cast(classes, kI64);
  const bool ignores = c.has_attribute("ignore_index");
  const int64_t ignored = c.integer_of("ignore_index", 0);
  const Tensor counted = ignores ? target != ignored : ones(target.shape(), kBool);
  const Tensor at = where(counted, target, zeros_like(target));
  const Tensor picked = squeeze(gather(log_p, unsqueeze(at, 1), 1), 1);
  Tensor weight = cast(counted, log_p.dtype());
  if (c.has(weight_at)) weight = weight * take(c.tensor(weight_at), at);
  const Tensor loss = -picked * weight;
  const std::string how = c.text_of("reduction", "mean");
  c.set(0, how == "none" ? loss : how == "sum" ? sum(loss) : sum(loss) / sum(weight));
}
void nll_op(Call& c) { nll(c, c.tensor(0), c.tensor(1), 2); }
void softmax_cross_entropy(Call& c) {
  const Tensor log_p = log_softmax(c.tensor(0), 1);
  nll(c, log_p, c.tensor(1), 2);
  c.set(1, log_p);
}

// ---- Optimizers: R, T, then all X, all G, and so on ----

struct Step {
  Tensor rate, count;
  int tensors;
};
Step step_of(Call& c, int of_each) {
  const int rest = c.inputs() - 2;
  if (rest < 0 || rest % of_each != 0) c.fail(std::to_string(c.inputs()) + " inputs");
  return {reshape(c.tensor(0), {}), cast(reshape(c.tensor(1), {}), kF32), rest / of_each};
}
void adagrad(Call& c) {
  const auto [rate, t, n] = step_of(c, 3);
  const Tensor r = rate / (1 + t * c.real_of("decay_factor", 0));
  for (int i = 0; i < n; ++i) {
    const Tensor x = c.tensor(2 + i),
                 g = c.tensor(2 + n + i) + x * c.real_of("norm_coefficient", 0);
    const Tensor h = c.tensor(2 + 2 * n + i) + square(g);
    c.set(i, x - r * g / (sqrt(h) + c.real_of("epsilon", 1e-6)), c.type(2 + i));
    c.set(n + i, h, c.type(2 + i));
  }
}
void adam(Call& c) {
  const auto [rate, t, n] = step_of(c, 4);
  const double a = c.real_of("alpha", 0.9), b = c.real_of("beta", 0.999);
  const Tensor r =
      where(t > 0, rate * sqrt(1 - pow(b, t)) / (1 - pow(a, where(t > 0, t, 1))), rate);
  for (int i = 0; i < n; ++i) {
    const Tensor x = c.tensor(2 + i),
                 g = c.tensor(2 + n + i) + x * c.real_of("norm_coefficient", 0);
    const Tensor v = c.tensor(2 + 2 * n + i) * a + g * (1 - a);
    const Tensor h = c.tensor(2 + 3 * n + i) * b + square(g) * (1 - b);
    const Tensor y = x - r * v / (sqrt(h) + c.real_of("epsilon", 1e-6));
    c.set(i, y * (1 - c.real_of("norm_coefficient_post", 0)), c.type(2 + i));
    c.set(n + i, v, c.type(2 + i));
    c.set(2 * n + i, h, c.type(2 + i));
  }
}
void momentum(Call& c) {
  const auto [rate, t, n] = step_of(c, 3);
  const double a = c.real_of("alpha", 0), b = c.real_of("beta", 0);
  const bool nesterov = c.text_of("mode", "standard") == "nesterov";
  const Tensor share = where(t > 0, b, 1);
  for (int i = 0; i < n; ++i) {
    const Tensor x = c.tensor(2 + i),
                 g = c.tensor(2 + n + i) + x * c.real_of("norm_coefficient", 0);
    const Tensor v = c.tensor(2 + 2 * n + i) * a + g * share;
    c.set(i, x - rate * (nesterov ? g + v * a : v), c.type(2 + i));
    c.set(n + i, v, c.type(2 + i));
  }
}

const Operators list{
    {"NegativeLogLikelihoodLoss", nll_op},
    {"SoftmaxCrossEntropyLoss", softmax_cross_entropy},
    {"ai.onnx.preview.training.Adagrad", adagrad},
    {"ai.onnx.preview.training.Adam", adam},
    {"ai.onnx.preview.training.Momentum", momentum},
};

}  // namespace
}  // namespace glia::onnx
