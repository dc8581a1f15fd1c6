// Graphs by rule and by chance. Random ones are undirected, without loops, and functions of their
// seed. Each throws ValueError for numbers out of range.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/graphs/data.h"

namespace glia::graphs {

// Each pair of nodes with probability p (Erdos & Renyi 1959; Gilbert 1959).
Graph erdos_renyi_graph(int64_t num_nodes, double p, uint64_t seed = 0);
// Each new node is joined to so many older ones, in proportion to their degrees (Barabasi & Albert
// 1999), from as many isolated nodes on.
Graph barabasi_albert_graph(int64_t num_nodes, int64_t num_edges, uint64_t seed = 0);
// Blocks of these sizes; an edge between nodes of blocks i and j with probability probs[i][j]
// (Holland et al. 1983). y (N) is each node's block.
Data stochastic_blockmodel_graph(const std::vector<int64_t>& block_sizes,
                                 const std::vector<std::vector<double>>& edge_probs,
                                 uint64_t seed = 0);
// A grid of nodes, row after row, each joined to those beside, above and below.
Graph grid_graph(int64_t height, int64_t width);
// 0 - 1 - ... - (n - 1) - 0.
Graph cycle_graph(int64_t num_nodes);

// Zachary's karate club (1977): 34 members, 78 friendships; x is the identity, y the four
// communities that modularity finds (Brandes et al. 2008), train_mask one member of each.
Data karate_club();
// A Barabasi-Albert graph of `nodes` nodes with `houses` of five nodes each attached (Ying et al.
// 2019): y is 0 in the graph and 1, 2, 3 at the houses' middle, ground and top; edges within houses
// are what explains the latter. x is a column of ones.
struct BAShapes {
  Data data;
  Tensor edge_mask;  // (E) bool: within a house
};
BAShapes ba_shapes(int64_t nodes = 300, int64_t houses = 80, uint64_t seed = 0);

}  // namespace glia::graphs
