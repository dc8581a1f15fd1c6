#include "glia/generative/gan.h"

#include <string>
#include <utility>
#include <vector>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {

Tensor critic_loss(GanLoss loss, const Tensor& real, const Tensor& fake) {
  switch (loss) {
    case GanLoss::kNonSaturating:
      return mean(softplus(-real)) + mean(softplus(fake));
    case GanLoss::kHinge:
      return mean(relu(1 - real)) + mean(relu(1 + fake));
    case GanLoss::kLeastSquares:
      return 0.5 * (mean(square(real - 1)) + mean(square(fake)));
    case GanLoss::kWasserstein:
      break;
  }
  return mean(fake) - mean(real);
}

Tensor generator_loss(GanLoss loss, const Tensor& fake) {
  if (loss == GanLoss::kNonSaturating) return mean(softplus(-fake));
  if (loss == GanLoss::kLeastSquares) return 0.5 * mean(square(fake - 1));
  return -mean(fake);
}

Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real,
                        const Tensor& fake, Where where) {
  if (real.rank() < 2 || real.shape() != fake.shape())
    throw ShapeError("gradient_penalty: the samples are " + real.shape().str() + " and " +
                         fake.shape().str() + ", not (N, ...) of one shape",
                     where);
  Shape each{real.size(0)};
  Axes inner;
  for (int i = 1; i < real.rank(); ++i) {
    each.push_back(1);
    inner.push_back(i);
  }
  const Tensor part = rand(each);
  const Tensor between = trainable(part * real + (1 - part) * fake);
  const Tensor slope = gradients(sum(critic(between)), {between})[0];
  // The root has no slope at 0.
  return mean(square(sqrt(sum(square(slope), inner) + 1e-12) - 1));
}

Gan::Gan(nn::Sequential generator, nn::Sequential critic, const GanOptions& options)
    : options_(options),
      generator_(std::move(generator)),
      critic_(std::move(critic)),
      generator_optimizer_(generator_.parameters(), {.lr = options.lr, .betas = options.betas}),
      critic_optimizer_(critic_.parameters(), {.lr = options.lr, .betas = options.betas}),
      average_(generator_.parameters(), {.decay = options.ema_decay}) {
  if (options.critic_steps < 1 || options.batch_size < 1 || options.noise < 1 ||
      options.total_steps < 0)
    throw ValueError("Gan: critic_steps " + std::to_string(options.critic_steps) + ", batch_size " +
                     std::to_string(options.batch_size) + ", noise " +
                     std::to_string(options.noise) + ", total_steps " +
                     std::to_string(options.total_steps));
  if (options.total_steps == 0) return;
  generator_optimizer_.set_schedule(optim::cosine(options.lr, options.total_steps));
  critic_optimizer_.set_schedule(
      optim::cosine(options.lr, options.total_steps * options.critic_steps));
}

Tensor Gan::made(int64_t n) const { return generator_(randn({n, options_.noise})); }

Tensor Gan::loss_of_critic(const Tensor& real) const {
  const Tensor fake = stop_gradient(made(options_.batch_size));
  if (options_.loss != GanLoss::kWasserstein)
    return critic_loss(options_.loss, critic_(real), critic_(fake));
  const Tensor penalty = gradient_penalty(std::cref(critic_), real, fake);
  return critic_loss(options_.loss, critic_(real), critic_(fake)) + options_.penalty * penalty;
}

training::Task Gan::task(std::function<Tensor(int64_t n)> real) {
  return {.parts = {{"generator", generator_},
                    {"critic", critic_},
                    {"generator_optimizer", generator_optimizer_},
                    {"critic_optimizer", critic_optimizer_},
                    {"average", average_}},
          .step = [this, real = std::move(real)](const data::Sample&) -> training::Metrics {
            const int64_t n = options_.batch_size;
            Tensor critics;
            for (int64_t i = 0; i < options_.critic_steps; ++i)
              critics = critic_optimizer_.step([&] { return loss_of_critic(real(n)); });
            const Tensor own = generator_optimizer_.step(
                [&] { return generator_loss(options_.loss, critic_(made(n))); });
            average_.update();
            return {{"critic_loss", critics * n, n}, {"generator_loss", own}};
          }};
}

Tensor Gan::sample(int64_t n) {
  const NoGrad no_grad;
  average_.swap();
  const Tensor out = made(n);
  eval(out);
  average_.swap();
  return out;
}

StateDict Gan::averaged_weights() {
  average_.swap();
  const StateDict out = generator_.state_dict();
  average_.swap();
  return out;
}

}  // namespace glia::generative
