// What an agent has met, to be learnt from later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "glia/rl/env.h"

namespace glia::rl {

// Transitions drawn from a replay buffer.
struct Transitions {
  Tensor observations;        // (B, ...)
  Tensor actions;             // (B) i64 of a discrete space, (B, ...) f32 of a box
  Tensor rewards;             // (B) f32
  Tensor next_observations;   // (B, ...)
  Tensor terminated;          // (B) bool; not truncated: the value of what follows counts there
  Tensor discounts;           // (B) f32: of the value of what follows: gamma^n, 0 where terminated
  Tensor weights;             // (B) f32: of each in a loss; 1 unless prioritised
  std::vector<int64_t> rows;  // where they are in the buffer
};

struct ReplayOptions {
  uint64_t seed = 0;
  // Rewards of so many steps are summed, discounted, and what follows is what follows them all:
  // fewer at the end of an episode and at the newest transition. Above 1, the transitions of one
  // environment are added in order.
  int64_t n_step = 1;
  double gamma = 0.99;
  // Prioritised (Schaul et al. 2016): drawn by |error|^alpha; 0: all equally likely.
  double alpha = 0;
  double eps = 1e-6;  // added to each error
};

// The last `capacity` transitions in one piece of memory each of observations, actions, rewards and
// flags; the oldest gives way. Not to be used by two threads at once.
class ReplayBuffer {
 public:
  // Throws ValueError for options out of range, Error where there is no room.
  ReplayBuffer(int64_t capacity, const Space& observations, const Space& actions,
               const ReplayOptions& options = {});

  int64_t capacity() const { return capacity_; }
  int64_t size() const { return size_; }

  // Throws ValueError for what does not belong to the spaces, a NaN among the observations or a
  // reward that is not finite; nothing is added then.
  void add(const ObservationView& observation, const Action& action, double reward,
           const ObservationView& next_observation, bool terminated, bool truncated = false);
  // With replacement: a function of the seed, the number of draws before and what is there. beta:
  // how far weights make up for priorities, (size * probability)^-beta by the largest of the batch.
  Transitions sample(int64_t batch_size, double beta = 1);
  // The errors (B) of transitions that were drawn; new ones have the largest so far.
  void update_priorities(std::span<const int64_t> rows, std::span<const float> errors);

  // The transitions that are there and where the next one goes: a resumed run is the same run.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  // Row i of the batch is rows[i]; what follows is that of last[i].
  Transitions transitions(std::span<const int64_t> rows, std::span<const int64_t> last) const;
  void check(const char* what, const ObservationView& observation) const;
  void set_priority(int64_t row, double priority);

  Space observation_space_, action_space_;
  ReplayOptions options_;
  int64_t capacity_, size_ = 0, next_ = 0;
  uint64_t draws_ = 0;
  std::unique_ptr<std::byte[]> observations_, next_observations_, actions_, rewards_, terminated_,
      ended_;
  // Of prioritised ones: sums of priorities, node i above 2 i and 2 i + 1, leaves from leaves_ on.
  std::vector<double> sums_;
  int64_t leaves_ = 0;
  double highest_ = 1;
};

}  // namespace glia::rl
