// Reading and writing at positions given by tensors.
#include "ops/gather.h"

#include <cstring>
#include <numeric>

#include "ops/private.h"

namespace glia {
namespace {

template <class F>
void with_index(DType dtype, F&& f) {
  if (dtype == kI32)
    f(int32_t());
  else
    f(int64_t());
}

// The sum as numbers of that type wrap around.
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    return a || b;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return static_cast<T>(static_cast<float>(a) + static_cast<float>(b));
  }
}
template <>
double plus(double a, double b) {
  return a + b;
}

void require_indices(const char* op, const Tensor& x, const Tensor& indices, const Where& where) {
  if (!x.defined() || !indices.defined()) fail(op, "a tensor is not defined", where);
  if (indices.dtype() != kI32 && indices.dtype() != kI64)
    fail(op, std::string("indices are i32 or i64, not ") + name(indices.dtype()), where);
}

// Calls f(o, first, last) for the parts of the rows [begin, end) in each outer slice of `count`.
template <class F>
void for_slices(int64_t begin, int64_t end, int64_t count, F&& f) {
  while (begin < end) {
    const int64_t o = begin / count, last = std::min(end, (o + 1) * count);
    f(o, begin, last);
    begin = last;
  }
}

// ---- check_index(indices): as i64 and wrapped ----

struct CheckIndexAttributes {
  int64_t size = 0;  // of the axis
  GLIA_ATTRIBUTES(size)
};

void run_check_index(const KernelCall& call) {
  const Array& indices = call.in[0];
  const int64_t size = call.attributes<CheckIndexAttributes>().size;
  int64_t* out = call.out[0].as<int64_t>();
  with_index(indices.dtype, [&](auto zero) {
    const auto* in = indices.as<const decltype(zero)>();
    for (int64_t i = 0; i < indices.numel(); ++i) out[i] = index_position("index", in[i], size);
  });
}
Tensor batch_check_index(const Recorded& node, std::span<const Tensor> inputs,
                         std::span<const bool>, int64_t) {
  return record(node.op(), {inputs[0].node()}, inputs[0].shape(), kI64, node.words(), node.where());
}
const Op kCheckIndex{.name = "check_index",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<CheckIndexAttributes>,
                     .run = run_check_index,
                     .batch = batch_check_index,
                     .may_throw = true};

// The axis of any operation below.
int axis_of(const Recorded& node) {
  return static_cast<int>(node.attributes<AxisAttributes>().axis);
}

// ---- take(x, indices) along an axis ----

// Copies of the rows at the indices; Fixed: the bytes of a row, or 0 when only known at run time.
template <int64_t Fixed, class I>
void take_rows(const KernelCall& call, const Lines& x, int64_t row_bytes) {
  const I* indices = call.in[1].as<const I>();
  const int64_t count = call.in[1].numel(), bytes = Fixed ? Fixed : row_bytes;
  const char* from = call.in[0].as<const char>();
  char* to = call.out[0].as<char>();
  parallel_pieces(x.outer * count, (1 << 16) / bytes, [&](int64_t begin, int64_t end) {
    for_slices(begin, end, count, [&](int64_t o, int64_t first, int64_t last) {
      const char* slice = from + o * x.size * bytes;
      for (int64_t r = first; r < last; ++r)
        std::memcpy(to + r * bytes,
                    slice + index_position("take", indices[r - o * count], x.size) * bytes, bytes);
    });
  });
}
void run_take(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  const int64_t bytes = x.inner * static_cast<int64_t>(size_of(call.in[0].dtype));
  if (bytes == 0) return;
  with_index(call.in[1].dtype, [&](auto zero) {
    using I = decltype(zero);
    switch (bytes) {
      case 1:
        return take_rows<1, I>(call, x, bytes);
      case 2:
        return take_rows<2, I>(call, x, bytes);
      case 4:
        return take_rows<4, I>(call, x, bytes);
      case 8:
        return take_rows<8, I>(call, x, bytes);
      default:
        return take_rows<0, I>(call, x, bytes);
    }
  });
}
void vjp_take(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  v.set(0, index_add(zeros(shape, v.g().dtype()), v.in(1), v.g(), axis_of(v), v.where()));
}
Tensor batch_take(const Recorded& node, std::span<const Tensor> inputs,
                  std::span<const bool> batched, int64_t) {
  const int axis = axis_of(node);
  if (batched[0] && batched[1]) return {};
  if (batched[0]) return take(inputs[0], inputs[1], axis + 1, node.where());
  return move_axes(take(inputs[0], inputs[1], axis, node.where()), axis, 1, 0);
}
// Of take and gather: only what is selected is read.
Work work_of_selection(const KernelCall& call) {
  const Work all = traffic(call), indices = traffic({.in = call.in.subspan(1)});
  return {.read = indices.read + all.written, .written = all.written};
}
const Op kTake{.name = "take",
               .kind = Kind::kKernel,
               .attributes = kAttributeFields<AxisAttributes>,
               .vjp = vjp_take,
               .run = run_take,
               .batch = batch_take,
               .may_throw = true,
               .work = work_of_selection};

// ---- gather(x, indices) along an axis; the shapes agree in all others ----

template <class T, class I>
void gather_elements(const KernelCall& call) {
  const auto axis = static_cast<int>(call.attributes<AxisAttributes>().axis);
  const Lines x(call.in[0].layout.shape, axis);
  const int64_t count = call.in[1].layout.shape[axis];
  const I* indices = call.in[1].as<const I>();
  const T* from = call.in[0].as<const T>();
  T* to = call.out[0].as<T>();
  if (x.inner == 0) return;
  parallel_pieces(x.outer * count, (1 << 14) / x.inner, [&](int64_t begin, int64_t end) {
    for_slices(begin, end, count, [&](int64_t o, int64_t first, int64_t last) {
      const T* slice = from + o * x.size * x.inner;
      const auto pick = [&](int64_t i, int64_t k) {
        to[i] = slice[index_position("gather", indices[i], x.size) * x.inner + k];
      };
      if (x.inner == 1) {
        for (int64_t i = first; i < last; ++i) pick(i, 0);
      } else {
        for (int64_t r = first; r < last; ++r)
          for (int64_t k = 0; k < x.inner; ++k) pick(r * x.inner + k, k);
      }
    });
  });
}
void run_gather(const KernelCall& call) {
  with_index(call.in[1].dtype, [&](auto index) {
    using I = decltype(index);
    switch (size_of(call.in[0].dtype)) {
      case 1:
        return gather_elements<uint8_t, I>(call);
      case 2:
        return gather_elements<uint16_t, I>(call);
      case 4:
        return gather_elements<uint32_t, I>(call);
      default:
        return gather_elements<uint64_t, I>(call);
    }
  });
}
void vjp_gather(Vjp& v) {
  const Shape& shape = v.node().inputs[0]->shape;
  v.set(0, scatter_add(zeros(shape, v.g().dtype()), v.in(1), v.g(), axis_of(v), v.where()));
}
Tensor batch_gather(const Recorded& node, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  return gather(with_batch_axis(inputs[0], batched[0], size),
                with_batch_axis(inputs[1], batched[1], size), axis_of(node) + 1, node.where());
}
const Op kGather{.name = "gather",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<AxisAttributes>,
                 .vjp = vjp_gather,
                 .run = run_gather,
                 .batch = batch_gather,
                 .may_throw = true,
                 .work = work_of_selection};

// ---- Writing: out = x with `source` combined at the indices of an axis ----

// Pieces are columns of the inner axes, so that no two write to the same place; within one, the
// order is that of the indices. With kEach every element has an index of its own.
template <bool kEach, class T, class I, class Combine>
void combine(const char* op, const KernelCall& call, int64_t axis, Combine combine) {
  constexpr int64_t kColumns = 64;
  const Lines x(call.out[0].layout.shape, axis);
  copy_elements(call.in[0], call.out[0].data, call.out[0].layout);
  const int64_t sources = x.outer * x.inner;
  if (sources == 0) return;
  const int64_t count = call.in[2].numel() / sources;
  const Contiguous<I> indices(call.in[1]);
  const Contiguous<T> source(call.in[2]);
  T* out = call.out[0].as<T>();
  const int64_t blocks = (x.inner + kColumns - 1) / kColumns;
  const int64_t together = 4096 / (std::min(x.inner, kColumns) * std::max<int64_t>(count, 1));
  parallel_pieces(x.outer * blocks, together, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t o = block / blocks, first = block % blocks * kColumns;
      const int64_t last = std::min(first + kColumns, x.inner);
      T* slice = out + o * x.size * x.inner;
      for (int64_t r = o * count; r < (o + 1) * count; ++r) {
        int64_t p = kEach ? 0 : index_position(op, indices[r - o * count], x.size);
        for (int64_t k = first; k < last; ++k) {
          if (kEach) p = index_position(op, indices[r * x.inner + k], x.size);
          T& to = slice[p * x.inner + k];
          to = combine(to, source[r * x.inner + k]);
        }
      }
    }
  });
}
template <bool kEach>
void run_add(const char* op, const KernelCall& call) {
  const int64_t axis = call.attributes<AxisAttributes>().axis;
  with_dtype(call.out[0].dtype, [&](auto value) {
    using T = decltype(value);
    with_index(call.in[1].dtype,
               [&](auto index) { combine<kEach, T, decltype(index)>(op, call, axis, plus<T>); });
  });
}
template <bool kEach>
void vjp_add(Vjp& v) {
  const int axis = axis_of(v);
  if (v.needs(0)) v.set(0, v.g());
  if (!v.needs(2)) return;
  v.set(2, kEach ? gather(v.g(), v.in(1), axis, v.node().where)
                 : take(v.g(), v.in(1), axis, v.node().where));
}

void run_index_add(const KernelCall& call) { run_add<false>("index_add", call); }
Tensor batch_index_add(const Recorded& node, std::span<const Tensor> inputs,
                       std::span<const bool> batched, int64_t size) {
  if (batched[1]) return {};
  return index_add(with_batch_axis(inputs[0], batched[0], size), inputs[1],
                   with_batch_axis(inputs[2], batched[2], size), axis_of(node) + 1, node.where());
}
const Op kIndexAdd{.name = "index_add",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<AxisAttributes>,
                   .vjp = vjp_add<false>,
                   .run = run_index_add,
                   .strided = true,
                   .overwrites = first_over_first,
                   .batch = batch_index_add,
                   .may_throw = true};

void run_scatter_add(const KernelCall& call) { run_add<true>("scatter_add", call); }
Tensor batch_scatter_add(const Recorded& node, std::span<const Tensor> inputs,
                         std::span<const bool> batched, int64_t size) {
  return scatter_add(with_batch_axis(inputs[0], batched[0], size),
                     with_batch_axis(inputs[1], batched[1], size),
                     with_batch_axis(inputs[2], batched[2], size), axis_of(node) + 1, node.where());
}
const Op kScatterAdd{.name = "scatter_add",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<AxisAttributes>,
                     .vjp = vjp_add<true>,
                     .run = run_scatter_add,
                     .strided = true,
                     .overwrites = first_over_first,
                     .batch = batch_scatter_add,
                     .may_throw = true};

void run_index_put(const KernelCall& call) {
  const int64_t axis = call.attributes<AxisAttributes>().axis;
  const auto replace = [&](auto value) {
    using T = decltype(value);
    with_index(call.in[1].dtype, [&](auto index) {
      combine<false, T, decltype(index)>("index_update", call, axis, [](T, T s) { return s; });
    });
  };
  switch (size_of(call.out[0].dtype)) {
    case 1:
      return replace(uint8_t());
    case 2:
      return replace(uint16_t());
    case 4:
      return replace(uint32_t());
    default:
      return replace(uint64_t());
  }
}
void vjp_index_put(Vjp& v) {
  const int axis = axis_of(v);
  const Tensor indices = v.in(1);
  const Where& where = v.node().where;
  if (v.needs(0))
    v.set(0,
          index_put(v.g(), indices, zeros(v.node().inputs[2]->shape, v.g().dtype()), axis, where));
  if (!v.needs(2)) return;
  // A slice that a later one replaced has no part in the result.
  const int64_t count = indices.numel();
  const Tensor number = reshape(arange(count), indices.shape());
  const Tensor last = index_put(full({v.node().shape[axis]}, -1, kI64), indices, number, 0, where);
  Shape shape = indices.shape();
  while (shape.rank() < v.node().inputs[2]->shape.rank() - axis) shape.push_back(1);
  const Tensor stays = reshape(take(last, indices, 0, where) == number, shape);
  v.set(2, glia::where(stays, take(v.g(), indices, axis, where), 0));
}
const Op kIndexPut{.name = "index_put",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<AxisAttributes>,
                   .vjp = vjp_index_put,
                   .run = run_index_put,
                   .strided = true,
                   .overwrites = first_over_first,
                   .may_throw = true};

// ---- scatter_reduce: products and extremes of all that goes to one place ----

struct ReduceAtAttributes {
  int64_t axis = 0;
  ReduceCode how = ReduceCode::kProd;  // kProd, kMax or kMin
  GLIA_ATTRIBUTES(axis, how)
};
template <class T>
T reduced(ReduceCode how, T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    return how == ReduceCode::kMax ? a || b : a && b;
  } else if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return a;  // cast before
  } else if (how == ReduceCode::kProd) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
      return a * b;
  } else if (a != a || b != b) {
    return a != a ? a : b;
  } else {
    return how == ReduceCode::kMax ? std::max(a, b) : std::min(a, b);
  }
}
void run_reduce_at(const KernelCall& call) {
  const auto how = call.attributes<ReduceAtAttributes>().how;
  const int64_t axis = call.attributes<ReduceAtAttributes>().axis;
  with_dtype(call.out[0].dtype, [&](auto value) {
    using T = decltype(value);
    with_index(call.in[1].dtype, [&](auto index) {
      combine<true, T, decltype(index)>("scatter_reduce", call, axis,
                                        [how](T a, T b) { return reduced(how, a, b); });
    });
  });
}
void vjp_reduce_at(Vjp& v) {
  const auto [at, how] = v.attributes<ReduceAtAttributes>();
  const int axis = static_cast<int>(at);
  const Tensor x = v.in(0), indices = v.in(1), source = v.in(2), y = v.out(), g = v.g();
  const auto there = [&](const Tensor& t) { return gather(t, indices, axis, v.where()); };
  const auto total = [&](const Tensor& of_x, const Tensor& of_source) {
    return scatter_add(of_x, indices, of_source, axis, v.where());
  };
  if (how != ReduceCode::kProd) {
    const Tensor x_equal = cast(x == y, g.dtype()), equal = cast(source == there(y), g.dtype());
    const Tensor share = g / total(x_equal, equal);
    v.set(0, x_equal * share);
    v.set(2, equal * there(share));
    return;
  }
  // The product of the others: without its zeros, where these allow.
  const Tensor x_zero = x == 0, zero = source == 0;
  const Tensor zeros_here = total(cast(x_zero, kI64), cast(zero, kI64));
  const Tensor x_factor = where(x_zero, 1, x), factor = where(zero, 1, source);
  const Tensor rest = reduce_at(x_factor, indices, factor, axis, how, v.where());
  const auto others = [](const Tensor& is_zero, const Tensor& zeros, const Tensor& rest,
                         const Tensor& own) {
    return where(zeros == cast(is_zero, kI64), rest / own, 0);
  };
  v.set(0, g * others(x_zero, zeros_here, rest, x_factor));
  v.set(2, there(g) * others(zero, there(zeros_here), there(rest), factor));
}
Tensor batch_reduce_at(const Recorded& one, std::span<const Tensor> inputs,
                       std::span<const bool> batched, int64_t size) {
  const auto [axis, how] = one.attributes<ReduceAtAttributes>();
  return reduce_at(
      with_batch_axis(inputs[0], batched[0], size), with_batch_axis(inputs[1], batched[1], size),
      with_batch_axis(inputs[2], batched[2], size), static_cast<int>(axis) + 1, how, one.where());
}
const Op kReduceAt{.name = "scatter_reduce",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<ReduceAtAttributes>,
                   .vjp = vjp_reduce_at,
                   .run = run_reduce_at,
                   .strided = true,
                   .overwrites = first_over_first,
                   .batch = batch_reduce_at,
                   .may_throw = true};

const RegisterOp registered[] = {
    RegisterOp(kCheckIndex), RegisterOp(kTake),     RegisterOp(kGather),  RegisterOp(kIndexAdd),
    RegisterOp(kScatterAdd), RegisterOp(kIndexPut), RegisterOp(kReduceAt)};

// x cut to the sizes of `shape` in all axes but one.
Tensor cut(const char* op, const Tensor& x, const Shape& shape, int axis, const Where& where) {
  Tensor out = x;
  for (int i = 0; i < x.rank(); ++i) {
    if (i == axis) continue;
    if (shape[i] > x.shape()[i])
      fail(op,
           "indices " + shape.str() + " do not fit in " + x.shape().str() + " along axis " +
               std::to_string(i),
           where);
    out = slice(out, i, {0, shape[i], 1}, where);
  }
  return out;
}

void require_rank(const char* op, const Tensor& x, const Tensor& indices, const Where& where) {
  if (indices.rank() != x.rank())
    fail(op,
         "indices " + indices.shape().str() + " and " + x.shape().str() + " are of different rank",
         where);
}

}  // namespace

void index_out_of_range(const char* op, int64_t index, int64_t size) {
  throw ValueError(std::string(op) + ": index " + std::to_string(index) +
                   " is out of range for an axis of size " + std::to_string(size));
}

Tensor move_axes(const Tensor& x, int from, int count, int to) {
  if (from == to || count == 0) return x;
  Axes order;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < from || i >= from + count) order.push_back(i);
  }
  Axes moved(count);
  std::iota(moved.begin(), moved.end(), from);
  order.insert(order.begin() + to, moved.begin(), moved.end());
  return permute(x, order);
}

Shape taken_shape(const Shape& x, int axis, const Shape& indices) {
  Shape shape = x;
  shape.erase(axis);
  for (int i = 0; i < indices.rank(); ++i) shape.insert(axis + i, indices[i]);
  return shape;
}

Tensor check_index(const Tensor& indices, int64_t size, const Where& where) {
  return record(kCheckIndex, {indices.node()}, indices.shape(), kI64, CheckIndexAttributes{size},
                where);
}

Tensor index_put(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 const Where& where) {
  return record(kIndexPut, {x.node(), indices.node(), source.node()}, x.shape(), x.dtype(),
                AxisAttributes{axis}, where);
}

Tensor take(const Tensor& x, const Tensor& indices, int axis, Where where) {
  require_indices("take", x, indices, where);
  if (x.rank() == 0) return take(as_line(x), indices, axis, where);
  const int i = checked_axis("take", axis, x.rank(), where);
  return record(kTake, {x.node(), indices.node()}, taken_shape(x.shape(), i, indices.shape()),
                x.dtype(), AxisAttributes{i}, where);
}

Tensor gather(const Tensor& x, const Tensor& indices, int axis, Where where) {
  require_indices("gather", x, indices, where);
  if (x.rank() == 0 || indices.rank() == 0)
    return reshape(gather(as_line(x), as_line(indices), axis, where), indices.shape());
  require_rank("gather", x, indices, where);
  const int i = checked_axis("gather", axis, x.rank(), where);
  const Tensor part = cut("gather", x, indices.shape(), i, where);
  return record(kGather, {part.node(), indices.node()}, indices.shape(), x.dtype(),
                AxisAttributes{i}, where);
}

Tensor index_add(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 Where where) {
  require_indices("index_add", x, indices, where);
  if (!source.defined()) fail("index_add", "the source is not defined", where);
  if (x.rank() == 0)
    return as_number(index_add(as_line(x), as_line(indices), as_line(source), axis, where));
  const int i = checked_axis("index_add", axis, x.rank(), where);
  const Shape expected = taken_shape(x.shape(), i, indices.shape());
  if (source.shape() != expected)
    fail("index_add",
         "source " + source.shape().str() + " should be " + expected.str() + " for " +
             x.shape().str() + " and indices " + indices.shape().str(),
         where);
  const DType dtype = promote(x.dtype(), source.dtype());
  const DType in = is_float(dtype) ? sum_dtype(dtype) : dtype;
  const Tensor a = cast(x, in), s = cast(source, in);
  return cast(record(kIndexAdd, {a.node(), indices.node(), s.node()}, x.shape(), in,
                     AxisAttributes{i}, where),
              dtype);
}

Tensor reduce_at(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 ReduceCode how, const Where& where) {
  return record(kReduceAt, {x.node(), indices.node(), source.node()}, x.shape(), x.dtype(),
                ReduceAtAttributes{axis, how}, where);
}

ScatterParts scatter_parts(const char* op, const Tensor& x, const Tensor& indices,
                           const Tensor& source, int axis, const Where& where) {
  require_indices(op, x, indices, where);
  if (!source.defined()) fail(op, "the source is not defined", where);
  if (x.rank() == 0 || indices.rank() == 0 || source.rank() == 0)
    return scatter_parts(op, as_line(x), as_line(indices), as_line(source), axis, where);
  require_rank(op, x, indices, where);
  require_rank(op, source, indices, where);
  const int i = checked_axis(op, axis, x.rank(), where);
  const Tensor used = cut(op, source, indices.shape(), i, where);
  if (indices.shape()[i] > used.shape()[i])
    fail(op, "indices " + indices.shape().str() + " are more than source " + source.shape().str(),
         where);
  return {i, cut(op, x, indices.shape(), i, where),
          slice(used, i, {0, indices.shape()[i], 1}, where), indices};
}
Tensor with_part(const Tensor& x, const Tensor& part, const Where& where) {
  if (x.rank() == 0) return as_number(part);
  if (part.shape() == x.shape()) return part;
  const Shape starts = Shape::filled(x.rank(), 0), steps = Shape::filled(x.rank(), 1);
  return write_box(cast(x, part.dtype()), part, starts, steps, where);
}

Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                   Where where) {
  const auto [i, part, used, at] = scatter_parts("scatter_add", x, indices, source, axis, where);
  const DType dtype = promote(x.dtype(), source.dtype());
  const DType in = is_float(dtype) ? sum_dtype(dtype) : dtype;
  const Tensor a = cast(part, in), s = cast(used, in);
  return with_part(x,
                   cast(record(kScatterAdd, {a.node(), at.node(), s.node()}, part.shape(), in,
                               AxisAttributes{i}, where),
                        dtype),
                   where);
}

Tensor one_hot(const Tensor& indices, int64_t classes, DType dtype, Where where) {
  require_indices("one_hot", indices, indices, where);
  if (classes < 0) fail("one_hot", std::to_string(classes) + " classes", where);
  return cast(unsqueeze(check_index(indices, classes, where), -1, where) == arange(classes), dtype);
}

}  // namespace glia
