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

}  // namespace

LbfgsResult minimise(const Objective& f, Vector& x, const LbfgsOptions& options) {
  struct Pair {
    Vector s, y;
    double rho;
  };
  std::deque<Pair> memory;
  Point now{.x = x, .gradient = Vector(x.size())};
  now.value = f(now.x, now.gradient);
  LbfgsResult result{.value = now.value};
  result.converged = largest(now.gradient) <= options.gtol;
  while (!result.converged && result.n_iter < options.max_iter && std::isfinite(now.value)) {
    Vector direction = now.gradient, a(memory.size());
    for (size_t i = memory.size(); i-- > 0;) {
      a[i] = memory[i].rho * dot(memory[i].s, direction);
      for (size_t k = 0; k < x.size(); ++k) direction[k] -= a[i] * memory[i].y[k];
    }
    const double scale = memory.empty()
                             ? std::min(1.0, 1 / std::sqrt(dot(now.gradient, now.gradient)))
                             : 1 / (memory.back().rho * dot(memory.back().y, memory.back().y));
    for (double& one : direction) one *= scale;
    for (size_t i = 0; i < memory.size(); ++i) {
      const double b = memory[i].rho * dot(memory[i].y, direction);
      for (size_t k = 0; k < x.size(); ++k) direction[k] += (a[i] - b) * memory[i].s[k];
    }
    for (double& one : direction) one = -one;
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
    Pair pair{Vector(x.size()), Vector(x.size()), 0};
    for (size_t k = 0; k < x.size(); ++k) {
      pair.s[k] = next.x[k] - now.x[k];
      pair.y[k] = next.gradient[k] - now.gradient[k];
    }
    const double curvature = dot(pair.s, pair.y);
    if (curvature > 2.2e-16 * dot(pair.y, pair.y)) {
      pair.rho = 1 / curvature;
      memory.push_back(std::move(pair));
      if (static_cast<int64_t>(memory.size()) > options.history) memory.pop_front();
    }
    const double fall = now.value - next.value;
    const double size = std::max({std::abs(now.value), std::abs(next.value), 1.0});
    now = std::move(next);
    result.converged = largest(now.gradient) <= options.gtol || fall <= options.ftol * size;
  }
  x = now.x;
  result.value = now.value;
  return result;
}

}  // namespace glia::classic
