#include "glia/generative/vae.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/nn/layers.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "glia/ops/special.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

// All axes from the first on.
Axes axes_from(const Tensor& x, int first) {
  Axes axes;
  for (int i = first; i < x.rank(); ++i) axes.push_back(i);
  return axes;
}

}  // namespace

Tensor importance_bound(const Tensor& log_weights, Where where) {
  if (log_weights.rank() < 1 || log_weights.size(0) < 1)
    throw ShapeError(
        "importance_bound: the weights are " + log_weights.shape().str() + ", not (K, ...)", where);
  return logsumexp(log_weights, {0}) - std::log(static_cast<double>(log_weights.size(0)));
}

Vae::Vae(nn::Sequential its_encoder, nn::Sequential its_decoder, const VaeOptions& options)
    : options(options), encoder(std::move(its_encoder)), decoder(std::move(its_decoder)) {
  if (options.latent < 1 || options.samples < 1 || !(options.beta >= 0) ||
      !(options.free_bits >= 0) || (options.variance && !(*options.variance > 0)))
    throw ValueError("Vae: latent " + std::to_string(options.latent) + ", samples " +
                     std::to_string(options.samples) + ", beta " + std::to_string(options.beta) +
                     ", free_bits " + std::to_string(options.free_bits));
  if (options.likelihood == Likelihood::kGaussian && !options.variance) log_var = zeros({});
}

Vae::Posterior Vae::encode(const Tensor& x, Where where) const {
  const Tensor out = encoder(x, where);
  const int64_t k = options.latent;
  if (out.rank() != 2 || out.size(1) != 2 * k)
    throw ShapeError(
        "Vae: the encoder gives " + out.shape().str() + ", not (N, " + std::to_string(2 * k) + ")",
        where);
  return {slice(out, 1, {0, k}), slice(out, 1, {k, 2 * k})};
}

Tensor Vae::decode(const Tensor& z, Where where) const {
  if (z.rank() < 1 || z.size(-1) != options.latent)
    throw ShapeError(
        "Vae: z is " + z.shape().str() + ", not (..., " + std::to_string(options.latent) + ")",
        where);
  if (z.rank() == 2) return decoder(z, where);
  const Tensor out = decoder(reshape(z, {-1, options.latent}), where);
  Shape shape;
  for (int i = 0; i + 1 < z.rank(); ++i) shape.push_back(z.size(i));
  for (int i = 1; i < out.rank(); ++i) shape.push_back(out.size(i));
  return reshape(out, shape);
}

Tensor Vae::expected(const Tensor& decoded) const {
  return options.likelihood == Likelihood::kBernoulli ? sigmoid(decoded) : decoded;
}

Tensor Vae::log_variance() const {
  return log_var.defined() ? log_var.tensor() : full({}, std::log(options.variance.value_or(1)));
}

Tensor Vae::log_likelihood(const Tensor& x, const Tensor& decoded) const {
  const Axes inner = axes_from(decoded, decoded.rank() - x.rank() + 1);
  const Tensor each = options.likelihood == Likelihood::kBernoulli
                          ? bernoulli_log_likelihood(x, decoded)
                          : normal_log_likelihood(x, decoded, cast(log_variance(), x.dtype()));
  return inner.empty() ? each : sum(each, inner);
}

Vae::Drawn Vae::drawn(const Tensor& x, const Posterior& q, int64_t samples) const {
  const Tensor noise = randn({samples, q.mean.size(0), options.latent}, q.mean.dtype());
  const Tensor z = q.mean + exp(0.5 * q.log_var) * noise;
  // In the ratio the constants cancel.
  return {log_likelihood(x, decode(z)), 0.5 * sum(square(noise) + q.log_var - square(z), {2})};
}

Tensor Vae::log_weights(const Tensor& x, int64_t samples) const {
  const Drawn d = drawn(x, encode(x), samples);
  return d.log_likelihood + d.log_ratio;
}

Vae::Loss Vae::loss(const Tensor& x) const {
  const Posterior q = encode(x);
  const Tensor kl = kl_normal(q.mean, q.log_var);
  const Drawn d = drawn(x, q, options.samples);
  const Tensor likelihood = mean(d.log_likelihood, {0});
  const Tensor bound =
      options.importance
          ? mean(importance_bound(d.log_likelihood + d.log_ratio))
          : elbo(likelihood, kl, {.beta = options.beta, .free_bits = options.free_bits});
  return {-bound, mean(likelihood), sum(kl) / static_cast<double>(x.size(0))};
}

Tensor Vae::log_marginal(const Tensor& x, int64_t samples, int64_t at_once) const {
  if (samples < 1 || at_once < 1)
    throw ValueError("Vae::log_marginal: samples " + std::to_string(samples) + ", at_once " +
                     std::to_string(at_once));
  const NoGrad no_grad;
  const int64_t n = x.size(0);
  std::vector<Tensor> out;
  // As many examples together as one z of each fills.
  for (int64_t at = 0, some = std::min(n, at_once); at < n; at += some) {
    const Tensor part = slice(x, 0, {at, std::min(n, at + some)});
    const int64_t each = std::min(samples, std::max<int64_t>(1, at_once / part.size(0)));
    Tensor sum_so_far;
    for (int64_t done = 0; done < samples; done += each) {
      const Tensor now =
          logsumexp(cast(log_weights(part, std::min(each, samples - done)), kF64), {0});
      sum_so_far = sum_so_far.defined() ? logaddexp(sum_so_far, now) : now;
      glia::eval(sum_so_far);
    }
    out.push_back(sum_so_far - std::log(static_cast<double>(samples)));
  }
  return out.empty() ? zeros({0}, kF64) : concat(out);
}

Tensor Vae::sample(int64_t n) const {
  const NoGrad no_grad;
  return expected(decode(randn({n, options.latent})));
}

// ---- Networks -----------------------------------------------------------------------------------

namespace {

void add_layers(nn::Sequential& net, int64_t in, const std::vector<int64_t>& hidden, int64_t out) {
  for (const int64_t width : hidden) {
    net.push_back(nn::Linear(std::exchange(in, width), width));
    net.push_back([](const Tensor& x) { return glia::tanh(x); });
  }
  net.push_back(nn::Linear(in, out));
}

}  // namespace

nn::Sequential dense_encoder(const Shape& example, const std::vector<int64_t>& hidden,
                             int64_t outputs) {
  nn::Sequential net;
  net.push_back(nn::Flatten());
  add_layers(net, example.numel(), hidden, outputs);
  return net;
}

nn::Sequential dense_decoder(int64_t latent, const std::vector<int64_t>& hidden,
                             const Shape& example) {
  nn::Sequential net;
  add_layers(net, latent, hidden, example.numel());
  Shape shape{-1};
  for (const int64_t side : example) shape.push_back(side);
  net.push_back([shape](const Tensor& x) { return reshape(x, shape); });
  return net;
}

// ---- Codes from a table -------------------------------------------------------------------------

VectorQuantizer::VectorQuantizer(int64_t count, int64_t features,
                                 const VectorQuantizerOptions& options)
    : options(options) {
  if (count < 1 || features < 1 || !(options.commitment >= 0) ||
      !(options.decay >= 0 && options.decay < 1))
    throw ValueError("VectorQuantizer: count " + std::to_string(count) + ", features " +
                     std::to_string(features) + ", commitment " +
                     std::to_string(options.commitment) + ", decay " +
                     std::to_string(options.decay));
  const double bound = 1 / static_cast<double>(count);
  weight = uniform({count, features}, -bound, bound);
  if (options.decay == 0) return;
  weight.set_trainable(false);
  counts = ones({count});
  sums = weight.tensor();
}

Tensor VectorQuantizer::codes(const Tensor& indices) const { return take(weight, indices); }

VectorQuantizer::Result VectorQuantizer::operator()(const Tensor& x, Where where) const {
  if (x.rank() < 1 || x.size(-1) != weight.shape().size(1))
    throw ShapeError(
        "VectorQuantizer: x is " + x.shape().str() + ", the codes " + weight.shape().str(), where);
  const Tensor rows = stop_gradient(reshape(x, {-1, x.size(-1)}));
  const Tensor table = stop_gradient(weight.tensor());
  // |x - e|^2 but for |x|^2, which is the same for all codes.
  const Tensor at = argmin(sum(square(table), {1}) - 2 * matmul(rows, transpose(table)));
  const Tensor code = reshape(take(weight, at), x.shape());
  Tensor loss = options.commitment * mean(square(x - stop_gradient(code)));
  if (options.decay == 0) {
    loss = loss + mean(square(code - stop_gradient(x)));
  } else if (is_training()) {
    const int64_t count = table.size(0);
    const Tensor chosen = one_hot(at, count, rows.dtype());
    const double d = options.decay;
    const Tensor n = d * counts.tensor() + (1 - d) * sum(chosen, {0});
    const Tensor s = d * sums.tensor() + (1 - d) * matmul(transpose(chosen), rows);
    counts.set(n);
    sums.set(s);
    const Tensor all = sum(n);
    const Tensor smoothed =
        (n + options.eps) / (all + options.eps * static_cast<double>(count)) * all;
    weight.set(s / unsqueeze(smoothed, 1));
  }
  Shape places = x.shape();
  places.erase(x.rank() - 1);
  return {x + stop_gradient(code - x), reshape(at, places), loss};
}

Tensor code_perplexity(const Tensor& indices, int64_t count) {
  const Tensor used = mean(one_hot(flatten(indices), count), {0});
  return exp(-sum(used * log(used + 1e-10)));
}

}  // namespace glia::generative
