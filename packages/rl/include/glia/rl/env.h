// Environments: what an agent acts in, with Gymnasium's names and dynamics.
//
//   auto env = rl::make("CartPole-v1");
//   std::vector<float> observation(4);
//   env->reset(observation, 7);
//   const rl::Step step = env->step(1, observation);
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/tensor.h"

namespace glia::rl {

// ---- Spaces ---------------------------------------------------------------------------------

// What an observation, an action or a state may be: an array between bounds, or one of n numbers.
class Space {
 public:
  // One bound for all elements; it may be infinite. Throws ValueError where low > high or NaN.
  static Space box(double low, double high, const Shape& shape, DType dtype = kF32);
  // A bound for each element, row-major.
  static Space box(std::vector<double> low, std::vector<double> high, const Shape& shape,
                   DType dtype = kF32);
  static Space discrete(int64_t n);  // 0, 1, ..., n - 1, as i64

  bool is_discrete() const { return n_ > 0; }
  int64_t n() const { return n_; }  // 0 of a box
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  int64_t size() const { return size_; }  // elements
  size_t bytes() const { return static_cast<size_t>(size_) * size_of(dtype_); }
  const std::vector<double>& low() const { return low_; }
  const std::vector<double>& high() const { return high_; }
  bool contains(std::span<const double> values) const;
  std::string str() const;  // "Discrete(2)", "Box((4,), f32)"

 private:
  Shape shape_;
  DType dtype_ = kI64;
  int64_t n_ = 0, size_ = 1;
  std::vector<double> low_, high_;
};

// What is done in a step: a number of a discrete space, or the values of a box. It refers to the
// values that it is given.
class Action {
 public:
  // No number with a fraction is taken for a choice.
  template <std::integral T>
  Action(T choice) : choice_(static_cast<int64_t>(choice)) {}
  Action(std::span<const float> values) : values_(values), is_choice_(false) {}
  Action(const std::vector<float>& values) : Action(std::span(values)) {}
  Action(std::initializer_list<float> values)
      : Action(std::span<const float>(values.begin(), values.size())) {}

  bool is_choice() const { return is_choice_; }
  int64_t choice() const { return choice_; }
  std::span<const float> values() const { return values_; }

 private:
  std::span<const float> values_;
  int64_t choice_ = 0;
  bool is_choice_ = true;
};

// The caller's memory, into which an observation is written.
class Observation {
 public:
  Observation(void* data, DType dtype, int64_t size) : data_(data), dtype_(dtype), size_(size) {}
  Observation(std::span<float> values)
      : Observation(values.data(), kF32, static_cast<int64_t>(values.size())) {}
  Observation(std::vector<float>& values) : Observation(std::span(values)) {}
  Observation(std::span<int64_t> values)
      : Observation(values.data(), kI64, static_cast<int64_t>(values.size())) {}
  Observation(std::vector<int64_t>& values) : Observation(std::span(values)) {}

  DType dtype() const { return dtype_; }
  int64_t size() const { return size_; }
  void* data() const { return data_; }
  // T must be that of dtype(), which environments need not ask for: it is their space's.
  template <class T>
  std::span<T> values() const {
    return {static_cast<T*>(data_), static_cast<size_t>(size_)};
  }

 private:
  void* data_;
  DType dtype_;
  int64_t size_;
};

// An observation that is read.
class ObservationView {
 public:
  ObservationView(const void* data, DType dtype, int64_t size)
      : data_(data), dtype_(dtype), size_(size) {}
  ObservationView(const Observation& from)
      : ObservationView(from.data(), from.dtype(), from.size()) {}
  ObservationView(std::span<const float> values)
      : ObservationView(values.data(), kF32, static_cast<int64_t>(values.size())) {}
  ObservationView(const std::vector<float>& values) : ObservationView(std::span(values)) {}
  ObservationView(std::span<const int64_t> values)
      : ObservationView(values.data(), kI64, static_cast<int64_t>(values.size())) {}
  ObservationView(const std::vector<int64_t>& values) : ObservationView(std::span(values)) {}

  DType dtype() const { return dtype_; }
  int64_t size() const { return size_; }
  const void* data() const { return data_; }
  template <class T>
  std::span<const T> values() const {
    return {static_cast<const T*>(data_), static_cast<size_t>(size_)};
  }

 private:
  const void* data_;
  DType dtype_;
  int64_t size_;
};

// ---- Environments ---------------------------------------------------------------------------

struct Step {
  double reward = 0;
  bool terminated = false;  // the task has ended: nothing is to come
  bool truncated = false;   // the episode is cut off, as by a limit of steps
};

// An environment is its state, a few numbers, and functions of it. Whatever is random in a step is
// a function of the seed, the episode and the step, so that the state is all there is to save.
// Derive from it to write your own. Not to be used by two threads at once.
class Env {
 public:
  virtual ~Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  const std::string& name() const { return name_; }
  const Space& observation_space() const { return observation_space_; }
  const Space& action_space() const { return action_space_; }
  const Space& state_space() const { return state_space_; }         // f64
  int64_t max_episode_steps() const { return max_episode_steps_; }  // 0: no limit
  // Where episodes are truncated, as by Gymnasium's TimeLimit.
  void set_max_episode_steps(int64_t steps);
  int64_t elapsed_steps() const { return steps_; }  // of this episode

  // Begins an episode: the first of a seed, or the next one of the seed before (at first 0).
  void reset(const Observation& out, std::optional<uint64_t> seed = {});
  // Throws ValueError for an action that is not in the space: a number out of range, a NaN or an
  // infinite value. Values beyond a box's bounds are taken as Gymnasium's environment takes them.
  Step step(const Action& action, const Observation& out);
  // Writes what is observed now.
  void observe(const Observation& out) const;

  // The state, whose meaning each environment tells, and beginning an episode from one.
  std::span<const double> state() const { return state_; }
  void set_state(std::span<const double> state);

  // All that is needed to go on, bit for bit. Environments with more than their state() add to it.
  virtual StateDict state_dict() const;
  virtual void load_state_dict(const StateDict& values);

  // What it looks like now: u8 (height, width, 3). Throws Error where it has no picture, and before
  // reset().
  Tensor render() const;

 protected:
  Env(std::string name, Space observation, Space action, Space state);
  // The numbers of this step, or of the start of this episode.
  data::Random random() const;
  bool started() const { return started_; }
  uint64_t seed() const { return seed_; }
  int64_t episode() const { return episode_; }  // of the seed, from 0

 private:
  virtual void start(data::Random random, std::span<double> state) = 0;
  virtual Step advance(const Action& action, std::span<double> state) = 0;
  virtual void write(std::span<const double> state, const Observation& out) const = 0;
  // Called before a state within its bounds is taken over; throws ValueError for one that is none.
  virtual void accept(std::span<const double>) {}
  virtual Tensor draw(std::span<const double> state) const;

  void check_state(std::span<const double> state) const;

  std::string name_;
  Space observation_space_, action_space_, state_space_;
  std::vector<double> state_;
  int64_t max_episode_steps_ = 0;
  uint64_t seed_ = 0;
  int64_t episode_ = 0, steps_ = 0;
  bool started_ = false;
};

// ---- Environments by name -------------------------------------------------------------------

// Gymnasium's environments, equal to it (1.4) in state, reward and flags from the same state and
// action; where episodes start is drawn by Philox. With the limit of steps that belongs to the
// name:
//   CartPole-v1               state: x, x_dot, theta, theta_dot, whether it has terminated
//   MountainCar-v0            position, velocity
//   MountainCarContinuous-v0  position, velocity, whether they are f32: after the first step
//   Acrobot-v1                theta1, theta2, and their velocities
//   Pendulum-v1               theta, theta_dot
//   FrozenLake-v1, FrozenLake8x8-v1, CliffWalking-v1, CliffWalkingSlippery-v1, Taxi-v4: the state's
//                             number; Blackjack-v1 (see glia/rl/toy_text.h)
//   MinAtar/Breakout-v1       (see glia/rl/minatar.h)
// Throws Error for a name that is not known.
std::unique_ptr<Env> make(const std::string& name);

// Makes another environment known under a name that is new.
using Factory = std::function<std::unique_ptr<Env>()>;
void register_env(const std::string& name, Factory factory);
std::vector<std::string> registered();  // names, sorted

}  // namespace glia::rl
