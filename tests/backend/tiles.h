// What tests of tile kernels share: every elementwise operation, and a fixture for each level.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "backend/cpu/simd/tile.h"
#include "core/with_dtype.h"

namespace glia::cpu {

using Wide = long double;
using Integer = __int128;

inline constexpr DType kAll[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};

enum class Types { Float, Number, Integral, Any };
struct Domain {
  Types types;
  double low, high;
};
struct Operation {
  const char* name;
  Code code;
  Domain domain;
  int inputs;
  bool compares;
};
inline const Operation kOperations[] = {
#define DOMAIN(types, low, high) \
  Domain { Types::types, low, high }
#define UNARY(code, function, domain, ...) {#code, Code::code, domain, 1, false},
#define BINARY(code, function, domain, ...) {#code, Code::code, domain, 2, false},
#define COMPARE(code, function, domain, ...) {#code, Code::code, domain, 2, true},
#include "ops/elementwise_table.h"
#undef DOMAIN
#undef UNARY
#undef BINARY
#undef COMPARE
};

inline bool defined_on(Types types, DType t) {
  switch (types) {
    case Types::Float:
      return is_float(t);
    case Types::Number:
      return t != kBool;
    case Types::Integral:
      return !is_float(t);
    case Types::Any:
      return true;
  }
  return false;
}

// Runs the test at each level.
class TileTest : public testing::Test {
 protected:
  static void at_each_level(const std::function<void()>& test) {
    for (const char* name : {"baseline", "avx2", "avx512"}) {
      if (!set_level_for_test(name)) continue;
      SCOPED_TRACE(name);
      test();
    }
  }
};

template <class T>
std::string text(T value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.17g (%a)", static_cast<double>(value),
                static_cast<double>(value));
  return buffer;
}

// Fills n elements with bytes that are valid for any dtype.
inline std::vector<uint8_t> any_values(DType t, int64_t n, uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::vector<uint8_t> bytes(n * size_of(t));
  for (int64_t i = 0; i < n; ++i) {
    const double value = t == kBool ? bits() % 2 : static_cast<int64_t>(bits() % 41) / 4.0 - 3;
    cast_function(kF64, t)(bytes.data() + i * size_of(t), &value, nullptr, nullptr, 1);
  }
  return bytes;
}

}  // namespace glia::cpu
