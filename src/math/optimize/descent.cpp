// Methods that choose a direction and then how far to go along it.
#include <deque>

#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

// The first step of a method that has no idea of lengths yet.
double first_step(const Point& p) { return std::min(1.0, 1 / length(p.gradient)); }

// Directions of the Hessian with its eigenvalues made positive, none below a part of the largest.
Vector newton_direction(HostMatrix hessian, const Vector& gradient) {
  const int64_t n = hessian.rows;
  Vector values(static_cast<size_t>(n));
  if (!all_finite(hessian.at) ||
      dense::factor_symmetric(true, true, hessian.view(), values.data()) != 0)
    return times(-1, gradient);
  const double most = largest(values);
  if (most == 0) return times(-1, gradient);
  Vector parts = transposed_times(hessian, gradient);
  for (int64_t i = 0; i < n; ++i) parts[i] /= -std::max(std::abs(values[i]), 1e-10 * most);
  return hessian * parts;
}

}  // namespace

OptimizeResult gradient_descent(Problem& problem) {
  const MinimizeOptions& o = problem.options();
  Run run(problem, {.gtol = 1e-5, .maxiter = 10000});
  const LineSettings line = line_settings(o, 0.9);
  Point now = problem.at(problem.start()), best = now;
  Vector velocity(now.x.size());
  double step = line.method == LineSearch::kFixed ? o.lr : first_step(now);
  bool stop = run.ends_at(now);
  while (!stop) {
    Vector direction = times(-1, now.gradient);
    if (line.method == LineSearch::kFixed)
      direction = velocity = moved(direction, o.momentum, velocity);
    std::optional<Point> next = search_line(problem, now, direction, step, line);
    if (!next) {
      run.end_without_step(now);
      break;
    }
    if (line.method != LineSearch::kFixed) {
      // The next first step falls as much as this one.
      const double slope = dot(next->gradient, next->gradient);
      step = next->step * std::clamp(dot(now.gradient, now.gradient) / slope, 0.1, 10.0);
      if (!std::isfinite(step) || step <= 0) step = 1;
    }
    stop = run.ends_after(now, *next);
    now = *std::move(next);
    if (now.value <= best.value) best = now;
  }
  // A fixed step may end above what it has seen.
  return run.finished(run.result().success || !std::isfinite(best.value) ? now : best);
}

OptimizeResult projected_gradient(Problem& problem) {
  Run run(problem, {.gtol = 1e-5, .maxiter = 10000});
  constexpr size_t kMemory = 10;  // of values, the largest of which a step must be below
  Point now = problem.at(problem.start());
  std::deque<double> values{now.value};
  double spectral = first_step(now);
  Point best = now;
  bool stop = run.ends_at(now);
  while (!stop) {
    const Vector direction =
        difference(problem.projected(moved(now.x, -spectral, now.gradient)), now.x);
    const double slope = dot(direction, now.gradient);
    if (!(slope < 0)) {
      run.end_without_step(now);
      break;
    }
    const double most = *std::max_element(values.begin(), values.end());
    double step = 1;
    Point next;
    for (int trial = 0; trial < 60; ++trial) {
      next = problem.at(moved(now.x, step, direction));
      if (next.value <= most + problem.options().c1 * step * slope) break;
      const double curvature = next.value - now.value - step * slope;
      const double least = -slope * step * step / (2 * curvature);
      step = std::isfinite(least) && curvature > 0 ? std::clamp(least, 0.1 * step, 0.5 * step)
                                                   : step / 2;
      next.value = NAN;
    }
    if (std::isnan(next.value)) {
      run.end_without_step(now);
      break;
    }
    const Vector s = difference(next.x, now.x), y = difference(next.gradient, now.gradient);
    const double sy = dot(s, y);
    spectral = sy > 0 ? std::clamp(dot(s, s) / sy, 1e-10, 1e10) : 1e10;
    values.push_back(next.value);
    if (values.size() > kMemory) values.pop_front();
    stop = run.ends_after(now, next);
    now = std::move(next);
    if (now.value <= best.value) best = now;
  }
  return run.finished(run.result().success ? now : best);
}

OptimizeResult conjugate_gradients(Problem& problem) {
  Run run(problem, {.gtol = 1e-5, .maxiter = 200 * problem.size()});
  const LineSettings line = line_settings(problem.options(), 0.4);
  Point now = problem.at(problem.start());
  Vector direction = times(-1, now.gradient);
  double step = first_step(now);
  bool stop = run.ends_at(now);
  while (!stop) {
    if (!(dot(direction, now.gradient) < 0)) direction = times(-1, now.gradient);
    std::optional<Point> next = search_line(problem, now, direction, step, line);
    if (!next) {
      const Vector steepest = times(-1, now.gradient);
      if (direction == steepest) {
        run.end_without_step(now);
        break;
      }
      direction = steepest;  // once more
      step = first_step(now);
      continue;
    }
    const double beta =
        std::max(0.0, dot(next->gradient, difference(next->gradient, now.gradient)) /
                          dot(now.gradient, now.gradient));
    const double before = dot(now.gradient, direction);
    direction = moved(times(-1, next->gradient), beta, direction);
    step = next->step * std::min(10.0, before / dot(next->gradient, direction));
    if (!std::isfinite(step) || step <= 0) step = 1;
    stop = run.ends_after(now, *next);
    now = *std::move(next);
  }
  return run.finished(now);
}

OptimizeResult bfgs(Problem& problem) {
  const int64_t n = problem.size();
  Run run(problem, {.gtol = 1e-5, .maxiter = 200 * n});
  const LineSettings line = line_settings(problem.options(), 0.9);
  Point now = problem.at(problem.start());
  HostMatrix inverse = identity(n);
  bool fresh = true;
  bool stop = run.ends_at(now);
  while (!stop) {
    const Vector direction = times(-1, inverse * now.gradient);
    std::optional<Point> next =
        search_line(problem, now, direction, fresh ? first_step(now) : 1, line);
    if (!next) {
      if (fresh) {
        run.end_without_step(now);
        break;
      }
      inverse = identity(n);  // what it has learned is of no use here
      fresh = true;
      continue;
    }
    const Vector s = difference(next->x, now.x), y = difference(next->gradient, now.gradient);
    const double sy = dot(s, y);
    if (sy > 1e-14 * length(s) * length(y) && std::isfinite(sy)) {
      if (fresh) {  // Nocedal & Wright 2006, 6.20
        for (int64_t i = 0; i < n; ++i) inverse(i, i) = sy / dot(y, y);
      }
      const Vector hy = inverse * y;
      const double scale = (1 + dot(y, hy) / sy) / sy;
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < n; ++i)
          inverse(i, j) += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy;
      }
      fresh = false;
    }
    stop = run.ends_after(now, *next);
    now = *std::move(next);
  }
  run.result().hess_inv = from_vector(inverse.at, {n, n});
  return run.finished(now);
}

OptimizeResult newton(Problem& problem) {
  Run run(problem, {.gtol = 1e-8, .maxiter = 200 * problem.size()});
  const LineSettings line = line_settings(problem.options(), 0.9);
  Point now = problem.at(problem.start());
  bool stop = run.ends_at(now);
  while (!stop) {
    const Vector direction = newton_direction(problem.hessian(now.x), now.gradient);
    std::optional<Point> next = search_line(problem, now, direction, 1, line);
    if (!next) {
      run.end_without_step(now);
      break;
    }
    stop = run.ends_after(now, *next);
    now = *std::move(next);
  }
  return run.finished(now);
}

OptimizeResult newton_cg(Problem& problem) {
  Run run(problem, {.gtol = 1e-8, .xtol = 1e-5, .maxiter = 200 * problem.size()});
  const LineSettings line = line_settings(problem.options(), 0.9);
  Point now = problem.at(problem.start());
  bool stop = run.ends_at(now);
  while (!stop) {
    const double size = length(now.gradient);
    const double enough = std::min(0.5, std::sqrt(size)) * size;
    Vector z(now.x.size()), r = now.gradient, d = times(-1, r);
    double rr = dot(r, r);
    for (int64_t i = 0; i < 20 * problem.size() && std::sqrt(rr) > enough; ++i) {
      const Vector hd = problem.hessian_times(now, d);
      const double curvature = dot(d, hd);
      if (!(curvature > 0x1p-52 * dot(d, d))) {  // downhill for ever
        if (i == 0) z = d;
        break;
      }
      const double a = rr / curvature;
      z = moved(z, a, d);
      r = moved(r, a, hd);
      const double next = dot(r, r);
      d = moved(times(-1, r), next / rr, d);
      rr = next;
    }
    std::optional<Point> next = search_line(problem, now, z, 1, line);
    if (!next) {
      run.end_without_step(now);
      break;
    }
    stop = run.ends_after(now, *next);
    now = *std::move(next);
  }
  return run.finished(now);
}

}  // namespace glia::optimize
