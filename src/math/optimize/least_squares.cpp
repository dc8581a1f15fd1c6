// Nonlinear least squares: the problem, its loss, and steps within a radius.
#include "glia/math/least_squares.h"

#include <fmt/format.h>

#include "glia/autodiff.h"
#include "glia/linalg.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "math/optimize/residuals.h"

namespace glia::optimize {

// ---- Residuals ----

Residuals::Residuals(const Function& fun, const Tensor& x0, const LeastSquaresOptions& options,
                     const Where& where)
    : fun_(fun), options_(options), where_(where) {
  const Tensor x = checked_start("least_squares", x0, where);
  shape_ = x.shape();
  start_ = host_values(x);
  if (start_.empty()) throw ValueError("least_squares: x0 has no numbers", where);
  bounds_ = checked_bounds("least_squares", options.bounds, columns(), where);
  for (size_t i = 0; i < start_.size(); ++i) {
    if (!(start_[i] >= bounds_[i].first && start_[i] <= bounds_[i].second))
      throw ValueError(fmt::format("least_squares: x0 has {} at {}, out of bounds", start_[i], i),
                       where);
  }
}

Tensor Residuals::checked(const Tensor& f) const {
  if (!f.defined() || f.numel() == 0)
    fail("least_squares", "the function gives no residuals", where_);
  if (rows_ >= 0 && f.numel() != rows_)
    fail("least_squares", fmt::format("{} residuals after {}", f.numel(), rows_), where_);
  return reshape(cast(f, kF64), {f.numel()});
}

Vector Residuals::values(const Vector& x) {
  ++nfev;
  NoGrad none;
  const Tensor f = checked(fun_(tensor(x)));
  rows_ = f.numel();
  return host_values(f);
}

Vector Residuals::first_values() {
  const Tensor f = checked(fun_(trainable(tensor(start_))));
  rows_ = f.numel();
  if (!options_.jac && options_.derivatives == Derivatives::kAutodiff)
    require_dependence("least_squares", f, where_);
  return host_values(f);
}

HostMatrix Residuals::jacobian(const Vector& x, const Vector& f) {
  ++njev;
  if (!options_.jac && options_.derivatives != Derivatives::kAutodiff)
    return difference_jacobian([&](const Vector& at) { return values(at); }, x, f,
                               options_.derivatives == Derivatives::k3Point,
                               bounded() ? bounds_ : std::vector<std::pair<double, double>>{});
  HostMatrix out(rows_, columns());
  Tensor j;
  if (options_.jac) {
    NoGrad none;
    j = options_.jac(tensor(x));
    if (!j.defined() || j.numel() != rows_ * columns())
      fail("least_squares",
           fmt::format("jac gives {} for {} residuals of {} numbers",
                       j.defined() ? j.shape().str() : "nothing", rows_, columns()),
           where_);
    j = cast(j, kF64);
  } else if (rows_ <= columns()) {
    j = glia::jacobian([&](const std::vector<Tensor>& in) { return checked(fun_(in[0])); },
                       {tensor(x)}, where_)[0];
  } else {
    // Fewer numbers than residuals: one column at a time, forwards.
    std::vector<Tensor> parts;
    for (int64_t k = 0; k < columns(); ++k) {
      Vector unit(start_.size());
      unit[k] = 1;
      parts.push_back(jvp([&](const std::vector<Tensor>& in) { return checked(fun_(in[0])); },
                          {tensor(x)}, {tensor(unit)}, where_)
                          .second);
    }
    out.at = host_values(stack(parts, 0));  // rows of these are columns
    return out;
  }
  out.at = host_values(transpose(reshape(j, {rows_, columns()})));
  return out;
}

double Residuals::cost(const Vector& f) const {
  const double c = options_.f_scale;
  double sum = 0;
  for (double v : f) {
    const double z = (v / c) * (v / c);
    switch (options_.loss) {
      case Loss::kLinear:
        sum += v * v;
        break;
      case Loss::kSoftL1:
        sum += c * c * 2 * (z / (std::sqrt(1 + z) + 1));
        break;
      case Loss::kHuber:
        sum += c * c * (z <= 1 ? z : 2 * std::sqrt(z) - 1);
        break;
      case Loss::kCauchy:
        sum += c * c * std::log1p(z);
        break;
      case Loss::kArctan:
        sum += c * c * std::atan(z);
        break;
    }
  }
  return sum / 2;
}

void Residuals::scale_by_loss(Vector* f, HostMatrix* j) const {
  if (options_.loss == Loss::kLinear) return;
  for (size_t i = 0; i < f->size(); ++i) {
    const double z = std::pow((*f)[i] / options_.f_scale, 2);
    double first = 1, second = 0;  // derivatives of the loss by z
    switch (options_.loss) {
      case Loss::kSoftL1:
        first = 1 / std::sqrt(1 + z);
        second = -0.5 * first / (1 + z);
        break;
      case Loss::kHuber:
        if (z > 1) {
          first = 1 / std::sqrt(z);
          second = -0.5 * first / z;
        }
        break;
      case Loss::kCauchy:
        first = 1 / (1 + z);
        second = -first * first;
        break;
      default:
        first = 1 / (1 + z * z);
        second = -2 * z * first * first;
    }
    const double scale = std::sqrt(std::max(first + 2 * second * z, 0x1p-52));
    (*f)[i] *= first / scale;
    for (int64_t k = 0; k < j->cols; ++k) (*j)(static_cast<int64_t>(i), k) *= scale;
  }
}

// ---- A step ----

TrustRegion::TrustRegion(HostMatrix j, const Vector& f) {
  const int64_t m = j.rows, n = j.cols, k = std::min(m, n);
  s_.resize(static_cast<size_t>(k));
  vt_ = HostMatrix(k, n);
  HostMatrix u(m, k);
  failed_ =
      !all_finite(j.at) || dense::factor_svd('S', j.view(), s_.data(), u.view(), vt_.view()) != 0;
  if (failed_) return;
  uf_ = transposed_times(u, f);
  const double threshold = 0x1p-52 * static_cast<double>(m) * (k ? s_[0] : 0);
  full_rank_ = m >= n && k > 0 && s_.back() > threshold;
}

Vector TrustRegion::step(double radius, double* alpha) const {
  const auto p_of = [&](double a) {
    Vector p(s_.size());
    for (size_t i = 0; i < s_.size(); ++i) {
      const double below = s_[i] * s_[i] + a;
      p[i] = below > 0 ? -s_[i] * uf_[i] / below : 0;
    }
    return p;
  };
  if (full_rank_) {
    Vector p(s_.size());
    for (size_t i = 0; i < s_.size(); ++i) p[i] = -uf_[i] / s_[i];
    if (length(p) <= radius) {
      *alpha = 0;
      return transposed_times(vt_, p);
    }
  }
  Vector suf(s_.size());
  for (size_t i = 0; i < s_.size(); ++i) suf[i] = s_[i] * uf_[i];
  // phi(a) = |p(a)| - radius falls and is convex (More 1978).
  const auto phi = [&](double a, double* slope) {
    const Vector p = p_of(a);
    const double size = length(p);
    double sum = 0;
    for (size_t i = 0; i < s_.size(); ++i) {
      const double below = s_[i] * s_[i] + a;
      if (below > 0) sum += (p[i] / below) * p[i];
    }
    *slope = -sum / size;
    return size - radius;
  };
  double upper = length(suf) / radius, lower = 0, slope = 0;
  if (upper == 0) return Vector(static_cast<size_t>(vt_.cols));
  if (full_rank_) lower = -phi(0, &slope) / slope;
  double a = *alpha;
  if (!(a >= lower && a <= upper) || (!full_rank_ && a == 0))
    a = std::max(0.001 * upper, std::sqrt(lower * upper));
  for (int i = 0; i < 50; ++i) {
    if (a < lower || a > upper) a = std::max(0.001 * upper, std::sqrt(lower * upper));
    const double value = phi(a, &slope);
    if (value < 0) upper = a;
    const double ratio = value / slope;
    lower = std::max(lower, a - ratio);
    a -= (value + radius) * ratio / radius;
    if (std::abs(value) < 0.01 * radius) break;
  }
  *alpha = a;
  const Vector p = p_of(a);
  return transposed_times(vt_, times(radius / length(p), p));
}

RadiusUpdate update_radius(double radius, double actual, double predicted, double step,
                           bool at_border) {
  const double ratio = predicted > 0 ? actual / predicted : predicted == 0 && actual == 0 ? 1 : 0;
  if (ratio < 0.25)
    radius = 0.25 * step;
  else if (ratio > 0.75 && at_border)
    radius *= 2;
  return {radius, ratio};
}

Vector scale_of(const Residuals& problem) {
  const Vector& given = problem.options().x_scale;
  if (given.size() == 1) return Vector(problem.start().size(), given[0]);
  return given;
}

LeastSquaresResult finished(Residuals& problem, const Vector& x, const Vector& f,
                            const HostMatrix& j, const Vector& g, double cost, double optimality,
                            int status) {
  LeastSquaresResult r;
  r.x = problem.tensor(x);
  r.cost = cost;
  r.fun = from_vector(f, {static_cast<int64_t>(f.size())});
  r.jac = transpose(from_vector(j.at, {j.cols, j.rows}));
  r.grad = from_vector(g, {j.cols});
  r.optimality = optimality;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto [low, high] = problem.bounds()[i];
    const double room = problem.options().xtol, to_low = x[i] - low, to_high = high - x[i];
    const bool at_low = std::isfinite(low) && to_low <= room * std::max(1.0, std::abs(low));
    const bool at_high = std::isfinite(high) && to_high <= room * std::max(1.0, std::abs(high));
    r.active_mask.push_back(at_low && to_low <= to_high ? -1 : at_high ? 1 : 0);
  }
  r.nfev = problem.nfev, r.njev = problem.njev;
  r.status = status;
  r.success = status > 0;
  static constexpr const char* kMessages[] = {
      "the function is computed as often as it may be", "the gradient is within gtol",
      "the cost falls by less than ftol", "x moves by less than xtol",
      "the cost falls by less than ftol and x moves by less than xtol"};
  r.message = kMessages[status];
  return r;
}

LeastSquaresResult least_squares(const Function& fun, const Tensor& x0,
                                 const LeastSquaresOptions& options, Where where) {
  const auto require = [&](bool ok, const std::string& what) {
    if (!ok) throw ValueError("least_squares: " + what, where);
  };
  if (!fun) fail("least_squares", "the function is not given", where);
  require(options.ftol >= 0 && options.xtol >= 0 && options.gtol >= 0,
          "a tolerance is negative or NaN");
  require(options.f_scale > 0 && std::isfinite(options.f_scale), "f_scale is not above 0");
  require(!options.max_nfev || *options.max_nfev >= 1, "max_nfev is below 1");
  const bool lm = options.method == LeastSquaresMethod::kLm;
  require(!lm || options.bounds.empty(), "kLm has no bounds");
  require(!lm || options.loss == Loss::kLinear, "kLm has no loss but kLinear");
  Residuals problem(fun, x0, options, where);
  const size_t scales = options.x_scale.size();
  require(scales <= 1 || static_cast<int64_t>(scales) == problem.columns(),
          fmt::format("{} numbers of x_scale for {}", scales, problem.columns()));
  for (double s : options.x_scale)
    require(s > 0 && std::isfinite(s), "x_scale has numbers that are not above 0");
  const Vector f = problem.first_values();
  require(all_finite(f), "the residuals are not finite at x0");
  require(!lm || static_cast<int64_t>(f.size()) >= problem.columns(),
          "kLm needs as many residuals as numbers");
  return lm ? levenberg_marquardt(problem) : trust_region_reflective(problem);
}

// ---- Curves ----

CurveFitResult curve_fit(const CurveFunction& f, const Tensor& x, const Tensor& y, const Tensor& p0,
                         const CurveFitOptions& options, Where where) {
  constexpr const char* kName = "curve_fit";
  if (!f) fail(kName, "the function is not given", where);
  require_defined(kName, x, where);
  const Tensor target = checked_start(kName, y, where), start = checked_start(kName, p0, where);
  const int64_t m = target.numel(), n = start.numel();
  if (target.rank() != 1 || m == 0) fail(kName, "y is (M), not " + target.shape().str(), where);
  if (start.rank() != 1 || n == 0) fail(kName, "p0 is (P), not " + start.shape().str(), where);
  const Tensor data = is_float(x.dtype()) ? stop_gradient(cast(x, kF64)) : x;

  Tensor deviation, factor;
  if (options.sigma.defined()) {
    const Tensor sigma = checked_start(kName, options.sigma, where);
    if (sigma.shape() == Shape({m}))
      deviation = sigma;
    else if (sigma.shape() == Shape({m, m}))
      factor = linalg::cholesky(sigma, false, where);
    else
      fail(kName, "sigma is " + sigma.shape().str() + " for y " + target.shape().str(), where);
    if (deviation.defined() && any(deviation <= 0).item<bool>())
      throw ValueError("curve_fit: sigma has numbers that are not above 0", where);
  }
  const Function residuals = [&](const Tensor& p) {
    const Tensor model = f(data, p);
    if (!model.defined() || model.numel() != m)
      fail(kName,
           fmt::format("the function gives {} for y {}",
                       model.defined() ? model.shape().str() : "nothing", target.shape().str()),
           where);
    const Tensor r = reshape(cast(model, kF64), {m}) - target;
    if (deviation.defined()) return r / deviation;
    if (factor.defined()) return reshape(linalg::solve_triangular(factor, reshape(r, {m, 1})), {m});
    return r;
  };
  LeastSquaresOptions o;
  const bool plain = options.bounds.empty() && options.loss == Loss::kLinear && m >= n;
  o.method = options.method.value_or(plain ? LeastSquaresMethod::kLm : LeastSquaresMethod::kTrf);
  o.bounds = options.bounds;
  o.derivatives = options.derivatives;
  o.loss = options.loss, o.f_scale = options.f_scale;
  o.ftol = options.ftol, o.xtol = options.xtol, o.gtol = options.gtol;
  o.max_nfev = options.max_nfev;
  if (o.method == LeastSquaresMethod::kLm) {
    o.x_scale = {};
    if (!o.max_nfev) o.max_nfev = 200 * (n + 1);
  }
  const LeastSquaresResult r = least_squares(residuals, start, o, where);

  CurveFitResult out;
  out.popt = r.x;
  out.fun = r.fun;
  out.rss = sum(square(r.fun)).item();
  out.dof = m - n;
  out.nfev = r.nfev;
  out.success = r.success;
  out.message = r.message;
  // (J^T J)^-1 by singular values of the Jacobian with columns of length 1; those that are rounding
  // leave parameters undetermined.
  NoGrad none;
  const Tensor lengths = linalg::vector_norm(r.jac, 2, {0});
  const Tensor unit = glia::where(lengths == 0, 1, lengths);
  const linalg::SVDResult svd = linalg::svd(r.jac / unit, false, where);
  const Vector s = host_values(svd.S);
  const double threshold = 0x1p-52 * static_cast<double>(std::max(m, n)) * (s.empty() ? 0 : s[0]);
  const bool determined = m >= n && !s.empty() && s.back() > threshold;
  const bool scaled = !options.absolute_sigma;
  if (!determined || (scaled && m <= n)) {
    out.pcov = full({n, n}, INFINITY, kF64);
    out.perr = full({n}, INFINITY, kF64);
    return out;
  }
  const Tensor half = transpose(svd.Vh) / svd.S / unsqueeze(unit, 1);
  out.pcov = matmul(half, transpose(half));
  if (scaled) out.pcov = out.pcov * (2 * r.cost / static_cast<double>(m - n));
  out.perr = sqrt(diagonal(out.pcov));
  return out;
}

}  // namespace glia::optimize
