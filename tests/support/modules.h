// What tests of modules and layers share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "glia/nn.h"
#include "tests/support/values.h"

namespace glia::modules {

using Numbers = std::vector<double>;
using Names = std::vector<std::string>;

inline Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

inline void expect_text(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), text.npos) << text;
}

inline void expect_near(const Tensor& actual, const std::vector<double>& expected,
                        double tolerance) {
  const std::vector<double> values = numbers(actual);
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

inline std::vector<std::string> keys(const StateDict& values) {
  std::vector<std::string> out;
  for (const auto& [name, value] : values) out.push_back(name);
  return out;
}

using test::message_of;

struct Net : nn::Module {
  nn::Linear fc1{4, 8}, fc2{8, 3};
  Tensor operator()(const Tensor& x) const { return fc2(relu(fc1(x))); }
  GLIA_FIELDS(fc1, fc2)
};

}  // namespace glia::modules
