#include "math/optimize/problem.h"

#include <fmt/format.h>

#include <limits>

#include "glia/autodiff.h"
#include "glia/op.h"
#include "glia/ops.h"

namespace glia::optimize {

void require_dependence(const char* name, const Tensor& f, const Where& where) {
  if (f.requires_grad()) return;
  throw ValueError(
      fmt::format("{}: the function does not depend on x by Glia's operations: give jac, or set "
                  "derivatives to k2Point or k3Point",
                  name),
      where);
}

HostMatrix difference_jacobian(const HostFunction& f, const Vector& x, const Vector& fx,
                               bool central, const std::vector<std::pair<double, double>>& bounds) {
  const double relative = central ? std::cbrt(0x1p-52) : std::sqrt(0x1p-52);
  HostMatrix out(static_cast<int64_t>(fx.size()), static_cast<int64_t>(x.size()));
  Vector moved = x;
  for (size_t j = 0; j < x.size(); ++j) {
    const double low = bounds.empty() ? -INFINITY : bounds[j].first;
    const double high = bounds.empty() ? INFINITY : bounds[j].second;
    const double h = relative * std::max(1.0, std::abs(x[j]));
    const auto value = [&](double at) {
      moved[j] = at;
      return f(moved);
    };
    const bool up = x[j] + h <= high, down = x[j] - h >= low;
    if (central && up && down) {
      const Vector a = value(x[j] - h), b = value(x[j] + h);
      const double width = (x[j] + h) - (x[j] - h);
      for (size_t i = 0; i < fx.size(); ++i) out(i, j) = (b[i] - a[i]) / width;
    } else if (central && (x[j] + 2 * h <= high || x[j] - 2 * h >= low)) {
      const double s = x[j] + 2 * h <= high ? h : -h;
      const Vector a = value(x[j] + s), b = value(x[j] + 2 * s);
      for (size_t i = 0; i < fx.size(); ++i) out(i, j) = (4 * a[i] - 3 * fx[i] - b[i]) / (2 * s);
    } else {
      // Towards the side that has more room, no further than it has.
      const double s = up ? h : down ? -h : high - x[j] >= x[j] - low ? high - x[j] : low - x[j];
      if (s != 0) {
        const Vector a = value(x[j] + s);
        const double width = (x[j] + s) - x[j];
        for (size_t i = 0; i < fx.size(); ++i) out(i, j) = (a[i] - fx[i]) / width;
      }
    }
    moved[j] = x[j];
  }
  return out;
}

Vector host_values(const Tensor& x) { return x.to_vector<double>(); }

Tensor checked_start(const char* name, const Tensor& x0, const Where& where) {
  require_defined(name, x0, where);
  const Tensor x = stop_gradient(cast(x0, kF64));
  if (!all_finite(host_values(x)))
    throw ValueError(fmt::format("{}: x0 has numbers that are not finite", name), where);
  return x;
}

std::vector<std::pair<double, double>> checked_bounds(
    const char* name, const std::vector<std::pair<double, double>>& bounds, int64_t n,
    const Where& where) {
  if (bounds.empty())
    return std::vector<std::pair<double, double>>(static_cast<size_t>(n), {-INFINITY, INFINITY});
  if (static_cast<int64_t>(bounds.size()) != n)
    fail(name, fmt::format("{} bounds for {} numbers", bounds.size(), n), where);
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!(bounds[i].first <= bounds[i].second))
      throw ValueError(
          fmt::format("{}: bounds {} are {} and {}", name, i, bounds[i].first, bounds[i].second),
          where);
  }
  return bounds;
}

// ---- Problem ----

namespace {

const Function kNoFunction;

}  // namespace

Problem::Problem(const char* name, const Function& fun, const Tensor& x0,
                 const MinimizeOptions& options, const Where& where)
    : Problem(name, fun, nullptr, x0, options, where) {}

Problem::Problem(const char* name, const ValueAndGradient& fun, const Tensor& x0,
                 const MinimizeOptions& options, const Where& where)
    : Problem(name, kNoFunction, &fun, x0, options, where) {
  if (options.jac || options.hess || options.derivatives != Derivatives::kAutodiff)
    throw ValueError(
        fmt::format("{}: jac, hess and derivatives are for functions of tensors", name), where);
}

Problem::Problem(const char* name, const Function& fun, const ValueAndGradient* host,
                 const Tensor& x0, const MinimizeOptions& options, const Where& where)
    : name_(name),
      fun_(fun),
      host_(host),
      options_(options),
      sign_(options.maximize ? -1 : 1),
      where_(where) {
  if (host ? !*host : !fun) fail(name, "the function is not given", where);
  const Tensor x = checked_start(name, x0, where);
  shape_ = x.shape();
  start_ = host_values(x);
  if (start_.empty()) throw ValueError(fmt::format("{}: x0 has no numbers", name), where);
  bounds_ = checked_bounds(name, options.bounds, size(), where);
  start_ = projected(start_);
}

Vector Problem::projected(Vector x) const {
  if (options_.projection) {
    NoGrad none;
    const Tensor y = options_.projection(tensor(x));
    if (y.numel() != size())
      fail(name_, fmt::format("projection gives {} for x {}", y.shape().str(), shape_.str()),
           where_);
    x = host_values(y);
  }
  if (bounded()) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = std::min(std::max(x[i], bounds_[i].first), bounds_[i].second);
  }
  return x;
}

Tensor Problem::tensor(const Vector& x) const { return from_vector(x, shape_); }

double Problem::number(const Tensor& f) const {
  if (!f.defined() || f.numel() != 1)
    fail(name_,
         fmt::format("the function gives {} instead of one number",
                     f.defined() ? f.shape().str() : "nothing"),
         where_);
  return sign_ * f.item();
}
Vector Problem::checked_gradient(const Tensor& g) const {
  if (!g.defined() || g.numel() != size())
    fail(name_,
         fmt::format("jac gives {} for x {}", g.defined() ? g.shape().str() : "nothing",
                     shape_.str()),
         where_);
  return times(sign_, host_values(g));
}

double Problem::value(const Vector& x) {
  if (host_) return at(x).value;
  ++nfev;
  NoGrad none;
  return number(fun_(tensor(x)));
}

Vector Problem::gradient_of(const Vector& x, double fx) {
  ++njev;
  if (options_.jac) {
    NoGrad none;
    return checked_gradient(options_.jac(tensor(x)));
  }
  return difference_jacobian([&](const Vector& at) { return Vector{value(at)}; }, x, {fx},
                             options_.derivatives == Derivatives::k3Point,
                             bounded() ? bounds_ : std::vector<std::pair<double, double>>{})
      .at;
}

Point Problem::at(const Vector& x) {
  Point p;
  p.x = x;
  if (host_) {
    ++nfev, ++njev;
    p.gradient.resize(x.size());
    p.value = sign_ * (*host_)(x, p.gradient);
    if (p.gradient.size() != x.size())
      fail(name_, fmt::format("{} numbers of a gradient of {}", p.gradient.size(), x.size()),
           where_);
    if (sign_ < 0) p.gradient = times(-1, p.gradient);
    return p;
  }
  if (options_.jac || options_.derivatives != Derivatives::kAutodiff) {
    p.value = value(x);
    p.gradient = gradient_of(x, p.value);
    return p;
  }
  ++nfev, ++njev;
  const Tensor t = trainable(tensor(x));
  const Tensor f = fun_(t);
  if (!f.defined() || f.numel() != 1) number(f);
  require_dependence(name_, f, where_);
  const Tensor g = gradients(reshape(f, {}), {t}, {}, where_)[0];
  eval({f, g}, where_);
  p.value = number(f);
  p.gradient = checked_gradient(g);
  return p;
}

Tensor Problem::slope_of(const Tensor& t) const {
  return options_.jac ? options_.jac(t) : gradients(reshape(fun_(t), {}), {t}, {}, where_)[0];
}
// A gradient that is given may be computed elsewhere: its differences are then the Hessian.
bool Problem::differentiable_twice(const Vector& x) const {
  if (host_ || options_.derivatives != Derivatives::kAutodiff) return false;
  return !options_.jac || options_.jac(trainable(tensor(x))).requires_grad();
}

HostMatrix Problem::hessian(const Vector& x) {
  ++nhev;
  const int64_t n = size();
  HostMatrix out(n, n);
  if (options_.hess) {
    NoGrad none;
    const Tensor h = options_.hess(tensor(x));
    if (!h.defined() || h.numel() != n * n)
      fail(
          name_,
          fmt::format("hess gives {} for {} numbers", h.defined() ? h.shape().str() : "nothing", n),
          where_);
    out.at = times(sign_, host_values(h));
  } else if (differentiable_twice(x)) {
    const auto slope = [&](const std::vector<Tensor>& in) { return slope_of(in[0]); };
    out.at = times(sign_, host_values(jacobian(slope, {tensor(x)}, where_)[0]));
  } else {
    const Point here = at(x);
    out = difference_jacobian([&](const Vector& y) { return at(y).gradient; }, x, here.gradient,
                              options_.derivatives == Derivatives::k3Point, {});
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) out(i, j) = out(j, i) = (out(i, j) + out(j, i)) / 2;
  }
  return out;
}

Vector Problem::hessian_times(const Point& p, const Vector& v) {
  if (options_.hess) return hessian(p.x) * v;
  ++nhev;
  if (differentiable_twice(p.x)) {
    const Tensor t = trainable(tensor(p.x)), g = slope_of(t);
    if (!g.requires_grad()) return Vector(v.size());  // of a linear function
    return times(sign_, host_values(gradients(sum(g * tensor(v)), {t}, {}, where_)[0]));
  }
  const double size = length(v);
  if (size == 0) return v;
  const double h = std::sqrt(0x1p-52) * std::max(1.0, length(p.x)) / size;
  return times(1 / h, difference(at(moved(p.x, h, v)).gradient, p.gradient));
}

// ---- Run ----

Run::Run(Problem& problem, const Defaults& defaults) : problem_(problem) {
  const MinimizeOptions& o = problem.options();
  gtol_ = o.gtol.value_or(o.tol.value_or(defaults.gtol));
  ftol_ = o.ftol.value_or(defaults.ftol);
  xtol_ = o.xtol.value_or(defaults.xtol);
  maxiter_ = o.maxiter.value_or(defaults.maxiter);
  maxfev_ = o.maxfev.value_or(defaults.maxfev);
}

void Run::end(Status status, const std::string& message) {
  result_.status = status;
  result_.success = status == Status::kConverged;
  result_.message = message;
}

// The largest number of the gradient, of what bounds and projection leave.
double Run::slope_size(const Point& p) const {
  if (!problem_.bounded() && !problem_.options().projection) return largest(p.gradient);
  return largest(difference(problem_.projected(moved(p.x, -1, p.gradient)), p.x));
}

void Run::note(const Point& p) {
  const double sign = problem_.options().maximize ? -1 : 1;
  result_.trace.push_back(sign * p.value);
}

bool Run::limits(const Point& now) {
  const MinimizeOptions& o = problem_.options();
  const double sign = o.maximize ? -1 : 1;
  if (!std::isfinite(now.value) || !all_finite(now.gradient)) {
    end(Status::kNotFinite, "the value or its gradient is not finite");
    return true;
  }
  if (o.f_target && now.value <= sign * *o.f_target) {
    end(Status::kConverged, "the value that was asked for is reached");
    return true;
  }
  if (result_.nit > 0 && o.callback) {
    OptimizeResult copy = result_;
    copy.x = problem_.tensor(now.x);
    copy.fun = sign * now.value;
    if (!now.gradient.empty()) copy.jac = problem_.tensor(times(sign, now.gradient));
    copy.nfev = problem_.nfev, copy.njev = problem_.njev, copy.nhev = problem_.nhev;
    if (o.callback(copy)) {
      end(Status::kCallback, "the callback has stopped it");
      return true;
    }
  }
  if (result_.nit >= maxiter_) {
    end(Status::kMaxIterations, fmt::format("{} iterations are done", maxiter_));
    return true;
  }
  if (problem_.nfev >= maxfev_) {
    end(Status::kMaxEvaluations, fmt::format("{} values are computed", problem_.nfev));
    return true;
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began_;
  if (o.max_seconds && spent.count() >= *o.max_seconds) {
    end(Status::kMaxTime, fmt::format("{} seconds are over", *o.max_seconds));
    return true;
  }
  return false;
}

bool Run::ends_at(const Point& start) {
  note(start);
  if (std::isfinite(start.value) && all_finite(start.gradient) && slope_size(start) <= gtol_) {
    end(Status::kConverged, "the gradient is within gtol");
    return true;
  }
  return limits(start);
}

bool Run::ends_after(const Point& before, const Point& now) {
  ++result_.nit;
  note(now);
  if (std::isfinite(now.value) && all_finite(now.gradient)) {
    const double size = std::max({std::abs(before.value), std::abs(now.value), 1.0});
    if (slope_size(now) <= gtol_) {
      end(Status::kConverged, "the gradient is within gtol");
    } else if (ftol_ > 0 && before.value - now.value <= ftol_ * size) {
      end(Status::kConverged, "the value falls by less than ftol");
    } else if (xtol_ > 0 &&
               length(difference(now.x, before.x)) <= xtol_ * (xtol_ + length(now.x))) {
      end(Status::kConverged, "x moves by less than xtol");
    }
    if (!result_.message.empty()) {
      if (problem_.options().callback) {  // it sees the last point, too
        const OptimizeResult done = result_;
        if (limits(now) && result_.status == Status::kCallback) return true;
        result_ = done;
      }
      return true;
    }
  }
  return limits(now);
}

bool Run::ends_without_tests(const Point& now) {
  if (!result_.trace.empty()) ++result_.nit;
  note(now);
  return limits(now);
}

void Run::end_without_step(const Point& now) {
  if (slope_size(now) <= gtol_)
    end(Status::kConverged, "the gradient is within gtol");
  else
    end(Status::kPrecisionLoss, "no step along the direction makes the value less");
}

OptimizeResult Run::finished(const Point& best) {
  const double sign = problem_.options().maximize ? -1 : 1;
  result_.x = problem_.tensor(best.x);
  result_.fun = sign * best.value;
  if (!best.gradient.empty()) result_.jac = problem_.tensor(times(sign, best.gradient));
  result_.nfev = problem_.nfev, result_.njev = problem_.njev, result_.nhev = problem_.nhev;
  return result_;
}

}  // namespace glia::optimize
