// Losses as modules, called with what a model gave and the target: the functions of glia/ops.h and
// glia/ops/loss.h with fixed options.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"

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

struct HuberOptions {
  double delta = 1;
  Reduction reduction = Reduction::kMean;
};
struct HuberLoss : Module {
  explicit HuberLoss(const HuberOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return huber_loss(x, target, options.delta, options.reduction, where);
  }
  HuberOptions options;
};
// Of probabilities.
struct BCELoss : Module {
  explicit BCELoss(const WeightedLossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return binary_cross_entropy(x, target, options, where);
  }
  WeightedLossOptions options;
};
struct PoissonNLLLoss : Module {
  explicit PoissonNLLLoss(const PoissonNLLOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return poisson_nll_loss(x, target, options, where);
  }
  PoissonNLLOptions options;
};
struct GaussianNLLLoss : Module {
  explicit GaussianNLLLoss(const GaussianNLLOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, const Tensor& var,
                    Where where = Where::current()) const {
    return gaussian_nll_loss(x, target, var, options, where);
  }
  GaussianNLLOptions options;
};
// Of log-probabilities.
struct KLDivLoss : Module {
  explicit KLDivLoss(const KLDivOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return kl_div(x, target, options, where);
  }
  KLDivOptions options;
};
struct MarginOptions {
  double margin = 0;
  Reduction reduction = Reduction::kMean;
};
struct HingeEmbeddingLoss : Module {
  explicit HingeEmbeddingLoss(const MarginOptions& options = {.margin = 1}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return hinge_embedding_loss(x, target, options.margin, options.reduction, where);
  }
  MarginOptions options;
};
struct MarginRankingLoss : Module {
  explicit MarginRankingLoss(const MarginOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x1, const Tensor& x2, const Tensor& target,
                    Where where = Where::current()) const {
    return margin_ranking_loss(x1, x2, target, options.margin, options.reduction, where);
  }
  MarginOptions options;
};
struct CosineEmbeddingLoss : Module {
  explicit CosineEmbeddingLoss(const MarginOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x1, const Tensor& x2, const Tensor& target,
                    Where where = Where::current()) const {
    return cosine_embedding_loss(x1, x2, target, options.margin, options.reduction, where);
  }
  MarginOptions options;
};
struct MultiMarginLoss : Module {
  explicit MultiMarginLoss(const MultiMarginOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return multi_margin_loss(x, target, options, where);
  }
  MultiMarginOptions options;
};
struct MultiLabelMarginLoss : Module {
  explicit MultiLabelMarginLoss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return multilabel_margin_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct MultiLabelSoftMarginLoss : Module {
  explicit MultiLabelSoftMarginLoss(const WeightedLossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return multilabel_soft_margin_loss(x, target, options, where);
  }
  WeightedLossOptions options;
};
struct SoftMarginLoss : Module {
  explicit SoftMarginLoss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return soft_margin_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct TripletMarginLoss : Module {
  explicit TripletMarginLoss(const TripletMarginOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                    Where where = Where::current()) const {
    return triplet_margin_loss(anchor, positive, negative, options, where);
  }
  TripletMarginOptions options;
};
struct TripletMarginWithDistanceLoss : Module {
  explicit TripletMarginWithDistanceLoss(DistanceFunction distance_function = {},
                                         const TripletDistanceOptions& options = {})
      : distance_function(std::move(distance_function)), options(options) {}
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                    Where where = Where::current()) const {
    return triplet_margin_with_distance_loss(anchor, positive, negative, distance_function, options,
                                             where);
  }
  DistanceFunction distance_function;
  TripletDistanceOptions options;
};
// Of log-probabilities (N, T, C): see ctc_loss().
struct CTCLoss : Module {
  explicit CTCLoss(const CTCLossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                    const Tensor& target_lengths, Where where = Where::current()) const {
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, options, where);
  }
  CTCLossOptions options;
};

struct AdaptiveLogSoftmaxOptions {
  double div_value = 4;  // how much narrower each cluster's projection is than the one before
  bool head_bias = false;
};
// A softmax over very many classes, sorted by how frequent they are: the first cutoffs[0] have
// scores of their own, the rest is in clusters between cutoffs, whose scores are computed only for
// the rows that need them (Grave et al. 2017). Cutoffs rise, from 1 to n_classes - 1.
struct AdaptiveLogSoftmaxWithLoss : Module {
  AdaptiveLogSoftmaxWithLoss(int64_t in_features, int64_t n_classes,
                             const std::vector<int64_t>& cutoffs,
                             const AdaptiveLogSoftmaxOptions& options = {});
  struct Result {
    Tensor output, loss;  // the log-probability of each row's class (N), minus their mean
  };
  // Features (N, in) and class indices (N), or (in) and (). Targets are read at once; throws
  // ValueError for a class that there is not.
  Result operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const;
  // Of all classes: (N, in) -> (N, n_classes).
  Tensor log_prob(const Tensor& x, Where where = Where::current()) const;
  // The likeliest class: (N, in) -> (N) i64.
  Tensor predict(const Tensor& x, Where where = Where::current()) const;

  std::vector<int64_t> cutoffs;           // n_classes behind the others
  Linear head;                            // to cutoffs[0] classes and a score for each cluster
  std::vector<std::vector<Linear>> tail;  // of each cluster: to its width, and on to its classes
  GLIA_FIELDS(head, tail)

 private:
  int64_t clusters() const { return static_cast<int64_t>(tail.size()); }
  Tensor of_cluster(int64_t i, const Tensor& x, const Where& where) const;
};

}  // namespace glia::nn
