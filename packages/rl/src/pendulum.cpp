#include <algorithm>
#include <limits>

#include "canvas.h"
#include "classic_control.h"

namespace glia::rl {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMostSpeed = 8, kG = 10.0, kDt = 0.05;

// An angle in [-pi, pi): NumPy's remainder, which has the divisor's sign.
double angle_normalize(double x) {
  double turn = std::fmod(x + kPi, 2 * kPi);
  if (turn < 0) turn += 2 * kPi;
  return turn - kPi;
}

class Pendulum : public Env {
 public:
  Pendulum()
      : Env("Pendulum-v1", Space::box({-1, -1, -kMostSpeed}, {1, 1, kMostSpeed}, {3}),
            Space::box(-2.0, 2.0, {1}),
            Space::box({-kInfinity, -kMostSpeed}, {kInfinity, kMostSpeed}, {2}, kF64)) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    state[0] = uniform(random, -kPi, kPi);
    state[1] = uniform(random, -1, 1);
  }

  // The torque is f32, and so are its products with Python's numbers.
  Step advance(const Action& action, std::span<double> state) override {
    double &theta = state[0], &speed = state[1];
    const float u = std::clamp(action.values()[0], -2.0f, 2.0f);
    const double costs = power2(angle_normalize(theta)) + 0.1 * power2(speed) +
                         static_cast<double>(0.001f * power2(u));
    speed += (3 * kG / 2 * std::sin(theta) + static_cast<double>(3.0f * u)) * kDt;
    speed = std::clamp(speed, -kMostSpeed, kMostSpeed);
    theta += speed * kDt;
    return {-costs, false, false};
  }

  void write(std::span<const double> state, const Observation& out) const override {
    const std::span<float> values = out.values<float>();
    values[0] = static_cast<float>(std::cos(state[0]));
    values[1] = static_cast<float>(std::sin(state[0]));
    values[2] = static_cast<float>(state[1]);
  }

  Tensor draw(std::span<const double> state) const override {  // upright at 0
    Canvas canvas(200, 200);
    canvas.line({100, 100}, {100 - 80 * std::sin(state[0]), 100 - 80 * std::cos(state[0])}, 16,
                kRed);
    canvas.circle({100, 100}, 5, kBlack);
    return canvas.picture();
  }
};

}  // namespace

std::unique_ptr<Env> make_pendulum() { return std::make_unique<Pendulum>(); }

}  // namespace glia::rl
