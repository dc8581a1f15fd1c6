// Reading and writing at positions, and searching: what torch.scatter, masked_*, searchsorted,
// unique and histograms do. Indices are i32 or i64; a negative one counts from the end, one out of
// range throws ValueError when the value is computed.
#pragma once

#include <optional>

#include "glia/ops.h"

namespace glia {

// ---- At indices -------------------------------------------------------------------------------

// x at indices (K) along the axis.
Tensor index_select(const Tensor& x, const Tensor& indices, int axis,
                    Where where = Where::current());
// x with slices replaced: of several at one index the last stays.
Tensor index_copy(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                  Where where = Where::current());
Tensor index_fill(const Tensor& x, const Tensor& indices, const Number& value, int axis,
                  Where where = Where::current());
// out[i][j] = x[i][indices[i][j]] for axis 1; unlike gather() all other axes broadcast. Without an
// axis both are flattened. As numpy.take_along_axis and torch.take_along_dim.
Tensor take_along_axis(const Tensor& x, const Tensor& indices, std::optional<int> axis = {},
                       Where where = Where::current());
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int> axis = {},
                      Where where = Where::current());
// x with out[i][indices[i][j]] = values[i][j] for axis 1; values and other axes broadcast.
Tensor put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values, int axis,
                      Where where = Where::current());
// The same without broadcasting, as torch.scatter: indices and source may be smaller than x. The
// gradient goes to what stays: of several at one index the last.
Tensor scatter(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
               Where where = Where::current());
Tensor scatter(const Tensor& x, const Tensor& indices, const Number& value, int axis,
               Where where = Where::current());
enum class ScatterReduction { kSum, kProd, kMean, kAmax, kAmin };
// x with what `source` has for one place put together, with x's number too if include_self. At a
// tie extremes share the gradient.
Tensor scatter_reduce(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                      ScatterReduction reduce, bool include_self = true,
                      Where where = Where::current());

// The same along one axis for slices of `source` at indices (K), as torch.index_reduce.
Tensor index_reduce(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                    ScatterReduction reduce, bool include_self = true,
                    Where where = Where::current());
// x with `values` at x[indices[0], indices[1], ...], or added there; where an index is undefined
// the whole axis is meant. Masks are read at once. Of several at one place the last stays.
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate = false, Where where = Where::current());
// x with elements of `source`, of the indices' size, at places of the flattened x, or added there.
Tensor put(const Tensor& x, const Tensor& indices, const Tensor& source, bool accumulate = false,
           Where where = Where::current());
// The index along each axis of an array of that shape, i64, of places in the flattened one.
std::vector<Tensor> unravel_index(const Tensor& indices, const Shape& shape,
                                  Where where = Where::current());
// x with `source` at one index of the axis, and as a diagonal of two axes: the last axis of source.
Tensor select_scatter(const Tensor& x, const Tensor& source, int axis, int64_t index,
                      Where where = Where::current());
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset = 0, int axis0 = 0,
                        int axis1 = 1, Where where = Where::current());

// ---- Where a mask is true ---------------------------------------------------------------------
// Masks are bool and broadcast with x.

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Number& value,
                   Where where = Where::current());
// The elements, rank 1. The mask is read at once, since the shape depends on it.
Tensor masked_select(const Tensor& x, const Tensor& mask, Where where = Where::current());
// x with the elements of `source`, in order, where the mask is true.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source,
                      Where where = Where::current());

// ---- Searching --------------------------------------------------------------------------------

struct SearchOptions {
  bool right = false;  // behind equal values instead of before them
  Tensor sorter = {};  // indices that sort the sequence
};
// Where each value belongs in a rising sequence: (N), or one for each row of values, with the same
// leading axes. NaN belongs at the end.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, const SearchOptions& options = {},
                    Where where = Where::current());
// The interval of x among rising boundaries (N).
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false,
                 Where where = Where::current());
// Whether each element is one of `test`.
Tensor isin(const Tensor& x, const Tensor& test, bool invert = false,
            Where where = Where::current());

// ---- Sets and counts --------------------------------------------------------------------------
// Computed at once, since shapes depend on values, but for histc and histogram.

struct UniqueResult {
  Tensor values;
  Tensor inverse;  // where each element, or slice, of x is among the values
  Tensor counts;   // how often each is there
};
// The different values, rising; along an axis the different slices, in the order of their elements.
// NaN differs from itself.
UniqueResult unique(const Tensor& x, std::optional<int> axis = {}, Where where = Where::current());
// Each run of equal neighbours once.
UniqueResult unique_consecutive(const Tensor& x, std::optional<int> axis = {},
                                Where where = Where::current());
// How often 0, 1, ... are in x (N), i64, or the sums of their weights. At least minlength long.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t minlength = 0,
                Where where = Where::current());
// How many elements lie in each of equal bins from min to max, or, where these are equal, from the
// least to the largest element; in x's dtype. Others and NaN are left out.
Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0,
             Where where = Where::current());
struct HistogramOptions {
  std::optional<std::pair<double, double>> range = {};  // unset: of x
  Tensor weight = {};                                   // of each element, in x's shape
  bool density = false;                                 // of integral 1
};
struct HistogramResult {
  Tensor hist, bin_edges;
};
HistogramResult histogram(const Tensor& x, int64_t bins, const HistogramOptions& options = {},
                          Where where = Where::current());
// With rising edges (bins + 1); the last one belongs to the last bin.
HistogramResult histogram(const Tensor& x, const Tensor& bin_edges,
                          const HistogramOptions& options = {}, Where where = Where::current());
struct HistogramddOptions {
  std::vector<std::pair<double, double>> range = {};  // of each dimension; empty: of x
  Tensor weight = {};                                 // of each point, (N)
  bool density = false;                               // of integral 1
};
struct HistogramddResult {
  Tensor hist;                    // (bins[0], bins[1], ...)
  std::vector<Tensor> bin_edges;  // of each dimension, (bins + 1)
};
// Of points x (N, D), which may be (..., D), in boxes: so many bins in each dimension, or these.
HistogramddResult histogramdd(const Tensor& x, const std::vector<int64_t>& bins,
                              const HistogramddOptions& options = {},
                              Where where = Where::current());
HistogramddResult histogramdd(const Tensor& x, const std::vector<Tensor>& bin_edges,
                              const HistogramddOptions& options = {},
                              Where where = Where::current());

}  // namespace glia
