// Positions of tokens.
#include "glia/nn/positions.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "glia/nn/attention.h"
#include "glia/random.h"

namespace glia::nn {
namespace {

void require(bool holds, const char* function, const std::string& what,
             const Where& where = Where::current()) {
  if (!holds) throw ShapeError(fmt::format("{}: {}", function, what), where);
}
void require_sizes(const char* function, int64_t queries, int64_t keys) {
  require(queries >= 0 && keys >= 0, function,
          fmt::format("{} queries and {} keys: a number is negative", queries, keys));
  Shape({queries, keys}).numel();
}

// Positions of keys less those of queries (T, S); the last query stands at the last key.
Tensor relative_positions(int64_t queries, int64_t keys) {
  return arange(keys) - unsqueeze(arange(queries) + (keys - queries), 1);
}

// 1 / base^(2 i / size), (size / 2) f64.
Tensor frequencies(int64_t size, double base) {
  return exp(arange(0, size, 2, kF64) * (-std::log(base) / static_cast<double>(size)));
}

}  // namespace

Tensor causal_upper_left(int64_t queries, int64_t keys) {
  require_sizes("causal_upper_left", queries, keys);
  return arange(keys) <= unsqueeze(arange(queries), 1);
}
Tensor causal_lower_right(int64_t queries, int64_t keys) {
  require_sizes("causal_lower_right", queries, keys);
  return relative_positions(queries, keys) <= 0;
}
Tensor sliding_window(int64_t queries, int64_t keys, int64_t left, int64_t right) {
  require_sizes("sliding_window", queries, keys);
  require(left >= 0 && right >= 0, "sliding_window",
          fmt::format("{} keys before and {} behind: a number is negative", left, right));
  const Tensor relative = relative_positions(queries, keys);
  return (relative >= -left) & (relative <= right);
}
Tensor generate_square_subsequent_mask(int64_t size) {
  return where(causal_upper_left(size, size), zeros({}), -INFINITY);
}

Tensor sinusoidal_positions(int64_t count, int64_t width, double base, int64_t first) {
  constexpr const char* kName = "sinusoidal_positions";
  require_sizes(kName, count, width);
  require(base > 0, kName, fmt::format("the base {} is not positive", base));
  const Tensor places = cast(arange(count) + first, kF64);
  const Tensor angles = unsqueeze(places, 1) * frequencies(width, base);
  const Tensor both = stack({sin(angles), cos(angles)}, -1);  // (T, C / 2, 2)
  return cast(slice(flatten(both, 1), 1, {0, width}), kF32);
}
Tensor SinusoidalPositions::operator()(const Tensor& x, int64_t first, Where where) const {
  require(x.defined() && x.rank() >= 2, "SinusoidalPositions", "needs (N, T, C)", where);
  const Tensor rows = sinusoidal_positions(x.size(-2), x.size(-1), base, first);
  return Operand(x, where) + cast(rows, x.dtype());
}

LearnedPositions::LearnedPositions(int64_t count, int64_t width) {
  require(count > 0 && width > 0, "LearnedPositions", "a size is not positive");
  weight = normal({count, width}, 0, 0.02);
}
Tensor LearnedPositions::operator()(const Tensor& x, int64_t first, Where where) const {
  constexpr const char* kName = "LearnedPositions";
  require(x.defined() && x.rank() >= 2, kName, "needs (N, T, C)", where);
  const int64_t count = x.size(-2), known = weight.shape()[0];
  require(
      first >= 0 && add_sizes(first, count) <= known, kName,
      fmt::format("positions {} to {} are not all below {}", first, add_sizes(first, count), known),
      where);
  if (count == known) return Operand(x, where) + weight;
  // By number, so that a decoder that goes on makes no new plan.
  return Operand(x, where) + take(weight, arange(count) + first, 0, where);
}

Tensor rotary(const Tensor& x, const RotaryOptions& o, Where where) {
  constexpr const char* kName = "rotary";
  require(x.defined() && x.rank() >= 2, kName, "needs (..., T, D)", where);
  require(is_float(x.dtype()), kName, fmt::format("needs floats, got {}", name(x.dtype())), where);
  const int64_t all = x.size(-1), size = o.size ? o.size : all;
  require(size >= 0 && size <= all && size % 2 == 0, kName,
          fmt::format("{} of {} features are no pairs", size, all), where);
  require(o.base > 0, kName, fmt::format("the base {} is not positive", o.base), where);
  const Tensor places = cast(arange(x.size(-2)) + o.first, kF64);
  const Tensor angles = unsqueeze(places, 1) * frequencies(size, o.base);  // (T, size / 2)
  const DType dtype = x.dtype() == kF64 ? kF64 : kF32;
  const Tensor c = cast(cos(angles), dtype), s = cast(sin(angles), dtype);
  const Tensor turned = cast(size == all ? x : slice(x, -1, {0, size}, where), dtype);
  const int64_t half = size / 2;
  Shape pairs = turned.shape();
  pairs[pairs.rank() - 1] = o.interleaved ? half : 2;
  pairs.push_back(o.interleaved ? 2 : half);
  const int axis = o.interleaved ? -1 : -2;
  const Tensor split = reshape(turned, pairs, where);
  const auto part = [&](int64_t i) { return squeeze(slice(split, axis, {i, i + 1}), axis); };
  const Tensor a = part(0), b = part(1);
  const Tensor out = reshape(stack({a * c - b * s, a * s + b * c}, axis), turned.shape(), where);
  const Tensor rounded = cast(out, x.dtype());
  return size == all ? rounded : concat({rounded, slice(x, -1, {size, all}, where)}, -1, where);
}

Tensor alibi_slopes(int64_t heads) {
  constexpr int64_t kMost = 1 << 20;
  require(heads > 0 && heads <= kMost, "alibi_slopes",
          fmt::format("{} heads are not from 1 to {}", heads, kMost));
  int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  std::vector<float> slopes;
  const auto add = [&](double exponent) { slopes.push_back(static_cast<float>(exp2(exponent))); };
  for (int64_t h = 1; h <= power; ++h) add(-8.0 * static_cast<double>(h) / double(power));
  // Of twice as many heads every other one.
  for (int64_t h = 1; static_cast<int64_t>(slopes.size()) < heads; h += 2)
    add(-4.0 * static_cast<double>(h) / double(power));
  return from_vector(slopes, {heads});
}
Tensor alibi(int64_t heads, int64_t queries, int64_t keys) {
  require_sizes("alibi", queries, keys);
  const Tensor distance = cast(abs(relative_positions(queries, keys)), kF32);
  return -(unsqueeze(unsqueeze(alibi_slopes(heads), 1), 1) * distance);
}

Tensor relative_position_bucket(const Tensor& relative, const RelativeBucketOptions& o,
                                Where where) {
  constexpr const char* kName = "relative_position_bucket";
  require(relative.defined() && is_integer(relative.dtype()), kName, "needs integers", where);
  const int64_t count = o.bidirectional ? o.num_buckets / 2 : o.num_buckets, exact = count / 2;
  require(exact > 0 && o.num_buckets <= INT32_MAX && o.max_distance > exact, kName,
          fmt::format("{} buckets up to distance {} leave none for small or far ones",
                      o.num_buckets, o.max_distance),
          where);
  const Tensor behind = cast(relative, kI64);
  const Tensor distance = o.bidirectional ? abs(behind) : maximum(-behind, 0);
  // In f32, as T5 does: what lies on the edge of a bucket depends on it.
  const Tensor steps = log(cast(maximum(distance, 1), kF32) / static_cast<double>(exact)) /
                       std::log(static_cast<double>(o.max_distance) / double(exact)) *
                       static_cast<double>(count - exact);
  const Tensor far = minimum(exact + cast(maximum(steps, 0), kI64), count - 1);
  const Tensor bucket = glia::where(distance < exact, distance, far);
  return o.bidirectional ? bucket + cast(behind > 0, kI64) * count : bucket;
}

RelativePositionBias::RelativePositionBias(int64_t heads, const RelativeBucketOptions& options)
    : options(options), relative_attention_bias(options.num_buckets, heads) {}
Tensor RelativePositionBias::operator()(int64_t queries, int64_t keys, Where where) const {
  require_sizes("RelativePositionBias", queries, keys);
  const Tensor buckets =
      relative_position_bucket(relative_positions(queries, keys), options, where);
  return permute(relative_attention_bias(buckets, where), {2, 0, 1}, where);
}

RelativeAttention::RelativeAttention(int64_t size, int64_t most) : most(most) {
  require(size > 0 && most >= 0, "RelativeAttention",
          fmt::format("size {} and distance {} are out of range", size, most));
  const Shape shape{add_sizes(multiply_sizes(2, most), 1), size};
  const double bound = std::sqrt(6 / (static_cast<double>(shape[0]) + static_cast<double>(size)));
  key_table = uniform(shape, -bound, bound);
  value_table = uniform(shape, -bound, bound);
}
Tensor RelativeAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                     const Tensor& mask, Where where) const {
  constexpr const char* kName = "RelativeAttention";
  const int64_t size = key_table.shape()[1];
  for (const Tensor* t : {&q, &k, &v})
    require(t->defined() && t->rank() >= 2 && t->size(-1) == size, kName,
            fmt::format("needs (..., T, {})", size), where);
  const int64_t queries = q.size(-2), keys = k.size(-2);
  const Tensor distance = clamp(arange(keys) - unsqueeze(arange(queries), 1), -most, most) + most;
  const Tensor own_keys = take(key_table, distance, 0, where);      // (T, S, D)
  const Tensor own_values = take(value_table, distance, 0, where);  // (T, S, D)
  // A query against its own keys: (..., T, 1, D) x (T, D, S) -> (..., T, S).
  const Tensor apart = squeeze(matmul(unsqueeze(q, -2), transpose(own_keys), where), -2);
  const Tensor scores =
      (matmul(q, transpose(k), where) + apart) / std::sqrt(static_cast<double>(size));
  const AttentionResult r = attend(scores, v, mask, where);
  return r.out + squeeze(matmul(unsqueeze(r.weights, -2), own_values, where), -2);
}

}  // namespace glia::nn
