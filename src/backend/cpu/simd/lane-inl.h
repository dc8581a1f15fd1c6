// The types V that lanes.h and the elementwise table are instantiated with, for one instruction
// set: Scalar<T> is one element, Lane<T> a SIMD vector of floats. Included once for each.
#if defined(GLIA_LANE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GLIA_LANE_INL_H
#undef GLIA_LANE_INL_H
#else
#define GLIA_LANE_INL_H
#endif

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- One element

template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;  // a bool is 0 or 1

template <class T>
struct Scalar {
  using Element = T;
  using Memory = Stored<T>;
  static constexpr int64_t kLanes = 1;
  Memory v;

  Scalar() = default;
  explicit Scalar(double c) {
    using Exact = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    v = static_cast<Memory>(static_cast<Exact>(c));
  }
  template <class N>
  static Scalar of(N value) {
    Scalar s;
    s.v = static_cast<Memory>(value);
    return s;
  }
  static Scalar load(const Memory* p) { return of(*p); }
  void store(Memory* p) const { *p = v; }
  static Scalar load_first(int64_t n, const Memory* p, Scalar rest) {
    return n > 0 ? load(p) : rest;
  }
  void store_first(int64_t n, Memory* p) const {
    if (n > 0) store(p);
  }
};

// Integers are computed as unsigned, so that they wrap.
template <class T>
auto arithmetic(Scalar<T> a) {
  if constexpr (std::is_floating_point_v<T>) {
    return a.v;
  } else {
    return static_cast<std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>>(a.v);
  }
}
template <class T>
Scalar<T> operator+(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(arithmetic(a) + arithmetic(b));
}
template <class T>
Scalar<T> operator-(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(arithmetic(a) - arithmetic(b));
}
template <class T>
Scalar<T> operator*(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(arithmetic(a) * arithmetic(b));
}
template <class T>
Scalar<T> operator-(Scalar<T> a) {
  if constexpr (std::is_floating_point_v<T>) return Scalar<T>::of(-a.v);
  return Scalar<T>(0) - a;
}
template <class T>
Scalar<T> operator/(Scalar<T> a, Scalar<T> b) {
  if constexpr (!std::is_floating_point_v<T>) {
    if (b.v == 0) return Scalar<T>(0);
    if (std::is_signed_v<T> && b.v == static_cast<T>(-1)) return -a;  // the lowest / -1 would trap
  }
  return Scalar<T>::of(a.v / b.v);
}
template <class T>
bool operator<(Scalar<T> a, Scalar<T> b) {
  return a.v < b.v;
}
template <class T>
bool operator<=(Scalar<T> a, Scalar<T> b) {
  return a.v <= b.v;
}
template <class T>
bool operator==(Scalar<T> a, Scalar<T> b) {
  return a.v == b.v;
}
template <class T>
bool operator!=(Scalar<T> a, Scalar<T> b) {
  return a.v != b.v;
}
template <class T>
Scalar<T> select(bool mask, Scalar<T> a, Scalar<T> b) {
  return mask ? a : b;
}
template <class T>
Scalar<T> lesser(Scalar<T> a, Scalar<T> b) {
  return a.v < b.v ? a : b;
}
template <class T>
Scalar<T> greater(Scalar<T> a, Scalar<T> b) {
  return a.v > b.v ? a : b;
}
template <class T>
Scalar<T> abs(Scalar<T> a) {
  if constexpr (std::is_floating_point_v<T>) {
    return Scalar<T>::of(std::abs(a.v));
  } else {
    return a.v < 0 ? -a : a;
  }
}
template <class T>
Scalar<T> bit_not(Scalar<T> a) {
  return Scalar<T>::of(std::is_same_v<T, bool> ? a.v ^ 1 : ~a.v);
}
template <class T>
Scalar<T> bit_and(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(a.v & b.v);
}
template <class T>
Scalar<T> bit_or(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(a.v | b.v);
}
template <class T>
Scalar<T> bit_xor(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(a.v ^ b.v);
}

template <class T>
struct Format {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static constexpr int kMantissaBits = std::numeric_limits<T>::digits - 1;
  static constexpr Bits kMantissa = (Bits{1} << kMantissaBits) - 1;
  static constexpr int kBias = std::numeric_limits<T>::max_exponent - 1;
};

#if HWY_TARGET == HWY_SCALAR

template <class T>
Scalar<T> fma(Scalar<T> a, Scalar<T> b, Scalar<T> c) {
  // A product of two floats is exact in double: cheaper than fmaf without the instruction.
  if constexpr (sizeof(T) == 4) return Scalar<T>::of(double{a.v} * double{b.v} + double{c.v});
  return Scalar<T>::of(std::fma(a.v, b.v, c.v));
}
template <class T>
Scalar<T> sqrt(Scalar<T> a) {
  return Scalar<T>::of(std::sqrt(a.v));
}
template <class T>
Scalar<T> floor(Scalar<T> a) {
  return Scalar<T>::of(std::floor(a.v));
}
template <class T>
Scalar<T> ceil(Scalar<T> a) {
  return Scalar<T>::of(std::ceil(a.v));
}
template <class T>
Scalar<T> round(Scalar<T> a) {
  return Scalar<T>::of(std::nearbyint(a.v));
}
template <class T>
Scalar<T> copysign(Scalar<T> a, Scalar<T> b) {
  return Scalar<T>::of(std::copysign(a.v, b.v));
}
template <class T>
Scalar<T> exponent(Scalar<T> x) {
  const auto bits = std::bit_cast<typename Format<T>::Bits>(x.v);
  return Scalar<T>::of(static_cast<int>(bits >> Format<T>::kMantissaBits) - Format<T>::kBias);
}
template <class T>
Scalar<T> mantissa(Scalar<T> x) {
  const auto bits = std::bit_cast<typename Format<T>::Bits>(x.v) & Format<T>::kMantissa;
  return Scalar<T>::of(std::bit_cast<T>(bits | std::bit_cast<typename Format<T>::Bits>(T{1})));
}
template <class T>
Scalar<T> scale(Scalar<T> x, Scalar<T> n) {
  return Scalar<T>::of(std::ldexp(x.v, static_cast<int>(n.v == n.v ? n.v : 0)));
}
template <class T, class F, class... X>
Scalar<T> patch(bool mask, Scalar<T> y, F f, X... x) {
  return mask ? Scalar<T>::of(f(double{x.v}...)) : y;
}
template <int quarters, class V>
V sine_of(V x);
template <int quarters>
Scalar<float> patch_sine(bool mask, Scalar<float> y, Scalar<float> x) {
  return mask ? Scalar<float>::of(sine_of<quarters>(Scalar<double>::of(x.v)).v) : y;
}

template <class T>
using Lane = Scalar<T>;

#else

// ---- A vector of floats

template <class D>
struct Mask {
  hn::Mask<D> m;
};
template <class D>
HWY_INLINE Mask<D> operator&(Mask<D> a, Mask<D> b) {
  return {hn::And(a.m, b.m)};
}
template <class D>
HWY_INLINE Mask<D> operator|(Mask<D> a, Mask<D> b) {
  return {hn::Or(a.m, b.m)};
}
template <class D>
HWY_INLINE Mask<D> operator!(Mask<D> a) {
  return {hn::Not(a.m)};
}

template <class T, class D = hn::ScalableTag<T>>
struct Lane {
  using Element = T;
  using Memory = T;
  static constexpr int64_t kLanes = hn::MaxLanes(D());
  hn::Vec<D> v;

  Lane() = default;
  HWY_INLINE explicit Lane(double c) : v(hn::Set(D(), static_cast<T>(c))) {}
  static HWY_INLINE Lane of(hn::Vec<D> v) {
    Lane lane;
    lane.v = v;
    return lane;
  }
  static HWY_INLINE Lane of(T value) { return of(hn::Set(D(), value)); }
  static HWY_INLINE Lane load(const T* p) { return of(hn::LoadU(D(), p)); }
  HWY_INLINE void store(T* p) const { hn::StoreU(v, D(), p); }
  // The first n lanes; loaded, the others are `rest`.
  static HWY_INLINE Lane load_first(int64_t n, const T* p, Lane rest) {
    const auto first = hn::FirstN(D(), static_cast<size_t>(n));
    return of(hn::IfThenElse(first, hn::MaskedLoad(first, D(), p), rest.v));
  }
  HWY_INLINE void store_first(int64_t n, T* p) const {
    hn::BlendedStore(v, hn::FirstN(D(), static_cast<size_t>(n)), D(), p);
  }
};

template <class T, class D>
HWY_INLINE Lane<T, D> operator+(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Add(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> operator-(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Sub(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> operator*(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Mul(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> operator/(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Div(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> operator-(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Neg(a.v));
}
template <class T, class D>
HWY_INLINE Mask<D> operator<(Lane<T, D> a, Lane<T, D> b) {
  return {hn::Lt(a.v, b.v)};
}
template <class T, class D>
HWY_INLINE Mask<D> operator<=(Lane<T, D> a, Lane<T, D> b) {
  return {hn::Le(a.v, b.v)};
}
template <class T, class D>
HWY_INLINE Mask<D> operator==(Lane<T, D> a, Lane<T, D> b) {
  return {hn::Eq(a.v, b.v)};
}
// Ne is false where either is NaN.
template <class T, class D>
HWY_INLINE Mask<D> operator!=(Lane<T, D> a, Lane<T, D> b) {
  return {hn::Not(hn::Eq(a.v, b.v))};
}
template <class T, class D>
HWY_INLINE Lane<T, D> select(Mask<D> mask, Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::IfThenElse(mask.m, a.v, b.v));
}
// The instructions behind Min and Max return the second operand where either is NaN.
template <class T, class D>
HWY_INLINE Lane<T, D> lesser(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Min(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> greater(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::Max(a.v, b.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> abs(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Abs(a.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> fma(Lane<T, D> a, Lane<T, D> b, Lane<T, D> c) {
  return Lane<T, D>::of(hn::MulAdd(a.v, b.v, c.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> sqrt(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Sqrt(a.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> floor(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Floor(a.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> ceil(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Ceil(a.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> round(Lane<T, D> a) {
  return Lane<T, D>::of(hn::Round(a.v));
}
template <class T, class D>
HWY_INLINE Lane<T, D> copysign(Lane<T, D> a, Lane<T, D> b) {
  return Lane<T, D>::of(hn::CopySign(a.v, b.v));
}

template <class T, class D>
HWY_INLINE Lane<T, D> exponent(Lane<T, D> x) {
  // The exponent's bits, put into the mantissa of 2^kMantissaBits, are added to it.
  const hn::RebindToUnsigned<D> bits;
  const Lane<T, D> end(static_cast<double>(uint64_t{1} << Format<T>::kMantissaBits));
  const auto e = hn::ShiftRight<Format<T>::kMantissaBits>(hn::BitCast(bits, x.v));
  const auto sum = Lane<T, D>::of(hn::BitCast(D(), hn::Or(e, hn::BitCast(bits, end.v))));
  return sum - (end + Lane<T, D>(Format<T>::kBias));
}
template <class T, class D>
HWY_INLINE Lane<T, D> mantissa(Lane<T, D> x) {
  const hn::RebindToUnsigned<D> bits;
  const auto m = hn::And(hn::BitCast(bits, x.v), hn::Set(bits, Format<T>::kMantissa));
  return Lane<T, D>::of(hn::BitCast(D(), hn::Or(m, hn::BitCast(bits, Lane<T, D>(1).v))));
}
// 2^n within the normal range.
template <class T, class D>
HWY_INLINE Lane<T, D> power_of_two(Lane<T, D> n) {
  // Adding 1.5 * 2^kMantissaBits leaves n + bias in the low bits, which become the exponent.
  const hn::RebindToUnsigned<D> bits;
  const double end = 1.5 * static_cast<double>(uint64_t{1} << Format<T>::kMantissaBits);
  const auto biased = (n + Lane<T, D>(end + Format<T>::kBias)).v;
  return Lane<T, D>::of(
      hn::BitCast(D(), hn::ShiftLeft<Format<T>::kMantissaBits>(hn::BitCast(bits, biased))));
}
template <class T, class D>
HWY_INLINE Lane<T, D> scale(Lane<T, D> x, Lane<T, D> n) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (Lane<T, D>::kLanes * sizeof(T) == 64) {
    if constexpr (sizeof(T) == 4) return Lane<T, D>::of({_mm512_scalef_ps(x.v.raw, n.v.raw)});
    if constexpr (sizeof(T) == 8) return Lane<T, D>::of({_mm512_scalef_pd(x.v.raw, n.v.raw)});
  }
#endif
  const Lane<T, D> half = floor(n * Lane<T, D>(0.5));
  return x * power_of_two(half) * power_of_two(n - half);
}

template <class T, class F, class... X>
HWY_NOINLINE void patch_lanes(const T* mask, T* y, int64_t n, F f, const X*... x) {
  for (int64_t i = 0; i < n; ++i) {
    if (mask[i] != 0) y[i] = static_cast<T>(f(double{x[i]}...));
  }
}
template <class V>
struct Spilled {
  typename V::Element lanes[V::kLanes];
  HWY_INLINE explicit Spilled(V v) { v.store(lanes); }
};
template <class T, class D, class F, class... X>
HWY_INLINE Lane<T, D> patch(Mask<D> mask, Lane<T, D> y, F f, X... x) {
  if (HWY_LIKELY(hn::AllFalse(D(), mask.m))) return y;
  Spilled<Lane<T, D>> result(y);
  patch_lanes(Spilled(select(mask, Lane<T, D>(1), Lane<T, D>(0))).lanes, result.lanes,
              Lane<T, D>::kLanes, f, Spilled(x).lanes...);
  return Lane<T, D>::load(result.lanes);
}

template <int quarters, class V>
V sine_of(V x);
// x = sin(x + quarters pi / 2), in f64.
template <int quarters>
HWY_NOINLINE void sine_of_lanes(float* x) {
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  for (int64_t i = 0; i < Lane<float>::kLanes; i += Lane<double>::kLanes) {
    const auto t = Lane<double>::of(hn::PromoteTo(wide, hn::LoadU(narrow, x + i)));
    hn::StoreU(hn::DemoteTo(narrow, sine_of<quarters>(t).v), narrow, x + i);
  }
}
template <int quarters, class D>
HWY_INLINE Lane<float, D> patch_sine(Mask<D> mask, Lane<float, D> y, Lane<float, D> x) {
  if (HWY_LIKELY(hn::AllFalse(D(), mask.m))) return y;
  Spilled<Lane<float, D>> result(x);
  sine_of_lanes<quarters>(result.lanes);
  return select(mask, Lane<float, D>::load(result.lanes), y);
}

#endif

#include "ops/lanes.h"

#define GLIA_INLINE HWY_INLINE
#include "ops/elementwise_functors.h"
#undef GLIA_INLINE

// f(0), f(1), ... with constants: loops would keep an array of lanes from living in registers.
template <class F, int... kIndex>
HWY_INLINE void repeat(std::integer_sequence<int, kIndex...>, F f) {
  (f(std::integral_constant<int, kIndex>()), ...);
}
template <int kCount, class F>
HWY_INLINE void repeat(F f) {
  repeat(std::make_integer_sequence<int, kCount>(), f);
}

// f(i) for i < n, in blocks that the compiler vectorises; f has no dependence between elements.
template <class F>
HWY_INLINE void for_each(int64_t n, F f) {
  constexpr int64_t kBlock = 64;
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
#pragma GCC ivdep
    for (int64_t j = 0; j < kBlock; ++j) f(i + j);
  }
  for (; i < n; ++i) f(i);
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
