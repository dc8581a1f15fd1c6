// Windows, and spectra of overlapping frames.
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "glia/fft.h"
#include "ops/private.h"

namespace glia {
namespace {

// f(k, last) of n numbers, where `last` is what k goes to.
template <class F>
Tensor window(const char* op, int64_t n, bool periodic, DType dtype, F&& f) {
  if (n < 0 || !is_float(dtype))
    throw ShapeError(fmt::format("{}: {} numbers of {}", op, n, name(dtype)));
  Shape{n}.numel();  // throws for one that is too large
  std::vector<double> w;
  const auto last = static_cast<double>(periodic ? n : n - 1);
  for (int64_t k = 0; k < n; ++k) w.push_back(n == 1 ? 1 : f(static_cast<double>(k), last));
  return cast(from_vector(w, {n}), dtype);
}

// a[0] - a[1] cos(t) + a[2] cos(2 t) - ..., t from 0 to 2 pi.
Tensor cosine_sum(const char* op, int64_t n, const std::vector<double>& a, bool periodic,
                  DType dtype) {
  return window(op, n, periodic, dtype, [&](double k, double last) {
    const double t = 2 * std::numbers::pi * k / last;
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i)
      sum += (i % 2 ? -a[i] : a[i]) * std::cos(static_cast<double>(i) * t);
    return sum;
  });
}

struct Frames {
  int64_t n_fft, hop;
  Tensor window;  // (n_fft) or undefined: ones
};
Frames frames_of(const char* op, int64_t n_fft, const StftOptions& options, DType dtype,
                 const Where& where) {
  if (n_fft < 1 || n_fft > INT32_MAX) fail(op, fmt::format("n_fft is {}", n_fft), where);
  const int64_t hop = options.hop_length.value_or(std::max<int64_t>(n_fft / 4, 1));
  const int64_t length = options.win_length.value_or(n_fft);
  if (hop < 1 || length < 1 || length > n_fft)
    fail(op, fmt::format("a hop of {} and a window of {} in {}", hop, length, n_fft), where);
  Tensor w = options.window;
  if (w.defined() && w.shape() != Shape{length})
    fail(op, fmt::format("the window is {}, not ({},)", w.shape().str(), length), where);
  if (!w.defined() && length < n_fft) w = ones({length}, dtype);
  if (w.defined() && length < n_fft) {
    const int64_t left = (n_fft - length) / 2;
    w = pad(w, {{left, n_fft - length - left}});
  }
  return {n_fft, hop, w.defined() ? cast(w, dtype) : w};
}

// The position in [0, n) that position i stands for.
int64_t mirrored(int64_t i, int64_t n, StftPad mode) {
  if (mode == StftPad::kReplicate) return std::clamp<int64_t>(i, 0, n - 1);
  return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
}

// x (..., T) with n_fft / 2 more numbers at both ends.
Tensor padded(const Tensor& x, int64_t n_fft, StftPad mode, const Where& where) {
  const int64_t n = x.size(-1), more = n_fft / 2;
  if (mode == StftPad::kConstant) {
    std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
    pads.back() = {more, more};
    return pad(x, pads, 0, where);
  }
  if (n == 0 || (mode == StftPad::kReflect && more >= n))
    fail("stft", fmt::format("{} numbers cannot be padded by {}", n, more), where);
  const auto side = [&](int64_t first) {
    std::vector<int64_t> at;
    for (int64_t i = first; i < first + more; ++i) at.push_back(mirrored(i, n, mode));
    return take(x, from_vector(at, {more}), -1, where);
  };
  return concat({side(-more), x, side(n)}, -1, where);
}

// Where frame t has its number j: (frames, n_fft).
Tensor positions(int64_t frames, const Frames& f) {
  return unsqueeze(arange(frames) * f.hop, 1) + arange(f.n_fft);
}

// (N, frames, n_fft) from x (N, T).
Tensor framed(const Tensor& x, int64_t frames, const Frames& f) {
  if (f.n_fft % f.hop != 0) return take(x, positions(frames, f), 1);
  // Hops side by side.
  const int64_t parts = f.n_fft / f.hop, rows = x.size(0);
  const Tensor hops =
      reshape(slice(x, 1, {0, (frames + parts - 1) * f.hop}), {rows, frames + parts - 1, f.hop});
  std::vector<Tensor> all;
  for (int64_t k = 0; k < parts; ++k) all.push_back(slice(hops, 1, {k, k + frames}));
  return concat(all, 2);
}
// The transposed sum: (N, (frames - 1) hop + n_fft) from (N, frames, n_fft).
Tensor overlapped(const Tensor& y, const Frames& f) {
  const int64_t rows = y.size(0), frames = y.size(1);
  const int64_t length = add_sizes(multiply_sizes(frames - 1, f.hop), f.n_fft);
  Shape{rows, length}.numel();  // throws where that is too large
  if (f.n_fft % f.hop != 0)
    return index_add(zeros({rows, length}, y.dtype()), reshape(positions(frames, f), {-1}),
                     reshape(y, {rows, frames * f.n_fft}), 1);
  const int64_t parts = f.n_fft / f.hop;
  Tensor sum;
  for (int64_t k = 0; k < parts; ++k) {
    const Tensor part =
        pad(slice(y, 2, {k * f.hop, (k + 1) * f.hop}), {{0, 0}, {k, parts - 1 - k}, {0, 0}});
    sum = sum.defined() ? sum + part : part;
  }
  return reshape(sum, {rows, length});
}

}  // namespace

Tensor hann_window(int64_t n, bool periodic, DType dtype) {
  return cosine_sum("hann_window", n, {0.5, 0.5}, periodic, dtype);
}
Tensor hamming_window(int64_t n, bool periodic, double alpha, double beta, DType dtype) {
  return cosine_sum("hamming_window", n, {alpha, beta}, periodic, dtype);
}
Tensor blackman_window(int64_t n, bool periodic, DType dtype) {
  return cosine_sum("blackman_window", n, {0.42, 0.5, 0.08}, periodic, dtype);
}
Tensor nuttall_window(int64_t n, bool periodic, DType dtype) {
  return cosine_sum("nuttall_window", n, {0.3635819, 0.4891775, 0.1365995, 0.0106411}, periodic,
                    dtype);
}
Tensor general_hamming_window(int64_t n, double alpha, bool periodic, DType dtype) {
  return cosine_sum("general_hamming_window", n, {alpha, 1 - alpha}, periodic, dtype);
}
Tensor general_cosine_window(int64_t n, const std::vector<double>& a, bool periodic, DType dtype) {
  if (a.empty()) throw ValueError("general_cosine_window: no coefficients");
  return cosine_sum("general_cosine_window", n, a, periodic, dtype);
}
Tensor cosine_window(int64_t n, bool periodic, DType dtype) {
  return window("cosine_window", n, periodic, dtype, [](double k, double last) {
    return std::sin(std::numbers::pi * (k + 0.5) / (last + 1));
  });
}
Tensor exponential_window(int64_t n, std::optional<double> center, double tau, bool periodic,
                          DType dtype) {
  if (!(tau > 0)) throw ValueError(fmt::format("exponential_window: tau is {}, not above 0", tau));
  return window("exponential_window", n, periodic, dtype, [=](double k, double last) {
    return std::exp(-std::abs(k - center.value_or(last / 2)) / tau);
  });
}
Tensor bartlett_window(int64_t n, bool periodic, DType dtype) {
  return window("bartlett_window", n, periodic, dtype,
                [](double k, double last) { return 1 - std::abs(2 * k / last - 1); });
}
Tensor kaiser_window(int64_t n, bool periodic, double beta, DType dtype) {
  const double whole = std::cyl_bessel_i(0, std::abs(beta));
  return window("kaiser_window", n, periodic, dtype, [=](double k, double last) {
    const double r = 2 * k / last - 1;
    return std::cyl_bessel_i(0, std::abs(beta) * std::sqrt(std::max(0.0, 1 - r * r))) / whole;
  });
}
Tensor gaussian_window(int64_t n, double std, bool periodic, DType dtype) {
  return window("gaussian_window", n, periodic, dtype, [=](double k, double last) {
    const double z = (k - last / 2) / std;
    return std::exp(-0.5 * z * z);
  });
}

Complex stft(const Tensor& x, int64_t n_fft, const StftOptions& options, Where where) {
  constexpr const char* kName = "stft";
  require_defined(kName, x, where);
  if (x.rank() < 1 || x.rank() > 2)
    fail(kName, "x is " + x.shape().str() + ", not (T) or (N, T)", where);
  Tensor in = as_full_float(kName, x, where);
  const Frames f = frames_of(kName, n_fft, options, in.dtype(), where);
  if (x.rank() == 1) in = unsqueeze(in, 0);
  if (options.center) in = padded(in, n_fft, options.pad_mode, where);
  if (in.size(1) < n_fft)
    fail(kName, fmt::format("{} numbers are less than n_fft = {}", in.size(1), n_fft), where);
  const int64_t frames = (in.size(1) - n_fft) / f.hop + 1;
  Tensor parts = framed(in, frames, f);
  if (f.window.defined()) parts = parts * f.window;
  const fft::Norm norm = options.normalized ? fft::Norm::kOrtho : fft::Norm::kBackward;
  const Complex y = options.onesided ? fft::rfft(parts, {}, -1, norm, where)
                                     : fft::fft(parts, {}, -1, norm, where);
  const auto turned = [&](const Tensor& t) {
    const Tensor spectra = transpose(t, 1, 2);
    return x.rank() == 1 ? squeeze(spectra, 0) : spectra;
  };
  return {turned(y.re), turned(y.im)};
}

Tensor istft(const Complex& x, int64_t n_fft, const StftOptions& options,
             std::optional<int64_t> length, Where where) {
  constexpr const char* kName = "istft";
  require_defined(kName, x.re, where);
  require_defined(kName, x.im, where);
  const int rank = x.re.rank();
  if (rank < 2 || rank > 3 || x.im.shape() != x.re.shape())
    fail(kName,
         fmt::format("x is {} and {}, not (F, frames) or (N, F, frames)", x.re.shape().str(),
                     x.im.shape().str()),
         where);
  Complex in{as_full_float(kName, x.re, where), as_full_float(kName, x.im, where)};
  const Frames f = frames_of(kName, n_fft, options, in.re.dtype(), where);
  const int64_t frequencies = options.onesided ? n_fft / 2 + 1 : n_fft;
  if (x.re.size(-2) != frequencies || x.re.size(-1) < 1)
    fail(kName,
         fmt::format("{} has not {} frequencies of some frames", x.re.shape().str(), frequencies),
         where);
  if (rank == 2) in = {unsqueeze(in.re, 0), unsqueeze(in.im, 0)};
  in = {transpose(in.re, 1, 2), transpose(in.im, 1, 2)};
  const fft::Norm norm = options.normalized ? fft::Norm::kOrtho : fft::Norm::kBackward;
  Tensor parts = options.onesided ? fft::irfft(in, n_fft, -1, norm, where)
                                  : fft::ifft(in, {}, -1, norm, where).re;
  Tensor weights = f.window.defined() ? square(f.window) : ones({n_fft}, parts.dtype());
  if (f.window.defined()) parts = parts * f.window;
  const int64_t frames = parts.size(1);
  weights = overlapped(expand(weights, {1, frames, n_fft}), f);
  Tensor y = overlapped(parts, f);
  const int64_t whole = y.size(1), first = options.center ? n_fft / 2 : 0;
  const int64_t last = length ? std::min(whole, add_sizes(first, std::max<int64_t>(*length, 0)))
                              : whole - (options.center ? n_fft / 2 : 0);
  if ((length && *length < 1) || last <= first)
    fail(kName, fmt::format("{} numbers of {}", length.value_or(last - first), whole), where);
  const Tensor below = slice(weights, 1, {first, last});
  {
    const NoGrad off;
    if (!symbolic() && !(min(below).item() > 1e-11))
      throw ValueError(std::string(kName) + ": the windows leave numbers out", where);
  }
  y = slice(y, 1, {first, last}) / below;
  if (length && *length > last - first) y = pad(y, {{0, 0}, {0, *length - (last - first)}});
  return rank == 2 ? squeeze(y, 0) : y;
}

}  // namespace glia
