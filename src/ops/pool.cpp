// Pooling over windows of images.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/op.h"
#include "glia/ops.h"
#include "runtime/threads.h"

namespace glia {
namespace {

// Attributes of all five ops.
enum { kWindowH, kWindowW, kStrideH, kStrideW, kPadH, kPadW };

struct PoolShape {
  PoolShape(const Shape& x, const Shape& y, std::span<const int64_t> attributes)
      : n(x[0]),
        h(x[1]),
        w(x[2]),
        c(x[3]),
        oh(y[1]),
        ow(y[2]),
        window_h(attributes[kWindowH]),
        window_w(attributes[kWindowW]),
        stride_h(attributes[kStrideH]),
        stride_w(attributes[kStrideW]),
        pad_h(attributes[kPadH]),
        pad_w(attributes[kPadW]) {}
  int64_t n, h, w, c, oh, ow;
  int64_t window_h, window_w, stride_h, stride_w, pad_h, pad_w;
};

// ---- Values ----

// Channels handled together, as vectors that the compiler splits into registers. A comparison
// gives integers of the same width, all bits set where it holds.
template <class T>
struct Vector {
  static constexpr int64_t kSize = 64 / sizeof(T);
  using Integer = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  typedef T Type __attribute__((vector_size(64)));
  typedef Integer Mask __attribute__((vector_size(64)));
};
template <class T>
using Lanes = typename Vector<T>::Type;
template <class T>
using Mask = typename Vector<T>::Mask;

template <class T>
void load(const T* from, int64_t count, auto& to) {
  if (count == Vector<T>::kSize) {
    std::memcpy(&to, from, sizeof(to));
  } else {
    to = Lanes<T>{};
    std::memcpy(&to, from, count * sizeof(T));
  }
}
template <class T>
void store(const auto& from, int64_t count, T* to) {
  std::memcpy(to, &from, count == Vector<T>::kSize ? sizeof(from) : count * sizeof(T));
}

// The part of a window that lies inside the image: rows [top, bottom), columns [left, right).
struct Window {
  Window(const PoolShape& s, int64_t i, int64_t j)
      : top(std::max<int64_t>(0, i * s.stride_h - s.pad_h)),
        bottom(std::min(s.h, i * s.stride_h - s.pad_h + s.window_h)),
        left(std::max<int64_t>(0, j * s.stride_w - s.pad_w)),
        right(std::min(s.w, j * s.stride_w - s.pad_w + s.window_w)) {}
  int64_t top, bottom, left, right;
};

// Calls f(offset in the image, position) for the pixels of the window, row by row.
template <class F>
void each_pixel(const PoolShape& s, const Window& at, F&& f) {
  int position = 0;
  for (int64_t h = at.top; h < at.bottom; ++h)
    for (int64_t w = at.left; w < at.right; ++w) f((h * s.w + w) * s.c, position++);
}

// Calls f(image, window, offset in y, first channel, channels) for all of y, a few channels at a
// time. One thread computes `rows` rows of y together, one or a whole image, after
// start(image, first row).
template <class T, class Start, class F>
void each_window(const PoolShape& s, int64_t rows, Start&& start, F&& f) {
  const int64_t units = s.n * (s.oh / rows);
  const int64_t work = rows * s.ow * s.c * s.window_h * s.window_w;
  const int64_t group = std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(work, 1));
  parallel_for((units + group - 1) / group, [&](int64_t piece) {
    for (int64_t unit = piece * group; unit < std::min(units, (piece + 1) * group); ++unit) {
      const int64_t n = unit * rows / s.oh, first = unit * rows % s.oh;
      start(n, first);
      for (int64_t i = first; i < first + rows; ++i)
        for (int64_t j = 0; j < s.ow; ++j) {
          const Window at(s, i, j);
          const int64_t to = ((n * s.oh + i) * s.ow + j) * s.c;
          for (int64_t c = 0; c < s.c; c += Vector<T>::kSize)
            f(n, at, to + c, c, std::min(Vector<T>::kSize, s.c - c));
        }
    }
  });
}

// y from x: f(image offset, window, channels, result) computes some channels of one element.
template <class T, class F>
void pool(const PoolShape& s, T* y, F&& f) {
  each_window<T>(
      s, 1, [](int64_t, int64_t) {},
      [&](int64_t n, const Window& at, int64_t to, int64_t c, int64_t channels) {
        Lanes<T> result{};
        f(n * s.h * s.w * s.c + c, at, channels, result);
        store(result, channels, y + to);
      });
}

// dx from dy: f(image offset, window, channels, g) gives a function that, called with a pixel's
// position, says what it gets of g. Windows that overlap are added in order by one thread.
template <class T, class F>
void spread(const PoolShape& s, const T* dy, T* dx, F&& f) {
  const int64_t rows = s.stride_h < s.window_h ? s.oh : 1, image = s.h * s.w * s.c;
  const auto first_row = [&](int64_t i) {
    return i == 0 ? 0 : i >= s.oh ? s.h : i * s.stride_h - s.pad_h;
  };
  each_window<T>(
      s, rows,
      [&](int64_t n, int64_t i) {
        T* const to = dx + n * image;
        std::fill(to + first_row(i) * s.w * s.c, to + first_row(i + rows) * s.w * s.c, T{0});
      },
      [&](int64_t n, const Window& at, int64_t from, int64_t c, int64_t channels) {
        Lanes<T> g;
        load(dy + from, channels, g);
        const auto share = f(n * image + c, at, channels, g);
        each_pixel(s, at, [&](int64_t offset, int pixel) {
          T* const to = dx + n * image + c + offset;
          Lanes<T> sum, part;
          load(to, channels, sum);
          share(pixel, part);
          sum += part;
          store(sum, channels, to);
        });
      });
}

// The largest value of each channel in the window and the position of the first pixel that has
// it; NaN is above all others.
template <class T>
struct Largest {
  Lanes<T> value{};
  Mask<T> position{};

  Largest(const PoolShape& s, const Window& at, const T* image, int64_t channels) {
    load(image + (at.top * s.w + at.left) * s.c, channels, value);
    each_pixel(s, at, [&](int64_t offset, int pixel) {
      Lanes<T> x;
      load(image + offset, channels, x);
      const Mask<T> better = (x > value) | ((x != x) & (value == value));
      value = better ? x : value;
      position = better ? pixel - Mask<T>{} : position;
    });
  }
};

template <class T>
void max_pool(const PoolShape& s, const T* x, T* y) {
  pool(s, y, [&](int64_t image, const Window& at, int64_t channels, Lanes<T>& largest) {
    load(x + image + (at.top * s.w + at.left) * s.c, channels, largest);
    each_pixel(s, at, [&](int64_t offset, int) {
      Lanes<T> v;
      load(x + image + offset, channels, v);
      largest = (v > largest) | (v != v) ? v : largest;
    });
  });
}

// Each element of dy goes to the pixel that gave the maximum.
template <class T>
void max_pool_backward(const PoolShape& s, const T* x, const T* dy, T* dx) {
  spread(s, dy, dx, [&](int64_t image, const Window& at, int64_t channels, const Lanes<T>& g) {
    return [g, largest = Largest<T>(s, at, x + image, channels)](int pixel, Lanes<T>& part) {
      part = largest.position == pixel ? g : Lanes<T>{};
    };
  });
}

// Each element of y takes the value that u has where x has its maximum.
template <class T>
void max_pool_gather(const PoolShape& s, const T* x, const T* u, T* y) {
  pool(s, y, [&](int64_t image, const Window& at, int64_t channels, Lanes<T>& result) {
    const Largest<T> largest(s, at, x + image, channels);
    each_pixel(s, at, [&](int64_t offset, int pixel) {
      Lanes<T> v;
      load(u + image + offset, channels, v);
      result = largest.position == pixel ? v : result;
    });
  });
}

template <class T>
void avg_pool(const PoolShape& s, const T* x, T* y) {
  const T scale = T{1} / static_cast<T>(s.window_h * s.window_w);
  pool(s, y, [&](int64_t image, const Window& at, int64_t channels, Lanes<T>& mean) {
    each_pixel(s, at, [&](int64_t offset, int) {
      Lanes<T> v;
      load(x + image + offset, channels, v);
      mean += v;
    });
    mean *= scale;
  });
}

template <class T>
void avg_pool_backward(const PoolShape& s, const T* dy, T* dx) {
  const T scale = T{1} / static_cast<T>(s.window_h * s.window_w);
  spread(s, dy, dx, [&](int64_t, const Window&, int64_t, const Lanes<T>& g) {
    return [g, scale](int, Lanes<T>& part) { part = g * scale; };
  });
}

// f(shape, type) on the sizes of the call's x and y and on its type.
template <class F>
void dispatch(const KernelCall& call, const Array& x, const Array& y, F&& f) {
  const PoolShape s(x.layout.shape, y.layout.shape, call.attributes);
  x.dtype == kF64 ? f(s, double{}) : f(s, float{});
}

void run_max(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    max_pool<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}
void run_max_backward(const KernelCall& call) {
  dispatch(call, call.in[0], call.in[1], [&]<class T>(const PoolShape& s, T) {
    max_pool_backward<T>(s, call.in[0].as<T>(), call.in[1].as<T>(), call.out[0].as<T>());
  });
}
void run_max_gather(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    max_pool_gather<T>(s, call.in[0].as<T>(), call.in[1].as<T>(), call.out[0].as<T>());
  });
}
void run_avg(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    avg_pool<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}
void run_avg_backward(const KernelCall& call) {
  dispatch(call, call.out[0], call.in[0], [&]<class T>(const PoolShape& s, T) {
    avg_pool_backward<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}

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
const Op kMax = pool_op("max_pool2d", vjp_max, run_max);
const Op kMaxBackward = pool_op("max_pool2d_backward", vjp_max_backward, run_max_backward);
const Op kMaxGather = pool_op("max_pool2d_gather", vjp_max_gather, run_max_gather);
const Op kAvg = pool_op("avg_pool2d", vjp_avg, run_avg);
const Op kAvgBackward = pool_op("avg_pool2d_backward", vjp_avg_backward, run_avg_backward);
const RegisterOp registered[] = {RegisterOp(kMax), RegisterOp(kMaxBackward), RegisterOp(kMaxGather),
                                 RegisterOp(kAvg), RegisterOp(kAvgBackward)};

std::string pair_text(std::pair<int64_t, int64_t> p) {
  return "(" + std::to_string(p.first) + ", " + std::to_string(p.second) + ")";
}

Tensor pool2d(const Op& op, const Tensor& x, std::pair<int64_t, int64_t> window,
              const PoolOptions& options, const Where& where) {
  if (!x.defined()) fail(op.name, "the operand is not defined", where);
  const Shape& in = x.shape();
  if (in.rank() != 4) fail(op.name, "needs x (N, H, W, C), got " + in.str(), where);
  const auto [pad_h, pad_w] = options.padding;
  const int64_t stride_h = options.stride.first ? options.stride.first : window.first;
  const int64_t stride_w = options.stride.second ? options.stride.second : window.second;
  const std::string windows = "window " + pair_text(window) + ", stride " +
                              pair_text({stride_h, stride_w}) + ", padding " +
                              pair_text(options.padding);
  if (std::min({window.first, window.second, stride_h, stride_w}) < 1 ||
      std::min(pad_h, pad_w) < 0 || 2 * pad_h > window.first || 2 * pad_w > window.second)
    fail(op.name, "sizes must be positive and padding at most half the window: " + windows, where);
  const int64_t room_h = in[1] + 2 * pad_h - window.first;
  const int64_t room_w = in[2] + 2 * pad_w - window.second;
  if (std::min(room_h, room_w) < 0 || in[1] == 0 || in[2] == 0)
    fail(op.name, "the window does not fit into x " + in.str() + ": " + windows, where);
  if (!is_float(x.dtype()))
    fail(op.name, std::string("needs floats, got ") + name(x.dtype()), where);
  const bool half = x.dtype() == kF16 || x.dtype() == kBF16;
  const Tensor wide = half ? cast(Operand(x, where), kF32) : x;
  const Tensor y =
      record(op, {wide.node()}, {in[0], room_h / stride_h + 1, room_w / stride_w + 1, in[3]},
             wide.dtype(), {window.first, window.second, stride_h, stride_w, pad_h, pad_w}, where);
  return cast(Operand(y, where), x.dtype());
}

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
