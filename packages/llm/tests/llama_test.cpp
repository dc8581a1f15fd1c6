#include "glia/llm/llama.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/llm/chat.h"
#include "glia/llm/models.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/scratch.h"

namespace glia::llm {
namespace {

LlamaConfig tiny(bool tied = true) {
  return {.vocab_size = 50,
          .hidden_size = 64,
          .intermediate_size = 96,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .max_position_embeddings = 600,
          .tie_word_embeddings = tied};
}
// With weights that make a difference.
Llama model_of(const LlamaConfig& config) {
  manual_seed(7);
  Llama model(config);
  for (const auto& [name, value] : model.named_parameters())
    value.set(name.find("norm") != std::string::npos ? uniform(value.shape(), 0.5, 1.5)
                                                     : randn(value.shape()) * 0.15);
  model.eval();
  return model;
}
Tensor some_tokens(int64_t n, int64_t t) {
  manual_seed(8);
  return randint(0, 50, {n, t});
}
double apart(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }
double cosine(const Tensor& a, const Tensor& b) {
  return (sum(a * b) / sqrt(sum(square(a)) * sum(square(b)))).item();
}

TEST(Llama, IsWhatItsEquationsSay) {
  // One layer, one head of two features, by hand.
  LlamaConfig c{.vocab_size = 2,
                .hidden_size = 2,
                .intermediate_size = 1,
                .num_hidden_layers = 1,
                .num_attention_heads = 1,
                .num_key_value_heads = 1,
                .rms_norm_eps = 0,
                .rope_theta = 10000};
  Llama model(c);
  const Tensor one = eye(2);
  model.load_state_dict({{"model.embed_tokens.weight", tensor({{1.0f, 1.0f}, {1.0f, -1.0f}})},
                         {"model.layers.0.self_attn.q_proj.weight", one},
                         {"model.layers.0.self_attn.k_proj.weight", one},
                         {"model.layers.0.self_attn.v_proj.weight", one},
                         {"model.layers.0.self_attn.o_proj.weight", one},
                         {"model.layers.0.mlp.gate_proj.weight", tensor({{1.0f, 0.0f}})},
                         {"model.layers.0.mlp.up_proj.weight", tensor({{0.0f, 1.0f}})},
                         {"model.layers.0.mlp.down_proj.weight", tensor({{1.0f}, {2.0f}})},
                         {"model.layers.0.input_layernorm.weight", ones({2})},
                         {"model.layers.0.post_attention_layernorm.weight", ones({2})},
                         {"model.norm.weight", ones({2})}});
  model.eval();
  // Tokens (1, 1) and (1, -1) have length 1 as RMS. At position 1 query and key are turned by 1.
  const double turn = 1, root = std::sqrt(2);
  const double q[2] = {std::cos(turn) + std::sin(turn), std::sin(turn) - std::cos(turn)};
  const double s0 = (q[0] + q[1]) / root, s1 = (q[0] * q[0] + q[1] * q[1]) / root;
  const double p0 = 1 / (1 + std::exp(s1 - s0)), p1 = 1 - p0;
  double x[2] = {1 + p0 + p1, -1 + p0 - p1};
  const auto norm = [](const double* v, double* out) {
    const double r = std::sqrt((v[0] * v[0] + v[1] * v[1]) / 2);
    for (int i = 0; i < 2; ++i) out[i] = v[i] / r;
  };
  double h[2];
  norm(x, h);
  const double f = h[0] / (1 + std::exp(-h[0])) * h[1];
  x[0] += f;
  x[1] += 2 * f;
  norm(x, h);
  const auto got = index(model(tensor<int64_t>({{0, 1}})), {0, 1}).to_vector<double>();
  EXPECT_NEAR(got[0], h[0] + h[1], 1e-5);
  EXPECT_NEAR(got[1], h[0] - h[1], 1e-5);
}

TEST(Llama, DecodersGiveItsLogits) {
  for (const bool tied : {true, false}) {
    const Llama model = model_of(tiny(tied));
    const Tensor tokens = some_tokens(2, 40), want = model(tokens);
    for (const Quant kind : {Quant::kF32, Quant::kBF16, Quant::kQ8_0, Quant::kQ4_1, Quant::kQ5_0}) {
      const Gguf file = to_gguf(model, kind);
      Llama dense(file);  // with the weights as they were rounded
      dense.eval();
      const Tensor exact = dense(tokens), got = LlamaDecoder(file)(tokens);
      EXPECT_LE(apart(got, exact), 4e-3 * max(abs(exact)).item()) << quant_name(kind) << tied;
      EXPECT_GE(cosine(got, exact), 0.99999) << quant_name(kind);
      if (kind == Quant::kF32) {
        EXPECT_LE(apart(exact, want), 1e-6);
      }
    }
  }
}

TEST(Llama, ReadersGoOnAndBack) {
  const Llama model = model_of(tiny());
  const LlamaDecoder decoder(to_gguf(model, Quant::kQ8_0));
  const Tensor tokens = some_tokens(1, 530);
  const std::vector<int64_t> all = tokens.to_vector<int64_t>();
  const Tensor want = index(decoder(tokens), {0});
  const auto reader = decoder.reader();
  const auto part = [&](int64_t a, int64_t b) {
    return std::vector<int64_t>(all.begin() + a, all.begin() + b);
  };
  EXPECT_LE(apart(reader->read(part(0, 21)), index(want, {20})), 1e-3);
  EXPECT_LE(apart(reader->next(all[21]), index(want, {21})), 1e-3);
  reader->next(3);
  reader->read({4, 5, 6});
  reader->rewind(22);
  EXPECT_LE(apart(reader->read(part(22, 530)), index(want, {529})), 1e-3);
  reader->rewind(0);
  EXPECT_LE(apart(reader->read(part(0, 1)), index(want, {0})), 1e-3);
  EXPECT_THROW(reader->rewind(2), ValueError);
  EXPECT_THROW(reader->rewind(-1), ValueError);
  EXPECT_THROW(reader->read({}), ValueError);
  EXPECT_THROW(reader->next(50), ValueError);
  EXPECT_THROW(reader->next(-1), ValueError);
  EXPECT_THROW(reader->read(std::vector<int64_t>(600)), ValueError);
  EXPECT_LE(apart(reader->next(all[1]), index(want, {1})), 1e-3) << "an error changes nothing";
  EXPECT_EQ(decoder(zeros({0, 5}, kI64)).shape(), (Shape{0, 5, 50}));
  EXPECT_EQ(decoder(zeros({2, 0}, kI64)).shape(), (Shape{2, 0, 50}));
  EXPECT_THROW(decoder(zeros({5}, kI64)), ShapeError);
}

TEST(Llama, AnyNumberOfThreadsGivesTheSameBits) {
  const LlamaDecoder decoder(to_gguf(model_of(tiny()), Quant::kQ4_1));
  const Tensor tokens = some_tokens(1, 33);
  const int before = num_threads();
  set_num_threads(1);
  const auto alone = decoder(tokens).to_vector<float>();
  for (const int n : {2, 3}) {
    set_num_threads(n);
    EXPECT_EQ(decoder(tokens).to_vector<float>(), alone);
  }
  set_num_threads(before);
}

TEST(Llama, FilesThatDoNotFitAreRefused) {
  const Gguf good = to_gguf(model_of(tiny()));
  const auto refused = [&](auto&& change) {
    Gguf file = good;
    change(file);
    EXPECT_THROW(LlamaDecoder{file}, Error);
    EXPECT_THROW(Llama{file}, Error);
  };
  const auto set = [](const char* key, int64_t value) {
    return [=](Gguf& file) { file.set_integer(key, value); };
  };
  refused([](Gguf& f) { f.set_text("general.architecture", "mamba"); });
  refused([](Gguf& f) { f.metadata.clear(); });
  refused([](Gguf& f) { f.tensors.erase(f.tensors.begin() + 4); });
  refused([](Gguf& f) { f.tensors[3].second.shape = {64, 32}; });
  refused(set("llama.attention.head_count", 0));
  refused(set("llama.attention.head_count", 3));
  refused(set("llama.attention.head_count_kv", 3));
  refused(set("llama.attention.head_count_kv", -1));
  refused(set("llama.block_count", 3));
  refused(set("llama.block_count", int64_t{1} << 40));
  refused(set("llama.embedding_length", 128));
  refused(set("llama.feed_forward_length", 95));
  refused(set("llama.rope.dimension_count", 8));
  refused(set("llama.context_length", 0));
  refused(set("llama.expert_count", 8));
  EXPECT_THROW(Llama({.hidden_size = 65}), ValueError);
  EXPECT_THROW(Llama({.num_hidden_layers = -1}), ValueError);
  EXPECT_THROW(model_of(tiny())(zeros({1, 601}, kI64)), ShapeError);
}

TEST(Lora, StartsAsTheModelAndMergesIntoIt) {
  Llama model = model_of(tiny());
  const Tensor tokens = some_tokens(2, 12), before = model(tokens);
  add_lora(model, {.r = 4, .target_modules = {"q_proj", "o_proj", "down_proj"}});
  EXPECT_EQ(apart(model(tokens), before), 0);
  LoraAdapters adapters(model);
  EXPECT_EQ(model.parameters().size(), 12u);
  EXPECT_EQ(adapters.parameter_count(), 2 * 4 * (128 + 128 + 160));
  EXPECT_EQ(adapters.state_dict()[0].first,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_THROW(add_lora(model), ValueError);

  const Tensor frozen = model.model.layers[0].self_attn.q_proj.weight;
  optim::AdamW optimizer(adapters.parameters(), {.lr = 0.02});
  const auto loss = [&] {
    return cross_entropy(model(slice(tokens, 1, {0, 11})), slice(tokens, 1, {1, 12}));
  };
  const double first = loss().item();
  model.train();
  for (int i = 0; i < 30; ++i) {
    model.gradient_checkpointing = i % 2;
    optimizer.step(gradients(loss(), adapters.parameters()));
  }
  model.eval();
  EXPECT_LT(loss().item(), 0.5 * first);
  EXPECT_EQ(apart(model.model.layers[0].self_attn.q_proj.weight, frozen), 0);

  const Tensor tuned = model(tokens);
  const Tensor decoded = LlamaDecoder(to_gguf(model))(tokens);  // with what was added
  EXPECT_LE(apart(decoded, tuned), 4e-3 * max(abs(tuned)).item());
  merge_lora(model);
  EXPECT_LE(apart(model(tokens), tuned), 1e-4);
  EXPECT_EQ(model.parameters().size(), model.state_dict().size());
  EXPECT_THROW(LoraAdapters{model}, ValueError);
  EXPECT_THROW(add_lora(model, {.r = 0}), ValueError);
  EXPECT_THROW(add_lora(model, {.lora_dropout = 1}), ValueError);
  EXPECT_THROW(add_lora(model, {.target_modules = {"x_proj"}}), ValueError);
}

TEST(Lora, CheckpointsGiveTheSameGradients) {
  Llama model = model_of(tiny());
  model.train();
  add_lora(model);
  for (const auto& p : model.parameters()) p.set(randn(p.shape()) * 0.1);
  const Tensor tokens = some_tokens(1, 9);
  const auto all = [&](bool again) {
    model.gradient_checkpointing = again;
    return gradients(mean(square(model(tokens))), model.parameters());
  };
  const auto kept = all(false), again = all(true);
  for (size_t i = 0; i < kept.size(); ++i)
    EXPECT_LE(apart(kept[i], again[i]), 1e-5 * max(abs(kept[i])).item());
}

// ---- The real model ---------------------------------------------------------------------------

class SmolLm2 : public test::Scratch {
 protected:
  void SetUp() override {
    try {
      path_ = find_model("smollm2");
    } catch (const IoError& e) {
      GTEST_SKIP() << e.what();
    }
  }
  std::string path_;
};

// Logits of a float64 pass in NumPy over the numbers of the file's blocks, behind "The capital of
// France is": of " Paris", " the", " London", " Le" and " New".
constexpr int64_t kPrompt[] = {504, 3575, 282, 4649, 314};
constexpr std::pair<int64_t, double> kLogits[] = {{7042, 17.37125923831634},
                                                  {260, 14.888588701587864},
                                                  {4519, 13.244973576774719},
                                                  {1407, 13.009466936638258},
                                                  {1594, 12.951514431531411}};

TEST_F(SmolLm2, LogitsAreThoseOfAnF64Pass) {
  const Gguf file = read_gguf(path_);
  const auto tokens =
      from_vector(std::vector<int64_t>(std::begin(kPrompt), std::end(kPrompt)), {1, 5});
  const NoGrad no_grad;
  std::vector<Tensor> all;
  {
    Llama model(file);
    model.eval();
    EXPECT_EQ(model.parameter_count(), 134'515'008);
    eval(all.emplace_back(index(model(tokens), {0, -1})));
  }
  all.push_back(index(LlamaDecoder(file)(tokens), {0, -1}));
  const text::Tokenizer tokenizer = gguf_tokenizer(file);
  EXPECT_EQ(tokenizer.ids("The capital of France is", false),
            std::vector<int64_t>(std::begin(kPrompt), std::end(kPrompt)));
  const char* const words[] = {" Paris", " the", " London", " Le", " New"};
  for (const Tensor& logits : all) {
    const auto values = logits.to_vector<double>();
    for (int i = 0; i < 5; ++i) {
      const int64_t id = tokenizer.ids(words[i], false).at(0);
      EXPECT_NEAR(values[id], kLogits[i].second, 1e-3 * kLogits[i].second) << words[i];
    }
  }
  EXPECT_GE(cosine(all[0], all[1]), 0.9999);
}

TEST_F(SmolLm2, GoesOnAndAnswers) {
  Assistant assistant(path_);
  std::string shown;
  const std::string text =
      assistant.generate("The capital of France is",
                         {.max_new_tokens = 24, .sampling = {.temperature = 0}, .stop = {"\n"}},
                         [&](const std::string& part) { shown += part; });
  EXPECT_EQ(text, " Paris.");
  EXPECT_EQ(shown, text);
  const std::vector<Message> first{{"user", "What is the capital of France?"}};
  EXPECT_EQ(assistant.prompt_of(first),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            "Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
            "<|im_start|>assistant\n");
  const GenerationOptions greedy{.max_new_tokens = 40, .sampling = {.temperature = 0}};
  const std::string answer = assistant.reply(first, greedy);
  EXPECT_NE(answer.find("Paris"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("<|"), std::string::npos) << answer;
  const int64_t read = assistant.speed().read;
  std::vector<Message> second = first;
  second.push_back({"assistant", answer});
  second.push_back({"user", "Thanks. And of Italy?"});
  const std::string next = assistant.reply(second, greedy);
  EXPECT_LT(assistant.speed().read, read) << "the first turn is not read again";
  EXPECT_EQ(Assistant(path_).reply(second, greedy), next) << "nor does that change the answer";
  // Seeds.
  const GenerationOptions warm{.max_new_tokens = 12, .seed = 4};
  EXPECT_EQ(assistant.generate("Once", warm), Assistant(path_).generate("Once", warm));
}

}  // namespace
}  // namespace glia::llm
