// Distributions made of others.
#include "glia/math/composed.h"

#include <fmt/format.h>

#include "glia/math/continuous.h"
#include "glia/math/discrete.h"
#include "math/distributions/categories.h"
#include "math/distributions/map.h"

namespace glia::distributions {
namespace {

// What samplers of others are asked for: what stands in front of their batch and event.
Shape sample_part(const Shape& drawn, const Law& law) {
  return front_of(drawn, law.batch.rank() + law.event.rank());
}

}  // namespace

// ---- Independent ----

IndependentLaw::IndependentLaw(const Distribution& base, int count, const Where& where)
    : Law("Independent", base.support(), {}), base(base), count(count) {
  const Shape& from = base.batch_shape();
  if (count < 0 || count > from.rank())
    throw ShapeError(
        fmt::format("Independent: {} axes of the batch {} of {}", count, from.str(), base.name()),
        where);
  batch = front_of(from, count);
  event = joined(Shape(from.span().last(static_cast<size_t>(count))), base.event_shape());
  dtype = base.dtype();
  discrete = base.is_discrete();
  smooth = base.has_rsample();
  parameters = base.parameters();
  ranges.assign(parameters.size(), Range::kAny);
}
Tensor IndependentLaw::log_density(const Tensor& x) const {
  return sum_last(base.log_prob(x), count);
}
Tensor IndependentLaw::smooth_sample(const Shape& shape) const {
  return base.rsample(sample_part(shape, base.law()));
}
Tensor IndependentLaw::rough_sample(const Shape& shape) const {
  return base.sample(sample_part(shape, base.law()));
}
Tensor IndependentLaw::information() const { return sum_last(base.entropy(), count); }

// ---- Transformed ----

TransformedLaw::TransformedLaw(const Distribution& base, const std::vector<Transform>& transforms,
                               const char* name, const Where& where)
    : Law(name, Support::kReal, {}), base(base), transforms(transforms) {
  // Transforms that take axes together make them part of the event.
  int needed = 0;
  for (const Transform& t : transforms) needed = std::max(needed, t.domain_rank());
  const int missing = needed - base.event_shape().rank();
  if (missing > 0) this->base = Independent(base, missing, where);
  batch = this->base.batch_shape();
  event = this->base.event_shape();
  dtype = base.dtype();
  for (const Transform& t : transforms) {
    const Shape after = t.map().event_after(event);
    event = after;
    if (const Tensor& s = t.map().slope; s.defined()) {
      dtype = promote(dtype, s.dtype());
      if (event.rank() == 0) batch = broadcast(batch, s.shape());
    }
  }
  discrete = base.is_discrete();
  smooth = base.has_rsample();
  parameters = base.parameters();
  ranges.assign(parameters.size(), Range::kAny);
}
Tensor TransformedLaw::log_density(const Tensor& value) const {
  Tensor y = value, less;
  for (auto t = transforms.rbegin(); t != transforms.rend(); ++t) {
    const Tensor x = t->map().backward(y);
    const Tensor one = sum_last(t->map().log_slope(x, y), event.rank() - t->domain_rank());
    less = less.defined() ? less + one : one;
    y = x;
  }
  const Tensor inside = base.log_prob(y);
  return less.defined() ? inside - less : inside;
}
Tensor TransformedLaw::applied(Tensor x) const {
  for (const Transform& t : transforms) x = t.map().forward(x);
  return x;
}
Shape TransformedLaw::base_sample(const Shape& drawn) const {
  // The batch may be larger than the base's: what it has more is drawn anew.
  return front_of(drawn, event.rank() + base.batch_shape().rank());
}
Tensor TransformedLaw::smooth_sample(const Shape& shape) const {
  return applied(base.rsample(base_sample(shape)));
}
Tensor TransformedLaw::rough_sample(const Shape& shape) const {
  return applied(base.sample(base_sample(shape)));
}
bool TransformedLaw::elementwise() const {
  bool all = event.rank() == 0;
  for (const Transform& t : transforms) all = all && t.domain_rank() == 0;
  return all;
}
// Whether the transforms together fall; undefined if none can.
Tensor TransformedLaw::falls() const {
  Tensor all;
  for (const Transform& t : transforms) {
    if (const Tensor& s = t.map().slope; s.defined()) all = all.defined() ? all * sign(s) : sign(s);
  }
  return all.defined() ? all < 0 : all;
}
Tensor TransformedLaw::below(const Tensor& value) const {
  if (!elementwise()) return {};
  Tensor x = value;
  for (auto t = transforms.rbegin(); t != transforms.rend(); ++t) x = t->map().backward(x);
  const Tensor p = base.cdf(x), f = falls();
  return f.defined() ? where(f, 1 - p, p) : p;
}
Tensor TransformedLaw::at_probability(const Tensor& p) const {
  if (!elementwise()) return {};
  const Tensor f = falls();
  return applied(base.icdf(f.defined() ? where(f, 1 - p, p) : p));
}

// ---- Mixtures ----

namespace {

struct MixtureLaw : Law {
  MixtureLaw(const Distribution& mixture, const Distribution& component, const Where& where)
      : Law("MixtureSameFamily", component.support(), {}), mixture(mixture), component(component) {
    if (mixture.name() != "Categorical")
      throw Error("MixtureSameFamily: the mixture is a " + mixture.name() + ", not a Categorical",
                  where);
    const int64_t k = weights().count();
    const Shape& of = component.batch_shape();
    if (of.rank() == 0 || of.size(-1) != k)
      throw ShapeError(fmt::format("MixtureSameFamily: {} categories for the batch {} of {}", k,
                                   of.str(), component.name()),
                       where);
    batch = broadcast(mixture.batch_shape(), front_of(of, 1));
    event = component.event_shape();
    dtype = promote(component.dtype(), mixture.dtype());
    discrete = component.is_discrete();
    smooth = false;
    for (const auto& p : mixture.parameters()) parameters.push_back(p);
    for (const auto& p : component.parameters()) parameters.push_back(p);
    ranges.assign(parameters.size(), Range::kAny);
  }
  Distribution mixture, component;
  const CategoryLaw& weights() const { return static_cast<const CategoryLaw&>(mixture.law()); }
  // x with the axis of components in front of the event.
  Tensor for_each(const Tensor& x) const { return unsqueeze(x, -1 - event.rank()); }
  // Sums of values (..., K, event) by weight.
  Tensor weighted(const Tensor& x) const {
    return sum(x * behind(weights().probs, event.rank()), {-1 - event.rank()});
  }

  Tensor log_density(const Tensor& x) const override {
    return logsumexp(component.log_prob(for_each(x)) + weights().log_probs, {-1});
  }
  Tensor below(const Tensor& x) const override {
    if (event.rank() > 0) return {};
    return sum(component.cdf(for_each(x)) * weights().probs, {-1});
  }
  Tensor rough_sample(const Shape& shape) const override {
    const Shape rows = front_of(shape, event.rank());
    Shape all = rows;
    all.push_back(weights().count());
    const Tensor index = weights().draw_index(rows);
    const Tensor x = component.sample(front_of(all, component.batch_shape().rank()));
    const Tensor chosen = one_hot(index, weights().count(), kBool);
    return sum(where(behind(chosen, event.rank()), x, 0), {-1 - event.rank()});
  }
  Tensor average() const override { return weighted(component.mean()); }
  Tensor spread() const override {
    const Tensor means = component.mean(), centre = for_each(weighted(means));
    return weighted(component.variance()) + weighted(square(means - centre));
  }
};

}  // namespace

Independent::Independent(const Distribution& base, int reinterpreted_batch_ndims, Where where)
    : Distribution(make<IndependentLaw>(base, reinterpreted_batch_ndims, where)) {}
TransformedDistribution::TransformedDistribution(const Distribution& base,
                                                 const std::vector<Transform>& transforms,
                                                 Where where)
    : Distribution(make<TransformedLaw>(base, transforms, "TransformedDistribution", where)) {}
MixtureSameFamily::MixtureSameFamily(const Distribution& mixture, const Distribution& component,
                                     Where where)
    : Distribution(make<MixtureLaw>(mixture, component, where)) {}
LogisticNormal::LogisticNormal(const Tensor& loc, const Tensor& scale, Where where)
    : Distribution(make<TransformedLaw>(Normal(Operand(loc, where), Operand(scale, where)),
                                        std::vector<Transform>{StickBreakingTransform()},
                                        "LogisticNormal", where)) {}

}  // namespace glia::distributions
