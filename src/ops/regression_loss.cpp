// Losses of numbers and of probabilities.
#include <cmath>
#include <numbers>

#include "glia/ops/arrange.h"
#include "glia/ops/loss.h"
#include "ops/loss.h"

namespace glia {
namespace {

// ---- bernoulli_nll(x, target): of probabilities, each element ----

constexpr double kLeastLog = -100;

Tensor bounded_log(const Tensor& log) {
  return maximum(log, shared_scalar(kLeastLog, log.dtype()));
}

std::vector<Tensor> compose_bernoulli_nll(const Recorded&, std::span<const Tensor> in) {
  const Tensor &x = in[0], &target = in[1];
  return {(target - 1) * bounded_log(log1p(-x)) - target * bounded_log(log(x))};
}
// Finite where the logarithms have no slope.
void vjp_bernoulli_nll(Vjp& v) {
  const Tensor x = v.in(0), target = v.in(1);
  if (v.needs(0)) {
    const Tensor spread = maximum(x * (1 - x), shared_scalar(1e-12, x.dtype()));
    v.set(0, v.g() * ((x - target) / spread));
  }
  if (v.needs(1)) v.set(1, v.g() * (bounded_log(log1p(-x)) - bounded_log(log(x))));
}
const Op kBernoulliNll{.name = "bernoulli_nll",
                       .kind = Kind::kMacro,
                       .vjp = vjp_bernoulli_nll,
                       .batch = batch_elementwise,
                       .compose = compose_bernoulli_nll};
const RegisterOp registered(kBernoulliNll);

void require_positive(const char* op, const char* what, double value, const Where& where) {
  if (!(value > 0))
    fail(op, std::string(what) + " " + std::to_string(value) + " is not above 0", where);
}

}  // namespace

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction,
                  Where where) {
  require_positive("huber_loss", "delta", delta, where);
  const Compared c("huber_loss", x, target, where);
  const Tensor losses = smooth_l1_loss(c.x, c.target, delta, Reduction::kNone, where);
  return c.loss(losses * delta, reduction, where);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target,
                            const WeightedLossOptions& options, Where where) {
  const char* op = "binary_cross_entropy";
  const Compared c(op, x, target, where);
  const Tensor weight = broadcast_factor(op, "weight", options.weight, c.x, where);
  const Tensor losses =
      record(kBernoulliNll, {c.x.node(), c.target.node()}, c.x.shape(), c.x.dtype(), {}, where);
  return c.loss(weight.defined() ? losses * weight : losses, options.reduction, where);
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonNLLOptions& options,
                        Where where) {
  const Compared c("poisson_nll_loss", x, target, where);
  const Tensor& t = c.target;
  Tensor losses = options.log_input ? exp(c.x) - t * c.x : c.x - t * log(c.x + options.eps);
  if (options.full) {
    const Tensor many = t > 1, n = glia::where(many, t, 1);
    const Tensor stirling = n * log(n) - n + 0.5 * log(2 * std::numbers::pi * n);
    losses = losses + glia::where(many, stirling, 0);
  }
  return c.loss(losses, options.reduction, where);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var,
                         const GaussianNLLOptions& options, Where where) {
  const char* op = "gaussian_nll_loss";
  require_positive(op, "eps", options.eps, where);
  require_defined(op, x, where);
  require_defined(op, target, where);
  require_defined(op, var, where);
  const std::vector<Tensor> both = broadcast_tensors({x, target}, where);
  const Compared c(op, both[0], both[1], where);
  Tensor v = cast(var, c.x.dtype());
  const Shape& shape = c.x.shape();
  if (shape.rank() > 0 && v.shape() == Shape(shape.span().first(shape.rank() - 1)))
    v = unsqueeze(v, -1, where);
  if (!fits(v.shape(), shape))
    fail(op, "the variance " + var.shape().str() + " does not broadcast to " + shape.str(), where);
  // The least variance, with the gradient of what it stands for.
  v = glia::where(v < options.eps, options.eps + (v - stop_gradient(v)), v);
  Tensor losses = 0.5 * (log(v) + square(c.x - c.target) / v);
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return c.loss(losses, options.reduction, where);
}

Tensor kl_div(const Tensor& x, const Tensor& target, const KLDivOptions& options, Where where) {
  const Compared c("kl_div", x, target, where);
  const Tensor& t = c.target;
  Tensor losses;
  if (options.log_target) {
    losses = exp(t) * (t - c.x);
  } else {
    const Tensor none = t == 0;
    losses = glia::where(none, 0, t * log(glia::where(none, 1, t))) - t * c.x;
  }
  if (!options.batchmean) return c.loss(losses, options.reduction, where);
  if (c.x.rank() == 0) fail("kl_div", "batchmean of one number, which has no first axis", where);
  const auto batch = static_cast<double>(c.x.size(0));
  return cast(sum(losses, {}, false, where) / batch, c.dtype);
}

}  // namespace glia
