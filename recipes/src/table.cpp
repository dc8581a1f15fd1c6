#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::recipes {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

struct Line {
  int64_t line = 0;  // where it begins, from 1
  std::vector<std::string> cells;
};

// Cells may be quoted, with "" for a quote, and then hold anything. Empty lines are none.
std::vector<Line> lines_of(const std::string& path, const std::string& text) {
  std::vector<Line> lines;
  int64_t line = 1;
  for (size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0; at < text.size();) {
    Line row{line, {}};
    for (bool more = true; more;) {
      std::string cell;
      while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
      if (at < text.size() && text[at] == '"') {
        for (++at;; ++at) {
          if (at >= text.size())
            throw IoError(fmt::format("{}: line {}: a quote is not closed", path, row.line));
          if (text[at] == '"' && (at + 1 >= text.size() || text[at + 1] != '"')) break;
          at += text[at] == '"';
          line += text[at] == '\n';
          cell += text[at];
        }
        for (++at; at < text.size() && text[at] != ',' && text[at] != '\n'; ++at)
          if (text[at] != ' ' && text[at] != '\t' && text[at] != '\r')
            throw IoError(fmt::format("{}: line {}: text behind a quote", path, row.line));
        row.cells.push_back(std::move(cell));
      } else {
        const size_t end = std::min(text.find_first_of(",\n", at), text.size());
        cell = text.substr(at, end - at);
        if (cell.ends_with('\r')) cell.pop_back();
        row.cells.push_back(trimmed(cell));
        at = end;
      }
      more = at < text.size() && text[at] == ',';
      at += at < text.size();
    }
    ++line;
    if (row.cells.size() > 1 || !row.cells[0].empty()) lines.push_back(std::move(row));
  }
  return lines;
}

}  // namespace

NumberTable read_table(const std::string& path, const std::string& label) {
  std::vector<Line> lines = lines_of(path, io::read_file(path));
  if (lines.empty()) throw IoError(path + ": holds no rows");
  NumberTable table;
  std::vector<std::string> names;
  if (!std::ranges::all_of(lines[0].cells, [](const auto& c) { return number(c).has_value(); })) {
    names = lines[0].cells;
    lines.erase(lines.begin());
    if (lines.empty()) throw IoError(path + ": holds no rows below its header");
  } else {
    for (size_t i = 0; i < lines[0].cells.size(); ++i) names.push_back(std::to_string(i + 1));
  }
  const auto found = std::ranges::find(names, label);
  if (!label.empty() && found == names.end())
    throw IoError(
        fmt::format("{}: has no column '{}', but {}", path, label, fmt::join(names, ", ")));
  const auto labels = static_cast<size_t>(label.empty() ? names.size() : found - names.begin());
  for (size_t i = 0; i < names.size(); ++i)
    if (i != labels) table.names.push_back(names[i]);
  if (table.names.empty()) throw IoError(path + ": has no column of numbers");

  std::vector<double> values;
  for (const Line& row : lines) {
    if (row.cells.size() != names.size())
      throw IoError(fmt::format("{}: line {}: has {} cells and not {}", path, row.line,
                                row.cells.size(), names.size()));
    for (size_t i = 0; i < names.size(); ++i) {
      if (i == labels) {
        table.labels.push_back(row.cells[i]);
        continue;
      }
      const auto value = number(row.cells[i]);
      if (!value)
        throw IoError(fmt::format("{}: line {}: '{}' of column '{}' is no number", path, row.line,
                                  row.cells[i], names[i]));
      values.push_back(*value);
    }
  }
  table.values = from_vector(
      values, {static_cast<int64_t>(lines.size()), static_cast<int64_t>(table.names.size())});
  return table;
}

std::vector<double> numbers_of(const std::string& text, int64_t count) {
  std::vector<double> out;
  for (size_t at = 0; (at = text.find_first_not_of(", \t", at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(", \t", at), text.size());
    const auto value = number(text.substr(at, end - at));
    if (!value) throw ValueError("'" + text.substr(at, end - at) + "' is no number");
    out.push_back(*value);
    at = end;
  }
  if (static_cast<int64_t>(out.size()) != count)
    throw ValueError(fmt::format("'{}' has {} numbers and not {}", text, out.size(), count));
  return out;
}

std::vector<double> numbers_of(const Input& input, int64_t count, const std::string& what) {
  if (const auto* text = std::get_if<std::string>(&input)) return numbers_of(*text, count);
  const Tensor& tensor = std::get<Tensor>(input);
  if (tensor.numel() != count) throw ValueError(fmt::format("{} has {} numbers", what, count));
  return tensor.to_vector<double>();
}

int64_t whole_number_of(const Input& input, const std::string& what, int64_t most) {
  const double n = numbers_of(input, 1, what)[0];
  if (!(n >= 1 && n <= static_cast<double>(most)) || n != std::floor(n))
    throw ValueError(fmt::format("{} is no {} from 1 to {}", n, what, most));
  return static_cast<int64_t>(n);
}

std::vector<std::string> rows_of(const std::string& path) {
  const NumberTable table = read_table(path);
  const auto values = table.values.to_vector<double>();
  const auto columns = static_cast<std::ptrdiff_t>(table.names.size());
  std::vector<std::string> rows;
  for (auto at = values.begin(); at != values.end(); at += columns)
    rows.push_back(fmt::format("{}", fmt::join(at, at + columns, ", ")));
  return rows;
}

}  // namespace glia::recipes
