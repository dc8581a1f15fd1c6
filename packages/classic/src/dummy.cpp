#include "glia/classic/dummy.h"

#include <algorithm>
#include <cmath>

#include "checks.h"
#include "columns.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "metrics/inputs.h"

namespace glia::classic {

// ---- DummyClassifier --------------------------------------------------------------------------

std::vector<Param> DummyClassifier::params() {
  return {{"strategy",
           &options_.strategy,
           {"most_frequent", "prior", "stratified", "uniform", "constant"}},
          {"constant", &options_.constant},
          {"random_state", &options_.random_state}};
}

DummyClassifier& DummyClassifier::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                      Where where) {
  const char* op = "DummyClassifier.fit";
  const Features given = features_of(op, x, true, -1, where);
  const ClassTargets targets = check_classes(op, y, given.rows, where);
  const std::vector<double> weights = weights_of(op, sample_weight, given.rows, where);
  const std::vector<int64_t> names = targets.classes.to_vector<int64_t>();
  if (options_.strategy == DummyClassifierStrategy::kConstant &&
      position(names, options_.constant) < 0)
    throw ValueError(
        std::string(op) + ": constant = " + std::to_string(options_.constant) + " is no class of y",
        where);
  std::vector<double> prior(names.size());
  double total = 0;
  const auto codes = targets.codes.to_vector<int64_t>();
  for (size_t i = 0; i < codes.size(); ++i) {
    prior[static_cast<size_t>(codes[i])] += weights[i];
    total += weights[i];
  }
  for (double& share : prior) share /= total;
  classes = targets.classes;
  class_prior = vector_of(prior);
  n_features_in = given.columns;
  return *this;
}

Tensor DummyClassifier::predict_proba(const Tensor& x, Where where) const {
  const Features given =
      features_of("DummyClassifier.predict_proba", x, true, n_features_in, where);
  const std::vector<double> prior = class_prior.to_vector<double>();
  const size_t k = prior.size();
  std::vector<double> row(k);
  switch (options_.strategy) {
    case DummyClassifierStrategy::kPrior:
      row = prior;
      break;
    case DummyClassifierStrategy::kMostFrequent:
      row[static_cast<size_t>(std::max_element(prior.begin(), prior.end()) - prior.begin())] = 1;
      break;
    case DummyClassifierStrategy::kConstant:
      row[static_cast<size_t>(position(classes.to_vector<int64_t>(), options_.constant))] = 1;
      break;
    case DummyClassifierStrategy::kUniform:
      row.assign(k, 1 / static_cast<double>(k));
      break;
    case DummyClassifierStrategy::kStratified:
      break;
  }
  std::vector<double> out;
  data::Random random(options_.random_state);
  for (int64_t i = 0; i < given.rows; ++i) {
    const bool draws = options_.strategy == DummyClassifierStrategy::kStratified ||
                       options_.strategy == DummyClassifierStrategy::kUniform;
    if (draws) {
      double left = random.uniform();
      size_t c = 0;
      const bool uniform = options_.strategy == DummyClassifierStrategy::kUniform;
      for (; c + 1 < k; ++c) {
        const double share = uniform ? 1 / static_cast<double>(k) : prior[c];
        if (left < share) break;
        left -= share;
      }
      row.assign(k, 0);
      row[c] = 1;
    }
    out.insert(out.end(), row.begin(), row.end());
  }
  return from_vector(out, {given.rows, static_cast<int64_t>(k)});
}

StateDict DummyClassifier::state_dict(Where where) const {
  require_fitted("DummyClassifier.state_dict", fitted(), where);
  return {
      {"classes", classes}, {"class_prior", class_prior}, {"n_features_in", tensor(n_features_in)}};
}

void DummyClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read("DummyClassifier", state, where);
  const Tensor names = read.take("classes", kI64, {-1});
  const Tensor prior = read.take("class_prior", kF64, names.shape());
  const int64_t width = read.count("n_features_in");
  read.finish();
  const auto all = names.to_vector<int64_t>();
  const bool known = options_.strategy != DummyClassifierStrategy::kConstant ||
                     position(all, options_.constant) >= 0;
  if (width == 0 || all != distinct(all) || !known)
    throw Error("DummyClassifier.load_state_dict: n_features_in or classes is wrong", where);
  classes = names;
  class_prior = prior;
  n_features_in = width;
}

// ---- DummyRegressor ---------------------------------------------------------------------------

std::vector<Param> DummyRegressor::params() {
  return {{"strategy", &options_.strategy, {"mean", "median", "quantile", "constant"}},
          {"quantile", &options_.quantile},
          {"constant", &options_.constant}};
}

DummyRegressor& DummyRegressor::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                    Where where) {
  const char* op = "DummyRegressor.fit";
  if (!(options_.quantile >= 0 && options_.quantile <= 1))
    throw ValueError(std::string(op) + ": quantile = " + std::to_string(options_.quantile), where);
  const Features given = features_of(op, x, true, -1, where);
  const Grid targets = grid_of(op, check_targets(op, y, given.rows, where), "y", where);
  const std::vector<double> weights = weights_of(op, sample_weight, given.rows, where);
  std::vector<double> values;
  for (int64_t j = 0; j < targets.columns; ++j) {
    std::vector<double> column;
    for (int64_t i = 0; i < targets.rows; ++i) column.push_back(targets.at(i, j));
    std::vector<double> sorted = column;
    std::sort(sorted.begin(), sorted.end());
    const double q =
        options_.strategy == DummyRegressorStrategy::kQuantile ? options_.quantile : 0.5;
    values.push_back(options_.strategy == DummyRegressorStrategy::kMean
                         ? weighted_mean(column, weights)
                     : options_.strategy == DummyRegressorStrategy::kConstant ? options_.constant
                     : sample_weight.defined() ? weighted_percentile(column, weights, q)
                                               : quantile(sorted, q));
  }
  constant = vector_of(values);
  n_features_in = given.columns;
  return *this;
}

Tensor DummyRegressor::predict(const Tensor& x, Where where) const {
  const Features given = features_of("DummyRegressor.predict", x, true, n_features_in, where);
  if (constant.size(0) == 1) return full({given.rows}, constant.to_vector<double>()[0], kF64);
  return constant + zeros({given.rows, constant.size(0)}, kF64);
}

StateDict DummyRegressor::state_dict(Where where) const {
  require_fitted("DummyRegressor.state_dict", fitted(), where);
  return {{"constant", constant}, {"n_features_in", tensor(n_features_in)}};
}

void DummyRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read("DummyRegressor", state, where);
  const Tensor values = read.take("constant", kF64, {-1});
  const int64_t width = read.count("n_features_in");
  read.finish();
  if (width == 0) throw Error("DummyRegressor.load_state_dict: n_features_in is 0", where);
  constant = values;
  n_features_in = width;
}

}  // namespace glia::classic
