// Pooling over windows of images.
#include <algorithm>
#include <limits>

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

constexpr int64_t kLanes = 64;  // channels handled together: a few vector registers

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
  int64_t position = 0;
  for (int64_t h = at.top; h < at.bottom; ++h)
    for (int64_t w = at.left; w < at.right; ++w) f((h * s.w + w) * s.c, position++);
}

// Calls f(image, window, offset in y, first channel, channels) for all of y, one row of it at a
// time on one thread: whole images where the windows that f writes to overlap.
template <class F>
void each_window(const PoolShape& s, bool whole_images, F&& f) {
  const int64_t rows = whole_images ? s.oh : 1;
  parallel_for(s.n * s.oh / std::max<int64_t>(rows, 1), [&](int64_t piece) {
    for (int64_t row = piece * rows; row < (piece + 1) * rows; ++row)
      for (int64_t j = 0; j < s.ow; ++j) {
        const Window at(s, row % s.oh, j);
        for (int64_t c = 0; c < s.c; c += kLanes)
          f(row / s.oh, at, (row * s.ow + j) * s.c + c, c, std::min(kLanes, s.c - c));
      }
  });
}

// Unsigned integers as wide as T, so that masks and values share vector lanes.
template <class T>
using Position = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;

// The largest of each channel in the window, and the position of the first that attains it.
template <class T>
struct Largest {
  T value[kLanes];
  Position<T> position[kLanes];

  Largest(const PoolShape& s, const Window& at, const T* image, int64_t channels) {
    each_pixel(s, at, [&](int64_t offset, int64_t pixel) {
      const T* const x = image + offset;
      if (pixel == 0) {
        std::copy_n(x, channels, value);
        std::fill_n(position, channels, Position<T>{0});
        return;
      }
      const Position<T> here = static_cast<Position<T>>(pixel);
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        const bool better = (x[c] > value[c]) | ((x[c] != x[c]) & (value[c] == value[c]));
        value[c] = better ? x[c] : value[c];
        position[c] = better ? here : position[c];
      }
    });
  }
};

template <class T>
void max_pool(const PoolShape& s, const T* x, T* y) {
  each_window(s, false, [&](int64_t n, const Window& at, int64_t to, int64_t c0, int64_t channels) {
    const T* const image = x + n * s.h * s.w * s.c + c0;
    T* const out = y + to;
    each_pixel(s, at, [&](int64_t offset, int64_t pixel) {
      const T* const in = image + offset;
      if (pixel == 0) {
        std::copy_n(in, channels, out);
        return;
      }
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c)
        out[c] = (in[c] > out[c]) | (in[c] != in[c]) ? in[c] : out[c];
    });
  });
}

// Sets the rows of dx that only row i of y's windows writes to; all of the image at its first.
template <class T>
void clear(const PoolShape& s, T* dx, int64_t count) {
  constexpr int64_t kBlock = 1 << 14;
  parallel_for((count + kBlock - 1) / kBlock, [&](int64_t block) {
    std::fill_n(dx + block * kBlock, std::min(kBlock, count - block * kBlock), T{0});
  });
}
