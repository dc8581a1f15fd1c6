// Environments around environments, with Gymnasium's names and arithmetic. TimeLimit is
// Env::set_max_episode_steps.
//
//   std::unique_ptr<rl::Env> env = rl::make("Pendulum-v1");
//   env = std::make_unique<rl::NormalizeObservation>(std::move(env));
//   env = std::make_unique<rl::FrameStack>(std::move(env), 4);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "glia/rl/env.h"

namespace glia::rl {

// Has the state, the name, the episodes and the limit of steps of the environment in it, and
// changes what is observed, done or rewarded. Derive from it to write your own.
class Wrapper : public Env {
 public:
  Env& unwrapped() { return *env_; }  // the environment one layer below
  const Env& unwrapped() const { return *env_; }

  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;

 protected:
  // Throw ValueError if there is no environment.
  explicit Wrapper(std::unique_ptr<Env>&& env);
  Wrapper(std::unique_ptr<Env>&& env, Space observation, Space action);

  ObservationView seen() const;        // what the environment below gave last
  Step forward(const Action& action);  // a step of the environment below

 private:
  // What it does: after a reset, in a step, and when it is observed. By default nothing.
  virtual void begin() {}
  virtual Step act(const Action& action) { return forward(action); }
  virtual void observation(const Observation& out) const;

  void start(data::Random random, std::span<double> state) final;
  Step advance(const Action& action, std::span<double> state) final;
  void write(std::span<const double> state, const Observation& out) const final;
  void accept(std::span<const double> state) final;
  Tensor draw(std::span<const double> state) const final;

  std::unique_ptr<Env> env_;
  std::vector<std::byte> seen_;
};

// Running mean and variance (Chan et al. 1979), as Gymnasium's and Baselines'.
class RunningMeanStd {
 public:
  explicit RunningMeanStd(int64_t size, double epsilon = 1e-4);  // epsilon: the first count
  void update(std::span<const double> values);                   // one sample
  std::span<const double> mean() const { return mean_; }
  std::span<const double> var() const { return var_; }
  double count() const { return count_; }
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  std::vector<double> mean_, var_;
  double count_;
};

// (observation - mean) / sqrt(var + epsilon) of all that has been observed so far. Of f32.
class NormalizeObservation : public Wrapper {
 public:
  explicit NormalizeObservation(std::unique_ptr<Env> env, double epsilon = 1e-8);
  void set_update_running_mean(bool on) { updates_ = on; }
  const RunningMeanStd& statistics() const { return statistics_; }
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;

 private:
  void begin() override;
  Step act(const Action& action) override;
  void observation(const Observation& out) const override;
  void learn();

  double epsilon_;
  bool updates_ = true;
  RunningMeanStd statistics_;
  std::vector<double> wide_;  // what is observed, as f64
};

// Rewards by the deviation of what they sum to, discounted. Throws ValueError for gamma out of
// range.
class NormalizeReward : public Wrapper {
 public:
  explicit NormalizeReward(std::unique_ptr<Env> env, double gamma = 0.99, double epsilon = 1e-8);
  void set_update_running_mean(bool on) { updates_ = on; }
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;

 private:
  Step act(const Action& action) override;

  double gamma_, epsilon_, sum_ = 0;
  bool updates_ = true;
  RunningMeanStd statistics_;
};

// Values of actions within their bounds: others are the bound.
class ClipAction : public Wrapper {
 public:
  explicit ClipAction(std::unique_ptr<Env> env);

 private:
  Step act(const Action& action) override;
  std::vector<float> clipped_;
};

// The last observations along a new first axis, the oldest first; an episode begins with copies of
// its first. Throws ValueError for a size below 1.
class FrameStack : public Wrapper {
 public:
  FrameStack(std::unique_ptr<Env> env, int64_t stack_size);
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;

 private:
  void begin() override;
  Step act(const Action& action) override;
  void observation(const Observation& out) const override;

  std::vector<std::byte> frames_;
};

// Observations as a row of f32: a box's values, and of a discrete space 1 at the number. What
// networks take.
class FlattenObservation : public Wrapper {
 public:
  explicit FlattenObservation(std::unique_ptr<Env> env);

 private:
  void observation(const Observation& out) const override;
};

// Looks for what agents would stumble on: resets that one seed does not repeat, observations
// outside their space, numbers that are not finite, states that do not bring everything back,
// episodes without end. Plays a few episodes at random and leaves the environment at the start of
// one. Each fault is a line; none: it is good.
std::vector<std::string> check_env(Env& env, int64_t steps = 1000);

}  // namespace glia::rl
