#include "math/matrices.h"

#include <fmt/format.h>

namespace glia::linalg {

void require_matrix(const char* op, const Tensor& a, const Where& where, bool square) {
  require_defined(op, a, where);
  if (a.dtype() != kF32 && a.dtype() != kF64)
    fail(op, fmt::format("matrices are f32 or f64, not {}", name(a.dtype())), where);
  if (a.rank() < 2)
    fail(op, fmt::format("{} is no matrix or batch of matrices", a.shape().str()), where);
  const int64_t m = a.size(-2), n = a.size(-1);
  constexpr int64_t kMost = 20000;  // so that the workspaces can be counted in 31 bits
  if (std::max(m, n) > INT32_MAX / 64 || std::min(m, n) > kMost)
    fail(op, fmt::format("matrices {} x {} are too large", m, n), where);
  if (square && m != n)
    fail(op, fmt::format("matrices {} x {} are not square: {}", m, n, a.shape().str()), where);
}
void require_square(const char* op, const Tensor& a, const Where& where) {
  require_matrix(op, a, where, true);
}

void fail_matrix(const char* op, const Shape& shape, int64_t i, const std::string& what) {
  const std::string which = shape.rank() > 2 ? fmt::format(" of batch element {}", i) : "";
  throw ValueError(fmt::format("{}: the matrix{} {}", op, which, what));
}

Shape batch_of(const Shape& shape, int count) {
  return Shape(shape.span().first(static_cast<size_t>(shape.rank() - count)));
}
Shape joined(Shape batch, std::initializer_list<int64_t> sizes) {
  for (int64_t size : sizes) batch.push_back(size);
  return batch;
}

std::pair<Tensor, Tensor> same_batch(const char* op, const Tensor& a, const Tensor& b,
                                     const Where& where) {
  const Shape of_a = batch_of(a.shape()), of_b = batch_of(b.shape());
  if (of_a == of_b) return {a, b};
  Shape both;
  try {
    both = broadcast(of_a, of_b);
  } catch (const ShapeError&) {
    fail(op, fmt::format("batches {} and {} do not fit", a.shape().str(), b.shape().str()), where);
  }
  return {expand(a, joined(both, {a.size(-2), a.size(-1)}), where),
          expand(b, joined(both, {b.size(-2), b.size(-1)}), where)};
}

Sizes::Sizes(const Shape& shape) : rows(shape.size(-2)), cols(shape.size(-1)) {
  for (int64_t size : batch_of(shape)) batch *= size;
}

Tensor batch_in_front(const Recorded& one, std::span<const Tensor> inputs,
                      std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> all;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    all.push_back(with_batch_axis(inputs[i], batched[i], size));
    nodes.push_back(all.back().node());
  }
  Shape shape;
  if (one.op().outputs == 1) {
    shape = one.shape();
    shape.insert(0, size);
  }
  return record(one.op(), nodes, shape, one.dtype(), one.words(), one.where());
}

namespace {

// Column less row of each place.
Tensor offsets(const Tensor& x) { return arange(x.size(-1)) - unsqueeze(arange(x.size(-2)), 1); }

}  // namespace

Tensor upper_part(const Tensor& x, int64_t k) { return where(offsets(x) >= k, x, 0); }
Tensor lower_part(const Tensor& x, int64_t k) { return where(offsets(x) <= k, x, 0); }
Tensor rows_of(const Tensor& x, int64_t first, int64_t last) {
  return first == 0 && last == x.size(-2) ? x : slice(x, -2, {first, last});
}
Tensor cols_of(const Tensor& x, int64_t first, int64_t last) {
  return first == 0 && last == x.size(-1) ? x : slice(x, -1, {first, last});
}

Tensor identity(const Shape& batch, int64_t n, DType dtype) {
  return expand(eye(n, dtype), joined(batch, {n, n}));
}
Tensor diagonal_matrix(const Tensor& x) { return unsqueeze(x, -1) * eye(x.size(-1), x.dtype()); }
Tensor diagonal_of(const Tensor& x) {
  const int64_t n = std::min(x.size(-2), x.size(-1));
  return sum(
      where(offsets(rows_of(cols_of(x, 0, n), 0, n)) == 0, rows_of(cols_of(x, 0, n), 0, n), 0),
      {-1});
}

Tensor permute_rows(const Tensor& x, const Tensor& positions) {
  Shape shape = positions.shape();
  shape.push_back(x.size(-1));
  return gather(x, expand(unsqueeze(positions, -1), shape), -2);
}
Tensor added(const Tensor& a, const Tensor& b) {
  if (!a.defined()) return b;
  return b.defined() ? a + b : a;
}

}  // namespace glia::linalg
