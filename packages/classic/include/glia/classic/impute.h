// Missing values: NaN, or a number that stands for it. scikit-learn's names and defaults.
#pragma once

#include <optional>

#include "glia/classic/estimator.h"
#include "glia/classic/neighbors.h"

namespace glia::classic {

enum class ImputeStrategy { kMean, kMedian, kMostFrequent, kConstant };
struct SimpleImputerOptions {
  ImputeStrategy strategy = ImputeStrategy::kMean;
  std::optional<double> missing_values = {};  // unset: NaN
  double fill_value = 0;                      // of kConstant
  bool add_indicator = false;        // a feature of 0 and 1 behind for each that lacks some
  bool keep_empty_features = false;  // those without any value as 0, or they are left out
};
// Fills in each feature's mean, median, most frequent (the least of equally frequent ones) or a
// constant.
class SimpleImputer : public Transformer {
 public:
  explicit SimpleImputer(const SimpleImputerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "SimpleImputer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SimpleImputer>(*this);
  }
  std::vector<Param> params() override;
  SimpleImputer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SimpleImputerOptions& options() const { return options_; }

  Tensor statistics;  // (features) f64; NaN of what is left out
  Tensor indicators;  // (indicators) i64: which features have one

 private:
  SimpleImputerOptions options_;
};

struct KNNImputerOptions {
  int64_t n_neighbors = 5;
  NeighborWeights weights = NeighborWeights::kUniform;
  std::optional<double> missing_values = {};
  bool add_indicator = false;
  bool keep_empty_features = false;
};
// Fills in the mean of the nearest samples that have the feature, by the distance over the
// features that neither lacks (Troyanskaya et al. 2001).
class KNNImputer : public Transformer {
 public:
  explicit KNNImputer(const KNNImputerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "KNNImputer"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<KNNImputer>(*this); }
  std::vector<Param> params() override;
  KNNImputer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                  Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const KNNImputerOptions& options() const { return options_; }

  Tensor fit_x;       // (samples, features) f64, missing ones NaN
  Tensor indicators;  // (indicators) i64

 private:
  KNNImputerOptions options_;
};

}  // namespace glia::classic
