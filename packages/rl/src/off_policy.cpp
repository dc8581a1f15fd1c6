#include "glia/rl/off_policy.h"

#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

std::unique_ptr<Env> checked(const char* name, std::unique_ptr<Env> env,
                             const OffPolicyOptions& o) {
  const std::string who = std::string(name) + ": ";
  if (!env) throw ValueError(who + "the environment is null");
  if (env->observation_space().dtype() != kF32)
    throw ValueError(who + "what is observed of " + env->name() + " is " +
                     env->observation_space().str() + ", not f32");
  const auto positive = [&](const char* what, int64_t value) {
    if (value < 1) throw ValueError(who + what + " is " + std::to_string(value));
  };
  positive("learning_starts", o.learning_starts);
  positive("train_frequency", o.train_frequency);
  positive("batch_size", o.batch_size);
  if (o.total_steps <= o.learning_starts)
    throw ValueError(who + "learning_starts is not less than total_steps");
  return env;
}

}  // namespace

OffPolicy::OffPolicy(const char* name, std::unique_ptr<Env> env, const OffPolicyOptions& options)
    : name_(name),
      options_(options),
      env_(checked(name, std::move(env), options)),
      buffer_(options.buffer_size, env_->observation_space(), env_->action_space(), options.replay),
      seen_(static_cast<size_t>(env_->observation_space().size())),
      next_(seen_) {
  env_->reset(seen_, options.replay.seed);
}

training::Task OffPolicy::task() {
  std::vector<training::Part> parts = {{"env", *env_}, {"agent", *this}, {"buffer", buffer_}};
  for (training::Part& part : networks()) parts.push_back(std::move(part));
  return {.parts = std::move(parts), .step = [this](const data::Sample&) { return step(); }};
}

int64_t OffPolicy::updates() const {
  return 1 + (options_.total_steps - options_.learning_starts) / options_.train_frequency;
}

int64_t OffPolicy::steps_after(int64_t updates) const {
  return options_.learning_starts + (updates - 1) * options_.train_frequency;
}

void OffPolicy::take_step() {
  data::Random random = agent_random(options_.replay.seed, 0, static_cast<uint64_t>(steps_));
  const Decision action =
      steps_ < options_.learning_starts ? random_action(actions(), random) : act(seen_, random);
  const Step step = env_->step(action, next_);
  const bool ended = step.terminated || step.truncated;
  buffer_.add(seen_, action, step.reward, next_, step.terminated, step.truncated);
  statistics_.add(0, step.reward, ended);
  std::swap(seen_, next_);
  ++steps_;
  if (ended) env_->reset(seen_);
}

training::Metrics OffPolicy::step() {
  const bool filling = steps_ == 0;
  {
    const NoGrad acting;
    const int64_t count = filling ? options_.learning_starts : options_.train_frequency;
    for (int64_t i = 0; i < count; ++i) take_step();
  }
  training::Metrics metrics = {statistics_.metric()};
  if (filling) {
    for (const std::string& name : measured()) metrics.push_back({name, 0, 0});
    return metrics;
  }
  for (training::Metric& metric : update()) metrics.push_back(std::move(metric));
  return metrics;
}

StateDict OffPolicy::state_dict() const {
  StateDict values = {{"steps", tensor(steps_)}};
  io::append(values, "statistics.", statistics_.state_dict());
  return values;
}

void OffPolicy::load_state_dict(const StateDict& values) {
  const auto steps = entry(name_, values, "steps", {}, kI64).item<int64_t>();
  if (steps < 0 || steps > options_.total_steps)
    throw Error(std::string(name_) + ": the state is of no agent");
  statistics_.load_state_dict(io::with_prefix(values, "statistics."));
  steps_ = steps;
  env_->observe(seen_);  // the environment is a part before this one
}

}  // namespace glia::rl
