#include "recipes/src/tagging_predictor.h"

#include <algorithm>

#include "glia/glia.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

class TaggingPredictor : public Predictor {
 public:
  TaggingPredictor(const Saved& saved, const TaggingSettings& s)
      : settings_(s),
        tagger_(text::Vocabulary(saved.texts("words")), text::Vocabulary(saved.texts("characters")),
                saved.texts("tags"), s.options) {
    tagger_.load_state_dict(saved.weights);
    tagger_.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* sentence = std::get_if<std::string>(&input);
    const auto words = sentence ? words_and_marks(*sentence) : std::vector<std::string>();
    if (words.empty()) throw ValueError("there is no sentence to tag");
    const auto tags = tagger_.tag({words})[0];
    std::string shown;
    report::Table table{{{"word"}, {"tag"}}, {}};
    for (size_t i = 0; i < words.size(); ++i) {
      shown += (i > 0 ? " " : "") + words[i] + "/" + tags[i];
      table.rows.push_back({words[i], tags[i]});
    }
    return {{"tags", shown}, {"words", table}};
  }
  Results score(const Evaluation& what) const override {
    TaggingSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    const bool other = from.data != settings_.data && from.data != "ud-ewt";
    text::TaggedSentences all = other ? text::read_tagged(from.data)
                                      : from.read(what.split == "train" ? data::Train : data::Test);
    const int64_t count = what.count > 0 ? std::min(what.count, all.size()) : all.size();
    all.words.resize(static_cast<size_t>(count));
    all.tags.resize(static_cast<size_t>(count));
    const text::TagScore score = text::judge(tagger_, all);
    Results out = results_of(score);
    out.push_back({"tags", table_of(score)});
    return out;
  }

 private:
  const TaggingSettings settings_;
  text::Tagger tagger_;
};

}  // namespace

void TaggingSettings::declare(Fields& f) {
  f(data, "data", "ud-ewt", "Sentences with tags: a set, or a file in CoNLL-U or WORD TAB TAG.",
    data_sets("tagging", "FILE.conllu"));
  auto& o = options;
  f(o.word_features, "word-features", 100, "Features of each word.", {1, 4096});
  f(o.character_features, "character-features", 30, "Features of each character.", {1, 4096});
  f(o.filters, "filters", 50, "Filters over the characters.", {1, 4096});
  f(o.hidden, "hidden", 128, "Width of the BiLSTM in each direction.", {1, 4096});
  f(o.dropout, "dropout", 0.5, "Share of features that a step leaves out.", {0, 0.95});
  f(o.word_dropout, "word-dropout", 0.05, "Share of words that a step does not know.", {0, 1});
  f(o.min_frequency, "min-frequency", 2, "How often a word comes that is known by itself.",
    {1, 1e6});
  f(o.crf, "crf", true, "Whether tags are chosen together.");
  f(epochs, "epochs", 8, "Passes over the sentences.", {1, 10000});
  f(batch, "batch", 32, "Sentences in each step, of about the same length.", {1, 10000});
  f(lr, "lr", 0.005, "Highest learning rate of the one-cycle schedule (Adam).", {0, 100});
  f(test_share, "test-share", 0.1, "Part of a file's sentences that is left for the test.",
    {0.001, 0.9});
  TrainingSettings::declare(f);
}

text::TaggedSentences TaggingSettings::read(data::Split split) const {
  if (data == "ud-ewt") return text::ud_ewt(split);
  return part_of(text::read_tagged(data), split, test_share, static_cast<uint64_t>(seed), data);
}

report::Table table_of(const text::TagScore& score) {
  report::Table out{{{"tag"}, {"words"}, {"precision", true}, {"recall", true}, {"F1", true}}, {}};
  for (const auto& one : score.tags)
    out.rows.push_back({one.tag, one.count, one.precision, one.recall, one.f1});
  return out;
}

Results results_of(const text::TagScore& score) {
  return {{"accuracy", score.accuracy, true},
          {"unknown_accuracy", score.unknown_accuracy, true},
          {"words", score.words},
          {"unknown_words", score.unknown}};
}

std::unique_ptr<Predictor> tagging_predictor(const Saved& saved, const TaggingSettings& s) {
  return std::make_unique<TaggingPredictor>(saved, s);
}

}  // namespace glia::recipes
