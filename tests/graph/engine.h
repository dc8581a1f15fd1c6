// What tests of the engine share: what it has done, a ramp of numbers and a small model.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/runtime.h"

namespace glia::test {

template <class F>
int64_t plans_built_by(F&& f) {
  const int64_t before = graph_stats().plans_built;
  f();
  return graph_stats().plans_built - before;
}
template <class F>
int64_t kernels_run_by(F&& f) {
  const int64_t before = graph_stats().kernels_run;
  f();
  return graph_stats().kernels_run - before;
}

inline std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

// Values that differ from element to element.
inline Tensor ramp(const Shape& shape, DType dtype = kF32, double scale = 0.01) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = scale * (static_cast<double>(i * 7919 % 1009) - 504);
  return cast(from_vector(values, shape), dtype);
}

// Two layers and their plain gradient descent.
struct TwoLayers {
  Parameter w1{ramp({6, 16}, kF32, 0.001)}, w2{ramp({16, 3}, kF32, 0.001)};
  Tensor x = ramp({5, 6}), target = ramp({5, 3});

  Tensor loss() const { return mean(square(matmul(tanh(matmul(x, w1)), w2) - target)); }
  std::vector<Tensor> weights() const { return {w1.tensor(), w2.tensor()}; }
  void update(const std::vector<Tensor>& g, double lr = 0.1) const {
    w1.set(w1 - lr * g[0]);
    w2.set(w2 - lr * g[1]);
    eval_variables();
  }
};

}  // namespace glia::test
