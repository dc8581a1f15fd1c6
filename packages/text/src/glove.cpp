// GloVe, phrases and reading a corpus.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

#include "glia/data.h"
#include "glia/error.h"
#include "text_file.h"
#include "unicode.h"
#include "vector_loops.h"
#include "word_counts.h"

namespace glia::text {
namespace {

struct Pair {
  int32_t a, b;
  float weight, target;  // f(x) and log x
};

// How often words come together, by 1 / distance, in an order that the seed draws.
std::vector<Pair> together(const WordCounts& counts, const GloveOptions& o) {
  std::unordered_map<uint64_t, double> sums;
  for (const auto& sentence : counts.sentences)
    for (size_t i = 0; i < sentence.size(); ++i)
      for (size_t d = 1; d <= static_cast<size_t>(o.window) && d <= i; ++d) {
        const auto a = static_cast<uint64_t>(sentence[i]),
                   b = static_cast<uint64_t>(sentence[i - d]);
        sums[a << 32 | b] += 1.0 / static_cast<double>(d);
        if (o.symmetric) sums[b << 32 | a] += 1.0 / static_cast<double>(d);
      }
  std::vector<std::pair<uint64_t, double>> sorted(sums.begin(), sums.end());
  std::ranges::sort(sorted);
  std::vector<Pair> out;
  out.reserve(sorted.size());
  for (const auto& [key, x] : sorted)
    out.push_back({static_cast<int32_t>(key >> 32), static_cast<int32_t>(key & UINT32_MAX),
                   static_cast<float>(x < o.x_max ? std::pow(x / o.x_max, o.alpha) : 1),
                   static_cast<float>(std::log(x))});
  data::Random random(o.seed, 0);
  for (size_t i = out.size(); i > 1; --i)
    std::swap(out[i - 1], out[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  return out;
}

}  // namespace

WordVectors train_glove(const Sentences& sentences, const GloveOptions& o,
                        const OnVectorProgress& progress) {
  if (o.vector_size < 1 || o.vector_size > 1 << 14 || o.window < 1 || o.epochs < 0 ||
      !(o.x_max > 0) || !(o.learning_rate >= 0))
    throw ValueError(
        "train_glove: vector_size, window, epochs, x_max or learning_rate is below "
        "what it may be");
  const WordCounts counts("train_glove", sentences, o.min_count, o.max_vocab_size);
  const std::vector<Pair> pairs = together(counts, o);
  const auto words = static_cast<int64_t>(counts.words.size());
  const int64_t d = o.vector_size;
  // Rows of words, then of contexts; the bias is the last number of each, and with it a 1 in the
  // other would do: it is kept apart.
  Rows values(2 * words, d), squares(2 * words, d);
  std::vector<float> bias(static_cast<size_t>(2 * words)), bias_squares(bias.size(), 1.0f);
  data::Random random(o.seed, 1);
  for (int64_t i = 0; i < 2 * words; ++i)
    for (int64_t k = 0; k < d; ++k) {
      values[i][k] = static_cast<float>((random.uniform() - 0.5) / static_cast<double>(d));
      squares[i][k] = 1;
    }
  const auto rate = static_cast<float>(o.learning_rate);
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    double cost = 0;
    for (const Pair& p : pairs) {
      const int64_t a = p.a, b = words + p.b;
      float *x = values[a], *y = values[b], *gx = squares[a], *gy = squares[b];
      const float difference = dot_of(x, y, values.stride()) + bias[a] + bias[b] - p.target;
      const float slope = p.weight * difference;
      cost += 0.5 * static_cast<double>(slope) * static_cast<double>(difference);
      const float step = slope * rate;
      for (int64_t k = 0; k < d; ++k) {
        const float u = step * y[k], v = step * x[k];
        x[k] -= u / std::sqrt(gx[k]);
        y[k] -= v / std::sqrt(gy[k]);
        gx[k] += u * u;
        gy[k] += v * v;
      }
      bias[a] -= step / std::sqrt(bias_squares[a]);
      bias[b] -= step / std::sqrt(bias_squares[b]);
      bias_squares[a] += step * step;
      bias_squares[b] += step * step;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (progress)
      progress({epoch, cost / std::max<double>(static_cast<double>(pairs.size()), 1),
                static_cast<double>(counts.total) / std::max(took.count(), 1e-9)});
  }
  std::vector<float> out;
  for (int64_t i = 0; i < words; ++i)
    for (int64_t k = 0; k < d; ++k) out.push_back(values[i][k] + values[words + i][k]);
  return WordVectors(counts.words, from_vector(out, {words, d}));
}

// ---- Corpora ------------------------------------------------------------------------------------

Sentences read_sentences(const std::string& path, bool lowercase) {
  constexpr size_t kMostWords = 10000;
  const std::string text = repaired_utf8(read_text_file(path));
  Sentences out;
  std::vector<std::string> sentence;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) sentence.push_back(std::exchange(word, {}));
  };
  const auto end_sentence = [&] {
    if (!sentence.empty()) out.push_back(std::exchange(sentence, {}));
  };
  for (size_t at = 0; at < text.size();) {
    const auto [c, bytes] = decode_at(text, at);
    const uint16_t classes = classes_of(c);
    if (classes & kWhite) {
      end_word();
      if (c == '\n' || sentence.size() >= kMostWords) end_sentence();
    } else if (lowercase && !(classes & kWord) && c != '\'') {
      end_word();
      sentence.push_back(text.substr(at, bytes));
    } else {
      word += lowercase ? lower_of(c) : text.substr(at, bytes);
    }
    at += bytes;
  }
  end_word();
  end_sentence();
  return out;
}

Sentences joined_phrases(const Sentences& sentences, const PhraseOptions& o) {
  std::unordered_map<std::string, int64_t> counts;
  for (const auto& sentence : sentences)
    for (size_t i = 0; i < sentence.size(); ++i) {
      ++counts[sentence[i]];
      if (i > 0) ++counts[sentence[i - 1] + o.delimiter + sentence[i]];
    }
  const auto many = static_cast<double>(counts.size());
  const auto count_of = [&](const std::string& word) {
    const auto at = counts.find(word);
    return at == counts.end() ? int64_t{0} : at->second;
  };
  Sentences out;
  for (const auto& sentence : sentences) {
    std::vector<std::string> made;
    for (size_t i = 0; i < sentence.size(); ++i) {
      if (i + 1 < sentence.size()) {
        const std::string both = sentence[i] + o.delimiter + sentence[i + 1];
        const int64_t a = count_of(sentence[i]), b = count_of(sentence[i + 1]), n = count_of(both);
        if (a >= o.min_count && b >= o.min_count && n >= o.min_count &&
            static_cast<double>(n - o.min_count) / static_cast<double>(a) / static_cast<double>(b) *
                    many >
                o.threshold) {
          made.push_back(both);
          ++i;
          continue;
        }
      }
      made.push_back(sentence[i]);
    }
    out.push_back(std::move(made));
  }
  return out;
}

}  // namespace glia::text
