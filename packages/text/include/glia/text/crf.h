// Linear-chain conditional random fields (Lafferty, McCallum, Pereira 2001): the probability of a
// whole sequence of tags.
//
// Emissions (N, T, K) score each of K tags at each of T places, transitions (K, K) a tag [i]
// followed by a tag [j], start and end (K) the first and the last. Sequences end after lengths (N),
// from 1 to T, behind which nothing counts. Sums are f64 within, results of the emissions' dtype.
// Throws ShapeError for what does not fit, and ValueError for lengths and tags out of range.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/module.h"
#include "glia/tensor.h"

namespace glia::text {

// Undefined: 0 everywhere.
struct CrfWeights {
  Tensor transitions, start, end;
};

// log Z (N): of the sum over all sequences of tags. Has a gradient, which is that of marginals.
Tensor crf_log_partition(const Tensor& emissions, const Tensor& lengths, const CrfWeights& weights,
                         Where where = Where::current());
// The score (N) of tags (N, T), i64, of which those behind a sequence's end do not count.
Tensor crf_score(const Tensor& emissions, const Tensor& tags, const Tensor& lengths,
                 const CrfWeights& weights, Where where = Where::current());
// log p(tags) (N): the difference of both.
Tensor crf_log_likelihood(const Tensor& emissions, const Tensor& tags, const Tensor& lengths,
                          const CrfWeights& weights, Where where = Where::current());
// p(tag k at place t) (N, T, K), 0 behind the ends.
Tensor crf_marginals(const Tensor& emissions, const Tensor& lengths, const CrfWeights& weights,
                     Where where = Where::current());
// The likeliest tags of each sequence and their score (Viterbi 1967); of equal ones the lowest.
struct CrfPath {
  std::vector<int64_t> tags;
  double score = 0;
};
std::vector<CrfPath> crf_decode(const Tensor& emissions, const Tensor& lengths,
                                const CrfWeights& weights);

// The weights as parameters, drawn from U(-0.1, 0.1).
struct Crf : nn::Module {
  explicit Crf(int64_t tags);
  CrfWeights weights() const { return {transitions.tensor(), start.tensor(), end.tensor()}; }

  Parameter transitions, start, end;
  GLIA_FIELDS(transitions, start, end)
};

}  // namespace glia::text
