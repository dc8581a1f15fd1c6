// Arithmetic, functions and comparisons of each element, with broadcasting.
#include "ops.h"

namespace glia::bench {
namespace {

using Elementwise = Tensor (*)(const Operand&);

// A long vector: f64 and i64 of half as many elements.
Input vector_of(DType d) { return numbers({size_of(d) == 8 ? kE / 2 : kE}, d); }

Function of(Elementwise f) {
  return [f](In x) { return f(x[0]); };
}

void of_type(Table& t, DType d) {
  const Input x = vector_of(d);
  t.value(with("add", d), {x, x}, [](In x) { return x[0] + x[1]; });
  t.value(with("mul scalar", d), {x}, [](In x) { return x[0] * 3; });
  t.value(with("less", d), {x, x}, [](In x) { return x[0] < x[1]; });
  if (is_float(d)) {
    t.value(with("exp", d), {x}, of(exp));
    t.value(with("tanh", d), {x}, of(tanh));
    t.value(with("gelu", d), {x}, of(gelu));
    t.value(with("sigmoid", d), {x}, of(sigmoid));
    t.value(with("relu", d), {x}, of(relu));
    t.value(with("sqrt abs", d), {x}, [](In x) { return sqrt(abs(x[0])); });
    t.value(with("clamp", d), {x}, [](In x) { return clamp(x[0], -1, 1); });
    t.value(with("div", d), {x, x}, [](In x) { return x[0] / x[1]; });
  } else {
    t.value(with("floor_divide", d), {x, positive(x.shape, d)},
            [](In x) { return floor_divide(x[0], x[1]); });
    t.value(with("remainder scalar", d), {x}, [](In x) { return remainder(x[0], 7); });
    t.value(with("maximum", d), {x, x}, [](In x) { return maximum(x[0], x[1]); });
    t.value(with("bit and", d), {x, x}, [](In x) { return x[0] & x[1]; });
    t.value(with("equal scalar", d), {x}, [](In x) { return x[0] == 7; });
  }
}

void functions(Table& t) {
  const Input x = vector_of(kF32), x64 = vector_of(kF64), quarter64 = numbers({kE / 4}, kF64);
  t.value("log f32", {x}, of(log));
  t.value("log f64", {x64}, of(log));
  t.value("sin f32", {x}, of(sin));
  t.value("sin f64", {x64}, of(sin));
  t.value("sin f32 args to 1e7", {scaled(1e7, {kE})}, of(sin));
  t.value("erf", {x}, of(erf));
  t.value("erf f64", {quarter64}, of(erf));
  t.value("log1p", {positive({kE})}, of(log1p));
  t.value("expm1", {x}, of(expm1));
  t.value("softplus", {x}, of(softplus));
  t.value("silu", {x}, of(silu));
  t.value("elu", {x}, [](In x) { return elu(x[0]); });
  t.value("floor f32", {x}, of(floor));
  t.value("round f64", {x64}, of(round));
  t.value("isnan", {x}, of(isnan));
  t.value("sign i32", {vector_of(kI32)}, of(sign));
  t.value("logical_not", {vector_of(kBool)}, of(logical_not));
  t.value("bool and", {vector_of(kBool), vector_of(kBool)}, [](In x) { return x[0] & x[1]; });
  t.value("remainder f32", {x, x}, [](In x) { return remainder(x[0], x[1]); });
  t.value("atan2", {x, x}, [](In x) { return atan2(x[0], x[1]); });
  t.value("atan2 f64", {quarter64, quarter64}, [](In x) { return atan2(x[0], x[1]); });

  t.value("pow 2.5", {positive({kE})}, [](In x) { return pow(x[0], 2.5); });
  t.value("pow 3", {x}, [](In x) { return pow(x[0], 3); });
  t.value("pow 2", {x}, [](In x) { return pow(x[0], 2); });
  t.value("pow -0.5", {positive({kE})}, [](In x) { return pow(x[0], -0.5); });
  t.value("pow tensor", {positive({kE}), x}, [](In x) { return pow(x[0], x[1]); });
  t.value("pow tensor f64", {positive({kE / 4}, kF64), quarter64},
          [](In x) { return pow(x[0], x[1]); });

  t.grad("gelu bwd 16M", {x}, of(gelu));
  t.grad("tanh bwd f64 4M", {quarter64}, of(tanh));
  t.grad("swiglu bwd (4096,1024)", times(2, numbers({4096, 1024})),
         [](In x) { return silu(x[0]) * x[1]; });
}

void broadcasting(Table& t) {
  const auto sum_of_both = [](In x) { return x[0] + x[1]; };
  const auto product = [](In x) { return x[0] * x[1]; };
  t.value("row + col broadcast", {numbers({kM, 1}), numbers({1, kM})}, sum_of_both);
  t.value("matrix + row", {matrix(), numbers({kM})}, sum_of_both);
  for (DType d : {kBF16, kF64}) {
    t.value(with("matrix + row", d), {matrix(d), numbers({width_of(d)}, d)}, sum_of_both);
  }
  t.value("add 1000", times(2, numbers({1000})), sum_of_both);
  t.value("add 1", times(2, numbers({1})), sum_of_both);
  t.value("add (100,100)", times(2, numbers({100, 100})), sum_of_both);
  t.value("matrix * col", {matrix(), numbers({kM, 1})}, product);
  t.value("(64,1,256,256)*(64,16,1,1)", {numbers({64, 1, 256, 256}), numbers({64, 16, 1, 1})},
          product);
  t.value("NHWC * channel C=3", {numbers({64, 224, 224, 3}), numbers({3})}, product);
  t.value("strided add x[:, ::2] + y", {matrix(), numbers({kM, 2048})},
          [](In x) { return slice(x[0], 1, {.step = 2}) + x[1]; });
  t.grad("row broadcast bwd (65536,256)", {numbers({65536, 256}), numbers({256})}, product);
}

}  // namespace

void elementwise(Table& t) {
  for (DType d : {kF32, kF64, kBF16, kF16, kI64, kI32, kU8}) of_type(t, d);
  functions(t);
  broadcasting(t);
}

}  // namespace glia::bench
