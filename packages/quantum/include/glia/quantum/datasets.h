// Small sets that quantum classifiers are tried on, drawn by a seed.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::quantum {

struct Labelled {
  Tensor x;  // (N, F) f64
  Tensor y;  // (N) i64: 0 or 1
};

// Two half circles that reach into each other, with noise of that deviation; half of them each.
Labelled moons(int64_t count, double noise = 0.1, uint64_t seed = 0);
// All words of so many bits, 1 to 16, as 0 and 1, and whether their sum is odd.
Labelled parity(int64_t bits);
// Points of (0, 2 pi]^2 that a quantum computer tells apart: the sign of <V' Z Z V> for V drawn at
// random behind a ZZFeatureMap of two wires, where it is at least `gap` from 0; half of them each
// (Havlicek et al. 2019).
Labelled ad_hoc(int64_t count, double gap = 0.3, uint64_t seed = 0);

}  // namespace glia::quantum
