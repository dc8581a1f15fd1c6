// The recipe of fine-tuning, on a model of two layers that is made here.
#include "glia/io.h"
#include "glia/llm/chat.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

const char* const kRecipe = "fine-tune";

class FineTune : public RecipeTest {
 protected:
  FineTune() {
    manual_seed(5);
    llm::Llama model({.vocab_size = 32,
                      .hidden_size = 32,
                      .intermediate_size = 32,
                      .num_hidden_layers = 2,
                      .num_attention_heads = 2,
                      .num_key_value_heads = 1,
                      .max_position_embeddings = 256});
    for (const auto& [name, value] : model.named_parameters())
      if (value.shape().rank() == 2) value.set(randn(value.shape()) * 0.3);
    llm::Gguf file = llm::to_gguf(model);
    std::vector<std::string> tokens{"<|endoftext|>"};
    std::vector<int64_t> types{3};
    for (int i = 1; i < 32; ++i) {
      tokens.push_back(std::string(1, static_cast<char>('A' + i - 1)));
      types.push_back(1);
    }
    file.set_text("tokenizer.ggml.model", "gpt2");
    file.set("tokenizer.ggml.tokens", {llm::GgufType::kString, true, {}, {}, tokens});
    file.set("tokenizer.ggml.token_type", {llm::GgufType::kInt32, true, types});
    file.set("tokenizer.ggml.merges", {llm::GgufType::kString, true});
    file.set_integer("tokenizer.ggml.eos_token_id", 0);
    llm::write_gguf("tiny.gguf", file);
    std::string text;
    for (int i = 0; i < 400; ++i) text += "ABCDE";
    io::write_file_atomic("text.txt", text);
  }
  static Values small(Values more = {}) {
    Values all{{"data", "text.txt"}, {"model", "tiny.gguf"}, {"steps", 80},
               {"block", 20},        {"batch", 4},           {"lr", 0.03},
               {"modules", "all"},   {"weights", "f16"}};
    for (auto& one : more) all.push_back(std::move(one));
    return all;
  }
};

TEST_F(FineTune, LearnsAndWritesFilesForOthers) {
  const Trained run = train(kRecipe, {.given = small(), .out = "run"});
  const double after = value<double>(run.results, "test_loss");
  EXPECT_LT(after, 0.5 * value<double>(run.results, "test_loss_before"));
  // 2 layers of q, o, k, v and three of the feed-forward network, rank 8.
  EXPECT_EQ(value<int64_t>(run.results, "trained_parameters"),
            2 * 8 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 32)));
  const auto predictor = load("run");
  EXPECT_NEAR(value<double>(predictor->evaluate(), "loss"), after, 0.02);
  EXPECT_TRUE(predictor->generate("ABCDEABC", {.length = 7, .temperature = 0})
                  .starts_with("ABCDEABCDEABCDE"));
  EXPECT_EQ(std::get<std::string>(predictor->predict("ABCDEAB").at(0).value).substr(0, 4), "CDEA");

  // The merged weights, under Transformers' names, are those of the GGUF file.
  const llm::Gguf file = llm::read_gguf("run/model.gguf");
  llm::Llama merged(llm::llama_config(file));
  merged.load_state_dict(io::read_safetensors("run/model.safetensors"));
  merged.eval();
  const Tensor tokens = tensor<int64_t>({{1, 2, 3, 4, 5, 1}});
  const Tensor want = merged(tokens), got = llm::LlamaDecoder(file)(tokens);
  EXPECT_LE(max(abs(got - want)).item(), 2e-2 * max(abs(want)).item());
  const auto adapters = io::read_safetensors("run/adapter_model.safetensors");
  EXPECT_EQ(adapters.size(), 28u);
  EXPECT_EQ(adapters[0].first, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
}

TEST_F(FineTune, WhatDoesNotFitIsSaid) {
  io::write_file_atomic("short.txt", "ABC");
  EXPECT_THROW(train(kRecipe, {.given = small({{"data", "short.txt"}})}), Error);
  EXPECT_THROW(train(kRecipe, {.given = small({{"model", "text.txt"}})}), Error);
  EXPECT_THROW(train(kRecipe, {.given = small({{"model", "none"}})}), Error);
  EXPECT_THROW(train(kRecipe, {.given = small({{"weights", "q8_k"}})}), Error);
}

}  // namespace
}  // namespace glia::recipes
