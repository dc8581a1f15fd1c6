// Several environments of one kind, stepped together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glia/rl/env.h"

namespace glia::rl {

// When an environment whose episode has ended begins the next one.
enum class AutoresetMode {
  kNextStep,  // in the next step, whose action is ignored, with reward 0
  kSameStep,  // in the same step: the last observation is in final_observations()
  kDisabled,  // never: the whole is to be reset
};

// N environments whose observations stand side by side, (N, ...). A step allocates nothing; the
// functions that give tensors copy. Not to be used by two threads at once.
class VectorEnv {
 public:
  // As make(name), N times.
  VectorEnv(const std::string& name, int64_t num_envs,
            AutoresetMode autoreset = AutoresetMode::kNextStep);
  // Of equal spaces.
  explicit VectorEnv(std::vector<std::unique_ptr<Env>> envs,
                     AutoresetMode autoreset = AutoresetMode::kNextStep);

  int64_t num_envs() const { return static_cast<int64_t>(envs_.size()); }
  Env& env(int64_t i);
  const Space& single_observation_space() const { return envs_[0]->observation_space(); }
  const Space& single_action_space() const { return envs_[0]->action_space(); }
  AutoresetMode autoreset_mode() const { return autoreset_; }

  // Environment i gets the seed `seed` + i. Without one, each begins its next episode.
  void reset(std::optional<uint64_t> seed = {});
  void reset(std::span<const uint64_t> seeds);
  // One action for each: N choices of a discrete space, or N rows of a box's values. All are
  // checked before anything moves, those that are ignored too.
  void step(std::span<const int64_t> choices);
  void step(std::span<const float> values);
  void step(const Tensor& actions, Where where = Where::current());

  // What the last step or reset gave, valid until the next. T must be that of the space.
  template <class T>
  std::span<const T> observation_data() const {
    check_dtype(dtype_of<T>);
    return {reinterpret_cast<const T*>(observations_.data()), observations_.size() / sizeof(T)};
  }
  ObservationView observation(int64_t i) const { return view(observations_, i); }
  // Of an environment whose episode ended in this step, with kSameStep: the last of that episode.
  ObservationView final_observation(int64_t i) const;
  std::span<const double> reward_data() const { return rewards_; }
  bool terminated(int64_t i) const { return flag(terminated_, i); }
  bool truncated(int64_t i) const { return flag(truncated_, i); }

  // The same as tensors: (N, ...), (N) f32, (N) bool.
  Tensor observations() const;
  Tensor rewards() const;
  Tensor terminated() const;
  Tensor truncated() const;
  // Of kSameStep: (N, ...), the last observation of each episode that ended in this step, and
  // for the others what observations() gives.
  Tensor final_observations() const;

  // All that is needed to go on, bit for bit.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& values);

 private:
  void check_dtype(DType dtype) const;
  void forget_flags();
  size_t checked(int64_t i) const;
  bool flag(const std::vector<uint8_t>& flags, int64_t i) const;
  ObservationView view(const std::vector<std::byte>& rows, int64_t i) const;
  Observation row(std::vector<std::byte>& rows, int64_t i);
  Tensor tensor_of(const std::vector<std::byte>& rows) const;
  template <class F>
  void step_all(const F& action_of);

  std::vector<std::unique_ptr<Env>> envs_;
  AutoresetMode autoreset_;
  std::vector<std::byte> observations_, final_observations_;
  std::vector<double> rewards_;
  std::vector<uint8_t> terminated_, truncated_;
};

}  // namespace glia::rl
