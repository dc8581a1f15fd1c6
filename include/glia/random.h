// Random numbers: Philox 4x32-10 (Salmon et al. 2011), keyed by the seed and a counter of calls,
// so that values depend on neither threads nor on when they are computed.
#pragma once

#include "glia/tensor.h"

namespace glia {

// Restarts this thread's stream. The first thread's starts with seed 0, any other one's with a seed
// of its own.
void manual_seed(uint64_t seed);
// The stream's state, for checkpoints: {seed, calls}.
struct RandomState {
  uint64_t seed = 0, calls = 0;
};
RandomState random_state();                // of this thread
void set_random_state(RandomState state);  // numbers go on from there

Tensor rand(const Shape& shape, DType dtype = kF32);  // uniform in [0, 1)
Tensor uniform(const Shape& shape, double low, double high, DType dtype = kF32);
Tensor randn(const Shape& shape, DType dtype = kF32);  // mean 0, variance 1
Tensor normal(const Shape& shape, double mean, double std, DType dtype = kF32);
Tensor randint(int64_t low, int64_t high, const Shape& shape);  // i64 in [low, high)
Tensor bernoulli(const Shape& shape, double p);                 // bool
Tensor randperm(int64_t n);                                     // i64

}  // namespace glia
