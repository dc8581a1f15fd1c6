// Norms of vectors and matrices, and condition numbers.
#include <fmt/format.h>

#include <cmath>

#include "glia/ops/reduce.h"
#include "math/matrices.h"

namespace glia::linalg {
namespace {

// The two axes of matrices, counted from the front.
std::pair<int, int> matrix_axes(const char* op, const Tensor& a, const Axes& axes,
                                const Where& where) {
  require_defined(op, a, where);
  if (axes.size() != 2) fail(op, fmt::format("{} axes, not 2", axes.size()), where);
  const int row = checked_axis(op, axes[0], a.rank(), where);
  const int col = checked_axis(op, axes[1], a.rank(), where);
  if (row == col) fail(op, fmt::format("axis {} is given twice", row), where);
  return {row, col};
}

// f of matrices in the last two axes, which are gone -> the norm, with the axes put back if kept.
template <class F>
Tensor by_singular_values(const char* op, const Tensor& a, std::pair<int, int> axes, bool keepdim,
                          const Where& where, F&& f) {
  Axes order;
  for (int i = 0; i < a.rank(); ++i)
    if (i != axes.first && i != axes.second) order.push_back(i);
  order.push_back(axes.first);
  order.push_back(axes.second);
  const Tensor last = permute(a, order, where);
  require_matrix(op, last, where);
  Tensor y = f(svdvals(last, where));
  if (!keepdim) return y;
  y = unsqueeze(y, std::min(axes.first, axes.second));
  return unsqueeze(y, std::max(axes.first, axes.second));
}

void require_float(const char* op, const Tensor& x, const Where& where) {
  require_defined(op, x, where);
  if (x.dtype() != kF32 && x.dtype() != kF64)
    fail(op, fmt::format("numbers are f32 or f64, not {}", name(x.dtype())), where);
}

Tensor largest(const Tensor& x, bool most, const Axes& axes, bool keepdim) {
  return most ? max(x, axes, keepdim) : min(x, axes, keepdim);
}

}  // namespace

Tensor vector_norm(const Tensor& x, double ord, const Axes& axes, bool keepdim, Where where) {
  constexpr const char* kName = "linalg.vector_norm";
  require_float(kName, x, where);
  if (std::isnan(ord)) fail(kName, "the order is NaN", where);
  if ((std::isinf(ord) || ord < 0) && x.numel() == 0)
    fail(kName, fmt::format("order {} of {}", ord, x.shape().str()), where);
  return glia::vector_norm(x, ord, axes, keepdim, where);
}

Tensor matrix_norm(const Tensor& a, NormOrder ord, const Axes& axes, bool keepdim, Where where) {
  constexpr const char* kName = "linalg.matrix_norm";
  const auto [row, col] = matrix_axes(kName, a, axes, where);
  require_float(kName, a, where);
  if (ord == NormOrder::kFro) return linalg::vector_norm(a, 2, {row, col}, keepdim, where);
  return by_singular_values(kName, a, {row, col}, keepdim, where,
                            [](const Tensor& s) { return sum(s, {-1}); });
}

Tensor matrix_norm(const Tensor& a, double ord, const Axes& axes, bool keepdim, Where where) {
  constexpr const char* kName = "linalg.matrix_norm";
  const auto [row, col] = matrix_axes(kName, a, axes, where);
  require_float(kName, a, where);
  const bool most = ord > 0;
  const double p = std::abs(ord);
  if (p != 1 && p != 2 && !std::isinf(p))
    fail(kName, fmt::format("order {} is none of 1, 2, inf and their negatives", ord), where);
  if (a.size(row) == 0 || a.size(col) == 0)
    fail(kName, fmt::format("order {} of matrices {}", ord, a.shape().str()), where);
  if (p == 2)
    return by_singular_values(kName, a, {row, col}, keepdim, where,
                              [most](const Tensor& s) { return largest(s, most, {-1}, false); });
  const int summed = p == 1 ? row : col, chosen = p == 1 ? col : row;
  const Tensor sums = sum(abs(a), {summed}, true);
  const Tensor y = largest(sums, most, {chosen}, true);
  if (keepdim) return y;
  return squeeze(squeeze(y, std::max(row, col)), std::min(row, col));
}

Tensor norm(const Tensor& x, std::optional<double> ord, const Axes& axes, bool keepdim,
            Where where) {
  constexpr const char* kName = "linalg.norm";
  require_float(kName, x, where);
  if (!ord) return linalg::vector_norm(x, 2, axes, keepdim, where);
  const size_t count = axes.empty() ? static_cast<size_t>(x.rank()) : axes.size();
  if (count == 1) return linalg::vector_norm(x, *ord, axes, keepdim, where);
  if (count == 2) return matrix_norm(x, *ord, axes.empty() ? Axes{-2, -1} : axes, keepdim, where);
  fail(kName, fmt::format("order {} of {} axes, neither vectors nor matrices", *ord, count), where);
}

namespace {

// |A| |A^-1|, where singular matrices, which have no inverse, are as far as can be.
template <class Order>
Tensor cond_by_inverse(const Tensor& a, Order p, const Where& where) {
  require_square("linalg.cond", a, where);
  return matrix_norm(a, p, {-2, -1}, false, where) *
         matrix_norm(inv(a, where), p, {-2, -1}, false, where);
}

}  // namespace

Tensor cond(const Tensor& a, double p, Where where) {
  require_matrix("linalg.cond", a, where);
  if (std::abs(p) != 2) return cond_by_inverse(a, p, where);
  if (a.size(-2) == 0 || a.size(-1) == 0)
    fail("linalg.cond", "of matrices " + a.shape().str(), where);
  const Tensor s = svdvals(a, where), most = max(s, {-1}), least = min(s, {-1});
  return p > 0 ? most / least : least / most;
}
Tensor cond(const Tensor& a, NormOrder p, Where where) {
  require_matrix("linalg.cond", a, where);
  return cond_by_inverse(a, p, where);
}

}  // namespace glia::linalg
