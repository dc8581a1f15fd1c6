// SHAP values of linear models, and what trees are read from.
#include "glia/explain/shap.h"

#include <string>

#include "glia/op.h"
#include "glia/ops.h"

namespace glia::explain {
namespace {

const Tensor* find(const StateDict& state, std::string_view name) {
  for (const auto& [key, value] : state)
    if (key == name) return &value;
  return nullptr;
}

std::vector<double> numbers(const StateDict& state, std::string_view name, const Where& where) {
  const Tensor* found = find(state, name);
  if (!found) throw Error("trees_of: the estimator has no " + std::string(name), where);
  return found->to_vector<double>();
}

std::vector<int64_t> whole(const StateDict& state, std::string_view name, const Where& where) {
  const Tensor* found = find(state, name);
  if (!found) throw Error("trees_of: the estimator has no " + std::string(name), where);
  return found->to_vector<int64_t>();
}

double option(const classic::Estimator& estimator, const std::string& name, double fallback) {
  for (const auto& [key, value] : classic::get_params(estimator))
    if (key == name)
      if (const auto* number = std::get_if<double>(&value)) return *number;
  return fallback;
}

}  // namespace

TableShap linear_shap(const Tensor& coef, const Tensor& intercept, const Tensor& x,
                      const Tensor& background, Where where) {
  for (const Tensor* t : {&coef, &intercept, &x, &background})
    require_defined("linear_shap", *t, where);
  const int64_t features = coef.size(-1);
  const auto is_table = [&](const Tensor& t) { return t.rank() == 2 && t.size(1) == features; };
  if (coef.rank() < 1 || coef.rank() > 2 || !is_table(x) || !is_table(background) ||
      background.size(0) == 0)
    fail("linear_shap",
         "coefficients " + coef.shape().str() + ", x " + x.shape().str() + " and a background " +
             background.shape().str(),
         where);
  const Tensor w = cast(coef, kF64), mean_x = mean(cast(background, kF64), {0});
  const Tensor centred = cast(x, kF64) - mean_x;
  const Tensor expected = linear(unsqueeze(mean_x, 0), coef.rank() == 1 ? unsqueeze(w, 0) : w);
  if (coef.rank() == 1)
    return {centred * w, reshape(expected, {}) + reshape(cast(intercept, kF64), {})};
  return {unsqueeze(centred, 1) * unsqueeze(w, 0),
          reshape(expected, {coef.size(0)}) + cast(intercept, kF64)};
}

TreeEnsemble trees_of(const classic::Estimator& estimator, Where where) {
  const StateDict state = estimator.state_dict(where);
  const std::string name(estimator.name());
  if (!find(state, "children_left"))
    throw Error("trees_of: " + name + " is not made of trees", where);
  if (const Tensor* sets = find(state, "is_categorical"); sets && any(*sets).item<bool>())
    throw Error("trees_of: " + name + " splits by sets of categories", where);
  TreeEnsemble out;
  out.features = estimator.n_features_in;
  out.begin = whole(state, "tree_begin", where);
  out.left = whole(state, "children_left", where);
  out.right = whole(state, "children_right", where);
  out.feature = whole(state, "feature", where);
  out.threshold = numbers(state, "threshold", where);
  for (int64_t left : whole(state, "missing_go_to_left", where)) out.missing_left.push_back(left);
  out.weight = numbers(state, "weighted_n_node_samples", where);
  const Tensor value = *find(state, "value");
  out.value = value.to_vector<double>();
  out.outputs = value.size(1);
  const auto trees = static_cast<int64_t>(out.begin.size()) - 1;
  double scale = 1;
  const Tensor* init = find(state, name.starts_with("Hist") ? "baseline" : "init");
  if (init) {
    out.base = init->to_vector<double>();
    if (!name.starts_with("Hist")) scale = option(estimator, "learning_rate", 0.1);
  } else {
    scale = 1 / static_cast<double>(trees);
    out.base.assign(static_cast<size_t>(out.outputs), 0);
  }
  for (double& v : out.value) v *= scale;
  // Of boosting each tree is for one of the outputs in turn.
  if (const auto outputs = static_cast<int64_t>(out.base.size()); outputs != out.outputs) {
    std::vector<double> wide(out.value.size() * static_cast<size_t>(outputs), 0);
    for (int64_t t = 0; t < trees; ++t)
      for (int64_t i = out.begin[static_cast<size_t>(t)]; i < out.begin[static_cast<size_t>(t) + 1];
           ++i)
        wide[static_cast<size_t>(i * outputs + t % outputs)] = out.value[static_cast<size_t>(i)];
    out.value = std::move(wide);
    out.outputs = outputs;
  }
  return out;
}

}  // namespace glia::explain
