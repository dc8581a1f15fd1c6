// NIST's Statistical Reference Datasets of nonlinear regression: 27 sets, from both starts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "glia/math/least_squares.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "tests/math/nist_nonlinear.h"

namespace glia {
namespace {

using nist::Nonlinear;
using optimize::curve_fit;
using optimize::CurveFunction;

Tensor at(const Tensor& b, int64_t i) { return index(b, {i - 1}); }  // from 1, as NIST counts

CurveFunction model_of(const std::string& name) {
  constexpr double kPi = std::numbers::pi;
  if (name == "Bennett5")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * pow(at(b, 2) + x, -1 / at(b, 3));
    };
  if (name == "BoxBOD" || name == "Misra1a")
    return [](const Tensor& x, const Tensor& b) { return at(b, 1) * (1 - exp(-at(b, 2) * x)); };
  if (name == "Chwirut1" || name == "Chwirut2")
    return [](const Tensor& x, const Tensor& b) {
      return exp(-at(b, 1) * x) / (at(b, 2) + at(b, 3) * x);
    };
  if (name == "DanWood")
    return [](const Tensor& x, const Tensor& b) { return at(b, 1) * pow(x, at(b, 2)); };
  if (name == "Eckerle4")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) / at(b, 2) * exp(-0.5 * square((x - at(b, 3)) / at(b, 2)));
    };
  if (name == "ENSO")
    return [](const Tensor& x, const Tensor& b) {
      const Tensor year = 2 * kPi * x / 12, first = 2 * kPi * x / at(b, 4),
                   second = 2 * kPi * x / at(b, 7);
      return at(b, 1) + at(b, 2) * cos(year) + at(b, 3) * sin(year) + at(b, 5) * cos(first) +
             at(b, 6) * sin(first) + at(b, 8) * cos(second) + at(b, 9) * sin(second);
    };
  if (name.starts_with("Gauss"))
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * exp(-at(b, 2) * x) + at(b, 3) * exp(-square((x - at(b, 4)) / at(b, 5))) +
             at(b, 6) * exp(-square((x - at(b, 7)) / at(b, 8)));
    };
  if (name == "Hahn1" || name == "Thurber")
    return [](const Tensor& x, const Tensor& b) {
      return (at(b, 1) + x * (at(b, 2) + x * (at(b, 3) + x * at(b, 4)))) /
             (1 + x * (at(b, 5) + x * (at(b, 6) + x * at(b, 7))));
    };
  if (name == "Kirby2")
    return [](const Tensor& x, const Tensor& b) {
      return (at(b, 1) + x * (at(b, 2) + x * at(b, 3))) / (1 + x * (at(b, 4) + x * at(b, 5)));
    };
  if (name.starts_with("Lanczos"))
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * exp(-at(b, 2) * x) + at(b, 3) * exp(-at(b, 4) * x) +
             at(b, 5) * exp(-at(b, 6) * x);
    };
  if (name == "MGH09")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * (x * (x + at(b, 2))) / (x * (x + at(b, 3)) + at(b, 4));
    };
  if (name == "MGH10")
    return
        [](const Tensor& x, const Tensor& b) { return at(b, 1) * exp(at(b, 2) / (x + at(b, 3))); };
  if (name == "MGH17")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) + at(b, 2) * exp(-x * at(b, 4)) + at(b, 3) * exp(-x * at(b, 5));
    };
  if (name == "Misra1b")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * (1 - pow(1 + at(b, 2) * x / 2, -2));
    };
  if (name == "Misra1c")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * (1 - pow(1 + 2 * at(b, 2) * x, -0.5));
    };
  if (name == "Misra1d")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) * at(b, 2) * x / (1 + at(b, 2) * x);
    };
  if (name == "Nelson")
    return [](const Tensor& x, const Tensor& b) {
      const Tensor x1 = index(x, {Ellipsis, 0}), x2 = index(x, {Ellipsis, 1});
      return at(b, 1) - at(b, 2) * x1 * exp(-at(b, 3) * x2);
    };
  if (name == "Rat42")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) / (1 + exp(at(b, 2) - at(b, 3) * x));
    };
  if (name == "Rat43")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) / pow(1 + exp(at(b, 2) - at(b, 3) * x), 1 / at(b, 4));
    };
  if (name == "Roszman1")
    return [](const Tensor& x, const Tensor& b) {
      return at(b, 1) - at(b, 2) * x - atan(at(b, 3) / (x - at(b, 4))) / kPi;
    };
  ADD_FAILURE() << name;
  return {};
}

Tensor line(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}

// The digits that agree: NIST certifies 11.
double digits(double value, double certified) {
  const double error = std::abs(value - certified) / std::abs(certified);
  return error == 0 ? 11 : std::clamp(-std::log10(error), 0.0, 11.0);
}
double digits(const Tensor& values, const std::vector<double>& certified) {
  double least = 11;
  const std::vector<double> all = values.to_vector<double>();
  for (size_t i = 0; i < all.size(); ++i) least = std::min(least, digits(all[i], certified[i]));
  return least;
}

TEST(Nist, NonlinearRegressionFromBothStarts) {
  fmt::print("{:10}{:>9}{:>7}{:>7}{:>7}{:>8}{:>7}\n", "set", "level", "start", "b", "sd", "rss",
             "nfev");
  ASSERT_EQ(nist::nonlinear().size(), 27u);
  for (const Nonlinear& set : nist::nonlinear()) {
    Tensor x = line(set.x), y = line(set.y);
    if (set.name == "Nelson") {
      x = reshape(x, {y.size(0), 2});
      y = log(y);
    }
    for (int start : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} from start {}", set.name, start));
      const auto fit =
          curve_fit(model_of(set.name), x, y, line(start == 1 ? set.start1 : set.start2),
                    {.ftol = 0, .xtol = 1e-15, .gtol = 1e-15, .max_nfev = 20000});
      const double of_b = digits(fit.popt, set.certified), of_sd = digits(fit.perr, set.deviations),
                   of_rss = digits(fit.rss, set.rss);
      fmt::print("{:10}{:>9}{:>7}{:>7.1f}{:>7.1f}{:>8.1f}{:>7}\n", set.name, set.level, start, of_b,
                 of_sd, of_rss, fit.nfev);
      // What rounding of the model's values leaves of residuals: those of Lanczos1, whose data have
      // 14 digits, are little else.
      const double scale = std::sqrt(sum(square(y)).item()), residual = std::sqrt(set.rss);
      const double attainable =
          -std::log10(4 * std::numeric_limits<double>::epsilon() * scale / residual);
      EXPECT_GE(of_b, 9);
      EXPECT_GE(of_sd, std::min(9.0, attainable));
      EXPECT_GE(of_rss, std::min(10.0, attainable));
    }
  }
}

}  // namespace
}  // namespace glia
