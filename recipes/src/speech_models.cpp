#include "speech_models.h"

#include <algorithm>

#include "glia/audio/ctc.h"
#include "glia/audio/transducer.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::recipes {
namespace {

using audio::Encoded;

audio::EncoderOptions encoder_of(const SpeechModelOptions& o) {
  return {.kind = o.kind == "transducer" ? "bilstm" : o.kind,
          .width = o.width,
          .layers = o.layers,
          .stride = o.stride,
          .dropout = o.dropout};
}

// Rows of the example's own frames.
Tensor rows_of(const Tensor& all, int64_t n, int64_t count) {
  return slice(index(all, {n}), 0, {0, count});
}

class WordModel : public SpeechModel {
 public:
  WordModel(const SpeechModelOptions& o, const SpeechTokens& tokens)
      : tokens_(tokens),
        net_(o.features, tokens.size() - 1, {.width = o.width, .dropout = o.dropout}) {}
  nn::Module& module() override { return net_; }
  training::Outcome outcome(const data::Sample& b) override {
    const Tensor logits = net_(b.at("features"));
    const Tensor labels = squeeze(b.at("labels"), 1) - 1;
    return {cross_entropy(logits, labels, {.label_smoothing = 0.05}),
            {{"accuracy", sum(argmax(logits) == labels)}}};
  }
  const audio::WordNet* word_net() const override { return &net_; }
  std::vector<std::string> texts(const Tensor& features, const Tensor&,
                                 const SpeechDecoding&) const override {
    std::vector<std::string> out;
    for (const int64_t c : argmax(net_(features)).to_vector<int64_t>())
      out.push_back(tokens_.names[static_cast<size_t>(c + 1)]);
    return out;
  }

 private:
  const SpeechTokens& tokens_;
  audio::WordNet net_;
};

class CtcModel : public SpeechModel {
 public:
  CtcModel(const SpeechModelOptions& o, const SpeechTokens& tokens)
      : tokens_(tokens), net_(o.features, tokens.size(), encoder_of(o)) {}
  nn::Module& module() override { return net_; }
  training::Outcome outcome(const data::Sample& b) override {
    const Encoded y = net_(b.at("features"), b.at("frames"));
    return {ctc_loss(y.states, b.at("labels"), y.lengths, b.at("label_counts"),
                     {.zero_infinity = true})};
  }
  std::vector<std::string> texts(const Tensor& features, const Tensor& frames,
                                 const SpeechDecoding& how) const override {
    const Encoded y = net_(features, frames);
    eval({y.states, y.lengths});
    const auto lengths = y.lengths.to_vector<int64_t>();
    std::vector<std::string> out;
    for (size_t n = 0; n < lengths.size(); ++n)
      out.push_back(
          tokens_.decode(decoded(rows_of(y.states, static_cast<int64_t>(n), lengths[n]), how)));
    return out;
  }

 private:
  std::vector<int64_t> decoded(const Tensor& log_probs, const SpeechDecoding& how) const {
    if (how.beam <= 1 && !how.language) return audio::ctc_greedy(log_probs);
    const audio::BeamOptions beam{.beam_width = std::max<int64_t>(how.beam, 1)};
    if (!how.language) return audio::ctc_beam_search(log_probs, beam)[0].tokens;
    const audio::FusionOptions fusion{.tokens = tokens_.names,
                                      .separator = tokens_.unit == "characters" ? " " : "",
                                      .alpha = how.alpha,
                                      .beta = how.beta};
    return audio::ctc_beam_search(log_probs, *how.language, fusion, beam)[0].tokens;
  }

  const SpeechTokens& tokens_;
  audio::CtcNet net_;
};

class TransducerModel : public SpeechModel {
 public:
  TransducerModel(const SpeechModelOptions& o, const SpeechTokens& tokens)
      : tokens_(tokens), net_(o.features, tokens.size(), {.encoder = encoder_of(o)}) {}
  nn::Module& module() override { return net_; }
  training::Outcome outcome(const data::Sample& b) override {
    const Encoded y = net_(b.at("features"), b.at("frames"), b.at("labels"));
    return {
        audio::rnnt_loss(y.states, b.at("labels"), y.lengths, b.at("label_counts"), {.blank = 0})};
  }
  std::vector<std::string> texts(const Tensor& features, const Tensor& frames,
                                 const SpeechDecoding&) const override {
    std::vector<std::string> out;
    for (const auto& labels : net_.decode(features, frames)) out.push_back(tokens_.decode(labels));
    return out;
  }

 private:
  const SpeechTokens& tokens_;
  audio::Transducer net_;
};

// A network of states. Its targets are equal parts of each utterance at first, then the likeliest
// way through the states by the network as it is at each step.
class HybridModel : public SpeechModel {
 public:
  HybridModel(const SpeechModelOptions& o, const SpeechTokens& tokens)
      : tokens_(tokens),
        hmm_(tokens.size() - 1, {.states_per_word = tokens.unit == "characters" ? 1 : 6}),
        flat_steps_(o.flat_steps),
        body_(o, hmm_.states()) {}
  nn::Module& module() override { return body_; }
  training::Outcome outcome(const data::Sample& b) override {
    const Tensor x = b.at("features");
    const auto frames = b.at("frames").to_vector<int64_t>();
    const auto counts = b.at("label_counts").to_vector<int64_t>();
    const auto labels = b.at("labels").to_vector<int64_t>();
    const auto room = static_cast<size_t>(b.at("labels").size(1));
    std::optional<Tensor> scores;
    if (body_.steps.tensor().item<int64_t>() >= flat_steps_) {
      body_.eval();
      scores = likelihoods(x);
      body_.train();
    }
    std::vector<int64_t> targets(static_cast<size_t>(x.size(0) * x.size(1)), kNone);
    std::vector<double> heard(static_cast<size_t>(hmm_.states()));
    double total = 0;
    for (size_t n = 0; n < frames.size(); ++n) {
      std::vector<int64_t> words;
      for (int64_t i = 0; i < counts[n]; ++i) words.push_back(labels[n * room + i] - 1);
      std::vector<int64_t> states;
      try {
        states =
            scores ? hmm_.align(rows_of(*scores, static_cast<int64_t>(n), frames[n]), words).states
                   : hmm_.flat_start(frames[n], words);
      } catch (const ValueError&) {
        continue;  // said faster than its states can be gone through: no frame of it counts
      }
      std::copy(states.begin(), states.end(),
                targets.begin() + static_cast<int64_t>(n) * x.size(1));
      for (const int64_t s : states) ++heard[static_cast<size_t>(s)], ++total;
    }
    if (total > 0) {
      constexpr double kNewest = 0.02;
      const Tensor shares = cast(from_vector(heard, {hmm_.states()}), kF32) / total;
      body_.priors = (1 - kNewest) * body_.priors.tensor() + kNewest * shares;
    }
    body_.steps = body_.steps.tensor() + 1;
    const Tensor target = from_vector(targets, {x.size(0), x.size(1)});
    return {cross_entropy(body_.net(x), target, {.ignore_index = kNone}), {}, x.size(0)};
  }
  std::vector<std::string> texts(const Tensor& features, const Tensor& frames,
                                 const SpeechDecoding&) const override {
    const Tensor scores = likelihoods(features);
    const auto lengths = frames.to_vector<int64_t>();
    std::vector<std::string> out;
    for (size_t n = 0; n < lengths.size(); ++n) {
      auto words = hmm_.decode(rows_of(scores, static_cast<int64_t>(n), lengths[n])).words;
      for (int64_t& w : words) ++w;
      out.push_back(tokens_.decode(words));
    }
    return out;
  }

 private:
  static constexpr int64_t kNone = -100;
  struct Body : nn::Module {
    Body(const SpeechModelOptions& o, int64_t states)
        : net(o.features, states, 5, o.width, o.layers, o.dropout),
          priors(full({states}, 1 / static_cast<double>(states))),
          steps(tensor<int64_t>(0)) {}
    audio::FrameNet net;
    Buffer priors;  // the share of each state among all frames
    Buffer steps;
    GLIA_FIELDS(net, priors, steps)
  };

  Tensor likelihoods(const Tensor& x) const {
    const NoGrad no_grad;
    const Tensor scores =
        audio::scaled_likelihoods(log_softmax(body_.net(x)), body_.priors.tensor());
    eval(scores);
    return scores;
  }

  const SpeechTokens& tokens_;
  audio::WordHmm hmm_;
  int64_t flat_steps_;
  Body body_;
};

}  // namespace

std::unique_ptr<SpeechModel> make_speech_model(const SpeechModelOptions& o,
                                               const SpeechTokens& tokens) {
  if (o.kind == "cnn" && tokens.unit != "texts")
    throw ValueError("a cnn knows whole texts: --tokens " + tokens.unit + " is for other models");
  if (o.kind == "cnn") return std::make_unique<WordModel>(o, tokens);
  if (o.kind == "transducer") return std::make_unique<TransducerModel>(o, tokens);
  if (o.kind == "hybrid") return std::make_unique<HybridModel>(o, tokens);
  return std::make_unique<CtcModel>(o, tokens);
}

SpeechVerdict judge(const SpeechModel& model, data::Samples samples, const SpeechTokens& tokens,
                    const SpeechDecoding& how) {
  const NoGrad no_grad;
  SpeechVerdict out;
  for (const data::Sample& b : samples) {
    const auto counts = b.at("label_counts").to_vector<int64_t>();
    const auto labels = b.at("labels").to_vector<int64_t>();
    const auto room = static_cast<size_t>(b.at("labels").size(1));
    for (size_t n = 0; n < counts.size(); ++n) {
      const auto first = labels.begin() + static_cast<int64_t>(n * room);
      out.references.push_back(tokens.decode({first, first + counts[n]}));
    }
    for (std::string& text : model.texts(b.at("features"), b.at("frames"), how))
      out.hypotheses.push_back(std::move(text));
  }
  out.words = audio::word_errors(out.references, out.hypotheses);
  out.characters = audio::character_errors(out.references, out.hypotheses);
  for (size_t i = 0; i < out.references.size(); ++i)
    out.exact += out.references[i] == out.hypotheses[i];
  return out;
}

}  // namespace glia::recipes
