// Roots of one number, of many, and of systems.
#include "glia/math/roots.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/math/least_squares.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "tests/math/mgh.h"
#include "tests/support/values.h"

namespace glia::optimize {
namespace {

using mgh::line;
using mgh::of;
using test::expect_values;
using test::message_of;
using enum ScalarRootMethod;

constexpr double kDottie = 0.7390851332151606416553;  // cos x = x

TEST(RootScalar, EveryMethod) {
  const RealFunction f = [](double x) { return std::cos(x) - x; };
  const RealFunction first = [](double x) { return -std::sin(x) - 1; };
  const RealFunction second = [](double x) { return -std::cos(x); };
  for (ScalarRootMethod m : {kBrentq, kBisect, kRidder, kToms748}) {
    const RootScalarResult r = root_scalar(f, {.method = m, .bracket = std::pair{0.0, 1.0}});
    EXPECT_TRUE(r.converged) << r.flag;
    EXPECT_NEAR(r.root, kDottie, 2e-12);
    EXPECT_GE(r.function_calls, 4);
    EXPECT_LE(r.iterations, m == kBisect ? 40 : 12);
  }
  for (ScalarRootMethod m : {kNewton, kSecant, kHalley}) {
    const RootScalarResult r =
        root_scalar(f, {.method = m, .x0 = 1.0, .fprime = first, .fprime2 = second});
    EXPECT_TRUE(r.converged) << r.flag;
    EXPECT_NEAR(r.root, kDottie, 1e-9);
  }
  EXPECT_NEAR(brentq(f, 0, 1), kDottie, 1e-12);
  EXPECT_NEAR(bisect(f, 0, 1), kDottie, 2e-12);
  EXPECT_NEAR(ridder(f, 1, 0), kDottie, 2e-12);  // in any order
  EXPECT_NEAR(toms748(f, 1, 0), kDottie, 2e-12);
}

// Alefeld, Potra & Shi 1995, table 1, some of the hard ones.
TEST(RootScalar, HardFunctions) {
  struct Hard {
    RealFunction f;
    double a, b, root;
  };
  const std::vector<Hard> all{
      {[](double x) { return std::sin(x) - x / 2; }, std::numbers::pi / 2, std::numbers::pi,
       1.895494267033981},
      {[](double x) { return -40 * x * std::exp(-x); }, -9, 31, 0},
      {[](double x) { return std::pow(x, 12) - 0.2; }, 0, 5, std::pow(0.2, 1.0 / 12)},
      {[](double x) { return 2 * x * std::exp(-20) - 2 * std::exp(-20 * x) + 1; }, 0, 1,
       std::log(2) / 20 - 7.1434e-12},  // with exp(-20) to first order
      {[](double x) { return x == 0 ? 0 : x * std::exp(-1 / (x * x)); }, -1, 4, 0},
      {[](double x) { return std::pow(x - 1, 3); }, -2, 5, 1},
      {[](double x) { return x < 0.3 ? -1e-9 : 1e9; }, 0, 1, 0.3},
      {[](double x) { return 1e-200 * (x - 3); }, 0, 1e10, 3}};
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    for (ScalarRootMethod m : {kBrentq, kBisect, kRidder, kToms748}) {
      const RootScalarResult r = root_scalar(
          all[i].f, {.method = m, .bracket = std::pair{all[i].a, all[i].b}, .maxiter = 2000});
      EXPECT_TRUE(r.converged) << r.flag;
      // Flat roots are where the function is zero to the last digit.
      const bool flat = i == 4 || i == 5;
      EXPECT_NEAR(r.root, all[i].root, flat ? 0.06 : 1e-10) << static_cast<int>(m);
    }
  }
}

TEST(RootScalar, SaysWhatIsWrong) {
  const RealFunction f = [](double x) { return x * x - 2; };
  EXPECT_NE(message_of<ValueError>([&] { brentq(f, 2, 3); }).find("one sign"), std::string::npos);
  EXPECT_THROW(brentq(f, 2, NAN), ValueError);
  EXPECT_THROW(brentq(f, 0, INFINITY), ValueError);
  EXPECT_THROW(brentq([](double) { return NAN; }, 0, 1), ValueError);
  EXPECT_THROW(brentq({}, 0, 1), ShapeError);
  EXPECT_THROW(brentq(f, 0, 2, 0), ValueError);
  EXPECT_THROW(root_scalar(f, {}), ValueError);
  EXPECT_THROW(root_scalar(f, {.method = kNewton, .x0 = 1.0}), ValueError);
  EXPECT_THROW(root_scalar(f, {.method = kSecant, .x0 = 1.0, .x1 = 1.0}), ValueError);
  EXPECT_THROW(root_scalar(f, {.x0 = NAN}), ValueError);
  EXPECT_EQ(brentq([](double x) { return x - 1; }, 1, 5), 1);  // at an end
  // No root: not converged, with the reason.
  const RootScalarResult none = root_scalar([](double x) { return x * x + 1; },
                                            {.x0 = 0.5, .fprime = [](double x) { return 2 * x; }});
  EXPECT_FALSE(none.converged);
  EXPECT_FALSE(none.flag.empty());
  const RootScalarResult flat = root_scalar([](double x) { return x * x + 1; },
                                            {.x0 = 0.0, .fprime = [](double x) { return 2 * x; }});
  EXPECT_NE(flat.flag.find("derivative"), std::string::npos);
}

TEST(NewtonOfTensors, SolvesEachNumber) {
  // x^3 = a for many a, and Kepler's equation for many anomalies.
  const Tensor a = line({1, 8, 27, 1000, 0.001, 2});
  for (bool halley : {false, true}) {
    const NewtonResult r = newton([&](const Tensor& x) { return x * x * x - a; },
                                  full({6}, 3, kF64), {.tol = 1e-13, .halley = halley});
    EXPECT_TRUE(all(r.converged).item<bool>());
    expect_values(r.root, {6}, {1, 2, 3, 10, 0.1, std::cbrt(2)}, 1e-12);
    EXPECT_LE(r.nit, halley ? 12 : 25);
  }
  const Tensor mean =
      linspace(0, 3, 12, kF64).defined() ? reshape(linspace(0, 3, 12, kF64), {3, 4}) : a;
  const NewtonResult kepler =
      newton([&](const Tensor& e) { return e - 0.6 * sin(e) - mean; }, mean, {.tol = 1e-14});
  EXPECT_EQ(kepler.root.shape(), Shape({3, 4}));
  EXPECT_LT(max(abs(kepler.root - 0.6 * sin(kepler.root) - mean)).item(), 1e-14);
  // One that has no root does not disturb the other; a level start is said.
  const NewtonResult some = newton(
      [](const Tensor& x) {
        return square(x) - line({4, -1, 4});
      },
      line({1, 0.7, 0}), {.tol = 1e-12});
  expect_values(cast(some.converged, kF64), {3}, {1, 0, 0});
  expect_values(cast(some.zero_der, kF64), {3}, {0, 0, 1});
  EXPECT_NEAR(index(some.root, {0}).item(), 2, 1e-12);
  EXPECT_THROW(newton([](const Tensor& x) { return sum(x); }, a), ShapeError);
  EXPECT_THROW(newton([](const Tensor&) { return line({1}); }, line({1})), ValueError);
  EXPECT_THROW(newton([](const Tensor& x) { return x; }, line({NAN})), ValueError);
}

TEST(Root, SolvesSystemsByEveryMethod) {
  // SciPy's example: x0 cos x1 = 4, x0 x1 - x1 = 5.
  const Function f = [](const Tensor& x) {
    return stack({of(x, 0) * cos(of(x, 1)) - 4, of(x, 0) * of(x, 1) - of(x, 1) - 5});
  };
  for (RootMethod m :
       {RootMethod::kHybr, RootMethod::kLm, RootMethod::kBroyden1, RootMethod::kKrylov}) {
    SCOPED_TRACE(static_cast<int>(m));
    const bool minpack = m == RootMethod::kHybr || m == RootMethod::kLm;
    const RootResult r =
        root(f, tensor<double>({1, 1}), {.method = m, .tol = minpack ? 1e-12 : 1e-10});
    EXPECT_TRUE(r.success) << r.message;
    expect_values(r.fun, {2}, {0, 0}, 1e-9);
    expect_values(r.x, {2}, {6.50409711, 0.90841421}, 1e-7);
    // Broyden's tridiagonal function of 200 numbers.
    const Function broyden = [](const Tensor& x) {
      return (3 - 2 * x) * x - mgh::inside(x, -1) - 2 * mgh::inside(x, 1) + 1;
    };
    const RootResult many = root(broyden, full({200}, -1, kF64), {.method = m, .tol = 1e-9});
    EXPECT_TRUE(many.success) << many.message;
    EXPECT_LT(max(abs(many.fun)).item(), 1e-8);
  }
}

TEST(Root, MoreGarbowHillstromSystems) {
  for (const mgh::Case& c : mgh::cases()) {
    const Tensor start = line(c.start);
    const bool square = c.residuals(start).numel() == start.numel();
    if (!square || c.minima[0] != 0 || c.name == "Trigonometric" ||
        c.name == "Freudenstein and Roth")
      continue;
    SCOPED_TRACE(c.name);
    const RootResult r = root(c.residuals, start, {.tol = 1e-10});
    EXPECT_TRUE(r.success || c.name == "Powell singular") << r.message;  // singular at its root
    EXPECT_LT(max(abs(r.fun)).item(), 1e-8);
  }
  // Where there is none, it is said.
  const RootResult none =
      root([](const Tensor& x) { return square(x) + 1; }, tensor<double>({3, 2}));
  EXPECT_FALSE(none.success);
  const RootResult least = root([](const Tensor& x) { return square(x) + 1; },
                                tensor<double>({3, 2}), {.method = RootMethod::kLm});
  EXPECT_FALSE(least.success);
}

TEST(Root, DerivativesGivenOrDifferences) {
  const Function f = [](const Tensor& x) {
    const double a = of(x, 0).item(), b = of(x, 1).item();
    return tensor<double>({a + b - 3, a * a + b * b - 9});
  };
  EXPECT_THROW(root(f, tensor<double>({1, 5})), ValueError);
  for (RootMethod m : {RootMethod::kHybr, RootMethod::kLm, RootMethod::kKrylov}) {
    const RootResult r =
        root(f, tensor<double>({1, 5}), {.method = m, .derivatives = Derivatives::k2Point});
    EXPECT_TRUE(r.success) << r.message;
    expect_values(r.x, {2}, {0, 3}, 1e-6);
  }
  const Function jac = [](const Tensor& x) { return stack({ones({2}, kF64), 2 * x}); };
  expect_values(root(f, tensor<double>({1, 5}), {.jac = jac}).x, {2}, {0, 3}, 1e-7);
  EXPECT_THROW(root([](const Tensor& x) { return concat({x, x}); }, line({1, 2})), ShapeError);
  EXPECT_THROW(root([](const Tensor& x) { return log(x - 5); }, line({1, 2})), ValueError);
  EXPECT_THROW(root(f, line({1, 2}), {.tol = -1.0}), ValueError);
}

// ---- Least squares beyond NIST's sets ----

TEST(LeastSquares, BoundsAndLosses) {
  // SciPy's example: Rosenbrock with x1 >= 1.5 has its least at (1.22437075, 1.5).
  const Function f = [](const Tensor& x) {
    return stack({10 * (of(x, 1) - square(of(x, 0))), 1 - of(x, 0)});
  };
  const LeastSquaresResult r = least_squares(f, tensor<double>({2, 2}),
                                             {.bounds = {{-INFINITY, INFINITY}, {1.5, INFINITY}}});
  EXPECT_TRUE(r.success) << r.message;
  expect_values(r.x, {2}, {1.22437075, 1.5}, 1e-7);
  EXPECT_NEAR(r.cost, 0.025213093946805685, 1e-9);
  EXPECT_EQ(r.active_mask, (std::vector<int>{0, -1}));
  // A line with three values far off: robust losses leave them, squares do not.
  const Tensor t = mgh::count(30) / 3;
  std::vector<double> y = (2 + 0.5 * t + 0.05 * sin(50 * t)).to_vector<double>();
  y[3] += 20, y[12] -= 30, y[25] += 25;
  const Function line_off = [&](const Tensor& x) { return of(x, 0) + of(x, 1) * t - line(y); };
  for (Loss loss : {Loss::kSoftL1, Loss::kHuber, Loss::kCauchy, Loss::kArctan}) {
    const LeastSquaresResult robust =
        least_squares(line_off, tensor<double>({1, 1}), {.loss = loss, .f_scale = 0.1});
    EXPECT_TRUE(robust.success) << robust.message;
    expect_values(robust.x, {2}, {2, 0.5}, 0.06);
  }
  const Tensor plain = least_squares(line_off, tensor<double>({1, 1})).x;
  EXPECT_GT(std::abs(of(plain, 0).item() - 2), 0.2);
  EXPECT_THROW(least_squares(f, tensor<double>({2, 1}), {.bounds = {{-5, 5}, {1.5, 9}}}),
               ValueError);
  EXPECT_THROW(least_squares(f, tensor<double>({2, 2}),
                             {.method = LeastSquaresMethod::kLm, .loss = Loss::kHuber}),
               ValueError);
  EXPECT_THROW(least_squares([](const Tensor& x) { return log(x); }, line({-1})), ValueError);
  EXPECT_THROW(least_squares([](const Tensor& x) { return sum(x); }, line({1, 2}),
                             {.method = LeastSquaresMethod::kLm}),
               ValueError);
}

TEST(CurveFit, CovarianceIsThatOfOrdinaryLeastSquares) {
  const Tensor x = mgh::count(8), y = line({2.9, 5.2, 7.1, 8.8, 11.1, 13.3, 14.7, 17.2});
  const CurveFunction f = [](const Tensor& t, const Tensor& p) { return of(p, 0) + of(p, 1) * t; };
  const CurveFitResult r = curve_fit(f, x, y, tensor<double>({0, 0}));
  EXPECT_TRUE(r.success);
  // The closed form of a line: slope Sxy / Sxx, variances s^2 (1 / n + mean^2 / Sxx), s^2 / Sxx.
  const double sxx = 42, mean_x = 4.5;
  const double sxy = sum((x - mean_x) * y).item(), slope = sxy / sxx,
               intercept = mean(y).item() - slope * mean_x;
  const double s2 = sum(square(y - intercept - slope * x)).item() / 6;
  expect_values(r.popt, {2}, {intercept, slope}, 1e-8);
  expect_values(
      r.pcov, {2, 2},
      {s2 * (1.0 / 8 + mean_x * mean_x / sxx), -s2 * mean_x / sxx, -s2 * mean_x / sxx, s2 / sxx},
      1e-10);
  expect_values(r.perr, {2},
                {std::sqrt(s2 * (1.0 / 8 + mean_x * mean_x / sxx)), std::sqrt(s2 / sxx)}, 1e-9);
  EXPECT_EQ(r.dof, 6);
  // Deviations of one half that count as they are.
  const CurveFitResult known = curve_fit(f, x, y, tensor<double>({0, 0}),
                                         {.sigma = full({8}, 0.5, kF64), .absolute_sigma = true});
  EXPECT_NEAR(index(known.pcov, {1, 1}).item(), 0.25 / sxx, 1e-10);
  const CurveFitResult matrix = curve_fit(f, x, y, tensor<double>({0, 0}),
                                          {.sigma = 0.25 * eye(8, kF64), .absolute_sigma = true});
  expect_values(matrix.pcov, {2, 2}, known.pcov.to_vector<double>(), 1e-12);
  // A parameter that does nothing is not determined.
  const CurveFitResult idle =
      curve_fit([](const Tensor& t, const Tensor& p) { return of(p, 0) * t + 0 * of(p, 1); }, x, y,
                tensor<double>({1, 1}));
  EXPECT_TRUE(std::isinf(index(idle.perr, {1}).item()));
  EXPECT_THROW(curve_fit(f, x, y, tensor<double>({0, 0}), {.sigma = zeros({8}, kF64)}), ValueError);
  EXPECT_THROW(curve_fit(f, x, y, tensor<double>({0, 0}), {.sigma = ones({7}, kF64)}), ShapeError);
  EXPECT_THROW(curve_fit(f, mgh::count(7), y, tensor<double>({0, 0})), ShapeError);
  EXPECT_THROW(curve_fit(f, x, line({1, NAN}), tensor<double>({0, 0})), ValueError);
}

}  // namespace
}  // namespace glia::optimize
