// Citations and graphs of TU Dortmund.
#include "glia/graphs/datasets.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <numeric>

#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "lines.h"

namespace glia::graphs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kByHand =
    "put nodes.tsv (number, class, split and words of each node) and edges.tsv";
const data::RegisterEntry cora({
    .name = "cora",
    .title = "Cora citations",
    .home = "https://github.com/kimiyoung/planetoid",
    .licence = "MIT",
    .task = "node-classification",
    .files = {{"nodes.tsv"}, {"edges.tsv"}},
    .by_hand = kByHand,
    .classes = {"0", "1", "2", "3", "4", "5", "6"},
});
const data::RegisterEntry citeseer({
    .name = "citeseer",
    .title = "Citeseer citations",
    .home = "https://github.com/kimiyoung/planetoid",
    .licence = "MIT",
    .task = "node-classification",
    .files = {{"nodes.tsv"}, {"edges.tsv"}},
    .by_hand = kByHand,
    .classes = {"0", "1", "2", "3", "4", "5"},
});
const data::RegisterEntry tu({
    .name = "tu",
    .title = "TU Dortmund's graphs",
    .home = "https://chrsmrrs.github.io/datasets",
    .licence = "not stated",
    .task = "graph-classification",
    .files = {{"mutag.tar.gz"}, {"proteins.tar.gz"}, {"nci109.tar.gz"}},
    .by_hand = "pack each set's folder of texts, such as MUTAG, as mutag.tar.gz",
});

constexpr int64_t kMostWords = 1 << 24;

}  // namespace

NodeGraph read_planetoid(const std::string& folder, bool normalize) {
  const std::string nodes = data::file_in(folder, "nodes.tsv"),
                    edges = data::file_in(folder, "edges.tsv");
  std::vector<int64_t> labels, row, column;
  std::vector<std::string> splits;
  int64_t words = 0;
  for (const Line& line : lines_of(nodes)) {
    const auto cells = split(line.text, "\t");
    if (cells.size() != 3 && cells.size() != 4)
      fail_at(nodes, line, "has no number, class, split and words");
    const auto node = static_cast<int64_t>(labels.size());
    if (whole(nodes, line, cells[0], 0, INT32_MAX) != node)
      fail_at(nodes, line, "is node '" + std::string(cells[0]) + "', not " + std::to_string(node));
    labels.push_back(whole(nodes, line, cells[1], -1, 1 << 20));
    splits.emplace_back(cells[2]);
    if (cells[2] != "train" && cells[2] != "val" && cells[2] != "test" && cells[2] != "none")
      fail_at(nodes, line, "'" + splits.back() + "' is no split");
    if (cells.size() < 4) continue;
    for (const auto cell : split(cells[3], " ")) {
      row.push_back(node);
      column.push_back(whole(nodes, line, cell, 0, kMostWords));
      words = std::max(words, column.back() + 1);
    }
  }
  if (labels.empty()) throw IoError(nodes + ": holds no nodes");
  const auto count = static_cast<int64_t>(labels.size());
  std::vector<int32_t> from, to;
  for (const Line& line : lines_of(edges)) {
    const auto cells = split(line.text, "\t ");
    if (cells.size() != 2) fail_at(edges, line, "has no two nodes");
    for (const auto cell : cells)
      from.push_back(static_cast<int32_t>(whole(edges, line, cell, 0, count - 1)));
    to.push_back(from.back());
    from.pop_back();
  }
  NodeGraph out;
  out.graph = to_undirected(Graph::from_edges(from, to, count));
  const auto entries = static_cast<int64_t>(row.size());
  if (words > 0) {
    out.x = Csr::from_coo(from_vector(row, {entries}), from_vector(column, {entries}),
                          ones({entries}), {count, words});
    if (normalize) out.x = normalize_features(out.x);
  }
  out.y = from_vector(labels, {count});
  const auto mask = [&](const char* name) {
    std::vector<bool> in;
    for (const std::string& s : splits) in.push_back(s == name);
    return from_vector(in, {count});
  };
  out.train_mask = mask("train");
  out.val_mask = mask("val");
  out.test_mask = mask("test");
  for (int64_t i = 0; i < count; ++i) out.ids.push_back(std::to_string(i));
  for (int64_t c = 0; c <= std::ranges::max(labels); ++c) out.classes.push_back(std::to_string(c));
  return out;
}

NodeGraph planetoid(const std::string& name, bool normalize, const std::string& folder) {
  return read_planetoid(data::find(data::entry(name), folder), normalize);
}

// ---- TU Dortmund --------------------------------------------------------------------------------

namespace {

// The texts of a set by the ends of their names: "A.txt", "graph_indicator.txt".
struct Texts {
  std::string path;
  std::map<std::string, std::string> texts = {};

  void add(const std::string& name, std::string_view bytes) {
    for (const char* end : {"A.txt", "graph_indicator.txt", "graph_labels.txt", "node_labels.txt",
                            "node_attributes.txt", "edge_labels.txt", "edge_attributes.txt"})
      if (name.ends_with(std::string("_") + end)) texts[end] = std::string(bytes);
  }
  bool has(const std::string& end) const { return texts.contains(end); }
  // The numbers of each line, as many in each; and how many that is.
  template <class T>
  std::pair<std::vector<T>, int64_t> numbers(const std::string& end) const {
    const auto at = texts.find(end);
    if (at == texts.end()) throw IoError(path + ": has no NAME_" + end);
    std::vector<T> out;
    int64_t width = 0, line = 0;
    for (std::string_view rest = at->second; !rest.empty();) {
      const size_t stop = std::min(rest.find('\n'), rest.size());
      const std::string_view text = rest.substr(0, stop);
      rest.remove_prefix(std::min(stop + 1, rest.size()));
      ++line;
      const auto cells = split(text, ", \t\r");
      if (cells.empty()) continue;
      if (width == 0) width = static_cast<int64_t>(cells.size());
      if (static_cast<int64_t>(cells.size()) != width)
        throw IoError(path + ": " + end + ": line " + std::to_string(line) + " has " +
                      std::to_string(cells.size()) + " numbers, not " + std::to_string(width));
      for (const auto cell : cells) {
        T value{};
        const auto [p, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc() || p != cell.data() + cell.size())
          throw IoError(path + ": " + end + ": line " + std::to_string(line) + ": '" +
                        std::string(cell) + "' is no number");
        out.push_back(value);
      }
    }
    return {std::move(out), width};
  }
};

// Labels (rows, width) as one-hot rows, column by column, from each one's least number.
Tensor one_hot_labels(const std::string& path, const std::vector<int64_t>& labels, int64_t width) {
  const auto rows = static_cast<int64_t>(labels.size()) / width;
  std::vector<Tensor> parts;
  const Tensor all = from_vector(labels, {rows, width});
  for (int64_t c = 0; c < width; ++c) {
    const Tensor column = index(all, {Slice{}, c});
    const int64_t low = min(column).item<int64_t>(), high = max(column).item<int64_t>();
    if (high - low > 10000) throw IoError(path + ": has more than 10000 labels of nodes or edges");
    parts.push_back(one_hot(column - low, high - low + 1));
  }
  return concat(parts, 1);
}

}  // namespace

std::vector<Data> read_tu(const std::string& path, const TUOptions& options) {
  Texts set{path};
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".txt")
        set.add(entry.path().filename().string(), io::read_file(entry.path().string()));
  } else {
    io::read_tar(path,
                 [&](const std::string& name, std::string_view bytes) { set.add(name, bytes); });
  }
  const auto [owner, one] = set.numbers<int64_t>("graph_indicator.txt");
  const auto [ends, two] = set.numbers<int64_t>("A.txt");
  const auto [labels, single] = set.numbers<int64_t>("graph_labels.txt");
  if (owner.empty() || one != 1 || single != 1 || (two != 2 && !ends.empty()))
    throw IoError(path + ": its texts are not of the form of TU Dortmund");
  const auto nodes = static_cast<int64_t>(owner.size()),
             edges = static_cast<int64_t>(ends.size()) / 2,
             graphs = static_cast<int64_t>(labels.size());
  const auto rows_of = [&](const std::string& end, int64_t rows) {
    auto [values, width] = set.numbers<double>(end);
    if (static_cast<int64_t>(values.size()) != rows * width)
      throw IoError(path + ": " + end + " has " + std::to_string(values.size()) + " numbers for " +
                    std::to_string(rows) + " rows");
    return cast(from_vector(values, {rows, width}), kF32);
  };
  const auto labels_of = [&](const std::string& end, int64_t rows) {
    const auto [values, width] = set.numbers<int64_t>(end);
    if (static_cast<int64_t>(values.size()) != rows * width || width == 0)
      throw IoError(path + ": " + end + " has " + std::to_string(values.size()) + " labels for " +
                    std::to_string(rows) + " rows");
    return one_hot_labels(path, values, width);
  };
  const auto together = [&](const char* attributes, const char* names, int64_t rows, bool wanted) {
    std::vector<Tensor> parts;
    if (wanted && set.has(attributes)) parts.push_back(rows_of(attributes, rows));
    if (set.has(names)) parts.push_back(labels_of(names, rows));
    return parts.empty() ? Tensor() : concat(parts, 1);
  };
  const Tensor x = together("node_attributes.txt", "node_labels.txt", nodes, options.use_node_attr),
               edge_attr =
                   together("edge_attributes.txt", "edge_labels.txt", edges, options.use_edge_attr);

  // Nodes of a graph follow each other; edges may come in any order.
  std::vector<int64_t> first(static_cast<size_t>(graphs) + 1);
  for (int64_t i = 0; i < nodes; ++i) {
    const int64_t g = owner[static_cast<size_t>(i)];
    if (g < 1 || g > graphs || (i > 0 && g < owner[static_cast<size_t>(i) - 1]))
      throw IoError(path + ": node " + std::to_string(i + 1) + " is of graph " + std::to_string(g) +
                    ", out of order or of " + std::to_string(graphs));
    ++first[static_cast<size_t>(g)];
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<std::vector<int64_t>> of_graph(static_cast<size_t>(graphs));
  for (int64_t e = 0; e < edges; ++e) {
    const int64_t a = ends[static_cast<size_t>(2 * e)], b = ends[static_cast<size_t>(2 * e + 1)];
    if (std::min(a, b) < 1 || std::max(a, b) > nodes ||
        owner[static_cast<size_t>(a - 1)] != owner[static_cast<size_t>(b - 1)])
      throw IoError(path + ": edge " + std::to_string(e + 1) + " from " + std::to_string(a) +
                    " to " + std::to_string(b) + " joins no two nodes of one graph");
    of_graph[static_cast<size_t>(owner[static_cast<size_t>(a - 1)] - 1)].push_back(e);
  }
  std::vector<int64_t> kinds = labels;
  std::ranges::sort(kinds);
  kinds.erase(std::ranges::unique(kinds).begin(), kinds.end());
  std::vector<Data> out;
  for (int64_t g = 0; g < graphs; ++g) {
    const int64_t begin = first[static_cast<size_t>(g)], end = first[static_cast<size_t>(g) + 1];
    const auto& own = of_graph[static_cast<size_t>(g)];
    std::vector<int32_t> from, to;
    for (const int64_t e : own) {
      from.push_back(static_cast<int32_t>(ends[static_cast<size_t>(2 * e)] - 1 - begin));
      to.push_back(static_cast<int32_t>(ends[static_cast<size_t>(2 * e + 1)] - 1 - begin));
    }
    Data one;
    one.graph = Graph::from_edges(from, to, end - begin);
    if (x.defined()) one.x = slice(x, 0, {begin, end});
    if (edge_attr.defined())
      one.edge_attr = take(edge_attr, from_vector(own, {static_cast<int64_t>(own.size())}));
    const int64_t label = labels[static_cast<size_t>(g)];
    one.y = tensor({static_cast<int64_t>(std::ranges::lower_bound(kinds, label) - kinds.begin())});
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<std::string> tu_names() { return {"mutag", "proteins", "nci109"}; }

std::vector<Data> tu_dataset(const std::string& name, const std::string& folder) {
  const auto names = tu_names();
  if (std::ranges::find(names, name) == names.end())
    throw ValueError("tu_dataset: there is no \"" + name + "\"");
  return read_tu(data::file_in(data::find(data::entry("tu"), folder), name + ".tar.gz"));
}

std::vector<Data> one_hot_degrees(std::vector<Data> graphs) {
  int64_t most = 0;
  for (const Data& one : graphs)
    if (one.graph.num_nodes() > 0) most = std::max(most, max(one.graph.degree()).item<int64_t>());
  if (most > 10000)
    throw ValueError("one_hot_degrees: a node has " + std::to_string(most) + " edges");
  for (Data& one : graphs) one.x = one_hot(one.graph.degree(), most + 1);
  return graphs;
}

}  // namespace glia::graphs
