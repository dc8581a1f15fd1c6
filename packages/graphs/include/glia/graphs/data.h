// Graphs with what is known of their nodes and edges, several as one batch, and parts of large
// ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glia/graphs/features.h"
#include "glia/graphs/graph.h"

namespace glia::graphs {

// PyTorch Geometric's Data: what a graph has is defined, the rest is not.
struct Data {
  Graph graph;
  Features x;                              // of nodes (N, F)
  Tensor edge_weight;                      // (E)
  Tensor edge_attr;                        // (E, D)
  Tensor y;                                // of nodes (N), or of the graph (1)
  Tensor train_mask, val_mask, test_mask;  // (N) bool: nodes whose y is for this
};

// Several graphs as one without edges between them: nodes and edges of the first, then of the next.
struct Batch : Data {
  // Bipartite: from each node, in order, to its graph.
  Graph membership;
  Tensor node_mask;  // (N) bool, with CollateOptions::pad: the nodes that are no filling
  int64_t num_graphs() const { return membership.num_targets(); }
  Tensor batch() const;  // (N) i64: the graph of each node
  Tensor ptr() const;    // (graphs + 1) i64: where each graph's nodes begin
};
struct CollateOptions {
  // One more graph of nodes without edges to others fills up the numbers of nodes and edges to one
  // of few, so that batches have few shapes and a training step is planned a few times only. Its
  // features are zeros and its y is -100, which cross_entropy() leaves out.
  bool pad = false;
};
// Of these, or of those of them that have these numbers; y along its first axis. All must have the
// same of what Data has, and alike. Throws ShapeError, and ValueError for a number out of range.
Batch collate(const std::vector<Data>& graphs, const CollateOptions& options = {});
Batch collate(const std::vector<Data>& graphs, std::span<const int64_t> which,
              const CollateOptions& options = {});
// The graphs of one that has no batches: every node belongs to the only one.
Graph single_membership(int64_t nodes);

// Rows that sum to 1; rows of zeros stay. PyTorch Geometric's NormalizeFeatures.
Features normalize_features(const Features& x);

// ---- Splits -----------------------------------------------------------------------------------

// Sets the masks of nodes whose y is not negative: `per_class` of each class for training if that
// is positive, else what is left; `num_val` and `num_test` nodes. Throws ValueError where there are
// too few.
struct NodeSplitOptions {
  int64_t per_class = 20, num_val = 500, num_test = 1000;
  uint64_t seed = 0;
};
void random_node_split(Data* data, const NodeSplitOptions& options = {});

// Numbers of samples in `folds` parts of about equal size, each with the classes in about the
// proportion of the whole. Throws ValueError for fewer than two folds, or more than samples.
std::vector<std::vector<int64_t>> stratified_folds(std::span<const int64_t> labels, int64_t folds,
                                                   uint64_t seed);

// Edges to predict, from an undirected graph: `graph` is what is left for messages, both directions
// of each edge; the others (2, K) i64 have one direction of each, and as many pairs that are none.
struct LinkSplitOptions {
  double val = 0.05, test = 0.1;  // shares of the edges
  uint64_t seed = 0;
};
struct LinkSplit {
  Graph graph;
  Tensor train_edges, val_edges, val_negatives, test_edges, test_negatives;
};
LinkSplit random_link_split(const Graph& graph, const LinkSplitOptions& options = {});
// So many pairs of different nodes that no edge joins, (2, K) i64: fewer if there are not as many.
Tensor negative_sampling(const Graph& graph, int64_t count, uint64_t seed);

// ---- Neighbours -------------------------------------------------------------------------------

// What a prediction for some nodes needs, with so many neighbours of each node at most (Hamilton et
// al. 2017): the nodes are n_id (K) i64 of the graph, the seeds first, and the edges e_id of it.
struct Neighborhood {
  Graph graph;
  Tensor n_id, e_id;  // i64
};
struct NeighborOptions {
  std::vector<int64_t> num_neighbors = {15, 10};  // of each hop; -1: all
  bool replace = false;
  uint64_t seed = 0;
};
// Each (node, hop) draws for itself, so that what is drawn does not depend on threads. Throws
// ValueError for a seed node that does not exist or comes twice.
Neighborhood sample_neighbors(const Graph& graph, std::span<const int64_t> seeds,
                              const NeighborOptions& options = {});

// ---- Walks ------------------------------------------------------------------------------------

struct WalkOptions {
  int64_t length = 20;  // steps
  double p = 1, q = 1;  // 1 / p: how likely is the way back, 1 / q: away from the last node
  uint64_t seed = 0;
};
// Walks along edges from each of these nodes, (starts, length + 1) i64; a node without an edge to
// go stays (Perozzi et al. 2014; Grover & Leskovec 2016).
Tensor random_walks(const Graph& graph, std::span<const int64_t> starts,
                    const WalkOptions& options = {});

}  // namespace glia::graphs
