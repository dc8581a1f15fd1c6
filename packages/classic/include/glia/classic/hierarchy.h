// Clusters of clusters: agglomerative clustering and its tree.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"
#include "glia/classic/neighbors.h"

namespace glia::classic {

// How far two clusters are apart: by how much the sum of squares rises (Ward 1963), by their
// farthest samples, by the mean over all pairs, by their nearest.
enum class LinkageMethod { kWard, kComplete, kAverage, kSingle };

// The tree of merges as SciPy's linkage(): (samples - 1, 4) f64, each row two clusters, their
// distance and how many samples both have; merge i makes cluster samples + i. X (samples,
// features), or distances (samples, samples) where the metric is precomputed. Ward's needs
// Euclidean ones. Takes memory and time with the square of the samples.
Tensor linkage(const Tensor& x, LinkageMethod method = LinkageMethod::kSingle,
               Metric metric = Metric::kEuclidean, Where where = Where::current());
// Labels of the samples, (samples) i64, where the tree is cut into so many clusters; numbered by
// their first sample.
Tensor cut_tree(const Tensor& linkage, int64_t n_clusters, Where where = Where::current());

struct AgglomerativeOptions {
  int64_t n_clusters = 2;
  std::optional<double> distance_threshold{};  // instead: no merges at or above this distance
  LinkageMethod linkage = LinkageMethod::kWard;
  Metric metric = Metric::kEuclidean;
};

// Merges the two nearest clusters until n_clusters are left.
class AgglomerativeClustering : public Clusterer {
 public:
  explicit AgglomerativeClustering(const AgglomerativeOptions& options = {},
                                   Where where = Where::current());

  std::string_view name() const override { return "AgglomerativeClustering"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<AgglomerativeClustering>(*this);
  }
  std::vector<Param> params() override;
  AgglomerativeClustering& fit(const Tensor& x, const Tensor& y = {},
                               const Tensor& sample_weight = {},
                               Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const AgglomerativeOptions& options() const { return options_; }

  int64_t n_clusters = 0;
  Tensor children;   // (samples - 1, 2) i64: what each merge joins
  Tensor distances;  // (samples - 1) f64, rising

 private:
  void check_options(Where where) const;

  AgglomerativeOptions options_;
};

}  // namespace glia::classic
