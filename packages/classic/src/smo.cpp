#include "smo.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checks.h"
#include "glia/ops.h"

namespace glia::classic {

Tensor kernel_matrix(const Tensor& a, const Tensor& b, const KernelOptions& o, double gamma) {
  if (o.kernel == SvmKernel::kPrecomputed) return a;
  const Tensor dots = matmul(a, transpose(b));
  switch (o.kernel) {
    case SvmKernel::kLinear:
      return dots;
    case SvmKernel::kPoly:
      return pow(gamma * dots + o.coef0, o.degree);
    case SvmKernel::kSigmoid:
      return tanh(gamma * dots + o.coef0);
    default:
      return exp(-gamma * maximum(sum(square(a), {1}, true) + sum(square(b), {1}) - 2 * dots, 0.0));
  }
}

double gamma_of(const Tensor& x, const KernelOptions& o) {
  if (o.gamma) return *o.gamma;
  const double variance = var(x, {}, false, 0).item();
  return variance > 0 ? 1 / (static_cast<double>(x.size(1)) * variance) : 1;
}

void check_kernel(const char* name, const KernelOptions& o, Where where) {
  const auto fail = [&](const char* option, double value) {
    throw ValueError(std::string(name) + ": " + option + " = " + to_text(ParamValue(value)), where);
  };
  if (o.degree < 0) fail("degree", static_cast<double>(o.degree));
  if (!(o.gamma.value_or(1) > 0)) fail("gamma", *o.gamma);
  if (!std::isfinite(o.coef0)) fail("coef0", o.coef0);
  if (!(o.tol > 0)) fail("tol", o.tol);
  if (o.cache_mb < 0) fail("cache_mb", static_cast<double>(o.cache_mb));
  if (o.max_iter < -1 || o.max_iter == 0) fail("max_iter", static_cast<double>(o.max_iter));
}

std::vector<Param> kernel_params(KernelOptions& o) {
  return {{"kernel", &o.kernel, {"linear", "poly", "rbf", "sigmoid", "precomputed"}},
          {"degree", &o.degree},
          {"gamma", &o.gamma},
          {"coef0", &o.coef0},
          {"tol", &o.tol},
          {"cache_mb", &o.cache_mb},
          {"max_iter", &o.max_iter}};
}

// ---- Rows -------------------------------------------------------------------------------------

KernelRows::KernelRows(const Tensor& x, const KernelOptions& options, double gamma)
    : x_(x), options_(options), gamma_(gamma), n_(x.size(0)) {
  const int64_t bytes = std::max<int64_t>(options.cache_mb, 1) << 20;
  most_ = std::max<int64_t>(4, bytes / (8 * n_));
  squares_ = sum(square(x_), {1});
  eval({x_, squares_});
  const auto squares = squares_.data<double>();
  for (int64_t i = 0; i < n_; ++i) {
    const double s = squares[i];
    switch (options_.kernel) {
      case SvmKernel::kLinear:
        diagonal_.push_back(s);
        break;
      case SvmKernel::kPoly:
        diagonal_.push_back(
            std::pow(gamma * s + options.coef0, static_cast<double>(options.degree)));
        break;
      case SvmKernel::kSigmoid:
        diagonal_.push_back(std::tanh(gamma * s + options.coef0));
        break;
      case SvmKernel::kPrecomputed:
        diagonal_.push_back(x_.data<double>()[i * n_ + i]);
        break;
      default:
        diagonal_.push_back(1);
    }
  }
}

std::span<const double> KernelRows::row(int64_t i) {
  if (options_.kernel == SvmKernel::kPrecomputed) return x_.data<double>().subspan(i * n_, n_);
  if (const auto found = at_.find(i); found != at_.end()) {
    rows_.splice(rows_.begin(), rows_, found->second);
    return rows_.front().second;
  }
  const Tensor one = take(x_, from_vector(std::vector<int64_t>{i}, {1}));
  const Tensor dots = matmul(x_, transpose(one));  // (n, 1)
  Tensor values;
  switch (options_.kernel) {
    case SvmKernel::kLinear:
      values = dots;
      break;
    case SvmKernel::kPoly:
      values = pow(gamma_ * dots + options_.coef0, options_.degree);
      break;
    case SvmKernel::kSigmoid:
      values = tanh(gamma_ * dots + options_.coef0);
      break;
    default:
      values = exp(-gamma_ *
                   maximum(unsqueeze(squares_, 1) + squares_.data<double>()[i] - 2 * dots, 0.0));
  }
  if (static_cast<int64_t>(rows_.size()) >= most_) {
    at_.erase(rows_.back().first);
    rows_.pop_back();
  }
  rows_.emplace_front(i, values.to_vector<double>());
  at_[i] = rows_.begin();
  return rows_.front().second;
}

// ---- The solver -------------------------------------------------------------------------------

SmoResult smo(KernelRows& kernel, SmoProblem problem, double tol, int64_t max_iter) {
  constexpr double kTiny = 1e-12;  // for a curvature that is not above 0
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto count = static_cast<int64_t>(problem.p.size());
  const int64_t n = kernel.size();
  auto& alpha = problem.alpha;
  const auto &y = problem.y, &c = problem.c;
  std::vector<double> gradient = problem.p;
  for (int64_t j = 0; j < count; ++j) {
    if (alpha[j] == 0) continue;
    const auto row = kernel.row(j % n);
    for (int64_t begin = 0; begin < count; begin += n)
      for (int64_t r = 0; r < n; ++r)
        gradient[begin + r] += y[begin + r] * y[j] * alpha[j] * row[r];
  }
  const auto can_rise = [&](int64_t t) { return y[t] > 0 ? alpha[t] < c[t] : alpha[t] > 0; };
  const auto can_fall = [&](int64_t t) { return y[t] > 0 ? alpha[t] > 0 : alpha[t] < c[t]; };
  SmoResult result;
  while (max_iter < 0 || result.n_iter < max_iter) {
    double most = -kInfinity;
    int64_t i = -1;
    for (int64_t t = 0; t < count; ++t)
      if (const double v = -y[t] * gradient[t]; v >= most && can_rise(t)) most = v, i = t;
    if (i < 0) break;
    const auto row_i = kernel.row(i % n);
    const double of_i = kernel.diagonal(i % n);
    double least = kInfinity, best = kInfinity;
    int64_t j = -1;
    for (int64_t begin = 0; begin < count; begin += n)
      for (int64_t r = 0; r < n; ++r) {
        const int64_t t = begin + r;
        if (!can_fall(t)) continue;
        const double v = -y[t] * gradient[t];
        least = std::min(least, v);
        const double gain = most - v;
        if (gain <= 0) continue;
        double curve = of_i + kernel.diagonal(r) - 2 * row_i[r];
        if (curve <= 0) curve = kTiny;
        const double object = -gain * gain / curve;
        if (object <= best) best = object, j = t;
      }
    if (most - least < tol || j < 0) break;
    ++result.n_iter;
    const auto row_j = kernel.row(j % n);
    double curve = of_i + kernel.diagonal(j % n) - 2 * row_i[j % n];
    if (curve <= 0) curve = kTiny;
    const double before_i = alpha[i], before_j = alpha[j];
    // A step along y_i a_i + y_j a_j kept, cut at the box.
    double step = (-y[i] * gradient[i] + y[j] * gradient[j]) / curve;
    step = std::min(step, y[i] > 0 ? c[i] - alpha[i] : alpha[i]);
    step = std::min(step, y[j] > 0 ? alpha[j] : c[j] - alpha[j]);
    const bool i_ends = step == (y[i] > 0 ? c[i] - before_i : before_i);
    const bool j_ends = step == (y[j] > 0 ? before_j : c[j] - before_j);
    alpha[i] = i_ends ? (y[i] > 0 ? c[i] : 0) : alpha[i] + y[i] * step;
    alpha[j] = j_ends ? (y[j] > 0 ? 0 : c[j]) : alpha[j] - y[j] * step;
    const double of_row_i = (alpha[i] - before_i) * y[i], of_row_j = (alpha[j] - before_j) * y[j];
    for (int64_t begin = 0; begin < count; begin += n)
      for (int64_t t = 0; t < n; ++t)
        gradient[begin + t] += y[begin + t] * (of_row_i * row_i[t] + of_row_j * row_j[t]);
  }
  double upper = kInfinity, lower = -kInfinity, free_sum = 0;
  int64_t free_count = 0;
  for (int64_t t = 0; t < count; ++t) {
    if (c[t] == 0) continue;
    const double v = y[t] * gradient[t];
    if (alpha[t] > 0 && alpha[t] < c[t]) {
      free_sum += v;
      ++free_count;
    } else if ((alpha[t] == 0) == (y[t] > 0)) {
      upper = std::min(upper, v);
    } else {
      lower = std::max(lower, v);
    }
  }
  if (free_count > 0)
    result.rho = free_sum / static_cast<double>(free_count);
  else
    result.rho = std::isinf(upper) ? lower : std::isinf(lower) ? upper : (upper + lower) / 2;
  result.alpha = std::move(alpha);
  return result;
}

}  // namespace glia::classic
