#include "lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "linear.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

struct Point {
  double step = 0, value = 0, slope = 0;
  Vector x, gradient;
};

// Where a cubic through both points is least, kept off their ends.
double between(const Point& a, const Point& b) {
  const double low = std::min(a.step, b.step), high = std::max(a.step, b.step);
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double d2 = std::sqrt(d1 * d1 - a.slope * b.slope) * (b.step > a.step ? 1 : -1);
  double at = b.step - (b.step - a.step) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
  const double margin = 0.1 * (high - low);
  if (!std::isfinite(at) || at < low + margin || at > high - margin) at = (low + high) / 2;
  return at;
}

// Nocedal & Wright 2006, algorithms 3.5 and 3.6. The best point that was found.
Point search(const Objective& f, const Point& start, const Vector& direction, double step) {
  constexpr double kDecrease = 1e-4, kCurvature = 0.9;
  const auto at = [&](double length) {
    Point p{.step = length, .x = start.x, .gradient = Vector(start.x.size())};
    for (size_t i = 0; i < p.x.size(); ++i) p.x[i] += length * direction[i];
    p.value = f(p.x, p.gradient);
    p.slope = dot(p.gradient, direction);
    return p;
  };
  Point low = start, high;
  bool bracketed = false;
  for (int trial = 0; trial < 40; ++trial) {
    Point p = at(bracketed ? between(low, high) : step);
    const bool falls =
        std::isfinite(p.value) && p.value <= start.value + kDecrease * p.step * start.slope;
    if (!falls || (low.step > 0 && p.value >= low.value)) {
      if (!std::isfinite(p.value)) {  // no cubic there
        p.value = low.value + std::abs(low.value) + 1;
        p.slope = std::abs(start.slope);
      }
      high = std::move(p);
      bracketed = true;
      if (std::abs(high.step - low.step) <= 1e-14 * std::max(low.step, 1e-300)) break;
      continue;
    }
    if (std::abs(p.slope) <= -kCurvature * start.slope) return p;
    if (bracketed ? p.slope * (high.step - low.step) >= 0 : p.slope >= 0) {
      high = low;
      bracketed = true;
    } else if (!bracketed) {
      step = 2 * p.step;
    }
    low = std::move(p);
  }
  return low;
}

struct Pair {
  Vector s, y;
  double rho;
};
using Memory = std::deque<Pair>;

// Downhill from a gradient: minus the inverse Hessian that the pairs tell of, times it.
Vector downhill(const Memory& memory, const Vector& gradient) {
  Vector direction = gradient, a(memory.size());
  for (size_t i = memory.size(); i-- > 0;) {
    a[i] = memory[i].rho * dot(memory[i].s, direction);
    for (size_t k = 0; k < direction.size(); ++k) direction[k] -= a[i] * memory[i].y[k];
  }
  const double scale = memory.empty()
                           ? std::min(1.0, 1 / std::sqrt(dot(gradient, gradient)))
                           : 1 / (memory.back().rho * dot(memory.back().y, memory.back().y));
  for (double& one : direction) one *= scale;
  for (size_t i = 0; i < memory.size(); ++i) {
    const double b = memory[i].rho * dot(memory[i].y, direction);
    for (size_t k = 0; k < direction.size(); ++k) direction[k] += (a[i] - b) * memory[i].s[k];
  }
  for (double& one : direction) one = -one;
  return direction;
}

// A step and what it did to the gradient, unless the function does not curve upwards along it.
void remember(Memory& memory, const Point& from, const Point& to, int64_t most) {
  Pair pair{Vector(from.x.size()), Vector(from.x.size()), 0};
  for (size_t k = 0; k < from.x.size(); ++k) {
    pair.s[k] = to.x[k] - from.x[k];
    pair.y[k] = to.gradient[k] - from.gradient[k];
  }
  const double curvature = dot(pair.s, pair.y);
  if (!(curvature > 2.2e-16 * dot(pair.y, pair.y))) return;
  pair.rho = 1 / curvature;
  memory.push_back(std::move(pair));
  if (static_cast<int64_t>(memory.size()) > most) memory.pop_front();
}

}  // namespace

LbfgsResult minimise(const Objective& f, Vector& x, const LbfgsOptions& options) {
  Memory memory;
  Point now{.x = x, .gradient = Vector(x.size())};
  now.value = f(now.x, now.gradient);
  LbfgsResult result{.value = now.value};
  result.converged = largest(now.gradient) <= options.gtol;
  while (!result.converged && result.n_iter < options.max_iter && std::isfinite(now.value)) {
    const Vector direction = downhill(memory, now.gradient);
    now.slope = dot(now.gradient, direction);
    now.step = 0;
    if (!(now.slope < 0)) {
      if (memory.empty()) break;
      memory.clear();
      continue;
    }
    Point next = search(f, now, direction, 1);
    if (next.step == 0) {  // no digits are left
      if (memory.empty()) break;
      memory.clear();
      continue;
    }
    ++result.n_iter;
    remember(memory, now, next, options.history);
    const double fall = now.value - next.value;
    const double size = std::max({std::abs(now.value), std::abs(next.value), 1.0});
    now = std::move(next);
    result.converged = largest(now.gradient) <= options.gtol || fall <= options.ftol * size;
  }
  x = now.x;
  result.value = now.value;
  return result;
}

LbfgsResult minimise_within(const Objective& f, Vector& x, const Bounds& bounds,
                            const LbfgsOptions& options) {
  const auto inside = [&](size_t k, double v) {
    return std::clamp(v, bounds[k].first, bounds[k].second);
  };
  Memory memory;
  Point now{.x = x, .gradient = Vector(x.size())};
  for (size_t k = 0; k < x.size(); ++k) now.x[k] = inside(k, x[k]);
  now.value = f(now.x, now.gradient);
  LbfgsResult result{.value = now.value};
  // What a bound does not hold.
  const auto free_part = [&](const Point& p) {
    Vector g = p.gradient;
    for (size_t k = 0; k < g.size(); ++k)
      if ((p.x[k] <= bounds[k].first && g[k] > 0) || (p.x[k] >= bounds[k].second && g[k] < 0))
        g[k] = 0;
    return g;
  };
  Vector free = free_part(now);
  result.converged = largest(free) <= options.gtol;
  while (!result.converged && result.n_iter < options.max_iter && std::isfinite(now.value)) {
    Vector direction = downhill(memory, free);
    for (size_t k = 0; k < direction.size(); ++k)
      if (free[k] == 0) direction[k] = 0;
    Point next;
    bool falls = false;
    double step = 1;
    for (int trial = 0; trial < 40 && !falls && dot(free, direction) < 0; ++trial) {
      next = {.step = step, .x = now.x, .gradient = Vector(x.size())};
      double promised = 0;
      for (size_t k = 0; k < x.size(); ++k) {
        next.x[k] = inside(k, now.x[k] + step * direction[k]);
        promised += now.gradient[k] * (next.x[k] - now.x[k]);
      }
      next.value = f(next.x, next.gradient);
      falls =
          std::isfinite(next.value) && promised < 0 && next.value <= now.value + 1e-4 * promised;
      // Where a parabola through what is known is least.
      const double least = -promised / (2 * (next.value - now.value - promised));
      step *= std::isfinite(least) ? std::clamp(least, 0.1, 0.5) : 0.1;
    }
    if (!falls) {  // no digits are left
      if (memory.empty()) break;
      memory.clear();
      continue;
    }
    ++result.n_iter;
    remember(memory, now, next, options.history);
    const double fall = now.value - next.value;
    const double size = std::max({std::abs(now.value), std::abs(next.value), 1.0});
    now = std::move(next);
    free = free_part(now);
    result.converged = largest(free) <= options.gtol || fall <= options.ftol * size;
  }
  x = now.x;
  result.value = now.value;
  return result;
}

}  // namespace glia::classic
