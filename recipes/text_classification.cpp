// The class of a text by its words: bags, convolutions, an LSTM with attention or a Transformer.
#include <fmt/format.h>

#include <filesystem>

#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "recipes/src/labelled_texts.h"
#include "recipes/src/text_predictor.h"

namespace glia::recipes {
namespace {

using text::LabelledTexts;
using text::TextClassifier;

constexpr int64_t kPrefetch = 4, kTestBatch = 64;
constexpr size_t kShown = 8;

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
    .load = text_predictor,
    .input = "TEXT",
    .input_help = "A text.",
    .predict_help = "Prints the class, the probability of each, and the words that decided.",
    .evaluate_help = "Prints accuracy and F1: of two classes that of the rarer one.",
    .explains = true,
});

}  // namespace
}  // namespace glia::recipes
