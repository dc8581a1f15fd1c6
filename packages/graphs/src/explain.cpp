#include "glia/graphs/explain.h"

#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"

namespace glia::graphs {
namespace {

// The row of logits that is asked about, (1, C).
Tensor asked(const Tensor& logits, int64_t target, std::optional<int64_t> at) {
  const int64_t row = at.value_or(0);
  if (logits.rank() != 2 || row < 0 || row >= logits.size(0) || (!at && logits.size(0) != 1))
    throw ValueError("explanation: logits " + logits.shape().str() + " have no row " +
                     (at ? std::to_string(row) : std::string("of one graph")));
  if (target < 0 || target >= logits.size(1))
    throw ValueError("explanation: there is no class " + std::to_string(target) + " among " +
                     std::to_string(logits.size(1)));
  return slice(logits, 0, {row, row + 1});
}

// The size, and how far from decided the entries are, of a mask where it matters.
Tensor cost(const Tensor& mask, const Tensor& matters, bool mean_size, double size,
            double entropy) {
  const Tensor on = cast(matters, mask.dtype()), count = maximum(sum(on), 1);
  const Tensor m = sigmoid(mask), total = sum(m * on);
  const Tensor h = -m * log(m + 1e-15) - (1 - m) * log(1 - m + 1e-15);
  return size * (mean_size ? total / count : total) + entropy * (sum(h * on) / count);
}

}  // namespace

Explanation gnn_explainer(const GraphFunction& model, const Tensor& x, const Graph& graph,
                          int64_t target, std::optional<int64_t> index,
                          const GNNExplainerOptions& options) {
  if (options.epochs < 1) throw ValueError("gnn_explainer: no epochs");
  const RandomState before = random_state();
  manual_seed(options.seed);
  const bool features = options.node_mask_type != NodeMask::kNone;
  const Shape shape{options.node_mask_type == NodeMask::kCommonAttributes ? 1 : x.size(0),
                    options.node_mask_type == NodeMask::kObject ? 1 : x.size(1)};
  const double spread =
      std::sqrt(2.0) *
      std::sqrt(2.0 / (2.0 * static_cast<double>(std::max<int64_t>(x.size(0), 1))));
  Parameter node = normal(shape, 0, 0.1, x.dtype());
  Parameter edge = normal({graph.num_edges()}, 0, spread, x.dtype());
  set_random_state(before);
  ParameterList masks;
  if (features) masks.push_back(node);
  masks.push_back(edge);
  const auto loss = [&] {
    const Tensor in = features ? x * sigmoid(node) : x;
    return cross_entropy(asked(model(in, graph.with_edge_mask(sigmoid(edge))), target, index),
                         tensor({target}));
  };
  // What the prediction depends on at all.
  const std::vector<Tensor> first = gradients(loss(), masks);
  const Tensor edge_matters = first.back() != 0, node_matters = first.front() != 0;
  eval({edge_matters, node_matters});
  optim::Adam optimizer(masks, {.lr = options.lr});
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    Tensor total = loss();
    if (epoch > 0) {
      total = total + cost(edge, edge_matters, false, options.edge_size, options.edge_ent);
      if (features)
        total =
            total + cost(node, node_matters, true, options.node_feat_size, options.node_feat_ent);
    }
    optimizer.step(gradients(total, masks));
  }
  Explanation out;
  out.edge_mask = stop_gradient(where(edge_matters, sigmoid(edge), 0));
  if (features) out.node_mask = stop_gradient(where(node_matters, sigmoid(node), 0));
  return out;
}

Explanation saliency(const GraphFunction& model, const Tensor& x, const Graph& graph,
                     int64_t target, std::optional<int64_t> index, bool times_input) {
  const Tensor features = trainable(x), edges = trainable(ones({graph.num_edges()}, x.dtype()));
  const Tensor logits = asked(model(features, graph.with_edge_mask(edges)), target, index);
  const auto found = gradients(sum(slice(logits, 1, {target, target + 1})), {edges, features});
  Explanation out{abs(found[0]), abs(found[1])};
  if (times_input) out.node_mask = abs(found[1] * x);
  return out;
}

}  // namespace glia::graphs
