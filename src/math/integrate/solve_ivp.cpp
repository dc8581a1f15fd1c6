// Differential equations from a time to another: steps, times asked for, events.
#include <fmt/format.h>

#include "glia/autodiff.h"
#include "glia/math/ode.h"
#include "glia/math/roots.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "math/integrate/stepper.h"

namespace glia::integrate {

struct OdeSolution::Pieces {
  Shape shape;
  std::vector<Piece> all;
};

// ---- Rhs ----

Tensor Rhs::checked(const Tensor& f) const {
  if (!f.defined() || f.numel() != shape_.numel())
    fail("solve_ivp",
         fmt::format("the function gives {} for y {}", f.defined() ? f.shape().str() : "nothing",
                     shape_.str()),
         where_);
  return reshape(cast(f, kF64), {shape_.numel()});
}

Vector Rhs::operator()(double t, const Vector& y) {
  ++nfev;
  NoGrad none;
  return checked(f_(tensor(t), state(y))).to_vector<double>();
}

HostMatrix Rhs::jacobian(double t, const Vector& y) {
  ++njev;
  const auto n = static_cast<int64_t>(y.size());
  HostMatrix out(n, n);
  if (jac_) {
    NoGrad none;
    const Tensor j = jac_(tensor(t), state(y));
    if (!j.defined() || j.numel() != n * n)
      fail("solve_ivp",
           fmt::format("jac gives {} for {} numbers", j.defined() ? j.shape().str() : "nothing", n),
           where_);
    out.at = transpose(reshape(cast(j, kF64), {n, n})).to_vector<double>();
    return out;
  }
  const Tensor at = state(y), time = tensor(t);
  if (checked(f_(time, trainable(at))).requires_grad()) {
    const Tensor j = glia::jacobian(
        [&](const std::vector<Tensor>& in) { return checked(f_(time, in[0])); }, {at}, where_)[0];
    out.at = transpose(reshape(j, {n, n})).to_vector<double>();
    return out;
  }
  const Vector f = (*this)(t, y);
  Vector moved_y = y;
  for (int64_t k = 0; k < n; ++k) {
    const double h = std::sqrt(0x1p-52) * std::max(1e-5, std::abs(y[k]));
    moved_y[k] = y[k] + h;
    const Vector g = (*this)(t, moved_y);
    for (int64_t i = 0; i < n; ++i) out(i, k) = (g[i] - f[i]) / (moved_y[k] - y[k]);
    moved_y[k] = y[k];
  }
  return out;
}

// ---- Steps ----

Vector Piece::at(double t) const {
  const double s = (t - origin) / width;
  Vector out = coefficients.back();
  for (size_t k = coefficients.size() - 1; k-- > 0;) out = moved(coefficients[k], s, out);
  return out;
}

Vector Stepper::scale(const Vector& a, const Vector* b) const {
  Vector out(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const double size = b ? std::max(std::abs(a[i]), std::abs((*b)[i])) : std::abs(a[i]);
    out[i] = control_.atol[control_.atol.size() == 1 ? 0 : i] + control_.rtol * size;
  }
  return out;
}
double Stepper::norm(const Vector& v, const Vector& scale) {
  double sum = 0;
  for (size_t i = 0; i < v.size(); ++i) sum += (v[i] / scale[i]) * (v[i] / scale[i]);
  return std::sqrt(sum / static_cast<double>(v.size()));
}
double Stepper::first_step(const Vector& f0, int order) {
  if (control_.first_step) return *control_.first_step;
  const double whole = std::abs(end_ - t);
  if (whole == 0) return 0;
  const Vector s = scale(y);
  const double d0 = norm(y, s), d1 = norm(f0, s);
  const double h0 = std::min(whole, d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1);
  const Vector f1 = rhs_(t + h0 * direction_, moved(y, h0 * direction_, f0));
  const double d2 = norm(difference(f1, f0), s) / h0;
  const double h1 = d1 <= 1e-15 && d2 <= 1e-15
                        ? std::max(1e-6, h0 * 1e-3)
                        : std::pow(0.01 / std::max(d1, d2), 1.0 / (order + 1));
  const double h = std::min({100 * h0, h1, whole, control_.max_step});
  return std::isfinite(h) ? h : h0;
}

// ---- Solutions ----

Tensor OdeSolution::operator()(const Tensor& t, Where where) const {
  if (!defined()) throw ValueError("OdeSolution: there is none: ask for dense_output", where);
  require_defined("OdeSolution", t, where);
  if (t.rank() > 1) fail("OdeSolution", "t is one number or (T), not " + t.shape().str(), where);
  const Vector times = t.to_vector<double>();
  const std::vector<Piece>& all = pieces_->all;
  const bool rising = all.back().t1 >= all.front().t0;
  Vector values;
  for (double one : times) {
    const auto after = std::partition_point(
        all.begin(), all.end(), [&](const Piece& p) { return rising ? p.t1 < one : p.t1 > one; });
    const Vector y = (after == all.end() ? all.back() : *after).at(one);
    values.insert(values.end(), y.begin(), y.end());
  }
  Shape shape = pieces_->shape;
  if (t.rank() == 1) shape.insert(0, t.size(0));
  return from_vector(values, shape);
}

namespace {

Control checked_control(const SolveIvpOptions& o, int64_t n, double t0, double t1,
                        const Where& where) {
  const auto require = [&](bool ok, const std::string& what) {
    if (!ok) throw ValueError("solve_ivp: " + what, where);
  };
  require(std::isfinite(t0) && std::isfinite(t1), fmt::format("the times are {} and {}", t0, t1));
  require(o.rtol >= 0 && std::isfinite(o.rtol), fmt::format("rtol is {}", o.rtol));
  require(o.atol.size() == 1 || static_cast<int64_t>(o.atol.size()) == n,
          fmt::format("{} numbers of atol for {} of y", o.atol.size(), n));
  for (double a : o.atol) require(a >= 0, fmt::format("atol is {}", a));
  require(o.max_step > 0, fmt::format("max_step is {}", o.max_step));
  require(!o.first_step || (*o.first_step > 0 && *o.first_step <= std::abs(t1 - t0)),
          "first_step is not above 0 and within the times");
  const double low = std::min(t0, t1), high = std::max(t0, t1);
  for (size_t i = 0; i < o.t_eval.size(); ++i) {
    require(o.t_eval[i] >= low && o.t_eval[i] <= high,
            fmt::format("t_eval has {}, not within {} and {}", o.t_eval[i], t0, t1));
    require(i == 0 || (o.t_eval[i] - o.t_eval[i - 1]) * (t1 - t0) > 0, "t_eval is not in order");
  }
  return {std::max(o.rtol, 100 * 0x1p-52), o.max_step, o.atol, o.first_step};
}

class Events {
 public:
  Events(const std::vector<OdeEvent>& events, const Rhs& rhs, const Where& where)
      : events_(events), rhs_(rhs), where_(where) {}
  double value(size_t i, double t, const Vector& y) const {
    if (!events_[i].fun) fail("solve_ivp", fmt::format("event {} has no function", i), where_);
    NoGrad none;
    const Tensor g = events_[i].fun(tensor(t), rhs_.state(y));
    if (!g.defined() || g.numel() != 1)
      fail("solve_ivp",
           fmt::format("event {} gives {} instead of one number", i,
                       g.defined() ? g.shape().str() : "nothing"),
           where_);
    return g.item();
  }
  void begin(double t, const Vector& y) {
    for (size_t i = 0; i < events_.size(); ++i) before_.push_back(value(i, t, y));
  }
  struct Found {
    double t;
    size_t event;
  };
  // Those of a step, in its order, up to the first that is terminal.
  std::vector<Found> within(const Piece& piece, const Vector& y) {
    std::vector<Found> all;
    for (size_t i = 0; i < events_.size(); ++i) {
      const double now = value(i, piece.t1, y), before = before_[i];
      const bool up = before <= 0 && now >= 0, down = before >= 0 && now <= 0;
      const double d = events_[i].direction;
      if ((up && d >= 0) || (down && d <= 0)) {
        // At the ends y is the solver's, where a polynomial may be off by rounding.
        const auto at = [&](double time) {
          return time == piece.t0   ? before
                 : time == piece.t1 ? now
                                    : value(i, time, piece.at(time));
        };
        const double t = optimize::brentq(at, piece.t0, piece.t1, 4 * 0x1p-52, where_);
        all.push_back({t, i});
      }
      before_[i] = now;
    }
    const double sign = piece.t1 >= piece.t0 ? 1 : -1;
    std::stable_sort(all.begin(), all.end(),
                     [&](const Found& a, const Found& b) { return sign * a.t < sign * b.t; });
    for (size_t k = 0; k < all.size(); ++k) {
      if (events_[all[k].event].terminal) {
        all.resize(k + 1);
        break;
      }
    }
    return all;
  }

 private:
  const std::vector<OdeEvent>& events_;
  const Rhs& rhs_;
  Where where_;
  Vector before_;
};

}  // namespace

SolveIvpResult solve_ivp(const OdeFunction& fun, double t0, double t1, const Tensor& y0,
                         const SolveIvpOptions& o, Where where) {
  if (!fun) fail("solve_ivp", "the function is not given", where);
  require_defined("solve_ivp", y0, where);
  const Vector start = y0.to_vector<double>();
  if (start.empty()) throw ValueError("solve_ivp: y0 has no numbers", where);
  if (!all_finite(start)) throw ValueError("solve_ivp: y0 has numbers that are not finite", where);
  const Control control = checked_control(o, y0.numel(), t0, t1, where);
  Rhs rhs(fun, o.jac, y0.shape(), where);
  const std::unique_ptr<Stepper> solver =
      o.method == OdeMethod::kRadau ? radau(rhs, t0, t1, start, control)
      : o.method == OdeMethod::kBDF ? bdf(rhs, t0, t1, start, control)
                                    : runge_kutta(o.method, rhs, t0, t1, start, control);
  SolveIvpResult r;
  Vector ts, ys;
  const auto give = [&](double t, const Vector& y) {
    ts.push_back(t);
    ys.insert(ys.end(), y.begin(), y.end());
  };
  std::vector<std::pair<Vector, Vector>> found(o.events.size());
  Events events(o.events, rhs, where);
  events.begin(t0, start);
  auto pieces = std::make_shared<OdeSolution::Pieces>();
  pieces->shape = y0.shape();
  const bool every = o.t_eval.empty();
  if (every) give(t0, start);
  size_t next = 0;  // of t_eval
  const double sign = t1 >= t0 ? 1 : -1;
  while (!every && next < o.t_eval.size() && o.t_eval[next] == t0) give(o.t_eval[next++], start);
  bool ended = t0 == t1;
  r.message = "the solver is at the end";
  while (!ended) {
    if (!solver->step()) {
      r.status = -1;
      r.success = false;
      r.message = fmt::format("at {} the step is less than numbers are apart", solver->t);
      break;
    }
    ++r.nsteps;
    double t = solver->t;
    Vector y = solver->y;
    ended = solver->done();
    const bool asked = next < o.t_eval.size() && sign * (o.t_eval[next] - t) <= 0;
    std::optional<Piece> piece;
    if (o.dense_output || asked || !o.events.empty()) piece = solver->piece();
    if (!o.events.empty()) {
      for (const Events::Found& one : events.within(*piece, y)) {
        const Vector there = piece->at(one.t);
        found[one.event].first.push_back(one.t);
        found[one.event].second.insert(found[one.event].second.end(), there.begin(), there.end());
        if (o.events[one.event].terminal) {
          r.status = 1;
          r.message = fmt::format("event {} has ended it", one.event);
          ended = true;
          t = one.t, y = there;
        }
      }
    }
    if (every) give(t, y);
    for (; next < o.t_eval.size() && sign * (o.t_eval[next] - t) <= 0; ++next)
      give(o.t_eval[next], piece->at(o.t_eval[next]));
    if (o.dense_output) {
      piece->t1 = t;
      pieces->all.push_back(*std::move(piece));
    }
  }
  const auto rows = [&](const Vector& values, size_t count) {
    Shape shape = y0.shape();
    shape.insert(0, static_cast<int64_t>(count));
    return from_vector(values, shape);
  };
  const auto line = [](const Vector& v) {
    return from_vector(v, {static_cast<int64_t>(v.size())});
  };
  r.t = line(ts);
  r.y = rows(ys, ts.size());
  for (const auto& [times, values] : found) {
    r.t_events.push_back(line(times));
    r.y_events.push_back(rows(values, times.size()));
  }
  if (o.dense_output) {
    if (pieces->all.empty()) pieces->all.push_back({t0, t1, t0, 1, {start}});
    r.sol = OdeSolution(pieces);
  }
  r.nfev = rhs.nfev, r.njev = rhs.njev, r.nlu = rhs.nlu;
  return r;
}

}  // namespace glia::integrate
