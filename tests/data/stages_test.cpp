// Stages over any source: several sources, filters, lengths, weights, classes, streams.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::data {
namespace {

using test::message_of;

using Numbers = std::vector<int64_t>;

Samples numbered(int64_t n) {
  std::vector<Sample> all;
  for (int64_t i = 0; i < n; ++i) all.push_back({{"n", i}});
  return from_samples(std::move(all));
}

Samples generated_up_to(int64_t n) {
  return from_generator([n](int64_t, int64_t i) -> std::optional<Sample> {
    if (i >= n) return std::nullopt;
    return Sample{{"n", i}};
  });
}

// Counts from 0, and how often it was opened and read.
struct Counter : Stream {
  Counter(int64_t n, std::atomic<int>* reads) : n(n), reads(reads) {}
  std::optional<Sample> next() override {
    ++*reads;
    if (at == n) return std::nullopt;
    return Sample{{"n", at++}};
  }
  const int64_t n;
  int64_t at = 0;
  std::atomic<int>* reads;
};

Samples streamed_up_to(int64_t n, std::atomic<int>* opened, std::atomic<int>* reads) {
  return from_stream([=](int64_t) {
    ++*opened;
    return std::make_unique<Counter>(n, reads);
  });
}

Numbers all_of(Samples samples, const char* field = "n", State from = {}) {
  samples.set_state(from);
  Numbers out;
  for (const Sample& s : samples) {
    if (s.value(field).integer())
      out.push_back(s.integer(field));
    else
      for (const int64_t n : s[field].to_vector<int64_t>()) out.push_back(n);
  }
  return out;
}

Numbers range(int64_t from, int64_t to) { return arange(from, to).to_vector<int64_t>(); }

// ---- Several sources --------------------------------------------------------------------------

TEST(Stages, ZipJoinsFields) {
  auto both = zip(numbered(5), from_columns({{"text", Texts{"a", "b", "c", "d", "e"}}}));
  EXPECT_EQ(both.size(), 5);
  std::string texts;
  for (const Sample& s : both.batch(2))
    for (const std::string& t : s.texts("text")) texts += t;
  EXPECT_EQ(texts, "abcde");
  EXPECT_EQ(all_of(both.batch(2)), range(0, 5));
  for (auto [a, b, c] : zip(from_tensors(arange(3), arange(3) * 2), from_tensors(arange(3) * 3))) {
    EXPECT_EQ(b.item(), 2 * a.item());
    EXPECT_EQ(c.item(), 3 * a.item());
  }
  EXPECT_EQ(message_of([] { zip(numbered(3), numbered(4)); }),
            "zip: one has 3 samples and another 4");
  EXPECT_THROW(all_of(zip(numbered(3), numbered(3))), Error) << "both have n";
  auto ended = zip(numbered(3), from_tensors(arange(9))
                                    .named({"x"})
                                    .filter([](const Sample&) { return true; })
                                    .concat(generated_up_to(0)));
  EXPECT_EQ(ended.size(), Source::kUnsized);
  EXPECT_EQ(all_of(ended), range(0, 3)) << "ends with the shorter";
}

TEST(Stages, ConcatFollows) {
  const Samples all = numbered(3).concat(numbered(0)).concat(numbered(4));
  EXPECT_EQ(all.size(), 7);
  EXPECT_EQ(all_of(all), (Numbers{0, 1, 2, 0, 1, 2, 3}));
  EXPECT_EQ(all_of(all.batch(2)), (Numbers{0, 1, 2, 0, 1, 2, 3})) << "a batch of both";
  Numbers mixed = all_of(all.shuffle(1).batch(3));
  std::ranges::sort(mixed);
  EXPECT_EQ(mixed, (Numbers{0, 0, 1, 1, 2, 2, 3}));
  const Samples open = numbered(3).concat(generated_up_to(2));
  EXPECT_EQ(open.size(), Source::kUnsized);
  EXPECT_EQ(all_of(open), (Numbers{0, 1, 2, 0, 1}));
  EXPECT_EQ(all_of(open, "n", {0, 4}), Numbers{1});
  EXPECT_THROW(generated_up_to(2).concat(numbered(3)), Error);
  const auto huge = numbered(1).repeat(INT64_MAX);
  EXPECT_THROW(huge.concat(huge), Error);
  for (const int64_t at : {int64_t{-1}, int64_t{7}, INT64_MAX, INT64_MIN})
    EXPECT_THROW(all.source()->get(0, at), Error);
}

// ---- Filters ----------------------------------------------------------------------------------

TEST(Stages, FilterKeepsTheOrder) {
  const auto even = [](const Sample& s) { return s.integer("n") % 2 == 0; };
  const Samples filtered = numbered(9).filter(even);
  EXPECT_EQ(all_of(filtered), (Numbers{0, 2, 4, 6, 8}));
  EXPECT_EQ(filtered.size(), 5);
  EXPECT_EQ(all_of(filtered, "n", {0, 3}), (Numbers{6, 8}));
  EXPECT_EQ(all_of(filtered.batch(2)), (Numbers{0, 2, 4, 6, 8}));
  EXPECT_EQ(all_of(filtered.shuffle(1).batch(2)).size(), 5u);
  EXPECT_EQ(all_of(generated_up_to(9).filter(even).batch(2, true)), (Numbers{0, 2, 4, 6}));
  // Each epoch of a shuffled source is another, and has a scan of its own.
  Samples shuffled = numbered(9).shuffle(1).filter(even);
  EXPECT_EQ(shuffled.size(), Source::kUnsized);
  const Numbers first = all_of(shuffled), second = all_of(shuffled, "n", {1, 0});
  EXPECT_NE(first, second);
  EXPECT_EQ(all_of(shuffled, "n", {0, 2}), Numbers(first.begin() + 2, first.end()));
  for (const int64_t workers : {1, 3})
    EXPECT_EQ(all_of(shuffled.prefetch(4, workers), "n", {1, 0}), second);
}

TEST(Stages, FilterBoundsItsWork) {
  const auto none = [](const Sample&) { return false; };
  EXPECT_EQ(numbered(5).filter(none).size(), 0);
  EXPECT_EQ(message_of([&] { numbered(5).filter(none, 5).size(); }),
            "filter: rejects 5 samples in a row");
  EXPECT_EQ(message_of([&] { all_of(generated_up_to(INT64_MAX).filter(none, 1000)); }),
            "filter: rejects 1000 samples in a row (epoch 0, position 0)");
  EXPECT_THROW(numbered(5).filter(none, 0), Error);
  // Each sample is looked at once, in whatever order they are asked for.
  std::atomic<int> looked = 0;
  const Samples counted = numbered(100).filter([&](const Sample& s) {
    ++looked;
    return s.integer("n") % 3 == 0;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(all_of(counted.shuffle(1).batch(7)).size(), 34u);
  EXPECT_EQ(looked, 100);
}

// ---- Lengths ----------------------------------------------------------------------------------

Samples sentences(int64_t n) {
  std::vector<Sample> all;
  for (int64_t i = 0; i < n; ++i) all.push_back({{"n", i}, {"tokens", zeros({1 + i * 7 % 50})}});
  return from_samples(std::move(all));
}

TEST(Stages, BucketsHoldSamplesOfLikeLength) {
  const Samples batches = sentences(1000).bucket(
      {.field = "tokens", .size = 16, .width = 4, .seed = 1, .batch = {.pad = {{"tokens"}}}});
  EXPECT_EQ(batches.size(), 63);
  std::vector<Numbers> epochs;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    Samples pass = batches;
    pass.set_state({epoch, 0});
    Numbers seen, widths;
    for (const Sample& b : pass) {
      int64_t shortest = 1000, longest = 0;
      for (const int64_t n : b["n"].to_vector<int64_t>()) {
        shortest = std::min(shortest, 1 + n * 7 % 50);
        longest = std::max(longest, 1 + n * 7 % 50);
        seen.push_back(n);
      }
      EXPECT_EQ(b["tokens"].size(1), longest);
      EXPECT_LT(longest - shortest, 8) << "of one bucket, or of two that are next to each other";
      widths.push_back(longest);
    }
    EXPECT_FALSE(std::ranges::is_sorted(widths)) << "batches are shuffled";
    epochs.push_back(seen);
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 1000u);
    EXPECT_EQ(all_of(batches.prefetch(3, 3), "n", {epoch, 0}), seen);
    const Numbers rest = all_of(batches, "n", {epoch, 60});
    EXPECT_TRUE(std::ranges::equal(rest, std::span(seen).last(rest.size())));
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  EXPECT_EQ(
      sentences(1000)
          .bucket(
              {.field = "tokens", .size = 16, .batch = {.drop_last = true, .pad = {{"tokens"}}}})
          .size(),
      62);
}

TEST(Stages, BucketsKeepToABudgetOfTokens) {
  const BatchOptions pad{.pad = {{.field = "tokens", .multiple = 8}}};
  const Samples batches =
      sentences(1000).bucket({.field = "tokens", .tokens = 400, .width = 4, .batch = pad});
  int64_t most = 0, samples = 0;
  for (const Sample& b : Samples(batches)) {
    EXPECT_LE(b["tokens"].numel(), 400);
    most = std::max(most, b["n"].size(0));
    samples += b["n"].size(0);
  }
  EXPECT_EQ(samples, 1000);
  EXPECT_EQ(most, 50) << "of the shortest, which become 8 long";
  EXPECT_EQ(message_of([] { sentences(9).bucket({.field = "tokens", .tokens = 30}).size(); }),
            "bucket: sample 4, filled up to 32, is more than 30 tokens");
  // Given lengths, so that nothing need be read.
  const Numbers lengths{5, 1, 5, 1};
  const Samples given = numbered(4).bucket({.lengths = lengths, .size = 2, .width = 1});
  for (const Sample& b : Samples(given))
    EXPECT_EQ(sum(remainder(b["n"], 2)).item() * (2 - sum(remainder(b["n"], 2)).item()), 0);
}

TEST(Stages, BucketsRefuseWhatTheyCannotKnow) {
  const auto sample = sentences(10);
  const BucketOptions good{.field = "tokens", .size = 2};
  EXPECT_THROW(sample.shuffle(1).bucket(good), Error);
  EXPECT_THROW(generated_up_to(3).bucket(good), Error);
  EXPECT_THROW(sample.bucket({.field = "tokens"}), Error);
  EXPECT_THROW(sample.bucket({.field = "tokens", .size = 2, .tokens = 2}), Error);
  EXPECT_THROW(sample.bucket({.field = "tokens", .size = -2}), Error);
  EXPECT_THROW(sample.bucket({.size = 2}), Error);
  EXPECT_THROW(sample.bucket({.lengths = {1}, .size = 2}), Error);
  EXPECT_THROW(sample.bucket({.field = "tokens", .size = 2, .width = 0}), Error);
  EXPECT_THROW(sample.bucket({.field = "tokens", .size = 2, .width = INT64_MAX}), Error);
  EXPECT_THROW(sample.bucket({.field = "n", .size = 2}).size(), Error);
  EXPECT_THROW(sample.bucket({.field = "x", .size = 2}).size(), Error);
  EXPECT_THROW(sample.bucket({.lengths = Numbers(10, -1), .size = 2}).size(), ValueError);
  EXPECT_THROW(sample.bucket({.lengths = Numbers(10, INT64_MAX), .size = 2}).size(), ValueError);
  EXPECT_EQ(numbered(0).bucket({.field = "n", .size = 2}).size(), 0);
  EXPECT_EQ(numbered(3).bucket({.lengths = {0, 0, 0}, .size = INT64_MAX}).size(), 1);
  EXPECT_EQ(numbered(3).bucket({.lengths = {0, 0, 0}, .tokens = INT64_MAX}).size(), 1);
}

// ---- Weights and classes ----------------------------------------------------------------------

TEST(Stages, WeightedDrawsInProportion) {
  const std::vector<double> weights{1, 0, 2, 0, 5, 0};
  const Samples drawn = numbered(6).weighted(weights, {.count = 8000, .seed = 3});
  EXPECT_EQ(drawn.size(), 8000);
  std::map<int64_t, int> counts;
  const Numbers first = all_of(drawn);
  for (const int64_t n : first) ++counts[n];
  EXPECT_EQ(counts.size(), 3u) << "what has no weight is not drawn";
  // Binomial: 6 sigma.
  EXPECT_NEAR(counts[0], 1000, 178);
  EXPECT_NEAR(counts[2], 2000, 233);
  EXPECT_NEAR(counts[4], 5000, 260);
  EXPECT_NE(all_of(drawn, "n", {1, 0}), first);
  EXPECT_EQ(all_of(drawn, "n", {0, 7990}), Numbers(first.end() - 10, first.end()));
  EXPECT_EQ(all_of(numbered(6).weighted(weights)).size(), 6u);
}

TEST(Stages, WeightedWithoutReplacementDrawsInOrder) {
  const std::vector<double> weights{1, 0, 2, 5};
  std::map<int64_t, int> firsts, seconds;
  const Samples drawn = numbered(4).weighted(weights, {.count = 3, .replacement = false});
  for (int64_t epoch = 0; epoch < 8000; ++epoch) {
    const Numbers order = all_of(drawn, "n", {epoch, 0});
    ASSERT_EQ(std::set(order.begin(), order.end()).size(), 3u);
    ++firsts[order[0]];
    if (order[0] == 3) ++seconds[order[1]];
  }
  EXPECT_NEAR(firsts[0], 1000, 178);
  EXPECT_NEAR(firsts[2], 2000, 233);
  EXPECT_NEAR(firsts[3], 5000, 260);
  EXPECT_NEAR(seconds[0], firsts[3] / 3.0, 220) << "the rest goes by the weights that are left";
  const auto error = [](std::vector<double> w, WeightedOptions o) {
    return message_of([&] { numbered(4).weighted(w, o); });
  };
  EXPECT_EQ(error(weights, {.count = 4, .replacement = false}),
            "weighted: of 3 samples with a weight 4 cannot be drawn");
  EXPECT_EQ(error({0, 0, 0, 0}, {}), "weighted: of 0 samples with a weight 4 cannot be drawn");
  EXPECT_EQ(error({1, 2}, {}), "weighted: 2 weights for 4 samples");
  for (const double bad : {-1.0, double{NAN}, double{INFINITY}})
    EXPECT_THROW(numbered(1).weighted({bad}), ValueError) << bad;
  EXPECT_THROW(numbered(2).weighted({1e308, 1e308}), ValueError);
  EXPECT_THROW(numbered(1).weighted({1}, {.count = -1}), Error);
  EXPECT_THROW(numbered(1).shuffle(1).weighted({1}), Error);
  EXPECT_EQ(all_of(numbered(3).weighted({0, 5e-324, 0})), Numbers(3, 1)) << "the least weight";
  EXPECT_EQ(numbered(0).weighted({}).size(), 0);
}

TEST(Stages, StratifiedSpreadsTheClasses) {
  Numbers labels;
  for (int64_t i = 0; i < 1000; ++i) labels.push_back(i < 700 ? 0 : i < 900 ? 1 : 2);
  const Samples even = numbered(1000).stratified(labels, {.seed = 2});
  const Numbers first = all_of(even);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 1000u);
  for (size_t start = 0; start < 1000; start += 50) {
    int counts[3] = {};
    for (size_t k = start; k < start + 50; ++k) ++counts[labels[first[k]]];
    EXPECT_NEAR(counts[0], 35, 2) << start;
    EXPECT_NEAR(counts[1], 10, 2) << start;
    EXPECT_NEAR(counts[2], 5, 2) << start;
  }
  EXPECT_NE(all_of(even, "n", {1, 0}), first);
  EXPECT_EQ(all_of(even.prefetch(8, 3)), first);
  const Numbers drawn =
      all_of(numbered(1000).stratified(labels, {.count = 100, .replacement = true}));
  int counts[3] = {};
  for (const int64_t n : drawn) ++counts[labels[n]];
  EXPECT_EQ(counts[0], 70);
  EXPECT_EQ(counts[1], 20);
  EXPECT_EQ(counts[2], 10);
  EXPECT_THROW(numbered(3).stratified({1, 2}), Error);
  EXPECT_THROW(numbered(2).stratified({1, 2}, {.count = 3}), Error);
  EXPECT_THROW(numbered(2).stratified({1, 2}, {.count = -1, .replacement = true}), Error);
  EXPECT_THROW(numbered(0).stratified({}, {.count = 3, .replacement = true}), Error);
  EXPECT_EQ(numbered(0).stratified({}).size(), 0);
}

// ---- Unsized sources --------------------------------------------------------------------------

TEST(Stages, UnsizedSourcesEndWhereTheyEnd) {
  EXPECT_EQ(all_of(generated_up_to(5)), range(0, 5));
  EXPECT_EQ(all_of(generated_up_to(0)), Numbers{});
  EXPECT_EQ(all_of(generated_up_to(5), "n", {0, 3}), (Numbers{3, 4}));
  EXPECT_EQ(all_of(generated_up_to(5), "n", {0, 50}), Numbers{});
  for (const int64_t workers : {1, 2, 5}) {
    EXPECT_EQ(all_of(generated_up_to(23).prefetch(4, workers)), range(0, 23));
    EXPECT_EQ(all_of(generated_up_to(23).batch(5).prefetch(4, workers)), range(0, 23));
  }
  EXPECT_EQ(all_of(generated_up_to(23).batch(5, true)), range(0, 20));
  EXPECT_EQ(all_of(generated_up_to(23).skip(3).take(5)), range(3, 8));
  EXPECT_EQ(all_of(generated_up_to(23).skip(INT64_MAX)), Numbers{});
  EXPECT_EQ(all_of(generated_up_to(3).batch(INT64_MAX)), range(0, 3));
  Samples s = generated_up_to(3);
  for (int epoch = 1; epoch < 3; ++epoch) {
    for (const Sample& one : s) EXPECT_LT(one.integer("n"), 3);
    EXPECT_EQ(s.state(), (State{epoch, 0}));
  }
  EXPECT_EQ(message_of([] { generated_up_to(3).shuffle(1); }),
            "shuffle: needs to know how many samples there are");
  EXPECT_THROW(generated_up_to(3).repeat(2), Error);
  EXPECT_THROW(generated_up_to(3).source()->get(0, 3), Error);
  EXPECT_THROW(generated_up_to(3).batch(2).source()->get(0, 2), Error);
  EXPECT_THROW(s.set_state({0, -1}), Error);
}

TEST(Stages, AShuffleBufferMixesWhatIsNear) {
  for (const bool unsized : {false, true}) {
    const Samples source = unsized ? generated_up_to(103) : numbered(103);
    const Samples mixed = source.shuffle(1, 10);
    const Numbers first = all_of(mixed);
    EXPECT_EQ(std::set(first.begin(), first.end()).size(), 103u);
    for (int64_t i = 0; i < 103; ++i) EXPECT_EQ(first[i] / 10, i / 10);
    EXPECT_NE(first, range(0, 103));
    EXPECT_NE(all_of(mixed, "n", {1, 0}), first);
    EXPECT_EQ(all_of(mixed, "n", {0, 57}), Numbers(first.begin() + 57, first.end()));
    for (const int64_t workers : {1, 4})
      EXPECT_EQ(all_of(mixed.batch(7).prefetch(3, workers)), first);
    EXPECT_EQ(all_of(source.shuffle(1, 103)).size(), 103u);
    EXPECT_EQ(all_of(source.shuffle(1, 1)), range(0, 103));
    EXPECT_THROW(source.shuffle(1, 0), Error);
    EXPECT_THROW(source.shuffle(1, INT64_MAX), Error);
  }
  EXPECT_EQ(all_of(numbered(103).shuffle(1, 10)), all_of(generated_up_to(103).shuffle(1, 10)));
}

TEST(Stages, AStreamIsReadOnce) {
  for (const int64_t workers : {1, 2, 5}) {
    std::atomic<int> opened = 0, reads = 0;
    const Samples stream = streamed_up_to(1000, &opened, &reads);
    EXPECT_EQ(all_of(stream.batch(7).prefetch(10, workers)), range(0, 1000));
    EXPECT_EQ(opened, 1);
    EXPECT_EQ(reads, 1001);
    EXPECT_EQ(all_of(stream.shuffle(1, 64).prefetch(10, workers), "n", {1, 0}).size(), 1000u);
    EXPECT_EQ(opened, 2);
    EXPECT_EQ(reads, 2002);
    EXPECT_EQ(all_of(stream, "n", {2, 990}), range(990, 1000)) << "resumed";
    EXPECT_EQ(opened, 3);
  }
  EXPECT_THROW(all_of(from_stream([](int64_t) { return nullptr; })), Error);
}

// ---- Lines ------------------------------------------------------------------------------------

class LineFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Texts lines_of(const std::string& text) {
    const std::string path = folder_ + "/text";
    io::write_file_atomic(path, text);
    Texts out;
    for (const Sample& s : from_lines(path)) out.push_back(s.text("line"));
    return out;
  }
  const std::string folder_ =
      std::filesystem::temp_directory_path() / ("glia-lines-" + std::to_string(getpid()));
};

TEST_F(LineFiles, AreRead) {
  EXPECT_EQ(lines_of(""), Texts{});
  EXPECT_EQ(lines_of("\n"), Texts{""});
  EXPECT_EQ(lines_of("a"), Texts{"a"});
  EXPECT_EQ(lines_of("a\n"), Texts{"a"});
  EXPECT_EQ(lines_of("a\n\nbc\r\nd"), (Texts{"a", "", "bc", "d"}));
  EXPECT_EQ(lines_of(std::string("a\0b\n", 4)), Texts{std::string("a\0b", 3)});
  EXPECT_THROW(from_lines(folder_ + "/none"), IoError);
  EXPECT_THROW(from_lines(folder_), IoError);
}

TEST_F(LineFiles, InAnyOrderAndBeyondOnePiece) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += std::to_string(i) + "\n";
  ASSERT_GT(text.size(), 1u << 20);
  const Texts all = lines_of(text);
  ASSERT_EQ(all.size(), 200000u);
  for (int i = 0; i < 200000; i += 997) EXPECT_EQ(all[i], std::to_string(i));
  const auto source = lines(folder_ + "/text");
  EXPECT_EQ(source->get(0, 199999).text("line"), "199999");
  EXPECT_EQ(source->get(0, 123456).text("line"), "123456");
  EXPECT_THROW(source->get(0, 200000), Error);
  const uint64_t before = source->fingerprint();
  text[900000] ^= 1;
  lines_of(text);
  EXPECT_NE(lines(folder_ + "/text")->fingerprint(), before);
  // What gets shorter under an open source is noticed.
  const auto open = lines(folder_ + "/text");
  std::filesystem::resize_file(folder_ + "/text", 100);
  EXPECT_THROW(open->get(0, 199999), IoError);
}

// ---- Fingerprints -----------------------------------------------------------------------------

TEST(Stages, FingerprintsTellStagesApart) {
  const Samples s = sentences(20);
  const auto any = [](const Sample&) { return true; };
  const BucketOptions bucket{.field = "tokens", .size = 2};
  auto narrow = bucket, seeded = bucket, larger = bucket, dropping = bucket, padded = bucket;
  narrow.width = 1, seeded.seed = 1, larger.size = 3, dropping.batch.drop_last = true;
  padded.batch.pad = {{"tokens"}};
  const std::vector<double> ones(20, 1), twos(20, 2);
  const Samples all[] = {
      s,
      s.filter(any),
      s.shuffle(1, 5),
      s.shuffle(2, 5),
      s.shuffle(1, 6),
      s.concat(s),
      s.concat(s.take(3)),
      zip(s, numbered(20)),
      zip(s, numbered(20).shuffle(1)),
      s.bucket(bucket),
      s.bucket(narrow),
      s.bucket(seeded),
      s.bucket(larger),
      s.bucket(dropping),
      s.bucket(padded),
      s.bucket({.field = "tokens", .tokens = 100}),
      s.bucket({.lengths = Numbers(20, 1), .size = 2}),
      s.bucket({.lengths = Numbers(20, 2), .size = 2}),
      s.weighted(ones),
      s.weighted(twos),
      s.weighted(ones, {.count = 3}),
      s.weighted(ones, {.replacement = false}),
      s.weighted(ones, {.seed = 1}),
      s.stratified(Numbers(20, 1)),
      s.stratified(Numbers(20, 2)),
      s.stratified(Numbers(20, 1), {.replacement = true}),
      s.stratified(Numbers(20, 1), {.seed = 1}),
  };
  std::set<uint64_t> seen;
  for (const Samples& one : all) seen.insert(one.source()->fingerprint());
  EXPECT_EQ(seen.size(), std::size(all));
}

}  // namespace
}  // namespace glia::data
