// Lookups in tables, and products with matrices in compressed rows.
#include "glia/sparse.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "ops/rows.h"

namespace glia {
namespace {

// ---- bag_starts(offsets): i32 and checked ----

struct BagStartsAttributes {
  int64_t count = 0;  // of indices
  GLIA_ATTRIBUTES(count)
};

void run_bag_starts(const KernelCall& call) {
  const int64_t bags = call.out[0].numel() - 1, given = call.in[0].numel();
  const int64_t count = call.attributes<BagStartsAttributes>().count;
  int32_t* out = call.out[0].as<int32_t>();
  const auto fill = [&](const auto* offsets) {
    int64_t before = 0;
    for (int64_t b = 0; b <= bags; ++b) {
      const int64_t at = b < given ? static_cast<int64_t>(offsets[b]) : count;
      if (at < before || at > count || (b == 0 && at != 0) || (b == bags && at != count))
        throw ValueError(
            fmt::format("embedding_bag: offset {} is {}: they do not rise from 0 to "
                        "the number of indices, {}",
                        b, at, count));
      out[b] = static_cast<int32_t>(before = at);
    }
  };
  if (call.in[0].dtype == kI32)
    fill(call.in[0].as<const int32_t>());
  else
    fill(call.in[0].as<const int64_t>());
}
const Op kBagStarts{.name = "bag_starts",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<BagStartsAttributes>,
                    .run = run_bag_starts,
                    .may_throw = true};

// ---- bag_argmax(starts, cols, weight): the row of the first largest value, -1 if there is none
// ----

struct BagArgmaxAttributes {
  int64_t dropped = -1;
  GLIA_ATTRIBUTES(dropped)
};

template <class T, class I>
void bag_argmax(const KernelCall& call) {
  const int32_t* starts = call.in[0].as<const int32_t>();
  const I* cols = call.in[1].as<const I>();
  const T* weight = call.in[2].as<const T>();
  int32_t* out = call.out[0].as<int32_t>();
  const int64_t dropped = call.attributes<BagArgmaxAttributes>().dropped;
  const int64_t size = call.in[2].layout.shape[0], width = call.in[2].layout.shape[1];
  parallel_pieces(call.out[0].layout.shape[0], 16, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      int32_t* best = out + b * width;
      std::fill_n(best, width, -1);
      for (int64_t j = starts[b]; j < starts[b + 1]; ++j) {
        const int64_t col = cols[j];
        if (col == dropped) continue;
        if (static_cast<uint64_t>(col) >= static_cast<uint64_t>(size)) row_out_of_range(col, size);
        for (int64_t c = 0; c < width; ++c) {
          const T x = weight[col * width + c];
          // NaN is the largest, as in max().
          if (best[c] < 0 || !(x <= weight[best[c] * width + c])) {
            if (best[c] < 0 || weight[best[c] * width + c] == weight[best[c] * width + c])
              best[c] = static_cast<int32_t>(col);
          }
        }
      }
    }
  });
}
void run_bag_argmax(const KernelCall& call) {
  const auto with_index = [&](auto zero) {
    using T = decltype(zero);
    if (call.in[1].dtype == kI32)
      bag_argmax<T, int32_t>(call);
    else
      bag_argmax<T, int64_t>(call);
  };
  if (call.in[2].dtype == kF32)
    with_index(float());
  else
    with_index(double());
}
const Op kBagArgmax{.name = "bag_argmax",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<BagArgmaxAttributes>,
                    .run = run_bag_argmax,
                    .may_throw = true};

const RegisterOp registered[] = {RegisterOp(kBagStarts), RegisterOp(kBagArgmax)};

// ---- Checks -------------------------------------------------------------------------------------

void require_lookup(const char* op, const Tensor& indices, const Tensor& weight,
                    const Where& where) {
  if (!indices.defined() || !weight.defined()) fail(op, "a tensor is not defined", where);
  if (indices.dtype() != kI32 && indices.dtype() != kI64)
    fail(op, std::string("indices are i32 or i64, not ") + name(indices.dtype()), where);
  if (weight.rank() != 2 || !is_float(weight.dtype()))
    fail(op,
         fmt::format("the weight is {} {}, not floats (N, D)", name(weight.dtype()),
                     weight.shape().str()),
         where);
}

// Counted from the front; kNoIndex if there is none.
int64_t padding_index(const char* op, const LookupOptions& options, int64_t size,
                      const Where& where) {
  if (!options.padding_idx) return kNoIndex;
  const int64_t i = *options.padding_idx;
  if (i < -size || i >= size)
    fail(op, fmt::format("padding_idx {} is no index among {}", i, size), where);
  return i < 0 ? i + size : i;
}

// ---- sparse_embedding(indices, weight), whose gradient is row-sparse ----

struct EmbeddingAttributes {
  int64_t padding = kNoIndex;
  GLIA_ATTRIBUTES(padding)
};

std::vector<Tensor> compose_sparse_embedding(const Recorded& one, std::span<const Tensor> in) {
  return {take(in[1], in[0], 0, one.where())};
}
void vjp_sparse_embedding(Vjp& v) {
  if (symbolic()) return v.set_composed();  // inside vmap gradients are dense
  const Where& where = v.where();
  const Tensor indices = v.in(0), &g = v.g();
  const Shape& table = v.in_shape(1);
  const Tensor at = glia::where(indices < 0, indices + table[0], indices);
  const Groups groups =
      group_rows(at, table[0], v.attributes<EmbeddingAttributes>().padding, where);
  const Tensor source = cast(reshape(g, {indices.numel(), table[1]}), sum_dtype(g.dtype()));
  v.set(1,
        spread_rows({groups.ids, groups.starts, groups.perm, source, {}, table[0], where}, true));
}
// The gradient of a table that all examples share is dense.
Tensor batch_sparse_embedding(const Recorded& one, std::span<const Tensor> in,
                              std::span<const bool> batched, int64_t) {
  return batched[1] ? Tensor() : take(in[1], in[0], 0, one.where());
}
const Op kSparseEmbedding{.name = "sparse_embedding",
                          .kind = Kind::kMacro,
                          .attributes = kAttributeFields<EmbeddingAttributes>,
                          .vjp = vjp_sparse_embedding,
                          .batch = batch_sparse_embedding,
                          .compose = compose_sparse_embedding};
const RegisterOp registered_embedding(kSparseEmbedding);

}  // namespace

// ---- Lookups ------------------------------------------------------------------------------------

Tensor embedding(const Tensor& indices, const Tensor& weight, const LookupOptions& options,
                 Where where) {
  require_lookup("embedding", indices, weight, where);
  const int64_t size = weight.shape()[0];
  const int64_t padding = padding_index("embedding", options, size, where);
  if (!options.sparse) {
    const Tensor rows = take(weight, indices, 0, where);
    if (padding < 0) return rows;
    const Tensor none = (indices == padding) | (indices == padding - size);
    return glia::where(unsqueeze(none, -1), stop_gradient(rows), rows);
  }
  Shape shape = indices.shape();
  shape.push_back(weight.shape()[1]);
  return record(kSparseEmbedding, {indices.node(), weight.node()}, shape, weight.dtype(),
                EmbeddingAttributes{padding}, where);
}

Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const Tensor& offsets,
                     const Tensor& per_sample_weights, const BagOptions& options, Where where) {
  constexpr const char* kName = "embedding_bag";
  require_lookup(kName, indices, weight, where);
  const int64_t count = indices.numel();
  if (count > INT32_MAX) fail(kName, fmt::format("{} indices are too many", count), where);
  SumRows bags{.cols = reshape(indices, {count}, where),
               .dropped = padding_index(kName, options, weight.shape()[0], where),
               .sparse = options.sparse};
  if (indices.rank() == 2 && !offsets.defined()) {
    const int64_t rows = indices.shape()[0], length = indices.shape()[1];
    bags.starts = count == 0 ? zeros({rows + 1}, kI32) : arange(0, count + 1, length, kI32);
  } else if (indices.rank() == 1 && offsets.defined() && offsets.rank() == 1 &&
             (offsets.dtype() == kI32 || offsets.dtype() == kI64) &&
             (offsets.numel() > 0 || !options.include_last_offset)) {
    const int64_t starts = offsets.numel() + (options.include_last_offset ? 0 : 1);
    bags.starts =
        record(kBagStarts, {offsets.node()}, {starts}, kI32, BagStartsAttributes{count}, where);
  } else {
    fail(kName,
         fmt::format("needs indices (B, L), or (K) with integer offsets (B); got {} and {}",
                     indices.shape().str(), offsets.defined() ? offsets.shape().str() : "none"),
         where);
  }
  const DType dtype = sum_dtype(weight.dtype());
  const Tensor table = cast(weight, dtype);
  if (per_sample_weights.defined()) {
    if (options.mode != BagMode::kSum || per_sample_weights.shape() != indices.shape())
      fail(kName,
           fmt::format("per_sample_weights are for sums and of indices' shape {}; got {}",
                       indices.shape().str(), per_sample_weights.shape().str()),
           where);
    bags.values = cast(reshape(per_sample_weights, {count}), dtype);
  }
  if (options.mode == BagMode::kMax) {
    const Tensor at = record(kBagArgmax, {bags.starts.node(), bags.cols.node(), table.node()},
                             {bags.starts.numel() - 1, weight.shape()[1]}, kI32,
                             BagArgmaxAttributes{bags.dropped}, where);
    // Of an empty table no row can be gathered, nor is any bag of it filled.
    if (weight.numel() == 0) return cast(at, weight.dtype()) * 0;
    return glia::where(at < 0, 0, gather(weight, maximum(at, 0), 0, where));
  }
  const Tensor out = cast(sum_rows(bags, table, where), weight.dtype());
  if (options.mode == BagMode::kSum) return out;
  if (indices.rank() == 2 && bags.dropped < 0)
    return out / std::max<int64_t>(indices.shape()[1], 1);
  // How many of each bag count.
  SumRows ones_of = bags;
  ones_of.cols = zeros({count}, kI32);
  if (bags.dropped >= 0) ones_of.cols = glia::where(bags.cols == bags.dropped, -1, ones_of.cols);
  ones_of.dropped = -1;
  const Tensor counted = sum_rows(ones_of, ones({1, 1}, dtype), where);
  return out / cast(maximum(counted, 1), weight.dtype());
}

// ---- Compressed rows ----------------------------------------------------------------------------

struct Csr::Structure {
  Shape shape;
  Tensor row_ptr, cols;  // i32

  // Of the transposed matrix; entry j of it is entry perm[j] here.
  struct Transposed {
    std::shared_ptr<const Structure> structure;
    Tensor perm;
  };
  const Transposed& transposed() const {
    // A lock, since call_once() needs thread-local memory that a library opened late may not get.
    const std::lock_guard held(finding);
    if (!found.structure) {
      const auto starts = row_ptr.data<int32_t>(), at = cols.data<int32_t>();
      std::vector<int32_t> begin(shape[1] + 1, 0), row(at.size()), perm(at.size());
      for (int32_t c : at) ++begin[c + 1];
      std::partial_sum(begin.begin(), begin.end(), begin.begin());
      std::vector<int32_t> next = begin;
      for (int64_t r = 0; r < shape[0]; ++r) {
        for (int32_t j = starts[r]; j < starts[r + 1]; ++j) {
          const int32_t to = next[at[j]]++;
          row[to] = static_cast<int32_t>(r);
          perm[to] = j;
        }
      }
      auto made = std::make_shared<Structure>();
      made->shape = {shape[1], shape[0]};
      made->row_ptr = from_vector(begin, {shape[1] + 1});
      made->cols = from_vector(row, {static_cast<int64_t>(row.size())});
      found.perm = from_vector(perm, {static_cast<int64_t>(perm.size())});
      found.structure = std::move(made);
    }
    return found;
  }

 private:
  mutable std::mutex finding;
  mutable Transposed found;
};

namespace {

void require_matrix(const Shape& shape) {
  if (shape.rank() != 2 || std::min(shape[0], shape[1]) < 0 ||
      std::max(shape[0], shape[1]) >= INT32_MAX)
    throw ShapeError("Csr: the shape " + shape.str() + " is not (R, C) of 31 bits each");
}
void require_entries(const char* what, const Tensor& t, int64_t count) {
  if (!t.defined() || t.shape() != Shape{count})
    throw ShapeError(fmt::format("Csr: {} are {}, not ({})", what,
                                 t.defined() ? t.shape().str() : "not defined", count));
}
void require_values(const Tensor& values, int64_t count) {
  require_entries("values", values, count);
  if (values.dtype() != kF32 && values.dtype() != kF64)
    throw ShapeError(std::string("Csr: values are f32 or f64, not ") + name(values.dtype()));
}
// Integers as they are on the host; each must be in [0, size).
std::vector<int64_t> host_indices(const char* what, const Tensor& t, int64_t size) {
  if (!t.defined() || (t.dtype() != kI32 && t.dtype() != kI64))
    throw ShapeError(fmt::format("Csr: {} are i32 or i64", what));
  std::vector<int64_t> out = t.to_vector<int64_t>();
  for (int64_t i : out) {
    if (i < 0 || i >= size)
      throw ValueError(fmt::format("Csr: {} {} is out of range for {}", what, i, size));
  }
  return out;
}
Tensor as_i32(const std::vector<int64_t>& values) {
  return from_vector(std::vector<int32_t>(values.begin(), values.end()),
                     {static_cast<int64_t>(values.size())});
}

}  // namespace

Csr::Csr(const Tensor& row_ptr, const Tensor& cols, const Tensor& values, const Shape& shape)
    : values_(values) {
  require_matrix(shape);
  require_entries("row pointers", row_ptr, shape[0] + 1);
  const int64_t count = cols.defined() ? cols.numel() : 0;
  require_entries("columns", cols, count);
  require_values(values, count);
  const std::vector<int64_t> starts = host_indices("row pointers", row_ptr, int64_t{INT32_MAX});
  if (starts.front() != 0 || starts.back() != count || !std::ranges::is_sorted(starts))
    throw ValueError(fmt::format("Csr: row pointers do not rise from 0 to {}", count));
  auto made = std::make_shared<Structure>();
  made->shape = shape;
  made->row_ptr = as_i32(starts);
  made->cols = as_i32(host_indices("columns", cols, shape[1]));
  structure_ = std::move(made);
}

Csr Csr::from_coo(const Tensor& rows, const Tensor& cols, const Tensor& values,
                  const Shape& shape) {
  require_matrix(shape);
  const int64_t count = rows.defined() ? rows.numel() : 0;
  require_entries("rows", rows, count);
  require_entries("columns", cols, count);
  require_values(values, count);
  if (count > INT32_MAX) throw ShapeError(fmt::format("Csr: {} entries are too many", count));
  const std::vector<int64_t> r = host_indices("rows", rows, shape[0]);
  const std::vector<int64_t> c = host_indices("columns", cols, shape[1]);
  std::vector<int32_t> perm(count);
  std::iota(perm.begin(), perm.end(), 0);
  std::ranges::stable_sort(
      perm, [&](int32_t a, int32_t b) { return std::pair(r[a], c[a]) < std::pair(r[b], c[b]); });
  std::vector<int64_t> starts(shape[0] + 1, 0), places, first;  // first: of each place in perm
  for (int64_t j = 0; j < count; ++j) {
    const int32_t at = perm[j];
    if (j > 0 && r[at] == r[perm[j - 1]] && c[at] == c[perm[j - 1]]) continue;
    ++starts[r[at] + 1];
    places.push_back(c[at]);
    first.push_back(j);
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  const auto order = from_vector(perm, {count});
  Tensor sums = take(values, order);
  if (static_cast<int64_t>(first.size()) < count) {
    first.push_back(count);
    sums = squeeze(sum_rows({.starts = as_i32(first), .cols = order}, unsqueeze(values, 1), {}), 1);
  }
  return Csr(as_i32(starts), as_i32(places), sums, shape);
}

Csr Csr::from_dense(const Tensor& x) {
  if (!x.defined() || x.rank() != 2) throw ShapeError("Csr: a dense matrix has the shape (R, C)");
  const Tensor at = nonzero(x);
  const Tensor rows = index(at, {Slice{}, 0}), cols = index(at, {Slice{}, 1});
  const Tensor flat = rows * x.shape()[1] + cols;
  return from_coo(rows, cols, take(reshape(x, {x.numel()}), flat), x.shape());
}

const Shape& Csr::shape() const { return structure_->shape; }
const Tensor& Csr::row_ptr() const { return structure_->row_ptr; }
const Tensor& Csr::cols() const { return structure_->cols; }

Csr Csr::with_values(const Tensor& values) const {
  require_values(values, nnz());
  return Csr(structure_, values);
}

Csr Csr::transpose() const {
  const auto& t = structure_->transposed();
  return Csr(t.structure, take(values_, t.perm));
}

Tensor Csr::to_dense() const {
  const int64_t width = shape()[1];
  const Tensor at = cast(row_numbers(row_ptr(), nnz(), {}), kI64) * width + cols();
  return reshape(index_add(zeros({shape().numel()}, values_.dtype()), at, values_), shape());
}

Tensor spmm(const Csr& a, const Tensor& x, Where where) {
  if (!x.defined() || x.rank() < 1 || x.rank() > 2 || x.shape()[0] != a.shape()[1] ||
      !is_float(x.dtype()))
    fail("spmm",
         fmt::format("{} {} x {}", name(a.values().dtype()), a.shape().str(),
                     x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "nothing"),
         where);
  if (x.rank() == 1) return squeeze(spmm(a, unsqueeze(x, 1), where), 1, where);
  const DType dtype = promote(a.values().dtype(), sum_dtype(x.dtype()));
  const Tensor values = cast(a.values(), dtype), dense = cast(x, dtype);
  const auto product = [](const Csr::Structure& s, const Tensor& v, const Tensor& d,
                          const Where& at) {
    return sum_rows({.starts = s.row_ptr, .cols = s.cols, .values = v}, d, at);
  };
  Tensor value;
  {
    const NoGrad off;
    value = product(*a.structure_, values, dense, where);
  }
  const auto rule = [=, s = a.structure_](const std::vector<Tensor>& in, const Tensor&,
                                          const Tensor& g) {
    std::vector<Tensor> out(2);
    if (in[0].requires_grad())
      out[0] = dot_rows({.starts = s->row_ptr, .cols = s->cols}, g, in[1], where);
    if (in[1].requires_grad()) {
      const auto& t = s->transposed();
      out[1] = product(*t.structure, take(in[0], t.perm, 0, where), g, where);
    }
    return out;
  };
  return with_rule(value, {values, dense}, rule, where);
}

Csr dropout(const Csr& a, double p, Where where) {
  return a.with_values(dropout(a.values(), p, where));
}

}  // namespace glia
