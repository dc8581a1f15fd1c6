// Mixtures of Gaussians in the plane, on which it shows whether a generator has learnt all modes of
// its data or only some.
#pragma once

#include <cstdint>

#include "glia/tensor.h"

namespace glia::generative {

// Equally likely Gaussians of one deviation, the same in each direction.
struct Mixture {
  Tensor centres;  // f64 (K, 2)
  double deviation = 0;

  int64_t size() const { return centres.size(0); }
  Tensor sample(int64_t n) const;  // f32 (n, 2), from the default random stream
};
// The usual two (Lin et al. 2018, PacGAN), scaled to a variance near 1: 8 on a ring of radius 2
// with deviation 0.02, and 25 on a grid of spacing 2 with deviation 0.05.
Mixture ring_of_gaussians();
Mixture grid_of_gaussians();

// What samples (N, 2) have of a mixture, as Lin et al. judge it.
struct Coverage {
  int64_t modes = 0;        // centres with a sample within three deviations
  double good_samples = 0;  // the share of samples that are so near to any
  int64_t samples = 0;
};
// Throws ShapeError unless the samples are (N, 2). NaN is near to nothing.
Coverage coverage(const Mixture& mixture, const Tensor& samples, Where where = Where::current());

}  // namespace glia::generative
