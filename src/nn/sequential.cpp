#include "glia/nn.h"

namespace glia::nn {

Sequential::Sequential(Layer a, Layer b, Layer c, Layer d, Layer e, Layer f, Layer g, Layer h,
                       Layer i, Layer j, Layer k, Layer l, Layer m, Layer n, Layer o, Layer p) {
  for (Layer* layer : {&a, &b, &c, &d, &e, &f, &g, &h, &i, &j, &k, &l, &m, &n, &o, &p}) {
    if (layer->step_) steps_.push_back(std::move(layer->step_));
  }
}

Sequential& Sequential::operator=(const Sequential& other) {
  if (this == &other) return *this;
  Module::operator=(other);
  // Steps of the same kind stay, so that an optimizer still knows their parameters.
  steps_.resize(other.steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!steps_[i] || !steps_[i]->assign(*other.steps_[i])) steps_[i] = other.steps_[i]->copy();
  }
  return *this;
}

Tensor Sequential::operator()(const Tensor& x, Where where) const {
  Tensor h = x;
  for (const auto& step : steps_) h = step->call(h, where);
  return h;
}

std::vector<TensorFunction> Sequential::functions() const {
  std::vector<TensorFunction> out;
  for (const auto& step : steps_)
    out.push_back([&step](const std::vector<Tensor>& in) { return step->call(in[0], {}); });
  return out;
}

void Sequential::visit_fields(FieldVisitor& visitor) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (const Module* module = steps_[i]->module()) visitor.module(std::to_string(i), *module);
  }
}

Module& Sequential::module_at(size_t i) const {
  if (i >= steps_.size())
    throw Error("Sequential: no layer " + std::to_string(i) + " among " +
                std::to_string(steps_.size()));
  if (Module* module = steps_[i]->module()) return *module;
  throw Error("Sequential: layer " + std::to_string(i) + " is a function, not a module");
}

}  // namespace glia::nn
