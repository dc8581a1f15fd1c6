#include "glia/graphs/graph.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "glia/ops.h"

namespace glia::graphs {
namespace {

constexpr int64_t kMost = INT32_MAX / 8;  // edges, and nodes: the arrays together stay below 2^31

void require_sizes(int64_t sources, int64_t targets, int64_t edges) {
  if (sources < 0 || targets < 0)
    throw ValueError("Graph: " + std::to_string(std::min(sources, targets)) + " nodes");
  if (std::max({sources, targets, edges}) > kMost)
    throw ValueError("Graph: more than " + std::to_string(kMost) + " nodes or edges");
}

void require_ends(std::span<const int32_t> ends, const char* side, int64_t nodes) {
  for (size_t e = 0; e < ends.size(); ++e)
    if (ends[e] < 0 || ends[e] >= nodes)
      throw ValueError("Graph: edge " + std::to_string(e) + " has the " + side + " " +
                       std::to_string(ends[e]) + ", but there are " + std::to_string(nodes) +
                       " nodes");
}

Tensor from_numbers(std::vector<int64_t> numbers) {
  const auto count = static_cast<int64_t>(numbers.size());
  return from_vector(numbers, {count});
}

}  // namespace

// One array: by target ptr (T + 1), node (E), edge (E); by source the same; then both ends (E, E).
struct Graph::Structure {
  int64_t sources = 0, targets = 0, edges = 0;
  std::vector<int32_t> numbers;
  Tensor packed;

  Structure(std::span<const int32_t> from, std::span<const int32_t> to, int64_t num_sources,
            int64_t num_targets)
      : sources(num_sources), targets(num_targets), edges(static_cast<int64_t>(from.size())) {
    numbers.resize(static_cast<size_t>(sources + targets + 2 + 6 * edges));
    std::ranges::copy(from, ends(Side::kSource));
    std::ranges::copy(to, ends(Side::kTarget));
    sort_by(Side::kTarget);
    sort_by(Side::kSource);
    // Plans may hold on to the tensor for longer than any graph lives.
    const auto kept = std::make_shared<std::vector<int32_t>>(std::move(numbers));
    data = kept->data();
    packed = from_external(data, {static_cast<int64_t>(kept->size())}, kI32, kept);
  }

  int64_t nodes(Side side) const { return side == Side::kSource ? sources : targets; }
  size_t start(Side side) const {
    return side == Side::kTarget ? 0 : static_cast<size_t>(targets + 1 + 2 * edges);
  }
  Adjacency adjacency(Side side) const {
    const size_t n = static_cast<size_t>(nodes(side)) + 1, e = static_cast<size_t>(edges);
    const int32_t* at = data + start(side);
    return {{at, n}, {at + n, e}, {at + n + e, e}};
  }
  std::span<const int32_t> ends_of(Side side) const {
    const size_t first = static_cast<size_t>(sources + targets + 2 + 4 * edges);
    return {data + first + (side == Side::kTarget ? edges : 0), static_cast<size_t>(edges)};
  }

  // Found once: degrees of sources and targets, the graph without loops, and with one at each node.
  mutable std::mutex finding;
  mutable Tensor degrees[2];
  mutable std::optional<KeptEdges> unlooped;
  mutable std::optional<LoopedEdges> looped;

 private:
  const int32_t* data = nullptr;

  int32_t* ends(Side side) {
    return numbers.data() + sources + targets + 2 + 4 * edges + (side == Side::kTarget ? edges : 0);
  }
  void sort_by(Side side) {
    int32_t* ptr = numbers.data() + start(side);
    int32_t *node = ptr + nodes(side) + 1, *edge = node + edges;
    const int32_t *own = ends(side),
                  *other = ends(side == Side::kTarget ? Side::kSource : Side::kTarget);
    for (int64_t e = 0; e < edges; ++e) ++ptr[own[e] + 1];
    std::partial_sum(ptr, ptr + nodes(side) + 1, ptr);
    std::vector<int32_t> next(ptr, ptr + nodes(side));
    for (int64_t e = 0; e < edges; ++e) {
      const int32_t at = next[static_cast<size_t>(own[e])]++;
      node[at] = other[e];
      edge[at] = static_cast<int32_t>(e);
    }
  }
};

const Graph::Structure& Graph::structure() const {
  static const Structure none({}, {}, 0, 0);
  return structure_ ? *structure_ : none;
}

Graph Graph::from_edges(std::span<const int32_t> sources, std::span<const int32_t> targets,
                        int64_t num_sources, int64_t num_targets) {
  if (sources.size() != targets.size())
    throw ShapeError("Graph: " + std::to_string(sources.size()) + " sources and " +
                     std::to_string(targets.size()) + " targets");
  require_sizes(num_sources, num_targets, static_cast<int64_t>(sources.size()));
  require_ends(sources, "source", num_sources);
  require_ends(targets, "target", num_targets);
  Graph out;
  out.structure_ = std::make_shared<const Structure>(sources, targets, num_sources, num_targets);
  return out;
}
Graph Graph::from_edges(std::span<const int32_t> sources, std::span<const int32_t> targets,
                        int64_t num_nodes) {
  return from_edges(sources, targets, num_nodes, num_nodes);
}

namespace {

// Both rows on the host. What no node can be is left to who knows how many there are.
std::vector<int32_t> rows_of(const Tensor& edge_index) {
  if (!edge_index.defined() || edge_index.rank() != 2 || edge_index.size(0) != 2 ||
      (edge_index.dtype() != kI32 && edge_index.dtype() != kI64))
    throw ShapeError("Graph: edges are integers (2, E), not " +
                     (edge_index.defined()
                          ? name(edge_index.dtype()) + (" " + edge_index.shape().str())
                          : std::string("undefined")));
  require_sizes(0, 0, edge_index.size(1));
  const std::vector<int64_t> wide = edge_index.to_vector<int64_t>();
  std::vector<int32_t> out(wide.size());
  for (size_t i = 0; i < wide.size(); ++i) {
    if (wide[i] < 0 || wide[i] > kMost)
      throw ValueError("Graph: edge " + std::to_string(i % (wide.size() / 2)) + " has a node " +
                       std::to_string(wide[i]));
    out[i] = static_cast<int32_t>(wide[i]);
  }
  return out;
}

}  // namespace

Graph::Graph(const Tensor& edge_index, std::optional<int64_t> num_nodes) {
  const std::vector<int32_t> rows = rows_of(edge_index);
  const int64_t least = rows.empty() ? 0 : std::ranges::max(rows) + 1;
  const std::span all(rows);
  *this =
      from_edges(all.first(rows.size() / 2), all.last(rows.size() / 2), num_nodes.value_or(least));
}

Graph Graph::bipartite(const Tensor& edge_index, int64_t sources, int64_t targets) {
  const std::vector<int32_t> rows = rows_of(edge_index);
  const std::span all(rows);
  return from_edges(all.first(rows.size() / 2), all.last(rows.size() / 2), sources, targets);
}

int64_t Graph::num_nodes(Where where) const {
  if (num_sources() != num_targets())
    throw Error("Graph: has " + std::to_string(num_sources()) + " sources and " +
                    std::to_string(num_targets()) + " targets, not nodes of one set",
                where);
  return num_targets();
}
int64_t Graph::num_sources() const { return structure().sources; }
int64_t Graph::num_targets() const { return structure().targets; }
int64_t Graph::num_edges() const { return structure().edges; }
std::span<const int32_t> Graph::sources() const { return structure().ends_of(Side::kSource); }
std::span<const int32_t> Graph::targets() const { return structure().ends_of(Side::kTarget); }
Graph::Adjacency Graph::adjacency(Side side) const { return structure().adjacency(side); }
const Tensor& Graph::packed() const { return structure().packed; }

Tensor Graph::edge_index() const {
  std::vector<int64_t> numbers;
  numbers.reserve(static_cast<size_t>(2 * num_edges()));
  for (const Side side : {Side::kSource, Side::kTarget}) {
    const auto ends = structure().ends_of(side);
    numbers.insert(numbers.end(), ends.begin(), ends.end());
  }
  return from_vector(numbers, {2, num_edges()});
}

Tensor Graph::degree(Side side) const {
  const Structure& s = structure();
  const std::lock_guard held(s.finding);
  Tensor& found = s.degrees[side == Side::kTarget];
  if (!found.defined()) {
    const auto ptr = s.adjacency(side).ptr;
    std::vector<int64_t> out(ptr.size() - 1);
    for (size_t i = 0; i < out.size(); ++i) out[i] = ptr[i + 1] - ptr[i];
    found = from_numbers(std::move(out));
  }
  return found;
}

Graph Graph::with_edge_mask(const Tensor& mask, Where where) const {
  if (mask.defined() && (mask.shape() != Shape{num_edges()} || !is_float(mask.dtype())))
    throw ShapeError("Graph: a mask " + mask.shape().str() + " is no float of each of " +
                         std::to_string(num_edges()) + " edges",
                     where);
  Graph out(*this);
  out.mask_ = mask;
  return out;
}

bool Graph::has_self_loops() const {
  return !std::ranges::equal(sources(), targets(), std::not_equal_to());
}

bool Graph::is_undirected() const {
  if (num_sources() != num_targets()) return false;
  const auto pairs = [&](std::span<const int32_t> a, std::span<const int32_t> b) {
    std::vector<std::pair<int32_t, int32_t>> out;
    for (size_t e = 0; e < a.size(); ++e) out.emplace_back(a[e], b[e]);
    std::ranges::sort(out);
    return out;
  };
  return pairs(sources(), targets()) == pairs(targets(), sources());
}

// ---- Graphs from graphs -----------------------------------------------------------------------

namespace {

using Pairs = std::vector<std::pair<int32_t, int32_t>>;

Graph from_pairs(Pairs pairs, int64_t nodes) {
  std::ranges::sort(pairs);
  pairs.erase(std::ranges::unique(pairs).begin(), pairs.end());
  std::vector<int32_t> from, to;
  for (const auto& [a, b] : pairs) {
    from.push_back(a);
    to.push_back(b);
  }
  return Graph::from_edges(from, to, nodes);
}

// The ends of some edges, in a vector to add others to.
std::vector<int32_t> chosen(std::span<const int32_t> ends, const std::vector<int64_t>& edges) {
  std::vector<int32_t> out;
  out.reserve(edges.size());
  for (const int64_t e : edges) out.push_back(ends[static_cast<size_t>(e)]);
  return out;
}
void append_all(std::vector<int32_t>* ends, int64_t nodes) {
  for (int64_t i = 0; i < nodes; ++i) ends->push_back(static_cast<int32_t>(i));
}

}  // namespace

KeptEdges remove_self_loops(const Graph& graph) {
  const Graph::Structure& s = graph.structure();
  const std::lock_guard held(s.finding);
  if (!s.unlooped) {
    std::vector<int64_t> kept;
    const auto from = graph.sources(), to = graph.targets();
    for (size_t e = 0; e < from.size(); ++e)
      if (from[e] != to[e]) kept.push_back(static_cast<int64_t>(e));
    Graph out = Graph::from_edges(chosen(from, kept), chosen(to, kept), s.sources, s.targets);
    s.unlooped = KeptEdges{std::move(out), from_numbers(std::move(kept))};
  }
  KeptEdges out = *s.unlooped;
  if (graph.mask_.defined()) out.graph.mask_ = take(graph.mask_, out.kept);
  return out;
}

LoopedEdges replace_self_loops(const Graph& graph) {
  const Graph::Structure& s = graph.structure();
  const std::lock_guard held(s.finding);
  if (!s.looped) {
    // Nodes of both sides have loops.
    const int64_t nodes = std::min(s.sources, s.targets);
    std::vector<int64_t> kept, loops(static_cast<size_t>(nodes), -1);
    const auto from = graph.sources(), to = graph.targets();
    for (size_t e = 0; e < from.size(); ++e) {
      if (from[e] != to[e])
        kept.push_back(static_cast<int64_t>(e));
      else
        loops[static_cast<size_t>(from[e])] = static_cast<int64_t>(e);
    }
    std::vector<int32_t> sources = chosen(from, kept), targets = chosen(to, kept);
    append_all(&sources, nodes);
    append_all(&targets, nodes);
    Graph out = Graph::from_edges(sources, targets, s.sources, s.targets);
    s.looped =
        LoopedEdges{std::move(out), from_numbers(std::move(kept)), from_numbers(std::move(loops))};
  }
  LoopedEdges out = *s.looped;
  if (graph.mask_.defined())
    out.graph.mask_ =
        concat({take(graph.mask_, out.kept), ones({out.loops.numel()}, graph.mask_.dtype())});
  return out;
}

Graph add_self_loops(const Graph& graph) {
  const auto from = graph.sources(), to = graph.targets();
  std::vector<int32_t> sources(from.begin(), from.end()), targets(to.begin(), to.end());
  append_all(&sources, graph.num_nodes());
  append_all(&targets, graph.num_nodes());
  return Graph::from_edges(sources, targets, graph.num_nodes());
}

Graph to_undirected(const Graph& graph) {
  const auto from = graph.sources(), to = graph.targets();
  Pairs pairs;
  for (size_t e = 0; e < from.size(); ++e) {
    pairs.emplace_back(from[e], to[e]);
    pairs.emplace_back(to[e], from[e]);
  }
  return from_pairs(std::move(pairs), graph.num_nodes());
}

Graph coalesce(const Graph& graph) {
  const auto from = graph.sources(), to = graph.targets();
  Pairs pairs;
  for (size_t e = 0; e < from.size(); ++e) pairs.emplace_back(from[e], to[e]);
  return from_pairs(std::move(pairs), graph.num_nodes());
}

KeptEdges subgraph(const Graph& graph, std::span<const int64_t> nodes) {
  std::vector<int32_t> place(static_cast<size_t>(graph.num_nodes()), -1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] < 0 || nodes[i] >= graph.num_nodes() || place[static_cast<size_t>(nodes[i])] >= 0)
      throw ValueError(
          "subgraph: node " + std::to_string(nodes[i]) +
          (nodes[i] < 0 || nodes[i] >= graph.num_nodes() ? " does not exist" : " comes twice"));
    place[static_cast<size_t>(nodes[i])] = static_cast<int32_t>(i);
  }
  std::vector<int32_t> sources, targets;
  std::vector<int64_t> kept;
  const auto from = graph.sources(), to = graph.targets();
  for (size_t e = 0; e < from.size(); ++e) {
    const int32_t a = place[static_cast<size_t>(from[e])], b = place[static_cast<size_t>(to[e])];
    if (a < 0 || b < 0) continue;
    sources.push_back(a);
    targets.push_back(b);
    kept.push_back(static_cast<int64_t>(e));
  }
  return {Graph::from_edges(sources, targets, static_cast<int64_t>(nodes.size())),
          from_numbers(std::move(kept))};
}

Graph add_virtual_node(const Graph& graph) {
  const auto from = graph.sources(), to = graph.targets();
  const int64_t nodes = graph.num_nodes();
  std::vector<int32_t> sources(from.begin(), from.end()), targets(to.begin(), to.end());
  append_all(&sources, nodes);
  targets.insert(targets.end(), static_cast<size_t>(nodes), static_cast<int32_t>(nodes));
  sources.insert(sources.end(), static_cast<size_t>(nodes), static_cast<int32_t>(nodes));
  append_all(&targets, nodes);
  return Graph::from_edges(sources, targets, nodes + 1);
}

std::vector<int64_t> k_hop_nodes(const Graph& graph, std::span<const int64_t> nodes, int64_t hops) {
  std::vector<bool> seen(static_cast<size_t>(graph.num_nodes()));
  std::vector<int64_t> found, rim;
  const auto reach = [&](int64_t node) {
    if (seen[static_cast<size_t>(node)]) return;
    seen[static_cast<size_t>(node)] = true;
    found.push_back(node);
    rim.push_back(node);
  };
  for (const int64_t node : nodes) {
    if (node < 0 || node >= graph.num_nodes())
      throw ValueError("k_hop_nodes: node " + std::to_string(node) + " does not exist");
    reach(node);
  }
  const Graph::Adjacency incoming = graph.adjacency(Side::kTarget);
  for (int64_t hop = 0; hop < hops && !rim.empty(); ++hop)
    for (const int64_t node : std::exchange(rim, {}))
      for (int32_t k = incoming.ptr[static_cast<size_t>(node)];
           k < incoming.ptr[static_cast<size_t>(node) + 1]; ++k)
        reach(incoming.node[static_cast<size_t>(k)]);
  std::ranges::sort(found);
  return found;
}

}  // namespace glia::graphs
