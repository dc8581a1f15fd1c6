// Fourier transforms along an axis: as many lines at a time as a cache line has numbers, each pass
// of Stockham's order over all of them in vectors (Van Loan 1992). A long line alone is taken as a
// matrix whose columns and rows are the lines (Bailey 1990).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/fft.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "backend/cpu/fft_passes-inl.h"
#include "backend/cpu/fft_plan.h"
#include "backend/cpu/simd/functions.h"
#include "glia/runtime.h"
#include "hwy/highway.h"
#include "ops/fft.h"
#include "ops/private.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kShort = 128;     // a line that one thread transforms with empty places beside it
constexpr int64_t kLong = 1 << 12;  // from which on lines are taken apart however many there are

// ---- Blocks of lines in memory ------------------------------------------------

// Up to kRow lines: number i of line l is data[offset[l] + i * step].
template <class T>
struct Lanes {
  int64_t offset[kRow<T>];
  int64_t count, step;
  bool adjacent;  // offsets rise by one

  // Lines from `first` on of an array (outer, n, inner).
  static Lanes of(int64_t first, int64_t lines, int64_t n, int64_t inner) {
    Lanes at;
    at.count = std::min(kRow<T>, lines - first);
    at.step = inner;
    for (int64_t l = 0; l < at.count; ++l)
      at.offset[l] = (first + l) / inner * n * inner + (first + l) % inner;
    at.adjacent = at.offset[at.count - 1] - at.offset[0] == at.count - 1 && inner > 1;
    return at;
  }
};

// 4 x 4 or 2 x 2 numbers, transposed within vectors of 16 bytes.
template <class T>
HWY_INLINE void transpose_tile(const T* const* from, T* const* to) {
#if HWY_TARGET == HWY_SCALAR
  constexpr int64_t kTile = 16 / static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < kTile; ++i)
    for (int64_t j = 0; j < kTile; ++j) to[i][j] = from[j][i];
#else
  const hn::Full128<T> d;
  if constexpr (sizeof(T) == 4) {
    const auto a = hn::LoadU(d, from[0]), b = hn::LoadU(d, from[1]), c = hn::LoadU(d, from[2]),
               e = hn::LoadU(d, from[3]);
    const auto ab = hn::InterleaveLower(d, a, b), ce = hn::InterleaveLower(d, c, e);
    const auto ab2 = hn::InterleaveUpper(d, a, b), ce2 = hn::InterleaveUpper(d, c, e);
    hn::StoreU(hn::ConcatLowerLower(d, ce, ab), d, to[0]);
    hn::StoreU(hn::ConcatUpperUpper(d, ce, ab), d, to[1]);
    hn::StoreU(hn::ConcatLowerLower(d, ce2, ab2), d, to[2]);
    hn::StoreU(hn::ConcatUpperUpper(d, ce2, ab2), d, to[3]);
  } else {
    const auto a = hn::LoadU(d, from[0]), b = hn::LoadU(d, from[1]);
    hn::StoreU(hn::InterleaveLower(d, a, b), d, to[0]);
    hn::StoreU(hn::InterleaveUpper(d, a, b), d, to[1]);
  }
#endif
}

// Numbers 0 .. n - 1 of the lines into rows `width` apart; places of lines that are not there get
// 0.
template <class T>
void gather_lines(const T* data, const Lanes<T>& at, int64_t n, T* rows, int64_t width) {
  constexpr int64_t kTile = 16 / static_cast<int64_t>(sizeof(T));
  if (at.count < kRow<T>)
    for (int64_t i = 0; i < n; ++i)
      std::fill(rows + i * width + at.count, rows + i * width + kRow<T>, T{0});
  if (at.adjacent) {
    for (int64_t i = 0; i < n; ++i)
      std::copy_n(data + at.offset[0] + i * at.step, at.count, rows + i * width);
    return;
  }
  const int64_t tiled = at.step == 1 ? at.count / kTile * kTile : 0, whole = n / kTile * kTile;
  // A cache line of each line at a time.
  for (int64_t first = 0; first < whole; first += kRow<T>) {
    for (int64_t l = 0; l < tiled; l += kTile) {
      for (int64_t i = first; i < std::min(whole, first + kRow<T>); i += kTile) {
        const T* from[kTile];
        T* to[kTile];
        for (int64_t k = 0; k < kTile; ++k) {
          from[k] = data + at.offset[l + k] + i;
          to[k] = rows + (i + k) * width + l;
        }
        transpose_tile(from, to);
      }
    }
  }
  for (int64_t l = 0; l < at.count; ++l)
    for (int64_t i = l < tiled ? whole : 0; i < n; ++i)
      rows[i * width + l] = data[at.offset[l] + i * at.step];
}
// Back, times the scale, which rows get first.
template <class T>
void scatter_lines(T* rows, int64_t width, const Lanes<T>& at, int64_t n, T scale, T* data) {
  constexpr int64_t kTile = 16 / static_cast<int64_t>(sizeof(T));
  const Tag<T> d;
  if (scale != 1) {
    const V<T> by = hn::Set(d, scale);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t l = 0; l < kRow<T>; l += kStep<T>)
        hn::Store(hn::Mul(hn::Load(d, rows + i * width + l), by), d, rows + i * width + l);
  }
  if (at.adjacent) {
    for (int64_t i = 0; i < n; ++i)
      std::copy_n(rows + i * width, at.count, data + at.offset[0] + i * at.step);
    return;
  }
  const int64_t tiled = at.step == 1 ? at.count / kTile * kTile : 0, whole = n / kTile * kTile;
  for (int64_t first = 0; first < whole; first += kRow<T>) {
    for (int64_t l = 0; l < tiled; l += kTile) {
      for (int64_t i = first; i < std::min(whole, first + kRow<T>); i += kTile) {
        const T* from[kTile];
        T* to[kTile];
        for (int64_t k = 0; k < kTile; ++k) {
          from[k] = rows + (i + k) * width + l;
          to[k] = data + at.offset[l + k] + i;
        }
        transpose_tile(from, to);
      }
    }
  }
  for (int64_t l = 0; l < at.count; ++l)
    for (int64_t i = l < tiled ? whole : 0; i < n; ++i)
      data[at.offset[l] + i * at.step] = rows[i * width + l];
}

// ---- One long line ------------------------------------------------

// In place; a matrix of rows x columns, row-major, whose transposed transform is the line's.
template <class T>
void transform_line(int64_t n, T* re, T* im);

// A row of a block times as many complex numbers, in parts.
template <class T>
HWY_INLINE void turn_row(T* row, const T* re, const T* im, int64_t count) {
  const Tag<T> d;
  int64_t l = 0;
  for (; l + kStep<T> <= count; l += kStep<T>) {
    const V<T> x = hn::Load(d, row + l), z = hn::Load(d, row + kRow<T> + l);
    const V<T> c = hn::LoadU(d, re + l), s = hn::LoadU(d, im + l);
    hn::Store(hn::NegMulAdd(z, s, hn::Mul(x, c)), d, row + l);
    hn::Store(hn::MulAdd(x, s, hn::Mul(z, c)), d, row + kRow<T> + l);
  }
  for (; l < count; ++l) {
    const T x = row[l], z = row[kRow<T> + l];
    row[l] = x * re[l] - z * im[l];
    row[kRow<T> + l] = x * im[l] + z * re[l];
  }
}

// A line times the scale.
template <class T>
void copy_scaled(const T* from, int64_t n, T scale, T* to) {
  const Tag<T> d;
  const V<T> by = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + kStep<T> <= n; i += kStep<T>)
    hn::StoreU(hn::Mul(hn::LoadU(d, from + i), by), d, to + i);
  for (; i < n; ++i) to[i] = from[i] * scale;
}

template <class T>
void transform_split(const FftSplit<T>& split, T* re, T* im) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  const int64_t rows = split.rows, columns = split.columns, n = rows * columns;
  std::unique_ptr<T[]> middle(new T[2 * n]);
  T* const parts[]{re, im};
  parallel_for((columns + kRow<T> - 1) / kRow<T>, [&](int64_t block) {
    const int64_t first = block * kRow<T>;
    Room<T> a(rows), b(rows);
    const auto at = Lanes<T>::of(first, columns, rows, columns);
    for (int part : {0, 1})
      gather_lines<T>(parts[part], at, rows, a.numbers + part * kRow<T>, kWidth);
    T* const y = transform(*split.along_rows, a.numbers, b.numbers);
    for (int64_t k = 0; k < rows; ++k) {
      const T* const w = split.twiddles.data() + 2 * k * columns + first;
      T* const row = y + k * kWidth;
      turn_row(row, w, w + columns, at.count);
    }
    for (int part : {0, 1})
      scatter_lines<T>(y + part * kRow<T>, kWidth, at, rows, 1, middle.get() + part * n);
  });
  parallel_for((rows + kRow<T> - 1) / kRow<T>, [&](int64_t block) {
    const int64_t first = block * kRow<T>;
    Room<T> a(columns), b(columns);
    const auto from = Lanes<T>::of(first, rows, columns, 1);
    for (int part : {0, 1})
      gather_lines<T>(middle.get() + part * n, from, columns, a.numbers + part * kRow<T>, kWidth);
    T* const y = transform(*split.along_columns, a.numbers, b.numbers);
    const auto to = Lanes<T>::of(first, rows, columns, rows);
    for (int part : {0, 1})
      scatter_lines<T>(y + part * kRow<T>, kWidth, to, columns, 1, parts[part]);
  });
}

template <class T>
void transform_line(int64_t n, T* re, T* im) {
  if (const auto split = fft_split<T>(n); split->rows > 1) return transform_split(*split, re, im);
  const auto plan = fft_plan<T>(n);
  if (!plan->wide) {
    Room<T> a(n), b(n);
    const auto at = Lanes<T>::of(0, 1, n, 1);
    gather_lines<T>(re, at, n, a.numbers, 2 * kRow<T>);
    gather_lines<T>(im, at, n, a.numbers + kRow<T>, 2 * kRow<T>);
    T* const y = transform(*plan, a.numbers, b.numbers);
    scatter_lines<T>(y, 2 * kRow<T>, at, n, 1, re);
    scatter_lines<T>(y + kRow<T>, 2 * kRow<T>, at, n, 1, im);
    return;
  }
  const int64_t m = plan->wide->n;
  std::unique_ptr<T[]> x(new T[2 * m]);
  T *const xr = x.get(), *const xi = xr + m;
  std::fill_n(xr, 2 * m, T{0});
  const auto times = [](const T* table, int64_t count, T* a, T* b) {
    for (int64_t i = 0; i < count; ++i) {
      const T p = a[i], q = b[i], c = table[2 * i], s = table[2 * i + 1];
      a[i] = p * c - q * s;
      b[i] = p * s + q * c;
    }
  };
  std::copy_n(re, n, xr);
  std::copy_n(im, n, xi);
  times(plan->chirp.data(), n, xr, xi);
  transform_line(m, xr, xi);
  times(plan->filter.data(), m, xr, xi);
  transform_line(m, xi, xr);  // backwards
  times(plan->chirp.data(), n, xr, xi);
  std::copy_n(xr, n, re);
  std::copy_n(xi, n, im);
}

// ---- The three transforms of a block ------------------------------------------------

struct Job {
  int64_t n, inner, lines;
  double scale;
  Job(const Shape& shape, int64_t axis, double by) : n(shape[axis]), scale(by) {
    const Lines all(shape, axis);
    inner = all.inner;
    lines = all.outer * all.inner;
  }
  // Whether lines of `length` complex numbers are taken one by one.
  template <class T>
  bool apart(int64_t length) const {
    return inner == 1 && length > kShort && (length >= kLong || lines < kRow<T> / 2);
  }
  // body(first line of a block)
  template <class T, class F>
  void each_block(F&& body) const {
    parallel_for((lines + kRow<T> - 1) / kRow<T>, [&](int64_t b) { body(b * kRow<T>); });
  }
  // body(line), which may use all threads if there are few.
  template <class F>
  void each_line(F&& body) const {
    if (lines < 4)
      for (int64_t i = 0; i < lines; ++i) body(i);
    else
      parallel_for(lines, body);
  }
};

template <class T>
void complex_lines(const Job& job, const T* const* in, T* const* out) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  const T scale = static_cast<T>(job.scale);
  if (job.apart<T>(job.n)) {
    return job.each_line([&](int64_t line) {
      T* to[2];
      std::unique_ptr<T[]> own[2];
      for (int part : {0, 1}) {
        if (!out[part]) own[part].reset(new T[job.n]);
        to[part] = out[part] ? out[part] + line * job.n : own[part].get();
        copy_scaled(in[part] + line * job.n, job.n, scale, to[part]);
      }
      transform_line(job.n, to[0], to[1]);
    });
  }
  const auto plan = fft_plan<T>(job.n);
  job.each_block<T>([&](int64_t first) {
    Room<T> a(plan->room()), b(plan->room());
    const auto at = Lanes<T>::of(first, job.lines, job.n, job.inner);
    for (int part : {0, 1})
      gather_lines<T>(in[part], at, job.n, a.numbers + part * kRow<T>, kWidth);
    T* const y = transform(*plan, a.numbers, b.numbers);
    for (int part : {0, 1})
      if (out[part]) scatter_lines<T>(y + part * kRow<T>, kWidth, at, job.n, scale, out[part]);
  });
}

// Half of the spectrum of real numbers from the transform z of pairs, `half` of them: row by row.
template <class T>
void unpack_half(const T* z, int64_t half, const T* roots, T* to) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  for (int64_t k = 0; k <= half; ++k) {
    const T *const a = z + k % half * kWidth, *const b = z + (half - k) % half * kWidth;
    T* const x = to + k * kWidth;
    const T c = roots[2 * k], s = roots[2 * k + 1];
    for (int64_t l = 0; l < kRow<T>; ++l) {
      const T er = (a[l] + b[l]) / 2, ei = (a[kRow<T> + l] - b[kRow<T> + l]) / 2;
      const T odd_r = (a[kRow<T> + l] + b[kRow<T> + l]) / 2, odd_i = (b[l] - a[l]) / 2;
      x[l] = er + odd_r * c - odd_i * s;
      x[kRow<T> + l] = ei + odd_r * s + odd_i * c;
    }
  }
}
// The other way, conjugate: the transform of what comes out are the pairs, conjugate.
template <class T>
void pack_half(const T* x, int64_t half, const T* roots, T* z) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  for (int64_t k = 0; k < half; ++k) {
    const T *const a = x + k * kWidth, *const b = x + (half - k) * kWidth;
    T* const to = z + k * kWidth;
    const T c = roots[2 * k], s = -roots[2 * k + 1];
    for (int64_t l = 0; l < kRow<T>; ++l) {
      const T ai = k == 0 ? 0 : a[kRow<T> + l], bi = k == 0 ? 0 : b[kRow<T> + l];
      const T er = a[l] + b[l], ei = ai - bi, dr = a[l] - b[l], di = ai + bi;
      const T odd_r = dr * c - di * s, odd_i = dr * s + di * c;
      to[l] = er - odd_i;
      to[kRow<T> + l] = -(ei + odd_r);
    }
  }
}

template <class T>
void real_lines(const Job& job, const T* in, T* const* out) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  const int64_t n = job.n, half = n / 2, count = half + 1;
  const bool even = n % 2 == 0;
  const T scale = static_cast<T>(job.scale);
  const auto plan = fft_plan<T>(even ? half : n);
  const auto roots = fft_roots<T>(n, count);
  const bool apart = job.apart<T>(plan->n);
  const auto run = [&](int64_t first, int64_t lines) {
    const auto from = Lanes<T>::of(first, lines, n, job.inner);
    const auto to = Lanes<T>::of(first, lines, count, job.inner);
    Room<T> a(std::max(plan->room(), count)), b(std::max(plan->room(), count));
    gather_lines<T>(in, from, n, a.numbers, even ? kRow<T> : kWidth);
    if (!even)
      for (int64_t i = 0; i < n; ++i) std::fill_n(a.numbers + i * kWidth + kRow<T>, kRow<T>, T{0});
    T* y = transform(*plan, a.numbers, b.numbers);
    if (even) {
      T* const other = y == a.numbers ? b.numbers : a.numbers;
      unpack_half(y, half, roots->data(), other);
      y = other;
    }
    for (int part : {0, 1})
      if (out[part]) scatter_lines<T>(y + part * kRow<T>, kWidth, to, count, scale, out[part]);
  };
  if (!apart) return job.each_block<T>([&](int64_t first) { run(first, job.lines); });
  job.each_line([&](int64_t line) {
    const T* const x = in + line * n;
    const int64_t m = plan->n;
    std::unique_ptr<T[]> z(new T[2 * m]);
    T *const re = z.get(), *const im = re + m;
    for (int64_t i = 0; i < m; ++i) {
      re[i] = even ? x[2 * i] : x[i];
      im[i] = even ? x[2 * i + 1] : 0;
    }
    transform_line(m, re, im);
    for (int64_t k = 0; k < count; ++k) {
      T p = re[k % m], q = im[k % m];
      if (even) {
        const T br = re[(half - k) % m], bi = im[(half - k) % m];
        const T c = (*roots)[2 * k], s = (*roots)[2 * k + 1];
        const T er = (p + br) / 2, ei = (q - bi) / 2, odd_r = (q + bi) / 2, odd_i = (br - p) / 2;
        p = er + odd_r * c - odd_i * s;
        q = ei + odd_r * s + odd_i * c;
      }
      if (out[0]) out[0][line * count + k] = p * scale;
      if (out[1]) out[1][line * count + k] = q * scale;
    }
  });
}

template <class T>
void inverse_real_lines(const Job& job, const T* const* in, T* out) {
  constexpr int64_t kWidth = 2 * kRow<T>;
  const int64_t n = job.n, half = n / 2, count = half + 1;
  const bool even = n % 2 == 0;
  const T scale = static_cast<T>(job.scale);
  const auto plan = fft_plan<T>(even ? half : n);
  const auto roots = fft_roots<T>(n, count);
  if (!job.apart<T>(plan->n)) {
    return job.each_block<T>([&](int64_t first) {
      const auto from = Lanes<T>::of(first, job.lines, count, job.inner);
      const auto to = Lanes<T>::of(first, job.lines, n, job.inner);
      Room<T> a(std::max(plan->room(), count)), b(std::max(plan->room(), count));
      for (int part : {0, 1})
        gather_lines<T>(in[part], from, count, a.numbers + part * kRow<T>, kWidth);
      if (even) {
        pack_half(a.numbers, half, roots->data(), b.numbers);
        T* const y = transform(*plan, b.numbers, a.numbers);
        for (int64_t i = 0; i < half; ++i)
          for (int64_t l = kRow<T>; l < kWidth; ++l) y[i * kWidth + l] = -y[i * kWidth + l];
        scatter_lines<T>(y, kRow<T>, to, n, scale, out);
        return;
      }
      for (int64_t l = kRow<T>; l < kWidth; ++l) a.numbers[l] = 0;
      for (int64_t k = 1; k <= half; ++k) {  // all of the spectrum, conjugate
        T *const x = a.numbers + k * kWidth, *const mirrored = a.numbers + (n - k) * kWidth;
        std::copy_n(x, kWidth, mirrored);
        for (int64_t l = kRow<T>; l < kWidth; ++l) x[l] = -x[l];
      }
      scatter_lines<T>(transform(*plan, a.numbers, b.numbers), kWidth, to, n, scale, out);
    });
  }
  job.each_line([&](int64_t line) {
    const T *const xr = in[0] + line * count, *const xi = in[1] + line * count;
    const int64_t m = plan->n;
    std::unique_ptr<T[]> z(new T[2 * m]);
    T *const re = z.get(), *const im = re + m;
    for (int64_t k = 0; k < m; ++k) {  // exchanged parts: backwards
      if (!even) {
        const bool first = k <= half;
        re[k] = k == 0 ? 0 : first ? xi[k] : -xi[n - k];
        im[k] = first ? xr[k] : xr[n - k];
        continue;
      }
      const T ai = k == 0 ? 0 : xi[k], bi = k == 0 ? 0 : xi[half - k];
      const T c = (*roots)[2 * k], s = -(*roots)[2 * k + 1];
      const T er = xr[k] + xr[half - k], ei = ai - bi, dr = xr[k] - xr[half - k], di = ai + bi;
      im[k] = er - (dr * s + di * c);
      re[k] = ei + (dr * c - di * s);
    }
    transform_line(m, re, im);
    for (int64_t i = 0; i < m; ++i) {
      T* const to = out + line * n;
      if (even) {
        to[2 * i] = im[i] * scale;
        to[2 * i + 1] = re[i] * scale;
      } else {
        to[i] = im[i] * scale;
      }
    }
  });
}

// ---- Kernels ------------------------------------------------

template <class T>
void fft_of(const KernelCall& call) {
  const auto [axis, scale] = call.attributes<FftAttributes>();
  const Shape& shape = call.in[0].layout.shape;
  if (shape.numel() == 0) return;
  const T* const in[]{call.in[0].as<const T>(), call.in[1].as<const T>()};
  T* const out[]{call.out[0].as<T>(), call.out[1].as<T>()};
  complex_lines<T>(Job(shape, axis, scale), in, out);
}
template <class T>
void rfft_of(const KernelCall& call) {
  const auto [axis, scale] = call.attributes<FftAttributes>();
  const Shape& shape = call.in[0].layout.shape;
  if (shape.numel() == 0) return;
  T* const out[]{call.out[0].as<T>(), call.out[1].as<T>()};
  real_lines<T>(Job(shape, axis, scale), call.in[0].as<const T>(), out);
}
template <class T>
void irfft_of(const KernelCall& call) {
  const auto attributes = call.attributes<IrfftAttributes>();
  const Shape& shape = call.out[0].layout.shape;
  if (shape.numel() == 0) return;
  const T* const in[]{call.in[0].as<const T>(), call.in[1].as<const T>()};
  inverse_real_lines<T>(Job(shape, attributes.axis, attributes.scale), in, call.out[0].as<T>());
}

void fft(const KernelCall& call) {
  call.in[0].dtype == kF64 ? fft_of<double>(call) : fft_of<float>(call);
}
void rfft(const KernelCall& call) {
  call.in[0].dtype == kF64 ? rfft_of<double>(call) : rfft_of<float>(call);
}
void irfft(const KernelCall& call) {
  call.in[0].dtype == kF64 ? irfft_of<double>(call) : irfft_of<float>(call);
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(fft);
GLIA_EXPORT(rfft);
GLIA_EXPORT(irfft);

const RegisterKernel kernels[] = {
    RegisterKernel({.op = "fft", .dtypes = {kF32, kF64}, .choose = GLIA_CHOOSE(fft)}),
    RegisterKernel({.op = "rfft", .dtypes = {kF32, kF64}, .choose = GLIA_CHOOSE(rfft)}),
    RegisterKernel({.op = "irfft", .dtypes = {kF32, kF64}, .choose = GLIA_CHOOSE(irfft)})};

}  // namespace
}  // namespace glia::cpu
#endif
