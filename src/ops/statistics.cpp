// Sums of some elements, moments, norms and covariances: compositions.
#include <cmath>

#include "glia/ops/reduce.h"
#include "glia/ops/special.h"
#include "ops/operands.h"

namespace glia {

// ---- In a chosen dtype ----

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim, DType dtype, Where where) {
  require_defined("sum", x, where);
  return cast(sum(cast(x, dtype), axes, keepdim, where), dtype);
}
Tensor mean(const Tensor& x, const Axes& axes, bool keepdim, DType dtype, Where where) {
  require_defined("mean", x, where);
  if (!is_float(dtype)) throw ValueError(std::string("mean: has no mean in ") + name(dtype), where);
  return mean(cast(x, dtype), axes, keepdim, where);
}
Tensor prod(const Tensor& x, const Axes& axes, bool keepdim, DType dtype, Where where) {
  require_defined("prod", x, where);
  return cast(prod(cast(x, dtype), axes, keepdim, where), dtype);
}
Tensor cumsum(const Tensor& x, int axis, DType dtype, Where where) {
  require_defined("cumsum", x, where);
  return cast(cumsum(cast(x, dtype), axis, where), dtype);
}
Tensor cumprod(const Tensor& x, int axis, DType dtype, Where where) {
  require_defined("cumprod", x, where);
  return cast(cumprod(cast(x, dtype), axis, where), dtype);
}

// ---- Moments ----

Tensor nansum(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  require_defined("nansum", x, where);
  return sum(is_float(x.dtype()) ? glia::where(isnan(x), 0, x) : x, axes, keepdim, where);
}
Tensor nanmean(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Given in("nanmean", Operand(x, where));
  const Tensor count = sum(~isnan(in.x), axes, keepdim, where);
  return in.result(nansum(in.x, axes, keepdim, where) / cast(count, in.x.dtype()));
}
Tensor count_nonzero(const Tensor& x, const Axes& axes, Where where) {
  require_defined("count_nonzero", x, where);
  return sum(cast(x, kBool), axes, false, where);
}

Tensor std(const Tensor& x, const Axes& axes, bool keepdim, double correction, Where where) {
  const Tensor v = var(x, axes, keepdim, correction, where), zero = v == 0;
  return glia::where(zero, 0, sqrt(glia::where(zero, 1, v)));
}
VarMeanResult var_mean(const Tensor& x, const Axes& axes, bool keepdim, double correction,
                       Where where) {
  return {var(x, axes, keepdim, correction, where), mean(x, axes, keepdim, where)};
}
StdMeanResult std_mean(const Tensor& x, const Axes& axes, bool keepdim, double correction,
                       Where where) {
  return {glia::std(x, axes, keepdim, correction, where), mean(x, axes, keepdim, where)};
}
AminmaxResult aminmax(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  return {min(x, axes, keepdim, where), max(x, axes, keepdim, where)};
}

// ---- Norms ----

namespace {

// Over `axes`, which stay with size 1.
Tensor norm_of(const Tensor& x, double p, const Axes& axes, const Where& where) {
  const Tensor size = abs(x);
  if (p == 0) return cast(sum(x != 0, axes, true, where), x.dtype());
  if (p == 1) return sum(size, axes, true, where);
  if (std::isinf(p)) return p > 0 ? max(size, axes, true, where) : min(size, axes, true, where);
  if (p == 2 && x.dtype() == kF32)  // of which no square is too large or too small for f64
    return cast(sqrt(sum(square(cast(x, kF64)), axes, true, where)), kF32);
  // By the largest number, so that no power over- or underflows.
  Tensor scale = ones({}, x.dtype());
  if (x.numel() > 0) {
    const Tensor largest = max(size, axes, true, where);
    scale = glia::where((largest == 0) | isinf(largest), 1, largest);
  }
  const Tensor part = size / scale;
  if (p == 2) return scale * sqrt(sum(square(part), axes, true, where));
  return scale * pow(sum(pow(part, p), axes, true, where), 1 / p);
}

Tensor norm_gradient(const Tensor& x, const Tensor& y, const Tensor& g, double p,
                     const Axes& axes) {
  if (p == 0) return zeros_like(x);
  if (p == 1) return g * sign(x);
  if (std::isinf(p)) {
    const Tensor size = abs(x);
    const Tensor ends = cast((size == y) | (isnan(size) & isnan(y)), x.dtype());
    return sign(x) * ends * (g / sum(ends, axes, true));
  }
  const Tensor some = y != 0, length = where(some, y, 1);
  if (p == 2) return x * where(some, g / length, 0);
  const Tensor zero = x == 0, none = where(isnan(y), y, 0);  // a NaN spoils all of its vector
  const Tensor power = where(zero, none, sign(x) * pow(abs(where(zero, 1, x)) / length, p - 1));
  return power * where(some, g, 0);
}

Tensor norm(const char* op, const Tensor& x, double p, const Axes& axes, bool keepdim,
            const Where& where) {
  if (p != p) throw ValueError(std::string(op) + ": the order is NaN", where);
  const Given in(op, Operand(x, where));
  axis_mask(op, axes, x.rank(), where);
  const auto value = [&] {
    const NoGrad off;
    return norm_of(in.x, p, axes, where);
  };
  const auto rule = [p, axes](const std::vector<Tensor>& in, const Tensor& y, const Tensor& g) {
    return std::vector<Tensor>{norm_gradient(in[0], y, g, p, axes)};
  };
  const Tensor y = in.result(with_rule(value(), {in.x}, rule, where));
  return keepdim ? y : reshape(y, reduced_shape(x.shape(), axes, false), where);
}

}  // namespace

Tensor vector_norm(const Tensor& x, double ord, const Axes& axes, bool keepdim, Where where) {
  return norm("vector_norm", x, ord, axes, keepdim, where);
}
Tensor norm(const Tensor& x, double p, const Axes& axes, bool keepdim, Where where) {
  return norm("norm", x, p, axes, keepdim, where);
}

Tensor renorm(const Tensor& x, double p, int axis, double maxnorm, Where where) {
  const Given in("renorm", Operand(x, where));
  if (!(p > 0)) throw ValueError("renorm: the order " + Number(p).str() + " is not above 0", where);
  if (!(maxnorm >= 0))
    throw ValueError("renorm: maxnorm " + Number(maxnorm).str() + " is negative", where);
  const int kept = checked_axis("renorm", axis, x.rank(), where);
  Axes others;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != kept) others.push_back(i);
  }
  if (others.empty()) fail("renorm", "of rank 2 at least, not " + x.shape().str(), where);
  const Tensor length = norm("renorm", in.x, p, others, true, where);
  return in.result(in.x * glia::where(length > maxnorm, maxnorm / (length + 1e-7), 1));
}

// ---- Covariances ----

Tensor cov(const Tensor& x, const CovOptions& options, Where where) {
  const Given in("cov", Operand(x, where));
  if (x.rank() > 2) fail("cov", "of variables (V, N), not " + x.shape().str(), where);
  const Tensor rows = x.rank() == 2 ? in.x : reshape(in.x, {1, -1});
  const int64_t count = rows.size(1);
  Tensor weights;
  for (const Tensor& w : {options.fweights, options.aweights}) {
    if (!w.defined()) continue;
    if (w.shape() != Shape{count})
      fail("cov", "weights " + w.shape().str() + " for " + std::to_string(count) + " observations",
           where);
    const Tensor one = cast(w, rows.dtype());
    weights = weights.defined() ? weights * one : one;
  }
  if (options.fweights.defined() && is_float(options.fweights.dtype()))
    fail("cov", std::string("fweights are integers, not ") + name(options.fweights.dtype()), where);
  Tensor centred, weighted, left;
  if (weights.defined()) {
    const Tensor total = sum(weights);
    centred = rows - sum(rows * weights, {1}, true) / total;
    weighted = centred * weights;
    left = !options.aweights.defined()
               ? total - options.correction
               : total - options.correction * sum(weights * cast(options.aweights, rows.dtype())) /
                             total;
    left = maximum(left, 0);
  } else {
    weighted = centred = rows - mean(rows, {1}, true);
    left = full({}, std::max(static_cast<double>(count) - options.correction, 0.0), rows.dtype());
  }
  const Tensor c = matmul(weighted, transpose(centred), where) / left;
  return in.result(rows.size(0) == 1 ? reshape(c, {}) : c);
}

Tensor corrcoef(const Tensor& x, Where where) {
  require_defined("corrcoef", x, where);
  const Tensor c = cov(x, {}, where);
  if (c.rank() == 0) return c / c;
  // The diagonal, where rows and columns meet.
  const Tensor at = arange(c.size(0));
  const Tensor deviation = sqrt(reshape(gather(c, unsqueeze(at, 1), 1, where), {-1}));
  return clamp(c / unsqueeze(deviation, 1) / deviation, -1, 1);
}

}  // namespace glia
