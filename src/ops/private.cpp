#include "ops/private.h"

#include <bit>
#include <cstring>

#include "glia/runtime.h"
#include "ops/autocast.h"

namespace glia {
namespace {

constexpr int64_t kPieceElements = 1 << 14;

// Two layouts of one shape, with axes of size 1 dropped and neighbours merged where both allow.
struct Pair {
  int rank = 0;
  int64_t sizes[kMaxRank], from[kMaxRank], to[kMaxRank];

  Pair(const Layout& a, const Layout& b) {
    for (int i = 0; i < a.shape.rank(); ++i) {
      const int64_t size = a.shape[i];
      if (size == 1) continue;
      if (rank && from[rank - 1] == a.strides[i] * size && to[rank - 1] == b.strides[i] * size) {
        sizes[rank - 1] *= size;
        from[rank - 1] = a.strides[i];
        to[rank - 1] = b.strides[i];
      } else {
        sizes[rank] = size;
        from[rank] = a.strides[i];
        to[rank++] = b.strides[i];
      }
    }
    if (rank == 0) {
      sizes[0] = from[0] = to[0] = 1;
      rank = 1;
    }
  }
};

template <class T>
void copy_row(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t n) {
  if (from_stride == 1 && to_stride == 1) {
    std::memcpy(to, from, n * sizeof(T));
  } else if (from_stride == 0 && to_stride == 1) {
    std::fill_n(to, n, *from);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <class T>
void copy_typed(const Pair& p, const T* from, T* to) {
  const int last = p.rank - 1;
  const int64_t n = p.sizes[last];
  int64_t total = 1;
  for (int i = 0; i < p.rank; ++i) total *= p.sizes[i];
  parallel_pieces(total, kPieceElements, [&](int64_t begin, int64_t end) {
    int64_t at[kMaxRank], f = 0, t = 0;
    for (int64_t i = last, rest = begin; i >= 0; rest /= p.sizes[i--]) {
      at[i] = rest % p.sizes[i];
      f += at[i] * p.from[i];
      t += at[i] * p.to[i];
    }
    for (;;) {
      const int64_t count = std::min(n - at[last], end - begin);
      copy_row(from + f, p.from[last], to + t, p.to[last], count);
      begin += count;
      if (begin == end) return;
      f -= at[last] * p.from[last];  // to the front of the next row
      t -= at[last] * p.to[last];
      at[last] = 0;
      for (int i = last - 1;; --i) {
        f += p.from[i];
        t += p.to[i];
        if (++at[i] < p.sizes[i]) break;
        f -= at[i] * p.from[i];
        t -= at[i] * p.to[i];
        at[i] = 0;
      }
    }
  });
}

}  // namespace

void copy_elements(const Array& from, void* to, const Layout& layout) {
  if (from.numel() == 0) return;
  if (from.data == to && layout.is_contiguous() && from.layout.is_contiguous()) return;
  const Pair p(from.layout, layout);
  const auto as = [&](auto zero) {
    using T = decltype(zero);
    copy_typed(p, from.as<const T>(), static_cast<T*>(to) + layout.offset);
  };
  switch (size_of(from.dtype)) {
    case 1:
      return as(uint8_t());
    case 2:
      return as(uint16_t());
    case 4:
      return as(uint32_t());
    default:
      return as(uint64_t());
  }
}

Tensor with_rule(const Tensor& value, const std::vector<Tensor>& arguments, CustomRule rule,
                 const Where& where) {
  const auto needs = [](const Tensor& t) { return t.requires_grad(); };
  if (!grad_enabled() || std::ranges::none_of(arguments, needs)) return value;
  const Tensor plain = stop_gradient(value);
  std::vector<Node*> inputs{plain.node()};
  for (const Tensor& t : arguments) inputs.push_back(t.node());
  Tensor out = record(kAliasOp, inputs, value.shape(), value.dtype(), {}, where);
  out.node()->custom = new CustomRule(std::move(rule));
  return out;
}

Tensor shared_scalar(double value, DType dtype) {
  struct Known {
    uint64_t bits;
    Tensor node;
  };
  constexpr int kLogKnown = 6;
  if (!own_bias) make_own_bias();  // which must not end before the list does
  // On the heap: little of a library's thread-local memory is there for one that is opened late.
  thread_local std::vector<Known> known(1 << kLogKnown);
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t hash = (bits + static_cast<uint64_t>(dtype)) * 0x9e3779b97f4a7c15u;
  Known& k = known[hash >> (64 - kLogKnown)];
  if (!k.node.defined() || k.bits != bits || k.node.dtype() != dtype)
    k = {bits, constant(value, dtype)};
  return k.node;
}

Tensor with_batch_axis(const Tensor& x, bool batched, int64_t size) {
  if (batched) return x;
  Shape shape = x.shape();
  shape.insert(0, size);
  return expand(x, shape);
}

Tensor with_axes_behind_first(const Tensor& x, int rank) {
  Shape shape = x.shape();
  while (shape.rank() <= rank) shape.insert(1, 1);
  return reshape(x, shape);
}

Tensor batch_elementwise(const Recorded& one, std::span<const Tensor> inputs,
                         std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> aligned(inputs.begin(), inputs.end());
  std::vector<Node*> nodes;
  for (size_t i = 0; i < aligned.size(); ++i) {
    if (batched[i]) aligned[i] = with_axes_behind_first(aligned[i], one.shape().rank());
    nodes.push_back(aligned[i].node());
  }
  return record(one.op(), nodes, batched_shape(one, size), one.dtype(), one.words(), one.where());
}

Tensor as_float(const char* op, const Operand& x) {
  if (x.is_scalar()) return cast(x, kF32);
  if (!x.tensor().defined()) fail(op, "the operand is not defined", x.where());
  return is_float(x.tensor().dtype()) ? x.tensor() : cast(x, kF32);
}

Tensor as_full_float(const char* op, const Tensor& x, const Where& where) {
  return full_precision(as_float(op, x, where), where);
}

}  // namespace glia
