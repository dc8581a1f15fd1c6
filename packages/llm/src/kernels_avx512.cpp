// Kernels for AVX-512 with its products of bytes (VNNI).
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "kernels.h"

// GCC 12 takes the undefined registers of its own header for a fault.
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define GLIA_LANES \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define LANES GLIA_LANES __attribute__((always_inline)) inline

namespace glia::llm {
namespace {
namespace lanes512 {

constexpr int kMostTile = 8, kByteBias = 0;
using Floats = __m512;
using Ints = __m512i;
using Bytes = __m512i;

LANES Floats set(float x) { return _mm512_set1_ps(x); }
LANES Ints set_int(int32_t x) { return _mm512_set1_epi32(x); }
LANES Floats load_float(const void* at) { return _mm512_loadu_ps(at); }
LANES Floats load_half(const uint8_t* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}
LANES Floats load_bfloat(const uint8_t* at) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
LANES void store(float* at, Floats x) { _mm512_storeu_ps(at, x); }
LANES void store_first(float* at, Floats x, int64_t count) {
  _mm512_mask_storeu_ps(at, static_cast<__mmask16>((1u << count) - 1), x);
}
LANES Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
LANES Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
LANES Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
LANES Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
LANES Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
LANES Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a, b); }
LANES Floats minimum(Floats a, Floats b) { return _mm512_min_ps(a, b); }
LANES Floats magnitude(Floats a) { return _mm512_abs_ps(a); }
LANES Floats rounded(Floats a) { return _mm512_roundscale_ps(a, 8); }
LANES Floats power_of_two(Floats n) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
LANES float total(Floats a) { return _mm512_reduce_add_ps(a); }
LANES float largest(Floats a) { return _mm512_reduce_max_ps(a); }
LANES Floats to_float(Ints a) { return _mm512_cvtepi32_ps(a); }
LANES Ints add_256(Ints rest, Ints high) {
  return _mm512_add_epi32(rest, _mm512_slli_epi32(high, 8));
}
// Writes 16 high bytes, and 16 low ones 32 bytes on; gives the sum of the whole numbers.
LANES int32_t round_to_bytes(Floats x, int8_t* to) {
  const Ints whole = _mm512_cvtps_epi32(x);
  const Ints high = _mm512_srai_epi32(_mm512_add_epi32(whole, set_int(128)), 8);
  const Ints low =
      _mm512_max_epi32(_mm512_sub_epi32(whole, _mm512_slli_epi32(high, 8)), set_int(-127));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(high));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + kChunk), _mm512_cvtsepi32_epi8(low));
  return _mm512_reduce_add_epi32(add_256(low, high));
}

LANES Bytes load_bytes(const uint8_t* at) { return _mm512_loadu_si512(at); }
LANES Bytes low_half(Bytes b) { return _mm512_and_si512(b, _mm512_set1_epi8(15)); }
LANES Bytes high_half(Bytes b) { return low_half(_mm512_srli_epi16(b, 4)); }
LANES Bytes as_factor(Bytes b) { return b; }
LANES Bytes with_fifth(Bytes b, const uint8_t* bits) {
  uint64_t mask;
  std::memcpy(&mask, bits, 8);
  return _mm512_mask_add_epi8(b, mask, b, _mm512_set1_epi8(16));
}
LANES Ints add_dot(Ints sum, Bytes levels, const int8_t* x) {
  int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_dpbusd_epi32(sum, levels, _mm512_set1_epi32(four));
}
LANES Ints add_dot_byte(Ints sum, Bytes levels, const int8_t* x) { return add_dot(sum, levels, x); }

#include "kernels-inl.h"

GLIA_LANES void to_half(const float* x, int64_t size, uint16_t* y) {
  int64_t i = 0;
  for (; i + 16 <= size; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i),
                        _mm512_maskz_cvtps_ph(0xffff, load_float(x + i), 0));
  for (; i < size; ++i) y[i] = static_cast<uint16_t>(_cvtss_sh(x[i], 0));
}

}  // namespace lanes512
}  // namespace

const Kernels kAvx512Kernels{lanes512::product, lanes512::to_bytes, lanes512::norm,
                             lanes512::gate,    lanes512::attend,   lanes512::to_half};

}  // namespace glia::llm
#endif
