// Products, powers and functions of matrices that other operations make up.
#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "glia/ops/contract.h"
#include "math/matrices.h"

namespace glia::linalg {
namespace {

// Where the products i .. j are cut for the least work (Cormen et al. 2009, 15.2); sizes[i] are the
// rows of factor i, sizes[i + 1] its columns.
class Chain {
 public:
  Chain(std::vector<Tensor> factors, const Where& where)
      : factors_(std::move(factors)), where_(where) {
    const size_t n = factors_.size();
    std::vector<double> sizes;
    for (const Tensor& f : factors_) sizes.push_back(static_cast<double>(f.size(0)));
    sizes.push_back(static_cast<double>(factors_.back().size(1)));
    std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
    cut_.assign(n, std::vector<size_t>(n, 0));
    for (size_t length = 1; length < n; ++length) {
      for (size_t i = 0; i + length < n; ++i) {
        const size_t j = i + length;
        cost[i][j] = std::numeric_limits<double>::infinity();
        for (size_t k = i; k < j; ++k) {
          const double c = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1];
          if (c < cost[i][j]) cost[i][j] = c, cut_[i][j] = k;
        }
      }
    }
  }
  Tensor product(size_t i, size_t j) const {
    if (i == j) return factors_[i];
    const size_t k = cut_[i][j];
    return matmul(product(i, k), product(k + 1, j), where_);
  }

 private:
  std::vector<Tensor> factors_;
  Where where_;
  std::vector<std::vector<size_t>> cut_;
};

int64_t product_of(const Shape& shape, int first, int last) {
  int64_t n = 1;
  for (int i = first; i < last; ++i) n = multiply_sizes(n, shape[i]);
  return n;
}

}  // namespace

Tensor multi_dot(const std::vector<Tensor>& tensors, Where where) {
  constexpr const char* kName = "linalg.multi_dot";
  if (tensors.size() < 2)
    fail(kName, fmt::format("{} tensors, not 2 or more", tensors.size()), where);
  std::vector<Tensor> factors = tensors;
  for (const Tensor& x : factors) require_defined(kName, x, where);
  const bool row = factors.front().rank() == 1, column = factors.back().rank() == 1;
  if (row) factors.front() = unsqueeze(factors.front(), 0);
  if (column) factors.back() = unsqueeze(factors.back(), 1);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (factors[i].rank() != 2)
      fail(kName, fmt::format("tensor {} is {}, no matrix", i, tensors[i].shape().str()), where);
    if (i > 0 && factors[i - 1].size(1) != factors[i].size(0))
      fail(kName,
           fmt::format("tensors {} and {} do not fit: {} x {}", i - 1, i,
                       tensors[i - 1].shape().str(), tensors[i].shape().str()),
           where);
  }
  const size_t last = factors.size() - 1;
  Tensor y = Chain(std::move(factors), where).product(0, last);
  if (column) y = squeeze(y, 1);
  return row ? squeeze(y, 0) : y;
}

namespace {

// By halves, of which the one beside the diagonal is computed once.
Tensor gram_of(const Tensor& a, const Where& where) {
  constexpr int64_t kWhole = 64;
  const int64_t n = a.size(-1), half = (n / 2 + 15) / 16 * 16;
  if (n <= kWhole) return matmul(t(a), a, where);
  const Tensor left = cols_of(a, 0, half), right = cols_of(a, half, n);
  const Tensor beside = matmul(t(left), right, where);
  return concat(
      {concat({gram_of(left, where), beside}, -1), concat({t(beside), gram_of(right, where)}, -1)},
      -2);
}

}  // namespace

Tensor gram(const Tensor& a, Where where) {
  require_matrix("linalg.gram", a, where);
  return gram_of(a, where);
}

Tensor matrix_power(const Tensor& a, int64_t n, Where where) {
  constexpr const char* kName = "linalg.matrix_power";
  require_square(kName, a, where);
  if (n == std::numeric_limits<int64_t>::min()) fail(kName, fmt::format("power {}", n), where);
  return glia::matrix_power(n < 0 ? inv(a, where) : a, std::abs(n), where);
}

Tensor cross(const Tensor& a, const Tensor& b, int axis, Where where) {
  constexpr const char* kName = "linalg.cross";
  require_defined(kName, a, where);
  require_defined(kName, b, where);
  if (a.rank() != b.rank())
    fail(kName, fmt::format("ranks differ: {} and {}", a.shape().str(), b.shape().str()), where);
  return glia::cross(a, b, axis, where);
}

Tensor tensorinv(const Tensor& a, int ind, Where where) {
  constexpr const char* kName = "linalg.tensorinv";
  require_defined(kName, a, where);
  if (ind < 1 || ind > a.rank())
    fail(kName, fmt::format("ind {} of rank {}", ind, a.rank()), where);
  const int64_t m = product_of(a.shape(), 0, ind), n = product_of(a.shape(), ind, a.rank());
  if (m != n) fail(kName, fmt::format("{} is {} x {}", a.shape().str(), m, n), where);
  Shape shape;
  for (int i = 0; i < a.rank(); ++i) shape.push_back(a.shape()[(i + ind) % a.rank()]);
  return reshape(inv(reshape(a, {m, n}), where), shape);
}

Tensor tensorsolve(const Tensor& a, const Tensor& b, const Axes& axes, Where where) {
  constexpr const char* kName = "linalg.tensorsolve";
  require_defined(kName, a, where);
  require_defined(kName, b, where);
  Axes order, moved;
  for (int64_t axis : axes) moved.push_back(checked_axis(kName, axis, a.rank(), where));
  for (int i = 0; i < a.rank(); ++i)
    if (std::ranges::count(moved, i) == 0) order.push_back(i);
  order.insert(order.end(), moved.begin(), moved.end());
  const Tensor all = permute(a, order, where);
  if (b.rank() > all.rank())
    fail(kName, fmt::format("{} and {}", a.shape().str(), b.shape().str()), where);
  const int64_t m = b.numel(), n = product_of(all.shape(), b.rank(), all.rank());
  if (m != n || product_of(all.shape(), 0, b.rank()) != m)
    fail(kName, fmt::format("{} is not square over {}", a.shape().str(), b.shape().str()), where);
  Shape shape;
  for (int i = b.rank(); i < all.rank(); ++i) shape.push_back(all.shape()[i]);
  return reshape(solve(reshape(all, {m, n}), reshape(b, {m}), true, where), shape);
}

Tensor vander(const Tensor& x, std::optional<int64_t> count, Where where) {
  constexpr const char* kName = "linalg.vander";
  require_defined(kName, x, where);
  if (x.rank() == 0) fail(kName, "x has no axis", where);
  const int64_t n = count.value_or(x.size(-1));
  if (n < 0) fail(kName, fmt::format("{} columns", n), where);
  Shape shape = x.shape();
  shape.push_back(n);
  if (n <= 1) return expand(unsqueeze(ones_like(x), -1), shape);
  Shape powers = x.shape();
  powers.push_back(n - 1);
  const Tensor repeated = expand(unsqueeze(x, -1), powers);
  return concat({unsqueeze(ones_like(x), -1), cast(cumprod(repeated, -1), x.dtype())}, -1, where);
}

}  // namespace glia::linalg
