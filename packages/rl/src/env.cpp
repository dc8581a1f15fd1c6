#include "glia/rl/env.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "state.h"

namespace glia::rl {
namespace {

std::string number(double x) {
  std::string text = std::to_string(x);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

Space Space::box(double low, double high, const Shape& shape, DType dtype) {
  const auto size = static_cast<size_t>(shape.numel());
  return box(std::vector<double>(size, low), std::vector<double>(size, high), shape, dtype);
}

Space Space::box(std::vector<double> low, std::vector<double> high, const Shape& shape,
                 DType dtype) {
  Space space;
  space.size_ = shape.numel();
  const auto size = static_cast<size_t>(space.size_);
  if (low.size() != size || high.size() != size)
    throw ShapeError("Space::box: " + std::to_string(low.size()) + " and " +
                     std::to_string(high.size()) + " bounds for shape " + shape.str());
  for (size_t i = 0; i < size; ++i)
    if (!(low[i] <= high[i]))
      throw ValueError("Space::box: there is nothing between " + number(low[i]) + " and " +
                       number(high[i]));
  space.shape_ = shape;
  space.dtype_ = dtype;
  space.low_ = std::move(low);
  space.high_ = std::move(high);
  return space;
}

Space Space::discrete(int64_t n) {
  if (n < 1) throw ValueError("Space::discrete: n is " + std::to_string(n) + ", not at least 1");
  Space space;
  space.n_ = n;
  return space;
}

bool Space::contains(std::span<const double> values) const {
  if (static_cast<int64_t>(values.size()) != size_) return false;
  if (is_discrete())
    return values[0] >= 0 && values[0] < static_cast<double>(n_) &&
           values[0] == std::floor(values[0]);
  for (size_t i = 0; i < values.size(); ++i)
    if (!(low_[i] <= values[i] && values[i] <= high_[i])) return false;
  return true;
}

std::string Space::str() const {
  if (is_discrete()) return "Discrete(" + std::to_string(n_) + ")";
  return "Box(" + shape_.str() + ", " + glia::name(dtype_) + ")";
}

void check_action(const std::string& who, const Space& space, const Action& action) {
  if (space.is_discrete()) {
    if (!action.is_choice())
      throw ValueError(who + ": the action is " + std::to_string(action.values().size()) +
                       " values, not one of " + space.str());
    if (action.choice() < 0 || action.choice() >= space.n())
      throw ValueError(who + ": action " + std::to_string(action.choice()) + " is not in " +
                       space.str());
    return;
  }
  if (action.is_choice())
    throw ValueError(who + ": the action is the number " + std::to_string(action.choice()) +
                     ", not values of " + space.str());
  if (static_cast<int64_t>(action.values().size()) != space.size())
    throw ShapeError(who + ": the action has " + std::to_string(action.values().size()) +
                     " values, not those of " + space.str());
  for (const float value : action.values())
    if (!std::isfinite(value))
      throw ValueError(who + ": the action has the value " + std::to_string(value));
}

void check_observation(const std::string& who, const Space& space, const ObservationView& seen) {
  if (seen.dtype() != space.dtype() || seen.size() != space.size())
    throw ShapeError(who + ": the observation has " + std::to_string(seen.size()) +
                     " elements of " + glia::name(seen.dtype()) + ", not those of " + space.str());
}

const Tensor& entry(const std::string& who, const StateDict& values, const std::string& name,
                    const Shape& shape, DType dtype) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
  if (found == values.end() || !found->second.defined())
    throw Error(who + ": the state has no \"" + name + "\"");
  const Tensor& tensor = found->second;
  if (!(tensor.shape() == shape) || tensor.dtype() != dtype)
    throw ShapeError(who + ": \"" + name + "\" of the state is " + tensor.shape().str() + " " +
                     glia::name(tensor.dtype()) + ", not " + shape.str() + " " + glia::name(dtype));
  return tensor;
}

Shape in_rows(int64_t rows, const Shape& row) {
  Shape shape = row;
  shape.insert(0, rows);
  return shape;
}

void copy_bytes(const Tensor& from, std::byte* to) {
  const auto copy = [&]<class T>(T) {
    const std::span<const T> values = from.data<T>();
    if (!values.empty()) std::memcpy(to, values.data(), values.size_bytes());
  };
  switch (from.dtype()) {
    case kBool:
      return copy(bool{});
    case kU8:
      return copy(uint8_t{});
    case kI8:
      return copy(int8_t{});
    case kI32:
      return copy(int32_t{});
    case kI64:
      return copy(int64_t{});
    case kF16:
      return copy(float16{});
    case kBF16:
      return copy(bfloat16{});
    case kF32:
      return copy(float{});
    case kF64:
      return copy(double{});
  }
}

Env::Env(std::string name, Space observation, Space action, Space state)
    : name_(std::move(name)),
      observation_space_(std::move(observation)),
      action_space_(std::move(action)),
      state_space_(std::move(state)),
      state_(static_cast<size_t>(state_space_.size())) {}

void Env::set_max_episode_steps(int64_t steps) {
  if (steps < 0)
    throw ValueError(name_ + ": max_episode_steps is " + std::to_string(steps) + ", below 0");
  max_episode_steps_ = steps;
}

data::Random Env::random() const {
  return data::Random(seed_, static_cast<uint64_t>(episode_), static_cast<uint64_t>(steps_));
}

void Env::reset(const Observation& out, std::optional<uint64_t> seed) {
  check_observation(name_, observation_space_, out);
  episode_ = seed || !started_ ? 0 : episode_ + 1;
  if (seed) seed_ = *seed;
  steps_ = 0;
  start(random(), state_);
  started_ = true;
  write(state_, out);
}

Step Env::step(const Action& action, const Observation& out) {
  if (!started_) throw Error(name_ + ": step() before reset()");
  check_action(name_, action_space_, action);
  check_observation(name_, observation_space_, out);
  ++steps_;
  Step step = advance(action, state_);
  bool finite = std::isfinite(step.reward);
  for (const double x : state_) finite &= std::isfinite(x);
  if (!finite)
    throw ValueError(name_ + ": step " + std::to_string(steps_) +
                     " gives a reward or a state that is not finite");
  if (max_episode_steps_ > 0 && steps_ >= max_episode_steps_) step.truncated = true;
  write(state_, out);
  return step;
}

void Env::observe(const Observation& out) const {
  if (!started_) throw Error(name_ + ": observe() before reset()");
  check_observation(name_, observation_space_, out);
  write(state_, out);
}

Tensor Env::render() const {
  if (!started_) throw Error(name_ + ": render() before reset()");
  return draw(state_);
}

Tensor Env::draw(std::span<const double>) const { throw Error(name_ + " has no picture"); }

void Env::set_state(std::span<const double> state) {
  check_state(state);
  accept(state);
  std::copy(state.begin(), state.end(), state_.begin());
  steps_ = 0;
  started_ = true;
}

void Env::check_state(std::span<const double> state) const {
  bool good = state_space_.contains(state);
  for (const double x : state) good &= std::isfinite(x);
  if (good) return;
  std::string text;
  for (const double x : state.first(std::min<size_t>(state.size(), 8)))
    text += (text.empty() ? "" : ", ") + number(x);
  throw ValueError(name_ + ": {" + text + "} is no state of " + std::to_string(state_.size()) +
                   " numbers within its bounds");
}

StateDict Env::state_dict() const {
  return {{"state", from_vector(state_, {state_space_.size()})},
          {"progress", tensor<int64_t>({static_cast<int64_t>(seed_), episode_, steps_, started_})}};
}

void Env::load_state_dict(const StateDict& values) {
  const Tensor state = entry(name_, values, "state", {state_space_.size()}, kF64);
  const Tensor progress = entry(name_, values, "progress", {4}, kI64);
  const std::span<const int64_t> counts = progress.data<int64_t>();
  const auto count = [](int64_t n) { return n >= 0 && n < int64_t{1} << 62; };
  if (!count(counts[1]) || !count(counts[2]) || (counts[3] != 0 && counts[3] != 1))
    throw ValueError(name_ + ": \"progress\" of the state is of no episode");
  if (counts[3]) {
    check_state(state.data<double>());
    accept(state.data<double>());
  }
  const std::span<const double> numbers = state.data<double>();
  std::copy(numbers.begin(), numbers.end(), state_.begin());
  seed_ = static_cast<uint64_t>(counts[0]);
  episode_ = counts[1];
  steps_ = counts[2];
  started_ = counts[3];
}

}  // namespace glia::rl
