// Scaled dot-product attention: the composition that defines it, and for f32 a kernel that never
// stores all weights.
#include "ops/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/autocast.h"
#include "ops/private.h"
#include "runtime/backend.h"

namespace glia {
namespace {

// `d_times`, `e_times`: how often a pair of a query and a key that it sees goes over D elements,
// and over E. A length is not known; it counts as all keys.
Work work_on_pairs(const KernelCall& call, int d_times, int e_times) {
  const Shape &q = call.in[0].layout.shape, &v = call.in[2].layout.shape;
  const auto queries = static_cast<double>(q[q.rank() - 2]), keys = double(v[v.rank() - 2]);
  const double both = std::min(queries, keys);
  const bool causal = call.attributes<AttentionAttributes>().causal;
  const double pairs = causal ? both * (both + 1) / 2 + (queries - both) * keys : queries * keys;
  const double products = static_cast<double>(q.numel()) / (queries * q[q.rank() - 1]);
  Work work = traffic(call);
  work.flops = 2 * products * pairs * (d_times * q[q.rank() - 1] + e_times * v[v.rank() - 1]);
  return work;
}
Work work_of_attention(const KernelCall& call) { return work_on_pairs(call, 1, 1); }
Work work_of_backward(const KernelCall& call) { return work_on_pairs(call, 3, 2); }

// ---- The definition ----

constexpr int kQ = kAttentionQ, kK = kAttentionK, kV = kAttentionV, kScale = kAttentionScale,
              kLength = kAttentionLength, kMask = kAttentionMask, kOut = kAttentionOut,
              kLse = kAttentionLse, kGout = kAttentionGout;

Tensor scores_of(std::span<const Tensor> in, bool causal) {
  const Tensor &q = in[kQ], &k = in[kK], &mask = in[kMask];
  Tensor scores = matmul(q * in[kScale], transpose(k));
  const auto keep = [&](const Tensor& where_true) {
    scores = where(where_true, scores, -INFINITY);
  };
  if (causal) keep(arange(k.size(-2)) <= unsqueeze(arange(q.size(-2)), 1));
  if (in[kLength].defined()) keep(arange(k.size(-2)) < in[kLength]);
  if (mask.defined()) mask.dtype() == kBool ? keep(mask) : void(scores = scores + mask);
  return scores;
}
// A query that sees no key gives 0.
Tensor weights_of(const Tensor& scores) {
  const Tensor blind = max(scores, {-1}, true) == -INFINITY;
  return where(blind, 0, softmax(where(blind, 0, scores)));
}

std::vector<Tensor> compose_attention(const Recorded& one, std::span<const Tensor> in) {
  const Tensor scores = scores_of(in, one.attributes<AttentionAttributes>().causal);
  return {matmul(weights_of(scores), in[kV]), logsumexp(scores)};
}

// Leading axes are as many as there are; the scale and the length are numbers.
Tensor batch_attention(const Recorded& one, std::span<const Tensor> in,
                       std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> all(in.begin(), in.end());
  std::vector<Node*> nodes;
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    const bool number = i == kScale || i == kLength;
    if (all[i].defined() && (one.in_shape(i).rank() == kMaxRank || (number && batched[i])))
      return {};
    if (all[i].defined() && !number) all[i] = with_batch_axis(in[i], batched[i], size);
    nodes.push_back(all[i].node());
  }
  return record(one.op(), nodes, {}, one.dtype(), one.words(), one.where());
}

std::vector<Tensor> compose_backward(const Recorded& one, std::span<const Tensor> in) {
  const Tensor &q = in[kQ], &k = in[kK], &v = in[kV], &scale = in[kScale], &g = in[kGout];
  const Tensor scores = scores_of(in, one.attributes<AttentionAttributes>().causal);
  const Tensor lse = unsqueeze(in[kLse], -1), blind = lse == -INFINITY;
  const Tensor weights = where(blind, 0, exp(scores - where(blind, 0, lse)));
  const Tensor along = sum(in[kOut] * g, {-1}, true);
  const Tensor inner = weights * (matmul(g, transpose(v)) - along);
  return {matmul(inner, k) * scale, matmul(transpose(inner), q * scale),
          matmul(transpose(weights), g)};
}

extern const Op kAttentionBackward;

void vjp_attention(Vjp& v) {
  if (v.needs(kMask) || v.g(1).defined()) return v.set_composed();
  std::vector<Tensor> in;
  for (int i = 0; i < v.inputs(); ++i) in.push_back(v.in(i));
  in.insert(in.end(), {v.out(0), v.out(1), v.g(0)});
  std::vector<Node*> nodes;
  for (const Tensor& t : in) nodes.push_back(t.node());
  const Tensor tuple = record(kAttentionBackward, nodes, {}, v.dtype(), v.words(), v.where());
  for (int i : {kQ, kK, kV}) {
    if (v.needs(i)) v.set(i, output(tuple, i, in[i].shape(), in[i].dtype()));
  }
}

const Op kAttention{.name = "attention",
                    .kind = Kind::kMacro,
                    .attributes = kAttributeFields<AttentionAttributes>,
                    .vjp = vjp_attention,
                    .strided = true,
                    .batch = batch_attention,
                    .outputs = 2,
                    .compose = compose_attention,
                    .work = work_of_attention};
const Op kAttentionBackward{.name = "attention_backward",
                            .kind = Kind::kMacro,
                            .attributes = kAttributeFields<AttentionAttributes>,
                            .strided = true,
                            .batch = batch_attention,
                            .outputs = 3,
                            .compose = compose_backward,
                            .work = work_of_backward};
const RegisterOp registered[] = {RegisterOp(kAttention), RegisterOp(kAttentionBackward)};

// (..., H, T, D) -> (..., H / group, group, T, D).
Tensor grouped(const Tensor& x, int64_t group, const Where& where) {
  Shape shape = x.shape();
  const int heads = shape.rank() - 3;
  shape[heads] /= group;
  shape.insert(heads + 1, group);
  return reshape(x, shape, where);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options, Where where) {
  constexpr const char* kName = "scaled_dot_product_attention";
  for (const Tensor* t : {&q, &k, &v}) {
    if (!t->defined()) fail(kName, "an operand is not defined", where);
    if (!is_float(t->dtype()))
      fail(kName, std::string("needs floats, got ") + name(t->dtype()), where);
  }
  const auto reject = [&](const std::string& why) {
    fail(kName,
         why + ": q " + q.shape().str() + ", k " + k.shape().str() + ", v " + v.shape().str(),
         where);
  };
  if (q.rank() < 2 || k.rank() < 2 || v.rank() < 2) reject("needs (..., T, D)");
  if (q.size(-1) != k.size(-1)) reject("q and k have different sizes");
  if (k.size(-2) != v.size(-2)) reject("k and v have different lengths");
  if (!(options.dropout_p >= 0 && options.dropout_p <= 1))
    fail(kName, "dropout_p " + std::to_string(options.dropout_p) + " is not in [0, 1]", where);
  const int64_t keys = k.size(-2);
  if (options.key_length && (*options.key_length < 0 || *options.key_length > keys))
    reject("key_length " + std::to_string(*options.key_length) + " is out of range");

  Tensor mask = options.mask;
  if (mask.defined() && mask.dtype() != kBool && !is_float(mask.dtype()))
    fail(kName, std::string("the mask is bool or float, not ") + name(mask.dtype()), where);
  if (options.enable_gqa) {
    if (std::min({q.rank(), k.rank(), v.rank()}) < 3 || k.size(-3) != v.size(-3) ||
        k.size(-3) == 0 || q.size(-3) % k.size(-3) != 0)
      reject("the heads of q are no multiple of those of k and v");
    const int64_t group = q.size(-3) / k.size(-3);
    if (mask.defined() && mask.rank() > 2)
      mask = mask.size(-3) == 1 ? unsqueeze(mask, -3, where) : grouped(mask, group, where);
    AttentionOptions rest = options;
    rest.enable_gqa = false;
    rest.mask = mask;
    const Tensor out = scaled_dot_product_attention(
        grouped(q, group, where), unsqueeze(k, -3, where), unsqueeze(v, -3, where), rest, where);
    Shape shape = out.shape();
    shape.erase(shape.rank() - 4);
    shape[shape.rank() - 3] = q.size(-3);
    return reshape(out, shape, where);
  }

  const auto leading = [](const Shape& s) { return Shape(s.span().first(s.rank() - 2)); };
  Shape common;
  try {
    common = broadcast(broadcast(leading(q.shape()), leading(k.shape())), leading(v.shape()));
    if (mask.defined()) {
      Shape scores = common;
      scores.push_back(q.size(-2));
      scores.push_back(keys);
      if (broadcast(scores, mask.shape()) != scores) throw ShapeError("");
      mask = expand(mask, scores, where);
    }
  } catch (const ShapeError&) {
    reject("leading axes" + (mask.defined() ? " or the mask " + mask.shape().str() : "") +
           " do not broadcast");
  }
  const DType dtype = product_dtype(promote(promote(q.dtype(), k.dtype()), v.dtype()));
  const DType computed = sum_dtype(dtype);
  std::vector<Tensor> in;
  for (const Tensor* t : {&q, &k, &v}) {
    Shape shape = common;
    shape.push_back(t->size(-2));
    shape.push_back(t->size(-1));
    in.push_back(expand(cast(Operand(*t, where), computed), shape, where));
  }
  if (mask.defined() && mask.dtype() != kBool) mask = cast(Operand(mask, where), computed);
  in.push_back(mask);
  Shape shape = in[0].shape();
  shape[shape.rank() - 1] = v.size(-1);
  if (keys == 0 || shape.numel() == 0) return zeros(shape, dtype);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1))));
  const auto rounded = [&](const Tensor& t) { return cast(Operand(t, where), dtype); };
  in.insert(in.begin() + kScale, host_scalar(scale, computed));
  in.insert(in.begin() + kLength,
            options.key_length ? host_scalar_i64(*options.key_length) : Tensor());
  if (options.dropout_p > 0) {
    const Tensor weights = weights_of(scores_of(in, options.is_causal));
    return rounded(matmul(dropout(weights, options.dropout_p, where), in[kV], where));
  }
  Node* nodes[kMask + 1];
  for (size_t i = 0; i < in.size(); ++i) nodes[i] = in[i].node();
  const Tensor tuple = record(kAttention, std::span<Node* const>(nodes), {}, computed,
                              AttentionAttributes{options.is_causal}, where);
  if (!tuple.requires_grad()) return rounded(output(tuple, 0, shape, computed));
  Shape rows = shape;
  rows.erase(rows.rank() - 1);
  const Tensor lse = output(tuple, 1, rows, computed);
  return rounded(output(tuple, 0, shape, computed, {lse}));
}

}  // namespace glia
