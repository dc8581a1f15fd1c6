#include "math/distributions/law.h"

#include <fmt/format.h>

#include <cmath>

namespace glia::distributions {
namespace {

const char* text_of(Range range) {
  switch (range) {
    case Range::kPositive:
      return "positive";
    case Range::kNotNegative:
      return "0 or more";
    case Range::kUnit:
      return "in [0, 1]";
    case Range::kOpenUnit:
      return "in (0, 1)";
    case Range::kNaturals:
      return "a whole number from 0 on";
    default:
      return "a finite number";
  }
}
bool within(Range range, double x) {
  switch (range) {
    case Range::kReal:
      return std::isfinite(x);
    case Range::kPositive:
      return x > 0 && std::isfinite(x);
    case Range::kNotNegative:
      return x >= 0 && std::isfinite(x);
    case Range::kUnit:
      return x >= 0 && x <= 1;
    case Range::kOpenUnit:
      return x > 0 && x < 1;
    case Range::kNaturals:
      return x >= 0 && x == std::floor(x) && std::isfinite(x);
    case Range::kAny:
      return true;
  }
  return true;
}
void require_within(const std::string& law, const std::string& parameter, Range range, double x,
                    const Where& where) {
  if (!within(range, x))
    throw ValueError(fmt::format("{}: {} is {}, not {}", law, parameter, x, text_of(range)), where);
}

}  // namespace

// ---- Laws ----

Law::Law(const char* name, Support support, const std::vector<Given>& given)
    : name(name), support(support) {
  bool any = false;
  for (const Given& g : given) {
    const Operand& x = *g.value;
    if (x.is_scalar()) {
      require_within(this->name, g.name, g.range, x.number().value(), x.where());
      if (g.event > 0)
        throw ShapeError(fmt::format("{}: {} is a number, not a tensor of rank {} or more", name,
                                     g.name, g.event),
                         x.where());
      continue;
    }
    require_defined(name, x.tensor(), x.where());
    const DType t = is_float(x.tensor().dtype()) ? x.tensor().dtype() : kF32;
    dtype = any ? promote(dtype, t) : t;
    any = true;
  }
  for (const Given& g : given) {
    const Tensor t = cast(*g.value, dtype);
    if (t.rank() < g.event)
      throw ShapeError(
          fmt::format("{}: {} is {}, of a rank below {}", name, g.name, t.shape().str(), g.event),
          g.value->where());
    try {
      batch = broadcast(batch, front_of(t.shape(), g.event));
    } catch (const ShapeError& error) {
      throw ShapeError(fmt::format("{}: {}: {}", name, g.name, error.what()), g.value->where());
    }
    add(g.name, t, g.range);
  }
}

const Tensor& Law::at(const std::string& parameter) const {
  for (const auto& [known, value] : parameters) {
    if (known == parameter) return value;
  }
  throw Error(fmt::format("{}: has no parameter '{}'", name, parameter));
}

void Law::check(const Where& where) const {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (ranges[i] == Range::kAny) continue;
    for (double x : parameters[i].second.to_vector<double>())
      require_within(name, parameters[i].first, ranges[i], x, where);
  }
}

Shape Law::drawn(const Shape& sample) const { return joined(joined(sample, batch), event); }

// ---- Handles ----

namespace {

const Tensor& had(const Law& law, const Tensor& value, const char* what, const Where& where) {
  if (!value.defined()) throw Error(law.name + ": has no " + what, where);
  return value;
}

// The operand in the dtype of the law, or a wider one of its own.
Tensor as_value(const Law& law, const Operand& x, const char* function) {
  if (x.is_scalar()) return cast(x, law.dtype);
  require_defined(function, x.tensor(), x.where());
  return cast(x, promote(law.dtype, x.tensor().dtype()));
}

// The shape of values given for x, without the event.
Shape shape_at(const Law& law, const Tensor& x, const char* function, const Operand& given) {
  const int event = law.event.rank();
  const auto fail = [&](const std::string& why) {
    throw ShapeError(fmt::format("{}.{}: a value {} for batch {} and event {}{}", law.name,
                                 function, x.shape().str(), law.batch.str(), law.event.str(), why),
                     given.where());
  };
  if (x.rank() < event) fail("");
  for (int i = 0; i < event; ++i) {
    if (x.shape()[x.rank() - event + i] != law.event[i]) fail("");
  }
  try {
    return broadcast(front_of(x.shape(), event), law.batch);
  } catch (const ShapeError& error) {
    fail(std::string(": ") + error.what());
  }
  return {};
}

}  // namespace

const std::string& Distribution::name() const { return law_->name; }
const Shape& Distribution::batch_shape() const { return law_->batch; }
const Shape& Distribution::event_shape() const { return law_->event; }
DType Distribution::dtype() const { return law_->dtype; }
Support Distribution::support() const { return law_->support; }
bool Distribution::is_discrete() const { return law_->discrete; }
bool Distribution::has_rsample() const { return law_->smooth; }
const std::vector<std::pair<std::string, Tensor>>& Distribution::parameters() const {
  return law_->parameters;
}
const Tensor& Distribution::parameter(const std::string& name, Where where) const {
  for (const auto& [known, value] : law_->parameters) {
    if (known == name) return value;
  }
  throw Error(law_->name + ": has no parameter '" + name + "'", where);
}
void Distribution::validate(Where where) const { law_->check(where); }

Tensor Distribution::sample(const Shape& shape, Where where) const {
  const Shape drawn = law_->drawn(shape);
  drawn.numel();  // throws if there are too many
  NoGrad none;
  return stop_gradient(expand(had(*law_, law_->rough_sample(drawn), "sample", where), drawn));
}
Tensor Distribution::rsample(const Shape& shape, Where where) const {
  const Shape drawn = law_->drawn(shape);
  drawn.numel();
  if (!law_->smooth) throw Error(law_->name + ": has no reparameterised sample", where);
  return expand(had(*law_, law_->smooth_sample(drawn), "reparameterised sample", where), drawn);
}

Tensor Distribution::log_prob(const Operand& value) const {
  const Tensor x = as_value(*law_, value, "log_prob");
  const Shape shape = shape_at(*law_, x, "log_prob", value);
  return expand(law_->log_density(x), shape, value.where());
}
Tensor Distribution::cdf(const Operand& value) const {
  const Tensor x = as_value(*law_, value, "cdf");
  const Shape shape = shape_at(*law_, x, "cdf", value);
  return expand(had(*law_, law_->below(x), "cdf", value.where()), shape, value.where());
}
Tensor Distribution::icdf(const Operand& probability) const {
  const Tensor p = as_value(*law_, probability, "icdf");
  const Shape shape = shape_at(*law_, p, "icdf", probability);
  const auto f = [&](const Tensor& inside) {
    return had(*law_, law_->at_probability(inside), "icdf", probability.where());
  };
  return expand(unless((p < 0) | (p > 1), p, f, kNaN, 0.5), shape, probability.where());
}

Tensor Distribution::entropy(Where where) const {
  return expand(had(*law_, law_->information(), "entropy", where), law_->batch);
}
Tensor Distribution::mean(Where where) const {
  return expand(had(*law_, law_->average(), "mean", where), law_->drawn({}));
}
Tensor Distribution::variance(Where where) const {
  return expand(had(*law_, law_->spread(), "variance", where), law_->drawn({}));
}
Tensor Distribution::stddev(Where where) const { return sqrt(variance(where)); }
Tensor Distribution::mode(Where where) const {
  return expand(had(*law_, law_->peak(), "mode", where), law_->drawn({}));
}

Tensor kl_estimate(const Distribution& p, const Distribution& q, int64_t samples, Where where) {
  if (samples < 1)
    throw ValueError(fmt::format("kl_estimate: {} samples, not 1 or more", samples), where);
  const Tensor x = p.has_rsample() ? p.rsample({samples}, where) : p.sample({samples}, where);
  return mean(p.log_prob(x) - q.log_prob(x), {0}, false, where);
}

// ---- Shapes ----

Shape joined(const Shape& front, const Shape& back) {
  Shape out = front;
  for (int64_t size : back) out.push_back(size);
  return out;
}
Shape front_of(const Shape& shape, int count) {
  return Shape(shape.span().first(static_cast<size_t>(shape.rank() - count)));
}
Tensor behind(const Tensor& x, int count) {
  return count == 0 ? x : reshape(x, joined(x.shape(), Shape::filled(count, 1)));
}
Tensor sum_last(const Tensor& x, int count) {
  if (count == 0) return x;
  Axes axes;
  for (int i = 0; i < count; ++i) axes.push_back(i - count);
  return sum(x, axes);
}

// ---- Values ----

Tensor unless(const Tensor& outside, const Tensor& x, const std::function<Tensor(const Tensor&)>& f,
              const Operand& otherwise, double inside) {
  return where_safe(logical_not(outside), x, f, otherwise, inside);
}
Tensor no_natural(const Tensor& x) { return (x < 0) | ((x != floor(x)) & logical_not(isnan(x))); }
Tensor times(const Tensor& a, const Tensor& b) {
  const Tensor none = a == 0;
  return where(none, 0, a * where(none, 0, b));
}
Tensor log1p_square(const Tensor& x) {
  const Tensor far = abs(x) > 1, large = where(far, abs(x), 1);
  return 2 * log(large) + log1p(square(where(far, 1 / large, x)));
}
Tensor mvlgamma(const Tensor& a, int64_t p) {
  Tensor sum = lgamma(a);
  for (int64_t i = 1; i < p; ++i) sum = sum + lgamma(a - 0.5 * static_cast<double>(i));
  return sum + 0.25 * static_cast<double>(p * (p - 1)) * std::log(kPi);
}

// ---- Searching and summing ----

Tensor search_natural(const std::function<Tensor(const Tensor&)>& below, const Tensor& p,
                      double first) {
  NoGrad none;
  Tensor reached = cast(below(full(p.shape(), first, kF64)), kF64);
  const Tensor target = expand(cast(p, kF64), reached.shape());
  Tensor low = full(target.shape(), first - 1, kF64), high = full(target.shape(), first, kF64);
  // Steps of twice the size until all are passed; what is never passed is infinite.
  for (double step = 1; step < 0x1p62; step *= 2) {
    const Tensor short_of = reached < target;
    eval({short_of, low, high});
    if (!any(short_of).item<bool>()) break;
    low = where(short_of, high, low);
    high = where(short_of, high + step, high);
    reached = cast(below(high), kF64);
  }
  const Tensor found = reached >= target;
  while (true) {
    const Tensor open = found & (high - low > 1);
    eval({open, low, high});
    if (!any(open).item<bool>()) break;
    const Tensor middle = floor((low + high) / 2);
    const Tensor enough = cast(below(middle), kF64) >= target;
    high = where(open & enough, middle, high);
    low = where(open & logical_not(enough), middle, low);
  }
  return cast(where(isnan(target) | isnan(reached), kNaN, where(found, high, kInf)), p.dtype());
}

Tensor summed_entropy(const Law& law, double last) {
  if (!(last < 1e7)) throw ValueError(fmt::format("{}: the entropy has {} terms", law.name, last));
  Shape shape = Shape::filled(law.batch.rank() + 1, 1);
  shape[0] = static_cast<int64_t>(last) + 1;
  const Tensor k = reshape(arange(0, shape[0], 1, law.dtype), shape);
  const Tensor log_p = law.log_density(k);
  const Tensor inside = log_p > -kInf;
  const Tensor safe = where(inside, log_p, 0);
  return -sum(where(inside, exp(safe) * safe, 0), {0});
}

}  // namespace glia::distributions
