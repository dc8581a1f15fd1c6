#include "glia/generative/diffusion.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

std::vector<double> betas_of(const DiffusionOptions& o) {
  if (o.steps < 1 || o.steps > 1000000 || !(o.beta_start > 0) || !(o.beta_end < 1) ||
      !(o.beta_start <= o.beta_end))
    throw ValueError("Diffusion: steps " + std::to_string(o.steps) + ", beta from " +
                     std::to_string(o.beta_start) + " to " + std::to_string(o.beta_end));
  const double n = static_cast<double>(o.steps);
  std::vector<double> betas;
  for (int64_t i = 0; i < o.steps; ++i) {
    const double at = static_cast<double>(i);
    if (o.schedule == BetaSchedule::kLinear) {
      const double part = o.steps == 1 ? 0 : at / (n - 1);
      betas.push_back(o.beta_start + part * (o.beta_end - o.beta_start));
    } else {
      const auto left = [&](double t) {
        return std::pow(std::cos((t / n + 0.008) / 1.008 * std::numbers::pi / 2), 2);
      };
      betas.push_back(std::min(1 - left(at + 1) / left(at), 0.999));
    }
  }
  return betas;
}

}  // namespace

Diffusion::Diffusion(const DiffusionOptions& options)
    : options_(options), betas_(betas_of(options)) {
  double left = 1;
  for (const double beta : betas_) alphas_.push_back(left *= 1 - beta);
  const Tensor alphas = from_vector(alphas_, {options.steps});
  a_ = sqrt(alphas);
  s_ = sqrt(1 - alphas);
  eval({a_, s_});
}

Diffusion::Scales Diffusion::scales(const Tensor& x, const Tensor& t, Where where) const {
  if (x.rank() < 1 || t.shape() != Shape{x.size(0)})
    throw ShapeError("Diffusion: data " + x.shape().str() + " and steps " + t.shape().str() +
                         " are not (N, ...) and (N)",
                     where);
  Shape each{x.size(0)};
  for (int i = 1; i < x.rank(); ++i) each.push_back(1);
  const auto at = [&](const Tensor& table) {
    return reshape(cast(take(table, t), x.dtype()), each);
  };
  return {at(a_), at(s_)};
}

Tensor Diffusion::noised(const Tensor& x, const Tensor& noise, const Tensor& t, Where where) const {
  if (noise.shape() != x.shape())
    throw ShapeError("Diffusion: noise " + noise.shape().str() + " of data " + x.shape().str(),
                     where);
  const auto [a, s] = scales(x, t, where);
  return a * x + s * noise;
}

Tensor Diffusion::target(const Tensor& x, const Tensor& noise, const Tensor& t) const {
  if (options_.prediction == Prediction::kEpsilon) return noise;
  if (options_.prediction == Prediction::kSample) return x;
  const auto [a, s] = scales(x, t, Where::current());
  return a * noise - s * x;
}

Tensor Diffusion::original(const Tensor& noisy, const Tensor& said, const Tensor& t) const {
  if (options_.prediction == Prediction::kSample) return said;
  const auto [a, s] = scales(noisy, t, Where::current());
  if (options_.prediction == Prediction::kVelocity) return a * noisy - s * said;
  return (noisy - s * said) / a;
}

Tensor Diffusion::loss(const Denoiser& denoiser, const Tensor& x) const {
  const Tensor t = randint(0, options_.steps, {x.size(0)});
  const Tensor noise = randn(x.shape(), x.dtype());
  return mean(square(denoiser(noised(x, noise, t), t) - target(x, noise, t)));
}

Tensor Diffusion::step(const Tensor& noisy, const Tensor& said, int64_t t, int64_t earlier,
                       const DiffusionSampling& how, const Tensor& noise, Where where) const {
  if (t < 0 || t >= options_.steps || earlier < -1 || earlier >= t || !(how.eta >= 0))
    throw ValueError("Diffusion::step: from " + std::to_string(t) + " to " +
                         std::to_string(earlier) + " of " + std::to_string(options_.steps) +
                         ", eta " + std::to_string(how.eta),
                     where);
  const double alpha = alphas_[t], before = earlier < 0 ? 1 : alphas_[earlier];
  const double a = std::sqrt(alpha), s = std::sqrt(1 - alpha);
  Tensor x = options_.prediction == Prediction::kSample     ? said
             : options_.prediction == Prediction::kVelocity ? a * noisy - s * said
                                                            : (noisy - s * said) / a;
  if (how.clip) x = clamp(x, -1, 1);
  // Of the noise that is there then, so much is new.
  const double fresh = how.eta * std::sqrt((1 - before) / (1 - alpha) * (1 - alpha / before));
  const double old = std::sqrt(std::max(0.0, 1 - before - fresh * fresh));
  const Tensor out = std::sqrt(before) * x + old / s * (noisy - a * x);
  if (fresh == 0) return out;
  if (!noise.defined() || noise.shape() != noisy.shape())
    throw ShapeError("Diffusion::step: the noise has not the shape of the data", where);
  return out + fresh * noise;
}

std::vector<int64_t> Diffusion::timesteps(int64_t steps, Where where) const {
  if (steps < 1 || steps > options_.steps)
    throw ValueError("Diffusion: " + std::to_string(steps) + " steps are not from 1 to " +
                         std::to_string(options_.steps),
                     where);
  std::vector<int64_t> out;
  const double ratio = static_cast<double>(options_.steps) / static_cast<double>(steps);
  for (int64_t i = 0; i < steps; ++i)
    out.push_back(
        std::llround(static_cast<double>(options_.steps) - static_cast<double>(i) * ratio) - 1);
  return out;
}

Tensor Diffusion::sample(const Denoiser& denoiser, const Shape& shape, const DiffusionSampling& how,
                         const Tensor& noise) const {
  const NoGrad no_grad;
  if (shape.rank() < 1 || (noise.defined() && noise.shape() != shape))
    throw ShapeError("Diffusion::sample: " + shape.str() + " and the noise do not fit");
  const std::vector<int64_t> steps = timesteps(how.steps);
  Tensor x = noise.defined() ? noise : randn(shape);
  for (size_t i = 0; i < steps.size(); ++i) {
    const int64_t t = steps[i], earlier = i + 1 < steps.size() ? steps[i + 1] : -1;
    const Tensor at = from_vector(std::vector<int64_t>(shape[0], t), {shape[0]});
    x = step(x, denoiser(x, at), t, earlier, how, how.eta > 0 ? randn(shape, x.dtype()) : Tensor());
    eval(x);
  }
  return x;
}

}  // namespace glia::generative
