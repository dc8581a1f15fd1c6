// Activations, norms and losses for parity.cpp; cases_losses.py has PyTorch's side.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "glia/autodiff.h"
#include "glia/nn/normalization.h"
#include "glia/ops/activation.h"
#include "glia/ops/loss.h"
#include "glia/ops/normalize.h"
#include "glia/optim.h"

namespace glia {

// Every number of a state dict, after steps of SGD on a layer that starts from t[1], t[2], ...
template <class Layer>
Tensor steps_from(Layer layer, const std::vector<Tensor>& t) {
  layer.to(t[0].dtype());
  StateDict state = layer.state_dict();
  for (size_t i = 0; i < state.size(); ++i) state[i].second = stop_gradient(t[i + 1]);
  layer.load_state_dict(state);
  optim::SGD optimizer(layer.parameters(), {.lr = 0.1});
  for (int i = 0; i < 5; ++i) optimizer.step([&] { return mean(square(layer(t[0]))); });
  layer.eval();
  std::vector<Tensor> flat{reshape(layer(t[0]), {-1})};
  for (const auto& [name, value] : layer.state_dict()) flat.push_back(reshape(value, {-1}));
  return concat(flat);
}

// Of logits, so that the derivative is that of both sides.
inline Tensor ctc(const std::vector<Tensor>& t, const CTCLossOptions& options) {
  return ctc_loss(log_softmax(t[0]), t[1] + 1, t[2], t[3], options);
}

inline std::map<std::string, std::function<Tensor(const std::vector<Tensor>&)>> loss_functions() {
#define F(expression) [](const std::vector<Tensor>& t) -> Tensor { return expression; }
  constexpr Reduction kNone = Reduction::kNone, kSum = Reduction::kSum;
  return {
      {"threshold", F(threshold(t[0], 0.5, -2))},
      {"relu6", F(relu6(t[0] * 4))},
      {"hardtanh", F(hardtanh(t[0]))},
      {"hardtanh_wide", F(hardtanh(t[0], -2, 0.5))},
      {"hardswish", F(hardswish(t[0] * 2))},
      {"hardsigmoid", F(hardsigmoid(t[0] * 2))},
      {"hardshrink", F(hardshrink(t[0]))},
      {"softshrink", F(softshrink(t[0], 1))},
      {"tanhshrink", F(tanhshrink(t[0]))},
      {"softsign", F(softsign(t[0]))},
      {"mish", F(mish(t[0]))},
      {"selu", F(selu(t[0]))},
      {"celu", F(celu(t[0], 2))},
      {"softplus_beta", F(softplus(t[0], 2, 3))},
      {"softplus_threshold", F(softplus(t[0] * 8, 1, 20))},
      {"gelu_tanh", F(gelu(t[0], GELUApproximate::kTanh))},
      {"rrelu", F(rrelu(t[0]))},
      {"prelu", F(prelu(t[0], t[1]))},
      {"prelu_channels", F(prelu(t[0], t[1]))},
      {"glu", F(glu(t[0], 1))},
      {"softmin", F(softmin(t[0], 1))},
      {"group_norm", F(group_norm(t[0], 3, t[1], t[2]))},
      {"group_norm_rows", F(group_norm(t[0], 2, t[1], t[2], 1e-3))},
      {"group_norm_plain", F(group_norm(t[0], 2))},
      {"instance_norm", F(instance_norm(t[0], t[1], t[2]))},
      {"rms_norm", F(rms_norm(t[0], t[1]))},
      {"rms_norm_axes", F(rms_norm(t[0], t[1], 1, 1e-3))},
      {"local_response_norm", F(local_response_norm(t[0], 3, {.alpha = 0.5, .beta = 0.6, .k = 2}))},
      {"local_response_norm_even", F(local_response_norm(t[0], 4))},
      {"local_response_norm_wide", F(local_response_norm(t[0], 25))},
      {"normalize", F(normalize(t[0]))},
      {"normalize_3", F(normalize(t[0], 3, 1))},
      {"pairwise_distance", F(pairwise_distance(t[0], t[1]))},
      {"pairwise_distance_1", F(pairwise_distance(t[0], t[1], 1, 1e-6, true))},
      {"pairwise_distance_3", F(pairwise_distance(t[0], t[1], 3))},
      {"pairwise_distance_most", F(pairwise_distance(t[0], t[1], INFINITY))},
      {"cosine_similarity", F(cosine_similarity(t[0], t[1]))},
      {"cosine_similarity_axis", F(cosine_similarity(t[0], t[1], 0))},
      {"huber_loss", F(huber_loss(t[0], t[1], 0.7))},
      {"huber_loss_each", F(huber_loss(t[0], t[1], 2, kNone))},
      {"bce_loss", F(binary_cross_entropy(t[0], t[1]))},
      {"bce_loss_weight",
       F(binary_cross_entropy(t[0], t[1], {.reduction = kSum, .weight = stop_gradient(t[2])}))},
      {"poisson_nll_loss", F(poisson_nll_loss(t[0], t[1]))},
      {"poisson_nll_loss_full",
       F(poisson_nll_loss(t[0], t[1], {.log_input = false, .full = true, .reduction = kNone}))},
      {"gaussian_nll_loss", F(gaussian_nll_loss(t[0], t[1], t[2]))},
      {"gaussian_nll_loss_rows",
       F(gaussian_nll_loss(t[0], t[1], t[2], {.full = true, .eps = 0.5, .reduction = kNone}))},
      {"kl_div", F(kl_div(t[0], t[1]))},
      {"kl_div_log", F(kl_div(t[0], t[1], {.log_target = true, .reduction = kSum}))},
      {"kl_div_batch", F(kl_div(t[0], t[1], {.batchmean = true}))},
      {"hinge_embedding_loss", F(hinge_embedding_loss(t[0], 2 * cast(t[1], kI64) - 1))},
      {"hinge_embedding_loss_each",
       F(hinge_embedding_loss(t[0], 2 * cast(t[1], kI64) - 1, 0.4, kNone))},
      {"soft_margin_loss", F(soft_margin_loss(t[0], 2 * cast(t[1], kI64) - 1))},
      {"margin_ranking_loss", F(margin_ranking_loss(t[0], t[1], t[2], 0.3))},
      {"multi_margin_loss", F(multi_margin_loss(t[0], t[1]))},
      {"multi_margin_loss_weight",
       F(multi_margin_loss(
           t[0], t[1], {.p = 2, .margin = 0.7, .reduction = kSum, .weight = stop_gradient(t[2])}))},
      {"multilabel_margin_loss", F(multilabel_margin_loss(t[0], t[1] - 1))},
      {"multilabel_margin_loss_each", F(multilabel_margin_loss(t[0], t[1] - 1, kNone))},
      {"multilabel_soft_margin_loss", F(multilabel_soft_margin_loss(t[0], t[1]))},
      {"multilabel_soft_margin_loss_weight",
       F(multilabel_soft_margin_loss(t[0], t[1],
                                     {.reduction = kNone, .weight = stop_gradient(t[2])}))},
      {"cosine_embedding_loss",
       F(cosine_embedding_loss(t[0], t[1], 2 * cast(t[2], kI64) - 1, 0.1))},
      {"triplet_margin_loss", F(triplet_margin_loss(t[0], t[1], t[2]))},
      {"triplet_margin_loss_swap",
       F(triplet_margin_loss(t[0], t[1], t[2],
                             {.margin = 2, .p = 3, .swap = true, .reduction = kNone}))},
      {"triplet_margin_with_distance_loss",
       F(triplet_margin_with_distance_loss(
           t[0], t[1], t[2],
           [](const Tensor& a, const Tensor& b) { return 1 - cosine_similarity(a, b); },
           {.margin = 0.5, .swap = true, .reduction = kSum}))},
      {"ctc_loss", F(ctc(t, {}))},
      {"ctc_loss_each", F(ctc(t, {.zero_infinity = true, .reduction = kNone}))},
      {"ctc_loss_sum", F(ctc(t, {.zero_infinity = true, .reduction = kSum}))},
      {"ctc_loss_joined", F(ctc(t, {.zero_infinity = true}))},
      {"ctc_loss_blank",
       F(ctc_loss(log_softmax(t[0]), t[1], t[2], t[3], {.blank = 5, .zero_infinity = true}))},
      {"weight_norm_linear", F(steps_from(nn::WeightNorm(nn::Linear(4, 3)), t))},
      {"weight_norm_whole",
       F(steps_from(nn::WeightNorm(nn::Linear(4, 3, {.bias = false}), {.dim = {}}), t))},
      {"weight_norm_conv", F(steps_from(nn::WeightNorm(nn::Conv2d(2, 3, {.kernel = {2, 3}})), t))},
      {"spectral_norm_linear", F(steps_from(nn::SpectralNorm(nn::Linear(4, 3)), t))},
      {"spectral_norm_conv",
       F(steps_from(
           nn::SpectralNorm(nn::Conv2d(2, 3, {.kernel = {2, 3}}), {.n_power_iterations = 2}), t))},
  };
#undef F
}

}  // namespace glia
