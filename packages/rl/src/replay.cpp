#include "glia/rl/replay.h"

#include <algorithm>
#include <bit>
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
                           const ReplayOptions& options)
    : observation_space_(observations),
      action_space_(actions),
      options_(options),
      capacity_(capacity) {
  if (capacity < 1)
    throw ValueError(kWho + ": the capacity is " + std::to_string(capacity) + ", not at least 1");
  if (options.n_step < 1)
    throw ValueError(kWho + ": n_step is " + std::to_string(options.n_step) + ", not at least 1");
  if (!(options.gamma >= 0 && options.gamma <= 1))
    throw ValueError(kWho + ": gamma is not between 0 and 1");
  if (!(options.alpha >= 0 && options.alpha <= 1) || !(options.eps > 0))
    throw ValueError(kWho + ": alpha is not between 0 and 1, or eps not above 0");
  observations_ = room(capacity, observations.bytes());
  next_observations_ = room(capacity, observations.bytes());
  actions_ = room(capacity, action_bytes(actions));
  rewards_ = room(capacity, sizeof(float));
  terminated_ = room(capacity, 1);
  ended_ = room(capacity, 1);
  if (options.alpha > 0) {
    leaves_ = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(capacity)));
    sums_.resize(static_cast<size_t>(2 * leaves_));
  }
}

void ReplayBuffer::check(const char* what, const ObservationView& observation) const {
  check_observation(kWho + ": " + what, observation_space_, observation);
  if (has_nan(observation)) throw ValueError(kWho + ": " + what + " has a NaN");
}

void ReplayBuffer::add(const ObservationView& observation, const Action& action, double reward,
                       const ObservationView& next_observation, bool terminated, bool truncated) {
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
  ended_[at] = static_cast<std::byte>(terminated || truncated);
  if (options_.alpha > 0) set_priority(next_, highest_);
  next_ = (next_ + 1) % capacity_;
  if (size_ < capacity_) ++size_;
}

Transitions ReplayBuffer::transitions(std::span<const int64_t> rows,
                                      std::span<const int64_t> last) const {
  const auto gather = [](const std::unique_ptr<std::byte[]>& from, std::span<const int64_t> of,
                         const Shape& row, DType dtype) {
    const size_t bytes = static_cast<size_t>(row.numel()) * size_of(dtype);
    std::vector<std::byte> out(of.size() * bytes);
    for (size_t i = 0; i < of.size(); ++i)
      std::memcpy(out.data() + i * bytes, from.get() + static_cast<size_t>(of[i]) * bytes, bytes);
    return from_bytes(out.data(), in_rows(static_cast<int64_t>(of.size()), row), dtype);
  };
  const Shape& seen = observation_space_.shape();
  Transitions out;
  out.observations = gather(observations_, rows, seen, observation_space_.dtype());
  out.actions = gather(actions_, rows, action_space_.shape(), action_space_.dtype());
  out.rewards = gather(rewards_, rows, {}, kF32);
  out.next_observations = gather(next_observations_, last, seen, observation_space_.dtype());
  out.terminated = gather(terminated_, last, {}, kBool);
  out.rows.assign(rows.begin(), rows.end());
  return out;
}

void ReplayBuffer::set_priority(int64_t row, double priority) {
  size_t node = static_cast<size_t>(leaves_ + row);
  sums_[node] = priority;
  while ((node /= 2) > 0) sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
}

Transitions ReplayBuffer::sample(int64_t batch_size, double beta) {
  if (batch_size < 1)
    throw ValueError(kWho + ": the batch size is " + std::to_string(batch_size) +
                     ", not at least 1");
  if (!(beta >= 0 && beta <= 1)) throw ValueError(kWho + ": beta is not between 0 and 1");
  if (size_ == 0) throw Error(kWho + ": sample() before add()");
  data::Random random(options_.seed, draws_);
  const auto count = static_cast<size_t>(batch_size);
  std::vector<int64_t> rows(count), last(count);
  std::vector<float> rewards(count), discounts(count), weights(count, 1.0f);
  for (size_t i = 0; i < count; ++i) {
    if (options_.alpha > 0) {  // one of each of as many equal parts of the sum
      const double part = (static_cast<double>(i) + random.uniform()) / static_cast<double>(count);
      double left = part * sums_[1];
      size_t node = 1;
      while (node < static_cast<size_t>(leaves_)) {
        node *= 2;
        if (left >= sums_[node] && sums_[node + 1] > 0) left -= sums_[node++];
      }
      rows[i] = std::min<int64_t>(static_cast<int64_t>(node) - leaves_, size_ - 1);
      const double share = sums_[static_cast<size_t>(leaves_ + rows[i])] / sums_[1];
      weights[i] = static_cast<float>(std::pow(static_cast<double>(size_) * share, -beta));
    } else {
      rows[i] = random.below(size_);
    }
    // As far as the episode goes and there are transitions.
    double sum = 0, gamma = 1;
    int64_t at = rows[i];
    for (int64_t step = 0; step < options_.n_step; ++step) {
      if (step > 0) at = (at + 1) % capacity_;
      float reward = 0;
      std::memcpy(&reward, &rewards_[static_cast<size_t>(at) * sizeof(float)], sizeof(float));
      sum += gamma * reward;
      gamma *= options_.gamma;
      if (ended_[static_cast<size_t>(at)] != std::byte{0} || (at + 1) % capacity_ == next_) break;
    }
    last[i] = at;
    rewards[i] = static_cast<float>(sum);
    discounts[i] =
        terminated_[static_cast<size_t>(at)] != std::byte{0} ? 0 : static_cast<float>(gamma);
  }
  const float most = *std::ranges::max_element(weights);
  for (float& weight : weights) weight /= most;
  Transitions drawn = transitions(rows, last);
  drawn.rewards = from_vector(rewards, {batch_size});
  drawn.discounts = from_vector(discounts, {batch_size});
  drawn.weights = from_vector(weights, {batch_size});
  ++draws_;
  return drawn;
}

void ReplayBuffer::update_priorities(std::span<const int64_t> rows, std::span<const float> errors) {
  if (options_.alpha == 0) throw Error(kWho + ": it has no priorities");
  if (rows.size() != errors.size())
    throw ShapeError(kWho + ": " + std::to_string(errors.size()) + " errors of " +
                     std::to_string(rows.size()) + " transitions");
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= size_)
      throw ValueError(kWho + ": there is no transition " + std::to_string(rows[i]));
    if (!std::isfinite(errors[i])) throw ValueError(kWho + ": an error is not finite");
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double priority = std::pow(std::abs(double{errors[i]}) + options_.eps, options_.alpha);
    set_priority(rows[i], priority);
    highest_ = std::max(highest_, priority);
  }
}

StateDict ReplayBuffer::state_dict() const {
  std::vector<int64_t> rows(static_cast<size_t>(size_));
  for (int64_t i = 0; i < size_; ++i) rows[static_cast<size_t>(i)] = i;
  const Transitions all = transitions(rows, rows);
  StateDict values = {
      {"observations", all.observations},
      {"actions", all.actions},
      {"rewards", all.rewards},
      {"next_observations", all.next_observations},
      {"terminated", all.terminated},
      {"ended", from_bytes(ended_.get(), {size_}, kBool)},
      {"progress", tensor<int64_t>({capacity_, size_, next_, static_cast<int64_t>(options_.seed),
                                    static_cast<int64_t>(draws_)})}};
  if (options_.alpha > 0) {
    const auto leaves = sums_.begin() + leaves_;
    values.emplace_back("priorities",
                        from_vector(std::vector<double>(leaves, leaves + size_), {size_}));
    values.emplace_back("highest_priority", tensor(highest_));
  }
  return values;
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
  const Tensor ended = entry(kWho, values, "ended", {size}, kBool);
  eval({observations, next_observations, actions, rewards, terminated, ended});
  std::vector<double> priorities;
  double highest = 1;
  if (options_.alpha > 0) {
    priorities = entry(kWho, values, "priorities", {size}, kF64).to_vector<double>();
    highest = entry(kWho, values, "highest_priority", {}, kF64).item();
    priorities.push_back(highest);
    for (const double p : priorities)
      if (!(p > 0) || !std::isfinite(p))
        throw ValueError(kWho + ": a priority of the state is not above 0");
    priorities.pop_back();
  }

  copy_bytes(observations, observations_.get());
  copy_bytes(next_observations, next_observations_.get());
  copy_bytes(actions, actions_.get());
  copy_bytes(rewards, rewards_.get());
  copy_bytes(terminated, terminated_.get());
  copy_bytes(ended, ended_.get());
  size_ = size;
  next_ = next;
  options_.seed = static_cast<uint64_t>(counts[3]);
  draws_ = static_cast<uint64_t>(counts[4]);
  std::ranges::fill(sums_, 0.0);
  for (size_t i = 0; i < priorities.size(); ++i)
    set_priority(static_cast<int64_t>(i), priorities[i]);
  highest_ = highest;
}

}  // namespace glia::rl
