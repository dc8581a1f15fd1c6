// Solutions of differential equations that have gradients.
#include <fmt/format.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/math/ode.h"
#include "glia/op.h"
#include "glia/ops.h"

namespace glia::integrate {
namespace {

struct Scheme {
  std::vector<double> c;
  std::vector<std::vector<double>> a;  // the last row is the step
  std::vector<double> error;           // of all stages and the new derivative; empty: fixed steps
  int order;
};

const Scheme& scheme_of(OdeintMethod m) {
  static const Scheme dopri5{
      {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1},
      {{},
       {1.0 / 5},
       {3.0 / 40, 9.0 / 40},
       {44.0 / 45, -56.0 / 15, 32.0 / 9},
       {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
       {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
       {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
      {-71.0 / 57600, 0, 71.0 / 16695, -71.0 / 1920, 17253.0 / 339200, -22.0 / 525, 1.0 / 40},
      5};
  static const Scheme bosh3{{0, 1.0 / 2, 3.0 / 4},
                            {{}, {1.0 / 2}, {0, 3.0 / 4}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
                            {5.0 / 72, -1.0 / 12, -1.0 / 9, 1.0 / 8},
                            3};
  static const Scheme euler{{0}, {{}, {1}}, {}, 1};
  static const Scheme midpoint{{0, 1.0 / 2}, {{}, {1.0 / 2}, {0, 1}}, {}, 2};
  static const Scheme rk4{
      {0, 1.0 / 3, 2.0 / 3, 1},
      {{}, {1.0 / 3}, {-1.0 / 3, 1}, {1, -1, 1}, {1.0 / 8, 3.0 / 8, 3.0 / 8, 1.0 / 8}},
      {},
      4};
  switch (m) {
    case OdeintMethod::kDopri5:
      return dopri5;
    case OdeintMethod::kBosh3:
      return bosh3;
    case OdeintMethod::kEuler:
      return euler;
    case OdeintMethod::kMidpoint:
      return midpoint;
    default:
      return rk4;
  }
}

// The state as parts that move together, each with an error of its own: y alone, or y with its
// adjoint and the parameters' gradient.
using State = std::vector<Tensor>;
using Slope = std::function<State(double t, const State&)>;

State combined(const State& y, double h, const std::vector<double>& weights,
               const std::vector<State>& k) {
  State out;
  for (size_t part = 0; part < y.size(); ++part) {
    Tensor sum = y[part];
    for (size_t s = 0; s < weights.size(); ++s) {
      if (weights[s] != 0) sum = sum + (h * weights[s]) * k[s][part];
    }
    out.push_back(sum);
  }
  return out;
}

class Solver {
 public:
  Solver(Slope slope, const OdeintOptions& options, const char* name, const Where& where)
      : slope_(std::move(slope)),
        o_(options),
        scheme_(scheme_of(options.method)),
        name_(name),
        where_(where) {}

  // From t to `end`, where a step ends.
  State advance(double t, double end, State y) {
    if (scheme_.error.empty()) return fixed(t, end, std::move(y));
    const double sign = end >= t ? 1 : -1;
    if (first_.empty()) first_ = slope_(t, y);
    if (h_ == 0) h_ = first_step(t, y, sign, std::abs(end - t));
    bool rejected = false;
    while (sign * (end - t) > 0) {
      count();
      const double left = std::abs(end - t);
      const bool last = h_ >= left * (1 - 1e-12);
      const double h = sign * (last ? left : h_);
      std::vector<State> k{first_};
      State y_new = stages(t, h, y, &k);
      const double error = error_of(h, y, y_new, k);
      const double factor = error == 0 ? 10 : 0.9 * std::pow(error, -1.0 / scheme_.order);
      if (error <= 1) {
        t = last ? end : t + h;
        y = std::move(y_new);
        first_ = std::move(k.back());
        // A step that was cut says little about the next.
        const double next = std::abs(h) * std::clamp(factor, 0.2, rejected ? 1.0 : 10.0);
        h_ = last ? std::max(h_, next) : next;
        rejected = false;
      } else {
        h_ = std::abs(h) * (std::isfinite(error) ? std::max(0.2, std::min(factor, 1.0)) : 0.2);
        rejected = true;
        if (t + sign * h_ == t)
          throw ValueError(
              fmt::format("{}: at {} the step is less than numbers are apart", name_, t), where_);
      }
    }
    return y;
  }
  // After the state was changed from outside.
  void restart() { first_.clear(); }

 private:
  void count() {
    if (++steps_ > o_.max_num_steps)
      throw ValueError(fmt::format("{}: {} steps do not reach the end", name_, o_.max_num_steps),
                       where_);
  }
  // Appends the other stages to the first, and of an adaptive scheme the new derivative.
  State stages(double t, double h, const State& y, std::vector<State>* k) {
    for (size_t s = 1; s < scheme_.c.size(); ++s)
      k->push_back(slope_(t + scheme_.c[s] * h, combined(y, h, scheme_.a[s], *k)));
    State y_new = combined(y, h, scheme_.a.back(), *k);
    if (!scheme_.error.empty()) k->push_back(slope_(t + h, y_new));
    return y_new;
  }
  State fixed(double t, double end, State y) {
    const double whole = end - t;
    const double wanted =
        o_.step_size ? std::ceil(std::abs(whole) / *o_.step_size * (1 - 1e-12)) : 1;
    if (!(wanted <= static_cast<double>(o_.max_num_steps)))
      throw ValueError(fmt::format("{}: step_size takes {} steps", name_, wanted), where_);
    const auto steps = static_cast<int64_t>(std::max(wanted, 1.0));
    for (int64_t i = 0; i < steps; ++i) {
      count();
      const double at = t + whole * static_cast<double>(i) / static_cast<double>(steps);
      std::vector<State> k{slope_(at, y)};
      y = stages(at, whole / static_cast<double>(steps), y, &k);
    }
    return y;
  }
  // The largest, over the parts, of the root of the mean square of e / (atol + rtol |y|).
  double error_of(double h, const State& y, const State& y_new, const std::vector<State>& k) const {
    NoGrad none;
    std::vector<Tensor> all;
    for (size_t part = 0; part < y.size(); ++part) {
      if (y[part].numel() == 0) continue;
      Tensor e = zeros_like(y[part]);
      for (size_t s = 0; s < k.size(); ++s) {
        if (scheme_.error[s] != 0) e = e + (h * scheme_.error[s]) * k[s][part];
      }
      const Tensor scale = o_.atol + o_.rtol * maximum(abs(y[part]), abs(y_new[part]));
      all.push_back(cast(sqrt(mean(square(e / scale))), kF64));
    }
    return all.empty() ? 0 : max(stack(all)).item();
  }
  double norm(const State& v, const State& y) const {
    NoGrad none;
    double most = 0;
    for (size_t part = 0; part < v.size(); ++part) {
      if (v[part].numel() == 0) continue;
      const Tensor scale = o_.atol + o_.rtol * abs(y[part]);
      most = std::max(most, sqrt(mean(square(v[part] / scale))).item());
    }
    return most;
  }
  double first_step(double t, const State& y, double sign, double whole) {
    NoGrad none;
    const double d0 = norm(y, y), d1 = norm(first_, y);
    double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
    h0 = std::min(h0, whole);
    const State y1 = combined(y, sign * h0, {1}, {first_});
    const State f1 = slope_(t + sign * h0, y1);
    State change;
    for (size_t part = 0; part < y.size(); ++part) change.push_back(f1[part] - first_[part]);
    const double d2 = norm(change, y) / h0;
    const double h1 = d1 <= 1e-15 && d2 <= 1e-15
                          ? std::max(1e-6, h0 * 1e-3)
                          : std::pow(0.01 / std::max(d1, d2), 1.0 / scheme_.order);
    const double h = std::min({100 * h0, h1, whole});
    return std::isfinite(h) && h > 0 ? h : std::min(1e-6, whole);
  }

  Slope slope_;
  const OdeintOptions& o_;
  const Scheme& scheme_;
  const char* name_;
  Where where_;
  State first_;  // the derivative where the last step has ended
  double h_ = 0;
  int64_t steps_ = 0;
};

std::vector<double> checked_times(const char* name, const OdeFunction& func, const Tensor& y0,
                                  const Tensor& t, const OdeintOptions& o, const Where& where) {
  if (!func) fail(name, "the function is not given", where);
  require_defined(name, y0, where);
  require_defined(name, t, where);
  if (!is_float(y0.dtype())) fail(name, "y0 is not of floats", where);
  if (t.rank() != 1 || t.size(0) < 1) fail(name, "t is (T), not " + t.shape().str(), where);
  if (!(o.rtol >= 0 && o.atol >= 0 && o.rtol + o.atol > 0) ||
      (o.step_size && !(*o.step_size > 0)) || o.max_num_steps < 1)
    throw ValueError(
        fmt::format("{}: tolerances, step_size or max_num_steps are out of range", name), where);
  std::vector<double> times = t.to_vector<double>();
  for (size_t i = 0; i < times.size(); ++i) {
    const double way = i == 0 ? 1 : (times[i] - times[i - 1]) * (times[1] - times[0]);
    if (!std::isfinite(times[i]) || !(way > 0))
      throw ValueError(fmt::format("{}: t neither rises nor falls strictly", name), where);
  }
  return times;
}

Tensor slope_at(const char* name, const OdeFunction& func, double t, const Tensor& y,
                const Where& where) {
  const Tensor f = func(cast(tensor(t), y.dtype()), y);
  if (!f.defined() || f.shape() != y.shape())
    fail(name,
         fmt::format("the function gives {} for y {}", f.defined() ? f.shape().str() : "nothing",
                     y.shape().str()),
         where);
  return cast(f, y.dtype());
}

std::vector<Tensor> solution(const char* name, const OdeFunction& func, const Tensor& y0,
                             const std::vector<double>& times, const OdeintOptions& o,
                             const Where& where) {
  Solver solver(
      [&](double t, const State& y) { return State{slope_at(name, func, t, y[0], where)}; }, o,
      name, where);
  std::vector<Tensor> out{y0};
  for (size_t i = 1; i < times.size(); ++i)
    out.push_back(solver.advance(times[i - 1], times[i], {out.back()})[0]);
  return out;
}

}  // namespace

Tensor odeint(const OdeFunction& func, const Tensor& y0, const Tensor& t,
              const OdeintOptions& options, Where where) {
  const std::vector<double> times = checked_times("odeint", func, y0, t, options, where);
  return stack(solution("odeint", func, y0, times, options, where));
}

Tensor odeint_adjoint(const OdeFunction& func, const ParameterList& parameters, const Tensor& y0,
                      const Tensor& t, const OdeintOptions& options, Where where) {
  constexpr const char* kName = "odeint_adjoint";
  const std::vector<double> times = checked_times(kName, func, y0, t, options, where);
  std::vector<Tensor> inputs{y0};
  for (const Tensor& p : parameters.tensors()) inputs.push_back(p);
  const auto forward = [=](const std::vector<Tensor>& in) {
    NoGrad none;
    return stack(solution(kName, func, in[0], times, options, where));
  };
  const std::vector<Tensor> weights(inputs.begin() + 1, inputs.end());
  const auto backward = [=](const std::vector<Tensor>&, const Tensor& out, const Tensor& grad) {
    // y, a = d loss / d y, and the sums of a times the derivative of f by each parameter,
    // backwards.
    const Slope slope = [&](double at, const State& s) {
      const Tensor y = trainable(stop_gradient(s[0]));
      const Tensor f = slope_at(kName, func, at, y, where);
      State result{stop_gradient(f)};
      std::vector<Tensor> by{y};
      by.insert(by.end(), weights.begin(), weights.end());
      if (!f.requires_grad()) {
        for (const Tensor& one : by) result.push_back(zeros_like(one));
        return result;
      }
      for (const Tensor& g : gradients(f, by, stop_gradient(s[1]), where))
        result.push_back(-stop_gradient(g));
      eval(result, where);
      return result;
    };
    Solver solver(slope, options, kName, where);
    const auto last = static_cast<int64_t>(times.size()) - 1;
    const auto at = [](const Tensor& x, int64_t i) { return stop_gradient(index(x, {i})); };
    State s{at(out, last), at(grad, last)};
    for (const Tensor& w : weights) s.push_back(zeros_like(w));
    for (int64_t i = last; i > 0; --i) {
      s = solver.advance(times[i], times[i - 1], s);
      s[0] = at(out, i - 1);
      s[1] = s[1] + at(grad, i - 1);
      solver.restart();
    }
    return std::vector<Tensor>(s.begin() + 1, s.end());
  };
  return custom_function(forward, backward, where)(inputs);
}

}  // namespace glia::integrate
