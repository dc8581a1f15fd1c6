#include <algorithm>
#include <cmath>
#include <numbers>

#include "columns.h"
#include "glia/classic/forest.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "linear.h"
#include "tree_grower.h"
#include "twister.h"

namespace glia::classic {
namespace {

// The mean depth of n samples that random splits have set apart.
double mean_depth(int64_t n) {
  if (n <= 1) return 0;
  if (n == 2) return 1;
  const auto count = static_cast<double>(n);
  return 2 * (std::log(count - 1) + std::numbers::egamma) - 2 * (count - 1) / count;
}

// Of some features alone.
TreeSamples of_features(const TreeSamples& s, const std::vector<int64_t>& features) {
  TreeSamples out;
  out.n = s.n;
  out.d = static_cast<int64_t>(features.size());
  out.y = s.y;
  for (const int64_t f : features) {
    const auto column = s.ranks.begin() + f * s.n;
    out.ranks.insert(out.ranks.end(), column, column + s.n);
    out.distinct.push_back(s.distinct[static_cast<size_t>(f)]);
    out.missing.push_back(s.missing[static_cast<size_t>(f)]);
  }
  return out;
}

}  // namespace

std::vector<Param> IsolationForest::params() {
  return {{"n_estimators", &options_.n_estimators},   {"max_samples", &options_.max_samples},
          {"contamination", &options_.contamination}, {"max_features", &options_.max_features},
          {"bootstrap", &options_.bootstrap},         {"random_state", &options_.random_state}};
}

IsolationForest& IsolationForest::fit(const Tensor& x, const Tensor& /*y*/,
                                      const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = "IsolationForest.fit";
  const IsolationForestOptions& o = options_;
  require_option(o.n_estimators >= 1 && o.n_estimators <= INT32_MAX, op, "n_estimators",
                 static_cast<double>(o.n_estimators), where);
  require_option(o.max_features > 0 && o.max_features <= 1, op, "max_features", o.max_features,
                 where);
  const double share = o.contamination.value_or(0.5);
  require_option(share > 0 && share <= 0.5, op, "contamination", share, where);
  const Tensor given = tree_x(op, x, -1, where);
  TreeSamples samples = tree_samples(given);
  const int64_t n = samples.n;
  const Tensor weights = check_sample_weight(op, sample_weight, n, kF64, where);
  int64_t drawn = std::min<int64_t>(256, n);
  if (o.max_samples) {
    const double most = *o.max_samples;
    require_option(most > 0 && (most <= 1 || most == std::trunc(most)), op, "max_samples", most,
                   where);
    drawn = most > 1 ? static_cast<int64_t>(std::min(most, static_cast<double>(n)))
                     : static_cast<int64_t>(most * static_cast<double>(n));
    require_option(drawn >= 1, op, "max_samples", most, where);
  }
  const auto some =
      std::max<int64_t>(1, static_cast<int64_t>(o.max_features * static_cast<double>(samples.d)));
  // Targets are numbers at random: any split is as good as another.
  Twister random(o.random_state);
  for (int64_t i = 0; i < n; ++i) samples.y.push_back(random.uniform());
  Twister of_trees(o.random_state);
  std::vector<uint32_t> seeds;
  for (int64_t i = 0; i < o.n_estimators; ++i)
    seeds.push_back(static_cast<uint32_t>(of_trees.below(INT32_MAX)));
  TreeGrowth growth{.impurity = Impurity::kSquaredError, .random = true, .max_features = 1};
  growth.max_depth =
      static_cast<int64_t>(std::ceil(std::log2(static_cast<double>(std::max<int64_t>(drawn, 2)))));
  std::vector<double> chances;
  if (weights.defined()) chances = weights.to_vector<double>();

  std::vector<Grove> trees(seeds.size());
  parallel_for(o.n_estimators, [&](int64_t t) {
    const uint32_t seed = seeds[static_cast<size_t>(t)];
    Twister own(seed);
    const auto take = [&](int64_t of, int64_t count, bool again) {
      if (!again) return own.some_of(of, count);
      std::vector<int64_t> out;
      for (int64_t i = 0; i < count; ++i) out.push_back(own.below(of));
      return out;
    };
    const std::vector<int64_t> features = take(samples.d, some, false);
    const std::vector<int64_t> of =
        chances.empty() ? take(n, drawn, o.bootstrap) : own.weighted(chances, drawn);
    std::vector<double> times(static_cast<size_t>(n));
    for (const int64_t i : of) ++times[static_cast<size_t>(i)];
    const auto tree_seed = static_cast<uint64_t>(Twister(seed).below(INT32_MAX));
    const auto begin = static_cast<uint32_t>(Twister(tree_seed).below(INT32_MAX));
    Grove& tree = trees[static_cast<size_t>(t)];
    if (some == samples.d) {
      tree = grow_tree(samples, growth, times, begin);
      return;
    }
    tree = grow_tree(of_features(samples, features), growth, times, begin);
    for (Grove::Node& node : tree.nodes)
      if (!node.is_leaf())
        node.feature = static_cast<int32_t>(features[static_cast<size_t>(node.feature)]);
  });
  auto grove = std::make_shared<Grove>();
  grove->n_features = samples.d;
  for (const Grove& tree : trees) grove->append(tree);
  grove_ = grove;
  max_samples = drawn;
  n_features_in = samples.d;
  offset = -0.5;
  if (o.contamination) {
    std::vector<double> all = scores(given).to_vector<double>();
    std::sort(all.begin(), all.end());
    offset = quantile(all, *o.contamination);
  }
  return *this;
}

Tensor IsolationForest::scores(const Tensor& x) const {
  const Grove& g = *grove_;
  // What each node adds where a sample ends in it: its depth, and that of the samples it has.
  std::vector<double> depth(g.nodes.size());
  for (int64_t t = 0; t < g.n_trees(); ++t) {
    const int64_t first = g.begin[static_cast<size_t>(t)];
    for (int64_t i = 0; i < g.n_nodes(t); ++i) {
      const Grove::Node& node = g.nodes[first + i];
      if (node.is_leaf())
        depth[first + i] += mean_depth(g.samples[first + i]);
      else
        depth[first + node.left] = depth[first + node.right] = depth[first + i] + 1;
    }
  }
  const int64_t n = x.size(0);
  const float* rows = x.data<float>().data();
  const double whole = static_cast<double>(g.n_trees()) * mean_depth(max_samples);
  std::vector<double> out(static_cast<size_t>(n));
  constexpr int64_t kRows = 256;
  parallel_for((n + kRows - 1) / kRows, [&](int64_t block) {
    for (int64_t i = block * kRows; i < std::min(n, (block + 1) * kRows); ++i) {
      double sum = 0;
      for (int64_t t = 0; t < g.n_trees(); ++t)
        sum += depth[g.begin[static_cast<size_t>(t)] + g.leaf(t, rows + i * g.n_features)];
      out[static_cast<size_t>(i)] = -std::exp2(whole > 0 ? -sum / whole : -1.0);
    }
  });
  return vector_of(out);
}

Tensor IsolationForest::score_samples(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return scores(tree_x("IsolationForest.score_samples", x, n_features_in, where));
}
Tensor IsolationForest::decision_function(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return scores(tree_x("IsolationForest.decision_function", x, n_features_in, where)) - offset;
}
Tensor IsolationForest::predict(const Tensor& x, Where where) const {
  return cast(decision_function(x, where) >= 0.0, kI64) * 2 - 1;
}

StateDict IsolationForest::state_dict(Where where) const {
  require_fitted("IsolationForest.state_dict", fitted(), where);
  StateDict state = grove_->state();
  state.insert(state.begin(), {{"n_features_in", tensor(n_features_in)},
                               {"max_samples", tensor(max_samples)},
                               {"offset", tensor(offset)}});
  return state;
}

void IsolationForest::load_state_dict(const StateDict& state, Where where) {
  StateReader read("IsolationForest", state, where);
  const int64_t features = read.count("n_features_in"), drawn = read.count("max_samples");
  const double off = read.number("offset");
  if (features < 1 || features > INT32_MAX || drawn < 1)
    throw Error("IsolationForest.load_state_dict: n_features_in or max_samples is 0", where);
  auto grove = std::make_shared<Grove>(Grove::load(read, features, 1, "IsolationForest", where));
  read.finish();
  grove_ = grove;
  max_samples = drawn;
  offset = off;
  n_features_in = features;
}

}  // namespace glia::classic
