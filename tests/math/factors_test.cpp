// Factorisations by LAPACK's own measure: residuals divided by n |A| eps, below 30 (Anderson et
// al., LAPACK Users' Guide 1999, and its testing programs), on matrices of the kinds of its test
// generator: orders, conditions, scales near under- and overflow, rank deficiency, graded spectra.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "glia/linalg.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/random.h"

namespace glia::linalg {
namespace {

constexpr double kRatio = 30;

double eps_of(const Tensor& a) { return a.dtype() == kF32 ? 0x1p-24 : 0x1p-53; }
double one_norm(const Tensor& a) { return a.numel() ? matrix_norm(cast(a, kF64), 1).item() : 0; }
// |residual| / (n |A| eps).
double ratio(const Tensor& residual, const Tensor& a) {
  const double size = one_norm(a), n = static_cast<double>(std::max(a.size(-1), a.size(-2)));
  const double off = one_norm(residual);
  if (off == 0) return 0;
  return off / (n * size * eps_of(a));
}
Tensor product(const Tensor& a, const Tensor& b) { return matmul(cast(a, kF64), cast(b, kF64)); }
// |1 - Q^T Q| / (n eps).
double orthogonality(const Tensor& q) {
  const Tensor x = cast(q, kF64);
  const int64_t k = q.size(1);
  if (k == 0) return 0;
  return one_norm(eye(k, kF64) - matmul(transpose(x), x)) /
         (static_cast<double>(q.size(0)) * eps_of(q));
}

struct Case {
  std::string name;
  Tensor a;
};
// Orthogonal columns: of a product of reflections.
Tensor orthogonal(int64_t n) { return qr(randn({n, n}, kF64)).Q; }
// With the singular values `s`.
Tensor with_values(int64_t m, int64_t n, const Tensor& s) {
  const int64_t k = std::min(m, n);
  return matmul(slice(orthogonal(m), 1, {0, k}) * s, slice(transpose(orthogonal(n)), 0, {0, k}));
}
std::vector<Case> matrices(int64_t m, int64_t n, DType dtype) {
  const int64_t k = std::min(m, n);
  const double eps = dtype == kF32 ? 0x1p-24 : 0x1p-53;
  const double tiny = dtype == kF32 ? 1e-30 : 1e-290, huge = dtype == kF32 ? 1e30 : 1e290;
  const Tensor line = k > 1 ? arange(0, k, 1, kF64) / static_cast<double>(k - 1) : zeros({k}, kF64);
  const auto graded = [&](double condition) { return pow(1 / condition, line); };
  std::vector<Case> all{{"random", randn({m, n}, kF64)},
                        {"condition 0.1 / eps", with_values(m, n, graded(0.1 / eps))},
                        {"condition 1 / sqrt eps", with_values(m, n, graded(1 / std::sqrt(eps)))},
                        {"one small value", with_values(m, n, where(line < 1, 1, eps))},
                        {"one large value", with_values(m, n, where(line == 0, 1, eps * 10))},
                        {"arithmetic", with_values(m, n, 1 - line * (1 - eps))},
                        {"near underflow", tiny * randn({m, n}, kF64)},
                        {"near overflow", huge * randn({m, n}, kF64)},
                        {"rank of one half", with_values(m, n, where(line < 0.5, 1, 0))},
                        {"zero", zeros({m, n}, kF64)},
                        {"upper triangle", triu(randn({m, n}, kF64))}};
  for (Case& c : all) c.a = cast(c.a, dtype);
  return all;
}

class Factors : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override { manual_seed(11); }
  void check(const std::string& what, double value) {
    EXPECT_LT(value, kRatio) << what;
    EXPECT_FALSE(std::isnan(value)) << what;
    worst_ = std::max(worst_, value);
    ++count_;
  }
  void TearDown() override {
    fmt::print("{} ratios, the largest {:.3f}\n", count_, worst_);
    EXPECT_GT(count_, 0);
  }
  double worst_ = 0;
  int count_ = 0;
};
const std::vector<std::pair<int64_t, int64_t>> kSizes{
    {1, 1}, {2, 2}, {5, 5}, {16, 16}, {50, 50}, {130, 130}, {50, 16}, {16, 50}, {200, 3}, {3, 200}};

TEST_P(Factors, Qr) {
  for (const auto& [m, n] : kSizes) {
    for (const Case& c : matrices(m, n, GetParam())) {
      const QRResult r = qr(c.a), full = qr(c.a, QRMode::kComplete);
      check("QR " + c.name, ratio(product(r.Q, r.R) - cast(c.a, kF64), c.a));
      check("Q of QR " + c.name, orthogonality(r.Q));
      check("complete Q " + c.name, orthogonality(full.Q));
      check("complete QR " + c.name, ratio(product(full.Q, full.R) - cast(c.a, kF64), c.a));
    }
  }
}

TEST_P(Factors, LuAndSolutions) {
  for (const auto& [m, n] : kSizes) {
    for (const Case& c : matrices(m, n, GetParam())) {
      const LUResult r = lu(c.a);
      check("LU " + c.name, ratio(product(r.P, product(r.L, r.U)) - cast(c.a, kF64), c.a));
      const bool singular =
          c.name == "zero" || c.name == "rank of one half" || c.name == "upper triangle";
      if (m != n || singular) continue;
      const Tensor b = cast(randn({n, 2}, kF64), GetParam());
      const Tensor x = solve(c.a, b);
      // |b - A x| / (|A| |x| n eps).
      const Tensor rest = product(c.a, x) - cast(b, kF64);
      check("solve " + c.name,
            one_norm(rest) / (one_norm(c.a) * one_norm(x) * static_cast<double>(n) * eps_of(c.a)));
    }
  }
}

TEST_P(Factors, Cholesky) {
  for (const auto& [m, n] : kSizes) {
    if (m != n) continue;
    for (double condition : {1.0, 100.0, 0.01 / eps_of(zeros({1}, GetParam()))}) {
      const Tensor line =
          n > 1 ? arange(0, n, 1, kF64) / static_cast<double>(n - 1) : zeros({n}, kF64);
      const Tensor q = orthogonal(n);
      Tensor a = matmul(q * pow(1 / condition, line), transpose(q));
      a = cast((a + transpose(a)) / 2, GetParam());
      for (bool upper : {false, true}) {
        const Tensor l = cholesky(a, upper);
        const Tensor back = upper ? product(transpose(l), l) : product(l, transpose(l));
        check("Cholesky", ratio(back - cast(a, kF64), a));
      }
    }
  }
}

TEST_P(Factors, SingularValues) {
  for (const auto& [m, n] : kSizes) {
    for (const Case& c : matrices(m, n, GetParam())) {
      const SVDResult r = svd(c.a, false);
      check("SVD " + c.name,
            ratio(product(cast(r.U, kF64) * cast(r.S, kF64), r.Vh) - cast(c.a, kF64), c.a));
      check("U " + c.name, orthogonality(r.U));
      check("V " + c.name, orthogonality(transpose(r.Vh)));
      const std::vector<double> s = r.S.to_vector<double>();
      for (size_t i = 1; i < s.size(); ++i) EXPECT_LE(s[i], s[i - 1]);
    }
  }
}

TEST_P(Factors, SymmetricEigenvalues) {
  for (const auto& [m, n] : kSizes) {
    if (m != n) continue;
    for (const Case& c : matrices(n, n, GetParam())) {
      const Tensor a = c.a / 2 + transpose(c.a) / 2;
      const EighResult r = eigh(a);
      const Tensor v = cast(r.eigenvectors, kF64);
      check("eigh " + c.name, ratio(product(a, v) - v * cast(r.eigenvalues, kF64), a));
      check("vectors " + c.name, orthogonality(r.eigenvectors));
    }
  }
}

TEST_P(Factors, GeneralEigenvalues) {
  for (const auto& [m, n] : kSizes) {
    if (m != n) continue;
    for (const Case& c : matrices(n, n, GetParam())) {
      const EigResult r = eig(c.a);
      const Tensor vr = cast(r.eigenvectors.re, kF64), vi = cast(r.eigenvectors.im, kF64);
      const Tensor wr = cast(r.eigenvalues.re, kF64), wi = cast(r.eigenvalues.im, kF64);
      const Tensor re = product(c.a, vr) - (vr * wr - vi * wi),
                   im = product(c.a, vi) - (vr * wi + vi * wr);
      check("eig " + c.name, ratio(abs(re) + abs(im), c.a));
      const Tensor lengths = sqrt(sum(square(vr) + square(vi), {0}));
      check("lengths " + c.name,
            max(abs(lengths - 1)).item() / eps_of(c.a) / static_cast<double>(n));
    }
  }
}

TEST_P(Factors, LeastSquares) {
  for (const auto& [m, n] : kSizes) {
    if (m < n) continue;
    for (LstsqDriver driver : {LstsqDriver::kGelsy, LstsqDriver::kGelsd}) {
      for (const Case& c : matrices(m, n, GetParam())) {
        if (c.name != "random" && c.name != "arithmetic") continue;
        const Tensor b = cast(randn({m, 2}, kF64), GetParam());
        const Tensor x = lstsq(c.a, b, {.driver = driver}).solution;
        // |A^T (b - A x)| / (n |A| |b| eps): what is left is orthogonal to the columns.
        const Tensor rest = product(c.a, x) - cast(b, kF64);
        const double off = one_norm(product(transpose(c.a), rest));
        check("lstsq " + c.name,
              off / (static_cast<double>(m) * one_norm(c.a) * one_norm(b) * eps_of(c.a)) /
                  std::max(1.0, one_norm(transpose(c.a)) / one_norm(c.a)));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Floats, Factors, testing::Values(kF64, kF32),
                         [](const auto& info) { return info.param == kF64 ? "f64" : "f32"; });

}  // namespace
}  // namespace glia::linalg
