// SHAP values of trees: by the trees' own samples, or by those of a background.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "glia/explain/shap.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::explain {
namespace {

// One tree, and one sample's way in it.
struct Tree {
  const TreeEnsemble& all;
  size_t first;
  int64_t depth = 0;  // of the deepest leaf

  Tree(const TreeEnsemble& trees, size_t t)
      : all(trees), first(static_cast<size_t>(trees.begin[t])) {
    // Children stand behind their parents.
    std::vector<int64_t> depths(static_cast<size_t>(trees.begin[t + 1]) - first, 0);
    for (size_t node = 0; node < depths.size(); ++node) {
      depth = std::max(depth, depths[node]);
      if (is_leaf(node)) continue;
      for (bool side : {false, true}) depths[child(node, side)] = depths[node] + 1;
    }
  }
  bool is_leaf(size_t node) const { return all.left[first + node] < 0; }
  int64_t feature(size_t node) const { return all.feature[first + node]; }
  double weight(size_t node) const { return all.weight[first + node]; }
  size_t child(size_t node, bool left) const {
    return static_cast<size_t>((left ? all.left : all.right)[first + node]);
  }
  const double* value(size_t node) const {
    return all.value.data() + (first + node) * static_cast<size_t>(all.outputs);
  }
  bool goes_left(size_t node, const float* row) const {
    const float x = row[feature(node)];
    return std::isnan(x) ? static_cast<bool>(all.missing_left[first + node])
                         : x <= all.threshold[first + node];
  }
};

// A feature on the way to a node: the share of samples that go on where it is not known, and
// whether the explained one does; and the summed weights of subsets of that size.
struct Step {
  int64_t feature;
  double unknown, known, weight;
};

// Each node on the way has a copy of its parent's path behind it in `room`, one step longer.
class PathDependent {
 public:
  // `inverse` has 1 / k for k up to the depth and two more.
  PathDependent(const Tree& tree, const float* row, const double* inverse, std::vector<Step>& room,
                double* phi)
      : tree_(tree), row_(row), inverse_(inverse), phi_(phi) {
    const auto longest = static_cast<size_t>(tree.depth) + 2;
    if (room.size() < longest * (longest + 1) / 2) room.resize(longest * (longest + 1) / 2);
    visit(0, room.data(), 0, 1, 1, -1);
  }

 private:
  void extend(Step* path, size_t length, double unknown, double known, int64_t feature) const {
    const auto d = static_cast<double>(length);
    const double per = inverse_[length + 1];
    path[length] = {feature, unknown, known, length == 0 ? 1.0 : 0.0};
    for (size_t i = length; i-- > 0;) {
      const auto k = static_cast<double>(i);
      path[i + 1].weight += known * path[i].weight * (k + 1) * per;
      path[i].weight *= unknown * (d - k) * per;
    }
  }

  // The weights of the path without step i, from the last to the first, and their sum. A feature is
  // known or not: 1 or 0.
  template <class F>
  double unwound(const Step* path, size_t length, size_t i, F&& put) const {
    const size_t d = length - 1;
    const double unknown = path[i].unknown, all = static_cast<double>(length);
    double total = 0;
    if (path[i].known != 0) {
      double next = path[d].weight;
      for (size_t j = d; j-- > 0;) {
        const double own = path[j].weight, weight = next * all * inverse_[j + 1];
        next = own - weight * unknown * static_cast<double>(d - j) * inverse_[length];
        total += weight;
        put(j, weight);
      }
    } else {
      const double scale = all / unknown;
      for (size_t j = d; j-- > 0;) {
        const double weight = path[j].weight * scale * inverse_[d - j];
        total += weight;
        put(j, weight);
      }
    }
    return total;
  }

  void visit(size_t node, Step* parent, size_t length, double unknown, double known,
             int64_t feature) {
    Step* const path = parent + length;
    std::copy_n(parent, length, path);
    extend(path, length++, unknown, known, feature);
    const auto outputs = static_cast<size_t>(tree_.all.outputs);
    if (tree_.is_leaf(node)) {
      for (size_t i = 1; i < length; ++i) {
        const double w =
            unwound(path, length, i, [](size_t, double) {}) * (path[i].known - path[i].unknown);
        double* const out = phi_ + static_cast<size_t>(path[i].feature) * outputs;
        for (size_t k = 0; k < outputs; ++k) out[k] += w * tree_.value(node)[k];
      }
      return;
    }
    const int64_t split = tree_.feature(node);
    double before_unknown = 1, before_known = 1;
    for (size_t i = 1; i < length; ++i) {
      if (path[i].feature != split) continue;
      before_unknown = path[i].unknown;
      before_known = path[i].known;
      unwound(path, length, i, [&](size_t j, double weight) { path[j].weight = weight; });
      for (size_t j = i; j + 1 < length; ++j)
        path[j] = {path[j + 1].feature, path[j + 1].unknown, path[j + 1].known, path[j].weight};
      --length;
      break;
    }
    const bool left = tree_.goes_left(node, row_);
    for (const bool side : {left, !left}) {
      const size_t child = tree_.child(node, side);
      const double share = tree_.weight(child) / tree_.weight(node);
      if (share > 0)
        visit(child, path, length, before_unknown * share, side == left ? before_known : 0, split);
    }
  }

  const Tree& tree_;
  const float* const row_;
  const double* const inverse_;
  double* const phi_;
};

// Where the explained sample and one of the background part, each feature is one's or the other's.
class Interventional {
 public:
  Interventional(const Tree& tree, const float* row, const float* other, double* phi)
      : tree_(tree), row_(row), other_(other), phi_(phi) {}
  void run() { visit(0); }

 private:
  static double share(size_t mine, size_t others) {  // (mine - 1)! others! / (mine + others)!
    return std::exp(std::lgamma(static_cast<double>(mine)) +
                    std::lgamma(static_cast<double>(others) + 1) -
                    std::lgamma(static_cast<double>(mine + others) + 1));
  }

  void visit(size_t node) {
    if (tree_.is_leaf(node)) {
      const auto outputs = static_cast<size_t>(tree_.all.outputs);
      const auto give = [&](const std::vector<int64_t>& features, double w) {
        for (int64_t f : features)
          for (size_t k = 0; k < outputs; ++k)
            phi_[static_cast<size_t>(f) * outputs + k] += w * tree_.value(node)[k];
      };
      if (!mine_.empty()) give(mine_, share(mine_.size(), others_.size()));
      if (!others_.empty()) give(others_, -share(others_.size(), mine_.size()));
      return;
    }
    const bool own = tree_.goes_left(node, row_), other = tree_.goes_left(node, other_);
    const int64_t feature = tree_.feature(node);
    if (own == other || std::ranges::count(mine_, feature) > 0)
      return visit(tree_.child(node, own));
    if (std::ranges::count(others_, feature) > 0) return visit(tree_.child(node, other));
    mine_.push_back(feature);
    visit(tree_.child(node, own));
    mine_.pop_back();
    others_.push_back(feature);
    visit(tree_.child(node, other));
    others_.pop_back();
  }

  const Tree& tree_;
  const float *const row_, *const other_;
  double* const phi_;
  std::vector<int64_t> mine_, others_;
};

size_t leaf_of(const Tree& tree, const float* row) {
  size_t node = 0;
  while (!tree.is_leaf(node)) node = tree.child(node, tree.goes_left(node, row));
  return node;
}

void check(const TreeEnsemble& trees, const Where& where) {
  const size_t nodes = trees.left.size();
  bool fits = trees.outputs >= 1 && trees.begin.size() >= 2 && trees.begin.front() == 0 &&
              trees.begin.back() == static_cast<int64_t>(nodes) && trees.right.size() == nodes &&
              trees.feature.size() == nodes && trees.threshold.size() == nodes &&
              trees.missing_left.size() == nodes && trees.weight.size() == nodes &&
              trees.value.size() == nodes * static_cast<size_t>(trees.outputs) &&
              trees.base.size() == static_cast<size_t>(trees.outputs);
  for (size_t t = 0; fits && t + 1 < trees.begin.size(); ++t) {
    const int64_t size = trees.begin[t + 1] - trees.begin[t];
    fits = size > 0;
    for (int64_t i = 0; fits && i < size; ++i) {
      const auto at = static_cast<size_t>(trees.begin[t] + i);
      const int64_t left = trees.left[at], right = trees.right[at];
      fits = left < 0 || (left > i && left < size && right > i && right < size &&
                          trees.feature[at] >= 0 && trees.feature[at] < trees.features);
    }
  }
  if (!fits) throw ValueError("tree_shap: the arrays of the trees do not fit each other", where);
}

Tensor table_of(const Tensor& x, int64_t features, const Where& where) {
  require_defined("tree_shap", x, where);
  if (x.rank() != 2 || x.size(1) != features)
    fail("tree_shap",
         "X " + x.shape().str() + " for trees of " + std::to_string(features) + " features", where);
  return cast(x, kF32);
}

}  // namespace

TableShap tree_shap(const TreeEnsemble& trees, const Tensor& x, const Tensor& background,
                    Where where) {
  check(trees, where);
  const Tensor rows = table_of(x, trees.features, where);
  Tensor others;
  if (background.defined()) {
    others = table_of(background, trees.features, where);
    if (others.size(0) == 0) fail("tree_shap", "the background has no rows", where);
  }
  const int64_t n = rows.size(0);
  const auto width = static_cast<size_t>(trees.features * trees.outputs);
  const auto outputs = static_cast<size_t>(trees.outputs);
  std::vector<double> phi(static_cast<size_t>(n) * width, 0), expected = trees.base;
  const float* const data = rows.data<float>().data();
  const float* const other = others.defined() ? others.data<float>().data() : nullptr;
  const int64_t count = others.defined() ? others.size(0) : 0;
  std::vector<Tree> all;
  for (size_t t = 0; t + 1 < trees.begin.size(); ++t) all.emplace_back(trees, t);

  int64_t depth = 0;
  for (const Tree& tree : all) depth = std::max(depth, tree.depth);
  std::vector<double> inverse{0};
  for (int64_t k = 1; k <= depth + 2; ++k) inverse.push_back(1 / static_cast<double>(k));

  parallel_for(n, [&](int64_t i) {
    double* const out = phi.data() + static_cast<size_t>(i) * width;
    std::vector<Step> room;
    const float* const row = data + i * trees.features;
    for (const Tree& tree : all) {
      if (!other) PathDependent(tree, row, inverse.data(), room, out);
      for (int64_t b = 0; b < count; ++b)
        Interventional(tree, row, other + b * trees.features, out).run();
    }
    if (other)
      for (size_t k = 0; k < width; ++k) out[k] /= static_cast<double>(count);
  });
  for (const Tree& tree : all) {
    if (other) {
      for (int64_t b = 0; b < count; ++b)
        for (size_t k = 0; k < outputs; ++k)
          expected[k] +=
              tree.value(leaf_of(tree, other + b * trees.features))[k] / static_cast<double>(count);
      continue;
    }
    const size_t size =
        (&tree == &all.back() ? trees.left.size() : (&tree + 1)->first) - tree.first;
    for (size_t node = 0; node < size; ++node)
      if (tree.is_leaf(node))
        for (size_t k = 0; k < outputs; ++k)
          expected[k] += tree.value(node)[k] * tree.weight(node) / tree.weight(0);
  }
  if (trees.outputs == 1) return {from_vector(phi, {n, trees.features}), tensor(expected[0])};
  return {from_vector(phi, {n, trees.features, trees.outputs}),
          from_vector(expected, {trees.outputs})};
}

}  // namespace glia::explain
