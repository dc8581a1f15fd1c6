// How differently a model treats groups of people: Fairlearn's metrics, names and defaults.
//
//   const fairness::MetricFrame frame({{"accuracy", classic_accuracy}, {"selection", selection}},
//                                     y_true, y_pred, sex);
//   frame.difference("selection");
//
// y_true and y_pred (N) are 0 and 1 where it says rates; sensitive features are (N) or (N, k)
// integers, and a group is each combination that they have: intersections of sex and race, for
// instance. Functions throw ShapeError for what does not fit, and ValueError for other numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::fairness {

// Of the samples of one group; the weight is undefined if none was given. NaN: it has no value.
using Metric =
    std::function<double(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight)>;

// ---- Metrics of one group -----------------------------------------------------------------------
// NaN where there is nothing to divide by.

double selection_rate(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {});
double true_positive_rate(const Tensor& y_true, const Tensor& y_pred,
                          const Tensor& sample_weight = {});
double false_positive_rate(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight = {});
double true_negative_rate(const Tensor& y_true, const Tensor& y_pred,
                          const Tensor& sample_weight = {});
double false_negative_rate(const Tensor& y_true, const Tensor& y_pred,
                           const Tensor& sample_weight = {});
double accuracy(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {});
double mean_prediction(const Tensor& y_true, const Tensor& y_pred,
                       const Tensor& sample_weight = {});
double base_rate(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {});
double count(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight = {});
// The expected calibration error of y_pred, probabilities, in ten equal bins.
double calibration_error(const Tensor& y_true, const Tensor& y_pred,
                         const Tensor& sample_weight = {});

// ---- All groups ---------------------------------------------------------------------------------

enum class Between { kGroups, kOverall };  // each group and each other, or each and all samples
struct MetricFrameOptions {
  Tensor control_features = {};  // (N) or (N, c): groups are compared within each combination
  Tensor sample_weight = {};
};
class MetricFrame {
 public:
  MetricFrame(std::vector<std::pair<std::string, Metric>> metrics, const Tensor& y_true,
              const Tensor& y_pred, const Tensor& sensitive_features,
              const MetricFrameOptions& options = {}, Where where = Where::current());

  // The combinations that there may be, ascending, each a number for each feature. Those of
  // `controls` are one without numbers if there are no control features.
  const std::vector<std::vector<int64_t>>& groups() const { return groups_; }
  const std::vector<std::vector<int64_t>>& controls() const { return controls_; }
  // f64 of a metric: (groups), or (controls, groups); NaN of a combination that no sample has.
  Tensor by_group(const std::string& metric, Where where = Where::current()) const;
  // f64 of each of `controls`: (controls); () if there are none. So are all below.
  Tensor overall(const std::string& metric, Where where = Where::current()) const;
  Tensor group_min(const std::string& metric, Where where = Where::current()) const;
  Tensor group_max(const std::string& metric, Where where = Where::current()) const;
  Tensor difference(const std::string& metric, Between method = Between::kGroups,
                    Where where = Where::current()) const;
  Tensor ratio(const std::string& metric, Between method = Between::kGroups,
               Where where = Where::current()) const;

 private:
  using Reduce = std::function<double(const std::vector<double>& groups, double overall)>;
  size_t place_of(const std::string& metric, Where where) const;
  Tensor reduced(const std::string& metric, const Reduce& reduce, Where where) const;

  std::vector<std::string> names_;
  bool controlled_ = false;
  std::vector<std::vector<int64_t>> groups_, controls_;
  std::vector<std::vector<double>> by_group_, overall_;  // of each metric
};

struct FairnessOptions {
  Between method = Between::kGroups;
  Tensor sample_weight = {};
};
// Differences and ratios of selection rates: 0 and 1 where the share that is chosen is the same in
// all groups (Dwork et al. 2012).
double demographic_parity_difference(const Tensor& y_true, const Tensor& y_pred,
                                     const Tensor& sensitive_features,
                                     const FairnessOptions& options = {},
                                     Where where = Where::current());
double demographic_parity_ratio(const Tensor& y_true, const Tensor& y_pred,
                                const Tensor& sensitive_features,
                                const FairnessOptions& options = {},
                                Where where = Where::current());
// The greater of the differences, or the less of the ratios, of true and false positive rates
// (Hardt et al. 2016).
double equalized_odds_difference(const Tensor& y_true, const Tensor& y_pred,
                                 const Tensor& sensitive_features,
                                 const FairnessOptions& options = {},
                                 Where where = Where::current());
double equalized_odds_ratio(const Tensor& y_true, const Tensor& y_pred,
                            const Tensor& sensitive_features, const FairnessOptions& options = {},
                            Where where = Where::current());
// Of true positive rates alone.
double equal_opportunity_difference(const Tensor& y_true, const Tensor& y_pred,
                                    const Tensor& sensitive_features,
                                    const FairnessOptions& options = {},
                                    Where where = Where::current());
double equal_opportunity_ratio(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sensitive_features,
                               const FairnessOptions& options = {}, Where where = Where::current());

}  // namespace glia::fairness
