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

// What is read across its rows is gathered in blocks.
TEST(Sizes, TransposedOperandsAreThoseOfTheirCopies) {
  for (const DType dtype : {kF32, kF64, kBF16, kI32, kU8}) {
    for (const int64_t rows : {2, 15, 16, 17, 63, 200, 4100}) {
      for (const int64_t columns : {3, 9, 16, 33, 70, 130}) {
        const Tensor x = cast(ramp({rows, columns}, kF32, 1), dtype);
        const Tensor other = cast(ramp({columns, rows}, kF32, 0.5), dtype);
        const Tensor turned = transpose(x, 0, 1), kept = turned + zeros({columns, rows}, dtype);
        eval({x, other, kept});
        const auto of = [&](const Tensor& t) {
          return numbers(cast(concat({reshape(t * other, {-1}), reshape(max(t * other, {1}), {-1}),
                                      reshape(t + index(other, {Ellipsis, Slice{0, 1}}), {-1})}),
                              kF64));
        };
        ASSERT_EQ(of(turned), of(kept)) << name(dtype) << " " << rows << " " << columns;
      }
    }
  }
  const Tensor x = ramp({5, 40, 33}), planes = permute(x, {0, 2, 1});
  const Tensor whole = planes * 1.0;
  eval(whole);
  EXPECT_EQ(numbers(sum(planes * planes, {2})), numbers(sum(whole * whole, {2})));
  EXPECT_EQ(numbers(permute(x, {2, 1, 0}) * 2.0), numbers(permute(whole, {1, 2, 0}) * 2.0));
}

TEST(Sizes, MoreThanAThousandLengthsKeepTheirPlans) {
  if (eager()) GTEST_SKIP() << "there are no plans of several operations";
  const Tensor all = ramp({1500, 2});
  eval(all);
  const auto pass = [&] {
    for (int64_t n = 1; n <= 1200; ++n) eval(tanh(slice(all, 0, {0, n})) * 2);
  };
  pass();
  EXPECT_EQ(plans_built_by(pass), 0);
}

TEST(Sizes, PositionsOfAnUpdateAreNoPartOfAPlansKey) {
  const Tensor x = ramp({40, 6}), row = ramp({6}), columns = ramp({40, 2});
  eval({x, row, columns});
  const auto pass = [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      eval(index_update(x, {i}, row));
      eval(index_update(x, {Ellipsis, Slice{i % 4, i % 4 + 2}}, columns));
    }
  };
  pass(0, 2);
  if (!eager()) {
    EXPECT_EQ(plans_built_by([&] { pass(2, 40); }), 0);
  }
  for (const int64_t i : {int64_t{0}, int64_t{17}, int64_t{39}}) {
    std::vector<double> expected = numbers(x), values = numbers(row);
    std::ranges::copy(values, expected.begin() + 6 * i);
    EXPECT_EQ(numbers(index_update(x, {i}, row)), expected);
    EXPECT_EQ(numbers(index_update(x, {i - 40}, row)), expected);
  }
}

TEST(Sizes, GradientsOfUpdatesAtNewPositions) {
  const auto gradient = [](int64_t i) {
    const Tensor x = trainable(ramp({10, 3}, kF64)), v = trainable(ramp({3}, kF64));
    const Tensor y = sum(square(index_update(x, {i}, v)) * ramp({10, 3}, kF64));
    return gradients(y, {x, v});
  };
  gradient(0);
  for (int64_t i = 0; i < 10; ++i) {
    const auto g = gradient(i);
    const auto x = numbers(ramp({10, 3}, kF64)), v = numbers(ramp({3}, kF64));
    const auto gx = numbers(g[0]), gv = numbers(g[1]);
    for (int64_t k = 0; k < 30; ++k) ASSERT_DOUBLE_EQ(gx[k], k / 3 == i ? 0 : 2 * x[k] * x[k]) << i;
    for (int64_t k = 0; k < 3; ++k) ASSERT_DOUBLE_EQ(gv[k], 2 * v[k] * x[i * 3 + k]) << i;
  }
}

}  // namespace
}  // namespace glia
