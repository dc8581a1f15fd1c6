// Deep Q-learning (Mnih et al. 2015) with double estimates (van Hasselt et al. 2016) and, as
// options, what makes it Rainbow (Hessel et al. 2018), in environments with few actions.
#include "glia/rl/dqn.h"

#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/agents.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

// The defaults are those of CleanRL's dqn.py.
struct DqnSettings : TrainingSettings {
  std::string env, returns;
  rl::DqnOptions options;
  rl::QNetworkOptions network;

  void declare(Fields& f) override {
    f(env, "env", "CartPole-v1", "The environment.",
      {{"CartPole-v1", "MountainCar-v0", "Acrobot-v1", "FrozenLake-v1", "FrozenLake8x8-v1",
        "CliffWalking-v1", "Taxi-v4", "MinAtar/Breakout-v1"}});
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
    f(network.dueling, "dueling", false, "Values of states and of what actions add to them.");
    f(network.noisy, "noisy", false, "Noise in the layers explores, instead of random actions.");
    f(returns, "returns", "mean", "What is learnt of returns: C51's atoms, QR-DQN's quantiles.",
      {{"mean", "c51", "qr"}});
    f(network.atoms, "atoms", returns == "qr" ? 50 : 101, "Atoms or quantiles.", {2, 1000});
    f(network.v_min, "v-min", -100, "The return of the lowest atom.", {-1e9, 1e9});
    f(network.v_max, "v-max", 100, "The return of the highest atom.", {-1e9, 1e9});
    f(o.n_step, "n-step", 1, "Steps whose rewards are summed.", {1, 1000});
    f(o.per_alpha, "per-alpha", 0, "Priorities of transitions: error^alpha; 0: none.", {0, 1});
    TrainingSettings::declare(f);
    o.seed = static_cast<uint64_t>(seed);
    if (returns == "c51") {
      network.returns = rl::ReturnKind::kCategorical;
      o.eps = 0.01 / static_cast<double>(o.batch_size);
    }
    if (returns == "qr") network.returns = rl::ReturnKind::kQuantile;
  }
};

rl::QNetwork network_of(const DqnSettings& s) {
  const auto env = env_for_networks(s.env);
  return {env->observation_space(), env->action_space(), s.network};
}

void train(Run& run, const DqnSettings& s) {
  if (s.options.learning_starts >= s.options.total_steps)
    throw Error("--learning-starts is not less than --steps");
  rl::Dqn agent(env_for_networks(s.env), network_of(s), s.options);
  training::Trainer trainer(agent.task(),
                            {.steps = agent.updates(),
                             .interval = std::max<int64_t>(2, agent.updates() / kEpochsOfAgents),
                             .note = run.note()});
  run.say(fmt::format("dqn: {}, results in {}", s.env, run.folder()));
  run.fit(trainer, "steps");

  rl::QNetwork network = agent.network();
  network.eval();
  run.save(network.state_dict());
  std::vector<double> at;
  for (const training::Epoch& e : trainer.history())
    at.push_back(static_cast<double>(agent.steps_after(e.step)));
  Finished end = finished(run, *env_for_networks(s.env), rl::greedy_policy(network), s.seed,
                          agent.returns(), agent.steps(), trainer.seconds());
  auto sections = curves_of(trainer, at,
                            {{"Return: mean of the last hundred episodes", "return"},
                             {"Loss", "loss"},
                             {"Share of random actions", "exploring"}});
  sections.insert(sections.end(), end.sections.begin(), end.sections.end());
  run.finish({.title = "DQN, " + s.env,
              .subtitle = fmt::format("Trained by {} for {} steps", version(),
                                      report::shown(static_cast<double>(agent.steps()))),
              .sections = sections},
             end.results);
}

class DqnPlayer : public Player {
 public:
  DqnPlayer(const Saved& saved, const DqnSettings& s)
      : Player(s.env, s.seed),
        width_(env_for_networks(s.env)->observation_space().size()),
        q_(network_of(s)) {
    q_.load_state_dict(saved.weights);
    q_.eval();
    set_policy(rl::greedy_policy(q_));
  }

  Computation computation() const override {
    return computation_of(
        q_, [this](const Tensor& x) { return q_(x); }, zeros({1, width_}), "observations",
        "values");
  }

 protected:
  Results answer(const Input& input) const override {
    const auto values = rl::action_values(q_, observation(input));
    report::Table table{{{"action"}, {"value"}}, {}};
    for (size_t a = 0; a < values.size(); ++a) table.rows.push_back({int64_t(a), values[a]});
    return {{"action", rl::greedy_action(values)}, {"values", table}};
  }

 private:
  const int64_t width_;
  rl::QNetwork q_;
};

const Register<DqnSettings> dqn({
    .name = "dqn",
    .task = "reinforcement-learning",
    .description = "Deep Q-learning, double, dueling, prioritised, distributional or noisy.",
    .run_name = [](const DqnSettings& s) { return "dqn-" + s.env.substr(s.env.find('/') + 1); },
    .references = [](const DqnSettings& s) -> std::vector<Reference> {
      if (s.options.total_steps < 500000) return {};
      if (s.env == "CartPole-v1")
        return {{"return_of_last_episodes", 488.69, "CleanRL's dqn.py, 500,000 steps"}};
      if (s.env == "Acrobot-v1")
        return {{"return_of_last_episodes", -91.54, "CleanRL's dqn.py, 500,000 steps"}};
      if (s.env == "MountainCar-v0")
        return {{"return_of_last_episodes", -194.95, "CleanRL's dqn.py, 500,000 steps"}};
      return {};
    },
    .train = train,
    .load = make_predictor<DqnPlayer, DqnSettings>,
    .input = "OBSERVATION",
    .input_help = "The numbers of an observation, \"0.1, 0, -0.02, 0\".",
    .predict_help = "Prints the best action and the value of each.",
    .evaluate_help = "Prints the mean return of --count episodes (20) by the best actions.",
});

}  // namespace
}  // namespace glia::recipes
