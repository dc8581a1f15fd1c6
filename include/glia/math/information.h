// Information theory (Shannon 1948): entropies and divergences of probabilities and of samples, and
// estimates of mutual information. In nats, or with the base that is given: 2 for bits. Link
// glia::math.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/ops.h"

namespace glia::information {

// ---- Of probabilities -------------------------------------------------------------------------
// Probabilities are along `axis`, and divided by their sum; 0 log 0 is 0. Differentiable. Of
// negative ones the result is NaN.

// H = -sum p log p.
Tensor entropy(const Tensor& p, std::optional<double> base = {}, int axis = -1,
               Where where = Where::current());
// -sum p log q: infinite where q is 0 and p is not.
Tensor cross_entropy(const Tensor& p, const Tensor& q, std::optional<double> base = {},
                     int axis = -1, Where where = Where::current());
// sum p log(p / q) (Kullback & Leibler 1951).
Tensor kl_divergence(const Tensor& p, const Tensor& q, std::optional<double> base = {},
                     int axis = -1, Where where = Where::current());
// The mean of both divergences to (p + q) / 2 (Lin 1991), at most log 2.
Tensor js_divergence(const Tensor& p, const Tensor& q, std::optional<double> base = {},
                     int axis = -1, Where where = Where::current());
// log(sum p^alpha) / (1 - alpha) for alpha >= 0 (Renyi 1961): the entropy for 1, the logarithm of
// how many are possible for 0, -log max p for infinity.
Tensor renyi_entropy(const Tensor& p, double alpha, std::optional<double> base = {}, int axis = -1,
                     Where where = Where::current());
// log(sum p^alpha q^(1 - alpha)) / (alpha - 1) for alpha > 0.
Tensor renyi_divergence(const Tensor& p, const Tensor& q, double alpha,
                        std::optional<double> base = {}, int axis = -1,
                        Where where = Where::current());

// Of joint probabilities (..., X, Y), divided by their sum.
Tensor joint_entropy(const Tensor& joint, std::optional<double> base = {},
                     Where where = Where::current());
// H(Y | X) = H(X, Y) - H(X).
Tensor conditional_entropy(const Tensor& joint, std::optional<double> base = {},
                           Where where = Where::current());
// I(X; Y), the divergence of the joint probabilities from the product of those of X and Y.
Tensor mutual_information(const Tensor& joint, std::optional<double> base = {},
                          Where where = Where::current());

// ---- Of samples -------------------------------------------------------------------------------
// Symbols are any numbers (N), or rows (N, D) of which each is one symbol. Computed at once, of
// frequencies as probabilities. Throws ShapeError for other shapes and different lengths,
// ValueError for no sample or NaN.

struct PlugInOptions {
  std::optional<double> base = {};
  // Adds (kinds - 1) / (2 N) nats to each entropy: its bias to first order (Miller 1955).
  bool miller_madow = false;
};
double estimate_entropy(const Tensor& x, const PlugInOptions& options = {},
                        Where where = Where::current());
double estimate_joint_entropy(const Tensor& x, const Tensor& y, const PlugInOptions& options = {},
                              Where where = Where::current());
// H(Y | X).
double estimate_conditional_entropy(const Tensor& x, const Tensor& y,
                                    const PlugInOptions& options = {},
                                    Where where = Where::current());
// H(X) + H(Y) - H(X, Y).
double estimate_mutual_information(const Tensor& x, const Tensor& y,
                                   const PlugInOptions& options = {},
                                   Where where = Where::current());

// ---- Of numbers with a density ----------------------------------------------------------------
// Samples (N) or (N, D), f64 inside, by distances in the maximum norm to the k-th neighbour. Throws
// ValueError unless 1 <= k < N and all numbers are finite.

struct NeighbourOptions {
  int64_t k = 3;
  std::optional<double> base = {};
  int estimator = 1;  // of the two of Kraskov et al. 2004
};
// I(X; Y) by the first or second estimator of Kraskov, Stoegbauer & Grassberger 2004. May be
// slightly below 0 where both are independent. Equal samples make it too large: add noise first.
double ksg_mutual_information(const Tensor& x, const Tensor& y,
                              const NeighbourOptions& options = {}, Where where = Where::current());
// The differential entropy (Kozachenko & Leonenko 1987). Minus infinity where k + 1 samples are
// equal.
double neighbour_entropy(const Tensor& x, const NeighbourOptions& options = {},
                         Where where = Where::current());

struct MineOptions {
  int64_t hidden = 64;      // units of each of two layers
  int64_t steps = 1500;     // of Adam
  int64_t batch = 512;      // samples of a step, with replacement
  double lr = 2e-3;         // falls to 0 along half a cosine
  double averaging = 0.01;  // of the denominator's moving mean, against the gradient's bias
  std::optional<double> base = {};
  uint64_t random_state = 0;
};
struct MineResult {
  double mutual_information;    // of all samples, with the network as it was trained last
  std::vector<double> history;  // the bound of each step's batch
};
// A lower bound of I(X; Y) by Donsker and Varadhan: E T(x, y) - log E e^T(x, y'), for a network T
// that is trained to raise it (Belghazi et al. 2018).
MineResult mine(const Tensor& x, const Tensor& y, const MineOptions& options = {},
                Where where = Where::current());

}  // namespace glia::information
