// Policy gradients: PPO (Schulman et al. 2017), A2C (Mnih et al. 2016), TRPO (Schulman et al.
// 2015), in environments with choices or with values for actions.
#include <fmt/format.h>

#include <algorithm>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/rl/on_policy.h"
#include "glia/rl/wrappers.h"
#include "recipes/src/agents.h"

namespace glia::recipes {
namespace {

// The defaults are those of CleanRL's ppo.py and ppo_continuous_action.py, and of
// Stable-Baselines3's A2C and TRPO.
struct GradientSettings : TrainingSettings {
  std::string algorithm, env;
  int64_t num_envs = 0;
  rl::PpoOptions ppo;
  double cg_kl = 0;

  void declare(Fields& f) override {
    f(algorithm, "algorithm", "ppo", "How the policy is improved.", {{"ppo", "a2c", "trpo"}});
    f(env, "env", "CartPole-v1", "The environment.",
      {{"CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1",
        "FrozenLake-v1", "MinAtar/Breakout-v1"}});
    const bool is_ppo = algorithm == "ppo", is_a2c = algorithm == "a2c";
    const bool boxes = env == "Pendulum-v1" || env == "MountainCarContinuous-v0";
    auto& o = ppo;
    auto& r = ppo.rollout;
    f(r.total_steps, "steps", 500000, "Steps in all environments.", {100, 1e10});
    f(num_envs, "envs", is_a2c ? 8 : boxes ? 1 : 4, "Environments side by side.", {1, 65536});
    f(r.num_steps, "rollout",
      is_a2c   ? 5
      : boxes  ? 2048
      : is_ppo ? 128
               : 512,
      "Steps of each environment for an update.", {1, 1e6});
    f(o.lr, "lr",
      is_a2c    ? 7e-4
      : !is_ppo ? 1e-3
      : boxes   ? 3e-4
                : 2.5e-4,
      "Learning rate (Adam, of A2C RMSprop, of TRPO the critic's); of PPO it falls to 0.",
      {0, 1000});
    f(r.gamma, "gamma", 0.99, "What a reward is worth a step later.", {0, 1});
    f(r.gae_lambda, "lambda", is_a2c ? 1.0 : 0.95, "Of generalised advantages.", {0, 1});
    f(o.num_minibatches, "minibatches", boxes ? 32 : 4, "Of a rollout (PPO).", {1, 1e6});
    f(o.update_epochs, "update-epochs", boxes ? 10 : 4, "Passes over a rollout (PPO).", {1, 1000});
    f(o.clip_coef, "clip", 0.2, "How far probabilities may move apart (PPO); 0: any.", {0, 100});
    f(o.ent_coef, "entropy", is_ppo && !boxes ? 0.01 : 0.0, "What entropy is worth.", {0, 1000});
    f(o.target_kl, "target-kl", is_ppo || is_a2c ? 0.0 : 0.01,
      "Divergence at which a PPO update ends (0: never), and of a TRPO step.", {0, 1000});
    f(o.kl_coef, "kl", 0, "What divergence from the old policy costs (PPO).", {0, 1e6});
    TrainingSettings::declare(f);
    r.seed = static_cast<uint64_t>(seed);
    r.norm_reward = boxes;
  }
};

std::unique_ptr<rl::VectorEnv> envs_of(const GradientSettings& s) {
  std::vector<std::unique_ptr<rl::Env>> envs;
  for (int64_t i = 0; i < s.num_envs; ++i) {
    auto env = env_for_networks(s.env);
    if (!env->action_space().is_discrete()) env = std::make_unique<rl::ClipAction>(std::move(env));
    envs.push_back(std::move(env));
  }
  return std::make_unique<rl::VectorEnv>(std::move(envs), rl::AutoresetMode::kSameStep);
}

rl::ActorCritic network_of(const GradientSettings& s) {
  const auto env = env_for_networks(s.env);
  return {env->observation_space(), env->action_space()};
}

std::unique_ptr<rl::OnPolicy> agent_of(const GradientSettings& s) {
  if (s.algorithm == "a2c")
    return std::make_unique<rl::A2c>(
        envs_of(s), network_of(s),
        rl::A2cOptions{.rollout = s.ppo.rollout, .lr = s.ppo.lr, .ent_coef = s.ppo.ent_coef});
  if (s.algorithm == "trpo")
    return std::make_unique<rl::Trpo>(
        envs_of(s), network_of(s),
        rl::TrpoOptions{
            .rollout = s.ppo.rollout, .target_kl = s.ppo.target_kl, .critic_lr = s.ppo.lr});
  return std::make_unique<rl::Ppo>(envs_of(s), network_of(s), s.ppo);
}

void train(Run& run, const GradientSettings& s) {
  const auto agent = agent_of(s);
  training::Trainer trainer(agent->task(),
                            {.steps = agent->updates(),
                             .interval = std::max<int64_t>(1, agent->updates() / kEpochsOfAgents),
                             .note = run.note()});
  run.say(fmt::format("{}: {}, results in {}", s.algorithm, s.env, run.folder()));
  run.fit(trainer);

  run.save(agent->network().state_dict());
  std::vector<double> at;
  for (const training::Epoch& e : trainer.history())
    at.push_back(static_cast<double>(agent->steps_after(e.step)));
  Finished end = finished(run, *env_for_networks(s.env), agent->policy(), s.seed, agent->returns(),
                          agent->steps(), trainer.seconds());
  auto sections = curves_of(trainer, at,
                            {{"Return: mean of the last hundred episodes", "return"},
                             {"Loss of values", "value_loss"},
                             {"Entropy of the policy", "entropy"},
                             {"Divergence from the policy before", "kl"}});
  sections.insert(sections.end(), end.sections.begin(), end.sections.end());
  run.finish({.title = fmt::format("{}, {}", s.algorithm, s.env),
              .subtitle = fmt::format("Trained by {} for {} steps", version(),
                                      report::shown(static_cast<double>(agent->steps()))),
              .sections = sections},
             end.results);
}

class GradientPlayer : public Player {
 public:
  GradientPlayer(const Saved& saved, const GradientSettings& s)
      : Player(s.env, s.seed), network_(network_of(s)) {
    network_.load_state_dict(saved.weights);
    set_policy(rl::greedy_policy(network_));
  }

 private:
  rl::ActorCritic network_;
};

const Register<GradientSettings> policy_gradient({
    .name = "policy-gradient",
    .task = "reinforcement-learning",
    .description = "Policies by their gradients: PPO, A2C or TRPO.",
    .run_name =
        [](const GradientSettings& s) {
          return s.algorithm + "-" + s.env.substr(s.env.find('/') + 1);
        },
    .references = [](const GradientSettings& s) -> std::vector<Reference> {
      if (s.ppo.rollout.total_steps < 500000) return {};
      if (s.env == "CartPole-v1")
        return {{"return_of_last_episodes", 488.75, "CleanRL's ppo.py, 500,000 steps"}};
      if (s.env == "Acrobot-v1")
        return {{"return_of_last_episodes", -82.48, "CleanRL's ppo.py, 500,000 steps"}};
      return {};
    },
    .train = train,
    .load = make_predictor<GradientPlayer, GradientSettings>,
    .input = "OBSERVATION",
    .input_help = "The numbers of an observation, \"0.1, 0, -0.02, 0\".",
    .predict_help = "Prints the likeliest action.",
    .evaluate_help = "Prints the mean return of --count episodes (20) by the likeliest actions.",
});
const Shorthand ppo("ppo", "Proximal policy optimisation.", "policy-gradient",
                    {{"algorithm", "ppo"}});
const Shorthand a2c("a2c", "Advantage actor-critic.", "policy-gradient", {{"algorithm", "a2c"}});
const Shorthand trpo("trpo", "Trust region policy optimisation.", "policy-gradient",
                     {{"algorithm", "trpo"}});

}  // namespace
}  // namespace glia::recipes
