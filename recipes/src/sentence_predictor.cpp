#include "recipes/src/sentence_predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/catalogue.h"
#include "glia/glia.h"
#include "recipes/src/own_stream.h"
#include "recipes/src/predictors.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

constexpr int64_t kShown = 12, kAtOnce = 256;

std::string sentence_of(const std::vector<int64_t>& words, const text::Vocabulary& known) {
  std::string out;
  for (const int64_t word : words) out += (out.empty() ? "" : " ") + known.shown(word);
  return out;
}

class SentencePredictor : public Predictor {
 public:
  SentencePredictor(const Saved& saved, const SentenceSettings& s)
      : settings_(s), known_(saved.texts("words-known")), net_([&] {
          generative::SentenceVaeOptions o = s.options;
          o.vocabulary = known_.size();
          return o;
        }()) {
    net_.load_state_dict(saved.weights);
    net_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& text = text_of(input, "there is no sentence");
    const auto q = encoded(text);
    return {{"again", sentence_of(net_.write(q.mean, settings_.longest)[0], known_)},
            {"code", index(q.mean, {0})}};
  }
  Results score(const Evaluation& what) const override {
    SentenceSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    Sentences sentences = from.read();
    if (what.count > 0 && what.count < static_cast<int64_t>(sentences.size()))
      sentences.resize(static_cast<size_t>(what.count));
    Results out;
    for (const auto& [name, value] : measured(net_, padded(sentences, known_, from.longest)))
      out.push_back({name.substr(5), value});
    return out;
  }
  // Sentences of the prior; with a prompt, sentences like it.
  std::string write(const std::string& prompt, const Generation& how) const override {
    const int64_t n = kShown, k = settings_.options.latent;
    const OwnStream stream(static_cast<uint64_t>(how.seed));
    Tensor z = randn({n, k}) * std::max(how.temperature, 0.0);
    if (!prompt.empty()) {
      const auto q = encoded(prompt);
      z = q.mean + exp(0.5 * q.log_var) * z;
    }
    return lines_of(net_, z, known_, std::min(how.length, settings_.longest));
  }

 private:
  generative::Gaussian encoded(const std::string& text) const {
    const auto words = words_and_marks(text);
    if (words.empty()) throw ValueError("'" + text + "' has no words");
    const SentenceNumbers one = padded({words}, known_, static_cast<int64_t>(words.size()));
    return net_.encode(one.words, one.lengths);
  }

  const SentenceSettings settings_;
  const text::Vocabulary known_;
  generative::SentenceVae net_;
};

}  // namespace

void SentenceSettings::declare(Fields& f) {
  auto& o = options;
  f(data, "data", "tinyshakespeare", "A text of the catalogue, or a file: a sentence in a line.",
    data_sets("language-modelling", "FILE"));
  f(most_words, "words", 5000, "Words that are known, the most frequent ones.", {1, 1e6});
  f(longest, "longest", 15, "Longer sentences are left out.", {1, 1000});
  f(o.embedding, "embedding", 96, "Numbers of a word.", {1, 1e4});
  f(o.hidden, "hidden", 160, "Width of both LSTMs.", {1, 1e4});
  f(o.latent, "latent", 16, "Numbers of a sentence.", {1, 1e4});
  f(o.word_dropout, "word-dropout", 0.3, "Part of the words that the decoder does not see.",
    {0, 1});
  f(o.dropout, "dropout", 0.2, "Share of features that a step leaves out.", {0, 0.99});
  f(steps, "steps", 3000, "Steps of training.", {1, 1e9});
  f(anneal, "anneal", 1500, "Steps in which the divergence comes to count in full.", {0, 1e9});
  f(batch, "batch", 64, "Sentences in each step.", {1, 1e6});
  f(lr, "lr", 2e-3, "Rate of Adam; it falls to a tenth along a cosine.", {0, 1e3});
  f(test_share, "test-share", 0.1, "Part of the sentences that is left for the test.", {0, 1});
  TrainingSettings::declare(f);
}

Sentences SentenceSettings::read() const {
  const std::string text =
      data == "tinyshakespeare" ? data::tiny_shakespeare() : io::read_file(data);
  Sentences out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    auto words = words_and_marks(text.substr(at, end - at));
    if (words.size() > 1 && static_cast<int64_t>(words.size()) <= longest)
      out.push_back(std::move(words));
    at = end + 1;
  }
  if (out.size() < 2)
    throw IoError(fmt::format("{}: has {} sentences of 2 to {} words", data, out.size(), longest));
  return out;
}

SentenceNumbers padded(const Sentences& sentences, const text::Vocabulary& known, int64_t longest) {
  std::vector<int64_t> words, lengths;
  for (const auto& sentence : sentences) {
    for (const std::string& word : sentence) words.push_back(known.number(word));
    lengths.push_back(static_cast<int64_t>(sentence.size()));
    words.resize(lengths.size() * static_cast<size_t>(longest), text::Vocabulary::kPad);
  }
  const auto n = static_cast<int64_t>(lengths.size());
  return {from_vector(words, {n, longest}), from_vector(lengths, {n})};
}

training::Values measured(const generative::SentenceVae& net, const SentenceNumbers& all) {
  const NoGrad no_grad;
  double reconstruction = 0, kl = 0;
  const int64_t n = all.lengths.size(0);
  for (int64_t at = 0; at < n; at += kAtOnce) {
    const Tensor words = slice(all.words, 0, {at, at + kAtOnce});
    const auto l = net.loss(words, slice(all.lengths, 0, {at, at + kAtOnce}));
    reconstruction += l.reconstruction.item() * static_cast<double>(words.size(0));
    kl += l.kl.item() * static_cast<double>(words.size(0));
  }
  const double words = sum(all.lengths).item() + static_cast<double>(n);  // and the ends
  return {{"test_perplexity", std::exp((reconstruction + kl) / words)},
          {"test_kl", kl / static_cast<double>(n)},
          {"test_reconstruction", reconstruction / static_cast<double>(n)}};
}

std::string lines_of(const generative::SentenceVae& net, const Tensor& z,
                     const text::Vocabulary& known, int64_t longest) {
  std::string lines;
  for (const auto& words : net.write(z, longest)) lines += sentence_of(words, known) + "\n";
  return lines;
}

std::unique_ptr<Predictor> sentence_predictor(const Saved& saved, const SentenceSettings& s) {
  return std::make_unique<SentencePredictor>(saved, s);
}

}  // namespace glia::recipes
