#include "glia/recipes/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "json.h"

namespace glia::recipes {
namespace {

using Cell = report::Table::Cell;

std::string shown(const Cell& cell, bool percent) {
  return std::visit(
      [&](const auto& v) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          return v;
        } else if constexpr (std::is_same_v<std::decay_t<decltype(v)>, int64_t>) {
          return fmt::format("{}", v);
        } else {
          return percent ? fmt::format("{:.2f} %", 100 * v) : fmt::format("{:.6g}", v);
        }
      },
      cell.value());
}

// Rows of aligned columns, with the columns' names above if there are more than two.
std::string to_text(const report::Table& table) {
  std::vector<std::vector<std::string>> rows;
  if (table.columns.size() > 2) {
    rows.emplace_back();
    for (const auto& column : table.columns) rows[0].push_back(column.name);
  }
  for (const auto& row : table.rows) {
    rows.emplace_back();
    for (size_t i = 0; i < row.size(); ++i)
      rows.back().push_back(shown(row[i], i < table.columns.size() && table.columns[i].percent));
  }
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(i == 0 ? 11 : 8);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      out += i == 0 ? fmt::format("  {:<{}}", row[i], widths[i])
                    : fmt::format(" {:>{}}", row[i], widths[i]);
    out += "\n";
  }
  return out;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json as_json(const report::Table& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json object = Json::object();
    for (size_t i = 0; i < row.size() && i < table.columns.size(); ++i)
      object[table.columns[i].name] = std::visit(
          [](const auto& v) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>)
              return number(v);
            else
              return v;
          },
          row[i].value());
    rows.push_back(std::move(object));
  }
  return rows;
}

Json as_json(const std::vector<double>& values, const Shape& shape, int axis, size_t& at) {
  if (axis == shape.rank()) return number(values[at++]);
  Json list = Json::array();
  for (int64_t i = 0; i < shape[axis]; ++i) list.push_back(as_json(values, shape, axis + 1, at));
  return list;
}

std::string dumped(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string shown(const Result& result) {
  if (const auto* table = std::get_if<report::Table>(&result.value)) return to_text(*table);
  if (const auto* tensor = std::get_if<Tensor>(&result.value))
    return std::string(name(tensor->dtype())) + " " + tensor->shape().str();
  if (const auto* text = std::get_if<std::string>(&result.value)) return *text;
  if (const auto* whole = std::get_if<int64_t>(&result.value)) return shown(Cell(*whole), false);
  return shown(Cell(std::get<double>(result.value)), result.percent);
}

std::string to_text(const Results& results) {
  const auto is_table = [](const Result& r) {
    return std::holds_alternative<report::Table>(r.value);
  };
  size_t width = 11;
  for (const Result& r : results)
    if (!is_table(r)) width = std::max(width, r.name.size());
  std::string out;
  for (const Result& r : results)
    out += is_table(r) ? shown(r) : fmt::format("  {:<{}} {:>8}\n", r.name, width, shown(r));
  return out;
}

Json as_json(const Value& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json as_json(const Values& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = as_json(value);
  return object;
}

Json as_json(const Results& results) {
  Json object = Json::object();
  for (const auto& [name, value, percent] : results)
    object[name] = std::visit(
        [](const auto& v) -> Json {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, double>) {
            return number(v);
          } else if constexpr (std::is_same_v<T, report::Table>) {
            return as_json(v);
          } else if constexpr (std::is_same_v<T, Tensor>) {
            size_t at = 0;
            return as_json(v.template to_vector<double>(), v.shape(), 0, at);
          } else {
            return v;
          }
        },
        value);
  return object;
}

Value value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) return json.get<double>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  return json.dump();
}

std::string to_json(const Results& results) { return dumped(as_json(results)); }

}  // namespace glia::recipes
