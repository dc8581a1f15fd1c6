#include "glia/rl/imitation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

std::unique_ptr<Env> checked(std::unique_ptr<Env> env, const Policy& expert,
                             const ActorCritic& network, const DaggerOptions& o) {
  const std::string who = "Dagger: ";
  if (!env || !expert) throw ValueError(who + "there is no environment, or no expert");
  if (env->observation_space().str() != network.observation_space().str() ||
      env->action_space().str() != network.action_space().str())
    throw ValueError(who + "the network is for other spaces than those of " + env->name());
  if (o.iterations < 1 || o.steps < 1 || o.epochs < 1 || o.batch_size < 1)
    throw ValueError(who + "iterations, steps, epochs or batch_size is below 1");
  if (!(o.beta_decay >= 0 && o.beta_decay <= 1))
    throw ValueError(who + "beta_decay is not between 0 and 1");
  return env;
}

}  // namespace

Dagger::Dagger(std::unique_ptr<Env> env, Policy expert, ActorCritic network,
               const DaggerOptions& options)
    : options_(options),
      env_(checked(std::move(env), expert, network, options)),
      expert_(std::move(expert)),
      network_(std::move(network)),
      optimizer_(network_.parameters(), {.lr = options.lr}),
      now_(static_cast<size_t>(env_->observation_space().size())) {
  env_->reset(now_, options.seed);
}

training::Task Dagger::task() {
  return {
      .parts = {{"env", *env_}, {"agent", *this}, {"network", network_}, {"optimizer", optimizer_}},
      .step = [this](const data::Sample&) { return step(); }};
}

training::Metrics Dagger::step() {
  const Space &observed = env_->observation_space(), &acted = env_->action_space();
  // At first the expert acts: the learner knows nothing yet.
  const double beta = iteration_ == 0 ? 1 : std::pow(options_.beta_decay, iteration_);
  {
    const NoGrad no_grad;
    const Policy learner = policy();
    for (int64_t i = 0; i < options_.steps; ++i, ++rows_) {
      data::Random random = agent_random(options_.seed, 0, rows_);
      const Decision wanted = expert_(now_);
      seen_.insert(seen_.end(), now_.begin(), now_.end());
      if (acted.is_discrete())
        choices_.push_back(wanted.choice);
      else
        boxes_.insert(boxes_.end(), wanted.values.begin(), wanted.values.end());
      const Step step = env_->step(random.uniform() < beta ? wanted : learner(now_), now_);
      const bool ended = step.terminated || step.truncated;
      statistics_.add(0, step.reward, ended);
      if (ended) env_->reset(now_);
    }
  }
  const auto count = static_cast<int64_t>(rows_);
  const Tensor observations = from_vector(seen_, in_rows(count, observed.shape()));
  const Tensor actions = acted.is_discrete() ? from_vector(choices_, {count})
                                             : from_vector(boxes_, {count, acted.size()});
  const int64_t size = std::min(options_.batch_size, count);
  double sum = 0;
  for (int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
    data::Random random = agent_random(options_.seed, static_cast<uint64_t>(epoch + 1), rows_);
    std::vector<int64_t> order(rows_);
    for (size_t i = 0; i < rows_; ++i) {
      const auto j = static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1));
      order[i] = order[j];
      order[j] = static_cast<int64_t>(i);
    }
    const Tensor shuffled = from_vector(order, {count});
    for (int64_t start = 0; start + size <= count; start += size) {
      const Tensor at = slice(shuffled, 0, {start, start + size});
      const Tensor loss = optimizer_.step([&] {
        const Tensor policy = network_.policy(take(observations, at));
        return -mean(network_.log_prob(policy, take(actions, at)));
      });
      if (epoch + 1 == options_.epochs) sum += loss.item();
    }
  }
  ++iteration_;
  return {statistics_.metric(), {"loss", sum, static_cast<double>(count / size)}};
}

StateDict Dagger::state_dict() const {
  const auto count = static_cast<int64_t>(rows_);
  StateDict values = {
      {"progress", tensor<int64_t>({iteration_, count})},
      {"observations", from_vector(seen_, in_rows(count, env_->observation_space().shape()))},
      {"actions", network_.is_discrete()
                      ? from_vector(choices_, {count})
                      : from_vector(boxes_, {count, env_->action_space().size()})}};
  io::append(values, "statistics.", statistics_.state_dict());
  return values;
}

void Dagger::load_state_dict(const StateDict& values) {
  const std::string who = "Dagger";
  const auto progress = entry(who, values, "progress", {2}, kI64).to_vector<int64_t>();
  const int64_t count = progress[1];
  if (progress[0] < 0 || progress[0] > options_.iterations || count < 0 ||
      count > options_.iterations * options_.steps)
    throw Error(who + ": the state is of no agent");
  const Space& acted = env_->action_space();
  const Tensor seen =
      entry(who, values, "observations", in_rows(count, env_->observation_space().shape()), kF32);
  const Tensor actions =
      entry(who, values, "actions", in_rows(count, acted.shape()), acted.dtype());
  statistics_.load_state_dict(io::with_prefix(values, "statistics."));
  seen_ = seen.to_vector<float>();
  if (acted.is_discrete())
    choices_ = actions.to_vector<int64_t>();
  else
    boxes_ = actions.to_vector<float>();
  iteration_ = progress[0];
  rows_ = static_cast<size_t>(count);
  env_->observe(now_);  // the environment is a part before this one
}

}  // namespace glia::rl
