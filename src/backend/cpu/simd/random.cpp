// Philox 4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/random.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

// Words: 32-bit words in 64-bit lanes, one block in each lane; only the low halves count.
#if HWY_TARGET == HWY_SCALAR

using Words = uint64_t;
constexpr int64_t kLanes = 1;
Words same(uint64_t word) { return word; }
Words count_from(uint64_t first) { return first; }
Words product(Words a, Words b) { return (a & 0xffffffff) * (b & 0xffffffff); }
Words high(Words a) { return a >> 32; }
Words both(Words low, Words high) { return (low & 0xffffffff) | high << 32; }
void store_alternating(Words a, Words b, uint64_t* out) {
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
  return hn::BitCast(U64(), hn::OddEven(hn::BitCast(U32(), hn::ShiftLeft<32>(high)),
                                        hn::BitCast(U32(), low)));
}
HWY_INLINE void store_alternating(Words a, Words b, uint64_t* out) {
  hn::StoreInterleaved2(a, b, U64(), out);
}

#endif

// Blocks first .. first + n, n rounded up to whole vectors, of two 64-bit numbers each.
__attribute__((flatten)) void philox(const uint64_t key[2], uint64_t first, int64_t n,
                                     uint64_t* out) {
  for (int64_t i = 0; i < n; i += kLanes, out += 2 * kLanes) {
    const Words block = count_from(first + static_cast<uint64_t>(i));
    Words a = block, b = high(block), c = same(key[1]), d = same(key[1] >> 32);
    uint32_t k0 = static_cast<uint32_t>(key[0]), k1 = static_cast<uint32_t>(key[0] >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
      const Words p = product(a, same(0xd2511f53)), q = product(c, same(0xcd9e8d57));
      a = high(q) ^ b ^ same(k0);
      b = q;
      c = high(p) ^ d ^ same(k1);
      d = p;
    }
    store_alternating(both(a, b), both(c, d), out);
  }
}

template <class T>
__attribute__((flatten)) void uniform(T* out, const uint64_t key[2], int64_t first, int64_t n) {
  constexpr bool kSingle = std::is_same_v<T, float>;
  constexpr int64_t kBlocks = 64, kPerBlock = 16 / sizeof(T);
  HWY_ALIGN uint64_t numbers[2 * kBlocks];
  int64_t block = first / kPerBlock, skip = first % kPerBlock;
  while (n > 0) {
    const int64_t count = std::min(n, kBlocks * kPerBlock - skip);
    philox(key, static_cast<uint64_t>(block), (skip + count + kPerBlock - 1) / kPerBlock, numbers);
    if constexpr (kSingle) {
      uint32_t words[4 * kBlocks];
      std::memcpy(words, numbers, sizeof(words));
      for_each(count, [out, p = words + skip](int64_t i) HWY_ATTR {
        out[i] = static_cast<float>(static_cast<int32_t>(p[i] >> 8)) * 0x1p-24f;
      });
    } else {
      for_each(count, [out, p = numbers + skip](int64_t i) HWY_ATTR {
        out[i] = static_cast<double>(static_cast<int64_t>(p[i] >> 11)) * 0x1p-53;
      });
    }
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
HWY_EXPORT(uniform_kernel);
void uniform_tile(void* out, DType dtype, const uint64_t key[2], int64_t first, int64_t n) {
  GLIA_DISPATCH(uniform_kernel)(out, dtype, key, first, n);
}
}  // namespace glia::cpu
#endif
