// Incomplete beta functions, inverses and Bessel functions as operations.
#include "glia/math/special.h"

#include "glia/ops/special.h"
#include "math/special.h"
#include "math/special_functions.h"
#include "ops/pointwise.h"

namespace glia {
namespace {

// ---- The incomplete beta function ----

// x^(a - 1) (1 - x)^(b - 1) / B(a, b).
Tensor beta_density(const Tensor& a, const Tensor& b, const Tensor& x) {
  return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b));
}

void vjp_betainc(Vjp& v) {
  const Tensor a = v.in(0), b = v.in(1), x = v.in(2);
  if (v.needs(0)) v.set(0, v.g() * betainc_by_a(a, b, x));
  if (v.needs(1)) v.set(1, -v.g() * betainc_by_a(b, a, 1 - x));
  if (v.needs(2)) v.set(2, v.g() * beta_density(a, b, x));
}
const Op kBetainc{.name = "betainc",
                  .kind = Kind::kKernel,
                  .vjp = vjp_betainc,
                  .run = Pointwise<special::betainc>::run,
                  .batch = batch_each};

void vjp_betainc_by_a(Vjp& v) {
  const Tensor a = v.in(0), b = v.in(1), x = v.in(2);
  if (v.needs(0) || v.needs(1))
    throw Error("betainc: has no second derivative by a and b", v.where());
  v.set(2, v.g() * beta_density(a, b, x) * (log(x) - digamma(a) + digamma(a + b)));
}
const Op kBetaincByA{.name = "betainc_by_a",
                     .kind = Kind::kKernel,
                     .vjp = vjp_betainc_by_a,
                     .run = Pointwise<special::betainc_by_a>::run,
                     .batch = batch_each};
// ---- Inverses: where F(y; a) = p, dy = (dp - dF/da da) / F'(y) ----

void vjp_betaincinv(Vjp& v) {
  const Tensor a = v.in(0), b = v.in(1), y = v.out();
  const Tensor g = v.g() / beta_density(a, b, y);
  if (v.needs(0)) v.set(0, -g * betainc_by_a(a, b, y));
  if (v.needs(1)) v.set(1, g * betainc_by_a(b, a, 1 - y));
  if (v.needs(2)) v.set(2, g);
}
const Op kBetaincinv{.name = "betaincinv",
                     .kind = Kind::kKernel,
                     .vjp = vjp_betaincinv,
                     .run = Pointwise<special::betaincinv>::run,
                     .batch = batch_each};

void vjp_inverse(Vjp& v, double sign) {
  const Tensor a = v.in(0), y = v.out();
  const Tensor g = v.g() * exp(lgamma(a) + y - xlogy(a - 1, y));
  if (v.needs(0)) v.set(0, -g * gammainc_by_a(a, y));
  if (v.needs(1)) v.set(1, g * sign);
}
void vjp_gammaincinv(Vjp& v) { vjp_inverse(v, 1); }
void vjp_gammainccinv(Vjp& v) { vjp_inverse(v, -1); }
const Op kGammaincinv{.name = "gammaincinv",
                      .kind = Kind::kKernel,
                      .vjp = vjp_gammaincinv,
                      .run = Pointwise<special::gammaincinv>::run,
                      .batch = batch_each};
const Op kGammainccinv{.name = "gammainccinv",
                       .kind = Kind::kKernel,
                       .vjp = vjp_gammainccinv,
                       .run = Pointwise<special::gammainccinv>::run,
                       .batch = batch_each};

// ---- Bessel functions ----

void vjp_log_iv(Vjp& v) {
  const Tensor n = abs(v.in(0)), x = v.in(1);
  if (v.needs(0)) throw Error("log_iv: has no derivative by the order", v.where());
  v.set(1, v.g() * (exp(log_iv(n + 1, x) - v.out()) + n / x));
}
const Op kLogIv{.name = "log_iv",
                .kind = Kind::kKernel,
                .vjp = vjp_log_iv,
                .run = Pointwise<special::log_iv>::run,
                .batch = batch_each};

const RegisterOp registered[] = {RegisterOp(kBetainc),      RegisterOp(kBetaincByA),
                                 RegisterOp(kBetaincinv),   RegisterOp(kGammaincinv),
                                 RegisterOp(kGammainccinv), RegisterOp(kLogIv)};

}  // namespace

Tensor betainc_by_a(const Tensor& a, const Tensor& b, const Tensor& x) {
  const Operand of_a = a, of_b = b, of_x = x;
  return record_each(kBetaincByA, {&of_a, &of_b, &of_x});
}
Tensor betainc(const Operand& a, const Operand& b, const Operand& x) {
  return record_each(kBetainc, {&a, &b, &x});
}
Tensor betaincinv(const Operand& a, const Operand& b, const Operand& p) {
  return record_each(kBetaincinv, {&a, &b, &p});
}
Tensor gammaincinv(const Operand& a, const Operand& p) {
  return record_each(kGammaincinv, {&a, &p});
}
Tensor gammainccinv(const Operand& a, const Operand& q) {
  return record_each(kGammainccinv, {&a, &q});
}
Tensor log_iv(const Operand& n, const Operand& x) { return record_each(kLogIv, {&n, &x}); }

}  // namespace glia
