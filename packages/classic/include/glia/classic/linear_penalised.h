// Least squares with a penalty: ridge, lasso, elastic net, their paths and cross-validation.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/classic/linear_base.h"

namespace glia::classic {

enum class RidgeSolver {
  kAuto,  // kCholesky, of the smaller of X^T X and X X^T; kSVD where that is singular
  kSVD,   // any condition
  kCholesky,
};
struct RidgeOptions {
  double alpha = 1;
  bool fit_intercept = true;
  RidgeSolver solver = RidgeSolver::kAuto;
};
// Minimises |y - X w|^2 + alpha |w|^2 (Hoerl & Kennard 1970); the intercept is not penalised.
class Ridge : public LinearRegressor {
 public:
  explicit Ridge(const RidgeOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "Ridge"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Ridge>(*this); }
  std::vector<Param> params() override;
  Ridge& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
             Where where = Where::current()) override;
  const RidgeOptions& options() const { return options_; }

 private:
  RidgeOptions options_;
};

struct RidgeCVOptions {
  std::vector<double> alphas = {0.1, 1, 10};
  bool fit_intercept = true;
};
// Ridge with the alpha of the least mean squared error where each sample is left out, which one
// factorisation gives in closed form (Golub, Heath & Wahba 1979).
class RidgeCV : public LinearRegressor {
 public:
  explicit RidgeCV(const RidgeCVOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "RidgeCV"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<RidgeCV>(*this); }
  std::vector<Param> params() override;
  RidgeCV& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) override;
  const RidgeCVOptions& options() const { return options_; }

  double alpha = 0;       // the best one, the first of equals
  double best_score = 0;  // minus its mean squared error
  Tensor cv_errors;       // (alphas) mean squared errors

 protected:
  std::vector<FittedAttribute> attributes() override;

 private:
  RidgeCVOptions options_;
};

enum class Selection { kCyclic, kRandom };
struct ElasticNetOptions {
  double alpha = 1;
  double l1_ratio = 0.5;  // 1: lasso; 0: ridge
  bool fit_intercept = true;
  bool precompute = false;  // X^T X first: faster for many more samples than features
  int64_t max_iter = 1000;
  double tol = 1e-4;  // ends when the duality gap is at most tol |y|^2
  bool warm_start = false;
  bool positive = false;
  Selection selection = Selection::kCyclic;
  uint64_t random_state = 0;
};
// Minimises |y - X w|^2 / (2 n) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|^2 / 2 (Zou &
// Hastie 2005) by coordinate descent (Friedman et al. 2010), with the stop rule and screening of
// features (Fercoq et al. 2015) of scikit-learn. Several outputs are fitted one by one.
class ElasticNet : public LinearRegressor {
 public:
  explicit ElasticNet(const ElasticNetOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "ElasticNet"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<ElasticNet>(*this); }
  std::vector<Param> params() override;
  ElasticNet& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                  Where where = Where::current()) override;
  const ElasticNetOptions& options() const { return options_; }

  double dual_gap = 0;  // the largest of all outputs, for the objective above
  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;
  ElasticNetOptions options_;
};

struct LassoOptions {
  double alpha = 1;
  bool fit_intercept = true;
  bool precompute = false;
  int64_t max_iter = 1000;
  double tol = 1e-4;
  bool warm_start = false;
  bool positive = false;
  Selection selection = Selection::kCyclic;
  uint64_t random_state = 0;
};
// The elastic net with l1_ratio = 1 (Tibshirani 1996).
class Lasso : public ElasticNet {
 public:
  explicit Lasso(const LassoOptions& options = {});

  std::string_view name() const override { return "Lasso"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Lasso>(*this); }
  std::vector<Param> params() override;
};

struct PathOptions {
  double l1_ratio = 0.5;
  double eps = 1e-3;  // the least alpha over the largest, at which all coefficients are 0
  int64_t n_alphas = 100;
  std::vector<double> alphas = {};      // instead
  std::optional<bool> precompute = {};  // X^T X first; unset: for more samples than features
  int64_t max_iter = 1000;
  double tol = 1e-4;
  bool positive = false;
};
struct PathResult {
  Tensor alphas;     // (alphas) falling
  Tensor coefs;      // (features, alphas)
  Tensor dual_gaps;  // (alphas)
};
// The elastic net of y (N) on x (N, features) for many alphas, each begun where the last ended. As
// scikit-learn's it takes X and y as they are: centre them first.
PathResult enet_path(const Tensor& x, const Tensor& y, const PathOptions& options = {},
                     Where where = Where::current());
// With l1_ratio = 1.
PathResult lasso_path(const Tensor& x, const Tensor& y, const PathOptions& options = {},
                      Where where = Where::current());

struct ElasticNetCVOptions {
  std::vector<double> l1_ratio = {0.5};
  double eps = 1e-3;
  int64_t n_alphas = 100;
  std::vector<double> alphas = {};
  bool fit_intercept = true;
  int64_t cv = 5;  // folds of neighbours, not shuffled
  int64_t max_iter = 1000;
  double tol = 1e-4;
  bool positive = false;
};
// The elastic net with the l1_ratio and alpha of the least mean squared error over the folds.
class ElasticNetCV : public LinearRegressor {
 public:
  explicit ElasticNetCV(const ElasticNetCVOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "ElasticNetCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ElasticNetCV>(*this);
  }
  std::vector<Param> params() override;
  ElasticNetCV& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  const ElasticNetCVOptions& options() const { return options_; }

  double alpha = 0, l1_ratio = 0;  // the best ones
  Tensor alphas;                   // (l1_ratios, alphas)
  Tensor mse_path;                 // (l1_ratios, alphas, folds)

 protected:
  std::vector<FittedAttribute> attributes() override;
  ElasticNetCVOptions options_;
};
// With l1_ratio = 1.
class LassoCV : public ElasticNetCV {
 public:
  explicit LassoCV(const ElasticNetCVOptions& options = {});

  std::string_view name() const override { return "LassoCV"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<LassoCV>(*this); }
};

struct LarsOptions {
  bool fit_intercept = true;
  int64_t n_nonzero_coefs = 500;  // of Lars
  double alpha = 1;               // of LassoLars: as in Lasso
  int64_t max_iter = 500;         // of LassoLars
};
struct LarsPath {
  Tensor alphas;  // (steps + 1) falling: the largest |X^T r| / n
  Tensor coefs;   // (features, steps + 1)
  Tensor active;  // (active features) i64, in the order in which they came in
};
// Least angle regression (Efron et al. 2004), or with `lasso` the whole path of the lasso, on X and
// y as they are, down to alpha_min and for at most max_iter steps.
LarsPath lars_path(const Tensor& x, const Tensor& y, bool lasso = false, double alpha_min = 0,
                   int64_t max_iter = 500, Where where = Where::current());
class Lars : public LinearRegressor {
 public:
  explicit Lars(const LarsOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "Lars"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Lars>(*this); }
  std::vector<Param> params() override;
  Lars& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
            Where where = Where::current()) override;

  int64_t n_iter = 0;

 protected:
  std::vector<FittedAttribute> attributes() override;
  LarsOptions options_;
};
// The lasso by its path.
class LassoLars : public Lars {
 public:
  explicit LassoLars(const LarsOptions& options = {}) : Lars(options) {}

  std::string_view name() const override { return "LassoLars"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<LassoLars>(*this); }
  std::vector<Param> params() override;
  LassoLars& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                 Where where = Where::current()) override;
};

}  // namespace glia::classic
