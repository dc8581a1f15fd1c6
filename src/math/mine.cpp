// Mutual information by a network (Belghazi et al. 2018).
#include <fmt/format.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/math/information.h"
#include "glia/math/summation.h"
#include "glia/nn.h"
#include "glia/optim.h"
#include "math/own_random.h"
#include "math/samples.h"

namespace glia::information {
namespace {

// T(x, y): (N, X), (N, Y) -> (N).
struct Critic : nn::Module {
  nn::Linear first, second, out;
  Critic(int64_t in, int64_t hidden) : first(in, hidden), second(hidden, hidden), out(hidden, 1) {}
  Tensor operator()(const Tensor& x, const Tensor& y) const {
    return squeeze(out(relu(second(relu(first(concat({x, y}, 1)))))), 1);
  }
  GLIA_FIELDS(first, second, out)
};

// Columns of mean 0 and variance 1, f32: mutual information does not depend on that.
Tensor scaled(const std::vector<double>& rows, int64_t columns) {
  NoGrad none;
  const Tensor x = from_vector(rows, {static_cast<int64_t>(rows.size()) / columns, columns});
  const Tensor deviation = sqrt(var(x, {0}, true, 0));
  return cast((x - mean(x, {0}, true)) / where(deviation == 0, 1, deviation), kF32);
}

void require_options(const char* name, const MineOptions& o, const Where& where) {
  const auto require = [&](bool ok, const char* what, double value) {
    if (!ok) throw ValueError(fmt::format("{}: {} is {}", name, what, value), where);
  };
  require(o.hidden >= 1 && o.hidden <= 1 << 16, "hidden", static_cast<double>(o.hidden));
  require(o.steps >= 1, "steps", static_cast<double>(o.steps));
  require(o.batch >= 2 && o.batch <= 1 << 24, "batch", static_cast<double>(o.batch));
  require(o.lr > 0 && std::isfinite(o.lr), "lr", o.lr);
  require(o.averaging > 0 && o.averaging <= 1, "averaging", o.averaging);
}

}  // namespace

MineResult mine(const Tensor& x, const Tensor& y, const MineOptions& options, Where where) {
  constexpr const char* kName = "mine";
  const double unit = log_base(kName, options.base, where);
  require_options(kName, options, where);
  int64_t dx = 1, dy = 1;
  const std::vector<double> of_x = sample_rows(kName, x, &dx, true, where);
  const std::vector<double> of_y = sample_rows(kName, y, &dy, true, where);
  const int64_t n = x.size(0);
  if (n != y.size(0)) fail(kName, fmt::format("{} and {} samples", n, y.size(0)), where);
  if (n < 2) throw ValueError(fmt::format("{}: {} samples, not 2 or more", kName, n), where);
  const Tensor a = scaled(of_x, dx), b = scaled(of_y, dy);

  const OwnRandom random(options.random_state);
  const Critic critic(dx + dy, options.hidden);
  optim::Adam adam(critic.parameters(), {.lr = options.lr});
  MineResult result;
  double running = 0;  // the logarithm of the moving mean of e^T
  for (int64_t step = 0; step < options.steps; ++step) {
    const Tensor i = randint(0, n, {options.batch}), j = randint(0, n, {options.batch});
    const Tensor joint = critic(take(a, i), take(b, i));
    const Tensor apart = logmeanexp(critic(take(a, i), take(b, j)), {0});
    const Tensor bound = mean(joint) - apart;
    const double now = apart.item();
    const double rate = step == 0 ? 1 : options.averaging;
    running = step == 0 ? now : std::log((1 - rate) * std::exp(running - now) + rate) + now;
    // The gradient of log E e^T with the moving mean below: e^(log E e^T - running) of it.
    const Tensor loss = exp(apart - running) - mean(joint);
    adam.set_lr(options.lr * 0.5 *
                (1 + std::cos(3.14159265358979323846 * static_cast<double>(step) /
                              static_cast<double>(options.steps))));
    result.history.push_back(bound.item() / unit);
    adam.step(gradients(loss, critic.parameters()));
  }
  // All samples, with each x beside some other y.
  NoGrad none;
  const Tensor joint = mean(critic(a, b));
  double apart = 0;
  constexpr int kShuffles = 8;
  for (int s = 0; s < kShuffles; ++s)
    apart += std::exp(logmeanexp(critic(a, take(b, randperm(n))), {0}).item()) / kShuffles;
  result.mutual_information = (joint.item() - std::log(apart)) / unit;
  return result;
}

}  // namespace glia::information
