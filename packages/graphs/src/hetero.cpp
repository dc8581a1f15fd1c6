#include "glia/graphs/hetero.h"

#include "glia/error.h"
#include "glia/ops.h"

namespace glia::graphs {

void HeteroData::check(Where where) const {
  for (const auto& [type, graph] : graphs)
    for (const auto& [node, count] : {std::pair(type.source, graph.num_sources()),
                                      std::pair(type.target, graph.num_targets())}) {
      const auto at = x.find(node);
      if (at != x.end() && at->second.size(0) != count)
        throw ShapeError("HeteroData: there are " + std::to_string(at->second.size(0)) +
                             " nodes \"" + node + "\", but " + std::to_string(count) +
                             " in the graph " + type.name(),
                         where);
    }
}

HeteroConv::HeteroConv(const std::vector<std::pair<EdgeType, AnyConv>>& layers, Aggregation aggr)
    : aggr(aggr) {
  if (aggr == Aggregation::kVar || aggr == Aggregation::kStd)
    throw ValueError("HeteroConv: aggr is sum, mean, max or min");
  for (const auto& [type, conv] : layers) {
    types.push_back(type);
    if (!convs.emplace(type.name(), conv).second)
      throw ValueError("HeteroConv: " + type.name() + " comes twice");
  }
}

std::map<std::string, Tensor> HeteroConv::operator()(const std::map<std::string, Tensor>& x,
                                                     const std::map<EdgeType, Graph>& graphs,
                                                     Where where) const {
  std::map<std::string, std::vector<Tensor>> arrived;
  for (const EdgeType& type : types) {
    const auto graph = graphs.find(type);
    const auto source = x.find(type.source), target = x.find(type.target);
    if (graph == graphs.end() || source == x.end() || target == x.end()) continue;
    const AnyConv& conv = convs.at(type.name());
    const Features in = type.source == type.target ? Features(source->second)
                                                   : Features(source->second, target->second);
    arrived[type.target].push_back((*conv)(in, graph->second, {}, where));
  }
  std::map<std::string, Tensor> out;
  for (const auto& [type, parts] : arrived) {
    const Tensor all = stack(parts);
    switch (aggr) {
      case Aggregation::kMean:
        out[type] = mean(all, {0});
        break;
      case Aggregation::kMax:
        out[type] = max(all, {0});
        break;
      case Aggregation::kMin:
        out[type] = min(all, {0});
        break;
      default:
        out[type] = sum(all, {0});
    }
  }
  return out;
}

}  // namespace glia::graphs
