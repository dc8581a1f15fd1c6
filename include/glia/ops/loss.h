// Losses besides those of glia/ops.h, with PyTorch's names, options and defaults. Operands of 16
// bits are computed in f32, and the loss is rounded to their dtype. Functions throw ShapeError for
// shapes and options that do not fit. Where it is not said otherwise, operands have one shape, the
// mean is over all losses, and (...) stands for any axes, none among them.
#pragma once

#include <functional>

#include "glia/ops.h"

namespace glia {

// ---- Regression and probabilities -------------------------------------------------------------

// Squares up to delta, lines of that slope beyond (Huber 1964). Delta is above 0.
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                  Reduction reduction = Reduction::kMean, Where where = Where::current());
struct WeightedLossOptions {
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};  // a factor of each element; broadcasts to x, and the mean is over elements
};
// Of probabilities in [0, 1], NaN of others. Logarithms are at least -100, and slopes at most 1e12,
// so that 0 and 1 give numbers; binary_cross_entropy_with_logits() needs neither.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target,
                            const WeightedLossOptions& options = {},
                            Where where = Where::current());
struct PoissonNLLOptions {
  bool log_input = true;  // x is the rate's logarithm
  bool full = false;  // adds Stirling's approximation of log(target!) where the target is above 1
  double eps = 1e-8;  // added to a rate that a logarithm is taken of
  Reduction reduction = Reduction::kMean;
};
Tensor poisson_nll_loss(const Tensor& x, const Tensor& target,
                        const PoissonNLLOptions& options = {}, Where where = Where::current());
struct GaussianNLLOptions {
  bool full = false;  // adds log(2 pi) / 2
  double eps = 1e-6;  // variances count as at least so much; their gradient does not know of it
  Reduction reduction = Reduction::kMean;
};
// The variance broadcasts to x, or has its shape without the last axis (Nix & Weigend 1994).
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var,
                         const GaussianNLLOptions& options = {}, Where where = Where::current());
struct KLDivOptions {
  bool log_target = false;  // the target is given by its logarithms, as x always is
  bool batchmean = false;   // the sum divided by the first axis, whatever the reduction
  Reduction reduction = Reduction::kMean;
};
// target (log(target) - x), and 0 where the target is 0 (Kullback & Leibler 1951).
Tensor kl_div(const Tensor& x, const Tensor& target, const KLDivOptions& options = {},
              Where where = Where::current());

// ---- Margins ----------------------------------------------------------------------------------

// x where the target is 1, max(0, margin - x) where it is -1.
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin = 1,
                            Reduction reduction = Reduction::kMean, Where where = Where::current());
// log(1 + exp(-target x)), of targets 1 and -1.
Tensor soft_margin_loss(const Tensor& x, const Tensor& target,
                        Reduction reduction = Reduction::kMean, Where where = Where::current());
// max(0, margin - target (x1 - x2)): whether x1 is to be above x2 (1) or below (-1).
Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                           double margin = 0, Reduction reduction = Reduction::kMean,
                           Where where = Where::current());
struct MultiMarginOptions {
  int64_t p = 1;  // or 2
  double margin = 1;
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};  // (C), of the target's class; the mean is over rows
};
// Of scores (..., C) and class indices (...): the sum of max(0, margin - x[target] + x[i])^p over
// the other classes i, divided by C (Crammer & Singer 2001).
Tensor multi_margin_loss(const Tensor& x, const Tensor& target,
                         const MultiMarginOptions& options = {}, Where where = Where::current());
// Of scores (..., C) and the classes (..., C) that are there, the rest filled with -1: the sum of
// max(0, 1 - x[j] + x[i]) over those j and all other i, divided by C.
Tensor multilabel_margin_loss(const Tensor& x, const Tensor& target,
                              Reduction reduction = Reduction::kMean,
                              Where where = Where::current());
// The mean over classes of binary_cross_entropy_with_logits(): (..., C) -> (...).
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target,
                                   const WeightedLossOptions& options = {},
                                   Where where = Where::current());

// ---- Embeddings -------------------------------------------------------------------------------
// Vectors (..., D), distances and losses (...).

// 1 - cos where the target is 1, max(0, cos - margin) where it is -1: target (...).
Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             double margin = 0, Reduction reduction = Reduction::kMean,
                             Where where = Where::current());
struct TripletMarginOptions {
  double margin = 1;
  double p = 2, eps = 1e-6;  // of pairwise_distance()
  bool swap = false;         // the negative's distance is the nearer one of anchor and positive
  Reduction reduction = Reduction::kMean;
};
// max(0, d(anchor, positive) - d(anchor, negative) + margin) (Balntas et al. 2016).
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options = {},
                           Where where = Where::current());
using DistanceFunction = std::function<Tensor(const Tensor&, const Tensor&)>;
struct TripletDistanceOptions {
  double margin = 1;
  bool swap = false;
  Reduction reduction = Reduction::kMean;
};
// The same with a distance of your own; an empty one is pairwise_distance().
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive,
                                         const Tensor& negative,
                                         const DistanceFunction& distance_function = {},
                                         const TripletDistanceOptions& options = {},
                                         Where where = Where::current());
// d^2 / 2 where the target is 1 (alike), max(0, margin - d)^2 / 2 where it is 0, with Euclid's d
// (Hadsell et al. 2006): target (...).
Tensor contrastive_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, double margin = 1,
                        Reduction reduction = Reduction::kMean, Where where = Where::current());
struct InfoNCEOptions {
  double temperature = 0.1;  // above 0
  Reduction reduction = Reduction::kMean;
};
// The cross-entropy of finding each query's positive, both (N, D), by cosine similarity: among the
// positives of all queries, or, where negatives (M, D) are given, among these (van den Oord et al.
// 2018).
Tensor info_nce_loss(const Tensor& query, const Tensor& positive, const Tensor& negatives = {},
                     const InfoNCEOptions& options = {}, Where where = Where::current());
// Of two views (N, D) of the same samples: each of the 2 N is to find its other view among all
// others. The losses are those of the first views, then of the second (Chen et al. 2020, SimCLR).
Tensor nt_xent_loss(const Tensor& view1, const Tensor& view2,
                    const InfoNCEOptions& options = {.temperature = 0.5},
                    Where where = Where::current());

// ---- Sequences --------------------------------------------------------------------------------

struct CTCLossOptions {
  int64_t blank = 0;           // the class that stands for no label
  bool zero_infinity = false;  // 0, also as gradient, where no path gives the labels
  Reduction reduction = Reduction::kMean;
};
// -log of the probability that a network gives these labels at whatever times (Graves et al. 2006):
// log-probabilities (N, T, C), of log_softmax(); labels (N, S), or those of all examples one after
// the other; how many frames and labels of each example count (N). Or one example: (T, C), (S), (),
// (). The mean is over examples, each divided by its number of labels. The derivative is that by
// the log-probabilities themselves; it has none in turn, and asking for a second one is an error.
// Lengths and labels out of range throw ValueError when the loss is computed; lengths of labels
// that lie one after the other are read at once.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CTCLossOptions& options = {},
                Where where = Where::current());

// ---- Rare classes and overlap -----------------------------------------------------------------

struct SigmoidFocalOptions {
  double alpha = 0.25;  // the share of what is there; below 0: none
  double gamma = 2;
  Reduction reduction = Reduction::kNone;
};
// Of logits, each apart: the cross-entropy times (1 - p)^gamma, p being the probability of what is
// right (Lin et al. 2017).
Tensor sigmoid_focal_loss(const Tensor& x, const Tensor& target,
                          const SigmoidFocalOptions& options = {}, Where where = Where::current());
struct FocalOptions {
  double gamma = 2;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};  // (C), of each class; the mean is weighted by it, as of cross_entropy()
};
// The same of logits (..., C) and class indices (...), by softmax.
Tensor focal_loss(const Tensor& x, const Tensor& target, const FocalOptions& options = {},
                  Where where = Where::current());

struct OverlapOptions {
  double smooth = 1;  // added to what is divided and to what divides
  Reduction reduction = Reduction::kMean;
};
struct TverskyOptions {
  double alpha = 0.5, beta = 0.5;  // of what is wrongly found, and of what is missed
  double smooth = 1;
  Reduction reduction = Reduction::kMean;
};
// Of probabilities and targets (N, ..., C): 1 less the overlap of each class in each example, (N,
// C). With both = sum(p t): (both + s) / (both + alpha (sum(p) - both) + beta (sum(t) - both) + s)
// (Salehi et al. 2017).
Tensor tversky_loss(const Tensor& x, const Tensor& target, const TverskyOptions& options = {},
                    Where where = Where::current());
// (2 both + s) / (sum(p) + sum(t) + s) (Milletari et al. 2016).
Tensor dice_loss(const Tensor& x, const Tensor& target, const OverlapOptions& options = {},
                 Where where = Where::current());
// (both + s) / (sum(p) + sum(t) - both + s) (Rahman & Wang 2016).
Tensor jaccard_loss(const Tensor& x, const Tensor& target, const OverlapOptions& options = {},
                    Where where = Where::current());

// ---- Divergences and the evidence lower bound (Kingma & Welling 2014) --------------------------
// Of each element; operands broadcast. Sum over what an example is made of, or see elbo().

// KL(N(mean, exp(log_var)) || N(prior_mean, exp(prior_log_var))); undefined priors are 0.
Tensor kl_normal(const Tensor& mean, const Tensor& log_var, const Tensor& prior_mean = {},
                 const Tensor& prior_log_var = {}, Where where = Where::current());
// Of two Bernoulli distributions by their logits.
Tensor kl_bernoulli(const Tensor& logits, const Tensor& prior_logits,
                    Where where = Where::current());
// Of two categorical distributions by their logits: (..., C) -> (...).
Tensor kl_categorical(const Tensor& logits, const Tensor& prior_logits,
                      Where where = Where::current());
// Log-likelihoods of x.
Tensor normal_log_likelihood(const Tensor& x, const Tensor& mean, const Tensor& log_var,
                             Where where = Where::current());
Tensor bernoulli_log_likelihood(const Tensor& x, const Tensor& logits,
                                Where where = Where::current());
// A sample of N(mean, exp(log_var)) with the gradient of both (reparameterised).
Tensor sample_normal(const Tensor& mean, const Tensor& log_var, Where where = Where::current());
struct ELBOOptions {
  double beta = 1;       // how much the divergence counts (Higgins et al. 2017)
  double free_bits = 0;  // nats that each element's mean divergence may have for free (Kingma 2016)
};
// The mean over examples of sum(log_likelihood) - beta sum(kl), both (N, ...): to be made large.
Tensor elbo(const Tensor& log_likelihood, const Tensor& kl, const ELBOOptions& options = {},
            Where where = Where::current());

}  // namespace glia
