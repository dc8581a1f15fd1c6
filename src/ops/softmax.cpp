// Softmax and its kin: compositions that fuse into one pass over each row, with derivatives that
// need little more than the result. 16-bit floats are computed in f32.
#include <cmath>

#include "glia/ops.h"
#include "ops/private.h"

namespace glia {

Tensor softmax(const Tensor& x, int axis, Where where) {
  const Tensor given = as_full_float("softmax", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  const Axes axes{checked_axis("softmax", axis, t.rank(), where)};
  if (t.numel() == 0) return given;
  const auto value = [&] {
    const NoGrad off;
    const Tensor e = exp(t - max(t, axes, true, where));
    return e / sum(e, axes, true, where);
  }();
  const auto rule = [axes](const std::vector<Tensor>&, const Tensor& y, const Tensor& g) {
    return std::vector<Tensor>{y * (g - sum(g * y, axes, true))};
  };
  return cast(with_rule(value, {t}, rule, where), given.dtype());
}

Tensor log_softmax(const Tensor& x, int axis, Where where) {
  const Tensor given = as_full_float("log_softmax", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  const Axes axes{checked_axis("log_softmax", axis, t.rank(), where)};
  if (t.numel() == 0) return given;
  const auto value = [&] {
    const NoGrad off;
    const Tensor centred = t - max(t, axes, true, where);
    return centred - log(sum(exp(centred), axes, true, where));
  }();
  const auto rule = [axes](const std::vector<Tensor>&, const Tensor& y, const Tensor& g) {
    return std::vector<Tensor>{g - exp(y) * sum(g, axes, true)};
  };
  return cast(with_rule(value, {t}, rule, where), given.dtype());
}

Tensor log_sum_exp(const Tensor& x, const Tensor& shift, const Axes& axes, const Where& where) {
  const auto value = [&] {
    const NoGrad off;
    return log(sum(exp(x - shift), axes, true, where));
  }();
  const auto rule = [](const std::vector<Tensor>& in, const Tensor& y, const Tensor& g) {
    const Tensor share = glia::where(y == -INFINITY, 0, y);  // no element has one
    return std::vector<Tensor>{g * exp(in[0] - in[1] - share), Tensor()};
  };
  return with_rule(value, {x, shift}, rule, where);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Tensor given = as_full_float("logsumexp", x, where),
               t = cast(given, sum_dtype(given.dtype()));
  const Tensor shift = [&] {
    const NoGrad off;
    const Shape kept = reduced_shape(t.shape(), axes, true);
    if (t.numel() == 0) return zeros(kept, t.dtype());  // nothing has no largest element
    const Tensor top = max(t, axes, true, where);
    return glia::where(isfinite(top), top, 0);  // infinities speak for themselves
  }();
  const Tensor y = cast(log_sum_exp(t, shift, axes, where) + shift, given.dtype());
  return keepdim ? y : reshape(y, reduced_shape(t.shape(), axes, false), where);
}

}  // namespace glia
