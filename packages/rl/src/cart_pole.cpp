#include <limits>

#include "canvas.h"
#include "classic_control.h"

namespace glia::rl {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kGravity = 9.8, kMassPole = 0.1, kTotalMass = kMassPole + 1.0, kLength = 0.5,
                 kPoleMassLength = kMassPole * kLength, kForce = 10.0, kTau = 0.02,
                 kMostTheta = 12 * 2 * kPi / 360, kMostX = 2.4;

class CartPole : public Env {
 public:
  CartPole()
      : Env("CartPole-v1",
            Space::box({-kMostX * 2, -kInfinity, -kMostTheta * 2, -kInfinity},
                       {kMostX * 2, kInfinity, kMostTheta * 2, kInfinity}, {4}),
            Space::discrete(2),
            Space::box({-kInfinity, -kInfinity, -kInfinity, -kInfinity, 0},
                       {kInfinity, kInfinity, kInfinity, kInfinity, 1}, {5}, kF64)) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    for (double& x : state.first(4)) x = uniform(random, -0.05, 0.05);
    state[4] = 0;
  }

  Step advance(const Action& action, std::span<double> state) override {
    double &x = state[0], &x_dot = state[1], &theta = state[2], &theta_dot = state[3];
    const double force = action.choice() == 1 ? kForce : -kForce;
    const double cos = std::cos(theta), sin = std::sin(theta);
    const double temp = (force + kPoleMassLength * (theta_dot * theta_dot) * sin) / kTotalMass;
    const double theta_acc = (kGravity * sin - cos * temp) /
                             (kLength * (4.0 / 3.0 - kMassPole * (cos * cos) / kTotalMass));
    const double x_acc = temp - kPoleMassLength * theta_acc * cos / kTotalMass;
    x += kTau * x_dot;
    x_dot += kTau * x_acc;
    theta += kTau * theta_dot;
    theta_dot += kTau * theta_acc;

    const bool over = x < -kMostX || x > kMostX || theta < -kMostTheta || theta > kMostTheta;
    const bool again = over && state[4] != 0;
    if (over) state[4] = 1;
    return {again ? 0.0 : 1.0, over, false};
  }

  void write(std::span<const double> state, const Observation& out) const override {
    const std::span<float> values = out.values<float>();
    for (size_t i = 0; i < 4; ++i) values[i] = static_cast<float>(state[i]);
  }

  Tensor draw(std::span<const double> state) const override {
    constexpr double kScale = 300 / (2 * kMostX), kTrack = 150;
    Canvas canvas(300, 200);
    const double x = 150 + state[0] * kScale;
    canvas.line({0, kTrack}, {300, kTrack}, 1, kBlack);
    canvas.rectangle({x - 20, kTrack - 10}, {x + 20, kTrack + 10}, kBlack);
    const double length = 2 * kLength * kScale;
    canvas.line({x, kTrack - 5},
                {x + length * std::sin(state[2]), kTrack - 5 - length * std::cos(state[2])}, 7,
                kBrown);
    canvas.circle({x, kTrack - 5}, 4, kBlue);
    return canvas.picture();
  }
};

}  // namespace

std::unique_ptr<Env> make_cart_pole() { return std::make_unique<CartPole>(); }

}  // namespace glia::rl
