#include "kernels.h"

#include <cstring>
#include <limits>

#include "glia/simd.h"

namespace glia::graphs::kernels {
namespace {

using simd::at_level;
using simd::load;
using simd::store;

// So many bytes as one value: a register of some instruction set, or a number by itself.
template <class T, int kBytes>
struct Packed {
  typedef T Type __attribute__((vector_size(kBytes)));
};
template <class T>
struct Packed<T, 0> {
  typedef T Type;
};

// Calls f.template operator()<V, count>(c) for the columns [0, width), in pieces of `count` values
// V from column c on.
template <class T, class F>
GLIA_ALWAYS_INLINE void for_columns(int64_t width, F f) {
  constexpr int64_t kWide = 64 / sizeof(T);
  using Wide = typename Packed<T, 64>::Type;
  int64_t c = 0;
  for (; c + 4 * kWide <= width; c += 4 * kWide) f.template operator()<Wide, 4>(c);
  for (; c + kWide <= width; c += kWide) f.template operator()<Wide, 1>(c);
  if (c + kWide / 2 <= width) {
    f.template operator()<typename Packed<T, 32>::Type, 1>(c);
    c += kWide / 2;
  }
  if (c + kWide / 4 <= width) {
    f.template operator()<typename Packed<T, 16>::Type, 1>(c);
    c += kWide / 4;
  }
  for (; c < width; ++c) f.template operator()<T, 1>(c);
}

template <class V, class T>
inline constexpr int64_t kLanes = sizeof(V) / sizeof(T);

// Rows to come are asked for so many entries ahead.
constexpr int64_t kAhead = 8;

template <class T>
GLIA_ALWAYS_INLINE void sum_rows_of(const Gathering<T>& g, int64_t first, int64_t last) {
  const int64_t part = g.width / g.heads, entries = g.ptr[last];
  for (int64_t r = first; r < last; ++r) {
    const int64_t begin = g.ptr[r], end = g.ptr[r + 1];
    for (int64_t h = 0; h < g.heads; ++h) {
      const T* const from = g.from + h * part;
      T* const out = g.out + r * g.width + h * part;
      for_columns<T>(part, [&]<class V, int kCount>(int64_t c) GLIA_INLINED {
        V sums[kCount] = {};
        for (int64_t k = begin; k < end; ++k) {
          if (c == 0 && h == 0 && k + kAhead < entries)
            __builtin_prefetch(g.from + g.index[k + kAhead] * g.width);
          const T* row = from + g.index[k] * g.width + c;
          const T w = g.weight ? g.weight[g.edge[k] * g.heads + h] : 1;
          for (int i = 0; i < kCount; ++i) {
            V x;
            load(x, row + i * kLanes<V, T>);
            sums[i] += w * x;
          }
        }
        for (int i = 0; i < kCount; ++i) store(sums[i], out + c + i * kLanes<V, T>);
      });
    }
  }
}

template <class T>
GLIA_ALWAYS_INLINE void max_rows_of(const Gathering<T>& g, int64_t first, int64_t last) {
  for (int64_t r = first; r < last; ++r) {
    const int64_t begin = g.ptr[r], end = g.ptr[r + 1];
    T* const out = g.out + r * g.width;
    for_columns<T>(g.width, [&]<class V, int kCount>(int64_t c) GLIA_INLINED {
      for (int i = 0; i < kCount; ++i) {
        const int64_t at = c + i * kLanes<V, T>;
        V most = {}, x;
        if (begin < end) load(most, g.from + g.index[begin] * g.width + at);
        for (int64_t k = begin + 1; k < end; ++k) {
          load(x, g.from + g.index[k] * g.width + at);
          most = (x > most) | (x != x) ? x : most;
        }
        store(most, out + at);
      }
    });
  }
}

template <class T>
GLIA_ALWAYS_INLINE void dot_rows_of(const Products<T>& p, int64_t first, int64_t last) {
  const int64_t part = p.width / p.heads;
  for (int64_t e = first; e < last; ++e) {
    for (int64_t h = 0; h < p.heads; ++h) {
      const T* const a = p.a + p.a_index[e] * p.width + h * part;
      const T* const b = p.b + p.b_index[e] * p.width + h * part;
      T sum = 0;
      for_columns<T>(part, [&]<class V, int kCount>(int64_t c) GLIA_INLINED {
        V products = {}, x, y;
        for (int i = 0; i < kCount; ++i) {
          load(x, a + c + i * kLanes<V, T>);
          load(y, b + c + i * kLanes<V, T>);
          products += x * y;
        }
        if constexpr (sizeof(V) == sizeof(T))
          sum += products;
        else
          sum += simd::sum_of_lanes(products);
      });
      p.out[e * p.heads + h] = sum;
    }
  }
}

template <class T>
GLIA_ALWAYS_INLINE void copy_rows_of(const Copies<T>& g, int64_t first, int64_t last) {
  for (int64_t e = first; e < last; ++e) {
    const T* const from = g.from + g.index[e] * g.width;
    T* const out = g.out + e * g.width;
    for_columns<T>(g.width, [&]<class V, int kCount>(int64_t c) GLIA_INLINED {
      for (int i = 0; i < kCount; ++i) {
        V x;
        load(x, from + c + i * kLanes<V, T>);
        store(x, out + c + i * kLanes<V, T>);
      }
    });
  }
}

}  // namespace

void sum_rows(const Gathering<float>& g, int64_t first, int64_t last) {
  at_level<sum_rows_of<float>>(g, first, last);
}
void sum_rows(const Gathering<double>& g, int64_t first, int64_t last) {
  at_level<sum_rows_of<double>>(g, first, last);
}
void max_rows(const Gathering<float>& g, int64_t first, int64_t last) {
  at_level<max_rows_of<float>>(g, first, last);
}
void max_rows(const Gathering<double>& g, int64_t first, int64_t last) {
  at_level<max_rows_of<double>>(g, first, last);
}
void dot_rows(const Products<float>& p, int64_t first, int64_t last) {
  at_level<dot_rows_of<float>>(p, first, last);
}
void dot_rows(const Products<double>& p, int64_t first, int64_t last) {
  at_level<dot_rows_of<double>>(p, first, last);
}
void copy_rows(const Copies<float>& g, int64_t first, int64_t last) {
  at_level<copy_rows_of<float>>(g, first, last);
}
void copy_rows(const Copies<double>& g, int64_t first, int64_t last) {
  at_level<copy_rows_of<double>>(g, first, last);
}

}  // namespace glia::graphs::kernels
