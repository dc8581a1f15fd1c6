#include "glia/classic/boosting.h"

#include <algorithm>
#include <cmath>

#include "boosting_loss.h"
#include "columns.h"
#include "glia/classic/model_selection.h"
#include "glia/ops.h"
#include "tree_options.h"
#include "twister.h"

namespace glia::classic {
namespace {

// What both models are fitted to and keep.
struct Stages {
  BoostLoss kind;
  int64_t outputs = 1;
  double alpha = 0.5;
  bool classes = false;
  // What was found.
  std::shared_ptr<Grove> grove = std::make_shared<Grove>();
  std::vector<double> init = {}, train_score = {}, oob_improvement = {};
};

// growth_of() is of all options of a tree, of which boosting has no criterion and constraints.
template <class Options>
struct TreeView {
  explicit TreeView(const Options& o)
      : max_depth(o.max_depth),
        max_leaf_nodes(o.max_leaf_nodes),
        min_samples_split(o.min_samples_split),
        min_samples_leaf(o.min_samples_leaf),
        min_weight_fraction_leaf(o.min_weight_fraction_leaf),
        min_impurity_decrease(o.min_impurity_decrease),
        ccp_alpha(o.ccp_alpha),
        max_features(o.max_features) {}
  RegressionCriterion criterion = RegressionCriterion::kSquaredError;
  std::optional<int64_t> max_depth, max_leaf_nodes;
  double min_samples_split, min_samples_leaf, min_weight_fraction_leaf, min_impurity_decrease,
      ccp_alpha;
  std::string max_features;
  std::vector<double> monotonic_cst = {};
};

template <class Options>
void check_boosting(std::string_view op, const Options& o, Where where) {
  require_option(o.learning_rate >= 0, op, "learning_rate", o.learning_rate, where);
  require_option(o.n_estimators >= 1 && o.n_estimators <= INT32_MAX, op, "n_estimators",
                 static_cast<double>(o.n_estimators), where);
  require_option(o.subsample > 0 && o.subsample <= 1, op, "subsample", o.subsample, where);
  require_option(o.validation_fraction > 0 && o.validation_fraction < 1, op, "validation_fraction",
                 o.validation_fraction, where);
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  if (o.n_iter_no_change)
    require_option(*o.n_iter_no_change >= 1 && *o.n_iter_no_change <= INT32_MAX, op,
                   "n_iter_no_change", static_cast<double>(*o.n_iter_no_change), where);
}

double mean_of(const std::vector<double>& values, const std::vector<double>& weight) {
  std::vector<double> products = values;
  for (size_t i = 0; i < values.size(); ++i) products[i] *= weight[i];
  return pairwise_sum(products) / pairwise_sum(weight);
}

// What a leaf says, of the samples that it has: along the negative gradients one step of Newton's,
// or the best constant of what is left.
double leaf_value(const Stages& s, const Loss& loss, const std::vector<double>& y,
                  const std::vector<double>& down, const std::vector<double>& rest,
                  const std::vector<double>& weight) {
  std::vector<double> curve(y.size());
  switch (s.kind) {
    case BoostLoss::kBinomial:
    case BoostLoss::kMultinomial:
      for (size_t i = 0; i < y.size(); ++i) {
        const double p = y[i] - down[i];
        curve[i] = p * (1 - p);
      }
      break;
    case BoostLoss::kExponential:
      for (size_t i = 0; i < y.size(); ++i) curve[i] = y[i] == 0 ? -down[i] : down[i];
      break;
    default:
      return loss.constant(rest, weight)[0];
  }
  double along = mean_of(down, weight);
  if (s.kind == BoostLoss::kMultinomial)
    along *= static_cast<double>(s.outputs - 1) / static_cast<double>(s.outputs);
  const double bend = mean_of(curve, weight);
  return std::abs(bend) < 1e-150 ? 0 : along / bend;
}

std::vector<double> only(const std::vector<double>& values, const std::vector<char>& mask,
                         bool which, int64_t outputs = 1) {
  std::vector<double> out;
  const size_t n = mask.size();
  for (int64_t k = 0; k < outputs; ++k)
    for (size_t i = 0; i < n; ++i)
      if (static_cast<bool>(mask[i]) == which)
        out.push_back(values[static_cast<size_t>(k) * n + i]);
  return out;
}

// The stages, of y as numbers or codes. No weights: 1 each.
template <class Options>
void boost_trees(std::string_view op, const Options& o, const Tensor& given, std::vector<double> y,
                 std::vector<double> weight, Stages& s, Where where) {
  check_boosting(op, o, where);
  Tensor x = given, held_x;
  std::vector<double> held_y, held_weight, held_raw;
  if (o.n_iter_no_change) {
    const Tensor targets = vector_of(y);
    const TrainTest rows =
        train_test_split(x.size(0),
                         {.test_size = o.validation_fraction,
                          .random_state = o.random_state,
                          .stratify = s.classes ? cast(targets, kI64) : Tensor()},
                         where);
    const auto some = [&](const std::vector<double>& all, const Tensor& of) {
      return all.empty() ? all : take(vector_of(all), of).to_vector<double>();
    };
    held_x = take(x, rows.test);
    x = take(x, rows.train);
    eval({x, held_x}, where);
    held_y = some(y, rows.test);
    held_weight = some(weight, rows.test);
    y = some(y, rows.train);
    weight = some(weight, rows.train);
  }
  Loss loss(s.kind, s.outputs, s.alpha);
  const bool median = s.kind == BoostLoss::kHuber;
  if (s.init.empty())
    s.init = median ? std::vector<double>{quantile_of(y, weight, 0.5)} : loss.constant(y, weight);
  const size_t n = y.size(), k = static_cast<size_t>(s.outputs);
  if (weight.empty()) weight.assign(n, 1);
  const auto raws = [&](size_t count) {
    std::vector<double> out;
    for (const double base : s.init) out.insert(out.end(), count, base);
    return out;
  };
  std::vector<double> raw = raws(n), gradients(k * n);
  held_raw = raws(held_y.size());

  TreeSamples samples = tree_samples(x);
  double total = 0;
  for (const double w : weight) total += w;
  const double fraction = o.min_weight_fraction_leaf;
  TreeGrowth growth = growth_of(op, TreeView<Options>(o), samples.n, samples.d, total, where);
  s.grove->n_features = samples.d;
  const float* rows = x.data<float>().data();
  const auto begun = static_cast<int64_t>(s.train_score.size());
  for (int64_t t = 0; t < s.grove->n_trees(); ++t) {
    const auto c = static_cast<size_t>(t) % k;
    s.grove->add_values(rows, samples.n, t, t + 1, o.learning_rate, raw.data() + c * n);
    if (!held_y.empty())
      s.grove->add_values(held_x.data<float>().data(), held_x.size(0), t, t + 1, o.learning_rate,
                          held_raw.data() + c * held_y.size());
  }
  Twister random(o.random_state);
  const auto bagged =
      std::max<int64_t>(1, static_cast<int64_t>(o.subsample * static_cast<double>(n)));
  const double factor =
      s.kind == BoostLoss::kSquaredError || s.kind == BoostLoss::kBinomial ? 2 : 1;
  std::vector<double> history;
  double before = 0;
  for (int64_t stage = 0; stage < o.n_estimators; ++stage) {
    std::vector<char> in_bag(n, 1);
    std::vector<double> own = weight;
    if (o.subsample < 1) {
      std::vector<double> drawn(n);
      for (double& u : drawn) u = random.uniform();
      int64_t taken = 0;
      for (size_t i = 0; i < n; ++i) {
        in_bag[i] = drawn[i] * static_cast<double>(n - i) < static_cast<double>(bagged - taken);
        taken += in_bag[i];
        if (!in_bag[i]) own[i] = 0;
      }
      double sum = 0;
      for (const double w : own) sum += w;
      growth.min_weight_leaf = fraction * sum;
    }
    const auto loss_of = [&](bool which) {
      return factor * loss.mean(only(y, in_bag, which), only(raw, in_bag, which, s.outputs),
                                only(weight, in_bag, which));
    };
    if (stage < begun) {  // draws what this stage has drawn
      for (size_t c = 0; c < k; ++c) random.below(INT32_MAX);
      if (o.subsample < 1 && stage + 1 == begun) before = loss_of(false);
      continue;
    }
    if (s.kind == BoostLoss::kHuber) {
      std::vector<double> off(n);
      for (size_t i = 0; i < n; ++i) off[i] = std::abs(y[i] - raw[i]);
      loss.delta = quantile_of(off, weight, s.alpha);
    }
    if (o.subsample < 1 && stage == 0) before = loss_of(false);
    loss.gradients(y, raw, gradients.data());
    for (size_t c = 0; c < k; ++c) {
      samples.y.resize(n);
      for (size_t i = 0; i < n; ++i) samples.y[i] = -gradients[c * n + i];
      Grove tree = grow_tree(samples, growth, own, static_cast<uint32_t>(random.below(INT32_MAX)));
      std::vector<int64_t> leaf(n);
      for (size_t i = 0; i < n; ++i)
        leaf[i] = tree.leaf(0, rows + static_cast<int64_t>(i) * samples.d);
      if (s.kind != BoostLoss::kSquaredError) {
        std::vector<std::vector<size_t>> members(tree.nodes.size());
        for (size_t i = 0; i < n; ++i)
          if (in_bag[i]) members[static_cast<size_t>(leaf[i])].push_back(i);
        for (size_t node = 0; node < members.size(); ++node) {
          if (members[node].empty()) continue;
          std::vector<double> targets, down, rest, of;
          for (const size_t i : members[node]) {
            const bool is = y[i] == static_cast<double>(c);
            targets.push_back(s.kind == BoostLoss::kMultinomial ? static_cast<double>(is) : y[i]);
            down.push_back(samples.y[i]);
            rest.push_back(y[i] - raw[c * n + i]);
            of.push_back(weight[i]);
          }
          tree.values[node] = leaf_value(s, loss, targets, down, rest, of);
        }
      }
      for (size_t i = 0; i < n; ++i)
        raw[c * n + i] += o.learning_rate * tree.values[static_cast<size_t>(leaf[i])];
      if (!held_y.empty())
        tree.add_values(held_x.data<float>().data(), held_x.size(0), 0, 1, o.learning_rate,
                        held_raw.data() + c * held_y.size());
      s.grove->append(tree);
    }
    s.train_score.push_back(loss_of(true));
    if (o.subsample < 1) {
      const double now = loss_of(false);
      s.oob_improvement.push_back(before - now);
      before = now;
    }
    if (!o.n_iter_no_change) continue;
    const double held_loss = factor * loss.mean(held_y, held_raw, held_weight);
    const auto window = static_cast<size_t>(*o.n_iter_no_change);
    const bool better =
        history.size() < window || std::any_of(history.begin(), history.end(),
                                               [&](double h) { return held_loss + o.tol < h; });
    if (!better) break;
    if (history.size() < window)
      history.push_back(held_loss);
    else
      history[static_cast<size_t>(stage) % window] = held_loss;
  }
}

// The mean of what trees gained, in shares.
Tensor mean_gains(const Grove& grove) {
  std::vector<double> out(static_cast<size_t>(grove.n_features));
  double sum = 0;
  for (int64_t t = 0; t < grove.n_trees(); ++t) {
    const std::vector<double> gains = grove.gains(t);
    for (size_t f = 0; f < gains.size(); ++f) {
      out[f] += gains[f];
      sum += gains[f];
    }
  }
  if (sum > 0)
    for (double& gain : out) gain /= sum;
  return vector_of(out);
}

// (samples, outputs) after all stages; seen(stage, raw) sees each.
template <class Seen>
std::vector<double> raw_after(const Grove& grove, const Tensor& init, double rate, const Tensor& x,
                              Seen&& seen) {
  const auto base = init.to_vector<double>();
  const auto k = static_cast<int64_t>(base.size()), n = x.size(0);
  std::vector<double> raw, column(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) raw.insert(raw.end(), base.begin(), base.end());
  for (int64_t t = 0; t < grove.n_trees(); ++t) {
    std::fill(column.begin(), column.end(), 0.0);
    grove.add_values(x.data<float>().data(), n, t, t + 1, rate, column.data());
    for (int64_t i = 0; i < n; ++i)
      raw[static_cast<size_t>(i * k + t % k)] += column[static_cast<size_t>(i)];
    if (t % k == k - 1) seen(raw);
  }
  return raw;
}

// What warm_start goes on with.
template <class Model>
void begin_stages(const std::string& op, const Model& model, const Grove* grove, int64_t features,
                  bool same, Stages& s, Where where) {
  const auto& o = model.options();
  const bool fits =
      same && grove && grove->n_features == features && model.init.size(0) == s.outputs;
  if (!goes_on(op, o.warm_start, grove ? model.train_score.size(0) : 0, "n_estimators",
               o.n_estimators, fits, where))
    return;
  *s.grove = *grove;
  s.init = model.init.template to_vector<double>();
  s.train_score = model.train_score.template to_vector<double>();
  if (model.oob_improvement.defined())
    s.oob_improvement = model.oob_improvement.template to_vector<double>();
}

template <class Model>
void keep_stages(Model& model, Stages& s, std::shared_ptr<const Grove>& grove) {
  model.init = vector_of(s.init);
  model.train_score = vector_of(s.train_score);
  model.oob_improvement = s.oob_improvement.empty() ? Tensor() : vector_of(s.oob_improvement);
  model.feature_importances = mean_gains(*s.grove);
  model.n_features_in = s.grove->n_features;
  grove = s.grove;
}

template <class Model>
StateDict stage_state(const Model& model, const Grove& grove) {
  StateDict state = {{"init", model.init},
                     {"train_score", model.train_score},
                     {"feature_importances", model.feature_importances}};
  if (model.oob_improvement.defined()) state.emplace_back("oob_improvement", model.oob_improvement);
  for (auto& entry : grove.state()) state.push_back(entry);
  return state;
}

template <class Model>
void read_stages(Model& model, StateReader& read, const StateDict& state, int64_t outputs,
                 std::shared_ptr<const Grove>& grove, Where where) {
  const Tensor init = cast(read.take("init", kF64, {outputs}), kF64);
  const Tensor scores = read.take("train_score", kF64, {-1});
  const Tensor shares = read.take("feature_importances", kF64, {-1});
  Tensor oob;
  if (std::any_of(state.begin(), state.end(),
                  [](const auto& e) { return e.first == "oob_improvement"; }))
    oob = read.take("oob_improvement", kF64, {scores.size(0)});
  auto trees = std::make_shared<Grove>(Grove::load(read, shares.size(0), 1, model.name(), where));
  read.finish();
  if (trees->n_trees() != scores.size(0) * outputs)
    throw Error(std::string(model.name()) + ".load_state_dict: trees are not of each stage", where);
  model.init = init;
  model.train_score = scores;
  model.feature_importances = shares;
  model.oob_improvement = oob;
  model.n_features_in = shares.size(0);
  grove = trees;
}

template <class Options>
std::vector<Param> boosting_params(Options& o) {
  return {{"learning_rate", &o.learning_rate},
          {"n_estimators", &o.n_estimators},
          {"subsample", &o.subsample},
          {"min_samples_split", &o.min_samples_split},
          {"min_samples_leaf", &o.min_samples_leaf},
          {"min_weight_fraction_leaf", &o.min_weight_fraction_leaf},
          {"max_depth", &o.max_depth},
          {"min_impurity_decrease", &o.min_impurity_decrease},
          {"random_state", &o.random_state},
          max_features_param(&o.max_features),
          {"max_leaf_nodes", &o.max_leaf_nodes},
          {"n_iter_no_change", &o.n_iter_no_change},
          {"validation_fraction", &o.validation_fraction},
          {"tol", &o.tol},
          {"ccp_alpha", &o.ccp_alpha},
          {"warm_start", &o.warm_start}};
}

}  // namespace

// ---- Classes ----------------------------------------------------------------------------------

std::vector<Param> GradientBoostingClassifier::params() {
  std::vector<Param> all = boosting_params(options_);
  all.insert(all.begin(), {"loss", &options_.loss, {"log_loss", "exponential"}});
  return all;
}

GradientBoostingClassifier& GradientBoostingClassifier::fit(const Tensor& x, const Tensor& y,
                                                            const Tensor& sample_weight,
                                                            Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const Tensor given = tree_x(op, x, -1, where);
  const ClassTargets targets = check_classes(op, y, given.size(0), where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError(op + ": y has one class only", where);
  if (k > 2 && options_.loss == BoostingClassLoss::kExponential)
    throw ValueError(op + ": loss exponential is of two classes, and y has " + std::to_string(k),
                     where);
  const Tensor own = check_sample_weight(op, sample_weight, given.size(0), kF64, where);
  Stages s{.kind = options_.loss == BoostingClassLoss::kExponential ? BoostLoss::kExponential
                   : k == 2                                         ? BoostLoss::kBinomial
                                                                    : BoostLoss::kMultinomial,
           .outputs = k == 2 ? 1 : k,
           .classes = true};
  begin_stages(op, *this, grove_.get(), given.size(1),
               !fitted() || same_numbers(classes, targets.classes), s, where);
  boost_trees(op, options_, given, targets.codes.to_vector<double>(),
              own.defined() ? own.to_vector<double>() : std::vector<double>(), s, where);
  keep_stages(*this, s, grove_);
  classes = targets.classes;
  return *this;
}

Tensor GradientBoostingClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = tree_x(std::string(name()) + ".decision_function", x, n_features_in, where);
  const auto raw = raw_after(*grove_, init, options_.learning_rate, given, [](const auto&) {});
  const int64_t n = given.size(0), k = init.size(0);
  return from_vector(raw, k == 1 ? Shape{n} : Shape{n, k});
}

Tensor GradientBoostingClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor raw = decision_function(x, where);
  if (raw.rank() == 2) return softmax(raw, 1);
  const Tensor p = sigmoid(options_.loss == BoostingClassLoss::kExponential ? 2 * raw : raw);
  return stack({1 - p, p}, 1);
}

Tensor GradientBoostingClassifier::staged_predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = tree_x(std::string(name()) + ".staged_predict", x, n_features_in, where);
  const int64_t n = given.size(0), k = init.size(0);
  const auto labels = classes.to_vector<int64_t>();
  std::vector<int64_t> out;
  raw_after(*grove_, init, options_.learning_rate, given, [&](const std::vector<double>& raw) {
    for (int64_t i = 0; i < n; ++i) {
      const auto row = raw.begin() + i * k;
      out.push_back(labels[static_cast<size_t>(k == 1 ? (*row > 0 ? 1 : 0)
                                                      : std::max_element(row, row + k) - row)]);
    }
  });
  return from_vector(out, {train_score.size(0), n});
}

StateDict GradientBoostingClassifier::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state = stage_state(*this, *grove_);
  state.emplace_back("classes", classes);
  return state;
}

void GradientBoostingClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor labels = read.take("classes", kI64, {-1});
  if (labels.size(0) < 2)
    throw Error(std::string(name()) + ".load_state_dict: one class only", where);
  read_stages(*this, read, state, labels.size(0) == 2 ? 1 : labels.size(0), grove_, where);
  classes = labels;
}

// ---- Numbers ----------------------------------------------------------------------------------

std::vector<Param> GradientBoostingRegressor::params() {
  std::vector<Param> all = boosting_params(options_);
  all.insert(all.begin(),
             {"loss", &options_.loss, {"squared_error", "absolute_error", "huber", "quantile"}});
  all.emplace_back("alpha", &options_.alpha);
  return all;
}

GradientBoostingRegressor& GradientBoostingRegressor::fit(const Tensor& x, const Tensor& y,
                                                          const Tensor& sample_weight,
                                                          Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const Tensor given = tree_x(op, x, -1, where);
  const Tensor targets = check_targets(op, y, given.size(0), where);
  if (targets.rank() != 1)
    throw ShapeError(op + ": y is (samples), not " + targets.shape().str(), where);
  check_magnitude(op, targets, where);
  require_option(options_.alpha > 0 && options_.alpha < 1, op, "alpha", options_.alpha, where);
  const Tensor own = check_sample_weight(op, sample_weight, given.size(0), kF64, where);
  constexpr BoostLoss kKinds[] = {BoostLoss::kSquaredError, BoostLoss::kAbsoluteError,
                                  BoostLoss::kHuber, BoostLoss::kQuantile};
  Stages s{.kind = kKinds[static_cast<size_t>(options_.loss)], .alpha = options_.alpha};
  begin_stages(op, *this, grove_.get(), given.size(1), true, s, where);
  boost_trees(op, options_, given, targets.to_vector<double>(),
              own.defined() ? own.to_vector<double>() : std::vector<double>(), s, where);
  keep_stages(*this, s, grove_);
  return *this;
}

Tensor GradientBoostingRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = tree_x(std::string(name()) + ".predict", x, n_features_in, where);
  return vector_of(raw_after(*grove_, init, options_.learning_rate, given, [](const auto&) {}));
}

Tensor GradientBoostingRegressor::staged_predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = tree_x(std::string(name()) + ".staged_predict", x, n_features_in, where);
  std::vector<double> out;
  raw_after(*grove_, init, options_.learning_rate, given,
            [&](const std::vector<double>& raw) { out.insert(out.end(), raw.begin(), raw.end()); });
  return from_vector(out, {train_score.size(0), given.size(0)});
}

StateDict GradientBoostingRegressor::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  return stage_state(*this, *grove_);
}

void GradientBoostingRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  read_stages(*this, read, state, 1, grove_, where);
}

}  // namespace glia::classic
