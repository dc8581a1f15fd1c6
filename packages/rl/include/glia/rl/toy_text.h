// Small worlds whose states can be counted: Gymnasium's toy text, and grids. All that may happen in
// most of them is known, as a Model, of which planning computes the best policy exactly.
//
//   auto lake = rl::frozen_lake({.map_name = "8x8"});
//   const rl::Plan plan = rl::value_iteration(lake->model(), {.gamma = 0.99});
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "glia/rl/env.h"

namespace glia::rl {

// ---- Models -----------------------------------------------------------------------------------

// One of the things that may happen in a step.
struct Outcome {
  double probability = 0;
  int64_t next = 0;
  double reward = 0;
  bool terminated = false;
};

// A finite Markov decision process (Puterman 1994): what Gymnasium calls P.
struct Model {
  int64_t states = 0, actions = 0;
  std::vector<double> initial;                 // (states): where episodes begin
  std::vector<std::vector<Outcome>> outcomes;  // of action a in state s at s * actions + a

  std::span<const Outcome> at(int64_t state, int64_t action) const {
    return outcomes[static_cast<size_t>(state * actions + action)];
  }
  // Throws ValueError, naming state and action, unless all probabilities sum to 1, all states are
  // there and all rewards are finite.
  void check() const;
};

// How an environment is drawn: rows of characters, one for each cell, and in which cell (row *
// columns + column) the agent is.
struct GridMap {
  std::vector<std::string> rows = {};
  std::vector<int64_t> cell = {};  // of each state; empty: the state's number
};

// An environment that draws from a model, as Gymnasium's toy text does: the first outcome at which
// the sum of probabilities exceeds a uniform number. Observations are the state's number.
class TabularEnv : public Env {
 public:
  // Throws ValueError as Model::check() does.
  TabularEnv(const std::string& name, Model model, GridMap map = {});
  const Model& model() const { return model_; }

 private:
  void start(data::Random random, std::span<double> state) override;
  Step advance(const Action& action, std::span<double> state) override;
  void write(std::span<const double> state, const Observation& out) const override;
  void accept(std::span<const double> state) override;
  Tensor draw(std::span<const double> state) const override;

  Model model_;
  GridMap map_;
};

// ---- Environments -----------------------------------------------------------------------------
// Their options throw ValueError where they are out of range.

struct FrozenLakeOptions {
  std::string map_name = "4x4";         // or "8x8"
  std::vector<std::string> desc = {};   // a map instead: S start, F ice, H hole, G goal
  bool is_slippery = true;              // it goes where it was to, or to either side
  double success_rate = 1.0 / 3;        // how often where it was to
  double goal = 1, hole = 0, step = 0;  // rewards
};
// Actions: 0 left, 1 down, 2 right, 3 up.
std::unique_ptr<TabularEnv> frozen_lake(const FrozenLakeOptions& options = {});
// A square map of ice with this probability, of holes else, on which the goal can be reached.
std::vector<std::string> random_map(int64_t size = 8, double p = 0.8, uint64_t seed = 0);

// 4 x 12 cells, the cliff between start and goal; -1 a step, -100 for the fall, which leads back to
// the start (Sutton & Barto 2018, example 6.6). Actions: 0 up, 1 right, 2 down, 3 left.
std::unique_ptr<TabularEnv> cliff_walking(bool is_slippery = false);

// Fetches a passenger and brings him where he wants to (Dietterich 2000). The state is ((row * 5 +
// column) * 5 + where the passenger is, 4 in the taxi) * 4 + where to. Actions: 0 south, 1 north,
// 2 east, 3 west, 4 pick up, 5 drop off.
std::unique_ptr<TabularEnv> taxi();

struct GridWorldOptions {
  // S start (several are equally likely; none: every free cell is), # wall, G goal, X pit; others
  // are free.
  std::vector<std::string> map = {"S..G"};
  double step = -1, goal = 0, pit = 0;  // rewards: of every step, and added at the ends
  double slip = 0;                      // how often another direction is taken, each equally likely
  std::vector<int64_t> wind = {};       // cells that each column pushes upwards; empty: none
};
// Actions: 0 up, 1 right, 2 down, 3 left; into a wall or out of the map it stays.
std::unique_ptr<TabularEnv> grid_world(const GridWorldOptions& options = {});

struct BlackjackOptions {
  bool natural = false;  // 1.5 for a natural that wins
  bool sab = true;       // a natural wins against all but a natural (Sutton & Barto 2018, 5.1)
};
// From a deck without end. What is observed is (3) i64: the player's sum, the dealer's open card,
// 1 for an ace that counts 11. Actions: 0 stick, 1 hit. The state: how many cards the player has
// and the dealer has, and 24 numbers each of which they are.
std::unique_ptr<Env> blackjack(const BlackjackOptions& options = {});

// ---- Counting ---------------------------------------------------------------------------------

// How many observations a space has, and the number of one: of a discrete space the observation
// itself, of a box of i64 its place in row-major order. Throws ValueError for other spaces, and for
// what is not in the space.
int64_t table_size(const Space& space);
int64_t table_index(const Space& space, const ObservationView& observation);

}  // namespace glia::rl
