#include "glia/random.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/private.h"

namespace glia {
namespace {

// The first thread's stream has seed 0, any other one's a seed of its own, as long as none is
// given.
RandomState unseeded() {
  static std::atomic<uint64_t> threads{0};
  const bool first = gettid() == getpid();
  return {first ? 0 : (threads.fetch_add(1) + 1) * 0x9e3779b97f4a7c15u, 0};
}

thread_local RandomState stream = unseeded();

void require(bool ok, const char* op, const std::string& message) {
  if (!ok) throw ShapeError(std::string(op) + ": " + message);
}

}  // namespace

void manual_seed(uint64_t seed) { stream = {seed, 0}; }
RandomState random_state() { return stream; }
void set_random_state(RandomState state) { stream = state; }

Tensor rand(const Shape& shape, DType dtype) {
  require(is_float(dtype), "rand", std::string("not defined for ") + name(dtype));
  const uint64_t key[] = {stream.seed, stream.calls++};
  const Tensor k = from_bytes(key, {2}, kI64);
  if (size_of(dtype) > 2) return record_uniform(shape, dtype, k);
  // On the grid of the short format, so that no number is rounded up to 1.
  const double grid = dtype == kF16 ? 1 << 11 : 1 << 8;
  return cast(floor(record_uniform(shape, kF32, k) * grid) / grid, dtype);
}

Tensor uniform(const Shape& shape, double low, double high, DType dtype) {
  require(low <= high && std::isfinite(high - low), "uniform",
          fmt::format("there are no numbers from {} to {}", low, high));
  return rand(shape, dtype) * (high - low) + low;
}

// Box and Muller 1958.
Tensor randn(const Shape& shape, DType dtype) {
  require(is_float(dtype), "randn", std::string("not defined for ") + name(dtype));
  const DType in = sum_dtype(dtype);
  const Tensor radius = sqrt(-2 * log(1 - rand(shape, in)));
  return cast(radius * cos(6.283185307179586 * rand(shape, in)), dtype);
}

Tensor normal(const Shape& shape, double mean, double std, DType dtype) {
  require(std >= 0, "normal", fmt::format("the standard deviation is {}", std));
  return randn(shape, dtype) * std + mean;
}

Tensor randint(int64_t low, int64_t high, const Shape& shape) {
  constexpr int64_t kExact = int64_t{1} << 53;  // as far as f64 holds every integer
  require(low < high, "randint",
          "there is no integer in [" + std::to_string(low) + ", " + std::to_string(high) + ")");
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  require(count <= kExact, "randint", "the range holds more than 2^53 integers");
  const Tensor u = rand(shape, kF64) * static_cast<double>(count);
  return cast(floor(u), kI64) + low;
}

Tensor bernoulli(const Shape& shape, double p) {
  require(p >= 0 && p <= 1, "bernoulli", "p = " + std::to_string(p) + " is not in [0, 1]");
  return rand(shape) < p;
}

Tensor randperm(int64_t n) {
  require(n >= 0, "randperm", std::to_string(n) + " elements");
  return argsort(rand({n}, kF64));
}

}  // namespace glia
