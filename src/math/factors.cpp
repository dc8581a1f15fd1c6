// Cholesky and QR.
#include <fmt/format.h>

#include <cmath>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;

// ---- cholesky(a) -> L, by the lower triangle
// ------------------------------------------------------

template <class T>
void run_cholesky(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const int64_t n = s.rows;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, static_cast<double>(n * n) * static_cast<double>(n) / 3,
      [&](int64_t i) {
        const T* const from = matrix<const T>(call.in[0], i, n * n);
        T* const to = matrix<T>(call.out[0], i, n * n);
        for (int64_t r = 0; r < n; ++r) {
          std::copy_n(from + r * n, r + 1, to + r * n);
          std::fill_n(to + r * n + r + 1, n - r - 1, T{0});
        }
        // By columns it is the upper one. Not every LAPACK takes a NaN for a fault.
        const int found = dense::factor_cholesky(Matrix<T>(to, n, n));
        for (int64_t r = 0; found == 0 && r < n; ++r)
          if (std::isnan(to[r * n + r])) return static_cast<int>(r + 1);
        return found;
      },
      &info);
  if (failed >= 0)
    fail_matrix("linalg.cholesky", shape, failed,
                fmt::format("is not positive definite: its leading part of order {} is not", info));
}
// L^-T phi(L^T g) L^-1, phi the lower triangle with half the diagonal (Murray 2016).
void vjp_cholesky(Vjp& v) {
  const Tensor l = v.out(), inner = matmul(t(l), v.g());
  const Tensor phi = (lower_part(inner) + lower_part(inner, -1)) * 0.5;
  const dense::Triangle kind{.transposed = true};
  const Tensor right = divide_triangular(l, t(phi), kind, v.where());
  const Tensor g = divide_triangular(l, t(right), kind, v.where());
  v.set(0, (g + t(g)) * 0.5);
}
const Op kCholesky{.name = "linalg_cholesky",
                   .kind = Kind::kKernel,
                   .vjp = vjp_cholesky,
                   .run = GLIA_RUN(run_cholesky),
                   .batch = batch_in_front,
                   .may_throw = true};

// ---- qr(a) -> Q, R
// --------------------------------------------------------------------------------

struct QRAttributes {
  bool complete = false;
  GLIA_ATTRIBUTES(complete)
};

template <class T>
void run_qr(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  const int64_t m = s.rows, n = s.cols, least = s.least();
  const int64_t width = call.attributes<QRAttributes>().complete ? m : least;
  each_matrix(s.batch, 3 * static_cast<double>(s.size()) * static_cast<double>(least),
              [&](int64_t i) {
                Scratch<T> columns(m * std::max(n, width)), tau(least);
                dense::transpose(matrix<const T>(call.in[0], i, s.size()), m, n, columns.data());
                const Matrix<T> a(columns.data(), m, n);
                dense::factor_qr(a, tau.data());
                if (T* const r = matrix<T>(call.out[1], i, width * n)) {
                  for (int64_t j = 0; j < width; ++j)
                    for (int64_t c = 0; c < n; ++c)
                      r[j * n + c] = c < j || j >= least ? 0 : a(j, c);
                }
                if (T* const q = matrix<T>(call.out[0], i, m * width)) {
                  dense::expand_q(Matrix<T>(columns.data(), m, width), least, tau.data());
                  dense::transpose(columns.data(), width, m, q);
                }
                return 0;
              });
}

// M = R gR^T - gQ^T Q, gA = (gQ + Q (its lower triangle, mirrored)) R^-T (Walter & Lehmann 2013).
// What a wide matrix has to the right is Q R2.
void vjp_qr(Vjp& v) {
  const Shape shape = v.in_shape(0), batch = batch_of(shape);
  const int64_t m = shape.size(-2), n = shape.size(-1), k = std::min(m, n);
  if (v.attributes<QRAttributes>().complete && m > n)
    throw Error("linalg.qr: a complete Q of a tall matrix has no gradient", v.where());
  const Tensor q = result(v, 0, joined(batch, {m, k})), r = result(v, 1, joined(batch, {k, n}));
  Tensor gq = v.g(0), gr, beside;
  if (v.g(1).defined()) {
    gr = upper_part(v.g(1));
    if (n > m) {
      const Tensor right = cols_of(gr, k, n);
      beside = matmul(q, right);
      gq = added(gq, matmul(cols_of(v.in(0), k, n), t(right)));
      gr = cols_of(gr, 0, k);
    }
  }
  const Tensor corner = cols_of(r, 0, k);
  Tensor inner;
  if (gr.defined()) inner = matmul(corner, t(gr));
  if (gq.defined()) inner = added(inner, -matmul(t(gq), q));
  if (!inner.defined()) return;
  const Tensor mirrored = lower_part(inner) + t(lower_part(inner, -1));
  const Tensor left = added(gq, matmul(q, mirrored));
  // left R^-T
  const Tensor ga = t(divide_triangular(corner, t(left), {.upper = true}, v.where()));
  if (n > m)
    v.set(0, concat({ga, beside.defined() ? beside : zeros(joined(batch, {m, n - k}), v.dtype())},
                    -1));
  else
    v.set(0, ga);
}
const Op kQR{.name = "linalg_qr",
             .kind = Kind::kKernel,
             .attributes = kAttributeFields<QRAttributes>,
             .vjp = vjp_qr,
             .run = GLIA_RUN(run_qr),
             .batch = batch_in_front,
             .outputs = 2};

// ---- householder(a, tau): the product of reflections
// ------------------------------------------------

std::vector<Tensor> compose_householder(const Recorded&, std::span<const Tensor> in) {
  const Tensor &a = in[0], &tau = in[1];
  const int64_t m = a.size(-2), n = a.size(-1);
  const Tensor ones = eye(m, a.dtype());
  const Tensor vectors = lower_part(a, -1) + cols_of(ones, 0, n);
  Tensor q = expand(cols_of(ones, 0, n), a.shape());
  for (int64_t i = tau.size(-1) - 1; i >= 0; --i) {
    const Tensor x = cols_of(vectors, i, i + 1), factor = unsqueeze(slice(tau, -1, {i, i + 1}), -1);
    q = q - factor * matmul(x, matmul(t(x), q));
  }
  return {q};
}
template <class T>
void run_householder(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  const int64_t count = call.in[1].layout.shape.size(-1);
  each_matrix(
      s.batch, 2 * static_cast<double>(s.size()) * static_cast<double>(count), [&](int64_t i) {
        Scratch<T> columns(s.size());
        dense::transpose(matrix<const T>(call.in[0], i, s.size()), s.rows, s.cols, columns.data());
        dense::expand_q(Matrix<T>(columns.data(), s.rows, s.cols), count,
                        matrix<const T>(call.in[1], i, count));
        dense::transpose(columns.data(), s.cols, s.rows, matrix<T>(call.out[0], i, s.size()));
        return 0;
      });
}
const Op kHouseholder{.name = "linalg_householder",
                      .kind = Kind::kMacro,
                      .batch = batch_in_front,
                      .compose = compose_householder};

const RegisterOp registered[] = {RegisterOp(kCholesky), RegisterOp(kQR), RegisterOp(kHouseholder)};
const RegisterKernel kernel({.op = "linalg_householder", .dtypes = {kF32, kF64}, .choose = [] {
                               return RunFunction(GLIA_RUN(run_householder));
                             }});

}  // namespace

Tensor cholesky(const Tensor& a, bool upper, Where where) {
  require_square("linalg.cholesky", a, where);
  const Tensor lower = upper ? t(a) : a;
  const Tensor l = record(kCholesky, {lower.node()}, lower.shape(), a.dtype(), {}, where);
  return upper ? t(l) : l;
}

Tensor cholesky_solve(const Tensor& b, const Tensor& l, bool upper, Where where) {
  const Tensor y = solve_triangular(upper ? t(l) : l, b, {}, where);
  return solve_triangular(upper ? l : t(l), y, {.upper = true}, where);
}

Tensor cholesky_inverse(const Tensor& l, bool upper, Where where) {
  require_square("linalg.cholesky_inverse", l, where);
  return cholesky_solve(identity(batch_of(l.shape()), l.size(-1), l.dtype()), l, upper, where);
}

QRResult qr(const Tensor& a, QRMode mode, Where where) {
  require_matrix("linalg.qr", a, where);
  const Shape batch = batch_of(a.shape());
  const int64_t m = a.size(-2), n = a.size(-1);
  const bool complete = mode == QRMode::kComplete;
  const int64_t k = complete ? m : std::min(m, n);
  if (k > 20000) fail("linalg.qr", fmt::format("Q ({}, {}) is too large", m, k), where);
  const Tensor tuple = record(kQR, {a.node()}, {}, a.dtype(), QRAttributes{complete}, where);
  const auto q = [&](std::initializer_list<Tensor> kept) {
    return output(tuple, 0, joined(batch, {m, k}), a.dtype(), kept);
  };
  const auto r = [&](std::initializer_list<Tensor> kept) {
    return output(tuple, 1, joined(batch, {k, n}), a.dtype(), kept);
  };
  if (mode == QRMode::kR) return {{}, r({})};
  return {q({r({})}), r({q({})})};
}

Tensor householder_product(const Tensor& a, const Tensor& tau, Where where) {
  constexpr const char* kName = "linalg.householder_product";
  require_matrix(kName, a, where);
  require_defined(kName, tau, where);
  if (tau.dtype() != a.dtype() || tau.rank() != a.rank() - 1 ||
      batch_of(tau.shape(), 1) != batch_of(a.shape()) || a.size(-2) < a.size(-1) ||
      tau.size(-1) > a.size(-1))
    fail(kName,
         fmt::format("{} {} and tau {} {}", name(a.dtype()), a.shape().str(), name(tau.dtype()),
                     tau.shape().str()),
         where);
  return record(kHouseholder, {a.node(), tau.node()}, a.shape(), a.dtype(), {}, where);
}

}  // namespace glia::linalg
