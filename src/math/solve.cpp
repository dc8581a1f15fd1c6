// LU factors, and the equations, inverses and determinants that they give.
#include <fmt/format.h>

#include <cmath>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;
using dense::Triangle;

double cubed(const Sizes& s) {
  return static_cast<double>(s.size()) * static_cast<double>(s.least());
}

// ---- LU(a) -> L\U, pivots (from 1), the rows' permutation ---------------------------------------

// Row i of P^T A is row perm[i] of A.
void permutation_of(const int* pivots, int64_t count, int64_t rows, int64_t* perm) {
  for (int64_t i = 0; i < rows; ++i) perm[i] = i;
  for (int64_t i = 0; i < count; ++i) std::swap(perm[i], perm[pivots[i] - 1]);
}

template <class T>
void run_lu(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  each_matrix(s.batch, cubed(s), [&](int64_t i) {
    Scratch<T> columns(s.size());
    Scratch<int> pivots(s.least());
    dense::transpose(matrix<const T>(call.in[0], i, s.size()), s.rows, s.cols, columns.data());
    dense::factor_lu(Matrix<T>(columns.data(), s.rows, s.cols), pivots.data());
    if (T* const to = matrix<T>(call.out[0], i, s.size()))
      dense::transpose(columns.data(), s.cols, s.rows, to);
    if (int* const to = matrix<int>(call.out[1], i, s.least()))
      std::copy_n(pivots.data(), s.least(), to);
    if (int64_t* const to = matrix<int64_t>(call.out[2], i, s.rows))
      permutation_of(pivots.data(), s.least(), s.rows, to);
    return 0;
  });
}

// Of the square part, then of what a tall or wide matrix has besides: what is below is L2 = A2
// U^-1, what is to the right U2 = L^-1 A2 (Walter & Lehmann 2013).
void vjp_lu(Vjp& v) {
  const Tensor& g = v.g(0);
  if (!g.defined()) return;
  const Shape shape = v.in_shape(0), batch = batch_of(shape);
  const Where& where = v.where();
  const int64_t m = shape.size(-2), n = shape.size(-1), k = std::min(m, n);
  const Tensor lu = result(v, 0, shape), perm = output(v.out(), 2, joined(batch, {m}), kI64);
  const Tensor square = rows_of(cols_of(lu, 0, k), 0, k);
  const Triangle upper{.upper = true};
  const Tensor l = lower_part(square, -1) + eye(k, lu.dtype()), u = upper_part(square);
  Tensor gl = lower_part(rows_of(cols_of(g, 0, k), 0, k), -1);
  Tensor gu = upper_part(rows_of(cols_of(g, 0, k), 0, k));
  // x U^-T, and L^-T x.
  const auto by_u = [&](const Tensor& x) {
    return t(divide_triangular(square, t(x), upper, where));
  };
  const auto by_l = [&](const Tensor& x) {
    return divide_triangular(square, x, {.transposed = true, .unit = true}, where);
  };
  Tensor beside;
  if (m > n) {
    beside = by_u(rows_of(g, k, m));
    gu = gu - upper_part(matmul(t(rows_of(lu, k, m)), beside));
  } else if (n > m) {
    beside = by_l(cols_of(g, k, n));
    gl = gl - lower_part(matmul(beside, t(cols_of(lu, k, n))), -1);
  }
  const Tensor inner = lower_part(matmul(t(l), gl), -1) + upper_part(matmul(gu, t(u)));
  Tensor ga = by_l(by_u(inner));
  if (beside.defined()) ga = concat({ga, beside}, m > n ? -2 : -1);
  v.set(0, permute_rows(ga, argsort(perm)));
}
const Op kLU{.name = "linalg_lu",
             .kind = Kind::kKernel,
             .vjp = vjp_lu,
             .run = GLIA_RUN(run_lu),
             .batch = batch_in_front,
             .outputs = 3};

// ---- pivots -> the rows' permutation ----

struct PermutationAttributes {
  int64_t rows = 0;
  GLIA_ATTRIBUTES(rows)
};
void run_permutation(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const int64_t count = shape.size(-1), rows = call.attributes<PermutationAttributes>().rows;
  const int* const pivots = call.in[0].as<const int>();
  const int64_t batch = rows ? call.out[0].numel() / rows : 0;
  for (int64_t i = 0; i < batch; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      const int pivot = pivots[i * count + j];
      if (pivot < 1 || pivot > rows)
        throw ValueError(fmt::format("linalg: the pivot {} is not in 1 .. {}", pivot, rows));
    }
    permutation_of(pivots + i * count, count, rows, call.out[0].as<int64_t>() + i * rows);
  }
}
const Op kPermutation{.name = "linalg_permutation",
                      .kind = Kind::kKernel,
                      .attributes = kAttributeFields<PermutationAttributes>,
                      .run = run_permutation,
                      .batch = batch_in_front,
                      .may_throw = true};

// ---- triangular(a, b): op(a)^-1 b ---------------------------------------------------------------

struct TriangleAttributes {
  bool upper = false, transposed = false, unit = false;
  GLIA_ATTRIBUTES(upper, transposed, unit)
};

// By columns the arrays are the transposes: X^T = B^T op(A)^-T.
template <class T>
void run_triangular(const KernelCall& call) {
  const Sizes s(call.in[1].layout.shape);
  const auto [upper, transposed, unit] = call.attributes<TriangleAttributes>();
  const Triangle kind{!upper, transposed, unit};
  each_matrix(s.batch, static_cast<double>(s.size()) * static_cast<double>(s.rows), [&](int64_t i) {
    const T* const b = matrix<const T>(call.in[1], i, s.size());
    T* const x = matrix<T>(call.out[0], i, s.size());
    if (x != b) std::copy_n(b, s.size(), x);
    const T* const a = matrix<const T>(call.in[0], i, s.rows * s.rows);
    dense::divide_right<T>({a, s.rows, s.rows}, kind, Matrix<T>(x, s.cols, s.rows));
    return 0;
  });
}
void vjp_triangular(Vjp& v) {
  const auto [upper, transposed, unit] = v.attributes<TriangleAttributes>();
  const Tensor x = v.out();
  const Tensor gb = divide_triangular(v.in(0), v.g(), {upper, !transposed, unit}, v.where());
  v.set(1, gb);
  if (!v.needs(0)) return;
  const Tensor ga = transposed ? matmul(x, t(gb)) : matmul(gb, t(x));
  v.set(0, -(upper ? upper_part(ga, unit) : lower_part(ga, -int{unit})));
}
int second_over_second(const Recorded&, int) { return 1; }
const Op kTriangular{.name = "linalg_triangular",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<TriangleAttributes>,
                     .vjp = vjp_triangular,
                     .run = GLIA_RUN(run_triangular),
                     .overwrites = second_over_second,
                     .batch = batch_in_front};

// ---- solve(a, lu, pivots, b): op(a)^-1 b, where the factors are a's
// -------------------------------

struct SolveAttributes {
  bool adjoint = false;
  GLIA_ATTRIBUTES(adjoint)
};

// The first zero on the diagonal, from 1, or 0.
template <class T>
int first_zero(const T* lu, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (lu[i * n + i] == 0) return static_cast<int>(i + 1);
  return 0;
}
std::string singular(int at) { return fmt::format("is singular: U[{0}, {0}] is zero", at - 1); }

// Swaps rows of x (rows, cols) by pivots, in order or back.
template <class T>
void swap_rows(T* x, int64_t cols, const int* pivots, int64_t count, bool back) {
  for (int64_t k = 0; k < count; ++k) {
    const int64_t i = back ? count - 1 - k : k, other = pivots[i] - 1;
    if (other != i) std::swap_ranges(x + i * cols, x + (i + 1) * cols, x + other * cols);
  }
}

template <class T>
void run_solve(const KernelCall& call) {
  const Shape& shape = call.in[3].layout.shape;
  const Sizes s(shape);
  const bool adjoint = call.attributes<SolveAttributes>().adjoint;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, static_cast<double>(s.size()) * static_cast<double>(s.rows),
      [&](int64_t i) {
        const int64_t n = s.rows;
        const T* const lu = matrix<const T>(call.in[1], i, n * n);
        const int* const pivots = matrix<const int>(call.in[2], i, n);
        if (const int at = first_zero(lu, n)) return at;
        T* const x = matrix<T>(call.out[0], i, s.size());
        const T* const b = matrix<const T>(call.in[3], i, s.size());
        if (x != b) std::copy_n(b, s.size(), x);
        // By columns: x^T (cols, n), and the factors transposed: L^T is upper, U^T lower.
        const Matrix<const T> f(lu, n, n);
        const Matrix<T> y(x, s.cols, n);
        const Triangle l{.upper = true, .transposed = adjoint, .unit = true};
        const Triangle u{.upper = false, .transposed = adjoint};
        if (!adjoint) swap_rows(x, s.cols, pivots, n, false);
        dense::divide_right<T>(f, adjoint ? u : l, y);
        dense::divide_right<T>(f, adjoint ? l : u, y);
        if (adjoint) swap_rows(x, s.cols, pivots, n, true);
        return 0;
      },
      &info);
  if (failed >= 0) fail_matrix("linalg.solve", shape, failed, singular(info));
}
Tensor record_solve(const Tensor& a, const Factors& f, const Tensor& b, bool adjoint,
                    const Where& where);
void vjp_solve(Vjp& v) {
  const bool adjoint = v.attributes<SolveAttributes>().adjoint;
  const Tensor gb = record_solve(v.in(0), {v.in(1), v.in(2), {}}, v.g(), !adjoint, v.where());
  v.set(3, gb);
  if (v.needs(0)) v.set(0, -(adjoint ? matmul(v.out(), t(gb)) : matmul(gb, t(v.out()))));
}
int over_last(const Recorded&, int) { return 3; }
const Op kSolve{.name = "linalg_solve",
                .kind = Kind::kKernel,
                .attributes = kAttributeFields<SolveAttributes>,
                .vjp = vjp_solve,
                .run = GLIA_RUN(run_solve),
                .overwrites = over_last,
                .batch = batch_in_front,
                .may_throw = true};
Tensor record_solve(const Tensor& a, const Factors& f, const Tensor& b, bool adjoint,
                    const Where& where) {
  return record(kSolve, {a.node(), f.lu.node(), f.pivots.node(), b.node()}, b.shape(), b.dtype(),
                SolveAttributes{adjoint}, where);
}

// ---- inv(a) -------------------------------------------------------------------------------------

template <class T>
void run_inv(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, 3 * cubed(s),
      [&](int64_t i) {
        T* const to = matrix<T>(call.out[0], i, s.size());
        const T* const from = matrix<const T>(call.in[0], i, s.size());
        if (to != from) std::copy_n(from, s.size(), to);
        return dense::invert(Matrix<T>(to, s.rows, s.rows));  // by columns or rows alike
      },
      &info);
  if (failed >= 0) fail_matrix("linalg.inv", shape, failed, singular(info));
}
void vjp_inv(Vjp& v) {
  const Tensor y = t(v.out());
  v.set(0, -matmul(y, matmul(v.g(), y)));
}
const Op kInv{.name = "linalg_inv",
              .kind = Kind::kKernel,
              .vjp = vjp_inv,
              .run = GLIA_RUN(run_inv),
              .overwrites = first_over_first,
              .batch = batch_in_front,
              .may_throw = true};

// ---- det(a), cofactor(a), slogdet(a)
// --------------------------------------------------------------

// The sign of the permutation times that of the diagonal, and log |det|.
template <class T>
std::pair<T, T> signed_log(const T* a, int64_t n) {
  Scratch<T> lu(n * n);
  Scratch<int> pivots(n);
  std::copy_n(a, n * n, lu.data());
  dense::factor_lu(Matrix<T>(lu.data(), n, n), pivots.data());
  T sign = 1;
  double log = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T u = lu.data()[i * n + i];
    if ((pivots.data()[i] != i + 1) != (u < 0)) sign = -sign;
    if (u == 0) sign = 0;
    log += std::log(static_cast<double>(std::abs(u)));
  }
  if (std::isnan(log)) return {T(NAN), T(NAN)};
  return {sign, static_cast<T>(log)};
}
// The product in doubles: that of f32 neither over- nor underflows on the way.
template <class T>
T determinant(const T* a, int64_t n) {
  Scratch<T> lu(n * n);
  Scratch<int> pivots(n);
  std::copy_n(a, n * n, lu.data());
  dense::factor_lu(Matrix<T>(lu.data(), n, n), pivots.data());
  double product = 1;
  for (int64_t i = 0; i < n; ++i) {
    product *= static_cast<double>(lu.data()[i * n + i]);
    if (pivots.data()[i] != i + 1) product = -product;
  }
  return static_cast<T>(product);
}

template <class T>
void run_det(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  each_matrix(s.batch, cubed(s), [&](int64_t i) {
    call.out[0].as<T>()[i] = determinant(matrix<const T>(call.in[0], i, s.size()), s.rows);
    return 0;
  });
}
Tensor cofactor(const Tensor& a, const Where& where);
void vjp_det(Vjp& v) {
  const Tensor g = unsqueeze(unsqueeze(v.g(), -1), -1);
  v.set(0, g * cofactor(v.in(0), v.where()));
}
const Op kDet{.name = "linalg_det",
              .kind = Kind::kKernel,
              .vjp = vjp_det,
              .run = GLIA_RUN(run_det),
              .batch = batch_in_front};

// d det(A) / d A = det(A) A^-T, which also exists where the inverse does not: with A = U S V^T it
// is det(U) det(V) U diag(the products of the other singular values) V^T.
void vjp_cofactor(Vjp& v) {
  const Tensor a = v.in(0), inverse = t(inv(a, v.where())), g = v.g();
  const Tensor along = sum(g * inverse, {-2, -1}, true);
  v.set(0, v.out() * along - matmul(v.out(), matmul(t(g), inverse)));
}

template <class T>
void run_cofactor(const KernelCall& call);
const Op kCofactor{.name = "linalg_cofactor",
                   .kind = Kind::kKernel,
                   .vjp = vjp_cofactor,
                   .run = GLIA_RUN(run_cofactor),
                   .batch = batch_in_front,
                   .may_throw = true};
Tensor cofactor(const Tensor& a, const Where& where) {
  return record(kCofactor, {a.node()}, a.shape(), a.dtype(), {}, where);
}

// By singular values: for the matrices that have no inverse.
template <class T>
bool cofactor_by_svd(const T* a, int64_t n, T* out) {
  if (!all_finite(a, n * n)) {
    std::fill_n(out, n * n, T(NAN));
    return true;
  }
  Scratch<T> copy(n * n), s(n), u(n * n), vt(n * n);
  std::copy_n(a, n * n, copy.data());
  const Matrix<T> left(u.data(), n, n), right(vt.data(), n, n);
  if (dense::factor_svd('S', Matrix<T>(copy.data(), n, n), s.data(), left, right) != 0)
    return false;
  const T sign = determinant(u.data(), n) * determinant(vt.data(), n) < 0 ? T{-1} : T{1};
  for (int64_t j = 0; j < n; ++j) {
    double others = sign;
    for (int64_t k = 0; k < n; ++k) others *= k == j ? 1 : static_cast<double>(s.data()[k]);
    for (int64_t i = 0; i < n; ++i) left(i, j) *= static_cast<T>(others);
  }
  dense::multiply<T>(left, false, right, false, 1, 0, Matrix<T>(out, n, n));
  return true;
}

template <class T>
void run_cofactor(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  const int64_t n = s.rows;
  const int64_t failed = each_matrix(s.batch, 3 * cubed(s), [&](int64_t i) {
    const T* const a = matrix<const T>(call.in[0], i, s.size());
    T* const out = matrix<T>(call.out[0], i, s.size());
    if (n == 0) return 0;
    Scratch<T> inverse(n * n);
    std::copy_n(a, n * n, inverse.data());
    const T det = determinant(a, n);
    if (det == 0 || dense::invert(Matrix<T>(inverse.data(), n, n)) != 0)
      return cofactor_by_svd(a, n, out) ? 0 : 1;
    dense::transpose(inverse.data(), n, n, out);
    for (int64_t j = 0; j < n * n; ++j) out[j] *= det;
    return 0;
  });
  if (failed >= 0)
    fail_matrix("linalg.det", call.in[0].layout.shape, failed, "has no gradient: not converged");
}

template <class T>
void run_slogdet(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  each_matrix(s.batch, cubed(s), [&](int64_t i) {
    const auto [sign, log] = signed_log(matrix<const T>(call.in[0], i, s.size()), s.rows);
    if (call.out[0].data) call.out[0].as<T>()[i] = sign;
    if (call.out[1].data) call.out[1].as<T>()[i] = log;
    return 0;
  });
}
void vjp_slogdet(Vjp& v) {
  if (!v.g(1).defined()) return;
  v.set(0, unsqueeze(unsqueeze(v.g(1), -1), -1) * t(inv(v.in(0), v.where())));
}
const Op kSlogdet{.name = "linalg_slogdet",
                  .kind = Kind::kKernel,
                  .vjp = vjp_slogdet,
                  .run = GLIA_RUN(run_slogdet),
                  .batch = batch_in_front,
                  .outputs = 2};

const RegisterOp registered[] = {
    RegisterOp(kLU),  RegisterOp(kPermutation), RegisterOp(kTriangular), RegisterOp(kSolve),
    RegisterOp(kInv), RegisterOp(kDet),         RegisterOp(kCofactor),   RegisterOp(kSlogdet)};

Factors record_lu(const Tensor& a, const Where& where) {
  const Shape batch = batch_of(a.shape());
  const int64_t m = a.size(-2), k = std::min(m, a.size(-1));
  const Tensor tuple = record(kLU, {a.node()}, {}, a.dtype(), {}, where);
  return {output(tuple, 0, a.shape(), a.dtype()),
          stop_gradient(output(tuple, 1, joined(batch, {k}), kI32)),
          stop_gradient(output(tuple, 2, joined(batch, {m}), kI64))};
}

// The rows' order that pivots (..., min(M, N)) of factors (..., M, N) stand for.
Tensor permutation(const char* op, const Tensor& lu, const Tensor& pivots, const Where& where) {
  require_defined(op, pivots, where);
  const int64_t m = lu.size(-2);
  const Shape batch = batch_of(lu.shape()), shape = joined(batch, {std::min(m, lu.size(-1))});
  if (pivots.dtype() != kI32 || pivots.shape() != shape)
    fail(op,
         fmt::format("pivots are {} {}, not i32 {}", name(pivots.dtype()), pivots.shape().str(),
                     shape.str()),
         where);
  return record(kPermutation, {pivots.node()}, joined(batch, {m}), kI64, PermutationAttributes{m},
                where);
}
LUResult unpacked(const Tensor& lu, const Tensor& perm) {
  const int64_t m = lu.size(-2), k = std::min(m, lu.size(-1));
  const Tensor l = lower_part(cols_of(lu, 0, k), -1);
  return {t(one_hot(perm, m, lu.dtype())), l + cols_of(eye(m, lu.dtype()), 0, k),
          upper_part(rows_of(lu, 0, k))};
}

}  // namespace

RightSide right_side(const char* op, const Tensor& a, const Tensor& b, bool left,
                     const Where& where) {
  require_defined(op, b, where);
  if (b.dtype() != a.dtype())
    fail(op, fmt::format("dtypes {} and {} differ", name(a.dtype()), name(b.dtype())), where);
  const bool vector =
      b.rank() == 1 || (b.rank() == a.rank() - 1 && b.shape() == batch_of(a.shape(), 1));
  if (b.rank() == 0 || (vector && !left))
    fail(op, fmt::format("a right side {} of {}", b.shape().str(), a.shape().str()), where);
  const Tensor columns = vector ? unsqueeze(b, -1) : b;
  const int64_t rows = columns.size(left ? -2 : -1);
  if (rows != a.size(-1))
    fail(op, fmt::format("sizes differ: {} and {}", a.shape().str(), b.shape().str()), where);
  return {columns, vector};
}

Factors factorise(const Tensor& a, const Where& where) {
  const NoGrad off;
  return record_lu(a, where);
}

Tensor divide_triangular(const Tensor& a, const Tensor& b, const dense::Triangle& kind,
                         const Where& where) {
  return record(kTriangular, {a.node(), b.node()}, b.shape(), b.dtype(),
                TriangleAttributes{kind.upper, kind.transposed, kind.unit}, where);
}

Tensor solve(const Tensor& a, const Tensor& b, bool left, Where where) {
  constexpr const char* kName = "linalg.solve";
  require_square(kName, a, where);
  const RightSide right = right_side(kName, a, b, left, where);
  const auto [matrices, sides] = same_batch(kName, a, left ? right.b : t(right.b), where);
  // Factors of the matrices as they were given: broadcasting repeats them.
  const Tensor x = record_solve(matrices, factorise(matrices, where), sides, !left, where);
  return right.vector ? squeeze(x, -1) : left ? x : t(x);
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, const TriangularOptions& options,
                        Where where) {
  constexpr const char* kName = "linalg.solve_triangular";
  require_square(kName, a, where);
  const RightSide right = right_side(kName, a, b, options.left, where);
  if (right.vector) fail(kName, "b is a vector, not a matrix " + b.shape().str(), where);
  const auto [matrices, sides] = same_batch(kName, a, options.left ? right.b : t(right.b), where);
  const Tensor x = divide_triangular(matrices, sides,
                                     {options.upper, !options.left, options.unitriangular}, where);
  return options.left ? x : t(x);
}

Tensor inv(const Tensor& a, Where where) {
  require_square("linalg.inv", a, where);
  return record(kInv, {a.node()}, a.shape(), a.dtype(), {}, where);
}

Tensor det(const Tensor& a, Where where) {
  require_square("linalg.det", a, where);
  return record(kDet, {a.node()}, batch_of(a.shape()), a.dtype(), {}, where);
}

SlogdetResult slogdet(const Tensor& a, Where where) {
  require_square("linalg.slogdet", a, where);
  const Tensor tuple = record(kSlogdet, {a.node()}, {}, a.dtype(), {}, where);
  const Shape batch = batch_of(a.shape());
  return {output(tuple, 0, batch, a.dtype()), output(tuple, 1, batch, a.dtype())};
}

Tensor logdet(const Tensor& a, Where where) {
  const auto [sign, logabsdet] = slogdet(a, where);
  return glia::where(sign < 0, NAN, logabsdet);
}

LUResult lu(const Tensor& a, Where where) {
  require_matrix("linalg.lu", a, where);
  const Factors f = record_lu(a, where);
  return unpacked(f.lu, f.perm);
}

LUResult lu_unpack(const Tensor& lu, const Tensor& pivots, Where where) {
  require_matrix("linalg.lu_unpack", lu, where);
  return unpacked(lu, permutation("linalg.lu_unpack", lu, pivots, where));
}

LUFactorResult lu_factor(const Tensor& a, Where where) {
  require_matrix("linalg.lu_factor", a, where);
  const Factors f = record_lu(a, where);
  return {f.lu, f.pivots};
}

Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b,
                const LUSolveOptions& options, Where where) {
  constexpr const char* kName = "linalg.lu_solve";
  require_square(kName, lu, where);
  const Tensor order = permutation(kName, lu, pivots, where);
  const RightSide right = right_side(kName, lu, b, options.left, where);
  if (right.vector) fail(kName, "b is a vector, not a matrix " + b.shape().str(), where);
  const auto [factors, sides] = same_batch(kName, lu, options.left ? right.b : t(right.b), where);
  const Tensor perm = expand(order, batch_of(factors.shape(), 1));
  Tensor x;
  if (options.adjoint == options.left) {
    x = divide_triangular(factors, sides, {.upper = true, .transposed = true}, where);
    x = divide_triangular(factors, x, {.transposed = true, .unit = true}, where);
    x = permute_rows(x, argsort(perm));
  } else {
    x = divide_triangular(factors, permute_rows(sides, perm), {.unit = true}, where);
    x = divide_triangular(factors, x, {.upper = true}, where);
  }
  return options.left ? x : t(x);
}

}  // namespace glia::linalg
