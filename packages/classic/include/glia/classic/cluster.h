// Clustering: k-means, whole and by batches, and spectral clustering.
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

struct MiniBatchKMeansOptions {
  int64_t n_clusters = 8;
  KMeansInit init = KMeansInit::kKMeansPlusPlus;
  int64_t max_iter = 100;  // passes over the samples at most
  int64_t batch_size = 1024;
  // Ends after so many batches in which the smoothed inertia has not improved; unset: never.
  std::optional<int64_t> max_no_improvement = 10;
  std::optional<int64_t> init_size{};  // samples for the first centers; unset: 3 batches
  std::optional<int64_t> n_init{};     // first centers, of which the best are kept; unset: 3, or 1
  // A center that has fewer samples than this part of the largest is drawn anew now and then.
  double reassignment_ratio = 0.01;
  uint64_t random_state = 0;
};

// k-means by small batches (Sculley 2010): nearly as good, and much sooner.
class MiniBatchKMeans : public Clusterer {
 public:
  explicit MiniBatchKMeans(const MiniBatchKMeansOptions& options = {},
                           Where where = Where::current());

  std::string_view name() const override { return "MiniBatchKMeans"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MiniBatchKMeans>(*this);
  }
  std::vector<Param> params() override;
  MiniBatchKMeans& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const MiniBatchKMeansOptions& options() const { return options_; }

  Tensor cluster_centers;  // (n_clusters, features)
  double inertia = 0;      // of all samples
  int64_t n_steps = 0;     // batches

 private:
  void check_options(Where where) const;

  MiniBatchKMeansOptions options_;
};

enum class Affinity { kRbf, kNearestNeighbors, kPrecomputed };
struct SpectralClusteringOptions {
  int64_t n_clusters = 8;
  std::optional<int64_t> n_components{};  // eigenvectors; unset: n_clusters
  Affinity affinity = Affinity::kRbf;
  double gamma = 1;          // of kRbf: exp(-gamma |x - x'|^2)
  int64_t n_neighbors = 10;  // of kNearestNeighbors
  int64_t n_init = 10;       // of the k-means that parts the eigenvectors
  uint64_t random_state = 0;
};

// Parts the graph of similar samples where it is thinnest: k-means on the first eigenvectors of its
// normalised Laplacian (Shi & Malik 2000; Ng, Jordan & Weiss 2002). Memory grows with the square of
// the samples.
class SpectralClustering : public Clusterer {
 public:
  explicit SpectralClustering(const SpectralClusteringOptions& options = {},
                              Where where = Where::current());

  std::string_view name() const override { return "SpectralClustering"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SpectralClustering>(*this);
  }
  std::vector<Param> params() override;
  SpectralClustering& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SpectralClusteringOptions& options() const { return options_; }

 private:
  void check_options(Where where) const;

  SpectralClusteringOptions options_;
};

}  // namespace glia::classic
