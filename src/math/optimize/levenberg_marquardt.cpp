// Levenberg-Marquardt with a trust region in scaled numbers (More 1978).
#include "math/optimize/residuals.h"

namespace glia::optimize {
namespace {

Vector column(const HostMatrix& j, int64_t k) {
  const auto begin = j.at.begin() + k * j.rows;
  return Vector(begin, begin + j.rows);
}

// The largest cosine of an angle between the residuals and a column.
double largest_cosine(const HostMatrix& j, const Vector& f) {
  const double size = length(f);
  double most = 0;
  for (int64_t k = 0; k < j.cols; ++k) {
    const Vector one = column(j, k);
    const double product = length(one) * size;
    if (product > 0) most = std::max(most, std::abs(dot(one, f)) / product);
  }
  return most;
}

}  // namespace

LeastSquaresResult levenberg_marquardt(Residuals& problem) {
  const LeastSquaresOptions& o = problem.options();
  constexpr double kFirstRadius = 100;  // in lengths of x
  const int64_t n = problem.columns();
  const bool own_scale = o.x_scale.empty();  // by the longest that each column has been
  Vector x = problem.start(), f = problem.values(x);
  HostMatrix j = problem.jacobian(x, f);
  double cost = dot(f, f) / 2, radius = 0, alpha = 0, cosine = 0;
  Vector scale(static_cast<size_t>(n)), g;
  int status = -1;
  bool first = true;
  while (status < 0) {
    g = transposed_times(j, f);
    Vector columns(static_cast<size_t>(n));
    for (int64_t k = 0; k < n; ++k) {
      columns[k] = length(column(j, k));
      if (!own_scale) {
        if (first) scale[k] = 1 / scale_of(problem)[k];
      } else if (first) {
        scale[k] = columns[k] == 0 ? 1 : columns[k];
      } else {
        scale[k] = std::max(scale[k], columns[k]);
      }
    }
    const auto scaled = [&](Vector v) {
      for (int64_t k = 0; k < n; ++k) v[k] *= scale[k];
      return v;
    };
    if (first) {
      radius = kFirstRadius * length(scaled(x));
      if (radius == 0) radius = kFirstRadius;
      first = false;
    }
    cosine = largest_cosine(j, f);
    if (cosine <= o.gtol) {
      status = 1;
      break;
    }
    HostMatrix in_scale = j;
    for (int64_t k = 0; k < n; ++k) {
      for (int64_t i = 0; i < j.rows; ++i) in_scale(i, k) /= scale[k];
    }
    const TrustRegion region(std::move(in_scale), f);
    bool taken = false;
    while (status < 0 && !taken) {
      if (problem.nfev >= problem.max_nfev()) {
        status = 0;
        break;
      }
      Vector p = region.failed() ? Vector(static_cast<size_t>(n)) : region.step(radius, &alpha);
      const double length_p = length(p);
      for (int64_t k = 0; k < n; ++k) p[k] /= scale[k];
      const Vector x_new = moved(x, 1, p);
      const Vector f_new = problem.values(x_new);
      const double cost_new = dot(f_new, f_new) / 2;
      // Of the cost: what it falls by, and what the model says.
      const Vector jp = j * p;
      const double predicted = -(dot(g, p) + dot(jp, jp) / 2);
      const bool better = std::isfinite(cost_new) && cost_new < cost;
      const double actual = std::isfinite(cost_new) ? cost - cost_new : -cost;
      const double ratio = predicted > 0 ? actual / predicted : 0;
      if (ratio <= 0.25) {
        // Where the parabola through both costs and the slope is least.
        const double slope = dot(g, p);
        double t = actual >= 0 ? 0.5 : 0.5 * slope / (slope + actual);
        if (!(t >= 0.1) || !std::isfinite(cost_new)) t = 0.1;
        radius = t * std::min(radius, 10 * length_p);
      } else if (ratio >= 0.75 || alpha == 0) {
        radius = 2 * length_p;
      }
      taken = ratio >= 1e-4 && better;
      // Costs lose digits before the gradient does (residuals are differences): near the end it
      // says whether this is a better place.
      const double flat = std::sqrt(0x1p-52) * cost;
      if (!taken && predicted > 0 && predicted <= flat && std::abs(actual) <= flat) {
        taken = largest_cosine(problem.jacobian(x_new, f_new), f_new) < cosine;
        if (!taken && predicted <= 0x1p-52 * cost) status = 2;
      }
      const bool small_fall =
          std::abs(actual) <= o.ftol * cost && predicted <= o.ftol * cost && ratio <= 2;
      const Vector& x_now = taken ? x_new : x;
      const bool small_step = radius <= o.xtol * length(scaled(x_now));
      if (taken) {
        x = x_new, f = f_new;
        cost = cost_new;
      }
      if (small_fall || small_step)
        status = small_fall && small_step ? 4 : small_fall ? 2 : 3;
      else if (!taken && radius <= 0x1p-52 * length(scaled(x)))
        status = 3;  // no digits are left
      if (cost == 0) status = 2;
    }
    if (taken) {
      j = problem.jacobian(x, f);
      g = transposed_times(j, f);
    }
  }
  return finished(problem, x, f, j, g, cost, largest(g), status);
}

}  // namespace glia::optimize
