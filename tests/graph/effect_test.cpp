// Operations that do something besides giving a value, and what recording checks of attributes.
#include <gtest/gtest.h>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/host.h"

namespace glia::test {
namespace {

// log_value(x, tag): x as it is, and a note of when it was computed.
struct LogAttributes {
  int64_t tag = 0;
  GLIA_ATTRIBUTES(tag)
};
std::vector<int64_t> written;

void run_log(const KernelCall& call) {
  written.push_back(call.attributes<LogAttributes>().tag);
  std::copy_n(call.in[0].as<const float>(), call.in[0].numel(), call.out[0].as<float>());
}
void vjp_log(Vjp& v) { v.set(0, v.g()); }
const glia::Op kLog{.name = "test_log",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<LogAttributes>,
                    .vjp = vjp_log,
                    .run = run_log,
                    .effect = true};
// The same without an effect.
const glia::Op kPure{.name = "test_pure",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<LogAttributes>,
                     .vjp = vjp_log,
                     .run = run_log};
// Its sum: smaller than its input, so that a plan would like to have it early.
void run_log_sum(const KernelCall& call) {
  written.push_back(call.attributes<LogAttributes>().tag);
  float sum = 0;
  for (int64_t i = 0; i < call.in[0].numel(); ++i) sum += call.in[0].as<const float>()[i];
  *call.out[0].as<float>() = sum;
}
const glia::Op kLogSum{.name = "test_log_sum",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<LogAttributes>,
                       .run = run_log_sum,
                       .effect = true};
const RegisterOp registered[] = {RegisterOp(kLog), RegisterOp(kPure), RegisterOp(kLogSum)};

Tensor logged(const Tensor& x, int64_t tag, const glia::Op& op = kLog) {
  return record(op, {x.node()}, x.shape(), x.dtype(), LogAttributes{tag}, Where::current());
}
Tensor log_sum(const Tensor& x, int64_t tag) {
  return record(kLogSum, {x.node()}, {}, kF32, LogAttributes{tag}, Where::current());
}

using Tags = std::vector<int64_t>;
Tags taken() { return std::exchange(written, {}); }

Tensor numbers(const Shape& shape) {
  Tensor x = arange(shape.numel(), kF32);
  eval({x});
  return reshape(x, shape);
}

TEST(Effect, EqualOnesAreNotMerged) {
  const Tensor x = numbers({4});
  const Tensor pure = logged(x, 1, kPure) + logged(x, 1, kPure);
  EXPECT_EQ(sum(pure).item(), 12);
  EXPECT_EQ(taken(), Tags({1}));
  const Tensor y = logged(x, 1) + logged(x, 1);
  EXPECT_EQ(sum(y).item(), 12);
  EXPECT_EQ(taken(), Tags({1, 1}));
  // What is made of them is not either.
  const Tensor z = logged(x * 2, 2) + logged(x * 2, 2);
  EXPECT_EQ(sum(z * 1).item(), 24);
  EXPECT_EQ(taken(), Tags({2, 2}));
}

TEST(Effect, OrderIsThatOfRecordingHoweverTheGraphIsWalked) {
  const Tensor x = numbers({8});
  for (int repetition = 0; repetition < 3; ++repetition) {
    const Tensor a = logged(x, 1), b = logged(x + 1, 2), c = logged(x + 2, 3);
    const Tensor y = c * 3 + (b * 2 + a);
    EXPECT_EQ(sum(y).item(), 28 * 6 + 8 * 8);
    EXPECT_EQ(taken(), Tags({1, 2, 3}));
    // The same structure recorded in another order.
    const Tensor c2 = logged(x + 2, 3), b2 = logged(x + 1, 2), a2 = logged(x, 1);
    const Tensor y2 = c2 * 3 + (b2 * 2 + a2);
    EXPECT_EQ(sum(y2).item(), 28 * 6 + 8 * 8);
    EXPECT_EQ(taken(), Tags({3, 2, 1}));
  }
  // The last one asked for first, and one that depends on a later one.
  const Tensor a = logged(x, 1), b = logged(x, 2), c = logged(a + b, 3), d = logged(x, 4);
  eval({d, c, b, a});
  EXPECT_EQ(taken(), Tags({1, 2, 3, 4}));
}

TEST(Effect, WhatAPlanWouldDoEarlyOrLateStaysInOrder) {
  const Tensor x = numbers({64, 64});
  const Tensor product = matmul(x, x), first = logged(product, 1);
  const Tensor small = log_sum(x + 1, 2), second = logged(matmul(first, x), 3);
  const Tensor smaller = log_sum(second, 4);
  eval({smaller, small, first, second});
  EXPECT_EQ(taken(), Tags({1, 2, 3, 4}));
}

TEST(Effect, IsDoneOnceHoweverOftenItsValueIsNeeded) {
  const Tensor x = trainable(numbers({128, 128}));
  const Tensor y = logged(x * 2, 1);
  const Tensor loss = sum(square(y) * 0.5);
  EXPECT_GT(loss.item(), 0);
  EXPECT_EQ(taken(), Tags({1}));
  // The gradient needs the value, which nobody holds but the graph.
  const Tensor g = gradients(sum(square(logged(x * 2, 2))), {x})[0];
  eval({g});
  EXPECT_EQ(taken(), Tags({2}));
  const Tensor late = [&] {
    const Tensor l = sum(square(logged(x * 2, 3)));
    EXPECT_GT(l.item(), 0);
    return l;
  }();
  EXPECT_EQ(taken(), Tags({3}));
  eval({gradients(late, {x})[0]});
  EXPECT_EQ(taken(), Tags());
  EXPECT_GT(sum(y).item(), 0);
  EXPECT_EQ(taken(), Tags());
}

TEST(Effect, IsNotTakenForSteadyNorLeftOut) {
  const Tensor x = numbers({4});
  for (int i = 0; i < 4; ++i) {
    const Tensor y = logged(x + 1, 7) * 2;
    eval({y});
    EXPECT_EQ(taken(), Tags({7})) << i;
  }
  const Tensor empty = logged(zeros({0}), 8);
  eval({empty});
  EXPECT_EQ(taken(), Tags({8}));
  // Wanted, though nothing is made of it.
  Tensor held = logged(x, 9);
  const Tensor other = logged(x, 10) + held;
  eval({other});
  EXPECT_EQ(taken(), Tags({9, 10}));
  { const Tensor dropped = logged(x, 11); }
  EXPECT_EQ(sum(logged(x, 12)).item(), 6);
  EXPECT_EQ(taken(), Tags({12}));
}

TEST(Effect, EagerModeDoesIt) {
  set_eager(true);
  const Tensor x = numbers({4});
  const Tensor a = logged(x, 1), b = logged(x, 1);
  EXPECT_EQ(taken(), Tags({1, 1}));
  EXPECT_EQ(sum(a + b).item(), 12);
  set_eager(false);
  EXPECT_EQ(taken(), Tags());
}

TEST(Effect, InsideVmapEachExampleIsOne) {
  const Tensor x = numbers({3, 2});
  const auto f = vmap([](const std::vector<Tensor>& in) { return logged(in[0], 5) * 2; });
  EXPECT_EQ(sum(f({x})).item(), 30);
  EXPECT_EQ(taken(), Tags({5, 5, 5}));
}

TEST(Effect, OfALargeGraphInPiecesToo) {
  const Tensor x = numbers({1});
  std::vector<Tensor> parts;
  Tags expected;
  for (int i = 0; i < 40; ++i) {
    Tensor y = x;
    for (int k = 0; k < 2000; ++k) y = y + i;
    parts.push_back(logged(y, i));
    expected.push_back(i);
  }
  std::ranges::reverse(parts);
  eval({concat(parts)});
  EXPECT_EQ(taken(), expected);
}

// A kernel that draws: as many random numbers as there are examples.
void run_draw(const KernelCall& call) {
  const int64_t seed = call.in[0].as<const int64_t>()[1];
  for (int64_t i = 0; i < call.out[0].numel(); ++i)
    call.out[0].as<float>()[i] = static_cast<float>(seed * 100 + i);
}
const glia::Op kDraw{.name = "test_draw", .kind = Kind::kKernel, .run = run_draw, .draws = true};
const RegisterOp registered_draw(kDraw);

TEST(Draws, EachExampleOfVmapDrawsForItself) {
  const int64_t key[] = {0, 3};
  const Tensor k = from_vector(std::vector<int64_t>(key, key + 2), {2});
  const auto f = vmap([&](const std::vector<Tensor>& in) {
    return in[0] + record(kDraw, {k.node()}, {2}, kF32, {}, Where::current());
  });
  const std::vector<float> got = f({zeros({2, 2})}).to_vector<float>();
  EXPECT_EQ(got, std::vector<float>({300, 301, 302, 303}));
}

// ---- Kernels for some dtypes --------------------------------------------------------------------

void run_doubled(const KernelCall& call) {
  parallel_for(call.out[0].numel(), [&](int64_t i) {
    call.out[0].as<double>()[i] = 2 * call.in[0].as<const double>()[i];
  });
}
void run_doubled_f32(const KernelCall& call) {
  written.push_back(32);
  for (int64_t i = 0; i < call.out[0].numel(); ++i)
    call.out[0].as<float>()[i] = 2 * call.in[0].as<const float>()[i];
}
const glia::Op kDoubled{.name = "test_doubled", .kind = Kind::kKernel, .run = run_doubled};
const RegisterOp registered_doubled(kDoubled);
const glia::Op kHalfMade{.name = "test_half_made", .kind = Kind::kKernel};
const RegisterKernel doubled_f32{{"test_doubled", {kF32}, [] { return &run_doubled_f32; }}};

TEST(Kernels, AreChosenByTheDtypeOfTheOutput) {
  for (DType dtype : {kF32, kF64}) {
    const Tensor x = cast(numbers({5}), dtype);
    const Tensor y = record(kDoubled, {x.node()}, x.shape(), dtype, {}, Where::current());
    EXPECT_EQ(sum(y).item(), 20);
    EXPECT_EQ(taken(), dtype == kF32 ? Tags({32}) : Tags());
  }
  // One without any is an error of its line, and nothing is lost.
  const Tensor x = numbers({5});
  Tensor y = record(kHalfMade, {x.node()}, x.shape(), kF32, {}, Where::current());
  try {
    eval({y});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("test_half_made: no kernel for f32 at "), 0u)
        << error.what();
  }
  EXPECT_EQ(sum(x).item(), 10);
  const glia::Op tuple{.name = "test_tuple", .kind = Kind::kKernel, .outputs = 2, .effect = true};
  EXPECT_THROW(RegisterOp{tuple}, Error);
}

// ---- Attributes ---------------------------------------------------------------------------------

enum class Colour : uint8_t { kRed, kGreen };
struct ManyAttributes {
  bool flag = false;
  Shape sizes;
  double eps = 0;
  Colour colour = Colour::kRed;
  int32_t count = 0;
  Shape steps;
  float ratio = 0;
  GLIA_ATTRIBUTES(flag, sizes, eps, colour, count, steps, ratio)
};
const glia::Op kMany{
    .name = "test_many", .kind = Kind::kKernel, .attributes = kAttributeFields<ManyAttributes>};

TEST(Attributes, AreReadAsTheyWereWritten) {
  const ManyAttributes a{true, {2, 3}, -0.0, Colour::kGreen, -7, {5, INT64_MIN}, 0.25f};
  const WordsOf written(a);
  const auto b = written.words().as<ManyAttributes>();
  EXPECT_EQ(b.flag, a.flag);
  EXPECT_EQ(b.sizes, a.sizes);
  EXPECT_EQ(std::signbit(b.eps), true);
  EXPECT_EQ(b.colour, a.colour);
  EXPECT_EQ(b.count, a.count);
  EXPECT_EQ(b.steps, a.steps);
  EXPECT_EQ(b.ratio, a.ratio);
  EXPECT_EQ(WordsOf(a).words().str(kMany),
            "flag=true, sizes=(2, 3), eps=-0, colour=1, count=-7, steps=(5, -9223372036854775808), "
            "ratio=0.25");
  const ManyAttributes none{.eps = 1e-5};
  EXPECT_EQ(WordsOf(none).words().as<ManyAttributes>().eps, 1e-5);
  EXPECT_EQ(WordsOf(none).words().as<ManyAttributes>().sizes, Shape());
}

TEST(Attributes, OfAnotherTypeAreAnError) {
  const Tensor x = numbers({2});
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] {
              record(kLog, {x.node()}, x.shape(), kF32, AxisAttributes{1}, Where::current());
            }),
            "test_log: recorded with attributes (axis), declared with (tag)");
  const WordsOf one(LogAttributes{1});
  EXPECT_NE(message([&] { one.words().as<ManyAttributes>(); }), "");
  EXPECT_THROW(AttributeWords().as<LogAttributes>(), Error);
  const ManyAttributes ragged{.sizes = {1, 2}, .steps = {1}};
  EXPECT_THROW(WordsOf(ragged).words().as<ManyAttributes>(), Error);
}

// Each number is part of the key of a plan.
TEST(Attributes, ChangeThePlan) {
  const Tensor x = numbers({4});
  const auto plans = [&](double correction) {
    const int64_t before = graph_stats().plans_built;
    eval({var(x, {}, false, correction)});
    return graph_stats().plans_built - before;
  };
  plans(1);
  EXPECT_EQ(plans(1), 0);
  EXPECT_EQ(plans(0.5), 1);
  EXPECT_EQ(plans(1), 0);
}

}  // namespace
}  // namespace glia::test
