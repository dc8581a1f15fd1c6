// Steps that are least in a model of the second order, within a radius (Nocedal & Wright 2006, 4).
#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

struct Step {
  Vector p;
  bool at_border = false;
  double predicted = 0;  // by how much the model falls
};

// The t >= 0 where z + t d has length `radius`.
double to_border(const Vector& z, const Vector& d, double radius) {
  const double a = dot(d, d), b = 2 * dot(z, d), c = dot(z, z) - radius * radius;
  const double root = std::sqrt(std::max(0.0, b * b - 4 * a * c));
  return b > 0 ? 2 * -c / (b + root) : (-b + root) / (2 * a);
}

// Along the gradient, then to Newton's point. Without one (a Hessian that is not positive definite)
// along the gradient alone.
Step dogleg(const HostMatrix& hessian, const Vector& g, double radius) {
  HostMatrix factor = hessian;
  const bool definite = all_finite(factor.at) && dense::factor_cholesky(factor.view()) == 0;
  Step step;
  if (definite) {
    Vector newton = times(-1, g);
    const dense::Matrix<double> x(newton.data(), hessian.rows, 1);
    dense::divide_left<double>(factor.view(), {.upper = true, .transposed = true}, x);
    dense::divide_left<double>(factor.view(), {.upper = true}, x);
    if (length(newton) <= radius) return {newton, false};
    const Vector cauchy = times(-dot(g, g) / dot(g, hessian * g), g);
    if (length(cauchy) < radius) {
      const Vector rest = difference(newton, cauchy);
      return {moved(cauchy, to_border(cauchy, rest, radius), rest), true};
    }
    return {times(radius / length(cauchy), cauchy), true};
  }
  const double curvature = dot(g, hessian * g), size = length(g);
  double t = radius / size;
  if (curvature > 0) t = std::min(t, size * size / curvature);
  return {times(-t, g), t * size >= radius * (1 - 1e-12)};
}

Step steihaug(Problem& problem, const Point& now, double radius) {
  const double size = length(now.gradient);
  const double enough = std::min(0.5, std::sqrt(size)) * size;
  Vector z(now.x.size()), r = now.gradient, d = times(-1, r);
  double rr = dot(r, r);
  for (int64_t i = 0; i < 2 * problem.size() + 10; ++i) {
    const Vector hd = problem.hessian_times(now, d);
    const double curvature = dot(d, hd);
    if (!(curvature > 0)) return {moved(z, to_border(z, d, radius), d), true};
    const double a = rr / curvature;
    const Vector next = moved(z, a, d);
    if (length(next) >= radius) return {moved(z, to_border(z, d, radius), d), true};
    z = next;
    r = moved(r, a, hd);
    const double rest = dot(r, r);
    if (std::sqrt(rest) < enough) break;
    d = moved(times(-1, r), rest / rr, d);
    rr = rest;
  }
  return {z, false};
}

// In the eigenvectors' coordinates p(t) = -g / (w + t): the t >= max(0, -w[0]) at which it has the
// radius, by Newton's iteration for 1 / |p(t)|; with the first vector where g has no part in it.
Step exact(const HostMatrix& hessian, const Vector& g, double radius) {
  HostMatrix vectors = hessian;
  const int64_t n = hessian.rows;
  Vector w(static_cast<size_t>(n));
  if (!all_finite(vectors.at) || dense::factor_symmetric(true, true, vectors.view(), w.data()) != 0)
    return {times(-radius / length(g), g), true};
  const Vector parts = transposed_times(vectors, g);
  const double scale = std::max(largest(w), 1e-300), gsize = length(g);
  const auto p_of = [&](double t) {
    Vector p(parts);
    for (int64_t i = 0; i < n; ++i) {
      const double below = w[i] + t;
      p[i] = p[i] == 0 ? 0 : -p[i] / (below > 0 ? below : 1e-300);
    }
    return p;
  };
  if (w[0] > 1e-14 * scale) {
    const Vector p = p_of(0);
    if (length(p) <= radius) return {vectors * p, false};
  }
  double low = std::max(0.0, -w[0]), high = gsize / radius + scale;
  // The hard case: even at the least t the length is below the radius.
  const double nudge = 1e-14 * scale;
  Vector p = p_of(low + nudge);
  if (length(p) < radius) {
    Vector first(static_cast<size_t>(n));
    first[0] = p[0] > 0 ? 1 : -1;
    p = moved(p, to_border(p, first, radius), first);
    return {vectors * p, true};
  }
  double t = low + nudge;
  for (int i = 0; i < 200; ++i) {
    p = p_of(t);
    const double size = length(p);
    if (std::abs(size - radius) <= 1e-10 * radius) break;
    (size > radius ? low : high) = t;
    double slope = 0;  // of |p|^2 / 2, negative
    for (int64_t k = 0; k < n; ++k) slope -= p[k] * p[k] / std::max(w[k] + t, 1e-300);
    double next = t - (size - radius) / radius * size * size / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (next == t) break;
    t = next;
  }
  return {vectors * p, true};
}

}  // namespace

OptimizeResult trust_region(Problem& problem, Method method) {
  const MinimizeOptions& o = problem.options();
  Run run(problem, {.gtol = 1e-4, .maxiter = 200 * problem.size()});
  Point now = problem.at(problem.start());
  double radius = o.initial_trust_radius;
  bool known = false;  // the Hessian here
  HostMatrix hessian;
  bool stop = run.ends_at(now);
  while (!stop) {
    if (method != Method::kTrustNCG && !known) hessian = problem.hessian(now.x);
    known = true;
    Step step = method == Method::kDogleg     ? dogleg(hessian, now.gradient, radius)
                : method == Method::kTrustNCG ? steihaug(problem, now, radius)
                                              : exact(hessian, now.gradient, radius);
    const Vector hp =
        method == Method::kTrustNCG ? problem.hessian_times(now, step.p) : hessian * step.p;
    step.predicted = -dot(now.gradient, step.p) - dot(step.p, hp) / 2;
    Point next = problem.at(moved(now.x, 1, step.p));
    const double rounding = 8 * 0x1p-52 * std::max(std::abs(now.value), std::abs(next.value));
    const double fall = now.value - next.value;
    double ratio = fall / step.predicted;
    // Where both are rounding, the model is as good as it gets.
    if (std::abs(fall) <= rounding && std::abs(step.predicted) <= rounding)
      ratio = length(next.gradient) < length(now.gradient) ? 1 : 0;
    if (!std::isfinite(next.value) || !all_finite(next.gradient)) ratio = -1;
    if (!(ratio >= 0.25))
      radius = 0.25 * (step.at_border ? radius : std::min(radius, length(step.p)));
    else if (ratio > 0.75 && step.at_border)
      radius = std::min(2 * radius, o.max_trust_radius);
    const bool taken = ratio > o.eta;
    if (!taken && radius <= 1e-15 * std::max(1e-300, length(now.x)) + 1e-300) {
      run.end_without_step(now);
      break;
    }
    stop = taken ? run.ends_after(now, next) : run.ends_without_tests(now);
    if (taken) {
      now = std::move(next);
      known = false;
    }
  }
  return run.finished(now);
}

}  // namespace glia::optimize
