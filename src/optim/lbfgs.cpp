// L-BFGS.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim/general.h"

namespace glia::optim {
namespace {

enum Option {
  kLr,
  kMaxIter,
  kMaxEval,
  kToleranceGrad,
  kToleranceChange,
  kHistorySize,
  kLineSearch
};

std::vector<double> values(const LBFGSOptions& o) {
  return {o.lr,
          static_cast<double>(o.max_iter),
          o.max_eval ? static_cast<double>(*o.max_eval)
                     : std::floor(static_cast<double>(o.max_iter) * 1.25),
          o.tolerance_grad,
          o.tolerance_change,
          static_cast<double>(o.history_size),
          static_cast<double>(o.line_search_fn)};
}

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }
double largest(const Tensor& x) { return max(abs(x)).item(); }

// A point along a direction: how far, the loss, its gradient and its slope along the direction.
struct Point {
  double t = 0, loss = 0;
  Tensor gradient;
  double slope = 0;
};

// Where the cubic through two points with their slopes is least, within the bounds.
double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t);
  const double root = d1 * d1 - a.slope * b.slope;
  if (!(root >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(root);
  const auto [left, right] = a.t <= b.t ? std::tie(a, b) : std::tie(b, a);
  const double least = right.t - (right.t - left.t) * ((right.slope + d2 - d1) /
                                                       (right.slope - left.slope + 2 * d2));
  return std::min(std::max(least, low), high);
}

}  // namespace

// What one step leaves for the next.
struct LBFGS::Memory {
  int64_t func_evals = 0, n_iter = 0;
  double t = 0, h_diag = 1;
  Tensor direction, gradient;           // (n), the last; undefined before the first iteration
  std::deque<Tensor> gradients, steps;  // (n), their last changes
  std::deque<double> ro;                // 1 / (change of gradient . step)
};

// One call of step().
class LBFGS::Iteration {
 public:
  Iteration(LBFGS& optimizer, const Loss& loss, const Where& where)
      : o_(optimizer.options(optimizer.slots()[0])),
        parameters_(optimizer.Optimizer::parameters()),
        memory_(*optimizer.memory_),
        loss_(loss),
        where_(where) {
    for (const Variable& p : parameters_) start_.push_back(p.tensor(where));
  }

  Tensor run() {
    try {
      return minimise();
    } catch (...) {
      place(start_);
      throw;
    }
  }
  const Memory& memory() const { return memory_; }

 private:
  Tensor minimise() {
    const Tensor before = evaluate();
    int64_t evals = 1;
    ++memory_.func_evals;
    bool optimal = largest(at_.gradient) <= o_[kToleranceGrad];
    for (int64_t i = 1; !optimal && i <= static_cast<int64_t>(o_[kMaxIter]); ++i) {
      ++memory_.n_iter;
      const Tensor d = next_direction();
      memory_.gradient = at_.gradient;
      const double last_loss = at_.loss;
      double t = o_[kLr];
      if (memory_.n_iter == 1) t *= std::min(1.0, 1 / sum(abs(at_.gradient)).item());
      memory_.t = t;
      at_.slope = dot(at_.gradient, d);
      if (at_.slope > -o_[kToleranceChange]) break;

      const int64_t evals_before = evals;
      const std::vector<Tensor> from = parameters_.tensors();
      if (static_cast<LineSearch>(o_[kLineSearch]) == LineSearch::kStrongWolfe) {
        at_.t = 0;
        at_ = search(from, d, t, static_cast<int64_t>(o_[kMaxEval]) - evals, &evals);
        t = memory_.t = at_.t;
        move(from, d, t);
      } else {
        move(from, d, t);
        // Where there are no more iterations it is not worth another evaluation.
        if (i != static_cast<int64_t>(o_[kMaxIter])) {
          evaluate();
          ++evals;
        }
      }
      memory_.func_evals += evals - evals_before;
      optimal = largest(at_.gradient) <= o_[kToleranceGrad];
      if (evals >= static_cast<int64_t>(o_[kMaxEval]) ||
          largest(d) * std::abs(t) <= o_[kToleranceChange] ||
          std::abs(at_.loss - last_loss) < o_[kToleranceChange])
        break;
    }
    return before;
  }

  // The loss here; at_ has its value and gradient.
  Tensor evaluate() {
    const Tensor loss = loss_();
    std::vector<Tensor> flat;
    for (const Tensor& g : gradients(loss, parameters_)) flat.push_back(reshape(g, {-1}));
    at_.gradient = stop_gradient(concat(flat, 0));
    const Tensor value = stop_gradient(loss);
    eval({value, at_.gradient});
    at_.loss = value.item();
    return value;
  }

  void place(const std::vector<Tensor>& values) const {
    for (size_t i = 0; i < values.size(); ++i) parameters_[i].set(values[i], where_);
  }
  void move(const std::vector<Tensor>& from, const Tensor& d, double t) const {
    int64_t at = 0;
    for (size_t i = 0; i < from.size(); ++i) {
      const int64_t n = from[i].numel();
      const NoGrad off;
      parameters_[i].set(from[i] + reshape(slice(d, 0, {at, at + n}), from[i].shape()) * t, where_);
      at += n;
    }
  }

  // The gradient, turned by what is known of the curvature.
  Tensor next_direction() {
    Memory& m = memory_;
    if (m.n_iter == 1) {
      m.direction = -at_.gradient;
    } else {
      const Tensor y = at_.gradient - m.gradient, s = m.direction * m.t;
      const double ys = dot(y, s);
      if (ys > 1e-10) {
        if (m.ro.size() == static_cast<size_t>(o_[kHistorySize])) {
          m.gradients.pop_front();
          m.steps.pop_front();
          m.ro.pop_front();
        }
        m.gradients.push_back(y);
        m.steps.push_back(s);
        m.ro.push_back(1 / ys);
        m.h_diag = ys / dot(y, y);
      }
      const size_t count = m.ro.size();
      std::vector<Tensor> al(count);
      Tensor q = -at_.gradient;
      for (size_t i = count; i-- > 0;) {
        al[i] = sum(m.steps[i] * q) * m.ro[i];
        q = q - m.gradients[i] * al[i];
      }
      q = q * m.h_diag;
      for (size_t i = 0; i < count; ++i)
        q = q + m.steps[i] * (al[i] - sum(m.gradients[i] * q) * m.ro[i]);
      m.direction = q;
    }
    eval(m.direction);
    return m.direction;
  }

  // From at_ along d, first to t, to a point that meets the strong Wolfe conditions; or to the
  // lowest that was seen when nothing is left to try.
  Point search(const std::vector<Tensor>& from, const Tensor& d, double t, int64_t most,
               int64_t* evals) {
    constexpr double kC1 = 1e-4, kC2 = 0.9;
    const Point start = at_;
    const double size = largest(d);
    const auto look = [&](double where) {
      move(from, d, where);
      evaluate();
      ++*evals;
      at_.t = where;
      at_.slope = dot(at_.gradient, d);
      return at_;
    };
    const auto too_high = [&](const Point& p) {
      return p.loss > start.loss + kC1 * p.t * start.slope;
    };
    const auto flat_enough = [&](const Point& p) {
      return std::abs(p.slope) <= -kC2 * start.slope;
    };

    // Further and further, until the sought point lies between two.
    Point last = start, now = look(t);
    int64_t tried = 0;
    for (; tried < most; ++tried) {
      if (too_high(now) || (tried > 1 && now.loss >= last.loss)) break;
      if (flat_enough(now)) return now;
      if (now.slope >= 0) break;
      const double next = cubic_minimum(last, now, now.t + 0.01 * (now.t - last.t), now.t * 10);
      last = std::exchange(now, look(next));
    }
    if (tried >= most) return start.loss <= now.loss ? start : now;

    // Closer and closer.
    Point low = last, high = now;
    if (now.loss < last.loss) std::swap(low, high);
    bool stuck = false;
    for (; tried < most; ++tried) {
      const auto [left, right] = std::minmax(low.t, high.t);
      if ((right - left) * size < o_[kToleranceChange]) break;
      double next = cubic_minimum(low, high, left, right);
      // Twice near an end: a tenth away from it.
      const double edge = 0.1 * (right - left);
      const bool near = std::min(right - next, next - left) < edge;
      if (near && (stuck || next >= right || next <= left)) {
        next = std::abs(next - right) < std::abs(next - left) ? right - edge : left + edge;
        stuck = false;
      } else {
        stuck = near;
      }
      const Point p = look(next);
      if (too_high(p) || p.loss >= low.loss) {
        high = p;
        if (high.loss < low.loss) std::swap(low, high);
      } else {
        if (flat_enough(p)) return p;
        if (p.slope * (high.t - low.t) >= 0) high = low;
        low = p;
      }
    }
    return low;
  }

  const std::vector<double> o_;
  const ParameterList parameters_;
  Memory memory_;
  const Loss& loss_;
  const Where where_;
  std::vector<Tensor> start_;
  Point at_;
};

LBFGS::LBFGS(const ParameterList& parameters, const LBFGSOptions& options)
    : Optimizer("lbfgs", {"lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change",
                          "history_size", "line_search_fn"}),
      memory_(std::make_unique<Memory>()) {
  add_group(parameters, values(options));
}

LBFGS::~LBFGS() = default;

void LBFGS::check(const Options& o) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (Option i : {kLr, kToleranceGrad, kToleranceChange}) check_range(o, i, 0, kInfinity);
  for (Option i : {kMaxIter, kMaxEval, kHistorySize}) check_range(o, i, 1, kInfinity);
  check_range(o, kLineSearch, 0, 2);
}

Tensor LBFGS::update(const Loss& loss, const Where& where) {
  if (memory_->gradient.defined()) {
    int64_t n = 0;
    for (const Variable& p : Optimizer::parameters()) n += p.shape().numel();
    if (memory_->gradient.numel() != n)
      throw ShapeError(fmt::format("lbfgs: {} numbers are trainable, in the steps before {} were",
                                   n, memory_->gradient.numel()),
                       where);
  }
  Iteration iteration(*this, loss, where);
  const Tensor before = iteration.run();
  *memory_ = iteration.memory();
  return before;
}

StateDict LBFGS::extra_state() const {
  const Memory& m = *memory_;
  if (!m.gradient.defined()) return {};
  StateDict out{{"func_evals", tensor(m.func_evals)},
                {"n_iter", tensor(m.n_iter)},
                {"t", tensor(m.t)},
                {"H_diag", tensor(m.h_diag)},
                {"d", m.direction},
                {"prev_flat_grad", m.gradient}};
  const auto count = static_cast<int64_t>(m.ro.size());
  out.emplace_back("ro", from_vector(std::vector<double>(m.ro.begin(), m.ro.end()), {count}));
  for (int64_t i = 0; i < count; ++i) {
    out.emplace_back(fmt::format("old_dirs.{}", i), m.gradients[i]);
    out.emplace_back(fmt::format("old_stps.{}", i), m.steps[i]);
  }
  return out;
}

void LBFGS::load_extra_state(const StateDict& values) {
  auto m = std::make_unique<Memory>();
  if (!values.empty()) {
    std::map<std::string, Tensor> given(values.begin(), values.end());
    int64_t n = 0;
    for (const Variable& p : Optimizer::parameters()) n += p.shape().numel();
    const auto take = [&](const std::string& key, const Shape& shape) {
      const auto node = given.extract(key);
      if (node.empty() || node.mapped().shape() != shape)
        throw Error(fmt::format("lbfgs: the state does not fit: no lbfgs.{} {}", key, shape.str()));
      return node.mapped();
    };
    const auto flat = [&](const std::string& key) {
      return cast(take(key, {n}), slots()[0].parameter.dtype());
    };
    m->func_evals = take("func_evals", {}).item<int64_t>();
    m->n_iter = take("n_iter", {}).item<int64_t>();
    m->t = take("t", {}).item();
    m->h_diag = take("H_diag", {}).item();
    m->direction = flat("d");
    m->gradient = flat("prev_flat_grad");
    const auto ro = given.extract("ro");
    if (ro.empty() || ro.mapped().rank() != 1)
      throw Error("lbfgs: the state does not fit: no lbfgs.ro");
    for (const double r : ro.mapped().to_vector<double>()) {
      m->gradients.push_back(flat(fmt::format("old_dirs.{}", m->ro.size())));
      m->steps.push_back(flat(fmt::format("old_stps.{}", m->ro.size())));
      m->ro.push_back(r);
    }
    if (!given.empty())
      throw Error("lbfgs: the state does not fit: lbfgs." + given.begin()->first +
                  " belongs to nothing here");
  }
  memory_ = std::move(m);
}

}  // namespace glia::optim
