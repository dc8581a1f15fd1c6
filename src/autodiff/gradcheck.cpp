// Derivatives against finite differences.
#include <cmath>

#include "autodiff/trace.h"
#include "glia/autodiff.h"
#include "glia/ops.h"

namespace glia {
namespace {

constexpr int64_t kSample = 64;  // elements of each input that are looked at

// Fixed numbers away from zero, no two neighbours alike.
Tensor weights(const Shape& shape, double phase) {
  std::vector<double> w(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = std::copysign(0.5 + 0.5 * std::abs(std::sin(1.7 * i + phase)), std::cos(2.3 * i));
  return from_vector(w, shape);
}

Tensor weighted_sum(const Tensor& y, double phase) { return sum(y * weights(y.shape(), phase)); }

// The positions looked at: all, or some spread over the whole.
std::vector<int64_t> sampled(int64_t count) {
  std::vector<int64_t> at;
  for (int64_t i = 0; i < std::min(count, kSample); ++i)
    at.push_back(count <= kSample ? i : i * count / kSample + (i * 2654435761) % (count / kSample));
  return at;
}

// x with one element moved.
Tensor nudged(const std::vector<double>& values, const Shape& shape, int64_t at, double by) {
  std::vector<double> moved = values;
  moved[static_cast<size_t>(at)] += by;
  return from_vector(moved, shape);
}

// The inputs as f gets them, differentiable where they can be.
struct At {
  std::vector<Tensor> inputs, by;
  explicit At(const std::vector<Tensor>& values) : inputs(values) {
    for (Tensor& x : inputs) {
      if (is_float(x.dtype())) by.push_back(x = differentiable(x));
    }
  }
};

}  // namespace

std::string gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                      const GradcheckOptions& options, Where where) {
  require_defined("gradcheck", "input", inputs, where);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (is_float(inputs[i].dtype()) && inputs[i].dtype() != kF64)
      throw ShapeError("gradcheck: input " + std::to_string(i) + " is " + name(inputs[i].dtype()) +
                       "; differences need f64");
  }
  const Grad on(true);
  const At at_inputs(inputs);
  const std::vector<Tensor> grads = gradients_or_zeros(
      weighted_sum(call("gradcheck", f, at_inputs.inputs, where), 0), at_inputs.by);
  for (size_t i = 0, k = 0; i < inputs.size(); ++i) {
    if (!is_float(inputs[i].dtype())) continue;
    const std::vector<double> analytic = grads[k++].to_vector<double>();
    const std::vector<double> values = inputs[i].to_vector<double>();
    for (int64_t at : sampled(inputs[i].numel())) {
      const auto loss_at = [&](double by_how_much) {
        std::vector<Tensor> moved = inputs;
        moved[i] = nudged(values, inputs[i].shape(), at, by_how_much);
        return weighted_sum(f(At(moved).inputs), 0).item();
      };
      const double numeric = (loss_at(options.eps) - loss_at(-options.eps)) / (2 * options.eps);
      const double found = analytic[static_cast<size_t>(at)];
      if (!(std::abs(found - numeric) <= options.atol + options.rtol * std::abs(numeric)))
        return "input " + std::to_string(i) + " " + inputs[i].shape().str() + ", element " +
               std::to_string(at) + ": the gradient is " + std::to_string(found) +
               ", the difference quotient " + std::to_string(numeric);
    }
  }
  return "";
}

std::string gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options, Where where) {
  const TensorFunction first = [&](const std::vector<Tensor>& at) {
    const Grad on(true);
    const At here(at);
    Tensor total = zeros({}, kF64);
    for (const Tensor& g :
         gradients_or_zeros(weighted_sum(call("gradgradcheck", f, here.inputs, where), 1), here.by))
      total = total + weighted_sum(g, 2);
    return total;
  };
  return gradcheck(first, inputs, options, where);
}

}  // namespace glia
