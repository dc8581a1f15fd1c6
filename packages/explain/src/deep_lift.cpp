// DeepLIFT: two recordings of the model, at the input and at the baseline, walked side by side.
#include <algorithm>
#include <unordered_map>

#include "common.h"
#include "glia/autodiff.h"
#include "rules.h"

namespace glia::explain {
namespace {

class Differences {
 public:
  explicit Differences(double eps, Where where) : eps_(eps), where_(where) {}

  // Notes which value at the baseline belongs to which at the input.
  void pair(const Tensor& at, const Tensor& base) {
    std::vector<std::pair<Tensor, Tensor>> left{{at, base}};
    while (!left.empty()) {
      const auto [a, b] = left.back();
      left.pop_back();
      if (!pairs_.try_emplace(a.node(), a, b).second) continue;
      const Recorded one(*a.node()), other(*b.node());
      if (&one.op() != &other.op() || one.inputs() != other.inputs() ||
          one.shape() != other.shape())
        throw Error("deep_lift: the model takes another way for the baseline than for the input",
                    where_);
      for (int i = 0; i < one.inputs(); ++i) {
        const Tensor in = one.in(i);
        if (in.defined() && in.requires_grad()) left.emplace_back(in, other.in(i));
      }
    }
  }

  bool rule(Vjp& v) {
    const auto found = pairs_.find(&v.node());
    if (found == pairs_.end()) return false;
    const Base base{*found->second.second.node(), found->second.second};
    const std::vector<int> by = movers(v);
    switch (v.op().kind) {
      case Kind::kElementwise:
        return elementwise(v, base, by);
      case Kind::kReduce:
        return is_named(v, {"max", "min"}) && extreme(v, base, by[0]);
      case Kind::kMacro:
        return is_named(v, {"linear"}) ? product(v, base, by) : composed(v, base, by);
      case Kind::kKernel:
        if (is_named(v, {"max_pool2d"})) return extreme(v, base, by[0]);
        return is_named(v, {"conv2d", "matmul"}) && product(v, base, by);
      default:
        return false;
    }
  }

 private:
  // The same operation at the baseline.
  struct Base : Recorded {
    Base(const Node& node, const Tensor& out) : Recorded(node), value(stop_gradient(out)) {}
    Tensor value;
  };

  // What the output changes by, as a multiple of what the input does; its slope where that is
  // nothing.
  Tensor ratio(const Vjp& v, int i, const Tensor& change, const Tensor& difference) const {
    const Tensor none = abs(difference) < eps_;
    const Tensor slope = pulled_back(v, inputs_of(v), {i}, v.g())[0];
    return where(none, slope, v.g() * change / where(none, 1, difference));
  }

  bool elementwise(Vjp& v, const Base& base, const std::vector<int>& by) const {
    if (is_named(v, {"add", "sub", "neg", "cast"})) return false;
    const auto change = [&] { return stop_gradient(v.out()) - base.value; };
    const auto difference = [&](int i) {
      return stop_gradient(v.in(i)) - stop_gradient(base.in(i));
    };
    if (is_named(v, {"where"})) return selected(v, base, change());
    if (by.size() == 1) {
      const int i = by[0];
      if (is_named(v, {"mul"}) || (is_named(v, {"div"}) && i == 0)) return false;
      v.set(i, ratio(v, i, change(), difference(i)));
      return true;
    }
    if (is_named(v, {"mul"})) {
      for (int i : {0, 1}) v.set(i, v.g() * mean_of(v.in(1 - i), base.in(1 - i)));
      return true;
    }
    const std::vector<Tensor> at = inputs_of(v), from = inputs_of(base);
    for (size_t k = 0; k < 2; ++k) {
      std::vector<Tensor> mine = from, others = at;
      mine[k] = at[k];
      others[k] = from[k];
      const Tensor share =
          0.5 * (again(v, mine) - base.value + stop_gradient(v.out()) - again(v, others));
      const auto i = static_cast<int>(k);
      v.set(i, ratio(v, i, share, difference(i)));
    }
    return true;
  }

  // Where both take the same branch, that one; else both share what the choice changes.
  bool selected(Vjp& v, const Base& base, const Tensor& change) const {
    const Tensor now = v.in(0), before = base.in(0);
    Tensor total;
    for (int i : {1, 2}) {
      if (!v.needs(i)) continue;
      const Tensor d = stop_gradient(v.in(i)) - stop_gradient(base.in(i));
      total = total.defined() ? total + d : d;
    }
    const Tensor none = abs(total) < eps_;
    const Tensor shared = where(none, 0, v.g() * change / where(none, 1, total));
    const Tensor same = now == before;
    if (v.needs(1)) v.set(1, where(same, where(now, v.g(), 0), shared));
    if (v.needs(2)) v.set(2, where(same, where(now, 0, v.g()), shared));
    return true;
  }

  // To the largest at the input what it rose by, to that at the baseline what it fell by.
  bool extreme(Vjp& v, const Base& base, int i) const {
    const Tensor y = stop_gradient(v.out()), y0 = base.value;
    const Tensor between = is_named(v, {"min"}) ? minimum(y, y0) : maximum(y, y0);
    const Tensor rise = pulled_back(v, inputs_of(v), {i}, v.g() * (between - y0))[0];
    const Tensor fall = pulled_back(base, inputs_of(base), {i}, v.g() * (y - between))[0];
    const Tensor d = stop_gradient(v.in(i)) - stop_gradient(base.in(i));
    const Tensor none = abs(d) < eps_;
    v.set(i, where(none, 0, (rise + fall) / where(none, 1, d)));
    return true;
  }

  // Of two factors each counts by the mean of the other.
  bool product(Vjp& v, const Base& base, const std::vector<int>& by) const {
    std::vector<int> factors;
    for (int i : by)
      if (i < 2) factors.push_back(i);
    if (factors.size() < 2) return false;
    std::vector<Tensor> mean = inputs_of(v);
    for (int i : factors) mean[static_cast<size_t>(i)] = mean_of(v.in(i), base.in(i));
    const std::vector<Tensor> g = pulled_back(v, mean, by, v.g());
    for (size_t k = 0; k < by.size(); ++k) v.set(by[k], g[k]);
    return true;
  }

  // Softmax and its kin subtract the row's largest number, which changes nothing: for both the same
  // one, since else what it differs by were nobody's.
  static std::pair<std::vector<Tensor>, std::vector<Tensor>> both(const Vjp& v, const Base& base,
                                                                  const std::vector<Tensor>& at,
                                                                  const std::vector<Tensor>& from) {
    if (!is_named(v, {"softmax", "log_softmax", "logsumexp"}))
      return {v.op().compose(v, at), v.op().compose(base, from)};
    Axes axes;
    if (is_named(v, {"logsumexp"})) {
      for (int i = 0; i < at[0].rank(); ++i)
        if (v.attributes<ReduceAttributes>().axes >> i & 1) axes.push_back(i);
    } else {
      axes.push_back(v.attributes<AxisAttributes>().axis);
    }
    const Tensor shift = stop_gradient(maximum(max(at[0], axes, true), max(from[0], axes, true)));
    const auto of = [&](const Tensor& x) -> std::vector<Tensor> {
      const Tensor e = exp(x - shift), total = sum(e, axes, true);
      if (is_named(v, {"softmax"})) return {e / total};
      return {is_named(v, {"logsumexp"}) ? log(total) + shift : x - shift - log(total)};
    };
    return {of(at[0]), of(from[0])};
  }

  // By the operations that it stands for, of both.
  bool composed(Vjp& v, const Base& base, const std::vector<int>& by) {
    std::vector<Tensor> at = inputs_of(v), from = inputs_of(base), marked;
    for (int i : by) {
      const auto k = static_cast<size_t>(i);
      marked.push_back(at[k] = trainable(at[k]));
      from[k] = trainable(from[k]);
    }
    const auto [outs, bases] = both(v, base, at, from);
    std::vector<Tensor> totals(by.size());
    for (size_t out = 0; out < outs.size(); ++out) {
      const Tensor g = v.g(static_cast<int>(out));
      if (!g.defined() || !outs[out].requires_grad()) continue;
      pair(outs[out], bases[out]);
      const std::vector<Tensor> parts = gradients(outs[out], marked, g);
      for (size_t k = 0; k < by.size(); ++k)
        totals[k] = totals[k].defined() ? totals[k] + parts[k] : parts[k];
    }
    for (size_t k = 0; k < by.size(); ++k)
      if (totals[k].defined()) v.set(by[k], totals[k]);
    return true;
  }

  static Tensor mean_of(const Tensor& a, const Tensor& b) {
    return 0.5 * (stop_gradient(a) + stop_gradient(b));
  }

  std::unordered_map<const Node*, std::pair<Tensor, Tensor>> pairs_;  // at the input, the baseline
  const double eps_;
  const Where where_;
};

}  // namespace

Attributed deep_lift(const Forward& f, const Tensor& x, const DeepLiftOptions& options,
                     Where where) {
  constexpr const char* kOp = "deep_lift";
  require_input(kOp, x, where);
  const Tensor baseline = baseline_for(kOp, options.baseline, x, where);
  const Recording at = recorded(kOp, f, x, options.target, where),
                  base = recorded(kOp, f, baseline, options.target, where);
  Differences differences(options.eps, where);
  differences.pair(at.scores, base.scores);
  const OtherRules rules([&](Vjp& v) { return differences.rule(v); });
  const Tensor multipliers = gradients(sum(at.scores), {at.x}, {}, where)[0];
  const Tensor attributions = multipliers * (stop_gradient(x) - baseline);
  return {attributions,
          example_sums(attributions) - (stop_gradient(at.scores) - stop_gradient(base.scores))};
}

Attributed deep_lift_shap(const Forward& f, const Tensor& x, const Tensor& baselines,
                          const Target& target, Where where) {
  constexpr const char* kOp = "deep_lift_shap";
  require_input(kOp, x, where);
  require_input(kOp, baselines, where);
  const int64_t count = baselines.size(0);
  if (count == 0) fail(kOp, "there are no baselines", where);
  Attributed total{zeros_like(x), zeros({x.size(0)}, x.dtype())};
  for (int64_t b = 0; b < count; ++b) {
    const Attributed one =
        deep_lift(f, x, {.target = target, .baseline = slice(baselines, 0, {b, b + 1})}, where);
    total.attributions = total.attributions + one.attributions / static_cast<double>(count);
    total.delta = total.delta + one.delta / static_cast<double>(count);
    eval({total.attributions, total.delta});
  }
  return total;
}

}  // namespace glia::explain
