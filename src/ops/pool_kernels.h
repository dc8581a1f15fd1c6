// The values of the pooling ops, written once over Value<T>: some channels of one pixel, a SIMD
// vector or a scalar. Included inside a namespace that has it, hence no include guard; <algorithm>,
// <cstdint>, ops/pool.h and runtime/threads.h come first.
//
// What Value<T> must offer: T as Element, kLanes, load and store; a < b, a == b and a != b, giving
// a mask with & and |; select(mask, a, b), a + b, a * b, a / b; Value<T>(double); and where kLanes
// > 1, load_first and store_first, which touch only the first n lanes.

// The part of a window that lies inside the image: rows [top, bottom), columns [left, right).
struct Window {
  Window(const PoolShape& s, int64_t i, int64_t j)
      : top(std::max<int64_t>(0, i * s.stride_h - s.pad_h)),
        bottom(std::min(s.h, i * s.stride_h - s.pad_h + s.window_h)),
        left(std::max<int64_t>(0, j * s.stride_w - s.pad_w)),
        right(std::min(s.w, j * s.stride_w - s.pad_w + s.window_w)) {}
  int64_t top, bottom, left, right;
};

template <class V>
V load(const typename V::Element* from, int64_t channels) {
  if constexpr (V::kLanes > 1) {
    if (channels < V::kLanes) return V::load_first(channels, from, V(0));
  }
  return V::load(from);
}

template <class V>
void store(V value, int64_t channels, typename V::Element* to) {
  if constexpr (V::kLanes > 1) {
    if (channels < V::kLanes) return value.store_first(channels, to);
  }
  value.store(to);
}

// Calls f(offset in the image, position) for the pixels of the window, row by row.
template <class F>
[[gnu::always_inline]] inline void each_pixel(const PoolShape& s, const Window& at, F f) {
  int position = 0;
  for (int64_t h = at.top; h < at.bottom; ++h)
    for (int64_t w = at.left; w < at.right; ++w) f((h * s.w + w) * s.c, position++);
}

// Calls f(image, window, offset in y, first channel, channels) for all of y, a few channels at a
// time. One thread computes `rows` rows of y together, one or a whole image, after
// start(image, first row).
template <class V, class Start, class F>
void each_window(const PoolShape& s, int64_t rows, Start start, F f) {
  const int64_t units = s.n * (s.oh / rows);
  const int64_t work = multiply_sizes(rows * s.ow * s.c, s.window_h * s.window_w);
  const int64_t group = std::max<int64_t>(1, (int64_t{1} << 16) / std::max<int64_t>(work, 1));
  parallel_for((units + group - 1) / group, [&](int64_t piece) {
    for (int64_t unit = piece * group; unit < std::min(units, (piece + 1) * group); ++unit) {
      const int64_t n = unit * rows / s.oh, first = unit * rows % s.oh;
      start(n, first);
      for (int64_t i = first; i < first + rows; ++i)
        for (int64_t j = 0; j < s.ow; ++j) {
          const Window at(s, i, j);
          const int64_t to = ((n * s.oh + i) * s.ow + j) * s.c;
          for (int64_t c = 0; c < s.c; c += V::kLanes)
            f(n, at, to + c, c, std::min(V::kLanes, s.c - c));
        }
    }
  });
}

// y from x: f(image offset, window, channels) gives some channels of one element.
template <class T, class F>
void pool(const PoolShape& s, T* y, F f) {
  each_window<Value<T>>(
      s, 1, [](int64_t, int64_t) {},
      [=, &s](int64_t n, const Window& at, int64_t to, int64_t c, int64_t channels) {
        store(f(n * s.h * s.w * s.c + c, at, channels), channels, y + to);
      });
}

// dx from dy: f(image offset, window, channels, g) gives a function from a pixel's position to
// what the pixel gets of g. Windows that overlap are added in order by one thread.
template <class T, class F>
void spread(const PoolShape& s, const T* dy, T* dx, F f) {
  const int64_t rows = s.stride_h < s.window_h ? s.oh : 1, image = s.h * s.w * s.c;
  const auto first_row = [&s](int64_t i) {
    return i == 0 ? 0 : i >= s.oh ? s.h : i * s.stride_h - s.pad_h;
  };
  each_window<Value<T>>(
      s, rows,
      [=, &s](int64_t n, int64_t i) {
        T* const to = dx + n * image;
        std::fill(to + first_row(i) * s.w * s.c, to + first_row(i + rows) * s.w * s.c, T{0});
      },
      [=, &s](int64_t n, const Window& at, int64_t from, int64_t c, int64_t channels) {
        const int64_t start = n * image + c;
        const auto share = f(start, at, channels, load<Value<T>>(dy + from, channels));
        each_pixel(s, at, [&](int64_t offset, int position) {
          T* const to = dx + start + offset;
          store(load<Value<T>>(to, channels) + share(position), channels, to);
        });
      });
}

// Whether x is larger; NaN is above all others.
template <class V>
auto better(V x, V than) {
  return (than < x) | ((x != x) & (than == than));
}

template <class T>
void max_pool(const PoolShape& s, const T* x, T* y) {
  using V = Value<T>;
  pool(s, y, [=, &s](int64_t image, const Window& at, int64_t channels) {
    V largest = load<V>(x + image + (at.top * s.w + at.left) * s.c, channels);
    each_pixel(s, at, [&](int64_t offset, int) {
      const V v = load<V>(x + image + offset, channels);
      largest = select(better(v, largest), v, largest);
    });
    return largest;
  });
}

// The position of the first pixel in the window that has each channel's largest value.
template <class V>
V place_of_largest(const PoolShape& s, const Window& at, const typename V::Element* image,
                   int64_t channels) {
  V largest = load<V>(image + (at.top * s.w + at.left) * s.c, channels), place(0);
  each_pixel(s, at, [&](int64_t offset, int position) {
    const V v = load<V>(image + offset, channels);
    const auto found = better(v, largest);
    largest = select(found, v, largest);
    place = select(found, V(position), place);
  });
  return place;
}

// Each element of dy goes to the pixel that gave the maximum.
template <class T>
void max_pool_backward(const PoolShape& s, const T* x, const T* dy, T* dx) {
  using V = Value<T>;
  spread(s, dy, dx, [=, &s](int64_t image, const Window& at, int64_t channels, V g) {
    const V place = place_of_largest<V>(s, at, x + image, channels);
    return [=](int position) { return select(place == V(position), g, V(0)); };
  });
}

// Each element of y takes the value that u has where x has its maximum.
template <class T>
void max_pool_gather(const PoolShape& s, const T* x, const T* u, T* y) {
  using V = Value<T>;
  pool(s, y, [=, &s](int64_t image, const Window& at, int64_t channels) {
    const V place = place_of_largest<V>(s, at, x + image, channels);
    V result(0);
    each_pixel(s, at, [&](int64_t offset, int position) {
      result = select(place == V(position), load<V>(u + image + offset, channels), result);
    });
    return result;
  });
}

template <class T>
void avg_pool(const PoolShape& s, const T* x, T* y) {
  using V = Value<T>;
  const auto count = static_cast<double>(s.window_h * s.window_w);
  pool(s, y, [=, &s](int64_t image, const Window& at, int64_t channels) {
    V sum(0);
    for (int64_t h = at.top; h < at.bottom; ++h) {  // each row for itself: fewer roundings
      V row(0);
      for (int64_t w = at.left; w < at.right; ++w)
        row = row + load<V>(x + image + (h * s.w + w) * s.c, channels);
      sum = sum + row;
    }
    return sum / V(count);
  });
}

template <class T>
void avg_pool_backward(const PoolShape& s, const T* dy, T* dx) {
  using V = Value<T>;
  const double scale = 1.0 / static_cast<double>(s.window_h * s.window_w);
  spread(s, dy, dx, [=](int64_t, const Window&, int64_t, V g) {
    const V part = g * V(scale);
    return [=](int) { return part; };
  });
}

// ---- From a recorded call: f32 or f64

template <class F>
void dispatch(const KernelCall& call, const Array& x, const Array& y, F f) {
  const PoolShape s(x.layout.shape, y.layout.shape, call);
  x.dtype == kF64 ? f(s, double{}) : f(s, float{});
}

inline void run_max_pool(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    max_pool<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}
inline void run_max_pool_backward(const KernelCall& call) {
  dispatch(call, call.in[0], call.in[1], [&]<class T>(const PoolShape& s, T) {
    max_pool_backward<T>(s, call.in[0].as<T>(), call.in[1].as<T>(), call.out[0].as<T>());
  });
}
inline void run_max_pool_gather(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    max_pool_gather<T>(s, call.in[0].as<T>(), call.in[1].as<T>(), call.out[0].as<T>());
  });
}
inline void run_avg_pool(const KernelCall& call) {
  dispatch(call, call.in[0], call.out[0], [&]<class T>(const PoolShape& s, T) {
    avg_pool<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}
inline void run_avg_pool_backward(const KernelCall& call) {
  dispatch(call, call.out[0], call.in[0], [&]<class T>(const PoolShape& s, T) {
    avg_pool_backward<T>(s, call.in[0].as<T>(), call.out[0].as<T>());
  });
}
