// Why a model says what it says: how much each edge and each feature matters.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "glia/graphs/features.h"
#include "glia/graphs/graph.h"

namespace glia::graphs {

// What is explained: features of nodes and a graph to logits, of nodes (N, C) or of the graph (1,
// C).
using GraphFunction = std::function<Tensor(const Tensor& x, const Graph& graph)>;

// Importance from 0 up: of each edge (E), and of each feature of each node (N, F), or of each
// feature alike in all nodes (1, F).
struct Explanation {
  Tensor edge_mask, node_mask;
};

enum class NodeMask { kNone, kObject, kAttributes, kCommonAttributes };
// PyTorch Geometric's defaults.
struct GNNExplainerOptions {
  int64_t epochs = 100;
  double lr = 0.01;
  NodeMask node_mask_type =
      NodeMask::kAttributes;               // kObject: (N, 1); kNone: features are as they are
  double edge_size = 0.005, edge_ent = 1;  // weights of the masks' sizes and entropies
  double node_feat_size = 1, node_feat_ent = 0.1;
  uint64_t seed = 0;
};
// GNNExplainer (Ying et al. 2019): masks of edges and features, between 0 and 1, under which the
// model's log-probability of `target` at node `index` (unset: of the whole graph) stays high while
// they are small and decided. What has no influence at all is 0. The model is in evaluation mode.
Explanation gnn_explainer(const GraphFunction& model, const Tensor& x, const Graph& graph,
                          int64_t target, std::optional<int64_t> index = {},
                          const GNNExplainerOptions& options = {});

// Absolute gradients of the logit of `target` by masks of ones and by the features (Simonyan et al.
// 2014; Baldassarre & Azizpour 2019); with `times_input` gradients times features.
Explanation saliency(const GraphFunction& model, const Tensor& x, const Graph& graph,
                     int64_t target, std::optional<int64_t> index = {}, bool times_input = false);

}  // namespace glia::graphs
