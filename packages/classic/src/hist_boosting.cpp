#include "glia/classic/hist_boosting.h"

#include <algorithm>
#include <cmath>

#include "boosting_loss.h"
#include "columns.h"
#include "glia/classic/model_selection.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "hist_grower.h"
#include "linear.h"
#include "tree_options.h"

namespace glia::classic {
namespace {

// X as f64 (samples, features); NaN is a missing value, and categories are codes, those that are
// not known NaN.
std::vector<double> coded(const Features& given, const std::vector<int64_t>& features,
                          const std::vector<Tensor>& categories) {
  std::vector<double> x = given.values;
  for (size_t c = 0; c < features.size(); ++c) {
    const auto known = categories[c].data<double>();
    for (int64_t i = 0; i < given.rows; ++i) {
      double& value = x[static_cast<size_t>(i * given.columns + features[c])];
      const auto at = std::lower_bound(known.begin(), known.end(), value);
      const bool found = at != known.end() && *at == value;  // false of NaN
      value = found ? static_cast<double>(at - known.begin())
                    : std::numeric_limits<double>::quiet_NaN();
    }
  }
  return x;
}

template <class Options>
void check_categories(std::string_view op, const Options& o, int64_t features, Where where) {
  std::vector<int64_t> seen = o.categorical_features;
  std::sort(seen.begin(), seen.end());
  for (size_t i = 0; i < seen.size(); ++i) {
    require_option(seen[i] >= 0 && seen[i] < features && (i == 0 || seen[i] != seen[i - 1]), op,
                   "categorical_features", static_cast<double>(seen[i]), where);
    if (!o.monotonic_cst.empty() && o.monotonic_cst[static_cast<size_t>(seen[i])] != 0)
      throw ValueError(std::string(op) + ": feature " + std::to_string(seen[i]) +
                           " is categorical, and monotonic_cst is of numbers",
                       where);
  }
}

template <class Options>
std::vector<Tensor> categories_of(std::string_view op, const Options& o, const Features& given,
                                  Where where) {
  std::vector<Tensor> out;
  for (const int64_t f : o.categorical_features) {
    std::vector<double> values = given.present(f);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    if (static_cast<int64_t>(values.size()) > o.max_bins)
      throw ValueError(std::string(op) + ": categorical feature " + std::to_string(f) + " has " +
                           std::to_string(values.size()) + " values, more than max_bins, " +
                           std::to_string(o.max_bins),
                       where);
    if (values.empty()) values.push_back(0);  // all are missing
    out.push_back(vector_of(values));
  }
  return out;
}

template <class Options>
HistGrowth hist_growth(std::string_view op, const Options& o, int64_t features, Where where) {
  const auto count = [&](std::string_view name, int64_t value, int64_t least, int64_t most) {
    require_option(value >= least && value <= most, op, name, static_cast<double>(value), where);
  };
  require_option(o.learning_rate > 0, op, "learning_rate", o.learning_rate, where);
  count("max_iter", o.max_iter, 1, INT32_MAX);
  count("min_samples_leaf", o.min_samples_leaf, 1, INT64_MAX);
  count("max_bins", o.max_bins, 2, 255);
  count("n_iter_no_change", o.n_iter_no_change, 1, INT32_MAX);
  require_option(o.l2_regularization >= 0, op, "l2_regularization", o.l2_regularization, where);
  require_option(o.max_features > 0 && o.max_features <= 1, op, "max_features", o.max_features,
                 where);
  require_option(o.tol >= 0, op, "tol", o.tol, where);
  if (o.validation_fraction)
    require_option(*o.validation_fraction > 0 && *o.validation_fraction < 1, op,
                   "validation_fraction", *o.validation_fraction, where);
  HistGrowth g;
  if (o.max_leaf_nodes) {
    count("max_leaf_nodes", *o.max_leaf_nodes, 2, INT32_MAX);
    g.max_leaf_nodes = *o.max_leaf_nodes;
  }
  if (o.max_depth) {
    count("max_depth", *o.max_depth, 1, INT64_MAX);
    g.max_depth = *o.max_depth;
  }
  g.min_samples_leaf = o.min_samples_leaf;
  g.l2 = o.l2_regularization;
  g.shrinkage = o.learning_rate;
  g.feature_share = o.max_features;
  g.monotonic = monotonic_of(op, o.monotonic_cst, features, where);
  if (std::all_of(g.monotonic.begin(), g.monotonic.end(), [](int8_t s) { return s == 0; }))
    g.monotonic.clear();
  check_categories(op, o, features, where);
  return g;
}

struct Part {  // of the samples
  std::vector<double> x, y, weight;
  std::vector<double> raw;  // (outputs, samples)
  int64_t n() const { return static_cast<int64_t>(y.size()); }
};
Part part_of(const Part& all, const Tensor& rows, int64_t d) {
  Part out;
  for (const int64_t i : rows.to_vector<int64_t>()) {
    const auto row = all.x.begin() + i * d;
    out.x.insert(out.x.end(), row, row + d);
    out.y.push_back(all.y[static_cast<size_t>(i)]);
    if (!all.weight.empty()) out.weight.push_back(all.weight[static_cast<size_t>(i)]);
  }
  return out;
}

struct Boosted {
  std::shared_ptr<Grove> grove = std::make_shared<Grove>();
  std::vector<double> baseline, train_score, validation_score;
  int64_t n_iter = 0;
};

// Whether none of the last scores is better than the one before them.
bool no_better(const std::vector<double>& scores, int64_t n_iter_no_change, double tol) {
  const auto count = static_cast<size_t>(n_iter_no_change);
  if (scores.size() < count + 1) return false;
  const double before = scores[scores.size() - count - 1] + tol;
  return std::none_of(scores.end() - n_iter_no_change, scores.end(),
                      [&](double s) { return s > before; });
}

template <class Options>
Boosted boost(const Options& o, const HistGrowth& growth, const Loss& loss, Part all, int64_t d,
              const std::vector<int64_t>& categories, bool classes, const Boosted* begun,
              Where where) {
  const bool stops = o.early_stopping == EarlyStopping::kTrue ||
                     (o.early_stopping == EarlyStopping::kAuto && all.n() > 10000);
  Twister random(o.random_state);
  const auto seed = static_cast<uint64_t>(random.below(UINT32_MAX));
  Part held;
  if (stops && o.validation_fraction) {
    const Tensor y = vector_of(all.y);
    const TrainTest rows = train_test_split(all.n(),
                                            {.test_size = *o.validation_fraction,
                                             .random_state = seed,
                                             .stratify = classes ? cast(y, kI64) : Tensor()},
                                            where);
    held = part_of(all, rows.test, d);
    all = part_of(all, rows.train, d);
  }
  const HistBins bins =
      hist_bins(all.x.data(), all.n(), d, o.max_bins, categories, all.weight, seed);
  HistGrower grower(bins, growth, seed);
  Boosted out = begun ? *begun : Boosted();
  out.grove->n_features = d;
  if (!begun) out.baseline = loss.constant(all.y, all.weight);
  const auto k = static_cast<size_t>(loss.outputs());
  for (Part* part : {&all, &held}) {
    const auto n = part->y.size();
    part->raw.resize(k * n);
    for (size_t c = 0; c < k; ++c) std::fill_n(part->raw.begin() + c * n, n, out.baseline[c]);
    for (int64_t t = 0; t < out.grove->n_trees(); ++t)
      out.grove->add_values(part->x.data(), part->n(), t, t + 1, 1,
                            part->raw.data() + static_cast<size_t>(t) % k * n);
  }
  const auto score = [&] {
    if (!stops) return;
    out.train_score.push_back(-loss.mean(all.y, all.raw, all.weight));
    if (held.n() > 0) out.validation_score.push_back(-loss.mean(held.y, held.raw, held.weight));
  };
  if (!begun) score();
  const size_t n = all.y.size();
  const bool second = !loss.constant_hessian() || !all.weight.empty();
  std::vector<float> gradients(k * n), hessians(second ? k * n : 0);
  while (out.n_iter < o.max_iter) {
    loss.derivatives(all.y, all.raw, all.weight, gradients.data(),
                     second ? hessians.data() : nullptr);
    for (size_t c = 0; c < k; ++c) {
      Grove tree =
          grower.grow(gradients.data() + c * n, second ? hessians.data() + c * n : nullptr);
      double* raw = all.raw.data() + c * n;
      const std::vector<HistGrower::Leaf> leaves = grower.leaves();
      parallel_for(static_cast<int64_t>(leaves.size()), [&](int64_t l) {
        const HistGrower::Leaf& leaf = leaves[static_cast<size_t>(l)];
        double& value = tree.values[static_cast<size_t>(leaf.node)];
        if (!loss.differentiable()) {
          std::vector<double> rest, weight;
          for (const uint32_t* i = leaf.begin; i != leaf.end; ++i) {
            rest.push_back(all.y[*i] - raw[*i]);
            if (!all.weight.empty()) weight.push_back(all.weight[*i]);
          }
          value = growth.shrinkage * quantile_of(std::move(rest), weight, loss.quantile());
        }
        for (const uint32_t* i = leaf.begin; i != leaf.end; ++i) raw[*i] += value;
      });
      if (held.n() > 0)
        tree.add_values(held.x.data(), held.n(), 0, 1, 1, held.raw.data() + c * held.y.size());
      out.grove->append(tree);
    }
    ++out.n_iter;
    score();
    if (stops &&
        no_better(held.n() > 0 ? out.validation_score : out.train_score, o.n_iter_no_change, o.tol))
      break;
  }
  return out;
}

// Shares of what splits gained.
Tensor gain_shares(const Grove& grove) {
  std::vector<double> out(static_cast<size_t>(grove.n_features));
  double sum = 0;
  for (size_t i = 0; i < grove.nodes.size(); ++i)
    if (!grove.nodes[i].is_leaf()) {
      out[static_cast<size_t>(grove.nodes[i].feature)] += grove.impurity[i];
      sum += grove.impurity[i];
    }
  if (sum > 0)
    for (double& x : out) x /= sum;
  return vector_of(out);
}

// (samples, outputs): trees of an iteration, one for each output, follow each other.
Tensor raw_predictions(const Grove& grove, const Tensor& baseline, const std::vector<double>& x,
                       int64_t rows) {
  const auto base = baseline.to_vector<double>();
  const auto k = static_cast<int64_t>(base.size());
  std::vector<double> out(static_cast<size_t>(rows * k));
  for (int64_t i = 0; i < rows; ++i) std::copy_n(base.begin(), k, out.begin() + i * k);
  grove.add_values(x.data(), rows, 0, grove.n_trees(), 1, out.data(), k);
  return from_vector(out, {rows, k});
}

template <class Model>
Tensor raw_of(const Model& model, const char* method, const Tensor& x, const Grove* grove,
              const std::vector<Tensor>& categories, Where where) {
  const Features given =
      features_of(std::string(model.name()) + "." + method, x, true, model.n_features_in, where);
  return raw_predictions(*grove, model.baseline,
                         coded(given, model.options().categorical_features, categories),
                         given.rows);
}

template <class Model>
StateDict hist_state(const Model& model, const Grove& grove,
                     const std::vector<Tensor>& categories) {
  StateDict state = grove.state(true);
  StateDict own = {{"baseline", model.baseline},
                   {"feature_importances", model.feature_importances},
                   {"n_iter", tensor(model.n_iter)}};
  if (model.train_score.defined()) own.emplace_back("train_score", model.train_score);
  if (model.validation_score.defined())
    own.emplace_back("validation_score", model.validation_score);
  for (size_t c = 0; c < categories.size(); ++c)
    own.emplace_back("categories." + std::to_string(c), categories[c]);
  state.insert(state.begin(), own.begin(), own.end());
  return state;
}

struct HistState {
  Tensor baseline, importances, train_score, validation_score;
  int64_t n_iter = 0;
  std::vector<Tensor> categories;
  std::shared_ptr<Grove> grove;
};
HistState read_hist(StateReader& read, const StateDict& state, std::string_view name,
                    const std::vector<int64_t>& categorical, int64_t outputs, Where where) {
  HistState out;
  const auto has = [&](std::string_view key) {
    return std::any_of(state.begin(), state.end(), [&](const auto& e) { return e.first == key; });
  };
  out.baseline = cast(read.take("baseline", kF64, {outputs}), kF64);
  out.importances = read.take("feature_importances", kF64, {-1});
  out.n_iter = read.count("n_iter");
  if (has("train_score")) out.train_score = read.take("train_score", kF64, {-1});
  if (has("validation_score")) out.validation_score = read.take("validation_score", kF64, {-1});
  for (size_t c = 0; c < categorical.size(); ++c) {
    const Tensor known = cast(read.take("categories." + std::to_string(c), kF64, {-1}), kF64);
    if (known.size(0) > 255 ||
        (known.size(0) > 1 &&
         !all(index(known, {Slice{1}}) > index(known, {Slice{0, known.size(0) - 1}})).item<bool>()))
      throw Error(std::string(name) + ".load_state_dict: categories are not ascending, or too many",
                  where);
    out.categories.push_back(known);
  }
  out.grove =
      std::make_shared<Grove>(Grove::load(read, out.importances.size(0), 1, name, where, true));
  read.finish();
  if (out.grove->n_trees() % outputs != 0)
    throw Error(std::string(name) + ".load_state_dict: trees are not of each output", where);
  for (const int64_t f : categorical)
    if (f < 0 || f >= out.grove->n_features)
      throw Error(std::string(name) + ".load_state_dict: a categorical feature is beyond X", where);
  for (const Grove::Node& node : out.grove->nodes)
    if (node.categories &&
        std::find(categorical.begin(), categorical.end(), node.feature) == categorical.end())
      throw Error(std::string(name) + ".load_state_dict: feature " + std::to_string(node.feature) +
                      " is not categorical",
                  where);
  return out;
}

template <class Model>
void take_state(Model& model, HistState& s, std::shared_ptr<const Grove>& grove,
                std::vector<Tensor>& categories) {
  model.baseline = s.baseline;
  model.feature_importances = s.importances;
  model.n_iter = s.n_iter;
  model.train_score = s.train_score;
  model.validation_score = s.validation_score;
  model.n_features_in = s.grove->n_features;
  grove = s.grove;
  categories = s.categories;
}

// Fits a model to y, as codes or numbers.
template <class Model>
void fit_hist(Model& model, const Features& given, std::vector<double> y,
              std::vector<double> weight, const Loss& loss, bool classes, bool same,
              std::shared_ptr<const Grove>& grove, std::vector<Tensor>& categories, Where where) {
  const std::string op = std::string(model.name()) + ".fit";
  const auto& o = model.options();
  const HistGrowth growth = hist_growth(op, o, given.columns, where);
  HistState s;
  s.categories = categories_of(op, o, given, where);
  std::vector<int64_t> counts(static_cast<size_t>(given.columns));
  for (size_t c = 0; c < s.categories.size(); ++c)
    counts[static_cast<size_t>(o.categorical_features[c])] = s.categories[c].size(0);
  Part all{.x = coded(given, o.categorical_features, s.categories),
           .y = std::move(y),
           .weight = std::move(weight),
           .raw = {}};
  std::optional<Boosted> begun;
  const bool fits = same && grove && grove->n_features == given.columns &&
                    model.baseline.size(0) == loss.outputs() &&
                    std::equal(s.categories.begin(), s.categories.end(), categories.begin(),
                               categories.end(), same_numbers);
  if (goes_on(op, o.warm_start, model.n_iter, "max_iter", o.max_iter, fits, where)) {
    const auto numbers = [](const Tensor& t) {
      return t.defined() ? t.to_vector<double>() : std::vector<double>();
    };
    begun = Boosted{std::make_shared<Grove>(*grove), numbers(model.baseline),
                    numbers(model.train_score), numbers(model.validation_score), model.n_iter};
  }
  const Boosted b = boost(o, growth, loss, std::move(all), given.columns, counts, classes,
                          begun ? &*begun : nullptr, where);
  s.grove = b.grove;
  s.baseline = vector_of(b.baseline);
  s.importances = gain_shares(*b.grove);
  s.n_iter = b.n_iter;
  if (!b.train_score.empty()) s.train_score = vector_of(b.train_score);
  if (!b.validation_score.empty()) s.validation_score = vector_of(b.validation_score);
  take_state(model, s, grove, categories);
}

template <class Options>
std::vector<Param> hist_params(Options& o) {
  return {{"learning_rate", &o.learning_rate},
          {"max_iter", &o.max_iter},
          {"max_leaf_nodes", &o.max_leaf_nodes},
          {"max_depth", &o.max_depth},
          {"min_samples_leaf", &o.min_samples_leaf},
          {"l2_regularization", &o.l2_regularization},
          {"max_features", &o.max_features},
          {"max_bins", &o.max_bins},
          list_param("categorical_features", &o.categorical_features),
          list_param("monotonic_cst", &o.monotonic_cst),
          {"early_stopping", &o.early_stopping, {"auto", "true", "false"}},
          {"validation_fraction", &o.validation_fraction},
          {"n_iter_no_change", &o.n_iter_no_change},
          {"tol", &o.tol},
          {"warm_start", &o.warm_start},
          {"random_state", &o.random_state}};
}

}  // namespace

// ---- Classes ----------------------------------------------------------------------------------

std::vector<Param> HistGradientBoostingClassifier::params() {
  std::vector<Param> all = hist_params(options_);
  all.emplace_back("balanced", &options_.balanced);
  all.push_back(list_param("class_weight", &options_.class_weight));
  return all;
}

HistGradientBoostingClassifier& HistGradientBoostingClassifier::fit(const Tensor& x,
                                                                    const Tensor& y,
                                                                    const Tensor& sample_weight,
                                                                    Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const Features given = features_of(op, x, true, -1, where);
  const ClassTargets targets = check_classes(op, y, given.rows, where);
  const int64_t k = targets.classes.size(0);
  if (k < 2) throw ValueError(op + ": y has one class only", where);
  std::vector<double> weight;
  if (sample_weight.defined() || options_.balanced || !options_.class_weight.empty())
    weight = class_sample_weights(op, targets, sample_weight, given.rows, options_.balanced,
                                  options_.class_weight, where);
  const Loss loss(k == 2 ? BoostLoss::kBinomial : BoostLoss::kMultinomial, k == 2 ? 1 : k);
  fit_hist(*this, given, targets.codes.to_vector<double>(), std::move(weight), loss, true,
           !fitted() || same_numbers(classes, targets.classes), grove_, categories_, where);
  classes = targets.classes;
  return *this;
}

Tensor HistGradientBoostingClassifier::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor raw = raw_of(*this, "decision_function", x, grove_.get(), categories_, where);
  return raw.size(1) == 1 ? reshape(raw, {-1}) : raw;
}

Tensor HistGradientBoostingClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor raw = raw_of(*this, "predict_proba", x, grove_.get(), categories_, where);
  if (raw.size(1) > 1) return softmax(raw, 1);
  const Tensor p = sigmoid(reshape(raw, {-1}));
  return stack({1 - p, p}, 1);
}

StateDict HistGradientBoostingClassifier::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  StateDict state = hist_state(*this, *grove_, categories_);
  state.emplace_back("classes", classes);
  return state;
}

void HistGradientBoostingClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor labels = read.take("classes", kI64, {-1});
  if (labels.size(0) < 2)
    throw Error(std::string(name()) + ".load_state_dict: one class only", where);
  const int64_t outputs = labels.size(0) == 2 ? 1 : labels.size(0);
  HistState s = read_hist(read, state, name(), options_.categorical_features, outputs, where);
  take_state(*this, s, grove_, categories_);
  classes = labels;
}

// ---- Numbers ----------------------------------------------------------------------------------

std::vector<Param> HistGradientBoostingRegressor::params() {
  std::vector<Param> all = hist_params(options_);
  all.insert(all.begin(), {{"loss",
                            &options_.loss,
                            {"squared_error", "absolute_error", "gamma", "poisson", "quantile"}},
                           {"quantile", &options_.quantile}});
  return all;
}

HistGradientBoostingRegressor& HistGradientBoostingRegressor::fit(const Tensor& x, const Tensor& y,
                                                                  const Tensor& sample_weight,
                                                                  Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const Features given = features_of(op, x, true, -1, where);
  const Tensor targets = check_targets(op, y, given.rows, where);
  if (targets.rank() != 1)
    throw ShapeError(op + ": y is (samples), not " + targets.shape().str(), where);
  const Tensor own = check_sample_weight(op, sample_weight, given.rows, kF64, where);
  constexpr BoostLoss kKinds[] = {BoostLoss::kSquaredError, BoostLoss::kAbsoluteError,
                                  BoostLoss::kGamma, BoostLoss::kPoisson, BoostLoss::kQuantile};
  const HistRegressionLoss kind = options_.loss;
  if (kind == HistRegressionLoss::kQuantile && !options_.quantile)
    throw ValueError(op + ": loss quantile needs the option quantile", where);
  const double q = kind == HistRegressionLoss::kQuantile ? *options_.quantile : 0.5;
  require_option(q > 0 && q < 1, op, "quantile", q, where);
  if (kind == HistRegressionLoss::kGamma && any(targets <= 0.0).item<bool>())
    throw ValueError(op + ": loss gamma is of y above 0", where);
  if (kind == HistRegressionLoss::kPoisson &&
      (any(targets < 0.0).item<bool>() || !(sum(targets) > 0.0).item<bool>()))
    throw ValueError(op + ": loss poisson is of y of at least 0, not all 0", where);
  fit_hist(*this, given, targets.to_vector<double>(),
           own.defined() ? own.to_vector<double>() : std::vector<double>(),
           Loss(kKinds[static_cast<size_t>(kind)], 1, q), false, true, grove_, categories_, where);
  return *this;
}

Tensor HistGradientBoostingRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor raw = reshape(raw_of(*this, "predict", x, grove_.get(), categories_, where), {-1});
  const bool logs =
      options_.loss == HistRegressionLoss::kGamma || options_.loss == HistRegressionLoss::kPoisson;
  return logs ? exp(raw) : raw;
}

StateDict HistGradientBoostingRegressor::state_dict(Where where) const {
  require_fitted(std::string(name()) + ".state_dict", fitted(), where);
  return hist_state(*this, *grove_, categories_);
}

void HistGradientBoostingRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  HistState s = read_hist(read, state, name(), options_.categorical_features, 1, where);
  take_state(*this, s, grove_, categories_);
}

}  // namespace glia::classic
