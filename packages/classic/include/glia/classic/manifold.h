// Maps of samples to few dimensions, in which those that are near stay near: for pictures, and as
// features.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "glia/classic/decomposition.h"
#include "glia/classic/neighbors.h"

namespace glia::classic {

// How far a map (samples, dimensions) can be trusted, 0 to 1: 1 less what samples that are
// neighbours only in the map are beyond rank n_neighbors in x (Venna & Kaski 2001). At most half
// the samples may be n_neighbors. Throws ShapeError and ValueError for what does not fit.
double trustworthiness(const Tensor& x, const Tensor& embedding, int64_t n_neighbors = 5,
                       Metric metric = Metric::kEuclidean, Where where = Where::current());

// What finds places for the samples it is fitted to. Those without a transform() can place no
// others.
class Embedding : public Transformer {
 public:
  Tensor embedding;  // (samples, n_components) f64

  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
};

enum class MapInit { kPca, kRandom };
enum class TsneMethod { kBarnesHut, kExact };
struct TSNEOptions {
  int64_t n_components = 2;               // at most 3 of kBarnesHut
  double perplexity = 30;                 // about how many neighbours count; below the samples
  double early_exaggeration = 12;         // of the attraction in the first 250 iterations
  std::optional<double> learning_rate{};  // unset: samples / early_exaggeration / 4, at least 50
  int64_t max_iter = 1000;                // at least 250
  int64_t n_iter_without_progress = 300;
  double min_grad_norm = 1e-7;
  Metric metric = Metric::kEuclidean;
  MapInit init = MapInit::kPca;  // not of kPrecomputed
  Tensor init_embedding = {};    // (samples, n_components): where to begin, instead of `init`
  TsneMethod method = TsneMethod::kBarnesHut;
  double angle = 0.5;  // of kBarnesHut: a cell this wide beside its distance counts as one point
  uint64_t random_state = 0;
};
// t-distributed stochastic neighbour embedding (van der Maaten & Hinton 2008): places y whose
// q_ij = (1 + |y_i - y_j|^2)^-1 / sum differ least, by KL(P, Q), from p_ij, Gaussians of the
// perplexity around each sample. kBarnesHut (van der Maaten 2014) takes memory and time in
// proportion to the samples, apart from the search for neighbours; it opens a cell for all points
// of a small part of the map at once, and so is nearer to kExact than with one point at a time.
// Results are the same for any number of threads.
class TSNE : public Embedding {
 public:
  explicit TSNE(const TSNEOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "TSNE"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<TSNE>(*this); }
  std::vector<Param> params() override;
  TSNE& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
            Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const TSNEOptions& options() const { return options_; }

  double kl_divergence = 0;  // in nats, where it ended
  double learning_rate = 0;  // as it was used
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  TSNEOptions options_;
};

enum class UmapInit { kSpectral, kRandom, kPca };
struct UMAPOptions {
  int64_t n_neighbors = 15;  // with the sample itself
  int64_t n_components = 2;
  Metric metric = Metric::kEuclidean;
  std::optional<int64_t> n_epochs{};  // unset: 500 of up to 10,000 samples, else 200
  double learning_rate = 1;
  UmapInit init = UmapInit::kSpectral;
  Tensor init_embedding = {};  // (samples, n_components): where to begin, instead of `init`
  double min_dist = 0.1, spread = 1;
  double set_op_mix_ratio = 1;    // 1: the union of fuzzy sets, 0: their intersection
  double local_connectivity = 1;  // how many neighbours are connected in full
  double repulsion_strength = 1;
  int64_t negative_sample_rate = 5;  // of repulsions for each attraction
  std::optional<double> a{}, b{};    // of 1 / (1 + a d^2b); unset: by min_dist and spread
  uint64_t random_state = 0;
};
// Uniform manifold approximation and projection (McInnes, Healy & Melville 2018), with umap-learn's
// names: a fuzzy graph of neighbours, laid out by attraction along its edges and repulsion of
// samples drawn at random. Results are the same for any number of threads.
class UMAP : public Embedding {
 public:
  explicit UMAP(const UMAPOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "UMAP"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<UMAP>(*this); }
  std::vector<Param> params() override;
  UMAP& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
            Where where = Where::current()) override;
  // Places of other samples among those that were fitted, which stay. Of kPrecomputed: distances
  // (queries, samples).
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const UMAPOptions& options() const { return options_; }

  Tensor fit_x;  // (samples, features) f64
  // The graph: row i has the edges graph_starts[i] to graph_starts[i + 1], (samples + 1) i64, with
  // their ends (edges) i64 and weights (edges) f64. Symmetric.
  Tensor graph_starts, graph_columns, graph_values;
  double a = 0, b = 0;  // as they were used

 private:
  void check_options(Where where) const;

  UMAPOptions options_;
};
// a and b of 1 / (1 + a d^2b) that are nearest, by least squares over 300 distances up to three
// times `spread`, to 1 below min_dist and exp((min_dist - d) / spread) beyond.
std::pair<double, double> find_ab_params(double spread = 1, double min_dist = 0.1,
                                         Where where = Where::current());

struct IsomapOptions {
  int64_t n_neighbors = 5;
  std::optional<double> radius{};  // all within it are neighbours, instead of n_neighbors
  int64_t n_components = 2;
  Metric metric = Metric::kMinkowski;
  double p = 2;  // of kMinkowski
};
// Classical scaling of the shortest ways along a graph of neighbours (Tenenbaum, de Silva &
// Langford 2000). Parts of the graph that are not connected are joined where they are nearest.
// Memory grows with the square of the samples.
class Isomap : public Embedding {
 public:
  explicit Isomap(const IsomapOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "Isomap"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Isomap>(*this); }
  std::vector<Param> params() override;
  Isomap& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
              Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  // What of the ways' kernel the map has not: |K - K'| / samples.
  double reconstruction_error(Where where = Where::current()) const;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const IsomapOptions& options() const { return options_; }

  Tensor dist_matrix;    // (samples, samples) f64: the lengths of the shortest ways
  KernelPCA kernel_pca;  // of -1/2 of their squares
  Tensor fit_x;          // (samples, features) f64

 private:
  void check_options(Where where) const;
  NearestNeighbors search(Where where) const;

  IsomapOptions options_;
};

struct LocallyLinearEmbeddingOptions {
  int64_t n_neighbors = 5;
  int64_t n_components = 2;
  double reg = 1e-3;  // of the weights, as a part of the trace of the neighbours' Gram matrix
};
// Places in which each sample is the same mean of its neighbours as in X (Roweis & Saul 2000).
// Memory grows with the square of the samples.
class LocallyLinearEmbedding : public Embedding {
 public:
  explicit LocallyLinearEmbedding(const LocallyLinearEmbeddingOptions& options = {},
                                  Where where = Where::current());

  std::string_view name() const override { return "LocallyLinearEmbedding"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LocallyLinearEmbedding>(*this);
  }
  std::vector<Param> params() override;
  LocallyLinearEmbedding& fit(const Tensor& x, const Tensor& y = {},
                              const Tensor& sample_weight = {},
                              Where where = Where::current()) override;
  // The means of the nearest samples' places.
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const LocallyLinearEmbeddingOptions& options() const { return options_; }

  double reconstruction_error = 0;  // the sum of the eigenvalues that were taken
  Tensor fit_x;                     // (samples, features) f64

 private:
  void check_options(Where where) const;

  LocallyLinearEmbeddingOptions options_;
};

enum class MdsInit { kClassicalMds, kRandom };
struct MDSOptions {
  int64_t n_components = 2;
  bool metric_mds = true;  // false: only the order of the distances counts (Kruskal 1964)
  int64_t n_init = 1;      // of kRandom: the best is kept
  MdsInit init = MdsInit::kClassicalMds;
  Tensor init_embedding = {};  // (samples, n_components): where to begin, instead of `init`
  int64_t max_iter = 300;
  double eps = 1e-6;  // ends when the stress fell by less, as a part of the squared distances
  Metric metric = Metric::kEuclidean;
  std::optional<bool> normalized_stress{};  // Stress-1; unset: only if not metric_mds
  uint64_t random_state = 0;
};
// Places whose distances are those of the samples as near as can be: stress by majorisation
// (SMACOF; de Leeuw 1977). Memory grows with the square of the samples.
class MDS : public Embedding {
 public:
  explicit MDS(const MDSOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "MDS"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<MDS>(*this); }
  std::vector<Param> params() override;
  MDS& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
           Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const MDSOptions& options() const { return options_; }

  double stress = 0;  // half the sum of squared differences of distances, or Stress-1
  int64_t n_iter = 0;

 private:
  void check_options(Where where) const;

  MDSOptions options_;
};

struct ClassicalMDSOptions {
  int64_t n_components = 2;
  Metric metric = Metric::kEuclidean;
};
// Classical scaling (Torgerson 1952): principal axes of distances. Memory grows with the square of
// the samples.
class ClassicalMDS : public Embedding {
 public:
  explicit ClassicalMDS(const ClassicalMDSOptions& options = {}, Where where = Where::current());

  std::string_view name() const override { return "ClassicalMDS"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ClassicalMDS>(*this);
  }
  std::vector<Param> params() override;
  ClassicalMDS& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const ClassicalMDSOptions& options() const { return options_; }

  Tensor eigenvalues;  // (n_components)

 private:
  void check_options(Where where) const;

  ClassicalMDSOptions options_;
};

enum class EmbeddingAffinity { kNearestNeighbors, kRbf, kPrecomputed };
struct SpectralEmbeddingOptions {
  int64_t n_components = 2;
  EmbeddingAffinity affinity = EmbeddingAffinity::kNearestNeighbors;
  std::optional<double> gamma{};         // of kRbf; unset: 1 / features
  std::optional<int64_t> n_neighbors{};  // of kNearestNeighbors; unset: a tenth of the samples
  uint64_t random_state = 0;
};
// Laplacian eigenmaps (Belkin & Niyogi 2003): the eigenvectors of the normalised Laplacian of a
// graph of similar samples that belong to its least eigenvalues, without the first.
class SpectralEmbedding : public Embedding {
 public:
  explicit SpectralEmbedding(const SpectralEmbeddingOptions& options = {},
                             Where where = Where::current());

  std::string_view name() const override { return "SpectralEmbedding"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SpectralEmbedding>(*this);
  }
  std::vector<Param> params() override;
  SpectralEmbedding& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SpectralEmbeddingOptions& options() const { return options_; }

 private:
  void check_options(Where where) const;

  SpectralEmbeddingOptions options_;
};

}  // namespace glia::classic
