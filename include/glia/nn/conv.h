// Convolutional layers beside Conv2d: lines, volumes, transposed and unshared ones. Channels are
// the last axis; state dicts have PyTorch's names and orders. Constructors throw ShapeError for
// arguments out of range, calls for inputs that do not fit.
#pragma once

#include "glia/nn/layers.h"
#include "glia/ops/conv.h"

namespace glia::nn {

struct Conv1dOptions {
  int64_t kernel;
  int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
  bool same = false;  // PyTorch's padding="same": the output is as long as the input (stride 1)
  PadMode padding_mode = PadMode::kConstant;
};
// (N, L, in) -> (N, L', out), weight (out, k, in / groups).
struct Conv1d : Convolution {
  Conv1d(int64_t in_channels, int64_t out_channels, const Conv1dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Conv1dOptions options;
};

struct Conv3dOptions {
  Size3d kernel;
  Size3d stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  bool same = false;
  PadMode padding_mode = PadMode::kConstant;
};
// (N, D, H, W, in) -> (N, D', H', W', out), weight (out, kD, kH, kW, in / groups).
struct Conv3d : Convolution {
  Conv3d(int64_t in_channels, int64_t out_channels, const Conv3dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Conv3dOptions options;
};

struct ConvTranspose1dOptions {
  int64_t kernel;
  int64_t stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};
// (N, L, in) -> (N, L', out), weight (in, k, out / groups); see conv_transpose1d.
struct ConvTranspose1d : Convolution {
  ConvTranspose1d(int64_t in_channels, int64_t out_channels, const ConvTranspose1dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  ConvTranspose1dOptions options;
};

struct ConvTransposeOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
// (N, H, W, in) -> (N, H', W', out), weight (in, kH, kW, out / groups); see conv_transpose2d.
struct ConvTranspose2d : Convolution {
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, const ConvTransposeOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  ConvTransposeOptions options;
};

struct ConvTranspose3dOptions {
  Size3d kernel;
  Size3d stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
// (N, D, H, W, in) -> (N, D', H', W', out), weight (in, kD, kH, kW, out / groups).
struct ConvTranspose3d : Convolution {
  ConvTranspose3d(int64_t in_channels, int64_t out_channels, const ConvTranspose3dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  ConvTranspose3dOptions options;
};

struct LocallyConnectedOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, dilation = 1;
  bool bias = true;
};
// A convolution with a weight of its own at each position, for pictures of one size:
// (N, H, W, in) -> (N, H', W', out) (LeCun 1989).
struct LocallyConnected2d : Module {
  LocallyConnected2d(int64_t in_channels, int64_t out_channels, Size2d size,
                     const LocallyConnectedOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  LocallyConnectedOptions options;
  Parameter weight, bias;  // (H', W', kH kW in, out); (H', W', out) or undefined
  GLIA_FIELDS(weight, bias)
};

struct LocallyConnected1dOptions {
  int64_t kernel;
  int64_t stride = 1, padding = 0, dilation = 1;
  bool bias = true;
};
// The same of lines of one length: (N, L, in) -> (N, L', out).
struct LocallyConnected1d : Module {
  LocallyConnected1d(int64_t in_channels, int64_t out_channels, int64_t length,
                     const LocallyConnected1dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  LocallyConnected1dOptions options;
  Parameter weight, bias;  // (L', k in, out); (L', out) or undefined
  GLIA_FIELDS(weight, bias)
};

struct WindowOptions {
  Size2d stride = 1, padding = 0, dilation = 1;
};
// Windows of pictures as rows: (N, H, W, C) -> (N, H' W', kH kW C); see unfold().
struct Unfold : Module {
  explicit Unfold(Size2d kernel, const WindowOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d kernel;
  WindowOptions options;
};
// And back, where windows overlap added up: (N, H' W', kH kW C) -> (N, *output_size, C).
struct Fold : Module {
  Fold(Size2d output_size, Size2d kernel, const WindowOptions& options = {});
  Tensor operator()(const Tensor& rows, Where where = Where::current()) const;
  Size2d output_size, kernel;
  WindowOptions options;
};

// x1^T W_o x2 + b_o for each output o: (..., in1), (..., in2) -> (..., out).
struct Bilinear : Module {
  Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features,
           const LinearOptions& options = {});
  Tensor operator()(const Tensor& x1, const Tensor& x2, Where where = Where::current()) const {
    return bilinear(x1, x2, weight, bias, where);
  }

  Parameter weight, bias;  // (out, in1, in2); (out) or undefined
  GLIA_FIELDS(weight, bias)
};

}  // namespace glia::nn
