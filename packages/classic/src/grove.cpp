#include "grove.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "columns.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::classic {
namespace {

// body(from, to) for blocks of rows: large ones, so that a tree is read from memory seldom.
template <class F>
void for_rows(int64_t rows, F&& body) {
  const int64_t size = std::clamp<int64_t>(rows / 32, 128, 4096);
  parallel_for((rows + size - 1) / size,
               [&](int64_t block) { body(block * size, std::min(rows, (block + 1) * size)); });
}

}  // namespace

Tensor tree_x(std::string_view op, const Tensor& x, int64_t n_features_in, Where where) {
  if (n_features_in >= 0) require_fitted(op, n_features_in > 0, where);
  const NoGrad no_grad;
  // Missing values are looked at for their number and shape alone.
  const bool floats = x.defined() && is_float(x.dtype());
  const Tensor shown = floats ? glia::where(isnan(x), zeros({}, x.dtype()), x) : x;
  const Tensor given =
      n_features_in >= 0 ? check_x(op, shown, n_features_in, where) : check_x(op, shown, where);
  if (given.dtype() != kF32 && !all(isfinite(cast(given, kF32))).item<bool>())
    throw ValueError(std::string(op) + ": X contains a number beyond f32", where);
  if (given.size(0) > INT32_MAX || given.size(1) > INT32_MAX)
    throw ValueError(std::string(op) + ": X " + given.shape().str() + " is beyond 2^31", where);
  Tensor out = cast(floats ? stop_gradient(x) : given, kF32);
  eval(out, where);
  return out;
}

// ---- Grove ------------------------------------------------------------------------------------

void Grove::append(const Grove& other) {
  const auto sets = static_cast<double>(category_sets.size());
  const auto join = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  const int64_t before = begin.back();
  for (size_t i = 1; i < other.begin.size(); ++i) begin.push_back(before + other.begin[i]);
  for (Node node : other.nodes) {
    if (node.categories) node.threshold += sets;
    nodes.push_back(node);
  }
  join(category_sets, other.category_sets);
  join(impurity, other.impurity);
  join(weight, other.weight);
  join(values, other.values);
  join(samples, other.samples);
}

template <class T>
void Grove::add_values(const T* x, int64_t rows, int64_t first, int64_t last, double factor,
                       double* out, int64_t turns) const {
  for_rows(rows, [&](int64_t from, int64_t to) {
    int32_t at[kTogether];
    for (int64_t t = first; t < last; ++t) {
      const double* of = values.data() + begin[static_cast<size_t>(t)] * width;
      const auto add = [&](int64_t row, int64_t node) {
        double* sum = out + (row * turns + t % turns) * width;
        for (int64_t c = 0; c < width; ++c) sum[c] += factor * of[node * width + c];
      };
      int64_t i = from;
      for (; i + kTogether <= to; i += kTogether) {
        leaves_of(t, x + i * n_features, at);
        for (int64_t r = 0; r < kTogether; ++r) add(i + r, at[r]);
      }
      for (; i < to; ++i) add(i, leaf(t, x + i * n_features));
    }
  });
}
template void Grove::add_values(const float*, int64_t, int64_t, int64_t, double, double*,
                                int64_t) const;
template void Grove::add_values(const double*, int64_t, int64_t, int64_t, double, double*,
                                int64_t) const;

Tensor Grove::leaves(const Tensor& x) const {
  const int64_t rows = x.size(0), trees = n_trees();
  std::vector<int64_t> out(static_cast<size_t>(rows * trees));
  const float* values_of = x.data<float>().data();
  for_rows(rows, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      for (int64_t t = 0; t < trees; ++t)
        out[static_cast<size_t>(i * trees + t)] = leaf(t, values_of + i * n_features);
  });
  return from_vector(out, {rows, trees});
}

Tensor Grove::path(const Tensor& x, int64_t tree) const {
  const int64_t rows = x.size(0), count = n_nodes(tree);
  const Node* first = nodes.data() + begin[static_cast<size_t>(tree)];
  std::vector<int64_t> parent(static_cast<size_t>(count), -1);
  for (int64_t i = 0; i < count; ++i)
    if (!first[i].is_leaf()) parent[first[i].left] = parent[first[i].right] = i;
  std::vector<bool> out(static_cast<size_t>(rows * count));
  const float* values_of = x.data<float>().data();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t at = leaf(tree, values_of + i * n_features); at >= 0; at = parent[at])
      out[static_cast<size_t>(i * count + at)] = true;
  return from_vector(out, {rows, count});
}

std::vector<double> Grove::gains(int64_t tree) const {
  std::vector<double> out(static_cast<size_t>(n_features));
  const int64_t from = begin[static_cast<size_t>(tree)];
  const auto cost = [&](int64_t node) { return weight[from + node] * impurity[from + node]; };
  for (int64_t i = 0; i < n_nodes(tree); ++i) {
    const Node& node = nodes[from + i];
    if (!node.is_leaf()) out[node.feature] += cost(i) - cost(node.left) - cost(node.right);
  }
  for (double& gain : out) gain /= weight[from];
  return out;
}

std::vector<double> Grove::importances() const {
  const auto shares = [](std::vector<double>& all) {
    const double sum = std::accumulate(all.begin(), all.end(), 0.0);
    if (sum > 0)
      for (double& x : all) x /= sum;
  };
  std::vector<double> mean(static_cast<size_t>(n_features));
  double count = 0;
  for (int64_t t = 0; t < n_trees(); ++t) {
    if (n_nodes(t) == 1) continue;
    std::vector<double> of = gains(t);
    shares(of);
    for (size_t f = 0; f < of.size(); ++f) mean[f] += of[f];
    ++count;
  }
  for (double& x : mean) x /= std::max(count, 1.0);
  shares(mean);
  return mean;
}

int64_t Grove::depth(int64_t tree) const {
  std::vector<int64_t> depths(static_cast<size_t>(n_nodes(tree)));
  const Node* first = nodes.data() + begin[static_cast<size_t>(tree)];
  int64_t most = 0;
  for (size_t i = 0; i < depths.size(); ++i) {  // parents come first
    most = std::max(most, depths[i]);
    if (!first[i].is_leaf()) depths[first[i].left] = depths[first[i].right] = depths[i] + 1;
  }
  return most;
}

int64_t Grove::n_leaves(int64_t tree) const { return (n_nodes(tree) + 1) / 2; }

TreeArrays Grove::arrays(int64_t tree) const {
  const int64_t from = begin[static_cast<size_t>(tree)], to = begin[static_cast<size_t>(tree) + 1];
  const auto part = [&](const auto& all, int64_t each) {
    return std::vector(all.begin() + from * each, all.begin() + to * each);
  };
  std::vector<int64_t> left, right, feature;
  std::vector<double> threshold;
  std::vector<bool> missing;
  for (int64_t i = from; i < to; ++i) {
    left.push_back(nodes[i].left);
    right.push_back(nodes[i].right);
    feature.push_back(nodes[i].feature);
    threshold.push_back(nodes[i].threshold);
    missing.push_back(nodes[i].missing_left);
  }
  return {.children_left = vector_of(left),
          .children_right = vector_of(right),
          .feature = vector_of(feature),
          .threshold = vector_of(threshold),
          .missing_go_to_left = from_vector(missing, {to - from}),
          .impurity = vector_of(part(impurity, 1)),
          .n_node_samples = vector_of(part(samples, 1)),
          .weighted_n_node_samples = vector_of(part(weight, 1)),
          .value = from_vector(part(values, width), {to - from, width})};
}

StateDict Grove::state(bool with_categories) const {
  std::vector<int64_t> left, right, feature;
  std::vector<double> threshold;
  std::vector<bool> missing;
  for (const Node& node : nodes) {
    left.push_back(node.left);
    right.push_back(node.right);
    feature.push_back(node.feature);
    threshold.push_back(node.threshold);
    missing.push_back(node.missing_left);
  }
  const auto count = static_cast<int64_t>(nodes.size());
  StateDict state = {{"tree_begin", vector_of(begin)},
                     {"children_left", vector_of(left)},
                     {"children_right", vector_of(right)},
                     {"feature", vector_of(feature)},
                     {"threshold", vector_of(threshold)},
                     {"missing_go_to_left", from_vector(missing, {count})},
                     {"impurity", vector_of(impurity)},
                     {"n_node_samples", vector_of(samples)},
                     {"weighted_n_node_samples", vector_of(weight)},
                     {"value", from_vector(values, {count, width})}};
  if (with_categories) {
    std::vector<bool> is;
    for (const Node& node : nodes) is.push_back(node.categories);
    std::vector<int64_t> sets;
    for (const auto& set : category_sets)
      for (const uint64_t bits : set) sets.push_back(static_cast<int64_t>(bits));
    sets.resize(sets.size() + 4);  // never empty: the last set is of none
    state.emplace_back("is_categorical", from_vector(is, {count}));
    state.emplace_back("category_sets",
                       from_vector(sets, {static_cast<int64_t>(sets.size()) / 4, 4}));
  }
  return state;
}

Grove Grove::load(StateReader& read, int64_t n_features, int64_t width, std::string_view name,
                  Where where, bool with_categories) {
  const auto fail = [&](const std::string& fault) {
    throw Error(std::string(name) + ".load_state_dict: " + fault, where);
  };
  Grove out;
  out.n_features = n_features;
  out.begin = read.take("tree_begin", kI64, {-1}).to_vector<int64_t>();
  const auto left = read.take("children_left", kI64, {-1}).to_vector<int64_t>();
  const auto count = static_cast<int64_t>(left.size());
  const auto right = read.take("children_right", kI64, {count}).to_vector<int64_t>();
  const auto feature = read.take("feature", kI64, {count}).to_vector<int64_t>();
  const auto threshold = read.take("threshold", kF64, {count}, true).to_vector<double>();
  const auto missing = read.take("missing_go_to_left", kBool, {count}).to_vector<bool>();
  out.impurity = read.take("impurity", kF64, {count}).to_vector<double>();
  out.samples = read.take("n_node_samples", kI64, {count}).to_vector<int64_t>();
  out.weight = read.take("weighted_n_node_samples", kF64, {count}).to_vector<double>();
  const Tensor value = read.take("value", kF64, {count, width});
  out.width = value.size(1);
  out.values = value.to_vector<double>();
  std::vector<bool> categories(static_cast<size_t>(count));
  if (with_categories) {
    categories = read.take("is_categorical", kBool, {count}).to_vector<bool>();
    const auto sets = read.take("category_sets", kI64, {-1, 4}).to_vector<int64_t>();
    for (size_t i = 0; i + 4 < sets.size(); i += 4) {
      auto& set = out.category_sets.emplace_back();
      for (size_t k = 0; k < 4; ++k) set[k] = static_cast<uint64_t>(sets[i + k]);
    }
  }
  bool right_order = out.begin.size() > 1 && out.begin[0] == 0 && out.begin.back() == count;
  for (size_t t = 1; right_order && t < out.begin.size(); ++t)
    right_order = out.begin[t - 1] < out.begin[t] && out.begin[t] <= count;
  if (!right_order) fail("tree_begin does not fit the nodes");
  for (size_t t = 1; t < out.begin.size(); ++t) {
    const int64_t from = out.begin[t - 1], size = out.begin[t] - from;
    std::vector<bool> child(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      const size_t at = static_cast<size_t>(from + i);
      const int64_t l = left[at], r = right[at];
      Node node{
          .threshold = threshold[at], .missing_left = missing[at], .categories = categories[at]};
      const double set = node.threshold;
      if (node.categories && !(set >= 0 && set < static_cast<double>(out.category_sets.size()) &&
                               set == std::trunc(set)))
        fail("a node has no category_sets");
      if (l != -1 || r != -1) {
        const bool inside = l > i && r > i && l < size && r < size && l != r && feature[at] >= 0 &&
                            feature[at] < n_features;
        if (!inside || child[l] || child[r])
          fail("node " + std::to_string(i) + " of tree " + std::to_string(t - 1) +
               " does not fit its tree");
        child[l] = child[r] = true;
        node.left = static_cast<int32_t>(l);
        node.right = static_cast<int32_t>(r);
        node.feature = static_cast<int32_t>(feature[at]);
      }
      out.nodes.push_back(node);
    }
  }
  return out;
}

// ---- Models of trees --------------------------------------------------------------------------

namespace {

const Grove& grown(const std::shared_ptr<const Grove>& grove, std::string_view name,
                   const char* method, Where where) {
  require_fitted(std::string(name) + "." + method, grove != nullptr, where);
  return *grove;
}

void check_tree(const Grove& grove, int64_t i, std::string_view name, Where where) {
  if (i < 0 || i >= grove.n_trees())
    throw ValueError(std::string(name) + " has no tree " + std::to_string(i) + ", but " +
                         std::to_string(grove.n_trees()),
                     where);
}

Tensor mean_values(const Grove& grove, const Tensor& x) {
  const int64_t rows = x.size(0);
  std::vector<double> out(static_cast<size_t>(rows * grove.width));
  grove.add_values(x.data<float>().data(), rows, 0, grove.n_trees(), 1, out.data());
  for (double& v : out) v /= static_cast<double>(grove.n_trees());
  return from_vector(out, {rows, grove.width});
}

}  // namespace

Tensor TreesClassifier::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor given = tree_x(std::string(name()) + ".predict_proba", x, n_features_in, where);
  return mean_values(*grove_, given);
}

StateDict TreesClassifier::state_dict(Where where) const {
  StateDict state = grown(grove_, name(), "state_dict", where).state();
  state.insert(state.begin(), {{"classes", classes}, {"feature_importances", feature_importances}});
  return state;
}

void TreesClassifier::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor labels = read.take("classes", kI64, {-1});
  const Tensor shares = read.take("feature_importances", kF64, {-1});
  auto grove =
      std::make_shared<Grove>(Grove::load(read, shares.size(0), labels.size(0), name(), where));
  read.finish();
  grove_ = std::move(grove);
  classes = labels;
  feature_importances = shares;
  n_features_in = shares.size(0);
}

int64_t TreesClassifier::n_trees() const { return grove_ ? grove_->n_trees() : 0; }

TreeArrays TreesClassifier::tree(int64_t i, Where where) const {
  const Grove& grove = grown(grove_, name(), "tree", where);
  check_tree(grove, i, name(), where);
  return grove.arrays(i);
}

Tensor TreesClassifier::apply(const Tensor& x, Where where) const {
  return grown(grove_, name(), "apply", where)
      .leaves(tree_x(std::string(name()) + ".apply", x, n_features_in, where));
}

Tensor TreesClassifier::decision_path(const Tensor& x, int64_t i, Where where) const {
  const Grove& grove = grown(grove_, name(), "decision_path", where);
  check_tree(grove, i, name(), where);
  return grove.path(tree_x(std::string(name()) + ".decision_path", x, n_features_in, where), i);
}

Tensor TreesRegressor::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const Tensor out = mean_values(grown(grove_, name(), "predict", where),
                                 tree_x(std::string(name()) + ".predict", x, n_features_in, where));
  return flat_ ? reshape(out, {-1}) : out;
}

StateDict TreesRegressor::state_dict(Where where) const {
  StateDict state = grown(grove_, name(), "state_dict", where).state();
  state.insert(state.begin(),
               {{"feature_importances", feature_importances}, {"flat", tensor(flat_)}});
  return state;
}

void TreesRegressor::load_state_dict(const StateDict& state, Where where) {
  StateReader read(name(), state, where);
  const Tensor shares = read.take("feature_importances", kF64, {-1});
  const bool flat = read.take("flat", kBool, {}).item<bool>();
  auto grove =
      std::make_shared<Grove>(Grove::load(read, shares.size(0), flat ? 1 : -1, name(), where));
  read.finish();
  grove_ = std::move(grove);
  flat_ = flat;
  feature_importances = shares;
  n_features_in = shares.size(0);
}

int64_t TreesRegressor::n_trees() const { return grove_ ? grove_->n_trees() : 0; }

TreeArrays TreesRegressor::tree(int64_t i, Where where) const {
  const Grove& grove = grown(grove_, name(), "tree", where);
  check_tree(grove, i, name(), where);
  return grove.arrays(i);
}

Tensor TreesRegressor::apply(const Tensor& x, Where where) const {
  return grown(grove_, name(), "apply", where)
      .leaves(tree_x(std::string(name()) + ".apply", x, n_features_in, where));
}

Tensor TreesRegressor::decision_path(const Tensor& x, int64_t i, Where where) const {
  const Grove& grove = grown(grove_, name(), "decision_path", where);
  check_tree(grove, i, name(), where);
  return grove.path(tree_x(std::string(name()) + ".decision_path", x, n_features_in, where), i);
}

std::string export_text(const TreesClassifier& model, const ExportTextOptions& options,
                        int64_t tree, Where where) {
  model.tree(tree, where);  // that there is one
  std::vector<std::string> names;
  for (const int64_t c : model.classes.to_vector<int64_t>()) names.push_back(std::to_string(c));
  return rules(*model.grove_, tree, names, options, where);
}

std::string export_text(const TreesRegressor& model, const ExportTextOptions& options, int64_t tree,
                        Where where) {
  model.tree(tree, where);
  return rules(*model.grove_, tree, {}, options, where);
}

}  // namespace glia::classic
