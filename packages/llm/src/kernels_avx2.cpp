// Kernels for AVX2 with FMA and F16C: what are 16 lanes is two registers.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "kernels.h"

#define GLIA_LANES __attribute__((target("avx2,fma,f16c")))
#define LANES GLIA_LANES __attribute__((always_inline)) inline

namespace glia::llm {
namespace {
namespace lanes256 {

constexpr int kMostTile = 2, kByteBias = 128;
struct Floats {
  __m256 a, b;
};
struct Ints {
  __m256i a, b;
};
using Bytes = Ints;

LANES __m256i load256(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
LANES __m128i load128(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }
LANES Floats set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
LANES Ints set_int(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
LANES Floats load_float(const void* at) {
  const auto* const x = static_cast<const float*>(at);
  return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)};
}
LANES Floats load_half(const uint8_t* at) {
  return {_mm256_cvtph_ps(load128(at)), _mm256_cvtph_ps(load128(at + 16))};
}
LANES __m256 bfloat8(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
LANES Floats load_bfloat(const uint8_t* at) {
  return {bfloat8(load128(at)), bfloat8(load128(at + 16))};
}
LANES void store(float* at, Floats x) {
  _mm256_storeu_ps(at, x.a);
  _mm256_storeu_ps(at + 8, x.b);
}
LANES void store_first(float* at, Floats x, int64_t count) {
  if (count == 16) return store(at, x);
  float all[16];
  store(all, x);
  std::memcpy(at, all, count * sizeof(float));
}
LANES Floats add(Floats x, Floats y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
LANES Floats subtract(Floats x, Floats y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
LANES Floats multiply(Floats x, Floats y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
LANES Floats divide(Floats x, Floats y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
LANES Floats multiply_add(Floats x, Floats y, Floats z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
LANES Floats maximum(Floats x, Floats y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
LANES Floats minimum(Floats x, Floats y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
LANES Floats magnitude(Floats x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
LANES Floats rounded(Floats x) { return {_mm256_round_ps(x.a, 8), _mm256_round_ps(x.b, 8)}; }
LANES __m256 power8(__m256 n) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
LANES Floats power_of_two(Floats n) { return {power8(n.a), power8(n.b)}; }
LANES float total(Floats x) {
  const __m256 s = _mm256_add_ps(x.a, x.b);
  __m128 t = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  t = _mm_add_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
LANES float largest(Floats x) {
  const __m256 s = _mm256_max_ps(x.a, x.b);
  __m128 t = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  t = _mm_max_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
}
LANES Floats to_float(Ints x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LANES Ints add_256(Ints x, Ints high) {
  return {_mm256_add_epi32(x.a, _mm256_slli_epi32(high.a, 8)),
          _mm256_add_epi32(x.b, _mm256_slli_epi32(high.b, 8))};
}
LANES void store_bytes(__m256i a, __m256i b, int8_t* to) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(words, words), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(bytes));
}
LANES __m256i high_of(__m256i whole) {
  return _mm256_srai_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(128)), 8);
}
LANES __m256i low_of(__m256i whole, __m256i high) {
  return _mm256_max_epi32(_mm256_sub_epi32(whole, _mm256_slli_epi32(high, 8)),
                          _mm256_set1_epi32(-127));
}
// Writes 16 high bytes, and 16 low ones 32 bytes on; gives the sum of the whole numbers.
LANES int32_t round_to_bytes(Floats x, int8_t* to) {
  const __m256i a = _mm256_cvtps_epi32(x.a), b = _mm256_cvtps_epi32(x.b);
  const Ints high{high_of(a), high_of(b)}, low{low_of(a, high.a), low_of(b, high.b)};
  store_bytes(high.a, high.b, to);
  store_bytes(low.a, low.b, to + kChunk);
  const Ints all = add_256(low, high);
  const __m256i s = _mm256_add_epi32(all.a, all.b);
  __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1)));
}

LANES Bytes load_bytes(const uint8_t* at) { return {load256(at), load256(at + 32)}; }
LANES Bytes low_half(Bytes x) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
}
LANES Bytes high_half(Bytes x) {
  return low_half({_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)});
}
// Levels as bytes with a sign: products of two unsigned ones would not fit their sums.
LANES Bytes as_factor(Bytes x) {
  const __m256i half = _mm256_set1_epi8(static_cast<char>(128));
  return {_mm256_xor_si256(x.a, half), _mm256_xor_si256(x.b, half)};
}
LANES __m256i sixteens(const uint8_t* bits) {  // where one of 32 bits is set
  int32_t word;
  std::memcpy(&word, bits, 4);
  const __m256i spread =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i each = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32(word), spread);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(all, each), each);
  return _mm256_and_si256(set, _mm256_set1_epi8(16));
}
LANES Bytes with_fifth(Bytes x, const uint8_t* bits) {
  return {_mm256_or_si256(x.a, sixteens(bits)), _mm256_or_si256(x.b, sixteens(bits + 4))};
}
LANES __m256i four_of(const int8_t* x) {
  int32_t four;
  std::memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}
LANES __m256i dot8(__m256i sum, __m256i levels, __m256i x) {
  const __m256i pairs = _mm256_maddubs_epi16(levels, x);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
LANES Ints add_dot(Ints sum, Bytes levels, const int8_t* x) {
  const __m256i four = four_of(x);
  return {dot8(sum.a, levels.a, four), dot8(sum.b, levels.b, four)};
}
LANES Ints add_dot_byte(Ints sum, Bytes levels, const int8_t* x) {
  const __m256i four = four_of(x);
  return {dot8(sum.a, _mm256_abs_epi8(levels.a), _mm256_sign_epi8(four, levels.a)),
          dot8(sum.b, _mm256_abs_epi8(levels.b), _mm256_sign_epi8(four, levels.b))};
}

#include "kernels-inl.h"

GLIA_LANES void to_half(const float* x, int64_t size, uint16_t* y) {
  for (int64_t i = 0; i < size; ++i) y[i] = static_cast<uint16_t>(_cvtss_sh(x[i], 0));
}

}  // namespace lanes256
}  // namespace

const Kernels kAvx2Kernels{lanes256::product, lanes256::to_bytes, lanes256::norm,
                           lanes256::gate,    lanes256::attend,   lanes256::to_half};

}  // namespace glia::llm
#endif
