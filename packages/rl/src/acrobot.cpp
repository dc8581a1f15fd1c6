#include <algorithm>
#include <array>

#include "canvas.h"
#include "classic_control.h"

namespace glia::rl {
namespace {

constexpr double kMostSpeed1 = 4 * kPi, kMostSpeed2 = 9 * kPi;
constexpr double kDt = 0.2;

using Values = std::array<double, 4>;

// The derivatives of theta1, theta2, dtheta1, dtheta2; links of length and mass 1, whose moments
// are 1 and whose centres are in their middles.
Values derivatives(const Values& s, double torque) {
  constexpr double m1 = 1, m2 = 1, l1 = 1, lc1 = 0.5, lc2 = 0.5, i1 = 1, i2 = 1, g = 9.8;
  const auto [theta1, theta2, dtheta1, dtheta2] = s;
  const double cos2 = std::cos(theta2), sin2 = std::sin(theta2);
  const double d1 = m1 * (lc1 * lc1) + m2 * (l1 * l1 + lc2 * lc2 + 2 * l1 * lc2 * cos2) + i1 + i2;
  const double d2 = m2 * (lc2 * lc2 + l1 * lc2 * cos2) + i2;
  const double phi2 = m2 * lc2 * g * std::cos(theta1 + theta2 - kPi / 2.0);
  const double phi1 = -m2 * l1 * lc2 * power2(dtheta2) * sin2 -
                      2 * m2 * l1 * lc2 * dtheta2 * dtheta1 * sin2 +
                      (m1 * lc1 + m2 * l1) * g * std::cos(theta1 - kPi / 2) + phi2;
  const double ddtheta2 =
      (torque + d2 / d1 * phi1 - m2 * l1 * lc2 * power2(dtheta1) * sin2 - phi2) /
      (m2 * (lc2 * lc2) + i2 - power2(d2) / d1);
  return {dtheta1, dtheta2, -(d2 * ddtheta2 + phi1) / d1, ddtheta2};
}

Values plus(const Values& s, double step, const Values& k) {
  Values out;
  for (size_t i = 0; i < 4; ++i) out[i] = s[i] + step * k[i];
  return out;
}

// Brought into [-pi, pi] by whole turns, one after the other.
double wrap(double x) {
  while (x > kPi) x -= 2 * kPi;
  while (x < -kPi) x += 2 * kPi;
  return x;
}

class Acrobot : public Env {
 public:
  Acrobot()
      : Env("Acrobot-v1",
            Space::box({-1, -1, -1, -1, -kMostSpeed1, -kMostSpeed2},
                       {1, 1, 1, 1, kMostSpeed1, kMostSpeed2}, {6}),
            Space::discrete(3),
            Space::box({-kPi, -kPi, -kMostSpeed1, -kMostSpeed2},
                       {kPi, kPi, kMostSpeed1, kMostSpeed2}, {4}, kF64)) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    for (double& x : state) x = static_cast<float>(uniform(random, -0.1, 0.1));
  }

  Step advance(const Action& action, std::span<double> state) override {
    const auto torque = static_cast<double>(action.choice() - 1);
    const Values s = {state[0], state[1], state[2], state[3]};
    const Values k1 = derivatives(s, torque);
    const Values k2 = derivatives(plus(s, kDt / 2.0, k1), torque);
    const Values k3 = derivatives(plus(s, kDt / 2.0, k2), torque);
    const Values k4 = derivatives(plus(s, kDt, k3), torque);
    Values next;
    for (size_t i = 0; i < 4; ++i)
      next[i] = s[i] + kDt / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
    state[0] = wrap(next[0]);
    state[1] = wrap(next[1]);
    state[2] = std::clamp(next[2], -kMostSpeed1, kMostSpeed1);
    state[3] = std::clamp(next[3], -kMostSpeed2, kMostSpeed2);
    const bool terminated = -std::cos(state[0]) - std::cos(state[1] + state[0]) > 1.0;
    return {terminated ? 0.0 : -1.0, terminated, false};
  }

  void write(std::span<const double> state, const Observation& out) const override {
    const double values[] = {std::cos(state[0]), std::sin(state[0]), std::cos(state[1]),
                             std::sin(state[1]), state[2],           state[3]};
    std::copy(std::begin(values), std::end(values), out.values<float>().begin());
  }

  Tensor draw(std::span<const double> state) const override {
    constexpr double kScale = 45;  // of a link's length; angles count from straight down
    Canvas canvas(200, 200);
    const Point hinge = {100, 100};
    const double angle = state[0] + state[1];
    const Point elbow = {hinge.x + kScale * std::sin(state[0]),
                         hinge.y + kScale * std::cos(state[0])};
    const Point end = {elbow.x + kScale * std::sin(angle), elbow.y + kScale * std::cos(angle)};
    canvas.line({0, hinge.y - kScale}, {200, hinge.y - kScale}, 1, kBlack);
    canvas.line(hinge, elbow, 8, kGreen);
    canvas.line(elbow, end, 8, kGreen);
    canvas.circle(hinge, 5, kYellow);
    canvas.circle(elbow, 5, kYellow);
    return canvas.picture();
  }
};

}  // namespace

std::unique_ptr<Env> make_acrobot() { return std::make_unique<Acrobot>(); }

}  // namespace glia::rl
