// Matrix products, convolution and pooling as operations on tensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
#include "tests/support/generator.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::message_of;

using test::Numbers;

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
  EXPECT_EQ(message_of<ShapeError>([&] {
              matmul(a, b);
            }).rfind("matmul: inner sizes differ: (128, 784) x (512, 10) at ", 0),
            0u);
  EXPECT_NE(message_of<ShapeError>([&] {
              matmul(ones({2, 3, 4}), ones({3, 4, 5}));
            }).find("do not broadcast"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { matmul(ones({}), ones({3})); }).find("no axes"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              linear(a, b);
            }).find("(128, 784) does not fit weight (512, 10)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              linear(a, ones({5, 784}), ones({4}));
            }).find("bias (4,)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { matmul(Tensor(), a); }).find("not defined"),
            std::string::npos);
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

// Images and kernels that are one pixel wide, or kernels as wide (and high) as the image.
TEST(Conv2d, FormsOfOtherSizes) {
  struct {
    Shape x, w;
    Conv2dOptions options;
  } const cases[] = {
      {{2, 9, 1, 4}, {6, 3, 1, 4}, {.stride = {2, 3}, .padding = {1, 0}, .dilation = {2, 1}}},
      {{2, 9, 1, 4}, {6, 3, 1, 2}, {.padding = {2, 0}, .groups = 2}},
      {{2, 9, 1, 4}, {6, 9, 1, 4}, {}},
      {{2, 5, 7, 4}, {6, 1, 7, 4}, {.stride = {1, 2}}},
      {{2, 5, 7, 4}, {6, 3, 7, 4}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {2, 1}}},
      {{2, 5, 7, 4}, {6, 5, 7, 4}, {}},
      {{2, 5, 7, 4}, {6, 3, 7, 4}, {.padding = {0, 1}}},
      {{2, 5, 7, 4}, {6, 3, 7, 2}, {.groups = 2}},
      {{2, 5, 7, 4}, {6, 5, 4, 4}, {.dilation = {1, 2}}},
  };
  for (const auto& [x, w, o] : cases) {
    SCOPED_TRACE(x.str() + " " + w.str());
    const std::vector<Tensor> in{random_tensor(x, 1), random_tensor(w, 2)};
    EXPECT_LE(difference(conv2d(in[0], in[1], {}, o), conv_spelled_out(in[0], in[1], o)), 1e-12);
    EXPECT_EQ(
        gradcheck([&o = o](const std::vector<Tensor>& t) { return conv2d(t[0], t[1], {}, o); }, in),
        "");
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
  EXPECT_NE(message_of<ShapeError>([&] {
              conv2d(x, ones({4, 3, 3, 2}));
            }).find("channels do not fit with groups 1: x (2, 8, 8, 3), weight (4, 3, 3, 2)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              conv2d(ones({2, 2, 8, 3}), w);
            }).find("does not fit"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              conv2d(ones({8, 8, 3}), w);
            }).find("C / groups): x (8, 8, 3)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { conv2d(x, w, ones({3})); }).find("bias (3,)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              conv2d(x, w, {}, {.stride = {0, 1}});
            }).find("out of range"),
            std::string::npos);
  EXPECT_NE(
      message_of<ShapeError>([&] { conv2d(cast(x, kI32), cast(w, kI32)); }).find("needs floats"),
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
  EXPECT_NE(message_of<ShapeError>([&] {
              max_pool2d(x, 5);
            }).find("does not fit into the image: x (2, 4, 4, 3), window (5, 5)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              avg_pool2d(ones({4, 4, 3}), 2);
            }).find("got (4, 4, 3)"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              max_pool2d(x, {2, 2}, {.padding = {2, 0}});
            }).find("half the window"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { max_pool2d(cast(x, kI64), 2); }).find("needs floats"),
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
