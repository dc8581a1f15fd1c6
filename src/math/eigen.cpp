// Singular values and eigenvalues.
#include <fmt/format.h>

#include <algorithm>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;

constexpr int kNotFinite = -1;

// About as many operations as such a factorisation takes.
double work_of(const Sizes& s) {
  return 20 * static_cast<double>(s.size()) * static_cast<double>(s.least());
}

void report(const char* op, const Shape& shape, int64_t failed, int info) {
  if (failed < 0) return;
  fail_matrix(op, shape, failed,
              info == kNotFinite ? "has numbers that are not finite" : "does not converge");
}

// 1 / x, 0 where x is 0.
Tensor reciprocal_or_zero(const Tensor& x) {
  const Tensor none = x == 0;
  return where(none, 0, 1 / where(none, 1, x));
}
// 1 / (x[j] - x[i]), 0 where they are equal.
Tensor inverse_gaps(const Tensor& x) {
  return reciprocal_or_zero(unsqueeze(x, -2) - unsqueeze(x, -1));
}

// ---- svd(a) -> U, S, Vh
// ---------------------------------------------------------------------------

struct SVDAttributes {
  bool full = false;
  GLIA_ATTRIBUTES(full)
};

template <class T>
void run_svd(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const int64_t m = s.rows, n = s.cols, k = s.least();
  const bool full = call.attributes<SVDAttributes>().full;
  const int64_t wide = full ? m : k, tall = full ? n : k;
  const bool vectors = call.out[0].data || call.out[2].data;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, work_of(s),
      [&](int64_t i) {
        const T* const from = matrix<const T>(call.in[0], i, m * n);
        if (!all_finite(from, m * n)) return kNotFinite;
        // By columns it is the transposed matrix: its left vectors are Vh's rows.
        Scratch<T> a(m * n), values(k), u(vectors && !call.out[0].data ? m * wide : 0),
            vh(vectors && !call.out[2].data ? tall * n : 0);
        std::copy_n(from, m * n, a.data());
        T* const to_u = call.out[0].data ? matrix<T>(call.out[0], i, m * wide) : u.data();
        T* const to_v = call.out[2].data ? matrix<T>(call.out[2], i, tall * n) : vh.data();
        T* const to_s = call.out[1].data ? matrix<T>(call.out[1], i, k) : values.data();
        if (k == 0) {
          for (int64_t j = 0; full && j < m * m; ++j) to_u[j] = j % (m + 1) == 0;
          for (int64_t j = 0; full && j < n * n; ++j) to_v[j] = j % (n + 1) == 0;
          return 0;
        }
        return dense::factor_svd(vectors ? full ? 'A' : 'S' : 'N', Matrix<T>(a.data(), n, m), to_s,
                                 Matrix<T>(to_v, n, tall), Matrix<T>(to_u, wide, m));
      },
      &info);
  report("linalg.svd", shape, failed, info);
}

// Ionescu, Vantzos & Sminchisescu 2015; of vectors that complete a basis nothing comes.
void vjp_svd(Vjp& v) {
  const Shape shape = v.in_shape(0), batch = batch_of(shape);
  const int64_t m = shape.size(-2), n = shape.size(-1), k = std::min(m, n);
  const bool full = v.attributes<SVDAttributes>().full;
  const Tensor u = cols_of(result(v, 0, joined(batch, {m, full ? m : k})), 0, k);
  const Tensor s = result(v, 1, joined(batch, {k}));
  const Tensor vh = rows_of(result(v, 2, joined(batch, {full ? n : k, n})), 0, k);
  const Tensor gu = v.g(0).defined() ? cols_of(v.g(0), 0, k) : Tensor();
  const Tensor gv = v.g(2).defined() ? t(rows_of(v.g(2), 0, k)) : Tensor();  // (n, k)
  if (!gu.defined() && !gv.defined()) {
    if (v.g(1).defined()) v.set(0, matmul(u * unsqueeze(v.g(1), -2), vh));
    return;
  }
  const Tensor across = unsqueeze(s, -2), down = unsqueeze(s, -1);
  const Tensor gaps = inverse_gaps(s * s), inverse = reciprocal_or_zero(across);
  const auto skew = [](const Tensor& x) { return x - t(x); };
  Tensor inner;
  if (gu.defined()) inner = skew(matmul(t(u), gu)) * gaps * across;
  if (gv.defined()) inner = added(inner, down * (skew(matmul(vh, gv)) * gaps));
  if (v.g(1).defined()) inner = inner + diagonal_matrix(v.g(1));
  Tensor ga = matmul(matmul(u, inner), vh);
  if (m > k && gu.defined()) {
    const Tensor outside = gu - matmul(u, matmul(t(u), gu));
    ga = ga + matmul(outside * inverse, vh);
  }
  if (n > k && gv.defined()) {
    const Tensor outside = gv - matmul(t(vh), matmul(vh, gv));
    ga = ga + matmul(u, t(outside * inverse));
  }
  v.set(0, ga);
}
const Op kSVD{.name = "linalg_svd",
              .kind = Kind::kKernel,
              .attributes = kAttributeFields<SVDAttributes>,
              .vjp = vjp_svd,
              .run = GLIA_RUN(run_svd),
              .batch = batch_in_front,
              .outputs = 3,
              .may_throw = true};

// ---- eigh(a) -> values, vectors
// -------------------------------------------------------------------

struct EighAttributes {
  bool upper = false;
  GLIA_ATTRIBUTES(upper)
};

template <class T>
void run_eigh(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const int64_t n = s.rows;
  const bool upper = call.attributes<EighAttributes>().upper;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, work_of(s),
      [&](int64_t i) {
        Scratch<T> a(n * n), own(n);
        std::copy_n(matrix<const T>(call.in[0], i, n * n), n * n, a.data());
        for (int64_t r = 0; r < n; ++r) {  // the other triangle may hold anything
          const int64_t first = upper ? r : 0, count = upper ? n - r : r + 1;
          if (!all_finite(a.data() + r * n + first, count)) return kNotFinite;
        }
        T* const values = call.out[0].data ? matrix<T>(call.out[0], i, n) : own.data();
        T* const vectors = matrix<T>(call.out[1], i, n * n);
        // By columns the triangles are exchanged.
        const int found =
            dense::factor_symmetric(vectors != nullptr, !upper, Matrix<T>(a.data(), n, n), values);
        if (vectors) dense::transpose(a.data(), n, n, vectors);
        return found;
      },
      &info);
  report("linalg.eigh", shape, failed, info);
}
// V (diag(gw) + V^T gV / gaps) V^T (Giles 2008).
void vjp_eigh(Vjp& v) {
  const Shape shape = v.in_shape(0);
  const Tensor x = result(v, 1, shape), &gw = v.g(0), &gx = v.g(1);
  if (!gx.defined()) {
    if (gw.defined()) v.set(0, matmul(x * unsqueeze(gw, -2), t(x)));
    return;
  }
  const Tensor w = result(v, 0, batch_of(shape, 1));
  Tensor inner = matmul(t(x), gx) * inverse_gaps(w);
  if (gw.defined()) inner = inner + diagonal_matrix(gw);
  v.set(0, matmul(x, matmul(inner, t(x))));
}
const Op kEigh{.name = "linalg_eigh",
               .kind = Kind::kKernel,
               .attributes = kAttributeFields<EighAttributes>,
               .vjp = vjp_eigh,
               .run = GLIA_RUN(run_eigh),
               .batch = batch_in_front,
               .outputs = 2,
               .may_throw = true};

// ---- eig(a) -> values, vectors, each in two parts
// ---------------------------------------------------

// LAPACK gives a pair of conjugate vectors as one real and one imaginary part.
template <class T>
void unpack_vectors(const T* packed, const T* im_of_value, int64_t n, T* re, T* im) {
  for (int64_t j = 0; j < n; ++j) {
    const bool first = im_of_value[j] > 0 && j + 1 < n, second = im_of_value[j] < 0 && j > 0;
    const T* const real = packed + (second ? j - 1 : j) * n;
    const T* const imaginary = packed + (second ? j : j + 1) * n;
    for (int64_t i = 0; i < n; ++i) {
      re[i * n + j] = real[i];
      im[i * n + j] = first ? imaginary[i] : second ? -imaginary[i] : 0;
    }
  }
}

template <class T>
void run_eig(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const int64_t n = s.rows;
  const bool vectors = call.out[2].data || call.out[3].data;
  int info = 0;
  const int64_t failed = each_matrix(
      s.batch, work_of(s),
      [&](int64_t i) {
        const T* const from = matrix<const T>(call.in[0], i, n * n);
        if (!all_finite(from, n * n)) return kNotFinite;
        Scratch<T> a(n * n), re(n), im(n), packed(vectors ? n * n : 0),
            parts(vectors ? 2 * n * n : 0);
        dense::transpose(from, n, n, a.data());
        const int found = dense::factor_general(Matrix<T>(a.data(), n, n), re.data(), im.data(),
                                                Matrix<T>(vectors ? packed.data() : nullptr, n, n));
        if (T* const to = matrix<T>(call.out[0], i, n)) std::copy_n(re.data(), n, to);
        if (T* const to = matrix<T>(call.out[1], i, n)) std::copy_n(im.data(), n, to);
        if (vectors)
          unpack_vectors(packed.data(), im.data(), n, parts.data(), parts.data() + n * n);
        for (int part : {0, 1})
          if (T* const to = matrix<T>(call.out[2 + part], i, n * n))
            std::copy_n(parts.data() + part * n * n, n * n, to);
        return found;
      },
      &info);
  report("linalg.eig", shape, failed, info);
}

Complex transposed(const Complex& x) { return {t(x.re), t(x.im)}; }

// A^-1 B of complex matrices by real ones of twice the size.
Complex complex_solve(const Complex& a, const Complex& b, const Where& where) {
  const int64_t n = a.re.size(-1);
  const Tensor all = concat({concat({a.re, -a.im}, -1), concat({a.im, a.re}, -1)}, -2);
  const Tensor x = solve(all, concat({b.re, b.im}, -2), true, where);
  return {rows_of(x, 0, n), rows_of(x, n, 2 * n)};
}

// V^-H (diag(gw) + (V^H gV - V^H V diag(re(V^H gV))) / conj(gaps)) V^H (Boeddeker et al. 2017).
void vjp_eig(Vjp& v) {
  const Shape shape = v.in_shape(0), values = batch_of(shape, 1);
  const DType dtype = v.dtype();
  const auto gradient = [&](int re, int im, const Shape& of) -> Complex {
    const Tensor none = zeros(of, dtype);
    return {v.g(re).defined() ? v.g(re) : none, v.g(im).defined() ? v.g(im) : none};
  };
  const bool of_vectors = v.g(2).defined() || v.g(3).defined();
  const Complex x{result(v, 2, shape), result(v, 3, shape)}, xh = conj(transposed(x));
  const Complex gw = gradient(0, 1, values);
  Complex inner{diagonal_matrix(gw.re), diagonal_matrix(gw.im)};
  if (of_vectors) {
    const Complex w{result(v, 0, values), result(v, 1, values)};
    const Complex along = matmul(xh, gradient(2, 3, shape)), gram = matmul(xh, x);
    const Tensor lengths = unsqueeze(diagonal_of(along.re), -2);
    const Complex turned = along - gram * lengths;
    // conj(w[j] - w[i]), 1 where it is 0.
    const Complex gap{unsqueeze(w.re, -2) - unsqueeze(w.re, -1),
                      unsqueeze(w.im, -1) - unsqueeze(w.im, -2)};
    const Tensor none = (gap.re == 0) & (gap.im == 0);
    const Complex quotient = turned / Complex{where(none, 1, gap.re), gap.im};
    inner = inner + Complex{where(none, 0, quotient.re), where(none, 0, quotient.im)};
  }
  v.set(0, complex_solve(xh, matmul(inner, xh), v.where()).re);
}
const Op kEig{.name = "linalg_eig",
              .kind = Kind::kKernel,
              .vjp = vjp_eig,
              .run = GLIA_RUN(run_eig),
              .batch = batch_in_front,
              .outputs = 4,
              .may_throw = true};

const RegisterOp registered[] = {RegisterOp(kSVD), RegisterOp(kEigh), RegisterOp(kEig)};

Tensor record_svd(const Tensor& a, bool full, const Where& where) {
  return record(kSVD, {a.node()}, {}, a.dtype(), SVDAttributes{full}, where);
}
Tensor record_eigh(const Tensor& a, bool upper, const Where& where) {
  return record(kEigh, {a.node()}, {}, a.dtype(), EighAttributes{upper}, where);
}

}  // namespace

// Each result names the others, which its gradient needs.
SVDResult svd(const Tensor& a, bool full_matrices, Where where) {
  require_matrix("linalg.svd", a, where);
  const Shape batch = batch_of(a.shape());
  const int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n);
  if (full_matrices && std::max(m, n) > 20000)
    fail("linalg.svd", fmt::format("full vectors of {} x {} are too large", m, n), where);
  const Tensor tuple = record_svd(a, full_matrices, where);
  const Shape of_u = joined(batch, {m, full_matrices ? m : k}), of_s = joined(batch, {k}),
              of_v = joined(batch, {full_matrices ? n : k, n});
  const Tensor u = output(tuple, 0, of_u, a.dtype()), s = output(tuple, 1, of_s, a.dtype()),
               vh = output(tuple, 2, of_v, a.dtype());
  return {output(tuple, 0, of_u, a.dtype(), {s, vh}), output(tuple, 1, of_s, a.dtype(), {u, vh}),
          output(tuple, 2, of_v, a.dtype(), {u, s})};
}

Tensor svdvals(const Tensor& a, Where where) {
  require_matrix("linalg.svdvals", a, where);
  const int64_t k = std::min(a.size(-2), a.size(-1));
  return output(record_svd(a, false, where), 1, joined(batch_of(a.shape()), {k}), a.dtype());
}

EighResult eigh(const Tensor& a, bool upper, Where where) {
  require_square("linalg.eigh", a, where);
  const Tensor tuple = record_eigh(a, upper, where);
  const Shape values = batch_of(a.shape(), 1);
  const Tensor w = output(tuple, 0, values, a.dtype()), x = output(tuple, 1, a.shape(), a.dtype());
  return {output(tuple, 0, values, a.dtype(), {x}), output(tuple, 1, a.shape(), a.dtype(), {w})};
}

Tensor eigvalsh(const Tensor& a, bool upper, Where where) {
  require_square("linalg.eigvalsh", a, where);
  return output(record_eigh(a, upper, where), 0, batch_of(a.shape(), 1), a.dtype());
}

EigResult eig(const Tensor& a, Where where) {
  require_square("linalg.eig", a, where);
  const Tensor tuple = record(kEig, {a.node()}, {}, a.dtype(), {}, where);
  const Shape values = batch_of(a.shape(), 1);
  Tensor plain[4], kept[4];
  const auto of = [&](int i) { return i < 2 ? values : a.shape(); };
  for (int i = 0; i < 4; ++i) plain[i] = output(tuple, i, of(i), a.dtype());
  for (int i = 0; i < 4; ++i)
    kept[i] = output(tuple, i, of(i), a.dtype(),
                     {plain[(i + 1) % 4], plain[(i + 2) % 4], plain[(i + 3) % 4]});
  return {{kept[0], kept[1]}, {kept[2], kept[3]}};
}

Complex eigvals(const Tensor& a, Where where) {
  require_square("linalg.eigvals", a, where);
  const Tensor tuple = record(kEig, {a.node()}, {}, a.dtype(), {}, where);
  const Shape values = batch_of(a.shape(), 1);
  return {output(tuple, 0, values, a.dtype()), output(tuple, 1, values, a.dtype())};
}

}  // namespace glia::linalg
