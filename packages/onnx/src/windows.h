// Windows over the axes between the first and the last, as convolutions and pools have them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "call.h"

namespace glia::onnx {

struct Windows {
  std::vector<int64_t> kernel, stride, dilation;
  std::vector<std::pair<int64_t, int64_t>> pads;  // before and after each axis
  std::vector<int64_t> before() const;
  // Whether both pads of each axis are equal.
  bool symmetric() const;
  // Those of (N, ..., C).
  std::vector<std::pair<int64_t, int64_t>> of_all_axes() const;
};
// By the attributes; `sizes`: of the input's axes in between.
Windows windows_of(const Call& c, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& kernel);
// The sizes between the first and the last axis.
std::vector<int64_t> inner_sizes(const Tensor& x);

// A convolution of x (N, ..., C) by weight (O, ..., C / groups), which may have one to three axes.
Tensor convolved(Call& c, const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace glia::onnx
