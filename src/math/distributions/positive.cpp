// Distributions from 0 on.
#include <cmath>

#include "glia/math/continuous.h"
#include "glia/math/special.h"
#include "math/distributions/univariate.h"

namespace glia::distributions {

// ---- Gamma ----

Tensor GammaLaw::log_density(const Tensor& x) const {
  const Tensor &a = concentration(), &r = rate();
  return unless(x < 0, x,
                [&](const Tensor& y) { return a * log(r) + xlogy(a - 1, y) - r * y - lgamma(a); });
}
Tensor GammaLaw::below(const Tensor& x) const {
  return gammainc(concentration(), rate() * clamp_min(x, 0));
}
Tensor GammaLaw::at_probability(const Tensor& p) const {
  return gammaincinv(concentration(), p) / rate();
}
Tensor GammaLaw::smooth_sample(const Shape& shape) const {
  return exp(log_gamma_sample(concentration(), shape)) / rate();
}
Tensor GammaLaw::information() const {
  const Tensor& a = concentration();
  return a - log(rate()) + lgamma(a) + (1 - a) * digamma(a);
}

namespace {

struct Chi2Law : GammaLaw {
  explicit Chi2Law(const Operand& df)
      : Chi2Law(Law("Chi2", Support::kPositive, {{"df", &df, Range::kPositive}})) {}

 private:
  explicit Chi2Law(const Law& given) : GammaLaw(given[0] / 2, full({}, 0.5, given.dtype), "Chi2") {
    add("df", given[0], Range::kPositive);
  }
};

struct InverseGammaLaw : Law {
  InverseGammaLaw(const Operand& concentration, const Operand& rate)
      : Law("InverseGamma", Support::kPositive,
            {{"concentration", &concentration, Range::kPositive},
             {"rate", &rate, Range::kPositive}}) {}
  const Tensor& a() const { return (*this)[0]; }
  const Tensor& b() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x <= 0, x, [&](const Tensor& y) {
      return a() * log(b()) - lgamma(a()) - (a() + 1) * log(y) - b() / y;
    });
  }
  Tensor below(const Tensor& x) const override {
    return unless(
        x <= 0, x, [&](const Tensor& y) { return gammaincc(a(), b() / y); }, 0);
  }
  Tensor at_probability(const Tensor& p) const override { return b() / gammainccinv(a(), p); }
  Tensor smooth_sample(const Shape& shape) const override {
    return b() * exp(-log_gamma_sample(a(), shape));
  }
  Tensor information() const override {
    return a() + log(b()) + lgamma(a()) - (1 + a()) * digamma(a());
  }
  Tensor average() const override {
    const Tensor heavy = a() <= 1;
    return where(heavy, kInf, b() / (where(heavy, 2, a()) - 1));
  }
  Tensor spread() const override {
    const Tensor heavy = a() <= 2, safe = where(heavy, 3, a());
    return where(heavy, kInf, square(b() / (safe - 1)) / (safe - 2));
  }
  Tensor peak() const override { return b() / (a() + 1); }
};

struct ExponentialLaw : Law {
  explicit ExponentialLaw(const Operand& rate)
      : Law("Exponential", Support::kPositive, {{"rate", &rate, Range::kPositive}}) {}
  const Tensor& rate() const { return (*this)[0]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x < 0, x, [&](const Tensor& y) { return log(rate()) - rate() * y; });
  }
  Tensor below(const Tensor& x) const override { return -expm1(-rate() * clamp_min(x, 0)); }
  Tensor at_probability(const Tensor& p) const override { return -log1p(-p) / rate(); }
  Tensor smooth_sample(const Shape& shape) const override {
    return cast(-log(open_uniform(shape)), dtype) / rate();
  }
  Tensor information() const override { return 1 - log(rate()); }
  Tensor average() const override { return 1 / rate(); }
  Tensor spread() const override { return 1 / square(rate()); }
  Tensor peak() const override { return constant(0); }
};

// ---- Halves ----

struct HalfNormalLaw : Law {
  explicit HalfNormalLaw(const Operand& scale)
      : Law("HalfNormal", Support::kPositive, {{"scale", &scale, Range::kPositive}}) {}
  const Tensor& scale() const { return (*this)[0]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x < 0, x, [&](const Tensor& y) {
      return log_normal_density(y / scale()) + std::log(2.0) - log(scale());
    });
  }
  Tensor below(const Tensor& x) const override {
    return erf(clamp_min(x, 0) / (scale() * std::sqrt(2.0)));
  }
  Tensor at_probability(const Tensor& p) const override {
    return scale() * std::sqrt(2.0) * erfinv(p);
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return scale() * abs(randn(shape, dtype));
  }
  Tensor information() const override { return log(scale()) + 0.5 * std::log(kPi / 2) + 0.5; }
  Tensor average() const override { return scale() * std::sqrt(2 / kPi); }
  Tensor spread() const override { return square(scale()) * (1 - 2 / kPi); }
  Tensor peak() const override { return constant(0); }
};

struct HalfCauchyLaw : Law {
  explicit HalfCauchyLaw(const Operand& scale)
      : Law("HalfCauchy", Support::kPositive, {{"scale", &scale, Range::kPositive}}) {}
  const Tensor& scale() const { return (*this)[0]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x < 0, x, [&](const Tensor& y) {
      return std::log(2 / kPi) - log(scale()) - log1p_square(y / scale());
    });
  }
  Tensor below(const Tensor& x) const override {
    return atan(clamp_min(x, 0) / scale()) * (2 / kPi);
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor far = p > 0.5;
    return scale() *
           where(far, 1 / tan(kPi / 2 * (1 - where(far, p, 0.5))), tan(kPi / 2 * where(far, 0, p)));
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return scale() * cast(tan(kPi / 2 * open_uniform(shape)), dtype);
  }
  Tensor information() const override { return log(scale()) + std::log(2 * kPi); }
  Tensor average() const override { return constant(kInf); }
  Tensor spread() const override { return constant(kInf); }
  Tensor peak() const override { return constant(0); }
};

// ---- Functions of others ----

struct LogNormalLaw : Law {
  LogNormalLaw(const Operand& loc, const Operand& scale)
      : Law("LogNormal", Support::kPositive, {{"loc", &loc}, {"scale", &scale, Range::kPositive}}) {
  }
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& scale() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x <= 0, x, [&](const Tensor& y) {
      const Tensor l = log(y);
      return log_normal_density((l - loc()) / scale()) - log(scale()) - l;
    });
  }
  Tensor below(const Tensor& x) const override {
    return unless(
        x <= 0, x, [&](const Tensor& y) { return ndtr((log(y) - loc()) / scale()); }, 0);
  }
  Tensor at_probability(const Tensor& p) const override { return exp(loc() + scale() * ndtri(p)); }
  Tensor smooth_sample(const Shape& shape) const override {
    return exp(loc() + scale() * randn(shape, dtype));
  }
  Tensor information() const override { return loc() + 0.5 + kHalfLog2Pi + log(scale()); }
  Tensor average() const override { return exp(loc() + square(scale()) / 2); }
  Tensor spread() const override {
    return expm1(square(scale())) * exp(2 * loc() + square(scale()));
  }
  Tensor peak() const override { return exp(loc() - square(scale())); }
};

struct WeibullLaw : Law {
  WeibullLaw(const Operand& scale, const Operand& concentration)
      : Law("Weibull", Support::kPositive,
            {{"scale", &scale, Range::kPositive},
             {"concentration", &concentration, Range::kPositive}}) {}
  const Tensor& scale() const { return (*this)[0]; }
  const Tensor& k() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x < 0, x, [&](const Tensor& y) {
      const Tensor z = y / scale();
      return log(k() / scale()) + xlogy(k() - 1, z) - pow(z, k());
    });
  }
  Tensor below(const Tensor& x) const override {
    return unless(
        x <= 0, x, [&](const Tensor& y) { return -expm1(-pow(y / scale(), k())); }, 0);
  }
  Tensor at_probability(const Tensor& p) const override {
    return scale() * pow(-log1p(-p), 1 / k());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return scale() * exp(cast(log(-log(open_uniform(shape))), dtype) / k());
  }
  Tensor information() const override { return kEuler * (1 - 1 / k()) + log(scale() / k()) + 1; }
  Tensor average() const override { return scale() * exp(lgamma(1 + 1 / k())); }
  Tensor spread() const override {
    const Tensor first = lgamma(1 + 1 / k());
    return square(scale()) * exp(2 * first) * expm1(lgamma(1 + 2 / k()) - 2 * first);
  }
  Tensor peak() const override {
    const Tensor flat = k() <= 1, safe = where(flat, 2, k());
    return where(flat, 0, scale() * pow(1 - 1 / safe, 1 / safe));
  }
};

struct ParetoLaw : Law {
  ParetoLaw(const Operand& scale, const Operand& alpha)
      : Law("Pareto", Support::kInterval,
            {{"scale", &scale, Range::kPositive}, {"alpha", &alpha, Range::kPositive}}) {}
  const Tensor& scale() const { return (*this)[0]; }
  const Tensor& alpha() const { return (*this)[1]; }

  Tensor log_density(const Tensor& x) const override {
    const Tensor outside = x < scale();
    const Tensor y = where(outside, scale(), x);
    return where(outside, -kInf, log(alpha()) + alpha() * log(scale()) - (alpha() + 1) * log(y));
  }
  Tensor below(const Tensor& x) const override {
    return -expm1(-alpha() * log1p((maximum(x, scale()) - scale()) / scale()));
  }
  Tensor at_probability(const Tensor& p) const override {
    return scale() * exp(-log1p(-p) / alpha());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return scale() * exp(cast(-log(open_uniform(shape)), dtype) / alpha());
  }
  Tensor information() const override { return log(scale() / alpha()) + 1 + 1 / alpha(); }
  Tensor average() const override {
    const Tensor heavy = alpha() <= 1, safe = where(heavy, 2, alpha());
    return where(heavy, kInf, safe * scale() / (safe - 1));
  }
  Tensor spread() const override {
    const Tensor heavy = alpha() <= 2, safe = where(heavy, 3, alpha());
    return where(heavy, kInf, square(scale() / (safe - 1)) * safe / (safe - 2));
  }
  Tensor peak() const override { return scale(); }
};

struct GeneralizedParetoLaw : Law {
  GeneralizedParetoLaw(const Operand& loc, const Operand& scale, const Operand& concentration)
      : Law("GeneralizedPareto", Support::kInterval,
            {{"loc", &loc},
             {"scale", &scale, Range::kPositive},
             {"concentration", &concentration}}) {}
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& scale() const { return (*this)[1]; }
  const Tensor& c() const { return (*this)[2]; }

  // log(1 + c z) / c, whose limit for c = 0 is z.
  Tensor exponent(const Tensor& z) const {
    const Tensor none = c() == 0, safe = where(none, 1, c());
    return where(none, z, log1p(safe * z) / safe);
  }
  Tensor log_density(const Tensor& x) const override {
    const Tensor z = (x - loc()) / scale(), outside = (z < 0) | (c() * z <= -1);
    return where(outside, -kInf, -(c() + 1) * exponent(where(outside, 0, z)) - log(scale()));
  }
  Tensor below(const Tensor& x) const override {
    const Tensor z = (x - loc()) / scale(), before = z < 0, behind = c() * z <= -1;
    const Tensor y = where(before | behind, 0, z);
    return where(before, 0, where(behind, 1, -expm1(-exponent(y))));
  }
  Tensor from_exponential(const Tensor& e) const {
    const Tensor none = c() == 0, safe = where(none, 1, c());
    return loc() + scale() * where(none, e, expm1(safe * e) / safe);
  }
  Tensor at_probability(const Tensor& p) const override { return from_exponential(-log1p(-p)); }
  Tensor smooth_sample(const Shape& shape) const override {
    return from_exponential(cast(-log(open_uniform(shape)), dtype));
  }
  Tensor information() const override { return log(scale()) + c() + 1; }
  Tensor average() const override {
    const Tensor heavy = c() >= 1;
    return where(heavy, kInf, loc() + scale() / (1 - where(heavy, 0, c())));
  }
  Tensor spread() const override {
    const Tensor heavy = c() >= 0.5, safe = where(heavy, 0, c());
    return where(heavy, kInf, square(scale() / (1 - safe)) / (1 - 2 * safe));
  }
  Tensor peak() const override { return loc(); }
};

struct FisherSnedecorLaw : Law {
  FisherSnedecorLaw(const Operand& df1, const Operand& df2)
      : Law("FisherSnedecor", Support::kPositive,
            {{"df1", &df1, Range::kPositive}, {"df2", &df2, Range::kPositive}}) {}
  const Tensor& d1() const { return (*this)[0]; }
  const Tensor& d2() const { return (*this)[1]; }
  Tensor a() const { return d1() / 2; }
  Tensor b() const { return d2() / 2; }

  Tensor log_density(const Tensor& x) const override {
    return unless(x < 0, x, [&](const Tensor& y) {
      const Tensor r = d1() / d2();
      return a() * log(r) + xlogy(a() - 1, y) - (a() + b()) * log1p(r * y) - betaln(a(), b());
    });
  }
  // Of y = x d1 / d2 by y / (1 + y), or what is left to 1 where that is small.
  Tensor below(const Tensor& x) const override {
    const Tensor y = clamp_min(x, 0) * d1() / d2(), far = y > 1;
    const Tensor near = where(far, 0.5, y), large = where(far, y, 1);
    return where(far, 1 - betainc(b(), a(), 1 / (1 + large)), betainc(a(), b(), near / (1 + near)));
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor y = betaincinv(a(), b(), p), far = y > 0.5;
    const Tensor near = where(far, 0.5, y);
    const Tensor w = betaincinv(b(), a(), where(far, 1 - p, 0.5));
    return d2() / d1() * where(far, (1 - w) / w, near / (1 - near));
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return d2() / d1() * exp(log_gamma_sample(a(), shape) - log_gamma_sample(b(), shape));
  }
  Tensor information() const override {
    return betaln(a(), b()) - (a() - 1) * digamma(a()) - (b() + 1) * digamma(b()) +
           (a() + b()) * digamma(a() + b()) + log(d2() / d1());
  }
  Tensor average() const override {
    const Tensor heavy = d2() <= 2, safe = where(heavy, 3, d2());
    return where(heavy, kNaN, safe / (safe - 2));
  }
  Tensor spread() const override {
    const Tensor heavy = d2() <= 4, safe = where(heavy, 5, d2());
    return where(heavy, kNaN,
                 2 * square(safe / (safe - 2)) * (d1() + safe - 2) / (d1() * (safe - 4)));
  }
  Tensor peak() const override {
    const Tensor flat = d1() <= 2;
    return where(flat, kNaN, (1 - 2 / where(flat, 3, d1())) * d2() / (d2() + 2));
  }
};

}  // namespace

Exponential::Exponential(const Operand& rate) : Distribution(make<ExponentialLaw>(rate)) {}
Gamma::Gamma(const Operand& concentration, const Operand& rate)
    : Distribution(make<GammaLaw>(concentration, rate)) {}
Chi2::Chi2(const Operand& df) : Distribution(make<Chi2Law>(df)) {}
InverseGamma::InverseGamma(const Operand& concentration, const Operand& rate)
    : Distribution(make<InverseGammaLaw>(concentration, rate)) {}
HalfNormal::HalfNormal(const Operand& scale) : Distribution(make<HalfNormalLaw>(scale)) {}
HalfCauchy::HalfCauchy(const Operand& scale) : Distribution(make<HalfCauchyLaw>(scale)) {}
LogNormal::LogNormal(const Operand& loc, const Operand& scale)
    : Distribution(make<LogNormalLaw>(loc, scale)) {}
Weibull::Weibull(const Operand& scale, const Operand& concentration)
    : Distribution(make<WeibullLaw>(scale, concentration)) {}
Pareto::Pareto(const Operand& scale, const Operand& alpha)
    : Distribution(make<ParetoLaw>(scale, alpha)) {}
GeneralizedPareto::GeneralizedPareto(const Operand& loc, const Operand& scale,
                                     const Operand& concentration)
    : Distribution(make<GeneralizedParetoLaw>(loc, scale, concentration)) {}
FisherSnedecor::FisherSnedecor(const Operand& df1, const Operand& df2)
    : Distribution(make<FisherSnedecorLaw>(df1, df2)) {}

}  // namespace glia::distributions
