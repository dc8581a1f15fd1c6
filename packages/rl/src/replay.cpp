#include "glia/rl/replay.h"

#include <cmath>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "state.h"

namespace glia::rl {
namespace {

const std::string kWho = "ReplayBuffer";

std::unique_ptr<std::byte[]> room(int64_t rows, size_t bytes) {
  size_t total = 0;
  try {
    if (__builtin_mul_overflow(static_cast<size_t>(rows), bytes, &total)) throw std::bad_alloc();
    return std::make_unique_for_overwrite<std::byte[]>(total);
  } catch (const std::bad_alloc&) {
    throw Error(kWho + ": no room for " + std::to_string(rows) + " transitions of " +
                std::to_string(bytes) + " bytes");
  }
}

// An action takes the bytes of its space: an i64 or the f32 of a box.
size_t action_bytes(const Space& space) {
  if (!space.is_discrete() && space.dtype() != kF32)
    throw ValueError(kWho + ": the values of actions are f32, not those of " + space.str());
  return space.bytes();
}

bool has_nan(const ObservationView& observation) {
  const auto any = [](auto values) {
    bool found = false;
    for (const auto x : values) found |= x != x;
    return found;
  };
  if (observation.dtype() == kF32) return any(observation.values<float>());
  return observation.dtype() == kF64 && any(observation.values<double>());
}

}  // namespace

ReplayBuffer::ReplayBuffer(int64_t capacity, const Space& observations, const Space& actions,
                           uint64_t seed)
    : observation_space_(observations), action_space_(actions), capacity_(capacity), seed_(seed) {
  if (capacity < 1)
    throw ValueError(kWho + ": the capacity is " + std::to_string(capacity) + ", not at least 1");
  observations_ = room(capacity, observations.bytes());
  next_observations_ = room(capacity, observations.bytes());
  actions_ = room(capacity, action_bytes(actions));
  rewards_ = room(capacity, sizeof(float));
  terminated_ = room(capacity, 1);
}

void ReplayBuffer::check(const char* what, const ObservationView& observation) const {
  check_observation(kWho + ": " + what, observation_space_, observation);
  if (has_nan(observation)) throw ValueError(kWho + ": " + what + " has a NaN");
}

void ReplayBuffer::add(const ObservationView& observation, const Action& action, double reward,
                       const ObservationView& next_observation, bool terminated) {
  check("observation", observation);
  check("next_observation", next_observation);
  check_action(kWho, action_space_, action);
  const auto stored = static_cast<float>(reward);
  if (!std::isfinite(stored)) throw ValueError(kWho + ": the reward is " + std::to_string(reward));

  const auto at = static_cast<size_t>(next_);
  const size_t bytes = observation_space_.bytes();
  std::memcpy(&observations_[at * bytes], observation.data(), bytes);
  std::memcpy(&next_observations_[at * bytes], next_observation.data(), bytes);
  const int64_t choice = action.choice();
  std::memcpy(&actions_[at * action_space_.bytes()],
              action.is_choice() ? static_cast<const void*>(&choice) : action.values().data(),
              action_space_.bytes());
  std::memcpy(&rewards_[at * sizeof(float)], &stored, sizeof(float));
  terminated_[at] = static_cast<std::byte>(terminated);
  next_ = (next_ + 1) % capacity_;
  if (size_ < capacity_) ++size_;
}

Transitions ReplayBuffer::transitions(std::span<const int64_t> rows) const {
  const auto gather = [&](const std::unique_ptr<std::byte[]>& from, const Shape& row, DType dtype) {
    const size_t bytes = static_cast<size_t>(row.numel()) * size_of(dtype);
    std::vector<std::byte> out(rows.size() * bytes);
    for (size_t i = 0; i < rows.size(); ++i)
      std::memcpy(out.data() + i * bytes, from.get() + static_cast<size_t>(rows[i]) * bytes, bytes);
    return from_bytes(out.data(), in_rows(static_cast<int64_t>(rows.size()), row), dtype);
  };
  const Shape& seen = observation_space_.shape();
  return {gather(observations_, seen, observation_space_.dtype()),
          gather(actions_, action_space_.shape(), action_space_.dtype()),
          gather(rewards_, {}, kF32), gather(next_observations_, seen, observation_space_.dtype()),
          gather(terminated_, {}, kBool)};
}

Transitions ReplayBuffer::sample(int64_t batch_size) {
  if (batch_size < 1)
    throw ValueError(kWho + ": the batch size is " + std::to_string(batch_size) +
                     ", not at least 1");
  if (size_ == 0) throw Error(kWho + ": sample() before add()");
  data::Random random(seed_, draws_);
  std::vector<int64_t> rows(static_cast<size_t>(batch_size));
  for (int64_t& row : rows) row = random.below(size_);
  Transitions drawn = transitions(rows);
  ++draws_;
  return drawn;
}

StateDict ReplayBuffer::state_dict() const {
  std::vector<int64_t> rows(static_cast<size_t>(size_));
  for (int64_t i = 0; i < size_; ++i) rows[static_cast<size_t>(i)] = i;
  const Transitions all = transitions(rows);
  return {{"observations", all.observations},
          {"actions", all.actions},
          {"rewards", all.rewards},
          {"next_observations", all.next_observations},
          {"terminated", all.terminated},
          {"progress", tensor<int64_t>({capacity_, size_, next_, static_cast<int64_t>(seed_),
                                        static_cast<int64_t>(draws_)})}};
}

void ReplayBuffer::load_state_dict(const StateDict& values) {
  const Tensor progress = entry(kWho, values, "progress", {5}, kI64);
  const std::span<const int64_t> counts = progress.data<int64_t>();
  if (counts[0] != capacity_)
    throw ValueError(kWho + ": the state is of capacity " + std::to_string(counts[0]) + ", not " +
                     std::to_string(capacity_));
  const int64_t size = counts[1], next = counts[2];
  if (size < 0 || size > capacity_ || next < 0 || next >= capacity_ ||
      (size < capacity_ && next != size))
    throw ValueError(kWho + ": \"progress\" of the state is of no buffer");
  const Shape seen = in_rows(size, observation_space_.shape());
  const DType dtype = observation_space_.dtype();
  const Tensor observations = entry(kWho, values, "observations", seen, dtype);
  const Tensor next_observations = entry(kWho, values, "next_observations", seen, dtype);
  const Tensor actions =
      entry(kWho, values, "actions", in_rows(size, action_space_.shape()), action_space_.dtype());
  const Tensor rewards = entry(kWho, values, "rewards", {size}, kF32);
  const Tensor terminated = entry(kWho, values, "terminated", {size}, kBool);
  eval({observations, next_observations, actions, rewards, terminated});

  copy_bytes(observations, observations_.get());
  copy_bytes(next_observations, next_observations_.get());
  copy_bytes(actions, actions_.get());
  copy_bytes(rewards, rewards_.get());
  copy_bytes(terminated, terminated_.get());
  size_ = size;
  next_ = next;
  seed_ = static_cast<uint64_t>(counts[3]);
  draws_ = static_cast<uint64_t>(counts[4]);
}

}  // namespace glia::rl
