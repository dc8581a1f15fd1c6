// Names, promotion and 16-bit floats.
#include "glia/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "glia/error.h"

namespace glia {
namespace {

TEST(DType, HasItsName) {
  EXPECT_STREQ("bool", name(kBool));
  EXPECT_STREQ("u8", name(kU8));
  EXPECT_STREQ("i8", name(kI8));
  EXPECT_STREQ("i32", name(kI32));
  EXPECT_STREQ("i64", name(kI64));
  EXPECT_STREQ("f16", name(kF16));
  EXPECT_STREQ("bf16", name(kBF16));
  EXPECT_STREQ("f32", name(kF32));
  EXPECT_STREQ("f64", name(kF64));
}

TEST(DType, Promotes) {
  EXPECT_EQ(kU8, promote(kBool, kU8));
  EXPECT_EQ(kI32, promote(kU8, kI8));
  EXPECT_EQ(kI32, promote(kI8, kU8));
  EXPECT_EQ(kI64, promote(kI64, kU8));
  EXPECT_EQ(kF16, promote(kI64, kF16));
  EXPECT_EQ(kF32, promote(kF16, kBF16));
  EXPECT_EQ(kF32, promote(kBF16, kF16));
  EXPECT_EQ(kF32, promote(kF32, kBF16));
  EXPECT_EQ(kF64, promote(kF64, kBool));
  for (int a = 0; a < kDTypeCount; ++a) {
    EXPECT_EQ(static_cast<DType>(a), promote(static_cast<DType>(a), static_cast<DType>(a)));
  }
}

// The value of a 16-bit float by its definition.
double value_of(uint16_t bits, int mantissa_bits, int bias) {
  const int exponent_bits = 15 - mantissa_bits;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa ? NAN : sign * INFINITY;
  const int whole = exponent ? mantissa | 1 << mantissa_bits : mantissa;
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - mantissa_bits);
}

template <class Half>
void check_half(int mantissa_bits, int bias) {
  for (uint32_t i = 0; i < 1 << 16; ++i) {
    Half half;
    half.bits = static_cast<uint16_t>(i);
    const double expected = value_of(half.bits, mantissa_bits, bias);
    const float got = half;
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got));
      ASSERT_TRUE(std::isnan(static_cast<float>(Half(got))));
    } else {
      ASSERT_EQ(expected, got);
      ASSERT_EQ(half.bits, Half(got).bits);
    }
  }
  // Any float goes to the nearer of its two neighbours, ties to the even one.
  std::mt19937 bits(1);
  const uint16_t infinity =
      static_cast<uint16_t>(((1 << (15 - mantissa_bits)) - 1) << mantissa_bits);
  for (int i = 0; i < 300000; ++i) {
    const uint32_t word = i % 3 == 0 ? bits() & ~((1u << (22 - mantissa_bits)) - 1) : bits();
    float x;
    std::memcpy(&x, &word, sizeof(x));
    if (std::isnan(x)) continue;
    const Half half(x);
    ASSERT_EQ(std::signbit(x), half.bits >> 15 == 1);
    const uint16_t magnitude = half.bits & 0x7fff;
    const double a = std::fabs(double{x});
    const auto at = [&](int m) {
      // Infinity stands for the number that would follow the largest.
      if (m == infinity) return std::ldexp(1.0, (1 << (15 - mantissa_bits)) - 1 - bias);
      return value_of(static_cast<uint16_t>(m), mantissa_bits, bias);
    };
    const bool even = magnitude % 2 == 0;
    if (magnitude < infinity) {
      const double upper = (at(magnitude) + at(magnitude + 1)) / 2;
      ASSERT_TRUE(even ? a <= upper : a < upper) << x;
    }
    if (magnitude > 0) {
      const double lower = (at(magnitude) + at(magnitude - 1)) / 2;
      ASSERT_TRUE(even ? a >= lower : a > lower) << x;
    }
  }
}

TEST(Half, F16RoundsToNearestEven) { check_half<float16>(10, 15); }
TEST(Half, BF16RoundsToNearestEven) { check_half<bfloat16>(7, 127); }

TEST(Error, SaysWhere) {
  const std::source_location here = std::source_location::current();
  const Error error("shapes differ", here);
  EXPECT_EQ("shapes differ at dtype_test.cpp:" + std::to_string(here.line()), error.what());
  EXPECT_STREQ("plain", ShapeError("plain").what());
}

}  // namespace
}  // namespace glia
