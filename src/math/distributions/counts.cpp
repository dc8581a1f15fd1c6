// Distributions of whole numbers.
#include <cmath>

#include "glia/math/discrete.h"
#include "glia/math/special.h"
#include "math/distributions/univariate.h"
#include "math/special_functions.h"
#include "ops/pointwise.h"

namespace glia::distributions {
namespace {

double largest(const Tensor& x) { return x.numel() == 0 ? 0 : max(cast(x, kF64)).item(); }

// Laws whose last parameter is a probability or a logit.
struct OddsLaw : Law {
  OddsLaw(const char* name, Support support, const Operand& odds_given, bool logits, Range range,
          const Operand* count = nullptr, Range count_range = Range::kNaturals)
      : Law(name, support,
            with_count(count, count_range,
                       {logits ? "logits" : "probs", &odds_given, logits ? Range::kReal : range})) {
    smooth = false;
    discrete = true;
    odds = Odds::of(parameters.back().second, logits);
    add(logits ? "probs" : "logits", logits ? odds.probs : odds.logits, Range::kAny);
  }
  Odds odds;
  const Tensor& count() const { return (*this)[0]; }

 private:
  static std::vector<Given> with_count(const Operand* count, Range range, const Given& last) {
    if (!count) return {last};
    return {{"total_count", count, range}, last};
  }
};

// ---- Bernoulli and Geometric ----

struct BernoulliLaw : OddsLaw {
  BernoulliLaw(const Operand& given, bool logits)
      : OddsLaw("Bernoulli", Support::kBoolean, given, logits, Range::kUnit) {}

  Tensor log_density(const Tensor& x) const override {
    return where(x == 1, odds.log_p, where(x == 0, odds.log_q, where(isnan(x), x, -kInf)));
  }
  Tensor below(const Tensor& x) const override {
    return where(x < 0, 0, where(x < 1, 1 - odds.probs, where(isnan(x), x, 1)));
  }
  Tensor at_probability(const Tensor& p) const override {
    NoGrad none;
    return where(isnan(p), p, cast(p > 1 - odds.probs, dtype));
  }
  Tensor rough_sample(const Shape& shape) const override {
    return cast(rand(shape, kF64) < cast(odds.probs, kF64), dtype);
  }
  Tensor information() const override {
    return surprise(odds.probs, odds.log_p) + surprise(1 - odds.probs, odds.log_q);
  }
  Tensor average() const override { return odds.probs; }
  Tensor spread() const override { return odds.probs * (1 - odds.probs); }
  Tensor peak() const override {
    NoGrad none;
    return where(odds.probs == 0.5, kNaN, cast(odds.probs > 0.5, dtype));
  }
};

struct GeometricLaw : OddsLaw {
  GeometricLaw(const Operand& given, bool logits)
      : OddsLaw("Geometric", Support::kNaturals, given, logits, Range::kUnit) {}
  void check(const Where& where) const override {
    OddsLaw::check(where);
    if (odds.probs.numel() > 0 && min(odds.probs).item() <= 0)
      throw ValueError("Geometric: probs is 0", where);
  }

  Tensor log_density(const Tensor& x) const override {
    return unless(no_natural(x), x,
                  [&](const Tensor& y) { return times(y, odds.log_q) + odds.log_p; });
  }
  Tensor below(const Tensor& x) const override {
    return -expm1(times(floor(clamp_min(x, -1)) + 1, odds.log_q));
  }
  Tensor at_probability(const Tensor& p) const override {
    NoGrad none;
    return clamp_min(ceil(log1p(-p) / odds.log_q) - 1, 0);
  }
  Tensor rough_sample(const Shape& shape) const override {
    return cast(floor(log(open_uniform(shape)) / cast(odds.log_q, kF64)), dtype);
  }
  Tensor information() const override {
    return (surprise(odds.probs, odds.log_p) + surprise(1 - odds.probs, odds.log_q)) / odds.probs;
  }
  Tensor average() const override { return (1 - odds.probs) / odds.probs; }
  Tensor spread() const override { return (1 - odds.probs) / square(odds.probs); }
  Tensor peak() const override { return constant(0); }
};

// ---- Binomial and its relatives ----

struct BinomialLaw : OddsLaw {
  BinomialLaw(const Operand& count, const Operand& given, bool logits)
      : OddsLaw("Binomial", Support::kNaturals, given, logits, Range::kUnit, &count) {}

  Tensor log_density(const Tensor& x) const override {
    return outside_or(x, [&](const Tensor& k) {
      const Tensor rest = count() - k;
      return times(k, odds.log_p) + times(rest, odds.log_q) - log(count() + 1) -
             betaln(rest + 1, k + 1);
    });
  }
  Tensor outside_or(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) const {
    return unless(no_natural(x) | (x > count()), x, f, -kInf, 0);
  }
  Tensor below(const Tensor& x) const override {
    const Tensor k = floor(x), before = k < 0, behind = k >= count();
    const Tensor safe = where(before | behind, 0, k);
    const Tensor rest = where(before | behind, 1, count() - safe);
    return where(before, 0, where(behind, 1, betainc(rest, safe + 1, 1 - odds.probs)));
  }
  Tensor at_probability(const Tensor& p) const override {
    return search_natural([this](const Tensor& k) { return below(k); }, p, 0);
  }
  Tensor rough_sample(const Shape& shape) const override {
    return binomial_sample(count(), odds.probs, shape);
  }
  Tensor information() const override { return summed_entropy(*this, largest(count())); }
  Tensor average() const override { return count() * odds.probs; }
  Tensor spread() const override { return count() * odds.probs * (1 - odds.probs); }
  Tensor peak() const override {
    NoGrad none;
    return minimum(floor((count() + 1) * odds.probs), count());
  }
};

struct NegativeBinomialLaw : OddsLaw {
  NegativeBinomialLaw(const Operand& count, const Operand& given, bool logits)
      : OddsLaw("NegativeBinomial", Support::kNaturals, given, logits, Range::kUnit, &count,
                Range::kNotNegative) {}
  Tensor ratio() const { return exp(odds.logits); }  // p / (1 - p)

  Tensor log_density(const Tensor& x) const override {
    return unless(no_natural(x), x, [&](const Tensor& k) {
      const Tensor first = k == 0, safe = where(first, 1, k);
      // Gamma(r + k) / (k! Gamma(r)).
      const Tensor ways = where(first, 0, -betaln(count(), safe) - log(safe));
      return times(count(), odds.log_q) + times(k, odds.log_p) + ways;
    });
  }
  Tensor below(const Tensor& x) const override {
    const Tensor k = floor(x);
    return unless(
        k < 0, k, [&](const Tensor& y) { return betainc(count(), y + 1, 1 - odds.probs); }, 0);
  }
  Tensor at_probability(const Tensor& p) const override {
    return search_natural([this](const Tensor& k) { return below(k); }, p, 0);
  }
  Tensor rough_sample(const Shape& shape) const override {
    return poisson_sample(exp(log_gamma_sample(count(), shape)) * ratio(), shape);
  }
  Tensor information() const override {
    const double most = largest(average() + 50 * sqrt(spread())) + 100;
    return summed_entropy(*this, std::ceil(most));
  }
  Tensor average() const override { return count() * ratio(); }
  Tensor spread() const override { return count() * ratio() * (1 + ratio()); }
  Tensor peak() const override {
    NoGrad none;
    return clamp_min(floor((count() - 1) * ratio()), 0);
  }
};

struct BetaBinomialLaw : Law {
  BetaBinomialLaw(const Operand& count, const Operand& c1, const Operand& c0)
      : Law("BetaBinomial", Support::kNaturals,
            {{"total_count", &count, Range::kNaturals},
             {"concentration1", &c1, Range::kPositive},
             {"concentration0", &c0, Range::kPositive}}) {
    smooth = false;
    discrete = true;
  }
  const Tensor& count() const { return (*this)[0]; }
  const Tensor& a() const { return (*this)[1]; }
  const Tensor& b() const { return (*this)[2]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(
        no_natural(x) | (x > count()), x,
        [&](const Tensor& k) {
          const Tensor rest = count() - k;
          return betaln(k + a(), rest + b()) - betaln(a(), b()) - log(count() + 1) -
                 betaln(rest + 1, k + 1);
        },
        -kInf, 0);
  }
  Tensor below(const Tensor& x) const override {
    Shape shape = Shape::filled(std::max(x.rank(), batch.rank()) + 1, 1);
    shape[0] = static_cast<int64_t>(largest(count())) + 1;
    const Tensor k = reshape(arange(0, shape[0], 1, x.dtype()), shape);
    return sum(where(k <= x, exp(log_density(k)), 0), {0});
  }
  Tensor at_probability(const Tensor& p) const override {
    return search_natural([this](const Tensor& k) { return below(k) + 1e-15; }, p, 0);
  }
  Tensor rough_sample(const Shape& shape) const override {
    const Tensor p = sigmoid(log_gamma_sample(a(), shape) - log_gamma_sample(b(), shape));
    return binomial_sample(count(), p, shape);
  }
  Tensor information() const override { return summed_entropy(*this, largest(count())); }
  Tensor average() const override { return count() * a() / (a() + b()); }
  Tensor spread() const override {
    const Tensor all = a() + b();
    return count() * a() / all * (b() / all) * (all + count()) / (all + 1);
  }
};

// ---- Poisson and Skellam ----

struct PoissonLaw : Law {
  explicit PoissonLaw(const Operand& rate)
      : Law("Poisson", Support::kNaturals, {{"rate", &rate, Range::kNotNegative}}) {
    smooth = false;
    discrete = true;
  }
  const Tensor& rate() const { return (*this)[0]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(no_natural(x), x,
                  [&](const Tensor& k) { return xlogy(k, rate()) - rate() - lgamma(k + 1); });
  }
  Tensor below(const Tensor& x) const override {
    const Tensor k = floor(x);
    return unless(
        k < 0, k, [&](const Tensor& y) { return gammaincc(y + 1, rate()); }, 0);
  }
  Tensor at_probability(const Tensor& p) const override {
    return search_natural([this](const Tensor& k) { return below(k); }, p, 0);
  }
  Tensor rough_sample(const Shape& shape) const override { return poisson_sample(rate(), shape); }
  Tensor information() const override {
    const double most = largest(rate());
    return summed_entropy(*this, std::ceil(most + 50 * std::sqrt(most) + 100));
  }
  Tensor average() const override { return rate(); }
  Tensor spread() const override { return rate(); }
  Tensor peak() const override { return floor(rate()); }
};

const Op kSkellamBelow{.name = "skellam_below",
                       .kind = Kind::kKernel,
                       .run = Pointwise<special::skellam_below>::run,
                       .batch = batch_each};
const RegisterOp registered(kSkellamBelow);

struct SkellamLaw : Law {
  SkellamLaw(const Operand& rate1, const Operand& rate2)
      : Law("Skellam", Support::kIntegers,
            {{"rate1", &rate1, Range::kPositive}, {"rate2", &rate2, Range::kPositive}}) {
    smooth = false;
    discrete = true;
  }
  const Tensor& rate1() const { return (*this)[0]; }
  const Tensor& rate2() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    const Tensor broken = (x != floor(x)) & logical_not(isnan(x));
    return unless(broken, x, [&](const Tensor& k) {
      const Tensor middle = 2 * sqrt(rate1() * rate2());
      return log_iv(k, middle) + k / 2 * (log(rate1()) - log(rate2())) - rate1() - rate2();
    });
  }
  Tensor below(const Tensor& x) const override {
    const Operand k = x, first = rate1(), second = rate2();
    return record_each(kSkellamBelow, {&k, &first, &second});
  }
  Tensor at_probability(const Tensor& p) const override {
    // From where the probability is nothing.
    const double first = -(largest(rate2()) + 50 * std::sqrt(largest(rate2())) + 100);
    const Tensor found =
        search_natural([this](const Tensor& k) { return below(k); }, p, std::floor(first));
    return where(p == 0, -kInf, found);
  }
  Tensor rough_sample(const Shape& shape) const override {
    return poisson_sample(rate1(), shape) - poisson_sample(rate2(), shape);
  }
  Tensor average() const override { return rate1() - rate2(); }
  Tensor spread() const override { return rate1() + rate2(); }
};

}  // namespace

Bernoulli::Bernoulli(const Operand& probs) : Distribution(make<BernoulliLaw>(probs, false)) {}
Bernoulli Bernoulli::from_logits(const Operand& logits) {
  return Bernoulli(make<BernoulliLaw>(logits, true));
}
Binomial::Binomial(const Operand& total_count, const Operand& probs)
    : Distribution(make<BinomialLaw>(total_count, probs, false)) {}
Binomial Binomial::from_logits(const Operand& total_count, const Operand& logits) {
  return Binomial(make<BinomialLaw>(total_count, logits, true));
}
NegativeBinomial::NegativeBinomial(const Operand& total_count, const Operand& probs)
    : Distribution(make<NegativeBinomialLaw>(total_count, probs, false)) {}
NegativeBinomial NegativeBinomial::from_logits(const Operand& total_count, const Operand& logits) {
  return NegativeBinomial(make<NegativeBinomialLaw>(total_count, logits, true));
}
Geometric::Geometric(const Operand& probs) : Distribution(make<GeometricLaw>(probs, false)) {}
Geometric Geometric::from_logits(const Operand& logits) {
  return Geometric(make<GeometricLaw>(logits, true));
}
Poisson::Poisson(const Operand& rate) : Distribution(make<PoissonLaw>(rate)) {}
Skellam::Skellam(const Operand& rate1, const Operand& rate2)
    : Distribution(make<SkellamLaw>(rate1, rate2)) {}
BetaBinomial::BetaBinomial(const Operand& total_count, const Operand& concentration1,
                           const Operand& concentration0)
    : Distribution(make<BetaBinomialLaw>(total_count, concentration1, concentration0)) {}

}  // namespace glia::distributions
