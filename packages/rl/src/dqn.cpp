#include "glia/rl/dqn.h"

#include <algorithm>
#include <utility>

#include "glia/autodiff.h"
#include "glia/ops.h"

namespace glia::rl {
namespace {

OffPolicyOptions off_policy(const DqnOptions& o) {
  return {.total_steps = o.total_steps,
          .learning_starts = o.learning_starts,
          .train_frequency = o.train_frequency,
          .buffer_size = o.buffer_size,
          .batch_size = o.batch_size,
          .replay = {.seed = o.seed, .n_step = o.n_step, .gamma = o.gamma, .alpha = o.per_alpha}};
}

// (N, actions, atoms) at actions (N) -> (N, atoms).
Tensor of_actions(const Tensor& returns, const Tensor& actions) {
  const Shape& shape = returns.shape();
  const Tensor at = expand(reshape(actions, {-1, 1, 1}), {shape[0], 1, shape[2]});
  return reshape(gather(returns, at, 1), {shape[0], shape[2]});
}

// Probabilities of returns `moved` (N, atoms), shared between the two atoms next to each (Bellemare
// et al. 2017).
Tensor projected(const Tensor& probabilities, const Tensor& moved, const Tensor& atoms,
                 const QNetworkOptions& o) {
  const double distance = (o.v_max - o.v_min) / static_cast<double>(o.atoms - 1);
  const Tensor within = unsqueeze(clamp(moved, o.v_min, o.v_max), 2);
  const Tensor share = relu(1 - abs(within - atoms) / distance);
  return sum(unsqueeze(probabilities, 2) * share, {1});
}

// The loss of each transition, and its error by which it is drawn again.
struct Losses {
  Tensor loss, error;
};

Losses losses_of(const QNetwork& q, const QNetwork& target, const Transitions& t, bool double_q) {
  const QNetworkOptions& o = q.options();
  const Tensor told = of_actions(q.returns(t.observations), t.actions);
  const Tensor chosen = argmax(double_q ? q(t.next_observations) : target(t.next_observations), 1);
  const Tensor later = of_actions(target.returns(t.next_observations), chosen);
  const Tensor rewards = unsqueeze(t.rewards, 1), discounts = unsqueeze(t.discounts, 1);
  if (o.returns == ReturnKind::kCategorical) {
    const Tensor atoms = q.atoms();
    const Tensor wanted =
        stop_gradient(projected(softmax(later), rewards + discounts * atoms, atoms, o));
    const Tensor loss = -sum(wanted * log_softmax(told), {1});
    return {loss, loss};
  }
  const Tensor wanted = stop_gradient(rewards + discounts * later);
  if (o.returns == ReturnKind::kMean) {
    const Tensor error = reshape(told - wanted, {-1});
    return {square(error), abs(error)};
  }
  // Huber's loss at 1 of each pair of quantiles (Dabney et al. 2018).
  const Tensor error = unsqueeze(wanted, 1) - unsqueeze(told, 2);  // (N, told, wanted)
  const auto count = static_cast<double>(o.atoms);
  const Tensor levels = reshape((arange(o.atoms, kF32) + 0.5) / count, {1, -1, 1});
  const Tensor size = abs(error);
  const Tensor huber = where(size <= 1, 0.5 * square(error), size - 0.5);
  const Tensor below = stop_gradient(cast(error < 0, kF32));
  const Tensor loss = sum(mean(abs(levels - below) * huber, {2}), {1});
  return {loss, loss};
}

}  // namespace

Dqn::Dqn(std::unique_ptr<Env> env, QNetwork network, const DqnOptions& options)
    : OffPolicy("Dqn", std::move(env), off_policy(options)),
      options_(options),
      q_(std::move(network)),
      target_(q_),
      optimizer_(q_.parameters(), {.lr = options.lr, .eps = options.eps}) {
  if (!actions().is_discrete())
    throw ValueError("Dqn: an action of " + this->env().name() + " is no choice, but " +
                     actions().str());
  if (options.target_frequency < 1)
    throw ValueError("Dqn: target_frequency is " + std::to_string(options.target_frequency));
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value <= 1))
      throw ValueError("Dqn: " + std::string(name) + " is not between 0 and 1");
  };
  share("end_e", options.end_e);
  share("exploration_fraction", options.exploration_fraction);
  share("per_beta", options.per_beta);
}

std::vector<training::Part> Dqn::networks() {
  return {{"q", q_}, {"target", target_}, {"optimizer", optimizer_}};
}

double Dqn::exploring() const {
  if (q_.options().noisy) return 0;
  const double falling = options_.exploration_fraction * static_cast<double>(options_.total_steps);
  const double part = falling > 0 ? static_cast<double>(steps()) / falling : 1;
  return std::max(options_.end_e, 1 + part * (options_.end_e - 1));
}

Decision Dqn::act(const ObservationView& seen, data::Random& random) {
  if (random.uniform() < exploring()) return random.below(actions().n());
  return greedy_action(action_values(q_, seen));
}

training::Metrics Dqn::update() {
  const double part = static_cast<double>(steps()) / static_cast<double>(options_.total_steps);
  const Transitions t = sample(options_.per_beta + part * (1 - options_.per_beta));
  Tensor error;
  const Tensor loss = optimizer_.step([&] {
    const Losses losses = losses_of(q_, target_, t, options_.double_q);
    error = stop_gradient(losses.error);
    return mean(t.weights * losses.loss);
  });
  if (options_.per_alpha > 0) buffer().update_priorities(t.rows, error.data<float>());
  const int64_t before = steps() - options_.train_frequency;
  if (steps() / options_.target_frequency != before / options_.target_frequency)
    target_.load_state_dict(q_.state_dict());
  return {{"exploring", exploring()}, {"loss", loss}};
}

}  // namespace glia::rl
