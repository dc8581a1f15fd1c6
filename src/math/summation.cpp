#include "glia/math/summation.h"

#include <cmath>

#include "glia/ops/arrange.h"
#include "glia/ops/special.h"
#include "ops/private.h"

namespace glia {
namespace {

// x[0], x[step], ... one after the other.
struct Numbers {
  const double* x;
  int64_t count, step;
  double operator[](int64_t i) const { return x[i * step]; }
};

double kahan(Numbers x) {
  double sum = 0, lost = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    const double y = x[i] - lost, next = sum + y;
    lost = std::isfinite(next) ? (next - sum) - y : 0;
    sum = next;
  }
  return sum;
}

double neumaier(Numbers x) {
  double sum = 0, lost = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    const double next = sum + x[i];
    lost += std::abs(sum) >= std::abs(x[i]) ? (sum - next) + x[i] : (x[i] - next) + sum;
    sum = next;
  }
  return std::isfinite(sum) ? sum + lost : sum;
}

double pairwise(Numbers x) {
  constexpr int64_t kPlain = 16;
  if (x.count <= kPlain) {
    double sum = 0;
    for (int64_t i = 0; i < x.count; ++i) sum += x[i];
    return sum;
  }
  const int64_t half = x.count / 2;
  return pairwise({x.x, half, x.step}) + pairwise({x.x + half * x.step, x.count - half, x.step});
}

// The sum as numbers whose bits do not overlap, from small to large.
double exact(Numbers x) {
  std::vector<double> parts;
  double special = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    double y = x[i];
    if (!std::isfinite(y)) {
      special += y;
      continue;
    }
    size_t kept = 0;
    for (double p : parts) {
      if (std::abs(y) < std::abs(p)) std::swap(y, p);
      const double high = y + p, low = p - (high - y);
      if (low != 0) parts[kept++] = low;
      y = high;
    }
    parts.resize(kept);
    parts.push_back(y);
  }
  if (special != 0) return special;  // NaN too
  double sum = 0, rest = 0;
  while (!parts.empty()) {
    const double before = sum, y = parts.back();
    parts.pop_back();
    sum = before + y;
    rest = y - (sum - before);
    if (rest != 0) break;
  }
  // Half of the last place: the sign of what is left decides (as math.fsum).
  if (!parts.empty() && ((rest < 0 && parts.back() < 0) || (rest > 0 && parts.back() > 0))) {
    const double twice = rest * 2, up = sum + twice;
    if (twice == up - sum) sum = up;
  }
  return sum;
}

double sum_by(SumMethod method, Numbers x) {
  switch (method) {
    case SumMethod::kKahan:
      return kahan(x);
    case SumMethod::kNeumaier:
      return neumaier(x);
    case SumMethod::kPairwise:
      return pairwise(x);
    case SumMethod::kExact:
      return exact(x);
  }
  return 0;
}

// Of f64 along an axis, which stays with size 1.
struct StableSumAttributes {
  int64_t axis = 0;
  SumMethod method = SumMethod::kNeumaier;
  GLIA_ATTRIBUTES(axis, method)
};
void run_stable_sum(const KernelCall& call) {
  const auto a = call.attributes<StableSumAttributes>();
  const Lines lines(call.in[0].layout.shape, a.axis);
  const double* x = call.in[0].as<const double>();
  double* out = call.out[0].as<double>();
  const int64_t some = std::max<int64_t>(1, 4096 / std::max<int64_t>(lines.size, 1));
  parallel_pieces(lines.outer * lines.inner, some, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / lines.inner * lines.size * lines.inner + i % lines.inner;
      out[i] = sum_by(a.method, {x + first, lines.size, lines.inner});
    }
  });
}
void vjp_stable_sum(Vjp& v) { v.set(0, expand(v.g(), v.in_shape(0))); }
Tensor batch_stable_sum(const Recorded& one, std::span<const Tensor> inputs, std::span<const bool>,
                        int64_t size) {
  auto a = one.attributes<StableSumAttributes>();
  ++a.axis;
  return record(one.op(), {inputs[0].node()}, batched_shape(one, size), one.dtype(), a,
                one.where());
}
const Op kStableSum{.name = "stable_sum",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<StableSumAttributes>,
                    .vjp = vjp_stable_sum,
                    .run = run_stable_sum,
                    .batch = batch_stable_sum};
const RegisterOp registered(kStableSum);

}  // namespace

Tensor stable_sum(const Tensor& x, const StableSumOptions& options, Where where) {
  require_defined("stable_sum", x, where);
  const DType dtype = as_float("stable_sum", x, where).dtype();
  const Tensor in = cast(options.axis ? x : reshape(x, {x.numel()}), kF64);
  const int axis = checked_axis("stable_sum", options.axis.value_or(0), in.rank(), where);
  Shape shape = in.shape();
  shape[axis] = 1;
  const Tensor y = cast(record(kStableSum, {in.node()}, shape, kF64,
                               StableSumAttributes{axis, options.method}, where),
                        dtype);
  if (!options.keepdim) return squeeze(y, axis);
  return options.axis ? y : reshape(y, Shape::filled(x.rank(), 1));
}

double stable_sum(const std::vector<double>& x, SumMethod method) {
  return sum_by(method, {x.data(), static_cast<int64_t>(x.size()), 1});
}

Tensor logmeanexp(const Tensor& x, const Axes& axes, bool keepdim, Where where) {
  const Tensor all = logsumexp(x, axes, keepdim, where);
  const double count =
      static_cast<double>(x.numel()) / static_cast<double>(std::max<int64_t>(all.numel(), 1));
  return all - std::log(count);
}

Tensor weighted_logsumexp(const Tensor& x, const Tensor& weight, const Axes& axes, bool keepdim,
                          Where where) {
  require_defined("weighted_logsumexp", x, where);
  require_defined("weighted_logsumexp", weight, where);
  const Tensor t = as_float("weighted_logsumexp", x, where);
  const Tensor w = expand(weight, t.shape(), where), none = w == 0;
  const Tensor counted = glia::where(none, -INFINITY, t);
  const Tensor most = stop_gradient(max(counted, axes, true, where));
  const Tensor shift = glia::where(isfinite(most), most, 0);
  const Tensor e = glia::where(none, 0, w * exp(glia::where(none, 0, t - shift)));
  const Tensor y = log(sum(e, axes, keepdim, where));
  return y + reshape(shift, y.shape());
}

Tensor log1mexp(const Operand& x) {
  const Tensor t = as_float("log1mexp", x), near = t > -0.69314718055994531;
  const Tensor zero = t == 0;
  const Tensor of_near = log(-expm1(where(near & (t != 0), t, -0.5)));
  return where(zero, -INFINITY, where(near, of_near, log1p(-exp(where(near, -1, t)))));
}

Tensor logdiffexp(const Operand& a, const Operand& b) {
  const Tensor x = as_float("logdiffexp", a), y = as_float("logdiffexp", b);
  // Where b is minus infinity, or both are equal, the difference of both may be no number.
  const Tensor none = y == -INFINITY, equal = x == y, plain = none | equal;
  const Tensor gap = where(plain, -1, y - where(plain, 0, x));
  return where(equal, -INFINITY, where(none, x, x + log1mexp(gap)));
}

}  // namespace glia
