// Distributions on all real numbers.
#include <cmath>

#include "glia/math/continuous.h"
#include "glia/math/special.h"
#include "math/distributions/univariate.h"
#include "math/special.h"
#include "math/special_functions.h"
#include "ops/pointwise.h"

namespace glia::distributions {
namespace {

struct NormalLaw : LocationScale {
  using LocationScale::LocationScale;
  Tensor log_standard(const Tensor& z) const override { return log_normal_density(z); }
  Tensor below_standard(const Tensor& z) const override { return ndtr(z); }
  Tensor standard_at(const Tensor& p) const override { return ndtri(p); }
  double standard_information() const override { return 0.5 + kHalfLog2Pi; }
  double standard_variance() const override { return 1; }
  Tensor standard_sample(const Shape& shape) const override { return randn(shape, dtype); }
};

struct LaplaceLaw : LocationScale {
  using LocationScale::LocationScale;
  Tensor log_standard(const Tensor& z) const override { return -abs(z) - std::log(2.0); }
  Tensor below_standard(const Tensor& z) const override {
    const Tensor half = exp(-abs(z)) * 0.5;
    return where(z < 0, half, 1 - half);
  }
  Tensor standard_at(const Tensor& p) const override {
    const Tensor low = p < 0.5;
    return where(low, log(2 * where(low, p, 0.5)), -log(2 * (1 - where(low, 0.5, p))));
  }
  double standard_information() const override { return 1 + std::log(2.0); }
  double standard_variance() const override { return 2; }
};

struct CauchyLaw : LocationScale {
  using LocationScale::LocationScale;
  Tensor log_standard(const Tensor& z) const override { return -log1p_square(z) - std::log(kPi); }
  Tensor below_standard(const Tensor& z) const override { return atan2(1, -z) / kPi; }
  Tensor standard_at(const Tensor& p) const override {
    const Tensor middle = abs(p - 0.5) < 0.25, low = p < 0.5;
    const Tensor angle = kPi * where(middle, 0.25, where(low, p, 1 - p));
    const Tensor far = 1 / tan(angle);
    return where(middle, tan(kPi * (where(middle, p, 0.5) - 0.5)), where(low, -far, far));
  }
  double standard_information() const override { return std::log(4 * kPi); }
  double standard_mean() const override { return kNaN; }
  double standard_variance() const override { return kInf; }
};

struct GumbelLaw : LocationScale {
  using LocationScale::LocationScale;
  Tensor log_standard(const Tensor& z) const override { return -z - exp(-z); }
  Tensor below_standard(const Tensor& z) const override { return exp(-exp(-z)); }
  Tensor standard_at(const Tensor& p) const override { return -log(-log(p)); }
  double standard_information() const override { return 1 + kEuler; }
  double standard_mean() const override { return kEuler; }
  double standard_variance() const override { return kPi * kPi / 6; }
};

struct LogisticLaw : LocationScale {
  using LocationScale::LocationScale;
  Tensor log_standard(const Tensor& z) const override {
    const Tensor far = abs(z);
    return -far - 2 * log1p(exp(-far));
  }
  Tensor below_standard(const Tensor& z) const override { return sigmoid(z); }
  Tensor standard_at(const Tensor& p) const override { return log(p) - log1p(-p); }
  double standard_information() const override { return 2; }
  double standard_variance() const override { return kPi * kPi / 3; }
};

Tensor record_pair(const Op& op, const Tensor& a, const Tensor& b) {
  const Operand first = a, second = b;
  return record_each(op, {&first, &second});
}

// By x the density. The smaller tail is I_w(df / 2, 1 / 2) / 2 with w = df / (df + x^2).
void vjp_student_t(Vjp& v) {
  const Tensor df = v.in(0), x = v.in(1), u = x * rsqrt(df), bend = log1p_square(u);
  const Tensor log_constant = betaln(df / 2, 0.5);
  if (v.needs(0)) {
    const Tensor by_shape = betainc_by_a(df / 2, full({}, 0.5, df.dtype()), exp(-bend)) / 2;
    const Tensor by_w = exp(-(df + 1) / 2 * bend - log_constant) * abs(u) / df;
    v.set(0, v.g() * -sign(x) * (by_shape + by_w) / 2);
  }
  if (v.needs(1)) v.set(1, v.g() * exp(-(df + 1) / 2 * bend - log_constant) * rsqrt(df));
}
const Op kStudentTBelow{.name = "student_t_below",
                        .kind = Kind::kKernel,
                        .vjp = vjp_student_t,
                        .run = Pointwise<special::student_t_below>::run,
                        .batch = batch_each};

struct StudentTLaw : Law {
  StudentTLaw(const Operand& df, const Operand& loc, const Operand& scale)
      : Law("StudentT", Support::kReal,
            {{"df", &df, Range::kPositive}, {"loc", &loc}, {"scale", &scale, Range::kPositive}}) {}
  const Tensor& df() const { return (*this)[0]; }
  const Tensor& loc() const { return (*this)[1]; }
  const Tensor& scale() const { return (*this)[2]; }
  Tensor log_constant() const { return betaln(df() / 2, 0.5) + log(df()) / 2 + log(scale()); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor z = (x - loc()) / scale();
    return -(df() + 1) / 2 * log1p_square(z * rsqrt(df())) - log_constant();
  }
  Tensor below(const Tensor& x) const override {
    return record_pair(kStudentTBelow, df(), (x - loc()) / scale());
  }
  Tensor at_probability(const Tensor& p) const override {
    const Tensor low = p < 0.5, tail = where(low, p, 1 - p), far = tail < 0.25;
    const Tensor y = betaincinv(df() / 2, 0.5, 2 * where(far, tail, 0.25));
    const Tensor w = betaincinv(0.5, df() / 2, 1 - 2 * where(far, 0.25, tail));
    const Tensor centre = w == 0;
    const Tensor inside = where(centre, 0.5, w);
    const Tensor z = sqrt(df() * where(far, (1 - y) / y, inside / (1 - inside)));
    // At the centre, where w has no slope, by that of the density.
    const Tensor line = (p - 0.5) * exp(betaln(df() / 2, 0.5) + log(df()) / 2);
    return loc() + scale() * where(centre & logical_not(far), line, where(low, -z, z));
  }
  Tensor smooth_sample(const Shape& shape) const override {
    const Tensor log_chi2 = log_gamma_sample(df() / 2, shape) + std::log(2.0);
    return loc() + scale() * randn(shape, dtype) * exp((log(df()) - log_chi2) / 2);
  }
  Tensor information() const override {
    const Tensor half = (df() + 1) / 2;
    return half * (digamma(half) - digamma(df() / 2)) + log_constant();
  }
  Tensor average() const override { return where(df() > 1, loc(), kNaN); }
  Tensor spread() const override {
    const Tensor heavy = df() <= 2;
    const Tensor finite = square(scale()) * df() / (where(heavy, 3, df()) - 2);
    return where(df() <= 1, kNaN, where(heavy, kInf, finite));
  }
  Tensor peak() const override { return loc(); }
};

// ---- On a circle ----

const Op kVonMisesBelow{.name = "von_mises_below",
                        .kind = Kind::kKernel,
                        .run = Pointwise<special::von_mises_below>::run,
                        .batch = batch_each};
const Op kVonMisesAt{.name = "von_mises_at",
                     .kind = Kind::kKernel,
                     .run = Pointwise<special::von_mises_at>::run,
                     .batch = batch_each};
const RegisterOp registered[] = {RegisterOp(kStudentTBelow), RegisterOp(kVonMisesBelow),
                                 RegisterOp(kVonMisesAt)};

struct VonMisesLaw : Law {
  VonMisesLaw(const Operand& loc, const Operand& concentration)
      : Law("VonMises", Support::kReal,
            {{"loc", &loc}, {"concentration", &concentration, Range::kPositive}}) {
    smooth = false;
  }
  const Tensor& loc() const { return (*this)[0]; }
  const Tensor& concentration() const { return (*this)[1]; }
  Tensor log_scaled() const { return log(i0e(concentration())) + 2 * kHalfLog2Pi; }

  Tensor log_density(const Tensor& x) const override {
    return -2 * concentration() * square(sin((x - loc()) / 2)) - log_scaled();
  }
  Tensor below(const Tensor& x) const override {
    return record_pair(kVonMisesBelow, concentration(), x - loc());
  }
  Tensor at_probability(const Tensor& p) const override {
    return loc() + record_pair(kVonMisesAt, concentration(), p);
  }
  Tensor rough_sample(const Shape& shape) const override {
    const Tensor x = loc() + von_mises_sample(concentration(), shape);
    return x - 2 * kPi * round(x / (2 * kPi));
  }
  Tensor ratio() const { return i1e(concentration()) / i0e(concentration()); }
  Tensor information() const override { return log_scaled() + concentration() * (1 - ratio()); }
  Tensor average() const override { return loc(); }
  Tensor spread() const override { return 1 - ratio(); }
  Tensor peak() const override { return loc(); }
};

}  // namespace

Normal::Normal(const Operand& loc, const Operand& scale)
    : Distribution(make<NormalLaw>("Normal", loc, scale)) {}
Laplace::Laplace(const Operand& loc, const Operand& scale)
    : Distribution(make<LaplaceLaw>("Laplace", loc, scale)) {}
Cauchy::Cauchy(const Operand& loc, const Operand& scale)
    : Distribution(make<CauchyLaw>("Cauchy", loc, scale)) {}
Gumbel::Gumbel(const Operand& loc, const Operand& scale)
    : Distribution(make<GumbelLaw>("Gumbel", loc, scale)) {}
Logistic::Logistic(const Operand& loc, const Operand& scale)
    : Distribution(make<LogisticLaw>("Logistic", loc, scale)) {}
StudentT::StudentT(const Operand& df, const Operand& loc, const Operand& scale)
    : Distribution(make<StudentTLaw>(df, loc, scale)) {}
VonMises::VonMises(const Operand& loc, const Operand& concentration)
    : Distribution(make<VonMisesLaw>(loc, concentration)) {}

}  // namespace glia::distributions
