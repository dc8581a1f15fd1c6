// Graphs: which nodes are joined by which edges, in the order that message passing needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::graphs {

struct KeptEdges;
struct LoopedEdges;

// The end of an edge: messages go from its source to its target.
enum class Side { kSource, kTarget };

// The structure of a directed graph. A value that never changes: copies share it, and what is found
// out about it (the edges by node, the graph with self loops) is found once. An undirected edge is
// two, one in each direction.
class Graph {
 public:
  Graph() = default;  // no nodes, no edges
  // edge_index (2, E), i32 or i64, in any order: the sources above the targets, PyTorch Geometric's
  // form. Nodes are 0 .. num_nodes - 1; unset: as many as the largest number asks for. Throws
  // ShapeError, and ValueError for the first edge to a node that does not exist.
  explicit Graph(const Tensor& edge_index, std::optional<int64_t> num_nodes = {});
  // Edges from nodes of one set to those of another: messages to fewer nodes than there are, or
  // between nodes of two types.
  static Graph bipartite(const Tensor& edge_index, int64_t sources, int64_t targets);
  // The same of numbers on the host: source and target of each edge. Throws as above.
  static Graph from_edges(std::span<const int32_t> sources, std::span<const int32_t> targets,
                          int64_t num_nodes);
  static Graph from_edges(std::span<const int32_t> sources, std::span<const int32_t> targets,
                          int64_t num_sources, int64_t num_targets);

  // Of a graph whose edges join nodes of one set; Error if they do not.
  int64_t num_nodes(Where where = Where::current()) const;
  int64_t num_sources() const;
  int64_t num_targets() const;
  int64_t num_edges() const;
  // (2, E) i64, in the order that was given.
  Tensor edge_index() const;

  // Both ends of each edge, in the order that was given.
  std::span<const int32_t> sources() const;
  std::span<const int32_t> targets() const;
  // The edges at each node of one side, in compressed rows: those of node i are entries ptr[i] ..
  // ptr[i + 1] - 1, each with the node at its other end and the edge's number; edges of one node in
  // the order that was given.
  struct Adjacency {
    std::span<const int32_t> ptr, node, edge;
  };
  Adjacency adjacency(Side side) const;
  // How many edges each node of a side has, (nodes) i64.
  Tensor degree(Side side = Side::kTarget) const;

  bool has_self_loops() const;
  // Whether each edge is there in both directions.
  bool is_undirected() const;

  // The same graph whose messages are multiplied by a weight of each edge, (E) floats, wherever
  // nodes take what arrives; loops that are added have 1. Explanations are made so, in any model.
  // Undefined: without. Throws ShapeError.
  Graph with_edge_mask(const Tensor& mask, Where where = Where::current()) const;
  const Tensor& edge_mask() const { return mask_; }

  // Private to the library: all arrays in one, as kernels take them, (S + T + 2 + 6 E) i32.
  const Tensor& packed() const;

 private:
  struct Structure;  // private: src/graph.cpp
  const Structure& structure() const;
  friend KeptEdges remove_self_loops(const Graph& graph);
  friend LoopedEdges replace_self_loops(const Graph& graph);

  std::shared_ptr<const Structure> structure_;
  Tensor mask_;
};

// ---- Graphs from graphs -----------------------------------------------------------------------

// A graph, and which edges of another its first edges are: (K) i64.
struct KeptEdges {
  Graph graph;
  Tensor kept;
};
KeptEdges remove_self_loops(const Graph& graph);
// Without its self loops and then with one at each node, behind the other edges, in order of nodes.
struct LoopedEdges {
  Graph graph;
  Tensor kept;   // (K) i64: the edges that were no loops
  Tensor loops;  // (N) i64: the last loop that each node had, -1: none
};
LoopedEdges replace_self_loops(const Graph& graph);
// With one more loop at each node, behind all edges.
Graph add_self_loops(const Graph& graph);
// Each edge in both directions, once, in order of sources and then targets.
Graph to_undirected(const Graph& graph);
// Each edge once, in that order.
Graph coalesce(const Graph& graph);
// The edges that join two of these nodes (K different ones), which become 0 .. K - 1 in their
// order. Throws ValueError for a node that does not exist or comes twice.
KeptEdges subgraph(const Graph& graph, std::span<const int64_t> nodes);
// With one more node, joined to all others in both directions (Gilmer et al. 2017). It is the last.
Graph add_virtual_node(const Graph& graph);
// The nodes from which at most `hops` edges lead to one of `nodes`, rising: what a prediction for
// these may depend on.
std::vector<int64_t> k_hop_nodes(const Graph& graph, std::span<const int64_t> nodes, int64_t hops);

}  // namespace glia::graphs
