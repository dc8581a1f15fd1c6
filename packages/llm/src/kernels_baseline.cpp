// Kernels for any processor, and the choice among all.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "glia/dtype.h"
#include "glia/runtime.h"
#include "kernels.h"

#define GLIA_LANES
#define LANES inline

namespace glia::llm {
namespace {
namespace lanes1 {

constexpr int kMostTile = 2, kByteBias = 0;
struct Floats {
  float v[16];
};
struct Ints {
  int32_t v[16];
};
struct Bytes {
  uint8_t v[64];
};

template <class F>
LANES Floats each(F f) {
  Floats out;
  for (int i = 0; i < 16; ++i) out.v[i] = f(i);
  return out;
}
LANES Floats set(float x) {
  return each([=](int) { return x; });
}
LANES Ints set_int(int32_t x) {
  Ints out;
  for (int32_t& v : out.v) v = x;
  return out;
}
LANES Floats load_float(const void* at) {
  Floats out;
  std::memcpy(out.v, at, sizeof out.v);
  return out;
}
LANES Floats load_half(const uint8_t* at) {
  return each([=](int i) { return half_at(at + 2 * i); });
}
LANES Floats load_bfloat(const uint8_t* at) {
  return each(
      [=](int i) { return std::bit_cast<float>(uint32_t(at[2 * i] | at[2 * i + 1] << 8) << 16); });
}
LANES void store_first(float* at, const Floats& x, int64_t count) {
  std::memcpy(at, x.v, count * sizeof(float));
}
LANES void store(float* at, const Floats& x) { store_first(at, x, 16); }
LANES Floats add(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
LANES Floats subtract(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
LANES Floats multiply(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
LANES Floats divide(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
LANES Floats multiply_add(const Floats& a, const Floats& b, const Floats& c) {
  return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}
LANES Floats maximum(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
LANES Floats minimum(const Floats& a, const Floats& b) {
  return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
LANES Floats magnitude(const Floats& a) {
  return each([&](int i) { return std::abs(a.v[i]); });
}
LANES Floats rounded(const Floats& a) {
  return each([&](int i) { return std::nearbyint(a.v[i]); });
}
LANES Floats power_of_two(const Floats& n) {
  return each([&](int i) {
    return std::bit_cast<float>(static_cast<int32_t>(static_cast<int>(n.v[i]) + 127) << 23);
  });
}
LANES float total(const Floats& a) {
  float sum = 0;
  for (const float v : a.v) sum += v;
  return sum;
}
LANES float largest(const Floats& a) {
  float most = a.v[0];
  for (const float v : a.v) most = v > most ? v : most;
  return most;
}
LANES Floats to_float(const Ints& a) {
  return each([&](int i) { return static_cast<float>(a.v[i]); });
}
LANES Ints add_256(Ints rest, const Ints& high) {
  for (int i = 0; i < 16; ++i) rest.v[i] += 256 * high.v[i];
  return rest;
}
// Writes 16 high bytes, and 16 low ones 32 bytes on; gives the sum of the whole numbers.
LANES int32_t round_to_bytes(const Floats& x, int8_t* to) {
  int32_t sum = 0;
  for (int i = 0; i < 16; ++i) {
    const float near = std::nearbyint(x.v[i]);
    const int whole = std::abs(near) <= kMostWhole ? static_cast<int>(near) : 0;
    const int high = (whole + 128) >> 8, low = std::max(whole - 256 * high, -127);
    to[i] = static_cast<int8_t>(high);
    to[i + kChunk] = static_cast<int8_t>(low);
    sum += 256 * high + low;
  }
  return sum;
}

LANES Bytes load_bytes(const uint8_t* at) {
  Bytes out;
  std::memcpy(out.v, at, sizeof out.v);
  return out;
}
LANES Bytes low_half(Bytes b) {
  for (uint8_t& v : b.v) v &= 15;
  return b;
}
LANES Bytes high_half(Bytes b) {
  for (uint8_t& v : b.v) v >>= 4;
  return b;
}
LANES Bytes as_factor(const Bytes& b) { return b; }
LANES Bytes with_fifth(Bytes b, const uint8_t* bits) {
  for (int i = 0; i < 64; ++i) b.v[i] |= (bits[i / 8] >> i % 8 & 1) << 4;
  return b;
}
LANES Ints add_dot(Ints sum, const Bytes& levels, const int8_t* x) {
  for (int i = 0; i < 64; ++i) sum.v[i / 4] += levels.v[i] * x[i % 4];
  return sum;
}
LANES Ints add_dot_byte(const Ints& sum, const Bytes& levels, const int8_t* x) {
  return add_dot(sum, levels, x);
}

#include "kernels-inl.h"

void to_half(const float* x, int64_t size, uint16_t* y) {
  for (int64_t i = 0; i < size; ++i) y[i] = float16(x[i]).bits;
}

}  // namespace lanes1
}  // namespace

const Kernels kBaselineKernels{lanes1::product, lanes1::to_bytes, lanes1::norm,
                               lanes1::gate,    lanes1::attend,   lanes1::to_half};

const Kernels& kernels() {
#if defined(__x86_64__)
  const std::string level = cpu_level();
  if (level == "avx512" && __builtin_cpu_supports("avx512vnni")) return kAvx512Kernels;
  if (level != "baseline") return kAvx2Kernels;
#endif
  return kBaselineKernels;
}

}  // namespace glia::llm
