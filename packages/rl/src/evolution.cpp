#include "glia/rl/evolution.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "glia/autodiff.h"
#include "glia/nn/functional.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "state.h"

namespace glia::rl {
namespace {

std::unique_ptr<VectorEnv> checked(std::unique_ptr<VectorEnv> envs, const EvolutionOptions& o) {
  const std::string who = "EvolutionStrategy: ";
  if (!envs) throw ValueError(who + "there are no environments");
  if (envs->autoreset_mode() != AutoresetMode::kSameStep)
    throw ValueError(who + "the environments are not of AutoresetMode::kSameStep");
  if (envs->num_envs() % 2 != 0)
    throw ValueError(who + std::to_string(envs->num_envs()) + " neighbours are not pairs");
  if (envs->env(0).max_episode_steps() == 0)
    throw ValueError(who + "episodes of " + envs->env(0).name() + " have no limit of steps");
  if (o.generations < 1 || !(o.sigma > 0))
    throw ValueError(who + "generations is below 1, or sigma not above 0");
  return envs;
}

// From -0.5 of the worst to 0.5 of the best; equal returns share what they have together.
std::vector<float> centred_ranks(const std::vector<double>& returns) {
  std::vector<size_t> order(returns.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return returns[i]; });
  std::vector<float> ranks(returns.size());
  for (size_t from = 0, to = 0; from < order.size(); from = to) {
    while (to < order.size() && returns[order[to]] == returns[order[from]]) ++to;
    const double place = static_cast<double>(from + to - 1) / 2;
    for (size_t i = from; i < to; ++i)
      ranks[order[i]] = static_cast<float>(place / static_cast<double>(order.size() - 1) - 0.5);
  }
  return ranks;
}

}  // namespace

EvolutionStrategy::EvolutionStrategy(std::unique_ptr<VectorEnv> envs, ActorCritic network,
                                     const EvolutionOptions& options)
    : options_(options),
      envs_(checked(std::move(envs), options)),
      network_(std::move(network)),
      optimizer_(network_.actor.parameters(),
                 {.lr = options.lr, .weight_decay = options.weight_decay}) {
  envs_->reset(options.seed);
}

training::Task EvolutionStrategy::task() {
  return {.parts = {{"envs", *envs_},
                    {"agent", *this},
                    {"network", network_},
                    {"optimizer", optimizer_}},
          .step = [this](const data::Sample&) { return step(); }};
}

// One episode of each, with weights (N, ...) of its own.
std::vector<double> EvolutionStrategy::returns_of(const std::vector<Tensor>& weights) {
  const TensorFunction act = vmap([this](const std::vector<Tensor>& all) {
    const std::vector<Tensor> values(all.begin(), all.end() - 1);
    return nn::functional_call(network_.actor, values,
                               [&] { return network_.policy(unsqueeze(all.back(), 0)); });
  });
  const auto envs = static_cast<size_t>(envs_->num_envs());
  const auto width = static_cast<size_t>(envs_->single_action_space().size());
  std::vector<double> returns(envs);
  std::vector<uint8_t> over(envs);
  envs_->reset();
  while (std::ranges::count(over, uint8_t{0}) > 0) {
    std::vector<Tensor> all = weights;
    all.push_back(envs_->observations());
    const Tensor out = squeeze(act(all), 1);
    if (network_.is_discrete())
      envs_->step(argmax(out, 1));
    else
      envs_->step(reshape(out, {envs_->num_envs(), static_cast<int64_t>(width)}));
    for (size_t i = 0; i < envs; ++i) {
      if (over[i]) continue;
      ++steps_;
      returns[i] += envs_->reward_data()[i];
      const auto row = static_cast<int64_t>(i);
      over[i] = envs_->terminated(row) || envs_->truncated(row);
    }
  }
  return returns;
}

training::Metrics EvolutionStrategy::step() {
  const NoGrad no_grad;
  const ParameterList parameters = network_.actor.all_parameters();
  const int64_t pairs = envs_->num_envs() / 2;
  std::vector<Tensor> noise, weights;
  for (const Variable& p : parameters) {
    const Tensor one_side = randn(in_rows(pairs, p.shape()));
    noise.push_back(concat({one_side, -one_side}));
    weights.push_back(p.tensor() + options_.sigma * noise.back());
  }
  eval(weights);
  const std::vector<double> returns = returns_of(weights);
  const Tensor ranks = from_vector(centred_ranks(returns), {envs_->num_envs()});
  const double scale = -1 / (static_cast<double>(envs_->num_envs()) * options_.sigma);
  std::vector<Tensor> slopes;
  for (const Tensor& e : noise)
    slopes.push_back(
        reshape(scale * matmul(unsqueeze(ranks, 0), reshape(e, {envs_->num_envs(), -1})),
                index(e, {0}).shape()));
  optimizer_.step(slopes);
  ++generation_;
  const double sum = std::accumulate(returns.begin(), returns.end(), 0.0);
  return {{"return", sum, static_cast<double>(returns.size())}};
}

StateDict EvolutionStrategy::state_dict() const {
  return {{"progress", tensor<int64_t>({generation_, steps_})}};
}

void EvolutionStrategy::load_state_dict(const StateDict& values) {
  const auto progress =
      entry("EvolutionStrategy", values, "progress", {2}, kI64).to_vector<int64_t>();
  if (progress[0] < 0 || progress[0] > options_.generations || progress[1] < 0)
    throw Error("EvolutionStrategy: the state is of no agent");
  generation_ = progress[0];
  steps_ = progress[1];
}

}  // namespace glia::rl
