// Searching in sorted sequences, and what follows from it: sets, counts and histograms.
#include <cmath>
#include <numeric>

#include "core/node.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "ops/private.h"

namespace glia {
namespace {

// ---- searchsorted(sorted, values): of one line, or one for each row of values ----

struct SearchAttributes {
  bool right = false;
  GLIA_ATTRIBUTES(right)
};

// Whether x belongs before v in an order in which NaN comes last.
template <class T>
bool before(T x, T v) {
  if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return before(static_cast<float>(x), static_cast<float>(v));
  } else {
    return x < v || (v != v && x == x);
  }
}
template <class T>
int64_t position_of(const T* first, int64_t count, T value, bool right) {
  const T* const at = right ? std::upper_bound(first, first + count, value, before<T>)
                            : std::lower_bound(first, first + count, value, before<T>);
  return at - first;
}
void run_search(const KernelCall& call) {
  const bool right = call.attributes<SearchAttributes>().right;
  const Shape& shape = call.in[0].layout.shape;
  const int64_t length = shape[shape.rank() - 1], n = call.out[0].numel();
  const int64_t lines = shape.rank() == 1 ? 1 : length ? call.in[0].numel() / length : 0;
  int64_t* out = call.out[0].as<int64_t>();
  if (length == 0) {
    std::fill_n(out, n, 0);
    return;
  }
  with_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *sorted = call.in[0].as<const T>(), *values = call.in[1].as<const T>();
    const int64_t row = lines == 0 ? 1 : std::max<int64_t>(n / lines, 1);
    parallel_pieces(n, 1 << 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out[i] = position_of(sorted + i / row * length, length, values[i], right);
    });
  });
}
Tensor record_search(const Tensor& sorted, const Tensor& values, bool right, const Where& where);
// Values of one sequence may have any shape; of several they have a row for each.
Tensor batch_search(const Recorded& one, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  const bool right = one.attributes<SearchAttributes>().right;
  if (!batched[0] && inputs[0].rank() == 1)
    return record_search(inputs[0], inputs[1], right, one.where());
  const Tensor sorted = with_batch_axis(inputs[0], batched[0], size);
  const Tensor values = with_batch_axis(inputs[1], batched[1], size);
  const int64_t lines = sorted.numel() / std::max<int64_t>(sorted.size(-1), 1);
  if (sorted.numel() == 0 || values.numel() == 0) return zeros(values.shape(), kI64);
  const Tensor rows = reshape(sorted, {lines, -1});
  return reshape(record_search(rows, reshape(values, {lines, -1}), right, one.where()),
                 values.shape());
}
const Op kSearch{.name = "searchsorted",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<SearchAttributes>,
                 .run = run_search,
                 .batch = batch_search};
const RegisterOp registered(kSearch);
Tensor record_search(const Tensor& sorted, const Tensor& values, bool right, const Where& where) {
  return record(kSearch, {sorted.node(), values.node()}, values.shape(), kI64,
                SearchAttributes{right}, where);
}

}  // namespace

Tensor searchsorted(const Tensor& sorted, const Tensor& values, const SearchOptions& options,
                    Where where) {
  require_defined("searchsorted", sorted, where);
  require_defined("searchsorted", values, where);
  if (sorted.rank() == 0) fail("searchsorted", "the sequence has no axis", where);
  bool fits = sorted.rank() == 1 || sorted.rank() == values.rank();
  for (int i = 0; fits && i + 1 < sorted.rank(); ++i) fits = sorted.shape()[i] == values.shape()[i];
  if (!fits)
    fail("searchsorted",
         "values " + values.shape().str() + " do not fit sequences " + sorted.shape().str(), where);
  Tensor s = sorted;
  if (options.sorter.defined()) {
    if (options.sorter.shape() != sorted.shape())
      fail("searchsorted",
           "sorter " + options.sorter.shape().str() + " for sequences " + sorted.shape().str(),
           where);
    s = gather(s, options.sorter, -1, where);
  }
  const DType dtype = promote(s.dtype(), values.dtype());
  return record_search(cast(s, dtype), cast(values, dtype), options.right, where);
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right, Where where) {
  require_defined("bucketize", boundaries, where);
  if (boundaries.rank() != 1)
    fail("bucketize", "boundaries of rank 1, not " + boundaries.shape().str(), where);
  return searchsorted(boundaries, x, {.right = right}, where);
}

Tensor isin(const Tensor& x, const Tensor& test, bool invert, Where where) {
  require_defined("isin", x, where);
  require_defined("isin", test, where);
  if (test.numel() == 0) return full(x.shape(), invert, kBool);
  const DType dtype = promote(x.dtype(), test.dtype());
  const Tensor v = cast(x, dtype);
  const Tensor known = sort(reshape(cast(test, dtype), {-1}), 0, false, where).first;
  const Tensor at = minimum(searchsorted(known, v, {}, where), known.numel() - 1);
  const Tensor found = take(known, at, 0, where) == v;
  return invert ? ~found : found;
}

// ---- Sets ----

namespace {

// x as rows, one for each slice along the axis, and back.
struct Slices {
  int axis = 0;
  Tensor rows;  // (count, elements)
  Shape moved;  // of x with the axis in front
  Slices(const char* op, const Tensor& x, std::optional<int> asked, const Where& where) {
    require_defined(op, x, where);
    const Tensor t = asked ? x : reshape(x, {-1});
    axis = checked_axis(op, asked.value_or(0), t.rank(), where);
    Axes order{axis};
    for (int i = 0; i < t.rank(); ++i) {
      if (i != axis) order.push_back(i);
    }
    const Tensor front = permute(t, order, where);
    moved = front.shape();
    const int64_t count = moved[0];
    rows = reshape(front, {count, count ? front.numel() / count : 0}, where);
  }
  // The rows at these places as slices.
  Tensor at(const Tensor& places, const Where& where) const {
    Shape shape = moved;
    shape[0] = places.numel();
    const Tensor taken = reshape(take(rows, places, 0, where), shape, where);
    Axes back;
    for (int i = 0; i < shape.rank(); ++i) back.push_back(i < axis ? i + 1 : i == axis ? 0 : i);
    return permute(taken, back, where);
  }
};

// Rows in the order of their elements: sorted by the last column first.
Tensor order_of_rows(const Tensor& rows, const Where& where) {
  Tensor order = arange(rows.size(0));
  for (int64_t c = rows.size(1) - 1; c >= 0; --c) {
    const Tensor column = reshape(slice(rows, 1, {c, c + 1}), {-1});
    order = take(order, argsort(take(column, order, 0, where), 0, false, where), 0, where);
    eval(order);  // so that wide rows make one plan of a column
  }
  return order;
}

// Of rows in an order in which equal ones are neighbours: where each run begins and how long it is,
// and the number of the run of each place.
struct Runs {
  Tensor starts, counts, number;
  Runs(const Tensor& rows, const Where& where) {
    const int64_t count = rows.size(0);
    const Tensor differ = any(slice(rows, 0, {1}) != slice(rows, 0, {0, -1}), {1}, false, where);
    const Tensor begins = concat({ones({std::min<int64_t>(count, 1)}, kBool), differ});
    starts = reshape(nonzero(begins, where), {-1});
    const Tensor ends = concat({starts, full({1}, count, kI64)});
    counts = diff(ends, {}, where);
    if (count == 0) counts = starts;
    number = cumsum(begins, 0, where) - 1;
  }
};

}  // namespace

UniqueResult unique(const Tensor& x, std::optional<int> axis, Where where) {
  const Slices s("unique", x, axis, where);
  const Tensor order = order_of_rows(s.rows, where);
  const Tensor sorted = take(s.rows, order, 0, where);
  const Runs runs(sorted, where);
  const Tensor first = take(order, runs.starts, 0, where);
  const Tensor inverse = index_copy(zeros_like(runs.number), order, runs.number, 0, where);
  return {s.at(first, where), axis ? inverse : reshape(inverse, x.shape()), runs.counts};
}
UniqueResult unique_consecutive(const Tensor& x, std::optional<int> axis, Where where) {
  const Slices s("unique_consecutive", x, axis, where);
  const Runs runs(s.rows, where);
  return {s.at(runs.starts, where), axis ? runs.number : reshape(runs.number, x.shape()),
          runs.counts};
}

// ---- Counts ----

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength, Where where) {
  require_defined("bincount", x, where);
  if (x.rank() != 1 || !is_integer(x.dtype()))
    fail("bincount",
         std::string("of integers of rank 1, not ") + name(x.dtype()) + ' ' + x.shape().str(),
         where);
  if (minlength < 0) throw ValueError("bincount: minlength is " + std::to_string(minlength), where);
  if (weights.defined() && weights.shape() != x.shape())
    fail("bincount", "weights " + weights.shape().str() + " for " + x.shape().str(), where);
  int64_t size = minlength;
  if (x.numel() > 0) {
    const Tensor at = cast(x, kI64);
    if (const auto least = min(at).item<int64_t>(); least < 0)
      throw ValueError("bincount: " + std::to_string(least) + " is below 0", where);
    size = std::max(size, add_sizes(max(at).item<int64_t>(), 1));
  }
  Tensor ones_of = ones(x.shape(), kI64);
  if (weights.defined()) ones_of = is_float(weights.dtype()) ? weights : cast(weights, kF64);
  return index_add(zeros({size}, ones_of.dtype()), cast(x, kI64), ones_of, 0, where);
}

namespace {

// How much falls into each bin; what has the number `bins` falls into none.
Tensor counted(const Tensor& bin, const Tensor& weight, int64_t bins, const Where& where) {
  const Tensor all = index_add(zeros({bins + 1}, weight.dtype()), reshape(bin, {-1}),
                               reshape(weight, {-1}), 0, where);
  return slice(all, 0, {0, bins});
}

void require_bins(const char* op, int64_t bins, const Where& where) {
  if (bins < 1 || bins == INT64_MAX)
    throw ValueError(std::string(op) + ": " + std::to_string(bins) + " bins", where);
}

// The ends of the bins; equal ones are moved apart by one on each side, or by half.
struct Ends {
  Tensor low, high;
  Ends(const Tensor& x, std::optional<std::pair<double, double>> range, double apart) {
    if (range) {
      low = full({}, range->first, x.dtype());
      high = full({}, range->second, x.dtype());
    } else if (x.numel() == 0) {
      low = zeros({}, x.dtype());
      high = ones({}, x.dtype());
    } else {
      low = min(x);
      high = max(x);
    }
    const Tensor same = low == high;
    const Tensor moved = where(same, low - apart, low);
    high = where(same, high + apart, high);
    low = moved;
  }
};

}  // namespace

Tensor histc(const Tensor& x, int64_t bins, double min, double max, Where where) {
  const Tensor t = as_float("histc", x, where);
  require_bins("histc", bins, where);
  if (!(min <= max) || std::isinf(min) || std::isinf(max))
    throw ValueError("histc: from " + Number(min).str() + " to " + Number(max).str(), where);
  const Ends ends(t, min < max ? std::optional(std::pair(min, max)) : std::nullopt, 1);
  const Tensor place = (t - ends.low) * (static_cast<double>(bins) / (ends.high - ends.low));
  const Tensor inside = (t >= ends.low) & (t <= ends.high);
  const Tensor bin = minimum(cast(glia::where(inside, place, 0), kI64), bins - 1);
  return counted(glia::where(inside, bin, bins), ones(t.shape(), t.dtype()), bins, where);
}

namespace {

// Edges of equal bins of t.
Tensor equal_edges(const char* op, const Tensor& t, int64_t bins,
                   std::optional<std::pair<double, double>> range, const Where& where) {
  require_bins(op, bins, where);
  if (range && !(range->first <= range->second && std::isfinite(range->first) &&
                 std::isfinite(range->second)))
    throw ValueError(std::string(op) + ": from " + Number(range->first).str() + " to " +
                         Number(range->second).str(),
                     where);
  const Ends ends(t, range, 0.5);
  const Tensor steps = cast(arange(bins + 1), t.dtype());
  const Tensor inner = ends.low + steps * ((ends.high - ends.low) / static_cast<double>(bins));
  return glia::where(arange(bins + 1) == bins, ends.high, inner);
}

Tensor checked_edges(const char* op, const Tensor& edges, DType dtype, const Where& where) {
  require_defined(op, edges, where);
  if (edges.rank() != 1 || edges.numel() < 2)
    fail(op, "edges (bins + 1), not " + edges.shape().str(), where);
  return cast(edges, dtype);
}

// The bin of each of t (N); of what lies in none, how many bins there are.
Tensor bin_of(const Tensor& t, const Tensor& edges, const Where& where) {
  const int64_t bins = edges.numel() - 1;
  const Tensor last = slice(edges, 0, {bins, bins + 1});
  const Tensor above = searchsorted(edges, t, {.right = true}, where);
  const Tensor bin = glia::where(t == last, bins - 1, above - 1);
  return glia::where((bin >= 0) & (t <= last), bin, bins);
}

Tensor weights_of(const char* op, const Tensor& weight, const Shape& shape, DType dtype,
                  const Where& where) {
  if (!weight.defined()) return ones(shape, dtype);
  if (weight.shape() != shape)
    fail(op, "weights " + weight.shape().str() + " for " + shape.str(), where);
  return cast(weight, dtype);
}

}  // namespace

HistogramResult histogram(const Tensor& x, const Tensor& bin_edges, const HistogramOptions& options,
                          Where where) {
  const Tensor t = as_float("histogram", x, where);
  const Tensor edges = checked_edges("histogram", bin_edges, t.dtype(), where);
  const Tensor weight = weights_of("histogram", options.weight, x.shape(), t.dtype(), where);
  Tensor hist = counted(bin_of(reshape(t, {-1}), edges, where), weight, edges.numel() - 1, where);
  if (options.density) hist = hist / (sum(hist) * diff(edges, {}, where));
  return {hist, edges};
}
HistogramResult histogram(const Tensor& x, int64_t bins, const HistogramOptions& options,
                          Where where) {
  const Tensor t = as_float("histogram", x, where);
  return histogram(x, equal_edges("histogram", t, bins, options.range, where), options, where);
}

namespace {

// Points (..., D) as (N, D).
Tensor points_of(const Tensor& x, size_t dimensions, const Where& where) {
  const Tensor t = as_float("histogramdd", x, where);
  if (t.rank() < 2 || t.size(-1) != static_cast<int64_t>(dimensions) || dimensions == 0)
    fail("histogramdd",
         "bins of " + std::to_string(dimensions) + " dimensions for points " + x.shape().str(),
         where);
  return flatten(t, 0, -2, where);
}
Tensor column_of(const Tensor& points, size_t d) {
  return reshape(slice(points, 1, {static_cast<int64_t>(d), static_cast<int64_t>(d) + 1}), {-1});
}

}  // namespace

HistogramddResult histogramdd(const Tensor& x, const std::vector<Tensor>& bin_edges,
                              const HistogramddOptions& options, Where where) {
  const Tensor points = points_of(x, bin_edges.size(), where);
  const Shape leading(x.shape().span().first(x.rank() - 1));
  const Tensor weight =
      reshape(weights_of("histogramdd", options.weight, leading, points.dtype(), where), {-1});
  HistogramddResult out;
  Shape shape;
  Tensor place, outside;
  for (size_t d = 0; d < bin_edges.size(); ++d) {
    const Tensor edges = checked_edges("histogramdd", bin_edges[d], points.dtype(), where);
    const int64_t bins = edges.numel() - 1;
    const Tensor bin = bin_of(column_of(points, d), edges, where);
    place = d == 0 ? bin : place * bins + bin;
    outside = d == 0 ? bin == bins : outside | (bin == bins);
    shape.push_back(bins);
    out.bin_edges.push_back(edges);
  }
  const int64_t all = shape.numel();
  out.hist = reshape(counted(glia::where(outside, all, place), weight, all, where), shape);
  if (!options.density) return out;
  out.hist = out.hist / sum(out.hist);
  for (int d = 0; d < shape.rank(); ++d) {
    Shape along = Shape::filled(shape.rank(), 1);
    along[d] = shape[d];
    out.hist = out.hist / reshape(diff(out.bin_edges[d], {}, where), along);
  }
  return out;
}
HistogramddResult histogramdd(const Tensor& x, const std::vector<int64_t>& bins,
                              const HistogramddOptions& options, Where where) {
  const Tensor points = points_of(x, bins.size(), where);
  if (!options.range.empty() && options.range.size() != bins.size())
    throw ValueError("histogramdd: " + std::to_string(options.range.size()) + " ranges for " +
                         std::to_string(bins.size()) + " dimensions",
                     where);
  std::vector<Tensor> edges;
  for (size_t d = 0; d < bins.size(); ++d) {
    std::optional<std::pair<double, double>> range;
    if (!options.range.empty()) range = options.range[d];
    edges.push_back(equal_edges("histogramdd", column_of(points, d), bins[d], range, where));
  }
  return histogramdd(x, edges, options, where);
}

}  // namespace glia
