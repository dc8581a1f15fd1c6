// Classes by a quantum circuit: weights that are learned, with the data in every layer
// (Perez-Salinas et al. 2020), or a kernel of states for a support vector machine (Havlicek et al.
// 2019).
#include <fmt/format.h>

#include <filesystem>

#include "glia/glia.h"
#include "glia/quantum/templates.h"
#include "glia/recipes/run.h"
#include "recipes/src/classification.h"
#include "recipes/src/numbers.h"
#include "recipes/src/quantum_classifier.h"

namespace glia::recipes {
namespace {

struct ClassifierSettings : TrainingSettings {
  QuantumData data;
  QuantumChoice model;
  int64_t epochs = 0, batch = 0;
  double lr = 0;

  void declare(Fields& f) override {
    data.declare(f);
    model.declare(f, data.name == "ad-hoc" ? "kernel" : "variational");
    f(epochs, "epochs", 40, "Passes over the samples.", {1, 100000});
    f(batch, "batch", 16, "Samples in each step.", {1, 1e6});
    f(lr, "lr", 0.05, "Learning rate (Adam).", {0, 1000});
    TrainingSettings::declare(f);
    data.seed = seed;
  }
};

void train(Run& run, const ClassifierSettings& s) {
  const auto [form, training, test] = s.data.read();
  const int64_t wires = training.x.size(1), classes = static_cast<int64_t>(form.classes.size());
  if (wires > 12) throw Error(fmt::format("{} wires; --wires 12 or fewer", wires));
  run.say(
      fmt::format("variational-classifier: {}, {} samples to train on and {} to test on, {} "
                  "wires; results in {}",
                  s.data.name, training.y.size(0), test.y.size(0), wires, run.folder()));
  QuantumClassifier model(s.model, wires, classes);
  std::vector<report::Section> sections;
  if (model.is_kernel()) {
    model.fit_kernel(training);
  } else {
    auto batches = data::from_tensors(training.x, training.y)
                       .shuffle(static_cast<uint64_t>(s.seed))
                       .batch(s.batch);
    optim::Adam optimizer(model.network.parameters(), {.lr = s.lr});
    training::Trainer trainer(
        training::supervised(model.network, optimizer,
                             [&](const data::Sample& b) {
                               const Tensor logits = model.network(b[0]);
                               return training::Outcome{cross_entropy(logits, b[1])};
                             }),
        {.epochs = s.epochs, .note = run.note()});
    run.fit(trainer, batches, nullptr, "samples");
    sections.push_back(curve(trainer, "Loss", "train_loss"));
  }
  run.save(model.state_dict(), form.facts());
  quantum::Circuit drawn(wires);
  drawn.add(embedded(index(training.x, {0}), s.model.embedding));
  sections.push_back(
      {"Circuit of a sample's data", report::Texts{{{"", {{drawn.str()}}}}}, "", true});
  if (wires == 2)
    sections.push_back(
        {"Samples to test on, by the class that is told",
         report::Scatter{{{test.x, model(test.x).to_vector<int64_t>()}}, form.classes}});
  run.finish({.title = "Quantum classifier, " + s.data.name,
              .subtitle = fmt::format("{} on {} wires by {}", s.model.name, wires, version()),
              .sections = sections},
             {{"accuracy", model.accuracy(test), true},
              {"train_accuracy", model.accuracy(training), true}});
}

class Judge : public Predictor {
 public:
  Judge(const Saved& saved, const ClassifierSettings& s)
      : settings_(s),
        form_(QuantumForm::of(saved)),
        model_(s.model, form_.wires(), static_cast<int64_t>(form_.classes.size())) {
    model_.load(saved.weights, saved.path);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto numbers = numbers_of(input, form_.features(), "a sample");
    const Tensor x = form_.prepared(from_vector(numbers, {1, form_.features()}));
    if (!model_.is_kernel())
      return ranked(softmax(model_.network(x)).to_vector<double>(), form_.classes);
    const auto found = static_cast<size_t>(model_(x).item<int64_t>());
    return {{"class", form_.classes.at(found)}};
  }
  Results score(const Evaluation& what) const override {
    what.require(settings_.data.name);
    const auto samples = settings_.data.read();
    return {
        {"accuracy", model_.accuracy(what.split == "train" ? samples.train : samples.test), true}};
  }

 private:
  const ClassifierSettings settings_;
  const QuantumForm form_;
  QuantumClassifier model_;
};

const Register<ClassifierSettings> classifier({
    .name = "variational-classifier",
    .task = "quantum",
    .description = "Classes by a quantum circuit: learned weights, or a kernel of states.",
    .run_name =
        [](const ClassifierSettings& s) {
          return fmt::format("variational-classifier-{}",
                             std::filesystem::path(s.data.name).stem().string());
        },
    .references = [](const ClassifierSettings& s) -> std::vector<Reference> {
      if (s.data.name != "ad-hoc" || s.model.name != "kernel") return {};
      return {{"accuracy", 1.0, "Havlicek et al. 2019"}};
    },
    .train = train,
    .load = make_predictor<Judge, ClassifierSettings>,
    .input = "SAMPLE",
    .input_help = "The features of a sample, \"5.1, 3.5, 1.4, 0.2\".",
    .predict_help = "Prints the class and, of learned weights, the probability of each.",
    .evaluate_help = "Prints the accuracy on the data of the run.",
});

}  // namespace
}  // namespace glia::recipes
