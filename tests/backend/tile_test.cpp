// Every elementwise kernel, at every level that this processor has, against references in wider
// arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/backend/tiles.h"

namespace glia::cpu {
namespace {

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
    case Code::kTrunc:
      return std::trunc(a);
    case Code::kTan:
      return std::tan(a);
    case Code::kAsin:
      return std::asin(a);
    case Code::kAcos:
      return std::acos(a);
    case Code::kAtan:
      return std::atan(a);
    case Code::kSinh:
      return std::sinh(a);
    case Code::kCosh:
      return std::cosh(a);
    case Code::kAsinh:
      return std::asinh(a);
    case Code::kAcosh:
      return std::acosh(a);
    case Code::kAtanh:
      return std::atanh(a);
    case Code::kLog2:
      return std::log2(a);
    case Code::kLog10:
      return std::log10(a);
    case Code::kExp2:
      return std::exp2(a);
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
    case Code::kFmod:
      return std::fmod(a, b);
    case Code::kCopysign:
      return std::copysign(a, b);
    case Code::kHypot:
      return std::hypot(a, b);
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
    case Code::kFmod:
      return b == 0 ? 0 : a % b;
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
    case Code::kAtan:
    case Code::kLog2:
    case Code::kLog10:
    case Code::kExp2:
      return t == kF32 ? 2 : 4;
    case Code::kSinh:
    case Code::kCosh:
    case Code::kAsinh:
    case Code::kAcosh:
    case Code::kAtanh:
    case Code::kTanh:
    case Code::kErf:
    case Code::kSigmoid:
      return t == kF32 ? 3 : 4;
    case Code::kTan:
    case Code::kAsin:
    case Code::kAcos:
    case Code::kPow:
      return 4;
    case Code::kHypot:
      return 2;
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

}  // namespace
}  // namespace glia::cpu
