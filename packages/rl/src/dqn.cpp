#include "glia/rl/dqn.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/rl/policy.h"

namespace glia::rl {
namespace {

constexpr size_t kLast = 100;  // episodes whose mean return is told

std::unique_ptr<Env> checked(std::unique_ptr<Env> env, const DqnOptions& o) {
  if (!env->action_space().is_discrete())
    throw ValueError("Dqn: an action of " + env->name() + " is no choice, but " +
                     env->action_space().str());
  if (env->observation_space().dtype() != kF32)
    throw ValueError("Dqn: what is observed of " + env->name() + " is " +
                     env->observation_space().str() + ", not f32");
  const auto positive = [](const char* name, int64_t value) {
    if (value < 1) throw ValueError("Dqn: " + std::string(name) + " is " + std::to_string(value));
  };
  positive("learning_starts", o.learning_starts);
  positive("train_frequency", o.train_frequency);
  positive("target_frequency", o.target_frequency);
  positive("batch_size", o.batch_size);
  if (o.total_steps <= o.learning_starts)
    throw ValueError("Dqn: learning_starts is not less than total_steps");
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value <= 1))
      throw ValueError("Dqn: " + std::string(name) + " is not between 0 and 1");
  };
  share("gamma", o.gamma);
  share("end_e", o.end_e);
  share("exploration_fraction", o.exploration_fraction);
  return env;
}

}  // namespace

nn::Sequential q_network(const Env& env) {
  return nn::Sequential(nn::Linear(env.observation_space().size(), 120), relu, nn::Linear(120, 84),
                        relu, nn::Linear(84, env.action_space().n()));
}

Dqn::Dqn(std::unique_ptr<Env> env, nn::Sequential network, const DqnOptions& options)
    : options_(options),
      env_(checked(std::move(env), options)),
      q_(std::move(network)),
      target_(q_),
      optimizer_(q_.parameters(), {.lr = options.lr}),
      buffer_(options.buffer_size, env_->observation_space(), env_->action_space(), options.seed),
      seen_(static_cast<size_t>(env_->observation_space().size())),
      next_(seen_) {
  env_->reset(seen_, options.seed);
}

training::Task Dqn::task() {
  return {.parts = {{"env", *env_},
                    {"agent", *this},
                    {"buffer", buffer_},
                    {"q", q_},
                    {"target", target_},
                    {"optimizer", optimizer_}},
          .step = [this](const data::Sample&) { return step(); }};
}

int64_t Dqn::updates() const {
  return 1 + (options_.total_steps - options_.learning_starts) / options_.train_frequency;
}

int64_t Dqn::steps_after(int64_t updates) const {
  return options_.learning_starts + (updates - 1) * options_.train_frequency;
}

double Dqn::exploring() const {
  const double falling = options_.exploration_fraction * static_cast<double>(options_.total_steps);
  const double part = falling > 0 ? static_cast<double>(steps_) / falling : 1;
  return std::max(options_.end_e, 1 + part * (options_.end_e - 1));
}

void Dqn::act() {
  data::Random random(options_.seed, 1, static_cast<uint64_t>(steps_));
  const bool explores = steps_ < options_.learning_starts || random.uniform() < exploring();
  const int64_t action =
      explores ? random.below(env_->action_space().n()) : greedy_action(action_values(q_, seen_));
  const Step step = env_->step(action, next_);
  buffer_.add(seen_, action, step.reward, next_, step.terminated);
  std::swap(seen_, next_);
  sum_ += step.reward;
  ++steps_;
  if (!step.terminated && !step.truncated) return;
  returns_.push_back(sum_);
  if (returns_.size() > kLast) returns_.pop_front();
  sum_ = 0;
  env_->reset(seen_);
}

Tensor Dqn::loss() {
  const Transitions t = buffer_.sample(options_.batch_size);
  const Tensor later = target_(t.next_observations);
  const Tensor chosen = argmax(options_.double_q ? q_(t.next_observations) : later, 1, true);
  const Tensor value = reshape(gather(later, chosen, 1), {-1});
  const Tensor wanted = stop_gradient(t.rewards + options_.gamma * where(t.terminated, 0, value));
  const Tensor told = gather(q_(t.observations), reshape(t.actions, {-1, 1}), 1);
  return mse_loss(reshape(told, {-1}), wanted);
}

training::Metrics Dqn::step() {
  const bool filling = steps_ == 0;
  const int64_t count = filling ? options_.learning_starts : options_.train_frequency;
  {
    const NoGrad acting;
    for (int64_t i = 0; i < count; ++i) act();
  }
  const double sum = std::accumulate(returns_.begin(), returns_.end(), 0.0);
  const auto episodes = static_cast<double>(returns_.size());
  training::Metrics metrics{{"exploring", exploring() * static_cast<double>(count), count},
                            {"return", returns_.empty() ? 0 : sum / episodes, !returns_.empty()},
                            {"loss", 0, 0}};
  if (filling) return metrics;
  metrics[2] = {"loss", optimizer_.step([&] { return loss(); })};
  if (steps_ / options_.target_frequency != (steps_ - count) / options_.target_frequency)
    target_.load_state_dict(q_.state_dict());
  return metrics;
}

StateDict Dqn::state_dict() const {
  const std::vector<double> returns(returns_.begin(), returns_.end());
  return {{"steps", tensor(steps_)},
          {"sum", tensor(sum_)},
          {"returns", from_vector(returns, {static_cast<int64_t>(returns.size())})}};
}

void Dqn::load_state_dict(const StateDict& state) {
  const auto at = [&](size_t i, const char* name) {
    if (state.size() != 3 || state[i].first != name) throw Error("Dqn: the state is of no agent");
    return state[i].second;
  };
  const auto steps = at(0, "steps").item<int64_t>();
  const double sum = at(1, "sum").item();
  const auto returns = at(2, "returns").to_vector<double>();
  if (steps < 0 || returns.size() > kLast) throw Error("Dqn: the state is of no agent");
  steps_ = steps;
  sum_ = sum;
  returns_.assign(returns.begin(), returns.end());
  env_->observe(seen_);  // the environment is a part before this one
}

}  // namespace glia::rl
