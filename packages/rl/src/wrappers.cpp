#include "glia/rl/wrappers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "glia/io.h"
#include "state.h"

namespace glia::rl {
namespace {

const Env& given(const std::unique_ptr<Env>& env) {
  if (!env) throw ValueError("Wrapper: the environment is null");
  return *env;
}

const Env& of_f32(const char* who, const std::unique_ptr<Env>& env) {
  if (given(env).observation_space().dtype() != kF32)
    throw ValueError(std::string(who) + ": what is observed of " + env->name() + " is " +
                     env->observation_space().str() + ", not f32");
  return *env;
}

Space unbounded(const Shape& shape) {
  const double most = std::numeric_limits<double>::infinity();
  return Space::box(-most, most, shape);
}

}  // namespace

// ---- Wrapper ----------------------------------------------------------------------------------

Wrapper::Wrapper(std::unique_ptr<Env>&& env)
    : Wrapper(std::move(env), given(env).observation_space(), given(env).action_space()) {}

Wrapper::Wrapper(std::unique_ptr<Env>&& env, Space observation, Space action)
    : Env(given(env).name(), std::move(observation), std::move(action), given(env).state_space()),
      env_(std::move(env)),
      seen_(env_->observation_space().bytes()) {
  set_max_episode_steps(env_->max_episode_steps());
}

ObservationView Wrapper::seen() const {
  return {seen_.data(), env_->observation_space().dtype(), env_->observation_space().size()};
}

Step Wrapper::forward(const Action& action) {
  return env_->step(action, {seen_.data(), seen().dtype(), seen().size()});
}

void Wrapper::observation(const Observation& out) const {
  std::memcpy(out.data(), seen_.data(), seen_.size());
}

void Wrapper::start(data::Random, std::span<double> state) {
  const Observation out = {seen_.data(), seen().dtype(), seen().size()};
  env_->reset(out, episode() == 0 ? std::optional(seed()) : std::nullopt);
  std::ranges::copy(env_->state(), state.begin());
  begin();
}

Step Wrapper::advance(const Action& action, std::span<double> state) {
  const Step step = act(action);
  std::ranges::copy(env_->state(), state.begin());
  return step;
}

void Wrapper::write(std::span<const double>, const Observation& out) const { observation(out); }

void Wrapper::accept(std::span<const double> state) {
  env_->set_state(state);
  env_->observe({seen_.data(), seen().dtype(), seen().size()});
  begin();
}

Tensor Wrapper::draw(std::span<const double>) const { return env_->render(); }

StateDict Wrapper::state_dict() const {
  StateDict values = Env::state_dict();
  io::append(values, "env.", env_->state_dict());
  return values;
}

void Wrapper::load_state_dict(const StateDict& values) {
  const StateDict before = env_->state_dict();
  try {
    Env::load_state_dict(values);
    env_->load_state_dict(io::with_prefix(values, "env."));
  } catch (...) {
    env_->load_state_dict(before);
    throw;
  }
  if (started()) env_->observe({seen_.data(), seen().dtype(), seen().size()});
}

// ---- Normalisation ----------------------------------------------------------------------------

RunningMeanStd::RunningMeanStd(int64_t size, double epsilon)
    : mean_(static_cast<size_t>(size)), var_(mean_.size(), 1.0), count_(epsilon) {}

void RunningMeanStd::update(std::span<const double> values) {
  const double total = count_ + 1;
  for (size_t i = 0; i < mean_.size(); ++i) {
    const double delta = values[i] - mean_[i];
    mean_[i] += delta / total;
    var_[i] = (var_[i] * count_ + delta * delta * count_ / total) / total;
  }
  count_ = total;
}

StateDict RunningMeanStd::state_dict() const {
  const Shape shape = {static_cast<int64_t>(mean_.size())};
  return {{"mean", from_vector(mean_, shape)},
          {"var", from_vector(var_, shape)},
          {"count", tensor(count_)}};
}

void RunningMeanStd::load_state_dict(const StateDict& values) {
  const std::string who = "RunningMeanStd";
  const Shape shape = {static_cast<int64_t>(mean_.size())};
  const auto mean = entry(who, values, "mean", shape, kF64).to_vector<double>();
  const auto var = entry(who, values, "var", shape, kF64).to_vector<double>();
  const double count = entry(who, values, "count", {}, kF64).item();
  if (!(count > 0) || !std::isfinite(count) ||
      std::ranges::any_of(var, [](double v) { return !(v >= 0); }))
    throw ValueError(who + ": the state has no statistics");
  mean_ = mean;
  var_ = var;
  count_ = count;
}

NormalizeObservation::NormalizeObservation(std::unique_ptr<Env> env, double epsilon)
    : Wrapper(std::move(env),
              unbounded(of_f32("NormalizeObservation", env).observation_space().shape()),
              given(env).action_space()),
      epsilon_(epsilon),
      statistics_(observation_space().size()) {
  if (!(epsilon > 0)) throw ValueError("NormalizeObservation: epsilon is not above 0");
  wide_.resize(static_cast<size_t>(observation_space().size()));
}

void NormalizeObservation::learn() {
  if (!updates_) return;
  std::ranges::copy(seen().values<float>(), wide_.begin());
  statistics_.update(wide_);
}

void NormalizeObservation::begin() { learn(); }

Step NormalizeObservation::act(const Action& action) {
  const Step step = forward(action);
  learn();
  return step;
}

void NormalizeObservation::observation(const Observation& out) const {
  const auto from = seen().values<float>();
  const auto to = out.values<float>();
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = static_cast<float>((from[i] - statistics_.mean()[i]) /
                               std::sqrt(statistics_.var()[i] + epsilon_));
}

StateDict NormalizeObservation::state_dict() const {
  StateDict values = Wrapper::state_dict();
  io::append(values, "statistics.", statistics_.state_dict());
  return values;
}

void NormalizeObservation::load_state_dict(const StateDict& values) {
  RunningMeanStd loaded = statistics_;
  loaded.load_state_dict(io::with_prefix(values, "statistics."));
  Wrapper::load_state_dict(values);
  statistics_ = loaded;
}

NormalizeReward::NormalizeReward(std::unique_ptr<Env> env, double gamma, double epsilon)
    : Wrapper(std::move(env)), gamma_(gamma), epsilon_(epsilon), statistics_(1) {
  if (!(gamma >= 0 && gamma <= 1))
    throw ValueError("NormalizeReward: gamma is not between 0 and 1");
  if (!(epsilon > 0)) throw ValueError("NormalizeReward: epsilon is not above 0");
}

Step NormalizeReward::act(const Action& action) {
  Step step = forward(action);
  sum_ = sum_ * gamma_ * (step.terminated ? 0 : 1) + step.reward;
  if (updates_) statistics_.update(std::span(&sum_, 1));
  step.reward /= std::sqrt(statistics_.var()[0] + epsilon_);
  return step;
}

StateDict NormalizeReward::state_dict() const {
  StateDict values = Wrapper::state_dict();
  io::append(values, "statistics.", statistics_.state_dict());
  values.emplace_back("sum", tensor(sum_));
  return values;
}

void NormalizeReward::load_state_dict(const StateDict& values) {
  RunningMeanStd loaded = statistics_;
  loaded.load_state_dict(io::with_prefix(values, "statistics."));
  const double sum = entry("NormalizeReward", values, "sum", {}, kF64).item();
  if (!std::isfinite(sum)) throw ValueError("NormalizeReward: \"sum\" of the state is not finite");
  Wrapper::load_state_dict(values);
  statistics_ = loaded;
  sum_ = sum;
}

// ---- Others -----------------------------------------------------------------------------------

ClipAction::ClipAction(std::unique_ptr<Env> env)
    : Wrapper(std::move(env), given(env).observation_space(),
              given(env).action_space().is_discrete()
                  ? given(env).action_space()
                  : unbounded(given(env).action_space().shape())),
      clipped_(static_cast<size_t>(action_space().size())) {}

Step ClipAction::act(const Action& action) {
  if (action.is_choice()) return forward(action);
  const Space& space = unwrapped().action_space();
  for (size_t i = 0; i < clipped_.size(); ++i)
    clipped_[i] = std::clamp(action.values()[i], static_cast<float>(space.low()[i]),
                             static_cast<float>(space.high()[i]));
  return forward(clipped_);
}

namespace {

Space stacked(const Space& one, int64_t count) {
  if (count < 1)
    throw ValueError("FrameStack: stack_size is " + std::to_string(count) + ", not at least 1");
  if (one.is_discrete()) return Space::box(0, static_cast<double>(one.n() - 1), {count}, kI64);
  const auto repeated = [&](const std::vector<double>& bounds) {
    std::vector<double> all;
    for (int64_t i = 0; i < count; ++i) all.insert(all.end(), bounds.begin(), bounds.end());
    return all;
  };
  return Space::box(repeated(one.low()), repeated(one.high()), in_rows(count, one.shape()),
                    one.dtype());
}

}  // namespace

FrameStack::FrameStack(std::unique_ptr<Env> env, int64_t stack_size)
    : Wrapper(std::move(env), stacked(given(env).observation_space(), stack_size),
              given(env).action_space()),
      frames_(observation_space().bytes()) {}

void FrameStack::begin() {
  const size_t bytes = unwrapped().observation_space().bytes();
  for (size_t at = 0; at < frames_.size(); at += bytes)
    std::memcpy(&frames_[at], seen().data(), bytes);
}

Step FrameStack::act(const Action& action) {
  const Step step = forward(action);
  const size_t bytes = unwrapped().observation_space().bytes(), kept = frames_.size() - bytes;
  std::memmove(frames_.data(), frames_.data() + bytes, kept);
  std::memcpy(frames_.data() + kept, seen().data(), bytes);
  return step;
}

void FrameStack::observation(const Observation& out) const {
  std::memcpy(out.data(), frames_.data(), frames_.size());
}

StateDict FrameStack::state_dict() const {
  StateDict values = Wrapper::state_dict();
  values.emplace_back("frames",
                      from_bytes(frames_.data(), {static_cast<int64_t>(frames_.size())}, kU8));
  return values;
}

void FrameStack::load_state_dict(const StateDict& values) {
  const Tensor frames =
      entry("FrameStack", values, "frames", {static_cast<int64_t>(frames_.size())}, kU8);
  eval(frames);
  Wrapper::load_state_dict(values);
  copy_bytes(frames, frames_.data());
}

namespace {

Space flat(const Space& space) {
  if (space.is_discrete()) return Space::box(0.0, 1.0, {space.n()});
  return Space::box(space.low(), space.high(), {space.size()});
}

}  // namespace

FlattenObservation::FlattenObservation(std::unique_ptr<Env> env)
    : Wrapper(std::move(env), flat(given(env).observation_space()), given(env).action_space()) {}

void FlattenObservation::observation(const Observation& out) const {
  const auto to = out.values<float>();
  if (unwrapped().observation_space().is_discrete()) {
    std::ranges::fill(to, 0.0f);
    to[static_cast<size_t>(seen().values<int64_t>()[0])] = 1;
    return;
  }
  const auto copied = [&](auto from) {
    std::ranges::transform(from, to.begin(), [](auto x) { return static_cast<float>(x); });
  };
  switch (seen().dtype()) {
    case kI64:
      return copied(seen().values<int64_t>());
    case kF64:
      return copied(seen().values<double>());
    case kU8:
      return copied(seen().values<uint8_t>());
    case kF32:
      return copied(seen().values<float>());
    default:
      throw ValueError("FlattenObservation: of " + unwrapped().observation_space().str());
  }
}

}  // namespace glia::rl
