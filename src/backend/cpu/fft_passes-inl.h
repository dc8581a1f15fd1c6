// Passes of Fourier transforms over a block of lines. Included once for each instruction set.
#if defined(GLIA_FFT_PASSES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GLIA_FFT_PASSES_INL_H
#undef GLIA_FFT_PASSES_INL_H
#else
#define GLIA_FFT_PASSES_INL_H
#endif

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

#include "backend/cpu/fft_plan.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Lines of a block. Number i of each lies in a row of 2 kRow: real parts, then imaginary ones.
template <class T>
constexpr int64_t kRow = 64 / static_cast<int64_t>(sizeof(T));
template <class T>
using Tag = hn::CappedTag<T, kRow<T>>;
template <class T>
constexpr int64_t kStep = hn::MaxLanes(Tag<T>());
template <class T>
using V = hn::Vec<Tag<T>>;

template <class T>
struct Room {
  explicit Room(int64_t rows) : numbers(new (std::align_val_t(64)) T[rows * 2 * kRow<T>]) {}
  ~Room() { operator delete[](numbers, std::align_val_t(64)); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  T* const numbers;
};

// ---- Butterflies: r numbers in place ------------------------------------------------

template <class T>
HWY_INLINE void butterfly2(V<T>* re, V<T>* im) {
  const V<T> a = re[0], b = im[0];
  re[0] = hn::Add(a, re[1]);
  im[0] = hn::Add(b, im[1]);
  re[1] = hn::Sub(a, re[1]);
  im[1] = hn::Sub(b, im[1]);
}
template <class T>
HWY_INLINE void butterfly4(V<T>* re, V<T>* im) {
  const V<T> ar = hn::Add(re[0], re[2]), ai = hn::Add(im[0], im[2]);
  const V<T> br = hn::Sub(re[0], re[2]), bi = hn::Sub(im[0], im[2]);
  const V<T> cr = hn::Add(re[1], re[3]), ci = hn::Add(im[1], im[3]);
  const V<T> dr = hn::Sub(re[1], re[3]), di = hn::Sub(im[1], im[3]);
  re[0] = hn::Add(ar, cr);
  im[0] = hn::Add(ai, ci);
  re[2] = hn::Sub(ar, cr);
  im[2] = hn::Sub(ai, ci);
  re[1] = hn::Add(br, di);  // b - i d
  im[1] = hn::Sub(bi, dr);
  re[3] = hn::Sub(br, di);
  im[3] = hn::Add(bi, dr);
}
// By two of radix 4, of even and odd numbers.
template <class T>
HWY_INLINE void butterfly8(V<T>* re, V<T>* im) {
  const V<T> half = hn::Set(Tag<T>(), static_cast<T>(0.70710678118654752440));
  V<T> er[4], ei[4], odd_r[4], odd_i[4];
  for (int j = 0; j < 4; ++j) {
    er[j] = re[2 * j];
    ei[j] = im[2 * j];
    odd_r[j] = re[2 * j + 1];
    odd_i[j] = im[2 * j + 1];
  }
  butterfly4<T>(er, ei);
  butterfly4<T>(odd_r, odd_i);
  // Times exp(-2 pi i k / 8).
  const V<T> r1 = hn::Mul(half, hn::Add(odd_r[1], odd_i[1])),
             i1 = hn::Mul(half, hn::Sub(odd_i[1], odd_r[1]));
  const V<T> r3 = hn::Mul(half, hn::Sub(odd_i[3], odd_r[3])),
             i3 = hn::Neg(hn::Mul(half, hn::Add(odd_r[3], odd_i[3])));
  const V<T> tr[4] = {odd_r[0], r1, odd_i[2], r3};
  const V<T> ti[4] = {odd_i[0], i1, hn::Neg(odd_r[2]), i3};
  for (int k = 0; k < 4; ++k) {
    re[k] = hn::Add(er[k], tr[k]);
    im[k] = hn::Add(ei[k], ti[k]);
    re[k + 4] = hn::Sub(er[k], tr[k]);
    im[k + 4] = hn::Sub(ei[k], ti[k]);
  }
}
// Of an odd radix, numbers j and r - j together.
template <class T, int R>
HWY_INLINE void butterfly_odd(V<T>* re, V<T>* im, const T* roots) {
  constexpr int kHalf = R / 2;
  const Tag<T> d;
  V<T> sr[kHalf], si[kHalf], dr[kHalf], di[kHalf];
  const V<T> r0 = re[0], i0 = im[0];
  for (int j = 0; j < kHalf; ++j) {
    sr[j] = hn::Add(re[j + 1], re[R - 1 - j]);
    si[j] = hn::Add(im[j + 1], im[R - 1 - j]);
    dr[j] = hn::Sub(re[j + 1], re[R - 1 - j]);
    di[j] = hn::Sub(im[j + 1], im[R - 1 - j]);
    re[0] = hn::Add(re[0], sr[j]);
    im[0] = hn::Add(im[0], si[j]);
  }
  for (int k = 1; k <= kHalf; ++k) {
    V<T> cr = r0, ci = i0, er = hn::Zero(d), ei = hn::Zero(d);
    for (int j = 0; j < kHalf; ++j) {
      const int at = (j + 1) * k % R;
      const V<T> c = hn::Set(d, roots[2 * at]), s = hn::Set(d, -roots[2 * at + 1]);
      cr = hn::MulAdd(sr[j], c, cr);
      ci = hn::MulAdd(si[j], c, ci);
      er = hn::MulAdd(di[j], s, er);
      ei = hn::MulAdd(dr[j], s, ei);
    }
    re[k] = hn::Add(cr, er);
    im[k] = hn::Sub(ci, ei);
    re[R - k] = hn::Sub(cr, er);
    im[R - k] = hn::Add(ci, ei);
  }
}

// One pass over `groups` x `stride` butterflies.
template <class T, int R>
void pass(int64_t groups, int64_t stride, const T* twiddles, const T* roots, const T* x, T* y) {
  const Tag<T> d;
  constexpr int64_t kWidth = 2 * kRow<T>;
  for (int64_t p = 0; p < groups; ++p, twiddles += 2 * (R - 1)) {
    for (int64_t q = 0; q < stride; ++q) {
      const T* const from = x + (q + stride * p) * kWidth;
      T* const to = y + (q + stride * R * p) * kWidth;
      for (int64_t l = 0; l < kRow<T>; l += kStep<T>) {
        V<T> re[R], im[R];
        for (int j = 0; j < R; ++j) {
          re[j] = hn::Load(d, from + stride * groups * j * kWidth + l);
          im[j] = hn::Load(d, from + stride * groups * j * kWidth + kRow<T> + l);
        }
        if constexpr (R == 2)
          butterfly2<T>(re, im);
        else if constexpr (R == 4)
          butterfly4<T>(re, im);
        else if constexpr (R == 8)
          butterfly8<T>(re, im);
        else
          butterfly_odd<T, R>(re, im, roots);
        hn::Store(re[0], d, to + l);
        hn::Store(im[0], d, to + kRow<T> + l);
        for (int k = 1; k < R; ++k) {
          V<T> br = re[k], bi = im[k];
          if (p > 0) {
            const V<T> c = hn::Set(d, twiddles[2 * k - 2]), s = hn::Set(d, twiddles[2 * k - 1]);
            const V<T> old = br;
            br = hn::NegMulAdd(bi, s, hn::Mul(br, c));
            bi = hn::MulAdd(old, s, hn::Mul(bi, c));
          }
          hn::Store(br, d, to + stride * k * kWidth + l);
          hn::Store(bi, d, to + stride * k * kWidth + kRow<T> + l);
        }
      }
    }
  }
}

// Rows times the complex numbers of a table, with parts exchanged if asked.
template <class T>
void scale_rows_by(T* rows, int64_t count, const T* table, bool exchange) {
  const Tag<T> d;
  for (int64_t i = 0; i < count; ++i, rows += 2 * kRow<T>) {
    const V<T> c = hn::Set(d, table[2 * i]), s = hn::Set(d, table[2 * i + 1]);
    for (int64_t l = 0; l < kRow<T>; l += kStep<T>) {
      T *const re = rows + l, *const im = rows + kRow<T> + l;
      const V<T> a = hn::Load(d, re), b = hn::Load(d, im);
      const V<T> x = hn::NegMulAdd(b, s, hn::Mul(a, c)), y = hn::MulAdd(a, s, hn::Mul(b, c));
      hn::Store(exchange ? y : x, d, re);
      hn::Store(exchange ? x : y, d, im);
    }
  }
}
template <class T>
void exchange_parts(T* rows, int64_t count) {
  for (int64_t i = 0; i < count; ++i, rows += 2 * kRow<T>)
    std::swap_ranges(rows, rows + kRow<T>, rows + kRow<T>);
}

// The transforms of a block in one of two rooms of plan.room() rows; gives where they end up.
template <class T>
T* transform(const FftPlan<T>& plan, T* a, T* b) {
  if (plan.wide) {  // by a convolution of a power of 2 (Bluestein 1970)
    const int64_t m = plan.wide->n;
    scale_rows_by(a, plan.n, plan.chirp.data(), false);
    std::fill(a + plan.n * 2 * kRow<T>, a + m * 2 * kRow<T>, T{0});
    T* const spectrum = transform(*plan.wide, a, b);
    scale_rows_by(spectrum, m, plan.filter.data(), true);
    T* const back = transform(*plan.wide, spectrum, spectrum == a ? b : a);
    exchange_parts(back, plan.n);
    scale_rows_by(back, plan.n, plan.chirp.data(), false);
    return back;
  }
  const T* twiddles = plan.twiddles.data();
  int64_t left = plan.n, stride = 1;
  for (int r : plan.radices) {
    const int64_t groups = left / r;
    T roots[26];
    for (int k = 0; r % 2 && k < r; ++k) {
      const Root w = unit_root(k, r);
      roots[2 * k] = static_cast<T>(w.re);
      roots[2 * k + 1] = static_cast<T>(-w.im);
    }
    const auto run = [&](auto* one) { one(groups, stride, twiddles, roots, a, b); };
    switch (r) {
      case 2:
        run(&pass<T, 2>);
        break;
      case 3:
        run(&pass<T, 3>);
        break;
      case 4:
        run(&pass<T, 4>);
        break;
      case 5:
        run(&pass<T, 5>);
        break;
      case 8:
        run(&pass<T, 8>);
        break;
      case 7:
        run(&pass<T, 7>);
        break;
      case 11:
        run(&pass<T, 11>);
        break;
      default:
        run(&pass<T, 13>);
        break;
    }
    std::swap(a, b);
    twiddles += 2 * (r - 1) * groups;
    left = groups;
    stride *= r;
  }
  return a;
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
