// A classifier and a regressor that are simple enough to check by hand.
#pragma once

#include <memory>
#include <vector>

#include "checks.h"
#include "glia/classic/estimator.h"
#include "glia/ops.h"

namespace glia::classic::test {

// Softmax of minus the squared distances to the classes' means, times `sharpness`.
class Centroids : public Classifier {
 public:
  double sharpness = 1;
  int64_t fail_above = 1000000;  // fit() throws for more samples
  int64_t budget = 1;            // what a search may raise; the more, the better
  Tensor means;

  std::string_view name() const override { return "Centroids"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Centroids>(*this); }
  std::vector<Param> params() override {
    return {{"sharpness", &sharpness}, {"fail_above", &fail_above}, {"budget", &budget}};
  }
  Centroids& fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                 Where where) override {
    const Tensor given = check_x("Centroids.fit", x, where);
    if (given.size(0) > fail_above) throw ValueError("Centroids.fit: too many samples", where);
    if (sharpness < 0) throw ValueError("Centroids: sharpness below 0", where);
    const ClassTargets targets = check_classes("Centroids.fit", y, given.size(0), where);
    const int64_t n = given.size(0), k = targets.classes.size(0);
    const Tensor w = sample_weight.defined() ? cast(sample_weight, kF64) : ones({n}, kF64);
    const Tensor in =
        cast(reshape(targets.codes, {1, n}) == reshape(arange(0, k, 1, kI64), {k, 1}), kF64) * w;
    means = matmul(in, cast(given, kF64)) / sum(in, {1}, true);
    eval(means);
    classes = targets.classes;
    n_features_in = given.size(1);
    return *this;
  }
  Tensor decision_function(const Tensor& x, Where where) const override {
    const Tensor given = cast(check_x("Centroids", x, n_features_in, where), kF64);
    const int64_t n = given.size(0), k = means.size(0);
    return sum(square(reshape(given, {n, 1, -1}) - reshape(means, {1, k, -1})), {2}) * -sharpness;
  }
  Tensor predict_proba(const Tensor& x, Where where) const override {
    return softmax(decision_function(x, where), 1);
  }
  StateDict state_dict(Where) const override { return {{"classes", classes}, {"means", means}}; }
  void load_state_dict(const StateDict& state, Where where) override {
    StateReader read("Centroids", state, where);
    classes = read.take("classes", kI64, {-1});
    means = read.take("means", kF64, {classes.size(0), -1});
    read.finish();
    n_features_in = means.size(1);
  }
};

// The mean of y plus `shift`.
class Mean : public Regressor {
 public:
  double shift = 0;
  double value = 0;

  std::string_view name() const override { return "Mean"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Mean>(*this); }
  std::vector<Param> params() override { return {{"shift", &shift}}; }
  Mean& fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) override {
    const Tensor given = check_x("Mean.fit", x, where);
    const Tensor target = check_targets("Mean.fit", y, given.size(0), where);
    const Tensor w = sample_weight.defined() ? cast(sample_weight, kF64) : ones_like(target);
    value = (sum(target * w) / sum(w)).item();
    n_features_in = given.size(1);
    return *this;
  }
  Tensor predict(const Tensor& x, Where) const override {
    return full({x.size(0)}, value + shift, kF64);
  }
  StateDict state_dict(Where) const override { return {{"value", tensor(value)}}; }
  void load_state_dict(const StateDict& state, Where where) override {
    StateReader read("Mean", state, where);
    value = read.number("value");
    read.finish();
    n_features_in = 1;
  }
};

}  // namespace glia::classic::test
