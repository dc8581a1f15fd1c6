// Deep Q-learning (Mnih et al. 2015) with double estimates (van Hasselt et al. 2016), in
// environments with few actions.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/rl/dqn.h"
#include "glia/rl/policy.h"
#include "recipes/src/numbers.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEpochs = 50, kEpisodes = 20;

// The defaults are those of CleanRL's dqn.py.
struct DqnSettings : TrainingSettings {
  std::string env;
  rl::DqnOptions options;

  void declare(Fields& f) override {
    f(env, "env", "CartPole-v1", "The environment.",
      {{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}});
    auto& o = options;
    f(o.total_steps, "steps", 500000, "Steps in the environment.", {100, 1e9});
    f(o.learning_starts, "learning-starts", std::min<int64_t>(10000, o.total_steps / 10),
      "Random steps before learning begins.", {1, 1e9});
    f(o.train_frequency, "train-frequency", 10, "Steps for each update.", {1, 1e6});
    f(o.target_frequency, "target-frequency", 500,
      "Steps after which the target network is renewed.", {1, 1e9});
    f(o.buffer_size, "buffer", 10000, "Transitions that are remembered.", {1, 1e8});
    f(o.batch_size, "batch", 128, "Transitions in each update.", {1, 1e6});
    f(o.lr, "lr", 2.5e-4, "Learning rate (Adam).", {0, 1000});
    f(o.gamma, "gamma", 0.99, "What a reward is worth a step later.", {0, 1});
    f(o.end_e, "epsilon", 0.05, "Share of random actions in the end; it falls from 1.", {0, 1});
    f(o.exploration_fraction, "exploration", 0.5, "Part of the steps in which it falls.",
      {1e-6, 1});
    f(o.double_q, "double", true, "The online network chooses what the target network values.");
    TrainingSettings::declare(f);
    o.seed = static_cast<uint64_t>(seed);
  }
};

// By the best actions, from starts that no training has seen.
rl::Episodes play(const nn::Sequential& q, const DqnSettings& s, int64_t episodes) {
  return rl::play(*rl::make(s.env), rl::greedy_policy(q), episodes, s.options.seed + 1);
}

double mean_of(const auto& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void train(Run& run, const DqnSettings& s) {
  if (s.options.learning_starts >= s.options.total_steps)
    throw Error("--learning-starts is not less than --steps");
  auto env = rl::make(s.env);
  nn::Sequential network = rl::q_network(*env);
  rl::Dqn agent(std::move(env), std::move(network), s.options);
  training::Trainer trainer(agent.task(),
                            {.steps = agent.updates(),
                             .interval = std::max<int64_t>(2, agent.updates() / kEpochs),
                             .note = run.note()});
  run.say(fmt::format("dqn: {}, results in {}", s.env, run.folder()));
  run.fit(trainer, "steps");

  run.save(agent.network().state_dict());
  const rl::Episodes played = play(agent.network(), s, kEpisodes);
  report::Curves episode{.series = {}, .x = {"step"}};
  for (int64_t i = 0; i < played.first.size(1); ++i)
    episode.series.push_back(
        {fmt::format("observation {}", i), index(played.first, {Ellipsis, i}).to_vector<double>()});
  std::vector<double> at;
  for (const training::Epoch& e : trainer.history())
    at.push_back(static_cast<double>(agent.steps_after(e.step)));
  const auto over_steps = [&](const char* title, const char* name) {
    return curve(trainer, title, name, {"step"}, {}, at);
  };
  Results results = {{"greedy_return", mean_of(played.returns)},
                     {"steps_per_second", static_cast<double>(agent.steps()) / trainer.seconds()}};
  if (!agent.returns().empty())  // an episode has ended
    results.insert(results.begin(), {"return_of_last_episodes", mean_of(agent.returns())});
  run.finish({.title = "DQN, " + s.env,
              .subtitle = fmt::format("Trained by {} for {} steps", version(),
                                      report::shown(agent.steps())),
              .sections = {over_steps("Return: mean of the last hundred episodes", "train_return"),
                           over_steps("Loss", "train_loss"),
                           over_steps("Share of random actions", "train_exploring"),
                           {"An episode by the trained agent", episode}}},
             results);
}

class Player : public Predictor {
 public:
  Player(const Saved& saved, const DqnSettings& s)
      : settings_(s),
        width_(rl::make(s.env)->observation_space().size()),
        q_(rl::q_network(*rl::make(s.env))) {
    q_.load_state_dict(saved.weights);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto numbers = numbers_of(input, width_, "an observation");
    const auto values = rl::action_values(q_, std::vector<float>(numbers.begin(), numbers.end()));
    report::Table table{{{"action"}, {"value"}}, {}};
    for (size_t a = 0; a < values.size(); ++a) table.rows.push_back({int64_t(a), values[a]});
    return {{"action", rl::greedy_action(values)}, {"values", table}};
  }
  Results score(const Evaluation& what) const override {
    const std::string& env = what.data.empty() ? settings_.env : what.data;
    if (env != settings_.env) throw Error(env + ": the agent is of " + settings_.env);
    const auto returns = play(q_, settings_, what.count > 0 ? what.count : kEpisodes).returns;
    const auto [least, most] = std::ranges::minmax(returns);
    return {{"greedy_return", mean_of(returns)},
            {"least", least},
            {"most", most},
            {"episodes", static_cast<int64_t>(returns.size())}};
  }

 private:
  const DqnSettings settings_;
  const int64_t width_;
  nn::Sequential q_;
};

const Register<DqnSettings> dqn({
    .name = "dqn",
    .task = "reinforcement-learning",
    .description = "Deep Q-learning in an environment of classic control.",
    .run_name = [](const DqnSettings& s) { return "dqn-" + s.env; },
    .references = [](const DqnSettings& s) -> std::vector<Reference> {
      if (s.env != "CartPole-v1") return {};
      return {{"return_of_last_episodes", 475, "where Gymnasium takes CartPole-v1 for solved"}};
    },
    .train = train,
    .load = make_predictor<Player, DqnSettings>,
    .input = "OBSERVATION",
    .input_help = "The numbers of an observation, \"0.1, 0, -0.02, 0\".",
    .predict_help = "Prints the best action and the value of each.",
    .evaluate_help = "Prints the mean return of --count episodes (20) by the best actions.",
});

}  // namespace
}  // namespace glia::recipes
