// Activations as modules.
#pragma once

#include "glia/nn/module.h"
#include "glia/ops.h"

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
struct GELU : Activation<gelu> {};
struct SiLU : Activation<silu> {};
struct Tanh : Activation<tanh> {};
struct Sigmoid : Activation<sigmoid> {};
struct LogSigmoid : Activation<log_sigmoid> {};
struct Softplus : Activation<softplus> {};
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
struct Softmax : Module {
  explicit Softmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softmax(x, dim, where);
  }
  int dim;
};
struct LogSoftmax : Module {
  explicit LogSoftmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return log_softmax(x, dim, where);
  }
  int dim;
};

}  // namespace glia::nn
