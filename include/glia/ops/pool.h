// Pooling of lines, pictures and volumes, with every option. Channels are the last axis. The plain
// max_pool2d and avg_pool2d are in glia/ops.h.
#pragma once

#include <optional>
#include <vector>

#include "glia/ops/conv.h"

namespace glia {

// One number for each axis between the first and the last; a single one stands for all.
using Sizes = std::vector<int64_t>;

struct MaxPoolOptions {
  Sizes stride = {};  // empty: the window
  Sizes padding = {0}, dilation = {1};
  bool ceil_mode = false;  // the last window may pass the end, if it begins before
};
// The largest value of each window and where it is: flat among the positions of its picture, as
// max_unpool takes it. x (N, ..., C) with one to three axes between.
struct MaxPoolResult {
  Tensor out, indices;  // (N, ..., C), and i64 of that shape
};
MaxPoolResult max_pool_with_indices(const Tensor& x, const Sizes& window,
                                    const MaxPoolOptions& options = {},
                                    Where where = Where::current());
Tensor max_pool(const Tensor& x, const Sizes& window, const MaxPoolOptions& options = {},
                Where where = Where::current());
// Values back at the positions they were taken from, zeros elsewhere: (N, ..., C) -> (N, *size, C).
Tensor max_unpool(const Tensor& x, const Tensor& indices, const Sizes& size,
                  Where where = Where::current());

struct AvgPoolOptions {
  Sizes stride = {};  // empty: the window
  Sizes padding = {0};
  bool ceil_mode = false;
  bool count_include_pad = true;                 // padding counts as zeros, or not at all
  std::optional<int64_t> divisor_override = {};  // instead of the number of values
};
Tensor avg_pool(const Tensor& x, const Sizes& window, const AvgPoolOptions& options = {},
                Where where = Where::current());
// (sum of x^p)^(1 / p) of each window, as torch's lp_pool (Boureau et al. 2010).
Tensor lp_pool(const Tensor& x, double p, const Sizes& window, const Sizes& stride = {},
               bool ceil_mode = false, Where where = Where::current());

// As many windows as `size` says: the i-th of n has the values floor(i L / n) to ceil((i + 1) L /
// n).
Tensor adaptive_avg_pool(const Tensor& x, const Sizes& size, Where where = Where::current());
Tensor adaptive_max_pool(const Tensor& x, const Sizes& size, Where where = Where::current());
MaxPoolResult adaptive_max_pool_with_indices(const Tensor& x, const Sizes& size,
                                             Where where = Where::current());
// Windows that begin at random, about L / size apart (Graham 2014). `samples` (N, axes, C) in
// [0, 1) decides; undefined: drawn.
MaxPoolResult fractional_max_pool(const Tensor& x, const Sizes& window, const Sizes& size,
                                  const Tensor& samples = {}, Where where = Where::current());
// The largest over all rows of the smallest in each row: (N, H, W, C) -> (N, C). What one text
// calls max pooling; a max pooling over the whole picture is max(x, {1, 2}).
Tensor maxmin_pool(const Tensor& x, Where where = Where::current());

}  // namespace glia
