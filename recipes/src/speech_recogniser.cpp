#include "speech_recogniser.h"

#include <fmt/format.h>

#include <algorithm>

#include "glia/audio/sound.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "recipes/src/classification.h"
#include "recipes/src/predictors.h"
#include "recipes/src/speech_listener.h"

namespace glia::recipes {
namespace {

constexpr int64_t kTestBatch = 50, kShown = 200;

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
    const std::string& path = text_of(input, "needs the name of a sound file");
    const auto sound =
        audio::read_sound(path, {.sample_rate = form_.front_end.sample_rate, .mono = true});
    if (sound.samples.numel() == 0) throw IoError(path + ": is empty");
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

}  // namespace

void SpeechSettings::declare(Fields& f) {
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
  f(model.layers, "layers", hybrid || model.kind == "conformer" ? 3 : 1, "Layers behind the first.",
    {1, 100});
  f(model.stride, "stride", tokens == "characters" ? 2 : 4, "Frames to a state: 1, 2 or 4.",
    {1, 4});
  f(model.dropout, "dropout", cnn ? 0.3 : 0.1, "Share of features that a step leaves out.",
    {0, 0.9});
  f(window, "window", cnn ? 1 : 0, "Seconds that a network of words hears; 0: all.", {0, 60});
  f(epochs, "epochs", cnn ? 12 : 15, "Passes over the training utterances.", {1, 100000});
  f(count, "count", 1200, "Strings of each pass.", {1, 1e7});
  f(test_count, "test-count", 300, "Strings of the test.", {1, 1e6});
  f(batch, "batch", cnn ? 64 : 16, "Utterances in each step.", {1, 10000});
  f(lr, "lr",
    cnn                         ? 4e-3
    : model.kind == "conformer" ? 2e-3
                                : 6e-3,
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

SpeechForm SpeechSettings::form(int64_t rate) const {
  return {.front_end = {.sample_rate = rate, .num_bins = model.features},
          .window = model.kind == "cnn" ? std::max(window, 0.1) : 0,
          .joins = strings && model.kind != "cnn"};
}
data::Samples SpeechSettings::test(const std::vector<audio::Utterance>& all, const SpeechForm& form,
                                   const SpeechTokens& known) const {
  return speech_batches(all, form, known, {.batch = kTestBatch, .strings = test_count, .seed = 1});
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

std::unique_ptr<Predictor> make_speech_predictor(const Saved& saved, const SpeechSettings& s) {
  return std::make_unique<Use>(saved, s);
}

}  // namespace glia::recipes
