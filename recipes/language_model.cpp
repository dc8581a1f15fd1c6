// Which character or byte of a text comes next: a small GPT or a recurrent network, which then
// writes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/catalogue.h"
#include "glia/io.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/language_model.h"
#include "recipes/src/predictors.h"
#include "recipes/src/tokens.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEvaluations = 8, kShownTokens = 500, kContinued = 100;

// The defaults of gpt are nanoGPT's for a CPU, but for twice its learning rate.
struct LanguageSettings : TrainingSettings {
  std::string data, tokens, model;
  text::LanguageModelOptions options;
  int64_t steps = 0, batch = 0, warmup = 0;
  double lr = 0, weight_decay = 0;

  void declare(Fields& f) override {
    f(data, "data", "tinyshakespeare", "A text of the catalogue, or a file.",
      data_sets("language-modelling", "FILE"));
    f(tokens, "tokens", "characters", "What a token is.", {{"characters", "bytes"}});
    f(model, "model", "gpt", "The kind of network.", {{"gpt", "lstm", "gru", "rnn"}});
    const bool gpt = model == "gpt";
    auto& o = options;
    f(o.layers, "layers", gpt ? 4 : 1, "Layers.", {1, 1000});
    f(o.heads, "heads", 4, "Heads of attention in each layer (gpt).", {1, 1000});
    f(o.width, "width", gpt ? 128 : 256, "Features of each token.", {1, 1e5});
    f(o.block, "block", 64, "Tokens in each sequence, and the most that gpt sees.", {1, 1e6});
    f(o.dropout, "dropout", 0, "Share of features that a step leaves out.", {0, 1});
    f(steps, "steps", 2000, "Steps of training.", {1, 1e9});
    f(batch, "batch", gpt ? 12 : 32, "Sequences in each step.", {1, 1e6});
    f(lr, "lr", gpt ? 2e-3 : 4e-3, "Highest learning rate (AdamW); it falls to a tenth.", {0, 1e3});
    f(warmup, "warmup", 100, "Steps in which it rises.", {0, 1e9});
    f(weight_decay, "weight-decay", gpt ? 0.1 : 0, "Decay of matrices.", {0, 1e3});
    TrainingSettings::declare(f);
  }
  std::string read() const {
    return data == "tinyshakespeare" ? data::tiny_shakespeare() : io::read_file(data);
  }
};

// As nanoGPT has it: matrices decay, biases and norms do not.
std::unique_ptr<optim::AdamW> optimizer_of(const nn::Module& model, const LanguageSettings& s) {
  ParameterList matrices, others;
  for (const Variable& p : model.parameters())
    (p.shape().rank() > 1 ? matrices : others).push_back(p);
  optim::AdamWOptions options{.lr = s.lr, .betas = {0.9, 0.99}, .weight_decay = s.weight_decay};
  auto optimizer = std::make_unique<optim::AdamW>(matrices, options);
  options.weight_decay = 0;
  optimizer->add_param_group(others, options);
  const int64_t rest = std::max<int64_t>(s.steps - s.warmup, 1);
  optimizer->set_schedule(optim::linear_warmup(s.warmup, optim::cosine(s.lr, rest, s.lr / 10)));
  return optimizer;
}

void train(Run& run, const LanguageSettings& s) {
  const std::string text = s.read();
  const Tokens tokens = Tokens::of(text, s.tokens == "bytes");
  const SplitTokens parts = split_tokens(tokens.encode(text), s.options.block, s.data);
  const auto model = text::make_language_model(s.model, tokens.size(), s.options);
  const auto optimizer = optimizer_of(*model, s);
  const int64_t block = s.options.block, last = parts.train.size(0) - block;
  training::Task task = training::supervised(
      *model, *optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor at = unsqueeze(randint(0, last, {s.batch}), 1) + arange(block);
        const Tensor loss =
            cross_entropy((*model)(take(parts.train, at)), take(parts.train, at + 1));
        return {loss, {}, s.batch};
      },
      {.clip_norm = 1});
  task.evaluate = [&]() -> training::Values {
    return {{"test_loss", loss_of(*model, parts.test, block)}};
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.say(fmt::format("{}: {} tokens of {} kinds, {} parameters, results in {}", s.data,
                      report::shown(parts.train.size(0)), tokens.size(),
                      report::shown(model->parameter_count()), run.folder()));
  run.fit(trainer, "sequences");
  run.save(model->state_dict(), {{"tokens-known", tokens.names()}});

  model->eval();
  const double loss = training::value_of(trainer.history().back().values, "test_loss");
  const Generation how{.length = kShownTokens, .temperature = 0.8, .top_k = 200};
  run.finish(
      {.title = "Language model: " + s.data,
       .subtitle = fmt::format("{}, trained by {} for {} steps", s.model, version(), s.steps),
       .sections = {curves(trainer, "Loss: cross-entropy of the next token", "loss"),
                    {"A text", report::Texts{{{"", {{written(*model, tokens, "", how)}}}}},
                     "At temperature 0.8, from nothing."}}},
      {{"test_loss", loss},
       {"bits_per_token", loss / std::log(2.0)},
       {"parameters", model->parameter_count()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const LanguageSettings& s)
      : settings_(s),
        tokens_(saved.texts("tokens-known")),
        model_(text::make_language_model(s.model, tokens_.size(), s.options)) {
    model_->load_state_dict(saved.weights);
    model_->eval();
  }

  Computation computation() const override {
    return computation_of(
        *model_, [this](const Tensor& x) { return (*model_)(x); },
        zeros({1, settings_.options.block}, kI64), "tokens", "logits");
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& prompt = text_of(input, "there is no text to go on from");
    return {{"continuation",
             written(*model_, tokens_, prompt, {.length = kContinued, .temperature = 0})}};
  }
  Results score(const Evaluation& what) const override {
    LanguageSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    const int64_t block = from.options.block;
    const SplitTokens parts = split_tokens(tokens_.encode(from.read()), block, from.data);
    Tensor part = what.split == "train" ? parts.train : parts.test;
    if (what.count > 0 && what.count < part.size(0))
      part = slice(part, 0, {0, std::max(what.count, block + 1)});
    const double loss = loss_of(*model_, part, block);
    return {{"loss", loss}, {"perplexity", std::exp(loss)}, {"tokens", part.size(0)}};
  }
  std::string write(const std::string& prompt, const Generation& how) const override {
    return prompt + written(*model_, tokens_, prompt, how);
  }

 private:
  const LanguageSettings settings_;
  const Tokens tokens_;
  const std::unique_ptr<text::LanguageModel> model_;
};

const Register<LanguageSettings> language_model({
    .name = "language-model",
    .task = "language-modelling",
    .description = "The next character of a text, and texts drawn from the model.",
    .run_name =
        [](const LanguageSettings& s) {
          return "language-model-" + std::filesystem::path(s.data).stem().string() + "-" + s.model;
        },
    .references = [](const LanguageSettings& s) -> std::vector<Reference> {
      if (s.data != "tinyshakespeare" || s.model != "gpt" || s.tokens != "characters") return {};
      return {{"test_loss", 1.88, "nanoGPT on a CPU, 2,000 steps, at most, at half this rate"}};
    },
    .train = train,
    .load = make_predictor<Use, LanguageSettings>,
    .input = "TEXT",
    .input_help = "What the text begins with.",
    .predict_help = "Prints the likeliest 100 tokens that follow; glia generate draws.",
    .evaluate_help = "Prints the mean cross-entropy of the next token, and its perplexity.",
    .generates = true,
});

}  // namespace
}  // namespace glia::recipes
