// Integers and host numbers that do not fit, as NumPy 2 (NEP 50) and PyTorch have it, and how
// sequences end. Expected values are those of NumPy 2.4 unless said.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/with_dtype.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/host.h"

namespace glia::test {
namespace {

constexpr DType kIntegers[] = {kU8, kI8, kI32, kI64};

// The message of what f throws.
template <class E, class F>
std::string thrown(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "nothing";
}
#define EXPECT_MESSAGE(E, part, ...)                                       \
  EXPECT_NE(thrown<E>([&] { __VA_ARGS__; }).find(part), std::string::npos) \
      << thrown<E>([&] { __VA_ARGS__; })

// ---- Comparisons ------------------------------------------------------------------------------

using Compare = Tensor (*)(const Operand&, const Operand&);
struct Relation {
  const char* name;
  Compare compare;
  bool (*holds)(long double, long double);
};
#define RELATION(op)                                                                               \
  {                                                                                                \
#op, [](const Operand& a,                                                                      \
            const Operand& b) { return a op b; },                                                  \
                                               [](long double a, long double b) { return a op b; } \
  }
const Relation kRelations[] = {RELATION(<),  RELATION(<=), RELATION(>),
                               RELATION(>=), RELATION(==), RELATION(!=)};

template <class N>
void compare_all(N number) {
  for (DType dtype : kIntegers) {
    Host h{{5},
           dtype,
           {static_cast<Real>(lowest_of(dtype)), 0, 1, 17, static_cast<Real>(highest_of(dtype))}};
    const Tensor x = upload(h);
    for (const Relation& r : kRelations) {
      for (bool first : {false, true}) {
        const Tensor lazy = first ? r.compare(number, x) : r.compare(x, number);
        EXPECT_EQ(lazy.dtype(), kBool);
        const auto got = lazy.to_vector<bool>();
        for (size_t i = 0; i < h.values.size(); ++i) {
          const auto n = static_cast<long double>(number);
          EXPECT_EQ(got[i], first ? r.holds(n, h.values[i]) : r.holds(h.values[i], n))
              << name(dtype) << " " << text_of(h.values[i]) << " " << r.name << " " << text_of(n)
              << (first ? ", number first" : "");
        }
      }
    }
  }
}

TEST(Numbers, AnIntegerTensorIsComparedWithTheNumberItself) {
  for (int64_t n : {int64_t{-19}, int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{17}, int64_t{255},
                    int64_t{256}, int64_t{127}, int64_t{-129}, int64_t{1} << 31, int64_t{1} << 32,
                    -(int64_t{1} << 31) - 1, INT64_MAX, INT64_MIN, INT64_MAX - 1})
    compare_all(n);
  for (uint64_t n : {uint64_t{17}, uint64_t{INT64_MAX}, uint64_t{1} << 63, UINT64_MAX})
    compare_all(n);
  for (double n : {-1e300, -129.5, -0.5, -0.0, 0.0, 0.5, 1.0, 16.999, 255.5, 256.0, 0x1p31, 0x1p63,
                   -0x1p63, 1e300, double{INFINITY}, -double{INFINITY}, double{NAN}})
    compare_all(n);
  EXPECT_EQ((tensor(16777217) > 16777216.5).item<bool>(), true);
  EXPECT_EQ((tensor(true) == 2).item<bool>(), false);
  EXPECT_EQ((tensor(true) == 1.00000001).item<bool>(), false);
  EXPECT_EQ((tensor({true, false}) < 0.5).to_vector<bool>(), (std::vector<bool>{false, true}));
}

TEST(Numbers, ComparedNumbersAreNoPartOfAPlan) {
  const Tensor x = tensor<uint8_t>({1, 2, 3});
  eval(x == 2);
  const int64_t before = graph_stats().plans_built;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sum(x == i).item(), i >= 1 && i <= 3);
  EXPECT_LE(graph_stats().plans_built - before, 1);
}

// ---- Arithmetic -------------------------------------------------------------------------------

TEST(Numbers, ArithmeticRefusesIntegersThatTheDtypeDoesNotHold) {
  const Tensor u8 = tensor<uint8_t>({250, 3}), i32 = tensor({1, 2}), i64 = tensor<int64_t>({1, 2});
  EXPECT_MESSAGE(ValueError, "add: 1099511627776 does not fit i32", i32 + (int64_t{1} << 40));
  EXPECT_MESSAGE(ValueError, "numbers_test.cpp:", i32 + (int64_t{1} << 40));
  EXPECT_MESSAGE(ValueError, "maximum: -5 does not fit u8", maximum(u8, -5));
  EXPECT_MESSAGE(ValueError, "sub: 300 does not fit u8", 300 - u8);
  EXPECT_MESSAGE(ValueError, "18446744073709551615", i64 * UINT64_MAX);
  EXPECT_THROW(u8 & 256, ValueError);
  EXPECT_THROW(remainder(u8, -3), ValueError);
  EXPECT_THROW(where(u8 == 3, u8, -1), ValueError);
  EXPECT_THROW(clamp(u8, -5, 300), ValueError);
  EXPECT_EQ((u8 + 5).to_vector<int>(), (std::vector<int>{255, 8}));
  EXPECT_EQ((u8 + 6).to_vector<int>(), (std::vector<int>{0, 9}));  // the sum wraps
  EXPECT_EQ((i64 + INT64_MAX).to_vector<int64_t>()[1], INT64_MIN + 1);
  EXPECT_EQ((u8 + 0.5).dtype(), kF32);  // PyTorch's
}

TEST(Numbers, IntegersStayIntegersNextToHostIntegers) {
  const Tensor x = tensor<int64_t>({16777217, -5, (int64_t{1} << 53) + 1});
  EXPECT_EQ(clamp(x, 0, INT64_MAX).to_vector<int64_t>(),
            (std::vector<int64_t>{16777217, 0, (int64_t{1} << 53) + 1}));
  EXPECT_EQ(clamp(x, 0, 5).dtype(), kI64);
  EXPECT_EQ(clamp(x, 0.5, 5.0).dtype(), kF32);  // PyTorch's
  EXPECT_EQ(where(x > 0, x, -1).to_vector<int64_t>(),
            (std::vector<int64_t>{16777217, -1, (int64_t{1} << 53) + 1}));
  EXPECT_EQ(clamp(tensor({1.0f, 5.0f}), tensor({2.0f, 0.0f}), 4).to_vector<float>(),
            (std::vector<float>{2, 4}));
  EXPECT_EQ(pad(x, {{1, 0}}, (int64_t{1} << 53) + 3).to_vector<int64_t>()[0],
            (int64_t{1} << 53) + 3);
  EXPECT_MESSAGE(ValueError, "pad: 256 does not fit u8", pad(ones({2}, kU8), {{1, 0}}, 256));
  EXPECT_THROW(pad(ones({2}, kI32), {{1, 0}}, NAN), ValueError);
}

TEST(Numbers, PowersOfIntegersAreIntegers) {
  const Tensor x = tensor<int64_t>({3, -3, 16777217, 0, 1, -1, 2});
  EXPECT_EQ(pow(x, 2).to_vector<int64_t>(),
            (std::vector<int64_t>{9, 9, 281475010265089, 0, 1, 1, 4}));
  EXPECT_EQ(pow(x, 63).to_vector<int64_t>()[6], INT64_MIN);  // wraps
  EXPECT_EQ(pow(x, 0).to_vector<int64_t>(), (std::vector<int64_t>(7, 1)));
  EXPECT_EQ(pow(2, tensor<int64_t>({0, 1, 62, 64})).to_vector<int64_t>(),
            (std::vector<int64_t>{1, 2, int64_t{1} << 62, 0}));
  // PyTorch's, for tensors of negative exponents.
  EXPECT_EQ(pow(x, tensor<int64_t>(-3)).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 0, 0, 0, 1, -1, 0}));
  EXPECT_MESSAGE(ValueError, "pow: integers have no power of -1", pow(x, -1));
  EXPECT_EQ(pow(x, 0.5).dtype(), kF32);
  // Every dtype and exponent against repeated multiplication, alone and fused with others.
  for (DType dtype : kIntegers) {
    const Host base{{9},
                    dtype,
                    {0, 1, 2, 3, 7, 11, static_cast<Real>(highest_of(dtype)),
                     static_cast<Real>(lowest_of(dtype)), static_cast<Real>(lowest_of(dtype) + 1)}};
    const Tensor b = upload(base);
    Tensor product = cast(ones({9}), dtype);
    for (int e = 0; e < 127; ++e) {
      EXPECT_TRUE(all(pow(b, e) == product).item<bool>()) << name(dtype) << " to the " << e;
      EXPECT_TRUE(all((pow(b, full({9}, e, dtype)) + b) - b == product).item<bool>());
      product = product * b;
    }
  }
}

// ---- Making arrays ----------------------------------------------------------------------------

TEST(Numbers, FullKeepsAllDigitsAndRefusesWhatDoesNotFit) {
  EXPECT_EQ(full({}, (int64_t{1} << 53) + 1, kI64).item<int64_t>(), (int64_t{1} << 53) + 1);
  EXPECT_EQ(full({}, INT64_MIN, kI64).item<int64_t>(), INT64_MIN);
  EXPECT_EQ(full({}, -3.7, kI32).item<int>(), -3);
  EXPECT_EQ(full({}, 255.9, kU8).item<int>(), 255);
  EXPECT_MESSAGE(ValueError, "full: 3000000000 does not fit i32", full({2}, 3e9, kI32));
  EXPECT_MESSAGE(ValueError, "full: nan does not fit i64", full({2}, NAN, kI64));
  EXPECT_THROW(full({2}, 0x1p63, kI64), ValueError);
  EXPECT_EQ(full({}, -0x1p63, kI64).item<int64_t>(), INT64_MIN);
  EXPECT_THROW(full({2}, -1, kU8), ValueError);
  EXPECT_THROW(full({2}, UINT64_MAX, kI64), ValueError);
  EXPECT_EQ(full({}, UINT64_MAX, kF64).item(), 0x1p64);
  EXPECT_TRUE(full({}, 7, kBool).item<bool>());
}

TEST(Numbers, ArangeIsExactBetweenIntegers) {
  const int64_t big = (int64_t{1} << 53) + 1;
  EXPECT_EQ(arange(big, big + 3).to_vector<int64_t>(),
            (std::vector<int64_t>{big, big + 1, big + 2}));
  EXPECT_EQ(arange(INT64_MAX - 2, INT64_MAX).to_vector<int64_t>(),
            (std::vector<int64_t>{INT64_MAX - 2, INT64_MAX - 1}));
  EXPECT_EQ(arange(INT64_MIN, INT64_MAX, INT64_MAX).to_vector<int64_t>(),
            (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX - 1}));
  EXPECT_EQ(arange(3, -2, -2).to_vector<int>(), (std::vector<int>{3, 1, -1}));
  EXPECT_EQ(arange(5, 0).numel(), 0);
  EXPECT_EQ(arange(2.5).to_vector<int>(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(arange(1, 2.6, 0.5, kF64).to_vector<double>(), (std::vector<double>{1, 1.5, 2, 2.5}));
  EXPECT_MESSAGE(ShapeError, "give a floating-point dtype", arange(0, 1, 0.1));
  EXPECT_MESSAGE(ValueError, "arange: 299 does not fit u8", arange(300, kU8));
  EXPECT_THROW(arange(0, 1, 0), ShapeError);
  EXPECT_THROW(arange(0, NAN, 1, kF32), ShapeError);
  EXPECT_THROW(arange(0, INFINITY, 1, kF32), ShapeError);
  EXPECT_THROW(arange(INT64_MIN, INT64_MAX), ShapeError);
  EXPECT_THROW(arange(0, 1, 1e-300, kF64), ShapeError);
}

TEST(Numbers, LinspaceEndsExactly) {
  for (DType dtype : {kF16, kBF16, kF32, kF64}) {
    for (int64_t count : {2, 3, 7, 50, 1000}) {
      const auto x = linspace(0, 1, count, dtype).to_vector<double>();
      EXPECT_EQ(x.front(), 0);
      EXPECT_EQ(x.back(), 1);
    }
  }
  EXPECT_EQ(linspace(0, 99, 50, kI64).to_vector<int>().back(), 99);
  EXPECT_EQ(linspace(-1, 1, 4, kI32).to_vector<int>(), (std::vector<int>{-1, -1, 0, 1}));
  EXPECT_EQ(linspace(3, 9, 1).to_vector<float>(), std::vector<float>{3});
  EXPECT_EQ(linspace(0, 1, 4, kF64).to_vector<double>(),
            (std::vector<double>{0, 0.3333333333333333, 0.6666666666666666, 1}));
  EXPECT_THROW(linspace(0, 300, 5, kU8), ValueError);
  EXPECT_THROW(linspace(0, 1, INT64_MAX), ShapeError);
}

// ---- Reading values ---------------------------------------------------------------------------

TEST(Numbers, ItemRefusesWhatTheTypeDoesNotHold) {
  EXPECT_MESSAGE(ValueError, "item: 300", tensor(300).item<uint8_t>());
  EXPECT_MESSAGE(ValueError, "item: 1099511627776", tensor(int64_t{1} << 40).item<int>());
  EXPECT_MESSAGE(ValueError, "item: nan", tensor(NAN).item<int>());
  EXPECT_THROW(tensor(1e30).item<int64_t>(), ValueError);
  EXPECT_THROW(tensor(-1).item<uint64_t>(), ValueError);
  EXPECT_THROW(tensor(-1).item<unsigned>(), ValueError);
  EXPECT_EQ(tensor(int64_t{INT64_MAX}).item<uint64_t>(), uint64_t{INT64_MAX});
  EXPECT_EQ(tensor(255.9).item<uint8_t>(), 255);
  EXPECT_EQ(tensor(-0.9).item<uint8_t>(), 0);
  EXPECT_EQ(tensor(-3.7f).item<int>(), -3);
  EXPECT_TRUE(tensor(0.5).item<bool>());
  EXPECT_EQ(cast(tensor(70000), kF32).item<int>(), 70000);
  EXPECT_THROW(tensor({1, 300}).to_vector<uint8_t>(), ValueError);
  EXPECT_THROW(tensor({1.0f, NAN}).to_vector<int>(), ValueError);
  EXPECT_EQ(tensor({0.5, 0.0}).to_vector<bool>(), (std::vector<bool>{true, false}));
}

// ---- Assigning --------------------------------------------------------------------------------

TEST(Numbers, AssigningOperatorsKeepShapeAndDtype) {
  Tensor x = tensor({1.0f, 2.0f});
  x += tensor({0.5, 0.25});  // f64: the same kind
  EXPECT_EQ(x.dtype(), kF32);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1.5, 2.25}));
  EXPECT_MESSAGE(ShapeError, "+=: a tensor of shape (2,) cannot become (3, 2)", x += ones({3, 2}));
  EXPECT_MESSAGE(ShapeError, "numbers_test.cpp:", x += ones({3, 2}));
  Tensor i = tensor({1, 2});
  EXPECT_MESSAGE(ShapeError, "*=: a tensor of i32 cannot become f32", i *= 0.5);
  EXPECT_THROW(i /= 2, ShapeError);
  i += tensor<int64_t>({1, 1});
  EXPECT_EQ(i.dtype(), kI32);
  Tensor b = tensor({true, false});
  EXPECT_THROW(b += 1, ShapeError);
  Tensor none;
  EXPECT_THROW(none += 1, ShapeError);
  EXPECT_EQ(i.to_vector<int>(), (std::vector<int>{2, 3}));  // as it was before the errors
}

// ---- Casts and division -----------------------------------------------------------------------

// Where C++ leaves it open: the nearest number, 0 for NaN; everywhere the same.
TEST(Numbers, FloatsThatAnIntegerDoesNotHold) {
  for (DType from : {kF16, kBF16, kF32, kF64}) {
    const Host h{{9}, from, {NAN, INFINITY, -INFINITY, 65504, -65504, 300, -300, -0.9L, 2.9L}};
    Host rounded_h = h;
    for (Real& v : rounded_h.values) v = rounded(v, from);
    const Tensor x = upload(rounded_h);
    for (DType to : kIntegers) {
      std::vector<int64_t> want;
      for (Real v : rounded_h.values) {
        const Real low = lowest_of(to), high = highest_of(to);
        want.push_back(std::isnan(v) ? 0
                       : v <= low    ? lowest_of(to)
                       : v >= high   ? highest_of(to)
                                     : static_cast<int64_t>(v));
      }
      EXPECT_EQ(cast(x, to).to_vector<int64_t>(), want) << name(from) << " to " << name(to);
      EXPECT_EQ(cast(-(-x), to).to_vector<int64_t>(), want) << "fused";
      set_eager(true);
      EXPECT_EQ(cast(x, to).to_vector<int64_t>(), want) << "eager";
      set_eager(false);
    }
  }
}

TEST(Numbers, IntegerDivisionByZeroAndOfTheLowest) {
  for (DType dtype : kIntegers) {
    const Tensor low = full({3}, lowest_of(dtype), dtype), one = ones({3}, dtype);
    EXPECT_EQ(floor_divide(low, one * 0).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0}));
    EXPECT_EQ(remainder(one, one * 0).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0}));
    if (dtype == kU8) continue;
    EXPECT_EQ(floor_divide(low, -one).to_vector<int64_t>()[0], lowest_of(dtype));
    EXPECT_EQ(remainder(low, -one).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0}));
    EXPECT_EQ(abs(low).to_vector<int64_t>()[0], lowest_of(dtype));
  }
}

// ---- Indices ----------------------------------------------------------------------------------

TEST(Numbers, HostIndicesBeyondI64AreOutOfRange) {
  const Tensor x = arange(4);
  EXPECT_THROW(index(x, {UINT64_MAX}), ShapeError);
  EXPECT_THROW(index(x, {INT64_MIN}), ShapeError);
  EXPECT_EQ(index(x, {uint64_t{3}}).item<int>(), 3);
}

// ---- Axes given twice -------------------------------------------------------------------------

TEST(Axes, GivenTwiceAreAnError) {
  const Tensor x = ones({2, 3});
  for (const Axes& axes : {Axes{0, 0}, Axes{1, -1}, Axes{-2, 1, 0}}) {
    EXPECT_MESSAGE(ShapeError, "appears twice", sum(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", prod(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", max(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", min(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", mean(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", var(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", any(x > 0, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", all(x > 0, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", logsumexp(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", flip(x, axes));
    EXPECT_MESSAGE(ShapeError, "appears twice", permute(x, axes));
  }
}

// ---- Random numbers ---------------------------------------------------------------------------

TEST(Numbers, RandomRangesThatAreNone) {
  EXPECT_THROW(uniform({2}, 3, 1), ShapeError);
  EXPECT_THROW(uniform({2}, NAN, 1), ShapeError);
  EXPECT_THROW(uniform({2}, 0, INFINITY), ShapeError);
  EXPECT_THROW(normal({2}, 0, -1), ShapeError);
  EXPECT_EQ(uniform({2}, 3, 3).to_vector<float>(), (std::vector<float>{3, 3}));
}

}  // namespace
}  // namespace glia::test
