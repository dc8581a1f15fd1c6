// Summaries and the analysis of variance: NIST's Statistical Reference Datasets, and faults.
#include "glia/math/statistics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/math/nist_statistics.h"
#include "tests/support/values.h"

namespace glia::statistics {
namespace {

Tensor line(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}

// The digits that agree, of 15 that NIST certifies.
double digits(double value, double certified) {
  const double error = std::abs(value - certified) / (certified == 0 ? 1 : std::abs(certified));
  return error == 0 ? 15 : std::clamp(-std::log10(error), 0.0, 15.0);
}

// The first `count` digits of pi (the spigot of Rabinowitz & Wagon 1995).
std::vector<double> pi_digits(size_t count) {
  std::vector<int> a(count * 10 / 3 + 50, 2);
  std::vector<double> out;
  int nines = 0, held = -1;
  while (out.size() < count) {
    int carry = 0;
    for (size_t i = a.size(); i-- > 0;) {
      const int x = 10 * a[i] + carry * static_cast<int>(i + 1),
                below = static_cast<int>(2 * i + 1);
      a[i] = i == 0 ? x % 10 : x % below;
      carry = i == 0 ? x / 10 : x / below;
    }
    if (carry == 9) {
      ++nines;
      continue;
    }
    if (held >= 0) out.push_back(held + carry / 10);
    for (; nines > 0; --nines) out.push_back(carry >= 10 ? 0 : 9);
    held = carry % 10;
  }
  out.resize(count);
  return out;
}
std::vector<double> alternating(double first, double a, double b, int count) {
  std::vector<double> x{first};
  for (int i = 1; i < count; ++i) x.push_back(i % 2 ? a : b);
  return x;
}

TEST(Nist, UnivariateSummaries) {
  struct Set {
    const char* name;
    std::vector<double> x;
    double mean, std, autocorrelation;
    double least;  // digits that f64 has of data as they are rounded
  };
  std::vector<double> digits_of_pi = pi_digits(5000);
  ASSERT_EQ(digits_of_pi[956], 8);
  digits_of_pi[956] = 3;  // as NIST's data have it
  ASSERT_EQ(std::vector<double>(digits_of_pi.begin(), digits_of_pi.begin() + 6),
            (std::vector<double>{3, 1, 4, 1, 5, 9}));
  const std::vector<Set> sets{
      {"PiDigits", digits_of_pi, 4.5348, 2.86733906028871, -0.00355099287237972, 13},
      {"Lottery", nist::kLottery, 518.95871559633, 291.699727470969, -0.120948622967393, 14},
      {"Lew", nist::kLew, -177.435, 277.332168044316, -0.307304800605679, 14},
      {"Mavro", nist::kMavro, 2.001856, 0.000429123454003053, 0.937989183438248, 12},
      {"Michelso", nist::kMichelso, 299.8524, 0.0790105478190518, 0.535199668621283, 13},
      {"NumAcc1", {10000001, 10000003, 10000002}, 10000002, 1, -0.5, 15},
      {"NumAcc2", alternating(1.2, 1.1, 1.3, 1001), 1.2, 0.1, -0.999, 14},
      {"NumAcc3", alternating(1000000.2, 1000000.1, 1000000.3, 1001), 1000000.2, 0.1, -0.999, 9},
      {"NumAcc4", alternating(10000000.2, 10000000.1, 10000000.3, 1001), 10000000.2, 0.1, -0.999,
       8}};
  fmt::print("{:10}{:>8}{:>8}{:>8}\n", "set", "mean", "sd", "r1");
  for (const Set& s : sets) {
    const DescribeResult r = describe(line(s.x));
    const double m = digits(r.mean, s.mean), sd = digits(r.std, s.std),
                 r1 = digits(autocorrelation(line(s.x)), s.autocorrelation);
    fmt::print("{:10}{:>8.1f}{:>8.1f}{:>8.1f}\n", s.name, m, sd, r1);
    EXPECT_GE(m, 14.5) << s.name;
    EXPECT_GE(sd, s.least) << s.name;
    EXPECT_GE(r1, s.least - 1.5) << s.name;
  }
}

TEST(Nist, AnalysisOfVariance) {
  // Simon & Lesage 1989: nine treatments, each a value and then alternating ones 0.1 below and
  // above.
  const auto generated = [](double lead, int count) {
    std::vector<std::vector<double>> all;
    for (int tenths : {4, 3, 5, 3, 5, 3, 5, 3, 5}) {
      const auto value = [&](int k) { return std::stod(fmt::format("{:.0f}.{}", lead, k)); };
      all.push_back(alternating(value(tenths), value(tenths - 1), value(tenths + 1), count));
    }
    return all;
  };
  struct Set {
    std::string name;
    std::vector<std::vector<double>> groups;
    double f, r_squared, residual_std, ss_between, ss_within;
    double least;  // digits that f64 has of data as they are rounded
  };
  std::vector<Set> sets{{"AtmWtAg", nist::kAtmWtAg, 15.9467335677930, 0.257426544538321,
                         1.51048314446410e-5, 3.638341875e-9, 1.04951729166667e-8, 8},
                        {"SiRstv", nist::kSiRstv, 1.18046237440255, 0.190999039051129,
                         0.104076068334656, 0.0511462616, 0.21663656, 12}};
  int number = 1;
  for (const auto& [lead, least] : {std::pair{1.0, 13.0}, {1e6, 8.0}, {1e12, 2.0}}) {
    for (int count : {21, 201, 2001}) {
      const auto n = static_cast<double>(count);
      // F = count, between 0.08 count, within 0.09 (count - 1), as certified.
      sets.push_back({fmt::format("SmLs{:02}", number++), generated(lead, count), n,
                      0.08 * n / (0.08 * n + 0.09 * (n - 1)), 0.1, 0.08 * n, 0.09 * (n - 1),
                      least});
    }
  }
  fmt::print("{:10}{:>8}{:>8}{:>8}\n", "set", "F", "R^2", "sd");
  for (const Set& s : sets) {
    std::vector<Tensor> samples;
    for (const auto& g : s.groups) samples.push_back(line(g));
    const AnovaResult r = f_oneway(samples);
    const double f = digits(r.statistic, s.f), r2 = digits(r.r_squared, s.r_squared),
                 sd = digits(r.residual_std, s.residual_std);
    fmt::print("{:10}{:>8.1f}{:>8.1f}{:>8.1f}\n", s.name, f, r2, sd);
    for (double d :
         {f, r2, sd, digits(r.ss_between, s.ss_between), digits(r.ss_within, s.ss_within)})
      EXPECT_GE(d, s.least) << s.name;
    EXPECT_EQ(r.df_between, static_cast<int64_t>(s.groups.size()) - 1);
  }
}

TEST(Statistics, ValuesAndFaults) {
  const DescribeResult r = describe(tensor<double>({{1, 2}, {4, 9}}));
  EXPECT_EQ(r.nobs, 4);
  EXPECT_EQ(r.min, 1);
  EXPECT_EQ(r.max, 9);
  EXPECT_DOUBLE_EQ(r.mean, 4);
  EXPECT_DOUBLE_EQ(r.variance, 38.0 / 3);
  EXPECT_NEAR(r.skewness, (-27 - 8 + 0 + 125) / 4.0 / std::pow(9.5, 1.5), 1e-14);
  EXPECT_NEAR(r.kurtosis, (81 + 16 + 625) / 4.0 / (9.5 * 9.5) - 3, 1e-14);
  EXPECT_TRUE(std::isnan(describe(tensor<double>({5})).variance));
  EXPECT_TRUE(std::isnan(describe(tensor<double>({5, 5, 5})).skewness));
  // R: summary(aov(...)) of three groups, F = 9.3 with p = 0.00227 (Wikipedia's example).
  const AnovaResult a =
      f_oneway({tensor<double>({6, 8, 4, 5, 3, 4}), tensor<double>({8, 12, 9, 11, 6, 8}),
                tensor<double>({13, 9, 11, 8, 7, 12})});
  EXPECT_NEAR(a.statistic, 42 / (68.0 / 15), 1e-13);
  EXPECT_NEAR(a.pvalue, 0.002398777329393, 1e-14);
  EXPECT_DOUBLE_EQ(a.ss_between, 84);
  EXPECT_DOUBLE_EQ(a.ss_within, 68);
  EXPECT_EQ(f_oneway({tensor<double>({1, 1}), tensor<double>({2, 2})}).pvalue, 0);
  EXPECT_TRUE(std::isnan(f_oneway({tensor<double>({1, 1}), tensor<double>({1, 1})}).pvalue));
  EXPECT_THROW(f_oneway({tensor<double>({1, 2})}), ShapeError);
  EXPECT_THROW(f_oneway({tensor<double>({1}), tensor<double>({2})}), ValueError);
  EXPECT_THROW(f_oneway({tensor<double>({1, NAN}), tensor<double>({2})}), ValueError);
  EXPECT_THROW(f_oneway({tensor<double>({1, 2}), zeros({0}, kF64)}), ValueError);
  EXPECT_THROW(describe(zeros({0})), ValueError);
  EXPECT_THROW(describe({}), ShapeError);
  EXPECT_THROW(autocorrelation(tensor<double>({1, 2}), 2), ValueError);
  EXPECT_THROW(autocorrelation(tensor<double>({1, 2}), -1), ValueError);
  EXPECT_THROW(autocorrelation(tensor<double>({{1, 2}})), ShapeError);
}

}  // namespace
}  // namespace glia::statistics
