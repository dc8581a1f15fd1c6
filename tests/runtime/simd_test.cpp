// glia/simd.h as a program outside the library uses it.
#include "glia/simd.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "glia/error.h"
#include "tests/support/instructions.h"

namespace glia {
namespace {

// y += a x
GLIA_ALWAYS_INLINE void add_scaled(float* y, float a, const float* x, int64_t n) {
  constexpr int64_t kLanes = simd::kLanes<float>;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    simd::Vector<float> to, from;
    simd::load(to, y + i);
    simd::load(from, x + i);
    simd::store(to + a * from, y + i);
  }
  for (; i < n; ++i) y[i] += a * x[i];
}
void check_add_scaled() {
  for (const size_t n : {0, 1, 15, 16, 17, 100}) {
    std::vector<float> x(n), y(n, 1);
    std::iota(x.begin(), x.end(), 0.0f);
    simd::at_level<add_scaled>(y.data(), 2.0f, x.data(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(y[i], 1 + 2 * static_cast<float>(i));
  }
}
TEST(SimdDeathTest, RunsInstructionsOfTheLevelInUse) {
  float x[40] = {}, y[40] = {};
  test::expect_each_level("", check_add_scaled, [&] {
    simd::at_level<add_scaled>(static_cast<float*>(y), 2.0f, static_cast<const float*>(x), 40);
  });
}

TEST(SimdDeathTest, AnUnknownLevelIsAnErrorOfEachCall) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto calls = [] {
    setenv("GLIA_CPU", "fast", 1);
    for (int i = 0; i < 2; ++i) {
      try {
        check_add_scaled();
        _exit(1);
      } catch (const Error& e) {
        std::fputs(e.what(), stderr);
      }
    }
    _exit(2);
  };
  EXPECT_EXIT(calls(), testing::ExitedWithCode(2),
              "GLIA_CPU is .fast.*GLIA_CPU is .fast.; it may be avx512, avx2 or baseline");
}

GLIA_ALWAYS_INLINE std::unique_ptr<int> plus(std::unique_ptr<int> a, const int& b, int& count) {
  ++count;
  if (b < 0) throw ValueError("less than zero");
  *a += b;
  return a;
}
TEST(Simd, PassesWhatTheFunctionTakesAndGives) {
  int count = 0;
  EXPECT_EQ(*simd::at_level<plus>(std::make_unique<int>(2), 3, count), 5);
  EXPECT_THROW(simd::at_level<plus>(std::make_unique<int>(2), -3, count), ValueError);
  EXPECT_EQ(count, 2);
}

GLIA_ALWAYS_INLINE int64_t twice(int64_t x) { return 2 * x; }
TEST(Simd, FirstCallsMayComeFromManyThreads) {
  std::vector<std::thread> threads;
  std::vector<int64_t> out(8);
  for (int64_t i = 0; i < 8; ++i)
    threads.emplace_back([&out, i] { out[i] = simd::at_level<twice>(i); });
  for (std::thread& thread : threads) thread.join();
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(out[i], 2 * i);
}

template <class T, int kCount>
void check_sum() {
  typedef T V __attribute__((vector_size(kCount * sizeof(T))));
  V v;
  for (int i = 0; i < kCount; ++i) v[i] = static_cast<T>(i + 1);
  EXPECT_EQ(simd::sum_of_lanes(v), kCount * (kCount + 1) / 2);
}
TEST(Simd, SumsLanesOfAnyVector) {
  check_sum<float, 4>();
  check_sum<float, 8>();
  check_sum<float, 16>();
  check_sum<double, 2>();
  check_sum<double, 8>();
  check_sum<int32_t, 16>();
  check_sum<int64_t, 4>();
}

}  // namespace
}  // namespace glia
