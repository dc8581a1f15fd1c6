#include "glia/classic/logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/math/optimize.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/parallel.h"
#include "linear.h"
#include "simd.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;
constexpr int64_t kBlockRows = 512;

// The mean loss over samples and its penalty; parameters are (rows, d + 1), the last of a row its
// intercept. One row of two classes: code 1 is the second.
struct Problem {
  Tensor x;  // (n, d) f64, computed; or rows of a sparse one
  const int32_t *row_ptr = nullptr, *cols = nullptr;
  const double* values = nullptr;
  int64_t n, d, rows;
  std::vector<int64_t> code;  // (n)
  Vector weight;              // (n), adding up to 1
  double l2 = 0, l1 = 0;
  bool intercept = true;

  int64_t size() const { return rows * (d + 1); }
  const double* row(int64_t i) const { return x.data<double>().data() + i * d; }
  bool sparse() const { return row_ptr != nullptr; }
  // Of one task. The gradient of a part has all features: of sparse samples there are few parts.
  int64_t block_rows() const { return sparse() ? std::max(kBlockRows, (n + 15) / 16) : kBlockRows; }
};

// The loss of logits (rows) whose place its derivatives take.
double loss_of(const Problem& p, int64_t code, double* z) {
  if (p.rows == 1) {
    const double e = std::exp(-std::abs(*z)), side = code == 1 ? -*z : *z;
    *z = (*z >= 0 ? 1 : e) / (1 + e) - static_cast<double>(code);
    return std::max(side, 0.0) + std::log1p(e);
  }
  const double most = *std::max_element(z, z + p.rows), own = z[code];
  double sum = 0;
  for (int64_t k = 0; k < p.rows; ++k) sum += z[k] = std::exp(z[k] - most);
  for (int64_t k = 0; k < p.rows; ++k) z[k] /= sum;
  z[code] -= 1;
  return most + std::log(sum) - own;
}

// z (count, rows) of samples x (count, d).
GLIA_ALWAYS_INLINE void logits_of(const double* x, int64_t count, int64_t d, const double* w,
                                  int64_t rows, double* z) {
  for (int64_t i = 0; i < count; ++i, x += d)
    for (int64_t k = 0; k < rows; ++k)
      *z++ = w[k * (d + 1) + d] + simd::dot_of(x, w + k * (d + 1), d);
}
void logits(const Problem& p, const Vector& w, int64_t from, int64_t count, double* z) {
  if (p.sparse()) {
    for (int64_t i = from; i < from + count; ++i)
      for (int64_t k = 0; k < p.rows; ++k) {
        const double* row = w.data() + k * (p.d + 1);
        double sum = row[p.d];
        for (int32_t e = p.row_ptr[i]; e < p.row_ptr[i + 1]; ++e)
          sum += p.values[e] * row[p.cols[e]];
        *z++ = sum;
      }
    return;
  }
  simd::at_level<logits_of>(p.row(from), count, p.d, w.data(), p.rows, z);
}

// Adds slope^T [x 1] of slopes (count, rows) to g, four samples at once.
GLIA_ALWAYS_INLINE void add_slopes_of(const double* x, int64_t count, int64_t d,
                                      const double* slope, int64_t rows, bool intercept,
                                      double* g) {
  using simd::F64;
  for (int64_t k = 0; k < rows; ++k) {
    double* own = g + k * (d + 1);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      const double s[4] = {slope[i * rows + k], slope[(i + 1) * rows + k],
                           slope[(i + 2) * rows + k], slope[(i + 3) * rows + k]};
      const double* from = x + i * d;
      int64_t j = 0;
      for (; j + simd::kDoubles <= d; j += simd::kDoubles) {
        F64 sum, v;
        simd::load(sum, own + j);
        for (int u = 0; u < 4; ++u) {
          simd::load(v, from + u * d + j);
          sum += s[u] * v;
        }
        simd::store(sum, own + j);
      }
      for (; j < d; ++j)
        for (int u = 0; u < 4; ++u) own[j] += s[u] * from[u * d + j];
    }
    for (; i < count; ++i) simd::add_to(own, slope[i * rows + k], x + i * d, d);
    if (!intercept) continue;
    for (i = 0; i < count; ++i) own[d] += slope[i * rows + k];
  }
}
void add_slopes(const Problem& p, int64_t from, int64_t count, const double* slope, double* g) {
  if (!p.sparse()) {
    simd::at_level<add_slopes_of>(p.row(from), count, p.d, slope, p.rows, p.intercept, g);
    return;
  }
  for (int64_t i = from; i < from + count; ++i)
    for (int64_t k = 0; k < p.rows; ++k, ++slope) {
      double* own = g + k * (p.d + 1);
      for (int32_t e = p.row_ptr[i]; e < p.row_ptr[i + 1]; ++e)
        own[p.cols[e]] += *slope * p.values[e];
      if (p.intercept) own[p.d] += *slope;
    }
}
void add_row(const Problem& p, int64_t i, const double* slope, double factor, double* g) {
  const double* x = p.row(i);
  for (int64_t k = 0; k < p.rows; ++k, g += p.d + 1) {
    simd::add(g, factor * slope[k], x, p.d);
    if (p.intercept) g[p.d] += factor * slope[k];
  }
}

// The mean loss without a penalty, and its gradient. Blocks are added in their order.
double mean_loss(const Problem& p, const Vector& w, Vector& g) {
  const int64_t size = p.block_rows(), blocks = (p.n + size - 1) / size;
  std::vector<Vector> parts(static_cast<size_t>(blocks));
  Vector losses(parts.size());
  parallel_for(blocks, [&](int64_t b) {
    const int64_t from = b * size, count = std::min(p.n - from, size);
    Vector part(static_cast<size_t>(p.size())), z(static_cast<size_t>(count * p.rows));
    logits(p, w, from, count, z.data());
    double loss = 0;
    for (int64_t i = 0; i < count; ++i) {
      double* own = z.data() + i * p.rows;
      loss += p.weight[from + i] * loss_of(p, p.code[from + i], own);
      for (int64_t k = 0; k < p.rows; ++k) own[k] *= p.weight[from + i];
    }
    add_slopes(p, from, count, z.data(), part.data());
    losses[b] = loss;
    parts[b] = std::move(part);
  });
  g.assign(w.size(), 0);
  for (const Vector& part : parts)
    for (size_t i = 0; i < g.size(); ++i) g[i] += part[i];
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double objective(const Problem& p, const Vector& w, Vector& g) {
  double value = mean_loss(p, w, g);
  for (int64_t k = 0; k < p.rows; ++k)
    for (int64_t j = 0; j < p.d; ++j) {
      const double one = w[k * (p.d + 1) + j];
      value += p.l2 / 2 * one * one;
      g[k * (p.d + 1) + j] += p.l2 * one;
    }
  return std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
}

int64_t lbfgs(const Problem& p, Vector& w, int64_t max_iter, double tol) {
  const auto found =
      optimize::minimize_host([&](const Vector& at, Vector& g) { return objective(p, at, g); }, w,
                              {.method = optimize::Method::kLBFGSB,
                               .gtol = tol,
                               .ftol = 64 * std::numeric_limits<double>::epsilon(),
                               .maxiter = max_iter});
  w = found.x.to_vector<double>();
  return found.nit;
}

// ---- Newton ------------------------------------------------------------------------------------

// The second derivatives, (size, size).
Tensor hessian(const Problem& p, const Vector& w) {
  const int64_t m = p.d + 1;
  Vector probability(static_cast<size_t>(p.n * p.rows));  // (rows, n)
  parallel_for((p.n + kBlockRows - 1) / kBlockRows, [&](int64_t b) {
    Vector z(static_cast<size_t>(p.rows));
    for (int64_t i = b * kBlockRows; i < std::min(p.n, (b + 1) * kBlockRows); ++i) {
      logits(p, w, i, 1, z.data());
      loss_of(p, p.code[i], z.data());
      z[p.rows == 1 ? 0 : p.code[i]] += p.rows == 1 ? static_cast<double>(p.code[i]) : 1;
      for (int64_t k = 0; k < p.rows; ++k) probability[k * p.n + i] = z[k];
    }
  });
  const Tensor x = concat({p.x, p.intercept ? ones({p.n, 1}, kF64) : zeros({p.n, 1}, kF64)}, 1);
  std::vector<Tensor> rows;
  std::vector<std::vector<Tensor>> parts(static_cast<size_t>(p.rows));
  for (int64_t k = 0; k < p.rows; ++k)
    for (int64_t l = 0; l <= k; ++l) {
      Vector curve;
      for (int64_t i = 0; i < p.n; ++i)
        curve.push_back(p.weight[i] * probability[k * p.n + i] *
                        ((k == l ? 1 : 0) - probability[l * p.n + i]));
      parts[k].push_back(matmul(transpose(x), x * from_vector(curve, {p.n, 1})));
    }
  for (int64_t k = 0; k < p.rows; ++k) {
    std::vector<Tensor> row;
    for (int64_t l = 0; l < p.rows; ++l) row.push_back(l <= k ? parts[k][l] : parts[l][k]);
    rows.push_back(concat(row, 1));
  }
  Vector penalty(static_cast<size_t>(p.size()), p.l2);
  for (int64_t k = 0; k < p.rows; ++k) penalty[k * m + p.d] = p.intercept ? 0 : 1;
  return concat(rows, 0) + diag(from_vector(penalty, {p.size()}));
}

// Takes off what all classes have in common where the loss does not change with that.
void centre(const Problem& p, Vector& step) {
  const int64_t m = p.d + 1;
  if (p.rows == 1) return;
  for (int64_t j = p.l2 > 0 ? p.d : 0; j < m; ++j) {
    double mean = 0;
    for (int64_t k = 0; k < p.rows; ++k) mean += step[k * m + j] / static_cast<double>(p.rows);
    for (int64_t k = 0; k < p.rows; ++k) step[k * m + j] -= mean;
  }
}

int64_t newton(const Problem& p, Vector& w, int64_t max_iter, double tol) {
  Vector g, next(w.size()), ignored;
  double value = objective(p, w, g);
  int64_t n_iter = 0;
  for (; n_iter < max_iter && largest(g) > tol; ++n_iter) {
    const Tensor h = hessian(p, w), slope = from_vector(g, {p.size(), 1});
    Vector step;
    try {
      step = linalg::cholesky_solve(slope, linalg::cholesky(h)).to_vector<double>();
    } catch (const ValueError&) {
    }
    if (step.empty() || !std::isfinite(largest(step)))  // of a flat direction: the shortest step
      step = linalg::lstsq(h, slope, {.rcond = 1e-12, .driver = linalg::LstsqDriver::kGelsd})
                 .solution.to_vector<double>();
    centre(p, step);
    double fall = 0;
    for (size_t i = 0; i < w.size(); ++i) fall += g[i] * step[i];
    double length = 1, now = 0;
    for (int half = 0; half < 40; ++half, length /= 2) {
      for (size_t i = 0; i < w.size(); ++i) next[i] = w[i] - length * step[i];
      now = objective(p, next, ignored);
      if (now <= value - 1e-4 * length * fall + 1e-15 * std::abs(value)) break;
    }
    const bool moved = now < value || largest(ignored) < largest(g);
    if (!moved) break;
    w = next;
    value = now;
    g = ignored;
  }
  return n_iter;
}

// ---- Ascent ------------------------------------------------------------------------------------

// The most that the loss curves: of (X 1), half of it for softmax and a quarter for two classes.
double most_curvature(const Problem& p) {
  const Tensor x = p.intercept ? concat({p.x, ones({p.n, 1}, kF64)}, 1) : p.x;
  const Tensor gram = matmul(transpose(x), x * from_vector(p.weight, {p.n, 1}));
  const Vector values = linalg::eigvalsh(gram).to_vector<double>();
  return values.back() * (p.rows == 1 ? 0.25 : 0.5) + p.l2;
}

int64_t ascend(Problem p, Vector& w, const LogisticRegressionOptions& o) {
  // Without a penalty, features of mean 0 and variance 1 have the same likelihood.
  const int64_t m = p.d + 1;
  Vector mean(static_cast<size_t>(p.d)), scale(static_cast<size_t>(p.d), 1);
  if (p.l2 == 0) {
    const Tensor weight = from_vector(p.weight, {p.n, 1});
    const Tensor middle = p.intercept ? sum(p.x * weight, {0}) : zeros({p.d}, kF64);
    const Tensor deviation = sqrt(sum(square(p.x - middle) * weight, {0}));
    const Tensor divisor = glia::where(deviation > 0, deviation, 1);
    p.x = (p.x - middle) / divisor;
    eval(p.x);
    mean = middle.to_vector<double>();
    scale = divisor.to_vector<double>();
    for (int64_t k = 0; k < p.rows; ++k)
      for (int64_t j = 0; j < p.d; ++j) {
        w[k * m + p.d] += w[k * m + j] * mean[j];
        w[k * m + j] *= scale[j];
      }
  }
  const double rate = o.learning_rate.value_or(1 / most_curvature(p));
  Vector g;
  int64_t n_iter = 0;
  for (; n_iter < o.max_iter; ++n_iter) {
    objective(p, w, g);
    if (largest(g) <= o.tol) break;
    for (size_t i = 0; i < w.size(); ++i) w[i] -= rate * g[i];
  }
  for (int64_t k = 0; k < p.rows; ++k)
    for (int64_t j = 0; j < p.d; ++j) {
      w[k * m + j] /= scale[j];
      w[k * m + p.d] -= w[k * m + j] * mean[j];
    }
  return n_iter;
}

// ---- SAGA --------------------------------------------------------------------------------------

int64_t saga(const Problem& p, Vector& w, const LogisticRegressionOptions& o) {
  const int64_t m = p.d + 1;
  const double n = static_cast<double>(p.n);
  double most = 0, heaviest = 0;
  for (int64_t i = 0; i < p.n; ++i) {
    double squares = p.intercept ? 1 : 0;
    squares += simd::dot(p.row(i), p.row(i), p.d);
    most = std::max(most, squares * p.weight[i] * n);
    heaviest = std::max(heaviest, p.weight[i] * n);
  }
  const double curve = (p.rows == 1 ? 0.25 : 0.5) * most + p.l2;
  const double rate = 1 / (2 * curve + std::min(2 * n * p.l2, curve));
  Vector memory(static_cast<size_t>(p.n * p.rows)), mean(w.size()), z(static_cast<size_t>(p.rows)),
      change(z.size()), before;
  std::vector<bool> seen(static_cast<size_t>(p.n));
  double count = 0;
  data::Random random(o.random_state);
  int64_t n_iter = 0;
  while (n_iter < o.max_iter) {
    ++n_iter;
    before = w;
    for (int64_t draw = 0; draw < p.n; ++draw) {
      const int64_t i = random.below(p.n);
      if (!seen[i]) {
        seen[i] = true;
        count += 1;
      }
      logits(p, w, i, 1, z.data());
      loss_of(p, p.code[i], z.data());
      for (int64_t k = 0; k < p.rows; ++k) {
        z[k] *= p.weight[i] * n;
        change[k] = z[k] - memory[i * p.rows + k];
        memory[i * p.rows + k] = z[k];
      }
      add_row(p, i, change.data(), -rate * (1 - 1 / count), w.data());
      add_row(p, i, change.data(), 1, mean.data());  // a sum, until it is divided
      for (int64_t k = 0; k < p.rows; ++k) {
        double *row = w.data() + k * m, *slope = mean.data() + k * m;
        for (int64_t j = 0; j < p.d; ++j) {
          row[j] -= rate * (slope[j] / count + p.l2 * row[j]);
          if (p.l1 > 0)
            row[j] = std::copysign(std::max(std::abs(row[j]) - rate * p.l1, 0.0), row[j]);
        }
        row[p.d] -= rate * slope[p.d] / count;
      }
    }
    double moved = 0, size = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      moved = std::max(moved, std::abs(w[i] - before[i]));
      size = std::max(size, std::abs(w[i]));
    }
    if (!std::isfinite(size) || moved <= o.tol * size) break;
  }
  return n_iter;
}

}  // namespace

// ---- LogisticRegression ------------------------------------------------------------------------

std::vector<Param> LogisticRegression::params() {
  return {{"penalty", &options_.penalty, {"none", "l1", "l2", "elasticnet"}},
          {"C", &options_.C},
          {"l1_ratio", &options_.l1_ratio},
          {"fit_intercept", &options_.fit_intercept},
          {"solver", &options_.solver, {"lbfgs", "newton-cholesky", "saga", "ascent"}},
          {"multi_class", &options_.multi_class, {"multinomial", "ovr"}},
          {"balanced", &options_.balanced},
          list_param("class_weight", &options_.class_weight),
          {"max_iter", &options_.max_iter},
          {"tol", &options_.tol},
          {"learning_rate", &options_.learning_rate},
          {"warm_start", &options_.warm_start},
          {"random_state", &options_.random_state}};
}

std::vector<FittedAttribute> LogisticRegression::attributes() {
  return {{"n_iter", &n_iter, {}}, {"log_likelihood", &log_likelihood, {}}};
}

struct LogisticRegression::Samples {
  Tensor dense;
  std::optional<Csr> sparse;
};

LogisticRegression& LogisticRegression::fit(const Tensor& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  learn({cast(check_x("LogisticRegression.fit", x, where), kF64), {}}, y, sample_weight, where);
  return *this;
}

LogisticRegression& LogisticRegression::fit(const Csr& x, const Tensor& y,
                                            const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const char* op = "LogisticRegression.fit";
  if (options_.solver != LogisticSolver::kLbfgs)
    throw ValueError(std::string(op) + ": only solver lbfgs takes sparse X", where);
  learn({{}, check_x(op, x, -1, where)}, y, sample_weight, where);
  return *this;
}

void LogisticRegression::learn(const Samples& samples, const Tensor& y, const Tensor& sample_weight,
                               Where where) {
  const char* op = "LogisticRegression.fit";
  const LogisticRegressionOptions& o = options_;
  require_option(o.C > 0, op, "C", o.C, where);
  require_option(o.l1_ratio >= 0 && o.l1_ratio <= 1, op, "l1_ratio", o.l1_ratio, where);
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  require_option(o.max_iter >= 0, op, "max_iter", static_cast<double>(o.max_iter), where);
  require_option(o.learning_rate.value_or(1) > 0, op, "learning_rate", o.learning_rate.value_or(1),
                 where);
  if ((o.penalty == Penalty::kL1 || o.penalty == Penalty::kElasticNet) &&
      o.solver != LogisticSolver::kSaga)
    throw ValueError(std::string(op) + ": only solver saga takes an l1 penalty", where);
  const Shape shape = samples.sparse ? samples.sparse->shape() : samples.dense.shape();
  const int64_t n = shape[0], d = shape[1];
  const ClassTargets targets = check_classes(op, y, n, where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError(std::string(op) + ": y has one class only", where);
  const Vector weight =
      class_sample_weights(op, targets, sample_weight, n, o.balanced, o.class_weight, where);
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);

  Problem p{.n = n,
            .d = d,
            .rows = k == 2 || o.multi_class == MultiClass::kOvr ? 1 : k,
            .intercept = o.fit_intercept};
  if (samples.sparse) {
    const Csr& x = *samples.sparse;
    eval({x.row_ptr(), x.cols(), x.values()}, where);
    p.row_ptr = x.row_ptr().data<int32_t>().data();
    p.cols = x.cols().data<int32_t>().data();
    p.values = x.values().data<double>().data();
  } else {
    p.x = samples.dense;
    eval(p.x, where);
  }
  for (const double w : weight) p.weight.push_back(w / total);
  const double strength = 1 / (o.C * total);
  if (o.penalty == Penalty::kL2) p.l2 = strength;
  if (o.penalty == Penalty::kL1) p.l1 = strength;
  if (o.penalty == Penalty::kElasticNet) {
    p.l1 = strength * o.l1_ratio;
    p.l2 = strength * (1 - o.l1_ratio);
  }
  const int64_t rows = k == 2 ? 1 : k, m = d + 1;
  Vector all(static_cast<size_t>(rows * m));
  if (o.warm_start && fitted() && coef.shape() == Shape{rows, d}) {
    const Vector w = coef.to_vector<double>(), b = intercept.to_vector<double>();
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(w.begin() + r * d, d, all.begin() + r * m);
      all[r * m + d] = o.fit_intercept ? b[r] : 0;
    }
  }
  const std::vector<int64_t> codes = targets.codes.to_vector<int64_t>();
  int64_t iterations = 0;
  double likelihood = 0;
  for (int64_t from = 0; from < rows; from += p.rows) {
    p.code = codes;
    if (p.rows < rows)
      for (int64_t& code : p.code) code = code == from ? 1 : 0;
    Vector w(all.begin() + from * m, all.begin() + (from + p.rows) * m), g;
    int64_t steps = 0;
    switch (o.solver) {
      case LogisticSolver::kLbfgs:
        steps = lbfgs(p, w, o.max_iter, o.tol);
        break;
      case LogisticSolver::kNewtonCholesky:
        steps = newton(p, w, o.max_iter, o.tol);
        break;
      case LogisticSolver::kSaga:
        steps = saga(p, w, o);
        break;
      case LogisticSolver::kAscent:
        steps = ascend(p, w, o);
        break;
    }
    likelihood -= total * mean_loss(p, w, g);
    iterations = std::max(iterations, steps);
    std::copy(w.begin(), w.end(), all.begin() + from * m);
  }
  Vector w, b;
  for (int64_t r = 0; r < rows; ++r) {
    w.insert(w.end(), all.begin() + r * m, all.begin() + r * m + d);
    b.push_back(all[r * m + d]);
  }
  if (!std::isfinite(largest(w)) || !std::isfinite(largest(b)))
    throw ValueError(std::string(op) + ": the coefficients are beyond f64", where);
  classes = targets.classes;
  coef = from_vector(w, {rows, d});
  intercept = from_vector(b, {rows});
  n_features_in = d;
  n_iter = iterations;
  log_likelihood = likelihood;
}

Tensor LogisticRegression::probabilities(const Tensor& z) const {
  if (z.rank() == 1) return stack({sigmoid(-z), sigmoid(z)}, 1);
  if (options_.multi_class == MultiClass::kMultinomial) return softmax(z, 1);
  const Tensor p = sigmoid(z), whole = sum(p, {1}, true);
  return glia::where(whole > 0, p / whole, 1 / static_cast<double>(z.size(1)));
}

Tensor LogisticRegression::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return probabilities(decision_function(
      check_x("LogisticRegression.predict_proba", x, n_features_in, where), where));
}

Tensor LogisticRegression::predict_proba(const Csr& x, Where where) const {
  const NoGrad no_grad;
  return probabilities(decision_function(x, where));
}

}  // namespace glia::classic
