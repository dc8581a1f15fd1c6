// Orders, quantiles, norms, running extremes and differences.
#include "glia/ops/reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "glia/autodiff.h"
#include "glia/ops/arrange.h"
#include "glia/ops/special.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using In = const std::vector<Tensor>&;

void check_derivatives(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(gradcheck(f, inputs), "");
  EXPECT_EQ(gradgradcheck(f, inputs), "");
}
template <class F>
void expect_fails(F&& f, const std::string& what) {
  const std::string message = message_of(f);
  EXPECT_NE(message.find(what), std::string::npos) << message << "; expected: " << what;
}

Tensor with_nan() {
  return tensor<double>({{1, kNaN, 3, 2}, {kNaN, kNaN, kNaN, kNaN}, {4, 4, 1, 0}});
}

TEST(Reduce, ChosenAccumulators) {
  const Tensor x = full({3, 1000}, 0.1f);
  EXPECT_EQ(sum(x, {1}, false, kF64).dtype(), kF64);
  EXPECT_NEAR(sum(x, {}, false, kF64).item(), 3000 * double{0.1f}, 1e-9);
  EXPECT_EQ(sum(tensor<float>({1.7f, 2.7f}), {}, false, kI64).item<int64_t>(), 3);
  EXPECT_EQ(sum(tensor<uint8_t>({200, 100}), {}, false, kU8).item<int>(), 44);
  EXPECT_EQ(mean(tensor<int>({1, 2}), {}, false, kF32).item(), 1.5);
  EXPECT_EQ(prod(x, {1}, true, kF64).shape().str(), "(3, 1)");
  EXPECT_EQ(cumsum(cast(x, kBF16), 1, kF32).dtype(), kF32);
  EXPECT_EQ(cumprod(x, 1, kF64).dtype(), kF64);
  expect_fails([&] { mean(x, {}, false, kI64); }, "mean: has no mean in i64");
}

TEST(Reduce, SkipsNaN) {
  const Tensor x = with_nan();
  expect_values(nansum(x, {1}), {3}, {6, 0, 9});
  expect_values(nanmean(x, {1}), {3}, {2, kNaN, 2.25});
  expect_values(nanmedian(x, 1).first, {3}, {2, kNaN, 1});
  expect_values(median(x, 1).first, {3}, {kNaN, kNaN, 1});
  expect_values(median(x, 1).second, {3}, {1, 0, 2});
  expect_values(nanquantile(x, 0.5, {.axes = {1}}), {3}, {2, kNaN, 2.5});
  expect_values(quantile(x, 0.5, {.axes = {1}}), {3}, {kNaN, kNaN, 2.5});
  EXPECT_EQ(nansum(tensor<int>({1, 2})).item<int>(), 3);
  const Tensor t = trainable(tensor<double>({1, kNaN, 3}));
  expect_values(gradients(nanmean(t), {t})[0], {3}, {0.5, 0, 0.5});
}

TEST(Reduce, Orders) {
  const Tensor x = tensor<double>({{3, 1, 2, 1}, {5, 5, 5, 4}});
  expect_values(kthvalue(x, 3, 1).first, {2}, {2, 5});
  expect_values(kthvalue(x, 3, 1, true).second, {2, 1}, {2, 1});
  expect_values(median(x, 1).first, {2}, {1, 5});
  EXPECT_EQ(median(x).item(), 3);
  expect_values(mode(x, 1).first, {2}, {1, 5});
  expect_values(mode(x, 1).second, {2}, {3, 2});
  expect_values(mode(tensor<int>({7, 7, 2, 2, 3})).first, {}, {2});  // of several the smallest
  expect_values(mode(tensor<int>({4})).second, {}, {0});
  EXPECT_EQ(median(tensor<int64_t>({4, 1, 3, 2})).item<int64_t>(), 2);
  const Tensor t = trainable(tensor<double>({2, 2, 5, 1}));
  expect_values(gradients(median(t), {t})[0], {4}, {0.5, 0.5, 0, 0});
  expect_fails([&] { kthvalue(x, 0, 1); }, "kthvalue: k = 0");
  expect_fails([&] { kthvalue(x, 5, 1); }, "kthvalue: k = 5");
  expect_fails([&] { median(zeros({2, 0}), 1); }, "is empty");
  expect_fails([&] { median(zeros({0})); }, "median: no elements");
  expect_fails([&] { mode(x, 7); }, "mode");
}

TEST(Reduce, Quantiles) {
  const Tensor x = tensor<double>({{4, 1, 3, 2}, {8, 6, 7, 5}});
  using enum Interpolation;
  const auto of = [&](Interpolation how) {
    return quantile(x, 0.4, {.axes = {1}, .interpolation = how});
  };
  expect_values(of(kLinear), {2}, {2.2, 6.2}, 1e-14);
  expect_values(of(kLower), {2}, {2, 6});
  expect_values(of(kHigher), {2}, {3, 7});
  expect_values(of(kMidpoint), {2}, {2.5, 6.5});
  expect_values(of(kNearest), {2}, {2, 6});
  expect_values(quantile(x, std::vector<double>{0, 1}, {.axes = {0}, .keepdim = true}), {2, 1, 4},
                {4, 1, 3, 2, 8, 6, 7, 5});
  expect_values(quantile(x, std::vector<double>{}), {0}, {});
  EXPECT_EQ(quantile(x, 0.5).item(), 4.5);
  EXPECT_EQ(quantile(x, 0.5, {.axes = {0, 1}, .keepdim = true}).shape().str(), "(1, 1)");
  // Next to an infinity nothing is multiplied by it.
  expect_values(quantile(tensor<double>({-kInf, 1, kInf}), std::vector<double>{0, 0.5, 1}), {3},
                {-kInf, 1, kInf});
  EXPECT_EQ(quantile(tensor<int>({1, 2}), 0.5).item(), 1.5);
  EXPECT_EQ(quantile(cast(x, kBF16), 0.5).dtype(), kBF16);
  expect_fails([&] { quantile(x, 1.5); }, "q is 1.5");
  expect_fails([&] { quantile(x, kNaN); }, "not in [0, 1]");
  expect_fails([&] { quantile(zeros({0}), 0.5); }, "no elements");
  expect_fails([&] { quantile(x, 0.5, {.axes = {3}}); }, "quantile");
  check_derivatives(
      [](In t) {
        return quantile(t[0], std::vector<double>{0.2, 0.7}, {.axes = {1}});
      },
      {numbers({3, 7})});
}

TEST(Reduce, MomentsAndCounts) {
  const Tensor x = numbers({4, 6});
  expect_same(glia::std(x, {1}), sqrt(var(x, {1})), 1e-15);
  expect_same(std_mean(x, {0}).mean, mean(x, {0}));
  expect_same(var_mean(x, {0}, true, 0).var, var(x, {0}, true, 0));
  expect_same(aminmax(x, {1}).max, max(x, {1}));
  EXPECT_EQ(count_nonzero(tensor<double>({0, 1, kNaN, -0.0})).item<int64_t>(), 2);
  const Tensor same = trainable(full({3}, 2.0, kF64));
  expect_values(gradients(glia::std(same), {same})[0], {3}, {0, 0, 0});
  check_derivatives([](In t) { return glia::std(t[0], {1}); }, {x});
}

TEST(Reduce, Norms) {
  const Tensor x = tensor<double>({{3, -4}, {0, 0}});
  expect_values(vector_norm(x, 2, {1}), {2}, {5, 0});
  expect_values(vector_norm(x, 1, {1}), {2}, {7, 0});
  expect_values(vector_norm(x, 0, {1}), {2}, {2, 0});
  expect_values(vector_norm(x, kInf, {1}), {2}, {4, 0});
  expect_values(vector_norm(x, -kInf, {1}, true), {2, 1}, {3, 0});
  EXPECT_EQ(norm(x).item(), 5);
  EXPECT_EQ(norm(zeros({0})).item(), 0);
  for (double p : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0, kInf}) {
    const Tensor zero = trainable(zeros({3}, kF64));
    const std::vector<double> g = gradients(vector_norm(zero, p), {zero})[0].to_vector<double>();
    for (double slope : g) EXPECT_EQ(slope, 0) << p;
  }
  for (double p : {0.5, 1.5, 2.0, 3.0, -1.0})
    check_derivatives([p](In t) { return vector_norm(t[0], p, {1}); }, {numbers({3, 4})});
  check_derivatives([](In t) { return renorm(t[0], 2, 0, 1.1); }, {numbers({3, 4})});
  const Tensor rows = vector_norm(renorm(numbers({3, 4}), 2, 0, 1.1), 2, {1});
  EXPECT_LE(max(rows).item(), 1.1);
  expect_fails([&] { vector_norm(x, kNaN); }, "the order is NaN");
  expect_fails([&] { renorm(x, 2, 0, -1); }, "maxnorm -1");
  expect_fails([&] { renorm(ones({3}), 2, 0, 1); }, "rank 2");
}

TEST(Reduce, NormsOfNumbersFarOut) {
  const Tensor large = tensor<double>({3e200, -4e200}), small = large * 1e-300 * 1e-100;
  EXPECT_NEAR(vector_norm(large).item() / 5e200, 1, 1e-15);
  EXPECT_NEAR(vector_norm(small).item() / 5e-200, 1, 1e-15);
  EXPECT_NEAR(vector_norm(large, 3).item() / (1e200 * std::cbrt(91)), 1, 1e-15);
  EXPECT_NEAR(norm(tensor<float>({3e30f, 4e30f})).item() / 5e30, 1, 1e-6);
  EXPECT_NEAR(norm(tensor<float>({3e-30f, 4e-30f})).item() / 5e-30, 1, 1e-6);
  const Tensor x = trainable(large);
  expect_values(gradients(vector_norm(x, 3), {x})[0], {2},
                {9 / std::pow(91, 2 / 3.0), -16 / std::pow(91, 2 / 3.0)}, 1e-14);
  EXPECT_EQ(vector_norm(tensor<double>({1, kInf})).item(), kInf);
  EXPECT_TRUE(std::isnan(vector_norm(tensor<double>({1, kNaN})).item()));
}

// As in PyTorch a number has one axis, 0 or -1.
TEST(Reduce, NumbersHaveAnAxis) {
  const std::vector<std::pair<double, TensorFunction>> calls{
      {3, [](In t) { return sum(t[0], {0}); }},
      {3, [](In t) { return mean(t[0], {-1}, true); }},
      {3, [](In t) { return max(t[0], {0}); }},
      {3, [](In t) { return prod(t[0], {-1}); }},
      {0, [](In t) { return var(t[0], {0}, false, 0); }},
      {3, [](In t) { return logsumexp(t[0], {0}, true); }},
      {3, [](In t) { return vector_norm(t[0], 2, {0}); }},
      {3, [](In t) { return nansum(t[0], {-1}); }},
      {3, [](In t) { return quantile(t[0], 0.3, {.axes = {0}}); }},
      {3, [](In t) { return cumsum(t[0], 0); }},
      {3, [](In t) { return cumprod(t[0], -1); }},
      {3, [](In t) { return logcumsumexp(t[0], 0); }},
      {3, [](In t) { return cummax(t[0], 0).first; }},
      {0, [](In t) { return cast(cummin(t[0], -1).second, kF64); }},
      {1, [](In t) { return softmax(t[0], 0); }},
      {0, [](In t) { return log_softmax(t[0], -1); }},
      {3, [](In t) { return sort(t[0], 0).first; }},
      {0, [](In t) { return cast(argsort(t[0], -1, true), kF64); }},
      {3, [](In t) { return topk(t[0], 1).first; }},
      {3, [](In t) { return kthvalue(t[0], 1, 0).first; }},
      {3, [](In t) { return median(t[0], 0).first; }},
      {0, [](In t) { return cast(nanmedian(t[0], -1, true).second, kF64); }},
      {3, [](In t) { return mode(t[0], 0).first; }},
      {0, [](In t) { return cast(argmax(t[0], 0), kF64); }},
      {3, [](In t) { return flip(t[0], {0}); }},
      {3, [](In t) { return squeeze(t[0], -1); }},
      {3, [](In t) { return transpose(t[0], 0, -1); }},
      {3, [](In t) { return movedim(t[0], {0}, {-1}); }},
      {3, [](In t) { return roll(t[0], {2}, {0}); }},
  };
  const Tensor x = tensor(3.0);
  for (size_t i = 0; i < calls.size(); ++i) {
    SCOPED_TRACE("call " + std::to_string(i));
    const auto& [value, f] = calls[i];
    expect_values(f({x}), {}, {value}, 1e-15);
    if (f({trainable(x)}).requires_grad()) {
      EXPECT_EQ(gradcheck(f, {x}), "");
    }
    expect_values(vmap(f)({tensor({3.0, 3.0})}), {2}, {value, value}, 1e-15);
  }
  for (const auto& f : std::vector<std::function<void()>>{
           [&] { sum(x, {1}); }, [&] { softmax(x, -2); }, [&] { cumsum(x, 1); },
           [&] { sort(x, 1); }, [&] { flip(x, {-2}); }, [&] { squeeze(x, 1); },
           [&] { argmax(x, 2); }})
    expect_fails(f, "out of range");
  expect_fails([&] { sum(x, {0, -1}); }, "appears twice");
  expect_fails([&] { topk(x, 2); }, "k = 2");
}

TEST(Reduce, Covariances) {
  const Tensor x = numbers({3, 8});
  expect_same(diagonal(cov(x)), var(x, {1}), 1e-14);
  // Frequencies are repetitions.
  const Tensor often = tensor<int64_t>({1, 2, 1, 3, 1, 1, 2, 1});
  std::vector<int64_t> each{0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 6, 7};
  expect_same(cov(x, {.fweights = often}), cov(take(x, from_vector(each, {12}), 1)), 1e-14);
  expect_same(cov(x, {.aweights = full({8}, 3.0, kF64)}), cov(x), 1e-14);
  EXPECT_EQ(cov(slice(x, 0, {0, 1})).rank(), 0);
  EXPECT_EQ(cov(reshape(slice(x, 0, {0, 1}), {8})).rank(), 0);
  expect_values(diagonal(corrcoef(x)), {3}, {1, 1, 1}, 1e-15);
  check_derivatives([](In t) { return cov(t[0]); }, {x});
  check_derivatives([](In t) { return corrcoef(t[0]); }, {x});
  expect_fails([&] { cov(ones({2, 2, 2})); }, "variables (V, N)");
  expect_fails([&] { cov(x, {.fweights = ones({3}, kI64)}); }, "weights (3,)");
  expect_fails([&] { cov(x, {.fweights = ones({8})}); }, "fweights are integers");
}

TEST(Reduce, RunningExtremes) {
  const Tensor x = tensor<double>({1, 3, 3, 2, kNaN, 5});
  expect_values(cummax(x, 0).first, {6}, {1, 3, 3, 3, kNaN, kNaN});
  expect_values(cummax(x, 0).second, {6}, {0, 1, 2, 2, 4, 4});
  expect_values(cummin(x, 0).second, {6}, {0, 0, 0, 0, 4, 4});
  EXPECT_EQ(cummax(zeros({0, 3}), 0).first.shape().str(), "(0, 3)");
  const Tensor t = trainable(tensor<double>({1, 3, 2}));
  expect_values(gradients(sum(cummax(t, 0).first), {t})[0], {3}, {1, 2, 0});
  expect_values(logcumsumexp(tensor<double>({-kInf, 0, 1000, kInf, 1}), 0), {5},
                {-kInf, 0, 1000, kInf, kInf});
  expect_values(logcumsumexp(tensor<double>({1, kNaN, 2}), 0), {3}, {1, kNaN, kNaN});
  check_derivatives([](In t) { return logcumsumexp(t[0], 1); }, {numbers({2, 5}) * 3});
  expect_fails([&] { cummax(x, 1); }, "cummax");
  expect_fails([&] { logcumsumexp(tensor<double>(1.0), 1); }, "logcumsumexp");
}

TEST(Reduce, Differences) {
  const Tensor x = tensor<double>({1, 4, 9, 16});
  expect_values(diff(x), {3}, {3, 5, 7});
  expect_values(diff(x, {.n = 2}), {2}, {2, 2});
  expect_values(diff(x, {.n = 0}), {4}, {1, 4, 9, 16});
  expect_values(diff(x, {.n = 9}), {0}, {});
  expect_values(diff(tensor<bool>({true, false, false})), {2}, {1, 0});
  expect_values(diff(x, {.prepend = tensor<double>({0}), .append = tensor<double>({0.0})}), {5},
                {1, 3, 5, 7, -16});
  EXPECT_EQ(trapezoid(x).item(), 21.5);
  EXPECT_EQ(trapezoid(x, 0.5).item(), 10.75);
  expect_values(cumulative_trapezoid(x), {3}, {2.5, 9, 21.5});
  EXPECT_EQ(trapezoid(x, tensor<double>({0, 1, 3, 4})).item(), 2.5 + 13 + 12.5);
  EXPECT_EQ(trapezoid(tensor<double>({1.0})).item(), 0);
  expect_values(gradient(x)[0], {4}, {3, 4, 6, 7});
  expect_values(gradient(x, {.edge_order = 2})[0], {4}, {2, 4, 6, 8}, 1e-13);
  expect_values(gradient(x, {.spacing = {0.5}})[0], {4}, {6, 8, 12, 14});
  // Of a parabola exact at any places inside.
  const Tensor places = tensor<double>({0, 1, 1.5, 3, 3.5});
  expect_same(gradient(square(places), {.coordinates = {places}, .edge_order = 2})[0], 2 * places,
              1e-13);
  EXPECT_EQ(gradient(numbers({3, 4})).size(), 2u);
  expect_values(gradient(tensor<double>({1, 3}))[0], {2}, {2, 2});
  check_derivatives([](In t) { return gradient(t[0], {.axes = {1}, .edge_order = 2})[0]; },
                    {numbers({2, 5})});
  check_derivatives([](In t) { return trapezoid(t[0], t[1], 1); }, {numbers({2, 5}), numbers({5})});
  expect_fails([&] { diff(x, {.n = -1}); }, "n is -1");
  expect_fails([&] { gradient(tensor<double>({1.0})); }, "too short");
  expect_fails([&] { gradient(x, {.edge_order = 3}); }, "edge_order is 3");
  expect_fails([&] { gradient(x, {.spacing = {1, 2}}); }, "2 spacings for 1 axes");
  expect_fails([&] { gradient(x, {.coordinates = {ones({3})}}); }, "coordinates (3,)");
  expect_fails([&] { trapezoid(x, ones({3})); }, "(3,) places");
}

TEST(Reduce, IsTheSameForExamplesTogether) {
  const Tensor x = numbers({3, 4, 5});
  const std::vector<TensorFunction> functions{
      [](In t) { return median(t[0], 0).first; },
      [](In t) { return nanmedian(t[0], 1).first; },
      [](In t) { return mode(round(t[0] * 2), 1).first; },
      [](In t) { return quantile(t[0], 0.3, {.axes = {0}}); },
      [](In t) { return kthvalue(t[0], 2, 1).first; },
      [](In t) { return cummin(t[0], 1).first; },
      [](In t) { return logcumsumexp(t[0], 0); },
      [](In t) { return vector_norm(t[0], 3, {1}); },
      [](In t) { return glia::std(t[0], {0}); },
      [](In t) { return cov(t[0]); },
      [](In t) { return gradient(t[0])[1]; }};
  for (size_t f = 0; f < functions.size(); ++f) {
    std::vector<Tensor> each;
    for (int64_t i = 0; i < 3; ++i) each.push_back(functions[f]({index(x, {i})}));
    SCOPED_TRACE(f);
    expect_same(vmap(functions[f])({x}), stack(each), 1e-14);
  }
}

// Of rows, columns and arrays of every length around those of vectors, against a loop.
template <class T>
void check_integer_extremes() {
  std::mt19937_64 engine(3);
  for (const int64_t rows : {1, 3, 8, 17}) {
    for (const int64_t cols : {1, 2, 15, 16, 31, 33, 64, 127, 128, 129, 200, 257}) {
      std::vector<T> values(static_cast<size_t>(rows * cols));
      for (T& value : values) value = static_cast<T>(engine());
      values[engine() % values.size()] = std::numeric_limits<T>::max();
      values[engine() % values.size()] = std::numeric_limits<T>::lowest();
      const Tensor x = from_vector(values, {rows, cols});
      for (const bool largest : {true, false}) {
        const auto better = [&](T a, T b) { return largest ? std::max(a, b) : std::min(a, b); };
        std::vector<T> of_rows, of_cols;
        for (int64_t r = 0; r < rows; ++r)
          of_rows.push_back(std::reduce(&values[r * cols + 1], values.data() + (r + 1) * cols,
                                        values[r * cols], better));
        of_cols.assign(values.begin(), values.begin() + cols);
        for (int64_t i = cols; i < rows * cols; ++i)
          of_cols[i % cols] = better(of_cols[i % cols], values[i]);
        SCOPED_TRACE(x.shape().str());
        const auto f = [&](const Axes& axes) {
          return (largest ? max(x, axes) : min(x, axes)).template to_vector<T>();
        };
        EXPECT_TRUE(f({1}) == of_rows);
        EXPECT_TRUE(f({0}) == of_cols);
        EXPECT_TRUE(f({}) == std::vector<T>{std::reduce(of_rows.begin() + 1, of_rows.end(),
                                                        of_rows[0], better)});
        const Tensor at = largest ? argmax(x, 1) : argmin(x, 1);
        for (int64_t r = 0; r < rows; ++r) {
          const auto first = values.begin() + r * cols;
          const auto place = largest ? std::max_element(first, first + cols)
                                     : std::min_element(first, first + cols);
          EXPECT_EQ(index(at, {r}).item<int64_t>(), place - first);
        }
      }
    }
  }
}
TEST(Reduce, ExtremesOfIntegers) {
  check_integer_extremes<uint8_t>();
  check_integer_extremes<int32_t>();
  check_integer_extremes<int64_t>();
}

TEST(Reduce, SaysWhatIsNotDefined) {
  const Tensor none;
  const std::vector<std::pair<std::string, std::function<void()>>> calls{
      {"sum", [&] { sum(none, {}, false, kF64); }},
      {"nansum", [&] { nansum(none); }},
      {"nanmean", [&] { nanmean(none); }},
      {"count_nonzero", [&] { count_nonzero(none); }},
      {"var", [&] { glia::std(none); }},
      {"norm", [&] { norm(none); }},
      {"cov", [&] { cov(none); }},
      {"corrcoef", [&] { corrcoef(none); }},
      {"kthvalue", [&] { kthvalue(none, 1); }},
      {"median", [&] { median(none); }},
      {"nanmedian", [&] { nanmedian(none, 0); }},
      {"mode", [&] { mode(none); }},
      {"quantile", [&] { quantile(none, 0.5); }},
      {"cummax", [&] { cummax(none, 0); }},
      {"logcumsumexp", [&] { logcumsumexp(none, 0); }},
      {"diff", [&] { diff(none); }},
      {"trapezoid", [&] { trapezoid(none); }},
      {"gradient", [&] { gradient(none); }}};
  for (const auto& [name, call] : calls) expect_fails(call, name);
}

}  // namespace
}  // namespace glia::test
