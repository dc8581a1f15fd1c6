// Softmax and its kin: compositions that fuse into one pass over each row, with derivatives that
// need no more than the result.
#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
Tensor softmax(const Tensor& x, int axis, Where where) {
  const Tensor t = as_float("softmax", x, where);
  const Axes axes{checked_axis("softmax", axis, t.rank(), where)};
  const auto value = [&] {
    const NoGrad off;
    const Tensor e = exp(t - max(t, axes, true, where));
    return e / sum(e, axes, true, where);
  }();
  return with_rule(
      value, {t},
      [axes](const std::vector<Tensor>&, const Tensor& y, const Tensor& g) {
        return std::vector<Tensor>{y * (g - sum(g * y, axes, true))};
      },
      where);
}

Tensor log_softmax(const Tensor& x, int axis, Where where) {
  const Tensor t = as_float("log_softmax", x, where);
  const Axes axes{checked_axis("log_softmax", axis, t.rank(), where)};
  const auto value = [&] {
    const NoGrad off;
    const Tensor centred = t - max(t, axes, true, where);
    return centred - log(sum(exp(centred), axes, true, where));
  }();
  return with_rule(
      value, {t},
      [axes](const std::vector<Tensor>&, const Tensor& y, const Tensor& g) {
        return std::vector<Tensor>{g - exp(y) * sum(g, axes, true)};
      },
      where);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Tensor t = as_float("logsumexp", x, where);
  const auto value = [&] {
    const NoGrad off;
    const Tensor top = max(t, axes, true, where);
    const Tensor shift = glia::where(isfinite(top), top, 0);  // infinities speak for themselves
    return log(sum(exp(t - shift), axes, true, where)) + shift;
  }();
  const Tensor y = with_rule(
      value, {t},
      [](const std::vector<Tensor>& in, const Tensor& out, const Tensor& g) {
        return std::vector<Tensor>{g * exp(in[0] - out)};
      },
      where);
  if (keepdim) return y;
  return reshape(y, reduced_shape(t.shape(), axes, false), where);
}

}  // namespace glia
