// Matrix products, convolution and pooling: the kernels alone, then the operations on tensors.
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
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "runtime/backend.h"

namespace glia {
namespace {

using cpu::MatmulShape;

// A small generator of numbers in [-1, 1] and of sizes.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  uint64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  int64_t size(int64_t low, int64_t high) { return low + next() % (high - low + 1); }
  double value() { return static_cast<double>(next() % 2001) / 1000 - 1; }

 private:
  uint64_t state_;
};

// Values as a dtype stores them, with their exact doubles beside.
struct Values {
  Values(Numbers& numbers, int64_t n, DType dtype) : exact(n), f32(n), bf16(n), dtype(dtype) {
    for (int64_t i = 0; i < n; ++i) {
      f32[i] = static_cast<float>(numbers.value());
      bf16[i] = bfloat16(f32[i]);
      exact[i] = dtype == kF32 ? f32[i] : static_cast<float>(bf16[i]);
    }
  }
  const void* data() const {
    return dtype == kF32 ? static_cast<const void*>(f32.data()) : bf16.data();
  }
  std::vector<double> exact;
  std::vector<float> f32;
  std::vector<bfloat16> bf16;
  DType dtype;
};

// What a kernel wrote; starts as NaN so that an element left out shows.
struct Output {
  Output(int64_t n, DType dtype) : bytes(n * size_of(dtype), char(0xff)), n(n), dtype(dtype) {}
  void* data() { return bytes.data(); }
  double operator[](int64_t i) const {
    if (dtype == kF32) {
      float x;
      std::memcpy(&x, &bytes[i * 4], 4);
      return x;
    }
    bfloat16 x;
    std::memcpy(&x, &bytes[i * 2], 2);
    return static_cast<float>(x);
  }
  std::vector<char> bytes;
  int64_t n;
  DType dtype;
};

// `terms`: how many products an element sums.
void expect_near(const Output& got, const std::vector<double>& want, int64_t terms,
                 const std::string& what) {
  ASSERT_EQ(got.n, static_cast<int64_t>(want.size())) << what;
  const double tolerance = 1e-6 * (2 + std::sqrt(static_cast<double>(terms)) * 2);
  for (int64_t i = 0; i < got.n; ++i) {
    const double rounding = got.dtype == kBF16 ? std::abs(want[i]) / 250 : 0;
    ASSERT_NEAR(got[i], want[i], tolerance + rounding) << what << ", element " << i;
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
  std::vector<double> want(batch * m * n, 0);
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
    check_matmul(i % 4 == 3 ? kBF16 : kF32, numbers.size(1, 3), m, n, numbers.size(1, limit),
                 numbers.next() % 2, numbers.next() % 2, numbers.size(0, 2), numbers.next() % 2, i);
  }
}

TEST_P(MatmulKernel, CutsEachWay) {
  for (DType dtype : {kF32, kBF16})
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
  for (DType dtype : {kF32, kBF16}) {
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
      check_matmul(kF32, 1, 40, 70, 1024, ta, tb, 0, false, 1);
      check_matmul(kF32, 1, 512, 70, 33, ta, tb, 0, false, 2);
      check_matmul(kF32, 1, 60, 1300, 40, ta, tb, 0, false, 3);
      check_matmul(kF32, 1, 3, 70, 2000, ta, tb, 0, false, 4);
      check_matmul(kF32, 1, 70, 3, 2000, ta, tb, 0, false, 5);
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
  std::vector<double> y(dy.exact.size(), 0), dx(x.exact.size(), 0), dw(w.exact.size(), 0);
  each_product(s, [&](int64_t i, int64_t j, int64_t k) {
    y[k] += x.exact[i] * w.exact[j];
    dx[i] += w.exact[j] * dy.exact[k];
    dw[j] += x.exact[i] * dy.exact[k];
  });
  const int64_t window = s.kh * s.kw;
  expect_near(same_for_all_threads(y.size(), s.dtype, "forward " + what,
                                   [&](void* out) { cpu::conv2d(s, x.data(), w.data(), out); }),
              y, window * s.c, "forward " + what);
  expect_near(same_for_all_threads(
                  dx.size(), s.dtype, "data " + what,
                  [&](void* out) { cpu::conv2d_backward_data(s, dy.data(), w.data(), out); }),
              dx, window * s.o, "data " + what);
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
    check_conv(conv_shape(i % 4 == 3 ? kBF16 : kF32, numbers.size(1, 5), numbers.size(least, 20),
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
  for (DType dtype : {kF32, kBF16})
    for (int64_t stride : {1, 2, 3})
      for (int64_t kernel : {1, 3, 5}) {
        check_conv(conv_shape(dtype, 1, 61, 47, 16, 24, kernel, kernel, stride, kernel / 2, 1, 1),
                   1);
        check_conv(conv_shape(dtype, 2, 50, 40, 16, 24, kernel, 3, stride, 0, 2, 1), 2);
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

// ---- Operations on tensors ------------------------------------------------------------------

Tensor random_tensor(const Shape& shape, uint64_t seed, DType dtype = kF64) {
  Numbers numbers(seed);
  std::vector<double> values(shape.numel());
  for (double& v : values) v = numbers.value();
  return cast(from_vector(values, shape), dtype);
}

// All different, so that every window has one maximum and stays away from ties.
Tensor distinct_tensor(const Shape& shape, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<double> values(shape.numel());
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.01 * static_cast<double>(i);
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[numbers.next() % i]);
  return from_vector(values, shape);
}

// Largest difference of two tensors of one shape.
double difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  if (a.numel() == 0) return 0;
  return max(abs(cast(a, kF64) - cast(b, kF64))).item();
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const ShapeError& e) {
    return e.what();
  }
  return "no error";
}

// Sums of products over a broadcast inner axis: matmul from elementwise operations alone.
Tensor spelled_out(const Tensor& a, const Tensor& b) {
  return sum(unsqueeze(a, -1) * unsqueeze(b, -3), {-2});
}

TEST(Matmul, ShapesFollowNumpy) {
  const std::pair<Shape, Shape> cases[] = {{{2, 3}, {3, 4}},
                                           {{5, 2, 3}, {5, 3, 4}},
                                           {{5, 2, 3}, {3, 4}},
                                           {{2, 3}, {5, 3, 4}},
                                           {{5, 1, 2, 3}, {6, 3, 4}},
                                           {{1, 2, 3}, {7, 3, 4}},
                                           {{3, 5, 2, 3}, {3, 4}},
                                           {{0, 3}, {3, 4}},
                                           {{2, 0}, {0, 4}},
                                           {{4, 2, 0}, {0, 3}},
                                           {{0, 2, 3}, {3, 4}},
                                           {{2, 3}, {3, 0}},
                                           {{2, 1, 2, 3}, {1, 3, 3, 4}}};
  for (DType dtype : {kF64, kF32, kBF16, kI64, kI32})
    for (const auto& [a, b] : cases) {
      const Tensor x = cast(random_tensor(a, 1) * 9, dtype),
                   y = cast(random_tensor(b, 2) * 9, dtype);
      const Tensor want = spelled_out(cast(x, kF64), cast(y, kF64)), got = matmul(x, y);
      EXPECT_EQ(got.dtype(), dtype);
      EXPECT_LE(difference(got, want), dtype == kBF16  ? 1
                                       : dtype == kF32 ? 1e-4
                                                       : 1e-12)
          << a.str() << b.str() << name(dtype);
    }
  EXPECT_EQ(matmul(tensor({1., 2.}), tensor({3., 4.})).item(), 11);
  EXPECT_EQ(matmul(ones({3, 2}), ones({2})).shape(), Shape({3}));
  EXPECT_EQ(matmul(ones({2}), ones({5, 2, 3})).shape(), Shape({5, 3}));
}

TEST(Matmul, TakesViewsWithoutChangingThem) {
  const Tensor x = random_tensor({7, 6, 5}, 1, kF32), y = random_tensor({7, 5, 6}, 2, kF32);
  const auto check = [](const Tensor& a, const Tensor& b, const char* what) {
    EXPECT_LE(difference(matmul(a, b), spelled_out(a, b)), 1e-5) << what;
    const Tensor c = cast(a, kF64), d = cast(b, kF64);
    EXPECT_LE(difference(matmul(c, d), spelled_out(c, d)), 1e-12) << what;
  };
  check(transpose(x), transpose(y), "transposed");
  check(x, transpose(x), "one transposed");
  check(permute(x, {1, 0, 2}), transpose(permute(x, {1, 0, 2})), "permuted");
  check(slice(x, 2, {0, 5, 2}), slice(y, 1, {0, 5, 2}), "every second");
  check(flip(x, {1, 2}), flip(y, {0}), "flipped");
  check(expand(slice(x, 0, {0, 1}), {7, 6, 5}), y, "expanded");
  check(expand(slice(x, 1, {0, 1}), {7, 6, 5}), y, "one row repeated");
}

TEST(Matmul, PromotesLikeNumpy) {
  const Tensor f = ones({2, 3}), i = ones({3, 2}, kI64);
  EXPECT_EQ(matmul(f, i).dtype(), kF32);
  EXPECT_EQ(matmul(cast(f, kF16), cast(i, kF16)).dtype(), kF16);
  EXPECT_EQ(matmul(full({1, 3}, 100, kU8), full({3, 1}, 1, kU8)).item<int>(), 300 - 256);
  EXPECT_EQ(matmul(full({1, 3}, 1, kBool), full({3, 1}, 1, kBool)).item<int>(), 1);
}

TEST(Matmul, ErrorsNameShapes) {
  const Tensor a = ones({128, 784}), b = ones({512, 10});
  EXPECT_EQ(message_of([&] {
              matmul(a, b);
            }).rfind("matmul: inner sizes differ: (128, 784) x (512, 10) at ", 0),
            0u);
  EXPECT_NE(message_of([&] {
              matmul(ones({2, 3, 4}), ones({3, 4, 5}));
            }).find("do not broadcast"),
            std::string::npos);
  EXPECT_NE(message_of([&] { matmul(ones({}), ones({3})); }).find("no axes"), std::string::npos);
  EXPECT_NE(message_of([&] { linear(a, b); }).find("(128, 784) does not fit weight (512, 10)"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              linear(a, ones({5, 784}), ones({4}));
            }).find("bias (4,)"),
            std::string::npos);
  EXPECT_NE(message_of([&] { matmul(Tensor(), a); }).find("not defined"), std::string::npos);
}

TEST(Matmul, Gradients) {
  const std::pair<Shape, Shape> cases[] = {
      {{2, 3}, {3, 4}}, {{5, 2, 3}, {5, 3, 4}}, {{5, 2, 3}, {3, 4}}, {{2, 3}, {5, 3, 4}},
      {{3}, {3, 4}},    {{2, 3}, {3}},          {{3}, {3}},          {{2, 1, 2, 3}, {4, 3, 2}}};
  for (const auto& [a, b] : cases) {
    const std::vector<Tensor> in{random_tensor(a, 1), random_tensor(b, 2)};
    const auto f = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); };
    EXPECT_EQ(gradcheck(f, in), "") << a.str() << b.str();
    EXPECT_EQ(gradgradcheck(f, in), "") << a.str() << b.str();
  }
}

TEST(Matmul, VmapEqualsALoop) {
  const Tensor x = random_tensor({4, 2, 3}, 1), y = random_tensor({4, 5, 3, 2}, 2);
  const auto f = [](const std::vector<Tensor>& in) { return matmul(in[0], in[1]); };
  const auto check = [&](const std::vector<Tensor>& in, const std::vector<int>& axes) {
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < 4; ++i)
      parts.push_back(
          f({axes[0] ? in[0] : index(in[0], {i}), axes[1] ? in[1] : index(in[1], {i})}));
    EXPECT_LE(difference(vmap(f, axes)(in), stack(parts)), 1e-12);
  };
  check({x, y}, {0, 0});
  check({x, index(y, {0})}, {0, -1});
  check({index(x, {0}), y}, {-1, 0});
  check({x, random_tensor({3, 6}, 3)}, {0, -1});
}

TEST(Linear, IsAProductWithTheTransposedWeight) {
  const Tensor w = random_tensor({4, 3}, 1), b = random_tensor({4}, 2);
  for (const Shape& shape : {Shape{3}, Shape{2, 3}, Shape{5, 2, 3}, Shape{0, 3}, Shape{2, 0, 3}}) {
    const Tensor x = random_tensor(shape, 3);
    EXPECT_LE(difference(linear(x, w), matmul(x, transpose(w))), 1e-12) << shape.str();
    EXPECT_LE(difference(linear(x, w, b), matmul(x, transpose(w)) + b), 1e-12) << shape.str();
  }
  const auto f = [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); };
  const std::vector<Tensor> in{random_tensor({2, 2, 3}, 4), w, b};
  EXPECT_EQ(gradcheck(f, in), "");
  EXPECT_EQ(gradgradcheck(f, in), "");
}

// A convolution from slices of the padded image, one for each position in the kernel.
Tensor conv_spelled_out(const Tensor& x, const Tensor& w, const Conv2dOptions& o) {
  const auto [ph, pw] = o.padding;
  const Tensor padded = pad(x, {{0, 0}, {ph, ph}, {pw, pw}, {0, 0}});
  const int64_t kh = w.size(1), kw = w.size(2), cg = w.size(3), og = w.size(0) / o.groups;
  const int64_t oh = (padded.size(1) - o.dilation.first * (kh - 1) - 1) / o.stride.first + 1;
  const int64_t ow = (padded.size(2) - o.dilation.second * (kw - 1) - 1) / o.stride.second + 1;
  std::vector<Tensor> groups;
  for (int64_t g = 0; g < o.groups; ++g) {
    Tensor y = zeros({x.size(0), oh, ow, og}, x.dtype());
    for (int64_t i = 0; i < kh; ++i)
      for (int64_t j = 0; j < kw; ++j) {
        const int64_t top = i * o.dilation.first, left = j * o.dilation.second;
        const Tensor part =
            index(padded, {Slice{}, Slice{top, top + (oh - 1) * o.stride.first + 1, o.stride.first},
                           Slice{left, left + (ow - 1) * o.stride.second + 1, o.stride.second},
                           Slice{g * cg, (g + 1) * cg}});
        const Tensor weight = index(w, {Slice{g * og, (g + 1) * og}, i, j});  // (O / groups, C)
        y = y + sum(unsqueeze(part, -2) * weight, {-1});
      }
    groups.push_back(y);
  }
  return concat(groups, 3);
}

const Conv2dOptions kConvCases[] = {
    {},
    {.padding = {1, 1}},
    {.stride = {2, 1}, .padding = {0, 1}},
    {.stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}},
    {.padding = {1, 1}, .groups = 2},
    {.stride = {2, 2}, .padding = {1, 0}, .groups = 4},
};

TEST(Conv2d, MatchesSlicesAndSums) {
  for (const Conv2dOptions& o : kConvCases) {
    const Tensor x = random_tensor({3, 8, 9, 4}, 1), w = random_tensor({8, 3, 2, 4 / o.groups}, 2);
    const Tensor want = conv_spelled_out(x, w, o);
    EXPECT_LE(difference(conv2d(x, w, {}, o), want), 1e-12);
    EXPECT_LE(difference(conv2d(cast(x, kF32), cast(w, kF32), {}, o), want), 1e-5);
    EXPECT_LE(difference(conv2d(cast(x, kBF16), cast(w, kBF16), {}, o), want), 0.05);
    EXPECT_EQ(conv2d(cast(x, kF16), cast(w, kF16), {}, o).dtype(), kF16);
    const Tensor b = random_tensor({8}, 3);
    EXPECT_LE(difference(conv2d(x, w, b, o), want + b), 1e-12);
  }
}

TEST(Conv2d, Gradients) {
  for (const Conv2dOptions& o : kConvCases) {
    const std::vector<Tensor> in{random_tensor({2, 5, 4, 4}, 1),
                                 random_tensor({4, 2, 2, 4 / o.groups}, 2), random_tensor({4}, 3)};
    const auto f = [&](const std::vector<Tensor>& t) { return conv2d(t[0], t[1], t[2], o); };
    EXPECT_EQ(gradcheck(f, in), "");
    EXPECT_EQ(gradgradcheck(f, in), "");
  }
}

TEST(Conv2d, FastAndPortableKernelsAgree) {
  for (const Conv2dOptions& o : kConvCases) {
    const Tensor x = random_tensor({3, 12, 11, 4}, 1),
                 w = random_tensor({8, 3, 3, 4 / o.groups}, 2);
    const auto grads = [&](DType dtype) {
      const Tensor a = trainable(cast(x, dtype)), b = trainable(cast(w, dtype));
      return gradients(sum(square(conv2d(a, b, {}, o))), {a, b});
    };
    const auto fast = grads(kF32), portable = grads(kF64);
    EXPECT_LE(difference(fast[0], portable[0]), 1e-3);
    EXPECT_LE(difference(fast[1], portable[1]), 1e-3);
  }
}

TEST(Conv2d, VmapEqualsALoop) {
  const Tensor x = random_tensor({3, 2, 5, 5, 2}, 1), w = random_tensor({3, 4, 3, 3, 2}, 2);
  const auto f = [](const std::vector<Tensor>& in) { return conv2d(in[0], in[1]); };
  std::vector<Tensor> both, images, weights;
  for (int64_t i = 0; i < 3; ++i) {
    both.push_back(f({index(x, {i}), index(w, {i})}));
    images.push_back(f({index(x, {i}), index(w, {0})}));
    weights.push_back(f({index(x, {0}), index(w, {i})}));
  }
  EXPECT_LE(difference(vmap(f)({x, w}), stack(both)), 1e-12);
  EXPECT_LE(difference(vmap(f, {0, -1})({x, index(w, {0})}), stack(images)), 1e-12);
  EXPECT_LE(difference(vmap(f, {-1, 0})({index(x, {0}), w}), stack(weights)), 1e-12);
}

TEST(Conv2d, EmptyImages) {
  EXPECT_EQ(conv2d(zeros({0, 8, 8, 3}), zeros({4, 3, 3, 3})).shape(), Shape({0, 6, 6, 4}));
  const Tensor no_channels = conv2d(zeros({1, 8, 8, 0}), zeros({4, 3, 3, 0}), ones({4}));
  EXPECT_EQ(difference(no_channels, ones({1, 6, 6, 4})), 0);
}

TEST(Conv2d, ErrorsNameShapes) {
  const Tensor x = ones({2, 8, 8, 3}), w = ones({4, 3, 3, 3});
  EXPECT_NE(message_of([&] {
              conv2d(x, ones({4, 3, 3, 2}));
            }).find("channels do not fit with groups 1: x (2, 8, 8, 3), weight (4, 3, 3, 2)"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              conv2d(ones({2, 2, 8, 3}), w);
            }).find("does not fit"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              conv2d(ones({8, 8, 3}), w);
            }).find("C / groups): x (8, 8, 3)"),
            std::string::npos);
  EXPECT_NE(message_of([&] { conv2d(x, w, ones({3})); }).find("bias (3,)"), std::string::npos);
  EXPECT_NE(message_of([&] {
              conv2d(x, w, {}, {.stride = {0, 1}});
            }).find("out of range"),
            std::string::npos);
  EXPECT_NE(message_of([&] { conv2d(cast(x, kI32), cast(w, kI32)); }).find("needs floats"),
            std::string::npos);
}

struct PoolCase {
  std::pair<int64_t, int64_t> window;
  PoolOptions options;
};
const PoolCase kPoolCases[] = {
    {{2, 2}, {}},
    {{3, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
    {{2, 3}, {.stride = {1, 2}, .padding = {1, 0}}},
    {{2, 1}, {.stride = {3, 2}}},
    {{5, 4}, {.stride = {5, 4}, .padding = {2, 2}}},
};

// One output at a time; reduce(values) gives it, from the values inside the image.
template <class F>
std::vector<double> pool_spelled_out(const Tensor& x, const PoolCase& p, F&& reduce) {
  const auto v = x.to_vector<double>();
  const int64_t h = x.size(1), w = x.size(2), c = x.size(3);
  const int64_t sh = p.options.stride.first ? p.options.stride.first : p.window.first;
  const int64_t sw = p.options.stride.second ? p.options.stride.second : p.window.second;
  const auto [ph, pw] = p.options.padding;
  std::vector<double> out;
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t i = -ph; i + p.window.first <= h + ph; i += sh)
      for (int64_t j = -pw; j + p.window.second <= w + pw; j += sw)
        for (int64_t k = 0; k < c; ++k) {
          std::vector<double> inside;
          for (int64_t a = std::max<int64_t>(i, 0); a < std::min(h, i + p.window.first); ++a)
            for (int64_t b = std::max<int64_t>(j, 0); b < std::min(w, j + p.window.second); ++b)
              inside.push_back(v[((n * h + a) * w + b) * c + k]);
          out.push_back(reduce(inside));
        }
  return out;
}

TEST(Pool2d, MatchesOneWindowAtATime) {
  for (const PoolCase& p : kPoolCases)
    for (int64_t channels : {1, 3, 70})
      for (DType dtype : {kF64, kF32, kBF16}) {
        const Tensor x = random_tensor({2, 11, 9, channels}, 1, dtype);
        const auto largest = pool_spelled_out(
            x, p, [](const auto& v) { return *std::max_element(v.begin(), v.end()); });
        const Tensor y = max_pool2d(x, p.window, p.options);
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_EQ(y.to_vector<double>(), largest);
        const double area = static_cast<double>(p.window.first * p.window.second);
        const auto mean = pool_spelled_out(x, p, [&](const auto& v) {
          double sum = 0;
          for (double value : v) sum += value;
          return sum / area;
        });
        const Tensor z = avg_pool2d(x, p.window, p.options);
        EXPECT_LE(difference(z, from_vector(mean, z.shape())), dtype == kBF16 ? 4e-3 : 1e-6);
      }
}

TEST(Pool2d, Gradients) {
  for (const PoolCase& p : kPoolCases) {
    const std::vector<Tensor> in{distinct_tensor({2, 7, 6, 3}, 1)};
    const auto largest = [&](const std::vector<Tensor>& t) {
      return square(max_pool2d(t[0], p.window, p.options));
    };
    const auto mean = [&](const std::vector<Tensor>& t) {
      return square(avg_pool2d(t[0], p.window, p.options));
    };
    EXPECT_EQ(gradcheck(largest, in), "");
    EXPECT_EQ(gradgradcheck(largest, in), "");
    EXPECT_EQ(gradcheck(mean, in), "");
    EXPECT_EQ(gradgradcheck(mean, in), "");
  }
}

TEST(Pool2d, TiesNansAndInfinities) {
  const double nan = std::nan(""), inf = INFINITY;
  const auto grad = [](const std::vector<double>& values) {
    const Tensor x = trainable(from_vector(values, {1, 2, 2, 1}));
    return gradients(sum(max_pool2d(x, 2)), {x})[0].to_vector<double>();
  };
  EXPECT_EQ(grad({1, 1, 1, 1}), (std::vector<double>{1, 0, 0, 0}));
  EXPECT_EQ(grad({0, 2, 2, 1}), (std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(grad({5, nan, 7, nan}), (std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(grad({-inf, -inf, -inf, -inf}), (std::vector<double>{1, 0, 0, 0}));
  const Tensor y = max_pool2d(from_vector(std::vector<double>{5, nan, inf, 1}, {1, 2, 2, 1}), 2);
  EXPECT_TRUE(std::isnan(y.item()));
}

TEST(Pool2d, VmapEqualsALoop) {
  const Tensor x = distinct_tensor({3, 2, 4, 4, 2}, 1);
  for (bool mean : {false, true}) {
    const auto f = [&](const std::vector<Tensor>& in) {
      return mean ? avg_pool2d(in[0], 2) : max_pool2d(in[0], 2);
    };
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < 3; ++i) parts.push_back(f({index(x, {i})}));
    EXPECT_EQ(difference(vmap(f)({x}), stack(parts)), 0);
  }
}

TEST(Pool2d, ErrorsNameShapes) {
  const Tensor x = ones({2, 4, 4, 3});
  EXPECT_NE(message_of([&] {
              max_pool2d(x, 5);
            }).find("does not fit into the image: x (2, 4, 4, 3), window (5, 5)"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              avg_pool2d(ones({4, 4, 3}), 2);
            }).find("got (4, 4, 3)"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              max_pool2d(x, {2, 2}, {.padding = {2, 0}});
            }).find("half the window"),
            std::string::npos);
  EXPECT_NE(message_of([&] { max_pool2d(cast(x, kI64), 2); }).find("needs floats"),
            std::string::npos);
  EXPECT_EQ(max_pool2d(ones({0, 4, 4, 3}), 2).shape(), Shape({0, 2, 2, 3}));
}

// Every op of these families, from a plan: the same bytes for any number of threads.
TEST(MatrixOps, SameForAllThreads) {
  const Tensor x = random_tensor({6, 18, 17, 8}, 1, kF32),
               w = random_tensor({16, 3, 3, 8}, 2, kF32);
  const auto run = [&](DType dtype) {
    const Tensor a = trainable(cast(x, dtype)), b = trainable(cast(w, dtype));
    const Tensor h = max_pool2d(conv2d(a, b, {}, {.padding = {1, 1}}), {3, 3}, {.stride = {2, 2}});
    const Tensor flat = reshape(avg_pool2d(h, 2), {6, -1});
    const Tensor loss = sum(square(matmul(flat, transpose(flat))));
    auto out = gradients(loss, {a, b});
    out.push_back(loss);
    std::vector<std::vector<double>> values;
    for (const Tensor& t : out) values.push_back(t.to_vector<double>());
    return values;
  };
  const int before = num_threads();
  for (DType dtype : {kF32, kF64}) {
    set_num_threads(1);
    const auto first = run(dtype);
    for (int threads : {2, 4}) {
      set_num_threads(threads);
      EXPECT_EQ(run(dtype), first) << name(dtype) << ", " << threads << " threads";
    }
  }
  set_num_threads(before);
}

// One call of a kernel of f32 or f64 arrays filled from `seed`; inputs come first.
struct RecordedCall {
  const char* op;
  std::vector<Shape> in;
  Shape out;
  AttributeWords attributes;

  std::vector<double> run(RunFunction kernel, DType dtype) const {
    std::vector<std::vector<char>> bytes;
    std::vector<Array> arrays;
    const auto add = [&](const Shape& shape) {
      const size_t n = shape.numel() * size_of(dtype);
      arrays.push_back(
          {bytes.emplace_back(n, char(0xff)).data(), Layout::contiguous(shape), dtype});
    };
    Numbers numbers(1);
    for (const Shape& shape : in) {
      add(shape);
      for (int64_t i = 0; i < shape.numel(); ++i) {
        if (dtype == kF32)
          arrays.back().as<float>()[i] = static_cast<float>(numbers.value());
        else
          arrays.back().as<double>()[i] = static_cast<float>(numbers.value());
      }
    }
    add(out);
    const std::span<const Array> all(arrays);
    kernel({all.first(in.size()), all.last(1), attributes, nullptr});
    std::vector<double> values(out.numel());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = dtype == kF32 ? arrays.back().as<float>()[i] : arrays.back().as<double>()[i];
    return values;
  }
};

TEST(MatrixOps, PortableKernelsAgreeWithFastOnes) {
  const Shape x{2, 9, 8, 4}, w{6, 3, 2, 2}, y{2, 5, 4, 6};
  const WordsOf matmul(MatmulAttributes{.transpose_b = true});
  const WordsOf conv(ConvAttributes{.stride_h = 2, .stride_w = 2, .pad_h = 1, .groups = 2});
  const Shape image{2, 9, 8, 19}, pooled{2, 5, 4, 19};
  const WordsOf pool(PoolAttributes{
      .window_h = 3, .window_w = 2, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 0});
  const RecordedCall calls[] = {
      {"matmul", {{3, 7, 5}, {9, 5}}, {3, 7, 9}, matmul.words()},
      {"conv2d", {x, w}, y, conv.words()},
      {"conv2d_backward_data", {y, w}, x, conv.words()},
      {"conv2d_backward_weight", {x, y}, w, conv.words()},
      {"max_pool2d", {image}, pooled, pool.words()},
      {"max_pool2d_backward", {image, pooled}, image, pool.words()},
      {"max_pool2d_gather", {image, image}, pooled, pool.words()},
      {"avg_pool2d", {image}, pooled, pool.words()},
      {"avg_pool2d_backward", {pooled}, image, pool.words()},
  };
  const std::string level_before = cpu::level();
  for (const RecordedCall& call : calls) {
    ASSERT_NE(find_op(call.op), nullptr) << call.op;
    const Op& op = *find_op(call.op);
    const RunFunction portable = op.run;
    const std::vector<double> exact = call.run(portable, kF64);
    for (DType dtype : {kF32, kF64})
      for (const char* level : {"avx512", "avx2", "baseline"}) {
        if (!cpu::set_level_for_test(level)) continue;
        const Kernel* const found = find_kernel(op, dtype);
        const RunFunction fast = found ? found->choose() : nullptr;
        for (RunFunction kernel : {portable, fast}) {
          if (!kernel) continue;
          const std::vector<double> got = call.run(kernel, dtype);
          for (size_t i = 0; i < exact.size(); ++i)
            ASSERT_NEAR(got[i], exact[i], 1e-5)
                << call.op << " " << name(dtype) << (kernel == fast ? " fast " : " portable ")
                << level << ", element " << i;
        }
      }
    EXPECT_NE(find_kernel(op, kF32), nullptr) << call.op;
  }
  cpu::set_level_for_test(level_before);
}

}  // namespace
}  // namespace glia
