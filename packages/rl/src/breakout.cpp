#include <algorithm>
#include <cmath>

#include "canvas.h"
#include "glia/rl/minatar.h"

namespace glia::rl {
namespace {

constexpr int64_t kCells = 10, kTopRow = 1, kRows = 3;
// Where the numbers of the state are.
enum At : size_t { kX, kY, kDirection, kPaddle, kStruck, kLastX, kLastY, kLastAction, kEnded };
constexpr size_t kBricks = kEnded + 1, kSize = kBricks + kRows * kCells;

// Directions after a bounce: at a wall, at what is above or below, and back where it came from.
constexpr int64_t kSideways[] = {1, 0, 3, 2}, kUpDown[] = {3, 2, 1, 0}, kBack[] = {2, 3, 0, 1};

std::vector<double> most_of_state() {
  std::vector<double> most(kSize, 1);
  for (const size_t at : {kX, kY, kPaddle, kLastX, kLastY}) most[at] = kCells - 1;
  most[kDirection] = 3;
  most[kLastAction] = 2;
  return most;
}

class Breakout : public Env {
 public:
  explicit Breakout(const MinAtarOptions& options)
      : Env("MinAtar/Breakout-v1", Space::box(0.0, 1.0, {kCells, kCells, 4}), Space::discrete(3),
            Space::box(std::vector<double>(kSize), most_of_state(), {kSize}, kF64)),
        options_(options) {
    if (!(options.sticky_action_prob >= 0 && options.sticky_action_prob <= 1))
      throw ValueError("breakout: sticky_action_prob is not between 0 and 1");
  }

 private:
  void start(data::Random random, std::span<double> state) override {
    std::ranges::fill(state, 0.0);
    const bool right = random.below(2) == 1;
    state[kX] = state[kLastX] = right ? kCells - 1 : 0;
    state[kY] = state[kLastY] = 3;
    state[kDirection] = right ? 3 : 2;
    state[kPaddle] = 4;
    std::ranges::fill(state.subspan(kBricks), 1.0);
  }

  Step advance(const Action& action, std::span<double> state) override {
    if (state[kEnded] != 0) return {0, true, false};
    double chosen = static_cast<double>(action.choice());
    if (random().uniform() < options_.sticky_action_prob) chosen = state[kLastAction];
    state[kLastAction] = chosen;
    if (chosen == 1) state[kPaddle] = std::max(state[kPaddle] - 1, 0.0);
    if (chosen == 2) state[kPaddle] = std::min(state[kPaddle] + 1, kCells - 1.0);

    const auto x = static_cast<int64_t>(state[kX]), y = static_cast<int64_t>(state[kY]);
    const auto paddle = static_cast<int64_t>(state[kPaddle]);
    auto direction = static_cast<size_t>(state[kDirection]);
    int64_t next_x = x + (direction == 1 || direction == 2 ? 1 : -1);
    int64_t next_y = y + (direction >= 2 ? 1 : -1);
    double reward = 0;
    bool touches = false, ended = false;
    if (next_x < 0 || next_x >= kCells) {
      next_x = std::clamp<int64_t>(next_x, 0, kCells - 1);
      direction = static_cast<size_t>(kSideways[direction]);
    }
    if (next_y < 0) {
      next_y = 0;
      direction = static_cast<size_t>(kUpDown[direction]);
    } else if (double* brick = brick_at(state, next_x, next_y); brick && *brick != 0) {
      touches = true;
      if (state[kStruck] == 0) {  // one at a time
        reward = 1;
        state[kStruck] = 1;
        *brick = 0;
        next_y = y;
        direction = static_cast<size_t>(kUpDown[direction]);
      }
    } else if (next_y == kCells - 1) {
      const auto bricks = state.subspan(kBricks);
      if (std::ranges::all_of(bricks, [](double b) { return b == 0; }))
        std::ranges::fill(bricks, 1.0);
      if (x == paddle || next_x == paddle) {
        direction = static_cast<size_t>(x == paddle ? kUpDown[direction] : kBack[direction]);
        next_y = y;
      } else {
        ended = true;
      }
    }
    if (!touches) state[kStruck] = 0;
    state[kLastX] = static_cast<double>(x);
    state[kLastY] = static_cast<double>(y);
    state[kX] = static_cast<double>(next_x);
    state[kY] = static_cast<double>(next_y);
    state[kDirection] = static_cast<double>(direction);
    state[kEnded] = ended;
    return {reward, ended, false};
  }

  static double* brick_at(std::span<double> state, int64_t x, int64_t y) {
    if (y < kTopRow || y >= kTopRow + kRows) return nullptr;
    return &state[kBricks + static_cast<size_t>((y - kTopRow) * kCells + x)];
  }

  void write(std::span<const double> state, const Observation& out) const override {
    const auto values = out.values<float>();
    std::ranges::fill(values, 0.0f);
    const auto set = [&](double x, double y, size_t channel) {
      values[static_cast<size_t>(y * kCells + x) * 4 + channel] = 1;
    };
    set(state[kPaddle], kCells - 1, 0);
    set(state[kX], state[kY], 1);
    set(state[kLastX], state[kLastY], 2);
    for (size_t i = 0; i < kRows * kCells; ++i)
      values[(kTopRow * kCells + i) * 4 + 3] = static_cast<float>(state[kBricks + i]);
  }

  void accept(std::span<const double> state) override {
    for (const double x : state)
      if (x != std::floor(x))
        throw ValueError(name() + ": the state has " + std::to_string(x) + ", no whole number");
  }

  Tensor draw(std::span<const double> state) const override {
    constexpr int64_t kPixels = 16;
    constexpr double kSide = kPixels;
    Canvas canvas(kCells * kPixels, kCells * kPixels, kBlack);
    const auto cell = [&](double x, double y, Color color) {
      canvas.rectangle({x * kSide, y * kSide}, {(x + 1) * kSide, (y + 1) * kSide}, color);
    };
    for (size_t i = 0; i < kRows * kCells; ++i)
      if (state[kBricks + i] != 0)
        cell(static_cast<double>(i % kCells), static_cast<double>(kTopRow + i / kCells), kRed);
    cell(state[kPaddle], kCells - 1, kBlue);
    cell(state[kLastX], state[kLastY], kGrey);
    cell(state[kX], state[kY], kYellow);
    return canvas.picture();
  }

  const MinAtarOptions options_;
};

}  // namespace

std::unique_ptr<Env> breakout(const MinAtarOptions& options) {
  return std::make_unique<Breakout>(options);
}

}  // namespace glia::rl
