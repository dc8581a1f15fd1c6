// Curves of two classes over thresholds of a score, and what lies below them.
//
// y_true (N) holds any two whole numbers, of which the greater is the positive one, unless
// `pos_label` says; y_score (N) is higher for it.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/tensor.h"

namespace glia::classic {

struct CurveOptions {
  std::optional<int64_t> pos_label = {};
  Tensor sample_weight = {};
  // Leaves out points that change nothing of what is drawn; unset: of roc_curve alone.
  std::optional<bool> drop_intermediate = {};
};

// Thresholds from infinity down: (points) each.
struct RocCurve {
  Tensor fpr, tpr, thresholds;
};
RocCurve roc_curve(const Tensor& y_true, const Tensor& y_score, const CurveOptions& options = {},
                   Where where = Where::current());
// Thresholds up, and at the end precision 1 and recall 0 without one.
struct PrecisionRecallCurve {
  Tensor precision, recall, thresholds;
};
PrecisionRecallCurve precision_recall_curve(const Tensor& y_true, const Tensor& y_score,
                                            const CurveOptions& options = {},
                                            Where where = Where::current());
// Errors of both kinds; throws ValueError unless there are both classes.
struct DetCurve {
  Tensor fpr, fnr, thresholds;
};
DetCurve det_curve(const Tensor& y_true, const Tensor& y_score, const CurveOptions& options = {},
                   Where where = Where::current());

// How often a class is true where its probability is so and so: means over bins that are not empty.
enum class CalibrationStrategy { kUniform, kQuantile };
struct CalibrationCurve {
  Tensor prob_true, prob_pred;  // (bins)
  Tensor count;                 // (bins) i64
};
CalibrationCurve calibration_curve(const Tensor& y_true, const Tensor& y_prob, int64_t n_bins = 5,
                                   CalibrationStrategy strategy = CalibrationStrategy::kUniform,
                                   std::optional<int64_t> pos_label = {},
                                   Where where = Where::current());

// The area below a curve, by trapezoids; x goes up or down. Throws ValueError otherwise.
double auc(const Tensor& x, const Tensor& y, Where where = Where::current());

enum class AreaMultiClass { kOneVsRest, kOneVsOne };
enum class AreaAverage { kMacro, kMicro, kWeighted };
struct AreaOptions {
  AreaAverage average = AreaAverage::kMacro;
  Tensor sample_weight = {};
  std::optional<double> max_fpr = {};  // of two classes: the standardised area up to there
  AreaMultiClass multi_class = AreaMultiClass::kOneVsRest;
};
// Below the ROC curve: of two classes (N), of classes with scores (N, classes) in their order, or
// of labels y_true (N, L) of 0 and 1. NaN where there is one class only.
double roc_auc_score(const Tensor& y_true, const Tensor& y_score, const AreaOptions& options = {},
                     Where where = Where::current());
// Below the precision-recall curve, as a sum of steps. The positive class of two is `pos_label`.
double average_precision_score(const Tensor& y_true, const Tensor& y_score,
                               const AreaOptions& options = {}, int64_t pos_label = 1,
                               Where where = Where::current());

}  // namespace glia::classic
