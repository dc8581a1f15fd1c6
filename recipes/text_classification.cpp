// The class of a text by its words: bags, convolutions, an LSTM with attention or a Transformer.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "glia/explain/layers.h"
#include "glia/explain/page.h"
#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/classifier.h"
#include "recipes/src/explanations.h"
#include "recipes/src/labelled_texts.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

using text::LabelledTexts;
using text::TextClassifier;

constexpr int64_t kPrefetch = 4, kTestBatch = 64, kFolds = 10;
constexpr size_t kShown = 8;

struct TextSettings : TrainingSettings {
  std::string data, text_column, label_column, vectors;
  text::ClassifierOptions options;
  int64_t epochs = 0, batch = 0, folds = 0, min_frequency = 0;
  double lr = 0;

  void declare(Fields& f) override {
    Choices sets = data_sets("text-classification", "FILE.csv");
    sets.names.push_back("imdb");
    f(data, "data", "mr", "Texts with classes: a set, or a table with columns text and label.",
      sets);
    f(text_column, "text-column", "", "The table's column of texts, if it is not \"text\".");
    f(label_column, "label-column", "", "And that of classes, if it is not \"label\".");
    auto& o = options;
    f(o.model, "model", "cnn", "What reads the words.",
      {{"bag", "fasttext", "cnn", "lstm", "transformer"}});
    const bool simple = o.model == "bag" || o.model == "fasttext";
    const bool small = simple || o.model == "lstm" || o.model == "transformer";
    f(o.features, "features", small ? 100 : 300, "Features of each word.", {1, 4096});
    f(o.filters, "filters", 100, "Filters over windows of 3, 4 and 5 words (cnn).", {1, 4096});
    f(o.hidden, "hidden", 100, "Width of the LSTM in each direction.", {1, 4096});
    f(o.layers, "layers", 2, "Layers of the Transformer.", {1, 100});
    f(o.heads, "heads", 4, "Heads of its attention.", {1, 100});
    f(o.dropout, "dropout", simple ? 0.2 : 0.5, "Share of features that a step leaves out.",
      {0, 0.95});
    f(o.longest, "longest", 400, "Words of a text that are looked at.", {1, 100000});
    f(vectors, "vectors", "", "A file of word vectors to begin with: GloVe's, word2vec's.");
    f(min_frequency, "min-frequency", 1, "How often a word comes that is known.", {1, 1e6});
    f(folds, "folds", 1, "Tenths of the texts that are tested on, each by a training of its own.",
      {1, kFolds});
    f(epochs, "epochs", simple ? 15 : 4, "Passes over the texts.", {1, 10000});
    f(batch, "batch", 50, "Texts in each step.", {1, 10000});
    f(lr, "lr", simple ? 0.02 : 0.001, "Learning rate (Adam), which falls to 0.", {0, 100});
    TrainingSettings::declare(f);
  }
  // Training and test, where that tenth is for the test.
  std::pair<LabelledTexts, LabelledTexts> split(const LabelledTexts& all, int64_t fold) const {
    std::vector<int64_t> order(static_cast<size_t>(all.size()));
    std::iota(order.begin(), order.end(), 0);
    data::Random random(static_cast<uint64_t>(seed), 0);
    for (int64_t i = all.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    std::vector<int64_t> parts[2];
    for (size_t i = 0; i < order.size(); ++i)
      parts[static_cast<int64_t>(i) % kFolds == fold].push_back(order[i]);
    if (parts[0].empty() || parts[1].empty())
      throw IoError(data + ": holds too few texts for training and a test");
    return {text::chosen(all, parts[0]), text::chosen(all, parts[1])};
  }
};

// A model, what trains it, and its data.
struct Training {
  LabelledTexts texts, unseen;
  TextClassifier model;
  data::Samples training, test;
  optim::Adam optimizer;
  training::Trainer trainer;

  Training(const LabelledTexts& all, const TextSettings& s, int64_t fold, const std::string& note)
      : Training(s.split(all, fold), s, note) {}

 private:
  Training(std::pair<LabelledTexts, LabelledTexts> parts, const TextSettings& s,
           const std::string& note)
      : texts(std::move(parts.first)),
        unseen(std::move(parts.second)),
        model(TextClassifier::words_for(texts.texts, s.min_frequency), texts.classes, s.options),
        training(model.batches(texts, s.batch, static_cast<uint64_t>(s.seed)).prefetch(kPrefetch)),
        test(model.batches(unseen, kTestBatch, 0)),
        optimizer(model.parameters(), {.lr = s.lr}),
        trainer(training::supervised(model, optimizer,
                                     [this](const data::Sample& b) { return model.outcome(b); },
                                     {.clip_norm = 3}),
                {.epochs = s.epochs, .note = note}) {
    optimizer.set_schedule(optim::cosine(s.lr, s.epochs * training.size(), 0));
    if (!s.vectors.empty()) known = model.set_vectors(text::WordVectors::load(s.vectors));
  }

 public:
  int64_t known = 0;
};

report::Texts decided(const TextClassifier& model, const LabelledTexts& texts) {
  report::Texts out;
  const auto guesses = text::judge(model, texts).guesses;
  // As many that are right as that are not.
  for (const bool right : {true, false})
    for (size_t i = 0, shown = 0; i < guesses.size() && shown < kShown; ++i) {
      if ((guesses[i] == texts.labels[i]) != right) continue;
      ++shown;
      const std::string &guess = model.classes[static_cast<size_t>(guesses[i])],
                        &truth = model.classes[static_cast<size_t>(texts.labels[i])];
      report::Texts::Text one{right ? guess : guess + ", in truth " + truth, {}};
      for (const auto& part : model.explained(texts.texts[i], guesses[i]))
        one.spans.push_back({part.text, part.weight});
      out.texts.push_back(std::move(one));
    }
  return out;
}

void train(Run& run, const TextSettings& s) {
  const LabelledTexts all = read_labelled_texts(s.data, s.text_column, s.label_column);
  Training t(all, s, 0, run.note());
  run.say(fmt::format("{}: {} texts of {} classes, {} words, {} parameters, results in {}", s.data,
                      report::shown(t.texts.size()), all.classes.size(),
                      report::shown(t.model.tokenizer.size()),
                      report::shown(t.model.parameter_count()), run.folder()));
  if (t.known > 0)
    run.say(fmt::format("{}: vectors of {} words", s.vectors, report::shown(t.known)));
  run.fit(t.trainer, t.training, &t.test, "texts");
  run.save(t.model.state_dict(),
           {{"tokenizer", std::vector{t.model.tokenizer.to_json()}}, {"classes", t.model.classes}});
  t.model.eval();
  std::vector<text::ClassScore> scores{text::judge(t.model, t.unseen)};
  for (int64_t fold = 1; fold < s.folds && !run.interrupted(); ++fold) {
    Training other(all, s, fold, "");
    other.trainer.fit(other.training);
    other.model.eval();
    scores.push_back(text::judge(other.model, other.unseen));
    run.say(fmt::format("fold {}: accuracy {:.2f} %", fold + 1, 100 * scores.back().accuracy));
  }
  double accuracy = 0, f1 = 0;
  for (const auto& score : scores) {
    accuracy += score.accuracy / static_cast<double>(scores.size());
    f1 += score.f1 / static_cast<double>(scores.size());
  }
  run.finish({.title = "Text classification: " + s.data,
              .subtitle = fmt::format("{}, trained by {} on {} texts; {} were not seen",
                                      s.options.model, version(), report::shown(t.texts.size()),
                                      report::shown(t.unseen.size())),
              .sections = {curves(t.trainer, "Loss", "loss"),
                           curves(t.trainer, "Texts with the right class", "accuracy", true),
                           {"The words that decided", decided(t.model, t.unseen),
                            "Shaded by how much less probable the class is without the word."}}},
             {{"accuracy", accuracy, true},
              {"f1", f1, true},
              {"folds", static_cast<int64_t>(scores.size())},
              {"parameters", t.model.parameter_count()}});
}

class Use : public Predictor, public Explains {
 public:
  Use(const Saved& saved, const TextSettings& s)
      : settings_(s),
        model_(text::Tokenizer::from_json(saved.texts("tokenizer").at(0)), saved.texts("classes"),
               s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

  report::Report explain(const Input& input, const ExplainOptions& options) const override {
    const auto* one = std::get_if<std::string>(&input);
    if (!one) throw ValueError("there is no text to classify");
    const auto p = model_.probabilities({*one}).to_vector<double>();
    const int64_t label = explained_class(model_.classes, options.answer, p);
    const std::string& name = model_.classes[static_cast<size_t>(label)];
    std::vector<std::string> parts;
    std::vector<double> without;
    for (const auto& part : model_.explained(*one, label)) {
      parts.push_back(part.text);
      without.push_back(part.weight);
    }
    report::Report page{.title = "Why " + name,
                        .highlights = {{"probability of " + name,
                                        report::shown(p[static_cast<size_t>(label)], true)}},
                        .sections = {explain::words_section("Without each word", parts, without)}};
    page.sections[0].note = "Shaded by how much less probable the class is without the word.";
    data::Samples samples = model_.batches({{*one}, {}, model_.classes}, 1);
    for (const data::Sample& batch : samples) {
      const auto found = explain::embedding_gradients(
          model_.embedding, [&] { return model_(batch); }, {.target = label});
      page.sections.push_back(explain::words_section(
          "Integrated gradients", parts,
          over_parts(*one, index(found.attributions, {0}).to_vector<double>())));
      page.sections.back().note = fmt::format(
          "Shaded by what each word adds to the class's logit; the sum misses its change from a "
          "text without words by {:.2g}.",
          std::abs(found.delta.item()));
    }
    report::Bars bars{.percent = true};
    for (size_t c = 0; c < p.size(); ++c) bars.bars.push_back({model_.classes[c], p[c]});
    page.sections.push_back({.title = "Classes", .body = bars});
    return page;
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* one = std::get_if<std::string>(&input);
    if (!one) throw ValueError("there is no text to classify");
    const auto p = model_.probabilities({*one}).to_vector<double>();
    const int64_t best = std::ranges::max_element(p) - p.begin();
    report::Table classes{{{"class"}, {"probability", true}}, {}},
        words{{{"word"}, {"weight"}}, {}};
    for (size_t c = 0; c < p.size(); ++c) classes.rows.push_back({model_.classes[c], p[c]});
    for (const auto& part : model_.explained(*one, best))
      if (part.weight != 0) words.rows.push_back({part.text, part.weight});
    return {{"class", model_.classes[static_cast<size_t>(best)]},
            {"classes", classes},
            {"words", words}};
  }
  Results score(const Evaluation& what) const override {
    const bool other = !what.data.empty() && what.data != settings_.data;
    LabelledTexts all = read_labelled_texts(other ? what.data : settings_.data,
                                            settings_.text_column, settings_.label_column);
    if (!other) {
      auto parts = settings_.split(all, 0);
      all = what.split == "train" ? std::move(parts.first) : std::move(parts.second);
    }
    if (all.classes != model_.classes)
      throw IoError(what.data + ": its classes are not those of the model");
    if (what.count > 0 && what.count < all.size()) {
      all.texts.resize(static_cast<size_t>(what.count));
      all.labels.resize(static_cast<size_t>(what.count));
    }
    const text::ClassScore score = text::judge(model_, all);
    return {{"accuracy", score.accuracy, true}, {"f1", score.f1, true}, {"texts", score.count}};
  }

 private:
  // What words weigh, with zeros for what stands between them, as explained() cuts a text.
  std::vector<double> over_parts(const std::string& text, const std::vector<double>& words) const {
    const text::Encoding encoding = model_.tokenizer.encode(text);
    const int64_t n = std::min(encoding.size(), model_.options.longest);
    std::vector<double> out;
    size_t at = 0;
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      if (static_cast<size_t>(encoding.begins[i]) > at) out.push_back(0);
      out.push_back(words[i]);
      at = static_cast<size_t>(encoding.ends[i]);
    }
    if (at < text.size()) out.push_back(0);
    return out;
  }

  const TextSettings settings_;
  TextClassifier model_;
};

const Register<TextSettings> text_classification({
    .name = "text-classification",
    .task = "text-classification",
    .description = "The class of a text: opinions, spam, topics.",
    .run_name =
        [](const TextSettings& s) {
          return fmt::format("text-classification-{}-{}",
                             std::filesystem::path(s.data).stem().string(), s.options.model);
        },
    .references = [](const TextSettings& s) -> std::vector<Reference> {
      if (s.data == "sms-spam")
        return {{"f1", 0.97, "the mark, for messages that were not trained on"}};
      if (s.data == "mr" && s.vectors.empty())
        return {{"accuracy", 0.761, "CNN-rand, ten folds (Kim 2014)"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Use, TextSettings>,
    .input = "TEXT",
    .input_help = "A text.",
    .predict_help = "Prints the class, the probability of each, and the words that decided.",
    .evaluate_help = "Prints accuracy and F1: of two classes that of the rarer one.",
});

}  // namespace
}  // namespace glia::recipes
