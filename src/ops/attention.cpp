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

const Op kAttention{.name = "attention",
                    .kind = Kind::kKernel,
                    .attributes = kAttributeFields<AttentionAttributes>,
                    .strided = true,
                    .outputs = 2,
                    .work = work_of_attention};
const Op kAttentionBackward{.name = "attention_backward",
                            .kind = Kind::kKernel,
                            .attributes = kAttributeFields<AttentionAttributes>,
                            .strided = true,
                            .outputs = 3,
                            .work = work_of_backward};
const RegisterOp registered[] = {RegisterOp(kAttention), RegisterOp(kAttentionBackward)};

struct Settings {
  double scale, dropout_p;
  bool causal;
  std::optional<int64_t> length;
};

// ---- The definition ----

// Of q, k, v and a mask or none.
Tensor compose(const Settings& s, const std::vector<Tensor>& in) {
  const Tensor &q = in[0], &k = in[1], &v = in[2];
  Tensor scores = matmul(q * s.scale, transpose(k));
  const auto keep = [&](const Tensor& where_true) {
    scores = where(where_true, scores, -INFINITY);
  };
  if (s.causal) keep(arange(k.size(-2)) <= unsqueeze(arange(q.size(-2)), 1));
  if (s.length) keep(arange(k.size(-2)) < *s.length);
  if (in.size() > 3) in[3].dtype() == kBool ? keep(in[3]) : void(scores = scores + in[3]);
  // A query that sees no key gives 0.
  const Tensor blind = max(scores, {-1}, true) == -INFINITY;
  Tensor weights = where(blind, 0, softmax(where(blind, 0, scores)));
  if (s.dropout_p > 0) weights = dropout(weights, s.dropout_p);
  return matmul(weights, v);
}

// ---- The kernels ----

Tensor record_tuple(const Op& op, const Settings& s, const std::vector<Tensor>& in,
                    const std::vector<Tensor>& more, const Where& where) {
  std::vector<Tensor> all;
  all.reserve(in.size() + more.size() + 2);
  all.assign(in.begin(), in.begin() + 3);
  all.push_back(host_scalar(s.scale, kF32));
  if (s.length) all.push_back(host_scalar_i64(*s.length));
  all.insert(all.end(), in.begin() + 3, in.end());
  all.insert(all.end(), more.begin(), more.end());
  std::vector<Node*> nodes;
  nodes.reserve(all.size());
  for (const Tensor& t : all) nodes.push_back(t.node());
  const AttentionAttributes attributes{s.causal, s.length.has_value(), in.size() > 3};
  return record(op, nodes, {}, kF32, attributes, where);
}

Tensor attend(const Settings& s, const std::vector<Tensor>& in, const Where& where) {
  const bool trains_mask = in.size() > 3 && in[3].requires_grad();
  // What is recorded for vmap must be of operations that have a batch rule.
  if (in[0].dtype() != kF32 || s.dropout_p > 0 || trains_mask || symbolic() ||
      !find_kernel(kAttention, kF32))
    return compose(s, in);
  Shape lse = in[0].shape(), shape = lse;
  shape[shape.rank() - 1] = in[2].size(-1);
  lse.erase(lse.rank() - 1);
  const Tensor tuple = [&] {
    const NoGrad off;
    return record_tuple(kAttention, s, in, {}, where);
  }();
  const Tensor value = output(tuple, 0, shape, kF32);
  const auto needs = [](const Tensor& t) { return t.requires_grad(); };
  if (!grad_enabled() || std::ranges::none_of(in, needs)) return value;
  std::vector<Tensor> arguments = in;
  arguments.push_back(value);
  arguments.push_back(output(tuple, 1, lse, kF32));
  const size_t inputs = in.size();
  const auto rule = [s, inputs, where](const std::vector<Tensor>& from, const Tensor&,
                                       const Tensor& g) {
    const std::vector<Tensor> own(from.begin(), from.begin() + static_cast<int64_t>(inputs));
    std::vector<Tensor> grads(inputs);
    {
      const NoGrad off;
      const Tensor tuple =
          record_tuple(kAttentionBackward, s, own, {from[inputs], from[inputs + 1], g}, where);
      for (int i = 0; i < 3; ++i) {
        if (own[i].requires_grad()) grads[i] = output(tuple, i, own[i].shape(), kF32);
      }
    }
    const Composition f = [s](const std::vector<Tensor>& x) {
      return std::vector<Tensor>{compose(s, x)};
    };
    grads = as_gradients_of(f, own, {g}, grads, where);
    grads.resize(from.size());
    return grads;
  };
  return with_rule(value, arguments, rule, where);
}

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
  if (mask.defined())
    in.push_back(mask.dtype() == kBool ? mask : cast(Operand(mask, where), computed));
  Shape shape = in[0].shape();
  shape[shape.rank() - 1] = v.size(-1);
  if (keys == 0 || shape.numel() == 0) return zeros(shape, dtype);
  const double size = static_cast<double>(q.size(-1));
  const Settings s{options.scale.value_or(1 / std::sqrt(size)), options.dropout_p,
                   options.is_causal, options.key_length};
  return cast(Operand(attend(s, in, where), where), dtype);
}

}  // namespace glia
