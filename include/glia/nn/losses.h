// Losses as modules, called with what a model gave and the target: the functions of glia/ops.h with
// fixed options.
#pragma once

#include "glia/nn/module.h"
#include "glia/ops.h"

namespace glia::nn {

struct CrossEntropyLoss : Module {
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& logits, const Tensor& target,
                    Where where = Where::current()) const {
    return cross_entropy(logits, target, options, where);
  }
  CrossEntropyOptions options;
};

struct LossOptions {
  Reduction reduction = Reduction::kMean;
};
struct NLLLoss : Module {
  explicit NLLLoss(const NLLLossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& log_probabilities, const Tensor& target,
                    Where where = Where::current()) const {
    return nll_loss(log_probabilities, target, options, where);
  }
  NLLLossOptions options;
};
struct MSELoss : Module {
  explicit MSELoss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return mse_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct L1Loss : Module {
  explicit L1Loss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return l1_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct SmoothL1Options {
  double beta = 1;
  Reduction reduction = Reduction::kMean;
};
struct SmoothL1Loss : Module {
  explicit SmoothL1Loss(const SmoothL1Options& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return smooth_l1_loss(x, target, options.beta, options.reduction, where);
  }
  SmoothL1Options options;
};
struct BCEWithLogitsLoss : Module {
  explicit BCEWithLogitsLoss(const BinaryCrossEntropyOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return binary_cross_entropy_with_logits(x, target, options, where);
  }
  BinaryCrossEntropyOptions options;
};

}  // namespace glia::nn
