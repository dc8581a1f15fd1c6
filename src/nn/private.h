// What the files of layers share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/ops/conv.h"

namespace glia::nn {

// What PyTorch's kaiming_uniform_(a = sqrt(5)) comes to for weights, and its rule for biases.
Tensor uniform_of_fan_in(const Shape& shape, int64_t fan_in);

// ShapeErrors of constructors.
void require(bool holds, const char* layer, const std::string& what);
void require_positive(const char* layer, const char* what, int64_t value);

// The input of a convolution, with what its padding puts around it as far as the convolution does
// not do that itself.
struct PaddedInput {
  Tensor x;
  std::vector<int64_t> padding;  // what is left for the convolution
};
PaddedInput padded_input(const char* layer, const Tensor& x, const std::vector<int64_t>& kernel,
                         const std::vector<int64_t>& stride, const std::vector<int64_t>& padding,
                         const std::vector<int64_t>& dilation, bool same, PadMode mode,
                         Where where);

}  // namespace glia::nn
