// Activations as modules.
#pragma once

#include "glia/nn/module.h"
#include "glia/ops.h"
#include "glia/ops/activation.h"

namespace glia::nn {

// relu, tanh and their like.
using UnaryFunction = Tensor (*)(const Operand&);
// A function of one tensor as a module.
template <UnaryFunction function>
struct Activation : Module {
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return function({x, where});
  }
};
struct ReLU : Activation<relu> {};
struct SiLU : Activation<silu> {};
struct Tanh : Activation<tanh> {};
struct Sigmoid : Activation<sigmoid> {};
struct LogSigmoid : Activation<log_sigmoid> {};
struct Hardswish : Activation<hardswish> {};
struct Hardsigmoid : Activation<hardsigmoid> {};
struct ReLU6 : Activation<relu6> {};
struct Tanhshrink : Activation<tanhshrink> {};
struct Softsign : Activation<softsign> {};
struct Mish : Activation<mish> {};
struct SELU : Activation<selu> {};
struct GELU : Module {
  explicit GELU(GELUApproximate approximate = GELUApproximate::kNone) : approximate(approximate) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return gelu({x, where}, approximate);
  }
  GELUApproximate approximate;
};
// Where beta x is above the threshold, x itself.
struct Softplus : Module {
  explicit Softplus(double beta = 1, double threshold = 20) : beta(beta), threshold(threshold) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softplus({x, where}, beta, threshold);
  }
  double beta, threshold;
};
struct Threshold : Module {
  Threshold(double threshold, double value) : threshold(threshold), value(value) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return glia::threshold({x, where}, threshold, value);
  }
  double threshold, value;
};
struct Hardtanh : Module {
  explicit Hardtanh(double min_val = -1, double max_val = 1) : min_val(min_val), max_val(max_val) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return hardtanh({x, where}, min_val, max_val);
  }
  double min_val, max_val;
};
struct Hardshrink : Module {
  explicit Hardshrink(double lambd = 0.5) : lambd(lambd) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return hardshrink({x, where}, lambd);
  }
  double lambd;
};
struct Softshrink : Module {
  explicit Softshrink(double lambd = 0.5) : lambd(lambd) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softshrink({x, where}, lambd);
  }
  double lambd;
};
struct CELU : Module {
  explicit CELU(double alpha = 1) : alpha(alpha) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return celu({x, where}, alpha);
  }
  double alpha;
};
struct LeakyReLU : Module {
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope(negative_slope) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return leaky_relu({x, where}, negative_slope);
  }
  double negative_slope;
};
struct ELU : Module {
  explicit ELU(double alpha = 1) : alpha(alpha) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return elu({x, where}, alpha);
  }
  double alpha;
};
// A slope for negative numbers that is learnt: one, or one for each channel, the last axis.
struct PReLU : Module {
  explicit PReLU(int64_t num_parameters = 1, double init = 0.25);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return prelu(x, weight, where);
  }
  Parameter weight;  // (num_parameters)
  GLIA_FIELDS(weight)
};
// Random slopes for negative numbers in training mode, their mean in evaluation mode.
struct RReLU : Module {
  explicit RReLU(double lower = 1.0 / 8, double upper = 1.0 / 3) : lower(lower), upper(upper) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return rrelu(x, lower, upper, is_training(), where);
  }
  double lower, upper;
};
// Of the halves a and b of an axis: a times sigmoid, silu or gelu of b.
struct GLU : Module {
  explicit GLU(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return glu(x, dim, where);
  }
  int dim;
};
struct SwiGLU : Module {
  explicit SwiGLU(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return swiglu(x, dim, where);
  }
  int dim;
};
struct GEGLU : Module {
  explicit GEGLU(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return geglu(x, dim, where);
  }
  int dim;
};
struct Softmax : Module {
  explicit Softmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softmax(x, dim, where);
  }
  int dim;
};
struct Softmin : Module {
  explicit Softmin(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softmin(x, dim, where);
  }
  int dim;
};
// Over the channels of (N, H, W, C) or (H, W, C).
struct Softmax2d : Module {
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
};
struct LogSoftmax : Module {
  explicit LogSoftmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return log_softmax(x, dim, where);
  }
  int dim;
};

}  // namespace glia::nn
