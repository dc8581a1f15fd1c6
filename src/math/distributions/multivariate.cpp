// Distributions of vectors and matrices.
#include "glia/math/multivariate.h"

#include <fmt/format.h>

#include <cmath>

#include "glia/linalg.h"
#include "math/distributions/gaussian.h"

namespace glia::distributions {
namespace {

Tensor t(const Tensor& x) { return transpose(x, -2, -1); }
Tensor column(const Tensor& x) { return unsqueeze(x, -1); }
Tensor without_column(const Tensor& x) { return squeeze(x, -1); }

struct DirichletLaw : Law {
  explicit DirichletLaw(const Operand& concentration)
      : Law("Dirichlet", Support::kSimplex,
            {{"concentration", &concentration, Range::kPositive, 1}}) {
    event = {a().size(-1)};
    if (a().size(-1) == 0)
      throw ShapeError("Dirichlet: no number in " + a().shape().str(), concentration.where());
  }
  const Tensor& a() const { return (*this)[0]; }
  Tensor all() const { return sum(a(), {-1}); }
  Tensor log_constant() const { return sum(lgamma(a()), {-1}) - lgamma(all()); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor outside =
        any((x < 0) | (x > 1), {-1}) | (abs(sum(x, {-1}) - 1) > (dtype == kF64 ? 1e-6 : 1e-4));
    const Tensor y = where(unsqueeze(outside, -1), 0.5, x);
    return where(outside, -kInf, sum(xlogy(a() - 1, y), {-1}) - log_constant());
  }
  Tensor smooth_sample(const Shape& shape) const override {
    return softmax(log_gamma_sample(a(), shape), -1);
  }
  Tensor information() const override {
    const Tensor k = all();
    return log_constant() + (k - static_cast<double>(a().size(-1))) * digamma(k) -
           sum((a() - 1) * digamma(a()), {-1});
  }
  Tensor average() const override { return a() / unsqueeze(all(), -1); }
  Tensor spread() const override {
    const Tensor k = unsqueeze(all(), -1), m = a() / k;
    return m * (1 - m) / (k + 1);
  }
  Tensor peak() const override {
    const Tensor over = clamp_min(a() - 1, 0);
    const Tensor corner = unsqueeze(glia::all(a() < 1, {-1}), -1);
    const Tensor usual = over / sum(over, {-1}, true);
    return where(corner, one_hot(argmax(a(), -1), a().size(-1), dtype), usual);
  }
};

void require_square(const Tensor& x, const char* name, const char* what, const Where& where) {
  if (x.size(-1) != x.size(-2))
    throw ShapeError(fmt::format("{}: {} is {}, not square", name, what, x.shape().str()), where);
}
void require_size(const Tensor& x, int axis, int64_t size, const char* name, const char* what,
                  const Where& where) {
  if (x.size(axis) != size)
    throw ShapeError(fmt::format("{}: {} is {} for {} numbers", name, what, x.shape().str(), size),
                     where);
}

}  // namespace

// ---- Normal vectors ----

GaussianLaw::GaussianLaw(const Operand& loc, const Operand& matrix, CovarianceForm form)
    : Law("MultivariateNormal", Support::kRealVector,
          {{"loc", &loc, Range::kReal, 1}, {name_of(form), &matrix, Range::kAny, 2}}) {
  const Tensor& m = (*this)[1];
  require_square(m, "MultivariateNormal", name_of(form), matrix.where());
  require_size(this->loc(), -1, m.size(-1), "MultivariateNormal", "loc", loc.where());
  event = {m.size(-1)};
  switch (form) {
    case CovarianceForm::kCovariance:
      scale_tril = linalg::cholesky(m, false, matrix.where());
      break;
    case CovarianceForm::kScaleTril:
      scale_tril = tril(m);
      break;
    case CovarianceForm::kPrecision: {
      // P = U U^T with U upper, by turning the matrix around: L = U^-T.
      const Tensor turned = linalg::cholesky(flip(m, {-2, -1}), false, matrix.where());
      const Tensor upper = flip(turned, {-2, -1});
      scale_tril = linalg::solve_triangular(t(upper), eye(m.size(-1), m.dtype()));
    }
  }
  if (form != CovarianceForm::kScaleTril) add("scale_tril", scale_tril, Range::kAny);
}
const char* GaussianLaw::name_of(CovarianceForm form) {
  return form == CovarianceForm::kCovariance  ? "covariance_matrix"
         : form == CovarianceForm::kScaleTril ? "scale_tril"
                                              : "precision_matrix";
}
Tensor GaussianLaw::covariance() const { return matmul(scale_tril, t(scale_tril)); }
Tensor GaussianLaw::half_log_det() const { return sum(log(linalg_diagonal(scale_tril)), {-1}); }
Tensor GaussianLaw::log_density(const Tensor& x) const {
  const Tensor z = linalg::solve_triangular(scale_tril, column(x - loc()));
  const double d = static_cast<double>(event[0]);
  return sum(square(z), {-2, -1}) * -0.5 - half_log_det() - d * kHalfLog2Pi;
}
Tensor GaussianLaw::smooth_sample(const Shape& shape) const {
  return loc() + without_column(matmul(scale_tril, column(randn(shape, dtype))));
}
Tensor GaussianLaw::information() const {
  return half_log_det() + static_cast<double>(event[0]) * (0.5 + kHalfLog2Pi);
}
Tensor GaussianLaw::spread() const { return sum(square(scale_tril), {-1}); }

LowRankGaussianLaw::LowRankGaussianLaw(const Operand& loc, const Operand& factor,
                                       const Operand& diagonal)
    : Law("LowRankMultivariateNormal", Support::kRealVector,
          {{"loc", &loc, Range::kReal, 1},
           {"cov_factor", &factor, Range::kReal, 2},
           {"cov_diag", &diagonal, Range::kPositive, 1}}) {
  const int64_t d = this->diagonal().size(-1);
  require_size(this->loc(), -1, d, "LowRankMultivariateNormal", "loc", loc.where());
  require_size(this->factor(), -2, d, "LowRankMultivariateNormal", "cov_factor", factor.where());
  event = {d};
  // I + W^T D^-1 W.
  const Tensor scaled = t(this->factor() / column(this->diagonal()));
  const Tensor inner = matmul(scaled, this->factor());
  capacitance_tril = linalg::cholesky(inner + eye(inner.size(-1), dtype));
}
Tensor LowRankGaussianLaw::covariance() const {
  return matmul(factor(), t(factor())) + diag_embed(diagonal());
}
Tensor LowRankGaussianLaw::half_log_det() const {
  return sum(log(linalg_diagonal(capacitance_tril)), {-1}) + 0.5 * sum(log(diagonal()), {-1});
}
Tensor LowRankGaussianLaw::squared_distances(const Tensor& rows) const {
  const Tensor scaled = rows / unsqueeze(diagonal(), -2);
  const Tensor less = linalg::solve_triangular(capacitance_tril, t(matmul(scaled, factor())));
  return sum(rows * scaled, {-1}) - sum(square(less), {-2});
}
Tensor LowRankGaussianLaw::log_density(const Tensor& x) const {
  const Tensor distance = squeeze(squared_distances(unsqueeze(x - loc(), -2)), -1);
  return distance * -0.5 - half_log_det() - static_cast<double>(event[0]) * kHalfLog2Pi;
}
Tensor LowRankGaussianLaw::smooth_sample(const Shape& shape) const {
  Shape few = shape;
  few[few.rank() - 1] = factor().size(-1);
  return loc() + without_column(matmul(factor(), column(randn(few, dtype)))) +
         sqrt(diagonal()) * randn(shape, dtype);
}
Tensor LowRankGaussianLaw::information() const {
  return half_log_det() + static_cast<double>(event[0]) * (0.5 + kHalfLog2Pi);
}
Tensor LowRankGaussianLaw::spread() const { return sum(square(factor()), {-1}) + diagonal(); }

Tensor linalg_diagonal(const Tensor& matrix) { return diagonal(matrix, 0, -2, -1); }

// ---- Matrices ----

namespace {

struct WishartLaw : Law {
  WishartLaw(const Operand& df, const Operand& matrix, bool tril_given)
      : Law("Wishart", Support::kPositiveDefinite,
            {{"df", &df, Range::kPositive},
             {tril_given ? "scale_tril" : "covariance_matrix", &matrix, Range::kAny, 2}}) {
    const Tensor& m = (*this)[1];
    require_square(m, "Wishart", parameters[1].first.c_str(), matrix.where());
    event = {m.size(-1), m.size(-1)};
    if (df.is_scalar() && !(df.number().value() > p() - 1))
      throw ValueError(fmt::format("Wishart: df is {}, not above {}", df.number().str(), p() - 1),
                       df.where());
    scale_tril = tril_given ? tril(m) : linalg::cholesky(m, false, matrix.where());
    if (!tril_given) add("scale_tril", scale_tril, Range::kAny);
  }
  Tensor scale_tril;
  const Tensor& df() const { return (*this)[0]; }
  double p() const { return static_cast<double>(event[0]); }
  Tensor half_log_det() const { return sum(log(linalg_diagonal(scale_tril)), {-1}); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor factor = linalg::cholesky(x);
    const Tensor z = linalg::solve_triangular(scale_tril, factor);
    return (df() - p() - 1) * sum(log(linalg_diagonal(factor)), {-1}) -
           0.5 * sum(square(z), {-2, -1}) - 0.5 * std::log(2.0) * p() * df() -
           df() * half_log_det() - mvlgamma(df() / 2, event[0]);
  }
  Tensor smooth_sample(const Shape& shape) const override {
    const Shape rows = front_of(shape, 1);
    const Tensor steps = arange(0, event[0], 1, dtype);
    const Tensor chi =
        exp((log_gamma_sample((column(df()) - steps) / 2, rows) + std::log(2.0)) / 2);
    const Tensor a = tril(randn(shape, dtype), -1) + diag_embed(chi);
    const Tensor root = matmul(scale_tril, a);
    return matmul(root, t(root));
  }
  Tensor information() const override {
    return (p() + 1) * half_log_det() + 0.5 * p() * (p() + 1) * std::log(2.0) +
           mvlgamma(df() / 2, event[0]) - (df() - p() - 1) / 2 * mvdigamma() + df() * p() / 2;
  }
  Tensor mvdigamma() const {
    const Tensor steps = arange(0, event[0], 1, dtype);
    return sum(digamma((column(df()) - steps) / 2), {-1});
  }
  Tensor wide_df() const { return behind(df(), 2); }
  Tensor covariance() const { return matmul(scale_tril, t(scale_tril)); }
  Tensor average() const override { return wide_df() * covariance(); }
  Tensor spread() const override {
    const Tensor v = covariance(), d = column(linalg_diagonal(v));
    return wide_df() * (square(v) + d * t(d));
  }
  Tensor peak() const override {
    const Tensor factor = wide_df() - p() - 1;
    return where(factor <= 0, kNaN, factor * covariance());
  }
};

struct LKJLaw : Law {
  LKJLaw(int64_t dim, const Operand& concentration)
      : Law("LKJCholesky", Support::kCorrCholesky,
            {{"concentration", &concentration, Range::kPositive}}) {
    if (dim < 2 || dim > 1 << 20)
      throw ValueError(fmt::format("LKJCholesky: dim is {}, not 2 or more", dim),
                       concentration.where());
    event = {dim, dim};
  }
  const Tensor& concentration() const { return (*this)[0]; }
  double less() const { return static_cast<double>(event[0] - 1); }

  Tensor log_density(const Tensor& x) const override {
    const Tensor diagonal = slice(linalg_diagonal(x), -1, {1});
    const Tensor order = arange(2, event[0] + 1, 1, dtype);
    const Tensor powers = column(2 * (concentration() - 1) + less() + 1) - order;
    const Tensor alpha = concentration() + 0.5 * less();
    const Tensor constant =
        0.5 * less() * std::log(kPi) + mvlgamma(alpha - 0.5, event[0] - 1) - lgamma(alpha) * less();
    return sum(powers * log(diagonal), {-1}) - constant;
  }
  Tensor rough_sample(const Shape& shape) const override {
    const Shape rows = front_of(shape, 1);
    // The squared length of each row's part before the diagonal; the first has none.
    const Tensor row = clamp_min(arange(0, event[0], 1, dtype) - 1, 0);
    const Tensor b = column(concentration() + 0.5 * (less() - 1)) - 0.5 * row;
    const Tensor y = sigmoid(log_gamma_sample((row + 1) / 2, rows) - log_gamma_sample(b, rows));
    const Tensor normal = tril(randn(shape, dtype), -1);
    const Tensor length = sqrt(sum(square(normal), {-1}, true));
    const Tensor none = length == 0;
    const Tensor w = where(none, 0, column(sqrt(y)) * normal / where(none, 1, length));
    return w + diag_embed(sqrt(clamp_min(1 - sum(square(w), {-1}), 1e-38)));
  }
  Tensor smooth_sample(const Shape& shape) const override { return rough_sample(shape); }
};

}  // namespace

Dirichlet::Dirichlet(const Tensor& concentration, Where where)
    : Distribution(make<DirichletLaw>(Operand(concentration, where))) {}
MultivariateNormal::MultivariateNormal(const Tensor& loc, const Tensor& covariance_matrix,
                                       Where where)
    : Distribution(make<GaussianLaw>(Operand(loc, where), Operand(covariance_matrix, where),
                                     CovarianceForm::kCovariance)) {}
MultivariateNormal MultivariateNormal::from_scale_tril(const Tensor& loc, const Tensor& scale_tril,
                                                       Where where) {
  return MultivariateNormal(make<GaussianLaw>(Operand(loc, where), Operand(scale_tril, where),
                                              CovarianceForm::kScaleTril));
}
MultivariateNormal MultivariateNormal::from_precision(const Tensor& loc,
                                                      const Tensor& precision_matrix, Where where) {
  return MultivariateNormal(make<GaussianLaw>(Operand(loc, where), Operand(precision_matrix, where),
                                              CovarianceForm::kPrecision));
}
LowRankMultivariateNormal::LowRankMultivariateNormal(const Tensor& loc, const Tensor& cov_factor,
                                                     const Tensor& cov_diag, Where where)
    : Distribution(make<LowRankGaussianLaw>(Operand(loc, where), Operand(cov_factor, where),
                                            Operand(cov_diag, where))) {}
Wishart::Wishart(const Operand& df, const Tensor& covariance_matrix, Where where)
    : Distribution(make<WishartLaw>(df, Operand(covariance_matrix, where), false)) {}
Wishart Wishart::from_scale_tril(const Operand& df, const Tensor& scale_tril, Where where) {
  return Wishart(make<WishartLaw>(df, Operand(scale_tril, where), true));
}
LKJCholesky::LKJCholesky(int64_t dim, const Operand& concentration)
    : Distribution(make<LKJLaw>(dim, concentration)) {}

}  // namespace glia::distributions
