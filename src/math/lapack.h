// LAPACK and BLAS for both floats, by pointers to column-major arrays. They run on the thread that
// calls: lapack.cpp sees to that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

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
