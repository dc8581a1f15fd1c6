#include "glia/graphs/data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include "glia/data.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::graphs {
namespace {

Tensor from_numbers(const std::vector<int64_t>& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

std::span<const std::byte> bytes_of(const Tensor& t) {
  switch (t.dtype()) {
    case kF64:
      return std::as_bytes(t.data<double>());
    case kI64:
      return std::as_bytes(t.data<int64_t>());
    case kI32:
      return std::as_bytes(t.data<int32_t>());
    case kBool:
      return std::as_bytes(t.data<bool>());
    default:
      return std::as_bytes(t.data<float>());
  }
}

// Tensors behind each other, copied here: which graphs a batch has is then no part of a plan's key.
// Then so many rows of one number.
Tensor stacked(const char* what, const std::vector<Tensor>& parts, int64_t filling, double value) {
  Shape shape = parts[0].shape();
  const DType dtype = parts[0].dtype();
  bool plain = dtype == kF32 || dtype == kF64 || dtype == kI64 || dtype == kI32 || dtype == kBool;
  shape[0] = filling;
  for (const Tensor& t : parts) {
    Shape row = t.shape();
    if (row.rank() == shape.rank()) row[0] = filling;
    if (t.dtype() != dtype || row != shape)
      throw ShapeError(std::string("collate: ") + what + " are " + name(dtype) + " " +
                       parts[0].shape().str() + " and " + name(t.dtype()) + " " + t.shape().str());
    plain = plain && !t.requires_grad();
  }
  std::vector<Tensor> all = parts;
  if (filling > 0) all.push_back(full(shape, value, dtype));
  if (!plain) return concat(all);
  const auto joined = std::make_shared<std::vector<std::byte>>();
  shape[0] = 0;
  for (const Tensor& t : all) {
    const auto bytes = bytes_of(t);
    joined->insert(joined->end(), bytes.begin(), bytes.end());
    shape[0] += t.size(0);
  }
  return from_external(joined->data(), shape, dtype, joined);
}

// One member of all graphs, joined; undefined if none has it.
template <class Get>
Tensor joined(const char* what, const std::vector<const Data*>& all, int64_t filling, double value,
              Get get) {
  std::vector<Tensor> parts;
  for (const Data* one : all)
    if (const Tensor t = get(*one); t.defined()) parts.push_back(t);
  if (parts.empty()) return {};
  if (parts.size() != all.size())
    throw ShapeError(std::string("collate: ") + std::to_string(parts.size()) + " of " +
                     std::to_string(all.size()) + " graphs have " + what);
  return stacked(what, parts, filling, value);
}

// The next of few numbers that is more than n: about eight between powers of two.
int64_t filled_up(int64_t n) {
  int64_t step = 16;
  while (step * 16 <= n) step *= 2;
  return (n / step + 1) * step;
}

void shuffle(std::vector<int64_t>* numbers, data::Random* random) {
  for (auto i = static_cast<int64_t>(numbers->size()) - 1; i > 0; --i)
    std::swap((*numbers)[static_cast<size_t>(i)],
              (*numbers)[static_cast<size_t>(random->below(i + 1))]);
}

Batch batch_of(const std::vector<const Data*>& all, bool pad) {
  std::vector<int32_t> sources, targets, node, owner;
  int32_t first = 0;
  int64_t graphs = 0;
  for (const Data* one : all) {
    const Graph& g = one->graph;
    const auto nodes = static_cast<int32_t>(g.num_nodes());
    if (nodes > INT32_MAX / 8 - first) throw ValueError("collate: too many nodes for one batch");
    for (const int32_t s : g.sources()) sources.push_back(first + s);
    for (const int32_t t : g.targets()) targets.push_back(first + t);
    owner.insert(owner.end(), static_cast<size_t>(nodes), static_cast<int32_t>(graphs++));
    first += nodes;
  }
  int64_t nodes = 0, edges = 0;  // of the filling
  if (pad) {
    nodes = filled_up(first) - first;
    edges = filled_up(static_cast<int64_t>(sources.size())) - static_cast<int64_t>(sources.size());
    for (auto* ends : {&sources, &targets})
      ends->insert(ends->end(), static_cast<size_t>(edges),
                   first + static_cast<int32_t>(nodes) - 1);
    owner.insert(owner.end(), static_cast<size_t>(nodes), static_cast<int32_t>(graphs++));
  }
  const int64_t count = first + nodes;
  node.resize(owner.size());
  std::iota(node.begin(), node.end(), 0);
  Batch out;
  out.graph = Graph::from_edges(sources, targets, count);
  out.membership = Graph::from_edges(node, owner, count, graphs);
  if (pad) {
    std::vector<bool> real(static_cast<size_t>(count));
    std::fill_n(real.begin(), first, true);
    out.node_mask = from_vector(real, {count});
  }
  const auto features = [](const Data& d) { return d.x.defined() ? d.x.sources() : Tensor(); };
  if (const Tensor x = joined("x", all, nodes, 0, features); x.defined()) out.x = x;
  out.edge_weight =
      joined("edge_weight", all, edges, 0, [](const Data& d) { return d.edge_weight; });
  out.edge_attr = joined("edge_attr", all, edges, 0, [](const Data& d) { return d.edge_attr; });
  // y is of nodes, or of graphs.
  int64_t rows = 0;
  for (const Data* one : all) rows += one->y.defined() ? one->y.size(0) : 0;
  const bool of_nodes = rows == first && rows != static_cast<int64_t>(all.size());
  out.y = joined("y", all,
                 !pad       ? 0
                 : of_nodes ? nodes
                            : 1,
                 -100, [](const Data& d) { return d.y; });
  const auto mask = [&](const char* what, Tensor Data::*which) {
    return joined(what, all, nodes, 0, [=](const Data& d) { return d.*which; });
  };
  out.train_mask = mask("train_mask", &Data::train_mask);
  out.val_mask = mask("val_mask", &Data::val_mask);
  out.test_mask = mask("test_mask", &Data::test_mask);
  return out;
}

}  // namespace

Tensor Batch::batch() const {
  const auto targets = membership.targets();
  return from_numbers({targets.begin(), targets.end()});
}
Tensor Batch::ptr() const {
  const auto ptr = membership.adjacency(Side::kTarget).ptr;
  return from_numbers({ptr.begin(), ptr.end()});
}

Batch collate(const std::vector<Data>& graphs, const CollateOptions& options) {
  std::vector<const Data*> all;
  for (const Data& one : graphs) all.push_back(&one);
  return batch_of(all, options.pad);
}
Batch collate(const std::vector<Data>& graphs, std::span<const int64_t> which,
              const CollateOptions& options) {
  std::vector<const Data*> all;
  for (const int64_t i : which) {
    if (i < 0 || i >= static_cast<int64_t>(graphs.size()))
      throw ValueError("collate: there is no graph " + std::to_string(i) + " among " +
                       std::to_string(graphs.size()));
    all.push_back(&graphs[static_cast<size_t>(i)]);
  }
  return batch_of(all, options.pad);
}

Graph single_membership(int64_t nodes) {
  std::vector<int32_t> node(static_cast<size_t>(nodes)), owner(node.size());
  std::iota(node.begin(), node.end(), 0);
  return Graph::from_edges(node, owner, nodes, 1);
}

Features normalize_features(const Features& x) {
  if (x.is_pair())
    return Features(normalize_features(x.sources()).sources(),
                    normalize_features(x.targets()).sources());
  if (!x.is_sparse()) {
    const Tensor total = sum(x.sources(), {1}, true);
    return x.sources() / where(total == 0, 1, total);
  }
  const Csr& m = x.sparse();
  const Tensor total = spmm(m, ones({m.shape()[1]}, x.dtype()));
  const auto ptr = m.row_ptr().to_vector<int32_t>();
  std::vector<int32_t> row;
  for (size_t r = 0; r + 1 < ptr.size(); ++r)
    row.insert(row.end(), static_cast<size_t>(ptr[r + 1] - ptr[r]), static_cast<int32_t>(r));
  const auto count = static_cast<int64_t>(row.size());
  const Tensor values = m.values() / take(where(total == 0, 1, total), from_vector(row, {count}));
  eval(values);
  return m.with_values(values);
}

// ---- Splits -------------------------------------------------------------------------------------

void random_node_split(Data* data, const NodeSplitOptions& options) {
  const auto labels = data->y.defined() ? data->y.to_vector<int64_t>() : std::vector<int64_t>();
  const auto nodes = static_cast<size_t>(data->graph.num_nodes());
  if (labels.size() != nodes)
    throw ShapeError("random_node_split: y has " + std::to_string(labels.size()) + " labels for " +
                     std::to_string(nodes) + " nodes");
  std::vector<int64_t> order;
  for (size_t i = 0; i < nodes; ++i)
    if (labels[i] >= 0) order.push_back(static_cast<int64_t>(i));
  data::Random random(options.seed);
  shuffle(&order, &random);
  std::vector<bool> masks[3] = {std::vector<bool>(nodes), std::vector<bool>(nodes),
                                std::vector<bool>(nodes)};
  std::map<int64_t, int64_t> found;
  std::vector<int64_t> rest;
  for (const int64_t i : order) {
    if (options.per_class > 0 && found[labels[static_cast<size_t>(i)]]++ < options.per_class)
      masks[0][static_cast<size_t>(i)] = true;
    else
      rest.push_back(i);
  }
  if (options.num_val < 0 || options.num_test < 0 ||
      options.num_val + options.num_test > static_cast<int64_t>(rest.size()))
    throw ValueError("random_node_split: " + std::to_string(options.num_val) + " and " +
                     std::to_string(options.num_test) + " nodes are more than the " +
                     std::to_string(rest.size()) + " that are left");
  for (size_t k = 0; k < rest.size(); ++k) {
    const auto at = static_cast<int64_t>(k);
    const int which = at < options.num_val                      ? 1
                      : at < options.num_val + options.num_test ? 2
                      : options.per_class > 0                   ? -1
                                                                : 0;
    if (which >= 0) masks[which][static_cast<size_t>(rest[k])] = true;
  }
  const Shape shape{static_cast<int64_t>(nodes)};
  data->train_mask = from_vector(masks[0], shape);
  data->val_mask = from_vector(masks[1], shape);
  data->test_mask = from_vector(masks[2], shape);
}

std::vector<std::vector<int64_t>> stratified_folds(std::span<const int64_t> labels, int64_t folds,
                                                   uint64_t seed) {
  if (folds < 2 || folds > static_cast<int64_t>(labels.size()))
    throw ValueError("stratified_folds: " + std::to_string(folds) + " folds of " +
                     std::to_string(labels.size()) + " samples");
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (size_t i = 0; i < labels.size(); ++i) by_class[labels[i]].push_back(static_cast<int64_t>(i));
  data::Random random(seed);
  std::vector<std::vector<int64_t>> out(static_cast<size_t>(folds));
  size_t next = 0;  // each class goes on where the one before has ended
  for (auto& [label, members] : by_class) {
    shuffle(&members, &random);
    for (const int64_t i : members) out[next++ % out.size()].push_back(i);
  }
  for (auto& fold : out) std::ranges::sort(fold);
  return out;
}

namespace {

Tensor edge_tensor(const std::vector<std::pair<int32_t, int32_t>>& edges, size_t first,
                   size_t last) {
  std::vector<int64_t> out;
  for (size_t e = first; e < last; ++e) out.push_back(edges[e].first);
  for (size_t e = first; e < last; ++e) out.push_back(edges[e].second);
  return from_vector(out, {2, static_cast<int64_t>(last - first)});
}

}  // namespace

LinkSplit random_link_split(const Graph& graph, const LinkSplitOptions& options) {
  if (!(options.val >= 0 && options.test >= 0 && options.val + options.test < 1))
    throw ValueError("random_link_split: shares " + std::to_string(options.val) + " and " +
                     std::to_string(options.test));
  if (!graph.is_undirected()) throw ValueError("random_link_split: the graph is directed");
  std::vector<std::pair<int32_t, int32_t>> all;
  const auto from = graph.sources(), to = graph.targets();
  for (size_t e = 0; e < from.size(); ++e)
    if (from[e] < to[e]) all.emplace_back(from[e], to[e]);
  std::vector<int64_t> order(all.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  data::Random random(options.seed);
  shuffle(&order, &random);
  std::vector<std::pair<int32_t, int32_t>> edges;
  for (const int64_t i : order) edges.push_back(all[static_cast<size_t>(i)]);
  const auto share = [&](double part) {
    return static_cast<size_t>(std::floor(part * static_cast<double>(edges.size())));
  };
  const size_t val = share(options.val), test = share(options.test);
  std::vector<int32_t> sources, targets;
  for (size_t e = val + test; e < edges.size(); ++e) {
    const auto [a, b] = edges[e];
    sources.insert(sources.end(), {a, b});
    targets.insert(targets.end(), {b, a});
  }
  const auto pairs = static_cast<int64_t>(val + test);
  const Tensor none = negative_sampling(graph, pairs, options.seed + 1);
  const int64_t found = none.size(1), first = std::min(static_cast<int64_t>(val), found);
  return {.graph = Graph::from_edges(sources, targets, graph.num_nodes()),
          .train_edges = edge_tensor(edges, val + test, edges.size()),
          .val_edges = edge_tensor(edges, 0, val),
          .val_negatives = slice(none, 1, {0, first}),
          .test_edges = edge_tensor(edges, val, val + test),
          .test_negatives = slice(none, 1, {first, found})};
}

Tensor negative_sampling(const Graph& graph, int64_t count, uint64_t seed) {
  const int64_t nodes = graph.num_nodes();
  const auto adjacency = graph.adjacency(Side::kSource);
  std::set<std::pair<int32_t, int32_t>> drawn;
  std::vector<std::pair<int32_t, int32_t>> out;
  const auto joined_by_edge = [&](int32_t a, int32_t b) {
    const auto first = adjacency.node.begin() + adjacency.ptr[static_cast<size_t>(a)],
               last = adjacency.node.begin() + adjacency.ptr[static_cast<size_t>(a) + 1];
    return std::find(first, last, b) != last;
  };
  const auto take_pair = [&](int32_t a, int32_t b) {
    if (a != b && !joined_by_edge(a, b) && drawn.emplace(a, b).second) out.emplace_back(a, b);
  };
  data::Random random(seed);
  const double open = static_cast<double>(nodes) * static_cast<double>(nodes - 1) -
                      static_cast<double>(graph.num_edges());
  if (static_cast<double>(count) < open / 2) {
    while (static_cast<int64_t>(out.size()) < count) {
      const auto a = static_cast<int32_t>(random.below(nodes));
      take_pair(a, static_cast<int32_t>(random.below(nodes)));
    }
  } else if (nodes < 20000) {  // most of what there is: all of it in an order that is drawn
    std::vector<int64_t> all(static_cast<size_t>(nodes * nodes));
    std::iota(all.begin(), all.end(), int64_t{0});
    shuffle(&all, &random);
    for (const int64_t i : all)
      if (static_cast<int64_t>(out.size()) < count)
        take_pair(static_cast<int32_t>(i / nodes), static_cast<int32_t>(i % nodes));
  } else {
    throw ValueError("negative_sampling: " + std::to_string(count) + " pairs of " +
                     std::to_string(nodes) + " nodes are too many");
  }
  return edge_tensor(out, 0, out.size());
}

}  // namespace glia::graphs
