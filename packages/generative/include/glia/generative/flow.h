// Normalising flows: invertible networks whose density is exact (RealNVP, Dinh et al. 2017).
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/module.h"
#include "glia/nn/sequential.h"

namespace glia::generative {

// What a flow makes of x (N, D), and the logarithm of the volume that it makes of a unit there (N).
struct Flowed {
  Tensor out, log_det;
};

// An affine coupling: one half of the numbers scales and shifts the other,
//   y2 = x2 exp(s(x1)) + t(x1), s = scale tanh(.),
// the first half by the second if `reversed`.
struct AffineCoupling : nn::Module {
  AffineCoupling(int64_t features, const std::vector<int64_t>& hidden, bool reversed);
  Flowed forward(const Tensor& x) const;
  Tensor inverse(const Tensor& y) const;

  nn::Sequential net;
  Parameter scale;  // of each number of that half
  GLIA_FIELDS(net, scale)

 private:
  struct Halves {
    Tensor known, changed;
  };
  Halves halves(const Tensor& x) const;
  struct Map {
    Tensor log_scale, shift;
  };
  Map map(const Tensor& known) const;
  Tensor joined(const Tensor& known, const Tensor& changed) const;
  int64_t features_, kept_;
  bool reversed_;
};

struct RealNvpOptions {
  int64_t layers = 8;                        // couplings, in turn of either half
  std::vector<int64_t> hidden = {128, 128};  // of each one's network, with ReLU
};
// From data (N, D) to N(0, 1) and back. Throws ValueError for options out of range and fewer than
// two features, ShapeError for other shapes.
struct RealNvp : nn::Module {
  explicit RealNvp(int64_t features, const RealNvpOptions& options = {});
  Flowed forward(const Tensor& x, Where where = Where::current()) const;
  Tensor inverse(const Tensor& z, Where where = Where::current()) const;
  // log p(x) = log N(z; 0, 1) + log |det dz/dx|: (N).
  Tensor log_density(const Tensor& x, Where where = Where::current()) const;
  Tensor sample(int64_t n) const;  // (n, D), without gradients

  std::vector<AffineCoupling> couplings;
  GLIA_FIELDS(couplings)

 private:
  void check(const char* name, const Tensor& x, Where where) const;
  int64_t features_;
};

}  // namespace glia::generative
