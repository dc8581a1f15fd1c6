// Tensors made from nothing.
#include <fmt/format.h>

#include <cmath>

#include "core/op.h"
#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- arange: inputs: start, step and the last value, f64 or i64; the count is the shape ----

// Of integers a product may be beyond i64 where the sum is not.
template <class N>
N element(N start, int64_t i, N step) {
  if constexpr (std::is_integral_v<N>) {
    return static_cast<N>(static_cast<uint64_t>(start) +
                          static_cast<uint64_t>(i) * static_cast<uint64_t>(step));
  } else {
    return start + static_cast<N>(i) * step;
  }
}

template <class N>
void run_arange_in(const KernelCall& call) {
  const N start = *call.in[0].as<const N>(), step = *call.in[1].as<const N>();
  const N last = *call.in[2].as<const N>();
  const int64_t n = call.out[0].numel();
  if (n == 0) return;
  with_dtype(call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = call.out[0].as<T>();
    for (int64_t i = 0; i < n - 1; ++i) {
      N value = element(start, i, step);
      if (std::is_integral_v<T> && !std::is_integral_v<N>) value = std::floor(value);
      out[i] = convert<T>(value);
    }
    out[n - 1] = convert<T>(last);
  });
}
void run_arange(const KernelCall& call) {
  call.in[0].dtype == kI64 ? run_arange_in<int64_t>(call) : run_arange_in<double>(call);
}
const Op kArange{.name = "arange", .kind = Kind::kKernel, .run = run_arange};
const RegisterOp registered(kArange);

Tensor sequence(const Tensor& start, const Tensor& step, const Tensor& last, int64_t count,
                DType dtype) {
  return record(kArange, {start.node(), step.node(), last.node()}, {count}, dtype, {}, {});
}

// Of integers, of which none is rounded.
Tensor integer_range(int64_t start, int64_t stop, int64_t step, DType dtype) {
  const uint64_t size = step < 0 ? -static_cast<uint64_t>(step) : static_cast<uint64_t>(step);
  const uint64_t span = step < 0 ? static_cast<uint64_t>(start) - static_cast<uint64_t>(stop)
                                 : static_cast<uint64_t>(stop) - static_cast<uint64_t>(start);
  const uint64_t count = (step < 0 ? stop < start : start < stop) ? (span - 1) / size + 1 : 0;
  if (count > INT64_MAX) throw ShapeError(fmt::format("arange: {} elements are too many", count));
  const auto n = static_cast<int64_t>(count);
  const int64_t last = n > 0 ? element(start, n - 1, step) : start;
  for (int64_t end : {start, last}) {
    if (n > 0) require_fit("arange", end, dtype);
  }
  return sequence(host_scalar_i64(start), host_scalar_i64(step), host_scalar_i64(last), n, dtype);
}

}  // namespace

Tensor full(const Shape& shape, const Number& value, DType dtype) {
  return expand(host_number("full", value, dtype), shape);
}
Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& x, Where where) {
  require_defined("zeros_like", x, where);
  return zeros(x.shape(), x.dtype());
}
Tensor ones_like(const Tensor& x, Where where) {
  require_defined("ones_like", x, where);
  return ones(x.shape(), x.dtype());
}

Tensor arange(const Number& start, const Number& stop, const Number& step, DType dtype) {
  const auto reject = [&](const char* why) {
    throw ShapeError(fmt::format("arange: from {} to {} in steps of {}: {}", start.str(),
                                 stop.str(), step.str(), why));
  };
  if (!(step.value() < 0 || step.value() > 0)) reject("no steps lead there");
  if (start.is_exact() && stop.is_exact() && step.is_exact())
    return integer_range(start.integer(), stop.integer(), step.integer(), dtype);
  const double first = start.value(), by = step.value();
  const double count = std::max(std::ceil((stop.value() - first) / by), 0.0);
  if (!(count < 0x1p63)) reject("that is no count of elements");
  const auto n = static_cast<int64_t>(count);
  const double last = n > 0 ? first + static_cast<double>(n - 1) * by : first;
  if (!is_float(dtype) && n > 0) {
    if (first != std::floor(first) || by != std::floor(by))
      reject("these are no integers; give a floating-point dtype");
    for (double end : {first, last}) require_fit("arange", end, dtype);
  }
  return sequence(host_scalar(first, kF64), host_scalar(by, kF64), host_scalar(last, kF64), n,
                  dtype);
}
Tensor arange(const Number& stop, DType dtype) { return arange(0, stop, 1, dtype); }

Tensor linspace(double start, double stop, int64_t count, DType dtype) {
  if (count < 0) throw ShapeError(fmt::format("linspace: {} values", count));
  for (double end : {start, stop}) {
    if (count > 0) require_fit("linspace", std::floor(end), dtype);
  }
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  const double last = count > 1 ? stop : start;
  return sequence(host_scalar(start, kF64), host_scalar(step, kF64), host_scalar(last, kF64), count,
                  dtype);
}

Tensor eye(int64_t n, DType dtype) {
  if (n < 0) throw ShapeError(fmt::format("eye: size {}", n));
  return cast(unsqueeze(arange(n), 1) == arange(n), dtype);
}

}  // namespace glia
