// Orders and extreme positions along an axis. NaN counts as larger than every number; argmax and
// argmin give the first one.
#include <bit>
#include <cmath>

#include "ops/private.h"

namespace glia {
namespace {

// An unsigned integer for each value such that both are ordered alike; both zeros are equal.
template <class T>
auto order_key(T x) {
  if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return order_key(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    if (std::isnan(x)) return static_cast<U>(-1);
    x += T(0);  // -0 becomes 0
    const U bits = std::bit_cast<U>(x), sign = U(1) << (sizeof(T) * 8 - 1);
    return static_cast<U>(bits & sign ? ~bits : bits | sign);
  } else {
    return static_cast<uint64_t>(x) ^ (std::is_signed_v<T> ? uint64_t{1} << 63 : 0);
  }
}

template <class U>
struct Item {
  U key;
  int64_t index;
  bool operator<(const Item& other) const {
    return key < other.key || (key == other.key && index < other.index);
  }
};

// Sorts by the key, byte by byte from the lowest; equal keys keep their order.
template <class U>
void radix_sort(std::vector<Item<U>>* items) {
  std::vector<Item<U>> other(items->size());
  for (size_t shift = 0; shift < sizeof(U) * 8; shift += 8) {
    size_t counts[257] = {};
    for (const auto& item : *items) ++counts[(item.key >> shift & 255) + 1];
    if (std::ranges::count(counts, items->size())) continue;  // the byte is the same in all
    for (int i = 0; i < 256; ++i) counts[i + 1] += counts[i];
    for (const auto& item : *items) other[counts[item.key >> shift & 255]++] = item;
    items->swap(other);
  }
}

// ---- argsort: the output holds the first of the order ----

struct ArgsortAttributes {
  int64_t axis = 0;
  bool descending = false;
  GLIA_ATTRIBUTES(axis, descending)
};

template <class T>
void argsort_lines(const KernelCall& call) {
  constexpr int64_t kRadixSize = 512;
  using U = decltype(order_key(T()));
  const auto attributes = call.attributes<ArgsortAttributes>();
  const bool descending = attributes.descending;
  const Lines x(call.in[0].layout.shape, attributes.axis);
  const int64_t kept = call.out[0].layout.shape[static_cast<int>(attributes.axis)];
  const T* in = call.in[0].as<const T>();
  int64_t* out = call.out[0].as<int64_t>();
  parallel_pieces(x.outer * x.inner, 4096 / std::max<int64_t>(x.size, 1),
                  [&](int64_t begin, int64_t end) {
                    std::vector<Item<U>> items(x.size);
                    for (int64_t line = begin; line < end; ++line) {
                      const int64_t o = line / x.inner, k = line % x.inner;
                      for (int64_t i = 0; i < x.size; ++i) {
                        const U key = order_key(in[(o * x.size + i) * x.inner + k]);
                        items[i] = {descending ? static_cast<U>(~key) : key, i};
                      }
                      if (kept < x.size) {
                        std::partial_sort(items.begin(), items.begin() + kept, items.end());
                      } else if (x.size < kRadixSize) {
                        std::sort(items.begin(), items.end());
                      } else {
                        radix_sort(&items);
                      }
                      for (int64_t i = 0; i < kept; ++i)
                        out[(o * kept + i) * x.inner + k] = items[i].index;
                    }
                  });
}
void run_argsort(const KernelCall& call) {
  with_dtype(call.in[0].dtype, [&](auto zero) { argsort_lines<decltype(zero)>(call); });
}
Tensor record_argsort(const Tensor& x, int axis, bool descending, int64_t count,
                      const Where& where);
Tensor batch_argsort(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                     int64_t) {
  const auto attributes = node.attributes<ArgsortAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  return record_argsort(inputs[0], axis + 1, attributes.descending, node.shape()[axis],
                        node.where());
}
const Op kArgsort{.name = "argsort",
                  .kind = Kind::kKernel,
                  .attributes = kAttributeFields<ArgsortAttributes>,
                  .run = run_argsort,
                  .batch = batch_argsort};
Tensor record_argsort(const Tensor& x, int axis, bool descending, int64_t count,
                      const Where& where) {
  Shape shape = x.shape();
  shape[axis] = count;
  return record(kArgsort, {x.node()}, shape, kI64, ArgsortAttributes{axis, descending}, where);
}

// ---- argmax, argmin: along an axis, which stays with size 1 ----

template <bool kLargest>
void run_arg(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  int64_t* out = call.out[0].as<int64_t>();
  with_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    using U = decltype(order_key(T()));
    const T* in = call.in[0].as<const T>();
    const auto rank = [](T value) {
      const U key = order_key(value);
      if constexpr (kLargest) return key;
      if (is_float(dtype_of<T>) && key == static_cast<U>(-1)) return key;  // NaN wins both
      return static_cast<U>(~key);
    };
    parallel_pieces(x.outer * x.inner, (1 << 14) / x.size, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const T* first = in + line / x.inner * x.size * x.inner + line % x.inner;
        U best = rank(*first);
        int64_t at = 0;
        for (int64_t i = 1; i < x.size; ++i) {
          const U key = rank(first[i * x.inner]);
          if (key > best) best = key, at = i;
        }
        out[line] = at;
      }
    });
  });
}
Tensor batch_arg(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                 int64_t size) {
  Shape shape = node.shape();
  shape.insert(0, size);
  return record(node.op(), {inputs[0].node()}, shape, kI64,
                AxisAttributes{node.attributes<AxisAttributes>().axis + 1}, node.where());
}
constexpr Op arg_op(const char* name, void (*run)(const KernelCall&)) {
  return {.name = name,
          .kind = Kind::kKernel,
          .attributes = kAttributeFields<AxisAttributes>,
          .run = run,
          .batch = batch_arg};
}
const Op kArgmax = arg_op("argmax", run_arg<true>);
const Op kArgmin = arg_op("argmin", run_arg<false>);

const RegisterOp registered[] = {RegisterOp(kArgsort), RegisterOp(kArgmax), RegisterOp(kArgmin)};

Tensor arg_extreme(const Op& op, const Tensor& x, int axis, bool keepdim, const Where& where) {
  if (!x.defined()) fail(op.name, "the operand is not defined", where);
  const int i = checked_axis(op.name, axis, x.rank(), where);
  if (x.shape()[i] == 0)
    fail(op.name, "axis " + std::to_string(i) + " of " + x.shape().str() + " is empty", where);
  Shape kept = x.shape();
  kept[i] = 1;
  const Tensor out = record(op, {x.node()}, kept, kI64, AxisAttributes{i}, where);
  return keepdim ? out : squeeze(out, i, where);
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keepdim, Where where) {
  return arg_extreme(kArgmax, x, axis, keepdim, where);
}
Tensor argmin(const Tensor& x, int axis, bool keepdim, Where where) {
  return arg_extreme(kArgmin, x, axis, keepdim, where);
}

Tensor argsort(const Tensor& x, int axis, bool descending, Where where) {
  if (!x.defined()) fail("argsort", "the operand is not defined", where);
  const int i = checked_axis("argsort", axis, x.rank(), where);
  return record_argsort(x, i, descending, x.shape()[i], where);
}

std::pair<Tensor, Tensor> sort(const Tensor& x, int axis, bool descending, Where where) {
  require_defined("sort", x, where);
  const Tensor order = argsort(x, axis, descending, where);
  return {gather(x, order, axis, where), order};
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int axis, Where where) {
  if (!x.defined()) fail("topk", "the operand is not defined", where);
  const int i = checked_axis("topk", axis, x.rank(), where);
  if (k < 0 || k > x.shape()[i])
    fail("topk",
         "k = " + std::to_string(k) + " for axis " + std::to_string(i) + " of " + x.shape().str(),
         where);
  const Tensor order = record_argsort(x, i, true, k, where);
  return {gather(x, order, i, where), order};
}

}  // namespace glia
