// Curves in the plane by recurrent variational autoencoders: drawn again, gone on with, and those
// between two.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "glia/generative/sequence_vae.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/numbers.h"
#include "recipes/src/own_stream.h"

namespace glia::recipes {
namespace {

using namespace generative;

constexpr int64_t kEvaluations = 10, kTest = 500, kShown = 9;

struct CurveSettings : TrainingSettings {
  std::string model;
  int64_t count = 0, length = 0, steps = 0, batch = 0, anneal = 0, hidden = 0, latent = 0;
  double noise = 0, lr = 0;

  void declare(Fields& f) override {
    f(model, "model", "vrnn", "One z for a curve (vae), or one for each of its steps (vrnn).",
      {{"vae", "vrnn"}});
    const bool steps_too = model == "vrnn";
    f(count, "count", 5000, "Curves to train on.", {10, 1e7});
    f(length, "length", 20, "Points of each.", {4, 1000});
    f(noise, "noise", 0.02, "Deviation of what is added to each point.", {1e-4, 10});
    f(hidden, "hidden", 64, "Width of the recurrent layers.", {1, 4096});
    f(latent, "latent", steps_too ? 4 : 8, "Numbers of z.", {1, 1000});
    f(steps, "steps", 2000, "Steps of training.", {1, 1e9});
    f(anneal, "anneal", 500, "Steps in which the divergence comes to count in full.", {0, 1e9});
    f(batch, "batch", 64, "Curves in each step.", {1, 1e6});
    f(lr, "lr", 3e-3, "Rate of Adam; it falls to a twentieth along a cosine.", {0, 1e3});
    TrainingSettings::declare(f);
  }
  // Spirals of any direction, place, bend and speed, of a stream of their own: (n, length, 2).
  Tensor curves(int64_t n, uint64_t stream) const {
    const OwnStream own(stream);
    const auto each = [&](double low, double high) {
      return unsqueeze(uniform({n}, low, high), 1);
    };
    const Tensor t = unsqueeze(linspace(0, 1, length), 0);
    const Tensor angle = each(0, 2 * M_PI) + each(-5, 5) * t;
    const Tensor radius = each(0.5, 1) + each(-0.6, 0.6) * t;
    const Tensor x = each(-0.5, 0.5) + radius * cos(angle);
    const Tensor y = each(-0.5, 0.5) + radius * sin(angle);
    const Tensor clean = stack(std::vector<Tensor>{x, y}, 2);
    const Tensor out = clean + noise * randn(clean.shape());
    eval(out);
    return out;
  }
};

// Either model.
struct CurveNet : nn::Module {
  explicit CurveNet(const CurveSettings& s) {
    if (s.model == "vae")
      vae.emplace(CurveVaeOptions{.hidden = s.hidden, .latent = s.latent});
    else
      vrnn.emplace(VrnnOptions{.hidden = s.hidden, .latent = s.latent});
  }
  SequenceLoss loss(const Tensor& x, double weight = 1) const {
    return vae ? vae->loss(x, weight) : vrnn->loss(x, weight);
  }
  Tensor sample(int64_t n, int64_t length) const {
    const NoGrad no_grad;
    return vae ? vae->decode(randn({n, vae->options.latent}), length) : vrnn->sample(n, length);
  }

  std::optional<CurveVae> vae;
  std::optional<Vrnn> vrnn;
  GLIA_FIELDS(vae, vrnn)
};

report::Trajectories paths(const std::vector<std::pair<std::string, Tensor>>& all) {
  report::Trajectories out;
  for (const auto& [name, curves] : all)
    for (int64_t i = 0; i < curves.size(0); ++i) out.paths.push_back({name, index(curves, {i})});
  return out;
}

// What either model does with test curves.
std::vector<report::Section> shown(const CurveNet& net, const Tensor& test, int64_t length) {
  if (net.vrnn) {
    const Tensor some = slice(test, 0, {0, 4}), begin = slice(some, 1, {0, length / 2});
    return {{"Test curves, and how they go on after half",
             paths({{"test", some}, {"gone on", net.vrnn->sample(4, length, begin)}})}};
  }
  const Tensor some = slice(test, 0, {0, 4}), z = net.vae->encode(test).mean;
  const Tensor part = unsqueeze(linspace(0, 1, 7), 1);
  const Tensor between = slice(z, 0, {0, 1}) * (1 - part) + slice(z, 0, {1, 2}) * part;
  return {{"Test curves, and what their z say",
           paths({{"test", some}, {"again", net.vae->decode(slice(z, 0, {0, 4}), length)}})},
          {"From one curve to another", paths({{"", net.vae->decode(between, length)}})}};
}

void train(Run& run, const CurveSettings& s) {
  const Tensor training = s.curves(s.count, 1), test = s.curves(kTest, 2);
  CurveNet net(s);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::cosine(s.lr, s.steps, s.lr / 20));
  training::Task task = training::supervised(
      net, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor x = take(training, randint(0, s.count, {s.batch}));
        const SequenceLoss l = net.loss(x, kl_weight(optimizer.steps(), 0, s.anneal));
        return {l.loss, {{"kl", l.kl * static_cast<double>(s.batch)}}, s.batch};
      },
      {.clip_norm = 10});
  task.evaluate = [&]() -> training::Values {
    const NoGrad no_grad;
    const SequenceLoss l = net.loss(test);
    return {{"test_nll", l.loss.item()}, {"test_kl", l.kl.item()}};
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.say(fmt::format("curves: {}, {} parameters, results in {}", s.model,
                      report::shown(static_cast<double>(net.parameter_count())), run.folder()));
  run.fit(trainer, "curves");
  run.save(net.state_dict());
  const NoGrad no_grad;
  const auto& last = trainer.history().back().values;
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  std::vector<report::Section> sections = shown(net, test, s.length);
  sections.push_back({"Drawn curves", paths({{"", net.sample(kShown, s.length)}})});
  sections.push_back(curve(trainer, "-log p(x) at most, nats", "test_nll", x));
  sections.push_back(curve(trainer, "Divergence, nats", "test_kl", x));
  run.finish({.title = "Curves, " + s.model,
              .subtitle = fmt::format("Trained by {} for {} steps", version(), s.steps),
              .sections = sections},
             {{"test_nll", training::value_of(last, "test_nll")},
              {"test_kl", training::value_of(last, "test_kl")},
              {"parameters", net.parameter_count()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const CurveSettings& s) : settings_(s), net_(s) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const int64_t n = whole_number_of(input, "number of curves", 100000);
    return {{"curves", net_.sample(n, settings_.length)}};
  }
  Results score(const Evaluation& what) const override {
    what.require("data that are drawn");
    const Tensor x = settings_.curves(what.count > 0 ? what.count : kTest, 2);
    const SequenceLoss l = net_.loss(x);
    return {{"nll", l.loss.item()}, {"kl", l.kl.item()}};
  }

 private:
  const CurveSettings settings_;
  CurveNet net_;
};

const Register<CurveSettings> curves({
    .name = "curves",
    .task = "generation",
    .description = "Curves in the plane, by one z or by one for each step.",
    .run_name = [](const CurveSettings& s) { return "curves-" + s.model; },
    .train = train,
    .load = make_predictor<Use, CurveSettings>,
    .input = "COUNT",
    .input_help = "How many curves to draw.",
    .predict_help = "Prints drawn curves: points of two numbers each.",
    .evaluate_help = "Prints a bound of -log p(x) of test curves, in nats.",
});

}  // namespace
}  // namespace glia::recipes
