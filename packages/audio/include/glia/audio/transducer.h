// The loss of transducers (Graves, "Sequence transduction with recurrent neural networks", 2012).
#pragma once

#include "glia/ops.h"

namespace glia::audio {

struct RnntLossOptions {
  int64_t blank = -1;                      // the class that goes on to the next frame; -1: the last
  double clamp = -1;                       // gradients by the logits lie within it; below 0: any
  Reduction reduction = Reduction::kMean;  // over examples
};
// -log of the probability that a transducer gives these labels, over all ways of going through
// frames and labels: torchaudio.functional.rnnt_loss. Logits (N, T, U + 1, C), of which
// log_softmax() is part of the loss; labels (N, U); how many frames and labels of each example
// count (N). The sums are those of its own forward and backward recursion, in f64; there is no
// second derivative. Lengths and labels out of range throw ValueError when the loss is computed.
Tensor rnnt_loss(const Tensor& logits, const Tensor& targets, const Tensor& logit_lengths,
                 const Tensor& target_lengths, const RnntLossOptions& options = {},
                 Where where = Where::current());

}  // namespace glia::audio
