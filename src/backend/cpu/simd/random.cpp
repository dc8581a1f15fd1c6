// Philox 4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/random.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

// Words: 32-bit words in 64-bit lanes, one block in each lane; only the low halves count.
#if HWY_TARGET == HWY_SCALAR

using Words = uint64_t;
constexpr int64_t kLanes = 1;
HWY_INLINE Words same(uint64_t word) { return word; }
HWY_INLINE Words count_from(uint64_t first) { return first; }
HWY_INLINE Words product(Words a, Words b) { return (a & 0xffffffff) * (b & 0xffffffff); }
HWY_INLINE Words high(Words a) { return a >> 32; }
HWY_INLINE Words both(Words low, Words high) { return (low & 0xffffffff) | high << 32; }
HWY_INLINE void store_alternating(Words a, Words b, uint64_t* out) {
  out[0] = a;
  out[1] = b;
}

#else

using U64 = hn::ScalableTag<uint64_t>;
using U32 = hn::RepartitionToNarrow<U64>;
using Words = hn::Vec<U64>;
constexpr int64_t kLanes = hn::MaxLanes(U64());
HWY_INLINE Words same(uint64_t word) { return hn::Set(U64(), word); }
HWY_INLINE Words count_from(uint64_t first) { return hn::Iota(U64(), first); }
HWY_INLINE Words product(Words a, Words b) {
  return hn::MulEven(hn::BitCast(U32(), a), hn::BitCast(U32(), b));
}
HWY_INLINE Words high(Words a) { return hn::ShiftRight<32>(a); }
HWY_INLINE Words both(Words low, Words high) {
  return hn::BitCast(
      U64(), hn::OddEven(hn::BitCast(U32(), hn::ShiftLeft<32>(high)), hn::BitCast(U32(), low)));
}
HWY_INLINE void store_alternating(Words a, Words b, uint64_t* out) {
  hn::StoreInterleaved2(a, b, U64(), out);
}

#endif

// Blocks first .. first + n of the stream, n rounded up to 32 or less: two numbers each.
void philox(uint64_t seed, uint64_t call, uint64_t first, int64_t n, uint64_t* out) {
  constexpr int kRounds = 10;
  Words keys[kRounds][2];
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (auto& [key0, key1] : keys) {
    key0 = same(k0);
    key1 = same(k1);
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  constexpr int64_t kChains = 4;  // computed at once, to hide the latency of a product
  for (int64_t i = 0; i < n; i += kChains * kLanes) {
    Words a[kChains], b[kChains], c[kChains], d[kChains];
#pragma GCC unroll 4
    for (int64_t j = 0; j < kChains; ++j) {
      a[j] = count_from(first + static_cast<uint64_t>(i + j * kLanes));
      b[j] = high(a[j]);
      c[j] = same(call);
      d[j] = same(call >> 32);
    }
#pragma GCC unroll 10
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 4
      for (int64_t j = 0; j < kChains; ++j) {
        const Words p = product(a[j], same(0xd2511f53)), q = product(c[j], same(0xcd9e8d57));
        a[j] = high(q) ^ b[j] ^ keys[round][0];
        b[j] = q;
        c[j] = high(p) ^ d[j] ^ keys[round][1];
        d[j] = p;
      }
    }
#pragma GCC unroll 4
    for (int64_t j = 0; j < kChains; ++j) {
      store_alternating(both(a[j], b[j]), both(c[j], d[j]), out + 2 * (i + j * kLanes));
    }
  }
}

template <class T>
void uniform(T* out, const uint64_t key[2], int64_t first, int64_t n) {
  constexpr int64_t kBlocks = 64, kPerBlock = 16 / sizeof(T), kChunk = kBlocks * kPerBlock;
  HWY_ALIGN uint64_t numbers[2 * kBlocks];
  T values[kChunk];
  int64_t block = first / kPerBlock, skip = first % kPerBlock;
  while (n > 0) {
    const int64_t count = std::min(n, kChunk - skip), needed = skip + count;
    philox(key[0], key[1], static_cast<uint64_t>(block), hwy::DivCeil(needed, kPerBlock), numbers);
    if constexpr (std::is_same_v<T, float>) {
      using Word [[gnu::may_alias]] = uint32_t;
      const Word* words = reinterpret_cast<const Word*>(numbers);
      for_each(needed, [&values, words](int64_t i) {
        values[i] = static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24f;
      });
    } else {
      for_each(needed, [&values, &numbers](int64_t i) {
        values[i] = static_cast<double>(static_cast<int64_t>(numbers[i] >> 11)) * 0x1p-53;
      });
    }
    std::copy_n(values + skip, count, out);
    out += count;
    n -= count;
    block += kBlocks;
    skip = 0;
  }
}

void uniform_kernel(void* out, DType dtype, const uint64_t key[2], int64_t first, int64_t n) {
  if (dtype == kF32) {
    uniform(static_cast<float*>(out), key, first, n);
  } else {
    uniform(static_cast<double*>(out), key, first, n);
  }
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(uniform_kernel);
void uniform_tile(void* out, DType dtype, const uint64_t key[2], int64_t first, int64_t n) {
  GLIA_DISPATCH(uniform_kernel)(out, dtype, key, first, n);
}
}  // namespace glia::cpu
#endif
