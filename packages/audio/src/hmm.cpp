#include "glia/audio/hmm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "glia/error.h"
#include "glia/ops.h"
#include "logs.h"

namespace glia::audio {
namespace {

// A place of a search: which state is heard there, and from which places one comes, itself aside.
struct Place {
  int64_t state = 0;
  std::vector<int64_t> from = {};
  bool starts = false, ends = false;
  int64_t word = -1;  // that begins here
};

struct Found {
  std::vector<int64_t> places;
  double score = kNoWay;
};

Found viterbi(const std::vector<Place>& places, const std::vector<double>& p, int64_t frames,
              int64_t states, double stay, double word_score) {
  const auto count = static_cast<int64_t>(places.size());
  const double stays = std::log(stay), goes = std::log1p(-stay);
  const auto entry = [&](int64_t i) { return places[i].word >= 0 ? word_score : 0; };
  std::vector<double> best(places.size(), kNoWay), now(places.size());
  std::vector<int32_t> before(static_cast<size_t>(frames * count), -1);
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t i = 0; i < count; ++i) {
      double from = kNoWay;
      int64_t way = -1;
      if (t == 0) {
        if (places[i].starts) from = entry(i);
      } else {
        from = best[i] + stays, way = i;
        for (const int64_t j : places[i].from)
          if (const double score = best[j] + goes + entry(i); score > from) from = score, way = j;
      }
      now[i] = from + p[t * states + places[i].state];
      before[t * count + i] = static_cast<int32_t>(way);
    }
    best.swap(now);
  }
  Found found;
  int64_t last = -1;
  for (int64_t i = 0; i < count; ++i)
    if (places[i].ends && best[i] > found.score) found.score = best[i], last = i;
  if (last < 0) return found;
  found.places.resize(static_cast<size_t>(frames));
  for (int64_t t = frames - 1; t >= 0; --t) {
    found.places[t] = last;
    last = before[t * count + last];
  }
  return found;
}

std::vector<double> values_of(const char* op, const Tensor& x, int64_t states) {
  if (!x.defined() || !is_float(x.dtype()) || x.rank() != 2 || x.size(1) != states ||
      x.size(0) == 0)
    throw ShapeError(std::string(op) + ": needs log-likelihoods (T, " + std::to_string(states) +
                     "), not " + (x.defined() ? x.shape().str() : "nothing"));
  std::vector<double> p = x.to_vector<double>();
  for (const double v : p)
    if (std::isnan(v)) throw ValueError(std::string(op) + ": a log-likelihood is no number");
  return p;
}

void check_words(const char* op, const std::vector<int64_t>& words, int64_t known) {
  for (const int64_t w : words)
    if (w < 0 || w >= known)
      throw ValueError(std::string(op) + ": there is no word " + std::to_string(w));
}

}  // namespace

WordHmm::WordHmm(int64_t words, const WordHmmOptions& options) : words_(words), options_(options) {
  if (words < 1 || words > 1 << 20 || options.states_per_word < 1 ||
      options.states_per_word > 1000 || options.silence_states < 0 || options.silence_states > 1000)
    throw ValueError("WordHmm: " + std::to_string(words) + " words of " +
                     std::to_string(options.states_per_word) + " states, silence of " +
                     std::to_string(options.silence_states));
  if (!(options.stay > 0 && options.stay < 1))
    throw ValueError("WordHmm: a probability of staying of " + std::to_string(options.stay));
}

int64_t WordHmm::states() const {
  return words_ * options_.states_per_word + options_.silence_states;
}

std::vector<int64_t> WordHmm::flat_start(int64_t frames, const std::vector<int64_t>& words) const {
  check_words("WordHmm", words, words_);
  const int64_t per = options_.states_per_word;
  const auto total = static_cast<int64_t>(words.size()) * per;
  if (total == 0 || total > frames)
    throw ValueError("WordHmm: " + std::to_string(total) + " states in " + std::to_string(frames) +
                     " frames");
  std::vector<int64_t> out;
  for (int64_t t = 0; t < frames; ++t) {
    const int64_t at = t * total / frames;
    out.push_back(words[at / per] * per + at % per);
  }
  return out;
}

WordHmm::Alignment WordHmm::align(const Tensor& log_likelihoods,
                                  const std::vector<int64_t>& words) const {
  check_words("WordHmm", words, words_);
  if (words.empty() && options_.silence_states == 0)
    throw ValueError("WordHmm: there are no words");
  const std::vector<double> p = values_of("WordHmm", log_likelihoods, states());
  std::vector<Place> places;
  std::vector<int64_t> ends;  // places from which the next word may begin
  bool start = true;
  const auto chain = [&](int64_t first, int64_t count) {
    const auto begin = static_cast<int64_t>(places.size());
    for (int64_t k = 0; k < count; ++k) {
      Place place{.state = first + k};
      if (k == 0)
        place.from = ends, place.starts = start;
      else
        place.from = {begin + k - 1};
      places.push_back(std::move(place));
    }
    return begin + count - 1;
  };
  const auto pause = [&] {
    if (options_.silence_states == 0) return;
    ends.push_back(chain(words_ * options_.states_per_word, options_.silence_states));
  };
  pause();
  for (const int64_t word : words) {
    const int64_t last = chain(word * options_.states_per_word, options_.states_per_word);
    start = false;
    ends = {last};
    pause();
  }
  for (const int64_t i : ends) places[i].ends = true;
  const Found found = viterbi(places, p, log_likelihoods.size(0), states(), options_.stay, 0);
  if (found.places.empty())
    throw ValueError("WordHmm: " + std::to_string(log_likelihoods.size(0)) +
                     " frames are too few for these " + std::to_string(words.size()) + " words");
  Alignment out{{}, found.score};
  for (const int64_t i : found.places) out.states.push_back(places[i].state);
  return out;
}

WordHmm::Recognised WordHmm::decode(const Tensor& log_likelihoods, double word_score) const {
  const std::vector<double> p = values_of("WordHmm", log_likelihoods, states());
  const int64_t per = options_.states_per_word, quiet = options_.silence_states;
  std::vector<Place> places(static_cast<size_t>(states()));
  std::vector<int64_t> ends;
  for (int64_t w = 0; w < words_; ++w) ends.push_back((w + 1) * per - 1);
  if (quiet > 0) ends.push_back(states() - 1);
  for (int64_t i = 0; i < states(); ++i) {
    places[i].state = i;
    const bool silent = i >= words_ * per;
    const bool first = silent ? i == words_ * per : i % per == 0;
    if (!first) {
      places[i].from = {i - 1};
      continue;
    }
    places[i].starts = true;
    places[i].from = ends;
    if (!silent) places[i].word = i / per;
  }
  for (const int64_t i : ends) places[i].ends = true;
  const Found found =
      viterbi(places, p, log_likelihoods.size(0), states(), options_.stay, word_score);
  Recognised out{{}, found.places, found.score};
  for (size_t t = 0; t < found.places.size(); ++t) {
    const Place& place = places[found.places[t]];
    // A word of one state that follows itself is only known by what stays and what goes on: it
    // counts once.
    if (place.word >= 0 && (t == 0 || found.places[t - 1] != found.places[t]))
      out.words.push_back(place.word);
  }
  return out;
}

Tensor scaled_likelihoods(const Tensor& log_posteriors, const Tensor& priors) {
  if (!log_posteriors.defined() || !priors.defined() || log_posteriors.rank() < 1 ||
      priors.rank() != 1 || priors.size(0) != log_posteriors.size(-1))
    throw ShapeError("scaled_likelihoods: needs log-probabilities (T, S) and shares (S)");
  // A state that was never heard is as rare as can be counted.
  return log_posteriors - log(maximum(priors, 1e-8));
}

}  // namespace glia::audio
