// Classes as normal distributions: with one covariance for all, the border between two is a plane
// (Fisher 1936), with their own a quadric. scikit-learn's names and defaults, in f64.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

// kSvd never forms the covariance. kLsqr and kEigen may shrink it; kLsqr has no transform().
enum class LdaSolver { kSvd, kLsqr, kEigen };
struct LinearDiscriminantAnalysisOptions {
  LdaSolver solver = LdaSolver::kSvd;
  ParamValue shrinkage = {};        // none, "auto" (Ledoit & Wolf 2004) or from 0 to 1
  std::vector<double> priors = {};  // of the classes, ascending; none: their shares
  std::optional<int64_t> n_components =
      {};                         // of transform(); unset: all, min(classes - 1, features)
  bool store_covariance = false;  // also with kSvd
  double tol = 1e-4;              // of kSvd: singular values that count as 0
};
class LinearDiscriminantAnalysis : public LinearClassifier {
 public:
  explicit LinearDiscriminantAnalysis(const LinearDiscriminantAnalysisOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "LinearDiscriminantAnalysis"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LinearDiscriminantAnalysis>(*this);
  }
  std::vector<Param> params() override;
  // Takes no weights. Throws ValueError for less than two classes, or no more samples than classes.
  LinearDiscriminantAnalysis& fit(const Tensor& x, const Tensor& y = {},
                                  const Tensor& sample_weight = {},
                                  Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // On the axes that part the classes most, (samples, n_components).
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  const LinearDiscriminantAnalysisOptions& options() const { return options_; }

  Tensor means;                     // (classes, features)
  Tensor priors;                    // (classes)
  Tensor xbar;                      // (features) of kSvd: the mean by the priors
  Tensor scalings;                  // (features, axes) of kSvd and kEigen
  Tensor covariance;                // (features, features) within classes, if it was formed
  Tensor explained_variance_ratio;  // (n_components) of kSvd and kEigen: shares between classes

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  LinearDiscriminantAnalysisOptions options_;
};

enum class QdaSolver { kSvd, kEigen };
struct QuadraticDiscriminantAnalysisOptions {
  QdaSolver solver = QdaSolver::kSvd;
  ParamValue shrinkage = {};  // of kEigen: none, "auto" or from 0 to 1
  std::vector<double> priors = {};
  double reg_param = 0;  // of kSvd, from 0 to 1: (1 - reg_param) C + reg_param I
  bool store_covariance = false;
  double tol = 1e-4;  // variances that count as 0
};
class QuadraticDiscriminantAnalysis : public Classifier {
 public:
  explicit QuadraticDiscriminantAnalysis(const QuadraticDiscriminantAnalysisOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "QuadraticDiscriminantAnalysis"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<QuadraticDiscriminantAnalysis>(*this);
  }
  std::vector<Param> params() override;
  // Takes no weights. Throws ValueError where the covariance of a class is singular.
  QuadraticDiscriminantAnalysis& fit(const Tensor& x, const Tensor& y = {},
                                     const Tensor& sample_weight = {},
                                     Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  // log P(y) + log P(x | y) but for a constant; of two classes the second minus the first.
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const QuadraticDiscriminantAnalysisOptions& options() const { return options_; }

  Tensor means;       // (classes, features)
  Tensor priors;      // (classes)
  Tensor rotations;   // (classes, features, features) axes of each class's ellipse, in columns
  Tensor scalings;    // (classes, features) variances along them
  Tensor covariance;  // (classes, features, features), if it is stored

 private:
  std::vector<FittedAttribute> attributes();
  Tensor joint(std::string_view op, const Tensor& x, Where where) const;

  QuadraticDiscriminantAnalysisOptions options_;
};

}  // namespace glia::classic
