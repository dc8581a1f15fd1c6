// Arrays in plain host memory, for references that share no code with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "glia/ops.h"
#include "glia/tensor.h"

namespace glia::test {

using Real = long double;  // holds every value of every dtype exactly
using Wide = __int128;

inline constexpr DType kEveryDType[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};

// Reproducible numbers (splitmix64).
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t integer(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[next() % from.size()];
  }

 private:
  uint64_t state_;
};

// ---- Formats of numbers ---------------------------------------------------------------------

struct FloatFormat {
  int digits, least_exponent, greatest_exponent;  // value = m * 2^e, 1 <= m < 2
};
inline FloatFormat float_format(DType t) {
  switch (t) {
    case kF16:
      return {11, -14, 15};
    case kBF16:
      return {8, -126, 127};
    case kF32:
      return {24, -126, 127};
    default:
      return {53, -1022, 1023};
  }
}

// The distance between the numbers of a floating type around x.
inline Real ulp(Real x, DType t) {
  const FloatFormat f = float_format(t);
  const int e =
      x == 0 || !std::isfinite(x) ? f.least_exponent : std::max(std::ilogb(x), f.least_exponent);
  return std::ldexp(Real(1), std::min(e, f.greatest_exponent) - (f.digits - 1));
}

inline int bits_of(DType t) { return t == kBool ? 1 : static_cast<int>(size_of(t)) * 8; }
inline bool is_signed(DType t) { return t != kBool && t != kU8; }
inline Wide lowest(DType t) { return is_signed(t) ? -(Wide(1) << (bits_of(t) - 1)) : 0; }
inline Wide highest(DType t) { return (Wide(1) << (bits_of(t) - (is_signed(t) ? 1 : 0))) - 1; }

// The low bits of x as a number of that integer type.
inline Wide wrapped(Wide x, DType t) {
  const Wide span = Wide(1) << bits_of(t);
  x = (x % span + span) % span;
  return x > highest(t) ? x - span : x;
}

// x as a floating type holds it: to nearest, ties to even.
inline Real rounded(Real x, DType t) {
  if (!is_float(t) || !std::isfinite(x)) return x;
  if (t == kF32) return static_cast<float>(x);
  if (t == kF64) return static_cast<double>(x);
  const Real step = ulp(x, t);
  const Real y = std::nearbyint(x / step) * step;
  const FloatFormat f = float_format(t);
  return std::abs(y) >= std::ldexp(Real(1), f.greatest_exponent + 1) ? std::copysign(INFINITY, x)
                                                                     : y;
}

// ---- Arrays ---------------------------------------------------------------------------------

struct Host {
  Shape shape;
  DType dtype = kF32;
  std::vector<Real> values;
  // What sums are made of, element by element: rounding may err in proportion to it.
  std::vector<Real> magnitude = {};

  Real& operator[](int64_t i) { return values[static_cast<size_t>(i)]; }
  Real operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }
  int64_t size() const { return static_cast<int64_t>(values.size()); }
};

inline Host host_filled(const Shape& shape, DType dtype, Real value = 0) {
  return {shape, dtype, std::vector<Real>(static_cast<size_t>(shape.numel()), value)};
}

// Calls f with a null pointer to the C++ type that stores a dtype.
template <class F>
void with_storage(DType t, F&& f) {
  switch (t) {
    case kBool:
      return f(static_cast<bool*>(nullptr));
    case kU8:
      return f(static_cast<uint8_t*>(nullptr));
    case kI8:
      return f(static_cast<int8_t*>(nullptr));
    case kI32:
      return f(static_cast<int32_t*>(nullptr));
    case kI64:
      return f(static_cast<int64_t*>(nullptr));
    case kF16:
      return f(static_cast<float16*>(nullptr));
    case kBF16:
      return f(static_cast<bfloat16*>(nullptr));
    case kF32:
      return f(static_cast<float*>(nullptr));
    case kF64:
      return f(static_cast<double*>(nullptr));
  }
}
template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

inline Host host(const Tensor& t) {
  Host out{t.shape(), t.dtype(), {}};
  out.values.reserve(static_cast<size_t>(t.numel()));
  with_storage(t.dtype(), [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    for (const T x : t.data<T>()) {
      if constexpr (kIsHalf<T>)
        out.values.push_back(static_cast<float>(x));
      else
        out.values.push_back(x);
    }
  });
  return out;
}

// Values must be ones that the dtype holds.
inline Tensor upload(const Host& h) {
  std::vector<char> bytes(h.values.size() * size_of(h.dtype));
  with_storage(h.dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    for (size_t i = 0; i < h.values.size(); ++i) {
      T x;
      if constexpr (kIsHalf<T>)
        x = T(static_cast<float>(h.values[i]));
      else
        x = static_cast<T>(h.values[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &x, sizeof(T));
    }
  });
  return from_bytes(bytes.data(), h.shape, h.dtype);
}
inline std::vector<Tensor> upload(const std::vector<Host>& all) {
  std::vector<Tensor> out;
  for (const Host& h : all) out.push_back(upload(h));
  return out;
}

// Calls f with the multi-index of each element, in row-major order.
inline void for_each_index(const Shape& shape,
                           const std::function<void(const std::vector<int64_t>&)>& f) {
  std::vector<int64_t> at(static_cast<size_t>(shape.rank()), 0);
  for (int64_t n = shape.numel(); n > 0; --n) {
    f(at);
    for (int i = shape.rank() - 1; i >= 0 && ++at[i] == shape[i]; --i) at[i] = 0;
  }
}
// The position of a multi-index, which may be of an array that this one broadcasts to.
inline int64_t position(const Shape& shape, const std::vector<int64_t>& at) {
  const size_t shift = at.size() - static_cast<size_t>(shape.rank());
  int64_t p = 0;
  for (int i = 0; i < shape.rank(); ++i)
    p = p * shape[i] + (shape[i] == 1 ? 0 : at[shift + static_cast<size_t>(i)]);
  return p;
}
inline Real at(const Host& h, const std::vector<int64_t>& index) {
  return h[position(h.shape, index)];
}

// An array made element by element.
inline Host host_made(const Shape& shape, DType dtype,
                      const std::function<Real(const std::vector<int64_t>&)>& f) {
  Host out{shape, dtype, {}};
  out.values.reserve(static_cast<size_t>(shape.numel()));
  for_each_index(shape, [&](const auto& index) { out.values.push_back(f(index)); });
  return out;
}

// NumPy's broadcasting, written apart from the library's.
inline Shape joined_shape(const Shape& a, const Shape& b) {
  Shape out = Shape::filled(std::max(a.rank(), b.rank()), 1);
  for (const Shape* s : {&a, &b}) {
    for (int i = 0; i < s->rank(); ++i) {
      int64_t& size = out[out.rank() - 1 - i];
      if (size == 1) size = (*s)[s->rank() - 1 - i];
    }
  }
  return out;
}

// Numbers of a dtype between low and high; integers of an unsigned type from 0.
inline Host random_host(const Shape& shape, DType dtype, double low, double high,
                        Numbers& numbers) {
  return host_made(shape, dtype, [&](const auto&) -> Real {
    if (is_float(dtype)) return rounded(numbers.uniform(low, high), dtype);
    if (dtype == kBool) return static_cast<Real>(numbers.integer(0, 1));
    const double floor = is_signed(dtype) ? std::ceil(low) : std::max(0.0, std::ceil(low));
    return numbers.integer(static_cast<int64_t>(floor), static_cast<int64_t>(high));
  });
}

// ---- Comparison -----------------------------------------------------------------------------

struct Tolerance {
  Real ulps = 0.5005;     // of the result
  Real of_magnitude = 0;  // in units of the sum's precision, where a magnitude is given
};

inline bool same_number(Real a, Real b) { return a == b || (std::isnan(a) && std::isnan(b)); }

inline std::string text_of(Real x) {
  char text[64];
  std::snprintf(text, sizeof text, "%.17Lg", x);
  return text;
}

// Empty, or what differs first.
inline std::string difference(const Host& got, const Host& want, const Tolerance& tolerance = {}) {
  if (got.shape != want.shape) return "shape " + got.shape.str() + ", not " + want.shape.str();
  if (got.dtype != want.dtype)
    return std::string("dtype ") + name(got.dtype) + ", not " + name(want.dtype);
  for (int64_t i = 0; i < got.size(); ++i) {
    if (same_number(got[i], want[i]) || same_number(got[i], rounded(want[i], want.dtype))) continue;
    std::string fault = "element " + std::to_string(i) + " of " + got.shape.str() + " " +
                        name(got.dtype) + " is " + text_of(got[i]) + ", not " + text_of(want[i]);
    if (!is_float(want.dtype) || !std::isfinite(want[i]) || std::isnan(got[i])) return fault;
    // Sums of 16-bit floats are made in f32.
    const DType sums = want.dtype == kF64 ? kF64 : kF32;
    Real slack = tolerance.ulps * ulp(want[i], want.dtype);
    if (!want.magnitude.empty())
      slack += tolerance.of_magnitude * want.magnitude[i] *
               std::ldexp(Real(1), 1 - float_format(sums).digits);
    if (!(std::abs(got[i] - want[i]) <= slack))
      return fault + " (" + text_of(std::abs(got[i] - want[i]) / ulp(want[i], want.dtype)) +
             " ulps)";
  }
  return "";
}
// Bit for bit, any NaN like any other.
inline std::string bit_difference(const Host& got, const Host& want) {
  if (std::string fault = difference(got, want, {.ulps = 0}); !fault.empty()) return fault;
  for (int64_t i = 0; i < got.size(); ++i) {
    if (got[i] == 0 && std::signbit(got[i]) != std::signbit(want[i]))
      return "element " + std::to_string(i) + " has another sign of zero";
  }
  return "";
}

}  // namespace glia::test
