// Samples with named fields, and how they become batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "glia/data.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::data {
namespace {

using test::message_of;

using Numbers = std::vector<int64_t>;

// Sentences of 1, 2, ... n tokens.
std::vector<Sample> sentences(int64_t n) {
  std::vector<Sample> all;
  for (int64_t i = 0; i < n; ++i)
    all.push_back({{"tokens", arange(10 * i, 10 * i + i + 1)},
                   {"text", "sentence " + std::to_string(i)},
                   {"number", i},
                   {"weight", 0.5 * static_cast<double>(i)}});
  return all;
}

TEST(Sample, FieldsAreFoundByNameAndPlace) {
  const Sample s{{"tokens", arange(3)}, {"text", "abc"}, {"n", 7}, {"x", 1.5}};
  EXPECT_EQ(s.size(), 4u);
  EXPECT_EQ(s["tokens"].to_vector<int64_t>(), (Numbers{0, 1, 2}));
  EXPECT_EQ(s[0].shape(), Shape({3}));
  EXPECT_EQ(s.at(2).item<int64_t>(), 7);
  EXPECT_EQ(s.text("text"), "abc");
  EXPECT_EQ(s.integer("n"), 7);
  EXPECT_EQ(s.number("n"), 7);
  EXPECT_EQ(s.number("x"), 1.5);
  EXPECT_EQ(s["x"].dtype(), kF64);
  EXPECT_TRUE(s.has("x"));
  EXPECT_FALSE(s.has("y"));
  EXPECT_FALSE(s.has(""));
}

TEST(Sample, AWrongFieldIsSaidWithThoseThereAre) {
  const Sample s{{"tokens", arange(3)}, {"text", "abc"}, {"n", 7}};
  const std::string has = "; it has tokens: i64 (3,), text: text, n: integer";
  EXPECT_EQ(message_of([&] { s["token"]; }), "sample: there is no field \"token\"" + has);
  EXPECT_EQ(message_of([&] { s[3]; }), "sample: there is no field #3" + has);
  EXPECT_EQ(message_of([&] { s["text"]; }), "sample: \"text\" is no tensor" + has);
  EXPECT_EQ(message_of([&] { s.text("n"); }), "sample: \"n\" is no text" + has);
  EXPECT_EQ(message_of([&] { s.integer("text"); }), "sample: \"text\" is no integer" + has);
  EXPECT_EQ(message_of([&] { Sample{arange(2)}["x"]; }),
            "sample: there is no field \"x\"; it has #0: i64 (2,)");
  EXPECT_EQ(message_of([&] { Sample()[0]; }), "sample: there is no field #0; it has nothing");
  EXPECT_EQ(message_of([] {
              Sample({{"a", 1}, {"a", 2}});
            }),
            "sample: two fields are called \"a\"");
  EXPECT_THROW(Value(UINT64_MAX), ValueError);
}

TEST(Sample, FieldsAreSetErasedAndAppended) {
  Sample s{arange(2)};
  s.set("text", "abc");
  s.push_back(3);
  s.set("text", "def");
  EXPECT_EQ(s.str(), "#0: i64 (2,), text: text, #2: integer");
  EXPECT_EQ(s.text("text"), "def");
  const Sample copy = s;
  s.erase("text");
  EXPECT_EQ(s.str(), "#0: i64 (2,), #1: integer");
  EXPECT_EQ(copy.size(), 3u);
  s.append(copy);
  EXPECT_EQ(s.str(), "#0: i64 (2,), #1: integer, #2: i64 (2,), text: text, #4: integer");
  EXPECT_THROW(s.append(copy), Error);
  EXPECT_EQ(s.size(), 5u) << "what failed changed nothing";
}

TEST(Collate, StacksTensorsAndNumbersAndKeepsTexts) {
  std::vector<Sample> samples = sentences(3);
  for (Sample& s : samples) s.erase("tokens");
  samples[1].set("number", 0.25);
  const Sample batch = collate(samples);
  EXPECT_EQ(batch.texts("text"), (Texts{"sentence 0", "sentence 1", "sentence 2"}));
  EXPECT_EQ(batch["weight"].to_vector<double>(), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(batch["number"].to_vector<double>(), (std::vector<double>{0, 0.25, 2}));
  samples[1].set("number", 1);
  EXPECT_EQ(collate(samples)["number"].dtype(), kI64);
  EXPECT_EQ(message_of([] { collate(sentences(2)); }),
            "batch: samples differ: tokens i64 (1,) and i64 (2,)");
  samples[2].set("number", "two");
  EXPECT_EQ(message_of([&] { collate(samples); }),
            "batch: samples differ: number integer and text");
  samples[2].set("more", 1);
  EXPECT_EQ(message_of([&] { collate(samples); }),
            "batch: samples differ: text: text, number: integer, weight: number and text: text, "
            "number: text, weight: number, more: integer");
  EXPECT_THROW(collate({collate(sentences(1)), collate(sentences(1))}), ShapeError);
  EXPECT_TRUE(collate({}).empty());
}

TEST(Collate, FillsUpToTheLongestOrAMultiple) {
  const Sample batch = collate(
      sentences(3), {.pad = {{.field = "tokens", .value = -1, .lengths = "n", .mask = "m"}}});
  EXPECT_EQ(batch["tokens"].shape(), Shape({3, 3}));
  EXPECT_EQ(batch["tokens"].to_vector<int64_t>(), (Numbers{0, -1, -1, 10, 11, -1, 20, 21, 22}));
  EXPECT_EQ(batch["n"].to_vector<int64_t>(), (Numbers{1, 2, 3}));
  EXPECT_EQ(batch["m"].dtype(), kBool);
  EXPECT_EQ(batch["m"].to_vector<int64_t>(), (Numbers{1, 0, 0, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(batch.str().substr(0, 12), "tokens: i64 ") << "a field keeps its place";
  const auto width = [](int64_t multiple) {
    return collate(sentences(3), {.pad = {{.field = "tokens", .multiple = multiple}}})["tokens"]
        .size(1);
  };
  EXPECT_EQ(width(1), 3);
  EXPECT_EQ(width(2), 4);
  EXPECT_EQ(width(3), 3);
  EXPECT_EQ(width(8), 8);
  for (const int64_t bad : {int64_t{0}, int64_t{-8}, INT64_MIN, INT64_MAX})
    EXPECT_THROW(width(bad), Error) << bad;
}

TEST(Collate, FillsUpEveryAxisOfAnyDtype) {
  const std::vector<Sample> samples{{{"x", reshape(arange(2), {1, 2})}},
                                    {{"x", reshape(arange(10, 13), {3, 1})}},
                                    {{"x", zeros({0, 5}, kI64)}}};
  const Sample batch = collate(samples, {.pad = {{.field = "x", .value = 9}}});
  EXPECT_EQ(batch["x"].shape(), Shape({3, 3, 5}));
  Numbers want(45, 9);
  want[0] = 0, want[1] = 1, want[15] = 10, want[20] = 11, want[25] = 12;
  EXPECT_EQ(batch["x"].to_vector<int64_t>(), want);
  for (const DType dtype : {kF32, kF64, kF16, kBF16, kI32, kU8}) {
    const std::vector<Sample> two{{{"x", ones({1}, dtype)}}, {{"x", ones({2}, dtype)}}};
    const Tensor x = collate(two, {.pad = {{.field = "x", .value = 2}}})["x"];
    EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 2, 1, 1})) << name(dtype);
  }
  const std::vector<Sample> bytes{{{"x", ones({1}, kU8)}}, {{"x", ones({2}, kU8)}}};
  EXPECT_THROW(collate(bytes, {.pad = {{.field = "x", .value = -1}}}), ValueError);
  EXPECT_THROW(collate(bytes, {.pad = {{.field = "y"}}}), Error);
  EXPECT_THROW(collate(bytes, {.pad = {{.field = "x", .lengths = "x"}}}), Error);
  EXPECT_THROW(collate({{{"x", tensor(1)}}}, {.pad = {{.field = "x"}}}), ShapeError);
  EXPECT_THROW(collate({{{"x", "text"}}}, {.pad = {{.field = "x"}}}), ShapeError);
}

TEST(Collate, RaggedFieldsAreJoined) {
  const Sample batch = collate(sentences(3), {.ragged = {"tokens"}});
  EXPECT_EQ(batch["tokens.values"].to_vector<int64_t>(), (Numbers{0, 10, 11, 20, 21, 22}));
  EXPECT_EQ(batch["tokens.starts"].to_vector<int64_t>(), (Numbers{0, 1, 3, 6}));
  EXPECT_FALSE(batch.has("tokens"));
  EXPECT_EQ(batch.ragged("tokens").row(1).to_vector<int64_t>(), (Numbers{10, 11}));
  EXPECT_THROW(batch.ragged("text"), Error);
  EXPECT_THROW(collate(sentences(3), {.pad = {{.field = "tokens"}}, .ragged = {"tokens"}}), Error);
}

TEST(Samples, PipelinesOfNamedFields) {
  auto samples = from_columns({{"x", arange(10)}, {"text", Texts(10, "t")}});
  Numbers seen;
  for (const Sample& s : samples.shuffle(1).batch(4)) {
    EXPECT_EQ(s.texts("text").size(), static_cast<size_t>(s["x"].size(0)));
    for (const int64_t x : s["x"].to_vector<int64_t>()) seen.push_back(x);
  }
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  for (const Sample& s : samples.take(1)) EXPECT_EQ(s.text("text"), "t");
  EXPECT_EQ(message_of([] {
              from_columns({{"x", arange(3)}, {"t", Texts(2)}});
            }),
            "from_tensors: axis 0 differs: i64 (3,) and 2 texts");
  EXPECT_THROW(from_columns({{"x", 3}}), ShapeError);

  const auto lengths = [](Sample s) {
    s.set("length", s["tokens"].size(0));
    return s;
  };
  const BatchOptions padded{.drop_last = true, .pad = {{.field = "tokens"}}};
  int batches = 0;
  for (const Sample& s : from_samples(sentences(5)).map(lengths).batch(2, padded).prefetch(2)) {
    EXPECT_EQ(s["tokens"].size(1), s["length"].to_vector<int64_t>()[1]);
    ++batches;
  }
  EXPECT_EQ(batches, 2);
}

TEST(Samples, TypedAndNamedFacesAreOneData) {
  auto named = from_tensors(arange(4), arange(4) * 2).named({"x", "y"});
  for (const Sample& s : named) EXPECT_EQ(s["y"].item(), 2 * s["x"].item());
  int64_t i = 0;
  for (auto [y, x] : Dataset<2>::of(named, {"y", "x"})) {
    EXPECT_EQ(x.item<int64_t>(), i++);
    EXPECT_EQ(y.item(), 2 * x.item());
  }
  EXPECT_EQ(i, 4);
  for (const Sample& s : named.select({"y"})) EXPECT_EQ(s.size(), 1u);
  EXPECT_THROW(named.select({"z"}).source()->get(0, 0), Error);
  EXPECT_THROW((void)*Dataset<2>(named.select({"y"}).source()).begin(), Error);
}

TEST(Samples, FingerprintsTellNamedDataApart) {
  std::set<uint64_t> seen;
  const auto of = [&](std::vector<Sample> s) {
    seen.insert(from_samples(std::move(s)).source()->fingerprint());
  };
  of({{{"a", 1}}});
  of({{{"a", 2}}});
  of({{{"a", 1.0}}});
  of({{{"b", 1}}});
  of({{{"a", "1"}}});
  of({{{"a", Texts{"1"}}}});
  of({{{"a", tensor(1)}}});
  of({{{"a", tensor({1})}}});
  of({{{"a", 1}}, {{"a", 1}}});
  const auto columns = from_columns({{"a", Texts{"x", "y"}}});
  seen.insert(columns.source()->fingerprint());
  seen.insert(from_columns({{"a", Texts{"x", "z"}}}).source()->fingerprint());
  const auto batches = [&](const BatchOptions& options) {
    seen.insert(columns.batch(2, options).source()->fingerprint());
  };
  batches({});
  batches({.pad = {{.field = "a"}}});
  batches({.pad = {{.field = "a", .value = 1}}});
  batches({.pad = {{.field = "a", .multiple = 2}}});
  batches({.pad = {{.field = "a", .lengths = "n"}}});
  batches({.pad = {{.field = "a", .mask = "n"}}});
  batches({.ragged = {"a"}});
  EXPECT_EQ(seen.size(), 18u);
}

}  // namespace
}  // namespace glia::data
