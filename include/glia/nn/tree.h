// Networks over trees: all nodes of one height, of all trees of a batch, are one step.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/nn/module.h"

namespace glia::nn {

// A tree by each node's parent; -1: it is the root. Children are in the order of their numbers.
struct Tree {
  std::vector<int64_t> parents;
};

// Trees whose nodes are numbered through, tree after tree, and the steps in which they are
// computed: leaves, then all nodes whose children are known. Throws ValueError for a tree without a
// root or with several, a parent that is no node, and a circle.
class Forest {
 public:
  explicit Forest(const std::vector<Tree>& trees);

  // The nodes of one height, and their children, those of one node side by side.
  struct Level {
    std::vector<int64_t> nodes;
    std::vector<int64_t> children;  // nodes
    std::vector<int64_t> of;        // of each child, which of `nodes` is its parent
    std::vector<int64_t> place;     // and the how-manieth child of it this is
  };
  const std::vector<Level>& levels() const { return levels_; }  // by height, from the leaves
  int64_t nodes() const { return static_cast<int64_t>(step_.size()); }
  int64_t trees() const { return static_cast<int64_t>(roots_.size()); }
  Tensor roots() const;  // (trees) i64, the number of each tree's root
  // The nodes' places in the order of levels, (nodes) i64.
  const std::vector<int64_t>& steps() const { return step_; }

 private:
  std::vector<Level> levels_;
  std::vector<int64_t> roots_, step_;
};

struct TreeResult {
  Tensor h, c;  // (nodes, H); c of an LSTM
};

struct TreeLSTMOptions {
  bool bias = true;
};
// For any number of children in any order: gates from the sum of the children's states, and a
// forget gate for each child (Tai et al. 2015, section 3.1). x (nodes, in) -> every node's state.
struct ChildSumTreeLSTM : Module {
  ChildSumTreeLSTM(int64_t input_size, int64_t hidden_size, const TreeLSTMOptions& options = {});
  TreeResult operator()(const Tensor& x, const Forest& forest,
                        Where where = Where::current()) const;

  Linear w;              // (4 H, in): i, o, u, f
  Parameter u_iou, u_f;  // (3 H, H), (H, H)
  GLIA_FIELDS(w, u_iou, u_f)
};
// For at most N children with places of their own; one that is missing counts as zeros (section
// 3.2). Each forget gate sees all children.
struct NaryTreeLSTM : Module {
  NaryTreeLSTM(int64_t children, int64_t input_size, int64_t hidden_size,
               const TreeLSTMOptions& options = {});
  TreeResult operator()(const Tensor& x, const Forest& forest,
                        Where where = Where::current()) const;

  int64_t children;
  Linear w;              // (4 H, in): i, o, u, f
  Parameter u_iou, u_f;  // (3 H, N H), (N H, N H)
  GLIA_FIELDS(w, u_iou, u_f)
};

struct RecursiveNetOptions {
  bool tensor = true;  // with the children's products by pairs
  bool bias = true;
};
// Binary trees: leaves are their vectors of x (nodes, H), and an inner node is tanh(W [a; b] + b),
// with `tensor` tanh([a; b] V [a; b] + ...) for each feature (Socher et al. 2013).
struct RecursiveNet : Module {
  explicit RecursiveNet(int64_t size, const RecursiveNetOptions& options = {});
  TreeResult operator()(const Tensor& x, const Forest& forest,
                        Where where = Where::current()) const;

  Linear w;          // (H, 2 H)
  Parameter tensor;  // (H, 2 H, 2 H), or undefined
  GLIA_FIELDS(w, tensor)
};

}  // namespace glia::nn
