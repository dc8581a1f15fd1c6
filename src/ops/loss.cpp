// Loss functions.
#include "glia/ops.h"
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

// ---- Class indices: attributes: classes, ignored index ----

// Gives the indices as i64, having seen that each is a class or ignored.
void run_check_classes(const KernelCall& call) {
  const int64_t classes = call.attributes[0], ignored = call.attributes[1];
  const int64_t n = call.in[0].numel();
  int64_t* out = call.out[0].as<int64_t>();
  with_dtype(call.in[0].dtype, [&](auto zero) {
    const auto* in = call.in[0].as<const decltype(zero)>();
    for (int64_t i = 0; i < n; ++i) {
      const auto c = static_cast<int64_t>(in[i]);
      if ((c < 0 || c >= classes) && c != ignored)
        throw ValueError("class " + std::to_string(c) + " at position " + std::to_string(i) +
                         " is not below " + std::to_string(classes));
      out[i] = c;
    }
  });
}
const Op kCheckClasses{
    .name = "check_classes", .kind = Kind::kKernel, .run = run_check_classes, .may_throw = true};
const RegisterOp registered(kCheckClasses);

// The targets as (..., 1) i64, checked.
Tensor class_indices(const char* op, const Tensor& x, const Tensor& target, int64_t ignored,
                     const Where& where) {
  Shape expected = x.shape();
  if (expected.rank() == 0) fail(op, "the input has no class axis", where);
  const int64_t classes = expected[expected.rank() - 1];
  expected.erase(expected.rank() - 1);
  if (!is_integer(target.dtype()) || target.shape() != expected)
    fail(op,
         "for input " + x.shape().str() + " the target must be integers of " + expected.str() +
             " or probabilities of the input's shape, not " + name(target.dtype()) + " " +
             target.shape().str(),
         where);
  const Tensor checked =
      record(kCheckClasses, {target.node()}, expected, kI64, {classes, ignored}, where);
  return unsqueeze(checked, -1, where);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options,
                     Where where) {
  const Tensor x = as_float("cross_entropy", logits, where);
  if (x.rank() == 0) fail("cross_entropy", "the input has no class axis", where);
  const Tensor logp = log_softmax(x, -1, where);
  const double s = options.label_smoothing, uniform = s / static_cast<double>(x.size(-1));
  const bool indices = !is_float(target.dtype());
  Tensor loss, counts;  // (..., 1): of each row, and whether it counts
  if (indices) {
    const Tensor index = class_indices("cross_entropy", x, target, options.ignore_index, where);
    counts = cast(index != options.ignore_index, x.dtype());
    loss = -sum(glia::where(index == arange(x.size(-1)), logp, 0), {-1}, true, where);
    if (s != 0) loss = (loss * (1 - s) - sum(logp, {-1}, true, where) * uniform) * counts;
  } else {
    same_shape("cross_entropy", x, target, where);
    loss = -sum((s == 0 ? target : target * (1 - s) + uniform) * logp, {-1}, true, where);
  }
  if (indices && options.reduction == Reduction::kMean)
    return sum(loss, {}, false, where) / sum(counts, {}, false, where);
  return reduced(reshape(loss, reduced_shape(x.shape(), {-1}, false), where), options.reduction,
                 where);
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Where where) {
  const Tensor x = as_float("nll_loss", log_probabilities, where);
  const Tensor index = class_indices("nll_loss", x, target, -100, where);
  const Tensor hit = index == arange(x.size(-1));
  const Tensor picked = -sum(glia::where(hit, x, 0), {-1}, false, where);
  if (reduction != Reduction::kMean) return reduced(picked, reduction, where);
  return sum(picked, {}, false, where) / sum(cast(index != -100, x.dtype()), {}, false, where);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  same_shape("mse_loss", x, target, where);
  return reduced(square(x - target), reduction, where);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  same_shape("l1_loss", x, target, where);
  return reduced(abs(x - target), reduction, where);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction,
                      Where where) {
  same_shape("smooth_l1_loss", x, target, where);
  if (beta < 0) fail("smooth_l1_loss", "beta is negative", where);
  const Tensor d = abs(x - target);
  if (beta == 0) return reduced(d, reduction, where);
  return reduced(glia::where(d < beta, square(d) * (0.5 / beta), d - 0.5 * beta), reduction, where);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where) {
  same_shape("binary_cross_entropy_with_logits", x, target, where);
  return reduced(softplus(x) - x * target, reduction, where);
}

}  // namespace glia
