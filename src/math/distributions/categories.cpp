// Distributions of categories.
#include <cmath>

#include "glia/math/discrete.h"
#include "math/distributions/categories.h"
#include "ops/pointwise.h"

namespace glia::distributions {

CategoryLaw::CategoryLaw(const char* name, Support support, const std::vector<Given>& given,
                         bool from_logits, const Where& where)
    : Law(name, support, given) {
  const Tensor x = parameters.back().second;
  if (x.size(-1) == 0) throw ShapeError(this->name + ": no category in " + x.shape().str(), where);
  if (from_logits) {
    log_probs = log_softmax(x, -1);
    probs = softmax(x, -1);
    add("probs", probs, Range::kAny);
  } else {
    probs = x / sum(x, {-1}, true);
    log_probs = log(probs);
    add("logits", log_probs, Range::kAny);
  }
}
Tensor CategoryLaw::own_information() const { return sum(surprise(probs, log_probs), {-1}); }

Tensor CategoryLaw::draw_index(const Shape& shape) const {
  const Tensor ends = cumsum(cast(probs, kF64), -1);
  const Tensor u = unsqueeze(rand(shape, kF64), -1) * slice(ends, -1, {count() - 1});
  return minimum(sum(cast(ends <= u, kI64), {-1}), count() - 1);
}

namespace {

// Names and ranges as users give them.
std::vector<Given> as_given(const Operand& x, bool logits) {
  return {{logits ? "logits" : "probs", &x, logits ? Range::kAny : Range::kNotNegative, 1}};
}

struct CategoricalLaw : CategoryLaw {
  CategoricalLaw(const Operand& x, bool logits)
      : CategoryLaw("Categorical", Support::kNaturals, as_given(x, logits), logits, x.where()) {
    discrete = true;
    smooth = false;
  }
  Tensor log_density(const Tensor& x) const override {
    const Tensor outside = no_natural(x) | (x >= static_cast<double>(count()));
    const Tensor index = cast(where(outside | isnan(x), 0, x), kI64);
    const Shape shape = broadcast(index.shape(), batch);
    Shape rows = shape;
    rows.push_back(count());
    const Tensor at = unsqueeze(expand(index, shape), -1);
    const Tensor log_p = squeeze(gather(expand(log_probs, rows), at, -1), -1);
    return where(outside, -kInf, where(isnan(x), kNaN, log_p));
  }
  Tensor below(const Tensor& x) const override {
    const Tensor k = arange(0, count(), 1, dtype);
    return sum(where(k <= unsqueeze(x, -1), probs, 0), {-1});
  }
  Tensor at_probability(const Tensor& p) const override {
    NoGrad none;
    const Tensor short_of = cumsum(probs, -1) < unsqueeze(p, -1);
    return minimum(sum(cast(short_of, kI64), {-1}), count() - 1);
  }
  Tensor rough_sample(const Shape& shape) const override { return draw_index(shape); }
  Tensor information() const override { return own_information(); }
  Tensor average() const override { return constant(kNaN); }
  Tensor spread() const override { return constant(kNaN); }
  Tensor peak() const override { return argmax(probs, -1); }
};

struct OneHotLaw : CategoryLaw {
  OneHotLaw(const Operand& x, bool logits, bool straight_through)
      : CategoryLaw(straight_through ? "OneHotCategoricalStraightThrough" : "OneHotCategorical",
                    Support::kOneHot, as_given(x, logits), logits, x.where()) {
    discrete = true;
    smooth = straight_through;
    event = {count()};
  }
  Tensor log_density(const Tensor& x) const override {
    const Tensor one = (sum(x, {-1}) == 1) & all((x == 0) | (x == 1), {-1});
    return where(one, sum(times(x, log_probs), {-1}), -kInf);
  }
  Tensor rough_sample(const Shape& shape) const override {
    return one_hot(draw_index(front_of(shape, 1)), count(), dtype);
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return stop_gradient(rough_sample(shape)) + (probs - stop_gradient(probs));
  }
  Tensor information() const override { return own_information(); }
  Tensor average() const override { return probs; }
  Tensor spread() const override { return probs * (1 - probs); }
  Tensor peak() const override { return one_hot(argmax(probs, -1), count(), dtype); }
};

struct RelaxedOneHotLaw : CategoryLaw {
  RelaxedOneHotLaw(const Operand& temperature, const Operand& x, bool logits)
      : CategoryLaw("RelaxedOneHotCategorical", Support::kSimplex,
                    {{"temperature", &temperature, Range::kPositive}, as_given(x, logits)[0]},
                    logits, x.where()) {
    event = {count()};
  }
  Tensor temperature() const { return behind((*this)[0], 1); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor t = temperature(), log_x = log(x), score = log_probs - t * log_x;
    const double k = static_cast<double>(count());
    const Tensor scale = std::lgamma(k) + (k - 1) * log((*this)[0]);
    return scale + sum(log_probs - (t + 1) * log_x, {-1}) - k * logsumexp(score, {-1});
  }
  Tensor smooth_sample(const Shape& shape) const override {
    const Tensor gumbel = cast(-log(-log(open_uniform(shape))), dtype);
    return softmax((log_probs + gumbel) / temperature(), -1);
  }
};

// ---- Multinomial ----

struct MultinomialLaw : CategoryLaw {
  MultinomialLaw(int64_t total, const Operand& x, bool logits)
      : CategoryLaw("Multinomial", Support::kNaturals, as_given(x, logits), logits, x.where()) {
    if (total < 0 || total > int64_t{1} << 53)
      throw ValueError("Multinomial: total_count is " + std::to_string(total), x.where());
    discrete = true;
    smooth = false;
    event = {count()};
    draws = total;
  }
  double n() const { return static_cast<double>(draws); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor fits = (sum(x, {-1}) == n()) & logical_not(any(no_natural(x), {-1}));
    const Tensor k = where(unsqueeze(fits, -1), x, 0);
    return where(fits, std::lgamma(n() + 1) - sum(lgamma(k + 1) - times(k, log_probs), {-1}),
                 -kInf);
  }
  // One category after the other, of what is left.
  Tensor rough_sample(const Shape& shape) const override {
    const Shape rows = front_of(shape, 1);
    const Tensor p = cast(probs, kF64);
    const Tensor left = flip(cumsum(flip(p, {-1}), -1), {-1});
    Tensor rest = full(rows, n(), kF64);
    std::vector<Tensor> counts;
    for (int64_t k = 0; k < count(); ++k) {
      const Tensor all = select(left, k), part = where(all > 0, select(p, k) / all, 0);
      const Tensor one = k + 1 == count() ? rest : binomial_sample(rest, minimum(part, 1), rows);
      counts.push_back(one);
      rest = rest - one;
    }
    return cast(stack(counts, -1), dtype);
  }
  static Tensor select(const Tensor& x, int64_t k) { return squeeze(slice(x, -1, {k, k + 1}), -1); }
  // n H(probs) and what the order of the draws does not tell.
  Tensor information() const override {
    if (draws > 10'000'000) throw ValueError("Multinomial: the entropy has too many terms");
    Shape shape = Shape::filled(probs.rank() + 1, 1);
    shape[0] = draws + 1;
    const Tensor k = reshape(arange(0, draws + 1, 1, dtype), shape), rest = n() - k;
    const Tensor ways = std::lgamma(n() + 1) - lgamma(k + 1) - lgamma(rest + 1);
    const Tensor share = exp(ways + times(k, log_probs) + times(rest, log1p(-probs)));
    return n() * own_information() - std::lgamma(n() + 1) +
           sum(sum(share * lgamma(k + 1), {0}), {-1});
  }
  Tensor average() const override { return probs * n(); }
  Tensor spread() const override { return probs * (1 - probs) * n(); }
};

}  // namespace

Categorical::Categorical(const Tensor& probs, Where where)
    : Distribution(make<CategoricalLaw>(Operand(probs, where), false)) {}
Categorical Categorical::from_logits(const Tensor& logits, Where where) {
  return Categorical(make<CategoricalLaw>(Operand(logits, where), true));
}
OneHotCategorical::OneHotCategorical(const Tensor& probs, Where where)
    : Distribution(make<OneHotLaw>(Operand(probs, where), false, false)) {}
OneHotCategorical OneHotCategorical::from_logits(const Tensor& logits, Where where) {
  return OneHotCategorical(make<OneHotLaw>(Operand(logits, where), true, false));
}
OneHotCategoricalStraightThrough::OneHotCategoricalStraightThrough(const Tensor& probs, Where where)
    : Distribution(make<OneHotLaw>(Operand(probs, where), false, true)) {}
OneHotCategoricalStraightThrough OneHotCategoricalStraightThrough::from_logits(const Tensor& logits,
                                                                               Where where) {
  return OneHotCategoricalStraightThrough(make<OneHotLaw>(Operand(logits, where), true, true));
}
RelaxedOneHotCategorical::RelaxedOneHotCategorical(const Operand& temperature, const Tensor& probs,
                                                   Where where)
    : Distribution(make<RelaxedOneHotLaw>(temperature, Operand(probs, where), false)) {}
RelaxedOneHotCategorical RelaxedOneHotCategorical::from_logits(const Operand& temperature,
                                                               const Tensor& logits, Where where) {
  return RelaxedOneHotCategorical(
      make<RelaxedOneHotLaw>(temperature, Operand(logits, where), true));
}
Multinomial::Multinomial(int64_t total_count, const Tensor& probs, Where where)
    : Distribution(make<MultinomialLaw>(total_count, Operand(probs, where), false)) {}
Multinomial Multinomial::from_logits(int64_t total_count, const Tensor& logits, Where where) {
  return Multinomial(make<MultinomialLaw>(total_count, Operand(logits, where), true));
}

}  // namespace glia::distributions
