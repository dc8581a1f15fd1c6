// The exponential of a matrix: a rational function of A / 2^s, squared s times (Higham 2005).
#include <cmath>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;

// Numerator coefficients of the approximations of order 3, 5, 7, 9 and 13, and the norms up to
// which they have full precision.
struct Approximation {
  int order;
  double up_to_f32, up_to_f64;
  double coefficients[14];
};
constexpr Approximation kApproximations[]{
    {3, 4.258730016922831e-1, 1.495585217958292e-2, {120, 60, 12, 1}},
    {5, 1.880152677804762, 2.539398330063230e-1, {30240, 15120, 3360, 420, 30, 1}},
    {7,
     3.925724783138660,
     9.504178996162932e-1,
     {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}},
    {9,
     3.925724783138660,
     2.097847961257068,
     {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1}},
    {13,
     3.925724783138660,
     5.371920351148152,
     {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
      10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}}};

template <class T>
double one_norm(const T* a, int64_t n) {
  double most = 0;
  for (int64_t j = 0; j < n; ++j) {
    double s = 0;
    for (int64_t i = 0; i < n; ++i) s += std::abs(static_cast<double>(a[j * n + i]));
    if (!(s <= most)) most = s;
  }
  return most;
}

// exp of the n x n numbers at `a` into `out`; rows or columns alike.
template <class T>
void exponential(const T* from, int64_t n, T* out) {
  const int64_t size = n * n;
  const double norm = one_norm(from, n);
  if (!std::isfinite(norm)) {
    std::fill_n(out, size, T(NAN));
    return;
  }
  constexpr bool kSingle = std::is_same_v<T, float>;
  const auto up_to = [](const Approximation& p) { return kSingle ? p.up_to_f32 : p.up_to_f64; };
  const Approximation* p = kApproximations;
  const Approximation* const last = kApproximations + (kSingle ? 2 : 4);
  while (p != last && norm > up_to(*p)) ++p;
  const int halvings = norm > up_to(*p) ? std::max(0, std::ilogb(norm / up_to(*p)) + 1) : 0;

  Scratch<T> memory(5 * size);
  T* const a = memory.data();
  T *const square = a + size, *const power = square + size, *const odd = power + size,
           *const even = odd + size;
  const T scale = static_cast<T>(std::ldexp(1.0, -halvings));
  for (int64_t i = 0; i < size; ++i) a[i] = from[i] * scale;
  const auto multiply = [n](const T* x, const T* y, T* to) {
    dense::multiply<T>({x, n, n}, false, {y, n, n}, false, 1, 0, Matrix<T>(to, n, n));
  };
  // U = A (c1 + c3 A^2 + ...), V = c0 + c2 A^2 + ..., exp = (V - U)^-1 (V + U).
  const auto c = [p](int i) { return static_cast<T>(p->coefficients[i] / p->coefficients[0]); };
  multiply(a, a, square);
  std::copy_n(square, size, power);
  for (int64_t i = 0; i < size; ++i) {
    const T one = i % (n + 1) == 0;
    even[i] = one + c(2) * square[i];
    odd[i] = c(1) * one + c(3) * square[i];
  }
  for (int k = 4; k < p->order; k += 2) {
    multiply(power, square, out);
    std::copy_n(out, size, power);
    for (int64_t i = 0; i < size; ++i) {
      even[i] += c(k) * power[i];
      odd[i] += c(k + 1) * power[i];
    }
  }
  multiply(a, odd, power);
  for (int64_t i = 0; i < size; ++i) {
    out[i] = even[i] + power[i];
    even[i] -= power[i];
  }
  Scratch<int> pivots(n);
  dense::factor_lu(Matrix<T>(even, n, n), pivots.data());
  dense::solve_lu<T>({even, n, n}, pivots.data(), Matrix<T>(out, n, n));
  for (int s = 0; s < halvings; ++s) {
    multiply(out, out, a);
    std::copy_n(a, size, out);
  }
}

template <class T>
void run_matrix_exp(const KernelCall& call) {
  const Sizes s(call.in[0].layout.shape);
  each_matrix(s.batch, 20 * static_cast<double>(s.size()) * static_cast<double>(s.rows),
              [&](int64_t i) {
                if (s.rows > 0)
                  exponential(matrix<const T>(call.in[0], i, s.size()), s.rows,
                              matrix<T>(call.out[0], i, s.size()));
                return 0;
              });
}
// The derivative along g is the corner of the exponential of [[A^T, g], [0, A^T]] (Mathias 1996).
void vjp_matrix_exp(Vjp& v) {
  const Tensor a = t(v.in(0)), &g = v.g();
  const int64_t n = a.size(-1);
  const Tensor both = concat({concat({a, g}, -1), concat({zeros_like(a), a}, -1)}, -2);
  v.set(0, cols_of(rows_of(matrix_exp(both, v.where()), 0, n), n, 2 * n));
}
const Op kMatrixExp{.name = "linalg_matrix_exp",
                    .kind = Kind::kKernel,
                    .vjp = vjp_matrix_exp,
                    .run = GLIA_RUN(run_matrix_exp),
                    .batch = batch_in_front};
const RegisterOp registered(kMatrixExp);

}  // namespace

Tensor matrix_exp(const Tensor& a, Where where) {
  require_square("linalg.matrix_exp", a, where);
  return record(kMatrixExp, {a.node()}, a.shape(), a.dtype(), {}, where);
}

}  // namespace glia::linalg
