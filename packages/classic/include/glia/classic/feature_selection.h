// Which features are kept. scikit-learn's names and defaults.
#pragma once

#include <optional>

#include "glia/classic/estimator.h"

namespace glia::classic {

// A test of each feature.
struct FeatureScores {
  Tensor scores, pvalues;  // (features) f64
};
// Analysis of variance: of samples of classes y.
FeatureScores f_classif(const Tensor& x, const Tensor& y, Where where = Where::current());
// Of the correlation with numbers y.
FeatureScores f_regression(const Tensor& x, const Tensor& y, Where where = Where::current());
// Of counts, which are not negative, and classes y.
FeatureScores chi2(const Tensor& x, const Tensor& y, Where where = Where::current());

struct VarianceThresholdOptions {
  double threshold = 0;
};
// Leaves out features whose variance is not above the threshold; throws ValueError if that is all.
// NaN is missing.
class VarianceThreshold : public Transformer {
 public:
  explicit VarianceThreshold(const VarianceThresholdOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "VarianceThreshold"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<VarianceThreshold>(*this);
  }
  std::vector<Param> params() override;
  VarianceThreshold& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const VarianceThresholdOptions& options() const { return options_; }

  Tensor variances;  // (features) f64
  Tensor support;    // (kept) i64: their positions

 private:
  VarianceThresholdOptions options_;
};

enum class ScoreFunction { kFClassif, kFRegression, kChi2 };
struct SelectKBestOptions {
  ScoreFunction score_func = ScoreFunction::kFClassif;
  std::optional<int64_t> k = 10;  // unset, or more than there are: all
};
// The features of the highest scores, in their order.
class SelectKBest : public Transformer {
 public:
  explicit SelectKBest(const SelectKBestOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "SelectKBest"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<SelectKBest>(*this); }
  std::vector<Param> params() override;
  SelectKBest& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                   Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SelectKBestOptions& options() const { return options_; }

  Tensor scores, pvalues;  // (features) f64
  Tensor support;          // (kept) i64: their positions

 private:
  SelectKBestOptions options_;
};

}  // namespace glia::classic
