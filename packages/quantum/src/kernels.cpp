#include "kernels.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "glia/simd.h"

namespace glia::quantum {
namespace {

using simd::at_level;
using simd::load;
using simd::store;

template <class T>
using V = simd::Vector<T>;

// Lane i gets what lane i ^ kX has.
template <class T, int kX>
GLIA_ALWAYS_INLINE void exchanged(V<T>& out, const V<T>& v) {
  if constexpr (kX == 0) {
    out = v;
  } else if constexpr (sizeof(T) == 8) {
    constexpr simd::Vector<int64_t> mask = {0 ^ kX, 1 ^ kX, 2 ^ kX, 3 ^ kX,
                                            4 ^ kX, 5 ^ kX, 6 ^ kX, 7 ^ kX};
    out = __builtin_shuffle(v, mask);
  } else {
    constexpr simd::Vector<int32_t> mask = {0 ^ kX,  1 ^ kX,  2 ^ kX,  3 ^ kX, 4 ^ kX,  5 ^ kX,
                                            6 ^ kX,  7 ^ kX,  8 ^ kX,  9 ^ kX, 10 ^ kX, 11 ^ kX,
                                            12 ^ kX, 13 ^ kX, 14 ^ kX, 15 ^ kX};
    out = __builtin_shuffle(v, mask);
  }
}

// j with a zero put in at each of these positions, ascending.
GLIA_ALWAYS_INLINE int64_t spread(int64_t j, const int* fixed, int count) {
  for (int i = 0; i < count; ++i) {
    const int64_t low = (int64_t{1} << fixed[i]) - 1;
    j = ((j & ~low) << 1) | (j & low);
  }
  return j;
}

// f(number of a vector) for each where the fixed bits are as they should.
template <class T, class F>
GLIA_ALWAYS_INLINE void each_vector(const Coefficients<T>& how, int k, F&& f) {
  const int* fixed = how.fixed.data();
  const int count = static_cast<int>(how.fixed.size());
  const int free = k - kLaneBits<T> - count;
  const int run = count ? std::min(fixed[0], free) : free;
  for (int64_t outer = 0; outer < int64_t{1} << (free - run); ++outer) {
    const int64_t base = spread(outer << run, fixed, count) | static_cast<int64_t>(how.value);
    for (int64_t i = 0; i < int64_t{1} << run; ++i) f(base + i);
  }
}

// The xor of lanes that number d of 2^kLow means.
template <int kLow, int kB0, int kB1>
constexpr int xor_of(int d) {
  return (d & 1 ? 1 << kB0 : 0) | (kLow == 2 && d & 2 ? 1 << kB1 : 0);
}

template <class T, int kLow, int kB0, int kB1>
GLIA_ALWAYS_INLINE void exchanges(V<T>* out, const V<T>& v) {
  out[0] = v;
  if constexpr (kLow >= 1) exchanged<T, xor_of<kLow, kB0, kB1>(1)>(out[1], v);
  if constexpr (kLow >= 2) {
    exchanged<T, xor_of<kLow, kB0, kB1>(2)>(out[2], v);
    exchanged<T, xor_of<kLow, kB0, kB1>(3)>(out[3], v);
  }
}

template <class T>
using Way = typename Coefficients<T>::Way;

template <class T, int kHigh, int kLow, int kB0, int kB1, Way<T> kWay>
GLIA_ALWAYS_INLINE void apply_vectors(const Coefficients<T>& how, T* re, T* im, int k) {
  constexpr int kIn = 1 << kHigh, kX = 1 << kLow, kAll = kIn * kIn * kX;
  V<T> c_re[kAll], c_im[kAll];
#pragma GCC unroll 16
  for (int i = 0; i < kAll; ++i) {
    load(c_re[i], how.numbers.data() + i * kLanes<T>);
    load(c_im[i], how.numbers.data() + (kAll + i) * kLanes<T>);
  }
  each_vector(how, k, [&](int64_t at) GLIA_INLINED {
    V<T> x[kIn * kX], y[kIn * kX];
#pragma GCC unroll 16
    for (int j = 0; j < kIn; ++j) {
      const int64_t from = (at + how.offset[static_cast<size_t>(j)]) * kLanes<T>;
      V<T> r, i;
      load(r, re + from);
      load(i, im + from);
      exchanges<T, kLow, kB0, kB1>(x + j * kX, r);
      exchanges<T, kLow, kB0, kB1>(y + j * kX, i);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kIn; ++i) {
      V<T> r = {}, s = {};
#pragma GCC unroll 16
      for (int j = 0; j < kIn * kX; ++j) {
        const int n = i * kIn * kX + j;
        const bool diagonal = j == i * kX;
        if (kWay != Way<T>::kTurned || diagonal) {
          r += c_re[n] * x[j];
          s += c_re[n] * y[j];
        }
        if (kWay == Way<T>::kGeneral || (kWay == Way<T>::kTurned && !diagonal)) {
          r -= c_im[n] * y[j];
          s += c_im[n] * x[j];
        }
      }
      const int64_t to = (at + how.offset[static_cast<size_t>(i)]) * kLanes<T>;
      store(r, re + to);
      store(s, im + to);
    }
  });
}

template <class T, int kHigh, int kLow, int kB0, int kB1>
GLIA_ALWAYS_INLINE void cross_vectors(const Coefficients<T>& how, const T* a_re, const T* a_im,
                                      const T* b_re, const T* b_im, int k, T* sums) {
  constexpr int kIn = 1 << kHigh, kX = 1 << kLow, kAll = kIn * kIn * kX;
  V<T> s_re[kAll] = {}, s_im[kAll] = {};
  each_vector(how, k, [&](int64_t at) GLIA_INLINED {
    V<T> x[kIn * kX], y[kIn * kX];
#pragma GCC unroll 16
    for (int j = 0; j < kIn; ++j) {
      const int64_t from = (at + how.offset[static_cast<size_t>(j)]) * kLanes<T>;
      V<T> r, i;
      load(r, b_re + from);
      load(i, b_im + from);
      exchanges<T, kLow, kB0, kB1>(x + j * kX, r);
      exchanges<T, kLow, kB0, kB1>(y + j * kX, i);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kIn; ++i) {
      const int64_t from = (at + how.offset[static_cast<size_t>(i)]) * kLanes<T>;
      V<T> r, s;
      load(r, a_re + from);
      load(s, a_im + from);
#pragma GCC unroll 16
      for (int j = 0; j < kIn * kX; ++j) {
        const int n = i * kIn * kX + j;
        s_re[n] += r * x[j] + s * y[j];
        s_im[n] += r * y[j] - s * x[j];
      }
    }
  });
#pragma GCC unroll 16
  for (int n = 0; n < kAll; ++n) {
    store(s_re[n], sums + n * kLanes<T>);
    store(s_im[n], sums + (kAll + n) * kLanes<T>);
  }
}

template <class T>
GLIA_ALWAYS_INLINE void apply_diagonal(const Coefficients<T>& how, T* re, T* im, int k) {
  const int count = 1 << how.high;
  for (int n = 0; n < count; ++n) {
    if (how.ones[static_cast<size_t>(n)]) continue;
    V<T> c, d;
    load(c, how.numbers.data() + n * kLanes<T>);
    load(d, how.numbers.data() + (count + n) * kLanes<T>);
    const int64_t offset = how.offset[static_cast<size_t>(n)];
    each_vector(how, k, [&](int64_t at) GLIA_INLINED {
      T* const r = re + (at + offset) * kLanes<T>;
      T* const i = im + (at + offset) * kLanes<T>;
      V<T> x, y;
      load(x, r);
      load(y, i);
      store(c * x - d * y, r);
      store(c * y + d * x, i);
    });
  }
}

template <class T>
GLIA_ALWAYS_INLINE void apply_exchange(const Coefficients<T>& how, T* re, T* im, int k) {
  const int64_t offset = how.offset[1] * kLanes<T>;
  each_vector(how, k, [&](int64_t at) GLIA_INLINED {
    for (T* p : {re + at * kLanes<T>, im + at * kLanes<T>}) {
      V<T> x, y;
      load(x, p);
      load(y, p + offset);
      store(y, p);
      store(x, p + offset);
    }
  });
}

// f.template operator()<high, low, bit, bit>() for what is asked.
template <class T, class F>
GLIA_ALWAYS_INLINE void by_form(const Coefficients<T>& how, F&& f) {
  const int b0 = how.low_bits[0], b1 = how.low_bits[1];
  if (how.high == 0 && how.low == 0) return f.template operator()<0, 0, 0, 0>();
  if (how.high == 1 && how.low == 0) return f.template operator()<1, 0, 0, 0>();
  if (how.high == 2) return f.template operator()<2, 0, 0, 0>();
  if (how.high == 0 && how.low == 1) {
    if (b0 == 0) return f.template operator()<0, 1, 0, 0>();
    if (b0 == 1) return f.template operator()<0, 1, 1, 0>();
    if (b0 == 2) return f.template operator()<0, 1, 2, 0>();
    if constexpr (kLaneBits < T >> 3) return f.template operator()<0, 1, 3, 0>();
  }
  if (how.high == 1) {
    if (b0 == 0) return f.template operator()<1, 1, 0, 0>();
    if (b0 == 1) return f.template operator()<1, 1, 1, 0>();
    if (b0 == 2) return f.template operator()<1, 1, 2, 0>();
    if constexpr (kLaneBits < T >> 3) return f.template operator()<1, 1, 3, 0>();
  }
  if (b0 == 0 && b1 == 1) return f.template operator()<0, 2, 0, 1>();
  if (b0 == 0 && b1 == 2) return f.template operator()<0, 2, 0, 2>();
  if (b0 == 1 && b1 == 2) return f.template operator()<0, 2, 1, 2>();
  if constexpr (kLaneBits < T >> 3) {
    if (b0 == 0) return f.template operator()<0, 2, 0, 3>();
    if (b0 == 1) return f.template operator()<0, 2, 1, 3>();
    return f.template operator()<0, 2, 2, 3>();
  }
}

template <class T>
GLIA_ALWAYS_INLINE void apply_any(const Coefficients<T>& how, T* re, T* im, int k) {
  if (how.way == Way<T>::kDiagonal) return apply_diagonal<T>(how, re, im, k);
  if (how.way == Way<T>::kExchange) return apply_exchange<T>(how, re, im, k);
  by_form(how, [&]<int kHigh, int kLow, int kB0, int kB1>() GLIA_INLINED {
    if constexpr (kHigh + kLow == 1) {
      if (how.way == Way<T>::kReal)
        return apply_vectors<T, kHigh, kLow, kB0, kB1, Way<T>::kReal>(how, re, im, k);
      if (how.way == Way<T>::kTurned)
        return apply_vectors<T, kHigh, kLow, kB0, kB1, Way<T>::kTurned>(how, re, im, k);
    }
    apply_vectors<T, kHigh, kLow, kB0, kB1, Way<T>::kGeneral>(how, re, im, k);
  });
}
template <class T>
GLIA_ALWAYS_INLINE void cross_any(const Coefficients<T>& how, const T* a_re, const T* a_im,
                                  const T* b_re, const T* b_im, int k, T* sums) {
  by_form(how, [&]<int kHigh, int kLow, int kB0, int kB1>() GLIA_INLINED {
    cross_vectors<T, kHigh, kLow, kB0, kB1>(how, a_re, a_im, b_re, b_im, k, sums);
  });
}

// ---- One number after the other: small vectors, and matrices of many targets ----

// f(first position) for each place of the site; `offset` has the 2^targets positions behind it.
template <class F>
void each_place(const Site& site, int k, F&& f) {
  std::vector<int> fixed = site.bits;
  for (int bit = 0; bit < k; ++bit)
    if (site.controls >> bit & 1) fixed.push_back(bit);
  std::ranges::sort(fixed);
  const int count = static_cast<int>(fixed.size());
  for (int64_t j = 0; j < int64_t{1} << (k - count); ++j)
    f(spread(j, fixed.data(), count) | static_cast<int64_t>(site.values));
}
std::vector<int64_t> offsets(const Site& site) {
  const int targets = static_cast<int>(site.bits.size());
  std::vector<int64_t> out(size_t{1} << targets);
  for (size_t i = 0; i < out.size(); ++i)
    for (int t = 0; t < targets; ++t)
      if (i >> (targets - 1 - t) & 1) out[i] |= int64_t{1} << site.bits[static_cast<size_t>(t)];
  return out;
}

template <class T>
void apply_scalars(const Site& site, const Matrix& matrix, T* re, T* im, int k) {
  const std::vector<int64_t> offset = offsets(site);
  const int size = matrix.size();
  std::vector<Cx> in(static_cast<size_t>(size));
  each_place(site, k, [&](int64_t at) {
    for (int i = 0; i < size; ++i) {
      const int64_t from = at + offset[static_cast<size_t>(i)];
      in[static_cast<size_t>(i)] = {re[from], im[from]};
    }
    for (int i = 0; i < size; ++i) {
      double r = 0, s = 0;
      const Cx* row = matrix.data() + i * size;
      for (int j = 0; j < size; ++j) {
        const Cx x = in[static_cast<size_t>(j)];
        r += row[j].re * x.re - row[j].im * x.im;
        s += row[j].re * x.im + row[j].im * x.re;
      }
      const int64_t to = at + offset[static_cast<size_t>(i)];
      re[to] = static_cast<T>(r);
      im[to] = static_cast<T>(s);
    }
  });
}

}  // namespace

template <class T>
void prepare(Coefficients<T>& out, const Site& site, const Matrix& matrix, int k) {
  out = {};
  const int targets = static_cast<int>(site.bits.size());
  if (targets > 2 || k < kLaneBits<T> + 2) return;
  // Which of the targets are lanes apart (as places in the matrix's index), and which vectors.
  std::vector<int> high, low;
  for (int t = 0; t < targets; ++t)
    (site.bits[static_cast<size_t>(t)] < kLaneBits<T> ? low : high).push_back(t);
  std::ranges::sort(low, {}, [&](int t) { return site.bits[static_cast<size_t>(t)]; });
  out.high = static_cast<int>(high.size());
  out.low = static_cast<int>(low.size());
  for (size_t i = 0; i < low.size(); ++i) out.low_bits[i] = site.bits[static_cast<size_t>(low[i])];
  for (int t : high) out.fixed.push_back(site.bits[static_cast<size_t>(t)] - kLaneBits<T>);
  for (int bit = kLaneBits<T>; bit < k; ++bit)
    if (site.controls >> bit & 1) out.fixed.push_back(bit - kLaneBits<T>);
  std::ranges::sort(out.fixed);
  out.value = site.values >> kLaneBits<T>;
  const int ins = 1 << out.high, xors = 1 << out.low;
  out.offset.resize(static_cast<size_t>(ins));
  for (int i = 0; i < ins; ++i)
    for (int h = 0; h < out.high; ++h)
      if (i >> h & 1)
        out.offset[static_cast<size_t>(i)] |=
            int64_t{1} << (site.bits[static_cast<size_t>(high[static_cast<size_t>(h)])] -
                           kLaneBits<T>);
  out.way = Way<T>::kGeneral;

  // The matrix's index for number i of the vectors and these bits of the lane.
  const auto place = [&](int i, int lane) {
    int index = 0;
    for (int h = 0; h < out.high; ++h)
      if (i >> h & 1) index |= 1 << (targets - 1 - high[static_cast<size_t>(h)]);
    for (int l = 0; l < out.low; ++l)
      if (lane >> out.low_bits[l] & 1) index |= 1 << (targets - 1 - low[static_cast<size_t>(l)]);
    return index;
  };
  const int lane_mask = kLanes<T> - 1;
  const int controls = static_cast<int>(site.controls) & lane_mask,
            values = static_cast<int>(site.values) & lane_mask;
  bool diagonal = true, real = true, turned = true;
  for (int i = 0; i < matrix.size(); ++i)
    for (int j = 0; j < matrix.size(); ++j) {
      const Cx m = matrix(i, j);
      diagonal &= i == j || (m.re == 0 && m.im == 0);
      real &= m.im == 0;
      turned &= i == j ? m.im == 0 : m.re == 0;
    }
  if (diagonal) {
    out.way = Way<T>::kDiagonal;
    out.numbers.resize(static_cast<size_t>(2 * ins * kLanes<T>));
    for (int i = 0; i < ins; ++i) {
      bool ones = true;
      for (int lane = 0; lane < kLanes<T>; ++lane) {
        const int row = place(i, lane);
        const Cx m = (lane & controls) == values ? matrix(row, row) : Cx{1, 0};
        out.numbers[static_cast<size_t>(i * kLanes<T> + lane)] = static_cast<T>(m.re);
        out.numbers[static_cast<size_t>((ins + i) * kLanes<T> + lane)] = static_cast<T>(m.im);
        ones &= m == Cx{1, 0};
      }
      out.ones.push_back(ones);
    }
    return;
  }
  const Cx zero{}, one{1, 0};
  if (out.high == 1 && out.low == 0 && controls == 0 && matrix(0, 0) == zero &&
      matrix(1, 1) == zero && matrix(0, 1) == one && matrix(1, 0) == one) {
    out.way = Way<T>::kExchange;
    return;
  }
  if (real) out.way = Way<T>::kReal;
  if (turned) out.way = Way<T>::kTurned;
  const int all = ins * ins * xors;
  out.numbers.resize(static_cast<size_t>(2 * all * kLanes<T>));
  for (int i = 0; i < ins; ++i)
    for (int j = 0; j < ins; ++j)
      for (int x = 0; x < xors; ++x) {
        int flip = 0;
        for (int l = 0; l < out.low; ++l)
          if (x >> l & 1) flip |= 1 << out.low_bits[l];
        const int n = (i * ins + j) * xors + x;
        for (int lane = 0; lane < kLanes<T>; ++lane) {
          const bool on = (lane & controls) == values;
          const Cx m = on ? matrix(place(i, lane), place(j, lane ^ flip))
                          : Cx{i == j && x == 0 ? 1.0 : 0.0, 0};
          out.numbers[static_cast<size_t>(n * kLanes<T> + lane)] = static_cast<T>(m.re);
          out.numbers[static_cast<size_t>((all + n) * kLanes<T> + lane)] = static_cast<T>(m.im);
        }
      }
}

template <class T>
void apply(const Coefficients<T>& how, const Site& site, const Matrix& matrix, T* re, T* im,
           int k) {
  if (how.way == Way<T>::kScalar) return apply_scalars(site, matrix, re, im, k);
  at_level<apply_any<T>>(how, re, im, k);
}

template <class T>
void cross(const Coefficients<T>& how, const Site& site, const T* a_re, const T* a_im,
           const T* b_re, const T* b_im, int k, std::span<Cx> out) {
  const int targets = static_cast<int>(site.bits.size()), size = 1 << targets;
  const std::vector<int64_t> offset = offsets(site);
  if (how.way == Way<T>::kScalar) {
    each_place(site, k, [&](int64_t at) {
      for (int i = 0; i < size; ++i) {
        const int64_t p = at + offset[static_cast<size_t>(i)];
        const Cx a{a_re[p], -static_cast<double>(a_im[p])};
        for (int j = 0; j < size; ++j) {
          const int64_t q = at + offset[static_cast<size_t>(j)];
          Cx& sum = out[static_cast<size_t>(i * size + j)];
          sum = sum + a * Cx{b_re[q], b_im[q]};
        }
      }
    });
    return;
  }
  constexpr int kMostSums = 16;
  T sums[2 * kMostSums * kLanes<T>];
  at_level<cross_any<T>>(how, a_re, a_im, b_re, b_im, k, sums);
  // Places in the matrix's index, as in prepare().
  const auto place = [&](int i, int lane) {
    int index = 0, h = 0;
    for (int t = 0; t < targets; ++t) {
      const int bit = site.bits[static_cast<size_t>(t)];
      const bool on = bit < kLaneBits<T> ? lane >> bit & 1 : i >> h & 1;
      if (bit >= kLaneBits<T>) ++h;
      if (on) index |= 1 << (targets - 1 - t);
    }
    return index;
  };
  const int ins = 1 << how.high, xors = 1 << how.low, all = ins * ins * xors;
  const int controls = static_cast<int>(site.controls) & (kLanes<T> - 1),
            values = static_cast<int>(site.values) & (kLanes<T> - 1);
  for (int i = 0; i < ins; ++i)
    for (int j = 0; j < ins; ++j)
      for (int x = 0; x < xors; ++x) {
        int flip = 0;
        for (int l = 0; l < how.low; ++l)
          if (x >> l & 1) flip |= 1 << how.low_bits[l];
        const int n = (i * ins + j) * xors + x;
        for (int lane = 0; lane < kLanes<T>; ++lane) {
          if ((lane & controls) != values) continue;
          Cx& sum = out[static_cast<size_t>(place(i, lane) * size + place(j, lane ^ flip))];
          sum.re += sums[n * kLanes<T> + lane];
          sum.im += sums[(all + n) * kLanes<T> + lane];
        }
      }
}

namespace {
// Positions that share their higher bits: where both ends of a part are multiples of it, and no
// position changes within, signs are the same in each part but for one.
constexpr int kRun = 64;

// to += factor * from, at positions that X exchanges, with signs of Z.
template <class T>
GLIA_ALWAYS_INLINE void add_runs(const PauliMasks& p, const T* re, T re_factor, const T* im,
                                 T im_factor, T* to_re, T* to_im, int64_t begin, int64_t end) {
  const auto odd = [&](int64_t b)
                       GLIA_INLINED { return std::popcount(static_cast<uint64_t>(b & p.z)) & 1; };
  constexpr int kCount = kRun / kLanes<T>;
  V<T> signs[kCount];
  for (int i = 0; i < kRun; ++i) signs[i / kLanes<T>][i % kLanes<T>] = odd(i) ? T(-1) : T(1);
  for (int64_t a = begin; a < end; a += kRun) {
    const int64_t b = a ^ p.x;
    const T one = odd(b) ? -1 : 1;
    for (int i = 0; i < kCount; ++i) {
      const int64_t at = i * kLanes<T>;
      V<T> x, y, to_x, to_y;
      load(x, re + b + at);
      load(y, im + b + at);
      load(to_x, to_re + a + at);
      load(to_y, to_im + a + at);
      store(to_x + one * re_factor * signs[i] * x, to_re + a + at);
      store(to_y + one * im_factor * signs[i] * y, to_im + a + at);
    }
  }
}
}  // namespace

template <class T>
void add_pauli(const PauliMasks& p, const T* re, const T* im, T* to_re, T* to_im, int64_t begin,
               int64_t end) {
  // i^turns, of the letters Y.
  const int turns = std::popcount(static_cast<uint64_t>(p.x & p.z)) & 3;
  const T factor = static_cast<T>(turns >= 2 ? -p.factor : p.factor);
  const bool crossed = turns & 1;
  const T *for_re = crossed ? im : re, *for_im = crossed ? re : im;
  const T re_factor = crossed ? -factor : factor;
  if ((p.x & (kRun - 1)) == 0 && begin % kRun == 0 && end % kRun == 0)
    return at_level<add_runs<T>>(p, for_re, re_factor, for_im, factor, to_re, to_im, begin, end);
  for (int64_t a = begin; a < end; ++a) {
    const int64_t b = a ^ p.x;
    const T sign = std::popcount(static_cast<uint64_t>(b & p.z)) & 1 ? -1 : 1;
    to_re[a] += sign * re_factor * for_re[b];
    to_im[a] += sign * factor * for_im[b];
  }
}

#define GLIA_KERNELS(T)                                                                     \
  template void prepare<T>(Coefficients<T>&, const Site&, const Matrix&, int);              \
  template void apply<T>(const Coefficients<T>&, const Site&, const Matrix&, T*, T*, int);  \
  template void cross<T>(const Coefficients<T>&, const Site&, const T*, const T*, const T*, \
                         const T*, int, std::span<Cx>);                                     \
  template void add_pauli<T>(const PauliMasks&, const T*, const T*, T*, T*, int64_t, int64_t);
GLIA_KERNELS(float)
GLIA_KERNELS(double)
#undef GLIA_KERNELS

}  // namespace glia::quantum
