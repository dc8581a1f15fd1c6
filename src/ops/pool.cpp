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
  friend Value operator/(Value a, Value b) { return Value(a.v / b.v); }
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
  return record(op, nodes, shape, node.dtype, node.words(), node.where);
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
Tensor batch_images(const Recorded& node, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  std::vector<Tensor> merged;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Shape shape = node.in_shape(i), all = shape;
    all.insert(0, size);
    shape[0] *= size;
    const Tensor t = batched[i] ? inputs[i] : expand(inputs[i], all, node.where());
    nodes.push_back(merged.emplace_back(reshape(t, shape, node.where())).node());
  }
  Shape out = node.shape(), shape = node.shape();
  out[0] *= size;
  shape.insert(0, size);
  const Tensor y = record(node.op(), nodes, out, node.dtype(), node.words(), node.where());
  return reshape(y, shape, node.where());
}

constexpr Op pool_op(const char* name, void (*vjp)(Vjp&), void (*run)(const KernelCall&)) {
  return {.name = name,
          .kind = Kind::kKernel,
          .attributes = kAttributeFields<PoolAttributes>,
          .vjp = vjp,
          .run = run,
          .batch = batch_images};
}
const Op kMax = pool_op("max_pool2d", vjp_max, run_max_pool);
const Op kMaxBackward = pool_op("max_pool2d_backward", vjp_max_backward, run_max_pool_backward);
const Op kMaxGather = pool_op("max_pool2d_gather", vjp_max_gather, run_max_pool_gather);
const Op kAvg = pool_op("avg_pool2d", vjp_avg, run_avg_pool);
const Op kAvgBackward = pool_op("avg_pool2d_backward", vjp_avg_backward, run_avg_pool_backward);
const RegisterOp registered[] = {RegisterOp(kMax), RegisterOp(kMaxBackward), RegisterOp(kMaxGather),
                                 RegisterOp(kAvg), RegisterOp(kAvgBackward)};

Tensor recorded(const Op& op, const Tensor& x, const PoolAttributes& windows, int64_t oh,
                int64_t ow, const Where& where) {
  if (!is_float(x.dtype()))
    fail(op.name, std::string("needs floats, got ") + name(x.dtype()), where);
  const bool half = x.dtype() == kF16 || x.dtype() == kBF16;
  const Tensor wide = half ? cast(Operand(x, where), kF32) : x;
  const Tensor y =
      record(op, {wide.node()}, {x.size(0), oh, ow, x.size(3)}, wide.dtype(), windows, where);
  return cast(Operand(y, where), x.dtype());
}

Tensor pool2d(const Op& op, const Tensor& x, std::pair<int64_t, int64_t> window,
              const PoolOptions& options, const Where& where) {
  if (!x.defined()) fail(op.name, "the operand is not defined", where);
  const Shape& in = x.shape();
  if (in.rank() != 4) fail(op.name, "needs x (N, H, W, C), got " + in.str(), where);
  const auto [pad_h, pad_w] = options.padding;
  int64_t stride_h = options.stride.first ? options.stride.first : window.first;
  int64_t stride_w = options.stride.second ? options.stride.second : window.second;
  const auto reject = [&, pad_h = pad_h, pad_w = pad_w](const std::string& why) {
    fail(op.name,
         why + ": x " + in.str() + ", window " + Shape{window.first, window.second}.str() +
             ", stride " + Shape{stride_h, stride_w}.str() + ", padding " +
             Shape{pad_h, pad_w}.str(),
         where);
  };
  if (std::max(window.first, window.second) > INT32_MAX) reject("the window is too large");
  if (std::min({window.first, window.second, stride_h, stride_w}) < 1 ||
      std::min(pad_h, pad_w) < 0 || pad_h > window.first / 2 || pad_w > window.second / 2)
    reject("sizes must be positive and padding at most half the window");
  const int64_t room_h = 2 * pad_h - window.first + in[1];
  const int64_t room_w = 2 * pad_w - window.second + in[2];
  if (std::min(room_h, room_w) < 0 || in[1] == 0 || in[2] == 0)
    reject("the window does not fit into the image");
  stride_h = std::min(stride_h, room_h + 1);  // beyond that there is one window
  stride_w = std::min(stride_w, room_w + 1);
  return recorded(op, x, {window.first, window.second, stride_h, stride_w, pad_h, pad_w},
                  room_h / stride_h + 1, room_w / stride_w + 1, where);
}

}  // namespace

Tensor record_max_pool2d(const Tensor& x, const PoolAttributes& windows, int64_t oh, int64_t ow,
                         const Where& where) {
  return recorded(kMax, x, windows, oh, ow, where);
}
Tensor record_avg_pool2d(const Tensor& x, const PoolAttributes& windows, int64_t oh, int64_t ow,
                         const Where& where) {
  return recorded(kAvg, x, windows, oh, ow, where);
}

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
