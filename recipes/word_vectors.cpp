// Vectors of words out of a text: word2vec, GloVe or fastText.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/word_vectors.h"

namespace glia::recipes {
namespace {

using text::WordVectors;

constexpr int64_t kNeighbours = 10, kShown = 12;

struct VectorSettings : Settings {
  std::string data, model, questions, pairs;
  text::Word2VecOptions options;
  int64_t phrases = 0;
  bool lowercase = false;

  void declare(Fields& f) override {
    f(data, "data", "", "A text, a sentence or paragraph in each line, plain or gzipped.");
    f(model, "model", "skipgram", "How vectors are found.",
      {{"skipgram", "cbow", "glove", "fasttext"}});
    auto& o = options;
    const bool glove = model == "glove";
    f(o.vector_size, "size", 100, "Numbers of each vector.", {1, 10000});
    f(o.window, "window", glove ? 15 : 5, "Words to each side that count.", {1, 1000});
    f(o.min_count, "min-count", 5, "How often a word comes that gets a vector.", {1, 1e9});
    f(o.epochs, "epochs", glove ? 25 : 5, "Passes over the text.", {1, 10000});
    f(o.negative, "negative", 5, "Words drawn against each.", {0, 50});
    f(o.hs, "hs", false, "Whether words are told by hierarchical softmax as well.");
    f(o.sample, "sample", 1e-3, "Share beyond which frequent words are left out at times.", {0, 1});
    f(o.alpha, "alpha", glove ? 0.05 : 0.025, "Learning rate, which falls but with glove.",
      {0, 10});
    f(phrases, "phrases", 0, "How often pairs of words are joined to phrases.", {0, 10});
    f(lowercase, "lowercase", true, "Whether capitals count as others, and marks stand apart.");
    f(questions, "questions", "", "A file of analogies to judge by, such as questions-words.txt.");
    f(pairs, "pairs", "", "A file of pairs of words and their likeness, such as WordSim-353.");
    Settings::declare(f);
  }
};

WordVectors trained(const text::Sentences& sentences, const VectorSettings& s,
                    const text::OnVectorProgress& progress) {
  const auto& o = s.options;
  if (s.model == "glove")
    return text::train_glove(sentences,
                             {.vector_size = o.vector_size,
                              .window = o.window,
                              .min_count = o.min_count,
                              .epochs = o.epochs,
                              .learning_rate = o.alpha,
                              .seed = static_cast<uint64_t>(s.seed)},
                             progress);
  text::Word2VecOptions own = o;
  own.sg = s.model != "cbow";
  own.bucket = s.model == "fasttext" ? 2000000 : 0;
  own.seed = static_cast<uint64_t>(s.seed);
  return text::train_word2vec(sentences, own, progress);
}

void train(Run& run, const VectorSettings& s) {
  if (s.data.empty()) throw Error("--data: no text is named");
  text::Sentences sentences = text::read_sentences(s.data, s.lowercase);
  for (int64_t i = 0; i < s.phrases; ++i) sentences = text::joined_phrases(sentences);
  run.say(fmt::format("{}: {} lines, results in {}", s.data,
                      report::shown(static_cast<int64_t>(sentences.size())), run.folder()));
  std::vector<double> losses;
  double speed = 0;
  const WordVectors v = trained(sentences, s, [&](const text::VectorProgress& p) {
    losses.push_back(p.loss);
    speed = p.words_per_second;
    run.say(fmt::format("epoch {}/{}: loss {:.4f}, {} words/s", p.epoch, s.options.epochs, p.loss,
                        report::shown(static_cast<int64_t>(p.words_per_second))));
  });
  run.save({{"vectors", v.vectors()}}, {{"words", v.words()}});
  v.save(run.file("vectors.txt"));
  Results results = {{"loss", losses.back()}, {"words", v.size()}, {"words_per_second", speed}};
  report::Report page{
      .title = "Word vectors: " + std::filesystem::path(s.data).filename().string(),
      .subtitle =
          fmt::format("{}, trained by {}; vectors.txt has them as text", s.model, version()),
      .sections = {
          {"Loss", report::Curves{{{"loss", losses}}, {.name = "epoch"}, {.name = "loss"}}}}};
  report::Table near{{{"word"}, {"the words nearest to it"}}, {}};
  for (int64_t i = 0, shown = 0; i < v.size() && shown < kShown; i += 1 + v.size() / (4 * kShown)) {
    const std::string& word = v.words()[static_cast<size_t>(i)];
    std::string all;
    for (const auto& n : v.most_similar({word}, {}, 5)) all += (all.empty() ? "" : ", ") + n.word;
    near.rows.push_back({word, all});
    ++shown;
  }
  page.sections.push_back({"Neighbours", near});
  if (!s.questions.empty()) {
    report::Table table{{{"section"}, {"right", true}, {"asked"}}, {}};
    const auto scores = text::analogies(v, s.questions);
    for (const auto& one : scores) table.rows.push_back({one.section, one.accuracy(), one.asked});
    page.sections.push_back({"Analogies", table});
    results.insert(results.begin(), {"analogies", scores.back().accuracy(), true});
  }
  if (!s.pairs.empty()) results.push_back({"spearman", text::word_pairs(v, s.pairs).spearman});
  run.finish(page, results);
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const VectorSettings&)
      : vectors_(saved.texts("words"), io::NamedTensors(saved.weights).at(0).second) {}

 protected:
  Results answer(const Input& input) const override {
    const auto* words = std::get_if<std::string>(&input);
    if (!words || words->empty()) throw ValueError("there is no word");
    // "king - man + woman"
    std::vector<std::string> positive, negative;
    bool minus = false;
    std::string word;
    for (const char c : *words + " ") {
      if (c != ' ') {
        word += c;
      } else if (!word.empty()) {
        if (word == "+" || word == "-")
          minus = word == "-";
        else
          (minus ? negative : positive).push_back(word);
        word.clear();
      }
    }
    report::Table table{{{"word"}, {"cosine"}}, {}};
    const auto found = vectors_.most_similar(positive, negative, kNeighbours);
    for (const auto& n : found) table.rows.push_back({n.word, n.score});
    return {{"word", found.empty() ? "" : found[0].word}, {"neighbours", table}};
  }
  Results score(const Evaluation& what) const override {
    if (what.data.empty()) throw ValueError("--data: name a file of analogies");
    const auto scores = text::analogies(vectors_, what.data);
    return {{"analogies", scores.back().accuracy(), true}, {"asked", scores.back().asked}};
  }

 private:
  const WordVectors vectors_;
};

const Register<VectorSettings> word_vectors({
    .name = "word-vectors",
    .task = "word-vectors",
    .description = "Vectors of words out of a text: word2vec, GloVe or fastText.",
    .run_name =
        [](const VectorSettings& s) {
          return fmt::format("word-vectors-{}-{}", std::filesystem::path(s.data).stem().string(),
                             s.model);
        },
    .references = [](const VectorSettings&) -> std::vector<Reference> { return {}; },
    .train = train,
    .load = make_predictor<Use, VectorSettings>,
    .input = "WORDS",
    .input_help = "A word, or \"king - man + woman\".",
    .predict_help = "Prints the words nearest to it.",
    .evaluate_help = "Prints how many analogies of the file that --data names are right.",
    .resumes = false,
});

}  // namespace
}  // namespace glia::recipes
