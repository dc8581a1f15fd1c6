// Distributions between two numbers.
#include <cmath>

#include "glia/math/continuous.h"
#include "glia/math/special.h"
#include "glia/math/summation.h"
#include "math/distributions/univariate.h"

namespace glia::distributions {

Odds Odds::of(const Tensor& given, bool logits) {
  if (logits) return {sigmoid(given), given, log_sigmoid(given), log_sigmoid(-given)};
  const Tensor log_p = log(given), log_q = log1p(-given);
  return {given, log_p - log_q, log_p, log_q};
}

namespace {

struct UniformLaw : Law {
  UniformLaw(const Operand& low, const Operand& high)
      : Law("Uniform", Support::kInterval, {{"low", &low}, {"high", &high}}) {
    if (low.is_scalar() && high.is_scalar() && !(low.number().value() < high.number().value()))
      throw ValueError(
          "Uniform: low " + low.number().str() + " is not below high " + high.number().str(),
          low.where());
  }
  const Tensor& low() const { return (*this)[0]; }
  const Tensor& high() const { return (*this)[1]; }
  Tensor width() const { return high() - low(); }

  Tensor log_density(const Tensor& x) const override {
    return where((x < low()) | (x > high()), -kInf, where(isnan(x), x, -log(width())));
  }
  Tensor below(const Tensor& x) const override { return clamp((x - low()) / width(), 0, 1); }
  Tensor at_probability(const Tensor& p) const override { return low() + p * width(); }
  Tensor smooth_sample(const Shape& shape) const override {
    return low() + rand(shape, dtype) * width();
  }
  Tensor information() const override { return log(width()); }
  Tensor average() const override { return (low() + high()) / 2; }
  Tensor spread() const override { return square(width()) / 12; }
};

struct TriangularLaw : Law {
  TriangularLaw(const Operand& low, const Operand& high, const Operand& peak)
      : Law("Triangular", Support::kInterval, {{"low", &low}, {"high", &high}, {"peak", &peak}}) {
    if (!low.is_scalar() || !high.is_scalar() || !peak.is_scalar()) return;
    const double l = low.number().value(), h = high.number().value(), p = peak.number().value();
    if (!(l < h && l <= p && p <= h))
      throw ValueError("Triangular: low " + low.number().str() + ", high " + high.number().str() +
                           " and peak " + peak.number().str() + " do not rise",
                       low.where());
  }
  const Tensor& low() const { return (*this)[0]; }
  const Tensor& high() const { return (*this)[1]; }
  const Tensor& top() const { return (*this)[2]; }
  Tensor width() const { return high() - low(); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor outside = (x < low()) | (x > high()), rises = x < top();
    const Tensor side = where(rises, top() - low(), high() - top());
    const Tensor way = where(outside, side, where(rises, x - low(), high() - x));
    const Tensor full = side == 0;  // the peak itself, at an end
    return where(outside, -kInf, log(where(full, 1, way) / where(full, 1, side) * 2 / width()));
  }
  Tensor below(const Tensor& x) const override {
    const Tensor y = minimum(maximum(x, low()), high()), rises = y < top();
    const Tensor side = where(rises, top() - low(), high() - top());
    const Tensor part =
        square(where(rises, y - low(), high() - y)) / (where(side == 0, 1, side) * width());
    return where(rises, part, 1 - part);
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor rises = p * width() < top() - low();
    const Tensor area = where(rises, p * (top() - low()), (1 - p) * (high() - top())) * width();
    const Tensor none = area <= 0;
    const Tensor way = where(none, 0, sqrt(where(none, 1, area)));
    return where(rises, low() + way, high() - way);
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return at_probability(cast(open_uniform(shape), dtype));
  }
  Tensor information() const override { return log(width() / 2) + 0.5; }
  Tensor average() const override { return (low() + high() + top()) / 3; }
  Tensor spread() const override {
    const Tensor c = top() - low(), w = width();
    return (square(w) - c * (w - c)) / 18;
  }
  Tensor peak() const override { return top(); }
};

struct TruncatedNormalLaw : Law {
  TruncatedNormalLaw(const Operand& loc, const Operand& scale, const Operand& low,
                     const Operand& high)
      : Law("TruncatedNormal", Support::kInterval,
            {{"loc", &loc},
             {"scale", &scale, Range::kPositive},
             {"low", &low, Range::kAny},
             {"high", &high, Range::kAny}}) {
    if (low.is_scalar() && high.is_scalar() && !(low.number().value() < high.number().value()))
      throw ValueError("TruncatedNormal: low " + low.number().str() + " is not below high " +
                           high.number().str(),
                       low.where());
  }
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& scale() const { return (*this)[1]; }
  const Tensor& low() const { return (*this)[2]; }
  const Tensor& high() const { return (*this)[3]; }
  Tensor standard(const Tensor& x) const { return (x - loc()) / scale(); }
  Tensor first() const { return standard_end(low()); }
  Tensor last() const { return standard_end(high()); }
  // An infinite one has no gradient.
  Tensor standard_end(const Tensor& x) const {
    const Tensor none = abs(x) == kInf;
    return where(none, x, standard(where(none, 0, x)));
  }

  // log(Phi(b) - Phi(a)) by the tail that both lie in, or from the middle.
  static Tensor log_between(const Tensor& a, const Tensor& b) {
    const Tensor upper = a > 0.7, lower = b < -0.7, middle = logical_not(upper | lower);
    const Tensor far = where(middle, -1, where(upper, -a, b));
    const Tensor near = where(middle, -2, where(upper, -b, a));
    const double root = std::sqrt(0.5);
    const Tensor gap = erf(where(middle, b, 1) * root) - erf(where(middle, a, 0) * root);
    return where(middle, log(gap / 2), logdiffexp(log_ndtr(far), log_ndtr(near)));
  }
  Tensor log_mass() const { return log_between(first(), last()); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor outside = (x < low()) | (x > high());
    const Tensor z = standard(where(outside, loc(), x));
    return where(outside, -kInf, log_normal_density(z) - log(scale()) - log_mass());
  }
  Tensor below(const Tensor& x) const override {
    const Tensor a = first(), b = last(), z = standard(minimum(maximum(x, low()), high()));
    return exp(log_between(a, z) - log_between(a, b));
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor a = first(), b = last(), upper = a > 0;
    const Tensor near = ndtr(where(upper, -a, a)), far = ndtr(where(upper, -b, b));
    const Tensor found = ndtri(near * (1 - p) + far * p);
    const Tensor guess = minimum(maximum(where(upper, -found, found), a), b);
    // A step of Newton's: near 1/2 the sum has lost what a small p is.
    const Tensor density = exp(log_normal_density(guess) - log_mass());
    const Tensor off = (exp(log_between(a, guess) - log_mass()) - p) / density;
    const Tensor usable = isfinite(off) & (abs(off) < 1e-3);
    const Tensor x = loc() + scale() * (guess - stop_gradient(where(usable, off, 0)));
    return minimum(maximum(x, low()), high());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return at_probability(cast(open_uniform(shape), dtype));
  }
  // The density of the standard normal variable at an end, times z^power.
  Tensor end(const Tensor& z, bool times_z) const {
    const Tensor none = abs(z) == kInf, safe = where(none, 0, z);
    const Tensor density = exp(log_normal_density(safe) - log_mass());
    return where(none, 0, times_z ? safe * density : density);
  }
  Tensor shift() const { return end(first(), false) - end(last(), false); }
  Tensor turn() const { return end(first(), true) - end(last(), true); }
  Tensor information() const override {
    return 0.5 + kHalfLog2Pi + log(scale()) + log_mass() + turn() / 2;
  }
  Tensor average() const override { return loc() + scale() * shift(); }
  Tensor spread() const override { return square(scale()) * (1 + turn() - square(shift())); }
  Tensor peak() const override { return minimum(maximum(loc(), low()), high()); }
};

// ---- On [0, 1] ----

struct BetaLaw : Law {
  BetaLaw(const Operand& c1, const Operand& c0)
      : Law("Beta", Support::kUnit,
            {{"concentration1", &c1, Range::kPositive},
             {"concentration0", &c0, Range::kPositive}}) {}
  const Tensor& a() const { return (*this)[0]; }
  const Tensor& b() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    return unless((x < 0) | (x > 1), x,
                  [&](const Tensor& y) {
                    return xlogy(a() - 1, y) + xlog1py(b() - 1, -y) - betaln(a(), b());
                  },
                  -kInf, 0.5);
  }
  Tensor below(const Tensor& x) const override { return betainc(a(), b(), clamp(x, 0, 1)); }
  Tensor at_probability(const Tensor& p) const override { return betaincinv(a(), b(), p); }
  Tensor smooth_sample(const Shape& shape) const override {
    return sigmoid(log_gamma_sample(a(), shape) - log_gamma_sample(b(), shape));
  }
  Tensor information() const override {
    return betaln(a(), b()) - (a() - 1) * digamma(a()) - (b() - 1) * digamma(b()) +
           (a() + b() - 2) * digamma(a() + b());
  }
  Tensor average() const override { return a() / (a() + b()); }
  Tensor spread() const override {
    const Tensor all = a() + b();
    return a() / all * (b() / all) / (all + 1);
  }
  Tensor peak() const override {
    const Tensor m = clamp_min(a() - 1, 0), n = clamp_min(b() - 1, 0);
    const Tensor edges = (a() < 1) & (b() < 1);
    return where(edges, cast(a() >= b(), dtype), m / (m + n));
  }
};

struct KumaraswamyLaw : Law {
  KumaraswamyLaw(const Operand& c1, const Operand& c0)
      : Law("Kumaraswamy", Support::kUnit,
            {{"concentration1", &c1, Range::kPositive},
             {"concentration0", &c0, Range::kPositive}}) {}
  const Tensor& a() const { return (*this)[0]; }
  const Tensor& b() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    return unless((x < 0) | (x > 1), x,
                  [&](const Tensor& y) {
                    return log(a() * b()) + xlogy(a() - 1, y) + xlog1py(b() - 1, -pow(y, a()));
                  },
                  -kInf, 0.5);
  }
  Tensor below(const Tensor& x) const override {
    return -expm1(b() * log1p(-pow(clamp(x, 0, 1), a())));
  }
  Tensor at_probability(const Tensor& p) const override {
    return pow(-expm1(log1p(-p) / b()), 1 / a());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return cast(pow(-expm1(log(open_uniform(shape)) / cast(b(), kF64)), 1 / cast(a(), kF64)),
                dtype);
  }
  // E x^n.
  Tensor moment(double n) const { return b() * exp(betaln(1 + n / a(), b())); }
  Tensor information() const override {
    return (1 - 1 / b()) + (1 - 1 / a()) * (digamma(b() + 1) + kEuler) - log(a() * b());
  }
  Tensor average() const override { return moment(1); }
  Tensor spread() const override { return moment(2) - square(moment(1)); }
  Tensor peak() const override {
    const Tensor none = (a() < 1) | (b() < 1) | ((a() == 1) & (b() == 1));
    const Tensor safe = where(none, 2, a());
    return where(none, kNaN, pow((safe - 1) / (safe * where(none, 2, b()) - 1), 1 / safe));
  }
};

struct ContinuousBernoulliLaw : Law {
  ContinuousBernoulliLaw(const Operand& given, bool logits)
      : Law("ContinuousBernoulli", Support::kUnit,
            {{logits ? "logits" : "probs", &given, logits ? Range::kReal : Range::kOpenUnit}}),
        odds(Odds::of((*this)[0], logits)) {
    if (logits)
      add("probs", odds.probs, Range::kAny);
    else
      add("logits", odds.logits, Range::kAny);
  }
  Odds odds;

  // f(logits), and its series in the square of the logits where these are small.
  Tensor near(double first, double second, double third,
              const std::function<Tensor(const Tensor&)>& f) const {
    const Tensor small = abs(odds.logits) < 0.02;
    const Tensor z = square(where(small, odds.logits, 0));
    return where(small, first + z * (second + z * third), f(where(small, 1, odds.logits)));
  }
  Tensor log_constant() const {
    return near(std::log(2.0), 1.0 / 12, -7.0 / 1440,
                [](const Tensor& l) { return log(l / tanh(l / 2)); });
  }
  Tensor log_density(const Tensor& x) const override {
    return unless((x < 0) | (x > 1), x,
                  [&](const Tensor& y) {
                    return times(y, odds.log_p) + times(1 - y, odds.log_q) + log_constant();
                  },
                  -kInf, 0.5);
  }
  Tensor below(const Tensor& x) const override {
    const Tensor y = clamp(x, 0, 1), none = odds.logits == 0, up = odds.logits > 0;
    const Tensor l = where(none, 1, abs(odds.logits));
    // e^(l y) grows: from the upper end it does not.
    const Tensor rises = exp(l * (y - 1)) * expm1(-l * y) / expm1(-l);
    return where(none, y, where(up, rises, expm1(-l * y) / expm1(-l)));
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor none = odds.logits == 0, l = where(none, 1, odds.logits), steep = l > 500;
    const Tensor usual = log1p(p * expm1(where(steep, 1, l))) / l;
    const Tensor rises = 1 + log(p + (1 - p) * exp(-where(steep, l, 1))) / l;
    return where(none, p, where(steep, rises, usual));
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return at_probability(cast(open_uniform(shape), dtype));
  }
  Tensor information() const override {
    const Tensor m = average();
    return -(times(m, odds.log_p) + times(1 - m, odds.log_q) + log_constant());
  }
  Tensor average() const override {
    const Tensor small = abs(odds.logits) < 0.02, l = where(small, odds.logits, 0);
    const Tensor large = where(small, 1, odds.logits);
    return where(small, 0.5 + l * (1.0 / 12 - square(l) / 720), -1 / expm1(-large) - 1 / large);
  }
  Tensor spread() const override {
    return near(1.0 / 12, -1.0 / 240, 1.0 / 6048,
                [](const Tensor& l) { return 1 / square(l) - 0.25 / square(sinh(l / 2)); });
  }
  Tensor peak() const override { return cast(odds.logits > 0, dtype); }
};

struct RelaxedBernoulliLaw : Law {
  RelaxedBernoulliLaw(const Operand& temperature, const Operand& given, bool logits)
      : Law("RelaxedBernoulli", Support::kUnit,
            {{"temperature", &temperature, Range::kPositive},
             {logits ? "logits" : "probs", &given, logits ? Range::kReal : Range::kUnit}}),
        logits(Odds::of((*this)[1], logits).logits) {}
  Tensor logits;
  const Tensor& temperature() const { return (*this)[0]; }

  Tensor log_density(const Tensor& x) const override {
    return unless((x < 0) | (x > 1), x,
                  [&](const Tensor& y) {
                    const Tensor log_y = log(y), log_rest = log1p(-y);
                    const Tensor far = logits - temperature() * (log_y - log_rest), size = abs(far);
                    return log(temperature()) - size - 2 * log1p(exp(-size)) - log_y - log_rest;
                  },
                  -kInf, 0.5);
  }
  Tensor below(const Tensor& x) const override {
    const Tensor y = clamp(x, 0, 1);
    return sigmoid(temperature() * (log(y) - log1p(-y)) - logits);
  }
  Tensor at_probability(const Tensor& p) const override {
    return sigmoid((logits + log(p) - log1p(-p)) / temperature());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    const Tensor u = open_uniform(shape);
    return sigmoid((logits + cast(log(u) - log1p(-u), dtype)) / temperature());
  }
};

}  // namespace

Uniform::Uniform(const Operand& low, const Operand& high)
    : Distribution(make<UniformLaw>(low, high)) {}
Triangular::Triangular(const Operand& low, const Operand& high, const Operand& peak)
    : Distribution(make<TriangularLaw>(low, high, peak)) {}
TruncatedNormal::TruncatedNormal(const Operand& loc, const Operand& scale, const Operand& low,
                                 const Operand& high)
    : Distribution(make<TruncatedNormalLaw>(loc, scale, low, high)) {}
Beta::Beta(const Operand& concentration1, const Operand& concentration0)
    : Distribution(make<BetaLaw>(concentration1, concentration0)) {}
Kumaraswamy::Kumaraswamy(const Operand& concentration1, const Operand& concentration0)
    : Distribution(make<KumaraswamyLaw>(concentration1, concentration0)) {}
ContinuousBernoulli::ContinuousBernoulli(const Operand& probs)
    : Distribution(make<ContinuousBernoulliLaw>(probs, false)) {}
ContinuousBernoulli ContinuousBernoulli::from_logits(const Operand& logits) {
  return ContinuousBernoulli(make<ContinuousBernoulliLaw>(logits, true));
}
RelaxedBernoulli::RelaxedBernoulli(const Operand& temperature, const Operand& probs)
    : Distribution(make<RelaxedBernoulliLaw>(temperature, probs, false)) {}
RelaxedBernoulli RelaxedBernoulli::from_logits(const Operand& temperature, const Operand& logits) {
  return RelaxedBernoulli(make<RelaxedBernoulliLaw>(temperature, logits, true));
}

}  // namespace glia::distributions
