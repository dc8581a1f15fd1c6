// Texts into texts, character by character: dates in ten formats into ISO's, or pairs of a file.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/text/translator.h"
#include "recipes/src/dates.h"
#include "recipes/src/translations.h"

namespace glia::recipes {
namespace {

using text::Translator;

constexpr int64_t kTestBatch = 250, kPrefetch = 4, kShown = 3;

struct TranslationSettings : TrainingSettings {
  std::string data;
  int64_t count = 0, epochs = 0, batch = 0, hidden = 0, beam = 0;
  double test_share = 0, lr = 0;

  void declare(Fields& f) override {
    f(data, "data", "dates",
      "Dates in ten formats, to be ISO's, or a file with SOURCE TAB TARGET or SOURCE,TARGET in "
      "each line.",
      {{"dates"}, "FILE"});
    f(count, "count", 30000, "Dates to train on.", {1, 10000000});
    f(test_share, "test-share", 0.1, "Part of a file's sources that is left for the test.", {0, 1});
    f(epochs, "epochs", 4, "Passes over the training pairs.", {1, 100000});
    f(batch, "batch", 128, "Pairs in each step, of about the same length.", {1, 10000});
    f(hidden, "hidden", 64, "Width of the recurrent layers.", {1, 4096});
    f(lr, "lr", 0.006, "Highest learning rate of the one-cycle schedule (Adam).", {0, 1000});
    f(beam, "beam", 5, "Translations that a prediction searches among.", {1, 100});
    TrainingSettings::declare(f);
  }
  text::Pairs read(data::Split split) const {
    if (data == "dates") return dates(split, count, static_cast<uint64_t>(seed));
    const auto parts = text::split(text::read_pairs(data), test_share, static_cast<uint64_t>(seed));
    const text::Pairs& part = split == data::Test ? parts.test : parts.train;
    if (part.size() == 0)
      throw IoError(data + ": none of its pairs is left for " +
                    (split == data::Test ? "the test" : "training"));
    return part;
  }
};

void train(Run& run, const TranslationSettings& s) {
  const text::Pairs pairs = s.read(data::Train), unseen = s.read(data::Test);
  Translator t(pairs, {.hidden = s.hidden});
  auto training = t.batches(pairs, s.batch, s.seed).prefetch(kPrefetch);
  auto test = t.batches(unseen, kTestBatch);
  optim::Adam optimizer(t.model.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size(), {.pct_start = 0.2}));
  training::Task task = training::supervised(
      t.model, optimizer, [&](const data::Sample& b) { return t.outcome(b); }, {.clip_norm = 1});
  task.evaluate = [&]() -> training::Values {
    return {{"test_exact", text::exact(text::judge(t, unseen))}};
  };
  training::Trainer trainer(task, {.epochs = s.epochs, .note = run.note()});
  const int64_t parameters = t.model.parameter_count();
  run.say(fmt::format("{}: {} pairs, {} parameters, results in {}", s.data,
                      report::shown(pairs.size()), report::shown(parameters), run.folder()));
  run.fit(trainer, training, &test, "characters");
  run.save(t.model.state_dict(), {{"source-characters", t.source.tokens()},
                                  {"target-characters", t.target.tokens()},
                                  {"longest", std::vector{static_cast<double>(t.longest)}}});

  t.model.eval();
  const auto judged = text::judge(t, unseen);
  report::Report page{
      .title = "Translation: " + s.data,
      .subtitle = fmt::format("Trained by {} on {} pairs; the {} of the test were not seen",
                              version(), report::shown(pairs.size()), report::shown(unseen.size())),
      .sections = {curves(trainer, "Loss: cross-entropy of the next character", "loss"),
                   {"Exact translations of the test",
                    report::Curves{{{"test", over_epochs(trainer, "test_exact")}},
                                   {.name = "epoch"},
                                   {.name = "exact", .percent = true}}},
                   {"Translations", table_of(judged), "Of the test, mistakes first.", true}}};
  for (int64_t i = 0; i < std::min(kShown, unseen.size()); ++i)
    page.sections.push_back(attention(t, unseen.source[i]));
  run.finish(page, {{"test_exact", text::exact(judged), true},
                    {"test_loss", training::value_of(trainer.history().back().values, "test_loss")},
                    {"parameters", parameters},
                    {"steps", trainer.step()}});
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const TranslationSettings& s)
      : settings_(s),
        t_(text::Vocabulary(saved.texts("source-characters")),
           text::Vocabulary(saved.texts("target-characters")), saved.whole("longest", 1, 100000),
           {.hidden = s.hidden}) {
    t_.model.load_state_dict(saved.weights);
    t_.model.eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* source = std::get_if<std::string>(&input);
    if (!source || source->empty()) throw ValueError("there is no text to translate");
    return results_of(t_, *source, settings_.beam);
  }
  Results score(const Evaluation& what) const override {
    const bool other = !what.data.empty() && what.data != settings_.data && what.data != "dates";
    TranslationSettings from = settings_;
    if (!what.data.empty()) from.data = what.data;
    text::Pairs pairs = other ? text::read_pairs(what.data)
                              : from.read(what.split == "train" ? data::Train : data::Test);
    const int64_t count = what.count > 0 ? std::min(what.count, pairs.size()) : pairs.size();
    pairs.source.resize(count), pairs.target.resize(count);
    const auto judged = text::judge(t_, pairs);
    return {
        {"exact", text::exact(judged), true}, {"pairs", count}, {"translations", table_of(judged)}};
  }

 private:
  const TranslationSettings settings_;
  Translator t_;
};

const Register<TranslationSettings> translation({
    .name = "translation",
    .task = "translation",
    .description = "Texts into texts: dates in any format into ISO's, or pairs of your own.",
    .run_name =
        [](const TranslationSettings& s) {
          return "translation-" + std::filesystem::path(s.data).stem().string();
        },
    .references = [](const TranslationSettings& s) -> std::vector<Reference> {
      if (s.data != "dates") return {};
      return {{"test_exact", 0.995, "the mark, for 2,000 dates that were not trained on"}};
    },
    .train = train,
    .load = make_predictor<Use, TranslationSettings>,
    .input = "TEXT",
    .input_help = "A text, such as \"3 May 1979\".",
    .predict_help = "Prints the likeliest translation that a beam search finds, and the next ones.",
    .evaluate_help = "Prints how many come out exactly. --data takes a file, which is used whole.",
});

}  // namespace
}  // namespace glia::recipes
