// Comparing tensors with numbers written out in a test.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/tensor.h"

namespace glia::test {

inline void expect_values(const Tensor& t, const Shape& shape, const std::vector<double>& values,
                          double tolerance = 0) {
  EXPECT_EQ(t.shape().str(), shape.str());
  const std::vector<double> found = t.to_vector<double>();
  ASSERT_EQ(found.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(found[i])) << "element " << i << " is " << found[i];
    } else if (found[i] != values[i]) {  // also of infinities
      EXPECT_LE(std::abs(found[i] - values[i]), tolerance) << "element " << i;
    }
  }
}

inline void expect_same(const Tensor& a, const Tensor& b, double tolerance = 0) {
  expect_values(a, b.shape(), b.to_vector<double>(), tolerance);
}

// Some fixed numbers between -1 and 1 without a pattern.
inline Tensor numbers(const Shape& shape, double phase = 0) {
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = std::sin(12.9898 * static_cast<double>(i + 1) + 78.233 * (phase + 1));
  return from_vector(x, shape);
}

// What the exception that f throws says; empty if it throws none of this type.
template <class E = Error, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

}  // namespace glia::test
