// Tiles of C live in registers: for each l, one row of B is loaded and each element of A's column
// multiplies all of it. `kPairs`: what a float of A and B holds is a pair of bf16. Included once
// for each instruction set.
#if defined(GLIA_GEMM_KERNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GLIA_GEMM_KERNEL_INL_H
#undef GLIA_GEMM_KERNEL_INL_H
#else
#define GLIA_GEMM_KERNEL_INL_H
#endif

#include <algorithm>
#include <array>
#include <type_traits>

#include "backend/cpu/gemm/kernel.h"
#include "backend/cpu/simd/across-inl.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

using gemm::Block;
using gemm::Dots;

constexpr int kMostVectors = 4, kMostRows = 14;

// Rows of a tile of so many vectors. AVX-512 has 32 registers, the others 16; B and one element of
// A need some of them.
constexpr int most_rows(int vectors) {
  constexpr int kRows[2][kMostVectors] = {{6, 6, 4, 2}, {14, 14, 8, 6}};
  return kRows[HWY_TARGET == HWY_AVX3][vectors - 1];
}

// a b + c; for pairs, the sum of both products. Highway 1.0 does not know the instruction.
template <bool kPairs, class V>
HWY_INLINE V multiply_add(V a, V b, V c) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (kPairs) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(c.v.raw) : "v"(a.v.raw), "v"(b.v.raw));
    return c;
  }
#endif
  if constexpr (std::is_integral_v<typename V::Element>) {
    return a * b + c;
  } else {
    return fma(a, b, c);
  }
}

// One tile. `kAcross`: a_row is 1, else a_col is. `last`: how many columns the last vector has.
template <class T, bool kPairs, int kRows, int kVectors, bool kAcross, bool kMasked>
void tile(const Block<T>& p, const T* a, const T* b, T* c, int64_t last) {
  using V = Lane<T>;
  constexpr int64_t kLanes = V::kLanes;
  V sum[kRows * kVectors];
  repeat<kRows * kVectors>([&](auto i) HWY_ATTR { sum[i] = V(0); });
  const int64_t row = p.a_row, row3 = 3 * row, panel = p.b_panel, k = p.k;
  const int64_t a_col = kAcross ? p.a_col : 1, b_row = p.b_row;
  for (int64_t i = 0; i < p.batch; ++i, a += p.a_batch, b += p.b_batch) {
    const T *x = a, *x5 = x + 5 * row, *x10 = x + 10 * row, *y = b;
    for (int64_t l = 0; l < k; ++l) {
      V right[kVectors];
      repeat<kVectors>([&](auto v) HWY_ATTR {
        right[v] = kMasked ? V::load_first(last, y + v * panel, V(0)) : V::load(y + v * panel);
      });
      repeat<kRows>([&](auto r) HWY_ATTR {
        const T* from;
        if constexpr (kAcross) {
          from = x + r;
        } else {
          const T* base = r < 5 ? x : r < 10 ? x5 : x10;
          from = base + (r % 5 == 3 ? row3 : row * (r % 5));
        }
        const V left = V::of(*from);
        repeat<kVectors>([&](auto v) HWY_ATTR {
          sum[r * kVectors + v] = multiply_add<kPairs>(left, right[v], sum[r * kVectors + v]);
        });
      });
      x += a_col, x5 += a_col, x10 += a_col;
      y += b_row;
    }
  }
  repeat<kRows>([&](auto r) HWY_ATTR {
    repeat<kVectors>([&](auto v) HWY_ATTR {
      V& s = sum[r * kVectors + v];
      T* const out = c + r * p.c_row + v * kLanes;
      if (v + 1 == kVectors && last < kLanes) {
        if (p.add) s = s + V::load_first(last, out, V(0));
        s.store_first(last, out);
      } else {
        if (p.add) s = s + V::load(out);
        s.store(out);
      }
    });
  });
}

template <class T>
using BlockTile = void (*)(const Block<T>&, const T*, const T*, T*, int64_t);

// of[vectors - 1][rows - 1]; the last one: a single vector, loaded by mask.
template <class T, bool kPairs, bool kAcross>
struct Tiles {
  std::array<std::array<BlockTile<T>, kMostRows>, kMostVectors + 1> of{};

  template <int kVectors, bool kMasked, int... kRow>
  constexpr void fill(std::integer_sequence<int, kRow...>) {
    ((of[kMasked ? kMostVectors : kVectors - 1][kRow] =
          tile<T, kPairs, kRow + 1, kVectors, kAcross, kMasked>),
     ...);
  }
  constexpr Tiles() {
    fill<1, false>(std::make_integer_sequence<int, most_rows(1)>());
    fill<2, false>(std::make_integer_sequence<int, most_rows(2)>());
    fill<3, false>(std::make_integer_sequence<int, most_rows(3)>());
    fill<4, false>(std::make_integer_sequence<int, most_rows(4)>());
    fill<1, true>(std::make_integer_sequence<int, most_rows(1)>());
  }
};
template <class T, bool kPairs, bool kAcross>
constexpr Tiles<T, kPairs, kAcross> kTiles;

inline int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

// All rows of `vectors` vectors of columns, in tiles as equal as can be.
template <bool kPairs, bool kAcross, class T>
void multiply_columns(const Block<T>& p, int64_t first, int64_t vectors, int64_t last,
                      bool masked) {
  const auto& tiles = kTiles<T, kPairs, kAcross>.of[masked ? kMostVectors : vectors - 1];
  const int64_t count = divide_up(p.rows, most_rows(static_cast<int>(vectors)));
  const T* const b = p.b + first * p.b_panel;
  T* const c = p.c + first * Lane<T>::kLanes;
  int64_t start = 0;
  for (int64_t t = 1; t <= count; ++t) {
    const int64_t end = t * p.rows / count;
    tiles[end - start - 1](p, p.a + start * p.a_row, b, c + start * p.c_row, last);
    start = end;
  }
}

template <bool kPairs, bool kAcross, class T>
void multiply_block(const Block<T>& p) {
  constexpr int64_t kLanes = Lane<T>::kLanes;
  // With few rows to a tile, more vectors to a row keep the processor busy.
  const int64_t height = divide_up(p.rows, divide_up(p.rows, most_rows(2)));
  const int64_t at_once = height <= most_rows(4) ? 4 : height <= most_rows(3) ? 3 : 2;
  const int64_t left = p.columns % kLanes;
  const bool masked = left > 0 && !p.padded;
  const int64_t vectors = p.columns / kLanes + (left > 0 && p.padded);
  const int64_t groups = divide_up(vectors, at_once);
  int64_t first = 0;
  for (int64_t g = 1; g <= groups; ++g) {
    const int64_t end = g * vectors / groups;
    const int64_t last = left > 0 && p.padded && g == groups ? left : kLanes;
    multiply_columns<kPairs, kAcross>(p, first, end - first, last, false);
    first = end;
  }
  if (masked) multiply_columns<kPairs, kAcross>(p, vectors, 1, left, true);
}

template <class T, bool kPairs>
void block(const Block<T>& p) {
  p.a_col == 1 ? multiply_block<kPairs, false>(p) : multiply_block<kPairs, true>(p);
}

// ---- Dot products

// `ahead`: how far behind each element of y is the one to be fetched meanwhile.
template <bool kPairs, int kThin, int kWide, class T>
void dots_tile(const Dots<T>& p, int64_t t, int64_t w, int64_t ahead) {
  using V = Lane<T>;
  constexpr int64_t kLanes = V::kLanes;
  const T* const x = p.x + t * p.x_row;
  const T* const y = p.y + w * p.y_row;
  V sum[kThin * kWide];
  repeat<kThin * kWide>([&](auto i) HWY_ATTR { sum[i] = V(0); });
  int64_t l = 0;
  const auto step = [&](auto load) HWY_ATTR {
    V left[kThin];
    repeat<kThin>([&](auto i) HWY_ATTR { left[i] = load(x + i * p.x_row + l); });
    repeat<kWide>([&](auto j) HWY_ATTR {
      const T* const from = y + j * p.y_row + l;
      hwy::Prefetch(from + ahead);
      const V right = load(from);
      repeat<kThin>([&](auto i) HWY_ATTR {
        sum[i * kWide + j] = multiply_add<kPairs>(left[i], right, sum[i * kWide + j]);
      });
    });
  };
  for (; l + kLanes <= p.k; l += kLanes) step([](const T* from) HWY_ATTR { return V::load(from); });
  if (const int64_t left = p.k - l; left > 0) {
    step([left](const T* from) HWY_ATTR { return V::load_first(left, from, V(0)); });
  }
  repeat<kThin>([&](auto i) HWY_ATTR {
    T sums[kWide];
    if constexpr (kWide % 4 == 0 && std::is_same_v<T, float>) {
      repeat<kWide / 4>([&](auto j)
                            HWY_ATTR { sums_of_four(&sum[i * kWide + 4 * j], sums + 4 * j); });
    } else {
      repeat<kWide>([&](auto j) HWY_ATTR { sums[j] = sum_of(sum[i * kWide + j]); });
    }
    repeat<kWide>([&](auto j) HWY_ATTR { p.c[(t + i) * p.c_thin + (w + j) * p.c_wide] = sums[j]; });
  });
}

template <bool kPairs, int kThin, class T>
void dots_rows(const Dots<T>& p, int64_t t) {
  constexpr int kWide = kThin == 1 ? 8 : kThin == 2 || HWY_TARGET == HWY_AVX3 ? 4 : 2;
  // Short rows: into the next tile; long ones: down the row.
  const int64_t ahead = kWide * p.k <= 8192 ? kWide * p.y_row : 256;
  int64_t w = 0;
  for (; w + kWide <= p.wide; w += kWide) dots_tile<kPairs, kThin, kWide>(p, t, w, ahead);
  for (; w < p.wide; ++w) dots_tile<kPairs, kThin, 1>(p, t, w, ahead);
}

template <class T, bool kPairs>
void dots(const Dots<T>& p) {
  int64_t t = 0;
  for (; t + 4 <= p.thin; t += 4) dots_rows<kPairs, 4>(p, t);
  if (p.thin - t == 3) dots_rows<kPairs, 3>(p, t);
  if (p.thin - t == 2) dots_rows<kPairs, 2>(p, t);
  if (p.thin - t == 1) dots_rows<kPairs, 1>(p, t);
}

template <class T, bool kPairs>
constexpr gemm::Kernels<T> kKernels{Lane<T>::kLanes,  most_rows(2), kPairs,
                                    block<T, kPairs>, transpose<T>, dots<T, kPairs>};

#endif

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
