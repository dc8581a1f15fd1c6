// Denoising diffusion (Ho et al. 2020, DDPM; Song et al. 2021, DDIM): data become noise in many
// small steps, which a network learns to undo.
//
//   generative::Diffusion diffusion;
//   const Tensor loss = diffusion.loss(network, x);                         // in training
//   const Tensor made = diffusion.sample(network, {16, 28, 28, 1}, {.steps = 50});
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/tensor.h"

namespace glia::generative {

enum class BetaSchedule {
  kLinear,  // from beta_start to beta_end (Ho et al. 2020)
  kCosine,  // of Nichol & Dhariwal 2021, each at most 0.999
};
// What the network tells of noisy data x_t = a x + s e, a^2 + s^2 = 1.
enum class Prediction {
  kEpsilon,   // the noise e
  kSample,    // the data x
  kVelocity,  // a e - s x (Salimans & Ho 2022)
};

struct DiffusionOptions {
  int64_t steps = 1000;
  BetaSchedule schedule = BetaSchedule::kLinear;
  double beta_start = 1e-4, beta_end = 0.02;
  Prediction prediction = Prediction::kEpsilon;
};

struct DiffusionSampling {
  int64_t steps = 50;  // of the network: evenly spaced, the last of training first
  // 0: no noise is added, so that samples depend on the first noise alone (DDIM); 1: as much as the
  // posterior has, which with all steps is DDPM.
  double eta = 0;
  bool clip = true;  // what is taken for the data to [-1, 1]
};

// Noisy data (N, ...) and the step of each, i64 (N) from 0 -> what the prediction says, (N, ...).
using Denoiser = std::function<Tensor(const Tensor& x, const Tensor& t)>;

// Functions throw ShapeError for what does not fit, ValueError for steps out of range.
class Diffusion {
 public:
  explicit Diffusion(const DiffusionOptions& options = {});
  const DiffusionOptions& options() const { return options_; }
  const std::vector<double>& betas() const { return betas_; }
  // Products of 1 - beta up to each step: a^2.
  const std::vector<double>& alphas_cumprod() const { return alphas_; }

  // x_t of data and noise (N, ...), at steps (N) i64.
  Tensor noised(const Tensor& x, const Tensor& noise, const Tensor& t,
                Where where = Where::current()) const;
  // What the network shall say there, and the data by what it says.
  Tensor target(const Tensor& x, const Tensor& noise, const Tensor& t) const;
  Tensor original(const Tensor& noisy, const Tensor& said, const Tensor& t) const;
  // The mean squared error of what the network says, at steps and by noise that are drawn.
  Tensor loss(const Denoiser& denoiser, const Tensor& x) const;
  // x of an earlier step, -1 being the data, of x at step t and what the network said; `noise` is
  // needed unless eta is 0.
  Tensor step(const Tensor& noisy, const Tensor& said, int64_t t, int64_t earlier,
              const DiffusionSampling& how, const Tensor& noise = {},
              Where where = Where::current()) const;
  // The steps that sampling goes through, falling.
  std::vector<int64_t> timesteps(int64_t steps, Where where = Where::current()) const;
  // From noise of that shape (N, ...), which is drawn, or given, to data; without gradients.
  Tensor sample(const Denoiser& denoiser, const Shape& shape, const DiffusionSampling& how = {},
                const Tensor& noise = {}) const;

 private:
  // a and s of each step, of x's dtype, to be multiplied with x.
  struct Scales {
    Tensor a, s;
  };
  Scales scales(const Tensor& x, const Tensor& t, Where where) const;

  const DiffusionOptions options_;
  std::vector<double> betas_, alphas_;
  Tensor a_, s_;  // f64 (steps)
};

}  // namespace glia::generative
