// What the generated tests must know of an operation: how to call it, and what it must give.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/host.h"

namespace glia::test {

// One way to call an operation.
struct Form {
  std::string what;  // shown when it fails
  std::function<std::vector<Host>(DType, Numbers&)> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> apply;
  std::function<Host(const std::vector<Host>&)> reference;
  double step = 1e-5;  // of finite differences
  // Inputs of which the derivative is taken, a bit mask.
  unsigned differentiable = ~0u;
};

struct OpCase {
  std::string op;  // its name in the registry
  std::string family;
  std::vector<DType> dtypes;
  std::vector<Form> forms;
  // How far from the reference, in each dtype. A sum is also compared in the units of its terms.
  std::function<Tolerance(DType)> tolerance = [](DType) { return Tolerance{}; };
  bool registered = true;      // false: a function composed of registered operations
  bool special_values = true;  // NaN and infinity give what the reference gives
  bool extreme_values = true;  // so do numbers whose square overflows
  bool any_layout = true;      // inputs may be non-contiguous
};

// Inputs of these shapes with numbers between low and high.
inline auto random_inputs(std::vector<Shape> shapes, double low, double high) {
  return [=](DType dtype, Numbers& numbers) {
    std::vector<Host> out;
    for (const Shape& s : shapes) out.push_back(random_host(s, dtype, low, high, numbers));
    return out;
  };
}
inline std::string text_of(const std::vector<Shape>& shapes) {
  std::string out;
  for (const Shape& s : shapes) out += (out.empty() ? "" : " and ") + s.str();
  return out;
}

// Large enough that several threads share the work.
inline const Shape kLarge{300, 257};

}  // namespace glia::test
