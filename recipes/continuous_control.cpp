// Control by values: SAC (Haarnoja et al. 2018), TD3 (Fujimoto et al. 2018), DDPG (Lillicrap et al.
// 2016).
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/rl/continuous.h"
#include "recipes/src/agents.h"

namespace glia::recipes {
namespace {

// The defaults are those of CleanRL, but for the number of steps and of random ones, which are for
// the million that robots take.
struct ControlSettings : TrainingSettings {
  std::string algorithm, env;
  rl::SacOptions sac;
  rl::Td3Options td3;
  int64_t hidden = 0;

  void declare(Fields& f) override {
    f(algorithm, "algorithm", "sac", "How actor and critics learn.", {{"sac", "td3", "ddpg"}});
    f(env, "env", "Pendulum-v1", "The environment.", {{"Pendulum-v1", "MountainCarContinuous-v0"}});
    auto& o = sac;
    f(o.total_steps, "steps", 20000, "Steps in the environment.", {100, 1e9});
    f(o.learning_starts, "learning-starts", std::min<int64_t>(1000, o.total_steps / 10),
      "Random steps before learning begins.", {1, 1e9});
    f(o.train_frequency, "train-frequency", 1, "Steps for each update.", {1, 1e6});
    f(o.buffer_size, "buffer", 1000000, "Transitions that are remembered.", {1, 1e8});
    f(o.batch_size, "batch", 256, "Transitions in each update.", {1, 1e6});
    f(hidden, "hidden", 256, "Units of each of two hidden layers.", {1, 65536});
    f(o.policy_lr, "lr", 3e-4, "Learning rate of the actor (Adam).", {0, 1000});
    f(o.q_lr, "critic-lr", algorithm == "sac" ? 1e-3 : o.policy_lr,
      "Learning rate of the critics, and of SAC's alpha.", {0, 1000});
    f(o.gamma, "gamma", 0.99, "What a reward is worth a step later.", {0, 1});
    f(o.tau, "tau", 0.005, "How far targets follow in an update.", {1e-9, 1});
    f(td3.exploration_noise, "noise", 0.1, "Deviation of actions (TD3, DDPG).", {0, 100});
    TrainingSettings::declare(f);
    o.seed = static_cast<uint64_t>(seed);
    o.hidden = {hidden, hidden};
    const double noise = td3.exploration_noise;
    td3 = algorithm == "ddpg" ? rl::ddpg_options() : rl::Td3Options();
    td3.total_steps = o.total_steps;
    td3.learning_starts = o.learning_starts;
    td3.train_frequency = o.train_frequency;
    td3.buffer_size = o.buffer_size;
    td3.batch_size = o.batch_size;
    td3.hidden = o.hidden;
    td3.lr = o.policy_lr;
    td3.critic_lr = o.q_lr;
    td3.gamma = o.gamma;
    td3.tau = o.tau;
    td3.exploration_noise = noise;
    td3.seed = o.seed;
  }
};

// The agent, and the weights of its actor.
struct Agent {
  std::unique_ptr<rl::OffPolicy> agent;
  const nn::Module* actor;
};

Agent agent_of(const ControlSettings& s) {
  const auto pair = [](auto agent) {
    const nn::Module* actor = &agent->actor();
    return Agent{std::move(agent), actor};
  };
  if (s.algorithm == "sac") return pair(std::make_unique<rl::Sac>(env_for_networks(s.env), s.sac));
  return pair(std::make_unique<rl::Td3>(env_for_networks(s.env), s.td3));
}

void train(Run& run, const ControlSettings& s) {
  if (s.sac.learning_starts >= s.sac.total_steps)
    throw Error("--learning-starts is not less than --steps");
  const Agent made = agent_of(s);
  rl::OffPolicy& agent = *made.agent;
  training::Trainer trainer(agent.task(),
                            {.steps = agent.updates(),
                             .interval = std::max<int64_t>(2, agent.updates() / kEpochsOfAgents),
                             .note = run.note()});
  run.say(fmt::format("{}: {}, results in {}", s.algorithm, s.env, run.folder()));
  run.fit(trainer, "steps");

  run.save(made.actor->state_dict());
  std::vector<double> at;
  for (const training::Epoch& e : trainer.history())
    at.push_back(static_cast<double>(agent.steps_after(e.step)));
  Finished end = finished(run, *env_for_networks(s.env), agent.policy(), s.seed, agent.returns(),
                          agent.steps(), trainer.seconds());
  std::ranges::stable_sort(end.results, {}, [](const Result& r) {  // what counts is the first
    return r.name != "greedy_return";
  });
  auto sections = curves_of(trainer, at,
                            {{"Return: mean of the last hundred episodes", "return"},
                             {"Loss of the critics", "critic_loss"},
                             {"Loss of the actor", "actor_loss"}});
  sections.insert(sections.end(), end.sections.begin(), end.sections.end());
  run.finish({.title = fmt::format("{}, {}", s.algorithm, s.env),
              .subtitle = fmt::format("Trained by {} for {} steps", version(),
                                      report::shown(static_cast<double>(agent.steps()))),
              .sections = sections},
             end.results);
}

template <class Actor>
class ControlPlayer : public Player {
 public:
  ControlPlayer(const Saved& saved, const ControlSettings& s)
      : Player(s.env, s.seed), actor_(actor_of(s)) {
    actor_.load_state_dict(saved.weights);
    set_policy(rl::greedy_policy(actor_));
  }

 private:
  static Actor actor_of(const ControlSettings& s) {
    const auto env = env_for_networks(s.env);
    return {env->observation_space(), env->action_space(), s.sac.hidden};
  }
  Actor actor_;
};

const Register<ControlSettings> continuous_control({
    .name = "continuous-control",
    .task = "reinforcement-learning",
    .description = "Actions that are values: SAC, TD3 or DDPG.",
    .run_name = [](const ControlSettings& s) { return s.algorithm + "-" + s.env; },
    .references = [](const ControlSettings& s) -> std::vector<Reference> {
      if (s.env != "Pendulum-v1") return {};
      return {{"greedy_return", -160, "the mark, for episodes from unseen starts"}};
    },
    .train = train,
    .load = [](const Saved& saved, const ControlSettings& s) -> std::unique_ptr<Predictor> {
      if (s.algorithm == "sac") return std::make_unique<ControlPlayer<rl::SquashedActor>>(saved, s);
      return std::make_unique<ControlPlayer<rl::DeterministicActor>>(saved, s);
    },
    .input = "OBSERVATION",
    .input_help = "The numbers of an observation, \"1, 0, 0.5\".",
    .predict_help = "Prints the action.",
    .evaluate_help = "Prints the mean return of --count episodes (100) without noise.",
});
const Shorthand sac("sac", "Soft actor-critic.", "continuous-control", {{"algorithm", "sac"}});
const Shorthand td3("td3", "Twin delayed deep deterministic policy gradients.",
                    "continuous-control", {{"algorithm", "td3"}});
const Shorthand ddpg("ddpg", "Deep deterministic policy gradients.", "continuous-control",
                     {{"algorithm", "ddpg"}});

}  // namespace
}  // namespace glia::recipes
