// Eigenvalues of pairs of matrices, bases of what a matrix maps to and of what it maps to zero, and
// refined solutions.
#include <fmt/format.h>

#include <cmath>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;

// Both, of one size and dtype.
void require_pair(const char* op, const Tensor& a, const Tensor& b, const Where& where) {
  require_square(op, a, where);
  require_square(op, b, where);
  if (a.size(-1) != b.size(-1) || a.dtype() != b.dtype())
    fail(op,
         fmt::format("matrices {} {} and {} {} do not fit", name(a.dtype()), a.shape().str(),
                     name(b.dtype()), b.shape().str()),
         where);
}

// The symmetric matrix of which one triangle is read.
Tensor symmetric_of(const Tensor& a, bool upper) {
  const Tensor strict = upper ? upper_part(a, 1) : lower_part(a, -1);
  return strict + t(strict) + diagonal_matrix(diagonal_of(a));
}

// The factor L of B, and L^-1 A L^-T.
struct Reduced {
  Tensor factor, a;
};
Reduced reduced(const char* op, const Tensor& a, const Tensor& b, bool upper, const Where& where) {
  require_pair(op, a, b, where);
  const auto [first, second] = same_batch(op, a, b, where);
  const Tensor l = cholesky(upper ? t(second) : second, false, where);
  const Tensor half = divide_triangular(l, symmetric_of(first, upper), {}, where);
  const Tensor both = divide_triangular(l, t(half), {}, where);
  return {l, (both + t(both)) * 0.5};
}

// How many singular values count, and the vectors that go with them.
struct Spanned {
  SVDResult svd;
  int64_t rank;
};
Spanned spanned(const char* op, const Tensor& a, std::optional<double> rcond, bool full,
                const Where& where) {
  require_matrix(op, a, where);
  if (a.rank() != 2)
    fail(op, fmt::format("a basis is of one matrix, not of {}", a.shape().str()), where);
  if (rcond && !(*rcond >= 0)) throw ValueError(fmt::format("{}: rcond = {}", op, *rcond), where);
  const NoGrad off;
  SVDResult parts = svd(a, full, where);
  const std::vector<double> s = cast(parts.S, kF64).to_vector<double>();
  const double eps = a.dtype() == kF64 ? 0x1p-52 : 0x1p-23;
  const auto size = static_cast<double>(std::max(a.size(-2), a.size(-1)));
  const double least = s.empty() ? 0 : s[0] * rcond.value_or(eps * size);
  int64_t rank = 0;
  for (const double one : s) rank += one > least;
  return {std::move(parts), rank};
}

// ---- refined(a, b): a^-1 b ----------------------------------------------------------------------

// sum a[i] x[i] with what each rounding lost (Ogita, Rump & Oishi 2005, Dot2), and b less it.
template <class T>
double residual_of(const T* row, const double* x, int64_t n, double b) {
  double sum = b, lost = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double a = -static_cast<double>(row[i]), p = a * x[i];
    const double of_product = std::fma(a, x[i], -p), next = sum + p, z = next - sum;
    lost += of_product + ((sum - (next - z)) + (p - z));
    sum = next;
  }
  return sum + lost;
}

constexpr int kSingular = 1, kNotFinite = -1;

template <class T>
int refine(const T* a, const T* b, int64_t n, int64_t columns, T* out) {
  if (!all_finite(a, n * n) || !all_finite(b, n * columns)) return kNotFinite;
  Scratch<double> lu(n * n), x(n), step(n);
  Scratch<int> pivots(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) lu.data()[j * n + i] = static_cast<double>(a[i * n + j]);
  if (dense::factor_lu(Matrix<double>(lu.data(), n, n), pivots.data()) > 0) return kSingular;
  for (int64_t c = 0; c < columns; ++c) {
    std::fill_n(x.data(), n, 0.0);
    double before = INFINITY;
    // Until the correction does not halve any more, as LAPACK's gerfs.
    for (int trial = 0; trial < 10; ++trial) {
      for (int64_t i = 0; i < n; ++i)
        step.data()[i] =
            residual_of(a + i * n, x.data(), n, static_cast<double>(b[i * columns + c]));
      dense::solve_lu<double>({lu.data(), n, n}, pivots.data(), Matrix<double>(step.data(), n, 1));
      double size = 0, of_x = 0;
      for (int64_t i = 0; i < n; ++i) size = std::max(size, std::abs(step.data()[i]));
      if (!std::isfinite(size)) return kSingular;
      if (trial > 0 && size > before / 2) break;
      for (int64_t i = 0; i < n; ++i) {
        x.data()[i] += step.data()[i];
        of_x = std::max(of_x, std::abs(x.data()[i]));
      }
      before = size;
      if (size <= 0x1p-53 * of_x) break;
    }
    for (int64_t i = 0; i < n; ++i) out[i * columns + c] = static_cast<T>(x.data()[i]);
  }
  return 0;
}

template <class T>
void run_refined(const KernelCall& call) {
  const Shape& shape = call.in[1].layout.shape;
  const Sizes s(shape);
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, 4 * static_cast<double>(s.rows * s.rows) * static_cast<double>(s.rows + s.cols),
      [&](int64_t i) {
        return s.size() == 0 ? 0
                             : refine(matrix<const T>(call.in[0], i, s.rows * s.rows),
                                      matrix<const T>(call.in[1], i, s.size()), s.rows, s.cols,
                                      matrix<T>(call.out[0], i, s.size()));
      },
      &info);
  if (failed >= 0)
    fail_matrix(
        "linalg.solve_refined", shape, failed,
        info == kNotFinite ? "or its right side has numbers that are not finite" : "is singular");
}
Tensor record_refined(const Tensor& a, const Tensor& b, const Where& where);
void vjp_refined(Vjp& v) {
  const Tensor gb = record_refined(t(v.in(0)), v.g(), v.where());
  v.set(1, gb);
  if (v.needs(0)) v.set(0, -matmul(gb, t(v.out())));
}
const Op kRefined{.name = "linalg_solve_refined",
                  .kind = Kind::kKernel,
                  .vjp = vjp_refined,
                  .run = GLIA_RUN(run_refined),
                  .batch = batch_in_front,
                  .may_throw = true};
const RegisterOp registered(kRefined);
Tensor record_refined(const Tensor& a, const Tensor& b, const Where& where) {
  return record(kRefined, {a.node(), b.node()}, b.shape(), b.dtype(), {}, where);
}

}  // namespace

EighResult eigh(const Tensor& a, const Tensor& b, bool upper, Where where) {
  const Reduced r = reduced("linalg.eigh", a, b, upper, where);
  const EighResult e = eigh(r.a, false, where);
  return {e.eigenvalues, divide_triangular(r.factor, e.eigenvectors, {.transposed = true}, where)};
}

Tensor eigvalsh(const Tensor& a, const Tensor& b, bool upper, Where where) {
  return eigvalsh(reduced("linalg.eigvalsh", a, b, upper, where).a, false, where);
}

EigResult eig(const Tensor& a, const Tensor& b, Where where) {
  require_pair("linalg.eig", a, b, where);
  return eig(solve(b, a, true, where), where);
}

Complex eigvals(const Tensor& a, const Tensor& b, Where where) {
  require_pair("linalg.eigvals", a, b, where);
  return eigvals(solve(b, a, true, where), where);
}

Tensor null_space(const Tensor& a, std::optional<double> rcond, Where where) {
  const Spanned s = spanned("linalg.null_space", a, rcond, true, where);
  Tensor basis = t(rows_of(s.svd.Vh, s.rank, a.size(-1)));
  eval(basis, where);
  return basis;
}

Tensor orth(const Tensor& a, std::optional<double> rcond, Where where) {
  const Spanned s = spanned("linalg.orth", a, rcond, false, where);
  Tensor basis = cols_of(s.svd.U, 0, s.rank);
  eval(basis, where);
  return basis;
}

Tensor solve_refined(const Tensor& a, const Tensor& b, Where where) {
  constexpr const char* kName = "linalg.solve_refined";
  require_square(kName, a, where);
  const RightSide right = right_side(kName, a, b, true, where);
  const auto [matrices, sides] = same_batch(kName, a, right.b, where);
  const Tensor x = record_refined(matrices, sides, where);
  return right.vector ? squeeze(x, -1) : x;
}

}  // namespace glia::linalg
