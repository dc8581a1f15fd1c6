// Hidden Markov models of words, whose states are heard by a network: the hybrid of Bourlard &
// Morgan 1994 and Hinton et al. 2012.
//
// Each word is a row of states, each of which stays or goes on; between words, and before and after
// them, there may be silence, which has states of its own. States are counted word by word, those
// of silence last.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/tensor.h"

namespace glia::audio {

struct WordHmmOptions {
  int64_t states_per_word = 6;
  int64_t silence_states = 1;  // 0: there is none
  double stay = 0.7;           // the probability of staying in a state
};

class WordHmm {
 public:
  explicit WordHmm(int64_t words, const WordHmmOptions& options = {});

  int64_t words() const { return words_; }
  int64_t states() const;  // of all words and silence
  // The frames shared out evenly over the words' states: where training starts. Throws ValueError
  // for more states than frames, and words that there are not.
  std::vector<int64_t> flat_start(int64_t frames, const std::vector<int64_t>& words) const;

  struct Alignment {
    std::vector<int64_t> states;  // of each frame
    double score = 0;             // the logarithm of its likelihood
  };
  // The likeliest way through the states of these words, of log-likelihoods (T, states) (Viterbi).
  Alignment align(const Tensor& log_likelihoods, const std::vector<int64_t>& words) const;

  struct Recognised {
    std::vector<int64_t> words;
    std::vector<int64_t> states;  // of each frame
    double score = 0;
  };
  // The likeliest words, any number of them behind each other. `word_score` is added for each:
  // below 0 there are fewer.
  Recognised decode(const Tensor& log_likelihoods, double word_score = 0) const;

 private:
  int64_t words_;
  WordHmmOptions options_;
};

// What a network's log-probabilities (T, states) of states say of the frames: log p(state | frame)
// - log p(state), with the states' shares among all frames.
Tensor scaled_likelihoods(const Tensor& log_posteriors, const Tensor& priors);

}  // namespace glia::audio
