// Models that share, the gradients that each weighting makes of their losses, and training.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/multitask/weighting.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::multitask {
namespace {

using test::expect_same;
using test::expect_values;
using Numbers = std::vector<double>;

const std::vector<const char*> kNames = {"equal", "uncertainty", "dwa",   "gradnorm",
                                         "mgda",  "pcgrad",      "cagrad"};

nn::Sequential trunk() { return nn::Sequential(nn::Linear(3, 4), relu); }
std::vector<MakePart> heads(size_t tasks = 2) {
  return std::vector<MakePart>(tasks, [] { return nn::Sequential(nn::Linear(4, 1)); });
}
Tensor inputs(int64_t count = 8) { return cast(test::numbers({count, 3}), kF32); }

// Two tasks of one input, whose gradients are against each other.
std::vector<Tensor> losses_of(const Model& model, const Tensor& x) {
  const std::vector<Tensor> y = model(x);
  const Tensor wanted = sum(x, {1}, true);
  return {mse_loss(y[0], wanted), 3 * mse_loss(y[1], -2 * wanted)};
}

TEST(Models, ShareWhatTheySay) {
  manual_seed(1);
  const HardSharing hard(trunk, heads(3));
  EXPECT_EQ(hard(inputs()).size(), 3u);
  EXPECT_EQ(hard(inputs())[2].shape(), (Shape{8, 1}));
  EXPECT_EQ(hard.shared_parameters().size(), 2u);
  EXPECT_EQ(hard.parameter_count(), 16 + 3 * 5);
  EXPECT_EQ(hard.named_parameters()[2].name, "heads.0.0.weight");
  expect_same(hard(inputs())[1], hard.heads[1](hard.trunk(inputs())));

  Separate separate(trunk, heads());
  EXPECT_TRUE(separate.shared_parameters().empty());
  EXPECT_EQ(separate.parameter_count(), 2 * (16 + 5));
  EXPECT_NE(separate.trunks[0].get<nn::Linear>(0).weight.tensor().to_vector<float>(),
            separate.trunks[1].get<nn::Linear>(0).weight.tensor().to_vector<float>())
      << "each has weights of its own";
}

TEST(Models, CrossStitchMixes) {
  manual_seed(2);
  CrossStitch model({trunk, [] { return nn::Sequential(nn::Linear(4, 4), relu); }}, {4, 4},
                    heads());
  EXPECT_EQ(model.shared_parameters().size(), 2u * 2 * 2 + 2);
  EXPECT_EQ(model.stitches[0].shape(), (Shape{2, 2, 4}));
  expect_values(index(model.stitches[0], {Slice{}, Slice{}, 1}), {2, 2}, {0.9, 0.1, 0.1, 0.9},
                1e-7);
  const Tensor x = inputs();
  const auto stage = [&](size_t i, size_t k, const Tensor& h) { return model.stages[i][k](h); };
  const Tensor a = stage(0, 0, x), b = stage(0, 1, x);
  const Tensor a1 = 0.9 * a + 0.1 * b, b1 = 0.9 * b + 0.1 * a;
  const Tensor a2 = stage(1, 0, a1), b2 = stage(1, 1, b1);
  expect_same(model(x)[0], model.heads[0](0.9 * a2 + 0.1 * b2), 1e-6);
  // Without the others' part they are networks of their own.
  for (Parameter& stitch : model.stitches) stitch = expand(unsqueeze(eye(2), 2), {2, 2, 4}) + 0;
  expect_same(model(x)[1], model.heads[1](stage(1, 1, b)), 1e-6);
  // What all others have together, however many there are.
  const CrossStitch three({trunk}, {4}, heads(3));
  EXPECT_NEAR(index(three.stitches[0], {0, 2, 0}).item(), 0.05, 1e-7);
}

TEST(Models, MmoeWeighsItsExperts) {
  manual_seed(3);
  const Mmoe model(trunk, 3, 3, heads());
  const Tensor x = inputs();
  const auto gates = model.gate_weights(x);
  EXPECT_EQ(gates[1].shape(), (Shape{8, 3}));
  expect_same(sum(gates[1], {1}), ones({8}), 1e-6);
  Tensor h = zeros({8, 4});
  for (int64_t e = 0; e < 3; ++e)
    h = h + slice(gates[1], 1, {e, e + 1}) * model.experts[static_cast<size_t>(e)](x);
  expect_same(model(x)[1], model.heads[1](h), 1e-6);
  EXPECT_EQ(model.shared_parameters().size(), 6u);
  EXPECT_EQ(model.parameter_count(), 3 * 16 + 2 * (3 * 3 + 5));
  // Experts and inputs of any rank.
  const Mmoe pictures([] { return nn::Sequential(nn::Conv2d(1, 4, {.kernel = 3})); }, 2, 36,
                      heads());
  EXPECT_EQ(pictures(ones({5, 6, 6, 1}))[0].shape(), (Shape{5, 4, 4, 1}));
}

TEST(Models, AreSavedAndLoaded) {
  manual_seed(4);
  const Mmoe a(trunk, 2, 3, heads());
  Mmoe b(trunk, 2, 3, heads());
  b.load_state_dict(a.state_dict());
  expect_same(a(inputs())[1], b(inputs())[1]);
  const CrossStitch c({trunk}, {4}, heads());
  CrossStitch d({trunk}, {4}, heads());
  d.load_state_dict(c.state_dict());
  expect_same(c(inputs())[1], d(inputs())[1]);
  EXPECT_THROW(d.load_state_dict(a.state_dict()), Error);
}

// Each weighting's gradients, beside those of the tasks alone.
TEST(Weightings, GradientsAreTheirCombinations) {
  for (const char* name : kNames) {
    manual_seed(5);
    HardSharing model(trunk, heads());
    model.heads[1] = model.heads[0];  // what one task wants more of, the other wants less of
    const auto weighting = make_weighting(name, 2, 7);
    ParameterList parameters = model.parameters();
    for (const Variable& p : weighting->parameters()) parameters.push_back(p);
    const std::vector<Tensor> losses = losses_of(model, inputs());
    const auto found = weighting->gradients(losses, parameters, model.shared_parameters());
    ASSERT_EQ(found.size(), parameters.size()) << name;
    const auto a = gradients(losses[0], model.parameters()),
               b = gradients(losses[1], model.parameters());
    const Numbers w = weighting->weights();
    const std::string which = name;
    const bool scales_heads =
        which == "equal" || which == "dwa" || which == "uncertainty" || which == "gradnorm";
    for (size_t p = 0; p < model.parameters().size(); ++p) {
      const bool shared = p < 2;
      const double first = shared || scales_heads ? w[0] : 1;
      const double second = shared || scales_heads ? w[1] : 1;
      expect_same(found[p], first * a[p] + second * b[p], 1e-5);
    }
    if (which == "uncertainty")  // of exp(-s) L + s / 2 at s = 0
      expect_values(found.back(), {2}, {0.5 - losses[0].item(), 0.5 - losses[1].item()}, 1e-5);
    // The products of the gradients, by hand.
    double product = 0, first = 0, second = 0;
    for (size_t p = 0; p < 2; ++p) {
      product += sum(a[p] * b[p]).item();
      first += sum(a[p] * a[p]).item();
      second += sum(b[p] * b[p]).item();
    }
    if (which == "mgda") {
      const double wanted =
          std::clamp((second - product) / (first - 2 * product + second), 0.0, 1.0);
      EXPECT_NEAR(w[0], wanted, 1e-5);
    }
    if (which == "pcgrad") {
      ASSERT_LT(product, 0) << "the test wants a conflict";
      EXPECT_NEAR(w[0], 1 - product / first, 1e-4);
      EXPECT_NEAR(w[1], 1 - product / second, 1e-4);
    }
    if (which == "gradnorm") {
      EXPECT_EQ(w, (Numbers{1, 1}));
      weighting->gradients(losses, parameters, model.shared_parameters());
      const Numbers next = gradnorm_weights({1, 1}, {std::sqrt(first), std::sqrt(second)}, {1, 1});
      EXPECT_NEAR(weighting->weights()[0], next[0], 1e-5);
    }
    if (which == "cagrad") {
      const Tensor gram = from_vector(Numbers{first, product, product, second}, {2, 2});
      EXPECT_NEAR(w[0], cagrad_weights(gram)[0], 1e-4);
    }
  }
}

TEST(Weightings, DwaFollowsEpochs) {
  DWA dwa(2);
  const Parameter p(tensor<float>({1, 1}));
  ParameterList all;
  all.push_back(p);
  const auto epoch = [&](Numbers a, Numbers b) {
    for (size_t i = 0; i < a.size(); ++i)
      dwa.gradients({a[i] * index(p, {0}), b[i] * index(p, {1})}, all, {});
    dwa.finish_epoch();
    return dwa.weights();
  };
  EXPECT_EQ(epoch({1, 3}, {4, 4}), (Numbers{1, 1}));
  const Numbers w = epoch({1, 1}, {3, 5}), wanted = dwa_weights({1, 4}, {2, 4});
  EXPECT_NEAR(w[0], wanted[0], 1e-6);
  dwa.finish_epoch();
  EXPECT_EQ(dwa.weights(), w) << "an epoch without steps";
  expect_values(dwa.gradients({index(p, {0}), index(p, {1})}, all, {})[0], {2}, {w[0], w[1]}, 1e-6);
}

TEST(Weightings, GoOnFromTheirState) {
  for (const char* name : kNames) {
    manual_seed(6);
    const HardSharing model(trunk, heads());
    const auto whole = make_weighting(name, 2, 3);
    const auto step = [&](Weighting& weighting, double scale) {
      ParameterList parameters = model.parameters();
      for (const Variable& p : weighting.parameters()) parameters.push_back(p);
      return weighting.gradients(losses_of(model, scale * inputs()), parameters,
                                 model.shared_parameters());
    };
    step(*whole, 1);
    whole->finish_epoch();
    step(*whole, 0.5);
    const auto other = make_weighting(name, 2, 3);
    other->load_state_dict(whole->state_dict());
    EXPECT_EQ(other->weights(), whole->weights()) << name;
    whole->finish_epoch();
    other->finish_epoch();
    const auto a = step(*whole, 2), b = step(*other, 2);
    for (size_t i = 0; i < a.size(); ++i) expect_same(a[i], b[i]);
    // What does not fit is refused, and changes nothing.
    const Numbers before = other->weights();
    EXPECT_THROW(other->load_state_dict({}), Error) << name;
    EXPECT_THROW(other->load_state_dict(make_weighting(name, 3)->state_dict()), Error) << name;
    EXPECT_EQ(other->weights(), before);
  }
}

TEST(Weightings, TrainAndTheSameForAnyThreads) {
  for (const char* name : kNames) {
    const auto trained = [&] {
      manual_seed(8);
      HardSharing model([] { return nn::Sequential(nn::Linear(3, 32), relu); },
                        {[] { return nn::Sequential(nn::Linear(32, 1)); },
                         [] { return nn::Sequential(nn::Linear(32, 1)); }});
      const auto weighting = make_weighting(name, 2);
      ParameterList parameters = model.parameters();
      for (const Variable& p : weighting->parameters()) parameters.push_back(p);
      optim::Adam optimizer(parameters, {.lr = 0.02});
      auto data = data::from_tensors(inputs(64)).shuffle(1).batch(16);
      training::Trainer trainer(
          task(model, optimizer, *weighting,
               [&](const data::Sample& batch) { return Outcomes{losses_of(model, batch[0])}; },
               {"a", "b"}),
          {.epochs = 30});
      trainer.fit(data, &data);
      for (const char* task : {"a", "b"}) {
        const std::string loss = std::string("test_loss_") + task;
        EXPECT_LT(training::value_of(trainer.history().back().values, loss),
                  0.3 * training::value_of(trainer.history()[0].values, loss))
            << name;
      }
      EXPECT_GT(training::value_of(trainer.history().back().values, "weight_a"), 0) << name;
      return model.state_dict();
    };
    const StateDict here = trained();
    const ThreadLimit one(1);
    const StateDict alone = trained();
    for (size_t i = 0; i < here.size(); ++i) expect_same(here[i].second, alone[i].second);
  }
}

TEST(Multitask, BadArgumentsAreNamed) {
  EXPECT_THROW(HardSharing(trunk, {}), ValueError);
  EXPECT_THROW(Separate(trunk, {}), ValueError);
  EXPECT_THROW(CrossStitch({}, {}, heads()), ValueError);
  EXPECT_THROW(CrossStitch({trunk}, {4, 4}, heads()), ValueError);
  EXPECT_THROW(CrossStitch({trunk}, {0}, heads()), ValueError);
  EXPECT_THROW(Mmoe(trunk, 0, 3, heads()), ValueError);
  EXPECT_THROW(Mmoe(trunk, 2, 0, heads()), ValueError);
  EXPECT_THROW(make_weighting("best", 2), Error);
  EXPECT_THROW(EqualWeighting(0), ValueError);
  EXPECT_THROW(DWA(2, 0), ValueError);
  EXPECT_THROW(GradNorm(2, {.lr = 0}), ValueError);

  HardSharing model(trunk, heads());
  const std::vector<Tensor> losses = losses_of(model, inputs());
  MGDA mgda(2);
  EXPECT_THROW(mgda.gradients({losses[0]}, model.parameters(), model.shared_parameters()),
               ShapeError);
  EXPECT_THROW(mgda.gradients({losses[0], ones({2})}, model.parameters(), {}), ShapeError);
  EXPECT_THROW(mgda.gradients(losses, model.parameters(), {}), ValueError) << "nothing is shared";
  // A loss that is not a number.
  EXPECT_THROW(mgda.gradients({losses[0] * std::nan(""), losses[1]}, model.parameters(),
                              model.shared_parameters()),
               ValueError);
  optim::SGD optimizer(model.parameters(), {.lr = 0.1});
  const Forward forward = [](const data::Sample&) { return Outcomes{}; };
  EXPECT_THROW(task(model, optimizer, mgda, {}, {"a", "b"}), ValueError);
  EXPECT_THROW(task(model, optimizer, mgda, forward, {"a"}), ValueError);
  UncertaintyWeighting uncertain(2);
  EXPECT_THROW(task(model, optimizer, uncertain, forward, {"a", "b"}), ValueError);
}

}  // namespace
}  // namespace glia::multitask
