// Least squares, the pseudo-inverse and the rank.
#include <fmt/format.h>

#include <limits>

#include "math/matrices.h"

namespace glia::linalg {
namespace {

using dense::each_matrix;
using dense::Matrix;
using dense::Scratch;

double eps_of(DType dtype) {
  return dtype == kF64 ? std::numeric_limits<double>::epsilon()
                       : static_cast<double>(std::numeric_limits<float>::epsilon());
}
double eps_times_size(const Tensor& a) {
  return eps_of(a.dtype()) * static_cast<double>(std::max(a.size(-2), a.size(-1)));
}

// ---- lstsq(a, b) -> solution, rank, singular values
// -------------------------------------------------

struct LstsqAttributes {
  double rcond = 0;
  bool by_svd = false;
  GLIA_ATTRIBUTES(rcond, by_svd)
};

template <class T>
void run_lstsq(const KernelCall& call) {
  const Shape& shape = call.in[0].layout.shape;
  const Sizes s(shape);
  const int64_t m = s.rows, n = s.cols, k = call.in[1].layout.shape.size(-1);
  const int64_t tall = std::max(m, n);
  const auto [rcond, by_svd] = call.attributes<LstsqAttributes>();
  const int64_t failed = each_matrix(
      s.batch, 4 * static_cast<double>(s.size()) * static_cast<double>(s.least() + k),
      [&, rcond = static_cast<T>(rcond), by_svd = by_svd](int64_t i) {
        const T *const a = matrix<const T>(call.in[0], i, m * n), *const b = matrix<const T>(
                                                                      call.in[1], i, m * k);
        if (!all_finite(a, m * n) || !all_finite(b, m * k)) return 1;
        Scratch<T> left(m * n), right(tall * k), values(by_svd ? s.least() : 0);
        dense::transpose(a, m, n, left.data());
        std::fill_n(right.data(), tall * k, T{0});
        const Matrix<T> x(right.data(), tall, k);
        for (int64_t r = 0; r < m; ++r)
          for (int64_t c = 0; c < k; ++c) x(r, c) = b[r * k + c];
        int rank = 0;
        const int info = dense::least_squares(Matrix<T>(left.data(), m, n), x, rcond,
                                              by_svd ? values.data() : nullptr, &rank);
        if (T* const to = matrix<T>(call.out[0], i, n * k)) {
          for (int64_t r = 0; r < n; ++r)
            for (int64_t c = 0; c < k; ++c) to[r * k + c] = m == 0 ? 0 : x(r, c);
        }
        if (call.out[1].data) call.out[1].as<int64_t>()[i] = rank;
        if (T* const to = matrix<T>(call.out[2], i, s.least()))
          std::copy_n(values.data(), s.least(), to);
        return info == 0 ? 0 : 2;
      });
  if (failed >= 0)
    fail_matrix("linalg.lstsq", shape, failed,
                "or its right side has numbers that are not finite, or does not converge");
}

Tensor record_pinv(const Tensor& a, double atol, double rtol, bool hermitian, const Where& where);

// X = A+ B, by the derivative of A+ for a fixed rank (Golub & Pereyra 1973).
void vjp_lstsq(Vjp& v) {
  const Tensor& g = v.g(0);
  if (!g.defined()) return;
  const Tensor a = v.in(0), b = v.in(1);
  const Tensor x = result(v, 0, joined(batch_of(a.shape()), {a.size(-1), b.size(-1)}));
  const Tensor p = record_pinv(a, 0, v.attributes<LstsqAttributes>().rcond, false, v.where());
  const Tensor gb = matmul(t(p), g);
  v.set(1, gb);
  if (!v.needs(0)) return;
  const Tensor rest = b - matmul(a, x), outside = g - matmul(p, matmul(a, g));
  v.set(0, matmul(rest, t(matmul(p, gb))) + matmul(matmul(t(p), x), t(outside)) - matmul(gb, t(x)));
}
const Op kLstsq{.name = "linalg_lstsq",
                .kind = Kind::kKernel,
                .attributes = kAttributeFields<LstsqAttributes>,
                .vjp = vjp_lstsq,
                .run = GLIA_RUN(run_lstsq),
                .batch = batch_in_front,
                .outputs = 3,
                .may_throw = true};

// ---- pinv(a)
// --------------------------------------------------------------------------------------

struct PinvAttributes {
  double atol = 0, rtol = 0;
  bool hermitian = false;
  GLIA_ATTRIBUTES(atol, rtol, hermitian)
};

// 1 / x where |x| is above the bound, else 0.
Tensor inverse_above(const Tensor& x, double atol, double rtol) {
  const Tensor size = abs(x);
  if (x.size(-1) == 0) return x;
  const Tensor keep = size > maximum(max(size, {-1}, true) * rtol, atol);
  return where(keep, 1 / where(keep, x, 1), 0);
}

std::vector<Tensor> compose_pinv(const Recorded& one, std::span<const Tensor> in) {
  const auto [atol, rtol, hermitian] = one.attributes<PinvAttributes>();
  if (hermitian) {
    const auto [w, x] = eigh(in[0], false, one.where());
    return {matmul(x * unsqueeze(inverse_above(w, atol, rtol), -2), t(x))};
  }
  const auto [u, s, vh] = svd(in[0], false, one.where());
  return {matmul(t(vh) * unsqueeze(inverse_above(s, atol, rtol), -2), t(u))};
}
// dP = -P dA P + P P^T dA^T (1 - A P) + (1 - P A) dA^T P^T P.
void vjp_pinv(Vjp& v) {
  const Tensor a = v.in(0), p = v.out(), &g = v.g();
  const Tensor pt = t(p), gp = matmul(g, pt);             // (n, n)
  const Tensor inside = matmul(pt, gp);                   // P^T g P^T, (m, n)
  const Tensor left = t(g) - matmul(matmul(a, p), t(g));  // (1 - A P) g^T, (m, n)
  const Tensor right = g - matmul(p, matmul(a, g));       // (1 - P A) g, (n, m)
  v.set(0, matmul(left, matmul(p, pt)) + matmul(matmul(pt, p), t(right)) - inside);
}
const Op kPinv{.name = "linalg_pinv",
               .kind = Kind::kMacro,
               .attributes = kAttributeFields<PinvAttributes>,
               .vjp = vjp_pinv,
               .batch = batch_in_front,
               .compose = compose_pinv};

const RegisterOp registered[] = {RegisterOp(kLstsq), RegisterOp(kPinv)};

Tensor record_pinv(const Tensor& a, double atol, double rtol, bool hermitian, const Where& where) {
  Shape shape = batch_of(a.shape());
  shape = joined(shape, {a.size(-1), a.size(-2)});
  return record(kPinv, {a.node()}, shape, a.dtype(), PinvAttributes{atol, rtol, hermitian}, where);
}

struct Bounds {
  double atol, rtol;
};
Bounds bounds(const char* op, const Tensor& a, const RankOptions& options, const Where& where) {
  require_matrix(op, a, where, options.hermitian);
  const double atol = options.atol.value_or(0);
  const double rtol = options.rtol.value_or(atol > 0 ? 0 : eps_times_size(a));
  if (!(atol >= 0) || !(rtol >= 0))
    fail(op, fmt::format("atol {} and rtol {} are not 0 or above", atol, rtol), where);
  return {atol, rtol};
}

}  // namespace

LstsqResult lstsq(const Tensor& a, const Tensor& b, const LstsqOptions& options, Where where) {
  constexpr const char* kName = "linalg.lstsq";
  require_matrix(kName, a, where);
  require_matrix(kName, b, where);
  if (a.dtype() != b.dtype() || a.size(-2) != b.size(-2))
    fail(kName,
         fmt::format("{} {} and {} {}", name(a.dtype()), a.shape().str(), name(b.dtype()),
                     b.shape().str()),
         where);
  const double rcond = options.rcond.value_or(eps_times_size(a));
  if (!(rcond >= 0)) fail(kName, fmt::format("rcond {} is not 0 or above", rcond), where);
  const auto [left, right] = same_batch(kName, a, b, where);
  const Shape batch = batch_of(left.shape());
  const int64_t n = a.size(-1), least = std::min(a.size(-2), n);
  const bool by_svd = options.driver == LstsqDriver::kGelsd;
  const Tensor tuple = record(kLstsq, {left.node(), right.node()}, {}, a.dtype(),
                              LstsqAttributes{rcond, by_svd}, where);
  LstsqResult r;
  r.solution = output(tuple, 0, joined(batch, {n, b.size(-1)}), a.dtype());
  r.residuals = sum(square(matmul(left, r.solution) - right), {-2});
  r.rank = stop_gradient(output(tuple, 1, batch, kI64));
  if (by_svd)
    r.singular_values = stop_gradient(output(tuple, 2, joined(batch, {least}), a.dtype()));
  return r;
}

Tensor pinv(const Tensor& a, const RankOptions& options, Where where) {
  const auto [atol, rtol] = bounds("linalg.pinv", a, options, where);
  return record_pinv(a, atol, rtol, options.hermitian, where);
}

Tensor matrix_rank(const Tensor& a, const RankOptions& options, Where where) {
  const auto [atol, rtol] = bounds("linalg.matrix_rank", a, options, where);
  const NoGrad off;
  const Tensor s = options.hermitian ? abs(eigvalsh(a, false, where)) : svdvals(a, where);
  if (s.size(-1) == 0) return zeros(batch_of(a.shape()), kI64);
  return sum(s > maximum(max(s, {-1}, true) * rtol, atol), {-1});
}

}  // namespace glia::linalg
