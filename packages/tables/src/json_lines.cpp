#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "buffer.h"
#include "file.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/tables/read.h"
#include "values.h"

namespace glia::tables {
namespace {

using Json = nlohmann::ordered_json;

// A column's values as they come: numbers, truth values or texts, not mixed.
struct JsonColumn {
  std::string name;
  std::vector<Json> values;  // null is missing
};

Column column_of(const std::string& name, const std::vector<Json>& values) {
  const auto all = [&](auto is) {
    bool any = false;
    for (const Json& v : values) {
      if (v.is_null()) continue;
      any = true;
      if (!is(v)) return false;
    }
    return any;
  };
  bool missing = false;
  for (const Json& v : values) missing |= v.is_null();
  // Numbers beyond i64 are floats.
  const auto whole = [](const Json& v) {
    return v.is_number_integer() &&
           (!v.is_number_unsigned() ||
            v.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  };
  if (!missing && all(whole)) {
    std::vector<int64_t> out;
    for (const Json& v : values) out.push_back(v.get<int64_t>());
    return Column::from_integers(name, std::move(out));
  }
  const bool numbers = all([](const Json& v) { return v.is_number(); });
  if (numbers || !all([](const Json& v) { return !v.is_null(); })) {
    std::vector<double> out;
    for (const Json& v : values) out.push_back(v.is_null() ? std::nan("") : v.get<double>());
    return Column::from_floats(name, std::move(out));
  }
  if (all([](const Json& v) { return v.is_boolean(); })) {
    std::vector<int8_t> out;
    for (const Json& v : values) out.push_back(v.is_null() ? -1 : v.get<bool>());
    return Column::from_bools(name, std::move(out));
  }
  if (all([](const Json& v) {
        return v.is_string() && parse_date(v.get_ref<const std::string&>());
      })) {
    std::vector<int64_t> out;
    for (const Json& v : values)
      out.push_back(v.is_null() ? kNoDate : *parse_date(v.get_ref<const std::string&>()));
    return Column::from_dates(name, std::move(out));
  }
  std::vector<std::optional<std::string>> out;
  for (const Json& v : values) {
    if (v.is_null())
      out.emplace_back();
    else
      out.emplace_back(v.is_string() ? v.get<std::string>() : v.dump());
  }
  return Column::from_texts(name, out);
}

}  // namespace

Table read_json_lines(const std::string& path) {
  const FileText file(path);
  const std::string_view text = without_mark(file.text());
  std::vector<JsonColumn> columns;
  std::map<std::string, size_t> places;
  size_t rows = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    const char* begin = line.data();
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) continue;
    Json row;
    try {
      row = Json::parse(line.begin(), line.end());
    } catch (const Json::parse_error& fault) {
      const size_t byte = fault.byte > 0 ? fault.byte - 1 : 0;
      fault_at(path, text, begin + std::min(byte, line.size()), "is no JSON");
    }
    if (!row.is_object()) fault_at(path, text, begin, "is no object");
    for (auto& [name, value] : row.items()) {
      if (value.is_structured())
        fault_at(path, text, begin, "'" + name + "' is a list or an object");
      const auto [place, added] = places.try_emplace(name, columns.size());
      if (added) columns.push_back({name, {}});
      std::vector<Json>& values = columns[place->second].values;
      values.resize(rows);  // those before it lack it
      values.push_back(std::move(value));
    }
    ++rows;
  }
  if (rows == 0) throw IoError(path + ": holds no rows");
  std::vector<Column> out;
  for (JsonColumn& column : columns) {
    column.values.resize(rows);
    out.push_back(column_of(column.name, column.values));
  }
  return Table(std::move(out));
}

void write_json_lines(const std::string& path, const Table& table) {
  std::string out;
  for (int64_t row = 0; row < table.rows(); ++row) {
    Json one = Json::object();
    for (const Column& column : table.columns()) {
      const auto i = static_cast<size_t>(row);
      Json& value = one[column.name()];
      if (column.is_missing(row)) continue;
      switch (column.type()) {
        case ColumnType::kFloat:
          if (!std::isfinite(column.floats()[i]))
            throw ValueError("write_json_lines: column '" + column.name() +
                             "' has an infinite number");
          value = column.floats()[i];
          break;
        case ColumnType::kInteger:
          value = column.integers()[i];
          break;
        case ColumnType::kBool:
          value = column.bools()[i] != 0;
          break;
        default:
          value = column.text(row);
      }
    }
    out += one.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  io::write_file_atomic(path, out);
}

}  // namespace glia::tables
