// Reductions and random numbers at every level, against references in wider arithmetic.
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

}  // namespace
}  // namespace glia::cpu
