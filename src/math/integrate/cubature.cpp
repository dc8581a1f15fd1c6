// Integrals over boxes: adaptive (Genz & Malik 1980), and by many points.
#include <fmt/format.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/random/sobol.hpp>
#include <cmath>

#include "glia/math/integrate.h"
#include "glia/op.h"
#include "glia/random.h"
#include "math/own_random.h"
#include "math/vectors.h"

namespace glia::integrate {
namespace {

// Points in [-1, 1]^D with two weights each, the second of a rule of less degree; points of the
// axes, by which is decided where a box is halved, come in fours behind the first.
struct Rule {
  int64_t dims, points;
  Vector at;  // (points, dims)
  Vector high, low;
  bool fourths = false;
};

Rule kronrod_rule() {
  using Kronrod = boost::math::quadrature::gauss_kronrod<double, 21>;
  using Gauss = boost::math::quadrature::gauss<double, 10>;
  Rule r{1, 21, {}, {}, {}};
  const auto& x = Kronrod::abscissa();
  for (size_t k = 0; k < x.size(); ++k) {
    for (double sign : {1.0, -1.0}) {
      if (k == 0 && sign < 0) continue;
      r.at.push_back(sign * x[k]);
      r.high.push_back(Kronrod::weights()[k]);
      r.low.push_back(k % 2 == 1 ? Gauss::weights()[k / 2] : 0);
    }
  }
  return r;
}

Rule genz_malik(int64_t d) {
  const auto n = static_cast<double>(d);
  const double l2 = std::sqrt(9.0 / 70), l4 = std::sqrt(9.0 / 10), l5 = std::sqrt(9.0 / 19);
  const double volume = std::pow(2.0, n);
  Rule r{d, 0, {}, {}, {}, true};
  const auto add = [&](const Vector& x, double high, double low) {
    r.at.insert(r.at.end(), x.begin(), x.end());
    r.high.push_back(volume * high);
    r.low.push_back(volume * low);
    ++r.points;
  };
  Vector x(static_cast<size_t>(d));
  add(x, (12824 - 9120 * n + 400 * n * n) / 19683, (729 - 950 * n + 50 * n * n) / 729);
  for (int64_t i = 0; i < d; ++i) {
    for (double v : {l2, -l2, l4, -l4}) {
      x[i] = v;
      if (std::abs(v) == l2)
        add(x, 980.0 / 6561, 245.0 / 486);
      else
        add(x, (1820 - 400 * n) / 19683, (265 - 100 * n) / 1458);
    }
    x[i] = 0;
  }
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = i + 1; j < d; ++j) {
      for (int signs = 0; signs < 4; ++signs) {
        x[i] = signs & 1 ? l4 : -l4, x[j] = signs & 2 ? l4 : -l4;
        add(x, 200.0 / 19683, 25.0 / 729);
      }
      x[i] = x[j] = 0;
    }
  }
  for (int64_t corner = 0; corner < (int64_t{1} << d); ++corner) {
    for (int64_t i = 0; i < d; ++i) x[i] = corner >> i & 1 ? l5 : -l5;
    add(x, 6859.0 / 19683 / volume, 0);
  }
  return r;
}

struct Box {
  Vector low, high;
  Vector value, error;
  double worst = 0;  // the largest error
  int64_t axis = 0;  // along which it is halved
};

// An infinite limit becomes a finite one: x = t / (1 - t^2), or limit +- (1 - t) / t.
struct Change {
  double a, b;
  bool low, high;  // infinite
  double from() const { return low && high ? -1 : low || high ? 0 : a; }
  double to() const { return low || high ? 1 : b; }
  double place(double t, double* slope) const {
    if (low && high) {
      const double d = 1 - t * t;
      *slope *= (1 + t * t) / (d * d);
      return t / d;
    }
    if (!low && !high) return t;
    *slope *= 1 / (t * t);
    return low ? b - (1 - t) / t : a + (1 - t) / t;
  }
};

std::vector<Change> checked_box(const char* name, const Function& f, const std::vector<double>& a,
                                const std::vector<double>& b, size_t most, const Where& where) {
  if (!f) fail(name, "the function is not given", where);
  if (a.size() != b.size() || a.empty() || a.size() > most)
    fail(name,
         fmt::format("limits of {} and {} axes, 1 to {} are possible", a.size(), b.size(), most),
         where);
  std::vector<Change> all;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i]))
      throw ValueError(fmt::format("{}: a limit of axis {} is NaN", name, i), where);
    const double low = std::min(a[i], b[i]), high = std::max(a[i], b[i]);
    all.push_back({low, high, std::isinf(low), std::isinf(high)});
    if (std::isinf(low) && std::isinf(high) && low == high)
      throw ValueError(fmt::format("{}: both limits of axis {} are {}", name, i, low), where);
  }
  return all;
}
double orientation(const std::vector<double>& a, const std::vector<double>& b) {
  double sign = 1;
  for (size_t i = 0; i < a.size(); ++i) sign = b[i] < a[i] ? -sign : sign;
  return sign;
}

class Cubature {
 public:
  Cubature(const Function& f, std::vector<Change> changes, const Where& where)
      : f_(f),
        changes_(std::move(changes)),
        rule_(changes_.size() == 1 ? kronrod_rule()
                                   : genz_malik(static_cast<int64_t>(changes_.size()))),
        where_(where) {}

  const Shape& shape() const { return shape_; }
  int64_t evaluations() const { return evaluations_; }

  // The estimates of these boxes, whose points go to the function together.
  void estimate(std::span<Box> boxes) {
    const int64_t d = rule_.dims, n = rule_.points, count = static_cast<int64_t>(boxes.size());
    Vector x(static_cast<size_t>(count * n * d)), slopes(static_cast<size_t>(count * n), 1);
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t p = 0; p < n; ++p) {
        for (int64_t i = 0; i < d; ++i) {
          const double low = boxes[k].low[i], high = boxes[k].high[i];
          const double t = low + (high - low) / 2 * (1 + rule_.at[p * d + i]);
          x[(k * n + p) * d + i] = changes_[i].place(t, &slopes[k * n + p]);
        }
      }
    }
    NoGrad none;
    const Tensor y = f_(from_vector(x, {count * n, d}));
    if (!y.defined() || y.rank() < 1 || y.size(0) != count * n)
      fail("cubature",
           fmt::format("the function gives {} for points ({}, {})",
                       y.defined() ? y.shape().str() : "nothing", count * n, d),
           where_);
    evaluations_ += count * n;
    shape_ = Shape();
    for (int i = 1; i < y.rank(); ++i) shape_.push_back(y.size(i));
    const Vector values = y.to_vector<double>();
    const int64_t m = shape_.numel();
    for (int64_t k = 0; k < count; ++k)
      finish(&boxes[k], values.data() + k * n * m, slopes.data() + k * n, m);
  }

 private:
  void finish(Box* box, const double* values, const double* slopes, int64_t m) const {
    double half = 1;
    for (size_t i = 0; i < box->low.size(); ++i) half *= (box->high[i] - box->low[i]) / 2;
    const auto at = [&](int64_t p, int64_t c) { return values[p * m + c] * slopes[p]; };
    box->value.assign(static_cast<size_t>(m), 0);
    box->error.assign(static_cast<size_t>(m), 0);
    for (int64_t c = 0; c < m; ++c) {
      double high = 0, low = 0;
      for (int64_t p = 0; p < rule_.points; ++p) {
        high += rule_.high[p] * at(p, c);
        low += rule_.low[p] * at(p, c);
      }
      box->value[c] = half * high;
      box->error[c] = std::abs(half * (high - low));
    }
    box->worst = largest(box->error);
    if (std::isnan(box->worst)) box->worst = INFINITY;
    if (!rule_.fourths) return;
    double most = -1;
    for (int64_t i = 0; i < rule_.dims; ++i) {
      double fourth = 0;
      for (int64_t c = 0; c < m; ++c) {
        const int64_t p = 1 + 4 * i;
        const double inner = at(p, c) + at(p + 1, c) - 2 * at(0, c);
        const double outer = at(p + 2, c) + at(p + 3, c) - 2 * at(0, c);
        fourth += std::abs(inner - outer / 7);
      }
      const double width = box->high[i] - box->low[i],
                   widest = box->high[box->axis] - box->low[box->axis];
      if (fourth > most * (1 + 1e-8) || (fourth > most * (1 - 1e-8) && width > widest))
        most = std::max(most, fourth), box->axis = i;
    }
  }

  const Function& f_;
  std::vector<Change> changes_;
  Rule rule_;
  Shape shape_;
  int64_t evaluations_ = 0;
  Where where_;
};

// Two rules may agree by chance: by how much the halves differ from the whole counts, too.
void halve_error(const Vector& parent, Box* low, Box* high) {
  for (size_t c = 0; c < parent.size(); ++c) {
    const double off = std::abs(parent[c] - low->value[c] - high->value[c]) / 4;
    low->error[c] = std::max(low->error[c], off);
    high->error[c] = std::max(high->error[c], off);
  }
  for (Box* box : {low, high}) {
    box->worst = largest(box->error);
    if (std::isnan(box->worst)) box->worst = INFINITY;
  }
}

}  // namespace

CubatureResult cubature(const Function& f, const std::vector<double>& a,
                        const std::vector<double>& b, const CubatureOptions& o, Where where) {
  if (!(o.rtol >= 0 && o.atol >= 0) || o.max_subdivisions < 0)
    throw ValueError("cubature: a tolerance or max_subdivisions is negative", where);
  const std::vector<Change> changes = checked_box("cubature", f, a, b, 15, where);
  Cubature rule(f, changes, where);
  Box whole;
  for (const Change& c : changes) whole.low.push_back(c.from()), whole.high.push_back(c.to());
  std::vector<Box> heap{whole};
  rule.estimate(heap);
  const auto less = [](const Box& x, const Box& y) { return x.worst < y.worst; };
  CubatureResult r;
  Vector value, error;
  while (true) {
    value.assign(heap[0].value.size(), 0), error = value;
    for (const Box& box : heap) {
      for (size_t c = 0; c < value.size(); ++c) value[c] += box.value[c], error[c] += box.error[c];
    }
    r.success = true;
    for (size_t c = 0; c < value.size(); ++c) {
      const double most = std::max(o.atol, o.rtol * std::abs(value[c]));
      if (!(error[c] <= most)) r.success = false;
    }
    if ((r.success && r.subdivisions > 0) || r.subdivisions >= o.max_subdivisions) break;
    // The worst boxes together: as many as have most of the error, so that it falls to a part.
    std::vector<Box> next;
    std::vector<Vector> parents;
    double gone = 0, total = 0;
    for (const Box& box : heap) total += box.worst;
    const auto most = std::min<int64_t>(256, o.max_subdivisions - r.subdivisions);
    for (int64_t k = 0; k < most && !heap.empty() && (k == 0 || gone < 0.5 * total); ++k) {
      std::pop_heap(heap.begin(), heap.end(), less);
      Box low = std::move(heap.back());
      heap.pop_back();
      gone += low.worst;
      parents.push_back(low.value);
      Box high = low;
      low.high[low.axis] = high.low[low.axis] = (low.low[low.axis] + low.high[low.axis]) / 2;
      next.push_back(std::move(low));
      next.push_back(std::move(high));
      ++r.subdivisions;
    }
    rule.estimate(next);
    for (size_t k = 0; k < next.size(); k += 2) halve_error(parents[k / 2], &next[k], &next[k + 1]);
    for (Box& box : next) {
      heap.push_back(std::move(box));
      std::push_heap(heap.begin(), heap.end(), less);
    }
  }
  r.estimate = orientation(a, b) * from_vector(value, rule.shape());
  r.error = from_vector(error, rule.shape());
  r.neval = rule.evaluations();
  return r;
}

MonteCarloResult qmc_quad(const Function& f, const std::vector<double>& a,
                          const std::vector<double>& b, const MonteCarloOptions& o, Where where) {
  const std::vector<Change> box = checked_box("qmc_quad", f, a, b, 1000, where);
  for (const Change& c : box) {
    if (c.low || c.high) throw ValueError("qmc_quad: a limit is infinite", where);
  }
  if (o.n_estimates < 2 || o.n_points < 1 || o.n_points > (int64_t{1} << 30) ||
      o.n_estimates > 1000000)
    throw ValueError(fmt::format("qmc_quad: {} estimates of {} points", o.n_estimates, o.n_points),
                     where);
  const auto d = static_cast<int64_t>(box.size());
  double volume = 1;
  for (const Change& c : box) volume *= c.b - c.a;
  Vector unit;
  if (o.quasi) {
    boost::random::sobol points(static_cast<size_t>(d));
    unit.resize(static_cast<size_t>(o.n_points * d));
    for (size_t i = static_cast<size_t>(d); i < unit.size(); ++i)  // the first point is 0
      unit[i] = static_cast<double>(points() >> 11) * 0x1p-53;
  }
  const OwnRandom random(o.random_state);
  NoGrad none;
  std::vector<Tensor> means;
  Vector low, width;
  for (const Change& c : box) low.push_back(c.a), width.push_back(c.b - c.a);
  for (int64_t e = 0; e < o.n_estimates; ++e) {
    Tensor u;
    if (o.quasi) {
      u = from_vector(unit, {o.n_points, d}) + rand({d}, kF64);
      u = u - floor(u);
    } else {
      u = rand({o.n_points, d}, kF64);
    }
    const Tensor y = f(from_vector(low, {d}) + from_vector(width, {d}) * u);
    if (!y.defined() || y.rank() < 1 || y.size(0) != o.n_points)
      fail("qmc_quad",
           fmt::format("the function gives {} for points ({}, {})",
                       y.defined() ? y.shape().str() : "nothing", o.n_points, d),
           where);
    means.push_back(volume * mean(cast(y, kF64), {0}));
    eval(means.back(), where);
  }
  const Tensor all = stack(means);
  return {orientation(a, b) * mean(all, {0}),
          sqrt(var(all, {0}, false, 1) / static_cast<double>(o.n_estimates))};
}

}  // namespace glia::integrate
