// Recurrent networks on tasks that need a memory.
#include <fmt/format.h>

#include <algorithm>

#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/language_model.h"
#include "recipes/src/numbers.h"
#include "recipes/src/predictors.h"
#include "recipes/src/sequence_tasks.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEvaluations = 10, kTestBatch = 250;

struct SequenceSettings : TrainingSettings {
  std::string task, model;
  int64_t length = 0, hidden = 0, layers = 0, steps = 0, batch = 0;
  double lr = 0;

  void declare(Fields& f) override {
    f(task, "task", "adding", "What is to be remembered.",
      {{"adding", "copy", "row-fashion-mnist"}});
    f(model, "model", "gru", "The kind of network.",
      {{"gru", "lstm", "rnn", "peephole-lstm", "layer-norm-lstm"}});
    f(length, "length", task == "copy" ? 10 : 100, "Steps of adding, or between copies.",
      {2, 100000});
    f(hidden, "hidden", 128, "Width of the network.", {1, 8192});
    f(layers, "layers", 1, "Layers.", {1, 100});
    f(steps, "steps", task == "row-fashion-mnist" ? 4000 : 3000, "Steps of training.", {1, 1e9});
    f(batch, "batch", task == "row-fashion-mnist" ? 128 : 64, "Sequences in each step.",
      {1, 100000});
    f(lr, "lr", task == "copy" ? 0.005 : 0.002,
      "Highest learning rate of the one-cycle schedule (Adam).", {0, 1000});
    TrainingSettings::declare(f);
  }
};

struct Net : nn::Module {
  Net(const SequenceSettings& s, const SequenceTask& task)
      : answers(task.answers),
        body(s.model, task.inputs, s.hidden, {.num_layers = s.layers}),
        out(s.hidden, task.outputs) {}
  // (N, T, inputs) -> (N, outputs), or (N, M, outputs).
  Tensor operator()(const Tensor& x) const {
    const Tensor y = out(index(body(x).out, {Slice{}, Slice{-answers}}));
    return answers == 1 ? squeeze(y, 1) : y;
  }
  int64_t answers;
  text::RecurrentNet body;
  nn::Linear out;
  GLIA_FIELDS(body, out)
};

Tensor loss_of(const SequenceTask& task, const Tensor& y, const Tensor& target) {
  return task.regression ? mse_loss(squeeze(y, -1), target) : cross_entropy(y, target);
}
// Which answers are right; sums to 0.04, as papers count.
Tensor right(const SequenceTask& task, const Tensor& y, const Tensor& target) {
  return task.regression ? abs(squeeze(y, -1) - target) < 0.04 : argmax(y) == target;
}

// The loss and the share of right answers.
std::pair<double, double> judge(const Net& net, const SequenceTask& task,
                                const SequenceBatch& all) {
  const NoGrad no_grad;
  double loss = 0, share = 0;
  const int64_t count = all.x.size(0);
  for (int64_t i = 0; i < count; i += kTestBatch) {
    const Slice part{i, std::min(count, i + kTestBatch)};
    const Tensor y = net(slice(all.x, 0, part)), target = slice(all.target, 0, part);
    const double weight = static_cast<double>(part.stop - i) / static_cast<double>(count);
    loss += weight * loss_of(task, y, target).item();
    share += weight * mean(cast(right(task, y, target), kF32)).item();
  }
  return {loss, share};
}

void train(Run& run, const SequenceSettings& s) {
  const SequenceTask task = sequence_task(s.task, s.length);
  const SequenceBatch test = task.test();
  Net net(s, task);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.steps));
  training::Task steps =
      training::supervised(net, optimizer,
                           [&](const data::Sample&) -> training::Outcome {
                             const SequenceBatch b = task.draw(s.batch);
                             return {loss_of(task, net(b.x), b.target), {}, s.batch};
                           },
                           {.clip_norm = 1});
  steps.evaluate = [&]() -> training::Values {
    const auto [loss, share] = judge(net, task, test);
    return {{"test_loss", loss}, {"test_accuracy", share}};
  };
  training::Trainer trainer(steps, {.steps = s.steps,
                                    .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                    .note = run.note()});
  run.say(fmt::format("{}: {}, {} parameters, results in {}", s.task, s.model,
                      report::shown(net.parameter_count()), run.folder()));
  run.fit(trainer, "sequences");
  run.save(net.state_dict());
  const auto& last = trainer.history().back().values;
  const Result loss{"test_loss", training::value_of(last, "test_loss")};
  const Result share{"test_accuracy", training::value_of(last, "test_accuracy"), true};
  const bool adding = task.regression;
  run.finish(
      {.title = "Sequences: " + s.task,
       .subtitle = fmt::format("{}, trained by {} for {} steps", s.model, version(), s.steps),
       .sections = {curves(trainer, "Loss", "loss"),
                    curve(trainer, "Right answers", "test_accuracy", {"epoch"},
                          {.name = "accuracy", .percent = true})}},
      {adding ? loss : share, adding ? share : loss, {"trivial_loss", task.trivial_loss}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const SequenceSettings& s)
      : task_(sequence_task(s.task, s.length)), net_(s, task_) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

  Computation computation() const override {
    return computation_of(
        net_, [this](const Tensor& x) { return net_(x); }, zeros({1, task_.steps, task_.inputs}),
        "sequences", "answers");
  }

 protected:
  Results answer(const Input& input) const override {
    const auto numbers = numbers_of(input, task_.steps * task_.inputs, "a sequence");
    const Tensor x = from_vector(std::vector<float>(numbers.begin(), numbers.end()),
                                 {1, task_.steps, task_.inputs});
    const Tensor y = net_(x);
    return {{"answer", task_.regression ? y : argmax(y)}};
  }
  Results score(const Evaluation& what) const override {
    what.require("data that are drawn");
    const auto [loss, share] = judge(net_, task_, task_.test());
    return {{"loss", loss}, {"accuracy", share, true}};
  }

 private:
  const SequenceTask task_;
  Net net_;
};

const Register<SequenceSettings> sequence_tasks({
    .name = "sequence-task",
    .task = "sequences",
    .description = "Recurrent networks on tasks that need a memory.",
    .run_name = [](const SequenceSettings& s) { return s.task + "-" + s.model; },
    .references = [](const SequenceSettings& s) -> std::vector<Reference> {
      if (s.task == "adding")
        return {{"test_loss", 0.001, "the mark, where a constant answer has 0.1667"}};
      if (s.task == "copy")
        return {{"test_accuracy", 0.99, "the mark, where one without a memory has 0.125"}};
      return {{"test_accuracy", 0.88, "the mark, for a GRU"}};
    },
    .train = train,
    .load = make_predictor<Use, SequenceSettings>,
    .input = "NUMBERS",
    .input_help = "The numbers of all steps, one step after the other.",
    .predict_help = "Prints the answer.",
    .evaluate_help = "Prints the loss and the share of right answers in the test.",
});

}  // namespace
}  // namespace glia::recipes
