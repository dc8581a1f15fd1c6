// Matrix products, convolution and pooling: the kernels alone, then the operations on tensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "backend/cpu/matrix.h"
#include "glia/dtype.h"
#include "glia/runtime.h"

namespace glia {
namespace {

using cpu::ConvShape;
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
void lay_out(bool transposed, int64_t gap, int64_t rows, int64_t cols, int64_t* row,
             int64_t* col) {
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
          want[(p * m + i) * n + j] +=
              a.exact[a_offsets[p] + i * s.a_row + l * s.a_col] *
              b.exact[b_offsets[p] + l * s.b_row + j * s.b_col];
  const Output got = same_for_all_threads(batch * m * n, dtype, what, [&](void* out) {
    cpu::matmul(s, a_offsets, b_offsets, a.data(), b.data(), out);
  });
  expect_near(got, want, k, what);
}

TEST(MatmulKernel, MatchesNaiveOnRandomShapes) {
  Numbers numbers(1);
  for (int i = 0; i < 150; ++i) {
    const int64_t limit = i % 3 == 0 ? 9 : i % 3 == 1 ? 70 : 190;
    const int64_t m = numbers.size(1, limit), n = numbers.size(1, limit);
    check_matmul(i % 4 == 3 ? kBF16 : kF32, numbers.size(1, 3), m, n, numbers.size(1, limit),
                 numbers.next() % 2, numbers.next() % 2, numbers.size(0, 2), numbers.next() % 2,
                 i);
  }
}

TEST(MatmulKernel, CutsEachWay) {
  for (DType dtype : {kF32, kBF16})
    for (bool ta : {false, true})
      for (bool tb : {false, true}) {
        check_matmul(dtype, 1, 300, 200, 90, ta, tb, 0, false, 1);   // blocks of rows and columns
        check_matmul(dtype, 1, 33, 20, 9001, ta, tb, 0, false, 2);   // runs of k
        check_matmul(dtype, 2, 3, 5, 40001, ta, tb, 1, false, 3);    // runs of k in a batch
        check_matmul(dtype, 200, 24, 16, 40, ta, tb, 0, true, 4);    // groups of products
        check_matmul(dtype, 1, 1, 1000, 700, ta, tb, 0, false, 5);   // one row
        check_matmul(dtype, 1, 1000, 1, 700, ta, tb, 0, false, 6);   // one column
        check_matmul(dtype, 1, 1, 1, 100000, ta, tb, 0, false, 7);   // one number
      }
}

TEST(MatmulKernel, EmptySizes) {
  for (DType dtype : {kF32, kBF16}) {
    check_matmul(dtype, 1, 0, 5, 3, false, false, 0, false, 1);
    check_matmul(dtype, 1, 5, 0, 3, false, false, 0, false, 1);
    check_matmul(dtype, 2, 5, 4, 0, false, false, 0, false, 1);
    check_matmul(dtype, 0, 5, 4, 3, false, false, 0, false, 1);
  }
}

TEST(MatmulKernel, SaysWhichStridesFit) {
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
  return std::string(name(s.dtype)) + " n " + std::to_string(s.n) + " hw " + pair(s.h, s.w) +
         "c " + std::to_string(s.c) + " o " + std::to_string(s.o) + " kernel " +
         pair(s.kh, s.kw) + "stride " + pair(s.stride_h, s.stride_w) + "pad " +
         pair(s.pad_h, s.pad_w) + "dilation " + pair(s.dilation_h, s.dilation_w) + "groups " +
         std::to_string(s.groups);
}

ConvShape conv_shape(DType dtype, int64_t n, int64_t h, int64_t w, int64_t c, int64_t o,
                     int64_t kh, int64_t kw, int64_t stride, int64_t pad, int64_t dilation,
                     int64_t groups) {
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
                  ((o * s.kh + p) * s.kw + q) * cg + c,
                  ((n * s.oh + i) * s.ow + j) * s.o + o);
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
                                   [&](void* out) { conv2d(s, x.data(), w.data(), out); }),
              y, window * s.c, "forward " + what);
  expect_near(same_for_all_threads(
                  dx.size(), s.dtype, "data " + what,
                  [&](void* out) { conv2d_backward_data(s, dy.data(), w.data(), out); }),
              dx, window * s.o, "data " + what);
  expect_near(same_for_all_threads(
                  dw.size(), s.dtype, "weight " + what,
                  [&](void* out) { conv2d_backward_weight(s, x.data(), dy.data(), out); }),
              dw, s.n * s.oh * s.ow, "weight " + what);
}

TEST(ConvKernel, MatchesNaiveOnRandomShapes) {
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

TEST(ConvKernel, DepthwiseAndFirstLayers) {
  for (DType dtype : {kF32, kBF16}) {
    check_conv(conv_shape(dtype, 6, 17, 19, 24, 24, 3, 3, 1, 1, 1, 24), 1);
    check_conv(conv_shape(dtype, 3, 17, 19, 8, 16, 3, 3, 2, 1, 1, 8), 2);
    check_conv(conv_shape(dtype, 24, 28, 28, 1, 32, 3, 3, 1, 0, 1, 1), 3);
    check_conv(conv_shape(dtype, 9, 32, 32, 3, 16, 3, 3, 1, 1, 1, 1), 4);
  }
}

TEST(ConvKernel, FewImagesAreCutIntoRows) {
  for (DType dtype : {kF32, kBF16})
    for (int64_t stride : {1, 2, 3})
      for (int64_t kernel : {1, 3, 5}) {
        check_conv(conv_shape(dtype, 1, 61, 47, 16, 24, kernel, kernel, stride, kernel / 2, 1, 1),
                   1);
        check_conv(conv_shape(dtype, 2, 50, 40, 16, 24, kernel, 3, stride, 0, 2, 1), 2);
      }
}

TEST(ConvKernel, PaddingBeyondTheKernel) {
  check_conv(conv_shape(kF32, 2, 9, 9, 3, 4, 1, 1, 1, 2, 1, 1), 1);
  check_conv(conv_shape(kF32, 1, 60, 60, 32, 32, 2, 2, 1, 3, 1, 1), 2);
}

TEST(ConvKernel, EmptySizes) {
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
