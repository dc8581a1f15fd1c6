// Operations as instructions: the formulas of ops/lanes.h and the elementwise table, evaluated on
// a type that writes down what is computed instead of computing it.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/jit/body.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/tile.h"

namespace glia::cpu::jit {
namespace {

// The body being recorded. Recording is short and touches nothing else.
thread_local Body* body = nullptr;

int emit(Do what, int a, int b = -1, int c = -1, uint64_t bits = 0) {
  return body->add({.what = what, .a = a, .b = b, .c = c, .bits = bits});
}

namespace recorded {

struct Mask {
  int id;
};
inline Mask operator&(Mask a, Mask b) { return {emit(Do::kMaskAnd, a.id, b.id)}; }
inline Mask operator|(Mask a, Mask b) { return {emit(Do::kMaskOr, a.id, b.id)}; }
inline Mask operator!(Mask a) { return {emit(Do::kMaskNot, a.id)}; }

// A vector of f32 or f64.
template <class T>
struct Floats {
  using Element = T;
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static constexpr int kMantissaBits = std::numeric_limits<T>::digits - 1;
  static constexpr double kMantissaEnd = static_cast<double>(Bits{1} << kMantissaBits);
  static constexpr int kBias = std::numeric_limits<T>::max_exponent - 1;
  static constexpr Bits kSign = Bits{1} << (8 * sizeof(T) - 1);
  int id;
  Floats() = default;
  explicit Floats(double c) : id(body->constant(c)) {}
  static Floats of(int id) {
    Floats v;
    v.id = id;
    return v;
  }
  static Floats bits(Bits b) { return of(body->constant_bits(b)); }
};

#define BINARY_OPERATION(function, what)              \
  template <class T>                                  \
  Floats<T> function(Floats<T> a, Floats<T> b) {      \
    return Floats<T>::of(emit(Do::what, a.id, b.id)); \
  }
BINARY_OPERATION(operator+, kAdd)
BINARY_OPERATION(operator-, kSub)
BINARY_OPERATION(operator*, kMul)
BINARY_OPERATION(operator/, kDiv)
BINARY_OPERATION(lesser, kMin)
BINARY_OPERATION(greater, kMax)
BINARY_OPERATION(both, kAnd)
BINARY_OPERATION(either, kOr)
#undef BINARY_OPERATION

template <class T>
Floats<T> operator-(Floats<T> a) {
  using V = Floats<T>;
  const Instruction& i = body->code[a.id];
  if (i.what == Do::kConstant) return V::bits(static_cast<typename V::Bits>(i.bits ^ V::kSign));
  return V::of(emit(Do::kXor, a.id, V::bits(V::kSign).id));
}
template <class T>
Mask compare(Floats<T> a, Floats<T> b, uint32_t predicate) {
  return {emit(Do::kCompare, a.id, b.id, -1, predicate)};
}
template <class T>
Mask operator<(Floats<T> a, Floats<T> b) {
  return compare(a, b, kFloatLt);
}
template <class T>
Mask operator<=(Floats<T> a, Floats<T> b) {
  return compare(a, b, kFloatLe);
}
template <class T>
Mask operator==(Floats<T> a, Floats<T> b) {
  return compare(a, b, kFloatEq);
}
template <class T>
Mask operator!=(Floats<T> a, Floats<T> b) {
  return compare(a, b, kFloatNe);
}
template <class T>
Floats<T> select(Mask m, Floats<T> a, Floats<T> b) {
  return Floats<T>::of(emit(Do::kSelect, m.id, a.id, b.id));
}
template <class T>
Floats<T> abs(Floats<T> a) {
  using V = Floats<T>;
  return both(a, V::bits(static_cast<typename V::Bits>(~V::kSign)));
}
template <class T>
Floats<T> copysign(Floats<T> a, Floats<T> b) {
  return either(abs(a), both(b, Floats<T>::bits(Floats<T>::kSign)));
}
template <class T>
Floats<T> fma(Floats<T> a, Floats<T> b, Floats<T> c) {
  return Floats<T>::of(emit(Do::kFma, a.id, b.id, c.id));
}
template <class T>
Floats<T> sqrt(Floats<T> a) {
  return Floats<T>::of(emit(Do::kSqrt, a.id));
}
template <class T>
Floats<T> rounded(Floats<T> a, uint32_t mode) {
  return Floats<T>::of(emit(Do::kRound, a.id, -1, -1, mode));
}
template <class T>
Floats<T> round(Floats<T> a) {
  return rounded(a, 0);
}
template <class T>
Floats<T> floor(Floats<T> a) {
  return rounded(a, 1);
}
template <class T>
Floats<T> ceil(Floats<T> a) {
  return rounded(a, 2);
}

// As in simd/lane-inl.h: the exponent's bits, put into the mantissa of 2^kMantissaBits, are added
// to it.
template <class T>
Floats<T> exponent(Floats<T> x) {
  using V = Floats<T>;
  const V end(V::kMantissaEnd), e = V::of(emit(Do::kShiftRight, x.id, -1, -1, V::kMantissaBits));
  return either(e, end) - (end + V(V::kBias));
}
template <class T>
Floats<T> mantissa(Floats<T> x) {
  using V = Floats<T>;
  const auto bits = static_cast<typename V::Bits>((uint64_t{1} << V::kMantissaBits) - 1);
  return either(both(x, V::bits(bits)), V(1));
}
// 2^n within the normal range.
template <class T>
Floats<T> power_of_two(Floats<T> n) {
  using V = Floats<T>;
  const V biased = n + V(1.5 * V::kMantissaEnd + V::kBias);
  return V::of(emit(Do::kShiftLeft, biased.id, -1, -1, V::kMantissaBits));
}
template <class T>
Floats<T> scale(Floats<T> x, Floats<T> n) {
  if (body->has_scale) return Floats<T>::of(emit(Do::kScale, x.id, n.id));
  const Floats<T> half = floor(n * Floats<T>(0.5));
  return x * power_of_two(half) * power_of_two(n - half);
}
// f of two lanes, or of the first.
template <class T, class F, bool binary>
void slow_lanes(uint32_t lanes, T* x, const T* y) {
  for (; lanes != 0; lanes &= lanes - 1) {
    const int i = std::countr_zero(lanes);
    if constexpr (binary)
      x[i] = static_cast<T>(F()(double{x[i]}, double{y[i]}));
    else
      x[i] = static_cast<T>(F()(double{x[i]}));
  }
}
template <class T>
Floats<T> patch_by(Mask mask, Floats<T> y, Slow<T> slow, Floats<T> a, Floats<T> b) {
  const int patched = body->add({.what = Do::kSlow,
                                 .a = mask.id,
                                 .b = a.id,
                                 .c = b.id,
                                 .slow = reinterpret_cast<uintptr_t>(slow)});
  return select(mask, Floats<T>::of(patched), y);
}
template <class T, class F>
Floats<T> patch(Mask mask, Floats<T> y, F, Floats<T> x) {
  return patch_by<T>(mask, y, slow_lanes<T, F, false>, x, x);
}
template <class T, class F>
Floats<T> patch(Mask mask, Floats<T> y, F, Floats<T> a, Floats<T> b) {
  return patch_by<T>(mask, y, slow_lanes<T, F, true>, a, b);
}
template <int quarters>
Floats<float> patch_sine(Mask mask, Floats<float> y, Floats<float> x) {
  return patch_by<float>(mask, y, sine_function(quarters), x, x);
}
// Bits of floats are no matter of the table.
template <class T>
Floats<T> bit_not(Floats<T> a) {
  return a;
}
template <class T>
Floats<T> bit_and(Floats<T> a, Floats<T>) {
  return a;
}
template <class T>
Floats<T> bit_or(Floats<T> a, Floats<T>) {
  return a;
}
template <class T>
Floats<T> bit_xor(Floats<T> a, Floats<T>) {
  return a;
}

// A vector of i32.
struct Integer {
  using Element = int32_t;
  int id;
  explicit Integer(double c) : id(body->constant_bits(static_cast<uint32_t>(int64_t(c)))) {}
  static Integer of(int id) {
    Integer i(0);
    i.id = id;
    return i;
  }
};
inline Integer integer(Do what, Integer a, Integer b) {
  return Integer::of(emit(what, a.id, b.id));
}
inline Integer operator+(Integer a, Integer b) { return integer(Do::kAddInt, a, b); }
inline Integer operator-(Integer a, Integer b) { return integer(Do::kSubInt, a, b); }
inline Integer operator*(Integer a, Integer b) { return integer(Do::kMulInt, a, b); }
inline Integer operator/(Integer a, Integer) {  // no processor has it
  body->unsupported = true;
  return a;
}
inline Integer operator-(Integer a) { return Integer(0) - a; }
inline Mask compare(Integer a, Integer b, uint32_t predicate) {
  return {emit(Do::kCompareInt, a.id, b.id, -1, predicate)};
}
inline Mask operator<(Integer a, Integer b) { return compare(a, b, kIntLt); }
inline Mask operator<=(Integer a, Integer b) { return compare(a, b, kIntLe); }
inline Mask operator==(Integer a, Integer b) { return compare(a, b, kIntEq); }
inline Mask operator!=(Integer a, Integer b) { return compare(a, b, kIntNe); }
inline Integer select(Mask m, Integer a, Integer b) {
  return Integer::of(emit(Do::kSelect, m.id, a.id, b.id));
}
inline Integer lesser(Integer a, Integer b) { return integer(Do::kMinInt, a, b); }
inline Integer greater(Integer a, Integer b) { return integer(Do::kMaxInt, a, b); }
inline Integer abs(Integer a) { return greater(a, -a); }
inline Integer bit_and(Integer a, Integer b) { return integer(Do::kAnd, a, b); }
inline Integer bit_or(Integer a, Integer b) { return integer(Do::kOr, a, b); }
inline Integer bit_xor(Integer a, Integer b) { return integer(Do::kXor, a, b); }
inline Integer bit_not(Integer a) { return bit_xor(a, Integer(-1)); }

#include "ops/lanes.h"
#define GLIA_INLINE
#include "ops/elementwise_functors.h"
#undef GLIA_INLINE

}  // namespace recorded

int unsupported() {
  body->unsupported = true;
  return body->constant(0);
}

using recorded::Integer;
using Vector = recorded::Floats<float>;
using Double = recorded::Floats<double>;

template <class V, class Operation>
int of_lanes(int a, int b) {
  const V x = V::of(a);
  if constexpr (recorded::defined_on<typename V::Element>(Operation::kTypes)) {
    return Operation::value(x, Operation::kInputs == 2 ? V::of(b) : x).id;
  } else {
    return unsupported();
  }
}

template <class V>
int of_lanes(Code code, int a, int b) {
  switch (code) {
#define GLIA_CASE(code) \
  case Code::code:      \
    return of_lanes<V, recorded::code##_>(a, b);
#define UNARY(code, ...) GLIA_CASE(code)
#define BINARY(code, ...) GLIA_CASE(code)
#define COMPARE(code, ...) GLIA_CASE(code)
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
#undef GLIA_CASE
    default:
      return unsupported();
  }
}

int of_masks(Code code, int a, int b) {
  const auto no = [](int x) { return emit(Do::kMaskNot, x); };
  const auto differ = [&] {
    return emit(Do::kMaskOr, emit(Do::kMaskAnd, a, no(b)), emit(Do::kMaskAnd, b, no(a)));
  };
  switch (code) {
    case Code::kBitNot:
      return no(a);
    case Code::kBitAnd:
    case Code::kMinimum:
      return emit(Do::kMaskAnd, a, b);
    case Code::kBitOr:
    case Code::kMaximum:
      return emit(Do::kMaskOr, a, b);
    case Code::kBitXor:
    case Code::kNotEqual:
      return differ();
    case Code::kEqual:
      return no(differ());
    case Code::kLess:
      return emit(Do::kMaskAnd, b, no(a));
    case Code::kLessEqual:
      return emit(Do::kMaskOr, b, no(a));
    default:
      return unsupported();
  }
}

int where(DType dtype, int mask, int a, int b) {
  if (dtype != kBool) return emit(Do::kSelect, mask, a, b);
  return emit(Do::kMaskOr, emit(Do::kMaskAnd, mask, a),
              emit(Do::kMaskAnd, b, emit(Do::kMaskNot, mask)));
}

// To the nearest bf16, half to even, as f32; NaN stays one.
int rounded_to_bf16(int x) {
  const auto bits = [](uint32_t b) { return body->constant_bits(b); };
  const int odd = emit(Do::kAnd, emit(Do::kShiftRight, x, -1, -1, 16), bits(1));
  const int sum = emit(Do::kAddInt, emit(Do::kAddInt, x, odd), bits(0x7fff));
  const int quiet = emit(Do::kOr, x, bits(0x400000));
  const int nan = emit(Do::kCompare, x, x, -1, kFloatNe);
  return emit(Do::kAnd, emit(Do::kSelect, nan, quiet, sum), bits(0xffff0000u));
}

int rounded_to(DType dtype, int x) {
  if (dtype == kBF16) return rounded_to_bf16(x);
  if (dtype == kF16) return emit(Do::kRoundToHalf, x);
  return x;
}

// In a body of f64.
int cast_of_f64(DType from, DType to, int x) {
  if (from == kBool) return emit(Do::kSelect, x, body->constant(1), body->constant(0));
  if (to == kBool) return emit(Do::kCompare, x, body->constant(0), -1, kFloatNe);
  if (to == kF64) return x;
  return to == kF32 ? emit(Do::kRoundToFloat, x) : unsupported();
}

// Whether a result is an operand or its opposite, or a whole number of no more bits: then it is one
// of its dtype, however short.
bool is_exact(Code code) {
  switch (code) {
    case Code::kNeg:
    case Code::kAbs:
    case Code::kSign:
    case Code::kRelu:
    case Code::kFloor:
    case Code::kCeil:
    case Code::kRound:
    case Code::kTrunc:
    case Code::kCopysign:
    case Code::kMaximum:
    case Code::kMinimum:
      return true;
    default:
      return false;
  }
}

// 16-bit floats are f32 lanes here.
bool is_lane_float(DType t) { return t == kF32 || t == kBF16 || t == kF16; }

template <class V>
int reduction(ReduceCode code, int a, int b) {
  const V x = V::of(a), y = V::of(b);
  switch (code) {
    case ReduceCode::kSum:
      return (x + y).id;
    case ReduceCode::kProd:
      return (x * y).id;
    case ReduceCode::kMax:
      return recorded::max(x, y).id;
    case ReduceCode::kMin:
      break;
  }
  return recorded::min(x, y).id;
}

class Recording {
 public:
  explicit Recording(Body* b) { body = b; }
  ~Recording() { body = nullptr; }
};

}  // namespace

int Body::add(const Instruction& i) {
  if (!is_effect(i.what)) {
    if (const auto found = known_.find(i); found != known_.end()) return found->second;
    known_.emplace(i, static_cast<int>(code.size()));
  }
  code.push_back(i);
  return static_cast<int>(code.size()) - 1;
}

int Body::constant(double value) {
  return constant_bits(f64 ? std::bit_cast<uint64_t>(value)
                           : std::bit_cast<uint32_t>(static_cast<float>(value)));
}

bool Body::is_mask(int value) const {
  const Instruction& i = code[value];
  switch (i.what) {
    case Do::kCompare:
    case Do::kCompareInt:
    case Do::kMaskAnd:
    case Do::kMaskOr:
    case Do::kMaskNot:
      return true;
    case Do::kScalar:
    case Do::kRowSlot:
    case Do::kLoad:
    case Do::kLoadColumn:
      return i.type == kBool;
    default:
      return false;
  }
}

int append(Body* to, Code code, DType dtype, int a, int b, int c) {
  const Recording recording(to);
  if (code == Code::kWhere) return where(dtype, a, b, c);
  if (dtype == kBool) return of_masks(code, a, b);
  if (to->f64) {
    const int result = of_lanes<Double>(code, a, b);
    return dtype == kF64 || to->is_mask(result) ? result : unsupported();
  }
  if (dtype == kI32) return of_lanes<Integer>(code, a, b);
  if (!is_lane_float(dtype)) return unsupported();
  const int result = of_lanes<Vector>(code, a, b);
  return to->is_mask(result) || is_exact(code) ? result : rounded_to(dtype, result);
}

int append_cast(Body* to, DType from, DType result, int a) {
  const Recording recording(to);
  if (from == result) return a;
  if (to->f64) return cast_of_f64(from, result, a);
  if (from == kBool && is_lane_float(result))
    return emit(Do::kSelect, a, to->constant(1), to->constant(0));
  if (from == kBool && result == kI32)
    return emit(Do::kSelect, a, to->constant_bits(1), to->constant_bits(0));
  if (is_lane_float(from) && result == kBool)
    return emit(Do::kCompare, a, to->constant(0), -1, kFloatNe);
  if (is_lane_float(from) && is_lane_float(result)) return rounded_to(result, a);
  if (from == kI32 || from == kU8) {  // both are lanes of i32
    if (is_lane_float(result)) return rounded_to(result, emit(Do::kIntToFloat, a));
    if (result == kBool) return emit(Do::kCompareInt, a, to->constant_bits(0), -1, kIntNe);
    if (result == kI32) return a;
  }
  return unsupported();
}

int append_reduction(Body* to, ReduceCode code, int a, int b) {
  const Recording recording(to);
  return to->f64 ? reduction<Double>(code, a, b) : reduction<Vector>(code, a, b);
}

bool is_wide(ReduceCode code) { return accumulated(code, kF32) == kF64; }

float identity_of(ReduceCode code) {
  float value;
  fill_identity(code, kF32, &value, 1);
  return value;
}

}  // namespace glia::cpu::jit
