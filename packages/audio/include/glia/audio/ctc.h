// What a network that was trained by ctc_loss() says: the likeliest labels, alone or with a
// language model, and when given labels were said.
//
// Log-probabilities are (T, C), of log_softmax(), f32 or f64; frames and classes count from 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/audio/ngram.h"
#include "glia/tensor.h"

namespace glia::audio {

// The likeliest class of each frame, equal ones that follow each other once, blanks left out.
std::vector<int64_t> ctc_greedy(const Tensor& log_probs, int64_t blank = 0);

struct Hypothesis {
  std::vector<int64_t> tokens;
  double score = 0;  // the natural logarithm of its probability, with what a model adds
};

struct BeamOptions {
  int64_t beam_width = 16;  // how many beginnings are followed from frame to frame
  int64_t nbest = 1;        // how many are given, the likeliest first
  int64_t candidates = 0;   // only so many likeliest classes of a frame go on; 0: all
  int64_t blank = 0;
};
// Prefix beam search: a label sequence counts by the sum over all its paths (Graves 2008, Hannun et
// al. 2014). With a beam of all beginnings the scores are minus ctc_loss().
std::vector<Hypothesis> ctc_beam_search(const Tensor& log_probs, const BeamOptions& options = {});

struct FusionOptions {
  // What each class writes: a word of the model, or a character.
  std::vector<std::string> tokens;
  // The class's text between words; empty: each class is a word.
  std::string separator = {};
  double alpha = 0.5;  // of the model's logarithm
  double beta = 0;     // added for each word, which a model makes less likely
};
// The same where the score of each sequence has alpha log(its probability by the model) + beta
// words added ("shallow fusion").
std::vector<Hypothesis> ctc_beam_search(const Tensor& log_probs, const NgramModel& model,
                                        const FusionOptions& fusion,
                                        const BeamOptions& options = {});

struct AlignedToken {
  int64_t token = 0;
  int64_t start = 0, end = 0;  // frames [start, end)
  double score = 0;            // the mean of its log-probability over them
};
struct CtcAlignment {
  std::vector<int64_t> path;  // the class of each frame, blanks among them
  std::vector<AlignedToken> tokens;
  double score = 0;  // the path's log-probability
};
// The likeliest path that gives these labels (Viterbi). Throws ValueError where there is none.
CtcAlignment ctc_forced_align(const Tensor& log_probs, const std::vector<int64_t>& targets,
                              int64_t blank = 0);

}  // namespace glia::audio
