#include "common.h"

#include <string>

#include "glia/autodiff.h"
#include "glia/op.h"

namespace glia::explain {

Tensor Target::of(const Tensor& outputs, Where where) const {
  const Shape& shape = outputs.shape();
  if (shape.rank() == 1 && !outputs_.defined()) {
    if (output_.value_or(0) != 0)
      throw ValueError("target " + std::to_string(*output_) + " of outputs " + shape.str(), where);
    return outputs;
  }
  if (shape.rank() != 2)
    throw ShapeError("the model gives " + shape.str() + ", not (N, outputs) or (N)", where);
  const int64_t count = shape[1];
  if (outputs_.defined()) {
    if (outputs_.shape() != Shape{shape[0]})
      throw ShapeError("targets " + outputs_.shape().str() + " of outputs " + shape.str(), where);
    return squeeze(gather(outputs, unsqueeze(outputs_, 1), 1), 1);
  }
  if (!output_ && count != 1)
    throw ShapeError("the model has " + std::to_string(count) + " outputs and no target is named",
                     where);
  const int64_t i = output_.value_or(0);
  if (i < -count || i >= count)
    throw ValueError("target " + std::to_string(i) + " of outputs " + shape.str(), where);
  return index(outputs, {Slice{}, i});
}

Target Target::at(const Tensor& examples) const {
  return outputs_.defined() ? Target(take(outputs_, examples)) : *this;
}

Target likeliest(const Forward& f, const Tensor& x) {
  const NoGrad no_grad;
  const Tensor outputs = f(x);
  return outputs.rank() == 2 ? Target(argmax(outputs)) : Target();
}

void require_input(const char* op, const Tensor& x, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() == 0 || (x.dtype() != kF32 && x.dtype() != kF64))
    fail(op,
         "the input is f32 or f64 (N, ...), not " + std::string(name(x.dtype())) + " " +
             x.shape().str(),
         where);
}

Tensor baseline_for(const char* op, const Tensor& baseline, const Tensor& x, const Where& where) {
  if (!baseline.defined()) return zeros_like(x);
  try {
    return cast(expand(baseline, x.shape()), x.dtype());
  } catch (const ShapeError&) {
    fail(op, "a baseline " + baseline.shape().str() + " for inputs " + x.shape().str(), where);
  }
}

void require_count(const char* op, const char* name, int64_t count, const Where& where) {
  if (count < 1)
    throw ValueError(
        std::string(op) + ": " + name + " is " + std::to_string(count) + ", not at least 1", where);
}

Recording recorded(const char* op, const Forward& f, const Tensor& x, const Target& target,
                   const Where& where) {
  require_input(op, x, where);
  Recording r;
  r.x = trainable(stop_gradient(x));
  r.outputs = f(r.x);
  r.scores = target.of(r.outputs, where);
  if (r.scores.size(0) != x.size(0))
    fail(op, "the model gives " + r.outputs.shape().str() + " for inputs " + x.shape().str(),
         where);
  if (!r.scores.requires_grad())
    throw Error(std::string(op) +
                    ": the model's output does not depend on its input by operations "
                    "that have gradients",
                where);
  return r;
}

Tensor gradient(const char* op, const Forward& f, const Tensor& x, const Target& target,
                const Where& where) {
  const Recording r = recorded(op, f, x, target, where);
  return gradients(sum(r.scores), {r.x}, {}, where)[0];
}

Tensor scores_of(const Forward& f, const Tensor& x, const Target& target, const Where& where) {
  const NoGrad no_grad;
  return target.of(f(x), where);
}

Tensor example_sums(const Tensor& x) { return x.rank() == 1 ? x : sum(flatten(x, 1), {1}); }

Tensor along(const Tensor& examples, int rank) {
  Shape shape = examples.shape();
  while (shape.rank() < rank) shape.insert(shape.rank(), 1);
  return reshape(examples, shape);
}

Tensor repeated(const Tensor& x, int64_t times) {
  Shape wide = x.shape();
  wide.insert(1, times);
  Shape flat = x.shape();
  flat[0] *= times;
  return reshape(expand(unsqueeze(x, 1), wide), flat);
}

}  // namespace glia::explain
