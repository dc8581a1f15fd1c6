// What agents draw on the host, and room for observations of any dtype.
#pragma once

#include <cstddef>
#include <vector>

#include "glia/rl/policy.h"

namespace glia::rl {

// Memory for one observation of a space, which must outlive it.
class Room {
 public:
  explicit Room(const Space& space) : space_(&space), bytes_(space.bytes()) {}
  Observation out() { return {bytes_.data(), space_->dtype(), space_->size()}; }
  ObservationView view() const { return {bytes_.data(), space_->dtype(), space_->size()}; }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::vector<double> values() const {
    return from_bytes(bytes_.data(), {space_->size()}, space_->dtype()).to_vector<double>();
  }

 private:
  const Space* space_;
  std::vector<std::byte> bytes_;
};

// What an agent draws in a step, from a stream of its own: other numbers than environments of that
// seed have.
inline data::Random agent_random(uint64_t seed, uint64_t stream, uint64_t step) {
  return data::Random(seed + 0x9e3779b97f4a7c15, stream, step);
}

// Any action of the space; infinite bounds count as 1000.
Decision random_action(const Space& actions, data::Random& random);

double normal(data::Random& random);  // mean 0, variance 1 (Box & Muller 1958)

// The logarithms of the probabilities that logits stand for, and one that is drawn by them.
std::vector<double> log_probabilities(std::span<const float> logits);
int64_t categorical(std::span<const double> log_probabilities, data::Random& random);

// Throws ValueError where one of what environments show is not finite.
void require_finite(const char* who, const Env& env, std::span<const float> seen);

// An observation of f32 as a batch of one.
Tensor batch_of_one(const Space& space, const ObservationView& seen);

}  // namespace glia::rl
