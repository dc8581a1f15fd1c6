// Speech into text: digits, commands, or utterances of your own, by networks of one word, CTC,
// transducers or a hybrid with hidden Markov models.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/audio/sound.h"
#include "glia/io.h"
#include "glia/optim.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "recipes/src/classification.h"
#include "recipes/src/speech_listener.h"
#include "recipes/src/speech_models.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 4, kTestBatch = 50, kShown = 200;

struct SpeechSettings : TrainingSettings {
  SpeechSource source;
  SpeechModelOptions model;
  SpeechDecoding decoding;
  std::string tokens, lm;
  bool strings = false;
  int64_t epochs = 0, batch = 0, count = 0, test_count = 0, lm_order = 0;
  double lr = 0, window = 0, speed = 0;

  void declare(Fields& f) override {
    f(source.data, "data", "fsdd",
      "Digits (fsdd), commands, or a table of yours: FILE TAB TEXT [TAB SPEAKER TAB SPLIT].",
      data_sets("speech-recognition", "MANIFEST.tsv"));
    const bool words = source.data == "fsdd" || source.data == "commands";
    f(source.held_out, "held-out", "", "A speaker who is the test, instead of the set's own.");
    f(source.test_share, "test-share", 0.1, "Part of a table's speakers for the test.", {0, 1});
    f(model.kind, "model", words ? "cnn" : "bilstm",
      "A convolutional network of single words or texts; CTC on recurrent layers or a conformer; a "
      "transducer; or a perceptron with hidden Markov models of words (hybrid).",
      {{"cnn", "rnn", "gru", "lstm", "bilstm", "conformer", "transducer", "hybrid"}});
    const bool cnn = model.kind == "cnn", hybrid = model.kind == "hybrid";
    f(strings, "strings", words && !cnn, "Joins 1 to 7 utterances of a speaker (test: 3 to 7).");
    f(tokens, "tokens",
      cnn     ? "texts"
      : words ? "words"
              : "characters",
      "What a class of the model writes.", {{"texts", "words", "characters"}});
    f(model.width, "width", cnn ? 16 : hybrid ? 256 : 96, "Width of the layers.", {1, 4096});
    f(model.layers, "layers",
      hybrid                      ? 3
      : model.kind == "conformer" ? 3
                                  : 2,
      "Layers behind the first.", {1, 100});
    f(model.stride, "stride", tokens == "characters" ? 2 : 4, "Frames to a state: 1, 2 or 4.",
      {1, 4});
    f(model.dropout, "dropout", cnn ? 0.3 : 0.1, "Share of features that a step leaves out.",
      {0, 0.9});
    f(window, "window", cnn ? 1 : 0, "Seconds that a network of words hears; 0: all.", {0, 60});
    f(epochs, "epochs", cnn ? 20 : 15, "Passes over the training utterances.", {1, 100000});
    f(count, "count", 2000, "Strings of each pass.", {1, 1e7});
    f(test_count, "test-count", 300, "Strings of the test.", {1, 1e6});
    f(batch, "batch", cnn ? 64 : 32, "Utterances in each step.", {1, 10000});
    f(lr, "lr", model.kind == "conformer" ? 2e-3 : 4e-3,
      "Highest learning rate of the one-cycle schedule (AdamW).", {0, 1000});
    f(speed, "speed", 0.15, "Plays training utterances faster or slower by up to this part.",
      {0, 0.5});
    f(decoding.beam, "beam", 1, "Beginnings that CTC's search follows; 1: greedy.", {1, 1000});
    f(lm, "lm", "", "A language model for CTC: an ARPA file.", {{}, "FILE"});
    f(lm_order, "lm-order", 0, "Or one estimated from the training texts, of this order.", {0, 10});
    f(decoding.alpha, "alpha", 0.5, "Weight of its logarithm.", {0, 100});
    f(decoding.beta, "beta", 1, "What each word adds, against what it costs.", {-100, 100});
    TrainingSettings::declare(f);
  }
  SpeechForm form(int64_t rate) const {
    return {.front_end = {.sample_rate = rate, .num_bins = model.features},
            .window = model.kind == "cnn" ? std::max(window, 0.1) : 0,
            .joins = strings && model.kind != "cnn"};
  }
  data::Samples test(const std::vector<audio::Utterance>& all, const SpeechForm& form,
                     const SpeechTokens& known) const {
    return speech_batches(all, form, known,
                          {.batch = kTestBatch, .strings = test_count, .seed = 1});
  }
};

// What the training texts say of which word follows which; a file comes first.
std::optional<audio::NgramModel> language_of(const SpeechSettings& s,
                                             const std::vector<audio::Utterance>& train) {
  if (!s.lm.empty()) return audio::NgramModel::read_arpa(s.lm);
  if (s.lm_order == 0) return {};
  std::vector<std::vector<std::string>> sentences;
  for (const audio::Utterance& u : train) sentences.push_back(audio::words_of(u.text));
  return audio::NgramModel::estimate(sentences, {.order = s.lm_order});
}

report::Table table_of(const SpeechVerdict& v) {
  report::Table table{{{"said"}, {"heard"}, {"errors"}}, {}};
  for (size_t i = 0; i < v.references.size(); ++i)
    table.rows.push_back({v.references[i], v.hypotheses[i],
                          audio::word_errors({v.references[i]}, {v.hypotheses[i]}).errors()});
  std::ranges::stable_sort(table.rows, [](const auto& a, const auto& b) {
    return std::get<int64_t>(a[2].value()) > std::get<int64_t>(b[2].value());
  });
  if (table.rows.size() > kShown) table.rows.resize(kShown);
  return table;
}

Results results_of(const SpeechVerdict& v, bool words) {
  const double exact =
      static_cast<double>(v.exact) / static_cast<double>(std::max<size_t>(v.references.size(), 1));
  const Result right{words ? "accuracy" : "exact", exact, true};
  const Result wer{"wer", v.words.rate(), true}, cer{"cer", v.characters.rate(), true};
  return words ? Results{right, wer, cer} : Results{wer, cer, right};
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

class Use : public Predictor, public Listens {
 public:
  Use(const Saved& saved, const SpeechSettings& s)
      : settings_(s),
        form_(s.form(saved.whole("sample-rate", 1, 1 << 24))),
        tokens_{{""}, s.tokens},
        decoding_(s.decoding) {
    const auto& classes = saved.texts("classes");
    tokens_.names.insert(tokens_.names.end(), classes.begin(), classes.end());
    if (!std::is_sorted(classes.begin(), classes.end()) || classes.empty())
      throw IoError(saved.path + ": its classes are none");
    if (const std::string& language = saved.text("language"); !language.empty())
      decoding_.language = audio::NgramModel::from_arpa(language, saved.path);
    model_ = make_speech_model(s.model, tokens_);
    model_->module().load_state_dict(saved.weights);
    model_->module().eval();
  }
  std::vector<std::string> inputs(const std::string& text) const override { return {text}; }
  std::unique_ptr<Listener> listen(const ListenOptions& options) const override {
    return make_listener(*model_, form_, tokens_, options);
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* path = std::get_if<std::string>(&input);
    if (!path) throw ValueError("needs the name of a sound file");
    const auto sound =
        audio::read_sound(*path, {.sample_rate = form_.front_end.sample_rate, .mono = true});
    if (sound.samples.numel() == 0) throw IoError(*path + ": is empty");
    const Tensor x = features_of(reshape(sound.samples, {-1}), form_);
    if (const auto* net = model_->word_net())
      return ranked(softmax((*net)(x)).to_vector<double>(),
                    {tokens_.names.begin() + 1, tokens_.names.end()});
    const Tensor frames = from_vector(std::vector<int64_t>{x.size(1)}, {1});
    return {{"text", model_->texts(x, frames, decoding_)[0]}};
  }
  Results score(const Evaluation& what) const override {
    SpeechSource source = settings_.source;
    if (!what.data.empty()) source = {.data = what.data, .held_out = "", .test_share = 0.5};
    SpeechSets sets = read_speech(source);
    if (sets.sample_rate != form_.front_end.sample_rate)
      throw ValueError(fmt::format("{}: {} samples a second, where the model hears {}", source.data,
                                   sets.sample_rate, form_.front_end.sample_rate));
    std::vector<audio::Utterance>& part = what.split == "train" ? sets.train : sets.test;
    if (what.count > 0 && what.count < static_cast<int64_t>(part.size())) part.resize(what.count);
    const SpeechVerdict v =
        judge(*model_, settings_.test(part, form_, tokens_), tokens_, decoding_);
    Results results = results_of(v, settings_.model.kind == "cnn");
    results.push_back({"utterances", static_cast<int64_t>(v.references.size())});
    results.push_back({"texts", table_of(v)});
    return results;
  }

 private:
  const SpeechSettings settings_;
  const SpeechForm form_;
  SpeechTokens tokens_;
  SpeechDecoding decoding_;
  std::unique_ptr<SpeechModel> model_;
};

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
    .load = make_predictor<Use, SpeechSettings>,
    .input = "FILE",
    .input_help = "A sound file: WAV, FLAC, Ogg, Opus or MP3 of any rate.",
    .predict_help = "Prints the text that was heard, or each word's probability.",
    .evaluate_help = "Prints the errors by words and characters, and what was heard.",
});

}  // namespace
}  // namespace glia::recipes
