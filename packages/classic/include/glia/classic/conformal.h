// Conformal prediction (Vovk, Gammerman & Shafer 2005): sets and intervals around any model that
// hold the truth with a probability that is asked for, whatever the distribution, as long as
// samples are exchangeable. Names are those of MAPIE.
//
// What is said of a model is how badly it fits samples that it has not seen: their scores, of which
// the ceil((n + 1) confidence_level)-th smallest is the threshold. Of a model that is no estimator,
// such as a network, the functions below take what it says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/meta.h"
#include "glia/classic/search.h"

namespace glia::classic {

// ---- Scores, thresholds, sets -------------------------------------------------------------------

// 1 - p of the class (Sadinle, Lei & Wasserman 2019): the smallest sets on average; or what is more
// probable than the class, and the class itself (Romano, Sesia & Candes 2020): sets that adapt to
// how hard a sample is; of kApsRandomized a uniform share of the class itself, which makes the
// coverage exact.
enum class ConformityScore { kLac, kAps, kApsRandomized };

// The scores of classes `y` (N), 0 to classes - 1, by probabilities (N, classes): (N) f64.
Tensor conformity_scores(const Tensor& y_prob, const Tensor& y,
                         ConformityScore score = ConformityScore::kLac, uint64_t random_state = 0,
                         Where where = Where::current());
// The ceil((N + 1) confidence_level)-th smallest of scores (N), infinite if there are fewer. Throws
// ValueError unless 0 < confidence_level < 1.
double conformal_quantile(const Tensor& scores, double confidence_level,
                          Where where = Where::current());
// The classes whose score is at most the threshold: bool (N, classes). By kAps the most probable
// class is always among them; else a set may be empty.
Tensor prediction_sets(const Tensor& y_prob, double threshold,
                       ConformityScore score = ConformityScore::kLac, uint64_t random_state = 0,
                       Where where = Where::current());

// The share of samples whose set, bool (N, classes), has the class y (N), 0 to classes - 1; and how
// many classes a set has on average.
double classification_coverage_score(const Tensor& y_true, const Tensor& sets,
                                     Where where = Where::current());
double classification_mean_width_score(const Tensor& sets, Where where = Where::current());
// The same of intervals: y, lower and upper are (N) or (N, outputs).
double regression_coverage_score(const Tensor& y_true, const Tensor& lower, const Tensor& upper,
                                 Where where = Where::current());
double regression_mean_width_score(const Tensor& lower, const Tensor& upper,
                                   Where where = Where::current());

// ---- Estimators ---------------------------------------------------------------------------------

struct SplitConformalOptions {
  double confidence_level = 0.9;
  // The share of the samples that fit() keeps for the scores; 0: none, and conformalize() follows.
  double conformalize_size = 0.25;
  bool prefit = false;        // the estimator is fitted already: all samples are for the scores
  uint64_t random_state = 0;  // of what is drawn
};
struct CrossConformalOptions {
  double confidence_level = 0.9;
  CV cv = {};
  uint64_t random_state = 0;
};

// A model, and how badly it fits samples that it was not fitted to (Papadopoulos et al. 2002):
// predict() and predict_proba() are the model's.
template <class Base>
class SplitConformal : public MetaEstimator<Base> {
 public:
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const SplitConformalOptions& options() const { return options_; }

  std::shared_ptr<const Estimator> fitted_estimator;
  Tensor scores;  // (samples kept)

 protected:
  SplitConformal(const Estimator& estimator, const SplitConformalOptions& options)
      : MetaEstimator<Base>(estimator), options_(options) {}
  std::vector<Param> own_params() override;
  // fit(), by conformalize() of what is kept.
  void learn(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where);
  virtual void set_scores(const Tensor& x, const Tensor& y, Where where) = 0;

  SplitConformalOptions options_;
};
extern template class SplitConformal<Classifier>;
extern template class SplitConformal<Regressor>;

// The sets of a classifier with probabilities.
class SplitConformalClassifier : public SplitConformal<Classifier> {
 public:
  // Of LogisticRegression, until another estimator is given: see set_parts().
  SplitConformalClassifier();
  explicit SplitConformalClassifier(const Estimator& estimator,
                                    const SplitConformalOptions& options = {},
                                    ConformityScore conformity_score = ConformityScore::kLac)
      : SplitConformal(estimator, options), score_(conformity_score) {}

  std::string_view name() const override { return "SplitConformalClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SplitConformalClassifier>(*this);
  }
  SplitConformalClassifier& fit(const Tensor& x, const Tensor& y = {},
                                const Tensor& sample_weight = {},
                                Where where = Where::current()) override;
  // Scores of other samples, instead of those that fit() kept.
  SplitConformalClassifier& conformalize(const Tensor& x, const Tensor& y,
                                         Where where = Where::current());
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // bool (samples, classes).
  Tensor predict_set(const Tensor& x, Where where = Where::current()) const;

 protected:
  std::vector<Param> own_params() override;
  void set_scores(const Tensor& x, const Tensor& y, Where where) override;

 private:
  ConformityScore score_;
};

// What a regressor says, and the interval around it, (samples).
struct PredictionInterval {
  Tensor prediction, lower, upper;
};

// Intervals of one width, by the absolute errors (Lei et al. 2018).
class SplitConformalRegressor : public SplitConformal<Regressor> {
 public:
  // Of LinearRegression, until another estimator is given: see set_parts().
  SplitConformalRegressor();
  explicit SplitConformalRegressor(const Estimator& estimator,
                                   const SplitConformalOptions& options = {})
      : SplitConformal(estimator, options) {}

  std::string_view name() const override { return "SplitConformalRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<SplitConformalRegressor>(*this);
  }
  SplitConformalRegressor& fit(const Tensor& x, const Tensor& y = {},
                               const Tensor& sample_weight = {},
                               Where where = Where::current()) override;
  SplitConformalRegressor& conformalize(const Tensor& x, const Tensor& y,
                                        Where where = Where::current());
  PredictionInterval predict_interval(const Tensor& x, Where where = Where::current()) const;

 protected:
  void set_scores(const Tensor& x, const Tensor& y, Where where) override;
};

// The same of all samples by cross-validation: each sample's score is that of the fold's estimator
// that has not seen it.
template <class Base>
class CrossConformal : public MetaEstimator<Base> {
 public:
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const CrossConformalOptions& options() const { return options_; }

  FittedEstimators estimators;  // of each fold; of a regressor one of all samples besides, last
  Tensor scores;                // (samples)
  Tensor fold;                  // (samples) i64: in which fold's test each is

 protected:
  CrossConformal(const Estimator& estimator, const CrossConformalOptions& options)
      : MetaEstimator<Base>(estimator), options_(options) {}
  std::vector<Param> own_params() override;

  CrossConformalOptions options_;
};
extern template class CrossConformal<Classifier>;
extern template class CrossConformal<Regressor>;

// CV+ (Romano, Sesia & Candes 2020): a class is in the set unless too many samples fit better than
// it does. Coverage is at least 2 confidence_level - 1, and about confidence_level. predict_proba()
// is the mean of the folds.
class CrossConformalClassifier : public CrossConformal<Classifier> {
 public:
  CrossConformalClassifier();
  explicit CrossConformalClassifier(const Estimator& estimator,
                                    const CrossConformalOptions& options = {},
                                    ConformityScore conformity_score = ConformityScore::kLac)
      : CrossConformal(estimator, options), score_(conformity_score) {}

  std::string_view name() const override { return "CrossConformalClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<CrossConformalClassifier>(*this);
  }
  CrossConformalClassifier& fit(const Tensor& x, const Tensor& y = {},
                                const Tensor& sample_weight = {},
                                Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_set(const Tensor& x, Where where = Where::current()) const;

 protected:
  std::vector<Param> own_params() override;

 private:
  ConformityScore score_;
};

// CV+ (Barber, Candes, Ramdas & Tibshirani 2021), or jackknife+ with LeaveOneOut: quantiles of what
// each fold says, less and more the absolute errors of its test. predict() is the estimator fitted
// to all samples.
class CrossConformalRegressor : public CrossConformal<Regressor> {
 public:
  CrossConformalRegressor();
  explicit CrossConformalRegressor(const Estimator& estimator,
                                   const CrossConformalOptions& options = {})
      : CrossConformal(estimator, options) {}

  std::string_view name() const override { return "CrossConformalRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<CrossConformalRegressor>(*this);
  }
  CrossConformalRegressor& fit(const Tensor& x, const Tensor& y = {},
                               const Tensor& sample_weight = {},
                               Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  PredictionInterval predict_interval(const Tensor& x, Where where = Where::current()) const;
};

struct QuantileConformalOptions : SplitConformalOptions {
  // One threshold for both ends (Romano et al. 2019, theorem 1), or one for each (theorem 2), which
  // is wider and holds on both sides.
  bool symmetric_correction = false;
  std::string quantile_param = "quantile";  // the estimator's option
};
// Intervals between two quantiles, as wide as they are apart, moved until they hold as often as
// they should (Romano, Patterson & Candes 2019). predict() is the median.
class ConformalizedQuantileRegressor : public MetaEstimator<Regressor> {
 public:
  // Of QuantileRegressor, until another estimator is given: see set_parts().
  ConformalizedQuantileRegressor();
  explicit ConformalizedQuantileRegressor(const Estimator& estimator,
                                          const QuantileConformalOptions& options = {})
      : MetaEstimator(estimator), options_(options) {}

  std::string_view name() const override { return "ConformalizedQuantileRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ConformalizedQuantileRegressor>(*this);
  }
  ConformalizedQuantileRegressor& fit(const Tensor& x, const Tensor& y = {},
                                      const Tensor& sample_weight = {},
                                      Where where = Where::current()) override;
  ConformalizedQuantileRegressor& conformalize(const Tensor& x, const Tensor& y,
                                               Where where = Where::current());
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  PredictionInterval predict_interval(const Tensor& x, Where where = Where::current()) const;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const QuantileConformalOptions& options() const { return options_; }

  FittedEstimators estimators;        // lower, upper, median
  Tensor lower_scores, upper_scores;  // (samples kept): lower - y and y - upper

 protected:
  std::vector<Param> own_params() override;

 private:
  QuantileConformalOptions options_;
};

}  // namespace glia::classic
