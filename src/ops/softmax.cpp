// Softmax and its kin: compositions that fuse into one pass over each row, with derivatives that
// need little more than the result. 16-bit floats are computed in f32.
#include <cmath>

#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- softmax(x), log_softmax(x) ----

Axes axis_of(const Recorded& one) { return {one.attributes<AxisAttributes>().axis}; }

std::vector<Tensor> compose_softmax(const Recorded& one, std::span<const Tensor> in) {
  const Tensor e = exp(in[0] - stop_gradient(max(in[0], axis_of(one), true)));
  return {e / sum(e, axis_of(one), true)};
}
void vjp_softmax(Vjp& v) {
  const Tensor y = v.out();
  v.set(0, y * (v.g() - sum(v.g() * y, axis_of(v), true)));
}

std::vector<Tensor> compose_log_softmax(const Recorded& one, std::span<const Tensor> in) {
  const Tensor centred = in[0] - stop_gradient(max(in[0], axis_of(one), true));
  return {centred - log(sum(exp(centred), axis_of(one), true))};
}
void vjp_log_softmax(Vjp& v) { v.set(0, v.g() - exp(v.out()) * sum(v.g(), axis_of(v), true)); }

Tensor batch_along(const Recorded& one, std::span<const Tensor> in, std::span<const bool>,
                   int64_t) {
  return record(one.op(), {in[0].node()}, in[0].shape(), one.dtype(),
                AxisAttributes{one.attributes<AxisAttributes>().axis + 1}, one.where());
}

const Op kSoftmax{.name = "softmax",
                  .kind = Kind::kMacro,
                  .attributes = kAttributeFields<AxisAttributes>,
                  .vjp = vjp_softmax,
                  .batch = batch_along,
                  .compose = compose_softmax};
const Op kLogSoftmax{.name = "log_softmax",
                     .kind = Kind::kMacro,
                     .attributes = kAttributeFields<AxisAttributes>,
                     .vjp = vjp_log_softmax,
                     .batch = batch_along,
                     .compose = compose_log_softmax};

// ---- log_sum_exp(x, shift), a constant shift ----

int64_t mask_of(const Recorded& one) { return one.attributes<ReduceAttributes>().axes; }
Axes axes_of(const Recorded& one) { return axes_in(mask_of(one)); }

std::vector<Tensor> compose_log_sum_exp(const Recorded& one, std::span<const Tensor> in) {
  return {log(sum(exp(in[0] - stop_gradient(in[1])), axes_of(one), true))};
}
void vjp_log_sum_exp(Vjp& v) {
  const Tensor y = v.out();
  const Tensor share = where(y == -INFINITY, 0, y);  // no element has one
  v.set(0, v.g() * exp(v.in(0) - v.in(1) - share));
}
Tensor batch_log_sum_exp(const Recorded& one, std::span<const Tensor> in,
                         std::span<const bool> batched, int64_t size) {
  if (mask_of(one) == 0) return {};
  return record(one.op(),
                {with_batch_axis(in[0], batched[0], size).node(),
                 with_batch_axis(in[1], batched[1], size).node()},
                batched_shape(one, size), one.dtype(), ReduceAttributes{mask_of(one) << 1},
                one.where());
}
const Op kLogSumExp{.name = "log_sum_exp",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<ReduceAttributes>,
                    .vjp = vjp_log_sum_exp,
                    .batch = batch_log_sum_exp,
                    .compose = compose_log_sum_exp};

// ---- logsumexp(x) ----

std::vector<Tensor> compose_logsumexp(const Recorded& one, std::span<const Tensor> in) {
  const Tensor& t = in[0];
  const Tensor shift = [&] {
    if (t.numel() == 0) return zeros(one.shape(), t.dtype());  // nothing has no largest element
    const Tensor top = max(t, axes_of(one), true);
    return stop_gradient(where(isfinite(top), top, 0));  // infinities speak for themselves
  }();
  return {log_sum_exp(t, shift, mask_of(one), one.where()) + shift};
}
const Op kLogsumexp{.name = "logsumexp",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<ReduceAttributes>,
                    .compose = compose_logsumexp};

const RegisterOp registered[] = {RegisterOp(kSoftmax), RegisterOp(kLogSoftmax),
                                 RegisterOp(kLogSumExp), RegisterOp(kLogsumexp)};

// One of the first two along an axis.
Tensor along(const Op& op, const Tensor& x, int axis, const Where& where) {
  const Tensor given = as_full_float(op.name, x, where), t = cast(given, sum_dtype(given.dtype()));
  if (t.rank() == 0) return as_number(along(op, as_line(given), axis, where));
  const int64_t at = checked_axis(op.name, axis, t.rank(), where);
  if (t.numel() == 0) return given;
  return cast(record(op, {t.node()}, t.shape(), t.dtype(), AxisAttributes{at}, where),
              given.dtype());
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, Where where) { return along(kSoftmax, x, axis, where); }
Tensor log_softmax(const Tensor& x, int axis, Where where) {
  return along(kLogSoftmax, x, axis, where);
}

Tensor log_sum_exp(const Tensor& x, const Tensor& shift, int64_t mask, const Where& where) {
  Shape shape = x.shape();
  for (int i = 0; i < shape.rank(); ++i) {
    if (mask >> i & 1) shape[i] = 1;
  }
  return record(kLogSumExp, {x.node(), shift.node()}, shape, x.dtype(), ReduceAttributes{mask},
                where);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Tensor given = as_full_float("logsumexp", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  const int64_t mask = axis_mask("logsumexp", axes, t.rank(), where);
  const Tensor y = cast(record(kLogsumexp, {t.node()}, reduced_shape(t.shape(), axes, true),
                               t.dtype(), ReduceAttributes{mask}, where),
                        given.dtype());
  return keepdim ? y : reshape(y, reduced_shape(t.shape(), axes, false), where);
}

}  // namespace glia
