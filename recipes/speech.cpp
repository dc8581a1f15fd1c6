// Speech into text: digits, commands, or utterances of your own, by networks of one word, CTC,
// transducers or a hybrid with hidden Markov models.
#include <fmt/format.h>

#include <filesystem>

#include "glia/optim.h"
#include "glia/runtime.h"
#include "recipes/src/classification.h"
#include "recipes/src/speech_recogniser.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 4;

// What the training texts say of which word follows which; a file comes first.
std::optional<audio::NgramModel> language_of(const SpeechSettings& s,
                                             const std::vector<audio::Utterance>& train) {
  if (!s.lm.empty()) return audio::NgramModel::read_arpa(s.lm);
  if (s.lm_order == 0) return {};
  std::vector<std::vector<std::string>> sentences;
  for (const audio::Utterance& u : train) sentences.push_back(audio::words_of(u.text));
  return audio::NgramModel::estimate(sentences, {.order = s.lm_order});
}

void train(Run& run, const SpeechSettings& s) {
  const SpeechSets sets = read_speech(s.source);
  std::vector<audio::Utterance> all = sets.train;
  all.insert(all.end(), sets.test.begin(), sets.test.end());
  const SpeechTokens tokens = SpeechTokens::of(all, s.tokens);
  const SpeechForm form = s.form(sets.sample_rate);
  SpeechDecoding decoding = s.decoding;
  decoding.language = language_of(s, sets.train);
  const auto model = make_speech_model(s.model, tokens);
  auto training = speech_batches(sets.train, form, tokens,
                                 {.batch = s.batch,
                                  .strings = s.count,
                                  .changes = true,
                                  .speed = s.speed,
                                  .seed = static_cast<uint64_t>(s.seed)})
                      .prefetch(kPrefetch);
  const data::Samples test = s.test(sets.test, form, tokens);
  const auto optimizer = one_cycle(model->module(), Rule::kAdamW, s.lr, s.epochs * training.size());
  training::Task task = training::supervised(
      model->module(), *optimizer, [&](const data::Sample& b) { return model->outcome(b); },
      {.clip_norm = 5});
  const bool words = s.model.kind == "cnn";
  task.evaluate = [&]() -> training::Values {
    model->module().eval();
    const SpeechVerdict v = judge(*model, test, tokens, decoding);
    model->module().train();
    return {{"test_errors", v.words.rate()}};
  };
  training::Trainer trainer(task, {.epochs = s.epochs, .note = run.note()});
  run.say(fmt::format("{}: {} with {} parameters on {} utterances, results in {}", s.source.data,
                      s.model.kind, report::shown(model->module().parameter_count()),
                      report::shown(sets.train.size()), run.folder()));
  run.fit(trainer, training, nullptr, "utterances");
  run.save(model->module().state_dict(),
           {{"classes", std::vector(tokens.names.begin() + 1, tokens.names.end())},
            {"sample-rate", std::vector{static_cast<double>(sets.sample_rate)}},
            {"language", decoding.language ? decoding.language->to_arpa() : std::string()}});

  model->module().eval();
  const SpeechVerdict v = judge(*model, test, tokens, decoding);
  Results results = results_of(v, words);
  for (Result& r : results) r.name = "test_" + r.name;
  results.push_back({"parameters", model->module().parameter_count()});
  results.push_back({"steps", trainer.step()});
  run.finish({.title = "Speech: " + s.source.data + ", " + s.model.kind,
              .subtitle = fmt::format(
                  "Trained by {} on {} utterances; the {} of the test were not heard", version(),
                  report::shown(sets.train.size()), report::shown(v.references.size())),
              .sections = {curve(trainer, "Loss", "train_loss"),
                           curve(trainer, "Word errors of the test", "test_errors", {"epoch"},
                                 {.name = "errors", .percent = true}),
                           {"What was heard", table_of(v), "Of the test, mistakes first.", true}}},
             results);
}

std::vector<Reference> references(const SpeechSettings& s) {
  if (s.source.data == "fsdd" && s.strings) return {{"test_wer", 0.03, "the mark, at most"}};
  if (s.source.data == "fsdd" && !s.source.held_out.empty())
    return {{"test_accuracy", 0.90, "the mark, as the mean over six speakers left out"}};
  if (s.source.data == "fsdd") return {{"test_accuracy", 0.99, "the mark, takes 0 to 4"}};
  if (s.source.data == "commands") return {{"test_accuracy", 0.90, "the mark"}};
  return {};
}

const Register<SpeechSettings> speech({
    .name = "speech",
    .task = "speech-recognition",
    .description = "Speech into text: digits, commands, or utterances of your own.",
    .run_name =
        [](const SpeechSettings& s) {
          return "speech-" + std::filesystem::path(s.source.data).stem().string() + "-" +
                 s.model.kind + (s.source.held_out.empty() ? "" : "-" + s.source.held_out);
        },
    .references = references,
    .train = train,
    .load = make_speech_predictor,
    .input = "FILE",
    .input_help = "A sound file: WAV, FLAC, Ogg, Opus or MP3 of any rate.",
    .predict_help = "Prints the text that was heard, or each word's probability.",
    .evaluate_help = "Prints the errors by words and characters, and what was heard.",
});

}  // namespace
}  // namespace glia::recipes
