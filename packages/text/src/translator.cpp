#include "glia/text/translator.h"

#include <algorithm>

namespace glia::text {
namespace {

// Of lengths, so that few shapes are planned. What a target is filled up by costs a step each.
constexpr int64_t kMultiple = 8, kTargetMultiple = 4;
constexpr int64_t kJudged = 250;  // pairs at once

Tensor row(const std::vector<int64_t>& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

int64_t longest_of(const Pairs& pairs) {
  size_t most = 0;
  for (const std::string& target : pairs.target) most = std::max(most, characters(target).size());
  return static_cast<int64_t>(most) + 1;
}

}  // namespace

Translator::Translator(Vocabulary from, Vocabulary to, int64_t longest,
                       const Seq2SeqOptions& options)
    : source(std::move(from)),
      target(std::move(to)),
      longest(longest),
      model(source.size(), target.size(), options) {}

Translator::Translator(const Pairs& pairs, const Seq2SeqOptions& options)
    : Translator(Vocabulary::of_characters(pairs.source), Vocabulary::of_characters(pairs.target),
                 longest_of(pairs), options) {}

data::Samples Translator::batches(const Pairs& pairs, int64_t size, uint64_t seed) const {
  const auto numbered = [this](data::Sample s) {
    std::vector<int64_t> after = target.encode(s.text("want")), before{Vocabulary::kStart};
    before.insert(before.end(), after.begin(), after.end());
    after.push_back(Vocabulary::kEnd);
    s.set("source", row(source.encode(s.text("text"))));
    s.set("before", row(before));
    s.set("after", row(after));
    return s;
  };
  return data::from_columns({{"text", pairs.source}, {"want", pairs.target}})
      .map(numbered)
      .bucket({.field = "source",
               .size = size,
               .width = kMultiple,
               .seed = seed,
               .batch = {.pad = {{.field = "source", .multiple = kMultiple, .lengths = "lengths"},
                                 {.field = "before", .multiple = kTargetMultiple},
                                 {.field = "after", .multiple = kTargetMultiple}}}});
}

training::Outcome Translator::outcome(const data::Sample& batch) const {
  const Tensor logits = model(batch["source"], batch["lengths"], batch["before"]);
  const Tensor after = batch["after"], there = after != Vocabulary::kPad;
  return {cross_entropy(logits, after, {.ignore_index = Vocabulary::kPad}),
          {{"characters", sum(cast((argmax(logits) == after) & there, kF32))}},
          sum(cast(there, kF32))};
}

std::vector<Translation> Translator::translate(const std::string& text, int64_t width) const {
  return beam(model, row(source.encode(text)), width, longest);
}

std::vector<Judged> judge(const Translator& t, const Pairs& pairs) {
  std::vector<Judged> out;
  for (const data::Sample& b : t.batches(pairs, kJudged)) {
    const auto found = greedy(t.model, b["source"], b["lengths"], t.longest);
    for (size_t i = 0; i < found.size(); ++i)
      out.push_back({b.texts("text")[i], t.target.decode(found[i].tokens), b.texts("want")[i],
                     found[i].log_probability});
  }
  return out;
}

double exact(const std::vector<Judged>& all) {
  const auto right =
      std::ranges::count_if(all, [](const Judged& one) { return one.translation == one.wanted; });
  return static_cast<double>(right) / static_cast<double>(std::max<size_t>(all.size(), 1));
}

}  // namespace glia::text
