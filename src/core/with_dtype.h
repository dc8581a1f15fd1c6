// From a dtype to the C++ type that it names.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "glia/dtype.h"
#include "glia/error.h"

namespace glia {

// Calls f with a zero of that type.
template <class F>
decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case kBool:
      return f(bool());
    case kU8:
      return f(uint8_t());
    case kI8:
      return f(int8_t());
    case kI32:
      return f(int32_t());
    case kI64:
      return f(int64_t());
    case kF16:
      return f(float16());
    case kBF16:
      return f(bfloat16());
    case kF32:
      return f(float());
    case kF64:
      return f(double());
  }
  throw Error("unknown dtype");
}

// The limits of an integer dtype.
inline int64_t lowest_of(DType dtype) {
  return with_dtype(dtype, [](auto zero) -> int64_t {
    if constexpr (std::is_integral_v<decltype(zero)>)
      return std::numeric_limits<decltype(zero)>::min();
    return 0;
  });
}
inline int64_t highest_of(DType dtype) {
  return with_dtype(dtype, [](auto zero) -> int64_t {
    if constexpr (std::is_integral_v<decltype(zero)>)
      return std::numeric_limits<decltype(zero)>::max();
    return 0;
  });
}

// Whether x, cut off behind the point, lies within [low, high], the limits of some integer type.
template <class From>
bool lies_within(From x, int64_t low, int64_t high) {
  if constexpr (std::is_integral_v<From>) {
    return static_cast<int64_t>(x) >= low && static_cast<int64_t>(x) <= high;
  } else {  // the limit of i64 is no double, but the number behind it is
    const double whole = std::trunc(static_cast<double>(x));
    return whole >= static_cast<double>(low) && whole < static_cast<double>(high) + 1;
  }
}

// x as To: floats that an integer type does not hold become its nearest number, NaN 0; integers
// keep their low bits.
template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<From, float16> || std::is_same_v<From, bfloat16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, float16> || std::is_same_v<To, bfloat16>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                       !std::is_same_v<To, bool>) {
    using Limits = std::numeric_limits<To>;
    if (!(x == x)) return 0;
    if (x <= static_cast<From>(Limits::min())) return Limits::min();
    return x >= static_cast<From>(Limits::max()) ? Limits::max() : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace glia
