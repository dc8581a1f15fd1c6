// Convolutions of lines, volumes and back, and what goes with them. Channels are the last axis:
// (N, L, C), (N, H, W, C), (N, D, H, W, C). conv2d is in glia/ops.h.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <utility>

#include "glia/ops.h"

namespace glia {

// A depth, a height and a width; one number stands for all.
struct Size3d : std::array<int64_t, 3> {
  Size3d(std::integral auto all) : array{all, all, all} {}
  Size3d(int64_t depth, int64_t height, int64_t width) : array{depth, height, width} {}
  Size3d(const std::array<int64_t, 3>& size) : array(size) {}
};

struct Conv1dOptions {
  int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
};
// x (N, L, C), weight (O, k, C / groups), bias (O) or undefined -> (N, L', O).
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv1dOptions& options = {}, Where where = Where::current());

struct Conv3dOptions {
  Size3d stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
};
// x (N, D, H, W, C), weight (O, kD, kH, kW, C / groups) -> (N, D', H', W', O).
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv3dOptions& options = {}, Where where = Where::current());

// The gradient of a convolution in its input, as an operation of its own ("deconvolution", Zeiler
// et al. 2010): each axis becomes (L - 1) stride - 2 padding + dilation (k - 1) + output_padding +
// 1 long. x (N, L, C), weight (C, k, O / groups), bias (O) or undefined -> (N, L', O).
struct ConvTranspose1dOptions {
  int64_t stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
};
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose1dOptions& options = {}, Where where = Where::current());
struct ConvTranspose2dOptions {
  std::pair<int64_t, int64_t> stride{1, 1}, padding{0, 0}, output_padding{0, 0}, dilation{1, 1};
  int64_t groups = 1;
};
// x (N, H, W, C), weight (C, kH, kW, O / groups) -> (N, H', W', O).
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {}, Where where = Where::current());
struct ConvTranspose3dOptions {
  Size3d stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
};
// x (N, D, H, W, C), weight (C, kD, kH, kW, O / groups) -> (N, D', H', W', O).
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose3dOptions& options = {}, Where where = Where::current());

// Every window of (N, H, W, C) as one row: -> (N, H' W', kH kW C), in the order of a convolution's
// weight (PyTorch's rows are in the order (C, kH, kW), and columns). fold adds the rows back up.
struct UnfoldOptions {
  std::pair<int64_t, int64_t> stride{1, 1}, padding{0, 0}, dilation{1, 1};
};
Tensor unfold(const Tensor& x, std::pair<int64_t, int64_t> kernel,
              const UnfoldOptions& options = {}, Where where = Where::current());
// (N, H' W', kH kW C) -> (N, *size, C): the sum of what the rows say of each pixel.
Tensor fold(const Tensor& rows, std::pair<int64_t, int64_t> size,
            std::pair<int64_t, int64_t> kernel, const UnfoldOptions& options = {},
            Where where = Where::current());

// A convolution whose weight is another one at each position: (N, H, W, C) with weight
// (H', W', kH kW C, O) and bias (H', W', O) or undefined -> (N, H', W', O).
Tensor locally_connected2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           std::pair<int64_t, int64_t> kernel, const UnfoldOptions& options = {},
                           Where where = Where::current());

// x1 (..., A), x2 (..., B), weight (O, A, B), bias (O) or undefined -> (..., O): x1^T W_o x2 + b_o.
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias = {},
                Where where = Where::current());

enum class PadMode { kConstant, kReflect, kReplicate, kCircular };
// Puts in front of and behind each axis what the mode says: `value`, the values mirrored at the
// edge (which is not repeated), the edge, or the other end. As np.pad; a negative number cuts off.
Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads, PadMode mode,
           const Number& value = 0, Where where = Where::current());

}  // namespace glia
