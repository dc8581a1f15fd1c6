// Reductions. The ops keep reduced axes with size 1.
#include <cmath>

#include "core/op.h"
#include "glia/ops.h"
#include "ops/autocast.h"
#include "ops/elementwise.h"
#include "ops/private.h"

namespace glia {
namespace {

void vjp_sum(Vjp& v) { v.set(0, expand(v.g(), v.node().inputs[0]->shape)); }

// The gradient is shared equally among the elements that attain the extreme, as in PyTorch; there
// also among NaNs where all elements are reduced (max), while along axes (amax) all becomes NaN.
void vjp_extreme(Vjp& v) {
  Tensor equal = v.in(0) == v.out();
  if (v.node().shape.numel() == 1 && is_float(v.node().dtype))
    equal = equal | (isnan(v.in(0)) & isnan(v.out()));
  const Tensor attained = cast(equal, v.g().dtype());
  const int64_t mask = v.attributes<ReduceAttributes>().axes;
  Axes axes;
  for (int i = 0; i < v.shape().rank(); ++i) {
    if (mask >> i & 1) axes.push_back(i);
  }
  v.set(0, attained * (v.g() / sum(attained, axes, true)));
}

// Each element's derivative is the product of the others: those before it times those after it.
void vjp_prod(Vjp& v) {
  const Tensor x = v.in(0);
  const int64_t mask = v.attributes<ReduceAttributes>().axes;
  Axes order, inverse(x.rank());
  int64_t reduced = 1;
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < x.rank(); ++i) {
      if ((mask >> i & 1) != pass) continue;
      inverse[i] = static_cast<int64_t>(order.size());
      order.push_back(i);
      if (pass) reduced *= x.shape()[i];
    }
  }
  const Tensor moved = permute(x, order);
  const Tensor rows = reshape(moved, {reduced == 0 ? 0 : x.numel() / reduced, reduced});
  const Tensor one = ones({rows.size(0), 1}, x.dtype());
  const auto before = [&](const Tensor& r) {
    return cumprod(concat({one, slice(r, 1, {0, -1, 1})}, 1), 1);
  };
  const Tensor others = before(rows) * flip(before(flip(rows, {1})), {1});
  v.set(0, v.g() * permute(reshape(others, moved.shape()), inverse));
}

constexpr Op reduce_op(const char* name, void (*vjp)(Vjp&), ReduceCode code) {
  return {.name = name,
          .kind = Kind::kReduce,
          .attributes = kAttributeFields<ReduceAttributes>,
          .vjp = vjp,
          .code = static_cast<int>(code)};
}
const Op kSum = reduce_op("sum", vjp_sum, ReduceCode::kSum);
const Op kProd = reduce_op("prod", vjp_prod, ReduceCode::kProd);
const Op kMax = reduce_op("max", vjp_extreme, ReduceCode::kMax);
const Op kMin = reduce_op("min", vjp_extreme, ReduceCode::kMin);
const RegisterOp registered[] = {RegisterOp(kSum), RegisterOp(kProd), RegisterOp(kMax),
                                 RegisterOp(kMin)};

Tensor reduce(const Op& op, const Tensor& x, const Axes& axes, bool keepdim, const Where& where) {
  if (!x.defined()) fail(op.name, "the operand is not defined", where);
  const int64_t mask = axis_mask(op.name, axes, x.rank(), where);
  Shape kept, squeezed;
  int64_t count = 1;
  int runs = 0;  // of neighbouring axes
  for (int i = 0, before = 0; i < x.rank(); ++i) {
    const bool gone = mask >> i & 1;
    if (gone || x.shape()[i] != 1) {
      runs += gone && !before;
      before = gone;
    }
    kept.push_back(gone ? 1 : x.shape()[i]);
    if (gone)
      count *= x.shape()[i];
    else
      squeezed.push_back(x.shape()[i]);
  }
  const bool extreme = op.code >= static_cast<int>(ReduceCode::kMax);
  if (extreme && count == 0 && kept.numel() != 0)
    fail(op.name, "no elements along the reduced axes of " + x.shape().str(), where);
  // 16-bit floats are reduced in f32; sums and products of integers in i64.
  const bool half = x.dtype() == kF16 || x.dtype() == kBF16;
  DType in = half ? kF32 : x.dtype();
  if (!extreme && !is_float(in)) in = kI64;
  const DType result = half ? x.dtype() : in;
  // What is rounded between axes apart would be so for each factor.
  if (op.code == static_cast<int>(ReduceCode::kProd) && runs > 1 && in == kF32) in = kF64;
  Tensor out = cast(x, in);
  // One recorded reduction covers neighbouring axes; apart ones are reduced from the last.
  for (int end = x.rank(); end > 0;) {
    int64_t run = 0;
    while (end > 0 && (mask >> (end - 1) & 1 || (run && x.shape()[end - 1] == 1)))
      run |= int64_t{1} << --end & mask;
    if (run) {
      Shape partly = out.shape();
      for (int i = 0; i < partly.rank(); ++i) {
        if (run >> i & 1) partly[i] = 1;
      }
      out = record(op, {out.node()}, partly, in, ReduceAttributes{run}, where);
    } else {
      --end;
    }
  }
  out = cast(out, result);
  return keepdim ? out : reshape(out, squeezed, where);
}

}  // namespace

Axes axes_in(int64_t mask) {
  Axes axes;
  for (int i = 0; i < kMaxRank; ++i) {
    if (mask >> i & 1) axes.push_back(i);
  }
  return axes;
}

Shape reduced_shape(const Shape& shape, const Axes& axes, bool keepdim) {
  std::vector<bool> gone(shape.rank(), axes.empty());
  if (shape.rank() == 0) return {};
  for (int64_t axis : axes) gone[normalize_axis(axis, shape.rank())] = true;
  Shape out;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!gone[i])
      out.push_back(shape[i]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

namespace {

int64_t reduced_count(const Tensor& x, const Axes& axes) {
  if (axes.empty() || x.rank() == 0) return x.numel();
  int64_t n = 1;
  for (int64_t axis : axes) n *= x.size(static_cast<int>(axis));
  return n;
}

// What a mean is computed in and what it is rounded to: integers, which f32 may not hold, in f64.
struct Averaged {
  Tensor wide;
  DType dtype;

  Averaged(const char* op, const Tensor& x, const Where& where) {
    require_defined(op, x, where);
    const Tensor t = full_precision(x, where);
    const bool floats = is_float(t.dtype());
    wide = cast(t, floats ? sum_dtype(t.dtype()) : kF64);
    dtype = floats ? t.dtype() : kF32;
  }
};

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  return reduce(kSum, full_precision(x, where), axes, keepdim, where);
}
Tensor prod(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  return reduce(kProd, full_precision(x, where), axes, keepdim, where);
}
Tensor max(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  return reduce(kMax, x, axes, keepdim, where);
}
Tensor min(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  return reduce(kMin, x, axes, keepdim, where);
}
Tensor mean(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Averaged a("mean", x, where);
  const Tensor s = sum(a.wide, axes, keepdim, where);
  return cast(s / shared_scalar(static_cast<double>(reduced_count(x, axes)), s.dtype()), a.dtype);
}

Moments moments(const Tensor& x, const Axes& axes, const Where& where, double correction) {
  const auto count = static_cast<double>(reduced_count(x, axes));
  const Tensor rough = mean(x, axes, true, where);
  const Tensor centred = Operand(x, where) - rough;
  const Tensor rest = sum(centred, axes, true, where);
  const Tensor drift = rest / shared_scalar(count, x.dtype());
  const Tensor squares = sum(square({centred, where}), axes, true, where) - rest * drift;
  const Tensor left = shared_scalar(std::max(count - correction, 0.0), x.dtype());
  return {rough + drift, maximum(squares, shared_scalar(0, x.dtype())) / left};
}

namespace {

// ---- var(x), of f32 or f64 ----

// `axes`: a bit for each.
struct VarAttributes {
  int64_t axes = 0;
  double correction = 1;
  GLIA_ATTRIBUTES(axes, correction)
};

std::vector<Tensor> compose_var(const Recorded& one, std::span<const Tensor> in) {
  const auto [mask, correction] = one.attributes<VarAttributes>();
  return {moments(in[0], axes_in(mask), one.where(), correction).var};
}
void vjp_var(Vjp& v) {
  const Tensor x = v.in(0);
  const auto [mask, correction] = v.attributes<VarAttributes>();
  const Axes axes = axes_in(mask);
  const double left = std::max(static_cast<double>(reduced_count(x, axes)) - correction, 0.0);
  v.set(0, (x - mean(x, axes, true)) * (v.g() * (2 / left)));
}
Tensor batch_var(const Recorded& one, std::span<const Tensor> in, std::span<const bool>,
                 int64_t size) {
  const auto [mask, correction] = one.attributes<VarAttributes>();
  if (mask == 0) return {};
  return record(one.op(), {in[0].node()}, batched_shape(one, size), one.dtype(),
                VarAttributes{mask << 1, correction}, one.where());
}
const Op kVar{.name = "var",
              .kind = Kind::kMacro,
              .attributes = kAttributeFields<VarAttributes>,
              .vjp = vjp_var,
              .batch = batch_var,
              .compose = compose_var};
const RegisterOp registered_var(kVar);

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, bool keepdim, double correction, Where where) {
  const Averaged a("var", x, where);
  const int64_t mask = axis_mask("var", axes, a.wide.rank(), where);
  const Tensor y = cast(record(kVar, {a.wide.node()}, reduced_shape(x.shape(), axes, true),
                               a.wide.dtype(), VarAttributes{mask, correction}, where),
                        a.dtype);
  return keepdim ? y : reshape(y, reduced_shape(x.shape(), axes, false), where);
}
Tensor any(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  require_defined("any", x, where);
  return sum(cast(x, kBool), axes, keepdim, where) != 0;
}
Tensor all(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  require_defined("all", x, where);
  return sum(logical_not(cast(x, kBool)), axes, keepdim, where) == 0;
}

}  // namespace glia
