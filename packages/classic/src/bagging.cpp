#include <cmath>

#include "columns.h"
#include "copies.h"
#include "glia/classic/ensemble.h"
#include "glia/classic/metrics.h"
#include "glia/classic/tree.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "linear.h"
#include "members.h"

namespace glia::classic {
namespace {

Tensor columns_of(const Tensor& x, const std::vector<int64_t>& features) {
  bool all = static_cast<int64_t>(features.size()) == x.size(1);
  for (size_t i = 0; all && i < features.size(); ++i) all = features[i] == static_cast<int64_t>(i);
  return all ? x : take(x, vector_of(features), 1);
}

struct Bags {
  FittedEstimators estimators;
  std::vector<std::vector<int64_t>> features;
  std::vector<std::vector<double>> counts;  // of samples, for each
};

Bags fit_bags(const std::string& op, const BaggingOptions& o, const Estimator& base,
              const Tensor& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const int64_t n = x.size(0), d = x.size(1);
  require_option(o.n_estimators >= 1 && o.n_estimators <= INT32_MAX, op, "n_estimators",
                 static_cast<double>(o.n_estimators), where);
  require_option(o.max_features > 0 && o.max_features <= 1, op, "max_features", o.max_features,
                 where);
  if (o.oob_score && !o.bootstrap)
    throw ValueError(op + ": oob_score is of bootstrap, which is false", where);
  const Tensor given = check_sample_weight(op, sample_weight, n, kF64, where);
  std::vector<double> weight;
  if (given.defined()) weight = given.to_vector<double>();
  int64_t drawn = n;
  if (o.max_samples) {
    const double most = *o.max_samples;
    require_option(most > 0 && (most <= 1 || (most == std::trunc(most) && most < 0x1p31)), op,
                   "max_samples", most, where);
    double total = static_cast<double>(n);
    if (!weight.empty()) {
      total = 0;
      for (const double w : weight) total += w;
    }
    drawn = most > 1 ? static_cast<int64_t>(most)
                     : std::max<int64_t>(1, static_cast<int64_t>(most * total));
  }
  if (!o.bootstrap && (drawn > n || !weight.empty()))
    throw ValueError(
        op + (weight.empty() ? ": max_samples is more than there are, and not with replacement"
                             : ": sample_weight says how likely samples are drawn, which needs "
                               "bootstrap"),
        where);
  const auto some =
      std::max<int64_t>(1, static_cast<int64_t>(o.max_features * static_cast<double>(d)));
  Twister random(o.random_state);
  std::vector<uint32_t> seeds;
  for (int64_t i = 0; i < o.n_estimators; ++i)
    seeds.push_back(static_cast<uint32_t>(random.below(INT32_MAX)));
  Bags bags;
  bags.estimators.resize(seeds.size());
  bags.features.resize(seeds.size());
  bags.counts.resize(seeds.size());
  parallel_for(o.n_estimators, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    Twister own(seeds[at]), of_parts(seeds[at]);
    const auto draw = [&](int64_t of, int64_t count, bool again) {
      if (!again) return own.some_of(of, count);
      std::vector<int64_t> out;
      for (int64_t k = 0; k < count; ++k) out.push_back(own.below(of));
      return out;
    };
    std::shared_ptr<Estimator> one = base.clone();
    seed_estimator(*one, of_parts);
    bags.features[at] = draw(d, some, o.bootstrap_features);
    std::vector<double>& counts = bags.counts[at];
    counts.resize(static_cast<size_t>(n));
    for (const int64_t row :
         weight.empty() ? draw(n, drawn, o.bootstrap) : own.weighted(weight, drawn))
      ++counts[static_cast<size_t>(row)];
    fit_counted(*one, columns_of(x, bags.features[at]), y, counts, where);
    bags.estimators[at] = std::move(one);
  });
  return bags;
}

// Sums of what says(estimator, x) for samples that were not drawn, and of how many said it.
template <class Says>
std::pair<Tensor, Tensor> unseen(const Bags& bags, const Tensor& x, Says&& says) {
  Tensor sum, count;
  for (size_t i = 0; i < bags.estimators.size(); ++i) {
    const Tensor out = cast(vector_of(bags.counts[i]) == 0.0, kF64);
    const Tensor said = says(*bags.estimators[i], columns_of(x, bags.features[i]));
    const Tensor mask = said.rank() == 2 ? reshape(out, {-1, 1}) : out;
    sum = sum.defined() ? sum + said * mask : said * mask;
    count = count.defined() ? count + mask : mask;
    eval({sum, count});
  }
  return {sum, maximum(count, 1.0)};
}

std::vector<Param> bagging_params(BaggingOptions& o) {
  return {{"n_estimators", &o.n_estimators},
          {"max_samples", &o.max_samples},
          {"max_features", &o.max_features},
          {"bootstrap", &o.bootstrap},
          {"bootstrap_features", &o.bootstrap_features},
          {"oob_score", &o.oob_score},
          {"random_state", &o.random_state}};
}

StateDict bagging_state(const FittedEstimators& estimators,
                        const std::vector<std::vector<int64_t>>& features, int64_t n_features_in,
                        double oob, Where where) {
  std::vector<int64_t> all;
  for (const auto& own : features) all.insert(all.end(), own.begin(), own.end());
  const auto count = static_cast<int64_t>(features.size());
  StateDict state = {
      {"n_features_in", tensor(n_features_in)},
      {"oob_score", tensor(oob)},
      {"estimators_features", from_vector(all, {count, static_cast<int64_t>(all.size()) / count})}};
  append_copies(state, estimators);
  return state;
}

struct BagState {
  FittedEstimators estimators;
  std::vector<std::vector<int64_t>> features;
  int64_t n_features_in = 0;
  double oob = 0;
};
BagState read_bags(StateReader& read, const StateDict& state, const Estimator& base,
                   std::string_view name, Where where) {
  BagState out;
  out.n_features_in = read.count("n_features_in");
  out.oob = read.number("oob_score");
  const Tensor features = read.take("estimators_features", kI64, {-1, -1});
  read.finish();
  if (out.n_features_in < 1 || !all_within(features, out.n_features_in))
    throw Error(std::string(name) + ".load_state_dict: estimators_features are beyond X", where);
  const auto all = features.to_vector<int64_t>();
  for (int64_t i = 0; i < features.size(0); ++i)
    out.features.emplace_back(all.begin() + i * features.size(1),
                              all.begin() + (i + 1) * features.size(1));
  out.estimators = loaded_copies(base, state, features.size(0), where);
  return out;
}

}  // namespace

// ---- Classes ----------------------------------------------------------------------------------

BaggingClassifier::BaggingClassifier(const BaggingOptions& options)
    : BaggingClassifier(DecisionTreeClassifier(), options) {}
BaggingClassifier::BaggingClassifier(const Estimator& estimator, const BaggingOptions& options)
    : MetaEstimator(estimator), options_(options) {}

std::vector<Param> BaggingClassifier::own_params() { return bagging_params(options_); }

BaggingClassifier& BaggingClassifier::fit(const Tensor& x, const Tensor& y,
                                          const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const ClassTargets targets = check_classes(op, y, x.size(0), where);
  const int64_t k = targets.classes.size(0);
  Bags bags = fit_bags(op, options_, *estimator_, x, targets.codes, sample_weight, where);
  if (options_.oob_score) {
    const auto [sum, count] = unseen(bags, x, [&](const Estimator& e, const Tensor& own) {
      return shares_of(e, own, k, where);
    });
    oob_score = accuracy_score(targets.codes, argmax(sum / count, 1));
  }
  classes = targets.classes;
  estimators_ = std::move(bags.estimators);
  estimators_features = std::move(bags.features);
  n_features_in = x.size(1);
  return *this;
}

Tensor BaggingClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".predict_proba";
  require_fitted(op, fitted(), where);
  check_rank(op, x, where);
  if (x.size(1) != n_features_in) check_x(op, x, n_features_in, where);  // says so
  Tensor sum;
  for (size_t i = 0; i < estimators_.size(); ++i) {
    const Tensor p =
        shares_of(*estimators_[i], columns_of(x, estimators_features[i]), classes.size(0), where);
    sum = sum.defined() ? sum + p : p;
    eval(sum, where);
  }
  return sum / static_cast<double>(estimators_.size());
}

StateDict BaggingClassifier::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state =
      bagging_state(estimators_, estimators_features, n_features_in, oob_score, where);
  state.emplace_back("classes", classes);
  return state;
}

void BaggingClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), own_state(state), where);
  const Tensor labels = read.take("classes", kI64, {-1});
  BagState s = read_bags(read, state, *estimator_, name(), where);
  classes = labels;
  estimators_ = std::move(s.estimators);
  estimators_features = std::move(s.features);
  n_features_in = s.n_features_in;
  oob_score = s.oob;
}

// ---- Numbers ----------------------------------------------------------------------------------

BaggingRegressor::BaggingRegressor(const BaggingOptions& options)
    : BaggingRegressor(DecisionTreeRegressor(), options) {}
BaggingRegressor::BaggingRegressor(const Estimator& estimator, const BaggingOptions& options)
    : MetaEstimator(estimator), options_(options) {}

std::vector<Param> BaggingRegressor::own_params() { return bagging_params(options_); }

BaggingRegressor& BaggingRegressor::fit(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  check_rank(op, x, where);
  const Tensor targets = check_targets(op, y, x.size(0), where);
  Bags bags = fit_bags(op, options_, *estimator_, x, targets, sample_weight, where);
  if (options_.oob_score) {
    const auto [sum, count] = unseen(bags, x, [&](const Estimator& e, const Tensor& own) {
      return cast(e.predict(own, where), kF64);
    });
    oob_score = r2_score(targets, sum / count);
  }
  estimators_ = std::move(bags.estimators);
  estimators_features = std::move(bags.features);
  n_features_in = x.size(1);
  return *this;
}

Tensor BaggingRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".predict";
  require_fitted(op, fitted(), where);
  check_rank(op, x, where);
  if (x.size(1) != n_features_in) check_x(op, x, n_features_in, where);  // says so
  Tensor sum;
  for (size_t i = 0; i < estimators_.size(); ++i) {
    const Tensor said =
        cast(estimators_[i]->predict(columns_of(x, estimators_features[i]), where), kF64);
    sum = sum.defined() ? sum + said : said;
    eval(sum, where);
  }
  return sum / static_cast<double>(estimators_.size());
}

StateDict BaggingRegressor::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  return bagging_state(estimators_, estimators_features, n_features_in, oob_score, where);
}

void BaggingRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), own_state(state), where);
  BagState s = read_bags(read, state, *estimator_, name(), where);
  estimators_ = std::move(s.estimators);
  estimators_features = std::move(s.features);
  n_features_in = s.n_features_in;
  oob_score = s.oob;
}

}  // namespace glia::classic
