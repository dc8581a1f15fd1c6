// Sentences by a few numbers each: a variational autoencoder of sentences, which writes new ones
// and those between two.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "glia/glia.h"
#include "recipes/src/sentence_predictor.h"
#include "recipes/src/sentences.h"

namespace glia::recipes {
namespace {

using generative::SentenceVae;

constexpr int64_t kEvaluations = 10, kShown = 12;
static_assert(SentenceVae::kEnd == text::Vocabulary::kEnd &&
              SentenceVae::kUnknown == text::Vocabulary::kUnknown &&
              SentenceVae::kSpecial == text::Vocabulary::kSpecial);

text::Vocabulary vocabulary_of(const Sentences& sentences, int64_t most) {
  std::map<std::string, int64_t> counts;
  for (const auto& sentence : sentences)
    for (const std::string& word : sentence) ++counts[word];
  std::vector<std::string> words;
  for (const auto& [word, count] : counts) words.push_back(word);
  std::ranges::stable_sort(
      words, [&](const auto& a, const auto& b) { return counts.at(a) > counts.at(b); });
  if (static_cast<int64_t>(words.size()) > most) words.resize(static_cast<size_t>(most));
  return text::Vocabulary(words);
}

report::Section between(const SentenceVae& net, const SentenceNumbers& some,
                        const text::Vocabulary& known, int64_t longest) {
  constexpr int64_t kPairs = 3, kSteps = 6;
  const Tensor z = net.encode(some.words, some.lengths).mean;
  report::Texts texts;
  for (int64_t i = 0; i < std::min(kPairs, z.size(0) / 2); ++i) {
    const Tensor part = unsqueeze(linspace(0, 1, kSteps), 1);
    const Tensor at =
        slice(z, 0, {2 * i, 2 * i + 1}) * (1 - part) + slice(z, 0, {2 * i + 1, 2 * i + 2}) * part;
    texts.texts.push_back({"", {{lines_of(net, at, known, longest)}}});
  }
  return {"From one sentence to another", texts, "The likeliest words of numbers between theirs."};
}

void train(Run& run, const SentenceSettings& s) {
  const Sentences sentences = s.read();
  const auto is_test = drawn_for_test(static_cast<int64_t>(sentences.size()), s.test_share,
                                      static_cast<uint64_t>(s.seed), s.data);
  Sentences seen, unseen;
  for (size_t i = 0; i < sentences.size(); ++i)
    (is_test[i] ? unseen : seen).push_back(sentences[i]);
  const text::Vocabulary known = vocabulary_of(seen, s.most_words);
  const SentenceNumbers training = padded(seen, known, s.longest);
  const SentenceNumbers test = padded(unseen, known, s.longest);
  generative::SentenceVaeOptions o = s.options;
  o.vocabulary = known.size();
  SentenceVae net(o);
  optim::Adam optimizer(net.parameters(), {.lr = s.lr});
  optimizer.set_schedule(optim::cosine(s.lr, s.steps, s.lr / 10));
  training::Task task = training::supervised(
      net, optimizer,
      [&](const data::Sample&) -> training::Outcome {
        const Tensor at = randint(0, training.lengths.size(0), {s.batch});
        const auto l = net.loss(take(training.words, at), take(training.lengths, at),
                                generative::kl_weight(optimizer.steps(), 0, s.anneal));
        const auto n = static_cast<double>(s.batch);
        return {l.loss, {{"kl", l.kl * n}, {"reconstruction", l.reconstruction * n}}, s.batch};
      },
      {.clip_norm = 5});
  task.evaluate = [&] {
    net.eval();
    const training::Values values = measured(net, test);
    net.train();
    return values;
  };
  training::Trainer trainer(task, {.steps = s.steps,
                                   .interval = std::max<int64_t>(1, s.steps / kEvaluations),
                                   .note = run.note()});
  run.say(fmt::format("{}: {} sentences, {} words, {} parameters, results in {}", s.data,
                      report::shown(static_cast<double>(sentences.size())), known.size(),
                      report::shown(static_cast<double>(net.parameter_count())), run.folder()));
  run.fit(trainer, "sentences");
  run.save(net.state_dict(), {{"words-known", known.tokens()}});
  net.eval();
  const NoGrad no_grad;
  const auto& last = trainer.history().back().values;
  const report::Axis x{fmt::format("{} steps", trainer.options().interval)};
  const SentenceNumbers some{slice(test.words, 0, {0, kShown}),
                             slice(test.lengths, 0, {0, kShown})};
  run.finish(
      {.title = "Sentences: " + s.data,
       .subtitle = fmt::format("{} numbers for each, trained by {} for {} steps", o.latent,
                               version(), s.steps),
       .sections = {curve(trainer, "Perplexity of a word, at most", "test_perplexity", x),
                    curve(trainer, "Divergence from the prior, nats", "test_kl", x),
                    {"Sentences of drawn numbers",
                     report::Texts{
                         {{"", {{lines_of(net, randn({kShown, o.latent}), known, s.longest)}}}}}},
                    between(net, some, known, s.longest)}},
      {{"test_perplexity", training::value_of(last, "test_perplexity")},
       {"test_kl", training::value_of(last, "test_kl")},
       {"test_reconstruction", training::value_of(last, "test_reconstruction")},
       {"parameters", net.parameter_count()}});
}

const Register<SentenceSettings> sentence_vae({
    .name = "sentence-vae",
    .task = "generation",
    .description = "Sentences by a few numbers: new ones, and those between two.",
    .run_name =
        [](const SentenceSettings& s) {
          return "sentence-vae-" + std::filesystem::path(s.data).stem().string();
        },
    .train = train,
    .load = sentence_predictor,
    .input = "SENTENCE",
    .input_help = "A sentence.",
    .predict_help = "Prints the sentence that its numbers say, and the numbers.",
    .evaluate_help = "Prints the perplexity of a word, at most, and the divergence of sentences.",
    .generates = true,
});

}  // namespace
}  // namespace glia::recipes
