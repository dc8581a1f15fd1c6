// Adaptive integration of functions of one number (Piessens et al. 1983).
#include <fmt/format.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <limits>

#include "glia/op.h"
#include "math/integrate/adaptive.h"

namespace glia::integrate {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

struct Interval {
  double a = 0, b = 0, value = 0, error = 0;
};

// The rule of N nodes and that of (N - 1) / 2 within it.
template <int N>
void integrate_by_rule(const RealFunction& f, Interval* i) {
  using Kronrod = boost::math::quadrature::gauss_kronrod<double, N>;
  using Gauss = boost::math::quadrature::gauss<double, (N - 1) / 2>;
  const auto& x = Kronrod::abscissa();  // from the middle on
  const auto& wk = Kronrod::weights();
  const auto& wg = Gauss::weights();
  constexpr bool kMiddleInGauss = (N - 1) / 2 % 2 == 1;
  const double middle = (i->a + i->b) / 2, half = (i->b - i->a) / 2;
  double values[N];
  const double center = f(middle);
  double kronrod = wk[0] * center, gauss = kMiddleInGauss ? wg[0] * center : 0,
         absolute = wk[0] * std::abs(center);
  for (size_t k = 1; k < x.size(); ++k) {
    const double low = values[2 * k - 2] = f(middle - half * x[k]);
    const double high = values[2 * k - 1] = f(middle + half * x[k]);
    kronrod += wk[k] * (low + high);
    absolute += wk[k] * (std::abs(low) + std::abs(high));
    const bool shared = kMiddleInGauss ? k % 2 == 0 : k % 2 == 1;
    if (shared) gauss += wg[k / 2] * (low + high);
  }
  const double mean = kronrod / 2;
  double spread = wk[0] * std::abs(center - mean);
  for (size_t k = 1; k < x.size(); ++k)
    spread += wk[k] * (std::abs(values[2 * k - 2] - mean) + std::abs(values[2 * k - 1] - mean));
  const double size = std::abs(half);
  i->value = kronrod * half;
  absolute *= size, spread *= size;
  double error = std::abs((kronrod - gauss) * half);
  if (spread != 0 && error != 0)
    error = spread * std::min(1.0, std::pow(200 * error / spread, 1.5));
  if (absolute > std::numeric_limits<double>::min() / (50 * kEps))
    error = std::max(error, 50 * kEps * absolute);
  i->error = error;
}

// The limit of a sequence (Wynn 1956).
class Limit {
 public:
  // The best estimate after one more sum, and what it has moved in the last three.
  std::pair<double, double> add(double sum) {
    std::vector<double> now{sum};
    double best = sum, best_error = INFINITY;
    for (size_t j = 0; j < last_.size() && j < 48; ++j) {
      const double step = now[j] - last_[j];
      const double scale = std::max(std::abs(now[j]), std::abs(last_[j]));
      if (j % 2 == 0 && std::abs(step) <= kEps * scale) {  // has converged
        best = now[j], best_error = 0;
        break;
      }
      const double next = (j > 0 ? last_[j - 1] : 0) + 1 / step;
      if (!std::isfinite(next)) break;
      now.push_back(next);
      if (j % 2 == 1) {
        const double error = std::abs(next - now[j - 1]) + std::abs(next - last_[j - 1]);
        if (error < best_error) best = next, best_error = error;
      }
    }
    last_ = std::move(now);
    estimates_.push_back(best);
    double moved = INFINITY;
    if (const size_t n = estimates_.size(); n >= 4) {
      moved = 5 * kEps * std::abs(best);
      double sum_of = 0;
      for (size_t k = n - 4; k + 1 < n; ++k) sum_of += std::abs(best - estimates_[k]);
      moved = std::max(moved, sum_of);
    }
    return {best, moved};
  }

 private:
  std::vector<double> last_, estimates_;
};

}  // namespace

void judge(QuadResult* r, const QuadOptions& o) {
  if (!std::isfinite(r->value)) {
    r->success = false;
    r->message = "the function is not finite";
  } else if (!(r->abserr <= std::max(o.epsabs, o.epsrel * std::abs(r->value)))) {
    r->success = false;
    if (r->message.empty())
      r->message = fmt::format("{} intervals do not reach the tolerance", r->intervals);
  } else {
    r->success = true;
    r->message = "the error is within the tolerance";
  }
}

QuadResult adaptive(const RealFunction& f, const std::vector<double>& breaks, bool fifteen,
                    const QuadOptions& o) {
  QuadResult r;
  const auto integrate = [&](double a, double b) {
    Interval i{a, b};
    if (fifteen)
      integrate_by_rule<15>(f, &i);
    else
      integrate_by_rule<21>(f, &i);
    r.neval += fifteen ? 15 : 21;
    return i;
  };
  std::vector<Interval> all;
  for (size_t k = 0; k + 1 < breaks.size(); ++k) all.push_back(integrate(breaks[k], breaks[k + 1]));
  double value = 0, error = 0;
  const auto add_up = [&] {
    value = error = 0;
    for (const Interval& i : all) value += i.value, error += i.error;
  };
  add_up();
  const auto within = [&](double v, double e) {
    return e <= std::max(o.epsabs, o.epsrel * std::abs(v));
  };
  Limit limit;
  limit.add(value);
  // Intervals wider than `small` must have their share of the error gone before sums are
  // extrapolated: the sequence is then one of ever smaller intervals at a singular place.
  double small = std::abs(breaks.back() - breaks.front()) * 0.375;
  double best = value, best_error = INFINITY, large_at_best = 0;
  int useless = 0;
  bool extrapolating = false;
  while (!within(value, error) && static_cast<int64_t>(all.size()) < o.limit &&
         std::isfinite(value)) {
    const auto wide = [&](const Interval& i) { return std::abs(i.b - i.a) > small; };
    double large_error = 0;
    for (const Interval& i : all) large_error += wide(i) ? i.error : 0;
    auto worst = all.begin();
    for (auto i = all.begin(); i != all.end(); ++i) {
      if (i->error > worst->error) worst = i;
    }
    if (!extrapolating && !wide(*worst)) extrapolating = true;
    if (extrapolating) {
      const double aim = std::max(o.epsabs, o.epsrel * std::abs(best));
      auto among = all.end();
      for (auto i = all.begin(); i != all.end(); ++i) {
        if (wide(*i) && (among == all.end() || i->error > among->error)) among = i;
      }
      if (large_error > aim && among != all.end()) {
        worst = among;
      } else {
        const auto [estimate, moved] = limit.add(value);
        ++useless;
        if (moved < best_error) {
          best = estimate, best_error = moved;
          large_at_best = large_error;
          useless = 0;
          if (within(best, best_error + large_at_best)) break;
        }
        if (useless > 5 && best_error < 1e-3 * error) break;
        extrapolating = false;
        small /= 2;
      }
    }
    const double middle = (worst->a + worst->b) / 2;
    if (!(middle > std::min(worst->a, worst->b) && middle < std::max(worst->a, worst->b))) {
      r.message = "intervals are as small as they can be: the integral may diverge";
      break;
    }
    const double end = worst->b;
    *worst = integrate(worst->a, middle);
    all.push_back(integrate(middle, end));
    add_up();
  }
  r.intervals = static_cast<int64_t>(all.size());
  r.value = value, r.abserr = error;
  if (!within(value, error) && best_error + large_at_best < error) {
    r.value = best;
    r.abserr = best_error + large_at_best;
  }
  judge(&r, o);
  return r;
}

QuadResult quad(const RealFunction& f, double a, double b, const QuadOptions& o, Where where) {
  if (!f) fail("quad", "the function is not given", where);
  if (std::isnan(a) || std::isnan(b)) throw ValueError("quad: a limit is NaN", where);
  if (!(o.epsabs >= 0 && o.epsrel >= 0) || (o.epsabs == 0 && o.epsrel < 50 * kEps))
    throw ValueError("quad: epsabs or epsrel is too small", where);
  if (o.limit < 1 || o.limit > 1000000)
    throw ValueError(fmt::format("quad: limit is {}", o.limit), where);
  if (a == b) {
    QuadResult none;
    none.message = "the limits are equal";
    return none;
  }
  if (a > b && o.weight == Weight::kNone) {
    QuadResult r = quad(f, b, a, o, where);
    r.value = -r.value;
    return r;
  }
  if (o.weight != Weight::kNone) return weighted(f, a, b, o, where);
  const bool low = std::isinf(a), high = std::isinf(b);
  if (low || high) {
    if (!o.points.empty()) throw ValueError("quad: points are for finite limits", where);
    // x = start +- (1 - t) / t for t in (0, 1].
    const double start = low && high ? 0 : low ? b : a;
    const RealFunction g = [&](double t) {
      const double s = (1 - t) / t;
      const double sum = (high ? f(start + s) : 0) + (low ? f(start - s) : 0);
      return sum / t / t;
    };
    return adaptive(g, {0, 1}, true, o);
  }
  std::vector<double> breaks{a, b};
  for (double p : o.points) {
    if (!(p > a && p < b))
      throw ValueError(fmt::format("quad: the point {} is not within {} and {}", p, a, b), where);
    breaks.push_back(p);
  }
  std::sort(breaks.begin(), breaks.end());
  breaks.erase(std::unique(breaks.begin(), breaks.end()), breaks.end());
  return adaptive(f, breaks, false, o);
}

}  // namespace glia::integrate
