// Pictures of what models do, as sections of a report (glia/report.h).
//
// y_true (N) holds 0 to classes - 1, whose names are `classes`, and y_prob (N, classes)
// probabilities or any scores that are higher for the class. Of two classes the second is drawn, of
// more each against the rest, at most eight, without those that all or none of the samples are of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/classic/model_selection.h"
#include "glia/report.h"

namespace glia::classic {

// ---- Classes ------------------------------------------------------------------------------------

report::Section roc_section(const Tensor& y_true, const Tensor& y_prob,
                            const std::vector<std::string>& classes,
                            Where where = Where::current());
report::Section precision_recall_section(const Tensor& y_true, const Tensor& y_prob,
                                         const std::vector<std::string>& classes,
                                         Where where = Where::current());
// How often a class is true where its probability is so and so.
report::Section calibration_section(const Tensor& y_true, const Tensor& y_prob,
                                    const std::vector<std::string>& classes, int64_t n_bins = 10,
                                    Where where = Where::current());
// How often the guess is right where its probability is so and so, with the expected calibration
// error.
report::Section reliability_section(const Tensor& y_true, const Tensor& y_prob, int64_t n_bins = 15,
                                    Where where = Where::current());

// What a fitted classifier of two features says of the plane around X (N, 2), whose samples are the
// dots: y (N) are the estimator's classes, ascending in `classes`.
report::Section decision_boundary_section(const Estimator& estimator, const Tensor& x,
                                          const Tensor& y, const std::vector<std::string>& classes,
                                          Where where = Where::current());

// ---- Clusters and components --------------------------------------------------------------------

// The inertia of k-means by the number of clusters.
report::Section elbow_section(const std::vector<int64_t>& n_clusters,
                              const std::vector<double>& inertia, Where where = Where::current());
// The shares of variance of components, falling, and their sum.
report::Section scree_section(const Tensor& explained_variance_ratio,
                              Where where = Where::current());
// The tree of linkage(): (samples - 1, 4). Of many samples the last merges alone.
report::Section dendrogram_section(const Tensor& linkage, int64_t most = 60,
                                   Where where = Where::current());

// ---- Samples and options ------------------------------------------------------------------------

// Means over the splits, with their deviations; of a validation curve the training may be
// undefined.
report::Section learning_curve_section(const LearningCurve& curve,
                                       const std::string& score = "score",
                                       Where where = Where::current());
report::Section validation_curve_section(const std::string& param_name,
                                         const std::vector<double>& param_range,
                                         const ValidationCurve& curve,
                                         const std::string& score = "score", bool log = false,
                                         Where where = Where::current());

}  // namespace glia::classic
