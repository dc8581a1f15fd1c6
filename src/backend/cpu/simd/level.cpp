// The instruction set in use, and which source has the kernel of an op.
#include <algorithm>
#include <iterator>
#include <string>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/targets.h"
#include "glia/runtime.h"
#include "runtime/settings.h"

namespace glia::cpu {
namespace {

struct Level {
  const char* name;
  int64_t target;  // a bit of Highway's, of which a lower one is a better target
};
constexpr Level kLevels[] = {{"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"baseline", 0}};

const Level* find_level(std::string_view name) {
  const auto* found = std::find_if(std::begin(kLevels), std::end(kLevels),
                                   [&](const Level& level) { return level.name == name; });
  return found == std::end(kLevels) ? nullptr : found;
}

// What the processor and the system have.
int64_t supported_targets() {
  int64_t targets = HWY_EMU128 | HWY_SCALAR;
#define HAS __builtin_cpu_supports
  // Processors with these have half floats and bit counts too.
  const bool avx2 = HAS("avx2") && HAS("fma") && HAS("bmi") && HAS("bmi2") && HAS("aes") &&
                    HAS("pclmul") && HAS("popcnt");
  if (avx2) targets |= HWY_AVX2;
  if (avx2 && HAS("avx512f") && HAS("avx512cd") && HAS("avx512bw") && HAS("avx512dq") &&
      HAS("avx512vl"))
    targets |= HWY_AVX3;
#undef HAS
  return targets;
}

// The same, up to this level.
int64_t targets_up_to(const Level* level) {
  int64_t targets = supported_targets();
  for (const Level* better = kLevels; better != level; ++better) targets &= ~better->target;
  return targets;
}

int64_t targets_of_environment() {
  const char* name = setting("GLIA_CPU");
  if (!name) return targets_up_to(kLevels);
  const Level* level = find_level(name);
  if (!level) refuse_setting("GLIA_CPU", "avx512, avx2 or baseline");
  return targets_up_to(level);
}

int64_t& targets_in_use() {
  static int64_t targets = targets_of_environment();
  return targets;
}

}  // namespace

size_t target_index() {
  hwy::ChosenTarget chosen;
  chosen.Update(targets_in_use());
  return chosen.GetIndex();
}

const char* level() {
  const int64_t targets = targets_in_use();
  for (const Level& level : kLevels) {
    if (targets & level.target) return level.name;
  }
  return std::rbegin(kLevels)->name;
}

bool set_level_for_test(std::string_view name) {
  const Level* wanted = find_level(name);
  if (!wanted) return false;
  targets_in_use() = targets_up_to(wanted);
  return level() == name;
}

TileFunction tile_function(Code code, DType dtype) {
  if (code == Code::kWhere) return where_function(static_cast<int64_t>(size_of(dtype)));
  if (dtype == kF16 || dtype == kBF16) return half_function(code, dtype);
  if (TileFunction compare = compare_function(code, dtype)) return compare;
  if (dtype == kF32) return f32_function(code);
  if (dtype == kF64) return f64_function(code);
  return integer_function(code, dtype);
}

}  // namespace glia::cpu

std::string glia::cpu_level() { return cpu::level(); }
