// What an agent has met, to be learnt from later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "glia/rl/env.h"

namespace glia::rl {

// Transitions drawn from a replay buffer.
struct Transitions {
  Tensor observations;       // (B, ...)
  Tensor actions;            // (B) i64 of a discrete space, (B, ...) f32 of a box
  Tensor rewards;            // (B) f32
  Tensor next_observations;  // (B, ...)
  Tensor terminated;         // (B) bool; not truncated: the value of what follows counts there
};

// The last `capacity` transitions in one piece of memory each of observations, actions, rewards and
// flags; the oldest gives way. Not to be used by two threads at once.
class ReplayBuffer {
 public:
  ReplayBuffer(int64_t capacity, const Space& observations, const Space& actions,
               uint64_t seed = 0);

  int64_t capacity() const { return capacity_; }
  int64_t size() const { return size_; }

  // Throws ValueError for what does not belong to the spaces, a NaN among the observations or a
  // reward that is not finite; nothing is added then.
  void add(const ObservationView& observation, const Action& action, double reward,
           const ObservationView& next_observation, bool terminated);
  // With replacement, each transition equally likely: a function of the seed, the number of draws
  // before and what is there.
  Transitions sample(int64_t batch_size);

  // The transitions that are there and where the next one goes: a resumed run is the same run.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  Transitions transitions(std::span<const int64_t> rows) const;
  void check(const char* what, const ObservationView& observation) const;

  Space observation_space_, action_space_;
  int64_t capacity_, size_ = 0, next_ = 0;
  uint64_t seed_, draws_ = 0;
  std::unique_ptr<std::byte[]> observations_, next_observations_, actions_, rewards_, terminated_;
};

}  // namespace glia::rl
