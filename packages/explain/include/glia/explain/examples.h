// Explanations by examples: what would have to be otherwise, and which training examples did it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "glia/explain/attribution.h"
#include "glia/nn/module.h"

namespace glia::explain {

struct CounterfactualOptions {
  double target_score = 0.5;  // of the output that is asked for, after `link`
  Target target = {};
  Tensor feature_weights = {};  // what a change of each feature costs; undefined: 1 / its deviation
  Tensor reference = {};        // rows (B, features) by whose median absolute deviation that is
  Tensor mutable_features = {};  // bool (features): what may change; undefined: all
  Tensor low = {}, high = {};    // (features): bounds; undefined: none
  double tolerance = 0.01;       // of the score
  double lambda = 0.1;           // weight of the score at first; it grows until it is reached
  int64_t steps = 500;           // at each weight, at most
  double lr = 0.01;
};
struct Counterfactual {
  Tensor inputs;  // of x's shape
  Tensor scores;  // (N)
  Tensor valid;   // (N) bool: whether the score came within the tolerance, or beyond it
  Tensor cost;    // (N): the weighted sum of absolute changes
};
// The nearest inputs with another score (Wachter et al. 2018), by gradient descent with Adam on
// lambda (score - target_score)^2 + cost: x (N, features). Steps pull small changes to none.
Counterfactual counterfactual(const Forward& f, const Tensor& x,
                              const CounterfactualOptions& options = {},
                              Where where = Where::current());

struct InfluenceOptions {
  double damping = 0.01;     // added to the Hessian's diagonal
  int64_t iterations = 100;  // of conjugate gradients, at most
  double tolerance = 1e-6;   // of the residual, as a share
};
// Influence functions (Koh & Liang 2017): by how much the loss of each test example rises if a
// training example gets one more of itself, to first order, times the number of training examples:
// -g_test^T H^-1 g_train. Negative: it helps. loss(examples) is the mean over examples along axis
// 0 of each of `train` or `test`, made with the module. Returns (test, train). The Hessian of all
// training examples is only multiplied with.
Tensor influence(const nn::Module& module,
                 const std::function<Tensor(const std::vector<Tensor>&)>& loss,
                 const std::vector<Tensor>& train, const std::vector<Tensor>& test,
                 const InfluenceOptions& options = {}, Where where = Where::current());

}  // namespace glia::explain
