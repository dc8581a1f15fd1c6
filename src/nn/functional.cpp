#include "glia/nn/functional.h"

#include "core/variable.h"
#include "glia/ops.h"

namespace glia::nn {

Substituted::Substituted(const Module& module, const std::vector<Tensor>& values, Where where)
    : parameters_(module.all_parameters()) {
  if (values.size() != parameters_.size())
    throw ShapeError("functional_call: " + std::to_string(values.size()) + " values for " +
                         std::to_string(parameters_.size()) + " parameters",
                     where);
  for (size_t i = 0; i < values.size(); ++i) {
    const Tensor now = parameters_[i].tensor(where);
    if (!values[i].defined() || values[i].shape() != now.shape())
      throw ShapeError("functional_call: parameter " + std::to_string(i) + " has shape " +
                           now.shape().str() + ", its value " +
                           (values[i].defined() ? values[i].shape().str() : "is not defined"),
                       where);
  }
  for (size_t i = 0; i < values.size(); ++i)
    before_.push_back(substitute(parameters_[i].cell(), values[i]));
}

Substituted::~Substituted() {
  for (size_t i = before_.size(); i-- > 0;) substitute(parameters_[i].cell(), before_[i]);
}

std::vector<Tensor> stack_parameters(const std::vector<const Module*>& models, Where where) {
  if (models.empty()) throw ShapeError("stack_parameters: no models", where);
  std::vector<std::vector<Tensor>> by_parameter;
  for (const Module* model : models) {
    const std::vector<Tensor> values = model->all_parameters().tensors();
    if (model == models[0]) by_parameter.resize(values.size());
    if (values.size() != by_parameter.size())
      throw ShapeError("stack_parameters: models have " + std::to_string(by_parameter.size()) +
                           " and " + std::to_string(values.size()) + " parameters",
                       where);
    for (size_t i = 0; i < values.size(); ++i) by_parameter[i].push_back(values[i]);
  }
  std::vector<Tensor> out;
  for (const std::vector<Tensor>& all : by_parameter) out.push_back(stack(all, 0, where));
  return out;
}

std::vector<Tensor> per_sample_gradients(const Module& module, const TensorFunction& loss,
                                         const std::vector<Tensor>& batch, Where where) {
  const ParameterList parameters = module.parameters();
  if (parameters.empty()) return {};
  const TensorFunction of_one = [&](const std::vector<Tensor>& example) {
    std::vector<Tensor> flat;
    for (const Tensor& g : gradients(loss(example), parameters)) flat.push_back(reshape(g, {-1}));
    return concat(flat, 0);
  };
  const Tensor all = vmap(of_one, {}, Randomness::kDifferent, where)(batch);
  std::vector<Tensor> out;
  int64_t at = 0;
  for (const Variable& p : parameters) {
    Shape shape = p.shape();
    const int64_t end = at + shape.numel();
    shape.insert(0, all.size(0));
    out.push_back(reshape(slice(all, 1, {at, end}), shape));
    at = end;
  }
  return out;
}

}  // namespace glia::nn
