// Classes by what each two of them say.
#pragma once

#include "glia/tensor.h"

namespace glia::classic {

// Votes (samples, classes) of pairs (0, 1), (0, 2), ..., (1, 2), ...: `second` (samples, pairs)
// says which of a pair is guessed, and between equal votes `confidence` (samples, pairs), which is
// larger for the second, decides.
Tensor pair_votes(const Tensor& second, const Tensor& confidence, int64_t classes);

}  // namespace glia::classic
