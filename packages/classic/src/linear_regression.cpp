#include "glia/classic/linear_regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "least_squares.h"
#include "linear.h"

namespace glia::classic {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

// Singular values of (N, D), falling.
Tensor singular_values(const Tensor& x) {
  if (x.size(0) <= x.size(1)) return linalg::svdvals(x);
  return linalg::svdvals(linalg::qr(x, linalg::QRMode::kR).R);
}

int64_t rank_of(const Tensor& singular, const Tensor& x) {
  const std::vector<double> s = singular.to_vector<double>();
  const double least = s[0] * kEps * static_cast<double>(std::max(x.size(0), x.size(1)));
  return std::count_if(s.begin(), s.end(), [&](double one) { return one > least; });
}

Tensor shortest(const Centred& c) {  // (D, O)
  return linalg::lstsq(c.x, c.y, {.driver = linalg::LstsqDriver::kGelsd}).solution;
}

// Coefficients (O, D) and intercepts (O) by QR of [1 X]; nothing if that has not full rank.
bool by_qr(const Regression& r, bool fit_intercept, Tensor& coef, Tensor& intercept) {
  const int64_t n = r.x.size(0), d = r.x.size(1), outputs = r.y.size(1), first = fit_intercept;
  const std::vector<double> x = r.x.to_vector<double>(), y = r.y.to_vector<double>();
  const std::vector<double> weight =
      r.weight.defined() ? r.weight.to_vector<double>() : std::vector<double>();
  const auto weighed = [&](double value, int64_t i) {
    return weight.empty() ? Twofold{value} : Twofold{value} * Twofold{std::sqrt(weight[i])};
  };
  std::vector<Twofold> a;
  a.reserve(static_cast<size_t>(n * (d + first)));
  for (int64_t i = 0; i < n; ++i) {
    if (fit_intercept) a.push_back(weighed(1, i));
    for (int64_t j = 0; j < d; ++j) a.push_back(weighed(x[i * d + j], i));
  }
  const LeastSquares system(std::move(a), n, d + first);
  if (!system.full_rank()) return false;
  std::vector<double> w, b;
  for (int64_t o = 0; o < outputs; ++o) {
    std::vector<Twofold> target;
    for (int64_t i = 0; i < n; ++i) target.push_back(weighed(y[i * outputs + o], i));
    const std::vector<double> found = system.solve(target).x;
    w.insert(w.end(), found.begin() + first, found.end());
    b.push_back(fit_intercept ? found[0] : 0);
  }
  coef = from_vector(w, {outputs, d});
  intercept = from_vector(b, {outputs});
  return true;
}

Tensor by_normal_equations(const Centred& c) {
  try {
    return solve_definite(matmul(transpose(c.x), c.x), matmul(transpose(c.x), c.y));
  } catch (const ValueError&) {  // not positive definite
    return shortest(c);
  }
}

// The least |A w - b| with w >= 0 by active sets, from A^T A (d, d) and A^T b.
std::vector<double> not_negative(const std::vector<double>& gram, const std::vector<double>& moment,
                                 int64_t d) {
  std::vector<double> w(static_cast<size_t>(d));
  std::vector<bool> free(static_cast<size_t>(d));
  const double tolerance = 10 * kEps * static_cast<double>(d) * largest(moment);
  for (int64_t round = 0; round < 3 * d + 10; ++round) {
    int64_t enter = -1;
    double most = tolerance;
    for (int64_t j = 0; j < d; ++j) {
      double slope = moment[j];
      for (int64_t k = 0; k < d; ++k) slope -= gram[j * d + k] * w[k];
      if (!free[j] && slope > most) most = slope, enter = j;
    }
    if (enter < 0) break;
    free[enter] = true;
    while (true) {
      std::vector<int64_t> at;
      for (int64_t j = 0; j < d; ++j)
        if (free[j]) at.push_back(j);
      const int64_t k = static_cast<int64_t>(at.size());
      std::vector<double> part, right;
      for (const int64_t i : at) {
        for (const int64_t j : at) part.push_back(gram[i * d + j]);
        right.push_back(moment[i]);
      }
      const std::vector<double> s =
          linalg::lstsq(from_vector(part, {k, k}), from_vector(right, {k, 1}))
              .solution.to_vector<double>();
      double way = 1;
      for (int64_t i = 0; i < k; ++i)
        if (s[i] <= 0) way = std::min(way, w[at[i]] / std::max(w[at[i]] - s[i], 1e-300));
      bool left = false;
      for (int64_t i = 0; i < k; ++i) {
        w[at[i]] += way * (s[i] - w[at[i]]);
        if (s[i] <= 0 && w[at[i]] <= kEps * std::abs(s[i])) {
          w[at[i]] = 0;
          free[at[i]] = false;
          left = true;
        }
      }
      if (!left) break;
    }
  }
  return w;
}

Tensor positive(const Centred& c) {  // (O, D)
  const int64_t d = c.x.size(1);
  const Tensor gram = matmul(transpose(c.x), c.x), moments = matmul(transpose(c.y), c.x);
  eval({gram, moments});
  std::vector<double> all;
  for (int64_t o = 0; o < c.y.size(1); ++o) {
    const std::vector<double> w =
        not_negative(gram.to_vector<double>(), narrow(moments, 0, o, 1).to_vector<double>(), d);
    all.insert(all.end(), w.begin(), w.end());
  }
  return from_vector(all, {c.y.size(1), d});
}

// Features of variance 1, the curvature of the mean squared error and where it is least.
struct Standard {
  std::vector<double> x, y;          // (N, D), (N, O)
  std::vector<double> scale;         // (D)
  std::vector<double> gram, moment;  // (D, D), (D, O): of means
  double least = 0, most = 0;        // curvatures
};

Standard standardised(const Centred& c) {
  const Tensor root = sqrt(mean(square(c.x), {0}));
  const Tensor scale = where(root > 0, root, 1), x = c.x / scale;
  const double n = static_cast<double>(c.x.size(0));
  const Tensor gram = matmul(transpose(x), x) / n;
  const std::vector<double> curvatures = linalg::eigvalsh(gram).to_vector<double>();
  return {.x = x.to_vector<double>(),
          .y = c.y.to_vector<double>(),
          .scale = scale.to_vector<double>(),
          .gram = gram.to_vector<double>(),
          .moment = (matmul(transpose(x), c.y) / n).to_vector<double>(),
          .least = std::max(curvatures.front(), 0.0),
          .most = curvatures.back()};
}

// The gradient of half the mean squared error, (D, O); the largest |number| of it.
double gradient(const Standard& s, const std::vector<double>& w, int64_t d, int64_t outputs,
                std::vector<double>& g) {
  for (int64_t j = 0; j < d; ++j)
    for (int64_t o = 0; o < outputs; ++o) {
      double sum = -s.moment[j * outputs + o];
      for (int64_t k = 0; k < d; ++k) sum += s.gram[j * d + k] * w[k * outputs + o];
      g[j * outputs + o] = sum;
    }
  return largest(g);
}

// (O, D), and how many epochs it took.
Tensor descend(const Centred& c, const LinearRegressionOptions& options, int64_t& epochs) {
  const int64_t n = c.x.size(0), d = c.x.size(1), outputs = c.y.size(1);
  const Standard s = standardised(c);
  const bool stochastic = options.solver == LeastSquaresSolver::kSGD;
  std::vector<double> w(static_cast<size_t>(d * outputs)), g(w.size());
  data::Random random(options.random_state);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const double flat = s.most > 0 ? s.most : 1;
  const double usual = stochastic              ? 0.1 / flat
                       : s.least > kEps * flat ? 2 / (s.least + flat)
                                               : 1 / flat;
  const double rate = options.learning_rate.value_or(usual);
  for (epochs = 0; epochs < options.max_iter && gradient(s, w, d, outputs, g) > options.tol;
       ++epochs) {
    if (!stochastic) {
      for (size_t i = 0; i < w.size(); ++i) w[i] -= rate * g[i];
      continue;
    }
    const double now = rate / (1 + 0.1 * static_cast<double>(epochs));
    for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    for (int64_t from = 0; from < n; from += options.batch_size) {
      const int64_t to = std::min(n, from + options.batch_size);
      std::fill(g.begin(), g.end(), 0);
      for (int64_t i = from; i < to; ++i) {
        const double* row = s.x.data() + order[i] * d;
        for (int64_t o = 0; o < outputs; ++o) {
          double error = -s.y[order[i] * outputs + o];
          for (int64_t j = 0; j < d; ++j) error += row[j] * w[j * outputs + o];
          for (int64_t j = 0; j < d; ++j) g[j * outputs + o] += error * row[j];
        }
      }
      for (size_t i = 0; i < w.size(); ++i) w[i] -= now * g[i] / static_cast<double>(to - from);
    }
  }
  return transpose(from_vector(w, {d, outputs}) / from_vector(s.scale, {d, 1}));
}

}  // namespace

std::vector<Param> LinearRegression::params() {
  return {{"fit_intercept", &options_.fit_intercept},
          {"positive", &options_.positive},
          {"solver", &options_.solver, {"qr", "svd", "normal", "gd", "sgd"}},
          {"tol", &options_.tol},
          {"max_iter", &options_.max_iter},
          {"learning_rate", &options_.learning_rate},
          {"batch_size", &options_.batch_size},
          {"random_state", &options_.random_state}};
}

std::vector<FittedAttribute> LinearRegression::attributes() {
  return {{"rank", &rank, {}}, {"singular", &singular, {-1}}, {"n_iter", &n_iter, {}}};
}

LinearRegression& LinearRegression::fit(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  const char* op = "LinearRegression.fit";
  const NoGrad no_grad;
  require_option(options_.tol >= 0, op, "tol", options_.tol, where);
  require_option(options_.max_iter >= 1, op, "max_iter", static_cast<double>(options_.max_iter),
                 where);
  require_option(options_.batch_size >= 1, op, "batch_size",
                 static_cast<double>(options_.batch_size), where);
  require_option(options_.learning_rate.value_or(1) > 0, op, "learning_rate",
                 options_.learning_rate.value_or(1), where);
  const Regression r = weighted_rows(check_regression(op, x, y, sample_weight, where));
  const Centred c = centred(r, options_.fit_intercept);
  if (!(all(isfinite(c.x)) & all(isfinite(c.y))).item<bool>())
    throw ValueError(std::string(op) + ": the means are beyond f64", where);
  const Tensor values = singular_values(c.x);
  int64_t epochs = 0;
  Tensor w, b;
  if (options_.positive) {
    w = positive(c);
  } else if (options_.solver == LeastSquaresSolver::kNormal) {
    w = transpose(by_normal_equations(c));
  } else if (options_.solver == LeastSquaresSolver::kGD ||
             options_.solver == LeastSquaresSolver::kSGD) {
    w = descend(c, options_, epochs);
  } else if (options_.solver == LeastSquaresSolver::kSVD ||
             !by_qr(r, options_.fit_intercept, w, b)) {
    w = transpose(shortest(c));
  }
  if (!b.defined()) b = intercepts(c, w);
  const int64_t found = rank_of(values, c.x);
  set_linear(op, *this, w, b, r.flat, r.x.size(1), where);
  rank = found;
  singular = values;
  n_iter = epochs;
  return *this;
}

}  // namespace glia::classic
