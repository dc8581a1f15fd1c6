// Groups that run over a product or a convolution part by part: fewer kernels, the same numbers.
#include <gtest/gtest.h>

#include <functional>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/host.h"

namespace glia::test {
namespace {

Tensor some(const Shape& shape, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(numbers.uniform(-1, 1));
  return from_vector(values, shape);
}

using Results = std::vector<std::vector<float>>;
using Compute = std::function<std::vector<Tensor>()>;

Results read(const Compute& compute) {
  const std::vector<Tensor> tensors = compute();
  eval(tensors);
  Results out;
  for (const Tensor& t : tensors) out.push_back(t.to_vector<float>());
  return out;
}

// The same as one operation after the other, for any number of threads, in so many kernels.
void check(const Compute& compute, int64_t kernels, double tolerance = 0) {
  set_eager(true);
  const Results expected = read(compute);
  set_eager(false);
  const int threads = num_threads();
  Results first;
  for (int count : {1, 2, 3}) {
    set_num_threads(count);
    const int64_t before = graph_stats().kernels_run;
    const Results found = read(compute);
    EXPECT_EQ(graph_stats().kernels_run - before, kernels) << count << " threads";
    if (first.empty()) first = found;
    EXPECT_EQ(found, first) << count << " threads";
  }
  set_num_threads(threads);
  ASSERT_EQ(first.size(), expected.size());
  for (size_t r = 0; r < first.size(); ++r) {
    ASSERT_EQ(first[r].size(), expected[r].size());
    for (size_t i = 0; i < first[r].size(); ++i)
      ASSERT_NEAR(first[r][i], expected[r][i], tolerance) << "result " << r << ", element " << i;
  }
}

struct Size {
  int64_t m, n, k;
};
// Whole, cut along rows, along columns, along k, and with what is left over.
constexpr Size kSizes[] = {{1, 8, 3},      {5, 9, 7},      {70, 500, 33}, {128, 120, 84},
                           {900, 17, 300}, {30, 1000, 40}, {33, 20, 9001}};

TEST(Epilogue, BiasAndActivationFollowAProduct) {
  for (const auto [m, n, k] : kSizes) {
    const Tensor x = some({m, k}, 1), w = some({n, k}, 2), b = some({n}, 3);
    check([&] { return std::vector{relu(linear(x, w, b))}; }, 1);
    // The product itself is wanted too.
    check(
        [&] {
          const Tensor y = matmul(x, transpose(w));
          return std::vector{y, gelu(y + b)};
        },
        1);
  }
}

TEST(Epilogue, RowsColumnsAndWholeArraysAreRead) {
  for (const auto [m, n, k] : kSizes) {
    if (m == 1) continue;
    const Tensor x = some({m, k}, 1), w = some({k, n}, 2), row = some({m, 1}, 3);
    const Tensor other = some({m, n}, 4), turned = some({n, m}, 5);
    check([&] { return std::vector{(matmul(x, w) * row + other) * 0.5f}; }, 1);
    check([&] { return std::vector{matmul(x, w) * transpose(turned)}; }, 1);
  }
}

TEST(Epilogue, AnOperandOfTheProductIsNotOverwritten) {
  const Tensor x = some({300, 300}, 1), w = some({300, 300}, 2);
  check(
      [&] {
        const Tensor h = sin(x);
        return std::vector{h + matmul(h, w), exp(-matmul(w, h) * 0.1f) + h};
      },
      3);
}

TEST(Epilogue, ShapesInBetweenDoNotMatter) {
  const Tensor x = some({6, 10, 40}, 1), w = some({24, 40}, 2), b = some({24}, 3);
  const Tensor residual = some({6, 10, 24}, 4);
  check([&] { return std::vector{relu(linear(x, w, b)) + residual}; }, 1);
  // Other orders of the elements are passes of their own.
  const Tensor turned = some({6, 24, 10}, 5);
  check([&] { return std::vector{permute(linear(x, w), {0, 2, 1}) * turned}; }, 2);
}

TEST(Epilogue, SumsOverRows) {
  for (const auto [m, n, k] : kSizes) {
    if (m == 1) continue;
    const Tensor x = some({m, k}, 1), w = some({k, n}, 2), h = some({m, n}, 3);
    const double tolerance = 1e-6 * static_cast<double>(m * k);
    check(
        [&] {
          const Tensor g = where(h > 0, matmul(x, w), 0);
          return std::vector{g, sum(g, {0})};
        },
        1, tolerance);
    check([&] { return std::vector{max(matmul(x, w), {0})}; }, 1);
  }
}

TEST(Epilogue, WholeRowsAreNormalised) {
  for (const Size size : {Size{70, 32, 12}, {1000, 128, 128}, {300, 500, 40}}) {
    const Tensor x = some({size.m, size.k}, 1), w = some({size.n, size.k}, 2);
    const Tensor residual = some({size.m, size.n}, 3), weight = some({size.n}, 4);
    check([&] { return std::vector{softmax(linear(x, w))}; }, 1, 1e-6);
    check(
        [&] {
          const Tensor y = linear(x, w) + residual;
          return std::vector{y, layer_norm(y, weight, weight)};
        },
        1, 1e-5);
  }
}

TEST(Epilogue, FollowsConvolutionsAndTheirGradients) {
  for (const int64_t channels : {16, 20}) {
    const Tensor x = some({3, 14, 13, channels}, 1), w = some({24, 3, 3, channels}, 2);
    const Tensor b = some({24}, 3), shift = some({3, 14, 13, 24}, 4);
    const Conv2dOptions options{.padding = {1, 1}};
    check([&] { return std::vector{relu(conv2d(x, w, b, options) + shift)}; }, 1, 1e-4);
    check(
        [&] {
          const Tensor y = conv2d(x, w, {}, options);
          return std::vector{y, mean(y, {0, 1, 2})};
        },
        2, 1e-4);
    const Tensor leaf = trainable(x);
    check(
        [&] {
          const Tensor y = conv2d(relu(leaf), w, {}, options);
          return gradients(sum(y * shift), {leaf});  // of y, then of its input
        },
        2, 1e-4);
  }
}

TEST(Epilogue, NothingIsComputedBeforeWhatItNeeds) {
  const Tensor x = some({64, 64}, 1), w = some({64, 64}, 2), v = some({64, 64}, 3);
  // The sum needs the second product: it follows that one.
  check([&] { return std::vector{relu(matmul(x, w) + matmul(x, v))}; }, 2);
  // A result that is an operand of the other product cannot follow it.
  check(
      [&] {
        const Tensor y = matmul(x, w), z = matmul(tanh(y), v);
        return std::vector{y * z, tanh(y)};
      },
      2, 1e-5);
}

}  // namespace
}  // namespace glia::test
