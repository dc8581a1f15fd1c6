// Reading and writing at indices, orders and sets.
#include <algorithm>
#include <numeric>

#include "axes.h"
#include "call.h"
#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"

namespace glia::onnx {
namespace {

Tensor whole(const Tensor& indices) {
  return indices.dtype() == kI64 || indices.dtype() == kI32 ? indices : cast(indices, kI64);
}

void gather_op(Call& c) {
  if (c.in(0).kind == Value::Kind::kStrings) {
    const Strings& in = c.strings(0);
    if (in.shape.rank() != 1) c.fail("takes texts of more than one axis");
    Strings out{{}, c.tensor(1).shape()};
    for (int64_t i : c.integers(1)) {
      const auto count = static_cast<int64_t>(in.values.size());
      if (i < -count || i >= count) c.fail("index " + std::to_string(i));
      out.values.push_back(in.values[i < 0 ? i + count : i]);
    }
    return c.set(0, Held(std::move(out)));
  }
  const Tensor x = c.tensor(0), indices = c.tensor(1);
  const int axis = c.axis(c.integer_of("axis", 0), x.rank());
  // Of one known place: a slice, which is no copy.
  if (c.in(1).fixed && indices.numel() == 1 && indices.rank() <= 1 && x.size(axis) > 0) {
    int64_t at = c.integer(1);
    if (at < 0) at += x.size(axis);
    if (at < 0 || at >= x.size(axis)) c.fail("index " + std::to_string(at));
    const Tensor part = narrow(x, axis, at, 1);
    return c.set(0, indices.rank() == 1 ? part : squeeze(part, axis));
  }
  c.set(0, take(x, whole(indices), axis));
}

void gather_elements(Call& c) {
  const Tensor x = c.tensor(0);
  c.set(0, gather(x, whole(c.tensor(1)), c.axis(c.integer_of("axis", 0), x.rank())));
}

// Places (..., k) along the first k axes of `sizes`, as places in the flattened ones.
Tensor flat_places(const Tensor& indices, std::span<const int64_t> sizes) {
  Tensor flat;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Tensor at = cast(squeeze(narrow(indices, -1, static_cast<int64_t>(i), 1), -1), kI64);
    at = where(at < 0, at + sizes[i], at);
    flat = flat.defined() ? flat * sizes[i] + at : at;
  }
  return flat.defined() ? flat
                        : zeros(Shape(indices.shape().span().first(indices.rank() - 1)), kI64);
}
int64_t product(std::span<const int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

void gather_nd(Call& c) {
  const Tensor x = c.tensor(0), indices = c.tensor(1);
  const int batch = static_cast<int>(c.integer_of("batch_dims", 0));
  if (indices.rank() < 1 || batch < 0 || batch >= indices.rank() || batch >= x.rank() + 1)
    c.fail("indices of shape " + indices.shape().str());
  const auto k = static_cast<int>(indices.size(-1));
  if (batch + k > x.rank()) c.fail(std::to_string(k) + " indices for " + x.shape().str());
  const auto sizes = x.shape().span();
  const int64_t batches = product(sizes.first(batch)), inner = product(sizes.subspan(batch, k)),
                rest = product(sizes.subspan(batch + k));
  Tensor at = reshape(flat_places(indices, sizes.subspan(batch, k)), {batches, -1});
  at = at + unsqueeze(arange(batches) * inner, 1);
  const Tensor out = take(reshape(x, {batches * inner, rest}), reshape(at, {-1}));
  Shape shape(indices.shape().span().first(indices.rank() - 1));
  for (int i = batch + k; i < x.rank(); ++i) shape.push_back(x.size(i));
  c.set(0, reshape(out, shape));
}

std::optional<ScatterReduction> reduction_of(Call& c) {
  const std::string how = c.text_of("reduction", "none");
  if (how == "none") return {};
  if (how == "add") return ScatterReduction::kSum;
  if (how == "mul") return ScatterReduction::kProd;
  if (how == "max") return ScatterReduction::kAmax;
  if (how == "min") return ScatterReduction::kAmin;
  c.fail("the reduction \"" + how + "\" is not known");
}

void scatter_elements(Call& c) {
  const Tensor x = c.tensor(0), at = whole(c.tensor(1)), source = c.tensor(2);
  const int axis = c.axis(c.integer_of("axis", 0), x.rank());
  const auto how = reduction_of(c);
  c.set(0, how ? scatter_reduce(x, at, source, axis, *how) : scatter(x, at, source, axis));
}

void scatter_nd(Call& c) {
  const Tensor x = c.tensor(0), indices = c.tensor(1), source = c.tensor(2);
  if (indices.rank() < 1) c.fail("indices of shape " + indices.shape().str());
  const auto k = static_cast<int>(indices.size(-1));
  if (k > x.rank()) c.fail(std::to_string(k) + " indices for " + x.shape().str());
  const auto sizes = x.shape().span();
  const int64_t rows = product(sizes.first(k)), rest = product(sizes.subspan(k));
  const Tensor at = reshape(flat_places(indices, sizes.first(k)), {-1});
  const Tensor flat = reshape(x, {rows, rest}), parts = reshape(source, {at.numel(), rest});
  const auto how = reduction_of(c);
  Tensor y;
  if (!how)
    y = index_copy(flat, at, parts, 0);
  else if (*how == ScatterReduction::kSum)
    y = index_add(flat, at, parts, 0);
  else
    y = index_reduce(flat, at, parts, 0, *how);
  c.set(0, reshape(y, x.shape()));
}

void tensor_scatter(Call& c) {  // writes into caches of keys and values
  Tensor x = c.tensor(0);
  const Tensor update = c.tensor(1);
  const int axis = c.axis(c.integer_of("axis", -2), x.rank());
  const bool circular = c.text_of("mode", "linear") == "circular";
  const int64_t batch = x.size(0), size = x.size(axis), length = update.size(axis);
  const std::vector<int64_t> starts = c.integers_or(2, std::vector<int64_t>(batch, 0));
  if (static_cast<int64_t>(starts.size()) != batch) c.fail("as many places as examples are needed");
  std::vector<Tensor> out;
  for (int64_t n = 0; n < batch; ++n) {
    std::vector<int64_t> places;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t at = starts[n] + i;
      if (at < 0 || (!circular && at >= size))
        c.fail("writes at " + std::to_string(at) + " of " + std::to_string(size));
      places.push_back(at % size);
    }
    out.push_back(index_copy(narrow(x, 0, n, 1), from_vector(places, {length}),
                             narrow(update, 0, n, 1), axis));
  }
  c.set(0, concat(out, 0));
}

void nonzero_op(Call& c) {
  c.depends_on_values();
  c.set(0, transpose(nonzero(c.tensor(0))), ElementType::kInt64);
}

void compress(Call& c) {
  Tensor x = c.tensor(0);
  int axis = 0;
  if (c.has_attribute("axis"))
    axis = c.axis(c.integer_of("axis", 0), x.rank());
  else
    x = reshape(x, {-1});
  std::vector<int64_t> kept;
  const std::vector<int64_t> mask = c.integers(1);
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) kept.push_back(static_cast<int64_t>(i));
  }
  c.set(0, take(x, from_vector(kept, {static_cast<int64_t>(kept.size())}), axis));
}

void unique_op(Call& c) {
  c.depends_on_values();
  Tensor x = c.tensor(0);
  std::optional<int> axis;
  if (c.has_attribute("axis")) axis = c.axis(c.integer_of("axis", 0), x.rank());
  const UniqueResult found = unique(axis ? x : reshape(x, {-1}), axis);
  const std::vector<int64_t> inverse = reshape(found.inverse, {-1}).to_vector<int64_t>();
  const int64_t count = found.counts.numel();
  std::vector<int64_t> first(count, -1);
  for (size_t i = 0; i < inverse.size(); ++i) {
    if (first[inverse[i]] < 0) first[inverse[i]] = static_cast<int64_t>(i);
  }
  // Rising, or in the order of their first places.
  std::vector<int64_t> order(count), rank_of(count);
  std::iota(order.begin(), order.end(), 0);
  if (c.integer_of("sorted", 1) == 0)
    std::ranges::sort(order, {}, [&](int64_t i) { return first[i]; });
  for (int64_t i = 0; i < count; ++i) rank_of[order[i]] = i;
  const Tensor by = from_vector(order, {count});
  c.set(0, take(found.values, by, axis.value_or(0)));
  c.set(1, take(from_vector(first, {count}), by), ElementType::kInt64);
  c.set(2, take(from_vector(rank_of, {count}), reshape(cast(found.inverse, kI64), {-1})),
        ElementType::kInt64);
  c.set(3, take(cast(found.counts, kI64), by), ElementType::kInt64);
}

void reverse_sequence(Call& c) {
  const Tensor x = c.tensor(0);
  const int time = c.axis(c.integer_of("time_axis", 0), x.rank());
  const int batch = c.axis(c.integer_of("batch_axis", 1), x.rank());
  const auto along = [&](const Tensor& t, int axis) {
    Shape shape = Shape::filled(x.rank(), 1);
    shape[axis] = t.numel();
    return reshape(t, shape);
  };
  const Tensor step = along(arange(x.size(time)), time),
               length = along(cast(c.tensor(1), kI64), batch);
  const Tensor from = where(step < length, length - 1 - step, step);
  c.set(0, take_along_axis(x, from, time));
}

void topk_op(Call& c) {
  const Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer_of("axis", -1), x.rank());
  const int64_t k = c.has(1) ? c.integer(1) : c.integer_of("k", 0);
  if (k < 0 || k > x.size(axis)) c.fail("k is " + std::to_string(k));
  if (c.integer_of("largest", 1) != 0) {
    const auto [values, indices] = topk(x, k, axis);
    c.set(0, values);
    return c.set(1, indices, ElementType::kInt64);
  }
  const auto [values, indices] = sort(x, axis);
  c.set(0, narrow(values, axis, 0, k));
  c.set(1, narrow(indices, axis, 0, k), ElementType::kInt64);
}

template <bool kLargest>
void arg_extreme(Call& c) {
  Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer_of("axis", 0), x.rank());
  const bool keep = c.integer_of("keepdims", 1) != 0,
             last = c.integer_of("select_last_index", 0) != 0;
  if (last) x = flip(x, {axis});
  Tensor at = kLargest ? argmax(x, axis, keep) : argmin(x, axis, keep);
  if (last) at = x.size(axis) - 1 - at;
  c.set(0, at, ElementType::kInt64);
}

template <Tensor (*f)(const Tensor&, int, Where)>
void cumulative(Call& c) {
  const Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer(1), x.rank());
  const bool reverse = c.integer_of("reverse", 0) != 0,
             exclusive = c.integer_of("exclusive", 0) != 0;
  Tensor y = reverse ? flip(x, {axis}) : x;
  if (exclusive && x.size(axis) > 0) {  // everything one later, from the neutral element on
    const double neutral = f == static_cast<Tensor (*)(const Tensor&, int, Where)>(cumprod) ? 1 : 0;
    std::vector<std::pair<int64_t, int64_t>> pads(x.rank(), {0, 0});
    pads[axis] = {1, 0};
    y = pad(narrow(y, axis, 0, x.size(axis) - 1), pads,
            is_float(x.dtype()) ? Number(neutral) : Number(static_cast<int64_t>(neutral)));
  }
  y = cast(f(y, axis, Where::current()), x.dtype());
  c.set(0, reverse ? flip(y, {axis}) : y);
}

void array_features(Call& c) {  // columns of the last axis
  const Tensor x = c.tensor(0);
  const Tensor at = reshape(whole(c.tensor(1)), {-1});
  Tensor y = take(x.rank() == 1 ? unsqueeze(x, 0) : x, at, -1);
  c.set(0, y);
}

const Operators list{
    {"Gather", gather_op},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"Scatter", scatter_elements},
    {"ScatterElements", scatter_elements},
    {"ScatterND", scatter_nd},
    {"TensorScatter", tensor_scatter, {.read = 4}},
    {"NonZero", nonzero_op},
    {"Compress", compress, {.read = 2}},
    {"Unique", unique_op},
    {"ReverseSequence", reverse_sequence},
    {"TopK", topk_op, {.read = 2}},
    {"ArgMax", arg_extreme<true>},
    {"ArgMin", arg_extreme<false>},
    {"CumSum", cumulative<cumsum>, {.read = 2}},
    {"CumProd", cumulative<cumprod>, {.read = 2}},
    {"ai.onnx.ml.ArrayFeatureExtractor", array_features},
};

}  // namespace
}  // namespace glia::onnx
