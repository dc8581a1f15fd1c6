// Metrics of predicted classes, and of their probabilities.
//
// Classes are whole numbers (N) of any dtype. Where it says so, (N, L) of 0 and 1 is taken too: of
// L labels each sample has any. A weight (N) is as for Estimator::fit(). Shapes that do not fit
// each other are a ShapeError, numbers that are none of these a ValueError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

// ---- Right or wrong ---------------------------------------------------------------------------

// The share of samples whose class is right; of (N, L), all of whose labels are.
double accuracy_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                      Where where = Where::current());
// The share of the others.
double zero_one_loss(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                     Where where = Where::current());
// The share of wrong labels; also of (N, L).
double hamming_loss(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                    Where where = Where::current());
// The mean recall of the classes that there are; `adjusted`: 0 by chance.
double balanced_accuracy_score(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight = {}, bool adjusted = false,
                               Where where = Where::current());
// How far two raters agree beyond chance (Cohen 1960); NaN where both know one class only.
enum class KappaWeights { kNone, kLinear, kQuadratic };
double cohen_kappa_score(const Tensor& y1, const Tensor& y2,
                         KappaWeights weights = KappaWeights::kNone,
                         const Tensor& sample_weight = {}, Where where = Where::current());
// The correlation of truth and guess (Matthews 1975; Gorodkin 2004); 0 where one is constant.
double matthews_corrcoef(const Tensor& y_true, const Tensor& y_pred,
                         const Tensor& sample_weight = {}, Where where = Where::current());

// ---- Counts -----------------------------------------------------------------------------------

enum class Normalize { kNone, kTrue, kPred, kAll };
struct ConfusionOptions {
  std::vector<int64_t> labels =
      {};  // the classes, in this order; empty: all that appear, ascending
  Tensor sample_weight = {};
  Normalize normalize = Normalize::kNone;  // kTrue: rows add up to 1
};
// Samples of class i that are taken for class j, (classes, classes): i64, or f64 with weights or
// shares.
Tensor confusion_matrix(const Tensor& y_true, const Tensor& y_pred,
                        const ConfusionOptions& options = {}, Where where = Where::current());
// Of each class {{true negatives, false positives}, {false negatives, true positives}}:
// (classes, 2, 2) f64; also of (N, L).
Tensor multilabel_confusion_matrix(const Tensor& y_true, const Tensor& y_pred,
                                   const ConfusionOptions& options = {},
                                   Where where = Where::current());

// How the scores of classes become one. Binary: of `pos_label` alone. Samples: each sample of (N,
// L) is scored, and the mean is taken.
enum class Average { kBinary, kMicro, kMacro, kWeighted, kSamples };
struct ScoreOptions {
  Average average = Average::kBinary;
  int64_t pos_label = 1;
  std::vector<int64_t> labels = {};  // the classes that count; empty: all that appear
  Tensor sample_weight = {};
  double zero_division = 0;  // what 0 / 0 is; NaN is left out of means
};
// Also of (N, L). Binary throws ValueError if there are more than two classes.
double precision_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options = {},
                       Where where = Where::current());
double recall_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options = {},
                    Where where = Where::current());
double f1_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options = {},
                Where where = Where::current());
double fbeta_score(const Tensor& y_true, const Tensor& y_pred, double beta,
                   const ScoreOptions& options = {}, Where where = Where::current());
double jaccard_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options = {},
                     Where where = Where::current());

// The same of each class.
struct ClassScores {
  std::vector<int64_t> labels;
  Tensor precision, recall, fscore, support;  // (classes) f64; support: how many are of it
};
ClassScores precision_recall_fscore_support(const Tensor& y_true, const Tensor& y_pred,
                                            double beta = 1, const ScoreOptions& options = {},
                                            Where where = Where::current());

// The positive and the negative likelihood ratio of two classes; NaN where undefined.
struct LikelihoodRatios {
  double positive = 0, negative = 0;
};
LikelihoodRatios class_likelihood_ratios(const Tensor& y_true, const Tensor& y_pred,
                                         const Tensor& sample_weight = {},
                                         Where where = Where::current());

struct ReportOptions {
  std::vector<int64_t> labels = {};
  std::vector<std::string> target_names = {};  // of the classes; empty: their numbers
  Tensor sample_weight = {};
  int64_t digits = 2;
  double zero_division = 0;
};
// A table of precision, recall, F1 and support for people, as scikit-learn prints it.
std::string classification_report(const Tensor& y_true, const Tensor& y_pred,
                                  const ReportOptions& options = {},
                                  Where where = Where::current());

// ---- Probabilities and decisions --------------------------------------------------------------

struct LossOptions {
  Tensor sample_weight = {};
  std::vector<int64_t> labels = {};  // the columns' classes, ascending; empty: those of y_true
  bool normalize = true;             // the mean, not the sum
};
// Of probabilities (N, classes), or (N) of the greater of two, cut to [eps, 1 - eps].
double log_loss(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options = {},
                Where where = Where::current());
// The mean squared error of the probabilities, half the sum of two classes (Brier 1950).
double brier_score_loss(const Tensor& y_true, const Tensor& y_proba,
                        const LossOptions& options = {}, Where where = Where::current());
// 1 - loss / loss of always saying how often each class is. NaN for less than two samples.
double d2_log_loss_score(const Tensor& y_true, const Tensor& y_proba,
                         const LossOptions& options = {}, Where where = Where::current());
double d2_brier_score(const Tensor& y_true, const Tensor& y_proba, const LossOptions& options = {},
                      Where where = Where::current());
// Of decisions (N) of two classes, above 0 for the greater; or (N, classes) (Crammer, Singer 2001).
double hinge_loss(const Tensor& y_true, const Tensor& pred_decision,
                  const LossOptions& options = {}, Where where = Where::current());
// The share of samples whose class is among the k largest of (N, classes); the later of equal ones
// is taken for larger. Of (N) of two classes with k = 1 above 0.5, or 0 if these are no
// probabilities.
double top_k_accuracy_score(const Tensor& y_true, const Tensor& y_score, int64_t k = 2,
                            const LossOptions& options = {}, Where where = Where::current());

}  // namespace glia::classic
