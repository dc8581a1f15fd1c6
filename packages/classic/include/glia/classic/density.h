// Clusters as regions where samples lie close: DBSCAN, OPTICS, HDBSCAN. What lies alone is noise,
// label -1.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"
#include "glia/classic/neighbors.h"

namespace glia::classic {

struct DBSCANOptions {
  double eps = 0.5;         // how far neighbours may be apart
  int64_t min_samples = 5;  // within eps of a core sample, itself among them
  Metric metric = Metric::kEuclidean;
  double p = 2;  // of kMinkowski
  NeighborAlgorithm algorithm = NeighborAlgorithm::kAuto;
};

// Clusters of core samples that reach each other by steps of at most eps, and what is within eps of
// them (Ester et al. 1996); numbered by their first core sample. Weights count in min_samples.
class DBSCAN : public Clusterer {
 public:
  explicit DBSCAN(const DBSCANOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "DBSCAN"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<DBSCAN>(*this); }
  std::vector<Param> params() override;
  DBSCAN& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
              Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const DBSCANOptions& options() const { return options_; }

  Tensor core_sample_indices;  // (core samples) i64
  Tensor components;           // (core samples, features), undefined where distances were given

 private:
  void check_options(Where where) const;

  DBSCANOptions options_;
};

enum class OpticsMethod { kXi, kDbscan };
struct OPTICSOptions {
  int64_t min_samples = 5;
  std::optional<double> max_eps{};  // unset: without bound
  Metric metric = Metric::kEuclidean;
  double p = 2;  // of kMinkowski
  OpticsMethod cluster_method = OpticsMethod::kXi;
  std::optional<double> eps{};  // of kDbscan; unset: max_eps
  double xi = 0.05;             // how steep the reachability falls and rises at a cluster's ends
  bool predecessor_correction = true;         // (Schubert & Gertz 2018)
  std::optional<int64_t> min_cluster_size{};  // unset: min_samples
};

// Orders the samples so that what is dense stands together, for clusters of any density (Ankerst et
// al. 1999).
class OPTICS : public Clusterer {
 public:
  explicit OPTICS(const OPTICSOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "OPTICS"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<OPTICS>(*this); }
  std::vector<Param> params() override;
  OPTICS& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
              Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const OPTICSOptions& options() const { return options_; }

  Tensor ordering;        // (samples) i64
  Tensor reachability;    // (samples) f64, by sample; infinity where a region begins
  Tensor core_distances;  // (samples) f64, infinity beyond max_eps
  Tensor predecessor;     // (samples) i64: from where it was reached, or -1
  // Clusters of kXi as first and last position in `ordering`, smaller before those around them:
  // (clusters, 2) i64.
  Tensor cluster_hierarchy;

 private:
  void check_options(Where where) const;

  OPTICSOptions options_;
};
// What DBSCAN would find at `eps` (at most max_eps), but for samples at the borders: (samples) i64.
Tensor cluster_optics_dbscan(const OPTICS& optics, double eps, Where where = Where::current());

enum class ClusterSelection { kEom, kLeaf };  // excess of mass, or the finest ones
struct HDBSCANOptions {
  int64_t min_cluster_size = 5;
  std::optional<int64_t> min_samples{};  // unset: min_cluster_size
  double cluster_selection_epsilon = 0;  // clusters that part nearer than this stay one
  std::optional<int64_t> max_cluster_size{};
  Metric metric = Metric::kEuclidean;
  double p = 2;      // of kMinkowski
  double alpha = 1;  // distances are divided by it
  ClusterSelection cluster_selection_method = ClusterSelection::kEom;
  bool allow_single_cluster = false;
};

// Clusters of DBSCAN at whichever eps each of them lasts longest (Campello, Moulavi & Sander 2013).
// Takes time with the square of the samples.
class HDBSCAN : public Clusterer {
 public:
  explicit HDBSCAN(const HDBSCANOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "HDBSCAN"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<HDBSCAN>(*this); }
  std::vector<Param> params() override;
  HDBSCAN& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const HDBSCANOptions& options() const { return options_; }

  Tensor probabilities;  // (samples) f64: how long a sample lasts in its cluster, as a share

 private:
  void check_options(Where where) const;

  HDBSCANOptions options_;
};

}  // namespace glia::classic
