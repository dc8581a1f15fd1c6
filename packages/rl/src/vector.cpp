#include "glia/rl/vector.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "glia/ops.h"
#include "state.h"

namespace glia::rl {
namespace {

std::vector<std::unique_ptr<Env>> make_several(const std::string& name, int64_t num_envs) {
  if (num_envs < 1)
    throw ValueError("VectorEnv: num_envs is " + std::to_string(num_envs) + ", not at least 1");
  std::vector<std::unique_ptr<Env>> envs;
  for (int64_t i = 0; i < num_envs; ++i) envs.push_back(make(name));
  return envs;
}

bool equal(const Space& a, const Space& b) {
  return a.n() == b.n() && a.shape() == b.shape() && a.dtype() == b.dtype() && a.low() == b.low() &&
         a.high() == b.high();
}

void copy_flags(const Tensor& from, std::vector<uint8_t>& to) {
  const std::span<const bool> values = from.data<bool>();
  std::copy(values.begin(), values.end(), to.begin());
}

}  // namespace

VectorEnv::VectorEnv(const std::string& name, int64_t num_envs, AutoresetMode autoreset)
    : VectorEnv(make_several(name, num_envs), autoreset) {}

VectorEnv::VectorEnv(std::vector<std::unique_ptr<Env>> envs, AutoresetMode autoreset)
    : envs_(std::move(envs)), autoreset_(autoreset) {
  if (envs_.empty()) throw ValueError("VectorEnv: there is no environment");
  for (const auto& env : envs_) {
    if (!env) throw ValueError("VectorEnv: an environment is null");
    if (!equal(env->observation_space(), single_observation_space()) ||
        !equal(env->action_space(), single_action_space()))
      throw ValueError("VectorEnv: " + env->name() + " and " + envs_[0]->name() +
                       " have different spaces");
  }
  observations_.resize(envs_.size() * single_observation_space().bytes());
  if (autoreset == AutoresetMode::kSameStep) final_observations_.resize(observations_.size());
  rewards_.resize(envs_.size());
  terminated_.resize(envs_.size());
  truncated_.resize(envs_.size());
}

size_t VectorEnv::checked(int64_t i) const {
  if (i < 0 || i >= num_envs())
    throw ValueError("VectorEnv: there is no environment " + std::to_string(i) + " among " +
                     std::to_string(num_envs()));
  return static_cast<size_t>(i);
}

Env& VectorEnv::env(int64_t i) { return *envs_[checked(i)]; }

bool VectorEnv::flag(const std::vector<uint8_t>& flags, int64_t i) const {
  return flags[checked(i)] != 0;
}

void VectorEnv::check_dtype(DType dtype) const {
  if (dtype != single_observation_space().dtype())
    throw ValueError("VectorEnv: observations are " +
                     std::string(name(single_observation_space().dtype())) + ", not " +
                     name(dtype));
}

ObservationView VectorEnv::view(const std::vector<std::byte>& rows, int64_t i) const {
  const Space& space = single_observation_space();
  return {rows.data() + checked(i) * space.bytes(), space.dtype(), space.size()};
}

Observation VectorEnv::row(std::vector<std::byte>& rows, int64_t i) {
  const Space& space = single_observation_space();
  return {rows.data() + checked(i) * space.bytes(), space.dtype(), space.size()};
}

ObservationView VectorEnv::final_observation(int64_t i) const {
  if (autoreset_ != AutoresetMode::kSameStep)
    throw Error("VectorEnv: final observations are those of AutoresetMode::kSameStep");
  return view(terminated(i) || truncated(i) ? final_observations_ : observations_, i);
}

void VectorEnv::forget_flags() {
  std::fill(rewards_.begin(), rewards_.end(), 0);
  std::fill(terminated_.begin(), terminated_.end(), 0);
  std::fill(truncated_.begin(), truncated_.end(), 0);
}

void VectorEnv::reset(std::optional<uint64_t> seed) {
  for (int64_t i = 0; i < num_envs(); ++i)
    env(i).reset(row(observations_, i),
                 seed ? std::optional(*seed + static_cast<uint64_t>(i)) : std::nullopt);
  forget_flags();
}

void VectorEnv::reset(std::span<const uint64_t> seeds) {
  if (static_cast<int64_t>(seeds.size()) != num_envs())
    throw ShapeError("VectorEnv: " + std::to_string(seeds.size()) + " seeds for " +
                     std::to_string(num_envs()) + " environments");
  for (int64_t i = 0; i < num_envs(); ++i)
    env(i).reset(row(observations_, i), seeds[static_cast<size_t>(i)]);
  forget_flags();
}

void VectorEnv::step(std::span<const int64_t> choices) {
  if (static_cast<int64_t>(choices.size()) != num_envs())
    throw ShapeError("VectorEnv: " + std::to_string(choices.size()) + " actions for " +
                     std::to_string(num_envs()) + " environments");
  step_all([&](size_t i) { return Action(choices[i]); });
}

void VectorEnv::step(std::span<const float> values) {
  const auto width = static_cast<size_t>(single_action_space().size());
  if (values.size() != envs_.size() * width)
    throw ShapeError("VectorEnv: " + std::to_string(values.size()) + " values of actions for " +
                     std::to_string(num_envs()) + " environments of " +
                     single_action_space().str());
  step_all([&](size_t i) { return Action(values.subspan(i * width, width)); });
}

void VectorEnv::step(const Tensor& actions, Where where) {
  const Space& space = single_action_space();
  const Shape shape = in_rows(num_envs(), space.shape());
  if (!(actions.shape(where) == shape) || actions.dtype(where) != space.dtype())
    throw ShapeError("VectorEnv: the actions are " + actions.shape().str() + " " +
                         name(actions.dtype()) + ", not " + shape.str() + " " + name(space.dtype()),
                     where);
  if (space.is_discrete())
    step(actions.data<int64_t>(where));
  else
    step(actions.data<float>(where));
}

template <class F>
void VectorEnv::step_all(const F& action_of) {
  for (size_t i = 0; i < envs_.size(); ++i) {
    check_action(envs_[i]->name(), single_action_space(), action_of(i));
    if (autoreset_ == AutoresetMode::kDisabled && (terminated_[i] || truncated_[i]))
      throw Error("VectorEnv: the episode of environment " + std::to_string(i) +
                  " has ended; reset() begins the next one");
  }
  for (size_t i = 0; i < envs_.size(); ++i) {
    Env& env = *envs_[i];
    const Observation out = row(observations_, static_cast<int64_t>(i));
    Step step;
    if (autoreset_ == AutoresetMode::kNextStep && (terminated_[i] || truncated_[i]))
      env.reset(out);
    else
      step = env.step(action_of(i), out);
    rewards_[i] = step.reward;
    terminated_[i] = step.terminated;
    truncated_[i] = step.truncated;
    if (autoreset_ == AutoresetMode::kSameStep && (step.terminated || step.truncated)) {
      const size_t bytes = single_observation_space().bytes();
      std::memcpy(final_observations_.data() + i * bytes, observations_.data() + i * bytes, bytes);
      env.reset(out);
    }
  }
}

Tensor VectorEnv::tensor_of(const std::vector<std::byte>& rows) const {
  const Space& space = single_observation_space();
  return from_bytes(rows.data(), in_rows(num_envs(), space.shape()), space.dtype());
}

Tensor VectorEnv::observations() const { return tensor_of(observations_); }

Tensor VectorEnv::rewards() const {
  return from_vector(std::vector<float>(rewards_.begin(), rewards_.end()), {num_envs()});
}

Tensor VectorEnv::terminated() const { return from_bytes(terminated_.data(), {num_envs()}, kBool); }

Tensor VectorEnv::truncated() const { return from_bytes(truncated_.data(), {num_envs()}, kBool); }

Tensor VectorEnv::final_observations() const {
  std::vector<std::byte> rows(observations_.size());
  const size_t bytes = single_observation_space().bytes();
  for (size_t i = 0; i < envs_.size(); ++i)
    std::memcpy(rows.data() + i * bytes, final_observation(static_cast<int64_t>(i)).data(), bytes);
  return tensor_of(rows);
}

StateDict VectorEnv::state_dict() const {
  std::vector<StateDict> each;
  for (const auto& env : envs_) each.push_back(env->state_dict());
  StateDict out;
  for (size_t entry = 0; entry < each[0].size(); ++entry) {
    std::vector<Tensor> rows;
    for (const StateDict& values : each) rows.push_back(values.at(entry).second);
    out.emplace_back("env." + each[0][entry].first, stack(rows));
  }
  out.emplace_back("observations", observations());
  if (autoreset_ == AutoresetMode::kSameStep)
    out.emplace_back("final_observations", final_observations());
  out.emplace_back("rewards", from_vector(rewards_, {num_envs()}));
  out.emplace_back("terminated", terminated());
  out.emplace_back("truncated", truncated());
  return out;
}

void VectorEnv::load_state_dict(const StateDict& values) {
  const std::string who = "VectorEnv";
  const Shape flat = {num_envs()};
  const Shape shape = in_rows(num_envs(), single_observation_space().shape());
  const DType dtype = single_observation_space().dtype();
  const Tensor seen = entry(who, values, "observations", shape, dtype);
  Tensor last;
  if (autoreset_ == AutoresetMode::kSameStep)
    last = entry(who, values, "final_observations", shape, dtype);
  const Tensor rewards = entry(who, values, "rewards", flat, kF64);
  const Tensor terminated = entry(who, values, "terminated", flat, kBool);
  const Tensor truncated = entry(who, values, "truncated", flat, kBool);

  eval({seen, last.defined() ? last : seen, rewards, terminated, truncated});

  std::vector<StateDict> old, loaded;
  for (const auto& env : envs_) old.push_back(env->state_dict());
  loaded.resize(old.size());
  for (const auto& [name, value] : old[0]) {
    const Tensor rows =
        entry(who, values, "env." + name, in_rows(num_envs(), value.shape()), value.dtype());
    for (size_t i = 0; i < envs_.size(); ++i)
      loaded[i].emplace_back(name, index(rows, {static_cast<int64_t>(i)}));
  }
  try {
    for (size_t i = 0; i < envs_.size(); ++i) envs_[i]->load_state_dict(loaded[i]);
  } catch (...) {  // all or nothing
    for (size_t i = 0; i < envs_.size(); ++i) envs_[i]->load_state_dict(old[i]);
    throw;
  }
  copy_bytes(seen, observations_.data());
  if (last.defined()) copy_bytes(last, final_observations_.data());
  std::copy_n(rewards.data<double>().begin(), rewards_.size(), rewards_.begin());
  copy_flags(terminated, terminated_);
  copy_flags(truncated, truncated_);
}

}  // namespace glia::rl
