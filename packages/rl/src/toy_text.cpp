#include "glia/rl/toy_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "canvas.h"
#include "state.h"

namespace glia::rl {
namespace {

void require(bool good, const char* who, const std::string& what) {
  if (!good) throw ValueError(std::string(who) + ": " + what);
}

bool is_share(double x) { return x >= 0 && x <= 1; }

void check_map(const std::vector<std::string>& rows, const char* who, const std::string& letters) {
  require(!rows.empty() && !rows[0].empty(), who, "the map is empty");
  for (const std::string& row : rows) {
    require(row.size() == rows[0].size(), who, "rows of the map have different lengths");
    for (const char c : row)
      require(letters.find(c) != std::string::npos, who,
              std::string("the map has a '") + c + "', which is none of " + letters);
  }
}

// Where a number between 0 and 1 falls among probabilities.
template <class Probability>
size_t drawn(double number, size_t count, const Probability& probability) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i)
    if ((sum += probability(i)) > number) return i;
  return count - 1;  // rounding left something over
}

// Cells of a map by direction: row and column of the next cell, within the map.
struct Grid {
  int64_t rows, columns;

  int64_t moved(int64_t cell, std::array<int64_t, 2> by) const {
    const int64_t row = std::clamp<int64_t>(cell / columns + by[0], 0, rows - 1);
    const int64_t column = std::clamp<int64_t>(cell % columns + by[1], 0, columns - 1);
    return row * columns + column;
  }
};

Model model_of(int64_t states, int64_t actions) {
  return {states, actions, std::vector<double>(static_cast<size_t>(states)),
          std::vector<std::vector<Outcome>>(static_cast<size_t>(states * actions))};
}

// Every cell that is one of these characters is equally likely.
std::vector<double> starts_at(const std::string& cells, char start) {
  const auto count = static_cast<double>(std::ranges::count(cells, start));
  std::vector<double> initial;
  for (const char c : cells) initial.push_back(c == start ? 1 / count : 0);
  return initial;
}

std::string joined(const std::vector<std::string>& rows) {
  std::string all;
  for (const std::string& row : rows) all += row;
  return all;
}

constexpr std::array<std::array<int64_t, 2>, 4> kLeftDownRightUp = {
    {{0, -1}, {1, 0}, {0, 1}, {-1, 0}}};
constexpr std::array<std::array<int64_t, 2>, 4> kUpRightDownLeft = {
    {{-1, 0}, {0, 1}, {1, 0}, {0, -1}}};

std::vector<std::string> lake_map(const FrozenLakeOptions& o) {
  if (!o.desc.empty()) return o.desc;
  if (o.map_name == "4x4") return {"SFFF", "FHFH", "FFFH", "HFFG"};
  require(o.map_name == "8x8", "frozen_lake", "there is no map \"" + o.map_name + "\"");
  return {"SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF",
          "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"};
}

bool can_be_reached(const std::vector<std::string>& rows) {
  const Grid grid = {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())};
  const std::string cells = joined(rows);
  std::vector<bool> seen(cells.size());
  std::vector<int64_t> open = {0};
  while (!open.empty()) {
    const int64_t cell = open.back();
    open.pop_back();
    const auto at = static_cast<size_t>(cell);
    if (cells[at] == 'G') return true;
    if (seen[at] || cells[at] == 'H') continue;
    seen[at] = true;
    for (const auto& by : kUpRightDownLeft) open.push_back(grid.moved(cell, by));
  }
  return false;
}

}  // namespace

// ---- Models -----------------------------------------------------------------------------------

void Model::check() const {
  const char* who = "Model";
  require(states > 0 && actions > 0, who, "no states or no actions");
  require(initial.size() == static_cast<size_t>(states), who,
          std::to_string(initial.size()) + " initial probabilities for " + std::to_string(states) +
              " states");
  require(outcomes.size() == static_cast<size_t>(states * actions), who,
          std::to_string(outcomes.size()) + " lists of outcomes for " + std::to_string(states) +
              " states and " + std::to_string(actions) + " actions");
  const auto one = [&](double sum, const std::string& what) {
    require(std::abs(sum - 1) <= 1e-9, who,
            "probabilities of " + what + " sum to " + std::to_string(sum) + ", not 1");
  };
  double sum = 0;
  for (const double p : initial) {
    require(p >= 0, who, "a probability of the start is below 0");
    sum += p;
  }
  one(sum, "the start");
  for (int64_t s = 0; s < states; ++s)
    for (int64_t a = 0; a < actions; ++a) {
      const std::string what = "state " + std::to_string(s) + ", action " + std::to_string(a);
      sum = 0;
      for (const Outcome& o : at(s, a)) {
        require(o.probability >= 0, who, what + ": a probability is below 0");
        require(o.next >= 0 && o.next < states, who,
                what + ": there is no state " + std::to_string(o.next));
        require(std::isfinite(o.reward), who, what + ": a reward is not finite");
        sum += o.probability;
      }
      one(sum, what);
    }
}

TabularEnv::TabularEnv(const std::string& name, Model model, GridMap map)
    : Env(name, Space::discrete(std::max<int64_t>(model.states, 1)),
          Space::discrete(std::max<int64_t>(model.actions, 1)),
          Space::box(0, static_cast<double>(std::max<int64_t>(model.states - 1, 0)), {1}, kF64)),
      model_(std::move(model)),
      map_(std::move(map)) {
  model_.check();
}

void TabularEnv::start(data::Random random, std::span<double> state) {
  state[0] = static_cast<double>(
      drawn(random.uniform(), model_.initial.size(), [&](size_t i) { return model_.initial[i]; }));
}

Step TabularEnv::advance(const Action& action, std::span<double> state) {
  const auto outcomes = model_.at(static_cast<int64_t>(state[0]), action.choice());
  size_t i = 0;
  if (outcomes.size() > 1)
    i = drawn(random().uniform(), outcomes.size(),
              [&](size_t j) { return outcomes[j].probability; });
  state[0] = static_cast<double>(outcomes[i].next);
  return {outcomes[i].reward, outcomes[i].terminated, false};
}

void TabularEnv::write(std::span<const double> state, const Observation& out) const {
  out.values<int64_t>()[0] = static_cast<int64_t>(state[0]);
}

void TabularEnv::accept(std::span<const double> state) {
  if (state[0] != std::floor(state[0]))
    throw ValueError(name() + ": the state is a whole number, not " + std::to_string(state[0]));
}

Tensor TabularEnv::draw(std::span<const double> state) const {
  if (map_.rows.empty()) throw Error(name() + " has no picture");
  constexpr int64_t kPixels = 32;
  constexpr double kCell = kPixels;
  const auto columns = static_cast<int64_t>(map_.rows[0].size());
  Canvas canvas(columns * kPixels, static_cast<int64_t>(map_.rows.size()) * kPixels);
  const auto color = [](char c) {
    switch (c) {
      case 'H':
      case '#':
        return kBlack;
      case 'X':
      case 'C':
        return kRed;
      case 'G':
        return kGreen;
      case 'S':
        return kYellow;
      default:
        return kIce;
    }
  };
  for (size_t row = 0; row < map_.rows.size(); ++row)
    for (size_t column = 0; column < map_.rows[row].size(); ++column) {
      const Point at = {static_cast<double>(column) * kCell, static_cast<double>(row) * kCell};
      canvas.rectangle({at.x + 1, at.y + 1}, {at.x + kCell - 1, at.y + kCell - 1},
                       color(map_.rows[row][column]));
    }
  const auto s = static_cast<size_t>(state[0]);
  const int64_t cell = map_.cell.empty() ? static_cast<int64_t>(s) : map_.cell[s];
  canvas.circle({(static_cast<double>(cell % columns) + 0.5) * kCell,
                 (static_cast<double>(cell / columns) + 0.5) * kCell},
                kCell / 3, kBlue);
  return canvas.picture();
}

// ---- Environments -----------------------------------------------------------------------------

std::unique_ptr<TabularEnv> frozen_lake(const FrozenLakeOptions& o) {
  const char* who = "frozen_lake";
  const std::vector<std::string> rows = lake_map(o);
  check_map(rows, who, "SFHG");
  const std::string cells = joined(rows);
  require(cells.find('S') != std::string::npos, who, "the map has no start S");
  require(is_share(o.success_rate), who, "success_rate is not between 0 and 1");
  const Grid grid = {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())};
  Model model = model_of(static_cast<int64_t>(cells.size()), 4);
  model.initial = starts_at(cells, 'S');
  const auto outcome = [&](double probability, int64_t cell, size_t direction) {
    const int64_t next = grid.moved(cell, kLeftDownRightUp[direction]);
    const char letter = cells[static_cast<size_t>(next)];
    const double reward = letter == 'G' ? o.goal : letter == 'H' ? o.hole : o.step;
    return Outcome{probability, next, reward, letter == 'G' || letter == 'H'};
  };
  for (int64_t s = 0; s < model.states; ++s)
    for (size_t a = 0; a < 4; ++a) {
      auto& outcomes = model.outcomes[static_cast<size_t>(s) * 4 + a];
      const char letter = cells[static_cast<size_t>(s)];
      if (letter == 'G' || letter == 'H') {
        outcomes = {{1, s, 0, true}};
      } else if (o.is_slippery) {
        const double aside = (1 - o.success_rate) / 2;
        outcomes = {outcome(aside, s, (a + 3) % 4), outcome(o.success_rate, s, a),
                    outcome(aside, s, (a + 1) % 4)};
      } else {
        outcomes = {outcome(1, s, a)};
      }
    }
  return std::make_unique<TabularEnv>(
      o.desc.empty() && o.map_name == "8x8" ? "FrozenLake8x8-v1" : "FrozenLake-v1",
      std::move(model), GridMap{rows});
}

std::vector<std::string> random_map(int64_t size, double p, uint64_t seed) {
  const char* who = "random_map";
  require(size >= 2 && size <= 4096, who, "size is not between 2 and 4096");
  require(p > 0 && p <= 1, who, "p is not above 0 and at most 1");
  const auto n = static_cast<size_t>(size);
  for (uint64_t attempt = 0; attempt < 100000; ++attempt) {
    data::Random random(seed, attempt);
    std::vector<std::string> rows(n, std::string(n, 'F'));
    for (std::string& row : rows)
      for (char& c : row)
        if (random.uniform() >= p) c = 'H';
    rows.front().front() = 'S';
    rows.back().back() = 'G';
    if (can_be_reached(rows)) return rows;
  }
  throw Error("random_map: no map of size " + std::to_string(size) + " with p " +
              std::to_string(p) + " has a way to the goal");
}

std::unique_ptr<TabularEnv> cliff_walking(bool is_slippery) {
  constexpr Grid kGrid = {4, 12};
  const std::vector<std::string> rows = {"............", "............", "............",
                                         "SCCCCCCCCCCG"};
  const std::string cells = joined(rows);
  Model model = model_of(48, 4);
  model.initial = starts_at(cells, 'S');
  for (int64_t s = 0; s < 48; ++s)
    for (size_t a = 0; a < 4; ++a) {
      const std::vector<size_t> ways =
          is_slippery ? std::vector<size_t>{(a + 3) % 4, a, (a + 1) % 4} : std::vector<size_t>{a};
      for (const size_t way : ways) {
        const int64_t next = kGrid.moved(s, kUpRightDownLeft[way]);
        const bool falls = cells[static_cast<size_t>(next)] == 'C';
        model.outcomes[static_cast<size_t>(s) * 4 + a].push_back(
            {1 / static_cast<double>(ways.size()), falls ? 36 : next, falls ? -100.0 : -1.0,
             next == 47});
      }
    }
  return std::make_unique<TabularEnv>(is_slippery ? "CliffWalkingSlippery-v1" : "CliffWalking-v1",
                                      std::move(model), GridMap{rows});
}

std::unique_ptr<TabularEnv> taxi() {
  // What is east of a cell: ':' is open, '|' a wall.
  constexpr const char* kEast[] = {":|::|", ":|::|", "::::|", "|:|:|", "|:|:|"};
  constexpr std::array<int64_t, 4> kPlaces = {0, 4, 20, 23};  // red, green, yellow, blue
  constexpr int64_t kInTaxi = 4;
  constexpr Grid kGrid = {5, 5};
  Model model = model_of(500, 6);
  const auto state_of = [](int64_t cell, int64_t passenger, int64_t goal) {
    return (cell * 5 + passenger) * 4 + goal;
  };
  std::vector<int64_t> cells;
  for (int64_t cell = 0; cell < 25; ++cell)
    for (int64_t passenger = 0; passenger < 5; ++passenger)
      for (int64_t goal = 0; goal < 4; ++goal) {
        const auto s = static_cast<size_t>(state_of(cell, passenger, goal));
        cells.push_back(cell);
        if (passenger != kInTaxi && passenger != goal) model.initial[s] = 1.0 / 300;
        const auto place = std::ranges::find(kPlaces, cell);
        const bool at_place = place != kPlaces.end();
        const auto open = [&](int64_t at) { return kEast[at / 5][at % 5] == ':'; };
        const auto set = [&](size_t a, int64_t to, int64_t who, double reward, bool ends) {
          model.outcomes[s * 6 + a] = {{1, state_of(to, who, goal), reward, ends}};
        };
        set(0, kGrid.moved(cell, {1, 0}), passenger, -1, false);
        set(1, kGrid.moved(cell, {-1, 0}), passenger, -1, false);
        set(2, open(cell) ? cell + 1 : cell, passenger, -1, false);
        set(3, cell % 5 > 0 && open(cell - 1) ? cell - 1 : cell, passenger, -1, false);
        if (passenger != kInTaxi && kPlaces[static_cast<size_t>(passenger)] == cell)
          set(4, cell, kInTaxi, -1, false);
        else
          set(4, cell, passenger, -10, false);
        if (passenger != kInTaxi || !at_place)
          set(5, cell, passenger, -10, false);
        else if (kPlaces[static_cast<size_t>(goal)] == cell)
          set(5, cell, goal, 20, true);
        else
          set(5, cell, place - kPlaces.begin(), -1, false);
      }
  return std::make_unique<TabularEnv>(
      "Taxi-v4", std::move(model),
      GridMap{{"S...S", ".....", ".....", ".....", "S..S."}, std::move(cells)});
}

std::unique_ptr<TabularEnv> grid_world(const GridWorldOptions& o) {
  const char* who = "grid_world";
  check_map(o.map, who, "S.#GX");
  require(is_share(o.slip), who, "slip is not between 0 and 1");
  const std::string cells = joined(o.map);
  const Grid grid = {static_cast<int64_t>(o.map.size()), static_cast<int64_t>(o.map[0].size())};
  require(o.wind.empty() || static_cast<int64_t>(o.wind.size()) == grid.columns, who,
          "wind has not one number for each column");
  const char start = cells.find('S') != std::string::npos ? 'S' : '.';
  require(cells.find(start) != std::string::npos, who, "the map has no cell to start at");
  Model model = model_of(static_cast<int64_t>(cells.size()), 4);
  model.initial = starts_at(cells, start);
  const auto outcome = [&](double probability, int64_t cell, size_t direction) {
    const auto step = [&](int64_t from, std::array<int64_t, 2> by) {
      const int64_t to = grid.moved(from, by);
      return cells[static_cast<size_t>(to)] == '#' ? from : to;
    };
    int64_t next = step(cell, kUpRightDownLeft[direction]);
    const int64_t wind = o.wind.empty() ? 0 : o.wind[static_cast<size_t>(cell % grid.columns)];
    for (int64_t i = 0; i < std::abs(wind); ++i) next = step(next, {wind > 0 ? -1 : 1, 0});
    const char letter = cells[static_cast<size_t>(next)];
    const double end = letter == 'G' ? o.goal : letter == 'X' ? o.pit : 0;
    return Outcome{probability, next, o.step + end, letter == 'G' || letter == 'X'};
  };
  for (int64_t s = 0; s < model.states; ++s)
    for (size_t a = 0; a < 4; ++a) {
      auto& outcomes = model.outcomes[static_cast<size_t>(s) * 4 + a];
      const char letter = cells[static_cast<size_t>(s)];
      if (letter == 'G' || letter == 'X') {
        outcomes = {{1, s, 0, true}};
        continue;
      }
      outcomes.push_back(outcome(1 - o.slip, s, a));
      for (size_t other = 0; other < 4 && o.slip > 0; ++other)
        if (other != a) outcomes.push_back(outcome(o.slip / 3, s, other));
    }
  return std::make_unique<TabularEnv>("GridWorld", std::move(model), GridMap{o.map});
}

// ---- Counting ---------------------------------------------------------------------------------

int64_t table_size(const Space& space) {
  if (space.is_discrete()) return space.n();
  int64_t size = 1;
  bool good = space.dtype() == kI64;
  for (size_t i = 0; good && i < space.low().size(); ++i) {
    const double width = space.high()[i] - space.low()[i] + 1;
    good = width <= 1e9 && !__builtin_mul_overflow(size, static_cast<int64_t>(width), &size) &&
           size <= int64_t{1} << 32;
  }
  if (!good) throw ValueError("table_size: what " + space.str() + " has cannot be counted");
  return size;
}

int64_t table_index(const Space& space, const ObservationView& observation) {
  check_observation("table_index", space, observation);
  if (space.dtype() != kI64)
    throw ValueError("table_index: what " + space.str() + " has cannot be counted");
  const auto values = observation.values<int64_t>();
  if (space.is_discrete()) {
    if (values[0] < 0 || values[0] >= space.n())
      throw ValueError("table_index: " + std::to_string(values[0]) + " is not in " + space.str());
    return values[0];
  }
  int64_t index = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto low = static_cast<int64_t>(space.low()[i]);
    const auto high = static_cast<int64_t>(space.high()[i]);
    if (values[i] < low || values[i] > high)
      throw ValueError("table_index: " + std::to_string(values[i]) + " is not in " + space.str());
    index = index * (high - low + 1) + values[i] - low;
  }
  return index;
}

}  // namespace glia::rl
