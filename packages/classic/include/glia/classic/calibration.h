// Probabilities that are as often right as they say. scikit-learn's names and defaults, in f64.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/isotonic.h"
#include "glia/classic/metrics/curves.h"
#include "glia/classic/search.h"

namespace glia::classic {

// ---- By a score ---------------------------------------------------------------------------------

// P(1) = 1 / (1 + exp(a f + b)) for scores f of two classes.
struct SigmoidCalibration {
  double a = 0, b = 0;
};
// The likeliest a and b (Platt 1999), with his corrected targets, by Newton's method (Lin, Lin &
// Weng 2007): scores (N), y (N) of 0 and 1, weights (N).
SigmoidCalibration sigmoid_calibration(const Tensor& scores, const Tensor& y,
                                       const Tensor& sample_weight = {},
                                       Where where = Where::current());

// The temperature T (Guo et al. 2017) that makes softmax(logits / T) likeliest: logits (N,
// classes), y (N) classes 0 to classes - 1, weights (N). It lies between e^-10 and e^10, where it
// ends where every guess is right, or where none is better than chance.
double fit_temperature(const Tensor& logits, const Tensor& y, const Tensor& sample_weight = {},
                       Where where = Where::current());

// ---- By cross-validation ------------------------------------------------------------------------

// A sigmoid of each class's score (Platt 1999); any curve that does not fall (Zadrozny & Elkan
// 2002); one temperature for all classes (Guo et al. 2017).
enum class CalibrationMethod { kSigmoid, kIsotonic, kTemperature };
struct CalibratedClassifierOptions {
  CalibrationMethod method = CalibrationMethod::kSigmoid;
  CV cv = {};
  // Probabilities are the mean of those of each split's estimator; else one estimator is fitted to
  // all, and calibrated by what cross-validation says.
  bool ensemble = true;
  // The estimator is fitted already and stays as it is (FrozenEstimator): samples are for
  // calibration alone.
  bool prefit = false;
};
// The scores of a classifier, its decision_function() or else its predict_proba(), as
// probabilities. Of more than two classes each is calibrated against the rest, and what comes out
// is scaled to 1.
class CalibratedClassifierCV : public MetaEstimator<Classifier> {
 public:
  // Of a linear SVC, until another estimator is given: see set_parts().
  CalibratedClassifierCV();
  explicit CalibratedClassifierCV(const Estimator& estimator,
                                  const CalibratedClassifierOptions& options = {},
                                  Where where = Where::current());

  std::string_view name() const override { return "CalibratedClassifierCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<CalibratedClassifierCV>(*this);
  }
  // Weights are for the estimator and for the calibration.
  CalibratedClassifierCV& fit(const Tensor& x, const Tensor& y = {},
                              const Tensor& sample_weight = {},
                              Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const CalibratedClassifierOptions& options() const { return options_; }

  // One estimator for each split, or one alone, and how its scores become probabilities.
  FittedEstimators estimators;
  // Of kSigmoid (estimators, scores) both: P = 1 / (1 + exp(a f + b)).
  Tensor a, b;
  Tensor beta;                                          // of kTemperature: 1 / T, (estimators)
  std::vector<std::vector<IsotonicRegression>> curves;  // of kIsotonic, by estimator and score

 protected:
  std::vector<Param> own_params() override;

 private:
  struct Scored;
  std::vector<int64_t> columns(const Estimator& fitted) const;
  void learn(const std::vector<Scored>& all, Where where);
  Tensor probabilities(size_t split, const Tensor& x, Where where) const;

  CalibratedClassifierOptions options_;
};

// ---- How well they are --------------------------------------------------------------------------

struct CalibrationErrorOptions {
  int64_t n_bins = 15;
  CalibrationStrategy strategy = CalibrationStrategy::kUniform;
  double norm = 1;  // the mean of |accuracy - confidence|^norm over samples, and its root
};
// The expected calibration error (Naeini et al. 2015; Guo et al. 2017) of probabilities (N,
// classes), or (N) of the second of two, by the confidence of the class that is guessed: y (N)
// holds 0 to classes - 1. Bins are (low, high], as the paper has them.
double expected_calibration_error(const Tensor& y_true, const Tensor& y_prob,
                                  const CalibrationErrorOptions& options = {},
                                  Where where = Where::current());
// The largest gap of any bin.
double maximum_calibration_error(const Tensor& y_true, const Tensor& y_prob,
                                 const CalibrationErrorOptions& options = {},
                                 Where where = Where::current());

// Of each bin that is not empty: the mean confidence, how many guesses were right, and how many
// there are, (bins).
struct ReliabilityCurve {
  Tensor confidence, accuracy;
  Tensor count;  // i64
};
ReliabilityCurve reliability_curve(const Tensor& y_true, const Tensor& y_prob,
                                   const CalibrationErrorOptions& options = {},
                                   Where where = Where::current());

}  // namespace glia::classic
