#include "glia/text/tagger.h"

#include <algorithm>
#include <map>
#include <set>

#include "glia/random.h"
#include "unicode.h"

namespace glia::text {
namespace {

// Lengths are rounded up, so that few shapes are planned.
constexpr int64_t kMultiple = 8, kMostCharacters = 20, kJudged = 64;

std::string lowered(const std::string& word) {
  const std::string text = repaired_utf8(word);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto [c, bytes] = decode_at(text, at);
    out += lower_of(c);
    at += bytes;
  }
  return out;
}

Vocabulary frequent_words(const TaggedSentences& sentences, int64_t least) {
  std::map<std::string, int64_t> counts;
  for (const auto& sentence : sentences.words)
    for (const std::string& word : sentence) ++counts[lowered(word)];
  std::vector<std::string> out;
  for (const auto& [word, count] : counts)
    if (count >= least) out.push_back(word);
  return Vocabulary(out);
}

Vocabulary characters_of(const TaggedSentences& sentences) {
  std::vector<std::string> all;
  for (const auto& sentence : sentences.words)
    all.insert(all.end(), sentence.begin(), sentence.end());
  return Vocabulary::of_characters(all);
}

std::vector<std::string> tags_of(const TaggedSentences& sentences) {
  std::set<std::string> out;
  for (const auto& sentence : sentences.tags) out.insert(sentence.begin(), sentence.end());
  return {out.begin(), out.end()};
}

Tensor row(const std::vector<int64_t>& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

}  // namespace

Tagger::Tagger(Vocabulary known, Vocabulary letters, std::vector<std::string> all,
               const TaggerOptions& o)
    : words(std::move(known)),
      characters(std::move(letters)),
      tags(std::move(all)),
      options(o),
      word_embedding(words.size(), o.word_features),
      character_embedding(characters.size(), o.character_features,
                          {.padding_idx = Vocabulary::kPad}),
      convolution(o.character_features, o.filters, {.kernel = o.kernel, .same = true}),
      lstm(o.word_features + o.filters, o.hidden, {.batch_first = true, .bidirectional = true}),
      out(2 * o.hidden, static_cast<int64_t>(tags.size())),
      crf(static_cast<int64_t>(tags.size())) {}

Tagger::Tagger(const TaggedSentences& sentences, const TaggerOptions& o)
    : Tagger(frequent_words(sentences, o.min_frequency), characters_of(sentences),
             tags_of(sentences), o) {}

data::Samples Tagger::batches(const TaggedSentences& sentences, int64_t size,
                              std::optional<uint64_t> seed) const {
  std::map<std::string, int64_t> tag_numbers;
  for (const std::string& tag : tags)
    tag_numbers.emplace(tag, static_cast<int64_t>(tag_numbers.size()));
  // Each word is spelled once, in a table: row 0 is no word.
  std::map<std::string, int64_t> spelled;
  std::vector<int64_t> table(kMostCharacters, Vocabulary::kPad);
  std::vector<data::Sample> samples;
  for (size_t i = 0; i < sentences.words.size(); ++i) {
    std::vector<int64_t> known, forms, wanted;
    for (const std::string& word : sentences.words[i]) {
      const auto [at, is_new] = spelled.emplace(word, static_cast<int64_t>(spelled.size()) + 1);
      if (is_new) {
        std::vector<int64_t> spelling = characters.encode(word);
        spelling.resize(kMostCharacters, Vocabulary::kPad);
        table.insert(table.end(), spelling.begin(), spelling.end());
      }
      forms.push_back(at->second);
      known.push_back(words.number(lowered(word)));
    }
    if (known.empty()) throw ValueError("Tagger: sentence " + std::to_string(i) + " is empty");
    data::Sample sample{{"words", row(known)}, {"forms", row(forms)}};
    if (!sentences.tags.empty()) {
      for (const std::string& tag : sentences.tags[i]) {
        const auto at = tag_numbers.find(tag);
        wanted.push_back(at == tag_numbers.end() ? -1 : at->second);
      }
      sample.set("tags", row(wanted));
    }
    samples.push_back(std::move(sample));
  }
  data::BatchOptions batch{.pad = {{.field = "words", .multiple = kMultiple, .lengths = "lengths"},
                                   {.field = "forms", .multiple = kMultiple}}};
  if (!sentences.tags.empty()) batch.pad.push_back({.field = "tags", .multiple = kMultiple});
  const Tensor spellings =
      from_vector(table, {static_cast<int64_t>(spelled.size()) + 1, kMostCharacters});
  const auto spell = [spellings](data::Sample s) {
    s.set("spellings", take(spellings, s["forms"]));
    s.erase("forms");
    return s;
  };
  const data::Samples all = data::from_samples(std::move(samples));
  if (!seed) return all.batch(size, batch).map(spell);
  return all
      .bucket({.field = "words", .size = size, .width = kMultiple, .seed = *seed, .batch = batch})
      .map(spell);
}

Tensor Tagger::operator()(const data::Sample& batch) const {
  Tensor known = batch["words"];
  const Tensor spellings = batch["spellings"];
  const int64_t n = known.size(0), t = known.size(1), length = spellings.size(2);
  const double drop = is_training() ? options.dropout : 0;
  if (is_training() && options.word_dropout > 0)
    known = where(uniform({n, t}, 0, 1) < options.word_dropout, Vocabulary::kUnknown, known);
  const Tensor letters = reshape(spellings, {n * t, length});
  const Tensor there = unsqueeze(letters != Vocabulary::kPad, 2);
  const Tensor seen = convolution(dropout(character_embedding(letters), drop / 2));
  // The largest of each filter over the word's characters; 0 of what is none.
  const Tensor spelled = relu(max(where(there, seen, -1e9), {1}));
  const Tensor x = concat({word_embedding(known), reshape(spelled, {n, t, options.filters})}, 2);
  const Tensor h = lstm(dropout(x, drop), {}, {}, batch["lengths"]).out;
  return out(dropout(h, drop));
}

std::vector<std::vector<int64_t>> Tagger::decoded(const Tensor& scores,
                                                  const Tensor& lengths) const {
  std::vector<std::vector<int64_t>> result;
  for (CrfPath& path : crf_decode(scores, lengths, options.crf ? crf.weights() : CrfWeights{}))
    result.push_back(std::move(path.tags));
  return result;
}

training::Outcome Tagger::outcome(const data::Sample& batch) const {
  const Tensor scores = (*this)(batch), wanted = batch["tags"], lengths = batch["lengths"];
  const Tensor count = cast(sum(lengths), kF32);
  // Without a CRF the same sums with transitions of 0 are those of each tag for itself.
  const Tensor likelihood =
      crf_log_likelihood(scores, wanted, lengths, options.crf ? crf.weights() : CrfWeights{});
  const Tensor there = arange(wanted.size(1)) < unsqueeze(lengths, 1);
  const Tensor best = argmax(options.crf ? crf_marginals(stop_gradient(scores), lengths,
                                                         {stop_gradient(crf.transitions.tensor()),
                                                          stop_gradient(crf.start.tensor()),
                                                          stop_gradient(crf.end.tensor())})
                                         : scores,
                             2);
  return {
      -sum(likelihood) / count, {{"accuracy", sum(cast((best == wanted) & there, kF32))}}, count};
}

std::vector<std::vector<std::string>> Tagger::tag(
    const std::vector<std::vector<std::string>>& sentences) const {
  std::vector<std::vector<std::string>> result;
  if (sentences.empty()) return result;
  for (const data::Sample& batch : batches({sentences, {}}, kJudged))
    for (const auto& numbers : decoded((*this)(batch), batch["lengths"])) {
      result.emplace_back();
      for (const int64_t number : numbers)
        result.back().push_back(tags[static_cast<size_t>(number)]);
    }
  return result;
}

TagScore judge(const Tagger& tagger, const TaggedSentences& sentences) {
  struct Counts {
    int64_t right = 0, found = 0, wanted = 0;
  };
  std::map<std::string, Counts> counts;
  for (const std::string& tag : tagger.tags) counts[tag];
  TagScore score;
  int64_t right = 0, unknown_right = 0;
  const auto found = tagger.tag(sentences.words);
  for (size_t i = 0; i < found.size(); ++i)
    for (size_t k = 0; k < found[i].size(); ++k) {
      const std::string &is = found[i][k], &wanted = sentences.tags[i][k];
      const bool known =
          tagger.words.number(lowered(sentences.words[i][k])) != Vocabulary::kUnknown;
      ++score.words;
      right += is == wanted;
      score.unknown += !known;
      unknown_right += !known && is == wanted;
      ++counts[is].found;
      ++counts[wanted].wanted;
      counts[wanted].right += is == wanted;
    }
  const auto share = [](int64_t a, int64_t b) {
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0;
  };
  score.accuracy = share(right, score.words);
  score.unknown_accuracy = share(unknown_right, score.unknown);
  for (const auto& [tag, c] : counts)
    score.tags.push_back({tag, share(c.right, c.found), share(c.right, c.wanted),
                          share(2 * c.right, c.found + c.wanted), c.wanted});
  return score;
}

}  // namespace glia::text
