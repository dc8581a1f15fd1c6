// How far to go along a direction.
#include "glia/op.h"
#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

// Where a cubic through both points is least, kept off their ends.
double between(const Point& a, const Point& b) {
  const double low = std::min(a.step, b.step), high = std::max(a.step, b.step);
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double d2 = std::sqrt(d1 * d1 - a.slope * b.slope) * (b.step > a.step ? 1 : -1);
  const double at =
      b.step - (b.step - a.step) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
  const double margin = 0.1 * (high - low);
  return std::isfinite(at) && at >= low + margin && at <= high - margin ? at : (low + high) / 2;
}

class Line {
 public:
  Line(Problem& problem, const Point& start, const Vector& direction)
      : problem_(problem), start_(start), direction_(direction) {}
  Point at(double step) const {
    Point p = problem_.at(moved(start_.x, step, direction_));
    p.step = step;
    p.slope = dot(p.gradient, direction_);
    return p;
  }
  double value(double step) const { return problem_.value(moved(start_.x, step, direction_)); }

 private:
  Problem& problem_;
  const Point& start_;
  const Vector& direction_;
};

std::optional<Point> wolfe(const Line& line, const Point& start, double step,
                           const LineSettings& s) {
  // Of values that differ by rounding only, slopes decide (Hager & Zhang 2005).
  const double rounding = 8 * 0x1p-52 * std::abs(start.value);
  Point low = start, high;
  bool bracketed = false;
  step = std::min(step, s.most);
  for (int64_t trial = 0; trial < s.maxiter; ++trial) {
    Point p = line.at(bracketed ? between(low, high) : step);
    const bool finite = std::isfinite(p.value) && std::isfinite(p.slope);
    const bool falls =
        finite && (p.value <= start.value + s.c1 * p.step * start.slope ||
                   (p.value <= start.value + rounding && p.slope <= (2 * s.c1 - 1) * start.slope));
    if (falls && std::abs(p.slope) <= -s.c2 * start.slope) return p;
    if (!falls || (low.step > 0 && p.value > low.value + rounding)) {
      if (!finite) {  // no cubic there
        p.value = low.value + std::abs(low.value) + 1;
        p.slope = std::abs(start.slope);
      }
      high = std::move(p);
      bracketed = true;
      if (std::abs(high.step - low.step) <= 1e-14 * std::max(low.step, 1e-300)) break;
      continue;
    }
    if (!bracketed && p.slope < 0 && p.step >= s.most) return p;
    if (bracketed ? p.slope * (high.step - low.step) >= 0 : p.slope >= 0) {
      high = low;
      bracketed = true;
    } else if (!bracketed) {
      step = std::min(4 * p.step, s.most);
    }
    low = std::move(p);
  }
  if (low.step > 0 && low.value < start.value) return low;
  return std::nullopt;
}

std::optional<Point> armijo(const Line& line, const Point& start, double step,
                            const LineSettings& s) {
  step = std::min(step, s.most);
  for (int64_t trial = 0; trial < s.maxiter; ++trial) {
    const double value = line.value(step);
    if (value <= start.value + s.c1 * step * start.slope && value < start.value)
      return line.at(step);
    // The least of the parabola through both values and the slope, within [0.1, 0.5] of the step.
    const double curvature = value - start.value - step * start.slope;
    const double least = -start.slope * step * step / (2 * curvature);
    step = std::isfinite(least) && curvature > 0 ? std::clamp(least, 0.1 * step, 0.5 * step)
                                                 : step / 2;
  }
  return std::nullopt;
}

}  // namespace

LineSettings line_settings(const MinimizeOptions& options, double c2) {
  LineSettings s;
  s.method = options.line_search.value_or(LineSearch::kStrongWolfe);
  s.c1 = options.c1;
  s.c2 = options.c2.value_or(c2);
  return s;
}

std::optional<Point> search_line(Problem& problem, const Point& start, const Vector& direction,
                                 double step, const LineSettings& settings) {
  const Line line(problem, start, direction);
  Point from = start;
  from.step = 0;
  from.slope = dot(start.gradient, direction);
  if (settings.method == LineSearch::kFixed) return line.at(step);
  if (!(from.slope < 0)) return std::nullopt;
  return settings.method == LineSearch::kArmijo ? armijo(line, from, step, settings)
                                                : wolfe(line, from, step, settings);
}

LineSearchResult line_search(const Function& fun, const Tensor& x, const Tensor& direction,
                             const LineSearchOptions& options, Where where) {
  constexpr const char* kName = "line_search";
  require_defined(kName, direction, where);
  if (!(options.c1 > 0 && options.c1 < options.c2 && options.c2 < 1))
    throw ValueError("line_search: 0 < c1 < c2 < 1 does not hold", where);
  if (!(options.step > 0 && options.amax > 0) || options.maxiter < 1)
    throw ValueError("line_search: step, amax and maxiter are above 0", where);
  if (options.method == LineSearch::kFixed)
    throw ValueError("line_search: a fixed step is no search", where);
  const MinimizeOptions none;
  Problem problem(kName, fun, x, none, where);
  const Vector along = host_values(checked_start(kName, direction, where));
  if (static_cast<int64_t>(along.size()) != problem.size())
    fail(kName, "the direction has another size than x", where);
  const Point start = problem.at(problem.start());
  if (!(dot(start.gradient, along) < 0))
    throw ValueError("line_search: the function does not fall along the direction", where);
  const std::optional<Point> found =
      search_line(problem, start, along, options.step,
                  {options.method, options.c1, options.c2, options.amax, options.maxiter});
  const Point& last = found ? *found : start;
  LineSearchResult result{{}, last.value, problem.tensor(last.gradient), problem.nfev};
  if (found) result.alpha = found->step;
  return result;
}

}  // namespace glia::optimize
