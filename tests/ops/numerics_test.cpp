// How far from f64 the sums, scans, norms and losses of narrower floats are, whatever the
// magnitude, the offset from zero, the size and the axis. Inputs are the same numbers in both
// dtypes.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/runtime.h"
#include "glia/sparse.h"
#include "tests/support/host.h"
#include "tests/support/numerics_cases.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");
using Function = std::function<Tensor(const Tensor&)>;

// Half the distance between numbers of this dtype just above 1: one rounding.
double unit(DType t) { return std::ldexp(1.0, -float_format(t).digits); }

// The largest error of f in a dtype, in roundings of `scale`, which has a number for each result.
double error_of(const Function& f, const Tensor& x, DType dtype, const Function& scale) {
  const Tensor narrow = cast(x, dtype), wide = cast(narrow, kF64);
  const Tensor result = f(narrow);
  EXPECT_EQ(result.dtype(), dtype);
  const auto got = result.to_vector<double>(), want = f(wide).to_vector<double>(),
             of = scale(wide).to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (same_number(got[i], rounded(want[i], dtype))) continue;
    // Below the least normal number, places do not shrink any more.
    const double places = std::max(of[i], std::ldexp(1.0, float_format(dtype).least_exponent));
    const double error = std::abs(got[i] - want[i]) / (places * unit(dtype));
    worst = std::isnan(error) ? kInf : std::max(worst, error);
  }
  return worst;
}

Tensor even_numbers(const Shape& shape, uint64_t seed) {  // between -1 and 1
  Numbers n(seed);
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (double& v : x) v = n.uniform(-1, 1);
  return from_vector(x, shape);
}

struct Values {
  std::string what;
  std::function<Tensor(const Tensor&)> from;  // numbers between -1 and 1
};
std::vector<Values> all_values() {
  std::vector<Values> out;
  for (double magnitude : {1e-3, 1.0, 1e3}) {
    for (double offset : {0.0, 1.0, 1e2, 1e4})
      out.push_back({"magnitude " + std::to_string(magnitude) + " at " + std::to_string(offset),
                     [=](const Tensor& x) { return magnitude * (x + offset); }});
  }
  for (double value : {0.1, 0.3, 0.7, 1000.0, 1000003.1})
    out.push_back({"all " + std::to_string(value),
                   [=](const Tensor& x) { return full(x.shape(), value, kF64); }});
  return out;
}

struct Space {
  Shape shape;
  Axes axes;
};
// Each way to go through a space: flat, rows that are short, in cache and too long for it, columns
// that are few, many, wide and in segments, several axes.
std::vector<Space> spaces() {
  return {{{1000}, {}},          {{300001}, {}},    {{3000, 7}, {1}},     {{700, 130}, {1}},
          {{20, 8000}, {1}},     {{5, 30000}, {1}}, {{60000, 3}, {0}},    {{20000, 16}, {0}},
          {{2000, 130}, {0}},    {{90, 5000}, {0}}, {{3, 4000, 20}, {1}}, {{6, 500, 64}, {0, 1}},
          {{50, 4, 900}, {0, 2}}};
}
std::vector<Space> lines() {
  return {
      {{3000, 7}, {1}}, {{64, 768}, {1}}, {{9, 9000}, {1}}, {{3000, 24}, {0}}, {{900, 70}, {0}}};
}

void check(const NumericCase& c) {
  for (const Space& space : c.by_line ? lines() : spaces()) {
    const Tensor base = even_numbers(space.shape, 7);
    for (const Values& values : all_values()) {
      const Tensor x = c.small ? exp(base * 0.01) : values.from(base);
      eval(x);
      for (DType dtype : {kF32, kF16, kBF16}) {
        const bool half = dtype != kF32;
        if (half && (space.shape.numel() > 100000 || !c.halves)) continue;
        const auto of = [&](const NumericCase::Function& f) {
          return [&](const Tensor& t) { return f(t, space.axes); };
        };
        // A 16-bit result is rounded once more.
        EXPECT_LE(error_of(of(c.f), x, dtype, of(c.scale)),
                  half ? std::min(c.bound, 1.01) : c.bound)
            << c.name << " " << c.what << " of " << name(dtype) << " " << space.shape.str() << ", "
            << values.what;
      }
      if (c.small) break;
    }
  }
}

void PrintTo(const NumericCase& c, std::ostream* out) { *out << c.name << " " << c.what; }

class SumsAreCloseToF64 : public testing::TestWithParam<NumericCase> {};
TEST_P(SumsAreCloseToF64, WhateverTheyAreOf) { check(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Numerics, SumsAreCloseToF64, testing::ValuesIn(numeric_cases()),
                         [](const auto& info) {
                           return info.param.name + "_" + std::to_string(info.index);
                         });

// Names of the functions in these sections of glia/ops.h.
std::set<std::string> declared(const std::set<std::string>& sections) {
  std::ifstream in(GLIA_SOURCE_DIR "/include/glia/ops.h");
  EXPECT_TRUE(in);
  std::set<std::string> names;
  const std::regex section("// ---- (.*?) -*"),
      function("[A-Za-z][A-Za-z:<, >]* ([a-z_0-9]+)\\(.*");
  bool wanted = false;
  std::smatch found;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, found, section)) wanted = sections.contains(found[1]);
    if (wanted && std::regex_match(line, found, function)) names.insert(found[1]);
  }
  return names;
}

TEST(Numerics, HasACaseForEveryReductionScanNormAndLoss) {
  std::set<std::string> covered = kSumNothing;
  for (const NumericCase& c : numeric_cases()) covered.insert(c.name);
  const std::set<std::string> names = declared(kSummingSections);
  EXPECT_EQ(names, covered);  // what is new needs a case in tests/support/numerics_cases.h
  for (const glia::Op* op : all_ops()) {
    if (op->kind == Kind::kReduce) EXPECT_TRUE(covered.contains(op->name)) << op->name;
  }
}

TEST(Numerics, TheMillionthSumIsNoWorseThanTheFirst) {
  EXPECT_EQ(index(cumsum(full({1000000}, 0.1), 0), {-1}).item(),
            static_cast<float>(1e6 * static_cast<double>(0.1f)));
}

// Sums of a kernel of their own, too, do not lose more with each number: of as many as there are in
// order at a time, each may be rounded, and so may be the sums of these.
TEST(Numerics, BagsWindowsAndIndicesKeepTheirSums) {
  const auto roundings = [](const Tensor& got, double want) {
    return max(abs(cast(got, kF64) - want)).item() / (want * unit(kF32));
  };
  constexpr int64_t kMany = 100000;
  BagOptions summed;
  summed.mode = BagMode::kSum;
  const Tensor first = zeros({kMany}, kI64), start = tensor<int64_t>({0});
  for (double value : {0.1, 0.3, 0.7, 1000.1}) {
    const double number = static_cast<float>(value);
    for (int64_t width : {1, 20, 300}) {
      const Tensor weight = full({1, width}, value);
      EXPECT_LE(roundings(embedding_bag(first, weight, start, {}, summed), kMany * number), 64 + 11)
          << value << " " << width;
    }
    for (int64_t side : {3, 7, 64})
      EXPECT_LE(roundings(avg_pool2d(full({1, side, side, 20}, value), side), number), 2 * side)
          << value << " " << side;
  }
  // Of 16 bits: one more, of hundreds, would be rounded away.
  const Tensor target = zeros({2}, kBF16), ones_of = ones({1000}, kBF16);
  EXPECT_EQ(index(index_add(target, zeros({1000}, kI64), ones_of), {0}).item(), 1000);
  EXPECT_EQ(index(scatter_add(target, zeros({1000}, kI64), ones_of, 0), {0}).item(), 1000);
}

TEST(Numerics, OfEqualNumbersANormLeavesNothing) {
  for (const Shape& shape : {Shape{64, 768}, Shape{16, 9000}, Shape{3000, 24}}) {
    for (double value : {0.1, 0.3, 0.7, 1000.0, 1000003.1}) {
      const Tensor same = full(shape, value);
      for (const Tensor& y : {layer_norm(same, {}, {}), batch_norm(same, {}, {}).out})
        EXPECT_LE(max(abs(y)).item(), 1e-5) << value << shape.str();
    }
  }
}

TEST(Numerics, CrossEntropyDoesNotCancel) {
  for (double v : {1.0, 100.0, 1e4, 1e8, -1e8}) {
    const Tensor x = trainable(tensor<float>({{static_cast<float>(v), static_cast<float>(v)}}));
    for (const Tensor& target : {tensor<int64_t>({0}), tensor<float>({{1.0f, 0.0f}})}) {
      const Tensor loss = cross_entropy(x, target);
      EXPECT_EQ(loss.item<float>(), std::log(2.0f)) << v;
      expect_values(gradients(loss, {x})[0], {1, 2}, {-0.5, 0.5});
    }
    expect_values(gradients(sum(logsumexp(x)), {x})[0], {1, 2}, {0.5, 0.5});
  }
  // Far from zero, each of a batch, with everything that may be asked for.
  const Tensor base = 3 * even_numbers({200, 50}, 11);
  const Tensor target = remainder(cast(arange(200), kI64), 50);
  const Tensor weight = cast(even_numbers({50}, 12) + 1.5, kF32);
  for (double offset : {0.0, 1e3, -1e6}) {
    for (double smoothing : {0.0, 0.1}) {
      for (bool weighted : {false, true}) {
        const auto results = [&](const Tensor& given, Reduction reduction) {
          const Tensor x = trainable(given);
          const Tensor loss =
              cross_entropy(x, target,
                            {.label_smoothing = smoothing,
                             .reduction = reduction,
                             .weight = weighted ? cast(weight, given.dtype()) : Tensor()});
          return std::pair{loss, gradients(sum(loss), {x})[0]};
        };
        const Tensor x = cast(base + offset, kF32);
        for (Reduction reduction : {Reduction::kNone, Reduction::kMean}) {
          const auto [loss, g] = results(x, reduction);
          const auto [loss64, g64] = results(cast(x, kF64), reduction);
          EXPECT_LE(max(abs(cast(loss, kF64) - loss64) / loss64).item(), 8 * unit(kF32));
          EXPECT_LE((max(abs(cast(g, kF64) - g64)) / max(abs(g64))).item(), 8 * unit(kF32));
        }
      }
    }
  }
}

// Against the formulas in long double: both terms of the loss are computed where they are small.
TEST(Numerics, BinaryCrossEntropyKeepsSmallLosses) {
  for (double v : {0.0, 1e-4, 1.0, 15.0, 40.0, 80.0}) {
    for (double sign : {-1.0, 1.0}) {
      for (double t : {0.0, 0.25, 1.0}) {
        const Real x = static_cast<float>(sign * v);
        const auto softplus = [](Real a) { return std::max(a, Real(0)) + log1pl(expl(-fabsl(a))); };
        const auto share = [](Real a) { return 1 / (1 + expl(-a)); };
        const Real loss = (1 - t) * softplus(x) + t * softplus(-x);
        const Real slope = (1 - t) * share(x) - t * share(-x);
        const Tensor logit = trainable(tensor(static_cast<float>(x)));
        const Tensor y = binary_cross_entropy_with_logits(logit, tensor(static_cast<float>(t)));
        EXPECT_NEAR(y.item(), static_cast<double>(loss), 4e-7 * static_cast<double>(loss));
        EXPECT_NEAR(gradients(y, {logit})[0].item(), static_cast<double>(slope),
                    4e-7 * std::abs(static_cast<double>(slope)) + 1e-7 * (t == 0.25));
      }
    }
  }
}

// 16-bit floats are added up, squared and divided in f32; only results are rounded.
TEST(Numerics, SixteenBitsOverflowOnlyInResults) {
  for (DType t : {kF16, kBF16}) {
    const Tensor thousand = full({300}, 1000, t), zero = zeros({300}, t);
    EXPECT_EQ(mean(thousand).item(), 1000);
    EXPECT_EQ(mean(ones({100000}, t)).item(), 1);
    EXPECT_EQ(var(thousand).item(), 0);
    EXPECT_EQ(l1_loss(thousand, zero).item(), 1000);
    EXPECT_EQ(smooth_l1_loss(thousand, zero, 1000).item(), 500);
    // Of 3 numbers at a distance of 300 among 300: squares are out of range, their mean is not.
    const Tensor few = cast(where(arange(300) < 3, 300, 0), t);
    EXPECT_EQ(mse_loss(few, zero).item(), rounded(900, t));
    EXPECT_EQ(optim::clip_grad_norm({cast(tensor({300, 400}), t)}, 1).norm.item(), 500);
    const Tensor clipped = optim::clip_grad_norm({cast(tensor({300, 400}), t)}, 1).gradients[0];
    EXPECT_EQ(clipped.dtype(), t);
    EXPECT_NEAR(index(clipped, {0}).item(), 0.6, 0.6 * 2 * unit(t));
    EXPECT_EQ(mean(thousand, {0}).dtype(), t);
  }
}

TEST(Numerics, GeluOfSixteenBitsIsRoundedOnce) {
  for (DType t : {kF16, kBF16}) {
    const Tensor x = cast(arange(1000) * 0.01 - 5, t), y = gelu(x);
    EXPECT_EQ(y.dtype(), t);
    EXPECT_TRUE(all(y == cast(gelu(cast(x, kF32)), t)).item());
  }
}

TEST(Numerics, MeansOfIntegersAreThoseOfTheirNumbers) {
  const int32_t big = 1 << 30;
  EXPECT_EQ(mean(tensor<int32_t>({big, -big + 53})).item(), 26.5);
  EXPECT_EQ(var(tensor<int32_t>({big, big + 2})).item(), 2);
  EXPECT_EQ(mean(full({1000}, 2147483647, kI32)).item(), 2147483648.0);  // rounded to f32, once
  EXPECT_EQ(mean(full({1000}, 255, kU8)).item(), 255);
  EXPECT_EQ(mean(tensor<int64_t>({int64_t{1} << 62, int64_t{1} << 62})).item(), 0x1p62);
  EXPECT_EQ(mean(tensor({1, 2})).dtype(), kF32);
}

TEST(Numerics, LogsumexpOfNothing) {
  expect_values(logsumexp(zeros({0})), {}, {-kInf});
  expect_values(logsumexp(zeros({0, 3}), {0}), {3}, {-kInf, -kInf, -kInf});
  expect_values(logsumexp(zeros({2, 0}), {1}, true), {2, 1}, {-kInf, -kInf});
  EXPECT_EQ(logsumexp(zeros({0, 3})).shape(), (Shape{0}));
  const Tensor x = trainable(zeros({2, 0}));
  EXPECT_EQ(gradients(sum(logsumexp(x)), {x})[0].shape(), (Shape{2, 0}));
}

// PyTorch 2.13's values: torch.max shares among NaNs, torch.amax makes all NaN.
TEST(Numerics, DerivativesAtInfinitiesAndNaNs) {
  const Tensor x = trainable(tensor<double>({1, kNaN, 3, kNaN}));
  expect_values(gradients(max(x), {x})[0], {4}, {0, 0.5, 0, 0.5});
  expect_values(gradients(min(x), {x})[0], {4}, {0, 0.5, 0, 0.5});
  const Tensor rows = trainable(tensor<double>({{1, kNaN}, {2, 2}}));
  expect_values(gradients(sum(max(rows, {1})), {rows})[0], {2, 2}, {kNaN, kNaN, 0.5, 0.5});
  const Tensor d = trainable(tensor<double>({kInf, -kInf, kNaN, 2, -0.5}));
  const Tensor loss = smooth_l1_loss(d, zeros({5}, kF64), 1, Reduction::kNone);
  expect_values(loss, {5}, {kInf, kInf, kNaN, 1.5, 0.125});
  expect_values(gradients(sum(loss), {d})[0], {5}, {1, -1, kNaN, 1, -0.5});
}

TEST(Numerics, NanToNum) {
  const Tensor x = trainable(tensor<double>({kNaN, kInf, -kInf, 2}));
  expect_values(nan_to_num(x, 7, 8, -9), {4}, {7, 8, -9, 2});
  expect_values(gradients(sum(nan_to_num(x)), {x})[0], {4}, {0, 0, 0, 1});
  const std::pair<DType, double> largest[] = {{kF16, 65504},
                                              {kBF16, 0x1.fep127},
                                              {kF32, 0x1.fffffep127},
                                              {kF64, std::numeric_limits<double>::max()}};
  for (const auto& [t, most] : largest)
    expect_values(nan_to_num(cast(x, t)), {4}, {0, most, -most, 2});
  const Tensor whole = tensor<int64_t>({1, -2});
  expect_same(nan_to_num(whole, 5), whole);
  EXPECT_EQ(nan_to_num(whole).dtype(), kI64);
}

// Large results that only pass through are no reason to compute: their operands would be, as a
// whole, what fuses otherwise. (Nothing is computed here.)
TEST(Numerics, WhatFusesDoesNotCountAsMemory) {
  const Tensor x = expand(zeros({1}, kU8), {int64_t{1} << 38});
  const auto before = graph_stats();
  const Tensor y = sum(cast(x, kF32) * 2 + 1);
  const Tensor z = sum(x);  // of i64
  EXPECT_EQ(graph_stats().plans_run, before.plans_run);
}

}  // namespace
}  // namespace glia::test
