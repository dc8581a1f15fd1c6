// Fourier transforms against the sum that defines them, their inverses, derivatives and identities.
#include "glia/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::expect_same;
using test::expect_values;
using test::message_of;
using Long = long double;

double eps_of(DType dtype) {
  return dtype == kF64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
}

// The sum that defines it, along axis 1 of (a, n, b): parts one behind the other.
std::vector<double> plain(const Complex& x) {
  const std::vector<double> re = x.re.to_vector<double>(), im = x.im.to_vector<double>();
  const int64_t a = x.re.size(0), n = x.re.size(1), b = x.re.size(2);
  std::vector<Long> c(n), s(n);
  for (int64_t k = 0; k < n; ++k) {
    const Long angle = 2 * std::numbers::pi_v<Long> * static_cast<Long>(k) / static_cast<Long>(n);
    c[k] = std::cos(angle);
    s[k] = -std::sin(angle);
  }
  std::vector<double> out(2 * re.size());
  for (int64_t i = 0; i < a; ++i)
    for (int64_t k = 0; k < n; ++k)
      for (int64_t l = 0; l < b; ++l) {
        Long p = 0, q = 0;
        for (int64_t j = 0; j < n; ++j) {
          const int64_t at = (i * n + j) * b + l, w = j * k % n;
          p += re[at] * c[w] - im[at] * s[w];
          q += re[at] * s[w] + im[at] * c[w];
        }
        out[(i * n + k) * b + l] = static_cast<double>(p);
        out[re.size() + (i * n + k) * b + l] = static_cast<double>(q);
      }
  return out;
}

// The largest difference in units of eps times the largest number.
double error_of(const Complex& y, const std::vector<double>& expected) {
  std::vector<double> all = y.re.to_vector<double>();
  const std::vector<double> im = y.im.to_vector<double>();
  all.insert(all.end(), im.begin(), im.end());
  EXPECT_EQ(all.size(), expected.size());
  double most = 0, difference = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    most = std::max(most, std::abs(expected[i]));
    difference = std::max(difference, std::abs(all[i] - expected[i]));
  }
  return difference / (most * eps_of(y.re.dtype()) + 1e-300);
}
Complex random(const Shape& shape, DType dtype) {
  return {randn(shape, dtype), randn(shape, dtype)};
}
double difference(const Complex& a, const Complex& b) {
  return std::max(max(abs(a.re - b.re)).item(), max(abs(a.im - b.im)).item());
}

TEST(Fft, IsTheSum) {
  for (DType dtype : {kF32, kF64}) {
    for (int64_t n : {1,  2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14,  15,
                      16, 17,  18,  19,  23,  26,  30,  32,  34,  37,  49,  60,  64,  77,  81,
                      97, 100, 101, 120, 121, 128, 169, 210, 243, 256, 257, 500, 512, 625, 1001}) {
      for (const auto& [a, b] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 1}, {19, 1}, {2, 3}, {1, 18}}) {
        if (n > 130 && a * b > 3) continue;
        SCOPED_TRACE(std::to_string(n) + " " + std::to_string(a) + " " + std::to_string(b) + " " +
                     name(dtype));
        const Complex x = random({a, n, b}, dtype);
        const Complex y = fft::fft(x, {}, 1);
        EXPECT_LT(error_of(y, plain(x)), 12);
        EXPECT_LT(difference(fft::ifft(y, {}, 1), x), 30 * eps_of(dtype));
        const Complex whole = fft::fft(x.re, {}, 1), half = fft::rfft(x.re, {}, 1);
        EXPECT_EQ(half.re.size(1), n / 2 + 1);
        const auto first = [&](const Tensor& t) { return slice(t, 1, {0, n / 2 + 1}); };
        const double most = max(abs(whole)).item();
        EXPECT_LT(difference(half, {first(whole.re), first(whole.im)}), 12 * most * eps_of(dtype));
        expect_same(fft::irfft(half, n, 1), x.re, 30 * eps_of(dtype));
      }
    }
  }
}

TEST(Fft, LongLines) {
  // Against the transform of a few frequencies, of lines that are taken apart and of those that are
  // not.
  for (DType dtype : {kF32, kF64}) {
    for (int64_t n : {1000, 1024, 2048, 4096, 10007, 32768, 40000, 65536, 99991, 131072, 100000}) {
      for (int64_t lines : {1, 2, 9}) {
        const Complex x = random({lines, n}, dtype), y = fft::fft(x);
        SCOPED_TRACE(std::to_string(n) + " x " + std::to_string(lines));
        const double scale = std::sqrt(static_cast<double>(n)) * eps_of(dtype) * 30;
        for (int64_t k : {int64_t{0}, int64_t{1}, n / 3, n - 1}) {
          const std::vector<double> re = index(x.re, {lines - 1}).to_vector<double>(),
                                    im = index(x.im, {lines - 1}).to_vector<double>();
          Long p = 0, q = 0;
          for (int64_t j = 0; j < n; ++j) {
            const Long angle = -2 * std::numbers::pi_v<Long> * static_cast<Long>(j * k % n) / n;
            p += re[j] * std::cos(angle) - im[j] * std::sin(angle);
            q += re[j] * std::sin(angle) + im[j] * std::cos(angle);
          }
          EXPECT_NEAR(index(y.re, {lines - 1, k}).item(), static_cast<double>(p), scale);
          EXPECT_NEAR(index(y.im, {lines - 1, k}).item(), static_cast<double>(q), scale);
        }
        EXPECT_LT(difference(fft::ifft(y), x), 60 * eps_of(dtype));
        const Complex half = fft::rfft(x.re), whole = fft::fft(x.re);
        EXPECT_LT(difference(half, {slice(whole.re, 1, {0, n / 2 + 1}),
                                    slice(whole.im, 1, {0, n / 2 + 1})}),
                  scale);
        expect_same(fft::irfft(half, n), x.re, 60 * eps_of(dtype));
      }
    }
  }
}

TEST(Fft, NormsLengthsAndAxes) {
  const Complex x = random({3, 4, 6}, kF64);
  for (fft::Norm norm : {fft::Norm::kBackward, fft::Norm::kOrtho, fft::Norm::kForward}) {
    EXPECT_LT(difference(fft::ifft(fft::fft(x, {}, 1, norm), {}, 1, norm), x), 1e-14);
    EXPECT_LT(difference(fft::ifftn(fft::fftn(x, {}, {}, norm), {}, {}, norm), x), 1e-14);
    expect_same(fft::irfftn(fft::rfftn(x.re, {}, {}, norm), {}, {}, norm), x.re, 1e-14);
    expect_same(fft::hfft(fft::ihfft(x.re, {}, -1, norm), 6, -1, norm), x.re, 1e-14);
    for (int type : {1, 2, 3, 4})
      for (int64_t n : {2, 3, 4, 5, 8, 9})
        expect_same(fft::idct(fft::dct(x.re, type, n, 1, norm), type, n, 1, norm),
                    n > 4 ? pad(x.re, {{0, 0}, {0, n - 4}, {0, 0}}) : slice(x.re, 1, {0, n}),
                    1e-13);
  }
  const Complex two = fft::fft2(x), apart = fft::fft(fft::fft(x, {}, 2), {}, 1);
  EXPECT_LT(difference(two, apart), 1e-13);
  EXPECT_EQ(fft::fft(x, 9, 0).re.shape(), (Shape{9, 4, 6}));
  EXPECT_EQ(fft::irfft(x, {}, -1).shape(), (Shape{3, 4, 10}));
  EXPECT_EQ(fft::rfftn(x.re, {5, 7}).re.shape(), (Shape{3, 5, 4}));
  const double energy = sum(square(x.re) + square(x.im)).item();
  const Complex y = fft::fftn(x, {}, {}, fft::Norm::kOrtho);
  EXPECT_NEAR(sum(square(y.re) + square(y.im)).item(), energy, 1e-11);
}

TEST(Fft, OfConjugatesAlongSeveralAxes) {
  const Tensor x = randn({3, 4, 6}, kF64);
  for (const fft::Norm norm : {fft::Norm::kBackward, fft::Norm::kOrtho, fft::Norm::kForward}) {
    const Complex half = fft::ihfftn(x, {}, {0, 2}, norm);
    EXPECT_EQ(half.re.shape(), (Shape{3, 4, 4}));
    expect_same(fft::hfftn(half, {3, 6}, {0, 2}, norm), x, 1e-14);
    expect_same(fft::hfft2(fft::ihfft2(x, {}, {-2, -1}, norm), {}, {-2, -1}, norm), x, 1e-14);
  }
  // The inverse spectrum is the conjugate of the spectrum, divided by how many numbers there are.
  const Complex all = fft::rfftn(x);
  expect_same(fft::ihfftn(x).re * 72, all.re, 1e-13);
  expect_same(fft::ihfftn(x).im * -72, all.im, 1e-13);
  EXPECT_THROW(fft::hfftn(Complex{x, x}, {2}, {0, 1}), ShapeError);
}

TEST(Fft, CosineTransformsAreTheirSums) {
  const Tensor x = test::numbers({7});
  const std::vector<double> v = x.to_vector<double>();
  for (int type : {1, 2, 3, 4}) {
    std::vector<double> expected;
    for (int k = 0; k < 7; ++k) {
      double s = 0;
      for (int j = 0; j < 7; ++j) {
        const double pi = std::numbers::pi;
        s += type == 1   ? (j == 0 || j == 6 ? 1 : 2) * v[j] * std::cos(pi * j * k / 6)
             : type == 2 ? 2 * v[j] * std::cos(pi * k * (2 * j + 1) / 14)
             : type == 3 ? (j == 0 ? 1 : 2) * v[j] * std::cos(pi * j * (2 * k + 1) / 14)
                         : 2 * v[j] * std::cos(pi * (2 * j + 1) * (2 * k + 1) / 28);
      }
      expected.push_back(s);
    }
    expect_values(fft::dct(x, type), {7}, expected, 1e-13);
    const Tensor y = fft::dct(x, type, {}, -1, fft::Norm::kOrtho);
    EXPECT_NEAR(sum(square(y)).item(), sum(square(x)).item(), 1e-12) << type;
  }
}

TEST(Fft, FrequenciesAndShifts) {
  expect_values(fft::fftfreq(5, 0.5, kF64), {5}, {0, 0.4, 0.8, -0.8, -0.4}, 1e-15);
  expect_values(fft::fftfreq(4), {4}, {0, 0.25, -0.5, -0.25});
  expect_values(fft::rfftfreq(5), {3}, {0, 0.2, 0.4}, 1e-7);
  const Tensor x = reshape(arange(15), {3, 5});
  expect_values(fft::fftshift(index(x, {0})), {5}, {3, 4, 0, 1, 2});
  expect_same(fft::ifftshift(fft::fftshift(x)), x);
  expect_same(fft::ifftshift(fft::fftshift(x, {1}), {-1}), x);
}

TEST(Fft, DerivativesVmapAndThreads) {
  const auto check = [](const char* what, const TensorFunction& f, const std::vector<Tensor>& in) {
    EXPECT_EQ(gradcheck(f, in), "") << what;
    EXPECT_EQ(gradgradcheck(f, in), "") << what;
  };
  for (int64_t n : {5, 6}) {
    const Tensor a = randn({2, n}, kF64), b = randn({2, n}, kF64);
    check("fft",
          [](const auto& x) {
            const Complex y = fft::fft(Complex{x[0], x[1]}, {}, -1, fft::Norm::kOrtho);
            return square(y.re) * y.im;
          },
          {a, b});
    check("ifft", [](const auto& x) { return square(fft::ifft({x[0], x[1]}).im); }, {a, b});
    check("rfft",
          [](const auto& x) {
            const Complex y = fft::rfft(x[0], {}, 1);
            return square(y.re) + y.im * y.re;
          },
          {a});
    check("irfft", [n](const auto& x) { return square(fft::irfft({x[0], x[1]}, n)); }, {a, b});
    check("dct", [](const auto& x) { return square(fft::dct(x[0])); }, {a});
    // The gradient of the real transform is the transposed sum.
    const Tensor x = trainable(a);
    const Complex y = fft::rfft(x);
    const Tensor w = randn(y.re.shape(), kF64);
    const auto f = [&](const std::vector<Tensor>& in) { return fft::rfft(in[0]).re; };
    const Tensor along = randn({2, n}, kF64);
    EXPECT_NEAR(sum(jvp(f, {a}, {along}).second * w).item(),
                sum(vjp(f, {a}, w).second[0] * along).item(), 1e-12);
    const Tensor each = vmap([](const auto& in) { return fft::fft(in[0]).im; })({a});
    expect_same(each, fft::fft(a).im, 1e-14);
  }
  const Complex x = random({40, 700}, kF32), line = random({1 << 16}, kF32);
  const auto values = [&] {
    std::vector<float> all;
    for (const Complex& y : {fft::fft(x), fft::fft(x, {}, 0), fft::fft(line), fft::rfft(line.re)})
      for (const Tensor& t : {y.re, y.im}) {
        const std::vector<float> part = t.to_vector<float>();
        all.insert(all.end(), part.begin(), part.end());
      }
    return all;
  };
  const int threads = num_threads();
  set_num_threads(1);
  const std::vector<float> alone = values();
  for (int n : {2, 4}) {
    set_num_threads(n);
    EXPECT_EQ(values(), alone);
  }
  set_num_threads(threads);
  set_eager(true);
  EXPECT_EQ(values(), alone);
  set_eager(false);
}

TEST(Fft, Windows) {
  expect_values(hann_window(4), {4}, {0, 0.5, 1, 0.5}, 1e-7);
  expect_values(hann_window(5, false), {5}, {0, 0.5, 1, 0.5, 0}, 1e-7);
  expect_values(hamming_window(4), {4}, {0.08, 0.54, 1, 0.54}, 1e-7);
  expect_values(blackman_window(4, true, kF64), {4}, {0, 0.34, 1, 0.34}, 1e-15);
  expect_values(bartlett_window(4), {4}, {0, 0.5, 1, 0.5});
  expect_values(bartlett_window(1), {1}, {1});
  // The values of torch.signal.windows.
  expect_values(nuttall_window(4, true, kF64), {4}, {0.0003628, 0.2269824, 1, 0.2269824}, 1e-7);
  expect_values(general_cosine_window(4, {0.46, 0.23, 0.31}, true, kF64), {4},
                {0.54, 0.15, 1, 0.15}, 1e-15);
  expect_same(general_hamming_window(9, 0.54), hamming_window(9));
  expect_values(cosine_window(3, false, kF64), {3}, {0.5, 1, 0.5}, 1e-15);
  expect_values(cosine_window(3, true, kF64), {3},
                {std::sin(M_PI / 8), std::sin(3 * M_PI / 8), std::sin(5 * M_PI / 8)}, 1e-15);
  expect_values(exponential_window(3, {}, 2, false, kF64), {3}, {std::exp(-0.5), 1, std::exp(-0.5)},
                1e-15);
  expect_values(exponential_window(2, 0.0, 1, false, kF64), {2}, {1, std::exp(-1)}, 1e-15);
  for (const Tensor& one : {cosine_window(1), nuttall_window(1), exponential_window(1)})
    expect_values(one, {1}, {1});
  EXPECT_THROW(exponential_window(3, {}, 0), ValueError);
  EXPECT_THROW(general_cosine_window(3, {}), ValueError);
  EXPECT_EQ(kaiser_window(0).numel(), 0);
  EXPECT_NEAR(index(kaiser_window(5, false, 12, kF64), {2}).item(), 1, 1e-15);
  expect_values(gaussian_window(3, 1, false, kF64), {3}, {std::exp(-0.5), 1, std::exp(-0.5)},
                1e-15);
}

TEST(Fft, ShortTimeSpectraGoThereAndBack) {
  for (int64_t n_fft : {16, 15})
    for (int64_t hop : {4, 5})
      for (bool onesided : {true, false})
        for (bool normalized : {true, false}) {
          const Tensor x = randn({2, 100}, kF64);
          StftOptions o{.hop_length = hop,
                        .win_length = 13,
                        .window = hann_window(13, true, kF64),
                        .normalized = normalized,
                        .onesided = onesided};
          const Complex y = stft(x, n_fft, o);
          const int64_t frames = (100 + n_fft / 2 * 2 - n_fft) / hop + 1;
          EXPECT_EQ(y.re.shape(), (Shape{2, onesided ? n_fft / 2 + 1 : n_fft, frames}));
          const int64_t there = std::min<int64_t>(100, (y.re.size(-1) - 1) * hop);
          expect_same(slice(istft(y, n_fft, o, 100), 1, {0, there}), slice(x, 1, {0, there}),
                      1e-12);
          // One frame by itself.
          const Tensor frame = slice(x, 1, {3 * hop - n_fft / 2, 3 * hop - n_fft / 2 + n_fft});
          const Tensor window = pad(o.window, {{(n_fft - 13) / 2, n_fft - 13 - (n_fft - 13) / 2}});
          const Complex one = fft::rfft(frame * window, {}, -1,
                                        normalized ? fft::Norm::kOrtho : fft::Norm::kBackward);
          expect_same(slice(index(y.re, {Slice{}, Slice{}, 3}), 1, {0, n_fft / 2 + 1}), one.re,
                      1e-12);
        }
  EXPECT_EQ(gradcheck(
                [](const auto& x) {
                  const Complex y = stft(x[0], 8, {.window = hann_window(8, true, kF64)});
                  return square(y.re) + y.im;
                },
                {randn({20}, kF64)}),
            "");
}

TEST(Fft, SaysWhatIsWrong) {
  const Tensor x = ones({4});
  EXPECT_NE(message_of<ShapeError>([&] { fft::rfft(x, 0); }).find("a transform of 0 numbers"),
            std::string::npos);
  EXPECT_THROW(fft::rfft(x, -3), ShapeError);
  EXPECT_THROW(fft::rfft(x, INT64_MAX), ShapeError);
  EXPECT_THROW(fft::rfft(x, {}, 1), ShapeError);
  EXPECT_THROW(fft::rfft(Tensor()), ShapeError);
  EXPECT_THROW(fft::fft(Complex{x, {}}), ShapeError);
  EXPECT_THROW(fft::fftn(x, {1, 2}), ShapeError);
  EXPECT_THROW(fft::fftn(ones({2, 2}), {2}, {0, 1}), ShapeError);
  EXPECT_THROW(fft::fftn(ones({2, 2}), {}, {0, 0}), ShapeError);
  EXPECT_THROW(fft::irfft({ones({1}), ones({1})}), ShapeError);
  EXPECT_THROW(fft::dct(x, 5), ShapeError);
  EXPECT_THROW(fft::dct(ones({1}), 1), ShapeError);
  EXPECT_THROW(fft::fftfreq(0), ShapeError);
  EXPECT_THROW(hann_window(-1), ShapeError);
  EXPECT_THROW(stft(x, 0), ShapeError);
  EXPECT_THROW(stft(x, 16), ShapeError);
  EXPECT_THROW(stft(x, 4, {.hop_length = 0}), ShapeError);
  EXPECT_THROW(stft(x, 4, {.window = ones({3})}), ShapeError);
  EXPECT_THROW(istft({ones({3, 2}), ones({3, 2})}, 8), ShapeError);
  EXPECT_THROW(istft({ones({3, 2}), ones({3, 2})}, 4, {.window = zeros({4})}), ValueError);
  EXPECT_THROW(istft({ones({9, 4}), ones({9, 4})}, 16, {.hop_length = INT64_MAX}), ShapeError);
  EXPECT_THROW(istft({ones({9, 4}), ones({9, 4})}, 16, {}, INT64_MAX), ShapeError);
  EXPECT_THROW(hann_window(INT64_MAX), ShapeError);
  EXPECT_EQ(fft::rfft(zeros({0, 4})).re.to_vector<float>().size(), 0u);
}

}  // namespace
}  // namespace glia
