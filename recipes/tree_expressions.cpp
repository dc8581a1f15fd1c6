// A Tree-LSTM evaluates expressions that are deeper than those it was trained on.
#include <fmt/format.h>

#include <algorithm>

#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "recipes/src/expressions.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEvaluations = 10, kTests = 200, kOperators = 3, kTestSeed = 1 << 20;

struct ExpressionSettings : TrainingSettings {
  int64_t modulus = 0, depth = 0, test_depth = 0, hidden = 0, steps = 0, batch = 0;
  double lr = 0;

  void declare(Fields& f) override {
    f(modulus, "modulus", 3, "Numbers are below it, and values modulo it.", {2, 10});
    f(depth, "depth", 4, "Of the deepest expressions that are trained on.", {1, 12});
    f(test_depth, "test-depth", depth + 4, "Of the deepest ones in the test.", {1, 16});
    f(hidden, "hidden", 64, "Width of the network.", {1, 4096});
    f(steps, "steps", 1500, "Steps of training.", {1, 1e9});
    f(batch, "batch", 128, "Expressions in each step.", {1, 100000});
    f(lr, "lr", 0.01, "Highest learning rate of the one-cycle schedule (Adam).", {0, 1000});
    TrainingSettings::declare(f);
  }
};

struct Net : nn::Module {
  explicit Net(const ExpressionSettings& s)
      : embedding(s.modulus + kOperators, s.hidden),
        tree(2, s.hidden, s.hidden),
        out(s.hidden, s.modulus) {}
  // The values' logits of every node (nodes, modulus).
  Tensor operator()(const ExpressionBatch& b) const {
    return out(tree(embedding(b.tokens), b.forest).h);
  }
  nn::Embedding embedding;
  nn::NaryTreeLSTM tree;
  nn::Linear out;
  GLIA_FIELDS(embedding, tree, out)
};

// Depths from `least` to `most`, in turn.
std::vector<Expression> drawn(const ExpressionSettings& s, int64_t least, int64_t most,
                              int64_t count, uint64_t seed, uint64_t step) {
  data::Random random(seed, step);
  std::vector<Expression> out;
  for (int64_t i = 0; i < count; ++i)
    out.push_back(draw_expression(s.modulus, least + i % (most - least + 1), random));
  return out;
}

// The share whose value is right, by their depths from `least` on.
std::vector<double> right(const Net& net, const ExpressionSettings& s, int64_t least, int64_t most,
                          int64_t count) {
  const NoGrad no_grad;
  std::vector<double> shares;
  for (int64_t depth = least; depth <= most; ++depth) {
    const auto batch = batch_of(drawn(s, depth, depth, count, kTestSeed, depth));
    const Tensor roots = batch.forest.roots(), found = take(argmax(net(batch)), roots);
    shares.push_back(mean(cast(found == take(batch.values, roots), kF32)).item());
  }
  return shares;
}
double mean_of(const std::vector<double>& all) {
  double sum = 0;
  for (const double x : all) sum += x / static_cast<double>(all.size());
  return sum;
}

void train(Run& run, const ExpressionSettings& s) {
  if (s.test_depth <= s.depth) throw Error("--test-depth is not above --depth");
  Net net(s);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.steps));
  const auto seed = static_cast<uint64_t>(s.seed);
  training::Task task = training::supervised(
      net, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const auto batch =
            batch_of(drawn(s, 1, s.depth, s.batch, seed, static_cast<uint64_t>(optimizer.steps())));
        return {cross_entropy(net(batch), batch.values), {}, s.batch};
      },
      {.clip_norm = 1});
  const auto judge = [&] { return right(net, s, s.depth + 1, s.test_depth, kTests); };
  task.evaluate = [&]() -> training::Values { return {{"test_exact", mean_of(judge())}}; };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.say(fmt::format("tree-expressions: depths 1 to {}, results in {}", s.depth, run.folder()));
  run.fit(trainer, "expressions");
  run.save(net.state_dict());
  net.eval();
  const std::vector<double> shares = judge();
  report::Table table{{{"depth"}, {"exact"}}, {}};
  for (size_t i = 0; i < shares.size(); ++i)
    table.rows.push_back({s.depth + 1 + static_cast<int64_t>(i), shares[i]});
  run.finish(
      {.title = "Expressions by a Tree-LSTM",
       .subtitle = fmt::format("Trained by {} on depths 1 to {}", version(), s.depth),
       .sections = {curve(trainer, "Loss: cross-entropy of every node's value", "train_loss"),
                    curve(trainer, "Right values at depths that were not trained on", "test_exact",
                          {"epoch"}, {.name = "exact", .percent = true}),
                    {"By depth", table}}},
      {{"test_exact", mean_of(shares), true}, {"parameters", net.parameter_count()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const ExpressionSettings& s) : settings_(s), net_(s) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& text = text_of(input, "there is no expression");
    const Expression e = read_expression(text, settings_.modulus);
    const auto batch = batch_of({e});
    const Tensor p = index(softmax(net_(batch)), {batch.forest.roots().item<int64_t>()});
    return {{"value", argmax(p).item<int64_t>()},
            {"probability", max(p).item()},
            {"read_as", e.text()},
            {"right", e.values.back()}};
  }
  Results score(const Evaluation& what) const override {
    const int64_t count = what.count > 0 ? std::min<int64_t>(what.count, 100000) : kTests;
    const bool seen = what.split == "train";
    const auto& s = settings_;
    return {{"exact",
             mean_of(right(net_, s, seen ? 1 : s.depth + 1, seen ? s.depth : s.test_depth, count)),
             true}};
  }

 private:
  const ExpressionSettings settings_;
  Net net_;
};

const Register<ExpressionSettings> tree_expressions({
    .name = "tree-expressions",
    .task = "trees",
    .description = "A Tree-LSTM evaluates expressions deeper than those it has seen.",
    .references = [](const ExpressionSettings&) -> std::vector<Reference> {
      return {{"test_exact", 1, "all of them, at depths that were not trained on"}};
    },
    .train = train,
    .load = make_predictor<Use, ExpressionSettings>,
    .input = "EXPRESSION",
    .input_help = "Such as \"(1 + 2) * 3\".",
    .predict_help = "Prints the value, modulo --modulus.",
    .evaluate_help = "Prints the share of right values, of --count expressions at each depth.",
});

}  // namespace
}  // namespace glia::recipes
