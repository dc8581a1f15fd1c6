// The square root and the logarithm of a matrix, by its complex Schur form.
#include <fmt/format.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "math/lapack.h"
#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using Number = std::complex<double>;

// An upper triangular matrix, or any square one, column-major.
struct Square {
  int64_t n;
  std::vector<Number> at;

  explicit Square(int64_t size) : n(size), at(static_cast<size_t>(size * size)) {}
  Number& operator()(int64_t i, int64_t j) { return at[static_cast<size_t>(i + j * n)]; }
  const Number& operator()(int64_t i, int64_t j) const {
    return at[static_cast<size_t>(i + j * n)];
  }
};

// R of R^2 = T (Bjorck & Hammarling 1983). Where two roots add up to 0 there may be none: false.
bool triangular_root(const Square& t, Square& r) {
  for (int64_t j = 0; j < t.n; ++j) {
    r(j, j) = std::sqrt(t(j, j));
    for (int64_t i = j - 1; i >= 0; --i) {
      Number rest = t(i, j);
      for (int64_t k = i + 1; k < j; ++k) rest -= r(i, k) * r(k, j);
      const Number both = r(i, i) + r(j, j);
      if (both == 0.0 && rest != 0.0) return false;
      r(i, j) = both == 0.0 ? 0.0 : rest / both;
    }
  }
  return true;
}

// The largest sum of a column of |T - 1|.
double distance_from_one(const Square& t) {
  double most = 0;
  for (int64_t j = 0; j < t.n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i <= j; ++i) sum += std::abs(t(i, j) - (i == j ? 1.0 : 0.0));
    most = std::max(most, sum);
  }
  return most;
}

// Nodes and weights of Gauss and Legendre on [0, 1] (Golub & Welsch 1969 have the theory; Newton's
// method on the polynomials has the digits).
constexpr int kNodes = 8;
struct Rule {
  double node[kNodes], weight[kNodes];
  Rule() {
    for (int i = 0; i < kNodes; ++i) {
      double x = std::cos(std::numbers::pi * (i + 0.75) / (kNodes + 0.5)), slope = 0;
      for (int step = 0; step < 20; ++step) {
        double before = 1, p = x;
        for (int k = 2; k <= kNodes; ++k) {
          const double next = ((2 * k - 1) * x * p - (k - 1) * before) / k;
          before = p;
          p = next;
        }
        slope = kNodes * (before - x * p) / (1 - x * x);
        x -= p / slope;
      }
      node[i] = (1 + x) / 2;
      weight[i] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

// log(T): of a root that is near 1 by the diagonal Pade approximant in partial fractions, then
// doubled as often as roots were taken (Cheng, Higham, Kenney & Laub 2001).
bool triangular_logarithm(const Square& t, Square& out) {
  static const Rule rule;
  constexpr double kNear = 0.2;  // where the approximant of order 8 has all digits
  Square root = t, next(t.n);
  int roots = 0;
  for (; distance_from_one(root) > kNear; ++roots) {
    if (roots == 100 || !triangular_root(root, next)) return false;
    std::swap(root, next);
  }
  // X (1 + x X)^-1 for X = root - 1 and each node x, column by column from the left.
  Square part(t.n);
  for (int m = 0; m < kNodes; ++m) {
    const double x = rule.node[m];
    for (int64_t j = 0; j < t.n; ++j)
      for (int64_t i = 0; i <= j; ++i) {
        Number sum = root(i, j) - (i == j ? 1.0 : 0.0);
        for (int64_t k = i; k < j; ++k) sum -= part(i, k) * (x * root(k, j));
        part(i, j) = sum / (1.0 + x * (root(j, j) - 1.0));
        out(i, j) += std::ldexp(rule.weight[m], roots) * part(i, j);
      }
  }
  // The diagonal has all digits by itself.
  for (int64_t j = 0; j < t.n; ++j) out(j, j) = std::log(t(j, j));
  return true;
}

enum class Function { kRoot, kLogarithm };
constexpr int kNotFinite = -1, kNoValue = -2, kNotReal = -3;

// f(A) of n x n numbers by rows into `to`; 0, or what is wrong.
template <class T>
int function_of(Function f, const T* from, int64_t n, T* to) {
  if (!all_finite(from, n * n)) return kNotFinite;
  Square t(n), q(n), r(n), half(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) t(i, j) = static_cast<double>(from[i * n + j]);
  if (const int info = lapack::schur(t.n, t.at.data(), q.at.data())) return info;
  if (f == Function::kLogarithm)
    for (int64_t j = 0; j < n; ++j)
      if (t(j, j) == 0.0) return kNoValue;
  if (!(f == Function::kRoot ? triangular_root(t, r) : triangular_logarithm(t, r))) return kNoValue;
  // Q R Q^H.
  for (int64_t j = 0; j < n; ++j)
    for (int64_t k = 0; k <= j; ++k)
      for (int64_t i = 0; i < n; ++i) half(i, j) += q(i, k) * r(k, j);
  double real = 0, imaginary = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      Number sum = 0;
      for (int64_t k = 0; k < n; ++k) sum += half(i, k) * std::conj(q(j, k));
      real = std::max(real, std::abs(sum.real()));
      imaginary = std::max(imaginary, std::abs(sum.imag()));
      to[i * n + j] = static_cast<T>(sum.real());
    }
  if (!std::isfinite(real)) return kNoValue;
  return imaginary > 1e-8 * std::max(real, imaginary) ? kNotReal : 0;
}

struct FunctionAttributes {
  bool logarithm = false;
  GLIA_ATTRIBUTES(logarithm)
};
const char* name_of(bool logarithm) { return logarithm ? "linalg.logm" : "linalg.sqrtm"; }

template <class T>
void run_function(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const bool logarithm = call.attributes<FunctionAttributes>().logarithm;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, 100 * static_cast<double>(s.size()) * static_cast<double>(s.rows),
      [&](int64_t i) {
        return s.rows == 0 ? 0
                           : function_of(logarithm ? Function::kLogarithm : Function::kRoot,
                                         matrix<const T>(call.in[0], i, s.size()), s.rows,
                                         matrix<T>(call.out[0], i, s.size()));
      },
      &info);
  if (failed < 0) return;
  const char* what = logarithm ? "logarithm" : "square root";
  fail_matrix(name_of(logarithm), shape, failed,
              info == kNotFinite ? "has numbers that are not finite"
              : info == kNoValue ? fmt::format("is singular, and has no {}", what)
              : info == kNotReal
                  ? fmt::format("has an eigenvalue below 0: its {} is not real", what)
                  : "does not converge");
}

Tensor record_function(const Tensor& a, bool logarithm, const Where& where);
// The derivative along g is the corner of the function of [[A^T, g], [0, A^T]] (Mathias 1996).
void vjp_function(Vjp& v) {
  const Tensor a = t(v.in(0)), &g = v.g();
  const int64_t n = a.size(-1);
  const Tensor both = concat({concat({a, g}, -1), concat({zeros_like(a), a}, -1)}, -2);
  const Tensor value =
      record_function(both, v.attributes<FunctionAttributes>().logarithm, v.where());
  v.set(0, cols_of(rows_of(value, 0, n), n, 2 * n));
}
const Op kFunction{.name = "linalg_matrix_function",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<FunctionAttributes>,
                   .vjp = vjp_function,
                   .run = GLIA_RUN(run_function),
                   .batch = batch_in_front,
                   .may_throw = true};
const RegisterOp registered(kFunction);

Tensor record_function(const Tensor& a, bool logarithm, const Where& where) {
  return record(kFunction, {a.node()}, a.shape(), a.dtype(), FunctionAttributes{logarithm}, where);
}

}  // namespace

Tensor sqrtm(const Tensor& a, Where where) {
  require_square("linalg.sqrtm", a, where);
  return record_function(a, false, where);
}

Tensor logm(const Tensor& a, Where where) {
  require_square("linalg.logm", a, where);
  return record_function(a, true, where);
}

}  // namespace glia::linalg
