// What is done with a tree once it is grown: it is pruned, and told as rules.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "columns.h"
#include "grove.h"

namespace glia::classic {
namespace {

// Minimal cost-complexity pruning: again and again the branch goes whose leaves gain the least
// each (Breiman et al. 1984, chapter 3).
class Pruner {
 public:
  explicit Pruner(const Grove& tree) : tree_(tree), count_(tree.nodes.size()) {
    parent_.assign(count_, -1);
    node_cost_.resize(count_);
    branch_cost_.assign(count_, 0);
    leaves_.assign(count_, 0);
    kept_.assign(count_, true);
    for (size_t i = 0; i < count_; ++i) {
      const Grove::Node& node = tree.nodes[i];
      if (!node.is_leaf()) parent_[node.left] = parent_[node.right] = static_cast<int64_t>(i);
      node_cost_[i] = tree.weight[i] * tree.impurity[i] / tree.weight[0];
    }
    for (size_t i = 0; i < count_; ++i) {
      if (!tree.nodes[i].is_leaf()) continue;
      branch_cost_[i] = node_cost_[i];
      for (int64_t at = parent_[i]; at >= 0; at = parent_[at]) {
        branch_cost_[at] += node_cost_[i];
        ++leaves_[at];
      }
    }
    for (size_t i = 0; i < count_; ++i)
      if (!tree.nodes[i].is_leaf()) branches_.insert(key(i));
  }
  bool done() const { return branches_.empty(); }
  double next_alpha() const { return branches_.begin()->first; }
  double cost() const { return branch_cost_[0]; }

  void prune() {
    const size_t branch = branches_.begin()->second;
    std::vector<size_t> below{branch};
    while (!below.empty()) {
      const size_t i = below.back();
      below.pop_back();
      if (!kept_[i]) continue;
      kept_[i] = false;
      const Grove::Node& node = tree_.nodes[i];
      if (node.is_leaf()) continue;
      branches_.erase(key(i));
      below.push_back(static_cast<size_t>(node.left));
      below.push_back(static_cast<size_t>(node.right));
    }
    kept_[branch] = true;
    const int64_t gone = leaves_[branch] - 1;
    const double more = node_cost_[branch] - branch_cost_[branch];
    leaves_[branch] = 0;
    branch_cost_[branch] = node_cost_[branch];
    for (int64_t at = parent_[branch]; at >= 0; at = parent_[at]) {
      branches_.erase(key(static_cast<size_t>(at)));
      leaves_[at] -= gone;
      branch_cost_[at] += more;
      branches_.insert(key(static_cast<size_t>(at)));
    }
  }

  Grove rest() const {
    Grove out;
    out.n_features = tree_.n_features;
    out.width = tree_.width;
    struct Next {
      int32_t node, parent;
      bool left;
    };
    std::vector<Next> next{{0, -1, false}};
    while (!next.empty()) {
      const Next at = next.back();
      next.pop_back();
      const auto i = static_cast<size_t>(at.node);
      const auto place = static_cast<int32_t>(out.nodes.size());
      if (at.parent >= 0)
        (at.left ? out.nodes[at.parent].left : out.nodes[at.parent].right) = place;
      Grove::Node node = tree_.nodes[i];
      const bool split = !node.is_leaf() && kept_[node.left];
      if (split) {
        next.push_back({node.right, place, false});
        next.push_back({node.left, place, true});
      } else {
        node = {};
      }
      out.nodes.push_back(node);
      out.impurity.push_back(tree_.impurity[i]);
      out.weight.push_back(tree_.weight[i]);
      out.samples.push_back(tree_.samples[i]);
      const auto values = tree_.values.begin() + at.node * tree_.width;
      out.values.insert(out.values.end(), values, values + tree_.width);
    }
    out.begin.push_back(static_cast<int64_t>(out.nodes.size()));
    return out;
  }

 private:
  // The least first, and of equal ones the first node.
  std::pair<double, size_t> key(size_t i) const {
    return {(node_cost_[i] - branch_cost_[i]) / static_cast<double>(leaves_[i] - 1), i};
  }

  const Grove& tree_;
  size_t count_;
  std::vector<int64_t> parent_, leaves_;
  std::vector<double> node_cost_, branch_cost_;
  std::vector<bool> kept_;
  std::set<std::pair<double, size_t>> branches_;
};

}  // namespace

PruningPath pruning_path(const Grove& tree) {
  Pruner pruner(tree);
  std::vector<double> alphas{0}, costs{pruner.cost()};
  while (!pruner.done()) {
    alphas.push_back(pruner.next_alpha());
    pruner.prune();
    costs.push_back(pruner.cost());
  }
  return {vector_of(alphas), vector_of(costs)};
}

Grove pruned(const Grove& tree, double alpha) {
  Pruner pruner(tree);
  while (!pruner.done() && pruner.next_alpha() <= alpha) pruner.prune();
  return pruner.rest();
}

// ---- Rules ------------------------------------------------------------------------------------

namespace {

struct Rules {
  const Grove& grove;
  const Grove::Node* nodes;
  int64_t first;
  const std::vector<std::string>& classes;
  const ExportTextOptions& options;
  std::string out;

  std::string numbers(const double* from, double factor) const {
    std::string text;
    for (int64_t c = 0; c < grove.width; ++c)
      text += fmt::format("{}{:.{}f}", c > 0 ? ", " : "", from[c] * factor, options.decimals);
    return "[" + text + "]";
  }
  int64_t depth(int64_t node) const {  // in levels
    int64_t most = 0;
    std::vector<std::pair<int64_t, int64_t>> below{{node, 1}};
    while (!below.empty()) {
      const auto [at, level] = below.back();
      below.pop_back();
      most = std::max(most, level);
      if (nodes[at].is_leaf()) continue;
      below.emplace_back(nodes[at].left, level + 1);
      below.emplace_back(nodes[at].right, level + 1);
    }
    return most;
  }
  void leaf(int64_t node, const std::string& indent) {
    const double* value = grove.values.data() + (first + node) * grove.width;
    if (classes.empty()) {
      out += fmt::format("{} value: {}\n", indent, numbers(value, 1));
      return;
    }
    const auto most = std::max_element(value, value + grove.width) - value;
    const double weight = grove.weight[static_cast<size_t>(first + node)];
    if (options.show_weights)
      out += indent + " weights: " + numbers(value, weight);
    else
      out += indent;
    out += fmt::format(" class: {}\n", classes[static_cast<size_t>(most)]);
  }
  void tell(int64_t node, int64_t level) {
    std::string indent;
    for (int64_t i = 0; i < level; ++i)
      indent += "|" + std::string(static_cast<size_t>(options.spacing), i + 1 == level ? '-' : ' ');
    if (level > options.max_depth + 1 && !nodes[node].is_leaf()) {
      out += fmt::format("{} truncated branch of depth {}\n", indent, depth(node));
      return;
    }
    if (nodes[node].is_leaf()) return leaf(node, indent);
    const auto feature = nodes[node].feature;
    const std::string name = options.feature_names.empty()
                                 ? fmt::format("feature_{}", feature)
                                 : options.feature_names[static_cast<size_t>(feature)];
    const std::string threshold = fmt::format("{:.{}f}", nodes[node].threshold, options.decimals);
    out += fmt::format("{} {} <= {}\n", indent, name, threshold);
    tell(nodes[node].left, level + 1);
    out += fmt::format("{} {} >  {}\n", indent, name, threshold);
    tell(nodes[node].right, level + 1);
  }
};

}  // namespace

std::string rules(const Grove& grove, int64_t tree, const std::vector<std::string>& classes,
                  const ExportTextOptions& options, Where where) {
  const auto n_names = static_cast<int64_t>(options.feature_names.size());
  if (n_names != 0 && n_names != grove.n_features)
    throw ValueError("export_text: feature_names has " + std::to_string(n_names) + " names for " +
                         std::to_string(grove.n_features) + " features",
                     where);
  if (!options.class_names.empty() && options.class_names.size() != classes.size())
    throw ValueError("export_text: class_names has " + std::to_string(options.class_names.size()) +
                         " names for " + std::to_string(classes.size()) + " classes",
                     where);
  if (options.max_depth < 0 || options.max_depth > 1000 || options.spacing < 1 ||
      options.spacing > 100 || options.decimals < 0 || options.decimals > 100)
    throw ValueError("export_text: max_depth, spacing or decimals is out of range", where);
  const int64_t first = grove.begin[static_cast<size_t>(tree)];
  Rules rules{.grove = grove,
              .nodes = grove.nodes.data() + first,
              .first = first,
              .classes = options.class_names.empty() ? classes : options.class_names,
              .options = options,
              .out = {}};
  rules.tell(0, 1);
  return rules.out;
}

}  // namespace glia::classic
