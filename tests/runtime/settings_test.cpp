// Variables of the environment: each test sets one and uses the library in a process of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"

namespace glia {
namespace {

// What `use` prints, or the message of the Error that it throws, in a new process.
class Settings : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  [[noreturn]] static void run(const char* name, const char* value,
                               const std::function<std::string()>& use) {
    setenv(name, value, 1);
    std::string said;
    int status = 0;
    try {
      said = use();
    } catch (const Error& e) {
      said = e.what();
      status = 2;
    }
    std::fputs(("[" + said + "]").c_str(), stderr);
    _exit(status);
  }
};
using SettingsDeathTest = Settings;

std::string threads_used() {
  if (sum(ones({300, 300})).item() != 90000) return "wrong";
  return std::to_string(num_threads());
}
std::string mode() {
  const Tensor x = rand({3}) + 1;
  return eager() ? "eager" : "lazy";
}
std::string level_used() {
  if ((ones({70}) + 1).to_vector<float>()[69] != 2) return "wrong";
  return cpu_level();
}

#define EXPECT_SAYS(name, value, use, status, said) \
  EXPECT_EXIT(run(name, value, use), testing::ExitedWithCode(status), said)

TEST_F(SettingsDeathTest, ThreadsAreAWholeNumberFrom1To1024) {
  unsetenv("OMP_NUM_THREADS");
  EXPECT_SAYS("GLIA_NUM_THREADS", "3", threads_used, 0, "\\[3\\]");
  EXPECT_SAYS("GLIA_NUM_THREADS", "", threads_used, 0, "\\[[1-9][0-9]*\\]");
  for (const char* bad :
       {"0", "-1", "many", "2x", " 2", "2 ", "1e2", "1025", "0x10", "+2", "99999999999999999999"})
    EXPECT_SAYS("GLIA_NUM_THREADS", bad, threads_used, 2,
                "\\[GLIA_NUM_THREADS is \".*\"; it may be a whole number from 1 to 1024\\]");
  // OpenMP's variable is OpenMP's to judge.
  EXPECT_SAYS("OMP_NUM_THREADS", "3", threads_used, 0, "\\[3\\]");
  EXPECT_SAYS("OMP_NUM_THREADS", "3,2", threads_used, 0, "\\[3\\]");
  EXPECT_SAYS("OMP_NUM_THREADS", "many", threads_used, 0, "\\[[1-9][0-9]*\\]");
  EXPECT_SAYS(
      "OMP_NUM_THREADS", "99999999999999999999", [] { return std::to_string(num_threads()); }, 0,
      "\\[1024\\]");
}

TEST_F(SettingsDeathTest, EagerIs0Or1) {
  EXPECT_SAYS("GLIA_EAGER", "1", mode, 0, "\\[eager\\]");
  EXPECT_SAYS("GLIA_EAGER", "0", mode, 0, "\\[lazy\\]");
  EXPECT_SAYS("GLIA_EAGER", "", mode, 0, "\\[lazy\\]");
  for (const char* bad : {"yes", "false", "2", "-1", "01x"})
    EXPECT_SAYS("GLIA_EAGER", bad, mode, 2, "\\[GLIA_EAGER is \".*\"; it may be 0 or 1\\]");
}

TEST_F(SettingsDeathTest, TheLevelIsOneOfThree) {
  EXPECT_SAYS("GLIA_CPU", "baseline", level_used, 0, "\\[baseline\\]");
  EXPECT_SAYS("GLIA_CPU", "", level_used, 0, "\\[(avx512|avx2|baseline)\\]");
  for (const char* bad : {"fast", "AVX2", "avx2 ", "1"})
    EXPECT_SAYS("GLIA_CPU", bad, level_used, 2,
                "\\[GLIA_CPU is \".*\"; it may be avx512, avx2 or baseline\\]");
}

TEST(Settings, ThreadsOfAProgramHaveTheSameRange) {
  const int before = num_threads();
  for (const int bad : {0, -1, 1025, INT32_MAX, INT32_MIN})
    EXPECT_THROW(set_num_threads(bad), Error) << bad;
  EXPECT_EQ(num_threads(), before);
}

}  // namespace
}  // namespace glia
