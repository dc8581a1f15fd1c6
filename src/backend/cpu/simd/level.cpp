// The instruction set in use, and which source has the kernel of an op.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>

#include "backend/cpu/simd/functions.h"
#include "glia/error.h"
#include "hwy/targets.h"

namespace glia::cpu {
namespace {

struct Level {
  const char* name;
  int64_t target;  // in Highway's mask, where a lower bit is a better target
};
constexpr Level kLevels[] = {{"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"baseline", 0}};

const Level* find_level(std::string_view name) {
  const auto* found = std::find_if(std::begin(kLevels), std::end(kLevels),
                                   [&](const Level& level) { return level.name == name; });
  return found == std::end(kLevels) ? nullptr : found;
}

// The targets that are better than the level.
int64_t above(const Level& level) {
  int64_t targets = 0;
  for (const Level* better = kLevels; better != &level; ++better) targets |= better->target;
  return targets;
}

bool apply_environment() {
  const char* name = std::getenv("GLIA_CPU");
  if (!name) return true;
  const Level* level = find_level(name);
  if (!level) {
    throw Error(std::string("GLIA_CPU is \"") + name + "\"; it may be avx512, avx2 or baseline");
  }
  hwy::DisableTargets(above(*level));
  return true;
}

}  // namespace

void use_level() { [[maybe_unused]] static const bool applied = apply_environment(); }

const char* level() {
  use_level();
  const int64_t targets = hwy::SupportedTargets();
  for (const Level& level : kLevels) {
    if (targets & level.target) return level.name;
  }
  return std::rbegin(kLevels)->name;
}

bool set_level_for_test(std::string_view name) {
  use_level();
  const Level* wanted = find_level(name);
  if (!wanted) return false;
  hwy::DisableTargets(above(*wanted));
  return level() == name;
}

TileFunction tile_function(Code code, DType dtype) {
  use_level();
  if (code == Code::kWhere) return where_function(static_cast<int64_t>(size_of(dtype)));
  const bool half = dtype == kF16 || dtype == kBF16;
  if (half) return half_function(code, dtype);
  if (TileFunction compare = compare_function(code, dtype)) return compare;
  if (dtype == kF32) return f32_function(code);
  if (dtype == kF64) return f64_function(code);
  return integer_function(code, dtype);
}

}  // namespace glia::cpu
