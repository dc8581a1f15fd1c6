#include "sampling.h"

#include <algorithm>
#include <cmath>

#include "state.h"

namespace glia::rl {

Decision random_action(const Space& actions, data::Random& random) {
  if (actions.is_discrete()) return random.below(actions.n());
  std::vector<float> values;
  for (size_t i = 0; i < actions.low().size(); ++i) {
    const double low = std::max(actions.low()[i], -1e3), high = std::min(actions.high()[i], 1e3);
    values.push_back(static_cast<float>(low + (high - low) * random.uniform()));
  }
  return values;
}

double normal(data::Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(6.283185307179586 * random.uniform());
}

std::vector<double> log_probabilities(std::span<const float> logits) {
  double most = logits[0], sum = 0;
  for (const float x : logits) most = std::max<double>(most, x);
  for (const float x : logits) sum += std::exp(x - most);
  std::vector<double> out;
  for (const float x : logits) out.push_back(x - most - std::log(sum));
  return out;
}

int64_t categorical(std::span<const double> log_probabilities, data::Random& random) {
  const double number = random.uniform();
  double sum = 0;
  for (size_t i = 0; i < log_probabilities.size(); ++i)
    if ((sum += std::exp(log_probabilities[i])) > number) return static_cast<int64_t>(i);
  return static_cast<int64_t>(log_probabilities.size()) - 1;
}

void require_finite(const char* who, const Env& env, std::span<const float> seen) {
  bool finite = true;
  for (const float x : seen) finite &= std::isfinite(x);
  if (!finite)
    throw ValueError(std::string(who) + ": what is observed of " + env.name() + " is not finite");
}

Tensor batch_of_one(const Space& space, const ObservationView& seen) {
  check_observation("batch_of_one", space, seen);
  return from_bytes(seen.data(), in_rows(1, space.shape()), seen.dtype());
}

}  // namespace glia::rl
