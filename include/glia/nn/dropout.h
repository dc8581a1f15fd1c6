// Dropouts besides nn::Dropout, as modules: in training mode the functions of glia/ops/normalize.h,
// in evaluation mode nothing.
#pragma once

#include "glia/nn/module.h"
#include "glia/ops/normalize.h"

namespace glia::nn {

// What drops by a probability. Constructors throw ShapeError for one that is not in [0, 1].
struct DropoutBase : Module {
  explicit DropoutBase(const char* layer, double p);
  double p;
};

// Whole channels of (N, positions, C), (N, H, W, C) and (N, D, H, W, C), or of one example.
struct Dropout1d : DropoutBase {
  explicit Dropout1d(double p = 0.5) : DropoutBase("Dropout1d", p) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
struct Dropout2d : DropoutBase {
  explicit Dropout2d(double p = 0.5) : DropoutBase("Dropout2d", p) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
struct Dropout3d : DropoutBase {
  explicit Dropout3d(double p = 0.5) : DropoutBase("Dropout3d", p) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
// For networks of SELU; the second one drops whole channels of (N, ..., C).
struct AlphaDropout : DropoutBase {
  explicit AlphaDropout(double p = 0.5) : DropoutBase("AlphaDropout", p) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
struct FeatureAlphaDropout : DropoutBase {
  explicit FeatureAlphaDropout(double p = 0.5) : DropoutBase("FeatureAlphaDropout", p) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
// Whole examples, for the branch of a residual block (Huang et al. 2016, stochastic depth).
struct DropPath : DropoutBase {
  explicit DropPath(double p, DropPathMode mode = DropPathMode::kRow)
      : DropoutBase("DropPath", p), mode(mode) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  DropPathMode mode;
};

}  // namespace glia::nn
