// The word classes of sentences: a BiLSTM over words and characters with a CRF.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/tagger.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

using text::TaggedSentences;
using text::Tagger;

constexpr int64_t kPrefetch = 4, kTestBatch = 64, kShown = 12;

struct TaggingSettings : TrainingSettings {
  std::string data;
  text::TaggerOptions options;
  int64_t epochs = 0, batch = 0;
  double lr = 0, test_share = 0;

  void declare(Fields& f) override {
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
  TaggedSentences read(data::Split split) const {
    if (data == "ud-ewt") return text::ud_ewt(split);
    return part_of(text::read_tagged(data), split, test_share, static_cast<uint64_t>(seed), data);
  }
};

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

// Sentences with mistakes, each word with its tag.
report::Texts mistakes(const Tagger& tagger, const TaggedSentences& all) {
  report::Texts out;
  const auto found = tagger.tag(all.words);
  for (size_t i = 0; i < found.size() && out.texts.size() < kShown; ++i) {
    if (found[i] == all.tags[i]) continue;
    report::Texts::Text one;
    for (size_t k = 0; k < found[i].size(); ++k) {
      const bool right = found[i][k] == all.tags[i][k];
      one.spans.push_back(
          {all.words[i][k] + "/" + found[i][k] + (right ? "" : " (" + all.tags[i][k] + ")"),
           right ? 0.0 : -1.0});
      one.spans.push_back({" "});
    }
    out.texts.push_back(std::move(one));
  }
  return out;
}

void train(Run& run, const TaggingSettings& s) {
  const TaggedSentences sentences = s.read(data::Train), unseen = s.read(data::Test);
  Tagger tagger(sentences, s.options);
  auto training =
      tagger.batches(sentences, s.batch, static_cast<uint64_t>(s.seed)).prefetch(kPrefetch);
  auto test = tagger.batches(unseen, kTestBatch, 0);
  optim::Adam optimizer(tagger.parameters(), {.lr = s.lr, .betas = {0.9, 0.99}});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size(), {.pct_start = 0.2}));
  training::Trainer trainer(
      training::supervised(tagger, optimizer,
                           [&](const data::Sample& b) { return tagger.outcome(b); },
                           {.clip_norm = 5}),
      {.epochs = s.epochs, .note = run.note()});
  run.say(fmt::format("{}: {} sentences, {} tags, {} parameters, results in {}", s.data,
                      report::shown(sentences.size()), tagger.tags.size(),
                      report::shown(tagger.parameter_count()), run.folder()));
  run.fit(trainer, training, &test, "sentences");
  run.save(tagger.state_dict(), {{"words", tagger.words.tokens()},
                                 {"characters", tagger.characters.tokens()},
                                 {"tags", tagger.tags}});
  tagger.eval();
  const text::TagScore score = text::judge(tagger, unseen);
  run.finish({.title = "Tagging: " + s.data,
              .subtitle = fmt::format(
                  "Trained by {} on {} words; {:.1f} % of the {} words of the "
                  "test were not seen",
                  version(), report::shown(sentences.word_count()),
                  100.0 * static_cast<double>(score.unknown) / static_cast<double>(score.words),
                  report::shown(score.words)),
              .sections = {curves(trainer, "Loss: -log p of a word's tag", "loss"),
                           curves(trainer, "Words with the right tag", "accuracy", true),
                           {"Tags of the test", table_of(score)},
                           {"Mistakes", mistakes(tagger, unseen),
                            "What the treebank has stands in brackets."}}},
             results_of(score));
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const TaggingSettings& s)
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
    TaggedSentences all = other ? text::read_tagged(from.data)
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
  Tagger tagger_;
};

const Register<TaggingSettings> tagging({
    .name = "tagging",
    .task = "tagging",
    .description = "A tag for each word of a sentence: word classes, names.",
    .run_name =
        [](const TaggingSettings& s) {
          return "tagging-" + std::filesystem::path(s.data).stem().string();
        },
    .references = [](const TaggingSettings& s) -> std::vector<Reference> {
      if (s.data != "ud-ewt") return {};
      return {{"accuracy", 0.945, "the mark, for sentences that were not trained on"}};
    },
    .train = train,
    .load = make_predictor<Use, TaggingSettings>,
    .input = "SENTENCE",
    .input_help = "A sentence; marks may stand at its words.",
    .predict_help = "Prints each word with its tag.",
    .evaluate_help = "Prints how many words get the right tag, of all and of those that training\n"
                     "did not have, and each tag's precision and recall.",
});

}  // namespace
}  // namespace glia::recipes
