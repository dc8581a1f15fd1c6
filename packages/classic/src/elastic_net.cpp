#include <algorithm>
#include <cmath>
#include <limits>

#include "coordinate_descent.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/parallel.h"
#include "linear.h"

namespace glia::classic {
namespace {

void check(const char* op, double alpha, double l1_ratio, int64_t max_iter, double tol,
           Where where) {
  require_option(alpha >= 0 && std::isfinite(alpha), op, "alpha", alpha, where);
  require_option(l1_ratio >= 0 && l1_ratio <= 1, op, "l1_ratio", l1_ratio, where);
  require_option(max_iter >= 1, op, "max_iter", static_cast<double>(max_iter), where);
  require_option(tol >= 0, op, "tol", tol, where);
}

// scikit-learn's grid, falling from where all coefficients are 0.
std::vector<double> alpha_grid(const std::vector<double>& moments, double n, double l1_ratio,
                               double eps, int64_t count, bool positive) {
  double most = 0;
  for (const double one : moments) most = std::max(most, positive ? one : std::abs(one));
  const double top = most / (n * l1_ratio), resolution = 1e-15;
  std::vector<double> alphas;
  for (int64_t i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
    alphas.push_back(top <= resolution ? resolution : top * std::pow(eps, share));
  }
  return alphas;
}

void check_path(const char* op, const std::vector<double>& alphas, double l1_ratio, double eps,
                int64_t n_alphas, Where where) {
  require_option(eps > 0 && eps <= 1, op, "eps", eps, where);
  require_option(n_alphas >= 1, op, "n_alphas", static_cast<double>(n_alphas), where);
  for (const double alpha : alphas) require_option(alpha >= 0, op, "alphas", alpha, where);
  if (alphas.empty() && l1_ratio == 0)
    throw ValueError(std::string(op) + ": l1_ratio = 0 needs alphas", where);
}

// Coefficients for each alpha in turn, (alphas, features), and gaps.
std::vector<std::vector<double>> path(const CoordinateDescent& descent, double n,
                                      const std::vector<double>& alphas, double l1_ratio,
                                      CoordinateDescent::Options options,
                                      std::vector<double>* gaps = nullptr) {
  std::vector<std::vector<double>> all;
  std::vector<double> w(descent.moments().size());
  for (const double alpha : alphas) {
    options.l1 = alpha * l1_ratio * n;
    options.l2 = alpha * (1 - l1_ratio) * n;
    const double gap = descent.run(options, w).gap;
    if (gaps) gaps->push_back(gap / n);
    all.push_back(w);
  }
  return all;
}

}  // namespace

// ---- ElasticNet, Lasso -------------------------------------------------------------------------

std::vector<Param> ElasticNet::params() {
  return {{"alpha", &options_.alpha},
          {"l1_ratio", &options_.l1_ratio},
          {"fit_intercept", &options_.fit_intercept},
          {"precompute", &options_.precompute},
          {"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"warm_start", &options_.warm_start},
          {"positive", &options_.positive},
          {"selection", &options_.selection, {"cyclic", "random"}},
          {"random_state", &options_.random_state}};
}

std::vector<FittedAttribute> ElasticNet::attributes() {
  return {{"dual_gap", &dual_gap, {}}, {"n_iter", &n_iter, {}}};
}

ElasticNet& ElasticNet::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                            Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  check(op.c_str(), options_.alpha, options_.l1_ratio, options_.max_iter, options_.tol, where);
  const Regression r = weighted_rows(check_regression(op, x, y, sample_weight, where));
  const Centred c = centred(r, options_.fit_intercept);
  const double n = static_cast<double>(r.x.size(0));
  const int64_t d = r.x.size(1), outputs = r.y.size(1);
  std::vector<double> begin(static_cast<size_t>(d * outputs));
  if (options_.warm_start && fitted() && coef.numel() == d * outputs)
    begin = coef.to_vector<double>();

  std::vector<double> all;
  double gap = 0;
  int64_t iterations = 0;
  for (int64_t o = 0; o < outputs; ++o) {
    const CoordinateDescent descent(c.x, narrow(c.y, 1, o, 1), options_.precompute);
    std::vector<double> w(begin.begin() + o * d, begin.begin() + (o + 1) * d);
    const CoordinateDescent::Result result =
        descent.run({.l1 = options_.alpha * options_.l1_ratio * n,
                     .l2 = options_.alpha * (1 - options_.l1_ratio) * n,
                     .max_iter = options_.max_iter,
                     .tol = options_.tol,
                     .positive = options_.positive,
                     .random = options_.selection == Selection::kRandom,
                     .random_state = options_.random_state},
                    w);
    gap = std::max(gap, result.gap / n);
    iterations = std::max(iterations, result.n_iter);
    all.insert(all.end(), w.begin(), w.end());
  }
  const Tensor found = from_vector(all, {outputs, d});
  set_linear(op, *this, found, intercepts(c, found), r.flat, d, where);
  dual_gap = gap;
  n_iter = iterations;
  return *this;
}

Lasso::Lasso(const LassoOptions& options)
    : ElasticNet({.alpha = options.alpha,
                  .l1_ratio = 1,
                  .fit_intercept = options.fit_intercept,
                  .precompute = options.precompute,
                  .max_iter = options.max_iter,
                  .tol = options.tol,
                  .warm_start = options.warm_start,
                  .positive = options.positive,
                  .selection = options.selection,
                  .random_state = options.random_state}) {}

std::vector<Param> Lasso::params() {
  std::vector<Param> all = ElasticNet::params();
  all.erase(all.begin() + 1);  // l1_ratio
  return all;
}

// ---- Paths -------------------------------------------------------------------------------------

PathResult enet_path(const Tensor& x, const Tensor& y, const PathOptions& options, Where where) {
  const char* op = "enet_path";
  const NoGrad no_grad;
  check(op, 0, options.l1_ratio, options.max_iter, options.tol, where);
  check_path(op, options.alphas, options.l1_ratio, options.eps, options.n_alphas, where);
  const Regression r = check_regression(op, x, y, {}, where);
  if (!r.flat) throw ShapeError(std::string(op) + ": y is (samples)", where);
  const double n = static_cast<double>(r.x.size(0));
  const CoordinateDescent descent(r.x, r.y, options.precompute.value_or(r.x.size(0) > r.x.size(1)));
  std::vector<double> alphas = options.alphas;
  if (alphas.empty())
    alphas = alpha_grid(descent.moments(), n, options.l1_ratio, options.eps, options.n_alphas,
                        options.positive);
  std::sort(alphas.rbegin(), alphas.rend());
  std::vector<double> gaps, flat;
  for (const std::vector<double>& w : path(descent, n, alphas, options.l1_ratio,
                                           {.max_iter = options.max_iter,
                                           .tol = options.tol,
                                           .positive = options.positive,
                                           .settle = true},
                                           &gaps))
    flat.insert(flat.end(), w.begin(), w.end());
  const int64_t count = static_cast<int64_t>(alphas.size());
  return {from_vector(alphas, {count}), transpose(from_vector(flat, {count, r.x.size(1)})),
          from_vector(gaps, {count})};
}

PathResult lasso_path(const Tensor& x, const Tensor& y, const PathOptions& options, Where where) {
  PathOptions lasso = options;
  lasso.l1_ratio = 1;
  return enet_path(x, y, lasso, where);
}

// ---- Cross-validation --------------------------------------------------------------------------

std::vector<Param> ElasticNetCV::params() {
  return {list_param("l1_ratio", &options_.l1_ratio),
          {"eps", &options_.eps},
          {"n_alphas", &options_.n_alphas},
          list_param("alphas", &options_.alphas),
          {"fit_intercept", &options_.fit_intercept},
          {"cv", &options_.cv},
          {"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"positive", &options_.positive}};
}

std::vector<FittedAttribute> ElasticNetCV::attributes() {
  return {{"alpha", &alpha, {}},
          {"l1_ratio", &l1_ratio, {}},
          {"alphas", &alphas, {-1, -1}},
          {"mse_path", &mse_path, {-1, -1, -1}}};
}

ElasticNetCV& ElasticNetCV::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  const std::string op = std::string(name()) + ".fit";
  const NoGrad no_grad;
  if (options_.l1_ratio.empty()) throw ValueError(op + ": l1_ratio is empty", where);
  for (const double ratio : options_.l1_ratio) {
    check(op.c_str(), 0, ratio, options_.max_iter, options_.tol, where);
    check_path(op.c_str(), options_.alphas, ratio, options_.eps, options_.n_alphas, where);
  }
  const Regression r = check_regression(op, x, y, sample_weight, where);
  if (!r.flat) throw ShapeError(op + ": y is (samples)", where);
  const int64_t n = r.x.size(0), folds = options_.cv;
  if (folds < 2 || folds > n)
    throw ValueError(
        op + ": cv = " + std::to_string(folds) + " for " + std::to_string(n) + " samples", where);
  const CoordinateDescent::Options run{
      .max_iter = options_.max_iter, .tol = options_.tol, .positive = options_.positive};

  // Alphas are those of all samples.
  const Centred whole = centred(weighted_rows(r), options_.fit_intercept);
  const double rows = static_cast<double>(whole.x.size(0));
  const std::vector<double> moments = matmul(transpose(whole.x), whole.y).to_vector<double>();
  std::vector<std::vector<double>> grids;
  for (const double ratio : options_.l1_ratio) {
    grids.push_back(options_.alphas.empty() ? alpha_grid(moments, rows, ratio, options_.eps,
                                                         options_.n_alphas, options_.positive)
                                            : options_.alphas);
    std::sort(grids.back().rbegin(), grids.back().rend());
  }

  const int64_t ratios = static_cast<int64_t>(grids.size());
  const int64_t count = static_cast<int64_t>(grids[0].size());
  std::vector<double> errors(static_cast<size_t>(ratios * count * folds));
  std::vector<double> fold_weight;
  int64_t from = 0;
  for (int64_t fold = 0; fold < folds; ++fold) {
    const int64_t size = n / folds + (fold < n % folds ? 1 : 0);
    std::vector<int64_t> rest;
    for (int64_t i = 0; i < n; ++i)
      if (i < from || i >= from + size) rest.push_back(i);
    const Tensor kept = from_vector(rest, {n - size});
    Regression train{take(r.x, kept), take(r.y, kept), {}, true};
    Tensor weight = ones({size}, kF64);
    if (r.weight.defined()) {
      train.weight = take(r.weight, kept);
      weight = narrow(r.weight, 0, from, size);
      if (sum(train.weight).item() <= 0)
        throw ValueError(op + ": all samples outside of a fold have weight 0", where);
    }
    fold_weight.push_back(sum(weight).item());
    const Centred c = centred(weighted_rows(train), options_.fit_intercept);
    const Tensor test = narrow(r.x, 0, from, size) - c.x_mean;
    const Tensor truth = narrow(r.y, 0, from, size) - c.y_mean;  // (size, 1)
    const CoordinateDescent descent(c.x, c.y, c.x.size(0) > c.x.size(1));
    std::vector<std::vector<double>> means(grids.size());
    parallel_for(ratios, [&](int64_t i) {
      const double kept_rows = static_cast<double>(c.x.size(0));
      for (const std::vector<double>& w :
           path(descent, kept_rows, grids[i], options_.l1_ratio[i], run))
        means[i].insert(means[i].end(), w.begin(), w.end());
    });
    for (int64_t i = 0; i < ratios; ++i) {
      const Tensor w = from_vector(means[i], {count, c.x.size(1)});
      const Tensor squares = square(matmul(test, transpose(w)) - truth);  // (size, alphas)
      const Tensor share = weight / maximum(sum(weight), std::numeric_limits<double>::min());
      const std::vector<double> mean =
          sum(squares * reshape(share, {-1, 1}), {0}).to_vector<double>();
      for (int64_t a = 0; a < count; ++a) errors[(i * count + a) * folds + fold] = mean[a];
    }
    from += size;
  }

  double total = 0;
  for (const double w : fold_weight) total += w;
  double least = std::numeric_limits<double>::infinity();
  int64_t best = 0;
  for (int64_t at = 0; at < ratios * count; ++at) {
    double mean = 0;
    for (int64_t fold = 0; fold < folds; ++fold)
      mean += errors[at * folds + fold] *
              (r.weight.defined() ? fold_weight[fold] / total : 1 / static_cast<double>(folds));
    if (mean < least) least = mean, best = at;
  }
  const double ratio = options_.l1_ratio[best / count], chosen = grids[best / count][best % count];
  ElasticNet model({.alpha = chosen,
                    .l1_ratio = ratio,
                    .fit_intercept = options_.fit_intercept,
                    .max_iter = options_.max_iter,
                    .tol = options_.tol,
                    .positive = options_.positive});
  model.fit(x, y, sample_weight, where);
  std::vector<double> flat;
  for (const std::vector<double>& grid : grids) flat.insert(flat.end(), grid.begin(), grid.end());
  coef = model.coef;
  intercept = model.intercept;
  n_features_in = model.n_features_in;
  alpha = chosen;
  l1_ratio = ratio;
  alphas = from_vector(flat, {ratios, count});
  mse_path = from_vector(errors, {ratios, count, folds});
  return *this;
}

LassoCV::LassoCV(const ElasticNetCVOptions& options) : ElasticNetCV(options) {
  options_.l1_ratio = {1};
}

}  // namespace glia::classic
