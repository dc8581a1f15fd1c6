#include "glia/classic/forest.h"

#include <algorithm>

#include "columns.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "tree_options.h"
#include "twister.h"

namespace glia::classic {
namespace {

// The samples of each tree.
struct Draws {
  int64_t n = 0;
  int64_t count = 0;                  // that are drawn; 0: all are taken as they are
  const std::vector<double>* weight;  // how likely; empty: alike
  std::vector<uint32_t> seeds;        // of the trees

  // How often each sample is drawn.
  std::vector<double> times(size_t tree) const {
    Twister random(seeds[tree]);
    std::vector<double> out(static_cast<size_t>(n));
    if (weight->empty())
      for (int64_t i = 0; i < count; ++i) ++out[static_cast<size_t>(random.below(n))];
    else
      for (const int64_t i : random.weighted(*weight, count)) ++out[static_cast<size_t>(i)];
    return out;
  }
};

template <class Options>
Draws draws_of(std::string_view op, const Options& o, int64_t n, double total,
               const std::vector<double>& weight, Where where) {
  require_option(o.n_estimators >= 1 && o.n_estimators <= INT32_MAX, op, "n_estimators",
                 static_cast<double>(o.n_estimators), where);
  if (o.max_samples && !o.bootstrap)
    throw ValueError(std::string(op) + ": max_samples is of bootstrap, which is false", where);
  if (o.oob_score && !o.bootstrap)
    throw ValueError(std::string(op) + ": oob_score is of bootstrap, which is false", where);
  Draws out{.n = n, .count = o.bootstrap ? n : 0, .weight = &weight, .seeds = {}};
  if (o.max_samples) {
    const double given = *o.max_samples;
    require_option(given > 0 && (given <= 1 || (given == std::trunc(given) && given < 0x1p31)), op,
                   "max_samples", given, where);
    out.count = given > 1 ? static_cast<int64_t>(given)
                          : std::max<int64_t>(1, static_cast<int64_t>(given * total));
  }
  Twister random(o.random_state);
  for (int64_t i = 0; i < o.n_estimators; ++i)
    out.seeds.push_back(static_cast<uint32_t>(random.below(INT32_MAX)));
  return out;
}

// The trees in their order, behind those that there are; weights(times, tree) are what a tree takes
// its samples for.
template <class Weights>
Grove grow_forest(const TreeSamples& samples, const TreeGrowth& growth, const Draws& draws,
                  const Grove* begun, Weights&& weights) {
  std::vector<Grove> trees(draws.seeds.size());
  const int64_t first = begun ? begun->n_trees() : 0;
  parallel_for(static_cast<int64_t>(trees.size()) - first, [&](int64_t t) {
    const auto at = static_cast<size_t>(first + t);
    const auto seed = static_cast<uint32_t>(Twister(draws.seeds[at]).below(INT32_MAX));
    TreeGrowth own = growth;
    std::vector<double> weight;
    if (draws.count > 0) {
      weight = weights(draws.times(at));
      double total = 0;
      for (const double w : weight) total += w;
      own.min_weight_leaf *= total;
    }
    trees[at] = grow_tree(samples, own, draws.count > 0 ? weight : *draws.weight, seed);
  });
  Grove out = begun ? *begun : Grove();
  out.n_features = samples.d;
  out.width = samples.width();
  size_t nodes = out.nodes.size();
  for (const Grove& tree : trees) nodes += tree.nodes.size();
  out.nodes.reserve(nodes);
  out.values.reserve(nodes * static_cast<size_t>(out.width));
  for (size_t t = static_cast<size_t>(first); t < trees.size(); ++t) {
    out.append(trees[t]);
    trees[t] = {};
  }
  return out;
}

// What warm_start goes on with; null where it begins.
template <class Options>
const Grove* begun_forest(const std::string& op, const Options& o, const Grove* grove,
                          const TreeSamples& samples, bool same, Where where) {
  const bool fits =
      same && grove && grove->n_features == samples.d && grove->width == samples.width();
  return goes_on(op, o.warm_start, grove ? grove->n_trees() : 0, "n_estimators", o.n_estimators,
                 fits, where)
             ? grove
             : nullptr;
}

// For each sample the mean of the trees that did not see it; zeros where all did.
Tensor unseen_means(const Grove& grove, const Draws& draws, const Tensor& x) {
  const int64_t n = x.size(0), width = grove.width;
  const float* rows = x.data<float>().data();
  std::vector<double> sums(static_cast<size_t>(n * width)), counts(static_cast<size_t>(n));
  for (size_t t = 0; t < draws.seeds.size(); ++t) {
    const std::vector<double> times = draws.times(t);
    for (int64_t i = 0; i < n; ++i) {
      if (times[i] > 0) continue;
      const int64_t leaf =
          grove.begin[t] + grove.leaf(static_cast<int64_t>(t), rows + i * x.size(1));
      for (int64_t c = 0; c < width; ++c) sums[i * width + c] += grove.values[leaf * width + c];
      ++counts[i];
    }
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < width; ++c) sums[i * width + c] /= std::max(counts[i], 1.0);
  return from_vector(sums, {n, width});
}

// What is no part of `names`, for the state of the trees.
StateDict without(const StateDict& state, std::initializer_list<std::string_view> names) {
  StateDict rest;
  for (const auto& [name, value] : state)
    if (std::find(names.begin(), names.end(), name) == names.end()) rest.emplace_back(name, value);
  return rest;
}
StateDict only(const StateDict& state, std::initializer_list<std::string_view> names) {
  StateDict some;
  for (const auto& [name, value] : state)
    if (std::find(names.begin(), names.end(), name) != names.end()) some.emplace_back(name, value);
  return some;
}

template <class Options>
std::vector<Param> forest_params(Options& o, const std::vector<std::string>& criteria) {
  std::vector<Param> all = growth_params(o);
  all.insert(all.begin(),
             {{"n_estimators", &o.n_estimators}, {"criterion", &o.criterion, criteria}});
  all.emplace_back("bootstrap", &o.bootstrap);
  all.emplace_back("oob_score", &o.oob_score);
  all.emplace_back("max_samples", &o.max_samples);
  all.emplace_back("warm_start", &o.warm_start);
  return all;
}

}  // namespace

// ---- Classes ----------------------------------------------------------------------------------

std::vector<Param> ForestClassifier::params() {
  std::vector<Param> all = forest_params(options_, kClassCriteria);
  all.emplace_back("balanced", &options_.balanced);
  all.emplace_back("balanced_subsample", &options_.balanced_subsample);
  all.push_back(list_param("class_weight", &options_.class_weight));
  return all;
}

ForestClassifier& ForestClassifier::fit(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const ForestClassifierOptions& o = options_;
  const bool each = o.balanced_subsample && o.bootstrap;
  if (o.balanced && o.balanced_subsample)
    throw ValueError(op + ": balanced and balanced_subsample are both set", where);
  const ClassTreeData data =
      class_tree_data(op, x, y, sample_weight, o.balanced || (o.balanced_subsample && !each),
                      o.class_weight, o.monotonic_cst, where);
  const TreeSamples& s = data.samples;
  const Draws draws = draws_of(op, o, s.n, data.total, data.weight, where);
  // The least weight of a leaf is of the samples that its tree has.
  TreeGrowth growth = growth_of(op, o, s.n, s.d, draws.count > 0 ? 1 : data.total, where);
  growth.random = random_splits();
  for (int8_t& sign : growth.monotonic) sign = static_cast<int8_t>(-sign);  // of the first class
  if (s.classes < 2) growth.monotonic.clear();
  const Grove* begun =
      begun_forest(op, o, grove_.get(), s,
                   !o.warm_start || !fitted() || same_numbers(classes, data.classes), where);
  auto grove =
      std::make_shared<Grove>(grow_forest(s, growth, draws, begun, [&](std::vector<double> times) {
        if (!each) return times;
        std::vector<double> count(static_cast<size_t>(s.classes));
        double all = 0, present = 0;
        for (size_t i = 0; i < times.size(); ++i) {
          count[s.codes[i]] += times[i];
          all += times[i];
        }
        for (const double c : count) present += c > 0;
        for (size_t i = 0; i < times.size(); ++i)
          if (times[i] > 0) times[i] *= all / (present * count[s.codes[i]]);
        return times;
      }));
  if (o.oob_score) {
    const Tensor means = unseen_means(*grove, draws, tree_x(op, x, -1, where));
    oob_score = accuracy_score(y, take(data.classes, argmax(means, 1)));
    oob_decision_function = means;
  }
  grove_ = grove;
  classes = data.classes;
  feature_importances = vector_of(grove->importances());
  n_features_in = s.d;
  return *this;
}

StateDict ForestClassifier::state_dict(Where where) const {
  StateDict state = TreesClassifier::state_dict(where);
  if (options_.oob_score) {
    state.emplace_back("oob_score", tensor(oob_score));
    state.emplace_back("oob_decision_function", oob_decision_function);
  }
  return state;
}

void ForestClassifier::load_state_dict(const StateDict& state, Where where) {
  if (!options_.oob_score) return TreesClassifier::load_state_dict(state, where);
  StateReader read(name(), only(state, {"oob_score", "oob_decision_function", "classes"}), where);
  const Tensor labels = read.take("classes", kI64, {-1});
  const double score = read.number("oob_score");
  const Tensor means = read.take("oob_decision_function", kF64, {-1, labels.size(0)});
  TreesClassifier::load_state_dict(without(state, {"oob_score", "oob_decision_function"}), where);
  oob_score = score;
  oob_decision_function = means;
}

// ---- Numbers ----------------------------------------------------------------------------------

std::vector<Param> ForestRegressor::params() {
  return forest_params(options_, kRegressionCriteria);
}

ForestRegressor& ForestRegressor::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                      Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  const ForestRegressorOptions& o = options_;
  const NumberTreeData data =
      number_tree_data(op, x, y, sample_weight, o.criterion, o.monotonic_cst, where);
  const TreeSamples& s = data.samples;
  const Draws draws = draws_of(op, o, s.n, data.total, data.weight, where);
  TreeGrowth growth = growth_of(op, o, s.n, s.d, draws.count > 0 ? 1 : data.total, where);
  growth.random = random_splits();
  const Grove* begun = begun_forest(op, o, grove_.get(), s, true, where);
  auto grove = std::make_shared<Grove>(
      grow_forest(s, growth, draws, begun, [](std::vector<double> times) { return times; }));
  if (o.oob_score) {
    const Tensor means = unseen_means(*grove, draws, tree_x(op, x, -1, where));
    oob_prediction = data.flat ? reshape(means, {-1}) : means;
    oob_score = r2_score(y, oob_prediction);
  }
  grove_ = grove;
  flat_ = data.flat;
  feature_importances = vector_of(grove->importances());
  n_features_in = s.d;
  return *this;
}

StateDict ForestRegressor::state_dict(Where where) const {
  StateDict state = TreesRegressor::state_dict(where);
  if (options_.oob_score) {
    state.emplace_back("oob_score", tensor(oob_score));
    state.emplace_back("oob_prediction", oob_prediction);
  }
  return state;
}

void ForestRegressor::load_state_dict(const StateDict& state, Where where) {
  if (!options_.oob_score) return TreesRegressor::load_state_dict(state, where);
  StateReader read(name(), only(state, {"oob_score", "oob_prediction"}), where);
  const double score = read.number("oob_score");
  const Shape shape = read.shape_of("oob_prediction");
  const Tensor means = read.take("oob_prediction", kF64, shape);
  TreesRegressor::load_state_dict(without(state, {"oob_score", "oob_prediction"}), where);
  oob_score = score;
  oob_prediction = means;
}

}  // namespace glia::classic
