// Minima within bounds by a few pairs of steps and changes of the gradient (Byrd, Lu, Nocedal & Zhu
// 1995).
#include <deque>
#include <numeric>

#include "math/optimize/problem.h"

namespace glia::optimize {
namespace {

// B = theta 1 - W M W^T, W = [Y, theta S] of the last pairs, whose products with each other are
// kept.
class Memory {
 public:
  explicit Memory(int64_t most) : most_(most), ss_(most, most), sy_(most, most), yy_(most, most) {
    clear();
  }

  void clear() {
    pairs_.clear();
    theta_ = 1;
    build();
  }
  void add(Vector s, Vector y) {
    const double sy = dot(s, y), yy = dot(y, y);
    if (!(sy > 0x1p-52 * yy)) return;
    theta_ = yy / sy;
    if (count() == most_) {
      pairs_.pop_front();
      for (HostMatrix* m : {&ss_, &sy_, &yy_}) {
        for (int64_t b = 0; b + 1 < most_; ++b) {
          for (int64_t a = 0; a + 1 < most_; ++a) (*m)(a, b) = (*m)(a + 1, b + 1);
        }
      }
    }
    pairs_.push_back({std::move(s), std::move(y)});
    const int64_t last = count() - 1;
    for (int64_t k = 0; k <= last; ++k) {
      ss_(k, last) = ss_(last, k) = dot(pairs_[k].s, pairs_[last].s);
      yy_(k, last) = yy_(last, k) = dot(pairs_[k].y, pairs_[last].y);
      sy_(k, last) = dot(pairs_[k].s, pairs_[last].y);
      sy_(last, k) = dot(pairs_[last].s, pairs_[k].y);
    }
    if (!build()) clear();
  }
  bool empty() const { return pairs_.empty(); }
  int64_t columns() const { return 2 * count(); }
  double theta() const { return theta_; }
  Vector row(int64_t i) const {  // of W
    Vector out(static_cast<size_t>(columns()));
    for (int64_t k = 0; k < count(); ++k) {
      out[k] = pairs_[k].y[i];
      out[count() + k] = theta_ * pairs_[k].s[i];
    }
    return out;
  }
  Vector w_times(const Vector& v, size_t n) const {
    Vector out(n);
    for (int64_t k = 0; k < count(); ++k) {
      const double of_y = v[k], of_s = theta_ * v[count() + k];
      const Pair& p = pairs_[k];
      for (size_t i = 0; i < n; ++i) out[i] += of_y * p.y[i] + of_s * p.s[i];
    }
    return out;
  }
  Vector transposed_w_times(const Vector& x) const {
    Vector out(static_cast<size_t>(columns()));
    for (int64_t k = 0; k < count(); ++k) {
      out[k] = dot(pairs_[k].y, x);
      out[count() + k] = theta_ * dot(pairs_[k].s, x);
    }
    return out;
  }
  Vector times_m(const Vector& v) const { return m_ ? m_->solve(v) : v; }
  // M^-1 - W^T Z Z^T W / theta, where Z picks the numbers that are free.
  HostMatrix inner(const std::vector<char>& is_free) const {
    const int64_t k = columns(), pairs = count();
    HostMatrix gram(k, k);
    const auto n = static_cast<int64_t>(is_free.size());
    const int64_t free = std::count(is_free.begin(), is_free.end(), 1);
    const bool by_rest = free > n / 2;  // all less those that are not free
    if (by_rest) {
      for (int64_t b = 0; b < pairs; ++b) {
        for (int64_t a = 0; a < pairs; ++a) {
          gram(a, b) = yy_(a, b);
          gram(pairs + a, b) = theta_ * sy_(a, b);
          gram(a, pairs + b) = theta_ * sy_(b, a);
          gram(pairs + a, pairs + b) = theta_ * theta_ * ss_(a, b);
        }
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      if (static_cast<bool>(is_free[i]) == by_rest) continue;
      const Vector w = row(i);
      for (int64_t b = 0; b < k; ++b) {
        const double by = by_rest ? -w[b] : w[b];
        for (int64_t a = 0; a < k; ++a) gram(a, b) += by * w[a];
      }
    }
    for (size_t i = 0; i < gram.at.size(); ++i) gram.at[i] = inverse_m_.at[i] - gram.at[i] / theta_;
    return gram;
  }

 private:
  struct Pair {
    Vector s, y;
  };
  int64_t count() const { return static_cast<int64_t>(pairs_.size()); }
  // False where the pairs are dependent.
  bool build() {
    const int64_t k = count();
    inverse_m_ = HostMatrix(2 * k, 2 * k);
    m_.reset();
    if (k == 0) return true;
    for (int64_t i = 0; i < k; ++i) {
      inverse_m_(i, i) = -sy_(i, i);
      for (int64_t j = 0; j < k; ++j) {
        inverse_m_(k + i, k + j) = theta_ * ss_(i, j);
        if (i > j) inverse_m_(k + i, j) = inverse_m_(j, k + i) = sy_(i, j);
      }
    }
    m_.emplace(inverse_m_);
    return !m_->singular();
  }

  int64_t most_;
  double theta_ = 1;
  std::deque<Pair> pairs_;
  HostMatrix ss_, sy_, yy_;  // s[i] s[j], s[i] y[j], y[i] y[j]
  HostMatrix inverse_m_;
  std::optional<LuFactors> m_;
};

using Bounds = std::vector<std::pair<double, double>>;

struct Cauchy {
  Vector x;                   // the first least point of the model along the projected gradient
  Vector c;                   // W^T (x - where it began)
  std::vector<char> is_free;  // which numbers are not at a bound
};

Cauchy cauchy_point(const Memory& memory, const Point& now, const Bounds& bounds) {
  const auto n = static_cast<int64_t>(now.x.size());
  Cauchy out{now.x, Vector(static_cast<size_t>(memory.columns())),
             std::vector<char>(now.x.size(), 1)};
  Vector d(now.x.size()), breaks(now.x.size(), INFINITY);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < n; ++i) {
    const double g = now.gradient[i];
    if (g < 0) breaks[i] = (now.x[i] - bounds[i].second) / g;
    if (g > 0) breaks[i] = (now.x[i] - bounds[i].first) / g;
    if (breaks[i] <= 0) {
      out.is_free[i] = false;
      continue;
    }
    d[i] = -g;
    if (breaks[i] < INFINITY) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return breaks[a] < breaks[b]; });
  const double theta = memory.theta();
  Vector p = memory.transposed_w_times(d);
  double slope = -dot(d, d);
  if (slope == 0) return out;
  double curvature = -theta * slope - dot(p, memory.times_m(p));
  const double least_curvature = 0x1p-52 * std::abs(curvature);
  double best = -slope / curvature, t = 0;
  for (int64_t b : order) {
    const double dt = breaks[b] - t;
    if (best < dt) break;
    const double g = now.gradient[b];
    out.x[b] = d[b] > 0 ? bounds[b].second : bounds[b].first;
    out.is_free[b] = false;
    const double z = out.x[b] - now.x[b];
    out.c = moved(out.c, dt, p);
    const Vector w = memory.row(b);
    const Vector mw = memory.times_m(w);
    slope += dt * curvature + g * g + theta * g * z - g * dot(mw, out.c);
    curvature -= theta * g * g + 2 * g * dot(mw, p) + g * g * dot(mw, w);
    curvature = std::max(curvature, least_curvature);
    p = moved(p, g, w);
    d[b] = 0;
    best = -slope / curvature;
    t = breaks[b];
  }
  best = std::max(best, 0.0);
  if (std::isnan(best)) best = 0;
  t += best;
  for (int64_t i = 0; i < n; ++i) {
    if (out.is_free[i]) out.x[i] = now.x[i] + t * d[i];
  }
  out.c = moved(out.c, best, p);
  return out;
}

// The least point of the model over the numbers that are free, from the Cauchy point on, brought
// back into the bounds.
Vector subspace_minimum(const Memory& memory, const Point& now, const Cauchy& cauchy,
                        const Bounds& bounds) {
  const auto n = static_cast<int64_t>(now.x.size());
  const double theta = memory.theta();
  const Vector wmc = memory.w_times(memory.times_m(cauchy.c), now.x.size());
  Vector r(now.x.size());
  for (int64_t i = 0; i < n; ++i) {
    if (cauchy.is_free[i]) r[i] = now.gradient[i] + theta * (cauchy.x[i] - now.x[i]) - wmc[i];
  }
  Vector d = times(-1 / theta, r);
  if (!memory.empty()) {
    // inner v = W^T Z r.
    const LuFactors factors(memory.inner(cauchy.is_free));
    if (factors.singular()) return cauchy.x;
    const Vector v = memory.w_times(factors.solve(memory.transposed_w_times(r)), now.x.size());
    for (int64_t i = 0; i < n; ++i) {
      if (cauchy.is_free[i]) d[i] -= v[i] / (theta * theta);
    }
  }
  if (!all_finite(d)) return cauchy.x;
  // Projected (Morales & Nocedal 2011), or cut where that does not lead downhill.
  Vector x = cauchy.x;
  for (int64_t i = 0; i < n; ++i)
    x[i] = std::clamp(cauchy.x[i] + d[i], bounds[i].first, bounds[i].second);
  if (dot(difference(x, now.x), now.gradient) < 0) return x;
  double most = 1;
  for (int64_t i = 0; i < n; ++i) {
    if (d[i] > 0) most = std::min(most, (bounds[i].second - cauchy.x[i]) / d[i]);
    if (d[i] < 0) most = std::min(most, (bounds[i].first - cauchy.x[i]) / d[i]);
  }
  return moved(cauchy.x, most, d);
}

}  // namespace

OptimizeResult lbfgsb(Problem& problem) {
  const MinimizeOptions& o = problem.options();
  Run run(problem,
          {.gtol = 1e-5, .ftol = 2.220446049250313e-09, .maxiter = 15000, .maxfev = 15000});
  const Bounds& bounds = problem.bounds();
  Memory memory(o.maxcor);
  Point now = problem.at(problem.start());
  bool stop = run.ends_at(now);
  while (!stop) {
    const Cauchy cauchy = cauchy_point(memory, now, bounds);
    const Vector target = subspace_minimum(memory, now, cauchy, bounds);
    const Vector direction = difference(target, now.x);
    LineSettings line{.c1 = 1e-3, .c2 = o.c2.value_or(0.9)};
    line.most = 1e10;
    for (size_t i = 0; i < direction.size(); ++i) {
      const double room =
          direction[i] > 0 ? bounds[i].second - now.x[i] : bounds[i].first - now.x[i];
      if (direction[i] != 0) line.most = std::min(line.most, room / direction[i]);
    }
    const double step = memory.empty() ? std::min(1.0, 1 / length(direction)) : 1;
    std::optional<Point> next = search_line(problem, now, direction, step, line);
    if (!next || next->x == now.x) {
      if (memory.empty()) {
        run.end_without_step(now);
        break;
      }
      memory.clear();
      continue;
    }
    const Vector inside = problem.projected(next->x);  // by rounding
    if (inside != next->x) next = problem.at(inside);
    memory.add(difference(next->x, now.x), difference(next->gradient, now.gradient));
    stop = run.ends_after(now, *next);
    now = *std::move(next);
  }
  return run.finished(now);
}

}  // namespace glia::optimize
