// The laws of single numbers that others name: for divergences and fits.
#pragma once

#include "math/distributions/law.h"

namespace glia::distributions {

// Families of loc + scale z: derived ones say what the standard variable z is.
struct LocationScale : Law {
  LocationScale(const char* name, const Operand& loc, const Operand& scale)
      : Law(name, Support::kReal, {{"loc", &loc}, {"scale", &scale, Range::kPositive}}) {}
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& scale() const { return (*this)[1]; }

  virtual Tensor log_standard(const Tensor& z) const = 0;
  virtual Tensor below_standard(const Tensor& z) const = 0;
  virtual Tensor standard_at(const Tensor& p) const = 0;
  virtual double standard_information() const = 0;
  virtual double standard_mean() const { return 0; }
  virtual double standard_variance() const = 0;
  virtual Tensor standard_sample(const Shape& shape) const {
    return standard_at(open_uniform(shape));
  }

  Tensor log_density(const Tensor& x) const override {
    return log_standard((x - loc()) / scale()) - log(scale());
  }
  Tensor below(const Tensor& x) const override { return below_standard((x - loc()) / scale()); }
  Tensor at_probability(const Tensor& p) const override { return loc() + scale() * standard_at(p); }
  Tensor smooth_sample(const Shape& shape) const override {
    return loc() + scale() * cast(standard_sample(shape), dtype);
  }
  Tensor information() const override { return log(scale()) + standard_information(); }
  Tensor average() const override {
    return standard_mean() == standard_mean() ? loc() + scale() * standard_mean() : constant(kNaN);
  }
  Tensor spread() const override { return square(scale()) * standard_variance(); }
  Tensor peak() const override { return loc(); }
};

// Both are laws of this kind for divergences, under other names.
struct GammaLaw : Law {
  GammaLaw(const Operand& concentration, const Operand& rate, const char* name = "Gamma")
      : Law(name, Support::kPositive,
            {{"concentration", &concentration, Range::kPositive},
             {"rate", &rate, Range::kPositive}}) {}
  const Tensor& concentration() const { return at("concentration"); }
  const Tensor& rate() const { return at("rate"); }

  Tensor log_density(const Tensor& x) const override;
  Tensor below(const Tensor& x) const override;
  Tensor at_probability(const Tensor& p) const override;
  Tensor smooth_sample(const Shape& shape) const override;
  Tensor information() const override;
  Tensor average() const override { return concentration() / rate(); }
  Tensor spread() const override { return concentration() / square(rate()); }
  Tensor peak() const override { return clamp_min((concentration() - 1) / rate(), 0); }
};

// What is given as probability or as logit: both, and the logarithms of p and 1 - p.
struct Odds {
  Tensor probs, logits, log_p, log_q;
  static Odds of(const Tensor& given, bool logits);
};

}  // namespace glia::distributions
