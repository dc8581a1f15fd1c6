// LAPACK and BLAS for both floats, by pointers to column-major arrays. They run on the thread that
// calls: lapack.cpp sees to that.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

// A routine for both types, in which T stands for the number's.
#define GLIA_LAPACK(name, ...)              \
  namespace singles {                       \
  extern "C" void s##name##_(__VA_ARGS__);  \
  }                                         \
  namespace doubles {                       \
  extern "C" void d##name##_(__VA_ARGS__);  \
  }                                         \
  template <class T, class... Arguments>    \
  void call_##name(const Arguments&... a) { \
    if constexpr (std::is_same_v<T, float>) \
      singles::s##name##_(a...);            \
    else                                    \
      doubles::d##name##_(a...);            \
  }

namespace glia::lapack {

using Int = const int*;
using Flag = const char*;
namespace singles {
using T = float;
}
namespace doubles {
using T = double;
}

// The lengths of flags, which Fortran passes behind all others, are left to each call's end.
GLIA_LAPACK(gemm, Flag ta, Flag tb, Int m, Int n, Int k, const T* alpha, const T* a, Int lda,
            const T* b, Int ldb, const T* beta, T* c, Int ldc, size_t, size_t)
GLIA_LAPACK(trsm, Flag side, Flag uplo, Flag trans, Flag diag, Int m, Int n, const T* alpha,
            const T* a, Int lda, T* b, Int ldb, size_t, size_t, size_t, size_t)
GLIA_LAPACK(getrf, Int m, Int n, T* a, Int lda, int* pivots, int* info)
GLIA_LAPACK(getri, Int n, T* a, Int lda, Int pivots, T* work, Int lwork, int* info)
GLIA_LAPACK(laswp, Int n, T* a, Int lda, Int first, Int last, Int pivots, Int step)
GLIA_LAPACK(potrf, Flag uplo, Int n, T* a, Int lda, int* info, size_t)
GLIA_LAPACK(geqrf, Int m, Int n, T* a, Int lda, T* tau, T* work, Int lwork, int* info)
GLIA_LAPACK(orgqr, Int m, Int n, Int k, T* a, Int lda, const T* tau, T* work, Int lwork, int* info)
GLIA_LAPACK(larft, Flag direct, Flag store, Int n, Int k, T* v, Int ldv, const T* tau, T* t,
            Int ldt, size_t, size_t)
GLIA_LAPACK(larfb, Flag side, Flag trans, Flag direct, Flag store, Int m, Int n, Int k, const T* v,
            Int ldv, const T* t, Int ldt, T* c, Int ldc, T* work, Int ldwork, size_t, size_t,
            size_t, size_t)
GLIA_LAPACK(gesdd, Flag job, Int m, Int n, T* a, Int lda, T* s, T* u, Int ldu, T* vt, Int ldvt,
            T* work, Int lwork, int* iwork, int* info, size_t)
GLIA_LAPACK(syevd, Flag job, Flag uplo, Int n, T* a, Int lda, T* w, T* work, Int lwork, int* iwork,
            Int liwork, int* info, size_t, size_t)
GLIA_LAPACK(geev, Flag left, Flag right, Int n, T* a, Int lda, T* re, T* im, T* vl, Int ldvl, T* vr,
            Int ldvr, T* work, Int lwork, int* info, size_t, size_t)
GLIA_LAPACK(gelsy, Int m, Int n, Int k, T* a, Int lda, T* b, Int ldb, int* jpvt, const T* rcond,
            int* rank, T* work, Int lwork, int* info)
GLIA_LAPACK(gelsd, Int m, Int n, Int k, T* a, Int lda, T* b, Int ldb, T* s, const T* rcond,
            int* rank, T* work, Int lwork, int* iwork, int* info)

}  // namespace glia::lapack

#undef GLIA_LAPACK

namespace glia::lapack {

extern "C" void zgees_(Flag vectors, Flag sort, void* select, Int n, std::complex<double>* a,
                       Int lda, int* selected, std::complex<double>* values,
                       std::complex<double>* q, Int ldq, std::complex<double>* work, Int lwork,
                       double* reals, int* flags, int* info, size_t, size_t);

// A = Q T Q^H (n, n) column-major: T, upper triangular, takes A's place. Not 0 where it does not
// converge.
inline int schur(int64_t order, std::complex<double>* a, std::complex<double>* q) {
  const int n = static_cast<int>(order), query = -1;
  int selected = 0, info = 0;
  std::vector<std::complex<double>> values(static_cast<size_t>(order)), work(1);
  std::vector<double> reals(static_cast<size_t>(order));
  zgees_("V", "N", nullptr, &n, a, &n, &selected, values.data(), q, &n, work.data(), &query,
         reals.data(), nullptr, &info, size_t{1}, size_t{1});
  const int lwork = static_cast<int>(work[0].real());
  work.resize(static_cast<size_t>(lwork));
  zgees_("V", "N", nullptr, &n, a, &n, &selected, values.data(), q, &n, work.data(), &lwork,
         reals.data(), nullptr, &info, size_t{1}, size_t{1});
  return info;
}

}  // namespace glia::lapack
