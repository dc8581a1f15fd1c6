// How unsure a network is: several answers to one question, by dropout or by several networks, and
// what their spread tells.
//
//   nn::Sequential net(nn::Linear(784, 128), relu, nn::Dropout(0.2), nn::Linear(128, 10));
//   const Tensor logits = mc_dropout(net, [&](const Tensor& x) { return net(x); }, x, 30);
//   const ClassUncertainty u = class_uncertainty(softmax(logits, -1));
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/nn/module.h"
#include "glia/tensor.h"

namespace glia::classic {

using Answer = std::function<Tensor(const Tensor&)>;

// Answers of a network whose dropouts drop, each call anew (Gal & Ghahramani 2016): (n_samples,
// ...). Everything else is in evaluation mode; all modes are afterwards what they were before.
// Throws ValueError for a model without a dropout layer, and for n_samples below 1.
Tensor mc_dropout(nn::Module& model, const Answer& forward, const Tensor& x, int64_t n_samples = 20,
                  Where where = Where::current());

// Answers of several networks, which differ by their beginning and their batches (Lakshminarayanan,
// Pritzel & Blundell 2017): (members, ...).
Tensor ensemble(const std::vector<Answer>& members, const Tensor& x,
                Where where = Where::current());

// Of probabilities (S, N, classes). In nats, (N) each: total = aleatoric + epistemic.
struct ClassUncertainty {
  Tensor probabilities;  // (N, classes) the mean
  Tensor total;          // the entropy of the mean
  Tensor aleatoric;      // the mean entropy: what no answer knows
  Tensor epistemic;      // the rest, how far the answers differ (Houlsby et al. 2011, BALD)
};
ClassUncertainty class_uncertainty(const Tensor& probabilities, Where where = Where::current());

// Of answers (S, N, ...) and, if the networks say them, their variances of the same shape: the mean
// and variance of the mixture. (N, ...) each.
struct NumberUncertainty {
  Tensor mean;
  Tensor variance;   // aleatoric + epistemic
  Tensor aleatoric;  // the mean of the variances that were said; 0 without
  Tensor epistemic;  // the variance of the means, divided by S
};
NumberUncertainty number_uncertainty(const Tensor& means, const Tensor& variances = {},
                                     Where where = Where::current());

}  // namespace glia::classic
