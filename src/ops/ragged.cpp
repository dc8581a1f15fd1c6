// Rows of different lengths, by what there is for bags and lookups.
#include <algorithm>

#include "glia/sparse.h"

namespace glia {
namespace {

std::string described(const Tensor& t) {
  return t.defined() ? std::string(name(t.dtype())) + " " + t.shape().str() : "undefined";
}

void check(const Ragged& x, const Where& where) {
  const bool good = x.values.defined() && x.values.rank() > 0 && x.starts.defined() &&
                    x.starts.rank() == 1 && x.starts.size(0) > 0 &&
                    (x.starts.dtype() == kI32 || x.starts.dtype() == kI64);
  if (!good)
    throw ShapeError("ragged: values " + described(x.values) + " and starts " +
                         described(x.starts) + " are no rows",
                     where);
}

std::vector<int64_t> starts_of(const Ragged& x, const Where& where) {
  check(x, where);
  auto starts = x.starts.to_vector<int64_t>();
  if (starts.front() != 0 || starts.back() != x.values.size(0) || !std::ranges::is_sorted(starts))
    throw ValueError("ragged: starts do not rise from 0 to " + std::to_string(x.values.size(0)),
                     where);
  return starts;
}

int64_t longest(const std::vector<int64_t>& starts) {
  int64_t most = 0;
  for (size_t r = 0; r + 1 < starts.size(); ++r) most = std::max(most, starts[r + 1] - starts[r]);
  return most;
}

// (N, ...) as (N, D), for operations on rows.
Tensor as_table(const Tensor& x) {
  int64_t width = 1;
  for (int axis = 1; axis < x.rank(); ++axis) width *= x.size(axis);
  return reshape(x, {x.size(0), width});
}

Shape with_first(const Shape& shape, std::initializer_list<int64_t> first) {
  Shape out(first);
  for (int axis = 1; axis < shape.rank(); ++axis) out.push_back(shape[axis]);
  return out;
}

Tensor of_rows(const Ragged& x, BagMode mode, const Where& where) {
  check(x, where);
  const Tensor& v = x.values;
  if (!is_float(v.dtype()))
    throw ShapeError(std::string("ragged: values are ") + name(v.dtype()) + ", not floats", where);
  BagOptions options;
  options.mode = mode;
  options.include_last_offset = true;
  const Tensor out =
      embedding_bag(arange(v.size(0)), as_table(v), cast(x.starts, kI64), {}, options, where);
  return reshape(out, with_first(v.shape(), {x.rows()}));
}

}  // namespace

Ragged Ragged::from_rows(const std::vector<Tensor>& rows) {
  if (rows.empty()) throw ShapeError("ragged: there are no rows");
  std::vector<int64_t> starts{0};
  for (const Tensor& row : rows) {
    if (!row.defined() || row.rank() == 0 || row.dtype() != rows[0].dtype() ||
        with_first(row.shape(), {0}) != with_first(rows[0].shape(), {0}))
      throw ShapeError("ragged: rows differ: " + described(rows[0]) + " and " + described(row));
    starts.push_back(starts.back() + row.size(0));
  }
  const auto count = static_cast<int64_t>(starts.size());
  return {concat(rows), from_vector(starts, {count})};
}

Ragged Ragged::from_padded(const Tensor& x, const Tensor& lengths) {
  if (!x.defined() || x.rank() < 2 || !lengths.defined() || lengths.rank() != 1 ||
      lengths.size(0) != x.size(0) || (lengths.dtype() != kI32 && lengths.dtype() != kI64))
    throw ShapeError("ragged: " + described(x) + " with lengths " + described(lengths));
  std::vector<int64_t> starts{0}, from;
  const int64_t width = x.size(1);
  for (const int64_t length : lengths.to_vector<int64_t>()) {
    if (length < 0 || length > width)
      throw ValueError("ragged: a length of " + std::to_string(length) + " in rows of " +
                       std::to_string(width));
    const auto r = static_cast<int64_t>(starts.size()) - 1;
    for (int64_t k = 0; k < length; ++k) from.push_back(r * width + k);
    starts.push_back(starts.back() + length);
  }
  Shape shape = with_first(x.shape(), {x.size(0) * width});
  shape.erase(1);
  const Tensor rows = as_table(reshape(x, shape));
  const auto count = static_cast<int64_t>(from.size());
  shape[0] = count;
  const Tensor values = index(rows, {from_vector(from, {count})});
  return {reshape(values, shape), from_vector(starts, {static_cast<int64_t>(starts.size())})};
}

Tensor Ragged::lengths() const {
  check(*this, Where());
  return index(starts, {Slice{1}}) - index(starts, {Slice{0, -1}});
}

Tensor Ragged::row(int64_t r) const {
  const std::vector<int64_t> at = starts_of(*this, Where());
  const int64_t i = r < 0 ? r + rows() : r;
  if (i < 0 || i >= rows())
    throw ValueError("ragged: row " + std::to_string(r) + " of " + std::to_string(rows()));
  return index(values, {Slice{at[i], at[i + 1]}});
}

Tensor Ragged::padded(const Number& value) const {
  const std::vector<int64_t> at = starts_of(*this, Where());
  const int64_t width = longest(at);
  const Shape shape = with_first(values.shape(), {rows(), width});
  if (values.size(0) == 0 || shape.numel() == 0) return full(shape, value, values.dtype());
  std::vector<int64_t> from;
  std::vector<bool> there;
  for (int64_t r = 0; r < rows(); ++r) {
    for (int64_t k = 0; k < width; ++k) {
      there.push_back(at[r] + k < at[r + 1]);
      from.push_back(there.back() ? at[r] + k : 0);
    }
  }
  const Tensor table = as_table(values);
  const int64_t count = rows() * width;
  const Tensor taken = index(table, {from_vector(from, {count})});
  const Tensor filled = full({}, value, values.dtype());
  return reshape(where(from_vector(there, {count, 1}), taken, filled), shape);
}

Tensor Ragged::mask() const {
  const std::vector<int64_t> at = starts_of(*this, Where());
  const int64_t width = longest(at);
  return unsqueeze(arange(width), 0) < unsqueeze(cast(lengths(), kI64), 1);
}

Tensor sum(const Ragged& x, Where where) { return of_rows(x, BagMode::kSum, where); }
Tensor mean(const Ragged& x, Where where) { return of_rows(x, BagMode::kMean, where); }
Tensor max(const Ragged& x, Where where) { return of_rows(x, BagMode::kMax, where); }

}  // namespace glia
