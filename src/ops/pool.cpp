// Pooling over windows of images.
#include "ops/pool.h"

#include <algorithm>
#include <cstdint>

#include "glia/ops.h"
#include "runtime/threads.h"

namespace glia {
namespace {

// ---- Values, one channel at a time ----

template <class T>
struct Value {
  using Element = T;
  static constexpr int64_t kLanes = 1;
  T v;

  explicit Value(double c) : v(static_cast<T>(c)) {}
  static Value load(const T* p) { return Value(*p); }
  void store(T* p) const { *p = v; }
  friend bool operator<(Value a, Value b) { return a.v < b.v; }
  friend bool operator==(Value a, Value b) { return a.v == b.v; }
  friend bool operator!=(Value a, Value b) { return a.v != b.v; }
  friend Value operator+(Value a, Value b) { return Value(a.v + b.v); }
  friend Value operator*(Value a, Value b) { return Value(a.v * b.v); }
  friend Value select(bool mask, Value a, Value b) { return mask ? a : b; }
};

#include "ops/pool_kernels.h"

// ---- Recording and gradients ----

extern const Op kMax, kMaxBackward, kMaxGather, kAvg, kAvgBackward;

// Another pooling with the windows of `node`.
Tensor same_windows(const Op& op, std::initializer_list<Tensor> inputs, const Shape& shape,
                    const Node& node) {
  std::vector<Node*> nodes;
  for (const Tensor& t : inputs) nodes.push_back(t.node());
  return record(op, nodes, shape, node.dtype, node.attribute_span(), node.where);
}

// A maximum's place does not move with x, so x itself gets no gradient but through its value.
void vjp_max(Vjp& v) {
  v.set(0, same_windows(kMaxBackward, {v.in(0), v.g()}, v.node().inputs[0]->shape, v.node()));
}
void vjp_max_backward(Vjp& v) {
  const Shape& dy = v.node().inputs[1]->shape;
  if (v.needs(1)) v.set(1, same_windows(kMaxGather, {v.in(0), v.g()}, dy, v.node()));
}
void vjp_max_gather(Vjp& v) {
  const Shape& u = v.node().inputs[1]->shape;
  if (v.needs(1)) v.set(1, same_windows(kMaxBackward, {v.in(0), v.g()}, u, v.node()));
}
void vjp_avg(Vjp& v) {
  v.set(0, same_windows(kAvgBackward, {v.g()}, v.node().inputs[0]->shape, v.node()));
}
void vjp_avg_backward(Vjp& v) {
  v.set(0, same_windows(kAvg, {v.g()}, v.node().inputs[0]->shape, v.node()));
}

// The new axis joins the images.
Tensor batch_images(const Node& node, std::span<const Tensor> inputs, std::span<const bool> batched,
                    int64_t size) {
  std::vector<Tensor> merged;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Shape shape = node.inputs[i]->shape, all = shape;
    all.insert(0, size);
    shape[0] *= size;
    const Tensor t = batched[i] ? inputs[i] : expand(inputs[i], all, node.where);
    nodes.push_back(merged.emplace_back(reshape(t, shape, node.where)).node());
  }
  Shape out = node.shape, shape = node.shape;
  out[0] *= size;
  shape.insert(0, size);
  const Tensor y = record(*node.op, nodes, out, node.dtype, node.attribute_span(), node.where);
  return reshape(y, shape, node.where);
}

constexpr Op pool_op(const char* name, void (*vjp)(Vjp&), void (*run)(const KernelCall&)) {
  return {.name = name, .kind = Kind::kKernel, .vjp = vjp, .run = run, .batch = batch_images};
}
const Op kMax = pool_op("max_pool2d", vjp_max, run_max_pool);
const Op kMaxBackward = pool_op("max_pool2d_backward", vjp_max_backward, run_max_pool_backward);
const Op kMaxGather = pool_op("max_pool2d_gather", vjp_max_gather, run_max_pool_gather);
const Op kAvg = pool_op("avg_pool2d", vjp_avg, run_avg_pool);
const Op kAvgBackward = pool_op("avg_pool2d_backward", vjp_avg_backward, run_avg_pool_backward);
const RegisterOp registered[] = {RegisterOp(kMax), RegisterOp(kMaxBackward), RegisterOp(kMaxGather),
                                 RegisterOp(kAvg), RegisterOp(kAvgBackward)};

}  // namespace

Tensor max_pool2d(const Tensor& x, std::pair<int64_t, int64_t> window, const PoolOptions& options,
                  Where where) {
  return pool2d(kMax, x, window, options, where);
}
Tensor max_pool2d(const Tensor& x, int64_t window, Where where) {
  return pool2d(kMax, x, {window, window}, {}, where);
}
Tensor avg_pool2d(const Tensor& x, std::pair<int64_t, int64_t> window, const PoolOptions& options,
                  Where where) {
  return pool2d(kAvg, x, window, options, where);
}
Tensor avg_pool2d(const Tensor& x, int64_t window, Where where) {
  return pool2d(kAvg, x, {window, window}, {}, where);
}

}  // namespace glia
