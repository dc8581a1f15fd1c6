// Running sums, products and extremes along an axis.
#include <cmath>

#include "glia/ops/reduce.h"
#include "ops/operands.h"

namespace glia {
namespace {

constexpr int64_t kColumns = 64;

// Sums of floats run in f64, and each is rounded on its own: errors do not add up along the line.
template <class T>
using Running = std::conditional_t<std::is_floating_point_v<T>, double, T>;

// Runs h[i] = next(h[i - 1], offset of i) from h[0] = first(offset) along every line of `out`.
template <class T, class First, class Next>
void scan(const Lines& x, T* out, First first, Next next) {
  if (x.size == 0 || x.inner == 0) return;
  const int64_t blocks = (x.inner + kColumns - 1) / kColumns;
  const int64_t together = 4096 / (std::min(x.inner, kColumns) * x.size);
  parallel_pieces(x.outer * blocks, together, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t column = block % blocks * kColumns;
      const int64_t start = block / blocks * x.size * x.inner + column;
      if (x.inner == 1) {  // the running value stays in a register
        Running<T> h = first(start);
        out[start] = static_cast<T>(h);
        for (int64_t i = start + 1; i < start + x.size; ++i) {
          h = next(h, i);
          out[i] = static_cast<T>(h);
        }
        continue;
      }
      const int64_t width = std::min(kColumns, x.inner - column);
      Running<T> h[kColumns];
      for (int64_t k = 0; k < width; ++k) out[start + k] = static_cast<T>(h[k] = first(start + k));
      for (int64_t i = 1; i < x.size; ++i) {
        const int64_t row = start + i * x.inner;
        for (int64_t k = 0; k < width; ++k)
          out[row + k] = static_cast<T>(h[k] = next(h[k], row + k));
      }
    }
  });
}

template <class T>
T multiply_add(T a, T b, T c) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b) +
                          static_cast<uint64_t>(c));
  } else {
    return a * b + c;
  }
}

template <class F>
void with_sum_dtype(DType dtype, F&& f) {
  if (dtype == kI64)
    f(int64_t());
  else if (dtype == kF64)
    f(double());
  else
    f(float());
}

// ---- cumsum ----

void run_cumsum(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  with_sum_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = call.in[0].as<const T>();
    scan(
        x, call.out[0].as<T>(), [&](int64_t i) { return in[i]; },
        [&](Running<T> h, int64_t i) { return multiply_add<Running<T>>(1, h, in[i]); });
  });
}
void vjp_cumsum(Vjp& v) {
  const int64_t axis = v.attributes<AxisAttributes>().axis;
  v.set(0, flip(cumsum(flip(v.g(), {axis}), static_cast<int>(axis)), {axis}));
}
Tensor batch_cumsum(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                    int64_t) {
  return cumsum(inputs[0], static_cast<int>(node.attributes<AxisAttributes>().axis) + 1,
                node.where());
}
const Op kCumsum{.name = "cumsum",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<AxisAttributes>,
                 .vjp = vjp_cumsum,
                 .run = run_cumsum,
                 .batch = batch_cumsum};

// ---- recurrence(a, b): h[i] = a[i] h[i - 1] + b[i] with h[-1] = 0 along an axis ----

void run_recurrence(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  with_sum_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *a = call.in[0].as<const T>(), *b = call.in[1].as<const T>();
    scan(
        x, call.out[0].as<T>(), [&](int64_t i) { return b[i]; },
        [&](Running<T> h, int64_t i) { return multiply_add<Running<T>>(a[i], h, b[i]); });
  });
}
Tensor recurrence(const Tensor& a, const Tensor& b, int axis, const Where& where);

// x[i - 1] along the axis, zero at the front.
Tensor delayed(const Tensor& x, int axis) {
  std::vector<std::pair<int64_t, int64_t>> pads(x.rank());
  pads[axis].first = 1;
  return pad(slice(x, axis, {0, x.shape()[axis] - 1, 1}), pads);
}
// The adjoint runs backwards: l[i] = g[i] + a[i + 1] l[i + 1].
void vjp_recurrence(Vjp& v) {
  const int64_t axis = v.attributes<AxisAttributes>().axis;
  const int i = static_cast<int>(axis);
  if (v.node().shape[i] == 0) return;
  const Tensor after = delayed(flip(v.in(0), {axis}), i);
  const Tensor l = flip(recurrence(after, flip(v.g(), {axis}), i, v.node().where), {axis});
  if (v.needs(0)) v.set(0, l * delayed(v.out(), i));
  if (v.needs(1)) v.set(1, l);
}
Tensor batch_recurrence(const Recorded& node, std::span<const Tensor> inputs,
                        std::span<const bool> batched, int64_t size) {
  return recurrence(with_batch_axis(inputs[0], batched[0], size),
                    with_batch_axis(inputs[1], batched[1], size),
                    static_cast<int>(node.attributes<AxisAttributes>().axis) + 1, node.where());
}
const Op kRecurrence{.name = "recurrence",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<AxisAttributes>,
                     .vjp = vjp_recurrence,
                     .run = run_recurrence,
                     .batch = batch_recurrence};
Tensor recurrence(const Tensor& a, const Tensor& b, int axis, const Where& where) {
  return record(kRecurrence, {a.node(), b.node()}, a.shape(), a.dtype(), AxisAttributes{axis},
                where);
}

// ---- arg_cummax, arg_cummin: the index of the last of the extremes so far ----

// Whether a new element takes the place of what was the extreme before. NaN does, and stays.
template <bool kLargest, class T>
bool takes_over(T now, T best) {
  if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return takes_over<kLargest>(static_cast<float>(now), static_cast<float>(best));
  } else {
    return now != now || (best == best && (kLargest ? now >= best : now <= best));
  }
}
template <bool kLargest>
void run_arg_extreme(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  with_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = call.in[0].as<const T>();
    scan(
        x, call.out[0].as<int64_t>(), [](int64_t) { return int64_t{0}; },
        [&](int64_t best, int64_t i) {
          const int64_t at = i / x.inner % x.size;
          return takes_over<kLargest>(in[i], in[i - (at - best) * x.inner]) ? at : best;
        });
  });
}
Tensor batch_along(const Recorded& one, std::span<const Tensor> inputs, std::span<const bool>,
                   int64_t size) {
  return record(one.op(), {inputs[0].node()}, batched_shape(one, size), one.dtype(),
                AxisAttributes{one.attributes<AxisAttributes>().axis + 1}, one.where());
}
constexpr Op arg_extreme_op(const char* name, RunFunction run) {
  return {.name = name,
          .kind = Kind::kKernel,
          .attributes = kAttributeFields<AxisAttributes>,
          .run = run,
          .batch = batch_along};
}
const Op kArgCummax = arg_extreme_op("arg_cummax", run_arg_extreme<true>);
const Op kArgCummin = arg_extreme_op("arg_cummin", run_arg_extreme<false>);

// ---- logcumsumexp ----

void run_logcumsumexp(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  with_sum_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      const T* in = call.in[0].as<const T>();
      scan(
          x, call.out[0].as<T>(), [&](int64_t i) { return in[i]; },
          [&](double h, int64_t i) {
            const double next = in[i];
            if (h == next && std::isinf(h)) return h;
            return std::max(h, next) + std::log1p(std::exp(-std::abs(h - next)));
          });
    }
  });
}
// exp(x) times what is behind of g exp(-y), by logarithms of what is positive and negative in g.
void vjp_logcumsumexp(Vjp& v) {
  const Tensor x = v.in(0), y = v.out(), &g = v.g();
  const int64_t axis = v.attributes<AxisAttributes>().axis;
  const auto part = [&](const Tensor& g) {
    const Tensor some = g > 0, size = where(some, log(where(some, g, 1)) - y, -INFINITY);
    const Tensor behind = flip(logcumsumexp(flip(size, {axis}), static_cast<int>(axis)), {axis});
    return exp(behind + x);
  };
  v.set(0, part(g) - part(-g));
}
const Op kLogcumsumexp{.name = "logcumsumexp",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<AxisAttributes>,
                       .vjp = vjp_logcumsumexp,
                       .run = run_logcumsumexp,
                       .batch = batch_along};

const RegisterOp registered[] = {RegisterOp(kCumsum), RegisterOp(kRecurrence),
                                 RegisterOp(kArgCummax), RegisterOp(kArgCummin),
                                 RegisterOp(kLogcumsumexp)};

std::pair<Tensor, Tensor> running_extreme(const Op& op, const char* function, const Tensor& x,
                                          int axis, const Where& where) {
  require_defined(function, x, where);
  if (x.rank() == 0) return as_number(running_extreme(op, function, as_line(x), axis, where));
  const int i = checked_axis(function, axis, x.rank(), where);
  const Tensor at = record(op, {x.node()}, x.shape(), kI64, AxisAttributes{i}, where);
  return {gather(x, at, i, where), at};
}

// The dtype of the result: as of a sum, but 16-bit floats stay.
DType scanned_dtype(DType t) { return is_float(t) ? t : kI64; }

}  // namespace

Tensor cumsum(const Tensor& x, int axis, Where where) {
  if (!x.defined()) fail("cumsum", "the operand is not defined", where);
  if (x.rank() == 0) return as_number(cumsum(as_line(x), axis, where));
  const int i = checked_axis("cumsum", axis, x.rank(), where);
  const Tensor in = cast(x, sum_dtype(x.dtype()));
  return cast(record(kCumsum, {in.node()}, x.shape(), in.dtype(), AxisAttributes{i}, where),
              scanned_dtype(x.dtype()));
}

// The recurrence that begins with the first factor and adds nothing: right where factors are zero.
Tensor cumprod(const Tensor& x, int axis, Where where) {
  if (!x.defined()) fail("cumprod", "the operand is not defined", where);
  if (x.rank() == 0) return as_number(cumprod(as_line(x), axis, where));
  const int i = checked_axis("cumprod", axis, x.rank(), where);
  const Tensor a = cast(x, sum_dtype(x.dtype()));
  const Shape starts = Shape::filled(x.rank(), 0), steps = Shape::filled(x.rank(), 1);
  const Tensor first = embed(slice(a, i, {0, 1, 1}), x.shape(), starts, steps, 0, where);
  return cast(recurrence(a, first, i, where), scanned_dtype(x.dtype()));
}

std::pair<Tensor, Tensor> cummax(const Tensor& x, int axis, Where where) {
  return running_extreme(kArgCummax, "cummax", x, axis, where);
}
std::pair<Tensor, Tensor> cummin(const Tensor& x, int axis, Where where) {
  return running_extreme(kArgCummin, "cummin", x, axis, where);
}

Tensor logcumsumexp(const Tensor& x, int axis, Where where) {
  const Given in("logcumsumexp", Operand(x, where));
  if (x.rank() == 0) return as_number(logcumsumexp(as_line(x), axis, where));
  const int i = checked_axis("logcumsumexp", axis, x.rank(), where);
  return in.result(
      record(kLogcumsumexp, {in.x.node()}, x.shape(), in.x.dtype(), AxisAttributes{i}, where));
}

}  // namespace glia
