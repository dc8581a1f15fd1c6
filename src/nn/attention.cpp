// Attention by scores and by many heads.
#include "glia/nn/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/nn/init.h"
#include "glia/random.h"

namespace glia::nn {
namespace {

void require(bool holds, const char* function, const std::string& what,
             const Where& where = Where::current()) {
  if (!holds) throw ShapeError(fmt::format("{}: {}", function, what), where);
}
std::string shape_of(const Tensor& t) { return t.defined() ? t.shape().str() : "nothing"; }

void require_matrices(const char* function, const Tensor& query, const Tensor& key,
                      const Where& where) {
  require(query.defined() && key.defined() && query.rank() >= 2 && key.rank() >= 2, function,
          fmt::format("needs (..., T, Q) and (..., S, K), got {} and {}", shape_of(query),
                      shape_of(key)),
          where);
}

}  // namespace

// ---- Scores -------------------------------------------------------------------------------------

Tensor dot_scores(const Tensor& query, const Tensor& key, Where where) {
  require_matrices("dot_scores", query, key, where);
  return matmul(query, transpose(key, -2, -1, where), where);
}
Tensor scaled_dot_scores(const Tensor& query, const Tensor& key, Where where) {
  require_matrices("scaled_dot_scores", query, key, where);
  return dot_scores(query, key, where) / std::sqrt(static_cast<double>(query.size(-1)));
}
Tensor general_scores(const Tensor& query, const Tensor& key, const Tensor& weight, Where where) {
  require_matrices("general_scores", query, key, where);
  return dot_scores(matmul(query, weight, where), key, where);
}
Tensor additive_scores(const Tensor& query, const Tensor& key, const Tensor& v, Where where) {
  constexpr const char* kName = "additive_scores";
  require_matrices(kName, query, key, where);
  require(v.defined() && v.rank() == 1 && v.size(0) == query.size(-1), kName,
          fmt::format("v {} and queries {} have different sizes", shape_of(v), shape_of(query)),
          where);
  const Tensor sums = tanh(Operand(unsqueeze(query, -2, where), where) + unsqueeze(key, -3, where));
  return matmul(sums, v, where);
}

AttentionResult attend(const Tensor& scores, const Tensor& value, const Tensor& mask, Where where) {
  constexpr const char* kName = "attend";
  require_matrices(kName, scores, value, where);
  if (!mask.defined()) {
    const Tensor weights = softmax(scores, -1, where);
    return {matmul(weights, value, where), weights};
  }
  require(mask.dtype() == kBool || is_float(mask.dtype()), kName,
          fmt::format("the mask is bool or float, not {}", name(mask.dtype())), where);
  require(broadcast(scores.shape(), mask.shape()) == scores.shape(), kName,
          fmt::format("the mask {} does not broadcast to {}", shape_of(mask), shape_of(scores)),
          where);
  const Tensor seen = mask.dtype() == kBool ? glia::where(mask, scores, -INFINITY)
                                            : scores + cast(mask, scores.dtype());
  const Tensor blind = max(seen, {-1}, true, where) == -INFINITY;
  const Tensor weights = glia::where(blind, 0, softmax(glia::where(blind, 0, seen), -1, where));
  return {matmul(weights, value, where), weights};
}

ScoreAttention::ScoreAttention(int64_t query_size, int64_t key_size,
                               const ScoreAttentionOptions& options)
    : options(options) {
  constexpr const char* kName = "ScoreAttention";
  require(
      query_size > 0 && key_size > 0 && options.hidden >= 0, kName,
      fmt::format("sizes {}, {} and {} are not positive", query_size, key_size, options.hidden));
  const auto make = [](const Shape& shape, int64_t fan_in) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    return uniform(shape, -bound, bound);
  };
  const int64_t hidden = options.hidden ? options.hidden : query_size;
  switch (options.score) {
    case Score::kDot:
    case Score::kScaledDot:
      require(
          query_size == key_size, kName,
          fmt::format("queries of {} and keys of {} have no dot product", query_size, key_size));
      break;
    case Score::kGeneral:
      weight = make({query_size, key_size}, query_size);
      break;
    case Score::kConcat:
    case Score::kAdditive:
      weight_q = make({hidden, query_size}, query_size);
      weight_k = make({hidden, key_size}, key_size);
      v = make({hidden}, hidden);
  }
}

AttentionResult ScoreAttention::operator()(const Tensor& query, const Tensor& key,
                                           const Tensor& value, const Tensor& mask,
                                           Where where) const {
  const auto scores = [&] {
    switch (options.score) {
      case Score::kDot:
        return dot_scores(query, key, where);
      case Score::kScaledDot:
        return scaled_dot_scores(query, key, where);
      case Score::kGeneral:
        return general_scores(query, key, weight, where);
      default:
        return additive_scores(linear(query, weight_q, {}, where), linear(key, weight_k, {}, where),
                               v, where);
    }
  };
  return attend(scores(), value, mask, where);
}

// ---- The cache ----------------------------------------------------------------------------------

void KVCache::append(const Tensor& k, const Tensor& v, Where where) {
  constexpr const char* kName = "KVCache";
  constexpr int64_t kLeast = 32;
  require(k.defined() && v.defined() && k.rank() == 4 && v.rank() == 4 && k.size(2) == v.size(2) &&
              k.size(0) == v.size(0),
          kName, fmt::format("keys {} and values {} do not fit", shape_of(k), shape_of(v)), where);
  const int64_t needed = add_sizes(length, k.size(2));
  const auto grown = [&](const Tensor& kept, const Tensor& more) {
    const int64_t room = kept.defined() ? kept.size(2) : 0;
    if (kept.defined())
      require(kept.dtype() == more.dtype() && kept.size(0) == more.size(0) &&
                  kept.size(1) == more.size(1) && kept.size(3) == more.size(3),
              kName, fmt::format("{} does not fit {}", shape_of(more), shape_of(kept)), where);
    if (room >= needed) return kept;
    Shape shape = more.shape();
    shape[2] = std::max({needed, 2 * room, kLeast}) - room;
    const Tensor fresh = zeros(shape, more.dtype());
    return kept.defined() ? concat({kept, fresh}, 2, where) : fresh;
  };
  const Tensor more_keys = grown(keys, k), more_values = grown(values, v);
  keys = slice_scatter(more_keys, k, 2, length, where);
  values = slice_scatter(more_values, v, 2, length, where);
  length = needed;
}

// ---- Many heads ---------------------------------------------------------------------------------

namespace {

constexpr const char* kName = "MultiheadAttention";

MultiheadAttentionOptions checked(int64_t embed_dim, int64_t num_heads,
                                  MultiheadAttentionOptions o) {
  require(embed_dim > 0 && num_heads > 0 && embed_dim % num_heads == 0, kName,
          fmt::format("embed_dim {} is no positive multiple of {} heads", embed_dim, num_heads));
  require(o.dropout >= 0 && o.dropout <= 1, kName,
          fmt::format("dropout {} is not in [0, 1]", o.dropout));
  if (o.num_kv_heads == 0) o.num_kv_heads = num_heads;
  require(o.num_kv_heads > 0 && num_heads % o.num_kv_heads == 0, kName,
          fmt::format("{} heads are no multiple of {} of keys", num_heads, o.num_kv_heads));
  if (o.kdim == 0) o.kdim = embed_dim;
  if (o.vdim == 0) o.vdim = embed_dim;
  require(o.kdim > 0 && o.vdim > 0, kName,
          fmt::format("kdim {} or vdim {} is not positive", o.kdim, o.vdim));
  return o;
}

// (N, T, heads D) -> (N, heads, T, D).
Tensor heads_of(const Tensor& x, int64_t heads, const Where& where) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}, where), 1, 2,
                   where);
}

// What keeps keys from being seen: bools (true where one is left out) until floats come in.
class Mask {
 public:
  explicit Mask(DType dtype) : dtype_(dtype) {}
  void add(const Tensor& mask, const Where& where) {
    require(mask.dtype() == kBool || is_float(mask.dtype()), kName,
            fmt::format("masks are bool or float, not {}", name(mask.dtype())), where);
    if (!mask_.defined())
      mask_ = mask.dtype() == kBool ? mask : cast(mask, dtype_);
    else if (mask.dtype() == kBool && mask_.dtype() == kBool)
      mask_ = mask_ | mask;
    else
      mask_ = as_floats(mask_) + as_floats(mask);
  }
  // As scaled_dot_product_attention takes it.
  Tensor seen() const { return mask_.defined() && mask_.dtype() == kBool ? ~mask_ : mask_; }

 private:
  Tensor as_floats(const Tensor& mask) const {
    return mask.dtype() == kBool ? glia::where(mask, -INFINITY, zeros({}, dtype_))
                                 : cast(mask, dtype_);
  }
  DType dtype_;
  Tensor mask_;
};

}  // namespace

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads,
                                       const MultiheadAttentionOptions& given)
    : embed_dim(embed_dim),
      num_heads(num_heads),
      options(checked(embed_dim, num_heads, given)),
      out_proj(embed_dim, embed_dim, {.bias = given.bias}) {
  const int64_t kv = embed_dim / num_heads * options.num_kv_heads;
  const auto make = [](Parameter& weight, int64_t out, int64_t in) {
    weight = zeros({out, in});
    init::xavier_uniform_(weight);
  };
  if (options.kdim == embed_dim && options.vdim == embed_dim) {
    make(in_proj_weight, embed_dim + 2 * kv, embed_dim);
  } else {
    make(q_proj_weight, embed_dim, embed_dim);
    make(k_proj_weight, kv, options.kdim);
    make(v_proj_weight, kv, options.vdim);
  }
  if (options.bias) {
    in_proj_bias = zeros({embed_dim + 2 * kv});
    out_proj.bias = zeros({embed_dim});
  }
  if (!options.add_bias_kv) return;
  // As xavier_normal_ makes it of PyTorch's shape (1, 1, C), of fan 1 and C.
  const double deviation = std::sqrt(2 / static_cast<double>(2 * kv));
  bias_k = normal({1, 1, kv}, 0, deviation);
  bias_v = normal({1, 1, kv}, 0, deviation);
}

AttentionResult MultiheadAttention::operator()(const Tensor& query, const Tensor& key,
                                               const Tensor& value,
                                               const MultiheadAttentionInputs& in,
                                               Where where) const {
  for (const Tensor* t : {&query, &key, &value})
    require(t->defined() && t->rank() == query.rank() && (t->rank() == 2 || t->rank() == 3), kName,
            fmt::format("needs three times (N, T, C) or (T, C), got {}, {} and {}", shape_of(query),
                        shape_of(key), shape_of(value)),
            where);
  const bool batched = query.rank() == 3;
  const auto batch_first = [&](const Tensor& t) {
    if (!batched) return unsqueeze(t, 0, where);
    return options.batch_first ? t : transpose(t, 0, 1, where);
  };
  const Tensor xq = batch_first(query), xk = batch_first(key), xv = batch_first(value);
  const int64_t n = xq.size(0), queries = xq.size(1), head = embed_dim / num_heads,
                kv_heads = options.num_kv_heads, kv = head * kv_heads;
  require(xk.size(0) == n && xv.size(0) == n && xk.size(1) == xv.size(1) &&
              xq.size(2) == embed_dim && xk.size(2) == options.kdim && xv.size(2) == options.vdim,
          kName,
          fmt::format("queries {}, keys {} and values {} do not fit {}, {} and {} features",
                      shape_of(query), shape_of(key), shape_of(value), embed_dim, options.kdim,
                      options.vdim),
          where);

  // Queries, keys and values; of one array by one product.
  const auto part = [&](const Tensor& t, int axis, int64_t from, int64_t to) {
    return t.defined() ? slice(t, axis, {from, to}, where) : t;
  };
  const int64_t ends[] = {0, embed_dim, embed_dim + kv, embed_dim + 2 * kv};
  const Tensor bias = in_proj_bias;
  Tensor q, k, v;
  if (in_proj_weight.defined() && query.node() == key.node() && key.node() == value.node()) {
    const Tensor all = linear(xq, in_proj_weight, bias, where);
    q = part(all, 2, ends[0], ends[1]);
    k = part(all, 2, ends[1], ends[2]);
    v = part(all, 2, ends[2], ends[3]);
  } else {
    const auto project = [&](const Tensor& x, const Parameter& own, int i) {
      const Tensor w = own.defined() ? Tensor(own) : part(in_proj_weight, 0, ends[i], ends[i + 1]);
      return linear(x, w, part(bias, 0, ends[i], ends[i + 1]), where);
    };
    q = project(xq, q_proj_weight, 0);
    k = project(xk, k_proj_weight, 1);
    v = project(xv, v_proj_weight, 2);
  }
  if (bias_k.defined()) {
    const Shape one{n, 1, kv};
    k = concat({k, expand(bias_k, one, where)}, 1, where);
    v = concat({v, expand(bias_v, one, where)}, 1, where);
  }
  q = heads_of(q, num_heads, where);
  k = heads_of(k, kv_heads, where);
  v = heads_of(v, kv_heads, where);
  if (options.add_zero_attn) {
    const Tensor none = zeros({n, kv_heads, 1, head}, k.dtype());
    k = concat({k, none}, 2, where);
    v = concat({v, none}, 2, where);
  }
  const int64_t extra = k.size(2) - xk.size(1);
  int64_t before = 0;
  std::optional<int64_t> key_length;
  if (in.cache) {
    require(extra == 0, kName, "a cache goes with neither bias_kv nor zero_attn", where);
    before = in.cache->length;
  }
  if (options.rotary) {
    RotaryOptions turn = *options.rotary;
    turn.first = add_sizes(turn.first, before);
    q = rotary(q, turn, where);
    k = rotary(k, turn, where);
  }
  if (in.cache) {
    in.cache->append(k, v, where);
    k = in.cache->keys;
    v = in.cache->values;
    key_length = in.cache->length;
  }

  // Masks of the given keys; what was added is always seen.
  const int64_t keys = k.size(2), known = key_length.value_or(keys - extra);
  const auto with_extra = [&](const Tensor& mask) {
    if (keys == known) return mask;
    std::vector<std::pair<int64_t, int64_t>> pads(mask.rank());
    pads.back().second = keys - known;
    return pad(mask, pads, 0, where);
  };
  Mask mask(q.dtype());
  if (in.key_padding_mask.defined()) {
    const Tensor& m = in.key_padding_mask;
    require(m.shape() == (batched ? Shape{n, known} : Shape{known}), kName,
            fmt::format("key_padding_mask {} is not ({}, {})", shape_of(m), n, known), where);
    mask.add(reshape(with_extra(m), {n, 1, 1, keys}, where), where);
  }
  if (in.attn_mask.defined()) {
    const Tensor& m = in.attn_mask;
    const bool each = m.rank() == 3;
    require(m.shape() == (each ? Shape{n * num_heads, queries, known} : Shape{queries, known}),
            kName,
            fmt::format("attn_mask {} is neither ({}, {}) nor ({}, {}, {})", shape_of(m), queries,
                        known, n * num_heads, queries, known),
            where);
    const Tensor wide = with_extra(m);
    mask.add(each ? reshape(wide, {n, num_heads, queries, keys}, where) : wide, where);
  }
  // The kernel leaves out later keys by itself, where they are numbered like the queries.
  const bool by_kernel = in.is_causal && !in.cache && extra == 0;
  const auto with_causal = [&] {
    Mask all = mask;
    if (!in.is_causal || (in.cache && queries == 1)) return all.seen();
    const Tensor place = arange(keys), own = unsqueeze(arange(queries) + before, 1);
    all.add(extra ? (place > own) & (place < known) : place > own, where);
    return all.seen();
  };

  const double p = is_training() ? options.dropout : 0;
  Tensor out, weights;
  const bool wanted = in.need_weights || p > 0;
  if (wanted) {
    const int64_t group = num_heads / kv_heads;
    const auto repeated = [&](const Tensor& t) {
      if (group == 1) return t;
      const Shape shape{n, kv_heads, group, t.size(2), t.size(3)};
      return reshape(expand(unsqueeze(t, 2, where), shape, where),
                     {n, num_heads, t.size(2), t.size(3)}, where);
    };
    Tensor seen = with_causal();
    if (key_length) {
      const Tensor filled = arange(keys) < *key_length;
      seen = !seen.defined()         ? filled
             : seen.dtype() == kBool ? seen & filled
                                     : glia::where(filled, seen, -INFINITY);
    }
    weights = attend(scaled_dot_scores(q, repeated(k), where), repeated(v), seen, where).weights;
    if (p > 0) {
      weights = glia::dropout(weights, p, where);
      out = matmul(weights, repeated(v), where);
    }
  }
  if (!out.defined())
    out = scaled_dot_product_attention(q, k, v,
                                       {.mask = by_kernel ? mask.seen() : with_causal(),
                                        .is_causal = by_kernel,
                                        .enable_gqa = kv_heads != num_heads,
                                        .key_length = key_length},
                                       where);
  out = out_proj(reshape(transpose(out, 1, 2, where), {n, queries, embed_dim}, where), where);
  if (!in.need_weights) {
    weights = {};
  } else {
    if (key_length) weights = slice(weights, -1, {0, *key_length}, where);
    if (in.average_attn_weights) weights = mean(weights, {1}, false, where);
    if (!batched) weights = squeeze(weights, 0, where);
  }
  if (!batched) return {squeeze(out, 0, where), weights};
  return {options.batch_first ? out : transpose(out, 0, 1, where), weights};
}

}  // namespace glia::nn
