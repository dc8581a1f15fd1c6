#include "glia/random.h"

#include "glia/ops.h"
#include "ops/elementwise.h"
#include "ops/private.h"

namespace glia {
namespace {

thread_local RandomState state;

}  // namespace

void manual_seed(uint64_t seed) { state = {seed, 0}; }
RandomState random_state() { return state; }
void set_random_state(RandomState s) { state = s; }

Tensor rand(const Shape& shape, DType dtype) {
  if (dtype != kF32 && dtype != kF64) {
    if (!is_float(dtype)) throw Error(std::string("rand: not defined for ") + name(dtype));
    return cast(rand(shape, kF32), dtype);
  }
  const uint64_t key[2] = {state.seed, state.calls++};
  return record_uniform(shape, dtype, from_bytes(key, {2}, kI64));
}

Tensor uniform(const Shape& shape, double low, double high, DType dtype) {
  return rand(shape, dtype) * (high - low) + low;
}

Tensor randn(const Shape& shape, DType dtype) {
  // Box and Muller 1958; 1 - u is never 0.
  const DType wide = dtype == kF64 ? kF64 : kF32;
  const Tensor radius = sqrt(-2 * log(1 - rand(shape, wide)));
  return cast(radius * cos(rand(shape, wide) * 6.283185307179586), dtype);
}

Tensor normal(const Shape& shape, double mean, double std, DType dtype) {
  return randn(shape, dtype) * std + mean;
}

Tensor randint(int64_t low, int64_t high, const Shape& shape) {
  if (low >= high)
    throw Error("randint: no integers in [" + std::to_string(low) + ", " + std::to_string(high) +
                ")");
  const double range = static_cast<double>(high) - static_cast<double>(low);
  return cast(floor(rand(shape, kF64) * range), kI64) + low;
}

Tensor bernoulli(const Shape& shape, double p) {
  if (!(p >= 0 && p <= 1))
    throw Error("bernoulli: the probability " + std::to_string(p) + " is not in [0, 1]");
  return rand(shape) < p;
}

Tensor randperm(int64_t n) {
  if (n < 0) throw Error("randperm: " + std::to_string(n) + " is negative");
  return argsort(rand({n}, kF64), 0);
}

}  // namespace glia
