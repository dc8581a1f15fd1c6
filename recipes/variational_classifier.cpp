// Classes by a quantum circuit: weights that are learned, with the data in every layer
// (Perez-Salinas et al. 2020), or a kernel of states for a support vector machine (Havlicek et al.
// 2019).
#include <fmt/format.h>

#include <filesystem>
#include <numbers>

#include "glia/classic/svm.h"
#include "glia/glia.h"
#include "glia/quantum/templates.h"
#include "glia/recipes/run.h"
#include "recipes/src/numbers.h"
#include "recipes/src/quantum_data.h"

namespace glia::recipes {
namespace {

struct ClassifierSettings : TrainingSettings {
  QuantumData data;
  std::string model, embedding;
  int64_t layers = 0, epochs = 0, batch = 0;
  double lr = 0, c = 0;

  void declare(Fields& f) override {
    data.declare(f);
    f(model, "model", data.name == "ad-hoc" ? "kernel" : "variational",
      "Weights that are learned, or a kernel for a support vector machine.",
      {{"variational", "kernel"}});
    f(embedding, "embedding", model == "kernel" ? "zz" : "angle", "How data become states.",
      {{"angle", "iqp", "zz"}});
    f(layers, "layers", 4, "Layers of the circuit.", {1, 100});
    f(epochs, "epochs", 40, "Passes over the samples.", {1, 100000});
    f(batch, "batch", 16, "Samples in each step.", {1, 1e6});
    f(lr, "lr", 0.05, "Learning rate (Adam).", {0, 1000});
    f(c, "C", 10, "What a wrong side costs, of the kernel's machine.", {1e-9, 1e9});
    TrainingSettings::declare(f);
    data.seed = seed;
  }
};

std::vector<quantum::Operation> embedded(const Tensor& x, const std::string& how) {
  const quantum::Wires wires = quantum::range(x.size(-1));
  if (how == "iqp") return quantum::IQPEmbedding(x, wires);
  return how == "zz" ? quantum::ZZFeatureMap(x, wires) : quantum::AngleEmbedding(x, wires, 'Y');
}

struct Network : nn::Module {
  quantum::QNode circuit;
  nn::Linear head;
  Network(const ClassifierSettings& s, int64_t wires, int64_t classes)
      : circuit(wires, {s.layers, wires, 3},
                [how = s.embedding](quantum::Circuit& c, const Tensor& x, const Tensor& w) {
                  std::vector<quantum::Observable> z;
                  for (int64_t i = 0; i < c.wires(); ++i) z.push_back(quantum::Z(i));
                  for (int64_t layer = 0; layer < w.size(0); ++layer) {
                    c.add(embedded(x, how));
                    c.add(quantum::StronglyEntanglingLayers(slice(w, 0, Slice{layer, layer + 1}),
                                                            quantum::range(c.wires())));
                  }
                  return c.expval(z);
                }),
        head(wires, classes) {}
  Tensor operator()(const Tensor& x) const { return head(circuit(x)); }
  GLIA_FIELDS(circuit, head)
};

Complex states(const Tensor& x, const ClassifierSettings& s) {
  quantum::Circuit c(x.size(1));
  c.add(embedded(cast(x, kF64), s.embedding));
  return c.state();
}
classic::SVC machine(const ClassifierSettings& s) {
  return classic::SVC({{.kernel = classic::SvmKernel::kPrecomputed}, s.c});
}

// What either model says of samples, (N) i64.
class Model {
 public:
  Model(const ClassifierSettings& s, int64_t wires, int64_t classes)
      : settings(s), network(s, wires, classes), svm(machine(s)) {}
  bool is_kernel() const { return settings.model == "kernel"; }
  Tensor operator()(const Tensor& x) const {
    if (!is_kernel()) return argmax(network(x), 1);
    return svm.predict(quantum::kernel_matrix(states(x, settings), states(support, settings)));
  }
  double accuracy(const QuantumSamples& samples) const {
    return mean(cast((*this)(samples.x) == samples.y, kF64)).item();
  }
  StateDict state_dict() const {
    if (!is_kernel()) return network.state_dict();
    StateDict out = svm.state_dict();
    out.emplace_back("samples", support);
    return out;
  }
  void load(const io::NamedTensors& weights, const std::string& path) {
    if (!is_kernel()) {
      network.load_state_dict(weights);
      return;
    }
    StateDict rest;
    for (const auto& [name, value] : weights)
      if (name == "samples")
        support = value;
      else
        rest.emplace_back(name, value);
    if (!support.defined() || support.rank() != 2) throw IoError(path + ": holds no samples");
    svm.load_state_dict(rest);
  }

  const ClassifierSettings settings;
  Network network;
  classic::SVC svm;
  Tensor support;  // the samples that the machine learned from
};

void train(Run& run, const ClassifierSettings& s) {
  const auto [form, training, test] = s.data.read();
  const int64_t wires = training.x.size(1), classes = static_cast<int64_t>(form.classes.size());
  if (wires > 12) throw Error(fmt::format("{} wires; --wires 12 or fewer", wires));
  run.say(
      fmt::format("variational-classifier: {}, {} samples to train on and {} to test on, {} "
                  "wires; results in {}",
                  s.data.name, training.y.size(0), test.y.size(0), wires, run.folder()));
  Model model(s, wires, classes);
  std::vector<report::Section> sections;
  if (model.is_kernel()) {
    model.support = training.x;
    const Complex own = states(training.x, s);
    model.svm.fit(quantum::kernel_matrix(own, own), training.y);
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
  drawn.add(embedded(index(training.x, {0}), s.embedding));
  sections.push_back(
      {"Circuit of a sample's data", report::Texts{{{"", {{drawn.str()}}}}}, "", true});
  if (wires == 2)
    sections.push_back(
        {"Samples to test on, by the class that is told",
         report::Scatter{{{test.x, model(test.x).to_vector<int64_t>()}}, form.classes}});
  run.finish({.title = "Quantum classifier, " + s.data.name,
              .subtitle = fmt::format("{} on {} wires by {}", s.model, wires, version()),
              .sections = sections},
             {{"accuracy", model.accuracy(test), true},
              {"train_accuracy", model.accuracy(training), true}});
}

class Judge : public Predictor {
 public:
  Judge(const Saved& saved, const ClassifierSettings& s)
      : settings_(s),
        form_(QuantumForm::of(saved)),
        model_(s, form_.wires(), static_cast<int64_t>(form_.classes.size())) {
    model_.load(saved.weights, saved.path);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto numbers = numbers_of(input, form_.features(), "a sample");
    const Tensor x = form_.prepared(from_vector(numbers, {1, form_.features()}));
    const auto found = static_cast<size_t>(model_(x).item<int64_t>());
    return {{"class", form_.classes.at(found)}};
  }
  Results score(const Evaluation& what) const override {
    const auto samples = settings_.data.read();
    return {
        {"accuracy", model_.accuracy(what.split == "train" ? samples.train : samples.test), true}};
  }

 private:
  const ClassifierSettings settings_;
  const QuantumForm form_;
  Model model_;
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
      if (s.data.name != "ad-hoc" || s.model != "kernel") return {};
      return {{"accuracy", 1.0, "Havlicek et al. 2019"}};
    },
    .train = train,
    .load = make_predictor<Judge, ClassifierSettings>,
    .input = "SAMPLE",
    .input_help = "The features of a sample, \"5.1, 3.5, 1.4, 0.2\".",
    .predict_help = "Prints the class.",
    .evaluate_help = "Prints the accuracy on the data of the run.",
});

}  // namespace
}  // namespace glia::recipes
