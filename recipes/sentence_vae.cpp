// Sentences by a few numbers each: a variational autoencoder of sentences, which writes new ones
// and those between two.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "glia/catalogue.h"
#include "glia/generative/sequence_vae.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/text/vocabulary.h"
#include "recipes/src/own_stream.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

using generative::SentenceVae;

constexpr int64_t kEvaluations = 10, kShown = 12, kAtOnce = 256;
static_assert(SentenceVae::kEnd == text::Vocabulary::kEnd &&
              SentenceVae::kUnknown == text::Vocabulary::kUnknown &&
              SentenceVae::kSpecial == text::Vocabulary::kSpecial);

using Words = std::vector<std::vector<std::string>>;

struct SentenceSettings : TrainingSettings {
  std::string data;
  int64_t most_words = 0, longest = 0, steps = 0, batch = 0, anneal = 0;
  double lr = 0, test_share = 0;
  generative::SentenceVaeOptions options;

  void declare(Fields& f) override {
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
  Words read() const {
    const std::string text =
        data == "tinyshakespeare" ? data::tiny_shakespeare() : io::read_file(data);
    Words out;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      auto words = words_and_marks(text.substr(at, end - at));
      if (words.size() > 1 && static_cast<int64_t>(words.size()) <= longest)
        out.push_back(std::move(words));
      at = end + 1;
    }
    if (out.size() < 2)
      throw IoError(
          fmt::format("{}: has {} sentences of 2 to {} words", data, out.size(), longest));
    return out;
  }
};

text::Vocabulary vocabulary_of(const Words& sentences, int64_t most) {
  std::map<std::string, int64_t> counts;
  for (const auto& sentence : sentences)
    for (const std::string& word : sentence) ++counts[word];
  std::vector<std::string> words;
  for (const auto& [word, count] : counts) words.push_back(word);
  std::ranges::stable_sort(
      words, [&](const auto& a, const auto& b) { return counts.at(a) > counts.at(b); });
  if (static_cast<int64_t>(words.size()) > most) words.resize(static_cast<size_t>(most));
  return text::Vocabulary(words);
}

struct Numbers {
  Tensor words, lengths;  // i64 (N, T), (N)
};
Numbers numbers_of(const Words& sentences, const text::Vocabulary& known, int64_t longest) {
  std::vector<int64_t> words, lengths;
  for (const auto& sentence : sentences) {
    for (const std::string& word : sentence) words.push_back(known.number(word));
    lengths.push_back(static_cast<int64_t>(sentence.size()));
    words.resize(lengths.size() * static_cast<size_t>(longest), text::Vocabulary::kPad);
  }
  const auto n = static_cast<int64_t>(lengths.size());
  return {from_vector(words, {n, longest}), from_vector(lengths, {n})};
}

std::string text_of(const std::vector<int64_t>& words, const text::Vocabulary& known) {
  std::string out;
  for (const int64_t word : words) out += (out.empty() ? "" : " ") + known.shown(word);
  return out;
}

// The bound, by all sentences.
training::Values measured(const SentenceVae& net, const Numbers& all) {
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

report::Section between(const SentenceVae& net, const Numbers& some, const text::Vocabulary& known,
                        int64_t longest) {
  constexpr int64_t kPairs = 3, kSteps = 6;
  const Tensor z = net.encode(some.words, some.lengths).mean;
  report::Texts texts;
  for (int64_t i = 0; i < std::min(kPairs, z.size(0) / 2); ++i) {
    const Tensor part = unsqueeze(linspace(0, 1, kSteps), 1);
    const Tensor at =
        slice(z, 0, {2 * i, 2 * i + 1}) * (1 - part) + slice(z, 0, {2 * i + 1, 2 * i + 2}) * part;
    std::string lines;
    for (const auto& words : net.write(at, longest)) lines += text_of(words, known) + "\n";
    texts.texts.push_back({"", {{lines}}});
  }
  return {"From one sentence to another", texts, "The likeliest words of numbers between theirs."};
}

std::string drawn(const SentenceVae& net, const Tensor& z, const text::Vocabulary& known,
                  int64_t longest) {
  std::string lines;
  for (const auto& words : net.write(z, longest)) lines += text_of(words, known) + "\n";
  return lines;
}

void train(Run& run, const SentenceSettings& s) {
  const Words sentences = s.read();
  const auto is_test = drawn_for_test(static_cast<int64_t>(sentences.size()), s.test_share,
                                      static_cast<uint64_t>(s.seed), s.data);
  Words seen, unseen;
  for (size_t i = 0; i < sentences.size(); ++i)
    (is_test[i] ? unseen : seen).push_back(sentences[i]);
  const text::Vocabulary known = vocabulary_of(seen, s.most_words);
  const Numbers training = numbers_of(seen, known, s.longest);
  const Numbers test = numbers_of(unseen, known, s.longest);
  generative::SentenceVaeOptions o = s.options;
  o.vocabulary = known.size();
  SentenceVae net(o);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::cosine(s.lr, s.steps, s.lr / 10));
  training::Task task = training::supervised(
      net, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor at = randint(0, training.lengths.size(0), {s.batch});
        const auto l = net.loss(take(training.words, at), take(training.lengths, at),
                                generative::kl_weight(optimizer.steps(), 0, s.anneal));
        const auto n = static_cast<double>(s.batch);
        return {l.loss, {{"kl", l.kl * n}, {"reconstruction", l.reconstruction * n}}, s.batch};
      },
      {.clip_norm = 5});
  task.evaluate = [&] {
    net.eval();
    const training::Values values = measured(net, test);
    net.train();
    return values;
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.say(fmt::format("{}: {} sentences, {} words, {} parameters, results in {}", s.data,
                      report::shown(static_cast<double>(sentences.size())), known.size(),
                      report::shown(static_cast<double>(net.parameter_count())), run.folder()));
  run.fit(trainer, "sentences");
  run.save(net.state_dict(), {{"words-known", known.tokens()}});
  net.eval();
  const NoGrad no_grad;
  const auto& last = trainer.history().back().values;
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  const Numbers some{slice(test.words, 0, {0, kShown}), slice(test.lengths, 0, {0, kShown})};
  run.finish(
      {.title = "Sentences: " + s.data,
       .subtitle = fmt::format("{} numbers for each, trained by {} for {} steps", o.latent,
                               version(), s.steps),
       .sections = {curve(trainer, "Perplexity of a word, at most", "test_perplexity", x),
                    curve(trainer, "Divergence from the prior, nats", "test_kl", x),
                    {"Sentences of drawn numbers",
                     report::Texts{
                         {{"", {{drawn(net, randn({kShown, o.latent}), known, s.longest)}}}}}},
                    between(net, some, known, s.longest)}},
      {{"test_perplexity", training::value_of(last, "test_perplexity")},
       {"test_kl", training::value_of(last, "test_kl")},
       {"test_reconstruction", training::value_of(last, "test_reconstruction")},
       {"parameters", net.parameter_count()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const SentenceSettings& s)
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
    const auto* text = std::get_if<std::string>(&input);
    if (!text) throw ValueError("there is no sentence");
    const auto q = encoded(*text);
    return {{"again", text_of(net_.write(q.mean, settings_.longest)[0], known_)},
            {"code", index(q.mean, {0})}};
  }
  Results score(const Evaluation& what) const override {
    SentenceSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    Words sentences = from.read();
    if (what.count > 0 && what.count < static_cast<int64_t>(sentences.size()))
      sentences.resize(static_cast<size_t>(what.count));
    Results out;
    for (const auto& [name, value] : measured(net_, numbers_of(sentences, known_, from.longest)))
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
    return drawn(net_, z, known_, std::min(how.length, settings_.longest));
  }

 private:
  generative::Gaussian encoded(const std::string& text) const {
    const auto words = words_and_marks(text);
    if (words.empty()) throw ValueError("'" + text + "' has no words");
    const Numbers one = numbers_of({words}, known_, static_cast<int64_t>(words.size()));
    return net_.encode(one.words, one.lengths);
  }

  const SentenceSettings settings_;
  const text::Vocabulary known_;
  SentenceVae net_;
};

const Register<SentenceSettings> sentence_vae({
    .name = "sentence-vae",
    .task = "generation",
    .description = "Sentences by a few numbers: new ones, and those between two.",
    .run_name =
        [](const SentenceSettings& s) {
          return "sentence-vae-" + std::filesystem::path(s.data).stem().string();
        },
    .train = train,
    .load = make_predictor<Use, SentenceSettings>,
    .input = "SENTENCE",
    .input_help = "A sentence.",
    .predict_help = "Prints the sentence that its numbers say, and the numbers.",
    .evaluate_help = "Prints the perplexity of a word, at most, and the divergence of sentences.",
    .generates = true,
});

}  // namespace
}  // namespace glia::recipes
