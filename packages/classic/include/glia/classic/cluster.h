// Clustering: k-means.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

enum class KMeansInit {
  kKMeansPlusPlus,  // Arthur & Vassilvitskii 2007, the best of 2 + log(n_clusters) draws each time
  kRandom,          // samples, each drawn once
};
enum class KMeansAlgorithm {
  kLloyd,
  kElkan,  // bounds on distances (Elkan 2003): n_clusters numbers a sample, and one thread
};
struct KMeansOptions {
  int64_t n_clusters = 8;
  KMeansInit init = KMeansInit::kKMeansPlusPlus;
  Tensor init_centers = {};         // (n_clusters, features): where to begin, instead of `init`
  std::optional<int64_t> n_init{};  // runs, the best is kept; unset: 10 for kRandom, else 1
  int64_t max_iter = 300;
  double tol = 1e-4;  // ends when the centers moved by less, as a part of the mean variance
  uint64_t random_state = 0;
  KMeansAlgorithm algorithm = KMeansAlgorithm::kLloyd;
};

// Clusters that minimise the sum of squared distances of samples to their cluster's center
// (Lloyd 1982). A cluster that becomes empty takes the sample that is farthest from its center.
// Results are the same for any number of threads.
class KMeans : public Clusterer {
 public:
  // Throws ValueError for options out of range.
  explicit KMeans(const KMeansOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "KMeans"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<KMeans>(*this); }
  std::vector<Param> params() override;
  KMeans& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
              Where where = Where::current()) override;
  // The nearest center of each sample, i64; the first of equally near ones.
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  // The distance to each center: (samples, n_clusters).
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  // Minus the sum of squared distances to the nearest center.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const KMeansOptions& options() const { return options_; }

  Tensor cluster_centers;  // (n_clusters, features)
  double inertia = 0;      // the sum of squared distances, weighted
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  KMeansOptions options_;
};

}  // namespace glia::classic
