// Deep Q-learning (Mnih et al. 2015) with double estimates (van Hasselt et al. 2016), in
// environments with few actions.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/rl/env.h"
#include "glia/rl/replay.h"
#include "glia/runtime.h"
#include "recipes/src/table.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEpochs = 50, kLast = 100, kEpisodes = 20;

// The defaults are those of CleanRL's dqn.py.
struct DqnSettings : TrainingSettings {
  std::string env;
  int64_t steps = 0, start = 0, every = 0, target = 0, buffer = 0, batch = 0;
  double lr = 0, gamma = 0, epsilon = 0, fraction = 0;
  bool double_q = true;

  void declare(Fields& f) override {
    f(env, "env", "CartPole-v1", "The environment.",
      {{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}});
    f(steps, "steps", 500000, "Steps in the environment.", {100, 1e9});
    f(start, "learning-starts", std::min<int64_t>(10000, steps / 10),
      "Random steps before learning begins.", {1, 1e9});
    f(every, "train-frequency", 10, "Steps for each update.", {1, 1e6});
    f(target, "target-frequency", 500, "Steps after which the target network is renewed.",
      {1, 1e9});
    f(buffer, "buffer", 10000, "Transitions that are remembered.", {1, 1e8});
    f(batch, "batch", 128, "Transitions in each update.", {1, 1e6});
    f(lr, "lr", 2.5e-4, "Learning rate (Adam).", {0, 1000});
    f(gamma, "gamma", 0.99, "What a reward is worth a step later.", {0, 1});
    f(epsilon, "epsilon", 0.05, "Share of random actions in the end; it falls from 1.", {0, 1});
    f(fraction, "exploration", 0.5, "Part of the steps in which it falls.", {1e-6, 1});
    f(double_q, "double", true, "The online network chooses what the target network values.");
    TrainingSettings::declare(f);
  }
};

// Values of the actions: (N, observation) -> (N, actions).
nn::Sequential network(const rl::Env& env) {
  return nn::Sequential(nn::Linear(env.observation_space().size(), 120), relu, nn::Linear(120, 84),
                        relu, nn::Linear(84, env.action_space().n()));
}

std::vector<double> values_of_actions(const nn::Sequential& q, const std::vector<float>& seen) {
  return q(from_vector(seen, {1, static_cast<int64_t>(seen.size())})).to_vector<double>();
}
int64_t best(const std::vector<double>& values) {
  return std::ranges::max_element(values) - values.begin();
}

double mean_of(const auto& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

struct Agent {
  const DqnSettings& s;
  std::unique_ptr<rl::Env> env = rl::make(s.env);
  nn::Sequential q = network(*env), target = q;
  optim::Adam optimizer{q.parameters(), {.lr = s.lr}};
  rl::ReplayBuffer buffer{s.buffer, env->observation_space(), env->action_space(),
                          static_cast<uint64_t>(s.seed)};
  std::vector<float> seen = std::vector<float>(env->observation_space().size()), next = seen;
  int64_t steps = 0;
  double sum = 0;              // of rewards of the running episode
  std::deque<double> returns;  // of the last episodes

  explicit Agent(const DqnSettings& settings) : s(settings) { env->reset(seen, s.seed); }

  double exploring() const {
    const double part = static_cast<double>(steps) / (s.fraction * static_cast<double>(s.steps));
    return std::max(s.epsilon, 1 + part * (s.epsilon - 1));
  }
  void act() {
    data::Random random(static_cast<uint64_t>(s.seed), 1, static_cast<uint64_t>(steps));
    const bool explores = steps < s.start || random.uniform() < exploring();
    const int64_t action =
        explores ? random.below(env->action_space().n()) : best(values_of_actions(q, seen));
    const rl::Step step = env->step(action, next);
    buffer.add(seen, action, step.reward, next, step.terminated);
    std::swap(seen, next);
    sum += step.reward;
    ++steps;
    if (!step.terminated && !step.truncated) return;
    returns.push_back(sum);
    if (returns.size() > kLast) returns.pop_front();
    sum = 0;
    env->reset(seen);
  }
  Tensor loss() {
    const rl::Transitions t = buffer.sample(s.batch);
    const Tensor later = target(t.next_observations);
    const Tensor chosen = argmax(s.double_q ? q(t.next_observations) : later, 1, true);
    const Tensor value = reshape(gather(later, chosen, 1), {-1});
    const Tensor wanted = stop_gradient(t.rewards + s.gamma * where(t.terminated, 0, value));
    const Tensor told = gather(q(t.observations), reshape(t.actions, {-1, 1}), 1);
    return mse_loss(reshape(told, {-1}), wanted);
  }
  // A few steps in the environment and an update; the first fills the buffer.
  training::Metrics step() {
    const bool filling = steps == 0;
    const int64_t count = filling ? s.start : s.every;
    {
      const NoGrad acting;
      for (int64_t i = 0; i < count; ++i) act();
    }
    training::Metrics metrics{{"exploring", exploring() * static_cast<double>(count), count},
                              {"return", returns.empty() ? 0 : mean_of(returns), !returns.empty()},
                              {"loss", 0, 0}};
    if (filling) return metrics;
    metrics[2] = {"loss", optimizer.step([&] { return loss(); })};
    if (steps / s.target != (steps - count) / s.target) target.load_state_dict(q.state_dict());
    return metrics;
  }

  StateDict state_dict() const {
    const std::vector<double> r(returns.begin(), returns.end());
    return {{"steps", tensor(steps)},
            {"sum", tensor(sum)},
            {"returns", from_vector(r, {static_cast<int64_t>(r.size())})}};
  }
  void load_state_dict(const StateDict& state) {
    steps = state.at(0).second.item<int64_t>();
    sum = state.at(1).second.item();
    const auto r = state.at(2).second.to_vector<double>();
    returns.assign(r.begin(), r.end());
    env->observe(seen);  // the environment is a part before this one
  }
};

// Returns of whole episodes by the best action, and the observations of the first.
std::vector<double> play(const nn::Sequential& q, const std::string& name, uint64_t seed,
                         int64_t episodes, std::vector<float>* path = nullptr) {
  const NoGrad no_grad;
  const auto env = rl::make(name);
  std::vector<float> seen(env->observation_space().size());
  std::vector<double> out;
  for (int64_t i = 0; i < episodes; ++i) {
    env->reset(seen, i == 0 ? std::optional(seed) : std::nullopt);
    double sum = 0;
    for (rl::Step step; !step.terminated && !step.truncated; sum += step.reward) {
      if (path && i == 0) path->insert(path->end(), seen.begin(), seen.end());
      step = env->step(best(values_of_actions(q, seen)), seen);
    }
    out.push_back(sum);
  }
  return out;
}
void train(Run& run, const DqnSettings& s) {
  if (s.start >= s.steps) throw Error("--learning-starts is not less than --steps");
  Agent agent(s);
  const int64_t updates = 1 + (s.steps - s.start) / s.every;
  training::Trainer trainer(
      {.parts = {{"env", *agent.env},
                 {"agent", agent},
                 {"buffer", agent.buffer},
                 {"q", agent.q},
                 {"target", agent.target},
                 {"optimizer", agent.optimizer}},
       .step = [&](const data::Sample&) { return agent.step(); }},
      {.steps = updates, .interval = std::max<int64_t>(2, updates / kEpochs), .note = run.note()});
  run.say(fmt::format("dqn: {}, results in {}", s.env, run.folder()));
  run.fit(trainer, "steps");

  run.save(agent.q.state_dict());
  report::Report page{
      .title = "DQN, " + s.env,
      .subtitle = fmt::format("Trained by {} for {} steps", version(), report::shown(agent.steps))};
  std::vector<double> at;
  for (const auto& e : trainer.history())
    at.push_back(static_cast<double>(s.start + (e.step - 1) * s.every));
  const auto curve = [&](const char* title, const std::string& name) {
    page.sections.push_back(
        {title, report::Curves{.series = {{"", over_epochs(trainer, name), at}}, .x = {"step"}}});
  };
  curve("Return: mean of the last hundred episodes", "train_return");
  curve("Loss", "train_loss");
  curve("Share of random actions", "train_exploring");
  std::vector<float> path;
  const std::vector<double> played = play(agent.q, s.env, s.seed + 1, kEpisodes, &path);
  const auto width = static_cast<int64_t>(agent.seen.size());
  const Tensor observations = from_vector(path, {static_cast<int64_t>(path.size()) / width, width});
  report::Curves episode{.series = {}, .x = {"step"}};
  for (int64_t i = 0; i < width; ++i)
    episode.series.push_back(
        {fmt::format("observation {}", i), index(observations, {Ellipsis, i}).to_vector<double>()});
  page.sections.push_back({"An episode by the trained agent", episode});
  run.finish(page, {{"return_of_last_episodes", mean_of(agent.returns)},
                    {"greedy_return", mean_of(played)},
                    {"steps_per_second", static_cast<double>(agent.steps) / trainer.seconds()}});
}

class Player : public Predictor {
 public:
  Player(const Saved& saved, const DqnSettings& s)
      : settings_(s),
        width_(rl::make(s.env)->observation_space().size()),
        q_(network(*rl::make(s.env))) {
    q_.load_state_dict(saved.weights);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    const auto numbers =
        text ? numbers_of(*text, width_) : std::get<Tensor>(input).to_vector<double>();
    if (static_cast<int64_t>(numbers.size()) != width_)
      throw ValueError(fmt::format("an observation has {} numbers", width_));
    const auto values = values_of_actions(q_, {numbers.begin(), numbers.end()});
    report::Table table{{{"action"}, {"value"}}, {}};
    for (size_t a = 0; a < values.size(); ++a) table.rows.push_back({int64_t(a), values[a]});
    return {{"action", best(values)}, {"values", table}};
  }
  Results score(const Evaluation& what) const override {
    const std::string& env = what.data.empty() ? settings_.env : what.data;
    if (env != settings_.env) throw Error(env + ": the agent is of " + settings_.env);
    const auto returns = play(q_, env, settings_.seed + 1, what.count > 0 ? what.count : kEpisodes);
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
    .load = [](const Saved& saved, const DqnSettings& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Player>(saved, s);
    },
    .input = "OBSERVATION",
    .input_help = "The numbers of an observation, \"0.1, 0, -0.02, 0\".",
    .predict_help = "Prints the best action and the value of each.",
    .evaluate_help = "Prints the mean return of --count episodes (20) by the best actions.",
});

}  // namespace
}  // namespace glia::recipes
