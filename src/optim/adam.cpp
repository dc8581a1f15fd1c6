// Adam, AdamW and SparseAdam.
#include <cmath>
#include <limits>

#include "glia/ops.h"
#include "glia/optim.h"
#include "optim/decay.h"

namespace glia::optim {
namespace {

enum Option { kLr, kBeta1, kBeta2, kEps, kWeightDecay, kAmsgrad, kMaximize };

std::vector<double> values(const AdamOptions& o) {
  return {o.lr,           o.betas.first,   o.betas.second,  o.eps,
          o.weight_decay, 1.0 * o.amsgrad, 1.0 * o.maximize};
}

// {p, g, mean, square[, largest square]} with the scalars below.
template <bool amsgrad, bool decays>
std::vector<Tensor> adapt(const std::vector<Tensor>& in, const std::vector<Tensor>& s) {
  const Tensor& p = in[0];
  const Tensor g = decayed<decays>(in[1] * s[0], p, s[1]);
  const Tensor mean = in[2] + (g - in[2]) * s[2];
  const Tensor square = in[3] * s[3] + g * g * s[4];
  const Tensor largest = amsgrad ? maximum(in[4], square) : square;
  const Tensor next = p * s[8] - s[6] * mean / (sqrt(largest) * s[5] + s[7]);
  if constexpr (amsgrad) return {next, mean, square, largest};
  return {next, mean, square};
}

std::vector<double> scalars(const std::vector<double>& o, int64_t step, double gradient_decay,
                            double shrinkage) {
  const double correction1 = 1 - std::pow(o[kBeta1], step);
  const double correction2 = 1 - std::pow(o[kBeta2], step);
  return {
      o[kMaximize] != 0 ? -1.0 : 1.0, gradient_decay,       1 - o[kBeta1], o[kBeta2], 1 - o[kBeta2],
      1 / std::sqrt(correction2),     o[kLr] / correction1, o[kEps],       shrinkage};
}

// {p, g, mean, square} with {sign, 1 - beta1, 1 - beta2, step size, eps}.
std::vector<Tensor> adapt_rows(const std::vector<Tensor>& in, const std::vector<Tensor>& s) {
  const Tensor g = in[1] * s[0];
  const Tensor mean = in[2] + (g - in[2]) * s[1];
  const Tensor square = in[3] + (g * g - in[3]) * s[2];
  return {in[0] - s[3] * mean / (sqrt(square) + s[4]), mean, square};
}
enum SparseOption { kSparseLr, kSparseBeta1, kSparseBeta2, kSparseEps, kSparseMaximize };

AdamOptions with_decoupled_decay(const AdamWOptions& o) {
  return {o.lr, o.betas, o.eps, o.weight_decay, o.amsgrad, o.maximize};
}

}  // namespace

Adam::Adam(const char* name, const ParameterList& parameters, const AdamOptions& options)
    : Elementwise(name,
                  {"lr", "betas.0", "betas.1", "eps", "weight_decay", "amsgrad", "maximize"}) {
  add_param_group(parameters, options);
}

void Adam::add_param_group(const ParameterList& parameters, const AdamOptions& options) {
  add_group(parameters, values(options));
}

void Adam::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kEps, kWeightDecay}) check_range(o, i, 0, kInfinity);
  for (Option i : {kBeta1, kBeta2}) check_range(o, i, 0, 1);
}

std::vector<std::string_view> Adam::state_names(const Options& o) const {
  if (o[kAmsgrad] == 0) return {"exp_avg", "exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
}

Adam::Formula Adam::formula(const Options& o, int64_t step) const {
  const bool amsgrad = o[kAmsgrad] != 0, decays = o[kWeightDecay] != 0;
  return {amsgrad ? (decays ? adapt<true, true> : adapt<true, false>)
                  : (decays ? adapt<false, true> : adapt<false, false>),
          scalars(o, step, o[kWeightDecay], 1)};
}

AdamW::AdamW(const ParameterList& parameters, const AdamWOptions& options)
    : Adam("adamw", parameters, with_decoupled_decay(options)) {}

void AdamW::add_param_group(const ParameterList& parameters, const AdamWOptions& options) {
  Adam::add_param_group(parameters, with_decoupled_decay(options));
}

AdamW::Formula AdamW::formula(const Options& o, int64_t step) const {
  return {o[kAmsgrad] == 0 ? adapt<false, false> : adapt<true, false>,
          scalars(o, step, 0, 1 - o[kLr] * o[kWeightDecay])};
}

SparseAdam::SparseAdam(const ParameterList& parameters, const SparseAdamOptions& options)
    : Elementwise("sparse_adam", {"lr", "betas.0", "betas.1", "eps", "maximize"}) {
  add_param_group(parameters, options);
}

void SparseAdam::add_param_group(const ParameterList& parameters, const SparseAdamOptions& o) {
  add_group(parameters, {o.lr, o.betas.first, o.betas.second, o.eps, 1.0 * o.maximize});
}

void SparseAdam::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (SparseOption i : {kSparseLr, kSparseEps}) check_range(o, i, 0, kInfinity);
  for (SparseOption i : {kSparseBeta1, kSparseBeta2}) check_range(o, i, 0, 1);
}

std::vector<std::string_view> SparseAdam::state_names(const Options&) const {
  return {"exp_avg", "exp_avg_sq"};
}

SparseAdam::Formula SparseAdam::formula(const Options& o, int64_t step) const {
  const double beta1 = o[kSparseBeta1], beta2 = o[kSparseBeta2];
  const double size =
      o[kSparseLr] * std::sqrt(1 - std::pow(beta2, step)) / (1 - std::pow(beta1, step));
  return {adapt_rows,
          {o[kSparseMaximize] != 0 ? -1.0 : 1.0, 1 - beta1, 1 - beta2, size, o[kSparseEps]}};
}

}  // namespace glia::optim
