#include "fitted.h"

#include <algorithm>
#include <functional>

#include "glia/ops.h"

namespace glia::classic {

void append_fitted(StateDict& state, const std::vector<FittedAttribute>& attributes) {
  for (const FittedAttribute& a : attributes) {
    if (const auto* number = std::get_if<double*>(&a.at)) {
      state.emplace_back(a.name, tensor(**number));
    } else if (const auto* count = std::get_if<int64_t*>(&a.at)) {
      state.emplace_back(a.name, tensor(**count));
    } else if (const Tensor& value = *std::get<Tensor*>(a.at); value.defined()) {
      state.emplace_back(a.name, value);
    }
  }
}

void take_fitted(StateReader& read, const std::vector<FittedAttribute>& attributes,
                 int64_t n_features, int64_t n_classes) {
  std::vector<Tensor> values;
  for (const FittedAttribute& a : attributes) {
    Shape shape = a.shape;
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] == -2) shape[i] = n_features;
      if (shape[i] == -3) shape[i] = n_classes;
    }
    if (std::holds_alternative<int64_t*>(a.at))
      values.push_back(tensor(read.count(a.name)));
    else if (a.optional && !read.has(a.name))
      values.emplace_back();
    else
      values.push_back(read.take(a.name, a.dtype, shape, a.infinite));
  }
  read.finish();
  for (size_t i = 0; i < attributes.size(); ++i) {
    if (const auto* number = std::get_if<double*>(&attributes[i].at))
      **number = values[i].item();
    else if (const auto* count = std::get_if<int64_t*>(&attributes[i].at))
      **count = values[i].item<int64_t>();
    else
      *std::get<Tensor*>(attributes[i].at) = values[i];
  }
}

void require_ascending(std::string_view op, const Tensor& classes, Where where) {
  const auto all = classes.to_vector<int64_t>();
  if (std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) != all.end())
    throw Error(std::string(op) + ": classes do not ascend", where);
}

StateDict fitted_state(const Estimator& estimator, const std::vector<FittedAttribute>& attributes,
                       Where where) {
  require_fitted(std::string(estimator.name()) + ".state_dict", estimator.fitted(), where);
  StateDict state{{"n_features_in", tensor(estimator.n_features_in)}};
  if (const auto* classifier = dynamic_cast<const Classifier*>(&estimator))
    state.emplace_back("classes", classifier->classes);
  append_fitted(state, attributes);
  return state;
}

void load_fitted_state(Estimator& estimator, const std::vector<FittedAttribute>& attributes,
                       const StateDict& state, Where where) {
  const std::string op = std::string(estimator.name()) + ".load_state_dict";
  StateReader read(estimator.name(), state, where);
  const int64_t features = read.count("n_features_in");
  if (features == 0) throw Error(op + ": n_features_in is 0", where);
  auto* classifier = dynamic_cast<Classifier*>(&estimator);
  Tensor classes;
  if (classifier) {
    classes = read.take("classes", kI64, {-1});
    require_ascending(op, classes, where);
  }
  take_fitted(read, attributes, features, classifier ? classes.size(0) : -1);
  if (classifier) classifier->classes = classes;
  estimator.n_features_in = features;
}

}  // namespace glia::classic
