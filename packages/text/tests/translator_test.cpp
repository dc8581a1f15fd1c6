// Pairs from files, and a translator that learns a small task.
#include "glia/text/translator.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "glia/io.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/scratch.h"

namespace glia::text {
namespace {

class PairFiles : public test::Scratch {
 protected:
  Pairs read(const std::string& text) { return read_pairs(file("pairs", text)); }
  std::string fault(const std::string& text) {
    return test::fault(file("pairs"), [&] { read(text); });
  }
};

TEST_F(PairFiles, TabsOrCommas) {
  const Pairs tabs = read("a, b\tx\n\n\"c\"\t\n");
  EXPECT_EQ(tabs.source, (data::Texts{"a, b", "\"c\""}));
  EXPECT_EQ(tabs.target, (data::Texts{"x", ""}));
  const Pairs commas = read("Source,TARGET\r\n\"a, \"\"b\"\"\",x\r\nc,\"y\"");
  EXPECT_EQ(commas.source, (data::Texts{"a, \"b\"", "c"}));
  EXPECT_EQ(commas.target, (data::Texts{"x", "y"}));
}

TEST_F(PairFiles, FaultsNameTheLine) {
  EXPECT_EQ(fault(""), ": holds no pairs");
  EXPECT_EQ(fault("source\ttarget\n"), ": holds no pairs");
  EXPECT_EQ(fault("a\n"), ": line 1: has 1 column, not a source and a target");
  EXPECT_EQ(fault("a\tb\nc\td\te\n"), ": line 2: has 3 columns, not a source and a target");
  EXPECT_EQ(fault("a,b\n\"c,d\n"), ": line 2: a quote is not closed");
  EXPECT_EQ(fault("a,b\n,d\n"), ": line 2: the source is empty");
  EXPECT_EQ(fault("a," + std::string(2001, 'b')), ": line 1: is longer than 2000 bytes");
  EXPECT_THROW(read_pairs(file("none")), IoError);
}

TEST(Pairs, SplitKeepsASourceOnOneSide) {
  Pairs all;
  for (int i = 0; i < 2000; ++i) {
    all.source.push_back("text " + std::to_string(i % 1000));
    all.target.push_back(std::to_string(i));
  }
  const auto [train, test] = split(all, 0.2, 1);
  EXPECT_EQ(train.size() + test.size(), 2000);
  EXPECT_NEAR(test.size(), 400, 152);  // 6 sigma of 1,000 sources, twice
  for (const std::string& s : test.source) EXPECT_EQ(std::ranges::count(train.source, s), 0) << s;
  EXPECT_NE(split(all, 0.2, 2).test.source, test.source);
  EXPECT_EQ(split(all, 0, 1).test.size(), 0);
  EXPECT_EQ(split(all, 1, 1).train.size(), 0);
}

TEST(Translator, BatchesSayWhatIsKnownBefore) {
  const Pairs pairs{{"ab", "b"}, {"xyz", ""}};
  const Translator t(pairs, {.embedding = 3, .hidden = 4});
  EXPECT_EQ(t.longest, 4);
  auto batches = t.batches(pairs, 2);
  int64_t seen = 0;
  for (const data::Sample& b : batches) {
    const bool first = b.texts("text")[0] == "ab";
    EXPECT_EQ(b["source"].shape(), Shape({2, 8}));
    EXPECT_EQ(index(b["lengths"], {first ? 0 : 1}).item(), 2);
    const auto before = index(b["before"], {first ? 0 : 1}).to_vector<int64_t>();
    const auto after = index(b["after"], {first ? 0 : 1}).to_vector<int64_t>();
    EXPECT_EQ(before, (std::vector<int64_t>{1, 4, 5, 6}));
    EXPECT_EQ(after, (std::vector<int64_t>{4, 5, 6, 2}));
    const training::Outcome o = t.outcome(b);
    EXPECT_EQ(o.count.tensor().item(), 5) << "what was filled up is not counted";
    seen += b["source"].size(0);
  }
  EXPECT_EQ(seen, 2);
}

TEST(Translator, LearnsToDouble) {
  manual_seed(1);
  Pairs pairs;
  data::Random random(1);
  for (int i = 0; i < 600; ++i) {
    std::string source, target;
    for (int64_t k = 1 + random.below(4); k > 0; --k) {
      const char c = static_cast<char>('a' + random.below(4));
      source += c;
      target += std::string(2, c);
    }
    pairs.source.push_back(source);
    pairs.target.push_back(target);
  }
  Translator t(pairs, {.embedding = 12, .hidden = 24});
  optim::Adam optimizer(t.model.parameters(), {.lr = 1e-2});
  training::Trainer trainer(
      training::supervised(t.model, optimizer, [&](const data::Sample& b) { return t.outcome(b); },
                           {.clip_norm = 1}),
      {.epochs = 12});
  auto training = t.batches(pairs, 32, 1).prefetch(2, 2);
  trainer.fit(training);
  EXPECT_GE(exact(judge(t, pairs)), 0.9);
  t.model.eval();
  const auto best = t.translate("cab", 4);
  EXPECT_EQ(t.target.decode(best.at(0).tokens), "ccaabb");
  EXPECT_GT(best[0].log_probability, best[1].log_probability);
  EXPECT_LE(best[0].log_probability, 0);
}

}  // namespace
}  // namespace glia::text
