#include "glia/rl/tabular.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "sampling.h"
#include "state.h"

namespace glia::rl {
namespace {

const std::string kWho = "TabularAgent";

bool has_traces(TabularMethod method) {
  return method == TabularMethod::kSarsaLambda || method == TabularMethod::kQLambda;
}

}  // namespace

TabularAgent::TabularAgent(const Env& env, const TabularOptions& options)
    : options_(options),
      observation_space_(env.observation_space()),
      states_(table_size(env.observation_space())),
      actions_(env.action_space().n()) {
  if (!env.action_space().is_discrete())
    throw ValueError(kWho + ": an action of " + env.name() + " is no choice, but " +
                     env.action_space().str());
  if (states_ > (int64_t{1} << 28) / actions_)
    throw ValueError(kWho + ": a table of " + std::to_string(states_) + " states is too large");
  const TabularOptions& o = options;
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value <= 1))
      throw ValueError(kWho + ": " + name + " is not between 0 and 1");
  };
  share("gamma", o.gamma);
  share("alpha", o.alpha);
  share("min_alpha", o.min_alpha);
  share("epsilon", o.epsilon);
  share("epsilon_decay", o.epsilon_decay);
  share("min_epsilon", o.min_epsilon);
  share("lambda", o.lambda);
  if (!(o.alpha_power >= 0)) throw ValueError(kWho + ": alpha_power is below 0");
  if (!std::isfinite(o.initial_q)) throw ValueError(kWho + ": initial_q is not finite");
  if (o.max_steps < 1) throw ValueError(kWho + ": max_steps is below 1");
  const auto size = static_cast<size_t>(states_ * actions_);
  tables_[0].assign(size, o.initial_q);
  if (o.method == TabularMethod::kDoubleQ) tables_[1].assign(size, o.initial_q);
  visits_.resize(size);
  if (has_traces(o.method)) traces_.resize(size);
}

double TabularAgent::epsilon() const {
  return std::max(
      options_.min_epsilon,
      options_.epsilon * std::pow(options_.epsilon_decay, static_cast<double>(episodes_)));
}

double& TabularAgent::q(size_t table, int64_t state, int64_t action) {
  return tables_[table][static_cast<size_t>(state * actions_ + action)];
}

std::vector<double> TabularAgent::action_values(int64_t state) const {
  if (state < 0 || state >= states_)
    throw ValueError(kWho + ": there is no state " + std::to_string(state));
  const auto first = static_cast<size_t>(state * actions_);
  std::vector<double> values(tables_[0].begin() + static_cast<int64_t>(first),
                             tables_[0].begin() + static_cast<int64_t>(first) + actions_);
  if (!tables_[1].empty())
    for (size_t a = 0; a < values.size(); ++a) values[a] = (values[a] + tables_[1][first + a]) / 2;
  return values;
}

double TabularAgent::value(int64_t state) const { return std::ranges::max(action_values(state)); }

int64_t TabularAgent::best_action(size_t table, int64_t state) const {
  const auto* values = &tables_[table][static_cast<size_t>(state * actions_)];
  return std::max_element(values, values + actions_) - values;
}

double TabularAgent::best_of(size_t table, int64_t state) const {
  return tables_[table][static_cast<size_t>(state * actions_ + best_action(table, state))];
}

// By epsilon; of equally good actions each is equally likely.
int64_t TabularAgent::choose(int64_t state, data::Random& random, bool* best) const {
  const auto first = static_cast<size_t>(state * actions_);
  const auto of = [&](int64_t a) {
    const size_t i = first + static_cast<size_t>(a);
    return tables_[0][i] + (tables_[1].empty() ? 0 : tables_[1][i]);
  };
  double most = of(0);
  int64_t equals = 1;
  for (int64_t a = 1; a < actions_; ++a) {
    if (of(a) > most) most = of(a), equals = 0;
    equals += of(a) == most;
  }
  int64_t chosen = 0;
  if (random.uniform() < epsilon()) {
    chosen = random.below(actions_);
  } else {
    int64_t left = equals > 1 ? random.below(equals) : 0;
    while (of(chosen) != most || left-- > 0) ++chosen;
  }
  if (best) *best = of(chosen) == most;
  return chosen;
}

double TabularAgent::step_size(int64_t state, int64_t action) {
  const int64_t visit = ++visits_[static_cast<size_t>(state * actions_ + action)];
  if (options_.alpha_power == 0) return std::max(options_.min_alpha, options_.alpha);
  return std::max(options_.min_alpha,
                  options_.alpha / std::pow(static_cast<double>(visit), options_.alpha_power));
}

double TabularAgent::value_of_next(int64_t state, int64_t action, double epsilon,
                                   size_t table) const {
  switch (options_.method) {
    case TabularMethod::kSarsa:
    case TabularMethod::kSarsaLambda:
      return tables_[0][static_cast<size_t>(state * actions_ + action)];
    case TabularMethod::kExpectedSarsa: {
      const auto* values = &tables_[0][static_cast<size_t>(state * actions_)];
      double sum = 0;
      for (int64_t a = 0; a < actions_; ++a) sum += values[a];
      return epsilon * sum / static_cast<double>(actions_) + (1 - epsilon) * best_of(0, state);
    }
    case TabularMethod::kDoubleQ:
      return tables_[1 - table][static_cast<size_t>(state * actions_ + best_action(table, state))];
    default:
      return best_of(0, state);
  }
}

double TabularAgent::play_episode(Env& env) {
  if (env.observation_space().str() != observation_space_.str() ||
      env.action_space().n() != actions_)
    throw ValueError(kWho + ": " + env.name() + " has other spaces than those it was made for");
  const TabularOptions& o = options_;
  Room seen(env.observation_space());
  data::Random random = agent_random(o.seed, 0, static_cast<uint64_t>(episodes_));
  env.reset(seen.out(), episodes_ == 0 ? std::optional(o.seed) : std::nullopt);
  int64_t state = table_index(observation_space_, seen.view());
  bool best = true;
  int64_t action = choose(state, random, &best);
  std::ranges::fill(traces_, 0.0);
  std::vector<Transition> episode;
  double sum = 0;
  const double epsilon = this->epsilon();
  Step step;
  for (int64_t i = 0; i < o.max_steps && !step.terminated && !step.truncated; ++i) {
    step = env.step(action, seen.out());
    ++steps_;
    sum += step.reward;
    const int64_t next = table_index(observation_space_, seen.view());
    if (o.method == TabularMethod::kMonteCarlo) {
      episode.push_back({state, action, step.reward});
      action = choose(next, random);
      state = next;
      continue;
    }
    const bool on_policy =
        o.method == TabularMethod::kSarsa || has_traces(o.method);  // chooses before it learns
    int64_t following = on_policy ? choose(next, random, &best) : 0;
    const size_t table =
        o.method == TabularMethod::kDoubleQ ? static_cast<size_t>(random.below(2)) : 0;
    const double later = step.terminated ? 0 : value_of_next(next, following, epsilon, table);
    const double error = step.reward + o.gamma * later - q(table, state, action);
    const double alpha = step_size(state, action);
    if (traces_.empty()) {
      q(table, state, action) += alpha * error;
    } else {
      traces_[static_cast<size_t>(state * actions_ + action)] = 1;  // replacing traces
      const double decay = o.method == TabularMethod::kQLambda && !best ? 0 : o.gamma * o.lambda;
      for (size_t j = 0; j < traces_.size(); ++j) {
        if (traces_[j] == 0) continue;
        tables_[0][j] += alpha * error * traces_[j];
        traces_[j] = traces_[j] < 1e-8 ? 0 : traces_[j] * decay;
      }
    }
    if (!on_policy) following = choose(next, random);
    state = next;
    action = following;
  }
  learn_from(episode);
  ++episodes_;
  return sum;
}

void TabularAgent::learn_from(const std::vector<Transition>& episode) {
  double rest = 0;
  for (auto t = episode.rbegin(); t != episode.rend(); ++t) {
    rest = t->reward + options_.gamma * rest;
    double& value = q(0, t->state, t->action);
    value += step_size(t->state, t->action) * (rest - value);
  }
}

Policy TabularAgent::policy() const {
  std::vector<int64_t> best;
  for (int64_t s = 0; s < states_; ++s) best.push_back(greedy_action(action_values(s)));
  return [space = observation_space_, best = std::move(best)](const ObservationView& seen) {
    return Decision(best[static_cast<size_t>(table_index(space, seen))]);
  };
}

StateDict TabularAgent::state_dict() const {
  const Shape shape = {states_, actions_};
  StateDict values = {{"q", from_vector(tables_[0], shape)},
                      {"visits", from_vector(visits_, shape)},
                      {"progress", tensor<int64_t>({episodes_, steps_})}};
  if (!tables_[1].empty()) values.emplace_back("q2", from_vector(tables_[1], shape));
  return values;
}

void TabularAgent::load_state_dict(const StateDict& values) {
  const Shape shape = {states_, actions_};
  const auto table = entry(kWho, values, "q", shape, kF64).to_vector<double>();
  const auto visits = entry(kWho, values, "visits", shape, kI64).to_vector<int64_t>();
  const auto progress = entry(kWho, values, "progress", {2}, kI64).to_vector<int64_t>();
  std::vector<double> second;
  if (!tables_[1].empty()) second = entry(kWho, values, "q2", shape, kF64).to_vector<double>();
  bool good = progress[0] >= 0 && progress[1] >= 0;
  for (const double q : table) good &= std::isfinite(q);
  for (const double q : second) good &= std::isfinite(q);
  for (const int64_t n : visits) good &= n >= 0;
  if (!good) throw ValueError(kWho + ": the state is of no agent");
  tables_[0] = table;
  tables_[1] = second;
  visits_ = visits;
  episodes_ = progress[0];
  steps_ = progress[1];
}

}  // namespace glia::rl
