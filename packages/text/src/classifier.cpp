#include "glia/text/classifier.h"

#include <algorithm>
#include <cmath>

#include "glia/data/dataset.h"
#include "glia/nn/functional.h"
#include "glia/random.h"

namespace glia::text {
namespace {

constexpr int64_t kUnknown = 0, kPad = 1;  // of words_for()
constexpr int64_t kMultiple = 8, kJudged = 64;

Tensor row(const std::vector<int64_t>& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

}  // namespace

Tokenizer TextClassifier::words_for(const std::vector<std::string>& texts, int64_t min_frequency) {
  return train_tokenizer("words", texts,
                         {.vocab_size = 1 << 20,
                          .min_frequency = min_frequency,
                          .special_tokens = {"<unk>", "<pad>"},
                          .lowercase = true});
}

TextClassifier::TextClassifier(const Tokenizer& words, std::vector<std::string> all,
                               const ClassifierOptions& o)
    : tokenizer(words),
      classes(std::move(all)),
      options(o),
      embedding(words.size(), o.features, {.padding_idx = kPad}) {
  const auto count = static_cast<int64_t>(classes.size());
  int64_t width = o.features;
  if (o.longest < 1) throw ValueError("TextClassifier: texts of no words");
  if (o.model == "fasttext") {
    pairs.emplace(o.buckets + 1, o.features, nn::EmbeddingOptions{.padding_idx = 0});
  } else if (o.model == "cnn") {
    if (o.windows.empty()) throw ValueError("TextClassifier: there are no windows");
    for (const int64_t window : o.windows)
      convolutions.emplace_back(o.features, o.filters,
                                nn::Conv1dOptions{.kernel = window, .padding = window - 1});
    width = o.filters * static_cast<int64_t>(o.windows.size());
  } else if (o.model == "lstm") {
    lstm.emplace(o.features, o.hidden,
                 nn::RecurrentOptions{.batch_first = true, .bidirectional = true});
    width = 2 * o.hidden;
    attention.emplace(width, width);
    score.emplace(width, 1, nn::LinearOptions{.bias = false});
  } else if (o.model == "transformer") {
    positions.emplace(o.longest + kMultiple, o.features);
    encoder.emplace(nn::TransformerEncoderLayer(o.features, o.heads,
                                                {.dim_feedforward = 4 * o.features,
                                                 .dropout = std::min(o.dropout, 0.3),
                                                 .norm_first = true}),
                    o.layers);
  } else if (o.model != "bag") {
    throw ValueError("TextClassifier: there is no model '" + o.model +
                     "' (known: bag, fasttext, cnn, lstm, transformer)");
  }
  out.emplace(width, count);
  // As Kim has words that are not known beforehand; what fills up stays zero.
  embedding.weight.set(uniform({words.size(), o.features}, -0.25, 0.25) *
                       cast(unsqueeze(arange(words.size()) != kPad, 1), kF32));
}

int64_t TextClassifier::set_vectors(const WordVectors& vectors) {
  if (vectors.dimension() != options.features)
    throw ValueError("set_vectors: vectors of " + std::to_string(vectors.dimension()) +
                     " numbers for words of " + std::to_string(options.features));
  std::vector<float> values = embedding.weight.tensor().to_vector<float>();
  int64_t known = 0;
  for (int64_t id = 0; id < tokenizer.size(); ++id) {
    const std::string word = tokenizer.token(id);
    if (!vectors.has(word)) continue;
    const std::vector<float> own = vectors.vector(word).to_vector<float>();
    std::ranges::copy(own, values.begin() + id * options.features);
    ++known;
  }
  embedding.weight.set(from_vector(values, {tokenizer.size(), options.features}));
  return known;
}

data::Sample TextClassifier::sample(const std::vector<int64_t>& all) const {
  std::vector<int64_t> ids = all;
  if (static_cast<int64_t>(ids.size()) > options.longest)
    ids.resize(static_cast<size_t>(options.longest));
  if (ids.empty()) ids.push_back(kUnknown);
  data::Sample out{{"tokens", row(ids)}};
  if (options.model == "fasttext") {
    std::vector<int64_t> hashes{0};
    for (size_t i = 1; i < ids.size(); ++i) {
      const auto mixed = static_cast<uint64_t>(ids[i - 1]) * 0x9E3779B97F4A7C15u ^
                         static_cast<uint64_t>(ids[i]) * 0xD6E8FEB86659FD93u;
      hashes.push_back(
          1 + static_cast<int64_t>((mixed ^ mixed >> 29) % static_cast<uint64_t>(options.buckets)));
    }
    out.set("pairs", row(hashes));
  }
  return out;
}

data::Samples TextClassifier::batches(const LabelledTexts& texts, int64_t size,
                                      std::optional<uint64_t> seed) const {
  std::vector<data::Sample> samples;
  for (size_t i = 0; i < texts.texts.size(); ++i) {
    samples.push_back(sample(tokenizer.ids(texts.texts[i])));
    if (!texts.labels.empty()) samples.back().set("labels", texts.labels[i]);
  }
  data::BatchOptions batch{
      .pad = {{.field = "tokens", .value = kPad, .multiple = kMultiple, .lengths = "lengths"}}};
  if (options.model == "fasttext") batch.pad.push_back({.field = "pairs", .multiple = kMultiple});
  const data::Samples all = data::from_samples(std::move(samples));
  if (!seed) return all.batch(size, batch);
  return all.bucket(
      {.field = "tokens", .size = size, .width = kMultiple, .seed = *seed, .batch = batch});
}

// What is known of a text (N, width).
Tensor TextClassifier::pooled(const data::Sample& batch) const {
  const Tensor tokens = batch["tokens"], there = tokens != kPad;
  const Tensor lengths = unsqueeze(cast(batch["lengths"], kF32), 1);
  Tensor x = embedding(tokens);
  if (options.model == "cnn") {
    std::vector<Tensor> found;
    for (const nn::Conv1d& convolution : convolutions) {
      // Windows that see a word: so many more than words.
      const int64_t more = convolution.options.kernel - 1;
      const Tensor seen = arange(tokens.size(1) + more) < unsqueeze(batch["lengths"] + more, 1);
      found.push_back(max(where(unsqueeze(seen, 2), relu(convolution(x)), 0), {1}));
    }
    return concat(found, 1);
  }
  if (options.model == "lstm") {
    const Tensor h =
        (*lstm)(dropout(x, is_training() ? options.dropout : 0), {}, {}, batch["lengths"]).out;
    const Tensor scores =
        where(there, reshape((*score)(tanh((*attention)(h))), tokens.shape()), -1e9);
    return sum(h * unsqueeze(softmax(scores, 1), 2), {1});
  }
  if (options.model == "transformer") {
    x = (*encoder)((*positions)(x), {}, tokens == kPad);
    return sum(where(unsqueeze(there, 2), x, 0), {1}) / lengths;
  }
  if (pairs) x = x + (*pairs)(batch["pairs"]);
  return sum(x, {1}) / lengths;
}

Tensor TextClassifier::operator()(const data::Sample& batch) const {
  return (*out)(dropout(pooled(batch), is_training() ? options.dropout : 0));
}

training::Outcome TextClassifier::outcome(const data::Sample& batch) const {
  const Tensor logits = (*this)(batch), labels = batch["labels"];
  return {cross_entropy(logits, labels), {{"accuracy", sum(cast(argmax(logits) == labels, kF32))}}};
}

Tensor TextClassifier::probabilities(const std::vector<std::string>& texts) const {
  const auto count = static_cast<int64_t>(classes.size());
  if (texts.empty()) return zeros({0, count});
  std::vector<Tensor> all;
  for (const data::Sample& batch : batches({texts, {}, classes}, kJudged))
    all.push_back(softmax((*this)(batch), 1));
  return concat(all, 0);
}

std::vector<TextClassifier::Part> TextClassifier::explained(const std::string& text,
                                                            int64_t label) const {
  const Encoding words = tokenizer.encode(text);
  const int64_t n = std::min(words.size(), options.longest);
  if (label < 0 || label >= static_cast<int64_t>(classes.size()))
    throw ValueError("explained: " + std::to_string(label) + " is no class");
  std::vector<data::Sample> samples;
  for (int64_t i = 0; i <= n; ++i) {
    std::vector<int64_t> ids = words.ids;
    if (i < n) ids[static_cast<size_t>(i)] = kUnknown;
    samples.push_back(sample(ids));
  }
  data::BatchOptions batch{.pad = {{.field = "tokens", .value = kPad, .lengths = "lengths"}}};
  if (options.model == "fasttext") batch.pad.push_back({.field = "pairs"});
  std::vector<double> p;
  for (const data::Sample& b : data::from_samples(std::move(samples)).batch(kJudged, batch))
    for (const double x : index(softmax((*this)(b), 1), {Slice{}, label}).to_vector<double>())
      p.push_back(x);
  std::vector<Part> out;
  size_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto begin = static_cast<size_t>(words.begins[static_cast<size_t>(i)]),
               end = static_cast<size_t>(words.ends[static_cast<size_t>(i)]);
    if (begin > at) out.push_back({text.substr(at, begin - at), 0});
    out.push_back({text.substr(begin, end - begin), p.back() - p[static_cast<size_t>(i)]});
    at = end;
  }
  if (at < text.size()) out.push_back({text.substr(at), 0});
  return out;
}

ClassScore judge(const TextClassifier& model, const LabelledTexts& texts) {
  ClassScore out;
  out.count = texts.size();
  if (texts.size() == 0) return out;
  out.guesses = argmax(model.probabilities(texts.texts), 1).to_vector<int64_t>();
  const size_t k = texts.classes.size();
  std::vector<int64_t> right(k), found(k), wanted(k);
  int64_t all = 0;
  for (size_t i = 0; i < out.guesses.size(); ++i) {
    const auto guess = static_cast<size_t>(out.guesses[i]),
               label = static_cast<size_t>(texts.labels[i]);
    ++found[guess];
    ++wanted[label];
    right[label] += guess == label;
    all += guess == label;
  }
  out.accuracy = static_cast<double>(all) / static_cast<double>(texts.size());
  const auto f1 = [&](size_t c) {
    return found[c] + wanted[c] > 0
               ? 2 * static_cast<double>(right[c]) / static_cast<double>(found[c] + wanted[c])
               : 0.0;
  };
  if (k == 2) {
    out.f1 = f1(wanted[1] <= wanted[0] ? 1 : 0);
  } else {
    for (size_t c = 0; c < k; ++c) out.f1 += f1(c) / static_cast<double>(k);
  }
  return out;
}

}  // namespace glia::text
