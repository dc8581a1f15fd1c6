// Preprocessing of features: scikit-learn's transformers, names and defaults.
//
// Where it says so, NaN is a missing value: fit() passes over it, and transform() leaves it.
#pragma once

#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

// ---- Scaling ----------------------------------------------------------------------------------

struct StandardScalerOptions {
  bool with_mean = true;
  bool with_std = true;
};

// Takes off each feature's mean and divides by its standard deviation; a feature that is constant
// is not divided.
class StandardScaler : public Transformer {
 public:
  explicit StandardScaler(const StandardScalerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "StandardScaler"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<StandardScaler>(*this);
  }
  std::vector<Param> params() override;
  StandardScaler& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const StandardScalerOptions& options() const { return options_; }

  Tensor mean, var, scale;  // (features) f64
  int64_t n_samples_seen = 0;

 private:
  StandardScalerOptions options_;
};

struct MinMaxScalerOptions {
  double feature_min = 0, feature_max = 1;  // scikit-learn's feature_range
  bool clip = false;                        // what lies beyond what fit() saw
};
// Brings each feature into a range. NaN is missing.
class MinMaxScaler : public Transformer {
 public:
  explicit MinMaxScaler(const MinMaxScalerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "MinMaxScaler"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MinMaxScaler>(*this);
  }
  std::vector<Param> params() override;
  MinMaxScaler& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const MinMaxScalerOptions& options() const { return options_; }

  Tensor min, scale, data_min, data_max, data_range;  // (features) f64: x scale + min

 private:
  MinMaxScalerOptions options_;
};

struct MaxAbsScalerOptions {
  bool clip = false;
};
// Divides each feature by its largest absolute value. NaN is missing.
class MaxAbsScaler : public Transformer {
 public:
  explicit MaxAbsScaler(const MaxAbsScalerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "MaxAbsScaler"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<MaxAbsScaler>(*this);
  }
  std::vector<Param> params() override;
  MaxAbsScaler& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const MaxAbsScalerOptions& options() const { return options_; }

  Tensor scale, max_abs;  // (features) f64

 private:
  MaxAbsScalerOptions options_;
};

struct RobustScalerOptions {
  bool with_centering = true;
  bool with_scaling = true;
  double quantile_min = 25, quantile_max = 75;  // scikit-learn's quantile_range
  bool unit_variance = false;                   // of what is normal
};
// Takes off each feature's median and divides by the range between two percentiles. NaN is
// missing.
class RobustScaler : public Transformer {
 public:
  explicit RobustScaler(const RobustScalerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "RobustScaler"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RobustScaler>(*this);
  }
  std::vector<Param> params() override;
  RobustScaler& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const RobustScalerOptions& options() const { return options_; }

  Tensor center, scale;  // (features) f64; 0 and 1 without

 private:
  RobustScalerOptions options_;
};

enum class Norm { kL1, kL2, kMax };
struct NormalizerOptions {
  Norm norm = Norm::kL2;
};
// Divides each sample by its norm, unless that is 0.
class Normalizer : public Transformer {
 public:
  explicit Normalizer(const NormalizerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "Normalizer"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Normalizer>(*this); }
  std::vector<Param> params() override;
  Normalizer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                  Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const NormalizerOptions& options() const { return options_; }

 private:
  NormalizerOptions options_;
};

struct BinarizerOptions {
  double threshold = 0;
};
// 1 of what is above the threshold, else 0.
class Binarizer : public Transformer {
 public:
  explicit Binarizer(const BinarizerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "Binarizer"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Binarizer>(*this); }
  std::vector<Param> params() override;
  Binarizer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                 Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const BinarizerOptions& options() const { return options_; }

 private:
  BinarizerOptions options_;
};

// ---- Bins and ranks ---------------------------------------------------------------------------

enum class BinEncode { kOneHot, kOrdinal };
enum class BinStrategy { kUniform, kQuantile, kKMeans };
enum class QuantileMethod { kLinear, kInvertedCdf, kAveragedInvertedCdf };
struct KBinsDiscretizerOptions {
  int64_t n_bins = 5;
  BinEncode encode = BinEncode::kOneHot;
  BinStrategy strategy = BinStrategy::kQuantile;
  QuantileMethod quantile_method = QuantileMethod::kAveragedInvertedCdf;
};
// Cuts each feature into bins; those that would be narrower than 1e-8 are joined, and what is
// constant is one bin. inverse_transform() gives their middles.
class KBinsDiscretizer : public Transformer {
 public:
  explicit KBinsDiscretizer(const KBinsDiscretizerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "KBinsDiscretizer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<KBinsDiscretizer>(*this);
  }
  std::vector<Param> params() override;
  KBinsDiscretizer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const KBinsDiscretizerOptions& options() const { return options_; }

  Tensor n_bins;     // (features) i64
  Tensor bin_edges;  // f64: n_bins + 1 of each feature with more than one, one after the other

 private:
  KBinsDiscretizerOptions options_;
};

enum class OutputDistribution { kUniform, kNormal };
struct QuantileTransformerOptions {
  int64_t n_quantiles = 1000;
  OutputDistribution output_distribution = OutputDistribution::kUniform;
  std::optional<int64_t> subsample = 10000;  // samples that are looked at, at most
  uint64_t random_state = 0;
};
// Each feature by its rank: uniform in [0, 1], or normal. NaN is missing.
class QuantileTransformer : public Transformer {
 public:
  explicit QuantileTransformer(const QuantileTransformerOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "QuantileTransformer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<QuantileTransformer>(*this);
  }
  std::vector<Param> params() override;
  QuantileTransformer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                           Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const QuantileTransformerOptions& options() const { return options_; }

  Tensor quantiles;   // (quantiles, features) f64
  Tensor references;  // (quantiles), from 0 to 1

 private:
  QuantileTransformerOptions options_;
};

enum class PowerMethod { kYeoJohnson, kBoxCox };
struct PowerTransformerOptions {
  PowerMethod method = PowerMethod::kYeoJohnson;
  bool standardize = true;
};
// Makes each feature as normal as a power can (Yeo, Johnson 2000; Box, Cox 1964), by the most
// likely exponent. Box-Cox throws ValueError for what is not positive. NaN is missing.
class PowerTransformer : public Transformer {
 public:
  explicit PowerTransformer(const PowerTransformerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "PowerTransformer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<PowerTransformer>(*this);
  }
  std::vector<Param> params() override;
  PowerTransformer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                        Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const PowerTransformerOptions& options() const { return options_; }

  Tensor lambdas;      // (features) f64
  Tensor mean, scale;  // (features) f64, of what is transformed; 0 and 1 without standardize

 private:
  PowerTransformerOptions options_;
};

// ---- More features ----------------------------------------------------------------------------

struct PolynomialFeaturesOptions {
  int64_t degree = 2, min_degree = 0;
  bool interaction_only = false;  // no powers
  bool include_bias = true;       // a feature that is 1
};
// All products of up to so many features.
class PolynomialFeatures : public Transformer {
 public:
  explicit PolynomialFeatures(const PolynomialFeaturesOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "PolynomialFeatures"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<PolynomialFeatures>(*this);
  }
  std::vector<Param> params() override;
  PolynomialFeatures& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const PolynomialFeaturesOptions& options() const { return options_; }

  Tensor powers;  // (outputs, features) i64: the exponents

 private:
  PolynomialFeaturesOptions options_;
};

enum class SplineKnots { kUniform, kQuantile };
enum class SplineExtrapolation { kError, kConstant, kLinear, kContinue, kPeriodic };
struct SplineTransformerOptions {
  int64_t n_knots = 5, degree = 3;
  SplineKnots knots = SplineKnots::kUniform;
  SplineExtrapolation extrapolation = SplineExtrapolation::kConstant;
  bool include_bias = true;  // the last spline of each feature
};
// The B-splines of each feature.
class SplineTransformer : public Transformer {
 public:
  explicit SplineTransformer(const SplineTransformerOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "SplineTransformer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SplineTransformer>(*this);
  }
  std::vector<Param> params() override;
  SplineTransformer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SplineTransformerOptions& options() const { return options_; }

  Tensor knots;  // (n_knots + 2 degree, features) f64, with those beyond the ends

 private:
  SplineTransformerOptions options_;
};

}  // namespace glia::classic
