// Losses of an input and a target of one shape, and of class indices.
#include "ops/loss.h"

#include "ops/autocast.h"

namespace glia {
namespace {

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

// ---- check_classes(indices, ignored): as i32, -1 where ignored ----

struct ClassesAttributes {
  int64_t classes = 0;
  GLIA_ATTRIBUTES(classes)
};

void run_check_classes(const KernelCall& call) {
  const int64_t classes = call.attributes<ClassesAttributes>().classes;
  const int64_t ignored = *call.in[1].as<const int64_t>();
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
                           std::span<const bool> batched, int64_t) {
  if (batched[1]) return {};
  return record(node.op(), {inputs[0].node(), inputs[1].node()}, inputs[0].shape(), kI32,
                node.words(), node.where());
}
const Op kCheckClasses{.name = "check_classes",
                       .kind = Kind::kKernel,
                       .attributes = kAttributeFields<ClassesAttributes>,
                       .run = run_check_classes,
                       .batch = batch_check_classes,
                       .may_throw = true};

// ---- cross_entropy(x, target, weight, ignored, 1 - smoothing, smoothing / C),
//      nll_loss(x, target, weight, ignored) ----

// With the log of the sum of exponentials apart, the derivative is softmax minus target, and both
// passes need one look at each row. Rows are shifted by their largest first: nothing cancels.
std::vector<Tensor> compose_cross_entropy(const Recorded& one, std::span<const Tensor> in) {
  const Reduction reduction = reduction_of(one);
  const Tensor &x = in[0], &target = in[1], &weight = in[2], &ignored = in[3], &keep = in[4],
               &even = in[5];
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
  const Classes classes(in[0], in[1], in[2], in[3], one.where());
  return {classes.reduced(classes.shared(-classes.picked(in[0])), reduction_of(one))};
}
const Op kCrossEntropy{.name = "cross_entropy",
                       .kind = Kind::kMacro,
                       .attributes = kAttributeFields<LossAttributes>,
                       .compose = compose_cross_entropy};
const Op kNll{.name = "nll_loss",
              .kind = Kind::kMacro,
              .attributes = kAttributeFields<LossAttributes>,
              .compose = compose_nll};

const RegisterOp registered[] = {
    RegisterOp(kCheckClasses), RegisterOp(kMse), RegisterOp(kL1),           RegisterOp(kSmoothL1),
    RegisterOp(kSmoothL1Loss), RegisterOp(kBce), RegisterOp(kCrossEntropy), RegisterOp(kNll)};

Tensor of_rows(const Op& op, std::span<Node* const> nodes, Reduction reduction,
               const Where& where) {
  Shape rows = nodes[0]->shape;
  rows.erase(rows.rank() - 1);
  return record(op, nodes, reduction == Reduction::kNone ? rows : Shape(), nodes[0]->dtype,
                LossAttributes{reduction}, where);
}
}  // namespace

Tensor checked_classes(const Tensor& target, int64_t classes, const Tensor& ignored,
                       const Where& where) {
  return record(kCheckClasses, {target.node(), ignored.node()}, target.shape(), kI32,
                ClassesAttributes{classes}, where);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Where where) {
  const Tensor x = with_classes("cross_entropy", logits, target, where);
  const double smooth = options.label_smoothing;
  if (!(smooth >= 0 && smooth <= 1))
    fail("cross_entropy", "label smoothing " + std::to_string(smooth) + " is not in [0, 1]", where);
  const Tensor weight = class_weight("cross_entropy", options.weight, x, where);
  Tensor wanted = target, ignored, keep, even;
  if (is_float(target.dtype())) {
    same_shape("cross_entropy", x, target, where);
    wanted = cast(target, x.dtype());
  } else {
    check_target("cross_entropy", x, target, where);
    ignored = host_scalar_i64(options.ignore_index);
  }
  if (smooth != 0) {
    keep = host_scalar(1 - smooth, x.dtype());
    even = host_scalar(smooth / static_cast<double>(x.size(-1)), x.dtype());
  }
  Node* const nodes[] = {x.node(),       wanted.node(), weight.node(),
                         ignored.node(), keep.node(),   even.node()};
  return cast(of_rows(kCrossEntropy, nodes, options.reduction, where),
              as_full_float("cross_entropy", logits, where).dtype());
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target,
                const NLLLossOptions& options, Where where) {
  const Tensor x = with_classes("nll_loss", log_probabilities, target, where);
  const Tensor weight = class_weight("nll_loss", options.weight, x, where);
  check_target("nll_loss", x, target, where);
  const Tensor ignored = host_scalar_i64(options.ignore_index);
  Node* const nodes[] = {x.node(), target.node(), weight.node(), ignored.node()};
  return cast(of_rows(kNll, nodes, options.reduction, where),
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
  const Tensor weight = broadcast_factor(op, "weight", options.weight, c.x, where),
               pos_weight = broadcast_factor(op, "pos_weight", options.pos_weight, c.x, where);
  Node* const nodes[] = {c.x.node(), c.target.node(), weight.node(), pos_weight.node()};
  return c.loss(kBce, LossAttributes{options.reduction}, nodes, where);
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where) {
  return binary_cross_entropy_with_logits(x, target,
                                          BinaryCrossEntropyOptions{.reduction = reduction}, where);
}

}  // namespace glia
