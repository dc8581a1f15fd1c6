// Loss functions.
#include "glia/ops.h"
#include "ops/autocast.h"
#include "ops/private.h"

namespace glia {
namespace {

Tensor reduced(const Tensor& losses, Reduction reduction, const Where& where) {
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

void same_shape(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  require_defined(op, x, where);
  require_defined(op, target, where);
  if (x.shape() != target.shape())
    fail(op, "input " + x.shape().str() + " and target " + target.shape().str() + " differ", where);
}

// An input and its target of one shape: 16-bit floats in f32, the loss rounded to their dtype.
struct Compared {
  Tensor x, target;
  DType dtype;

  Compared(const char* op, const Tensor& a, const Tensor& b, const Where& where) {
    same_shape(op, a, b, where);
    x = as_full_float(op, a, where);
    target = as_full_float(op, b, where);
    dtype = promote(x.dtype(), target.dtype());
    x = cast(x, sum_dtype(dtype));
    target = cast(target, sum_dtype(dtype));
  }
  Tensor difference(const Where& where) const { return Operand(x, where) - target; }
  Tensor loss(const Tensor& losses, Reduction reduction, const Where& where) const {
    return cast(reduced(losses, reduction, where), dtype);
  }
};

// Whether `shape` broadcasts to `to`.
bool fits(const Shape& shape, const Shape& to) {
  const int more = to.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i) {
    if (more < 0 || (shape[i] != 1 && shape[i] != to[i + more])) return false;
  }
  return true;
}

// A factor for each class or element, in the dtype of x; undefined where none is given.
Tensor factor(const Tensor& weight, const Tensor& x) {
  return weight.defined() ? cast(weight, x.dtype()) : weight;
}

// ---- check_classes(indices): as i32, -1 where ignored ----

struct ClassesAttributes {
  int64_t classes = 0, ignored = -100;
  GLIA_ATTRIBUTES(classes, ignored)
};

void run_check_classes(const KernelCall& call) {
  const auto attributes = call.attributes<ClassesAttributes>();
  const int64_t classes = attributes.classes, ignored = attributes.ignored;
  const int64_t n = call.in[0].numel();
  int32_t* out = call.out[0].as<int32_t>();
  with_dtype(call.in[0].dtype, [&](auto zero) {
    const auto* in = call.in[0].as<const decltype(zero)>();
    for (int64_t i = 0; i < n; ++i) {
      const auto c = static_cast<int64_t>(in[i]);
      if ((c < 0 || c >= classes) && c != ignored)
        throw ValueError("loss: class " + std::to_string(c) + " at position " + std::to_string(i) +
                         " is not one of " + std::to_string(classes));
      out[i] = c == ignored ? -1 : static_cast<int32_t>(c);
    }
  });
}
Tensor batch_check_classes(const Recorded& node, std::span<const Tensor> inputs,
                           std::span<const bool>, int64_t) {
  return record(node.op(), {inputs[0].node()}, inputs[0].shape(), kI32, node.words(), node.where());
}
const Op kCheckClasses{.name = "check_classes",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<ClassesAttributes>,
                       .run = run_check_classes,
                       .batch = batch_check_classes,
                       .may_throw = true};
const RegisterOp registered(kCheckClasses);

// The classes that rows of x (..., C) are given, as (..., 1).
struct Classes {
  Tensor counted;  // whether a row is not ignored
  Tensor hit;      // (..., C): whether this is the row's class
  Tensor share;    // (..., 1): the weight of the row's class, if classes have weights

  Classes(const char* op, const Tensor& x, const Tensor& target, const Tensor& weight,
          int64_t ignored, const Where& where) {
    Shape rows = x.shape();
    rows.erase(rows.rank() - 1);
    if (!is_integer(target.dtype()) || target.shape() != rows)
      fail(op,
           "for input " + x.shape().str() + " the target must be class indices " + rows.str() +
               ", not " + name(target.dtype()) + " " + target.shape().str(),
           where);
    const int64_t count = x.size(-1);
    const Tensor checked = record(kCheckClasses, {target.node()}, rows, kI32,
                                  ClassesAttributes{count, ignored}, where);
    const Tensor column = unsqueeze(checked, -1, where);
    counted = column >= 0;
    hit = column == arange(count, kI32);
    if (weight.defined()) share = picked(weight, where);
  }

  // The element of the row's class; x (..., C) or (C).
  Tensor picked(const Tensor& x, const Where& where) const {
    return sum(glia::where(hit, x, 0), {-1}, true, where);
  }
  Tensor shared(const Tensor& losses) const { return share.defined() ? losses * share : losses; }

  // Losses (..., 1) of rows, zero where ignored; the mean is over the others, by their weights.
  Tensor reduced(const Tensor& losses, Reduction reduction, const Where& where) const {
    const Tensor masked = glia::where(counted, losses, 0);
    if (reduction == Reduction::kNone) return squeeze(masked, -1, where);
    const Tensor total = sum(masked, {}, false, where);
    if (reduction == Reduction::kSum) return total;
    return total /
           sum(share.defined() ? glia::where(counted, share, 0) : counted, {}, false, where);
  }
};

Tensor with_classes(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  if (!target.defined()) fail(op, "the target is not defined", where);
  const Tensor t = as_full_float(op, x, where);
  if (t.rank() == 0) fail(op, "the input has no class axis", where);
  return cast(t, sum_dtype(t.dtype()));
}

Tensor class_weight(const char* op, const Tensor& weight, const Tensor& x, const Where& where) {
  if (weight.defined() && weight.shape() != Shape{x.size(-1)})
    fail(op, "weight " + weight.shape().str() + " is not one for each class of " + x.shape().str(),
         where);
  return factor(weight, x);
}

}  // namespace

// With the log of the sum of exponentials apart, the derivative is softmax minus target, and both
// passes need one look at each row. Rows are shifted by their largest first: nothing cancels.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Where where) {
  const Tensor x = with_classes("cross_entropy", logits, target, where);
  const double smooth = options.label_smoothing;
  if (!(smooth >= 0 && smooth <= 1))
    fail("cross_entropy", "label smoothing " + std::to_string(smooth) + " is not in [0, 1]", where);
  const Tensor weight = class_weight("cross_entropy", options.weight, x, where);
  const Tensor top = [&] {
    const NoGrad off;
    return max(x, {-1}, true, where);
  }();
  const Tensor shifted = x - top, log_sum = log_sum_exp(x, top, {-1}, where);
  const double even = smooth / static_cast<double>(x.size(-1));
  Tensor loss;
  if (!is_float(target.dtype())) {
    const Classes classes("cross_entropy", x, target, weight, options.ignore_index, where);
    Tensor losses = classes.shared(log_sum - classes.picked(shifted, where));
    if (smooth != 0) {
      const Tensor all = log_sum - shifted;
      const Tensor rest = sum(weight.defined() ? all * weight : all, {-1}, true, where);
      losses = losses * (1 - smooth) + rest * even;
    }
    loss = classes.reduced(losses, options.reduction, where);
  } else {
    same_shape("cross_entropy", x, target, where);
    Tensor p = cast(target, x.dtype());
    if (smooth != 0) p = p * (1 - smooth) + even;
    if (weight.defined()) p = p * weight;
    loss = reduced(sum(p * (log_sum - shifted), {-1}, false, where), options.reduction, where);
  }
  return cast(loss, as_full_float("cross_entropy", logits, where).dtype());
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target,
                const NLLLossOptions& options, Where where) {
  const Tensor x = with_classes("nll_loss", log_probabilities, target, where);
  const Tensor weight = class_weight("nll_loss", options.weight, x, where);
  const Classes classes("nll_loss", x, target, weight, options.ignore_index, where);
  const Tensor losses = classes.shared(-classes.picked(x, where));
  return cast(classes.reduced(losses, options.reduction, where),
              as_full_float("nll_loss", log_probabilities, where).dtype());
}
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Where where) {
  return nll_loss(log_probabilities, target, NLLLossOptions{.reduction = reduction}, where);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  const Compared c("mse_loss", x, target, where);
  return c.loss(square(c.difference(where)), reduction, where);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  const Compared c("l1_loss", x, target, where);
  return c.loss(abs(c.difference(where)), reduction, where);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction,
                      Where where) {
  if (!(beta >= 0)) fail("smooth_l1_loss", "beta " + std::to_string(beta) + " is negative", where);
  const Compared c("smooth_l1_loss", x, target, where);
  const Tensor d = c.difference(where);
  if (beta == 0) return c.loss(abs(d), reduction, where);
  const Tensor value = [&] {
    const NoGrad off;
    const Tensor size = abs(d);
    return glia::where(size < beta, square(size) * (0.5 / beta), size - 0.5 * beta);
  }();
  // Of one formula, so that infinities have a derivative.
  const auto rule = [beta](const std::vector<Tensor>& in, const Tensor&, const Tensor& g) {
    return std::vector<Tensor>{g * clamp(in[0], -beta, beta) * (1 / beta)};
  };
  return c.loss(with_rule(value, {d}, rule, where), reduction, where);
}

// Of two terms that are never negative: small losses and small gradients keep their digits.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyOptions& options, Where where) {
  const char* op = "binary_cross_entropy_with_logits";
  const Compared c(op, x, target, where);
  const auto broadcasts = [&](const char* what, const Tensor& weight) {
    if (weight.defined() && !fits(weight.shape(), x.shape()))
      fail(op,
           std::string(what) + " " + weight.shape().str() + " does not broadcast to " +
               x.shape().str(),
           where);
    return factor(weight, c.x);
  };
  const Tensor weight = broadcasts("weight", options.weight),
               pos_weight = broadcasts("pos_weight", options.pos_weight);
  const Tensor hit = pos_weight.defined() ? c.target * pos_weight : c.target;
  const Tensor losses = (1 - c.target) * softplus(c.x) + hit * softplus(-c.x);
  return c.loss(weight.defined() ? losses * weight : losses, options.reduction, where);
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where) {
  return binary_cross_entropy_with_logits(x, target,
                                          BinaryCrossEntropyOptions{.reduction = reduction}, where);
}

}  // namespace glia
