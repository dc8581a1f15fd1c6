// Metrics of groups by hand, mitigation on drawn people and, where they are, on the adult and
// compas sets, private training, and cards. Beside Fairlearn and Opacus: parity/fairlearn_live.py.
#include "glia/fairness/mitigation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/catalogue.h"
#include "glia/classic/compose.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/tree.h"
#include "glia/fairness/metrics.h"
#include "glia/fairness/model_card.h"
#include "glia/fairness/privacy.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/tables/datasets.h"
#include "tests/support/values.h"

namespace glia::fairness {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

Tensor ints(const std::vector<int64_t>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}

// Two groups with other base rates; the second feature gives the group away.
struct People {
  Tensor x, y, group;
};
People people(int64_t n = 2000, uint64_t seed = 1) {
  manual_seed(seed);
  const Tensor group = cast(bernoulli({n}, 0.4), kI64), skill = randn({n}, kF64);
  const Tensor y = cast(skill + 0.9 * (cast(group, kF64) - 0.5) + 0.4 * randn({n}, kF64) > 0, kI64);
  const Tensor x = stack({skill + 0.3 * randn({n}, kF64),
                          cast(group, kF64) + 0.2 * randn({n}, kF64), randn({n}, kF64)},
                         1);
  return {x, y, group};
}

TEST(Metrics, ByHand) {
  const Tensor y = ints({1, 1, 0, 0, 1, 0, 1, 0}), p = ints({1, 0, 0, 1, 1, 0, 0, 0}),
               g = ints({0, 0, 0, 0, 1, 1, 1, 1});
  const MetricFrame frame({{"accuracy", accuracy}, {"tpr", true_positive_rate}, {"n", count}}, y, p,
                          g);
  expect_values(frame.by_group("accuracy"), {2}, {0.5, 0.75});
  expect_values(frame.overall("accuracy"), {}, {0.625});
  expect_values(frame.difference("accuracy"), {}, {0.25});
  expect_values(frame.difference("accuracy", Between::kOverall), {}, {0.125});
  expect_values(frame.ratio("accuracy"), {}, {0.5 / 0.75}, 1e-15);
  expect_values(frame.ratio("accuracy", Between::kOverall), {}, {0.5 / 0.625}, 1e-15);
  expect_values(frame.group_min("n"), {}, {4});
  EXPECT_DOUBLE_EQ(demographic_parity_difference(y, p, g), 0.25);
  EXPECT_DOUBLE_EQ(demographic_parity_ratio(y, p, g), 0.5);
  EXPECT_DOUBLE_EQ(equalized_odds_difference(y, p, g), 0.5);
  EXPECT_DOUBLE_EQ(equalized_odds_ratio(y, p, g), 0);
  EXPECT_DOUBLE_EQ(equal_opportunity_difference(y, p, g), 0);
  EXPECT_DOUBLE_EQ(equal_opportunity_ratio(y, p, g), 1);
  EXPECT_DOUBLE_EQ(false_negative_rate(y, p), 0.5);
  EXPECT_DOUBLE_EQ(true_negative_rate(y, p), 0.75);
  // Weighted, only the second group's last one counts for it.
  EXPECT_DOUBLE_EQ(demographic_parity_difference(
                       y, p, g, {.sample_weight = tensor({1., 1., 1., 1., 0., 0., 0., 1.})}),
                   0.5);
  // Intersections, one of which nobody is of, within controls.
  const Tensor two = stack({g, ints({0, 0, 1, 1, 0, 0, 0, 0})}, 1);
  const MetricFrame cells({{"n", count}}, y, p, two);
  EXPECT_EQ(cells.groups().size(), 4u);
  expect_values(cells.by_group("n"), {4}, {2, 2, 4, std::nan("")});
  const MetricFrame within({{"s", selection_rate}}, y, p, g,
                           {.control_features = ints({0, 1, 0, 1, 0, 1, 0, 1})});
  expect_values(within.difference("s"), {2}, {0, 0.5});
  EXPECT_EQ(within.by_group("s").shape(), (Shape{2, 2}));
  EXPECT_NEAR(calibration_error(ints({1, 0, 1, 0}), tensor({0.9, 0.1, 0.5, 0.5})), 0.05, 1e-12);
  // A group of one person, and of none of a class.
  const MetricFrame one({{"tpr", true_positive_rate}}, ints({0, 1}), ints({1, 1}), ints({0, 1}));
  expect_values(one.by_group("tpr"), {2}, {std::nan(""), 1});
  expect_values(one.difference("tpr"), {}, {0});
}

TEST(Metrics, WhatIsRefused) {
  const Tensor y = ints({1, 0}), g = ints({0, 1});
  EXPECT_NE(message_of<ShapeError>([&] { demographic_parity_difference(y, y, ints({0})); }), "");
  EXPECT_NE(message_of<ValueError>([&] { demographic_parity_difference(y, ints({2, 0}), g); }), "");
  EXPECT_NE(message_of<ValueError>([&] {
              demographic_parity_difference(y, y, tensor({0.5, 1.0}));
            }),
            "");
  EXPECT_NE(message_of<ValueError>([&] { MetricFrame({{"a", count}}, y, y, g).overall("b"); }), "");
  EXPECT_NE(message_of<ShapeError>([&] {
              MetricFrame({{"a", count}}, ints({}), ints({}), ints({}));
            }),
            "");
}

TEST(Mitigation, BeforeTraining) {
  const People all = people();
  const Tensor w = reweighing(all.y, all.group);
  EXPECT_NEAR(mean(w).item(), 1, 1e-12);
  // With the weights both groups have one base rate.
  const auto rate = [&](int64_t g) {
    const Tensor in = cast(all.group == g, kF64) * w;
    return (sum(in * cast(all.y, kF64)) / sum(in)).item();
  };
  EXPECT_NEAR(rate(0), rate(1), 1e-12);
  CorrelationRemover remover;
  remover.fit(all.x, all.group);
  const Tensor clean = remover.transform(all.x, all.group);
  const Tensor g = cast(all.group, kF64) - mean(cast(all.group, kF64));
  EXPECT_LT(max(abs(matmul(g, clean - mean(clean, {0})))).item(), 1e-8);
  expect_same(CorrelationRemover(0).fit(all.x, all.group).transform(all.x, all.group), all.x,
              1e-12);
  EXPECT_NE(message_of([&] { CorrelationRemover().transform(all.x, all.group); }), "");
}

TEST(Mitigation, ReductionsKeepTheBound) {
  const People all = people();
  const auto gap = [&](Constraint constraint, const Tensor& p) {
    double worst = 0;
    for (int64_t event = 0; event < 2; ++event) {
      Tensor in = ones_like(all.y) == 1;
      if (constraint == Constraint::kEqualizedOdds) in = all.y == event;
      const auto rate = [&](int64_t g) {
        const Tensor here = cast(in & (all.group == g), kF64);
        return (sum(here * p) / sum(here)).item();
      };
      worst = std::max(worst, std::abs(rate(0) - rate(1)));
    }
    return worst;
  };
  classic::LogisticRegression plain;
  plain.fit(all.x, all.y);
  const double before = plain.score(all.x, all.y);
  for (const auto constraint : {Constraint::kDemographicParity, Constraint::kEqualizedOdds}) {
    ExponentiatedGradient fair(classic::LogisticRegression(), {.constraint = constraint});
    fair.fit(all.x, all.y, all.group);
    const Tensor p = fair.predict_proba(all.x);
    EXPECT_GT(gap(constraint, cast(plain.predict(all.x), kF64)), 0.09);
    EXPECT_LT(gap(constraint, p), 0.05);
    const Tensor right = where(all.y == 1, p, 1 - p);
    EXPECT_GT(mean(right).item(), before - 0.16);
    double total = 0;
    for (double w : fair.weights) total += w;
    EXPECT_NEAR(total, 1, 1e-12);
    const Tensor drawn = fair.predict(all.x, 7);
    EXPECT_NEAR(mean(cast(drawn, kF64)).item(), mean(p).item(), 0.05);
    expect_same(drawn, fair.predict(all.x, 7));
  }
  EXPECT_NE(message_of([&] { ExponentiatedGradient(plain).predict(all.x); }), "");
  EXPECT_NE(message_of([&] { ExponentiatedGradient(plain).fit(all.x, all.y * 2, all.group); }), "");
}

TEST(Mitigation, ThresholdsKeepTheConstraint) {
  const People all = people(), fresh = people(4000, 2);
  classic::LogisticRegression model;
  model.fit(all.x, all.y);
  const auto scores = [&](const Tensor& x) { return index(model.predict_proba(x), {Slice{}, 1}); };
  for (const auto constraint :
       {Constraint::kDemographicParity, Constraint::kEqualizedOdds,
        Constraint::kTruePositiveRateParity, Constraint::kFalsePositiveRateParity}) {
    ThresholdOptimizer fair({.constraint = constraint});
    fair.fit(scores(all.x), all.y, all.group);
    const Tensor p = fair.predict_proba(scores(all.x), all.group);
    const auto rate = [&](int64_t g, const Tensor& in) {
      const Tensor here = cast(in & (all.group == g), kF64);
      return (sum(here * p) / sum(here)).item();
    };
    const Tensor any = all.y >= 0;
    if (constraint == Constraint::kDemographicParity) {
      EXPECT_NEAR(rate(0, any), rate(1, any), 1e-9);
      EXPECT_NEAR(rate(0, any), fair.x_best, 1e-9);
    } else if (constraint != Constraint::kFalsePositiveRateParity) {
      EXPECT_NEAR(rate(0, all.y == 1), rate(1, all.y == 1), 1e-9);
    }
    if (constraint == Constraint::kEqualizedOdds ||
        constraint == Constraint::kFalsePositiveRateParity)
      EXPECT_NEAR(rate(0, all.y == 0), rate(1, all.y == 0), 1e-9);
    const Tensor drawn = fair.predict(scores(fresh.x), fresh.group, 3);
    if (constraint == Constraint::kDemographicParity)
      EXPECT_LT(demographic_parity_difference(fresh.y, drawn, fresh.group), 0.08);
    EXPECT_NE(message_of<ValueError>([&] { fair.predict_proba(tensor({0.5}), ints({9})); }), "");
  }
  EXPECT_NE(message_of<ValueError>([&] {
              ThresholdOptimizer().fit(tensor({0.1, 0.2}), ints({1, 1}), ints({0, 0}));
            }).find("one class"),
            std::string::npos);
}

TEST(Mitigation, AdversariesTakeTheGroupAway) {
  const People all = people(1500);
  const Tensor x = cast(all.x, kF32);
  const auto trained = [&](double alpha, bool adversarial) {
    manual_seed(1);
    nn::Linear predictor(3, 1), adversary(1, 2);
    adversarial_debiasing(
        predictor, [&](const Tensor& t) { return predictor(t); }, adversary,
        [&](const Tensor& t) { return adversarial ? adversary(t) : adversary(t * 0); }, x, all.y,
        all.group, {.alpha = alpha, .epochs = 8, .batch_size = 50, .lr = 0.01});
    return cast(squeeze(predictor(x), 1) > 0, kI64);
  };
  const Tensor plain = trained(0, false), fair = trained(2, true);
  const double before = demographic_parity_difference(all.y, plain, all.group),
               after = demographic_parity_difference(all.y, fair, all.group);
  EXPECT_GT(before, 0.2);
  EXPECT_LT(after, before / 2);
  EXPECT_GT(accuracy(all.y, fair), accuracy(all.y, plain) - 0.15);
}

// The bar: a gap below 0.05 for at most two points of accuracy, on people that were not trained on.
TEST(Mitigation, OfAdult) {
  tables::Table train, test;
  try {
    train = tables::adult(data::Train);
    test = tables::adult(data::Test);
  } catch (const IoError& missing) {
    GTEST_SKIP() << missing.what();
  }
  classic::ColumnCodes codes;
  codes.fit(train, {"income"});
  auto columns = classic::table_columns(codes);
  const Tensor x = columns.fit_transform(codes.transform(train)),
               x_test = columns.transform(codes.transform(test));
  const auto income = [](const tables::Table& t) {
    std::vector<int64_t> y;
    const auto& c = t.column("income");
    for (int64_t i = 0; i < t.rows(); ++i) y.push_back(c.text(i).starts_with(">"));
    return ints(y);
  };
  const auto sex = [](const tables::Table& t) {
    std::vector<int64_t> s;
    const auto& c = t.column("sex");
    for (int64_t i = 0; i < t.rows(); ++i) s.push_back(c.text(i) == "Male");
    return ints(s);
  };
  const Tensor y = income(train), y_test = income(test);
  classic::LogisticRegression model({.max_iter = 50});
  model.fit(x, y);
  const auto score = [&](const Tensor& t) { return index(model.predict_proba(t), {Slice{}, 1}); };
  const Tensor plain = model.predict(x_test);
  ThresholdOptimizer fair({.tol = 0.04});
  fair.fit(score(x), y, sex(train));
  const Tensor p = fair.predict(score(x_test), sex(test), 1);
  const double before = demographic_parity_difference(y_test, plain, sex(test)),
               after = demographic_parity_difference(y_test, p, sex(test));
  std::printf("adult: gap %.4f -> %.4f, accuracy %.4f -> %.4f\n", before, after,
              accuracy(y_test, plain), accuracy(y_test, p));
  EXPECT_GT(before, 0.15);
  EXPECT_LT(after, 0.05);
  EXPECT_GT(accuracy(y_test, p), accuracy(y_test, plain) - 0.02);
}

// Equalised odds between races: what ProPublica's figures were about.
TEST(Mitigation, OfCompas) {
  tables::Table table;
  try {
    table = tables::compas();
  } catch (const IoError& missing) {
    GTEST_SKIP() << missing.what();
  }
  std::vector<std::string> without = {"two_year_recid"};
  for (const auto& set : tables::table_sets())
    if (set.name == "compas") without.insert(without.end(), set.without.begin(), set.without.end());
  classic::ColumnCodes codes;
  codes.fit(table, without);
  auto columns = classic::table_columns(codes);
  const Tensor x = columns.fit_transform(codes.transform(table));
  const Tensor y = cast(table.column("two_year_recid").to_tensor(), kI64);
  std::vector<int64_t> races;
  const auto& race = table.column("race");
  for (int64_t i = 0; i < table.rows(); ++i)
    races.push_back(race.text(i) == "African-American" ? 0 : race.text(i) == "Caucasian" ? 1 : 2);
  const Tensor group = ints(races);
  // Every third row is held out.
  const Tensor third = remainder(arange(table.rows()), 3) == 0;
  const Tensor rows = reshape(nonzero(~third), {-1}), held = reshape(nonzero(third), {-1});
  classic::LogisticRegression model({.max_iter = 60});
  model.fit(take(x, rows), take(y, rows));
  const auto score = [&](const Tensor& at) {
    return index(model.predict_proba(take(x, at)), {Slice{}, 1});
  };
  const Tensor plain = model.predict(take(x, held)), truth = take(y, held), of = take(group, held);
  ThresholdOptimizer fair({.constraint = Constraint::kEqualizedOdds});
  fair.fit(score(rows), take(y, rows), take(group, rows));
  const Tensor said = fair.predict(score(held), of, 1);
  const double before = equalized_odds_difference(truth, plain, of),
               after = equalized_odds_difference(truth, said, of);
  std::printf("compas: odds apart by %.4f -> %.4f, accuracy %.4f -> %.4f\n", before, after,
              accuracy(truth, plain), accuracy(truth, said));
  EXPECT_GT(before, 0.15);
  EXPECT_LT(after, before / 2);
  EXPECT_GT(accuracy(truth, said), accuracy(truth, plain) - 0.06);
}

// ---- Privacy ------------------------------------------------------------------------------------

TEST(Privacy, GradientsAreClippedAndNoisy) {
  manual_seed(3);
  nn::Linear model(4, 2);
  const Tensor x = randn({6, 4}) * 10, y = randint(0, 2, {6});
  const auto loss = [&](const std::vector<Tensor>& one) {
    return cross_entropy(unsqueeze(model(one[0]), 0), unsqueeze(one[1], 0));
  };
  // Far below the norm nothing is clipped: it is the mean's gradient.
  const auto whole = private_gradients(
      model, loss, {x, y}, {.noise_multiplier = 0, .max_grad_norm = 1e6, .expected_batch_size = 6});
  const auto exact = gradients(cross_entropy(model(x), y), model.parameters());
  for (size_t i = 0; i < exact.size(); ++i) expect_same(whole[i], exact[i], 1e-5);
  const auto norm = [](const std::vector<Tensor>& g) {
    double total = 0;
    for (const Tensor& t : g) total += sum(square(t)).item();
    return std::sqrt(total);
  };
  // One example's share is at most the norm, whatever it is.
  const auto one =
      private_gradients(model, loss, {slice(x, 0, {0, 1}) * 1e3, slice(y, 0, {0, 1})},
                        {.noise_multiplier = 0, .max_grad_norm = 0.5, .expected_batch_size = 1});
  EXPECT_LE(norm(one), 0.5 + 1e-6);
  // Of nothing it is noise of that deviation.
  double squares = 0;
  for (int i = 0; i < 200; ++i)
    squares +=
        std::pow(norm(private_gradients(
                     model, loss, {slice(x, 0, {0, 0}), slice(y, 0, {0, 0})},
                     {.noise_multiplier = 2, .max_grad_norm = 0.5, .expected_batch_size = 4})),
                 2);
  EXPECT_NEAR(std::sqrt(squares / 200 / 10), 0.25, 0.02);
  EXPECT_NE(message_of<ValueError>([&] { private_gradients(model, loss, {x, y}, {}); }), "");
  EXPECT_NEAR(static_cast<double>(poisson_sample(10000, 0.1, 1, 2).size(0)), 1000, 120);
}

TEST(Privacy, Accountant) {
  // Without sampling it is the Gaussian mechanism; the two forms agree between whole orders.
  EXPECT_DOUBLE_EQ(sampled_gaussian_rdp(1, 2, 8), 1);
  EXPECT_EQ(sampled_gaussian_rdp(0, 2, 8), 0);
  EXPECT_NEAR(sampled_gaussian_rdp(0.01, 1.1, 8 + 1e-7), sampled_gaussian_rdp(0.01, 1.1, 8), 1e-7);
  EXPECT_GT(sampled_gaussian_rdp(0.01, 1.1, 8.5), sampled_gaussian_rdp(0.01, 1.1, 8));
  RdpAccountant once, twice;
  once.step(1.1, 0.01, 1000);
  for (int i = 0; i < 10; ++i) twice.step(1.1, 0.01, 100);
  double alpha = 0;
  EXPECT_DOUBLE_EQ(once.epsilon(1e-5, default_alphas(), &alpha), twice.epsilon(1e-5));
  EXPECT_GT(alpha, 1);
  EXPECT_EQ(RdpAccountant().epsilon(1e-5), 0);
  const double sigma = noise_multiplier_for(2, 1e-5, 0.01, 1000);
  RdpAccountant check;
  check.step(sigma, 0.01, 1000);
  EXPECT_LE(check.epsilon(1e-5), 2);
  EXPECT_GT(check.epsilon(1e-5), 1.98);
  EXPECT_NE(message_of<ValueError>([&] { once.epsilon(0); }), "");
  EXPECT_NE(message_of<ValueError>([&] { once.step(-1, 0.1); }), "");
}

TEST(Privacy, AttackersFindWhatWasLearntByHeart) {
  manual_seed(6);
  const auto attack = membership_inference(abs(randn({500})) * 0.1, abs(randn({500})));
  EXPECT_GT(attack.auc, 0.85);
  EXPECT_GT(attack.advantage, 0.5);
  const auto none = membership_inference(abs(randn({2000})), abs(randn({2000})));
  EXPECT_NEAR(none.auc, 0.5, 0.03);
  // Hard and easy examples: only what their own shadow models say tells.
  const Tensor hard = linspace(0.05, 3, 200, kF64), member = cast(randint(0, 2, {200}), kF64);
  const auto losses = [&](const Tensor& in) {
    return hard * (1 - 0.5 * in) * exp(0.05 * randn(in.shape(), kF64));
  };
  Tensor shadows = cast(randint(0, 2, {16, 200}), kF64);
  shadows =
      index_update(shadows, {Slice{0, 4}}, expand(tensor({{0.}, {0.}, {1.}, {1.}}), {4, 200}));
  const Tensor score = likelihood_ratio_attack(losses(member), losses(shadows), shadows);
  const Tensor right = cast((score > 0) == (member > 0.5), kF64);
  EXPECT_GT(mean(right).item(), 0.95);
  EXPECT_NE(message_of<ValueError>([&] {
              likelihood_ratio_attack(losses(member), losses(shadows), zeros_like(shadows));
            }),
            "");
}

TEST(Cards, SayWhatIsMissing) {
  ModelCard card;
  card.name = "income";
  card.intended_use = "Teaching.";
  card.metrics = {{"accuracy", 0.8512}};
  const std::string text = to_markdown(card);
  EXPECT_NE(text.find("# Model card: income"), std::string::npos);
  EXPECT_NE(text.find("Teaching."), std::string::npos);
  EXPECT_NE(text.find("0.8512"), std::string::npos);
  EXPECT_NE(text.find("## Training data\n\nNot stated."), std::string::npos);
  const People all = people(300);
  const MetricFrame frame({{"selection rate", selection_rate}, {"accuracy", accuracy}}, all.y,
                          all.y, all.group);
  card.sections = fairness_sections(frame, {"selection rate", "accuracy"}, {"women", "men"});
  EXPECT_NE(report::to_html(to_report(card)).find("women"), std::string::npos);
  DataSheet sheet{.name = "people", .numbers = {{"rows", "300"}}};
  EXPECT_NE(to_markdown(sheet).find("## Collection\n\nNot stated."), std::string::npos);
  EXPECT_NE(report::to_html(to_report(sheet)).find("people"), std::string::npos);
  EXPECT_NE(message_of([&] { fairness_sections(frame, {"accuracy"}, {"one"}); }), "");
}

}  // namespace
}  // namespace glia::fairness
