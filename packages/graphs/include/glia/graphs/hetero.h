// Graphs with several types of nodes and edges (Schlichtkrull et al. 2018).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "glia/graphs/conv.h"

namespace glia::graphs {

// Type of the sources, relation, type of the targets: {"author", "writes", "paper"}.
struct EdgeType {
  std::string source, relation, target;
  auto operator<=>(const EdgeType&) const = default;
  std::string name() const { return source + "__" + relation + "__" + target; }
};

// PyTorch Geometric's HeteroData: features of the nodes of each type, and of each type of edges a
// graph from nodes of one type to nodes of the other.
struct HeteroData {
  std::map<std::string, Tensor> x;
  std::map<EdgeType, Graph> graphs;
  std::map<std::string, Tensor> y;
  // Throws ShapeError where a graph and the features of its ends differ in their numbers of nodes,
  // naming both.
  void check(Where where = Where::current()) const;
};

// A layer for each type of edges; what arrives by several types is put together.
class HeteroConv : public nn::Module {
 public:
  HeteroConv(const std::vector<std::pair<EdgeType, AnyConv>>& layers,
             Aggregation aggr = Aggregation::kSum);
  // The nodes of types to which no edges lead have no result. Throws ValueError for an aggregation
  // that is neither sum, mean, max nor min.
  std::map<std::string, Tensor> operator()(const std::map<std::string, Tensor>& x,
                                           const std::map<EdgeType, Graph>& graphs,
                                           Where where = Where::current()) const;

  Aggregation aggr;
  std::vector<EdgeType> types;
  std::map<std::string, AnyConv> convs;  // by EdgeType::name()
  GLIA_FIELDS(convs)
};

}  // namespace glia::graphs
