// Losses for rare classes and for overlap, divergences and parts of the evidence lower bound.
#include <cmath>
#include <numbers>

#include "glia/ops/loss.h"
#include "glia/random.h"
#include "ops/loss.h"

namespace glia {
namespace {

// 1 less the overlap of each class in each example.
Tensor overlap(const char* op, const Tensor& x, const Tensor& target, const TverskyOptions& options,
               const Where& where) {
  const Compared c(op, x, target, where);
  if (c.x.rank() < 2) fail(op, "needs (N, ..., C), not " + c.x.shape().str(), where);
  const Shape& shape = c.x.shape();
  const auto over_positions = [&](const Tensor& t) {
    return sum(reshape(t, {shape[0], -1, shape.size(-1)}, where), {1}, false, where);
  };
  if (c.x.numel() == 0) fail(op, "there is nothing in " + shape.str(), where);
  const Tensor both = over_positions(c.x * c.target);
  const Tensor wrong = over_positions(c.x) - both, missed = over_positions(c.target) - both;
  const Tensor whole = both + options.alpha * wrong + options.beta * missed + options.smooth;
  return c.loss(1 - (both + options.smooth) / whole, options.reduction, where);
}

// Operands in one dtype for elementwise formulas; undefined ones stay so.
struct Elements {
  DType dtype = kF32;
  Elements(const char* op, const Tensor& a, const Tensor& b, const Where& where)
      : dtype(Wide(op, {a, b}, where).dtype) {}
  Tensor operator()(const Tensor& x) const { return cast(x, sum_dtype(dtype)); }
};

}  // namespace

Tensor sigmoid_focal_loss(const Tensor& x, const Tensor& target, const SigmoidFocalOptions& options,
                          Where where) {
  const Compared c("sigmoid_focal_loss", x, target, where);
  const Tensor &z = c.x, &t = c.target;
  // 1 - p_t, by sigmoids that do not cancel.
  const Tensor wrong = sigmoid(z) * (1 - t) + sigmoid(-z) * t;
  Tensor losses =
      binary_cross_entropy_with_logits(z, t, Reduction::kNone, where) * pow(wrong, options.gamma);
  if (options.alpha >= 0) losses = losses * (options.alpha * t + (1 - options.alpha) * (1 - t));
  return c.loss(losses, options.reduction, where);
}

Tensor focal_loss(const Tensor& x, const Tensor& target, const FocalOptions& options, Where where) {
  const char* op = "focal_loss";
  const Tensor t = with_classes(op, x, target, where);
  check_target(op, t, target, where);
  const Classes classes(t, target, class_weight(op, options.weight, t, where),
                        host_scalar_i64(options.ignore_index), where);
  const Tensor log_p = classes.picked(log_softmax(t, -1, where));
  const Tensor losses = -log_p * pow(-expm1(log_p), options.gamma);
  return cast(classes.reduced(classes.shared(losses), options.reduction),
              as_full_float(op, x, where).dtype());
}

Tensor tversky_loss(const Tensor& x, const Tensor& target, const TverskyOptions& options,
                    Where where) {
  return overlap("tversky_loss", x, target, options, where);
}
Tensor dice_loss(const Tensor& x, const Tensor& target, const OverlapOptions& options,
                 Where where) {
  // Both sides of the fraction halved.
  return overlap("dice_loss", x, target, {0.5, 0.5, options.smooth / 2, options.reduction}, where);
}
Tensor jaccard_loss(const Tensor& x, const Tensor& target, const OverlapOptions& options,
                    Where where) {
  return overlap("jaccard_loss", x, target, {1, 1, options.smooth, options.reduction}, where);
}

Tensor kl_normal(const Tensor& mean, const Tensor& log_var, const Tensor& prior_mean,
                 const Tensor& prior_log_var, Where where) {
  const Elements in("kl_normal", mean, log_var, where);
  Tensor apart = in(mean), spread = in(log_var);
  if (prior_mean.defined()) apart = Operand(apart, where) - in(prior_mean);
  Tensor squares = square(apart);
  if (prior_log_var.defined()) {
    const Tensor prior = in(prior_log_var);
    squares = Operand(squares, where) * exp(-prior);
    spread = Operand(spread, where) - prior;
  }
  // exp(s) - 1 - s, whose terms nearly cancel where the variances are alike.
  return cast(0.5 * (Operand(squares, where) + (expm1(spread) - spread)), in.dtype);
}

Tensor kl_bernoulli(const Tensor& logits, const Tensor& prior_logits, Where where) {
  const Elements in("kl_bernoulli", logits, prior_logits, where);
  const Tensor a = in(logits), b = in(prior_logits);
  const Tensor there = sigmoid(a) * (Operand(softplus(-b), where) - softplus(-a));
  return cast(there + sigmoid(-a) * (softplus(b) - softplus(a)), in.dtype);
}

Tensor kl_categorical(const Tensor& logits, const Tensor& prior_logits, Where where) {
  const char* op = "kl_categorical";
  const Elements in(op, logits, prior_logits, where);
  if (logits.rank() == 0 || prior_logits.rank() == 0 ||
      logits.shape().size(-1) != prior_logits.shape().size(-1))
    fail(op,
         logits.shape().str() + " and " + prior_logits.shape().str() +
             " are not of the same classes",
         where);
  const Tensor p = log_softmax(in(logits), -1, where), q = log_softmax(in(prior_logits), -1, where);
  const Tensor likely = p > -INFINITY;  // what cannot be counts as 0
  const Tensor each = exp(p) * (Operand(glia::where(likely, p, 0), where) - q);
  return cast(sum(glia::where(likely, each, 0), {-1}, false, where), in.dtype);
}

Tensor normal_log_likelihood(const Tensor& x, const Tensor& mean, const Tensor& log_var,
                             Where where) {
  const Wide w("normal_log_likelihood", {x, mean, log_var}, where);
  const Tensor squares = square(Operand(w.x[0], where) - w.x[1]);
  const Tensor scaled = Operand(squares, where) * exp(-w.x[2]);
  return cast(-0.5 * (scaled + w.x[2] + std::log(2 * std::numbers::pi)), w.dtype);
}

Tensor bernoulli_log_likelihood(const Tensor& x, const Tensor& logits, Where where) {
  const Elements in("bernoulli_log_likelihood", x, logits, where);
  const Tensor t = in(x), z = in(logits);
  return cast(-((1 - Operand(t, where)) * softplus(z) + t * softplus(-z)), in.dtype);
}

Tensor sample_normal(const Tensor& mean, const Tensor& log_var, Where where) {
  const Elements in("sample_normal", mean, log_var, where);
  const Shape shape = broadcast(mean.shape(), log_var.shape());
  const Tensor deviation = exp(0.5 * in(log_var));
  return cast(in(mean) + deviation * randn(shape, sum_dtype(in.dtype)), in.dtype);
}

Tensor elbo(const Tensor& log_likelihood, const Tensor& kl, const ELBOOptions& options,
            Where where) {
  const Elements in("elbo", log_likelihood, kl, where);
  if (kl.rank() == 0 || log_likelihood.rank() == 0 || log_likelihood.shape()[0] != kl.shape()[0])
    fail("elbo",
         log_likelihood.shape().str() + " and " + kl.shape().str() + " are not of one batch",
         where);
  const auto n = static_cast<double>(kl.shape()[0]);
  Tensor divergence = in(kl);
  if (options.free_bits > 0)
    divergence = maximum(mean(divergence, {0}, false, where), options.free_bits) * n;
  return cast((sum(in(log_likelihood), {}, false, where) -
               options.beta * sum(divergence, {}, false, where)) /
                  n,
              in.dtype);
}

}  // namespace glia
