// Ratings foretold: Surprise's algorithms, equal to it where it starts from the same values.
//
// Everything is computed in f64. mu is the mean of all ratings, b_u and b_i biases, all of the
// training data.
#pragma once

#include "glia/recommend/model.h"

namespace glia::recommend {

// A draw from the normal distribution of the training ratings.
class NormalPredictor : public RatingModel {
 public:
  explicit NormalPredictor(uint64_t random_state = 0) : random_state_(random_state) {}

 private:
  void begin() override;
  void run() override {}
  Estimate estimate() const override;
  uint64_t random_state_;
  double deviation_ = 0;
};

// ---- Baselines --------------------------------------------------------------------------------

enum class BaselineMethod { kALS, kSGD };
struct BaselineOptions {
  BaselineMethod method = BaselineMethod::kALS;
  int64_t n_epochs = 0;                      // 0: 10 of ALS, 20 of SGD
  double reg_u = 15, reg_i = 10;             // of ALS
  double reg = 0.02, learning_rate = 0.005;  // of SGD
};
// mu + b_u + b_i (Koren 2010).
class BaselineOnly : public RatingModel {
 public:
  explicit BaselineOnly(const BaselineOptions& options = {}) : options(options) {}

  BaselineOptions options;
  Buffer bu, bi;  // f64 (U), (I)
  GLIA_FIELDS(bu, bi)

 private:
  void begin() override;
  void run() override;
  Estimate estimate() const override;
};

// ---- Neighbours -------------------------------------------------------------------------------

enum class Similarity { kMSD, kCosine, kPearson, kPearsonBaseline };
struct SimilarityOptions {
  Similarity name = Similarity::kMSD;
  bool user_based = true;
  int64_t min_support = 1;  // common ratings, without which two are not alike
  double shrinkage = 100;   // of pearson_baseline
};
// Likenesses by common ratings, f64 (U, U), or (I, I) unless user_based; baselines of
// pearson_baseline as of BaselineOnly.
Tensor similarities(const RatingMatrix& ratings, const SimilarityOptions& options = {},
                    const BaselineOptions& baselines = {});

// What a neighbour's rating is taken relative to: nothing, its mean, mean and deviation, baseline.
enum class Centre { kNone, kMean, kZScore, kBaseline };
struct KNNOptions {
  int64_t k = 40, min_k = 1;
  SimilarityOptions sim_options = {};
  BaselineOptions bsl_options = {};
};
// The mean of the k likest neighbours' ratings, weighted by likeness. Nothing is saved: loading
// computes likenesses again.
class KNN : public RatingModel {
 public:
  const Tensor& sim() const { return sim_; }
  KNNOptions options;

 protected:
  KNN(Centre centre, const KNNOptions& options) : options(options), centre_(centre) {}

 private:
  void begin() override;
  void run() override {}
  Estimate estimate() const override;
  double reason(int64_t item, int64_t had, double rating) const override;
  Centre centre_;
  Tensor sim_;
  std::vector<double> bias_, scale_;  // of each user (or item): what is taken off and divided by
  std::vector<double> bu_, bi_;       // baselines
};
class KNNBasic : public KNN {
 public:
  explicit KNNBasic(const KNNOptions& options = {}) : KNN(Centre::kNone, options) {}
};
class KNNWithMeans : public KNN {
 public:
  explicit KNNWithMeans(const KNNOptions& options = {}) : KNN(Centre::kMean, options) {}
};
class KNNWithZScore : public KNN {
 public:
  explicit KNNWithZScore(const KNNOptions& options = {}) : KNN(Centre::kZScore, options) {}
};
class KNNBaseline : public KNN {
 public:
  explicit KNNBaseline(const KNNOptions& options = {}) : KNN(Centre::kBaseline, options) {}
};

// ---- Factors ----------------------------------------------------------------------------------

struct SVDOptions {
  int64_t n_factors = 100, n_epochs = 20;
  bool biased = true;
  double init_mean = 0, init_std_dev = 0.1;
  double lr_all = 0.005, reg_all = 0.02;
  uint64_t random_state = 0;
};
// mu + b_u + b_i + q_i . p_u by stochastic gradient descent (Funk 2006, Koren et al. 2009), user by
// user; unless biased q_i . p_u alone (Salakhutdinov & Mnih 2008).
class SVD : public RatingModel {
 public:
  explicit SVD(const SVDOptions& options = {}) : options(options) {}

  SVDOptions options;
  Buffer bu, bi, pu, qi;  // f64 (U), (I), (U, F), (I, F)
  GLIA_FIELDS(bu, bi, pu, qi)

 private:
  void begin() override;
  void run() override;
  Estimate estimate() const override;
};

struct SVDppOptions {
  int64_t n_factors = 20, n_epochs = 20;
  double init_mean = 0, init_std_dev = 0.1;
  double lr_all = 0.007, reg_all = 0.02;
  uint64_t random_state = 0;
};
// mu + b_u + b_i + q_i . (p_u + sum of y_j / sqrt(n) over the user's n items) (Koren 2008). A step
// changes all y_j of a user alike, y_j <- a y_j + c, so that it takes the time of one of them.
class SVDpp : public RatingModel {
 public:
  explicit SVDpp(const SVDppOptions& options = {}) : options(options) {}

  SVDppOptions options;
  Buffer bu, bi, pu, qi, yj;  // f64, as of SVD; (I, F)
  GLIA_FIELDS(bu, bi, pu, qi, yj)

 private:
  void begin() override;
  void run() override;
  Estimate estimate() const override;
};

struct NMFOptions {
  int64_t n_factors = 15, n_epochs = 50;
  bool biased = false;
  double reg_pu = 0.06, reg_qi = 0.06, reg_bu = 0.02, reg_bi = 0.02;
  double lr_bu = 0.005, lr_bi = 0.005;
  double init_low = 0, init_high = 1;
  uint64_t random_state = 0;
};
// q_i . p_u of numbers that are never negative, by multiplicative steps (Luo et al. 2014).
class NMF : public RatingModel {
 public:
  explicit NMF(const NMFOptions& options = {}) : options(options) {}

  NMFOptions options;
  Buffer bu, bi, pu, qi;  // f64, as of SVD
  GLIA_FIELDS(bu, bi, pu, qi)

 private:
  void begin() override;
  void run() override;
  Estimate estimate() const override;
};

// ---- Others -----------------------------------------------------------------------------------

// mean_u + the mean over the user's items j of how much more i gets than j (Lemire & Maclachlan
// 2005). Surprise cuts ratings to whole numbers here; this does not.
class SlopeOne : public RatingModel {
 public:
  SlopeOne() = default;
  const Tensor& dev() const { return dev_; }  // f64 (I, I)

 private:
  void begin() override;
  void run() override {}
  Estimate estimate() const override;
  Tensor dev_, freq_;
  std::vector<double> mean_;
};

struct CoClusteringOptions {
  int64_t n_cltr_u = 3, n_cltr_i = 3, n_epochs = 20;
  uint64_t random_state = 0;
};
// The mean of the pair of clusters, and how user and item differ from theirs (George & Merugu
// 2005); of an unknown item the user's mean, of an unknown user the item's.
class CoClustering : public RatingModel {
 public:
  explicit CoClustering(const CoClusteringOptions& options = {}) : options(options) {}

  CoClusteringOptions options;
  Buffer cltr_u, cltr_i;  // i64 (U), (I)
  GLIA_FIELDS(cltr_u, cltr_i)

 private:
  void begin() override;
  void run() override;
  Estimate estimate() const override;
};

}  // namespace glia::recommend
