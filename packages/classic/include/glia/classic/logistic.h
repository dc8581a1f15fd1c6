// Logistic regression (Cox 1958).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

enum class Penalty { kNone, kL1, kL2, kElasticNet };
enum class LogisticSolver {
  kLbfgs,
  kNewtonCholesky,  // Newton's steps, as iterated least squares: for few features
  kSaga,            // one sample at a time (Defazio et al. 2014); all penalties
  kAscent,          // gradient ascent on the log-likelihood, of all samples
};
enum class MultiClass { kMultinomial, kOvr };
struct LogisticRegressionOptions {
  Penalty penalty = Penalty::kL2;  // kL1 and kElasticNet need kSaga
  double C = 1;                    // the loss's weight beside the penalty
  double l1_ratio = 0.5;           // of kElasticNet
  bool fit_intercept = true;       // not penalised
  LogisticSolver solver = LogisticSolver::kLbfgs;
  MultiClass multi_class = MultiClass::kMultinomial;  // softmax, or each class against the rest
  bool balanced = false;                              // classes weigh the same: n / (classes count)
  std::vector<double> class_weight = {};  // of the classes, ascending; besides sample_weight
  int64_t max_iter = 100;
  // Ends when no number of the mean gradient is above; of kSaga: when no weight changed by more, as
  // a part of the largest.
  double tol = 1e-4;
  // Of kAscent, on features of variance 1 if there is no penalty; unset: 1 / the most curvature.
  std::optional<double> learning_rate{};
  bool warm_start = false;
  uint64_t random_state = 0;
};
// Maximises C sum of w_i log p(y_i | x_i) - penalty, with |w|_1, |w|^2 / 2, or l1_ratio of the one
// and the rest of the other. Computed from logits, so that no probability becomes 0.
class LogisticRegression : public LinearClassifier {
 public:
  explicit LogisticRegression(const LogisticRegressionOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "LogisticRegression"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LogisticRegression>(*this);
  }
  std::vector<Param> params() override;
  LogisticRegression& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                          Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // The same of sparse samples, which are not made dense: by solver kLbfgs.
  LogisticRegression& fit(const Csr& x, const Tensor& y, const Tensor& sample_weight = {},
                          Where where = Where::current());
  Tensor predict_proba(const Csr& x, Where where = Where::current()) const;
  const LogisticRegressionOptions& options() const { return options_; }

  int64_t n_iter = 0;         // the most of all classes
  double log_likelihood = 0;  // the weighted sum of log p(y_i | x_i), without the penalty

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  struct Samples;  // dense or sparse
  void learn(const Samples& samples, const Tensor& y, const Tensor& sample_weight, Where where);
  Tensor probabilities(const Tensor& decision) const;

  LogisticRegressionOptions options_;
};

}  // namespace glia::classic
