// Discrete Fourier transforms with PyTorch's names (torch.fft), windows and short-time spectra
// (torch.stft), cosine transforms (scipy.fft). Any length, f32 or f64, on complex numbers as pairs
// of tensors; differentiable any number of times. Functions throw ShapeError for what does not fit.
#pragma once

#include <optional>
#include <vector>

#include "glia/complex.h"
#include "glia/ops.h"

namespace glia::fft {

// Where sums are divided by how many there are: backwards, by the root both ways, or forwards.
enum class Norm { kBackward, kOrtho, kForward };

// ---- Along one axis ---------------------------------------------------------------------------
// `n` cuts the axis or fills it up with zeros first; for irfft and hfft it is the result's length,
// 2 (size - 1) if unset.

// sum of x[j] exp(-2 pi i j k / n), and back.
Complex fft(const Complex& x, std::optional<int64_t> n = {}, int axis = -1,
            Norm norm = Norm::kBackward, Where where = Where::current());
Complex fft(const Tensor& x, std::optional<int64_t> n = {}, int axis = -1,
            Norm norm = Norm::kBackward, Where where = Where::current());
Complex ifft(const Complex& x, std::optional<int64_t> n = {}, int axis = -1,
             Norm norm = Norm::kBackward, Where where = Where::current());
// Numbers 0 .. n / 2 of a real sequence's spectrum, of which the others are the conjugates; and
// back.
Complex rfft(const Tensor& x, std::optional<int64_t> n = {}, int axis = -1,
             Norm norm = Norm::kBackward, Where where = Where::current());
Tensor irfft(const Complex& x, std::optional<int64_t> n = {}, int axis = -1,
             Norm norm = Norm::kBackward, Where where = Where::current());
// Of a sequence that is its own conjugate mirrored, given by a half; and back.
Tensor hfft(const Complex& x, std::optional<int64_t> n = {}, int axis = -1,
            Norm norm = Norm::kBackward, Where where = Where::current());
Complex ihfft(const Tensor& x, std::optional<int64_t> n = {}, int axis = -1,
              Norm norm = Norm::kBackward, Where where = Where::current());

// ---- Along several axes -----------------------------------------------------------------------
// `s` has the lengths, as `n` does, one for each of `axes` (none: as they are). No axes: the last
// ones, as many as `s` has, or all. Of real ones the last of the axes is halved.

Complex fftn(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex fftn(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex ifftn(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
              Norm norm = Norm::kBackward, Where where = Where::current());
Complex rfftn(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
              Norm norm = Norm::kBackward, Where where = Where::current());
Tensor irfftn(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
              Norm norm = Norm::kBackward, Where where = Where::current());
Complex fft2(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex fft2(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex ifft2(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
              Norm norm = Norm::kBackward, Where where = Where::current());
Complex rfft2(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
              Norm norm = Norm::kBackward, Where where = Where::current());
Tensor irfft2(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
              Norm norm = Norm::kBackward, Where where = Where::current());

// As hfft along the last of the axes, with fft along the others; and back.
Tensor hfftn(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex ihfftn(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {},
               Norm norm = Norm::kBackward, Where where = Where::current());
Tensor hfft2(const Complex& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
             Norm norm = Norm::kBackward, Where where = Where::current());
Complex ihfft2(const Tensor& x, const std::vector<int64_t>& s = {}, const Axes& axes = {-2, -1},
               Norm norm = Norm::kBackward, Where where = Where::current());

// ---- Order of frequencies ---------------------------------------------------------------------

// The frequency of each number of a spectrum, in cycles per unit, for samples d units apart.
Tensor fftfreq(int64_t n, double d = 1, DType dtype = kF32);   // (n)
Tensor rfftfreq(int64_t n, double d = 1, DType dtype = kF32);  // (n / 2 + 1)
// Frequency 0 to the middle of the axes (all when empty), and back.
Tensor fftshift(const Tensor& x, const Axes& axes = {}, Where where = Where::current());
Tensor ifftshift(const Tensor& x, const Axes& axes = {}, Where where = Where::current());
Complex fftshift(const Complex& x, const Axes& axes = {}, Where where = Where::current());
Complex ifftshift(const Complex& x, const Axes& axes = {}, Where where = Where::current());

// ---- Cosine transforms ------------------------------------------------------------------------

// SciPy's dct and idct of types 1 to 4, with its norms; type 1 needs 2 numbers or more. Type 2 is
// 2 sum of x[j] cos(pi k (2 j + 1) / (2 n)).
Tensor dct(const Tensor& x, int type = 2, std::optional<int64_t> n = {}, int axis = -1,
           Norm norm = Norm::kBackward, Where where = Where::current());
Tensor idct(const Tensor& x, int type = 2, std::optional<int64_t> n = {}, int axis = -1,
            Norm norm = Norm::kBackward, Where where = Where::current());

}  // namespace glia::fft

namespace glia {

// ---- Windows ----------------------------------------------------------------------------------
// (n); periodic ones are for spectra, the others symmetric, as torch.hann_window and the like.

Tensor hann_window(int64_t n, bool periodic = true, DType dtype = kF32);
Tensor hamming_window(int64_t n, bool periodic = true, double alpha = 0.54, double beta = 0.46,
                      DType dtype = kF32);
Tensor blackman_window(int64_t n, bool periodic = true, DType dtype = kF32);
Tensor bartlett_window(int64_t n, bool periodic = true, DType dtype = kF32);
Tensor kaiser_window(int64_t n, bool periodic = true, double beta = 12, DType dtype = kF32);
Tensor gaussian_window(int64_t n, double std = 1, bool periodic = true, DType dtype = kF32);
// a[0] - a[1] cos(t) + a[2] cos(2 t) - ..., t from 0 to 2 pi; hamming with alpha and 1 - alpha.
Tensor general_cosine_window(int64_t n, const std::vector<double>& a, bool periodic = true,
                             DType dtype = kF32);
Tensor general_hamming_window(int64_t n, double alpha = 0.54, bool periodic = true,
                              DType dtype = kF32);
Tensor nuttall_window(int64_t n, bool periodic = true, DType dtype = kF32);
Tensor cosine_window(int64_t n, bool periodic = true, DType dtype = kF32);
// exp(-|k - center| / tau), tau above 0; center: the middle if unset.
Tensor exponential_window(int64_t n, std::optional<double> center = {}, double tau = 1,
                          bool periodic = true, DType dtype = kF32);

// ---- Short-time spectra -----------------------------------------------------------------------

enum class StftPad { kReflect, kConstant, kReplicate };
struct StftOptions {
  std::optional<int64_t> hop_length = {};  // unset: n_fft / 4
  std::optional<int64_t> win_length = {};  // unset: n_fft
  Tensor window = {};                      // (win_length), centred in n_fft; unset: ones
  bool center = true;                      // frame t is around number t * hop, at its middle
  StftPad pad_mode = StftPad::kReflect;    // what is beyond the ends then
  bool normalized = false;                 // spectra are divided by sqrt(n_fft)
  bool onesided = true;                    // only numbers 0 .. n_fft / 2
};
// x (T) or (N, T) -> (..., F, frames), F = n_fft / 2 + 1, or n_fft.
Complex stft(const Tensor& x, int64_t n_fft, const StftOptions& options = {},
             Where where = Where::current());
// Back, by overlapping and adding, divided by the windows' squares (Griffin & Lim 1984), of which
// the sum must be above 0: ValueError else. `length`: how many numbers to give. pad_mode does not
// count.
Tensor istft(const Complex& x, int64_t n_fft, const StftOptions& options = {},
             std::optional<int64_t> length = {}, Where where = Where::current());

}  // namespace glia
