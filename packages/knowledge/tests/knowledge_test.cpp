// Embeddings of knowledge graphs: formulas, ranks, training on planted graphs, hostile files.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/knowledge/training.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "tests/support/scratch.h"

namespace glia::knowledge {
namespace {

std::string fault_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  ADD_FAILURE() << "nothing is thrown";
  return "";
}

// 24 places on a ring: "next", "before" and "across"; some of "next" are left for the test, and
// follow from "before".
KnowledgeGraph ring() {
  KnowledgeGraph g;
  constexpr int32_t n = 24;
  for (int32_t i = 0; i < n; ++i) g.entities.push_back("place" + std::to_string(100 + i));
  g.relations = {"across", "before", "next"};
  for (int32_t i = 0; i < n; ++i) {
    const Triple all[] = {{i, 0, (i + n / 2) % n}, {i, 1, (i + n - 1) % n}, {i, 2, (i + 1) % n}};
    for (int32_t r = 0; r < 3; ++r) {
      auto& part = r < 2 || i % 3 != 0 ? g.train : i % 2 == 0 ? g.test : g.valid;
      part.push_back(all[r]);
    }
  }
  return g;
}

ModelOptions small(const std::string& name) {
  ModelOptions o{.dim = 20, .seed = 3};
  o.reciprocal = name == "conve" || name == "tucker";
  if (name == "conve") o.dim = 40;
  return o;
}

TEST(Models, ScoreAllTailsAndHeadsAsTheyScoreTriples) {
  const KnowledgeGraph g = ring();
  for (const std::string& name : model_names())
    for (const bool reciprocal : {false, true}) {
      ModelOptions o = small(name);
      if (o.reciprocal != reciprocal && (o.reciprocal || name == "rgcn")) continue;
      o.reciprocal = reciprocal;
      const auto model = make_model(name, g, o);
      model->eval();
      const NoGrad none;
      const Tensor a = tensor({int64_t{3}, int64_t{9}}), r = tensor({int64_t{0}, int64_t{2}});
      const Tensor tails = model->score_tails(a, r), heads = model->score_heads(r, a);
      ASSERT_EQ(tails.shape(), (Shape{2, 24})) << name;
      ASSERT_EQ(heads.shape(), (Shape{2, 24})) << name;
      const Tensor all = arange(24);
      const Tensor one = model->score(unsqueeze(a, 1), unsqueeze(r, 1), all);
      const Tensor other = reciprocal ? model->score(unsqueeze(a, 1), unsqueeze(r + 3, 1), all)
                                      : model->score(all, unsqueeze(r, 1), unsqueeze(a, 1));
      EXPECT_LT(max(abs(tails - one)).item(), 1e-4) << name;
      EXPECT_LT(max(abs(heads - other)).item(), 1e-4) << name;
      const Tensor single = model->score(a, r, tensor({int64_t{5}, int64_t{6}}));
      EXPECT_NEAR(single.to_vector<float>()[1], tails.to_vector<float>()[24 + 6], 1e-4) << name;
    }
  fault_of([&] { make_model("bert", g); });
  fault_of([&] { make_model("conve", g, {.dim = 33, .reciprocal = true}); });
  fault_of([&] { make_model("conve", g, {.dim = 40}); });
  fault_of([&] { make_model("transe", g, {.dim = 0}); });
  fault_of([&] { make_model("transe", g, {.p = 3}); });
}

TEST(Models, HaveTheirSymmetries) {
  const KnowledgeGraph g = ring();
  const NoGrad none;
  const Tensor a = tensor({int64_t{3}}), b = tensor({int64_t{9}}), r = tensor({int64_t{1}});
  const auto apart = [&](const char* name) {
    const auto model = make_model(name, g, small(name));
    return std::abs(model->score(a, r, b).item() - model->score(b, r, a).item());
  };
  EXPECT_LT(apart("distmult"), 1e-6);
  EXPECT_GT(apart("complex"), 1e-3);
  EXPECT_GT(apart("rescal"), 1e-4);
  // A turn keeps lengths: |h o r - t| of h = t = 0 but one number.
  RotatE rotate(2, 1, {.dim = 1});
  rotate.load_state_dict(
      {{"entity", tensor({{1.f, 0.f}, {0.f, 1.f}})}, {"relation", full({1, 1}, M_PI / 2)}});
  EXPECT_NEAR(rotate.score(tensor({int64_t{0}}), tensor({int64_t{0}}), tensor({int64_t{1}})).item(),
              0, 1e-6);
}

// Scores that are given: entity e has score -e.
class Fixed : public Model {
 public:
  explicit Fixed(int64_t n) : Model(n, 3, {}) {
    entity = Parameter(zeros({n, 1}));
    relation = Parameter(zeros({3, 1}));
  }
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override {
    const Tensor x = cast(h + r * 0 + t * 0, kF32);  // the broadcast shape
    return is_constant ? x * 0 : -cast(t + r * 0 + h * 0, kF32);
  }
  bool is_constant = false;
};

TEST(Ranks, AreCountedByHand) {
  KnowledgeGraph g;
  g.entities = {"a", "b", "c", "d", "e"};
  g.relations = {"x", "y", "z"};
  g.train = {{0, 0, 0}, {0, 0, 1}, {2, 0, 3}};
  g.test = {{0, 0, 3}};
  Fixed model(5);
  // Tails: b and a are known, so d is behind c alone. Heads: all score alike, c is known: the mean
  // of 1 and 4.
  const RankMetrics m = evaluate(model, g);
  EXPECT_EQ(m.ranks, 2);
  EXPECT_NEAR(m.mr, (2 + 2.5) / 2, 1e-12);
  EXPECT_NEAR(m.mrr, (1 / 2.0 + 1 / 2.5) / 2, 1e-12);
  EXPECT_NEAR(m.hits_at_1, 0, 1e-12);
  EXPECT_NEAR(m.hits_at_3, 1, 1e-12);
  const RankMetrics raw = evaluate(model, g, g.test, {.filtered = false});
  EXPECT_NEAR(raw.mr, (4 + 3) / 2.0, 1e-12);
  model.is_constant = true;  // a model that knows nothing is at chance
  EXPECT_NEAR(evaluate(model, g).amri, 0, 1e-12);
  EXPECT_EQ(evaluate(model, g, g.test, {.batch_size = 1}).mr, evaluate(model, g).mr);
  fault_of([&] { evaluate(model, g, std::vector<Triple>{}); });
  fault_of([&] { evaluate(model, g, {{0, 7, 0}}); });
  model.is_constant = false;
  const auto best = answer_tail(model, g, 0, 0, 3, false);
  ASSERT_EQ(best.size(), 2u);  // a, b and d are known
  EXPECT_EQ(best[0].entity, 2);
  EXPECT_TRUE(answer_tail(model, g, 0, 0, 1)[0].known);
}

TEST(TrainingTest, LearnsTheRing) {
  const KnowledgeGraph g = ring();
  struct Case {
    const char* model;
    Training training;
    Loss loss;
    bool reciprocal;
  };
  const Case cases[] = {
      {"complex", Training::k1vsAll, Loss::kCrossEntropy, true},
      {"complex", Training::kKvsAll, Loss::kBCE, false},
      {"rescal", Training::kKvsAll, Loss::kCrossEntropy, true},
      {"tucker", Training::kKvsAll, Loss::kBCE, true},
      {"conve", Training::kKvsAll, Loss::kBCE, true},
      {"rgcn", Training::kKvsAll, Loss::kBCE, false},
      {"distmult", Training::k1vsAll, Loss::kBCE, true},
      {"transe", Training::kNegativeSampling, Loss::kMargin, false},
      {"transh", Training::kNegativeSampling, Loss::kSelfAdversarial, false},
      {"transr", Training::kNegativeSampling, Loss::kCrossEntropy, false},
      {"rotate", Training::kNegativeSampling, Loss::kSelfAdversarial, true},
      {"distmult", Training::kNegativeSampling, Loss::kBCE, false},
  };
  for (const Case& c : cases) {
    ModelOptions o = small(c.model);
    o.reciprocal = c.reciprocal;
    const auto model = make_model(c.model, g, o);
    std::vector<double> losses;
    train(*model, g,
          {.training = c.training,
           .loss = c.loss,
           .epochs = 60,
           .batch_size = 32,
           .lr = 0.02,
           .negatives = 8,
           .margin = 3,
           .seed = 1,
           .on_epoch = [&](int64_t, double loss) {
             losses.push_back(loss);
             return true;
           }});
    EXPECT_FALSE(model->is_training());
    EXPECT_LT(losses.back(), 0.7 * losses.front()) << c.model;
    // What it was told it knows, whatever comes of the rest.
    EXPECT_GT(evaluate(*model, g, g.train).mrr, 0.5) << c.model;
  }
  // The same seed gives the same bits, another one others.
  const auto trained = [&](uint64_t seed) {
    const auto model = make_model("complex", g, small("complex"));
    train(*model, g, {.epochs = 3, .regularization = 0.01, .seed = seed});
    return model->entity.tensor().to_vector<float>();
  };
  EXPECT_EQ(trained(1), trained(1));
  EXPECT_NE(trained(1), trained(2));
  const auto model = make_model("complex", g, small("complex"));
  fault_of([&] { train(*model, g, {.loss = Loss::kMargin}); });
  fault_of([&] { train(*model, g, {.negatives = 0}); });
  fault_of([&] { train(*model, KnowledgeGraph{}, {}); });
  EXPECT_NE(fault_of([&] {
              train(*model, g, {.optimizer = Optimizer::kAdagrad, .epochs = 50, .lr = 1e38});
            }).find("not finite"),
            std::string::npos);
}

TEST(TrainingTest, FindsWhatFollowsFromTheRest) {
  // "before" and "next" say the same: what one leaves out follows from the other.
  KnowledgeGraph g = ring();
  const auto model = make_model("rotate", g, {.dim = 20, .seed = 2});
  train(*model, g,
        {.training = Training::kNegativeSampling,
         .loss = Loss::kSelfAdversarial,
         .epochs = 400,
         .batch_size = 64,
         .lr = 0.02,
         .negatives = 16,
         .margin = 3});
  EXPECT_GT(evaluate(*model, g).mrr, 0.6);
}

using FilesTest = test::ScratchWorkingFolder;

TEST_F(FilesTest, ReadFolders) {
  std::filesystem::create_directory("g");
  io::write_file_atomic("g/train.txt", "Ann\tknows\tBob\r\nBob\tknows\tCid\n\nAnn\tknows\tBob\n");
  io::write_file_atomic("g/valid.txt", "Cid\tknows\tAnn\n");
  io::write_file_atomic("g/test.txt", "Ann\tlikes\tCid\n");
  const KnowledgeGraph g = read_knowledge_graph("g");
  EXPECT_EQ(g.entities, (std::vector<std::string>{"Ann", "Bob", "Cid"}));
  EXPECT_EQ(g.relations, (std::vector<std::string>{"knows", "likes"}));
  EXPECT_EQ(g.train, (std::vector<Triple>{{0, 0, 1}, {1, 0, 2}}));
  EXPECT_EQ(g.test, (std::vector<Triple>{{0, 1, 2}}));
  EXPECT_EQ(Known(g).tails(0, 0), std::vector<int32_t>{1});
  EXPECT_TRUE(Known(g, false).tails(0, 0).empty());
  EXPECT_NE(fault_of([&] { g.entity("Anne"); }).find("Ann"), std::string::npos);
  EXPECT_EQ(g.relation("likes"), 1);
}

TEST_F(FilesTest, HoldOutWhatStaysKnown) {
  std::filesystem::create_directory("g");
  std::string text;
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 5; ++j)
      text += "e" + std::to_string(i) + "\tr\te" + std::to_string((i + j) % 20) + "\n";
  io::write_file_atomic("g/train.tsv", text + "one\tonce\ttwo\n");
  const KnowledgeGraph g = read_knowledge_graph("g", 1);
  EXPECT_EQ(g.train.size() + g.valid.size() + g.test.size(), 101u);
  EXPECT_GE(g.test.size(), 10u);
  std::set<int32_t> known;
  for (const Triple& t : g.train) known.insert({t.head, t.tail});
  for (const auto* part : {&g.valid, &g.test})
    for (const Triple& t : *part) EXPECT_TRUE(known.count(t.head) && known.count(t.tail));
}

TEST_F(FilesTest, NameWhatIsWrong) {
  fault_of([] { read_knowledge_graph("nowhere"); });
  std::filesystem::create_directory("g");
  for (const char* text :
       {"a\tb\n", "a\tb\tc\td\n", "\tb\tc\n", "a\t\tc\n", "a b c\n", "x\ty\tz\na\tb\t\n", ""}) {
    io::write_file_atomic("g/train.tsv", text);
    EXPECT_EQ(fault_of([] { read_knowledge_graph("g"); }).rfind("g/train.tsv: ", 0), 0u) << text;
  }
  fault_of([] { named_knowledge_graph("freebase"); });
}

}  // namespace
}  // namespace glia::knowledge
