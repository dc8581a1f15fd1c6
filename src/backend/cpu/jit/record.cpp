// Operations as instructions: the formulas of ops/lanes.h and the elementwise table, evaluated on
// a type that writes down what is computed instead of computing it.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/jit/body.h"
#include "backend/cpu/simd/tile.h"

namespace glia::cpu::jit {
namespace {

// The body being recorded. Recording is short and touches nothing else.
thread_local Body* body = nullptr;

int emit(Do what, int a, int b = -1, int c = -1, uint32_t bits = 0) {
  return body->add({.what = what, .a = a, .b = b, .c = c, .bits = bits});
}

namespace recorded {

struct Mask {
  int id;
};
inline Mask operator&(Mask a, Mask b) { return {emit(Do::kMaskAnd, a.id, b.id)}; }
inline Mask operator|(Mask a, Mask b) { return {emit(Do::kMaskOr, a.id, b.id)}; }
inline Mask operator!(Mask a) { return {emit(Do::kMaskNot, a.id)}; }

// A vector of f32.
struct Vector {
  using Element = float;
  int id;
  Vector() = default;
  explicit Vector(double c) : id(body->constant(static_cast<float>(c))) {}
  static Vector of(int id) {
    Vector v;
    v.id = id;
    return v;
  }
  static Vector bits(uint32_t b) { return of(body->constant_bits(b)); }
};
constexpr uint32_t kSign = 0x80000000u;

inline Vector operator+(Vector a, Vector b) { return Vector::of(emit(Do::kAdd, a.id, b.id)); }
inline Vector operator-(Vector a, Vector b) { return Vector::of(emit(Do::kSub, a.id, b.id)); }
inline Vector operator*(Vector a, Vector b) { return Vector::of(emit(Do::kMul, a.id, b.id)); }
inline Vector operator/(Vector a, Vector b) { return Vector::of(emit(Do::kDiv, a.id, b.id)); }
inline Vector operator-(Vector a) {
  const Instruction& i = body->code[a.id];
  if (i.what == Do::kConstant) return Vector::bits(i.bits ^ kSign);
  return Vector::of(emit(Do::kXor, a.id, Vector::bits(kSign).id));
}
inline Mask compare(Vector a, Vector b, uint32_t predicate) {
  return {emit(Do::kCompare, a.id, b.id, -1, predicate)};
}
inline Mask operator<(Vector a, Vector b) { return compare(a, b, kFloatLt); }
inline Mask operator<=(Vector a, Vector b) { return compare(a, b, kFloatLe); }
inline Mask operator==(Vector a, Vector b) { return compare(a, b, kFloatEq); }
inline Mask operator!=(Vector a, Vector b) { return compare(a, b, kFloatNe); }
inline Vector select(Mask m, Vector a, Vector b) {
  return Vector::of(emit(Do::kSelect, m.id, a.id, b.id));
}
inline Vector lesser(Vector a, Vector b) { return Vector::of(emit(Do::kMin, a.id, b.id)); }
inline Vector greater(Vector a, Vector b) { return Vector::of(emit(Do::kMax, a.id, b.id)); }
inline Vector both(Vector a, Vector b) { return Vector::of(emit(Do::kAnd, a.id, b.id)); }
inline Vector either(Vector a, Vector b) { return Vector::of(emit(Do::kOr, a.id, b.id)); }
inline Vector abs(Vector a) { return both(a, Vector::bits(~kSign)); }
inline Vector copysign(Vector a, Vector b) { return either(abs(a), both(b, Vector::bits(kSign))); }
inline Vector fma(Vector a, Vector b, Vector c) {
  return Vector::of(emit(Do::kFma, a.id, b.id, c.id));
}
inline Vector sqrt(Vector a) { return Vector::of(emit(Do::kSqrt, a.id)); }
inline Vector rounded(Vector a, uint32_t mode) {
  return Vector::of(emit(Do::kRound, a.id, -1, -1, mode));
}
inline Vector round(Vector a) { return rounded(a, 0); }
inline Vector floor(Vector a) { return rounded(a, 1); }
inline Vector ceil(Vector a) { return rounded(a, 2); }

constexpr uint32_t kMantissaBits = 23;
// As in simd/lane-inl.h: the exponent's bits, put into the mantissa of 2^23, are added to it.
inline Vector exponent(Vector x) {
  const Vector end(8388608.0), e = Vector::of(emit(Do::kShiftRight, x.id, -1, -1, kMantissaBits));
  return either(e, end) - (end + Vector(127));
}
inline Vector mantissa(Vector x) {
  return either(both(x, Vector::bits((1u << kMantissaBits) - 1)), Vector(1));
}
// 2^n within the normal range.
inline Vector power_of_two(Vector n) {
  const Vector biased = n + Vector(1.5 * 8388608.0 + 127);
  return Vector::of(emit(Do::kShiftLeft, biased.id, -1, -1, kMantissaBits));
}
inline Vector scale(Vector x, Vector n) {
  if (body->has_scale) return Vector::of(emit(Do::kScale, x.id, n.id));
  const Vector half = floor(n * Vector(0.5));
  return x * power_of_two(half) * power_of_two(n - half);
}
// A function of one argument is called as one of two.
template <class F, class... X>
Vector patch(Mask mask, Vector y, F f, X... x) {
  Slow slow;
  if constexpr (sizeof...(X) == 2)
    slow = f;
  else
    slow = [](double a, double) { return F()(a); };
  const int ids[] = {x.id...};
  const int patched = body->add({.what = Do::kSlow,
                                 .a = mask.id,
                                 .b = ids[0],
                                 .c = ids[sizeof...(X) - 1],
                                 .slow = reinterpret_cast<uintptr_t>(slow)});
  return select(mask, Vector::of(patched), y);
}
// Bits of floats are no matter of the table.
inline Vector bit_not(Vector a) { return a; }
inline Vector bit_and(Vector a, Vector) { return a; }
inline Vector bit_or(Vector a, Vector) { return a; }
inline Vector bit_xor(Vector a, Vector) { return a; }

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
using recorded::Vector;

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

// 16-bit floats are f32 lanes here.
bool is_lane_float(DType t) { return t == kF32 || t == kBF16 || t == kF16; }

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

int Body::constant(float value) { return constant_bits(std::bit_cast<uint32_t>(value)); }

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
  if (dtype == kI32) return of_lanes<Integer>(code, a, b);
  if (!is_lane_float(dtype)) return unsupported();
  const int result = of_lanes<Vector>(code, a, b);
  return to->is_mask(result) ? result : rounded_to(dtype, result);
}

int append_cast(Body* to, DType from, DType result, int a) {
  const Recording recording(to);
  if (from == result) return a;
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
  const Vector x = Vector::of(a), y = Vector::of(b);
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

bool is_wide(ReduceCode code) { return accumulated(code, kF32) == kF64; }

float identity_of(ReduceCode code) {
  float value;
  fill_identity(code, kF32, &value, 1);
  return value;
}

}  // namespace glia::cpu::jit
