// Dense matrices on the host: what the kernels of linear algebra are made of. Column-major unless
// said. Large ones are cut into blocks by their size alone, which all threads share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/parallel.h"

namespace glia::dense {

// Memory for a kernel's use, not initialised; small ones lie on the stack.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count) {
    if (count > kInline) heap_.reset(new T[static_cast<size_t>(count)]);
  }
  T* data() { return heap_ ? heap_.get() : inline_; }
  operator T*() { return data(); }

 private:
  static constexpr int64_t kInline = 2048 / sizeof(T);
  T inline_[kInline];
  std::unique_ptr<T[]> heap_;
};

// A matrix, or a part of one: element (i, j) is at[i + j * ld].
template <class T>
struct Matrix {
  T* at;
  int64_t rows, cols, ld;

  Matrix(T* data, int64_t m, int64_t n) : at(data), rows(m), cols(n), ld(m > 0 ? m : 1) {}
  Matrix(T* data, int64_t m, int64_t n, int64_t stride) : at(data), rows(m), cols(n), ld(stride) {}
  T& operator()(int64_t i, int64_t j) const { return at[i + j * ld]; }
  Matrix block(int64_t i, int64_t j, int64_t m, int64_t n) const {
    return {at + i + j * ld, m, n, ld};
  }
  operator Matrix<const T>() const requires(!std::is_const_v<T>) { return {at, rows, cols, ld}; }
};

// to = the transpose of from, (rows, cols) row-major, which is also from column to row order.
template <class T>
void transpose(const T* from, int64_t rows, int64_t cols, T* to);

// c = alpha op(a) op(b) + beta c.
template <class T>
void multiply(Matrix<const std::type_identity_t<T>> a, bool transposed_a,
              Matrix<const std::type_identity_t<T>> b, bool transposed_b, T alpha, T beta,
              Matrix<T> c);
// A triangle as the factor of an equation.
struct Triangle {
  bool upper = false, transposed = false, unit = false;
};
// x = x op(a)^-1.
template <class T>
void divide_right(Matrix<const std::type_identity_t<T>> a, Triangle kind, Matrix<T> x);
// x = op(a)^-1 x.
template <class T>
void divide_left(Matrix<const std::type_identity_t<T>> a, Triangle kind, Matrix<T> x);

// P L U in place; pivots (min(rows, cols)) from 1. The first column without a pivot, from 1, or 0.
template <class T>
int factor_lu(Matrix<T> a, int* pivots);
// x = op(a)^-1 x by the factors of factor_lu.
template <class T>
void solve_lu(Matrix<const std::type_identity_t<T>> lu, const int* pivots, Matrix<T> x);
// The inverse in place; the first column without a pivot, from 1, or 0.
template <class T>
int invert(Matrix<T> a);
// The upper triangle becomes U of U^T U, the lower one zeros if it was. The first row without one,
// from 1, or 0.
template <class T>
int factor_cholesky(Matrix<T> a);
// LAPACK's geqrf, tau (min(rows, cols)), and orgqr: the first q.cols columns of the product of the
// reflections whose vectors the first `count` columns of q hold.
template <class T>
void factor_qr(Matrix<T> a, T* tau);
template <class T>
void expand_q(Matrix<T> q, int64_t count, const T* tau);

// a = u diag(s) vt, which destroys a. The job as LAPACK's gesdd has it: 'N' only s, 'S' the first
// min(rows, cols) vectors, 'A' all. Not 0 where it did not converge.
template <class T>
int factor_svd(char job, Matrix<T> a, T* s, Matrix<T> u, Matrix<T> vt);

// Eigenvalues of a symmetric matrix, rising, by one triangle; the vectors take a's place if asked.
template <class T>
int factor_symmetric(bool vectors, bool upper, Matrix<T> a, T* values);
// Of any square matrix, which is destroyed; vectors (its data may be null) in pairs of real and
// imaginary parts, as LAPACK's geev gives them.
template <class T>
int factor_general(Matrix<T> a, T* re, T* im, Matrix<T> vectors);
// The shortest x with the least |a x - b| in the place of b (max(rows, cols), ...), a destroyed.
// By pivoted QR, or by singular values, which s then gets.
template <class T>
int least_squares(Matrix<T> a, Matrix<T> b, T rcond, T* s, int* rank);

// info = f(i) for each matrix of a batch, in parallel, a few at a time if each is little work.
// Gives the first i whose info is not 0, or -1.
template <class F>
int64_t each_matrix(int64_t batch, double flops, F&& f, int* info_out = nullptr) {
  const auto most = static_cast<int64_t>(2e5 / (flops + 1e3)) + 1;
  const int64_t pieces = (batch + most - 1) / most;
  std::vector<std::pair<int64_t, int>> failed(static_cast<size_t>(pieces), {-1, 0});
  const auto run = [&](int64_t p) {
    for (int64_t i = p * most; i < std::min(batch, (p + 1) * most); ++i) {
      const int info = f(i);
      if (info != 0 && failed[p].first < 0) failed[p] = {i, info};
    }
  };
  if (pieces == 1)
    run(0);  // so that a single matrix may use all threads
  else
    parallel_for(pieces, run);
  for (const auto& [i, info] : failed) {
    if (i < 0) continue;
    if (info_out) *info_out = info;
    return i;
  }
  return -1;
}

}  // namespace glia::dense
