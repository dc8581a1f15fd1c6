// Linear algebra: LAPACK's test ratios, derivatives against differences, batches, errors, bits.
#include "glia/linalg.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::linalg {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;

double eps_of(DType dtype) {
  return dtype == kF64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
}
Tensor t(const Tensor& x) { return transpose(x, -2, -1); }
double one_norm(const Tensor& a) { return a.numel() == 0 ? 0 : max(sum(abs(a), {-2})).item(); }
// |difference| / (n |scale| eps), which LAPACK's tests hold below 30.
double ratio(const Tensor& difference, const Tensor& scale) {
  const double n = static_cast<double>(std::max<int64_t>(scale.size(-1), 1));
  return one_norm(difference) / (n * std::max(one_norm(scale), 1e-300) * eps_of(scale.dtype()));
}
double orthogonality(const Tensor& q) {
  const Tensor gram = matmul(t(q), q);
  return ratio(gram - eye(q.size(-1), q.dtype()),
               ones_like(gram) / std::max<int64_t>(gram.size(-1), 1));
}
// (..., m, n) with singular values from 1 down to 1 / condition.
Tensor conditioned(const Shape& batch, int64_t m, int64_t n, double condition, DType dtype) {
  Shape left = batch, right = batch;
  const int64_t k = std::min(m, n);
  for (int64_t s : {m, k}) left.push_back(s);
  for (int64_t s : {n, k}) right.push_back(s);
  const Tensor u = qr(randn(left, kF64)).Q, v = qr(randn(right, kF64)).Q;
  const Tensor s = exp(linspace(0, -std::log(condition), k, kF64));
  return cast(matmul(u * s, t(v)), dtype);
}
Tensor symmetric(const Tensor& a) { return (a + t(a)) * 0.5; }
Tensor definite(const Tensor& a) {
  return matmul(a, t(a)) + eye(a.size(-1), a.dtype()) * static_cast<double>(a.size(-1));
}

constexpr double kRatio = 30;

// ---- Ratios -------------------------------------------------------------------------------------

struct Case {
  Shape batch;
  int64_t m, n;
};
const std::vector<Case> kCases{{{}, 1, 1},     {{}, 2, 3},     {{}, 7, 7},     {{}, 50, 20},
                               {{}, 20, 50},   {{3, 2}, 5, 4}, {{40}, 3, 3},   {{}, 200, 200},
                               {{}, 333, 257}, {{}, 257, 333}, {{2}, 260, 260}};

TEST(Linalg, FactorisationsHaveSmallResiduals) {
  for (DType dtype : {kF32, kF64}) {
    for (double condition : {1.0, 1e2, dtype == kF64 ? 1e12 : 1e5}) {
      for (const Case& c : kCases) {
        const Tensor a = conditioned(c.batch, c.m, c.n, condition, dtype);
        SCOPED_TRACE(a.shape().str() + " " + name(dtype) + " " + std::to_string(condition));
        const auto [p, l, u] = lu(a);
        EXPECT_LT(ratio(matmul(p, matmul(l, u)) - a, a), kRatio);
        const auto [q, r] = qr(a);
        EXPECT_LT(ratio(matmul(q, r) - a, a), kRatio);
        EXPECT_LT(orthogonality(q), kRatio);
        const auto full = qr(a, QRMode::kComplete);
        EXPECT_LT(ratio(matmul(full.Q, full.R) - a, a), kRatio);
        EXPECT_LT(orthogonality(full.Q), kRatio);
        for (bool whole : {false, true}) {
          const auto [w, s, vh] = svd(a, whole);
          const int64_t k = s.size(-1);
          const Tensor left = slice(w, -1, {0, k}), right = slice(vh, -2, {0, k});
          EXPECT_LT(ratio(matmul(left * unsqueeze(s, -2), right) - a, a), kRatio);
          EXPECT_LT(orthogonality(w), kRatio);
          EXPECT_LT(orthogonality(t(vh)), kRatio);
        }
        EXPECT_LT(max(abs(svdvals(a) - svd(a, false).S)).item(), 30 * eps_of(dtype));
      }
    }
  }
}

TEST(Linalg, SquareOnesToo) {
  for (DType dtype : {kF32, kF64}) {
    for (const Case& c : kCases) {
      if (c.m != c.n) continue;
      const Tensor a = conditioned(c.batch, c.m, c.n, 50, dtype);
      SCOPED_TRACE(a.shape().str() + " " + name(dtype));
      const Tensor one = eye(c.n, dtype);
      EXPECT_LT(ratio(matmul(a, inv(a)) - one, a), kRatio * 50);
      Shape of_b = a.shape();
      of_b[of_b.rank() - 1] = 130;
      const Tensor b = randn(of_b, dtype), x = solve(a, b);
      EXPECT_LT(one_norm(matmul(a, x) - b) /
                    (one_norm(a) * one_norm(x) * static_cast<double>(c.n) * eps_of(dtype)),
                kRatio);
      const Tensor y = solve(a, t(b), false);
      EXPECT_LT(one_norm(matmul(y, a) - t(b)) /
                    (one_norm(a) * one_norm(y) * static_cast<double>(c.n) * eps_of(dtype)),
                kRatio);
      const Tensor d = matmul(a, t(a)) + eye(c.n, dtype) * 0.1, l = cholesky(d);
      EXPECT_LT(ratio(matmul(l, t(l)) - d, d), kRatio);
      EXPECT_EQ(max(abs(where(arange(c.n) > unsqueeze(arange(c.n), 1), l, 0))).item(), 0);
      EXPECT_LT(ratio(matmul(t(cholesky(d, true)), cholesky(d, true)) - d, d), kRatio);
      EXPECT_LT(ratio(matmul(d, cholesky_inverse(l)) - one, d), kRatio);
      const Tensor e = symmetric(a);
      for (bool upper : {false, true}) {
        const auto [w, v] = eigh(e, upper);
        EXPECT_LT(ratio(matmul(v * unsqueeze(w, -2), t(v)) - e, e), kRatio);
        EXPECT_LT(orthogonality(v), kRatio);
      }
      const auto [w, v] = eig(a);
      const Complex left = matmul(Complex{a, zeros_like(a)}, v);
      const Complex right = v * Complex{unsqueeze(w.re, -2), unsqueeze(w.im, -2)};
      EXPECT_LT(ratio(abs(left - right), a), kRatio);
      expect_same(sum(w.re, {-1}), sum(a * one, {-2, -1}), 1e3 * eps_of(dtype));
    }
  }
}

TEST(Linalg, TrianglesAreTheOnlyOnesRead) {
  const Tensor a = definite(randn({6, 6}, kF64)), b = randn({6, 4}, kF64);
  const Tensor below = arange(6) < unsqueeze(arange(6), 1);
  const Tensor lower = where(t(below), NAN, a), upper = where(below, NAN, a);
  expect_same(cholesky(lower), cholesky(a), 1e-13);
  expect_same(cholesky(upper, true), cholesky(a, true), 1e-13);
  expect_same(eigvalsh(lower), eigvalsh(a), 1e-12);
  expect_same(eigvalsh(upper, true), eigvalsh(a), 1e-12);
  const Tensor whole = where(t(below), 0, a);
  expect_same(matmul(whole, solve_triangular(lower, b)), b, 1e-12);
  const Tensor c = t(b);
  expect_same(matmul(solve_triangular(lower, c, {.left = false}), whole), c, 1e-12);
  const Tensor unit = where(below, a, eye(6, kF64));
  expect_same(matmul(unit, solve_triangular(lower, b, {.unitriangular = true})), b, 1e-9);
}

TEST(Linalg, FactorsSolve) {
  const Tensor a = randn({3, 5, 5}, kF64), b = randn({3, 5, 2}, kF64), c = randn({3, 2, 5}, kF64);
  const auto [lu, pivots] = lu_factor(a);
  expect_same(matmul(a, lu_solve(lu, pivots, b)), b, 1e-10);
  for (const Tensor& any : {a, randn({2, 5, 3}, kF64), randn({3, 5}, kF64)}) {
    const auto [packed, order] = lu_factor(any);
    const auto [p, l, u] = lu_unpack(packed, order);
    expect_same(matmul(matmul(p, l), u), any, 1e-13);
  }
  EXPECT_THROW(lu_unpack(lu, cast(pivots, kI64)), ShapeError);
  EXPECT_THROW(eval(lu_unpack(ones({1, 1}), zeros({1}, kI32)).P), ValueError);
  const Tensor matrices = reshape(tensor<double>({2, 0, 0, 3, 0, 1, 1, 0, 1, 1, 1, 1}), {3, 2, 2});
  expect_values(logdet(matrices), {3}, {std::log(6), NAN, -INFINITY}, 1e-15);
  expect_same(matmul(t(a), lu_solve(lu, pivots, b, {.adjoint = true})), b, 1e-10);
  expect_same(matmul(lu_solve(lu, pivots, c, {.left = false}), a), c, 1e-10);
  expect_same(matmul(lu_solve(lu, pivots, c, {.left = false, .adjoint = true}), t(a)), c, 1e-10);
  const Tensor d = definite(a);
  expect_same(matmul(d, cholesky_solve(b, cholesky(d))), b, 1e-10);
  expect_same(matmul(d, cholesky_solve(b, cholesky(d, true), true)), b, 1e-10);
}

TEST(Linalg, LeastSquares) {
  for (LstsqDriver driver : {LstsqDriver::kGelsy, LstsqDriver::kGelsd}) {
    for (const auto& [m, n, rank] : {std::tuple{9, 4, 4}, {4, 9, 4}, {8, 6, 3}, {5, 5, 5}}) {
      const Tensor a = matmul(randn({2, m, rank}, kF64), randn({2, rank, n}, kF64));
      const Tensor b = randn({2, m, 3}, kF64);
      const LstsqResult r = lstsq(a, b, {.driver = driver});
      expect_same(r.solution, matmul(pinv(a), b), 1e-8);
      expect_values(r.rank, {2}, {double(rank), double(rank)});
      expect_values(matrix_rank(a), {2}, {double(rank), double(rank)});
      expect_same(r.residuals, sum(square(matmul(a, r.solution) - b), {-2}), 1e-9);
      const Tensor p = pinv(a);
      expect_same(matmul(matmul(a, p), a), a, 1e-9);
      expect_same(matmul(matmul(p, a), p), p, 1e-9);
      expect_same(matmul(a, p), t(matmul(a, p)), 1e-9);
      expect_same(matmul(p, a), t(matmul(p, a)), 1e-9);
    }
  }
  const Tensor e = symmetric(randn({4, 4}, kF64));
  expect_same(pinv(e, {.hermitian = true}), inv(e), 1e-8);
}

TEST(Linalg, DeterminantsAndFunctions) {
  const Tensor a = randn({4, 5, 5}, kF64);
  const auto [sign, log] = slogdet(a);
  expect_same(sign * exp(log), det(a), 1e-11);
  expect_values(det(tensor({{1.0, 2.0}, {3.0, 4.0}})), {}, {-2}, 1e-14);
  expect_values(slogdet(zeros({2, 2}, kF64)).logabsdet, {}, {-INFINITY});
  for (DType dtype : {kF32, kF64})
    for (double size : {1e-3, 0.1, 0.5, 1.0, 3.0, 40.0}) {
      const Tensor x = randn({3, 6, 6}, dtype) * (size / 6);
      const Tensor y = matmul(matrix_exp(x), matrix_exp(-x));
      const double grown = std::exp(2 * size) + 1;
      EXPECT_LT(max(abs(y - eye(6, dtype))).item(), 2e3 * eps_of(dtype) * grown) << size;
    }
  expect_values(matrix_exp(tensor({{0.0, 1.0}, {0.0, 0.0}})), {2, 2}, {1, 1, 0, 1});
  expect_values(matrix_exp(tensor({{std::log(2.0), 0.0}, {0.0, 20.0}})), {2, 2},
                {2, 0, 0, std::exp(20.0)}, 1e-5);
  expect_same(matrix_power(a, 5), matmul(a, matmul(matmul(a, a), matmul(a, a))), 1e-9);
  expect_same(matrix_power(a, -2), inv(matmul(a, a)), 1e-6);
  expect_same(matrix_power(a, 0), expand(eye(5, kF64), {4, 5, 5}));
  const Tensor u = randn({7, 3}, kF64), v = randn({3, 9}, kF64), w = randn({9}, kF64);
  expect_same(multi_dot({u, v, w}), matmul(u, matmul(v, w)), 1e-12);
  expect_values(cross(tensor({1.0, 0.0, 0.0}), tensor({0.0, 1.0, 0.0})), {3}, {0, 0, 1});
  expect_values(vander(tensor({2.0, 3.0}), 4), {2, 4}, {1, 2, 4, 8, 1, 3, 9, 27});
  const Tensor q = randn({4, 6, 8, 3}, kF64);
  EXPECT_EQ(tensorinv(q, 2).shape(), (Shape{8, 3, 4, 6}));
  const Tensor rhs = randn({4, 6}, kF64), x = tensorsolve(q, rhs);
  expect_same(sum(q * x, {2, 3}), rhs, 1e-9);
}

TEST(Linalg, RootsAndLogarithmsOfMatrices) {
  manual_seed(5);
  for (DType dtype : {kF32, kF64}) {
    const Tensor positive = definite(randn({3, 6, 6}, dtype)) * 0.3;
    const Tensor turned = randn({3, 6, 6}, dtype) * 0.5 + eye(6, dtype) * 4.0;
    for (const Tensor& x : {positive, turned}) {
      const Tensor root = sqrtm(x), log = logm(x);
      EXPECT_LT(ratio(matmul(root, root) - x, x), kRatio);
      EXPECT_LT(max(abs(matrix_exp(log) - x) / max(abs(x))).item(), 300 * eps_of(dtype));
    }
  }
  // A quarter turn is the square of an eighth; its logarithm is a quarter of pi.
  const double h = std::sqrt(0.5), quarter = std::acos(-1.0) / 2;
  const Tensor turn = tensor({{0.0, -1.0}, {1.0, 0.0}});
  const Tensor exact = cast(turn, kF64);
  expect_values(sqrtm(exact), {2, 2}, {h, -h, h, h}, 1e-15);
  expect_values(logm(exact), {2, 2}, {0, -quarter, quarter, 0}, 1e-15);
  expect_values(sqrtm(zeros({2, 2}, kF64)), {2, 2}, {0, 0, 0, 0});
  expect_values(logm(eye(3, kF64)), {3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0});
  expect_values(logm(tensor<double>({{1e10, 0}, {0, 1e-10}})), {2, 2},
                {10 * std::log(10.0), 0, 0, -10 * std::log(10.0)}, 1e-14);
  const auto fails = [](const char* part, const auto& body) {
    const std::string message = message_of<ValueError>(body);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  fails("linalg.sqrtm: the matrix has an eigenvalue below 0", [] { eval({sqrtm(-eye(2, kF64))}); });
  fails("linalg.sqrtm: the matrix is singular", [] {
    eval({sqrtm(tensor<double>({{0, 1}, {0, 0}}))});
  });
  fails("linalg.logm: the matrix has an eigenvalue below 0", [] {
    eval({logm(tensor<double>({{1, 0}, {0, -2}}))});
  });
  fails("linalg.logm: the matrix is singular", [] { eval({logm(zeros({2, 2}, kF64))}); });
  fails("not finite", [] { eval({logm(full({2, 2}, NAN, kF64))}); });
}

TEST(Linalg, PairsBasesAndProducts) {
  manual_seed(6);
  for (int64_t n : {1, 5, 40}) {
    const Tensor a = symmetric(randn({2, n, n}, kF64)), b = definite(randn({2, n, n}, kF64));
    for (bool upper : {false, true}) {
      const auto [w, v] = eigh(a, b, upper);
      EXPECT_LT(ratio(matmul(a, v) - matmul(b, v) * unsqueeze(w, -2), b), kRatio);
      EXPECT_LT(max(abs(matmul(t(v), matmul(b, v)) - eye(n, kF64))).item(), 1e-12);
      expect_same(eigvalsh(a, b, upper), w, 1e-12);
    }
    const Tensor any = randn({n, n}, kF64), good = randn({n, n}, kF64) + eye(n, kF64) * 9.0;
    const auto [w, v] = eig(any, good);
    const Complex left = matmul(Complex{any, zeros_like(any)}, v),
                  right = matmul(Complex{good, zeros_like(any)}, v) *
                          Complex{unsqueeze(w.re, -2), unsqueeze(w.im, -2)};
    EXPECT_LT(max(abs(left.re - right.re) + abs(left.im - right.im)).item(), 1e-11);
  }
  // Only one triangle of each is read.
  const Tensor a = symmetric(randn({4, 4}, kF64)), b = definite(randn({4, 4}, kF64));
  const Tensor noise = randn({4, 4}, kF64), right = arange(4) - unsqueeze(arange(4), 1);
  const Tensor above = where(right > 0, noise, 0), below = where(right < 0, noise, 0);
  expect_same(eigvalsh(a + above, b + above), eigvalsh(a, b), 1e-13);
  expect_same(eigvalsh(a + below, b + below, true), eigvalsh(a, b), 1e-12);

  const Tensor low = matmul(randn({7, 3}, kF64), randn({3, 5}, kF64));
  const Tensor none = null_space(low), range = orth(low);
  EXPECT_EQ(none.shape(), (Shape{5, 2}));
  EXPECT_EQ(range.shape(), (Shape{7, 3}));
  EXPECT_LT(max(abs(matmul(low, none))).item(), 1e-14 * 50);
  EXPECT_LT(orthogonality(none), kRatio);
  EXPECT_LT(orthogonality(range), kRatio);
  EXPECT_LT(max(abs(low - matmul(range, matmul(t(range), low)))).item(), 1e-13);
  EXPECT_EQ(null_space(zeros({2, 3}, kF64)).shape(), (Shape{3, 3}));
  EXPECT_EQ(null_space(eye(3, kF64)).shape(), (Shape{3, 0}));
  EXPECT_EQ(orth(eye(3, kF64), 2.0).shape(), (Shape{3, 0}));

  for (int64_t n : {3, 100, 300, 301}) {
    const Tensor x = randn({50, n}, kF64), g = gram(x);
    expect_same(g, matmul(t(x), x), 1e-12);
    expect_same(g, t(g));
  }
  EXPECT_THROW(eigh(a, eye(3, kF64)), ShapeError);
  EXPECT_THROW(eig(a, cast(b, kF32)), ShapeError);
  EXPECT_THROW(eval({eigvalsh(a, -b)}), ValueError);
  EXPECT_THROW(eval({eigvals(a, zeros({4, 4}, kF64)).re}), ValueError);
  EXPECT_THROW(null_space(ones({2, 3, 3}, kF64)), ShapeError);
  EXPECT_THROW(orth(a, -1.0), ValueError);
}

TEST(Linalg, RefinedSolutionsHaveAllDigits) {
  // Hilbert's matrix of order 8, times 360360 so that its numbers are whole: the condition is 1e10.
  const int64_t n = 8;
  std::vector<double> values, truth;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) values.push_back(360360.0 / static_cast<double>(i + j + 1));
  for (int64_t i = 0; i < n; ++i) truth.push_back(static_cast<double>(i % 3) - 1);
  const Tensor a = from_vector(values, {n, n}), x = from_vector(truth, {n});
  const Tensor b = squeeze(matmul(a, unsqueeze(x, 1)), 1);
  EXPECT_GT(max(abs(solve(a, b) - x)).item(), 1e-12);
  EXPECT_LT(max(abs(solve_refined(a, b) - x)).item(), 4e-16);
  const Tensor many = randn({3, 6, 6}, kF32), sides = randn({3, 6, 2}, kF32);
  expect_same(solve_refined(many, sides), solve(many, sides), 1e-3);
  expect_same(cast(solve_refined(many, sides), kF64), solve(cast(many, kF64), cast(sides, kF64)),
              1e-6);
  EXPECT_THROW(eval({solve_refined(zeros({3, 3}, kF64), ones({3}, kF64))}), ValueError);
  EXPECT_THROW(eval({solve_refined(eye(3, kF64), full({3}, NAN, kF64))}), ValueError);
}

TEST(Linalg, Norms) {
  const Tensor x = tensor({3.0, -4.0, 0.0});
  for (const auto& [ord, y] : {std::pair{2.0, 5.0},
                               {1.0, 7.0},
                               {0.0, 2.0},
                               {double(INFINITY), 4.0},
                               {-double(INFINITY), 0.0},
                               {3.0, std::cbrt(91.0)}})
    EXPECT_NEAR(vector_norm(x, ord).item(), y, 1e-14) << ord;
  EXPECT_NEAR(vector_norm(x * 1e200).item(), 5e200, 1e188);
  const Tensor a = tensor({{1.0, -2.0}, {3.0, 4.0}});
  for (const auto& [ord, y] :
       {std::pair{1.0, 6.0}, {-1.0, 4.0}, {double(INFINITY), 7.0}, {-double(INFINITY), 3.0}})
    EXPECT_NEAR(matrix_norm(a, ord).item(), y, 1e-14) << ord;
  const Tensor s = svdvals(a);
  EXPECT_NEAR(matrix_norm(a, 2).item(), max(s).item(), 1e-14);
  EXPECT_NEAR(matrix_norm(a, NormOrder::kNuc).item(), sum(s).item(), 1e-14);
  EXPECT_NEAR(matrix_norm(a).item(), std::sqrt(30.0), 1e-14);
  EXPECT_NEAR(cond(a).item(), max(s).item() / min(s).item(), 1e-12);
  EXPECT_NEAR(cond(a, 1).item(), 6 * matrix_norm(inv(a), 1).item(), 1e-12);
  const Tensor many = randn({2, 3, 4}, kF64);
  EXPECT_EQ(matrix_norm(many, 2, {0, 2}, true).shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(norm(many, 1, {0, 2}).shape(), (Shape{3}));
}

// ---- Derivatives --------------------------------------------------------------------------------

void check(const char* what, const TensorFunction& f, const std::vector<Tensor>& inputs,
           bool second = true) {
  const GradcheckOptions loose{.atol = 1e-4, .rtol = 1e-3};
  EXPECT_EQ(gradcheck(f, inputs), "") << what;
  if (second) {
    EXPECT_EQ(gradgradcheck(f, inputs, loose), "") << what;
  }
}
using In = std::vector<Tensor>;

TEST(Linalg, DerivativesAreThoseOfDifferences) {
  manual_seed(7);
  const Tensor a = randn({2, 3, 3}, kF64) + eye(3, kF64) * 2, b = randn({2, 3, 2}, kF64);
  const Tensor tall = randn({4, 3}, kF64), wide = randn({3, 4}, kF64);
  check("solve", [](const In& x) { return solve(x[0], x[1]); }, {a, b});
  check("solve from the right", [](const In& x) { return solve(x[0], t(x[1]), false); }, {a, b});
  check("inv", [](const In& x) { return inv(x[0]); }, {a});
  check("det", [](const In& x) { return det(x[0]); }, {a});
  check("slogdet", [](const In& x) { return slogdet(x[0]).logabsdet; }, {a});
  check("cholesky", [](const In& x) { return cholesky(definite(x[0])); }, {a});
  check("cholesky_solve",
        [](const In& x) { return cholesky_solve(x[1], cholesky(definite(x[0]))); }, {a, b});
  for (bool upper : {false, true})
    for (bool left : {false, true})
      for (bool unit : {false, true})
        check("triangular",
              [=](const In& x) {
                return solve_triangular(x[0], left ? x[1] : t(x[1]), {upper, left, unit});
              },
              {a, b});
  for (const Tensor& x : {a, tall, wide}) {
    check("lu", [](const In& in) { return lu_factor(in[0]).LU; }, {x});
    check("qr",
          [](const In& in) {
            const auto [q, r] = qr(in[0]);
            return sum(sin(q)) + sum(square(r) * r);
          },
          {x});
    check("r", [](const In& in) { return qr(in[0], QRMode::kR).R; }, {x});
    check("pinv", [](const In& in) { return pinv(in[0]); }, {x});
    check("svdvals", [](const In& in) { return svdvals(in[0]); }, {x});
    check("svd",
          [](const In& in) {
            const auto [u, s, vh] = svd(in[0], false);
            return matmul(square(u) * unsqueeze(s * s * s, -2), square(vh));
          },
          {x});
  }
  check("lstsq", [](const In& x) { return lstsq(x[0], x[1]).solution; },
        {tall, randn({4, 2}, kF64)});
  check("lstsq", [](const In& x) { return lstsq(x[0], x[1]).solution; },
        {wide, randn({3, 2}, kF64)});
  check("eigh",
        [](const In& x) {
          const auto [w, v] = eigh(symmetric(x[0]));
          return sum(w * w * w, {-1}) + sum(square(v) * tensor({1.0, 2.0, 5.0}), {-2, -1});
        },
        {a});
  check("eig",
        [](const In& x) {
          const auto [w, v] = eig(x[0]);
          return sum(square(w.re) * w.re - square(w.im) * w.re, {-1}) +
                 sum(square(abs(v)) * unsqueeze(tensor({1.0, 2.0, 5.0}), 1), {-2, -1});
        },
        {a});
  check("eigvals",
        [](const In& x) {
          const Complex w = eigvals(x[0]);
          return square(w.re) + square(w.im);
        },
        {a});
  check("matrix_exp", [](const In& x) { return matrix_exp(x[0]); }, {a});
  check("sqrtm", [](const In& x) { return sqrtm(definite(x[0])); }, {a});
  check("logm", [](const In& x) { return logm(definite(x[0])); }, {a});
  check("solve_refined", [](const In& x) { return solve_refined(x[0], x[1]); }, {a, b});
  check("gram", [](const In& x) { return gram(x[0]); }, {wide});
  check("eigh of a pair",
        [](const In& x) {
          const auto [w, v] = eigh(symmetric(x[0]), definite(x[1]));
          return sum(w * w * w, {-1}) + sum(square(v) * tensor({1.0, 2.0, 5.0}), {-2, -1});
        },
        {a, randn({2, 3, 3}, kF64)});
  check("eigvals of a pair",
        [](const In& x) {
          const Complex w = eigvals(x[0], definite(x[1]));
          return square(w.re) + square(w.im);
        },
        {a, randn({2, 3, 3}, kF64)});
  check("householder", [](const In& x) { return householder_product(x[0], x[1]); },
        {tall, randn({2}, kF64)});
  check("lu_solve",
        [](const In& x) {
          const auto [f, p] = lu_factor(x[0]);
          return lu_solve(f, p, x[1]);
        },
        {a, b});
  for (double p : {1.0, 2.0, 3.0})
    check("vector_norm", [p](const In& x) { return vector_norm(x[0], p, {-1}); }, {a});
  check("nuclear", [](const In& x) { return matrix_norm(x[0], NormOrder::kNuc); }, {a});
}

TEST(Linalg, EdgesOfDerivatives) {
  // The cofactors of a matrix of rank 1, and of 2 x 2 where it is plain.
  const Tensor a = trainable(tensor({{1.0, 2.0}, {2.0, 4.0}}));
  expect_values(gradients(det(a), {a})[0], {2, 2}, {4, -2, -2, 1}, 1e-13);
  const Tensor zero = trainable(zeros({3}, kF64));
  expect_values(gradients(vector_norm(zero), {zero})[0], {3}, {0, 0, 0});
  // Between equal eigenvalues and singular values: values have a derivative, and nothing is NaN.
  const Tensor one = trainable(eye(3, kF64));
  const auto [w, v] = eigh(one);
  expect_same(gradients(sum(w), {one})[0], eye(3, kF64), 1e-12);
  EXPECT_TRUE(all(isfinite(gradients(sum(v * w), {one})[0])).item<bool>());
  const auto [u, s, vh] = svd(one);
  expect_same(gradients(sum(s), {one})[0], eye(3, kF64), 1e-12);
  const Tensor tall = trainable(randn({4, 3}, kF64));
  EXPECT_NE(message_of([&] {
              gradients(sum(qr(tall, QRMode::kComplete).Q), {tall});
            }).find("no gradient"),
            std::string::npos);
}

TEST(Linalg, VmapIsALoopAndJvpTheTransposedVjp) {
  const Tensor a = randn({4, 3, 3}, kF64) + eye(3, kF64) * 2, b = randn({3, 2}, kF64);
  const auto f = [](const In& x) { return solve(x[0], x[1]); };
  const Tensor all = vmap(f, {0, -1})({a, b});
  for (int64_t i = 0; i < 4; ++i) expect_same(index(all, {i}), solve(index(a, {i}), b), 1e-13);
  const auto g = [](const In& x) {
    const auto [u, s, vh] = svd(x[0]);
    return matmul(square(u), unsqueeze(s, -1));
  };
  const Tensor each = vmap(g)({a});
  for (int64_t i = 0; i < 4; ++i) expect_same(index(each, {i}), g({index(a, {i})}), 1e-12);
  for (const TensorFunction& h :
       {TensorFunction([](const In& x) { return inv(x[0]); }),
        TensorFunction([](const In& x) { return cholesky(definite(x[0])); }),
        TensorFunction([](const In& x) { return qr(x[0]).Q; }),
        TensorFunction([](const In& x) { return pinv(x[0]); }),
        TensorFunction([](const In& x) { return householder_product(x[0], index(x[0], {0})); }),
        TensorFunction([](const In& x) { return matrix_exp(x[0]); })}) {
    const Tensor along = randn({3, 3}, kF64), x = index(a, {1}), y = h({x});
    const Tensor back = randn(y.shape(), kF64);
    const double forward = sum(jvp(h, {x}, {along}).second * back).item();
    const double reverse = sum(vjp(h, {x}, back).second[0] * along).item();
    EXPECT_NEAR(forward, reverse, 1e-9 * (1 + std::abs(forward)));
    const Tensor mapped = vmap(h)({a});
    expect_same(index(mapped, {1}), y, 1e-11);
  }
}

// ---- Edges --------------------------------------------------------------------------------------

TEST(Linalg, EmptyMatrices) {
  for (const Shape& s : {Shape{0, 3, 3}, Shape{2, 0, 0}}) {
    const Tensor a = zeros(s, kF64);
    EXPECT_EQ(inv(a).shape(), s);
    EXPECT_EQ(det(a).to_vector<double>(), std::vector<double>(s[0], 1.0));
    EXPECT_EQ(cholesky(a).shape(), s);
    EXPECT_EQ(svd(a).U.to_vector<double>().size(), static_cast<size_t>(s.numel()));
    EXPECT_EQ(eigh(a).eigenvectors.to_vector<double>().size(), static_cast<size_t>(s.numel()));
    EXPECT_EQ(eig(a).eigenvectors.re.to_vector<double>().size(), static_cast<size_t>(s.numel()));
    EXPECT_EQ(matrix_exp(a).to_vector<double>().size(), static_cast<size_t>(s.numel()));
    EXPECT_EQ(solve(a, a).to_vector<double>().size(), static_cast<size_t>(s.numel()));
    EXPECT_EQ(lu(a).U.to_vector<double>().size(), static_cast<size_t>(s.numel()));
  }
  for (const Shape& s : {Shape{0, 3}, Shape{3, 0}}) {
    const Tensor a = zeros(s, kF64);
    EXPECT_EQ(qr(a, QRMode::kComplete).Q.shape(), (Shape{s[0], s[0]}));
    expect_same(qr(a, QRMode::kComplete).Q, eye(s[0], kF64));
    expect_same(svd(a).U, eye(s[0], kF64));
    expect_same(svd(a).Vh, eye(s[1], kF64));
    EXPECT_EQ(pinv(a).to_vector<double>().size(), 0u);
    expect_values(lstsq(a, zeros({s[0], 2}, kF64)).solution, {s[1], 2},
                  std::vector<double>(2 * s[1]));
    expect_values(matrix_rank(a), {}, {0});
  }
}

TEST(Linalg, SaysWhatIsWrong) {
  const auto says = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  const Tensor ones3 = ones({3, 3}, kF64), good = eye(3, kF64);
  const Tensor two = stack({good, ones3});
  says(message_of<ValueError>([&] { eval({inv(two)}); }),
       "linalg.inv: the matrix of batch element 1 is singular: U[1, 1] is zero");
  says(message_of<ValueError>([&] { eval({solve(two, ones3)}); }),
       "linalg.solve: the matrix of batch element 1 is singular");
  says(message_of<ValueError>([&] { eval({cholesky(-good)}); }),
       "linalg.cholesky: the matrix is not positive definite: its leading part of order 1");
  says(message_of<ValueError>([&] { eval({svd(good * NAN).U}); }), "not finite");
  says(message_of<ValueError>([&] { eval({eigvalsh(good * NAN)}); }),
       "linalg.eigh: the matrix has numbers that are not finite");
  says(message_of<ValueError>([&] { eval({eigvals(good * INFINITY).re}); }), "not finite");
  says(message_of<ValueError>([&] { eval({lstsq(good * NAN, good).solution}); }), "not finite");
  says(message_of<ShapeError>([&] {
         inv(ones({2, 3}));
       }),
       "matrices 2 x 3 are not square: (2, 3) at ");
  says(message_of<ShapeError>([&] { inv(ones({3})); }), "is no matrix");
  says(message_of<ShapeError>([&] { det(ones({3, 3}, kI64)); }), "f32 or f64, not i64");
  says(message_of<ShapeError>([&] { solve(good, ones({4, 1}, kF64)); }), "sizes differ");
  says(message_of<ShapeError>([&] { solve(good, ones({3, 1})); }), "dtypes");
  says(message_of<ShapeError>([&] {
         solve(expand(good, {2, 3, 3}), ones({5, 3, 1}, kF64));
       }),
       "batches");
  says(message_of<ShapeError>([&] { svd(Tensor()); }), "not defined");
  says(message_of<ShapeError>([&] { matrix_norm(good, 3); }), "order 3");
  says(message_of<ShapeError>([&] { vander(ones({2}), -1); }), "-1 columns");
  says(message_of<ShapeError>([&] { svd(expand(ones({1, 1}), {30000, 30000})); }), "too large");
  for (int64_t n : {3, 300}) EXPECT_THROW(eval({cholesky(full({n, n}, NAN, kF64))}), ValueError);
  EXPECT_THROW(matrix_power(good, INT64_MIN), ShapeError);
  EXPECT_THROW(tensorinv(good, -1), ShapeError);
  EXPECT_THROW(cross(good, ones({3, 2}, kF64)), ShapeError);
  EXPECT_THROW(multi_dot({good}), ShapeError);
  EXPECT_THROW(matrix_norm(good, 2, {0, 0}), ShapeError);
  EXPECT_THROW(lu_solve(good, ones({2}, kI32), good), ShapeError);
  EXPECT_THROW(eval({lu_solve(good, full({3}, 9, kI32), good)}), ValueError);
  EXPECT_THROW(eval({lu_solve(good, full({3}, 0, kI32), good)}), ValueError);
}

TEST(Linalg, SameBitsForAnyNumberOfThreadsAndInEagerMode) {
  const Tensor a = definite(randn({300, 300}, kF64)) * 0.01, many = randn({50, 8, 8}, kF64);
  const auto values = [&] {
    std::vector<double> all;
    for (const Tensor& x :
         {inv(a), cholesky(a), qr(a).Q, det(a * 0.3), matrix_exp(a * 0.1), solve(a, a), lu(a).U,
          svd(many).U, eigh(symmetric(many)).eigenvectors, inv(many), pinv(many)}) {
      const std::vector<double> part = x.to_vector<double>();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  const int threads = num_threads();
  set_num_threads(1);
  const std::vector<double> alone = values();
  for (int n : {2, 4}) {
    set_num_threads(n);
    EXPECT_EQ(values(), alone) << n;
  }
  set_num_threads(threads);
  set_eager(true);
  EXPECT_EQ(values(), alone);
  set_eager(false);
}

}  // namespace
}  // namespace glia::linalg
