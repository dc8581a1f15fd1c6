#include "glia/graphs/pool.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/error.h"
#include "glia/random.h"
#include "layers.h"

namespace glia::graphs {

Tensor global_add_pool(const Tensor& x, const Graph& membership, Where where) {
  return aggregate(membership, x, Aggregation::kSum, Side::kTarget, where);
}
Tensor global_mean_pool(const Tensor& x, const Graph& membership, Where where) {
  return aggregate(membership, x, Aggregation::kMean, Side::kTarget, where);
}
Tensor global_max_pool(const Tensor& x, const Graph& membership, Where where) {
  return aggregate(membership, x, Aggregation::kMax, Side::kTarget, where);
}

// ---- TopKPooling --------------------------------------------------------------------------------

TopKPooling::TopKPooling(int64_t in_channels, const TopKOptions& options) : options(options) {
  if (in_channels < 1 || !(options.ratio > 0))
    throw ValueError("TopKPooling: " + std::to_string(in_channels) + " channels, ratio " +
                     std::to_string(options.ratio));
  const double bound = 1 / std::sqrt(static_cast<double>(in_channels));
  select.weight = Parameter(uniform({1, in_channels}, -bound, bound));
}

Pooled TopKPooling::operator()(const Tensor& x, const Graph& graph, const Graph& membership,
                               const Tensor& edge, Where where) const {
  const Tensor w = select.weight;
  if (!x.defined() || x.rank() != 2 || x.size(0) != graph.num_nodes() ||
      membership.num_edges() != graph.num_nodes())
    throw ShapeError("TopKPooling: x, graph and membership do not fit", where);
  require_channels("TopKPooling", x.size(1), w.size(1), where);
  Tensor score = sum(x * w, {1});
  score = options.min_score < 0 ? tanh(score / sqrt(sum(square(w))))
                                : edge_softmax(membership, score, where);
  const auto values = score.to_vector<double>();
  const auto members = membership.adjacency(Side::kTarget);
  std::vector<int64_t> perm;
  std::vector<int32_t> owner;
  for (size_t g = 0; g + 1 < members.ptr.size(); ++g) {
    std::vector<int64_t> nodes(members.edge.begin() + members.ptr[g],
                               members.edge.begin() + members.ptr[g + 1]);
    const auto value = [&](int64_t i) { return values[static_cast<size_t>(i)]; };
    if (options.min_score >= 0) {
      double most = -1;
      for (const int64_t i : nodes) most = std::max(most, value(i));
      const double bound = std::min(most - 1e-7, options.min_score);  // the best one stays
      std::erase_if(nodes, [&](int64_t i) { return !(value(i) > bound); });
    } else {
      const auto count = static_cast<double>(nodes.size());
      const double kept =
          options.ratio >= 1 ? std::floor(options.ratio) : std::ceil(options.ratio * count);
      std::ranges::stable_sort(nodes, [&](int64_t a, int64_t b) { return value(a) > value(b); });
      nodes.resize(static_cast<size_t>(std::min(kept, count)));
    }
    perm.insert(perm.end(), nodes.begin(), nodes.end());
    owner.insert(owner.end(), nodes.size(), static_cast<int32_t>(g));
  }
  const auto count = static_cast<int64_t>(perm.size());
  std::vector<int32_t> node(perm.size());
  std::iota(node.begin(), node.end(), 0);
  const KeptEdges part = subgraph(graph, perm);
  Pooled out;
  out.perm = from_vector(perm, {count});
  out.score = take(score, out.perm, 0, where);
  out.x = take(x, out.perm, 0, where) * unsqueeze(out.score, 1);
  if (options.multiplier != 1) out.x = options.multiplier * out.x;
  out.graph = part.graph;
  out.membership = Graph::from_edges(node, owner, count, membership.num_targets());
  if (edge.defined()) out.edge = take(edge, part.kept, 0, where);
  return out;
}

// ---- Dense graphs -------------------------------------------------------------------------------

namespace {

// Of each node its place in its graph, and of all graphs the most nodes.
struct Places {
  std::vector<int64_t> graph, place;
  int64_t most = 0;
};
Places places_of(const Graph& membership) {
  Places out;
  const auto members = membership.adjacency(Side::kTarget);
  out.graph.resize(members.edge.size());
  out.place.resize(members.edge.size());
  for (size_t g = 0; g + 1 < members.ptr.size(); ++g) {
    const int32_t begin = members.ptr[g], end = members.ptr[g + 1];
    out.most = std::max<int64_t>(out.most, end - begin);
    for (int32_t k = begin; k < end; ++k) {
      const auto node = static_cast<size_t>(members.edge[static_cast<size_t>(k)]);
      out.graph[node] = static_cast<int64_t>(g);
      out.place[node] = k - begin;
    }
  }
  return out;
}

}  // namespace

std::pair<Tensor, Tensor> to_dense_batch(const Tensor& x, const Graph& membership, Where where) {
  if (!x.defined() || x.rank() != 2 || x.size(0) != membership.num_edges())
    throw ShapeError("to_dense_batch: x has no row of each node", where);
  const Places at = places_of(membership);
  const int64_t graphs = membership.num_targets(), rows = graphs * at.most;
  std::vector<int64_t> row(at.graph.size());
  std::vector<bool> there(static_cast<size_t>(rows));
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = at.graph[i] * at.most + at.place[i];
    there[static_cast<size_t>(row[i])] = true;
  }
  const Tensor index = from_vector(row, {static_cast<int64_t>(row.size())});
  const Tensor dense = index_add(zeros({rows, x.size(1)}, x.dtype()), index, x, 0, where);
  return {reshape(dense, {graphs, at.most, x.size(1)}), from_vector(there, {graphs, at.most})};
}

Tensor to_dense_adj(const Graph& graph, const Graph& membership, const Tensor& edge_weight,
                    DType dtype, Where where) {
  if (graph.num_nodes(where) != membership.num_edges())
    throw ShapeError("to_dense_adj: the membership is of another number of nodes", where);
  if (edge_weight.defined()) require_edges("to_dense_adj", edge_weight, graph, where);
  const Places at = places_of(membership);
  const int64_t graphs = membership.num_targets();
  std::vector<int64_t> cell;
  const auto from = graph.sources(), to = graph.targets();
  for (size_t e = 0; e < from.size(); ++e) {
    const auto a = static_cast<size_t>(from[e]), b = static_cast<size_t>(to[e]);
    cell.push_back((at.graph[a] * at.most + at.place[a]) * at.most + at.place[b]);
  }
  const auto edges = static_cast<int64_t>(cell.size());
  const Tensor weight = edge_weight.defined() ? edge_weight : ones({edges}, dtype);
  const Tensor flat = index_add(zeros({graphs * at.most * at.most}, weight.dtype()),
                                from_vector(cell, {edges}), weight, 0, where);
  return reshape(flat, {graphs, at.most, at.most});
}

DiffPoolResult dense_diff_pool(const Tensor& x, const Tensor& adj, const Tensor& s,
                               const Tensor& mask, bool normalize, Where where) {
  Tensor in = x, assigned = softmax(s, -1, where);
  if (mask.defined()) {
    const Tensor there = cast(unsqueeze(mask, -1), x.dtype());
    in = in * there;
    assigned = assigned * there;
  }
  const Tensor turned = transpose(assigned, -2, -1, where);
  DiffPoolResult out;
  out.x = matmul(turned, in, where);
  out.adj = matmul(matmul(turned, adj, where), assigned, where);
  out.link_loss = sqrt(sum(square(adj - matmul(assigned, turned, where))));
  if (normalize) out.link_loss = out.link_loss / static_cast<double>(adj.numel());
  out.ent_loss = mean(sum(-assigned * log(assigned + 1e-15), {-1}));
  return out;
}

DenseGCNConv::DenseGCNConv(int64_t in_channels, int64_t out_channels,
                           const DenseGCNOptions& options)
    : options(options),
      bias(zero_bias(out_channels, options.bias)),
      lin(glorot_linear(in_channels, out_channels)) {}

Tensor DenseGCNConv::operator()(const Tensor& x, const Tensor& adj, const Tensor& mask,
                                Where where) const {
  const Tensor loop = eye(adj.size(-1), adj.dtype());
  const Tensor looped = glia::where(loop == 1, options.improved ? 2 : 1, adj);
  const Tensor scale = rsqrt(maximum(sum(looped, {-1}), 1));
  Tensor out = matmul(unsqueeze(scale, -1) * looped * unsqueeze(scale, -2), lin(x, where), where);
  out = added(out, bias);
  return mask.defined() ? out * cast(unsqueeze(mask, -1), out.dtype()) : out;
}

}  // namespace glia::graphs
