// One structure at many sizes: code that was made for one of them serves the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/graph/engine.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using namespace test;

// Programs of every kind of loop: flat ones, rows, whole rows that are reduced, and columns that
// are.
std::vector<Tensor> values_at(int64_t rows, int64_t columns, DType dtype) {
  const Tensor x = ramp({rows, columns}, dtype), row = ramp({rows, 1}, dtype);
  const Tensor column = ramp({columns}, dtype);
  std::vector<Tensor> out = {
      tanh(x) * 2 + x,
      sum(exp(x) * x),
      max(x * x - x),
      x * row + column,
      softmax(x, 1),
      sum(exp(x), {0}),
      sum(x * row, {0}) * column,
      sum(square(x - column), {1}) + squeeze(row, 1),
      x * row > column,
  };
  eval(out);
  return out;
}

std::vector<std::vector<double>> bits_at(int64_t rows, int64_t columns, DType dtype) {
  std::vector<std::vector<double>> out;
  for (const Tensor& t : values_at(rows, columns, dtype)) out.push_back(numbers(cast(t, kF64)));
  return out;
}

// From a few rows, whose columns are summed in f64 alone, to arrays that are cut into pieces.
const std::vector<int64_t> kRows = {1, 3, 64, 65, 300, 2000}, kColumns = {1, 3, 5, 16, 65, 130};

TEST(Sizes, ResultsDoNotDependOnTheSizeThatCodeWasMadeFor) {
  for (const DType dtype : {kF32, kF64, kBF16}) {
    for (const int64_t columns : kColumns) {
      std::vector<std::vector<std::vector<double>>> alone, up, down;
      for (const int64_t rows : kRows) {
        trim();
        alone.push_back(bits_at(rows, columns, dtype));
      }
      trim();
      for (const int64_t rows : kRows) up.push_back(bits_at(rows, columns, dtype));
      trim();
      for (size_t i = kRows.size(); i-- > 0;) down.push_back(bits_at(kRows[i], columns, dtype));
      std::ranges::reverse(down);
      EXPECT_EQ(alone, up) << name(dtype) << " of " << columns << " columns";
      EXPECT_EQ(alone, down) << name(dtype) << " of " << columns << " columns";
    }
  }
}

// Beyond 64 MB what is stored goes past the caches: other code than that of the same form before.
TEST(Sizes, LargeArraysHaveCodeOfTheirOwn) {
  const auto last = [](int64_t n) {
    const Tensor y = cast(arange(n), kF32) * 0.5 + 1;
    return slice(y, 0, {n - 3, n}).to_vector<float>();
  };
  for (const int64_t n : {int64_t{1000}, int64_t{9} << 20, int64_t{1000}, int64_t{20} << 20}) {
    const auto expected = static_cast<float>(n - 1) * 0.5F + 1;
    EXPECT_EQ(last(n).back(), expected) << n;
  }
}

TEST(Sizes, GradientsAtNewSizesAreThoseOfOneOperationAfterTheOther) {
  const auto gradient = [](int64_t n) {
    const Tensor x = trainable(ramp({n, 12}, kF64));
    const Tensor loss = mean(square(softmax(x * 3, 1) - 0.1)) + sum(tanh(sum(x, {0})));
    return numbers(gradients(loss, {x})[0]);
  };
  for (const int64_t n : {2, 7, 64, 65, 200, 3}) {
    const auto fused = gradient(n);
    const bool before = eager();
    set_eager(true);
    const auto plain = gradient(n);
    set_eager(before);
    ASSERT_EQ(fused.size(), plain.size());
    for (size_t i = 0; i < fused.size(); ++i) ASSERT_NEAR(fused[i], plain[i], 1e-13) << n;
  }
}

}  // namespace
}  // namespace glia
