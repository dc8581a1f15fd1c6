// A trained language model learns a text of the user's by low-rank additions to its weights, and
// becomes a file for this program and for llama.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/catalogue.h"
#include "glia/io.h"
#include "glia/llm/chat.h"
#include "glia/llm/models.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/recipes/run.h"
#include "recipes/src/predictors.h"
#include "recipes/src/tokens.h"

namespace glia::recipes {
namespace {

constexpr int64_t kEvaluations = 4, kTestBlocks = 16;
constexpr const char* kGguf = "model.gguf";

struct FineTuneSettings : TrainingSettings {
  std::string data, model, modules, weights;
  llm::LoraOptions lora;
  int64_t steps = 0, batch = 0, block = 0, warmup = 0;
  double lr = 0;

  void declare(Fields& f) override {
    f(data, "data", "tinyshakespeare", "A text of the catalogue, or a file.",
      data_sets("language-modelling", "FILE"));
    f(model, "model", "smollm2", "The model to begin with: a GGUF file of the Llama family.",
      {{"smollm2"}, "FILE"});
    f(lora.r, "rank", 8, "Rank of what is added to each weight.", {1, 1024});
    f(lora.lora_alpha, "alpha", 16, "It is scaled by alpha / rank.", {0, 1e4});
    f(lora.lora_dropout, "dropout", 0, "Share of its inputs that a step leaves out.", {0, 0.99});
    f(modules, "modules", "attention", "The weights that it is added to.", {{"attention", "all"}});
    f(steps, "steps", 200, "Steps of training.", {1, 1e9});
    f(batch, "batch", 2, "Sequences in each step.", {1, 1e4});
    f(block, "block", 256, "Tokens in each sequence.", {2, 1e6});
    f(lr, "lr", 1e-3, "Highest learning rate (AdamW); it falls to 0.", {0, 1e3});
    f(warmup, "warmup", 10, "Steps in which it rises.", {0, 1e9});
    f(weights, "weights", "q8_0", "How the GGUF file has its weights.",
      {{"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "f16", "bf16", "f32"}});
    TrainingSettings::declare(f);
    lora.target_modules = {"q_proj", "k_proj", "v_proj", "o_proj"};
    if (modules == "all")
      for (const char* name : {"gate_proj", "up_proj", "down_proj"})
        lora.target_modules.push_back(name);
  }
  std::string read() const {
    return data == "tinyshakespeare" ? data::tiny_shakespeare() : io::read_file(data);
  }
};

// The first blocks of the test part, which are enough to see whether it learns.
Tensor shortened(const Tensor& tokens, int64_t block) {
  return slice(tokens, 0, {0, std::min(tokens.size(0), kTestBlocks * block + 1)});
}

void train(Run& run, const FineTuneSettings& s) {
  const llm::Gguf file = llm::read_gguf(llm::find_model(s.model));
  const SplitTokens parts =
      split_tokens(llm::gguf_tokenizer(file).ids(s.read(), false), s.block, s.data);
  const Tensor test = shortened(parts.test, s.block);
  llm::Llama model(file);
  model.gradient_checkpointing = true;
  llm::add_lora(model, s.lora);
  llm::LoraAdapters adapters(model);
  optim::AdamW optimizer(adapters.parameters(), {.lr = s.lr, .weight_decay = 0});
  optimizer.set_schedule(optim::linear_warmup(
      s.warmup, optim::cosine(s.lr, std::max<int64_t>(s.steps - s.warmup, 1))));
  const auto test_loss = [&] {
    model.eval();
    const double loss = loss_of(model, test, s.block, 1);
    model.train();
    return loss;
  };
  run.say(fmt::format("{}: {} tokens, {} of {} parameters are trained, results in {}", s.data,
                      report::shown(parts.train.size(0)), report::shown(adapters.parameter_count()),
                      report::shown(model.parameter_count()), run.folder()));
  const double before = test_loss();
  const int64_t last = parts.train.size(0) - s.block;
  training::Task task = training::supervised(
      adapters, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor at = unsqueeze(randint(0, last, {s.batch}), 1) + arange(s.block);
        return {
            cross_entropy(model(take(parts.train, at)), take(parts.train, at + 1)), {}, s.batch};
      },
      {.clip_norm = 1});
  task.evaluate = [&]() -> training::Values { return {{"test_loss", test_loss()}}; };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.fit(trainer, "sequences");

  io::write_safetensors(run.file("adapter_model.safetensors"), adapters.state_dict());
  const double after = training::value_of(trainer.history().back().values, "test_loss");
  const int64_t trained = adapters.parameter_count();
  llm::merge_lora(model);
  llm::write_gguf(run.file(kGguf), llm::to_gguf(model, llm::quant_named(s.weights), file));
  run.save(model.state_dict());
  llm::Assistant writer(run.file(kGguf));
  const std::string sample =
      writer.generate("", {.max_new_tokens = 200, .sampling = {.temperature = 0.8, .top_k = 200}});
  run.finish({.title = "Fine-tuned: " + s.data,
              .subtitle = fmt::format("{}, {} steps", s.model, s.steps),
              .sections = {curves(trainer, "Loss: cross-entropy of the next token", "loss"),
                           {"A text", report::Texts{{{"", {{sample}}}}}, "From nothing."}}},
             {{"test_loss", after},
              {"test_loss_before", before},
              {"perplexity", std::exp(after)},
              {"trained_parameters", trained}});
}

// The GGUF file beside the weights has the tokens too.
class Use : public Predictor {
 public:
  Use(const Saved& saved, const FineTuneSettings& s)
      : settings_(s),
        file_(llm::read_gguf((std::filesystem::path(saved.path).parent_path() / kGguf).string())),
        assistant_(std::make_unique<llm::Assistant>(file_)) {}

 protected:
  Results answer(const Input& input) const override {
    const std::string& prompt = text_of(input, "there is no text to go on from");
    return {{"continuation", assistant_->generate(
                                 prompt, {.max_new_tokens = 100, .sampling = {.temperature = 0}})}};
  }
  Results score(const Evaluation& what) const override {
    FineTuneSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    const SplitTokens parts =
        split_tokens(assistant_->tokenizer().ids(from.read(), false), from.block, from.data);
    const Tensor part = shortened(what.split == "train" ? parts.train : parts.test, from.block);
    const double loss = loss_of(assistant_->model(), part, from.block, 1);
    return {{"loss", loss}, {"perplexity", std::exp(loss)}, {"tokens", part.size(0)}};
  }
  std::string write(const std::string& prompt, const Generation& how) const override {
    return prompt + assistant_->generate(prompt, {.max_new_tokens = how.length,
                                                  .sampling = sampling_of(how),
                                                  .seed = static_cast<uint64_t>(how.seed)});
  }

 private:
  const FineTuneSettings settings_;
  const llm::Gguf file_;
  const std::unique_ptr<llm::Assistant> assistant_;
};

const Register<FineTuneSettings> fine_tune({
    .name = "fine-tune",
    .task = "language-modelling",
    .description = "A trained language model learns a text, by LoRA.",
    .run_name =
        [](const FineTuneSettings& s) {
          return "fine-tune-" + std::filesystem::path(s.data).stem().string();
        },
    .train = train,
    .load = make_predictor<Use, FineTuneSettings>,
    .input = "TEXT",
    .input_help = "What the text begins with.",
    .predict_help = "Prints the likeliest 100 tokens that follow; glia generate draws.",
    .evaluate_help = "Prints the mean cross-entropy of the next token, and its perplexity.",
    .generates = true,
});

}  // namespace
}  // namespace glia::recipes
