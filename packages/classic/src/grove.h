// Fitted trees, one after the other in flat arrays: what every estimator of trees keeps.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checks.h"
#include "glia/classic/tree.h"

namespace glia::classic {

struct Grove {
  struct Node {
    double threshold = -2;                        // left where x <= threshold
    int32_t feature = -2, left = -1, right = -1;  // children of the same tree, -1 of leaves
    bool missing_left = false;
    bool categories = false;  // left where x is of category_sets[threshold]

    bool is_leaf() const { return left < 0; }
  };
  int64_t n_features = 0;
  int64_t width = 1;              // values of a node
  std::vector<int64_t> begin{0};  // the first node of each tree, and the end
  std::vector<Node> nodes;
  std::vector<double> impurity, weight, values;
  std::vector<int64_t> samples;
  std::vector<std::array<uint64_t, 4>> category_sets;  // bits of the categories 0 .. 255

  int64_t n_trees() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t n_nodes(int64_t tree) const {
    const auto t = static_cast<size_t>(tree);
    return begin[t + 1] - begin[t];
  }
  void append(const Grove& other);
  // The node, from the tree's first on, at which a sample ends.
  template <class T>
  int64_t leaf(int64_t tree, const T* row) const {
    const Node* first = nodes.data() + begin[static_cast<size_t>(tree)];
    const Node* at = first;
    while (!at->is_leaf()) at = first + (goes_left(*at, row) ? at->left : at->right);
    return at - first;
  }
  template <class T>
  bool goes_left(const Node& node, const T* row) const {
    const T value = row[node.feature];
    if (std::isnan(value)) return node.missing_left;
    if (!node.categories) return value <= node.threshold;
    const auto code = static_cast<size_t>(value);
    return category_sets[static_cast<size_t>(node.threshold)][code / 64] >> (code % 64) & 1;
  }
  // The leaves of kTogether rows (kTogether, features): while one waits for memory, others go on.
  static constexpr int64_t kTogether = 8;
  template <class T>
  void leaves_of(int64_t tree, const T* rows, int32_t* at) const {
    const Node* first = nodes.data() + begin[static_cast<size_t>(tree)];
    if (!category_sets.empty()) {
      for (int64_t r = 0; r < kTogether; ++r)
        at[r] = static_cast<int32_t>(leaf(tree, rows + r * n_features));
      return;
    }
    for (int64_t r = 0; r < kTogether; ++r) at[r] = 0;
    for (int32_t more = -1; more != 0;) {
      more = 0;
      for (int64_t r = 0; r < kTogether; ++r) {  // by masks: branches would be guesses
        const Node& node = first[at[r]];
        const int32_t stays = node.left >> 31;  // -1 of leaves
        const T value = rows[r * n_features + (node.feature & ~stays)];
        const int32_t goes = -(static_cast<int32_t>(value <= node.threshold) |
                               (static_cast<int32_t>(value != value) & int32_t{node.missing_left}));
        const int32_t next = (node.left & goes) | (node.right & ~goes);
        at[r] = (at[r] & stays) | (next & ~stays);
        more |= ~stays;
      }
    }
  }
  // Adds `factor` times the values of trees first .. last - 1 to out (rows, turns, width), in the
  // order of the trees, which take turns in the outputs.
  template <class T>
  void add_values(const T* x, int64_t rows, int64_t first, int64_t last, double factor, double* out,
                  int64_t turns = 1) const;
  Tensor leaves(const Tensor& x) const;              // (samples, trees) i64
  Tensor path(const Tensor& x, int64_t tree) const;  // (samples, nodes) bool
  // Of the trees that have splits the mean of their shares, in shares again.
  std::vector<double> importances() const;
  std::vector<double> gains(int64_t tree) const;  // of each feature, by the weight of all
  int64_t depth(int64_t tree) const;
  int64_t n_leaves(int64_t tree) const;
  TreeArrays arrays(int64_t tree) const;
  StateDict state(bool with_categories = false) const;
  // Throws Error for what is no grove; `width` of -1 takes any.
  static Grove load(StateReader& read, int64_t n_features, int64_t width, std::string_view name,
                    Where where, bool with_categories = false);
};

// X as f32 (samples, features), where NaN is a missing value; n_features_in is what fit() saw, or
// -1. Throws ValueError for what is infinite, or beyond f32.
Tensor tree_x(std::string_view op, const Tensor& x, int64_t n_features_in, Where where);

// The steps of cost-complexity pruning of the only tree, and the tree that `alpha` leaves.
PruningPath pruning_path(const Grove& tree);
Grove pruned(const Grove& tree, double alpha);

// export_text(): `classes` are none of a regressor.
std::string rules(const Grove& grove, int64_t tree, const std::vector<std::string>& classes,
                  const ExportTextOptions& options, Where where);

}  // namespace glia::classic
