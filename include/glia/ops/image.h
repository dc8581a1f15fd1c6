// Resizing and resampling of pictures, volumes and lines. Channels are the last axis.
#pragma once

#include <optional>
#include <vector>

#include "glia/ops/pool.h"

namespace glia {

// (N, H, W, C r^2) -> (N, H r, W r, C) and back (Shi et al. 2016); channels in PyTorch's order.
Tensor pixel_shuffle(const Tensor& x, int64_t factor, Where where = Where::current());
Tensor pixel_unshuffle(const Tensor& x, int64_t factor, Where where = Where::current());
// Channels of several groups in turn (Zhang et al. 2018).
Tensor channel_shuffle(const Tensor& x, int64_t groups, Where where = Where::current());

enum class InterpolationMode { kNearest, kNearestExact, kLinear, kCubic, kArea };
struct InterpolateOptions {
  InterpolationMode mode = InterpolationMode::kNearest;
  bool align_corners = false;  // the corners' centres stay, instead of their outer edges
  bool antialias = false;  // of kLinear and kCubic: smaller pictures are averaged (as Pillow does)
  // What one step in the result is in the source, if not the ratio of sizes: torch's scale_factor.
  std::vector<double> scale = {};
};
// (N, ..., C) with one to three axes between -> (N, *size, C); kLinear is PyTorch's linear,
// bilinear or trilinear, kCubic its bicubic (a = -0.75, Keys 1981).
Tensor interpolate(const Tensor& x, const Sizes& size, const InterpolateOptions& options = {},
                   Where where = Where::current());

// Where each pixel of (N, *size) comes from, by theta (N, 2, 3) or (N, 3, 4): (N, H, W, 2) or
// (N, D, H, W, 3) of numbers in [-1, 1], x first (Jaderberg et al. 2015).
Tensor affine_grid(const Tensor& theta, const Sizes& size, bool align_corners = false,
                   Where where = Where::current());
enum class GridPadding { kZeros, kBorder, kReflection };
struct GridSampleOptions {
  InterpolationMode mode = InterpolationMode::kLinear;  // or kNearest, or, in pictures, kCubic
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;
};
// x (N, H, W, C) at grid (N, H', W', 2) -> (N, H', W', C); volumes likewise. Differentiable in
// both.
Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& options = {},
                   Where where = Where::current());

}  // namespace glia
