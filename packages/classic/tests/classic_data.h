// Data that the tests of this package share.
#pragma once

#include <vector>

#include "glia/data.h"
#include "glia/tensor.h"

namespace glia::classic::test {

inline double gaussian(data::Random& random) {  // by the central limit theorem
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum;
}

struct Blobs {
  Tensor x;        // (n, d)
  Tensor centers;  // (k, d)
  std::vector<int64_t> of;
};

// Samples of variance 1 around k centers that are `apart` from zero in a direction of their own.
inline Blobs blobs(int64_t n, int64_t d, int64_t k, double apart, DType dtype = kF64,
                   uint64_t seed = 1) {
  data::Random random(seed);
  std::vector<double> centers(static_cast<size_t>(k * d)), x;
  for (double& c : centers) c = apart * gaussian(random);
  Blobs b;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t j = i < k ? i : random.below(k);
    b.of.push_back(j);
    for (int64_t f = 0; f < d; ++f) x.push_back(centers[j * d + f] + gaussian(random));
  }
  const auto as = [&](const std::vector<double>& v, const Shape& shape) {
    if (dtype == kF64) return from_vector(v, shape);
    return from_vector(std::vector<float>(v.begin(), v.end()), shape);
  };
  b.x = as(x, {n, d});
  b.centers = as(centers, {k, d});
  return b;
}

}  // namespace glia::classic::test
