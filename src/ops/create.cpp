// Tensors made from nothing.
#include <cmath>

#include "core/op.h"
#include "glia/ops.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- arange: inputs: start and step, f64 scalars; the count is the shape ----

void run_arange(const KernelCall& call) {
  const double start = *call.in[0].as<const double>(), step = *call.in[1].as<const double>();
  const int64_t n = call.out[0].numel();
  with_dtype(call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = call.out[0].as<T>();
    for (int64_t i = 0; i < n; ++i) {
      const double value = start + static_cast<double>(i) * step;
      if constexpr (sizeof(T) == 2)
        out[i] = T(static_cast<float>(value));
      else
        out[i] = static_cast<T>(value);
    }
  });
}
const Op kArange{.name = "arange", .kind = Kind::kKernel, .run = run_arange};
const RegisterOp registered(kArange);

Tensor sequence(double start, double step, int64_t count, DType dtype) {
  const Tensor first = host_scalar(start, kF64), by = host_scalar(step, kF64);
  return record(kArange, {first.node(), by.node()}, {count}, dtype, {}, {});
}

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) {
  return expand(host_scalar(value, dtype), shape);
}
Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }

Tensor arange(double start, double stop, double step, DType dtype) {
  const double count = std::ceil((stop - start) / step);
  if (step == 0 || !std::isfinite(count))
    throw ShapeError("arange: no steps of " + std::to_string(step) + " lead from " +
                     std::to_string(start) + " to " + std::to_string(stop));
  return sequence(start, step, std::max<int64_t>(static_cast<int64_t>(count), 0), dtype);
}
Tensor arange(int64_t stop, DType dtype) {
  return sequence(0, 1, std::max<int64_t>(stop, 0), dtype);
}

Tensor linspace(double start, double stop, int64_t count, DType dtype) {
  if (count < 0) throw ShapeError("linspace: " + std::to_string(count) + " values");
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  return cast(sequence(start, step, count, kF64), dtype);
}

Tensor eye(int64_t n, DType dtype) {
  if (n < 0) throw ShapeError("eye: size " + std::to_string(n));
  return cast(unsqueeze(arange(n), 1) == arange(n), dtype);
}

}  // namespace glia
