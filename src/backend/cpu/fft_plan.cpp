#include "backend/cpu/fft_plan.h"

#include <bit>
#include <cmath>
#include <list>
#include <mutex>
#include <numbers>
#include <utility>

namespace glia::cpu {
namespace {

constexpr int kRadices[]{4, 2, 3, 5, 7, 11, 13};

std::vector<int> radices_of(int64_t n) {
  std::vector<int> out;
  for (; n % 8 == 0; n /= 8) out.push_back(8);
  for (int r : kRadices)
    for (; n % r == 0; n /= r) out.push_back(r);
  return n == 1 ? out : std::vector<int>();
}

template <class T>
void push_root(std::vector<T>* to, int64_t k, int64_t n) {
  const Root w = unit_root(k, n);
  to->push_back(static_cast<T>(w.re));
  to->push_back(static_cast<T>(-w.im));
}

// The last few that were asked for, by their sizes.
template <class Value>
class Recent {
 public:
  using Key = std::pair<int64_t, int64_t>;
  template <class Make>
  std::shared_ptr<const Value> get(Key key, Make&& make) {
    {
      const std::lock_guard lock(mutex_);
      for (auto i = all_.begin(); i != all_.end(); ++i) {
        if (i->first != key) continue;
        all_.splice(all_.begin(), all_, i);
        return i->second;
      }
    }
    auto made = std::make_shared<const Value>(make());  // which may ask for others
    const std::lock_guard lock(mutex_);
    all_.emplace_front(key, made);
    if (all_.size() > kMost) all_.pop_back();
    return made;
  }

 private:
  static constexpr size_t kMost = 32;
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Value>>> all_;
};

template <class T>
FftPlan<T> make_plan(int64_t n) {
  FftPlan<T> plan{.n = n};
  if (is_smooth(n)) {
    plan.radices = radices_of(n);
    int64_t left = n;
    for (int r : plan.radices) {
      for (int64_t p = 0; p < left / r; ++p)
        for (int k = 1; k < r; ++k) push_root(&plan.twiddles, p * k, left);
      left /= r;
    }
    return plan;
  }
  const auto m = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * n - 1)));
  plan.wide = fft_plan<T>(m);
  // j^2 modulo 2 n, so that angles stay small.
  std::vector<int64_t> squares(static_cast<size_t>(n));
  for (int64_t j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), ++j)
    squares[j] = square;
  for (int64_t j = 0; j < n; ++j) push_root(&plan.chirp, squares[j], 2 * n);
  // The transform of the conjugates by the same passes, in doubles and plainly written.
  const auto wide = fft_plan<double>(m);
  std::vector<double> x(2 * m, 0.0), y(2 * m);
  for (int64_t j = 0; j < n; ++j) {
    const Root w = unit_root(squares[j], 2 * n);
    for (int64_t at : {j, (m - j) % m}) {
      x[2 * at] = w.re / static_cast<double>(m);
      x[2 * at + 1] = w.im / static_cast<double>(m);
    }
  }
  int64_t left = m, stride = 1;
  for (int r : wide->radices) {
    const int64_t groups = left / r;
    Root roots[8];  // of a power of 2
    for (int k = 0; k < r; ++k) roots[k] = unit_root(k, r);
    for (int64_t p = 0; p < groups; ++p) {
      for (int k = 0; k < r; ++k) {
        const Root w = unit_root(p * k, left);
        for (int64_t q = 0; q < stride; ++q) {
          double re = 0, im = 0;
          for (int j = 0; j < r; ++j) {
            const double* const a = &x[2 * (q + stride * (p + groups * j))];
            const Root& of = roots[j * k % r];
            re += a[0] * of.re + a[1] * of.im;
            im += a[1] * of.re - a[0] * of.im;
          }
          double* const b = &y[2 * (q + stride * (r * p + k))];
          b[0] = re * w.re + im * w.im;
          b[1] = im * w.re - re * w.im;
        }
      }
    }
    std::swap(x, y);
    left = groups;
    stride *= r;
  }
  plan.filter.assign(x.begin(), x.end());
  return plan;
}

template <class T>
FftSplit<T> make_split(int64_t n) {
  FftSplit<T> split;
  if (!is_smooth(n)) return split;
  for (int64_t r = 1; r * r <= n; ++r)
    if (n % r == 0) split.rows = r;
  split.columns = n / split.rows;
  if (split.rows < 16 || split.columns > 64 * split.rows) {
    split.rows = 1;
    return split;
  }
  split.along_rows = fft_plan<T>(split.rows);
  split.along_columns = fft_plan<T>(split.columns);
  split.twiddles.reserve(2 * n);
  // Parts apart: a vector takes neighbouring columns of one.
  for (int64_t r = 0; r < split.rows; ++r) {
    for (int64_t c = 0; c < split.columns; ++c)
      split.twiddles.push_back(static_cast<T>(unit_root(r * c, n).re));
    for (int64_t c = 0; c < split.columns; ++c)
      split.twiddles.push_back(static_cast<T>(-unit_root(r * c, n).im));
  }
  return split;
}

}  // namespace

Root unit_root(int64_t k, int64_t n) {
  k %= n;
  // By the nearest multiple of an eighth of the circle below, so that the angle is at most pi / 4.
  const int64_t eighth = 8 * k / n;
  const auto angle = [n](int64_t eighths_of) {
    return std::numbers::pi * static_cast<double>(eighths_of) / (4.0 * static_cast<double>(n));
  };
  const bool odd = eighth % 2 != 0;
  const double a = angle(odd ? (eighth + 1) * n - 8 * k : 8 * k - eighth * n);
  double c = std::cos(a), s = std::sin(a);
  if (odd) s = -s;                                // seen from the multiple above
  switch ((odd ? eighth + 1 : eighth) / 2 % 4) {  // quarters of the circle
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

bool is_smooth(int64_t n) { return n == 1 || (n > 1 && !radices_of(n).empty()); }

template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(int64_t n) {
  static Recent<FftPlan<T>> recent;
  return recent.get({n, 0}, [n] { return make_plan<T>(n); });
}

template <class T>
std::shared_ptr<const std::vector<T>> fft_roots(int64_t n, int64_t count) {
  static Recent<std::vector<T>> recent;
  return recent.get({n, count}, [&] {
    std::vector<T> roots;
    for (int64_t k = 0; k < count; ++k) push_root(&roots, k, n);
    return roots;
  });
}

template <class T>
std::shared_ptr<const FftSplit<T>> fft_split(int64_t n) {
  static Recent<FftSplit<T>> recent;
  return recent.get({n, 0}, [n] { return make_split<T>(n); });
}

#define GLIA_FFT(T)                                                              \
  template std::shared_ptr<const FftPlan<T>> fft_plan<T>(int64_t);               \
  template std::shared_ptr<const std::vector<T>> fft_roots<T>(int64_t, int64_t); \
  template std::shared_ptr<const FftSplit<T>> fft_split<T>(int64_t);
GLIA_FFT(float)
GLIA_FFT(double)
#undef GLIA_FFT

}  // namespace glia::cpu
