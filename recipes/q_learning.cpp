// Values of actions in a table (Watkins 1989; Sutton & Barto 2018), in environments whose states
// can be counted, beside the exact ones where what may happen is known.
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/rl/planning.h"
#include "glia/rl/tabular.h"
#include "recipes/src/agents.h"
#include "recipes/src/numbers.h"

namespace glia::recipes {
namespace {

const std::vector<std::string> kAlgorithms = {
    "q-learning", "sarsa", "expected-sarsa", "double-q", "monte-carlo", "sarsa-lambda", "q-lambda"};

struct TableSettings : TrainingSettings {
  std::string env, algorithm;
  int64_t episodes = 0;
  rl::TabularOptions options;

  void declare(Fields& f) override {
    f(env, "env", "FrozenLake-v1", "The environment.",
      {{"FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1",
        "Taxi-v4", "Blackjack-v1"}});
    f(algorithm, "algorithm", "q-learning", "How the table is learnt.", {kAlgorithms});
    const bool lake = env.starts_with("FrozenLake"), cards = env == "Blackjack-v1";
    auto& o = options;
    f(episodes, "episodes", lake || cards ? 200000 : 5000, "Episodes to learn from.", {100, 1e10});
    f(o.gamma, "gamma", lake ? 0.99 : 1.0, "What a reward is worth a step later.", {0, 1});
    f(o.alpha, "alpha", lake || cards ? 1.0 : 0.2, "Step size, of the first visit.", {0, 1});
    f(o.alpha_power, "alpha-power",
      lake    ? 0.6
      : cards ? 0.7
              : 0.0,
      "It falls with the visits of a state and action to this power.", {0, 10});
    f(o.epsilon, "epsilon", lake ? 0.3 : 0.1, "Share of random actions in the first episode.",
      {0, 1});
    f(o.epsilon_decay, "epsilon-decay", 1, "By which it falls with each.", {0, 1});
    f(o.lambda, "lambda", 0.9, "Of eligibility traces.", {0, 1});
    TrainingSettings::declare(f);
    o.method = static_cast<rl::TabularMethod>(std::ranges::find(kAlgorithms, algorithm) -
                                              kAlgorithms.begin());
    o.seed = static_cast<uint64_t>(seed);
  }
};

std::unique_ptr<rl::Env> env_of(const TableSettings& s) {
  auto env = rl::make(s.env);
  if (env->max_episode_steps() == 0) env->set_max_episode_steps(1000);
  return env;
}

// One batch of episodes as a step of a trainer.
struct Lessons {
  rl::Env& env;
  rl::TabularAgent& agent;
  rl::EpisodeStatistics statistics;
  int64_t episodes = 0;  // of a step

  training::Metrics step() {
    for (int64_t i = 0; i < episodes; ++i) statistics.add(0, agent.play_episode(env), true);
    return {statistics.metric(), {"epsilon", agent.epsilon()}};
  }
};

// The values of states in the shape of a map, where there is one.
std::vector<report::Section> maps(const TableSettings& s, const rl::TabularAgent& agent) {
  const int64_t rows = s.env.starts_with("Cliff") ? 4 : s.env == "FrozenLake-v1" ? 4 : 8;
  if (s.env == "Taxi-v4" || s.env == "Blackjack-v1") return {};
  std::vector<double> values;
  for (int64_t state = 0; state < agent.states(); ++state) values.push_back(agent.value(state));
  const int64_t columns = agent.states() / rows;
  report::Matrix map{.rows = {}, .columns = {}, .values = from_vector(values, {rows, columns})};
  for (int64_t i = 0; i < rows; ++i) map.rows.push_back(std::to_string(i));
  for (int64_t i = 0; i < columns; ++i) map.columns.push_back(std::to_string(i));
  return {{"Value of the best action in each cell", map}};
}

void train(Run& run, const TableSettings& s) {
  const auto env = env_of(s);
  rl::TabularAgent agent(*env, s.options);
  Lessons lessons{*env, agent, rl::EpisodeStatistics(),
                  std::max<int64_t>(1, s.episodes / (10 * kEpochsOfAgents))};
  training::Trainer trainer(
      {.parts = {{"env", *env}, {"agent", agent}, {"statistics", lessons.statistics}},
       .step = [&](const data::Sample&) { return lessons.step(); }},
      {.steps = s.episodes / lessons.episodes, .interval = 10, .note = run.note()});
  run.say(fmt::format("{}: {}, results in {}", s.algorithm, s.env, run.folder()));
  run.fit(trainer);

  run.save({{"q", agent.state_dict()[0].second}});
  std::vector<double> at;
  for (const training::Epoch& e : trainer.history())
    at.push_back(static_cast<double>(e.step * lessons.episodes));
  Finished end = finished(run, *env, agent.policy(), s.seed, lessons.statistics.returns(),
                          agent.steps(), trainer.seconds());
  if (const auto* known = dynamic_cast<const rl::TabularEnv*>(env.get())) {
    const rl::Model& model = known->model();
    double learnt = 0;
    for (int64_t state = 0; state < model.states; ++state)
      learnt += model.initial[static_cast<size_t>(state)] * agent.value(state);
    const rl::Plan plan = rl::value_iteration(model, {.gamma = s.options.gamma});
    end.results.insert(end.results.begin(),
                       {{"value_of_start", learnt}, {"best_value", plan.value_of_start(model)}});
  }
  auto sections = curves_of(trainer, at,
                            {{"Return: mean of the last hundred episodes", "return"},
                             {"Share of random actions", "epsilon"}});
  for (const report::Section& map : maps(s, agent)) sections.push_back(map);
  sections.insert(sections.end(), end.sections.begin(), end.sections.end());
  run.finish({.title = fmt::format("{}, {}", s.algorithm, s.env),
              .subtitle = fmt::format("Trained by {} for {} episodes", version(),
                                      report::shown(static_cast<double>(agent.episodes()))),
              .sections = sections},
             end.results);
}

class TablePlayer : public Predictor {
 public:
  TablePlayer(const Saved& saved, const TableSettings& s)
      : settings_(s), agent_(*env_of(s), s.options) {
    StateDict state = agent_.state_dict();
    if (saved.weights.size() != 1 || saved.weights[0].first != "q")
      throw IoError(saved.path + ": has no table \"q\"");
    for (auto& [name, value] : state)
      if (name == "q" || name == "q2") value = saved.weights[0].second;
    agent_.load_state_dict(state);
  }

 protected:
  Results answer(const Input& input) const override {
    const double state = numbers_of(input, 1, "a state")[0];
    if (state != static_cast<double>(static_cast<int64_t>(state)))
      throw ValueError(fmt::format("{} is no state", state));
    const auto values = agent_.action_values(static_cast<int64_t>(state));
    report::Table table{{{"action"}, {"value"}}, {}};
    for (size_t a = 0; a < values.size(); ++a) table.rows.push_back({int64_t(a), values[a]});
    return {{"action", rl::greedy_action(values)}, {"values", table}};
  }
  Results score(const Evaluation& what) const override {
    what.require(settings_.env);
    return played(*env_of(settings_), agent_.policy(), what.count > 0 ? what.count : 1000,
                  settings_.seed);
  }

 private:
  const TableSettings settings_;
  rl::TabularAgent agent_;
};

const Register<TableSettings> q_learning({
    .name = "q-learning",
    .task = "reinforcement-learning",
    .description = "Values of actions in a table: Q-learning, SARSA, Monte Carlo and others.",
    .run_name = [](const TableSettings& s) { return s.algorithm + "-" + s.env; },
    .references = [](const TableSettings& s) -> std::vector<Reference> {
      const double gamma = s.options.gamma;
      if (s.env == "FrozenLake-v1" && gamma == 0.99)
        return {{"value_of_start", 0.542026, "value iteration"}};
      if (s.env == "FrozenLake8x8-v1" && gamma == 0.99)
        return {{"value_of_start", 0.414640, "value iteration"}};
      if (s.env == "CliffWalking-v1" && gamma == 1)
        return {{"greedy_return", -13, "the shortest way"}};
      return {};
    },
    .train = train,
    .load = make_predictor<TablePlayer, TableSettings>,
    .input = "STATE",
    .input_help = "The number of a state.",
    .predict_help = "Prints the best action and the value of each.",
    .evaluate_help = "Prints the mean return of --count episodes (1000) by the best actions.",
});

}  // namespace
}  // namespace glia::recipes
