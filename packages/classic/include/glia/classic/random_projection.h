// Projections to random directions, which nearly keep distances.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

// So many directions keep the squared distances of n_samples samples within 1 - eps to 1 + eps
// (Johnson & Lindenstrauss 1984; bound of Dasgupta & Gupta 2003): 4 ln(n) / (eps^2/2 - eps^3/3),
// rounded down. Throws ValueError unless n_samples is at least 1 and eps in (0, 1).
int64_t johnson_lindenstrauss_min_dim(int64_t n_samples, double eps = 0.1,
                                      Where where = Where::current());

struct RandomProjectionOptions {
  std::optional<int64_t> n_components{};  // unset: by johnson_lindenstrauss_min_dim(samples, eps)
  double eps = 0.1;
  bool compute_inverse_components = false;
  uint64_t random_state = 0;
};
// What both projections do, each with directions of its own.
class RandomProjection : public Transformer {
 public:
  // Throws ValueError if eps asks for more directions than there are features.
  RandomProjection& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  // By the pseudo-inverse of the directions.
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  Tensor components;          // (n_components, features) f64
  Tensor inverse_components;  // (features, n_components), if it was asked for

 protected:
  virtual const RandomProjectionOptions& base() const = 0;
  virtual Tensor directions(int64_t count, int64_t features) const = 0;
  virtual void check_options(Where where) const;
};

// Normal numbers of variance 1 / n_components.
class GaussianRandomProjection : public RandomProjection {
 public:
  explicit GaussianRandomProjection(const RandomProjectionOptions& options = {},
                                    Where where = Where::current());

  std::string_view name() const override { return "GaussianRandomProjection"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GaussianRandomProjection>(*this);
  }
  std::vector<Param> params() override;
  const RandomProjectionOptions& options() const { return options_; }

 protected:
  const RandomProjectionOptions& base() const override { return options_; }
  Tensor directions(int64_t count, int64_t features) const override;

 private:
  RandomProjectionOptions options_;
};

struct SparseRandomProjectionOptions : RandomProjectionOptions {
  std::optional<double> density{};  // of what is not 0; unset: 1 / sqrt(features)
};
// Signs times sqrt(1 / density / n_components) at a share of the places, else zeros (Achlioptas
// 2003; Li, Hastie & Church 2006).
class SparseRandomProjection : public RandomProjection {
 public:
  explicit SparseRandomProjection(const SparseRandomProjectionOptions& options = {},
                                  Where where = Where::current());

  std::string_view name() const override { return "SparseRandomProjection"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SparseRandomProjection>(*this);
  }
  std::vector<Param> params() override;
  const SparseRandomProjectionOptions& options() const { return options_; }

 protected:
  const RandomProjectionOptions& base() const override { return options_; }
  Tensor directions(int64_t count, int64_t features) const override;
  void check_options(Where where) const override;

 private:
  SparseRandomProjectionOptions options_;
};

}  // namespace glia::classic
