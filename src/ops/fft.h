// Attributes of the recorded Fourier transforms, for their kernels.
#pragma once

#include "glia/op.h"

namespace glia {

// fft(re, im) -> re, im and rfft(x) -> re, im, of half of the spectrum: sums of
// x[j] exp(-2 pi i j k / n) along an axis, times the scale.
struct FftAttributes {
  int64_t axis = 0;
  double scale = 1;
  GLIA_ATTRIBUTES(axis, scale)
};
// irfft(re, im) -> x (n along the axis): sums with exp(2 pi i j k / n) over the whole spectrum, of
// which a half is given.
struct IrfftAttributes {
  int64_t axis = 0, n = 1;
  double scale = 1;
  GLIA_ATTRIBUTES(axis, n, scale)
};

}  // namespace glia
