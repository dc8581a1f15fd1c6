// How right an estimator is: scikit-learn's metrics, names and defaults.
#pragma once

#include "glia/tensor.h"

namespace glia::classic {

// ---- Classes ----------------------------------------------------------------------------------

// The share of samples whose class, an integer (N), is right.
double accuracy_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                      Where where = Where::current());

// ---- Numbers ----------------------------------------------------------------------------------

// The coefficient of determination, 1 - (residual / total sum of squares): (N), or the mean over
// the columns of (N, outputs). A column that is constant gives 1 if it is met exactly, else 0. NaN
// for less than two samples.
double r2_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {},
                Where where = Where::current());

// ---- Partitions -------------------------------------------------------------------------------

// Of a clustering beside the true classes. All are 1 where they are the same but for the names.
struct ClusteringScores {
  double homogeneity =
      0;  // each cluster has samples of one class only (Rosenberg, Hirschberg 2007)
  double completeness = 0;          // each class lies in one cluster
  double v_measure = 0;             // the harmonic mean of both
  double adjusted_rand = 0;         // of pairs, chance taken off (Hubert, Arabie 1985)
  double adjusted_mutual_info = 0;  // chance taken off, by the mean entropy (Vinh et al. 2010)
};
// Labels i64 (N), any numbers. Throws ShapeError for others.
ClusteringScores clustering_scores(const Tensor& labels_true, const Tensor& labels_pred,
                                   Where where = Where::current());

}  // namespace glia::classic
