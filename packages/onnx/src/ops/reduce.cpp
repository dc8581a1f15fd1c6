// Reductions and softmax.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "axes.h"
#include "call.h"
#include "glia/ops/reduce.h"
#include "glia/ops/special.h"

namespace glia::onnx {
namespace {

using Reduce = Tensor (*)(const Tensor&, const Axes&, bool);

template <Reduce f>
void reduction(Call& c) {
  const Held& held = c.in(0);
  if (!held.is_tensor()) c.fail("input 0 is no tensor of numbers");
  const Tensor& x = held.tensor;
  const int rank = x.rank();
  const bool keep = c.integer_of("keepdims", 1) != 0;
  Axes axes = axes_given(c, 1, rank);
  if (axes.empty() && c.integer_of("noop_with_empty_axes", 0) != 0) {
    // Nothing is summed, but a square or a root is still taken.
    const Tensor y = squeeze(f(unsqueeze(x, 0), {0}, true), 0);
    return c.set(0,
                 held.channels_last ? to_channels_first(cast(y, x.dtype())) : cast(y, x.dtype()));
  }
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int64_t& a : axes) a = place_of_axis(a, rank, held.channels_last);
  if (rank == 0) return c.set(0, cast(squeeze(f(reshape(x, {1}), {0}, true), 0), x.dtype()));
  Tensor y = cast(f(x, axes, true), x.dtype());
  if (keep) return held.channels_last ? c.set_spatial(0, y) : c.set(0, y);
  if (held.channels_last) y = to_channels_first(y);
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    if (std::ranges::find(axes, place_of_axis(i, rank, held.channels_last)) == axes.end())
      shape.push_back(y.size(i));
  }
  c.set(0, reshape(y, shape));
}
#define REDUCE(expression) \
  reduction<[](const Tensor& x, const Axes& a, bool keep) -> Tensor { return expression; }>

// The largest of nothing is the least number there is.
Tensor extreme(const Tensor& x, const Axes& axes, bool keep, bool largest) {
  int64_t count = 1;
  for (int64_t a : axes) count *= x.size(static_cast<int>(a));
  if (count > 0) return largest ? max(x, axes, keep) : min(x, axes, keep);
  Shape shape = x.shape();
  for (int64_t a : axes) shape[static_cast<int>(a)] = 1;
  if (x.dtype() == kBool) return full(shape, !largest, kBool);
  if (is_float(x.dtype())) return full(shape, largest ? -INFINITY : INFINITY, x.dtype());
  const int bits = 8 * static_cast<int>(size_of(x.dtype()));
  const int64_t high =
      x.dtype() == kU8 ? 255 : static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
  return full(shape, !largest ? high : x.dtype() == kU8 ? 0 : -high - 1, x.dtype());
}
// In f64 where integers become floats.
Tensor real(const Tensor& x) { return is_float(x.dtype()) ? x : cast(x, kF64); }
Tensor mean_of(const Tensor& x, const Axes& a, bool keep) { return mean(real(x), a, keep); }

// Before opset 13 all axes from this one on are one.
template <Tensor (*f)(const Tensor&, int)>
void along_axis(Call& c) {
  const int64_t fallback = c.opset() < 13 ? 1 : -1;
  const Held& held = c.in(0);
  if (c.opset() >= 13) {
    if (!held.is_tensor()) c.fail("input 0 is no tensor of numbers");
    const int rank = held.tensor.rank(), axis = c.axis(c.integer_of("axis", fallback), rank);
    const Tensor y = f(held.tensor, place_of_axis(axis, rank, held.channels_last));
    return held.channels_last ? c.set_spatial(0, y) : c.set(0, y);
  }
  const Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer_of("axis", fallback), x.rank());
  int64_t rows = 1;
  for (int i = 0; i < axis; ++i) rows *= x.size(i);
  c.set(0, reshape(f(reshape(x, {rows, rows ? x.numel() / rows : 0}), 1), x.shape()));
}
Tensor hardmax_of(const Tensor& x, int axis) {
  Shape shape = Shape::filled(x.rank(), 1);
  shape[axis] = x.size(axis);
  return cast(argmax(x, axis, true) == reshape(arange(x.size(axis)), shape), x.dtype());
}

void lp_normalization(Call& c) {
  const Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer_of("axis", -1), x.rank());
  const double p = static_cast<double>(c.integer_of("p", 2));
  const Tensor length = vector_norm(x, p, {axis}, true);
  c.set(0, where(length == 0, 0, x / length));
}

void mean_variance(Call& c) {
  const Tensor x = c.tensor(0);
  const Axes axes = c.axes(c.integers_of("axes", {0, 2, 3}), x.rank());
  const Tensor centred = x - mean(x, axes, true);
  c.set(0, centred / (sqrt(mean(square(centred), axes, true)) + 1e-9));
}

const Operators list{
    {"ReduceSum", REDUCE(sum(x, a, keep)), {.read = 2}},
    {"ReduceMean", reduction<mean_of>, {.read = 2}},
    {"ReduceMax", REDUCE(extreme(x, a, keep, true)), {.read = 2}},
    {"ReduceMin", REDUCE(extreme(x, a, keep, false)), {.read = 2}},
    {"ReduceProd", REDUCE(prod(x, a, keep)), {.read = 2}},
    {"ReduceL1", REDUCE(sum(abs(x), a, keep)), {.read = 2}},
    {"ReduceL2", REDUCE(sqrt(sum(square(real(x)), a, keep))), {.read = 2}},
    {"ReduceSumSquare", REDUCE(sum(square(x), a, keep)), {.read = 2}},
    {"ReduceLogSum", REDUCE(log(real(sum(x, a, keep)))), {.read = 2}},
    {"ReduceLogSumExp", REDUCE(logsumexp(real(x), a, keep)), {.read = 2}},
    {"Softmax", along_axis<[](const Tensor& x, int axis) { return softmax(x, axis); }>},
    {"LogSoftmax", along_axis<[](const Tensor& x, int axis) { return log_softmax(x, axis); }>},
    {"Hardmax", along_axis<hardmax_of>},
    {"LpNormalization", lp_normalization},
    {"MeanVarianceNormalization", mean_variance},
};

}  // namespace
}  // namespace glia::onnx
