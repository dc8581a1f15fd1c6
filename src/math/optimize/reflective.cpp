// A trust region in numbers scaled by their distance to the bounds, at which steps are reflected
// (Branch, Coleman & Li 1999).
#include "math/optimize/residuals.h"

namespace glia::optimize {
namespace {

using Bounds = std::vector<std::pair<double, double>>;

// v: the distance to the bound towards which the gradient leads, or 1; dv: its derivative.
struct Distances {
  Vector v, dv;
};
Distances distances(const Vector& x, const Vector& g, const Bounds& bounds) {
  Distances d{Vector(x.size(), 1), Vector(x.size())};
  for (size_t i = 0; i < x.size(); ++i) {
    if (g[i] < 0 && std::isfinite(bounds[i].second)) d.v[i] = bounds[i].second - x[i], d.dv[i] = -1;
    if (g[i] > 0 && std::isfinite(bounds[i].first)) d.v[i] = x[i] - bounds[i].first, d.dv[i] = 1;
  }
  return d;
}

// How far from x along p to the nearest bound, and which numbers meet it there.
double step_to_bound(const Vector& x, const Vector& p, const Bounds& bounds,
                     std::vector<int>* hits) {
  Vector steps(x.size(), INFINITY);
  double least = INFINITY;
  for (size_t i = 0; i < x.size(); ++i) {
    if (p[i] != 0)
      steps[i] = std::max((bounds[i].first - x[i]) / p[i], (bounds[i].second - x[i]) / p[i]);
    least = std::min(least, steps[i]);
  }
  if (hits) {
    hits->assign(x.size(), 0);
    for (size_t i = 0; i < x.size(); ++i) {
      if (steps[i] == least) (*hits)[i] = p[i] > 0 ? 1 : -1;
    }
  }
  return least;
}

// Strictly within: at a distance of a part of the bound, or to the next number if it is 0.
Vector strictly_inside(Vector x, const Bounds& bounds, double part) {
  for (size_t i = 0; i < x.size(); ++i) {
    const auto [low, high] = bounds[i];
    if (x[i] <= low)
      x[i] = part == 0 ? std::nextafter(low, high) : low + part * std::max(1.0, std::abs(low));
    if (x[i] >= high)
      x[i] = part == 0 ? std::nextafter(high, low) : high - part * std::max(1.0, std::abs(high));
    if (x[i] < low || x[i] > high) x[i] = low + (high - low) / 2;
  }
  return x;
}

// The model g p + |J p|^2 / 2 + p diag p / 2 along start + t s.
struct Parabola {
  double a = 0, b = 0, c = 0;
  double at(double t) const { return (a * t + b) * t + c; }
  // Where it is least within [low, high].
  double least(double low, double high) const {
    double best = at(low) <= at(high) ? low : high;
    if (a > 0) {
      const double middle = -b / (2 * a);
      if (middle > low && middle < high && at(middle) < at(best)) best = middle;
    }
    return best;
  }
};
Parabola along(const HostMatrix& j, const Vector& g, const Vector& diag, const Vector& s,
               const Vector* start) {
  Parabola p;
  const Vector js = j * s;
  p.a = dot(js, js) / 2;
  p.b = dot(g, s);
  for (size_t i = 0; i < s.size(); ++i) p.a += s[i] * diag[i] * s[i] / 2;
  if (start) {
    const Vector jt = j * *start;
    p.b += dot(jt, js);
    p.c = dot(jt, jt) / 2 + dot(g, *start);
    for (size_t i = 0; i < s.size(); ++i) {
      p.b += (*start)[i] * diag[i] * s[i];
      p.c += (*start)[i] * diag[i] * (*start)[i] / 2;
    }
  }
  return p;
}

// The positive t at which start + t s has length `radius`.
double to_radius(const Vector& start, const Vector& s, double radius) {
  const double a = dot(s, s), b = dot(start, s), c = dot(start, start) - radius * radius;
  const double root = std::sqrt(std::max(0.0, b * b - a * c));
  return b > 0 ? -c / (b + root) : (root - b) / a;
}

struct Choice {
  Vector step, scaled;
  double predicted;
};
Vector times_each(const Vector& a, const Vector& b) {
  Vector out(a);
  for (size_t i = 0; i < a.size(); ++i) out[i] *= b[i];
  return out;
}
bool within(const Vector& x, const Bounds& bounds) {
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] >= bounds[i].first && x[i] <= bounds[i].second)) return false;
  }
  return true;
}

// The trust region's step where it stays within; else the best of it cut, it reflected at the first
// bound, and the gradient's. All stay strictly inside by the part theta.
Choice choose(const Vector& x, const HostMatrix& j, const Vector& diag, const Vector& g, Vector p,
              Vector p_scaled, const Vector& d, double radius, const Bounds& bounds, double theta) {
  if (within(moved(x, 1, p), bounds))
    return {p, p_scaled, -along(j, g, diag, p_scaled, nullptr).at(1)};
  std::vector<int> hits;
  const double p_stride = step_to_bound(x, p, bounds, &hits);
  Vector r_scaled = p_scaled;
  for (size_t i = 0; i < hits.size(); ++i) {
    if (hits[i]) r_scaled[i] = -r_scaled[i];
  }
  Vector r = times_each(d, r_scaled);
  p = times(p_stride, p);
  p_scaled = times(p_stride, p_scaled);
  const Vector on_bound = moved(x, 1, p);
  const double to_tr = to_radius(p_scaled, r_scaled, radius);
  const double to_bound = step_to_bound(on_bound, r, bounds, nullptr);
  double r_stride = std::min(to_bound, to_tr), low = 0, high = -1;
  if (r_stride > 0) {
    low = (1 - theta) * p_stride / r_stride;
    high = r_stride == to_bound ? theta * to_bound : to_tr;
  }
  double r_value = INFINITY;
  if (low <= high) {
    const Parabola line = along(j, g, diag, r_scaled, &p_scaled);
    r_stride = line.least(low, high);
    r_value = line.at(r_stride);
    r_scaled = moved(p_scaled, r_stride, r_scaled);
    r = times_each(d, r_scaled);
  }
  p = times(theta, p);
  p_scaled = times(theta, p_scaled);
  const double p_value = along(j, g, diag, p_scaled, nullptr).at(1);
  Vector a_scaled = times(-1, g), a = times_each(d, a_scaled);
  const double a_tr = radius / length(a_scaled), a_bound = step_to_bound(x, a, bounds, nullptr);
  const Parabola line = along(j, g, diag, a_scaled, nullptr);
  const double a_stride = line.least(0, a_bound < a_tr ? theta * a_bound : a_tr);
  const double a_value = line.at(a_stride);
  if (p_value < r_value && p_value < a_value) return {p, p_scaled, -p_value};
  if (r_value < p_value && r_value < a_value) return {r, r_scaled, -r_value};
  return {times(a_stride, a), times(a_stride, a_scaled), -a_value};
}

}  // namespace

LeastSquaresResult trust_region_reflective(Residuals& problem) {
  const LeastSquaresOptions& o = problem.options();
  const Bounds& bounds = problem.bounds();
  const bool own_scale = o.x_scale.empty();
  Vector x = problem.bounded() ? strictly_inside(problem.start(), bounds, 1e-10) : problem.start();
  Vector f = problem.values(x);
  double cost = problem.cost(f);
  HostMatrix j = problem.jacobian(x, f);
  Vector f_scaled = f;
  problem.scale_by_loss(&f_scaled, &j);
  Vector g = transposed_times(j, f_scaled);
  Vector scale = own_scale ? Vector(x.size()) : scale_of(problem), widest(x.size());
  const auto rescale = [&] {
    if (!own_scale) return;
    for (int64_t k = 0; k < j.cols; ++k) {
      const auto begin = j.at.begin() + k * j.rows;
      widest[k] = std::max(widest[k], length(Vector(begin, begin + j.rows)));
      scale[k] = widest[k] == 0 ? 1 : 1 / widest[k];
    }
  };
  rescale();
  const auto scaled_distances = [&] {
    Distances at = distances(x, g, bounds);
    for (size_t i = 0; i < x.size(); ++i) {
      if (at.dv[i] != 0) at.v[i] /= scale[i];
    }
    return at;
  };
  Vector at_start(x);
  Distances now = scaled_distances();
  for (size_t i = 0; i < x.size(); ++i) at_start[i] = x[i] / scale[i] / std::sqrt(now.v[i]);
  double radius = length(at_start), alpha = 0, optimality = 0;
  if (radius == 0) radius = 1;
  int status = -1;
  while (status < 0) {
    const Distances plain = distances(x, g, bounds);
    optimality = largest(times_each(g, plain.v));
    if (optimality < o.gtol) {
      status = 1;
      break;
    }
    if (problem.nfev >= problem.max_nfev()) {
      status = 0;
      break;
    }
    now = scaled_distances();
    Vector d(x.size()), diag(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      d[i] = std::sqrt(now.v[i]) * scale[i];
      diag[i] = g[i] * now.dv[i] * scale[i];
    }
    const Vector g_scaled = times_each(d, g);
    HostMatrix j_scaled = j;
    HostMatrix tall(j.rows + (problem.bounded() ? j.cols : 0), j.cols);
    for (int64_t k = 0; k < j.cols; ++k) {
      for (int64_t i = 0; i < j.rows; ++i) tall(i, k) = j_scaled(i, k) *= d[k];
      if (problem.bounded()) tall(j.rows + k, k) = std::sqrt(std::max(0.0, diag[k]));
    }
    Vector f_tall = f_scaled;
    f_tall.resize(static_cast<size_t>(tall.rows));
    const TrustRegion region(std::move(tall), f_tall);
    if (region.failed()) {
      status = 0;
      break;
    }
    const double theta = std::max(0.995, 1 - optimality);
    bool taken = false;
    Vector x_new, f_new;
    double cost_new = cost;
    while (!taken && status < 0 && problem.nfev < problem.max_nfev()) {
      const Vector p_scaled = region.step(radius, &alpha);
      const Choice choice = choose(x, j_scaled, diag, g_scaled, times_each(d, p_scaled), p_scaled,
                                   d, radius, bounds, theta);
      x_new = moved(x, 1, choice.step);
      if (problem.bounded()) x_new = strictly_inside(std::move(x_new), bounds, 0);
      f_new = problem.values(x_new);
      const double size = length(choice.scaled);
      if (!all_finite(f_new)) {
        radius = 0.25 * size;
        if (size == 0) status = 3;
        continue;
      }
      cost_new = problem.cost(f_new);
      const double actual = cost - cost_new;
      const double before = radius;
      const RadiusUpdate u =
          update_radius(radius, actual, choice.predicted, size, size > 0.95 * radius);
      const double step = length(choice.step);
      const bool small_fall = actual < o.ftol * cost && u.ratio > 0.25;
      const bool small_step = step < o.xtol * (o.xtol + length(x));
      if (small_fall || small_step) status = small_fall && small_step ? 4 : small_fall ? 2 : 3;
      taken = actual > 0;
      if (status < 0) {
        alpha *= before / u.radius;
        radius = u.radius;
        if (!taken && radius <= 1e-300) status = 3;
      }
    }
    if (taken) {
      x = std::move(x_new), f = std::move(f_new);
      cost = cost_new;
      j = problem.jacobian(x, f);
      f_scaled = f;
      problem.scale_by_loss(&f_scaled, &j);
      g = transposed_times(j, f_scaled);
      rescale();
      if (cost == 0) status = 1;
    }
  }
  return finished(problem, x, f, j, g, cost, optimality, status);
}

}  // namespace glia::optimize
