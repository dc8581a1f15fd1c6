// Lists of edges, and tables of nodes and edges.
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>

#include "glia/catalogue.h"
#include "glia/data.h"
#include "glia/error.h"
#include "glia/graphs/datasets.h"
#include "glia/ops.h"
#include "glia/tables/read.h"
#include "lines.h"

namespace glia::graphs {

// ---- Lines --------------------------------------------------------------------------------------

std::vector<Line> lines_of(const std::string& path) {
  std::vector<Line> out;
  const data::SourcePtr all = data::lines(path);
  for (int64_t i = 0; i < all->size(); ++i) {
    std::string text = all->get(0, i).text("line");
    while (text.ends_with('\r')) text.pop_back();
    if (!text.empty() && text[0] != '#' && text[0] != '%') out.push_back({std::move(text), i + 1});
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(separators, at);
    if (begin == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    at = end;
  }
  return out;
}

void fail_at(const std::string& path, const Line& line, const std::string& fault) {
  throw IoError(path + ": line " + std::to_string(line.number) + ": " + fault);
}

int64_t whole(const std::string& path, const Line& line, std::string_view cell, int64_t low,
              int64_t high) {
  int64_t value = 0;
  const auto [p, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || p != cell.data() + cell.size() || value < low || value > high)
    fail_at(path, line,
            "'" + std::string(cell) + "' is no whole number from " + std::to_string(low) + " to " +
                std::to_string(high));
  return value;
}

namespace {

// Edges with values, also in the other direction: each once, the first counts.
struct Edges {
  std::vector<int32_t> from, to;
  std::vector<int64_t> row;  // of the file

  void add(int32_t a, int32_t b) {
    row.push_back(static_cast<int64_t>(row.size()));
    from.push_back(a);
    to.push_back(b);
  }
  void mirror() {
    std::map<std::pair<int32_t, int32_t>, int64_t> all;
    for (size_t e = 0; e < from.size(); ++e) {
      all.emplace(std::pair(from[e], to[e]), row[e]);
      all.emplace(std::pair(to[e], from[e]), row[e]);
    }
    *this = {};
    for (const auto& [ends, source] : all) {
      from.push_back(ends.first);
      to.push_back(ends.second);
      row.push_back(source);
    }
  }
  Tensor rows() const { return from_vector(row, {static_cast<int64_t>(row.size())}); }
};

}  // namespace

NodeGraph read_edge_list(const std::string& path, const EdgeOptions& options) {
  NodeGraph out;
  std::unordered_map<std::string, int32_t> numbers;
  const auto number = [&](std::string_view name) {
    const auto [at, fresh] = numbers.emplace(name, static_cast<int32_t>(numbers.size()));
    if (fresh) out.ids.emplace_back(name);
    return at->second;
  };
  Edges edges;
  std::vector<float> weights;
  for (const Line& line : lines_of(path)) {
    const auto cells = split(line.text, " \t,");
    if (cells.empty()) continue;
    if (cells.size() != 2 && cells.size() != 3)
      fail_at(path, line, "is no two nodes and maybe a weight");
    if (edges.from.size() != weights.size() && cells.size() == 3)
      fail_at(path, line, "has a weight, but lines before have none");
    const int32_t a = number(cells[0]);
    edges.add(a, number(cells[1]));
    if (cells.size() < 3) {
      if (!weights.empty()) fail_at(path, line, "has no weight, but lines before have");
      continue;
    }
    float w = 0;
    const auto [p, error] = std::from_chars(cells[2].data(), cells[2].data() + cells[2].size(), w);
    if (error != std::errc() || p != cells[2].data() + cells[2].size())
      fail_at(path, line, "'" + std::string(cells[2]) + "' is no weight");
    weights.push_back(w);
  }
  if (edges.from.empty()) throw IoError(path + ": holds no edges");
  if (options.undirected) edges.mirror();
  out.graph = Graph::from_edges(edges.from, edges.to, static_cast<int64_t>(numbers.size()));
  if (!weights.empty())
    out.edge_weight =
        take(from_vector(weights, {static_cast<int64_t>(weights.size())}), edges.rows());
  return out;
}

// ---- Tables -------------------------------------------------------------------------------------

namespace {

// Those of these columns that there are hold texts, whatever they look like: "007".
tables::Table read(const std::string& path, const std::vector<std::string>& texts) {
  tables::CsvOptions options;
  const std::string name = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;
  if (name.ends_with(".tsv")) options.separator = '\t';
  options.max_rows = 1;
  const tables::Table first = tables::read_csv(path, options);
  options.max_rows = -1;
  for (const std::string& column : texts)
    if (first.has(column)) options.types.emplace_back(column, tables::ColumnType::kText);
  return tables::read_csv(path, options);
}

const tables::Column& column(const std::string& path, const tables::Table& table,
                             const char* name) {
  if (!table.has(name)) throw IoError(path + ": has no column \"" + name + "\"");
  return table.column(name);
}

[[noreturn]] void fail_row(const std::string& path, int64_t row, const std::string& fault) {
  throw IoError(path + ": row " + std::to_string(row + 1) + ": " + fault);
}

Tensor numbers_of(const std::string& path, const tables::Column& column) {
  const Tensor x = cast(column.to_tensor(), kF32);
  if (!all(isfinite(x)).item<bool>())
    throw IoError(path + ": column \"" + column.name() + "\" has a number that is too large");
  return x;
}

// The other columns, one beside the other; undefined if there are none.
Tensor others(const std::string& path, const tables::Table& table,
              const std::vector<std::string>& without) {
  std::vector<Tensor> parts;
  for (const tables::Column& c : table.columns()) {
    if (std::ranges::find(without, c.name()) != without.end()) continue;
    if (c.missing() > 0) throw IoError(path + ": column \"" + c.name() + "\" has missing values");
    if (c.type() == tables::ColumnType::kText) {
      if (c.categories().size() > 1000)
        throw IoError(path + ": column \"" + c.name() + "\" has more than 1000 different texts");
      const auto codes = c.codes();
      parts.push_back(
          one_hot(from_vector(std::vector<int32_t>(codes.begin(), codes.end()), {c.size()}),
                  static_cast<int64_t>(c.categories().size())));
    } else {
      parts.push_back(unsqueeze(numbers_of(path, c), 1));
    }
  }
  return parts.empty() ? Tensor() : concat(parts, 1);
}

}  // namespace

NodeGraph read_tables(const std::string& nodes, const std::string& edges,
                      const EdgeOptions& options) {
  const tables::Table named = read(nodes, {"id", "label", "split"});
  const tables::Table joined = read(edges, {"source", "target"});
  NodeGraph out;
  const tables::Column& id = column(nodes, named, "id");
  std::unordered_map<std::string, int32_t> numbers;
  const int64_t count = named.rows();
  for (int64_t i = 0; i < count; ++i) {
    if (!numbers.emplace(id.text(i), static_cast<int32_t>(i)).second)
      fail_row(nodes, i, "the id '" + id.text(i) + "' comes twice");
    out.ids.push_back(id.text(i));
  }
  if (out.ids.empty()) throw IoError(nodes + ": holds no nodes");
  if (const Tensor x = others(nodes, named, {"id", "label", "split"}); x.defined()) out.x = x;
  if (named.has("label")) {
    const tables::Column& label = named.column("label");
    std::map<std::string, int64_t> classes;
    for (int64_t i = 0; i < count; ++i)
      if (!label.is_missing(i)) classes[label.text(i)] = 0;
    for (auto& [name, number] : classes) {
      number = static_cast<int64_t>(out.classes.size());
      out.classes.push_back(name);
    }
    std::vector<int64_t> y;
    for (int64_t i = 0; i < count; ++i)
      y.push_back(label.is_missing(i) ? -1 : classes.at(label.text(i)));
    out.y = from_vector(y, {count});
  }
  if (named.has("split")) {
    const tables::Column& split = named.column("split");
    std::vector<bool> masks[3];
    for (int64_t i = 0; i < count; ++i) {
      const std::string text = split.is_missing(i) ? "none" : split.text(i);
      if (text != "train" && text != "val" && text != "test" && text != "none")
        fail_row(nodes, i, "the split '" + text + "' is not train, val, test or none");
      for (int k = 0; k < 3; ++k) masks[k].push_back(text == std::array{"train", "val", "test"}[k]);
    }
    out.train_mask = from_vector(masks[0], {count});
    out.val_mask = from_vector(masks[1], {count});
    out.test_mask = from_vector(masks[2], {count});
  }
  const tables::Column &source = column(edges, joined, "source"),
                       &target = column(edges, joined, "target");
  Edges all;
  for (int64_t i = 0; i < joined.rows(); ++i) {
    const auto node = [&](const tables::Column& c) {
      const auto at = numbers.find(c.text(i));
      if (at == numbers.end())
        fail_row(edges, i, "there is no node '" + c.text(i) + "' in " + nodes);
      return at->second;
    };
    const int32_t from = node(source);
    all.add(from, node(target));
  }
  if (options.undirected) all.mirror();
  out.graph = Graph::from_edges(all.from, all.to, count);
  if (joined.has("weight")) {
    const tables::Column& weight = joined.column("weight");
    if (!weight.is_number() || weight.missing() > 0)
      throw IoError(edges + ": the column \"weight\" holds what is no number");
    out.edge_weight = take(numbers_of(edges, weight), all.rows());
  }
  if (const Tensor e = others(edges, joined, {"source", "target", "weight"}); e.defined())
    out.edge_attr = take(e, all.rows());
  return out;
}

NodeGraph read_nodes(const std::string& from) {
  namespace fs = std::filesystem;
  if (from == "cora" || from == "citeseer") return planetoid(from);
  const auto there = [&](const std::string& name) -> std::string {
    for (const char* end : {"", ".gz"})
      if (fs::exists(fs::path(from) / (name + end)))
        return (fs::path(from) / (name + end)).string();
    return "";
  };
  if (!fs::is_directory(from)) {
    if (fs::exists(from)) return read_edge_list(from);
    throw IoError(from + ": there is no such folder");
  }
  if (!there("nodes.tsv").empty()) return read_planetoid(from);
  if (!there("nodes.csv").empty() && !there("edges.csv").empty())
    return read_tables(there("nodes.csv"), there("edges.csv"));
  if (!there("edges.txt").empty()) return read_edge_list(there("edges.txt"));
  throw IoError(from +
                ": holds neither nodes.csv and edges.csv, nodes.tsv and edges.tsv, nor edges.txt");
}

}  // namespace glia::graphs
