// Optimizers whose rule is not elementwise, and what stands around optimizers: against their
// formulas in plain loops, saved and loaded in the middle, and misused.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/experiment.h"
#include "tests/support/values.h"

namespace glia::optim {
namespace {

using test::message_of;

using Numbers = std::vector<double>;

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }
Numbers numbers(const StateDict& state) {
  Numbers out;
  for (const auto& [name, value] : state)
    for (const double x : numbers(value)) out.push_back(x);
  return out;
}

// A matrix, row by row.
struct Matrix {
  int64_t rows, columns;
  Numbers x;
  double& at(int64_t i, int64_t j) { return x[i * columns + j]; }
  double at(int64_t i, int64_t j) const { return x[i * columns + j]; }
};
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out{a.rows, b.columns, Numbers(a.rows * b.columns)};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j)
      for (int64_t k = 0; k < a.columns; ++k) out.at(i, j) += a.at(i, k) * b.at(k, j);
  return out;
}
Matrix turned(const Matrix& a) {
  Matrix out{a.columns, a.rows, Numbers(a.x.size())};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.columns; ++j) out.at(j, i) = a.at(i, j);
  return out;
}
double square_sum(const Numbers& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum;
}

Matrix start(int64_t rows, int64_t columns) {
  Matrix m{rows, columns, {}};
  for (int64_t i = 0; i < rows * columns; ++i) m.x.push_back(std::sin(1.7 * i + 1));
  return m;
}
double gradient_at(double p, int64_t i, int step) { return 0.4 * p + std::cos(2.3 * i + step); }
// The same as a tensor.
Tensor gradient_of(const Tensor& p, int step) {
  const Tensor i = reshape(arange(0, p.numel(), 1, kF64), p.shape());
  return 0.4 * p + cos(2.3 * i + step);
}

void expect_near(const Tensor& got, const Numbers& want, double tolerance = 1e-12) {
  const Numbers actual = numbers(got);
  ASSERT_EQ(actual.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(actual[i], want[i], tolerance) << i;
}

TEST(GeneralOptimizers, MuonIsItsFormula) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{3, 5}, {6, 2}, {1, 4}}) {
    for (const bool nesterov : {true, false}) {
      for (const AdjustLr adjust : {AdjustLr::kOriginal, AdjustLr::kMatchRmsAdamW}) {
        const MuonOptions o{.lr = 0.05,
                            .weight_decay = 0.2,
                            .momentum = 0.9,
                            .nesterov = nesterov,
                            .ns_steps = 4,
                            .adjust_lr_fn = adjust};
        Matrix p = start(rows, columns);
        Numbers momentum(p.x.size());
        const Parameter q(from_vector(p.x, {rows, columns}));
        ParameterList list;
        list.push_back(q);
        Muon optimizer(list, o);
        for (int step = 0; step < 5; ++step) {
          optimizer.step({gradient_of(q, step)});
          Matrix y = p;
          for (size_t i = 0; i < p.x.size(); ++i) {
            const double g = gradient_at(p.x[i], i, step);
            momentum[i] = 0.9 * momentum[i] + (1 - 0.9) * g;
            y.x[i] = nesterov ? (1 - 0.9) * g + 0.9 * momentum[i] : momentum[i];
          }
          if (rows > columns) y = turned(y);
          const double norm = std::max(std::sqrt(square_sum(y.x)), o.eps);
          for (double& v : y.x) v /= norm;
          for (int k = 0; k < 4; ++k) {
            Matrix a = product(y, turned(y));
            const Matrix aa = product(a, a);
            const auto& [ca, cb, cc] = o.ns_coefficients;
            for (size_t i = 0; i < a.x.size(); ++i) a.x[i] = cb * a.x[i] + cc * aa.x[i];
            const Matrix more = product(a, y);
            for (size_t i = 0; i < y.x.size(); ++i) y.x[i] = ca * y.x[i] + more.x[i];
          }
          if (rows > columns) y = turned(y);
          const double scale = adjust == AdjustLr::kOriginal
                                   ? std::sqrt(std::max(1.0, 1.0 * rows / columns))
                                   : 0.2 * std::sqrt(1.0 * std::max(rows, columns));
          for (size_t i = 0; i < p.x.size(); ++i)
            p.x[i] = p.x[i] * (1 - 0.05 * 0.2) - 0.05 * scale * y.x[i];
        }
        expect_near(q, p.x);
      }
    }
  }
  nn::Linear net(2, 2);
  EXPECT_EQ(message_of([&] { Muon(net.parameters()); }), "muon: a parameter (2,) is no matrix");
}

TEST(GeneralOptimizers, AdafactorIsItsFormula) {
  const AdafactorOptions o{.lr = 0.3, .eps = {1e-3, 1e-2}, .d = 1.5, .weight_decay = 0.1};
  // Two matrices, a vector and a number, side by side.
  const std::vector<Shape> shapes{{2, 3, 4}, {5}, {}};
  for (const Shape& shape : shapes) {
    const int64_t n = shape.numel();
    Matrix p = start(1, n);
    const Parameter q(from_vector(p.x, shape));
    ParameterList list;
    list.push_back(q);
    Adafactor optimizer(list, o);
    const int64_t stacks = shape.rank() == 3 ? 2 : 1, rows = shape.rank() == 3 ? 3 : 1, columns = 4;
    Numbers row(stacks * rows), column(stacks * columns), variance(n);
    for (int step = 0; step < 6; ++step) {
      optimizer.step({gradient_of(q, step)});
      Numbers g(n), change(n);
      for (int64_t i = 0; i < n; ++i) g[i] = gradient_at(p.x[i], i, step);
      const double fresh = std::pow(step + 1, -0.8);
      if (shape.rank() == 3) {
        Numbers r(row.size()), c(column.size());
        for (int64_t i = 0; i < n; ++i) {
          r[i / columns] += g[i] * g[i] / columns;
          c[i / (rows * columns) * columns + i % columns] += g[i] * g[i] / rows;
        }
        for (size_t i = 0; i < r.size(); ++i) row[i] += (r[i] - row[i]) * fresh;
        for (size_t i = 0; i < c.size(); ++i) column[i] += (c[i] - column[i]) * fresh;
        for (int64_t i = 0; i < n; ++i) {
          const int64_t s = i / (rows * columns);
          double mean = 0;
          for (int64_t k = 0; k < rows; ++k) mean += row[s * rows + k] / rows;
          variance[i] = row[i / columns] * column[s * columns + i % columns] / std::max(mean, 1e-3);
        }
      } else {
        for (int64_t i = 0; i < n; ++i) variance[i] += (g[i] * g[i] - variance[i]) * fresh;
      }
      for (int64_t i = 0; i < n; ++i) change[i] = g[i] / std::sqrt(std::max(variance[i], 1e-6));
      const double rate = std::max(std::sqrt(square_sum(p.x) / n), 1e-2) *
                          std::min(0.3, 1 / std::sqrt(step + 1)) /
                          std::max(1.0, std::sqrt(square_sum(change) / n) / 1.5);
      for (int64_t i = 0; i < n; ++i) p.x[i] = p.x[i] * (1 - 0.3 * 0.1) - rate * change[i];
    }
    expect_near(q, p.x);
  }
  const StateDict state = [] {
    nn::Linear net(3, 2);
    Adafactor optimizer(net.parameters());
    optimizer.step({ones({2, 3}), ones({2})});
    return optimizer.state_dict();
  }();
  EXPECT_EQ(state[2].first, "state.0.row_var");
  EXPECT_EQ(state[2].second.shape(), (Shape{2, 1}));
  EXPECT_EQ(state[3].second.shape(), (Shape{1, 3}));
  EXPECT_EQ(state[5].first, "state.1.variance");
  nn::Linear net(2, 2);
  EXPECT_THROW(Adafactor(net.parameters(), {.eps = {-0.5, 1}}), ValueError);
  EXPECT_THROW(Adafactor(net.parameters(), {.beta2_decay = 0.1}), ValueError);
  EXPECT_THROW(Adafactor(net.parameters(), {.d = 0.5}), ValueError);
}

// Two numbers of Rosenbrock's valley.
struct Valley {
  Parameter x{tensor({-1.2, 1.0})};
  int evaluations = 0;
  ParameterList list() const {
    ParameterList out;
    out.push_back(x);
    return out;
  }
  Tensor loss() {
    ++evaluations;
    const Tensor a = slice(x, 0, {0, 1}), b = slice(x, 0, {1, 2});
    return sum(100 * square(b - square(a)) + square(1 - a));
  }
};

TEST(GeneralOptimizers, LbfgsFindsTheEndOfTheValley) {
  Valley valley;
  LBFGS optimizer(
      valley.list(),
      {.max_iter = 100, .tolerance_change = 1e-14, .line_search_fn = LineSearch::kStrongWolfe});
  const double before = optimizer.step([&] { return valley.loss(); }).item();
  EXPECT_NEAR(before, 24.2, 1e-12);
  EXPECT_LT(valley.loss().item(), 1e-16);
  expect_near(valley.x, {1, 1}, 1e-8);
  EXPECT_LE(valley.evaluations, 60);
  // At its end it stays.
  const Numbers there = numbers(valley.x);
  for (int i = 0; i < 3; ++i) optimizer.step([&] { return valley.loss(); });
  expect_near(valley.x, {1, 1}, 1e-8);
  EXPECT_EQ(optimizer.steps(), 4);
}

TEST(GeneralOptimizers, LbfgsGoesOnToTheSameBits) {
  for (const LineSearch search : {LineSearch::kNone, LineSearch::kStrongWolfe}) {
    const LBFGSOptions o{.lr = search == LineSearch::kNone ? 1e-3 : 1.0,
                         .max_iter = 3,
                         .history_size = 4,
                         .line_search_fn = search};
    Valley a, b;
    LBFGS first(a.list(), o), second(b.list(), o);
    for (int i = 0; i < 4; ++i) first.step([&] { return a.loss(); });
    second.load_state_dict(first.state_dict());
    b.x = a.x.tensor();
    EXPECT_EQ(second.steps(), 4);
    for (int i = 0; i < 3; ++i) {
      first.step([&] { return a.loss(); });
      second.step([&] { return b.loss(); });
    }
    EXPECT_EQ(numbers(a.x), numbers(b.x));
    EXPECT_EQ(numbers(first.state_dict()), numbers(second.state_dict()));
    // What does not fit changes nothing.
    StateDict state = first.state_dict();
    const Numbers before = numbers(second.state_dict());
    state.back().second = zeros({3}, kF64);
    EXPECT_THROW(second.load_state_dict(state), Error);
    state.pop_back();
    EXPECT_THROW(second.load_state_dict(state), Error);
    state = first.state_dict();
    state.emplace_back("lbfgs.more", tensor(1));
    EXPECT_THROW(second.load_state_dict(state), Error);
    EXPECT_EQ(numbers(second.state_dict()), before);
  }
}

TEST(GeneralOptimizers, LbfgsThatFailsLeavesTheStart) {
  Valley valley;
  LBFGS optimizer(valley.list(), {.line_search_fn = LineSearch::kStrongWolfe});
  EXPECT_TRUE(message_of([&] { optimizer.step({ones({2}, kF64)}); })
                  .starts_with("lbfgs: gradients are not enough: step(loss) with the loss as a "
                               "function at general_test.cpp:"));
  const Numbers before = numbers(valley.x);
  const auto failing = [&]() -> Tensor {
    if (valley.evaluations == 5) throw std::runtime_error("no more");
    return valley.loss();
  };
  EXPECT_THROW(optimizer.step(failing), std::runtime_error);
  EXPECT_EQ(numbers(valley.x), before);
  EXPECT_EQ(optimizer.steps(), 0);
  EXPECT_EQ(optimizer.state_dict().size(), 8u) << "it remembers what it has not done";
  EXPECT_THROW(optimizer.step(Loss()), Error);
  // Of a loss that is no number it goes nowhere.
  optimizer.step([&] { return sum(valley.x.tensor()) * NAN; });
  for (const double limit : {0.0, -1.0, static_cast<double>(NAN)})
    EXPECT_THROW(optimizer.set_option("max_iter", limit), ValueError);
}

TEST(GeneralOptimizers, LookaheadIsItsFormula) {
  nn::Linear a = (manual_seed(1), nn::Linear(3, 2)), b = a;
  SGD plain(a.parameters(), {.lr = 0.1, .momentum = 0.9}),
      base(b.parameters(), {.lr = 1, .momentum = 0.9});
  Lookahead ahead(base, {.alpha = 0.25, .k = 3});
  ahead.set_lr(0.1);
  EXPECT_EQ(base.lr(), 0.1);
  EXPECT_EQ(ahead.option("momentum"), 0.9);
  EXPECT_EQ(ahead.option("alpha"), 0.25);
  Tensor slow = a.weight;
  for (int i = 0; i < 7; ++i) {
    const Tensor x = full({2, 3}, i + 1);
    plain.step(gradients(mean(square(a(x))), a.parameters()));
    ahead.step(gradients(mean(square(b(x))), b.parameters()));
    if (i % 3 == 2) {
      slow = slow + (a.weight - slow) * 0.25;
      a.weight = slow;
      a.bias = b.bias.tensor();
    }
    EXPECT_EQ(numbers(a.weight), numbers(b.weight)) << i;
  }
  EXPECT_EQ(ahead.steps(), 7);
  EXPECT_EQ(base.steps(), 7);
  EXPECT_THROW(Lookahead(base, {.alpha = 1.5}), ValueError);
  EXPECT_THROW(Lookahead(base, {.k = 0}), ValueError);
  LBFGS lbfgs(b.parameters());
  EXPECT_EQ(message_of([&] { Lookahead wrong(lbfgs); }),
            "lookahead: around an optimizer that needs the loss itself");
}

TEST(GeneralOptimizers, SamStepsByTheGradientsNearby) {
  for (const bool adaptive : {false, true}) {
    Parameter x(tensor({1.2, -0.7, 0.5}));
    ParameterList list;
    list.push_back(x);
    SGD base(list, {.lr = 0.02});
    SAM sam(base, {.rho = 0.2, .adaptive = adaptive});
    Numbers p = numbers(x);
    for (int step = 0; step < 5; ++step) {
      const double before = sam.step([&] { return sum(square(square(x) - 1)); }).item();
      const auto slope = [](double v) { return 4 * v * (v * v - 1); };
      double loss = 0, norm = 0;
      for (const double v : p) {
        loss += (v * v - 1) * (v * v - 1);
        norm += std::pow((adaptive ? std::abs(v) : 1) * slope(v), 2);
      }
      EXPECT_NEAR(before, loss, 1e-12);
      for (double& v : p) {
        const double there =
            v + 0.2 / (std::sqrt(norm) + 1e-12) * (adaptive ? v * v : 1) * slope(v);
        v -= 0.02 * slope(there);
      }
    }
    expect_near(x, p);
    EXPECT_EQ(base.steps(), 5);
    EXPECT_THROW(sam.step({zeros({3}, kF64)}), Error);
    const Numbers now = numbers(x);
    int calls = 0;
    EXPECT_THROW(sam.step([&]() -> Tensor {
      if (++calls == 2) throw std::runtime_error("no more");
      return sum(square(x));
    }),
                 std::runtime_error);
    EXPECT_EQ(numbers(x), now);
  }
}

TEST(GeneralOptimizers, AveragesAreTheirFormulas) {
  Parameter x(tensor({1.0, 2.0}));
  ParameterList list;
  list.push_back(x);
  AveragedParameters ema(list, {.decay = 0.75}), swa(list, {.decay = {}});
  EXPECT_EQ(numbers(ema.values()[0]), (Numbers{1, 2}));
  for (const double v : {4.0, 8.0, 12.0}) {
    x = tensor({v, -v});
    ema.update();
    swa.update();
  }
  expect_near(ema.values()[0], {6.75, -6.75});  // 4, 5, 6.75
  expect_near(swa.values()[0], {8, -8});
  ema.swap();
  expect_near(x, {6.75, -6.75});
  expect_near(ema.values()[0], {6.75, -6.75});
  EXPECT_THROW(ema.update(), Error);
  EXPECT_THROW(ema.state_dict(), Error);
  ema.swap();
  expect_near(x, {12, -12});
  AveragedParameters other(list, {.decay = 0.75});
  other.load_state_dict(ema.state_dict());
  EXPECT_EQ(other.n_averaged(), 3);
  EXPECT_EQ(numbers(other.values()[0]), numbers(ema.values()[0]));
  EXPECT_THROW(other.load_state_dict({{"n_averaged", tensor(int64_t{1})}}), Error);
  EXPECT_THROW(other.load_state_dict({}), Error);
  EXPECT_THROW(AveragedParameters(list, {.decay = 1.5}), ValueError);
  EXPECT_THROW(AveragedParameters(list, {.decay = NAN}), ValueError);
}

// What is read in the midst of steps that are computed later is what it would be without them.
TEST(GeneralOptimizers, DeferredStepsMayBeReadInBetween) {
  const auto run = [](bool deferred) {
    Parameter x(tensor({1.0, 2.0}) + 0), y(tensor({3.0}) + 0);
    ParameterList list;
    list.push_back(x);
    list.push_back(y);
    Adam optimizer(list, {.lr = 0.1});
    Numbers seen;
    for (int i = 0; i < 3; ++i) {
      std::optional<DeferredSteps> together;
      if (deferred) together.emplace();
      for (int k = 0; k < 2; ++k) {
        optimizer.step([&] { return sum(square(x * y - 1)); });
        const Numbers now = numbers(x);
        seen.insert(seen.end(), now.begin(), now.end());
      }
      if (together) together->finish();
    }
    for (const double v : numbers(optimizer.state_dict())) seen.push_back(v);
    return seen;
  };
  EXPECT_EQ(run(true), run(false));
}

// The same of any operation with several results, whose operand only it knows.
TEST(GeneralOptimizers, OneResultReadLeavesTheOthers) {
  const auto sorted = [] {
    Tensor x = tensor({3.0, 1.0, 2.0}) * 2.0;
    eval(x);
    return sort(std::move(x), 0);
  };
  const auto [values, order] = sorted();
  EXPECT_EQ(numbers(values * 1.5 + 1), (Numbers{4, 7, 10}));
  EXPECT_EQ(numbers(order), (Numbers{1, 2, 0}));
}

// A rule of a user's own, with state of other shapes than the parameter's: a matrix is stepped by
// its gradient with inverse roots of what its rows and columns have seen (after Gupta et al. 2018,
// on the diagonals).
class Diagonals final : public Optimizer {
 public:
  explicit Diagonals(const ParameterList& parameters) : Optimizer("diagonals", {"lr"}) {
    add_group(parameters, {0.1});
  }

 private:
  void check(const Options& o) const override { check_range(o, 0, 0, 10); }
  std::vector<State> states(const Options&, const Shape& shape) const override {
    return {{"left", {shape[0], 1}, 1e-4}, {"right", {1, shape[1]}, 1e-4}};
  }
  void update(Slots slots, std::span<const Tensor> gradients, const Where&) override {
    for (size_t i = 0; i < slots.size(); ++i) {
      Slot& slot = *slots[i];
      const Tensor left = slot.state[0] + sum(square(gradients[i]), {1}, true);
      const Tensor right = slot.state[1] + sum(square(gradients[i]), {0}, true);
      slot.state[0].set(left);
      slot.state[1].set(right);
      slot.parameter.set(slot.parameter.tensor() -
                         options(slot)[0] * gradients[i] * pow(left * right, -0.25));
    }
  }
};

// ---- What holds for all -------------------------------------------------------------------------

struct Net : nn::Module {
  nn::Linear in{4, 6, {.bias = false}}, out{6, 3, {.bias = false}};
  Tensor operator()(const Tensor& x) const { return out(tanh(in(x))); }
  GLIA_FIELDS(in, out)
};

// Makes an optimizer of some parameters, and keeps what it stands around.
using Maker = std::function<std::shared_ptr<Optimizer>(const ParameterList&)>;
template <class Wrapping>
Maker around_adam() {
  return [](const ParameterList& list) {
    struct Both {
      explicit Both(const ParameterList& p) : base(p, {.lr = 0.02}), outer(base) {}
      Adam base;
      Wrapping outer;
    };
    const auto both = std::make_shared<Both>(list);
    return std::shared_ptr<Optimizer>(both, &both->outer);
  };
}
template <class O, class Options>
Maker plain(const Options& options) {
  return [options](const ParameterList& list) { return std::make_shared<O>(list, options); };
}

const std::vector<std::pair<std::string, Maker>>& makers() {
  static const std::vector<std::pair<std::string, Maker>> all{
      {"muon", plain<Muon>(MuonOptions{.lr = 0.05})},
      {"adafactor", plain<Adafactor>(AdafactorOptions{.lr = 0.1})},
      {"lbfgs", plain<LBFGS>(LBFGSOptions{.lr = 0.5, .max_iter = 3})},
      {"lbfgs_wolfe",
       plain<LBFGS>(LBFGSOptions{.max_iter = 3, .line_search_fn = LineSearch::kStrongWolfe})},
      {"lookahead", around_adam<Lookahead>()},
      {"sam", around_adam<SAM>()},
      {"nadam", plain<NAdam>(NAdamOptions{.lr = 0.01})},
      {"radam", plain<RAdam>(RAdamOptions{.lr = 0.1})},
      {"adamax", plain<Adamax>(AdamaxOptions{.lr = 0.01})},
      {"adadelta", plain<Adadelta>(AdadeltaOptions{})},
      {"rmsprop", plain<RMSprop>(RMSpropOptions{.momentum = 0.9, .centered = true})},
      {"rprop", plain<Rprop>(RpropOptions{})},
      {"lion", plain<Lion>(LionOptions{.lr = 0.01})},
      {"asgd", plain<ASGD>(ASGDOptions{.lr = 0.3, .t0 = 5})},
      {"lars", plain<LARS>(LARSOptions{.lr = 1, .momentum = 0.9, .always_adapt = true})},
      {"lamb", plain<LAMB>(LAMBOptions{.lr = 0.02})},
      {"shampoo", plain<Shampoo>(ShampooOptions{.lr = 0.1, .momentum = 0.5, .update_freq = 3})},
      {"own", [](const ParameterList& list) { return std::make_shared<Diagonals>(list); }},
  };
  return all;
}

class AllOptimizers : public training::Training {};

TEST_F(AllOptimizers, TrainAndGoOnAfterAKill) {
  for (const auto& [name, make] : makers()) {
    SCOPED_TRACE(name);
    struct Run {
      explicit Run(const Maker& make) : optimizer(make(net.parameters())) {
        optimizer->set_schedule(step_lr(optimizer->lr(), 9, 0.5));
      }
      data::Dataset<2> training = training::points().shuffle(1).batch(25);
      Net net = (manual_seed(3), Net());
      std::shared_ptr<Optimizer> optimizer;
      training::Trainer trainer{
          training::supervised(
              net, *optimizer,
              [this](const data::Sample& b) -> training::Outcome {
                const Tensor logits = net(b[0]);
                return {cross_entropy(logits, b[1]), {{"accuracy", sum(argmax(logits) == b[1])}}};
              }),
          {.epochs = 5}};
      Numbers all() {
        Numbers out = numbers(net.state_dict());
        for (const double x : numbers(optimizer->state_dict())) out.push_back(x);
        for (const auto& e : trainer.history())
          for (const auto& [key, value] : e.values) out.push_back(value);
        return out;
      }
    };
    Run whole(make);
    whole.trainer.fit(whole.training);
    EXPECT_LT(training::value_of(whole.trainer.history()[4].values, "train_loss"),
              0.97 * training::value_of(whole.trainer.history()[0].values, "train_loss"));
    for (const int64_t cut : {1, 5, 12}) {
      {
        Run killed(make);
        killed.trainer.add(training::checkpoints(file("checkpoint"), cut));
        killed.trainer.add({.on_step = [&](training::Trainer& t) {
          if (t.step() == cut) throw std::runtime_error("killed");
        }});
        EXPECT_THROW(killed.trainer.fit(killed.training), std::runtime_error);
      }
      Run resumed(make);
      resumed.trainer.load(file("checkpoint"));
      resumed.trainer.fit(resumed.training);
      EXPECT_EQ(resumed.all(), whole.all()) << "killed after step " << cut;
    }
  }
}

TEST_F(AllOptimizers, LeaveFrozenParametersAndThoseWithoutAGradient) {
  for (const auto& [name, make] : makers()) {
    SCOPED_TRACE(name);
    Net net = (manual_seed(3), Net());
    const auto optimizer = make(net.parameters());
    const Tensor x = randn({5, 4});
    net.in.freeze();
    const Numbers frozen = numbers(net.in.weight), moving = numbers(net.out.weight);
    for (int i = 0; i < 2; ++i) optimizer->step([&] { return mean(square(net(x) - 1)); });
    EXPECT_EQ(numbers(net.in.weight), frozen);
    EXPECT_NE(numbers(net.out.weight), moving);
    if (optimizer->needs_loss()) continue;
    net.in.unfreeze();
    const Numbers still = numbers(net.out.weight);
    optimizer->step({ones({6, 4}), Tensor()});
    EXPECT_NE(numbers(net.in.weight), frozen);
    EXPECT_EQ(numbers(net.out.weight), still);
    EXPECT_THROW(optimizer->step({ones({6, 4})}), ShapeError);
    EXPECT_THROW(optimizer->step({ones({6, 4}), ones({2, 2})}), ShapeError);
  }
}

// Row-sparse gradients are as good as dense ones where every row changes.
TEST_F(AllOptimizers, TakeSparseGradientsAsDenseOnes) {
  for (const auto& [name, make] : makers()) {
    SCOPED_TRACE(name);
    Numbers results[2];
    for (const bool sparse : {false, true}) {
      nn::Embedding table = (manual_seed(2), nn::Embedding(6, 3, {.sparse = sparse}));
      const auto optimizer = make(table.parameters());
      for (int i = 0; i < 3; ++i)
        optimizer->step([&] { return sum(square(table(tensor<int64_t>({1, 4, 1})) - 0.5)); });
      results[sparse] = numbers(table.weight);
    }
    for (size_t i = 0; i < results[0].size(); ++i)
      EXPECT_NEAR(results[0][i], results[1][i], 1e-6 * std::max(1.0, std::abs(results[0][i])));
  }
}

}  // namespace
}  // namespace glia::optim
