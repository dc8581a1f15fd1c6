// The kernels of matrix products and convolution alone, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "backend/cpu/matrix.h"
#include "backend/cpu/simd/tile.h"
#include "core/op.h"
#include "glia/runtime.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "tests/support/generator.h"

namespace glia {
namespace {

using cpu::MatmulShape;
using test::Numbers;

template <class F>
decltype(auto) with_type(DType dtype, F&& f) {
  switch (dtype) {
    case kF64:
      return f(double{});
    case kI32:
      return f(int32_t{});
    case kBF16:
      return f(bfloat16{});
    default:
      return f(float{});
  }
}

// Values as a dtype stores them, with their exact doubles beside.
struct Values {
  Values(Numbers& numbers, int64_t n, DType dtype) : exact(n), bytes(n * size_of(dtype)) {
    with_type(dtype, [&]<class T>(T) {
      for (int64_t i = 0; i < n; ++i) {
        const double value = numbers.value() * (dtype == kI32 ? 100 : 1);
        const T stored =
            std::is_same_v<T, bfloat16> ? T(static_cast<float>(value)) : static_cast<T>(value);
        std::memcpy(&bytes[i * sizeof(T)], &stored, sizeof(T));
        exact[i] =
            std::is_same_v<T, bfloat16> ? static_cast<float>(stored) : static_cast<double>(stored);
      }
    });
  }
  const void* data() const { return bytes.data(); }
  std::vector<double> exact;
  std::vector<char> bytes;
};

// What a kernel wrote; starts as NaN so that an element left out shows.
struct Output {
  Output(int64_t n, DType dtype) : bytes(n * size_of(dtype), char(0xff)), n(n), dtype(dtype) {}
  void* data() { return bytes.data(); }
  double operator[](int64_t i) const {
    return with_type(dtype, [&]<class T>(T x) {
      std::memcpy(&x, &bytes[i * sizeof(T)], sizeof(T));
      if constexpr (std::is_same_v<T, bfloat16>)
        return static_cast<double>(static_cast<float>(x));
      else
        return static_cast<double>(x);
    });
  }
  std::vector<char> bytes;
  int64_t n;
  DType dtype;
};

// `terms`: how many products an element sums.
void expect_near(const Output& got, const std::vector<long double>& want, int64_t terms,
                 const std::string& what) {
  ASSERT_EQ(got.n, static_cast<int64_t>(want.size())) << what;
  const double unit = got.dtype == kI32 ? 0 : got.dtype == kF64 ? 2e-15 : 1e-6;
  const double tolerance = unit * (2 + std::sqrt(static_cast<double>(terms)) * 2);
  for (int64_t i = 0; i < got.n; ++i) {
    const auto exact = static_cast<double>(want[i]);
    const double rounding = got.dtype == kBF16 ? std::abs(exact) / 250 : 0;
    ASSERT_NEAR(got[i], exact, tolerance + rounding) << what << ", element " << i;
  }
}

// Runs f(out) with 1, 2 and 4 threads, then from two threads at once: all the same bytes.
template <class F>
Output same_for_all_threads(int64_t n, DType dtype, const std::string& what, F&& f) {
  const int before = num_threads();
  set_num_threads(1);
  Output first(n, dtype);
  f(first.data());
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    Output out(n, dtype);
    f(out.data());
    EXPECT_EQ(out.bytes, first.bytes) << what << " with " << threads << " threads";
  }
  Output a(n, dtype), b(n, dtype);
  std::thread other([&] { f(a.data()); });
  f(b.data());
  other.join();
  EXPECT_EQ(a.bytes, first.bytes) << what << " from another thread";
  EXPECT_EQ(b.bytes, first.bytes) << what << " beside another thread";
  set_num_threads(before);
  return first;
}

std::string describe(const MatmulShape& s, int64_t batch) {
  return std::string(name(s.dtype)) + " " + std::to_string(batch) + " x (" + std::to_string(s.m) +
         ", " + std::to_string(s.k) + ") x (" + std::to_string(s.k) + ", " + std::to_string(s.n) +
         "), strides " + std::to_string(s.a_row) + " " + std::to_string(s.a_col) + " " +
         std::to_string(s.b_row) + " " + std::to_string(s.b_col);
}

// Strides of a (rows, cols) matrix: by rows or by columns, with `gap` unused elements between.
void lay_out(bool transposed, int64_t gap, int64_t rows, int64_t cols, int64_t* row, int64_t* col) {
  *row = transposed ? 1 : cols + gap;
  *col = transposed ? rows + gap : 1;
}

void check_matmul(DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k, bool ta, bool tb,
                  int64_t gap, bool share_b, uint64_t seed) {
  if ((dtype == kF64 || dtype == kI32) && !cpu::has_own(dtype)) return;
  MatmulShape s{.dtype = dtype, .m = m, .n = n, .k = k};
  lay_out(ta, gap, m, k, &s.a_row, &s.a_col);
  lay_out(tb, gap, k, n, &s.b_row, &s.b_col);
  const std::string what = describe(s, batch);
  Numbers numbers(seed);
  const int64_t a_size = (m + gap + 1) * (k + gap + 1), b_size = (n + gap + 1) * (k + gap + 1);
  const Values a(numbers, batch * a_size, dtype), b(numbers, batch * b_size, dtype);
  std::vector<int64_t> a_offsets, b_offsets;
  for (int64_t i = 0; i < batch; ++i) {
    a_offsets.push_back(i * a_size);
    b_offsets.push_back(share_b ? 0 : (batch - 1 - i) * b_size);
  }
  std::vector<long double> want(batch * m * n, 0);  // more than what f64 keeps
  for (int64_t p = 0; p < batch; ++p)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t l = 0; l < k; ++l)
        for (int64_t j = 0; j < n; ++j)
          want[(p * m + i) * n + j] += a.exact[a_offsets[p] + i * s.a_row + l * s.a_col] *
                                       b.exact[b_offsets[p] + l * s.b_row + j * s.b_col];
  const Output got = same_for_all_threads(batch * m * n, dtype, what, [&](void* out) {
    cpu::matmul(s, a_offsets, b_offsets, a.data(), b.data(), out);
  });
  expect_near(got, want, k, what);
}

// Each case by whoever is chosen and by the own kernel, on every instruction set.
class MatrixKernel : public testing::TestWithParam<std::tuple<const char*, cpu::Carrier>> {
 protected:
  void SetUp() override {
    const auto [level, carrier] = GetParam();
    if (!cpu::set_level_for_test(level)) GTEST_SKIP() << "no " << level << " here";
    cpu::set_carrier_for_test(carrier);
  }
  void TearDown() override {
    cpu::set_level_for_test(level_);
    cpu::set_carrier_for_test(cpu::Carrier::kBest);
  }

 private:
  const std::string level_ = cpu::level();
};
class MatmulKernel : public MatrixKernel {};
class ConvKernel : public MatrixKernel {};

const auto kAll = testing::Combine(testing::Values("avx512", "avx2", "baseline"),
                                   testing::Values(cpu::Carrier::kBest, cpu::Carrier::kOwn));
const auto kName = [](const auto& info) {
  return std::string(std::get<0>(info.param)) +
         (std::get<1>(info.param) == cpu::Carrier::kOwn ? "_own" : "_best");
};
INSTANTIATE_TEST_SUITE_P(All, MatmulKernel, kAll, kName);
INSTANTIATE_TEST_SUITE_P(All, ConvKernel, kAll, kName);

TEST_P(MatmulKernel, MatchesNaiveOnRandomShapes) {
  Numbers numbers(1);
  for (int i = 0; i < 150; ++i) {
    const int64_t limit = i % 3 == 0 ? 9 : i % 3 == 1 ? 70 : 190;
    const int64_t m = numbers.size(1, limit), n = numbers.size(1, limit);
    constexpr DType kDTypes[] = {kF32, kF64, kBF16, kF32, kI32};
    check_matmul(kDTypes[i % 5], numbers.size(1, 3), m, n, numbers.size(1, limit),
                 numbers.next() % 2, numbers.next() % 2, numbers.size(0, 2), numbers.next() % 2, i);
  }
}

TEST_P(MatmulKernel, CutsEachWay) {
  for (DType dtype : {kF32, kF64, kI32, kBF16})
    for (bool ta : {false, true})
      for (bool tb : {false, true}) {
        check_matmul(dtype, 1, 300, 200, 90, ta, tb, 0, false, 1);  // blocks of rows and columns
        check_matmul(dtype, 1, 33, 20, 9001, ta, tb, 0, false, 2);  // runs of k
        check_matmul(dtype, 2, 3, 5, 40001, ta, tb, 1, false, 3);   // runs of k in a batch
        check_matmul(dtype, 200, 24, 16, 40, ta, tb, 0, true, 4);   // groups of products
        check_matmul(dtype, 1, 1, 1000, 700, ta, tb, 0, false, 5);  // one row
        check_matmul(dtype, 1, 1000, 1, 700, ta, tb, 0, false, 6);  // one column
        check_matmul(dtype, 1, 1, 1, 100000, ta, tb, 0, false, 7);  // one number
      }
}

TEST_P(MatmulKernel, EmptySizes) {
  for (DType dtype : {kF32, kF64, kBF16}) {
    check_matmul(dtype, 1, 0, 5, 3, false, false, 0, false, 1);
    check_matmul(dtype, 1, 5, 0, 3, false, false, 0, false, 1);
    check_matmul(dtype, 2, 5, 4, 0, false, false, 0, false, 1);
    check_matmul(dtype, 0, 5, 4, 3, false, false, 0, false, 1);
  }
}

// Sizes about the edges of tiles, and strides that collide in a cache.
TEST_P(MatmulKernel, Tails) {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      for (int64_t m : {1, 2, 7, 13, 14, 15, 29})
        for (int64_t n : {1, 5, 8, 16, 17, 33, 63})
          check_matmul(kF32, 1, m, n, 1 + m * n % 7, ta, tb, m % 2, false, m + n);
      for (DType dtype : {kF32, kF64}) {
        check_matmul(dtype, 1, 40, 70, 1024, ta, tb, 0, false, 1);
        check_matmul(dtype, 1, 512, 70, 33, ta, tb, 0, false, 2);
        check_matmul(dtype, 1, 60, 1300, 40, ta, tb, 0, false, 3);
        check_matmul(dtype, 1, 3, 70, 2000, ta, tb, 0, false, 4);
        check_matmul(dtype, 1, 70, 3, 2000, ta, tb, 0, false, 5);
      }
    }
}

// What an epilogue was given: how often each element came, and whether it was final.
struct Parts final : Epilogue {
  Parts(const float* out, int64_t rows, int64_t columns, bool whole)
      : out(out), rows(rows), columns(columns) {
    whole_rows = whole;
  }
  const float* const out;
  const int64_t rows, columns;
  int64_t parts = -1;
  std::vector<int> seen = std::vector<int>(rows * columns, 0);
  std::vector<float> values = std::vector<float>(rows * columns, NAN);
  std::atomic<bool> wrong{false};

  std::vector<int> of_part;  // how often an index had a column

  void begin(int64_t count) override {
    wrong = wrong || parts >= 0;
    parts = count;
    of_part.assign(parts * columns, 0);
  }
  void run(const Part& p) override {
    const bool whole = p.column == 0 && p.columns == columns;
    const bool aligned =
        p.column % 64 == 0 && (p.columns % 64 == 0 || p.column + p.columns == columns);
    if ((!whole && (!aligned || whole_rows)) || p.index < 0 || p.index >= parts) {
      wrong = true;
      return;
    }
    for (int64_t j = p.column; j < p.column + p.columns; ++j)
      ++std::atomic_ref(of_part[p.index * columns + j]);
    for (int64_t i = p.row; i < p.row + p.rows; ++i)
      for (int64_t j = p.column; j < p.column + p.columns; ++j) {
        const int64_t at = i * columns + j;
        ++std::atomic_ref(seen[at]);
        values[at] = out[at];
      }
  }
  void check(const std::vector<float>& finished, const std::string& what) const {
    EXPECT_FALSE(wrong) << what;
    EXPECT_EQ(values, finished) << what;
    for (int times : seen) ASSERT_EQ(times, 1) << what;
    for (int times : of_part) ASSERT_LE(times, 1) << what;
  }
};

TEST_P(MatmulKernel, EpilogueSeesEachPartOnceAndFinal) {
  const int64_t sizes[][3] = {{1, 1, 1},     {5, 3, 0},     {30, 70, 20},   {1, 3000, 200},
                              {3000, 1, 70}, {3, 900, 500}, {33, 20, 9001}, {300, 200, 900},
                              {900, 4, 90},  {0, 5, 3},     {1, 40000, 2},  {1, 1, 100000}};
  for (auto [m, n, k] : sizes)
    for (int which = 0; which < 8; ++which) {
      const bool ta = which & 1, tb = which & 2;
      MatmulShape s{.m = m, .n = n, .k = k};
      lay_out(ta, 0, m, k, &s.a_row, &s.a_col);
      lay_out(tb, 0, k, n, &s.b_row, &s.b_col);
      Numbers numbers(m + n + k);
      const Values a(numbers, m * k, kF32), b(numbers, k * n, kF32);
      std::vector<float> out(m * n, NAN);
      Parts parts(out.data(), m, n, which & 4);
      const int64_t start[] = {0};
      cpu::matmul(s, start, start, a.data(), b.data(), out.data(), &parts);
      parts.check(out, describe(s, 1));
    }
}

TEST(MatmulLayouts, SaysWhichStridesFit) {
  EXPECT_TRUE(cpu::fits(3, 4, 4, 1));
  EXPECT_TRUE(cpu::fits(3, 4, 1, 3));
  EXPECT_TRUE(cpu::fits(3, 4, 9, 1));
  EXPECT_TRUE(cpu::fits(1, 4, 0, 1));
  EXPECT_TRUE(cpu::fits(1, 4, 0, 7));   // a row read down a column
  EXPECT_FALSE(cpu::fits(3, 4, 8, 2));  // every second element
  EXPECT_FALSE(cpu::fits(3, 4, 0, 1));  // one row repeated
  EXPECT_FALSE(cpu::fits(3, 4, 4, -1));
}

std::string describe(const ConvShape& s) {
  const auto pair = [](int64_t a, int64_t b) {
    return "(" + std::to_string(a) + ", " + std::to_string(b) + ") ";
  };
  return std::string(name(s.dtype)) + " n " + std::to_string(s.n) + " hw " + pair(s.h, s.w) + "c " +
         std::to_string(s.c) + " o " + std::to_string(s.o) + " kernel " + pair(s.kh, s.kw) +
         "stride " + pair(s.stride_h, s.stride_w) + "pad " + pair(s.pad_h, s.pad_w) + "dilation " +
         pair(s.dilation_h, s.dilation_w) + "groups " + std::to_string(s.groups);
}

ConvShape conv_shape(DType dtype, int64_t n, int64_t h, int64_t w, int64_t c, int64_t o, int64_t kh,
                     int64_t kw, int64_t stride, int64_t pad, int64_t dilation, int64_t groups) {
  ConvShape s{.dtype = dtype, .n = n, .h = h, .w = w, .c = c, .o = o, .kh = kh, .kw = kw};
  s.stride_h = s.stride_w = stride;
  s.pad_h = s.pad_w = pad;
  s.dilation_h = s.dilation_w = dilation;
  s.groups = groups;
  s.oh = (h + 2 * pad - dilation * (kh - 1) - 1) / stride + 1;
  s.ow = (w + 2 * pad - dilation * (kw - 1) - 1) / stride + 1;
  return s;
}

// Calls f(x index, w index, y index) for every product of the convolution.
template <class F>
void each_product(const ConvShape& s, F&& f) {
  const int64_t cg = s.c / s.groups, og = s.o / s.groups;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t i = 0; i < s.oh; ++i)
      for (int64_t j = 0; j < s.ow; ++j)
        for (int64_t o = 0; o < s.o; ++o)
          for (int64_t p = 0; p < s.kh; ++p)
            for (int64_t q = 0; q < s.kw; ++q) {
              const int64_t h = i * s.stride_h - s.pad_h + p * s.dilation_h;
              const int64_t w = j * s.stride_w - s.pad_w + q * s.dilation_w;
              if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
              for (int64_t c = 0; c < cg; ++c)
                f(((n * s.h + h) * s.w + w) * s.c + o / og * cg + c,
                  ((o * s.kh + p) * s.kw + q) * cg + c, ((n * s.oh + i) * s.ow + j) * s.o + o);
            }
}

void check_conv(const ConvShape& s, uint64_t seed) {
  const std::string what = describe(s);
  Numbers numbers(seed);
  const Values x(numbers, s.n * s.h * s.w * s.c, s.dtype);
  const Values w(numbers, s.o * s.kh * s.kw * (s.c / s.groups), s.dtype);
  const Values dy(numbers, s.n * s.oh * s.ow * s.o, s.dtype);
  std::vector<long double> y(dy.exact.size(), 0), dx(x.exact.size(), 0), dw(w.exact.size(), 0);
  each_product(s, [&](int64_t i, int64_t j, int64_t k) {
    y[k] += x.exact[i] * w.exact[j];
    dx[i] += w.exact[j] * dy.exact[k];
    dw[j] += x.exact[i] * dy.exact[k];
  });
  const int64_t window = s.kh * s.kw;
  const auto can = [&](cpu::Pass pass) { return s.dtype != kF64 || cpu::has_own(s, pass); };
  if (can(cpu::Pass::kForward))
    expect_near(same_for_all_threads(y.size(), s.dtype, "forward " + what,
                                     [&](void* out) { cpu::conv2d(s, x.data(), w.data(), out); }),
                y, window * s.c, "forward " + what);
  if (can(cpu::Pass::kData))
    expect_near(same_for_all_threads(
                    dx.size(), s.dtype, "data " + what,
                    [&](void* out) { cpu::conv2d_backward_data(s, dy.data(), w.data(), out); }),
                dx, window * s.o, "data " + what);
  if (can(cpu::Pass::kWeight))
    expect_near(same_for_all_threads(
                    dw.size(), s.dtype, "weight " + what,
                    [&](void* out) { cpu::conv2d_backward_weight(s, x.data(), dy.data(), out); }),
                dw, s.n * s.oh * s.ow, "weight " + what);
}

TEST_P(ConvKernel, MatchesNaiveOnRandomShapes) {
  Numbers numbers(2);
  for (int i = 0; i < 120; ++i) {
    const int64_t groups = i % 3 == 0 ? numbers.size(2, 4) : 1;
    const int64_t c = groups * numbers.size(1, i % 2 ? 5 : 18);
    const int64_t o = groups * numbers.size(1, i % 2 ? 18 : 5);
    const int64_t kh = numbers.size(1, 4), kw = numbers.size(1, 4), dilation = numbers.size(1, 2);
    const int64_t least = std::max(kh, kw) * dilation;
    constexpr DType kDTypes[] = {kF32, kF64, kBF16, kF32, kF64};
    check_conv(conv_shape(kDTypes[i % 5], numbers.size(1, 5), numbers.size(least, 20),
                          numbers.size(least, 20), c, o, kh, kw, numbers.size(1, 3),
                          numbers.size(0, 2), dilation, groups),
               i);
  }
}

TEST_P(ConvKernel, EpilogueSeesEachPartOnceAndFinal) {
  std::vector<ConvShape> shapes;
  for (int64_t groups : {1, 4})
    for (int64_t stride : {1, 2})
      for (int64_t size : {5, 40})
        shapes.push_back(conv_shape(kF32, 3, size, size + 1, 16, 20, 3, 3, stride, 1, 1, groups));
  shapes.push_back(conv_shape(kF32, 1, 8, 8, 64, 72, 3, 3, 1, 1, 1, 1));
  shapes.push_back(conv_shape(kF32, 7, 9, 13, 33, 40, 3, 3, 1, 0, 1, 1));
  for (const ConvShape& s : shapes) {
    Numbers numbers(s.h);
    const Values x(numbers, s.n * s.h * s.w * s.c, kF32);
    const Values w(numbers, s.o * s.kh * s.kw * (s.c / s.groups), kF32);
    std::vector<float> y(s.n * s.oh * s.ow * s.o, NAN);
    Parts parts(y.data(), s.n * s.oh * s.ow, s.o, false);
    cpu::conv2d(s, x.data(), w.data(), y.data(), &parts);
    parts.check(y, describe(s));
    std::vector<float> dx(s.n * s.h * s.w * s.c, NAN);
    Parts back(dx.data(), s.n * s.h * s.w, s.c, false);
    cpu::conv2d_backward_data(s, y.data(), w.data(), dx.data(), &back);
    back.check(dx, describe(s));
  }
}

// Images that tiles of 4x4 do not divide, and channels that vectors do not.
TEST_P(ConvKernel, ThreeByThreeByTiles) {
  const int64_t sizes[][3] = {{1, 33, 35}, {5, 16, 16}, {9, 7, 12}, {3, 6, 45}, {16, 8, 9}};
  const int64_t channels[][2] = {{8, 5}, {16, 16}, {17, 33}, {32, 9}, {20, 24}};
  uint64_t seed = 0;
  for (auto [n, h, w] : sizes)
    for (auto [c, o] : channels) {
      const auto pad = static_cast<int64_t>(seed % 3);
      check_conv(conv_shape(kF32, n, h, w, c, o, 3, 3, 1, pad, 1, 1), ++seed);
    }
}

TEST_P(ConvKernel, FewPositionsAreCutIntoChannels) {
  check_conv(conv_shape(kF32, 1, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1), 1);
  check_conv(conv_shape(kF32, 2, 5, 4, 50, 90, 3, 3, 1, 1, 1, 1), 2);
  check_conv(conv_shape(kF32, 1, 9, 9, 40, 72, 5, 5, 2, 2, 1, 1), 3);
  check_conv(conv_shape(kF32, 16, 4, 4, 40, 150, 3, 3, 1, 1, 1, 1), 4);
}

// Relative to the outputs' size: sums in order have 4e-7 and 2e-7.
TEST_P(ConvKernel, ErrorOfTilesStaysSmall) {
  const ConvShape s = conv_shape(kF32, 4, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1);
  Numbers numbers(1);
  const Values x(numbers, s.n * s.h * s.w * s.c, kF32), w(numbers, s.o * 9 * s.c, kF32);
  const Values dy(numbers, s.n * s.oh * s.ow * s.o, kF32);
  std::vector<double> y(dy.exact.size(), 0), dw(w.exact.size(), 0);
  each_product(s, [&](int64_t i, int64_t j, int64_t k) {
    y[k] += x.exact[i] * w.exact[j];
    dw[j] += x.exact[i] * dy.exact[k];
  });
  const auto error = [](const std::vector<float>& got, const std::vector<double>& want) {
    double wrong = 0, size = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      wrong += (got[i] - want[i]) * (got[i] - want[i]);
      size += want[i] * want[i];
    }
    return std::sqrt(wrong / size);
  };
  std::vector<float> out(y.size()), gradient(dw.size());
  cpu::conv2d(s, x.data(), w.data(), out.data());
  cpu::conv2d_backward_weight(s, x.data(), dy.data(), gradient.data());
  EXPECT_LT(error(out, y), 1e-6);
  EXPECT_LT(error(gradient, dw), 1e-6);
}

TEST_P(ConvKernel, DepthwiseAndFirstLayers) {
  for (DType dtype : {kF32, kBF16}) {
    check_conv(conv_shape(dtype, 6, 17, 19, 24, 24, 3, 3, 1, 1, 1, 24), 1);
    check_conv(conv_shape(dtype, 3, 17, 19, 8, 16, 3, 3, 2, 1, 1, 8), 2);
    check_conv(conv_shape(dtype, 24, 28, 28, 1, 32, 3, 3, 1, 0, 1, 1), 3);
    check_conv(conv_shape(dtype, 9, 32, 32, 3, 16, 3, 3, 1, 1, 1, 1), 4);
  }
}

TEST_P(ConvKernel, FewImagesAreCutIntoRows) {
  for (DType dtype : {kF32, kF64, kBF16})
    for (int64_t stride : {1, 2, 3})
      for (int64_t kernel : {1, 3, 5}) {
        check_conv(conv_shape(dtype, 1, 61, 47, 16, 24, kernel, kernel, stride, kernel / 2, 1, 1),
                   1);
        check_conv(conv_shape(dtype, 2, 50, 40, 16, 24, kernel, 3, stride, 0, 2, 1), 2);
      }
}

TEST_P(ConvKernel, LargeKernels) {
  for (DType dtype : {kF32, kF64}) {
    check_conv(conv_shape(dtype, 1, 20, 21, 3, 5, 15, 15, 1, 7, 1, 1), 1);
    check_conv(conv_shape(dtype, 2, 9, 40, 4, 6, 1, 31, 1, 15, 1, 1), 2);
    check_conv(conv_shape(dtype, 1, 33, 32, 2, 3, 16, 14, 3, 4, 1, 1), 3);
  }
}

TEST_P(ConvKernel, PaddingBeyondTheKernel) {
  check_conv(conv_shape(kF32, 2, 9, 9, 3, 4, 1, 1, 1, 2, 1, 1), 1);
  check_conv(conv_shape(kF32, 1, 60, 60, 32, 32, 2, 2, 1, 3, 1, 1), 2);
}

TEST_P(ConvKernel, EmptySizes) {
  for (DType dtype : {kF32, kBF16}) {
    check_conv(conv_shape(dtype, 0, 9, 9, 3, 4, 3, 3, 1, 1, 1, 1), 1);
    check_conv(conv_shape(dtype, 2, 9, 9, 0, 4, 3, 3, 1, 1, 1, 1), 2);
    check_conv(conv_shape(dtype, 2, 9, 9, 3, 0, 3, 3, 1, 1, 1, 1), 3);
    check_conv(conv_shape(dtype, 2, 0, 9, 3, 4, 3, 3, 1, 2, 1, 1), 4);
  }
}

TEST(MatrixCache, CanBeForgotten) {
  check_conv(conv_shape(kF32, 2, 9, 9, 3, 4, 3, 3, 1, 1, 1, 1), 1);
  cpu::trim_matrix_cache();
  check_conv(conv_shape(kF32, 2, 9, 9, 3, 4, 3, 3, 1, 1, 1, 1), 1);
}

}  // namespace
}  // namespace glia
