// Positions in arrays so large that work on them is cut: sums at positions, masks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

// The same for several numbers of threads, of which the first is 1.
template <class F>
Tensor with_any_threads(F&& f) {
  const int before = num_threads();
  Tensor first;
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    const Tensor out = f();
    eval(out);
    if (threads == 1)
      first = out;
    else
      EXPECT_TRUE(out.to_vector<double>() == first.to_vector<double>()) << threads << " threads";
  }
  set_num_threads(before);
  return first;
}

std::vector<int64_t> random_numbers(int64_t count, int64_t low, int64_t high, int seed) {
  std::mt19937_64 engine(static_cast<uint64_t>(seed));
  std::uniform_int_distribution<int64_t> draw(low, high);
  std::vector<int64_t> out(static_cast<size_t>(count));
  for (int64_t& x : out) x = draw(engine);
  return out;
}

struct Size {
  int64_t outer, rows, width, count;
};
// Few rows; many of one number, of some, of many; slices that are few and long, or many.
const std::vector<Size> kSizes{{1, 10, 64, 9000},    {1, 700, 1, 300000},  {1, 90000, 1, 150000},
                               {1, 9000, 8, 20000},  {1, 3000, 130, 3000}, {2, 5, 16, 20000},
                               {3, 40000, 1, 90000}, {40, 30, 7, 1000},    {1, 1, 3, 100000}};

TEST(Positions, SumsAreThoseOfALoopAndOfAnyNumberOfThreads) {
  for (const auto& [outer, rows, width, count] : kSizes) {
    const auto at = random_numbers(count, -rows, rows - 1, 1);
    const auto numbers = random_numbers(outer * count * width, -20, 20, 2);
    std::vector<double> expected(static_cast<size_t>(outer * rows * width), 1);
    for (int64_t i = 0; i < outer * count * width; ++i) {
      const int64_t k = i / width % count, o = i / width / count;
      const int64_t row = at[k] < 0 ? at[k] + rows : at[k];
      expected[(o * rows + row) * width + i % width] += static_cast<double>(numbers[i]);
    }
    for (DType dtype : {kF32, kF64, kBF16, kI32, kI64}) {
      SCOPED_TRACE((Shape{outer, rows, width, count}).str() + name(dtype));
      const Tensor x = ones({outer, rows, width}, dtype);
      const Tensor source = cast(from_vector(numbers, {outer, count, width}), dtype);
      const Tensor indices =
          dtype == kF64 ? cast(from_vector(at, {count}), kI32) : from_vector(at, {count});
      const Tensor out = with_any_threads([&] { return index_add(x, indices, source, 1); });
      std::vector<double> rounded = expected;
      if (dtype == kBF16)
        rounded = cast(from_vector(expected, {outer * rows * width}), kBF16).to_vector<double>();
      EXPECT_TRUE(out.to_vector<double>() == rounded);
      if (width > 1) continue;
      const Tensor each = expand(reshape(indices, {1, count}), {outer, count});
      const Tensor scattered = with_any_threads([&] {
        return scatter_add(reshape(x, {outer, rows}), each, reshape(source, {outer, count}), 1);
      });
      EXPECT_TRUE(scattered.to_vector<double>() == rounded);
    }
  }
}

TEST(Positions, FractionsHaveTheSameSumForAnyNumberOfThreads) {
  for (const auto& [outer, rows, width, count] : kSizes) {
    SCOPED_TRACE((Shape{outer, rows, width, count}).str());
    const Tensor source = cast(from_vector(random_numbers(outer * count * width, -1000, 1000, 3),
                                           {outer, count, width}),
                               kF32) /
                          7.0;
    const Tensor indices = from_vector(random_numbers(count, 0, rows - 1, 4), {count});
    with_any_threads([&] { return index_add(zeros({outer, rows, width}), indices, source, 1); });
  }
}

TEST(Positions, AnIndexOutOfRangeIsAnErrorAnywhere) {
  for (const auto& [outer, rows, width, count] : kSizes) {
    for (const int64_t place : {int64_t{0}, count / 2, count - 1}) {
      for (const int64_t wrong : {rows, -rows - 1, INT64_MAX, INT64_MIN}) {
        std::vector<int64_t> at(static_cast<size_t>(count), 0);
        at[place] = wrong;
        const Tensor out = index_add(zeros({outer, rows, width}), from_vector(at, {count}),
                                     ones({outer, count, width}), 1);
        EXPECT_THROW(eval(out), ValueError);
      }
    }
  }
}

TEST(Positions, OfWhatIsNotZero) {
  for (const Shape& shape : std::vector<Shape>{{0},
                                               {5},
                                               {3, 0},
                                               {7, 9},
                                               {70000},
                                               {300, 401},
                                               {2, 3, 20000},
                                               {150000, 1},
                                               {65536},
                                               {65537, 2}}) {
    for (const int64_t one_in : {1, 2, 100, 1 << 30}) {
      SCOPED_TRACE(shape.str() + " one in " + std::to_string(one_in));
      std::vector<bool> truth;
      std::vector<int64_t> expected;
      int64_t count = 0;
      for (int64_t n : random_numbers(shape.numel(), 0, one_in - 1, 5)) {
        const auto i = static_cast<int64_t>(truth.size());
        truth.push_back(n == 0);
        if (n) continue;
        ++count;
        int64_t rest = shape.numel();
        for (int a = 0; a < shape.rank(); ++a) {
          const int64_t inside = i % rest;
          rest /= shape[a];
          expected.push_back(inside / rest);
        }
      }
      const Tensor mask = from_vector(truth, shape);
      const Tensor out = with_any_threads([&] { return nonzero(mask); });
      EXPECT_EQ(out.shape().str(), (Shape{count, shape.rank()}).str());
      EXPECT_TRUE(out.to_vector<int64_t>() == expected);
      const Tensor x = reshape(arange(shape.numel()), shape);
      const Tensor selected = with_any_threads([&] { return index(x, {mask}); });
      std::vector<int64_t> kept, filled;
      for (size_t i = 0; i < truth.size(); ++i) {
        filled.push_back(truth[i] ? -1 : static_cast<int64_t>(i));
        if (truth[i]) kept.push_back(static_cast<int64_t>(i));
      }
      EXPECT_TRUE(selected.to_vector<int64_t>() == kept);
      EXPECT_TRUE(index_update(x, {mask}, tensor(-1)).to_vector<int64_t>() == filled);
    }
  }
}

TEST(Positions, AnyByteButZeroIsTrue) {
  std::vector<uint8_t> bytes(3000, 0);
  int64_t count = 0;
  for (size_t i = 0; i < bytes.size(); i += 1 + i % 5, ++count)
    bytes[i] = static_cast<uint8_t>(i % 255 + 1);
  const Tensor mask = from_bytes(bytes.data(), {3000}, kBool);
  EXPECT_EQ(nonzero(mask).size(0), count);
}

TEST(Positions, ValuesThatRepeatAreTakenWhereAMaskSays) {
  const Tensor x = reshape(arange(24), {2, 3, 4});
  const Tensor rows = from_vector<bool>({false, true, true}, {3});
  const Tensor pairs = from_vector<bool>({true, false, true, false, true, false}, {2, 3});
  const auto same = [&](const std::vector<Index>& at, const Tensor& mask, const Tensor& value) {
    EXPECT_TRUE(index_update(x, at, value).to_vector<int64_t>() ==
                where(mask, value, x).to_vector<int64_t>());
  };
  const Tensor row = tensor<int64_t>({-1, -2, -3, -4});
  const Tensor wide_rows = reshape(rows, {1, 3, 1}), wide_pairs = reshape(pairs, {2, 3, 1});
  same({Slice{}, rows}, wide_rows, row);
  same({Slice{}, rows}, wide_rows, reshape(row, {1, 4}));
  same({Slice{}, rows}, wide_rows, reshape(row, {1, 1, 4}));
  same({Slice{}, rows}, wide_rows, tensor<int64_t>({-7}));
  same({pairs}, wide_pairs, row);
  same({pairs}, wide_pairs, reshape(row, {1, 4}));
  const Tensor each = reshape(tensor<int64_t>({-1, -2}), {2, 1, 1});
  same({Slice{}, rows}, wide_rows, each);
  const std::vector<Tensor> wrong{tensor<int64_t>({1, 2, 3}), reshape(row, {1, 1, 1, 4}),
                                  reshape(arange(5), {5, 1})};
  for (const Tensor& value : wrong) {
    EXPECT_THROW(eval(index_update(x, {Slice{}, rows}, value)), ShapeError);
    EXPECT_THROW(eval(index_update(x, {pairs}, value)), ShapeError);
  }
}

TEST(Positions, OrdersOfLongLinesAreThoseOfAStableSort) {
  for (const int64_t size : {600, 20000, 300000}) {
    for (const int64_t most : {5, 1000000000}) {
      const auto numbers = random_numbers(size, -most, most, 6);
      std::vector<int64_t> order(numbers.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int64_t a, int64_t b) { return numbers[a] > numbers[b]; });
      for (DType dtype : {kI64, kF64}) {
        const Tensor x = cast(from_vector(numbers, {size}), dtype);
        EXPECT_TRUE(argsort(x, 0, true).to_vector<int64_t>() == order);
        for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{5}, size / 50, size - 1}) {
          SCOPED_TRACE(std::to_string(k) + " of " + std::to_string(size));
          const Tensor first = with_any_threads([&] { return topk(x, k).second; });
          EXPECT_TRUE(first.to_vector<int64_t>() ==
                      std::vector<int64_t>(order.begin(), order.begin() + k));
        }
        // Along columns.
        const Tensor twice = stack({x, x}, 1);
        EXPECT_TRUE(argmax(twice, 0).to_vector<int64_t>() ==
                    std::vector<int64_t>(2, order.front()));
      }
    }
  }
}

TEST(Positions, OrdersOfLongLinesWithExtremesAndEqualNumbers) {
  constexpr int64_t kSize = 200000;
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::vector<int64_t> extremes = random_numbers(kSize, INT64_MIN, INT64_MAX, 7);
  extremes[5] = extremes[150000] = INT64_MIN;
  extremes[6] = extremes[150001] = INT64_MAX;
  const std::vector<int64_t> same(kSize, 3);
  std::vector<double> floats(kSize);
  std::mt19937_64 engine(8);
  std::normal_distribution<double> normal;
  for (double& x : floats) x = normal(engine);
  for (size_t i = 0; i < 100; ++i) {
    floats[i * 997] = i % 2 ? kInf : -kInf;
    floats[i * 991] = std::nan("");
    floats[i * 983] = i % 2 ? 0.0 : -0.0;
  }
  const auto check = [&](const Tensor& x, auto less) {
    for (bool descending : {false, true}) {
      std::vector<int64_t> order(kSize);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int64_t a, int64_t b) { return descending ? less(b, a) : less(a, b); });
      EXPECT_TRUE(argsort(x, 0, descending).to_vector<int64_t>() == order) << descending;
      if (descending) {
        EXPECT_TRUE(topk(x, 300).second.to_vector<int64_t>() ==
                    std::vector<int64_t>(order.begin(), order.begin() + 300));
      }
    }
  };
  check(from_vector(extremes, {kSize}),
        [&](int64_t a, int64_t b) { return extremes[a] < extremes[b]; });
  check(from_vector(same, {kSize}), [](int64_t, int64_t) { return false; });
  const auto less = [&](int64_t a, int64_t b) {  // NaN is the largest
    return std::isnan(floats[b]) ? !std::isnan(floats[a]) : floats[a] < floats[b];
  };
  check(from_vector(floats, {kSize}), less);
}

}  // namespace
}  // namespace glia::test
