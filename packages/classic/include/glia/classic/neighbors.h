// Nearest neighbours: searches, and a classifier and a regressor by them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "glia/classic/estimator.h"

namespace glia::classic {

// How far samples lie apart. Precomputed: what is given are distances, (queries, samples).
enum class Metric { kEuclidean, kManhattan, kChebyshev, kMinkowski, kCosine, kPrecomputed };
// A k-d tree (Bentley 1975) is quick for up to some 20 features; brute force goes through all.
enum class NeighborAlgorithm { kAuto, kKdTree, kBrute };
enum class NeighborWeights { kUniform, kDistance };  // of each neighbour's vote: 1, or 1 / distance

struct NeighborsOptions {
  int64_t n_neighbors = 5;
  double radius = 1;
  Metric metric = Metric::kEuclidean;
  double p = 2;  // of kMinkowski
  NeighborAlgorithm algorithm = NeighborAlgorithm::kAuto;
};

struct KNeighbors {
  Tensor distances,
      indices;  // (queries, n_neighbors) f64 and i64; the nearest first, then by index
};
// Those of query i are the entries starts[i] to starts[i + 1], by their index.
struct RadiusNeighbors {
  Tensor starts;              // (queries + 1) i64
  Tensor distances, indices;  // of all queries one after the other: f64, i64
};

class NeighborIndex;  // private: packages/classic/src/neighbor_index.h

// Finds neighbours among the samples that were fitted. All distances are in f64, and two that are
// equal stand in the order of the samples.
class NearestNeighbors : public Estimator {
 public:
  explicit NearestNeighbors(const NeighborsOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "NearestNeighbors"; }
  EstimatorKind kind() const override { return EstimatorKind::kTransformer; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<NearestNeighbors>(*this);
  }
  std::vector<Param> params() override;
  NearestNeighbors& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  // Of X, or, where it is not defined, of the samples that were fitted, each without itself.
  KNeighbors kneighbors(const Tensor& x = {}, std::optional<int64_t> n_neighbors = {},
                        Where where = Where::current()) const;
  // All that are at most `radius` away.
  RadiusNeighbors radius_neighbors(const Tensor& x = {}, std::optional<double> radius = {},
                                   Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const NeighborsOptions& options() const { return options_; }

  Tensor fit_x;  // (samples, features) f64

 private:
  void check_options(Where where) const;

  NeighborsOptions options_;
  std::shared_ptr<const NeighborIndex> index_;
};

struct KNeighborsOptions : NeighborsOptions {
  NeighborWeights weights = NeighborWeights::kUniform;
};

// The class that most of the nearest samples have (Cover & Hart 1967).
class KNeighborsClassifier : public Classifier {
 public:
  explicit KNeighborsClassifier(const KNeighborsOptions& options = {},
                                Where where = Where::current());

  std::string_view name() const override { return "KNeighborsClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<KNeighborsClassifier>(*this);
  }
  std::vector<Param> params() override;
  KNeighborsClassifier& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                            Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  KNeighbors kneighbors(const Tensor& x, Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  Tensor codes;  // (samples) i64: positions in `classes`

 private:
  NearestNeighbors neighbors_;
  NeighborWeights weights_;
};

// The mean of the nearest samples' y.
class KNeighborsRegressor : public Regressor {
 public:
  explicit KNeighborsRegressor(const KNeighborsOptions& options = {},
                               Where where = Where::current());

  std::string_view name() const override { return "KNeighborsRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<KNeighborsRegressor>(*this);
  }
  std::vector<Param> params() override;
  KNeighborsRegressor& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                           Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  KNeighbors kneighbors(const Tensor& x, Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  Tensor targets;  // (samples) or (samples, outputs) f64

 private:
  NearestNeighbors neighbors_;
  NeighborWeights weights_;
};

}  // namespace glia::classic
