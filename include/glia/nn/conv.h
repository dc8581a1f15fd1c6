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
// (N, L, in) -> (N, L', out).
struct Conv1d : Module {
  Conv1d(int64_t in_channels, int64_t out_channels, const Conv1dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Conv1dOptions options;
  Parameter weight, bias;  // (out, k, in / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct Conv3dOptions {
  Size3d kernel;
  Size3d stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  bool same = false;
  PadMode padding_mode = PadMode::kConstant;
};
// (N, D, H, W, in) -> (N, D', H', W', out).
struct Conv3d : Module {
  Conv3d(int64_t in_channels, int64_t out_channels, const Conv3dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Conv3dOptions options;
  Parameter weight, bias;  // (out, kD, kH, kW, in / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct ConvTranspose1dOptions {
  int64_t kernel;
  int64_t stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};
// (N, L, in) -> (N, L', out); see conv_transpose1d.
struct ConvTranspose1d : Module {
  ConvTranspose1d(int64_t in_channels, int64_t out_channels, const ConvTranspose1dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  ConvTranspose1dOptions options;
  Parameter weight, bias;  // (in, k, out / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct ConvTransposeOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
// (N, H, W, in) -> (N, H', W', out); see conv_transpose2d.
struct ConvTranspose2d : Module {
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, const ConvTransposeOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  ConvTransposeOptions options;
  Parameter weight, bias;  // (in, kH, kW, out / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct ConvTranspose3dOptions {
  Size3d kernel;
  Size3d stride = 1, padding = 0, output_padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
// (N, D, H, W, in) -> (N, D', H', W', out).
struct ConvTranspose3d : Module {
  ConvTranspose3d(int64_t in_channels, int64_t out_channels, const ConvTranspose3dOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  ConvTranspose3dOptions options;
  Parameter weight, bias;  // (in, kD, kH, kW, out / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct LocallyConnectedOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, dilation = 1;
  bool bias = true;
};
// A convolution with a weight of its own at each position, for pictures of one size:
// (N, H, W, in) -> (N, H', W', out) (LeCun 1989). It is what a convolution without shared weights
// is.
struct LocallyConnected2d : Module {
  LocallyConnected2d(int64_t in_channels, int64_t out_channels, Size2d size,
                     const LocallyConnectedOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  LocallyConnectedOptions options;
  Parameter weight, bias;  // (H', W', kH kW in, out); (H', W', out) or undefined
  GLIA_FIELDS(weight, bias)
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
