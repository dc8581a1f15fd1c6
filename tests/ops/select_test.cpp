// Scattering, masks, searching, sets and histograms.
#include "glia/ops/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "glia/autodiff.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using In = const std::vector<Tensor>&;
using enum ScatterReduction;

void check_derivatives(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(gradcheck(f, inputs), "");
  EXPECT_EQ(gradgradcheck(f, inputs), "");
}
template <class F>
void expect_fails(F&& f, const std::string& what) {
  const std::string message = message_of(f);
  EXPECT_NE(message.find(what), std::string::npos) << message << "; expected: " << what;
}

TEST(Select, Slices) {
  const Tensor x = tensor<double>({{1, 2, 3}, {4, 5, 6}}), at = tensor<int64_t>({2, -3});
  expect_values(index_select(x, at, 1), {2, 2}, {3, 1, 6, 4});
  expect_values(index_copy(x, at, zeros({2, 2}, kF64), 1), {2, 3}, {0, 2, 0, 0, 5, 0});
  expect_values(index_fill(x, at, 9, 1), {2, 3}, {9, 2, 9, 9, 5, 9});
  expect_values(index_fill(x, zeros({0}, kI32), 9, 1), {2, 3}, {1, 2, 3, 4, 5, 6});
  expect_values(take_along_axis(x, tensor<int64_t>({{1}, {0}}), 1), {2, 1}, {2, 4});
  expect_values(take_along_axis(x, tensor<int64_t>({{1, 0}}), 1), {2, 2}, {2, 1, 5, 4});
  expect_values(take_along_axis(x, tensor<int64_t>({5, -1})), {2}, {6, 6});
  expect_values(put_along_axis(x, tensor<int64_t>({{1}}), tensor<double>({{7.0}}), 1), {2, 3},
                {1, 7, 3, 4, 7, 6});
  check_derivatives(
      [](In t) {
        return index_copy(t[0], tensor<int64_t>({1, 0}), t[1], 0);
      },
      {numbers({3, 2}), numbers({2, 2})});
  expect_fails([&] { index_select(x, zeros({1, 1}, kI64), 0); }, "indices of rank 1");
  expect_fails([&] { index_select(x, tensor<int64_t>({3}), 1).item(); }, "");
  expect_fails([&] { eval(index_select(x, tensor<int64_t>({3}), 1)); }, "index 3 is out of range");
  expect_fails([&] { index_copy(x, at, zeros({2, 3}), 1); }, "source (2, 3) should be (2, 2)");
  expect_fails([&] { index_fill(zeros({3}, kI32), at, 0.5, 0); }, "cannot hold 0.5");
  expect_fails([&] { take_along_axis(x, zeros({1, 1, 1}, kI64), 0); }, "different rank");
  expect_fails([&] { take_along_axis(x, zeros({3, 1}, kI64), 1); }, "take_along_axis");
  expect_fails(
      [&] {
        put_along_axis(slice(x, 0, {0, 1}), zeros({2, 1}, kI64), x, 1);
      },
      "do not fit");
}

TEST(Select, Scatter) {
  const Tensor x = zeros({2, 3}, kF64), at = tensor<int64_t>({{0, 2, 0}});
  const Tensor source = tensor<double>({{1, 2, 3}});
  expect_values(scatter(x, at, source, 1), {2, 3}, {3, 0, 2, 0, 0, 0});  // the last stays
  expect_values(scatter(x, at, 5, 1), {2, 3}, {5, 0, 5, 0, 0, 0});
  expect_values(scatter(x, tensor<int>({{1, 0}}), tensor<double>({{7, 8}}), 0), {2, 3},
                {0, 8, 0, 7, 0, 0});
  const Tensor s = trainable(source);
  expect_values(gradients(sum(scatter(x, at, s, 1)), {s})[0], {1, 3}, {0, 1, 1});
  check_derivatives([&](In t) { return square(scatter(t[0], at, t[1], 1)); },
                    {numbers({2, 3}), numbers({1, 3}, 1)});
  EXPECT_EQ(scatter(x, zeros({0, 3}, kI64), zeros({0, 3}), 0).shape().str(), "(2, 3)");
  expect_fails([&] { scatter(x, at, tensor<double>({1.0}), 1); }, "different rank");
  expect_fails([&] { eval(scatter(x, at + 3, source, 1)); }, "out of range");
  expect_fails([&] { scatter(x, zeros({3, 3}, kI64), zeros({3, 3}), 1); }, "do not fit in");
}

TEST(Select, Puts) {
  const Tensor x = tensor<double>({{1, 2, 3}, {4, 5, 6}});
  const Tensor rows = tensor<int64_t>({0, 1, 0}), columns = tensor<int64_t>({2, 0, 2});
  const Tensor v = tensor<double>({10, 20, 30});
  expect_values(index_put(x, {rows, columns}, v), {2, 3}, {1, 2, 30, 20, 5, 6});
  expect_values(index_put(x, {rows, columns}, v, true), {2, 3}, {1, 2, 43, 24, 5, 6});
  expect_values(index_put(x, {{}, tensor<int64_t>({-1})}, tensor(0.0)), {2, 3}, {1, 2, 0, 4, 5, 0});
  expect_values(index_put(x, {x > 4}, tensor(1.0), true), {2, 3}, {1, 2, 3, 4, 6, 7});
  expect_values(put(x, tensor<int64_t>({{0, -1}, {0, 2}}), tensor<double>({{7, 8}, {9, 1}})),
                {2, 3}, {9, 2, 1, 4, 5, 8});
  expect_values(put(x, tensor<int>({0, 0}), tensor<double>({7, 9}), true), {2, 3},
                {17, 2, 3, 4, 5, 6});
  expect_values(select_scatter(x, tensor<double>({7, 8}), 1, -2), {2, 3}, {1, 7, 3, 4, 8, 6});
  expect_values(diagonal_scatter(x, tensor<double>({7, 8}), 1), {2, 3}, {1, 7, 3, 4, 5, 8});
  expect_values(diagonal_scatter(x, tensor<double>({7, 8}), 0, 1, 0), {2, 3}, {7, 2, 3, 4, 8, 6});
  const auto at = unravel_index(tensor<int64_t>({5, 0, -1, 3}), {2, 3});
  expect_values(at[0], {4}, {1, 0, 1, 1});
  expect_values(at[1], {4}, {2, 0, 2, 0});
  EXPECT_TRUE(unravel_index(tensor<int64_t>(0), {}).empty());
  check_derivatives(
      [&](In t) {
        return square(index_put(t[0], {rows, columns}, t[1], true));
      },
      {numbers({2, 3}), numbers({3}, 1)});
  check_derivatives([&](In t) { return square(diagonal_scatter(t[0], t[1], -1)); },
                    {numbers({2, 3}), numbers({1}, 1)});
  expect_fails([&] { put(x, rows, zeros({2}, kF64)); }, "source (2,) for indices (3,)");
  expect_fails([&] { put(x, v, v); }, "indices are integers");
  expect_fails([&] { eval(put(x, tensor<int64_t>({6}), ones({1}, kF64))); }, "out of range");
  expect_fails([&] { eval(unravel_index(tensor<int64_t>({6}), {2, 3})[0]); }, "out of range");
  expect_fails([&] { unravel_index(rows, {2, -1}); }, "the shape is (2, -1)");
  expect_fails([&] { select_scatter(x, v, 0, 2); }, "index 2 is out of range");
  expect_fails([&] { select_scatter(x, ones({2}, kF64), 0, 0); }, "");
  expect_fails([&] { diagonal_scatter(x, v); }, "source (3,) should be (2,)");
  expect_fails([&] { index_put(x, {rows}, zeros({2, 2}, kF64)); }, "expand");
}

TEST(Select, IndexReduce) {
  const Tensor x = tensor<double>({{2, 3}, {4, 5}}), at = tensor<int64_t>({1, 1});
  const Tensor source = tensor<double>({{1, 6}, {3, 2}});
  const auto of = [&](ScatterReduction how, bool self) {
    return index_reduce(x, at, source, 0, how, self);
  };
  expect_values(of(kProd, true), {2, 2}, {2, 3, 12, 60});
  expect_values(of(kMean, true), {2, 2}, {2, 3, 8 / 3.0, 13 / 3.0}, 1e-15);
  expect_values(of(kMean, false), {2, 2}, {2, 3, 2, 4});
  expect_values(of(kAmax, false), {2, 2}, {2, 3, 3, 6});
  expect_values(of(kAmin, true), {2, 2}, {2, 3, 1, 2});
  expect_values(index_reduce(x, at, source, 1, kAmax), {2, 2}, {2, 6, 4, 5});
  check_derivatives([&](In t) { return index_reduce(t[0], at, t[1], 1, kProd); },
                    {numbers({2, 2}), numbers({2, 2}, 1)});
  expect_fails([&] { index_reduce(x, at, ones({1, 2}), 0, kSum); }, "should be (2, 2)");
}

// As in PyTorch a number has one axis, 0 or -1.
TEST(Select, NumbersHaveAnAxis) {
  const Tensor x = tensor(3.0), zero = tensor<int64_t>(0), two = tensor(2.0);
  for (const int axis : {0, -1}) {
    expect_values(gather(x, zero, axis), {}, {3});
    expect_values(gather(tensor<double>({1, 2}), tensor<int64_t>(1), axis), {}, {2});
    expect_values(index_select(x, zero, axis), {}, {3});
    expect_values(take_along_axis(x, zero, axis), {}, {3});
    expect_values(scatter(x, zero, two, axis), {}, {2});
    expect_values(scatter_add(x, zero, two, axis), {}, {5});
    expect_values(scatter_reduce(x, zero, two, axis, kProd), {}, {6});
    expect_values(index_add(x, zero, two, axis), {}, {5});
    expect_values(index_copy(x, zero, two, axis), {}, {2});
    expect_values(index_fill(x, zero, 7, axis), {}, {7});
    expect_values(index_reduce(x, zero, two, axis, kAmin), {}, {2});
    check_derivatives([&](In t) { return square(scatter_add(t[0], zero, t[1], axis)); }, {x, two});
  }
  expect_fails([&] { gather(x, zero, 1); }, "out of range");
  expect_fails([&] { scatter(x, zero, two, -2); }, "out of range");
}

TEST(Select, ScatterReduce) {
  const Tensor x = tensor<double>({2, 3, 4}), at = tensor<int64_t>({0, 0, 2});
  const Tensor source = tensor<double>({5, 1, 4});
  const auto of = [&](ScatterReduction how, bool self) {
    return scatter_reduce(x, at, source, 0, how, self);
  };
  expect_values(of(kSum, true), {3}, {8, 3, 8});
  expect_values(of(kSum, false), {3}, {6, 3, 4});
  expect_values(of(kProd, true), {3}, {10, 3, 16});
  expect_values(of(kMean, true), {3}, {8 / 3.0, 3, 4});
  expect_values(of(kMean, false), {3}, {3, 3, 4});
  expect_values(of(kAmax, true), {3}, {5, 3, 4});
  expect_values(of(kAmin, false), {3}, {1, 3, 4});
  // Of integers and bools what no number is beyond.
  expect_values(scatter_reduce(tensor<int8_t>({0}), tensor<int>({0, 0}), tensor<int8_t>({-9, -7}),
                               0, kAmax, false),
                {1}, {-7});
  expect_values(scatter_reduce(tensor<int>({7}), tensor<int>({0}), tensor<int>({-4}), 0, kMean),
                {1}, {1});
  expect_values(
      scatter_reduce(tensor<double>({1.0}), tensor<int>({0}), tensor<double>({kNaN}), 0, kAmax),
      {1}, {kNaN});
  EXPECT_EQ(scatter_reduce(cast(x, kBF16), at, cast(source, kBF16), 0, kProd).dtype(), kBF16);
  // Ties share, and products have the others' product at a zero.
  const Tensor s = trainable(tensor<double>({4, 4, 1})), base = trainable(tensor<double>({4.0}));
  const Tensor zero = tensor<int64_t>({0, 0, 0});
  const auto g = gradients(sum(scatter_reduce(base, zero, s, 0, kAmax)), {base, s});
  expect_values(g[0], {1}, {1 / 3.0}, 1e-15);
  expect_values(g[1], {3}, {1 / 3.0, 1 / 3.0, 0}, 1e-15);
  const Tensor factors = trainable(tensor<double>({3, 0, 5}));
  expect_values(
      gradients(sum(scatter_reduce(ones({1}, kF64), zero, factors, 0, kProd)), {factors})[0], {3},
      {0, 15, 0});
  for (ScatterReduction how : {kSum, kProd, kMean, kAmax, kAmin}) {
    for (bool self : {true, false})
      check_derivatives(
          [&](In t) {
            return scatter_reduce(t[0], tensor<int64_t>({{0, 1, 1, 0}, {2, 2, 2, 2}}), t[1], 1, how,
                                  self);
          },
          {numbers({2, 3}), numbers({2, 4}, 1)});
  }
}

TEST(Select, Masks) {
  const Tensor x = tensor<double>({{1, 2}, {3, 4}}), mask = tensor<bool>({true, false});
  expect_values(masked_fill(x, mask, 0.5), {2, 2}, {0.5, 2, 0.5, 4});
  expect_values(masked_select(x, mask), {2}, {1, 3});
  expect_values(masked_scatter(x, mask, tensor<double>({8, 9, 7})), {2, 2}, {8, 2, 9, 4});
  expect_values(masked_scatter(x, x > 9, zeros({0}, kF64)), {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(masked_fill(tensor<int>({1, 2}), mask, 7).dtype(), kI32);
  EXPECT_EQ(masked_fill(cast(x, kBF16), mask, -1e9).dtype(), kBF16);
  check_derivatives([&](In t) { return masked_scatter(t[0], mask, t[1]); },
                    {numbers({2, 2}), numbers({5})});
  expect_fails([&] { masked_fill(tensor<int>({1, 2}), mask, 0.5); }, "cannot hold 0.5");
  expect_fails([&] { masked_fill(x, x, 0); }, "a mask is bool");
  expect_fails([&] { masked_fill(x, ones({3}, kBool), 0); }, "(3,)");
  expect_fails([&] { eval(masked_scatter(x, mask, tensor<double>({8.0}))); }, "out of range");
  expect_fails([&] { masked_scatter(x, mask, zeros({0}, kF64)); }, "the source is empty");
  expect_fails([&] { masked_scatter(x, mask, tensor<float>({1})); }, "no elements of f32");
}

TEST(Select, Searching) {
  const Tensor s = tensor<double>({1, 3, 3, 7}), v = tensor<double>({0, 3, 8, kNaN, -kInf});
  expect_values(searchsorted(s, v), {5}, {0, 1, 4, 4, 0});
  expect_values(searchsorted(s, v, {.right = true}), {5}, {0, 3, 4, 4, 0});
  const Tensor shuffled = tensor<double>({7, 1, 3, 3});
  expect_values(searchsorted(shuffled, v, {.sorter = argsort(shuffled)}), {5}, {0, 1, 4, 4, 0});
  expect_values(bucketize(v, s), {5}, {0, 1, 4, 4, 0});
  expect_values(searchsorted(tensor<int>({1, 2}), tensor<double>({1.5})), {1}, {1});
  expect_values(searchsorted(tensor<double>({{1, 2}, {5, 6}}), tensor<double>({{1.5}, {1.5}})),
                {2, 1}, {1, 0});
  expect_values(isin(tensor<int>({1, 5, 2}), tensor<int>({2, 1, 2})), {3}, {1, 0, 1});
  expect_values(isin(tensor<int>({1, 5}), zeros({0}, kI32), true), {2}, {1, 1});
  expect_values(isin(tensor<double>({kNaN, 1}), tensor<double>({kNaN, 2})), {2}, {0, 0});
  const auto f = [](In t) { return searchsorted(t[0], t[1]); };
  const Tensor rows = sort(numbers({3, 6})).first, queries = numbers({3, 2, 2});
  const auto one = [&](int64_t i, int64_t j) { return f({index(rows, {i}), index(queries, {j})}); };
  expect_same(vmap(f)({rows, queries}), stack({one(0, 0), one(1, 1), one(2, 2)}));
  expect_same(vmap(f, {0, -1})({rows, index(queries, {0})}),
              stack({one(0, 0), one(1, 0), one(2, 0)}));
  expect_same(vmap(f, {-1, 0})({index(rows, {0}), queries}),
              stack({one(0, 0), one(0, 1), one(0, 2)}));
  expect_fails([&] { searchsorted(tensor<double>(1.0), v); }, "has no axis");
  expect_fails([&] { searchsorted(ones({2, 3}), ones({3, 3})); }, "do not fit sequences");
  expect_fails([&] { bucketize(v, ones({2, 2})); }, "boundaries of rank 1");
}

TEST(Select, Sets) {
  const Tensor x = tensor<int>({{3, 1, 3}, {2, 1, 3}});
  const UniqueResult u = unique(x);
  expect_values(u.values, {3}, {1, 2, 3});
  expect_values(u.inverse, {2, 3}, {2, 0, 2, 1, 0, 2});
  expect_values(u.counts, {3}, {2, 1, 3});
  expect_same(take(u.values, u.inverse), x);
  const Tensor rows = tensor<double>({{1, 2}, {0, 5}, {1, 2}, {0, 4}});
  const UniqueResult r = unique(rows, 0);
  expect_values(r.values, {3, 2}, {0, 4, 0, 5, 1, 2});
  expect_values(r.inverse, {4}, {2, 1, 2, 0});
  expect_values(r.counts, {3}, {1, 1, 2});
  expect_same(transpose(unique(transpose(rows), 1).values), r.values);
  const UniqueResult c = unique_consecutive(tensor<int>({1, 1, 2, 2, 2, 1}));
  expect_values(c.values, {3}, {1, 2, 1});
  expect_values(c.inverse, {6}, {0, 0, 1, 1, 1, 2});
  expect_values(c.counts, {3}, {2, 3, 1});
  EXPECT_EQ(unique(zeros({0})).values.numel(), 0);
  EXPECT_EQ(unique(zeros({0})).counts.numel(), 0);
  EXPECT_EQ(unique(zeros({2, 0}), 0).values.shape().str(), "(1, 0)");
  EXPECT_EQ(unique(tensor<double>(3.0)).inverse.rank(), 0);
  EXPECT_EQ(unique(tensor<double>({kNaN, kNaN, 1})).values.numel(), 3);
  EXPECT_EQ(unique(tensor<bool>({true, false, true})).values.numel(), 2);
  EXPECT_EQ(unique(tensor<double>({0.0, -0.0})).values.numel(), 1);
  const Tensor many = randint(0, 50, {5000});
  std::map<int64_t, int64_t> counts;
  for (int64_t v : many.to_vector<int64_t>()) ++counts[v];
  const UniqueResult found = unique(many);
  size_t i = 0;
  for (const auto& [value, count] : counts) {
    EXPECT_EQ(found.values.to_vector<int64_t>()[i], value);
    EXPECT_EQ(found.counts.to_vector<int64_t>()[i++], count);
  }
}

TEST(Select, Histograms) {
  const Tensor x = tensor<double>({0, 0.5, 1, 1, 2, 4, kNaN});
  expect_values(histc(x, 4, 0, 4), {4}, {2, 2, 1, 1});
  expect_values(histc(tensor<double>({1, 2, 5}), 4), {4}, {1, 1, 0, 1});
  expect_values(histc(tensor<double>({3, 3}), 2), {2}, {0, 2});
  expect_values(histc(zeros({0}), 3), {3}, {0, 0, 0});
  EXPECT_EQ(histc(cast(x, kF32), 4, 0, 4).dtype(), kF32);
  const HistogramResult h = histogram(x, 4, {.range = {{0, 4}}});
  expect_values(h.hist, {4}, {2, 2, 1, 1});
  expect_values(h.bin_edges, {5}, {0, 1, 2, 3, 4});
  const HistogramResult d =
      histogram(x, tensor<double>({0, 1, 4}), {.weight = ones({7}, kF64), .density = true});
  expect_values(d.hist, {2}, {2 / 6.0, 4 / 18.0}, 1e-15);
  expect_values(bincount(tensor<int>({1, 1, 4})), {5}, {0, 2, 0, 0, 1});
  expect_values(bincount(tensor<int>({1, 1}), tensor<float>({0.5f, 1}), 3), {3}, {0, 1.5, 0});
  expect_values(bincount(zeros({0}, kI32), {}, 2), {2}, {0, 0});
  // Boxes: the last edge belongs to the last one, NaN to none.
  const Tensor points = tensor<double>({{0, 0}, {1, 2}, {1, 1}, {kNaN, 1}, {3, 0}, {0.2, 0.9}});
  const HistogramddResult b = histogramdd(points, {2, 2}, {.range = {{0, 1}, {0, 2}}});
  expect_values(b.hist, {2, 2}, {2, 0, 0, 2});
  expect_values(b.bin_edges[1], {3}, {0, 1, 2});
  const HistogramddResult share =
      histogramdd(points, std::vector<Tensor>{tensor<double>({0, 1, 4}), tensor<double>({0, 4})},
                  {.weight = tensor<double>({1, 1, 1, 1, 2, 1}), .density = true});
  expect_values(share.hist, {2, 1}, {2 / 6.0 / 4, 4 / 6.0 / 12}, 1e-15);
  expect_values(histogramdd(unsqueeze(points, 0), {1, 1}, {.range = {{0, 1}, {0, 2}}}).hist, {1, 1},
                {4});
  expect_fails([&] { histogramdd(points, std::vector<int64_t>{2}); }, "bins of 1 dimensions");
  expect_fails([&] { histogramdd(points, {2, 0}); }, "0 bins");
  expect_fails([&] { histogramdd(points, {2, 2}, {.range = {{0, 1}}}); }, "1 ranges");
  expect_fails([&] { histogramdd(points, {2, 2}, {.weight = ones({2})}); }, "weights (2,)");
  expect_fails([&] { histc(x, 0); }, "0 bins");
  expect_fails([&] { histc(x, 4, 1, -1); }, "from 1 to -1");
  expect_fails([&] { histogram(x, ones({1})); }, "edges (bins + 1)");
  expect_fails([&] { histogram(x, 4, {.range = {{0, kInf}}}); }, "from 0 to inf");
  expect_fails([&] { bincount(tensor<int>({-1})); }, "-1 is below 0");
  expect_fails([&] { bincount(tensor<int64_t>({INT64_MAX})); }, "");
  expect_fails([&] { bincount(tensor<double>({1.0})); }, "of integers of rank 1");
  expect_fails([&] { bincount(tensor<int>({1}), ones({2})); }, "weights (2,)");
}

TEST(Select, SaysWhatIsNotDefined) {
  const Tensor none, x = ones({2}), at = zeros({2}, kI64), mask = ones({2}, kBool);
  const std::vector<std::pair<std::string, std::function<void(const Tensor&)>>> calls{
      {"index_select", [&](const Tensor& t) { index_select(t, at, 0); }},
      {"index_reduce", [&](const Tensor& t) { index_reduce(x, at, t, 0, kSum); }},
      {"index_put", [&](const Tensor& t) { index_put(x, {at}, t); }},
      {"put", [&](const Tensor& t) { put(x, at, t); }},
      {"unravel_index",
       [&](const Tensor& t) {
         unravel_index(t, {2, 3});
       }},
      {"select_scatter", [&](const Tensor& t) { select_scatter(x, t, 0, 0); }},
      {"diagonal_scatter", [&](const Tensor& t) { diagonal_scatter(x, t); }},
      {"histogramdd",
       [&](const Tensor& t) {
         histogramdd(ones({2, 1}), std::vector<Tensor>{t});
       }},
      {"index_select", [&](const Tensor& t) { index_select(x, t, 0); }},
      {"index_copy", [&](const Tensor& t) { index_copy(x, at, t, 0); }},
      {"index_fill", [&](const Tensor& t) { index_fill(t, at, 0, 0); }},
      {"take_along_axis", [&](const Tensor& t) { take_along_axis(x, t, 0); }},
      {"put_along_axis", [&](const Tensor& t) { put_along_axis(x, at, t, 0); }},
      {"scatter", [&](const Tensor& t) { scatter(x, at, t, 0); }},
      {"scatter", [&](const Tensor& t) { scatter(t, at, 1, 0); }},
      {"scatter_reduce", [&](const Tensor& t) { scatter_reduce(x, t, x, 0, kSum); }},
      {"masked_fill", [&](const Tensor& t) { masked_fill(x, t, 0); }},
      {"masked_select", [&](const Tensor& t) { masked_select(t, mask); }},
      {"masked_scatter", [&](const Tensor& t) { masked_scatter(x, mask, t); }},
      {"searchsorted", [&](const Tensor& t) { searchsorted(x, t); }},
      {"bucketize", [&](const Tensor& t) { bucketize(x, t); }},
      {"isin", [&](const Tensor& t) { isin(x, t); }},
      {"unique", [&](const Tensor& t) { unique(t); }},
      {"unique_consecutive", [&](const Tensor& t) { unique_consecutive(t); }},
      {"bincount", [&](const Tensor& t) { bincount(t); }},
      {"histc", [&](const Tensor& t) { histc(t); }},
      {"histogram", [&](const Tensor& t) { histogram(x, t); }}};
  for (const auto& [name, call] : calls) expect_fails([&] { call(none); }, name);
}

}  // namespace
}  // namespace glia::test
