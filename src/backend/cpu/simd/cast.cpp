// Conversions between all dtypes. Those of 16-bit floats go through f32.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/cast.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

// The integer part, kept within the integers of To; NaN gives 0. Without branches, so that the
// compiler vectorises it.
template <class To, class From>
To saturate(From x) {
  using Limits = std::numeric_limits<To>;
  using Native = std::conditional_t<sizeof(To) == 8, int64_t, int32_t>;
  constexpr From low = static_cast<From>(Limits::min());
  constexpr From end = static_cast<From>(uint64_t{1} << (Limits::digits - 1)) * 2;
  constexpr From below_end = end * (1 - std::numeric_limits<From>::epsilon() / 2);
  From inside = x > low ? x : low;
  inside = inside < below_end ? inside : below_end;
  inside = x == x ? inside : From{0};
  const To y = static_cast<To>(static_cast<Native>(inside));
  return x >= end ? Limits::max() : y;
}

template <class From, class To>
__attribute__((flatten)) void cast_tile(void* out, const void* a, const void*, const void*,
                                        int64_t n) {
  auto* y = static_cast<Stored<To>*>(out);
  const auto* p = static_cast<const Stored<From>*>(a);
  for_each(n, [=](int64_t i) HWY_ATTR {
    if constexpr (std::is_same_v<To, bool>) {
      y[i] = p[i] != 0;
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      y[i] = saturate<To>(p[i]);
    } else {
      y[i] = static_cast<To>(p[i]);
    }
  });
}

#if HWY_TARGET == HWY_SCALAR

template <class From, class To>
void half_tile(void* out, const void* a, const void*, const void*, int64_t n) {
  To* y = static_cast<To*>(out);
  const From* p = static_cast<const From*>(a);
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<To>(static_cast<float>(p[i]));
}

#else

using F32 = hn::ScalableTag<float>;
using U32 = hn::RebindToUnsigned<F32>;
using U16 = hn::Rebind<uint16_t, F32>;

HWY_INLINE hn::Vec<F32> widen(const bfloat16* p) {
  const auto bits = hn::LoadU(U16(), reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), bits)));
}
HWY_INLINE void narrow(hn::Vec<F32> v, bfloat16* p) {
  const auto bits = hn::BitCast(U32(), v);
  const auto high = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(high, hn::Set(U32(), 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(U32(), 0x7fff))));
  const auto nan = hn::RebindMask(U32(), hn::IsNaN(v));
  const auto quiet = hn::Or(high, hn::Set(U32(), 0x40));
  const auto result = hn::TruncateTo(U16(), hn::IfThenElse(nan, quiet, rounded));
  hn::StoreU(result, U16(), reinterpret_cast<uint16_t*>(p));
}

using F16 = hn::Rebind<hwy::float16_t, F32>;
HWY_INLINE hn::Vec<F32> widen(const float16* p) {
  return hn::PromoteTo(F32(), hn::LoadU(F16(), reinterpret_cast<const hwy::float16_t*>(p)));
}
HWY_INLINE void narrow(hn::Vec<F32> v, float16* p) {
  hn::StoreU(hn::DemoteTo(F16(), v), F16(), reinterpret_cast<hwy::float16_t*>(p));
}
HWY_INLINE hn::Vec<F32> widen(const float* p) { return hn::LoadU(F32(), p); }
HWY_INLINE void narrow(hn::Vec<F32> v, float* p) { hn::StoreU(v, F32(), p); }

template <class From, class To>
__attribute__((flatten)) void half_tile(void* out, const void* a, const void*, const void*,
                                        int64_t n) {
  constexpr int64_t kLanes = hn::MaxLanes(F32());
  To* y = static_cast<To*>(out);
  const From* p = static_cast<const From*>(a);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) narrow(widen(p + i), y + i);
  if (i == n) return;
  From in[kLanes] = {};
  To result[kLanes];
  std::copy(p + i, p + n, in);
  narrow(widen(in), result);
  std::copy(result, result + (n - i), y + i);
}

#endif

// First into f32, then out of it.
template <class From, class To>
void cast_through_f32(void* out, const void* a, const void*, const void*, int64_t n);

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

template <class From, class To>
constexpr TileFunction cast_of() {
  if constexpr (!kIsHalf<From> && !kIsHalf<To>) {
    return cast_tile<From, To>;
  } else if constexpr (std::is_same_v<From, float> || std::is_same_v<To, float>) {
    return half_tile<From, To>;
  } else {
    return cast_through_f32<From, To>;
  }
}

template <class From, class To>
void cast_through_f32(void* out, const void* a, const void*, const void*, int64_t n) {
  constexpr int64_t kChunk = 256;
  float between[kChunk];
  auto* y = static_cast<Stored<To>*>(out);
  const auto* p = static_cast<const Stored<From>*>(a);
  for (int64_t i = 0; i < n; i += kChunk) {
    const int64_t count = std::min(kChunk, n - i);
    cast_of<From, float>()(between, p + i, nullptr, nullptr, count);
    cast_of<float, To>()(y + i, between, nullptr, nullptr, count);
  }
}

TileFunction cast_kernel(DType from, DType to) {
  return with_dtype(from, [to](auto x) {
    return with_dtype(to, [](auto y) { return cast_of<decltype(x), decltype(y)>(); });
  });
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
GLIA_EXPORT(cast_kernel);
TileFunction cast_function(DType from, DType to) { return GLIA_DISPATCH(cast_kernel)(from, to); }
}  // namespace glia::cpu
#endif
