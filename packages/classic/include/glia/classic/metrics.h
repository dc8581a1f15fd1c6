// How alike two partitions of the same samples are: scikit-learn's scores of clusterings.
#pragma once

#include "glia/tensor.h"

namespace glia::classic {

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
