// Where kernels read and write, and which of them a processor gets.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "glia/error.h"
#include "tests/backend/tiles.h"

namespace glia::cpu {
namespace {

// ---- Length, place and aliasing

struct Call {
  TileFunction run;
  DType a, b, out;  // b is also c's
  int inputs;
};

std::vector<Call> every_call() {
  std::vector<Call> calls;
  for (DType t : kAll) {
    for (const Operation& op : kOperations) {
      if (!defined_on(op.domain.types, t)) continue;
      calls.push_back({tile_function(op.code, t), t, t, op.compares ? kBool : t, op.inputs});
    }
    calls.push_back({tile_function(Code::kWhere, t), kBool, t, t, 3});
    for (DType to : kAll) calls.push_back({cast_function(t, to), t, t, to, 1});
  }
  return calls;
}

// Each operand and the result end where their memory does, so that a sanitizer sees an overrun.
std::vector<uint8_t> run_on_part(const Call& call, const std::vector<uint8_t>* inputs, int64_t from,
                                 int64_t n) {
  const auto part = [&](int i, DType t) {
    const uint8_t* first = inputs[i].data() + from * size_of(t);
    return std::vector<uint8_t>(first, first + n * size_of(t));
  };
  const std::vector<uint8_t> a = part(0, call.a), b = part(1, call.b), c = part(2, call.b);
  constexpr size_t kGuard = 64;
  std::vector<uint8_t> out(kGuard + n * size_of(call.out) + kGuard, 0xab);
  call.run(out.data() + kGuard, a.data(), call.inputs > 1 ? b.data() : nullptr,
           call.inputs > 2 ? c.data() : nullptr, n);
  const auto untouched = [](uint8_t byte) { return byte == 0xab; };
  EXPECT_TRUE(std::all_of(out.begin(), out.begin() + kGuard, untouched));
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), untouched));
  return {out.begin() + kGuard, out.end() - kGuard};
}

TEST_F(TileTest, ResultsDependOnNeitherLengthNorPlace) {
  constexpr int64_t kMost = 71;
  at_each_level([] {
    for (const Call& call : every_call()) {
      const std::vector<uint8_t> inputs[] = {
          any_values(call.a, kMost, 1), any_values(call.b, kMost, 2), any_values(call.b, kMost, 3)};
      const std::vector<uint8_t> all = run_on_part(call, inputs, 0, kMost);
      for (int64_t n = 0; n < kMost; ++n) {
        const int64_t from = n % 2 == 0 ? 0 : kMost - n;
        const auto first = all.begin() + from * size_of(call.out);
        ASSERT_EQ(std::vector<uint8_t>(first, first + n * size_of(call.out)),
                  run_on_part(call, inputs, from, n))
            << "n = " << n << " " << name(call.a) << " to " << name(call.out);
      }
    }
  });
}

TEST_F(TileTest, OutputMayBeAnInput) {
  constexpr int64_t kMost = 333;
  at_each_level([] {
    for (const Call& call : every_call()) {
      const std::vector<uint8_t> inputs[] = {
          any_values(call.a, kMost, 1), any_values(call.b, kMost, 2), any_values(call.b, kMost, 3)};
      const std::vector<uint8_t> expected = run_on_part(call, inputs, 0, kMost);
      for (int shared = 0; shared < call.inputs; ++shared) {
        if (size_of(shared == 0 ? call.a : call.b) != size_of(call.out)) continue;
        std::vector<uint8_t> memory[] = {inputs[0], inputs[1], inputs[2]};
        call.run(memory[shared].data(), memory[0].data(),
                 call.inputs > 1 ? memory[1].data() : nullptr,
                 call.inputs > 2 ? memory[2].data() : nullptr, kMost);
        ASSERT_EQ(expected, memory[shared]) << name(call.a) << " to " << name(call.out);
      }
    }
  });
}

// ---- Copies

TEST(Copy, FillsAndFollowsStrides) {
  for (int64_t size : {1, 2, 4, 8}) {
    std::vector<uint8_t> in(40 * size);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i);
    for (int64_t n : {0, 1, 2, 13}) {
      std::vector<uint8_t> filled((n + 1) * size, 0xab);
      fill_tile(filled.data(), in.data() + size, n, size);
      for (int64_t i = 0; i < n * size; ++i) ASSERT_EQ(in[size + i % size], filled[i]);
      for (int64_t i = 0; i < size; ++i) ASSERT_EQ(0xab, filled[n * size + i]);
      for (int64_t in_stride : {-2, 0, 1, 3}) {
        for (int64_t out_stride : {1, 2}) {
          std::vector<uint8_t> out(26 * size, 0xab), expected = out;
          const uint8_t* start = in.data() + (in_stride < 0 ? 39 * size : 0);
          copy_strided(out.data(), out_stride, start, in_stride, n, size);
          for (int64_t i = 0; i < n; ++i) {
            std::memcpy(&expected[i * out_stride * size], start + i * in_stride * size, size);
          }
          ASSERT_EQ(expected, out);
        }
      }
    }
  }
}

// ---- Levels

TEST(LevelDeathTest, EnvironmentCapsTheLevel) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto says = [](const char* wanted) {
    setenv("GLIA_CPU", wanted, 1);
    std::fputs(level(), stderr);
    std::exit(0);
  };
  EXPECT_EXIT(says("baseline"), testing::ExitedWithCode(0), "baseline");
}

TEST(LevelDeathTest, UnknownLevelIsAnError) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto fails = [] {
    setenv("GLIA_CPU", "fast", 1);
    try {
      tile_function(Code::kAdd, kF32);
    } catch (const Error& e) {
      std::fputs(e.what(), stderr);
      std::exit(3);
    }
    std::exit(0);
  };
  EXPECT_EXIT(fails(), testing::ExitedWithCode(3),
              "GLIA_CPU is .fast.; it may be avx512, avx2 or baseline");
}

TEST(Level, OfAnotherProcessorIsRefused) { EXPECT_FALSE(set_level_for_test("neon")); }

}  // namespace
}  // namespace glia::cpu
