#include "ops/rows.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "runtime/backend.h"

namespace glia {

// ---- What kernels check -------------------------------------------------------------------------

void row_out_of_range(int64_t index, int64_t size) {
  throw ValueError(fmt::format("embedding: index {} is out of range for {} rows", index, size));
}

namespace {

constexpr int64_t kMaxCount = INT32_MAX;

// ---- group_rows(indices): outputs: ids, starts, perm ----
// Indices go to buckets by a hash, so that threads can group each bucket for itself; the order of
// the groups depends on the indices alone.

struct GroupRowsAttributes {
  int64_t size = 0, dropped = -1;
  GLIA_ATTRIBUTES(size, dropped)
};

constexpr int64_t kBuckets = 64, kChunk = 4096;

int64_t bucket_of(int64_t index) { return static_cast<uint32_t>(index) * 0x9e3779b1u >> 26; }

// Room for scratch of plain numbers, not cleared.
template <class T>
class Room {
 public:
  explicit Room(int64_t count) : memory_(allocate_memory(static_cast<size_t>(count) * sizeof(T))) {}
  T* data() const { return static_cast<T*>(memory_->data); }

 private:
  MemoryRef memory_;
};

template <class I>
void group(const KernelCall& call) {
  struct Item {
    int32_t id, occurrence;
  };
  const I* indices = call.in[0].as<const I>();
  const int64_t count = call.in[0].numel();
  const auto [size, dropped] = call.attributes<GroupRowsAttributes>();
  const Room<int32_t> unasked(3 * (count + 1));  // for results that nobody asked for
  const auto output = [&](int i) {
    return call.out[i].data ? call.out[i].as<int32_t>() : unasked.data() + i * (count + 1);
  };
  int32_t *const ids = output(0), *const starts = output(1), *const perm = output(2);

  // How many of each chunk belong to each bucket; then where they go.
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  std::vector<int32_t> places(static_cast<size_t>(chunks * kBuckets), 0);
  const auto each = [&](int64_t chunk, auto&& f) {
    int32_t* const place = &places[chunk * kBuckets];
    for (int64_t j = chunk * kChunk; j < std::min(count, (chunk + 1) * kChunk); ++j) {
      if (indices[j] != dropped) f(place[bucket_of(indices[j])], j);
    }
  };
  parallel_for(chunks, [&](int64_t chunk) {
    each(chunk, [&](int32_t& place, int64_t j) {
      if (static_cast<uint64_t>(indices[j]) >= static_cast<uint64_t>(size)) [[unlikely]]
        row_out_of_range(indices[j], size);
      ++place;
    });
  });
  int32_t begins[kBuckets + 1], kept = 0;
  for (int64_t b = 0; b < kBuckets; ++b) {
    begins[b] = kept;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      kept += std::exchange(places[chunk * kBuckets + b], kept);
  }
  begins[kBuckets] = kept;
  const Room<Item> items(count);
  parallel_for(chunks, [&](int64_t chunk) {
    each(chunk, [&](int32_t& place, int64_t j) {
      items.data()[place++] = {static_cast<int32_t>(indices[j]), static_cast<int32_t>(j)};
    });
  });

  // Each bucket: numbers for its ids in order of appearance, by a hash table; then a counting sort.
  const Room<int32_t> tables(4 * count), numbers(count), unique_ids(count), unique_starts(count);
  int32_t uniques[kBuckets + 1];
  parallel_for(kBuckets, [&](int64_t b) {
    const int32_t begin = begins[b], n = begins[b + 1] - begin;
    const Item* const item = items.data() + begin;
    int32_t* const number = numbers.data() + begin;
    int32_t* const id = unique_ids.data() + begin;
    int32_t* const start = unique_starts.data() + begin;
    int32_t* const table = tables.data() + 4 * int64_t{begin};
    const uint32_t mask = (uint32_t{2} << std::bit_width(static_cast<uint32_t>(n))) - 1;
    if (n > 0) std::fill_n(table, mask + 1, -1);  // 2 n to 4 n places
    int32_t found = 0;
    for (int32_t i = 0; i < n; ++i) {
      uint32_t at = (static_cast<uint32_t>(item[i].id) * 0x85ebca6bu >> 7) & mask;
      while (table[at] >= 0 && id[table[at]] != item[i].id) at = (at + 1) & mask;
      if (table[at] < 0) {
        table[at] = found;
        id[found] = item[i].id;
        start[found++] = 0;
      }
      ++start[number[i] = table[at]];
    }
    int32_t place = begin;
    for (int32_t u = 0; u < found; ++u) place += std::exchange(start[u], place);
    for (int32_t i = 0; i < n; ++i) perm[start[number[i]]++] = item[i].occurrence;
    uniques[b] = found;
  });
  int32_t groups = 0;
  for (int64_t b = 0; b < kBuckets; ++b) {
    // By now each start has moved on to the next one's.
    int32_t start = begins[b];
    for (int32_t u = 0; u < uniques[b]; ++u, ++groups) {
      ids[groups] = unique_ids.data()[begins[b] + u];
      starts[groups] = std::exchange(start, unique_starts.data()[begins[b] + u]);
    }
  }
  std::fill(ids + groups, ids + count, static_cast<int32_t>(size));
  std::fill(starts + groups, starts + count + 1, kept);
  std::fill(perm + kept, perm + count, 0);
}
void run_group_rows(const KernelCall& call) {
  if (call.in[0].dtype == kI32)
    group<int32_t>(call);
  else
    group<int64_t>(call);
}
const Op kGroupRows{.name = "group_rows",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<GroupRowsAttributes>,
                    .run = run_group_rows,
                    .outputs = 3,
                    .may_throw = true};

// ---- row_numbers(starts) ----

void run_row_numbers(const KernelCall& call) {
  const int32_t* starts = call.in[0].as<const int32_t>();
  const int64_t rows = call.in[0].numel() - 1;
  int32_t* out = call.out[0].as<int32_t>();
  for (int64_t r = 0; r < rows; ++r)
    std::fill(out + starts[r], out + starts[r + 1], static_cast<int32_t>(r));
  std::fill(out + starts[rows], out + call.out[0].numel(), 0);
}
const Op kRowNumbers{.name = "row_numbers", .kind = Kind::kKernel, .run = run_row_numbers};

// ---- Values, one column at a time ----

template <class T>
struct Value {
  using Element = T;
  static constexpr int64_t kLanes = 1;
  T v;

  Value() = default;
  explicit Value(double c) : v(static_cast<T>(c)) {}
  static Value load(const T* p) { return Value(*p); }
  void store(T* p) const { *p = v; }
  friend Value operator+(Value a, Value b) { return Value(a.v + b.v); }
  friend Value fma(Value a, Value b, Value c) { return Value(std::fma(a.v, b.v, c.v)); }
};

#include "ops/rows_kernels.h"

// ---- Recording and gradients ----

extern const Op kSumRows, kDotRows;

SumRows recorded_rows(const Recorded& node, int64_t dropped) {
  return {.starts = node.in(0), .cols = node.in(1), .values = {}, .dropped = dropped};
}

// sum_rows of the transposed matrix: what flows back to the rows that were summed.
Tensor sum_columns(const SumRows& s, const Tensor& g, const Tensor& values, int64_t size,
                   bool sparse, const Where& where) {
  const Groups groups = group_rows(s.cols, size, s.dropped, where);
  const Tensor rows = row_numbers(s.starts, s.cols.numel(), where);
  return spread_rows({.ids = groups.ids,
                      .starts = groups.starts,
                      .rows = take(rows, groups.perm, 0, where),
                      .source = g,
                      .values = values.defined() ? take(values, groups.perm, 0, where) : Tensor(),
                      .size = size,
                      .where = where},
                     sparse);
}

void vjp_sum_rows(Vjp& v) {
  const Where& where = v.node().where;
  const auto [dropped, sparse] = v.attributes<SumRowsAttributes>();
  const SumRows s = recorded_rows(v, dropped);
  const bool weighted = v.node().input_count > 3;
  if (v.needs(2))
    v.set(2, sum_columns(s, v.g(), weighted ? v.in(3) : Tensor(), v.node().inputs[2]->shape[0],
                         sparse, where));
  if (weighted && v.needs(3)) v.set(3, dot_rows(s, v.g(), v.in(2), where));
}
const Op kSumRows{.name = "sum_rows",
                  .kind = Kind::kKernel,
                  .attributes = kAttributeFields<SumRowsAttributes>,
                  .vjp = vjp_sum_rows,
                  .run = run_sum_rows,
                  .may_throw = true};

void vjp_dot_rows(Vjp& v) {
  const Where& where = v.node().where;
  SumRows s = recorded_rows(v, v.attributes<DotRowsAttributes>().dropped);
  s.values = v.g();
  if (v.needs(2)) v.set(2, sum_rows(s, v.in(3), where));
  if (v.needs(3))
    v.set(3, sum_columns(s, v.in(2), v.g(), v.node().inputs[3]->shape[0], false, where));
}
const Op kDotRows{.name = "dot_rows",
                  .kind = Kind::kKernel,
                  .attributes = kAttributeFields<DotRowsAttributes>,
                  .vjp = vjp_dot_rows,
                  .run = run_dot_rows,
                  .may_throw = true};

// To each entry flows the row of g that it has gone to; behind the last group are no entries.
void vjp_spread_rows(Vjp& v) {
  const Where& where = v.node().where;
  const int64_t entries = v.node().inputs[2]->shape[0];
  const Tensor ids =
      take(minimum(v.in(0), v.node().shape[0] - 1), row_numbers(v.in(1), entries, where), 0, where);
  const Tensor there = arange(entries, kI32) < slice(v.in(1), 0, {entries, entries + 1});
  const Tensor g = glia::where(unsqueeze(there, 1), take(v.g(), ids, 0, where), 0);
  const Tensor rows = v.in(2);
  const bool weighted = v.node().input_count > 4;
  if (v.needs(3)) {
    const Tensor parts = weighted ? g * unsqueeze(v.in(4), 1) : g;
    v.set(3, index_add(zeros(v.node().inputs[3]->shape, v.g().dtype()), rows, parts, 0, where));
  }
  if (weighted && v.needs(4)) v.set(4, sum(g * take(v.in(3), rows, 0, where), {1}));
}
const Op kSpreadRows{
    .name = "spread_rows", .kind = Kind::kKernel, .vjp = vjp_spread_rows, .run = run_spread_rows};
const Op kSparseRows{.name = "sparse_rows",
                     .kind = Kind::kKernel,
                     .vjp = vjp_spread_rows,
                     .run = run_spread_rows,
                     .deferred = true};

// foreach_rows: inputs: scalars, parameter, states, then as spread_rows.
int overwritten(const Recorded& node, int output) {
  const auto [formula, scalars, states] = node.attributes<ForeachRowsAttributes>();
  return output <= states ? static_cast<int>(scalars) + output : -1;
}

const Formula& formula_of(const Recorded& node) {
  return foreach_formula(node.attributes<ForeachRowsAttributes>().formula);
}

const RegisterOp registered[] = {RegisterOp(kGroupRows),    RegisterOp(kRowNumbers),
                                 RegisterOp(kSumRows),      RegisterOp(kDotRows),
                                 RegisterOp(kSpreadRows),   RegisterOp(kSparseRows),
                                 RegisterOp(kForeachRowsOp)};

}  // namespace

const Op kForeachRowsOp{.name = "foreach_rows",
                        .kind = Kind::kKernel,
                        .attributes = kAttributeFields<ForeachRowsAttributes>,
                        .run = run_foreach_rows,
                        .overwrites = overwritten,
                        .outputs = 4,
                        .formula = formula_of,
                        .last = true};

Groups group_rows(const Tensor& indices, int64_t size, int64_t dropped, const Where& where) {
  const int64_t count = indices.numel();
  if (count > kMaxCount || size > kMaxCount)
    fail("group_rows", fmt::format("{} indices of {} rows are too many", count, size), where);
  const Tensor flat = reshape(indices, {count}, where);
  const NoGrad off;
  const Tensor tuple =
      record(kGroupRows, {flat.node()}, {}, kI32, GroupRowsAttributes{size, dropped}, where);
  return {output(tuple, 0, {count}, kI32), output(tuple, 1, {count + 1}, kI32),
          output(tuple, 2, {count}, kI32)};
}

Tensor row_numbers(const Tensor& starts, int64_t count, const Where& where) {
  return record(kRowNumbers, {starts.node()}, {count}, kI32, {}, where);
}

Tensor sum_rows(const SumRows& s, const Tensor& dense, const Where& where) {
  std::vector<Node*> inputs{s.starts.node(), s.cols.node(), dense.node()};
  if (s.values.defined()) inputs.push_back(s.values.node());
  return record(kSumRows, inputs, {s.starts.numel() - 1, dense.shape()[1]}, dense.dtype(),
                SumRowsAttributes{s.dropped, s.sparse}, where);
}

Tensor dot_rows(const SumRows& s, const Tensor& g, const Tensor& dense, const Where& where) {
  return record(kDotRows, {s.starts.node(), s.cols.node(), g.node(), dense.node()},
                {s.cols.numel()}, g.dtype(), DotRowsAttributes{s.dropped}, where);
}

Tensor spread_rows(const RowSparse& r, bool sparse) {
  std::vector<Node*> inputs{r.ids.node(), r.starts.node(), r.rows.node(), r.source.node()};
  if (r.values.defined()) inputs.push_back(r.values.node());
  return record(sparse ? kSparseRows : kSpreadRows, inputs, {r.size, r.source.shape()[1]},
                r.source.dtype(), {}, r.where);
}

// ---- Row-sparse gradients -----------------------------------------------------------------------

std::optional<RowSparse> row_sparse(const Tensor& gradient) {
  const Node& node = *gradient.node();
  if (node.op != &kSparseRows) return std::nullopt;
  std::lock_guard hold(graph_lock());  // another thread's evaluation may drop the inputs
  if (!node.is_pending()) return std::nullopt;
  const auto in = [&](int i) { return handle(node.inputs[i]); };
  return RowSparse{in(0),         in(1),     in(2), in(3), node.input_count > 4 ? in(4) : Tensor(),
                   node.shape[0], node.where};
}

Tensor rows_of(const RowSparse& r) {
  return sum_rows({.starts = r.starts, .cols = r.rows, .values = r.values}, r.source, r.where);
}

namespace {

// Rows that may be about the same ids, and ids behind the last row of the table for none.
Tensor from_rows(const Tensor& ids, const Tensor& values, int64_t size, const Where& where) {
  const Groups groups = group_rows(ids, size, size, where);
  return spread_rows({groups.ids, groups.starts, groups.perm, values, {}, size, where}, true);
}

}  // namespace

Tensor add_gradients(const Tensor& a, const Tensor& b) {
  const auto rows_a = row_sparse(a), rows_b = row_sparse(b);
  if (!rows_a || !rows_b) {
    const Tensor boxes = sum_of_boxes(a, b);
    return boxes.defined() ? boxes : a + b;
  }
  return from_rows(concat({rows_a->ids, rows_b->ids}), concat({rows_of(*rows_a), rows_of(*rows_b)}),
                   rows_a->size, rows_a->where);
}

Tensor map_rows(const RowSparse& r, const std::function<Tensor(const Tensor&)>& f) {
  return from_rows(r.ids, f(rows_of(r)), r.size, r.where);
}

Tensor scale_rows(RowSparse r, const Tensor& factor) {
  r.source = r.source * factor;
  return spread_rows(r, true);
}

std::vector<Tensor> foreach_rows(const char* name, ForeachRule rule, const Tensor& parameter,
                                 const RowSparse& r, const std::vector<Tensor>& state,
                                 const std::vector<double>& scalars) {
  const NoGrad off;
  const Where& where = r.where;
  const DType dtype = parameter.dtype();
  std::vector<Tensor> inputs;
  for (double s : scalars) inputs.push_back(host_scalar(s, dtype));
  inputs.push_back(parameter);
  inputs.insert(inputs.end(), state.begin(), state.end());
  inputs.insert(inputs.end(), {r.ids, r.starts, r.rows, r.source});
  if (r.values.defined()) inputs.push_back(r.values);
  std::vector<Node*> nodes;
  for (const Tensor& t : inputs) nodes.push_back(t.node());
  const ForeachRowsAttributes attributes{
      foreach_formula_index(name, rule, dtype, 2 + state.size(), scalars.size(), where),
      static_cast<int64_t>(scalars.size()), static_cast<int64_t>(state.size())};
  const Tensor tuple = record(kForeachRowsOp, nodes, {}, dtype, attributes, where);
  std::vector<Tensor> out;
  for (size_t i = 0; i <= state.size(); ++i)
    out.push_back(output(tuple, static_cast<int>(i), parameter.shape(), dtype));
  return out;
}

}  // namespace glia
