#include "recipes/src/text_predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/explain/layers.h"
#include "glia/explain/page.h"
#include "glia/glia.h"
#include "recipes/src/explanations.h"
#include "recipes/src/labelled_texts.h"
#include "recipes/src/predictors.h"
#include "recipes/src/shuffled.h"

namespace glia::recipes {
namespace {

constexpr int64_t kFolds = 10;

class TextPredictor : public Predictor, public Explains {
 public:
  TextPredictor(const Saved& saved, const TextSettings& s)
      : settings_(s),
        model_(text::Tokenizer::from_json(saved.texts("tokenizer").at(0)), saved.texts("classes"),
               s.options) {
    model_.load_state_dict(saved.weights);
    model_.eval();
  }

  report::Report explain(const Input& input, const ExplainOptions& options) const override {
    const std::string& one = text_of(input, "there is no text to classify");
    const auto p = model_.probabilities({one}).to_vector<double>();
    const int64_t label = explained_class(model_.classes, options.answer, p);
    const std::string& name = model_.classes[static_cast<size_t>(label)];
    std::vector<std::string> parts;
    std::vector<double> without;
    for (const auto& part : model_.explained(one, label)) {
      parts.push_back(part.text);
      without.push_back(part.weight);
    }
    report::Report page{.title = "Why " + name,
                        .highlights = {{"probability of " + name,
                                        report::shown(p[static_cast<size_t>(label)], true)}},
                        .sections = {explain::words_section("Without each word", parts, without)}};
    page.sections[0].note = "Shaded by how much less probable the class is without the word.";
    data::Samples samples = model_.batches({{one}, {}, model_.classes}, 1);
    for (const data::Sample& batch : samples) {
      const auto found = explain::embedding_gradients(
          model_.embedding, [&] { return model_(batch); }, {.target = label});
      page.sections.push_back(explain::words_section(
          "Integrated gradients", parts,
          over_parts(one, index(found.attributions, {0}).to_vector<double>())));
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
    const std::string& one = text_of(input, "there is no text to classify");
    const auto p = model_.probabilities({one}).to_vector<double>();
    const int64_t best = std::ranges::max_element(p) - p.begin();
    report::Table words{{{"word"}, {"weight"}}, {}};
    for (const auto& part : model_.explained(one, best))
      if (part.weight != 0) words.rows.push_back({part.text, part.weight});
    return {{"class", model_.classes[static_cast<size_t>(best)]},
            {"classes", probability_table(model_.classes, p)},
            {"words", words}};
  }
  Results score(const Evaluation& what) const override {
    const bool other = !what.data.empty() && what.data != settings_.data;
    text::LabelledTexts all = read_labelled_texts(other ? what.data : settings_.data,
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
  text::TextClassifier model_;
};

}  // namespace

void TextSettings::declare(Fields& f) {
  Choices sets = data_sets("text-classification", "FILE.csv");
  sets.names.push_back("imdb");
  f(data, "data", "mr", "Texts with classes: a set, or a table with columns text and label.", sets);
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

std::pair<text::LabelledTexts, text::LabelledTexts> TextSettings::split(
    const text::LabelledTexts& all, int64_t fold) const {
  const std::vector<int64_t> order = shuffled(all.size(), static_cast<uint64_t>(seed));
  std::vector<int64_t> parts[2];
  for (size_t i = 0; i < order.size(); ++i)
    parts[static_cast<int64_t>(i) % kFolds == fold].push_back(order[i]);
  if (parts[0].empty() || parts[1].empty())
    throw IoError(data + ": holds too few texts for training and a test");
  return {text::chosen(all, parts[0]), text::chosen(all, parts[1])};
}

std::unique_ptr<Predictor> text_predictor(const Saved& saved, const TextSettings& s) {
  return std::make_unique<TextPredictor>(saved, s);
}

}  // namespace glia::recipes
