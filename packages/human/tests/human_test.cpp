// Queries, weak labels, preferences and deferral on cases whose answers are known; labels needed on
// real digits, where they are.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "glia/autodiff.h"
#include "glia/catalogue.h"
#include "glia/classic/linear_model.h"
#include "glia/data.h"
#include "glia/human/active.h"
#include "glia/human/preferences.h"
#include "glia/human/weak_labels.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::human {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

TEST(Active, Scores) {
  const Tensor p = tensor({{0.5, 0.5, 0.0}, {1.0, 0.0, 0.0}, {0.5, 0.3, 0.2}});
  expect_values(uncertainty(p), {3}, {0.5, 0, 0.5}, 1e-12);
  expect_values(margin(p), {3}, {1, 0, 0.8}, 1e-12);
  expect_values(entropy(p), {3}, {std::log(2.0), 0, 1.0296530140645737}, 1e-12);
  // Members that agree on a coin tell nothing; that are sure of the opposite, a bit.
  const Tensor same = expand(tensor({{0.5, 0.5}}), {2, 1, 2}),
               opposite = stack({tensor({{1.0, 0.0}}), tensor({{0.0, 1.0}})});
  expect_values(bald(same), {1}, {0}, 1e-12);
  expect_values(bald(opposite), {1}, {std::log(2.0)}, 1e-12);
  expect_values(vote_entropy(opposite), {1}, {std::log(2.0)}, 1e-12);
  expect_values(most_informative(margin(p), 2), {2}, {0, 2});
  EXPECT_NE(message_of<ValueError>([&] { most_informative(margin(p), 4); }), "");
  EXPECT_NE(message_of<ShapeError>([&] { margin(tensor({0.5})); }), "");
}

TEST(Active, BatchesSpread) {
  const Tensor pool = tensor({{0.0, 0.0}, {0.1, 0.0}, {5.0, 0.0}, {0.0, 9.0}, {0.0, 9.1}});
  expect_values(k_center_greedy(pool, tensor({{0.0, 0.0}}), 2), {2}, {4, 2});
  EXPECT_EQ(k_center_greedy(pool, zeros({0, 2}, kF64), 5).size(0), 5);
  const Tensor first = ranked_batch(zeros({5}, kF64), pool, tensor({{0.0, 0.0}}), 2);
  expect_values(first, {2}, {4, 2});
  const auto chosen = badge(full({5, 2}, 0.5, kF64), pool, 5).to_vector<int64_t>();
  EXPECT_EQ(std::set<int64_t>(chosen.begin(), chosen.end()).size(), 5u);
  EXPECT_EQ(badge(full({3, 2}, 0.5, kF64), ones({3, 2}, kF64), 3).size(0), 3);  // all the same
}

TEST(Active, NeedsFewerLabelsThanChance) {
  // Three classes, of which two are told apart by few samples near their border alone.
  manual_seed(4);
  const auto draw = [](int64_t n) {
    const Tensor x = randn({n, 2}, kF64) * 2;
    const Tensor side = cast(index(x, {Slice{}, 0}) > 0.3 * index(x, {Slice{}, 1}), kI64),
                 high = cast(index(x, {Slice{}, 1}) > 3.5, kI64);
    return std::pair{x, side + high};
  };
  const auto [x, y] = draw(800);
  const auto [test_x, test_y] = draw(1500);
  const classic::LogisticRegression model({.C = 100});
  const auto mean_needed = [&, x = x, y = y, test_x = test_x, test_y = test_y](const char* name) {
    double total = 0;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const auto curve = simulate(model, strategy(name), x, y, test_x, test_y,
                                  {.initial = 6, .batch = 6, .budget = 150, .seed = seed});
      const int64_t n = curve.needed(0.96);
      total += static_cast<double>(n < 0 ? 300 : n);
    }
    return total / 3;
  };
  const double random = mean_needed("random");
  EXPECT_LT(mean_needed("margin"), random);
  EXPECT_GT(
      simulate(model, strategy("ranked"), x, y, test_x, test_y, {.batch = 20}).accuracy.back(),
      0.85);
  EXPECT_NE(message_of([&] { strategy("best"); }).find("core-set"), std::string::npos);
  const Strategy twice = [](const classic::Estimator&, const Tensor&, const Tensor&, int64_t k,
                            uint64_t) { return zeros({k}, kI64); };
  EXPECT_NE(message_of<ValueError>([&, x = x, y = y] { simulate(model, twice, x, y, x, y); }), "");
  EXPECT_EQ((ActiveCurve{{10, 20, 30}, {0.95, 0.8, 0.92}}.needed(0.9)), 30);
  EXPECT_EQ((ActiveCurve{{10}, {0.5}}.needed(0.9)), -1);
}

TEST(WeakLabels, FindWhoIsRight) {
  manual_seed(2);
  const int64_t n = 3000;
  const Tensor y = randint(0, 3, {n});
  const std::vector<double> good = {0.9, 0.8, 0.6, 0.45, 0.34};
  std::vector<Tensor> sources;
  for (double p : good) {
    const Tensor right = bernoulli({n}, p), other = remainder(y + randint(1, 3, {n}), 3);
    sources.push_back(where(bernoulli({n}, 0.8), where(right, y, other), kAbstain));
  }
  const Tensor votes = stack(sources, 1);
  LabelModel model(3);
  model.fit(votes);
  for (size_t i = 0; i < good.size(); ++i)
    EXPECT_NEAR(index(model.accuracy, {static_cast<int64_t>(i)}).item(), good[i], 0.05);
  const auto share = [&](const Tensor& p) { return mean(cast(p == y, kF64)).item(); };
  EXPECT_GT(share(model.predict(votes)), share(argmax(majority_vote(votes, 3))) + 0.02);
  for (size_t i = 1; i < model.log_likelihood.size(); ++i)  // but for the smoothing
    EXPECT_GT(model.log_likelihood[i], model.log_likelihood[i - 1] - 1e-4);
  const auto about = summarize(votes, y);
  EXPECT_NEAR(about[0].coverage, 0.8, 0.03);
  EXPECT_NEAR(about[0].accuracy, 0.9, 0.03);
  EXPECT_GE(about[0].overlaps, about[0].conflicts);
  expect_values(majority_vote(tensor<int64_t>({{0, 0, 1}, {-1, -1, -1}}), 2), {2, 2},
                {2.0 / 3, 1.0 / 3, 0.5, 0.5}, 1e-12);
  EXPECT_NE(message_of<ValueError>([&] { majority_vote(tensor<int64_t>({{2}}), 2); }), "");
  EXPECT_NE(message_of([&] { LabelModel(2).predict(votes); }), "");
}

TEST(Preferences, Rewards) {
  const Tensor a = tensor({1.0, 0.0}), b = tensor({0.0, 2.0});
  expect_values(bradley_terry_loss(a, b, 0, {}, Reduction::kNone), {2},
                {std::log1p(std::exp(-1.0)), std::log1p(std::exp(2.0))}, 1e-12);
  expect_values(bradley_terry_loss(a, b, 0, tensor({0.5, 0.0}), Reduction::kNone), {2},
                {std::log1p(std::exp(-1.0)) + 0.5, std::log1p(std::exp(-2.0))}, 1e-12);
  // Of two it is the same.
  expect_same(plackett_luce_loss(stack({a, b}, 1)), bradley_terry_loss(a, b), 1e-12);
  const auto two = bradley_terry(tensor({{0.0, 3.0}, {1.0, 0.0}}));
  EXPECT_NEAR((index(two.strengths, {0}) - index(two.strengths, {1})).item(), std::log(3.0), 1e-8);
  // At the likeliest strengths as many wins are expected as there were.
  manual_seed(1);
  const Tensor wins = cast(randint(1, 9, {5, 5}), kF64) * (1 - eye(5, kF64));
  const Tensor s = bradley_terry(wins).strengths;
  const Tensor p = sigmoid(unsqueeze(s, 1) - unsqueeze(s, 0));
  expect_same(sum(p * (wins + transpose(wins)) * (1 - eye(5, kF64)), {1}), sum(wins, {1}), 1e-6);
  EXPECT_NE(message_of<ValueError>([&] { bradley_terry(tensor({{0.0, 3.0}, {0.0, 0.0}})); }), "");
}

TEST(Preferences, Dpo) {
  const Tensor pc = trainable(tensor({-3.0, -5.0})), pr = tensor({-4.0, -4.0}),
               rc = tensor({-3.5, -4.5}), rr = tensor({-4.5, -4.0});
  const Dpo d = dpo_loss(pc, pr, rc, rr, {.reduction = Reduction::kNone});
  const double h0 = 0.5 - 0.5, h1 = -0.5 - 0;
  expect_values(d.loss, {2}, {std::log1p(std::exp(-0.1 * h0)), std::log1p(std::exp(-0.1 * h1))},
                1e-12);
  expect_values(d.chosen_rewards, {2}, {0.05, -0.05}, 1e-12);
  expect_values(gradients(sum(d.loss), {pc})[0], {2},
                {-0.1 / (1 + std::exp(0.1 * h0)), -0.1 / (1 + std::exp(0.1 * h1))}, 1e-12);
  expect_values(
      dpo_loss(pc, pr, rc, rr, {.loss = DpoLoss::kIpo, .reduction = Reduction::kNone}).loss, {2},
      {25, 30.25}, 1e-9);
  expect_values(
      dpo_loss(pc, pr, rc, rr, {.loss = DpoLoss::kHinge, .reduction = Reduction::kNone}).loss, {2},
      {1, 1.05}, 1e-9);
  EXPECT_NE(message_of<ValueError>([&] { dpo_loss(pc, pr, rc, rr, {.beta = 0}); }), "");
  const Tensor logits = randn({2, 4, 5}), tokens = randint(0, 5, {2, 4});
  Tensor by_hand = zeros({2});
  for (int64_t t = 0; t < 3; ++t)
    by_hand = by_hand - cross_entropy(index(logits, {Slice{}, t}), index(tokens, {Slice{}, t + 1}),
                                      {.reduction = Reduction::kNone});
  expect_same(sequence_log_probs(logits, tokens), by_hand, 1e-5);
  expect_values(sequence_log_probs(logits, tokens, zeros({2, 4}, kBool)), {2}, {0, 0});
}

TEST(Preferences, Deferring) {
  const Tensor logits = randn({3, 4}), y = tensor<int64_t>({0, 1, 2}),
               right = tensor({true, false, true});
  const Tensor l = log_softmax(logits);
  expect_values(defer_loss(logits, y, right, 1, Reduction::kNone), {3},
                {-(index(l, {0, 0}) + index(l, {0, 3})).item(), -index(l, {1, 1}).item(),
                 -(index(l, {2, 2}) + index(l, {2, 3})).item()},
                1e-6);
  const auto curve =
      deferral_curve(tensor({true, true, false, false}), tensor({false, true, true, true}),
                     tensor({0.9, 0.8, 0.2, 0.1}), 5);
  expect_values(curve.coverage, {5}, {0, 0.25, 0.5, 0.75, 1});
  expect_values(curve.accuracy, {5}, {0.75, 1, 1, 0.75, 0.5});
}

// Labels needed for 0.80 on digits, by doubt and by chance: a short form of 0.90.
TEST(Active, OfDigits) {
  Tensor x, y, test_x, test_y;
  const auto first = [](data::Split split, int64_t n, Tensor& x, Tensor& y) {
    for (auto [images, labels] : data::mnist(split).shuffle(1).batch(n)) {
      x = cast(avg_pool2d(cast(reshape(images, {n, 28, 28, 1}), kF32) / 255, 2), kF64);
      x = reshape(x, {n, 14 * 14});
      y = cast(labels, kI64);
      return;
    }
  };
  try {
    first(data::Train, 1500, x, y);
    first(data::Test, 1000, test_x, test_y);
  } catch (const IoError& missing) {
    GTEST_SKIP() << missing.what();
  }
  const classic::LogisticRegression model({.C = 1, .max_iter = 40, .tol = 1e-3});
  const auto needed = [&](const char* name) {
    const auto curve = simulate(model, strategy(name), x, y, test_x, test_y,
                                {.initial = 20, .batch = 20, .budget = 260, .seed = 1});
    const int64_t n = curve.needed(0.80);
    std::printf("mnist, %s: %ld labels for 0.80, accuracy %.3f with %ld\n", name,
                static_cast<long>(n), curve.accuracy.back(),
                static_cast<long>(curve.labels.back()));
    return n < 0 ? 1000 : n;
  };
  EXPECT_LE(needed("margin"), needed("random"));
}

}  // namespace
}  // namespace glia::human
