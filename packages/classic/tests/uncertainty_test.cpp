// Calibration, conformal sets and intervals, dropout and ensembles: closed forms, coverage by
// simulation, and Fashion-MNIST. Beside scikit-learn and MAPIE: parity/bayes.py,
// parity/conformal.py.
#include "glia/classic/uncertainty.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "classic_data.h"
#include "glia/autodiff.h"
#include "glia/classic/calibration.h"
#include "glia/classic/conformal.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/metrics.h"
#include "glia/classic/naive_bayes.h"
#include "glia/classic/svm.h"
#include "glia/data.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::classic {
namespace {

using glia::test::expect_same;
using glia::test::message_of;
using test::blobs;

// ---- Calibration
// ----------------------------------------------------------------------------------

TEST(Calibration, SigmoidIsTheLikeliest) {
  data::Random random(1);
  std::vector<double> f, y;
  for (int i = 0; i < 500; ++i) {
    f.push_back(4 * random.uniform() - 2);
    y.push_back(random.uniform() < 1 / (1 + std::exp(-3 * f.back() + 1)) ? 1 : 0);
  }
  const Tensor scores = from_vector(f, {500}), is = from_vector(y, {500});
  const SigmoidCalibration s = sigmoid_calibration(scores, is);
  EXPECT_NEAR(s.a, -3, 0.6);
  EXPECT_NEAR(s.b, 1, 0.4);
  // Both slopes of the likelihood with Platt's targets are 0.
  const double ones = sum(is).item();
  const Tensor target = is * ((ones + 1) / (ones + 2)) + (1 - is) * (1 / (500 - ones + 2));
  const Tensor rest = sigmoid(-(s.a * scores + s.b)) - target;
  EXPECT_NEAR(sum(rest).item(), 0, 1e-9);
  EXPECT_NEAR(sum(rest * scores).item(), 0, 1e-9);
  // In any unit, however large.
  const SigmoidCalibration same = sigmoid_calibration(scores * 1e12, is);
  EXPECT_NEAR(same.a * 1e12, s.a, 1e-6);
  EXPECT_THROW(sigmoid_calibration(scores, is * 2), ValueError);
}

TEST(Calibration, TemperatureOfWhatIsKnown) {
  // Of two logits z apart that are right in 3 of 4: T = z / log 3.
  const Tensor logits = tensor({{5., 0.}, {5., 0.}, {0., 5.}, {5., 0.}}), y = tensor({0, 0, 1, 1});
  EXPECT_NEAR(fit_temperature(logits, y), 5 / std::log(3.0), 1e-12);
  EXPECT_NEAR(fit_temperature(logits, tensor({0, 0, 1, 0})), std::exp(-10.0),
              1e-12);  // always right
  EXPECT_NEAR(fit_temperature(logits, y, tensor({1., 1., 1., 0.})), std::exp(-10.0), 1e-12);
  EXPECT_THROW(fit_temperature(logits, tensor({0, 0, 1, 2})), ValueError);
}

TEST(Calibration, ErrorOfWhatIsKnown) {
  // Four guesses at 0.8, three right; six at 0.6, three right: 0.4 * 0.05 + 0.6 * 0.1.
  std::vector<double> p;
  std::vector<int64_t> y;
  for (int i = 0; i < 10; ++i) {
    p.push_back(i < 4 ? 0.8 : 0.4);
    const bool right = i < 4 ? i < 3 : i < 7;
    y.push_back((p.back() > 0.5) == right);
  }
  const Tensor prob = from_vector(p, {10}), truth = from_vector(y, {10});
  EXPECT_NEAR(expected_calibration_error(truth, prob), 0.08, 1e-12);
  EXPECT_NEAR(maximum_calibration_error(truth, prob), 0.1, 1e-12);
  EXPECT_NEAR(expected_calibration_error(truth, stack({1 - prob, prob}, 1)), 0.08, 1e-12);
  const ReliabilityCurve curve = reliability_curve(truth, prob);
  expect_same(curve.confidence, tensor({0.6, 0.8}), 1e-12);
  expect_same(curve.accuracy, tensor({0.5, 0.75}), 1e-12);
  expect_same(curve.count, tensor({int64_t{6}, int64_t{4}}));
  EXPECT_THROW(expected_calibration_error(truth, prob + 1), ValueError);
  EXPECT_THROW(expected_calibration_error(truth + 5, prob), ValueError);
  EXPECT_THROW(expected_calibration_error(truth, prob, {.n_bins = 0}), ValueError);
}

TEST(Calibration, MakesNaiveBayesHonest) {
  // Features that are there twice make it too sure.
  const auto train = blobs(600, 2, 2, 0.5), test = blobs(600, 2, 2, 0.5);
  const Tensor y = from_vector(train.of, {600});
  const auto twice = [](const Tensor& x) { return concat({x, x, x, x}, 1); };
  GaussianNB plain;
  plain.fit(twice(train.x), y);
  const double before = brier_score_loss(y, plain.predict_proba(twice(train.x)));
  for (const char* method : {"sigmoid", "isotonic", "temperature"}) {
    for (const bool ensemble : {true, false}) {
      CalibratedClassifierCV calibrated(GaussianNB{}, {.ensemble = ensemble});
      set_params(calibrated, {{"method", method}});
      calibrated.fit(twice(train.x), y);
      EXPECT_LT(brier_score_loss(y, calibrated.predict_proba(twice(train.x))), before) << method;
      EXPECT_EQ(calibrated.estimators.size(), ensemble ? 5 : 1);
      CalibratedClassifierCV again(GaussianNB{}, calibrated.options());
      again.load_state_dict(calibrated.state_dict());
      expect_same(again.predict_proba(twice(test.x)), calibrated.predict_proba(twice(test.x)));
    }
  }
  CalibratedClassifierCV prefit(plain, {.method = CalibrationMethod::kTemperature, .prefit = true});
  prefit.fit(twice(train.x), y);
  EXPECT_LT(prefit.beta.item(), 0.7);
  EXPECT_THROW(CalibratedClassifierCV(GaussianNB{}, {.prefit = true}).fit(train.x, y), Error);
  EXPECT_THROW(CalibratedClassifierCV(GaussianNB{}).fit(train.x, zeros({600}, kI64)), ValueError);
  const Tensor few = from_vector(std::vector<int64_t>{0, 1, 2}, {3});
  EXPECT_THROW(CalibratedClassifierCV(GaussianNB{}).fit(take(train.x, few), few), ValueError);
}

TEST(SVC, ProbabilitiesFollowItsDecisions) {
  const auto b = blobs(200, 2, 2, 0.7);
  const Tensor y = from_vector(b.of, {200}) * 3 - 1;
  SVC svc;
  EXPECT_THROW(svc.fit(b.x, y).predict_proba(b.x), Error);
  set_params(svc, {{"probability", true}});
  svc.fit(b.x, y);
  const Tensor p = svc.predict_proba(b.x);
  expect_same(sum(p, {1}), ones({200}, kF64), 1e-12);
  // More decided is more probable.
  const Tensor order = argsort(svc.decision_function(b.x));
  const auto rising = take(index(p, {Slice{}, 1}), order).to_vector<double>();
  EXPECT_TRUE(std::is_sorted(rising.begin(), rising.end()));
  const auto many = blobs(300, 2, 4, 3);
  SVC four(svc.options());
  four.fit(many.x, from_vector(many.of, {300}));
  const Tensor q = four.predict_proba(many.x);
  EXPECT_EQ(q.shape(), (Shape{300, 4}));
  expect_same(sum(q, {1}), ones({300}, kF64), 1e-10);
  EXPECT_LT(log_loss(from_vector(many.of, {300}), q), 0.5);
  SVC again(four.options());
  again.load_state_dict(four.state_dict());
  expect_same(again.predict_proba(many.x), q);
}

// ---- Conformal prediction
// -------------------------------------------------------------------------

TEST(Conformal, TheThresholdIsAnOrderStatistic) {
  const Tensor scores = tensor({0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6});
  EXPECT_EQ(conformal_quantile(scores, 0.9), 0.9);   // the 9th of 9
  EXPECT_EQ(conformal_quantile(scores, 0.5), 0.5);   // the 5th
  EXPECT_EQ(conformal_quantile(scores, 0.89), 0.9);  // 8.9: the 9th
  EXPECT_EQ(conformal_quantile(scores, 0.95), std::numeric_limits<double>::infinity());
  EXPECT_THROW(conformal_quantile(scores, 1), ValueError);
  EXPECT_THROW(conformal_quantile(scores * NAN, 0.5), ValueError);
}

TEST(Conformal, SetsOfKnownProbabilities) {
  const Tensor p = tensor({{0.5, 0.3, 0.2}, {0.1, 0.8, 0.1}}), y = tensor({1, 1});
  expect_same(conformity_scores(p, y), tensor({0.7, 0.2}), 1e-15);
  expect_same(conformity_scores(p, y, ConformityScore::kAps), tensor({0.8, 0.8}), 1e-15);
  expect_same(cast(prediction_sets(p, 0.75), kI64), tensor({{1, 1, 0}, {0, 1, 0}}));
  expect_same(cast(prediction_sets(p, 0.1), kI64), tensor({{0, 0, 0}, {0, 0, 0}}));
  expect_same(cast(prediction_sets(p, 0.1, ConformityScore::kAps), kI64),
              tensor({{1, 0, 0}, {0, 1, 0}}));
  EXPECT_EQ(classification_coverage_score(y, prediction_sets(p, 0.75)), 1);
  EXPECT_EQ(classification_mean_width_score(prediction_sets(p, 0.75)), 1.5);
  EXPECT_THROW(conformity_scores(p * 3, y), ValueError);
  EXPECT_THROW(conformity_scores(p, y * 3), ValueError);
}

// As often as was asked for, within what so many samples may be off by chance.
TEST(Conformal, SetsHoldTheTruth) {
  const auto b = blobs(6000, 3, 4, 1);
  const Tensor y = from_vector(b.of, {6000}) * 2;
  const auto part = [](const Tensor& t, int64_t from, int64_t to) {
    return slice(t, 0, {.start = from, .stop = to});
  };
  const Tensor test = part(b.x, 3000, 6000), truth = part(from_vector(b.of, {6000}), 3000, 6000);
  for (const auto score :
       {ConformityScore::kLac, ConformityScore::kAps, ConformityScore::kApsRandomized}) {
    for (const double level : {0.8, 0.95}) {
      SplitConformalClassifier split(GaussianNB{},
                                     {.confidence_level = level, .conformalize_size = 0.5}, score);
      split.fit(part(b.x, 0, 3000), part(y, 0, 3000));
      const Tensor sets = split.predict_set(test);
      const double covered = classification_coverage_score(truth, sets);
      EXPECT_GT(covered, level - 0.03);
      if (score != ConformityScore::kAps) {
        EXPECT_LT(covered, level + 0.03);
      }
      CrossConformalClassifier cross(GaussianNB{}, {.confidence_level = level}, score);
      cross.fit(part(b.x, 0, 1000), part(y, 0, 1000));
      EXPECT_GT(classification_coverage_score(truth, cross.predict_set(test)), level - 0.03);
      CrossConformalClassifier again(GaussianNB{}, cross.options(), score);
      again.load_state_dict(cross.state_dict());
      expect_same(again.predict_set(test), cross.predict_set(test));
    }
  }
  SplitConformalClassifier split(GaussianNB{});
  EXPECT_THROW(split.predict_set(test), Error);
  EXPECT_THROW(SplitConformalClassifier(GaussianNB{}, {.confidence_level = 1.2}).fit(b.x, y),
               ValueError);
  EXPECT_THROW(SplitConformalClassifier(Ridge{}).fit(b.x, y), ValueError);
}

TEST(Conformal, IntervalsHoldTheTruth) {
  // Noise that grows with x.
  data::Random random(5);
  std::vector<double> xs, ys;
  for (int i = 0; i < 6000; ++i) {
    xs.push_back(random.uniform());
    ys.push_back(2 * xs.back() + (0.1 + xs.back()) * test::gaussian(random));
  }
  const Tensor x = from_vector(xs, {6000, 1}), y = from_vector(ys, {6000});
  const auto part = [](const Tensor& t, int64_t from, int64_t to) {
    return slice(t, 0, {.start = from, .stop = to});
  };
  const Tensor test = part(x, 3000, 6000), truth = part(y, 3000, 6000);
  SplitConformalRegressor split(LinearRegression{}, {.confidence_level = 0.9});
  split.fit(part(x, 0, 3000), part(y, 0, 3000));
  const auto flat = split.predict_interval(test);
  EXPECT_NEAR(regression_coverage_score(truth, flat.lower, flat.upper), 0.9, 0.03);
  CrossConformalRegressor cross(LinearRegression{}, {.confidence_level = 0.9});
  cross.fit(part(x, 0, 1000), part(y, 0, 1000));
  const auto plus = cross.predict_interval(test);
  EXPECT_NEAR(regression_coverage_score(truth, plus.lower, plus.upper), 0.9, 0.03);
  for (const bool symmetric : {true, false}) {
    QuantileConformalOptions options;
    options.symmetric_correction = symmetric;
    ConformalizedQuantileRegressor quantiles(QuantileRegressor({.alpha = 0}), options);
    quantiles.fit(part(x, 0, 1200), part(y, 0, 1200));
    const auto wide = quantiles.predict_interval(test);
    EXPECT_NEAR(regression_coverage_score(truth, wide.lower, wide.upper), 0.9, 0.04);
    EXPECT_LT(regression_mean_width_score(wide.lower, wide.upper),
              regression_mean_width_score(flat.lower, flat.upper));
    ConformalizedQuantileRegressor again(QuantileRegressor({.alpha = 0}), options);
    again.load_state_dict(quantiles.state_dict());
    expect_same(again.predict_interval(test).lower, wide.lower);
  }
  // Too few samples for the level: everything.
  SplitConformalRegressor few(LinearRegression{}, {.confidence_level = 0.99});
  few.fit(part(x, 0, 20), part(y, 0, 20));
  EXPECT_TRUE(std::isinf(few.predict_interval(test).upper.to_vector<double>()[0]));
}

// ---- Networks
// --------------------------------------------------------------------------------------

TEST(Uncertainty, SplitsEntropyAndVariance) {
  // Two answers that are sure and disagree: all of it is epistemic; two that shrug: aleatoric.
  const Tensor p = reshape(tensor({1., 0., 0.5, 0.5, 0., 1., 0.5, 0.5}), {2, 2, 2});
  const ClassUncertainty u = class_uncertainty(p);
  expect_same(u.probabilities, full({2, 2}, 0.5, kF64));
  expect_same(u.total, full({2}, std::log(2.0), kF64), 1e-15);
  expect_same(u.aleatoric, tensor({0., std::log(2.0)}), 1e-15);
  expect_same(u.epistemic, tensor({std::log(2.0), 0.}), 1e-15);
  const NumberUncertainty n =
      number_uncertainty(tensor({{1., 2.}, {3., 2.}}), tensor({{1., 1.}, {3., 1.}}));
  expect_same(n.mean, tensor({2., 2.}));
  expect_same(n.variance, tensor({3., 1.}));
  EXPECT_THROW(class_uncertainty(p * 2), ValueError);
  EXPECT_THROW(number_uncertainty(ones({2, 2}), ones({2, 3})), ShapeError);
}

TEST(Uncertainty, DropoutAloneIsInTraining) {
  manual_seed(1);
  nn::Sequential net(nn::Linear(4, 64), nn::BatchNorm1d(64), relu, nn::Dropout(0.5),
                     nn::Linear(64, 1));
  const Answer answer = [&](const Tensor& x) { return net(x); };
  const Tensor x = randn({8, 4});
  net.eval();
  const Tensor still = net(x);
  const StateDict before = net.state_dict();
  const Tensor samples = mc_dropout(net, answer, x, 400);
  EXPECT_EQ(samples.shape(), (Shape{400, 8, 1}));
  EXPECT_GT(min(var(samples, {0})).item(), 0);
  // On average what the network says without; the running statistics are as they were.
  expect_same(mean(samples, {0}), still, 0.15);
  const StateDict after = net.state_dict();
  for (size_t i = 0; i < before.size(); ++i) expect_same(after[i].second, before[i].second);
  EXPECT_FALSE(net.is_training());
  expect_same(net(x), still);
  net.train();
  mc_dropout(net, answer, x, 1);
  EXPECT_TRUE(net.is_training());
  nn::Sequential none(nn::Linear(4, 1));
  EXPECT_THROW(mc_dropout(none, answer, x), ValueError);
  EXPECT_THROW(mc_dropout(net, answer, x, 0), ValueError);
  EXPECT_THROW(ensemble({}, x), ValueError);
}

// A network that is trained for too long is too sure; a temperature, and several networks, help
// (Guo et al. 2017; Lakshminarayanan et al. 2017).
TEST(Uncertainty, FashionMnist) {
  Tensor images, labels;
  try {
    const auto read = [](data::Split split, int64_t count) {
      auto batches = data::fashion_mnist(split).batch(count);
      const auto first = *batches.begin();
      return std::pair{reshape(cast(first[0], kF32) / 255, {count, 784}), first[1]};
    };
    const auto [x, y] = read(data::Train, 2000);
    const auto [tx, ty] = read(data::Test, 4000);
    const auto train = [&x = x, &y = y](uint64_t seed) {
      manual_seed(seed);
      auto net = std::make_shared<nn::Sequential>(nn::Linear(784, 128), relu, nn::Dropout(0.3),
                                                  nn::Linear(128, 10));
      optim::Adam optimizer(net->parameters(), {.lr = 2e-3});
      for (int step = 0; step < 450; ++step) {
        const Tensor rows = randint(0, 2000, {100});
        const Tensor loss = cross_entropy((*net)(take(x, rows)), take(y, rows));
        optimizer.step(gradients(loss, net->parameters()));
      }
      net->eval();
      return net;
    };
    std::vector<std::shared_ptr<nn::Sequential>> nets;
    std::vector<Answer> members;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      nets.push_back(train(seed));
      members.emplace_back([net = nets.back()](const Tensor& t) { return (*net)(t); });
    }
    // Every other image of the test fits the temperature and the threshold, the rest judges them.
    const Slice even{.start = 0, .step = 2}, odd{.start = 1, .step = 2};
    const Tensor held = slice(tx, 0, even), judge = slice(tx, 0, odd), held_y = slice(ty, 0, even),
                 judge_y = slice(ty, 0, odd);
    const Tensor logits = members[0](judge);
    const double temperature = fit_temperature(members[0](held), held_y);
    const double raw = expected_calibration_error(judge_y, softmax(logits, -1)),
                 scaled = expected_calibration_error(judge_y, softmax(logits / temperature, -1));
    RecordProperty("temperature", std::to_string(temperature));
    std::printf("Fashion-MNIST, 2000 images: T %.3f, ECE %.4f -> %.4f\n", temperature, raw, scaled);
    EXPECT_GT(temperature, 1.1);
    EXPECT_LT(scaled, raw / 1.5);

    const auto loss = [&](const Tensor& p) { return log_loss(judge_y, cast(p, kF64)); };
    const auto together = class_uncertainty(softmax(ensemble(members, judge), -1));
    const auto dropped =
        class_uncertainty(softmax(mc_dropout(*nets[0], members[0], judge, 20), -1));
    const double alone = loss(softmax(logits, -1));
    std::printf("log loss: one network %.4f, dropout %.4f, three networks %.4f\n", alone,
                loss(dropped.probabilities), loss(together.probabilities));
    EXPECT_LT(loss(together.probabilities), alone);
    EXPECT_LT(loss(dropped.probabilities), alone);
    // Where the networks differ they are wrong more often.
    const Tensor wrong = cast(argmax(together.probabilities, 1) != judge_y, kI64);
    EXPECT_GT(roc_auc_score(wrong, together.epistemic), 0.75);

    const Tensor p = softmax(members[0](held), -1);
    for (const auto score : {ConformityScore::kLac, ConformityScore::kApsRandomized}) {
      const double threshold = conformal_quantile(conformity_scores(p, held_y, score), 0.9);
      const Tensor sets = prediction_sets(softmax(logits, -1), threshold, score, 1);
      const double covered = classification_coverage_score(judge_y, sets);
      std::printf("sets at 0.9: coverage %.4f, %.2f classes each\n", covered,
                  classification_mean_width_score(sets));
      // Three deviations of a share of 2000 by a threshold of 2000.
      EXPECT_NEAR(covered, 0.9, 3 * std::sqrt(2 * 0.9 * 0.1 / 2000));
    }
  } catch (const IoError& missing) {
    GTEST_SKIP() << missing.what();
  }
}

}  // namespace
}  // namespace glia::classic
