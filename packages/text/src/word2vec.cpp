// Word2vec and fastText's vectors on one thread.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "glia/error.h"
#include "vector_loops.h"
#include "word_counts.h"

namespace glia::text {
namespace {

// xorshift64*: one for all draws of a run.
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x1234567) {}
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((next() >> 32) * n >> 32); }
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// Draws words by weight in two steps (Walker 1977): a place, and its word or another.
class Lottery {
 public:
  Lottery(const std::vector<int64_t>& counts, double exponent) : places_(counts.size()) {
    double total = 0;
    std::vector<double> share;
    for (const int64_t c : counts) {
      share.push_back(std::pow(static_cast<double>(c), exponent));
      total += share.back();
    }
    std::vector<int32_t> poor, rich;
    for (size_t i = 0; i < share.size(); ++i) {
      share[i] *= static_cast<double>(share.size()) / total;
      places_[i] = {1, static_cast<int32_t>(i)};
      (share[i] < 1 ? poor : rich).push_back(static_cast<int32_t>(i));
    }
    while (!poor.empty() && !rich.empty()) {
      const auto low = static_cast<size_t>(poor.back()), high = static_cast<size_t>(rich.back());
      poor.pop_back();
      places_[low] = {static_cast<float>(share[low]), static_cast<int32_t>(high)};
      share[high] -= 1 - share[low];
      if (share[high] < 1) {
        rich.pop_back();
        poor.push_back(static_cast<int32_t>(high));
      }
    }
  }
  int32_t draw(Draws* draws) const {
    const uint64_t bits = draws->next();
    const auto place = static_cast<size_t>((bits >> 32) * places_.size() >> 32);
    const auto& [own, other] = places_[place];
    return static_cast<float>(bits & 0xFFFFFF) * 0x1p-24f < own ? static_cast<int32_t>(place)
                                                                : other;
  }

 private:
  std::vector<std::pair<float, int32_t>> places_;
};

void check(const Word2VecOptions& o) {
  const auto require = [](bool good, const std::string& what) {
    if (!good) throw ValueError("train_word2vec: " + what);
  };
  require(o.vector_size >= 1 && o.vector_size <= 1 << 14,
          "a vector_size of " + std::to_string(o.vector_size));
  require(o.window >= 1 && o.window <= 1000, "a window of " + std::to_string(o.window));
  require(o.epochs >= 0 && o.min_count >= 0, "epochs or min_count below 0");
  require(o.negative >= 0 && o.negative <= 50,
          "negative is " + std::to_string(o.negative) + ", not from 0 to 50");
  require(o.hs || o.negative > 0, "neither hs nor negative says what is to be predicted");
  require(o.alpha >= 0 && o.min_alpha >= 0 && o.sample >= 0, "a rate or sample below 0");
  require(o.bucket >= 0 && o.bucket <= 1 << 28 && o.min_n >= 1 && o.max_n >= o.min_n,
          "parts of " + std::to_string(o.min_n) + " to " + std::to_string(o.max_n) +
              " characters in " + std::to_string(o.bucket) + " rows");
}

class Trainer {
 public:
  Trainer(const Sentences& sentences, const Word2VecOptions& o)
      : o_(o),
        counts_("train_word2vec", sentences, o.min_count, o.max_vocab_size),
        draws_(o.seed),
        in_(words() + o.bucket, o.vector_size),
        out_(words(), o.vector_size),
        inner_(o.hs ? words() : 0, o.vector_size),
        changes_(kMostContexts, o.vector_size),
        means_(kMostContexts, o.vector_size) {
    const float half = 0.5f / static_cast<float>(o.vector_size);
    for (int64_t i = 0; i < in_.count(); ++i)
      for (int64_t k = 0; k < o.vector_size; ++k) in_[i][k] = (draws_.uniform() * 2 - 1) * half;
    if (o.negative > 0) lottery_.emplace(counts_.counts, o.ns_exponent);
    if (o.hs) codes_ = huffman_codes(counts_.counts);
    for (int64_t w = 0; w < words(); ++w) {
      const double share =
          static_cast<double>(counts_.counts[w]) / static_cast<double>(counts_.total);
      const double keep = o.sample > 0 ? (std::sqrt(share / o.sample) + 1) * (o.sample / share) : 1;
      keep_.push_back(static_cast<float>(std::min(keep, 1.0)));
      std::vector<int32_t> rows{static_cast<int32_t>(w)};
      if (o.bucket > 0)
        for (const uint32_t h : subword_hashes(counts_.words[w], o.min_n, o.max_n))
          rows.push_back(static_cast<int32_t>(words() + h % static_cast<uint64_t>(o.bucket)));
      if (o.bucket > 0) parts_.push_back(std::move(rows));
    }
  }

  WordVectors run(const OnVectorProgress& progress) {
    const double all = static_cast<double>(counts_.total) * static_cast<double>(o_.epochs);
    double done = 0;
    for (int64_t epoch = 1; epoch <= o_.epochs; ++epoch) {
      const auto start = std::chrono::steady_clock::now();
      loss_ = 0;
      predictions_ = 0;
      int64_t seen = 0;
      for (const auto& sentence : counts_.sentences) {
        const double part = done / all;
        rate_ =
            static_cast<float>(std::max(o_.min_alpha, o_.alpha - (o_.alpha - o_.min_alpha) * part));
        kept_.clear();
        for (const int32_t word : sentence)
          if (keep_[static_cast<size_t>(word)] >= 1 ||
              draws_.uniform() < keep_[static_cast<size_t>(word)])
            kept_.push_back(word);
        o_.sg ? skip_gram() : bag();
        done += static_cast<double>(sentence.size());
        seen += static_cast<int64_t>(sentence.size());
      }
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      if (progress)
        progress({epoch, loss_ / std::max(predictions_, 1.0),
                  static_cast<double>(seen) / std::max(took.count(), 1e-9)});
    }
    if (o_.bucket == 0) {
      std::vector<float> values = in_.packed();
      return WordVectors(counts_.words, from_vector(values, {words(), o_.vector_size}));
    }
    Rows whole(words(), o_.vector_size);
    for (int64_t w = 0; w < words(); ++w) mean_of(w, whole[w]);
    return WordVectors(counts_.words, from_vector(whole.packed(), {words(), o_.vector_size}));
  }

 private:
  static constexpr int kMostContexts = 64, kMostOutputs = 64;

  int64_t words() const { return static_cast<int64_t>(counts_.words.size()); }

  // A word's vector, of itself and its parts.
  void mean_of(int64_t word, float* to) const {
    const auto& rows = parts_[static_cast<size_t>(word)];
    std::fill_n(to, in_.stride(), 0.0f);
    const float scale = 1 / static_cast<float>(rows.size());
    for (const int32_t row : rows) add_scaled(to, in_[row], scale, in_.stride());
  }
  // fastText adds the whole change to each of the parts.
  void change(int64_t word, const float* by, float scale) {
    if (o_.bucket == 0) return add_scaled(in_[word], by, scale, in_.stride());
    for (const int32_t row : parts_[static_cast<size_t>(word)])
      add_scaled(in_[row], by, scale, in_.stride());
  }
  // What a word is predicted by: its own output and those that are drawn against it, or the
  // branches to it. They are on their way to the cache when this returns.
  struct Outputs {
    float* drawn[kMostOutputs];
    float* branches[kMostOutputs];
    int drawn_count = 0, branch_count = 0, ones = 0;
  };
  void prepare(int32_t target, Outputs* outs) {
    outs->drawn_count = outs->branch_count = 0;
    if (o_.negative > 0) {
      outs->drawn[outs->drawn_count++] = out_[target];
      for (int64_t k = 0; k < o_.negative; ++k) {
        const int32_t word = lottery_->draw(&draws_);
        if (word != target) outs->drawn[outs->drawn_count++] = out_[word];
      }
      for (int i = 0; i < outs->drawn_count; ++i)
        for (int64_t k = 0; k < out_.stride(); k += 32) __builtin_prefetch(outs->drawn[i] + k, 1);
    }
    if (!o_.hs) return;
    // Branches to the first child have label 1.
    const HuffmanCode& code = codes_[static_cast<size_t>(target)];
    for (const bool bit : {false, true}) {
      for (size_t i = 0; i < code.points.size() && outs->branch_count < kMostOutputs; ++i)
        if (code.bits[i] == bit) outs->branches[outs->branch_count++] = inner_[code.points[i]];
      if (!bit) outs->ones = outs->branch_count;
    }
  }
  void predict(const Outputs& outs, const float* const* ins, int count, float* const* changes) {
    if (outs.drawn_count > 0)
      loss_ += regress({ins, count, outs.drawn, outs.drawn_count, 1, rate_, changes, in_.stride()});
    if (outs.branch_count > 0)
      loss_ += regress(
          {ins, count, outs.branches, outs.branch_count, outs.ones, rate_, changes, in_.stride()});
    predictions_ += count;
  }

  // The words around each word predict it, each by itself.
  void skip_gram() {
    const auto size = static_cast<int64_t>(kept_.size());
    const float* ins[kMostContexts];
    float* changes[kMostContexts];
    int32_t from[kMostContexts];
    Outputs outs;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t reach = 1 + draws_.below(static_cast<uint32_t>(o_.window));
      const int64_t end = std::min(size, i + reach + 1);
      for (int64_t j = std::max<int64_t>(0, i - reach); j < end;) {
        int count = 0;
        prepare(kept_[i], &outs);
        for (; j < end && count < kMostContexts; ++j) {
          if (j == i) continue;
          from[count] = kept_[j];
          ins[count] = in_[kept_[j]];
          if (o_.bucket > 0) {
            mean_of(kept_[j], means_[count]);
            ins[count] = means_[count];
          }
          changes[count] = changes_[count];
          std::fill_n(changes_[count], in_.stride(), 0.0f);
          ++count;
        }
        predict(outs, ins, count, changes);
        for (int c = 0; c < count; ++c) change(from[c], changes_[c], 1);
      }
    }
  }

  // The mean of the words around each word predicts it.
  void bag() {
    const auto size = static_cast<int64_t>(kept_.size());
    float* const h = means_[0];
    const float* const ins[1] = {h};
    float* const changes[1] = {changes_[0]};
    std::vector<float*> rows;
    Outputs outs;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t reach = 1 + draws_.below(static_cast<uint32_t>(o_.window));
      const int64_t begin = std::max<int64_t>(0, i - reach), end = std::min(size, i + reach + 1);
      if (end - begin < 2) continue;
      prepare(kept_[i], &outs);
      rows.clear();
      const auto words_around = static_cast<float>(end - begin - 1);
      for (int64_t j = begin; j < end; ++j) {
        if (j == i) continue;
        if (o_.bucket == 0)
          rows.push_back(in_[kept_[j]]);
        else
          for (const int32_t row : parts_[static_cast<size_t>(kept_[j])]) rows.push_back(in_[row]);
      }
      const auto count = static_cast<int>(rows.size());
      // fastText's mean is that of all parts of all words.
      const float scale = !o_.cbow_mean   ? 1
                          : o_.bucket > 0 ? 1 / static_cast<float>(count)
                                          : 1 / words_around;
      sum_of(rows.data(), count, scale, h, in_.stride());
      std::fill_n(changes_[0], in_.stride(), 0.0f);
      predict(outs, ins, 1, changes);
      add_to_all(rows.data(), count, changes_[0], scale, in_.stride());
    }
  }

  const Word2VecOptions o_;
  const WordCounts counts_;
  Draws draws_;
  Rows in_, out_, inner_, changes_, means_;
  std::optional<Lottery> lottery_;
  std::vector<int32_t> kept_;
  std::vector<HuffmanCode> codes_;
  std::vector<float> keep_;
  std::vector<std::vector<int32_t>> parts_;
  float rate_ = 0;
  double loss_ = 0, predictions_ = 0;
};

}  // namespace

WordVectors train_word2vec(const Sentences& sentences, const Word2VecOptions& options,
                           const OnVectorProgress& progress) {
  check(options);
  return Trainer(sentences, options).run(progress);
}

}  // namespace glia::text
