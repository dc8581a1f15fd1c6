// What the families of losses share.
#pragma once

#include <string>

#include "glia/ops.h"
#include "ops/private.h"

namespace glia {

inline Tensor reduced(const Tensor& losses, Reduction reduction, const Where& where) {
  switch (reduction) {
    case Reduction::kMean:
      return mean(losses, {}, false, where);
    case Reduction::kSum:
      return sum(losses, {}, false, where);
    case Reduction::kNone:
      break;
  }
  return losses;
}

inline void same_shape(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  require_defined(op, x, where);
  require_defined(op, target, where);
  if (x.shape() != target.shape())
    fail(op, "input " + x.shape().str() + " and target " + target.shape().str() + " differ", where);
}

// Operands of a loss, which may differ in shape: 16-bit floats in f32, the loss rounded to their
// dtype, of which integers say nothing.
struct Wide {
  std::vector<Tensor> x;
  DType dtype = kF32;

  Wide(const char* op, const std::vector<Tensor>& operands, const Where& where) {
    bool floats = false;
    for (const Tensor& t : operands) {
      require_defined(op, t, where);
      x.push_back(as_full_float(op, t, where));
      if (!is_float(t.dtype())) continue;
      dtype = floats ? promote(dtype, x.back().dtype()) : x.back().dtype();
      floats = true;
    }
    for (Tensor& t : x) t = cast(t, sum_dtype(dtype));
  }
  Tensor loss(const Tensor& losses, Reduction reduction, const Where& where) const {
    return cast(reduced(losses, reduction, where), dtype);
  }
};

// An input and its target, of one shape.
struct Compared {
  Tensor x, target;
  DType dtype;

  Compared(const char* op, const Tensor& a, const Tensor& b, const Where& where) {
    same_shape(op, a, b, where);
    x = as_full_float(op, a, where);
    target = as_full_float(op, b, where);
    dtype = !is_float(b.dtype())   ? x.dtype()
            : !is_float(a.dtype()) ? target.dtype()
                                   : promote(x.dtype(), target.dtype());
    x = cast(x, sum_dtype(dtype));
    target = cast(target, sum_dtype(dtype));
  }
  // Of a macro op, or of the losses of all elements.
  template <Attributes A>
  Tensor loss(const Op& op, const A& attributes, std::span<Node* const> nodes,
              const Where& where) const {
    const Shape shape = attributes.reduction == Reduction::kNone ? x.shape() : Shape();
    return cast(record(op, nodes, shape, x.dtype(), attributes, where), dtype);
  }
  template <Attributes A>
  Tensor loss(const Op& op, const A& attributes, const Where& where) const {
    Node* const nodes[] = {x.node(), target.node()};
    return loss(op, attributes, nodes, where);
  }
  Tensor loss(const Tensor& losses, Reduction reduction, const Where& where) const {
    return cast(reduced(losses, reduction, where), dtype);
  }
};

// Whether `shape` broadcasts to `to`.
inline bool fits(const Shape& shape, const Shape& to) {
  const int more = to.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i) {
    if (more < 0 || (shape[i] != 1 && shape[i] != to[i + more])) return false;
  }
  return true;
}

// A factor for each class or element, in the dtype of x; undefined where none is given.
inline Tensor factor(const Tensor& weight, const Tensor& x) {
  return weight.defined() ? cast(weight, x.dtype()) : weight;
}
// The same for what broadcasts to x; fails naming the op and the factor.
inline Tensor broadcast_factor(const char* op, const char* what, const Tensor& weight,
                               const Tensor& x, const Where& where) {
  if (weight.defined() && !fits(weight.shape(), x.shape()))
    fail(op,
         std::string(what) + " " + weight.shape().str() + " does not broadcast to " +
             x.shape().str(),
         where);
  return factor(weight, x);
}

// Class indices as i32, -1 where they are `ignored`, an i64 number; throws ValueError for others
// outside [0, classes) when it is computed.
Tensor checked_classes(const Tensor& target, int64_t classes, const Tensor& ignored,
                       const Where& where);

// The classes that rows of x (..., C) are given, as (..., 1).
struct Classes {
  Tensor counted;  // whether a row is not ignored
  Tensor hit;      // (..., C): whether this is the row's class
  Tensor share;    // (..., 1): the weight of the row's class, if classes have weights

  Classes(const Tensor& x, const Tensor& target, const Tensor& weight, const Tensor& ignored,
          const Where& where) {
    const int64_t count = x.size(-1);
    const Tensor column = unsqueeze(checked_classes(target, count, ignored, where), -1, where);
    counted = column >= 0;
    hit = column == arange(count, kI32);
    if (weight.defined()) share = picked(weight);
  }

  // The element of the row's class; x (..., C) or (C).
  Tensor picked(const Tensor& x) const { return sum(where(hit, x, 0), {-1}, true); }
  Tensor shared(const Tensor& losses) const { return share.defined() ? losses * share : losses; }

  // Losses (..., 1) of rows, zero where ignored; the mean is over the others, by their weights.
  Tensor reduced(const Tensor& losses, Reduction reduction) const {
    const Tensor masked = where(counted, losses, 0);
    if (reduction == Reduction::kNone) return squeeze(masked, -1);
    const Tensor total = sum(masked);
    if (reduction == Reduction::kSum) return total;
    return total / sum(share.defined() ? where(counted, share, 0) : counted);
  }
};

inline void check_target(const char* op, const Tensor& x, const Tensor& target,
                         const Where& where) {
  Shape rows = x.shape();
  rows.erase(rows.rank() - 1);
  if (!is_integer(target.dtype()) || target.shape() != rows)
    fail(op,
         "for input " + x.shape().str() + " the target must be class indices " + rows.str() +
             ", not " + name(target.dtype()) + " " + target.shape().str(),
         where);
}

inline Tensor with_classes(const char* op, const Tensor& x, const Tensor& target,
                           const Where& where) {
  if (!target.defined()) fail(op, "the target is not defined", where);
  const Tensor t = as_full_float(op, x, where);
  if (t.rank() == 0) fail(op, "the input has no class axis", where);
  return cast(t, sum_dtype(t.dtype()));
}

inline Tensor class_weight(const char* op, const Tensor& weight, const Tensor& x,
                           const Where& where) {
  if (weight.defined() && weight.shape() != Shape{x.size(-1)})
    fail(op, "weight " + weight.shape().str() + " is not one for each class of " + x.shape().str(),
         where);
  return factor(weight, x);
}

}  // namespace glia
