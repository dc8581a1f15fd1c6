// Indexing, gathering and scattering, scans and sorting, joining.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kNone = Slice::kNone;

struct Case {
  std::vector<Index> at;
  std::vector<int64_t> shape;
  std::vector<double> values;
};

// Of NumPy, for x = arange(24).reshape(2, 3, 4).
std::vector<Case> numpy_cases() {
  const Tensor i = tensor({1, 0}), j = tensor({{2}, {0}}), k = tensor<int64_t>({3, -4, 1});
  const Tensor m1 = from_vector<bool>({false, true, true}, {3});
  const Tensor m2 = from_vector<bool>({true, false, true, false, true, false}, {2, 3});
  const Tensor m3 = remainder(reshape(arange(24), {2, 3, 4}), 5) == 0;
  // clang-format off
  return {
      {{1}, {3, 4}, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
      {{-1, 2}, {4}, {20, 21, 22, 23}},
      {{1, 2, -1}, {}, {23}},
      {{Slice{}, 1}, {2, 4}, {4, 5, 6, 7, 16, 17, 18, 19}},
      {{Ellipsis, 2}, {2, 3}, {2, 6, 10, 14, 18, 22}},
      {{Slice{0, 1, 1}, Slice{-2, kNone, 1}, Slice{kNone, kNone, 2}}, {1, 2, 2}, {4, 6, 8, 10}},
      {{Slice{kNone, kNone, -1}}, {2, 3, 4}, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
      {{Slice{}, Slice{}, Slice{3, 0, -2}}, {2, 3, 2}, {3, 1, 7, 5, 11, 9, 15, 13, 19, 17, 23, 21}},
      {{Slice{5, 9, 1}}, {0, 3, 4}, {}},
      {{Slice{}, Slice{-1, -9, -1}}, {2, 3, 4}, {8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3, 20, 21, 22, 23, 16, 17, 18, 19, 12, 13, 14, 15}},
      {{NewAxis, 1}, {1, 3, 4}, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
      {{Slice{}, NewAxis, 2, NewAxis}, {2, 1, 1, 4}, {8, 9, 10, 11, 20, 21, 22, 23}},
      {{Ellipsis, NewAxis}, {2, 3, 4, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
      {{1, Ellipsis, NewAxis, 0}, {3, 1}, {12, 16, 20}},
      {{i}, {2, 3, 4}, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
      {{Slice{}, i}, {2, 2, 4}, {4, 5, 6, 7, 0, 1, 2, 3, 16, 17, 18, 19, 12, 13, 14, 15}},
      {{Slice{}, j}, {2, 2, 1, 4}, {8, 9, 10, 11, 0, 1, 2, 3, 20, 21, 22, 23, 12, 13, 14, 15}},
      {{Slice{}, Slice{}, k}, {2, 3, 3}, {3, 0, 1, 7, 4, 5, 11, 8, 9, 15, 12, 13, 19, 16, 17, 23, 20, 21}},
      {{i, j}, {2, 2, 4}, {20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3}},
      {{Slice{}, i, j}, {2, 2, 2}, {6, 2, 4, 0, 18, 14, 16, 12}},
      {{i, Slice{}, j}, {2, 2, 3}, {14, 18, 22, 2, 6, 10, 12, 16, 20, 0, 4, 8}},
      {{i, i, i}, {2}, {17, 0}},
      {{0, i}, {2, 4}, {4, 5, 6, 7, 0, 1, 2, 3}},
      {{0, Slice{}, k}, {3, 3}, {3, 7, 11, 0, 4, 8, 1, 5, 9}},
      {{Slice{}, 0, k}, {2, 3}, {3, 0, 1, 15, 12, 13}},
      {{Slice{}, i, 0}, {2, 2}, {4, 0, 16, 12}},
      {{i, Slice{}, 0}, {2, 3}, {12, 16, 20, 0, 4, 8}},
      {{i, NewAxis, i}, {2, 1, 4}, {16, 17, 18, 19, 0, 1, 2, 3}},
      {{i, Ellipsis, j}, {2, 2, 3}, {14, 18, 22, 2, 6, 10, 12, 16, 20, 0, 4, 8}},
      {{Slice{kNone, kNone, -1}, i}, {2, 2, 4}, {16, 17, 18, 19, 12, 13, 14, 15, 4, 5, 6, 7, 0, 1, 2, 3}},
      {{Slice{}, j, Slice{1, 3, 1}}, {2, 2, 1, 2}, {9, 10, 1, 2, 21, 22, 13, 14}},
      {{NewAxis, i, Slice{}, j}, {2, 2, 1, 3}, {14, 18, 22, 2, 6, 10, 12, 16, 20, 0, 4, 8}},
      {{1, j, Slice{kNone, kNone, 2}}, {2, 1, 2}, {20, 22, 12, 14}},
      {{m3}, {5}, {0, 5, 10, 15, 20}},
      {{m2}, {3, 4}, {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19}},
      {{Slice{}, m1}, {2, 2, 4}, {4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}},
      {{m2, Slice{1, 3, 1}}, {3, 2}, {1, 2, 9, 10, 17, 18}},
      {{1, m1}, {2, 4}, {16, 17, 18, 19, 20, 21, 22, 23}},
      {{m2, 2}, {3}, {2, 10, 18}},
      {{Slice{}, m1, i}, {2, 2}, {5, 8, 17, 20}},
      {{i, m1}, {2, 4}, {16, 17, 18, 19, 8, 9, 10, 11}},
  };
  // clang-format on
}

std::string text(const Case& c) {
  std::string out;
  for (const Index& e : c.at) out += std::to_string(static_cast<int>(e.kind())) + " ";
  return "kinds " + out + "giving " + Shape(c.shape).str();
}

TEST(Index, IsNumPys) {
  for (DType dtype : {kU8, kBF16, kF32, kI64}) {
    const Tensor x = cast(reshape(arange(24), {2, 3, 4}), dtype);
    for (const Case& c : numpy_cases()) {
      SCOPED_TRACE(text(c));
      expect_values(index(x, c.at), c.shape, c.values);
    }
  }
}

TEST(Index, UpdateReplacesWhatIndexGives) {
  const Tensor x = reshape(arange(24), {2, 3, 4});
  for (const Case& c : numpy_cases()) {
    SCOPED_TRACE(text(c));
    std::vector<double> expected = x.to_vector<double>();
    for (size_t n = 0; n < c.values.size(); ++n)
      expected[static_cast<size_t>(c.values[n])] = 100 + static_cast<double>(n);
    const Shape shape(c.shape);
    const Tensor value = reshape(arange(shape.numel()), shape) + 100;
    expect_values(index_update(x, c.at, value), {2, 3, 4}, expected);
    std::vector<double> same = x.to_vector<double>();
    for (double v : c.values) same[static_cast<size_t>(v)] = -1;
    expect_values(index_update(x, c.at, tensor(-1)), {2, 3, 4}, same);
  }
}

TEST(Index, Derivatives) {
  for (const Case& c : numpy_cases()) {
    SCOPED_TRACE(text(c));
    const Tensor x = numbers({2, 3, 4}), value = numbers(Shape(c.shape), 1);
    const auto read = [&](const std::vector<Tensor>& in) {
      return square(index(square(in[0]), c.at));
    };
    EXPECT_EQ(gradcheck(read, {x}), "");
    const auto write = [&](const std::vector<Tensor>& in) {
      return square(index_update(square(in[0]), c.at, square(in[1])));
    };
    EXPECT_EQ(gradcheck(write, {x, value}), "");
    EXPECT_EQ(gradgradcheck(write, {x, value}), "");
  }
}

TEST(Index, OfAnEmptyMask) {
  const Tensor x = reshape(arange(6), {2, 3});
  expect_values(index(x, {zeros({2}, kBool)}), {0, 3}, {});
  expect_values(index_update(x, {zeros({2, 3}, kBool)}, tensor(7)), {2, 3}, {0, 1, 2, 3, 4, 5});
  expect_values(index(x, {full({}, 1, kBool)}), {1, 2, 3}, {0, 1, 2, 3, 4, 5});
  expect_values(index(x, {full({}, 0, kBool)}), {0, 2, 3}, {});
}

TEST(Index, SaysWhatIsWrong) {
  const Tensor x = zeros({2, 3});
  const auto error = [&](std::vector<Index> at) {
    return message_of<ShapeError>([&] { index(x, at); });
  };
  EXPECT_NE(error({2}).find("index 2 is out of range for axis 0 of (2, 3)"), std::string::npos);
  EXPECT_NE(error({0, 0, 0}).find("3 indices for shape (2, 3)"), std::string::npos);
  EXPECT_NE(error({Ellipsis, Ellipsis}).find("more than one Ellipsis"), std::string::npos);
  EXPECT_NE(error({zeros({3}, kBool)}).find("mask (3,) does not fit (2, 3)"), std::string::npos);
  EXPECT_NE(error({zeros({2})}).find("not f32"), std::string::npos);
  EXPECT_NE(error({tensor({0, 1}), tensor({0, 1, 1})}).find("do not broadcast"), std::string::npos);
  EXPECT_NE(error({Slice{0, 1, 0}}).find("step 0"), std::string::npos);
}

TEST(Gather, IndicesOutOfRangeAreErrorsWhenComputed) {
  const Tensor x = reshape(arange(6), {2, 3}), bad = tensor({0, 3});
  const std::vector<std::pair<const char*, std::function<Tensor()>>> all{
      {"take", [&] { return take(x, bad, 1); }},
      {"gather",
       [&] {
         return gather(x, reshape(bad, {1, 2}), 1);
       }},
      {"index_add",
       [&] {
         return index_add(x, bad, zeros({2, 2}), 1);
       }},
      {"scatter_add",
       [&] {
         return scatter_add(x, reshape(bad, {1, 2}), zeros({1, 2}), 1);
       }},
      {"index", [&] { return one_hot(bad, 3); }},
      {"index",
       [&] {
         return index(x, {tensor({0, 0}), bad});
       }},
      {"index_update", [&] {
         return index_update(x, {Slice{}, bad}, tensor(1));
       }}};
  for (const auto& [op, f] : all) {
    const std::string message = message_of<ValueError>([&] { f().to_vector<double>(); });
    EXPECT_NE(message.find(std::string(op) + ": index 3 is out of range for an axis of size 3"),
              std::string::npos)
        << op << ": " << message;
  }
  expect_values(x, {2, 3}, {0, 1, 2, 3, 4, 5});  // still usable
}

TEST(Gather, TakeAlongEveryAxis) {
  const Tensor x = reshape(arange(12), {2, 3, 2}), at = tensor<int64_t>({{2, 0}, {-1, 1}});
  expect_values(take(x, at, 1), {2, 2, 2, 2}, {4, 5, 0, 1, 4, 5, 2, 3, 10, 11, 6, 7, 10, 11, 8, 9});
  expect_values(take(x, tensor(1), 2), {2, 3}, {1, 3, 5, 7, 9, 11});
  expect_values(take(x, zeros({0}, kI32), 0), {0, 3, 2}, {});
}

// Into one number everywhere, row by row: what a gradient of gather is, and sums that begin at 3.
TEST(Scatter, AddsToWhatIsOneNumberEverywhere) {
  for (const int64_t rows : {1, 7, 8, 9, 40}) {
    for (const int64_t size : {1, 5, 300}) {
      const int64_t count = 6;
      std::vector<int64_t> at;
      std::vector<double> expected(static_cast<size_t>(rows * size), 3), source;
      for (int64_t i = 0; i < rows * count; ++i) {
        at.push_back((i * 7 + i / 5) % size);
        source.push_back(static_cast<double>(i % 11) - 4);
        expected[i / count * size + at.back()] += source.back();
      }
      const Tensor indices = from_vector(at, {rows, count});
      const Tensor given = from_vector(source, {rows, count});
      for (const DType dtype : {kF32, kF64, kI64}) {
        const Tensor base = full({rows, size}, 3, dtype);
        EXPECT_EQ(scatter_add(base, indices, cast(given, dtype), 1).to_vector<double>(), expected)
            << name(dtype) << " " << rows << " " << size;
        EXPECT_EQ(scatter_add(base + 0, indices, cast(given, dtype), 1).to_vector<double>(),
                  expected);
      }
    }
  }
}

TEST(Gather, GatherAndScatterAddAreTorchs) {
  const Tensor x = reshape(arange(6), {2, 3}), at = tensor<int64_t>({{2, 0}, {1, -1}});
  expect_values(gather(x, at, 1), {2, 2}, {2, 0, 4, 5});
  expect_values(gather(x, tensor<int64_t>({{1, 0}}), 0), {1, 2}, {3, 1});
  const Tensor source = tensor({{10, 20, 30}, {40, 50, 60}});
  expect_values(scatter_add(x, at, source, 1), {2, 3}, {20, 1, 12, 3, 44, 55});
  expect_values(scatter_add(x, tensor<int64_t>({{1, 1}, {1, 0}}), source, 0), {2, 3},
                {0, 51, 2, 53, 24, 5});
}

TEST(Gather, IndexAddAddsInIndexOrder) {
  // In f32 the sum depends on the order.
  const Tensor x = zeros({2}), at = tensor({0, 0, 0, 1});
  const Tensor source = tensor<float>({1e8f, 3.0f, -1e8f, 1.0f});
  const float expected = (1e8f + 3.0f) - 1e8f;
  expect_values(index_add(x, at, source), {2}, {expected, 1});
  for (DType t : {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64}) {
    const Tensor y = index_add(ones({2, 70}, t), tensor({1, 1}), ones({2, 70}, t));
    EXPECT_EQ(y.dtype(), t);
    expect_same(cast(y, kI64),
                concat({ones({1, 70}, kI64), full({1, 70}, t == kBool ? 1 : 3, kI64)}));
  }
}

TEST(Gather, SameBitsForEveryThreadCount) {
  const Tensor at = randint(0, 50, {3000});
  const Tensor source = randn({3000, 130}), x = randn({50, 130});
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    results.push_back(index_add(x, at, source).to_vector<float>());
  }
  set_num_threads(2);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Gather, Derivatives) {
  const Tensor x = numbers({3, 4}), at = tensor<int64_t>({{1, 0, 1}, {2, -1, 1}});
  const auto taken = [&](const std::vector<Tensor>& in) { return square(take(in[0], at, 1)); };
  EXPECT_EQ(gradcheck(taken, {x}), "");
  EXPECT_EQ(gradgradcheck(taken, {x}), "");
  const auto gathered = [&](const std::vector<Tensor>& in) { return square(gather(in[0], at, 0)); };
  EXPECT_EQ(gradcheck(gathered, {x}), "");
  EXPECT_EQ(gradgradcheck(gathered, {x}), "");
  const auto added = [&](const std::vector<Tensor>& in) {
    return square(scatter_add(in[0], at, in[1], 0));
  };
  EXPECT_EQ(gradcheck(added, {x, numbers({2, 4}, 1)}), "");
  EXPECT_EQ(gradgradcheck(added, {x, numbers({2, 4}, 1)}), "");
  const auto index_added = [&](const std::vector<Tensor>& in) {
    return square(index_add(in[0], at, in[1], 1));
  };
  EXPECT_EQ(gradcheck(index_added, {x, numbers({3, 2, 3}, 1)}), "");
  EXPECT_EQ(gradgradcheck(index_added, {x, numbers({3, 2, 3}, 1)}), "");
}

TEST(Gather, OneHotAndNonzero) {
  expect_values(one_hot(tensor<int64_t>({2, 0, -1}), 3), {3, 3}, {0, 0, 1, 1, 0, 0, 0, 0, 1});
  EXPECT_EQ(one_hot(tensor({1}), 2, kBool).dtype(), kBool);
  expect_values(nonzero(tensor({{0.0, 2.0, kNaN}, {0.0, 0.0, -1.0}})), {3, 2}, {0, 1, 0, 2, 1, 2});
  expect_values(nonzero(zeros({0, 3})), {0, 2}, {});
  expect_values(nonzero(tensor(3)), {1, 0}, {});
}

TEST(Scan, CumsumAndCumprod) {
  const Tensor x = tensor<int64_t>({{1, 2, 3}, {4, 5, 6}});
  expect_values(cumsum(x, 0), {2, 3}, {1, 2, 3, 5, 7, 9});
  expect_values(cumsum(x, -1), {2, 3}, {1, 3, 6, 4, 9, 15});
  expect_values(cumprod(x, 1), {2, 3}, {1, 2, 6, 4, 20, 120});
  EXPECT_EQ(cumsum(cast(x, kU8), 0).dtype(), kI64);
  EXPECT_EQ(cumsum(cast(x, kBF16), 0).dtype(), kBF16);
  expect_values(cumsum(zeros({2, 0}), 1), {2, 0}, {});
  expect_values(cumprod(zeros({0, 2}), 0), {0, 2}, {});
  // Wide enough for several pieces.
  const Tensor wide = ones({3, 4, 200}, kI32);
  expect_same(cumsum(wide, 1), expand(reshape(arange(4) + 1, {1, 4, 1}), {3, 4, 200}));
}

TEST(Scan, Derivatives) {
  const Tensor with_zeros = from_vector<double>({0.5, 0, -2, 3, 1, 0, 0, 2}, {2, 4});
  const auto sums = [](const std::vector<Tensor>& in) { return square(cumsum(in[0], 1)); };
  EXPECT_EQ(gradcheck(sums, {with_zeros}), "");
  EXPECT_EQ(gradgradcheck(sums, {with_zeros}), "");
  for (int axis : {0, 1}) {
    const auto products = [axis](const std::vector<Tensor>& in) { return cumprod(in[0], axis); };
    EXPECT_EQ(gradcheck(products, {with_zeros}), "");
    EXPECT_EQ(gradgradcheck(products, {with_zeros}), "");
    const auto whole = [axis](const std::vector<Tensor>& in) { return prod(in[0], {axis}); };
    EXPECT_EQ(gradcheck(whole, {with_zeros}), "");
    EXPECT_EQ(gradgradcheck(whole, {with_zeros}), "");
  }
}

TEST(Sort, IsStableAndNaNIsLargest) {
  const Tensor x = tensor<double>({2, -0.0, kNaN, 0, -kInf, kInf, 2, kNaN, -1});
  expect_values(argsort(x), {9}, {4, 8, 1, 3, 0, 6, 5, 2, 7});
  expect_values(argsort(x, 0, true), {9}, {2, 7, 5, 0, 6, 1, 3, 8, 4});
  const auto [values, order] = sort(x);
  expect_values(values, {9}, {-kInf, -1, -0.0, 0, 2, 2, kInf, kNaN, kNaN});
  EXPECT_TRUE(std::signbit(values.to_vector<double>()[2]));
  expect_values(argmax(x), {}, {2});
  expect_values(argmin(x), {}, {2});
}

TEST(Sort, EveryDTypeAlongEveryAxis) {
  for (DType t : {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64}) {
    SCOPED_TRACE(name(t));
    const Tensor x = cast(
        t == kBool || t == kU8 ? randint(0, 200, {3, 40, 5}) > 100 : randint(-100, 100, {3, 40, 5}),
        t);
    const std::vector<double> v = cast(x, kF64).to_vector<double>();
    for (bool descending : {false, true}) {
      const auto [sorted, order] = sort(x, 1, descending);
      EXPECT_EQ(sorted.dtype(), t);
      const auto s = cast(sorted, kF64).to_vector<double>();
      const auto o = order.to_vector<int64_t>();
      for (int64_t a = 0; a < 3; ++a) {
        for (int64_t c = 0; c < 5; ++c) {
          std::vector<int64_t> expected(40);
          for (int64_t b = 0; b < 40; ++b) expected[b] = b;
          std::stable_sort(expected.begin(), expected.end(), [&](int64_t p, int64_t q) {
            const double x1 = v[(a * 40 + p) * 5 + c], x2 = v[(a * 40 + q) * 5 + c];
            return descending ? x1 > x2 : x1 < x2;
          });
          for (int64_t b = 0; b < 40; ++b) {
            EXPECT_EQ(o[(a * 40 + b) * 5 + c], expected[b]);
            EXPECT_EQ(s[(a * 40 + b) * 5 + c], v[(a * 40 + expected[b]) * 5 + c]);
          }
        }
      }
      expect_same(squeeze(slice(order, 1, {0, 1, 1}), 1), descending ? argmax(x, 1) : argmin(x, 1));
    }
  }
}

TEST(Sort, LongLines) {
  for (const Tensor& x : {randn({20000}), cast(randint(-1000, 1000, {20000}), kF32)}) {
    const auto v = x.to_vector<float>();
    std::vector<double> expected(v.size());
    for (size_t i = 0; i < v.size(); ++i) expected[i] = static_cast<double>(i);
    std::ranges::stable_sort(expected, {}, [&](double i) { return v[static_cast<size_t>(i)]; });
    expect_values(argsort(x), {20000}, expected);
    const auto [top, at] = topk(x, 7);
    const auto [all, order] = sort(x, 0, true);
    expect_same(top, slice(all, 0, {0, 7, 1}));
    expect_same(at, slice(order, 0, {0, 7, 1}));
  }
}

TEST(Sort, TopkAndExtremes) {
  const Tensor x = tensor({{3, 1, 2}, {5, 5, 4}});
  const auto [values, order] = topk(x, 2);
  expect_values(values, {2, 2}, {3, 2, 5, 5});
  expect_values(order, {2, 2}, {0, 2, 0, 1});
  expect_values(topk(x, 1, 0).first, {1, 3}, {5, 5, 4});
  expect_values(topk(x, 0).first, {2, 0}, {});
  expect_values(argmax(x, 0, true), {1, 3}, {1, 1, 1});
  expect_values(argmin(x, 1), {2}, {1, 2});
  EXPECT_THROW(topk(x, 4), ShapeError);
  EXPECT_THROW(argmax(zeros({2, 0})), ShapeError);
  expect_values(argmax(zeros({0, 2})), {0}, {});
}

TEST(Sort, Derivatives) {
  const Tensor x = numbers({4, 5});
  const auto f = [](const std::vector<Tensor>& in) {
    return square(sort(in[0], 0, true).first) + square(sort(in[0], 0).first);
  };
  EXPECT_EQ(gradcheck(f, {x}), "");
  EXPECT_EQ(gradgradcheck(f, {x}), "");
  const auto best = [](const std::vector<Tensor>& in) { return square(topk(in[0], 2).first); };
  EXPECT_EQ(gradcheck(best, {x}), "");
  const std::string message = message_of<Error>([&] {
    const Tensor w = trainable(x);
    gradients(sum(w * cast(argsort(w), kF64)), {w});
  });
  EXPECT_EQ(message, "");  // integers carry no gradient, the product does
}

TEST(Join, ConcatStackSplit) {
  const Tensor a = tensor({{1, 2}, {3, 4}}), b = tensor({{5}, {6}});
  expect_values(concat({a, b}, 1), {2, 3}, {1, 2, 5, 3, 4, 6});
  expect_values(concat({a, transpose(a), a}), {6, 2}, {1, 2, 3, 4, 1, 3, 2, 4, 1, 2, 3, 4});
  EXPECT_EQ(concat({a, cast(b, kF32)}, -1).dtype(), kF32);
  expect_values(stack({a, a + 10}, 1), {2, 2, 2}, {1, 2, 11, 12, 3, 4, 13, 14});
  expect_values(stack({tensor(1), tensor(2)}), {2}, {1, 2});
  const std::vector<Tensor> parts = split(arange(7), 3);
  ASSERT_EQ(parts.size(), 3u);
  expect_values(parts[1], {3}, {3, 4, 5});
  expect_values(parts[2], {1}, {6});
  EXPECT_NE(message_of<ShapeError>([&] {
              concat({a, b}, 0);
            }).find("(2, 1) does not fit (2, 2)"),
            std::string::npos);
  EXPECT_THROW(concat({}), ShapeError);
  EXPECT_THROW(stack({a, b}), ShapeError);
  EXPECT_THROW(split(a, 0), ShapeError);
}

TEST(Join, Derivatives) {
  const auto f = [](const std::vector<Tensor>& in) {
    return square(concat({in[0], square(transpose(in[1])), in[0]}, 1));
  };
  EXPECT_EQ(gradcheck(f, {numbers({2, 3}), numbers({4, 2}, 1)}), "");
  EXPECT_EQ(gradgradcheck(f, {numbers({2, 3}), numbers({4, 2}, 1)}), "");
  const auto padded = [](const std::vector<Tensor>& in) {
    return square(pad(in[0], {{1, 2}, {0, 1}}, 3));
  };
  EXPECT_EQ(gradcheck(padded, {numbers({2, 3})}), "");
  EXPECT_EQ(gradgradcheck(padded, {numbers({2, 3})}), "");
  const auto stepped = [](const std::vector<Tensor>& in) {
    return square(slice(slice(in[0], 1, {1, 6, 2}), 0, {kNone, kNone, -1}));
  };
  EXPECT_EQ(gradcheck(stepped, {numbers({3, 7})}), "");
  EXPECT_EQ(gradgradcheck(stepped, {numbers({3, 7})}), "");
}

}  // namespace
}  // namespace glia::test
