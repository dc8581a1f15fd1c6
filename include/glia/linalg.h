// Linear algebra with PyTorch's names (torch.linalg): factorisations, equations, norms. Values are
// LAPACK's (OpenBLAS, which is set to one thread: batches and blocks run on Glia's), and every
// function has derivatives of any order unless it says otherwise. A component of its own: link
// glia::math.
//
// Matrices are f32 or f64 (..., M, N); axes in front are batches. Functions throw ShapeError for
// what does not fit, and ValueError, when the value is computed, for a matrix that is singular, not
// positive definite or has numbers that are not finite where that matters; it names the matrix.
#pragma once

#include <optional>
#include <vector>

#include "glia/complex.h"
#include "glia/ops.h"

namespace glia::linalg {

// ---- Equations --------------------------------------------------------------------------------

// X of A X = B, or of X A = B unless `left`: a (..., N, N), b (..., N, K), or (..., N) where its
// shape is that of a without the last axis or it has rank 1. Batches broadcast.
Tensor solve(const Tensor& a, const Tensor& b, bool left = true, Where where = Where::current());

struct TriangularOptions {
  bool upper = false;          // else lower; the other triangle is not read
  bool left = true;            // A X = B, else X A = B
  bool unitriangular = false;  // the diagonal counts as ones and is not read
};
// As solve() for a triangular matrix. A zero on the diagonal gives infinities.
Tensor solve_triangular(const Tensor& a, const Tensor& b, const TriangularOptions& options = {},
                        Where where = Where::current());

// As solve(), for systems that lose digits: residuals are summed in twice the precision, and the
// solution is corrected by them until that is of no more use (Wilkinson 1963; Ogita, Rump & Oishi
// 2005). It is right to the last digits unless A is singular to working precision.
Tensor solve_refined(const Tensor& a, const Tensor& b, Where where = Where::current());

Tensor inv(const Tensor& a, Where where = Where::current());
// (..., N, N) -> (...). The gradient is that of the cofactors, right for singular matrices too.
Tensor det(const Tensor& a, Where where = Where::current());
struct SlogdetResult {
  Tensor sign, logabsdet;
};
// det = sign * exp(logabsdet); 0 and -infinity of a singular matrix, which has no gradient.
SlogdetResult slogdet(const Tensor& a, Where where = Where::current());
// log(det): minus infinity of a singular matrix, NaN where the determinant is negative.
Tensor logdet(const Tensor& a, Where where = Where::current());

// ---- Factorisations ---------------------------------------------------------------------------

// L of A = L L^T, or U of A = U^T U; only that triangle of A is read, and the gradient is
// symmetric.
Tensor cholesky(const Tensor& a, bool upper = false, Where where = Where::current());
// X of A X = B, and the inverse of A, by A's factor: torch.cholesky_solve and cholesky_inverse.
Tensor cholesky_solve(const Tensor& b, const Tensor& l, bool upper = false,
                      Where where = Where::current());
Tensor cholesky_inverse(const Tensor& l, bool upper = false, Where where = Where::current());

struct LUResult {
  Tensor P, L, U;  // (..., M, M), (..., M, K), (..., K, N) with K = min(M, N)
};
// A = P L U with rows exchanged for the largest pivot.
LUResult lu(const Tensor& a, Where where = Where::current());
struct LUFactorResult {
  Tensor LU, pivots;  // L below the diagonal and U in one (..., M, N); (..., K) i32, from 1
};
LUFactorResult lu_factor(const Tensor& a, Where where = Where::current());
// P, L and U of what lu_factor() gives.
LUResult lu_unpack(const Tensor& lu, const Tensor& pivots, Where where = Where::current());
struct LUSolveOptions {
  bool left = true;
  bool adjoint = false;  // of A transposed
};
Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b,
                const LUSolveOptions& options = {}, Where where = Where::current());

enum class QRMode { kReduced, kComplete, kR };
struct QRResult {
  Tensor Q, R;  // (..., M, K), (..., K, N); Q is undefined for kR
};
// K = min(M, N), M where complete. A derivative needs independent first K columns; a complete one
// with M > N has none.
QRResult qr(const Tensor& a, QRMode mode = QRMode::kReduced, Where where = Where::current());
// The first N columns of H1 H2 ... HK with Hi = 1 - tau[i] v v^T, v = a[:, i] with zeros above its
// i-th number, which counts as one: a (..., M, N), tau (..., K), M >= N >= K.
Tensor householder_product(const Tensor& a, const Tensor& tau, Where where = Where::current());

struct SVDResult {
  Tensor U, S, Vh;  // (..., M, K), (..., K) falling, (..., K, N); (..., M, M), (..., N, N) if full
};
// A = U diag(S) Vh. The gradient (Ionescu et al. 2015) is that of a loss which does not depend on
// the vectors' signs. Vectors of equal singular values have no derivative: the terms between them
// are left out instead of giving NaN. The additional vectors of a full one count as constants.
SVDResult svd(const Tensor& a, bool full_matrices = true, Where where = Where::current());
Tensor svdvals(const Tensor& a, Where where = Where::current());

struct EighResult {
  Tensor eigenvalues, eigenvectors;  // (..., N) rising, (..., N, N) in columns
};
// Of a symmetric matrix, of which one triangle is read. Gradient as of svd() (Giles 2008).
EighResult eigh(const Tensor& a, bool upper = false, Where where = Where::current());
Tensor eigvalsh(const Tensor& a, bool upper = false, Where where = Where::current());
struct EigResult {
  Complex eigenvalues, eigenvectors;  // (..., N), (..., N, N) in columns of length 1
};
// Of any square matrix. The gradient is that of a loss which does not depend on the vectors'
// phases, for distinct eigenvalues.
EigResult eig(const Tensor& a, Where where = Where::current());
Complex eigvals(const Tensor& a, Where where = Where::current());

// Of pairs, with scipy.linalg's arguments: A v = w B v. eigh(): A symmetric, B symmetric and
// positive definite, of which one triangle each is read, by B's Cholesky factor; v^T B v = 1.
EighResult eigh(const Tensor& a, const Tensor& b, bool upper = false,
                Where where = Where::current());
Tensor eigvalsh(const Tensor& a, const Tensor& b, bool upper = false,
                Where where = Where::current());
// Any square A, and B with an inverse; vectors have length 1.
EigResult eig(const Tensor& a, const Tensor& b, Where where = Where::current());
Complex eigvals(const Tensor& a, const Tensor& b, Where where = Where::current());

// An orthonormal basis of what a matrix (M, N) maps to zero, (N, N - rank), and of what it maps to,
// (M, rank): scipy.linalg's. Singular values up to rcond times the largest count as zeros; unset:
// eps * max(M, N). A basis is one of many, and has no derivative.
Tensor null_space(const Tensor& a, std::optional<double> rcond = {},
                  Where where = Where::current());
Tensor orth(const Tensor& a, std::optional<double> rcond = {}, Where where = Where::current());

// ---- Least squares ----------------------------------------------------------------------------

enum class LstsqDriver { kGelsy, kGelsd };  // pivoted QR, SVD
struct LstsqOptions {
  // Singular values below this part of the largest count as zeros; unset: eps * max(M, N).
  std::optional<double> rcond = {};
  LstsqDriver driver = LstsqDriver::kGelsy;
};
struct LstsqResult {
  Tensor solution;         // (..., N, K): the shortest one that there is
  Tensor residuals;        // (..., K), the sums of squares of A X - B
  Tensor rank;             // (...) i64
  Tensor singular_values;  // (..., min(M, N)) of kGelsd, else undefined
};
// X that makes |A X - B| least: a (..., M, N), b (..., M, K). The gradient takes the rank as fixed.
LstsqResult lstsq(const Tensor& a, const Tensor& b, const LstsqOptions& options = {},
                  Where where = Where::current());

struct RankOptions {
  // What counts as zero: at most max(atol, rtol * the largest singular value). Unset: 0, and
  // eps * max(M, N) if atol is not above 0 either.
  std::optional<double> atol = {}, rtol = {};
  bool hermitian = false;  // by eigenvalues of a symmetric matrix
};
// The inverse of Moore and Penrose, (..., N, M); derivative for a fixed rank (Golub & Pereyra
// 1973).
Tensor pinv(const Tensor& a, const RankOptions& options = {}, Where where = Where::current());
// (...) i64.
Tensor matrix_rank(const Tensor& a, const RankOptions& options = {},
                   Where where = Where::current());

// ---- Norms ------------------------------------------------------------------------------------

enum class NormOrder { kFro, kNuc };  // Frobenius, the sum of singular values
// (sum |x|^ord)^(1/ord) over `axes` (all when empty): the largest or smallest |x| for plus or minus
// infinity, how many are not zero for 0. Its gradient at zero is zero.
Tensor vector_norm(const Tensor& x, double ord = 2, const Axes& axes = {}, bool keepdim = false,
                   Where where = Where::current());
Tensor matrix_norm(const Tensor& a, NormOrder ord = NormOrder::kFro, const Axes& axes = {-2, -1},
                   bool keepdim = false, Where where = Where::current());
// 1, 2 and infinity, the smallest ones for -1, -2 and minus infinity.
Tensor matrix_norm(const Tensor& a, double ord, const Axes& axes = {-2, -1}, bool keepdim = false,
                   Where where = Where::current());
// The 2-norm of all numbers or along `axes`; with an order that of vectors along one axis, or for
// rank 1, and of matrices along two.
Tensor norm(const Tensor& x, std::optional<double> ord = {}, const Axes& axes = {},
            bool keepdim = false, Where where = Where::current());
// |A| |A^-1|, by singular values for p = 2 and -2; infinite for a singular matrix then.
Tensor cond(const Tensor& a, double p = 2, Where where = Where::current());
Tensor cond(const Tensor& a, NormOrder p, Where where = Where::current());

// ---- Products and functions -------------------------------------------------------------------

// The product of all, in the cheapest order; the first and last may be vectors.
Tensor multi_dot(const std::vector<Tensor>& tensors, Where where = Where::current());
// A^n; the inverse's for a negative n.
Tensor matrix_power(const Tensor& a, int64_t n, Where where = Where::current());
// exp(A) (Higham 2005).
Tensor matrix_exp(const Tensor& a, Where where = Where::current());
// The principal square root and logarithm: X with X X = A, or exp(X) = A, whose eigenvalues are to
// the right of 0, or less than pi from the real line (Bjorck & Hammarling 1983; Cheng, Higham,
// Kenney & Laub 2001). ValueError where an eigenvalue is below 0, so that it is not real, and where
// there is none.
Tensor sqrtm(const Tensor& a, Where where = Where::current());
Tensor logm(const Tensor& a, Where where = Where::current());
// A^T A (..., N, N) of a (..., M, N): exactly symmetric, with little more than half the work of the
// product.
Tensor gram(const Tensor& a, Where where = Where::current());
// Of vectors with three numbers along `axis`; broadcasts.
Tensor cross(const Tensor& a, const Tensor& b, int axis = -1, Where where = Where::current());
// The inverse of a as a mapping to its first `ind` axes from the others.
Tensor tensorinv(const Tensor& a, int ind = 2, Where where = Where::current());
// x with tensordot(a, x, x.rank) = b; `axes` of a are moved to its end first.
Tensor tensorsolve(const Tensor& a, const Tensor& b, const Axes& axes = {},
                   Where where = Where::current());
// Rows of powers 0 .. count - 1 (unset: as many as there are numbers): x (..., N) -> (..., N,
// count).
Tensor vander(const Tensor& x, std::optional<int64_t> count = {}, Where where = Where::current());

}  // namespace glia::linalg
