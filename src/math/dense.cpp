#include "math/dense.h"

#include <algorithm>
#include <cmath>

#include "math/lapack.h"

extern "C" void openblas_set_num_threads(int count);

namespace glia::dense {
namespace {

using namespace lapack;

// Glia's threads share the work; the library's would give other bits for other numbers of them.
const int single_threaded = [] {
  openblas_set_num_threads(1);
  return 1;
}();

constexpr int64_t kLarge = 192;    // of an order from which on blocks pay
constexpr int64_t kPanel = 64;     // columns that are factorised at once
constexpr int64_t kColumns = 256;  // of a block that one thread works on

int to_int(int64_t n) { return static_cast<int>(n); }

// body(first, count) for blocks of `count` columns or rows.
template <class F>
void each_block(int64_t count, int64_t size, F&& body) {
  const int64_t blocks = (count + size - 1) / size;
  const auto run = [&](int64_t b) { body(b * size, std::min(size, count - b * size)); };
  if (blocks <= 1) {
    if (blocks == 1) run(0);
  } else {
    parallel_for(blocks, run);
  }
}

template <class T>
void divide(const char* side, Matrix<const T> a, Triangle kind, Matrix<T> x) {
  if (x.rows == 0 || x.cols == 0) return;
  const int m = to_int(x.rows), n = to_int(x.cols), lda = to_int(a.ld), ldx = to_int(x.ld);
  const T one = 1;
  call_trsm<T>(side, kind.upper ? "U" : "L", kind.transposed ? "T" : "N", kind.unit ? "U" : "N", &m,
               &n, &one, a.at, &lda, x.at, &ldx, size_t{1}, size_t{1}, size_t{1}, size_t{1});
}

template <class T>
int lapack_lu(Matrix<T> a, int* pivots) {
  const int m = to_int(a.rows), n = to_int(a.cols), lda = to_int(a.ld);
  int info = 0;
  call_getrf<T>(&m, &n, a.at, &lda, pivots, &info);
  return info;
}

template <class T>
void swap_rows(Matrix<T> a, const int* pivots, int64_t first, int64_t count) {
  if (a.cols == 0 || count == 0) return;
  const int n = to_int(a.cols), lda = to_int(a.ld), from = to_int(first + 1),
            to = to_int(first + count), step = 1;
  call_laswp<T>(&n, a.at, &lda, &from, &to, pivots, &step);
}

template <class T>
int lapack_cholesky(Matrix<T> a) {
  const int n = to_int(a.rows), lda = to_int(a.ld);
  int info = 0;
  call_potrf<T>("U", &n, a.at, &lda, &info, size_t{1});
  return info;
}

template <class T>
void lapack_qr(Matrix<T> a, T* tau) {
  const int m = to_int(a.rows), n = to_int(a.cols), lda = to_int(a.ld);
  const int lwork = std::max(1, n * 32);
  Scratch<T> work(lwork);
  int info = 0;
  call_geqrf<T>(&m, &n, a.at, &lda, tau, work.data(), &lwork, &info);
}

// c = (1 - V T V^T) c, or the transpose of that, in blocks of columns, for the reflections in v.
template <class T>
void reflect(Matrix<T> v, const T* tau, bool transposed, Matrix<T> c) {
  if (c.cols == 0 || v.cols == 0) return;
  const int k = to_int(v.cols), m = to_int(v.rows), ldv = to_int(v.ld), ldc = to_int(c.ld);
  Scratch<T> t(k * k);
  call_larft<T>("F", "C", &m, &k, v.at, &ldv, tau, t.data(), &k, size_t{1}, size_t{1});
  each_block(c.cols, kColumns, [&](int64_t first, int64_t count) {
    const int n = to_int(count);
    Scratch<T> work(count * k);
    call_larfb<T>("L", transposed ? "T" : "N", "F", "C", &m, &n, &k, v.at, &ldv, t.data(), &k,
                  &c(0, first), &ldc, work.data(), &n, size_t{1}, size_t{1}, size_t{1}, size_t{1});
  });
}

}  // namespace

template <class T>
void transpose(const T* from, int64_t rows, int64_t cols, T* to) {
  constexpr int64_t kTile = 16;
  const auto strip = [&](int64_t i0, int64_t count) {
    for (int64_t j0 = 0; j0 < cols; j0 += kTile)
      for (int64_t i = i0; i < i0 + count; ++i)
        for (int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
          to[j * rows + i] = from[i * cols + j];
  };
  if (rows * cols < 1 << 14)
    for (int64_t i = 0; i < rows; i += kTile) strip(i, std::min(kTile, rows - i));
  else
    each_block(rows, kTile, strip);
}

template <class T>
void multiply(Matrix<const std::type_identity_t<T>> a, bool transposed_a,
              Matrix<const std::type_identity_t<T>> b, bool transposed_b, T alpha, T beta,
              Matrix<T> c) {
  const int m = to_int(c.rows), k = to_int(transposed_a ? a.rows : a.cols), lda = to_int(a.ld),
            ldb = to_int(b.ld), ldc = to_int(c.ld);
  if (m == 0 || c.cols == 0) return;
  const bool large = static_cast<double>(m) * k * static_cast<double>(c.cols) > 1e6;
  each_block(c.cols, large ? kColumns : c.cols, [&](int64_t first, int64_t count) {
    const int n = to_int(count);
    const T* const from = b.at + (transposed_b ? first : first * b.ld);
    call_gemm<T>(transposed_a ? "T" : "N", transposed_b ? "T" : "N", &m, &n, &k, &alpha, a.at, &lda,
                 from, &ldb, &beta, &c(0, first), &ldc, size_t{1}, size_t{1});
  });
}

template <class T>
void divide_right(Matrix<const std::type_identity_t<T>> a, Triangle kind, Matrix<T> x) {
  const bool large = a.rows >= kLarge;
  each_block(x.rows, large ? kColumns : std::max<int64_t>(x.rows, 1),
             [&](int64_t first, int64_t count) {
               divide<T>("R", a, kind, x.block(first, 0, count, x.cols));
             });
}

template <class T>
void divide_left(Matrix<const std::type_identity_t<T>> a, Triangle kind, Matrix<T> x) {
  const bool large = a.rows >= kLarge;
  each_block(x.cols, large ? kColumns : std::max<int64_t>(x.cols, 1),
             [&](int64_t first, int64_t count) {
               divide<T>("L", a, kind, x.block(0, first, x.rows, count));
             });
}

// By panels; what is right of one is updated in blocks of columns.
template <class T>
int factor_lu(Matrix<T> a, int* pivots) {
  const int64_t least = std::min(a.rows, a.cols);
  if (least == 0) return 0;
  if (least < kLarge) return lapack_lu(a, pivots);
  int info = 0;
  for (int64_t j = 0; j < least; j += kPanel) {
    const int64_t width = std::min(kPanel, least - j), right = j + width, below = a.rows - right;
    const int found = lapack_lu(a.block(j, j, a.rows - j, width), pivots + j);
    if (info == 0 && found > 0) info = found + to_int(j);
    for (int64_t i = j; i < right; ++i) pivots[i] += to_int(j);
    swap_rows(a.block(0, 0, a.rows, j), pivots, j, width);
    const Matrix<T> corner = a.block(j, j, width, width), left = a.block(right, j, below, width);
    each_block(a.cols - right, kColumns, [&](int64_t first, int64_t count) {
      swap_rows(a.block(0, right + first, a.rows, count), pivots, j, width);
      const Matrix<T> top = a.block(j, right + first, width, count);
      divide<T>("L", corner, {.unit = true}, top);
      multiply<T>(left, false, top, false, -1, 1, a.block(right, right + first, below, count));
    });
  }
  return info;
}

template <class T>
void solve_lu(Matrix<const std::type_identity_t<T>> lu, const int* pivots, Matrix<T> x) {
  swap_rows(x, pivots, 0, lu.rows);
  divide_left<T>(lu, {.unit = true}, x);
  divide_left<T>(lu, {.upper = true}, x);
}

template <class T>
int invert(Matrix<T> a) {
  const int64_t n = a.rows;
  if (n == 0) return 0;
  Scratch<int> pivots(n);
  if (const int info = factor_lu(a, pivots.data())) return info;
  if (n < kLarge) {
    const int order = to_int(n), ld = to_int(a.ld), lwork = order * 32;
    Scratch<T> work(lwork);
    int info = 0;
    call_getri<T>(&order, a.at, &ld, pivots.data(), work.data(), &lwork, &info);
    return info;
  }
  Scratch<T> lu(n * n);
  for (int64_t j = 0; j < n; ++j) {
    std::copy_n(&a(0, j), n, lu.data() + j * n);
    std::fill_n(&a(0, j), n, T{0});
    a(j, j) = 1;
  }
  solve_lu<T>({lu.data(), n, n}, pivots.data(), a);
  return 0;
}

template <class T>
int factor_cholesky(Matrix<T> a) {
  const int64_t n = a.rows;
  if (n == 0) return 0;
  if (n < kLarge) return lapack_cholesky(a);
  for (int64_t j = 0; j < n; j += kPanel) {
    const int64_t width = std::min(kPanel, n - j), right = j + width;
    const Matrix<T> corner = a.block(j, j, width, width);
    if (const int info = lapack_cholesky(corner)) return info + to_int(j);
    const Matrix<T> top = a.block(j, right, width, n - right);
    divide_left<T>(corner, {.upper = true, .transposed = true}, top);
    each_block(n - right, kColumns, [&](int64_t first, int64_t count) {
      const int64_t rows = first + count;  // down to the diagonal
      multiply<T>(top.block(0, 0, width, rows), true, top.block(0, first, width, count), false, -1,
                  1, a.block(right, right + first, rows, count));
    });
  }
  for (int64_t j = 0; j < n; ++j)
    std::fill_n(&a(0, j) + j + 1, n - j - 1, T{0});  // of whole blocks
  return 0;
}

template <class T>
void factor_qr(Matrix<T> a, T* tau) {
  const int64_t least = std::min(a.rows, a.cols);
  if (least == 0) return;
  if (least < kLarge) return lapack_qr(a, tau);
  for (int64_t j = 0; j < least; j += kPanel) {
    const int64_t width = std::min(kPanel, least - j), right = j + width;
    const Matrix<T> panel = a.block(j, j, a.rows - j, width);
    lapack_qr(panel, tau + j);
    reflect(panel, tau + j, true, a.block(j, right, a.rows - j, a.cols - right));
  }
}

template <class T>
void expand_q(Matrix<T> q, int64_t count, const T* tau) {
  if (q.rows == 0 || q.cols == 0) return;
  const auto lapack_q = [](Matrix<T> part, int64_t vectors, const T* by) {
    const int m = to_int(part.rows), n = to_int(part.cols), k = to_int(vectors),
              ld = to_int(part.ld), lwork = std::max(1, n * 32);
    Scratch<T> work(lwork);
    int info = 0;
    call_orgqr<T>(&m, &n, &k, part.at, &ld, by, work.data(), &lwork, &info);
  };
  if (count < kLarge) return lapack_q(q, count, tau);
  // From the last panel to the first; each is applied to what those behind it have made.
  const int64_t last = (count - 1) / kPanel * kPanel;
  for (int64_t j = last; j >= 0; j -= kPanel) {
    const int64_t width = std::min(kPanel, count - j), right = j + width;
    if (j == last) {  // columns behind the vectors are those of the identity
      for (int64_t c = right; c < q.cols; ++c) {
        std::fill_n(&q(0, c), q.rows, T{0});
        if (c < q.rows) q(c, c) = 1;
      }
    }
    const Matrix<T> panel = q.block(j, j, q.rows - j, width);
    reflect(panel, tau + j, false, q.block(j, right, q.rows - j, q.cols - right));
    lapack_q(panel, width, tau + j);
    for (int64_t c = j; c < right; ++c) std::fill_n(&q(0, c), j, T{0});
  }
}

// The size of a workspace that a query has given as a float.
template <class T>
int workspace(T asked) {
  return std::max(1, static_cast<int>(std::ceil(static_cast<double>(asked) * (1 + 1e-6))));
}

template <class T>
int factor_svd(char job, Matrix<T> a, T* s, Matrix<T> u, Matrix<T> vt) {
  const int64_t least = std::min(a.rows, a.cols);
  if (least == 0) return 0;
  const int m = to_int(a.rows), n = to_int(a.cols), lda = to_int(a.ld), ldu = to_int(u.ld),
            ldvt = to_int(vt.ld), query = -1;
  Scratch<int> integers(8 * least);
  int info = 0;
  T asked = 0;
  call_gesdd<T>(&job, &m, &n, a.at, &lda, s, u.at, &ldu, vt.at, &ldvt, &asked, &query,
                integers.data(), &info, size_t{1});
  const int lwork = workspace(asked);
  Scratch<T> work(lwork);
  call_gesdd<T>(&job, &m, &n, a.at, &lda, s, u.at, &ldu, vt.at, &ldvt, work.data(), &lwork,
                integers.data(), &info, size_t{1});
  return info;
}

template <class T>
int factor_symmetric(bool vectors, bool upper, Matrix<T> a, T* values) {
  if (a.rows == 0) return 0;
  const char* const job = vectors ? "V" : "N";
  const char* const uplo = upper ? "U" : "L";
  const int n = to_int(a.rows), lda = to_int(a.ld), query = -1;
  int info = 0, integers_asked = 0;
  T asked = 0;
  call_syevd<T>(job, uplo, &n, a.at, &lda, values, &asked, &query, &integers_asked, &query, &info,
                size_t{1}, size_t{1});
  const int lwork = workspace(asked), liwork = std::max(1, integers_asked);
  Scratch<T> work(lwork);
  Scratch<int> integers(liwork);
  call_syevd<T>(job, uplo, &n, a.at, &lda, values, work.data(), &lwork, integers.data(), &liwork,
                &info, size_t{1}, size_t{1});
  return info;
}

template <class T>
int factor_general(Matrix<T> a, T* re, T* im, Matrix<T> vectors) {
  if (a.rows == 0) return 0;
  const char* const job = vectors.at ? "V" : "N";
  const int n = to_int(a.rows), lda = to_int(a.ld), ldv = to_int(vectors.ld), none = 1, query = -1;
  int info = 0;
  T asked = 0;
  T* const left = nullptr;
  call_geev<T>("N", job, &n, a.at, &lda, re, im, left, &none, vectors.at, &ldv, &asked, &query,
               &info, size_t{1}, size_t{1});
  const int lwork = workspace(asked);
  Scratch<T> work(lwork);
  call_geev<T>("N", job, &n, a.at, &lda, re, im, left, &none, vectors.at, &ldv, work.data(), &lwork,
               &info, size_t{1}, size_t{1});
  return info;
}

template <class T>
int least_squares(Matrix<T> a, Matrix<T> b, T rcond, T* s, int* rank) {
  const int64_t least = std::min(a.rows, a.cols);
  *rank = 0;
  if (least == 0 || b.cols == 0) return 0;
  const int m = to_int(a.rows), n = to_int(a.cols), k = to_int(b.cols), lda = to_int(a.ld),
            ldb = to_int(b.ld), query = -1;
  int info = 0, integers_asked = 0;
  T asked = 0;
  if (s) {
    call_gelsd<T>(&m, &n, &k, a.at, &lda, b.at, &ldb, s, &rcond, rank, &asked, &query,
                  &integers_asked, &info);
    const int lwork = workspace(asked);
    Scratch<T> work(lwork);
    Scratch<int> integers(std::max(1, integers_asked));
    call_gelsd<T>(&m, &n, &k, a.at, &lda, b.at, &ldb, s, &rcond, rank, work.data(), &lwork,
                  integers.data(), &info);
  } else {
    Scratch<int> pivots(n);
    std::fill_n(pivots.data(), n, 0);
    call_gelsy<T>(&m, &n, &k, a.at, &lda, b.at, &ldb, pivots.data(), &rcond, rank, &asked, &query,
                  &info);
    const int lwork = workspace(asked);
    Scratch<T> work(lwork);
    call_gelsy<T>(&m, &n, &k, a.at, &lda, b.at, &ldb, pivots.data(), &rcond, rank, work.data(),
                  &lwork, &info);
  }
  return info;
}

#define GLIA_DENSE(T)                                                                       \
  template void transpose<T>(const T*, int64_t, int64_t, T*);                               \
  template void multiply<T>(Matrix<const T>, bool, Matrix<const T>, bool, T, T, Matrix<T>); \
  template void divide_right<T>(Matrix<const T>, Triangle, Matrix<T>);                      \
  template void divide_left<T>(Matrix<const T>, Triangle, Matrix<T>);                       \
  template int factor_lu<T>(Matrix<T>, int*);                                               \
  template void solve_lu<T>(Matrix<const T>, const int*, Matrix<T>);                        \
  template int invert<T>(Matrix<T>);                                                        \
  template int factor_cholesky<T>(Matrix<T>);                                               \
  template void factor_qr<T>(Matrix<T>, T*);                                                \
  template void expand_q<T>(Matrix<T>, int64_t, const T*);                                  \
  template int factor_svd<T>(char, Matrix<T>, T*, Matrix<T>, Matrix<T>);                    \
  template int factor_symmetric<T>(bool, bool, Matrix<T>, T*);                              \
  template int factor_general<T>(Matrix<T>, T*, T*, Matrix<T>);                             \
  template int least_squares<T>(Matrix<T>, Matrix<T>, T, T*, int*);
GLIA_DENSE(float)
GLIA_DENSE(double)
#undef GLIA_DENSE

}  // namespace glia::dense
