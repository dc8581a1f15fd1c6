// The word classes of sentences: a BiLSTM over words and characters with a CRF.
#include <fmt/format.h>

#include <filesystem>

#include "glia/optim.h"
#include "glia/runtime.h"
#include "recipes/src/tagging_predictor.h"

namespace glia::recipes {
namespace {

using text::TaggedSentences;
using text::Tagger;

constexpr int64_t kPrefetch = 4, kTestBatch = 64, kShown = 12;

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
    .load = tagging_predictor,
    .input = "SENTENCE",
    .input_help = "A sentence; marks may stand at its words.",
    .predict_help = "Prints each word with its tag.",
    .evaluate_help = "Prints how many words get the right tag, of all and of those that training\n"
                     "did not have, and each tag's precision and recall.",
});

}  // namespace
}  // namespace glia::recipes
