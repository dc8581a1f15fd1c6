// Differential equations against closed forms, and gradients of their solutions.
#include "glia/math/ode.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::integrate {
namespace {

using test::expect_values;
using test::message_of;
using enum OdeMethod;
constexpr double kPi = std::numbers::pi;
const std::vector<OdeMethod> kAll{kRK23, kRK45, kDOP853, kRadau, kBDF};

Tensor of(const Tensor& x, int64_t i) { return index(x, {i}); }
Tensor swing(const Tensor&, const Tensor& y) { return stack({of(y, 1), -of(y, 0)}); }

TEST(SolveIvp, FollowsACircle) {
  for (OdeMethod m : kAll) {
    SCOPED_TRACE(static_cast<int>(m));
    const SolveIvpResult r =
        solve_ivp(swing, 0, 10, tensor<double>({1, 0}),
                  {.method = m, .dense_output = true, .rtol = 1e-8, .atol = {1e-10}});
    EXPECT_TRUE(r.success);
    EXPECT_EQ(r.t.size(0), r.nsteps + 1);
    EXPECT_EQ(r.y.shape(), Shape({r.nsteps + 1, 2}));
    const double off = m == kBDF ? 3e-5 : 2e-6;
    expect_values(of(r.y, -1), {2}, {std::cos(10), -std::sin(10)}, off);
    // Within steps, and backwards from there.
    const Tensor t = linspace(0, 10, 137, kF64);
    EXPECT_LT(max(abs(r.sol(t) - stack({cos(t), -sin(t)}, 1))).item(), off * 3);
    expect_values(r.sol(tensor(3.3)), {2}, {std::cos(3.3), -std::sin(3.3)}, off * 3);
    const SolveIvpResult back =
        solve_ivp(swing, 10, 0, of(r.y, -1),
                  {.method = m, .t_eval = {10, 5, 1, 0}, .rtol = 1e-8, .atol = {1e-10}});
    expect_values(back.t, {4}, {10, 5, 1, 0});
    expect_values(of(back.y, -1), {2}, {1, 0}, off * 3);
    EXPECT_EQ(back.nlu > 0, m == kRadau || m == kBDF);
  }
}

TEST(SolveIvp, ConvergesWithItsOrder) {
  // The error falls with the tolerance, at least in proportion.
  const auto f = [](const Tensor& t, const Tensor& y) { return -y * sin(t) + cos(t); };
  const double exact = [&] {
    return of(solve_ivp(f, 0, 5, tensor<double>({1}),
                        {.method = kDOP853, .rtol = 1e-13, .atol = {1e-14}})
                  .y,
              -1)
        .item();
  }();
  for (OdeMethod m : kAll) {
    double before = INFINITY;
    for (double rtol : {1e-3, 1e-5, 1e-7, 1e-9}) {
      const double got = of(solve_ivp(f, 0, 5, tensor<double>({1}),
                                      {.method = m, .rtol = rtol, .atol = {rtol * 1e-2}})
                                .y,
                            -1)
                             .item();
      EXPECT_LE(std::abs(got - exact), 150 * rtol) << static_cast<int>(m) << " " << rtol;
      before = std::abs(got - exact);
    }
    EXPECT_LT(before, 1e-7);
  }
}

TEST(SolveIvp, StiffEquations) {
  // Robertson 1966: at t = 40 (Hairer & Wanner 1996) y1 = 0.7158, y2 = 9.185e-6, y3 = 0.2842.
  const auto robertson = [](const Tensor&, const Tensor& y) {
    const Tensor a = 0.04 * of(y, 0), b = 1e4 * of(y, 1) * of(y, 2), c = 3e7 * square(of(y, 1));
    return stack({b - a, a - b - c, c});
  };
  // Van der Pol with mu = 1000.
  const auto van_der_pol = [](const Tensor&, const Tensor& y) {
    return stack({of(y, 1), 1000 * (1 - square(of(y, 0))) * of(y, 1) - of(y, 0)});
  };
  for (OdeMethod m : {kRadau, kBDF}) {
    const SolveIvpResult r = solve_ivp(robertson, 0, 40, tensor<double>({1, 0, 0}),
                                       {.method = m, .rtol = 1e-7, .atol = {1e-10}});
    EXPECT_TRUE(r.success);
    expect_values(of(r.y, -1), {3}, {0.7158270688, 9.185534765e-6, 0.2841637457}, 3e-6);
    EXPECT_LT(r.nsteps, 250);
    EXPECT_LT(r.njev, 40);
    const SolveIvpResult v = solve_ivp(van_der_pol, 0, 3000, tensor<double>({2, 0}), {.method = m});
    EXPECT_TRUE(v.success);
    EXPECT_LT(v.nsteps, 600);
  }
  // Jacobians that are given, or of a function computed elsewhere.
  const auto elsewhere = [](const Tensor&, const Tensor& y) {
    return tensor<double>({-1000 * (of(y, 0).item() - 1)});
  };
  const SolveIvpResult r = solve_ivp(elsewhere, 0, 1, tensor<double>({0}), {.method = kRadau});
  EXPECT_NEAR(of(r.y, -1).item(), 1, 1e-5);
  const SolveIvpResult given = solve_ivp(elsewhere, 0, 1, tensor<double>({0}),
                                         {.method = kBDF, .jac = [](const Tensor&, const Tensor&) {
                                            return tensor<double>({{-1000}});
                                          }});
  EXPECT_NEAR(of(given.y, -1).item(), 1, 1e-3);
}

TEST(SolveIvp, Events) {
  // A ball thrown up with 10 m/s: at the top after 10 / 9.81, on the ground after twice that.
  const auto ball = [](const Tensor&, const Tensor& y) { return stack({of(y, 1), tensor(-9.81)}); };
  const OdeEvent ground{.fun = [](const Tensor&, const Tensor& y) { return of(y, 0); },
                        .terminal = true,
                        .direction = -1};
  const OdeEvent top{.fun = [](const Tensor&, const Tensor& y) { return of(y, 1); }};
  const OdeEvent rising{.fun = [](const Tensor&, const Tensor& y) { return of(y, 1); },
                        .direction = 1};
  for (OdeMethod m : kAll) {
    SCOPED_TRACE(static_cast<int>(m));
    const SolveIvpResult r =
        solve_ivp(ball, 0, 100, tensor<double>({0, 10}),
                  {.method = m, .events = {ground, top, rising}, .rtol = 1e-8, .atol = {1e-10}});
    EXPECT_EQ(r.status, 1);
    ASSERT_EQ(r.t_events[0].size(0), 1);
    EXPECT_NEAR(of(r.t_events[0], 0).item(), 20 / 9.81, 1e-6);
    EXPECT_NEAR(of(r.t_events[1], 0).item(), 10 / 9.81, 1e-6);
    EXPECT_NEAR(index(r.y_events[1], {0, 0}).item(), 50 / 9.81, 1e-6);
    EXPECT_EQ(r.t_events[2].size(0), 0);
    EXPECT_EQ(r.y_events[2].shape(), Shape({0, 2}));
    EXPECT_NEAR(of(r.t, -1).item(), 20 / 9.81, 1e-6);
  }
  // Many zeros of a sine, each found.
  const SolveIvpResult r = solve_ivp(
      swing, 0, 20, tensor<double>({0, 1}),
      {.method = kDOP853, .events = {top}, .rtol = 1e-10, .atol = {1e-12}, .max_step = 0.5});
  ASSERT_EQ(r.t_events[0].size(0), 6);
  for (int64_t i = 0; i < 6; ++i)
    EXPECT_NEAR(of(r.t_events[0], i).item(), kPi * (static_cast<double>(i) + 0.5), 1e-8);
}

TEST(SolveIvp, ShapesAndFaults) {
  const auto decay = [](const Tensor&, const Tensor& y) { return -y; };
  const SolveIvpResult r =
      solve_ivp(decay, 0, 1, ones({2, 3}), {.t_eval = {0, 0.5, 1}, .dense_output = true});
  EXPECT_EQ(r.y.shape(), Shape({3, 2, 3}));
  EXPECT_EQ(r.sol(tensor<double>({0.1, 0.2})).shape(), Shape({2, 2, 3}));
  EXPECT_NEAR(index(r.y, {2, 1, 1}).item(), std::exp(-1), 1e-3);
  EXPECT_EQ(solve_ivp(decay, 2, 2, ones({1})).t.size(0), 1);
  // y' = y^2 has no solution beyond t = 1: the step becomes too small.
  const SolveIvpResult blows = solve_ivp([](const Tensor&, const Tensor& y) { return square(y); },
                                         0, 2, tensor<double>({1}));
  EXPECT_EQ(blows.status, -1);
  EXPECT_FALSE(blows.success);
  EXPECT_NEAR(of(blows.t, -1).item(), 1, 0.01);
  for (OdeMethod m : kAll) {
    const SolveIvpResult nan =
        solve_ivp([](const Tensor& t, const Tensor& y) { return y / (t - 0.5) * sqrt(0.5 - t); }, 0,
                  1, tensor<double>({1}), {.method = m});
    EXPECT_EQ(nan.status, -1) << static_cast<int>(m);
  }
  EXPECT_THROW(solve_ivp(decay, 0, INFINITY, ones({1})), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, zeros({0})), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, tensor<double>({NAN})), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({2}), {.atol = {1, 2, 3}}), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({1}), {.rtol = -1}), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({1}), {.t_eval = {0, 2}}), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({1}), {.t_eval = {0.5, 0.2}}), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({1}), {.first_step = 0.0}), ValueError);
  EXPECT_THROW(solve_ivp(decay, 0, 1, ones({1}), {.max_step = 0}), ValueError);
  EXPECT_THROW(solve_ivp(
                   [](const Tensor&, const Tensor& y) {
                     return concat({y, y});
                   },
                   0, 1, ones({1})),
               ShapeError);
  EXPECT_THROW(solve_ivp({}, 0, 1, ones({1})), ShapeError);
  EXPECT_THROW(OdeSolution()(tensor(1.0)), ValueError);
}

// ---- With gradients ----

TEST(Odeint, SolvesAndHasTheGradientOfTheSolution) {
  // y' = a y: y(t) = y0 exp(a t), dy / da = t y, dy / dy0 = exp(a t).
  const Tensor t = tensor<double>({0, 0.5, 2});
  for (OdeintMethod m : {OdeintMethod::kDopri5, OdeintMethod::kBosh3, OdeintMethod::kRk4,
                         OdeintMethod::kMidpoint, OdeintMethod::kEuler}) {
    SCOPED_TRACE(static_cast<int>(m));
    const Tensor a = trainable(tensor<double>(-0.7)), y0 = trainable(tensor<double>({2, 3}));
    const double step = m == OdeintMethod::kEuler ? 1e-3 : 1e-2;
    const Tensor y = odeint([&](const Tensor&, const Tensor& s) { return a * s; }, y0, t,
                            {.method = m, .step_size = step});
    const double off = m == OdeintMethod::kEuler      ? 2e-3
                       : m == OdeintMethod::kMidpoint ? 5e-5
                                                      : 1e-6;
    const double e = std::exp(-1.4), half = std::exp(-0.35);
    expect_values(y, {3, 2}, {2, 3, 2 * half, 3 * half, 2 * e, 3 * e}, off);
    const std::vector<Tensor> g = gradients(sum(of(y, 2)), {a, y0});
    EXPECT_NEAR(g[0].item(), 2 * 5 * e, off * 10);
    expect_values(g[1], {2}, {e, e}, off);
  }
  // Backwards in time, in f32, and a second derivative.
  const Tensor back = odeint([](const Tensor&, const Tensor& s) { return s; }, ones({1}),
                             tensor<float>({1, 0}), {.rtol = 1e-5, .atol = 1e-6});
  EXPECT_EQ(back.dtype(), kF32);
  EXPECT_NEAR(of(of(back, 1), 0).item(), std::exp(-1), 1e-5);
  EXPECT_EQ(gradgradcheck(
                [&](const std::vector<Tensor>& in) {
                  return odeint(
                      [&](const Tensor& at, const Tensor& s) { return in[1] * sin(s) + at; }, in[0],
                      tensor<double>({0, 1}), {.method = OdeintMethod::kRk4, .step_size = 0.25});
                },
                {tensor<double>({0.3, 1}), tensor<double>(0.8)}),
            "");
}

struct Field : nn::Module {
  Parameter in{randn({2, 32}, kF64)}, bias{zeros({32}, kF64)}, out{0.1 * randn({32, 2}, kF64)};
  Tensor operator()(const Tensor& y) const { return matmul(tanh(matmul(y, in) + bias), out); }
  GLIA_FIELDS(in, bias, out)
};

TEST(OdeintAdjoint, AgreesWithTheGradientThroughTheSolver) {
  manual_seed(1);
  const Field field;
  const OdeFunction f = [&](const Tensor&, const Tensor& y) { return field(y * y * y); };
  const Tensor t = tensor<double>({0, 0.3, 1});
  const OdeintOptions tight{.rtol = 1e-9, .atol = 1e-11};
  const auto loss = [](const Tensor& y) { return sum(square(y)) + sum(index(y, {1})); };
  const Tensor y0 = trainable(tensor<double>({{1, 0.5}, {-0.3, 0.8}}));
  std::vector<Tensor> by{y0};
  for (const Tensor& p : field.parameters().tensors()) by.push_back(p);
  const Tensor direct = odeint(f, y0, t, tight);
  const Tensor adjoint = odeint_adjoint(f, field.parameters(), y0, t, tight);
  test::expect_same(adjoint, direct, 1e-12);
  const std::vector<Tensor> a = gradients(loss(direct), by), b = gradients(loss(adjoint), by);
  for (size_t i = 0; i < a.size(); ++i) {
    const double size = max(abs(a[i])).item();
    EXPECT_GT(size, 1e-3);
    test::expect_same(b[i], a[i], 1e-6 * std::max(1.0, size));
  }
}

// Chen et al. 2018, example of torchdiffeq: the cubic spiral y' = A y^3 is learned from pieces of
// it.
TEST(OdeintAdjoint, ANeuralEquationLearnsASpiral) {
  manual_seed(2);
  const Tensor a = tensor<double>({{-0.1, 2}, {-2, -0.1}});
  const Tensor times = linspace(0, 5, 101, kF64);
  const Tensor truth =
      stop_gradient(odeint([&](const Tensor&, const Tensor& y) { return matmul(y * y * y, a); },
                           tensor<double>({{2, 0}}), times, {.rtol = 1e-7, .atol = 1e-9}));
  const Field field;
  const OdeFunction f = [&](const Tensor&, const Tensor& y) { return field(y * y * y); };
  optim::Adam adam(field.parameters(), {.lr = 1e-2});
  constexpr int64_t kBatch = 20, kLength = 10;
  const Tensor piece = linspace(0, 0.5, kLength + 1, kF64);
  double first = 0, last = 0;
  constexpr int kSteps = 600;
  for (int step = 0; step < kSteps; ++step) {
    adam.set_lr(5e-3 * (1 + std::cos(kPi * step / kSteps)));
    const Tensor begin = randint(0, 60 - kLength, {kBatch});
    const Tensor y0 = squeeze(take(truth, begin), 1);
    std::vector<Tensor> wanted;
    for (int64_t k = 0; k <= kLength; ++k) wanted.push_back(squeeze(take(truth, begin + k), 1));
    const OdeintOptions options{.rtol = 1e-4, .atol = 1e-5};
    const Tensor y = step % 2 == 0 ? odeint_adjoint(f, field.parameters(), y0, piece, options)
                                   : odeint(f, y0, piece, options);
    const Tensor loss = mean(abs(y - stack(wanted)));
    (step == 0 ? first : last) = loss.item();
    adam.step(gradients(loss, field.parameters()));
  }
  const Tensor whole =
      odeint(f, tensor<double>({{2, 0}}), slice(times, 0, {0, 61}), {.rtol = 1e-5, .atol = 1e-6});
  const double off = mean(abs(whole - slice(truth, 0, {0, 61}))).item();
  fmt::print("loss {:.4f} -> {:.4f}, the path of 3 s off by {:.4f}\n", first, last, off);
  EXPECT_LT(last, 0.15 * first);
  EXPECT_LT(off, 0.15);
}

TEST(Odeint, SaysWhatIsWrong) {
  const OdeFunction f = [](const Tensor&, const Tensor& y) { return y; };
  const Tensor t = tensor<double>({0, 1});
  EXPECT_THROW(odeint(f, ones({1}), tensor<double>({0, 1, 0.5})), ValueError);
  EXPECT_THROW(odeint(f, ones({1}), tensor<double>({0, NAN})), ValueError);
  EXPECT_THROW(odeint(f, ones({1}), tensor(1.0)), ShapeError);
  EXPECT_THROW(odeint(f, ones({1}, kI64), t), ShapeError);
  EXPECT_THROW(odeint(f, {}, t), ShapeError);
  EXPECT_THROW(odeint({}, ones({1}), t), ShapeError);
  EXPECT_THROW(odeint(f, ones({1}), t, {.rtol = -1}), ValueError);
  EXPECT_THROW(odeint(f, ones({1}), t, {.method = OdeintMethod::kRk4, .step_size = 1e-300}),
               ValueError);
  EXPECT_THROW(odeint([](const Tensor&, const Tensor& y) { return sum(y); }, ones({2}), t),
               ShapeError);
  EXPECT_NE(message_of<ValueError>([&] {
              odeint([](const Tensor&, const Tensor& y) { return square(y); }, ones({1}, kF64),
                     tensor<double>({0, 2}), {.max_num_steps = 500});
            }).find("odeint"),
            std::string::npos);
  expect_values(odeint(f, ones({1}, kF64), tensor<double>({3})), {1, 1}, {1});
}

}  // namespace
}  // namespace glia::integrate
