#include "ops/autocast.h"

#include <cstdio>
#include <unordered_map>

#include "runtime/backend.h"

namespace glia {
namespace {

struct CastParameter {
  Tensor parameter, cast;
};
struct State {
  DType dtype = kF32;
  std::unordered_map<const Node*, CastParameter> parameters;
};
thread_local State state;

bool is_half(DType t) { return t == kBF16 || t == kF16; }

void say_if_slow() {
  static const bool said = [] {
    if (!has_fast_bf16())
      std::fputs(
          "glia: Autocast: this processor has no bf16 instructions; results are right, but slower "
          "than in f32\n",
          stderr);
    return true;
  }();
  (void)said;
}

}  // namespace

Autocast::Autocast(DType dtype) : previous_(state.dtype) {
  if (dtype != kBF16 && dtype != kF32)
    throw Error(std::string("Autocast: computes in bf16 or f32, not ") + name(dtype));
  if (dtype == kBF16) say_if_slow();
  state.dtype = dtype;
}

Autocast::~Autocast() {
  state.dtype = previous_;
  if (previous_ == kF32) forget_cast_parameters();
}

bool autocast_on() { return state.dtype == kBF16 && !composing(); }

DType product_dtype(DType common) {
  return autocast_on() && (common == kF32 || is_half(common)) ? kBF16 : common;
}

Tensor product_operand(const Tensor& x, DType dtype, const Where& where) {
  if (x.dtype() == dtype) return x;
  if (!autocast_on() || !x.node()->trainable) return cast(Operand(x, where), dtype);
  CastParameter& known = state.parameters[x.node()];
  // One recorded without gradients will not do for a use with.
  if (!known.cast.defined() || known.cast.dtype() != dtype ||
      known.cast.requires_grad() != grad_enabled())
    known = {x, cast(Operand(x, where), dtype)};
  return known.cast;
}

void forget_cast_parameters() { state.parameters.clear(); }

Tensor with_bias(const Tensor& y, const Tensor& bias, const Where& where) {
  const Tensor sum = Operand(y, where) + Operand(bias, where);
  return autocast_on() ? cast(Operand(sum, where), product_dtype(sum.dtype())) : sum;
}

Tensor full_precision(const Tensor& x, const Where& where) {
  if (!autocast_on() || !x.defined() || !is_half(x.dtype())) return x;
  return cast(Operand(x, where), kF32);
}

}  // namespace glia
