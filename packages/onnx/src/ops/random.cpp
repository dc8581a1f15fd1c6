// Random numbers, windows and spectra.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "call.h"
#include "glia/fft.h"
#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "glia/random.h"

namespace glia::onnx {
namespace {

// ---- Random numbers: drawn from the thread's stream, whatever seed the file says ----

ElementType type_or(Call& c, ElementType otherwise) {
  const int64_t stated = c.integer_of("dtype", 0);
  return stated > 0 && stated < kElementTypes ? static_cast<ElementType>(stated) : otherwise;
}
template <bool kLike, bool kNormal>
void drawn(Call& c) {
  const Shape shape = kLike ? c.shape(0) : Shape(c.integers_of("shape"));
  ElementType type = type_or(c, kLike ? c.type(0) : ElementType::kFloat32);
  if (!is_float(stored_as(type))) type = ElementType::kFloat32;
  const DType wide = stored_as(type) == kF64 ? kF64 : kF32;
  const Tensor y = kNormal ? normal(shape, c.real_of("mean", 0), c.real_of("scale", 1), wide)
                           : uniform(shape, c.real_of("low", 0), c.real_of("high", 1), wide);
  c.set(0, cast(y, stored_as(type)), type);
}
void bernoulli_op(Call& c) {
  const Tensor p = c.tensor(0);
  const ElementType type = type_or(c, c.type(0));
  c.set(0, converted(rand(p.shape()) < cast(p, kF32), ElementType::kBool, type), type);
}
void multinomial(Call& c) {  // by Gumbel's trick
  const Tensor logits = cast(c.tensor(0), kF32);
  const int64_t n = c.integer_of("sample_size", 1);
  if (logits.rank() != 2 || n < 0) c.fail("x of shape " + logits.shape().str());
  const Tensor u = uniform({logits.size(0), n, logits.size(1)}, 1e-7, 1);
  const Tensor at = argmax(unsqueeze(logits, 1) - log(-log(u)), -1);
  const ElementType type = type_or(c, ElementType::kInt32);
  c.set(0, cast(at, stored_as(type)), type);
}

// ---- Windows ----

template <int kTerms>
void window(Call& c) {
  const int64_t n = c.integer(0);
  if (n < 0 || n > int64_t{1} << 31) c.fail("a window of " + std::to_string(n));
  const bool periodic = c.integer_of("periodic", 1) != 0;
  const ElementType type = static_cast<ElementType>(c.integer_of("output_datatype", 1));
  constexpr double kCosines[3][3] = {{0.5, 0.5, 0}, {25.0 / 46, 21.0 / 46, 0}, {0.42, 0.5, 0.08}};
  const double* a = kCosines[kTerms];
  const double over = static_cast<double>(periodic ? n : n - 1);
  const Tensor t = cast(arange(n), kF64) * (2 * std::numbers::pi / over);
  const Tensor y = n == 1 ? ones({1}, kF64) : a[0] - a[1] * cos(t) + a[2] * cos(2 * t);
  c.set(0, cast(y, stored_as(type)), type);
}

// ---- Fourier transforms: complex numbers are a last axis of 2 ----

void dft(Call& c) {
  const DType dtype = c.tensor(0).dtype();
  const Tensor x = cast(c.tensor(0), kF64);  // sums that cancel keep their digits
  const int rank = x.rank();
  const int64_t given = c.opset() >= 20 ? (c.has(2) ? c.integer(2) : -2) : c.integer_of("axis", 1);
  const int axis = c.axis(given, rank);
  if (axis == rank - 1)
    c.fail("axis " + std::to_string(axis) + " is that of real and imaginary parts");
  const bool inverse = c.integer_of("inverse", 0) != 0, onesided = c.integer_of("onesided", 0) != 0;
  std::optional<int64_t> n;
  if (c.has(1)) n = c.integer(1);
  const bool complex = x.size(-1) == 2;
  if (inverse && onesided) {  // half of a spectrum to a real signal
    const Complex half =
        complex ? Complex::from_pairs(x) : Complex{squeeze(x, -1), zeros_like(squeeze(x, -1))};
    return c.set(0, cast(unsqueeze(fft::irfft(half, n, axis), -1), dtype));
  }
  Complex y;
  if (complex) {
    const Complex in = Complex::from_pairs(x);
    y = inverse ? fft::ifft(in, n, axis) : fft::fft(in, n, axis);
  } else {
    const Tensor in = squeeze(x, -1);
    y = inverse    ? fft::ifft(Complex{in, zeros_like(in)}, n, axis)
        : onesided ? fft::rfft(in, n, axis)
                   : fft::fft(in, n, axis);
  }
  if (onesided && complex) {
    const int64_t half = y.re.size(axis) / 2 + 1;
    y = {narrow(y.re, axis, 0, half), narrow(y.im, axis, 0, half)};
  }
  c.set(0, cast(y.pairs(), dtype));
}

void stft_op(Call& c) {
  Tensor x = c.tensor(0);
  const int64_t step = c.integer(1);
  const bool complex = x.rank() == 3 && x.size(2) == 2;
  const bool onesided = c.integer_of("onesided", 1) != 0 && !complex;
  int64_t length = c.has(3) ? c.integer(3) : 0;
  if (length == 0 && c.has(2)) length = c.tensor(2).size(0);
  if (step < 1 || length < 1)
    c.fail("steps of " + std::to_string(step) + " and frames of " + std::to_string(length));
  const auto frames = [&](const Tensor& t) {  // (N, frames, length)
    const Tensor f = unfold(t, 1, length, step);
    return c.has(2) ? f * c.tensor(2) : f;
  };
  Complex y;
  if (complex)
    y = fft::fft(
        Complex{frames(squeeze(narrow(x, 2, 0, 1), 2)), frames(squeeze(narrow(x, 2, 1, 1), 2))});
  else {
    const Tensor f = frames(x.rank() == 3 ? squeeze(x, 2) : x);
    y = onesided ? fft::rfft(f) : fft::fft(f);
  }
  c.set(0, y.pairs());
}

void mel_weights(Call& c) {
  const int64_t bins = c.integer(0), length = c.integer(1), rate = c.integer(2);
  const double low = c.number(3), high = c.number(4);
  const ElementType type = static_cast<ElementType>(c.integer_of("output_datatype", 1));
  const int64_t spectrum = length / 2 + 1;
  if (bins < 1 || length < 1 || rate < 1 || bins > 1 << 20 || length > 1 << 24)
    c.fail("sizes must be above 0");
  const auto mel = [](double hz) { return 2595 * std::log10(1 + hz / 700); };
  const double from = mel(low), step = (mel(high) - from) / static_cast<double>(bins + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < bins + 2; ++i) {
    const double hz = 700 * (std::pow(10, (static_cast<double>(i) * step + from) / 2595) - 1);
    edges.push_back(static_cast<int64_t>(
        std::floor(static_cast<double>(length + 1) * hz / static_cast<double>(rate))));
  }
  std::vector<double> w(static_cast<size_t>(spectrum * bins), 0);
  const auto put = [&](int64_t row, int64_t bin, double value) {
    if (row >= 0 && row < spectrum) w[row * bins + bin] = value;
  };
  for (int64_t b = 0; b < bins; ++b) {
    const int64_t lower = edges[b], middle = edges[b + 1], upper = edges[b + 2];
    if (middle == lower)
      put(middle, b, 1);
    else
      for (int64_t j = lower; j <= middle; ++j)
        put(j, b, static_cast<double>(j - lower) / static_cast<double>(middle - lower));
    if (upper > middle)
      for (int64_t j = middle; j < upper; ++j)
        put(j, b, static_cast<double>(upper - j) / static_cast<double>(upper - middle));
  }
  c.set(0, cast(from_vector(w, {spectrum, bins}), stored_as(type)), type);
}

const Operators list{
    {"RandomNormal", drawn<false, true>, {.draws = true}},
    {"RandomNormalLike", drawn<true, true>, {.draws = true}},
    {"RandomUniform", drawn<false, false>, {.draws = true}},
    {"RandomUniformLike", drawn<true, false>, {.draws = true}},
    {"Bernoulli", bernoulli_op, {.draws = true}},
    {"Multinomial", multinomial, {.draws = true}},
    {"HannWindow", window<0>, {.read = 1}},
    {"HammingWindow", window<1>, {.read = 1}},
    {"BlackmanWindow", window<2>, {.read = 1}},
    {"DFT", dft, {.read = 6}},
    {"STFT", stft_op, {.read = 10}},
    {"MelWeightMatrix", mel_weights, {.read = 31}},
};

}  // namespace
}  // namespace glia::onnx
