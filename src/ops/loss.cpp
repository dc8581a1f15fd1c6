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

// ---- Losses of an input and a target of one shape ----

struct LossAttributes {
  Reduction reduction = Reduction::kMean;
  GLIA_ATTRIBUTES(reduction)
};
struct SmoothAttributes {
  Reduction reduction = Reduction::kMean;
  double beta = 1;
  GLIA_ATTRIBUTES(reduction, beta)
};
struct BetaAttributes {
  double beta = 1;
  GLIA_ATTRIBUTES(beta)
};
Reduction reduction_of(const Recorded& one) { return one.attributes<LossAttributes>().reduction; }

std::vector<Tensor> compose_mse(const Recorded& one, std::span<const Tensor> in) {
  return {reduced(square(in[0] - in[1]), reduction_of(one), one.where())};
}
std::vector<Tensor> compose_l1(const Recorded& one, std::span<const Tensor> in) {
  return {reduced(abs(in[0] - in[1]), reduction_of(one), one.where())};
}

// smooth_l1(difference), of every element.
std::vector<Tensor> compose_smooth_l1(const Recorded& one, std::span<const Tensor> in) {
  const double beta = one.attributes<BetaAttributes>().beta;
  const Tensor size = abs(in[0]);
  return {where(size < beta, square(size) * (0.5 / beta), size - 0.5 * beta)};
}
// Of one formula, so that infinities have a derivative.
void vjp_smooth_l1(Vjp& v) {
  const double beta = v.attributes<BetaAttributes>().beta;
  v.set(0, v.g() * clamp(v.in(0), -beta, beta) * (1 / beta));
}
const Op kSmoothL1{.name = "smooth_l1",
                   .kind = Kind::kMacro,
                   .attributes = kAttributeFields<BetaAttributes>,
                   .vjp = vjp_smooth_l1,
                   .batch = batch_elementwise,
                   .compose = compose_smooth_l1};
std::vector<Tensor> compose_smooth_l1_loss(const Recorded& one, std::span<const Tensor> in) {
  const auto [reduction, beta] = one.attributes<SmoothAttributes>();
  const Tensor d = in[0] - in[1];
  return {reduced(
      record(kSmoothL1, {d.node()}, d.shape(), d.dtype(), BetaAttributes{beta}, one.where()),
      reduction, one.where())};
}

// Of two terms that are never negative: small losses and small gradients keep their digits.
std::vector<Tensor> compose_bce(const Recorded& one, std::span<const Tensor> in) {
  const Tensor &x = in[0], &target = in[1], &weight = in[2], &pos_weight = in[3];
  const Tensor hit = pos_weight.defined() ? target * pos_weight : target;
  const Tensor losses = (1 - target) * softplus(x) + hit * softplus(-x);
  return {reduced(weight.defined() ? losses * weight : losses, reduction_of(one), one.where())};
}

const Op kMse{.name = "mse_loss",
              .kind = Kind::kMacro,
              .attributes = kAttributeFields<LossAttributes>,
              .compose = compose_mse};
const Op kL1{.name = "l1_loss",
             .kind = Kind::kMacro,
             .attributes = kAttributeFields<LossAttributes>,
             .compose = compose_l1};
const Op kSmoothL1Loss{.name = "smooth_l1_loss",
                       .kind = Kind::kMacro,
                       .attributes = kAttributeFields<SmoothAttributes>,
                       .compose = compose_smooth_l1_loss};
const Op kBce{.name = "binary_cross_entropy_with_logits",
              .kind = Kind::kMacro,
              .attributes = kAttributeFields<LossAttributes>,
              .compose = compose_bce};

// An input and its target: 16-bit floats in f32, the loss rounded to their dtype.
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

// The classes that rows of x (..., C) are given, as (..., 1).
struct Classes {
  Tensor counted;  // whether a row is not ignored
  Tensor hit;      // (..., C): whether this is the row's class
  Tensor share;    // (..., 1): the weight of the row's class, if classes have weights

  Classes(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignored,
          const Where& where) {
    const int64_t count = x.size(-1);
    const Tensor checked = record(kCheckClasses, {target.node()}, target.shape(), kI32,
                                  ClassesAttributes{count, ignored}, where);
    const Tensor column = unsqueeze(checked, -1, where);
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

// ---- cross_entropy(x, target, weight, 1 - smoothing, smoothing / C), nll_loss(x, target, weight)
// ----

struct ClassLossAttributes {
  Reduction reduction = Reduction::kMean;
  int64_t ignored = -100;
  GLIA_ATTRIBUTES(reduction, ignored)
};

// With the log of the sum of exponentials apart, the derivative is softmax minus target, and both
// passes need one look at each row. Rows are shifted by their largest first: nothing cancels.
std::vector<Tensor> compose_cross_entropy(const Recorded& one, std::span<const Tensor> in) {
  const auto [reduction, ignored] = one.attributes<ClassLossAttributes>();
  const Tensor &x = in[0], &target = in[1], &weight = in[2], &keep = in[3], &even = in[4];
  const int last = x.rank() - 1;
  const Tensor top = stop_gradient(max(x, {last}, true));
  const Tensor shifted = x - top, log_sum = log_sum_exp(x, top, int64_t{1} << last, one.where());
  if (!is_float(target.dtype())) {
    const Classes classes(x, target, weight, ignored, one.where());
    Tensor losses = classes.shared(log_sum - classes.picked(shifted));
    if (even.defined()) {
      const Tensor all = log_sum - shifted;
      const Tensor rest = sum(weight.defined() ? all * weight : all, {-1}, true);
      losses = losses * keep + rest * even;
    }
    return {classes.reduced(losses, reduction)};
  }
  Tensor p = target;
  if (even.defined()) p = p * keep + even;
  if (weight.defined()) p = p * weight;
  return {reduced(sum(p * (log_sum - shifted), {-1}), reduction, one.where())};
}
std::vector<Tensor> compose_nll(const Recorded& one, std::span<const Tensor> in) {
  const auto [reduction, ignored] = one.attributes<ClassLossAttributes>();
  const Classes classes(in[0], in[1], in[2], ignored, one.where());
  return {classes.reduced(classes.shared(-classes.picked(in[0])), reduction)};
}
const Op kCrossEntropy{.name = "cross_entropy",
                       .kind = Kind::kMacro,
                       .attributes = kAttributeFields<ClassLossAttributes>,
                       .compose = compose_cross_entropy};
const Op kNll{.name = "nll_loss",
              .kind = Kind::kMacro,
              .attributes = kAttributeFields<ClassLossAttributes>,
              .compose = compose_nll};

const RegisterOp registered[] = {
    RegisterOp(kCheckClasses), RegisterOp(kMse), RegisterOp(kL1),           RegisterOp(kSmoothL1),
    RegisterOp(kSmoothL1Loss), RegisterOp(kBce), RegisterOp(kCrossEntropy), RegisterOp(kNll)};

void check_target(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  Shape rows = x.shape();
  rows.erase(rows.rank() - 1);
  if (!is_integer(target.dtype()) || target.shape() != rows)
    fail(op,
         "for input " + x.shape().str() + " the target must be class indices " + rows.str() +
             ", not " + name(target.dtype()) + " " + target.shape().str(),
         where);
}

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

namespace {
Tensor of_rows(const Op& op, std::span<Node* const> nodes, Reduction reduction, int64_t ignored,
               const Where& where) {
  Shape rows = nodes[0]->shape;
  rows.erase(rows.rank() - 1);
  return record(op, nodes, reduction == Reduction::kNone ? rows : Shape(), nodes[0]->dtype,
                ClassLossAttributes{reduction, ignored}, where);
}
}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Where where) {
  const Tensor x = with_classes("cross_entropy", logits, target, where);
  const double smooth = options.label_smoothing;
  if (!(smooth >= 0 && smooth <= 1))
    fail("cross_entropy", "label smoothing " + std::to_string(smooth) + " is not in [0, 1]", where);
  const Tensor weight = class_weight("cross_entropy", options.weight, x, where);
  Tensor wanted = target, keep, even;
  if (is_float(target.dtype())) {
    same_shape("cross_entropy", x, target, where);
    wanted = cast(target, x.dtype());
  } else {
    check_target("cross_entropy", x, target, where);
  }
  if (smooth != 0) {
    keep = host_scalar(1 - smooth, x.dtype());
    even = host_scalar(smooth / static_cast<double>(x.size(-1)), x.dtype());
  }
  Node* const nodes[] = {x.node(), wanted.node(), weight.node(), keep.node(), even.node()};
  return cast(of_rows(kCrossEntropy, nodes, options.reduction, options.ignore_index, where),
              as_full_float("cross_entropy", logits, where).dtype());
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target,
                const NLLLossOptions& options, Where where) {
  const Tensor x = with_classes("nll_loss", log_probabilities, target, where);
  const Tensor weight = class_weight("nll_loss", options.weight, x, where);
  check_target("nll_loss", x, target, where);
  Node* const nodes[] = {x.node(), target.node(), weight.node()};
  return cast(of_rows(kNll, nodes, options.reduction, options.ignore_index, where),
              as_full_float("nll_loss", log_probabilities, where).dtype());
}
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Where where) {
  return nll_loss(log_probabilities, target, NLLLossOptions{.reduction = reduction}, where);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  return Compared("mse_loss", x, target, where).loss(kMse, LossAttributes{reduction}, where);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  return Compared("l1_loss", x, target, where).loss(kL1, LossAttributes{reduction}, where);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction,
                      Where where) {
  if (!(beta >= 0)) fail("smooth_l1_loss", "beta " + std::to_string(beta) + " is negative", where);
  const Compared c("smooth_l1_loss", x, target, where);
  if (beta == 0) return c.loss(kL1, LossAttributes{reduction}, where);
  return c.loss(kSmoothL1Loss, SmoothAttributes{reduction, beta}, where);
}

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
  Node* const nodes[] = {c.x.node(), c.target.node(), weight.node(), pos_weight.node()};
  return c.loss(kBce, LossAttributes{options.reduction}, nodes, where);
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where) {
  return binary_cross_entropy_with_logits(x, target,
                                          BinaryCrossEntropyOptions{.reduction = reduction}, where);
}

}  // namespace glia
