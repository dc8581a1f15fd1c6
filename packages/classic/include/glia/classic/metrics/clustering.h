// Metrics of partitions: of two beside each other, and of one beside the samples.
//
// Labels are i64 (N), any numbers; ShapeError for others.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::classic {

// ---- Beside the truth -------------------------------------------------------------------------

// Of a clustering beside the true classes. All are 1 where they are the same but for the names.
struct ClusteringScores {
  double homogeneity =
      0;  // each cluster has samples of one class only (Rosenberg, Hirschberg 2007)
  double completeness = 0;          // each class lies in one cluster
  double v_measure = 0;             // the harmonic mean of both
  double adjusted_rand = 0;         // of pairs, chance taken off (Hubert, Arabie 1985)
  double adjusted_mutual_info = 0;  // chance taken off, by the mean entropy (Vinh et al. 2010)
};
ClusteringScores clustering_scores(const Tensor& labels_true, const Tensor& labels_pred,
                                   Where where = Where::current());
// One of them each.
double homogeneity_score(const Tensor& labels_true, const Tensor& labels_pred,
                         Where where = Where::current());
double completeness_score(const Tensor& labels_true, const Tensor& labels_pred,
                          Where where = Where::current());
// `beta` above 1 weighs completeness more.
double v_measure_score(const Tensor& labels_true, const Tensor& labels_pred, double beta = 1,
                       Where where = Where::current());
double adjusted_rand_score(const Tensor& labels_true, const Tensor& labels_pred,
                           Where where = Where::current());

// Samples of each class in each cluster, both ascending: (classes, clusters) i64.
Tensor contingency_matrix(const Tensor& labels_true, const Tensor& labels_pred,
                          Where where = Where::current());
// Ordered pairs that are {{apart in both, together in the second}, {in the first, in both}}: (2, 2)
// i64.
Tensor pair_confusion_matrix(const Tensor& labels_true, const Tensor& labels_pred,
                             Where where = Where::current());
double rand_score(const Tensor& labels_true, const Tensor& labels_pred,
                  Where where = Where::current());
double fowlkes_mallows_score(const Tensor& labels_true, const Tensor& labels_pred,
                             Where where = Where::current());
// In nats.
double mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred,
                         Where where = Where::current());
enum class EntropyAverage { kMin, kGeometric, kArithmetic, kMax };
double normalized_mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred,
                                    EntropyAverage average_method = EntropyAverage::kArithmetic,
                                    Where where = Where::current());
double adjusted_mutual_info_score(const Tensor& labels_true, const Tensor& labels_pred,
                                  EntropyAverage average_method = EntropyAverage::kArithmetic,
                                  Where where = Where::current());

// ---- Beside the samples -----------------------------------------------------------------------

// Of X (N, features), or, precomputed, distances (N, N) with 0 on the diagonal. Throws ValueError
// unless there are from 2 to N - 1 labels.
enum class SilhouetteMetric { kEuclidean, kPrecomputed };
// (N): how much nearer each sample lies to its own cluster than to the next (Rousseeuw 1987), from
// -1 to 1; 0 for one that is alone. And the mean.
Tensor silhouette_samples(const Tensor& x, const Tensor& labels,
                          SilhouetteMetric metric = SilhouetteMetric::kEuclidean,
                          Where where = Where::current());
double silhouette_score(const Tensor& x, const Tensor& labels,
                        SilhouetteMetric metric = SilhouetteMetric::kEuclidean,
                        Where where = Where::current());
// Variance between clusters over that within (Caliński, Harabasz 1974): large is good.
double calinski_harabasz_score(const Tensor& x, const Tensor& labels,
                               Where where = Where::current());
// How wide clusters are for their distance to the most alike (Davies, Bouldin 1979): small is good.
double davies_bouldin_score(const Tensor& x, const Tensor& labels, Where where = Where::current());

}  // namespace glia::classic
