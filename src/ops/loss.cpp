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
  if (x.shape() != target.shape())
    fail(op, "input " + x.shape().str() + " and target " + target.shape().str() + " differ", where);
}

Tensor difference(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  same_shape(op, x, target, where);
  return full_precision(x, where) - full_precision(target, where);
}

// ---- check_classes(indices): as i32, -1 where ignored; attributes: classes, ignored index ----

void run_check_classes(const KernelCall& call) {
  const int64_t classes = call.attributes[0], ignored = call.attributes[1];
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
Tensor batch_check_classes(const Node& node, std::span<const Tensor> inputs, std::span<const bool>,
                           int64_t) {
  return record(*node.op, {inputs[0].node()}, inputs[0].shape(), kI32,
                {node.attributes[0], node.attributes[1]}, node.where);
}
const Op kCheckClasses{.name = "check_classes",
                       .kind = Kind::kKernel,
                       .run = run_check_classes,
                       .batch = batch_check_classes,
                       .may_throw = true};
const RegisterOp registered(kCheckClasses);

constexpr int64_t kIgnored = -100;  // PyTorch's

// The classes that rows of x (..., C) are given, as (..., 1).
struct Classes {
  Tensor counted;  // whether a row is not ignored
  Tensor hit;      // (..., C): whether this is the row's class

  Classes(const char* op, const Tensor& x, const Tensor& target, int64_t ignored,
          const Where& where) {
    Shape rows = x.shape();
    rows.erase(rows.rank() - 1);
    if (!is_integer(target.dtype()) || target.shape() != rows)
      fail(op,
           "for input " + x.shape().str() + " the target must be class indices " + rows.str() +
               ", not " + name(target.dtype()) + " " + target.shape().str(),
           where);
    const int64_t count = x.size(-1);
    const Tensor checked =
        record(kCheckClasses, {target.node()}, rows, kI32, {count, ignored}, where);
    const Tensor column = unsqueeze(checked, -1, where);
    counted = column >= 0;
    hit = column == arange(count, kI32);
  }

  // Losses (..., 1) of rows, zero where ignored; the mean is over the others.
  Tensor reduced(const Tensor& losses, Reduction reduction, const Where& where) const {
    const Tensor masked = glia::where(counted, losses, 0);
    if (reduction == Reduction::kNone) return squeeze(masked, -1, where);
    const Tensor total = sum(masked, {}, false, where);
    return reduction == Reduction::kSum ? total : total / sum(counted, {}, false, where);
  }
};

Tensor with_classes(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  if (!target.defined()) fail(op, "the target is not defined", where);
  const Tensor t = as_full_float(op, x, where);
  if (t.rank() == 0) fail(op, "the input has no class axis", where);
  return cast(t, sum_dtype(t.dtype()));
}

}  // namespace

// With the log of the sum of exponentials apart, the derivative is softmax minus target, and both
// passes need one look at each row.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Where where) {
  const Tensor x = with_classes("cross_entropy", logits, target, where);
  const double smooth = options.label_smoothing;
  if (!(smooth >= 0 && smooth <= 1))
    fail("cross_entropy", "label smoothing " + std::to_string(smooth) + " is not in [0, 1]", where);
  const Tensor lse = logsumexp(x, {-1}, true, where);
  Tensor loss;
  if (!is_float(target.dtype())) {
    const Classes classes("cross_entropy", x, target, options.ignore_index, where);
    Tensor expected = sum(glia::where(classes.hit, x, 0), {-1}, true, where);
    if (smooth != 0) expected = expected * (1 - smooth) + mean(x, {-1}, true, where) * smooth;
    loss = classes.reduced(lse - expected, options.reduction, where);
  } else {
    same_shape("cross_entropy", x, target, where);
    const double even = smooth / static_cast<double>(x.size(-1));
    const Tensor p = smooth == 0 ? target : target * (1 - smooth) + even;
    loss = reduced(sum(p * (lse - x), {-1}, false, where), options.reduction, where);
  }
  return cast(loss, as_full_float("cross_entropy", logits, where).dtype());
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Where where) {
  const Tensor x = with_classes("nll_loss", log_probabilities, target, where);
  const Classes classes("nll_loss", x, target, kIgnored, where);
  const Tensor picked = -sum(glia::where(classes.hit, x, 0), {-1}, true, where);
  return cast(classes.reduced(picked, reduction, where),
              as_full_float("nll_loss", log_probabilities, where).dtype());
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  return reduced(square(difference("mse_loss", x, target, where)), reduction, where);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  return reduced(abs(difference("l1_loss", x, target, where)), reduction, where);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction,
                      Where where) {
  if (beta < 0) fail("smooth_l1_loss", "beta is negative", where);
  const Tensor d = abs(difference("smooth_l1_loss", x, target, where));
  if (beta == 0) return reduced(d, reduction, where);
  return reduced(glia::where(d < beta, square(d) * (0.5 / beta), d - 0.5 * beta), reduction, where);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where) {
  same_shape("binary_cross_entropy_with_logits", x, target, where);
  const Tensor logits = full_precision(x, where);
  return reduced(softplus(logits) - logits * full_precision(target, where), reduction, where);
}

}  // namespace glia
