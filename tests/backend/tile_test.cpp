// Every kernel, at every level that this processor has, against references in wider arithmetic.
#include "backend/cpu/simd/tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/with_dtype.h"
#include "glia/error.h"

namespace glia::cpu {
namespace {

using Wide = long double;
using Integer = __int128;

constexpr DType kAll[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};

enum class Types { Float, Number, Integral, Any };
struct Domain {
  Types types;
  double low, high;
};
struct Operation {
  const char* name;
  Code code;
  Domain domain;
  int inputs;
  bool compares;
};
const Operation kOperations[] = {
#define DOMAIN(types, low, high) \
  Domain { Types::types, low, high }
#define UNARY(code, function, domain, ...) {#code, Code::code, domain, 1, false},
#define BINARY(code, function, domain, ...) {#code, Code::code, domain, 2, false},
#define COMPARE(code, function, domain, ...) {#code, Code::code, domain, 2, true},
#include "ops/elementwise_table.h"
#undef DOMAIN
#undef UNARY
#undef BINARY
#undef COMPARE
};

bool defined_on(Types types, DType t) {
  switch (types) {
    case Types::Float:
      return is_float(t);
    case Types::Number:
      return t != kBool;
    case Types::Integral:
      return !is_float(t);
    case Types::Any:
      return true;
  }
  return false;
}

// Runs the test at each level.
class TileTest : public testing::Test {
 protected:
  static void at_each_level(const std::function<void()>& test) {
    for (const char* name : {"baseline", "avx2", "avx512"}) {
      if (!set_level_for_test(name)) continue;
      SCOPED_TRACE(name);
      test();
    }
  }
};

// ---- References

Wide python_remainder(Wide a, Wide b) {
  const Wide r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

Wide python_quotient(Wide a, Wide b) {
  if (b == 0) return a / b;
  if (!std::isfinite(a)) return NAN;  // as its remainder
  if (std::isinf(b)) return a == 0 || (a < 0) == (b < 0) ? 0 : -1;
  const Wide r = python_remainder(a, b);
  return std::round((a - r) / b);
}

Wide reference(Code code, Wide a, Wide b) {
  switch (code) {
    case Code::kNeg:
      return -a;
    case Code::kAbs:
      return std::fabs(a);
    case Code::kSign:
      return a > 0 ? 1 : a < 0 ? -1 : a;
    case Code::kSquare:
      return a * a;
    case Code::kReciprocal:
      return 1 / a;
    case Code::kSqrt:
      return std::sqrt(a);
    case Code::kRsqrt:
      return 1 / std::sqrt(a);
    case Code::kExp:
      return std::exp(a);
    case Code::kExpm1:
      return std::expm1(a);
    case Code::kLog:
      return std::log(a);
    case Code::kLog1p:
      return std::log1p(a);
    case Code::kSin:
      return std::sin(a);
    case Code::kCos:
      return std::cos(a);
    case Code::kTanh:
      return std::tanh(a);
    case Code::kErf:
      return std::erf(a);
    case Code::kSigmoid:
      return 1 / (1 + std::exp(-a));
    case Code::kRelu:
      return a < 0 ? 0 : a;
    case Code::kFloor:
      return std::floor(a);
    case Code::kCeil:
      return std::ceil(a);
    case Code::kRound:
      return std::nearbyint(a);
    case Code::kAdd:
      return a + b;
    case Code::kSub:
      return a - b;
    case Code::kMul:
      return a * b;
    case Code::kDiv:
      return a / b;
    case Code::kPow:
      return std::pow(a, b);
    case Code::kMaximum:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case Code::kMinimum:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case Code::kAtan2:
      return std::atan2(a, b);
    case Code::kFloorDivide:
      return python_quotient(a, b);
    case Code::kRemainder:
      return python_remainder(a, b);
    case Code::kLess:
      return a < b;
    case Code::kLessEqual:
      return a <= b;
    case Code::kEqual:
      return a == b;
    case Code::kNotEqual:
      return a != b;
    default:
      ADD_FAILURE() << "no reference for code " << static_cast<int>(code);
  }
  return 0;
}

Integer floor_quotient(Integer a, Integer b) {
  if (b == 0) return 0;
  const Integer q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

Integer integer_power(Integer a, Integer b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
  unsigned __int128 power = 1, square = static_cast<unsigned __int128>(a);
  for (; b > 0; b /= 2, square *= square) {
    if (b % 2 != 0) power *= square;
  }
  return static_cast<Integer>(power);
}

// Before wrapping.
Integer reference(Code code, Integer a, Integer b, bool logical) {
  switch (code) {
    case Code::kNeg:
      return -a;
    case Code::kAbs:
      return a < 0 ? -a : a;
    case Code::kSign:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Code::kSquare:
      return a * a;
    case Code::kRelu:
      return a > 0 ? a : 0;
    case Code::kBitNot:
      return logical ? !a : ~a;
    case Code::kAdd:
      return a + b;
    case Code::kSub:
      return a - b;
    case Code::kMul:
      return a * b;
    case Code::kMaximum:
      return std::max(a, b);
    case Code::kMinimum:
      return std::min(a, b);
    case Code::kPow:
      return integer_power(a, b);
    case Code::kFloorDivide:
      return floor_quotient(a, b);
    case Code::kRemainder:
      return b == 0 ? 0 : a - b * floor_quotient(a, b);
    case Code::kBitAnd:
      return a & b;
    case Code::kBitOr:
      return a | b;
    case Code::kBitXor:
      return a ^ b;
    case Code::kLess:
      return a < b;
    case Code::kLessEqual:
      return a <= b;
    case Code::kEqual:
      return a == b;
    case Code::kNotEqual:
      return a != b;
    default:
      ADD_FAILURE() << "no reference for code " << static_cast<int>(code);
  }
  return 0;
}

// Largest error in units of the last place; 0.5 is a correct rounding.
double allowed_ulp(Code code, DType t) {
  if (t != kF32 && t != kF64) return 0.51;  // computed in f32: nearly always rounded correctly
  switch (code) {
    case Code::kExp:
    case Code::kExpm1:
    case Code::kLog:
    case Code::kLog1p:
    case Code::kSin:
    case Code::kCos:
    case Code::kAtan2:
      return t == kF32 ? 2 : 4;
    case Code::kTanh:
    case Code::kErf:
    case Code::kSigmoid:
      return t == kF32 ? 3 : 4;
    case Code::kPow:
      return 4;
    case Code::kRsqrt:
      return 1.5;
    case Code::kFloorDivide:
      return 1;  // where the quotient is beyond exact integers
    default:
      return 0.501;
  }
}

template <class T>
struct Format {
  static constexpr int kDigits = std::numeric_limits<T>::digits;
  static constexpr int kLowest = std::numeric_limits<T>::min_exponent;
  static constexpr int kHighest = std::numeric_limits<T>::max_exponent;
};
template <>
struct Format<float16> {
  static constexpr int kDigits = 11, kLowest = -13, kHighest = 16;
};
template <>
struct Format<bfloat16> {
  static constexpr int kDigits = 8, kLowest = -125, kHighest = 128;
};

// Of got, in units of the last place of the exact value; 0 where both are the same NaN or infinity.
template <class T>
double ulp_error(T got_value, Wide exact) {
  const Wide got = static_cast<double>(got_value);
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : 1e30;
  const Wide end = std::ldexp(Wide{1}, Format<T>::kHighest);
  if (std::isinf(exact)) return got == exact ? 0 : 1e30;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const Wide unit =
      std::ldexp(Wide{1}, std::max(exponent, Format<T>::kLowest) - Format<T>::kDigits);
  const Wide reached = std::isinf(got) ? std::copysign(end, got) : got;
  if (std::isinf(got) && std::fabs(exact) >= end)
    return std::signbit(got) == std::signbit(exact) ? 0 : 1e30;
  return static_cast<double>(std::fabs(reached - exact) / unit);
}

template <class T>
std::string text(T value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.17g (%a)", static_cast<double>(value),
                static_cast<double>(value));
  return buffer;
}

// ---- Values

template <class T>
constexpr bool kIsFloat = !std::is_integral_v<T>;

template <class T>
std::vector<T> specials() {
  std::vector<T> values;
  if constexpr (kIsFloat<T>) {
    const double inf = INFINITY, nan = NAN;
    for (double v : {0.0,
                     0.5,
                     1.0,
                     1.5,
                     2.0,
                     2.5,
                     3.0,
                     0.49999997,
                     0.3,
                     7.0,
                     10.0,
                     20.0,
                     88.0,
                     104.0,
                     709.0,
                     746.0,
                     1e-5,
                     1e5,
                     8388607.5,
                     1e10,
                     1e30,
                     1e-30,
                     1e-38,
                     1e-40,
                     1e-45,
                     1e-300,
                     1e-310,
                     5e-324,
                     1e300,
                     65504.0,
                     6e-8,
                     6e-5,
                     3.4028234663852886e38,
                     1.7976931348623157e308,
                     inf,
                     nan}) {
      values.push_back(static_cast<T>(static_cast<double>(v)));
      values.push_back(static_cast<T>(-v));
    }
  } else {
    using Limits = std::numeric_limits<T>;
    for (Integer v : {Integer{0}, Integer{1}, Integer{2}, Integer{3}, Integer{7}, Integer{-1},
                      Integer{-2}, Integer{-7}, Integer{Limits::min()}, Integer{Limits::max()},
                      Integer{Limits::max()} - 1, Integer{Limits::min()} + 1}) {
      values.push_back(static_cast<T>(v));
    }
  }
  return values;
}
template <>
std::vector<float16> specials() {
  std::vector<float16> values;
  for (float v : specials<float>()) values.push_back(float16(v));
  return values;
}
template <>
std::vector<bfloat16> specials() {
  std::vector<bfloat16> values;
  for (float v : specials<float>()) values.push_back(bfloat16(v));
  return values;
}

// Pairs: all of the special values, then random ones near the domain, then of any size.
template <class T>
void make_inputs(const Domain& domain, int64_t random, std::vector<T>* a, std::vector<T>* b) {
  for (T x : specials<T>()) {
    for (T y : specials<T>()) {
      a->push_back(x);
      b->push_back(y);
    }
  }
  std::mt19937_64 bits(7);
  std::uniform_real_distribution<double> near(domain.low, domain.high), power(-40, 40);
  const auto value = [&](int64_t i) {
    if constexpr (kIsFloat<T>) {
      const double v = i % 4 == 3 ? std::exp2(power(bits)) * (bits() % 2 ? 1 : -1) : near(bits);
      if constexpr (sizeof(T) == 2) return T(static_cast<float>(v));
      if constexpr (sizeof(T) > 2) return static_cast<T>(v);
    } else {
      return static_cast<T>(i % 2 ? bits() : bits() % 19 - 9);
    }
  };
  for (int64_t i = 0; i < random; ++i) {
    a->push_back(value(i));
    b->push_back(value(i / 2));
  }
}

template <class T>
void check_values(const Operation& op, DType dtype) {
  std::vector<T> a, b;
  make_inputs<T>(op.domain, 20000, &a, &b);
  const int64_t n = static_cast<int64_t>(a.size());
  std::vector<T> out(n);
  std::vector<uint8_t> truth(n);
  std::vector<uint8_t> bool_a, bool_b;
  void* result = op.compares ? static_cast<void*>(truth.data()) : nullptr;
  if constexpr (std::is_same_v<T, bool>) {
    bool_a.assign(a.begin(), a.end());
    bool_b.assign(b.begin(), b.end());
    tile_function(op.code, dtype)(truth.data(), bool_a.data(), bool_b.data(), nullptr, n);
    result = truth.data();
  } else {
    if (!result) result = out.data();
    tile_function(op.code, dtype)(result, a.data(), b.data(), nullptr, n);
  }
  double worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<T, bool>) {
      ASSERT_EQ(static_cast<int>(reference(op.code, a[i], b[i], true)), truth[i]) << a[i] << b[i];
    } else if constexpr (std::is_integral_v<T>) {
      const Integer expected = reference(op.code, Integer{a[i]}, Integer{b[i]}, false);
      if (op.compares) {
        ASSERT_EQ(static_cast<int>(expected), truth[i]);
      } else {
        ASSERT_EQ(static_cast<T>(expected), out[i]) << +a[i] << ", " << +b[i];
      }
    } else {
      const Wide x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
      const Wide exact = reference(op.code, x, y);
      if (op.compares) {
        ASSERT_EQ(static_cast<int>(exact), truth[i]);
        continue;
      }
      // Below the normal numbers, a result may be flushed to zero.
      const Wide smallest = std::ldexp(Wide{1}, Format<T>::kLowest - 1);
      const Wide got = static_cast<double>(out[i]);
      if (std::fabs(exact) < smallest && std::fabs(got) <= smallest) continue;
      const double error = ulp_error(out[i], exact);
      if (error > worst) {
        worst = error;
        at = i;
      }
    }
  }
  EXPECT_LE(worst, allowed_ulp(op.code, dtype))
      << "of " << text(a[at]) << ", " << text(b[at]) << ": " << text(out[at]) << ", not "
      << text(reference(op.code, Wide{static_cast<double>(a[at])},
                        Wide{static_cast<double>(b[at])}));
}

TEST_F(TileTest, ValuesAgreeWithWiderArithmetic) {
  at_each_level([] {
    for (const Operation& op : kOperations) {
      for (DType t : kAll) {
        SCOPED_TRACE(std::string(op.name) + " " + name(t));
        ASSERT_EQ(defined_on(op.domain.types, t), tile_function(op.code, t) != nullptr);
        if (!defined_on(op.domain.types, t)) continue;
        with_dtype(t, [&](auto zero) { check_values<decltype(zero)>(op, t); });
      }
    }
  });
}

// ---- Length, place and aliasing

// Fills n elements with bytes that are valid for any dtype.
std::vector<uint8_t> any_values(DType t, int64_t n, uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<uint8_t> bytes(n * size_of(t));
  for (int64_t i = 0; i < n; ++i) {
    const double value = t == kBool ? bits() % 2 : static_cast<int64_t>(bits() % 41) / 4.0 - 3;
    cast_function(kF64, t)(bytes.data() + i * size_of(t), &value, nullptr, nullptr, 1);
  }
  return bytes;
}

struct Call {
  TileFunction run;
  DType a, b, out;  // b is also c's
  int inputs;
};

std::vector<Call> every_call() {
  std::vector<Call> calls;
  for (DType t : kAll) {
    for (const Operation& op : kOperations) {
      if (!defined_on(op.domain.types, t)) continue;
      calls.push_back({tile_function(op.code, t), t, t, op.compares ? kBool : t, op.inputs});
    }
    calls.push_back({tile_function(Code::kWhere, t), kBool, t, t, 3});
    for (DType to : kAll) calls.push_back({cast_function(t, to), t, t, to, 1});
  }
  return calls;
}

// Each operand and the result end where their memory does, so that a sanitizer sees an overrun.
std::vector<uint8_t> run_on_part(const Call& call, const std::vector<uint8_t>* inputs, int64_t from,
                                 int64_t n) {
  const auto part = [&](int i, DType t) {
    const uint8_t* first = inputs[i].data() + from * size_of(t);
    return std::vector<uint8_t>(first, first + n * size_of(t));
  };
  const std::vector<uint8_t> a = part(0, call.a), b = part(1, call.b), c = part(2, call.b);
  constexpr size_t kGuard = 64;
  std::vector<uint8_t> out(kGuard + n * size_of(call.out) + kGuard, 0xab);
  call.run(out.data() + kGuard, a.data(), call.inputs > 1 ? b.data() : nullptr,
           call.inputs > 2 ? c.data() : nullptr, n);
  const auto untouched = [](uint8_t byte) { return byte == 0xab; };
  EXPECT_TRUE(std::all_of(out.begin(), out.begin() + kGuard, untouched));
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), untouched));
  return {out.begin() + kGuard, out.end() - kGuard};
}

TEST_F(TileTest, ResultsDependOnNeitherLengthNorPlace) {
  constexpr int64_t kMost = 71;
  at_each_level([] {
    for (const Call& call : every_call()) {
      const std::vector<uint8_t> inputs[] = {
          any_values(call.a, kMost, 1), any_values(call.b, kMost, 2), any_values(call.b, kMost, 3)};
      const std::vector<uint8_t> all = run_on_part(call, inputs, 0, kMost);
      for (int64_t n = 0; n < kMost; ++n) {
        const int64_t from = n % 2 == 0 ? 0 : kMost - n;
        const auto first = all.begin() + from * size_of(call.out);
        ASSERT_EQ(std::vector<uint8_t>(first, first + n * size_of(call.out)),
                  run_on_part(call, inputs, from, n))
            << "n = " << n << " " << name(call.a) << " to " << name(call.out);
      }
    }
  });
}

TEST_F(TileTest, OutputMayBeAnInput) {
  constexpr int64_t kMost = 333;
  at_each_level([] {
    for (const Call& call : every_call()) {
      const std::vector<uint8_t> inputs[] = {
          any_values(call.a, kMost, 1), any_values(call.b, kMost, 2), any_values(call.b, kMost, 3)};
      const std::vector<uint8_t> expected = run_on_part(call, inputs, 0, kMost);
      for (int shared = 0; shared < call.inputs; ++shared) {
        if (size_of(shared == 0 ? call.a : call.b) != size_of(call.out)) continue;
        std::vector<uint8_t> memory[] = {inputs[0], inputs[1], inputs[2]};
        call.run(memory[shared].data(), memory[0].data(),
                 call.inputs > 1 ? memory[1].data() : nullptr,
                 call.inputs > 2 ? memory[2].data() : nullptr, kMost);
        ASSERT_EQ(expected, memory[shared]) << name(call.a) << " to " << name(call.out);
      }
    }
  });
}

// ---- Where and conversions

TEST_F(TileTest, WhereChooses) {
  at_each_level([] {
    for (DType t : kAll) {
      constexpr int64_t kCount = 200;
      const std::vector<uint8_t> condition = any_values(kBool, kCount, 1);
      const std::vector<uint8_t> a = any_values(t, kCount, 2), b = any_values(t, kCount, 3);
      std::vector<uint8_t> out(a.size());
      tile_function(Code::kWhere, t)(out.data(), condition.data(), a.data(), b.data(), kCount);
      for (size_t i = 0; i < out.size(); ++i) {
        ASSERT_EQ(condition[i / size_of(t)] ? a[i] : b[i], out[i]) << name(t);
      }
    }
  });
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return static_cast<double>(x) != 0;
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (std::isnan(x)) return 0;
    const Wide low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    return static_cast<To>(std::clamp(std::trunc(Wide{x}), low, high));
  } else if constexpr (std::is_integral_v<To> && kIsFloat<From>) {
    return converted<To>(static_cast<float>(x));
  } else if constexpr (sizeof(To) == 2 && kIsFloat<To>) {
    return To(static_cast<float>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void check_cast(DType from, DType to) {
  std::vector<From> values;
  std::vector<From> ignored;
  make_inputs<From>({Types::Any, -300, 300}, 500, &values, &ignored);
  const int64_t n = static_cast<int64_t>(values.size());
  std::unique_ptr<From[]> in(new From[n]);
  std::unique_ptr<To[]> out(new To[n]);
  std::copy(values.begin(), values.end(), in.get());
  cast_function(from, to)(out.get(), in.get(), nullptr, nullptr, n);
  for (int64_t i = 0; i < n; ++i) {
    const To expected = converted<To>(in[i]);
    if constexpr (std::is_integral_v<To>) {
      ASSERT_EQ(expected, out[i]) << +static_cast<double>(in[i]);
    } else {
      const double x = static_cast<double>(expected), y = static_cast<double>(out[i]);
      ASSERT_TRUE(std::isnan(x) ? std::isnan(y) : x == y && std::signbit(x) == std::signbit(y))
          << text(in[i]) << ": " << text(out[i]) << ", not " << text(expected);
    }
  }
}

TEST_F(TileTest, CastsConvert) {
  at_each_level([] {
    for (DType from : kAll) {
      for (DType to : kAll) {
        SCOPED_TRACE(std::string(name(from)) + " to " + name(to));
        with_dtype(from, [&](auto x) {
          with_dtype(to, [&](auto y) { check_cast<decltype(x), decltype(y)>(from, to); });
        });
      }
    }
  });
}

// ---- Reductions

constexpr ReduceCode kReductions[] = {ReduceCode::kSum, ReduceCode::kProd, ReduceCode::kMax,
                                      ReduceCode::kMin};

bool reducible(ReduceCode code, DType t) {
  const bool extreme = code == ReduceCode::kMax || code == ReduceCode::kMin;
  return extreme ? t != kF16 && t != kBF16 : t == kF32 || t == kF64 || t == kI64;
}

// Integers as they wrap, floats in long double.
template <class T>
auto combine(ReduceCode code, T a, T b) {
  const bool nan = a != a || b != b;
  switch (code) {
    case ReduceCode::kSum:
      return a + b;
    case ReduceCode::kProd:
      return a * b;
    case ReduceCode::kMax:
      return nan ? a + b : std::max(a, b);
    case ReduceCode::kMin:
      break;
  }
  return nan ? a + b : std::min(a, b);
}

// Of elements T, reduced in A.
template <class T, class A>
void check_rows(ReduceCode code, DType dtype, int64_t cols, bool with_nan) {
  constexpr int64_t kRows = 5;
  using Exact = std::conditional_t<std::is_floating_point_v<T>, Wide, Integer>;
  std::mt19937_64 bits(cols);
  std::unique_ptr<T[]> x(new T[kRows * cols]);
  std::uniform_real_distribution<double> near(0.5, 1.5);
  for (int64_t i = 0; i < kRows * cols; ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      x[i] = static_cast<T>(near(bits) * (bits() % 2 ? 1 : -1));
    } else {
      x[i] = static_cast<T>(bits());
    }
  }
  if (with_nan) x[cols + cols / 2] = std::numeric_limits<T>::quiet_NaN();
  A y[kRows];
  row_function(code, dtype)(y, x.get(), kRows, cols);
  A none;
  fill_identity(code, accumulated(code, dtype), &none, 1);
  for (int64_t r = 0; r < kRows; ++r) {
    Exact expected = none, magnitude = 0;
    for (int64_t c = 0; c < cols; ++c) {
      expected = combine<Exact>(code, expected, x[r * cols + c]);
      if constexpr (std::is_integral_v<T>) expected = static_cast<T>(expected);
      magnitude += std::abs(static_cast<double>(x[r * cols + c]));
    }
    if constexpr (std::is_integral_v<T>) {
      ASSERT_EQ(static_cast<T>(expected), y[r]);
    } else if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(y[r]));
    } else if (cols == 0) {
      ASSERT_EQ(none, y[r]);
    } else {
      const Wide epsilon = std::numeric_limits<A>::epsilon();
      const Wide error = code == ReduceCode::kSum    ? magnitude * epsilon * 8
                         : code == ReduceCode::kProd ? std::fabs(expected) * epsilon * cols
                                                     : 0;
      ASSERT_LE(std::fabs(y[r] - expected), error) << text(y[r]) << ", not " << text(expected);
    }
    // The order depends on cols alone: not on the row's place or the number of rows.
    A alone;
    row_function(code, dtype)(&alone, x.get() + r * cols, 1, cols);
    ASSERT_EQ(0, std::memcmp(&alone, &y[r], sizeof(A)));
  }
}

// f(zero of the dtype, zero of the accumulated one).
template <class F>
void with_accumulated(ReduceCode code, DType t, F f) {
  with_dtype(t, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_arithmetic_v<T>)
      accumulated(code, t) == t ? f(zero, zero) : f(zero, double());
  });
}

constexpr int64_t kLengths[] = {0,  1,  2,  3,  4,   5,   7,   10,  15,  16,  17,  31,  32,  33,
                                49, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 500, 1000};

TEST_F(TileTest, RowsReduce) {
  at_each_level([] {
    for (ReduceCode code : kReductions) {
      for (DType t : kAll) {
        ASSERT_EQ(reducible(code, t), row_function(code, t) != nullptr);
        ASSERT_EQ(reducible(code, t), column_function(code, t) != nullptr);
        if (!reducible(code, t)) continue;
        with_accumulated(code, t, [&](auto zero, auto wide) {
          using T = decltype(zero);
          using A = decltype(wide);
          for (int64_t cols : kLengths) {
            SCOPED_TRACE(std::string(name(t)) + " reduction " +
                         std::to_string(static_cast<int>(code)) + " of " + std::to_string(cols));
            check_rows<T, A>(code, t, cols, false);
            if (is_float(t) && cols > 0) check_rows<T, A>(code, t, cols, true);
          }
        });
      }
    }
  });
}

TEST_F(TileTest, SumsOfRowsAreTheSameAtEachLevel) {
  std::mt19937 bits(5);
  std::normal_distribution<float> normal;
  for (int64_t cols : kLengths) {
    std::vector<float> x(cols);
    for (float& v : x) v = normal(bits);
    std::vector<double> sums;
    at_each_level([&] {
      sums.emplace_back();
      row_function(ReduceCode::kSum, kF32)(&sums.back(), x.data(), 1, cols);
    });
    for (double sum : sums) EXPECT_EQ(sums[0], sum) << cols;
  }
}

template <class T, class A>
void check_columns(ReduceCode code, DType dtype, int64_t rows, int64_t cols) {
  std::mt19937_64 bits(cols);
  std::unique_ptr<T[]> x(new T[rows * cols]);
  std::unique_ptr<A[]> acc(new A[cols]), expected(new A[cols]);
  for (int64_t i = 0; i < rows * cols; ++i) x[i] = static_cast<T>(bits() % 100 / T(7));
  if (is_float(dtype) && rows * cols > 3) x[3] = std::numeric_limits<T>::quiet_NaN();
  fill_identity(code, accumulated(code, dtype), acc.get(), cols);
  for (int64_t c = 0; c < cols; ++c) {
    using Wrapping = std::conditional_t<std::is_floating_point_v<A>, A, Integer>;
    const auto joined = [&](A a, A b) { return static_cast<A>(combine<Wrapping>(code, a, b)); };
    const auto at = [&](int64_t r) { return static_cast<A>(x[r * cols + c]); };
    const auto pair = [&](int64_t r) { return joined(at(r), at(r + 1)); };
    const auto four = [&](int64_t r) { return joined(pair(r), pair(r + 2)); };
    expected[c] = acc[c];
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) expected[c] = joined(expected[c], joined(four(r), four(r + 4)));
    for (; r < rows; ++r) expected[c] = joined(expected[c], at(r));
  }
  column_function(code, dtype)(acc.get(), x.get(), rows, cols);
  for (int64_t c = 0; c < cols; ++c) {
    if (expected[c] == expected[c]) {
      ASSERT_EQ(expected[c], acc[c]) << "column " << c;
    } else {
      ASSERT_NE(acc[c], acc[c]) << "column " << c;
    }
  }
}

TEST_F(TileTest, ColumnsReducePairwiseInEights) {
  at_each_level([] {
    for (ReduceCode code : kReductions) {
      for (DType t : kAll) {
        if (!reducible(code, t)) continue;
        with_accumulated(code, t, [&](auto zero, auto wide) {
          for (int64_t rows : {0, 1, 7, 8, 9, 30}) {
            for (int64_t cols : {1, 3, 16, 33, 70, 130}) {
              SCOPED_TRACE(std::string(name(t)) + " reduction " +
                           std::to_string(static_cast<int>(code)));
              check_columns<decltype(zero), decltype(wide)>(code, t, rows, cols);
            }
          }
        });
      }
    }
  });
}

TEST_F(TileTest, GroupsReducePairwise) {
  for (int64_t count : {0, 1, 2, 3, 5, 8, 13}) {
    constexpr int64_t kStride = 4;  // of which 3 are wanted
    std::vector<double> groups(static_cast<size_t>(count * kStride));
    std::vector<float> sums(4, -1);
    for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<double>(i);
    reduce_groups(ReduceCode::kSum, kF32, sums.data(), groups.data(), count, 3, kStride);
    for (int64_t c = 0; c < 3; ++c)
      EXPECT_EQ(sums[static_cast<size_t>(c)],
                static_cast<float>(count * c + kStride * count * (count - 1) / 2));
    EXPECT_EQ(sums[3], -1);
  }
}

TEST_F(TileTest, PartsOfRowsAreRoundedOnce) {
  for (int64_t count : {0, 1, 2, 5}) {
    std::vector<double> parts(static_cast<size_t>(3 * count), 0.1);
    std::vector<float> sums(3, -1);
    reduce_parts(ReduceCode::kSum, kF32, sums.data(), parts.data(), 3, count);
    for (float sum : sums) EXPECT_EQ(sum, static_cast<float>(static_cast<double>(count) * 0.1));
  }
}

TEST(Identity, IsTheReductionOfNothing) {
  float f[2];
  fill_identity(ReduceCode::kMax, kF32, f, 2);
  EXPECT_EQ(-INFINITY, f[1]);
  fill_identity(ReduceCode::kMin, kF32, f, 2);
  EXPECT_EQ(INFINITY, f[1]);
  fill_identity(ReduceCode::kProd, kF32, f, 2);
  EXPECT_EQ(1, f[1]);
  int64_t i;
  fill_identity(ReduceCode::kMax, kI64, &i, 1);
  EXPECT_EQ(std::numeric_limits<int64_t>::min(), i);
  fill_identity(ReduceCode::kMin, kI64, &i, 1);
  EXPECT_EQ(std::numeric_limits<int64_t>::max(), i);
  bool b = false;
  fill_identity(ReduceCode::kMin, kBool, &b, 1);
  EXPECT_TRUE(b);
}

// ---- Random numbers

struct Block {
  uint32_t words[4];
};

// Straight from the paper.
Block philox(Block counter, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
    const uint64_t p = uint64_t{0xd2511f53} * counter.words[0];
    const uint64_t q = uint64_t{0xcd9e8d57} * counter.words[2];
    counter = {{static_cast<uint32_t>(q >> 32) ^ counter.words[1] ^ k0, static_cast<uint32_t>(q),
                static_cast<uint32_t>(p >> 32) ^ counter.words[3] ^ k1, static_cast<uint32_t>(p)}};
  }
  return counter;
}

TEST(Philox, ReferenceGivesThePublishedNumbers) {
  const auto expect = [](Block counter, uint32_t k0, uint32_t k1, Block expected) {
    const Block block = philox(counter, k0, k1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(expected.words[i], block.words[i]);
  };
  expect({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  expect({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff,
         {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  expect({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_F(TileTest, UniformIsPhiloxOfThePosition) {
  const uint64_t keys[][2] = {{0, 0}, {0x299f31d0a4093822, 0x0370734413198a2e}};
  at_each_level([&] {
    for (const auto& key : keys) {
      for (int64_t first : {int64_t{0}, int64_t{3}, int64_t{17}, (int64_t{1} << 34) - 5}) {
        for (int64_t n : {0, 1, 2, 7, 255, 256, 1000}) {
          const auto word = [&](int64_t position) {
            const uint64_t block = static_cast<uint64_t>(position) / 4;
            const Block words =
                philox({{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                         static_cast<uint32_t>(key[1]), static_cast<uint32_t>(key[1] >> 32)}},
                       static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[0] >> 32));
            return uint64_t{words.words[position % 4]};
          };
          std::vector<float> f(n);
          std::vector<double> d(n);
          uniform_tile(f.data(), kF32, key, first, n);
          uniform_tile(d.data(), kF64, key, first, n);
          for (int64_t i = 0; i < n; ++i) {
            const int64_t p = first + i;
            ASSERT_EQ(static_cast<float>(word(p) >> 8) * 0x1p-24f, f[i]) << p;
            const uint64_t both = word(2 * p) | word(2 * p + 1) << 32;
            ASSERT_EQ(static_cast<double>(both >> 11) * 0x1p-53, d[i]) << p;
          }
        }
      }
    }
  });
}

// ---- Copies

TEST(Copy, FillsAndFollowsStrides) {
  for (int64_t size : {1, 2, 4, 8}) {
    std::vector<uint8_t> in(40 * size);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i);
    for (int64_t n : {0, 1, 2, 13}) {
      std::vector<uint8_t> filled((n + 1) * size, 0xab);
      fill_tile(filled.data(), in.data() + size, n, size);
      for (int64_t i = 0; i < n * size; ++i) ASSERT_EQ(in[size + i % size], filled[i]);
      for (int64_t i = 0; i < size; ++i) ASSERT_EQ(0xab, filled[n * size + i]);
      for (int64_t in_stride : {-2, 0, 1, 3}) {
        for (int64_t out_stride : {1, 2}) {
          std::vector<uint8_t> out(26 * size, 0xab), expected = out;
          const uint8_t* start = in.data() + (in_stride < 0 ? 39 * size : 0);
          copy_strided(out.data(), out_stride, start, in_stride, n, size);
          for (int64_t i = 0; i < n; ++i) {
            std::memcpy(&expected[i * out_stride * size], start + i * in_stride * size, size);
          }
          ASSERT_EQ(expected, out);
        }
      }
    }
  }
}

// ---- Levels

TEST(LevelDeathTest, EnvironmentCapsTheLevel) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto says = [](const char* wanted) {
    setenv("GLIA_CPU", wanted, 1);
    std::fputs(level(), stderr);
    std::exit(0);
  };
  EXPECT_EXIT(says("baseline"), testing::ExitedWithCode(0), "baseline");
}

TEST(LevelDeathTest, UnknownLevelIsAnError) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto fails = [] {
    setenv("GLIA_CPU", "fast", 1);
    try {
      tile_function(Code::kAdd, kF32);
    } catch (const Error& e) {
      std::fputs(e.what(), stderr);
      std::exit(3);
    }
    std::exit(0);
  };
  EXPECT_EXIT(fails(), testing::ExitedWithCode(3),
              "GLIA_CPU is .fast.; it may be avx512, avx2 or baseline");
}

TEST(Level, OfAnotherProcessorIsRefused) { EXPECT_FALSE(set_level_for_test("neon")); }

}  // namespace
}  // namespace glia::cpu
