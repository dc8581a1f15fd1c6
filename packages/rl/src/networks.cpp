#include "glia/rl/networks.h"

#include <cmath>
#include <string>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/ops/activation.h"
#include "glia/ops/arrange.h"
#include "glia/random.h"
#include "sampling.h"

namespace glia::rl {
namespace {

constexpr int64_t kConvolutions = 16;

using Activation = Tensor (*)(const Operand&);

const Space& of_f32(const char* who, const Space& observations) {
  if (observations.dtype() != kF32)
    throw ValueError(std::string(who) + ": what is observed is " + observations.str() +
                     ", not f32 (see FlattenObservation)");
  return observations;
}

const Space& bounded(const char* who, const Space& actions) {
  bool good = !actions.is_discrete();
  for (size_t i = 0; good && i < actions.low().size(); ++i)
    good = std::isfinite(actions.low()[i]) && std::isfinite(actions.high()[i]);
  if (!good)
    throw ValueError(std::string(who) + ": actions are " + actions.str() +
                     ", not values between bounds");
  return actions;
}

void check_hidden(const char* who, const std::vector<int64_t>& hidden) {
  bool good = !hidden.empty();
  for (const int64_t units : hidden) good &= units > 0;
  if (!good) throw ValueError(std::string(who) + ": hidden layers without units");
}

void activate(nn::Sequential& layers, Activation f) {
  layers.push_back([f](const Tensor& x) { return f(x); });
}

// Makes vectors of observations, and says how long they are.
int64_t begin(nn::Sequential& layers, const Space& observations) {
  const Shape& shape = observations.shape();
  if (shape.rank() == 1) return shape[0];
  if (shape.rank() != 3 || shape[0] < 3 || shape[1] < 3) {
    layers.push_back(nn::Flatten());
    return observations.size();
  }
  layers.push_back(nn::Conv2d(shape[2], kConvolutions, {.kernel = 3}));
  activate(layers, relu);
  layers.push_back(nn::Flatten());
  return (shape[0] - 2) * (shape[1] - 2) * kConvolutions;
}

nn::Linear orthogonal(int64_t in, int64_t out, double gain) {
  nn::Linear layer(in, out);
  nn::init::orthogonal_(layer.weight, gain);
  nn::init::zeros_(layer.bias);
  return layer;
}

// Layers of hidden units and `out` more, which is linear.
nn::Sequential mlp(const Space& observations, const std::vector<int64_t>& hidden, int64_t out,
                   int64_t more_inputs = 0) {
  nn::Sequential layers;
  int64_t width = begin(layers, observations) + more_inputs;
  for (const int64_t units : hidden) {
    layers.push_back(nn::Linear(width, units));
    activate(layers, relu);
    width = units;
  }
  layers.push_back(nn::Linear(width, out));
  return layers;
}

nn::Sequential orthogonal_mlp(const Space& observations, const std::vector<int64_t>& hidden,
                              int64_t out, double gain) {
  nn::Sequential layers;
  int64_t width = begin(layers, observations);
  for (const int64_t units : hidden) {
    layers.push_back(orthogonal(width, units, std::sqrt(2.0)));
    activate(layers, tanh);
    width = units;
  }
  layers.push_back(orthogonal(width, out, gain));
  return layers;
}

Buffer of_bounds(const Space& space, double of_low, double of_high) {
  std::vector<float> values;
  for (size_t i = 0; i < space.low().size(); ++i)
    values.push_back(static_cast<float>(of_low * space.low()[i] + of_high * space.high()[i]));
  return Buffer(from_vector(values, {space.size()}));
}

std::vector<float> first_row(const Tensor& x) {
  const auto values = x.data<float>();
  return {values.begin(), values.end()};
}

}  // namespace

// ---- Values of actions ------------------------------------------------------------------------

NoisyLinear::NoisyLinear(int64_t in_features, int64_t out_features, double std_init) {
  if (in_features < 1 || out_features < 1) throw ShapeError("NoisyLinear: no inputs or no outputs");
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  weight_mu = uniform({out_features, in_features}, -bound, bound);
  bias_mu = uniform({out_features}, -bound, bound);
  weight_sigma = full({out_features, in_features}, std_init * bound);
  bias_sigma = full({out_features}, std_init * bound);
}

Tensor NoisyLinear::operator()(const Tensor& x) const {
  if (!is_training()) return linear(x, weight_mu, bias_mu);
  const auto noise = [](int64_t size) {
    const Tensor e = randn({size});
    return sign(e) * sqrt(abs(e));
  };
  const Tensor in = noise(weight_mu.shape()[1]), out = noise(weight_mu.shape()[0]);
  return linear(x, weight_mu + weight_sigma * (unsqueeze(out, 1) * in), bias_mu + bias_sigma * out);
}

QNetwork::QNetwork(const Space& observations, const Space& actions, const QNetworkOptions& options)
    : options_(options),
      observation_space_(of_f32("QNetwork", observations)),
      actions_(actions.n()) {
  if (!actions.is_discrete())
    throw ValueError("QNetwork: an action is no choice, but " + actions.str());
  check_hidden("QNetwork", options.hidden);
  if (options.returns == ReturnKind::kMean) options_.atoms = 1;
  if (options_.atoms < (options.returns == ReturnKind::kCategorical ? 2 : 1))
    throw ValueError("QNetwork: too few atoms");
  if (options.returns == ReturnKind::kCategorical && !(options.v_min < options.v_max))
    throw ValueError("QNetwork: v_min is not below v_max");
  const auto add = [&](nn::Sequential& to, int64_t in, int64_t out, bool noisy) {
    if (noisy)
      to.push_back(NoisyLinear(in, out));
    else
      to.push_back(nn::Linear(in, out));
  };
  int64_t width = begin(trunk, observations);
  for (size_t i = 0; i + 1 < options.hidden.size(); ++i) {
    add(trunk, width, options.hidden[i], options.noisy && i > 0);
    activate(trunk, relu);
    width = options.hidden[i];
  }
  const auto head = [&](nn::Sequential& to, int64_t out) {
    add(to, width, options.hidden.back(), options.noisy);
    activate(to, relu);
    add(to, options.hidden.back(), out * options_.atoms, options.noisy);
  };
  head(advantage, actions_);
  if (options.dueling) head(value, 1);
}

Tensor QNetwork::atoms() const { return linspace(options_.v_min, options_.v_max, options_.atoms); }

Tensor QNetwork::returns(const Tensor& observations) const {
  const Tensor features = trunk(observations);
  const Tensor added = reshape(advantage(features), {-1, actions_, options_.atoms});
  if (!options_.dueling) return added;
  return reshape(value(features), {-1, 1, options_.atoms}) + added - mean(added, {1}, true);
}

Tensor QNetwork::operator()(const Tensor& observations) const {
  const Tensor all = returns(observations);
  switch (options_.returns) {
    case ReturnKind::kMean:
      return reshape(all, {-1, actions_});
    case ReturnKind::kCategorical:
      return sum(softmax(all) * atoms(), {2});
    case ReturnKind::kQuantile:
      break;
  }
  return mean(all, {2});
}

std::vector<double> action_values(const QNetwork& network, const ObservationView& seen) {
  return network(batch_of_one(network.observation_space(), seen)).to_vector<double>();
}

Policy greedy_policy(const QNetwork& network) {
  return [&network](const ObservationView& seen) {
    return Decision(greedy_action(action_values(network, seen)));
  };
}

// ---- Stochastic policies ----------------------------------------------------------------------

ActorCritic::ActorCritic(const Space& observations, const Space& actions,
                         const ActorCriticOptions& options)
    : observation_space_(of_f32("ActorCritic", observations)), action_space_(actions) {
  check_hidden("ActorCritic", options.hidden);
  const int64_t width = actions.is_discrete() ? actions.n() : actions.size();
  critic = orthogonal_mlp(observations, options.hidden, 1, 1);
  actor = orthogonal_mlp(observations, options.hidden, width, 0.01);
  if (!actions.is_discrete()) log_std = zeros({width});
}

Tensor ActorCritic::policy(const Tensor& observations) const { return actor(observations); }

Tensor ActorCritic::value(const Tensor& observations) const {
  return reshape(critic(observations), {-1});
}

Tensor ActorCritic::log_prob(const Tensor& policy, const Tensor& actions) const {
  if (is_discrete())
    return reshape(gather(log_softmax(policy), reshape(actions, {-1, 1}), 1), {-1});
  constexpr double kHalfLog2Pi = 0.9189385332046727;
  const Tensor z = (reshape(actions, policy.shape()) - policy) * exp(-log_std.tensor());
  return sum(-0.5 * square(z) - log_std - kHalfLog2Pi, {1});
}

Tensor ActorCritic::entropy(const Tensor& policy) const {
  if (is_discrete()) return -sum(softmax(policy) * log_softmax(policy), {1});
  constexpr double kEntropy = 1.4189385332046727;  // (1 + log(2 pi)) / 2
  return expand(sum(log_std + kEntropy), {policy.size(0)});
}

Tensor ActorCritic::kl(const Tensor& old_policy, const Tensor& old_log_std,
                       const Tensor& policy) const {
  if (is_discrete())
    return sum(softmax(old_policy) * (log_softmax(old_policy) - log_softmax(policy)), {1});
  const Tensor ratio = exp(2 * (old_log_std - log_std));
  const Tensor moved = square(policy - old_policy) * exp(-2 * log_std.tensor());
  return sum(log_std - old_log_std + 0.5 * (ratio + moved - 1), {1});
}

Policy greedy_policy(const ActorCritic& network) {
  return [&network](const ObservationView& seen) -> Decision {
    const Tensor out = network.policy(batch_of_one(network.observation_space(), seen));
    if (network.is_discrete()) return greedy_action(out.to_vector<double>());
    return first_row(out);
  };
}

// ---- Actors and critics of continuous actions ---------------------------------------------------

Critic::Critic(const Space& observations, const Space& actions,
               const std::vector<int64_t>& hidden) {
  check_hidden("Critic", hidden);
  of_f32("Critic", observations);
  layers = mlp(Space::box(0.0, 1.0, {observations.size()}), hidden, 1,
               bounded("Critic", actions).size());
}

Tensor Critic::operator()(const Tensor& observations, const Tensor& actions) const {
  const Tensor flat = observations.rank() == 2 ? observations : flatten(observations, 1);
  return reshape(layers(concat({flat, actions}, 1)), {-1});
}

DeterministicActor::DeterministicActor(const Space& observations, const Space& actions,
                                       const std::vector<int64_t>& hidden)
    : observation_space_(of_f32("DeterministicActor", observations)) {
  check_hidden("DeterministicActor", hidden);
  bounded("DeterministicActor", actions);
  layers = mlp(observations, hidden, actions.size());
  scale = of_bounds(actions, -0.5, 0.5);
  bias = of_bounds(actions, 0.5, 0.5);
}

Tensor DeterministicActor::operator()(const Tensor& observations) const {
  return tanh(layers(observations)) * scale + bias;
}

SquashedActor::SquashedActor(const Space& observations, const Space& actions,
                             const std::vector<int64_t>& hidden)
    : observation_space_(of_f32("SquashedActor", observations)) {
  check_hidden("SquashedActor", hidden);
  bounded("SquashedActor", actions);
  layers = mlp(observations, hidden, 2 * actions.size());
  scale = of_bounds(actions, -0.5, 0.5);
  bias = of_bounds(actions, 0.5, 0.5);
}

SquashedActor::Sample SquashedActor::sample(const Tensor& observations) const {
  constexpr double kLeast = -5, kMost = 2, kHalfLog2Pi = 0.9189385332046727;
  const auto parts = chunk(layers(observations), 2, 1);
  const Tensor log_std = kLeast + 0.5 * (kMost - kLeast) * (tanh(parts[1]) + 1);
  const Tensor noise = randn(parts[0].shape());
  const Tensor squashed = tanh(parts[0] + exp(log_std) * noise);
  const Tensor log_prob =
      -0.5 * square(noise) - log_std - kHalfLog2Pi - log(scale * (1 - square(squashed)) + 1e-6);
  return {squashed * scale + bias, sum(log_prob, {1})};
}

Tensor SquashedActor::mean(const Tensor& observations) const {
  return tanh(chunk(layers(observations), 2, 1)[0]) * scale + bias;
}

Policy greedy_policy(const DeterministicActor& network) {
  return [&network](const ObservationView& seen) {
    return Decision(first_row(network(batch_of_one(network.observation_space(), seen))));
  };
}

Policy greedy_policy(const SquashedActor& network) {
  return [&network](const ObservationView& seen) {
    return Decision(first_row(network.mean(batch_of_one(network.observation_space(), seen))));
  };
}

}  // namespace glia::rl
