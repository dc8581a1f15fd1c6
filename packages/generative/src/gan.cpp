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

Tensor r1_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real,
                  Where where) {
  if (real.rank() < 1 || real.size(0) == 0)
    throw ShapeError("r1_penalty: the samples are " + real.shape().str() + ", not (N, ...)", where);
  const Tensor at = trainable(real);
  const Tensor slope = gradients(sum(critic(at)), {at})[0];
  return sum(square(slope)) / static_cast<double>(real.size(0));
}

Tensor with_class(const Tensor& noise, const Tensor& labels, int64_t classes, Where where) {
  if (noise.rank() != 2 || labels.shape() != Shape{noise.size(0)})
    throw ShapeError("with_class: noise " + noise.shape().str() + " and classes " +
                         labels.shape().str() + " are not (N, noise) and (N)",
                     where);
  return concat({noise, one_hot(labels, classes, noise.dtype())}, 1, where);
}

namespace {

// What the average is of: weights, and statistics of norms, which follow them.
ParameterList averaged_places(const nn::Module& module) {
  ParameterList places = module.parameters();
  for (const nn::NamedVariable& buffer : module.named_buffers())
    if (is_float(buffer.variable.dtype())) places.push_back(buffer.variable);
  return places;
}

double rate_of_critic(const GanOptions& o) { return o.critic_lr > 0 ? o.critic_lr : o.lr; }

}  // namespace

Gan::Gan(nn::Sequential generator, nn::Sequential critic, const GanOptions& options)
    : options_(options),
      generator_(std::move(generator)),
      critic_(std::move(critic)),
      generator_optimizer_(generator_.parameters(), {.lr = options.lr, .betas = options.betas}),
      critic_optimizer_(critic_.parameters(),
                        {.lr = rate_of_critic(options), .betas = options.betas}),
      average_(averaged_places(generator_), {.decay = options.ema_decay}) {
  if (options.critic_steps < 1 || options.batch_size < 1 || options.noise < 1 ||
      options.total_steps < 0 || options.classes < 0)
    throw ValueError("Gan: critic_steps " + std::to_string(options.critic_steps) + ", batch_size " +
                     std::to_string(options.batch_size) + ", noise " +
                     std::to_string(options.noise) + ", total_steps " +
                     std::to_string(options.total_steps) + ", classes " +
                     std::to_string(options.classes));
  if (!(options.r1 >= 0) || !(options.critic_lr >= 0))
    throw ValueError("Gan: r1 " + std::to_string(options.r1) + ", critic_lr " +
                     std::to_string(options.critic_lr));
  if (options.total_steps == 0) return;
  generator_optimizer_.set_schedule(optim::cosine(options.lr, options.total_steps));
  critic_optimizer_.set_schedule(
      optim::cosine(rate_of_critic(options), options.total_steps * options.critic_steps));
}

Tensor Gan::drawn_labels(int64_t n) const {
  return options_.classes > 0 ? randint(0, options_.classes, {n}) : Tensor();
}

Tensor Gan::made(int64_t n, const Tensor& labels) const {
  const Tensor noise = randn({n, options_.noise});
  return generator_(labels.defined() ? with_class(noise, labels, options_.classes) : noise);
}

Tensor Gan::score(const Tensor& x, const Tensor& labels) const {
  const Tensor all = critic_(x);
  if (options_.classes == 0) return all;
  return slice(all, 1, {0, 1}) + gather(all, unsqueeze(labels, 1) + 1, 1);
}

Tensor Gan::loss_of_critic(const Labelled& real) const {
  const Tensor fake = stop_gradient(made(real.x.size(0), real.labels));
  const auto critic = [&](const Tensor& x) { return score(x, real.labels); };
  Tensor loss = critic_loss(options_.loss, critic(real.x), critic(fake));
  if (options_.loss == GanLoss::kWasserstein)
    loss = loss + options_.penalty * gradient_penalty(critic, real.x, fake);
  if (options_.r1 > 0) loss = loss + options_.r1 / 2 * r1_penalty(critic, real.x);
  return loss;
}

training::Task Gan::task(std::function<Labelled(int64_t n)> real) {
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
            const Tensor own = generator_optimizer_.step([&] {
              const Tensor labels = drawn_labels(n);
              return generator_loss(options_.loss, score(made(n, labels), labels));
            });
            average_.update();
            return {{"critic_loss", critics * n, n}, {"generator_loss", own}};
          }};
}

Tensor Gan::sample(int64_t n, const Tensor& labels) {
  const NoGrad no_grad;
  average_.swap();
  generator_.eval();
  const Tensor out = made(n, labels.defined() ? labels : drawn_labels(n));
  eval(out);
  generator_.train();
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
