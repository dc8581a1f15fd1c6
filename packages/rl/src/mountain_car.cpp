#include <algorithm>
#include <type_traits>

#include "canvas.h"
#include "classic_control.h"

namespace glia::rl {
namespace {

constexpr double kLeft = -1.2, kRight = 0.6, kMostSpeed = 0.07;
// What f32 may round the bounds to.
constexpr double kSlack = 1e-7;

void write_values(std::span<const double> state, const Observation& out) {
  const std::span<float> values = out.values<float>();
  for (size_t i = 0; i < 2; ++i) values[i] = static_cast<float>(state[i]);
}

Tensor draw_hill(std::span<const double> state, double goal) {
  constexpr double kScale = 300 / (kRight - kLeft);
  const auto at = [](double position) {
    return Point{(position - kLeft) * kScale, 180 - (std::sin(3 * position) + 1) * 0.45 * kScale};
  };
  Canvas canvas(300, 200);
  for (int i = 0; i < 60; ++i)
    canvas.line(at(kLeft + (kRight - kLeft) * i / 60), at(kLeft + (kRight - kLeft) * (i + 1) / 60),
                2, kBlack);
  const Point flag = at(goal), car = at(state[0]);
  canvas.line(flag, {flag.x, flag.y - 25}, 1, kBlack);
  canvas.polygon({{flag.x, flag.y - 25}, {flag.x, flag.y - 15}, {flag.x + 12, flag.y - 20}},
                 kYellow);
  canvas.circle({car.x, car.y - 7}, 7, kBlue);
  return canvas.picture();
}

void start_in_valley(data::Random& random, std::span<double> state) {
  std::fill(state.begin(), state.end(), 0.0);
  state[0] = uniform(random, -0.6, -0.4);
}

class MountainCar : public Env {
 public:
  MountainCar()
      : Env("MountainCar-v0", Space::box({kLeft, -kMostSpeed}, {kRight, kMostSpeed}, {2}),
            Space::discrete(3), Space::box({kLeft, -kMostSpeed}, {kRight, kMostSpeed}, {2}, kF64)) {
  }

 private:
  void start(data::Random random, std::span<double> state) override {
    start_in_valley(random, state);
  }

  Step advance(const Action& action, std::span<double> state) override {
    double &position = state[0], &velocity = state[1];
    const auto direction = static_cast<double>(action.choice() - 1);
    velocity += direction * 0.001 + std::cos(3 * position) * -0.0025;
    velocity = std::clamp(velocity, -kMostSpeed, kMostSpeed);
    position = std::clamp(position + velocity, kLeft, kRight);
    if (position == kLeft && velocity < 0) velocity = 0;
    return {-1.0, position >= 0.5 && velocity >= 0, false};
  }

  void write(std::span<const double> state, const Observation& out) const override {
    write_values(state, out);
  }

  Tensor draw(std::span<const double> state) const override { return draw_hill(state, 0.5); }
};

// Gymnasium's state is f64 when an episode starts and f32 after its first step, and so is what is
// computed of it.
class MountainCarContinuous : public Env {
 public:
  MountainCarContinuous()
      : Env("MountainCarContinuous-v0", Space::box({kLeft, -kMostSpeed}, {kRight, kMostSpeed}, {2}),
            Space::box(-1.0, 1.0, {1}),
            Space::box({kLeft - kSlack, -kMostSpeed - kSlack, 0},
                       {kRight + kSlack, kMostSpeed + kSlack, 1}, {3}, kF64)) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    start_in_valley(random, state);
  }

  Step advance(const Action& action, std::span<double> state) override {
    const float given = action.values()[0];
    const bool terminated = state[2] != 0 ? move<float>(given, state) : move<double>(given, state);
    state[2] = 1;
    return {(terminated ? 100.0 : 0.0) - power2<double>(given) * 0.1, terminated, false};
  }

  template <class T>
  static bool move(float action, std::span<double> state) {
    auto position = static_cast<T>(state[0]), velocity = static_cast<T>(state[1]);
    const double slope = 0.0025 * std::cos(static_cast<double>(3 * position));
    // A force at a bound is a number of Python, which is f64; one between them is f32.
    if (action > 1 || action < -1)
      velocity += static_cast<T>((action > 1 ? 1.0 : -1.0) * 0.0015 - slope);
    else
      velocity += action * 0.0015f - static_cast<float>(slope);
    velocity = std::clamp(velocity, T(-kMostSpeed), T(kMostSpeed));
    position = std::clamp(position + velocity, T(kLeft), T(kRight));
    if (position == T(kLeft) && velocity < 0) velocity = 0;
    state[0] = static_cast<float>(position);
    state[1] = static_cast<float>(velocity);
    return position >= T(0.45) && velocity >= 0;
  }

  void write(std::span<const double> state, const Observation& out) const override {
    write_values(state, out);
  }

  Tensor draw(std::span<const double> state) const override { return draw_hill(state, 0.45); }
};

}  // namespace

std::unique_ptr<Env> make_mountain_car() { return std::make_unique<MountainCar>(); }
std::unique_ptr<Env> make_mountain_car_continuous() {
  return std::make_unique<MountainCarContinuous>();
}

}  // namespace glia::rl
