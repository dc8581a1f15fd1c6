// Labels of many sources that are often wrong or say nothing: rules, crowds, other models.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/tensor.h"

namespace glia::human {

// Votes are (N, sources) integers: a class from 0 on, or kAbstain.
inline constexpr int64_t kAbstain = -1;

// The share of each class among the votes, (N, classes) f64; uniform where all abstain.
Tensor majority_vote(const Tensor& votes, int64_t classes, Where where = Where::current());

struct SourceSummary {
  double coverage = 0;   // the share of samples that it votes on
  double overlaps = 0;   // that another one votes on too
  double conflicts = 0;  // that another one votes otherwise on
  double accuracy = 0;   // of its votes; NaN without labels
};
// y (N) are labels where they are known, or undefined.
std::vector<SourceSummary> summarize(const Tensor& votes, const Tensor& y = {},
                                     Where where = Where::current());

struct LabelModelOptions {
  int64_t max_iter = 200;
  double tol = 1e-6;                       // of the mean log-likelihood
  double smoothing = 0.1;                  // counts that are added to each cell
  std::vector<double> class_balance = {};  // of the classes, if it is known
};
// What each source says of each true class, and the classes' shares, by their agreement alone
// (Dawid & Skene 1979; Ratner et al. 2017), by expectation and maximisation from the majority's
// vote on. To abstain says nothing of the class.
class LabelModel {
 public:
  explicit LabelModel(int64_t classes, const LabelModelOptions& options = {})
      : classes_(classes), options_(options) {}
  LabelModel& fit(const Tensor& votes, Where where = Where::current());
  // (N, classes) f64.
  Tensor predict_proba(const Tensor& votes, Where where = Where::current()) const;
  Tensor predict(const Tensor& votes, Where where = Where::current()) const;  // (N) i64

  Tensor confusion;    // (sources, classes, classes) f64: P(vote | class), rows are classes
  Tensor class_prior;  // (classes)
  Tensor accuracy;     // (sources): of a vote
  std::vector<double> log_likelihood;  // of each iteration, a sample's mean

 private:
  int64_t classes_;
  LabelModelOptions options_;
};

}  // namespace glia::human
