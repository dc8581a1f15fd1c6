// Items ranked for users by what they have: `implicit`'s, RecBole's and the papers' models. Each
// row counts as one, whatever its rating, unless a model says otherwise.
#pragma once

#include "glia/recommend/model.h"

namespace glia::recommend {

// By how many users have an item: the least that anything else must be better than.
class MostPopular : public Recommender {
 private:
  void begin() override {}
  void run() override {}
  Tensor score(const std::vector<int32_t>& users) const override;
};

// ---- Items by items ---------------------------------------------------------------------------

// Scores are sums of the weights from what a user has to each item.
class ItemModel : public Recommender {
 public:
  Buffer weights;  // f32 (I, I): row j says what having j speaks for; zeros on the diagonal
  GLIA_FIELDS(weights)

 protected:
  void begin() override;  // zeros. Throws ValueError for more items than fit in memory
  Tensor score(const std::vector<int32_t>& users) const override;
  double reason(int64_t item, int64_t had, double rating) const override;
};

struct ItemKNNOptions {
  int64_t k = 20;
  double shrink = 0;
};
// Each item has the k others whose users are the most alike, n_ij / (sqrt(n_i n_j) + shrink)
// (Sarwar et al. 2001; Deshpande & Karypis 2004).
class ItemKNN : public ItemModel {
 public:
  explicit ItemKNN(const ItemKNNOptions& options = {}) : options(options) {}
  ItemKNNOptions options;

 private:
  void run() override;
};

struct EASEOptions {
  double reg_weight = 250;
};
// The closed form: B = I - P / diag(P), P = (X'X + reg_weight I)^-1 (Steck 2019).
class EASE : public ItemModel {
 public:
  explicit EASE(const EASEOptions& options = {}) : options(options) {}
  EASEOptions options;

 private:
  void run() override;
};

struct SLIMOptions {
  double alpha = 0.2, l1_ratio = 0.02;
  int64_t max_iter = 100;
  double tol = 1e-4;  // of the largest change of a weight in a pass
};
// Of each item the elastic net by all others with weights that are not negative (Ning & Karypis
// 2011): 1 / (2 U) |x - X w|^2 + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) / 2 |w|^2.
class SLIM : public ItemModel {
 public:
  explicit SLIM(const SLIMOptions& options = {}) : options(options) {}
  SLIMOptions options;

 private:
  void run() override;
};

// ---- Factors ----------------------------------------------------------------------------------

// Scores are products of factors.
class FactorModel : public Recommender {
 public:
  Buffer user_factors, item_factors;  // f32 (U, F), (I, F)
  GLIA_FIELDS(user_factors, item_factors)

 protected:
  Tensor score(const std::vector<int32_t>& users) const override;
  double reason(int64_t item, int64_t had, double rating) const override;  // the cosine
};

struct ALSOptions {
  int64_t factors = 64, iterations = 15;
  double regularization = 0.01, alpha = 1;
  int64_t cg_steps = 3;
  uint64_t random_state = 0;
};
// Weighted least squares of all pairs, 0 or 1 by whether a user has an item, with the confidence
// alpha times the rating where it has (Hu, Koren & Volinsky 2008), in turn for users and items, by
// conjugate gradients from where it is (Takacs et al. 2011).
class ALS : public FactorModel {
 public:
  explicit ALS(const ALSOptions& options = {}) : options(options) {}
  ALSOptions options;
  // What is made least, by the sum of all confidences: `implicit`'s calculate_loss().
  double loss() const;

 private:
  void begin() override;
  void run() override;
};

struct BPROptions {
  int64_t factors = 100, iterations = 100;
  double learning_rate = 0.01, regularization = 0.01;
  uint64_t random_state = 0;
};
// An item that a user has before one that it has not, by stochastic gradients of log sigmoid of
// the difference (Rendle et al. 2009); the last of the factors is the item's bias.
class BPR : public FactorModel {
 public:
  explicit BPR(const BPROptions& options = {}) : options(options) {}
  BPROptions options;

 private:
  void begin() override;
  void run() override;
};

}  // namespace glia::recommend
