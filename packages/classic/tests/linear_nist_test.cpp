// The statistical reference datasets of NIST: certified values for linear regression, univariate
// summaries and analysis of variance, to at least nine digits. Where data have more digits than f64
// holds, the test says how many of the certified ones are left.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/classic/linear_regression.h"
#include "glia/ops.h"
#include "nist_data.h"

namespace glia::classic {
namespace {

Tensor column(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}

// Digits that agree.
double digits(double value, double certified) {
  if (value == certified) return 16;
  const double error = std::abs(value - certified);
  return -std::log10(certified == 0 ? error : error / std::abs(certified));
}

void expect_digits(const std::vector<double>& values, const std::vector<double>& certified,
                   double least, const char* what) {
  ASSERT_EQ(values.size(), certified.size());
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_GE(digits(values[i], certified[i]), least)
        << what << " " << i << ": " << values[i] << " for " << certified[i];
}

struct Certified {
  std::vector<double> params, deviations;
  double residual_deviation, rsquared;
};
void expect_certified(const OLSResults& r, const Certified& c, double least) {
  expect_digits(r.params.to_vector<double>(), c.params, least, "parameter");
  expect_digits(r.bse.to_vector<double>(), c.deviations, least, "deviation");
  EXPECT_GE(digits(std::sqrt(r.scale), c.residual_deviation), least) << r.scale;
  EXPECT_GE(digits(r.rsquared, c.rsquared), least) << r.rsquared;
}

TEST(NistRegression, Norris) {
  const Tensor x = reshape(column(nist::kNorrisX), {-1, 1}), y = column(nist::kNorrisY);
  const OLSResults r = ols(y, x);
  expect_certified(r,
                   {{-0.262323073774029, 1.00211681802045},
                    {0.232818234301152, 0.429796848199937E-03},
                    0.884796396144373,
                    0.999993745883712},
                   12);
  EXPECT_GE(digits(r.fvalue, 5436385.54079785), 11);
  EXPECT_GE(digits(r.ess, 4255954.13232369), 13);
  EXPECT_GE(digits(r.ssr, 26.6173985294224), 13);
}

TEST(NistRegression, Pontius) {
  std::vector<double> x;
  for (int i = 0; i < 40; ++i) x.push_back(150000 * (i % 20 + 1));
  expect_certified(ols_polynomial(column(nist::kPontiusY), column(x), 2),
                   {{0.673565789473684E-03, 0.732059160401003E-06, -0.316081871345029E-14},
                    {0.107938612033077E-03, 0.157817399981659E-09, 0.486652849992036E-16},
                    0.205177424076185E-03,
                    0.999999900178537},
                   12);
}

TEST(NistRegression, WithoutIntercept) {
  std::vector<double> x, y;
  for (int i = 0; i < 11; ++i) x.push_back(60 + i), y.push_back(130 + i);
  const OLSOptions through_zero{.add_constant = false};
  expect_certified(
      ols(column(y), reshape(column(x), {-1, 1}), through_zero),
      {{2.07438016528926}, {0.165289256198347E-01}, 3.56753034006338, 0.999365492298663}, 13);
  expect_certified(
      ols(tensor({3., 4., 4.}), tensor({{4.}, {5.}, {6.}}), through_zero),
      {{0.727272727272727}, {0.420827318078432E-01}, 0.369274472937998, 0.993348115299335}, 13);
}

TEST(NistRegression, Filip) {
  expect_certified(ols_polynomial(column(nist::kFilipY), column(nist::kFilipX), 10),
                   {{-1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372,
                     -354.478233703349, -75.1242017393757, -10.8753180355343, -1.06221498588947,
                     -0.670191154593408E-01, -0.246781078275479E-02, -0.402962525080404E-04},
                    {298.084530995537, 559.779865474950, 466.477572127796, 227.204274477751,
                     71.6478660875927, 15.2897178747400, 2.23691159816033, 0.221624321934227,
                     0.142363763154724E-01, 0.535617408889821E-03, 0.896632837373868E-05},
                    0.334801051324544E-02,
                    0.996727416185620},
                   9);
}

const Certified kLongley{
    {-3482258.63459582, 15.0618722713733, -0.358191792925910E-01, -2.02022980381683,
     -1.03322686717359, -0.511041056535807E-01, 1829.15146461355},
    {890420.383607373, 84.9149257747669, 0.334910077722432E-01, 0.488399681651699,
     0.214274163161675, 0.226073200069370, 455.478499142212},
    304.854073561965,
    0.995479004577296};

TEST(NistRegression, Longley) {
  const Tensor x = reshape(column(nist::kLongleyX), {16, 6}), y = column(nist::kLongleyY);
  const OLSResults r = ols(y, x);
  expect_certified(r, kLongley, 12);
  EXPECT_GE(digits(r.fvalue, 330.285339234588), 12);
  for (const LeastSquaresSolver solver : {LeastSquaresSolver::kQR, LeastSquaresSolver::kSVD}) {
    LinearRegression model({.solver = solver});
    model.fit(x, y);
    EXPECT_EQ(model.rank, 6);
    const double least = solver == LeastSquaresSolver::kQR ? 12 : 9;
    std::vector<double> found{model.intercept.item()};
    for (const double w : model.coef.to_vector<double>()) found.push_back(w);
    expect_digits(found, kLongley.params, least, "parameter");
  }
}

// y = 1 + x + ... + x^5 at x = 0, ..., 20, with 0, 1, 100 and 10,000 times Wampler's disturbances,
// and with x / 10 for x in Wampler2.
TEST(NistRegression, Wampler) {
  constexpr double kDisturbances[] = {759,   -2048, 2048,  -2048, 2523,  -2048, 2048,
                                      -2048, 1838,  -2048, 2048,  -2048, 1838,  -2048,
                                      2048,  -2048, 2523,  -2048, 2048,  -2048, 759};
  std::vector<double> x, exact, tenths;
  for (int i = 0; i <= 20; ++i) {
    double power = 1, sum = 0, part = 0;
    for (int k = 0; k <= 5; ++k, power *= i) {
      sum += power;
      part += power * std::pow(10, 5 - k);
    }
    x.push_back(i);
    exact.push_back(sum);
    tenths.push_back(part / 1e5);
  }
  EXPECT_EQ(exact[20], 3368421);
  const OLSResults first = ols_polynomial(column(exact), column(x), 5);
  expect_digits(first.params.to_vector<double>(), std::vector<double>(6, 1), 13, "Wampler1");
  EXPECT_LT(first.scale, 1e-18);
  EXPECT_EQ(first.rsquared, 1);
  const OLSResults second = ols_polynomial(column(tenths), column(x), 5);
  expect_digits(second.params.to_vector<double>(), {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5}, 11,
                "Wampler2");
  const std::vector<double> deviations{2152.32624678170, 2363.55173469681, 779.343524331583,
                                       101.475507550350, 5.64566512170752, 0.112324854679312};
  const double residual = 2360.14502379268;
  const double rsquared[] = {0.999995559025820, 0.957478440825662, 0.224668921574940E-02};
  double factor = 1;
  for (int set = 0; set < 3; ++set, factor *= 100) {
    std::vector<double> y = exact, scaled = deviations;
    for (int i = 0; i <= 20; ++i) y[i] += factor * kDisturbances[i];
    for (double& d : scaled) d *= factor;
    expect_certified(ols_polynomial(column(y), column(x), 5),
                     {std::vector<double>(6, 1), scaled, residual * factor, rsquared[set]}, 11);
  }
}

// ---- One variable -----------------------------------------------------------------------------

void expect_summary(const std::vector<double>& x, double mean, double deviation,
                    double autocorrelation, double least = 13) {
  const UnivariateStatistics s = describe(column(x));
  EXPECT_GE(digits(s.mean, mean), least) << s.mean;
  EXPECT_GE(digits(s.std, deviation), least) << s.std;
  EXPECT_GE(digits(s.autocorrelation, autocorrelation), least) << s.autocorrelation;
}

// The first digits of pi, by Rabinowitz and Wagon's spigot.
std::vector<double> digits_of_pi(int count) {
  const int length = 10 * (count + 5) / 3 + 1;
  std::vector<int> a(static_cast<size_t>(length), 2);
  std::vector<double> pi;
  int nines = 0, held = -1;
  while (static_cast<int>(pi.size()) < count) {
    int carry = 0;
    for (int i = length - 1; i > 0; --i) {
      const int x = 10 * a[i] + carry * (i + 1);
      a[i] = x % (2 * i + 1);
      carry = x / (2 * i + 1);
    }
    const int x = 10 * a[0] + carry, next = x / 10;
    a[0] = x % 10;
    if (next == 9) {
      ++nines;
      continue;
    }
    const int over = next == 10 ? 1 : 0;
    if (held >= 0) pi.push_back(held + over);
    for (; nines > 0; --nines) pi.push_back(over ? 0 : 9);
    held = over ? 0 : next;
  }
  pi.resize(static_cast<size_t>(count));
  return pi;
}

TEST(NistUnivariate, Observed) {
  expect_summary(nist::kLew, -177.435, 277.332168044316, -0.307304800605679);
  expect_summary(nist::kLottery, 518.958715596330, 291.699727470969, -0.120948622967393);
  // These and the next have digits beyond f64 in their data.
  expect_summary(nist::kMavro, 2.001856, 0.000429123454003053, 0.937989183438248, 12);
  expect_summary(nist::kMichelso, 299.8524, 0.0790105478190518, 0.535199668621283, 12);
  std::vector<double> pi = digits_of_pi(5000);
  EXPECT_EQ(pi[956], 8);
  pi[956] = 3;  // so it stands in NIST's file, to which the certified values belong
  expect_summary(pi, 4.5348, 2.86733906028871, -0.00355099287237972);
}

TEST(NistUnivariate, NumericalAccuracy) {
  expect_summary({10000001, 10000003, 10000002}, 10000002, 1, -0.5, 16);
  const auto numbers = [](double base) {
    std::vector<double> x{base + 0.2};
    for (int i = 0; i < 1000; ++i) x.push_back(base + (i % 2 == 0 ? 0.1 : 0.3));
    return x;
  };
  expect_summary(numbers(1), 1.2, 0.1, -0.999, 14);
  // 1000000.2 and 10000000.2 have 0.1 with 9.6 and 8.1 digits after rounding to f64.
  expect_summary(numbers(1000000), 1000000.2, 0.1, -0.999, 9);
  expect_summary(numbers(10000000), 10000000.2, 0.1, -0.999, 8);
}

// ---- Analysis of variance ---------------------------------------------------------------------

void expect_anova(const AnovaResults& r, const AnovaResults& certified, double least) {
  EXPECT_EQ(r.df_between, certified.df_between);
  EXPECT_EQ(r.df_within, certified.df_within);
  EXPECT_GE(digits(r.ss_between, certified.ss_between), least) << r.ss_between;
  EXPECT_GE(digits(r.ss_within, certified.ss_within), least) << r.ss_within;
  EXPECT_GE(digits(r.ms_between, certified.ms_between), least);
  EXPECT_GE(digits(r.ms_within, certified.ms_within), least);
  EXPECT_GE(digits(r.fvalue, certified.fvalue), least) << r.fvalue;
  EXPECT_GE(digits(r.rsquared, certified.rsquared), least);
  EXPECT_GE(digits(r.residual_std, certified.residual_std), least);
}

std::vector<int64_t> groups_of(int64_t count, int64_t each) {
  std::vector<int64_t> groups;
  for (int64_t i = 0; i < count * each; ++i) groups.push_back(1 + i / each);
  return groups;
}

TEST(NistAnova, Observed) {
  expect_anova(anova_oneway(column(nist::kSiRstv), from_vector(groups_of(5, 5), {25})),
               {.df_between = 4,
                .df_within = 20,
                .ss_between = 5.11462616000000E-02,
                .ss_within = 2.16636560000000E-01,
                .ms_between = 1.27865654000000E-02,
                .ms_within = 1.08318280000000E-02,
                .fvalue = 1.18046237440255E+00,
                .rsquared = 1.90999039051129E-01,
                .residual_std = 1.04076068334656E-01},
               11);
  // Ten digits each, of which the first seven are the same: f64 rounds the differences to 9 digits.
  expect_anova(anova_oneway(column(nist::kAtmWtAg), from_vector(groups_of(2, 24), {48})),
               {.df_between = 1,
                .df_within = 46,
                .ss_between = 3.63834187500000E-09,
                .ss_within = 1.04951729166667E-08,
                .ms_between = 3.63834187500000E-09,
                .ms_within = 2.28155932971014E-10,
                .fvalue = 1.59467335677930E+01,
                .rsquared = 2.57426544538321E-01,
                .residual_std = 1.51048314446410E-05},
               9);
}

// Simon & Lesage 1989: nine groups around base + 0.4, 0.3, 0.5, 0.3, 0.5, ..., whose other members
// are in turn 0.1 below and above.
TEST(NistAnova, SmLs) {
  const int64_t each[] = {21, 201, 2001};
  const AnovaResults certified[] = {{.df_between = 8,
                                     .df_within = 180,
                                     .ss_between = 1.68,
                                     .ss_within = 1.8,
                                     .ms_between = 0.21,
                                     .ms_within = 0.01,
                                     .fvalue = 21,
                                     .rsquared = 4.82758620689655E-01,
                                     .residual_std = 0.1},
                                    {.df_between = 8,
                                     .df_within = 1800,
                                     .ss_between = 16.08,
                                     .ss_within = 18,
                                     .ms_between = 2.01,
                                     .ms_within = 0.01,
                                     .fvalue = 201,
                                     .rsquared = 4.71830985915493E-01,
                                     .residual_std = 0.1},
                                    {.df_between = 8,
                                     .df_within = 18000,
                                     .ss_between = 160.08,
                                     .ss_within = 180,
                                     .ms_between = 20.01,
                                     .ms_within = 0.01,
                                     .fvalue = 2001,
                                     .rsquared = 4.70712773465067E-01,
                                     .residual_std = 0.1}};
  // With six leading digits in common f64 holds 0.1 to 9 digits, with twelve to 3.
  const double base[] = {1, 1e6, 1e12}, least[] = {13, 8.9, 2};
  for (int level = 0; level < 3; ++level)
    for (int size = 0; size < 3; ++size) {
      SCOPED_TRACE("SmLs0" + std::to_string(3 * level + size + 1));
      std::vector<double> y;
      for (int group = 0; group < 9; ++group) {
        const int tenths = group == 0 ? 4 : group % 2 == 1 ? 3 : 5;
        y.push_back(base[level] + tenths / 10.0);
        for (int64_t i = 1; i < each[size]; ++i)
          y.push_back(base[level] + (tenths + (i % 2 == 1 ? -1 : 1)) / 10.0);
      }
      expect_anova(anova_oneway(column(y), from_vector(groups_of(9, each[size]),
                                                       {static_cast<int64_t>(y.size())})),
                   certified[size], least[level]);
    }
}

}  // namespace
}  // namespace glia::classic
