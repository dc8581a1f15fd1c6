#include "glia/llm/bert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/llm/models.h"
#include "glia/ops.h"
#include "glia/ops/normalize.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/scratch.h"

namespace glia::llm {
namespace {

BertConfig tiny() {
  return {.vocab_size = 20,
          .hidden_size = 16,
          .intermediate_size = 32,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .max_position_embeddings = 12};
}
double apart(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

TEST(Bert, PaddingChangesNothing) {
  manual_seed(1);
  Bert model(tiny());
  model.eval();
  const Tensor alone = model(tensor<int64_t>({{2, 7, 3}}));
  const Tensor mask = from_vector(std::vector<bool>{true, true, true, false, false}, {1, 5});
  const Tensor filled = model(tensor<int64_t>({{2, 7, 3, 9, 11}}), mask);
  EXPECT_LE(apart(slice(filled, 1, {0, 3}), alone), 1e-5);
  EXPECT_LE(apart(model(tensor<int64_t>({{2, 7, 3}}), {}, zeros({1, 3}, kI64)), alone), 1e-6);
  EXPECT_GT(apart(model(tensor<int64_t>({{2, 7, 3}}), {}, ones({1, 3}, kI64)), alone), 1e-3);
  EXPECT_GT(apart(model(tensor<int64_t>({{7, 2, 3}})), alone), 1e-3) << "positions count";
  EXPECT_EQ(model.pooled(alone).shape(), (Shape{1, 16}));
  EXPECT_THROW(model(zeros({1, 13}, kI64)), ShapeError);
  EXPECT_THROW(model(zeros({3}, kI64)), ShapeError);
  EXPECT_THROW(model(zeros({1, 3}, kI64), ones({1, 4}, kBool)), ShapeError);
  EXPECT_THROW(eval(model(full({1, 3}, 20, kI64))), ValueError);
  EXPECT_THROW(Bert({.hidden_size = 10, .num_attention_heads = 3}), ValueError);
  EXPECT_THROW(Bert({.num_hidden_layers = 0}), ValueError);
}

TEST(Bert, HasTransformersNames) {
  const auto state = Bert(tiny()).state_dict();
  const auto has = [&](const char* name) {
    return std::ranges::any_of(state, [&](const auto& one) { return one.first == name; });
  };
  for (const char* name : {"embeddings.LayerNorm.bias", "embeddings.token_type_embeddings.weight",
                           "encoder.layer.1.attention.self.query.weight",
                           "encoder.layer.0.attention.output.dense.bias",
                           "encoder.layer.0.attention.output.LayerNorm.weight",
                           "encoder.layer.1.intermediate.dense.weight",
                           "encoder.layer.1.output.LayerNorm.bias", "pooler.dense.weight"})
    EXPECT_TRUE(has(name)) << name;
}

TEST(Bert, LearnsClasses) {
  manual_seed(2);
  BertClassifier model(Bert(tiny()), 2);
  const Tensor tokens = randint(4, 20, {16, 6});
  const Tensor classes = cast(index(tokens, {Slice{}, 2}) > 11, kI64);
  optim::AdamW optimizer(model.parameters(), {.lr = 5e-3});
  for (int i = 0; i < 60; ++i)
    optimizer.step(gradients(cross_entropy(model(tokens), classes), model.parameters()));
  model.eval();
  EXPECT_EQ(sum(cast(argmax(model(tokens), 1) == classes, kI64)).item(), 16);
}

TEST(Sentences, PoolingKinds) {
  const Tensor hidden = tensor<float>({{1, -2, 4, 2, 9, 9}});
  const Tensor x = reshape(hidden, {1, 3, 2});
  const Tensor mask = from_vector(std::vector<bool>{true, true, false}, {1, 3});
  const auto values = [&](Pooling how) { return pool(x, mask, how).to_vector<double>(); };
  EXPECT_EQ(values(Pooling::kMean), (std::vector<double>{2.5, 0}));
  EXPECT_EQ(values(Pooling::kCls), (std::vector<double>{1, -2}));
  EXPECT_EQ(values(Pooling::kMax), (std::vector<double>{4, 2}));
  EXPECT_NEAR(values(Pooling::kMeanSqrtLen)[0], 5 / std::sqrt(2), 1e-6);
  EXPECT_EQ(pool(x, zeros({1, 3}, kBool)).to_vector<double>(), (std::vector<double>{0, 0}));
  EXPECT_THROW(pool(x, ones({3, 1}, kBool)), ShapeError);
}

TEST(Sentences, RankingLossIsACrossEntropyOfCosines) {
  const Tensor a = tensor<float>({{1, 0}, {0, 2}}), b = tensor<float>({{3, 0}, {1, 1}});
  // Cosines 1 and 1 / sqrt(2); 0 and 1 / sqrt(2).
  const double c = 20 / std::sqrt(2);
  const double want = (std::log(1 + std::exp(c - 20)) + std::log(1 + std::exp(-c))) / 2;
  EXPECT_NEAR(multiple_negatives_ranking_loss(a, b).item(), want, 1e-6);
  EXPECT_THROW(multiple_negatives_ranking_loss(a, zeros({3, 2})), ShapeError);
}

TEST(Sentences, Passages) {
  const auto all = passages("f", "One line\nand another.\n\n\n  Next \r\nlast", 600);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "One line and another.");
  EXPECT_EQ(all[0].line, 1);
  EXPECT_EQ(all[1].text, "Next last");
  EXPECT_EQ(all[1].line, 5);
  std::string longer;
  for (int i = 0; i < 100; ++i) longer += "word ";
  for (const auto& one : passages("f", longer, 40)) EXPECT_LE(one.text.size(), 40u);
  const auto umlauts = passages("f", "\xC3\xA4\xC3\xA4\xC3\xA4", 3);
  EXPECT_EQ(umlauts[0].text, "\xC3\xA4\xC3\xA4");
  EXPECT_TRUE(passages("f", "").empty());
  EXPECT_THROW(passages("f", "a", 0), ValueError);
}

class BertFiles : public test::Scratch {};

TEST_F(BertFiles, ComeBackOrAreRefused) {
  manual_seed(3);
  Bert model(tiny());
  model.eval();
  const std::string config =
      R"({"model_type": "bert", "vocab_size": 20, "hidden_size": 16, "intermediate_size": 32,
          "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 12})";
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(file(name)) << text;
  };
  const std::string folder = file("").substr(0, file("").size() - 1);
  write("config.json", config);
  io::NamedTensors state = model.state_dict();
  for (auto& [name, value] : state) name = "bert." + name;
  state.emplace_back("cls.predictions.bias", zeros({20}));
  io::write_safetensors(file("model.safetensors"), state);
  Bert read = load_bert(folder);
  read.eval();
  const Tensor tokens = tensor<int64_t>({{1, 2, 3}});
  EXPECT_EQ(apart(read(tokens), model(tokens)), 0);

  const auto refused = [&](const std::string& text) {
    write("config.json", text);
    test::fault(folder, [&] { load_bert(folder); });
  };
  refused("");
  refused("[1]");
  refused(R"({"model_type": "roberta"})");
  refused(R"({"hidden_act": "relu"})");
  refused(R"({"hidden_size": "16"})");
  refused(R"({"hidden_size": 1e3})");
  refused(R"({"hidden_size": -16})");
  refused(R"({"num_hidden_layers": 99999999999})");
  refused(R"({"vocab_size": 21, "hidden_size": 16, "intermediate_size": 32,
          "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 12})");
  refused(R"({"vocab_size": 20, "hidden_size": 16, "intermediate_size": 32,
          "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 12})");
}

// ---- The real model ---------------------------------------------------------------------------

class MiniLm : public test::Scratch {
 protected:
  void SetUp() override {
    try {
      folder_ = find_model("minilm");
    } catch (const IoError& e) {
      GTEST_SKIP() << e.what();
    }
  }
  std::string folder_;
};

TEST_F(MiniLm, EmbedsAsSentenceTransformersDoes) {
  const SentenceEncoder encoder(folder_);
  EXPECT_EQ(encoder.model.parameter_count(), 22'713'216);
  const std::vector<std::string> texts{"A man is eating food.", "A man is eating a piece of bread.",
                                       "The girl is carrying a baby."};
  const Tensor v = encoder.encode(texts);
  // Cosines and first numbers by Transformers' BertModel in f64.
  const auto cosines = matmul(v, permute(v, {1, 0})).to_vector<double>();
  EXPECT_NEAR(cosines[1], 0.75533708, 1e-5);
  EXPECT_NEAR(cosines[2], -0.1049585, 1e-5);
  EXPECT_NEAR(cosines[5], -0.06101719, 1e-5);
  const double first[] = {0.03324157, 0.00440606, -0.00627694, 0.04837871, -0.13870225};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(v.to_vector<double>()[i], first[i], 1e-5);
  // Neither the batch nor its other texts matter; a long text is cut.
  EXPECT_LE(apart(encoder.encode(texts, 1), v), 1e-5);
  std::string longer;
  for (int i = 0; i < 2000; ++i) longer += "word ";
  EXPECT_NEAR(sum(square(encoder.encode({longer, ""}))).item(), 2, 1e-5);
  EXPECT_EQ(encoder.encode({}).shape(), (Shape{0, 384}));
  EXPECT_THROW(encoder.encode(texts, 0), ValueError);
}

TEST_F(MiniLm, FindsWhatIsMeant) {
  const SentenceEncoder encoder(folder_);
  std::ofstream(file("a.txt")) << "The kettle is broken.\n\nTax forms are due in April.\n";
  std::ofstream(file("b.md")) << "Our dog sleeps all day.\n";
  std::ofstream(file("c.bin")) << std::string("\xff\x00 bytes", 8);
  const std::string folder = file("").substr(0, file("").size() - 1);
  const auto found = find_passages(encoder, folder, "When do I have to declare my income?", 2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].file, file("a.txt"));
  EXPECT_EQ(found[0].line, 3);
  EXPECT_EQ(find_passages(encoder, file("b.md"), "pet").size(), 1u);
  EXPECT_THROW(find_passages(encoder, file("none"), "pet"), IoError);
  EXPECT_THROW(find_passages(encoder, file("c.bin"), "pet"), IoError);
}

}  // namespace
}  // namespace glia::llm
