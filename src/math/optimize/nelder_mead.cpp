// The simplex of Nelder & Mead 1965, as Lagarias et al. 1998 state it.
#include <numeric>

#include "math/optimize/problem.h"

namespace glia::optimize {

OptimizeResult nelder_mead(Problem& problem) {
  const MinimizeOptions& o = problem.options();
  const int64_t n = problem.size();
  const double xatol = o.xatol.value_or(o.tol.value_or(1e-4));
  const double fatol = o.fatol.value_or(o.tol.value_or(1e-4));
  Run run(problem, {.maxiter = 200 * n, .maxfev = 200 * n});
  const auto dim = static_cast<double>(n);
  const double reflect = 1, expand = o.adaptive ? 1 + 2 / dim : 2,
               contract = o.adaptive ? 0.75 - 1 / (2 * dim) : 0.5,
               shrink = o.adaptive ? 1 - 1 / dim : 0.5;

  std::vector<Point> simplex(static_cast<size_t>(n + 1));
  for (int64_t k = 0; k <= n; ++k) {
    Vector x = problem.start();
    if (k > 0) {
      double& one = x[k - 1];
      one = one != 0 ? one * 1.05 : 0.00025;
      const double high = problem.bounds()[k - 1].second;
      if (one > high) one = 2 * high - one;  // inside, so that the simplex has room
      x = problem.projected(std::move(x));
    }
    simplex[k].value = problem.value(x);
    simplex[k].x = std::move(x);
  }
  const auto sort = [&] {
    std::stable_sort(simplex.begin(), simplex.end(), [](const Point& a, const Point& b) {
      return a.value < b.value || (std::isnan(b.value) && !std::isnan(a.value));
    });
  };
  sort();
  const auto small = [&] {
    double size = 0, fall = 0;
    for (const Point& p : simplex) {
      size = std::max(size, largest(difference(p.x, simplex[0].x)));
      fall = std::max(fall, std::abs(p.value - simplex[0].value));
    }
    return size <= xatol && fall <= fatol;
  };
  bool stop = run.ends_without_tests(simplex[0]);
  while (!stop) {
    if (small()) {
      run.end(Status::kConverged, "the simplex is within xatol and fatol");
      break;
    }
    Vector middle(static_cast<size_t>(n));
    for (int64_t k = 0; k < n; ++k) middle = moved(middle, 1 / dim, simplex[k].x);
    Point& worst = simplex.back();
    const auto along = [&](double t) {  // from the middle, away from the worst
      Point p;
      p.x = problem.projected(moved(times(1 + t, middle), -t, worst.x));
      p.value = problem.value(p.x);
      return p;
    };
    const double second = simplex[static_cast<size_t>(n - 1)].value;
    Point r = along(reflect);
    bool shrinks = false;
    if (r.value < simplex[0].value) {
      Point e = along(reflect * expand);
      worst = e.value < r.value ? std::move(e) : std::move(r);
    } else if (r.value < second) {
      worst = std::move(r);
    } else {
      const bool outside = r.value < worst.value;
      Point c = along(outside ? contract * reflect : -contract);
      if (outside ? c.value <= r.value : c.value < worst.value)
        worst = std::move(c);
      else
        shrinks = true;
    }
    if (shrinks) {
      for (int64_t k = 1; k <= n; ++k) {
        Point& p = simplex[k];
        p.x = problem.projected(moved(times(1 - shrink, simplex[0].x), shrink, p.x));
        p.value = problem.value(p.x);
      }
    }
    sort();
    stop = run.ends_without_tests(simplex[0]);
  }
  return run.finished(simplex[0]);
}

}  // namespace glia::optimize
